/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vfio/type1.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/vfio.h>
#include <stdlib.h>

#include "common/trace.h"
#include "common/worker_protocol.h"
#include "vfio/ledger.h"
#include "vfio/refusal.h"
#include "vfio/type1_window.h"

struct type1 {
	struct container container; /* must be first */
	struct type1_windows windows;
	struct ledger *entries; /* gpa is the address in this process */
	uint64_t entries_max;
};

static struct type1 *type1_of(struct container *container)
{
	return (struct type1 *)container;
}

static const struct type1 *type1_of_const(const struct container *container)
{
	return (const struct type1 *)container;
}

/* vfio_dma_do_map; alignment, windows and entries have been checked. */
static const struct refusal map_refusals[] = {
	{EEXIST, ERROR_ALREADY_MAPPED,
	 "the kernel has a mapping there that nobody made by this container; detach its groups"},
	{ENOSPC, ERROR_QUOTA_EXCEEDED,
	 "the container has as many entries as it may; map larger pieces, or raise dma_entry_limit "
	 "of vfio_iommu_type1"},
	{ENOMEM, ERROR_QUOTA_EXCEEDED,
	 "raise the worker's locked-memory limit (RLIMIT_MEMLOCK) or free memory"},
	{EINVAL, ERROR_OUTSIDE_WINDOW, "the IOMMU doesn't translate these addresses"},
	{EBUSY, ERROR_KERNEL, "the IOMMU's table is in use there, also after an unmap"},
	{EFAULT, ERROR_KERNEL, "the memory can't be pinned"},
	{0, ERROR_NONE, NULL},
};

static const struct refusal no_refusals[] = {{0, ERROR_NONE, NULL}};

/* unmapping */

/* ret_bytes: what the kernel says that it has unmapped. 0, or as the ioctl. */
static int unmap_in_kernel(const struct type1 *type1, struct range iova, uint64_t *ret_bytes)
{
	struct vfio_iommu_type1_dma_unmap unmap = {
		.argsz = sizeof(unmap),
		.iova = iova.start,
		.size = iova.size,
	};
	int r = kernel_ioctl(type1->container.kernel, type1->container.fd, VFIO_IOMMU_UNMAP_DMA,
			     &unmap);

	trace_unmap(iova.start, iova.size, r);
	if (r == 0) {
		*ret_bytes = unmap.size;
	}
	return r;
}

static bool next_entry(const struct type1 *type1, struct range iova, struct mapping *ret_entry)
{
	return ledger_next(type1->entries, iova.start, ret_entry) &&
	       ret_entry->iova.start <= range_last(iova);
}

/* Bytes of the entries in a range, which cuts none. */
static uint64_t entry_bytes(const struct type1 *type1, struct range iova)
{
	struct ledger_cursor cursor = ledger_seek(type1->entries, iova.start);
	struct mapping entry;
	uint64_t bytes = 0;

	while (ledger_step(&cursor, &entry) && entry.iova.start <= range_last(iova)) {
		bytes += entry.iova.size;
	}
	return bytes;
}

static void forget_entries(struct type1 *type1, struct range iova)
{
	struct mapping entry;

	while (next_entry(type1, iova, &entry)) {
		(void)ledger_erase(type1->entries, entry.iova);
	}
}

/*
 * The kernel has unmapped some entries of a range, and it isn't known which: unmap each again, so
 * that all are gone. Returns 0 or as the ioctl; *bytes counts on.
 */
static int unmap_each(struct type1 *type1, struct range iova, uint64_t *bytes)
{
	struct mapping entry;

	while (next_entry(type1, iova, &entry)) {
		uint64_t unmapped;
		int r = unmap_in_kernel(type1, entry.iova, &unmapped);

		if (r != 0) {
			return r;
		}
		*bytes += unmapped;
		(void)ledger_erase(type1->entries, entry.iova);
	}
	return 0;
}

/* v1 answers the same to a range that has a part of an entry only (H55), so success is not enough
 * to go by. */
