/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Devices, their regions, interrupts and resets. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "eeh/pe.h"
#include "libspapr/handles.h"
#include "vfio/device.h"
#include "vfio/irq.h"
#include "vfio/region.h"

/* opening and closing */

/* As a kernel could have it: no blanks, for the kernel takes words behind the name
 * (vfio_pci_core_match). */
static int check_name(const char *name, struct error *error)
{
	size_t length = strlen(name);
	bool good = length > 0 && length < WORKER_DEVICE_NAME_SIZE;

	for (size_t i = 0; good && i < length; i++) {
		good = name[i] > ' ' && name[i] <= '~';
	}
	return good ? 0
		    : error_set(error, ERROR_INVALID_ARGUMENT, 0,
				"the name of a device has 1 to %d printable characters",
				WORKER_DEVICE_NAME_SIZE - 1);
}

static int check_thawed(const struct spapr_space *space, const struct space_hold *hold,
			const char *name, struct error *error)
{
	struct pe_target target = {
		.kernel = space->host->kernel,
		.container_fd = hold->container->fd,
		.group = hold->group,
	};

	return pe_check_thawed(&target, hold->container, name, error);
}

/* A duplicate of an eventfd, or -1 for -1. */
static int copy_event(int fd, const char *name, int *ret_copy, struct error *error)
{
	int copy = fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;

	if (fd >= 0 && copy < 0) {
		return error_set(error, ERROR_INVALID_ARGUMENT, errno,
				 "fd %d for an interrupt of device %s can't be used", fd, name);
	}
	*ret_copy = copy;
	return 0;
}

static int open_held(const struct spapr_space *space, const struct space_hold *hold,
		     const char *name, struct device_events wanted, struct device **ret_device,
		     struct error *error)
{
	struct device_events events = DEVICE_EVENTS_NONE;
	int r;

	if (group_find_device(hold->group, name)) {
		return error_set(error, ERROR_BUSY, 0, "device %s is open here already", name);
	}
	/* The kernel would wait for seconds, and not find it. */
	if (hold->group->reset_asserted) {
		return error_set(error, ERROR_BUSY, 0,
				 "a reset of the PE of group %" PRIu32
				 " is asserted; end it before device %s is opened",
				 hold->group->number, name);
	}
	r = check_thawed(space, hold, name, error);
	if (r == 0) {
		r = copy_event(wanted.error, name, &events.error, error);
	}
	if (r == 0) {
		r = copy_event(wanted.request, name, &events.request, error);
		if (r) {
			(void)fd_close(events.error);
		}
	}
	return r ? r
		 : device_open(space->host->kernel, hold->group->fd, name, events, ret_device,
			       error);
}

static int open_device(struct spapr_space *space, uint32_t group, const char *name,
		       struct device_events events, struct device **ret_device, struct error *error)
{
	struct space_hold hold;
	struct device *device = NULL;
	int r = space_hold_group(space->space, group, HOLD_GROUP, &hold, error);

	if (r) {
		return r;
	}
	r = open_held(space, &hold, name, events, &device, error);
	if (device) {
		device->next = hold.group->devices;
		hold.group->devices = device;
		*ret_device = device;
	}
	space_release_group(space->space, &hold);
	return r;
}

int spapr_device_open(struct spapr_space *space, uint32_t group, const char *name, int error_event,
		      int request_event, struct spapr_device **ret_device,
		      struct spapr_error *ret_error)
{
	struct spapr_device *device = calloc(1, sizeof(*device));
	struct device_events events = {.error = error_event, .request = request_event};
	struct error error;
	int r;

	if (!device) {
		return spapr_finish(
			error_set(&error, ERROR_KERNEL, ENOMEM, "no memory for a device"), &error,
			ret_error);
	}
	r = check_name(name, &error);
	if (r == 0) {
		r = open_device(space, group, name, events, &device->device, &error);
	}
	if (r) {
		free(device);
		return spapr_finish(r, &error, ret_error);
	}
	device->space = space;
	device->group = group;
	device->next = space->devices;
	space->devices = device;
	*ret_device = device;
	return 0;
}

/* The engine's device, unless it can't be used: a reset of its PE is asserted, for one. */
static int use(const struct spapr_device *device, struct device **ret_device, struct error *error)
{
	return space_use_device(device->space->space, device->group, device->device->name,
				ret_device, error);
}

static void forget(struct spapr_device *device)
{
	struct spapr_device **link = &device->space->devices;

	while (*link != device) {
		link = &(*link)->next;
	}
	*link = device->next;
	free(device);
}

static void close_in_group(struct group *group, struct device *device)
{
	struct device **link = &group->devices;

	while (*link != device) {
		link = &(*link)->next;
	}
	*link = device->next;
	(void)device_close(device);
}

