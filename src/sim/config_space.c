/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/config_space.h"

#include <errno.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/param.h>

#include "sim/config_permissions.h"
#include "sim/pci_config.h"

/* Flags of a line of sysfs's `resource`. */
#define RESOURCE_IO       0x100U
#define RESOURCE_MEMORY   0x200U
#define RESOURCE_PREFETCH 0x2000U
#define RESOURCE_64_BIT   0x100000U

#define BAR_COUNT 6U
#define ROM       6U

/* Bits of the command register that a function has. */
#define COMMAND_BITS                                                                   \
	(PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_SERR | \
	 PCI_COMMAND_INTX_DISABLE)

/* Bits of MSI's flags that a function lets be written. */
#define MSI_FLAGS_WRITABLE ((unsigned int)(PCI_MSI_FLAGS_ENABLE | PCI_MSI_FLAGS_QSIZE))

/* What is read of a table of MSI-X. */
#define MSIX_ENTRY_SIZE 16U

/* power-on */

static bool has_bar(const struct sim_device *device, unsigned int i)
{
	return device->resource[i].start != 0;
}

static uint32_t find_bar_flags(const struct sim_device *device, unsigned int i)
{
	uint64_t flags = device->resource[i].flags;

	if (flags & RESOURCE_IO) {
		return PCI_BASE_ADDRESS_SPACE_IO;
	}
	return PCI_BASE_ADDRESS_SPACE_MEMORY |
	       (flags & RESOURCE_PREFETCH ? (uint32_t)PCI_BASE_ADDRESS_MEM_PREFETCH : 0U) |
	       (flags & RESOURCE_64_BIT ? (uint32_t)PCI_BASE_ADDRESS_MEM_TYPE_64 : 0U);
}

static void find_capabilities(struct sim_config_space *space)
{
	space->power_at = (uint16_t)pci_config_find(space->power_on, space->size, PCI_CAP_ID_PM);
	space->msi_at = (uint16_t)pci_config_find(space->power_on, space->size, PCI_CAP_ID_MSI);
	space->msix_at = (uint16_t)pci_config_find(space->power_on, space->size, PCI_CAP_ID_MSIX);
	space->express_at = (uint16_t)pci_config_find(space->power_on, space->size, PCI_CAP_ID_EXP);
	space->advanced_at = (uint16_t)pci_config_find(space->power_on, space->size, PCI_CAP_ID_AF);
	space->errors_at = (uint16_t)pci_config_find_extended(space->power_on, space->size,
							      PCI_EXT_CAP_ID_ERR);
}

struct sim_config_space *sim_config_space_new(const struct sim_device *device)
{
	const unsigned int arrays = 7;
	struct sim_config_space *space = calloc(1, sizeof(*space));
	size_t size = device->config_size > PCI_CFG_SPACE_SIZE ? (size_t)PCI_CFG_SPACE_EXP_SIZE
							       : (size_t)PCI_CFG_SPACE_SIZE;
	uint8_t *bytes = space ? calloc(arrays, size + SIM_CONFIG_MARGIN) : NULL;

	if (!bytes) {
		free(space);
		return NULL;
	}
	space->device = device;
	space->size = size;
	space->power_on = bytes;
	space->physical = space->power_on + size + SIM_CONFIG_MARGIN;
	space->saved = space->physical + size + SIM_CONFIG_MARGIN;
	space->emulated = space->saved + size + SIM_CONFIG_MARGIN;
	space->virtual_bits = space->emulated + size + SIM_CONFIG_MARGIN;
	space->writable_bits = space->virtual_bits + size + SIM_CONFIG_MARGIN;
	space->owner = space->writable_bits + size + SIM_CONFIG_MARGIN;
	if (device->config) {
		memcpy(space->power_on, device->config, MIN(size, device->config_size));
	} else {
		pci_config_make(device, false, space->power_on);
	}
	find_capabilities(space);
	sim_config_space_reset(space);
	return space;
}

