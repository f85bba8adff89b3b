/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/marshal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <linux/vfio.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/param.h>
#include <sys/uio.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "sim/argument.h"
#include "sim/kvm.h"
#include "sim/type1.h"

/* Copies are cut at multiples of this, which no page is smaller than. */
#define COPY_STEP 4096U

/* SIM_ARGUMENT_MAX bytes that begin anywhere. */
#define COPY_STEPS_MAX (SIM_ARGUMENT_MAX / COPY_STEP + 2)

/* More than any bus has: the rest is not looked at (sim/hot_reset.c). */
#define HOT_RESET_GROUPS_MAX 256U

/* the caller's memory */

/* Cut a range at page boundaries: the kernel stops at the first part that it can't copy. */
static unsigned long cut(struct iovec parts[COPY_STEPS_MAX], uint64_t address, size_t size)
{
	unsigned long count = 0;

	while (size > 0) {
		size_t part = MIN(size, COPY_STEP - address % COPY_STEP);

		parts[count++] =
			(struct iovec){.iov_base = (void *)(uintptr_t)address, .iov_len = part};
		address += part;
		size -= part;
	}
	return count;
}

/* The stack of the thread. */
struct stack {
	uint64_t low;
	uint64_t top; /* 0: not looked up yet; equal to low: not known */
};

static void find_stack(struct stack *stack)
{
	pthread_attr_t attributes;
	void *low = NULL;
	size_t size = 0;

	*stack = (struct stack){.low = 1, .top = 1};
	if (pthread_getattr_np(pthread_self(), &attributes) == 0) {
		if (pthread_attr_getstack(&attributes, &low, &size) == 0 && low) {
			*stack = (struct stack){
				.low = (uintptr_t)low,
				.top = (uintptr_t)low + size,
			};
		}
		(void)pthread_attr_destroy(&attributes);
	}
}

/* Whether an argument lies on the stack of the thread, in what is in use: then it is surely there,
 * and no system call is needed to look at it. A thread can also run on a stack of its own making.
 */
static bool is_on_stack(uint64_t address, size_t size)
{
	static __thread struct stack stack __attribute__((tls_model("initial-exec")));
	uint64_t here = (uintptr_t)__builtin_frame_address(0);

	if (stack.top == 0) {
		find_stack(&stack);
	}
	return here >= stack.low && here < stack.top && address >= here && address < stack.top &&
	       size <= stack.top - address;
}

/* Where a filter of system calls forbids to look, the address is believed. */
static bool is_forbidden(ssize_t moved)
{
	return moved < 0 && (errno == EPERM || errno == ENOSYS);
}

/* Read as far as memory is there; believed: all of it surely is. */
static size_t read_caller(void *data, uint64_t address, size_t size, bool believed)
{
	struct iovec parts[COPY_STEPS_MAX];
	struct iovec local = {.iov_base = data, .iov_len = size};
	ssize_t moved = 0;

	if (size > SIM_ARGUMENT_MAX || address + size < address) {
		return 0;
	}
	if (!believed) {
		moved = process_vm_readv(getpid(), &local, 1, parts, cut(parts, address, size), 0);
	}
	if (believed || is_forbidden(moved)) {
		memcpy(data, (const void *)(uintptr_t)address, size);
		return size;
	}
	return moved < 0 ? 0 : (size_t)moved;
}

size_t sim_caller_read(struct sim_caller_memory memory, void *data, uint64_t address, size_t size)
{
	return read_caller(data, address, size, !memory.careful || is_on_stack(address, size));
}

bool sim_caller_write(struct sim_caller_memory memory, uint64_t address, const void *data,
		      size_t size)
{
	struct iovec remote = {.iov_base = (void *)(uintptr_t)address, .iov_len = size};
	struct iovec local = {.iov_base = (void *)(uintptr_t)data, .iov_len = size};
	bool careful = memory.careful && !is_on_stack(address, size);
	ssize_t moved = 0;

	if (size == 0) {
		return true;
	}
	if (careful) {
		moved = process_vm_writev(getpid(), &local, 1, &remote, 1, 0);
	}
	if (!careful || is_forbidden(moved)) {
		memcpy((void *)(uintptr_t)address, data, size);
		return true;
	}
	return moved == (ssize_t)size;
}

/* outgoing */

