/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Requests: reading one packet as a request, with all checks that don't depend on the state.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "common/packet.h"
#include "common/worker_protocol.h"

union request_body {
	struct worker_policy policy;
	struct worker_attach attach;
	struct worker_detach detach;
	struct worker_memory memory;
	struct worker_remove_memory remove_memory;
	struct worker_window window;
	struct worker_remove_window remove_window;
	struct worker_map map;
	struct worker_unmap unmap;
	struct worker_many many;
	struct worker_plan plan;
	struct worker_translate translate;
	struct worker_list list;
	struct worker_open_device open_device;
	struct worker_call_device call_device;
	struct worker_device device;
	struct worker_release release;
	struct worker_operate_pe operate_pe;
};

/* How requests of a type are carried out (worker.h). */
enum request_way {
	REQUEST_AT_ONCE,
	REQUEST_IN_LINE,
	REQUEST_BESIDE,
};

/* A request that is understood, and the fds that came along. */
struct request {
	uint32_t type; /* enum worker_request_type */
	uint64_t id;
	union request_body body;
	struct packet_fds fds; /* owned */
};

/*
 * Read a packet. fds is emptied in any case: taken by the request, or closed.
 * -EBADMSG: not even an id can be read. ERROR_INVALID_ARGUMENT: ret_request has only type and id.
 */
int request_read(const void *packet, size_t size, struct packet_fds *fds,
		 struct request *ret_request, struct error *error);

/* For the type of a request that was read. */
enum request_way request_way(uint32_t type);

/* Whether a device's name has an end and is one that the kernel takes as one. Such a name may be
 * told to people. ERROR_INVALID_ARGUMENT */
int request_check_name(const char name[WORKER_DEVICE_NAME_SIZE], struct error *error);

/* Close what is left of the fds. */
void request_done(struct request *request);
