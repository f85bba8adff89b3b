/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "guard.h"

#include <linux/vfio.h>
#include <stdlib.h>
#include <string.h>

#include "ask.h"

#define WINDOWS       2
#define MAPPINGS      4096
#define REGISTRATIONS 256
#define ENTRIES_MOST  (UINT64_C(1) << 25) /* of a window */
#define ENTRIES_FEW \
	(UINT64_C(1) << 21) /* where each costs a call to a hypervisor or to the bridge */

struct mapping {
	uint64_t iova;
	uint64_t size;
	uint64_t address;
};

struct registration {
	uint64_t address;
	uint64_t size;
};

struct window {
	uint32_t page_shift;
	uint64_t start;
	uint64_t size; /* 0: there is none */
	uint64_t end;  /* of its table */
};

struct container_state {
	uint64_t iommu; /* its type */
	struct window window[WINDOWS];
	struct mapping mapping[MAPPINGS];
	unsigned int mappings;
	struct registration registration[REGISTRATIONS];
	unsigned int registrations;
};

struct guard {
	bool strict;
	struct container_state container[CONTAINERS];
	enum container of_group[GROUPS]; /* CONTAINERS: none */
};

struct guard *guard_new(void)
{
	struct guard *guard = calloc(1, sizeof(*guard));

	for (enum group group = EDU; guard && group < GROUPS; group++) {
		guard->of_group[group] = CONTAINERS;
	}
	return guard;
}

void guard_be_strict(struct guard *guard)
{
	guard->strict = true;
}

static struct container_state *state_of(const struct scene *scene, const struct arguments *with)
{
	return with->container < CONTAINERS ? &scene->guard->container[with->container] : NULL;
}

/* -- windows -- */

static struct window *find_window(struct container_state *state, uint64_t iova)
{
	for (unsigned int i = 0; i < WINDOWS; i++) {
		struct window *window = &state->window[i];

		if (window->size && iova >= window->start && iova < window->end) {
			return window;
		}
	}
	return NULL;
}

/* A table has a page of entries at least. */
static void add_window(struct container_state *state, uint64_t start, uint64_t size,
		       uint32_t page_shift)
{
	uint64_t least = (world.page_size / 8) << page_shift;

	for (unsigned int i = 0; i < WINDOWS; i++) {
		if (!state->window[i].size) {
			state->window[i] = (struct window){page_shift, start, size,
							   start + (size > least ? size : least)};
			return;
		}
	}
}

/* -- mappings -- */

static void add_mapping(struct container_state *state, struct mapping mapping)
{
	if (mapping.size && state->mappings < MAPPINGS) {
		state->mapping[state->mappings++] = mapping;
	}
}

/* What is left of a mapping on both sides of a range is put back. */
static void drop_mappings(struct container_state *state, uint64_t iova, uint64_t size)
{
	uint64_t end = iova + size;

	for (unsigned int i = 0; i < state->mappings; i++) {
		struct mapping old = state->mapping[i];
		uint64_t old_end = old.iova + old.size;

		if (old.iova >= end || old_end <= iova) {
			continue;
		}
		state->mapping[i--] = state->mapping[--state->mappings];
		if (old.iova < iova) {
			add_mapping(state,
				    (struct mapping){old.iova, iova - old.iova, old.address});
		}
		if (old_end > end) {
			add_mapping(state, (struct mapping){end, old_end - end,
							    old.address + (end - old.iova)});
		}
	}
}

static bool is_mapped(const struct container_state *state, uint64_t address, uint64_t size)
{
	for (unsigned int i = 0; i < state->mappings; i++) {
		const struct mapping *mapping = &state->mapping[i];

		if (mapping->address < address + size &&
		    address < mapping->address + mapping->size) {
			return true;
		}
	}
	return false;
}

/* -- registrations -- */

/* Its place, REGISTRATIONS if there is none. */
static unsigned int find_registration(const struct container_state *state,
				      struct registration wanted)
{
	for (unsigned int i = 0; i < state->registrations; i++) {
		if (state->registration[i].address == wanted.address &&
		    state->registration[i].size == wanted.size) {
			return i;
		}
	}
	return REGISTRATIONS;
}

/* Any part of it. */
static bool is_registered(const struct container_state *state, uint64_t address, uint64_t size)
{
	for (unsigned int i = 0; i < state->registrations; i++) {
		const struct registration *registration = &state->registration[i];

		if (registration->address < address + size &&
		    address < registration->address + registration->size) {
			return true;
		}
	}
	return false;
}

