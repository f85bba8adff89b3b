/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Windows: the slots of a host, what policy and callers do with the default window, and what a
 * guest is told of them. */
#include <libfdt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dma.h"
#include "world.h"

#define MEMORY_SIZE   (UINT64_C(16) << 20)
#define IDENTITY      2U
#define REPLACE       1U
#define SECOND_SLOT   (UINT64_C(1) << 59)
#define WINDOWS_MAX   4
#define DMA64_BYTES   24
#define TREE_MAX      4096
#define FIRST_LIOBN   0x80000000U
#define POLICY(value) "[window]\ndefault-window = " value "\n"

/* An address space with a group in it and memory, which is what any mapping needs. */
struct stage {
	const struct world *world;
	const struct lab_host *host;
	DBusConnection *client;
	char *space;
	int fd;
	struct window wanted; /* as a test asks for one */
};

/* Larger than a default window: an LPAR takes others with 4 KiB pages for that. Not larger than
 * need be: its kernel looks at each TCE when a window goes. */
static struct window wanted_window(const struct lab_host *host)
{
	uint64_t size = host->has_tce ? 2 * host->default_window : UINT64_C(1) << 29;

	return (struct window){WINDOW_ANYWHERE, size, 12, 0};
}

static void stage_open(struct stage *stage, const struct world *world)
{
	*stage = (struct stage){
		.world = world,
		.host = world->host,
		.client = world->client,
		.wanted = wanted_window(world->host),
	};
	stage->space = space_create(stage->client, "windows");
	stage->fd = memory_new(MEMORY_SIZE);
	attach(stage->client, stage->space, stage->host->edu, NULL);
	(void)add_memory(stage->client, stage->space, stage->fd, 0, 0, MEMORY_SIZE, 0, NULL);
}

static void stage_close(struct stage *stage)
{
	space_close(stage->client, stage->space);
	(void)close(stage->fd);
	wait_until_nothing_is_left(stage->world);
}

/* The property Windows. How many there are. */
static unsigned int read_windows(const struct stage *stage, struct window ret_windows[WINDOWS_MAX])
{
	DBusMessage *reply =
		get_property(stage->client, stage->space, BUS_INTERFACE_SPACE, "Windows");
	unsigned int count = 0;
	DBusMessageIter iter;
	DBusMessageIter variant;
	DBusMessageIter array;

	assert_true(dbus_message_iter_init(reply, &iter));
	dbus_message_iter_recurse(&iter, &variant);
	dbus_message_iter_recurse(&variant, &array);
	for (; dbus_message_iter_get_arg_type(&array) != DBUS_TYPE_INVALID; count++) {
		struct window *window = &ret_windows[count];
		DBusMessageIter entry;

		assert_true(count < WINDOWS_MAX);
		dbus_message_iter_recurse(&array, &entry);
		dbus_message_iter_get_basic(&entry, &window->start);
		(void)dbus_message_iter_next(&entry);
		dbus_message_iter_get_basic(&entry, &window->size);
		(void)dbus_message_iter_next(&entry);
		dbus_message_iter_get_basic(&entry, &window->page_shift);
		(void)dbus_message_iter_next(&entry);
		dbus_message_iter_get_basic(&entry, &window->levels);
		(void)dbus_message_iter_next(&array);
	}
	dbus_message_unref(reply);
	return count;
}

static unsigned int count_windows(const struct stage *stage)
{
	return get_count(stage->client, stage->space, BUS_INTERFACE_SPACE, "Windows");
}

/* Windows says what CreateWindow answered. */
static void check_published(const struct stage *stage, struct window window)
{
	struct window windows[WINDOWS_MAX] = {{.start = 0}};
	unsigned int count = read_windows(stage, windows);

	for (unsigned int i = 0; i < count; i++) {
		if (windows[i].start == window.start) {
			assert_int_equal(windows[i].size, window.size);
			assert_int_equal(windows[i].page_shift, window.page_shift);
			assert_int_equal(windows[i].levels, window.levels);
			return;
		}
	}
	fail_msg("the window at 0x%llx is not in Windows", (unsigned long long)window.start);
}

