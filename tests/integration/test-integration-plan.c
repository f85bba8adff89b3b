/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Plan tells what CreateWindow makes, and what it locks, before anything is asked of the kernel. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "world.h"

#define MEMORY_SIZE   (UINT64_C(2) << 20)
#define CHOICES_MAX   256
#define CHOSEN_NONE   UINT32_MAX
#define OPTIONS_MAX   2
#define GIB           (UINT64_C(1) << 30)
#define LPAR_TCES_MAX (UINT64_C(1) << 24)
#define POWERNV_TCES  (UINT64_C(1) << 30)
/*
 * Windows that are made, too: removing one costs a POWER8 host 0.3 us for each TCE, and an LPAR two
 * calls.
 */
#define MOST_TCES_OFTEN (UINT64_C(1) << 20)
#define MOST_TCES_ONCE  (UINT64_C(1) << 24)
#define MOST_TCES_LPAR  (UINT64_C(1) << 19)

struct option {
	const char *name; /* NULL: none */
	int type;
	uint64_t number;
};

struct request {
	uint64_t size;
	uint32_t page_shift;
	uint32_t levels;
	struct option options[OPTIONS_MAX];
};

struct choice {
	uint64_t size;
	uint32_t page_shift;
	uint32_t levels;
	uint64_t locked_bytes;
	uint64_t tces;
	uint64_t piece_bytes;
	bool refused;
};

struct plan {
	struct choice choices[CHOICES_MAX];
	unsigned int count;
	uint32_t chosen;
	char explanation[4096];
};

/* An address space with a group and 2 MiB of memory that end at `end`. */
struct stage {
	const struct world *world;
	const struct lab_host *host;
	DBusConnection *client;
	char *space;
	int fd;
};

static void stage_open(struct stage *stage, const struct world *world, uint64_t end)
{
	*stage = (struct stage){.world = world, .host = world->host, .client = world->client};
	stage->space = space_create(stage->client, "plan");
	attach(stage->client, stage->space, stage->host->edu, NULL);
	stage->fd = memory_new(MEMORY_SIZE);
	(void)add_memory(stage->client, stage->space, stage->fd, 0, end - MEMORY_SIZE, MEMORY_SIZE,
			 0, NULL);
}

static void stage_close(struct stage *stage)
{
	space_close(stage->client, stage->space);
	(void)close(stage->fd);
	wait_until_nothing_is_left(stage->world);
}

/* -- the call -- */

static void append_option(DBusMessageIter *dictionary, const struct option *option)
{
	const char signature[] = {(char)option->type, '\0'};
	dbus_uint32_t small = (dbus_uint32_t)option->number;
	dbus_uint64_t large = option->number;
	DBusMessageIter entry;
	DBusMessageIter value;

	assert_true(
		dbus_message_iter_open_container(dictionary, DBUS_TYPE_DICT_ENTRY, NULL, &entry));
	assert_true(dbus_message_iter_append_basic(&entry, DBUS_TYPE_STRING, &option->name));
	assert_true(dbus_message_iter_open_container(&entry, DBUS_TYPE_VARIANT, signature, &value));
	assert_true(dbus_message_iter_append_basic(
		&value, option->type,
		option->type == DBUS_TYPE_UINT32 ? (void *)&small : (void *)&large));
	assert_true(dbus_message_iter_close_container(&entry, &value));
	assert_true(dbus_message_iter_close_container(dictionary, &entry));
}

static DBusMessage *make_call(const char *space, const struct request *request)
{
	DBusMessage *message =
		dbus_message_new_method_call(BUS_NAME, space, BUS_INTERFACE_SPACE, "Plan");
	DBusMessageIter iter;
	DBusMessageIter dictionary;

	assert_true(dbus_message_append_args(
		message, DBUS_TYPE_UINT64, &request->size, DBUS_TYPE_UINT32, &request->page_shift,
		DBUS_TYPE_UINT32, &request->levels, DBUS_TYPE_INVALID));
	dbus_message_iter_init_append(message, &iter);
	assert_true(dbus_message_iter_open_container(&iter, DBUS_TYPE_ARRAY, "{sv}", &dictionary));
	for (unsigned int i = 0; i < OPTIONS_MAX; i++) {
		if (request->options[i].name) {
			append_option(&dictionary, &request->options[i]);
		}
	}
	assert_true(dbus_message_iter_close_container(&iter, &dictionary));
	return message;
}

/* NULL after a refusal that had to come. */
static DBusMessage *call_plan(const struct stage *stage, const struct request *request,
			      const char *refusal)
{
	DBusMessage *message = make_call(stage->space, request);
	DBusError error = DBUS_ERROR_INIT;
	DBusMessage *reply =
		dbus_connection_send_with_reply_and_block(stage->client, message, 60000, &error);

	dbus_message_unref(message);
	if (!reply && (!refusal || strcmp(strrchr(error.name, '.') + 1, refusal) != 0)) {
		fail_msg("%s: %s", error.name, error.message);
	}
	assert_int_equal(reply == NULL, refusal != NULL);
	dbus_error_free(&error);
	return reply;
}

