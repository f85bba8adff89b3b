/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "spapr/tce_v2.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/vfio.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "common/worker_protocol.h"
#include "spapr/prereg.h"
#include "spapr/window.h"
#include "vfio/refusal.h"

/* The kernel neither reschedules nor looks for signals inside a MAP (tce_iommu_build_v2). */
#define MAP_TCES_MAX 65536U

#define DEFAULT_PAGE_SHIFT 12U

struct tce_v2 {
	struct container container; /* must be first */
	struct prereg prereg;
	struct window_set windows;
	bool dynamic; /* windows can be created */
};

static struct tce_v2 *tce_v2_of(struct container *container)
{
	return (struct tce_v2 *)container;
}

/* tce_iommu_ioctl, VFIO_IOMMU_MAP_DMA; window, alignment and memory have been checked. */
static const struct refusal map_refusals[] = {
	{ENOMEM, ERROR_TABLE_MEMORY, "no memory for the part of the TCE table"},
	{EINVAL, ERROR_PAGE_SIZE, "the pages behind the memory are smaller than the IOMMU page"},
	{ENXIO, ERROR_KERNEL, "the kernel doesn't know the window"},
	{EPERM, ERROR_KERNEL, "the container belongs to another process"},
	{0, ERROR_NONE, NULL},
};

static const struct refusal no_refusals[] = {{0, ERROR_NONE, NULL}};

static bool has_registered(struct tce_v2 *tce)
{
	return atomic_load(&tce->prereg.registered);
}

static int tce_v2_window_plan(const struct container *container,
			      const struct window_request *request,
			      const struct memory_outlook *outlook,
			      const struct window_limits *limits, struct window_plan *ret_plan,
			      struct error *error)
{
	const struct tce_v2 *tce = (const struct tce_v2 *)container;
	struct window_plan plan;
	int r;

	(void)limits;
	if (!tce->dynamic) {
		return error_set(
			error, ERROR_UNSUPPORTED, 0,
			"group %" PRIu32 " has its default window only; on an LPAR, see "
			"whether the slot may have 64-bit windows (Huge Dynamic DMA Window)",
			tce->container.groups[0].number);
	}
	r = planner_plan(&tce->windows.host, outlook, request, &plan, error);
	if (r) {
		return r;
	}
	plan.locked_bytes += window_set_pending_bytes(&tce->windows);
	*ret_plan = plan;
	return 0;
}

static int tce_v2_window_create(struct container *container, const struct window_plan *plan,
				struct window *ret_window, struct error *error)
{
	struct tce_v2 *tce = tce_v2_of(container);

	return window_set_create(&tce->windows, plan, has_registered(tce), ret_window, error);
}

static int tce_v2_window_remove(struct container *container, uint64_t start, struct error *error)
{
	return window_set_remove(&tce_v2_of(container)->windows, start, error);
}

static int refuse_map(const struct tce_v2 *tce, struct range iova, int result, struct error *error)
{
	if (result == -EINVAL && group_is_gone(&tce->container.groups[0])) {
		return error_set(error, ERROR_NOT_FOUND, ENODEV,
				 "map %s: the devices of group %" PRIu32 " are gone",
				 range_format(iova).text, tce->container.groups[0].number);
	}
	return refusal_set(error, map_refusals, result, "map %s", range_format(iova).text);
}

static int tce_v2_map(struct container *container, const struct window *window, struct range iova,
		      void *address, uint32_t prot, struct error *error)
{
	struct tce_v2 *tce = tce_v2_of(container);
	uint64_t chunk = (uint64_t)MAP_TCES_MAX << window->page_shift;
	struct vfio_iommu_type1_dma_map map = {
		.argsz = sizeof(map),
		.flags = (prot & WORKER_PROT_READ ? VFIO_DMA_MAP_FLAG_READ : 0) |
			 (prot & WORKER_PROT_WRITE ? VFIO_DMA_MAP_FLAG_WRITE : 0),
	};
	int r;

	r = window_set_settle(&tce->windows, has_registered(tce), error);
	if (r == 0) {
		r = window_set_check_inside(&tce->windows, iova, error);
	}
	if (r) {
		return r;
	}
	for (uint64_t done = 0; done < iova.size; done += map.size) {
		map.iova = iova.start + done;
		map.vaddr = (uint64_t)(uintptr_t)address + done;
		map.size = iova.size - done < chunk ? iova.size - done : chunk;
		r = kernel_ioctl(tce->container.kernel, tce->container.fd, VFIO_IOMMU_MAP_DMA,
				 &map);
		if (r != 0) {
			return refuse_map(tce, iova, r, error);
		}
	}
	return 0;
}

static int tce_v2_unmap(struct container *container, struct range iova, struct error *error)
{
	struct tce_v2 *tce = tce_v2_of(container);
	struct vfio_iommu_type1_dma_unmap unmap = {
		.argsz = sizeof(unmap),
		.iova = iova.start,
		.size = iova.size,
	};
	int r;

	/* Without a table nothing is mapped, and asking would make one. */
	if (tce->windows.default_pending) {
		return 0;
	}
	r = window_set_check_inside(&tce->windows, iova, error);
	if (r) {
		return r;
	}
	r = kernel_ioctl(tce->container.kernel, tce->container.fd, VFIO_IOMMU_UNMAP_DMA, &unmap);
	if (r != 0) {
		return refusal_set(error, no_refusals, r, "unmap %s", range_format(iova).text);
	}
	return 0;
}

