/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A group as the broker sees it: what the host says of it, and the address space that has it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "host/topology.h"

struct delegation;
struct host_device;
struct pe;
struct space;
struct taking;

struct group {
	const struct topology_group *host;
	struct host_device *devices;      /* of the group, owned, broker/device.h */
	struct host_device *gone_devices; /* that were unplugged, owned */
	bool gone; /* from the host: it leaves the address space that has it, and the bus then */
	struct taking *taking; /* owned, broker/release.h; NULL: it is not being taken away */
	/* The address space that has the group or is about to; NULL when it is free. */
	struct space *space;
	uint32_t container_id;         /* meaningful with space; 0 while it is being attached */
	struct delegation *delegation; /* owned, broker/delegation.h; NULL: it is not delegated */
	void *face;                    /* the observer's own */
	unsigned int openings;         /* of its devices, that wait (broker/device.h) */
	unsigned int calls; /* of its devices, that wait for a look (broker/device_call.h) */
	struct pe *pe;      /* owned by the manager; NULL where the host has no EEH */
};

/*
 * Whether the devices of those names, that are said to cope with a memory balloon, are all devices
 * of the group but its bridges, which nobody opens. No name at all is a plain false. 0, or
 * ERROR_INVALID_ARGUMENT that says which name is not in the group or which devices are missing: one
 * device that does not cope needs the memory to stay as it is for all.
 */
int group_allows_balloon(const struct group *group, const char *const *names, size_t count,
			 bool *ret_allowed, struct error *error);
