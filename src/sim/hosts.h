/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The device trees that are built in, compiled from src/sim/hosts. */
#pragma once

#include <stddef.h>

struct sim_builtin_host {
	const char *name;
	const unsigned char *fdt; /* aligned to 8 bytes, as a tree must be */
	size_t fdt_size;
};

extern const struct sim_builtin_host sim_builtin_hosts[];
extern const size_t sim_builtin_host_count;
