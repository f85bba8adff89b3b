/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/host.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "sim/host_private.h"
#include "sim/pci_config.h"

#define PAGE_SHIFT   12
#define BUSES        256U
#define SLOTS        32U
#define CONFIG_SMALL 256U

/* pieces for the makers */

int host_device_error(struct host_maker *maker, size_t device, const char *format, ...)
{
	const struct sim_device *of = &maker->host->devices[device];
	const struct listed_device *listed = maker->extras[device].listed;
	char text[ERROR_TEXT_SIZE];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	if (listed) {
		return device_list_error(maker->host->list, listed->section, maker->error,
					 "device %s: %s", of->name, text);
	}
	return error_set(maker->error, ERROR_INVALID_ARGUMENT, 0, "%s: /%s (%s): %s",
			 maker->fdt_name, of->of_path ? of->of_path : "", of->name, text);
}

struct pci_address host_device_address(const struct sim_host *host, const struct sim_device *device)
{
	return (struct pci_address){
		.domain = (uint16_t)host->phbs[device->phb].number,
		.bus = device->bus,
		.devfn = device->devfn,
	};
}

/* Room for one more; what was there has twice as much room each time. */
static void *grow(void *array, size_t count, size_t element_size)
{
	if ((count & (count - 1)) != 0) {
		return array;
	}
	return reallocarray(array, count > 0 ? count * 2 : 1, element_size);
}

struct sim_device *host_add_device(struct host_maker *maker, struct pci_address address)
{
	struct sim_host *host = maker->host;
	struct sim_device *devices;
	struct host_maker_device *extras;

	if (host->device_count >= SIM_DEVICES_MAX) {
		(void)error_set(maker->error, ERROR_INVALID_ARGUMENT, 0,
				"%s: a simulated host has at most %u devices", maker->fdt_name,
				SIM_DEVICES_MAX);
		return NULL;
	}
	devices = grow(host->devices, host->device_count, sizeof(*devices));
	host->devices = devices ? devices : host->devices;
	extras = grow(maker->extras, host->device_count, sizeof(*extras));
	maker->extras = extras ? extras : maker->extras;
	if (!devices || !extras) {
		(void)error_set(maker->error, ERROR_KERNEL, ENOMEM, "no memory for the devices");
		return NULL;
	}
	extras[host->device_count] = (struct host_maker_device){.node = -1, .window = -1};
	devices[host->device_count] = (struct sim_device){
		.driver = "",
		.parent = -1,
		.group = SIM_NO_GROUP,
		.bus = address.bus,
		.devfn = address.devfn,
	};
	pci_address_print(address, devices[host->device_count].name);
	return &devices[host->device_count++];
}

struct sim_phb *host_add_phb(struct host_maker *maker)
{
	struct sim_host *host = maker->host;
	struct sim_phb *phbs;

	if (host->phb_count >= SIM_PHBS_MAX) {
		(void)error_set(maker->error, ERROR_INVALID_ARGUMENT, 0,
				"%s: a simulated host has at most %u PHBs", maker->fdt_name,
				SIM_PHBS_MAX);
		return NULL;
	}
	phbs = grow(host->phbs, host->phb_count, sizeof(*phbs));
	if (!phbs) {
		(void)error_set(maker->error, ERROR_KERNEL, ENOMEM, "no memory for the PHBs");
		return NULL;
	}
	host->phbs = phbs;
	phbs[host->phb_count] = (struct sim_phb){.node = ""};
	return &phbs[host->phb_count++];
}

static size_t slot_of(const struct sim_device *device)
{
	return (device->phb * BUSES + device->bus) * SLOTS + (device->devfn >> 3);
}

/* what must hold whatever the host was made from */

/* All devices of a bus lie below one bridge, and no two at one place. */
static int check_places(struct host_maker *maker)
{
	const struct sim_host *host = maker->host;
	size_t count = host->phb_count * BUSES;
	cleanup(cleanup_free) int *first = malloc((count + 1) * sizeof(*first));
	/* A bit for each function of each bus that has any. */
	cleanup(cleanup_free) uint8_t(*taken)[BUSES / 8] = calloc(count + 1, sizeof(*taken));

	if (!first || !taken) {
		return error_set(maker->error, ERROR_KERNEL, ENOMEM, "no memory for the buses");
	}
	memset(first, 0xff, (count + 1) * sizeof(*first));
	for (size_t i = 0; i < host->device_count; i++) {
		const struct sim_device *device = &host->devices[i];
		size_t bus = device->phb * BUSES + device->bus;
		uint8_t bit = (uint8_t)(1U << (device->devfn & 7U));

		if (taken[bus][device->devfn >> 3] & bit) {
			return host_device_error(maker, i, "another device has this address");
		}
		taken[bus][device->devfn >> 3] |= bit;
		if (first[bus] < 0) {
			first[bus] = (int)i;
		} else if (host->devices[first[bus]].parent != device->parent) {
			return host_device_error(maker, i,
						 "another bridge leads to its bus, that of %s",
						 host->devices[first[bus]].name);
		}
	}
	return 0;
}

