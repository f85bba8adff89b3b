/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/pci_config.h"

#include "sim/host.h"

#define HEADER_SIZE         0x40
#define CAPABILITIES_MAX    48 /* as many as fit, PCI_FIND_CAP_TTL */
#define STATUS_CAPABILITIES 0x10
#define POWER_CONTROL       4 /* PCI_PM_CTRL */
#define POWER_STATE_MASK    0x03
#define EXTENDED_FIRST      0x100
#define EXTENDED_MAX        ((4096 - 256) / 8)
#define EXPRESS_FLAGS       2
#define BAR_0               0x10
#define BAR_COUNT           6
#define RESOURCE_MEM        0x200U
#define RESOURCE_PREFETCH   0x2000U
#define RESOURCE_MEM_64     0x100000U
#define MULTIFUNCTION       0x80
#define BAR_IO              0x1U
#define BAR_64              0x4U
#define BAR_PREFETCH        0x8U

size_t pci_config_find(const uint8_t *config, size_t size, uint8_t id)
{
	size_t offset = config[PCI_CONFIG_CAPABILITIES] & ~3U;

	if (size < 256 || !(config[PCI_CONFIG_STATUS] & STATUS_CAPABILITIES)) {
		return 0;
	}
	for (int i = 0; i < CAPABILITIES_MAX && offset >= HEADER_SIZE; i++) {
		if (config[offset] == 0xff) {
			break;
		}
		if (config[offset] == id) {
			return offset;
		}
		offset = config[offset + 1] & ~3U;
	}
	return 0;
}

size_t pci_config_find_extended(const uint8_t *config, size_t size, uint16_t id)
{
	size_t offset = EXTENDED_FIRST;

	for (int i = 0; i < EXTENDED_MAX && offset >= EXTENDED_FIRST && offset + 4 <= size; i++) {
		uint32_t header = pci_config_get_32(config, offset);

		if (header == 0 || header == UINT32_MAX) {
			break;
		}
		if ((header & 0xffff) == id) {
			return offset;
		}
		offset = header >> 20 & ~3U;
	}
	return 0;
}

int pci_config_express_type(const uint8_t *config, size_t size)
{
	size_t offset = pci_config_find(config, size, PCI_CAPABILITY_EXPRESS);

	return offset && offset + 4 <= size ? config[offset + EXPRESS_FLAGS] >> 4 & 15 : -1;
}

void pci_config_subsystem(const uint8_t *config, uint16_t *ret_vendor, uint16_t *ret_device)
{
	size_t offset = PCI_CONFIG_SUBSYSTEM;

	*ret_vendor = 0;
	*ret_device = 0;
	if ((config[PCI_CONFIG_HEADER_TYPE] & 0x7f) == PCI_HEADER_BRIDGE) {
		offset = pci_config_find(config, 256, PCI_CAPABILITY_SUBSYSTEM);
		if (offset == 0 || offset + 8 > 256) {
			return;
		}
		offset += 4;
	}
	*ret_vendor = pci_config_get_16(config, offset);
	*ret_device = pci_config_get_16(config, offset + 2);
}

void pci_config_power_on(uint8_t *config, size_t size)
{
	size_t offset = pci_config_find(config, size, PCI_CAPABILITY_POWER);

	if (offset && offset + 8 <= 256) {
		config[offset + POWER_CONTROL] &= (uint8_t)~POWER_STATE_MASK;
	}
}

static void put_16(uint8_t *config, size_t offset, uint16_t value)
{
	config[offset] = (uint8_t)value;
	config[offset + 1] = (uint8_t)(value >> 8);
}

static void put_bar(uint8_t *config, size_t offset, const struct sim_resource *resource)
{
	bool memory = resource->flags & RESOURCE_MEM;
	uint32_t low = memory ? 0 : BAR_IO;

	low |= memory && (resource->flags & RESOURCE_MEM_64) ? BAR_64 : 0;
	low |= memory && (resource->flags & RESOURCE_PREFETCH) ? BAR_PREFETCH : 0;
	/* What the bus sees, where both are known, is the low half of the CPU's address. */
	low |= (uint32_t)resource->start & ~15U;
	put_16(config, offset, (uint16_t)low);
	put_16(config, offset + 2, (uint16_t)(low >> 16));
}

void pci_config_make(const struct sim_device *device, bool multifunction, uint8_t *config)
{
	bool bridge = sim_device_is_bridge(device);

	put_16(config, PCI_CONFIG_VENDOR, device->vendor);
	put_16(config, PCI_CONFIG_DEVICE, device->device);
	config[PCI_CONFIG_REVISION] = device->revision;
	config[PCI_CONFIG_REVISION + 1] = (uint8_t)device->class_code;
	config[PCI_CONFIG_REVISION + 2] = (uint8_t)(device->class_code >> 8);
	config[PCI_CONFIG_REVISION + 3] = (uint8_t)(device->class_code >> 16);
	config[PCI_CONFIG_HEADER_TYPE] =
		(uint8_t)((bridge ? PCI_HEADER_BRIDGE : 0) | (multifunction ? MULTIFUNCTION : 0));
	if (bridge) {
		return;
	}
	put_16(config, PCI_CONFIG_SUBSYSTEM, device->subsystem_vendor);
	put_16(config, PCI_CONFIG_SUBSYSTEM + 2, device->subsystem_device);
	for (size_t i = 0; i < BAR_COUNT; i++) {
		if (device->resource[i].flags != 0) {
			put_bar(config, BAR_0 + i * 4, &device->resource[i]);
		}
	}
}
