/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "broker/reset.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "broker/manager.h"
#include "common/cleanup.h"
#include "common/log.h"
#include "eeh/state.h"

/* -- one device -- */

struct device_reset {
	struct pe_turn turn;
	struct host_device *device;
	worker_answer_handler handler;
	void *userdata;
};

static int check_pe(const struct pe *pe, struct error *error)
{
	if (pe_condition_is_frozen(pe_condition(pe))) {
		return error_set(error, ERROR_FROZEN, 0,
				 "the PE of group %" PRIu32 " is frozen, which a reset of a device "
				 "would not change: recover it",
				 pe_group(pe)->host->id);
	}
	return pe_check_open(pe, error);
}

static int check_device(const struct host_device *device, struct error *error)
{
	int r = device_check_attached(device, error);

	if (r) {
		return r;
	}
	if (!device->open) {
		return error_set(error, ERROR_NOT_FOUND, 0, "%s is not open: open it first",
				 device->host->name);
	}
	return device->group->pe ? check_pe(device->group->pe, error) : 0;
}

static void finish_device(void *userdata, const struct worker_answer *answer)
{
	struct device_reset *reset = userdata;
	struct pe *pe = reset->device->group->pe;

	if (answer->error.code == ERROR_FROZEN && pe) {
		pe_suspect(pe);
	}
	reset->handler(reset->userdata, answer);
	if (pe) {
		pe_end_turn(pe, &reset->turn);
	}
	free(reset);
}

static int ask_device(struct device_reset *reset, struct error *error)
{
	struct group *group = reset->device->group;
	struct worker_device body = {.group = group->host->id};
	int r = check_device(reset->device, error);

	if (r) {
		return r;
	}
	(void)snprintf(body.name, sizeof(body.name), "%s", reset->device->host->name);
	return space_request(group->space, WORKER_RESET_DEVICE, &body, sizeof(body), NULL, 0,
			     finish_device, reset, error);
}

static void refuse_device(struct pe_turn *turn, const struct error *error)
{
	struct worker_answer answer = {.error = *error};

	finish_device(turn, &answer);
}

static void begin_device(struct pe_turn *turn)
{
	struct error error;

	if (ask_device((struct device_reset *)turn, &error)) {
		refuse_device(turn, &error);
	}
}

int device_reset(struct manager *manager, struct host_device *device, worker_answer_handler handler,
		 void *userdata, struct error *error)
{
	cleanup(cleanup_free) struct device_reset *reset = NULL;
	struct pe *pe = device->group->pe;
	int r = check_device(device, error);

	(void)manager;
	if (r) {
		return r;
	}
	reset = calloc(1, sizeof(*reset));
	if (!reset) {
		return error_set(error, ERROR_KERNEL, ENOMEM, "no memory for the request");
	}
	reset->turn.begin = begin_device;
	reset->turn.refuse = refuse_device;
	reset->device = device;
	reset->handler = handler;
	reset->userdata = userdata;
	if (pe) {
		pe_take_turn(pe, &steal_pointer(reset)->turn);
		return 0;
	}
	r = ask_device(reset, error);
	if (r == 0) {
		(void)steal_pointer(reset); /* finish_device frees it */
	}
	return r;
}

/* -- all of an address space -- */

struct space_reset;

/* The turn of one of its PEs. */
struct reset_turn {
	struct pe_turn turn; /* must be first */
	struct space_reset *reset;
	struct pe *pe;
	bool begun;
};

/* Sent when all turns have begun. */
struct space_reset {
	struct manager *manager;
	unsigned int space;            /* its number: it may be gone */
	worker_answer_handler handler; /* NULL: it was called */
	void *userdata;
	size_t waiting; /* for their begin or refusal */
	size_t count;
	struct reset_turn turns[];
};

static struct space *find_space(const struct space_reset *reset)
{
	struct space *space = reset->manager->spaces;

	while (space && space->number != reset->space) {
		space = space->next;
	}
	return space;
}

/* Answer, once; the reset is freed when none of its turns is to come any more. */
static void answer_space(struct space_reset *reset, const struct worker_answer *answer)
{
	worker_answer_handler handler = steal_pointer(reset->handler);

	if (handler) {
		handler(reset->userdata, answer);
	}
	if (reset->waiting > 0) {
		return;
	}
	/* Those that end let others begin, which know nothing of this one. */
	for (size_t i = 0; i < reset->count; i++) {
		if (reset->turns[i].begun) {
			pe_end_turn(reset->turns[i].pe, &reset->turns[i].turn);
		}
	}
	free(reset);
}

static void fail_space(struct space_reset *reset, const struct error *error)
{
	struct worker_answer answer = {.error = *error};

	answer_space(reset, &answer);
}

