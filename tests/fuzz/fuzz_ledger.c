/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The mapping ledger against a model of it: a table that says of each slot whose it is. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz/fuzz.h"
#include "vfio/ledger.h"

#define SLOTS 2048U

/* Bytes of an operation: what, where (two), how much. */
#define OPERATION_SIZE 4U

/* Operations between two looks at everything. */
#define LOOK_EVERY 64U

struct model {
	struct ledger *ledger;
	uint64_t base;         /* the slots begin at 0, or end at 2^64 */
	uint64_t unit;         /* bytes of a slot */
	uint16_t owner[SLOTS]; /* the mapping's first slot + 1, or 0 */
	uint16_t slots[SLOTS]; /* of the mapping that starts there, or 0 */
	uint64_t count;
};

static struct range range_of(const struct model *model, uint32_t first, uint32_t slots)
{
	return (struct range){model->base + first * model->unit, slots * model->unit};
}

static void set_owner(struct model *model, uint32_t first, uint32_t slots, uint32_t owner)
{
	for (uint32_t i = first; i < first + slots; i++) {
		model->owner[i] = (uint16_t)owner;
	}
	model->slots[first] = (uint16_t)(owner ? slots : 0);
	model->count += owner ? 1 : UINT64_MAX;
}

/* The first slot of a range that is taken, or the one behind the range. */
static uint32_t first_taken(const struct model *model, uint32_t first, uint32_t slots)
{
	uint32_t i = first;

	while (i < first + slots && !model->owner[i]) {
		i++;
	}
	return i;
}

static void insert(struct model *model, uint32_t first, uint32_t slots)
{
	struct mapping mapping = {
		.iova = range_of(model, first, slots), .gpa = first, .prot = first % 256};
	uint32_t taken = first_taken(model, first, slots);
	struct mapping overlap;
	int r = ledger_insert(model->ledger, &mapping, &overlap);

	if (taken < first + slots) {
		must(r == -EEXIST);
		must(overlap.gpa == model->owner[taken] - 1U);
		return;
	}
	must(r == 0);
	set_owner(model, first, slots, first + 1);
}

static void erase(struct model *model, uint32_t first, uint32_t slots)
{
	bool there = model->slots[first] == slots;

	must(ledger_erase(model->ledger, range_of(model, first, slots)) == (there ? 0 : -ENOENT));
	if (there) {
		set_owner(model, first, slots, 0);
	}
}

static void look(const struct model *model, uint32_t first, uint32_t slots)
{
	uint32_t taken = first_taken(model, first, slots);
	struct mapping mapping = {.gpa = 0};
	bool overlaps = ledger_overlaps(model->ledger, range_of(model, first, slots), &mapping);

	must(overlaps == (taken < first + slots));
	must(!overlaps || mapping.gpa == model->owner[taken] - 1U);
	must(ledger_find(model->ledger, model->base + first * model->unit, &mapping) ==
	     (model->owner[first] != 0));
	must(model->owner[first] == 0 || mapping.prot == mapping.gpa % 256);
}

static void cover(const struct model *model, uint32_t first, uint32_t slots)
{
	enum ledger_cover expected = LEDGER_COVER_WHOLE;

	for (uint32_t i = first; i < first + slots && expected == LEDGER_COVER_WHOLE;) {
		if (!model->owner[i]) {
			expected = LEDGER_COVER_HOLE;
		} else if (!model->slots[i] || i + model->slots[i] > first + slots) {
			expected = LEDGER_COVER_CUT;
		} else {
			i += model->slots[i];
		}
	}
	must(ledger_cover(model->ledger, range_of(model, first, slots), NULL, NULL) == expected);
}

static void look_at_all(const struct model *model)
{
	struct ledger_cursor cursor = ledger_seek(model->ledger, 0);
	struct mapping mapping;

	must(ledger_is_sound(model->ledger));
	must(ledger_count(model->ledger) == model->count);
	for (uint32_t i = 0; i < SLOTS; i++) {
		if (model->slots[i]) {
			must(ledger_step(&cursor, &mapping));
			must(mapping.gpa == i &&
			     mapping.iova.size == model->slots[i] * model->unit);
		}
	}
	must(!ledger_step(&cursor, &mapping));
}

static void operate(struct model *model, const uint8_t *bytes)
{
	uint32_t first = (bytes[1] | (uint32_t)bytes[2] << 8) % SLOTS;
	uint32_t slots = 1 + bytes[3] % (first + 256U > SLOTS ? SLOTS - first : 256U);
	uint32_t owner = model->owner[first];

	switch (bytes[0] % 8) {
	case 0:
		insert(model, first, 1 + slots % 4 < slots ? 1 + slots % 4 : slots);
		break;
	case 1: /* a run of small ones, so that few bytes make a tree */
		for (uint32_t i = 0; i < slots; i++) {
			insert(model, first + i, 1);
		}
		break;
	case 2: /* the same, downwards */
		for (uint32_t i = slots; i-- > 0;) {
			insert(model, first + i, 1);
		}
		break;
	case 3: /* all that starts there */
		for (uint32_t i = first; i < first + slots; i++) {
			if (model->slots[i]) {
				erase(model, i, model->slots[i]);
			}
		}
		break;
	case 4: /* what is there, or isn't */
		erase(model, owner ? owner - 1 : first, owner ? model->slots[owner - 1] : slots);
		break;
	case 5:
		erase(model, first, slots);
		break;
	case 6:
		look(model, first, slots);
		break;
	default:
		cover(model, first, slots);
		break;
	}
}

void fuzz_ledger(const uint8_t *data, size_t size)
{
	struct model *model = calloc(1, sizeof(*model));

	must(model && ledger_new(&model->ledger) == 0);
	model->unit = UINT64_C(1) << (size > 0 ? data[0] % 32 : 0);
	model->base = size > 0 && data[0] & 0x80 ? 0 - SLOTS * model->unit : 0;
	for (size_t i = 0; 1 + (i + 1) * OPERATION_SIZE <= size; i++) {
		operate(model, data + 1 + i * OPERATION_SIZE);
		if (i % LOOK_EVERY == 0) {
			look_at_all(model);
		}
	}
	look_at_all(model);
	(void)ledger_free(model->ledger);
	free(model);
}
