/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The entries of type1 containers, ioctl by ioctl. */
#include "type1_script.h"

static void refuse(const struct expectation *expectations, enum error_code code, const char *text)
{
	struct script script = script_make(expectations);
	struct container *container = NULL;
	struct error error = {.text = ""};

	assert_int_equal(container_open(&script.kernel, kinds, &opening, &container, &error), code);
	check_text(&error, text);
	assert_null(container);
	assert_int_equal(script.next->request, 0);
	assert_int_equal(script.closed, 2);
}

/* attach */

static void test_attach(void **state)
{
	static const struct expectation expectations[] = {ATTACH, LEAVE, END};
	struct script script = script_make(expectations);
	struct container *container = attach(&script);
	const struct container_capabilities *capabilities = &container->capabilities;

	(void)state;
	assert_string_equal(capabilities->iommu_type, "type1v2");
	assert_int_equal(capabilities->page_sizes, 0x40201000);
	assert_int_equal(capabilities->default_window_count, 2);
	assert_int_equal(capabilities->default_windows[0].range.start, 0);
	assert_int_equal(capabilities->default_windows[0].range.size, 0xfee00000);
	assert_int_equal(capabilities->default_windows[0].page_shift, 12);
	assert_int_equal(capabilities->default_windows[0].levels, 1);
	assert_int_equal(capabilities->default_windows[1].range.start, HIGH);
	assert_int_equal(range_last(capabilities->default_windows[1].range), GIB(1024) - 1);
	assert_int_equal(capabilities->max_windows, WORKER_WINDOWS_MAX);
	assert_int_equal(capabilities->max_levels, 1);
	assert_int_equal(capabilities->pinning, CONTAINER_PINS_MAPPINGS);
	assert_true(capabilities->windows_are_books);
	assert_false(capabilities->eeh || capabilities->one_group || capabilities->leaving_clears ||
		     capabilities->default_window_is_precious);
	assert_int_equal(container_locked_bytes(container), 0);
	assert_int_equal(container_pending_bytes(container), 0);
	assert_int_equal(container_leaked_bytes(container), 0);
	assert_int_equal(container_start_bytes(container), 0);
	assert_int_equal(container_maps_left(container), 100);
	detach(&script, container);
}

/* A kernel that refuses v2 is asked for v1. */
static void test_v1_after_v2(void **state)
{
	static const struct expectation expectations[] = {ATTACH_BEGIN,
							  EXTENSION(VFIO_TYPE1v2_IOMMU, 1),
							  EXTENSION(VFIO_TYPE1_IOMMU, 1),
							  STATUS(VIABLE),
							  JOIN(0),
							  TYPE(VFIO_TYPE1v2_IOMMU, -EINVAL),
							  TYPE(VFIO_TYPE1_IOMMU, 0),
							  INFO(0xfedfffff, 0x1000, 1),
							  LEAVE,
							  END};
	struct script script = script_make(expectations);
	struct container *container = attach(&script);

	(void)state;
	assert_string_equal(container->capabilities.iommu_type, "type1");
	detach(&script, container);
}

#define BEGIN ATTACH_BEGIN, EXTENSION(VFIO_TYPE1v2_IOMMU, 1), EXTENSION(VFIO_TYPE1_IOMMU, 0)

static void test_attach_refused(void **state)
{
	static const struct expectation no_extension[] = {ATTACH_BEGIN,
							  EXTENSION(VFIO_TYPE1v2_IOMMU, 0),
							  EXTENSION(VFIO_TYPE1_IOMMU, 0), END};
	static const struct expectation interrupts[] = {
		BEGIN, STATUS(VIABLE), JOIN(0), TYPE(VFIO_TYPE1v2_IOMMU, -EPERM), LEAVE, END};
	static const struct expectation no_info[] = {
		BEGIN,
		STATUS(VIABLE),
		JOIN(0),
		TYPE(VFIO_TYPE1v2_IOMMU, 0),
		{.request = VFIO_IOMMU_GET_INFO, .result = -EIO},
		LEAVE,
		END};

	(void)state;
	refuse(no_extension, ERROR_UNSUPPORTED, "no IOMMU of a known kind");
	refuse(interrupts, ERROR_UNSUPPORTED, "allow_unsafe_interrupts");
	refuse(no_info, ERROR_KERNEL, "EIO");
}

