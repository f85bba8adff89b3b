/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "spapr/tce.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/vfio.h>

#include "common/trace.h"
#include "common/worker_protocol.h"

const struct refusal tce_set_iommu_refusals[] = {
	{EBUSY, ERROR_GROUP_BUSY, "the kernel uses the group's windows; unbind its driver"},
	{EPERM, ERROR_GROUP_BUSY, "another owner holds the group's windows"},
	{EINVAL, ERROR_UNSUPPORTED, "the group can't have windows of its own"},
	{ENODEV, ERROR_UNSUPPORTED, "the group has no TCE IOMMU"},
	{ENOMEM, ERROR_TABLE_MEMORY, "no memory to take the group over"},
	{0, ERROR_NONE, NULL},
};

static const struct refusal info_refusals[] = {
	{ENXIO, ERROR_NOT_FOUND, "the group is gone"},
	{EPERM, ERROR_KERNEL, "the container belongs to another process"},
	{0, ERROR_NONE, NULL},
};

/*
 * tce_iommu_ioctl, VFIO_IOMMU_MAP_DMA; window, alignment and memory have been checked. On an LPAR
 * these can be a hypervisor's answers, passed on as if they were errnos (tce_exchange_pseries).
 */
static const struct refusal map_refusals[] = {
	{ENOMEM, ERROR_TABLE_MEMORY, "no memory for the part of the TCE table"},
	{EINVAL, ERROR_PAGE_SIZE, "the pages behind the memory are smaller than the IOMMU page"},
	{EFAULT, ERROR_KERNEL, "a page of the memory can't be pinned for writing"},
	{ENXIO, ERROR_KERNEL, "the kernel doesn't know the window"},
	{EPERM, ERROR_KERNEL,
	 "the container belongs to another process, or the hypervisor refuses (H_HARDWARE)"},
	{EINTR, ERROR_KERNEL, "the hypervisor refuses (H_PARAMETER)"},
	{EAGAIN, ERROR_KERNEL, "the hypervisor refuses (H_PERMISSION)"},
	{EBUSY, ERROR_KERNEL, "the hypervisor refuses (H_RESOURCE)"},
	{0, ERROR_NONE, NULL},
};

static const struct refusal unmap_refusals[] = {
	{EPERM, ERROR_KERNEL, "the container belongs to another process"},
	{ENXIO, ERROR_KERNEL, "the kernel doesn't know the window"},
	{0, ERROR_NONE, NULL},
};

/* capabilities */

static struct range_text info_window_format(const struct vfio_iommu_spapr_tce_info *info)
{
	return range_format((struct range){info->dma32_window_start, info->dma32_window_size});
}

static int ask_info(const struct container *container, struct vfio_iommu_spapr_tce_info *ret_info)
{
	*ret_info = (struct vfio_iommu_spapr_tce_info){.argsz = sizeof(*ret_info)};
	return kernel_ioctl(container->kernel, container->fd, VFIO_IOMMU_SPAPR_TCE_GET_INFO,
			    ret_info);
}

int tce_read_info(struct tce *tce, struct vfio_iommu_spapr_tce_info *ret_info, struct error *error)
{
	struct container *container = &tce->container;
	struct container_capabilities *capabilities = &container->capabilities;
	struct vfio_iommu_spapr_tce_info info;
	int r;

	r = ask_info(container, &info);
	if (r != 0) {
		return refusal_set(error, info_refusals, r, "windows of group %" PRIu32,
				   container->groups[0].number);
	}
	if (info.dma32_window_size > 0) {
		capabilities->default_window_count = 1;
		capabilities->default_windows[0] = (struct window){
			.range = {info.dma32_window_start, info.dma32_window_size},
			.page_shift = TCE_DEFAULT_PAGE_SHIFT,
			.levels = 1,
		};
	}
	capabilities->leaving_clears = true;
	r = kernel_ioctl_value(container->kernel, container->fd, VFIO_CHECK_EXTENSION, VFIO_EEH);
	capabilities->eeh = r > 0;
	tce->info = info;
	*ret_info = info;
	return 0;
}

static bool is_same_info(const struct vfio_iommu_spapr_tce_info *a,
			 const struct vfio_iommu_spapr_tce_info *b)
{
	return a->flags == b->flags && a->dma32_window_start == b->dma32_window_start &&
	       a->dma32_window_size == b->dma32_window_size && a->ddw.pgsizes == b->ddw.pgsizes &&
	       a->ddw.max_dynamic_windows_supported == b->ddw.max_dynamic_windows_supported &&
	       a->ddw.levels == b->ddw.levels;
}