/* CreateWindow with flag 1. */
static struct window replace_default(const struct stage *stage, struct window wanted,
				     const char *refusal)
{
	const dbus_uint32_t flags = REPLACE;
	struct window window = {.size = 0};
	DBusMessage *reply =
		call(stage->client, stage->space, BUS_INTERFACE_SPACE, "CreateWindow", refusal,
		     DBUS_TYPE_UINT64, &wanted.start, DBUS_TYPE_UINT64, &wanted.size,
		     DBUS_TYPE_UINT32, &wanted.page_shift, DBUS_TYPE_UINT32, &wanted.levels,
		     DBUS_TYPE_UINT32, &flags, DBUS_TYPE_INVALID);

	if (reply) {
		assert_true(dbus_message_get_args(reply, NULL, DBUS_TYPE_UINT64, &window.start,
						  DBUS_TYPE_UINT64, &window.size, DBUS_TYPE_UINT32,
						  &window.page_shift, DBUS_TYPE_UINT32,
						  &window.levels, DBUS_TYPE_INVALID));
		dbus_message_unref(reply);
	}
	return window;
}

static void check_says(const char *part)
{
	if (!strstr(last_error_text(), part)) {
		fail_msg("\"%s\" doesn't say \"%s\"", last_error_text(), part);
	}
}

/* Where the first window starts once the default one is gone. */
static uint64_t first_start(const struct lab_host *host)
{
	return host->windows_without_default == 1 ? SECOND_SLOT : 0;
}

static bool is_lpar(const struct lab_host *host)
{
	return host->has_tce && host->windows_without_default == 1;
}

/* Something is mapped there, and taken away again. */
static void use_window(const struct stage *stage, struct window window)
{
	map(stage->client, stage->space, window.start, 0, 0x10000, PROT_DEVICE_BOTH, NULL);
	unmap(stage->client, stage->space, window.start, 0x10000, NULL);
}

/* -- the slots -- */

static void test_windows_are_published(void **state)
{
	const struct world *world = *state;
	struct window windows[WINDOWS_MAX] = {{.start = 0}};
	struct stage stage;

	stage_open(&stage, world);
	assert_int_equal(read_windows(&stage, windows), stage.host->default_windows);
	assert_int_equal(windows[0].start, 0);
	assert_int_equal(windows[0].size, stage.host->default_window);
	assert_int_equal(windows[0].page_shift, 12);
	assert_int_equal(windows[0].levels, 1);
	if (stage.host->default_windows > 1) {
		assert_int_equal(windows[1].start, stage.host->second_window);
	}
	stage_close(&stage);
}

static void test_both_slots(void **state)
{
	const struct world *world = *state;
	struct window made[2];
	struct stage stage;

	skip_without_tce(world);
	stage_open(&stage, world);
	made[0] = create_window(stage.client, stage.space, stage.wanted, NULL);
	assert_int_equal(made[0].start, stage.host->second_window);
	check_published(&stage, made[0]);
	(void)create_window(stage.client, stage.space, stage.wanted, "NoWindowLeft");
	remove_window(stage.client, stage.space, 0, NULL);
	remove_window(stage.client, stage.space, made[0].start, NULL);
	assert_int_equal(count_windows(&stage), 0);
	for (uint32_t i = 0; i < stage.host->windows_without_default; i++) {
		made[i] = create_window(stage.client, stage.space, stage.wanted, NULL);
		assert_int_equal(made[i].start, i == 0 ? first_start(stage.host) : SECOND_SLOT);
		check_published(&stage, made[i]);
		use_window(&stage, made[i]);
	}
	(void)create_window(stage.client, stage.space, stage.wanted, "NoWindowLeft");
	assert_int_equal(count_windows(&stage), stage.host->windows_without_default);
	stage_close(&stage);
}

/* A slot that is free again is used again, and so a window comes where it was. */
static void test_windows_come_again(void **state)
{
	const struct world *world = *state;
	struct window window;
	struct stage stage;

	skip_without_tce(world);
	stage_open(&stage, world);
	remove_window(stage.client, stage.space, 0, NULL);
	for (int i = 0; i < 3; i++) {
		window = create_window(stage.client, stage.space, stage.wanted, NULL);
		assert_int_equal(window.start, first_start(stage.host));
		use_window(&stage, window);
		remove_window(stage.client, stage.space, window.start, NULL);
	}
	/* As the default one: same size, same pages. An LPAR has it back, too, as long as no other
	 * window is there. */
	window = create_window(stage.client, stage.space,
			       (struct window){0, stage.host->default_window, 12, 1}, NULL);
	assert_int_equal(window.start, 0);
	use_window(&stage, window);
	stage_close(&stage);
}

