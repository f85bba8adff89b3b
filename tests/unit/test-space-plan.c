/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is planned is what is made: for many address spaces on the simulated hosts, Plan and
 * CreateWindow of the same request give the same window for the same locked memory, or neither
 * gives any, and then the kernel hasn't been asked.
 */
#include <fcntl.h>

#include "common/worker_protocol.h"
#include "sim_fixture.h"
#include "spapr/tce_v1.h"
#include "spapr/tce_v2.h"
#include "vfio/space.h"
#include "vfio/type1.h"

#define GIB          UINT64_C(0x40000000)
#define TIB          (1024 * GIB)
#define SECTION_SIZE (2 * MIB)

/* A simulated host and an address space on it. */
struct scene {
	struct kernel *kernel;
	struct space *space;
	pid_t simhost;
	unsigned int made;
	unsigned int refused;
};

/* The page sizes that the container of group 1 claims to have; 0: its own. */
static uint64_t pages_of_group_1;

/* As a worker has them. */
static int open_container(struct kernel *kernel, const struct container_request *request,
			  struct container **ret_container, struct error *error)
{
	static const struct container_kind *const kinds[] = {
		&tce_v2_kind, &tce_v1_kind, &type1v2_kind, &type1_kind, NULL,
	};

	int r = container_open(kernel, kinds, request, ret_container, error);

	if (r == 0 && request->group == 1 && pages_of_group_1 != 0) {
		(*ret_container)->capabilities.page_sizes = pages_of_group_1;
	}
	return r;
}

static void scene_open(struct scene *scene, const char *host)
{
	struct space_settings settings = {.open_container = open_container};
	int connection = -1;

	*scene = (struct scene){.made = 0};
	assert_int_equal(sim_launch(simhost_program(), host, &connection, &scene->simhost), 0);
	assert_int_equal(sim_kernel_new(connection, &scene->kernel), 0);
	settings.kernel = scene->kernel;
	settings.locked_limit = scene->kernel->locked_limit;
	assert_int_equal(space_new(&settings, &scene->space), 0);
}

static void scene_close(struct scene *scene)
{
	int status = -1;

	scene->space = space_free(scene->space);
	scene->kernel = kernel_free(scene->kernel);
	assert_int_equal(waitpid(scene->simhost, &status, 0), scene->simhost);
	assert_int_equal(status, 0);
}

static void complete(struct space_change *change, struct space_outcome *ret_outcome)
{
	struct error error = {.text = ""};

	space_change_work(change);
	if (space_change_finish(change, ret_outcome, &error)) {
		fail_msg("%s", error.text);
	}
}

static void attach(struct scene *scene, const char *node, uint32_t group, const char *type)
{
	struct space_attach attach = {
		.container_fd = kernel_open_node(scene->kernel, NODE_CONTAINER),
		.group_fd = kernel_open_node(scene->kernel, node),
		.group = group,
		.container_id = group,
		.iommu_type = type,
	};
	struct space_change *change = NULL;
	struct space_outcome outcome;
	struct error error;

	assert_true(attach.container_fd >= 0 && attach.group_fd >= 0);
	assert_int_equal(space_attach_begin(scene->space, &attach, &change, &error), 0);
	complete(change, &outcome);
}

