/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Calls of devices that are open, through the worker of their group. */
#include <fcntl.h>
#include <linux/vfio.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "broker/device_alarm.h"
#include "broker/device_call.h"
#include "broker/space_private.h"
#include "pe_fixture.h"

/* The last answer, with copies of what it had. */
static struct {
	struct device_answer answer;
	struct worker_device_info info;
	struct worker_region regions[4];
	struct worker_area areas[4];
	struct worker_irq irqs[4];
	unsigned int count;
	unsigned int failures;
} seen;

static void handle_called(void *userdata, const struct device_answer *answer)
{
	(void)userdata;
	seen.count++;
	seen.failures += answer->error.code != ERROR_NONE;
	seen.answer = *answer;
	if (answer->info) {
		seen.info = *answer->info;
	}
	if (answer->regions) {
		memcpy(seen.regions, answer->regions, answer->count * sizeof(*answer->regions));
	}
	if (answer->areas) {
		memcpy(seen.areas, answer->areas, answer->count * sizeof(*answer->areas));
	}
	if (answer->irqs) {
		memcpy(seen.irqs, answer->irqs, answer->count * sizeof(*answer->irqs));
	}
}

static struct host_device *device_of(uint32_t group)
{
	return stage.manager->groups[group]->devices;
}

static volatile struct played_device *played_of(uint32_t group)
{
	return &stage.played->pes[group].device;
}

/* A call with fds, and the code of it. */
static int call_with(const struct worker_call_device *request, const int *fds, unsigned int count)
{
	unsigned int before = seen.count;
	int r = device_call(device_of(0), request, fds, count, handle_called, NULL, &stage.error);

	if (r == 0) {
		stage_run_until(seen.count > before);
		stage.error = seen.answer.error;
		r = (int)seen.answer.error.code;
	}
	return r;
}

static int call(const struct worker_call_device *request)
{
	return call_with(request, NULL, 0);
}

static int call_plain(enum worker_device_call what)
{
	return call(&(struct worker_call_device){.call = what});
}

static int read_register(uint32_t size)
{
	return call(&(struct worker_call_device){
		.call = WORKER_DEVICE_READ_REGION, .index = 7, .offset = 8, .size = size});
}

static int set_irqs(uint32_t index, uint32_t start, const int *fds, unsigned int count)
{
	return call_with(&(struct worker_call_device){.call = WORKER_DEVICE_SET_IRQS,
						      .index = index,
						      .start = start},
			 fds, count);
}

static int disable(uint32_t index)
{
	return call(
		&(struct worker_call_device){.call = WORKER_DEVICE_DISABLE_IRQ, .index = index});
}

static const struct worker_call_device any = {
	.call = WORKER_DEVICE_READ_REGION, .index = 7, .size = 4};

static int set_up(void **state)
{
	memset(&seen, 0, sizeof(seen));
	return pe_fixture_set_up(state);
}

static struct pe *attach(struct space *space)
{
	struct recovery_policy policy = stage_quick_policy();
	struct pe *pe = stage_pe(0);

	policy.idle_poll = 3600000;
	policy.manual = true;
	stage_use(pe, &policy);
	(void)stage_attach(space, 0);
	stage_run_until(pe_condition(pe) == PE_NORMAL);
	return pe;
}

/* Group 0 in an address space, with its device open. */
static struct space *open_group(void)
{
	struct space *space = stage_space();
	unsigned int before = stage.other_answers;

	(void)attach(space);
	assert_int_equal(device_open(stage.manager, device_of(0), stage_handle_other_answer, NULL,
				     &stage.error),
			 0);
	stage_run_until(stage.other_answers > before && device_of(0)->described);
	assert_true(device_of(0)->open);
	return space;
}

/* -- what is asked, and answered -- */