static bool is_registered_elsewhere(const struct guard *guard, const struct container_state *state,
				    uint64_t address, uint64_t size)
{
	for (enum container container = FIRST; container < CONTAINERS; container++) {
		const struct container_state *other = &guard->container[container];

		if (other != state && is_registered(other, address, size)) {
			return true;
		}
	}
	return false;
}

static void add_registration(struct container_state *state, struct registration added)
{
	if (state->registrations < REGISTRATIONS) {
		state->registration[state->registrations++] = added;
	}
}

static void drop_registration(struct container_state *state, struct registration dropped)
{
	unsigned int place = find_registration(state, dropped);

	if (place < REGISTRATIONS) {
		state->registration[place] = state->registration[--state->registrations];
	}
}

void guard_forget(struct guard *guard)
{
	for (enum container container = FIRST; container < CONTAINERS; container++) {
		guard->container[container].mappings = 0;
		guard->container[container].registrations = 0;
	}
}

/* -- harm -- */

static const char *check_range(const struct scene *scene, const struct arguments *with)
{
	struct container_state *state = state_of(scene, with);
	uint64_t iova = iova_of(scene, with);
	const struct window *window = state ? find_window(state, iova) : NULL;

	/* What is misaligned is refused before anything is looked at. */
	if (!window || iova % (UINT64_C(1) << window->page_shift) != 0) {
		return NULL;
	}
	if (size_of(with) > window->end - iova) {
		return "goes past the end of the window";
	}
	return state->mappings + 2 >= MAPPINGS ? "is one mapping too many" : NULL;
}

/* Where the entry that is looked at is a window's first. */
static bool is_at_start(struct container_state *state, uint64_t iova)
{
	const struct window *window = find_window(state, iova);

	return window && window->start == iova;
}

/* Whether at least the first page of a MAP is mapped. */
static bool is_sure_to_begin(const struct scene *scene, struct container_state *state,
			     const struct arguments *with)
{
	const struct window *window = find_window(state, iova_of(scene, with));
	uint64_t address = address_of(scene, with);
	uint64_t size = scene_memory_size(with->memory);

	if (with->size == 0 || UINT64_C(1) << window->page_shift > world.page_size) {
		return false;
	}
	if (state->iommu == VFIO_SPAPR_TCE_v2_IOMMU) {
		return is_registered(state, address, 1);
	}
	return with->memory != READ_ONLY && with->memory != NO_ACCESS &&
	       with->offset < (with->memory == CUT_SHORT ? size / 2 : size);
}

static const char *check_unmap(const struct scene *scene, const struct arguments *with)
{
	struct container_state *state = state_of(scene, with);

	if (world.is_phb3 && state && size_of(with) == 0 &&
	    is_at_start(state, iova_of(scene, with))) {
		return "never ends";
	}
	return check_range(scene, with);
}

static const char *check_map(const struct scene *scene, const struct arguments *with)
{
	struct container_state *state = state_of(scene, with);
	const char *harm = check_range(scene, with);

	if (!harm && world.is_phb3 && state && is_at_start(state, iova_of(scene, with)) &&
	    !is_sure_to_begin(scene, state, with)) {
		return "may never end";
	}
	if (!harm && scene->guard->strict && state &&
	    !is_registered(state, address_of(scene, with), with->size)) {
		return is_registered_elsewhere(scene->guard, state, address_of(scene, with),
					       with->size)
			       ? "counts on memory of another container"
			       : NULL;
	}
	return harm;
}

/* The last that has a registration takes the memory away; another region is not found. */
static const char *check_unregister(const struct scene *scene, const struct arguments *with)
{
	const struct registration wanted = {address_of(scene, with), with->size};
	struct container_state *state = state_of(scene, with);
	unsigned int holders = 0;
	bool mapped = false;

	if (scene->guard->strict && state && is_mapped(state, wanted.address, wanted.size)) {
		return "takes away memory that is mapped";
	}
	if (!state || find_registration(state, wanted) == REGISTRATIONS) {
		return NULL;
	}
	for (enum container container = FIRST; container < CONTAINERS; container++) {
		const struct container_state *other = &scene->guard->container[container];

		holders += find_registration(other, wanted) != REGISTRATIONS;
		mapped |= is_mapped(other, wanted.address, wanted.size);
	}
	return mapped && holders == 1 ? "takes away memory that is mapped" : NULL;
}