static void test_other_start_is_refused(void **state)
{
	const struct world *world = *state;
	struct stage stage;

	skip_without_tce(world);
	stage_open(&stage, world);
	stage.wanted.start = UINT64_C(1) << 32;
	(void)create_window(stage.client, stage.space, stage.wanted, "WindowStart");
	check_says("0x100000000");
	check_says("0x800000000000000");
	assert_int_equal(count_windows(&stage), 1);
	stage.wanted.start = SECOND_SLOT;
	assert_int_equal(create_window(stage.client, stage.space, stage.wanted, NULL).start,
			 SECOND_SLOT);
	stage_close(&stage);
}

static void test_mapped_window_stays(void **state)
{
	const struct world *world = *state;
	struct window window;
	struct stage stage;

	stage_open(&stage, world);
	make_room(stage.client, stage.host, stage.space);
	window = create_window(stage.client, stage.space, stage.wanted, NULL);
	map(stage.client, stage.space, window.start, 0, 0x10000, PROT_DEVICE_BOTH, NULL);
	map(stage.client, stage.space, 0x10000, 0, 0x10000, PROT_DEVICE_BOTH, NULL);
	remove_window(stage.client, stage.space, window.start, "MemoryInUse");
	remove_window(stage.client, stage.space, 0, "MemoryInUse");
	check_says("[0x10000, 0x20000)");
	(void)replace_default(&stage, stage.wanted, "MemoryInUse");
	unmap(stage.client, stage.space, window.start, 0x10000, NULL);
	remove_window(stage.client, stage.space, window.start, NULL);
	unmap(stage.client, stage.space, 0x10000, 0x10000, NULL);
	remove_window(stage.client, stage.space, 0, NULL);
	assert_int_equal(count_windows(&stage), 0);
	stage_close(&stage);
}

/* -- the default window -- */

static void test_default_window_is_replaced(void **state)
{
	const struct world *world = *state;
	struct window window;
	struct stage stage;

	stage_open(&stage, world);
	window = replace_default(&stage, stage.wanted, NULL);
	assert_int_equal(count_windows(&stage), stage.host->default_windows);
	assert_int_equal(window.size, stage.wanted.size);
	assert_int_equal(window.page_shift, 12);
	check_published(&stage, window);
	if (stage.host->has_tce) {
		assert_int_equal(window.start, first_start(stage.host));
	}
	use_window(&stage, window);
	stage_close(&stage);
}

/* A start that the platform doesn't give: the default window is there again, and works. */
static void test_replacing_is_taken_back(void **state)
{
	const struct world *world = *state;
	struct window windows[WINDOWS_MAX] = {{.start = 0}};
	struct stage stage;

	skip_without_tce(world);
	stage_open(&stage, world);
	map(stage.client, stage.space, 0, 0, 0x10000, PROT_DEVICE_BOTH, NULL);
	unmap(stage.client, stage.space, 0, 0x10000, NULL);
	stage.wanted.start = UINT64_C(1) << 32;
	(void)replace_default(&stage, stage.wanted, "WindowStart");
	check_says("0x100000000");
	assert_int_equal(read_windows(&stage, windows), 1);
	assert_int_equal(windows[0].start, 0);
	assert_int_equal(windows[0].size, stage.host->default_window);
	use_window(&stage, windows[0]);
	stage_close(&stage);
}

/* The hypervisor gives one window beside the default one, and none when it was asked for more: so
 * it isn't asked. */
static void test_lpar_keeps_its_default_window(void **state)
{
	const struct world *world = *state;
	struct stage stage;

	if (!is_lpar(world->host)) {
		skip_because("the host is no LPAR");
	}
	stage_open(&stage, world);
	(void)create_window(stage.client, stage.space, stage.wanted, NULL);
	(void)replace_default(&stage, stage.wanted, "NoWindowLeft");
	assert_int_equal(count_windows(&stage), 2);
	remove_window(stage.client, stage.space, SECOND_SLOT, NULL);
	assert_int_equal(create_window(stage.client, stage.space, stage.wanted, NULL).start,
			 SECOND_SLOT);
	stage_close(&stage);
}

static void test_policy_keeps(void **state)
{
	const struct world *world = *state;
	struct stage stage;

	set_policy(world, POLICY("keep"), NULL);
	stage_open(&stage, world);
	remove_window(stage.client, stage.space, 0, "Unsupported");
	check_says("default-window = keep");
	(void)replace_default(&stage, stage.wanted, "Unsupported");
	check_says("default-window = keep");
	assert_int_equal(count_windows(&stage), stage.host->default_windows);
	if (stage.host->has_tce) {
		struct window window = create_window(stage.client, stage.space, stage.wanted, NULL);

		remove_window(stage.client, stage.space, window.start, NULL);
	}
	stage_close(&stage);
	set_policy(world, "", NULL);
}

