/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The MSI-X table of a device: it lies in a BAR, and a reset empties it.
 *
 * It is reached by mapping the pages around it, and nothing but its own bytes is touched, in words
 * of 32 bits: other registers of the BAR may act when they are read, or know no other width. Whose
 * memory is switched off in the command register by another program meanwhile raises SIGBUS, which
 * is caught (vfio_pci_mmap_fault).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/worker_protocol.h"
#include "vfio/device.h"

struct msix_place {
	unsigned int bar; /* 0 to 5 */
	uint64_t offset;  /* in it, a multiple of 8 */
	uint32_t entries; /* 1 to 2048 */
};

/* PCI Local Bus 6.8.2 */
struct msix_entry {
	uint32_t address_low;
	uint32_t address_high;
	uint32_t data;
	uint32_t control; /* bit 0: masked */
};

/* Where the capability says that it is. False without one, or with one that makes no sense. */
bool msix_table_find(const uint8_t config[static WORKER_CONFIG_SIZE], struct msix_place *ret_place);

/*
 * Read all entries, while memory decoding is on; after a failure they are nothing. 0; -EIO: it
 * doesn't answer; or what the kernel says to mapping it: -EINVAL where it can't be.
 */
int msix_table_read(const struct device *device, const struct msix_place *place,
		    struct msix_entry *ret_entries);

/*
 * Write the entries that are otherwise, each masked until it is whole, and see that they stay so.
 * 0; -EIO: it doesn't answer; -EBADMSG: the entry *ret_wrong reads otherwise; or as above.
 */
int msix_table_write(const struct device *device, const struct msix_place *place,
		     const struct msix_entry *entries, uint32_t *ret_wrong);
