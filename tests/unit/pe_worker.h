/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A worker with one PE, which the test and the worker's process have in common: what state it is
 * in, what is refused, what is not answered yet, and what was asked.
 */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#include "common/error.h"
#include "common/worker_protocol.h"

#define ENV_PE_SCRIPT "SPAPRD_TEST_PE" /* the file that both map */

#define PE_WORKER_TEXT "the firmware said no \xff"

struct pe_script {
	char state_file[96]; /* eeh_pe_state of the PE, as the kernel would show it */
	_Atomic uint32_t number;
	_Atomic uint32_t no_eeh; /* of containers that come now */
	/* Operations by number; 0: none. */
	_Atomic uint32_t failing; /* with failure */
	_Atomic uint32_t failure; /* enum error_code */
	_Atomic uint32_t idle;    /* "works", and changes nothing (H44) */
	_Atomic uint32_t held;    /* not answered as long as it stands here */
	_Atomic uint32_t asked[WORKER_PE_OPERATION_COUNT];
	_Atomic uint32_t opened;       /* how often a device was */
	_Atomic uint32_t open_failure; /* enum error_code */
	struct worker_operate_pe last; /* that was asked */
};

/* Map the file that the environment names. NULL: it can't be had. */
struct pe_script *pe_script_map(void);

/* Put the PE into a state, VFIO_EEH_PE_STATE_*, with its file in sysfs. */
void pe_script_set(struct pe_script *script, uint32_t number);

/* The host recovers the bridge above: the kernel says 5, whatever the firmware says. */
void pe_script_set_unavailable(struct pe_script *script);

/* To be called in the process that the broker started as a worker. Returns its exit status. */
int pe_worker_play(void);
