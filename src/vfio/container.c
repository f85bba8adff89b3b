/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vfio/container.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/vfio.h>
#include <stdio.h>
#include <string.h>

#include "common/trace.h"
#include "vfio/identity.h"

static int check_container(struct kernel *kernel, int fd, struct error *error)
{
	int r = kernel_ioctl(kernel, fd, VFIO_GET_API_VERSION, NULL);

	if (r != VFIO_API_VERSION) {
		return error_set(error, ERROR_INVALID_ARGUMENT, r < 0 ? -r : 0,
				 "the container fd is not that of a VFIO container");
	}
	return 0;
}

static int refuse_kinds(const struct container_request *request,
			const struct container_kind *const *kinds, struct error *error)
{
	if (!request->iommu_type) {
		return error_set(error, ERROR_UNSUPPORTED, 0,
				 "VFIO has no IOMMU of a known kind on this host; load "
				 "vfio_iommu_spapr_tce (POWER) or vfio_iommu_type1");
	}
	while (*kinds && strcmp((*kinds)->iommu_type, request->iommu_type) != 0) {
		kinds++;
	}
	return error_set(error, *kinds ? ERROR_UNSUPPORTED : ERROR_INVALID_ARGUMENT, 0,
			 *kinds ? "the host has no \"%.32s\" containers"
				: "there is no container kind \"%.32s\"",
			 request->iommu_type);
}

/* Which kinds the kernel has and the request wants, one bit each. */
static unsigned int find_kinds(struct kernel *kernel, const struct container_kind *const *kinds,
			       const struct container_request *request)
{
	unsigned int found = 0;

	for (unsigned int i = 0; kinds[i]; i++) {
		if (request->iommu_type && strcmp(request->iommu_type, kinds[i]->iommu_type) != 0) {
			continue;
		}
		if (kernel_ioctl_value(kernel, request->container_fd, VFIO_CHECK_EXTENSION,
				       kinds[i]->extension) == 1) {
			found |= 1U << i;
		}
	}
	return found;
}

/* The first of the kinds found that the kernel takes for the group, which is attached. */
static int set_kind(struct kernel *kernel, const struct container_kind *const *kinds,
		    unsigned int found, const struct container_request *request,
		    const struct container_kind **ret_kind, int *ret_better_refused,
		    struct error *error)
{
	int code = 0;

	for (unsigned int i = 0; kinds[i]; i++) {
		int r;

		if (!(found >> i & 1)) {
			continue;
		}
		r = kernel_ioctl_value(kernel, request->container_fd, VFIO_SET_IOMMU,
				       kinds[i]->extension);
		if (r == 0) {
			trace_container_open(request->id, kinds[i]->iommu_type,
					     request->container_fd);
			*ret_kind = kinds[i];
			return 0;
		}
		*ret_better_refused = r < 0 ? -r : EINVAL;
		/* What the best kind says is what the caller has to know. */
		if (code == 0) {
			code = refusal_set(error, kinds[i]->refusals, r,
					   "take over group %" PRIu32 " as %s", request->group,
					   kinds[i]->iommu_type);
		} else if (error) {
			error_append(error, "; %s is refused, too (%s)", kinds[i]->iommu_type,
				     errno_name(r < 0 ? -r : 0));
		}
	}
	return code;
}

/* Takes the group and the fd when it succeeds. */
static int make_container(struct kernel *kernel, const struct container_kind *kind,
			  const struct container_request *request, const struct group *group,
			  struct container **ret_container, struct error *error)
{
	struct container *container = kind->new_container();
	int r;

	if (!container) {
		return error_set(error, ERROR_KERNEL, ENOMEM, "no memory for a container");
	}
	container->kernel = kernel;
	container->fd = request->container_fd;
	container->id = request->id;
	container->groups[0] = *group;
	container->group_count = 1;
	container->capabilities.iommu_type = kind->iommu_type;
	identity_listen(container);
	r = kind->set_up(container, error);
	if (r) {
		/* What is the caller's goes back to it. */
		container->group_count = 0;
		container->fd = -1;
		(void)container_free(container);
		return r;
	}
	*ret_container = container;
	return 0;
}

static int open_container(struct kernel *kernel, const struct container_kind *const *kinds,
			  const struct container_request *request, struct group *group,
			  struct container **ret_container, struct error *error)
{
	const struct container_kind *kind = NULL;
	int better_refused = 0;
	unsigned int found;
	int r;

	r = check_container(kernel, request->container_fd, error);
	if (r) {
		return r;
	}
	found = find_kinds(kernel, kinds, request);
	if (found == 0) {
		return refuse_kinds(request, kinds, error);
	}
	r = group_attach(group, request->container_fd, error);
	if (r) {
		return r;
	}
	r = set_kind(kernel, kinds, found, request, &kind, &better_refused, error);
	if (r == 0) {
		r = kind ? make_container(kernel, kind, request, group, ret_container, error)
			 : refuse_kinds(request, kinds, error);
	}
	if (r == 0) {
		(*ret_container)->better_refused = better_refused;
	}
	return r;
}

int container_open(struct kernel *kernel, const struct container_kind *const *kinds,
		   const struct container_request *request, struct container **ret_container,
		   struct error *error)
{
	struct group group = {.kernel = kernel, .number = request->group, .fd = request->group_fd};
	int r = open_container(kernel, kinds, request, &group, ret_container, error);

	if (r) {
		group_done(&group);
		(void)kernel_close(kernel, request->container_fd);
	}
	return r;
}

unsigned int container_group_index(const struct container *container, uint32_t group)
{
	unsigned int index = 0;

	while (index < container->group_count && container->groups[index].number != group) {
		index++;
	}
	return index;
}

