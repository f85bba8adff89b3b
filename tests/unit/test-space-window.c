/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The windows of an address space: default ones and others, in one container and in several. */
#include <string.h>

#include "window_stage.h"

/* -- one container -- */

static void test_default_window_is_kept(void **state)
{
	static const enum window_kind kinds[] = {POWERNV, LPAR, FIXED};
	struct fixture fixture;

	(void)state;
	for (unsigned int i = 0; i < 3; i++) {
		stage_open(&fixture, kinds[i], WORKER_DEFAULT_WINDOW_AUTO);
		check_windows(&fixture, "");
		assert_int_equal(attach(&fixture, 1), 0);
		check_windows(&fixture, " [0x0, 0x80000000)/12d");
		assert_string_equal(host.log, "");
		assert_int_equal(detach(&fixture, 1), 0);
		check_windows(&fixture, "");
		stage_close(&fixture);
	}
}

/* H26: the slot decides the start, and one that is free again is used again. */
static void test_h26_slots_are_used_again(void **state)
{
	struct fixture fixture;

	(void)state;
	stage_open(&fixture, POWERNV, WORKER_DEFAULT_WINDOW_AUTO);
	assert_int_equal(attach(&fixture, 1), 0);
	assert_int_equal(create(&fixture, 0x80000000, 0), ERROR_WINDOW_START);
	check_text(&fixture, "0x800000000000000, not at 0x80000000");
	check_text(&fixture, "it was removed again");
	check_windows(&fixture, " [0x0, 0x80000000)/12d");
	assert_int_equal(create(&fixture, SECOND, 0), 0);
	assert_int_equal(create(&fixture, ANYWHERE, 0), ERROR_NO_WINDOW_LEFT);
	assert_int_equal(remove_window(&fixture, 0), 0);
	check_windows(&fixture, " [0x800000000000000, 0x800000010000000)/12");
	assert_int_equal(create(&fixture, 0, 0), 0);
	assert_int_equal(remove_window(&fixture, SECOND), 0);
	assert_int_equal(create(&fixture, ANYWHERE, 0), 0);
	check_windows(&fixture, " [0x0, 0x10000000)/12 [0x800000000000000, 0x800000010000000)/12");
	stage_close(&fixture);
}

/* H28: the kernel would take away the window around any address. */
static void test_h28_only_the_start_names_a_window(void **state)
{
	struct fixture fixture;

	(void)state;
	stage_open(&fixture, POWERNV, WORKER_DEFAULT_WINDOW_AUTO);
	assert_int_equal(attach(&fixture, 1), 0);
	assert_int_equal(remove_window(&fixture, 0x1000), ERROR_NOT_FOUND);
	check_text(&fixture, "inside the window [0x0, 0x80000000), not its start");
	assert_int_equal(remove_window(&fixture, DEFAULT_SIZE), ERROR_NOT_FOUND);
	check_text(&fixture, "no window starts at 0x80000000");
	assert_string_equal(host.log, "");
	stage_close(&fixture);
}

static void test_mapped_window_stays(void **state)
{
	struct fixture fixture;

	(void)state;
	stage_open(&fixture, POWERNV, WORKER_DEFAULT_WINDOW_AUTO);
	assert_int_equal(attach(&fixture, 1), 0);
	assert_int_equal(add_memory(&fixture, 0, 0, NULL), 0);
	assert_int_equal(map(&fixture, DEFAULT_SIZE - 0x1000, 0, 0x1000), 0);
	assert_int_equal(remove_window(&fixture, 0), ERROR_MEMORY_IN_USE);
	check_text(&fixture, "[0x7ffff000, 0x80000000)");
	assert_int_equal(create(&fixture, ANYWHERE, REPLACE), ERROR_MEMORY_IN_USE);
	check_text(&fixture, "[0x7ffff000, 0x80000000)");
	assert_string_equal(host.log, "");
	/* A mapping in another window doesn't matter. */
	assert_int_equal(create(&fixture, ANYWHERE, 0), 0);
	assert_int_equal(unmap(&fixture, DEFAULT_SIZE - 0x1000, 0x1000), 0);
	assert_int_equal(map(&fixture, SECOND, 0, 0x1000), 0);
	assert_int_equal(remove_window(&fixture, SECOND), ERROR_MEMORY_IN_USE);
	assert_int_equal(remove_window(&fixture, 0), 0);
	assert_int_equal(unmap(&fixture, SECOND, 0x1000), 0);
	stage_close(&fixture);
}