static uint32_t add_memory(struct scene *scene, uint64_t end)
{
	struct section_request request = {.gpa = end - SECTION_SIZE, .size = SECTION_SIZE};
	cleanup(cleanup_fd) int fd = memfd_create("memory", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	struct space_change *change = NULL;
	struct space_outcome outcome;
	struct error error;

	assert_int_equal(ftruncate(fd, (off_t)SECTION_SIZE), 0);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
	assert_int_equal(space_memory_add_begin(scene->space, fd, &request, &change, &error), 0);
	complete(change, &outcome);
	return outcome.section->id;
}

static void remove_memory(struct scene *scene, uint32_t id)
{
	struct space_change *change = NULL;
	struct space_outcome outcome;
	struct error error;

	assert_int_equal(space_memory_remove_begin(scene->space, id, &change, &error), 0);
	complete(change, &outcome);
}

static uint64_t kernel_locked(const struct scene *scene)
{
	uint64_t bytes = 0;

	assert_int_equal(sim_kernel_locked(scene->kernel, &bytes), 0);
	return bytes;
}

static void plan_window(struct scene *scene, const struct worker_plan *request,
			struct space_plan *ret_plan)
{
	struct error error = {.text = ""};

	if (space_window_plan(scene->space, request, ret_plan, &error)) {
		fail_msg("%s", error.text);
	}
	assert_true(ret_plan->choice_count <= WORKER_CHOICES_MAX);
	assert_true(strlen(ret_plan->explanation) < WORKER_EXPLANATION_MAX);
}

static int create_window(struct scene *scene, const struct worker_plan *request,
			 struct window *ret_window, struct error *error)
{
	struct window_request wanted = {
		.start = WORKER_WINDOW_ANYWHERE,
		.size = request->size,
		.page_shift = request->page_shift,
		.levels = request->levels,
	};

	return space_window_create(scene->space, &wanted, ret_window, error);
}

static unsigned int count_windows(const struct scene *scene)
{
	unsigned int count = 0;

	while (space_window(scene->space, count)) {
		count++;
	}
	return count;
}

/* A window, just as planned, and gone again. */
static void check_made(struct scene *scene, const struct worker_plan *request,
		       const struct window_choice *chosen)
{
	unsigned int count = count_windows(scene);
	uint64_t before = kernel_locked(scene);
	uint64_t made;
	struct window window;
	struct error error = {.text = ""};

	if (create_window(scene, request, &window, &error)) {
		fail_msg("%s", error.text);
	}
	assert_int_equal(chosen->code, ERROR_NONE);
	assert_int_equal(window.range.size, chosen->size);
	assert_int_equal(window.page_shift, chosen->page_shift);
	assert_int_equal(window.levels, chosen->levels);
	assert_int_equal(chosen->tces, chosen->size >> chosen->page_shift);
	made = kernel_locked(scene);
	if (count_windows(scene) > count) {
		assert_int_equal(made, before + chosen->locked_bytes);
	}
	assert_int_equal(space_window_remove(scene->space, window.range.start, &error), 0);
	/* What has taken the place of a default window counts alone. */
	if (count_windows(scene) < count) {
		assert_int_equal(made, kernel_locked(scene) + chosen->locked_bytes);
	}
	scene->made++;
}

/* No window, and nothing that the kernel was asked: that would leave something locked. */
static void check_refused(struct scene *scene, const struct worker_plan *request,
			  const struct space_plan *plan)
{
	uint64_t before = kernel_locked(scene);
	struct window window;
	struct error error = {.text = ""};

	assert_int_not_equal(create_window(scene, request, &window, &error), 0);
	if (!strstr(plan->explanation, error.text)) {
		print_error("%s\n%s\n", plan->explanation, error.text);
	}
	assert_non_null(strstr(plan->explanation, error.text));
	assert_int_equal(kernel_locked(scene), before);
	scene->refused++;
}

static void compare(struct scene *scene, const struct worker_plan *request)
{
	struct space_plan plan;

	plan_window(scene, request, &plan);
	if (plan.chosen == WORKER_CHOICE_NONE) {
		check_refused(scene, request, &plan);
	} else {
		assert_true(plan.chosen < plan.choice_count);
		check_made(scene, request, &plan.choices[plan.chosen]);
	}
}

/* Each choice is what would be made if it were asked for, but for pages that the memory doesn't
 * hold. */
static void compare_choices(struct scene *scene)
{
	const struct worker_plan open = {.size = 0};
	struct space_plan plan;

	plan_window(scene, &open, &plan);
	for (unsigned int i = 0; i < plan.choice_count; i++) {
		const struct window_choice *choice = &plan.choices[i];
		const struct worker_plan same = {
			.size = choice->size,
			.page_shift = choice->page_shift,
			.levels = choice->levels,
		};
		struct window window;

		if (choice->code == ERROR_NONE) {
			check_made(scene, &same, choice);
		} else if (choice->code != ERROR_PAGE_SIZE) {
			assert_int_equal(create_window(scene, &same, &window, NULL), choice->code);
		}
	}
}

static void compare_requests(struct scene *scene)
{
	static const uint64_t sizes[] = {0, 1, 4096, 3 * MIB, 64 * MIB, 4 * GIB, TIB, 256 * TIB};
	static const uint32_t shifts[] = {0, 12, 16, 21, 24, 30, 13, 64, UINT32_MAX};
	static const uint32_t levels[] = {0, 1, 2, 3, 5, 6, UINT32_MAX};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		for (size_t j = 0; j < sizeof(shifts) / sizeof(shifts[0]); j++) {
			for (size_t k = 0; k < sizeof(levels) / sizeof(levels[0]); k++) {
				compare(scene, &(struct worker_plan){.size = sizes[i],
								     .page_shift = shifts[j],
								     .levels = levels[k]});
			}
		}
	}
}

