/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A function's config space as vfio-pci lets a program see it (vfio_pci_config.c).
 *
 * Concepts
 *   physical   the registers of the function itself, little-endian. There always.
 *   emulated   vfio-pci's copy, while the function is open. For each bit of config space, a program
 *              reads either the physical or the emulated one, and may write it or not.
 *   owner      which capability a byte belongs to. An access is cut where the owner changes.
 *   unassigned what belongs to no capability: read and written as it is.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "sim/host.h"

/* What a write asks for beyond the bits that it sets. */
#define SIM_CONFIG_RESETS       1U /* the function, by FLR */
#define SIM_CONFIG_MASKS_INTX   2U
#define SIM_CONFIG_UNMASKS_INTX 4U
#define SIM_CONFIG_WAKES        8U /* from D3hot, by which its registers are reset */

/* Who answers for the physical registers. */
enum sim_config_reach {
	SIM_CONFIG_ANSWERS,
	SIM_CONFIG_ALL_ONES, /* a frozen PE: reads are all ones, writes are lost */
	SIM_CONFIG_BLOCKED,  /* the kernel itself, -ENODEV, while it resets the PE */
};

/* So many bytes more than the space has are in each array below, so that no table of a capability
 * reaches beyond, whatever a broken list says of the capability's place. */
#define SIM_CONFIG_MARGIN 64U

struct sim_config_space {
	const struct sim_device *device;
	size_t size;
	/* Arrays of as many bytes. */
	uint8_t *power_on;
	uint8_t *physical;
	uint8_t *saved; /* what is there again after a close */
	uint8_t *emulated;
	uint8_t *virtual_bits;
	uint8_t *writable_bits;
	uint8_t *owner;
	/* Where the capability begins, 0: there is none. */
	uint16_t power_at;
	uint16_t msi_at;
	uint16_t msix_at;
	uint16_t express_at;
	uint16_t advanced_at; /* features, which have an FLR too */
	uint16_t errors_at;   /* advanced error reporting */
	bool intx_disabled;   /* by the command register, virtually */
	bool msi_enabled;     /* by VFIO_DEVICE_SET_IRQS */
	unsigned int msi_order;
	unsigned int power_state; /* 3: D3hot */
	bool stays_awake;         /* the kernel changes no power state on this host: powernv */
};

/* As after power-on: what the host says, or a plain header. NULL: no memory. */
struct sim_config_space *sim_config_space_new(const struct sim_device *device);

/* Takes NULL, returns NULL. */
struct sim_config_space *sim_config_space_free(struct sim_config_space *space);

/* vfio_pci_core_enable and _disable, as far as config space goes. */
void sim_config_space_open(struct sim_config_space *space);
void sim_config_space_close(struct sim_config_space *space);

/* By a reset that nobody saves the registers from. */
void sim_config_space_reset(struct sim_config_space *space);

/* pci_reenable_device, which follows a reset of an open function's PE: it decodes again. */
void sim_config_space_reenable(struct sim_config_space *space);

/*
 * pread and pwrite of the config region while it is open. The number of bytes, or -EFAULT beyond
 * the end, or -ENODEV. *ret_asks: SIM_CONFIG_… bits, filled always.
 */
ssize_t sim_config_space_read(struct sim_config_space *space, enum sim_config_reach reach,
			      uint64_t offset, void *data, size_t size);
ssize_t sim_config_space_write(struct sim_config_space *space, enum sim_config_reach reach,
			       uint64_t offset, const void *data, size_t size,
			       unsigned int *ret_asks);

/* interrupts */

/* How many of a kind there are (VFIO_PCI_INTX_IRQ_INDEX …); 0 for what the function lacks. */
unsigned int sim_config_space_count_irqs(const struct sim_config_space *space, unsigned int index);

/* VFIO_DEVICE_SET_IRQS has enabled count messages of MSI or MSI-X; 0: disabled them. */
void sim_config_space_enable_messages(struct sim_config_space *space, unsigned int index,
				      unsigned int count);

/* Whether the function itself has MSI or MSI-X enabled: not after a reset that nobody saves the
 * registers from, whatever the kernel believes. */
bool sim_config_space_sends(const struct sim_config_space *space, unsigned int index);

/* The interrupt line is asserted, or not. */
void sim_config_space_set_pending(struct sim_config_space *space, bool pending);

/* state */

/* What a program that has the function open thinks (__vfio_pci_memory_enabled), and what the
 * function itself does. */
bool sim_config_space_has_memory(const struct sim_config_space *space);
bool sim_config_space_decodes(const struct sim_config_space *space);
bool sim_config_space_masters_bus(const struct sim_config_space *space);

/* The bytes of config space that the MSI-X table's registers name: which BAR, and where in it.
 * False without MSI-X. */
bool sim_config_space_find_msix_table(const struct sim_config_space *space, unsigned int *ret_bar,
				      uint64_t *ret_offset, uint64_t *ret_size);
