/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Devices: config space, BARs, mappings of them. */
#include <linux/vfio.h>
#include <sys/mman.h>

#include "scenes.h"

#define CONFIG VFIO_PCI_CONFIG_REGION_INDEX

#define GET(role, offset_, size_)                                                              \
	{                                                                                      \
		"config " #offset_ ", " #size_ " bytes", READ_REGION,                          \
		{                                                                              \
			.group = (role), .index = CONFIG, .offset = (offset_), .size = (size_) \
		}                                                                              \
	}
#define PUT(role, offset_, size_, value_)                                                       \
	{                                                                                       \
		"config " #offset_ ", " #size_ " bytes, put " #value_, WRITE_REGION,            \
		{                                                                               \
			.group = (role), .index = CONFIG, .offset = (offset_), .size = (size_), \
			.number = (value_)                                                      \
		}                                                                               \
	}
#define PUT_GET(role, offset_, size_, value_) \
	PUT(role, offset_, size_, value_), GET(role, offset_, size_)

#define DWORDS_4(role, offset_)                                                            \
	GET(role, (offset_), 4), GET(role, (offset_) + 4, 4), GET(role, (offset_) + 8, 4), \
		GET(role, (offset_) + 12, 4)
#define DWORDS_16(role, offset_)                                                                   \
	DWORDS_4(role, (offset_)), DWORDS_4(role, (offset_) + 16), DWORDS_4(role, (offset_) + 32), \
		DWORDS_4(role, (offset_) + 48)

static const struct question config_edu[] = {
	OPEN_EDU, DWORDS_16(EDU, 0), DWORDS_16(EDU, 64), DWORDS_16(EDU, 128), DWORDS_16(EDU, 192),
};

static const struct question config_nic[] = {
	OPEN_NIC,
	DWORDS_16(NIC, 0),
	DWORDS_16(NIC, 64),
	DWORDS_16(NIC, 128),
	DWORDS_16(NIC, 192),
	GET(NIC, 0x100, 64),
	GET(NIC, 0x140, 64),
	GET(NIC, 0x180, 64),
	GET(NIC, 0x1c0, 64),
	GET(NIC, 0x200, 64),
	GET(NIC, 0x240, 3520),
	GET(NIC, 0, 256),
	GET(NIC, 0, 4096),
	GET(NIC, 0, 4097),
};

static const struct question config_sizes[] = {
	OPEN_NIC,
	GET(NIC, 0, 1),
	GET(NIC, 1, 1),
	GET(NIC, 0, 2),
	GET(NIC, 1, 2),
	GET(NIC, 0, 3),
	GET(NIC, 1, 3),
	GET(NIC, 3, 5),
	GET(NIC, 0, 8),
	GET(NIC, 0, 0),
	GET(NIC, 4092, 4),
	GET(NIC, 4093, 4),
	GET(NIC, 4096, 4),
	GET(NIC, 4096, 0),
	GET(NIC, 5000, 1),
	GET(NIC, 0xffffffffff, 1),
	PUT(NIC, 4096, 4, 0),
	PUT(NIC, 5000, 1, 0),
	PUT(NIC, 0, 0, 0),
	{"region 8", READ_REGION, {.group = NIC, .index = 8, .size = 4}},
	{"region 9", READ_REGION, {.group = NIC, .index = 9, .size = 4}},
	{"write to region 9", WRITE_REGION, {.group = NIC, .index = 9, .size = 4}},
	{"region 255", READ_REGION, {.group = NIC, .index = 255, .size = 4}},
};