static int refuse_size(struct range iova, uint64_t bytes, uint64_t expected, struct error *error)
{
	return error_set(error, ERROR_KERNEL, 0,
			 "unmap %s: the kernel has unmapped 0x%" PRIx64 " of 0x%" PRIx64 " bytes",
			 range_format(iova).text, bytes, expected);
}

static int type1_check_unmap(const struct container *container, struct range iova,
			     struct error *error)
{
	const struct type1 *type1 = type1_of_const(container);
	struct mapping entry;

	if ((ledger_find(type1->entries, iova.start, &entry) && entry.iova.start < iova.start) ||
	    (ledger_find(type1->entries, range_last(iova), &entry) &&
	     range_last(entry.iova) > range_last(iova))) {
		return error_set(error, ERROR_BUSY, 0,
				 "%s cuts %s, which was mapped at once; unmap that as a whole",
				 range_format(iova).text, range_format(entry.iova).text);
	}
	return 0;
}

/* More than expected is what the kernel had and the books didn't: good riddance. */
static int type1_unmap(struct container *container, struct range iova, struct error *error)
{
	struct type1 *type1 = type1_of(container);
	uint64_t expected;
	uint64_t bytes = 0;
	int r;

	r = type1_check_unmap(container, iova, error);
	if (r) {
		return r;
	}
	expected = entry_bytes(type1, iova);
	r = unmap_in_kernel(type1, iova, &bytes);
	if (r == -EINVAL && container_has_lost_groups(container)) {
		forget_entries(type1, iova);
		return 0;
	}
	if (r == 0 && bytes > 0 && bytes < expected) {
		r = unmap_each(type1, iova, &bytes);
	}
	if (r != 0) {
		return refusal_set(error, no_refusals, r, "unmap %s", range_format(iova).text);
	}
	if (bytes < expected) {
		return refuse_size(iova, bytes, expected, error);
	}
	forget_entries(type1, iova);
	return 0;
}

/* mapping */

static int refuse_map(const struct type1 *type1, struct range iova, int result, struct error *error)
{
	if (result == -EINVAL && container_has_lost_groups(&type1->container)) {
		return error_set(error, ERROR_NOT_FOUND, ENODEV,
				 "map %s: the devices of %s are gone", range_format(iova).text,
				 container_groups_format(&type1->container).text);
	}
	return refusal_set(error, map_refusals, result, "map %s", range_format(iova).text);
}

static int map_in_kernel(const struct type1 *type1, const struct mapping *entry)
{
	struct vfio_iommu_type1_dma_map map = {
		.argsz = sizeof(map),
		.flags = (entry->prot & WORKER_PROT_READ ? VFIO_DMA_MAP_FLAG_READ : 0) |
			 (entry->prot & WORKER_PROT_WRITE ? VFIO_DMA_MAP_FLAG_WRITE : 0),
		.vaddr = entry->gpa,
		.iova = entry->iova.start,
		.size = entry->iova.size,
	};
	int r = kernel_ioctl(type1->container.kernel, type1->container.fd, VFIO_IOMMU_MAP_DMA,
			     &map);

	trace_map(map.iova, map.size, map.vaddr, map.flags, r);
	return r;
}

/*
 * Some IOMMUs' tables were seen to have something where VFIO has not mapped anything, and answer
 * EBUSY: then it is unmapped, and mapped once more. That takes nothing away from anybody, since by
 * our books there is no entry.
 */
static int map_entry(struct type1 *type1, const struct mapping *entry, struct error *error)
{
	int r = ledger_insert(type1->entries, entry, NULL);

	if (r < 0) {
		return error_set(error, ERROR_KERNEL, -r, "no memory to note the entry %s",
				 range_format(entry->iova).text);
	}
	r = map_in_kernel(type1, entry);
	if (r == -EBUSY) {
		uint64_t unmapped;

		(void)unmap_in_kernel(type1, entry->iova, &unmapped);
		r = map_in_kernel(type1, entry);
	}
	if (r != 0) {
		(void)ledger_erase(type1->entries, entry->iova);
		return refuse_map(type1, entry->iova, r, error);
	}
	return 0;
}

