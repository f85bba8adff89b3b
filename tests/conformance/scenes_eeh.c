/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* EEH operations on healthy PEs: nothing here freezes one. */
#include <linux/vfio.h>

#include "scenes.h"

#define OP(what, operation)                   \
	{                                     \
		what, EEH,                    \
		{                             \
			.number = (operation) \
		}                             \
	}
#define STATE OP("state", VFIO_EEH_PE_GET_STATE)

/* What does not reset. */
#define HARMLESS                                                                                   \
	STATE, OP("disable", VFIO_EEH_PE_DISABLE), STATE, OP("enable", VFIO_EEH_PE_ENABLE), STATE, \
		OP("unfreeze I/O", VFIO_EEH_PE_UNFREEZE_IO),                                       \
		OP("unfreeze DMA", VFIO_EEH_PE_UNFREEZE_DMA), STATE,                               \
		OP("configure", VFIO_EEH_PE_CONFIGURE), STATE

static const struct question eeh_arguments[] = {
	STATE,
	JOIN_NIC,
	STATE,
	SET_TCE_V2,
	{"argsz 0", EEH, {.number = VFIO_EEH_PE_GET_STATE, .argsz = ARGSZ(0)}},
	{"argsz 8", EEH, {.number = VFIO_EEH_PE_GET_STATE, .argsz = ARGSZ(8)}},
	{"argsz 11", EEH, {.number = VFIO_EEH_PE_GET_STATE, .argsz = ARGSZ(11)}},
	{"argsz 12", EEH, {.number = VFIO_EEH_PE_GET_STATE, .argsz = ARGSZ(12)}},
	{"argsz 100", EEH, {.number = VFIO_EEH_PE_GET_STATE, .argsz = ARGSZ(100)}},
	{"flags", EEH, {.number = VFIO_EEH_PE_GET_STATE, .flags = 1}},
	OP("operation 10", 10),
	OP("operation 11", 11),
	OP("operation 99", 99),
	OP("operation 2^32 - 1", UINT32_MAX),
	{"bad pointer", BAD_POINTER_OF_CONTAINER, {.number = VFIO_EEH_PE_OP}},
	{"inject, argsz 12", EEH, {.number = VFIO_EEH_PE_INJECT_ERR, .argsz = ARGSZ(12)}},
	{"inject, argsz 39", EEH, {.number = VFIO_EEH_PE_INJECT_ERR, .argsz = ARGSZ(39)}},
	{"inject, type 2", EEH, {.number = VFIO_EEH_PE_INJECT_ERR, .errors = {2, 0}}},
	{"inject, type 9", EEH, {.number = VFIO_EEH_PE_INJECT_ERR, .errors = {9, 0}}},
	{"inject, type 2^32 - 1",
	 EEH,
	 {.number = VFIO_EEH_PE_INJECT_ERR, .errors = {UINT32_MAX, 0}}},
	{"inject, function 20", EEH, {.number = VFIO_EEH_PE_INJECT_ERR, .errors = {0, 20}}},
	{"inject, function 99", EEH, {.number = VFIO_EEH_PE_INJECT_ERR, .errors = {0, 99}}},
	{"inject, type 1 function 99", EEH, {.number = VFIO_EEH_PE_INJECT_ERR, .errors = {1, 99}}},
	STATE,
	{"leave", UNSET_CONTAINER, {.group = NIC}},
	STATE,
};

static const struct question eeh_one_group[] = {
	JOIN_NIC, SET_TCE_V2,         HARMLESS, {"open the device", OPEN_DEVICE, {.group = NIC}},
	HARMLESS, {"locked", LOCKED},
};

static const struct question eeh_two_groups[] = {
	JOIN_NIC,
	SET_TCE_V2,
	{"a second group", SET_CONTAINER, {.group = EDU_2}},
	HARMLESS,
	{"the first leaves", UNSET_CONTAINER, {.group = NIC}},
	STATE,
};

static const struct question eeh_v1[] = {
	JOIN_NIC, SET_TCE_V1,          {"extension", CHECK_EXTENSION, {.number = VFIO_EEH}},
	HARMLESS, {"enabled", ENABLE}, HARMLESS,
};

static const struct question eeh_reset[] = {
	JOIN_NIC,
	SET_TCE_V2,
	{"open the device", OPEN_DEVICE, {.group = NIC}},
	OP("deactivate first", VFIO_EEH_PE_RESET_DEACTIVATE),
	STATE,
	OP("hot", VFIO_EEH_PE_RESET_HOT),
	STATE,
	{"config meanwhile",
	 READ_REGION,
	 {.group = NIC, .index = VFIO_PCI_CONFIG_REGION_INDEX, .size = 4}},
	OP("deactivate", VFIO_EEH_PE_RESET_DEACTIVATE),
	STATE,
	OP("configure", VFIO_EEH_PE_CONFIGURE),
	STATE,
	{"config afterwards",
	 READ_REGION,
	 {.group = NIC, .index = VFIO_PCI_CONFIG_REGION_INDEX, .size = 64}},
	{"device info", DEVICE_INFO, {.group = NIC}},
};

const struct scene_table SCENES_OF(eeh)[] = {
	SCENE(eeh_arguments), SCENE(eeh_one_group), SCENE(eeh_two_groups),
	SCENE(eeh_v1),        SCENE(eeh_reset),     SCENES_END,
};
