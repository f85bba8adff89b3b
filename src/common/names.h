/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Every name that this program shares with the world outside: bus, sysfs, device tree, environment.
 */
#pragma once

/* D-Bus */
#define BUS_NAME                "org.spaprd1"
#define BUS_ERROR_PREFIX        "org.spaprd1.Error."
#define BUS_PATH_MANAGER        "/org/spaprd1"
#define BUS_PATH_GROUP_PREFIX   "/org/spaprd1/group/"
#define BUS_PATH_DEVICE_PREFIX  "/org/spaprd1/device/"
#define BUS_PATH_SPACE_PREFIX   "/org/spaprd1/space/"
#define BUS_INTERFACE_MANAGER   "org.spaprd1.Manager"
#define BUS_INTERFACE_SIMULATOR "org.spaprd1.Simulator"
#define BUS_INTERFACE_GROUP     "org.spaprd1.Group"
#define BUS_INTERFACE_DEVICE    "org.spaprd1.Device"
#define BUS_INTERFACE_SPACE     "org.spaprd1.AddressSpace"
#define BUS_INTERFACE_CONTAINER "org.spaprd1.Container"
#define BUS_INTERFACE_PE        "org.spaprd1.Pe"

/* Device nodes, as seen through the kernel seam */
#define NODE_CONTAINER    "/dev/vfio/vfio"
#define NODE_GROUP_PREFIX "/dev/vfio/"
#define NODE_KVM          "/dev/kvm"

/* sysfs, below the root that the kernel seam names */
#define SYSFS_IOMMU_GROUPS "kernel/iommu_groups"
#define SYSFS_PCI_DEVICES  "bus/pci/devices"
#define SYSFS_PCI_DRIVERS  "bus/pci/drivers"
#define SYSFS_PROBE        "bus/pci/drivers_probe"
#define SYSFS_OVERRIDE     "driver_override" /* of a device */
#define SYSFS_FDT          "firmware/fdt"
#define SYSFS_DEVICE_TREE  "firmware/devicetree/base"
#define SYSFS_EEH_STATE    "eeh_pe_state" /* of a device */

/* Drivers */
#define DRIVER_VFIO_PCI "vfio-pci"

/* The device tree: where something is plugged in (PAPR) */
#define TREE_SLOT_LOCATION "ibm,slot-location-code"
#define TREE_LOCATION      "ibm,loc-code"
#define TREE_SLOT_LABEL    "ibm,slot-label"
#define TREE_BASE_LOCATION "ibm,io-base-loc-code" /* skiboot: what a PHB's slots begin with */
#define TREE_OPAL_PHB      "ibm,opal-phbid"

/* Policy files; the shipped folder is where the build puts it */
#define POLICY_FOLDER_ADMIN "/etc/spaprd"
#define POLICY_FOLDER_RUN   "/run/spaprd"
#define POLICY_FILE_SUFFIX  ".conf"

/* Environment */
#define ENV_WORKER  "SPAPRD_WORKER"  /* the path of spaprd-worker */
#define ENV_BIND    "SPAPRD_BIND"    /* the path of spaprd-bind */
#define ENV_SIMHOST "SPAPRD_SIMHOST" /* the path of spaprd-simhost */
/* What `spaprctl sim exec` tells the library that it puts into a program: */
#define ENV_SIM_SOCKET     "SPAPRD_SIM_SOCKET"     /* where the simulated host listens */
#define ENV_SIM_SYSFS      "SPAPRD_SIM_SYSFS"      /* what stands for /sys */
#define ENV_SIM_DEV        "SPAPRD_SIM_DEV"        /* what stands for /dev */
#define ENV_SIM_PAGE_SHIFT "SPAPRD_SIM_PAGE_SHIFT" /* of the simulated host */
#define ENV_SIM_LIBRARY    "SPAPRD_SIM_LIBRARY"    /* the path of libspaprd-sim.so */
