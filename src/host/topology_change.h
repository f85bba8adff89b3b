/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Devices and groups that come and go while the topology is in use: it is brought up to date from
 * sysfs, and what is different now is told.
 *
 * A record that is gone is out of the lists, but stays as long as the topology; what comes back
 * under the same name (a device of the same group, a group of the same number) gets its record
 * again, with `owner` as it was and the rest read anew.
 */
#pragma once

#include "host/topology.h"

/* In this order for one device: its group comes before it, and goes after it. */
enum topology_event {
	TOPOLOGY_GROUP_ADDED,
	TOPOLOGY_DEVICE_ADDED,
	TOPOLOGY_DEVICE_REMOVED,
	TOPOLOGY_GROUP_REMOVED,
};

struct topology_listener {
	/* device is NULL for groups. The lists are as they are after it. */
	void (*happened)(void *userdata, enum topology_event event, struct topology_group *group,
			 struct topology_device *device);
	void *userdata;
};

/*
 * Compare a device, which need not be known, with sysfs: it has come, gone, changed its group, or
 * is another one under the same name. 0, or ERROR_KERNEL and the device is left as it was.
 * ret_grouped: whether sysfs has it, and in a group: a device that is being plugged in may be seen
 * before it has one.
 */
int topology_look_at_device(struct topology *topology, const char *name,
			    const struct topology_listener *listener, bool *ret_grouped,
			    struct error *error);

/* The device was away for a moment at least, whatever is there now. A name that is not known is
 * fine. 0, or ERROR_KERNEL: no memory, and the device is left as it was. */
int topology_lose_device(struct topology *topology, const char *name,
			 const struct topology_listener *listener, struct error *error);

/* Groups alone: those without devices may come, and go, later than their devices. 0 or
 * ERROR_KERNEL.
 */
int topology_look_at_groups(struct topology *topology, const struct topology_listener *listener,
			    struct error *error);

/* Compare all devices and groups. 0, or the first error after all the others were compared. */
int topology_look_at_all(struct topology *topology, const struct topology_listener *listener,
			 struct error *error);
