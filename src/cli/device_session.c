/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/device_session.h"

#include <stdlib.h>
#include <string.h>

#include "cli/text.h"
#include "common/cleanup.h"
#include "common/names.h"

/* -- the device -- */

static bool is_same_address(const char *name, const char *text)
{
	static const char domain[] = "0000:";

	return strcasecmp(name, text) == 0 || (strncmp(name, domain, strlen(domain)) == 0 &&
					       strcasecmp(name + strlen(domain), text) == 0);
}

static int find_device(const struct model *model, const char *text,
		       const struct model_device **ret_device, struct error *error)
{
	for (size_t i = 0; i < model->device_count; i++) {
		if (is_same_address(model->devices[i].name, text)) {
			*ret_device = &model->devices[i];
			return 0;
		}
	}
	(void)error_say(error,
			"there is no device %.64s in an IOMMU group; \"spaprctl device list\" "
			"shows what there is",
			text);
	text_disarm(error->text);
	return (int)error->code;
}

enum cli_status device_session_open(struct pe_session *session, const char *text,
				    const struct model_device **ret_device)
{
	enum cli_status status = pe_session_open(session);
	struct error error;

	return status ? status
		      : pe_session_judge(session,
					 find_device(session->model, text, ret_device, &error),
					 &error);
}

DBusMessage *device_prepare(const struct model_device *device, const char *method)
{
	return client_prepare(device->path, BUS_INTERFACE_DEVICE, method);
}

/* -- arrays of records of numbers -- */

/* Adds a record to the array that it is for. */
typedef bool (*record_reader)(DBusMessageIter *fields, void *array);

static int read_records(struct client *client, DBusMessage *call, const char *signature,
			record_reader read, void *array, struct error *error)
{
	cleanup(cleanup_message) DBusMessage *reply = NULL;
	DBusMessageIter iter;
	DBusMessageIter records;
	int r = client_call(client, call, signature, &reply, error);

	if (r) {
		return r;
	}
	(void)dbus_message_iter_init(reply, &iter);
	dbus_message_iter_recurse(&iter, &records);
	while (dbus_message_iter_get_arg_type(&records) != DBUS_TYPE_INVALID) {
		DBusMessageIter fields;

		dbus_message_iter_recurse(&records, &fields);
		if (!read(&fields, array)) {
			return property_say_no_memory(error);
		}
		(void)dbus_message_iter_next(&records);
	}
	return 0;
}

/* -- regions -- */

static bool read_area(DBusMessageIter *fields, void *array)
{
	struct device_region *region = array;
	struct device_area *area =
		property_array_add((void **)&region->areas, &region->area_count, sizeof(*area));

	if (area) {
		property_read_next(fields, &area->offset);
		property_read_next(fields, &area->size);
	}
	return area != NULL;
}

static bool read_region(DBusMessageIter *fields, void *array)
{
	struct device_regions *regions = array;
	struct device_region *region =
		property_array_add((void **)&regions->items, &regions->count, sizeof(*region));

	if (region) {
		property_read_next(fields, &region->index);
		property_read_next(fields, &region->flags);
		property_read_next(fields, &region->size);
		property_read_next(fields, &region->offset);
		property_read_next(fields, &region->capabilities);
	}
	return region != NULL;
}

static int read_areas(struct client *client, const struct model_device *device,
		      struct device_region *region, struct error *error)
{
	cleanup(cleanup_message) DBusMessage *call = device_prepare(device, "SparseAreas");

	call = client_message_if(call && dbus_message_append_args(call, DBUS_TYPE_UINT32,
								  &region->index,
								  DBUS_TYPE_INVALID),
				 call);
	return read_records(client, call, "a(tt)", read_area, region, error);
}

