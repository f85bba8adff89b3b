/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The table behind reset_needs.h, for its test. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct reset_need {
	uint16_t vendor;
	uint16_t first; /* device ids, both of them included */
	uint16_t last;
	const char *why; /* the driver */
};

/* Ascending, without overlaps. */
extern const struct reset_need reset_needs[];
extern const size_t reset_need_count;
