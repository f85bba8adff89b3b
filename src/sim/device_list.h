/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A device list: what a device tree does not say of a host, as an INI file.
 *
 * Concepts
 *   [host]         the host as a whole: kernel, page size, huge pages, what its IOMMU can do.
 *   [device BDF]   one PCI function: its driver, group, BARs, config space, resets. On a host with
 *                  a device tree the tree has the functions, and a section adds to one of them; on
 *                  one without, the sections are all there is.
 * spaprd-simhost(8) documents each key. Here a file is read and checked on its own; whether it fits
 * a tree is for who puts the two together, which is why each value knows its line.
 */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "sim/host.h"

#define DEVICE_LIST_DEVICES_MAX 16384U
#define DEVICE_LIST_RANGES_MAX  64U

/* The keys, as indices of the arrays of line numbers; 0 in such an array: not given. */
enum host_key {
	HOST_KEY_PLATFORM,
	HOST_KEY_KERNEL,
	HOST_KEY_PAGE_SIZE,
	HOST_KEY_PAGE_SIZES,
	HOST_KEY_EEH,
	HOST_KEY_HUGE_PAGES,
	HOST_KEY_IOVA_RANGES,
	HOST_KEY_DMA_ENTRY_LIMIT,
	HOST_KEY_IOMMU,
	HOST_KEY_GROUP_TYPE,
	HOST_KEY_RESERVED_REGIONS,
	HOST_KEY_COUNT,
};

enum device_key {
	DEVICE_KEY_BRIDGE,
	DEVICE_KEY_DRIVER,
	DEVICE_KEY_GROUP,
	DEVICE_KEY_PE,
	DEVICE_KEY_VENDOR,
	DEVICE_KEY_DEVICE,
	DEVICE_KEY_CLASS,
	DEVICE_KEY_REVISION,
	DEVICE_KEY_SUBSYSTEM,
	DEVICE_KEY_RESET,
	DEVICE_KEY_RESET_MILLISECONDS,
	DEVICE_KEY_CONFIG_SIZE,
	DEVICE_KEY_CONFIG, /* the first config line */
	DEVICE_KEY_RESOURCE_0,
	DEVICE_KEY_REGION_0 = DEVICE_KEY_RESOURCE_0 + SIM_RESOURCES, /* the first vendor's */
	DEVICE_KEY_COUNT = DEVICE_KEY_REGION_0 + SIM_EXTRA_REGIONS_MAX,
};

/* sysfs's line of a group's reserved_regions. */
struct listed_region {
	uint64_t first;
	uint64_t last;
	char type[16]; /* "msi" */
};

struct listed_host {
	unsigned int line[HOST_KEY_COUNT];
	enum sim_platform platform;
	unsigned int kernel;
	unsigned int page_shift;
	uint64_t page_sizes;
	bool eeh;
	uint64_t huge_pages[SIM_HUGE_PAGES_MAX]; /* bytes */
	size_t huge_page_count;
	struct sim_iova_range iova_ranges[DEVICE_LIST_RANGES_MAX];
	size_t iova_range_count;
	uint32_t dma_entry_limit;
	char iommu[32];
	char group_type[16];
	struct listed_region regions[DEVICE_LIST_RANGES_MAX];
	size_t region_count;
};

/* A PCI address. */
struct pci_address {
	uint16_t domain;
	uint8_t bus;
	uint8_t devfn;
};

struct listed_device {
	unsigned int section; /* its line */
	unsigned int line[DEVICE_KEY_COUNT];
	struct pci_address address;
	struct pci_address bridge;
	bool on_root_bus; /* "bridge = none" */
	char driver[64];  /* empty for none */
	uint32_t group;
	bool no_group;
	uint32_t pe;
	uint16_t vendor;
	uint16_t device;
	uint32_t class_code;
	uint8_t revision;
	uint16_t subsystem_vendor;
	uint16_t subsystem_device;
	char reset[SIM_RESET_METHOD_SIZE]; /* empty for none */
	uint32_t reset_milliseconds;
	uint32_t config_size;
	uint8_t *config;   /* 4096 bytes, zero where the list says nothing; NULL: no config line */
	size_t config_end; /* behind the last byte that the list has */
	struct sim_resource resource[SIM_RESOURCES];
	struct sim_extra_region *regions; /* SIM_EXTRA_REGIONS_MAX of them; NULL: none */
};

struct device_list {
	char *name; /* the file, for messages */
	struct listed_host host;
	struct listed_device *devices; /* ascending address */
	size_t device_count;
};

/* Read a list from memory. 0 or a code with the error filled: "NAME:LINE: what is wrong". */
int device_list_parse(const char *name, const void *text, size_t size,
		      struct device_list **ret_list, struct error *error);

/* Takes NULL, returns NULL. */
struct device_list *device_list_free(struct device_list *list);

/* NULL when the list doesn't have it. */
const struct listed_device *device_list_find(const struct device_list *list,
					     struct pci_address address);

/* An error about a line of the list; returns its code. */
int device_list_error(const struct device_list *list, unsigned int line, struct error *error,
		      const char *format, ...) __attribute__((format(printf, 4, 5)));

/* "0000:01:00.0". Whether the text is one, with nothing behind it. */
bool pci_address_parse(const char *text, struct pci_address *ret_address);

void pci_address_print(struct pci_address address, char ret_text[static SIM_DEVICE_NAME_SIZE]);

/* Order of domain, bus and devfn. */
int pci_address_compare(struct pci_address a, struct pci_address b);