static void compare_memories(struct scene *scene)
{
	static const uint64_t ends[] = {SECTION_SIZE,     64 * MIB, GIB,     3 * GIB,  4 * GIB,
					64 * GIB,         TIB,      5 * TIB, 64 * TIB, 128 * TIB,
					UINT64_C(1) << 56};
	const struct worker_plan open = {.size = 0};

	compare(scene, &open);
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		uint32_t id = add_memory(scene, ends[i]);

		compare(scene, &open);
		compare_choices(scene);
		remove_memory(scene, id);
	}
}

static void compare_policies(struct scene *scene)
{
	static const struct space_policy policies[] = {
		{.window = {.page_sizes = 0x1000}},
		{.window = {.page_sizes = 0x10000}},
		{.window = {.page_sizes = 0x8000}},
		{.window = {.most_tces = 0x10000}},
		{.window = {.most_tces = UINT64_MAX}},
		{.window = {.table_piece = 0x10000}},
		{.window = {.table_piece = UINT64_MAX}},
		{.default_window = WORKER_DEFAULT_WINDOW_KEEP},
		{.default_window = WORKER_DEFAULT_WINDOW_SWAP},
		{.default_window = WORKER_DEFAULT_WINDOW_AUTO},
	};

	for (size_t i = 0; i < sizeof(policies) / sizeof(policies[0]); i++) {
		space_set_policy(scene->space, &policies[i]);
		compare_memories(scene);
	}
}

/* With the default window's table still to be made, made, and without; or with no way to have more
 * windows, for there are as many as there can be. */
static void compare_all(struct scene *scene)
{
	const struct worker_plan open = {.size = 64 * MIB};
	struct window window;

	compare(scene, &open);
	compare_memories(scene);
	compare_requests(scene);
	compare_policies(scene);
	while (space_window(scene->space, 0)) {
		uint64_t start = space_window(scene->space, 0)->range.start;

		assert_int_equal(space_window_remove(scene->space, start, NULL), 0);
	}
	compare_memories(scene);
	compare_requests(scene);
	while (create_window(scene, &open, &window, NULL) == 0) {
	}
	compare(scene, &open);
	compare_choices(scene);
}

static void try_host(const char *host, const char *const *nodes, unsigned int count)
{
	struct scene scene;

	scene_open(&scene, host);
	for (unsigned int i = 0; i < count; i++) {
		attach(&scene, nodes[i], i, NULL);
	}
	compare_all(&scene);
	assert_true(scene.made > 100);
	assert_true(scene.refused > 100);
	scene_close(&scene);
}

static const char *const groups[] = {"/dev/vfio/0", "/dev/vfio/1"};
static const char *const x86_groups[] = {"/dev/vfio/7", "/dev/vfio/8"};

static void test_powernv8(void **state)
{
	(void)state;
	try_host("powernv8,pace=0", groups, 1);
}

static void test_powernv9(void **state)
{
	(void)state;
	try_host("powernv9,pace=0", groups, 1);
	try_host("powernv9,memlock=16000000,pace=0", groups, 1);
}

static void test_two_containers(void **state)
{
	(void)state;
	try_host("powernv9,pace=0", groups, 2);
	try_host("powernv9,memlock=26000000,pace=0", groups, 2);
}

static void test_powernv10(void **state)
{
	(void)state;
	try_host("powernv10,pace=0", groups, 1);
}

static void test_pseries(void **state)
{
	(void)state;
	try_host("pseries,pace=0", groups, 1);
}

static void test_type1(void **state)
{
	(void)state;
	try_host("x86,pace=0", x86_groups, 1);
	try_host("x86,pace=0", x86_groups, 2);
}

/* The one window of TCE v1 is what it is. */
static void test_tce_v1(void **state)
{
	const struct worker_plan open = {.size = 64 * MIB};
	struct space_plan plan;
	struct scene scene;

	(void)state;
	scene_open(&scene, "powernv9");
	attach(&scene, groups[0], 0, "spapr-tce");
	plan_window(&scene, &open, &plan);
	assert_int_equal(plan.choice_count, 0);
	assert_int_equal(plan.chosen, WORKER_CHOICE_NONE);
	check_refused(&scene, &open, &plan);
	scene_close(&scene);
}

/* -- what is said about it -- */

static void expect_text(const struct space_plan *plan, const char *text)
{
	if (!strstr(plan->explanation, text)) {
		fail_msg("\"%s\" does not say \"%s\"", plan->explanation, text);
	}
}