int tce_verify(const struct container *container, struct error *error)
{
	const struct vfio_iommu_spapr_tce_info *was = &tce_of_const(container)->info;
	struct vfio_iommu_spapr_tce_info is;
	int r = ask_info(container, &is);

	if (r != 0) {
		return error_set(error, ERROR_RECOVERY_FAILED, r < 0 ? -r : 0,
				 "the kernel doesn't tell the windows of container %" PRIu32
				 " (%s) any more",
				 container->id, container_groups_format(container).text);
	}
	if (!is_same_info(was, &is)) {
		return error_set(
			error, ERROR_RECOVERY_FAILED, 0,
			"container %" PRIu32 " (%s) had a default window %s and page sizes "
			"0x%" PRIx64 " in %" PRIu32 " levels, and now it is %s, 0x%" PRIx64
			" and %" PRIu32,
			container->id, container_groups_format(container).text,
			info_window_format(was).text, (uint64_t)was->ddw.pgsizes, was->ddw.levels,
			info_window_format(&is).text, (uint64_t)is.ddw.pgsizes, is.ddw.levels);
	}
	return 0;
}

void tce_set_up_windows(struct tce *tce, const struct table_rules *rules)
{
	const struct container_capabilities *capabilities = &tce->container.capabilities;

	tce->windows = (struct window_set){
		.kernel = tce->container.kernel,
		.fd = tce->container.fd,
		.host = {.page_sizes = capabilities->page_sizes,
			 .max_levels = capabilities->max_levels,
			 .rules = *rules},
		.max_windows = capabilities->max_windows,
		.default_window = capabilities->default_windows[0],
		.default_pending = capabilities->default_window_count > 0,
	};
}

/* asking the kernel */

static uint64_t page_size(const struct tce_window *window)
{
	return UINT64_C(1) << window->window.page_shift;
}

/* What the window's second TCE translates. */
static struct range second_page(const struct tce_window *window)
{
	return (struct range){window->window.range.start + page_size(window), page_size(window)};
}

/* The first MAP that covers the second TCE proves the node that holds the first one, too. */
static int ask_map(struct tce *tce, struct tce_window *window, struct range iova, uint64_t address,
		   uint32_t flags)
{
	struct vfio_iommu_type1_dma_map map = {
		.argsz = sizeof(map),
		.flags = flags,
		.vaddr = address,
		.iova = iova.start,
		.size = iova.size,
	};
	bool second = range_overlaps(iova, second_page(window));
	int r;

	window->second_used |= second;
	r = kernel_ioctl(tce->container.kernel, tce->container.fd, VFIO_IOMMU_MAP_DMA, &map);
	trace_map(iova.start, iova.size, address, flags, r);
	if (r == 0 && second) {
		window->leaf_there = true;
		window->rehearsal_left = false;
	}
	return r;
}

static int ask_unmap(struct tce *tce, struct tce_window *window, struct range iova)
{
	struct vfio_iommu_type1_dma_unmap unmap = {
		.argsz = sizeof(unmap),
		.iova = iova.start,
		.size = iova.size,
	};
	int r = kernel_ioctl(tce->container.kernel, tce->container.fd, VFIO_IOMMU_UNMAP_DMA,
			     &unmap);

	trace_unmap(iova.start, iova.size, r);
	if (r == -EINVAL && container_has_lost_groups(&tce->container)) {
		r = 0;
	}
	if (r == 0 && range_overlaps(iova, second_page(window))) {
		window->second_used = false;
		window->rehearsal_left = false;
	}
	return r;
}

/* maps */

/* A map under way. */
struct map_run {
	struct tce *tce;
	struct tce_window *window;
	struct range iova;
	uint64_t address;
	uint32_t flags;
	bool begun;
};

/*
 * Whether a failed MAP may have left the region with a count too many: that of a TCE that couldn't
 * be put in its place (tce_iommu_build_v2, tce_iommu_unuse_page_v2). On powernv that is one whose
 * node can't be made; a hypervisor may answer with any number but that of a check before.
 */
static bool keeps_memory(const struct map_run *run, int result)
{
	const struct tce *tce = run->tce;

	return tce->version->counts_tces &&
	       (tce->windows.host.rules.hypervisor
			? result != -EINVAL
			: result == -ENOMEM && run->window->window.levels > 1);
}

