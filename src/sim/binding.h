/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Drivers that are bound and unbound by writing to sysfs, as drivers/base/bus.c, dd.c and
 * drivers/pci/pci-driver.c do it.
 *
 * Concepts
 *   natural    the driver whose table has the device's ids: of those that hosts here have, e1000e,
 *              virtio-pci and pcieport, or the one that the device list gives it.
 *   override   the only driver that may have the device, when there is one (driver_override).
 *   unbinding  vfio-pci's wait for the last close of a device that is open: the request interrupt
 *              rings as for an unplug, and the writer is answered when all is over. The link of the
 *              driver goes at once.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct sim_function;
struct sim_model;

/* As long as that an attribute's text is refused: a page, less one (sysfs_kf_write). */
#define SIM_ATTRIBUTE_MAX 4095U

/*
 * Write a text to a file below sysfs: drivers_probe, drivers/NAME/bind and unbind, a device's
 * driver_override and driver/unbind. 0 or what the kernel answers: -ENOENT: no such file; -EACCES:
 * one that isn't for writing here; -ENODEV, -EBUSY, -EINVAL, -EAGAIN. -EINPROGRESS: an unbinding
 * waits; then the same is to be asked again, with `again`, until it answers something else.
 */
int sim_binding_write(struct sim_model *model, const char *path, const char *text, size_t size,
		      bool again);

/* The rest of an unbinding, for which nobody has the device open any more. */
void sim_binding_finish(struct sim_function *function);
