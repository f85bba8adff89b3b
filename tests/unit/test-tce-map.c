/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* MAP and UNMAP of the TCE containers: what the kernel is asked, and what it must never be asked.
 * (spapr/tce.h) */
#include "tce_script.h"

#define PAGE UINT64_C(0x1000)

/* A container with the default window and memory. */
#define READY ATTACH, REGISTER_RESULT(0), SETTLE

static struct container *ready(struct script *script)
{
	struct container *container = attach(script);

	add_memory(container);
	return container;
}

/* results */

static void test_h1_positive_results_are_failures(void **state)
{
	static const struct expectation expectations[] = {
		ATTACH,
		REGISTER_RESULT(512),
		REGISTER_RESULT(0),
		UNMAP(0, 0x1000, 1),
		SETTLE,
		MAP_FROM(0x4000, 0, PAGE, 1),
		UNMAP(0x4000, PAGE, 1),
		REMOVE(0),
		CREATE(0, GIB(4), 1, 2),
		{.request = VFIO_IOMMU_SPAPR_UNREGISTER_MEMORY, .result = 1},
		LEAVE,
		END};
	static const struct section section = {.gpa = {0, 0x10000000}};
	struct script script = script_make(expectations);
	struct container *container = attach(&script);
	struct window window;
	struct error error;

	(void)state;
	/* Only so many pages were pinned. */
	assert_int_equal(container_memory_add(container, &section, &error), ERROR_KERNEL);
	assert_says(&error, "positive result 512");
	add_memory(container);
	assert_int_equal(map_from(&script, container, 0x4000, 0, PAGE, &error), ERROR_KERNEL);
	assert_int_equal(map_from(&script, container, 0x4000, 0, PAGE, &error), ERROR_KERNEL);
	assert_int_equal(error.errnum, 0);
	assert_says(&error, "positive result 1");
	assert_int_equal(unmap_at(container, 0x4000, PAGE, &error), ERROR_KERNEL);
	assert_int_equal(container_window_remove(container, 0, &error), 0);
	/* A firmware's number, from setting the window; the charge is taken back then. */
	assert_int_equal(create_as(container, 16, GIB(4), 1, &window, &error), ERROR_KERNEL);
	assert_int_equal(container_locked_bytes(container), 0);
	assert_int_equal(container_memory_remove(container, &section, &error), ERROR_KERNEL);
	detach(&script, container);
}

/* It is what the kernel answers with +1. */
static void test_h1_misaligned_ranges_are_not_asked(void **state)
{
	static const struct expectation expectations[] = {
		ATTACH, REGISTER_RESULT(0), REMOVE(0), CREATE(0, GIB(4), 1, 0), LEAVE, END};
	struct script script = script_make(expectations);
	struct container *container = ready(&script);
	struct window window;
	struct error error;

	(void)state;
	assert_int_equal(container_window_remove(container, 0, &error), 0);
	assert_int_equal(create_as(container, 16, GIB(4), 1, &window, &error), 0);
	assert_int_equal(map_from(&script, container, 0x11000, 0, 0x10000, &error),
			 ERROR_PAGE_SIZE);
	assert_int_equal(map_from(&script, container, 0x10000, 0, 0x11000, &error),
			 ERROR_PAGE_SIZE);
	assert_int_equal(map_from(&script, container, 0x10000, 0x1000, 0x10000, &error),
			 ERROR_PAGE_SIZE);
	assert_int_equal(unmap_at(container, 0x11000, 0x10000, &error), ERROR_PAGE_SIZE);
	assert_int_equal(unmap_at(container, 0x10000, 0x11000, &error), ERROR_PAGE_SIZE);
	assert_says(&error, "IOMMU pages of 0x10000");
	detach(&script, container);
}

