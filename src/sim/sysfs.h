/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The sysfs tree of a simulated host: real files in a private directory, with the formats and the
 * relative links of the real ones. It has what VFIO, its users and those that look at a host's
 * devices read: bus/pci, kernel/iommu_groups, class/vfio and class/iommu, firmware/fdt and
 * firmware/devicetree/base (which stands for /proc/device-tree), the sizes of huge pages, and the
 * parameters of vfio_pci. Files that are written to do nothing.
 */
#pragma once

#include <stdbool.h>

#include "sim/host.h"

/* Make the tree below $XDG_RUNTIME_DIR or /tmp and return the path of its root, which stands for
 * /sys; the caller frees it. 0 or -errno; on failure nothing is left behind. */
int sim_sysfs_new(const struct sim_host *host, char **ret_root);

/* Remove the tree and free root. Takes NULL, returns NULL. */
char *sim_sysfs_free(char *root);

/*
 * A device goes, with those below it when it is a bridge; or one comes back, whose bridge is there.
 * A group goes with its last device, but for an LPAR's, which is the PHB's; its node in class/vfio
 * with the last one that is bound to vfio-pci. What is there or gone already stays so. 0 or -errno,
 * after all was done that could be.
 */
int sim_sysfs_remove_device(const char *root, const struct sim_host *host, size_t index);
int sim_sysfs_add_device(const char *root, const struct sim_host *host, size_t index);

/* Show that a device has another driver now, or none (""); its group's node comes and goes with it,
 * unless it stays for a device that is still open. The number is that in vfio-dev, if the driver is
 * vfio-pci. 0 or -errno. */
int sim_sysfs_bind(const char *root, const struct sim_host *host, size_t index, const char *driver,
		   unsigned int vfio_number, bool node_stays);

/* What driver_override reads as; "" for none. 0 or -errno. */
int sim_sysfs_write_override(const char *root, const struct sim_host *host, size_t index,
			     const char *override);

/* Write a device's eeh_pe_state: what firmware says (EEH_STATE_*), and the kernel's own flags of
 * the PE (EEH_PE_*). Nothing on a host without EEH. 0 or -errno. */
int sim_sysfs_write_eeh_state(const char *root, const struct sim_host *host, size_t index,
			      const uint32_t words[static 2]);
