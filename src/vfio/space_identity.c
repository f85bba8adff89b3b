/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Identity sections: memory that devices see at its own address.
 *
 * While there is a container each of them has a mapping of its own in the ledger, of the whole
 * section to where it is. Its section makes it and takes it away; a user doesn't.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "vfio/space_private.h"

static struct mapping own_mapping(const struct section *section)
{
	return (struct mapping){
		.iova = section->gpa,
		.gpa = section->gpa.start,
		.prot = section_prot(section),
	};
}

bool space_identity_is_mapped(const struct space *space, const struct section *section)
{
	struct mapping mapping;

	return section_is_identity(section) &&
	       ledger_find(space->ledger, section->gpa.start, &mapping) &&
	       mapping.iova.start == section->gpa.start && mapping.iova.size == section->gpa.size &&
	       mapping.gpa == section->gpa.start;
}

bool space_identity_has(const struct space *space, const struct mapping *mapping)
{
	const struct section *section = space_section_at(space, mapping->iova.start);

	return section && section->gpa.start == mapping->iova.start &&
	       space_identity_is_mapped(space, section);
}

uint64_t space_identity_count(const struct space *space)
{
	uint64_t count = 0;

	for (unsigned int i = 0; i < space->section_count; i++) {
		count += space_identity_is_mapped(space, space->sections[i]) ? 1 : 0;
	}
	return count;
}

struct space_windows_text space_windows_format(const struct space *space)
{
	struct space_windows_text result = {.text = "none"};
	size_t used = 0;

	for (unsigned int i = 0; i < space->window_count && used < sizeof(result.text); i++) {
		used += (size_t)snprintf(result.text + used, sizeof(result.text) - used, "%s%s",
					 i > 0 ? " " : "",
					 range_format(space->windows[i].range).text);
	}
	return result;
}

/* Whether the section can be mapped where it is, as far as that can be known. */
static int check_place(const struct space *space, const struct section *section,
		       struct error *error)
{
	const struct window *window = space_window_around(space, section->gpa);
	uint64_t page;

	if (!window) {
		return error_set(error, ERROR_OUTSIDE_WINDOW, 0,
				 "the identity section %s would be mapped at its own address; the "
				 "windows are: %s",
				 range_format(section->gpa).text, space_windows_format(space).text);
	}
	page = UINT64_C(1) << window->page_shift;
	if (!is_aligned(section->gpa.start | section->gpa.size, page) ||
	    section->largest_page < page) {
		return error_set(error, ERROR_PAGE_SIZE, 0,
				 "the identity section %s has pages of 0x%" PRIx64
				 " bytes and allows IOMMU pages of 0x%" PRIx64
				 ", and the window %s has 0x%" PRIx64,
				 range_format(section->gpa).text, section->backing_page,
				 section->largest_page, range_format(window->range).text, page);
	}
	return 0;
}

int space_identity_enter(struct space *space, struct section *section, struct error *error)
{
	struct mapping mapping = own_mapping(section);
	struct mapping overlap;
	int r;

	r = check_place(space, section, error);
	if (r) {
		return r;
	}
	r = ledger_insert(space->ledger, &mapping, &overlap);
	if (r == -EEXIST) {
		return error_set(error, ERROR_ALREADY_MAPPED, 0,
				 "the identity section %s would overlap the mapping %s to gpa "
				 "0x%" PRIx64 "; unmap that first",
				 range_format(section->gpa).text, range_format(overlap.iova).text,
				 overlap.gpa);
	}
	if (r < 0) {
		return error_set(error, ERROR_KERNEL, -r, "no memory to note a mapping");
	}
	section->mappings++;
	return 0;
}

void space_identity_leave(struct space *space, struct section *section)
{
	if (space_identity_is_mapped(space, section)) {
		(void)ledger_erase(space->ledger, section->gpa);
		section->mappings--;
	}
}

int space_identity_enter_all(struct space *space, struct error *error)
{
	for (unsigned int i = 0; i < space->section_count; i++) {
		int r = 0;

		if (section_is_identity(space->sections[i])) {
			r = space_identity_enter(space, space->sections[i], error);
		}
		if (r) {
			space_identity_leave_all(space);
			return r;
		}
	}
	return 0;
}

void space_identity_leave_all(struct space *space)
{
	for (unsigned int i = 0; i < space->section_count; i++) {
		space_identity_leave(space, space->sections[i]);
	}
}

int space_identity_check_unmap(const struct space *space, struct range iova, struct error *error)
{
	for (unsigned int i = space_section_index(space, iova.start);
	     i < space->section_count && range_overlaps(space->sections[i]->gpa, iova); i++) {
		const struct section *section = space->sections[i];

		if (space_identity_is_mapped(space, section)) {
			return error_set(error, ERROR_MEMORY_IN_USE, 0,
					 "the mapping %s belongs to the identity section %" PRIu32
					 "; RemoveMemory(%" PRIu32 ") takes it away",
					 range_format(section->gpa).text, section->id, section->id);
		}
	}
	return 0;
}

/* In the containers */

static int apply_map(struct container *container, void *argument, struct error *error)
{
	return container_section_add(container, argument, error);
}

static int apply_unmap(struct container *container, void *argument, struct error *error)
{
	return container_section_remove(container, argument, error);
}

/* What a failure leaves isn't known: the one that failed is put right, too. */
static const struct step map_everywhere = {
	.apply = apply_map,
	.revert = apply_unmap,
	.revert_failed = true,
};

static const struct step unmap_everywhere = {
	.apply = apply_unmap,
	.revert = apply_map,
	.revert_failed = true,
};

static int tell_containers(struct space *space, struct section *section, const struct step *step,
			   struct error *error)
{
	bool stray = false;
	int r;

	if (!space_identity_is_mapped(space, section)) {
		return 0;
	}
	section->window = space_window_around(space, section->gpa);
	r = step_everywhere(space->containers, space->container_count, step, section, &stray,
			    error);
	section->window = NULL;
	for (unsigned int i = 0; i < space->container_count; i++) {
		stray = container_kept_memory(space->containers[i]) || stray;
	}
	section->strays += stray ? 1 : 0;
	return r;
}

int space_identity_map(struct space *space, struct section *section, struct error *error)
{
	return tell_containers(space, section, &map_everywhere, error);
}

int space_identity_unmap(struct space *space, struct section *section, struct error *error)
{
	return tell_containers(space, section, &unmap_everywhere, error);
}
