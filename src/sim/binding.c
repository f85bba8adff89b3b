/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/binding.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/driver.h"
#include "common/names.h"
#include "sim/device.h"
#include "sim/function.h"
#include "sim/uevent.h"

#define DRIVER_PORT "pcieport"

#define NAME_SIZE 64U

/* -- drivers -- */

/* The ids that the drivers of this kernel's have in their tables. */
struct table_entry {
	uint16_t vendor;
	uint16_t device; /* 0: all of the vendor's */
	const char *driver;
};

static const struct table_entry table[] = {
	{0x8086, 0x10d3, "e1000e"},
	{0x1af4, 0, "virtio-pci"},
};

/* The driver that has the device without an override; "" for none. */
static const char *natural_driver(const struct sim_device *device)
{
	if (sim_device_is_bridge(device)) {
		return DRIVER_PORT;
	}
	if (*device->driver != '\0' && !driver_is_vfio(device->driver)) {
		return device->driver;
	}
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		if (table[i].vendor == device->vendor &&
		    (table[i].device == 0 || table[i].device == device->device)) {
			return table[i].driver;
		}
	}
	return "";
}

/* Whether this kernel has the driver. */
static bool is_driver(const struct sim_model *model, const char *name)
{
	bool known = strcmp(name, SIM_DRIVER_VFIO) == 0 || strcmp(name, DRIVER_PORT) == 0;

	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		known = known || strcmp(table[i].driver, name) == 0;
	}
	for (size_t i = 0; i < model->host->device_count; i++) {
		known = known || strcmp(model->host->devices[i].driver, name) == 0;
	}
	return known && *name != '\0';
}

/* pci_match_device */
static bool matches(const struct sim_function *function, const char *driver)
{
	return *function->override != '\0' ? strcmp(function->override, driver) == 0
					   : strcmp(natural_driver(function->device), driver) == 0;
}

static void report(const struct sim_function *function, const char *driver)
{
	const struct sim_model *model = function->model;

	if (model->driver_changed) {
		model->driver_changed(model->userdata, function->index, driver);
	}
}

/* -- binding -- */

/* What the driver's probe says. */
static int probe(const struct sim_function *function, const char *driver)
{
	const struct sim_group *group = function->group;

	if (strcmp(driver, SIM_DRIVER_VFIO) == 0) {
		/* vfio_pci_core_register_device, vfio_group_find_or_alloc */
		return sim_device_is_bridge(function->device) || !group ? -EINVAL : 0;
	}
	/* iommu_device_use_default_domain: VFIO has the group */
	return group && group->container && !driver_allows_vfio(driver) ? -EBUSY : 0;
}

static int bind(struct sim_function *function, const char *driver)
{
	struct sim_group *group = function->group;
	bool had_node = group && group->has_node;
	int r = probe(function, driver);

	if (r == 0 && strcmp(driver, SIM_DRIVER_VFIO) == 0) {
		r = sim_function_number(function);
	}
	if (r < 0) {
		return r;
	}
	(void)snprintf(function->driver, sizeof(function->driver), "%s", driver);
	report(function, driver);
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
	return 0;
}

/* __device_attach: no driver at all is no failure. */
static int attach(struct sim_function *function)
{
	const char *driver =
		*function->override != '\0' ? function->override : natural_driver(function->device);

	if (*function->driver != '\0' || !is_driver(function->model, driver)) {
		return 0;
	}
	return bind(function, driver);
}

/* -- unbinding -- */

void sim_binding_finish(struct sim_function *function)
{
	struct sim_group *group = function->group;
	bool had_node = group && group->has_node;

	function->leaving = false;
	function->unbinding = false;
	function->requested = false;
	function->driver[0] = '\0';
	report(function, "");
	if (group) {
		sim_group_update(group);
	}
	if (had_node && !group->has_node) {
		sim_uevent_emit_group(group, SIM_UEVENT_REMOVE);
	}
	sim_uevent_emit_pci(function, SIM_UEVENT_UNBIND);
}

static int unbind(struct sim_function *function)
{
	if (function->leaving) {
		return -EINPROGRESS;
	}
	if (sim_function_is_vfio(function)) {
		sim_uevent_emit_vfio_device(function, SIM_UEVENT_REMOVE);
	}
	if (!sim_function_is_open(function)) {
		sim_binding_finish(function);
		return 0;
	}
	function->leaving = true;
	function->unbinding = true;
	report(function, "");
	sim_function_request_release(function);
	return -EINPROGRESS;
}

