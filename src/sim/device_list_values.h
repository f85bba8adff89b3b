/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The keys of a device list: what each one takes, and where it goes. */
#pragma once

#include "sim/device_list.h"

#define DEVICE_LIST_WANTED_SIZE 64

/*
 * Set one value. Returns NULL or what is wrong with the value; *ret_line is where its line number
 * goes, untouched (NULL) for a key that there isn't.
 */
const char *device_list_set_host(struct listed_host *host, const char *key, const char *value,
				 unsigned int **ret_line);

/* The same for a device; ret_wanted may get words to put behind what is wrong. */
const char *device_list_set_device(struct listed_device *device, const char *key, const char *value,
				   unsigned int **ret_line,
				   char ret_wanted[static DEVICE_LIST_WANTED_SIZE]);

/* The index-th region that a vendor's driver adds. NULL, or what is wrong. */
const char *device_list_set_region(struct listed_device *device, const char *value, size_t index);
