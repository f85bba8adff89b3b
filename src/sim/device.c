/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What an open device file answers (vfio_pci_core.c). How it is opened and closed: function.c. */
#include "sim/device.h"

#include <errno.h>
#include <linux/vfio.h>
#include <string.h>
#include <sys/param.h>

#include "sim/function.h"

#define END_OF(type, member) (offsetof(type, member) + sizeof(((type *)NULL)->member))

#define OFFSET_MASK ((UINT64_C(1) << SIM_REGION_SHIFT) - 1)

/* capability chains (vfio_info_add_capability, vfio_info_cap_shift) */

#define CHAIN_MAX 256U

struct chain {
	uint8_t bytes[CHAIN_MAX];
	size_t size;
	size_t last; /* where the last one begins */
};

/* Each begins with a header, whose `next` counts from the beginning of the structure in front,
 * which is `base` bytes long. */
static void chain_add(struct chain *chain, const void *capability, size_t size, size_t base)
{
	struct vfio_info_cap_header header;
	size_t room = (size + 7) & ~(size_t)7;

	if (room > CHAIN_MAX - chain->size) {
		return;
	}
	if (chain->size > 0) {
		memcpy(&header, chain->bytes + chain->last, sizeof(header));
		header.next = (uint32_t)(base + chain->size);
		memcpy(chain->bytes + chain->last, &header, sizeof(header));
	}
	chain->last = chain->size;
	memset(chain->bytes + chain->size, 0, room);
	memcpy(chain->bytes + chain->size, capability, size);
	chain->size += room;
}

/* information */

static int get_info(const struct sim_function *function, struct sim_argument *argument)
{
	const struct vfio_device_info *asked = argument->data;
	struct vfio_device_info info = {
		.argsz = asked->argsz,
		.flags = VFIO_DEVICE_FLAGS_PCI,
		.num_regions = (uint32_t)function->registers->count,
		.num_irqs = VFIO_PCI_NUM_IRQS,
	};

	if (info.argsz < END_OF(struct vfio_device_info, num_irqs)) {
		return -EINVAL;
	}
	if (function->device->reset != SIM_RESET_NONE) {
		info.flags |= VFIO_DEVICE_FLAGS_RESET;
	}
	argument->out_size = MIN(info.argsz, sizeof(info));
	memcpy(argument->data, &info, argument->out_size);
	return 0;
}

/* Since Linux 4.16 a BAR is mappable with its MSI-X table: no sparse areas. */
static void describe_bar(const struct sim_function *function, struct vfio_region_info *info,
			 struct chain *chain)
{
	const struct vfio_info_cap_header mappable = {
		.id = VFIO_REGION_INFO_CAP_MSIX_MAPPABLE,
		.version = 1,
	};
	unsigned int bar = 0;
	uint64_t offset = 0;
	uint64_t size = 0;

	info->size = sim_registers_size(function->device, info->index);
	info->flags = info->size > 0 ? VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE : 0;
	if (!sim_registers_is_mappable(function, info->index)) {
		return;
	}
	info->flags |= VFIO_REGION_INFO_FLAG_MMAP;
	if (sim_config_space_find_msix_table(function->config, &bar, &offset, &size) &&
	    bar == info->index) {
		chain_add(chain, &mappable, sizeof(mappable), sizeof(*info));
	}
}

static void add_sparse_areas(const struct sim_extra_region *region, struct chain *chain,
			     size_t base)
{
	const struct vfio_region_info_cap_sparse_mmap sparse = {
		.header = {.id = VFIO_REGION_INFO_CAP_SPARSE_MMAP, .version = 1},
		.nr_areas = (uint32_t)region->area_count,
	};
	uint8_t bytes[sizeof(sparse) +
		      SIM_SPARSE_AREAS_MAX * sizeof(struct vfio_region_sparse_mmap_area)];
	size_t size = sizeof(sparse);

	memcpy(bytes, &sparse, sizeof(sparse));
	for (size_t i = 0; i < region->area_count; i++) {
		const struct vfio_region_sparse_mmap_area area = {
			.offset = region->area[i].offset,
			.size = region->area[i].size,
		};

		memcpy(bytes + size, &area, sizeof(area));
		size += sizeof(area);
	}
	chain_add(chain, bytes, size, base);
}