static void test_h2_answers_of_a_hypervisor_are_not_tried_again(void **state)
{
	static const struct expectation expectations[] = {ATTACH_TO(&partition, 0),
							  REGISTER_RESULT(0),
							  SETTLE,
							  MAP_FROM(0x4000, 0, PAGE, -EINTR),
							  MAP_FROM(0x4000, 0, PAGE, -EAGAIN),
							  MAP_FROM(0x4000, 0, PAGE, -EBUSY),
							  MAP_FROM(0x4000, 0, PAGE, -EPERM),
							  LEAVE,
							  END};
	static const struct {
		int errnum;
		const char *words;
	} answers[] = {{EINTR, "H_PARAMETER"},
		       {EAGAIN, "H_PERMISSION"},
		       {EBUSY, "H_RESOURCE"},
		       {EPERM, "H_HARDWARE"}};
	struct script script = script_make(expectations);
	struct container *container = ready(&script);
	struct error error;

	(void)state;
	for (unsigned int i = 0; i < 4; i++) {
		assert_int_equal(map_from(&script, container, 0x4000, 0, PAGE, &error),
				 ERROR_KERNEL);
		assert_int_equal(error.errnum, answers[i].errnum);
		assert_says(&error, answers[i].words);
	}
	detach(&script, container);
}

static void test_h3_eperm_means_what_our_books_say(void **state)
{
	static const struct expectation expectations[] = {
		ATTACH,
		REGISTER_RESULT(0),
		SETTLE,
		MAP_FROM(0x4000, 0, PAGE, -EPERM),
		CREATE(SECOND_WINDOW, GIB(4), 1, 0),
		MAP(SECOND_WINDOW + 0x10000, 0x10000, -EPERM),
		LEAVE,
		END};
	struct script script = script_make(expectations);
	struct container *container = attach(&script);
	struct window window;
	struct error error;

	(void)state;
	/* Not enabled: that isn't even asked. */
	assert_int_equal(map_from(&script, container, 0x4000, 0, PAGE, &error),
			 ERROR_MEMORY_UNKNOWN);
	add_memory(container);
	/* Pages of the kernel's size are never too small. */
	assert_int_equal(map_from(&script, container, 0x4000, 0, PAGE, &error), ERROR_KERNEL);
	assert_says(&error, "another process");
	assert_int_equal(create_as(container, 16, GIB(4), 1, &window, &error), 0);
	assert_int_equal(map_at(&script, container, SECOND_WINDOW + 0x10000, 0x10000, &error),
			 ERROR_PAGE_SIZE);
	assert_says(&error, "smaller than the IOMMU page");
	detach(&script, container);
}

/* The container has lost its IOMMU with its last group. */
static void test_h25_einval_of_a_group_that_is_gone(void **state)
{
	static const struct expectation expectations[] = {READY,
							  MAP_FROM(0x4000, 0, PAGE, -EINVAL),
							  STATUS(VIABLE),
							  MAP_FROM(0x4000, 0, PAGE, -EINVAL),
							  GONE,
							  LEAVE,
							  END};
	struct script script = script_make(expectations);
	struct container *container = ready(&script);
	struct error error;

	(void)state;
	assert_int_equal(map_from(&script, container, 0x4000, 0, PAGE, &error), ERROR_PAGE_SIZE);
	assert_int_equal(map_from(&script, container, 0x4000, 0, PAGE, &error), ERROR_NOT_FOUND);
	assert_int_equal(error.errnum, ENODEV);
	detach(&script, container);
}

/* bounds */

/* Whatever the caller believes, nothing reaches past a window that the container has. */
static void test_h5_nothing_goes_past_a_window(void **state)
{
	static const struct expectation expectations[] = {READY, LEAVE, END};
	static const struct {
		uint64_t start;
		uint64_t size;
	} outside[] = {{0x80000000 - PAGE, 2 * PAGE},
		       {0x80000000, PAGE},
		       {0, 0x80000000 + PAGE},
		       {0, -PAGE},
		       {SECOND_WINDOW, PAGE}};
	struct script script = script_make(expectations);
	struct container *container = ready(&script);
	struct error error;

	(void)state;
	for (unsigned int i = 0; i < sizeof(outside) / sizeof(outside[0]); i++) {
		assert_int_equal(
			map_from(&script, container, outside[i].start, 0, outside[i].size, &error),
			ERROR_OUTSIDE_WINDOW);
		assert_int_equal(unmap_at(container, outside[i].start, outside[i].size, &error),
				 ERROR_OUTSIDE_WINDOW);
	}
	detach(&script, container);
}