static const struct question config_writes[] = {
	OPEN_NIC,
	PUT_GET(NIC, 0, 4, 0xffffffff),
	PUT_GET(NIC, 4, 2, 0),
	PUT_GET(NIC, 4, 2, 2),
	PUT_GET(NIC, 4, 2, 6),
	PUT_GET(NIC, 4, 2, 0x507),
	PUT_GET(NIC, 4, 2, 0xffff),
	PUT_GET(NIC, 4, 1, 2),
	PUT_GET(NIC, 5, 1, 4),
	PUT_GET(NIC, 4, 2, 2),
	PUT_GET(NIC, 6, 2, 0xffff),
	PUT_GET(NIC, 8, 4, 0xffffffff),
	PUT_GET(NIC, 12, 4, 0xffffffff),
	PUT_GET(NIC, 12, 1, 0x10),
	PUT_GET(NIC, 0x10, 4, 0xffffffff),
	PUT_GET(NIC, 0x14, 4, 0xffffffff),
	PUT_GET(NIC, 0x18, 4, 0xffffffff),
	PUT_GET(NIC, 0x1c, 4, 0xffffffff),
	PUT_GET(NIC, 0x20, 4, 0xffffffff),
	PUT_GET(NIC, 0x24, 4, 0xffffffff),
	PUT_GET(NIC, 0x30, 4, 0xffffffff),
	PUT_GET(NIC, 0x10, 4, 0xfebc0000),
	PUT_GET(NIC, 0x10, 4, 0x12345678),
	PUT_GET(NIC, 0x10, 2, 0xabcd),
	PUT_GET(NIC, 0x13, 1, 0x55),
	PUT_GET(NIC, 0x28, 4, 0xffffffff),
	PUT_GET(NIC, 0x2c, 4, 0xffffffff),
	PUT_GET(NIC, 0x34, 4, 0xffffffff),
	PUT_GET(NIC, 0x3c, 1, 0x5a),
	PUT_GET(NIC, 0x3d, 1, 0xff),
	PUT_GET(NIC, 0x3e, 2, 0xffff),
	PUT_GET(NIC, 0xc8, 4, 0xffffffff),
	PUT_GET(NIC, 0xcc, 2, 0x3),
	PUT_GET(NIC, 0xcc, 2, 0x0),
	PUT_GET(NIC, 0xd0, 4, 0xffffffff),
	PUT_GET(NIC, 0xd4, 4, 0xfee01234),
	PUT_GET(NIC, 0xd8, 4, 0x12),
	PUT_GET(NIC, 0xdc, 4, 0x4567),
	PUT_GET(NIC, 0xe0, 4, 0xffffffff),
	PUT_GET(NIC, 0xe4, 4, 0xffffffff),
	PUT_GET(NIC, 0xe8, 2, 0x2810),
	PUT_GET(NIC, 0xea, 2, 0xffff),
	PUT_GET(NIC, 0xf0, 2, 0xffff),
	PUT_GET(NIC, 0xa0, 4, 0xffffffff),
	PUT_GET(NIC, 0xa2, 2, 0x8000),
	PUT_GET(NIC, 0xa2, 2, 0),
	PUT_GET(NIC, 0xa4, 4, 0xffffffff),
	PUT_GET(NIC, 0x40, 4, 0xffffffff),
	PUT_GET(NIC, 0x104, 4, 0xffffffff),
	PUT_GET(NIC, 0x108, 4, 0x00400000),
	PUT_GET(NIC, 0x10c, 4, 0x00400000),
	PUT_GET(NIC, 0x144, 4, 0xffffffff),
	PUT_GET(NIC, 0x300, 4, 0xffffffff),
	PUT(NIC, 0x10, 8, 0x1122334455667788),
	GET(NIC, 0x10, 8),
	PUT(NIC, 0x0f, 3, 0x112233),
	GET(NIC, 0x0c, 8),
	{"reset", RESET_DEVICE, {.group = NIC}},
	GET(NIC, 0, 64),
	{"close", CLOSE_DEVICE, {.group = NIC}},
	{"open", OPEN_DEVICE, {.group = NIC}},
	GET(NIC, 0, 64),
};

