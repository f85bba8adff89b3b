/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The TCE containers on simulated hosts: what they lock by the kernel's own books, what is mapped
 * in the end, and which kind a host gets. */
#include "sim/faults.h"
#include "sim_fixture.h"
#include "spapr/tce_v1.h"
#include "spapr/tce_v2.h"

#define GIB(n)        ((uint64_t)(n) << 30)
#define SECOND_WINDOW (UINT64_C(1) << 59)

static const struct container_kind *const kinds[] = {&tce_v2_kind, &tce_v1_kind, NULL};

static const char *const powernv_hosts[] = {
	"powernv8",  "powernv8,page-size=65536",  "powernv9", "powernv9,page-size=65536",
	"powernv10", "powernv10,page-size=65536",
};
/* The first of them differ in this only. */
#define KERNEL_PAGE_SIZES 2
#define POWERNV_HOSTS     (sizeof(powernv_hosts) / sizeof(powernv_hosts[0]))

static const char *const partitions[] = {"pseries", "pseries,page-size=65536"};
#define PARTITIONS (sizeof(partitions) / sizeof(partitions[0]))

/* A host, a container with its first group, and memory. */
struct stage {
	struct sim_fixture *fixture;
	struct container *container;
	struct sim_test_memory memory;
	struct section section;
};

/* Without the time that removing a window takes (field note H32). */
static struct sim_fixture *launch(const char *host)
{
	struct sim_fixture *fixture = calloc(1, sizeof(*fixture));
	int connection = -1;
	char name[64];

	assert_non_null(fixture);
	(void)snprintf(name, sizeof(name), "%s,pace=0", host);
	assert_int_equal(sim_launch(simhost_program(), name, &connection, &fixture->pid), 0);
	assert_int_equal(sim_kernel_new(connection, &fixture->kernel), 0);
	assert_int_equal(sim_connection_new(fixture->kernel, &fixture->control), 0);
	return fixture;
}

static int open_kind(struct sim_fixture *fixture, const char *iommu_type,
		     struct container **ret_container, struct error *error)
{
	struct container_request request = {
		.container_fd = kernel_open_node(fixture->kernel, NODE_CONTAINER),
		.group_fd = kernel_open_node(fixture->kernel, GROUP_EDU),
		.id = 1,
		.iommu_type = iommu_type,
	};

	return container_open(fixture->kernel, kinds, &request, ret_container, error);
}

static struct stage stage_new(const char *host, const char *iommu_type)
{
	struct stage stage = {.fixture = launch(host)};
	struct error error = {.text = ""};
	int r = open_kind(stage.fixture, iommu_type, &stage.container, &error);

	if (r) {
		print_error("%s: %s\n", host, error.text);
	}
	assert_int_equal(r, 0);
	assert_int_equal(container_start(stage.container, &error), 0);
	stage.memory = sim_test_memory_new(stage.fixture->kernel, 4 * MIB);
	stage.section = (struct section){.gpa = {0, 4 * MIB}, .address = stage.memory.bytes};
	assert_int_equal(container_memory_add(stage.container, &stage.section, &error), 0);
	return stage;
}

static void stage_done(struct stage *stage)
{
	void *fixture = stage->fixture;

	stage->container = container_free(stage->container);
	sim_test_memory_done(stage->fixture->kernel, &stage->memory);
	assert_int_equal(sim_fixture_tear_down(&fixture), 0);
}

static void map(struct stage *stage, uint64_t start, uint64_t size)
{
	struct error error = {.text = ""};
	int r = container_map(stage->container, NULL, (struct range){start, size},
			      stage->memory.bytes, 3, &error);

	if (r) {
		print_error("%s\n", error.text);
	}
	assert_int_equal(r, 0);
}

static int create(struct stage *stage, uint32_t page_shift, uint64_t size, uint32_t levels,
		  struct window *ret_window)
{
	struct window_plan plan = {.size = size, .page_shift = page_shift, .levels = levels};
	struct error error;

	return container_window_create(stage->container, &plan, ret_window, &error);
}

/* What the container says is what the kernel has charged. */
static void assert_locked(struct stage *stage, const char *host, uint64_t pinned)
{
	struct sim_statistics statistics = sim_fixture_statistics(stage->fixture);
	uint64_t locked = container_locked_bytes(stage->container);

	if (statistics.caller_locked_bytes != pinned + locked) {
		print_error("%s\n", host);
	}
	assert_int_equal(statistics.caller_locked_bytes, pinned + locked);
	assert_int_equal(statistics.leaked_locked_bytes, container_leaked_bytes(stage->container));
}

/* accounting */