static void test_policy_removes(void **state)
{
	const struct world *world = *state;
	struct window window;
	struct stage stage;

	set_policy(world, POLICY("remove"), NULL);
	stage_open(&stage, world);
	/* Where it could not be had back, it stays. */
	assert_int_equal(count_windows(&stage), is_lpar(stage.host) ? 1 : 0);
	if (!is_lpar(stage.host)) {
		map(stage.client, stage.space, 0, 0, 0x10000, PROT_DEVICE_BOTH, "OutsideWindow");
		window = create_window(stage.client, stage.space, stage.wanted, NULL);
		assert_int_equal(window.start, 0);
		use_window(&stage, window);
		/* A second group has the same windows. */
		attach(stage.client, stage.space, stage.host->nic, NULL);
		assert_int_equal(count_windows(&stage), 1);
		use_window(&stage, window);
	}
	stage_close(&stage);
	set_policy(world, "", NULL);
}

static void test_policy_swaps(void **state)
{
	const struct world *world = *state;
	struct window window;
	struct stage stage;

	set_policy(world, POLICY("swap"), NULL);
	stage_open(&stage, world);
	attach(stage.client, stage.space, stage.host->nic, NULL);
	assert_int_equal(count_windows(&stage), stage.host->default_windows);
	window = create_window(stage.client, stage.space, stage.wanted, NULL);
	if (is_lpar(stage.host)) {
		assert_int_equal(window.start, SECOND_SLOT);
		assert_int_equal(count_windows(&stage), 2);
	} else {
		/* Of several, the largest. */
		assert_int_equal(window.start, stage.host->has_tce ? 0 : stage.host->second_window);
		assert_int_equal(count_windows(&stage), stage.host->default_windows);
	}
	use_window(&stage, window);
	stage_close(&stage);
	set_policy(world, "", NULL);
}

/* -- for a guest -- */

struct tree {
	uint64_t bytes[TREE_MAX / sizeof(uint64_t)]; /* libfdt wants it aligned */
	int node;
};

static void describe(const struct stage *stage, struct tree *ret_tree)
{
	DBusMessage *reply = call(stage->client, stage->space, BUS_INTERFACE_SPACE,
				  "DescribeForGuest", NULL, DBUS_TYPE_INVALID);
	const unsigned char *bytes = NULL;
	int size = 0;

	assert_true(dbus_message_get_args(reply, NULL, DBUS_TYPE_ARRAY, DBUS_TYPE_BYTE, &bytes,
					  &size, DBUS_TYPE_INVALID));
	assert_true((size_t)size <= sizeof(ret_tree->bytes));
	memcpy(ret_tree->bytes, bytes, (size_t)size);
	dbus_message_unref(reply);
	assert_int_equal(fdt_check_full(ret_tree->bytes, (size_t)size), 0);
	ret_tree->node = fdt_path_offset(ret_tree->bytes, "/pci");
	assert_true(ret_tree->node > 0);
}

static uint32_t cell(const void *property, int index)
{
	return fdt32_ld((const fdt32_t *)property + index);
}

/* The guest's properties say what Windows says. */
static void check_described(const struct stage *stage, const struct window *low,
			    const struct window *high)
{
	struct tree tree;
	int size = 0;
	const void *property;

	describe(stage, &tree);
	property = fdt_getprop(tree.bytes, tree.node, "ibm,dma-window", &size);
	assert_int_equal(property != NULL, low != NULL);
	if (low && property) {
		assert_int_equal(size, 5 * 4);
		assert_true(cell(property, 0) >= FIRST_LIOBN);
		assert_int_equal((uint64_t)cell(property, 1) << 32 | cell(property, 2), low->start);
		assert_int_equal((uint64_t)cell(property, 3) << 32 | cell(property, 4), low->size);
	}
	property = fdt_getprop(tree.bytes, tree.node, "linux,dma64-ddr-window-info", &size);
	assert_int_equal(property != NULL, high != NULL);
	if (high && property) {
		assert_int_equal(size, DMA64_BYTES);
		assert_int_equal((uint64_t)cell(property, 2) << 32 | cell(property, 3),
				 high->start);
		assert_int_equal(cell(property, 4), high->page_shift);
		assert_int_equal(UINT64_C(1) << cell(property, 5), high->size);
	}
}

