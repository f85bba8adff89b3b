/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* org.spaprd1.Device: regions and registers. */
#include "dbus/device_methods.h"

/* -- what there is -- */

static int append_region(void *object, uint32_t i, DBusMessageIter *array)
{
	const struct device_answer *answer = object;
	const struct worker_region *region = &answer->regions[i];
	dbus_uint64_t size = region->size;
	dbus_uint64_t offset = region->offset;
	dbus_uint64_t capabilities = region->capabilities;

	return face_append_record(array, DBUS_TYPE_STRUCT, DBUS_TYPE_UINT32, &region->index,
				  DBUS_TYPE_UINT32, &region->flags, DBUS_TYPE_UINT64, &size,
				  DBUS_TYPE_UINT64, &offset, DBUS_TYPE_UINT64, &capabilities,
				  DBUS_TYPE_INVALID);
}

static int append_regions(DBusMessageIter *iter, void *userdata)
{
	const struct device_answer *answer = userdata;

	return face_append_array(iter, "(uuttt)", answer->count, append_region, userdata);
}

static int append_area(void *object, uint32_t i, DBusMessageIter *array)
{
	const struct device_answer *answer = object;
	dbus_uint64_t offset = answer->areas[i].offset;
	dbus_uint64_t size = answer->areas[i].size;

	return face_append_record(array, DBUS_TYPE_STRUCT, DBUS_TYPE_UINT64, &offset,
				  DBUS_TYPE_UINT64, &size, DBUS_TYPE_INVALID);
}

static int append_areas(DBusMessageIter *iter, void *userdata)
{
	const struct device_answer *answer = userdata;

	return face_append_array(iter, "(tt)", answer->count, append_area, userdata);
}

static void reply_with(struct bus_call *call, const struct device_answer *answer, bus_append append)
{
	struct device_answer copy = *answer;

	if (answer->error.code != ERROR_NONE) {
		bus_call_fail(call, &answer->error);
	} else {
		bus_call_reply_with(call, append, &copy);
	}
}

static void reply_regions(void *userdata, const struct device_answer *answer)
{
	reply_with(userdata, answer, append_regions);
}

static void do_regions(struct bus_call *call, struct device_face *face)
{
	const struct worker_call_device request = {.call = WORKER_DEVICE_REGIONS};

	device_forward(call, face, &request, reply_regions);
}

void device_handle_regions(struct bus_call *call, void *object)
{
	face_authorise_device(call, object, do_regions);
}

static void reply_areas(void *userdata, const struct device_answer *answer)
{
	reply_with(userdata, answer, append_areas);
}

static void do_sparse_areas(struct bus_call *call, struct device_face *face)
{
	struct worker_call_device request = {.call = WORKER_DEVICE_AREAS};

	(void)bus_call_read(call, DBUS_TYPE_UINT32, &request.index, DBUS_TYPE_INVALID);
	device_forward(call, face, &request, reply_areas);
}

void device_handle_sparse_areas(struct bus_call *call, void *object)
{
	face_authorise_device(call, object, do_sparse_areas);
}

static void reply_index(void *userdata, const struct device_answer *answer)
{
	struct bus_call *call = userdata;

	if (answer->error.code != ERROR_NONE) {
		bus_call_fail(call, &answer->error);
	} else {
		bus_call_reply(call, DBUS_TYPE_UINT32, &answer->regions[0].index,
			       DBUS_TYPE_INVALID);
	}
}

static void do_find_region(struct bus_call *call, struct device_face *face)
{
	struct worker_call_device request = {.call = WORKER_DEVICE_FIND_REGION};
	dbus_uint32_t type = 0;
	dbus_uint32_t subtype = 0;

	(void)bus_call_read(call, DBUS_TYPE_UINT32, &type, DBUS_TYPE_UINT32, &subtype,
			    DBUS_TYPE_INVALID);
	request.offset = type;
	request.value = subtype;
	device_forward(call, face, &request, reply_index);
}

void device_handle_find_region(struct bus_call *call, void *object)
{
	face_authorise_device(call, object, do_find_region);
}

/* -- registers -- */

static void reply_value(void *userdata, const struct device_answer *answer)
{
	struct bus_call *call = userdata;
	dbus_uint64_t value = answer->value;

	if (answer->error.code != ERROR_NONE) {
		bus_call_fail(call, &answer->error);
	} else {
		bus_call_reply(call, DBUS_TYPE_UINT64, &value, DBUS_TYPE_INVALID);
	}
}

static void do_read_region(struct bus_call *call, struct device_face *face)
{
	struct worker_call_device request = {.call = WORKER_DEVICE_READ_REGION};
	dbus_uint64_t offset = 0;

	(void)bus_call_read(call, DBUS_TYPE_UINT32, &request.index, DBUS_TYPE_UINT64, &offset,
			    DBUS_TYPE_UINT32, &request.size, DBUS_TYPE_INVALID);
	request.offset = offset;
	device_forward(call, face, &request, reply_value);
}

void device_handle_read_region(struct bus_call *call, void *object)
{
	face_authorise_device(call, object, do_read_region);
}

static void do_write_region(struct bus_call *call, struct device_face *face)
{
	struct worker_call_device request = {.call = WORKER_DEVICE_WRITE_REGION};
	dbus_uint64_t offset = 0;
	dbus_uint64_t value = 0;

	(void)bus_call_read(call, DBUS_TYPE_UINT32, &request.index, DBUS_TYPE_UINT64, &offset,
			    DBUS_TYPE_UINT32, &request.size, DBUS_TYPE_UINT64, &value,
			    DBUS_TYPE_INVALID);
	request.offset = offset;
	request.value = value;
	device_forward(call, face, &request, device_reply_empty);
}

void device_handle_write_region(struct bus_call *call, void *object)
{
	face_authorise_device(call, object, do_write_region);
}
