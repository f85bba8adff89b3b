/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/faults.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/ioctls.h"

#define ERRNO_MAX 4095 /* of the kernel's */

void sim_faults_done(struct sim_faults *faults)
{
	while (faults->first) {
		struct sim_fault *fault = faults->first;

		faults->first = fault->next;
		free(fault);
	}
}

static int add(struct sim_faults *faults, const struct sim_fault *model, const char *operation,
	       struct error *error)
{
	struct sim_fault **link = &faults->first;
	struct sim_fault *fault;

	if (strncmp(operation, SIM_OPERATION_OPEN, strlen(SIM_OPERATION_OPEN)) != 0 &&
	    !sim_ioctl_find_name(operation)) {
		return error_set(error, ERROR_INVALID_ARGUMENT, 0,
				 "there is no operation %s; take the name of an ioctl, or "
				 "open: and the path of a node",
				 operation);
	}
	fault = malloc(sizeof(*fault));
	if (!fault) {
		return error_set(error, ERROR_KERNEL, ENOMEM, "rule for %s", operation);
	}
	*fault = *model;
	(void)snprintf(fault->operation, sizeof(fault->operation), "%s", operation);
	while (*link) {
		link = &(*link)->next;
	}
	*link = fault;
	return 0;
}

int sim_faults_add_failure(struct sim_faults *faults, const char *operation, uint32_t skip,
			   int errnum, struct error *error)
{
	struct sim_fault model = {.fails = true, .skip = skip, .errnum = errnum};

	if (errnum <= 0 || errnum > ERRNO_MAX) {
		return error_set(error, ERROR_INVALID_ARGUMENT, 0, "%d is no errno", errnum);
	}
	return add(faults, &model, operation, error);
}

int sim_faults_add_delay(struct sim_faults *faults, const char *operation, uint32_t milliseconds,
			 struct error *error)
{
	struct sim_fault model = {.fails = false, .milliseconds = milliseconds};

	if (milliseconds == 0 || milliseconds > SIM_DELAY_MAX_MILLIS) {
		return error_set(error, ERROR_INVALID_ARGUMENT, 0,
				 "a delay of %u ms; 1 to %u are possible", milliseconds,
				 SIM_DELAY_MAX_MILLIS);
	}
	return add(faults, &model, operation, error);
}

/* Unlink the oldest rule of that kind for the operation, unless it lets this one pass. */
static struct sim_fault *take(struct sim_faults *faults, const char *operation, bool fails)
{
	for (struct sim_fault **link = &faults->first; *link; link = &(*link)->next) {
		struct sim_fault *fault = *link;

		if (fault->fails != fails || strcmp(fault->operation, operation) != 0) {
			continue;
		}
		if (fault->skip > 0) {
			fault->skip--;
			return NULL;
		}
		*link = fault->next;
		return fault;
	}
	return NULL;
}

int sim_faults_take_failure(struct sim_faults *faults, const char *operation)
{
	struct sim_fault *fault = take(faults, operation, true);
	int errnum = fault ? fault->errnum : 0;

	free(fault);
	return errnum;
}

uint32_t sim_faults_take_delay(struct sim_faults *faults, const char *operation)
{
	struct sim_fault *fault = take(faults, operation, false);
	uint32_t milliseconds = fault ? fault->milliseconds : 0;

	free(fault);
	return milliseconds;
}