static void test_answers(void **state)
{
	(void)state;
	(void)open_group();
	assert_int_equal(call_plain(WORKER_DEVICE_REGIONS), 0);
	assert_int_equal(seen.answer.count, 3);
	assert_int_equal(seen.regions[0].size, 0x100000);
	assert_int_equal(seen.regions[1].offset, UINT64_C(7) << 40);
	assert_int_equal(played_of(0)->last.group, 0);
	assert_string_equal((const char *)(uintptr_t)played_of(0)->last.name,
			    device_of(0)->host->name);
	assert_int_equal(
		call(&(struct worker_call_device){.call = WORKER_DEVICE_AREAS, .index = 2}), 0);
	assert_int_equal(seen.answer.count, 2);
	assert_int_equal(seen.areas[1].offset, 0x8000);
	assert_int_equal(played_of(0)->last.index, 2);
	assert_int_equal(call(&(struct worker_call_device){.call = WORKER_DEVICE_FIND_REGION,
							   .offset = PLAYED_REGION_TYPE,
							   .value = PLAYED_REGION_SUBTYPE}),
			 0);
	assert_int_equal(seen.regions[0].index, 9);
	assert_int_equal(call_plain(WORKER_DEVICE_IRQS), 0);
	assert_int_equal(seen.answer.count, 4);
	assert_int_equal(seen.irqs[1].count, 40);
}

static void test_registers(void **state)
{
	static const uint32_t sizes[] = {1, 2, 4, 8};

	(void)state;
	(void)open_group();
	played_of(0)->value = UINT64_C(0x8877665544332211);
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(read_register(sizes[i]), 0);
		assert_int_equal(seen.answer.value, UINT64_C(0x8877665544332211) &
							    (UINT64_MAX >> (64 - 8 * sizes[i])));
		assert_int_equal(played_of(0)->last.size, sizes[i]);
	}
	assert_int_equal(call(&(struct worker_call_device){.call = WORKER_DEVICE_WRITE_REGION,
							   .index = 7,
							   .offset = 4,
							   .size = 2,
							   .value = 0xffff}),
			 0);
	assert_int_equal(played_of(0)->value, 0xffff);
}

static void test_wrong_registers(void **state)
{
	static const uint32_t sizes[] = {0, 3, 5, 16, UINT32_MAX};
	static const struct worker_call_device large[] = {
		{.call = WORKER_DEVICE_WRITE_REGION, .size = 1, .value = 0x100},
		{.call = WORKER_DEVICE_WRITE_REGION, .size = 2, .value = 0x10000},
		{.call = WORKER_DEVICE_WRITE_REGION, .size = 4, .value = UINT64_C(1) << 32},
	};

	(void)state;
	(void)open_group();
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		assert_int_equal(read_register(sizes[i]), ERROR_INVALID_ARGUMENT);
		assert_int_equal(call(&(struct worker_call_device){
					 .call = WORKER_DEVICE_WRITE_REGION, .size = sizes[i]}),
				 ERROR_INVALID_ARGUMENT);
	}
	for (size_t i = 0; i < sizeof(large) / sizeof(*large); i++) {
		assert_int_equal(call(&large[i]), ERROR_INVALID_ARGUMENT);
		assert_non_null(strstr(stage.error.text, "does not fit"));
	}
	assert_int_equal(played_of(0)->calls[WORKER_DEVICE_WRITE_REGION], 0);
	assert_int_equal(played_of(0)->calls[WORKER_DEVICE_READ_REGION], 0);
}

static void test_refusal_of_the_worker(void **state)
{
	(void)state;
	(void)open_group();
	played_of(0)->code = ERROR_BUSY;
	assert_int_equal(read_register(4), ERROR_BUSY);
	assert_int_equal(stage.manager->space_count, 1);
	played_of(0)->code = 0;
	assert_int_equal(read_register(4), 0);
}

static void test_interrupts(void **state)
{
	int fds[16];

	(void)state;
	(void)open_group();
	for (size_t i = 0; i < 16; i++) {
		fds[i] = eventfd(0, EFD_CLOEXEC);
	}
	assert_int_equal(set_irqs(VFIO_PCI_MSIX_IRQ_INDEX, 16, fds, 16), 0);
	assert_int_equal(played_of(0)->fds, 16);
	assert_int_equal(played_of(0)->last.start, 16);
	assert_int_equal(set_irqs(VFIO_PCI_MSIX_IRQ_INDEX, 0, fds, 0), ERROR_INVALID_ARGUMENT);
	assert_int_equal(set_irqs(VFIO_PCI_MSIX_IRQ_INDEX, 0, fds, 17), ERROR_INVALID_ARGUMENT);
	assert_non_null(strstr(stage.error.text, "17 eventfds"));
	assert_int_equal(played_of(0)->calls[WORKER_DEVICE_SET_IRQS], 1);
	assert_int_equal(disable(VFIO_PCI_MSIX_IRQ_INDEX), 0);
	assert_int_equal(played_of(0)->calls[WORKER_DEVICE_DISABLE_IRQ], 1);
	for (size_t i = 0; i < 16; i++) {
		(void)close(fds[i]);
	}
}