/* H27: until the first use the default window is only a promise, which costs nothing to cancel. */
static void test_h27_default_window_goes_while_pending(void **state)
{
	struct fixture fixture;

	(void)state;
	stage_open(&fixture, POWERNV, WORKER_DEFAULT_WINDOW_REMOVE);
	assert_int_equal(attach(&fixture, 1), 0);
	check_windows(&fixture, "");
	assert_string_equal(host.log, "101 cancel 0x0\n");
	assert_int_equal(locked_bytes(fixture.space), 0);
	/* Both slots are free, for the containers that come, too. */
	assert_int_equal(create(&fixture, ANYWHERE, 0), 0);
	assert_int_equal(attach(&fixture, 2), 0);
	assert_int_equal(create(&fixture, ANYWHERE, 0), 0);
	check_windows(&fixture, " [0x0, 0x10000000)/12 [0x800000000000000, 0x800000010000000)/12");
	stage_close(&fixture);
}

static void test_default_window_that_can_not_go(void **state)
{
	static const enum window_kind kinds[] = {LPAR, FIXED};
	struct fixture fixture;

	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		stage_open(&fixture, kinds[i], WORKER_DEFAULT_WINDOW_REMOVE);
		assert_int_equal(attach(&fixture, 1), 0);
		check_windows(&fixture, " [0x0, 0x80000000)/12d");
		assert_string_equal(host.log, "");
		stage_close(&fixture);
	}
	/* That the kernel refuses is something else. */
	stage_open(&fixture, RANGES, WORKER_DEFAULT_WINDOW_REMOVE);
	host.fail = 2;
	assert_int_equal(attach(&fixture, 1), ERROR_KERNEL);
	check_windows(&fixture, "");
	host.fail = 0;
	assert_int_equal(attach(&fixture, 1), 0);
	check_windows(&fixture, "");
	assert_int_equal(create(&fixture, 0, 0), 0);
	stage_close(&fixture);
}

static void test_policy_keeps(void **state)
{
	static const enum window_kind kinds[] = {POWERNV, LPAR, RANGES};
	char before[WINDOW_TEXT_SIZE];
	char after[WINDOW_TEXT_SIZE];
	struct fixture fixture;

	(void)state;
	for (unsigned int i = 0; i < 3; i++) {
		stage_open(&fixture, kinds[i], WORKER_DEFAULT_WINDOW_KEEP);
		assert_int_equal(attach(&fixture, 1), 0);
		list_all(&fixture, before);
		assert_int_equal(remove_window(&fixture, 0), ERROR_UNSUPPORTED);
		check_text(&fixture, "[window] default-window = keep");
		assert_int_equal(create(&fixture, ANYWHERE, REPLACE), ERROR_UNSUPPORTED);
		check_text(&fixture, "[window] default-window = keep");
		list_all(&fixture, after);
		assert_string_equal(after, before);
		stage_close(&fixture);
	}
	/* What was made by request may go. */
	stage_open(&fixture, POWERNV, WORKER_DEFAULT_WINDOW_KEEP);
	assert_int_equal(attach(&fixture, 1), 0);
	assert_int_equal(create(&fixture, ANYWHERE, 0), 0);
	assert_int_equal(remove_window(&fixture, SECOND), 0);
	stage_close(&fixture);
}

