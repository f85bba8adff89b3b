/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>

#include "unit.h"
#include "vfio/ledger.h"

#define PAGE  0x1000U
#define SLOTS 4096U /* pages that the model knows */

/* The model: each page says which mapping it belongs to by that mapping's first page + 1. */
struct model {
	uint32_t owner[SLOTS];
	uint32_t pages[SLOTS]; /* by first page, 0 if none starts there */
	uint64_t base;
	uint64_t count;
	uint64_t bytes;
};

static uint64_t random_next(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

static struct ledger *ledger_make(void)
{
	struct ledger *ledger = NULL;

	assert_int_equal(ledger_new(&ledger), 0);
	return ledger;
}

static int insert(struct ledger *ledger, uint64_t start, uint64_t size)
{
	struct mapping mapping = {.iova = {start, size}, .gpa = ~start, .prot = 3};

	return ledger_insert(ledger, &mapping, NULL);
}

static void test_empty(void **state)
{
	struct ledger *ledger = ledger_make();
	struct mapping mapping;
	uint64_t hole = 0;

	(void)state;
	assert_true(ledger_is_sound(ledger));
	assert_false(ledger_find(ledger, 0, &mapping));
	assert_false(ledger_next(ledger, 0, &mapping));
	assert_int_equal(ledger_erase(ledger, (struct range){0, PAGE}), -ENOENT);
	assert_int_equal(ledger_cover(ledger, (struct range){PAGE, PAGE}, &hole, NULL),
			 LEDGER_COVER_HOLE);
	assert_int_equal(hole, PAGE);
	assert_int_equal(ledger_count(ledger), 0);
	assert_null(ledger_free(ledger));
	assert_null(ledger_free(NULL));
}

static void test_refuses(void **state)
{
	struct ledger *ledger = ledger_make();
	struct mapping mapping = {.iova = {0x2000, 0x2000}, .gpa = 0x10000, .prot = 1};
	struct mapping overlap = {.prot = 0};

	(void)state;
	assert_int_equal(ledger_insert(ledger, &mapping, NULL), 0);
	assert_int_equal(insert(ledger, 0x1000, 0), -EINVAL);
	assert_int_equal(insert(ledger, UINT64_MAX, 2), -EINVAL);
	mapping.prot = 256;
	assert_int_equal(ledger_insert(ledger, &mapping, NULL), -EINVAL);
	mapping = (struct mapping){.iova = {0x1000, 0x1001}, .gpa = 0, .prot = 1};
	assert_int_equal(ledger_insert(ledger, &mapping, &overlap), -EEXIST);
	assert_int_equal(overlap.iova.start, 0x2000);
	assert_int_equal(overlap.iova.size, 0x2000);
	assert_int_equal(overlap.gpa, 0x10000);
	assert_int_equal(insert(ledger, 0x3fff, 1), -EEXIST);
	assert_int_equal(insert(ledger, 0x1000, 0x1000), 0);
	assert_int_equal(insert(ledger, 0x4000, 0x1000), 0);
	assert_int_equal(ledger_erase(ledger, (struct range){0x2000, 0x1000}), -ENOENT);
	assert_int_equal(ledger_erase(ledger, (struct range){0x3000, 0x1000}), -ENOENT);
	assert_int_equal(ledger_erase(ledger, (struct range){0x2000, 0x2000}), 0);
	assert_int_equal(ledger_bytes(ledger), 0x2000);
	ledger_free(ledger);
}

static void test_last_page(void **state)
{
	struct ledger *ledger = ledger_make();
	uint64_t top = UINT64_MAX - (PAGE - 1);
	struct mapping mapping;

	(void)state;
	assert_int_equal(insert(ledger, top, PAGE), 0);
	assert_int_equal(insert(ledger, UINT64_MAX, 1), -EEXIST);
	assert_true(ledger_find(ledger, UINT64_MAX, &mapping));
	assert_int_equal(mapping.iova.start, top);
	assert_true(ledger_next(ledger, 0, &mapping));
	assert_int_equal(ledger_cover(ledger, (struct range){top, PAGE}, NULL, NULL),
			 LEDGER_COVER_WHOLE);
	assert_true(ledger_is_sound(ledger));
	assert_int_equal(ledger_erase(ledger, (struct range){top, PAGE}), 0);
	assert_true(ledger_is_sound(ledger));
	ledger_free(ledger);
}

/* Everything there is: the first byte of all, the last, and what lies between. */
static void test_whole_address_space(void **state)
{
	struct ledger *ledger = ledger_make();
	struct mapping mapping = {.prot = 0};
	struct ledger_cursor cursor;

	(void)state;
	assert_int_equal(insert(ledger, 1, UINT64_MAX - 1), 0);
	assert_int_equal(insert(ledger, 0, 1), 0);
	assert_int_equal(insert(ledger, UINT64_MAX, 1), 0);
	assert_int_equal(insert(ledger, UINT64_MAX, 1), -EEXIST);
	assert_int_equal(insert(ledger, 0, UINT64_MAX), -EEXIST);
	assert_true(ledger_is_sound(ledger));
	assert_true(ledger_find(ledger, UINT64_MAX - 1, &mapping));
	assert_int_equal(mapping.iova.start, 1);
	assert_true(ledger_next(ledger, UINT64_MAX, &mapping));
	assert_int_equal(mapping.iova.start, UINT64_MAX);
	assert_int_equal(ledger_cover(ledger, (struct range){1, UINT64_MAX}, NULL, NULL),
			 LEDGER_COVER_WHOLE);
	assert_int_equal(ledger_cover(ledger, (struct range){2, UINT64_MAX - 1}, NULL, NULL),
			 LEDGER_COVER_CUT);
	cursor = ledger_seek(ledger, UINT64_MAX - 1);
	assert_true(ledger_step(&cursor, &mapping));
	assert_true(ledger_step(&cursor, &mapping));
	assert_int_equal(mapping.iova.start, UINT64_MAX);
	assert_false(ledger_step(&cursor, &mapping));
	assert_int_equal(ledger_erase(ledger, (struct range){1, UINT64_MAX}), -ENOENT);
	assert_int_equal(ledger_erase(ledger, (struct range){1, UINT64_MAX - 1}), 0);
	assert_int_equal(ledger_cover(ledger, (struct range){UINT64_MAX - 1, 2}, NULL, NULL),
			 LEDGER_COVER_HOLE);
	ledger_free(ledger);
}

static void test_overlaps(void **state)
{
	struct ledger *ledger = ledger_make();
	struct mapping mapping = {.prot = 0};

	(void)state;
	assert_false(ledger_overlaps(ledger, (struct range){0, UINT64_MAX}, &mapping));
	assert_int_equal(insert(ledger, 0x2000, 0x2000), 0);
	assert_int_equal(insert(ledger, 0x8000, 0x1000), 0);
	assert_false(ledger_overlaps(ledger, (struct range){0x1000, 0x1000}, &mapping));
	assert_false(ledger_overlaps(ledger, (struct range){0x4000, 0x4000}, &mapping));
	assert_false(
		ledger_overlaps(ledger, (struct range){0x9000, 0 - UINT64_C(0x9000)}, &mapping));
	assert_true(ledger_overlaps(ledger, (struct range){0x1000, 0x1001}, &mapping));
	assert_int_equal(mapping.iova.start, 0x2000);
	assert_true(ledger_overlaps(ledger, (struct range){0x3fff, 0x8000}, &mapping));
	assert_int_equal(mapping.iova.start, 0x2000);
	assert_true(ledger_overlaps(ledger, (struct range){0x4000, 0x4001}, &mapping));
	assert_int_equal(mapping.iova.start, 0x8000);
	ledger_free(ledger);
}

static void test_cover(void **state)
{
	struct ledger *ledger = ledger_make();
	struct mapping cut;
	uint64_t hole = 0;

	(void)state;
	assert_int_equal(insert(ledger, 0x1000, 0x1000), 0);
	assert_int_equal(insert(ledger, 0x2000, 0x3000), 0);
	assert_int_equal(insert(ledger, 0x6000, 0x1000), 0);
	assert_int_equal(ledger_cover(ledger, (struct range){0x1000, 0x4000}, NULL, NULL),
			 LEDGER_COVER_WHOLE);
	assert_int_equal(ledger_cover(ledger, (struct range){0x1000, 0x6000}, &hole, NULL),
			 LEDGER_COVER_HOLE);
	assert_int_equal(hole, 0x5000);
	assert_int_equal(ledger_cover(ledger, (struct range){0x1000, 0x2000}, NULL, &cut),
			 LEDGER_COVER_CUT);
	assert_int_equal(cut.iova.start, 0x2000);
	assert_int_equal(ledger_cover(ledger, (struct range){0x3000, 0x2000}, NULL, &cut),
			 LEDGER_COVER_CUT);
	assert_int_equal(cut.iova.start, 0x2000);
	assert_int_equal(ledger_cover(ledger, (struct range){0, 0x2000}, &hole, NULL),
			 LEDGER_COVER_HOLE);
	assert_int_equal(hole, 0);
	ledger_free(ledger);
}

static void model_set(struct model *model, uint32_t first, uint32_t pages, uint32_t owner)
{
	for (uint32_t i = first; i < first + pages; i++) {
		model->owner[i] = owner;
	}
	model->pages[first] = owner ? pages : 0;
	model->count += owner ? 1 : (uint64_t)-1;
	model->bytes += owner ? (uint64_t)pages * PAGE : -(uint64_t)pages * PAGE;
}

static uint64_t model_address(const struct model *model, uint32_t page)
{
	return model->base + (uint64_t)page * PAGE;
}

static void model_insert(struct model *model, struct ledger *ledger, uint32_t first, uint32_t pages)
{
	struct mapping mapping = {
		.iova = {model_address(model, first), (uint64_t)pages * PAGE},
		.gpa = first,
		.prot = 1 + first % 3,
	};
	struct mapping overlap;
	uint32_t blocked = 0;
	int r;

	for (uint32_t i = first; i < first + pages && !blocked; i++) {
		blocked = model->owner[i];
	}
	r = ledger_insert(ledger, &mapping, &overlap);
	if (blocked) {
		assert_int_equal(r, -EEXIST);
		assert_int_equal(overlap.iova.start, model_address(model, blocked - 1));
		return;
	}
	assert_int_equal(r, 0);
	model_set(model, first, pages, first + 1);
}

static void model_erase(struct model *model, struct ledger *ledger, uint32_t first, uint32_t pages)
{
	struct range range = {model_address(model, first), (uint64_t)pages * PAGE};

	if (model->pages[first] == pages) {
		assert_int_equal(ledger_erase(ledger, range), 0);
		model_set(model, first, pages, 0);
	} else {
		assert_int_equal(ledger_erase(ledger, range), -ENOENT);
	}
}

static void model_look(const struct model *model, const struct ledger *ledger, uint32_t page)
{
	struct mapping mapping;
	uint32_t owner = model->owner[page];
	uint32_t next = page;

	assert_int_equal(ledger_find(ledger, model_address(model, page) + 5, &mapping), owner != 0);
	if (owner) {
		assert_int_equal(mapping.iova.start, model_address(model, owner - 1));
		assert_int_equal(mapping.iova.size, (uint64_t)model->pages[owner - 1] * PAGE);
		assert_int_equal(mapping.gpa, owner - 1);
		assert_int_equal(mapping.prot, 1 + (owner - 1) % 3);
	}
	while (next < SLOTS && !model->owner[next]) {
		next++;
	}
	assert_int_equal(ledger_next(ledger, model_address(model, page), &mapping), next < SLOTS);
	if (next < SLOTS) {
		assert_int_equal(mapping.iova.start, model_address(model, model->owner[next] - 1));
	}
}

static void model_cover(const struct model *model, const struct ledger *ledger, uint32_t first,
			uint32_t pages)
{
	struct range range = {model_address(model, first), (uint64_t)pages * PAGE};
	enum ledger_cover expected = LEDGER_COVER_WHOLE;

	for (uint32_t i = first; i < first + pages && expected == LEDGER_COVER_WHOLE;) {
		if (!model->owner[i]) {
			expected = LEDGER_COVER_HOLE;
		} else if (!model->pages[i] || i + model->pages[i] > first + pages) {
			expected = LEDGER_COVER_CUT;
		} else {
			i += model->pages[i];
		}
	}
	assert_int_equal(ledger_cover(ledger, range, NULL, NULL), expected);
}

static void model_compare(const struct model *model, const struct ledger *ledger)
{
	struct ledger_cursor cursor = ledger_seek(ledger, 0);
	struct mapping mapping;

	assert_true(ledger_is_sound(ledger));
	assert_int_equal(ledger_count(ledger), model->count);
	assert_int_equal(ledger_bytes(ledger), model->bytes);
	for (uint32_t i = 0; i < SLOTS; i++) {
		if (model->pages[i]) {
			assert_true(ledger_step(&cursor, &mapping));
			assert_int_equal(mapping.iova.start, model_address(model, i));
		}
	}
	assert_false(ledger_step(&cursor, &mapping));
}

/* One run leans to inserts, then to erases, so that the tree grows and shrinks. */
static void model_run(uint64_t seed, uint32_t longest)
{
	struct model *model = calloc(1, sizeof(*model));
	struct ledger *ledger = ledger_make();

	assert_non_null(model);
	model->base = seed % 2 ? 0 : 0 - (uint64_t)SLOTS * PAGE;
	for (unsigned int i = 0; i < 12000; i++) {
		uint32_t first = (uint32_t)(random_next(&seed) % SLOTS);
		uint32_t pages = 1 + (uint32_t)(random_next(&seed) % longest);
		uint32_t owner = model->owner[first];

		pages = first + pages > SLOTS ? SLOTS - first : pages;
		if (random_next(&seed) % 8 < (i % 6000 < 3000 ? 6 : 2)) {
			model_insert(model, ledger, first, pages);
		} else if (owner && random_next(&seed) % 4) {
			model_erase(model, ledger, owner - 1, model->pages[owner - 1]);
		} else {
			model_erase(model, ledger, first, pages);
		}
		model_look(model, ledger, (uint32_t)(random_next(&seed) % SLOTS));
		model_cover(model, ledger, first, pages);
		if (i % 500 == 0) {
			model_compare(model, ledger);
		}
	}
	for (uint32_t i = 0; i < SLOTS; i++) {
		if (model->pages[i]) {
			model_erase(model, ledger, i, model->pages[i]);
		}
	}
	model_compare(model, ledger);
	ledger_free(ledger);
	free(model);
}

static void test_against_model(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 24; seed++) {
		model_run(seed * 0x9e3779b97f4a7c15U,
			  seed % 3 == 0 ? 24 : 1 + (uint32_t)(seed % 3));
	}
}

