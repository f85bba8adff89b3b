/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which bits of a function's config space vfio-pci virtualises, and which a program may write: the
 * tables of vfio_pci_config.c (init_pci_cap_basic_perm and those after it).
 */
#pragma once

#include <stdint.h>

#include "sim/config_space.h"
#include "sim/pci_config.h"

/* Owners are capability numbers, 0 for the header, extended ones from 256 on by their own. */
#define SIM_CONFIG_HEADER     0x00U
#define SIM_CONFIG_UNASSIGNED 0xffU

static inline uint16_t config_get_16(const uint8_t *bytes)
{
	return pci_config_get_16(bytes, 0);
}

static inline uint32_t config_get_32(const uint8_t *bytes)
{
	return pci_config_get_32(bytes, 0);
}

static inline void config_put_16(uint8_t *bytes, uint16_t value)
{
	bytes[0] = (uint8_t)value;
	bytes[1] = (uint8_t)(value >> 8);
}

static inline void config_put_32(uint8_t *bytes, uint32_t value)
{
	config_put_16(bytes, (uint16_t)value);
	config_put_16(bytes + 2, (uint16_t)(value >> 16));
}

/* Whether vfio-pci hides the function's interrupt line, for it can't be masked (vfio_pci_nointx).
 */
bool sim_config_hides_intx(const struct sim_device *device);

/* Fill virtual_bits, writable_bits and owner; in emulated, what is there already is the physical
 * space's: take the hidden capabilities out of its lists. */
void sim_config_permissions_build(struct sim_config_space *space);