static void test_swap(void **state)
{
	struct fixture fixture;

	(void)state;
	stage_open(&fixture, POWERNV, WORKER_DEFAULT_WINDOW_SWAP);
	assert_int_equal(attach(&fixture, 1), 0);
	check_windows(&fixture, " [0x0, 0x80000000)/12d");
	assert_int_equal(create(&fixture, ANYWHERE, 0), 0);
	assert_string_equal(host.log, "101 cancel 0x0\n101 create 0x0\n");
	assert_int_equal(create(&fixture, ANYWHERE, 0), 0);
	check_windows(&fixture, " [0x0, 0x10000000)/12 [0x800000000000000, 0x800000010000000)/12");
	assert_int_equal(create(&fixture, ANYWHERE, REPLACE), ERROR_NO_WINDOW_LEFT);
	stage_close(&fixture);
}

/* Policy alone takes no window away that is in use, nor for the second window. */
static void test_swap_spares(void **state)
{
	struct fixture fixture;

	(void)state;
	stage_open(&fixture, POWERNV, WORKER_DEFAULT_WINDOW_SWAP);
	assert_int_equal(attach(&fixture, 1), 0);
	assert_int_equal(add_memory(&fixture, 0, 0, NULL), 0);
	assert_int_equal(map(&fixture, 0x1000, 0, 0x1000), 0);
	assert_int_equal(create(&fixture, ANYWHERE, 0), 0);
	check_windows(&fixture, " [0x0, 0x80000000)/12d [0x800000000000000, 0x800000010000000)/12");
	assert_int_equal(unmap(&fixture, 0x1000, 0x1000), 0);
	assert_int_equal(create(&fixture, ANYWHERE, 0), ERROR_NO_WINDOW_LEFT);
	/* The caller may. */
	assert_int_equal(create(&fixture, 0, REPLACE), 0);
	check_windows(&fixture, " [0x0, 0x10000000)/12 [0x800000000000000, 0x800000010000000)/12");
	stage_close(&fixture);
	stage_open(&fixture, LPAR, WORKER_DEFAULT_WINDOW_SWAP);
	assert_int_equal(attach(&fixture, 1), 0);
	assert_int_equal(create(&fixture, ANYWHERE, 0), 0);
	check_windows(&fixture, " [0x0, 0x80000000)/12d [0x800000000000000, 0x800000010000000)/16");
	stage_close(&fixture);
}

static void test_replace(void **state)
{
	struct fixture fixture;

	(void)state;
	stage_open(&fixture, POWERNV, WORKER_DEFAULT_WINDOW_AUTO);
	assert_int_equal(attach(&fixture, 1), 0);
	assert_int_equal(create(&fixture, ANYWHERE, REPLACE), 0);
	check_windows(&fixture, " [0x0, 0x10000000)/12");
	/* Where it is gone its place is free. */
	assert_int_equal(remove_window(&fixture, 0), 0);
	assert_int_equal(create(&fixture, ANYWHERE, REPLACE), 0);
	check_windows(&fixture, " [0x0, 0x10000000)/12");
	stage_close(&fixture);
	/* The slot's window starts at 0, wherever it should. */
	stage_open(&fixture, POWERNV, WORKER_DEFAULT_WINDOW_AUTO);
	assert_int_equal(attach(&fixture, 1), 0);
	assert_int_equal(create(&fixture, SECOND, REPLACE), ERROR_WINDOW_START);
	check_text(&fixture, "at 0x0, not at 0x800000000000000");
	check_windows(&fixture, " [0x0, 0x80000000)/12d");
	stage_close(&fixture);
}