static void name_failure(const struct worker_reset *reset, struct error *error)
{
	bool first = error->code == ERROR_NONE;

	if (first) {
		(void)error_set(error, ERROR_KERNEL, reset->errnum, "not reset:");
	}
	error_append(error, "%s %.*s: %.*s", first ? "" : ";", WORKER_DEVICE_NAME_SIZE - 1,
		     reset->name, WORKER_REASON_SIZE - 1, reset->why);
}

static void read_resets(const struct worker_answer *answer, struct worker_answer *result)
{
	const struct worker_reset *resets = answer->body;

	for (size_t i = 0; i < answer->size / sizeof(*resets); i++) {
		if (resets[i].way == WORKER_RESET_FAILED) {
			name_failure(&resets[i], &result->error);
		}
	}
}

static void handle_resets(void *userdata, const struct worker_answer *answer)
{
	struct space_reset *reset = userdata;
	struct worker_answer result = *answer;
	struct space *space = find_space(reset);

	if (answer->error.code == ERROR_NONE && answer->size % sizeof(struct worker_reset) != 0) {
		(void)error_set(&result.error, ERROR_WORKER_LOST, EPROTO,
				"the worker of address space %u answered a reset with %zu bytes, "
				"which makes no sense, and is ended",
				reset->space, answer->size);
		if (space) {
			worker_process_kill(space->worker, SIGKILL);
		}
	} else if (answer->error.code == ERROR_NONE) {
		read_resets(answer, &result);
	}
	answer_space(reset, &result);
}

/* All turns have begun. */
static void ask_space(struct space_reset *reset)
{
	struct space *space = find_space(reset);
	struct error error;
	int r = 0;

	if (!reset->handler) {
		answer_space(reset, NULL); /* it was refused */
		return;
	}
	r = space ? space_request(space, WORKER_RESET_SPACE, NULL, 0, NULL, 0, handle_resets, reset,
				  &error)
		  : error_set(&error, ERROR_WORKER_LOST, 0, "address space %u is gone",
			      reset->space);
	if (r) {
		fail_space(reset, &error);
	}
}

static void begin_turn(struct pe_turn *turn)
{
	struct reset_turn *own = (struct reset_turn *)turn;

	own->begun = true;
	if (--own->reset->waiting == 0) {
		ask_space(own->reset);
	}
}

static void refuse_turn(struct pe_turn *turn, const struct error *error)
{
	struct space_reset *reset = ((struct reset_turn *)turn)->reset;

	reset->waiting--;
	fail_space(reset, error);
}

static bool has_pe(const struct space *space, const struct group *group)
{
	return group->space == space && group->container_id != 0 && group->pe;
}

/* A frozen one is the worker's to tell of: the others can be reset. */
static int check_space(const struct space *space, size_t *ret_pes, struct error *error)
{
	const struct manager *manager = space->manager;
	int r = 0;

	*ret_pes = 0;
	for (size_t i = 0; r == 0 && i < manager->group_count; i++) {
		const struct group *group = manager->groups[i];

		if (has_pe(space, group)) {
			(*ret_pes)++;
			r = pe_check_open(group->pe, error);
			r = r == ERROR_FROZEN ? 0 : r;
		}
	}
	return r;
}

static void fill_turns(struct space_reset *reset, const struct space *space)
{
	const struct manager *manager = space->manager;

	for (size_t i = 0; i < manager->group_count; i++) {
		if (has_pe(space, manager->groups[i])) {
			reset->turns[reset->count++] = (struct reset_turn){
				.turn = {.begin = begin_turn, .refuse = refuse_turn},
				.reset = reset,
				.pe = manager->groups[i]->pe,
			};
		}
	}
}

static void take_turns(struct space_reset *reset)
{
	size_t count = reset->count;

	/* One more than there are, so that none of them is the last before all are taken. */
	reset->waiting = count + 1;
	for (size_t i = 0; i < count; i++) {
		pe_take_turn(reset->turns[i].pe, &reset->turns[i].turn);
	}
	if (--reset->waiting == 0) {
		ask_space(reset);
	}
}

int space_reset(struct space *space, worker_answer_handler handler, void *userdata,
		struct error *error)
{
	struct space_reset *reset;
	size_t pes = 0;
	int r = check_space(space, &pes, error);

	if (r) {
		return r;
	}
	if (space->closing) {
		return error_set(error, ERROR_BUSY, 0, "address space %u is being closed",
				 space->number);
	}
	reset = calloc(1, sizeof(*reset) + pes * sizeof(reset->turns[0]));
	if (!reset) {
		return error_set(error, ERROR_KERNEL, ENOMEM, "no memory for the request");
	}
	reset->manager = space->manager;
	reset->space = space->number;
	reset->handler = handler;
	reset->userdata = userdata;
	fill_turns(reset, space);
	take_turns(reset);
	return 0;
}
