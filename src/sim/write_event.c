/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Eventfds that write to a register when they are rung (vfio_pci_ioeventfd). */
#include <endian.h>
#include <errno.h>
#include <linux/vfio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "sim/event.h"
#include "sim/function.h"

#define WRITE_EVENTS_MAX 1000U /* VFIO_PCI_IOEVENTFD_MAX */

struct sim_write_event {
	struct sim_write_event *next;
	unsigned int region;
	uint64_t offset;
	uint64_t value;
	uint32_t size;
	int fd;
};

static bool is_same(const struct sim_write_event *one, const struct sim_write_event *other)
{
	return one->region == other->region && one->offset == other->offset &&
	       one->value == other->value && one->size == other->size;
}

static bool is_in_bar(const struct sim_function *function, const struct sim_write_event *event)
{
	uint64_t end = sim_registers_size(function->device, event->region);
	unsigned int bar = 0;
	uint64_t table = 0;
	uint64_t size = 0;

	if (event->region >= SIM_BARS || event->offset + event->size > end) {
		return false;
	}
	return !sim_config_space_find_msix_table(function->config, &bar, &table, &size) ||
	       bar != event->region || event->offset + event->size <= table ||
	       event->offset >= table + size;
}

static int add(struct sim_function *function, const struct sim_write_event *wanted)
{
	struct sim_write_event *event;
	unsigned int count = 0;

	for (event = function->write_events; event; event = event->next) {
		count++;
	}
	event = count < WRITE_EVENTS_MAX ? malloc(sizeof(*event)) : NULL;
	if (!event) {
		(void)fd_close(wanted->fd);
		return count < WRITE_EVENTS_MAX ? -ENOMEM : -ENOSPC;
	}
	*event = *wanted;
	event->next = function->write_events;
	function->write_events = event;
	return 0;
}

static void drop(struct sim_write_event **link)
{
	struct sim_write_event *event = *link;

	*link = event->next;
	cleanup_fd(&event->fd);
	free(event);
}

/* Add it, or with an fd of -1 take it back. */
static int change(struct sim_function *function, struct sim_argument *argument,
		  struct sim_write_event *wanted, int32_t fd)
{
	struct sim_write_event **link = &function->write_events;
	int r;

	while (*link && !is_same(*link, wanted)) {
		link = &(*link)->next;
	}
	if (fd == SIM_FD_MINUS_ONE) {
		if (!*link) {
			return -ENODEV;
		}
		drop(link);
		return 0;
	}
	if (*link) {
		return -EEXIST;
	}
	r = sim_event_take(argument, fd, &wanted->fd);
	return r < 0 ? r : add(function, wanted);
}

int sim_function_set_write_event(struct sim_function *function, struct sim_argument *argument)
{
	const struct vfio_device_ioeventfd *given = argument->data;
	uint32_t size = given->flags & VFIO_DEVICE_IOEVENTFD_SIZE_MASK;
	struct sim_write_event wanted = {
		.region = (unsigned int)(given->offset >> SIM_REGION_SHIFT),
		.offset = given->offset & ((UINT64_C(1) << SIM_REGION_SHIFT) - 1),
		.value = given->data,
		.size = size,
		.fd = -1,
	};

	if (given->argsz < offsetof(struct vfio_device_ioeventfd, fd) + sizeof(given->fd) ||
	    given->flags & ~(uint32_t)VFIO_DEVICE_IOEVENTFD_SIZE_MASK || size == 0 ||
	    (size & (size - 1)) != 0 || !is_in_bar(function, &wanted)) {
		return -EINVAL;
	}
	return change(function, argument, &wanted, given->fd);
}

void sim_function_drop_write_events(struct sim_function *function)
{
	while (function->write_events) {
		drop(&function->write_events);
	}
}

bool sim_function_poll_write_events(struct sim_function *function)
{
	for (const struct sim_write_event *event = function->write_events; event;
	     event = event->next) {
		uint64_t bytes = htole64(event->value);

		if (sim_event_consume(event->fd)) {
			(void)sim_registers_write(function, event->region, event->offset, &bytes,
						  event->size);
		}
	}
	return function->write_events != NULL;
}