static const struct question config_writes_edu[] = {
	OPEN_EDU,
	PUT_GET(EDU, 4, 2, 0),
	PUT_GET(EDU, 4, 2, 6),
	PUT_GET(EDU, 4, 2, 0xffff),
	PUT_GET(EDU, 4, 2, 2),
	PUT_GET(EDU, 0x0c, 4, 0xffffffff),
	PUT_GET(EDU, 0x10, 4, 0xffffffff),
	PUT_GET(EDU, 0x14, 4, 0xffffffff),
	PUT_GET(EDU, 0x30, 4, 0xffffffff),
	PUT_GET(EDU, 0x3c, 4, 0xffffffff),
	PUT_GET(EDU, 0x40, 4, 0xffffffff),
	PUT_GET(EDU, 0x42, 2, 0x00ff),
	PUT_GET(EDU, 0x44, 4, 0xfee00000),
	PUT_GET(EDU, 0x48, 4, 0xffffffff),
	PUT_GET(EDU, 0x4c, 4, 0xffffffff),
	GET(EDU, 256, 4),
	GET(EDU, 255, 1),
	GET(EDU, 254, 4),
	PUT(EDU, 256, 4, 0),
	{"reset", RESET_DEVICE, {.group = EDU}},
	GET(EDU, 0, 64),
};

#define BAR(role, index_, offset_, size_)                                                        \
	{                                                                                        \
		"BAR " #index_ " " #offset_ ", " #size_ " bytes", READ_REGION,                   \
		{                                                                                \
			.group = (role), .index = (index_), .offset = (offset_), .size = (size_) \
		}                                                                                \
	}
#define PUT_BAR(role, index_, offset_, size_, value_)                                             \
	{                                                                                         \
		"BAR " #index_ " " #offset_ ", " #size_ " bytes, put " #value_, WRITE_REGION,     \
		{                                                                                 \
			.group = (role), .index = (index_), .offset = (offset_), .size = (size_), \
			.number = (value_)                                                        \
		}                                                                                 \
	}

static const struct question bars[] = {
	OPEN_EDU,
	PUT(EDU, 4, 2, 0),
	BAR(EDU, 0, 0, 4),
	PUT_BAR(EDU, 0, 4, 4, 1),
	PUT(EDU, 4, 2, 2),
	BAR(EDU, 0, 0, 4),
	BAR(EDU, 0, 4, 4),
	PUT_BAR(EDU, 0, 4, 4, 0x12345678),
	BAR(EDU, 0, 4, 4),
	PUT_BAR(EDU, 0, 0, 4, 0xffffffff),
	BAR(EDU, 0, 0, 4),
	BAR(EDU, 0, 0x20, 4),
	BAR(EDU, 0, 0x24, 4),
	PUT_BAR(EDU, 0, 0x80, 8, 0x1122334455667788),
	BAR(EDU, 0, 0x80, 8),
	BAR(EDU, 0, 0x98, 8),
	BAR(EDU, 0, 0x1000, 4),
	BAR(EDU, 0, 0xffffc, 4),
	BAR(EDU, 0, 0xffffc, 8),
	BAR(EDU, 0, 0x100000, 4),
	BAR(EDU, 0, 0x100000, 0),
	BAR(EDU, 0, 0, 0),
	PUT_BAR(EDU, 0, 0x100000, 4, 0),
	BAR(EDU, 1, 0, 4),
	PUT_BAR(EDU, 1, 0, 4, 0),
	BAR(EDU, 5, 0, 4),
	BAR(EDU, 6, 0, 4),
	PUT_BAR(EDU, 0, 8, 4, 0x01000000),
	PUT(EDU, 4, 2, 0),
	BAR(EDU, 0, 4, 4),
	PUT(EDU, 4, 2, 2),
	BAR(EDU, 0, 4, 4),
	{"reset", RESET_DEVICE, {.group = EDU}},
	PUT(EDU, 4, 2, 2),
	BAR(EDU, 0, 4, 4),
};

