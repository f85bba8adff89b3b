/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/json.h"
#include "cli/status.h"

#include <string.h>

static void write_known(struct json *json, const char *key, uint32_t number)
{
	if (number == MODEL_UNKNOWN) {
		json_null(json, key);
	} else {
		json_number(json, key, number);
	}
}

static void write_name_of(struct json *json, const struct model *model, const char *path)
{
	const struct model_device *device = model_find_device(model, path);

	json_string(json, NULL, device ? device->name : path);
}

static void write_host(struct json *json, const struct model_host *host)
{
	json_begin_object(json, "host");
	json_string(json, "kind", host->kind);
	json_bool(json, "simulated", host->simulated);
	json_number(json, "page_size", host->page_size);
	json_begin_array(json, "iommu_types");
	for (size_t i = 0; i < host->iommu_types.count; i++) {
		json_string(json, NULL, host->iommu_types.items[i]);
	}
	json_end_array(json);
	json_number(json, "memory_installed", host->memory_installed);
	json_number(json, "memory_max", host->memory_max);
	json_number(json, "locked_bytes", host->locked_bytes);
	json_end_object(json);
}

static void write_space_number(struct json *json, const struct model *model, const char *path)
{
	const struct model_space *space = model_find_space(model, path);

	if (space) {
		json_number(json, "space", space->number);
	} else {
		json_null(json, "space");
	}
}

static void write_container_number(struct json *json, const struct model *model, const char *path)
{
	const struct model_container *container = model_find_container(model, path);

	if (container) {
		json_number(json, "container", container->number);
	} else {
		json_null(json, "container");
	}
}

static void write_pe(struct json *json, const struct model_pe *pe)
{
	if (!pe) {
		json_null(json, "pe");
		return;
	}
	json_begin_object(json, "pe");
	json_string(json, "state", pe->state);
	json_string(json, "recovery", pe->recovery);
	json_end_object(json);
}

static void write_group(struct json *json, const struct model *model,
			const struct model_group *group)
{
	json_begin_object(json, NULL);
	json_number(json, "id", group->id);
	json_string(json, "path", group->path);
	write_known(json, "pe_number", group->pe_number);
	write_known(json, "phb_id", group->phb_id);
	write_pe(json, model_find_pe(model, group->path));
	json_bool(json, "viable", group->viable);
	if (group->quarantine && group->quarantine[0] != '\0') {
		json_string(json, "quarantine", group->quarantine);
	}
	write_space_number(json, model, group->space);
	write_container_number(json, model, group->container);
	json_begin_array(json, "devices");
	for (size_t i = 0; i < group->devices.count; i++) {
		write_name_of(json, model, group->devices.items[i]);
	}
	json_end_array(json);
	json_end_object(json);
}

static void write_group_id(struct json *json, const char *key, const struct model *model,
			   const char *path)
{
	const struct model_group *group = model_find_group(model, path);

	if (group) {
		json_number(json, key, group->id);
	} else {
		json_null(json, key);
	}
}

static void write_device(struct json *json, const struct model *model,
			 const struct model_device *device)
{
	json_begin_object(json, NULL);
	json_string(json, "name", device->name);
	json_string(json, "path", device->path);
	write_group_id(json, "group", model, device->group);
	json_number(json, "vendor", device->vendor);
	json_number(json, "device", device->device);
	json_number(json, "class", device->class);
	if (device->driver[0]) {
		json_string(json, "driver", device->driver);
	} else {
		json_null(json, "driver");
	}
	if (device->location[0]) {
		json_string(json, "location", device->location);
	} else {
		json_null(json, "location");
	}
	json_end_object(json);
}

static void write_range(struct json *json, const char *key, struct range range)
{
	json_address(json, key, range.start);
	json_number(json, "size", range.size);
}

static void write_memory(struct json *json, const struct model_memory *memory)
{
	json_begin_object(json, NULL);
	json_number(json, "id", memory->id);
	write_range(json, "gpa", memory->range);
	json_address(json, "offset", memory->offset);
	json_bool(json, "read_only", memory->flags & MODEL_MEMORY_READ_ONLY);
	json_bool(json, "identity", memory->flags & MODEL_MEMORY_IDENTITY);
	json_bool(json, "ram_device", memory->flags & MODEL_MEMORY_RAM_DEVICE);
	json_bool(json, "skipped", memory->flags & MODEL_MEMORY_SKIPPED);
	json_end_object(json);
}

