/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/function.h"

#include <errno.h>
#include <linux/vfio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "sim/eeh.h"
#include "sim/event.h"
#include "sim/msix.h"

/* Which POWER8's bridges have, and later ones don't. */
#define PHB3_PAGE_SIZE (UINT64_C(1) << 24)

/* lifetime */

/* The lowest number in vfio-dev that no other has, as ida_alloc gives it. 0 or -errno. */
static int find_free_number(const struct sim_model *model, unsigned int *ret_number)
{
	size_t count = model->host->device_count;
	bool *taken = calloc(count + 1, sizeof(*taken));
	unsigned int number = 0;

	if (!taken) {
		return -ENOMEM;
	}
	for (size_t i = 0; i < count; i++) {
		const struct sim_function *other = model->functions[i];

		if (other && sim_function_is_vfio(other)) {
			taken[other->vfio_number] = true;
		}
	}
	while (taken[number]) {
		number++;
	}
	free(taken);
	*ret_number = number;
	return 0;
}

int sim_function_number(struct sim_function *function)
{
	return find_free_number(function->model, &function->vfio_number);
}

int sim_function_new(struct sim_model *model, const struct sim_device *device,
		     struct sim_function **ret_function)
{
	struct sim_function *function = calloc(1, sizeof(*function));

	if (!function) {
		return -ENOMEM;
	}
	*function = (struct sim_function){
		.model = model,
		.device = device,
		.index = (size_t)(device - model->host->devices),
		.group = device->group == SIM_NO_GROUP ? NULL : &model->groups[device->group],
		.interrupts = SIM_INTERRUPTS_NONE,
		.wakeup = -1,
	};
	(void)snprintf(function->driver, sizeof(function->driver), "%s", device->driver);
	if (!sim_device_is_bridge(device)) {
		memcpy(function->override, function->driver, sizeof(function->override));
	}
	if (sim_function_is_vfio(function) && find_free_number(model, &function->vfio_number) < 0) {
		free(function);
		return -ENOMEM;
	}
	*ret_function = function;
	return 0;
}

struct sim_function *sim_function_free(struct sim_function *function)
{
	if (function) {
		function->config = sim_config_space_free(function->config);
		function->registers = sim_registers_free(function->registers);
		free(function);
	}
	return NULL;
}

bool sim_function_is_open(const struct sim_function *function)
{
	return function->files > 0;
}

bool sim_function_is_vfio(const struct sim_function *function)
{
	return function->group && strcmp(function->driver, SIM_DRIVER_VFIO) == 0;
}

bool sim_function_is_stopped(const struct sim_function *function)
{
	return function->group->pe.io_stopped || function->group->pe.reset_asserted;
}

/*
 * While a reset is asserted the kernel itself blocks config space (EEH_PE_CFG_BLOCKED). Of a frozen
 * PE, hardware answers all ones; an emulated host, whose DMA faults don't freeze either, was seen
 * to answer as ever.
 */
enum sim_config_reach sim_function_reach(const struct sim_function *function)
{
	const struct sim_pe_state *pe = &function->group->pe;

	if (pe->reset_asserted) {
		return SIM_CONFIG_BLOCKED;
	}
	return pe->io_stopped && function->model->host->settings.freezes ? SIM_CONFIG_ALL_ONES
									 : SIM_CONFIG_ANSWERS;
}

void sim_function_request_release(struct sim_function *function)
{
	sim_event_signal(function->interrupts.request);
}

/* resets */

struct sim_function *sim_function_next_on_bus(const struct sim_function *function, size_t *index)
{
	const struct sim_model *model = function->model;

	while (*index < model->host->device_count) {
		struct sim_function *other = model->functions[(*index)++];

		if (other && other->device->phb == function->device->phb &&
		    other->device->bus == function->device->bus) {
			return other;
		}
	}
	return NULL;
}

bool sim_function_has_bus_reset(const struct sim_function *function)
{
	return function->device->parent >= 0;
}

void sim_function_reset_registers(struct sim_function *function)
{
	if (function->registers) {
		sim_registers_reset(function);
		sim_msix_present(function);
	}
	function->needs_reset = false;
}

/* A reset of an open function of a PE takes twice as long as when it is opened: 3870 against 1815
 * ms of a bus reset, 34 against 20 ms of a function's, were measured on a host with EEH. */
static uint32_t find_reset_time(const struct sim_function *function)
{
	uint32_t once = function->device->reset_milliseconds;

	return function->group->phb->eeh ? 2 * once : once;
}

int sim_function_reset(struct sim_function *function, uint32_t *ret_blocks)
{
	if (function->device->reset == SIM_RESET_NONE) {
		return -EINVAL;
	}
	sim_function_reset_registers(function);
	if (ret_blocks) {
		*ret_blocks += find_reset_time(function);
	}
	return 0;
}

void sim_group_reset_functions(struct sim_group *group)
{
	struct sim_model *model = group->model;

	for (size_t i = 0; i < model->host->device_count; i++) {
		struct sim_function *function = model->functions[i];

		if (function && function->group == group && function->config) {
			sim_config_space_reset(function->config);
			sim_function_reset_registers(function);
		}
	}
}

