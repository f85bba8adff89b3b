/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "spapr/guest_tree.h"

#include <inttypes.h>
#include <libfdt.h>

#define PAGE_SHIFT_4K  12U
#define PAGE_SHIFT_MAX 63U

/* The windows by the property that says them; NULL for those left out. */
struct guest_node {
	const struct guest_window *low;
	const struct guest_window *dma64;
	const struct guest_window *direct64;
};

static int check_window(const struct guest_window *window, struct error *error)
{
	struct range range = window->range;

	if (!range_is_valid(range.start, range.size) || window->page_shift < PAGE_SHIFT_4K ||
	    window->page_shift > PAGE_SHIFT_MAX ||
	    !is_aligned(range.start | range.size, UINT64_C(1) << window->page_shift)) {
		return error_set(error, ERROR_INVALID_ARGUMENT, 0,
				 "%s is no window with page shift %" PRIu32,
				 range_format(range).text, window->page_shift);
	}
	return 0;
}

static int check_liobns(const struct guest_window *windows, unsigned int count, struct error *error)
{
	for (unsigned int i = 1; i < count; i++) {
		for (unsigned int j = 0; j < i; j++) {
			if (windows[i].liobn == windows[j].liobn) {
				return error_set(
					error, ERROR_INVALID_ARGUMENT, 0,
					"the windows %s and %s have the same liobn 0x%" PRIx32,
					range_format(windows[j].range).text,
					range_format(windows[i].range).text, windows[i].liobn);
			}
		}
	}
	return 0;
}

/* What ibm,dma-window can say, and a guest's 32-bit devices can use. */
static bool is_low(const struct guest_window *window)
{
	return window->page_shift == PAGE_SHIFT_4K && range_last(window->range) <= UINT32_MAX;
}

static int place_high(const struct guest_window *window, const char *property,
		      const struct guest_window **place, struct error *error)
{
	if (!is_power_of_two(window->range.size)) {
		return error_set(error, ERROR_UNSUPPORTED, 0,
				 "the window %s has a size that is no power of two, which %s can't "
				 "say",
				 range_format(window->range).text, property);
	}
	if (*place) {
		return error_set(
			error, ERROR_UNSUPPORTED, 0,
			"the windows %s and %s both need the property %s, of which a guest "
			"reads one; remove one of them",
			range_format((*place)->range).text, range_format(window->range).text,
			property);
	}
	*place = window;
	return 0;
}

static int place_windows(const struct guest_window *windows, unsigned int count,
			 struct guest_node *node, struct error *error)
{
	for (unsigned int i = 0; i < count; i++) {
		const struct guest_window *window = &windows[i];
		int r = check_window(window, error);

		if (r) {
			return r;
		}
		if (!node->low && is_low(window)) {
			node->low = window;
		} else if (window->direct) {
			r = place_high(window, GUEST_TREE_DIRECT64, &node->direct64, error);
		} else {
			r = place_high(window, GUEST_TREE_DMA64, &node->dma64, error);
		}
		if (r) {
			return r;
		}
	}
	return 0;
}

/* These return 0 or what libfdt says. */

static int put_low(void *tree, const struct guest_window *window)
{
	uint64_t start = window->range.start;
	uint64_t size = window->range.size;
	fdt32_t cells[GUEST_TREE_WINDOW_CELLS] = {
		cpu_to_fdt32(window->liobn),   cpu_to_fdt32((uint32_t)(start >> 32)),
		cpu_to_fdt32((uint32_t)start), cpu_to_fdt32((uint32_t)(size >> 32)),
		cpu_to_fdt32((uint32_t)size),
	};
	int r = fdt_property_u32(tree, GUEST_TREE_START_CELLS, 2);

	if (r == 0) {
		r = fdt_property_u32(tree, GUEST_TREE_SIZE_CELLS, 2);
	}
	return r ? r : fdt_property(tree, GUEST_TREE_DMA_WINDOW, cells, sizeof(cells));
}

static int put_high(void *tree, const char *property, const struct guest_window *window)
{
	uint64_t start = window->range.start;
	fdt32_t cells[] = {
		cpu_to_fdt32(window->liobn),           0,
		cpu_to_fdt32((uint32_t)(start >> 32)), cpu_to_fdt32((uint32_t)start),
		cpu_to_fdt32(window->page_shift),      cpu_to_fdt32(floor_log2(window->range.size)),
	};

	_Static_assert(sizeof(cells) == GUEST_TREE_DMA64_BYTES, "as Linux lays it out");
	return fdt_property(tree, property, cells, sizeof(cells));
}

static int put_windows(void *tree, const struct guest_node *node)
{
	int r = 0;

	if (node->low) {
		r = put_low(tree, node->low);
	}
	if (r == 0 && node->direct64) {
		r = put_high(tree, GUEST_TREE_DIRECT64, node->direct64);
	}
	if (r == 0 && node->dma64) {
		r = put_high(tree, GUEST_TREE_DMA64, node->dma64);
	}
	return r;
}

static int put_tree(void *tree, const struct guest_node *node)
{
	int r = fdt_create(tree, GUEST_TREE_MAX);

	if (r == 0) {
		r = fdt_finish_reservemap(tree);
	}
	if (r == 0) {
		r = fdt_begin_node(tree, "");
	}
	if (r == 0) {
		r = fdt_begin_node(tree, &GUEST_TREE_NODE[1]);
	}
	if (r == 0) {
		r = put_windows(tree, node);
	}
	if (r == 0) {
		r = fdt_end_node(tree);
	}
	if (r == 0) {
		r = fdt_end_node(tree);
	}
	return r ? r : fdt_finish(tree);
}

int guest_tree_make(const struct guest_window *windows, unsigned int count,
		    unsigned char ret_tree[GUEST_TREE_MAX], size_t *ret_size, struct error *error)
{
	uint64_t tree[GUEST_TREE_MAX / sizeof(uint64_t)]; /* libfdt wants it aligned */
	struct guest_node node = {.low = NULL};
	int r;

	if (count == 0) {
		return error_set(error, ERROR_NOT_FOUND, 0,
				 "there are no windows to describe; attach a group or create one");
	}
	r = place_windows(windows, count, &node, error);
	if (r == 0) {
		r = check_liobns(windows, count, error);
	}
	if (r) {
		return r;
	}
	r = put_tree(tree, &node);
	if (r != 0) {
		return error_set(error, ERROR_KERNEL, 0, "can't make the device tree: %s",
				 fdt_strerror(r));
	}
	memcpy(ret_tree, tree, fdt_totalsize(tree));
	*ret_size = fdt_totalsize(tree);
	return 0;
}
