/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Operations on PEs, and what they are like. */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/names.h"
#include "eeh/pe.h"
#include "eeh/snapshot.h"
#include "eeh/state.h"
#include "libspapr/handles.h"
#include "vfio/device.h"
#include "vfio/irq.h"
#include "vfio/reset.h"

#define SAME_OPERATION(name)                                                      \
	_Static_assert((int)SPAPR_EEH_##name == (int)WORKER_PE_##name,            \
		       "the numbers of operations are the engine's, which don't " \
		       "change")
SAME_OPERATION(ENABLE);
SAME_OPERATION(DISABLE);
SAME_OPERATION(UNFREEZE_IO);
SAME_OPERATION(UNFREEZE_DMA);
SAME_OPERATION(RESET_HOT);
SAME_OPERATION(RESET_FUNDAMENTAL);
SAME_OPERATION(DEACTIVATE);
SAME_OPERATION(CONFIGURE);
SAME_OPERATION(SAVE);
SAME_OPERATION(RESTORE);

#define SAME_CONDITION(name, engine)                              \
	_Static_assert((int)SPAPR_EEH_##name == (int)PE_##engine, \
		       "the numbers of conditions are the engine's")
SAME_CONDITION(UNKNOWN, UNKNOWN);
SAME_CONDITION(NORMAL, NORMAL);
SAME_CONDITION(IN_RESET, RESET);
SAME_CONDITION(STOPPED, STOPPED);
SAME_CONDITION(STOPPED_DMA, STOPPED_DMA);
SAME_CONDITION(STOPPED_IO, STOPPED_IO);
SAME_CONDITION(UNAVAILABLE, UNAVAILABLE);
SAME_CONDITION(GONE, GONE);

const char *spapr_eeh_condition_text(uint32_t condition)
{
	return pe_condition_text(condition <= PE_GONE ? (enum pe_condition)condition : PE_UNKNOWN);
}

static struct pe_target target_of(const struct spapr_space *space, const struct space_hold *hold)
{
	return (struct pe_target){
		.kernel = space->host->kernel,
		.container_fd = hold->container->fd,
		.group = hold->group,
	};
}

/* looking */

/* The first device of a group: the kernel finds its PE by that (field note H50). */
static int find_first_device(const char *sysfs_root, uint32_t group, char ret_name[NAME_MAX + 1])
{
	char path[PATH_MAX];
	const struct dirent *entry;
	DIR *directory;

	(void)snprintf(path, sizeof(path), "%s/" SYSFS_IOMMU_GROUPS "/%" PRIu32 "/devices",
		       sysfs_root, group);
	directory = opendir(path);
	if (!directory) {
		return -errno;
	}
	ret_name[0] = '\0';
	while ((entry = readdir(directory))) {
		if (entry->d_name[0] != '.' &&
		    (!ret_name[0] || strcmp(entry->d_name, ret_name) < 0)) {
			(void)snprintf(ret_name, NAME_MAX + 1, "%s", entry->d_name);
		}
	}
	(void)closedir(directory);
	return ret_name[0] ? 0 : -ENODEV;
}

static void read_flags(const struct spapr_space *space, uint32_t group, struct pe_look *look)
{
	const char *root = space->host->kernel->sysfs_root;
	cleanup(cleanup_file) FILE *file = NULL;
	char name[NAME_MAX + 1];
	char path[PATH_MAX];
	unsigned int words[2];

	if (find_first_device(root, group, name) < 0) {
		return;
	}
	if (snprintf(path, sizeof(path), "%s/" SYSFS_PCI_DEVICES "/%s/" SYSFS_EEH_STATE, root,
		     name) >= (int)sizeof(path)) {
		return;
	}
	file = fopen(path, "re");
	/* NOLINTNEXTLINE(cert-err34-c): eight digits don't overflow */
	if (file && fscanf(file, "0x%8x 0x%8x", &words[0], &words[1]) == 2) {
		look->has_flags = true;
		look->firmware_flags = words[0];
		look->kernel_flags = words[1];
	}
}

static void look_at(struct spapr_space *space, const struct space_hold *hold,
		    struct spapr_eeh_look *ret_look)
{
	struct pe_target target = target_of(space, hold);
	struct pe_look look = {.number = pe_read_number(&target)};

	pe_look_at_devices(&target, &look.devices, &look.silent);
	read_flags(space, hold->group->number, &look);
	*ret_look = (struct spapr_eeh_look){
		.number = look.number,
		.condition = (uint32_t)pe_judge(&look),
		.devices = look.devices,
		.silent = look.silent,
	};
}

int spapr_eeh_look(struct spapr_space *space, uint32_t group, struct spapr_eeh_look *ret_look,
		   struct spapr_error *ret_error)
{
	struct space_hold hold;
	struct error error;
	int r = space_hold_group(space->space, group, HOLD_ALONE_TO_LOOK, &hold, &error);