/* -- when -- */

static void test_device_that_is_not_open(void **state)
{
	struct space *space;

	(void)state;
	assert_int_equal(read_register(4), ERROR_NOT_FOUND);
	assert_non_null(strstr(stage.error.text, "attach"));
	space = stage_space();
	(void)attach(space);
	assert_int_equal(read_register(4), ERROR_NOT_FOUND);
	assert_non_null(strstr(stage.error.text, "Open"));
	assert_int_equal(disable(VFIO_PCI_ERR_IRQ_INDEX), ERROR_NOT_FOUND);
	assert_int_equal(played_of(0)->calls[WORKER_DEVICE_READ_REGION], 0);
}

static void test_device_that_is_gone(void **state)
{
	(void)state;
	(void)open_group();
	device_of(0)->gone = true;
	assert_int_equal(read_register(4), ERROR_NOT_FOUND);
	assert_non_null(strstr(stage.error.text, "unplugged"));
	device_of(0)->gone = false;
}

/* A register of a device in reset is not there: on a host the access is a machine check. */
static void test_asserted_reset(void **state)
{
	(void)state;
	(void)open_group();
	assert_int_equal(stage_operate(stage_pe(0), WORKER_PE_RESET_HOT).error.code, ERROR_NONE);
	stage.played->pes[0].number = 0;
	assert_int_equal(stage_check(stage_pe(0)).condition, PE_NORMAL);
	assert_int_equal(read_register(4), ERROR_BUSY);
	assert_non_null(strstr(stage.error.text, "deactivate"));
	assert_int_equal(played_of(0)->calls[WORKER_DEVICE_READ_REGION], 0);
	assert_int_equal(stage_operate(stage_pe(0), WORKER_PE_DEACTIVATE).error.code, ERROR_NONE);
	assert_int_equal(read_register(4), 0);
}

/* What may be asserted when the call arrives. */
static void test_reset_under_way(void **state)
{
	const struct worker_operate_pe reset = {.operation = WORKER_PE_RESET_HOT};

	(void)state;
	(void)open_group();
	stage.played->pes[0].operations[WORKER_PE_RESET_HOT].held = true;
	assert_int_equal(pe_operate(stage_pe(0), &reset, stage_handle_answer, NULL, &stage.error),
			 0);
	assert_int_equal(read_register(4), ERROR_BUSY);
	stage.played->pes[0].operations[WORKER_PE_RESET_HOT].held = false;
	stage_run_until(stage.answer_count == 1);
}

static void test_frozen_pe(void **state)
{
	int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	(void)state;
	(void)open_group();
	assert_int_equal(set_irqs(VFIO_PCI_ERR_IRQ_INDEX, 0, &event, 1), 0);
	stage.played->pes[0].number = 2;
	(void)stage_check(stage_pe(0));
	assert_int_equal(read_register(4), ERROR_FROZEN);
	assert_int_equal(set_irqs(VFIO_PCI_ERR_IRQ_INDEX, 0, &event, 1), ERROR_FROZEN);
	/* That touches nothing. */
	assert_int_equal(disable(VFIO_PCI_ERR_IRQ_INDEX), 0);
	(void)close(event);
}