/* -- files -- */

/* The first line of a text, which need not end with a newline. Returns false for one that doesn't
 * fit. */
static bool first_line(const char *text, size_t size, char *ret_line, size_t room)
{
	size_t length = 0;

	while (length < size && text[length] != '\n' && text[length] != '\0') {
		length++;
	}
	if (length >= room) {
		return false;
	}
	memcpy(ret_line, text, length);
	ret_line[length] = '\0';
	return true;
}

static struct sim_function *find_function(const struct sim_model *model, const char *name)
{
	int index = sim_host_find_device(model->host, name);

	return index < 0 ? NULL : model->functions[index];
}

/* driver_set_override */
static int write_override(struct sim_function *function, const char *text, size_t size)
{
	char override[NAME_SIZE];

	if (size >= SIM_ATTRIBUTE_MAX) {
		return -EINVAL;
	}
	if (size == 0) {
		return 0;
	}
	if (!first_line(text, size, override, sizeof(override))) {
		return -ENOMEM; /* longer names than drivers of this host have */
	}
	(void)snprintf(function->override, sizeof(function->override), "%s", override);
	if (function->model->override_changed) {
		function->model->override_changed(function->model->userdata, function->index,
						  override);
	}
	return 0;
}

/* Whether a path is PREFIX/NAME/SUFFIX; says which name. */
static bool split_path(const char *path, const char *prefix, const char *suffix,
		       char ret_name[static NAME_SIZE])
{
	size_t length = strlen(prefix);
	const char *name = path + length + 1;
	size_t name_length;

	if (strncmp(path, prefix, length) != 0 || path[length] != '/') {
		return false;
	}
	name_length = strcspn(name, "/");
	if (name_length == 0 || name_length >= NAME_SIZE || name[name_length] != '/' ||
	    strcmp(name + name_length + 1, suffix) != 0) {
		return false;
	}
	(void)snprintf(ret_name, NAME_SIZE, "%.*s", (int)name_length, name);
	return true;
}

static int write_bind(struct sim_model *model, const char *driver, struct sim_function *function)
{
	int r;

	if (!is_driver(model, driver)) {
		return -ENOENT;
	}
	if (!function || !matches(function, driver)) {
		return -ENODEV;
	}
	if (*function->driver != '\0') {
		return -EBUSY;
	}
	r = bind(function, driver);
	/* The probe's own errno gets lost on this way (bind_store). */
	return r < 0 ? -EAGAIN : 0;
}

static int write_unbind(struct sim_model *model, const char *driver, struct sim_function *function,
			bool again)
{
	if (again && (!function || !function->unbinding)) {
		return 0; /* what was waited for is over */
	}
	if (!is_driver(model, driver)) {
		return -ENOENT;
	}
	if (!function || strcmp(function->driver, driver) != 0) {
		return -ENODEV;
	}
	return unbind(function);
}

/* DEVICE/driver/unbind: by a link that goes before the driver does. */
static int write_own_unbind(struct sim_model *model, struct sim_function *function,
			    const struct sim_function *named, bool again)
{
	if (!again && (!function || *function->driver == '\0' || function->leaving)) {
		return -ENOENT;
	}
	if (!again && named != function) {
		return -ENODEV;
	}
	return write_unbind(model, function ? function->driver : "", function, again);
}

int sim_binding_write(struct sim_model *model, const char *path, const char *text, size_t size,
		      bool again)
{
	struct sim_function *named = NULL;
	struct sim_function *function;
	char line[NAME_SIZE];
	char name[NAME_SIZE];

	if (first_line(text, size, line, sizeof(line))) {
		named = find_function(model, line);
	}
	if (strcmp(path, SYSFS_PROBE) == 0) {
		return named ? attach(named) : -ENODEV;
	}
	if (split_path(path, SYSFS_PCI_DRIVERS, "bind", name)) {
		return write_bind(model, name, named);
	}
	if (split_path(path, SYSFS_PCI_DRIVERS, "unbind", name)) {
		return write_unbind(model, name, named, again);
	}
	if (split_path(path, SYSFS_PCI_DEVICES, SYSFS_OVERRIDE, name)) {
		function = find_function(model, name);
		return function ? write_override(function, text, size) : -ENOENT;
	}
	if (split_path(path, SYSFS_PCI_DEVICES, "driver/unbind", name)) {
		return write_own_unbind(model, find_function(model, name), named, again);
	}
	return -EACCES;
}
