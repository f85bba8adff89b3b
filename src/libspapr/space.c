/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Address spaces, their groups and their memory. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/names.h"
#include "libspapr/handles.h"
#include "spapr/tce_v1.h"
#include "spapr/tce_v2.h"
#include "vfio/device.h"
#include "vfio/space_private.h"
#include "vfio/type1.h"

/* The least that options may have: all that this version knows. */
#define OPTIONS_SIZE sizeof(struct spapr_space_options)

/* More than any version will have. */
#define OPTIONS_MAX 4096U

#define SAME_DEFAULT_WINDOW(name)                                                             \
	_Static_assert((int)SPAPR_DEFAULT_WINDOW_##name == (int)WORKER_DEFAULT_WINDOW_##name, \
		       "what becomes of the default window is numbered as the engine has it")
SAME_DEFAULT_WINDOW(AUTO);
SAME_DEFAULT_WINDOW(KEEP);
SAME_DEFAULT_WINDOW(REMOVE);
SAME_DEFAULT_WINDOW(SWAP);

_Static_assert(SPAPR_MEMORY_READ_ONLY == WORKER_MEMORY_READ_ONLY, "flags are the engine's");
_Static_assert(SPAPR_MEMORY_IDENTITY == WORKER_MEMORY_IDENTITY, "flags are the engine's");
_Static_assert(SPAPR_MEMORY_RAM_DEVICE == WORKER_MEMORY_RAM_DEVICE, "flags are the engine's");

/* The kinds of container, best first. */
static int open_container(struct kernel *kernel, const struct container_request *request,
			  struct container **ret_container, struct error *error)
{
	static const struct container_kind *const kinds[] = {
		&tce_v2_kind, &tce_v1_kind, &type1v2_kind, &type1_kind, NULL,
	};

	return container_open(kernel, kinds, request, ret_container, error);
}

/* spaces */

/* Whether a program that was built for a later version asks for what this one doesn't know. */
static bool wants_more(const struct spapr_space_options *options)
{
	const unsigned char *bytes = (const unsigned char *)options;
	size_t at = OPTIONS_SIZE;

	while (at < options->size && bytes[at] == 0) {
		at++;
	}
	return at < options->size;
}

static int check_options(const struct spapr_space_options *options, struct error *error)
{
	if (options->size < OPTIONS_SIZE || options->size > OPTIONS_MAX) {
		return error_set(error, ERROR_INVALID_ARGUMENT, 0,
				 "options of %zu bytes; their member size is to be "
				 "sizeof(struct spapr_space_options), %zu",
				 options->size, OPTIONS_SIZE);
	}
	if (wants_more(options)) {
		return error_set(error, ERROR_INVALID_ARGUMENT, 0,
				 "options of %zu bytes, of which this version of the library knows "
				 "%zu; the others are not 0, and it can't do what they mean",
				 options->size, OPTIONS_SIZE);
	}
	if (options->default_window > SPAPR_DEFAULT_WINDOW_SWAP || options->reserved ||
	    options->reserved_too[0] || options->reserved_too[1]) {
		return error_set(error, ERROR_INVALID_ARGUMENT, 0,
				 "default window %" PRIu32 " is none of 0 to %d, or a reserved "
				 "member is not 0",
				 options->default_window, SPAPR_DEFAULT_WINDOW_SWAP);
	}
	return 0;
}

static struct space_policy policy_of(const struct spapr_space_options *options)
{
	return (struct space_policy){
		.window = {.page_sizes = options->page_sizes, .most_tces = options->most_tces},
		.default_window = (enum worker_default_window)options->default_window,
		/* The memory is the program's own: nobody else could take its pages away. */
		.memory = WORKER_TAKES_UNSEALED | WORKER_TAKES_HUGETLBFS | WORKER_TAKES_TMPFS,
	};
}

