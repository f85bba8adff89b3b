/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The TCE v2 container: attaching, memory and windows. */
#include "tce_script.h"

static const struct window_limits no_limits;
static const struct memory_outlook no_memory;

static void test_attach(void **state)
{
	static const struct expectation expectations[] = {ATTACH, LEAVE, END};
	struct script script = script_make(expectations);
	struct container *container = attach(&script);

	(void)state;
	assert_string_equal(container->capabilities.iommu_type, "spapr-tce-v2");
	assert_int_equal(container->capabilities.default_window_count, 1);
	assert_int_equal(container->capabilities.default_windows[0].range.size, 0x80000000);
	assert_int_equal(container->capabilities.page_sizes, 0x40211000);
	assert_int_equal(container->capabilities.max_windows, 2);
	assert_int_equal(container->capabilities.max_levels, 5);
	assert_int_equal(container->capabilities.pinning, CONTAINER_PINS_SECTIONS);
	assert_true(container->capabilities.eeh);
	assert_true(container->capabilities.leaving_clears);
	assert_false(container->capabilities.one_group);
	assert_false(container->capabilities.default_window_is_precious);
	assert_int_equal(container_start_bytes(container), 0);
	assert_int_equal(container_locked_bytes(container), 0);
	assert_int_equal(container_pending_bytes(container), 0x800000);
	detach(&script, container);
}

/* In an LPAR a window can't be set for a second group, nor the default one be had back for sure. */
static void test_h34_a_partition_has_one_group(void **state)
{
	static const struct expectation expectations[] = {ATTACH_TO(&partition, 0), LEAVE, END};
	struct script script = script_make(expectations);
	struct container *container = attach(&script);

	(void)state;
	assert_true(container->capabilities.one_group);
	assert_true(container->capabilities.default_window_is_precious);
	assert_false(container->capabilities.eeh);
	assert_int_equal(container_pending_bytes(container), 0x200000);
	detach(&script, container);
}

/* Hosts that can't have more windows say so in more than one way. */
static void test_h38_no_dynamic_windows(void **state)
{
	static const struct vfio_iommu_spapr_tce_info hosts[] = {
		{.dma32_window_size = 0x80000000},
		{.dma32_window_size = 0x80000000,
		 .ddw = {.pgsizes = 0x11000, .max_dynamic_windows_supported = 2, .levels = 1}},
		{.flags = VFIO_IOMMU_SPAPR_INFO_DDW,
		 .dma32_window_size = 0x80000000,
		 .ddw = {.pgsizes = 0x11000,
			 .max_dynamic_windows_supported = UINT32_MAX,
			 .levels = 1}},
	};

	(void)state;
	for (unsigned int i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
		const struct expectation expectations[] = {ATTACH_TO(&hosts[i], 0), LEAVE, END};
		struct window_choice choices[WORKER_CHOICES_MAX];
		struct window_request request = {.size = GIB(1)};
		struct script script = script_make(expectations);
		struct container *container = attach(&script);
		struct window_plan refused;
		struct window window;
		struct error error;

		assert_int_equal(container->capabilities.max_windows, 1);
		assert_int_equal(container->capabilities.page_sizes, 0x1000);
		assert_int_equal(container_window_plan(container, &request, &no_memory, &no_limits,
						       &refused, &error),
				 ERROR_UNSUPPORTED);
		assert_int_equal(container_window_choices(container, &request, &no_memory,
							  &no_limits, choices),
				 0);
		/* Even if it were asked for. */
		assert_int_equal(create_as(container, 12, GIB(1), 1, &window, &error),
				 ERROR_NO_WINDOW_LEFT);
		detach(&script, container);
	}
}

