/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* org.spaprd1.AddressSpace: DescribeForGuest, from the broker's copy of the address space. */
#include <inttypes.h>
#include <string.h>

#include "dbus/space_methods.h"
#include "spapr/guest_tree.h"

/* What spapr containers have as their type begins so. */
#define SPAPR_TYPE "spapr-"

/* A guest's hypervisor calls are about TCEs; on other hosts there is nothing to be told. */
static int check_containers(const struct space *space, struct error *error)
{
	for (uint32_t i = 0; i < space->container_count; i++) {
		const struct worker_container *container = &space->containers[i];

		if (strncmp(container->iommu_type, SPAPR_TYPE, strlen(SPAPR_TYPE)) != 0) {
			return error_set(error, ERROR_UNSUPPORTED, 0,
					 "container %" PRIu32
					 " is of type %.16s; a guest is told of the windows of "
					 "spapr-tce and spapr-tce-v2 containers only",
					 container->container_id, container->iommu_type);
		}
	}
	return 0;
}

/* Whether all memory is mapped in a window at its start + gpa, for reading and writing: identity
 * sections are, at IOVA = gpa. */
static bool is_direct(const struct space *space, struct range window)
{
	if (window.start != 0 || space->memory_count == 0) {
		return false;
	}
	for (uint32_t i = 0; i < space->memory_count; i++) {
		const struct worker_memory *memory = &space->memory[i];

		if (memory->flags != WORKER_MEMORY_IDENTITY ||
		    !range_contains(window, (struct range){memory->gpa, memory->size})) {
			return false;
		}
	}
	return true;
}

static int describe(const struct space *space, unsigned char tree[GUEST_TREE_MAX], size_t *ret_size,
		    struct error *error)
{
	struct guest_window windows[WORKER_WINDOWS_MAX];
	int r = check_containers(space, error);

	for (uint32_t i = 0; i < space->window_count; i++) {
		const struct worker_window *window = &space->windows[i];
		struct range range = {window->start, window->size};

		windows[i] = (struct guest_window){
			.range = range,
			.page_shift = window->page_shift,
			.liobn = guest_liobn(space->number, i),
			.direct = is_direct(space, range),
		};
	}
	return r ? r : guest_tree_make(windows, space->window_count, tree, ret_size, error);
}

static void do_describe(struct bus_call *call, struct space_face *face)
{
	unsigned char tree[GUEST_TREE_MAX];
	const unsigned char *bytes = tree;
	struct error error;
	size_t size = 0;

	if (describe(face->space, tree, &size, &error)) {
		bus_call_fail(call, &error);
		return;
	}
	bus_call_reply(call, DBUS_TYPE_ARRAY, DBUS_TYPE_BYTE, &bytes, (int)size, DBUS_TYPE_INVALID);
}

void space_handle_describe_for_guest(struct bus_call *call, void *object)
{
	face_authorise(call, object, do_describe);
}
