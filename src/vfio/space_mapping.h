/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Mappings: what space_mapping.c and space_many.c share.
 *
 * Concepts
 *   piece  what a container is asked to map at once: a mapping, or several that follow each other
 * in IOVA and in memory, with the same rights, in one window and one section. merge  to make one
 * piece of such mappings. Where the kernel takes any number of maps, and can unmap a part of one,
 * that is always good. Where its maps are entries of a limited number that go as a whole (type1),
 * mappings are only merged when there are not enough left: a mapping that is alone can be unmapped
 * alone.
 */
#pragma once

#include "vfio/space_private.h"

struct map_piece {
	struct mapping mapping;
	const struct window *window;
	struct section *section;
};

/* Check a mapping against all but the ledger, and find its window and section. As space_map. */
int map_piece_check(const struct space *space, struct map_piece *piece, struct error *error);

/* Merge the next piece into one, if they go together. */
bool map_piece_take(struct map_piece *piece, const struct map_piece *next);

int map_piece_apply(const struct map_piece *piece, struct container *container,
		    struct error *error);

/* Whether so many mappings more have to be merged, or may be. */
bool container_merges(const struct container *container, uint64_t count);

/* ERROR_QUOTA_EXCEEDED: so many mappings more are too many entries, even as so many merged ones. */
int refuse_entries(const struct space *space, const struct container *container, uint64_t count,
		   uint64_t merged, struct error *error);

typedef int container_unmap_function(struct container *container, struct range iova,
				     struct error *error);

/* Unmap (or check) a range that is mapped without holes. It may reach from one window into the next
 * where they touch: one call for each. */
int space_unmap_range(const struct space *space, struct container *container, struct range iova,
		      container_unmap_function *unmap, struct error *error);

/* Whether the ledger allows a range to be unmapped. As space_unmap. */
int space_check_unmap(const struct space *space, struct range iova, struct error *error);

/* Take a range of whole mappings out of the books. */
void space_forget_mappings(struct space *space, struct range iova);
