/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "worker/request.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct request_form {
	const char *name; /* NULL: there is no such type */
	uint32_t size;    /* of the body */
	uint32_t fds;     /* that come along at least */
	uint32_t most_fds;
	enum request_way way;
};

#define FORM(name, body, fds, way)                       \
	{                                                \
		name, sizeof(struct body), fds, fds, way \
	}
#define FORM_BARE(name, way)       \
	{                          \
		name, 0, 0, 0, way \
	}

static const struct request_form forms[WORKER_REQUEST_TYPE_COUNT] = {
	[WORKER_DESCRIBE] = FORM_BARE("Describe", REQUEST_AT_ONCE),
	[WORKER_SET_POLICY] = FORM("SetPolicy", worker_policy, 0, REQUEST_IN_LINE),
	[WORKER_ATTACH_GROUP] = FORM("AttachGroup", worker_attach, 2, REQUEST_IN_LINE),
	[WORKER_DETACH_GROUP] = FORM("DetachGroup", worker_detach, 0, REQUEST_IN_LINE),
	[WORKER_ADD_MEMORY] = FORM("AddMemory", worker_memory, 1, REQUEST_IN_LINE),
	[WORKER_REMOVE_MEMORY] = FORM("RemoveMemory", worker_remove_memory, 0, REQUEST_IN_LINE),
	[WORKER_CREATE_WINDOW] = FORM("CreateWindow", worker_window, 0, REQUEST_IN_LINE),
	[WORKER_REMOVE_WINDOW] = FORM("RemoveWindow", worker_remove_window, 0, REQUEST_IN_LINE),
	[WORKER_MAP] = FORM("Map", worker_map, 0, REQUEST_AT_ONCE),
	[WORKER_UNMAP] = FORM("Unmap", worker_unmap, 0, REQUEST_AT_ONCE),
	[WORKER_MAP_MANY] = FORM("MapMany", worker_many, 1, REQUEST_AT_ONCE),
	[WORKER_UNMAP_MANY] = FORM("UnmapMany", worker_many, 1, REQUEST_AT_ONCE),
	[WORKER_PLAN] = FORM("Plan", worker_plan, 0, REQUEST_IN_LINE),
	[WORKER_TRANSLATE] = FORM("Translate", worker_translate, 0, REQUEST_AT_ONCE),
	[WORKER_LIST_MAPPINGS] = FORM("ListMappings", worker_list, 0, REQUEST_AT_ONCE),
	[WORKER_OPEN_DEVICE] = {"OpenDevice", sizeof(struct worker_open_device), 0, 2,
				REQUEST_BESIDE},
	[WORKER_CALL_DEVICE] = {"CallDevice", sizeof(struct worker_call_device), 0, PACKET_FDS_MAX,
				REQUEST_AT_ONCE},
	[WORKER_RESET_DEVICE] = FORM("ResetDevice", worker_device, 0, REQUEST_BESIDE),
	[WORKER_RESET_SPACE] = FORM_BARE("ResetSpace", REQUEST_BESIDE),
	[WORKER_RELEASE_GROUP] = FORM("ReleaseGroup", worker_release, 0, REQUEST_BESIDE),
	[WORKER_OPERATE_PE] = FORM("OperatePe", worker_operate_pe, 0, REQUEST_BESIDE),
	[WORKER_CLOSE] = FORM_BARE("Close", REQUEST_IN_LINE),
};

static const struct request_form *find_form(uint32_t type)
{
	return type < WORKER_REQUEST_TYPE_COUNT && forms[type].name ? &forms[type] : NULL;
}

enum request_way request_way(uint32_t type)
{
	return forms[type].way;
}

static int check_fds(const struct request_form *form, const struct worker_request *header,
		     uint32_t fds, struct error *error)
{
	char most[32] = "";

	if (header->fds == fds && fds >= form->fds && fds <= form->most_fds) {
		return 0;
	}
	if (form->most_fds > form->fds) {
		(void)snprintf(most, sizeof(most), " to %" PRIu32, form->most_fds);
	}
	return error_set(error, ERROR_INVALID_ARGUMENT, 0,
			 "%s takes %" PRIu32 "%s fds, not %" PRIu32
			 " as the header says or %" PRIu32 " as came",
			 form->name, form->fds, most, header->fds, fds);
}

static int check_header(const struct worker_request *header, size_t body_size, uint32_t fds,
			struct error *error)
{
	const struct request_form *form = find_form(header->type);

