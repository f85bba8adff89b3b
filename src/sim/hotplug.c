/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/hotplug.h"

#include <errno.h>
#include <string.h>

#include "sim/binding.h"
#include "sim/function.h"
#include "sim/uevent.h"

#define REQUEST_INTERVAL 10000U /* milliseconds between two requests to give a device back */

static void report_change(const struct sim_model *model, size_t index, bool present)
{
	if (model->changed) {
		model->changed(model->userdata, index, present);
	}
}

/* The device of that name, which may be unplugged. 0 or a code with the error filled. */
static int find(const struct sim_model *model, const char *name, size_t *ret_index,
		struct error *error)
{
	int index = sim_host_find_device(model->host, name);

	if (index < 0) {
		return error_set(error, ERROR_NOT_FOUND, 0, "device %s", name);
	}
	if (sim_device_is_bridge(&model->host->devices[index])) {
		return error_set(error, ERROR_UNSUPPORTED, 0,
				 "device %s is a bridge: those stay plugged in", name);
	}
	*ret_index = (size_t)index;
	return 0;
}

/* unplugging */

/* The function goes; nobody has it open. */
static void finish(struct sim_function *function)
{
	struct sim_model *model = function->model;
	struct sim_group *group = function->group;
	bool had_node = group && group->has_node;

	model->functions[function->index] = NULL;
	report_change(model, function->index, false);
	if (group) {
		sim_group_update(group);
	}
	if (had_node && !group->has_node) {
		sim_uevent_emit_group(group, SIM_UEVENT_REMOVE);
	}
	if (*function->driver) {
		sim_uevent_emit_pci(function, SIM_UEVENT_UNBIND);
	}
	sim_uevent_emit_pci(function, SIM_UEVENT_REMOVE);
	(void)sim_function_free(function);
}

int sim_hotplug_unplug(struct sim_model *model, const char *device, struct error *error)
{
	struct sim_function *function;
	size_t index = 0;
	int code = find(model, device, &index, error);

	if (code) {
		return code;
	}
	function = model->functions[index];
	if (!function) {
		return error_set(error, ERROR_NOT_FOUND, 0, "device %s is unplugged", device);
	}
	if (function->unbinding) {
		function->unbinding = false; /* it goes altogether when its user lets go of it */
		return 0;
	}
	if (function->leaving) {
		return error_set(error, ERROR_BUSY, 0,
				 "device %s is being unplugged, and waits for its user", device);
	}
	function->leaving = true;
	if (sim_function_is_vfio(function)) {
		sim_uevent_emit_vfio_device(function, SIM_UEVENT_REMOVE);
	}
	if (sim_function_is_open(function)) {
		sim_function_request_release(function);
	} else {
		finish(function);
	}
	return 0;
}

/* One that is asked back. Returns whether it still waits. */
static bool go_on(struct sim_function *function, uint64_t now)
{
	if (!sim_function_is_open(function)) {
		if (function->unbinding) {
			sim_binding_finish(function);
		} else {
			finish(function);
		}
		return false;
	}
	if (!function->requested) {
		/* The first request went out when no clock was at hand. */
		function->requested = true;
		function->next_request = now + REQUEST_INTERVAL;
	} else if (now >= function->next_request) {
		function->next_request = now + REQUEST_INTERVAL;
		sim_function_request_release(function);
	}
	return true;
}

bool sim_hotplug_tick(struct sim_model *model, uint64_t now_milliseconds)
{
	bool waits = false;

	for (size_t i = 0; i < model->host->device_count; i++) {
		struct sim_function *function = model->functions[i];

		if (function && function->leaving) {
			waits |= go_on(function, now_milliseconds);
		}
	}
	return waits;
}

/* plugging */

static void bind_driver(struct sim_function *function)
{
	struct sim_group *group = function->group;
	bool had_node = group && group->has_node;

	if (!*function->driver) {
		return;
	}
	if (group) {
		sim_group_update(group);
	}
	if (group && !had_node && group->has_node) {
		sim_uevent_emit_group(group, SIM_UEVENT_ADD);
	}
	if (sim_function_is_vfio(function)) {
		sim_uevent_emit_vfio_device(function, SIM_UEVENT_ADD);
	}
	sim_uevent_emit_pci(function, SIM_UEVENT_BIND);
}

int sim_hotplug_plug(struct sim_model *model, const char *device, struct error *error)
{
	struct sim_function *function = NULL;
	size_t index = 0;
	int code = find(model, device, &index, error);
	int r;

	if (code) {
		return code;
	}
	if (model->functions[index]) {
		return error_set(error, ERROR_BUSY, 0, "device %s is plugged in", device);
	}
	r = sim_function_new(model, &model->host->devices[index], &function);
	if (r < 0) {
		return error_set(error, ERROR_KERNEL, -r, "device %s", device);
	}
	model->functions[index] = function;
	report_change(model, index, true);
	sim_uevent_emit_pci(function, SIM_UEVENT_ADD);
	bind_driver(function);
	return 0;
}