static int refuse_map(const struct map_run *run, int result, struct error *error)
{
	const struct tce *tce = run->tce;
	const struct table_rules *rules = &tce->windows.host.rules;

	if (result == -EINVAL && container_has_lost_groups(&tce->container)) {
		return error_set(error, ERROR_NOT_FOUND, ENODEV,
				 "map %s: the devices of group %" PRIu32 " are gone",
				 range_format(run->iova).text, tce->container.groups[0].number);
	}
	/* tce_page_is_contained: it can only be that, where it can be that at all. */
	if (result == -EPERM && !rules->hypervisor &&
	    run->window->window.page_shift > rules->kernel_page_shift) {
		return error_set(error, ERROR_PAGE_SIZE, EPERM,
				 "map %s: the pages behind the memory are smaller than the IOMMU "
				 "page (shift %" PRIu32 ")",
				 range_format(run->iova).text, run->window->window.page_shift);
	}
	return refusal_set(error, map_refusals, result, "map %s", range_format(run->iova).text);
}

static int fail_map(const struct map_run *run, int result, struct error *error)
{
	run->tce->container.kept_memory |= keeps_memory(run, result);
	return refuse_map(run, result, error);
}

static bool is_interrupted(const struct container *container)
{
	return container->interrupted && container->interrupted(container->interrupted_userdata);
}

static int map_piece(struct map_run *run, uint64_t offset, uint64_t size, struct error *error)
{
	struct range piece = {run->iova.start + offset, size};
	int r;

	if (run->begun && is_interrupted(&run->tce->container)) {
		return error_set(error, ERROR_BUSY, 0, "map %s: cancelled before %s",
				 range_format(run->iova).text, range_format(piece).text);
	}
	run->begun = true;
	r = ask_map(run->tce, run->window, piece, run->address + offset, run->flags);
	return r != 0 ? fail_map(run, r, error) : 0;
}

/* Map from an offset on, in pieces. */
static int map_rest(struct map_run *run, uint64_t offset, struct error *error)
{
	uint64_t most = (uint64_t)TCE_MAP_MAX << run->window->window.page_shift;

	while (offset < run->iova.size) {
		uint64_t left = run->iova.size - offset;
		uint64_t size = left < most ? left : most;
		int r = map_piece(run, offset, size, error);

		if (r) {
			return r;
		}
		offset += size;
	}
	return 0;
}

/* Whether a MAP of a registered page at the window's first TCE could fail. */
static bool first_could_fail(const struct map_run *run)
{
	const struct window *window = &run->window->window;

	return (window->levels > 1 && !run->window->leaf_there) ||
	       window->page_shift > run->tce->windows.host.rules.kernel_page_shift;
}

static int refuse_rehearsal(const struct map_run *run, struct error *error)
{
	return error_set(error, ERROR_BUSY, 0,
			 "map %s: %s holds what a failed Map has left, and the first page of a "
			 "window can't be tried elsewhere; remove the window",
			 range_format(run->iova).text, range_format(second_page(run->window)).text);
}

/* Map the first page of a window at the second TCE, and unmap it there. */
static int rehearse(struct map_run *run, struct error *error)
{
	struct tce_window *window = run->window;
	struct range second = second_page(window);
	int r;

	if (!first_could_fail(run) || !range_contains(window->window.range, second)) {
		return 0;
	}
	if (window->second_used) {
		return window->window.levels == 1 || window->leaf_there
			       ? 0
			       : refuse_rehearsal(run, error);
	}
	r = ask_map(run->tce, window, second, run->address, run->flags);
	if (r != 0) {
		/* A MAP of one page that fails leaves that one as it was. */
		window->second_used = false;
		return fail_map(run, r, error);
	}
	r = ask_unmap(run->tce, window, second);
	if (r != 0) {
		window->rehearsal_left = true;
		return refusal_set(error, unmap_refusals, r,
				   "map %s: take back the rehearsal at %s",
				   range_format(run->iova).text, range_format(second).text);
	}
	return 0;
}

/* Map what begins with the window: the first page last. */
static int map_from_start(struct map_run *run, struct error *error)
{
	const struct tce_version *version = run->tce->version;
	uint64_t page = page_size(run->window);
	int r = 0;

	if (version->secure_page) {
		r = version->secure_page((void *)(uintptr_t)run->address, error);
	}
	if (r == 0) {
		r = run->iova.size > page ? map_rest(run, page, error) : rehearse(run, error);
	}
	return r ? r : map_piece(run, 0, page, error);
}