static uint64_t tce_v2_locked_bytes(const struct container *container)
{
	return window_set_locked_bytes(&((const struct tce_v2 *)container)->windows);
}

static uint64_t tce_v2_pending_bytes(const struct container *container)
{
	return window_set_pending_bytes(&((const struct tce_v2 *)container)->windows);
}

static uint64_t tce_v2_leaked_bytes(const struct container *container)
{
	return ((const struct tce_v2 *)container)->windows.leaked_bytes;
}

static void tce_v2_free(struct container *container)
{
	container_done(container);
	free(tce_v2_of(container));
}

static unsigned int tce_v2_window_choices(const struct container *container,
					  const struct window_request *request,
					  const struct memory_outlook *outlook,
					  const struct window_limits *limits,
					  struct window_choice ret_choices[WORKER_CHOICES_MAX])
{
	(void)container;
	(void)request;
	(void)outlook;
	(void)limits;
	(void)ret_choices;
	return 0;
}

static const struct container_operations tce_v2_operations = {
	.join = container_vfio_join,
	.leave = container_vfio_leave,
	.window_plan = tce_v2_window_plan,
	.window_choices = tce_v2_window_choices,
	.window_create = tce_v2_window_create,
	.window_remove = tce_v2_window_remove,
	.map = tce_v2_map,
	.unmap = tce_v2_unmap,
	.locked_bytes = tce_v2_locked_bytes,
	.pending_bytes = tce_v2_pending_bytes,
	.leaked_bytes = tce_v2_leaked_bytes,
	.free = tce_v2_free,
};

/* tce_iommu_attach_group, tce_iommu_take_ownership */
static const struct refusal set_iommu_refusals[] = {
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

/* Hosts without dynamic windows say so by no flag, or by an absurd number (spapr_tce_init_group).
 */
static bool has_dynamic_windows(const struct vfio_iommu_spapr_tce_info *info)
{
	return (info->flags & VFIO_IOMMU_SPAPR_INFO_DDW) &&
	       info->ddw.max_dynamic_windows_supported >= 1 &&
	       info->ddw.max_dynamic_windows_supported <= WINDOW_SET_MAX;
}

static int read_info(struct tce_v2 *tce, struct error *error)
{
	struct container_capabilities *capabilities = &tce->container.capabilities;
	struct vfio_iommu_spapr_tce_info info = {.argsz = sizeof(info)};
	int r;

	r = kernel_ioctl(tce->container.kernel, tce->container.fd, VFIO_IOMMU_SPAPR_TCE_GET_INFO,
			 &info);
	if (r != 0) {
		return refusal_set(error, info_refusals, r, "windows of group %" PRIu32,
				   tce->container.groups[0].number);
	}
	tce->dynamic = has_dynamic_windows(&info);
	*capabilities = (struct container_capabilities){
		.iommu_type = capabilities->iommu_type,
		.page_sizes = tce->dynamic ? info.ddw.pgsizes : UINT64_C(1) << DEFAULT_PAGE_SHIFT,
		.max_windows = tce->dynamic ? info.ddw.max_dynamic_windows_supported : 1,
		.max_levels = tce->dynamic ? info.ddw.levels : 1,
		.pinning = CONTAINER_PINS_SECTIONS,
		.leaving_clears = true,
	};
	if (info.dma32_window_size > 0) {
		capabilities->default_windows[capabilities->default_window_count++] =
			(struct window){
				.range = {info.dma32_window_start, info.dma32_window_size},
				.page_shift = DEFAULT_PAGE_SHIFT,
				.levels = 1,
			};
	}
	r = kernel_ioctl_value(tce->container.kernel, tce->container.fd, VFIO_CHECK_EXTENSION,
			       VFIO_EEH);
	capabilities->eeh = r > 0;
	return 0;
}

static void set_up_windows(struct tce_v2 *tce)
{
	const struct container_capabilities *capabilities = &tce->container.capabilities;

	tce->windows = (struct window_set){
		.kernel = tce->container.kernel,
		.fd = tce->container.fd,
		.host = {.page_sizes = capabilities->page_sizes,
			 .max_levels = capabilities->max_levels,
			 .rules = table_rules_of(capabilities->max_levels)},
		.default_window = capabilities->default_windows[0],
		.default_pending = capabilities->default_window_count > 0,
	};
}

static int tce_v2_set_up(struct container *container, struct error *error)
{
	struct tce_v2 *tce = tce_v2_of(container);
	int r = read_info(tce, error);

	if (r == 0) {
		set_up_windows(tce);
	}
	return r;
}

static struct container *tce_v2_new(void)
{
	struct tce_v2 *tce = calloc(1, sizeof(*tce));

	if (!tce) {
		return NULL;
	}
	tce->container.operations = &tce_v2_operations;
	prereg_init(&tce->prereg, &tce->container);
	tce->container.listeners[tce->container.listener_count++] = &tce->prereg.listener;
	return &tce->container;
}

const struct container_kind tce_v2_kind = {
	.iommu_type = "spapr-tce-v2",
	.extension = VFIO_SPAPR_TCE_v2_IOMMU,
	.refusals = set_iommu_refusals,
	.new_container = tce_v2_new,
	.set_up = tce_v2_set_up,
};
