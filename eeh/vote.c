/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "eeh/vote.h"

#include <stddef.h>
#include <string.h>

#define VERDICT_COUNT (VERDICT_NEED_RESET + 1)

static const char *const names[VERDICT_COUNT] = {
	[VERDICT_NONE] = "none",
	[VERDICT_RECOVERED] = "recovered",
	[VERDICT_CAN_RECOVER] = "can-recover",
	[VERDICT_DISCONNECT] = "disconnect",
	[VERDICT_NEED_RESET] = "need-reset",
};

#define FITS(verdict) (1U << (verdict))

static const struct {
	unsigned int fits;
	const char *choices;
} steps[] = {
	[VOTE_ERROR_DETECTED] = {FITS(VERDICT_CAN_RECOVER) | FITS(VERDICT_NEED_RESET) |
					 FITS(VERDICT_DISCONNECT),
				 "can-recover, need-reset or disconnect"},
	[VOTE_MMIO_ENABLED] = {FITS(VERDICT_RECOVERED) | FITS(VERDICT_CAN_RECOVER) |
				       FITS(VERDICT_NEED_RESET) | FITS(VERDICT_DISCONNECT),
			       "recovered, can-recover, need-reset or disconnect"},
	[VOTE_SLOT_RESET] = {FITS(VERDICT_RECOVERED) | FITS(VERDICT_NEED_RESET) |
				     FITS(VERDICT_DISCONNECT),
			     "recovered, need-reset or disconnect"},
};

enum verdict verdict_merge(enum verdict a, enum verdict b)
{
	return a > b ? a : b;
}

bool verdict_fits(enum verdict verdict, enum vote_step step)
{
	return verdict < VERDICT_COUNT && (steps[step].fits & FITS(verdict)) != 0;
}

const char *verdict_choices(enum vote_step step)
{
	return steps[step].choices;
}

bool verdict_parse(const char *text, enum verdict *ret_verdict)
{
	/* "none" is no vote. */
	for (unsigned int i = VERDICT_NONE + 1; i < VERDICT_COUNT; i++) {
		if (strcmp(text, names[i]) == 0) {
			*ret_verdict = (enum verdict)i;
			return true;
		}
	}
	return false;
}

const char *verdict_name(enum verdict verdict)
{
	return names[verdict];
}
