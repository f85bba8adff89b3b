/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vfio/irq.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/vfio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/cleanup.h"
#include "common/trace.h"
#include "common/worker_protocol.h"
#include "vfio/device.h"
#include "vfio/refusal.h"

#define NONE (-1)

/* vfio_pci_ioctl_get_irq_info */
static const struct refusal info_refusals[] = {
	{ENODEV, ERROR_NOT_FOUND, "the device is gone"},
	{0, ERROR_NONE, NULL},
};

/* vfio_pci_set_irqs_ioctl, eventfd_ctx_fdget, pci_alloc_irq_vectors, request_irq */
static const struct refusal set_refusals[] = {
	{EINVAL, ERROR_INVALID_ARGUMENT,
	 "an fd is no eventfd, or a program with the device's fd has set other interrupts"},
	{EBADF, ERROR_INVALID_ARGUMENT, "an fd is no eventfd"},
	{ENODEV, ERROR_NOT_FOUND, "the device is gone"},
	{ENOSPC, ERROR_QUOTA_EXCEEDED, "the host has no interrupts left; set fewer"},
	{EBUSY, ERROR_KERNEL, "the line is in use by another driver, which doesn't share it"},
	{0, ERROR_NONE, NULL},
};

/* vfio_pci_set_intx_mask, vfio_pci_set_intx_unmask */
static const struct refusal mask_refusals[] = {
	{EINVAL, ERROR_NOT_FOUND, "a program with the device's fd has disabled it"},
	{ENOTTY, ERROR_UNSUPPORTED, "this kind can't be masked"},
	{ENODEV, ERROR_NOT_FOUND, "the device is gone"},
	{0, ERROR_NONE, NULL},
};

/* vfio_pci_set_intx_trigger, vfio_pci_set_msi_trigger */
static const struct refusal disable_refusals[] = {
	{ENODEV, ERROR_NOT_FOUND, "the device is gone"},
	{0, ERROR_NONE, NULL},
};

static const char *name_of(uint32_t index)
{
	static const char *const names[VFIO_PCI_NUM_IRQS] = {
		[VFIO_PCI_INTX_IRQ_INDEX] = "INTx",  [VFIO_PCI_MSI_IRQ_INDEX] = "MSI",
		[VFIO_PCI_MSIX_IRQ_INDEX] = "MSI-X", [VFIO_PCI_ERR_IRQ_INDEX] = "ERR",
		[VFIO_PCI_REQ_IRQ_INDEX] = "REQ",
	};

	return index < VFIO_PCI_NUM_IRQS ? names[index] : "of a vendor";
}

/* One of those of which one kind can be on at a time. */
static bool is_exclusive(uint32_t index)
{
	return index <= VFIO_PCI_MSIX_IRQ_INDEX;
}

static bool is_message(uint32_t index)
{
	return index == VFIO_PCI_MSI_IRQ_INDEX || index == VFIO_PCI_MSIX_IRQ_INDEX;
}

/* what there is */

static int no_memory(const struct device *device, struct error *error)
{
	return error_set(error, ERROR_KERNEL, ENOMEM, "no memory for the interrupts of device %s",
			 device->name);
}

static int read_irq(struct device *device, uint32_t index, struct error *error)
{
	struct vfio_irq_info info = {.argsz = sizeof(info), .index = index};
	int r = kernel_ioctl(device->kernel, device->fd, VFIO_DEVICE_GET_IRQ_INFO, &info);

	trace_irq_info(device->name, index, info.flags, info.count, r);
	/* ERR of what is no PCI Express device is -EINVAL. */
	if (r == -EINVAL || (r == 0 && info.count == 0)) {
		return 0;
	}
	if (r != 0) {
		return refusal_set(error, info_refusals, r,
				   "ask for interrupts %" PRIu32 " of device %s", index,
				   device->name);
	}
	device->irqs[device->irq_count++] = (struct irq){
		.index = index,
		.flags = info.flags,
		.count = info.count,
	};
	return 0;
}