static void next_basic(DBusMessageIter *iter, void *value)
{
	dbus_message_iter_get_basic(iter, value);
	(void)dbus_message_iter_next(iter);
}

static struct choice read_choice(DBusMessageIter *array)
{
	struct choice choice;
	const char *error = NULL;
	DBusMessageIter entry;

	dbus_message_iter_recurse(array, &entry);
	next_basic(&entry, &choice.size);
	next_basic(&entry, &choice.page_shift);
	next_basic(&entry, &choice.levels);
	next_basic(&entry, &choice.locked_bytes);
	next_basic(&entry, &choice.tces);
	next_basic(&entry, &choice.piece_bytes);
	next_basic(&entry, &error);
	choice.refused = error[0] != '\0';
	if (choice.refused) {
		assert_int_equal(strncmp(error, BUS_ERROR_PREFIX, strlen(BUS_ERROR_PREFIX)), 0);
	}
	return choice;
}

static void plan_window(const struct stage *stage, const struct request *request,
			struct plan *ret_plan)
{
	DBusMessage *reply = call_plan(stage, request, NULL);
	const char *explanation = NULL;
	DBusMessageIter iter;
	DBusMessageIter array;

	assert_true(dbus_message_has_signature(reply, "a(tuuttts)us"));
	(void)dbus_message_iter_init(reply, &iter);
	dbus_message_iter_recurse(&iter, &array);
	ret_plan->count = 0;
	while (dbus_message_iter_get_arg_type(&array) == DBUS_TYPE_STRUCT) {
		assert_true(ret_plan->count < CHOICES_MAX);
		ret_plan->choices[ret_plan->count++] = read_choice(&array);
		(void)dbus_message_iter_next(&array);
	}
	(void)dbus_message_iter_next(&iter);
	next_basic(&iter, &ret_plan->chosen);
	next_basic(&iter, &explanation);
	assert_true(strlen(explanation) < sizeof(ret_plan->explanation));
	(void)snprintf(ret_plan->explanation, sizeof(ret_plan->explanation), "%s", explanation);
	assert_true(ret_plan->chosen == CHOSEN_NONE || ret_plan->chosen < ret_plan->count);
	dbus_message_unref(reply);
}

/* -- what is made -- */

static uint64_t locked_bytes(const struct stage *stage)
{
	uint64_t said = get_number(stage->client, stage->space, BUS_INTERFACE_SPACE, "LockedBytes");

	assert_int_equal(said,
			 locked_bytes_of(stage->world, worker_pid(stage->world, stage->space)));
	return said;
}

/* The first CreateWindow makes what was planned, for what was said, or there was no plan. */
static void check_request(const struct stage *stage, struct request request, uint64_t most_tces)
{
	struct window wanted = {WINDOW_ANYWHERE, request.size, request.page_shift, request.levels};
	uint64_t before = locked_bytes(stage);
	struct plan plan;
	const struct choice *chosen;
	struct window window;

	plan_window(stage, &request, &plan);
	assert_int_equal(locked_bytes(stage), before);
	if (plan.chosen == CHOSEN_NONE) {
		assert_non_null(strstr(plan.explanation, "There is no such window."));
		return;
	}
	chosen = &plan.choices[plan.chosen];
	assert_false(chosen->refused);
	if (chosen->tces > most_tces ||
	    (stage->host->max_levels == 1 && chosen->tces > MOST_TCES_LPAR)) {
		return;
	}
	window = create_window(stage->client, stage->space, wanted, NULL);
	assert_int_equal(window.size, chosen->size);
	assert_int_equal(window.page_shift, chosen->page_shift);
	assert_int_equal(window.levels, chosen->levels);
	assert_int_equal(locked_bytes(stage), before + chosen->locked_bytes);
	remove_window(stage->client, stage->space, window.start, NULL);
}

static void check_requests(const struct stage *stage)
{
	static const uint64_t sizes[] = {0, UINT64_C(1) << 26, GIB, 64 * GIB, 1024 * GIB};
	const uint32_t shifts[] = {0, 12, 16, stage->host->huge_shift};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		for (size_t j = 0; j < sizeof(shifts) / sizeof(shifts[0]); j++) {
			for (uint32_t levels = 0; levels <= 3; levels++) {
				check_request(stage,
					      (struct request){.size = sizes[i],
							       .page_shift = shifts[j],
							       .levels = levels},
					      MOST_TCES_OFTEN);
			}
		}
	}
}

static void test_first_create_succeeds(void **state)
{
	const struct world *world = *state;
	struct stage stage;

	stage_open(&stage, world, GIB);
	make_room(stage.client, stage.host, stage.space);
	/* Along with the table of the default window, and then without. */
	check_request(&stage, (struct request){.size = 0}, MOST_TCES_OFTEN);
	check_requests(&stage);
	stage_close(&stage);
}

static void test_without_the_default_window(void **state)
{
	const struct world *world = *state;
	struct stage stage;

	stage_open(&stage, world, GIB);
	make_room(stage.client, stage.host, stage.space);
	remove_window(stage.client, stage.space, 0, NULL);
	check_requests(&stage);
	stage_close(&stage);
}

