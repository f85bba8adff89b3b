/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "eeh/budget.h"

/* Whether a window is running at that time; as in the kernel its last moment belongs to it. */
static bool is_running(const struct freeze_budget *budget, uint64_t now, uint64_t window)
{
	return budget->used > 0 && now - budget->start <= window;
}

bool freeze_budget_spend(struct freeze_budget *budget, uint64_t now, uint32_t most, uint64_t window)
{
	if (!is_running(budget, now, window)) {
		*budget = (struct freeze_budget){.start = now};
	}
	if (budget->used < UINT32_MAX) {
		budget->used++;
	}
	return budget->used <= most;
}

uint32_t freeze_budget_left(const struct freeze_budget *budget, uint64_t now, uint32_t most,
			    uint64_t window)
{
	uint32_t used = is_running(budget, now, window) ? budget->used : 0;

	return used < most ? most - used : 0;
}