int irqs_read(struct device *device, uint32_t count, struct error *error)
{
	if (count > WORKER_IRQS_MAX) {
		return error_set(error, ERROR_KERNEL, 0,
				 "the kernel says that device %s has %" PRIu32
				 " kinds of interrupts; at most %d are possible",
				 device->name, count, WORKER_IRQS_MAX);
	}
	device->irqs = calloc(count + 1, sizeof(*device->irqs));
	device->irq_count = 0;
	if (!device->irqs) {
		return no_memory(device, error);
	}
	for (uint32_t i = 0; i < count; i++) {
		int r = read_irq(device, i, error);

		if (r) {
			irqs_done(device);
			return r;
		}
	}
	return 0;
}

static void forget_events(struct irq *irq)
{
	for (uint32_t i = 0; irq->events && i < irq->count; i++) {
		(void)fd_close(irq->events[i]);
	}
	free(irq->events);
	irq->events = NULL;
	irq->enabled = 0;
	irq->lost = false;
	irq->masked = false;
}

void irqs_done(struct device *device)
{
	for (uint32_t i = 0; i < device->irq_count; i++) {
		forget_events(&device->irqs[i]);
	}
	free(device->irqs);
	device->irqs = NULL;
	device->irq_count = 0;
}

struct irq *irq_find(const struct device *device, uint32_t index)
{
	for (uint32_t i = 0; i < device->irq_count; i++) {
		if (device->irqs[i].index == index) {
			return &device->irqs[i];
		}
	}
	return NULL;
}

static int require(const struct device *device, uint32_t index, struct irq **ret_irq,
		   struct error *error)
{
	struct irq *irq = irq_find(device, index);

	if (!irq) {
		return error_set(error, ERROR_NOT_FOUND, 0,
				 "device %s has no interrupts %" PRIu32 " (%s)", device->name,
				 index, name_of(index));
	}
	*ret_irq = irq;
	return 0;
}

static int require_wired(const struct device *device, uint32_t index, struct irq **ret_irq,
			 struct error *error)
{
	struct irq *irq = NULL;
	int r = require(device, index, &irq, error);

	if (!irq) {
		return r;
	}
	if (irq->enabled == 0) {
		return error_set(error, ERROR_NOT_FOUND, 0,
				 "no eventfds are set for interrupts %" PRIu32 " (%s) of device %s",
				 index, name_of(index), device->name);
	}
	*ret_irq = irq;
	return 0;
}

bool irq_is_wired(const struct device *device, uint32_t index)
{
	const struct irq *irq = irq_find(device, index);

	return irq && irq->enabled > 0;
}

/* To enable or disable messages is to write the MSI-X table, in a BAR that is lost while a reset of
 * the PE is asserted: the end of some hosts (vfio_msi_disable, __pci_write_msi_msg). */
static int check_answers(const struct device *device, uint32_t index, struct error *error)
{
	if (!is_message(index) || device_answers(device)) {
		return 0;
	}
	return error_set(error, ERROR_FROZEN, 0,
			 "device %s doesn't answer, so its interrupts %" PRIu32
			 " (%s) stay as they are: its PE is frozen or being reset",
			 device->name, index, name_of(index));
}

/* calls */

/* What the kernel says to eventfds for a block of interrupts; NONE is none. */
static int wire(const struct device *device, const struct irq *irq, uint32_t start,
		const int *events, uint32_t count)
{
	size_t size = sizeof(struct vfio_irq_set) + count * sizeof(int32_t);
	cleanup(cleanup_free) struct vfio_irq_set *set = calloc(1, size);
	int r;

	if (!set) {
		return -ENOMEM;
	}
	set->argsz = (uint32_t)size;
	set->flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER;
	set->index = irq->index;
	set->start = start;
	set->count = count;
	for (uint32_t i = 0; i < count; i++) {
		int32_t event = events[i];

		memcpy(set->data + i * sizeof(event), &event, sizeof(event));
	}
	r = kernel_ioctl(device->kernel, device->fd, VFIO_DEVICE_SET_IRQS, set);
	trace_irq_set(device->name, irq->index, start, count, r);
	return r;
}

