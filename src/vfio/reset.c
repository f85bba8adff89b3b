/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vfio/reset.h"

#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <stdio.h>
#include <string.h>

#include "common/trace.h"
#include "vfio/hot_reset.h"
#include "vfio/irq.h"
#include "vfio/refusal.h"

/* Capabilities lie behind the header, at multiples of 4: no list is longer than this. */
#define CAPABILITIES_MAX 48U

/* vfio_pci_ioctl_reset, pci_try_reset_function */
static const struct refusal function_refusals[] = {
	{EINVAL, ERROR_UNSUPPORTED, "the device has no reset of its own"},
	{ENOTTY, ERROR_UNSUPPORTED, "none of the kernel's ways to reset it applies"},
	{EAGAIN, ERROR_KERNEL, "the kernel is at something else with the device"},
	{ENODEV, ERROR_KERNEL, "the device is gone"},
	{0, ERROR_NONE, NULL},
};

/* eeh_pe_reset; ENODEV: vfio_spapr_iommu_eeh_ioctl */
static const struct refusal pe_refusals[] = {
	{ENODEV, ERROR_UNSUPPORTED, "the group has no PE that the kernel could reset"},
	{EIO, ERROR_KERNEL, "the firmware refuses it"},
	{0, ERROR_NONE, NULL},
};

/* -- what a device can do -- */

static bool read_16(const struct device *device, uint64_t at, uint16_t *ret_value)
{
	uint16_t wire;

	if (device_read_config(device, at, &wire, sizeof(wire)) < 0) {
		return false;
	}
	*ret_value = le16toh(wire);
	return true;
}

static bool reset_by_express(const struct device *device, uint64_t at)
{
	uint16_t high = 0;

	return read_16(device, at + PCI_EXP_DEVCAP + 2, &high) &&
	       ((uint32_t)high << 16 & PCI_EXP_DEVCAP_FLR);
}

static bool reset_by_features(const struct device *device, uint64_t at)
{
	const uint16_t both = PCI_AF_CAP_TP | PCI_AF_CAP_FLR;
	uint16_t word = 0;

	return read_16(device, at + PCI_AF_CAP, &word) && (word & both) == both;
}

static bool reset_by_power(const struct device *device, uint64_t at)
{
	uint16_t control = 0;

	return read_16(device, at + PCI_PM_CTRL, &control) &&
	       !(control & PCI_PM_CTRL_NO_SOFT_RESET);
}

static void read_capabilities(const struct device *device, struct reset_means *means)
{
	uint16_t word = 0;
	uint64_t at;

	if (!read_16(device, PCI_STATUS, &word) || !(word & PCI_STATUS_CAP_LIST) ||
	    !read_16(device, PCI_CAPABILITY_LIST, &word)) {
		return;
	}
	at = word & 0xfc;
	for (unsigned int i = 0;
	     i < CAPABILITIES_MAX && at >= PCI_STD_HEADER_SIZEOF && read_16(device, at, &word);
	     i++) {
		switch (word & 0xff) {
		case PCI_CAP_ID_EXP:
			means->function_level |= reset_by_express(device, at);
			break;
		case PCI_CAP_ID_AF:
			means->function_level |= reset_by_features(device, at);
			break;
		case PCI_CAP_ID_PM:
			means->by_power |= reset_by_power(device, at);
			break;
		}
		at = word >> 8 & 0xfc;
	}
}

struct reset_means reset_read_means(const struct device *device)
{
	struct vfio_device_info info = {.argsz = sizeof(info)};
	struct reset_means means = {.works = false};

	if (kernel_ioctl(device->kernel, device->fd, VFIO_DEVICE_GET_INFO, &info) == 0) {
		means.works = (info.flags & VFIO_DEVICE_FLAGS_RESET) != 0;
	}
	read_capabilities(device, &means);
	trace_reset_kinds(device->name, means.function_level, means.by_power, means.works);
	return means;
}

bool reset_is_enough(const struct reset_means *means)
{
	return means->works && (means->function_level || !means->by_power);
}

/* -- what has become of it -- */

/* By its own registers: what a kernel or a firmware says isn't enough to let a group go. */
static int check_quiet(const struct device *device, struct error *error)
{
	uint16_t command = 0;

	if (!device_answers(device) || !read_16(device, PCI_COMMAND, &command)) {
		return error_set(error, ERROR_KERNEL, 0, "device %s does not answer", device->name);
	}
	if (command & PCI_COMMAND_MASTER) {
		return error_set(error, ERROR_KERNEL, 0,
				 "device %s is still a bus master (command 0x%" PRIx16 ")",
				 device->name, command);
	}
	return 0;
}