static void write_window(struct json *json, const struct model_window *window)
{
	json_begin_object(json, NULL);
	write_range(json, "start", window->range);
	json_number(json, "page_size", UINT64_C(1) << window->page_shift);
	json_number(json, "levels", window->levels);
	json_end_object(json);
}

static void write_default_window(struct json *json, struct range range)
{
	if (range.size == 0) {
		json_null(json, "default_window");
		return;
	}
	json_begin_object(json, "default_window");
	write_range(json, "start", range);
	json_end_object(json);
}

static void write_container(struct json *json, const struct model *model,
			    const struct model_container *container)
{
	json_begin_object(json, NULL);
	json_number(json, "number", container->number);
	json_string(json, "path", container->path);
	json_string(json, "iommu_type", container->iommu_type);
	json_begin_array(json, "groups");
	for (size_t i = 0; i < container->groups.count; i++) {
		write_group_id(json, NULL, model, container->groups.items[i]);
	}
	json_end_array(json);
	json_begin_array(json, "page_sizes");
	for (unsigned int shift = 0; shift < 64; shift++) {
		if (container->page_sizes >> shift & 1) {
			json_number(json, NULL, UINT64_C(1) << shift);
		}
	}
	json_end_array(json);
	write_default_window(json, container->default_window);
	json_number(json, "max_windows", container->max_windows);
	json_number(json, "max_levels", container->max_levels);
	json_bool(json, "eeh", container->eeh);
	json_end_object(json);
}

static void write_parts(struct json *json, const struct model *model,
			const struct model_space *space)
{
	json_begin_array(json, "memory");
	for (size_t i = 0; i < space->memory.count; i++) {
		write_memory(json, &space->memory.items[i]);
	}
	json_end_array(json);
	json_begin_array(json, "windows");
	for (size_t i = 0; i < space->windows.count; i++) {
		write_window(json, &space->windows.items[i]);
	}
	json_end_array(json);
	json_begin_array(json, "containers");
	for (size_t i = 0; i < space->containers.count; i++) {
		const struct model_container *container =
			model_find_container(model, space->containers.items[i]);

		if (container) {
			write_container(json, model, container);
		}
	}
	json_end_array(json);
}

static void write_space(struct json *json, const struct model *model,
			const struct model_space *space)
{
	json_begin_object(json, NULL);
	json_number(json, "number", space->number);
	json_string(json, "path", space->path);
	json_string(json, "name", space->name);
	if (space->owner[0]) {
		json_string(json, "owner", space->owner);
	} else {
		json_null(json, "owner");
	}
	json_number(json, "uid", space->uid);
	json_number(json, "mappings", space->mappings);
	json_number(json, "mapped_bytes", space->mapped_bytes);
	json_number(json, "locked_bytes", space->locked_bytes);
	json_begin_object(json, "locked");
	json_number(json, "pins", space->locked.pins);
	json_number(json, "tables", space->locked.tables);
	json_number(json, "leaks", space->locked.leaks);
	json_end_object(json);
	write_parts(json, model, space);
	json_end_object(json);
}

void status_print_json(FILE *file, const struct model *model)
{
	struct json json = JSON(file);

	json_begin_object(&json, NULL);
	json_string(&json, "version", model->host.version);
	write_host(&json, &model->host);
	json_begin_array(&json, "groups");
	for (size_t i = 0; i < model->group_count; i++) {
		write_group(&json, model, &model->groups[i]);
	}
	json_end_array(&json);
	json_begin_array(&json, "devices");
	for (size_t i = 0; i < model->device_count; i++) {
		write_device(&json, model, &model->devices[i]);
	}
	json_end_array(&json);
	json_begin_array(&json, "spaces");
	for (size_t i = 0; i < model->space_count; i++) {
		write_space(&json, model, &model->spaces[i]);
	}
	json_end_array(&json);
	json_end_object(&json);
}
