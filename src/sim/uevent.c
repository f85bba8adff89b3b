/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/uevent.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/names.h"

#define UEVENT_MAX 4096U /* UEVENT_BUFFER_SIZE, with the header */
#define PATH_SIZE  1024U
#define VFIO_MAJOR 246U /* of the groups' nodes: dynamic, and seen so */

struct uevent {
	char bytes[UEVENT_MAX];
	size_t size;
};

static const char *name_action(enum sim_uevent action)
{
	switch (action) {
	case SIM_UEVENT_ADD:
		return "add";
	case SIM_UEVENT_REMOVE:
		return "remove";
	case SIM_UEVENT_BIND:
		return "bind";
	case SIM_UEVENT_UNBIND:
		return "unbind";
	}
	return "";
}

/* One string with its zero; one that doesn't fit is left out. */
static void add(struct uevent *uevent, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void add(struct uevent *uevent, const char *format, ...)
{
	size_t room = sizeof(uevent->bytes) - uevent->size;
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(uevent->bytes + uevent->size, room, format, arguments);
	va_end(arguments);
	if (length >= 0 && (size_t)length < room) {
		uevent->size += (size_t)length + 1;
	}
}

static void begin(struct uevent *uevent, enum sim_uevent action, const char *path,
		  const char *subsystem)
{
	uevent->size = 0;
	add(uevent, "%s@%s", name_action(action), path);
	add(uevent, "ACTION=%s", name_action(action));
	add(uevent, "DEVPATH=%s", path);
	add(uevent, "SUBSYSTEM=%s", subsystem);
}

static void end(struct uevent *uevent, struct sim_model *model)
{
	add(uevent, "SEQNUM=%" PRIu64, ++model->uevent_sequence);
	if (model->emit) {
		model->emit(model->userdata, uevent->bytes, uevent->size);
	}
}

/* "/devices/pci0000:00/0000:00:00.0/0000:01:00.0", as in sysfs. */
static void write_path(const struct sim_host *host, const struct sim_device *device,
		       char path[PATH_SIZE])
{
	const struct sim_device *top = device;
	char below[PATH_SIZE] = "";
	char part[PATH_SIZE];

	for (;;) {
		(void)snprintf(part, sizeof(part), "/%s%.*s", top->name, (int)sizeof(below) - 32,
			       below);
		memcpy(below, part, sizeof(below));
		if (top->parent < 0) {
			break;
		}
		top = &host->devices[top->parent];
	}
	(void)snprintf(path, PATH_SIZE, "/devices/pci%04x:%02x%.*s", host->phbs[top->phb].number,
		       top->bus, (int)PATH_SIZE - 32, below);
}

/* The last part of a node's path, without its unit address. */
static void add_of_node(struct uevent *uevent, const char *of_path)
{
	const char *slash = strrchr(of_path, '/');
	const char *name = slash ? slash + 1 : of_path;

	add(uevent, "OF_NAME=%.*s", (int)strcspn(name, "@"), name);
	add(uevent, "OF_FULLNAME=/%s", of_path);
	add(uevent, "OF_COMPATIBLE_N=0");
}

void sim_uevent_emit_pci(const struct sim_function *function, enum sim_uevent action)
{
	const struct sim_device *device = function->device;
	struct uevent uevent;
	char path[PATH_SIZE];

	write_path(function->model->host, device, path);
	begin(&uevent, action, path, "pci");
	/* At all other times it has none, or no more. */
	if (action == SIM_UEVENT_BIND) {
		add(&uevent, "DRIVER=%s", function->driver);
	}
	if (device->of_path) {
		add_of_node(&uevent, device->of_path);
	}
	add(&uevent, "PCI_CLASS=%04X", device->class_code);
	add(&uevent, "PCI_ID=%04X:%04X", device->vendor, device->device);
	add(&uevent, "PCI_SUBSYS_ID=%04X:%04X", device->subsystem_vendor, device->subsystem_device);
	add(&uevent, "PCI_SLOT_NAME=%s", device->name);
	/* Nobody shall load the module of a driver that has just gone (zap_modalias_env). */
	if (action != SIM_UEVENT_UNBIND) {
		add(&uevent, "MODALIAS=pci:v%08Xd%08Xsv%08Xsd%08Xbc%02Xsc%02Xi%02x", device->vendor,
		    device->device, device->subsystem_vendor, device->subsystem_device,
		    device->class_code >> 16 & 0xffU, device->class_code >> 8 & 0xffU,
		    device->class_code & 0xffU);
	}
	end(&uevent, function->model);
}

void sim_uevent_emit_vfio_device(const struct sim_function *function, enum sim_uevent action)
{
	struct uevent uevent;
	char device[PATH_SIZE];
	char path[PATH_SIZE];

	write_path(function->model->host, function->device, device);
	(void)snprintf(path, sizeof(path), "%.*s/vfio-dev/vfio%u", (int)PATH_SIZE - 32, device,
		       function->vfio_number);
	begin(&uevent, action, path, "vfio-dev");
	end(&uevent, function->model);
}

void sim_uevent_emit_group(const struct sim_group *group, enum sim_uevent action)
{
	struct uevent uevent;
	char path[PATH_SIZE];

	(void)snprintf(path, sizeof(path), "/devices/virtual/vfio/%u", group->number);
	begin(&uevent, action, path, "vfio");
	add(&uevent, "MAJOR=%u", VFIO_MAJOR);
	add(&uevent, "MINOR=%u", group->number);
	add(&uevent, "DEVNAME=vfio/%u", group->number);
	end(&uevent, group->model);
}