void sim_outgoing_done(struct sim_outgoing *outgoing)
{
	for (unsigned int i = outgoing->head.fds; i < outgoing->fd_count; i++) {
		(void)fd_close(outgoing->fds[i]);
	}
	sim_piece_list_done(&outgoing->pieces);
	free(outgoing->fds);
	if (outgoing->argument != outgoing->small) {
		free(outgoing->argument);
	}
	outgoing->argument = NULL;
}

/* The same number means something else on another kind of node. */
static bool is_call(const struct sim_outgoing *outgoing, enum sim_node_kind node,
		    unsigned long request)
{
	return outgoing->entry && outgoing->entry->node == node &&
	       outgoing->entry->request == request;
}

/* Have room for an argument of that size. */
static int reserve(struct sim_outgoing *outgoing, size_t size)
{
	uint8_t *grown;

	if (size <= sizeof(outgoing->small)) {
		return 0;
	}
	grown = malloc(size);
	if (!grown) {
		return -ENOMEM;
	}
	memcpy(grown, outgoing->argument, outgoing->head.argument_size);
	if (outgoing->argument != outgoing->small) {
		free(outgoing->argument);
	}
	outgoing->argument = grown;
	return 0;
}

/* Copy size bytes behind what there is of the argument; returns how many came. */
static size_t copy(struct sim_outgoing *outgoing, struct sim_caller_memory memory, uint64_t address,
		   size_t size)
{
	size_t copied = sim_caller_read(memory, outgoing->argument + outgoing->head.argument_size,
					address, size);

	outgoing->head.argument_size += (uint32_t)copied;
	return copied;
}

/* The argument can't be read: nothing of it travels. */
static int give_up(struct sim_outgoing *outgoing)
{
	outgoing->head.argument_size = 0;
	outgoing->head.flags |= SIM_IOCTL_UNREADABLE;
	return 0;
}

/* fds */

/* What stands for an fd of the argument, which goes into what travels along. */
static int32_t place_fd(struct sim_outgoing *outgoing, int fd)
{
	if (fd < 0) {
		return SIM_FD_MINUS_ONE;
	}
	if (fcntl(fd, F_GETFD) < 0) {
		return SIM_FD_CLOSED;
	}
	outgoing->fds[outgoing->fd_count++] = fd;
	return (int32_t)(outgoing->fd_count - 1);
}

/* Replace count fds in the argument, from offset on, by their places. */
static int place_fds(struct sim_outgoing *outgoing, size_t offset, size_t count)
{
	size_t room = outgoing->head.argument_size > offset
			      ? (outgoing->head.argument_size - offset) / sizeof(int32_t)
			      : 0;

	count = MIN(count, room);
	if (count == 0) {
		return 0;
	}
	outgoing->fds = calloc(count, sizeof(*outgoing->fds));
	if (!outgoing->fds) {
		return -ENOMEM;
	}
	for (size_t i = 0; i < count; i++) {
		uint8_t *field = outgoing->argument + offset + i * sizeof(int32_t);
		int32_t fd;

		memcpy(&fd, field, sizeof(fd));
		fd = place_fd(outgoing, fd);
		memcpy(field, &fd, sizeof(fd));
	}
	outgoing->head.fds = outgoing->fd_count;
	return 0;
}

static int place_irq_fds(struct sim_outgoing *outgoing)
{
	struct vfio_irq_set set;

	memcpy(&set, outgoing->argument, sizeof(set));
	return set.flags & VFIO_IRQ_SET_DATA_EVENTFD ? place_fds(outgoing, sizeof(set), set.count)
						     : 0;
}

static int place_hot_reset_fds(struct sim_outgoing *outgoing)
{
	struct vfio_pci_hot_reset reset;

	memcpy(&reset, outgoing->argument, sizeof(reset));
	return place_fds(outgoing, sizeof(reset), reset.count);
}

/* The eventfd that ends low power is the only one of a feature's. */
static int place_wakeup_fd(struct sim_outgoing *outgoing)
{
	struct vfio_device_feature feature;

	memcpy(&feature, outgoing->argument, sizeof(feature));
	return (feature.flags & VFIO_DEVICE_FEATURE_MASK) ==
			       VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY_WITH_WAKEUP
		       ? place_fds(outgoing, sizeof(feature), 1)
		       : 0;
}

