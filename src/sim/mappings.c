/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/mappings.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/param.h>

#include "common/cleanup.h"
#include "common/range.h"
#include "sim/process_memory.h"

/* Parts of the process's own memory that are looked up at a time. */
#define EXTENTS_MAX 64

void sim_mappings_done(struct sim_mappings *mappings)
{
	for (size_t i = 0; i < mappings->count; i++) {
		cleanup_fd(&mappings->mapping[i].fd);
	}
	free(mappings->mapping);
	*mappings = (struct sim_mappings){.mapping = NULL, .count = 0};
}

static struct range mapping_range(const struct sim_mapping *mapping)
{
	return (struct range){.start = mapping->address, .size = mapping->size};
}

int sim_mappings_add(struct sim_mappings *mappings, const struct sim_mapping *mapping)
{
	struct sim_mapping *grown =
		reallocarray(mappings->mapping, mappings->count + 1, sizeof(*grown));
	int fd;

	if (!grown) {
		return -ENOMEM;
	}
	mappings->mapping = grown;
	fd = fcntl(mapping->fd, F_DUPFD_CLOEXEC, 0);
	if (fd < 0) {
		return -errno;
	}
	grown[mappings->count] = *mapping;
	grown[mappings->count].fd = fd;
	mappings->count++;
	return 0;
}

/* Put back the part of a mapping that begins at address and ends before end. */
static int add_part(struct sim_mappings *mappings, const struct sim_mapping *whole,
		    uint64_t address, uint64_t end)
{
	struct sim_mapping part = *whole;

	if (address >= end) {
		return 0;
	}
	part.address = address;
	part.size = end - address;
	part.offset += address - whole->address;
	return sim_mappings_add(mappings, &part);
}

int sim_mappings_remove(struct sim_mappings *mappings, uint64_t address, uint64_t size)
{
	struct range removed = {.start = address, .size = size};
	size_t i = 0;

	while (range_is_valid(address, size) && i < mappings->count) {
		struct sim_mapping whole = mappings->mapping[i];
		int r;

		if (!range_overlaps(mapping_range(&whole), removed)) {
			i++;
			continue;
		}
		mappings->mapping[i] = mappings->mapping[--mappings->count];
		r = add_part(mappings, &whole, whole.address, address);
		if (r == 0) {
			r = add_part(mappings, &whole, address + size, whole.address + whole.size);
		}
		cleanup_fd(&whole.fd);
		if (r < 0) {
			return r;
		}
	}
	return 0;
}

static const struct sim_mapping *find(const struct sim_mappings *mappings, uint64_t address)
{
	for (size_t i = 0; i < mappings->count; i++) {
		const struct sim_mapping *mapping = &mappings->mapping[i];

		if (range_contains_address(mapping_range(mapping), address)) {
			return mapping;
		}
	}
	return NULL;
}

/* Where the next mapping above an address begins. */
static uint64_t find_next(const struct sim_mappings *mappings, uint64_t address)
{
	uint64_t next = UINT64_MAX;

	for (size_t i = 0; i < mappings->count; i++) {
		if (mappings->mapping[i].address > address) {
			next = MIN(next, mappings->mapping[i].address);
		}
	}
	return next;
}

/* pieces */

void sim_piece_list_done(struct sim_piece_list *list)
{
	for (unsigned int i = 0; i < list->fd_count; i++) {
		(void)fd_close(list->fds[i]);
	}
	free(list->fds);
	free(list->piece);
	*list = SIM_PIECE_LIST_NONE;
}

/* A list on its way, and the range that is left. */
struct collection {
	struct sim_piece_list list;
	uint64_t address;
	uint64_t size;
	bool with_regions;
	bool to_read;
	int memory; /* the place of the process's own memory among the fds, or -1 */
};

