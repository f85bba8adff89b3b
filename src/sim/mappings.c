/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/mappings.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/param.h>

#include "common/cleanup.h"
#include "common/range.h"

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

int sim_mappings_collect(const struct sim_mappings *mappings, uint64_t address, uint64_t size,
			 struct sim_wire_piece pieces[PACKET_FDS_MAX], struct packet_fds *ret_fds)
{
	struct packet_fds fds = PACKET_FDS_NONE;

	while (size > 0) {
		const struct sim_mapping *mapping = find(mappings, address);
		uint64_t into;
		uint64_t part;
		int fd;

		/* Registered memory is pinned for writing. */
		if (!mapping || !(mapping->prot & PROT_WRITE)) {
			break;
		}
		fd = fds.count < PACKET_FDS_MAX ? fcntl(mapping->fd, F_DUPFD_CLOEXEC, 0) : -1;
		if (fd < 0) {
			int r = fds.count < PACKET_FDS_MAX ? -errno : -EMSGSIZE;

			packet_fds_done(&fds);
			return r;
		}
		into = address - mapping->address;
		part = MIN(size, mapping->size - into);
		pieces[fds.count] =
			(struct sim_wire_piece){.offset = mapping->offset + into, .size = part};
		fds.fd[fds.count++] = fd;
		address += part;
		size -= part;
	}
	*ret_fds = fds;
	return 0;
}