void sim_group_reenable_functions(struct sim_group *group)
{
	struct sim_model *model = group->model;

	for (size_t i = 0; i < model->host->device_count; i++) {
		struct sim_function *function = model->functions[i];

		if (function && function->group == group && function->config &&
		    sim_function_is_open(function)) {
			sim_config_space_reenable(function->config);
		}
	}
}

/*
 * vfio_pci_dev_set_try_reset: functions that can't be reset each by itself are reset together with
 * their bus, when all of it is vfio-pci's and nobody uses any more.
 */
static void try_bus_reset(struct sim_function *function)
{
	struct sim_function *other;
	bool needed = false;

	for (size_t i = 0; (other = sim_function_next_on_bus(function, &i));) {
		if (!sim_function_is_vfio(other) || sim_function_is_open(other)) {
			return;
		}
		needed |= other->needs_reset;
	}
	if (!needed || !sim_function_has_bus_reset(function)) {
		return;
	}
	for (size_t i = 0; (other = sim_function_next_on_bus(function, &i));) {
		sim_function_reset_registers(other);
	}
}

/* open and close */

/* Measured: a powernv host lets its devices sleep with POWER8's bridges, but not with later ones.
 */
static bool stays_awake(const struct sim_function *function)
{
	const struct sim_host *host = function->model->host;

	return host->platform == SIM_POWERNV && host->phb_count > 0 &&
	       !(host->phbs[0].page_sizes & PHB3_PAGE_SIZE);
}

/* What is there from the first open on. */
static int require_parts(struct sim_function *function)
{
	if (!function->config) {
		function->config = sim_config_space_new(function->device);
		if (function->config) {
			function->config->stays_awake = stays_awake(function);
		}
	}
	if (function->config && !function->registers) {
		function->registers = sim_registers_new(function);
		if (function->registers) {
			sim_function_reset_registers(function);
		}
	}
	return function->config && function->registers ? 0 : -ENOMEM;
}

/* vfio_pci_open_device */
static int enable(struct sim_function *function, uint32_t *blocks)
{
	int r = require_parts(function);

	if (r < 0) {
		return r;
	}
	sim_eeh_handle_device_open(function->group);
	sim_config_space_open(function->config);
	if (function->device->reset != SIM_RESET_NONE) {
		sim_function_reset_registers(function);
		*blocks += function->device->reset_milliseconds;
	}
	return 0;
}

/* vfio_pci_core_close_device */
static void disable(struct sim_function *function)
{
	sim_eeh_handle_device_close(function->group);
	sim_function_leave_low_power(function);
	sim_interrupts_close(function);
	sim_function_drop_write_events(function);
	sim_registers_close(function);
	sim_config_space_close(function->config);
	function->needs_reset = true;
	if (function->device->reset != SIM_RESET_NONE) {
		sim_function_reset_registers(function);
	}
	try_bus_reset(function);
}

/* vfio_pci_core_match: behind the name there may be a token of an SR-IOV device, which none of this
 * host is. 1: it is the one, 0: it isn't, or -EINVAL. */
static int match(const struct sim_function *function, const char *name)
{
	size_t length = strlen(function->device->name);

	if (strncmp(name, function->device->name, length) != 0 ||
	    (name[length] != '\0' && name[length] != ' ')) {
		return 0;
	}
	return name[length + strspn(name + length, " ")] == '\0' ? 1 : -EINVAL;
}

/* vfio_device_get_from_name: one that is being removed is no longer among them. */
static int find(const struct sim_group *group, const char *name, struct sim_function **ret_function)
{
	const struct sim_model *model = group->model;

	for (size_t i = 0; i < model->host->device_count; i++) {
		struct sim_function *function = model->functions[i];
		int r = 0;

		if (function && function->group == group && !function->leaving &&
		    sim_function_is_vfio(function)) {
			r = match(function, name);
		}
		if (r != 0) {
			*ret_function = function;
			return r < 0 ? r : 0;
		}
	}
	return -ENODEV;
}

int sim_device_open(struct sim_group *group, const char *name, struct sim_argument *argument)
{
	struct sim_function *function = NULL;
	struct sim_device_file *file;
	int r;

	if (!name) {
		return -EFAULT;
	}
	r = find(group, name, &function);
	if (r < 0) {
		return r;
	}
	if (!group->container || !group->container->iommu) {
		return -EINVAL;
	}
	file = malloc(sizeof(*file));
	if (!file) {
		return -ENOMEM;
	}
	r = function->files == 0 ? enable(function, &argument->blocks) : 0;
	if (r < 0) {
		free(file);
		return r;
	}
	function->files++;
	sim_group_add_device(group);
	file->function = function;
	argument->new_node = (struct sim_node){.kind = SIM_NODE_DEVICE, .device_file = file};
	return 0;
}

void sim_device_close(struct sim_device_file *file)
{
	struct sim_function *function = file->function;

	free(file);
	if (--function->files == 0) {
		disable(function);
	}
	sim_group_remove_device(function->group);
}

/* time */

bool sim_functions_tick(struct sim_model *model)
{
	bool any = false;

	for (size_t i = 0; i < model->host->device_count; i++) {
		struct sim_function *function = model->functions[i];

		if (function && function->files > 0) {
			any |= sim_registers_poll(function);
			any |= sim_interrupts_poll(function);
			any |= sim_function_poll_write_events(function);
		}
	}
	return any;
}
