/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The TCE v1 container, and how a host that refuses v2 comes to it. */
#include <sys/mman.h>
#include <unistd.h>

#include "tce_script.h"

#define PAGE UINT64_C(0x1000)

static const struct vfio_iommu_spapr_tce_info v1_host = {
	.argsz = TCE_INFO_SIZE,
	.dma32_window_size = 0x80000000,
};

static const struct vfio_iommu_spapr_tce_info no_window = {.argsz = TCE_INFO_SIZE};

#define ATTACH_V1_TO(host)                                                                  \
	ATTACH_BEGIN, EXTENSION(1), STATUS(VIABLE), JOIN(0), TYPE(VFIO_SPAPR_TCE_IOMMU, 0), \
		INFO(host), EXTENSION(1)
#define ATTACH_V1 ATTACH_V1_TO(&v1_host)
#define ENABLE(outcome)                                           \
	{                                                         \
		.request = VFIO_IOMMU_ENABLE, .result = (outcome) \
	}
#define DISABLE                               \
	{                                     \
		.request = VFIO_IOMMU_DISABLE \
	}

/* Real memory, for its pages are looked at. */
static void *new_memory(size_t size, int prot)
{
	void *memory = mmap(NULL, size, prot, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_true(memory != MAP_FAILED);
	return memory;
}

static struct container *start(struct script *script)
{
	struct container *container = attach_as(script, kinds_v1);
	struct error error;

	assert_int_equal(container_start(container, &error), 0);
	return container;
}

static void test_attach(void **state)
{
	static const struct expectation expectations[] = {ATTACH_V1, LEAVE, END};
	struct script script = script_make(expectations);
	struct container *container = attach_as(&script, kinds_v1);

	(void)state;
	assert_string_equal(container->capabilities.iommu_type, "spapr-tce");
	assert_int_equal(container->capabilities.page_sizes, 0x1000);
	assert_int_equal(container->capabilities.default_window_count, 1);
	assert_int_equal(container->capabilities.default_windows[0].range.size, 0x80000000);
	assert_int_equal(container->capabilities.max_windows, 1);
	assert_int_equal(container->capabilities.max_levels, 1);
	assert_int_equal(container->capabilities.pinning, CONTAINER_PINS_AT_START);
	assert_true(container->capabilities.eeh);
	assert_true(container->capabilities.one_group);
	assert_true(container->capabilities.leaving_clears);
	assert_int_equal(container_locked_bytes(container), 0);
	assert_int_equal(container_pending_bytes(container), 0x800000);
	detach(&script, container);
}

static void test_verify(void **state)
{
	struct vfio_iommu_spapr_tce_info other = v1_host;
	const struct expectation expectations[] = {ATTACH_V1, INFO(&v1_host), INFO(&other), LEAVE,
						   END};
	struct script script = script_make(expectations);
	struct container *container = attach_as(&script, kinds_v1);
	struct error error;

	(void)state;
	other.dma32_window_size *= 2;
	assert_int_equal(container_verify(container, &error), 0);
	assert_int_equal(container_verify(container, &error), ERROR_RECOVERY_FAILED);
	detach(&script, container);
}

/* The whole window is charged by ENABLE, the table by the first map; DISABLE gives back the former,
 * and comes before the group goes. */
static void test_h41_the_whole_window_is_charged_at_start(void **state)
{
	static const struct expectation expectations[] = {
		ATTACH_V1, ENABLE(0), SETTLE, MAP_FROM(0x4000, 0, PAGE, 0), DISABLE, LEAVE, END};
	struct script script = script_make(expectations);
	struct container *container = attach_as(&script, kinds_v1);
	struct error error;

	(void)state;
	assert_int_equal(container_start_bytes(container), GIB(2));
	assert_int_equal(container_start(container, &error), 0);
	assert_int_equal(container_locked_bytes(container), GIB(2));
	assert_int_equal(container_pending_bytes(container), 0x800000);
	assert_int_equal(map_from(&script, container, 0x4000, 0, PAGE, &error), 0);
	assert_int_equal(container_locked_bytes(container), GIB(2) + 0x800000);
	assert_int_equal(container_pending_bytes(container), 0);
	assert_int_equal(container_leaked_bytes(container), 0);
	detach(&script, container);
}

static void test_h41_refusals_of_enable(void **state)
{
	static const struct expectation expectations[] = {
		ATTACH_V1,      ENABLE(-ENOMEM), ENABLE(-EBUSY), ENABLE(-ENODEV),
		ENABLE(-EPERM), ENABLE(1),       LEAVE,          END};
	struct script script = script_make(expectations);
	struct container *container = attach_as(&script, kinds_v1);
	struct error error;

	(void)state;
	assert_int_equal(container_start(container, &error), ERROR_QUOTA_EXCEEDED);
	assert_says(&error, "0x80000000 bytes of locked memory");
	assert_says(&error, "RLIMIT_MEMLOCK");
	assert_int_equal(container_start(container, &error), ERROR_KERNEL);
	assert_says(&error, "enabled already");
	assert_int_equal(container_start(container, &error), ERROR_NOT_FOUND);
	assert_int_equal(container_start(container, &error), ERROR_KERNEL);
	assert_says(&error, "another process");
	assert_int_equal(container_start(container, &error), ERROR_KERNEL);
	assert_int_equal(container_locked_bytes(container), 0);
	/* And so it isn't disabled. */
	detach(&script, container);
}

/* Its EPERM would be that of another process, so it isn't asked for. */
static void test_h41_a_group_without_a_window(void **state)
{
	static const struct expectation expectations[] = {ATTACH_V1_TO(&no_window), LEAVE, END};
	struct script script = script_make(expectations);
	struct container *container = attach_as(&script, kinds_v1);
	struct error error;

	(void)state;
	assert_int_equal(container_start_bytes(container), 0);
	assert_int_equal(container_start(container, &error), ERROR_UNSUPPORTED);
	assert_says(&error, "spapr-tce-v2");
	detach(&script, container);
}

static void test_h22_nothing_is_asked_before_enable(void **state)
{
	static const struct expectation expectations[] = {ATTACH_V1, LEAVE, END};
	struct script script = script_make(expectations);
	struct container *container = attach_as(&script, kinds_v1);
	struct error error;

	(void)state;
	assert_int_equal(map_from(&script, container, 0x4000, 0, PAGE, &error),
			 ERROR_MEMORY_UNKNOWN);
	assert_int_equal(unmap_at(container, 0x4000, PAGE, &error), 0);
	detach(&script, container);
}

/* The kernel has no such ioctls here. */
static void test_h4_no_call_of_v2_is_made(void **state)
{
	static const struct expectation expectations[] = {ATTACH_V1, ENABLE(0), DISABLE, LEAVE,
							  END};
	static const struct section section = {.gpa = {0, 0x10000000}};
	static const struct window_limits no_limits;
	static const struct memory_outlook no_memory;
	struct window_choice choices[WORKER_CHOICES_MAX];
	struct window_request request = {.size = GIB(1)};
	struct script script = script_make(expectations);
	struct container *container = start(&script);
	struct window_plan plan;
	struct window window;
	struct error error;

	(void)state;
	assert_int_equal(container_memory_add(container, &section, &error), 0);
	assert_int_equal(container_memory_remove(container, &section, &error), 0);
	assert_int_equal(
		container_window_plan(container, &request, &no_memory, &no_limits, &plan, &error),
		ERROR_UNSUPPORTED);
	assert_says(&error, "attach it as \"spapr-tce-v2\"");
	assert_int_equal(
		container_window_choices(container, &request, &no_memory, &no_limits, choices), 0);
	assert_int_equal(create_as(container, 12, GIB(1), 1, &window, &error), ERROR_UNSUPPORTED);
	assert_int_equal(container_window_remove(container, 0, &error), ERROR_UNSUPPORTED);
	detach(&script, container);
}

static void test_map_refused(void **state)
{
	static const struct expectation expectations[] = {ATTACH_V1,
							  ENABLE(0),
							  UNMAP(0, PAGE, -ENOMEM),
							  SETTLE,
							  MAP_FROM(0x4000, 0, PAGE, -EFAULT),
							  MAP_FROM(0x4000, 0, PAGE, 1),
							  UNMAP(0x4000, PAGE, 0),
							  DISABLE,
							  LEAVE,
							  END};
	struct script script = script_make(expectations);
	struct container *container = start(&script);
	struct error error;

	(void)state;
	assert_int_equal(map_from(&script, container, 0x4000, 0, PAGE, &error), ERROR_TABLE_MEMORY);
	assert_int_equal(container_leaked_bytes(container), 0x800000);
	assert_int_equal(map_from(&script, container, 0x4000, 0, PAGE, &error), ERROR_KERNEL);
	assert_says(&error, "can't be pinned for writing");
	assert_int_equal(map_from(&script, container, 0x4000, 0, PAGE, &error), ERROR_KERNEL);
	assert_int_equal(map_from(&script, container, 0x80000000, 0, PAGE, &error),
			 ERROR_OUTSIDE_WINDOW);
	assert_int_equal(unmap_at(container, 0x4000, PAGE, &error), 0);
	detach(&script, container);
}

/* It is pinned by its MAP, so it is there by then. */
static void test_power8_first_entry_is_present(void **state)
{
	static const struct expectation expectations[] = {ATTACH_V1,
							  ENABLE(0),
							  SETTLE,
							  MAP(0, PAGE, 0),
							  UNMAP(0, PAGE, 0),
							  MAP(PAGE, 2 * PAGE, 0),
							  MAP(0, PAGE, 0),
							  DISABLE,
							  LEAVE,
							  END};
	size_t size = 4 * (size_t)sysconf(_SC_PAGESIZE);
	struct script script = script_make(expectations);
	struct container *container = start(&script);
	uint8_t *memory = new_memory(size, PROT_READ | PROT_WRITE);
	unsigned char present[4] = {0};
	struct error error;

	(void)state;
	script.memory = (uintptr_t)memory;
	assert_int_equal(map_at(&script, container, 0, PAGE, &error), 0);
	assert_int_equal(mincore(memory, size, present), 0);
	assert_int_equal(present[0] & 1, 1);
	assert_int_equal(present[1] & 1, 0);
	assert_int_equal(unmap_at(container, 0, PAGE, &error), 0);
	assert_int_equal(map_at(&script, container, 0, 3 * PAGE, &error), 0);
	assert_int_equal(munmap(memory, size), 0);
	detach(&script, container);
}

/* Memory that can't be written, and no memory at all: nothing of the map is asked. */
static void test_power8_first_entry_that_cannot_be_pinned(void **state)
{
	static const struct expectation expectations[] = {ATTACH_V1, ENABLE(0), SETTLE,
							  DISABLE,   LEAVE,     END};
	size_t size = 4 * (size_t)sysconf(_SC_PAGESIZE);
	struct script script = script_make(expectations);
	struct container *container = start(&script);
	void *memory = new_memory(size, PROT_READ);
	struct error error;

	(void)state;
	script.memory = (uintptr_t)memory;
	assert_int_equal(map_at(&script, container, 0, PAGE, &error), ERROR_KERNEL);
	assert_says(&error, "can't be pinned for writing");
	assert_int_equal(map_at(&script, container, 0, 3 * PAGE, &error), ERROR_KERNEL);
	assert_int_equal(munmap(memory, size), 0);
	assert_int_equal(map_at(&script, container, 0, PAGE, &error), ERROR_KERNEL);
	detach(&script, container);
}

/* which kind */

static void test_v2_falls_back_to_v1(void **state)
{
	static const struct expectation expectations[] = {ATTACH_BEGIN,
							  EXTENSION(1),
							  EXTENSION(1),
							  STATUS(VIABLE),
							  JOIN(0),
							  TYPE(VFIO_SPAPR_TCE_v2_IOMMU, -EINVAL),
							  TYPE(VFIO_SPAPR_TCE_IOMMU, 0),
							  INFO(&v1_host),
							  EXTENSION(1),
							  LEAVE,
							  END};
	struct script script = script_make(expectations);
	struct container *container = attach_as(&script, kinds_both);

	(void)state;
	assert_string_equal(container->capabilities.iommu_type, "spapr-tce");
	assert_int_equal(container->better_refused, EINVAL);
	detach(&script, container);
}

static void test_v1_where_there_is_no_v2(void **state)
{
	static const struct expectation expectations[] = {
		ATTACH_BEGIN,   EXTENSION(0),
		EXTENSION(1),   STATUS(VIABLE),
		JOIN(0),        TYPE(VFIO_SPAPR_TCE_IOMMU, 0),
		INFO(&v1_host), EXTENSION(1),
		LEAVE,          END};
	struct script script = script_make(expectations);
	struct container *container = attach_as(&script, kinds_both);

	(void)state;
	assert_string_equal(container->capabilities.iommu_type, "spapr-tce");
	assert_int_equal(container->better_refused, 0);
	detach(&script, container);
}

static void test_v2_that_was_asked_for_does_not_fall_back(void **state)
{
	static const struct expectation refused[] = {ATTACH_BEGIN,
						     EXTENSION(1),
						     STATUS(VIABLE),
						     JOIN(0),
						     TYPE(VFIO_SPAPR_TCE_v2_IOMMU, -EINVAL),
						     LEAVE,
						     END};
	static const struct expectation missing[] = {ATTACH_BEGIN, EXTENSION(0), END};

	(void)state;
	refuse(refused, kinds_both, "spapr-tce-v2", ERROR_UNSUPPORTED,
	       "take over group 5 as spapr-tce-v2");
	refuse(missing, kinds_both, "spapr-tce-v2", ERROR_UNSUPPORTED, "spapr-tce-v2");
}

static void test_v1_that_was_asked_for(void **state)
{
	static const struct expectation expectations[] = {ATTACH_V1, LEAVE, END};
	struct script script = script_make(expectations);
	struct container *container = NULL;
	struct error error;

	(void)state;
	assert_int_equal(open_as(&script, kinds_both, "spapr-tce", &container, &error), 0);
	assert_string_equal(container->capabilities.iommu_type, "spapr-tce");
	detach(&script, container);
}

/* What the best kind says is told, and that the other is refused, too. */
static void test_both_refused(void **state)
{
	static const struct expectation expectations[] = {ATTACH_BEGIN,
							  EXTENSION(1),
							  EXTENSION(1),
							  STATUS(VIABLE),
							  JOIN(0),
							  TYPE(VFIO_SPAPR_TCE_v2_IOMMU, -EPERM),
							  TYPE(VFIO_SPAPR_TCE_IOMMU, -EBUSY),
							  LEAVE,
							  END};

	(void)state;
	refuse(expectations, kinds_both, NULL, ERROR_GROUP_BUSY,
	       "spapr-tce is refused, too (EBUSY)");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_attach),
		cmocka_unit_test(test_verify),
		cmocka_unit_test(test_h41_the_whole_window_is_charged_at_start),
		cmocka_unit_test(test_h41_refusals_of_enable),
		cmocka_unit_test(test_h41_a_group_without_a_window),
		cmocka_unit_test(test_h22_nothing_is_asked_before_enable),
		cmocka_unit_test(test_h4_no_call_of_v2_is_made),
		cmocka_unit_test(test_map_refused),
		cmocka_unit_test(test_power8_first_entry_is_present),
		cmocka_unit_test(test_power8_first_entry_that_cannot_be_pinned),
		cmocka_unit_test(test_v2_falls_back_to_v1),
		cmocka_unit_test(test_v1_where_there_is_no_v2),
		cmocka_unit_test(test_v2_that_was_asked_for_does_not_fall_back),
		cmocka_unit_test(test_v1_that_was_asked_for),
		cmocka_unit_test(test_both_refused),
	};

	return cmocka_run_group_tests_name("tce-v1", tests, NULL, NULL);
}