/* The worker has the group for itself then, and would be busy. */
static void test_look_is_waited_for(void **state)
{
	const struct worker_call_device set = {.call = WORKER_DEVICE_SET_IRQS,
					       .index = VFIO_PCI_MSIX_IRQ_INDEX};
	int fds[2] = {eventfd(0, EFD_CLOEXEC), eventfd(0, EFD_CLOEXEC)};

	(void)state;
	(void)open_group();
	stage.played->pes[0].operations[WORKER_PE_LOOK].held = true;
	assert_int_equal(pe_check(stage_pe(0), stage_handle_answer, NULL, &stage.error), 0);
	stage_run_until(stage.played->pes[0].counts[WORKER_PE_LOOK] == 2);
	for (unsigned int i = 1; i < DEVICE_CALLS_MAX; i++) {
		assert_int_equal(
			device_call(device_of(0), &any, NULL, 0, handle_called, NULL, NULL), 0);
	}
	assert_int_equal(device_call(device_of(0), &set, fds, 2, handle_called, NULL, NULL), 0);
	/* The caller's, who doesn't have to keep them. */
	(void)close(fds[0]);
	(void)close(fds[1]);
	assert_int_equal(stage_pe(0)->group->calls, DEVICE_CALLS_MAX);
	assert_int_equal(device_call(device_of(0), &any, NULL, 0, handle_called, NULL, NULL),
			 ERROR_QUOTA_EXCEEDED);
	stage.played->pes[0].operations[WORKER_PE_LOOK].held = false;
	stage_run_until(seen.count == DEVICE_CALLS_MAX);
	assert_int_equal(played_of(0)->calls[WORKER_DEVICE_SET_IRQS], 1);
	assert_int_equal(played_of(0)->fds, 2);
	assert_int_equal(seen.failures, 0);
	assert_int_equal(stage_pe(0)->group->calls, 0);
}

/* What waits for a look that finds a freeze is not done. */
static void test_look_that_finds_a_freeze(void **state)
{
	(void)state;
	(void)open_group();
	stage.played->pes[0].operations[WORKER_PE_LOOK].held = true;
	assert_int_equal(pe_check(stage_pe(0), stage_handle_answer, NULL, &stage.error), 0);
	stage_run_until(stage.played->pes[0].counts[WORKER_PE_LOOK] == 2);
	assert_int_equal(device_call(device_of(0), &any, NULL, 0, handle_called, NULL, NULL), 0);
	stage.played->pes[0].number = 2;
	stage.played->pes[0].operations[WORKER_PE_LOOK].held = false;
	stage_run_until(seen.count == 1);
	assert_int_not_equal(seen.answer.error.code, ERROR_NONE);
	assert_int_equal(played_of(0)->calls[WORKER_DEVICE_READ_REGION], 0);
	assert_int_equal(stage_pe(0)->group->calls, 0);
}

/* The same when the worker ends meanwhile. */
static void test_look_that_never_ends(void **state)
{
	struct space *space = open_group();

	(void)state;
	stage.played->pes[0].operations[WORKER_PE_LOOK].held = true;
	assert_int_equal(pe_check(stage_pe(0), stage_handle_answer, NULL, &stage.error), 0);
	stage_run_until(stage.played->pes[0].counts[WORKER_PE_LOOK] == 2);
	assert_int_equal(device_call(device_of(0), &any, NULL, 0, handle_called, NULL, NULL), 0);
	worker_process_kill(space->worker, SIGKILL);
	stage_run_until(stage.manager->space_count == 0);
	assert_int_equal(seen.count, 1);
	assert_int_equal(seen.answer.error.code, ERROR_WORKER_LOST);
	assert_int_equal(stage_pe(0)->group->calls, 0);
}

/* What the worker has come across. */
static void test_freeze_that_the_worker_tells(void **state)
{
	(void)state;
	(void)open_group();
	stage.played->pes[0].number = 2;
	played_of(0)->code = ERROR_FROZEN;
	assert_int_equal(read_register(4), ERROR_FROZEN);
	stage_run_until(pe_phase(stage_pe(0)) == RECOVERY_AWAITING_REQUEST);
}

/* As drivers do (eeh_check_failure). */
static void test_all_ones_are_looked_at(void **state)
{
	static const uint32_t sizes[] = {1, 2, 4, 8};
	struct recovery_policy policy = stage_quick_policy();

	(void)state;
	(void)open_group();
	policy.idle_poll = 3600000;
	policy.fast_poll = 3600000;
	policy.manual = true;
	stage_use(stage_pe(0), &policy);
	for (size_t i = 0; i < 4; i++) {
		uint32_t looks = stage_asked(0, WORKER_PE_LOOK);

		played_of(0)->value = UINT64_MAX;
		assert_int_equal(read_register(sizes[i]), 0);
		stage_run_until(stage_asked(0, WORKER_PE_LOOK) > looks);
		(void)stage_check(stage_pe(0));
		looks = stage_asked(0, WORKER_PE_LOOK);
		played_of(0)->value = UINT64_MAX - 1;
		assert_int_equal(read_register(sizes[i]), 0);
		stage_run(20);
		assert_int_equal(stage_asked(0, WORKER_PE_LOOK), looks);
	}
	stage.played->pes[0].number = 2;
	played_of(0)->value = 0xff;
	assert_int_equal(read_register(1), 0);
	stage_run_until(pe_phase(stage_pe(0)) == RECOVERY_AWAITING_REQUEST);
}

