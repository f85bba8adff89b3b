/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <linux/vfio.h>

#include "scenes.h"

#define NONE    VFIO_IRQ_SET_DATA_NONE
#define BOOL    VFIO_IRQ_SET_DATA_BOOL
#define EVENT   VFIO_IRQ_SET_DATA_EVENTFD
#define MASK    VFIO_IRQ_SET_ACTION_MASK
#define UNMASK  VFIO_IRQ_SET_ACTION_UNMASK
#define TRIGGER VFIO_IRQ_SET_ACTION_TRIGGER

#define INTX VFIO_PCI_INTX_IRQ_INDEX
#define MSI  VFIO_PCI_MSI_IRQ_INDEX
#define MSIX VFIO_PCI_MSIX_IRQ_INDEX
#define ERR  VFIO_PCI_ERR_IRQ_INDEX
#define REQ  VFIO_PCI_REQ_IRQ_INDEX

#define SET(what, role, flags_, index_, start_, count_, data_)                                    \
	{                                                                                         \
		what, SET_IRQS,                                                                   \
		{                                                                                 \
			.group = (role), .flags = (flags_), .index = (index_), .start = (start_), \
			.count = (count_), .data = (data_)                                        \
		}                                                                                 \
	}
#define SIGNALLED(event)                       \
	{                                      \
		"signals of " #event, SIGNALS, \
		{                              \
			.number = (event)      \
		}                              \
	}
#define COMMAND(role)                                                                        \
	{                                                                                    \
		"command", READ_REGION,                                                      \
		{                                                                            \
			.group = (role), .index = VFIO_PCI_CONFIG_REGION_INDEX, .offset = 4, \
			.size = 4                                                            \
		}                                                                            \
	}
#define CONTROL(role, offset_)                                                  \
	{                                                                       \
		"control", READ_REGION,                                         \
		{                                                               \
			.group = (role), .index = VFIO_PCI_CONFIG_REGION_INDEX, \
			.offset = (offset_), .size = 4                          \
		}                                                               \
	}

static const struct question irq_arguments[] = {
	OPEN_NIC,
	SET("no flags", NIC, 0, INTX, 0, 1, "0"),
	SET("data only", NIC, EVENT, INTX, 0, 1, "0"),
	SET("action only", NIC, TRIGGER, INTX, 0, 1, "0"),
	SET("two kinds of data", NIC, EVENT | BOOL | TRIGGER, INTX, 0, 1, "0"),
	SET("all kinds of data", NIC, EVENT | BOOL | NONE | TRIGGER, INTX, 0, 1, "0"),
	SET("two actions", NIC, EVENT | TRIGGER | MASK, INTX, 0, 1, "0"),
	SET("unknown flag", NIC, EVENT | TRIGGER | 0x40, INTX, 0, 1, "0"),
	SET("index 5", NIC, EVENT | TRIGGER, 5, 0, 1, "0"),
	SET("index 9", NIC, EVENT | TRIGGER, 9, 0, 1, "0"),
	SET("start 1", NIC, EVENT | TRIGGER, INTX, 1, 1, "0"),
	SET("count 2", NIC, EVENT | TRIGGER, INTX, 0, 2, "01"),
	SET("start and count wrap", NIC, NONE | TRIGGER, INTX, UINT32_MAX, 2, NULL),
	SET("very high count", NIC, NONE | TRIGGER, MSIX, 0, UINT32_MAX, NULL),
	SET("count 0 with data", NIC, EVENT | TRIGGER, INTX, 0, 0, "0"),
	{"argsz 0",
	 SET_IRQS,
	 {.group = NIC, .flags = EVENT | TRIGGER, .count = 1, .data = "0", .argsz = ARGSZ(0)}},
	{"argsz 19",
	 SET_IRQS,
	 {.group = NIC, .flags = EVENT | TRIGGER, .count = 1, .data = "0", .argsz = ARGSZ(19)}},
	{"argsz 20",
	 SET_IRQS,
	 {.group = NIC, .flags = EVENT | TRIGGER, .count = 1, .data = "0", .argsz = ARGSZ(20)}},
	{"argsz 23",
	 SET_IRQS,
	 {.group = NIC, .flags = EVENT | TRIGGER, .count = 1, .data = "0", .argsz = ARGSZ(23)}},
	SET("bad eventfd", NIC, EVENT | TRIGGER, INTX, 0, 1, "x"),
	SET("no eventfd", NIC, EVENT | TRIGGER, INTX, 0, 1, "n"),
	SET("eventfd -1", NIC, EVENT | TRIGGER, INTX, 0, 1, "-"),
	SET("disable INTx that is off", NIC, NONE | TRIGGER, INTX, 0, 0, NULL),
	SET("disable MSI that is off", NIC, NONE | TRIGGER, MSI, 0, 0, NULL),
	SET("disable MSI-X that is off", NIC, NONE | TRIGGER, MSIX, 0, 0, NULL),
	SET("trigger INTx that is off", NIC, NONE | TRIGGER, INTX, 0, 1, NULL),
	SET("trigger MSI-X that is off", NIC, NONE | TRIGGER, MSIX, 0, 1, NULL),
	SET("mask INTx that is off", NIC, NONE | MASK, INTX, 0, 1, NULL),
	SET("unmask INTx that is off", NIC, NONE | UNMASK, INTX, 0, 1, NULL),
	SET("mask MSI", NIC, NONE | MASK, MSI, 0, 1, NULL),
	SET("unmask MSI", NIC, NONE | UNMASK, MSI, 0, 1, NULL),
	SET("mask MSI-X", NIC, NONE | MASK, MSIX, 0, 1, NULL),
	SET("mask ERR", NIC, NONE | MASK, ERR, 0, 1, NULL),
	SET("mask REQ", NIC, NONE | MASK, REQ, 0, 1, NULL),
	COMMAND(NIC),
};