/* The single window of a host with room for one has to go before another comes. */
static void test_h38_one_window_is_swapped(void **state)
{
	static const struct vfio_iommu_spapr_tce_info host = {
		.flags = VFIO_IOMMU_SPAPR_INFO_DDW,
		.dma32_window_size = 0x40000000,
		.ddw = {.pgsizes = 0x11000, .max_dynamic_windows_supported = 1, .levels = 1},
	};
	static const struct expectation expectations[] = {
		ATTACH_TO(&host, 0), REMOVE(0), CREATE(SECOND_WINDOW, GIB(4), 1, 0), LEAVE, END};
	struct script script = script_make(expectations);
	struct container *container = attach(&script);
	struct window window;
	struct error error;

	(void)state;
	assert_int_equal(create_as(container, 16, GIB(4), 1, &window, &error),
			 ERROR_NO_WINDOW_LEFT);
	assert_int_equal(container_window_remove(container, 0, &error), 0);
	assert_int_equal(create_as(container, 16, GIB(4), 1, &window, &error), 0);
	assert_int_equal(create_as(container, 16, GIB(4), 1, &window, &error),
			 ERROR_NO_WINDOW_LEFT);
	detach(&script, container);
}

/* A group that joins is taken at nobody's word: nothing is read again, and a window that it can't
 * have is none for the others, either. */
static void test_h39_a_joining_group_is_not_trusted(void **state)
{
	static const struct expectation expectations[] = {
		ATTACH,    STATUS(VIABLE), JOIN(0), CREATE(SECOND_WINDOW, GIB(4), 1, -EIO),
		REMOVE(0), LEAVE,          LEAVE,   END};
	struct script script = script_make(expectations);
	struct container *container = attach(&script);
	struct window window;
	struct error error;

	(void)state;
	assert_int_equal(container_join(container, GROUP_FD + 1, 6, &error), 0);
	assert_int_equal(container->capabilities.page_sizes, 0x40211000);
	assert_int_equal(create_as(container, 16, GIB(4), 1, &window, &error), ERROR_KERNEL);
	assert_int_equal(container_window_remove(container, SECOND_WINDOW, &error),
			 ERROR_NOT_FOUND);
	assert_int_equal(container_window_remove(container, 0, &error), 0);
	assert_int_equal(container_locked_bytes(container), 0);
	container_free(container);
	assert_int_equal(script.next->request, 0);
	assert_int_equal(script.closed, 3);
}

static void test_attach_refused(void **state)
{
	static const struct expectation no_container[] = {
		{.request = VFIO_GET_API_VERSION, .result = -ENOTTY}, END};
	static const struct expectation no_extension[] = {ATTACH_BEGIN, EXTENSION(0), END};
	static const struct expectation no_group[] = {
		ATTACH_BEGIN,
		EXTENSION(1),
		{.request = VFIO_GROUP_GET_STATUS, .result = -ENOTTY},
		END};
	static const struct expectation gone[] = {ATTACH_BEGIN, EXTENSION(1), GONE, END};
	static const struct expectation not_viable[] = {ATTACH_BEGIN, EXTENSION(1), STATUS(0), END};
	static const struct expectation attached[] = {
		ATTACH_BEGIN, EXTENSION(1), STATUS(VIABLE | VFIO_GROUP_FLAGS_CONTAINER_SET), END};
	static const struct expectation busy[] = {ATTACH_BEGIN, EXTENSION(1), STATUS(VIABLE),
						  JOIN(-EBUSY), END};
	static const struct expectation owned[] = {ATTACH_BEGIN, EXTENSION(1), STATUS(VIABLE),
						   JOIN(-EPERM), END};
	static const struct expectation windows_owned[] = {ATTACH_BEGIN,
							   EXTENSION(1),
							   STATUS(VIABLE),
							   JOIN(0),
							   TYPE(VFIO_SPAPR_TCE_v2_IOMMU, -EBUSY),
							   LEAVE,
							   END};
	static const struct expectation no_info[] = {
		ATTACH_BEGIN,
		EXTENSION(1),
		STATUS(VIABLE),
		JOIN(0),
		TYPE(VFIO_SPAPR_TCE_v2_IOMMU, 0),
		{.request = VFIO_IOMMU_SPAPR_TCE_GET_INFO, .result = -EPERM},
		LEAVE,
		END};

	(void)state;
	refuse(no_container, kinds_v2, NULL, ERROR_INVALID_ARGUMENT, "ENOTTY");
	refuse(no_extension, kinds_v2, NULL, ERROR_UNSUPPORTED, "no IOMMU of a known kind");
	refuse(no_group, kinds_v2, NULL, ERROR_INVALID_ARGUMENT, "not that of a VFIO group");
	refuse(gone, kinds_v2, NULL, ERROR_NOT_FOUND, "group 5");
	refuse(not_viable, kinds_v2, NULL, ERROR_GROUP_NOT_VIABLE, "group 5");
	refuse(attached, kinds_v2, NULL, ERROR_GROUP_BUSY, "a container already");
	refuse(busy, kinds_v2, NULL, ERROR_GROUP_BUSY, "EBUSY");
	refuse(owned, kinds_v2, NULL, ERROR_GROUP_BUSY, "another owner");
	refuse(windows_owned, kinds_v2, NULL, ERROR_GROUP_BUSY, "take over group 5");
	refuse(no_info, kinds_v2, NULL, ERROR_KERNEL, "another process");
}

