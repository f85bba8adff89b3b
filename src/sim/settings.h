/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The settings behind a simulated host's name. */
#pragma once

#include <stdbool.h>

#include "common/error.h"
#include "sim/host.h"

#define SIM_KERNEL_WANTED    "6.12 or 7.2 is wanted"
#define SIM_PAGE_SIZE_WANTED "4096 or 65536 is wanted"

bool sim_kernel_parse(const char *text, unsigned int *ret_kernel);
bool sim_page_size_parse(const char *text, unsigned int *ret_shift);

/*
 * Read "memlock=own,pace=50,devices=x.ini", which may be empty. *ret_devices is the file of
 * `devices`, which the caller frees, or NULL. What is not given stays as it is in *settings, but
 * kernel and page_shift become 0 then, for a device list to say. 0 or a code with the error filled.
 */
int sim_settings_parse(const char *text, struct sim_settings *settings, char **ret_devices,
		       struct error *error);
