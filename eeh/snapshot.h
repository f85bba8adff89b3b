/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a device loses by a reset of its PE and the kernel doesn't put back: registers of its config
 * space that a program has set (bus mastering first of all; eeh_pe_restore_bars puts back what was
 * there when the host found the device), and the MSI-X table, which lies in a BAR.
 *
 * Only what vfio-pci lets a program write can be put back (vfio_pci_config.c). It doesn't let MSI
 * and MSI-X be enabled: they have to be disabled and enabled by VFIO_DEVICE_SET_IRQS after a reset,
 * and the kernel writes the table again then. That is done for interrupts that are wired here
 * (vfio/irq.h); who has set them with the device's fd has to do it by itself.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"
#include "common/worker_protocol.h"
#include "vfio/device.h"

struct snapshot; /* of one device; kept in struct device */

/* Takes NULL, returns NULL. */
struct snapshot *snapshot_free(struct snapshot *snapshot);

/*
 * Read the registers of a device. When its config space doesn't answer (all ones: the PE is frozen
 * still), an earlier snapshot stays, and ret_registers says that nothing was read. Likewise the
 * MSI-X table when its memory doesn't answer. 0, or ERROR_KERNEL (no memory), and then an earlier
 * snapshot stays.
 */
int snapshot_take(struct device *device, struct worker_registers *ret_registers,
		  struct error *error);

/*
 * Put back what differs, the command register last, and wire interrupts again (device_rewire). The
 * MSI-X table of others is written only while memory decoding is on, each vector masked until it is
 * whole, and not at all where MSI-X is enabled: then the kernel has written a newer one. Without a
 * snapshot only interrupts are wired.
 * ERROR_KERNEL names the register that could not be written, or that reads otherwise afterwards;
 * and what device_rewire answers.
 */
int snapshot_restore(struct device *device, struct error *error);

/* Switch bus mastering off, as far as the device answers. 0 or ERROR_KERNEL. */
int snapshot_isolate(struct device *device, struct error *error);
