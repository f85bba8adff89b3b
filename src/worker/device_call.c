/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "worker/device_call.h"

#include <inttypes.h>
#include <linux/vfio.h>
#include <stdio.h>
#include <string.h>

#include "vfio/device.h"
#include "vfio/irq.h"
#include "vfio/region.h"

_Static_assert(WORKER_AREAS_MAX * sizeof(struct worker_area) <= DEVICE_CALL_BODY_MAX &&
		       WORKER_IRQS_MAX * sizeof(struct worker_irq) <= DEVICE_CALL_BODY_MAX,
	       "all bodies have room");

struct call {
	struct device *device;
	const struct worker_call_device *wire;
	struct packet_fds *fds;
	unsigned char *body;
	size_t size; /* of the body */
};

/* Put something behind the body. */
static void add(struct call *call, const void *part, size_t size)
{
	memcpy(call->body + call->size, part, size);
	call->size += size;
}

static void add_region(struct call *call, const struct region *region)
{
	const struct worker_region wire = {
		.index = region->index,
		.flags = region->flags,
		.size = region->size,
		.offset = region->offset,
		.capabilities = region->capabilities,
		.type = region->type,
		.subtype = region->subtype,
	};

	add(call, &wire, sizeof(wire));
}

static int tell_info(struct call *call, struct error *error)
{
	const struct device *device = call->device;
	const struct worker_device_info info = {
		.flags = device->flags,
		.regions = device->region_numbers,
		.irqs = device->irq_numbers,
		.reset_works = device_reset_works(device),
	};

	(void)error;
	add(call, &info, sizeof(info));
	return 0;
}

static int tell_regions(struct call *call, struct error *error)
{
	(void)error;
	for (uint32_t i = 0; i < call->device->region_count; i++) {
		add_region(call, &call->device->regions[i]);
	}
	return 0;
}

static int tell_areas(struct call *call, struct error *error)
{
	struct region *region = NULL;
	int r = region_find(call->device, call->wire->index, &region, error);

	for (uint32_t i = 0; r == 0 && i < region->area_count; i++) {
		const struct worker_area area = {
			.offset = region->areas[i].offset,
			.size = region->areas[i].size,
		};

		add(call, &area, sizeof(area));
	}
	return r;
}

static int find_region(struct call *call, struct error *error)
{
	uint64_t type = call->wire->offset;
	uint64_t subtype = call->wire->value;
	struct region *region = NULL;
	int r;

	if (type > UINT32_MAX || subtype > UINT32_MAX) {
		return error_set(error, ERROR_INVALID_ARGUMENT, 0,
				 "types of regions have 32 bits, not 0x%" PRIx64 ", 0x%" PRIx64,
				 type, subtype);
	}
	r = region_find_type(call->device, (uint32_t)type, (uint32_t)subtype, &region, error);
	if (r == 0) {
		add_region(call, region);
	}
	return r;
}

static int read_register(struct call *call, struct error *error)
{
	const struct worker_call_device *wire = call->wire;
	struct region *region = NULL;
	uint64_t value = 0;
	int r = region_find(call->device, wire->index, &region, error);

	if (r == 0) {
		r = region_read(call->device, region, wire->offset, wire->size, &value, error);
	}
	if (r == 0) {
		add(call, &value, sizeof(value));
	}
	return r;
}

static int write_register(struct call *call, struct error *error)
{
	const struct worker_call_device *wire = call->wire;
	struct region *region = NULL;
	int r = region_find(call->device, wire->index, &region, error);

	return r ? r
		 : region_write(call->device, region, wire->offset, wire->size, wire->value, error);
}

static int tell_irqs(struct call *call, struct error *error)
{
	(void)error;
	for (uint32_t i = 0; i < call->device->irq_count; i++) {
		const struct irq *irq = &call->device->irqs[i];
		const struct worker_irq wire = {
			.index = irq->index,
			.flags = irq->flags,
			.count = irq->count,
		};

		add(call, &wire, sizeof(wire));
	}
	return 0;
}

/* The broker hears of errors and of requests, for all who want to know. */
static int check_kind(const struct call *call, struct error *error)
{
	uint32_t index = call->wire->index;

	if (index == VFIO_PCI_ERR_IRQ_INDEX || index == VFIO_PCI_REQ_IRQ_INDEX) {
		return error_set(error, ERROR_INVALID_ARGUMENT, 0,
				 "interrupts %" PRIu32 " (%s) of device %s are this service's own",
				 index, index == VFIO_PCI_ERR_IRQ_INDEX ? "ERR" : "REQ",
				 call->device->name);
	}
	return 0;
}

