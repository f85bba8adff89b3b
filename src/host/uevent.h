/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The kernel's uevents, as kobject_uevent_env writes them: "add@/devices/…", then KEY=VALUE
 * strings, each with a terminating zero.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host/topology.h"

#define UEVENT_SIZE_MAX 8192U /* more than the kernel ever writes (UEVENT_BUFFER_SIZE) */

enum uevent_action {
	UEVENT_ADD,
	UEVENT_REMOVE,
	UEVENT_BIND,
	UEVENT_UNBIND,
	UEVENT_CHANGE, /* and "move", "online", "offline": look at it again */
};

enum uevent_subject {
	UEVENT_PCI_DEVICE, /* SUBSYSTEM=pci */
	UEVENT_VFIO_GROUP, /* the node of a group, SUBSYSTEM=vfio: there while a device of the
			      group is bound to a VFIO driver */
};

struct uevent {
	enum uevent_action action;
	enum uevent_subject subject;
	char name[TOPOLOGY_NAME_SIZE]; /* of a PCI device, "0001:01:00.0" */
	uint32_t group;                /* of a node */
};

/*
 * Whether it is about a PCI device or the node of a group, and is whole: all its strings end, none
 * of the keys that count is there twice, and header, ACTION, DEVPATH and the names agree. What
 * isn't is nothing that matters here.
 */
bool uevent_parse(const char *data, size_t size, struct uevent *ret_uevent);