/* Why there was no better way before, and then this one did not do it either. */
static int add_failure(struct error *error, int code, const struct error *next, int next_code)
{
	if (code == 0) {
		*error = *next;
		return next_code;
	}
	error_append(error, "; %s", next->text);
	/* That something failed matters more than that something else isn't there. */
	if (code == ERROR_UNSUPPORTED && next_code != code) {
		error->code = next->code;
		error->errnum = next->errnum;
		return next_code;
	}
	return code;
}

/* -- the ways -- */

static int reset_function(struct device *device, struct error *error)
{
	int r = kernel_ioctl(device->kernel, device->fd, VFIO_DEVICE_RESET, NULL);

	trace_device_reset(device->name, r);
	if (r != 0) {
		return refusal_set(error, function_refusals, r, "reset device %s", device->name);
	}
	device->reset_way = WORKER_RESET_FUNCTION;
	return 0;
}

/* A device that is open besides this one, and that a reset of the whole PE would hit. */
static const struct device *find_other(const struct group *group, const struct device *device)
{
	const struct device *other = group->devices;

	return other == device ? other->next : other;
}

static int operate(const struct group *group, uint32_t operation)
{
	struct vfio_eeh_pe_op op = {.argsz = sizeof(op), .op = operation};

	return kernel_ioctl(group->kernel, group->container_fd, VFIO_EEH_PE_OP, &op);
}

/* Leaves a reset that the firmware refuses asserted: a PE that was frozen is so still. */
static int assert_reset(struct group *group, struct error *error)
{
	/* A firmware that refuses one (EIO) takes the next: OPAL was seen to refuse every other
	 * request for a reset, of which a hot one makes two, so that it fails again and again. */
	static const uint32_t tries[] = {VFIO_EEH_PE_RESET_HOT, VFIO_EEH_PE_RESET_FUNDAMENTAL,
					 VFIO_EEH_PE_RESET_FUNDAMENTAL};
	int r = -EIO;

	for (struct device *device = group->devices; device && !group->reset_asserted;
	     device = device->next) {
		irq_unwire(device);
	}
	for (size_t i = 0; r == -EIO && i < sizeof(tries) / sizeof(*tries); i++) {
		/* A refusal takes seconds, and much may happen in them. */
		if (i > 0 && group_find_wanted_back(group)) {
			break;
		}
		r = operate(group, tries[i]);
		group->reset_asserted = group->reset_asserted || r == 0 || r == -EIO;
	}
	return r != 0 ? refusal_set(error, pe_refusals, r, "reset the PE of group %" PRIu32,
				    group->number)
		      : 0;
}

/* Bridges are only there again after the last step, on an LPAR (pseries_eeh_configure_bridge). */
static int reset_pe(struct group *group, struct error *error)
{
	static const uint32_t steps[] = {VFIO_EEH_PE_RESET_DEACTIVATE, VFIO_EEH_PE_CONFIGURE};
	int r = assert_reset(group, error);

	for (size_t i = 0; r == 0 && i < sizeof(steps) / sizeof(*steps); i++) {
		int result = operate(group, steps[i]);

		if (result != 0) {
			return refusal_set(error, pe_refusals, result,
					   "end the reset of the PE of group %" PRIu32,
					   group->number);
		}
		group->reset_asserted = false;
	}
	if (r) {
		return r;
	}
	for (struct device *device = group->devices; device; device = device->next) {
		/* A fundamental one was seen to leave the command register as it was. */
		device_quiesce(device);
		device->reset_way = WORKER_RESET_PE;
	}
	r = operate(group, VFIO_EEH_PE_GET_STATE);
	return r != 0 ? error_set(error, ERROR_KERNEL, r < 0 ? -r : 0,
				  "the PE of group %" PRIu32 " is in state %d after its reset",
				  group->number, r)
		      : 0;
}

/*
 * Whether the kernel is taking the device from us: it was unplugged, or is being unbound, and that
 * waits for its close. It isn't opened again then (vfio_device_try_get_registration); else this is
 * one more fd of what is open, which resets and thaws nothing. Meanwhile VFIO_DEVICE_RESET is
 * EAGAIN, and a reset of its PE would wait for that close for ever, in a sleep that nothing ends
 * (eeh_pe_reset, pci_bus_lock).
 */
