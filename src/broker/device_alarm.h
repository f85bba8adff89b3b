/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The interrupts that tell of a device instead of being raised by it: that it has had an error
 * (VFIO_PCI_ERR_IRQ_INDEX), and that the kernel wants it back (VFIO_PCI_REQ_IRQ_INDEX).
 *
 * The kernel rings one eventfd for each, and that is the broker's. A client that asks for the
 * interrupt gives an eventfd of its own, which the broker rings when its own one rang. A client may
 * do with its eventfd what it wants, such as filling it up so that a write to it would wait:
 * nothing here waits.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"

struct host_device;
struct manager;

enum device_alarm {
	DEVICE_ALARM_ERROR,
	DEVICE_ALARM_REQUEST,
	DEVICE_ALARM_COUNT, /* not an alarm */
};

/* What an index of interrupts (VFIO_PCI_*_IRQ_INDEX) is; DEVICE_ALARM_COUNT for all others. */
enum device_alarm device_alarm_of(uint32_t index);

/*
 * The eventfd that the error interrupt of a device is to ring, made and watched from the first call
 * on until the device is closed: send it along with WORKER_OPEN_DEVICE. It stays the device's. When
 * it rings the device's PE is looked at, and the client's is rung. -1: there is none, and nobody
 * will hear of errors. (The one for requests is in broker/release.h.)
 */
int device_alarm_error_event(struct manager *manager, struct host_device *device);

/* Duplicate the eventfd of a client's. ERROR_INVALID_ARGUMENT (it is none), ERROR_QUOTA_EXCEEDED
 * (no file left). */
int device_alarm_copy(const struct host_device *device, int fd, int *ret_fd, struct error *error);

/* Ring this eventfd, which becomes the device's, whenever its alarm rings; the one before is let
 * go. The device has been opened. */
void device_alarm_keep(struct host_device *device, enum device_alarm alarm, int fd);

/* Let the client's go. Harmless without one. */
void device_alarm_drop(struct host_device *device, enum device_alarm alarm);

/* How often that was done since the device was opened: who was asked to set one before is not to
 * keep it after that. */
unsigned int device_alarm_drops(const struct host_device *device, enum device_alarm alarm);

/* The kernel's has rung: ring the client's, if there is one. Never waits. */
void device_alarm_ring(const struct host_device *device, enum device_alarm alarm);

/* The device was closed: let everything go, the broker's own eventfd as well. */
void device_alarm_done(struct host_device *device);
