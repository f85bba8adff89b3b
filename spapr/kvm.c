/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "spapr/kvm.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/kvm.h>
#include <stdlib.h>

#include "common/trace.h"
#include "vfio/refusal.h"

#define NONE (-1)

struct kvm_device {
	struct kernel *kernel;
	int vm_fd;
	int fd; /* of the VFIO device, NONE until it is made */
};

/* From another process, be it one that inherited the fds. */
#define FOREIGN                                                                               \
	{                                                                                     \
		EIO, ERROR_ACCESS_DENIED,                                                     \
			"the VM belongs to another process: KVM serves only the one that "    \
			"made it, and a child that has its fds is another one (or the VM is " \
			"being destroyed)"                                                    \
	}
#define NO_VFIO_DEVICE "this is not the fd of a VM's VFIO device"

/* kvm_vm_ioctl, kvm_ioctl_create_device */
static const struct refusal probe_refusals[] = {
	FOREIGN,
	{EBADF, ERROR_INVALID_ARGUMENT, "this is not the fd of a VM"},
	{ENOTTY, ERROR_INVALID_ARGUMENT, "this is not the fd of a VM, or its KVM has no devices"},
	{EINVAL, ERROR_INVALID_ARGUMENT, "this is not the fd of a VM"},
	{ENODEV, ERROR_UNSUPPORTED, "this KVM was built without VFIO (CONFIG_KVM_VFIO)"},
	{0, ERROR_NONE, NULL},
};

/* kvm_vfio_create */
static const struct refusal create_refusals[] = {
	FOREIGN,
	{EBUSY, ERROR_BUSY,
	 "the VM has a VFIO device already, and there is one for each VM: use that one's fd"},
	{ENODEV, ERROR_UNSUPPORTED, "this KVM was built without VFIO (CONFIG_KVM_VFIO)"},
	{EMFILE, ERROR_QUOTA_EXCEEDED, "this process has too many open files (RLIMIT_NOFILE)"},
	{0, ERROR_NONE, NULL},
};

/* kvm_vfio_file_add */
static const struct refusal add_refusals[] = {
	FOREIGN,
	{EEXIST, ERROR_BUSY, "KVM has the group already; it is to be added once"},
	{EINVAL, ERROR_INVALID_ARGUMENT, "the fd is not that of a VFIO group"},
	{EBADF, ERROR_INVALID_ARGUMENT, "the fd is not that of a VFIO group"},
	{0, ERROR_NONE, NULL},
};

/* kvm_vfio_file_del; ENOENT is no failure */
static const struct refusal remove_refusals[] = {
	FOREIGN,
	{0, ERROR_NONE, NULL},
};

/* kvm_vfio_file_set_spapr_tce, kvm_spapr_tce_attach_iommu_group. EIO is also that of a group whose
 * devices are gone. */
static const struct refusal tie_refusals[] = {
	{EIO, ERROR_ACCESS_DENIED,
	 "the VM belongs to another process: KVM serves only the one that made it; or the group's "
	 "devices are gone"},
	{EPERM, ERROR_ACCESS_DENIED, "the container belongs to another process"},
	{ENOENT, ERROR_NOT_FOUND, "the group is not in the VM's VFIO device"},
	{ENXIO, ERROR_UNSUPPORTED, "this KVM has no TCE tables for VFIO: it is not one of POWER"},
	{EBADF, ERROR_INVALID_ARGUMENT, "the table's fd is not open"},
	{EINVAL, ERROR_INVALID_ARGUMENT,
	 "the fd is not a TCE table of this VM, or none of the group's windows starts where the "
	 "table does with pages that are no larger and a size that is no smaller"},
	{ENOTTY, ERROR_BUSY, "KVM is just letting go of that window; try again"},
	{0, ERROR_NONE, NULL},
};

/* the VFIO device */

static int duplicate(int fd)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);

	return copy < 0 ? -errno : copy;
}

static int create_vfio_device(const struct kvm_device *device, uint32_t flags, int *ret_fd)
{
	struct kvm_create_device create = {
		.type = KVM_DEV_TYPE_VFIO,
		.fd = UINT32_MAX,
		.flags = flags,
	};
	int r = kernel_ioctl(device->kernel, device->vm_fd, KVM_CREATE_DEVICE, &create);

	if (r == 0) {
		*ret_fd = (int)create.fd;
	}
	return r;
}

/* Nothing is made by a test; and from another process that fails as everything will. */
static int probe(const struct kvm_device *device, struct error *error)
{
	struct kvm_device_attr attribute = {
		.group = KVM_DEV_VFIO_GROUP,
		.attr = KVM_DEV_VFIO_GROUP_ADD,
	};
	int none = NONE;
	int r = create_vfio_device(device, KVM_CREATE_DEVICE_TEST, &none);

	if (r != 0) {
		return refusal_set(error, probe_refusals, r, "use the VM of fd %d", device->vm_fd);
	}
	if (device->fd == NONE) {
		return 0;
	}
	r = kernel_ioctl(device->kernel, device->fd, KVM_HAS_DEVICE_ATTR, &attribute);
	if (r == -EIO) {
		return refusal_set(error, probe_refusals, r, "use the VM's VFIO device");
	}
	return r == 0 ? 0
		      : error_set(error, ERROR_INVALID_ARGUMENT, r < 0 ? -r : 0, NO_VFIO_DEVICE);
}