/* They come behind it (sim/kvm.h). */
static int place_kvm_fds(struct sim_outgoing *outgoing, struct sim_caller_memory memory)
{
	struct kvm_device_attr attribute;
	size_t count;

	memcpy(&attribute, outgoing->argument, sizeof(attribute));
	count = sim_kvm_attribute_fds(&attribute);
	if (copy(outgoing, memory, attribute.addr, count * sizeof(int32_t)) <
	    count * sizeof(int32_t)) {
		outgoing->head.argument_size = sizeof(attribute);
		return 0;
	}
	return place_fds(outgoing, sizeof(attribute), count);
}

/* It comes behind its structure (sim/type1.h), as far as there is room. */
static int append_bitmap(struct sim_outgoing *outgoing, struct sim_caller_memory memory)
{
	uint64_t address;
	uint64_t size;
	int r;

	if (!sim_type1_find_bitmap(outgoing->head.request, outgoing->argument,
				   outgoing->head.argument_size, &address, &size)) {
		return 0;
	}
	outgoing->head.argument_size = SIM_TYPE1_BITMAP_OFFSET;
	size = MIN(size, SIM_ARGUMENT_MAX - SIM_TYPE1_BITMAP_OFFSET);
	r = reserve(outgoing, SIM_TYPE1_BITMAP_OFFSET + size);
	if (r == 0) {
		(void)copy(outgoing, memory, address, size);
	}
	return r;
}

static int place_structure_fds(struct sim_outgoing *outgoing, struct sim_caller_memory memory)
{
	if (is_call(outgoing, SIM_NODE_DEVICE, VFIO_DEVICE_SET_IRQS)) {
		return place_irq_fds(outgoing);
	}
	if (is_call(outgoing, SIM_NODE_DEVICE, VFIO_DEVICE_PCI_HOT_RESET)) {
		return place_hot_reset_fds(outgoing);
	}
	if (is_call(outgoing, SIM_NODE_DEVICE, VFIO_DEVICE_IOEVENTFD)) {
		return place_fds(outgoing, offsetof(struct vfio_device_ioeventfd, fd), 1);
	}
	if (is_call(outgoing, SIM_NODE_DEVICE, VFIO_DEVICE_FEATURE)) {
		return place_wakeup_fd(outgoing);
	}
	if (is_call(outgoing, SIM_NODE_KVM_VFIO, KVM_SET_DEVICE_ATTR)) {
		return place_kvm_fds(outgoing, memory);
	}
	if (is_call(outgoing, SIM_NODE_CONTAINER, VFIO_IOMMU_DIRTY_PAGES) ||
	    is_call(outgoing, SIM_NODE_CONTAINER, VFIO_IOMMU_UNMAP_DMA)) {
		return append_bitmap(outgoing, memory);
	}
	return 0;
}

/* arguments */

/* By steps in which all is there or nothing. They reach beyond the string, where no program would
 * look: so the kernel does it, also where the address is on the stack. */
static int marshal_string(struct sim_outgoing *outgoing, uint64_t address)
{
	int r = reserve(outgoing, SIM_STRING_MAX);

	while (r == 0) {
		uint8_t *part = outgoing->argument + outgoing->head.argument_size;
		size_t size = MIN(SIM_STRING_MAX - outgoing->head.argument_size,
				  COPY_STEP - address % COPY_STEP);
		const uint8_t *end;

		if (size == 0) {
			return -EINVAL;
		}
		if (read_caller(part, address, size, false) < size) {
			return give_up(outgoing);
		}
		outgoing->head.argument_size += (uint32_t)size;
		end = memchr(part, '\0', size);
		if (end) {
			outgoing->head.argument_size = (uint32_t)(end - outgoing->argument);
			return 0;
		}
		address += size;
	}
	return r;
}

/* What a plain copy of a string may read: no byte beyond its end. */
static int marshal_plain_string(struct sim_outgoing *outgoing, uint64_t address)
{
	size_t length = strnlen((const char *)(uintptr_t)address, SIM_STRING_MAX);
	int r = length == SIM_STRING_MAX ? -EINVAL : reserve(outgoing, length);

	if (r == 0) {
		memcpy(outgoing->argument, (const void *)(uintptr_t)address, length);
		outgoing->head.argument_size = (uint32_t)length;
	}
	return r;
}