/* An action without data. */
static int act(const struct device *device, uint32_t index, uint32_t action, uint32_t count)
{
	struct vfio_irq_set set = {
		.argsz = sizeof(set),
		.flags = VFIO_IRQ_SET_DATA_NONE | action,
		.index = index,
		.count = count,
	};

	return kernel_ioctl(device->kernel, device->fd, VFIO_DEVICE_SET_IRQS, &set);
}

/* 0 also where it is off: -EINVAL, but for INTx. */
static int switch_off(const struct device *device, uint32_t index)
{
	int r = act(device, index, VFIO_IRQ_SET_ACTION_TRIGGER, 0);

	trace_irq_disable(device->name, index, r);
	return r == -EINVAL ? 0 : r;
}

/* From the start. */
static int wire_again(const struct device *device, const struct irq *irq, const int *events,
		      uint32_t enabled)
{
	int r = is_exclusive(irq->index) ? switch_off(device, irq->index) : 0;

	if (r == 0 && enabled > 0) {
		r = wire(device, irq, 0, events, enabled);
	}
	if (r == 0 && irq->masked) {
		r = act(device, irq->index, VFIO_IRQ_SET_ACTION_MASK, irq->count);
	}
	return r;
}

/* setting */

/* An eventfd is a file without a type; whether it really is one, the kernel tells. */
static bool may_be_eventfd(int fd)
{
	struct stat status;

	return fstat(fd, &status) == 0 && (status.st_mode & S_IFMT) == 0;
}

static int check_events(const struct device *device, const int *events, uint32_t count,
			struct error *error)
{
	for (uint32_t i = 0; i < count; i++) {
		if (!may_be_eventfd(events[i])) {
			return error_set(error, ERROR_INVALID_ARGUMENT, 0,
					 "fd %" PRIu32 " of those for interrupts of device %s "
					 "is no eventfd",
					 i, device->name);
		}
	}
	return 0;
}

static int check_block(const struct device *device, const struct irq *irq, uint32_t start,
		       uint32_t count, struct error *error)
{
	if (count == 0) {
		return error_set(error, ERROR_INVALID_ARGUMENT, 0,
				 "no eventfds for interrupts %" PRIu32 " (%s) of device %s; to "
				 "disable them is another call",
				 irq->index, name_of(irq->index), device->name);
	}
	if (start >= irq->count || count > irq->count - start) {
		return error_set(error, ERROR_INVALID_ARGUMENT, 0,
				 "%" PRIu32 " eventfds from interrupt %" PRIu32
				 " on, but device %s has %" PRIu32 " interrupts %" PRIu32 " (%s)",
				 count, start, device->name, irq->count, irq->index,
				 name_of(irq->index));
	}
	return 0;
}

static int check_others(const struct device *device, const struct irq *irq, struct error *error)
{
	for (uint32_t i = 0; i < device->irq_count && is_exclusive(irq->index); i++) {
		const struct irq *other = &device->irqs[i];

		if (other != irq && is_exclusive(other->index) && other->enabled > 0) {
			return error_set(error, ERROR_INVALID_ARGUMENT, 0,
					 "interrupts %" PRIu32 " (%s) of device %s are on, and %s "
					 "can't be on beside them; disable them first",
					 other->index, name_of(other->index), device->name,
					 name_of(irq->index));
		}
	}
	return 0;
}

/* The wiring as it will be. */
struct plan {
	const struct device *device;
	struct irq *irq;
	uint32_t start;
	uint32_t count;
	uint32_t enabled;
	int *events; /* of all, not owned but for the array */
};