static void test_h5_a_window_that_is_gone_has_no_bounds(void **state)
{
	static const struct expectation expectations[] = {READY, REMOVE(0), LEAVE, END};
	struct script script = script_make(expectations);
	struct container *container = ready(&script);
	struct error error;

	(void)state;
	assert_int_equal(map_from(&script, container, 0x80000000, 0, PAGE, &error),
			 ERROR_OUTSIDE_WINDOW);
	assert_int_equal(container_window_remove(container, 0, &error), 0);
	assert_int_equal(map_from(&script, container, 0x4000, 0, PAGE, &error),
			 ERROR_OUTSIDE_WINDOW);
	detach(&script, container);
}

/* The kernel says 0 to size 0, and on POWER8 never comes back at a window's start. */
static void test_h6_empty_and_wrapping_ranges_are_not_asked(void **state)
{
	static const struct expectation expectations[] = {READY, LEAVE, END};
	struct script script = script_make(expectations);
	struct container *container = ready(&script);
	struct error error;

	(void)state;
	/* This makes the table. */
	assert_int_equal(map_from(&script, container, 0x80000000, 0, PAGE, &error),
			 ERROR_OUTSIDE_WINDOW);
	assert_int_equal(map_at(&script, container, 0, 0, &error), ERROR_INVALID_ARGUMENT);
	assert_int_equal(map_at(&script, container, 0x4000, 0, &error), ERROR_INVALID_ARGUMENT);
	assert_int_equal(map_at(&script, container, 0x4000, -PAGE, &error), ERROR_INVALID_ARGUMENT);
	assert_int_equal(unmap_at(container, 0, 0, &error), ERROR_INVALID_ARGUMENT);
	assert_int_equal(unmap_at(container, 0x4000, -PAGE, &error), ERROR_INVALID_ARGUMENT);
	detach(&script, container);
}

/* pieces */

static void test_h8_maps_come_in_pieces(void **state)
{
	static const struct expectation expectations[] = {
		READY,
		MAP_FROM(0x4000, 0, 0x10000000, 0),
		MAP_FROM(0x10004000, 0x10000000, 0x10000000, 0),
		MAP_FROM(0x20004000, 0x20000000, 0x5000, 0),
		UNMAP(0x4000, 0x20005000, 0),
		CREATE(SECOND_WINDOW, GIB(16), 1, 0),
		MAP_FROM(SECOND_WINDOW + 0x20000, 0, GIB(4), 0),
		MAP_FROM(SECOND_WINDOW + 0x20000 + GIB(4), GIB(4), 0x10000, 0),
		LEAVE,
		END};
	struct script script = script_make(expectations);
	struct container *container = ready(&script);
	struct window window;
	struct error error;

	(void)state;
	assert_int_equal(map_from(&script, container, 0x4000, 0, 0x20005000, &error), 0);
	assert_int_equal(unmap_at(container, 0x4000, 0x20005000, &error), 0);
	assert_int_equal(create_as(container, 16, GIB(16), 1, &window, &error), 0);
	assert_int_equal(
		map_from(&script, container, SECOND_WINDOW + 0x20000, 0, GIB(4) + 0x10000, &error),
		0);
	detach(&script, container);
}

static bool count_down(void *userdata)
{
	unsigned int *left = userdata;

	return (*left)-- == 0;
}

static void test_h8_a_map_is_cancelled_between_pieces(void **state)
{
	static const struct expectation expectations[] = {
		READY,
		MAP_FROM(0x4000, 0, 0x10000000, 0),
		MAP_FROM(0x10004000, 0x10000000, 0x10000000, 0),
		MAP_FROM(PAGE, PAGE, 0x10000000, 0),
		MAP_FROM(0x4000, 0, PAGE, 0),
		LEAVE,
		END};
	struct script script = script_make(expectations);
	struct container *container = ready(&script);
	struct error error;
	unsigned int left = 1;

	(void)state;
	container->interrupted = count_down;
	container->interrupted_userdata = &left;
	assert_int_equal(map_from(&script, container, 0x4000, 0, 0x30000000, &error), ERROR_BUSY);
	assert_says(&error, "cancelled before [0x20004000, 0x30004000)");
	/* The last piece of all, the first page. */
	left = 0;
	assert_int_equal(map_at(&script, container, 0, 0x10001000, &error), ERROR_BUSY);
	/* There is nothing between to be asked about. */
	left = 0;
	assert_int_equal(map_from(&script, container, 0x4000, 0, PAGE, &error), 0);
	assert_int_equal(left, 0);
	detach(&script, container);
}