static void test_high_memory(void **state)
{
	const struct world *world = *state;
	struct stage stage;

	stage_open(&stage, world, 1024 * GIB);
	make_room(stage.client, stage.host, stage.space);
	check_request(&stage, (struct request){.size = 0}, MOST_TCES_ONCE);
	check_request(&stage, (struct request){.page_shift = 16}, MOST_TCES_ONCE);
	check_request(&stage, (struct request){.page_shift = stage.host->huge_shift},
		      MOST_TCES_ONCE);
	stage_close(&stage);
}

/* As many windows as there can be: no plan, and the reason. */
static void test_no_window_left(void **state)
{
	const struct world *world = *state;
	struct stage stage;
	struct window window;
	struct plan plan;

	skip_without_tce(world);
	stage_open(&stage, world, GIB);
	window = create_window(stage.client, stage.space, (struct window){WINDOW_ANYWHERE, 0, 0, 0},
			       NULL);
	plan_window(&stage, &(struct request){.size = 0}, &plan);
	assert_int_equal(plan.chosen, CHOSEN_NONE);
	for (unsigned int i = 0; i < plan.count; i++) {
		assert_true(plan.choices[i].refused);
	}
	assert_non_null(strstr(plan.explanation, "remove"));
	remove_window(stage.client, stage.space, window.start, NULL);
	plan_window(&stage, &(struct request){.size = 0}, &plan);
	assert_int_not_equal(plan.chosen, CHOSEN_NONE);
	stage_close(&stage);
}

/* -- what is only planned -- */

static void check_memory(const struct stage *stage, uint64_t memory, uint64_t backing)
{
	uint64_t bound = stage->host->max_levels == 1 ? LPAR_TCES_MAX : POWERNV_TCES;
	struct request request = {
		.options = {{"memory", DBUS_TYPE_UINT64, memory},
			    {"backing-page", DBUS_TYPE_UINT64, backing}},
	};
	struct plan plan;
	const struct choice *chosen;

	plan_window(stage, &request, &plan);
	if (plan.chosen == CHOSEN_NONE) {
		/* Only where the memory has more pages than the removal of a window may cost. */
		assert_true(memory / backing > bound);
		assert_non_null(strstr(plan.explanation, "would do, with hugetlbfs pages"));
		return;
	}
	chosen = &plan.choices[plan.chosen];
	assert_false(chosen->refused);
	assert_true(chosen->size >= memory);
	assert_true(UINT64_C(1) << chosen->page_shift <= backing);
	assert_int_equal(chosen->tces, chosen->size >> chosen->page_shift);
	assert_true(chosen->tces <= bound);
	assert_true(chosen->locked_bytes >= chosen->tces * sizeof(uint64_t) / 0x10000 * 0x10000);
}

static void test_memory_from_64_mib_to_64_tib(void **state)
{
	static const uint64_t backings[] = {0x10000, 0x200000, 0x1000000, GIB};
	const struct world *world = *state;
	struct stage stage;
	uint64_t before;

	skip_without_tce(world);
	stage_open(&stage, world, GIB);
	before = locked_bytes(&stage);
	for (unsigned int shift = 26; shift <= 46; shift++) {
		check_memory(&stage, UINT64_C(1) << shift, (uint64_t)world->page_size);
		check_memory(&stage, UINT64_C(3) << (shift - 1), (uint64_t)world->page_size);
		for (size_t i = 0; i < sizeof(backings) / sizeof(backings[0]); i++) {
			if (backings[i] <= UINT64_C(1) << shift) {
				check_memory(&stage, UINT64_C(1) << shift, backings[i]);
			}
		}
	}
	assert_int_equal(locked_bytes(&stage), before);
	stage_close(&stage);
}

static void test_refusals(void **state)
{
	static const struct option options[] = {
		{"levels", DBUS_TYPE_UINT64, 1},
		{"memory", DBUS_TYPE_UINT32, 0x10000},
		{"memory", DBUS_TYPE_UINT64, 0},
		{"memory", DBUS_TYPE_UINT64, 0x10001},
		{"backing-page", DBUS_TYPE_UINT64, 0x18000},
		{"backing-page", DBUS_TYPE_UINT64, 16},
	};
	const struct world *world = *state;
	struct stage stage;

	stage_open(&stage, world, GIB);
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		(void)call_plan(&stage, &(struct request){.options = {options[i]}},
				"InvalidArgument");
	}
	detach(stage.client, stage.space, stage.host->edu, NULL);
	(void)call_plan(&stage, &(struct request){.size = GIB}, "NotFound");
	stage_close(&stage);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_create_succeeds),
		cmocka_unit_test(test_without_the_default_window),
		cmocka_unit_test(test_high_memory),
		cmocka_unit_test(test_no_window_left),
		cmocka_unit_test(test_memory_from_64_mib_to_64_tib),
		cmocka_unit_test(test_refusals),
	};

	return cmocka_run_group_tests_name("plan", tests, world_start, world_stop);
}
