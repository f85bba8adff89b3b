/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vfio/type1_info.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/vfio.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "vfio/refusal.h"

/* Room for some four thousand IOVA ranges. No IOMMU comes near. */
#define ANSWER_SIZE_MAX 65536U

/* The size can only change from one call to the next when groups come or go. */
#define ATTEMPTS_MAX 4

/* Of kernels that don't say it (dma_entry_limit, drivers/vfio/vfio_iommu_type1.c). */
#define ENTRIES_LEFT_DEFAULT UINT16_MAX

/* The versions of the capabilities that are known here. */
#define VERSION 1

/* An answer of the kernel, and how far it has been read. */
struct answer {
	uint8_t *bytes;
	size_t size;
	struct type1_info *info;
	bool has_ranges; /* the kernel told some, be they of use or not */
	uint64_t next;   /* a next range can't start below */
};

static const struct refusal info_refusals[] = {
	{EINVAL, ERROR_KERNEL, "the container has lost its IOMMU with its last group"},
	{0, ERROR_NONE, NULL},
};

static int refuse_answer(struct error *error, const char *what, uint64_t number)
{
	(void)error_set(error, ERROR_KERNEL, 0,
			"the kernel's answer to VFIO_IOMMU_GET_INFO makes no sense: %s (0x%" PRIx64
			")",
			what, number);
	return ERROR_KERNEL;
}

/* Ask with room for `size` bytes. ret_size: how many the kernel needs. */
static int ask(struct kernel *kernel, int fd, uint8_t *bytes, size_t size, size_t *ret_size,
	       struct error *error)
{
	struct vfio_iommu_type1_info info = {.argsz = (uint32_t)size};
	int r;

	memcpy(bytes, &info, sizeof(info));
	r = kernel_ioctl(kernel, fd, VFIO_IOMMU_GET_INFO, bytes);
	if (r != 0) {
		return refusal_set(error, info_refusals, r, "ask for the IOVA ranges");
	}
	memcpy(&info, bytes, sizeof(info));
	*ret_size = info.argsz;
	return 0;
}

/* The whole answer, which the caller frees. */
static int read_answer(struct kernel *kernel, int fd, struct answer *answer, struct error *error)
{
	size_t size = sizeof(struct vfio_iommu_type1_info);

	for (int i = 0; i < ATTEMPTS_MAX && size <= ANSWER_SIZE_MAX; i++) {
		cleanup(cleanup_free) uint8_t *bytes = calloc(1, size);
		size_t needed = 0;
		int r;

		if (!bytes) {
			(void)error_set(error, ERROR_KERNEL, ENOMEM,
					"no memory for 0x%zx bytes of an answer", size);
			return ERROR_KERNEL;
		}
		r = ask(kernel, fd, bytes, size, &needed, error);
		if (r) {
			return r;
		}
		if (needed <= size) {
			answer->bytes = steal_pointer(bytes);
			answer->size = size;
			return 0;
		}
		size = needed;
	}
	return refuse_answer(error, "its size", size);
}

/* Put a range behind the others; the smallest gives way when there is no room. */
static void keep_range(struct type1_info *info, struct range range)
{
	unsigned int smallest = 0;

	if (info->range_count < WORKER_WINDOWS_MAX) {
		info->ranges[info->range_count++] = range;
		return;
	}
	for (unsigned int i = 1; i < info->range_count; i++) {
		if (info->ranges[i].size < info->ranges[smallest].size) {
			smallest = i;
		}
	}
	if (info->ranges[smallest].size < range.size) {
		memmove(info->ranges + smallest, info->ranges + smallest + 1,
			(info->range_count - smallest - 1) * sizeof(*info->ranges));
		info->ranges[info->range_count - 1] = range;
	}
}

/* The part of the kernel's range, which includes `last`, that is of use. */
static void add_range(struct type1_info *info, uint64_t first, uint64_t last)
{
	uint64_t page = info->page_sizes & -info->page_sizes;
	uint64_t start = (first + (page - 1)) & ~(page - 1);
	uint64_t end = last == UINT64_MAX ? -page : (last + 1) & ~(page - 1);

	if (start >= first && start < end) {
		keep_range(info, (struct range){start, end - start});
	}
}