static const char *check_create(const struct arguments *with)
{
	uint32_t shift = with->page_shift ? with->page_shift : 12;
	uint64_t entries = shift < 64 ? with->size >> shift : 0;

	return entries > (world.slow_windows ? ENTRIES_FEW : ENTRIES_MOST)
		       ? "takes a minute to be removed"
		       : NULL;
}

static const char *check_access(const struct arguments *with)
{
	bool is_edu = with->group == EDU || with->group == EDU_2;

	if (with->index == VFIO_PCI_BAR0_REGION_INDEX && is_edu && with->size > 0 &&
	    (with->size < 4 || with->size % 4 != 0 || with->offset % 4 != 0)) {
		return "stops the emulated processor";
	}
	if ((with->index == VFIO_PCI_BAR1_REGION_INDEX ||
	     with->index == VFIO_PCI_BAR2_REGION_INDEX) &&
	    !is_edu && with->size > 0) {
		return "stops the emulated processor";
	}
	return NULL;
}

const char *guard_check(const struct scene *scene, const struct question *question)
{
	const struct arguments *with = &question->with;

	switch ((int)question->ask) {
	case MAP:
		return check_map(scene, with);
	case UNMAP:
		return check_unmap(scene, with);
	case REGISTER:
		return with->size == 0 ? "makes the kernel warn" : NULL;
	case UNREGISTER:
		return check_unregister(scene, with);
	case CREATE:
		return check_create(with);
	case READ_REGION:
	case WRITE_REGION:
		return check_access(with);
	default:
		return NULL;
	}
}

/* -- what came of it -- */

static void note_map(struct scene *scene, const struct arguments *with)
{
	struct container_state *state = state_of(scene, with);

	drop_mappings(state, iova_of(scene, with), with->size);
	add_mapping(state,
		    (struct mapping){iova_of(scene, with), with->size, address_of(scene, with)});
}

static void note_remove(struct container_state *state, uint64_t iova)
{
	struct window *window = find_window(state, iova);

	if (window) {
		drop_mappings(state, window->start, window->end - window->start);
		window->size = 0;
	}
}

static void note_iommu(struct container_state *state, uint64_t type)
{
	memset(state, 0, sizeof(*state));
	state->iommu = type;
	if (type == VFIO_SPAPR_TCE_IOMMU || type == VFIO_SPAPR_TCE_v2_IOMMU) {
		add_window(state, world.window_start, world.window_size, 12);
	}
}

/* Whoever goes takes the mappings of all along, and the last the windows. */
static void note_leave(struct guard *guard, enum group group)
{
	enum container container = guard->of_group[group];

	if (container >= CONTAINERS) {
		return;
	}
	guard->of_group[group] = CONTAINERS;
	guard->container[container].mappings = 0;
	for (enum group other = EDU; other < GROUPS; other++) {
		if (guard->of_group[other] == container) {
			return;
		}
	}
	memset(&guard->container[container], 0, sizeof(guard->container[container]));
}

static void note_of_container(struct scene *scene, const struct question *question, uint64_t start)
{
	const struct arguments *with = &question->with;
	struct container_state *state = state_of(scene, with);

	switch ((int)question->ask) {
	case MAP:
		note_map(scene, with);
		break;
	case UNMAP:
		drop_mappings(state, iova_of(scene, with), size_of(with));
		break;
	case REGISTER:
		add_registration(state, (struct registration){address_of(scene, with), with->size});
		break;
	case UNREGISTER:
		drop_registration(state,
				  (struct registration){address_of(scene, with), with->size});
		break;
	case REMOVE:
		note_remove(state, iova_of(scene, with));
		break;
	case CREATE:
		add_window(state, start, with->size, with->page_shift ? with->page_shift : 12);
		break;
	case SET_IOMMU:
		note_iommu(state, with->number);
		break;
	case SET_CONTAINER:
		scene->guard->of_group[with->group] = with->container;
		break;
	default:
		break;
	}
}

void guard_note(struct scene *scene, const struct question *question, long result, uint64_t start)
{
	if (result != 0) {
		return;
	}
	if (question->ask == UNSET_CONTAINER || question->ask == CLOSE_GROUP) {
		note_leave(scene->guard, question->with.group);
	} else if (state_of(scene, &question->with)) {
		note_of_container(scene, question, start);
	}
}