/* vfio_pci_ioctl_pci_hot_reset reads the groups that the count tells of, whatever argsz says. */
static size_t find_hot_reset_size(struct sim_caller_memory memory, uint64_t address)
{
	struct vfio_pci_hot_reset reset;

	if (sim_caller_read(memory, &reset, address, sizeof(reset)) < sizeof(reset)) {
		return 0;
	}
	return sizeof(reset) + MIN(reset.count, HOT_RESET_GROUPS_MAX) * sizeof(int32_t);
}

static int marshal_structure(struct sim_outgoing *outgoing, const struct sim_ioctl *entry,
			     struct sim_caller_memory memory, uint64_t address)
{
	size_t size = entry->in_size;
	uint32_t argsz;
	int r;

	if (entry->argument == SIM_ARGUMENT_SIZED) {
		if (sim_caller_read(memory, &argsz, address, sizeof(argsz)) < sizeof(argsz)) {
			return give_up(outgoing);
		}
		size = MIN(MAX(argsz, entry->in_size), SIM_ARGUMENT_MAX);
	}
	if (is_call(outgoing, SIM_NODE_DEVICE, VFIO_DEVICE_PCI_HOT_RESET)) {
		size = MAX(size, find_hot_reset_size(memory, address));
	}
	/* Room for what a KVM attribute points to, too. */
	r = reserve(outgoing, size + SIM_KVM_ATTRIBUTE_FDS_MAX * sizeof(int32_t));
	if (r < 0) {
		return r;
	}
	if (copy(outgoing, memory, address, entry->in_size) < entry->in_size) {
		return give_up(outgoing);
	}
	if (size > entry->in_size) {
		/* A kernel may never look at that, and it may not be there. */
		outgoing->head.argument_size += (uint32_t)read_caller(
			outgoing->argument + entry->in_size, address + entry->in_size,
			size - entry->in_size, !memory.careful);
	}
	return place_structure_fds(outgoing, memory);
}

int sim_marshal(struct sim_outgoing *outgoing, const struct sim_ioctl *entry,
		struct sim_caller_memory memory, uint64_t argument)
{
	outgoing->argument = outgoing->small;
	outgoing->entry = entry;
	switch (entry ? entry->argument : SIM_ARGUMENT_VALUE) {
	case SIM_ARGUMENT_VALUE:
		outgoing->head.value = argument;
		return 0;
	case SIM_ARGUMENT_FD:
		if (copy(outgoing, memory, argument, sizeof(int32_t)) < sizeof(int32_t)) {
			return give_up(outgoing);
		}
		return place_fds(outgoing, 0, 1);
	case SIM_ARGUMENT_STRING:
		return memory.careful ? marshal_string(outgoing, argument)
				      : marshal_plain_string(outgoing, argument);
	case SIM_ARGUMENT_SIZED:
	case SIM_ARGUMENT_STRUCT:
		break;
	}
	return marshal_structure(outgoing, entry, memory, argument);
}

size_t sim_marshalled_room(const struct sim_outgoing *outgoing)
{
	uint32_t argsz = 0;

	if (outgoing->head.argument_size >= sizeof(argsz)) {
		memcpy(&argsz, outgoing->argument, sizeof(argsz));
	}
	return MAX(argsz, outgoing->head.argument_size);
}

bool sim_marshalled_range(const struct sim_outgoing *outgoing, uint64_t *ret_address,
			  uint64_t *ret_size)
{
	struct vfio_iommu_spapr_register_memory memory;
	struct vfio_iommu_type1_dma_map map;

	if (is_call(outgoing, SIM_NODE_CONTAINER, VFIO_IOMMU_SPAPR_REGISTER_MEMORY) &&
	    outgoing->head.argument_size >= sizeof(memory)) {
		memcpy(&memory, outgoing->argument, sizeof(memory));
		*ret_address = memory.vaddr;
		*ret_size = memory.size;
		return true;
	}
	if (is_call(outgoing, SIM_NODE_CONTAINER, VFIO_IOMMU_MAP_DMA) &&
	    outgoing->head.argument_size >= sizeof(map)) {
		memcpy(&map, outgoing->argument, sizeof(map));
		*ret_address = map.vaddr;
		*ret_size = map.size;
		return true;
	}
	return false;
}
