/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What an emulated host can't be made to do to a PE: to be gone for good, to have its bridge
 * recovered by the host, to refuse resets, and to freeze it for a DMA that the IOMMU refused.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "eeh.h"
#include "open_device.h"

#define MEMORY_SIZE UINT64_C(0x100000)
#define NOT_MAPPED  UINT64_C(0x200000)

#define HOT      QUICK_POLICY "first-reset = hot\n"
#define TWICE    HOT "reset-tries = 2\n"
#define STUBBORN TWICE "escalate = no\n"
#define BRIEF    HOT "host-timeout = 1s\n"

static void simulate_freeze(const struct world *world, const struct observer *observer,
			    const char *what)
{
	dbus_message_unref(call(world->client, BUS_PATH_MANAGER, BUS_INTERFACE_SIMULATOR, "Freeze",
				NULL, DBUS_TYPE_UINT32, &observer->group, DBUS_TYPE_STRING, &what,
				DBUS_TYPE_INVALID));
}

static void fail_resets(const struct world *world, const char *operation, unsigned int times,
			int32_t errnum)
{
	for (uint32_t i = 0; i < times; i++) {
		/* The one before is used up first: each skips none. */
		uint32_t skip = 0;

		dbus_message_unref(call(world->client, BUS_PATH_MANAGER, BUS_INTERFACE_SIMULATOR,
					"FailNext", NULL, DBUS_TYPE_STRING, &operation,
					DBUS_TYPE_UINT32, &skip, DBUS_TYPE_INT32, &errnum,
					DBUS_TYPE_INVALID));
	}
}

/* Its state reads as stopped, and all that is asked of it claims to work (H43, H44). */
static void test_h44_pe_that_is_gone(void **state)
{
	const struct world *world = *state;
	struct pe_signal done;
	struct eeh_stage stage = eeh_stage_open(world, world->host->edu, HOT);

	simulate_freeze(world, &stage.observer, "permanent");
	done = observer_expect_done(&stage.observer, false);
	pe_expect_text(world, &stage.observer, "Recovery", "failed");
	pe_expect_text(world, &stage.observer, "State", "stopped");
	assert_int_equal(pe_event_steps(world, &stage.observer, done.event, "reset-hot", NULL), 0);
	eeh_stage_release(world, &stage);
	/* The PE stays as it is for the rest of the host's life. */
}

/* The same for a caller that recovers by itself: that it worked is not said. */
static void test_h44_thawing_what_is_gone(void **state)
{
	const struct world *world = *state;
	struct eeh_stage stage =
		eeh_stage_open(world, world->host->nic, QUICK_POLICY "mode = manual\n");

	simulate_freeze(world, &stage.observer, "permanent");
	(void)observer_expect(&stage.observer, "Frozen");
	pe_operate(world, &stage.observer, "UnfreezeIo", "RecoveryFailed");
	pe_operate(world, &stage.observer, "Enable", "RecoveryFailed");
	pe_expect_check(world, &stage.observer, "stopped");
	eeh_stage_release(world, &stage);
}

static void test_h48_the_host_recovers_the_bridge(void **state)
{
	const struct world *world = *state;
	struct eeh_stage stage = eeh_stage_open(world, world->host->edu, HOT);
	struct pe_signal signal;
	uint32_t event;

	observer_join(&stage.observer);
	simulate_freeze(world, &stage.observer, "unavailable");
	signal = observer_expect(&stage.observer, "Frozen");
	event = signal.event;
	assert_string_equal(signal.text, "unavailable");
	pe_wait_for_text(world, &stage.observer, "Recovery", "awaiting-host");
	/* Nothing is done to it, however long that takes. */
	assert_false(observer_next(&stage.observer, 1000, &signal));
	simulate_freeze(world, &stage.observer, "both");
	/* All was reset: nobody can go on as before. */
	signal = observer_expect(&stage.observer, "ErrorDetected");
	assert_string_equal(signal.text, "unavailable");
	observer_vote(&stage.observer, event, "need-reset", NULL);
	assert_int_equal(observer_expect(&stage.observer, "SlotReset").event, event);
	observer_vote(&stage.observer, event, "recovered", NULL);
	assert_int_equal(observer_expect_done(&stage.observer, true).event, event);
	pe_expect_check(world, &stage.observer, "normal");
	eeh_stage_close(world, &stage);
}

static void test_h48_the_host_does_not_come_to_an_end(void **state)
{
	const struct world *world = *state;
	struct eeh_stage stage = eeh_stage_open(world, world->host->edu, BRIEF);
	struct pe_signal done;

	simulate_freeze(world, &stage.observer, "unavailable");
	done = observer_expect_done(&stage.observer, false);
	assert_true(done.milliseconds >= 1000);
	pe_expect_text(world, &stage.observer, "Recovery", "failed");
	/* Later it has, and an operator says so. */
	simulate_freeze(world, &stage.observer, "both");
	(void)pe_recover(world->client, &stage.observer, NULL);
	(void)observer_expect_done(&stage.observer, true);
	eeh_stage_close(world, &stage);
}