/* In some steps of a recovery participants set their devices up, in others there is nothing to be
 * reached. */
static void test_recovery(void **state)
{
	struct recovery_policy policy = stage_quick_policy();
	uint32_t cookie = 0;
	uint32_t event = 0;
	struct pe *pe;

	(void)state;
	(void)open_group();
	pe = stage_pe(0);
	policy.idle_poll = 3600000;
	policy.vote_timeout = 600000;
	stage_use(pe, &policy);
	assert_int_equal(pe_join(pe, ":1.1", &cookie, &stage.error), 0);
	stage.played->pes[0].number = 2;
	(void)stage_check(pe);
	stage_run_until(pe_phase(pe) == RECOVERY_ERROR_DETECTED);
	event = stage_last(RECOVERY_ACTION_ERROR_DETECTED)->action.event;
	assert_int_equal(read_register(4), ERROR_FROZEN);
	assert_int_equal(pe_vote(pe, ":1.1", cookie, event, "can-recover", &stage.error), 0);
	stage_run_until(pe_phase(pe) == RECOVERY_MMIO_ENABLED);
	assert_int_equal(read_register(4), 0);
	stage.played->pes[0].operations[WORKER_PE_RESET_HOT].held = true;
	stage.played->pes[0].operations[WORKER_PE_RESET_FUNDAMENTAL].held = true;
	assert_int_equal(pe_vote(pe, ":1.1", cookie, event, "need-reset", &stage.error), 0);
	stage_run_until(pe_phase(pe) == RECOVERY_RESETTING);
	assert_int_not_equal(read_register(4), 0);
	stage.played->pes[0].operations[WORKER_PE_RESET_HOT].held = false;
	stage.played->pes[0].operations[WORKER_PE_RESET_FUNDAMENTAL].held = false;
	stage_run_until(pe_phase(pe) == RECOVERY_SLOT_RESET);
	assert_int_equal(read_register(4), 0);
	assert_int_equal(pe_vote(pe, ":1.1", cookie, event, "recovered", &stage.error), 0);
	assert_true(stage_run_until_done()->recovered);
	assert_int_equal(read_register(4), 0);
}

/* -- the worker's end -- */

static void test_worker_that_dies(void **state)
{
	struct space *space = open_group();

	(void)state;
	played_of(0)->held = true;
	assert_int_equal(device_call(device_of(0), &any, NULL, 0, handle_called, NULL, NULL), 0);
	assert_int_equal(device_call(device_of(0), &any, NULL, 0, handle_called, NULL, NULL), 0);
	stage_run(20);
	worker_process_kill(space->worker, SIGKILL);
	stage_run_until(stage.manager->space_count == 0);
	assert_int_equal(seen.count, 2);
	assert_int_equal(seen.answer.error.code, ERROR_WORKER_LOST);
}

static void test_group_that_leaves_while_a_call_waits(void **state)
{
	struct space *space = open_group();
	int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	const struct worker_call_device set = {.call = WORKER_DEVICE_SET_IRQS,
					       .index = VFIO_PCI_REQ_IRQ_INDEX};

	(void)state;
	played_of(0)->held = true;
	played_of(0)->value = UINT32_MAX;
	assert_int_equal(device_call(device_of(0), &any, NULL, 0, handle_called, NULL, NULL), 0);
	assert_int_equal(device_call(device_of(0), &set, &event, 1, handle_called, NULL, NULL), 0);
	space_release_group(space, stage.manager->groups[0]);
	assert_int_equal(read_register(4), ERROR_NOT_FOUND);
	/* As when another address space has opened it meanwhile. */
	assert_true(device_alarm_error_event(stage.manager, device_of(0)) >= 0);
	device_of(0)->open = true;
	played_of(0)->held = false;
	stage_run_until(seen.count == 2);
	/* The interrupt is nobody's any more. */
	assert_int_equal(seen.answer.error.code, ERROR_NOT_FOUND);
	device_alarm_ring(device_of(0), DEVICE_ALARM_REQUEST);
	assert_int_equal(read(event, &(uint64_t){0}, 8), -1);
	device_of(0)->open = false;
	(void)close(event);
}

