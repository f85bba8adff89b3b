/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What spaprd-simhost does with the verbs that are about the host itself (sim/control.h). */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "sim/eeh.h"
#include "sim/hotplug.h"
#include "sim/simhost_private.h"

static void answer(struct simhost_request *request, int code, const struct error *error)
{
	simhost_answer(request, (struct sim_reply){.code = (uint32_t)code}, error->text,
		       code ? strlen(error->text) : 0, -1);
}

static void answer_body(struct simhost_request *request, const void *body, size_t size)
{
	simhost_answer(request, (struct sim_reply){.code = ERROR_NONE}, body, size, -1);
}

/* Take the body of a request. One of another size is what no client of ours would send. */
static bool read_body(struct simhost_request *request, void *body, size_t size)
{
	if (request->head.size != size) {
		request->connection->broken = true;
		return false;
	}
	if (size > 0) {
		memcpy(body, request->body, size);
	}
	return true;
}

/* Whether a name ends; one that doesn't is nothing that a client of ours would send, either. */
static bool check_name(struct simhost_request *request, const char name[SIM_NAME_SIZE])
{
	if (!memchr(name, '\0', SIM_NAME_SIZE)) {
		request->connection->broken = true;
	}
	return !request->connection->broken;
}

/* rules */

static void handle_make_rule(struct simhost *simhost, struct simhost_request *request)
{
	struct sim_rule_id made = {.id = 0};
	struct sim_rule rule;
	struct error error;
	int code;

	if (!read_body(request, &rule, sizeof(rule)) || !check_name(request, rule.operation)) {
		return;
	}
	if (request->head.type == SIM_DELAY) {
		answer(request, sim_faults_delay(&simhost->faults, &rule, &error), &error);
		return;
	}
	if (request->head.type == SIM_FAIL_NEXT) {
		answer(request, sim_faults_fail_next(&simhost->faults, &rule, &error), &error);
		return;
	}
	code = sim_faults_add(&simhost->faults, &rule, &made.id, &error);
	if (code) {
		answer(request, code, &error);
	} else {
		answer_body(request, &made, sizeof(made));
	}
}

static void handle_remove_rule(struct simhost *simhost, struct simhost_request *request)
{
	struct sim_rule_id rule;
	struct error error;

	if (read_body(request, &rule, sizeof(rule))) {
		answer(request, sim_faults_remove(&simhost->faults, rule.id, &error), &error);
	}
}

static void handle_clear_rules(struct simhost *simhost, struct simhost_request *request)
{
	if (read_body(request, NULL, 0)) {
		sim_faults_done(&simhost->faults);
		answer_body(request, NULL, 0);
	}
}

static void handle_list_rules(struct simhost *simhost, struct simhost_request *request)
{
	struct sim_listed_rule *rules;

	if (!read_body(request, NULL, 0)) {
		return;
	}
	rules = calloc(SIM_RULES_MAX, sizeof(*rules));
	if (!rules) {
		request->connection->broken = true;
		return;
	}
	answer_body(request, rules, sim_faults_list(&simhost->faults, rules) * sizeof(*rules));
	free(rules);
}

/* freezes */

static void handle_freeze(struct simhost *simhost, struct simhost_request *request)
{
	struct sim_freeze_request freeze;
	struct error error;
	int code;

	if (!read_body(request, &freeze, sizeof(freeze))) {
		return;
	}
	switch (freeze.what) {
	case SIM_FREEZE_IO:
	case SIM_FREEZE_DMA:
	case SIM_FREEZE_BOTH:
	case SIM_FREEZE_PERMANENT:
	case SIM_FREEZE_UNAVAILABLE:
		code = sim_eeh_freeze(simhost->model, freeze.group, (enum sim_freeze)freeze.what,
				      &error);
		break;
	default:
		code = error_set(&error, ERROR_INVALID_ARGUMENT, 0, "there is no freeze %u",
				 freeze.what);
		break;
	}
	answer(request, code, &error);
}

/* devices */

static void handle_plugging(struct simhost *simhost, struct simhost_request *request)
{
	struct sim_device_request device;
	struct error error;
	int code;

	if (!read_body(request, &device, sizeof(device)) || !check_name(request, device.device)) {
		return;
	}
	code = request->head.type == SIM_UNPLUG
		       ? sim_hotplug_unplug(simhost->model, device.device, &error)
		       : sim_hotplug_plug(simhost->model, device.device, &error);
	answer(request, code, &error);
}

/* tables */

static void handle_dump(struct simhost *simhost, struct simhost_request *request)
{
	struct sim_dump_request wanted;
	struct sim_dump *dump;
	struct error error;
	int code;

	if (!read_body(request, &wanted, sizeof(wanted))) {
		return;
	}
	dump = calloc(1, sizeof(*dump));
	if (!dump) {
		request->connection->broken = true;
		return;
	}
	code = sim_model_dump(simhost->model, wanted.group, wanted.from, wanted.most, dump, &error);
	if (code) {
		answer(request, code, &error);
	} else {
		answer_body(request, dump,
			    offsetof(struct sim_dump, entry) +
				    dump->entry_count * sizeof(dump->entry[0]));
	}
	free(dump);
}

void simhost_handle_verb(struct simhost *simhost, struct simhost_request *request)
{
	switch ((enum sim_request_type)request->head.type) {
	case SIM_FAIL_NEXT:
	case SIM_DELAY:
	case SIM_ADD_RULE:
		handle_make_rule(simhost, request);
		break;
	case SIM_REMOVE_RULE:
		handle_remove_rule(simhost, request);
		break;
	case SIM_CLEAR_RULES:
		handle_clear_rules(simhost, request);
		break;
	case SIM_LIST_RULES:
		handle_list_rules(simhost, request);
		break;
	case SIM_FREEZE:
		handle_freeze(simhost, request);
		break;
	case SIM_UNPLUG:
	case SIM_PLUG:
		handle_plugging(simhost, request);
		break;
	case SIM_DUMP:
		handle_dump(simhost, request);
		break;
	default:
		request->connection->broken = true;
		break;
	}
}
