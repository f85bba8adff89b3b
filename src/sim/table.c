/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/table.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/param.h>

#include "common/range.h"

#define LEVELS_MAX        5
#define TCE_SHIFT         3  /* log2 of the size of a TCE */
#define INDEX_BITS_LIMIT  55 /* the levels' index bits and the page shift stay below */
#define ALLOCATION_SHIFT  24 /* the largest buddy allocation of a powerpc kernel, 16 MiB */
#define FANOUT_SHIFT      9
#define FANOUT            (1U << FANOUT_SHIFT)
#define SMALLEST_TCE_PAGE UINT64_C(0x1000)

#define PERMISSIONS UINT64_C(3)

/* A TCE as it is kept: the permissions stand in the low bits of the address. */
struct packed_tce {
	struct sim_region *region;
	uint64_t ua;
};

/* A node of the radix tree: inner ones have children, those of height 0 have TCEs. */
struct sim_tce_node {
	unsigned int used; /* children, or valid TCEs */
	union {
		struct sim_tce_node *child[FANOUT];
		struct packed_tce tce[FANOUT];
	};
};

static struct packed_tce pack(struct sim_tce tce)
{
	return (struct packed_tce){.region = tce.region, .ua = tce.ua | tce.permissions};
}

static struct sim_tce unpack(struct packed_tce tce)
{
	return (struct sim_tce){
		.region = tce.region,
		.ua = tce.ua & ~PERMISSIONS,
		.permissions = (uint32_t)(tce.ua & PERMISSIONS),
	};
}

/* 1 << shift as the hardware has it: by the low seven bits, and 0 from 64 on. C has no such shift.
 */
static uint64_t power_of(uint64_t shift)
{
	shift &= 0x7f;
	return shift < 64 ? UINT64_C(1) << shift : 0;
}

static uint64_t align_up(uint64_t value, uint64_t alignment)
{
	return (value + (alignment - 1)) & ~(alignment - 1);
}

/* log2 of a window's size, with the kernel's all-ones for 0. */
static uint32_t size_shift(uint64_t size)
{
	return size ? floor_log2(size) : UINT32_MAX;
}

/* log2 of one level's bytes. */
static uint32_t level_shift(struct sim_shape shape, unsigned int kernel_shift)
{
	/* Unsigned wrap-around is meant: a page larger than the window makes a huge number. */
	uint32_t entries_shift = size_shift(shape.size) - shape.page_shift;
	uint32_t per_level = (entries_shift + shape.levels - 1) / shape.levels;

	return MAX(per_level + TCE_SHIFT, kernel_shift);
}

uint64_t sim_shape_charge(struct sim_shape shape, unsigned int kernel_shift)
{
	uint32_t table_shift = size_shift(shape.size) - shape.page_shift + TCE_SHIFT;
	uint64_t table_size = MAX(SMALLEST_TCE_PAGE, power_of(table_shift));
	uint64_t level_size;
	uint64_t bytes = 0;

	if (shape.levels == 0 || shape.levels > LEVELS_MAX || !is_power_of_two(shape.size)) {
		return 0;
	}
	level_size = power_of(level_shift(shape, kernel_shift));
	for (uint32_t level = shape.levels; level > 0; level--) {
		bytes += align_up(table_size, level_size);
		table_size = level_size ? table_size / level_size : 0;
		table_size = MAX(table_size << TCE_SHIFT, level_size);
	}
	return 2 * bytes;
}

static int check_shape(struct sim_shape shape, unsigned int kernel_shift)
{
	uint64_t shift = 0;

	if (shape.levels == 0 || shape.levels > LEVELS_MAX || !is_power_of_two(shape.size)) {
		return -EINVAL;
	}
	shift = level_shift(shape, kernel_shift);
	if ((shift - TCE_SHIFT) * shape.levels + shape.page_shift >= INDEX_BITS_LIMIT) {
		return -EINVAL;
	}
	return shift > ALLOCATION_SHIFT ? -ENOMEM : 0;
}

static int new_table(struct sim_shape shape, uint64_t start, uint64_t entries,
		     struct sim_table **ret_table)
{
	struct sim_table *table = calloc(1, sizeof(*table));
	uint64_t covered = FANOUT;