/* memory */

static void test_register_refused(void **state)
{
	static const struct expectation expectations[] = {
		ATTACH,
		REGISTER_RESULT(-ENOMEM),
		REGISTER_RESULT(-EFAULT),
		REGISTER_RESULT(-EBUSY),
		{.request = VFIO_IOMMU_SPAPR_UNREGISTER_MEMORY, .result = -ENOENT},
		LEAVE,
		END};
	static const struct section section = {.gpa = {0, 0x10000000}};
	struct script script = script_make(expectations);
	struct container *container = attach(&script);
	struct error error;

	(void)state;
	assert_int_equal(container_memory_add(container, &section, &error), ERROR_QUOTA_EXCEEDED);
	assert_int_equal(error.errnum, ENOMEM);
	assert_int_equal(container_memory_add(container, &section, &error), ERROR_KERNEL);
	assert_int_equal(container_memory_add(container, &section, &error), ERROR_MEMORY_IN_USE);
	assert_int_equal(container_memory_remove(container, &section, &error), ERROR_KERNEL);
	assert_says(&error, "[0x0, 0x10000000)");
	detach(&script, container);
}

/* windows */

static void plan(struct container *container, uint64_t size, uint32_t levels,
		 struct window_plan *ret_plan)
{
	struct window_request request = {.size = size, .page_shift = 16, .levels = levels};
	struct error error;

	assert_int_equal(container_window_plan(container, &request, &no_memory, &no_limits,
					       ret_plan, &error),
			 0);
}

static void test_windows(void **state)
{
	static const struct expectation expectations[] = {ATTACH,
							  CREATE(SECOND_WINDOW, GIB(4), 1, 0),
							  REMOVE(0),
							  CREATE(0, GIB(4), 1, 0),
							  REMOVE(SECOND_WINDOW),
							  LEAVE,
							  END};
	struct script script = script_make(expectations);
	struct container *container = attach(&script);
	struct window_plan four_gib;
	struct window window;
	struct error error;

	(void)state;
	plan(container, GIB(4), 0, &four_gib);
	/* It makes the default window, too. */
	assert_int_equal(four_gib.locked_bytes, 0x800000 + 0x100000);
	assert_int_equal(container_window_create(container, &four_gib, &window, &error), 0);
	assert_int_equal(container_locked_bytes(container), 0x800000 + 0x100000);
	assert_int_equal(container_window_create(container, &four_gib, &window, &error),
			 ERROR_NO_WINDOW_LEFT);
	assert_int_equal(container_window_remove(container, 0, &error), 0);
	plan(container, GIB(4), 0, &four_gib);
	assert_int_equal(four_gib.locked_bytes, 0x100000);
	assert_int_equal(container_window_create(container, &four_gib, &window, &error), 0);
	assert_int_equal(container_window_remove(container, SECOND_WINDOW, &error), 0);
	assert_int_equal(container_locked_bytes(container), 0x100000);
	detach(&script, container);
}

/* What a window's choices lock counts the pending default window, as the plan does. */
static void test_choices_count_the_pending_window(void **state)
{
	static const struct expectation expectations[] = {ATTACH, LEAVE, END};
	struct window_choice choices[WORKER_CHOICES_MAX];
	struct window_request request = {.size = GIB(4), .page_shift = 16, .levels = 1};
	struct script script = script_make(expectations);
	struct container *container = attach(&script);

	(void)state;
	assert_int_equal(
		container_window_choices(container, &request, &no_memory, &no_limits, choices), 1);
	assert_int_equal(choices[0].locked_bytes, 0x800000 + 0x100000);
	detach(&script, container);
}

