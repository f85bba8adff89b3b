/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The windows of a guest's bridge, read back with libfdt and by dtc. */
#include "spapr/guest_tree.h"

#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "unit.h"

#define GIB(n) ((uint64_t)(n) << 30)

static const struct guest_window low = {
	.range = {0, GIB(2)}, .page_shift = 12, .liobn = 0x80000000};
static const struct guest_window high = {
	.range = {UINT64_C(1) << 59, GIB(64)}, .page_shift = 16, .liobn = 0x80000001};
static const struct guest_window direct = {.range = {UINT64_C(1) << 40, GIB(16)},
					   .page_shift = 21,
					   .liobn = 0x80000102,
					   .direct = true};

struct tree {
	uint64_t bytes[GUEST_TREE_MAX / sizeof(uint64_t)];
	size_t size;
	struct error error;
};

static int make(struct tree *tree, const struct guest_window *windows, unsigned int count)
{
	return guest_tree_make(windows, count, (unsigned char *)tree->bytes, &tree->size,
			       &tree->error);
}

/* A property of the node, or NULL; its size must be right. */
static const unsigned char *find(const struct tree *tree, const char *name, int size)
{
	int length = 0;
	int node = fdt_path_offset(tree->bytes, GUEST_TREE_NODE);
	const unsigned char *value;

	assert_true(node > 0);
	value = fdt_getprop(tree->bytes, node, name, &length);
	if (value) {
		assert_int_equal(length, size);
	}
	return value;
}

static void check_bytes(const struct tree *tree, const char *name, const unsigned char *bytes,
			int size)
{
	const unsigned char *value = find(tree, name, size);

	assert_non_null(value);
	assert_memory_equal(value, bytes, (size_t)size);
}

static void check_is_sound(const struct tree *tree)
{
	assert_int_equal(fdt_check_header(tree->bytes), 0);
	assert_int_equal(fdt_totalsize(tree->bytes), tree->size);
	assert_int_equal(fdt_check_full(tree->bytes, tree->size), 0);
}

/* Byte by byte, as a guest on any machine reads it. */
static void test_layout(void **state)
{
	static const unsigned char two[] = {0, 0, 0, 2};
	static const unsigned char dma_window[] = {0x80, 0, 0, 0, 0, 0, 0,    0, 0, 0,
						   0,    0, 0, 0, 0, 0, 0x80, 0, 0, 0};
	static const unsigned char dma64[] = {0x80, 0, 0, 1, 0, 0, 0, 0,  0x08, 0, 0, 0,
					      0,    0, 0, 0, 0, 0, 0, 16, 0,    0, 0, 36};
	const struct guest_window windows[] = {low, high};
	struct tree tree;

	(void)state;
	assert_int_equal(make(&tree, windows, 2), 0);
	check_is_sound(&tree);
	check_bytes(&tree, GUEST_TREE_DMA_WINDOW, dma_window, sizeof(dma_window));
	check_bytes(&tree, GUEST_TREE_START_CELLS, two, sizeof(two));
	check_bytes(&tree, GUEST_TREE_SIZE_CELLS, two, sizeof(two));
	check_bytes(&tree, GUEST_TREE_DMA64, dma64, sizeof(dma64));
	assert_null(find(&tree, GUEST_TREE_DIRECT64, 0));
}

static void test_which_property(void **state)
{
	struct guest_window window = high;
	struct tree tree;

	(void)state;
	assert_int_equal(make(&tree, &window, 1), 0);
	assert_null(find(&tree, GUEST_TREE_DMA_WINDOW, 0));
	assert_null(find(&tree, GUEST_TREE_START_CELLS, 0));
	assert_non_null(find(&tree, GUEST_TREE_DMA64, GUEST_TREE_DMA64_BYTES));
	window.direct = true;
	assert_int_equal(make(&tree, &window, 1), 0);
	assert_null(find(&tree, GUEST_TREE_DMA64, 0));
	assert_non_null(find(&tree, GUEST_TREE_DIRECT64, GUEST_TREE_DMA64_BYTES));
	/* Where a 32-bit device reaches it, but with other pages. */
	window = low;
	window.page_shift = 16;
	assert_int_equal(make(&tree, &window, 1), 0);
	assert_null(find(&tree, GUEST_TREE_DMA_WINDOW, 0));
	assert_non_null(find(&tree, GUEST_TREE_DMA64, GUEST_TREE_DMA64_BYTES));
	/* Up to the last 32-bit address, and beyond. */
	window = low;
	window.range = (struct range){GIB(2), GIB(2)};
	assert_int_equal(make(&tree, &window, 1), 0);
	assert_non_null(find(&tree, GUEST_TREE_DMA_WINDOW, 4 * GUEST_TREE_WINDOW_CELLS));
	window.range.size = GIB(4);
	assert_int_equal(make(&tree, &window, 1), 0);
	assert_null(find(&tree, GUEST_TREE_DMA_WINDOW, 0));
	/* ibm,dma-window can say any size. */
	window.range = (struct range){0x10000000, 0x30001000};
	assert_int_equal(make(&tree, &window, 1), 0);
	assert_int_equal(find(&tree, GUEST_TREE_DMA_WINDOW, 20)[18], 0x10);
}