static void test_replace_in_an_lpar(void **state)
{
	struct fixture fixture;

	(void)state;
	stage_open(&fixture, LPAR, WORKER_DEFAULT_WINDOW_AUTO);
	assert_int_equal(attach(&fixture, 1), 0);
	assert_int_equal(create(&fixture, ANYWHERE, REPLACE), 0);
	check_windows(&fixture, " [0x800000000000000, 0x800000010000000)/16");
	assert_int_equal(remove_window(&fixture, SECOND), 0);
	stage_close(&fixture);
	/* With the one window made, the default one would go for nothing and not come back. */
	stage_open(&fixture, LPAR, WORKER_DEFAULT_WINDOW_AUTO);
	assert_int_equal(attach(&fixture, 1), 0);
	assert_int_equal(create(&fixture, ANYWHERE, 0), 0);
	host.log[0] = '\0';
	assert_int_equal(create(&fixture, ANYWHERE, REPLACE), ERROR_NO_WINDOW_LEFT);
	assert_string_equal(host.log, "");
	/* A RemoveWindow is insistence enough. */
	assert_int_equal(remove_window(&fixture, 0), 0);
	stage_close(&fixture);
}

/* What goes makes room for what comes. */
static void test_h30_swap_within_the_limit(void **state)
{
	struct fixture fixture;

	(void)state;
	/* The default window's table would not fit beside the new one. */
	stage_open_limited(&fixture, POWERNV, WORKER_DEFAULT_WINDOW_AUTO, TABLE_BYTES);
	assert_int_equal(attach(&fixture, 1), 0);
	assert_int_equal(create(&fixture, ANYWHERE, 0), ERROR_QUOTA_EXCEEDED);
	assert_int_equal(create(&fixture, ANYWHERE, REPLACE), 0);
	stage_close(&fixture);
	/* Nor would it if it is there. */
	stage_open_limited(&fixture, POWERNV, WORKER_DEFAULT_WINDOW_AUTO,
			   UINT64_C(2) * TABLE_BYTES);
	assert_int_equal(attach(&fixture, 1), 0);
	assert_int_equal(create(&fixture, ANYWHERE, 0), 0);
	assert_int_equal(remove_window(&fixture, SECOND), 0);
	assert_int_equal(locked_bytes(fixture.space), TABLE_BYTES);
	assert_int_equal(create(&fixture, ANYWHERE, REPLACE), 0);
	assert_int_equal(locked_bytes(fixture.space), TABLE_BYTES);
	stage_close(&fixture);
	stage_open_limited(&fixture, POWERNV, WORKER_DEFAULT_WINDOW_AUTO, TABLE_BYTES - 1);
	assert_int_equal(attach(&fixture, 1), 0);
	assert_int_equal(create(&fixture, ANYWHERE, REPLACE), ERROR_QUOTA_EXCEEDED);
	check_windows(&fixture, " [0x0, 0x80000000)/12d");
	stage_close(&fixture);
}

/* H37: an LPAR's default window can only be had back when no other is left. */
static void test_h37_dynamic_windows_go_before_the_default_one(void **state)
{
	struct fixture fixture;

	(void)state;
	stage_open(&fixture, LPAR, WORKER_DEFAULT_WINDOW_AUTO);
	assert_int_equal(attach(&fixture, 1), 0);
	assert_int_equal(create(&fixture, ANYWHERE, 0), 0);
	host.log[0] = '\0';
	assert_int_equal(detach(&fixture, 1), 0);
	assert_string_equal(host.log, "101 remove 0x800000000000000\n101 remove 0x0\n");
	stage_close(&fixture);
}

/* -- several containers -- */

static void attach_three(struct fixture *fixture)
{
	for (uint32_t group = 1; group <= 3; group++) {
		assert_int_equal(attach(fixture, group), 0);
	}
	host.calls = 0;
	host.failed = 0;
}

/* The n-th call fails: nothing has changed, and another try goes well. */
static bool swap_fails_at(unsigned int step)
{
	char before[WINDOW_TEXT_SIZE];
	char after[WINDOW_TEXT_SIZE];
	struct fixture fixture;
	int r;

	stage_open(&fixture, POWERNV, WORKER_DEFAULT_WINDOW_SWAP);
	attach_three(&fixture);
	list_all(&fixture, before);
	host.fail = step;
	r = create(&fixture, ANYWHERE, 0);
	if (host.failed > 0) {
		assert_int_equal(r, ERROR_KERNEL);
		list_all(&fixture, after);
		assert_string_equal(after, before);
		r = create(&fixture, ANYWHERE, 0);
	}
	assert_int_equal(r, 0);
	check_windows(&fixture, " [0x0, 0x10000000)/12");
	r = (int)host.failed;
	stage_close(&fixture);
	return r > 0;
}

