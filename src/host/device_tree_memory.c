/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How much memory a device tree speaks of. */
#include <stdlib.h>

#include "common/range.h"
#include "host/device_tree.h"
#include "host/tree_cells.h"

#define CELLS_MAX 2 /* of an address or a size: of_read_number has no more */

/* That are looked through for each block; a partition has one or a few. */
#define RANGES_MAX 64U

/* Flags of a logical memory block: asm/drmem.h. */
#define LMB_ASSIGNED 0x8U
#define LMB_RESERVED 0x80U

struct census {
	const void *blob;
	int address_cells;
	int size_cells;
	uint64_t installed;
	uint64_t nodes;  /* of all memory nodes, available or not */
	uint64_t blocks; /* of all logical memory blocks, assigned or not */
	struct range ranges[RANGES_MAX];
	size_t range_count;
};

/* An absurd tree has absurd sums, but none that wraps around. */
static uint64_t add(uint64_t a, uint64_t b)
{
	uint64_t sum;

	return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

static uint64_t multiply(uint64_t a, uint64_t b)
{
	uint64_t product;

	return __builtin_mul_overflow(a, b, &product) ? UINT64_MAX : product;
}

/* -- memory nodes -- */

static void count_node(struct census *census, int node)
{
	struct tree_cells reg = tree_get_cells(census->blob, node, "reg");
	int stride = census->address_cells + census->size_cells;
	bool available = tree_is_available(census->blob, node);

	for (int i = 0; i + stride <= reg.count; i += stride) {
		uint64_t start = tree_number(reg, i, census->address_cells);
		uint64_t size = tree_number(reg, i + census->address_cells, census->size_cells);

		census->nodes = add(census->nodes, size);
		if (!available) {
			continue;
		}
		census->installed = add(census->installed, size);
		if (census->range_count < RANGES_MAX && range_is_valid(start, size)) {
			census->ranges[census->range_count++] = (struct range){start, size};
		}
	}
}

static void count_nodes(struct census *census)
{
	static const char memory[] = "memory";
	int node = -1;

	while ((node = fdt_node_offset_by_prop_value(census->blob, node, "device_type", memory,
						     (int)sizeof(memory))) >= 0) {
		count_node(census, node);
	}
}

/* -- logical memory blocks -- */

/* How much of a range no memory node has; the nodes don't overlap each other. */
static uint64_t measure_new(const struct census *census, struct range range)
{
	uint64_t left = range.size;

	for (size_t i = 0; i < census->range_count; i++) {
		struct range other = census->ranges[i];
		uint64_t start = other.start > range.start ? other.start : range.start;
		uint64_t last = range_last(other) < range_last(range) ? range_last(other)
								      : range_last(range);

		if (range_overlaps(range, other)) {
			uint64_t common = last - start + 1;

			left = common < left ? left - common : 0;
		}
	}
	return left;
}

static void count_blocks(struct census *census, uint64_t start, uint64_t size, uint32_t flags)
{
	if (flags & LMB_RESERVED) {
		return;
	}
	census->blocks = add(census->blocks, size);
	if (flags & LMB_ASSIGNED && range_is_valid(start, size)) {
		uint64_t fresh = measure_new(census, (struct range){start, size});

		census->installed = add(census->installed, fresh);
	}
}

/* ibm,dynamic-memory (read_drconf_v1_cell): how many, then of each its address, DRC index, a
 * reserved cell, associativity and flags. */
static void count_dynamic_memory(struct census *census, int node, uint64_t block)
{
	struct tree_cells cells = tree_get_cells(census->blob, node, "ibm,dynamic-memory");
	int stride = census->address_cells + 4;

	for (int i = 1; i + stride <= cells.count; i += stride) {
		count_blocks(census, tree_number(cells, i, census->address_cells), block,
			     fdt32_ld(&cells.cell[i + stride - 1]));
	}
}

/* ibm,dynamic-memory-v2 (read_drconf_v2_cell): how many, then of each row of blocks their number,
 * the first one's address and DRC index, associativity and flags. */
static void count_dynamic_memory_v2(struct census *census, int node, uint64_t block)
{
	struct tree_cells cells = tree_get_cells(census->blob, node, "ibm,dynamic-memory-v2");
	int stride = census->address_cells + 4;

	for (int i = 1; i + stride <= cells.count; i += stride) {
		count_blocks(census, tree_number(cells, i + 1, census->address_cells),
			     multiply(block, fdt32_ld(&cells.cell[i])),
			     fdt32_ld(&cells.cell[i + stride - 1]));
	}
}

static void count_reconfigurable(struct census *census)
{
	int node = fdt_path_offset(census->blob, "/ibm,dynamic-reconfiguration-memory");
	struct tree_cells size = tree_get_cells(census->blob, node, "ibm,lmb-size");
	uint64_t block;

	if (node < 0 || size.count < census->size_cells) {
		return;
	}
	block = tree_number(size, 0, census->size_cells);
	count_dynamic_memory(census, node, block);
	count_dynamic_memory_v2(census, node, block);
}

/* -- the most there may be -- */

/* Its first cells are the address behind the last byte that there may be; 0 without hotplug. */
static uint64_t read_capacity(const struct census *census)
{
	int node = fdt_path_offset(census->blob, "/rtas");
	struct tree_cells capacity = tree_get_cells(census->blob, node, "ibm,lrdr-capacity");

	return capacity.count >= census->address_cells
		       ? tree_number(capacity, 0, census->address_cells)
		       : 0;
}

static uint64_t larger_of(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

struct device_tree_memory device_tree_read_memory(const struct device_tree *tree)
{
	const void *blob = device_tree_blob(tree);
	struct census census = {
		.blob = blob,
		.address_cells = fdt_address_cells(blob, 0),
		.size_cells = fdt_size_cells(blob, 0),
	};
	uint64_t maximum;

	if (census.address_cells < 1 || census.address_cells > CELLS_MAX || census.size_cells < 1 ||
	    census.size_cells > CELLS_MAX) {
		return (struct device_tree_memory){.installed = 0};
	}
	count_nodes(&census);
	count_reconfigurable(&census);
	maximum = larger_of(census.nodes, census.installed);
	if (device_tree_is_pseries(tree)) {
		maximum = larger_of(maximum, read_capacity(&census));
		maximum = larger_of(maximum, census.blocks);
	}
	return (struct device_tree_memory){.installed = census.installed, .maximum = maximum};
}
