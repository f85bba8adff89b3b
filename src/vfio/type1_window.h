/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The windows of a type1 container.
 *
 * The kernel has none: any range of IOVA can be mapped as long as it lies in one of the host's IOVA
 * ranges. So windows are books only: they cost nothing, start where they are wanted, and are of any
 * size. Whatever the caller believes, nothing is mapped outside of them.
 */
#pragma once

#include "vfio/container.h"
#include "vfio/type1_info.h"

struct type1_windows {
	struct type1_info host; /* what windows are made of */
	struct window made[WORKER_WINDOWS_MAX];
	unsigned int count; /* apart from each other, in any order */
};

/* A window for each of the host's ranges, with its smallest pages. */
unsigned int type1_default_windows(const struct type1_info *host,
				   struct window ret_windows[WORKER_WINDOWS_MAX]);

/*
 * Refuse a host that does not have the windows' addresses and pages any more: what it is when
 * another group joins. ERROR_WINDOW_START, ERROR_PAGE_SIZE
 */
int type1_windows_check_host(const struct type1_windows *windows, const struct type1_info *host,
			     struct error *error);

/*
 * Fill in what a request leaves open: the smallest pages, the power of two that spans the memory
 * from its address 0 on, and the lowest place that is free.
 *
 * ERROR_PAGE_SIZE         the host, or policy, doesn't have the page size
 * ERROR_INVALID_ARGUMENT  a size that isn't a multiple of it, a start that isn't, more than one
 *                         level, or no memory to take the size from
 * ERROR_QUOTA_EXCEEDED    no window spans the memory
 * ERROR_WINDOW_START      a fixed start, and the window would not lie inside one range of the host
 * ERROR_UNSUPPORTED       any start, but no range is that large
 * ERROR_NO_WINDOW_LEFT    any start, but windows are in the way
 */
int type1_windows_plan(const struct type1_windows *windows, const struct window_request *request,
		       const struct memory_outlook *outlook, const struct window_limits *limits,
		       struct window_plan *ret_plan, struct error *error);

/* Each page size with what becomes of the request then (container.h, window_choices). */
unsigned int type1_windows_choices(const struct type1_windows *windows,
				   const struct window_request *request,
				   const struct memory_outlook *outlook,
				   const struct window_limits *limits,
				   struct window_choice ret_choices[WORKER_CHOICES_MAX]);

/* ERROR_WINDOW_OVERLAP, ERROR_WINDOW_START, ERROR_NO_WINDOW_LEFT, ERROR_UNSUPPORTED */
int type1_windows_create(struct type1_windows *windows, const struct window_plan *plan,
			 struct window *ret_window, struct error *error);

/* ERROR_NOT_FOUND */
int type1_windows_remove(struct type1_windows *windows, uint64_t start, struct error *error);

/* ERROR_OUTSIDE_WINDOW */
int type1_windows_check_inside(const struct type1_windows *windows, struct range iova,
			       struct error *error);
