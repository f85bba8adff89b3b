/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the host has: its kind, its IOMMU groups and their PCI devices, as sysfs and the flattened
 * device tree show them.
 *
 * Concepts
 *   group   an IOMMU group; on POWER one PE (partitionable endpoint). Its kernel name there is
 *           "domain<PCI domain>-pe<PE number, hex>" (arch/powerpc/kernel/iommu.c,
 * iommu_register_group), and the PCI domain is the OPAL PHB id on powernv. viable  a group can be
 * given to VFIO only while none of its devices is bound to a driver that does DMA for the host.
 *  Records of groups and devices stay where they are as long as the topology, those of what is
 * gone as well (host/topology_change.h); what changes while they stay (drivers) is read when asked
 * for.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "host/phb.h"

enum host_kind {
	HOST_KIND_TYPE1,
	HOST_KIND_POWERNV,
	HOST_KIND_PSERIES,
};

#define TOPOLOGY_UNKNOWN     UINT32_MAX
#define TOPOLOGY_NAME_SIZE   16 /* "0001:01:00.0" and the terminating zero, with room */
#define TOPOLOGY_DRIVER_SIZE 64

#define TOPOLOGY_LOCATION_SIZE PHB_TEXT_SIZE

struct topology_device {
	char name[TOPOLOGY_NAME_SIZE];
	uint16_t vendor;
	uint16_t device;
	uint32_t class; /* base class, subclass and interface: 0x020000 */
	uint32_t group;
	char location[TOPOLOGY_LOCATION_SIZE]; /* as topology_read_location found it */
	void *owner;                           /* whoever goes by this topology: its own record */
};

struct topology_group {
	uint32_t id;
	uint32_t pe_number; /* or TOPOLOGY_UNKNOWN */
	uint32_t phb_id;    /* or TOPOLOGY_UNKNOWN */
	/* Whether the host has EEH for its PE: the kernel gives its devices EEH files then
	 * (eeh_sysfs_add_device). */
	bool eeh;
	struct topology_phb *phb;         /* that it lies below; NULL where the tree shows none */
	struct topology_device **devices; /* in order of their names */
	size_t device_count;
	void *owner; /* as a device's */
};

struct topology {
	enum host_kind kind;
	/* Bytes of memory, there now and at most: struct device_tree_memory. On a host whose tree
	 * says nothing of it (x86, or EFI) both are what the kernel has, which is less than there
	 * is by what it keeps for itself. */
	uint64_t memory_installed;
	uint64_t memory_max;
	enum eeh_firmware eeh_firmware;
	/* Those that the kernel found when this was read; ascending by domain. None on a host of
	 * type1. A PHB that is plugged into a partition later isn't here, and its groups lead to
	 * none. */
	struct topology_phb *phbs;
	size_t phb_count;
	char *sysfs_root;
	struct topology_group **groups; /* ascending id */
	size_t group_count;
	/* What was taken away, kept for whoever still has a pointer to it, and for its return. */
	struct topology_group **gone_groups;
	size_t gone_group_count;
	struct topology_device **gone_devices;
	size_t gone_device_count;
};

/* "powernv", "pseries", "type1": what Manager.Host says. */
const char *host_kind_name(enum host_kind kind);

/* Read everything below a sysfs root. ERROR_KERNEL names the file that could not be read. */
int topology_read(const char *sysfs_root, struct topology **ret_topology, struct error *error);

/* Takes NULL, returns NULL. */
struct topology *topology_free(struct topology *topology);

/* NULL when there is none. */
struct topology_group *topology_find_group(const struct topology *topology, uint32_t id);
struct topology_device *topology_find_device(const struct topology *topology, const char *name);

/* The PHB with that PCI domain. NULL when there is none. */
struct topology_phb *topology_find_phb(const struct topology *topology, uint32_t domain);

/* The driver that a device is bound to at this moment, "" for none. */
void topology_read_driver(const struct topology *topology, const struct topology_device *device,
			  char ret_driver[static TOPOLOGY_DRIVER_SIZE]);

/*
 * The state of a group's PE as the kernel shows it to people, the two words of eeh_pe_state: the
 * firmware's flags (EEH_STATE_*) and the kernel's own (EEH_PE_*). Reading asks the firmware, which
 * is quick. 0 or -errno: ENODATA for a file that makes no sense.
 */
int topology_read_eeh_state(const struct topology *topology, const struct topology_group *group,
			    uint32_t ret_words[static 2]);

/* Where a device is plugged in, by the location code of the nearest node of the device tree above
 * it that has one (ibm,slot-location-code, ibm,loc-code; PAPR), "" where there is none. */
void topology_read_location(const struct topology *topology, const struct topology_device *device,
			    char ret_location[static TOPOLOGY_LOCATION_SIZE]);

/* Whether no device of the group has a driver that stands in the way of VFIO, at this moment. */
bool topology_group_is_viable(const struct topology *topology, const struct topology_group *group);

/*
 * Put a sentence behind an error's text that says of each device of the group what it is bound to
 * and what to do so that VFIO can have the group.
 */
void topology_explain_group(const struct topology *topology, const struct topology_group *group,
			    struct error *error);