static int take_copies(struct kvm_device *device, int vm_fd, int device_fd, struct error *error)
{
	int copy = duplicate(vm_fd);

	if (copy < 0) {
		return error_set(error, ERROR_INVALID_ARGUMENT, -copy,
				 "fd %d of a VM can't be used", vm_fd);
	}
	device->vm_fd = copy;
	if (device_fd < 0) {
		return 0;
	}
	copy = duplicate(device_fd);
	if (copy < 0) {
		return error_set(error, ERROR_INVALID_ARGUMENT, -copy,
				 "fd %d of a VM's VFIO device can't be used", device_fd);
	}
	device->fd = copy;
	return 0;
}

int kvm_device_new(struct kernel *kernel, int vm_fd, int device_fd, struct kvm_device **ret_device,
		   struct error *error)
{
	struct kvm_device *device = malloc(sizeof(*device));
	int r;

	if (!device) {
		return error_set(error, ERROR_KERNEL, ENOMEM, "no memory for a VM");
	}
	*device = (struct kvm_device){.kernel = kernel, .vm_fd = NONE, .fd = NONE};
	r = take_copies(device, vm_fd, device_fd, error);
	if (r == 0) {
		r = probe(device, error);
	}
	if (r) {
		(void)kvm_device_free(device);
		return r;
	}
	*ret_device = device;
	return 0;
}

struct kvm_device *kvm_device_free(struct kvm_device *device)
{
	if (device) {
		device->fd = kernel_close(device->kernel, device->fd);
		device->vm_fd = kernel_close(device->kernel, device->vm_fd);
		free(device);
	}
	return NULL;
}

bool kvm_device_is_made(const struct kvm_device *device)
{
	return device->fd != NONE;
}

static int make_vfio_device(struct kvm_device *device, struct error *error)
{
	int r;

	if (kvm_device_is_made(device)) {
		return 0;
	}
	r = create_vfio_device(device, 0, &device->fd);
	return r == 0 ? 0
		      : refusal_set(error, create_refusals, r, "make the VFIO device of the VM");
}

/* KVM_DEV_VFIO_FILE_ADD and _DEL of newer kernels are these by number. */
static int set_attribute(const struct kvm_device *device, uint64_t attribute, const void *value)
{
	struct kvm_device_attr request = {
		.group = KVM_DEV_VFIO_GROUP,
		.attr = attribute,
		.addr = (uintptr_t)value,
	};

	return kernel_ioctl(device->kernel, device->fd, KVM_SET_DEVICE_ATTR, &request);
}

static int add_group(struct kvm_device *device, const struct kvm_group *group, struct error *error)
{
	int32_t fd = group->fd;
	int r = make_vfio_device(device, error);

	if (r) {
		return r;
	}
	r = set_attribute(device, KVM_DEV_VFIO_GROUP_ADD, &fd);
	trace_kvm_group_add(group->fd, r);
	return r == 0 ? 0
		      : refusal_set(error, add_refusals, r, "add group %" PRIu32 " to KVM",
				    group->number);
}

static int remove_group(const struct kvm_device *device, const struct kvm_group *group,
			struct error *error)
{
	int32_t fd = group->fd;
	int r = kvm_device_is_made(device) ? set_attribute(device, KVM_DEV_VFIO_GROUP_DEL, &fd) : 0;

	trace_kvm_group_remove(group->fd, r);
	return r == 0 || r == -ENOENT
		       ? 0
		       : refusal_set(error, remove_refusals, r, "take group %" PRIu32 " from KVM",
				     group->number);
}

static int tie(const struct kvm_device *device, const struct kvm_group *group, uint64_t start,
	       int table_fd, struct error *error)
{
	struct kvm_vfio_spapr_tce value = {.groupfd = group->fd, .tablefd = table_fd};
	int r = set_attribute(device, KVM_DEV_VFIO_GROUP_SET_SPAPR_TCE, &value);

	trace_kvm_group_attach(group->fd, table_fd, r);
	return r == 0 ? 0
		      : refusal_set(error, tie_refusals, r,
				    "tie the guest's TCE table of fd %d to the window at 0x%" PRIx64
				    " of group %" PRIu32,
				    table_fd, start, group->number);
}

/* groups of a link */

int kvm_link_add_group(struct kvm_link *link, const struct kvm_group *group, struct error *error)
{
	int r = add_group(link->device, group, error);

	if (r) {
		return r;
	}
	for (unsigned int i = 0; r == 0 && i < link->table_count; i++) {
		r = tie(link->device, group, link->tables[i].start, link->tables[i].fd, error);
	}
	if (r) {
		(void)remove_group(link->device, group, NULL);
	}
	return r;
}

int kvm_link_remove_group(struct kvm_link *link, const struct kvm_group *group, struct error *error)
{
	return remove_group(link->device, group, error);
}

