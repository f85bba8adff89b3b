/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a simulated host consists of: PHBs, the PCI devices below them, and the PEs, each of which
 * is an IOMMU group. It is made from a flattened device tree, as firmware or a captured
 * /sys/firmware/fdt has it, and a device list (sim/device_list.h), which says what a tree does not:
 * drivers, BARs, config space. A host without a device tree, x86, is made from a list alone.
 *
 * Concepts
 *   PHB     a PCI host bridge: one PCI domain, numbered as get_phb_number does.
 *   device  a PCI function: a node below a PHB with vendor-id, device-id, class-code and reg.
 *   PE      what is isolated as one. On powernv one for each bus, or for all buses below a
 *           PCIe-to-PCI bridge; numbers are given from the top downwards, after the reserved one
 *           and the root bus's, in the order in which the kernel adds devices, and a group is made
 *           for a PE's first device that is no bridge (pnv_pci_ioda_dma_dev_setup). On pseries
 *           one for each node with ibm,dma-window, number 0 (pci_dma_bus_setup_pSeriesLP).
 *           Elsewhere the device list has the groups.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

#define SIM_DEVICE_NAME_SIZE  16 /* "0000:01:00.0" */
#define SIM_RESOURCES         17 /* lines of sysfs's `resource` for a bridge */
#define SIM_NO_GROUP          (-1)
#define SIM_DRIVER_VFIO       "vfio-pci"
#define SIM_RESET_METHOD_SIZE 48
#define SIM_HUGE_PAGES_MAX    8

/* What a host may have at most; a file that has more is refused. */
#define SIM_PHBS_MAX    1024U
#define SIM_DEVICES_MAX 16384U
#define SIM_GROUPS_MAX  16384U

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
	uint32_t reserved_pe;
	bool has_window;      /* an LPAR's has ibm,dma-window; without it there is no group */
	uint64_t dma32_size;  /* of the default window */
	uint64_t page_sizes;  /* one bit for each IOMMU page size; type1: what the IOMMU has */
	unsigned int levels;  /* of a TCE table, at most */
	unsigned int windows; /* UINT_MAX: an LPAR without dynamic windows (H38) */
	bool resets_windows;  /* an LPAR can have the default window back (ibm,reset-pe-dma-windows)
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

#define SIM_EXTRA_REGIONS_MAX 8U
#define SIM_SPARSE_AREAS_MAX  8U

struct sim_sparse_area {
	uint64_t offset;
	uint64_t size;
};

/* A region beyond those of PCI (VFIO_REGION_INFO_CAP_TYPE). Its content is plain memory. */
struct sim_extra_region {
	uint32_t type;
	uint32_t subtype;
	uint64_t size;
	uint32_t flags; /* VFIO_REGION_INFO_FLAG_READ, _WRITE, _MMAP */
	/* What of it can be mapped, if not all (VFIO_REGION_INFO_CAP_SPARSE_MMAP). */
	struct sim_sparse_area area[SIM_SPARSE_AREAS_MAX];
	size_t area_count;
};

struct sim_device {
	char name[SIM_DEVICE_NAME_SIZE];
	const char *driver; /* empty for none; the host's */
	char *of_path;      /* below the tree's root, without a slash in front; NULL without a tree;
			       owned */
	int parent;         /* index of the bridge above, -1 on the root bus */
	unsigned int phb;   /* index */
	int group;          /* number, or SIM_NO_GROUP */
	uint32_t pe;        /* number; a bridge has one without having a group */
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
	char reset_method[SIM_RESET_METHOD_SIZE]; /* sysfs's words, "pm bus"; empty: none */
	uint32_t reset_milliseconds;              /* that such a reset takes */
	struct sim_extra_region *extra_region;    /* that a vendor's driver adds; the list's */
	size_t extra_region_count;
};

/* Numbers of groups may have holes: such a PE has no device. */
struct sim_pe {
	unsigned int phb; /* index */
	uint32_t number;
	uint8_t bus; /* the uppermost */
};

/* Both ends belong to it. */
struct sim_iova_range {
	uint64_t first;
	uint64_t last;
};

struct device_list;

/* The number of a PE's group is its index. */
struct sim_host {
	const char *name;
	enum sim_platform platform;
	struct sim_settings settings;
	const void *fdt; /* NULL: no device tree */
	size_t fdt_size;
	unsigned int page_shift;
	struct sim_phb *phbs;
	size_t phb_count;
	struct sim_device *devices; /* a bridge comes before what is below it */
	size_t device_count;
	struct sim_pe *pes;
	size_t pe_count;
	uint64_t huge_pages[SIM_HUGE_PAGES_MAX]; /* sizes that hugetlbfs has, in bytes */
	size_t huge_page_count;
	/* type1 */
	struct sim_iova_range *iova_ranges; /* in order */
	size_t iova_range_count;
	uint32_t dma_entry_limit; /* mappings of one container */
	char iommu[32];           /* in class/iommu; empty: none */
	char group_type[16];      /* what a group's `type` says */
	char *reserved_regions;   /* what a group's `reserved_regions` says; owned */
	/* What the pointers above point into; the host's. */
	char *own_name;
	void *own_fdt;
	struct device_list *list; /* NULL: none */
};

/* What a host is made from. */
struct sim_host_source {
	const char *name;
	const char *fdt_name; /* the file, for messages */
	const void *fdt;      /* NULL: no device tree; aligned to 8 bytes; must outlive the host */
	size_t fdt_size;
	const char *list_name;
	const void *list; /* NULL: no device list; not needed afterwards */
	size_t list_size;
	struct sim_settings settings;
};

/*
 * Make a host. 0 or a code with the error filled, InvalidArgument for what is wrong in the tree or
 * the list, with the file, and the node or the line.
 */
int sim_host_new(const struct sim_host_source *source, struct sim_host **ret_host,
		 struct error *error);

/*
 * Make the host that a text names: "NAME_OR_PATH[,SETTING=VALUE...]".
 *   NAME          a built-in one: powernv8, powernv9, powernv10, pseries, x86
 *   PATH          has a slash or ends in .dts, .dtb or .ini: a device tree, as source or compiled,
 *                 a device list alone, or a directory with a tree.dtb or tree.dts (or none of them)
 *                 and a devices.ini
 *   devices=FILE  the device list for such a tree
 *   memlock=BYTES|own, kernel=6.12|7.2, page-size=4096|65536, pace=PERCENT, faults=freeze|ignore
 *                 as in struct sim_settings
 * File names may not contain commas. 0 or a code with the error filled: NotFound: there is no such
 * host or file; InvalidArgument: a setting or a file is wrong.
 */
int sim_host_open(const char *text, struct sim_host **ret_host, struct error *error);

/* sim_host_open for those that want to know no more than whether it worked: -ENODEV for NotFound,
 * -EINVAL for all else. */
int sim_host_new_builtin(const char *text, struct sim_host **ret_host);

#define SIM_HOST_DEFAULT "powernv9"

/* Takes NULL, returns NULL. */
struct sim_host *sim_host_free(struct sim_host *host);

/* The index of a device, or -1. */
int sim_host_find_device(const struct sim_host *host, const char *name);

/* Whether it is a bridge to another bus. */
static inline bool sim_device_is_bridge(const struct sim_device *device)
{
	return device->class_code >> 8 == 0x0604U;
}
