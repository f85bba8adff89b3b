/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where a device's capabilities are. What a device says is not believed: lists may loop or lead
 * beyond the end, and then there is nothing to be found there.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "common/worker_protocol.h"
#include "vfio/device.h"

/* The offset of the first capability of an id (PCI_CAP_ID_*), of which size bytes lie in config; 0:
 * there is none. */
size_t capability_find(const uint8_t config[static WORKER_CONFIG_SIZE], uint8_t id, size_t size);

/* The same of an extended one (PCI_EXT_CAP_ID_*), read from the device. 0 where it doesn't answer,
 * too. */
uint32_t capability_find_extended(const struct device *device, uint16_t id, size_t size);