static void test_swap_is_all_or_nothing(void **state)
{
	unsigned int step = 1;

	(void)state;
	while (swap_fails_at(step)) {
		step++;
	}
	/* A remove and a create in each container. */
	assert_int_equal(step - 1, 6);
}

/* The kernel refuses from the n-th call on, also to make the default window again: then it is gone
 * from the address space, and the error says so. */
static void test_swap_that_loses_the_default_window(void **state)
{
	(void)state;
	for (unsigned int step = 2; step <= 6; step++) {
		struct fixture fixture;

		stage_open(&fixture, POWERNV, WORKER_DEFAULT_WINDOW_SWAP);
		attach_three(&fixture);
		host.fail = step;
		host.fail_on = true;
		assert_int_equal(create(&fixture, ANYWHERE, 0), ERROR_KERNEL);
		check_text(&fixture, "could not be");
		check_text(&fixture, "the window that started at 0x0 is gone");
		check_windows(&fixture, "");
		stage_close(&fixture);
	}
}

/* The same where only one container can't make it again: it goes from the others, too. */
static void test_lost_window_goes_everywhere(void **state)
{
	struct fixture fixture;
	char text[WINDOW_TEXT_SIZE];

	(void)state;
	stage_open(&fixture, POWERNV, WORKER_DEFAULT_WINDOW_AUTO);
	attach_three(&fixture);
	/* The fourth call is the create in the second container, the fifth makes its default window
	 * again. */
	host.fail = 4;
	host.fail_more = 1;
	assert_int_equal(create(&fixture, ANYWHERE, REPLACE), ERROR_KERNEL);
	assert_int_equal(host.failed, 2);
	check_text(&fixture, "the default window [0x0, 0x80000000) could not be made again, in "
			     "container 102");
	list_all(&fixture, text);
	assert_string_equal(text, "space:\n101:\n102:\n103:\n");
	assert_int_equal(create(&fixture, 0, 0), 0);
	stage_close(&fixture);
}

static void test_remove_that_can_not_be_taken_back(void **state)
{
	struct fixture fixture;

	(void)state;
	stage_open(&fixture, POWERNV, WORKER_DEFAULT_WINDOW_AUTO);
	attach_three(&fixture);
	host.fail = 2;
	host.fail_on = true;
	assert_int_equal(remove_window(&fixture, 0), ERROR_KERNEL);
	check_text(&fixture, "container 101 could not be restored");
	check_text(&fixture, "the window that started at 0x0 is gone");
	check_windows(&fixture, "");
	stage_close(&fixture);
}

/* H38: a host may have one window only; then it has to go for another, in a new container, too. */
static void test_h38_only_window_has_to_go_first(void **state)
{
	struct fixture fixture;

	(void)state;
	stage_open(&fixture, LPAR, WORKER_DEFAULT_WINDOW_AUTO);
	host.max_windows = 1;
	assert_int_equal(attach(&fixture, 1), 0);
	assert_int_equal(create(&fixture, ANYWHERE, 0), ERROR_NO_WINDOW_LEFT);
	assert_int_equal(create(&fixture, ANYWHERE, REPLACE), 0);
	host.log[0] = '\0';
	assert_int_equal(attach(&fixture, 2), 0);
	assert_string_equal(host.log, "102 cancel 0x0\n102 create 0x800000000000000\n");
	stage_close(&fixture);
}

/* -- windows that are books -- */

#define LOW_TEXT  " [0x0, 0xfee00000)/12d"
#define HIGH_TEXT " [0xfef00000, 0x8000000000)/12d"

