/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The window planner: the ways to have a window, and which of them is the best. It refuses what the
 * kernel would, for a CREATE that fails can leave locked memory charged, and on an LPAR ends the
 * making of windows altogether (field notes H29, H36).
 *
 * What a request leaves open is chosen like this:
 *   page size  the largest that the host has, policy allows, and every page behind the memory
 *              holds (hugetlbfs counts, transparent huge pages don't: mm_iommu_do_alloc looks at
 *              hugetlb only), and that makes a window that can be had at all
 *   size       the power of two that spans all memory, from address 0 to the highest one
 *   levels     the smallest number whose pieces are a safe allocation; one more after each ENOMEM
 */
#pragma once

#include "common/error.h"
#include "spapr/table.h"
#include "vfio/container.h"

struct planner_host {
	uint64_t page_sizes;
	uint32_t max_levels;
	struct table_rules rules;
};

/*
 * Choose. A page size that was asked for is not compared with the memory's, since memory can come
 * later.
 *
 * ERROR_INVALID_ARGUMENT  a size that is no power of two or too small, levels that the kernel
 *                         doesn't take, or no memory to take the size from
 * ERROR_PAGE_SIZE         the host doesn't have that IOMMU page size, or policy doesn't allow it;
 *                         or none is small enough for the memory
 * ERROR_QUOTA_EXCEEDED    more TCEs than a window may have
 * ERROR_TABLE_MEMORY      a level's piece is larger than any the kernel can allocate, be it with
 *                         any number of levels
 *
 * Where another page size would do, the text says which, and what it takes.
 */
int planner_plan(const struct planner_host *host, const struct memory_outlook *outlook,
		 const struct window_limits *limits, const struct window_request *request,
		 struct window_plan *ret_plan, struct error *error);

/*
 * All ways to have the window: each page size, largest first, with each number of levels, or with
 * what the request says. Those that can't be had have the code that planner_plan would answer if
 * they were asked for, but for pages larger than those behind the memory: ERROR_PAGE_SIZE. What
 * planner_plan chooses is one of them. None, when there is nothing to take the size from. Numbers
 * that make no sense for a choice (a size that is no power of two) are 0.
 */
unsigned int planner_choices(const struct planner_host *host, const struct memory_outlook *outlook,
			     const struct window_limits *limits,
			     const struct window_request *request,
			     struct window_choice ret_choices[WORKER_CHOICES_MAX]);

/* The next number of levels that is worth a try after an ENOMEM, or 0. */
uint32_t planner_more_levels(const struct planner_host *host, const struct window_plan *plan,
			     uint32_t levels);
