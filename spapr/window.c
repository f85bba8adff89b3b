/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "spapr/window.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/vfio.h>

#include "common/trace.h"
#include "vfio/refusal.h"

/* tce_iommu_create_window; the plan has excluded what EINVAL says about sizes and levels. */
static const struct refusal create_refusals[] = {
	{ENOMEM, ERROR_TABLE_MEMORY,
	 "free memory, use larger IOMMU pages or raise the worker's locked-memory limit "
	 "(RLIMIT_MEMLOCK)"},
	{ENOSPC, ERROR_NO_WINDOW_LEFT, "remove a window first"},
	{ENODEV, ERROR_UNSUPPORTED,
	 "the hypervisor makes no more windows for this PE until the partition is restarted"},
	{EPERM, ERROR_KERNEL,
	 "the hypervisor refuses, or the container belongs to another process"},
	{ENXIO, ERROR_NOT_FOUND, "the group is gone"},
	{EINVAL, ERROR_UNSUPPORTED,
	 "the host takes no such window; on an LPAR, the hypervisor has none that large"},
	{0, ERROR_NONE, NULL},
};

static const struct refusal remove_refusals[] = {
	{EINVAL, ERROR_NOT_FOUND, "the kernel doesn't know the window"},
	{EPERM, ERROR_KERNEL, "the container belongs to another process"},
	{0, ERROR_NONE, NULL},
};

static uint64_t table_bytes(const struct window_set *set, const struct window *window)
{
	return table_locked_bytes(&set->host.rules, window->page_shift, window->range.size,
				  window->levels);
}

uint64_t window_set_locked_bytes(const struct window_set *set)
{
	uint64_t bytes = set->leaked_bytes;

	for (unsigned int i = 0; i < set->count; i++) {
		bytes += table_bytes(set, &set->made[i].window);
	}
	return bytes;
}

uint64_t window_set_pending_bytes(const struct window_set *set)
{
	return set->default_pending ? table_bytes(set, &set->default_window) : 0;
}

static void note_default_window(struct window_set *set)
{
	if (set->default_pending) {
		set->default_pending = false;
		set->made[set->count++] = (struct tce_window){.window = set->default_window};
	}
}

int window_set_settle(struct window_set *set, bool ready, struct error *error)
{
	/* An UNMAP of one page, where nothing is mapped: the mildest call that makes the table. */
	struct vfio_iommu_type1_dma_unmap unmap = {
		.argsz = sizeof(unmap),
		.iova = set->default_window.range.start,
		.size = UINT64_C(1) << set->default_window.page_shift,
	};
	int r;

	if (!set->default_pending || !ready) {
		return 0;
	}
	r = kernel_ioctl(set->kernel, set->fd, VFIO_IOMMU_UNMAP_DMA, &unmap);
	trace_unmap(unmap.iova, unmap.size, r);
	if (r != 0) {
		set->leaked_bytes += r == -ENOMEM ? window_set_pending_bytes(set) : 0;
		return refusal_set(error, create_refusals, r, "make the default window %s",
				   range_format(set->default_window.range).text);
	}
	note_default_window(set);
	return 0;
}

struct tce_window *window_set_find(struct window_set *set, struct range iova)
{
	for (unsigned int i = 0; i < set->count; i++) {
		if (range_contains(set->made[i].window.range, iova)) {
			return &set->made[i];
		}
	}
	return NULL;
}

/*
 * Whether a failed CREATE was charged for, and keeps that. Errors that come before the charge
 * aren't distinguishable; these come after it, since the plan has been checked. An LPAR's EPERM
 * would be spapr_tce_create_table's, as the container is this process's own. What set_window
 * answers, be it the number of a firmware error, comes when the kernel takes the charge back.
 */
static bool keeps_charge(const struct window_set *set, int result)
{
	return result == -ENOMEM || result == -EINVAL || result == -ENODEV ||
	       (result == -EPERM && set->host.rules.hypervisor);
}

static int create_with_levels(struct window_set *set, const struct window_plan *plan,
			      uint32_t levels, struct window *ret_window)
{
	struct vfio_iommu_spapr_tce_create create = {
		.argsz = sizeof(create),
		.page_shift = plan->page_shift,
		.window_size = plan->size,
		.levels = levels,
	};
	int r;

	r = kernel_ioctl(set->kernel, set->fd, VFIO_IOMMU_SPAPR_TCE_CREATE, &create);
	trace_window_create(plan->page_shift, levels, plan->size, create.start_addr, r);
	/* It makes the pending default window first; only that is likely to have succeeded. */
	note_default_window(set);
	if (r != 0) {
		if (keeps_charge(set, r)) {
			set->leaked_bytes += table_locked_bytes(&set->host.rules, plan->page_shift,
								plan->size, levels);
		}
		set->spoiled = r == -ENODEV && set->host.rules.hypervisor;
		return r;
	}
	*ret_window = (struct window){
		.range = {create.start_addr, plan->size},
		.page_shift = plan->page_shift,
		.levels = levels,
	};
	return 0;
}