bool container_has_lost_groups(const struct container *container)
{
	for (unsigned int i = 0; i < container->group_count; i++) {
		if (!group_is_gone(&container->groups[i])) {
			return false;
		}
	}
	return true;
}

static int groups_changed(struct container *container, struct error *error)
{
	return container->operations->groups_changed
		       ? container->operations->groups_changed(container, error)
		       : 0;
}

/* Take a group out of the list, as it is. */
static struct group take_group(struct container *container, unsigned int index)
{
	struct group group = container->groups[index];

	container->group_count--;
	memmove(container->groups + index, container->groups + index + 1,
		(container->group_count - index) * sizeof(*container->groups));
	return group;
}

int container_vfio_join(struct container *container, int group_fd, uint32_t group,
			struct error *error)
{
	struct group joining = {.kernel = container->kernel, .number = group, .fd = group_fd};
	unsigned int index = container->group_count;
	int r;

	if (index == WORKER_GROUPS_MAX) {
		return error_set(error, ERROR_QUOTA_EXCEEDED, 0,
				 "container %" PRIu32 " has %d groups, which is the most",
				 container->id, WORKER_GROUPS_MAX);
	}
	r = group_attach(&joining, container->fd, error);
	if (r) {
		return r;
	}
	container->groups[index] = joining;
	container->group_count++;
	r = groups_changed(container, error);
	if (r) {
		joining = take_group(container, index);
		/* Nobody has had the time to open a device of it. */
		(void)group_detach(&joining, NULL);
		(void)groups_changed(container, NULL);
	}
	return r;
}

int container_vfio_leave(struct container *container, uint32_t group, int *ret_group_fd,
			 struct error *error)
{
	unsigned int index = container_group_index(container, group);
	struct group leaving;
	int r;

	if (index == container->group_count) {
		return error_set(error, ERROR_NOT_FOUND, 0,
				 "group %" PRIu32 " is not in container %" PRIu32, group,
				 container->id);
	}
	r = group_detach(&container->groups[index], error);
	if (r) {
		return r;
	}
	leaving = take_group(container, index);
	if (ret_group_fd) {
		*ret_group_fd = leaving.fd;
	} else {
		group_done(&leaving);
	}
	/* The group is gone whatever comes; what was known before is good enough then. */
	(void)groups_changed(container, NULL);
	return 0;
}

void container_quiesce(struct container *container)
{
	for (unsigned int i = 0; i < container->group_count; i++) {
		group_quiesce(&container->groups[i]);
	}
}

void container_go_on(struct container *container)
{
	for (unsigned int i = 0; i < container->group_count; i++) {
		group_go_on(&container->groups[i]);
	}
}

void container_done(struct container *container)
{
	while (container->group_count > 0) {
		group_done(&container->groups[--container->group_count]);
	}
	if (container->kernel) {
		trace_container_close(container->id);
		container->fd = kernel_close(container->kernel, container->fd);
	}
}

struct container_groups_text container_groups_format(const struct container *container)
{
	struct container_groups_text result;
	size_t used = 0;

	used += (size_t)snprintf(result.text, sizeof(result.text), "%s",
				 container->group_count == 1 ? "group" : "groups");
	for (unsigned int i = 0; i < container->group_count; i++) {
		used += (size_t)snprintf(result.text + used, sizeof(result.text) - used,
					 "%s%" PRIu32, i > 0 ? ", " : " ",
					 container->groups[i].number);
		if (used > sizeof(result.text) - 24 && i + 1 < container->group_count) {
			(void)snprintf(result.text + used, sizeof(result.text) - used, ", …");
			break;
		}
	}
	return result;
}

/* A section that comes or goes, for the listeners of one sort. */
struct news {
	const struct section *section;
	bool takes_long;
	bool comes;
};

/* Listeners hear of what comes in their order, and of what goes in the reverse. */
static struct memory_listener *listener_at(const struct container *container,
					   const struct news *news, unsigned int turn)
{
	return container->listeners[news->comes ? turn : container->listener_count - 1 - turn];
}

static int tell_one(struct memory_listener *listener, const struct news *news, struct error *error)
{
	if (listener->operations->takes_long != news->takes_long) {
		return 0;
	}
	return news->comes ? memory_listener_add(listener, news->section, error)
			   : memory_listener_remove(listener, news->section, error);
}

/* Tell the listeners of one sort, all or none. */
static int tell_listeners(struct container *container, const struct news *news, struct error *error)
{
	unsigned int count = section_is_skipped(news->section) ? 0 : container->listener_count;
	struct news opposite = *news;

	opposite.comes = !news->comes;
	for (unsigned int i = 0; i < count; i++) {
		int r = tell_one(listener_at(container, news, i), news, error);

		if (r) {
			while (i-- > 0) {
				(void)tell_one(listener_at(container, news, i), &opposite, NULL);
			}
			return r;
		}
	}
	return 0;
}

int container_memory_add(struct container *container, const struct section *section,
			 struct error *error)
{
	return tell_listeners(container, &(struct news){section, true, true}, error);
}

int container_memory_remove(struct container *container, const struct section *section,
			    struct error *error)
{
	return tell_listeners(container, &(struct news){section, true, false}, error);
}

int container_section_add(struct container *container, const struct section *section,
			  struct error *error)
{
	return tell_listeners(container, &(struct news){section, false, true}, error);
}

int container_section_remove(struct container *container, const struct section *section,
			     struct error *error)
{
	return tell_listeners(container, &(struct news){section, false, false}, error);
}
