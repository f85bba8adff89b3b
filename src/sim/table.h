/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A TCE table: the geometry that a powernv kernel works out for a window, and the entries.
 *
 * Concepts
 *   entry    one TCE: the translation of one IOMMU page. Entries are numbered by IOVA, so the
 *            first entry of a table is its start address in IOMMU pages.
 *   level    a table of several levels is a tree, and each of its nodes is one allocation of the
 *            kernel's, at most 16 MiB. An LPAR's table is one level, in the hypervisor.
 *   leaf     a node of the last level. The kernel makes it with the first entry in it, keeps it as
 *            long as the table, and skips those that aren't there when it clears.
 *   charge   what the kernel counts as locked memory for a table: all levels as if they were
 *            complete, twice, since it keeps the user addresses beside the TCEs (H30).
 *
 * Entries are kept in a radix tree of their own, so that a window of 2^54 bytes costs what is
 * mapped in it. A kernel doesn't check that an index lies inside the table (H5); here every access
 * beyond the end is refused, and the caller counts it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct sim_region;

#define SIM_WINDOWS 2 /* of a PE, at most */

#define SIM_TCE_READ  1U /* the device may read the memory */
#define SIM_TCE_WRITE 2U /* the device may write it */

struct sim_tce {
	struct sim_region *region; /* NULL: not valid */
	uint64_t ua;               /* a multiple of 4 KiB */
	uint32_t permissions;
};

struct sim_tce_node;

struct sim_table {
	unsigned int page_shift; /* of an entry */
	unsigned int levels;
	unsigned int leaf_shift; /* entries in a leaf */
	uint64_t first;
	uint64_t entries;
	uint64_t charge; /* bytes */
	uint64_t valid;  /* entries that are */
	unsigned int height;
	struct sim_tce_node *root;
};

/* What is asked for when a window is created. */
struct sim_shape {
	uint32_t page_shift;
	uint64_t size;
	uint32_t levels;
};

/* What a kernel looks at when it clears a range. */
struct sim_walk {
	uint64_t entries; /* one by one */
	uint64_t skipped; /* leaves that aren't there */
};

/* powernv's arithmetic of locked memory: bytes, or 0 where it sees at once that there can be no
 * such window. kernel_shift is the page shift of the host. */
uint64_t sim_shape_charge(struct sim_shape shape, unsigned int kernel_shift);

/* Make an empty table of a powernv host that starts at that IOVA. 0; -EINVAL: too many levels for
 * the size, or too few entries; -ENOMEM: a level can't be one allocation. */
int sim_table_new(struct sim_shape shape, unsigned int kernel_shift, uint64_t start,
		  struct sim_table **ret_table);

/* Make an empty table of one level with just the entries of the shape. 0 or -ENOMEM. */
int sim_table_new_flat(struct sim_shape shape, uint64_t start, uint64_t charge,
		       struct sim_table **ret_table);

/* Takes NULL, returns NULL. The table must be empty. */
struct sim_table *sim_table_free(struct sim_table *table);

static inline bool sim_table_contains(const struct sim_table *table, uint64_t entry)
{
	return entry >= table->first && entry - table->first < table->entries;
}

/* The entry's TCE, which isn't valid when there is none. */
struct sim_tce sim_table_get(const struct sim_table *table, uint64_t entry);

/* Put a valid TCE into an entry of the table and return the old one by ret_old. 0 or -ENOMEM. */
int sim_table_exchange(struct sim_table *table, uint64_t entry, struct sim_tce tce,
		       struct sim_tce *ret_old);

/* Empty the entries [entry, entry + count), which lie in the table, giving each that was valid to
 * the function. Costs what is mapped there; what a kernel would walk over is returned. */
struct sim_walk sim_table_clear(struct sim_table *table, uint64_t entry, uint64_t count,
				void (*cleared)(struct sim_tce tce));

/* Give each valid entry from `entry` on to the function, in order, until it returns false. */
void sim_table_iterate(const struct sim_table *table, uint64_t entry,
		       bool (*visit)(void *userdata, uint64_t entry, struct sim_tce tce),
		       void *userdata);
