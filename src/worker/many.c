/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "worker/many.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/worker_protocol.h"

#define SEALS (F_SEAL_SHRINK | F_SEAL_WRITE)

/* Mappings read at a time. */
#define PART_COUNT 512U

static int check_fd(int fd, uint32_t count, size_t entry_size, struct error *error)
{
	struct stat status;
	int seals;

	if (count == 0 || count > WORKER_MANY_MAX) {
		return error_set(error, ERROR_INVALID_ARGUMENT, 0,
				 "%" PRIu32 " entries; one call takes 1 to %u", count,
				 WORKER_MANY_MAX);
	}
	seals = fcntl(fd, F_GET_SEALS);
	if (seals < 0 || (seals & SEALS) != SEALS) {
		return error_set(error, ERROR_INVALID_ARGUMENT, seals < 0 ? errno : 0,
				 "the entries are not in a memfd that is sealed against shrinking "
				 "and writing");
	}
	if (fstat(fd, &status) < 0) {
		return error_set(error, ERROR_KERNEL, errno, "can't look at the entries");
	}
	if ((uint64_t)status.st_size != (uint64_t)count * entry_size) {
		return error_set(error, ERROR_INVALID_ARGUMENT, 0,
				 "the memfd has %jd bytes, but %" PRIu32 " entries have %" PRIu64,
				 (intmax_t)status.st_size, count, (uint64_t)count * entry_size);
	}
	return 0;
}

static int read_all(int fd, void *buffer, size_t size, size_t offset, struct error *error)
{
	char *bytes = buffer;

	while (size > 0) {
		ssize_t got = pread(fd, bytes, size, (off_t)offset);

		if (got <= 0) {
			return error_set(error, ERROR_KERNEL, got < 0 ? errno : EIO,
					 "can't read the entries");
		}
		bytes += got;
		size -= (size_t)got;
		offset += (size_t)got;
	}
	return 0;
}

static struct mapping mapping_of(const struct worker_mapping *wire)
{
	return (struct mapping){
		.iova = {wire->iova, wire->size},
		.gpa = wire->gpa,
		.prot = wire->prot > UINT32_MAX ? UINT32_MAX : (uint32_t)wire->prot,
	};
}

int many_read_mappings(int fd, uint32_t count, struct mapping **ret_mappings, struct error *error)
{
	cleanup(cleanup_free) struct mapping *mappings = NULL;
	struct worker_mapping part[PART_COUNT];
	int r;

	r = check_fd(fd, count, sizeof(*part), error);
	if (r) {
		return r;
	}
	mappings = malloc(count * sizeof(*mappings));
	if (!mappings) {
		return error_set(error, ERROR_KERNEL, ENOMEM, "no memory for the entries");
	}
	for (uint32_t done = 0; done < count;) {
		uint32_t number = count - done < PART_COUNT ? count - done : PART_COUNT;

		r = read_all(fd, part, number * sizeof(*part), done * sizeof(*part), error);
		if (r) {
			return r;
		}
		for (uint32_t i = 0; i < number; i++) {
			mappings[done + i] = mapping_of(&part[i]);
		}
		done += number;
	}
	*ret_mappings = steal_pointer(mappings);
	return 0;
}

int many_read_ranges(int fd, uint32_t count, struct range **ret_ranges, struct error *error)
{
	cleanup(cleanup_free) struct range *ranges = NULL;
	int r;

	/* A range is the same on the wire. */
	_Static_assert(sizeof(struct worker_unmap) == sizeof(struct range) &&
			       offsetof(struct worker_unmap, size) == offsetof(struct range, size),
		       "start and size");
	r = check_fd(fd, count, sizeof(*ranges), error);
	if (r) {
		return r;
	}
	ranges = malloc(count * sizeof(*ranges));
	if (!ranges) {
		return error_set(error, ERROR_KERNEL, ENOMEM, "no memory for the entries");
	}
	r = read_all(fd, ranges, count * sizeof(*ranges), 0, error);
	if (r) {
		return r;
	}
	*ret_ranges = steal_pointer(ranges);
	return 0;
}
