/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vfio/device_memory.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/vfio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"

/* More than any device says of one region. */
#define REGION_INFO_MAX 65536U

static int describe_device(struct kernel *kernel, int fd, uint32_t *ret_regions,
			   struct error *error)
{
	struct vfio_device_info info = {.argsz = sizeof(info)};
	int r = kernel_ioctl(kernel, fd, VFIO_DEVICE_GET_INFO, &info);

	if (r != 0) {
		return error_set(error, ERROR_INVALID_ARGUMENT, r < 0 ? -r : 0,
				 "flag 4 (ram-device) takes the fd of a VFIO device, as Open of "
				 "org.spaprd1.Device gives it");
	}
	*ret_regions = info.num_regions;
	return 0;
}

/* The region that an offset lies in. Not all numbers have one. */
static bool find_region(struct kernel *kernel, int fd, uint32_t regions, uint64_t offset,
			struct vfio_region_info *ret_info)
{
	for (uint32_t i = 0; i < regions; i++) {
		struct vfio_region_info info = {.argsz = sizeof(info), .index = i};

		if (kernel_ioctl(kernel, fd, VFIO_DEVICE_GET_REGION_INFO, &info) == 0 &&
		    range_is_valid(info.offset, info.size) && offset >= info.offset &&
		    offset - info.offset < info.size) {
			*ret_info = info;
			return true;
		}
	}
	return false;
}

/* The areas of a region, among what comes behind its description; NULL: there are none. */
static const struct vfio_region_info_cap_sparse_mmap *find_areas(
	const struct vfio_region_info *info, size_t size)
{
	const struct vfio_region_info_cap_sparse_mmap *areas;
	uint32_t offset = info->cap_offset;

	/* The chain goes forward, so that it has an end. */
	while (offset >= sizeof(*info) && size >= sizeof(*areas) &&
	       offset <= size - sizeof(*areas)) {
		areas = (const void *)((const char *)info + offset);
		if (areas->header.id == VFIO_REGION_INFO_CAP_SPARSE_MMAP) {
			return areas->nr_areas <= (size - offset - sizeof(*areas)) /
							  sizeof(areas->areas[0])
				       ? areas
				       : NULL;
		}
		if (areas->header.next <= offset) {
			return NULL;
		}
		offset = areas->header.next;
	}
	return NULL;
}

/* Whether one of the areas has the range, whose start counts from the region's. */
static bool is_in_areas(const struct vfio_region_info_cap_sparse_mmap *areas, struct range part)
{
	for (uint32_t i = 0; i < areas->nr_areas; i++) {
		struct range area = {areas->areas[i].offset, areas->areas[i].size};

		if (range_is_valid(area.start, area.size) && range_contains(area, part)) {
			return true;
		}
	}
	return false;
}

static int check_areas(struct kernel *kernel, int fd, const struct vfio_region_info *region,
		       struct range part, struct error *error)
{
	struct range inside = {part.start - region->offset, part.size};
	const struct vfio_region_info_cap_sparse_mmap *areas;
	cleanup(cleanup_free) struct vfio_region_info *info = NULL;
	uint32_t size = region->argsz;

	if (!(region->flags & VFIO_REGION_INFO_FLAG_CAPS) || size <= sizeof(*info)) {
		return 0;
	}
	info = size <= REGION_INFO_MAX ? calloc(1, size) : NULL;
	if (!info) {
		return error_set(error, ERROR_KERNEL, ENOMEM,
				 "no memory for what the device says of region %" PRIu32,
				 region->index);
	}
	info->argsz = size;
	info->index = region->index;
	if (kernel_ioctl(kernel, fd, VFIO_DEVICE_GET_REGION_INFO, info) != 0) {
		return error_set(error, ERROR_KERNEL, 0,
				 "the device says nothing of region %" PRIu32, region->index);
	}
	areas = find_areas(info, size);
	if (areas && !is_in_areas(areas, inside)) {
		return error_set(error, ERROR_INVALID_ARGUMENT, 0,
				 "%s of region %" PRIu32 " is not inside one of the %" PRIu32
				 " areas that can be mapped; SparseAreas of org.spaprd1.Device "
				 "lists them",
				 range_format(inside).text, region->index, areas->nr_areas);
	}
	return 0;
}

int device_memory_check(struct kernel *kernel, int fd, struct range part, struct error *error)
{
	struct vfio_region_info region;
	uint32_t regions = 0;
	int r;

	r = describe_device(kernel, fd, &regions, error);
	if (r) {
		return r;
	}
	if (!find_region(kernel, fd, regions, part.start, &region) ||
	    part.size > region.size - (part.start - region.offset)) {
		return error_set(error, ERROR_INVALID_ARGUMENT, 0,
				 "offset and size %s are not inside one region of the device; "
				 "Regions of org.spaprd1.Device lists them",
				 range_format(part).text);
	}
	if (!(region.flags & VFIO_REGION_INFO_FLAG_MMAP)) {
		return error_set(error, ERROR_INVALID_ARGUMENT, 0,
				 "region %" PRIu32 " of the device can't be mapped", region.index);
	}
	return check_areas(kernel, fd, &region, part, error);
}