	if (!table) {
		return -ENOMEM;
	}
	table->page_shift = shape.page_shift;
	table->first = start >> shape.page_shift;
	table->entries = entries;
	while (covered < table->entries) {
		covered <<= FANOUT_SHIFT;
		table->height++;
	}
	*ret_table = table;
	return 0;
}

int sim_table_new(struct sim_shape shape, unsigned int kernel_shift, uint64_t start,
		  struct sim_table **ret_table)
{
	struct sim_table *table = NULL;
	uint64_t entries;
	int r = check_shape(shape, kernel_shift);

	if (r < 0) {
		return r;
	}
	/* A table is at least one page of TCEs, however small the window. */
	entries = MAX(shape.size >> shape.page_shift, UINT64_C(1) << (kernel_shift - TCE_SHIFT));
	r = new_table(shape, start, entries, &table);
	if (r < 0) {
		return r;
	}
	table->levels = shape.levels;
	table->leaf_shift = level_shift(shape, kernel_shift) - TCE_SHIFT;
	table->charge = sim_shape_charge(shape, kernel_shift);
	*ret_table = table;
	return 0;
}

int sim_table_new_flat(struct sim_shape shape, uint64_t start, uint64_t charge,
		       struct sim_table **ret_table)
{
	struct sim_table *table = NULL;
	int r = new_table(shape, start, shape.size >> shape.page_shift, &table);

	if (r < 0) {
		return r;
	}
	table->levels = 1;
	table->charge = charge;
	*ret_table = table;
	return 0;
}

static void node_free(struct sim_tce_node *node, unsigned int height)
{
	if (node && height > 0) {
		for (unsigned int i = 0; i < FANOUT; i++) {
			node_free(node->child[i], height - 1);
		}
	}
	free(node);
}

struct sim_table *sim_table_free(struct sim_table *table)
{
	if (table) {
		node_free(table->root, table->height);
		free(table);
	}
	return NULL;
}

static unsigned int index_at(uint64_t position, unsigned int height)
{
	return (unsigned int)(position >> (height * FANOUT_SHIFT)) & (FANOUT - 1);
}

struct sim_tce sim_table_get(const struct sim_table *table, uint64_t entry)
{
	uint64_t position = entry - table->first;
	const struct sim_tce_node *node = table->root;

	for (unsigned int height = table->height; node && height > 0; height--) {
		node = node->child[index_at(position, height)];
	}
	return node ? unpack(node->tce[index_at(position, 0)]) : (struct sim_tce){.region = NULL};
}

/* The node behind a link, made if it isn't there yet. */
static struct sim_tce_node *require_node(struct sim_tce_node **link, unsigned int *count)
{
	if (!*link) {
		*link = calloc(1, sizeof(**link));
		if (*link && count) {
			(*count)++;
		}
	}
	return *link;
}

int sim_table_exchange(struct sim_table *table, uint64_t entry, struct sim_tce tce,
		       struct sim_tce *ret_old)
{
	uint64_t position = entry - table->first;
	struct sim_tce_node *node = require_node(&table->root, NULL);
	struct packed_tce *slot;

	for (unsigned int height = table->height; node && height > 0; height--) {
		node = require_node(&node->child[index_at(position, height)], &node->used);
	}
	if (!node) {
		return -ENOMEM;
	}
	slot = &node->tce[index_at(position, 0)];
	*ret_old = unpack(*slot);
	if (!slot->region) {
		node->used++;
		table->valid++;
	}
	*slot = pack(tce);
	return 0;
}

struct clearing {
	struct sim_table *table;
	uint64_t from; /* positions */
	uint64_t last;
	void (*cleared)(struct sim_tce tce);
	uint64_t leaves; /* that are there */
	uint64_t last_leaf;
	struct sim_walk walk;
};