int spapr_device_close(struct spapr_device *device, struct spapr_error *ret_error)
{
	struct spapr_space *space = device->space;
	struct space_hold hold;
	struct device *used;
	struct error error;
	/* While a reset is asserted the kernel would save what it reads then, all ones, and put
	 * that back later. */
	int r = use(device, &used, &error);

	if (r == 0) {
		r = space_hold_group(space->space, device->group, HOLD_GROUP, &hold, &error);
	}
	if (r) {
		return spapr_finish(r, &error, ret_error);
	}
	r = check_thawed(space, &hold, used->name, &error);
	if (r == 0) {
		/* The kernel does that with the last close, which this is not while a duplicate of
		 * the fd or a mapping of its BARs is left (vfio_pci_core_disable). */
		device_quiesce(used);
		close_in_group(hold.group, used);
		forget(device);
	}
	space_release_group(space->space, &hold);
	return spapr_finish(r, &error, ret_error);
}

int spapr_device_fd(const struct spapr_device *device)
{
	return device->device->fd;
}

/* regions */

/* A region of a device that can be used. */
static int use_region(const struct spapr_device *device, uint32_t index, struct device **ret_device,
		      struct region **ret_region, struct error *error)
{
	int r = use(device, ret_device, error);

	return r ? r : region_find(*ret_device, index, ret_region, error);
}

static struct spapr_region describe_region(const struct region *region)
{
	return (struct spapr_region){
		.index = region->index,
		.flags = region->flags,
		.size = region->size,
		.offset = region->offset,
		.type = region->type,
		.subtype = region->subtype,
	};
}

int spapr_device_regions(const struct spapr_device *device, struct spapr_region *ret_regions,
			 unsigned int most, unsigned int *ret_count, struct spapr_error *ret_error)
{
	const struct device *engine = device->device;

	(void)ret_error;
	for (unsigned int i = 0; i < engine->region_count && i < most; i++) {
		ret_regions[i] = describe_region(&engine->regions[i]);
	}
	*ret_count = engine->region_count;
	return 0;
}

int spapr_region_find(const struct spapr_device *device, uint32_t type, uint32_t subtype,
		      struct spapr_region *ret_region, struct spapr_error *ret_error)
{
	struct region *region;
	struct error error;
	int r = region_find_type(device->device, type, subtype, &region, &error);

	if (r == 0) {
		*ret_region = describe_region(region);
	}
	return spapr_finish(r, &error, ret_error);
}

int spapr_region_read(struct spapr_device *device, uint32_t region, uint64_t offset, uint32_t size,
		      uint64_t *ret_value, struct spapr_error *ret_error)
{
	struct device *used;
	struct region *found;
	struct error error;
	int r = use_region(device, region, &used, &found, &error);

	if (r == 0) {
		r = region_read(used, found, offset, size, ret_value, &error);
	}
	return spapr_finish(r, &error, ret_error);
}

int spapr_region_write(struct spapr_device *device, uint32_t region, uint64_t offset, uint32_t size,
		       uint64_t value, struct spapr_error *ret_error)
{
	struct device *used;
	struct region *found;
	struct error error;
	int r = use_region(device, region, &used, &found, &error);

	if (r == 0) {
		r = region_write(used, found, offset, size, value, &error);
	}
	return spapr_finish(r, &error, ret_error);
}

int spapr_region_areas(struct spapr_device *device, uint32_t region, struct spapr_area *ret_areas,
		       unsigned int most, unsigned int *ret_count, struct spapr_error *ret_error)
{
	struct region *found;
	struct error error;
	int r = region_find(device->device, region, &found, &error);

	if (r) {
		return spapr_finish(r, &error, ret_error);
	}
	for (unsigned int i = 0; i < found->area_count && i < most; i++) {
		ret_areas[i] = (struct spapr_area){
			.offset = found->areas[i].offset,
			.size = found->areas[i].size,
			.address = found->areas[i].address,
		};
	}
	*ret_count = found->area_count;
	return 0;
}

int spapr_region_map(struct spapr_device *device, uint32_t region, struct spapr_error *ret_error)
{
	struct device *used;
	struct region *found;
	struct error error;
	int r = use_region(device, region, &used, &found, &error);

	if (r == 0) {
		r = region_map(used, found, &error);
	}
	return spapr_finish(r, &error, ret_error);
}

int spapr_region_unmap(struct spapr_device *device, uint32_t region, struct spapr_error *ret_error)
{
	struct device *used;
	struct region *found;
	struct error error;
	int r = use_region(device, region, &used, &found, &error);

	if (r == 0) {
		region_unmap(used, found);
	}
	return spapr_finish(r, &error, ret_error);
}

/* interrupts */

