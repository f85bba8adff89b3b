/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "spapr/tce_v2.h"

#include <inttypes.h>
#include <linux/vfio.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "spapr/prereg.h"
#include "spapr/tce.h"

struct tce_v2 {
	struct tce tce; /* must be first */
	struct prereg prereg;
	bool dynamic; /* windows can be created */
};

static bool tce_v2_is_ready(const struct tce *tce)
{
	return atomic_load(&((const struct tce_v2 *)tce)->prereg.registered);
}

static const struct tce_version tce_v2_version = {
	.is_ready = tce_v2_is_ready,
	.not_ready = "no memory has been registered with the container yet; add memory first",
	.counts_tces = true,
};

static int tce_v2_window_plan(const struct container *container,
			      const struct window_request *request,
			      const struct memory_outlook *outlook,
			      const struct window_limits *limits, struct window_plan *ret_plan,
			      struct error *error)
{
	const struct tce_v2 *v2 = (const struct tce_v2 *)container;
	struct window_plan plan;
	int r;

	if (!v2->dynamic) {
		return error_set(error, ERROR_UNSUPPORTED, 0,
				 "group %" PRIu32 " has its default window only; on an LPAR, have "
				 "64-bit DMA enabled for the slot in the firmware (I/O Adapter "
				 "Enlarged Capacity, or 64-bit Huge DMA)",
				 container->groups[0].number);
	}
	r = planner_plan(&v2->tce.windows.host, outlook, limits, request, &plan, error);
	if (r) {
		return r;
	}
	plan.locked_bytes += window_set_pending_bytes(&v2->tce.windows);
	*ret_plan = plan;
	return 0;
}

static unsigned int tce_v2_window_choices(const struct container *container,
					  const struct window_request *request,
					  const struct memory_outlook *outlook,
					  const struct window_limits *limits,
					  struct window_choice ret_choices[WORKER_CHOICES_MAX])
{
	const struct tce_v2 *v2 = (const struct tce_v2 *)container;
	unsigned int count;

	if (!v2->dynamic) {
		return 0;
	}
	count = planner_choices(&v2->tce.windows.host, outlook, limits, request, ret_choices);
	for (unsigned int i = 0; i < count; i++) {
		ret_choices[i].locked_bytes += window_set_pending_bytes(&v2->tce.windows);
	}
	return count;
}

static int tce_v2_window_create(struct container *container, const struct window_plan *plan,
				struct window *ret_window, struct error *error)
{
	struct tce *tce = tce_of(container);

	return window_set_create(&tce->windows, plan, tce_v2_is_ready(tce), ret_window, error);
}

static int tce_v2_window_remove(struct container *container, uint64_t start, struct error *error)
{
	return window_set_remove(&tce_of(container)->windows, start, error);
}

static void tce_v2_free(struct container *container)
{
	container_done(container);
	free(container);
}

static const struct container_operations tce_v2_operations = {
	.join = container_vfio_join,
	.leave = container_vfio_leave,
	.window_plan = tce_v2_window_plan,
	.window_choices = tce_v2_window_choices,
	.window_create = tce_v2_window_create,
	.window_remove = tce_v2_window_remove,
	.map = tce_map,
	.unmap = tce_unmap,
	.settle = tce_settle,
	.locked_bytes = tce_locked_bytes,
	.pending_bytes = tce_pending_bytes,
	.leaked_bytes = tce_leaked_bytes,
	.verify = tce_verify,
	.free = tce_v2_free,
};

/* Hosts without dynamic windows say so by no flag, or by an absurd number (spapr_tce_init_group).
 */
static bool has_dynamic_windows(const struct vfio_iommu_spapr_tce_info *info)
{
	return (info->flags & VFIO_IOMMU_SPAPR_INFO_DDW) &&
	       info->ddw.max_dynamic_windows_supported >= 1 &&
	       info->ddw.max_dynamic_windows_supported <= WINDOW_SET_MAX;
}

static int tce_v2_set_up(struct container *container, struct error *error)
{
	struct tce_v2 *v2 = (struct tce_v2 *)container;
	struct container_capabilities *capabilities = &container->capabilities;
	struct vfio_iommu_spapr_tce_info info;
	struct table_rules rules;
	int r;

	r = tce_read_info(&v2->tce, &info, error);
	if (r) {
		return r;
	}
	v2->dynamic = has_dynamic_windows(&info);
	capabilities->page_sizes =
		v2->dynamic ? info.ddw.pgsizes : UINT64_C(1) << TCE_DEFAULT_PAGE_SHIFT;
	capabilities->max_windows = v2->dynamic ? info.ddw.max_dynamic_windows_supported : 1;
	capabilities->max_levels = v2->dynamic ? info.ddw.levels : 1;
	capabilities->pinning = CONTAINER_PINS_SECTIONS;
	rules = table_rules_of(capabilities->max_levels, container->kernel->page_shift);
	capabilities->one_group = rules.hypervisor;
	capabilities->default_window_is_precious = rules.hypervisor;
	tce_set_up_windows(&v2->tce, &rules);
	return 0;
}

static struct container *tce_v2_new(void)
{
	struct tce_v2 *v2 = calloc(1, sizeof(*v2));
	struct container *container;

	if (!v2) {
		return NULL;
	}
	container = &v2->tce.container;
	container->operations = &tce_v2_operations;
	v2->tce.version = &tce_v2_version;
	prereg_init(&v2->prereg, container);
	container->listeners[container->listener_count++] = &v2->prereg.listener;
	return container;
}

const struct container_kind tce_v2_kind = {
	.iommu_type = "spapr-tce-v2",
	.extension = VFIO_SPAPR_TCE_v2_IOMMU,
	.refusals = tce_set_iommu_refusals,
	.new_container = tce_v2_new,
	.set_up = tce_v2_set_up,
};
