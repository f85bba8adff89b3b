/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vfio/identity.h"

#include <stddef.h>

static struct container *container_of_listener(struct memory_listener *listener)
{
	return (struct container *)((char *)listener - offsetof(struct container, own_listener));
}

static int identity_add(struct memory_listener *listener, const struct section *section,
			struct error *error)
{
	if (!section_is_identity(section)) {
		return 0;
	}
	return container_map(container_of_listener(listener), section->window, section->gpa,
			     section->address, section_prot(section), error);
}

static int identity_remove(struct memory_listener *listener, const struct section *section,
			   struct error *error)
{
	if (!section_is_identity(section)) {
		return 0;
	}
	return container_unmap(container_of_listener(listener), section->gpa, error);
}

static const struct memory_listener_operations identity_operations = {
	.name = "identity",
	.takes_long = false,
	.add = identity_add,
	.remove = identity_remove,
};

void identity_listen(struct container *container)
{
	container->own_listener.operations = &identity_operations;
	container->listeners[container->listener_count++] = &container->own_listener;
}