/* Whether an entry has addresses and rights as they are wanted. */
static bool is_part_of(const struct mapping *entry, const struct mapping *wanted)
{
	return entry->prot == wanted->prot &&
	       entry->gpa - entry->iova.start == wanted->gpa - wanted->iova.start;
}

/*
 * Make room: what is mapped otherwise than wanted is what an unmap that failed has left behind, for
 * nobody maps over what he knows. It goes, unless there is more to it than the range to be mapped.
 */
static int clear_others(struct type1 *type1, const struct mapping *wanted, struct error *error)
{
	struct range left = wanted->iova;
	struct mapping entry;

	while (next_entry(type1, left, &entry)) {
		if (!is_part_of(&entry, wanted)) {
			int r = range_contains(wanted->iova, entry.iova)
					? type1_unmap(&type1->container, entry.iova, error)
					: type1_check_unmap(&type1->container, wanted->iova, error);

			if (r) {
				return r;
			}
		}
		if (range_last(entry.iova) >= range_last(left)) {
			return 0;
		}
		left.size = range_last(left) - range_last(entry.iova);
		left.start = range_last(entry.iova) + 1;
	}
	return 0;
}

/* Map what isn't yet: an entry for each hole. */
static int fill_holes(struct type1 *type1, const struct mapping *wanted, struct error *error)
{
	uint64_t last = range_last(wanted->iova);
	uint64_t at = wanted->iova.start;

	for (;;) {
		struct mapping hole = {
			.iova = {at, last - at + 1},
			.gpa = wanted->gpa + (at - wanted->iova.start),
			.prot = wanted->prot,
		};
		struct mapping entry;
		bool found = next_entry(type1, hole.iova, &entry);

		if (!found || entry.iova.start > at) {
			int r;

			hole.iova.size = found ? entry.iova.start - at : hole.iova.size;
			r = map_entry(type1, &hole, error);
			if (r) {
				return r;
			}
		}
		if (!found || range_last(entry.iova) >= last) {
			return 0;
		}
		at = range_last(entry.iova) + 1;
	}
}

static int type1_map(struct container *container, const struct window *window, struct range iova,
		     void *address, uint32_t prot, struct error *error)
{
	struct type1 *type1 = type1_of(container);
	const struct mapping wanted = {
		.iova = iova,
		.gpa = (uint64_t)(uintptr_t)address,
		.prot = prot,
	};
	int r;

	(void)window;
	r = type1_windows_check_inside(&type1->windows, iova, error);
	if (r == 0) {
		r = clear_others(type1, &wanted, error);
	}
	return r ? r : fill_holes(type1, &wanted, error);
}

static uint64_t type1_maps_left(const struct container *container)
{
	const struct type1 *type1 = type1_of_const(container);
	uint64_t count = ledger_count(type1->entries);

	return count < type1->entries_max ? type1->entries_max - count : 0;
}

/* windows */

static int type1_window_plan(const struct container *container,
			     const struct window_request *request,
			     const struct memory_outlook *outlook,
			     const struct window_limits *limits, struct window_plan *ret_plan,
			     struct error *error)
{
	return type1_windows_plan(&type1_of_const(container)->windows, request, outlook, limits,
				  ret_plan, error);
}

static unsigned int type1_window_choices(const struct container *container,
					 const struct window_request *request,
					 const struct memory_outlook *outlook,
					 const struct window_limits *limits,
					 struct window_choice ret_choices[WORKER_CHOICES_MAX])
{
	return type1_windows_choices(&type1_of_const(container)->windows, request, outlook, limits,
				     ret_choices);
}

static int type1_window_create(struct container *container, const struct window_plan *plan,
			       struct window *ret_window, struct error *error)
{
	return type1_windows_create(&type1_of(container)->windows, plan, ret_window, error);
}

static int type1_window_remove(struct container *container, uint64_t start, struct error *error)
{
	return type1_windows_remove(&type1_of(container)->windows, start, error);
}