static const struct question irq_intx[] = {
	OPEN_NIC,
	SET("set", NIC, EVENT | TRIGGER, INTX, 0, 1, "0"),
	COMMAND(NIC),
	SIGNALLED(0),
	SET("loop back", NIC, NONE | TRIGGER, INTX, 0, 1, NULL),
	SIGNALLED(0),
	SET("loop back, bool 1", NIC, BOOL | TRIGGER, INTX, 0, 1, "1"),
	SIGNALLED(0),
	SET("loop back, bool 0", NIC, BOOL | TRIGGER, INTX, 0, 1, "0"),
	SIGNALLED(0),
	SET("mask", NIC, NONE | MASK, INTX, 0, 1, NULL),
	COMMAND(NIC),
	SET("loop back, masked", NIC, NONE | TRIGGER, INTX, 0, 1, NULL),
	SIGNALLED(0),
	SET("unmask", NIC, NONE | UNMASK, INTX, 0, 1, NULL),
	SIGNALLED(0),
	SET("mask, bool 1", NIC, BOOL | MASK, INTX, 0, 1, "1"),
	SET("unmask, bool 0", NIC, BOOL | UNMASK, INTX, 0, 1, "0"),
	SET("unmask, bool 1", NIC, BOOL | UNMASK, INTX, 0, 1, "1"),
	SET("mask by eventfd", NIC, EVENT | MASK, INTX, 0, 1, "1"),
	SET("unmask by eventfd", NIC, EVENT | UNMASK, INTX, 0, 1, "1"),
	SET("unmask by no eventfd", NIC, EVENT | UNMASK, INTX, 0, 1, "-"),
	SET("another eventfd", NIC, EVENT | TRIGGER, INTX, 0, 1, "2"),
	SET("loop back", NIC, NONE | TRIGGER, INTX, 0, 1, NULL),
	SIGNALLED(0),
	SIGNALLED(2),
	SET("MSI beside it", NIC, EVENT | TRIGGER, MSI, 0, 1, "3"),
	SET("MSI-X beside it", NIC, EVENT | TRIGGER, MSIX, 0, 1, "3"),
	SET("bad eventfd", NIC, EVENT | TRIGGER, INTX, 0, 1, "x"),
	SET("loop back", NIC, NONE | TRIGGER, INTX, 0, 1, NULL),
	SIGNALLED(2),
	SET("set again", NIC, EVENT | TRIGGER, INTX, 0, 1, "2"),
	SET("eventfd -1", NIC, EVENT | TRIGGER, INTX, 0, 1, "-"),
	SET("loop back", NIC, NONE | TRIGGER, INTX, 0, 1, NULL),
	SET("disable", NIC, NONE | TRIGGER, INTX, 0, 0, NULL),
	SET("disable again", NIC, NONE | TRIGGER, INTX, 0, 0, NULL),
	COMMAND(NIC),
};

static const struct question irq_msi[] = {
	OPEN_NIC,
	CONTROL(NIC, 0xd0),
	SET("none", NIC, EVENT | TRIGGER, MSI, 0, 1, "-"),
	CONTROL(NIC, 0xd0),
	SET("one", NIC, EVENT | TRIGGER, MSI, 0, 1, "0"),
	CONTROL(NIC, 0xd0),
	COMMAND(NIC),
	SET("loop back", NIC, NONE | TRIGGER, MSI, 0, 1, NULL),
	SIGNALLED(0),
	SET("two", NIC, EVENT | TRIGGER, MSI, 0, 2, "01"),
	SET("INTx beside it", NIC, EVENT | TRIGGER, INTX, 0, 1, "2"),
	SET("MSI-X beside it", NIC, EVENT | TRIGGER, MSIX, 0, 1, "2"),
	SET("disable", NIC, NONE | TRIGGER, MSI, 0, 0, NULL),
	CONTROL(NIC, 0xd0),
	SET("INTx then", NIC, EVENT | TRIGGER, INTX, 0, 1, "2"),
	SET("reset with INTx", NIC, NONE | TRIGGER, INTX, 0, 0, NULL),
};