int spapr_device_irqs(const struct spapr_device *device, struct spapr_irq *ret_irqs,
		      unsigned int most, unsigned int *ret_count, struct spapr_error *ret_error)
{
	const struct device *engine = device->device;

	(void)ret_error;
	for (unsigned int i = 0; i < engine->irq_count && i < most; i++) {
		ret_irqs[i] = (struct spapr_irq){
			.index = engine->irqs[i].index,
			.flags = engine->irqs[i].flags,
			.count = engine->irqs[i].count,
		};
	}
	*ret_count = engine->irq_count;
	return 0;
}

/* Duplicates of all, or none. */
static int copy_events(const struct device *device, const int *fds, uint32_t count, int *ret_copies,
		       struct error *error)
{
	for (uint32_t i = 0; i < count; i++) {
		int r = copy_event(fds[i], device->name, &ret_copies[i], error);

		if (r) {
			while (i > 0) {
				(void)fd_close(ret_copies[--i]);
			}
			return r;
		}
	}
	return 0;
}

static int set_irqs(struct device *device, uint32_t index, uint32_t start, const int *fds,
		    uint32_t count, struct error *error)
{
	const struct irq *irq = irq_find(device, index);
	cleanup(cleanup_free) int *copies = NULL;
	int r;

	if (irq && (count == 0 || count > irq->count)) {
		return error_set(error, ERROR_INVALID_ARGUMENT, 0,
				 "%" PRIu32 " eventfds for interrupts of kind %" PRIu32
				 " of device %s, which has %" PRIu32,
				 count, index, device->name, irq->count);
	}
	if (!irq) {
		return error_set(error, ERROR_NOT_FOUND, 0,
				 "device %s has no interrupts of kind %" PRIu32, device->name,
				 index);
	}
	copies = calloc(count, sizeof(*copies));
	if (!copies) {
		return error_set(error, ERROR_KERNEL, ENOMEM, "no memory for eventfds");
	}
	r = copy_events(device, fds, count, copies, error);
	return r ? r : irq_set(device, index, start, copies, count, error);
}

int spapr_irq_set(struct spapr_device *device, uint32_t index, uint32_t start, const int *fds,
		  uint32_t count, struct spapr_error *ret_error)
{
	struct device *used;
	struct error error;
	int r = use(device, &used, &error);

	if (r == 0) {
		r = set_irqs(used, index, start, fds, count, &error);
	}

	return spapr_finish(r, &error, ret_error);
}

int spapr_irq_mask(struct spapr_device *device, uint32_t index, struct spapr_error *ret_error)
{
	struct device *used;
	struct error error;
	int r = use(device, &used, &error);

	if (r == 0) {
		r = irq_mask(used, index, &error);
	}

	return spapr_finish(r, &error, ret_error);
}

int spapr_irq_unmask(struct spapr_device *device, uint32_t index, struct spapr_error *ret_error)
{
	struct device *used;
	struct error error;
	int r = use(device, &used, &error);

	if (r == 0) {
		r = irq_unmask(used, index, &error);
	}

	return spapr_finish(r, &error, ret_error);
}

int spapr_irq_disable(struct spapr_device *device, uint32_t index, struct spapr_error *ret_error)
{
	struct device *used;
	struct error error;
	int r = use(device, &used, &error);

	if (r == 0) {
		r = irq_disable(used, index, &error);
	}

	return spapr_finish(r, &error, ret_error);
}

/* resets */

int spapr_device_reset(struct spapr_device *device, struct spapr_error *ret_error)
{
	struct space *space = device->space->space;
	struct device *used;
	struct error error;
	unsigned int held = 0;
	int r = use(device, &used, &error);

	/* A reset of a bus may hit devices of others. */
	if (r == 0) {
		r = space_hold_all(space, &held, &error);
	}
	if (r == 0) {
		r = space_reset_device(space, NULL, held, device->group, device->device->name,
				       &error);
		space_release_all(space, held);
	}
	return spapr_finish(r, &error, ret_error);
}

/* The first failure of many. */
struct failure {
	int code;
	struct error error;
};

static void note_failure(void *userdata, const struct space_reset *reset)
{
	struct failure *failure = userdata;

	if (reset->way == WORKER_RESET_FAILED && failure->code == 0) {
		failure->code = (int)reset->error.code;
		failure->error = reset->error;
	}
}

int spapr_space_reset(struct spapr_space *space, struct spapr_error *ret_error)
{
	struct failure failure = {.code = 0};
	struct error error;
	unsigned int held = 0;
	int r = space_hold_all(space->space, &held, &error);

	if (r) {
		return spapr_finish(r, &error, ret_error);
	}
	space_reset(space->space, held, note_failure, &failure);
	space_release_all(space->space, held);
	return spapr_finish(failure.code, &failure.error, ret_error);
}
