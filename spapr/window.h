/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The windows of one TCE v2 container.
 *
 * Concepts
 *   default window  the one that a group comes with: 32-bit, 4 KiB pages, one level.
 *   pending         until the first MAP, UNMAP or CREATE the default window exists in name only:
 *                   no table, nothing charged (tce_iommu_create_default_window). Removing it then
 *                   only cancels it.
 *   leak            a CREATE that fails after its charge keeps that until the process ends
 *                   (tce_iommu_create_table); it is counted, for it is locked memory, too.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"
#include "host/kernel.h"
#include "spapr/planner.h"
#include "vfio/container.h"

/* IOMMU_TABLE_GROUP_MAX_TABLES */
#define WINDOW_SET_MAX 2

struct window_set {
	struct kernel *kernel;
	int fd; /* of the container, not owned */
	struct planner_host host;
	struct window default_window;
	bool default_pending;
	struct window made[WINDOW_SET_MAX];
	unsigned int count; /* of made */
	uint64_t leaked_bytes;
};

/* Make the table of the pending default window, if it is pending. Something must be registered, or
 * the kernel refuses. What it locks is known to be within the limit. ERROR_TABLE_MEMORY,
 * ERROR_KERNEL */
int window_set_settle(struct window_set *set, bool registered, struct error *error);

/*
 * Create a window; more than once if the plan allows more levels and memory lacks.
 * `registered`: whether the container has had memory registered.
 * ERROR_TABLE_MEMORY, ERROR_NO_WINDOW_LEFT, ERROR_UNSUPPORTED, ERROR_KERNEL
 */
int window_set_create(struct window_set *set, const struct window_plan *plan, bool registered,
		      struct window *ret_window, struct error *error);

/*
 * Remove the window that starts exactly there: the kernel would take any address inside one.
 * ERROR_NOT_FOUND, ERROR_KERNEL
 */
int window_set_remove(struct window_set *set, uint64_t start, struct error *error);

/*
 * Refuse a range that isn't inside one window of this container. MAP and UNMAP check their first
 * page only: what goes past the end of a window writes to memory of the kernel's
 * (iommu_tce_check_ioba). ERROR_OUTSIDE_WINDOW
 */
int window_set_check_inside(const struct window_set *set, struct range iova, struct error *error);

/* What the kernel charges for the tables, leaks included. */
uint64_t window_set_locked_bytes(const struct window_set *set);

/* What it will charge for the default window as long as that is pending, else 0. */
uint64_t window_set_pending_bytes(const struct window_set *set);
