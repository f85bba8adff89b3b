/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/interrupts.h"

#include <errno.h>
#include <linux/vfio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "sim/event.h"
#include "sim/function.h"
#include "sim/msix.h"

_Static_assert(VFIO_PCI_NUM_IRQS == 5, "SIM_INTERRUPTS_NONE");

#define HEADER_SIZE (offsetof(struct vfio_irq_set, data))

/* What VFIO_DEVICE_SET_IRQS came with. */
struct change {
	struct sim_function *function;
	struct sim_argument *argument;
	uint32_t flags;
	uint32_t index;
	uint32_t start;
	uint32_t count;
	const uint8_t *data;
};

static unsigned int count_of(const struct sim_function *function, unsigned int index)
{
	return sim_config_space_count_irqs(function->config, index);
}

static bool is_kind(const struct change *change, unsigned int index)
{
	return change->function->interrupts.kind == index;
}

/* The field of the i-th eventfd. */
static int32_t eventfd_at(const struct change *change, uint32_t i)
{
	int32_t index;

	memcpy(&index, change->data + i * sizeof(index), sizeof(index));
	return index;
}

/* Messages that may be added one by one, with a domain of the kernel's that can
 * (pci_msix_can_alloc_dyn): x86 has it, POWER hasn't. */
static bool has_dynamic_messages(const struct sim_function *function)
{
	return function->model->host->platform == SIM_TYPE1 && function->config->msix_at != 0;
}

/* information */

int sim_interrupts_info(const struct sim_function *function, struct sim_argument *argument)
{
	struct vfio_irq_info *info = argument->data;

	if (info->argsz < sizeof(*info) || info->index >= VFIO_PCI_NUM_IRQS ||
	    (info->index == VFIO_PCI_ERR_IRQ_INDEX && count_of(function, info->index) == 0)) {
		return -EINVAL;
	}
	info->flags = VFIO_IRQ_INFO_EVENTFD;
	info->count = count_of(function, info->index);
	if (info->index == VFIO_PCI_INTX_IRQ_INDEX) {
		info->flags |= VFIO_IRQ_INFO_MASKABLE | VFIO_IRQ_INFO_AUTOMASKED;
	} else if (info->index != VFIO_PCI_MSIX_IRQ_INDEX || !has_dynamic_messages(function)) {
		info->flags |= VFIO_IRQ_INFO_NORESIZE;
	}
	argument->out_size = sizeof(*info);
	return 0;
}

/* INTx */

/* vfio_send_intx_eventfd */
static void ring_intx(struct sim_function *function)
{
	const struct sim_interrupts *interrupts = &function->interrupts;

	if (interrupts->kind == VFIO_PCI_INTX_IRQ_INDEX && !function->config->intx_disabled) {
		sim_event_signal(interrupts->intx);
	}
}

/* vfio_intx_handler: it rings once, and stays masked. */
static void deliver_line(struct sim_function *function)
{
	struct sim_interrupts *interrupts = &function->interrupts;

	if (interrupts->kind == VFIO_PCI_INTX_IRQ_INDEX && interrupts->asserted &&
	    !interrupts->masked) {
		interrupts->masked = true;
		ring_intx(function);
	}
}

void sim_interrupts_mask(struct sim_function *function)
{
	if (function->interrupts.kind == VFIO_PCI_INTX_IRQ_INDEX) {
		function->interrupts.masked = true;
	}
}

/* vfio_pci_intx_unmask */
void sim_interrupts_unmask(struct sim_function *function)
{
	struct sim_interrupts *interrupts = &function->interrupts;

	if (interrupts->kind != VFIO_PCI_INTX_IRQ_INDEX || !interrupts->masked ||
	    function->config->intx_disabled) {
		return;
	}
	interrupts->masked = false;
	deliver_line(function);
}

void sim_interrupts_set_line(struct sim_function *function, bool asserted)
{
	function->interrupts.asserted = asserted;
	sim_config_space_set_pending(function->config, asserted);
	deliver_line(function);
}

static void disable_intx(struct sim_function *function)
{
	struct sim_interrupts *interrupts = &function->interrupts;

	cleanup_fd(&interrupts->unmask);
	cleanup_fd(&interrupts->intx);
	interrupts->masked = false;
	interrupts->kind = VFIO_PCI_NUM_IRQS;
}