struct sim_config_space *sim_config_space_free(struct sim_config_space *space)
{
	if (space) {
		free(space->power_on);
		free(space);
	}
	return NULL;
}

/* lifetime */

static void change_command(struct sim_config_space *space, uint16_t clear, uint16_t set)
{
	uint8_t *command = space->physical + PCI_COMMAND;

	config_put_16(command, (uint16_t)((config_get_16(command) & ~clear) | set));
}

/* pci_enable_device: what the function has resources for. */
static uint16_t find_decoders(const struct sim_device *device)
{
	uint16_t command = 0;

	for (unsigned int i = 0; i < BAR_COUNT; i++) {
		if (has_bar(device, i) && device->resource[i].flags & RESOURCE_IO) {
			command |= PCI_COMMAND_IO;
		}
		if (has_bar(device, i) && device->resource[i].flags & RESOURCE_MEMORY) {
			command |= PCI_COMMAND_MEMORY;
		}
	}
	return command;
}

void sim_config_space_open(struct sim_config_space *space)
{
	change_command(space, PCI_COMMAND_MASTER, find_decoders(space->device));
	memcpy(space->saved, space->physical, space->size);
	change_command(space, PCI_COMMAND_INTX_DISABLE, 0);
	memcpy(space->emulated, space->physical, space->size);
	space->intx_disabled = false;
	space->msi_enabled = false;
	space->msi_order = 0;
	space->power_state = 0;
	sim_config_permissions_build(space);
}

void sim_config_space_close(struct sim_config_space *space)
{
	memcpy(space->physical, space->saved, space->size);
	space->power_state = 0;
}

void sim_config_space_reset(struct sim_config_space *space)
{
	memcpy(space->physical, space->power_on, space->size);
	space->power_state = 0;
}

void sim_config_space_reenable(struct sim_config_space *space)
{
	change_command(space, 0, find_decoders(space->device));
}

/* one access, which has one owner and is 1, 2 or 4 bytes long */

struct part {
	size_t at;
	size_t count;
	size_t offset; /* from where its owner begins */
	uint32_t value;
};

static uint32_t get(const uint8_t *bytes, size_t count)
{
	uint32_t value = 0;

	for (size_t i = 0; i < count; i++) {
		value |= (uint32_t)bytes[i] << 8 * i;
	}
	return value;
}

static void put(uint8_t *bytes, size_t count, uint32_t value)
{
	for (size_t i = 0; i < count; i++) {
		bytes[i] = (uint8_t)(value >> 8 * i);
	}
}

/* vfio_config_do_rw cuts accesses so. */
static struct part cut(const struct sim_config_space *space, size_t at, size_t count)
{
	struct part part = {.at = at, .count = 1};
	size_t same = 1;
	size_t start = at;
	size_t base = at >= PCI_CFG_SPACE_SIZE ? (size_t)PCI_CFG_SPACE_SIZE
					       : (size_t)PCI_STD_HEADER_SIZEOF;

	while ((at + same) % 4 != 0 && at + same < space->size &&
	       space->owner[at + same] == space->owner[at]) {
		same++;
	}
	same = MIN(same, count);
	if (same >= 4 && at % 4 == 0) {
		part.count = 4;
	} else if (same >= 2 && at % 2 == 0) {
		part.count = 2;
	}
	if (at < PCI_STD_HEADER_SIZEOF) {
		start = 0;
	} else if (space->owner[at] != SIM_CONFIG_UNASSIGNED) {
		while (start > base && space->owner[start - 1] == space->owner[at]) {
			start--;
		}
	}
	part.offset = at - start;
	return part;
}

static bool is_bar(size_t at)
{
	return (at >= PCI_BASE_ADDRESS_0 && at < PCI_BASE_ADDRESS_5 + 4) ||
	       (at >= PCI_ROM_ADDRESS && at < PCI_ROM_ADDRESS + 4);
}

/* vfio_bar_fixup: virtual BARs keep no more bits than a real one of that size, which is how they
 * are sized. */
