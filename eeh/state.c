/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "eeh/state.h"

/* What firmware tells of a PE (EEH_STATE_ in asm/eeh.h). */
#define FLAG_UNAVAILABLE   (1U << 0)
#define FLAG_NOT_SUPPORTED (1U << 1)
#define FLAG_RESET_ACTIVE  (1U << 2)
#define FLAG_IO_ENABLED    (1U << 5)
#define FLAG_DMA_ENABLED   (1U << 6)

#define FLAGS_ENABLED (FLAG_IO_ENABLED | FLAG_DMA_ENABLED)

/* The firmware's negative errors come through as they are, in the number and in the file alike. */
#define FLAG_ERROR (1U << 31)

/* What the flags alone say. PE_UNKNOWN: an error. */
static enum pe_condition judge_flags(uint32_t flags)
{
	if (flags & FLAG_ERROR) {
		return PE_UNKNOWN;
	}
	if (flags & FLAG_NOT_SUPPORTED) {
		return PE_GONE;
	}
	if (flags & FLAG_UNAVAILABLE) {
		return PE_UNAVAILABLE;
	}
	if (flags & FLAG_RESET_ACTIVE) {
		return PE_RESET;
	}
	switch (flags & FLAGS_ENABLED) {
	case FLAGS_ENABLED:
		return PE_NORMAL;
	case FLAG_IO_ENABLED:
		return PE_STOPPED_DMA;
	case FLAG_DMA_ENABLED:
		return PE_STOPPED_IO;
	default:
		return PE_STOPPED;
	}
}

/* No device answers: what a frozen PE looks like, or one whose bridge is down. */
static bool is_silent(const struct pe_look *look)
{
	return look->devices > 0 && look->silent >= look->devices;
}

/* Without flags the number has to do. */
static enum pe_condition judge_number(const struct pe_look *look)
{
	switch (look->number) {
	case PE_NUMBER_NORMAL:
		/* -5 decodes as that (H43). */
		return is_silent(look) ? PE_UNKNOWN : PE_NORMAL;
	case PE_NUMBER_RESET:
		return PE_RESET;
	case PE_NUMBER_STOPPED:
		return PE_STOPPED;
	case PE_NUMBER_STOPPED_DMA:
		return PE_STOPPED_DMA;
	case PE_NUMBER_UNAVAILABLE:
		return PE_UNAVAILABLE;
	default:
		return PE_UNKNOWN;
	}
}

/* Whether the kernel makes this number of a PE in this condition (eeh_pe_get_state). */
static bool number_fits(uint32_t number, enum pe_condition condition)
{
	switch (condition) {
	case PE_NORMAL:
		return number == PE_NUMBER_NORMAL;
	case PE_RESET:
		return number == PE_NUMBER_RESET;
	case PE_STOPPED:
	case PE_UNAVAILABLE:
	case PE_GONE:
		return number == PE_NUMBER_STOPPED;
	case PE_STOPPED_DMA:
		return number == PE_NUMBER_STOPPED_DMA;
	case PE_STOPPED_IO:
		return number == PE_NUMBER_UNAVAILABLE;
	case PE_UNKNOWN:
		break;
	}
	return false;
}

enum pe_condition pe_judge(const struct pe_look *look)
{
	enum pe_condition condition;

	if (!look->has_flags) {
		return judge_number(look);
	}
	condition = judge_flags(look->firmware_flags);
	if (number_fits(look->number, condition)) {
		return condition;
	}
	/* While the host recovers the bridge above, the kernel answers 5 without asking the
	 * firmware; what that says of the PE meanwhile doesn't count. */
	return look->number == PE_NUMBER_UNAVAILABLE ? PE_UNAVAILABLE : PE_UNKNOWN;
}

bool pe_look_needs_flags(const struct pe_look *look)
{
	switch (look->number) {
	case PE_NUMBER_NORMAL:
		return look->silent > 0;
	case PE_NUMBER_STOPPED_DMA:
		return false;
	default:
		return true;
	}
}

bool pe_condition_is_frozen(enum pe_condition condition)
{
	switch (condition) {
	case PE_STOPPED:
	case PE_STOPPED_DMA:
	case PE_STOPPED_IO:
	case PE_UNAVAILABLE:
	case PE_GONE:
		return true;
	case PE_UNKNOWN:
	case PE_NORMAL:
	case PE_RESET:
		break;
	}
	return false;
}

const char *pe_condition_state(enum pe_condition condition)
{
	switch (condition) {
	case PE_NORMAL:
		return "normal";
	case PE_RESET:
		return "reset";
	case PE_STOPPED:
	case PE_GONE:
		return "stopped";
	case PE_STOPPED_DMA:
		return "stopped-dma";
	case PE_STOPPED_IO:
	case PE_UNAVAILABLE:
		return "unavailable";
	case PE_UNKNOWN:
		break;
	}
	return "unknown";
}

const char *pe_condition_text(enum pe_condition condition)
{
	switch (condition) {
	case PE_NORMAL:
		return "normal";
	case PE_RESET:
		return "reset asserted";
	case PE_STOPPED:
		return "MMIO and DMA stopped";
	case PE_STOPPED_DMA:
		return "DMA stopped";
	case PE_STOPPED_IO:
		return "MMIO stopped";
	case PE_UNAVAILABLE:
		return "unavailable for the time being";
	case PE_GONE:
		return "gone for good";
	case PE_UNKNOWN:
		break;
	}
	return "unknown";
}
