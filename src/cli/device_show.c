/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/device_show.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "cli/json.h"
#include "cli/table.h"
#include "cli/text.h"
#include "common/cleanup.h"
#include "common/size.h"

#define COLUMNS(table) (sizeof(table) / sizeof(*(table)))

/* -- the list -- */

enum list_column {
	LIST_DEVICE,
	LIST_KIND,
	LIST_ID,
	LIST_DRIVER,
	LIST_GROUP,
	LIST_SPACE,
	LIST_OPEN,
	LIST_LOCATION,
};

static const struct table_column list_columns[] = {
	[LIST_DEVICE] = {"DEVICE", 0, 0},
	[LIST_KIND] = {"KIND", 0, 0},
	[LIST_ID] = {"ID", 0, 0},
	[LIST_DRIVER] = {"DRIVER", 0, 0},
	[LIST_GROUP] = {"GROUP", 0, SCOLS_FL_RIGHT},
	[LIST_SPACE] = {"SPACE", 0, SCOLS_FL_RIGHT},
	[LIST_OPEN] = {"OPEN", 0, 0},
	[LIST_LOCATION] = {"LOCATION", 0, 0},
};

static const struct model_space *space_of(const struct model *model,
					  const struct model_device *device)
{
	const struct model_group *group = model_find_group(model, device->group);

	return group ? model_find_space(model, group->space) : NULL;
}

static int set_places(struct libscols_line *line, const struct model *model,
		      const struct model_device *device)
{
	const struct model_group *group = model_find_group(model, device->group);
	const struct model_space *space = space_of(model, device);
	int r = group ? table_set(line, LIST_GROUP, "%" PRIu32, group->id)
		      : table_set(line, LIST_GROUP, "-");

	if (r < 0) {
		return r;
	}
	return space ? table_set(line, LIST_SPACE, "%" PRIu32, space->number)
		     : table_set(line, LIST_SPACE, "-");
}

static int add_device(struct libscols_table *table, const struct model *model,
		      const struct model_device *device)
{
	struct libscols_line *line = scols_table_new_line(table, NULL);
	const char *kind = pci_class_name(device->class);

	if (!line || table_set(line, LIST_DEVICE, "%s", device->name) < 0 ||
	    (kind ? table_set(line, LIST_KIND, "%s", kind)
		  : table_set(line, LIST_KIND, "0x%06" PRIx32, device->class)) < 0 ||
	    table_set(line, LIST_ID, "%04x:%04x", device->vendor, device->device) < 0 ||
	    table_set(line, LIST_DRIVER, "%s", device->driver[0] ? device->driver : "-") < 0 ||
	    set_places(line, model, device) < 0 ||
	    table_set(line, LIST_OPEN, "%s", device->open ? "yes" : "no") < 0) {
		return -ENOMEM;
	}
	return table_set(line, LIST_LOCATION, "%s", device->location[0] ? device->location : "-");
}

int device_show_list(FILE *file, const struct terminal *terminal, const struct model *model)
{
	cleanup(cleanup_table) struct libscols_table *table = NULL;
	int r;

	if (model->device_count == 0) {
		(void)fprintf(file, "no devices: none is in an IOMMU group\n");
		return 0;
	}
	r = table_new(file, terminal, list_columns, COLUMNS(list_columns), &table);
	for (size_t i = 0; i < model->device_count && r == 0; i++) {
		r = add_device(table, model, &model->devices[i]);
	}
	return r < 0 ? r : scols_print_table(table);
}

static void write_text(struct json *json, const char *key, const char *text)
{
	if (text && text[0]) {
		json_string(json, key, text);
	} else {
		json_null(json, key);
	}
}

static void write_device(struct json *json, const struct model *model,
			 const struct model_device *device)
{
	const struct model_group *group = model_find_group(model, device->group);
	const struct model_space *space = space_of(model, device);

	json_string(json, "name", device->name);
	json_number(json, "vendor", device->vendor);
	json_number(json, "device", device->device);
	json_number(json, "class", device->class);
	write_text(json, "class_name", pci_class_name(device->class));
	write_text(json, "driver", device->driver);
	write_text(json, "location", device->location);
	if (group) {
		json_number(json, "group", group->id);
	} else {
		json_null(json, "group");
	}
	if (space) {
		json_number(json, "address_space", space->number);
	} else {
		json_null(json, "address_space");
	}
	json_bool(json, "open", device->open);
	json_bool(json, "reset_works", device->reset_works);
}

void device_show_list_json(FILE *file, const struct model *model)
{
	struct json json = JSON(file);

	json_begin_array(&json, NULL);
	for (size_t i = 0; i < model->device_count; i++) {
		json_begin_object(&json, NULL);
		write_device(&json, model, &model->devices[i]);
		json_end_object(&json);
	}
	json_end_array(&json);
}

/* -- regions -- */

enum region_column {
	REGION_INDEX,
	REGION_NAME,
	REGION_ACCESS,
	REGION_SIZE,
	REGION_OFFSET,
	REGION_CAPABILITIES,
	REGION_AREAS,
};

