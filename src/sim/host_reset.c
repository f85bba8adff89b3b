/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How functions can be reset: what pci_init_reset_methods finds in config space. */
#include <stdio.h>
#include <string.h>

#include "sim/host_private.h"
#include "sim/pci_config.h"

#define EXPRESS_CAPABILITIES   4
#define EXPRESS_FUNCTION_RESET (UINT32_C(1) << 28)
#define FEATURES_CAPABILITIES  3
#define FEATURES_RESET         0x03U /* transactions pending and function-level reset */
#define POWER_CONTROL          4
#define POWER_NO_SOFT_RESET    0x08U

/* What a reset takes where the list doesn't say, in milliseconds. */
#define FLR_MILLISECONDS          100  /* pcie_flr */
#define PM_MILLISECONDS           20   /* pci_pm_reset: twice pci_pm_d3hot_delay */
#define BUS_MILLISECONDS          1100 /* pci_bridge_wait_for_secondary_bus */
#define BUS_MILLISECONDS_FIRMWARE 1800 /* EEH_PE_RST_SETTLE_TIME */

static bool has_flr(const struct sim_device *device)
{
	size_t offset =
		pci_config_find(device->config, device->config_size, PCI_CAPABILITY_EXPRESS);

	return offset && offset + 8 <= device->config_size &&
	       (pci_config_get_32(device->config, offset + EXPRESS_CAPABILITIES) &
		EXPRESS_FUNCTION_RESET);
}

static bool has_features_flr(const struct sim_device *device)
{
	size_t offset =
		pci_config_find(device->config, device->config_size, PCI_CAPABILITY_FEATURES);

	return offset && offset + 4 <= device->config_size &&
	       (device->config[offset + FEATURES_CAPABILITIES] & FEATURES_RESET) == FEATURES_RESET;
}

static bool has_pm(const struct sim_device *device)
{
	size_t offset = pci_config_find(device->config, device->config_size, PCI_CAPABILITY_POWER);

	return offset && offset + 8 <= device->config_size &&
	       !(device->config[offset + POWER_CONTROL] & POWER_NO_SOFT_RESET);
}

/* Whether no function of the bus comes before this one. */
static bool is_first_on_bus(const struct sim_host *host, const struct sim_device *device)
{
	for (size_t i = (size_t)device->parent + 1; i < host->device_count; i++) {
		const struct sim_device *other = &host->devices[i];

		if (other->parent == device->parent && other->devfn < device->devfn) {
			return false;
		}
	}
	return true;
}

/* pci_parent_bus_reset wants the bus for the device alone. It is asked while the bus is scanned,
 * when the functions behind this one are not there yet: so the first one has the method, even when
 * it will never work. */
static bool has_bus_reset(const struct sim_host *host, const struct sim_device *device)
{
	return device->parent >= 0 && !sim_device_is_bridge(device) &&
	       is_first_on_bus(host, device);
}

static void find_methods(const struct sim_host *host, struct sim_device *device)
{
	const struct {
		bool has;
		const char *name;
	} methods[] = {
		{has_flr(device), "flr"},
		{has_features_flr(device), "af_flr"},
		{has_pm(device), "pm"},
		{has_bus_reset(host, device), "bus"},
	};
	size_t used = 0;

	for (size_t i = 0; i < sizeof(methods) / sizeof(*methods); i++) {
		if (methods[i].has) {
			used += (size_t)snprintf(device->reset_method + used,
						 sizeof(device->reset_method) - used, "%s%s",
						 used ? " " : "", methods[i].name);
		}
	}
}

static enum sim_reset find_best(const char *methods)
{
	if (*methods == '\0') {
		return SIM_RESET_NONE;
	}
	if (strncmp(methods, "pm", 2) == 0) {
		return SIM_RESET_PM;
	}
	if (strncmp(methods, "bus", 3) == 0 || strncmp(methods, "cxl_bus", 7) == 0) {
		return SIM_RESET_BUS;
	}
	return SIM_RESET_FLR;
}

static uint32_t usual_milliseconds(const struct sim_host *host, enum sim_reset reset)
{
	switch (reset) {
	case SIM_RESET_NONE:
		return 0;
	case SIM_RESET_FLR:
		return FLR_MILLISECONDS;
	case SIM_RESET_PM:
		return PM_MILLISECONDS;
	case SIM_RESET_BUS:
		return host->platform == SIM_TYPE1 ? BUS_MILLISECONDS : BUS_MILLISECONDS_FIRMWARE;
	}
	return 0;
}

void host_find_resets(struct host_maker *maker)
{
	struct sim_host *host = maker->host;

	for (size_t i = 0; i < host->device_count; i++) {
		struct sim_device *device = &host->devices[i];
		const struct listed_device *listed = maker->extras[i].listed;

		if (!listed || listed->line[DEVICE_KEY_RESET] == 0) {
			find_methods(host, device);
		}
		device->reset = find_best(device->reset_method);
		if (!listed || listed->line[DEVICE_KEY_RESET_MILLISECONDS] == 0) {
			device->reset_milliseconds = usual_milliseconds(host, device->reset);
		}
	}
}