/* vfio_intx_enable, vfio_intx_set_signal: a negative number leaves INTx on, without a bell. */
static int set_intx_eventfd(const struct change *change)
{
	struct sim_interrupts *interrupts = &change->function->interrupts;
	int32_t index = eventfd_at(change, 0);
	int fd = -1;
	int r = index == SIM_FD_MINUS_ONE ? 0 : sim_event_take(change->argument, index, &fd);

	if (r < 0) {
		return r;
	}
	cleanup_fd(&interrupts->intx);
	interrupts->intx = fd;
	if (interrupts->kind == VFIO_PCI_NUM_IRQS) {
		interrupts->kind = VFIO_PCI_INTX_IRQ_INDEX;
		interrupts->masked = change->function->config->intx_disabled;
		deliver_line(change->function);
	}
	return 0;
}

/* vfio_pci_set_intx_trigger */
static int trigger_intx(const struct change *change)
{
	if (is_kind(change, VFIO_PCI_INTX_IRQ_INDEX) && change->count == 0 &&
	    change->flags & VFIO_IRQ_SET_DATA_NONE) {
		disable_intx(change->function);
		return 0;
	}
	if (!(is_kind(change, VFIO_PCI_INTX_IRQ_INDEX) || is_kind(change, VFIO_PCI_NUM_IRQS)) ||
	    change->start != 0 || change->count != 1) {
		return -EINVAL;
	}
	if (change->flags & VFIO_IRQ_SET_DATA_EVENTFD) {
		return set_intx_eventfd(change);
	}
	if (!is_kind(change, VFIO_PCI_INTX_IRQ_INDEX)) {
		return -EINVAL;
	}
	if (change->flags & VFIO_IRQ_SET_DATA_NONE || change->data[0]) {
		ring_intx(change->function);
	}
	return 0;
}

/* vfio_pci_set_intx_mask */
static int mask_intx(const struct change *change)
{
	if (!is_kind(change, VFIO_PCI_INTX_IRQ_INDEX) || change->start != 0 || change->count != 1) {
		return -EINVAL;
	}
	if (change->flags & VFIO_IRQ_SET_DATA_EVENTFD) {
		return -ENOTTY;
	}
	if (change->flags & VFIO_IRQ_SET_DATA_NONE || change->data[0]) {
		sim_interrupts_mask(change->function);
	}
	return 0;
}

/* vfio_virqfd_enable */
static int set_unmask_eventfd(const struct change *change)
{
	struct sim_interrupts *interrupts = &change->function->interrupts;
	int32_t index = eventfd_at(change, 0);
	int fd = -1;
	int r;

	if (index == SIM_FD_MINUS_ONE) {
		cleanup_fd(&interrupts->unmask);
		return 0;
	}
	r = sim_event_take(change->argument, index, &fd);
	if (r < 0) {
		return r;
	}
	if (interrupts->unmask >= 0) {
		(void)fd_close(fd);
		return -EBUSY;
	}
	interrupts->unmask = fd;
	(void)sim_interrupts_poll(change->function);
	return 0;
}

/* vfio_pci_set_intx_unmask */
static int unmask_intx(const struct change *change)
{
	if (!is_kind(change, VFIO_PCI_INTX_IRQ_INDEX) || change->start != 0 || change->count != 1) {
		return -EINVAL;
	}
	if (change->flags & VFIO_IRQ_SET_DATA_EVENTFD) {
		return set_unmask_eventfd(change);
	}
	if (change->flags & VFIO_IRQ_SET_DATA_NONE || change->data[0]) {
		sim_interrupts_unmask(change->function);
	}
	return 0;
}

bool sim_interrupts_poll(struct sim_function *function)
{
	if (function->interrupts.unmask < 0) {
		return false;
	}
	if (sim_event_consume(function->interrupts.unmask)) {
		sim_interrupts_unmask(function);
	}
	return true;
}

/* messages */

bool sim_interrupts_has_messages(const struct sim_function *function)
{
	return function->interrupts.kind == VFIO_PCI_MSI_IRQ_INDEX ||
	       function->interrupts.kind == VFIO_PCI_MSIX_IRQ_INDEX;
}

void sim_interrupts_send(struct sim_function *function, unsigned int vector)
{
	const struct sim_interrupts *interrupts = &function->interrupts;

	if (sim_interrupts_has_messages(function) &&
	    sim_config_space_sends(function->config, interrupts->kind) &&
	    sim_config_space_masters_bus(function->config) &&
	    vector < count_of(function, interrupts->kind)) {
		sim_event_signal(interrupts->message[vector]);
	}
}

