/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The hosts that are built in, from src/sim/hosts. */
#pragma once

#include <stddef.h>

struct sim_builtin_host {
	const char *name;
	const unsigned char *fdt; /* aligned to 8 bytes, as a tree must be; NULL: has none */
	size_t fdt_size;
	const unsigned char *list; /* a device list */
	size_t list_size;
};

extern const struct sim_builtin_host sim_builtin_hosts[];
extern const size_t sim_builtin_host_count;
