/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/client.h"

const char *spaprd_vote_name(enum spaprd_vote vote)
{
	switch (vote) {
	case SPAPRD_VOTE_LATER:
		return "later";
	case SPAPRD_VOTE_RECOVERED:
		return "recovered";
	case SPAPRD_VOTE_CAN_RECOVER:
		return "can-recover";
	case SPAPRD_VOTE_NEED_RESET:
		return "need-reset";
	case SPAPRD_VOTE_DISCONNECT:
		return "disconnect";
	}
	return "";
}

const char *spaprd_step_name(enum spaprd_step step)
{
	switch (step) {
	case SPAPRD_STEP_ERROR_DETECTED:
		return "error-detected";
	case SPAPRD_STEP_MMIO_ENABLED:
		return "mmio-enabled";
	case SPAPRD_STEP_SLOT_RESET:
		return "slot-reset";
	}
	return "";
}

bool step_takes(unsigned int step, enum spaprd_vote vote)
{
	switch (vote) {
	case SPAPRD_VOTE_LATER:
		return false;
	case SPAPRD_VOTE_RECOVERED:
		return step == SPAPRD_STEP_MMIO_ENABLED || step == SPAPRD_STEP_SLOT_RESET;
	case SPAPRD_VOTE_CAN_RECOVER:
		return step == SPAPRD_STEP_ERROR_DETECTED || step == SPAPRD_STEP_MMIO_ENABLED;
	case SPAPRD_VOTE_NEED_RESET:
	case SPAPRD_VOTE_DISCONNECT:
		return true;
	}
	return false;
}

const char *step_choices(unsigned int step)
{
	switch (step) {
	case SPAPRD_STEP_ERROR_DETECTED:
		return "can-recover, need-reset or disconnect";
	case SPAPRD_STEP_MMIO_ENABLED:
		return "recovered, can-recover, need-reset or disconnect";
	default:
		return "recovered, need-reset or disconnect";
	}
}
