/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The mapping ledger: what is mapped where in one address space.
 *
 * Concepts
 *   mapping  a range of IOVA, the address in the address space's memory (gpa) that it starts at,
 * and what a device may do there. ledger   the mappings in order of IOVA. They never overlap, and
 * adjacent ones stay apart: a mapping is removed as it was made (the kernel would replace or halve
 * one silently).
 *
 * Inside it is a B+tree of 64 entries a node whose leaves are chained; nodes are only merged when
 * they are sparse. A leaf keeps apart what a search reads and what it doesn't, which stays where it
 * is when others come and go. Not thread-safe.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/range.h"

struct ledger;

struct mapping {
	struct range iova;
	uint64_t gpa;
	uint32_t prot; /* WORKER_PROT_*, fits a byte */
};

/* A place in the ledger, valid until the ledger changes. */
struct ledger_cursor {
	const void *leaf;
	unsigned int index;
};

enum ledger_cover {
	LEDGER_COVER_WHOLE, /* the range is made of whole mappings without holes */
	LEDGER_COVER_HOLE,  /* some address of it is not mapped */
	LEDGER_COVER_CUT,   /* it would cut a mapping in two */
};

/* An empty ledger. 0 or -ENOMEM. */
int ledger_new(struct ledger **ret_ledger);

/* Takes NULL, returns NULL. */
struct ledger *ledger_free(struct ledger *ledger);

/* Have nodes come from `allocate` (as malloc) from now on: for tests of a lack of memory. */
void ledger_set_allocator(struct ledger *ledger, void *(*allocate)(size_t size));

/*
 * Add a mapping. 0, -EINVAL when the range is none or prot is more than a byte, -EEXIST when it
 * overlaps (ret_overlap, which may be NULL, becomes the first mapping in the way), or -ENOMEM. The
 * ledger is unchanged unless 0 is returned.
 */
int ledger_insert(struct ledger *ledger, const struct mapping *mapping,
		  struct mapping *ret_overlap);

/* Remove the mapping with exactly this range. 0 or -ENOENT. */
int ledger_erase(struct ledger *ledger, struct range iova);

/* The mapping that covers an address, if there is one. */
bool ledger_find(const struct ledger *ledger, uint64_t iova, struct mapping *ret_mapping);

/* The first mapping that ends above an address: it covers `from`, or is the next one. */
bool ledger_next(const struct ledger *ledger, uint64_t from, struct mapping *ret_mapping);

/* The first mapping that a range (a valid one) overlaps, if there is one. */
bool ledger_overlaps(const struct ledger *ledger, struct range iova, struct mapping *ret_overlap);

/* Whether a range consists of whole mappings; if not, where that fails first: the address of the
 * hole or the mapping cut (either output may be NULL). */
enum ledger_cover ledger_cover(const struct ledger *ledger, struct range iova, uint64_t *ret_hole,
			       struct mapping *ret_cut);

/* Iterate: a cursor at ledger_next(from), then one mapping after another until false. */
struct ledger_cursor ledger_seek(const struct ledger *ledger, uint64_t from);
bool ledger_step(struct ledger_cursor *cursor, struct mapping *ret_mapping);

uint64_t ledger_count(const struct ledger *ledger);
uint64_t ledger_bytes(const struct ledger *ledger);

/* Whether the tree's invariants hold: order, counts, separators, the chain. For tests. */
bool ledger_is_sound(const struct ledger *ledger);