/* The kernel's start is what counts, wherever it is. */
static void test_h26_the_start_is_the_kernels(void **state)
{
	static const struct expectation expectations[] = {
		ATTACH, REMOVE(0), CREATE(0x12340000000, GIB(4), 1, 0), REMOVE(0x12340000000),
		LEAVE,  END};
	struct script script = script_make(expectations);
	struct container *container = attach(&script);
	struct window window;
	struct error error;

	(void)state;
	assert_int_equal(container_window_remove(container, 0, &error), 0);
	assert_int_equal(create_as(container, 16, GIB(4), 1, &window, &error), 0);
	assert_int_equal(window.range.start, 0x12340000000);
	assert_int_equal(container_window_remove(container, 0, &error), ERROR_NOT_FOUND);
	assert_int_equal(container_window_remove(container, 0x12340000000, &error), 0);
	detach(&script, container);
}

/* With memory registered, the pending default window gets its table by a call of its own before
 * another window is created: what fails then is known. */
static void test_h27_the_default_window_comes_first(void **state)
{
	static const struct expectation expectations[] = {ATTACH,
							  REGISTER_RESULT(0),
							  UNMAP(0, 0x1000, -ENOMEM),
							  SETTLE,
							  CREATE(SECOND_WINDOW, GIB(4), 1, -ENOMEM),
							  LEAVE,
							  END};
	struct script script = script_make(expectations);
	struct container *container = attach(&script);
	struct window window;
	struct error error;

	(void)state;
	add_memory(container);
	assert_int_equal(create_as(container, 16, GIB(4), 1, &window, &error), ERROR_TABLE_MEMORY);
	assert_says(&error, "default window");
	assert_int_equal(container_leaked_bytes(container), 0x800000);
	assert_int_equal(container_pending_bytes(container), 0x800000);
	assert_int_equal(create_as(container, 16, GIB(4), 1, &window, &error), ERROR_TABLE_MEMORY);
	assert_int_equal(container_pending_bytes(container), 0);
	assert_int_equal(container_leaked_bytes(container), 0x800000 + 0x100000);
	assert_int_equal(container_locked_bytes(container), 2 * 0x800000 + 0x100000);
	detach(&script, container);
}

/* To remove it while it is pending only cancels it; removing anything else is EINVAL then, which
 * isn't asked for. */
static void test_h27_a_pending_window_is_cancelled(void **state)
{
	static const struct expectation expectations[] = {ATTACH, REMOVE(0), LEAVE, END};
	struct script script = script_make(expectations);
	struct container *container = attach(&script);
	struct error error;

	(void)state;
	assert_int_equal(container_window_remove(container, SECOND_WINDOW, &error),
			 ERROR_NOT_FOUND);
	assert_int_equal(container_window_remove(container, 0, &error), 0);
	assert_int_equal(container_pending_bytes(container), 0);
	assert_int_equal(container_window_remove(container, 0, &error), ERROR_NOT_FOUND);
	detach(&script, container);
}

static void test_h28_only_the_exact_start_removes(void **state)
{
	static const struct expectation expectations[] = {
		ATTACH, CREATE(SECOND_WINDOW, GIB(4), 1, 0), LEAVE, END};
	static const uint64_t inside[] = {0x1000, 0x7ffff000, SECOND_WINDOW + 0x10000,
					  SECOND_WINDOW + GIB(4) - 1};
	struct script script = script_make(expectations);
	struct container *container = attach(&script);
	struct window window;
	struct error error;

	(void)state;
	assert_int_equal(create_as(container, 16, GIB(4), 1, &window, &error), 0);
	for (unsigned int i = 0; i < sizeof(inside) / sizeof(inside[0]); i++) {
		assert_int_equal(container_window_remove(container, inside[i], &error),
				 ERROR_NOT_FOUND);
	}
	detach(&script, container);
}