static void fix_bars(struct sim_config_space *space)
{
	const struct sim_device *device = space->device;
	uint8_t *rom = space->emulated + PCI_ROM_ADDRESS;

	for (unsigned int i = 0; i < BAR_COUNT; i++) {
		uint8_t *bar = space->emulated + PCI_BASE_ADDRESS_0 + (size_t)4 * i;
		const struct sim_resource *resource = &device->resource[i];
		uint64_t mask = ~(resource->end - resource->start);

		if (!has_bar(device, i)) {
			config_put_32(bar, 0);
			continue;
		}
		config_put_32(bar,
			      (config_get_32(bar) & (uint32_t)mask) | find_bar_flags(device, i));
		if (config_get_32(bar) & PCI_BASE_ADDRESS_MEM_TYPE_64 && i + 1 < BAR_COUNT) {
			i++;
			bar += 4;
			config_put_32(bar, config_get_32(bar) & (uint32_t)(mask >> 32));
		}
	}
	if (has_bar(device, ROM)) {
		uint64_t mask = ~(device->resource[ROM].end - device->resource[ROM].start);

		config_put_32(rom, config_get_32(rom) & ((uint32_t)mask | PCI_ROM_ADDRESS_ENABLE));
	} else {
		config_put_32(rom, 0);
	}
}

/* What the function's own registers read. */
static uint32_t read_physical(const struct sim_config_space *space, enum sim_config_reach reach,
			      const struct part *part)
{
	return reach == SIM_CONFIG_ANSWERS ? get(space->physical + part->at, part->count)
					   : UINT32_MAX;
}

/* Bits that are cleared by writing them. */
static bool is_cleared_by_ones(const struct sim_config_space *space, size_t at)
{
	return space->errors_at && ((at >= (size_t)space->errors_at + PCI_ERR_UNCOR_STATUS &&
				     at < (size_t)space->errors_at + PCI_ERR_UNCOR_MASK) ||
				    (at >= (size_t)space->errors_at + PCI_ERR_COR_STATUS &&
				     at < (size_t)space->errors_at + PCI_ERR_COR_MASK));
}

/* What the function itself lets be written of a byte, as the lab's devices do, when the kernel
 * passes it on: of device control the four error reports, of the header's fourth dword the cache
 * line. */
static uint8_t find_kept_byte(const struct sim_config_space *space, size_t at)
{
	const size_t control = space->express_at ? space->express_at + PCI_EXP_DEVCTL : 0;

	switch (at) {
	case PCI_COMMAND:
		return COMMAND_BITS & 0xff;
	case PCI_COMMAND + 1:
		return COMMAND_BITS >> 8;
	case PCI_LATENCY_TIMER:
	case PCI_HEADER_TYPE:
	case PCI_BIST:
		return 0;
	default:
		break;
	}
	if (control && at == control) {
		return PCI_EXP_DEVCTL_CERE | PCI_EXP_DEVCTL_NFERE | PCI_EXP_DEVCTL_FERE |
		       PCI_EXP_DEVCTL_URRE;
	}
	return control && at == control + 1 ? 0 : 0xff;
}

static uint32_t find_kept(const struct sim_config_space *space, const struct part *part)
{
	uint32_t kept = 0;

	for (size_t i = 0; i < part->count; i++) {
		kept |= (uint32_t)find_kept_byte(space, part->at + i) << i * 8;
	}
	return kept;
}

static void write_physical(struct sim_config_space *space, enum sim_config_reach reach,
			   const struct part *part, uint32_t bits)
{
	uint8_t *bytes = space->physical + part->at;
	uint32_t old = get(bytes, part->count);

	if (reach != SIM_CONFIG_ANSWERS) {
		return;
	}
	bits &= find_kept(space, part);
	if (is_cleared_by_ones(space, part->at)) {
		put(bytes, part->count, old & ~(part->value & bits));
	} else {
		put(bytes, part->count, (old & ~bits) | (part->value & bits));
	}
}

