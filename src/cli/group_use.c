/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/group_use.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/driver.h"

/* What one needs to know of the drivers of a group's devices. */
struct drivers {
	const char *obstacle; /* the first that keeps the group from VFIO, or NULL */
	bool given;           /* a device has one of VFIO's: without, there is no group node */
};

static struct drivers find_drivers(const struct model *model, const struct model_group *group)
{
	struct drivers drivers = {.obstacle = NULL};

	for (size_t i = 0; i < group->devices.count; i++) {
		const struct model_device *device =
			model_find_device(model, group->devices.items[i]);

		if (device && !drivers.obstacle && !driver_allows_vfio(device->driver)) {
			drivers.obstacle = device->driver;
		}
		drivers.given = drivers.given || (device && driver_is_vfio(device->driver));
	}
	return drivers;
}

/* Of a PE only what is unusual is told. */
static struct group_use describe_attached(const struct model_space *space,
					  const struct model_pe *pe)
{
	struct group_use use = {.colour = NULL};

	if (!pe || (strcmp(pe->recovery, "idle") == 0 &&
		    (strcmp(pe->state, "normal") == 0 || strcmp(pe->state, "unknown") == 0))) {
		(void)snprintf(use.text, sizeof(use.text), "space %" PRIu32, space->number);
		return use;
	}
	use.colour = "red";
	(void)snprintf(use.text, sizeof(use.text), "space %" PRIu32 ", %s, recovery %s",
		       space->number, pe->state, pe->recovery);
	return use;
}

struct group_use group_use_describe(const struct model *model, const struct model_group *group)
{
	const struct model_space *space = model_find_space(model, group->space);
	struct drivers drivers = find_drivers(model, group);
	struct group_use use = {.colour = "red"};

	if (space) {
		return describe_attached(space, model_find_pe(model, group->path));
	}
	if (group->quarantine && group->quarantine[0] != '\0') {
		(void)snprintf(use.text, sizeof(use.text), "quarantine: %.*s",
			       (int)sizeof(use.text) - 16, group->quarantine);
	} else if (!group->viable && drivers.obstacle) {
		(void)snprintf(use.text, sizeof(use.text), "not viable: %s", drivers.obstacle);
	} else if (!group->viable) {
		(void)snprintf(use.text, sizeof(use.text), "not viable");
	} else if (drivers.given) {
		use.colour = "green";
		(void)snprintf(use.text, sizeof(use.text), "free");
	} else {
		use.colour = NULL;
		(void)snprintf(use.text, sizeof(use.text), "needs vfio-pci");
	}
	return use;
}