static const struct question irq_msix[] = {
	OPEN_NIC,
	CONTROL(NIC, 0xa0),
	SET("six", NIC, EVENT | TRIGGER, MSIX, 0, 6, "012345"),
	SET("start 1 first", NIC, EVENT | TRIGGER, MSIX, 1, 1, "1"),
	CONTROL(NIC, 0xa0),
	SET("disable", NIC, NONE | TRIGGER, MSIX, 0, 0, NULL),
	SET("two", NIC, EVENT | TRIGGER, MSIX, 0, 2, "01"),
	CONTROL(NIC, 0xa0),
	SET("loop back 0", NIC, NONE | TRIGGER, MSIX, 0, 1, NULL),
	SIGNALLED(0),
	SIGNALLED(1),
	SET("loop back both", NIC, NONE | TRIGGER, MSIX, 0, 2, NULL),
	SIGNALLED(0),
	SIGNALLED(1),
	SET("loop back, bools", NIC, BOOL | TRIGGER, MSIX, 0, 2, "01"),
	SIGNALLED(0),
	SIGNALLED(1),
	SET("loop back too many", NIC, NONE | TRIGGER, MSIX, 0, 3, NULL),
	SIGNALLED(0),
	SET("one goes", NIC, EVENT | TRIGGER, MSIX, 1, 1, "-"),
	SET("loop back both", NIC, NONE | TRIGGER, MSIX, 0, 2, NULL),
	SIGNALLED(0),
	SIGNALLED(1),
	SET("another at its place", NIC, EVENT | TRIGGER, MSIX, 1, 1, "3"),
	SET("one more", NIC, EVENT | TRIGGER, MSIX, 2, 1, "4"),
	SET("loop back three", NIC, NONE | TRIGGER, MSIX, 0, 3, NULL),
	SIGNALLED(0),
	SIGNALLED(3),
	SIGNALLED(4),
	SET("a bad one among good ones", NIC, EVENT | TRIGGER, MSIX, 0, 3, "0x1"),
	SET("loop back three", NIC, NONE | TRIGGER, MSIX, 0, 3, NULL),
	SIGNALLED(0),
	SIGNALLED(1),
	SIGNALLED(3),
	SIGNALLED(4),
	SET("five", NIC, EVENT | TRIGGER, MSIX, 0, 5, "01234"),
	SET("mask", NIC, NONE | MASK, MSIX, 0, 1, NULL),
	SET("unmask", NIC, NONE | UNMASK, MSIX, 0, 1, NULL),
	SET("MSI beside it", NIC, EVENT | TRIGGER, MSI, 0, 1, "5"),
	{"reset", RESET_DEVICE, {.group = NIC}},
	CONTROL(NIC, 0xa0),
	SET("loop back after the reset", NIC, NONE | TRIGGER, MSIX, 0, 1, NULL),
	SIGNALLED(0),
	SET("disable", NIC, NONE | TRIGGER, MSIX, 0, 0, NULL),
	SET("disable again", NIC, NONE | TRIGGER, MSIX, 0, 0, NULL),
	CONTROL(NIC, 0xa0),
};