/* Count the kernel's leaf that holds the node, once, with the entries of it that are cleared. */
static void count_leaf(struct clearing *clearing, uint64_t position)
{
	unsigned int shift = clearing->table->leaf_shift;
	uint64_t leaf = position >> shift;
	uint64_t start = leaf << shift;
	uint64_t last = start + (UINT64_C(1) << shift) - 1;

	if (clearing->leaves == 0 || clearing->last_leaf != leaf) {
		clearing->leaves++;
		clearing->last_leaf = leaf;
		clearing->walk.entries +=
			MIN(last, clearing->last) - MAX(start, clearing->from) + 1;
	}
}

static void clear_leaf(struct clearing *clearing, struct sim_tce_node *node, uint64_t base)
{
	uint64_t last = MIN(clearing->last - base, FANOUT - 1);

	for (uint64_t i = clearing->from > base ? clearing->from - base : 0;
	     i <= last && node->used > 0; i++) {
		struct packed_tce tce = node->tce[i];

		if (tce.region) {
			node->tce[i] = (struct packed_tce){.region = NULL};
			node->used--;
			clearing->table->valid--;
			clearing->cleared(unpack(tce));
		}
	}
}

/* Clear what the node at *link has in the range. A node that is empty then goes, but for a table of
 * several levels: the kernel's stay, too. */
static void clear_node(struct clearing *clearing, struct sim_tce_node **link, unsigned int height,
		       uint64_t base)
{
	struct sim_tce_node *node = *link;
	uint64_t span = UINT64_C(1) << (height * FANOUT_SHIFT);

	if (height == 0) {
		clear_leaf(clearing, node, base);
		count_leaf(clearing, base);
	} else {
		unsigned int first =
			clearing->from > base ? index_at(clearing->from - base, height) : 0;

		for (unsigned int i = first; i < FANOUT && base + i * span <= clearing->last; i++) {
			if (!node->child[i]) {
				continue;
			}
			clear_node(clearing, &node->child[i], height - 1, base + i * span);
			if (!node->child[i]) {
				node->used--;
			}
		}
	}
	if (node->used == 0 && clearing->table->levels == 1) {
		free(node);
		*link = NULL;
	}
}

struct sim_walk sim_table_clear(struct sim_table *table, uint64_t entry, uint64_t count,
				void (*cleared)(struct sim_tce tce))
{
	struct clearing clearing = {
		.table = table,
		.from = entry - table->first,
		.last = entry - table->first + count - 1,
		.cleared = cleared,
	};

	if (count == 0) {
		return clearing.walk;
	}
	if (table->root) {
		clear_node(&clearing, &table->root, table->height, 0);
	}
	if (table->levels == 1) {
		return (struct sim_walk){.entries = count};
	}
	clearing.walk.skipped = (clearing.last >> table->leaf_shift) -
				(clearing.from >> table->leaf_shift) + 1 - clearing.leaves;
	return clearing.walk;
}

struct iteration {
	const struct sim_table *table;
	uint64_t from; /* a position */
	bool (*visit)(void *userdata, uint64_t entry, struct sim_tce tce);
	void *userdata;
};

/* Whether to go on. */
static bool visit_node(const struct iteration *iteration, const struct sim_tce_node *node,
		       unsigned int height, uint64_t base)
{
	uint64_t first = iteration->from > base ? iteration->from - base : 0;

	for (unsigned int i = index_at(first, height); i < FANOUT; i++) {
		uint64_t position = base + ((uint64_t)i << (height * FANOUT_SHIFT));
		bool more = true;

		if (height > 0 && node->child[i]) {
			more = visit_node(iteration, node->child[i], height - 1, position);
		} else if (height == 0 && node->tce[i].region) {
			more = iteration->visit(iteration->userdata,
						iteration->table->first + position,
						unpack(node->tce[i]));
		}
		if (!more) {
			return false;
		}
	}
	return true;
}

void sim_table_iterate(const struct sim_table *table, uint64_t entry,
		       bool (*visit)(void *userdata, uint64_t entry, struct sim_tce tce),
		       void *userdata)
{
	struct iteration iteration = {
		.table = table,
		.from = entry > table->first ? entry - table->first : 0,
		.visit = visit,
		.userdata = userdata,
	};

	if (table->root && iteration.from < table->entries) {
		(void)visit_node(&iteration, table->root, table->height, 0);
	}
}