/* How many functions each slot has, by PHB, bus and slot; the caller frees it. */
static uint8_t *count_functions(const struct sim_host *host)
{
	uint8_t *counts = calloc(host->phb_count + 1, (size_t)BUSES * SLOTS);

	for (size_t i = 0; counts && i < host->device_count; i++) {
		counts[slot_of(&host->devices[i])]++;
	}
	return counts;
}

/* Of some devices no bytes of config space are known. */
static int complete_config(struct host_maker *maker)
{
	struct sim_host *host = maker->host;
	cleanup(cleanup_free) uint8_t *functions = count_functions(host);

	for (size_t i = 0; i < host->device_count; i++) {
		struct sim_device *device = &host->devices[i];

		if (device->config) {
			continue;
		}
		device->config = calloc(1, CONFIG_SMALL);
		if (!device->config || !functions) {
			return error_set(maker->error, ERROR_KERNEL, ENOMEM,
					 "no memory for config space");
		}
		device->config_size = CONFIG_SMALL;
		pci_config_make(device, (device->devfn & 7) == 0 && functions[slot_of(device)] > 1,
				device->config);
	}
	return 0;
}

static int complete_settings(struct host_maker *maker)
{
	struct sim_host *host = maker->host;

	host->settings.kernel = host->settings.kernel ? host->settings.kernel : SIM_KERNEL(6, 12);
	host->settings.page_shift =
		host->settings.page_shift ? host->settings.page_shift : PAGE_SHIFT;
	host->page_shift = host->settings.page_shift;
	if (!host->fdt && host->page_shift != PAGE_SHIFT) {
		return error_set(maker->error, ERROR_INVALID_ARGUMENT, 0,
				 "host %s has no device tree, so it is an x86 one, whose pages "
				 "have 4096 bytes",
				 host->name);
	}
	return 0;
}

static int make(struct host_maker *maker)
{
	struct sim_host *host = maker->host;
	int r = 0;

	if (host->fdt) {
		r = host_read_tree(maker);
	} else {
		host->platform = SIM_TYPE1;
	}
	if (r == 0 && host->list) {
		r = host_apply_list(maker);
	}
	if (r == 0) {
		r = check_places(maker);
	}
	if (r == 0) {
		r = complete_config(maker);
	}
	if (r == 0) {
		host_find_resets(maker);
		r = complete_settings(maker);
	}
	return r ? r : host_make_pes(maker);
}

int sim_host_new(const struct sim_host_source *source, struct sim_host **ret_host,
		 struct error *error)
{
	struct sim_host *host = calloc(1, sizeof(*host));
	struct error unused = {.code = ERROR_NONE};
	struct host_maker maker = {
		.host = host,
		.fdt_name = source->fdt ? source->fdt_name : source->list_name,
		.error = error ? error : &unused,
	};
	int r = 0;

	if (host) {
		host->own_name = strdup(source->name);
	}
	if (!host || !host->own_name) {
		free(host);
		return error_set(error, ERROR_KERNEL, ENOMEM, "no memory for the host");
	}
	host->name = host->own_name;
	host->fdt = source->fdt;
	host->fdt_size = source->fdt_size;
	host->settings = source->settings;
	if (source->list) {
		r = device_list_parse(source->list_name, source->list, source->list_size,
				      &host->list, maker.error);
	}
	if (r == 0) {
		r = make(&maker);
	}
	free(maker.extras);
	if (r) {
		(void)sim_host_free(host);
		return r;
	}
	*ret_host = host;
	return 0;
}

struct sim_host *sim_host_free(struct sim_host *host)
{
	if (host) {
		for (size_t i = 0; i < host->device_count; i++) {
			free(host->devices[i].of_path);
			free(host->devices[i].config);
		}
		free(host->devices);
		free(host->phbs);
		free(host->pes);
		free(host->iova_ranges);
		free(host->reserved_regions);
		free(host->own_name);
		free(host->own_fdt);
		(void)device_list_free(host->list);
		free(host);
	}
	return NULL;
}

int sim_host_find_device(const struct sim_host *host, const char *name)
{
	for (size_t i = 0; i < host->device_count; i++) {
		if (strcmp(host->devices[i].name, name) == 0) {
			return (int)i;
		}
	}
	return -1;
}
