/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The windows of one TCE container, v1 or v2.
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

/* A window that the kernel has, and what is known of its first two TCEs (spapr/tce.h). */
struct tce_window {
	struct window window;
	bool leaf_there;     /* the node of the table that holds them has been made */
	bool second_used;    /* the second one may point to memory */
	bool rehearsal_left; /* it does, for a rehearsal could not be taken back */
};

struct window_set {
	struct kernel *kernel;
	int fd; /* of the container, not owned */
	struct planner_host host;
	uint32_t max_windows; /* WINDOW_SET_MAX at most */
	struct window default_window;
	bool default_pending;
	struct tce_window made[WINDOW_SET_MAX];
	unsigned int count; /* of made */
	uint64_t leaked_bytes;
	bool spoiled; /* an LPAR whose hypervisor makes no more windows for the PE */
};

/* Make the table of the pending default window, if it is pending. `ready`: whether the kernel takes
 * MAP and UNMAP yet; else nothing is done. What it locks is known to be within the limit.
 * ERROR_TABLE_MEMORY, ERROR_KERNEL */
int window_set_settle(struct window_set *set, bool ready, struct error *error);

/*
 * Create a window; more than once if the plan allows more levels and memory lacks. The start is the
 * kernel's answer, and no guess. `ready` as above.
 *
 * Whatever is known to fail isn't asked, since the kernel doesn't take back what it has charged for
 * a table that it then can't make (field note H29):
 * ERROR_PAGE_SIZE       a page size that the host or the kernel gets wrong
 * ERROR_INVALID_ARGUMENT  size or levels that the kernel refuses
 * ERROR_NO_WINDOW_LEFT  there are as many as there can be; on an LPAR the hypervisor gives one
 *                       beside the default one, and asked for another it makes none any more
 * ERROR_UNSUPPORTED     the hypervisor has said so before
 * Asked, the kernel may refuse: ERROR_TABLE_MEMORY, ERROR_NO_WINDOW_LEFT, ERROR_UNSUPPORTED,
 * ERROR_NOT_FOUND, ERROR_KERNEL
 */
int window_set_create(struct window_set *set, const struct window_plan *plan, bool ready,
		      struct window *ret_window, struct error *error);

/*
 * Remove the window that starts exactly there: the kernel would take any address inside one.
 * ERROR_NOT_FOUND, ERROR_KERNEL
 *
 * That the platform won't take the window from a PE doesn't show: the kernel logs it and frees the
 * table all the same (tce_iommu_remove_window, field note H35). So all devices of the PE have to be
 * quiet by then.
 */
int window_set_remove(struct window_set *set, uint64_t start, struct error *error);

/* The window of this container around a range, or NULL. It lives until the next create or remove.
 */
struct tce_window *window_set_find(struct window_set *set, struct range iova);

/* What the kernel charges for the tables, leaks included. */
uint64_t window_set_locked_bytes(const struct window_set *set);

/* What it will charge for the default window as long as that is pending, else 0. */
uint64_t window_set_pending_bytes(const struct window_set *set);