/* Somebody else owns the group's DMA (iommu_group_claim_dma_owner). */
static void test_h56_claimed_groups_are_refused(void **state)
{
	static const struct expectation owned[] = {BEGIN, STATUS(VIABLE), JOIN(-EPERM), END};
	static const struct expectation busy[] = {BEGIN, STATUS(VIABLE), JOIN(-EBUSY), END};
	static const struct expectation attached[] = {
		BEGIN, STATUS(VIABLE | VFIO_GROUP_FLAGS_CONTAINER_SET), END};

	(void)state;
	refuse(owned, ERROR_GROUP_BUSY, "another owner holds the group's DMA");
	refuse(busy, ERROR_GROUP_BUSY, "a driver or another container uses the group");
	/* The claim isn't even tried. */
	refuse(attached, ERROR_GROUP_BUSY, "group 5 belongs to a container already");
}

/* map and unmap */

static void test_map_and_unmap(void **state)
{
	static const struct expectation expectations[] = {
		ATTACH,
		MAP(0x1000, 0x40000000, 0),
		MAP_PROT(HIGH, PAGE, MEMORY, VFIO_DMA_MAP_FLAG_READ, 0),
		MAP_PROT(HIGH + PAGE, PAGE, MEMORY, VFIO_DMA_MAP_FLAG_WRITE, 0),
		UNMAP(0x1000, 0x40000000),
		UNMAP_TELLS(HIGH, 0x3000, 0, 0x2000),
		LEAVE,
		END};
	struct script script = script_make(expectations);
	struct container *container = attach(&script);
	const struct window *high = &container->capabilities.default_windows[1];
	struct error error;

	(void)state;
	/* One call, and one entry, whatever its size. */
	assert_int_equal(map(container, 0x1000, 0x40000000, &error), 0);
	assert_int_equal(container_maps_left(container), 99);
	assert_int_equal(container_map(container, high, (struct range){HIGH, PAGE},
				       (void *)(uintptr_t)MEMORY, WORKER_PROT_READ, &error),
			 0);
	assert_int_equal(container_map(container, high, (struct range){HIGH + PAGE, PAGE},
				       (void *)(uintptr_t)MEMORY, WORKER_PROT_WRITE, &error),
			 0);
	assert_int_equal(container_maps_left(container), 97);
	assert_int_equal(unmap(container, 0x1000, 0x40000000, &error), 0);
	/* Several at once, and a hole behind them. */
	assert_int_equal(unmap(container, HIGH, 0x3000, &error), 0);
	assert_int_equal(container_maps_left(container), 100);
	detach(&script, container);
}

static void refuse_map(struct container *container, enum error_code code, const char *text)
{
	struct error error = {.text = ""};

	assert_int_equal(map(container, 0, PAGE, &error), code);
	check_text(&error, text);
	check_text(&error, "map [0x0, 0x1000)");
	assert_int_equal(container_maps_left(container), 100);
}

static void test_map_refused(void **state)
{
	static const struct expectation expectations[] = {ATTACH,
							  MAP(0, PAGE, -ENOMEM),
							  MAP(0, PAGE, -EFAULT),
							  MAP(0, PAGE, -EINVAL),
							  STATUS(VIABLE),
							  MAP(0, PAGE, -EINVAL),
							  GONE,
							  MAP(0, PAGE, 1),
							  MAP(0, PAGE, 0),
							  LEAVE,
							  END};
	struct script script = script_make(expectations);
	struct container *container = attach(&script);
	struct error error;

	(void)state;
	refuse_map(container, ERROR_QUOTA_EXCEEDED, "RLIMIT_MEMLOCK");
	refuse_map(container, ERROR_KERNEL, "can't be pinned");
	refuse_map(container, ERROR_OUTSIDE_WINDOW, "doesn't translate");
	/* The same errno, when the container has lost its IOMMU with its last group. */
	refuse_map(container, ERROR_NOT_FOUND, "the devices of group 5 are gone");
	refuse_map(container, ERROR_KERNEL, "positive result 1");
	assert_int_equal(map(container, 0, PAGE, &error), 0);
	detach(&script, container);
}

