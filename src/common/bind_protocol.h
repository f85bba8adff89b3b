/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What spaprd asks of spaprd-bind, the only part of it that writes to sysfs.
 *
 * One process serves one request: a bind_request comes as one packet over fd BIND_SOCKET_FD, a
 * bind_answer goes back, and the process ends. Where spaprd may not start it as root, systemd does,
 * for each connection to BIND_SOCKET_PATH, which only root and the user of spaprd may make.
 *
 * Fixed layouts, native byte order. The process checks everything as if a stranger had sent it;
 * whether the policy lets somebody have a device is for spaprd to decide before.
 */
#pragma once

#include <stdint.h>

#include "common/error.h"

/* Raised when a layout changes. */
#define BIND_PROTOCOL_VERSION 1U

/* Where systemd puts the first socket, too (SD_LISTEN_FDS_START). */
#define BIND_SOCKET_FD 3
/* A connection to spaprd-simhost, when simulated. */
#define BIND_SIM_FD 4

#define BIND_SOCKET_PATH "/run/spaprd-bind.socket"
/* What was bound to what before, for Restore; emptied by a reboot, as the bindings are. */
#define BIND_STATE_FOLDER "/run/spaprd-bind"

#define BIND_DEVICES_MAX 64U /* of a group */
#define BIND_HOLDERS_MAX 16U
#define BIND_NAME_SIZE   16U /* "0001:01:00.0" and the zero, with room */
#define BIND_DRIVER_SIZE 64U

enum bind_operation {
	/* Bind each device of the group to a driver, but its bridges, or none. */
	BIND_BIND = 1,
	/* Give each device that BIND_BIND took the driver and the driver_override back that it had.
	 */
	BIND_RESTORE,
	/* Who has the node of the group open. */
	BIND_HOLDERS,
};

/* BIND_BIND: also what the host uses (a mounted disk, the interface of the default route). */
#define BIND_FORCE 1U

struct bind_request {
	uint32_t version; /* BIND_PROTOCOL_VERSION */
	uint32_t operation;
	uint32_t group;
	uint32_t flags;
	uint32_t device_count; /* BIND_BIND: all of the group; else 0 */
	uint32_t reserved;     /* 0 */
	char driver[BIND_DRIVER_SIZE];
	char devices[BIND_DEVICES_MAX][BIND_NAME_SIZE]; /* terminated */
};

/* A device whose driver is another now. "" is none. */
struct bind_result {
	char device[BIND_NAME_SIZE];
	char from[BIND_DRIVER_SIZE];
	char to[BIND_DRIVER_SIZE];
};

struct bind_holder {
	int32_t pid;
	uint32_t reserved;
	char name[32];
};

/*
 * The codes of a failure; all of them but ERROR_KERNEL with text about what could not be put back
 * leave everything as it was:
 *
 * ERROR_INVALID_ARGUMENT  the devices are not those of the group; there is no such driver
 * ERROR_NOT_FOUND         no such group; BIND_RESTORE: nothing of it was bound
 * ERROR_BUSY              the host uses a device; a program has the group's node open
 * ERROR_UNSUPPORTED       the group has nothing but bridges
 * ERROR_KERNEL            the kernel refused a step, or the state can't be kept
 */
struct bind_answer {
	uint32_t version;
	uint32_t code;         /* enum error_code */
	uint32_t result_count; /* in the order in which they were changed */
	uint32_t holder_count;
	char text[ERROR_TEXT_SIZE]; /* of a failure; terminated */
	struct bind_result results[BIND_DEVICES_MAX];
	struct bind_holder holders[BIND_HOLDERS_MAX];
};