/* Takes fd. Its place among the fds, or -errno. */
static int add_fd(struct sim_piece_list *list, int fd)
{
	int *grown = reallocarray(list->fds, list->fd_count + 1, sizeof(*grown));

	if (!grown) {
		(void)fd_close(fd);
		return -ENOMEM;
	}
	list->fds = grown;
	grown[list->fd_count] = fd;
	return (int)list->fd_count++;
}

static int add_piece(struct collection *collection, struct sim_wire_piece piece)
{
	struct sim_wire_piece *grown =
		reallocarray(collection->list.piece, collection->list.count + 1, sizeof(*grown));

	if (!grown) {
		return -ENOMEM;
	}
	collection->list.piece = grown;
	grown[collection->list.count++] = piece;
	collection->address += piece.size;
	collection->size -= piece.size;
	return 0;
}

/* The part of the range that lies in a mapping. */
static int add_mapping(struct collection *collection, const struct sim_mapping *mapping)
{
	uint64_t into = collection->address - mapping->address;
	int fd = fcntl(mapping->fd, F_DUPFD_CLOEXEC, 0);
	int place = fd < 0 ? -errno : add_fd(&collection->list, fd);

	return place < 0 ? place
			 : add_piece(collection,
				     (struct sim_wire_piece){
					     .offset = mapping->offset + into,
					     .size = MIN(collection->size, mapping->size - into),
					     .fd = (uint32_t)place,
				     });
}

/* Parts of the process's own memory, up to an address. Returns whether the range may go on there,
 * or -errno. Where the process may not look at itself, nothing is there. */
static int add_own_memory(struct collection *collection, uint64_t end)
{
	struct sim_extent extents[EXTENTS_MAX];
	uint64_t size = MIN(collection->size, end - collection->address);
	int found = sim_process_memory_find(collection->address, size, collection->with_regions,
					    collection->to_read, extents, EXTENTS_MAX);

	if (found > 0 && collection->memory < 0) {
		int fd = sim_process_memory_open();

		collection->memory = fd < 0 ? -1 : add_fd(&collection->list, fd);
	}
	if (collection->memory < 0) {
		return 0;
	}
	for (int i = 0; i < found; i++) {
		int r = add_piece(collection, (struct sim_wire_piece){
						      .offset = collection->address,
						      .size = extents[i].size,
						      .fd = (uint32_t)collection->memory,
						      .page_shift = extents[i].page_shift,
					      });

		if (r < 0) {
			return r;
		}
	}
	return collection->address == end || found == EXTENTS_MAX;
}

/* Registered memory is pinned for writing. */
static bool can_be_pinned(const struct collection *collection, const struct sim_mapping *mapping)
{
	return mapping->prot & (collection->to_read ? PROT_READ | PROT_WRITE : PROT_WRITE);
}

/* The next piece or pieces. Returns whether there may be more, or -errno. */
static int add_next(struct collection *collection, const struct sim_mappings *mappings)
{
	const struct sim_mapping *mapping = find(mappings, collection->address);
	int r;

	if (!mapping) {
		return add_own_memory(collection, find_next(mappings, collection->address));
	}
	if (!can_be_pinned(collection, mapping)) {
		return 0;
	}
	r = add_mapping(collection, mapping);
	return r < 0 ? r : 1;
}

int sim_mappings_collect(const struct sim_mappings *mappings, uint64_t address, uint64_t size,
			 bool with_regions, bool to_read, struct sim_piece_list *ret_list)
{
	struct collection collection = {
		.list = SIM_PIECE_LIST_NONE,
		.address = address,
		.size = size,
		.with_regions = with_regions,
		.to_read = to_read,
		.memory = -1,
	};
	int r = 1;

	while (r > 0 && collection.size > 0 &&
	       collection.list.count + EXTENTS_MAX <= SIM_PIECES_MAX) {
		r = add_next(&collection, mappings);
	}
	if (r < 0) {
		sim_piece_list_done(&collection.list);
		return r;
	}
	*ret_list = collection.list;
	return 0;
}