int spapr_space_new(struct spapr_host *host, const struct spapr_space_options *options,
		    struct spapr_space **ret_space, struct spapr_error *ret_error)
{
	static const struct spapr_space_options defaults = {.size = OPTIONS_SIZE};
	struct space_settings settings = {
		.kernel = host->kernel,
		.open_container = open_container,
		.locked_limit = host->kernel->locked_limit,
	};
	struct spapr_space *space;
	struct space_policy policy;
	struct error error;
	int r;

	options = options ? options : &defaults;
	r = check_options(options, &error);
	if (r) {
		return spapr_finish(r, &error, ret_error);
	}
	if (options->locked_limit != 0) {
		settings.locked_limit = options->locked_limit;
	}
	space = calloc(1, sizeof(*space));
	if (!space || space_new(&settings, &space->space) < 0) {
		free(space);
		return spapr_finish(
			error_set(&error, ERROR_KERNEL, ENOMEM, "no memory for an address space"),
			&error, ret_error);
	}
	policy = policy_of(options);
	space_set_policy(space->space, &policy);
	space->host = host;
	space->process = getpid();
	space->link = KVM_LINK_NULL;
	space->swaps = options->default_window == SPAPR_DEFAULT_WINDOW_SWAP;
	*ret_space = space;
	return 0;
}

/* Whether the engine has it open. */
static bool is_open(const struct spapr_device *handle)
{
	const struct group *group = spapr_find_group(handle->space, handle->group, NULL);
	const struct device *device = group ? group->devices : NULL;

	while (device && device != handle->device) {
		device = device->next;
	}
	return device != NULL;
}

void spapr_forget_devices(struct spapr_space *space, bool all)
{
	struct spapr_device **link = &space->devices;

	while (*link) {
		struct spapr_device *device = *link;

		if (!all && is_open(device)) {
			link = &device->next;
			continue;
		}
		*link = device->next;
		free(device);
	}
}

static void close_space(struct spapr_space *space)
{
	spapr_kvm_leave(space);
	space_close(space->space);
	spapr_forget_devices(space, true);
}

/* What an earlier close has kept. One that is stopped doesn't count any more, so that the next one
 * has its number. */
static void try_again(struct space *space)
{
	const struct group *kept;
	unsigned int index = 0;

	while ((kept = space_next_kept(space, &index))) {
		index -= space_stop_again(space, kept->number, false, NULL) == 0;
	}
	space_let_stopped_go(space);
}

int spapr_space_close(struct spapr_space *space, struct spapr_error *ret_error)
{
	const struct group *kept;
	unsigned int index = 0;
	struct error error;

	if (space->process != getpid()) {
		return spapr_finish(error_set(&error, ERROR_ACCESS_DENIED, 0,
					      "the address space belongs to another process (%d), "
					      "which has its devices",
					      (int)space->process),
				    &error, ret_error);
	}
	if (space->keeps) {
		try_again(space->space);
	}
	close_space(space);
	kept = space_next_kept(space->space, &index);
	space->keeps = kept != NULL;
	return kept ? spapr_finish(error_set(&error, ERROR_QUARANTINED, 0,
					     "group %" PRIu32 ", device %s: %s", kept->number,
					     kept->obstacle.device, kept->obstacle.why),
				   &error, ret_error)
		    : 0;
}

struct spapr_space *spapr_space_free(struct spapr_space *space)
{
	/* A child that ends has the parent's fds: it could stop and reset the devices by them. */
	if (space && space->process == getpid()) {
		close_space(space);
		(void)space_free(space->space);
		free(space);
	}
	return NULL;
}

uint64_t spapr_locked_bytes(const struct spapr_space *space)
{
	struct space_locked locked = space_locked(space->space);

	return locked.pins + locked.tables + locked.leaks;
}

/* What takes long is done here and now. */
static int carry_out(struct space_change *change, struct space_outcome *ret_outcome,
		     struct error *error)
{
	do {
		space_change_work(change);
	} while (space_change_advance(change));
	return space_change_finish(change, ret_outcome, error);
}

/* groups */

