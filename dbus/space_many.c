/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* org.spaprd1.AddressSpace: MapMany and UnmapMany. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/fd_limit.h"
#include "dbus/space_methods.h"

/* The numbers of an entry are the fields of the worker's, in this order. */
#define QUAD 4
#define PAIR 2

/* What a system bus lets through (dbus-daemon's max_message_size): who sends more is cut off, and
 * never hears what was wrong. */
#define BUS_MESSAGE_MAX (UINT64_C(32) << 20)
#define BUS_HEADER_MAX  1024U /* of a call to an address space */

_Static_assert(WORKER_MANY_MAX * sizeof(struct worker_mapping) + BUS_HEADER_MAX <= BUS_MESSAGE_MAX,
	       "as many as one call may have must fit into one message");

/* What the two methods differ in. */
struct many_method {
	enum worker_request_type type;
	unsigned int numbers; /* of an entry */
};

static int write_all(int fd, const void *data, size_t size)
{
	const char *bytes = data;

	while (size > 0) {
		ssize_t written = write(fd, bytes, size);

		if (written < 0) {
			return -errno;
		}
		bytes += written;
		size -= (size_t)written;
	}
	return 0;
}

/* The entries as the worker takes them. */
static int make_memfd(const uint64_t *numbers, size_t count, int *ret_fd, struct error *error)
{
	cleanup(cleanup_fd) int fd = memfd_create("entries", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int r;

	if (fd < 0 || !fd_limit_allows(fd)) {
		return error_set(error, ERROR_QUOTA_EXCEEDED, fd < 0 ? errno : EMFILE,
				 "spaprd has no file left for the entries: try again later");
	}
	r = write_all(fd, numbers, count * sizeof(*numbers));
	if (r == 0 &&
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) < 0) {
		r = -errno;
	}
	if (r < 0) {
		return error_set(error, ERROR_KERNEL, -r, "can't hand %zu numbers on", count);
	}
	*ret_fd = steal_fd(&fd);
	return 0;
}

/* The array that is the call's argument; it belongs to the message. */
static int read_entries(struct bus_call *call, unsigned int entry, const uint64_t **ret_numbers,
			uint32_t *ret_count, struct error *error)
{
	const dbus_uint64_t *numbers = NULL;
	DBusMessageIter arguments;
	DBusMessageIter array;
	int count = 0;

	_Static_assert(sizeof(dbus_uint64_t) == sizeof(uint64_t), "the same");
	(void)dbus_message_iter_init(bus_call_message(call), &arguments);
	dbus_message_iter_recurse(&arguments, &array);
	dbus_message_iter_get_fixed_array(&array, &numbers, &count);
	if (count == 0 || (unsigned int)count % entry != 0 ||
	    (unsigned int)count / entry > WORKER_MANY_MAX) {
		return error_set(error, ERROR_INVALID_ARGUMENT, 0,
				 "%d numbers; pass %u for each entry, and 1 to %u entries", count,
				 entry, WORKER_MANY_MAX);
	}
	*ret_numbers = (const uint64_t *)numbers;
	*ret_count = (uint32_t)count / entry;
	return 0;
}

static void forward(struct bus_call *call, struct space_face *face,
		    const struct many_method *method)
{
	cleanup(cleanup_fd) int fd = -1;
	struct worker_many body = {.count = 0};
	const uint64_t *numbers = NULL;
	struct error error;
	int r;

	r = read_entries(call, method->numbers, &numbers, &body.count, &error);
	if (r == 0) {
		r = make_memfd(numbers, (size_t)body.count * method->numbers, &fd, &error);
	}
	if (r == 0) {
		bus_call_drop_arguments(call);
		r = space_request(face->space, method->type, &body, sizeof(body), &fd, 1,
				  face_reply_empty, call, &error);
	}
	if (r) {
		bus_call_fail(call, &error);
	}
}

static void do_map_many(struct bus_call *call, struct space_face *face)
{
	static const struct many_method method = {WORKER_MAP_MANY, QUAD};

	_Static_assert(sizeof(struct worker_mapping) == QUAD * sizeof(uint64_t), "four numbers");
	forward(call, face, &method);
}

static void do_unmap_many(struct bus_call *call, struct space_face *face)
{
	static const struct many_method method = {WORKER_UNMAP_MANY, PAIR};

	_Static_assert(sizeof(struct worker_unmap) == PAIR * sizeof(uint64_t), "two numbers");
	forward(call, face, &method);
}

void space_handle_map_many(struct bus_call *call, void *object)
{
	face_authorise(call, object, do_map_many);
}

void space_handle_unmap_many(struct bus_call *call, void *object)
{
	face_authorise(call, object, do_unmap_many);
}
