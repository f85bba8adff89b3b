/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "worker/request.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

struct request_form {
	const char *name; /* NULL: there is no such type */
	uint32_t size;    /* of the body */
	uint32_t fds;
	bool in_line;
};

static const struct request_form forms[WORKER_REQUEST_TYPE_COUNT] = {
	[WORKER_DESCRIBE] = {"Describe", 0, 0, false},
	[WORKER_SET_POLICY] = {"SetPolicy", sizeof(struct worker_policy), 0, true},
	[WORKER_ATTACH_GROUP] = {"AttachGroup", sizeof(struct worker_attach), 2, true},
	[WORKER_DETACH_GROUP] = {"DetachGroup", sizeof(struct worker_detach), 0, true},
	[WORKER_ADD_MEMORY] = {"AddMemory", sizeof(struct worker_memory), 1, true},
	[WORKER_REMOVE_MEMORY] = {"RemoveMemory", sizeof(struct worker_remove_memory), 0, true},
	[WORKER_CREATE_WINDOW] = {"CreateWindow", sizeof(struct worker_window), 0, true},
	[WORKER_REMOVE_WINDOW] = {"RemoveWindow", sizeof(struct worker_remove_window), 0, true},
	[WORKER_MAP] = {"Map", sizeof(struct worker_map), 0, false},
	[WORKER_UNMAP] = {"Unmap", sizeof(struct worker_unmap), 0, false},
	[WORKER_MAP_MANY] = {"MapMany", sizeof(struct worker_many), 1, false},
	[WORKER_UNMAP_MANY] = {"UnmapMany", sizeof(struct worker_many), 1, false},
	[WORKER_PLAN] = {"Plan", sizeof(struct worker_plan), 0, true},
	[WORKER_TRANSLATE] = {"Translate", sizeof(struct worker_translate), 0, false},
	[WORKER_LIST_MAPPINGS] = {"ListMappings", sizeof(struct worker_list), 0, false},
	[WORKER_CLOSE] = {"Close", 0, 0, true},
};

static const struct request_form *find_form(uint32_t type)
{
	return type < WORKER_REQUEST_TYPE_COUNT && forms[type].name ? &forms[type] : NULL;
}

bool request_is_in_line(uint32_t type)
{
	const struct request_form *form = find_form(type);

	return form && form->in_line;
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
	if (header->fds != fds || header->fds != form->fds) {
		return error_set(error, ERROR_INVALID_ARGUMENT, 0,
				 "%s takes %" PRIu32 " fds, not %" PRIu32
				 " as the header says or %" PRIu32 " as came",
				 form->name, form->fds, header->fds, fds);
	}
	return 0;
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
		return body->detach.reserved;
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
	case WORKER_DESCRIBE:
	case WORKER_PLAN:
	case WORKER_ADD_MEMORY:
	case WORKER_REMOVE_WINDOW:
	case WORKER_UNMAP:
	case WORKER_TRANSLATE:
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

void request_done(struct request *request)
{
	packet_fds_done(&request->fds);
}
