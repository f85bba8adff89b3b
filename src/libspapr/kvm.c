/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* KVM, and what a space has with it. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>

#include "common/cleanup.h"
#include "libspapr/handles.h"
#include "vfio/space_private.h"

int spapr_kvm_new(struct spapr_host *host, int vm_fd, int device_fd, struct spapr_kvm **ret_kvm,
		  struct spapr_error *ret_error)
{
	struct spapr_kvm *kvm = calloc(1, sizeof(*kvm));
	struct error error;
	int r;

	if (!kvm) {
		return spapr_finish(error_set(&error, ERROR_KERNEL, ENOMEM, "no memory for a VM"),
				    &error, ret_error);
	}
	kvm->host = host;
	r = kvm_device_new(host->kernel, vm_fd, device_fd, &kvm->device, &error);
	if (r) {
		free(kvm);
		return spapr_finish(r, &error, ret_error);
	}
	*ret_kvm = kvm;
	return 0;
}

struct spapr_kvm *spapr_kvm_free(struct spapr_kvm *kvm)
{
	if (kvm) {
		(void)kvm_device_free(kvm->device);
		free(kvm);
	}
	return NULL;
}

/* groups */

static struct kvm_group kvm_group_of(const struct spapr_space *space, uint32_t number)
{
	const struct group *group = spapr_find_group(space, number, NULL);

	return (struct kvm_group){.number = number, .fd = group ? group->fd : -1};
}

/* KVM takes groups of another process's container, and ties tables to them, which would be of no
 * use: only the container tells (tce_iommu_mm_set). */
static int check_container(const struct container *container, struct error *error)
{
	struct error failed;

	if (container_verify(container, &failed) == 0 || failed.errnum != EPERM) {
		return 0;
	}
	return error_set(error, ERROR_ACCESS_DENIED, EPERM,
			 "container %" PRIu32
			 " (%s) belongs to another process: the one that first "
			 "added memory or windows; KVM is of use in that one only",
			 container->id, container_groups_format(container).text);
}

/* A default window has no table before something was mapped (tce_iommu_create_default_window), and
 * to none KVM ties nothing. */
static int settle(struct spapr_space *space, struct container *container, struct error *error)
{
	int r = space_check_locked(space->space, container_pending_bytes(container), error);

	return r ? r : container_settle(container, error);
}

int spapr_kvm_add_group(struct spapr_space *space, uint32_t group, struct error *error)
{
	struct kvm_group added = kvm_group_of(space, group);
	struct container *container = NULL;
	int r = 0;

	if (!space->kvm) {
		return 0;
	}
	if (space->link.table_count > 0 && spapr_find_group(space, group, &container)) {
		r = settle(space, container, error);
	}
	return r ? r : kvm_link_add_group(&space->link, &added, error);
}

int spapr_kvm_remove_group(struct spapr_space *space, uint32_t group, struct error *error)
{
	struct kvm_group removed = kvm_group_of(space, group);

	return space->kvm ? kvm_link_remove_group(&space->link, &removed, error) : 0;
}

/* As many as can be; failures are for those who see KVM's end. */
static void remove_groups(struct spapr_space *space, const struct kvm_group *groups,
			  unsigned int count)
{
	while (count > 0) {
		(void)kvm_link_remove_group(&space->link, &groups[--count], NULL);
	}
}

static int check_containers(const struct spapr_space *space, struct error *error)
{
	const struct container *container;
	int r = 0;

	for (unsigned int i = 0; r == 0 && (container = space_container(space->space, i)); i++) {
		r = check_container(container, error);
	}
	return r;
}

static int add_groups(struct spapr_space *space, struct error *error)
{
	cleanup(cleanup_free) struct kvm_group *groups = NULL;
	unsigned int count = 0;
	int r = spapr_list_groups(space, &groups, &count, error);

	for (unsigned int i = 0; r == 0 && i < count; i++) {
		r = kvm_link_add_group(&space->link, &groups[i], error);
		if (r) {
			remove_groups(space, groups, i);
		}
	}
	return r;
}

int spapr_space_use_kvm(struct spapr_space *space, struct spapr_kvm *kvm,
			struct spapr_error *ret_error)
{
	struct error error;
	int r;

	if (space->kvm) {
		return spapr_finish(error_set(&error, ERROR_BUSY, 0,
					      "the address space has a VM, and keeps it"),
				    &error, ret_error);
	}
	space->link.device = kvm->device;
	r = check_containers(space, &error);
	if (r == 0) {
		r = add_groups(space, &error);
	}
	if (r) {
		space->link = KVM_LINK_NULL;
	} else {
		space->kvm = kvm;
	}
	return spapr_finish(r, &error, ret_error);
}

void spapr_kvm_forget_tables(struct spapr_space *space)
{
	struct kvm_device *device = space->link.device;

	kvm_link_done(&space->link);
	space->link.device = device;
}