static void test_all_three(void **state)
{
	static const unsigned char direct64[] = {0x80, 0, 1, 2, 0, 0, 0, 0,  0, 0, 1, 0,
						 0,    0, 0, 0, 0, 0, 0, 21, 0, 0, 0, 34};
	const struct guest_window windows[] = {low, high, direct};
	struct tree tree;

	(void)state;
	assert_int_equal(make(&tree, windows, 3), 0);
	check_is_sound(&tree);
	check_bytes(&tree, GUEST_TREE_DIRECT64, direct64, sizeof(direct64));
	assert_non_null(find(&tree, GUEST_TREE_DMA64, GUEST_TREE_DMA64_BYTES));
	assert_non_null(find(&tree, GUEST_TREE_DMA_WINDOW, 20));
}

static void check_refused(const struct guest_window *windows, unsigned int count,
			  enum error_code code, const char *text)
{
	struct tree tree = {.size = 7};

	assert_int_equal(make(&tree, windows, count), code);
	assert_int_equal(tree.size, 7);
	assert_int_equal(tree.bytes[0], 0);
	assert_non_null(strstr(tree.error.text, text));
}

static void test_refusals(void **state)
{
	struct guest_window windows[] = {low, high, direct};

	(void)state;
	check_refused(windows, 0, ERROR_NOT_FOUND, "no windows");
	windows[1].range.size = GIB(48);
	check_refused(windows, 2, ERROR_UNSUPPORTED, "[0x800000000000000, 0x800000c00000000)");
	windows[1] = high;
	windows[2].direct = false;
	check_refused(windows, 3, ERROR_UNSUPPORTED, GUEST_TREE_DMA64);
	windows[1].direct = windows[2].direct = true;
	check_refused(windows, 3, ERROR_UNSUPPORTED, GUEST_TREE_DIRECT64);
	windows[1] = high;
	windows[1].liobn = low.liobn;
	check_refused(windows, 2, ERROR_INVALID_ARGUMENT, "0x80000000");
	windows[0].range.size = 0;
	check_refused(windows, 1, ERROR_INVALID_ARGUMENT, "page shift 12");
	windows[0] = low;
	windows[0].range.start = UINT64_MAX - 0xfff;
	check_refused(windows, 1, ERROR_INVALID_ARGUMENT, "page shift 12");
	windows[0] = low;
	windows[0].range.start = 0x800;
	check_refused(windows, 1, ERROR_INVALID_ARGUMENT, "page shift 12");
	windows[0] = low;
	windows[0].page_shift = 11;
	check_refused(windows, 1, ERROR_INVALID_ARGUMENT, "page shift 11");
	windows[0].page_shift = 64;
	check_refused(windows, 1, ERROR_INVALID_ARGUMENT, "page shift 64");
}

static void test_liobns(void **state)
{
	(void)state;
	assert_int_equal(guest_liobn(0, 0), 0x80000000);
	assert_int_equal(guest_liobn(1, 2), 0x80000102);
	assert_int_equal(guest_liobn(0x7fffff, 0xff), 0xffffffff);
}

/* What dtc says of the tree: the source, or warnings with it. */
static void run_dtc(const struct tree *tree, char *text, size_t size)
{
	char path[] = "/tmp/guest-tree-XXXXXX";
	char command[256];
	int fd = mkstemp(path);
	FILE *pipe;
	size_t length;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, tree->bytes, tree->size), (ssize_t)tree->size);
	assert_int_equal(close(fd), 0);
	(void)snprintf(command, sizeof(command), "'%s' -I dtb -O dts '%s' 2>&1", DTC_PROGRAM, path);
	/* NOLINTNEXTLINE(cert-env33-c): the words are this test's own */
	pipe = popen(command, "re");
	assert_non_null(pipe);
	length = fread(text, 1, size - 1, pipe);
	text[length] = '\0';
	assert_int_equal(pclose(pipe), 0);
	assert_int_equal(unlink(path), 0);
}

static void test_dtc_has_no_warnings(void **state)
{
	static const char *const lines[] = {
		"pci {",
		"ibm,dma-window = <0x80000000 0x00 0x00 0x00 0x80000000>;",
		"ibm,#dma-address-cells = <0x02>;",
		"ibm,#dma-size-cells = <0x02>;",
		"linux,dma64-ddr-window-info = <0x80000001 0x00 0x8000000 0x00 0x10 0x24>;",
		"linux,direct64-ddr-window-info = <0x80000102 0x00 0x100 0x00 0x15 0x22>;",
	};
	const struct guest_window windows[] = {low, high, direct};
	struct tree tree;
	char text[4096];

	(void)state;
	assert_int_equal(make(&tree, windows, 3), 0);
	run_dtc(&tree, text, sizeof(text));
	assert_null(strstr(text, "arning"));
	assert_int_equal(strncmp(text, "/dts-v1/;", 9), 0);
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		if (!strstr(text, lines[i])) {
			fail_msg("\"%s\" is missing in %s", lines[i], text);
		}
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_layout),    cmocka_unit_test(test_which_property),
		cmocka_unit_test(test_all_three), cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_liobns),    cmocka_unit_test(test_dtc_has_no_warnings),
	};

	return cmocka_run_group_tests_name("guest-tree", tests, NULL, NULL);
}