	if (header->version != WORKER_PROTOCOL_VERSION) {
		return error_set(error, ERROR_INVALID_ARGUMENT, 0,
				 "protocol version %" PRIu32 "; this worker has %d",
				 header->version, WORKER_PROTOCOL_VERSION);
	}
	if (header->id == 0) {
		return error_set(error, ERROR_INVALID_ARGUMENT, 0, "a request can't have id 0");
	}
	if (!form) {
		return error_set(error, ERROR_INVALID_ARGUMENT, 0,
				 "there is no request type %" PRIu32, header->type);
	}
	if (header->size != body_size || header->size != form->size) {
		return error_set(error, ERROR_INVALID_ARGUMENT, 0,
				 "%s has a body of %" PRIu32 " bytes, not %" PRIu32
				 " as the header says or %zu as came",
				 form->name, form->size, header->size, body_size);
	}
	return check_fds(form, header, fds, error);
}

/* The fields that must be 0, all in one. */
static uint32_t reserved_bits(uint32_t type, const union request_body *body)
{
	switch ((enum worker_request_type)type) {
	case WORKER_SET_POLICY:
		return body->policy.reserved;
	case WORKER_ATTACH_GROUP:
		return body->attach.reserved |
		       (body->attach.flags & ~(WORKER_ATTACH_SHARE | WORKER_ATTACH_BALLOON));
	case WORKER_DETACH_GROUP:
		return body->detach.flags & ~(WORKER_DETACH_FORCE | WORKER_DETACH_IF_GONE);
	case WORKER_REMOVE_MEMORY:
		return body->remove_memory.reserved;
	case WORKER_CREATE_WINDOW:
		return body->window.reserved;
	case WORKER_MAP:
		return body->map.reserved;
	case WORKER_LIST_MAPPINGS:
		return body->list.reserved;
	case WORKER_MAP_MANY:
	case WORKER_UNMAP_MANY:
		return body->many.reserved;
	case WORKER_OPEN_DEVICE:
		return body->open_device.events & ~(WORKER_EVENT_ERROR | WORKER_EVENT_REQUEST);
	case WORKER_CALL_DEVICE:
		return body->call_device.reserved;
	case WORKER_RESET_DEVICE:
		return body->device.reserved;
	case WORKER_RELEASE_GROUP:
		return body->release.flags & ~WORKER_RELEASE_ANYWAY;
	case WORKER_RESET_SPACE:
	case WORKER_DESCRIBE:
	case WORKER_PLAN:
	case WORKER_ADD_MEMORY:
	case WORKER_REMOVE_WINDOW:
	case WORKER_UNMAP:
	case WORKER_TRANSLATE:
	case WORKER_OPERATE_PE:
	case WORKER_CLOSE:
	case WORKER_REQUEST_TYPE_COUNT:
		break;
	}
	return 0;
}

int request_read(const void *packet, size_t size, struct packet_fds *fds,
		 struct request *ret_request, struct error *error)
{
	struct request request = {.fds = PACKET_FDS_NONE};
	struct worker_request header;
	int r;

	if (size < sizeof(header)) {
		packet_fds_done(fds);
		return -EBADMSG;
	}
	memcpy(&header, packet, sizeof(header));
	request.type = header.type;
	request.id = header.id;
	r = check_header(&header, size - sizeof(header), fds->count, error);
	if (r == 0) {
		memcpy(&request.body, (const char *)packet + sizeof(header), header.size);
		if (reserved_bits(header.type, &request.body) != 0) {
			r = error_set(error, ERROR_INVALID_ARGUMENT, 0,
				      "%s has flags or reserved fields that are not 0",
				      find_form(header.type)->name);
		}
	}
	if (r) {
		packet_fds_done(fds);
	} else {
		request.fds = *fds;
		*fds = PACKET_FDS_NONE;
	}
	*ret_request = request;
	return r;
}

int request_check_name(const char name[WORKER_DEVICE_NAME_SIZE], struct error *error)
{
	size_t length = strnlen(name, WORKER_DEVICE_NAME_SIZE);
	bool good = length > 0 && length < WORKER_DEVICE_NAME_SIZE;

	/* No blanks either: the kernel takes words behind the name (vfio_pci_core_match). */
	for (size_t i = 0; good && i < length; i++) {
		good = name[i] > ' ' && name[i] <= '~';
	}
	return good ? 0
		    : error_set(error, ERROR_INVALID_ARGUMENT, 0,
				"the name of a device has 1 to %d printable characters",
				WORKER_DEVICE_NAME_SIZE - 1);
}

void request_done(struct request *request)
{
	packet_fds_done(&request->fds);
}