/* vfio_default_config_write. Returns 0 or -errno. */
static int write_bits(struct sim_config_space *space, enum sim_config_reach reach,
		      const struct part *part)
{
	uint32_t writable = get(space->writable_bits + part->at, part->count);
	uint32_t emulated = get(space->virtual_bits + part->at, part->count);
	uint8_t *copy = space->emulated + part->at;

	put(copy, part->count,
	    (get(copy, part->count) & ~(writable & emulated)) |
		    (part->value & writable & emulated));
	if (!(writable & ~emulated)) {
		return 0;
	}
	if (reach == SIM_CONFIG_BLOCKED) {
		return -ENODEV;
	}
	write_physical(space, reach, part, writable & ~emulated);
	return 0;
}

/* what a write does beyond */

/* vfio_basic_config_write */
static unsigned int handle_command(struct sim_config_space *space, const struct part *part)
{
	uint8_t *command = space->emulated + PCI_COMMAND;
	uint16_t decoders = PCI_COMMAND_MEMORY | PCI_COMMAND_IO;
	bool disabled;

	if (part->at == PCI_COMMAND) {
		config_put_16(command, (uint16_t)((config_get_16(command) & ~decoders) |
						  (part->value & decoders)));
	}
	disabled = config_get_16(command) & PCI_COMMAND_INTX_DISABLE;
	if (disabled == space->intx_disabled) {
		return 0;
	}
	space->intx_disabled = disabled;
	return disabled ? SIM_CONFIG_MASKS_INTX : SIM_CONFIG_UNMASKS_INTX;
}

/* vfio_msi_config_write: MSI is enabled by an ioctl alone. */
static void handle_msi(struct sim_config_space *space, const struct part *part)
{
	size_t at = part->at - part->offset + PCI_MSI_FLAGS;
	uint16_t flags = config_get_16(space->emulated + at);

	if (part->offset > PCI_MSI_FLAGS || part->offset + part->count < PCI_MSI_FLAGS) {
		return;
	}
	if (!space->msi_enabled) {
		flags &= (uint16_t)~PCI_MSI_FLAGS_ENABLE;
	}
	if ((unsigned int)(flags & PCI_MSI_FLAGS_QSIZE) >> 4 > space->msi_order) {
		flags = (uint16_t)((flags & ~(unsigned int)PCI_MSI_FLAGS_QSIZE) | space->msi_order
											  << 4);
	}
	config_put_16(space->emulated + at, flags);
	/* All other bits are the function's own. */
	config_put_16(space->physical + at,
		      (uint16_t)((config_get_16(space->physical + at) & ~MSI_FLAGS_WRITABLE) |
				 (flags & MSI_FLAGS_WRITABLE)));
}

/* vfio_pm_config_write */
static unsigned int handle_power(struct sim_config_space *space, const struct part *part)
{
	uint8_t *control = space->physical + part->at;
	unsigned int old = space->power_state;

	if (part->offset != PCI_PM_CTRL || space->stays_awake) {
		return 0;
	}
	space->power_state = part->value & PCI_PM_CTRL_STATE_MASK;
	config_put_16(control,
		      (uint16_t)((config_get_16(control) & ~(unsigned int)PCI_PM_CTRL_STATE_MASK) |
				 space->power_state));
	/* Waking resets the registers; config space is saved and restored around it. */
	return old == 3 && space->power_state == 0 &&
			       !(config_get_16(control) & PCI_PM_CTRL_NO_SOFT_RESET)
		       ? SIM_CONFIG_WAKES
		       : 0;
}

