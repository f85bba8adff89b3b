/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The window planner: chooses what a window request leaves open, and refuses what the kernel would.
 *
 *   page size  the largest that the host has and that the memory allows (its smallest backing page)
 *   size       the power of two that spans all memory, from address 0 to the highest one
 *   levels     the smallest number whose pieces are a safe allocation; more after an ENOMEM
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
 * ERROR_INVALID_ARGUMENT  a size that is no power of two or less than a page, levels that the
 *                         kernel doesn't take, or no memory to take the size from
 * ERROR_PAGE_SIZE         the host doesn't have that IOMMU page size
 * ERROR_QUOTA_EXCEEDED    more TCEs than a window may have
 * ERROR_TABLE_MEMORY      a level's piece is larger than any the kernel can allocate
 */
int planner_plan(const struct planner_host *host, const struct memory_outlook *outlook,
		 const struct window_request *request, struct window_plan *ret_plan,
		 struct error *error);

/* The next number of levels that is worth a try after an ENOMEM, or 0. */
uint32_t planner_more_levels(const struct planner_host *host, const struct window_plan *plan,
			     uint32_t levels);