/* What a failed MAP leaves is for the caller to unmap; nothing is asked on its behalf. */
static void test_h10_a_failed_piece_ends_the_map(void **state)
{
	static const struct expectation expectations[] = {
		READY,
		MAP_FROM(0x4000, 0, 0x10000000, 0),
		MAP_FROM(0x10004000, 0x10000000, 0x10000000, -ENOMEM),
		UNMAP(0x4000, 0x30000000, 0),
		LEAVE,
		END};
	struct script script = script_make(expectations);
	struct container *container = ready(&script);
	struct error error;

	(void)state;
	assert_int_equal(map_from(&script, container, 0x4000, 0, 0x30000000, &error),
			 ERROR_TABLE_MEMORY);
	assert_says(&error, "[0x4000, 0x30004000)");
	assert_int_equal(unmap_at(container, 0x4000, 0x30000000, &error), 0);
	detach(&script, container);
}

/* A TCE that can't be put in its place stays counted, and its region can't be unregistered. */
static void test_h12_who_keeps_memory(void **state)
{
	static const struct expectation one_level[] = {READY, MAP_FROM(0x4000, 0, PAGE, -ENOMEM),
						       MAP_FROM(0x4000, 0, PAGE, -EPERM), LEAVE,
						       END};
	static const struct expectation two_levels[] = {ATTACH,
							REGISTER_RESULT(0),
							REMOVE(0),
							CREATE_SHIFT(12, 0, GIB(16), 2, 0),
							MAP_FROM(0x4000, 0, PAGE, -EFAULT),
							MAP_FROM(0x4000, 0, PAGE, -ENOMEM),
							MAP_FROM(PAGE, 0, PAGE, -ENOMEM),
							LEAVE,
							END};
	static const struct expectation hypervisor[] = {ATTACH_TO(&partition, 0),
							REGISTER_RESULT(0),
							SETTLE,
							MAP_FROM(0x4000, 0, PAGE, -EINVAL),
							STATUS(VIABLE),
							MAP_FROM(0x4000, 0, PAGE, -EPERM),
							MAP_FROM(0x4000, 0, PAGE, 1),
							LEAVE,
							END};
	struct script script = script_make(one_level);
	struct container *container = ready(&script);
	struct window window;
	struct error error;

	(void)state;
	/* What the kernel answers then, it answers before it counts. */
	assert_true(map_from(&script, container, 0x4000, 0, PAGE, &error) != 0);
	assert_true(map_from(&script, container, 0x4000, 0, PAGE, &error) != 0);
	assert_false(container_kept_memory(container));
	detach(&script, container);
	script = script_make(two_levels);
	container = ready(&script);
	assert_int_equal(container_window_remove(container, 0, &error), 0);
	assert_int_equal(create_as(container, 12, GIB(16), 2, &window, &error), 0);
	assert_true(map_from(&script, container, 0x4000, 0, PAGE, &error) != 0);
	assert_false(container_kept_memory(container));
	assert_true(map_from(&script, container, 0x4000, 0, PAGE, &error) != 0);
	assert_true(container_kept_memory(container));
	assert_false(container_kept_memory(container));
	/* In a rehearsal of the first TCE, too. */
	assert_true(map_at(&script, container, 0, PAGE, &error) != 0);
	assert_true(container_kept_memory(container));
	detach(&script, container);
	script = script_make(hypervisor);
	container = ready(&script);
	assert_true(map_from(&script, container, 0x4000, 0, PAGE, &error) != 0);
	assert_false(container_kept_memory(container));
	for (unsigned int i = 0; i < 2; i++) {
		assert_true(map_from(&script, container, 0x4000, 0, PAGE, &error) != 0);
		assert_true(container_kept_memory(container));
	}
	detach(&script, container);
}

