/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Adapters that a hot reset doesn't bring back: those whose Linux drivers ask for a fundamental
 * reset (pci_dev.needs_freset), and those that the kernel itself resets rather than thaws
 * (eeh_reset_ids in arch/powerpc/kernel/eeh.c). The kernel doesn't tell programs of either (field
 * note H51).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Why: the driver that asks for it, "lpfc"; NULL when the device is on no list. Static. */
const char *device_needs_fundamental_reset(uint16_t vendor, uint16_t device);