static void test_closing_space(void **state)
{
	struct space *space = open_group();

	(void)state;
	played_of(0)->held = true;
	assert_int_equal(device_call(device_of(0), &any, NULL, 0, handle_called, NULL, NULL), 0);
	assert_int_equal(space_close(space, NULL, NULL, &stage.error), 0);
	assert_int_equal(read_register(4), ERROR_BUSY);
	played_of(0)->held = false;
	stage_run_until(stage.manager->space_count == 0);
	assert_int_equal(seen.count, 1);
}

/* -- lies -- */

static const struct {
	enum worker_device_call call;
	enum played_device_lie lie;
} lies[] = {
	{WORKER_DEVICE_REGIONS, PLAYED_DEVICE_SHORT},
	{WORKER_DEVICE_REGIONS, PLAYED_DEVICE_LONG},
	{WORKER_DEVICE_REGIONS, PLAYED_DEVICE_MANY},
	{WORKER_DEVICE_REGIONS, PLAYED_DEVICE_ORDER},
	{WORKER_DEVICE_REGIONS, PLAYED_DEVICE_TWICE},
	{WORKER_DEVICE_REGIONS, PLAYED_DEVICE_INDEX},
	{WORKER_DEVICE_REGIONS, PLAYED_DEVICE_RESERVED},
	{WORKER_DEVICE_REGIONS, PLAYED_DEVICE_WRAP},
	{WORKER_DEVICE_FIND_REGION, PLAYED_DEVICE_SHORT},
	{WORKER_DEVICE_FIND_REGION, PLAYED_DEVICE_TWICE},
	{WORKER_DEVICE_FIND_REGION, PLAYED_DEVICE_INDEX},
	{WORKER_DEVICE_AREAS, PLAYED_DEVICE_SHORT},
	{WORKER_DEVICE_AREAS, PLAYED_DEVICE_MANY},
	{WORKER_DEVICE_AREAS, PLAYED_DEVICE_WRAP},
	{WORKER_DEVICE_READ_REGION, PLAYED_DEVICE_SHORT},
	{WORKER_DEVICE_READ_REGION, PLAYED_DEVICE_LONG},
	{WORKER_DEVICE_READ_REGION, PLAYED_DEVICE_LARGE},
	{WORKER_DEVICE_WRITE_REGION, PLAYED_DEVICE_LONG},
	{WORKER_DEVICE_IRQS, PLAYED_DEVICE_SHORT},
	{WORKER_DEVICE_IRQS, PLAYED_DEVICE_MANY},
	{WORKER_DEVICE_IRQS, PLAYED_DEVICE_ORDER},
	{WORKER_DEVICE_IRQS, PLAYED_DEVICE_TWICE},
	{WORKER_DEVICE_IRQS, PLAYED_DEVICE_INDEX},
	{WORKER_DEVICE_IRQS, PLAYED_DEVICE_RESERVED},
	{WORKER_DEVICE_MASK_IRQ, PLAYED_DEVICE_LONG},
	{WORKER_DEVICE_UNMASK_IRQ, PLAYED_DEVICE_LONG},
	{WORKER_DEVICE_DISABLE_IRQ, PLAYED_DEVICE_LONG},
};

/* Such a worker is ended. */
static void test_lies(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(lies) / sizeof(*lies); i++) {
		(void)open_group();
		played_of(0)->lie = lies[i].lie;
		assert_int_equal(
			call(&(struct worker_call_device){.call = lies[i].call, .size = 4}),
			ERROR_WORKER_LOST);
		assert_null(seen.answer.regions);
		assert_null(seen.answer.areas);
		assert_null(seen.answer.irqs);
		stage_run_until(stage.manager->space_count == 0);
		assert_false(device_of(0)->open);
		played_of(0)->lie = PLAYED_DEVICE_TRUTH;
	}
}