static void test_h15_permissions_are_passed_on(void **state)
{
	struct expectation expectations[] = {READY, MAP_FROM(0x4000, 0, PAGE, 0),
					     MAP_FROM(0x5000, 0, PAGE, 0), LEAVE, END};
	struct script script = script_make(expectations);
	struct container *container;
	struct error error;

	(void)state;
	for (struct expectation *expected = expectations; expected->request; expected++) {
		if (expected->request == VFIO_IOMMU_MAP_DMA) {
			expected->flags = expected->start == 0x4000 ? VFIO_DMA_MAP_FLAG_READ
								    : VFIO_DMA_MAP_FLAG_WRITE;
		}
	}
	container = ready(&script);
	assert_int_equal(container_map(container, NULL, (struct range){0x4000, PAGE},
				       (void *)(uintptr_t)MEMORY, WORKER_PROT_READ, &error),
			 0);
	assert_int_equal(container_map(container, NULL, (struct range){0x5000, PAGE},
				       (void *)(uintptr_t)MEMORY, WORKER_PROT_WRITE, &error),
			 0);
	detach(&script, container);
}

/* Before the first REGISTER the kernel answers EPERM. */
static void test_h22_nothing_is_asked_before_memory_is_registered(void **state)
{
	static const struct expectation expectations[] = {ATTACH, REMOVE(0),
							  CREATE(0, GIB(4), 1, 0), LEAVE, END};
	struct script script = script_make(expectations);
	struct container *container = attach(&script);
	struct window window;
	struct error error;

	(void)state;
	assert_int_equal(map_at(&script, container, 0, PAGE, &error), ERROR_MEMORY_UNKNOWN);
	assert_says(&error, "add memory first");
	assert_int_equal(unmap_at(container, 0, PAGE, &error), 0);
	assert_int_equal(container_window_remove(container, 0, &error), 0);
	assert_int_equal(create_as(container, 16, GIB(4), 1, &window, &error), 0);
	assert_int_equal(map_at(&script, container, 0x10000, 0x10000, &error),
			 ERROR_MEMORY_UNKNOWN);
	assert_int_equal(unmap_at(container, 0x10000, 0x10000, &error), 0);
	detach(&script, container);
}

/* Nothing is known to be there, so nothing is asked. */
static void test_unmap_while_pending(void **state)
{
	static const struct expectation expectations[] = {ATTACH, REGISTER_RESULT(0),
							  UNMAP(0, 0x1000, -ENOMEM), LEAVE, END};
	struct script script = script_make(expectations);
	struct container *container = ready(&script);
	struct error error;

	(void)state;
	assert_int_equal(map_at(&script, container, 0, 0x1000, &error), ERROR_TABLE_MEMORY);
	assert_int_equal(unmap_at(container, 0, 0x1000, &error), 0);
	/* H29 holds for this window, too. */
	assert_int_equal(container_locked_bytes(container), 0x800000);
	assert_int_equal(container_leaked_bytes(container), 0x800000);
	assert_int_equal(container_pending_bytes(container), 0x800000);
	detach(&script, container);
}

/* the first TCE of a window */

/* If this failed at its first page, a POWER8 would never come back: by then it can't. */
static void test_power8_first_entry_goes_last(void **state)
{
	static const struct expectation expectations[] = {READY,
							  MAP(PAGE, 0x10000000, 0),
							  MAP(0x10001000, 0x4000, 0),
							  MAP(0, PAGE, 0),
							  UNMAP(0, 0x10005000, 0),
							  MAP(PAGE, PAGE, 0),
							  MAP(0, PAGE, 0),
							  LEAVE,
							  END};
	struct script script = script_make(expectations);
	struct container *container = ready(&script);
	struct error error;

	(void)state;
	assert_int_equal(map_at(&script, container, 0, 0x10005000, &error), 0);
	assert_int_equal(unmap_at(container, 0, 0x10005000, &error), 0);
	assert_int_equal(map_at(&script, container, 0, 2 * PAGE, &error), 0);
	detach(&script, container);
}

