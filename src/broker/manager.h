/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The broker's root object: the host, its groups, and the address spaces. It knows nothing of
 * D-Bus: what happens is told to an observer.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "broker/device.h"
#include "broker/group.h"
#include "broker/pe.h"
#include "broker/space.h"
#include "common/error.h"
#include "host/kernel.h"
#include "host/topology.h"
#include "policies/policy.h"

/* Address spaces that may exist at the same time. */
#define MANAGER_SPACES_MAX 1024

struct manager_observer {
	void (*space_added)(void *userdata, struct space *space);
	/* why: NULL when it was closed, else how its worker came to its end. The space is freed
	 * next. */
	void (*space_removed)(void *userdata, struct space *space, const char *why);
	void (*space_changed)(void *userdata, struct space *space, unsigned int what);
	void (*container_added)(void *userdata, struct space *space,
				const struct worker_container *container);
	void (*container_changed)(void *userdata, struct space *space,
				  const struct worker_container *container);
	void (*container_removed)(void *userdata, struct space *space,
				  const struct worker_container *container);
	/* The group came to an address space or left one. */
	void (*group_changed)(void *userdata, struct group *group);
	/* A group has left a container whose mappings that cleared (field note H33). May be NULL.
	 */
	void (*mappings_replayed)(void *userdata, struct space *space,
				  const struct worker_detached *detached);
	/* No container has a section, or none has it any more; why is one line. May be NULL. */
	void (*memory_skipped)(void *userdata, struct space *space, uint32_t id, const char *why);
	/* A device was opened, or closed: DEVICE_CHANGED_* (broker/device.h). May be NULL, as all
	 * that follow. */
	void (*device_changed)(void *userdata, struct host_device *device, unsigned int what);
	/* The host has a group or a device more, or one less. A group comes before its devices and
	 * goes after them; its record stays (broker/device.h). */
	void (*group_added)(void *userdata, struct group *group);
	void (*group_removed)(void *userdata, struct group *group);
	void (*device_added)(void *userdata, struct host_device *device);
	void (*device_removed)(void *userdata, struct host_device *device);
	/* The group's list of devices is another one. */
	void (*group_devices_changed)(void *userdata, struct group *group);
	/* It was bound to a driver, or taken from one. */
	void (*driver_changed)(void *userdata, struct host_device *device);
	/* Its node came or went, and with it perhaps whether it is viable. */
	void (*viability_changed)(void *userdata, struct group *group);
	/* The kernel wants the device back (broker/release.h). */
	void (*release_requested)(void *userdata, struct host_device *device, uint32_t seconds,
				  const char *why);
};

struct manager {
	sd_event *event;
	struct kernel *kernel;
	bool simulated;
	const char *worker_program;
	struct topology *topology;
	/* In order of their numbers: the topology's, and those gone that an address space has. */
	struct group **groups;
	size_t group_count;
	struct group **gone_groups; /* kept for their return (broker/device.h) */
	size_t gone_group_count;
	struct space *spaces;
	size_t space_count;
	struct keeper *keepers; /* broker/quarantine.h, owned */
	unsigned int next_space;
	bool stopping;
	struct window_policy policy; /* what applies; the defaults at first */
	struct policy *policies;     /* all that was loaded, for what depends; NULL: nothing was */
	const struct policy_folders *policy_folders; /* where it is from; NULL: nowhere */
	struct binding *bindings;                    /* helpers at work (broker/bind.h), owned */
	uint32_t bind_timeout; /* milliseconds until their callers are told that it takes long */
	uint32_t next_event;   /* of a PE, from 1 on */
	uint32_t next_cookie;  /* of a participant, likewise; 0: used up */
	const struct manager_observer *observer;
	void *observer_userdata;
	const struct pe_observer *pe_observer; /* NULL: none */
	void *pe_observer_userdata;
};

/*
 * Read the host's topology through the kernel's sysfs. The kernel and the path stay the caller's
 * and outlive the manager. 0 or a code.
 */
int manager_new(sd_event *event, struct kernel *kernel, bool simulated, const char *worker_program,
		struct manager **ret_manager, struct error *error);

/* Frees the spaces as well: their workers notice and tear down. Takes NULL, returns NULL. */
struct manager *manager_free(struct manager *manager);

/* At most one observer; it must be set before the first space is made. */
void manager_observe(struct manager *manager, const struct manager_observer *observer,
		     void *userdata);

/* The same for what happens to PEs; none at first. */
void manager_observe_pes(struct manager *manager, const struct pe_observer *observer,
			 void *userdata);

/*
 * Read the policies of some folders, which outlive the manager, and have them apply from now on, in
 * all address spaces and PEs. 0 or policy_load's code, and then everything stays as it was.
 */
int manager_use_policies(struct manager *manager, const struct policy_folders *folders,
			 struct error *error);

/* The same once more, from the folders that the policies are from; without any nothing happens. */
int manager_reload(struct manager *manager, struct error *error);

/* How a group is attached as policy has it, when the caller leaves everything open. */
struct space_attach_options manager_attach_options(const struct manager *manager);

/* ERROR_NOT_FOUND names the number and what there is. */
int manager_find_group(struct manager *manager, uint32_t id, struct group **ret_group,
		       struct error *error);
int manager_find_device(struct manager *manager, const char *name, struct host_device **ret_device,
			struct error *error);

/* Bytes that the kernel has locked for all address spaces together. */
uint64_t manager_locked_bytes(const struct manager *manager);

/* Close every space, then end the event loop. */
void manager_stop(struct manager *manager);

/* For space.c: a space has come to its end. Takes it out of the list and ends the loop if it is
 * time. */
void manager_forget_space(struct manager *manager, struct space *space);
