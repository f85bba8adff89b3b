/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* For tests of simulated devices: the edu of the model's fixture, or an e1000e, open. */
#pragma once

#include <endian.h>
#include <linux/pci_regs.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "sim/device.h"
#include "sim_model_fixture.h"

#define REGION(number) ((uint64_t)(number) << SIM_REGION_SHIFT)
#define CONFIG         REGION(VFIO_PCI_CONFIG_REGION_INDEX)
#define INTX           VFIO_PCI_INTX_IRQ_INDEX
#define MSI            VFIO_PCI_MSI_IRQ_INDEX
#define MSIX           VFIO_PCI_MSIX_IRQ_INDEX
#define NONE           VFIO_IRQ_SET_DATA_NONE
#define BOOLEAN        VFIO_IRQ_SET_DATA_BOOL
#define EVENTFD        VFIO_IRQ_SET_DATA_EVENTFD
#define MASK           VFIO_IRQ_SET_ACTION_MASK
#define UNMASK         VFIO_IRQ_SET_ACTION_UNMASK
#define TRIGGER        VFIO_IRQ_SET_ACTION_TRIGGER
#define FDS_MAX        8U

/* The model of a host with type1 instead; nothing is open. */
static inline int set_up_x86(void **state)
{
	struct fixture *fixture;

	(void)set_up_host(state);
	fixture = *state;
	fixture->mm = sim_mm_unref(fixture->mm);
	fixture->model = sim_model_free(fixture->model);
	fixture->host = sim_host_free(fixture->host);
	assert_int_equal(sim_host_new_builtin("x86", &fixture->host), 0);
	assert_int_equal(sim_model_new(fixture->host, &fixture->model), 0);
	fixture->mm = sim_model_mm_new(fixture->model);
	fixture->caller.mm = fixture->mm;
	fixture->group = SIM_NODE_NOTHING;
	fixture->container = SIM_NODE_NOTHING;
	return 0;
}

/* That of a host that a device list makes. */
static inline int set_up_list(void **state, const char *list)
{
	const struct sim_host_source source = {
		.name = "list",
		.list_name = "list.ini",
		.list = list,
		.list_size = strlen(list),
		.settings = SIM_SETTINGS_DEFAULT,
	};
	struct fixture *fixture;
	struct error error;

	(void)set_up_x86(state);
	fixture = *state;
	fixture->mm = sim_mm_unref(fixture->mm);
	fixture->model = sim_model_free(fixture->model);
	fixture->host = sim_host_free(fixture->host);
	assert_int_equal(sim_host_new(&source, &fixture->host, &error), 0);
	assert_int_equal(sim_model_new(fixture->host, &fixture->model), 0);
	fixture->mm = sim_model_mm_new(fixture->model);
	fixture->caller.mm = fixture->mm;
	return 0;
}

/* A group in a container of its own with a device that is open. */
struct opened {
	struct sim_node container;
	struct sim_node group;
	struct sim_node device;
	uint32_t blocks; /* for as long as the opening took */
};

static inline int open_device(struct fixture *fixture, struct sim_node group, const char *name,
			      struct sim_node *ret_device, uint32_t *ret_blocks)
{
	struct sim_argument argument = {.data = (void *)(uintptr_t)name, .size = strlen(name)};
	int r = sim_node_ioctl(group, &fixture->caller, VFIO_GROUP_GET_DEVICE_FD, &argument);

	if (r == 0) {
		assert_int_equal(argument.new_node.kind, SIM_NODE_DEVICE);
		*ret_device = argument.new_node;
	}
	if (ret_blocks) {
		*ret_blocks = argument.blocks;
	}
	return r;
}

static inline struct opened open_all(struct fixture *fixture, const char *group, const char *name,
				     uint64_t type)
{
	struct opened opened = {.blocks = 0};

	assert_int_equal(sim_model_open(fixture->model, "/dev/vfio/vfio", &opened.container), 0);
	assert_int_equal(sim_model_open(fixture->model, group, &opened.group), 0);
	assert_int_equal(join(fixture, opened.group, opened.container), 0);
	assert_int_equal(value_ioctl(fixture, opened.container, VFIO_SET_IOMMU, type), 0);
	assert_int_equal(open_device(fixture, opened.group, name, &opened.device, &opened.blocks),
			 0);
	return opened;
}

static inline void close_all(const struct opened *opened)
{
	sim_node_close(opened->device);
	sim_node_close(opened->group);
	sim_node_close(opened->container);
}

