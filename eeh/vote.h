/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Votes of those who take part in a recovery, and how they merge: the largest wins, in the order of
 * the kernel's eeh_result_priority (arch/powerpc/kernel/eeh_driver.c).
 */
#pragma once

#include <stdbool.h>

enum verdict {
	VERDICT_NONE,        /* nobody voted, or nobody who knows of EEH */
	VERDICT_RECOVERED,   /* "recovered" */
	VERDICT_CAN_RECOVER, /* "can-recover" */
	VERDICT_DISCONNECT,  /* "disconnect": give the device up */
	VERDICT_NEED_RESET,  /* "need-reset" */
};

/* The steps in which there are votes. */
enum vote_step {
	VOTE_ERROR_DETECTED, /* can-recover, need-reset or disconnect */
	VOTE_MMIO_ENABLED,   /* recovered, can-recover (the same here), need-reset, disconnect */
	VOTE_SLOT_RESET,     /* recovered, need-reset (another reset), disconnect */
};

enum verdict verdict_merge(enum verdict a, enum verdict b);

/* Whether a verdict may be voted in a step; VERDICT_NONE never. */
bool verdict_fits(enum verdict verdict, enum vote_step step);

/* "can-recover, need-reset or disconnect": what fits, for messages. Static. */
const char *verdict_choices(enum vote_step step);

/* Read "can-recover" … Whether it is one. */
bool verdict_parse(const char *text, enum verdict *ret_verdict);

/* "none" for VERDICT_NONE. Static. */
const char *verdict_name(enum verdict verdict);
