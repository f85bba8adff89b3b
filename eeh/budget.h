/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The freeze budget of a PE: how many freezes it may have in a window of time, which begins with
 * the first of them (eeh_pe_update_time_stamp in arch/powerpc/kernel/eeh_pe.c). The kernel doesn't
 * count for PEs that are passed through (field note H47).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct freeze_budget {
	uint32_t used;  /* freezes since `start` */
	uint64_t start; /* of the window, ms; meaningful with used > 0 */
};

/*
 * One more freeze at `now` (ms, never less than before), of at most `most` in `window` ms. Whether
 * it is within the budget: the one after `most` isn't. 0 allows none.
 */
bool freeze_budget_spend(struct freeze_budget *budget, uint64_t now, uint32_t most,
			 uint64_t window);

/* How many are left at `now`. */
uint32_t freeze_budget_left(const struct freeze_budget *budget, uint64_t now, uint32_t most,
			    uint64_t window);