static void test_several_default_windows(void **state)
{
	struct fixture fixture;

	(void)state;
	stage_open(&fixture, RANGES, WORKER_DEFAULT_WINDOW_AUTO);
	assert_int_equal(attach(&fixture, 1), 0);
	check_windows(&fixture, LOW_TEXT HIGH_TEXT);
	assert_int_equal(attach(&fixture, 2), 0);
	check_windows(&fixture, LOW_TEXT HIGH_TEXT);
	assert_string_equal(host.log, "");
	assert_int_equal(create(&fixture, 0x10000, 0), ERROR_WINDOW_OVERLAP);
	check_text(&fixture, "RemoveWindow(0x0) first");
	assert_int_equal(remove_window(&fixture, HIGH_RANGE), 0);
	assert_int_equal(create(&fixture, UINT64_C(1) << 32, 0), 0);
	assert_int_equal(create(&fixture, UINT64_C(2) << 32, 0), 0);
	assert_int_equal(create(&fixture, INTERRUPTS, 0), ERROR_WINDOW_START);
	check_windows(&fixture,
		      LOW_TEXT " [0x100000000, 0x110000000)/12 [0x200000000, 0x210000000)/12");
	assert_int_equal(attach(&fixture, 3), 0);
	stage_close(&fixture);
}

static void test_books_are_replaced(void **state)
{
	struct fixture fixture;

	(void)state;
	/* The one around the start. */
	stage_open(&fixture, RANGES, WORKER_DEFAULT_WINDOW_AUTO);
	assert_int_equal(attach(&fixture, 1), 0);
	assert_int_equal(create(&fixture, 0x10000, REPLACE), 0);
	check_windows(&fixture, " [0x10000, 0x10010000)/12" HIGH_TEXT);
	stage_close(&fixture);
	/* The largest. */
	stage_open(&fixture, RANGES, WORKER_DEFAULT_WINDOW_SWAP);
	assert_int_equal(attach(&fixture, 1), 0);
	assert_int_equal(attach(&fixture, 2), 0);
	assert_int_equal(create(&fixture, ANYWHERE, 0), 0);
	check_windows(&fixture, LOW_TEXT " [0xfef00000, 0x10ef00000)/12");
	stage_close(&fixture);
}

/* Each container has its ranges; a default window is what they have in common. */
static void test_default_windows_are_narrowed(void **state)
{
	struct fixture fixture;
	char text[WINDOW_TEXT_SIZE];

	(void)state;
	stage_open(&fixture, RANGES, WORKER_DEFAULT_WINDOW_AUTO);
	assert_int_equal(attach(&fixture, 1), 0);
	assert_int_equal(add_memory(&fixture, 0, 0, NULL), 0);
	assert_int_equal(map(&fixture, 0x100000, 0, 0x1000), 0);
	set_ranges(UINT64_C(1) << 36);
	host.defaults[0].range = (struct range){0x8000, 0x1000000};
	assert_int_equal(attach(&fixture, 2), 0);
	check_windows(&fixture, " [0x8000, 0x1008000)/12d [0xfef00000, 0x1000000000)/12d");
	list_all(&fixture, text);
	/* The same in the books of both. */
	assert_non_null(strstr(text, "\n101: [0x8000, 0x1008000)/12 [0xfef00000, 0x1000000000)/12"
				     "\n102: [0x8000, 0x1008000)/12 [0xfef00000, 0x1000000000)/12"
				     "\n"));
	assert_int_equal(map(&fixture, 0x7000, 0x1000, 0x1000), ERROR_OUTSIDE_WINDOW);
	/* A range may fall apart. */
	host.defaults[0].range = (struct range){0, 0x10000};
	host.defaults[1].range = (struct range){0x20000, 0x1000000};
	assert_int_equal(attach(&fixture, 3), 0);
	check_windows(&fixture, " [0x8000, 0x10000)/12d [0x20000, 0x1008000)/12d");
	/* And keeps its whole pages, if they are larger elsewhere. */
	host.defaults[0].range = (struct range){0x8000, 0x18000};
	host.defaults[0].page_shift = host.defaults[1].page_shift = 16;
	assert_int_equal(attach(&fixture, 4), ERROR_WINDOW_START);
	assert_int_equal(unmap(&fixture, 0x100000, 0x1000), 0);
	assert_int_equal(attach(&fixture, 4), 0);
	check_windows(&fixture, " [0x20000, 0x1000000)/16d");
	assert_int_equal(remove_window(&fixture, 0x20000), 0);
	list_all(&fixture, text);
	assert_string_equal(text, "space:\n101:\n102:\n103:\n104:\n");
	stage_close(&fixture);
}

