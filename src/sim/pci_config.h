/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading and making the bytes of a PCI function's config space. All sizes are 256 or more. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sim_device;

#define PCI_CONFIG_VENDOR       0x00
#define PCI_CONFIG_DEVICE       0x02
#define PCI_CONFIG_STATUS       0x06
#define PCI_CONFIG_REVISION     0x08
#define PCI_CONFIG_HEADER_TYPE  0x0e
#define PCI_CONFIG_SUBSYSTEM    0x2c
#define PCI_CONFIG_SECONDARY    0x19
#define PCI_CONFIG_SUBORDINATE  0x1a
#define PCI_CONFIG_CAPABILITIES 0x34

#define PCI_HEADER_BRIDGE 1

#define PCI_CAPABILITY_POWER     0x01
#define PCI_CAPABILITY_SUBSYSTEM 0x0d
#define PCI_CAPABILITY_EXPRESS   0x10
#define PCI_CAPABILITY_FEATURES  0x13 /* Advanced Features */

#define PCI_EXTENDED_SERIAL 0x0003

#define PCI_EXPRESS_TYPE_TO_PCI 7 /* PCIe-to-PCI bridge */

static inline uint16_t pci_config_get_16(const uint8_t *config, size_t offset)
{
	return (uint16_t)(config[offset] | config[offset + 1] << 8);
}

static inline uint32_t pci_config_get_32(const uint8_t *config, size_t offset)
{
	return pci_config_get_16(config, offset) | (uint32_t)pci_config_get_16(config, offset + 2)
							   << 16;
}

/* The offset of a capability, 0 for none. */
size_t pci_config_find(const uint8_t *config, size_t size, uint8_t id);

/* The offset of an extended capability, 0 for none. */
size_t pci_config_find_extended(const uint8_t *config, size_t size, uint16_t id);

/* The type of a PCIe function, or -1 for one that isn't PCIe. */
int pci_config_express_type(const uint8_t *config, size_t size);

/* Subsystem vendor and device: in the header, or a bridge's capability. */
void pci_config_subsystem(const uint8_t *config, uint16_t *ret_vendor, uint16_t *ret_device);

/* Power state D0, whatever it was when the bytes were read. */
void pci_config_power_on(uint8_t *config, size_t size);

/* A header, for a device of which no bytes are known. config is 256 bytes of zeros. */
void pci_config_make(const struct sim_device *device, bool multifunction, uint8_t *config);