static void test_h55_overlap_is_an_error(void **state)
{
	static const struct expectation expectations[] = {ATTACH, MAP(0, PAGE, -EEXIST), LEAVE,
							  END};
	struct script script = script_make(expectations);
	struct container *container = attach(&script);

	(void)state;
	refuse_map(container, ERROR_ALREADY_MAPPED, "the kernel has a mapping there");
	detach(&script, container);
}

static void test_h55_entries_are_counted(void **state)
{
	static const struct expectation expectations[] = {ATTACH_WITH(2),
							  MAP(0, PAGE, 0),
							  MAP(0x2000, PAGE, 0),
							  MAP(0x4000, PAGE, -ENOSPC),
							  UNMAP(0, PAGE),
							  LEAVE,
							  END};
	struct script script = script_make(expectations);
	struct container *container = attach(&script);
	struct error error;

	(void)state;
	assert_int_equal(container_maps_left(container), 2);
	assert_int_equal(map(container, 0, PAGE, &error), 0);
	assert_int_equal(map(container, 0x2000, PAGE, &error), 0);
	assert_int_equal(container_maps_left(container), 0);
	assert_int_equal(map(container, 0x4000, PAGE, &error), ERROR_QUOTA_EXCEEDED);
	check_text(&error, "dma_entry_limit");
	assert_int_equal(unmap(container, 0, PAGE, &error), 0);
	assert_int_equal(container_maps_left(container), 1);
	detach(&script, container);
}

/* v2 would answer EINVAL, and v1 would leave it and call it a success: neither is asked. */
static void test_h55_part_of_an_entry_is_refused(void **state)
{
	static const struct expectation expectations[] = {
		ATTACH, MAP(0x4000, 0x4000, 0), MAP(0x8000, PAGE, 0), UNMAP(0x4000, 0x5000), LEAVE,
		END};
	static const struct range parts[] = {{0x4000, PAGE},   {0x5000, PAGE},   {0x7000, PAGE},
					     {0x3000, 0x2000}, {0x6000, 0x3000}, {0, 0x5000}};
	struct script script = script_make(expectations);
	struct container *container = attach(&script);
	struct error error;

	(void)state;
	assert_int_equal(map(container, 0x4000, 0x4000, &error), 0);
	assert_int_equal(map(container, 0x8000, PAGE, &error), 0);
	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
		assert_int_equal(container_check_unmap(container, parts[i], &error), ERROR_BUSY);
		check_text(&error, "cuts [0x4000, 0x8000)");
		assert_int_equal(container_unmap(container, parts[i], &error), ERROR_BUSY);
	}
	assert_int_equal(container_check_unmap(container, (struct range){0x3000, 0x7000}, &error),
			 0);
	assert_int_equal(container_check_unmap(container, (struct range){0x9000, PAGE}, &error), 0);
	assert_int_equal(unmap(container, 0x4000, 0x5000, &error), 0);
	detach(&script, container);
}

/* A success that has unmapped nothing is a failure, and what it left is still known. */
static void test_h55_unmapped_size_is_checked(void **state)
{
	static const struct expectation expectations[] = {ATTACH,
							  MAP(0, 0x4000, 0),
							  UNMAP_TELLS(0, 0x4000, 0, 0),
							  UNMAP_TELLS(0, 0x4000, 1, 0),
							  UNMAP_TELLS(0, 0x4000, -EIO, 0),
							  UNMAP_TELLS(0x8000, PAGE, 0, 0),
							  UNMAP_TELLS(0x8000, PAGE, 0, PAGE),
							  LEAVE,
							  END};
	struct script script = script_make(expectations);
	struct container *container = attach(&script);
	struct error error;

	(void)state;
	assert_int_equal(map(container, 0, 0x4000, &error), 0);
	assert_int_equal(unmap(container, 0, 0x4000, &error), ERROR_KERNEL);
	check_text(&error, "0x0 of 0x4000 bytes");
	assert_int_equal(unmap(container, 0, 0x4000, &error), ERROR_KERNEL);
	check_text(&error, "positive result 1");
	assert_int_equal(unmap(container, 0, 0x4000, &error), ERROR_KERNEL);
	check_text(&error, "EIO");
	assert_int_equal(container_maps_left(container), 99);
	/* It is there: nothing to be asked for. */
	assert_int_equal(map(container, 0, 0x4000, &error), 0);
	/* A hole, and what a failed map has left without our knowing. */
	assert_int_equal(unmap(container, 0x8000, PAGE, &error), 0);
	assert_int_equal(unmap(container, 0x8000, PAGE, &error), 0);
	detach(&script, container);
}

