/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "walk.h"

#include <inttypes.h>
#include <linux/vfio.h>
#include <stdio.h>
#include <string.h>

/* SplitMix64, started anew for each step. */
struct draw {
	uint64_t state;
};

static uint64_t draw(struct draw *from)
{
	uint64_t value = from->state += UINT64_C(0x9e3779b97f4a7c15);

	value = (value ^ (value >> 30U)) * UINT64_C(0xbf58476d1ce4e5b9);
	value = (value ^ (value >> 27U)) * UINT64_C(0x94d049bb133111eb);
	return value ^ (value >> 31U);
}

#define PICK(from, pool) ((pool)[draw(from) % COUNT(pool)])

/* -- pools: what is there twice comes twice as often -- */

static uint64_t pick_iova(struct draw *from)
{
	static const uint64_t bases[] = {0, 0, 0, 0, SECOND_WINDOW, SECOND_WINDOW, GIB, 2 * GIB};
	static const uint64_t pages[] = {0, 0, 1, 2, 3, 16, 17};
	static const uint64_t offsets[] = {
		0, 0, 0, 0, MIB, 2 * MIB, 64 * KIB, 0 - 64 * KIB, 0 - MIB, 512 * MIB};

	uint64_t base = PICK(from, bases);
	uint64_t page = PICK(from, pages);
	uint64_t offset = PICK(from, offsets);

	return base + page * world.page_size + offset + (draw(from) % 32 == 0 ? 0x800 : 0);
}

static uint64_t pick_size(struct draw *from)
{
	static const uint64_t sizes[] = {64 * KIB, 64 * KIB, 128 * KIB, MIB, MIB, 2 * MIB, 4 * MIB};
	static const uint64_t odd[] = {0, 0x800, 0x1800, 3 * MIB + 4 * KIB};

	if (draw(from) % 12 == 0) {
		return PICK(from, odd);
	}
	return draw(from) % 3 == 0 ? (draw(from) % 4 + 1) * world.page_size : PICK(from, sizes);
}

static uint64_t pick_offset(struct draw *from)
{
	static const uint64_t offsets[] = {0, 0, 0, MIB, 2 * MIB, 3 * MIB, 64 * KIB};

	return PICK(from, offsets);
}

static enum memory pick_memory(struct draw *from)
{
	static const enum memory memories[] = {WHOLE, WHOLE, WHOLE,   WHOLE,    WHOLE,
					       WHOLE, ALIAS, PRIVATE, CUT_SHORT};

	return PICK(from, memories);
}

static enum group pick_group(struct draw *from)
{
	static const enum group groups[] = {EDU, EDU, EDU, NIC, NIC, EDU_2, NOT_VIABLE};

	return PICK(from, groups);
}

/* -- what can be asked -- */

typedef void fill_function(struct draw *from, struct arguments *with);

static void fill_nothing(struct draw *from, struct arguments *with)
{
	(void)from;
	(void)with;
}

static void fill_group(struct draw *from, struct arguments *with)
{
	with->group = pick_group(from);
}

/* A device whose opening takes long is not opened. */
static void fill_device(struct draw *from, struct arguments *with)
{
	(void)from;
	with->group = NIC;
}

static void fill_extension(struct draw *from, struct arguments *with)
{
	with->number = draw(from) % 12;
}

static void fill_iommu(struct draw *from, struct arguments *with)
{
	static const uint64_t tce[] = {VFIO_SPAPR_TCE_v2_IOMMU, VFIO_SPAPR_TCE_v2_IOMMU,
				       VFIO_SPAPR_TCE_v2_IOMMU, VFIO_SPAPR_TCE_v2_IOMMU,
				       VFIO_SPAPR_TCE_IOMMU,    VFIO_TYPE1v2_IOMMU};
	static const uint64_t type1[] = {VFIO_TYPE1v2_IOMMU, VFIO_TYPE1v2_IOMMU,
					 VFIO_TYPE1v2_IOMMU, VFIO_TYPE1_IOMMU,
					 VFIO_TYPE1_IOMMU,   VFIO_SPAPR_TCE_v2_IOMMU};

	with->number = world.is_tce ? PICK(from, tce) : PICK(from, type1);
}

