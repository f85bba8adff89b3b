/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "eeh/capability.h"

#include <endian.h>
#include <linux/pci_regs.h>

/* As many as fit, each with its two or four bytes (PCI_FIND_CAP_TTL, pci_find_next_ext_capability):
 * a list with more of them loops. */
#define CAPABILITIES_MAX ((WORKER_CONFIG_SIZE - PCI_STD_HEADER_SIZEOF) / 4)
#define EXTENDED_MAX     ((PCI_CFG_SPACE_EXP_SIZE - PCI_CFG_SPACE_SIZE) / 8)

#define ID_NONE 0xffU /* what a register reads as where nobody answers */

size_t capability_find(const uint8_t config[static WORKER_CONFIG_SIZE], uint8_t id, size_t size)
{
	size_t at = config[PCI_CAPABILITY_LIST] & ~(size_t)3;

	if (!(config[PCI_STATUS] & PCI_STATUS_CAP_LIST)) {
		return 0;
	}
	for (unsigned int i = 0; i < CAPABILITIES_MAX && at >= PCI_STD_HEADER_SIZEOF; i++) {
		if (config[at] == ID_NONE) {
			return 0;
		}
		if (config[at] == id) {
			return size <= WORKER_CONFIG_SIZE - at ? at : 0;
		}
		at = config[at + PCI_CAP_LIST_NEXT] & ~(size_t)3;
	}
	return 0;
}

uint32_t capability_find_extended(const struct device *device, uint16_t id, size_t size)
{
	uint32_t at = PCI_CFG_SPACE_SIZE;

	for (unsigned int i = 0; i < EXTENDED_MAX && at >= PCI_CFG_SPACE_SIZE; i++) {
		uint32_t header = 0;

		/* Beyond the end it is not read. */
		if (device_read_config(device, at, &header, sizeof(header)) < 0) {
			return 0;
		}
		header = le32toh(header);
		if (header == 0 || header == UINT32_MAX) {
			return 0;
		}
		if (PCI_EXT_CAP_ID(header) == id) {
			return at <= device->config_size && size <= device->config_size - at ? at
											     : 0;
		}
		at = PCI_EXT_CAP_NEXT(header);
	}
	return 0;
}