static void test_no_mapping_loses_its_place(void **state)
{
	static const struct range ranges[][2] = {
		{{0, 0x10000}, {0x200000, 0x1000000}},    /* in none */
		{{0, 0x101000}, {0x200000, 0x1000000}},   /* cut */
		{{0x101000, 0x1000}, {0x102000, 0x1000}}, /* across two */
	};
	char before[WINDOW_TEXT_SIZE];
	char after[WINDOW_TEXT_SIZE];
	struct fixture fixture;

	(void)state;
	stage_open(&fixture, RANGES, WORKER_DEFAULT_WINDOW_AUTO);
	assert_int_equal(attach(&fixture, 1), 0);
	assert_int_equal(add_memory(&fixture, 0, 0, NULL), 0);
	host.defaults[0].range = host.defaults[1].range = (struct range){UINT64_C(1) << 40, 0x1000};
	assert_int_equal(attach(&fixture, 2), ERROR_WINDOW_START);
	check_text(&fixture, "nothing in common");
	assert_int_equal(map(&fixture, 0x100000, 0, 0x4000), 0);
	list_all(&fixture, before);
	for (unsigned int i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
		host.defaults[0].range = ranges[i][0];
		host.defaults[1].range = ranges[i][1];
		assert_int_equal(attach(&fixture, 2), ERROR_WINDOW_START);
		list_all(&fixture, after);
		assert_string_equal(after, before);
	}
	stage_close(&fixture);
}

static void test_requested_window_must_fit(void **state)
{
	char before[WINDOW_TEXT_SIZE];
	char after[WINDOW_TEXT_SIZE];
	struct fixture fixture;

	(void)state;
	stage_open(&fixture, RANGES, WORKER_DEFAULT_WINDOW_REMOVE);
	assert_int_equal(attach(&fixture, 1), 0);
	assert_int_equal(create(&fixture, UINT64_C(1) << 38, 0), 0);
	list_all(&fixture, before);
	set_ranges(UINT64_C(1) << 38);
	assert_int_equal(attach(&fixture, 2), ERROR_WINDOW_START);
	check_text(&fixture, "[0x4000000000, 0x4010000000)");
	check_text(&fixture, "[0xfef00000, 0x4000000000)");
	set_ranges(END_OF_RANGES);
	host.page_sizes = 0x10000;
	assert_int_equal(attach(&fixture, 2), ERROR_WINDOW_START);
	check_text(&fixture, "0x10000");
	list_all(&fixture, after);
	assert_string_equal(after, before);
	host.page_sizes = 0x11000;
	assert_int_equal(attach(&fixture, 2), 0);
	check_windows(&fixture, " [0x4000000000, 0x4010000000)/12");
	stage_close(&fixture);
}

