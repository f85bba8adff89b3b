/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The regions of a device list that a vendor's driver adds: "region9 = TYPE SUBTYPE SIZE rwm
 * [FIRST-LAST ...]". */
#include <ctype.h>
#include <linux/vfio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/device.h"
#include "sim/device_list_values.h"
#include "sim/number.h"

#define REGION_SIZE_MAX (UINT64_C(1) << SIM_REGION_SHIFT)

/* What stands behind a number, if that is a space, without the spaces. */
static bool take_number(const char **text, uint64_t most, uint64_t *ret_value)
{
	const char *rest;

	if (!number_take(*text, most, ret_value, &rest) || !isspace((unsigned char)*rest)) {
		return false;
	}
	*text = rest + strspn(rest, " \t");
	return true;
}

/* "rwm": at least one of them, each once at most. */
static bool take_flags(const char **text, uint32_t *ret_flags)
{
	static const char letters[] = "rwm";
	static const uint32_t flags[] = {
		VFIO_REGION_INFO_FLAG_READ,
		VFIO_REGION_INFO_FLAG_WRITE,
		VFIO_REGION_INFO_FLAG_MMAP,
	};
	const char *c = *text;

	*ret_flags = 0;
	for (; *c && !isspace((unsigned char)*c); c++) {
		const char *letter = strchr(letters, *c);

		if (!letter || *ret_flags & flags[letter - letters]) {
			return false;
		}
		*ret_flags |= flags[letter - letters];
	}
	*text = c + strspn(c, " \t");
	return *ret_flags != 0;
}

static const char *take_area(const char **text, struct sim_extra_region *region)
{
	uint64_t first;
	uint64_t last;
	const char *rest;

	if (!number_take(*text, UINT64_MAX, &first, &rest) || *rest != '-' ||
	    !number_take(rest + 1, UINT64_MAX, &last, &rest) ||
	    (*rest != '\0' && !isspace((unsigned char)*rest))) {
		return "FIRST-LAST is wanted for each part that can be mapped";
	}
	if (first > last || last >= region->size) {
		return "a part that can be mapped is not in the region";
	}
	if (region->area_count == SIM_SPARSE_AREAS_MAX) {
		return "that are too many parts";
	}
	region->area[region->area_count++] =
		(struct sim_sparse_area){.offset = first, .size = last - first + 1};
	*text = rest + strspn(rest, " \t");
	return NULL;
}

static const char *parse_region(const char *value, struct sim_extra_region *region)
{
	uint64_t type;
	uint64_t subtype;
	const char *wrong = NULL;

	if (!take_number(&value, UINT32_MAX, &type) || !take_number(&value, UINT32_MAX, &subtype) ||
	    !take_number(&value, REGION_SIZE_MAX, &region->size) || region->size == 0 ||
	    !take_flags(&value, &region->flags)) {
		return "type, subtype, size and some of rwm are wanted";
	}
	region->type = (uint32_t)type;
	region->subtype = (uint32_t)subtype;
	if (*value != '\0' && !(region->flags & VFIO_REGION_INFO_FLAG_MMAP)) {
		return "parts that can be mapped are of a region with m";
	}
	while (*value != '\0' && !wrong) {
		wrong = take_area(&value, region);
	}
	return wrong;
}

const char *device_list_set_region(struct listed_device *device, const char *value, size_t index)
{
	struct sim_extra_region region = {.area_count = 0};
	const char *wrong = parse_region(value, &region);

	if (wrong) {
		return wrong;
	}
	if (!device->regions) {
		device->regions = calloc(SIM_EXTRA_REGIONS_MAX, sizeof(*device->regions));
		if (!device->regions) {
			return "there is no memory for it";
		}
	}
	device->regions[index] = region;
	return NULL;
}