static void test_power8_first_entry_is_not_asked_after_a_failure(void **state)
{
	static const struct expectation expectations[] = {READY,
							  MAP(PAGE, 0x10000000, 0),
							  MAP(0x10001000, 0x4000, -EINVAL),
							  STATUS(VIABLE),
							  MAP(PAGE, PAGE, -EPERM),
							  LEAVE,
							  END};
	struct script script = script_make(expectations);
	struct container *container = ready(&script);
	struct error error;

	(void)state;
	assert_int_equal(map_at(&script, container, 0, 0x10005000, &error), ERROR_PAGE_SIZE);
	assert_int_equal(map_at(&script, container, 0, 2 * PAGE, &error), ERROR_KERNEL);
	detach(&script, container);
}

/* With one level and pages of the kernel's size nothing can fail. */
static void test_power8_first_entry_alone_in_one_level(void **state)
{
	static const struct expectation expectations[] = {READY, MAP(0, PAGE, 0), LEAVE, END};
	struct script script = script_make(expectations);
	struct container *container = ready(&script);
	struct error error;

	(void)state;
	assert_int_equal(map_at(&script, container, 0, PAGE, &error), 0);
	detach(&script, container);
}

/* A container whose only window begins at 0. */
#define ONLY(shift, bytes, level) \
	ATTACH, REGISTER_RESULT(0), REMOVE(0), CREATE_SHIFT(shift, 0, bytes, level, 0)

static struct container *only(struct script *script, uint32_t page_shift, uint64_t size,
			      uint32_t levels)
{
	struct container *container = ready(script);
	struct window window;
	struct error error;

	assert_int_equal(container_window_remove(container, 0, &error), 0);
	assert_int_equal(create_as(container, page_shift, size, levels, &window, &error), 0);
	return container;
}

/* With several levels its node may have to be made: elsewhere, where that can fail. Once it is
 * there, it stays. */
static void test_power8_first_entry_is_rehearsed_in_many_levels(void **state)
{
	static const struct expectation expectations[] = {ONLY(12, GIB(16), 2),
							  MAP_FROM(PAGE, 0, PAGE, 0),
							  UNMAP(PAGE, PAGE, 0),
							  MAP(0, PAGE, 0),
							  UNMAP(0, PAGE, 0),
							  MAP(0, PAGE, 0),
							  LEAVE,
							  END};
	struct script script = script_make(expectations);
	struct container *container = only(&script, 12, GIB(16), 2);
	struct error error;

	(void)state;
	assert_int_equal(map_at(&script, container, 0, PAGE, &error), 0);
	assert_int_equal(unmap_at(container, 0, PAGE, &error), 0);
	assert_int_equal(map_at(&script, container, 0, PAGE, &error), 0);
	detach(&script, container);
}

static void test_power8_first_entry_is_proven_by_the_second(void **state)
{
	static const struct expectation expectations[] = {ONLY(12, GIB(16), 2), MAP(PAGE, PAGE, 0),
							  MAP(0, PAGE, 0), LEAVE, END};
	struct script script = script_make(expectations);
	struct container *container = only(&script, 12, GIB(16), 2);
	struct error error;

	(void)state;
	/* Which must not be mapped over. */
	assert_int_equal(map_at(&script, container, PAGE, PAGE, &error), 0);
	assert_int_equal(map_at(&script, container, 0, PAGE, &error), 0);
	detach(&script, container);
}

/* What the node of a window was is of no use for the next one in its place. */
static void test_power8_first_entry_of_a_new_window(void **state)
{
	static const struct expectation expectations[] = {ONLY(12, GIB(16), 2),
							  MAP(PAGE, PAGE, 0),
							  UNMAP(PAGE, PAGE, 0),
							  REMOVE(0),
							  CREATE_SHIFT(12, 0, GIB(16), 2, 0),
							  MAP_FROM(PAGE, 0, PAGE, 0),
							  UNMAP(PAGE, PAGE, 0),
							  MAP(0, PAGE, 0),
							  LEAVE,
							  END};
	struct script script = script_make(expectations);
	struct container *container = only(&script, 12, GIB(16), 2);
	struct window window;
	struct error error;

	(void)state;
	assert_int_equal(map_at(&script, container, PAGE, PAGE, &error), 0);
	assert_int_equal(unmap_at(container, PAGE, PAGE, &error), 0);
	assert_int_equal(container_window_remove(container, 0, &error), 0);
	assert_int_equal(create_as(container, 12, GIB(16), 2, &window, &error), 0);
	assert_int_equal(map_at(&script, container, 0, PAGE, &error), 0);
	detach(&script, container);
}