static void disable_messages(struct sim_function *function)
{
	struct sim_interrupts *interrupts = &function->interrupts;

	for (unsigned int i = 0; i < count_of(function, interrupts->kind); i++) {
		cleanup_fd(&interrupts->message[i]);
	}
	free(interrupts->message);
	interrupts->message = NULL;
	interrupts->allocated = 0;
	if (interrupts->kind == VFIO_PCI_MSIX_IRQ_INDEX) {
		sim_msix_mask(function);
	}
	sim_config_space_enable_messages(function->config, interrupts->kind, 0);
	interrupts->kind = VFIO_PCI_NUM_IRQS;
}

/* vfio_msi_enable */
static int enable_messages(const struct change *change)
{
	struct sim_function *function = change->function;
	struct sim_interrupts *interrupts = &function->interrupts;
	unsigned int count = count_of(function, change->index);

	if (change->start + change->count == 0) {
		return -ERANGE; /* pci_alloc_irq_vectors: at least one, at most none */
	}
	interrupts->message = malloc(count * sizeof(*interrupts->message));
	if (!interrupts->message) {
		return -ENOMEM;
	}
	for (unsigned int i = 0; i < count; i++) {
		interrupts->message[i] = -1;
	}
	interrupts->kind = change->index;
	interrupts->allocated = change->start + change->count;
	sim_config_space_enable_messages(function->config, change->index, interrupts->allocated);
	if (change->index == VFIO_PCI_MSIX_IRQ_INDEX) {
		sim_msix_present(function);
	}
	return 0;
}

static void drop_message(const struct change *change, uint32_t vector)
{
	int *message = &change->function->interrupts.message[vector];

	if (*message >= 0 && change->index == VFIO_PCI_MSIX_IRQ_INDEX) {
		sim_msix_set(change->function, vector, true);
	}
	cleanup_fd(message);
}

/* vfio_msi_set_vector_signal: the old eventfd goes first, whatever comes then. The table's entry is
 * written again, for a reset may have emptied it. */
static int set_message(const struct change *change, uint32_t vector, int32_t index)
{
	struct sim_interrupts *interrupts = &change->function->interrupts;
	bool had_one = interrupts->message[vector] >= 0;
	bool dynamic =
		change->index == VFIO_PCI_MSIX_IRQ_INDEX && has_dynamic_messages(change->function);
	int r;

	drop_message(change, vector);
	if (index == SIM_FD_MINUS_ONE) {
		return 0;
	}
	if (!had_one && vector >= interrupts->allocated && !dynamic) {
		return -EINVAL;
	}
	r = sim_event_take(change->argument, index, &interrupts->message[vector]);
	if (r == 0 && change->index == VFIO_PCI_MSIX_IRQ_INDEX) {
		sim_msix_set(change->function, vector, false);
	}
	return r;
}

/* vfio_msi_set_block: after a failure none of the block is left. */
static int set_messages(const struct change *change)
{
	for (uint32_t i = 0; i < change->count; i++) {
		int r = set_message(change, change->start + i, eventfd_at(change, i));

		if (r < 0) {
			for (uint32_t done = 0; done <= i; done++) {
				drop_message(change, change->start + done);
			}
			return r;
		}
	}
	return 0;
}

static int set_message_eventfds(const struct change *change)
{
	int r;

	if (is_kind(change, change->index)) {
		return set_messages(change);
	}
	r = enable_messages(change);
	if (r < 0) {
		return r;
	}
	r = set_messages(change);
	if (r < 0) {
		disable_messages(change->function);
	}
	return r;
}

/* vfio_pci_set_msi_trigger */
static int trigger_messages(const struct change *change)
{
	const struct sim_interrupts *interrupts = &change->function->interrupts;

	if (is_kind(change, change->index) && change->count == 0 &&
	    change->flags & VFIO_IRQ_SET_DATA_NONE) {
		disable_messages(change->function);
		return 0;
	}
	if (!is_kind(change, change->index) && !is_kind(change, VFIO_PCI_NUM_IRQS)) {
		return -EINVAL;
	}
	if (change->flags & VFIO_IRQ_SET_DATA_EVENTFD) {
		return set_message_eventfds(change);
	}
	if (!is_kind(change, change->index)) {
		return -EINVAL;
	}
	for (uint32_t i = 0; i < change->count; i++) {
		if (change->flags & VFIO_IRQ_SET_DATA_NONE || change->data[i]) {
			sim_event_signal(interrupts->message[change->start + i]);
		}
	}
	return 0;
}

