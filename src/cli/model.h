/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What spaprd shows on the bus, as plain structures.
 *
 * A model is made of two replies and keeps them: all strings belong to it. What the replies hold is
 * checked once, here: each property is there with its type, ranges are ranges, page sizes fit 64
 * bits. Interfaces and properties that this version doesn't know are skipped.
 */
#pragma once

#include <dbus/dbus.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/model_phb.h"
#include "cli/properties.h"
#include "common/error.h"
#include "common/range.h"

#define MODEL_NOWHERE "/" /* the path of an address space or container that isn't there */

struct model_window {
	struct range range;
	uint32_t page_shift; /* below 64 */
	uint32_t levels;
};

struct model_windows {
	struct model_window *items; /* ascending */
	size_t count;
};

#define MODEL_MEMORY_READ_ONLY  1U
#define MODEL_MEMORY_IDENTITY   2U
#define MODEL_MEMORY_RAM_DEVICE 4U
#define MODEL_MEMORY_SKIPPED    256U

struct model_memory {
	uint32_t id;
	struct range range; /* of gpa */
	uint64_t offset;    /* in its file */
	uint32_t flags;
};

struct model_memories {
	struct model_memory *items; /* ascending gpa */
	size_t count;
};

struct model_host {
	const char *version;
	const char *kind; /* powernv, pseries, type1 */
	bool simulated;
	uint32_t page_size;
	struct property_strings iommu_types;
	uint64_t memory_max;
	uint64_t locked_bytes;
	uint64_t memory_installed;
	struct model_phbs phbs;
	const char *eeh_firmware; /* opal, rtas, or "" */
};

struct model_group {
	const char *path;
	uint32_t id;
	bool viable;
	struct property_strings devices; /* paths */
	const char *space;               /* path, or MODEL_NOWHERE */
	const char *container;           /* path, or MODEL_NOWHERE */
	uint32_t pe_number;              /* or MODEL_UNKNOWN */
	uint32_t phb_id;                 /* or MODEL_UNKNOWN */
	const char *quarantine;          /* why it is kept, or "" (or NULL) */
};

/* What org.spaprd1.Pe shows, beside a group. */
struct model_pe {
	const char *path;  /* of its group */
	const char *state; /* normal, reset, stopped, stopped-dma, unavailable, unknown */
	const char *recovery;
	uint32_t freezes;
	uint32_t freezes_left;
	uint32_t participants;
	const char *policy;
	const char *location; /* "" where the host has none */
};

struct model_device {
	const char *path;
	const char *name;
	uint16_t vendor;
	uint16_t device;
	uint32_t class;     /* base class, subclass, interface: 0x020000 */
	const char *driver; /* "" for none */
	const char *group;  /* path */
	const char *location;
	bool open;        /* spaprd has it open */
	bool reset_works; /* known when it was open for the first time */
};

/* What an address space's locked bytes are made of. */
struct model_locked {
	uint64_t pins;   /* memory */
	uint64_t tables; /* of windows */
	uint64_t leaks;  /* the kernel's */
};

struct model_space {
	const char *path;
	uint32_t number;
	const char *name;
	const char *owner; /* unique bus name; "" when it left */
	uint32_t uid;
	struct model_memories memory;
	struct model_windows windows;
	struct property_strings containers; /* paths */
	uint64_t mappings;
	uint64_t mapped_bytes;
	uint64_t locked_bytes;
	struct model_locked locked;
};

struct model_container {
	const char *path;
	uint32_t number;
	const char *iommu_type;
	struct property_strings groups; /* paths */
	uint64_t page_sizes;            /* a bit for each */
	struct range default_window;    /* size 0: none */
	uint32_t max_windows;
	uint32_t max_levels;
	bool eeh;
};

struct model {
	DBusMessage *host_reply;
	DBusMessage *objects_reply;
	struct model_host host;
	struct model_group *groups; /* ascending id */
	size_t group_count;
	struct model_pe *pes; /* in no order */
	size_t pe_count;
	struct model_device *devices; /* ascending name */
	size_t device_count;
	struct model_space *spaces; /* ascending number */
	size_t space_count;
	struct model_container *containers; /* ascending number within a space */
	size_t container_count;
};

/*
 * Read the replies of Properties.GetAll(Manager) and ObjectManager.GetManagedObjects(); references
 * are taken on both. The error names the object and the property that is not as it should be.
 */
int model_new(DBusMessage *host_reply, DBusMessage *objects_reply, struct model **ret_model,
	      struct error *error);

/* Takes NULL, returns NULL. */
struct model *model_free(struct model *model);

static inline void cleanup_model(struct model **model)
{
	*model = model_free(*model);
}

/* By path; NULL when there is none. */
const struct model_group *model_find_group(const struct model *model, const char *path);
const struct model_pe *model_find_pe(const struct model *model, const char *path);
const struct model_device *model_find_device(const struct model *model, const char *path);
const struct model_space *model_find_space(const struct model *model, const char *path);
const struct model_container *model_find_container(const struct model *model, const char *path);

/* Check a window as a reply gives it. The error names what is wrong. */
int model_window_check(const struct model_window *window, struct error *error);