/* What is asked of each device that was opened. */
static void test_lies_of_info(void **state)
{
	static const enum played_device_lie of_info[] = {PLAYED_DEVICE_SHORT, PLAYED_DEVICE_LONG,
							 PLAYED_DEVICE_MANY, PLAYED_DEVICE_INDEX,
							 PLAYED_DEVICE_LARGE};

	(void)state;
	played_of(0)->lies_of_info = true;
	for (size_t i = 0; i < sizeof(of_info) / sizeof(*of_info); i++) {
		(void)attach(stage_space());
		played_of(0)->lie = of_info[i];
		assert_int_equal(device_open(stage.manager, device_of(0), stage_handle_other_answer,
					     NULL, &stage.error),
				 0);
		stage_run_until(stage.manager->space_count == 0);
		assert_false(device_of(0)->described);
	}
}

/* -- whether it can be reset -- */

static void test_reset_works(void **state)
{
	struct space *space;

	(void)state;
	played_of(0)->reset_works = true;
	assert_false(device_of(0)->reset_works);
	space = open_group();
	assert_true(device_of(0)->reset_works);
	/* That is known now, once and for all. */
	space_end(space);
	stage_run_until(stage.manager->space_count == 0);
	assert_true(device_of(0)->reset_works);
}

/* -- alarms -- */

static uint64_t rings(int event)
{
	uint64_t count = 0;

	return read(event, &count, sizeof(count)) == (ssize_t)sizeof(count) ? count : 0;
}

static void ring_error(void)
{
	const uint64_t one = 1;
	int event = device_alarm_error_event(stage.manager, device_of(0));

	assert_int_equal(write(event, &one, sizeof(one)), sizeof(one));
	stage_run(20);
}

/* The kernel's eventfd is the broker's, and rings the client's. */
static void test_alarms(void **state)
{
	int error = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	int request = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	(void)state;
	(void)open_group();
	ring_error();
	assert_int_equal(set_irqs(VFIO_PCI_ERR_IRQ_INDEX, 0, &error, 1), 0);
	assert_int_equal(set_irqs(VFIO_PCI_REQ_IRQ_INDEX, 0, &request, 1), 0);
	/* That is nothing for the worker. */
	assert_int_equal(played_of(0)->calls[WORKER_DEVICE_SET_IRQS], 0);
	ring_error();
	assert_int_equal(rings(error), 1);
	assert_int_equal(rings(request), 0);
	device_alarm_ring(device_of(0), DEVICE_ALARM_REQUEST);
	assert_int_equal(rings(error), 0);
	assert_int_equal(rings(request), 1);
	assert_int_equal(disable(VFIO_PCI_ERR_IRQ_INDEX), 0);
	assert_int_equal(disable(VFIO_PCI_ERR_IRQ_INDEX), 0);
	assert_int_equal(played_of(0)->calls[WORKER_DEVICE_DISABLE_IRQ], 0);
	ring_error();
	assert_int_equal(rings(error), 0);
	(void)close(error);
	(void)close(request);
}

/* The last one who asks has it. */
static void test_alarm_that_is_set_again(void **state)
{
	int first = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	int second = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	(void)state;
	(void)open_group();
	assert_int_equal(set_irqs(VFIO_PCI_ERR_IRQ_INDEX, 0, &first, 1), 0);
	assert_int_equal(set_irqs(VFIO_PCI_ERR_IRQ_INDEX, 0, &second, 1), 0);
	ring_error();
	assert_int_equal(rings(first), 0);
	assert_int_equal(rings(second), 1);
	(void)close(first);
	(void)close(second);
}

/* Requests count in their order, though the worker is asked for one and not for the other. */
static void test_alarm_that_is_disabled_before_it_is_set(void **state)
{
	const struct worker_call_device set = {.call = WORKER_DEVICE_SET_IRQS,
					       .index = VFIO_PCI_ERR_IRQ_INDEX};
	int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	(void)state;
	(void)open_group();
	assert_int_equal(device_call(device_of(0), &set, &event, 1, handle_called, NULL, NULL), 0);
	assert_int_equal(disable(VFIO_PCI_ERR_IRQ_INDEX), 0);
	stage_run_until(seen.count == 2);
	assert_int_equal(seen.failures, 0);
	ring_error();
	assert_int_equal(rings(event), 0);
	assert_int_equal(set_irqs(VFIO_PCI_ERR_IRQ_INDEX, 0, &event, 1), 0);
	ring_error();
	assert_int_equal(rings(event), 1);
	(void)close(event);
}

