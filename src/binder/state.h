/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the devices of a group were bound to before spaprd-bind took them: a file for each group
 * below the state folder, "group-7":
 *
 *   spaprd-bind 1
 *   device 0001:01:00.0 e1000e
 *   override 0001:01:00.0 pci-stub     only where there was one
 *   end
 *
 * A driver of "-" is none. The file is written whole under another name, synced, and renamed: there
 * is an old one or a new one, never half of one. The folder and the files have to be this user's,
 * and nobody else's to write to.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "common/bind_protocol.h"
#include "common/error.h"

struct state_device {
	char name[BIND_NAME_SIZE];
	char driver[BIND_DRIVER_SIZE];   /* "" for none */
	char override[BIND_DRIVER_SIZE]; /* likewise */
};

struct state {
	struct state_device devices[BIND_DEVICES_MAX];
	size_t count;
};

/*
 * Have the records of a group for oneself, until the lock is closed: a helper that the kernel keeps
 * waiting may outlive the spaprd that knows of it. Makes the folder. ERROR_BUSY: another process
 * has it; ERROR_KERNEL
 */
int state_lock(const char *folder, uint32_t group, int *ret_lock, struct error *error);

/* A group without a file has no devices. ERROR_KERNEL: the file can't be read, or makes no sense;
 * the text names it and says what to do. */
int state_read(const char *folder, uint32_t group, struct state *ret_state, struct error *error);

/* Without devices the file goes. Makes the folder. 0 or ERROR_KERNEL, and then the old file is as
 * it was. */
int state_write(const char *folder, uint32_t group, const struct state *state, struct error *error);

/* NULL when the device is not in it. */
struct state_device *state_find(struct state *state, const char *name);
