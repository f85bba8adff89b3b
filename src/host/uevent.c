/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/uevent.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The values of the keys that count, NULL for those that aren't there. */
struct keys {
	const char *action;
	const char *path;
	const char *subsystem;
	const char *slot;
	const char *node;
};

/* Where a key's value belongs; NULL for keys that don't count. */
static const char **find_key(struct keys *keys, const char *entry, size_t length)
{
	const struct {
		const char *name;
		const char **value;
	} known[] = {
		{"ACTION", &keys->action},       {"DEVPATH", &keys->path},
		{"SUBSYSTEM", &keys->subsystem}, {"PCI_SLOT_NAME", &keys->slot},
		{"DEVNAME", &keys->node},
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
		if (strlen(known[i].name) == length && strncmp(known[i].name, entry, length) == 0) {
			return known[i].value;
		}
	}
	return NULL;
}

static bool read_keys(const char *data, size_t size, struct keys *ret_keys)
{
	const char *end = data + size;

	for (const char *entry = data + strlen(data) + 1; entry < end; entry += strlen(entry) + 1) {
		const char *equals = strchr(entry, '=');
		const char **value =
			equals ? find_key(ret_keys, entry, (size_t)(equals - entry)) : NULL;

		if (!equals || (value && *value)) {
			return false;
		}
		if (value) {
			*value = equals + 1;
		}
	}
	return ret_keys->action && ret_keys->path && ret_keys->subsystem;
}

/* "add@/devices/…" says what ACTION and DEVPATH say. */
static bool header_agrees(const char *header, const struct keys *keys)
{
	size_t length = strlen(keys->action);

	return strncmp(header, keys->action, length) == 0 && header[length] == '@' &&
	       strcmp(header + length + 1, keys->path) == 0;
}

static bool read_action(const char *text, enum uevent_action *ret_action)
{
	static const struct {
		const char *name;
		enum uevent_action action;
	} actions[] = {
		{"add", UEVENT_ADD},       {"remove", UEVENT_REMOVE},  {"bind", UEVENT_BIND},
		{"unbind", UEVENT_UNBIND}, {"change", UEVENT_CHANGE},  {"move", UEVENT_CHANGE},
		{"online", UEVENT_CHANGE}, {"offline", UEVENT_CHANGE},
	};

	for (size_t i = 0; i < sizeof(actions) / sizeof(*actions); i++) {
		if (strcmp(actions[i].name, text) == 0) {
			*ret_action = actions[i].action;
			return true;
		}
	}
	return false;
}

static const char *last_part(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static bool take_digits(const char **text, size_t least, size_t most)
{
	size_t count = strspn(*text, "0123456789abcdef");

	*text += count;
	return count >= least && count <= most;
}

static bool take_sign(const char **text, char sign)
{
	return *(*text)++ == sign;
}

/* "0001:01:00.0"; the domain may have more digits (a VMD's has five). */
static bool is_device_name(const char *name)
{
	const char *rest = name;

	return take_digits(&rest, 4, 8) && take_sign(&rest, ':') && take_digits(&rest, 2, 2) &&
	       take_sign(&rest, ':') && take_digits(&rest, 2, 2) && take_sign(&rest, '.') &&
	       *rest >= '0' && *rest <= '7' && rest[1] == '\0' && strlen(name) < TOPOLOGY_NAME_SIZE;
}

static bool read_pci(const struct keys *keys, struct uevent *uevent)
{
	if (!keys->slot || !is_device_name(keys->slot) ||
	    strcmp(last_part(keys->path), keys->slot) != 0) {
		return false;
	}
	uevent->subject = UEVENT_PCI_DEVICE;
	(void)snprintf(uevent->name, sizeof(uevent->name), "%s", keys->slot);
	return true;
}

/* "/devices/virtual/vfio/7" and "vfio/7". Groups without an IOMMU ("noiommu-0") are not ours. */
static bool read_node(const struct keys *keys, struct uevent *uevent)
{
	const char *number = last_part(keys->path);
	unsigned long id;

	if (!keys->node || strncmp(keys->node, "vfio/", strlen("vfio/")) != 0 ||
	    strcmp(last_part(keys->node), number) != 0 || *number == '\0' ||
	    number[strspn(number, "0123456789")] != '\0') {
		return false;
	}
	errno = 0;
	id = strtoul(number, NULL, 10);
	if (errno || id >= UINT32_MAX) {
		return false;
	}
	uevent->subject = UEVENT_VFIO_GROUP;
	uevent->group = (uint32_t)id;
	return true;
}

bool uevent_parse(const char *data, size_t size, struct uevent *ret_uevent)
{
	struct keys keys = {.action = NULL};
	struct uevent uevent = {.group = 0};

	if (size == 0 || size > UEVENT_SIZE_MAX || data[size - 1] != '\0' ||
	    !read_keys(data, size, &keys) || !header_agrees(data, &keys) ||
	    !read_action(keys.action, &uevent.action)) {
		return false;
	}
	if (strcmp(keys.subsystem, "pci") == 0
		    ? !read_pci(&keys, &uevent)
		    : strcmp(keys.subsystem, "vfio") != 0 || !read_node(&keys, &uevent)) {
		return false;
	}
	*ret_uevent = uevent;
	return true;
}