static void test_explanation(void **state)
{
	struct space_plan plan;
	struct scene scene;

	(void)state;
	scene_open(&scene, "powernv9");
	attach(&scene, groups[0], 0, NULL);
	plan_window(&scene, &(struct worker_plan){.size = 0}, &plan);
	expect_text(&plan, "There is no memory yet");
	expect_text(&plan, "There is no such window. ");
	expect_text(&plan, "add memory first or give a size");
	plan_window(&scene, &(struct worker_plan){.memory = TIB, .backing_page = 0x10000}, &plan);
	expect_text(&plan, "The memory, as assumed, reaches up to 0xffffffffff (1 TiB), and "
			   "allows IOMMU pages of 64 KiB.");
	expect_text(&plan, "Chosen: a window of 1 TiB with IOMMU pages of 64 KiB, 0x1000000 of "
			   "them, and 2 levels.");
	expect_text(&plan, "8 MiB of which are for tables of default windows");
	expect_text(&plan, "Pages of 1 GiB, 2 MiB need memory in pages as large: hugetlbfs "
			   "counts, transparent huge pages don't.");
	expect_text(&plan, "With 1 level the kernel would need 128 MiB of memory in one piece, "
			   "more than it can allocate.");
	plan_window(&scene, &(struct worker_plan){.memory = 64 * TIB}, &plan);
	assert_int_equal(plan.chosen, WORKER_CHOICE_NONE);
	expect_text(&plan, "IOMMU pages of 0x10000 (shift 16) would do, with hugetlbfs pages of "
			   "that size behind the memory");
	plan_window(&scene, &(struct worker_plan){.memory = 4 * GIB}, &plan);
	expect_text(&plan, "With 1 level the kernel would need 8 MiB of memory in one piece, "
			   "which it may not find.");
	plan_window(&scene, &(struct worker_plan){.size = GIB, .page_shift = 21}, &plan);
	expect_text(&plan, "Nothing can be mapped in it before there is memory in pages of 2 MiB");
	scene_close(&scene);
}

/* Groups below different bridges of a host. */
static void test_pages_in_common(void **state)
{
	const struct worker_plan huge = {.memory = GIB, .backing_page = 2 * MIB};
	struct space_plan plan;
	struct scene scene;

	(void)state;
	pages_of_group_1 = 0x11000;
	scene_open(&scene, "powernv9");
	attach(&scene, groups[0], 0, NULL);
	plan_window(&scene, &huge, &plan);
	assert_int_equal(plan.choices[plan.chosen].page_shift, 21);
	attach(&scene, groups[1], 1, NULL);
	plan_window(&scene, &huge, &plan);
	assert_int_equal(plan.choices[plan.chosen].page_shift, 16);
	scene_close(&scene);
	pages_of_group_1 = 0x1000000;
	scene_open(&scene, "powernv9");
	attach(&scene, groups[0], 0, NULL);
	attach(&scene, groups[1], 1, NULL);
	plan_window(&scene, &huge, &plan);
	assert_int_equal(plan.chosen, WORKER_CHOICE_NONE);
	assert_int_equal(plan.choice_count, 0);
	expect_text(&plan, "no IOMMU page size that all containers of the address space have");
	scene_close(&scene);
	pages_of_group_1 = 0;
}

/* A section that no device can reach doesn't count. */
static void test_skipped_memory(void **state)
{
	struct space_plan plan;
	struct scene scene;

	(void)state;
	scene_open(&scene, "powernv9");
	attach(&scene, groups[0], 0, NULL);
	(void)add_memory(&scene, GIB);
	(void)add_memory(&scene, (UINT64_C(1) << 63) + SECTION_SIZE);
	plan_window(&scene, &(struct worker_plan){.size = 0}, &plan);
	assert_int_equal(plan.choices[plan.chosen].size, GIB);
	scene_close(&scene);
}

/* The window takes the place of the default one, whose table isn't made any more. */
static void test_swapped_default_window(void **state)
{
	static const struct space_policy swap = {.default_window = WORKER_DEFAULT_WINDOW_SWAP};
	const struct worker_plan request = {.size = 4 * GIB};
	struct space_plan plan;
	struct scene scene;

	(void)state;
	scene_open(&scene, "powernv9");
	attach(&scene, groups[0], 0, NULL);
	plan_window(&scene, &request, &plan);
	assert_int_equal(plan.choices[plan.chosen].locked_bytes, 16 * MIB + 0x4000 + 8 * MIB);
	expect_text(&plan, "8 MiB of which are for tables of default windows");
	space_set_policy(scene.space, &swap);
	plan_window(&scene, &request, &plan);
	assert_int_equal(plan.choices[plan.chosen].locked_bytes, 16 * MIB + 0x4000);
	assert_null(strstr(plan.explanation, "default window"));
	check_made(&scene, &request, &plan.choices[plan.chosen]);
	assert_int_equal(kernel_locked(&scene), 0);
	scene_close(&scene);
}

