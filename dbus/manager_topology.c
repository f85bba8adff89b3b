/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "dbus/manager_topology.h"

#include <errno.h>

#include "dbus/faces.h"

int manager_get_memory_installed(void *object, DBusMessageIter *value)
{
	const struct service *service = object;

	return face_append(value, DBUS_TYPE_UINT64, &service->manager->topology->memory_installed);
}

int manager_get_eeh_firmware(void *object, DBusMessageIter *value)
{
	const struct service *service = object;
	const char *name = eeh_firmware_name(service->manager->topology->eeh_firmware);

	return face_append(value, DBUS_TYPE_STRING, &name);
}

/* -- Phbs: only what is known -- */

static int append_entry(DBusMessageIter *dictionary, const char *key, const char *signature,
			int (*append)(DBusMessageIter *value, const void *data), const void *data)
{
	DBusMessageIter entry;
	DBusMessageIter value;
	int r = -ENOMEM;

	if (!dbus_message_iter_open_container(dictionary, DBUS_TYPE_DICT_ENTRY, NULL, &entry)) {
		return -ENOMEM;
	}
	if (dbus_message_iter_append_basic(&entry, DBUS_TYPE_STRING, &key) &&
	    dbus_message_iter_open_container(&entry, DBUS_TYPE_VARIANT, signature, &value)) {
		r = append(&value, data);
		if (r < 0) {
			dbus_message_iter_abandon_container(&entry, &value);
		} else if (!dbus_message_iter_close_container(&entry, &value)) {
			r = -ENOMEM;
		}
	}
	if (r < 0) {
		dbus_message_iter_abandon_container(dictionary, &entry);
		return r;
	}
	return dbus_message_iter_close_container(dictionary, &entry) ? 0 : -ENOMEM;
}

static int append_u(DBusMessageIter *value, const void *data)
{
	return face_append(value, DBUS_TYPE_UINT32, data);
}

static int append_t(DBusMessageIter *value, const void *data)
{
	return face_append(value, DBUS_TYPE_UINT64, data);
}

static int append_b(DBusMessageIter *value, const void *data)
{
	dbus_bool_t word = *(const bool *)data;

	return face_append(value, DBUS_TYPE_BOOLEAN, &word);
}

static int append_s(DBusMessageIter *value, const void *data)
{
	return face_append_text(value, data);
}

static int append_range(DBusMessageIter *value, const void *data)
{
	const struct range *range = data;

	return face_append_record(value, DBUS_TYPE_STRUCT, DBUS_TYPE_UINT64, &range->start,
				  DBUS_TYPE_UINT64, &range->size, DBUS_TYPE_INVALID);
}

static int append_known(DBusMessageIter *dictionary, const struct topology_phb *phb, bool partition)
{
	const struct {
		const char *key;
		const char *signature;
		int (*append)(DBusMessageIter *value, const void *data);
		const void *data;
		bool known;
	} entries[] = {
		{"Id", "u", append_u, &phb->id, phb->id != PHB_UNKNOWN},
		{"Domain", "u", append_u, &phb->domain, true},
		{"Node", "s", append_s, phb->node, true},
		{"Kind", "s", append_s, phb->kind, phb->kind[0] != '\0'},
		{"Location", "s", append_s, phb->location, phb->location[0] != '\0'},
		{"Pes", "u", append_u, &phb->pe_count, phb->pe_count != PHB_UNKNOWN},
		{"ReservedPe", "u", append_u, &phb->reserved_pe, phb->reserved_pe != PHB_UNKNOWN},
		{"TceSizes", "t", append_t, &phb->tce_sizes, phb->tce_sizes != 0},
		{"Ddw", "b", append_b, &phb->ddw, partition},
		{"DdwReset", "b", append_b, &phb->ddw_reset, partition},
		{"DefaultWindow", "(tt)", append_range, &phb->window, phb->window.size > 0},
		{"Liobn", "u", append_u, &phb->liobn, phb->liobn != PHB_UNKNOWN},
		{"Eeh", "b", append_b, &phb->eeh, phb->has_functions},
		{"Msis", "u", append_u, &phb->msi_count, phb->msi_count != PHB_UNKNOWN},
	};
	int r = 0;

	for (size_t i = 0; i < sizeof(entries) / sizeof(*entries) && r == 0; i++) {
		if (entries[i].known) {
			r = append_entry(dictionary, entries[i].key, entries[i].signature,
					 entries[i].append, entries[i].data);
		}
	}
	return r;
}

static int append_phb(void *object, uint32_t i, DBusMessageIter *array)
{
	const struct service *service = object;
	const struct topology *topology = service->manager->topology;
	DBusMessageIter dictionary;

	if (!dbus_message_iter_open_container(array, DBUS_TYPE_ARRAY, "{sv}", &dictionary)) {
		return -ENOMEM;
	}
	if (append_known(&dictionary, &topology->phbs[i], topology->kind == HOST_KIND_PSERIES) <
	    0) {
		dbus_message_iter_abandon_container(array, &dictionary);
		return -ENOMEM;
	}
	return dbus_message_iter_close_container(array, &dictionary) ? 0 : -ENOMEM;
}

int manager_get_phbs(void *object, DBusMessageIter *value)
{
	const struct service *service = object;

	return face_append_array(value, "a{sv}", (uint32_t)service->manager->topology->phb_count,
				 append_phb, object);
}