static void check_windows(const char *host)
{
	static const struct {
		uint64_t size;
		uint32_t page_shift;
		uint32_t levels;
	} shapes[] = {{GIB(1), 12, 1},    {GIB(1), 12, 2},    {GIB(4), 12, 3},
		      {GIB(4), 16, 1},    {GIB(64), 16, 1},   {GIB(64), 16, 2},
		      {GIB(4096), 16, 2}, {GIB(4096), 12, 3}, {0x20000000, 16, 1}};
	struct stage stage = stage_new(host, "spapr-tce-v2");
	struct window window;
	struct error error;

	assert_true(stage.container->capabilities.eeh);
	assert_locked(&stage, host, 4 * MIB);
	map(&stage, 0x10000, 0x10000);
	assert_int_equal(container_pending_bytes(stage.container), 0);
	assert_locked(&stage, host, 4 * MIB);
	for (unsigned int i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		assert_int_equal(create(&stage, shapes[i].page_shift, shapes[i].size,
					shapes[i].levels, &window),
				 0);
		assert_int_equal(window.range.start, SECOND_WINDOW);
		assert_locked(&stage, host, 4 * MIB);
		assert_int_equal(container_window_remove(stage.container, SECOND_WINDOW, &error),
				 0);
		assert_locked(&stage, host, 4 * MIB);
	}
	stage_done(&stage);
}

static void test_charges_of_powernv(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < POWERNV_HOSTS; i++) {
		check_windows(powernv_hosts[i]);
	}
}

static void test_charges_of_partitions(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < PARTITIONS; i++) {
		struct stage stage = stage_new(partitions[i], "spapr-tce-v2");
		struct window window;
		struct error error;

		assert_false(stage.container->capabilities.eeh);
		assert_true(stage.container->capabilities.one_group);
		assert_locked(&stage, partitions[i], 4 * MIB);
		assert_int_equal(create(&stage, 16, GIB(4), 1, &window), 0);
		assert_int_equal(window.range.start, SECOND_WINDOW);
		assert_locked(&stage, partitions[i], 4 * MIB);
		assert_int_equal(container_window_remove(stage.container, SECOND_WINDOW, &error),
				 0);
		assert_int_equal(container_window_remove(stage.container, 0, &error), 0);
		assert_locked(&stage, partitions[i], 4 * MIB);
		stage_done(&stage);
	}
}

/* One level in a piece that no kernel allocates: the planner wouldn't, but it shows the charge. */
static void test_h29_leaks_are_the_kernels(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < KERNEL_PAGE_SIZES; i++) {
		struct stage stage = stage_new(powernv_hosts[i], "spapr-tce-v2");
		struct window window;

		assert_int_equal(create(&stage, 16, GIB(1024), 1, &window), ERROR_TABLE_MEMORY);
		assert_true(container_leaked_bytes(stage.container) >= 256 * MIB);
		assert_locked(&stage, powernv_hosts[i], 4 * MIB);
		assert_int_equal(create(&stage, 12, GIB(1024), 2, &window), 0);
		assert_locked(&stage, powernv_hosts[i], 4 * MIB);
		stage_done(&stage);
	}
}

/* The hypervisor has no window that large; that is charged for, and nothing worse happens. */
static void test_h29_leaks_of_partitions(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < PARTITIONS; i++) {
		struct stage stage = stage_new(partitions[i], "spapr-tce-v2");
		struct window window;

		assert_int_equal(create(&stage, 12, GIB(1024 * 1024), 1, &window),
				 ERROR_UNSUPPORTED);
		assert_true(container_leaked_bytes(stage.container) > 0);
		assert_locked(&stage, partitions[i], 4 * MIB);
		assert_int_equal(create(&stage, 16, GIB(4), 1, &window), 0);
		assert_locked(&stage, partitions[i], 4 * MIB);
		stage_done(&stage);
	}
}

/* v1 charges the window at the start, the table at the first map, and no page. */
static void test_h41_charges_of_v1(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < KERNEL_PAGE_SIZES; i++) {
		struct stage stage = stage_new(powernv_hosts[i], "spapr-tce");

		assert_int_equal(container_locked_bytes(stage.container), GIB(2));
		assert_locked(&stage, powernv_hosts[i], 0);
		map(&stage, 0, 4 * MIB);
		assert_int_equal(container_locked_bytes(stage.container), GIB(2) + 8 * MIB);
		assert_locked(&stage, powernv_hosts[i], 0);
		stage.container = container_free(stage.container);
		assert_int_equal(sim_fixture_statistics(stage.fixture).caller_locked_bytes, 0);
		stage_done(&stage);
	}
}

/* It doesn't tell that it is one: the table counts as powernv's, twice what it is. */
static void test_h41_charges_of_v1_in_a_partition(void **state)
{
	struct stage stage = stage_new("pseries", "spapr-tce");

	(void)state;
	assert_locked(&stage, "pseries", 0);
	map(&stage, 0, 4 * MIB);
	assert_int_equal(container_locked_bytes(stage.container), GIB(1) + 4 * MIB);
	assert_int_equal(sim_fixture_statistics(stage.fixture).caller_locked_bytes,
			 GIB(1) + 2 * MIB);
	stage_done(&stage);
}

/* mappings */