/* vfio_exp_config_write and vfio_af_config_write: the bit always reads as 0. */
static unsigned int handle_function_reset(struct sim_config_space *space, const struct part *part,
					  unsigned int owner)
{
	size_t start = part->at - part->offset;
	bool is_express = owner == PCI_CAP_ID_EXP;
	uint8_t *control = space->emulated + start + (is_express ? PCI_EXP_DEVCTL : PCI_AF_CTRL);
	const uint8_t *physical = space->physical + start;
	uint16_t value = is_express ? config_get_16(control) : *control;
	uint16_t bit = is_express ? PCI_EXP_DEVCTL_BCR_FLR : PCI_AF_CTRL_FLR;

	if (!(value & bit)) {
		return 0;
	}
	value = (uint16_t)(value & ~bit);
	put(control, is_express ? 2 : 1, value);
	if (is_express) {
		return config_get_32(physical + PCI_EXP_DEVCAP) & PCI_EXP_DEVCAP_FLR
			       ? SIM_CONFIG_RESETS
			       : 0;
	}
	return physical[PCI_AF_CAP] & PCI_AF_CAP_FLR && physical[PCI_AF_CAP] & PCI_AF_CAP_TP
		       ? SIM_CONFIG_RESETS
		       : 0;
}

static int write_part(struct sim_config_space *space, enum sim_config_reach reach,
		      const struct part *part, unsigned int *asks)
{
	unsigned int owner = space->owner[part->at];
	int r = write_bits(space, reach, part);

	if (r < 0) {
		return r;
	}
	if (part->at >= PCI_CFG_SPACE_SIZE) {
		return 0;
	}
	if (part->at >= PCI_COMMAND && part->at <= PCI_COMMAND + 1) {
		*asks |= handle_command(space, part);
	} else if (owner == PCI_CAP_ID_MSI) {
		handle_msi(space, part);
	} else if (owner == PCI_CAP_ID_PM) {
		*asks |= handle_power(space, part);
	} else if (owner == PCI_CAP_ID_EXP || owner == PCI_CAP_ID_AF) {
		*asks |= handle_function_reset(space, part, owner);
	}
	return 0;
}

/* vfio_default_config_read */
static int read_part(struct sim_config_space *space, enum sim_config_reach reach, struct part *part)
{
	uint32_t emulated = get(space->virtual_bits + part->at, part->count);
	uint32_t all = UINT32_MAX >> (32 - 8 * part->count);

	if (is_bar(part->at)) {
		fix_bars(space);
	}
	part->value = get(space->emulated + part->at, part->count) & emulated;
	if (emulated != all) {
		if (reach == SIM_CONFIG_BLOCKED) {
			return -ENODEV;
		}
		part->value |= read_physical(space, reach, part) & ~emulated & all;
	}
	return 0;
}

ssize_t sim_config_space_read(struct sim_config_space *space, enum sim_config_reach reach,
			      uint64_t offset, void *data, size_t size)
{
	uint8_t *bytes = data;

	if (offset >= space->size || size > space->size - offset) {
		return -EFAULT;
	}
	for (size_t done = 0; done < size;) {
		struct part part = cut(space, (size_t)offset + done, size - done);
		int r = read_part(space, reach, &part);

		if (r < 0) {
			return r;
		}
		put(bytes + done, part.count, part.value);
		done += part.count;
	}
	return (ssize_t)size;
}

ssize_t sim_config_space_write(struct sim_config_space *space, enum sim_config_reach reach,
			       uint64_t offset, const void *data, size_t size,
			       unsigned int *ret_asks)
{
	const uint8_t *bytes = data;

	*ret_asks = 0;
	if (offset >= space->size || size > space->size - offset) {
		return -EFAULT;
	}
	for (size_t done = 0; done < size;) {
		struct part part = cut(space, (size_t)offset + done, size - done);
		int r;

		part.value = get(bytes + done, part.count);
		r = write_part(space, reach, &part, ret_asks);
		if (r < 0) {
			return r;
		}
		done += part.count;
	}
	return (ssize_t)size;
}

/* interrupts */