void spapr_kvm_leave(struct spapr_space *space)
{
	cleanup(cleanup_free) struct kvm_group *groups = NULL;
	unsigned int count = 0;

	if (!space->kvm) {
		return;
	}
	/* Without a list the groups go when their last fd does, the VFIO device's included. */
	if (spapr_list_groups(space, &groups, &count, NULL) == 0) {
		remove_groups(space, groups, count);
	}
	kvm_link_done(&space->link);
	space->kvm = NULL;
}

/* tables */

static const struct window *find_window(const struct spapr_space *space, uint64_t start)
{
	const struct window *window;

	for (unsigned int i = 0; (window = space_window(space->space, i)); i++) {
		if (window->range.start == start) {
			return window;
		}
	}
	return NULL;
}

/* The kernel refuses a table whose offset and size, in pages, don't fit 64 bits. */
static int describe_table(const struct spapr_kvm_table *wanted, struct kvm_table *ret_table,
			  struct error *error)
{
	uint32_t shift = wanted->page_shift;

	if (shift > 34 || (shift && (wanted->size == 0 || wanted->size > UINT64_MAX >> shift ||
				     wanted->offset > UINT64_MAX >> shift))) {
		return error_set(error, ERROR_INVALID_ARGUMENT, 0,
				 "there is no TCE table with page shift %" PRIu32
				 ", offset 0x%" PRIx64 " and 0x%" PRIx64 " entries",
				 shift, wanted->offset, wanted->size);
	}
	*ret_table = (struct kvm_table){
		.fd = wanted->fd,
		.range = {wanted->offset << shift, wanted->size << shift},
		.page_shift = shift,
	};
	return 0;
}

static int set_table(struct spapr_space *space, uint64_t start, const struct kvm_table *table,
		     struct error *error)
{
	cleanup(cleanup_free) struct kvm_group *groups = NULL;
	const struct window *window = find_window(space, start);
	unsigned int count = 0;
	int r;

	if (!window || !space->kvm) {
		return error_set(
			error, ERROR_NOT_FOUND, 0,
			window ? "the address space has no VM, for the window at 0x%" PRIx64
			       : "no window starts at 0x%" PRIx64,
			start);
	}
	r = check_containers(space, error);
	for (unsigned int i = 0; r == 0 && i < space->space->container_count; i++) {
		r = settle(space, space->space->containers[i], error);
	}
	if (r == 0) {
		r = spapr_list_groups(space, &groups, &count, error);
	}
	return r ? r : kvm_link_set_table(&space->link, window, table, groups, count, error);
}

int spapr_window_set_kvm_table(struct spapr_space *space, uint64_t start,
			       const struct spapr_kvm_table *table, struct spapr_error *ret_error)
{
	struct kvm_table wanted;
	struct error error;
	int r = describe_table(table, &wanted, &error);

	if (r == 0) {
		r = set_table(space, start, &wanted, &error);
	}
	return spapr_finish(r, &error, ret_error);
}

/* windows */

/* Whether the engine is going to refuse it in any case, so that nothing is to be untied. */
static bool is_in_use(const struct spapr_space *space, const struct window *window)
{
	struct mapping mapping;

	return ledger_overlaps(space_ledger(space->space), window->range, &mapping);
}

/* What the only table is tied with again, should the window stay: -1 where other windows have
 * tables, for then a copy would keep KVM from letting go of it. */
static int keep_table(const struct kvm_link *link)
{
	return link->table_count == 1 ? fcntl(link->tables[0].fd, F_DUPFD_CLOEXEC, 0) : -1;
}

static int untie(struct spapr_space *space, uint64_t start, struct error *error)
{
	cleanup(cleanup_free) struct kvm_group *groups = NULL;
	unsigned int count = 0;
	int r = spapr_list_groups(space, &groups, &count, error);

	return r ? r : kvm_link_clear_table(&space->link, start, groups, count, error);
}

int spapr_kvm_remove_window(struct spapr_space *space, uint64_t start, struct error *error)
{
	const struct window *window = find_window(space, start);
	struct kvm_table table = {.page_shift = 0};
	int r;

	if (!window || !space->kvm || !kvm_link_has_table(&space->link, start) ||
	    is_in_use(space, window)) {
		return space_window_remove(space->space, start, error);
	}
	table.fd = keep_table(&space->link);
	r = untie(space, start, error);
	if (r == 0) {
		r = space_window_remove(space->space, start, error);
		if (r && table.fd >= 0) {
			(void)set_table(space, start, &table, NULL);
		}
	}
	(void)kernel_close(space->host->kernel, table.fd);
	return r;
}

int spapr_kvm_check_replace(const struct spapr_space *space, struct error *error)
{
	const struct window *window;

	for (unsigned int i = 0; space->kvm && (window = space_window(space->space, i)); i++) {
		if (window->by_default && kvm_link_has_table(&space->link, window->range.start)) {
			return error_set(error, ERROR_BUSY, 0,
					 "the default window %s has a guest's TCE table; remove "
					 "the window first",
					 range_format(window->range).text);
		}
	}
	return 0;
}
