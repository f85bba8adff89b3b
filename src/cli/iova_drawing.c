/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/iova_drawing.h"

#include <inttypes.h>
#include <string.h>

#include "cli/text.h"

#define INDENT    2
#define CELLS_MAX (TERMINAL_WIDTH_MAX - INDENT)

enum shade {
	SHADE_EMPTY,
	SHADE_THIRD,
	SHADE_TWO_THIRDS,
	SHADE_MOST,
	SHADE_FULL,
};

struct drawing {
	FILE *file;
	const struct terminal *terminal;
	const struct range *mappings;
	size_t mapping_count;
};

/* One window, cut into cells. */
struct bar {
	struct range window;
	unsigned int cell_shift;
	unsigned int cell_count;
	uint64_t mapped[CELLS_MAX]; /* bytes in each cell */
};

static const char *shade_symbol(const struct terminal *terminal, enum shade shade)
{
	switch (shade) {
	case SHADE_EMPTY:
		return terminal->utf8 ? "·" : ".";
	case SHADE_THIRD:
		return terminal->utf8 ? "░" : "-";
	case SHADE_TWO_THIRDS:
		return terminal->utf8 ? "▒" : "+";
	case SHADE_MOST:
		return terminal->utf8 ? "▓" : "*";
	case SHADE_FULL:
		return terminal->utf8 ? "█" : "#";
	}
	return "?";
}

static const char *bar_edge(const struct terminal *terminal)
{
	return terminal->utf8 ? "│" : "|";
}

/* -- bars -- */

/* Counts cells of 2^shift bytes; the last one may reach beyond the window. */
static uint64_t count_cells(struct range window, unsigned int shift)
{
	return ((window.size - 1) >> shift) + 1;
}

static void bar_init(struct bar *bar, const struct model_window *window, unsigned int room)
{
	unsigned int shift = window->page_shift;

	while (shift < 63 && count_cells(window->range, shift) > room) {
		shift++;
	}
	*bar = (struct bar){
		.window = window->range,
		.cell_shift = shift,
		.cell_count = (unsigned int)count_cells(window->range, shift),
	};
}

/* The part of a window that a cell stands for. */
static struct range bar_cell(const struct bar *bar, uint64_t cell)
{
	uint64_t offset = cell << bar->cell_shift;
	uint64_t size = UINT64_C(1) << bar->cell_shift;
	uint64_t left = bar->window.size - offset;

	return (struct range){bar->window.start + offset, left < size ? left : size};
}

static uint64_t overlap(struct range a, struct range b)
{
	uint64_t first = a.start > b.start ? a.start : b.start;
	uint64_t last = range_last(a) < range_last(b) ? range_last(a) : range_last(b);

	return first <= last ? last - first + 1 : 0;
}

/* Count what a mapping covers of each cell, up to all of it. */
static void bar_add(struct bar *bar, struct range mapping)
{
	uint64_t first = mapping.start > bar->window.start ? mapping.start : bar->window.start;
	uint64_t cell = (first - bar->window.start) >> bar->cell_shift;

	if (!range_is_valid(mapping.start, mapping.size) || !range_overlaps(mapping, bar->window)) {
		return;
	}
	for (; cell < bar->cell_count; cell++) {
		struct range part = bar_cell(bar, cell);
		uint64_t more = overlap(part, mapping);
		uint64_t room = part.size - bar->mapped[cell];

		if (more == 0) {
			return;
		}
		bar->mapped[cell] += more < room ? more : room;
	}
}

static uint64_t bar_mapped(const struct bar *bar)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < bar->cell_count; i++) {
		sum += bar->mapped[i];
	}
	return sum;
}

static enum shade bar_shade(const struct bar *bar, unsigned int cell)
{
	uint64_t mapped = bar->mapped[cell];
	uint64_t size = bar_cell(bar, cell).size;

	if (mapped == 0) {
		return SHADE_EMPTY;
	}
	if (mapped == size) {
		return SHADE_FULL;
	}
	if (mapped <= size / 3) {
		return SHADE_THIRD;
	}
	return mapped <= size - size / 3 ? SHADE_TWO_THIRDS : SHADE_MOST;
}

/* -- lines -- */

static void draw_bar(const struct drawing *drawing, const struct bar *bar)
{
	const struct terminal *terminal = drawing->terminal;

	(void)fprintf(drawing->file, "%*s%s", INDENT, "", bar_edge(terminal));
	for (unsigned int i = 0; i < bar->cell_count; i++) {
		(void)fputs(shade_symbol(terminal, bar_shade(bar, i)), drawing->file);
	}
	(void)fprintf(drawing->file, "%s\n", bar_edge(terminal));
}

static void draw_window(const struct drawing *drawing, const struct model_window *window)
{
	struct bar bar;

	bar_init(&bar, window, drawing->terminal->width - INDENT - 2);
	for (size_t i = 0; i < drawing->mapping_count; i++) {
		bar_add(&bar, drawing->mappings[i]);
	}
	(void)fprintf(drawing->file, "%*s%s  %s in pages of %s\n", INDENT, "",
		      range_format(window->range).text, size_format(window->range.size).text,
		      size_format(UINT64_C(1) << window->page_shift).text);
	draw_bar(drawing, &bar);
	(void)fprintf(drawing->file, "%*s%s mapped; one character is %s\n", INDENT + 1, "",
		      size_format(bar_mapped(&bar)).text,
		      size_format(UINT64_C(1) << bar.cell_shift).text);
}

/* What lies between a window and the next one, if anything. */
static void draw_hole(const struct drawing *drawing, struct range below, struct range above)
{
	struct range hole = {.start = below.start + below.size};

	if (above.start <= range_last(below) || above.start == hole.start) {
		return;
	}
	hole.size = above.start - hole.start;
	(void)fprintf(drawing->file, "%*s%s  a hole of %s\n", INDENT, "",
		      drawing->terminal->utf8 ? "⋮" : ":", size_format(hole.size).text);
}

static void draw_legend(const struct drawing *drawing)
{
	static const char *const words[] = {
		[SHADE_EMPTY] = "not mapped",  [SHADE_THIRD] = "to 1/3",
		[SHADE_TWO_THIRDS] = "to 2/3", [SHADE_MOST] = "more",
		[SHADE_FULL] = "all",
	};

	(void)fprintf(drawing->file, "%*s", INDENT - 1, "");
	for (enum shade shade = SHADE_EMPTY; shade <= SHADE_FULL; shade++) {
		(void)fprintf(drawing->file, " %s %s%s", shade_symbol(drawing->terminal, shade),
			      words[shade], shade < SHADE_FULL ? " " : "\n");
	}
}

void iova_drawing_print(FILE *file, const struct terminal *terminal,
			const struct model_windows *windows, const struct range *mappings,
			size_t mapping_count)
{
	struct drawing drawing = {file, terminal, mappings, mapping_count};

	if (windows->count == 0) {
		(void)fprintf(file, "%*sno windows\n", INDENT, "");
		return;
	}
	for (size_t i = 0; i < windows->count; i++) {
		if (i > 0) {
			draw_hole(&drawing, windows->items[i - 1].range, windows->items[i].range);
		}
		draw_window(&drawing, &windows->items[i]);
	}
	draw_legend(&drawing);
}