/*
 * A hypervisor has one window to give beside the default one, also when that is gone. Asked for
 * another it refuses, and from then on the kernel makes none for that PE until the partition is
 * restarted (spapr_tce_create_table, failed_ddw_pdn_list): it must not be asked.
 */
static bool hypervisor_has_given_its_window(const struct window_set *set)
{
	for (unsigned int i = 0; i < set->count; i++) {
		if (set->host.rules.hypervisor &&
		    set->made[i].window.range.start != set->default_window.range.start) {
			return true;
		}
	}
	return false;
}

static int check_room(const struct window_set *set, struct error *error)
{
	unsigned int count = set->count + (set->default_pending ? 1 : 0);

	if (count >= set->max_windows) {
		return error_set(error, ERROR_NO_WINDOW_LEFT, 0,
				 "the container has %u windows, and %" PRIu32
				 " at most; remove one first",
				 count, set->max_windows);
	}
	if (hypervisor_has_given_its_window(set)) {
		return error_set(error, ERROR_NO_WINDOW_LEFT, 0,
				 "the hypervisor gives one window beside the default one, and the "
				 "container has it; remove it first");
	}
	if (set->spoiled) {
		return error_set(error, ERROR_UNSUPPORTED, 0,
				 "the hypervisor has refused to make a window for this PE, and "
				 "makes none until the partition is restarted");
	}
	return 0;
}

/* What planning has found out, once more: of what the kernel is asked, no mistake may be left. */
static int check_plan(const struct window_set *set, const struct window_plan *plan,
		      struct error *error)
{
	if (!table_page_shift_is_known(plan->page_shift) ||
	    !(set->host.page_sizes >> plan->page_shift & 1)) {
		return error_set(error, ERROR_PAGE_SIZE, 0,
				 "a window with page shift %" PRIu32
				 "; the host's page sizes are 0x%" PRIx64,
				 plan->page_shift, set->host.page_sizes);
	}
	if (!is_power_of_two(plan->size) || table_tces(plan->page_shift, plan->size) == 0 ||
	    plan->levels == 0 || plan->levels > set->host.max_levels ||
	    !table_levels_are_legal(&set->host.rules, plan->page_shift, plan->size, plan->levels)) {
		return error_set(error, ERROR_INVALID_ARGUMENT, 0,
				 "the kernel takes no window of 0x%" PRIx64
				 " bytes, page shift %" PRIu32 ", levels %" PRIu32,
				 plan->size, plan->page_shift, plan->levels);
	}
	return 0;
}

int window_set_create(struct window_set *set, const struct window_plan *plan, bool ready,
		      struct window *ret_window, struct error *error)
{
	struct window window;
	uint32_t levels = plan->levels;
	uint32_t more;
	int r;

	r = check_room(set, error);
	if (r) {
		return r;
	}
	r = check_plan(set, plan, error);
	if (r) {
		return r;
	}
	r = window_set_settle(set, ready, error);
	if (r) {
		return r;
	}
	r = create_with_levels(set, plan, levels, &window);
	while (r == -ENOMEM && (more = planner_more_levels(&set->host, plan, levels)) != 0) {
		levels = more;
		r = create_with_levels(set, plan, levels, &window);
	}
	if (r != 0) {
		return refusal_set(
			error, create_refusals, r,
			"create a window of 0x%" PRIx64 " bytes, page shift %" PRIu32
			", levels %" PRIu32 " (0x%" PRIx64 " bytes of table)",
			plan->size, plan->page_shift, levels,
			table_locked_bytes(&set->host.rules, plan->page_shift, plan->size, levels));
	}
	set->made[set->count++] = (struct tce_window){.window = window};
	*ret_window = window;
	return 0;
}

int window_set_remove(struct window_set *set, uint64_t start, struct error *error)
{
	struct vfio_iommu_spapr_tce_remove remove = {.argsz = sizeof(remove), .start_addr = start};
	bool pending = set->default_pending && start == set->default_window.range.start;
	unsigned int index = 0;
	int r;

	while (index < set->count && set->made[index].window.range.start != start) {
		index++;
	}
	if (index == set->count && !pending) {
		return error_set(error, ERROR_NOT_FOUND, 0,
				 "the container has no window that starts at 0x%" PRIx64, start);
	}
	r = kernel_ioctl(set->kernel, set->fd, VFIO_IOMMU_SPAPR_TCE_REMOVE, &remove);
	trace_window_remove(start, r);
	if (r != 0) {
		return refusal_set(error, remove_refusals, r, "remove the window at 0x%" PRIx64,
				   start);
	}
	if (pending) {
		set->default_pending = false;
		return 0;
	}
	set->count--;
	for (; index < set->count; index++) {
		set->made[index] = set->made[index + 1];
	}
	return 0;
}
