/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Numbers of bytes for eyes. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct size_text {
	char text[32];
};

/*
 * A number of bytes as "0 B", "64 KiB", "16.1 MiB": the largest unit that leaves at least 1. A
 * decimal means that the number was rounded to it, so "2.0 GiB" is not quite 2 GiB.
 */
struct size_text size_format(uint64_t bytes);

/*
 * Read a number of bytes: "4096", "0x1000", "64K", "2 MiB", "1TiB"; the units are powers of 1024,
 * from K to E. Whether it is one, and fits.
 */
bool size_parse(const char *text, uint64_t *ret_bytes);
