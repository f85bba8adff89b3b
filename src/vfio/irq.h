/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Interrupts of a device, told by eventfds (VFIO_DEVICE_SET_IRQS, vfio_pci_intrs.c).
 *
 * Concepts
 *   index    a kind: INTx, MSI, MSI-X; ERR (errors that PCI Express tells of) and REQ (the kernel
 *            wants the device back). Of the first three one can be on at a time.
 *   wiring   which eventfd each interrupt of a kind rings. The eventfds are kept here as well, for
 *            wiring that is lost can be made again: by a reset of the PE, which takes MSI and MSI-X
 *            enable and the MSI-X table behind the kernel's back, and by calls that fail, for a
 *            kernel that refuses one eventfd of a call has dropped others (vfio_msi_set_block).
 *   arming   INTx is a level: when it rings, the kernel masks it until it is unmasked. Who handles
 *            it does so by registers of the device, so that an access to a BAR unmasks it, as QEMU
 *            does (vfio_intx_eoi): if the device asserts it still, it rings again.
 *
 * What others do to interrupts with a copy of the device's fd is not known here.
 *
 * Nothing here may be called by two threads at once for the same device.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"

struct device;

struct irq {
	uint32_t index; /* VFIO_PCI_*_IRQ_INDEX */
	uint32_t flags; /* VFIO_IRQ_INFO_* */
	uint32_t count; /* of interrupts, not 0 */
	/* Wiring */
	uint32_t enabled; /* interrupts from 0 on that were enabled; 0: none, and no events */
	int *events;      /* of each of the count interrupts, owned; -1: none */
	bool lost;        /* the kernel doesn't have the wiring; irq_rewire */
	bool masked;      /* by irq_mask */
};

/*
 * Read what the kernel says of the kinds 0 to count - 1 and set it as device->irqs. Kinds that the
 * device doesn't have, or no interrupts of, are left out. ERROR_NOT_FOUND (the device is gone),
 * ERROR_KERNEL (also for more than WORKER_IRQS_MAX kinds)
 */
int irqs_read(struct device *device, uint32_t count, struct error *error);

/* Close the eventfds and forget all. The kernel lets go of them when the device's fd is closed. */
void irqs_done(struct device *device);

/* NULL: it has none of that kind. */
struct irq *irq_find(const struct device *device, uint32_t index);

/*
 * Have interrupts from `start` on ring eventfds, `count` of them, one each; others of the kind stay
 * as they are. The fds are taken in any case. All or nothing: after a failure what was wired before
 * is wired, or the text says that it isn't.
 *
 * Where the kernel can't add to messages that are enabled (VFIO_IRQ_INFO_NORESIZE; everywhere on
 * POWER), all of the kind are disabled and enabled again, and one that comes in between is lost.
 *
 * ERROR_INVALID_ARGUMENT  not inside what the kind has, an fd that is no eventfd, or another kind
 *                         of INTx, MSI and MSI-X is on
 * ERROR_NOT_FOUND         the device has no such interrupts, or is gone
 * ERROR_QUOTA_EXCEEDED    the host has fewer messages left; the text says how many
 * ERROR_FROZEN            messages, and the device doesn't answer: the kernel would write its MSI-X
 *                         table, which is out of reach while its PE is being reset
 * ERROR_KERNEL
 */
int irq_set(struct device *device, uint32_t index, uint32_t start, const int *events,
	    uint32_t count, struct error *error);

/*
 * Mask or unmask all interrupts of a kind. While they are masked, no access unmasks them.
 * ERROR_UNSUPPORTED  the kind can't be masked: only INTx can (VFIO_IRQ_INFO_MASKABLE)
 * ERROR_NOT_FOUND    the device has none of that kind, none is wired, or the device is gone
 * ERROR_KERNEL
 */
int irq_mask(struct device *device, uint32_t index, struct error *error);
int irq_unmask(struct device *device, uint32_t index, struct error *error);

/* Disable a kind and close its eventfds. ERROR_NOT_FOUND (as above); ERROR_FROZEN (as irq_set) and
 * ERROR_KERNEL: then they stay */
int irq_disable(struct device *device, uint32_t index, struct error *error);

/* After an access to a BAR: unmask INTx, if that is wired and not masked by irq_mask. */
void irq_rearm(const struct device *device);

/* Whether INTx, MSI or MSI-X of a kind is wired. */
bool irq_is_wired(const struct device *device, uint32_t index);

/*
 * Before a reset of the device's PE is asserted: disable MSI and MSI-X, but keep their eventfds for
 * irq_rewire. A kernel that has them on writes the MSI-X table when the device is closed, which
 * happens when this process dies as well, and as long as the reset lasts that is the end of some
 * hosts. What can't be disabled stays.
 */
void irq_unwire(struct device *device);

/*
 * Make the wiring of INTx, MSI or MSI-X again, from the start, after a reset. The kernel then
 * writes the MSI-X table and enables the messages. Without wiring nothing happens. After a failure
 * it can be tried again. What irq_set answers.
 */
int irq_rewire(struct device *device, struct error *error);