static void test_orders(void **state)
{
	const uint64_t count = 100000;

	(void)state;
	for (int order = 0; order < 2; order++) {
		struct ledger *ledger = ledger_make();

		for (uint64_t i = 0; i < count; i++) {
			uint64_t page = order ? count - i : i;

			assert_int_equal(insert(ledger, page * PAGE, PAGE), 0);
		}
		assert_true(ledger_is_sound(ledger));
		/* Every 70th stays: sparse leaves have to merge. */
		for (uint64_t i = 0; i < count; i++) {
			uint64_t page = order ? count - i : i;

			if (i % 70) {
				assert_int_equal(
					ledger_erase(ledger, (struct range){page * PAGE, PAGE}), 0);
			}
		}
		assert_true(ledger_is_sound(ledger));
		assert_int_equal(ledger_count(ledger), (count + 69) / 70);
		ledger_free(ledger);
	}
}

static unsigned int allocations_left;

static void *allocate_few(size_t size)
{
	return allocations_left-- > 0 ? malloc(size) : (allocations_left = 0, NULL);
}

static void test_lack_of_memory(void **state)
{
	struct ledger *ledger = ledger_make();
	uint64_t failures = 0;
	uint64_t seed = 42;

	(void)state;
	ledger_set_allocator(ledger, allocate_few);
	for (uint64_t i = 0; i < 20000; i++) {
		uint64_t page = random_next(&seed) % 1000000;
		uint64_t count = ledger_count(ledger);
		uint64_t bytes = ledger_bytes(ledger);
		struct mapping mapping;
		int r;

		if (ledger_find(ledger, page * PAGE, &mapping)) {
			continue;
		}
		for (unsigned int allowed = 0;; allowed++) {
			allocations_left = allowed;
			r = insert(ledger, page * PAGE, PAGE);
			if (r == 0) {
				break;
			}
			assert_int_equal(r, -ENOMEM);
			failures++;
			assert_int_equal(ledger_count(ledger), count);
			assert_int_equal(ledger_bytes(ledger), bytes);
			assert_false(ledger_find(ledger, page * PAGE, &mapping));
			assert_true(ledger_is_sound(ledger));
		}
	}
	assert_true(failures > 300);
	assert_true(ledger_is_sound(ledger));
	ledger_free(ledger);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty),          cmocka_unit_test(test_refuses),
		cmocka_unit_test(test_last_page),      cmocka_unit_test(test_whole_address_space),
		cmocka_unit_test(test_overlaps),       cmocka_unit_test(test_cover),
		cmocka_unit_test(test_against_model),  cmocka_unit_test(test_orders),
		cmocka_unit_test(test_lack_of_memory),
	};

	return cmocka_run_group_tests_name("ledger", tests, NULL, NULL);
}