/* The first page goes last, and a single one is tried elsewhere; nothing of that stays. */
static void check_first_entry(const char *host, const char *iommu_type)
{
	struct stage stage = stage_new(host, iommu_type);
	struct error error;

	map(&stage, 0, 4 * MIB);
	assert_int_equal(sim_fixture_statistics(stage.fixture).mapped_tces, 1024);
	assert_int_equal(container_unmap(stage.container, (struct range){0, 4 * MIB}, &error), 0);
	map(&stage, 0, 0x1000);
	assert_int_equal(sim_fixture_statistics(stage.fixture).mapped_tces, 1);
	stage_done(&stage);
}

static void test_power8_first_entry(void **state)
{
	(void)state;
	check_first_entry("powernv8", "spapr-tce-v2");
	check_first_entry("powernv8,page-size=65536", "spapr-tce-v2");
	check_first_entry("powernv8", "spapr-tce");
	check_first_entry("pseries", "spapr-tce-v2");
}

static void test_power8_first_entry_in_many_levels(void **state)
{
	struct stage stage = stage_new("powernv8", "spapr-tce-v2");
	struct window window;
	struct error error;

	(void)state;
	assert_int_equal(container_window_remove(stage.container, 0, &error), 0);
	assert_int_equal(create(&stage, 12, GIB(16), 2, &window), 0);
	assert_int_equal(window.range.start, 0);
	map(&stage, 0, 0x1000);
	assert_int_equal(sim_fixture_statistics(stage.fixture).mapped_tces, 1);
	/* Where it was tried. */
	map(&stage, 0x1000, 0x1000);
	assert_int_equal(sim_fixture_statistics(stage.fixture).mapped_tces, 2);
	stage_done(&stage);
}

/* What is mapped by then is for the caller to unmap, and then gone. */
static void test_h10_a_failed_map_can_be_cleaned(void **state)
{
	struct stage stage = stage_new("powernv9", "spapr-tce-v2");
	struct range iova = {0, 4 * MIB};
	struct error error;

	(void)state;
	/* The first page, after all others. */
	sim_fixture_fail_next(stage.fixture, "VFIO_IOMMU_MAP_DMA", 1, ENOMEM);
	assert_int_equal(container_map(stage.container, NULL, iova, stage.memory.bytes, 3, &error),
			 ERROR_TABLE_MEMORY);
	assert_int_equal(sim_fixture_statistics(stage.fixture).mapped_tces, 1023);
	assert_int_equal(container_unmap(stage.container, iova, &error), 0);
	assert_int_equal(sim_fixture_statistics(stage.fixture).mapped_tces, 0);
	assert_int_equal(sim_fixture_statistics(stage.fixture).kernel_damage, 0);
	stage_done(&stage);
}

/* which kind */

static void test_v2_falls_back_to_v1(void **state)
{
	struct sim_fixture *fixture = launch("powernv9");
	struct container *container = NULL;
	void *ended = fixture;
	struct error error;

	(void)state;
	sim_fixture_fail_next(fixture, "VFIO_SET_IOMMU", 0, EINVAL);
	assert_int_equal(open_kind(fixture, NULL, &container, &error), 0);
	assert_string_equal(container->capabilities.iommu_type, "spapr-tce");
	container = container_free(container);
	assert_int_equal(open_kind(fixture, NULL, &container, &error), 0);
	assert_string_equal(container->capabilities.iommu_type, "spapr-tce-v2");
	container = container_free(container);
	assert_int_equal(sim_fixture_tear_down(&ended), 0);
}

/* Who asks for v2 gets no other, and the group is free again. */
static void test_v2_that_was_asked_for_does_not_fall_back(void **state)
{
	struct sim_fixture *fixture = launch("powernv9");
	struct container *container = NULL;
	void *ended = fixture;
	struct error error;

	(void)state;
	sim_fixture_fail_next(fixture, "VFIO_SET_IOMMU", 0, EINVAL);
	assert_int_equal(open_kind(fixture, "spapr-tce-v2", &container, &error), ERROR_UNSUPPORTED);
	assert_null(container);
	assert_int_equal(sim_fixture_statistics(fixture).attached_groups, 0);
	assert_int_equal(open_kind(fixture, "spapr-tce-v2", &container, &error), 0);
	container = container_free(container);
	assert_int_equal(sim_fixture_tear_down(&ended), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_charges_of_powernv),
		cmocka_unit_test(test_charges_of_partitions),
		cmocka_unit_test(test_h29_leaks_are_the_kernels),
		cmocka_unit_test(test_h29_leaks_of_partitions),
		cmocka_unit_test(test_h41_charges_of_v1),
		cmocka_unit_test(test_h41_charges_of_v1_in_a_partition),
		cmocka_unit_test(test_power8_first_entry),
		cmocka_unit_test(test_power8_first_entry_in_many_levels),
		cmocka_unit_test(test_h10_a_failed_map_can_be_cleaned),
		cmocka_unit_test(test_v2_falls_back_to_v1),
		cmocka_unit_test(test_v2_that_was_asked_for_does_not_fall_back),
	};

	return cmocka_run_group_tests_name("tce-hosts", tests, NULL, NULL);
}
