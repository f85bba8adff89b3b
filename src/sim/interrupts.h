/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A function's interrupts as VFIO_DEVICE_SET_IRQS sets them (vfio_pci_intrs.c).
 *
 * Concepts
 *   index       INTx, MSI, MSI-X, ERR, REQ. Of the first three one kind can be on at a time.
 *   automasked  INTx is a level: when it rings it is masked until a program unmasks it, and rings
 *               again then, if the device still asserts it.
 *   allocated   messages that were enabled together. Without dynamic MSI-X there are no more to be
 *               had until all are disabled.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "sim/argument.h"

struct sim_function;

/* eventfds are -1 when there is none. */
struct sim_interrupts {
	unsigned int kind;      /* VFIO_PCI_INTX_IRQ_INDEX … ; VFIO_PCI_NUM_IRQS: none is on */
	int *message;           /* of MSI and MSI-X, as many as the function has */
	unsigned int allocated; /* of them */
	int intx;
	int unmask; /* what unmasks INTx when it is rung */
	bool masked;
	bool asserted; /* by the device */
	int error;
	int request;
};

#define SIM_INTERRUPTS_NONE \
	((struct sim_interrupts){.kind = 5, .intx = -1, .unmask = -1, .error = -1, .request = -1})

/* VFIO_DEVICE_GET_IRQ_INFO and VFIO_DEVICE_SET_IRQS. */
int sim_interrupts_info(const struct sim_function *function, struct sim_argument *argument);
int sim_interrupts_set(struct sim_function *function, struct sim_argument *argument);

/* The last close: all are disabled. */
void sim_interrupts_close(struct sim_function *function);

/* The device asserts its line, or not any more. */
void sim_interrupts_set_line(struct sim_function *function, bool asserted);

/* Whether MSI or MSI-X is on, and so the line silent. */
bool sim_interrupts_has_messages(const struct sim_function *function);

/* The device sends a message, which takes bus mastering. */
void sim_interrupts_send(struct sim_function *function, unsigned int vector);

/* By the bit of the command register. */
void sim_interrupts_mask(struct sim_function *function);
void sim_interrupts_unmask(struct sim_function *function);

/* Look at the eventfd that unmasks. Returns whether there is one. */
bool sim_interrupts_poll(struct sim_function *function);
