/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Properties of a device tree that are 32-bit cells, or texts. The tree is not trusted. */
#pragma once

#include <libfdt.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* No cells for a property that isn't there; bytes behind the last whole cell don't count. */
struct tree_cells {
	const fdt32_t *cell; /* may not be aligned: fdt32_ld */
	int count;
};

static inline struct tree_cells tree_get_cells(const void *blob, int node, const char *name)
{
	int size = 0;
	const void *data = fdt_getprop(blob, node, name, &size);

	return (struct tree_cells){data, data ? size / (int)sizeof(fdt32_t) : 0};
}

/* `count` cells from number `first` on as one number; the caller knows that they are there. Of more
 * than two the last two remain, as of_read_number has it. */
static inline uint64_t tree_number(struct tree_cells cells, int first, int count)
{
	uint64_t value = 0;

	for (int i = first; i < first + count; i++) {
		value = value << 32 | fdt32_ld(&cells.cell[i]);
	}
	return value;
}

/* The first cell, or what stands for a property without any. */
static inline uint32_t tree_get_cell(const void *blob, int node, const char *name, uint32_t missing)
{
	struct tree_cells cells = tree_get_cells(blob, node, name);

	return cells.count > 0 ? fdt32_ld(cells.cell) : missing;
}

/* NULL when there is none or it has no end. Of a list of strings: the first. */
static inline const char *tree_get_text(const void *blob, int node, const char *name)
{
	int size = 0;
	const char *text = fdt_getprop(blob, node, name, &size);

	return text && size > 0 && memchr(text, '\0', (size_t)size) ? text : NULL;
}

/* of_device_is_available */
static inline bool tree_is_available(const void *blob, int node)
{
	const char *status = tree_get_text(blob, node, "status");

	return !fdt_getprop(blob, node, "status", NULL) ||
	       (status && (strcmp(status, "okay") == 0 || strcmp(status, "ok") == 0));
}
