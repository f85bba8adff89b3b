/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The parts of a simulated host's sysfs tree. */
#pragma once

#include "sim/host.h"
#include "sim/sysfs_builder.h"

#define TREE_BASE       "firmware/devicetree/base"
#define PCI_DRIVERS     "bus/pci/drivers"
#define CLASS_IOMMU     "class/iommu"
#define CLASS_VFIO      "class/vfio"
#define VIRTUAL_IOMMU   "devices/virtual/iommu"
#define VIRTUAL_VFIO    "devices/virtual/vfio"
#define VFIO_NODE_MAJOR 246 /* that the lab's hosts happen to have */

/* sysfs_device.c: what lies in the device's own directory, and its link in bus/pci/devices. */
void sysfs_add_device_files(struct sysfs_builder *builder, const struct sim_host *host,
			    size_t index);

/* Its uevent file, which must not be there. */
void sysfs_add_device_uevent(struct sysfs_builder *builder, const struct sim_host *host,
			     size_t index, const char *driver);

/* "devices/pci0000:00/0000:00:00.0/0000:01:00.0" */
struct sysfs_path sysfs_device_path(const struct sim_host *host, const struct sim_device *device);

/* The name of the IOMMU that a device is behind, in class/iommu; empty: none. */
struct sysfs_path sysfs_iommu_name(const struct sim_host *host, const struct sim_device *device);

/* sysfs_tree.c: firmware/fdt and firmware/devicetree/base. */
void sysfs_add_device_tree(struct sysfs_builder *builder, const struct sim_host *host);
