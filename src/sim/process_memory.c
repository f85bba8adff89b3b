/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/process_memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/param.h>
#include <sys/uio.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/range.h"
#include "sim/protocol.h"

#define MAPS  "/proc/self/maps"
#define SMAPS "/proc/self/smaps"

#define LINE_SIZE   512 /* of a longer line the rest, the end of a path, is skipped */
#define BUFFER_SIZE 2048

/* The smallest huge page of any machine. A mapping that isn't made of whole ones has none. */
#define SMALLEST_HUGE_PAGE UINT64_C(0x10000)

/* Reads a file line by line, without stdio, which a program may have replaced. */
struct reader {
	int fd;
	size_t filled;
	size_t taken;
	char buffer[BUFFER_SIZE];
};

struct mapping {
	uint64_t start;
	uint64_t end;
	bool readable;
	bool writable;
	bool is_file;
	bool is_region; /* of a simulated device */
};

/* What a range is made of, as far as it was followed. */
struct search {
	uint64_t next; /* the first address that wasn't found yet */
	uint64_t end;
	bool with_regions;
	bool to_read;
	struct sim_extent *extents;
	size_t room;
	size_t count;
};

int sim_process_memory_open(void)
{
	int fd = open("/proc/self/mem", O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* lines */

static int read_byte(struct reader *reader)
{
	if (reader->taken == reader->filled) {
		ssize_t got = read(reader->fd, reader->buffer, sizeof(reader->buffer));

		if (got <= 0) {
			return -1;
		}
		reader->filled = (size_t)got;
		reader->taken = 0;
	}
	return (unsigned char)reader->buffer[reader->taken++];
}

/* The next line without its end. Returns false when there is none. */
static bool read_line(struct reader *reader, char line[LINE_SIZE])
{
	size_t length = 0;
	int byte;

	while ((byte = read_byte(reader)) >= 0 && byte != '\n') {
		if (length < LINE_SIZE - 1) {
			line[length++] = (char)byte;
		}
	}
	line[length] = '\0';
	return byte >= 0;
}

/* "7f6c24000000-7f6c24021000 rw-p 00000000 00:00 0   /path" */
static bool parse_mapping(const char *line, struct mapping *ret_mapping)
{
	struct mapping mapping;
	const char *path;
	char *next;

	mapping.start = strtoull(line, &next, 16);
	if (next == line || *next != '-') {
		return false;
	}
	mapping.end = strtoull(next + 1, &next, 16);
	if (*next != ' ' || strlen(next) < strlen(" rw-p ")) {
		return false;
	}
	mapping.readable = next[1] == 'r';
	mapping.writable = next[2] == 'w';
	path = strchr(next, '/');
	mapping.is_file = path != NULL;
	mapping.is_region = path && strncmp(path, "/memfd:" SIM_REGION_FILE_NAME,
					    strlen("/memfd:" SIM_REGION_FILE_NAME)) == 0;
	*ret_mapping = mapping;
	return true;
}

/* the search */

/* Add a part of the range. Returns false when nothing may come after it. */
static bool add_extent(struct search *search, uint64_t end, unsigned int page_shift)
{
	uint64_t size = MIN(end, search->end) - search->next;

	if (search->count > 0 && search->extents[search->count - 1].page_shift == page_shift) {
		search->extents[search->count - 1].size += size;
	} else if (search->count < search->room) {
		search->extents[search->count++] =
			(struct sim_extent){.size = size, .page_shift = page_shift};
	} else {
		return false;
	}
	search->next += size;
	return search->next < search->end;
}

static bool can_be_pinned(const struct search *search, const struct mapping *mapping)
{
	return (mapping->writable || (search->to_read && mapping->readable)) &&
	       (search->with_regions || !mapping->is_region);
}

static bool may_be_huge(const struct mapping *mapping)
{
	return mapping->is_file && is_aligned(mapping->start, SMALLEST_HUGE_PAGE) &&
	       is_aligned(mapping->end, SMALLEST_HUGE_PAGE);
}

static bool is_reachable(uint64_t address)
{
	char byte;
	struct iovec to = {.iov_base = &byte, .iov_len = 1};
	struct iovec from = {.iov_base = (void *)(uintptr_t)address, .iov_len = 1};

	return process_vm_readv(getpid(), &to, 1, &from, 1, 0) == 1;
}

/* A mapping may be longer than its file: nothing is behind the rest. Returns where that begins, at
 * or after the next address that is searched. */
static uint64_t reachable_end(const struct search *search, uint64_t end, unsigned int page_shift)
{
	uint64_t low = search->next >> page_shift;
	uint64_t high = MIN(end, search->end) >> page_shift;

	if (high <= low || is_reachable((high - 1) << page_shift)) {
		return end;
	}
	/* The last page is not there. */
	high--;
	while (low < high) {
		uint64_t middle = low + (high - low) / 2;

		if (is_reachable(middle << page_shift)) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return low << page_shift;
}

/* Add what is there of a mapping. Returns false when nothing may come after it. */
static bool add_mapping(struct search *search, const struct mapping *mapping,
			unsigned int page_shift)
{
	uint64_t end =
		mapping->is_file ? reachable_end(search, mapping->end, page_shift) : mapping->end;

	return end > search->next &&
	       add_extent(search, end,
			  mapping->is_region ? SIM_PAGE_SHIFT_REGISTERS : page_shift) &&
	       end == mapping->end;
}

/* Follow the range through the list of mappings. Returns whether one may have huge pages, which
 * this list doesn't tell. */
static bool follow_maps(struct reader *reader, struct search *search, unsigned int page_shift)
{
	char line[LINE_SIZE];
	struct mapping mapping;

	while (read_line(reader, line)) {
		if (!parse_mapping(line, &mapping) || mapping.end <= search->next) {
			continue;
		}
		if (mapping.start > search->next || !can_be_pinned(search, &mapping)) {
			return false;
		}
		if (may_be_huge(&mapping)) {
			return true;
		}
		if (!add_mapping(search, &mapping, page_shift)) {
			return false;
		}
	}
	return false;
}

/* The same by the long list, where a mapping's page size stands some lines below it. */
static void follow_smaps(struct reader *reader, struct search *search)
{
	static const char key[] = "KernelPageSize:";
	char line[LINE_SIZE];
	struct mapping next;
	struct mapping mapping = {.end = 0};

	while (read_line(reader, line)) {
		if (parse_mapping(line, &next)) {
			mapping = next;
			if (mapping.end > search->next &&
			    (mapping.start > search->next || !can_be_pinned(search, &mapping))) {
				return;
			}
		} else if (mapping.end > search->next && strncmp(line, key, sizeof(key) - 1) == 0) {
			uint64_t size = strtoull(line + sizeof(key) - 1, NULL, 10) * 1024;

			if (size == 0 || !add_mapping(search, &mapping, floor_log2(size))) {
				return;
			}
		}
	}
}

int sim_process_memory_find(uint64_t address, uint64_t size, bool with_regions, bool to_read,
			    struct sim_extent *extents, size_t room)
{
	struct search search = {
		.next = address,
		.end = address + size ? address + size : UINT64_MAX,
		.with_regions = with_regions,
		.to_read = to_read,
		.extents = extents,
		.room = room,
	};
	struct reader reader = {.fd = open(MAPS, O_RDONLY | O_CLOEXEC)};
	bool huge;

	if (reader.fd < 0) {
		return -errno;
	}
	if (!range_is_valid(address, size)) {
		cleanup_fd(&reader.fd);
		return 0;
	}
	huge = follow_maps(&reader, &search, floor_log2((uint64_t)sysconf(_SC_PAGESIZE)));
	cleanup_fd(&reader.fd);
	if (huge) {
		reader = (struct reader){.fd = open(SMAPS, O_RDONLY | O_CLOEXEC)};
		if (reader.fd < 0) {
			return -errno;
		}
		follow_smaps(&reader, &search);
		cleanup_fd(&reader.fd);
	}
	return (int)search.count;
}
