/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A PCI device behind a kernel that does what a test wants: config space with bits that stick or
 * don't, one BAR that can be mapped, a frozen PE, calls that fail.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "vfio/device.h"

#define FAKE_CONFIG_SIZE 4096U
#define FAKE_BAR         3U
#define FAKE_BAR_SIZE    0x4000U
#define FAKE_WRITES_MAX  64U
#define FAKE_NOWHERE     UINT64_MAX

struct fake_write {
	uint64_t at;
	size_t size;
};

struct fake_device {
	struct kernel kernel;
	struct device device; /* its kernel is the one above */
	uint8_t config[FAKE_CONFIG_SIZE];
	uint8_t fixed[FAKE_CONFIG_SIZE]; /* bits that a write doesn't change */
	bool frozen;                     /* all reads are ones, writes are lost */
	unsigned int freeze_after;       /* so many more reads; 0: not by itself */
	uint64_t fail_read;              /* a read of this byte is EIO; or FAKE_NOWHERE */
	uint64_t fail_write;
	struct fake_write writes[FAKE_WRITES_MAX]; /* of config space, in order */
	size_t write_count;
	int bar; /* a memfd with its bytes */
	uint64_t bar_size;
	uint32_t bar_flags; /* VFIO_REGION_INFO_FLAG_* */
	int map_result;     /* 0: it can be mapped */
	bool read_only;     /* who writes to the mapping is killed */
	bool aliased;       /* its second page is the first once more */
	unsigned int maps;  /* that are there */
};

/*
 * Make an endpoint with the capabilities PM at 0x40, MSI at 0x50, PCI Express (version 2) at 0x60,
 * MSI-X with 4 vectors at 0xa0 whose table is at 0x1010 of BAR 3, and AER at 0x140, behind another
 * one.
 */
void fake_device_init(struct fake_device *fake);
void fake_device_done(struct fake_device *fake);

void fake_device_put_16(struct fake_device *fake, uint64_t at, uint16_t value);
void fake_device_put_32(struct fake_device *fake, uint64_t at, uint32_t value);
uint16_t fake_device_get_16(const struct fake_device *fake, uint64_t at);
uint32_t fake_device_get_32(const struct fake_device *fake, uint64_t at);

/* Of the BAR. */
void fake_device_store(struct fake_device *fake, uint64_t at, const void *bytes, size_t size);
void fake_device_load(const struct fake_device *fake, uint64_t at, void *bytes, size_t size);