static bool narrowing_fails_at(unsigned int step)
{
	char before[WINDOW_TEXT_SIZE];
	char after[WINDOW_TEXT_SIZE];
	struct fixture fixture;
	bool failed;
	int r;

	stage_open(&fixture, RANGES, WORKER_DEFAULT_WINDOW_AUTO);
	attach_three(&fixture);
	list_all(&fixture, before);
	set_ranges(UINT64_C(1) << 36);
	host.defaults[0].range = (struct range){0x8000, 0x1000000};
	host.fail = step;
	r = attach(&fixture, 4);
	failed = host.failed > 0;
	if (failed) {
		list_all(&fixture, after);
		assert_string_equal(after, before);
		assert_int_equal(r, ERROR_KERNEL);
		r = attach(&fixture, 4);
	}
	assert_int_equal(r, 0);
	check_windows(&fixture, " [0x8000, 0x1008000)/12d [0xfef00000, 0x1000000000)/12d");
	stage_close(&fixture);
	return failed;
}

/* A container whose addresses are in pieces: what it has in common with the others, and the windows
 * made by request, are more than there may be. */
static void test_narrowing_makes_too_many_windows(void **state)
{
	struct fixture fixture;

	(void)state;
	stage_open(&fixture, RANGES, WORKER_DEFAULT_WINDOW_AUTO);
	assert_int_equal(attach(&fixture, 1), 0);
	assert_int_equal(remove_window(&fixture, HIGH_RANGE), 0);
	for (uint64_t i = 1; i <= 3; i++) {
		assert_int_equal(create(&fixture, i << 32, 0), 0);
	}
	host.default_count = WORKER_WINDOWS_MAX;
	host.defaults[WORKER_WINDOWS_MAX - 1] = host.defaults[1];
	for (uint64_t i = 0; i < WORKER_WINDOWS_MAX - 1; i++) {
		host.defaults[i] = (struct window){{i << 20, 0x1000}, 12, 1, false};
	}
	assert_int_equal(attach(&fixture, 2), ERROR_QUOTA_EXCEEDED);
	check_text(&fixture, "more than 32 ranges");
	check_windows(&fixture, " [0x0, 0xfee00000)/12d [0x100000000, 0x110000000)/12"
				" [0x200000000, 0x210000000)/12 [0x300000000, 0x310000000)/12");
	stage_close(&fixture);
}

static void test_narrowing_is_all_or_nothing(void **state)
{
	unsigned int step = 1;

	(void)state;
	while (narrowing_fails_at(step)) {
		step++;
	}
	/* Both windows are removed and made in each of three; the new container has them already.
	 */
	assert_int_equal(step - 1, 12);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_default_window_is_kept),
		cmocka_unit_test(test_h26_slots_are_used_again),
		cmocka_unit_test(test_h28_only_the_start_names_a_window),
		cmocka_unit_test(test_mapped_window_stays),
		cmocka_unit_test(test_h27_default_window_goes_while_pending),
		cmocka_unit_test(test_default_window_that_can_not_go),
		cmocka_unit_test(test_policy_keeps),
		cmocka_unit_test(test_swap),
		cmocka_unit_test(test_swap_spares),
		cmocka_unit_test(test_replace),
		cmocka_unit_test(test_replace_in_an_lpar),
		cmocka_unit_test(test_h30_swap_within_the_limit),
		cmocka_unit_test(test_h37_dynamic_windows_go_before_the_default_one),
		cmocka_unit_test(test_swap_is_all_or_nothing),
		cmocka_unit_test(test_swap_that_loses_the_default_window),
		cmocka_unit_test(test_lost_window_goes_everywhere),
		cmocka_unit_test(test_remove_that_can_not_be_taken_back),
		cmocka_unit_test(test_h38_only_window_has_to_go_first),
		cmocka_unit_test(test_several_default_windows),
		cmocka_unit_test(test_books_are_replaced),
		cmocka_unit_test(test_default_windows_are_narrowed),
		cmocka_unit_test(test_no_mapping_loses_its_place),
		cmocka_unit_test(test_requested_window_must_fit),
		cmocka_unit_test(test_narrowing_makes_too_many_windows),
		cmocka_unit_test(test_narrowing_is_all_or_nothing),
	};

	return cmocka_run_group_tests_name("space-window", tests, NULL, NULL);
}