static bool is_wanted_back(const struct group *group, const struct device *device)
{
	int fd = kernel_ioctl(group->kernel, group->fd, VFIO_GROUP_GET_DEVICE_FD,
			      (void *)(uintptr_t)device->name);

	if (fd >= 0) {
		(void)kernel_close(group->kernel, fd);
	}
	return fd == -ENODEV;
}

const struct device *group_find_wanted_back(const struct group *group)
{
	const struct device *device = group->devices;

	while (device && !is_wanted_back(group, device)) {
		device = device->next;
	}
	return device;
}

static int reset_pe_of(const struct device *device, const struct reset_scope *scope,
		       struct error *error)
{
	const struct device *other = scope->all ? NULL : find_other(scope->group, device);
	int r;

	if (!scope->pe_is_alone) {
		return error_set(error, ERROR_UNSUPPORTED, 0,
				 "there is no EEH for a reset of its PE alone");
	}
	if (group_find_wanted_back(scope->group)) {
		return error_set(error, ERROR_UNSUPPORTED, 0,
				 "the kernel is taking a device of its PE away");
	}
	if (other) {
		return error_set(error, ERROR_UNSUPPORTED, 0,
				 "a reset of its PE would hit %s, which is open, too: reset the "
				 "address space",
				 other->name);
	}
	r = reset_pe(scope->group, error);
	if (r && scope->group->reset_asserted) {
		/* It was sound before, and is to be so again. */
		group_end_reset(scope->group);
	}
	return r;
}

static bool is_frozen(const struct reset_scope *scope, int *ret_state)
{
	int r = scope->pe_is_alone ? operate(scope->group, VFIO_EEH_PE_GET_STATE) : 0;

	*ret_state = r;
	return r > 0;
}

/* All ways, the best one first; each leaves a text when it is none. */
static int reset_somehow(struct device *device, const struct reset_scope *scope,
			 struct error *error)
{
	struct reset_means means = reset_read_means(device);
	bool enough = reset_is_enough(&means) || (scope->for_good && means.works);
	struct error next;
	int code = 0;
	int r;

	if (enough) {
		r = reset_function(device, &next);
		if (r == 0) {
			return 0;
		}
		code = add_failure(error, code, &next, r);
	}
	r = hot_reset_bus(device, scope, &next);
	if (r == 0) {
		return 0;
	}
	code = add_failure(error, code, &next, r);
	if (!enough && means.works) {
		r = reset_function(device, &next);
		if (r == 0) {
			return 0;
		}
		code = add_failure(error, code, &next, r);
	}
	r = reset_pe_of(device, scope, &next);
	return r ? add_failure(error, code, &next, r) : 0;
}

static int reset_and_check(struct device *device, const struct reset_scope *scope,
			   struct error *error)
{
	int r = 0;

	if (device->reset_way == WORKER_RESET_NOT_NEEDED || !scope->all) {
		/* Before, for the kernel puts the command register back as it finds it. */
		device_quiesce(device);
		r = reset_somehow(device, scope, error);
		device->quiesced = false;
	}
	if (r == 0) {
		r = check_quiet(device, error);
		if (r) {
			error_append(error, " after its reset");
		}
	}
	if (r) {
		device->reset_way = WORKER_RESET_FAILED;
	}
	return r;
}

int device_reset(struct device *device, const struct reset_scope *scope, struct error *error)
{
	const struct device *wanted = group_find_wanted_back(scope->group);
	int state = 0;
	int r;

	/* Whoever made it a bus master has to do so again: device_go_on is for other things. */
	device->quiesced = false;
	if (wanted) {
		device->reset_way = WORKER_RESET_FAILED;
		return error_set(error, ERROR_BUSY, 0,
				 "the kernel wants %s back, which can't be reset any more: detach "
				 "group %" PRIu32,
				 wanted->name, scope->group->number);
	}
	/* GET_STATE may say 0 meanwhile. The kernel would save all ones, and put them back. */
	if (scope->group->reset_asserted) {
		device->reset_way = WORKER_RESET_FAILED;
		return error_set(error, ERROR_FROZEN, 0,
				 "a reset of the PE of group %" PRIu32
				 " is asserted; end it before device %s is reset",
				 scope->group->number, device->name);
	}
	if (is_frozen(scope, &state)) {
		device->reset_way = WORKER_RESET_FAILED;
		return error_set(error, ERROR_FROZEN, 0,
				 "the PE of group %" PRIu32
				 " is in state %d, which a reset of device %s would leave so; "
				 "recover it",
				 scope->group->number, state, device->name);
	}
	r = reset_and_check(device, scope, error);
	if (r == 0) {
		r = device_rewire(device, error);
		if (r) {
			error_append(error, " after its reset");
			device->reset_way = WORKER_RESET_FAILED;
		}
	}
	return r;
}

