/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Devices as the broker sees them. One of a group that is in an address space is opened through the
 * worker that has its group. It stays open there until the group leaves, whatever becomes of the
 * fds that were given away (field note H45).
 *
 * Lifetimes
 *   A record of a device or of a group, once made, stays where it is as long as the manager: nobody
 *   counts references, and an answer that comes late finds nothing freed. What the host takes away
 *   is marked `gone`: a device is out of its group's list, closed, not to be found and not on the
 *   bus. One of that name that comes back to that group gets the same record. A group that is gone
 *   while an address space has it stays in the manager's list and on the bus until it has left
 *   that. Its PE stays for ever, its devices' faces as well (their objects don't).
 *   Lists change in the loop's turns of hotplug.c and in no other place: who walks through one and
 *   calls others meanwhile is safe.
 *   Who has waited for something (a worker's answer, the bus, a helper) looks at `gone` before he
 *   acts on a device or group; a device that is gone refuses all calls with ERROR_NOT_FOUND
 *   (device_check_present).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "broker/worker_process.h"
#include "common/error.h"
#include "host/topology.h"

struct device_alarms;
struct group;
struct manager;

/* What manager_observer.device_changed tells of. */
#define DEVICE_CHANGED_OPEN        1U
#define DEVICE_CHANGED_RESET_WORKS 2U
#define DEVICE_CHANGED_RELEASE     4U /* release_deadline */

struct host_device {
	struct host_device *next; /* of the group's: of those that are there, or of those gone */
	const struct topology_device *host;
	struct group *group;
	void *face; /* the observer's own */
	bool open;  /* in its group's worker: the observer's device_changed tells when that changes
		     */
	bool gone;  /* unplugged; see above */
	/* Whether VFIO can reset it alone, which is known when it was open for the first time:
	 * device_changed tells that as well. */
	bool reset_works;
	bool described; /* it is known */
	/* The kernel asks for the device back (broker/release.h). */
	struct manager *manager; /* once it was opened */
	int request_event;       /* an eventfd that its REQ interrupt rings, owned; -1: none yet */
	sd_event_source *request_source;
	sd_event_source *release_timer;
	struct device_alarms *alarms; /* broker/device_alarm.h; NULL before it is opened */
	uint64_t holders_named;       /* CLOCK_MONOTONIC, µs, the last time; 0: never */
	uint64_t release_deadline; /* CLOCK_MONOTONIC, µs, when it is taken away; 0: not asked */
};

/* Devices of one group that may wait to be opened at the same time. */
#define DEVICE_OPENINGS_MAX 16U

/*
 * Have a device opened, or opened once more. The handler is called once, which may be before this
 * returns; a success has one fd, the device, which is the caller's to duplicate. 0, or a code and
 * the handler is not called:
 *
 * ERROR_NOT_FOUND        its group is in no address space
 * ERROR_FROZEN           its PE is frozen: opening would thaw it, and what happened would be lost
 * ERROR_BUSY             its PE is being recovered, or a reset of it is asserted
 * ERROR_RECOVERY_FAILED  its PE was given up
 * ERROR_QUOTA_EXCEEDED   DEVICE_OPENINGS_MAX wait
 * and what a worker answers to WORKER_OPEN_DEVICE.
 */
int device_open(struct manager *manager, struct host_device *device, worker_answer_handler handler,
		void *userdata, struct error *error);

/* ERROR_NOT_FOUND when it was unplugged. */
int device_check_present(const struct host_device *device, struct error *error);

/* Whether its group is in an address space that can be asked: ERROR_NOT_FOUND (it is not, or the
 * device was unplugged), ERROR_BUSY (the space is being closed, or the group attached). */
int device_check_attached(const struct host_device *device, struct error *error);

/* The device is closed, or about to be: nobody hears of its error and request interrupts. */
void device_forget(struct manager *manager, struct host_device *device);

/* For space.c: the group has left its address space, and with it all its devices were closed. */
void device_forget_group(struct manager *manager, struct group *group);
