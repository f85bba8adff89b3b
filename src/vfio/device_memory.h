/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What of a VFIO device can be mapped into a process: for ram-device sections. */
#pragma once

#include "common/error.h"
#include "common/range.h"
#include "host/kernel.h"

/*
 * Refuse a range of offsets of a device's fd that is not inside one region that can be mapped
 * (VFIO_REGION_INFO_FLAG_MMAP), or inside one of the areas to which the kernel restricts that
 * (VFIO_REGION_INFO_CAP_SPARSE_MMAP).
 *
 * ERROR_INVALID_ARGUMENT  that, or the fd is not that of a VFIO device
 * ERROR_KERNEL            no memory
 */
int device_memory_check(struct kernel *kernel, int fd, struct range part, struct error *error);