static void fill_argsz(struct draw *from, struct arguments *with)
{
	with->argsz = draw(from) % 10 == 0 ? ARGSZ((uint32_t)(draw(from) % 48)) : 0;
}

/* What is registered, and so can be mapped, comes in few sizes. */
static void fill_memory(struct draw *from, struct arguments *with)
{
	static const uint64_t sizes[] = {MIB, MIB, 2 * MIB, 4 * MIB, 4 * MIB, 64 * KIB};

	with->memory = pick_memory(from);
	with->offset = pick_offset(from);
	with->size = draw(from) % 8 == 0 ? pick_size(from) : PICK(from, sizes);
	if (with->memory == PRIVATE) {
		with->offset = 0;
		with->size = with->size < PRIVATE_SIZE ? with->size : PRIVATE_SIZE;
	}
	with->flags = draw(from) % 20 == 0;
	fill_argsz(from, with);
}

static void fill_map(struct draw *from, struct arguments *with)
{
	with->memory = pick_memory(from);
	with->offset = pick_offset(from);
	with->iova = pick_iova(from);
	with->size = pick_size(from);
	with->flags = draw(from) % 8 == 0 ? (uint32_t)(draw(from) % 6) : 0;
	fill_argsz(from, with);
}

static void fill_unmap(struct draw *from, struct arguments *with)
{
	with->iova = pick_iova(from);
	with->size = pick_size(from);
	with->flags = draw(from) % 20 == 0;
	fill_argsz(from, with);
}

static void fill_create(struct draw *from, struct arguments *with)
{
	static const uint64_t sizes[] = {MIB,     64 * MIB, GIB,      GIB,
					 2 * GIB, 4 * GIB,  64 * GIB, 3 * GIB};
	static const uint32_t shifts[] = {12, 12, 12, 16, 16, 21, 24, 30, 13};
	static const uint32_t levels[] = {1, 1, 1, 1, 2, 2, 3, 4, 5};

	with->size = PICK(from, sizes);
	with->page_shift = PICK(from, shifts);
	with->levels = PICK(from, levels);
	with->flags = draw(from) % 20 == 0;
	fill_argsz(from, with);
}

static void fill_remove(struct draw *from, struct arguments *with)
{
	static const uint64_t starts[] = {0,       0,   0,      SECOND_WINDOW, SECOND_WINDOW,
					  5 * MIB, GIB, 2 * GIB};

	with->iova = PICK(from, starts);
	fill_argsz(from, with);
}

static void fill_eeh(struct draw *from, struct arguments *with)
{
	static const uint64_t operations[] = {VFIO_EEH_PE_GET_STATE,   VFIO_EEH_PE_GET_STATE,
					      VFIO_EEH_PE_ENABLE,      VFIO_EEH_PE_DISABLE,
					      VFIO_EEH_PE_UNFREEZE_IO, VFIO_EEH_PE_UNFREEZE_DMA,
					      VFIO_EEH_PE_CONFIGURE,   99};

	with->number = PICK(from, operations);
	fill_argsz(from, with);
}