static inline struct opened open_e1000e(struct fixture *fixture)
{
	return open_all(fixture, GROUP_E1000E, E1000E, VFIO_SPAPR_TCE_v2_IOMMU);
}

/* The edu of the fixture's own group. */
static inline struct sim_node open_edu(struct fixture *fixture)
{
	struct sim_node device = SIM_NODE_NOTHING;

	assert_int_equal(open_device(fixture, fixture->group, EDU, &device, NULL), 0);
	return device;
}

/* calls; a structure goes in and what comes back goes into it, after -ENOSPC too */

static inline int device_ioctl(struct fixture *fixture, struct sim_node device,
			       unsigned long request, void *structure, size_t size,
			       struct sim_argument_fd *fds, unsigned int fd_count)
{
	struct sim_argument argument = {
		.data = fixture->data,
		.size = size,
		.fds = fds,
		.fd_count = fd_count,
	};
	int r;

	memset(fixture->data, 0, sizeof(fixture->data));
	memcpy(fixture->data, structure, size);
	r = sim_node_ioctl(device, &fixture->caller, request, &argument);
	assert_true(argument.out_size <= size);
	memcpy(structure, fixture->data, argument.out_size);
	return r;
}

static inline int get_info(struct fixture *fixture, struct sim_node device,
			   struct vfio_device_info *info, uint32_t argsz)
{
	memset(info, 0xaa, sizeof(*info));
	info->argsz = argsz;
	return device_ioctl(fixture, device, VFIO_DEVICE_GET_INFO, info, sizeof(*info), NULL, 0);
}

static inline ssize_t device_read(struct sim_node device, uint64_t offset, void *data, size_t size)
{
	return sim_device_read(device.device_file, offset, data, size);
}

static inline ssize_t device_write(struct sim_node device, uint64_t offset, const void *data,
				   size_t size)
{
	return sim_device_write(device.device_file, offset, data, size);
}

static inline uint32_t config_read(struct sim_node device, uint64_t offset, size_t size)
{
	uint32_t value = 0;

	assert_int_equal(device_read(device, CONFIG + offset, &value, size), size);
	return le32toh(value);
}

static inline void config_write(struct sim_node device, uint64_t offset, size_t size,
				uint32_t value)
{
	value = htole32(value);
	assert_int_equal(device_write(device, CONFIG + offset, &value, size), size);
}

static inline void set_command(struct sim_node device, uint32_t set, uint32_t clear)
{
	uint32_t command = config_read(device, PCI_COMMAND, 2);

	config_write(device, PCI_COMMAND, 2, (command & ~clear) | set);
}

/* interrupts; an fd of -1 is passed as -1, of -2 as one that isn't open */

static inline int set_irqs(struct fixture *fixture, struct sim_node device, uint32_t flags,
			   uint32_t index, uint32_t start, uint32_t count, const int *fds)
{
	union {
		struct vfio_irq_set set;
		uint8_t bytes[sizeof(struct vfio_irq_set) + FDS_MAX * sizeof(int32_t)];
	} argument = {.set = {.argsz = sizeof(argument), .flags = flags, .index = index}};
	struct sim_argument_fd given[FDS_MAX] = {{.fd = -1}};
	unsigned int given_count = 0;

	argument.set.start = start;
	argument.set.count = count;
	for (uint32_t i = 0; fds && i < count; i++) {
		int32_t place = fds[i] < 0 ? fds[i] : (int32_t)given_count;

		memcpy(argument.set.data + i * sizeof(place), &place, sizeof(place));
		if (fds[i] >= 0) {
			given[given_count++] =
				(struct sim_argument_fd){.node = SIM_NODE_NOTHING, .fd = fds[i]};
		}
	}
	return device_ioctl(fixture, device, VFIO_DEVICE_SET_IRQS, &argument, sizeof(argument),
			    given, given_count);
}

static inline int set_eventfd(struct fixture *fixture, struct sim_node device, uint32_t index,
			      uint32_t start, int fd)
{
	return set_irqs(fixture, device, EVENTFD | TRIGGER, index, start, 1, &fd);
}

static inline int new_eventfd(void)
{
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

/* How often it was rung since it was last asked. */
static inline uint64_t rings(int fd)
{
	uint64_t count = 0;

	return read(fd, &count, sizeof(count)) == (ssize_t)sizeof(count) ? count : 0;
}