/* What a failed CREATE was charged stays. */
static void test_h29_leaks_are_counted(void **state)
{
	static const struct expectation expectations[] = {ATTACH,
							  REMOVE(0),
							  CREATE(0, GIB(64), 2, -ENOMEM),
							  CREATE(0, GIB(64), 3, -ENOMEM),
							  CREATE(0, GIB(64), 4, 0),
							  REMOVE(0),
							  CREATE(0, GIB(64), 2, -ENOMEM),
							  CREATE(0, GIB(64), 2, -ENOSPC),
							  LEAVE,
							  END};
	struct script script = script_make(expectations);
	struct container *container = attach(&script);
	struct window_plan open;
	struct window window;
	struct error error;
	uint64_t leaked = (uint64_t)(16400 + 16424) << 10;

	(void)state;
	/* Cancels the pending window: no charge. */
	assert_int_equal(container_window_remove(container, 0, &error), 0);
	assert_int_equal(container_locked_bytes(container), 0);
	plan(container, GIB(64), 0, &open);
	open.levels = 2;
	assert_int_equal(container_window_create(container, &open, &window, &error), 0);
	assert_int_equal(window.levels, 4);
	assert_int_equal(container_locked_bytes(container), leaked + ((uint64_t)16432 << 10));
	assert_int_equal(container_window_remove(container, 0, &error), 0);
	assert_int_equal(container_locked_bytes(container), leaked);
	plan(container, GIB(64), 2, &open);
	assert_int_equal(container_window_create(container, &open, &window, &error),
			 ERROR_TABLE_MEMORY);
	assert_int_equal(container_locked_bytes(container), leaked + ((uint64_t)16400 << 10));
	assert_int_equal(container_window_create(container, &open, &window, &error),
			 ERROR_NO_WINDOW_LEFT);
	assert_int_equal(container_locked_bytes(container), leaked + ((uint64_t)16400 << 10));
	assert_int_equal(container_leaked_bytes(container), container_locked_bytes(container));
	detach(&script, container);
}

/* Whatever a caller comes with: what the kernel refuses after it has charged for it isn't asked. */
static void test_h29_what_would_fail_is_not_asked(void **state)
{
	static const struct expectation expectations[] = {ATTACH, LEAVE, END};
	static const struct {
		uint64_t size;
		uint32_t page_shift;
		uint32_t levels;
		enum error_code code;
	} plans[] = {
		{GIB(3), 16, 1, ERROR_INVALID_ARGUMENT}, {0, 16, 1, ERROR_INVALID_ARGUMENT},
		{0x8000, 16, 1, ERROR_INVALID_ARGUMENT}, {GIB(4), 16, 0, ERROR_INVALID_ARGUMENT},
		{GIB(4), 16, 6, ERROR_INVALID_ARGUMENT}, {GIB(64), 16, 5, ERROR_INVALID_ARGUMENT},
		{GIB(4), 24, 1, ERROR_PAGE_SIZE}};
	struct script script = script_make(expectations);
	struct container *container = attach(&script);
	struct window window;
	struct error error;

	(void)state;
	for (unsigned int i = 0; i < sizeof(plans) / sizeof(plans[0]); i++) {
		assert_int_equal(create_as(container, plans[i].page_shift, plans[i].size,
					   plans[i].levels, &window, &error),
				 plans[i].code);
	}
	detach(&script, container);
}

/* The kernel's own mask has pages that it gets wrong. */
static void test_h7_unknown_page_shifts_are_not_asked(void **state)
{
	static const struct vfio_iommu_spapr_tce_info host = {
		.flags = VFIO_IOMMU_SPAPR_INFO_DDW,
		.dma32_window_size = 0x80000000,
		.ddw = {.pgsizes = UINT64_MAX, .max_dynamic_windows_supported = 2, .levels = 5},
	};
	static const struct expectation expectations[] = {ATTACH_TO(&host, 1), LEAVE, END};
	static const uint32_t shifts[] = {0, 11, 13, 22, 29, 31, 34, 63, 64, UINT32_MAX};
	struct script script = script_make(expectations);
	struct container *container = attach(&script);
	struct window window;
	struct error error;

	(void)state;
	for (unsigned int i = 0; i < sizeof(shifts) / sizeof(shifts[0]); i++) {
		assert_int_equal(
			create_as(container, shifts[i], UINT64_C(1) << 50, 1, &window, &error),
			ERROR_PAGE_SIZE);
	}
	detach(&script, container);
}

