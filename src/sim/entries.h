/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The mappings of a type1 container, sorted by IOVA (the kernel's vfio_dma).
 *
 * Concepts
 *   entry   one mapping as MAP_DMA made it: it goes as a whole, and never overlaps another. Its
 *           pages are pinned, and charged to the process that mapped it.
 *   owner   that process's mm. Others may map and unmap in the same container, each on its own
 *           account; there is no mm that a type1 container is bound to.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sim/mm.h"

struct sim_entry {
	uint64_t iova;
	uint64_t size;            /* bytes, not 0 */
	uint32_t permissions;     /* VFIO_DMA_MAP_FLAG_READ and _WRITE: what the device may do */
	bool vaddr_invalid;       /* by VFIO_DMA_UNMAP_FLAG_VADDR; DMA goes on */
	struct sim_mm *mm;        /* the owner's; a reference is held */
	uint64_t locked;          /* pages on its account: not those of devices' registers */
	struct sim_region region; /* what is pinned; in no mm's list */
};

struct sim_entries {
	struct sim_entry **entry;
	size_t count;
	size_t room;
};

/* Lets the pages go and takes them off the owner's account. Takes NULL, returns NULL. */
struct sim_entry *sim_entry_free(struct sim_entry *entry);

static inline uint64_t sim_entry_last(const struct sim_entry *entry)
{
	return entry->iova + (entry->size - 1);
}

/* The index of the first entry that reaches to iova or beyond, or the count. */
size_t sim_entries_find(const struct sim_entries *entries, uint64_t iova);

/* An entry that has bytes in the range, which isn't empty and doesn't wrap; or NULL. */
struct sim_entry *sim_entries_overlap(const struct sim_entries *entries, uint64_t iova,
				      uint64_t size);

/* Whether the range [iova, last] has a part of an entry but not all of it. */
bool sim_entries_cut(const struct sim_entries *entries, uint64_t iova, uint64_t last);

/* Take an entry that overlaps no other. 0, or -ENOMEM: then it stays the caller's. */
int sim_entries_insert(struct sim_entries *entries, struct sim_entry *entry);

/* Free so many entries from that index on. */
void sim_entries_remove(struct sim_entries *entries, size_t first, size_t count);

/* Free all entries, and the list. */
void sim_entries_done(struct sim_entries *entries);