static int make_plan(struct plan *plan, const int *events, struct error *error)
{
	const struct irq *irq = plan->irq;
	uint32_t end = plan->start + plan->count;

	plan->events = malloc(irq->count * sizeof(*plan->events));
	if (!plan->events) {
		return no_memory(plan->device, error);
	}
	for (uint32_t i = 0; i < irq->count; i++) {
		plan->events[i] = irq->events ? irq->events[i] : NONE;
	}
	memcpy(plan->events + plan->start, events, plan->count * sizeof(*events));
	plan->enabled = end > irq->enabled ? end : irq->enabled;
	return 0;
}

/* Whether the kernel takes the block without anything being disabled before. */
static bool can_add(const struct plan *plan)
{
	const struct irq *irq = plan->irq;

	return irq->enabled == 0 || (!irq->lost && (plan->enabled <= irq->enabled ||
						    !(irq->flags & VFIO_IRQ_INFO_NORESIZE)));
}

/* After a failure: what was wired before. Of a kind that was off the kernel leaves nothing on
 * (vfio_pci_set_msi_trigger, vfio_intx_enable). */
static int take_back(const struct plan *plan, bool added)
{
	const struct irq *irq = plan->irq;

	if (irq->enabled == 0 || irq->lost) {
		return 0;
	}
	return added ? wire(plan->device, irq, plan->start, irq->events + plan->start, plan->count)
		     : wire_again(plan->device, irq, irq->events, irq->enabled);
}

/* A positive result is how many messages there are (vfio_msi_enable). */
static int say_refusal(const struct plan *plan, int r, struct error *error)
{
	const struct irq *irq = plan->irq;

	if (r > 0 && is_exclusive(irq->index)) {
		return error_set(error, ERROR_QUOTA_EXCEEDED, 0,
				 "the host has %d messages for device %s, not %" PRIu32
				 " as interrupts %" PRIu32 " (%s) would take; set fewer",
				 r, plan->device->name, plan->enabled, irq->index,
				 name_of(irq->index));
	}
	return refusal_set(error, set_refusals, r,
			   "set eventfds for interrupts %" PRIu32 " to %" PRIu32 " of kind %" PRIu32
			   " (%s) of device %s",
			   plan->start, plan->start + plan->count - 1, irq->index,
			   name_of(irq->index), plan->device->name);
}

static int carry_out(const struct plan *plan, struct error *error)
{
	struct irq *irq = plan->irq;
	bool added = can_add(plan);
	int code;
	int r;

	r = added ? wire(plan->device, irq, plan->start, plan->events + plan->start, plan->count)
		  : wire_again(plan->device, irq, plan->events, plan->enabled);
	if (r == 0) {
		return 0;
	}
	code = say_refusal(plan, r, error);
	r = take_back(plan, added);
	if (r != 0) {
		irq->lost = true;
		if (error) {
			error_append(error, "; what was set before is off now (%d): set it again",
				     r);
		}
	}
	return code;
}

/* The eventfds are the kind's from now on, in place of those that were there. */
static void adopt(struct plan *plan)
{
	struct irq *irq = plan->irq;

	for (uint32_t i = plan->start; irq->events && i < plan->start + plan->count; i++) {
		(void)fd_close(irq->events[i]);
	}
	free(irq->events);
	irq->events = steal_pointer(plan->events);
	irq->enabled = plan->enabled;
	irq->lost = false;
}

static int set(struct device *device, uint32_t index, uint32_t start, const int *events,
	       uint32_t count, struct error *error)
{
	struct plan plan = {.device = device, .start = start, .count = count};
	int r = require(device, index, &plan.irq, error);

	if (!plan.irq) {
		return r;
	}
	r = check_block(device, plan.irq, start, count, error);
	if (r == 0) {
		r = check_events(device, events, count, error);
	}
	if (r == 0) {
		r = check_others(device, plan.irq, error);
	}
	if (r == 0) {
		r = check_answers(device, index, error);
	}
	if (r == 0) {
		r = make_plan(&plan, events, error);
	}
	if (r) {
		return r;
	}
	r = carry_out(&plan, error);
	if (r == 0) {
		adopt(&plan);
	}
	free(plan.events);
	return r;
}

