/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Never probe by failing: whatever memory a host has, the window that is planned for it is one that
 * its kernel makes at the first try, for exactly the locked memory that the plan says; and where
 * there is no plan, there is no window. The hosts are the simulated ones, which were compared with
 * real kernels (tests/conformance).
 */
#include <stdio.h>

#include "sim_tce_fixture.h"
#include "spapr/planner.h"

/* The sizes that must work: 64 MiB to 64 TiB. Beyond them tables become too large in other ways. */
#define SIZE_SHIFT_FIRST    26
#define SIZE_SHIFT_PROMISED 46
#define SIZE_SHIFT_LAST     58

/* What a removal may cost, as the field notes have it (H32). */
#define POWERNV_TCES (UINT64_C(1) << 30)
#define LPAR_TCES    (UINT64_C(1) << 24)

static const char *const names[] = {"powernv8", "powernv9", "powernv10", "pseries"};

#define NAME_COUNT (sizeof(names) / sizeof(names[0]))

/* What can lie behind memory, where the kernel's pages are no larger. */
static const uint64_t backings[] = {4 * KIB, 64 * KIB, 2 * MIB, 16 * MIB, GIB};

#define BACKING_COUNT (sizeof(backings) / sizeof(backings[0]))

static const struct window_limits no_limits;

/* One host with one kernel, and how much was found out about it. */
struct trial {
	struct fixture *fixture;
	struct planner_host host;
	unsigned int made;
	unsigned int impossible;
};

static struct memory_outlook outlook_of(uint64_t memory, uint64_t backing)
{
	return (struct memory_outlook){.any = true, .last = memory - 1, .largest_page = backing};
}

static struct planner_host read_host(struct fixture *fixture)
{
	struct vfio_iommu_spapr_tce_info info = get_info(fixture);

	return (struct planner_host){
		.page_sizes = info.ddw.pgsizes,
		.max_levels = info.ddw.levels,
		.rules = table_rules_of(info.ddw.levels, fixture->host->page_shift),
	};
}

static void open_trial(struct trial *trial, const char *name, unsigned int page_size)
{
	char text[64];
	void *state = NULL;

	(void)snprintf(text, sizeof(text), "%s,page-size=%u", name, page_size);
	assert_int_equal(set_up_on(&state, text, NULL, VFIO_SPAPR_TCE_v2_IOMMU), 0);
	*trial = (struct trial){.fixture = state};
	trial->host = read_host(trial->fixture);
}

static void close_trial(struct trial *trial)
{
	void *state = trial->fixture;

	assert_int_equal(tear_down(&state), 0);
}

/* The largest page of the host's that the memory holds. */
static uint32_t largest_shift(const struct trial *trial, uint64_t backing)
{
	uint32_t shift = floor_log2(backing);

	while (!(trial->host.page_sizes >> shift & 1)) {
		shift--;
	}
	return shift;
}

/* The first CREATE, and what it locks. */
static void make(struct trial *trial, const struct window_plan *plan)
{
	struct fixture *fixture = trial->fixture;
	uint64_t before = locked(fixture);
	uint64_t start = 0;

	assert_int_equal(create(fixture, plan->page_shift, plan->size, plan->levels, &start), 0);
	assert_int_equal(locked(fixture) - before, plan->locked_bytes);
	assert_int_equal(remove_window(fixture, start), 0);
	assert_int_equal(locked(fixture), before);
	trial->made++;
}

/* Whether a kernel could make such a window, if its removal were no matter. */
static bool kernel_makes(struct trial *trial, uint32_t page_shift, uint64_t size, uint32_t levels)
{
	uint64_t start = 0;
	int r = create(trial->fixture, page_shift, size, levels, &start);

	if (r == 0) {
		assert_int_equal(remove_window(trial->fixture, start), 0);
	}
	return r == 0;
}

/* There is no window for the memory: each has too many TCEs, or the kernel refuses it. */
static void check_impossible(struct trial *trial, uint64_t memory, uint64_t backing)
{
	uint64_t bound = trial->host.rules.hypervisor ? LPAR_TCES : POWERNV_TCES;

	for (uint32_t shift = 12; shift <= floor_log2(backing); shift++) {
		uint64_t size = UINT64_C(1) << shift;

		if (!(trial->host.page_sizes >> shift & 1)) {
			continue;
		}
		while (size < memory) {
			size <<= 1;
		}
		for (uint32_t levels = 1; levels <= trial->host.max_levels; levels++) {
			assert_true(size >> shift > bound ||
				    !kernel_makes(trial, shift, size, levels));
		}
	}
	trial->impossible++;
}

/* Of what is promised only the removal's cost is in the way, and larger pages would do. */
static void check_refusal(uint64_t memory, const struct error *error)
{
	if (memory > UINT64_C(1) << SIZE_SHIFT_PROMISED) {
		assert_true(error->code == ERROR_QUOTA_EXCEEDED ||
			    error->code == ERROR_TABLE_MEMORY);
		return;
	}
	assert_int_equal(error->code, ERROR_QUOTA_EXCEEDED);
	assert_non_null(strstr(error->text, "would do, with hugetlbfs pages of that size"));
}

