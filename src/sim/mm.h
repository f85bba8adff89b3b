/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A process's address space as the IOMMU code of the kernel sees it: preregistered regions and the
 * count of locked pages.
 *
 * Concepts
 *   mm       one per process. It outlives the process while a container is bound to it.
 *   piece    a run of bytes behind a region, with the size of its pages. Whoever registers
 *            brings the pieces; they stay until the region goes, as pinned pages do. A device's
 *            registers can't be registered, and are nothing that TCEs point to.
 *   region   an exact range of user addresses whose pages are pinned. Looked up by the mm, not by
 *            the container that registered it (H19).
 *   used     how many containers registered the region, plus calls that look at it right now.
 *   mapped   1 and the number of TCEs that point into the region. The last put of a region needs
 *            1 here; else it stays, pinned and charged, with nobody left to let it go (H18).
 *   owners   the containers that would let the region go when they close. A region without owners
 *            is leaked until the mm ends.
 *   loose    a region that nobody registered: what one MAP of TCE v1 pinned, page by page. It
 *            isn't in the mm's list, is not charged, and goes with the last TCE into it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How the bytes of a piece are reached; offset counts from the start of the piece. 0 or -errno. */
struct sim_memory_operations {
	int (*read)(void *memory, uint64_t offset, void *data, size_t size);
	int (*write)(void *memory, uint64_t offset, const void *data, size_t size);
	void (*free)(void *memory);
};

struct sim_piece {
	const struct sim_memory_operations *operations;
	void *memory;
	uint64_t size;
	unsigned int page_shift; /* of the huge pages behind it, or of the host's pages */
	bool registers;          /* of a device: there is no page to pin, or to count as locked */
};

/* A range's pieces, in order and without holes, from its first address on. They may end early. */
struct sim_pieces {
	struct sim_piece *piece; /* owned */
	size_t count;
};

#define SIM_PIECES_NONE ((struct sim_pieces){.piece = NULL, .count = 0})

void sim_pieces_done(struct sim_pieces *pieces);

/* Of all, in bytes. */
uint64_t sim_pieces_size(const struct sim_pieces *pieces);

struct sim_region {
	uint64_t ua;
	uint64_t pages;
	unsigned int page_shift; /* the largest TCE page that may point into the region (H20) */
	uint64_t used;
	uint64_t mapped;
	unsigned int owners;
	bool loose;
	struct sim_pieces pieces;
};

/* A region in an mm's list, with its first address beside it. */
struct sim_region_entry {
	uint64_t ua;
	struct sim_region *region;
};

struct sim_mm {
	unsigned int references;
	unsigned int page_shift; /* of the host */
	uint64_t locked_pages;
	uint64_t leaked_pages; /* of them, charged for tables that were never made (H29) */
	struct sim_region_entry *regions; /* by address; they never overlap */
	size_t region_count;
	size_t region_room;
	struct sim_mm *next; /* in the model's list; the model looks after it */
	struct sim_mm **list;
};

/* Who calls. */
struct sim_caller {
	struct sim_mm *mm;
	uint64_t memlock_limit; /* bytes that it may lock, UINT64_MAX: no limit */
};

/* mms */

/* A new mm with one reference, put into *list. NULL when memory is out. */
struct sim_mm *sim_mm_new(struct sim_mm **list, unsigned int page_shift);
struct sim_mm *sim_mm_ref(struct sim_mm *mm);
/* Drops the regions that are left, leaked ones, with the last reference. Takes NULL, returns NULL.
 */
struct sim_mm *sim_mm_unref(struct sim_mm *mm);

/* Charge locked pages by the limit of the caller: 0 or -ENOMEM. */
int sim_mm_charge(struct sim_mm *mm, const struct sim_caller *caller, uint64_t pages);
void sim_mm_discharge(struct sim_mm *mm, uint64_t pages);

/* regions */

/* The region of exactly that range, used once more, or NULL. */
struct sim_region *sim_mm_get(struct sim_mm *mm, uint64_t ua, uint64_t pages);

/*
 * Pin a new region, charging it to mm. Takes pieces, on failure too. 0; ENOMEM (negative): over the
 * limit, or no pages at all; EFAULT: nothing is behind the start of a chunk; EINVAL: it overlaps
 * another region; or, as the kernel has it (H1), the positive number of pages of the last chunk
 * that could be pinned when that was not all.
 */
int sim_mm_pin(struct sim_mm *mm, const struct sim_caller *caller, uint64_t ua, uint64_t pages,
	       struct sim_pieces *pieces, struct sim_region **ret_region);

/* Use the region once less; the last use lets it go. 0, or -EBUSY when TCEs still point into it:
 * then nothing has changed. */
int sim_mm_put(struct sim_mm *mm, struct sim_region *region);

/* The region that the range lies in as a whole, or NULL. */
struct sim_region *sim_mm_lookup(struct sim_mm *mm, uint64_t ua, uint64_t size);

/* The page size behind an address of the region, as a shift, or 0 where there is nothing that can
 * be pinned; and, by ret_size, for how many bytes from there on it is the same. */
unsigned int sim_region_page_shift_at(const struct sim_region *region, uint64_t ua,
				      uint64_t *ret_size);

/* A loose region. Takes pieces if it is made; they may end early. NULL when memory is out. */
struct sim_region *sim_region_new_loose(uint64_t ua, uint64_t size, unsigned int page_shift,
					struct sim_pieces *pieces);

/* A TCE more, or less, points into the region; a loose one whose last it was is freed. A count that
 * is 1 already stays, as atomic64_add_unless has it (mm_iommu_mapped_dec). */
void sim_region_map(struct sim_region *region);
void sim_region_unmap(struct sim_region *region);

/* Move bytes between data and the region's memory from address ua on. 0 or -errno. */
int sim_region_read(const struct sim_region *region, uint64_t ua, void *data, size_t size);
int sim_region_write(const struct sim_region *region, uint64_t ua, const void *data, size_t size);
