/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Refusals: what a failed ioctl means.
 *
 * One errno has several meanings in VFIO, so each call brings a table of its own; what the caller
 * has excluded by its own checks is not in it. A positive result of an ioctl whose success is 0 is
 * a refusal too (asm/iommu.h, iommu_tce_put_param_check).
 */
#pragma once

#include "common/error.h"

struct refusal {
	int errnum; /* 0 ends the table */
	enum error_code code;
	const char *meaning; /* what it means and what to do about it */
};

/*
 * Fill error for the result (not 0) of an ioctl. The text says what was tried and what the result
 * means; an errno that is not in the table is ERROR_KERNEL. Returns the code.
 */
int refusal_set(struct error *error, const struct refusal *table, int result, const char *format,
		...) __attribute__((format(printf, 4, 5)));