/* More levels than one are only tried where one can't be had: a node of theirs that can't be made
 * by a MAP is a kernel that crashes. */
static void test_h13_levels_are_added_one_by_one(void **state)
{
	static const struct expectation expectations[] = {
		ATTACH, REMOVE(0), CREATE(0, GIB(64), 1, -ENOMEM), CREATE(0, GIB(64), 2, 0),
		LEAVE,  END};
	struct window_plan plan = {
		.size = GIB(64), .page_shift = 16, .levels = 1, .more_levels = true};
	struct script script = script_make(expectations);
	struct container *container = attach(&script);
	struct window window;
	struct error error;

	(void)state;
	assert_int_equal(container_window_remove(container, 0, &error), 0);
	assert_int_equal(container_window_create(container, &plan, &window, &error), 0);
	assert_int_equal(window.levels, 2);
	detach(&script, container);
}

/* partitions */

static void test_h36_a_refusing_hypervisor_is_not_asked_again(void **state)
{
	static const struct expectation expectations[] = {
		ATTACH_TO(&partition, 0),      REMOVE(0), CREATE(0, GIB(4), 1, -EINVAL),
		CREATE(0, GIB(4), 1, -ENODEV), LEAVE,     END};
	struct window_plan plan = {
		.size = GIB(4), .page_shift = 16, .levels = 1, .more_levels = true};
	struct script script = script_make(expectations);
	struct container *container = attach(&script);
	struct window window;
	struct error error;

	(void)state;
	assert_int_equal(container_window_remove(container, 0, &error), 0);
	/* Too large, which does no harm. */
	assert_int_equal(container_window_create(container, &plan, &window, &error),
			 ERROR_UNSUPPORTED);
	assert_int_equal(container_window_create(container, &plan, &window, &error),
			 ERROR_UNSUPPORTED);
	assert_int_equal(container_leaked_bytes(container), 2 * 0x80000);
	assert_int_equal(container_window_create(container, &plan, &window, &error),
			 ERROR_UNSUPPORTED);
	assert_says(&error, "until the partition is restarted");
	assert_int_equal(container_leaked_bytes(container), 2 * 0x80000);
	detach(&script, container);
}

/* The hypervisor gives one window beside the default one; asked for a second, it gives none any
 * more. */
static void test_h36_a_second_dynamic_window_is_not_asked(void **state)
{
	static const struct expectation expectations[] = {ATTACH_TO(&partition, 0),
							  REGISTER_RESULT(0),
							  SETTLE,
							  CREATE(SECOND_WINDOW, GIB(4), 1, 0),
							  REMOVE(0),
							  REMOVE(SECOND_WINDOW),
							  CREATE(SECOND_WINDOW, GIB(4), 1, 0),
							  LEAVE,
							  END};
	struct script script = script_make(expectations);
	struct container *container = attach(&script);
	struct window window;
	struct error error;

	(void)state;
	add_memory(container);
	assert_int_equal(create_as(container, 16, GIB(4), 1, &window, &error), 0);
	assert_int_equal(container_window_remove(container, 0, &error), 0);
	assert_int_equal(create_as(container, 16, GIB(4), 1, &window, &error),
			 ERROR_NO_WINDOW_LEFT);
	assert_says(&error, "beside the default one");
	assert_int_equal(container_window_remove(container, SECOND_WINDOW, &error), 0);
	assert_int_equal(create_as(container, 16, GIB(4), 1, &window, &error), 0);
	detach(&script, container);
}

/* The default window can't be had back while there is another: that isn't asked, for it would be
 * charged for. Without one it comes back, at 0. */