void group_forget_resets(struct group *group)
{
	for (struct device *device = group->devices; device; device = device->next) {
		device->reset_way = WORKER_RESET_NOT_NEEDED;
	}
}

/* -- for good -- */

static int refuse_to_stop(struct group *group, const struct device *device,
			  const struct error *failure, struct error *error)
{
	memcpy(group->obstacle.device, device->name, sizeof(group->obstacle.device));
	(void)snprintf(group->obstacle.why, sizeof(group->obstacle.why), "%.*s",
		       WORKER_REASON_SIZE - 1, failure->text);
	return error_set(error, ERROR_QUARANTINED, failure->errnum,
			 "group %" PRIu32 " is not let go, for its device %s might then reach all "
			 "memory: %s",
			 group->number, device->name, failure->text);
}

static int stop_device(struct device *device, const struct reset_scope *scope,
		       struct error *failure)
{
	int r = reset_and_check(device, scope, failure);

	/* Without a reset there is nothing but the command register. */
	return r == ERROR_UNSUPPORTED ? check_quiet(device, failure) : r;
}

static int stop_devices(const struct reset_scope *scope, struct error *error)
{
	int code = 0;

	/* All of them, whatever becomes of one. */
	for (struct device *device = scope->group->devices; device; device = device->next) {
		struct error failure;

		if (stop_device(device, scope, &failure) && code == 0) {
			code = refuse_to_stop(scope->group, device, &failure, error);
		}
	}
	return code;
}

/* The kernel switches their bus mastering off when they are closed (vfio_pci_core_disable), and
 * nothing may be reset any more. What doesn't answer may be gone. */
static int quiet_devices(struct group *group, struct error *error)
{
	const struct device *first = group->devices;
	struct error failure;
	int code = 0;

	group_end_reset(group);
	if (first && group->reset_asserted) {
		/* Closed in that state a device is a bus master in the end: the kernel saves and
		 * restores what reads as all ones. */
		(void)error_set(&failure, ERROR_KERNEL, 0,
				"the reset of its PE that is asserted can't be ended");
		return refuse_to_stop(group, first, &failure, error);
	}
	for (struct device *device = group->devices; device; device = device->next) {
		device_quiesce(device);
		if (device_answers(device) && check_quiet(device, &failure) && code == 0) {
			code = refuse_to_stop(group, device, &failure, error);
		}
	}
	return code;
}

static int thaw_by_reset(const struct reset_scope *scope, struct error *error)
{
	struct group *group = scope->group;
	const struct device *first = group->devices;
	struct error failure;
	int state = 0;

	/* The end of a reset that is asserted would thaw it, reset or not. */
	if (!first || (!is_frozen(scope, &state) && !group->reset_asserted) ||
	    reset_pe(group, &failure) == 0) {
		return 0;
	}
	return refuse_to_stop(group, first, &failure, error);
}

static int stop_all(const struct reset_scope *scope, struct error *error)
{
	int r = thaw_by_reset(scope, error);

	if (r == 0) {
		r = stop_devices(scope, error);
	}
	/* It may have come to that meanwhile: then resets are EAGAIN. */
	if (r && group_find_wanted_back(scope->group)) {
		memset(&scope->group->obstacle, 0, sizeof(scope->group->obstacle));
		r = quiet_devices(scope->group, error);
	}
	return r;
}

int group_stop(const struct reset_scope *scope, struct error *error)
{
	struct group *group = scope->group;
	int r = 0;

	memset(&group->obstacle, 0, sizeof(group->obstacle));
	/* What the kernel has taken away it has stopped itself. */
	if (group->devices && !group_is_gone(group)) {
		group_forget_resets(group);
		r = group_find_wanted_back(group) ? quiet_devices(group, error)
						  : stop_all(scope, error);
	}
	group->stopped = r == 0;
	return r;
}
