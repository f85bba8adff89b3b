/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Regions: what a device shows to programs at offsets of its fd: BARs, ROM, config space, and what
 * a vendor's driver adds.
 *
 * Concepts
 *   region  known by its index: VFIO_PCI_BAR0_REGION_INDEX …, VFIO_PCI_CONFIG_REGION_INDEX; from
 *           VFIO_PCI_NUM_REGIONS on they are a vendor's, and known by a type and a subtype.
 *   area    a part of a region that can be mapped into memory. The capability SPARSE_MMAP lists
 *           them; a region that can be mapped and doesn't have it is one area, the whole.
 *   decode  whether a device answers to addresses of its BARs at all (bits 0 and 1 of the command
 *           register). Where it doesn't, an access ends on a real host as a machine check or a
 *           frozen PE; kernels since 5.9 refuse it (vfio_pci_memory_enabled: EIO, and SIGBUS for
 *           what is mapped), earlier ones don't. So it is refused here, as it is while config space
 *           doesn't answer: a PE that is being reset has lost its BARs, and no kernel minds that.
 *
 * Registers are little-endian; values are numbers. Offsets and sizes are in bytes, offsets from the
 * start of the region. Nothing here may be called by two threads at once for the same device.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

struct device;

struct region_area {
	uint64_t offset; /* page-aligned */
	uint64_t size;   /* not 0 */
	void *address;   /* where it is mapped; NULL: it isn't */
	size_t mapped;   /* bytes of that: whole pages */
};

struct region {
	uint32_t index;
	uint32_t flags;        /* VFIO_REGION_INFO_FLAG_* */
	uint64_t size;         /* not 0 */
	uint64_t offset;       /* in the device's fd */
	uint32_t capabilities; /* how many there are, of all kinds */
	uint32_t type;         /* of the capability TYPE; 0 without it */
	uint32_t subtype;
	bool has_type;
	bool msix_mappable; /* its areas include the MSI-X table (MSIX_MAPPABLE) */
	uint32_t area_count;
	struct region_area *areas; /* owned */
};

/*
 * Read what the kernel says of the regions with the numbers 0 to count - 1, and set it as
 * device->regions. Numbers that have no region, or one of no bytes, are left out.
 *
 * ERROR_NOT_FOUND  the device is gone
 * ERROR_KERNEL     also for what can't be: more than WORKER_REGIONS_MAX regions or WORKER_AREAS_MAX
 *                  areas, capabilities of more than 64 KiB, outside of the answer or in a circle,
 *                  areas outside of the region
 */
int regions_read(struct device *device, uint32_t count, struct error *error);

/* Unmap and forget all. */
void regions_done(struct device *device);

/* By index; ERROR_NOT_FOUND says which the device has. */
int region_find(struct device *device, uint32_t index, struct region **ret_region,
		struct error *error);

/* By the capability TYPE. ERROR_NOT_FOUND */
int region_find_type(struct device *device, uint32_t type, uint32_t subtype,
		     struct region **ret_region, struct error *error);

/*
 * Read or write a register of 1, 2, 4 or 8 bytes at an offset that is a multiple of that: through
 * memory where the region is mapped (region_map), else by the device's fd. After an access to a
 * BAR, INTx is armed again (irq_rearm in vfio/irq.h).
 *
 * ERROR_INVALID_ARGUMENT  another size, a crooked offset, not inside the region; a value of more
 *                         bytes; or the device doesn't decode, which says what to write where
 * ERROR_UNSUPPORTED       the region can't be read or written, or not there
 * ERROR_FROZEN            a BAR, and the command register doesn't answer
 * ERROR_NOT_FOUND         the device is gone
 * ERROR_KERNEL            EIO: it doesn't answer, or less was moved
 */
int region_read(struct device *device, const struct region *region, uint64_t offset, uint32_t size,
		uint64_t *ret_value, struct error *error);
int region_write(struct device *device, const struct region *region, uint64_t offset, uint32_t size,
		 uint64_t value, struct error *error);

/*
 * Map all areas of a region into this process, to be read and written as its flags say: all or
 * none. A region that is mapped stays so. The addresses are for programs that reach registers by
 * themselves: they have to see to byte order, to the order of accesses, and that the device decodes
 * (else SIGBUS); INTx isn't armed again by that.
 *
 * ERROR_UNSUPPORTED  the region can't be mapped
 * ERROR_NOT_FOUND    the device is gone
 * ERROR_KERNEL
 */
int region_map(struct device *device, struct region *region, struct error *error);

/* What isn't mapped stays so. */
void region_unmap(struct device *device, struct region *region);