static const struct table_column region_columns[] = {
	[REGION_INDEX] = {"REGION", 0, SCOLS_FL_RIGHT},
	[REGION_NAME] = {"NAME", 0, 0},
	[REGION_ACCESS] = {"ACCESS", 0, 0},
	[REGION_SIZE] = {"SIZE", 0, SCOLS_FL_RIGHT},
	[REGION_OFFSET] = {"OFFSET", 0, SCOLS_FL_RIGHT},
	[REGION_CAPABILITIES] = {"CAPS", 0, SCOLS_FL_RIGHT},
	[REGION_AREAS] = {"CAN BE MAPPED", 0, SCOLS_FL_WRAP},
};

/* "rw", "r", "-" */
static const char *describe_access(uint32_t flags)
{
	bool reads = flags & VFIO_REGION_INFO_FLAG_READ;
	bool writes = flags & VFIO_REGION_INFO_FLAG_WRITE;

	return reads && writes ? "rw" : reads ? "r" : writes ? "w" : "-";
}

static char *describe_areas(const struct device_region *region)
{
	char *text = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&text, &size);

	if (!file) {
		return NULL;
	}
	if (region->area_count == 0) {
		(void)fputc('-', file);
	}
	for (size_t i = 0; i < region->area_count; i++) {
		const struct device_area *area = &region->areas[i];

		(void)fprintf(file, "%s[0x%" PRIx64 ", 0x%" PRIx64 ")", i > 0 ? " " : "",
			      area->offset, area->offset + area->size);
	}
	if (fclose(file) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

static int add_region(struct libscols_table *table, const struct device_region *region)
{
	cleanup(cleanup_free) char *areas = describe_areas(region);
	struct libscols_line *line = scols_table_new_line(table, NULL);
	const char *name = device_region_name(region->index);

	if (!line || !areas || table_set(line, REGION_INDEX, "%" PRIu32, region->index) < 0 ||
	    table_set(line, REGION_NAME, "%s", name ? name : "-") < 0 ||
	    table_set(line, REGION_ACCESS, "%s", describe_access(region->flags)) < 0 ||
	    table_set(line, REGION_SIZE, "%s", size_format(region->size).text) < 0 ||
	    table_set(line, REGION_OFFSET, "0x%" PRIx64, region->offset) < 0 ||
	    table_set(line, REGION_CAPABILITIES, "%" PRIu64, region->capabilities) < 0) {
		return -ENOMEM;
	}
	return table_set(line, REGION_AREAS, "%s", areas);
}

int device_show_regions(FILE *file, const struct terminal *terminal,
			const struct device_regions *regions)
{
	cleanup(cleanup_table) struct libscols_table *table = NULL;
	int r = table_new(file, terminal, region_columns, COLUMNS(region_columns), &table);

	for (size_t i = 0; i < regions->count && r == 0; i++) {
		r = add_region(table, &regions->items[i]);
	}
	return r < 0 ? r : scols_print_table(table);
}

static void write_region(struct json *json, const struct device_region *region)
{
	json_number(json, "region", region->index);
	write_text(json, "name", device_region_name(region->index));
	json_bool(json, "readable", region->flags & VFIO_REGION_INFO_FLAG_READ);
	json_bool(json, "writable", region->flags & VFIO_REGION_INFO_FLAG_WRITE);
	json_address(json, "size", region->size);
	json_address(json, "offset", region->offset);
	json_number(json, "capabilities", region->capabilities);
	json_begin_array(json, "areas");
	for (size_t i = 0; i < region->area_count; i++) {
		json_begin_object(json, NULL);
		json_address(json, "offset", region->areas[i].offset);
		json_address(json, "size", region->areas[i].size);
		json_end_object(json);
	}
	json_end_array(json);
}

static void write_regions(struct json *json, const char *key, const struct device_regions *regions)
{
	json_begin_array(json, key);
	for (size_t i = 0; i < regions->count; i++) {
		json_begin_object(json, NULL);
		write_region(json, &regions->items[i]);
		json_end_object(json);
	}
	json_end_array(json);
}

void device_show_regions_json(FILE *file, const struct device_regions *regions)
{
	struct json json = JSON(file);

	write_regions(&json, NULL, regions);
}

/* -- interrupts -- */

enum irq_column {
	IRQ_INDEX,
	IRQ_NAME,
	IRQ_COUNT,
	IRQ_CAN,
};

static const struct table_column irq_columns[] = {
	[IRQ_INDEX] = {"INDEX", 0, SCOLS_FL_RIGHT},
	[IRQ_NAME] = {"NAME", 0, 0},
	[IRQ_COUNT] = {"COUNT", 0, SCOLS_FL_RIGHT},
	[IRQ_CAN] = {"CAN", 0, 0},
};

static int add_irq(struct libscols_table *table, const struct device_irq *irq)
{
	struct libscols_line *line = scols_table_new_line(table, NULL);
	const char *name = device_irq_name(irq->index);
	uint32_t flags = irq->flags;

	if (!line || table_set(line, IRQ_INDEX, "%" PRIu32, irq->index) < 0 ||
	    table_set(line, IRQ_NAME, "%s", name ? name : "-") < 0 ||
	    table_set(line, IRQ_COUNT, "%" PRIu32, irq->count) < 0) {
		return -ENOMEM;
	}
	return table_set(line, IRQ_CAN, "%s%s%s%s", flags & VFIO_IRQ_INFO_EVENTFD ? "eventfd" : "-",
			 flags & VFIO_IRQ_INFO_MASKABLE ? " mask" : "",
			 flags & VFIO_IRQ_INFO_AUTOMASKED ? " automask" : "",
			 flags & VFIO_IRQ_INFO_NORESIZE ? " noresize" : "");
}

int device_show_irqs(FILE *file, const struct terminal *terminal, const struct device_irqs *irqs)
{
	cleanup(cleanup_table) struct libscols_table *table = NULL;
	int r = table_new(file, terminal, irq_columns, COLUMNS(irq_columns), &table);

	for (size_t i = 0; i < irqs->count && r == 0; i++) {
		r = add_irq(table, &irqs->items[i]);
	}
	return r < 0 ? r : scols_print_table(table);
}

static void write_irqs(struct json *json, const char *key, const struct device_irqs *irqs)
{
	json_begin_array(json, key);
	for (size_t i = 0; i < irqs->count; i++) {
		const struct device_irq *irq = &irqs->items[i];

		json_begin_object(json, NULL);
		json_number(json, "index", irq->index);
		write_text(json, "name", device_irq_name(irq->index));
		json_number(json, "count", irq->count);
		json_bool(json, "eventfd", irq->flags & VFIO_IRQ_INFO_EVENTFD);
		json_bool(json, "maskable", irq->flags & VFIO_IRQ_INFO_MASKABLE);
		json_bool(json, "automasked", irq->flags & VFIO_IRQ_INFO_AUTOMASKED);
		json_bool(json, "noresize", irq->flags & VFIO_IRQ_INFO_NORESIZE);
		json_end_object(json);
	}
	json_end_array(json);
}

void device_show_irqs_json(FILE *file, const struct device_irqs *irqs)
{
	struct json json = JSON(file);

	write_irqs(&json, NULL, irqs);
}

/* -- one device -- */

static void print_line(FILE *file, const char *key, const char *text)
{
	(void)fprintf(file, "  %-9s ", key);
	text_print(file, text);
	(void)fputc('\n', file);
}

static void print_space(FILE *file, const struct model *model, const struct model_device *device)
{
	const struct model_group *group = model_find_group(model, device->group);
	const struct model_space *space = space_of(model, device);

	if (group) {
		(void)fprintf(file, "  %-9s %" PRIu32 "\n", "group", group->id);
	}
	if (space) {
		(void)fprintf(file, "  %-9s %" PRIu32 " \"", "space", space->number);
		text_print(file, space->name);
		(void)fprintf(file, "\"\n");
	} else {
		print_line(file, "space", "none: \"AttachGroup\" gives one to the group");
	}
}

static void print_head(FILE *file, const struct terminal *terminal, const struct model *model,
		       const struct model_device *device)
{
	const char *kind = pci_class_name(device->class);

	(void)fprintf(file, "%s", terminal_begin(terminal, TERMINAL_BOLD));
	text_print(file, device->name);
	(void)fprintf(file, "%s  %s\n", terminal_end(terminal), kind ? kind : "");
	(void)fprintf(file, "  %-9s %04x:%04x, class 0x%06" PRIx32 "\n", "id", device->vendor,
		      device->device, device->class);
	print_line(file, "driver", device->driver[0] ? device->driver : "none");
	print_line(file, "location", device->location[0] ? device->location : "not known");
	print_space(file, model, device);
	print_line(file, "open", device->open ? "yes" : "no");
	print_line(file, "reset",
		   device->reset_works ? "it can be reset alone"
		   : device->open      ? "not alone"
				       : "not known before it was open");
}

int device_show(FILE *file, const struct terminal *terminal, const struct model *model,
		const struct model_device *device, const struct device_regions *regions,
		const struct device_irqs *irqs)
{
	int r = 0;

	print_head(file, terminal, model, device);
	if (regions) {
		(void)fputc('\n', file);
		r = device_show_regions(file, terminal, regions);
	}
	if (irqs && r == 0) {
		(void)fputc('\n', file);
		r = device_show_irqs(file, terminal, irqs);
	}
	return r;
}

void device_show_json(FILE *file, const struct model *model, const struct model_device *device,
		      const struct device_regions *regions, const struct device_irqs *irqs)
{
	struct json json = JSON(file);

	json_begin_object(&json, NULL);
	write_device(&json, model, device);
	if (regions) {
		write_regions(&json, "regions", regions);
	} else {
		json_null(&json, "regions");
	}
	if (irqs) {
		write_irqs(&json, "irqs", irqs);
	} else {
		json_null(&json, "irqs");
	}
	json_end_object(&json);
}