/* Mappings are counted where the memory is known. */
static uint64_t no_bytes(const struct container *container)
{
	(void)container;
	return 0;
}

/* set-up */

static void take_info(struct type1 *type1, const struct type1_info *info)
{
	struct container_capabilities *capabilities = &type1->container.capabilities;

	type1->windows.host = *info;
	type1->entries_max = ledger_count(type1->entries) + info->entries_left;
	*capabilities = (struct container_capabilities){
		.iommu_type = capabilities->iommu_type,
		.page_sizes = info->page_sizes,
		.max_windows = WORKER_WINDOWS_MAX,
		.max_levels = 1,
		.pinning = CONTAINER_PINS_MAPPINGS,
		.windows_are_books = true,
	};
	capabilities->default_window_count =
		type1_default_windows(info, capabilities->default_windows);
}

/* Entries lie in windows: where those fit, they do. */
static int type1_groups_changed(struct container *container, struct error *error)
{
	struct type1 *type1 = type1_of(container);
	struct type1_info info;
	int r;

	r = type1_info_read(container->kernel, container->fd, &info, error);
	if (r == 0) {
		r = type1_windows_check_host(&type1->windows, &info, error);
	}
	if (r == 0) {
		take_info(type1, &info);
	}
	return r;
}

static int type1_set_up(struct container *container, struct error *error)
{
	struct type1 *type1 = type1_of(container);
	struct type1_info info;
	int r = type1_info_read(container->kernel, container->fd, &info, error);

	if (r == 0) {
		take_info(type1, &info);
		type1->windows.count = type1_default_windows(&info, type1->windows.made);
	}
	return r;
}

static void type1_free(struct container *container)
{
	struct type1 *type1 = type1_of(container);

	container_done(container);
	type1->entries = ledger_free(type1->entries);
	free(type1);
}

static const struct container_operations type1_operations = {
	.join = container_vfio_join,
	.leave = container_vfio_leave,
	.groups_changed = type1_groups_changed,
	.window_plan = type1_window_plan,
	.window_choices = type1_window_choices,
	.window_create = type1_window_create,
	.window_remove = type1_window_remove,
	.map = type1_map,
	.unmap = type1_unmap,
	.maps_left = type1_maps_left,
	.check_unmap = type1_check_unmap,
	.locked_bytes = no_bytes,
	.pending_bytes = no_bytes,
	.leaked_bytes = no_bytes,
	.free = type1_free,
};

static struct container *type1_new(void)
{
	struct type1 *type1 = calloc(1, sizeof(*type1));

	if (type1 && ledger_new(&type1->entries) < 0) {
		free(type1);
		type1 = NULL;
	}
	if (!type1) {
		return NULL;
	}
	type1->container.operations = &type1_operations;
	return &type1->container;
}

/* vfio_iommu_type1_attach_group */
static const struct refusal set_iommu_refusals[] = {
	{EBUSY, ERROR_GROUP_BUSY, "the kernel uses the group's DMA; unbind its driver"},
	{EPERM, ERROR_UNSUPPORTED,
	 "the IOMMU can't keep the group's interrupts or reserved memory apart from others'; see "
	 "the kernel's log, and allow_unsafe_interrupts of vfio_iommu_type1"},
	{EINVAL, ERROR_UNSUPPORTED, "the group's IOMMU takes no such container"},
	{ENODEV, ERROR_UNSUPPORTED, "the group has no IOMMU"},
	{EIO, ERROR_UNSUPPORTED, "the group's IOMMU makes no domain for it"},
	{0, ERROR_NONE, NULL},
};

const struct container_kind type1v2_kind = {
	.iommu_type = "type1v2",
	.extension = VFIO_TYPE1v2_IOMMU,
	.refusals = set_iommu_refusals,
	.new_container = type1_new,
	.set_up = type1_set_up,
};

const struct container_kind type1_kind = {
	.iommu_type = "type1",
	.extension = VFIO_TYPE1_IOMMU,
	.refusals = set_iommu_refusals,
	.new_container = type1_new,
	.set_up = type1_set_up,
};