/* Who comes next has nothing of it. */
static void test_alarm_ends_with_the_group(void **state)
{
	struct space *space = open_group();
	int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	(void)state;
	assert_int_equal(set_irqs(VFIO_PCI_ERR_IRQ_INDEX, 0, &event, 1), 0);
	space_end(space);
	stage_run_until(stage.manager->space_count == 0);
	ring_error();
	(void)open_group();
	ring_error();
	assert_int_equal(rings(event), 0);
	(void)close(event);
}

static void test_alarms_that_are_refused(void **state)
{
	int fds[2] = {eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), open("/dev/null", O_RDWR)};

	(void)state;
	(void)open_group();
	assert_int_equal(set_irqs(VFIO_PCI_ERR_IRQ_INDEX, 0, fds, 2), ERROR_INVALID_ARGUMENT);
	assert_int_equal(set_irqs(VFIO_PCI_ERR_IRQ_INDEX, 1, fds, 1), ERROR_INVALID_ARGUMENT);
	assert_int_equal(set_irqs(VFIO_PCI_ERR_IRQ_INDEX, 0, &fds[1], 1), ERROR_INVALID_ARGUMENT);
	assert_non_null(strstr(stage.error.text, "no eventfd"));
	played_of(0)->no_alarms = true;
	assert_int_equal(set_irqs(VFIO_PCI_ERR_IRQ_INDEX, 0, fds, 1), ERROR_NOT_FOUND);
	assert_int_equal(set_irqs(VFIO_PCI_REQ_IRQ_INDEX, 0, fds, 1), ERROR_NOT_FOUND);
	played_of(0)->code = ERROR_BUSY;
	assert_int_equal(set_irqs(VFIO_PCI_REQ_IRQ_INDEX, 0, fds, 1), ERROR_BUSY);
	ring_error();
	assert_int_equal(rings(fds[0]), 0);
	(void)close(fds[0]);
	(void)close(fds[1]);
}

/* A client whose eventfd is full and blocks can't stop the broker. */
static void test_full_eventfd_stops_nobody(void **state)
{
	const uint64_t most = UINT64_MAX - 1;
	int event = eventfd(0, EFD_CLOEXEC);

	(void)state;
	(void)open_group();
	assert_int_equal(set_irqs(VFIO_PCI_ERR_IRQ_INDEX, 0, &event, 1), 0);
	assert_int_equal(write(event, &most, sizeof(most)), sizeof(most));
	(void)alarm(60);
	ring_error();
	ring_error();
	(void)alarm(0);
	assert_true(rings(event) >= most);
	for (unsigned int i = 0; i < 1000; i++) {
		device_alarm_ring(device_of(0), DEVICE_ALARM_ERROR);
	}
	assert_int_equal(rings(event), 1000);
	(void)close(event);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, pe_fixture_tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_answers),
		TEST(test_registers),
		TEST(test_wrong_registers),
		TEST(test_refusal_of_the_worker),
		TEST(test_interrupts),
		TEST(test_device_that_is_not_open),
		TEST(test_device_that_is_gone),
		TEST(test_asserted_reset),
		TEST(test_reset_under_way),
		TEST(test_frozen_pe),
		TEST(test_look_is_waited_for),
		TEST(test_look_that_finds_a_freeze),
		TEST(test_look_that_never_ends),
		TEST(test_freeze_that_the_worker_tells),
		TEST(test_all_ones_are_looked_at),
		TEST(test_recovery),
		TEST(test_worker_that_dies),
		TEST(test_group_that_leaves_while_a_call_waits),
		TEST(test_closing_space),
		TEST(test_lies),
		TEST(test_lies_of_info),
		TEST(test_reset_works),
		TEST(test_alarms),
		TEST(test_alarm_that_is_set_again),
		TEST(test_alarm_that_is_disabled_before_it_is_set),
		TEST(test_alarm_ends_with_the_group),
		TEST(test_alarms_that_are_refused),
		TEST(test_full_eventfd_stops_nobody),
	};

	return pe_fixture_main("broker-device-call", tests);
}
