/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "eeh/state.h"
#include "unit.h"

/* EEH_STATE_* as in asm/eeh.h. */
#define UNAVAILABLE  0x01U
#define GONE         0x02U
#define RESET_ACTIVE 0x04U
#define IO           0x28U /* active and enabled */
#define DMA          0x50U

#define FROZEN_BY_THE_KERNEL 0x801U /* measured with 0 before it */

static enum pe_condition judge(uint32_t number, uint32_t flags)
{
	return pe_judge(&(struct pe_look){
		.number = number,
		.has_flags = true,
		.firmware_flags = flags,
		.kernel_flags = FROZEN_BY_THE_KERNEL,
		.devices = 1,
	});
}

static enum pe_condition judge_number(uint32_t number, uint32_t devices, uint32_t silent)
{
	return pe_judge(&(struct pe_look){.number = number, .devices = devices, .silent = silent});
}

static void test_number_and_flags(void **state)
{
	(void)state;
	assert_int_equal(judge(0, IO | DMA), PE_NORMAL);
	assert_int_equal(judge(1, RESET_ACTIVE | 0x18), PE_RESET);
	assert_int_equal(judge(2, 0), PE_STOPPED);
	assert_int_equal(judge(4, IO), PE_STOPPED_DMA);
	/* A hypervisor has no flag for active MMIO alone. */
	assert_int_equal(judge(4, 0x20), PE_STOPPED_DMA);
}

static void test_number_alone(void **state)
{
	(void)state;
	assert_int_equal(judge_number(0, 2, 0), PE_NORMAL);
	assert_int_equal(judge_number(0, 2, 1), PE_NORMAL);
	assert_int_equal(judge_number(0, 0, 0), PE_NORMAL);
	assert_int_equal(judge_number(1, 1, 0), PE_RESET);
	assert_int_equal(judge_number(2, 1, 1), PE_STOPPED);
	assert_int_equal(judge_number(4, 1, 0), PE_STOPPED_DMA);
	assert_int_equal(judge_number(5, 1, 0), PE_UNAVAILABLE);
	assert_int_equal(judge_number(3, 1, 0), PE_UNKNOWN);
	assert_int_equal(judge_number(6, 1, 0), PE_UNKNOWN);
	assert_int_equal(judge_number(PE_NUMBER_UNKNOWN, 1, 0), PE_UNKNOWN);
	assert_int_equal(judge(PE_NUMBER_UNKNOWN, IO | DMA), PE_UNKNOWN);
}

static void test_h43_stopped_may_be_gone_or_unavailable(void **state)
{
	(void)state;
	assert_int_equal(judge(2, GONE), PE_GONE);
	assert_int_equal(judge(2, UNAVAILABLE), PE_UNAVAILABLE);
}

static void test_h43_five_is_the_host_or_mmio_alone(void **state)
{
	(void)state;
	assert_int_equal(judge(5, DMA), PE_STOPPED_IO);
	assert_int_equal(judge(5, 0), PE_UNAVAILABLE);
	assert_int_equal(judge(5, IO | DMA), PE_UNAVAILABLE);
	assert_int_equal(judge(5, GONE), PE_UNAVAILABLE);
}

/* eeh_pe_get_state takes the errors of the firmware for flags. */
static void test_h43_errors_that_decode_as_states(void **state)
{
	(void)state;
	assert_int_equal(judge(0, (uint32_t)-EIO), PE_UNKNOWN);
	assert_int_equal(judge(1, (uint32_t)-EPERM), PE_UNKNOWN);
	/* An error has the bit of what is gone for good. */
	assert_int_equal(judge(2, (uint32_t)-EIO), PE_UNKNOWN);
	assert_int_equal(judge(1, (uint32_t)-ENODEV), PE_UNKNOWN);
	assert_int_equal(judge(1, (uint32_t)-ESRCH), PE_UNKNOWN);
	/* The next answer of the firmware was a good one. */
	assert_int_equal(judge(1, IO | DMA), PE_UNKNOWN);
	assert_int_equal(judge(1, 0), PE_UNKNOWN);
}

static void test_h43_contradictions(void **state)
{
	(void)state;
	assert_int_equal(judge(0, 0), PE_UNKNOWN);
	assert_int_equal(judge(0, GONE), PE_UNKNOWN);
	assert_int_equal(judge(2, IO | DMA), PE_UNKNOWN);
	assert_int_equal(judge(2, IO), PE_UNKNOWN);
	assert_int_equal(judge(4, 0), PE_UNKNOWN);
	/* Nobody answers, and no flags say why. */
	assert_int_equal(judge_number(0, 2, 2), PE_UNKNOWN);
}

/* A device that is silent for a reason of its own doesn't freeze its PE. */
static void test_silent_device_of_a_normal_pe(void **state)
{
	struct pe_look look = {.number = 0, .has_flags = true, .firmware_flags = IO | DMA};

	(void)state;
	look.devices = 1;
	look.silent = 1;
	assert_int_equal(pe_judge(&look), PE_NORMAL);
}

static void test_which_looks_need_flags(void **state)
{
	struct pe_look look = {.devices = 2};

	(void)state;
	assert_false(pe_look_needs_flags(&look));
	look.silent = 1;
	assert_true(pe_look_needs_flags(&look));
	look.number = PE_NUMBER_STOPPED_DMA;
	assert_false(pe_look_needs_flags(&look));
	look.silent = 0;
	look.number = PE_NUMBER_RESET;
	assert_true(pe_look_needs_flags(&look));
	look.number = PE_NUMBER_STOPPED;
	assert_true(pe_look_needs_flags(&look));
	look.number = PE_NUMBER_UNAVAILABLE;
	assert_true(pe_look_needs_flags(&look));
	look.number = PE_NUMBER_UNKNOWN;
	assert_true(pe_look_needs_flags(&look));
}

static void test_names(void **state)
{
	static const struct {
		enum pe_condition condition;
		bool frozen;
		const char *name;
		const char *text;
	} rows[] = {
		{PE_UNKNOWN, false, "unknown", "unknown"},
		{PE_NORMAL, false, "normal", "normal"},
		{PE_RESET, false, "reset", "reset asserted"},
		{PE_STOPPED, true, "stopped", "MMIO and DMA stopped"},
		{PE_STOPPED_DMA, true, "stopped-dma", "DMA stopped"},
		{PE_STOPPED_IO, true, "unavailable", "MMIO stopped"},
		{PE_UNAVAILABLE, true, "unavailable", "unavailable for the time being"},
		{PE_GONE, true, "stopped", "gone for good"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		assert_int_equal(pe_condition_is_frozen(rows[i].condition), rows[i].frozen);
		assert_string_equal(pe_condition_state(rows[i].condition), rows[i].name);
		assert_string_equal(pe_condition_text(rows[i].condition), rows[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_number_and_flags),
		cmocka_unit_test(test_number_alone),
		cmocka_unit_test(test_h43_stopped_may_be_gone_or_unavailable),
		cmocka_unit_test(test_h43_five_is_the_host_or_mmio_alone),
		cmocka_unit_test(test_h43_errors_that_decode_as_states),
		cmocka_unit_test(test_h43_contradictions),
		cmocka_unit_test(test_silent_device_of_a_normal_pe),
		cmocka_unit_test(test_which_looks_need_flags),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
