/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "eeh/pe.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/vfio.h>
#include <stddef.h>

#include "common/clock.h"
#include "common/trace.h"
#include "eeh/state.h"
#include "vfio/device.h"
#include "vfio/refusal.h"

/* What every operation can answer: vfio_spapr_ioctl_eeh_pe_op, and tce_iommu_ioctl before it. */
#define COMMON_REFUSALS                                                                       \
	{ENODEV, ERROR_EEH_UNAVAILABLE, "the group has no PE that the kernel could operate"}, \
		{ENOENT, ERROR_EEH_UNAVAILABLE, "the kernel has no EEH for this platform"},   \
		{ENOTTY, ERROR_EEH_UNAVAILABLE, "the container is of a type without EEH"},    \
	{                                                                                     \
		EPERM, ERROR_EEH_UNAVAILABLE,                                                 \
			"the container belongs to another process, or the kernel has no EEH"  \
	}

/* eeh_pe_set_option: nothing that can fail but the group's own. */
static const struct refusal disable_refusals[] = {
	COMMON_REFUSALS,
	{0, ERROR_NONE, NULL},
};

/* eeh_pe_change_owner, eeh_pci_enable */
static const struct refusal thaw_refusals[] = {
	COMMON_REFUSALS,
	{EIO, ERROR_KERNEL, "the firmware could not thaw the PE; reset it"},
	{0, ERROR_NONE, NULL},
};

/* eeh_pe_reset; pnv_eeh_reset and pseries_eeh_reset hand on what the firmware says */
static const struct refusal reset_refusals[] = {
	COMMON_REFUSALS,
	{EIO, ERROR_KERNEL, "the firmware could not do it now, and may the next time"},
	{0, ERROR_NONE, NULL},
};

/* eeh_pe_configure, pseries_eeh_phb_configure_bridge */
static const struct refusal configure_refusals[] = {
	COMMON_REFUSALS,
	{EIO, ERROR_KERNEL, "the firmware could not configure the bridges; reset the PE again"},
	{0, ERROR_NONE, NULL},
};

/* eeh_pe_inject_err, pnv_eeh_err_inject, pseries_eeh_err_inject */
static const struct refusal inject_refusals[] = {
	COMMON_REFUSALS,
	{ERANGE, ERROR_INVALID_ARGUMENT, "the platform has no error of this type and function"},
	{EINVAL, ERROR_INVALID_ARGUMENT, "there is no error of this type and function"},
	{ENXIO, ERROR_UNSUPPORTED, "the firmware has no call that injects errors"},
	{EIO, ERROR_UNSUPPORTED, "the firmware does not inject this error into this PE"},
	{0, ERROR_NONE, NULL},
};

/* By enum worker_pe_operation; a NULL table: it is not one of the kernel's. */
static const struct operation {
	const char *name;
	const struct refusal *refusals;
	uint32_t op; /* VFIO_EEH_PE_* */
} operations[] = {
	[WORKER_PE_LOOK] = {"look", NULL, 0},
	[WORKER_PE_ENABLE] = {"enable", thaw_refusals, VFIO_EEH_PE_ENABLE},
	[WORKER_PE_DISABLE] = {"disable", disable_refusals, VFIO_EEH_PE_DISABLE},
	[WORKER_PE_UNFREEZE_IO] = {"unfreeze-io", thaw_refusals, VFIO_EEH_PE_UNFREEZE_IO},
	[WORKER_PE_UNFREEZE_DMA] = {"unfreeze-dma", thaw_refusals, VFIO_EEH_PE_UNFREEZE_DMA},
	[WORKER_PE_RESET_HOT] = {"reset-hot", reset_refusals, VFIO_EEH_PE_RESET_HOT},
	[WORKER_PE_RESET_FUNDAMENTAL] = {"reset-fundamental", reset_refusals,
					 VFIO_EEH_PE_RESET_FUNDAMENTAL},
	[WORKER_PE_DEACTIVATE] = {"deactivate", reset_refusals, VFIO_EEH_PE_RESET_DEACTIVATE},
	[WORKER_PE_CONFIGURE] = {"configure", configure_refusals, VFIO_EEH_PE_CONFIGURE},
	[WORKER_PE_INJECT] = {"inject", inject_refusals, VFIO_EEH_PE_INJECT_ERR},
	[WORKER_PE_SAVE] = {"save", NULL, 0},
	[WORKER_PE_RESTORE] = {"restore", NULL, 0},
	[WORKER_PE_VERIFY] = {"verify", NULL, 0},
	[WORKER_PE_ISOLATE] = {"isolate", NULL, 0},
};