	if (r == 0) {
		look_at(space, &hold, ret_look);
		space_release_group(space->space, &hold);
	}
	return spapr_finish(r, &error, ret_error);
}

/* operating */

static bool asserts_reset(uint32_t operation)
{
	return operation == WORKER_PE_RESET_HOT || operation == WORKER_PE_RESET_FUNDAMENTAL;
}

/* A kernel that waits for the close of a device has its lock, for which a reset of the PE would
 * wait, in a sleep that nothing ends (eeh_pe_reset, pci_bus_lock). And messages must be off before:
 * with them on, the end of this process has the kernel write to BARs that aren't there. */
static int prepare_reset(struct group *group, struct error *error)
{
	const struct device *wanted = group_find_wanted_back(group);

	if (wanted) {
		return error_set(error, ERROR_BUSY, 0,
				 "the kernel wants %s back, and a reset of its PE would wait for "
				 "that: close it, or detach group %" PRIu32,
				 wanted->name, group->number);
	}
	for (struct device *device = group->devices; device && !group->reset_asserted;
	     device = device->next) {
		irq_unwire(device);
	}
	return 0;
}

/* A reset that the firmware refuses leaves the PE blocked like one that it carries out. */
static void note_reset(struct group *group, uint32_t operation, int code)
{
	if (asserts_reset(operation)) {
		group->reset_asserted = true;
	} else if (operation == WORKER_PE_DEACTIVATE && code == 0) {
		group->reset_asserted = false;
	}
}

static int operate_pe(const struct spapr_space *space, const struct space_hold *hold,
		      const struct worker_operate_pe *request, struct error *error)
{
	struct pe_target target = target_of(space, hold);
	struct worker_pe pe;
	int r = asserts_reset(request->operation) ? prepare_reset(hold->group, error) : 0;

	if (r) {
		return r;
	}
	r = pe_operate(&target, request, &pe, error);
	note_reset(hold->group, request->operation, r);
	return r;
}

/* The code tells that it is the device that isn't as it was, whatever the reason. */
static int restore(struct device *device, struct error *error)
{
	int r = snapshot_restore(device, error);

	if (r) {
		error->code = ERROR_RECOVERY_FAILED;
	}
	return r ? ERROR_RECOVERY_FAILED : 0;
}

/* All of them, whatever fails. The first failure. */
static int operate_devices(struct group *group, uint32_t operation, struct error *error)
{
	int code = 0;

	if (group->reset_asserted) {
		return error_set(error, ERROR_BUSY, 0,
				 "a reset of the PE of group %" PRIu32
				 " is asserted, and its devices have no registers meanwhile; end "
				 "it first",
				 group->number);
	}
	for (struct device *device = group->devices; device; device = device->next) {
		struct worker_registers registers;
		struct error failed;
		int r = operation == WORKER_PE_SAVE ? snapshot_take(device, &registers, &failed)
						    : restore(device, &failed);

		if (r && code == 0) {
			code = r;
			*error = failed;
		}
	}
	return code;
}

static int operate(struct spapr_space *space, const struct worker_operate_pe *request,
		   struct error *error)
{
	struct space_hold hold;
	int r = space_hold_group(space->space, request->group, HOLD_ALONE, &hold, error);

	if (r) {
		return r;
	}
	if (request->operation > WORKER_PE_INJECT) {
		r = operate_devices(hold.group, request->operation, error);
	} else {
		r = operate_pe(space, &hold, request, error);
	}
	space_release_group(space->space, &hold);
	return r;
}

static bool is_operation(uint32_t operation)
{
	return (operation >= SPAPR_EEH_ENABLE && operation <= SPAPR_EEH_CONFIGURE) ||
	       operation == SPAPR_EEH_SAVE || operation == SPAPR_EEH_RESTORE;
}

int spapr_eeh_operate(struct spapr_space *space, uint32_t group, uint32_t operation,
		      struct spapr_error *ret_error)
{
	struct worker_operate_pe request = {.group = group, .operation = operation};
	struct error error;
	int r = is_operation(operation)
			? operate(space, &request, &error)
			: error_set(&error, ERROR_INVALID_ARGUMENT, 0,
				    "there is no operation %" PRIu32 " on a PE", operation);

	return spapr_finish(r, &error, ret_error);
}

int spapr_eeh_inject(struct spapr_space *space, uint32_t group, uint32_t type, uint32_t function,
		     uint64_t address, uint64_t mask, struct spapr_error *ret_error)
{
	struct worker_operate_pe request = {
		.group = group,
		.operation = WORKER_PE_INJECT,
		.error_type = type,
		.error_function = function,
		.address = address,
		.mask = mask,
	};
	struct error error;
	int r = operate(space, &request, &error);

	return spapr_finish(r, &error, ret_error);
}
