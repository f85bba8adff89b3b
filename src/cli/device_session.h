/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the subcommands of `spaprctl device` begin with, and the device's methods as functions: one
 * call each, blocking, what comes back checked. They return 0 or a code, as client_call does. */
#pragma once

#include <linux/vfio.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/pe_session.h"

/* Open a session and find the device of a PCI address (that of domain 0 without the domain). A
 * failure is told on stderr. */
enum cli_status device_session_open(struct pe_session *session, const char *text,
				    const struct model_device **ret_device);

/* A method of the device to be filled and called. NULL: no memory, which client_call explains. */
DBusMessage *device_prepare(const struct model_device *device, const char *method);

/* -- regions -- */

struct device_area {
	uint64_t offset;
	uint64_t size;
};

struct device_region {
	uint32_t index;
	uint32_t flags; /* VFIO_REGION_INFO_FLAG_* */
	uint64_t size;
	uint64_t offset; /* in the device's fd */
	uint64_t capabilities;
	struct device_area *areas; /* that can be mapped; owned */
	size_t area_count;
};

struct device_regions {
	struct device_region *items;
	size_t count;
};

#define DEVICE_REGIONS_NONE ((struct device_regions){.items = NULL})

int device_read_regions(struct client *client, const struct model_device *device,
			struct device_regions *ret_regions, struct error *error);
void device_regions_done(struct device_regions *regions);

/* "bar0", "rom", "config", "vga"; NULL for a region that is the device's own. */
const char *device_region_name(uint32_t index);

/* By such a name, or a number. */
bool device_region_parse(const char *text, uint32_t *ret_index);

/* -- interrupts -- */

struct device_irq {
	uint32_t index;
	uint32_t flags; /* VFIO_IRQ_INFO_* */
	uint32_t count;
};

struct device_irqs {
	struct device_irq *items;
	size_t count;
};

#define DEVICE_IRQS_NONE ((struct device_irqs){.items = NULL})

int device_read_irqs(struct client *client, const struct model_device *device,
		     struct device_irqs *ret_irqs, struct error *error);
void device_irqs_done(struct device_irqs *irqs);

/* "INTx", "MSI", "MSI-X", "ERR", "REQ"; NULL for others. */
const char *device_irq_name(uint32_t index);