_Static_assert(sizeof(operations) / sizeof(*operations) == WORKER_PE_OPERATION_COUNT,
	       "each operation has a name");

const char *pe_operation_name(uint32_t operation)
{
	return operation > 0 && operation < WORKER_PE_OPERATION_COUNT ? operations[operation].name
								      : "";
}

uint32_t pe_read_number(const struct pe_target *target)
{
	struct vfio_eeh_pe_op op = {.argsz = sizeof(op), .op = VFIO_EEH_PE_GET_STATE};
	/* The one operation whose positive result is an answer. */
	int r = kernel_ioctl(target->kernel, target->container_fd, VFIO_EEH_PE_OP, &op);

	return r >= 0 ? (uint32_t)r : PE_NUMBER_UNKNOWN;
}

int pe_check_thawed(const struct pe_target *target, const struct container *container,
		    const char *device, struct error *error)
{
	struct vfio_eeh_pe_op op = {.argsz = sizeof(op), .op = VFIO_EEH_PE_GET_STATE};
	int r;

	if (!container->capabilities.eeh || container->group_count > 1) {
		return 0;
	}
	r = kernel_ioctl(target->kernel, target->container_fd, VFIO_EEH_PE_OP, &op);
	if (r > 0) {
		return error_set(error, ERROR_FROZEN, 0,
				 "the PE of group %" PRIu32
				 " is in state %d, and to open or close device %s would thaw it; "
				 "recover it first",
				 target->group->number, r, device);
	}
	/* What has no PE can't be frozen. */
	if (r < 0 && r != -ENODEV) {
		return error_set(error, ERROR_KERNEL, -r,
				 "the kernel doesn't tell the state of the PE of group %" PRIu32
				 ", and to open or close device %s would thaw it if it is frozen",
				 target->group->number, device);
	}
	return 0;
}

void pe_look_at_devices(const struct pe_target *target, uint32_t *ret_devices, uint32_t *ret_silent)
{
	uint32_t devices = 0;
	uint32_t silent = 0;

	for (const struct device *device = target->group->devices; device; device = device->next) {
		devices++;
		silent += !device_answers(device);
	}
	*ret_devices = devices;
	*ret_silent = silent;
}

static int run(const struct pe_target *target, const struct worker_operate_pe *request,
	       uint64_t *ret_nanoseconds, struct error *error)
{
	const struct operation *operation = &operations[request->operation];
	struct vfio_eeh_pe_op op = {
		.argsz = sizeof(op),
		.op = operation->op,
		.err = {.type = request->error_type,
			.func = request->error_function,
			.addr = request->address,
			.mask = request->mask},
	};
	uint64_t begin = clock_nanoseconds();
	int r = kernel_ioctl(target->kernel, target->container_fd, VFIO_EEH_PE_OP, &op);
	uint64_t end = clock_nanoseconds();

	trace_eeh_operate(target->group->number, operation->op, r);
	if (r != 0) {
		return refusal_set(error, operation->refusals, r, "%s the PE of group %" PRIu32,
				   operation->name, target->group->number);
	}
	*ret_nanoseconds = end - begin;
	return 0;
}

int pe_operate(const struct pe_target *target, const struct worker_operate_pe *request,
	       struct worker_pe *ret_pe, struct error *error)
{
	struct worker_pe pe = {.reserved = 0};

	if (request->operation != WORKER_PE_LOOK &&
	    (request->operation >= WORKER_PE_OPERATION_COUNT ||
	     !operations[request->operation].refusals)) {
		return error_set(error, ERROR_INVALID_ARGUMENT, 0,
				 "the kernel has no operation %" PRIu32
				 " on the PE of group %" PRIu32,
				 request->operation, target->group->number);
	}
	if (request->operation != WORKER_PE_LOOK) {
		int r = run(target, request, &pe.nanoseconds, error);

		if (r) {
			return r;
		}
	}
	pe.number = pe_read_number(target);
	pe_look_at_devices(target, &pe.devices, &pe.silent);
	*ret_pe = pe;
	return 0;
}