/* -- resets that fail -- */

static void test_reset_is_tried_again(void **state)
{
	const struct world *world = *state;
	struct eeh_stage stage = eeh_stage_open(world, world->host->edu, TWICE);
	struct pe_signal done;

	fail_resets(world, "VFIO_EEH_PE_RESET_HOT", 1, EIO);
	simulate_freeze(world, &stage.observer, "both");
	done = observer_expect_done(&stage.observer, true);
	assert_int_equal(pe_event_steps(world, &stage.observer, done.event, "reset-hot", NULL), 2);
	assert_int_equal(pe_event_steps(world, &stage.observer, done.event, "reset-hot", "EIO"), 1);
	eeh_stage_close(world, &stage);
}

static void test_h51_hot_resets_that_fail_are_escalated(void **state)
{
	const struct world *world = *state;
	struct eeh_stage stage = eeh_stage_open(world, world->host->edu, TWICE);
	struct pe_signal done;

	fail_resets(world, "VFIO_EEH_PE_RESET_HOT", 2, EIO);
	simulate_freeze(world, &stage.observer, "both");
	done = observer_expect_done(&stage.observer, true);
	assert_int_equal(pe_event_steps(world, &stage.observer, done.event, "reset-hot", "EIO"), 2);
	assert_int_equal(
		pe_event_steps(world, &stage.observer, done.event, "reset-fundamental", NULL), 1);
	eeh_stage_close(world, &stage);
}

static void test_resets_are_used_up(void **state)
{
	const struct world *world = *state;
	struct eeh_stage stage = eeh_stage_open(world, world->host->edu, STUBBORN);
	struct pe_signal done;

	fail_resets(world, "VFIO_EEH_PE_RESET_HOT", 2, EIO);
	simulate_freeze(world, &stage.observer, "both");
	done = observer_expect_done(&stage.observer, false);
	assert_int_equal(
		pe_event_steps(world, &stage.observer, done.event, "reset-fundamental", NULL), 0);
	pe_expect_text(world, &stage.observer, "Recovery", "failed");
	(void)pe_recover(world->client, &stage.observer, NULL);
	(void)observer_expect_done(&stage.observer, true);
	eeh_stage_close(world, &stage);
}

/* -- a DMA that goes astray -- */

static bool dma_arrives(const struct world *world, uint64_t iova)
{
	DBusMessage *message = dbus_message_new_method_call(BUS_NAME, BUS_PATH_MANAGER,
							    BUS_INTERFACE_SIMULATOR, "DmaRead");
	const char *device = world->host->edu;
	uint32_t size = 16;
	DBusMessage *reply;

	assert_true(dbus_message_append_args(message, DBUS_TYPE_STRING, &device, DBUS_TYPE_UINT64,
					     &iova, DBUS_TYPE_UINT32, &size, DBUS_TYPE_INVALID));
	reply = dbus_connection_send_with_reply_and_block(world->client, message, 10000, NULL);
	dbus_message_unref(message);
	if (reply) {
		dbus_message_unref(reply);
	}
	return reply != NULL;
}

/* From the fault to the DMA that works again nobody does a thing. */
static void test_h16_stray_dma_is_recovered_from(void **state)
{
	const struct world *world = *state;
	struct eeh_stage stage = eeh_stage_open(world, world->host->edu, HOT);
	int fd = memory_new(MEMORY_SIZE);

	(void)add_memory(world->client, stage.space, fd, 0, 0, MEMORY_SIZE, 0, NULL);
	(void)close(fd);
	map(world->client, stage.space, 0, 0, MEMORY_SIZE, PROT_DEVICE_BOTH, NULL);
	assert_true(dma_arrives(world, 0));
	assert_false(dma_arrives(world, NOT_MAPPED));
	assert_false(dma_arrives(world, 0));
	(void)observer_expect_done(&stage.observer, true);
	assert_true(dma_arrives(world, 0));
	eeh_stage_close(world, &stage);
}

#define TEST(function) cmocka_unit_test_teardown(function, forget_policy)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_h48_the_host_recovers_the_bridge),
		TEST(test_h48_the_host_does_not_come_to_an_end),
		TEST(test_reset_is_tried_again),
		TEST(test_h51_hot_resets_that_fail_are_escalated),
		TEST(test_resets_are_used_up),
		/* These leave PEs behind that are gone. */
		TEST(test_h44_pe_that_is_gone),
		TEST(test_h44_thawing_what_is_gone),
	};
	static const struct CMUnitTest freezing[] = {TEST(test_h16_stray_dma_is_recovered_from)};

	return cmocka_run_group_tests_name("simulated-eeh", tests, world_start_eeh, world_stop) +
	       cmocka_run_group_tests_name("simulated-eeh-dma", freezing, world_start_freezing,
					   world_stop);
}
