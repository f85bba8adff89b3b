/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a simulated host consists of, read from its flattened device tree: PHBs, the PCI devices
 * below them, and the PEs, each of which is an IOMMU group.
 *
 * Concepts
 *   PHB     a PCI host bridge: one PCI domain, numbered by ibm,opal-phbid.
 *   device  a node below a PHB with what a real tree has (vendor-id, device-id, class-code, reg),
 *           and these properties of ours:
 *             spaprd,driver         string: the driver that it is bound to; missing or empty: none
 *             spaprd,subsystem      cells: subsystem vendor and device
 *             spaprd,resource       cells: index, then start, end and flags of two cells each, for
 *                                   each line of sysfs's `resource` that isn't all zeros
 *   PE      one per bus, as a powernv host makes them for plain devices. The last number of a PHB
 *           is reserved, the one below is the root bus's, and the others follow downwards in the
 *           order of the buses. Root ports are in no group.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIM_DEVICE_NAME_SIZE 16 /* "0000:01:00.0" */
#define SIM_RESOURCES        17 /* lines of sysfs's `resource` for a bridge */
#define SIM_NO_GROUP         (-1)
#define SIM_DRIVER_VFIO      "vfio-pci"

enum sim_platform {
	SIM_POWERNV, /* bare metal: OPAL firmware, an IODA PHB for each slot */
	SIM_PSERIES, /* an LPAR below a hypervisor, which makes the windows */
	SIM_TYPE1,   /* any other IOMMU: x86, Arm */
};

/* A kernel release, for comparison. */
#define SIM_KERNEL(major, minor) ((unsigned int)(major) << 8 | (unsigned int)(minor))

/* What stands behind the host's name, "powernv9,memlock=8388608,kernel=7.2". */
struct sim_settings {
	uint64_t memlock_limit;  /* bytes that one process may lock; UINT64_MAX: no limit */
	bool memlock_own;        /* each process has its own RLIMIT_MEMLOCK instead */
	unsigned int kernel;     /* SIM_KERNEL(6, 12) */
	unsigned int page_shift; /* of the host's kernel: 12 or 16; 0: the host's usual */
	unsigned int pace;       /* percent of the real blocking times that calls take; 100 */
	bool freezes;            /* a DMA that the IOMMU refuses freezes the PE; true */
};

#define SIM_SETTINGS_DEFAULT                                \
	((struct sim_settings){.memlock_limit = UINT64_MAX, \
			       .kernel = SIM_KERNEL(6, 12), \
			       .pace = 100,                 \
			       .freezes = true})

struct sim_phb {
	const char *node; /* name in the tree, "pciex@600c3c0000000" */
	uint32_t number;
	uint32_t pe_count;
	uint64_t dma32_size; /* of the default window */
	uint64_t page_sizes; /* one bit for each IOMMU page size */
	unsigned int levels; /* of a TCE table, at most */
	unsigned int windows;
	bool resets_windows; /* an LPAR can have the default window back (ibm,reset-pe-dma-windows)
			      */
	bool eeh;
};

/* How a function can be reset (pci_reset_supported), the best of them. */
enum sim_reset {
	SIM_RESET_NONE,
	SIM_RESET_FLR,
	SIM_RESET_PM,
	SIM_RESET_BUS,
};

struct sim_resource {
	uint64_t start;
	uint64_t end;
	uint64_t flags;
};

struct sim_device {
	char name[SIM_DEVICE_NAME_SIZE];
	const char *driver; /* empty for none */
	char *of_path;      /* below the tree's root, without a slash in front; owned */
	int parent;         /* index of the bridge above, -1 on the root bus */
	unsigned int phb;   /* index */
	int group;          /* number, or SIM_NO_GROUP */
	uint8_t bus;
	uint8_t devfn;
	uint16_t vendor;
	uint16_t device;
	uint32_t class_code;
	uint8_t revision;
	uint16_t subsystem_vendor;
	uint16_t subsystem_device;
	struct sim_resource resource[SIM_RESOURCES];
	uint8_t *config;    /* as it is after power-on, little-endian; owned */
	size_t config_size; /* 256, or 4096 with PCIe */
	enum sim_reset reset;
	uint32_t reset_milliseconds; /* that such a reset takes */
};

struct sim_pe {
	unsigned int phb; /* index */
	uint32_t number;
	uint8_t bus;
};

/* Both ends belong to it. */
struct sim_iova_range {
	uint64_t first;
	uint64_t last;
};

/* The number of a PE's group is its index. */
struct sim_host {
	const char *name;
	enum sim_platform platform;
	struct sim_settings settings;
	const void *fdt;
	size_t fdt_size;
	unsigned int page_shift;
	struct sim_phb *phbs;
	size_t phb_count;
	struct sim_device *devices; /* a bridge comes before what is below it */
	size_t device_count;
	struct sim_pe *pes;
	size_t pe_count;
	/* type1 */
	struct sim_iova_range *iova_ranges; /* in order */
	size_t iova_range_count;
	uint32_t dma_entry_limit; /* mappings of one container */
};

/* Read a tree, which must outlive the host. 0 or -errno: EBADMSG for a tree that is none, or has
 * nothing to simulate. */
int sim_host_new(const char *name, const void *fdt, size_t fdt_size, struct sim_host **ret_host);

/*
 * A built-in host by its name and settings, "powernv9" or "powernv9,memlock=8388608":
 *   memlock=BYTES  what each process may lock; unlimited otherwise, whatever this machine allows,
 *                  for the simulated host locks nothing for real
 * ENODEV when there is none of that name, EINVAL for a setting that isn't known or wrong.
 */
int sim_host_new_builtin(const char *name, struct sim_host **ret_host);

#define SIM_HOST_DEFAULT "powernv9"

/* Takes NULL, returns NULL. */
struct sim_host *sim_host_free(struct sim_host *host);

/* The index of a device, or -1. */
int sim_host_find_device(const struct sim_host *host, const char *name);
