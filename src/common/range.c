/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/range.h"

#include <inttypes.h>
#include <stdio.h>

struct range_text range_format(struct range range)
{
	struct range_text result;
	uint64_t end = range.start + range.size;

	if (range.size > 0 && end <= range.start) {
		/* The end has a 65th bit: write it, since 0 would mislead. */
		(void)snprintf(result.text, sizeof(result.text),
			       "[0x%" PRIx64 ", 0x1%016" PRIx64 ")", range.start, end);
	} else {
		(void)snprintf(result.text, sizeof(result.text), "[0x%" PRIx64 ", 0x%" PRIx64 ")",
			       range.start, end);
	}
	return result;
}