static const struct question bars_nic[] = {
	OPEN_NIC,
	PUT(NIC, 4, 2, 2),
	BAR(NIC, 0, 0, 4),
	BAR(NIC, 0, 8, 4),
	BAR(NIC, 0, 0x18, 4),
	BAR(NIC, 0, 0x1fffc, 4),
	BAR(NIC, 0, 0x1fffc, 8),
	BAR(NIC, 0, 0x20000, 4),
	BAR(NIC, 1, 0x20000, 0),
	BAR(NIC, 2, 0, 4),
	BAR(NIC, 3, 0, 16),
	BAR(NIC, 3, 12, 4),
	PUT_BAR(NIC, 3, 0, 4, 0x12345678),
	BAR(NIC, 3, 0, 4),
	BAR(NIC, 3, 0x2000, 4),
	BAR(NIC, 3, 0x4000, 4),
	BAR(NIC, 4, 0, 4),
	BAR(NIC, 6, 0, 4),
	PUT(NIC, 4, 2, 0),
	BAR(NIC, 0, 0, 4),
	BAR(NIC, 3, 0, 4),
};

#define MMAP_ROW(what, role, index_, offset_, size_, prot_)                                       \
	{                                                                                         \
		what, MMAP_REGION,                                                                \
		{                                                                                 \
			.group = (role), .index = (index_), .offset = (offset_), .size = (size_), \
			.number = (prot_), .count = (role) == EDU                                 \
		}                                                                                 \
	}
#define BOTH (PROT_READ | PROT_WRITE)

static const struct question maps[] = {
	OPEN_EDU,
	PUT(EDU, 4, 2, 2),
	MMAP_ROW("a page", EDU, 0, 0, PAGE, BOTH),
	MMAP_ROW("the whole", EDU, 0, 0, 0x100000, BOTH),
	MMAP_ROW("to read", EDU, 0, 0, PAGE, PROT_READ),
	MMAP_ROW("longer", EDU, 0, 0, 0x100000 + PAGE, BOTH),
	MMAP_ROW("from its end", EDU, 0, 0x100000, PAGE, BOTH),
	MMAP_ROW("over its end", EDU, 0, 0x100000 - PAGE, 2 * PAGE, BOTH),
	MMAP_ROW("misaligned", EDU, 0, 4, PAGE, BOTH),
	MMAP_ROW("less than a page", EDU, 0, 0, 100, BOTH),
	MMAP_ROW("nothing", EDU, 0, 0, 0, BOTH),
	MMAP_ROW("no such BAR", EDU, 1, 0, PAGE, BOTH),
	MMAP_ROW("ROM", EDU, 6, 0, PAGE, PROT_READ),
	MMAP_ROW("config", EDU, 7, 0, 256, PROT_READ),
	MMAP_ROW("VGA", EDU, 8, 0, PAGE, PROT_READ),
	MMAP_ROW("region 9", EDU, 9, 0, PAGE, PROT_READ),
	MMAP_ROW("a very high region", EDU, 1000, 0, PAGE, PROT_READ),
	{"read at the container's offset", READ_NODE, {.kind = A_DEVICE, .group = EDU}},
	{"read of nothing", READ_NODE, {.kind = A_DEVICE, .group = EDU}},
};

static const struct question maps_nic[] = {
	OPEN_NIC,
	MMAP_ROW("a page", NIC, 0, 0, PAGE, BOTH),
	MMAP_ROW("the whole", NIC, 0, 0, 0x20000, BOTH),
	MMAP_ROW("longer", NIC, 0, 0, 0x30000, BOTH),
	MMAP_ROW("I/O", NIC, 2, 0, PAGE, BOTH),
	MMAP_ROW("MSI-X", NIC, 3, 0, PAGE, BOTH),
	MMAP_ROW("all of MSI-X", NIC, 3, 0, 0x4000, BOTH),
	MMAP_ROW("config", NIC, 7, 0, 4096, PROT_READ),
	PUT(NIC, 4, 2, 0),
	MMAP_ROW("with memory off", NIC, 0, 0, PAGE, BOTH),
};

const struct scene_table SCENES_OF(registers)[] = {
	SCENE(config_edu),        SCENE(config_nic), SCENE(config_sizes), SCENE(config_writes),
	SCENE(config_writes_edu), SCENE(bars),       SCENE(bars_nic),     SCENE(maps),
	SCENE(maps_nic),          SCENES_END,
};
