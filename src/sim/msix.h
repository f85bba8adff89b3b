/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A function's MSI-X table, in one of its BARs: what hardware and the kernel write to it. Programs
 * that have mapped the BAR see it, and may write to it; nobody reads it again.
 *
 * A reset masks and empties all entries. The kernel writes them when messages are enabled, and puts
 * them back after the resets that it makes by itself (pci_restore_msi_state), but not after those
 * of the PE, by which MSI-X is off.
 */
#pragma once

#include <stdbool.h>

struct sim_function;

/* The whole table, as it is now. For a BAR that has just got its file, and after a reset. */
void sim_msix_present(struct sim_function *function);

/* The kernel has allocated a vector, has a handler for it, or has not any more. */
void sim_msix_set(struct sim_function *function, unsigned int vector, bool masked);

/* It has freed them all: masked, with all else as it was (pci_msix_shutdown). */
void sim_msix_mask(struct sim_function *function);