static const struct operation {
	const char *what;
	enum ask ask;
	fill_function *fill;
	unsigned int weight;
	bool spoils; /* the bridge, where a hypervisor has it: the next walk would not
			find it as it was */
} operations[] = {
	{"open container", OPEN_CONTAINER, fill_nothing, 20, false},
	{"close container", CLOSE_CONTAINER, fill_nothing, 1, false},
	{"open group", OPEN_GROUP, fill_group, 24, false},
	{"close group", CLOSE_GROUP, fill_group, 1, false},
	{"join", SET_CONTAINER, fill_group, 40, false},
	{"leave", UNSET_CONTAINER, fill_group, 4, false},
	{"set iommu", SET_IOMMU, fill_iommu, 40, false},
	{"extension", CHECK_EXTENSION, fill_extension, 4, false},
	{"status", GET_STATUS, fill_group, 6, false},
	{"info", GET_INFO, fill_argsz, 10, false},
	{"type1 info", TYPE1_INFO, fill_argsz, 6, false},
	{"enable", ENABLE, fill_nothing, 6, false},
	{"disable", DISABLE, fill_nothing, 2, false},
	{"register", REGISTER, fill_memory, 50, false},
	{"unregister", UNREGISTER, fill_memory, 26, false},
	{"map", MAP, fill_map, 130, false},
	{"unmap", UNMAP, fill_unmap, 60, false},
	{"create", CREATE, fill_create, 34, true},
	{"remove", REMOVE, fill_remove, 14, true},
	{"eeh", EEH, fill_eeh, 10, false},
	{"open device", OPEN_DEVICE, fill_device, 4, false},
	{"close device", CLOSE_DEVICE, fill_device, 12, false},
	{"reset device", RESET_DEVICE, fill_device, 2, false},
	{"device info", DEVICE_INFO, fill_device, 2, false},
};

static unsigned int weight_of(const struct operation *operation)
{
	return operation->spoils && world.many_windows ? 0 : operation->weight;
}

static const struct operation *pick_operation(struct draw *from)
{
	unsigned int sum = 0;
	unsigned int place;

	for (size_t i = 0; i < COUNT(operations); i++) {
		sum += weight_of(&operations[i]);
	}
	place = (unsigned int)(draw(from) % sum);
	for (size_t i = 0; i < COUNT(operations); i++) {
		if (place < weight_of(&operations[i])) {
			return &operations[i];
		}
		place -= weight_of(&operations[i]);
	}
	return &operations[0];
}

/* The first steps lead to where most can be asked. */
static bool take_first(unsigned int step, struct question *ret_question)
{
	uint64_t type = world.is_tce ? VFIO_SPAPR_TCE_v2_IOMMU : VFIO_TYPE1v2_IOMMU;
	const struct question first[] = {
		{"join", SET_CONTAINER, {.group = EDU}},
		{"set iommu", SET_IOMMU, {.number = type}},
		{"join", SET_CONTAINER, {.container = SECOND, .group = NIC}},
		{"set iommu", SET_IOMMU, {.container = SECOND, .number = type}},
		{"register", REGISTER, {.size = WHOLE_SIZE}},
	};

	if (step < COUNT(first)) {
		*ret_question = first[step];
	}
	return step < COUNT(first);
}

static void tell(const struct question *question, char ret_text[static WALK_TEXT])
{
	const struct arguments *with = &question->with;

	(void)snprintf(ret_text, WALK_TEXT,
		       "%s container=%d group=%d number=%" PRIu64 " iova=%#" PRIx64
		       " memory=%d+%#" PRIx64 " size=%#" PRIx64
		       " shift=%u levels=%u flags=%u argsz=%d",
		       question->what, (int)with->container, (int)with->group, with->number,
		       with->iova, (int)with->memory, with->offset, with->size, with->page_shift,
		       with->levels, with->flags, (int)with->argsz - 1);
}

void walk_step(uint64_t seed, unsigned int step, struct question *ret_question,
	       char ret_text[static WALK_TEXT])
{
	struct draw from = {seed * UINT64_C(0x2545f4914f6cdd1d) + step * UINT64_C(0x9e3779b1)};
	const struct operation *operation;

	if (!take_first(step, ret_question)) {
		(void)draw(&from);
		operation = pick_operation(&from);
		*ret_question = (struct question){operation->what, operation->ask, {0}};
		ret_question->with.container = draw(&from) % 4 == 0 ? SECOND : FIRST;
		operation->fill(&from, &ret_question->with);
	}
	tell(ret_question, ret_text);
}
