/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ask.h"

#include <fcntl.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* The header has these for powerpc only. */
struct create_spapr_tce_64 {
	uint64_t liobn;
	uint32_t page_shift;
	uint32_t flags;
	uint64_t offset;
	uint64_t size;
};
#define CREATE_SPAPR_TCE_64 _IOW(KVMIO, 0xa8, struct create_spapr_tce_64)

/* What is made takes the place of what was made before. */
static void answer_made(struct answer *answer, int *fd, int made)
{
	answer_call(answer, made < 0 ? -1 : 0);
	if (made >= 0 && *fd >= 0) {
		(void)close(*fd);
	}
	*fd = made >= 0 ? made : *fd;
}

static void close_kept(int *fd, struct answer *answer)
{
	answer_call(answer, close(*fd));
	*fd = -1;
}

static void ask_open(struct scene *scene, const struct arguments *with, struct answer *answer)
{
	(void)with;
	answer_made(answer, &scene->kvm, open("/dev/kvm", O_RDWR | O_CLOEXEC));
}

static void ask_close(struct scene *scene, const struct arguments *with, struct answer *answer)
{
	(void)with;
	close_kept(&scene->kvm, answer);
}

static void ask_version(struct scene *scene, const struct arguments *with, struct answer *answer)
{
	(void)with;
	answer_call(answer, ioctl(scene->kvm, KVM_GET_API_VERSION, 0));
}

static void ask_extension(struct scene *scene, const struct arguments *with, struct answer *answer)
{
	answer_call(answer, ioctl(with->container == SECOND ? scene->vm : scene->kvm,
				  KVM_CHECK_EXTENSION, with->number));
}

static void ask_make_vm(struct scene *scene, const struct arguments *with, struct answer *answer)
{
	answer_made(answer, &scene->vm, ioctl(scene->kvm, KVM_CREATE_VM, with->number));
}

static void ask_close_vm(struct scene *scene, const struct arguments *with, struct answer *answer)
{
	(void)with;
	close_kept(&scene->vm, answer);
}

static void ask_make_device(struct scene *scene, const struct arguments *with,
			    struct answer *answer)
{
	struct kvm_create_device create = {
		.type = (uint32_t)with->number,
		.fd = UINT32_MAX,
		.flags = with->flags,
	};
	int made = ioctl(scene->vm, KVM_CREATE_DEVICE, &create);

	answer_made(answer, &scene->vfio_device, made == 0 ? (int)create.fd : made);
	if (made == 0 && (with->flags & KVM_CREATE_DEVICE_TEST)) {
		scene->vfio_device = -1;
	}
}

static void ask_close_device(struct scene *scene, const struct arguments *with,
			     struct answer *answer)
{
	(void)with;
	close_kept(&scene->vfio_device, answer);
}

static void ask_make_table(struct scene *scene, const struct arguments *with, struct answer *answer)
{
	struct create_spapr_tce_64 create = {
		.liobn = with->iova,
		.page_shift = with->page_shift,
		.flags = with->flags,
		.offset = with->offset,
		.size = with->size,
	};

	answer_made(answer, &scene->tce_table, ioctl(scene->vm, CREATE_SPAPR_TCE_64, &create));
}

static void ask_close_table(struct scene *scene, const struct arguments *with,
			    struct answer *answer)
{
	(void)with;
	close_kept(&scene->tce_table, answer);
}

/* The container given stands for the group where it is not a container. */
static int group_of(const struct scene *scene, const struct arguments *with, int *ret_opened)
{
	return with->container == FIRST ? scene->group[with->group]
					: pick_fd(scene, with, ret_opened);
}

static void ask_attribute(struct scene *scene, const struct arguments *with, struct answer *answer)
{
	static const unsigned long requests[] = {KVM_SET_DEVICE_ATTR, KVM_GET_DEVICE_ATTR,
						 KVM_HAS_DEVICE_ATTR};
	int opened = -1;
	struct {
		int32_t group;
		int32_t table;
	} value = {group_of(scene, with, &opened), scene->tce_table};
	struct kvm_device_attr attribute = {
		.flags = with->flags,
		.group = with->index,
		.attr = with->count,
		.addr = with->start ? with->start : (uintptr_t)&value,
	};

	answer_call(answer, ioctl(scene->vfio_device, requests[with->number % 3], &attribute));
	if (opened >= 0) {
		(void)close(opened);
	}
}

ask_function *const ask_of_kvm[ASKS] = {
	[OPEN_KVM] = ask_open,
	[CLOSE_KVM] = ask_close,
	[KVM_VERSION] = ask_version,
	[KVM_EXTENSION] = ask_extension,
	[MAKE_VM] = ask_make_vm,
	[CLOSE_VM] = ask_close_vm,
	[MAKE_VFIO_DEVICE] = ask_make_device,
	[CLOSE_VFIO_DEVICE] = ask_close_device,
	[MAKE_TCE_TABLE] = ask_make_table,
	[CLOSE_TCE_TABLE] = ask_close_table,
	[VFIO_DEVICE_ATTRIBUTE] = ask_attribute,
};