/* What can't be had has its price, too: in both containers, with their default windows. */
static void test_cost_of_what_can_not_be_had(void **state)
{
	struct space_plan plan;
	struct scene scene;

	(void)state;
	scene_open(&scene, "powernv9");
	attach(&scene, groups[0], 0, NULL);
	attach(&scene, groups[1], 1, NULL);
	plan_window(&scene, &(struct worker_plan){.size = TIB, .page_shift = 16, .levels = 1},
		    &plan);
	assert_int_equal(plan.choice_count, 1);
	assert_int_equal(plan.choices[0].code, ERROR_TABLE_MEMORY);
	assert_int_equal(plan.choices[0].locked_bytes, UINT64_C(2) * (256 + 8) * MIB);
	scene_close(&scene);
}

static void test_explanation_of_limits(void **state)
{
	static const struct space_policy policy = {.window = {.page_sizes = 0x1000}};
	struct space_plan plan;
	struct scene scene;

	(void)state;
	scene_open(&scene, "powernv9,memlock=16777216");
	attach(&scene, groups[0], 0, NULL);
	plan_window(&scene, &(struct worker_plan){.memory = 4 * GIB}, &plan);
	assert_int_equal(plan.chosen, WORKER_CHOICE_NONE);
	expect_text(&plan, "The window needs 24.0 MiB of locked memory, 0 B are locked, and the "
			   "limit is 16 MiB: raise RLIMIT_MEMLOCK");
	plan_window(&scene, &(struct worker_plan){.memory = 4 * GIB, .backing_page = 2 * MIB},
		    &plan);
	expect_text(&plan, "IOMMU pages of 2 MiB");
	space_set_policy(scene.space, &policy);
	plan_window(&scene, &(struct worker_plan){.memory = GIB, .backing_page = 2 * MIB}, &plan);
	expect_text(&plan, "Pages of 2 MiB, 64 KiB are not for this window: policy, a container");
	scene_close(&scene);
}

static void test_explanation_of_books(void **state)
{
	struct space_plan plan;
	struct scene scene;

	(void)state;
	scene_open(&scene, "x86");
	attach(&scene, x86_groups[0], 0, NULL);
	while (space_window(scene.space, 0)) {
		uint64_t start = space_window(scene.space, 0)->range.start;

		assert_int_equal(space_window_remove(scene.space, start, NULL), 0);
	}
	plan_window(&scene, &(struct worker_plan){.memory = GIB}, &plan);
	expect_text(&plan, "It is an entry in the books only, and locks nothing.");
	scene_close(&scene);
}

static void test_refused_assumptions(void **state)
{
	static const struct worker_plan plans[] = {
		{.memory = 1},
		{.memory = TIB + 0x800},
		{.backing_page = 0x1800},
		{.backing_page = 0x800},
	};
	struct space_plan plan;
	struct error error;
	struct scene scene;

	(void)state;
	scene_open(&scene, "powernv9");
	assert_int_equal(
		space_window_plan(scene.space, &(struct worker_plan){.size = 0}, &plan, &error),
		ERROR_NOT_FOUND);
	attach(&scene, groups[0], 0, NULL);
	for (size_t i = 0; i < sizeof(plans) / sizeof(plans[0]); i++) {
		assert_int_equal(space_window_plan(scene.space, &plans[i], &plan, &error),
				 ERROR_INVALID_ARGUMENT);
	}
	scene_close(&scene);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_powernv8),
		cmocka_unit_test(test_powernv9),
		cmocka_unit_test(test_powernv10),
		cmocka_unit_test(test_pseries),
		cmocka_unit_test(test_two_containers),
		cmocka_unit_test(test_type1),
		cmocka_unit_test(test_tce_v1),
		cmocka_unit_test(test_explanation),
		cmocka_unit_test(test_pages_in_common),
		cmocka_unit_test(test_skipped_memory),
		cmocka_unit_test(test_swapped_default_window),
		cmocka_unit_test(test_cost_of_what_can_not_be_had),
		cmocka_unit_test(test_explanation_of_limits),
		cmocka_unit_test(test_explanation_of_books),
		cmocka_unit_test(test_refused_assumptions),
	};

	return cmocka_run_group_tests_name("space-plan", tests, NULL, NULL);
}
