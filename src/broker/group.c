/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "broker/group.h"

#include <inttypes.h>
#include <string.h>

#define CLASS_BRIDGE_PCI 0x0604U /* base class and subclass of the PCI specification */

static bool has_name(const char *const *names, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(names[i], name) == 0) {
			return true;
		}
	}
	return false;
}

static const struct topology_device *find_device(const struct group *group, const char *name)
{
	for (size_t i = 0; i < group->host->device_count; i++) {
		if (strcmp(group->host->devices[i]->name, name) == 0) {
			return group->host->devices[i];
		}
	}
	return NULL;
}

/* Devices that could have been named and were not; each goes behind the error's text. */
static int check_missing(const struct group *group, const char *const *names, size_t count,
			 struct error *error)
{
	int r = 0;

	for (size_t i = 0; i < group->host->device_count; i++) {
		const struct topology_device *device = group->host->devices[i];

		if (device->class >> 8 == CLASS_BRIDGE_PCI ||
		    has_name(names, count, device->name)) {
			continue;
		}
		if (r == 0) {
			r = error_set(error, ERROR_INVALID_ARGUMENT, 0,
				      "a balloon must be allowed for all devices of group %" PRIu32
				      " or for none; missing:",
				      group->host->id);
		}
		error_append(error, " %s", device->name);
	}
	return r;
}

int group_allows_balloon(const struct group *group, const char *const *names, size_t count,
			 bool *ret_allowed, struct error *error)
{
	int r;

	for (size_t i = 0; i < count; i++) {
		if (!find_device(group, names[i])) {
			return error_set(error, ERROR_INVALID_ARGUMENT, 0,
					 "device \"%.64s\" is not in group %" PRIu32, names[i],
					 group->host->id);
		}
	}
	r = count > 0 ? check_missing(group, names, count, error) : 0;
	if (r == 0) {
		*ret_allowed = count > 0;
	}
	return r;
}