/* Pages that are larger than the kernel's are tried out first, each time. */
static void test_power8_first_entry_of_large_pages(void **state)
{
	static const struct expectation expectations[] = {ONLY(16, GIB(4), 1),
							  MAP_FROM(0x10000, 0, 0x10000, 0),
							  UNMAP(0x10000, 0x10000, 0),
							  MAP(0, 0x10000, 0),
							  UNMAP(0, 0x10000, 0),
							  MAP_FROM(0x10000, 0, 0x10000, -EINVAL),
							  STATUS(VIABLE),
							  MAP_FROM(0x10000, 0, 0x10000, 0),
							  UNMAP(0x10000, 0x10000, 0),
							  MAP(0, 0x10000, 0),
							  LEAVE,
							  END};
	struct script script = script_make(expectations);
	struct container *container = only(&script, 16, GIB(4), 1);
	struct error error;

	(void)state;
	assert_int_equal(map_at(&script, container, 0, 0x10000, &error), 0);
	assert_int_equal(unmap_at(container, 0, 0x10000, &error), 0);
	/* It would have failed: then the first TCE is let alone, and the second is free again. */
	assert_int_equal(map_at(&script, container, 0, 0x10000, &error), ERROR_PAGE_SIZE);
	assert_int_equal(map_at(&script, container, 0, 0x10000, &error), 0);
	detach(&script, container);
}

/* A second page that is mapped must not be mapped over, be it only for a moment. */
static void test_power8_first_entry_beside_a_large_page(void **state)
{
	static const struct expectation expectations[] = {
		ONLY(16, GIB(4), 1), MAP(0x10000, 0x20000, 0), MAP(0, 0x10000, 0), LEAVE, END};
	struct script script = script_make(expectations);
	struct container *container = only(&script, 16, GIB(4), 1);
	struct error error;

	(void)state;
	assert_int_equal(map_at(&script, container, 0x10000, 0x20000, &error), 0);
	assert_int_equal(map_at(&script, container, 0, 0x10000, &error), 0);
	detach(&script, container);
}

/* Nothing can be tried outside of a window; a hypervisor's is the only one that is so small. */
static void test_h5_a_window_of_one_tce(void **state)
{
	static const struct expectation expectations[] = {
		ATTACH_TO(&partition, 0),
		REGISTER_RESULT(0),
		REMOVE(0),
		CREATE_SHIFT(24, SECOND_WINDOW, 0x1000000, 1, 0),
		MAP(SECOND_WINDOW, 0x1000000, 0),
		LEAVE,
		END};
	struct script script = script_make(expectations);
	struct container *container = ready(&script);
	struct window window;
	struct error error;

	(void)state;
	assert_int_equal(container_window_remove(container, 0, &error), 0);
	assert_int_equal(create_as(container, 24, 0x1000000, 1, &window, &error), 0);
	assert_int_equal(map_at(&script, container, SECOND_WINDOW, 0x1000000, &error), 0);
	detach(&script, container);
}

/* A rehearsal that stays is taken back before anything else, and then the map's own range. */
static void test_power8_first_entry_rehearsal_is_taken_back(void **state)
{
	static const struct expectation expectations[] = {ONLY(16, GIB(4), 1),
							  MAP_FROM(0x10000, 0, 0x10000, 0),
							  UNMAP(0x10000, 0x10000, -EIO),
							  UNMAP(0x10000, 0x10000, -EIO),
							  UNMAP(0x10000, 0x10000, 0),
							  UNMAP(0, 0x10000, 0),
							  UNMAP(0x20000, 0x10000, 0),
							  LEAVE,
							  END};
	struct script script = script_make(expectations);
	struct container *container = only(&script, 16, GIB(4), 1);
	struct error error;

	(void)state;
	assert_int_equal(map_at(&script, container, 0, 0x10000, &error), ERROR_KERNEL);
	assert_says(&error, "rehearsal at [0x10000, 0x20000)");
	assert_int_equal(unmap_at(container, 0, 0x10000, &error), ERROR_KERNEL);
	assert_int_equal(unmap_at(container, 0, 0x10000, &error), 0);
	assert_int_equal(unmap_at(container, 0x20000, 0x10000, &error), 0);
	detach(&script, container);
}

