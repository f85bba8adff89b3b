/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/size.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/range.h"

struct size_text size_format(uint64_t bytes)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	unsigned int unit = bytes == 0 ? 0 : floor_log2(bytes) / 10;
	unsigned int shift = 10 * unit;
	uint64_t rest = bytes & ((UINT64_C(1) << shift) - 1);
	struct size_text result;
	uint64_t tenths;

	if (rest == 0) {
		(void)snprintf(result.text, sizeof(result.text), "%" PRIu64 " %s", bytes >> shift,
			       units[unit]);
		return result;
	}
	tenths = 10 * (bytes >> shift) + ((10 * rest + (UINT64_C(1) << (shift - 1))) >> shift);
	if (tenths == 10240 && unit < 6) {
		tenths = 10;
		unit++;
	}
	(void)snprintf(result.text, sizeof(result.text), "%" PRIu64 ".%" PRIu64 " %s", tenths / 10,
		       tenths % 10, units[unit]);
	return result;
}

/* log2 of the unit that text names, which may be none; -1 for anything else. */
static int read_unit(const char *text)
{
	static const char letters[] = "KMGTPE";
	const char *letter;

	while (*text == ' ') {
		text++;
	}
	if (*text == '\0' || strcmp(text, "B") == 0) {
		return 0;
	}
	letter = strchr(letters, *text);
	if (!letter || (text[1] != '\0' && strcmp(text + 1, "iB") != 0)) {
		return -1;
	}
	return 10 * (int)(letter - letters + 1);
}

bool size_parse(const char *text, uint64_t *ret_bytes)
{
	unsigned long long number;
	char *end = NULL;
	int shift;

	if (*text < '0' || *text > '9') {
		return false;
	}
	errno = 0;
	number = strtoull(text, &end, strncmp(text, "0x", 2) == 0 ? 16 : 10);
	shift = read_unit(end);
	if (errno != 0 || shift < 0 || number > UINT64_MAX >> shift) {
		return false;
	}
	*ret_bytes = (uint64_t)number << shift;
	return true;
}