static void try_memory(struct trial *trial, uint64_t memory, uint64_t backing)
{
	const struct window_request open = {.size = 0};
	struct memory_outlook outlook = outlook_of(memory, backing);
	struct window_plan plan;
	struct error error;

	if (planner_plan(&trial->host, &outlook, &no_limits, &open, &plan, &error)) {
		check_refusal(memory, &error);
		check_impossible(trial, memory, backing);
		return;
	}
	assert_true(is_power_of_two(plan.size) && plan.size >= memory);
	if (memory <= UINT64_C(1) << SIZE_SHIFT_PROMISED) {
		assert_int_equal(plan.page_shift, largest_shift(trial, backing));
	}
	make(trial, &plan);
}

static void try_all_memories(struct trial *trial, uint64_t backing)
{
	for (unsigned int shift = SIZE_SHIFT_FIRST; shift <= SIZE_SHIFT_LAST; shift++) {
		uint64_t size = UINT64_C(1) << shift;
		const uint64_t memories[] = {size, size / 4 * 3, size + backing, size - backing,
					     size + size / 2 + 3 * backing};

		for (size_t i = 0; i < sizeof(memories) / sizeof(memories[0]); i++) {
			/* Less than a page is no memory, and wraps. */
			if (memories[i] >= backing && memories[i] <= 2 * size) {
				try_memory(trial, memories[i], backing);
			}
		}
	}
}

static void try_host(const char *name, unsigned int page_size)
{
	struct trial trial;

	open_trial(&trial, name, page_size);
	assert_int_equal(remove_window(trial.fixture, 0), 0);
	for (size_t i = 0; i < BACKING_COUNT; i++) {
		if (backings[i] >= page_size) {
			try_all_memories(&trial, backings[i]);
		}
	}
	assert_true(trial.made > 300);
	assert_true(trial.impossible > 100);
	close_trial(&trial);
}

static void test_h29_first_create_succeeds(void **state)
{
	(void)state;
	for (size_t i = 0; i < NAME_COUNT; i++) {
		try_host(names[i], 4096);
		try_host(names[i], 65536);
	}
}

/* As the very first use of a container: the kernel makes the default window as well (H27). */
static void try_beside_default(const char *name, unsigned int page_size, uint64_t memory)
{
	const struct window_request open = {.size = 0};
	struct memory_outlook outlook = outlook_of(memory, page_size);
	struct trial trial;
	struct window_plan plan;
	uint64_t default_bytes;

	open_trial(&trial, name, page_size);
	default_bytes = table_locked_bytes(&trial.host.rules, 12,
					   trial.fixture->host->phbs[0].dma32_size, 1);
	if (planner_plan(&trial.host, &outlook, &no_limits, &open, &plan, NULL) == 0) {
		uint64_t start = 0;

		assert_int_equal(
			create(trial.fixture, plan.page_shift, plan.size, plan.levels, &start), 0);
		assert_int_equal(start, SECOND_WINDOW);
		assert_int_equal(locked(trial.fixture), plan.locked_bytes + default_bytes);
	}
	close_trial(&trial);
}

static void test_h27_first_create_beside_the_default_window(void **state)
{
	(void)state;
	for (size_t i = 0; i < NAME_COUNT; i++) {
		for (unsigned int shift = SIZE_SHIFT_FIRST; shift <= SIZE_SHIFT_PROMISED;
		     shift += 4) {
			try_beside_default(names[i], 4096, UINT64_C(1) << shift);
			try_beside_default(names[i], 65536, UINT64_C(1) << shift);
		}
	}
}

/* Every choice that is said to be legal is made, and no other that has few enough TCEs. */
static void try_choices(struct trial *trial, uint64_t memory)
{
	const struct window_request open = {.size = 0};
	struct memory_outlook outlook = outlook_of(memory, GIB);
	struct window_choice choices[WORKER_CHOICES_MAX];
	unsigned int count = planner_choices(&trial->host, &outlook, &no_limits, &open, choices);

	for (unsigned int i = 0; i < count; i++) {
		const struct window_choice *choice = &choices[i];
		struct window_plan plan = {
			.size = choice->size,
			.page_shift = choice->page_shift,
			.levels = choice->levels,
			.locked_bytes = choice->locked_bytes,
		};

		if (choice->code == ERROR_NONE) {
			make(trial, &plan);
		} else if (choice->code != ERROR_QUOTA_EXCEEDED) {
			assert_false(kernel_makes(trial, choice->page_shift, choice->size,
						  choice->levels));
			trial->impossible++;
		}
	}
}

static void test_h31_choices_are_what_the_kernel_takes(void **state)
{
	unsigned int impossible = 0;

	(void)state;
	for (size_t i = 0; i < NAME_COUNT; i++) {
		for (unsigned int page_size = 4096; page_size <= 65536; page_size *= 16) {
			struct trial trial;

			open_trial(&trial, names[i], page_size);
			assert_int_equal(remove_window(trial.fixture, 0), 0);
			for (unsigned int shift = 12; shift < 60; shift++) {
				try_choices(&trial, UINT64_C(1) << shift);
			}
			assert_true(trial.made > 40);
			impossible += trial.impossible;
			close_trial(&trial);
		}
	}
	assert_true(impossible > 100);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_h29_first_create_succeeds),
		cmocka_unit_test(test_h27_first_create_beside_the_default_window),
		cmocka_unit_test(test_h31_choices_are_what_the_kernel_takes),
	};

	return cmocka_run_group_tests_name("planner-hosts", tests, NULL, NULL);
}
