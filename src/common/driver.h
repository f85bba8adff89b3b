/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the driver that a device is bound to means for VFIO. A name is "" when there is none. */
#pragma once

#include <stdbool.h>
#include <string.h>

/* Whether it is vfio-pci or one of its variants for a vendor's devices ("mlx5_vfio_pci"). */
static inline bool driver_is_vfio(const char *driver)
{
	return strncmp(driver, "vfio", 4) == 0 || strstr(driver, "-vfio-pci") ||
	       strstr(driver, "_vfio_pci");
}

/*
 * Whether it leaves the DMA of its device to others (the kernel's driver_managed_dma), so that VFIO
 * can have the group: VFIO's own, pci-stub, and the one of bridges.
 */
static inline bool driver_allows_vfio(const char *driver)
{
	return driver[0] == '\0' || driver_is_vfio(driver) || strcmp(driver, "pci-stub") == 0 ||
	       strcmp(driver, "pcieport") == 0;
}