static void describe_extra(const struct sim_function *function, struct vfio_region_info *info,
			   struct chain *chain)
{
	const struct sim_extra_region *region =
		&function->device->extra_region[info->index - SIM_FIRST_EXTRA];
	const struct vfio_region_info_cap_type type = {
		.header = {.id = VFIO_REGION_INFO_CAP_TYPE, .version = 1},
		.type = region->type,
		.subtype = region->subtype,
	};

	info->size = region->size;
	info->flags = region->flags;
	chain_add(chain, &type, sizeof(type), sizeof(*info));
	if (region->area_count > 0) {
		add_sparse_areas(region, chain, sizeof(*info));
	}
}

/* 0, or -EINVAL for a region that isn't there: VGA is one on x86 alone, and not modelled. */
static int describe_region(const struct sim_function *function, struct vfio_region_info *info,
			   struct chain *chain)
{
	if (info->index == VFIO_PCI_VGA_REGION_INDEX || info->index >= function->registers->count) {
		return -EINVAL;
	}
	info->offset = (uint64_t)info->index << SIM_REGION_SHIFT;
	if (info->index < SIM_BARS) {
		describe_bar(function, info, chain);
	} else if (info->index == VFIO_PCI_CONFIG_REGION_INDEX) {
		info->size = function->config->size;
		info->flags = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE;
	} else if (info->index == VFIO_PCI_ROM_REGION_INDEX) {
		/* A BAR without a ROM behind it has no size. */
		info->size = 0;
		info->flags = 0;
	} else {
		describe_extra(function, info, chain);
	}
	return 0;
}

static int get_region_info(const struct sim_function *function, struct sim_argument *argument)
{
	struct chain chain = {.size = 0};
	struct vfio_region_info info;
	int r;

	memcpy(&info, argument->data, sizeof(info));
	if (info.argsz < sizeof(info)) {
		return -EINVAL;
	}
	r = describe_region(function, &info, &chain);
	if (r < 0) {
		return r;
	}
	argument->out_size = sizeof(info);
	if (chain.size > 0) {
		info.flags |= VFIO_REGION_INFO_FLAG_CAPS;
		info.cap_offset = sizeof(info);
		if (info.argsz < sizeof(info) + chain.size) {
			info.argsz = (uint32_t)(sizeof(info) + chain.size);
			info.cap_offset = 0;
		} else {
			memcpy((uint8_t *)argument->data + sizeof(info), chain.bytes, chain.size);
			argument->out_size += chain.size;
		}
	}
	memcpy(argument->data, &info, sizeof(info));
	return 0;
}

/* dispatch */

static int dispatch(struct sim_function *function, unsigned long request,
		    struct sim_argument *argument)
{
	switch (request) {
	case VFIO_DEVICE_GET_INFO:
		return get_info(function, argument);
	case VFIO_DEVICE_GET_REGION_INFO:
		return get_region_info(function, argument);
	case VFIO_DEVICE_GET_IRQ_INFO:
		return sim_interrupts_info(function, argument);
	case VFIO_DEVICE_SET_IRQS:
		return sim_interrupts_set(function, argument);
	case VFIO_DEVICE_GET_PCI_HOT_RESET_INFO:
		return sim_function_hot_reset_info(function, argument);
	case VFIO_DEVICE_PCI_HOT_RESET:
		return sim_function_hot_reset(function, argument);
	case VFIO_DEVICE_IOEVENTFD:
		return sim_function_set_write_event(function, argument);
	case VFIO_DEVICE_FEATURE:
		return sim_function_feature(function, argument);
	default:
		return -ENOTTY;
	}
}