/* What has been mapped over a rehearsal that stayed isn't a rehearsal any more. */
static void test_power8_first_entry_rehearsal_is_mapped_over(void **state)
{
	static const struct expectation expectations[] = {ONLY(16, GIB(4), 1),
							  MAP_FROM(0x10000, 0, 0x10000, 0),
							  UNMAP(0x10000, 0x10000, -EIO),
							  MAP(0x10000, 0x10000, 0),
							  UNMAP(0, 0x10000, 0),
							  LEAVE,
							  END};
	struct script script = script_make(expectations);
	struct container *container = only(&script, 16, GIB(4), 1);
	struct error error;

	(void)state;
	assert_int_equal(map_at(&script, container, 0, 0x10000, &error), ERROR_KERNEL);
	assert_int_equal(map_at(&script, container, 0x10000, 0x10000, &error), 0);
	assert_int_equal(unmap_at(container, 0, 0x10000, &error), 0);
	detach(&script, container);
}

/* Neither is the node known to be there, nor is the second TCE free to find out. */
static void test_power8_first_entry_that_cannot_be_proven(void **state)
{
	static const struct expectation expectations[] = {ONLY(12, GIB(16), 2),
							  MAP(PAGE, PAGE, -ENOMEM),
							  UNMAP(PAGE, PAGE, -EIO), LEAVE, END};
	struct script script = script_make(expectations);
	struct container *container = only(&script, 12, GIB(16), 2);
	struct error error;

	(void)state;
	assert_int_equal(map_at(&script, container, PAGE, PAGE, &error), ERROR_TABLE_MEMORY);
	assert_int_equal(unmap_at(container, PAGE, PAGE, &error), ERROR_KERNEL);
	assert_int_equal(map_at(&script, container, 0, PAGE, &error), ERROR_BUSY);
	detach(&script, container);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_h1_positive_results_are_failures),
		cmocka_unit_test(test_h1_misaligned_ranges_are_not_asked),
		cmocka_unit_test(test_h2_answers_of_a_hypervisor_are_not_tried_again),
		cmocka_unit_test(test_h3_eperm_means_what_our_books_say),
		cmocka_unit_test(test_h25_einval_of_a_group_that_is_gone),
		cmocka_unit_test(test_h5_nothing_goes_past_a_window),
		cmocka_unit_test(test_h5_a_window_that_is_gone_has_no_bounds),
		cmocka_unit_test(test_h6_empty_and_wrapping_ranges_are_not_asked),
		cmocka_unit_test(test_h8_maps_come_in_pieces),
		cmocka_unit_test(test_h8_a_map_is_cancelled_between_pieces),
		cmocka_unit_test(test_h10_a_failed_piece_ends_the_map),
		cmocka_unit_test(test_h12_who_keeps_memory),
		cmocka_unit_test(test_h15_permissions_are_passed_on),
		cmocka_unit_test(test_h22_nothing_is_asked_before_memory_is_registered),
		cmocka_unit_test(test_unmap_while_pending),
		cmocka_unit_test(test_power8_first_entry_goes_last),
		cmocka_unit_test(test_power8_first_entry_is_not_asked_after_a_failure),
		cmocka_unit_test(test_power8_first_entry_alone_in_one_level),
		cmocka_unit_test(test_power8_first_entry_is_rehearsed_in_many_levels),
		cmocka_unit_test(test_power8_first_entry_is_proven_by_the_second),
		cmocka_unit_test(test_power8_first_entry_of_a_new_window),
		cmocka_unit_test(test_power8_first_entry_of_large_pages),
		cmocka_unit_test(test_power8_first_entry_beside_a_large_page),
		cmocka_unit_test(test_h5_a_window_of_one_tce),
		cmocka_unit_test(test_power8_first_entry_rehearsal_is_taken_back),
		cmocka_unit_test(test_power8_first_entry_rehearsal_is_mapped_over),
		cmocka_unit_test(test_power8_first_entry_that_cannot_be_proven),
	};

	return cmocka_run_group_tests_name("tce-map", tests, NULL, NULL);
}