/* When some of a range has gone, and nobody knows which, all of it goes. */
static void test_h55_partly_unmapped_ranges_are_cleared(void **state)
{
	static const struct expectation expectations[] = {ATTACH,
							  MAP(0, PAGE, 0),
							  MAP(PAGE, PAGE, 0),
							  UNMAP_TELLS(0, 0x2000, 0, PAGE),
							  UNMAP_TELLS(0, PAGE, 0, 0),
							  UNMAP(PAGE, PAGE),
							  MAP(0, PAGE, 0),
							  MAP(PAGE, PAGE, 0),
							  UNMAP_TELLS(0, 0x2000, 0, PAGE),
							  UNMAP_TELLS(0, PAGE, 0, 0),
							  UNMAP_TELLS(PAGE, PAGE, -EIO, 0),
							  MAP(0, PAGE, 0),
							  UNMAP_TELLS(0, 0x2000, 0, PAGE),
							  UNMAP_TELLS(0, PAGE, 0, 0),
							  UNMAP_TELLS(PAGE, PAGE, 0, 0),
							  LEAVE,
							  END};
	struct script script = script_make(expectations);
	struct container *container = attach(&script);
	struct error error;

	(void)state;
	assert_int_equal(map(container, 0, PAGE, &error), 0);
	assert_int_equal(map(container, PAGE, PAGE, &error), 0);
	assert_int_equal(unmap(container, 0, 0x2000, &error), 0);
	assert_int_equal(container_maps_left(container), 100);
	/* What is known to be gone is mapped again by a replay, and the rest isn't. */
	assert_int_equal(map(container, 0, PAGE, &error), 0);
	assert_int_equal(map(container, PAGE, PAGE, &error), 0);
	assert_int_equal(unmap(container, 0, 0x2000, &error), ERROR_KERNEL);
	assert_int_equal(container_maps_left(container), 99);
	assert_int_equal(map(container, 0, 0x2000, &error), 0);
	assert_int_equal(unmap(container, 0, 0x2000, &error), ERROR_KERNEL);
	check_text(&error, "0x1000 of 0x2000 bytes");
	assert_int_equal(container_maps_left(container), 100);
	detach(&script, container);
}

/* As QEMU does it for the VGA ROM. */
static void test_busy_is_unmapped_and_tried_again(void **state)
{
	static const struct expectation expectations[] = {ATTACH,
							  MAP(0, PAGE, -EBUSY),
							  UNMAP_TELLS(0, PAGE, 0, 0),
							  MAP(0, PAGE, 0),
							  MAP(PAGE, PAGE, -EBUSY),
							  UNMAP_TELLS(PAGE, PAGE, -EINVAL, 0),
							  MAP(PAGE, PAGE, -EBUSY),
							  LEAVE,
							  END};
	struct script script = script_make(expectations);
	struct container *container = attach(&script);
	struct error error;

	(void)state;
	assert_int_equal(map(container, 0, PAGE, &error), 0);
	assert_int_equal(map(container, PAGE, PAGE, &error), ERROR_KERNEL);
	check_text(&error, "EBUSY");
	assert_int_equal(container_maps_left(container), 99);
	detach(&script, container);
}

/* replays */

static void test_what_is_there_is_not_mapped_again(void **state)
{
	static const struct expectation expectations[] = {ATTACH,
							  MAP(0x4000, 0x4000, 0),
							  MAP(0x2000, 0x2000, 0),
							  MAP(0x8000, 0x1000, 0),
							  LEAVE,
							  END};
	struct script script = script_make(expectations);
	struct container *container = attach(&script);
	struct error error;

	(void)state;
	assert_int_equal(map(container, 0x4000, 0x4000, &error), 0);
	assert_int_equal(map(container, 0x4000, 0x4000, &error), 0);
	/* A part, as when mappings are replayed that were made as one. */
	assert_int_equal(map(container, 0x5000, PAGE, &error), 0);
	assert_int_equal(map(container, 0x7000, PAGE, &error), 0);
	/* What is missing before and behind. */
	assert_int_equal(map(container, 0x2000, 0x7000, &error), 0);
	assert_int_equal(container_maps_left(container), 97);
	assert_int_equal(map(container, 0x2000, 0x7000, &error), 0);
	detach(&script, container);
}