static void test_h37_the_default_window_comes_back_alone(void **state)
{
	static const struct expectation expectations[] = {ATTACH_TO(&partition, 0),
							  REGISTER_RESULT(0),
							  SETTLE,
							  CREATE(SECOND_WINDOW, GIB(4), 1, 0),
							  REMOVE(0),
							  REMOVE(SECOND_WINDOW),
							  CREATE_SHIFT(12, 0, GIB(1), 1, 0),
							  CREATE(SECOND_WINDOW, GIB(4), 1, 0),
							  LEAVE,
							  END};
	struct script script = script_make(expectations);
	struct container *container = attach(&script);
	struct window window;
	struct error error;

	(void)state;
	add_memory(container);
	assert_int_equal(create_as(container, 16, GIB(4), 1, &window, &error), 0);
	assert_int_equal(container_window_remove(container, 0, &error), 0);
	assert_int_equal(create_as(container, 12, GIB(1), 1, &window, &error),
			 ERROR_NO_WINDOW_LEFT);
	assert_int_equal(container_leaked_bytes(container), 0);
	assert_int_equal(container_window_remove(container, SECOND_WINDOW, &error), 0);
	assert_int_equal(create_as(container, 12, GIB(1), 1, &window, &error), 0);
	assert_int_equal(window.range.start, 0);
	assert_int_equal(create_as(container, 16, GIB(4), 1, &window, &error), 0);
	detach(&script, container);
}

/* After a recovery the kernel must say what it said before. */
static void test_verify(void **state)
{
	struct vfio_iommu_spapr_tce_info infos[] = {powernv9, powernv9, powernv9, powernv9,
						    powernv9};
	const struct expectation expectations[] = {ATTACH,
						   INFO(&powernv9),
						   INFO(&infos[0]),
						   INFO(&infos[1]),
						   INFO(&infos[2]),
						   INFO(&infos[3]),
						   INFO(&infos[4]),
						   INFO_FAILS(-ENXIO),
						   INFO_FAILS(1),
						   LEAVE,
						   END};
	struct script script = script_make(expectations);
	struct container *container = attach(&script);
	struct error error;

	(void)state;
	infos[0].dma32_window_size /= 2;
	infos[1].dma32_window_start = 0x1000;
	infos[2].ddw.pgsizes = 0x11000;
	infos[3].ddw.levels = 1;
	infos[4].flags = 0;
	assert_int_equal(container_verify(container, &error), 0);
	assert_int_equal(container_verify(container, &error), ERROR_RECOVERY_FAILED);
	assert_says(&error, "container 1 (group 5) had a default window [0x0, 0x80000000)");
	assert_says(&error, "now it is [0x0, 0x40000000)");
	for (int i = 0; i < 4; i++) {
		assert_int_equal(container_verify(container, &error), ERROR_RECOVERY_FAILED);
	}
	assert_int_equal(container_verify(container, &error), ERROR_RECOVERY_FAILED);
	assert_int_equal(error.errnum, ENXIO);
	assert_says(&error, "doesn't tell the windows of container 1");
	assert_int_equal(container_verify(container, &error), ERROR_RECOVERY_FAILED);
	assert_int_equal(error.errnum, 0);
	detach(&script, container);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_attach),
		cmocka_unit_test(test_h34_a_partition_has_one_group),
		cmocka_unit_test(test_h38_no_dynamic_windows),
		cmocka_unit_test(test_h38_one_window_is_swapped),
		cmocka_unit_test(test_h39_a_joining_group_is_not_trusted),
		cmocka_unit_test(test_attach_refused),
		cmocka_unit_test(test_register_refused),
		cmocka_unit_test(test_windows),
		cmocka_unit_test(test_choices_count_the_pending_window),
		cmocka_unit_test(test_h26_the_start_is_the_kernels),
		cmocka_unit_test(test_h27_the_default_window_comes_first),
		cmocka_unit_test(test_h27_a_pending_window_is_cancelled),
		cmocka_unit_test(test_h28_only_the_exact_start_removes),
		cmocka_unit_test(test_h29_leaks_are_counted),
		cmocka_unit_test(test_h29_what_would_fail_is_not_asked),
		cmocka_unit_test(test_h7_unknown_page_shifts_are_not_asked),
		cmocka_unit_test(test_h13_levels_are_added_one_by_one),
		cmocka_unit_test(test_h36_a_refusing_hypervisor_is_not_asked_again),
		cmocka_unit_test(test_h36_a_second_dynamic_window_is_not_asked),
		cmocka_unit_test(test_h37_the_default_window_comes_back_alone),
		cmocka_unit_test(test_verify),
	};

	return cmocka_run_group_tests_name("tce-v2", tests, NULL, NULL);
}
