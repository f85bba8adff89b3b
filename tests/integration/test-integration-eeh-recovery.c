/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * PEs freeze, and are recovered by policy: with programs that take part and without, by thawing and
 * by resetting. Afterwards the windows and mappings that were there move bytes, and the registers
 * are what they were.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dma.h"
#include "eeh.h"
#include "open_device.h"

#define MEMORY_SIZE UINT64_C(0x100000)
#define SOURCE      UINT64_C(0x10000) /* IOVAs */
#define TARGET      UINT64_C(0x20000)
#define SIZE        16U

#define HOT         QUICK_POLICY "first-reset = hot\n"
#define FUNDAMENTAL QUICK_POLICY "first-reset = fundamental\n"
/* Who is late has a second. */
#define IMPATIENT FUNDAMENTAL "vote-timeout = 1s\n"

/* A device in an address space of its own, with memory that it can move bytes in. */
struct stage {
	const struct world *world;
	const char *name;
	char *space;
	char *memory;
	struct open_device device;
	struct observer observer;
};

static struct stage stage_open(const struct world *world, const char *name, const char *policy)
{
	struct stage stage = {.world = world, .name = name};
	int fd = memory_new(MEMORY_SIZE);

	set_policy(world, policy, NULL);
	stage.space = space_create(world->client, "recovery");
	attach(world->client, stage.space, name, NULL);
	(void)add_memory(world->client, stage.space, fd, 0, 0, MEMORY_SIZE, 0, NULL);
	map(world->client, stage.space, 0, 0, MEMORY_SIZE, PROT_DEVICE_BOTH, NULL);
	stage.memory = mmap(NULL, MEMORY_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_true(stage.memory != MAP_FAILED);
	(void)close(fd);
	stage.device = open_device(world, world->client, name, NULL);
	open_device_make_master(&stage.device);
	stage.observer = observer_open(world, name);
	return stage;
}

static void stage_close(struct stage *stage)
{
	const struct world *world = stage->world;

	observer_close(&stage->observer);
	open_device_close(&stage->device);
	assert_int_equal(munmap(stage->memory, MEMORY_SIZE), 0);
	space_close(world->client, stage->space);
	wait_until_nothing_is_left(world);
}

/* By the mappings that were made at the beginning; nobody but spaprd may have made the device a bus
 * master again. */
static void expect_dma(const struct stage *stage, char fill)
{
	assert_true(open_device_is_master(&stage->device));
	if (strcmp(stage->name, stage->world->host->edu) != 0) {
		return; /* nothing else moves bytes on demand */
	}
	memset(stage->memory + SOURCE, fill, SIZE);
	memset(stage->memory + TARGET, 0, SIZE);
	dma_copy(stage->world, stage->name, SOURCE, TARGET, SIZE);
	assert_memory_equal(stage->memory + SOURCE, stage->memory + TARGET, SIZE);
}

static void expect_sound(const struct stage *stage)
{
	pe_expect_check(stage->world, &stage->observer, "normal");
	pe_expect_text(stage->world, &stage->observer, "State", "normal");
	pe_expect_text(stage->world, &stage->observer, "Recovery", "idle");
}

static void expect_event_text(const struct stage *stage, uint32_t event, const char *key,
			      const char *expected)
{
	char *text = pe_event_text(stage->world, &stage->observer, event, key);

	assert_string_equal(text, expected);
	free(text);
}

static unsigned int count_steps(const struct stage *stage, uint32_t event, const char *name)
{
	return pe_event_steps(stage->world, &stage->observer, event, name, NULL);
}

static unsigned int count_resets(const struct stage *stage, uint32_t event)
{
	return count_steps(stage, event, "reset-hot") +
	       count_steps(stage, event, "reset-fundamental");
}

/* One hot reset is all that it takes; but the emulated hosts' firmware refuses every other request,
 * and goes on with that from one test to the next. */
static void expect_hot_reset(const struct stage *stage, uint32_t event)
{
	unsigned int resets = count_steps(stage, event, "reset-hot");

	if (stage->world->real) {
		assert_true(resets > 0);
	} else {
		assert_int_equal(resets, 1);
		assert_int_equal(count_resets(stage, event), 1);
	}
}

/* -- nobody takes part -- */

static void test_unaware_program(void **state)
{
	const struct world *world = *state;
	struct open_device_registers before;
	struct open_device_registers after;
	struct pe_signal done;
	struct stage stage;
	uint32_t freezes;

	skip_without_freezes(world);
	stage = stage_open(world, world->host->nic, HOT);
	freezes = pe_number(world, &stage.observer, "Freezes");
	open_device_use_msix(&stage.device);
	before = open_device_read(&stage.device);
	freeze_pe(world, world->host->nic, FREEZE_BOTH);
	assert_string_equal(observer_expect(&stage.observer, "Frozen").text, "stopped");
	done = observer_expect_done(&stage.observer, true);
	after = open_device_read(&stage.device);
	open_device_expect_same(&before, &after);
	expect_sound(&stage);
	/* The record: by what, how often, and what the device had in its registers. */
	expect_hot_reset(&stage, done.event);
	assert_int_equal(pe_event_registers(world, &stage.observer, done.event), 1);
	expect_event_text(&stage, done.event, "Outcome", "recovered");
	assert_int_equal(pe_number(world, &stage.observer, "Freezes"), freezes + 1);
	stage_close(&stage);
}

/* Each kind of freeze; what a reset takes of a device is put back, with nobody's help. */
static void recover_unaware(const struct world *world, enum freeze what, const char *frozen)
{
	struct stage stage = stage_open(world, world->host->edu, FUNDAMENTAL);
	struct pe_signal done;

	expect_dma(&stage, 'a');
	freeze_pe(world, world->host->edu, what);
	assert_string_equal(observer_expect(&stage.observer, "Frozen").text, frozen);
	done = observer_expect_done(&stage.observer, true);
	assert_true(count_steps(&stage, done.event, "reset-fundamental") > 0);
	expect_sound(&stage);
	expect_dma(&stage, 'b');
	stage_close(&stage);
}

static void test_dma_alone_is_stopped(void **state)
{
	skip_without_freezes((const struct world *)*state);
	recover_unaware(*state, FREEZE_DMA, "stopped-dma");
}

static void test_h43_mmio_alone_is_stopped(void **state)
{
	skip_without_freezes((const struct world *)*state);
	recover_unaware(*state, FREEZE_IO, "unavailable");
}

/* -- programs that take part -- */

static void test_all_can_recover(void **state)
{
	const struct world *world = *state;
	struct open_device_registers before;
	struct open_device_registers after;
	struct stage stage;
	uint32_t event;

	skip_without_freezes(world);
	stage = stage_open(world, world->host->nic, HOT);
	open_device_use_msix(&stage.device);
	before = open_device_read(&stage.device);
	observer_join(&stage.observer);
	freeze_pe(world, world->host->nic, FREEZE_BOTH);
	(void)observer_expect(&stage.observer, "Frozen");
	event = observer_answer_error(&stage.observer, "can-recover");
	assert_int_equal(observer_expect(&stage.observer, "MmioEnabled").event, event);
	/* MMIO works, DMA doesn't yet: what the protocol is for. */
	pe_expect_text(world, &stage.observer, "State", "stopped-dma");
	observer_vote(&stage.observer, event, "recovered", NULL);
	assert_int_equal(observer_expect(&stage.observer, "Resume").event, event);
	assert_int_equal(observer_expect_done(&stage.observer, true).event, event);
	after = open_device_read(&stage.device);
	open_device_expect_same(&before, &after);
	expect_sound(&stage);
	assert_int_equal(count_resets(&stage, event), 0);
	stage_close(&stage);
}

/* Thawed by parts: what was never stopped isn't touched. */
static void thaw_partly(const struct world *world, enum freeze what)
{
	struct stage stage = stage_open(world, world->host->nic, HOT);
	uint32_t event;

	observer_join(&stage.observer);
	freeze_pe(world, world->host->nic, what);
	event = observer_answer_error(&stage.observer, "can-recover");
	assert_int_equal(observer_expect(&stage.observer, "MmioEnabled").event, event);
	observer_vote(&stage.observer, event, "recovered", NULL);
	assert_int_equal(observer_expect_done(&stage.observer, true).event, event);
	assert_int_equal(count_resets(&stage, event), 0);
	expect_sound(&stage);
	expect_dma(&stage, 't');
	stage_close(&stage);
}

static void test_dma_alone_is_thawed(void **state)
{
	skip_without_freezes((const struct world *)*state);
	thaw_partly(*state, FREEZE_DMA);
}

static void test_h43_mmio_alone_is_thawed(void **state)
{
	skip_without_freezes((const struct world *)*state);
	thaw_partly(*state, FREEZE_IO);
}

/* One that wants a reset outvotes one that doesn't, and both are asked again after it. */
static void test_one_needs_a_reset(void **state)
{
	const struct world *world = *state;
	struct observer other;
	struct pe_signal done;
	struct stage stage;
	uint32_t event;

	skip_without_freezes(world);
	stage = stage_open(world, world->host->edu, HOT);
	other = observer_open(world, world->host->edu);
	observer_join(&stage.observer);
	observer_join(&other);
	assert_int_equal(pe_number(world, &stage.observer, "Participants"), 2);
	expect_dma(&stage, 'a');
	freeze_pe(world, world->host->edu, FREEZE_BOTH);
	event = observer_answer_error(&stage.observer, "can-recover");
	assert_int_equal(observer_answer_error(&other, "need-reset"), event);
	assert_int_equal(observer_expect(&stage.observer, "SlotReset").event, event);
	/* The device is as it was before. */
	assert_true(open_device_is_master(&stage.device));
	observer_vote(&stage.observer, event, "recovered", NULL);
	observer_vote(&other, event, "recovered", NULL);
	done = observer_expect_done(&stage.observer, true);
	assert_true(done.milliseconds >= 1500);
	(void)observer_expect_done(&other, true);
	expect_hot_reset(&stage, event);
	expect_sound(&stage);
	expect_dma(&stage, 'b');
	observer_close(&other);
	stage_close(&stage);
}

static void test_disconnect(void **state)
{
	const struct world *world = *state;
	struct stage stage;
	uint32_t event;

	skip_without_freezes(world);
	stage = stage_open(world, world->host->nic, FUNDAMENTAL);
	observer_join(&stage.observer);
	freeze_pe(world, world->host->nic, FREEZE_BOTH);
	event = observer_answer_error(&stage.observer, "disconnect");
	assert_int_equal(observer_expect(&stage.observer, "Disconnect").event, event);
	assert_int_equal(observer_expect_done(&stage.observer, false).event, event);
	pe_expect_text(world, &stage.observer, "Recovery", "failed");
	expect_event_text(&stage, event, "Outcome", "failed");
	/* It is left as it is, by everybody but who recovers it after all. */
	pe_operate(world, &stage.observer, "Enable", "RecoveryFailed");
	assert_int_equal(count_resets(&stage, event), 0);
	observer_leave(&stage.observer, NULL);
	event = pe_recover(world->client, &stage.observer, NULL);
	assert_int_equal(observer_expect_done(&stage.observer, true).event, event);
	expect_sound(&stage);
	expect_dma(&stage, 'c');
	stage_close(&stage);
}

/* Who leaves the bus, or says nothing, doesn't know of EEH: the PE is reset. */
static void test_participant_that_vanishes(void **state)
{
	const struct world *world = *state;
	struct observer vanishing;
	struct pe_signal done;
	struct stage stage;

	skip_without_freezes(world);
	stage = stage_open(world, world->host->nic, FUNDAMENTAL);
	vanishing = observer_open(world, world->host->nic);
	observer_join(&vanishing);
	freeze_pe(world, world->host->nic, FREEZE_BOTH);
	(void)observer_expect(&vanishing, "Frozen");
	(void)observer_expect(&vanishing, "ErrorDetected");
	observer_close(&vanishing);
	done = observer_expect_done(&stage.observer, true);
	assert_true(count_resets(&stage, done.event) > 0);
	assert_int_equal(pe_number(world, &stage.observer, "Participants"), 0);
	/* That it was not waited for: the votes have ten seconds. */
	assert_true(done.milliseconds < 10000);
	expect_dma(&stage, 'd');
	stage_close(&stage);
}

static void test_participant_that_is_silent(void **state)
{
	const struct world *world = *state;
	struct pe_signal done;
	struct stage stage;

	skip_without_freezes(world);
	stage = stage_open(world, world->host->nic, IMPATIENT);
	observer_join(&stage.observer);
	freeze_pe(world, world->host->nic, FREEZE_BOTH);
	done = observer_expect_done(&stage.observer, true);
	assert_true(count_resets(&stage, done.event) > 0);
	assert_true(done.milliseconds >= 1000);
	expect_dma(&stage, 'e');
	stage_close(&stage);
}

/* -- several PEs, and a firmware that refuses -- */

/* Both are under way at the same time: the kernel does one after the other. */
static void test_two_at_once(void **state)
{
	const struct world *world = *state;
	struct pe_signal of_edu;
	struct pe_signal of_nic;
	struct stage edu;
	struct stage nic;
	uint64_t began;
	uint64_t took;

	skip_without_freezes(world);
	edu = stage_open(world, world->host->edu, HOT);
	nic = stage_open(world, world->host->nic, HOT);
	began = now_in_ms();
	freeze_pe(world, world->host->edu, FREEZE_BOTH);
	freeze_pe(world, world->host->nic, FREEZE_BOTH);
	of_edu = observer_expect_done(&edu.observer, true);
	of_nic = observer_expect_done(&nic.observer, true);
	took = now_in_ms() - began;
	assert_int_not_equal(of_edu.event, of_nic.event);
	if (took >= of_edu.milliseconds + of_nic.milliseconds) {
		fail_msg("%u ms and %u ms, together %u ms", of_edu.milliseconds,
			 of_nic.milliseconds, (unsigned int)took);
	}
	expect_sound(&edu);
	expect_sound(&nic);
	expect_dma(&edu, 'f');
	expect_dma(&nic, 'g');
	observer_close(&edu.observer);
	open_device_close(&edu.device);
	assert_int_equal(munmap(edu.memory, MEMORY_SIZE), 0);
	space_close(world->client, edu.space);
	stage_close(&nic);
}

/* An emulated host's firmware refuses each other fundamental reset: of two recoveries one at least
 * meets that. */
static void test_firmware_refuses_a_reset(void **state)
{
	const struct world *world = *state;
	unsigned int refused = 0;
	struct stage stage;

	skip_without_freezes(world);
	stage = stage_open(world, world->host->edu, FUNDAMENTAL);
	refuse_a_reset(world);
	for (unsigned int i = 0; i < 2; i++) {
		struct pe_signal done;

		freeze_pe(world, world->host->edu, FREEZE_BOTH);
		done = observer_expect_done(&stage.observer, true);
		refused += pe_event_steps(world, &stage.observer, done.event, "reset-fundamental",
					  "EIO");
		expect_dma(&stage, (char)('h' + i));
	}
	assert_true(refused > 0);
	stage_close(&stage);
}

#define TEST(function) cmocka_unit_test_teardown(function, forget_policy)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_unaware_program),
		TEST(test_dma_alone_is_stopped),
		TEST(test_h43_mmio_alone_is_stopped),
		TEST(test_all_can_recover),
		TEST(test_dma_alone_is_thawed),
		TEST(test_h43_mmio_alone_is_thawed),
		TEST(test_one_needs_a_reset),
		TEST(test_disconnect),
		TEST(test_participant_that_vanishes),
		TEST(test_participant_that_is_silent),
		TEST(test_two_at_once),
		TEST(test_firmware_refuses_a_reset),
	};

	return cmocka_run_group_tests_name("eeh-recovery", tests, world_start_eeh, world_stop);
}
