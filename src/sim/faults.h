/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Rules that let later operations fail or wait, each once.
 *
 * An operation is named after its ioctl ("VFIO_IOMMU_MAP_DMA"), or "open:" and a path. The oldest
 * rule that fits counts; a rule to fail first lets `skip` operations of its name pass.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "sim/control.h"

#define SIM_OPERATION_OPEN   "open:"
#define SIM_DELAY_MAX_MILLIS (60U * 60U * 1000U)

struct sim_fault {
	struct sim_fault *next;
	char operation[SIM_NAME_SIZE];
	bool fails; /* or waits */
	uint32_t skip;
	int errnum;
	uint32_t milliseconds;
};

struct sim_faults {
	struct sim_fault *first;
};

void sim_faults_done(struct sim_faults *faults);

/* 0 or a code with the error filled. */
int sim_faults_add_failure(struct sim_faults *faults, const char *operation, uint32_t skip,
			   int errnum, struct error *error);
int sim_faults_add_delay(struct sim_faults *faults, const char *operation, uint32_t milliseconds,
			 struct error *error);

/* The errno with which this operation is to fail, or 0. */
int sim_faults_take_failure(struct sim_faults *faults, const char *operation);

/* The milliseconds that this operation is to wait, or 0. */
uint32_t sim_faults_take_delay(struct sim_faults *faults, const char *operation);