struct group *spapr_find_group(const struct spapr_space *space, uint32_t group,
			       struct container **ret_container)
{
	unsigned int index = 0;
	struct container *container = space_find_group(space->space, group, &index);

	if (!container) {
		return NULL;
	}
	if (ret_container) {
		*ret_container = container;
	}
	return &container->groups[container_group_index(container, group)];
}

int spapr_list_groups(const struct spapr_space *space, struct kvm_group **ret_groups,
		      unsigned int *ret_count, struct error *error)
{
	const struct container *container;
	struct kvm_group *groups;
	unsigned int count = 0;

	for (unsigned int i = 0; (container = space_container(space->space, i)); i++) {
		count += container->group_count;
	}
	groups = calloc(count ? count : 1, sizeof(*groups));
	if (!groups) {
		return error_set(error, ERROR_KERNEL, ENOMEM, "no memory for a list of groups");
	}
	count = 0;
	for (unsigned int i = 0; (container = space_container(space->space, i)); i++) {
		for (unsigned int j = 0; j < container->group_count; j++) {
			groups[count++] = (struct kvm_group){
				.number = container->groups[j].number,
				.fd = container->groups[j].fd,
			};
		}
	}
	*ret_groups = groups;
	*ret_count = count;
	return 0;
}

static int open_node(struct kernel *kernel, const char *path, int *ret_fd, struct error *error)
{
	int fd = kernel_open_node(kernel, path);

	if (fd >= 0) {
		*ret_fd = fd;
		return 0;
	}
	switch (-fd) {
	case ENOENT:
	case ENODEV:
	case ENXIO:
		return error_set(error, ERROR_NOT_FOUND, -fd,
				 "there is no %s; bind all devices of the group to vfio-pci", path);
	case EBUSY:
		return error_set(error, ERROR_GROUP_BUSY, -fd,
				 "%s is open elsewhere; close it there first", path);
	case EACCES:
	case EPERM:
		return error_set(error, ERROR_ACCESS_DENIED, -fd,
				 "%s may not be opened here; change its owner or its mode", path);
	default:
		return error_set(error, ERROR_KERNEL, -fd, "%s can't be opened", path);
	}
}

static int attach(struct spapr_space *space, struct space_attach *request, struct error *error)
{
	struct space_outcome outcome;
	struct space_change *change = NULL;
	int r;

	request->container_id = ++space->last_container;
	r = space_attach_begin(space->space, request, &change, error);
	return r ? r : carry_out(change, &outcome, error);
}

static int detach(struct spapr_space *space, uint32_t group, struct error *error)
{
	struct space_outcome outcome;
	struct space_change *change = NULL;
	int r = space_detach_begin(space->space, group, &change, error);

	return r ? r : carry_out(change, &outcome, error);
}

/* With KVM, too; or not at all. */
static int attach_all(struct spapr_space *space, struct space_attach *request, struct error *error)
{
	int r = attach(space, request, error);

	if (r) {
		return r;
	}
	r = spapr_kvm_add_group(space, request->group, error);
	if (r) {
		(void)detach(space, request->group, NULL);
	}
	return r;
}

static int check_flags(uint32_t flags, struct error *error)
{
	return flags & ~SPAPR_ATTACH_SHARE
		       ? error_set(error, ERROR_INVALID_ARGUMENT, 0,
				   "flags 0x%" PRIx32 " of an attach; there is 1 (share)", flags)
		       : 0;
}

int spapr_group_attach_fds(struct spapr_space *space, uint32_t group, int group_fd,
			   int container_fd, uint32_t flags, struct spapr_error *ret_error)
{
	struct kernel *kernel = space->host->kernel;
	struct space_attach request = {
		.container_fd = container_fd,
		.group_fd = group_fd,
		.group = group,
		.share = (flags & SPAPR_ATTACH_SHARE) != 0,
	};
	struct error error;
	int r = check_flags(flags, &error);

	if (r == 0 && container_fd < 0) {
		r = open_node(kernel, NODE_CONTAINER, &request.container_fd, &error);
	}
	if (r) {
		(void)kernel_close(kernel, request.container_fd);
		(void)kernel_close(kernel, request.group_fd);
	} else {
		r = attach_all(space, &request, &error);
	}
	return spapr_finish(r, &error, ret_error);
}

