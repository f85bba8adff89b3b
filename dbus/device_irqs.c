/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* org.spaprd1.Device: interrupts. */
#include <errno.h>
#include <inttypes.h>

#include "common/cleanup.h"
#include "common/packet.h"
#include "dbus/device_methods.h"

/* -- what there is -- */

static int append_irq(void *object, uint32_t i, DBusMessageIter *array)
{
	const struct device_answer *answer = object;
	const struct worker_irq *irq = &answer->irqs[i];

	return face_append_record(array, DBUS_TYPE_STRUCT, DBUS_TYPE_UINT32, &irq->index,
				  DBUS_TYPE_UINT32, &irq->flags, DBUS_TYPE_UINT32, &irq->count,
				  DBUS_TYPE_INVALID);
}

static int append_irqs(DBusMessageIter *iter, void *userdata)
{
	const struct device_answer *answer = userdata;

	return face_append_array(iter, "(uuu)", answer->count, append_irq, userdata);
}

static void reply_irqs(void *userdata, const struct device_answer *answer)
{
	struct device_answer copy = *answer;
	struct bus_call *call = userdata;

	if (answer->error.code != ERROR_NONE) {
		bus_call_fail(call, &answer->error);
	} else {
		bus_call_reply_with(call, append_irqs, &copy);
	}
}

static void do_irqs(struct bus_call *call, struct device_face *face)
{
	const struct worker_call_device request = {.call = WORKER_DEVICE_IRQS};

	device_forward(call, face, &request, reply_irqs);
}

void device_handle_irqs(struct bus_call *call, void *object)
{
	face_authorise_device(call, object, do_irqs);
}

/* -- eventfds -- */

/* Each fd that is read is a new one. */
static int read_eventfds(struct bus_call *call, DBusMessageIter *argument,
			 struct packet_fds *ret_fds, struct error *error)
{
	DBusMessage *message = bus_call_message(call);
	int count = dbus_message_iter_get_element_count(argument);
	DBusMessageIter array;

	if (count < 1 || count > PACKET_FDS_MAX) {
		return error_set(error, ERROR_INVALID_ARGUMENT, 0,
				 "%d eventfds; pass 1 to %d with one call, and more with further "
				 "calls whose start is higher",
				 count, PACKET_FDS_MAX);
	}
	dbus_message_iter_recurse(argument, &array);
	for (int i = 0; i < count; i++) {
		int fd = -1;

		dbus_message_iter_get_basic(&array, &fd);
		(void)dbus_message_iter_next(&array);
		if (fd < 0) {
			return dbus_message_contains_unix_fds(message)
				       ? error_set(error, ERROR_QUOTA_EXCEEDED, EMFILE,
						   "spaprd has no file left for eventfd %d: try "
						   "again later",
						   i)
				       : error_set(error, ERROR_INVALID_ARGUMENT, EBADF,
						   "the message has no fds for %d eventfds; send "
						   "them with it",
						   count);
		}
		ret_fds->fd[ret_fds->count++] = fd;
	}
	return 0;
}

static void do_set_irqs(struct bus_call *call, struct device_face *face)
{
	cleanup(packet_fds_done) struct packet_fds fds = PACKET_FDS_NONE;
	struct worker_call_device request = {.call = WORKER_DEVICE_SET_IRQS};
	DBusMessageIter arguments;
	struct error error;
	int r;

	(void)dbus_message_iter_init(bus_call_message(call), &arguments);
	dbus_message_iter_get_basic(&arguments, &request.index);
	(void)dbus_message_iter_next(&arguments);
	dbus_message_iter_get_basic(&arguments, &request.start);
	(void)dbus_message_iter_next(&arguments);
	r = read_eventfds(call, &arguments, &fds, &error);
	if (r == 0) {
		bus_call_drop_arguments(call);
		r = device_call(face->device, &request, fds.fd, fds.count, device_reply_empty, call,
				&error);
	}
	if (r) {
		bus_call_fail(call, &error);
	}
}

void device_handle_set_irqs(struct bus_call *call, void *object)
{
	face_authorise_device(call, object, do_set_irqs);
}

/* -- all interrupts of an index -- */

static void forward_index(struct bus_call *call, struct device_face *face,
			  enum worker_device_call what)
{
	struct worker_call_device request = {.call = what};

	(void)bus_call_read(call, DBUS_TYPE_UINT32, &request.index, DBUS_TYPE_INVALID);
	device_forward(call, face, &request, device_reply_empty);
}

static void do_mask_irq(struct bus_call *call, struct device_face *face)
{
	forward_index(call, face, WORKER_DEVICE_MASK_IRQ);
}

void device_handle_mask_irq(struct bus_call *call, void *object)
{
	face_authorise_device(call, object, do_mask_irq);
}

static void do_unmask_irq(struct bus_call *call, struct device_face *face)
{
	forward_index(call, face, WORKER_DEVICE_UNMASK_IRQ);
}

void device_handle_unmask_irq(struct bus_call *call, void *object)
{
	face_authorise_device(call, object, do_unmask_irq);
}

static void do_disable_irq(struct bus_call *call, struct device_face *face)
{
	forward_index(call, face, WORKER_DEVICE_DISABLE_IRQ);
}

void device_handle_disable_irq(struct bus_call *call, void *object)
{
	face_authorise_device(call, object, do_disable_irq);
}