int sim_device_ioctl(struct sim_device_file *file, const struct sim_caller *caller,
		     unsigned long request, struct sim_argument *argument)
{
	struct sim_function *function = file->function;
	int r;

	(void)caller; /* any process that has the fd */
	sim_function_wake(function);
	if (request == VFIO_DEVICE_RESET) {
		/* Who unbinds or unplugs it waits with the device locked (pci_try_reset_function).
		 */
		return function->leaving && function->device->reset != SIM_RESET_NONE
			       ? -EAGAIN
			       : sim_function_reset(function, &argument->blocks);
	}
	if (!argument->data) {
		return sim_ioctl_find(SIM_NODE_DEVICE, request) ? -EFAULT : -ENOTTY;
	}
	r = dispatch(function, request, argument);
	/* argsz may promise more memory than the caller has. */
	if (argument->out_size > argument->size) {
		argument->out_size = 0;
		return -EFAULT;
	}
	return r;
}

/* reading, writing, mapping */

/* What a write of config space asks for beyond. */
static void carry_out(struct sim_function *function, unsigned int asks)
{
	if (asks & SIM_CONFIG_MASKS_INTX) {
		sim_interrupts_mask(function);
	}
	if (asks & SIM_CONFIG_UNMASKS_INTX) {
		sim_interrupts_unmask(function);
	}
	if (asks & SIM_CONFIG_RESETS) {
		(void)sim_function_reset(function, NULL);
	}
	if (asks & SIM_CONFIG_WAKES) {
		sim_function_reset_registers(function);
	}
}

/* The region of an access, or -EINVAL. A ROM can't be written; where it has a BAR there is nothing
 * behind that could be mapped, which is -ENOMEM. */
static int find_region(const struct sim_function *function, uint64_t offset, bool writes)
{
	uint64_t region = offset >> SIM_REGION_SHIFT;

	if (region >= function->registers->count || region == VFIO_PCI_VGA_REGION_INDEX) {
		return -EINVAL;
	}
	if (region == VFIO_PCI_ROM_REGION_INDEX) {
		const struct sim_resource *rom = &function->device->resource[region];

		return writes || !rom->start || (offset & OFFSET_MASK) > rom->end - rom->start
			       ? -EINVAL
			       : -ENOMEM;
	}
	return (int)region;
}

ssize_t sim_device_read(struct sim_device_file *file, uint64_t offset, void *data, size_t size)
{
	struct sim_function *function = file->function;
	int region = find_region(function, offset, false);

	if (size == 0) {
		return 0;
	}
	if (region < 0) {
		return region;
	}
	sim_function_wake(function);
	return region == VFIO_PCI_CONFIG_REGION_INDEX
		       ? sim_config_space_read(function->config, sim_function_reach(function),
					       offset & OFFSET_MASK, data, size)
		       : sim_registers_read(function, (unsigned int)region, offset & OFFSET_MASK,
					    data, size);
}

ssize_t sim_device_write(struct sim_device_file *file, uint64_t offset, const void *data,
			 size_t size)
{
	struct sim_function *function = file->function;
	int region = find_region(function, offset, true);
	unsigned int asks = 0;
	ssize_t done;

	if (size == 0) {
		return 0;
	}
	if (region < 0) {
		return region;
	}
	sim_function_wake(function);
	if (region != VFIO_PCI_CONFIG_REGION_INDEX) {
		return sim_registers_write(function, (unsigned int)region, offset & OFFSET_MASK,
					   data, size);
	}
	done = sim_config_space_write(function->config, sim_function_reach(function),
				      offset & OFFSET_MASK, data, size, &asks);
	carry_out(function, asks);
	/* What is mapped may be seen another way now. */
	(void)sim_registers_poll(function);
	return done;
}

int sim_device_map(struct sim_device_file *file, uint64_t offset, uint64_t size, int prot,
		   int *ret_fd, uint64_t *ret_offset)
{
	struct sim_function *function = file->function;
	uint64_t region = offset >> SIM_REGION_SHIFT;

	(void)prot; /* any */
	if (region >= function->registers->count) {
		return -EINVAL;
	}
	return sim_registers_map(function, (unsigned int)region, offset & OFFSET_MASK, size, ret_fd,
				 ret_offset);
}