static void refuse_describe(const struct stage *stage, const char *refusal)
{
	assert_null(call(stage->client, stage->space, BUS_INTERFACE_SPACE, "DescribeForGuest",
			 refusal, DBUS_TYPE_INVALID));
}

static void test_guest_is_told(void **state)
{
	const struct world *world = *state;
	struct window low = {0, world->host->default_window, 12, 1};
	struct window high;
	struct stage stage;

	skip_without_tce(world);
	stage_open(&stage, world);
	check_described(&stage, &low, NULL);
	high = create_window(stage.client, stage.space, stage.wanted, NULL);
	check_described(&stage, &low, &high);
	remove_window(stage.client, stage.space, 0, NULL);
	check_described(&stage, NULL, &high);
	remove_window(stage.client, stage.space, high.start, NULL);
	refuse_describe(&stage, "NotFound");
	if (stage.host->windows_without_default == 2) {
		/* More than 32-bit devices reach. */
		stage.wanted.size *= 2;
		(void)create_window(stage.client, stage.space, stage.wanted, NULL);
		(void)create_window(stage.client, stage.space, stage.wanted, NULL);
		/* A guest has one place for such windows. */
		refuse_describe(&stage, "Unsupported");
		check_says("linux,dma64-ddr-window-info");
	}
	stage_close(&stage);
}

/* Memory that is mapped 1:1 in a window at 0 needs no mapping by the guest. */
static void test_guest_is_told_of_direct_memory(void **state)
{
	static const char property[] = "linux,direct64-ddr-window-info";
	const struct world *world = *state;
	struct stage stage = {.world = world, .host = world->host, .client = world->client};
	struct window window;
	struct tree tree;
	int size = 0;

	if (first_start(world->host) != 0 || !world->host->has_tce) {
		skip_because("no window but the default one starts at 0");
	}
	stage.space = space_create(stage.client, "direct");
	stage.fd = memory_new(MEMORY_SIZE);
	attach(stage.client, stage.space, stage.host->edu, NULL);
	window = replace_default(&stage, (struct window){WINDOW_ANYWHERE, UINT64_C(1) << 33, 12, 0},
				 NULL);
	(void)add_memory(stage.client, stage.space, stage.fd, 0, 0, MEMORY_SIZE / 2, IDENTITY,
			 NULL);
	describe(&stage, &tree);
	assert_null(fdt_getprop(tree.bytes, tree.node, "linux,dma64-ddr-window-info", &size));
	assert_non_null(fdt_getprop(tree.bytes, tree.node, property, &size));
	assert_int_equal(size, DMA64_BYTES);
	/* Not all of it any more. */
	(void)add_memory(stage.client, stage.space, stage.fd, MEMORY_SIZE / 2, MEMORY_SIZE / 2,
			 MEMORY_SIZE / 2, 0, NULL);
	check_described(&stage, NULL, &window);
	stage_close(&stage);
}

static void test_guest_is_told_nothing_of_type1(void **state)
{
	const struct world *world = *state;
	struct stage stage;

	skip_with_tce(world);
	stage_open(&stage, world);
	refuse_describe(&stage, "Unsupported");
	check_says("type1");
	stage_close(&stage);
}

static void test_guest_without_a_group(void **state)
{
	const struct world *world = *state;
	struct stage stage = {.client = world->client};

	stage.space = space_create(world->client, "empty");
	refuse_describe(&stage, "NotFound");
	space_close(world->client, stage.space);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_windows_are_published),
		cmocka_unit_test(test_both_slots),
		cmocka_unit_test(test_windows_come_again),
		cmocka_unit_test(test_other_start_is_refused),
		cmocka_unit_test(test_mapped_window_stays),
		cmocka_unit_test(test_default_window_is_replaced),
		cmocka_unit_test(test_replacing_is_taken_back),
		cmocka_unit_test(test_lpar_keeps_its_default_window),
		cmocka_unit_test(test_policy_keeps),
		cmocka_unit_test(test_policy_removes),
		cmocka_unit_test(test_policy_swaps),
		cmocka_unit_test(test_guest_is_told),
		cmocka_unit_test(test_guest_is_told_of_direct_memory),
		cmocka_unit_test(test_guest_is_told_nothing_of_type1),
		cmocka_unit_test(test_guest_without_a_group),
	};

	return cmocka_run_group_tests_name("windows", tests, world_start, world_stop);
}
