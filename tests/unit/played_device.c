/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "played_device.h"

#include <linux/vfio.h>
#include <string.h>
#include <unistd.h>

#include "common/error.h"
#include "common/packet.h"

#define HELD_PAUSE_USEC 1000
#define ENTRIES_MAX     300U

struct body {
	union {
		struct worker_device_info info;
		struct worker_region regions[ENTRIES_MAX];
		struct worker_area areas[ENTRIES_MAX];
		struct worker_irq irqs[ENTRIES_MAX];
		uint64_t value;
		unsigned char bytes[1];
	};
	size_t size;
};

static void reply(const struct worker_request *request, uint32_t code, const void *data,
		  size_t size)
{
	static const char words[] = "the played device says so";
	struct worker_reply head = {
		.version = WORKER_PROTOCOL_VERSION,
		.type = request->type,
		.id = request->id,
		.code = code,
		.size = (uint32_t)(code ? sizeof(words) - 1 : size),
	};

	(void)packet_send(WORKER_SOCKET_FD, &head, sizeof(head), code ? words : data, head.size,
			  NULL, 0);
}

/* -- the truth -- */

static const struct worker_region regions[] = {
	{.index = VFIO_PCI_BAR0_REGION_INDEX, .flags = 7, .size = 0x100000},
	{.index = VFIO_PCI_CONFIG_REGION_INDEX,
	 .flags = 3,
	 .size = 4096,
	 .offset = UINT64_C(7) << 40},
	{.index = VFIO_PCI_NUM_REGIONS,
	 .flags = 15,
	 .size = 0x10000,
	 .offset = UINT64_C(9) << 40,
	 .capabilities = 2,
	 .type = PLAYED_REGION_TYPE,
	 .subtype = PLAYED_REGION_SUBTYPE},
};

static const struct worker_area areas[] = {{0x1000, 0x2000}, {0x8000, 0x1000}};

static const struct worker_irq irqs[] = {
	{.index = VFIO_PCI_INTX_IRQ_INDEX, .flags = 7, .count = 1},
	{.index = VFIO_PCI_MSIX_IRQ_INDEX, .flags = 9, .count = 40},
	{.index = VFIO_PCI_ERR_IRQ_INDEX, .flags = 9, .count = 1},
	{.index = VFIO_PCI_REQ_IRQ_INDEX, .flags = 9, .count = 1},
};

static void fill_body(struct body *body, const void *data, size_t size)
{
	memcpy(body->bytes, data, size);
	body->size = size;
}

static void answer_truly(const struct worker_call_device *call,
			 volatile struct played_device *script, struct body *body)
{
	const struct worker_device_info info = {
		.flags = 3, .regions = 10, .irqs = 5, .reset_works = script->reset_works};
	uint64_t value = script->value;

	switch ((enum worker_device_call)call->call) {
	case WORKER_DEVICE_INFO:
		fill_body(body, &info, sizeof(info));
		break;
	case WORKER_DEVICE_REGIONS:
		fill_body(body, regions, sizeof(regions));
		break;
	case WORKER_DEVICE_AREAS:
		fill_body(body, areas, sizeof(areas));
		break;
	case WORKER_DEVICE_FIND_REGION:
		fill_body(body, &regions[2], sizeof(regions[2]));
		break;
	case WORKER_DEVICE_READ_REGION:
		value = call->size < 8 ? value & ((UINT64_C(1) << (8 * call->size)) - 1) : value;
		fill_body(body, &value, sizeof(value));
		break;
	case WORKER_DEVICE_WRITE_REGION:
		script->value = call->value;
		break;
	case WORKER_DEVICE_IRQS:
		fill_body(body, irqs, sizeof(irqs) / (script->no_alarms ? 2 : 1));
		break;
	case WORKER_DEVICE_SET_IRQS:
	case WORKER_DEVICE_MASK_IRQ:
	case WORKER_DEVICE_UNMASK_IRQ:
	case WORKER_DEVICE_DISABLE_IRQ:
	case WORKER_DEVICE_CALL_COUNT:
		break;
	}
}

/* -- lies -- */

/* `count` entries, none of which says more than the first. */
static void repeat(struct body *body, size_t entry, size_t count)
{
	for (size_t i = 1; i < count; i++) {
		memcpy(body->bytes + i * entry, body->bytes, entry);
	}
	body->size = count * entry;
}

static void spoil_info(struct worker_device_info *info, enum played_device_lie lie)
{
	if (lie == PLAYED_DEVICE_MANY) {
		info->regions = WORKER_REGIONS_MAX + 1;
	} else if (lie == PLAYED_DEVICE_INDEX) {
		info->irqs = WORKER_IRQS_MAX + 1;
	} else if (lie == PLAYED_DEVICE_LARGE) {
		info->reset_works = 2;
	}
}