static int read_ranges(struct answer *answer, const uint8_t *body, size_t size, struct error *error)
{
	uint32_t head[2]; /* how many there are, and padding */
	struct vfio_iova_range range;

	if (size < sizeof(head)) {
		return refuse_answer(error, "no room for the number of IOVA ranges", size);
	}
	memcpy(head, body, sizeof(head));
	if (head[0] > (size - sizeof(head)) / sizeof(range)) {
		return refuse_answer(error, "no room for so many IOVA ranges", head[0]);
	}
	for (uint32_t i = 0; i < head[0]; i++) {
		memcpy(&range, body + sizeof(head) + i * sizeof(range), sizeof(range));
		if (range.start > range.end || range.start < answer->next ||
		    (answer->has_ranges && answer->next == 0)) {
			return refuse_answer(error, "IOVA ranges out of order", range.start);
		}
		/* 0 when there can't be another one. */
		answer->next = range.end + 1;
		answer->has_ranges = true;
		add_range(answer->info, range.start, range.end);
	}
	return 0;
}

static int read_entries_left(const struct answer *answer, const uint8_t *body, size_t size,
			     struct error *error)
{
	uint32_t left;

	if (size < sizeof(left)) {
		return refuse_answer(error, "no room for the number of entries", size);
	}
	memcpy(&left, body, sizeof(left));
	answer->info->entries_left = left;
	return 0;
}

/* What is not known here, or in a version that isn't, says nothing that has to be known. */
static int read_capability(struct answer *answer, const struct vfio_info_cap_header *header,
			   const uint8_t *body, size_t size, struct error *error)
{
	if (header->version != VERSION) {
		return 0;
	}
	switch (header->id) {
	case VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE:
		return read_ranges(answer, body, size, error);
	case VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL:
		return read_entries_left(answer, body, size, error);
	default:
		return 0;
	}
}

/* Each capability lies behind the one before (vfio_info_cap_add), so that the chain has an end. */
static int read_chain(struct answer *answer, size_t offset, struct error *error)
{
	size_t behind = sizeof(struct vfio_iommu_type1_info);
	struct vfio_info_cap_header header;

	while (offset != 0) {
		size_t end;
		int r;

		if (offset < behind || offset > answer->size - sizeof(header)) {
			return refuse_answer(error, "the place of a capability", offset);
		}
		memcpy(&header, answer->bytes + offset, sizeof(header));
		behind = offset + sizeof(header);
		end = header.next != 0 ? header.next : answer->size;
		if (end < behind || end > answer->size) {
			return refuse_answer(error, "the place of the next capability", end);
		}
		r = read_capability(answer, &header, answer->bytes + behind, end - behind, error);
		if (r) {
			return r;
		}
		offset = header.next;
	}
	return 0;
}

static int read_info(struct answer *answer, struct error *error)
{
	struct vfio_iommu_type1_info info;
	int r = 0;

	memcpy(&info, answer->bytes, sizeof(info));
	if (!(info.flags & VFIO_IOMMU_INFO_PGSIZES) || info.iova_pgsizes == 0) {
		return refuse_answer(error, "no page sizes", info.flags);
	}
	answer->info->page_sizes = info.iova_pgsizes;
	answer->info->entries_left = ENTRIES_LEFT_DEFAULT;
	if (info.flags & VFIO_IOMMU_INFO_CAPS) {
		r = read_chain(answer, info.cap_offset, error);
	}
	if (r == 0 && !answer->has_ranges) {
		add_range(answer->info, 0, UINT64_MAX);
	}
	if (r == 0 && answer->info->range_count == 0) {
		r = error_set(error, ERROR_UNSUPPORTED, 0,
			      "the IOMMU has no range of IOVA of a whole page");
	}
	return r;
}

int type1_info_read(struct kernel *kernel, int fd, struct type1_info *ret_info, struct error *error)
{
	struct type1_info info = {.range_count = 0};
	struct answer answer = {.info = &info};
	int r = read_answer(kernel, fd, &answer, error);

	if (r) {
		return r;
	}
	r = read_info(&answer, error);
	free(answer.bytes);
	if (r == 0) {
		*ret_info = info;
	}
	return r;
}