/* ERR and REQ */

/* vfio_pci_set_ctx_trigger_single */
static int set_single(const struct change *change, int *fd)
{
	int given = -1;
	int32_t index;
	int r;

	if (change->flags & VFIO_IRQ_SET_DATA_NONE) {
		if (*fd < 0) {
			return -EINVAL;
		}
		if (change->count > 0) {
			sim_event_signal(*fd);
		} else {
			cleanup_fd(fd);
		}
		return 0;
	}
	if (change->count == 0) {
		return -EINVAL;
	}
	if (change->flags & VFIO_IRQ_SET_DATA_BOOL) {
		if (change->data[0]) {
			sim_event_signal(*fd);
		}
		return 0;
	}
	index = eventfd_at(change, 0);
	r = index == SIM_FD_MINUS_ONE ? 0 : sim_event_take(change->argument, index, &given);
	if (r < 0) {
		return r;
	}
	cleanup_fd(fd);
	*fd = given;
	return 0;
}

/* dispatch */

static int trigger(const struct change *change)
{
	struct sim_interrupts *interrupts = &change->function->interrupts;

	switch (change->index) {
	case VFIO_PCI_INTX_IRQ_INDEX:
		return trigger_intx(change);
	case VFIO_PCI_MSI_IRQ_INDEX:
	case VFIO_PCI_MSIX_IRQ_INDEX:
		return trigger_messages(change);
	case VFIO_PCI_ERR_IRQ_INDEX:
		return set_single(change, &interrupts->error);
	default:
		return set_single(change, &interrupts->request);
	}
}

/* vfio_pci_set_irqs_ioctl */
static int apply(const struct change *change)
{
	uint32_t action = change->flags & VFIO_IRQ_SET_ACTION_TYPE_MASK;

	if (action == VFIO_IRQ_SET_ACTION_TRIGGER) {
		return trigger(change);
	}
	if (change->index == VFIO_PCI_INTX_IRQ_INDEX && action == VFIO_IRQ_SET_ACTION_MASK) {
		return mask_intx(change);
	}
	if (change->index == VFIO_PCI_INTX_IRQ_INDEX && action == VFIO_IRQ_SET_ACTION_UNMASK) {
		return unmask_intx(change);
	}
	return -ENOTTY;
}

/* How large one element of the data is; -EINVAL: none of the types, or several. */
static int find_element_size(uint32_t flags)
{
	switch (flags & VFIO_IRQ_SET_DATA_TYPE_MASK) {
	case VFIO_IRQ_SET_DATA_NONE:
		return 0;
	case VFIO_IRQ_SET_DATA_BOOL:
		return sizeof(uint8_t);
	case VFIO_IRQ_SET_DATA_EVENTFD:
		return sizeof(int32_t);
	default:
		return -EINVAL;
	}
}

int sim_interrupts_set(struct sim_function *function, struct sim_argument *argument)
{
	const struct vfio_irq_set *set = argument->data;
	unsigned int count = count_of(function, set->index);
	int element = find_element_size(set->flags);
	struct change change = {
		.function = function,
		.argument = argument,
		.flags = set->flags,
		.index = set->index,
		.start = set->start,
		.count = set->count,
		.data = set->data,
	};

	/* vfio_set_irqs_validate_and_prepare */
	if (set->argsz < HEADER_SIZE || set->index >= VFIO_PCI_NUM_IRQS || element < 0 ||
	    set->flags & ~(uint32_t)(VFIO_IRQ_SET_DATA_TYPE_MASK | VFIO_IRQ_SET_ACTION_TYPE_MASK) ||
	    set->start >= count || set->count > count - set->start) {
		return -EINVAL;
	}
	if (set->argsz - HEADER_SIZE < (uint64_t)set->count * (unsigned int)element) {
		return -EINVAL;
	}
	/* The caller's memory ends before. */
	if (argument->size < HEADER_SIZE + (uint64_t)set->count * (unsigned int)element) {
		return -EFAULT;
	}
	return apply(&change);
}

void sim_interrupts_close(struct sim_function *function)
{
	struct sim_interrupts *interrupts = &function->interrupts;

	if (sim_interrupts_has_messages(function)) {
		disable_messages(function);
	}
	disable_intx(function);
	cleanup_fd(&interrupts->error);
	cleanup_fd(&interrupts->request);
}
