/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The reset of a bus, for vfio/reset.h: whom it would hit, and doing it. */
#pragma once

#include "vfio/reset.h"

/*
 * Reset the bus of a device together with everything on it.
 *
 * ERROR_UNSUPPORTED  it can't be reset (vfio_pci_ioctl_get_pci_hot_reset_info: no bridge resets
 * it), or it would hit devices that aren't scope's, or, without scope->all, others that are open;
 * the text names them ERROR_KERNEL
 */
int hot_reset_bus(struct device *device, const struct reset_scope *scope, struct error *error);