int irq_set(struct device *device, uint32_t index, uint32_t start, const int *events,
	    uint32_t count, struct error *error)
{
	int r = set(device, index, start, events, count, error);

	for (uint32_t i = 0; r != 0 && i < count; i++) {
		(void)fd_close(events[i]);
	}
	return r;
}

/* masking */

static int change_mask(struct device *device, uint32_t index, bool mask, struct error *error)
{
	struct irq *irq = NULL;
	int r = require(device, index, &irq, error);

	if (!irq) {
		return r;
	}
	if (!(irq->flags & VFIO_IRQ_INFO_MASKABLE)) {
		r = error_set(error, ERROR_UNSUPPORTED, 0,
			      "interrupts %" PRIu32 " (%s) of device %s can't be masked; only INTx "
			      "can",
			      index, name_of(index), device->name);
	}
	if (r == 0) {
		r = require_wired(device, index, &irq, error);
	}
	if (r) {
		return r;
	}
	r = act(device, index, mask ? VFIO_IRQ_SET_ACTION_MASK : VFIO_IRQ_SET_ACTION_UNMASK,
		irq->count);
	if (mask) {
		trace_irq_mask(device->name, index, r);
	} else {
		trace_irq_unmask(device->name, index, r);
	}
	if (r != 0) {
		return refusal_set(error, mask_refusals, r,
				   "%s interrupts %" PRIu32 " (%s) of device %s",
				   mask ? "mask" : "unmask", index, name_of(index), device->name);
	}
	irq->masked = mask;
	return 0;
}

int irq_mask(struct device *device, uint32_t index, struct error *error)
{
	return change_mask(device, index, true, error);
}

int irq_unmask(struct device *device, uint32_t index, struct error *error)
{
	return change_mask(device, index, false, error);
}

/* The access was carried out, whatever comes of this: a device that is gone tells so itself. */
void irq_rearm(const struct device *device)
{
	const struct irq *irq = irq_find(device, VFIO_PCI_INTX_IRQ_INDEX);

	if (irq && irq->enabled > 0 && !irq->masked && (irq->flags & VFIO_IRQ_INFO_AUTOMASKED)) {
		int r = act(device, irq->index, VFIO_IRQ_SET_ACTION_UNMASK, irq->count);

		trace_intx_rearm(device->name, r);
	}
}

/* ending, and beginning again */

int irq_disable(struct device *device, uint32_t index, struct error *error)
{
	struct irq *irq = NULL;
	int r = require_wired(device, index, &irq, error);

	if (!irq) {
		return r;
	}
	r = check_answers(device, index, error);
	if (r) {
		return r;
	}
	r = switch_off(device, index);
	if (r != 0) {
		return refusal_set(error, disable_refusals, r,
				   "disable interrupts %" PRIu32 " (%s) of device %s", index,
				   name_of(index), device->name);
	}
	forget_events(irq);
	return 0;
}

void irq_unwire(struct device *device)
{
	for (uint32_t i = 0; i < device->irq_count; i++) {
		struct irq *irq = &device->irqs[i];

		if (is_message(irq->index) && irq->enabled > 0 && !irq->lost) {
			irq->lost = switch_off(device, irq->index) == 0;
		}
	}
}

int irq_rewire(struct device *device, struct error *error)
{
	for (uint32_t i = 0; i < device->irq_count; i++) {
		struct irq *irq = &device->irqs[i];
		struct plan plan = {.device = device,
				    .irq = irq,
				    .count = irq->enabled,
				    .enabled = irq->enabled};
		int r;

		if (!is_exclusive(irq->index) || irq->enabled == 0) {
			continue;
		}
		r = check_answers(device, irq->index, error);
		if (r) {
			return r;
		}
		r = wire_again(device, irq, irq->events, irq->enabled);
		irq->lost = r != 0;
		if (r != 0) {
			return say_refusal(&plan, r, error);
		}
	}
	return 0;
}