int spapr_group_attach(struct spapr_space *space, uint32_t group, uint32_t flags,
		       struct spapr_error *ret_error)
{
	struct error error;
	char path[32];
	int fd = -1;
	int r = 0;

	if (spapr_find_group(space, group, NULL)) {
		r = error_set(&error, ERROR_GROUP_BUSY, 0,
			      "group %" PRIu32 " is attached here already", group);
	}
	(void)snprintf(path, sizeof(path), NODE_GROUP_PREFIX "%" PRIu32, group);
	if (r == 0) {
		r = open_node(space->host->kernel, path, &fd, &error);
	}
	return r ? spapr_finish(r, &error, ret_error)
		 : spapr_group_attach_fds(space, group, fd, -1, flags, ret_error);
}

static int not_attached(uint32_t group, struct error *error)
{
	return error_set(error, ERROR_NOT_FOUND, 0,
			 "group %" PRIu32 " is not attached to this address space", group);
}

int spapr_group_detach(struct spapr_space *space, uint32_t group, struct spapr_error *ret_error)
{
	struct error error;
	int r = spapr_find_group(space, group, NULL) ? spapr_kvm_remove_group(space, group, &error)
						     : not_attached(group, &error);

	if (r) {
		return spapr_finish(r, &error, ret_error);
	}
	r = detach(space, group, &error);
	/* Where it stays after all, its devices may be closed nevertheless. */
	spapr_forget_devices(space, false);
	if (spapr_find_group(space, group, NULL)) {
		(void)spapr_kvm_add_group(space, group, NULL);
	}
	if (!space_container(space->space, 0)) {
		spapr_kvm_forget_tables(space);
	}
	return spapr_finish(r, &error, ret_error);
}

int spapr_group_container(const struct spapr_space *space, uint32_t group,
			  struct spapr_container *ret_container, struct spapr_error *ret_error)
{
	const struct container_capabilities *capabilities;
	struct container *container = NULL;
	struct error error;

	if (!spapr_find_group(space, group, &container) || !container) {
		return spapr_finish(not_attached(group, &error), &error, ret_error);
	}
	capabilities = &container->capabilities;
	*ret_container = (struct spapr_container){
		.page_sizes = capabilities->page_sizes,
		.max_windows = capabilities->max_windows,
		.max_levels = capabilities->max_levels,
		.groups = container->group_count,
		.has_eeh = capabilities->eeh,
	};
	(void)snprintf(ret_container->iommu_type, sizeof(ret_container->iommu_type), "%s",
		       capabilities->iommu_type);
	return 0;
}

/* memory */

int spapr_memory_add(struct spapr_space *space, int fd, uint64_t offset, uint64_t gpa,
		     uint64_t size, uint32_t flags, uint32_t *ret_id, struct spapr_error *ret_error)
{
	struct section_request request = {
		.offset = offset,
		.gpa = gpa,
		.size = size,
		.flags = flags,
	};
	struct space_change *change = NULL;
	struct space_outcome outcome;
	struct error error;
	int r = space_memory_add_begin(space->space, fd, &request, &change, &error);

	if (r == 0) {
		r = carry_out(change, &outcome, &error);
	}
	if (r == 0 && ret_id) {
		*ret_id = outcome.section->id;
	}
	return spapr_finish(r, &error, ret_error);
}

int spapr_memory_remove(struct spapr_space *space, uint32_t id, struct spapr_error *ret_error)
{
	struct space_change *change = NULL;
	struct space_outcome outcome;
	struct error error;
	int r = space_memory_remove_begin(space->space, id, &change, &error);

	if (r == 0) {
		r = carry_out(change, &outcome, &error);
	}
	return spapr_finish(r, &error, ret_error);
}