unsigned int sim_config_space_count_irqs(const struct sim_config_space *space, unsigned int index)
{
	/* Whatever a program writes, they stay as many: arrays are made for them. */
	const uint8_t *bytes = space->power_on;

	switch (index) {
	case VFIO_PCI_INTX_IRQ_INDEX:
		return bytes[PCI_INTERRUPT_PIN] && !sim_config_hides_intx(space->device);
	case VFIO_PCI_MSI_IRQ_INDEX:
		return space->msi_at
			       ? 1U << ((config_get_16(bytes + space->msi_at + PCI_MSI_FLAGS) &
					 PCI_MSI_FLAGS_QMASK) >>
					1)
			       : 0;
	case VFIO_PCI_MSIX_IRQ_INDEX:
		return space->msix_at ? (config_get_16(bytes + space->msix_at + PCI_MSIX_FLAGS) &
					 PCI_MSIX_FLAGS_QSIZE) +
						1U
				      : 0;
	case VFIO_PCI_ERR_IRQ_INDEX:
		return space->express_at != 0;
	case VFIO_PCI_REQ_IRQ_INDEX:
		return 1;
	default:
		return 0;
	}
}

void sim_config_space_enable_messages(struct sim_config_space *space, unsigned int index,
				      unsigned int count)
{
	bool is_msi = index == VFIO_PCI_MSI_IRQ_INDEX;
	uint16_t bit = is_msi ? PCI_MSI_FLAGS_ENABLE : PCI_MSIX_FLAGS_ENABLE;
	uint8_t *flags = space->physical + (is_msi ? (size_t)space->msi_at + PCI_MSI_FLAGS
						   : (size_t)space->msix_at + PCI_MSIX_FLAGS);

	config_put_16(flags, (uint16_t)((config_get_16(flags) & ~bit) | (count > 0 ? bit : 0)));
	if (is_msi) {
		space->msi_enabled = count > 0;
		/* As many bits as the messages need (vfio_msi_enable). */
		for (space->msi_order = 0; count > 1U << space->msi_order;) {
			space->msi_order++;
		}
	}
}

bool sim_config_space_sends(const struct sim_config_space *space, unsigned int index)
{
	bool is_msi = index == VFIO_PCI_MSI_IRQ_INDEX;
	size_t at = is_msi ? space->msi_at : space->msix_at;
	uint16_t bit = is_msi ? PCI_MSI_FLAGS_ENABLE : PCI_MSIX_FLAGS_ENABLE;

	return at != 0 && config_get_16(space->physical + at + PCI_MSI_FLAGS) & bit;
}

void sim_config_space_set_pending(struct sim_config_space *space, bool pending)
{
	if (pending) {
		space->physical[PCI_STATUS] |= PCI_STATUS_INTERRUPT;
	} else {
		space->physical[PCI_STATUS] &= (uint8_t)~PCI_STATUS_INTERRUPT;
	}
}

/* state */

bool sim_config_space_has_memory(const struct sim_config_space *space)
{
	return space->power_state < 3 &&
	       config_get_16(space->emulated + PCI_COMMAND) & PCI_COMMAND_MEMORY;
}

bool sim_config_space_decodes(const struct sim_config_space *space)
{
	return space->power_state == 0 &&
	       config_get_16(space->physical + PCI_COMMAND) & PCI_COMMAND_MEMORY;
}

bool sim_config_space_masters_bus(const struct sim_config_space *space)
{
	return space->power_state == 0 &&
	       config_get_16(space->physical + PCI_COMMAND) & PCI_COMMAND_MASTER;
}

bool sim_config_space_find_msix_table(const struct sim_config_space *space, unsigned int *ret_bar,
				      uint64_t *ret_offset, uint64_t *ret_size)
{
	const uint8_t *bytes = space->power_on + space->msix_at;
	uint32_t table = config_get_32(bytes + PCI_MSIX_TABLE);

	if (!space->msix_at) {
		return false;
	}
	*ret_bar = table & PCI_MSIX_TABLE_BIR;
	*ret_offset = table & PCI_MSIX_TABLE_OFFSET;
	*ret_size = ((config_get_16(bytes + PCI_MSIX_FLAGS) & PCI_MSIX_FLAGS_QSIZE) + 1U) *
		    (uint64_t)MSIX_ENTRY_SIZE;
	return true;
}
