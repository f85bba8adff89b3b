/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * States of a PE: the number that VFIO_EEH_PE_GET_STATE answers, and what it means.
 *
 * The number alone is ambiguous (field notes H43, H44): a PE that is gone for good reads as
 * stopped, 5 is both a bridge that the host recovers and a PE with nothing but its MMIO stopped,
 * and errors of the firmware decode as flags: -5 reads as normal, -1, -3 and -19 as reset. So one
 * sample is a look, and a look is judged by all that is known.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* VFIO_EEH_PE_STATE_* */
#define PE_NUMBER_NORMAL      0U
#define PE_NUMBER_RESET       1U
#define PE_NUMBER_STOPPED     2U
#define PE_NUMBER_STOPPED_DMA 4U
#define PE_NUMBER_UNAVAILABLE 5U
#define PE_NUMBER_UNKNOWN     UINT32_MAX

/* What a PE is, as far as we can tell. */
enum pe_condition {
	PE_UNKNOWN, /* not looked at yet, or what was seen makes no sense: look again */
	PE_NORMAL,
	PE_RESET,   /* a reset is asserted */
	PE_STOPPED, /* MMIO and DMA */
	PE_STOPPED_DMA,
	PE_STOPPED_IO,  /* MMIO only; the number is 5 */
	PE_UNAVAILABLE, /* the host recovers the bridge above, or the firmware the PE */
	PE_GONE,        /* for good: no reset helps */
};

/* One look at a PE. */
struct pe_look {
	uint32_t number; /* PE_NUMBER_* */
	/* The file eeh_pe_state in sysfs: EEH_STATE_* of the firmware, or a negative errno of its,
	 * and EEH_PE_* of the kernel (asm/eeh.h). The latter are for the record: EEH_PE_CFG_BLOCKED
	 * may be a reset, and is with some adapters the freeze itself. */
	bool has_flags;
	uint32_t firmware_flags;
	uint32_t kernel_flags;
	/* Config reads of the open devices: how many there were, and how many did not answer (all
	 * ones, or an error). */
	uint32_t devices;
	uint32_t silent;
};

/* What the look says. PE_UNKNOWN: it contradicts itself, or the number is none. */
enum pe_condition pe_judge(const struct pe_look *look);

/* Whether the number needs the flags to be judged: all but 0 and 4, and 0 when a device is silent.
 */
bool pe_look_needs_flags(const struct pe_look *look);

/* Whether a recovery is due: stopped in any way, unavailable or gone. */
bool pe_condition_is_frozen(enum pe_condition condition);

/* As the property State has it: "normal", "reset", "stopped", "stopped-dma", "unavailable"; and
 * "unknown" where nothing is known. PE_GONE is "stopped" and PE_STOPPED_IO "unavailable" there, as
 * the kernel's numbers are. Static. */
const char *pe_condition_state(enum pe_condition condition);

/* The same in full, for people: "MMIO stopped", "gone for good". Static. */
const char *pe_condition_text(enum pe_condition condition);