static const struct question irq_others[] = {
	OPEN_NIC,
	SET("ERR", NIC, EVENT | TRIGGER, ERR, 0, 1, "0"),
	SET("loop back", NIC, NONE | TRIGGER, ERR, 0, 1, NULL),
	SIGNALLED(0),
	SET("loop back, bool 1", NIC, BOOL | TRIGGER, ERR, 0, 1, "1"),
	SIGNALLED(0),
	SET("loop back, bool 0", NIC, BOOL | TRIGGER, ERR, 0, 1, "0"),
	SIGNALLED(0),
	SET("ERR elsewhere", NIC, EVENT | TRIGGER, ERR, 0, 1, "1"),
	SET("loop back", NIC, NONE | TRIGGER, ERR, 0, 1, NULL),
	SIGNALLED(0),
	SIGNALLED(1),
	SET("ERR, start 1", NIC, EVENT | TRIGGER, ERR, 1, 1, "1"),
	SET("ERR, two", NIC, EVENT | TRIGGER, ERR, 0, 2, "01"),
	SET("ERR, bad eventfd", NIC, EVENT | TRIGGER, ERR, 0, 1, "x"),
	SET("ERR off", NIC, EVENT | TRIGGER, ERR, 0, 1, "-"),
	SET("ERR off again", NIC, EVENT | TRIGGER, ERR, 0, 1, "-"),
	SET("ERR disabled when off", NIC, NONE | TRIGGER, ERR, 0, 0, NULL),
	SET("loop back when off", NIC, NONE | TRIGGER, ERR, 0, 1, NULL),
	SET("REQ", NIC, EVENT | TRIGGER, REQ, 0, 1, "2"),
	SET("loop back", NIC, NONE | TRIGGER, REQ, 0, 1, NULL),
	SIGNALLED(2),
	SET("REQ disabled", NIC, NONE | TRIGGER, REQ, 0, 0, NULL),
	SET("loop back when off", NIC, NONE | TRIGGER, REQ, 0, 1, NULL),
	SIGNALLED(2),
	SET("REQ and INTx", NIC, EVENT | TRIGGER, REQ, 0, 1, "3"),
	SET("INTx and REQ", NIC, EVENT | TRIGGER, INTX, 0, 1, "4"),
	{"close", CLOSE_DEVICE, {.group = NIC}},
	{"open", OPEN_DEVICE, {.group = NIC}},
	SET("nothing is kept: REQ", NIC, NONE | TRIGGER, REQ, 0, 1, NULL),
	SET("nothing is kept: INTx", NIC, NONE | TRIGGER, INTX, 0, 1, NULL),
	SIGNALLED(3),
	SIGNALLED(4),
};

/* edu raises an interrupt when its register at 0x60 is written, until that at 0x64 is. A number
 * that is the same in both byte orders. */
#define RAISE(role)                                                                      \
	{                                                                                \
		"raise", WRITE_REGION,                                                   \
		{                                                                        \
			.group = (role), .offset = 0x60, .size = 4, .number = 0x01000001 \
		}                                                                        \
	}
#define LOWER(role)                                                                      \
	{                                                                                \
		"lower", WRITE_REGION,                                                   \
		{                                                                        \
			.group = (role), .offset = 0x64, .size = 4, .number = 0x01000001 \
		}                                                                        \
	}
#define ENABLE_EDU                                                                        \
	{                                                                                 \
		"memory and bus master", WRITE_REGION,                                    \
		{                                                                         \
			.group = EDU, .index = VFIO_PCI_CONFIG_REGION_INDEX, .offset = 4, \
			.size = 2, .number = 6                                            \
		}                                                                         \
	}

static const struct question irq_of_edu[] = {
	OPEN_EDU,
	ENABLE_EDU,
	SET("ERR", EDU, EVENT | TRIGGER, ERR, 0, 1, "0"),
	SET("MSI-X", EDU, EVENT | TRIGGER, MSIX, 0, 1, "0"),
	SET("MSI", EDU, EVENT | TRIGGER, MSI, 0, 1, "0"),
	ENABLE_EDU,
	SIGNALLED(0),
	RAISE(EDU),
	SIGNALLED(0),
	LOWER(EDU),
	SIGNALLED(0),
	RAISE(EDU),
	SIGNALLED(0),
	LOWER(EDU),
	SET("MSI off", EDU, NONE | TRIGGER, MSI, 0, 0, NULL),
	RAISE(EDU),
	SIGNALLED(0),
	LOWER(EDU),
	SET("INTx", EDU, EVENT | TRIGGER, INTX, 0, 1, "1"),
	RAISE(EDU),
	SIGNALLED(1),
	SIGNALLED(1),
	COMMAND(EDU),
	SET("unmask while it is raised", EDU, NONE | UNMASK, INTX, 0, 1, NULL),
	SIGNALLED(1),
	LOWER(EDU),
	SET("unmask", EDU, NONE | UNMASK, INTX, 0, 1, NULL),
	SIGNALLED(1),
	SET("mask", EDU, NONE | MASK, INTX, 0, 1, NULL),
	RAISE(EDU),
	SIGNALLED(1),
	SET("unmask while it is raised", EDU, NONE | UNMASK, INTX, 0, 1, NULL),
	SIGNALLED(1),
	LOWER(EDU),
	SET("INTx off", EDU, NONE | TRIGGER, INTX, 0, 0, NULL),
	SIGNALLED(1),
};

const struct scene_table SCENES_OF(interrupts)[] = {
	SCENE(irq_arguments), SCENE(irq_intx),   SCENE(irq_msi), SCENE(irq_msix),
	SCENE(irq_others),    SCENE(irq_of_edu), SCENES_END,
};