static int set_irqs(struct call *call, struct error *error)
{
	int events[PACKET_FDS_MAX];
	unsigned int count = call->fds->count;
	int r = check_kind(call, error);

	if (r) {
		return r;
	}
	for (unsigned int i = 0; i < count; i++) {
		events[i] = packet_fds_take(call->fds, i);
	}
	return irq_set(call->device, call->wire->index, call->wire->start, events, count, error);
}

static int mask_irq(struct call *call, struct error *error)
{
	int r = check_kind(call, error);

	return r ? r : irq_mask(call->device, call->wire->index, error);
}

static int unmask_irq(struct call *call, struct error *error)
{
	int r = check_kind(call, error);

	return r ? r : irq_unmask(call->device, call->wire->index, error);
}

static int disable_irq(struct call *call, struct error *error)
{
	int r = check_kind(call, error);

	return r ? r : irq_disable(call->device, call->wire->index, error);
}

/* What a call has a use for. */
#define INDEX  1U
#define START  2U
#define SIZE   4U
#define OFFSET 8U
#define VALUE  16U
#define FDS    32U

static const struct form {
	const char *name; /* NULL: there is no such call */
	unsigned int uses;
	int (*carry_out)(struct call *call, struct error *error);
} forms[WORKER_DEVICE_CALL_COUNT] = {
	[WORKER_DEVICE_INFO] = {"Info", 0, tell_info},
	[WORKER_DEVICE_REGIONS] = {"Regions", 0, tell_regions},
	[WORKER_DEVICE_AREAS] = {"SparseAreas", INDEX, tell_areas},
	[WORKER_DEVICE_FIND_REGION] = {"FindRegion", OFFSET | VALUE, find_region},
	[WORKER_DEVICE_READ_REGION] = {"ReadRegion", INDEX | OFFSET | SIZE, read_register},
	[WORKER_DEVICE_WRITE_REGION] = {"WriteRegion", INDEX | OFFSET | SIZE | VALUE,
					write_register},
	[WORKER_DEVICE_IRQS] = {"Irqs", 0, tell_irqs},
	[WORKER_DEVICE_SET_IRQS] = {"SetIrqs", INDEX | START | FDS, set_irqs},
	[WORKER_DEVICE_MASK_IRQ] = {"MaskIrq", INDEX, mask_irq},
	[WORKER_DEVICE_UNMASK_IRQ] = {"UnmaskIrq", INDEX, unmask_irq},
	[WORKER_DEVICE_DISABLE_IRQ] = {"DisableIrq", INDEX, disable_irq},
};

static unsigned int find_given(const struct request *request)
{
	const struct worker_call_device *wire = &request->body.call_device;

	return (wire->index ? INDEX : 0) | (wire->start ? START : 0) | (wire->size ? SIZE : 0) |
	       (wire->offset ? OFFSET : 0) | (wire->value ? VALUE : 0) |
	       (request->fds.count ? FDS : 0);
}

static int find_form(const struct request *request, const struct form **ret_form,
		     struct error *error)
{
	uint32_t number = request->body.call_device.call;
	const struct form *form = number < WORKER_DEVICE_CALL_COUNT ? &forms[number] : NULL;
	unsigned int given = find_given(request);

	if (!form || !form->name) {
		return error_set(error, ERROR_INVALID_ARGUMENT, 0,
				 "there is no call %" PRIu32 " to a device", number);
	}
	if (given & ~form->uses) {
		return error_set(error, ERROR_INVALID_ARGUMENT, 0,
				 "%s has no use for some of what came along (0x%x)", form->name,
				 given & ~form->uses);
	}
	*ret_form = form;
	return 0;
}

int device_call(const struct space *space, struct request *request,
		unsigned char body[DEVICE_CALL_BODY_MAX], size_t *ret_size, struct error *error)
{
	const struct worker_call_device *wire = &request->body.call_device;
	struct call call = {.wire = wire, .fds = &request->fds, .body = body};
	const struct form *form = NULL;
	int r = find_form(request, &form, error);

	if (!form) {
		return r;
	}
	r = request_check_name(wire->name, error);
	if (r == 0) {
		r = space_use_device(space, wire->group, wire->name, &call.device, error);
	}
	if (r == 0) {
		r = form->carry_out(&call, error);
	}
	if (r == 0) {
		*ret_size = call.size;
	}
	return r;
}