/* What a failed unmap has left gives way to what takes its place in the address space. */
static void test_others_are_replaced(void **state)
{
	static const struct expectation expectations[] = {
		ATTACH,
		MAP(0, PAGE, 0),
		MAP(PAGE, PAGE, 0),
		UNMAP(0, PAGE),
		UNMAP(PAGE, PAGE),
		MAP_PROT(0, 0x2000, 2 * MEMORY, READ_WRITE, 0),
		UNMAP(0, 0x2000),
		MAP_PROT(0, 0x2000, 2 * MEMORY, WORKER_PROT_READ, 0),
		UNMAP_TELLS(0, 0x2000, -EIO, 0),
		LEAVE,
		END};
	struct script script = script_make(expectations);
	struct container *container = attach(&script);
	const struct window *window = &container->capabilities.default_windows[0];
	struct error error;

	(void)state;
	assert_int_equal(map(container, 0, PAGE, &error), 0);
	assert_int_equal(map(container, PAGE, PAGE, &error), 0);
	assert_int_equal(map_at(container, 0, 0x2000, 2 * MEMORY, &error), 0);
	/* The same memory, but fewer rights. */
	assert_int_equal(container_map(container, window, (struct range){0, 0x2000},
				       (void *)(uintptr_t)(2 * MEMORY), WORKER_PROT_READ, &error),
			 0);
	assert_int_equal(container_maps_left(container), 99);
	/* Not if there is more to it, or if it won't go. */
	assert_int_equal(map_at(container, PAGE, PAGE, MEMORY, &error), ERROR_BUSY);
	check_text(&error, "[0x0, 0x2000)");
	assert_int_equal(map_at(container, 0, 0x3000, MEMORY, &error), ERROR_KERNEL);
	assert_int_equal(container_maps_left(container), 99);
	detach(&script, container);
}

/* With the last group the IOMMU has gone, and all that was mapped. */
static void test_unmap_without_groups(void **state)
{
	static const struct expectation expectations[] = {ATTACH,
							  MAP(0, PAGE, 0),
							  UNMAP_TELLS(0, PAGE, -EINVAL, 0),
							  STATUS(VIABLE),
							  UNMAP_TELLS(0, PAGE, -EINVAL, 0),
							  GONE,
							  LEAVE,
							  END};
	struct script script = script_make(expectations);
	struct container *container = attach(&script);
	struct error error;

	(void)state;
	assert_int_equal(map(container, 0, PAGE, &error), 0);
	assert_int_equal(unmap(container, 0, PAGE, &error), ERROR_KERNEL);
	assert_int_equal(container_maps_left(container), 99);
	assert_int_equal(unmap(container, 0, PAGE, &error), 0);
	assert_int_equal(container_maps_left(container), 100);
	detach(&script, container);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_attach),
		cmocka_unit_test(test_v1_after_v2),
		cmocka_unit_test(test_attach_refused),
		cmocka_unit_test(test_h56_claimed_groups_are_refused),
		cmocka_unit_test(test_map_and_unmap),
		cmocka_unit_test(test_map_refused),
		cmocka_unit_test(test_h55_overlap_is_an_error),
		cmocka_unit_test(test_h55_entries_are_counted),
		cmocka_unit_test(test_h55_part_of_an_entry_is_refused),
		cmocka_unit_test(test_h55_unmapped_size_is_checked),
		cmocka_unit_test(test_h55_partly_unmapped_ranges_are_cleared),
		cmocka_unit_test(test_busy_is_unmapped_and_tried_again),
		cmocka_unit_test(test_what_is_there_is_not_mapped_again),
		cmocka_unit_test(test_others_are_replaced),
		cmocka_unit_test(test_unmap_without_groups),
	};

	return cmocka_run_group_tests_name("type1", tests, NULL, NULL);
}
