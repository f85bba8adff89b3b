/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The signals of org.spaprd1.AddressSpace: their table, for space.c, and who sends them. */
#pragma once

#include "dbus/faces.h"

extern const struct bus_signal space_signals[];

/* Of the manager's observer: sends MappingsReplayed. */
void space_handle_mappings_replayed(void *userdata, struct space *space,
				    const struct worker_detached *detached);

/* Likewise: sends MemorySkipped. */
void space_handle_memory_skipped(void *userdata, struct space *space, uint32_t id, const char *why);
