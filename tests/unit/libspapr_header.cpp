/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libspapr's header, as a C++ program has it. It is compiled, and not run. */
#include <spapr/spapr.h>

int open_and_map(spapr_host *host, uint32_t group, int memory)
{
	spapr_space_options options{};
	spapr_space *space = nullptr;
	spapr_error error{};
	uint32_t id = 0;

	options.size = sizeof(options);
	options.default_window = SPAPR_DEFAULT_WINDOW_KEEP;
	if (spapr_space_new(host, &options, &space, &error) != SPAPR_OK ||
	    spapr_group_attach(space, group, SPAPR_ATTACH_SHARE, &error) != SPAPR_OK ||
	    spapr_memory_add(space, memory, 0, 0, 0x100000, 0, &id, &error) != SPAPR_OK) {
		space = spapr_space_free(space);
		return static_cast<int>(error.code);
	}
	return spapr_map(space, 0, 0, 0x10000, SPAPR_DEVICE_READS | SPAPR_DEVICE_WRITES, nullptr);
}
