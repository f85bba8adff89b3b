/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vfio/refusal.h"

#include <stdarg.h>
#include <stdio.h>

int refusal_set(struct error *error, const struct refusal *table, int result, const char *format,
		...)
{
	char tried[256];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(tried, sizeof(tried), format, arguments);
	va_end(arguments);
	if (result > 0) {
		return error_set(error, ERROR_KERNEL, 0,
				 "%s: the kernel failed with the positive result %d", tried,
				 result);
	}
	for (; table->errnum != 0; table++) {
		if (table->errnum == -result) {
			return error_set(error, table->code, -result, "%s: %s", tried,
					 table->meaning);
		}
	}
	return error_set(error, ERROR_KERNEL, -result, "%s", tried);
}
