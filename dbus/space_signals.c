/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The signals of org.spaprd1.AddressSpace. */
#include "dbus/space_signals.h"

#include <inttypes.h>

#include "common/log.h"
#include "common/names.h"

const struct bus_signal space_signals[] = {
	{"MappingsReplayed", "ott"},
	{"MemorySkipped", "us"},
	{.name = NULL},
};

void space_handle_mappings_replayed(void *userdata, struct space *space,
				    const struct worker_detached *detached)
{
	const struct space_face *face = space->face;
	struct face_path path = face_container_path(space->number, detached->container_id);
	const char *container = path.text;
	dbus_uint64_t replayed = detached->replayed;
	dbus_uint64_t lost = detached->lost;
	int r;

	(void)userdata;
	if (!face) {
		return;
	}
	r = bus_object_emit(face->object, BUS_INTERFACE_SPACE, "MappingsReplayed",
			    DBUS_TYPE_OBJECT_PATH, &container, DBUS_TYPE_UINT64, &replayed,
			    DBUS_TYPE_UINT64, &lost, DBUS_TYPE_INVALID);
	if (r < 0) {
		log_write(LOG_WARNING, LOG_SPACE(space->number),
			  "can't tell that mappings were replayed: %s, ignoring", errno_name(-r));
	}
}

void space_handle_memory_skipped(void *userdata, struct space *space, uint32_t id, const char *why)
{
	const struct space_face *face = space->face;
	int r;

	(void)userdata;
	if (!face) {
		return;
	}
	r = bus_object_emit(face->object, BUS_INTERFACE_SPACE, "MemorySkipped", DBUS_TYPE_UINT32,
			    &id, DBUS_TYPE_STRING, &why, DBUS_TYPE_INVALID);
	if (r < 0) {
		log_write(LOG_WARNING, LOG_SPACE(space->number),
			  "can't tell that section %" PRIu32 " is skipped: %s, ignoring", id,
			  errno_name(-r));
	}
}
