/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lab_host.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_HOST "powernv9"

#define POWERNV                                                                            \
	.kind = "powernv", .edu = "0000:01:00.0", .nic = "0001:01:00.0", .has_tce = true,  \
	.default_windows = 1, .default_window = UINT64_C(1) << 31,                         \
	.second_window = UINT64_C(1) << 59, .nowhere = UINT64_C(1) << 59, .max_levels = 5, \
	.windows_without_default = 2, .has_eeh = true

#define POWERNV_WITH_SIX_ROOT_PORTS                                                                \
	POWERNV, .edu_2 = "0002:01:00.0", .not_viable = "0003:01:00.0", .sibling = "0003:01:00.1", \
		 .unbound = "0004:01:00.0", .emulates_freezes = true

static const struct lab_host hosts[] = {
	{
		.name = "powernv8",
		POWERNV,
		.not_viable = "0002:01:00.0",
		.sibling = "0002:01:00.1",
		.huge_shift = 24,
		.huge_memory_shift = 24,
	},
	{
		.name = "powernv9",
		POWERNV_WITH_SIX_ROOT_PORTS,
		.huge_shift = 21,
		.huge_memory_shift = 24,
	},
	{
		.name = "powernv10",
		POWERNV_WITH_SIX_ROOT_PORTS,
		.huge_shift = 21,
		.huge_memory_shift = 24,
	},
	{
		.name = "pseries",
		.kind = "pseries",
		.edu = "0000:00:01.0",
		.nic = "0001:00:01.0",
		.edu_2 = "0002:00:01.0",
		.not_viable = "0003:00:01.0",
		.sibling = "0003:00:02.0",
		.unbound = "0004:00:01.0",
		.has_tce = true,
		.default_windows = 1,
		.default_window = UINT64_C(1) << 30,
		.second_window = UINT64_C(1) << 59,
		.nowhere = UINT64_C(1) << 59,
		.huge_shift = 21,
		.huge_memory_shift = 24,
		.max_levels = 1,
		.windows_without_default = 1,
	},
	{
		.name = "x86",
		.kind = "type1",
		.edu = "0000:01:00.0",
		.nic = "0000:02:00.0",
		.edu_2 = "0000:03:00.0",
		.not_viable = "0000:04:00.0",
		.sibling = "0000:04:00.1",
		.unbound = "0000:05:00.0",
		/* Between them lies what the interrupt controllers listen to. */
		.default_windows = 2,
		.default_window = UINT64_C(0xfee00000),
		.second_window = UINT64_C(0xfef00000),
		.second_window_most = (UINT64_C(1) << 48) - UINT64_C(0xfef00000),
		.nowhere = UINT64_C(1) << 48,
		.huge_shift = 21,
		.max_levels = 1,
	},
};

/* A device tree begins with what the machine is: "qemu,powernv9". There is none on x86. */
static void read_machine(char *ret_name, size_t size)
{
	char machine[64] = "";
	FILE *file = fopen("/proc/device-tree/compatible", "re");

	if (!file) {
		(void)snprintf(ret_name, size, "x86");
		return;
	}
	/* The first of its strings. */
	(void)!fread(machine, 1, sizeof(machine) - 1, file);
	(void)fclose(file);
	(void)snprintf(ret_name, size, "%s",
		       strncmp(machine, "qemu,", 5) == 0 ? machine + 5 : machine);
}

bool lab_host_is_real(void)
{
	const char *world = getenv("SPAPRD_TEST_WORLD");

	return world && strcmp(world, "real") == 0;
}

const struct lab_host *lab_host_find(void)
{
	const char *asked = getenv("SPAPRD_TEST_HOST");
	char name[64];

	if (lab_host_is_real()) {
		read_machine(name, sizeof(name));
	} else {
		(void)snprintf(name, sizeof(name), "%s", asked ? asked : DEFAULT_HOST);
	}
	for (size_t i = 0; i < sizeof(hosts) / sizeof(*hosts); i++) {
		if (strcmp(hosts[i].name, name) == 0) {
			return &hosts[i];
		}
	}
	return NULL;
}