static void spoil_regions(struct body *body, enum played_device_lie lie)
{
	if (lie == PLAYED_DEVICE_MANY) {
		repeat(body, sizeof(*body->regions), WORKER_REGIONS_MAX + 1);
		for (uint32_t i = 0; i <= WORKER_REGIONS_MAX; i++) {
			body->regions[i].index = i;
		}
	} else if (lie == PLAYED_DEVICE_ORDER) {
		body->regions[0].index = VFIO_PCI_ROM_REGION_INDEX;
		body->regions[1].index = VFIO_PCI_BAR0_REGION_INDEX;
	} else if (lie == PLAYED_DEVICE_TWICE) {
		repeat(body, sizeof(*body->regions), 2);
	} else if (lie == PLAYED_DEVICE_INDEX) {
		body->regions[body->size / sizeof(*body->regions) - 1].index = WORKER_REGIONS_MAX;
	} else if (lie == PLAYED_DEVICE_RESERVED) {
		body->regions[0].reserved = 1;
	} else if (lie == PLAYED_DEVICE_WRAP) {
		body->regions[0].offset = UINT64_MAX;
	}
}

static void spoil_areas(struct body *body, enum played_device_lie lie)
{
	if (lie == PLAYED_DEVICE_MANY) {
		repeat(body, sizeof(*body->areas), WORKER_AREAS_MAX + 1);
	} else if (lie == PLAYED_DEVICE_WRAP) {
		body->areas[1].offset = UINT64_MAX;
	}
}

static void spoil_irqs(struct body *body, enum played_device_lie lie)
{
	if (lie == PLAYED_DEVICE_MANY) {
		repeat(body, sizeof(*body->irqs), WORKER_IRQS_MAX + 1);
		for (uint32_t i = 0; i <= WORKER_IRQS_MAX; i++) {
			body->irqs[i].index = i;
		}
	} else if (lie == PLAYED_DEVICE_ORDER) {
		body->irqs[0].index = 3;
	} else if (lie == PLAYED_DEVICE_TWICE) {
		repeat(body, sizeof(*body->irqs), 2);
	} else if (lie == PLAYED_DEVICE_INDEX) {
		body->irqs[3].index = WORKER_IRQS_MAX;
	} else if (lie == PLAYED_DEVICE_RESERVED) {
		body->irqs[0].reserved = 1;
	}
}

static void spoil(const struct worker_call_device *call, struct body *body,
		  enum played_device_lie lie)
{
	if (lie == PLAYED_DEVICE_SHORT && body->size > 0) {
		body->size--;
	} else if (lie == PLAYED_DEVICE_LONG) {
		body->size += sizeof(uint32_t);
	} else if (call->call == WORKER_DEVICE_INFO) {
		spoil_info(&body->info, lie);
	} else if (call->call == WORKER_DEVICE_REGIONS || call->call == WORKER_DEVICE_FIND_REGION) {
		spoil_regions(body, lie);
	} else if (call->call == WORKER_DEVICE_AREAS) {
		spoil_areas(body, lie);
	} else if (call->call == WORKER_DEVICE_IRQS) {
		spoil_irqs(body, lie);
	} else if (call->call == WORKER_DEVICE_READ_REGION && lie == PLAYED_DEVICE_LARGE) {
		body->value = UINT64_C(1) << (8 * call->size);
	}
}

/* -- the worker's part -- */

/* A test that failed lets go of nothing: its worker ends then. */
static void wait_while(const volatile bool *held)
{
	pid_t test = getppid();

	while (*held) {
		if (getppid() != test) {
			_exit(4);
		}
		(void)usleep(HELD_PAUSE_USEC);
	}
}

static void note(volatile struct played_device *script, const struct worker_request *request,
		 const struct worker_call_device *call)
{
	script->calls[call->call]++;
	script->fds = request->fds;
	script->last.group = call->group;
	script->last.call = call->call;
	script->last.index = call->index;
	script->last.start = call->start;
	script->last.size = call->size;
	script->last.reserved = call->reserved;
	script->last.offset = call->offset;
	script->last.value = call->value;
	for (unsigned int i = 0; i < sizeof(call->name); i++) {
		script->last.name[i] = call->name[i];
	}
}

void played_device_call(const struct worker_request *request, const void *data,
			volatile struct played_device *script)
{
	static struct body body;
	volatile struct played_device works = {.reset_works = true};
	const struct worker_call_device *call = data;
	bool is_info = call->call == WORKER_DEVICE_INFO;

	if (request->size != sizeof(*call) || call->call == 0 ||
	    call->call >= WORKER_DEVICE_CALL_COUNT) {
		reply(request, ERROR_INVALID_ARGUMENT, NULL, 0);
		return;
	}
	script = script ? script : &works;
	if (!is_info) {
		note(script, request, call);
		wait_while(&script->held);
	}
	memset(&body, 0, sizeof(body));
	answer_truly(call, script, &body);
	if (is_info == script->lies_of_info) {
		spoil(call, &body, (enum played_device_lie)script->lie);
	}
	reply(request, is_info ? 0 : script->code, body.bytes, body.size);
}