static int check_range(struct range iova, struct error *error)
{
	if (!range_is_valid(iova.start, iova.size)) {
		return error_set(error, ERROR_INVALID_ARGUMENT, 0,
				 "size 0x%" PRIx64 " is 0 or wraps around from iova 0x%" PRIx64,
				 iova.size, iova.start);
	}
	return 0;
}

/* MAP and UNMAP check their first page only: what goes past the end of a window writes to memory of
 * the kernel's (iommu_tce_check_ioba). */
static int find_window(struct tce *tce, struct range iova, uint64_t address,
		       struct tce_window **ret_window, struct error *error)
{
	struct tce_window *window = window_set_find(&tce->windows, iova);

	if (!window) {
		(void)error_set(error, ERROR_OUTSIDE_WINDOW, 0,
				"%s; the container has no window around it",
				range_format(iova).text);
		return ERROR_OUTSIDE_WINDOW;
	}
	if (!is_aligned(iova.start | iova.size | address, page_size(window))) {
		(void)error_set(error, ERROR_PAGE_SIZE, 0,
				"%s at address 0x%" PRIx64
				" isn't aligned to IOMMU pages of 0x%" PRIx64,
				range_format(iova).text, address, page_size(window));
		return ERROR_PAGE_SIZE;
	}
	*ret_window = window;
	return 0;
}

int tce_map(struct container *container, const struct window *window, struct range iova,
	    void *address, uint32_t prot, struct error *error)
{
	struct tce *tce = tce_of(container);
	struct map_run run = {
		.tce = tce,
		.iova = iova,
		.address = (uint64_t)(uintptr_t)address,
		.flags = (prot & WORKER_PROT_READ ? VFIO_DMA_MAP_FLAG_READ : 0) |
			 (prot & WORKER_PROT_WRITE ? VFIO_DMA_MAP_FLAG_WRITE : 0),
	};
	int r = check_range(iova, error);

	/* What the kernel has is in our own books. */
	(void)window;
	if (r) {
		return r;
	}
	if (!tce->version->is_ready(tce)) {
		return error_set(error, ERROR_MEMORY_UNKNOWN, 0, "map %s: %s",
				 range_format(iova).text, tce->version->not_ready);
	}
	r = window_set_settle(&tce->windows, true, error);
	if (r == 0) {
		r = find_window(tce, iova, run.address, &run.window, error);
	}
	if (r) {
		return r;
	}
	return iova.start == run.window->window.range.start ? map_from_start(&run, error)
							    : map_rest(&run, 0, error);
}

/* unmaps */

/* Take back what couldn't be before. The map that rehearsed has failed of it, so the caller comes
 * here at once; if it fails again, the caller knows that its memory may still be reached. */
static int clear_rehearsal(struct tce *tce, struct tce_window *window, struct error *error)
{
	struct range second = second_page(window);
	int r = window->rehearsal_left ? ask_unmap(tce, window, second) : 0;

	return r != 0 ? refusal_set(error, unmap_refusals, r, "take back the rehearsal at %s",
				    range_format(second).text)
		      : 0;
}

int tce_unmap(struct container *container, struct range iova, struct error *error)
{
	struct tce *tce = tce_of(container);
	struct tce_window *window;
	int r = check_range(iova, error);

	/* Without a table nothing is mapped, and asking would make one. */
	if (r || tce->windows.default_pending) {
		return r;
	}
	r = find_window(tce, iova, 0, &window, error);
	if (r || !tce->version->is_ready(tce)) {
		return r;
	}
	r = clear_rehearsal(tce, window, error);
	if (r) {
		return r;
	}
	r = ask_unmap(tce, window, iova);
	return r != 0 ? refusal_set(error, unmap_refusals, r, "unmap %s", range_format(iova).text)
		      : 0;
}

int tce_settle(struct container *container, struct error *error)
{
	struct tce *tce = tce_of(container);

	if (tce->windows.default_pending && !tce->version->is_ready(tce)) {
		return error_set(error, ERROR_MEMORY_UNKNOWN, 0, "make the default window %s: %s",
				 range_format(tce->windows.default_window.range).text,
				 tce->version->not_ready);
	}
	return window_set_settle(&tce->windows, true, error);
}

/* accounting */

uint64_t tce_locked_bytes(const struct container *container)
{
	return window_set_locked_bytes(&tce_of_const(container)->windows);
}

uint64_t tce_pending_bytes(const struct container *container)
{
	return window_set_pending_bytes(&tce_of_const(container)->windows);
}

uint64_t tce_leaked_bytes(const struct container *container)
{
	return tce_of_const(container)->windows.leaked_bytes;
}
