/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The changes of an address space that take long: what is alike for all of them. */
#include <errno.h>
#include <stdlib.h>

#include "vfio/space_private.h"

int space_change_new(struct space *space, enum change_kind kind, struct space_change **ret_change,
		     struct error *error)
{
	struct space_change *change;

	if (space->changing) {
		(void)error_set(error, ERROR_BUSY, 0, "another change is under way");
		return ERROR_BUSY;
	}
	change = calloc(1, sizeof(*change));
	if (!change) {
		(void)error_set(error, ERROR_KERNEL, ENOMEM, "no memory for a change");
		return ERROR_KERNEL;
	}
	change->space = space;
	change->kind = kind;
	*ret_change = change;
	return 0;
}

struct space_change *space_change_start(struct space_change *change)
{
	change->space->changing = true;
	return change;
}

void space_change_work(struct space_change *change)
{
	switch (change->kind) {
	case CHANGE_ATTACH:
		space_work_attach(change);
		break;
	case CHANGE_DETACH:
		space_work_detach(change);
		break;
	case CHANGE_MEMORY_ADD:
	case CHANGE_MEMORY_REMOVE:
		space_work_memory(change);
		break;
	}
}

bool space_change_advance(struct space_change *change)
{
	return change->kind == CHANGE_DETACH && space_advance_detach(change);
}

int space_change_finish(struct space_change *change, struct space_outcome *ret_outcome,
			struct error *error)
{
	struct space_outcome outcome = {.section = NULL};
	int r = 0;

	while (space_change_advance(change)) {
		space_change_work(change);
	}
	change->space->changing = false;
	if (change->code && error) {
		*error = change->error;
	}
	switch (change->kind) {
	case CHANGE_ATTACH:
		r = space_finish_attach(change, &outcome, error);
		break;
	case CHANGE_DETACH:
		r = space_finish_detach(change, &outcome, error);
		break;
	case CHANGE_MEMORY_ADD:
		r = space_finish_memory_add(change, &outcome, error);
		break;
	case CHANGE_MEMORY_REMOVE:
		r = space_finish_memory_remove(change, error);
		break;
	}
	if (r == 0 && ret_outcome) {
		*ret_outcome = outcome;
	}
	free(change);
	return r;
}