int device_read_regions(struct client *client, const struct model_device *device,
			struct device_regions *ret_regions, struct error *error)
{
	cleanup(cleanup_message) DBusMessage *call = device_prepare(device, "Regions");
	cleanup(device_regions_done) struct device_regions regions = DEVICE_REGIONS_NONE;
	int r = read_records(client, call, "a(uuttt)", read_region, &regions, error);

	for (size_t i = 0; i < regions.count && r == 0; i++) {
		r = regions.items[i].flags & VFIO_REGION_INFO_FLAG_MMAP
			    ? read_areas(client, device, &regions.items[i], error)
			    : 0;
	}
	if (r == 0) {
		*ret_regions = regions;
		regions = DEVICE_REGIONS_NONE;
	}
	return r;
}

void device_regions_done(struct device_regions *regions)
{
	for (size_t i = 0; i < regions->count; i++) {
		free(regions->items[i].areas);
	}
	free(regions->items);
	*regions = DEVICE_REGIONS_NONE;
}

static const char *const region_names[] = {
	[VFIO_PCI_BAR0_REGION_INDEX] = "bar0", [VFIO_PCI_BAR1_REGION_INDEX] = "bar1",
	[VFIO_PCI_BAR2_REGION_INDEX] = "bar2", [VFIO_PCI_BAR3_REGION_INDEX] = "bar3",
	[VFIO_PCI_BAR4_REGION_INDEX] = "bar4", [VFIO_PCI_BAR5_REGION_INDEX] = "bar5",
	[VFIO_PCI_ROM_REGION_INDEX] = "rom",   [VFIO_PCI_CONFIG_REGION_INDEX] = "config",
	[VFIO_PCI_VGA_REGION_INDEX] = "vga",
};

#define REGION_NAMES (sizeof(region_names) / sizeof(*region_names))

const char *device_region_name(uint32_t index)
{
	return index < REGION_NAMES ? region_names[index] : NULL;
}

bool device_region_parse(const char *text, uint32_t *ret_index)
{
	uint64_t number = 0;

	for (uint32_t i = 0; i < REGION_NAMES; i++) {
		if (strcasecmp(text, region_names[i]) == 0) {
			*ret_index = i;
			return true;
		}
	}
	if (!pe_read_number(text, UINT32_MAX, &number)) {
		return false;
	}
	*ret_index = (uint32_t)number;
	return true;
}

/* -- interrupts -- */

static bool read_irq(DBusMessageIter *fields, void *array)
{
	struct device_irqs *irqs = array;
	struct device_irq *irq =
		property_array_add((void **)&irqs->items, &irqs->count, sizeof(*irq));

	if (irq) {
		property_read_next(fields, &irq->index);
		property_read_next(fields, &irq->flags);
		property_read_next(fields, &irq->count);
	}
	return irq != NULL;
}

int device_read_irqs(struct client *client, const struct model_device *device,
		     struct device_irqs *ret_irqs, struct error *error)
{
	cleanup(cleanup_message) DBusMessage *call = device_prepare(device, "Irqs");
	cleanup(device_irqs_done) struct device_irqs irqs = DEVICE_IRQS_NONE;
	int r = read_records(client, call, "a(uuu)", read_irq, &irqs, error);

	if (r == 0) {
		*ret_irqs = irqs;
		irqs = DEVICE_IRQS_NONE;
	}
	return r;
}

void device_irqs_done(struct device_irqs *irqs)
{
	free(irqs->items);
	*irqs = DEVICE_IRQS_NONE;
}

const char *device_irq_name(uint32_t index)
{
	static const char *const names[] = {
		[VFIO_PCI_INTX_IRQ_INDEX] = "INTx",  [VFIO_PCI_MSI_IRQ_INDEX] = "MSI",
		[VFIO_PCI_MSIX_IRQ_INDEX] = "MSI-X", [VFIO_PCI_ERR_IRQ_INDEX] = "ERR",
		[VFIO_PCI_REQ_IRQ_INDEX] = "REQ",
	};

	return index < sizeof(names) / sizeof(*names) ? names[index] : NULL;
}
