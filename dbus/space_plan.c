/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* org.spaprd1.AddressSpace: Plan. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "dbus/space_methods.h"

/* -- the request -- */

static int read_option(struct worker_plan *plan, const char *name, DBusMessageIter *variant,
		       struct error *error)
{
	dbus_uint64_t number = 0;
	DBusMessageIter value;
	uint64_t *target = NULL;
	int type;

	dbus_message_iter_recurse(variant, &value);
	type = dbus_message_iter_get_arg_type(&value);
	if (strcmp(name, "memory") == 0) {
		target = &plan->memory;
	} else if (strcmp(name, "backing-page") == 0) {
		target = &plan->backing_page;
	}
	if (!target || type != DBUS_TYPE_UINT64) {
		return error_set(error, ERROR_INVALID_ARGUMENT, 0,
				 "option \"%.64s\" with a value of type '%c' is not known; there "
				 "are memory (t) and backing-page (t)",
				 name, type);
	}
	dbus_message_iter_get_basic(&value, &number);
	if (number == 0) {
		return error_set(error, ERROR_INVALID_ARGUMENT, 0,
				 "option \"%s\" is 0; leave it out for the memory that there is",
				 name);
	}
	*target = number;
	return 0;
}

static int read_options(DBusMessageIter *arguments, struct worker_plan *plan, struct error *error)
{
	DBusMessageIter dictionary;
	int r = 0;

	dbus_message_iter_recurse(arguments, &dictionary);
	while (r == 0 && dbus_message_iter_get_arg_type(&dictionary) == DBUS_TYPE_DICT_ENTRY) {
		DBusMessageIter entry;
		const char *name = NULL;

		dbus_message_iter_recurse(&dictionary, &entry);
		dbus_message_iter_get_basic(&entry, &name);
		(void)dbus_message_iter_next(&entry);
		r = read_option(plan, name, &entry, error);
		(void)dbus_message_iter_next(&dictionary);
	}
	return r;
}

static int read_plan(const struct bus_call *call, struct worker_plan *plan, struct error *error)
{
	DBusMessageIter arguments;
	dbus_uint64_t size = 0;

	(void)dbus_message_iter_init(bus_call_message(call), &arguments);
	dbus_message_iter_get_basic(&arguments, &size);
	plan->size = size;
	(void)dbus_message_iter_next(&arguments);
	dbus_message_iter_get_basic(&arguments, &plan->page_shift);
	(void)dbus_message_iter_next(&arguments);
	dbus_message_iter_get_basic(&arguments, &plan->levels);
	(void)dbus_message_iter_next(&arguments);
	return read_options(&arguments, plan, error);
}

/* -- the answer -- */

struct plan_answer {
	struct worker_plan_result head;
	struct worker_choice choices[WORKER_CHOICES_MAX];
	char explanation[WORKER_EXPLANATION_MAX + 1];
};

/* libdbus aborts on text that is not UTF-8, and ends at a zero. */
static bool is_text(const char *text, size_t size)
{
	return strlen(text) == size && dbus_validate_utf8(text, NULL);
}

/* Whether the worker's answer is one. */
static bool read_answer(const struct worker_answer *worker, struct plan_answer *ret_answer)
{
	const unsigned char *body = worker->body;
	struct worker_plan_result *head = &ret_answer->head;
	size_t choices;

	if (worker->size < sizeof(*head)) {
		return false;
	}
	memcpy(head, body, sizeof(*head));
	if (head->count > WORKER_CHOICES_MAX || head->explanation_size > WORKER_EXPLANATION_MAX ||
	    (head->chosen >= head->count && head->chosen != WORKER_CHOICE_NONE)) {
		return false;
	}
	choices = head->count * sizeof(*ret_answer->choices);
	if (worker->size != sizeof(*head) + choices + head->explanation_size) {
		return false;
	}
	memcpy(ret_answer->choices, body + sizeof(*head), choices);
	memcpy(ret_answer->explanation, body + sizeof(*head) + choices, head->explanation_size);
	ret_answer->explanation[head->explanation_size] = '\0';
	for (uint32_t i = 0; i < head->count; i++) {
		if (ret_answer->choices[i].code >= ERROR_CODE_COUNT) {
			return false;
		}
	}
	return is_text(ret_answer->explanation, head->explanation_size);
}

static int append_choice(void *object, uint32_t i, DBusMessageIter *array)
{
	const struct worker_choice *choice = &((const struct plan_answer *)object)->choices[i];
	const char *refusal =
		choice->code == ERROR_NONE ? "" : error_bus_name((enum error_code)choice->code);

	return face_append_record(
		array, DBUS_TYPE_STRUCT, DBUS_TYPE_UINT64, &choice->size, DBUS_TYPE_UINT32,
		&choice->page_shift, DBUS_TYPE_UINT32, &choice->levels, DBUS_TYPE_UINT64,
		&choice->locked_bytes, DBUS_TYPE_UINT64, &choice->tces, DBUS_TYPE_UINT64,
		&choice->piece_bytes, DBUS_TYPE_STRING, &refusal, DBUS_TYPE_INVALID);
}

static int append_answer(DBusMessageIter *iter, void *userdata)
{
	struct plan_answer *answer = userdata;
	const char *explanation = answer->explanation;

	if (face_append_array(iter, "(tuuttts)", answer->head.count, append_choice, answer) < 0 ||
	    face_append(iter, DBUS_TYPE_UINT32, &answer->head.chosen) < 0) {
		return -ENOMEM;
	}
	return face_append(iter, DBUS_TYPE_STRING, &explanation);
}

static void reply_plan(void *userdata, const struct worker_answer *worker)
{
	struct bus_call *call = userdata;
	struct plan_answer answer;
	struct error error;

	if (worker->error.code != ERROR_NONE) {
		bus_call_fail(call, &worker->error);
	} else if (!read_answer(worker, &answer)) {
		(void)error_set(&error, ERROR_KERNEL, EPROTO,
				"the worker's answer of %zu bytes is no plan", worker->size);
		bus_call_fail(call, &error);
	} else {
		bus_call_reply_with(call, append_answer, &answer);
	}
}

static void do_plan(struct bus_call *call, struct space_face *face)
{
	struct worker_plan plan = {.size = 0};
	struct error error;

	if (read_plan(call, &plan, &error)) {
		bus_call_fail(call, &error);
		return;
	}
	space_forward(call, face, WORKER_PLAN, &plan, sizeof(plan), reply_plan);
}

void space_handle_plan(struct bus_call *call, void *object)
{
	face_authorise(call, object, do_plan);
}
