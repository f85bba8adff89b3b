/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files of org.spaprd1.Pe share: its methods and properties are in pe.c, what it tells of
 * events in pe_events.c, its signals in pe_signals.c. */
#pragma once

#include "dbus/faces.h"

/* Lines of the property Log, which is part of each GetManagedObjects. */
#define PE_LOG_LINES_MAX 64U

/* pe.c: the clients of a PE that have joined are not watched any more. */
void pe_face_forget_clients(struct group_face *face);

/* pe.c: where the first device of a PE is plugged in, "" where that is not known. */
void pe_face_read_location(const struct group_face *face,
			   char ret_location[static TOPOLOGY_LOCATION_SIZE]);

/* pe_events.c */
void pe_face_handle_list_events(struct bus_call *call, void *object);
int pe_face_get_log(void *object, DBusMessageIter *value);

/* pe_signals.c */
extern const struct bus_signal pe_face_signals[];
extern const struct pe_observer pe_face_observer;