/* All leave and come back: what KVM had with them is gone but for the tables of the link. The first
 * failure, after all have been tried. */
static int renew_groups(struct kvm_link *link, const struct kvm_group *groups, unsigned int count,
			struct error *error)
{
	int code = 0;

	for (unsigned int i = 0; i < count; i++) {
		int r = remove_group(link->device, &groups[i], code ? NULL : error);

		if (r == 0) {
			r = kvm_link_add_group(link, &groups[i], code ? NULL : error);
		}
		code = code ? code : r;
	}
	return code;
}

/* tables of a link */

int kvm_table_check(const struct kvm_table *table, const struct window *window, struct error *error)
{
	if (table->page_shift == 0) {
		return 0;
	}
	if (window->page_shift > table->page_shift) {
		return error_set(
			error, ERROR_INVALID_ARGUMENT, 0,
			"the window %s has pages of 2^%" PRIu32
			" bytes, and the guest's TCE table of 2^%" PRIu32
			": KVM wants the window's no larger; make the table with page shift "
			"%" PRIu32 ", or the window with smaller pages",
			range_format(window->range).text, window->page_shift, table->page_shift,
			window->page_shift);
	}
	if (window->range.start != table->range.start) {
		return error_set(error, ERROR_INVALID_ARGUMENT, 0,
				 "the window %s does not start where the guest's TCE table %s "
				 "does; make the table with offset 0x%" PRIx64,
				 range_format(window->range).text, range_format(table->range).text,
				 window->range.start >> table->page_shift);
	}
	if (window->range.size < table->range.size) {
		return error_set(error, ERROR_INVALID_ARGUMENT, 0,
				 "the window %s is smaller than the guest's TCE table %s; make the "
				 "table with at most 0x%" PRIx64 " entries",
				 range_format(window->range).text, range_format(table->range).text,
				 window->range.size >> table->page_shift);
	}
	return 0;
}

static unsigned int find_table(const struct kvm_link *link, uint64_t start)
{
	unsigned int index = 0;

	while (index < link->table_count && link->tables[index].start != start) {
		index++;
	}
	return index;
}

bool kvm_link_has_table(const struct kvm_link *link, uint64_t start)
{
	return find_table(link, start) < link->table_count;
}

static void drop_table(struct kvm_link *link, unsigned int index)
{
	(void)kernel_close(link->device->kernel, link->tables[index].fd);
	link->table_count--;
	for (; index < link->table_count; index++) {
		link->tables[index] = link->tables[index + 1];
	}
}

/* The first groups have a table that not all could be given; it is not one of the link's. */
static void untie_first(struct kvm_link *link, const struct kvm_group *groups, unsigned int count,
			struct error *error)
{
	struct error failed;

	if (count == 0) {
		return;
	}
	if (link->table_count > 0) {
		if (error) {
			error_append(error, "; other groups have it now, until it is closed: do "
					    "that");
		}
		return;
	}
	if (renew_groups(link, groups, count, &failed) != 0 && error) {
		error_append(error, "; and not all could be put back: %s", failed.text);
	}
}

int kvm_link_set_table(struct kvm_link *link, const struct window *window,
		       const struct kvm_table *table, const struct kvm_group *groups,
		       unsigned int count, struct error *error)
{
	int r = kvm_table_check(table, window, error);
	int copy;

	if (r) {
		return r;
	}
	if (kvm_link_has_table(link, window->range.start)) {
		return error_set(error, ERROR_BUSY, 0, "the window %s has a guest's TCE table",
				 range_format(window->range).text);
	}
	if (link->table_count == WORKER_WINDOWS_MAX) {
		return error_set(error, ERROR_QUOTA_EXCEEDED, 0,
				 "at most %d windows have guests' TCE tables", WORKER_WINDOWS_MAX);
	}
	copy = duplicate(table->fd);
	if (copy < 0) {
		return error_set(error, ERROR_INVALID_ARGUMENT, -copy,
				 "fd %d of a guest's TCE table can't be used", table->fd);
	}
	for (unsigned int i = 0; r == 0 && i < count; i++) {
		r = tie(link->device, &groups[i], window->range.start, copy, error);
		if (r) {
			untie_first(link, groups, i, error);
		}
	}
	if (r) {
		(void)kernel_close(link->device->kernel, copy);
		return r;
	}
	link->tables[link->table_count++] =
		(struct kvm_tied_table){.start = window->range.start, .fd = copy};
	return 0;
}

int kvm_link_clear_table(struct kvm_link *link, uint64_t start, const struct kvm_group *groups,
			 unsigned int count, struct error *error)
{
	unsigned int index = find_table(link, start);

	if (index == link->table_count) {
		return 0;
	}
	drop_table(link, index);
	return link->table_count > 0 ? 0 : renew_groups(link, groups, count, error);
}

void kvm_link_done(struct kvm_link *link)
{
	while (link->table_count > 0) {
		drop_table(link, link->table_count - 1);
	}
	*link = KVM_LINK_NULL;
}
