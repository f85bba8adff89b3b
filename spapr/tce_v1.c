/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "spapr/tce_v1.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/vfio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "spapr/tce.h"

struct tce_v1 {
	struct tce tce; /* must be first */
	bool enabled;
};

/* tce_iommu_enable; EPERM of a window of size 0 has been excluded. */
static const struct refusal enable_refusals[] = {
	{ENOMEM, ERROR_QUOTA_EXCEEDED,
	 "the default window can't be charged as locked memory; raise the worker's locked-memory "
	 "limit (RLIMIT_MEMLOCK)"},
	{EBUSY, ERROR_KERNEL, "the container is enabled already"},
	{ENODEV, ERROR_NOT_FOUND, "the group is gone"},
	{EPERM, ERROR_KERNEL, "the container belongs to another process"},
	{0, ERROR_NONE, NULL},
};

/* start */

static uint64_t tce_v1_start_bytes(const struct container *container)
{
	return container->capabilities.default_windows[0].range.size;
}

static int tce_v1_start(struct container *container, struct error *error)
{
	struct tce_v1 *v1 = (struct tce_v1 *)container;
	int r;

	if (container->capabilities.default_window_count == 0) {
		return error_set(error, ERROR_UNSUPPORTED, 0,
				 "group %" PRIu32 " has no default window, and TCE v1 no other; "
				 "attach it as \"spapr-tce-v2\"",
				 container->groups[0].number);
	}
	r = kernel_ioctl(container->kernel, container->fd, VFIO_IOMMU_ENABLE, NULL);
	if (r != 0) {
		return refusal_set(error, enable_refusals, r,
				   "enable the container of group %" PRIu32 " (0x%" PRIx64
				   " bytes of locked memory)",
				   container->groups[0].number, tce_v1_start_bytes(container));
	}
	v1->enabled = true;
	return 0;
}

/* mappings */

static bool tce_v1_is_ready(const struct tce *tce)
{
	return ((const struct tce_v1 *)tce)->enabled;
}

/*
 * Have the page there, and writable: what pin_user_pages_fast needs. A device's registers and
 * memory that can't be written have no such page, and fail here instead of in the kernel's MAP.
 */
static int tce_v1_secure_page(void *address, struct error *error)
{
	size_t size = (size_t)sysconf(_SC_PAGESIZE);
	uintptr_t offset = (uintptr_t)address & (size - 1);

	if (madvise((char *)address - offset, size, MADV_POPULATE_WRITE) < 0) {
		return error_set(error, ERROR_KERNEL, errno,
				 "the page of memory at address 0x%" PRIxPTR
				 " can't be pinned for writing",
				 (uintptr_t)address);
	}
	return 0;
}

static const struct tce_version tce_v1_version = {
	.is_ready = tce_v1_is_ready,
	.not_ready = "the container is not enabled (VFIO_IOMMU_ENABLE)",
	.secure_page = tce_v1_secure_page,
};

/* windows */

static int refuse_windows(const struct container *container, struct error *error)
{
	return error_set(error, ERROR_UNSUPPORTED, 0,
			 "group %" PRIu32 " is in a TCE v1 container, which has its default window "
			 "and no other; attach it as \"spapr-tce-v2\" for dynamic windows",
			 container->groups[0].number);
}

static int tce_v1_window_plan(const struct container *container,
			      const struct window_request *request,
			      const struct memory_outlook *outlook,
			      const struct window_limits *limits, struct window_plan *ret_plan,
			      struct error *error)
{
	(void)request;
	(void)outlook;
	(void)limits;
	(void)ret_plan;
	return refuse_windows(container, error);
}

static unsigned int tce_v1_window_choices(const struct container *container,
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

static int tce_v1_window_create(struct container *container, const struct window_plan *plan,
				struct window *ret_window, struct error *error)
{
	(void)plan;
	(void)ret_window;
	return refuse_windows(container, error);
}

static int tce_v1_window_remove(struct container *container, uint64_t start, struct error *error)
{
	(void)start;
	return refuse_windows(container, error);
}

static uint64_t tce_v1_locked_bytes(const struct container *container)
{
	const struct tce_v1 *v1 = (const struct tce_v1 *)container;

	return tce_locked_bytes(container) + (v1->enabled ? tce_v1_start_bytes(container) : 0);
}

/* The charge goes back before the group does, and the container with it. */
static void tce_v1_free(struct container *container)
{
	struct tce_v1 *v1 = (struct tce_v1 *)container;

	if (v1->enabled) {
		(void)kernel_ioctl(container->kernel, container->fd, VFIO_IOMMU_DISABLE, NULL);
	}
	container_done(container);
	free(v1);
}

static const struct container_operations tce_v1_operations = {
	.start = tce_v1_start,
	.start_bytes = tce_v1_start_bytes,
	.join = container_vfio_join,
	.leave = container_vfio_leave,
	.window_plan = tce_v1_window_plan,
	.window_choices = tce_v1_window_choices,
	.window_create = tce_v1_window_create,
	.window_remove = tce_v1_window_remove,
	.map = tce_map,
	.unmap = tce_unmap,
	.settle = tce_settle,
	.locked_bytes = tce_v1_locked_bytes,
	.pending_bytes = tce_pending_bytes,
	.leaked_bytes = tce_leaked_bytes,
	.verify = tce_verify,
	.free = tce_v1_free,
};

static int tce_v1_set_up(struct container *container, struct error *error)
{
	struct tce *tce = tce_of(container);
	struct container_capabilities *capabilities = &container->capabilities;
	struct vfio_iommu_spapr_tce_info info;
	struct table_rules rules;
	int r;

	r = tce_read_info(tce, &info, error);
	if (r) {
		return r;
	}
	capabilities->page_sizes = UINT64_C(1) << TCE_DEFAULT_PAGE_SHIFT;
	capabilities->max_windows = 1;
	capabilities->max_levels = 1;
	capabilities->pinning = CONTAINER_PINS_AT_START;
	capabilities->one_group = true;
	capabilities->windows_stay = true;
	rules = table_rules_of(TABLE_LEVELS_MAX, container->kernel->page_shift);
	tce_set_up_windows(tce, &rules);
	return 0;
}

static struct container *tce_v1_new(void)
{
	struct tce_v1 *v1 = calloc(1, sizeof(*v1));
	struct container *container;

	if (!v1) {
		return NULL;
	}
	container = &v1->tce.container;
	container->operations = &tce_v1_operations;
	v1->tce.version = &tce_v1_version;
	return container;
}

const struct container_kind tce_v1_kind = {
	.iommu_type = "spapr-tce",
	.extension = VFIO_SPAPR_TCE_IOMMU,
	.refusals = tce_set_iommu_refusals,
	.new_container = tce_v1_new,
	.set_up = tce_v1_set_up,
};
