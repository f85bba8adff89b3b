/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "eeh/snapshot.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "eeh/capability.h"
#include "eeh/msix_table.h"
#include "vfio/irq.h"

/* Of the command register all that a program can set; the rest is of times before PCI Express. */
#define COMMAND_KEPT                                                           \
	((uint32_t)(PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | \
		    PCI_COMMAND_PARITY | PCI_COMMAND_SERR | PCI_COMMAND_INTX_DISABLE))
#define COMMAND_DECODES ((uint32_t)(PCI_COMMAND_IO | PCI_COMMAND_MEMORY))

/*
 * What vfio-pci lets a program write (init_pci_cap_exp_perm, init_pci_ext_cap_err_perm): all else
 * would read otherwise afterwards. Link control is not among it; MSI and MSI-X are enabled by
 * VFIO_DEVICE_SET_IRQS alone. Bit 15 of device control resets the function.
 */
#define DEVICE_CONTROL_KEPT \
	((uint32_t) ~(unsigned int)(PCI_EXP_DEVCTL_PHANTOM | PCI_EXP_DEVCTL_BCR_FLR) & 0xffffU)
#define DEVICE_CONTROL_2_KEPT ((uint32_t) ~(unsigned int)PCI_EXP_DEVCTL2_ARI & 0xffffU)
#define UNCORRECTABLE_KEPT    UINT32_C(0x03fff031)
#define CORRECTABLE_KEPT      UINT32_C(0x0000f1c1)
#define ECRC_KEPT             ((uint32_t)(PCI_ERR_CAP_ECRC_GENE | PCI_ERR_CAP_ECRC_CHKE))

#define BARS          6U
#define REGISTERS_MAX 24U
#define AT_WAKE       0U /* D0 */

_Static_assert(WORKER_CONFIG_SIZE == PCI_CFG_SPACE_SIZE, "the part that every PCI device has");

struct snapshot {
	uint8_t config[WORKER_CONFIG_SIZE];
	uint32_t aer_offset; /* 0: it has none */
	uint8_t aer[WORKER_AER_SIZE];
	struct msix_place table;
	struct msix_entry *entries; /* owned; NULL: none were read */
};

/* A register with what it was. */
struct kept {
	const char *name;
	uint32_t at;
	uint32_t size; /* 1, 2 or 4 */
	uint32_t mask; /* the bits that are put back */
	uint32_t value;
};

struct kept_list {
	struct kept kept[REGISTERS_MAX];
	size_t count;
};

struct snapshot *snapshot_free(struct snapshot *snapshot)
{
	if (snapshot) {
		free(snapshot->entries);
		free(snapshot);
	}
	return NULL;
}

static void cleanup_snapshot(struct snapshot **snapshot)
{
	(void)snapshot_free(*snapshot);
}

static uint32_t get(const uint8_t *bytes, size_t size)
{
	uint32_t value = 0;

	for (size_t i = 0; i < size; i++) {
		value |= (uint32_t)bytes[i] << 8 * i;
	}
	return value;
}

static void put(uint8_t *bytes, size_t size, uint32_t value)
{
	for (size_t i = 0; i < size; i++) {
		bytes[i] = (uint8_t)(value >> 8 * i);
	}
}

/* one register */

static int read_register(const struct device *device, uint32_t at, size_t size, uint32_t *ret_value)
{
	uint8_t bytes[sizeof(*ret_value)] = {0};
	int r = device_read_config(device, at, bytes, size);

	if (r < 0) {
		return r;
	}
	*ret_value = get(bytes, size);
	return 0;
}

static int write_register(const struct device *device, uint32_t at, size_t size, uint32_t value)
{
	uint8_t bytes[sizeof(value)];

	put(bytes, size, value);
	return device_write_config(device, at, bytes, size);
}

static int fail(const struct device *device, const struct kept *kept, int r, const char *what,
		struct error *error)
{
	return error_set(error, ERROR_KERNEL, -r, "%s %s (0x%" PRIx32 ") of device %s", what,
			 kept->name, kept->at, device->name);
}

/* Write the bits that are otherwise, if any are. */
static int put_back(const struct device *device, const struct kept *kept, struct error *error)
{
	uint32_t value = 0;
	int r = read_register(device, kept->at, kept->size, &value);

	if (r < 0) {
		return fail(device, kept, r, "read", error);
	}
	if (((value ^ kept->value) & kept->mask) == 0) {
		return 0;
	}
	value = (value & ~kept->mask) | (kept->value & kept->mask);
	r = write_register(device, kept->at, kept->size, value);
	return r < 0 ? fail(device, kept, r, "write", error) : 0;
}

static int check(const struct device *device, const struct kept *kept, struct error *error)
{
	uint32_t value = 0;
	int r = read_register(device, kept->at, kept->size, &value);

	if (r < 0) {
		return fail(device, kept, r, "read", error);
	}
	if (((value ^ kept->value) & kept->mask) == 0) {
		return 0;
	}
	return error_set(error, ERROR_KERNEL, 0,
			 "%s (0x%" PRIx32 ") of device %s reads 0x%" PRIx32 " where 0x%" PRIx32
			 " was put back; reset the PE again",
			 kept->name, kept->at, device->name, value & kept->mask,
			 kept->value & kept->mask);
}

/* which registers */

static void keep(struct kept_list *list, const char *name, size_t at, const uint8_t *bytes,
		 uint32_t size, uint32_t mask)
{
	list->kept[list->count++] = (struct kept){
		.name = name,
		.at = (uint32_t)at,
		.size = size,
		.mask = mask,
		.value = get(bytes, size),
	};
}

/* BARs are vfio-pci's own copy, which a reset doesn't touch; the kernel puts back the real ones. */
static void keep_header(const struct snapshot *snapshot, struct kept_list *list)
{
	static const char *const bars[BARS] = {"BAR 0", "BAR 1", "BAR 2",
					       "BAR 3", "BAR 4", "BAR 5"};
	const uint8_t *config = snapshot->config;

	keep(list, "cache line size", PCI_CACHE_LINE_SIZE, config + PCI_CACHE_LINE_SIZE, 1,
	     UINT8_MAX);
	keep(list, "latency timer", PCI_LATENCY_TIMER, config + PCI_LATENCY_TIMER, 1, UINT8_MAX);
	keep(list, "interrupt line", PCI_INTERRUPT_LINE, config + PCI_INTERRUPT_LINE, 1, UINT8_MAX);
	if ((config[PCI_HEADER_TYPE] & PCI_HEADER_TYPE_MASK) != PCI_HEADER_TYPE_NORMAL) {
		return;
	}
	for (size_t i = 0; i < BARS; i++) {
		size_t at = PCI_BASE_ADDRESS_0 + i * sizeof(uint32_t);

		keep(list, bars[i], at, config + at, sizeof(uint32_t), UINT32_MAX);
	}
	keep(list, "ROM address", PCI_ROM_ADDRESS, config + PCI_ROM_ADDRESS, sizeof(uint32_t),
	     UINT32_MAX);
}

static void keep_express(const struct snapshot *snapshot, struct kept_list *list)
{
	const uint8_t *config = snapshot->config;
	size_t at = capability_find(config, PCI_CAP_ID_EXP, PCI_EXP_DEVCTL + sizeof(uint16_t));

	if (at == 0) {
		return;
	}
	keep(list, "device control", at + PCI_EXP_DEVCTL, config + at + PCI_EXP_DEVCTL,
	     sizeof(uint16_t), DEVICE_CONTROL_KEPT);
	if ((config[at + PCI_EXP_FLAGS] & PCI_EXP_FLAGS_VERS) >= 2 &&
	    at + PCI_EXP_DEVCTL2 + sizeof(uint16_t) <= WORKER_CONFIG_SIZE) {
		keep(list, "device control 2", at + PCI_EXP_DEVCTL2, config + at + PCI_EXP_DEVCTL2,
		     sizeof(uint16_t), DEVICE_CONTROL_2_KEPT);
	}
}

static void keep_errors(const struct snapshot *snapshot, struct kept_list *list)
{
	static const struct {
		const char *name;
		uint32_t at;
		uint32_t mask;
	} registers[] = {
		{"uncorrectable error mask", PCI_ERR_UNCOR_MASK, UNCORRECTABLE_KEPT},
		{"uncorrectable error severity", PCI_ERR_UNCOR_SEVER, UNCORRECTABLE_KEPT},
		{"correctable error mask", PCI_ERR_COR_MASK, CORRECTABLE_KEPT},
		{"error capabilities and control", PCI_ERR_CAP, ECRC_KEPT},
	};

	for (size_t i = 0; snapshot->aer_offset && i < sizeof(registers) / sizeof(*registers);
	     i++) {
		keep(list, registers[i].name, snapshot->aer_offset + registers[i].at,
		     snapshot->aer + registers[i].at, sizeof(uint32_t), registers[i].mask);
	}
}

static struct kept command_of(const struct snapshot *snapshot)
{
	return (struct kept){
		.name = "command",
		.at = PCI_COMMAND,
		.size = sizeof(uint16_t),
		.mask = COMMAND_KEPT,
		.value = get(snapshot->config + PCI_COMMAND, sizeof(uint16_t)),
	};
}

/* taking */

/* An error of the kernel's, and ones from anywhere on, mean the same: there is no answer. */
static bool read_registers(const struct device *device, struct snapshot *snapshot)
{
	if (device_read_config(device, 0, snapshot->config, sizeof(snapshot->config)) < 0) {
		return false;
	}
	snapshot->aer_offset =
		capability_find_extended(device, PCI_EXT_CAP_ID_ERR, sizeof(snapshot->aer));
	if (snapshot->aer_offset && device_read_config(device, snapshot->aer_offset, snapshot->aer,
						       sizeof(snapshot->aer)) < 0) {
		return false;
	}
	return device_answers(device);
}

static bool has_memory(const uint8_t *config)
{
	return config[PCI_COMMAND] & PCI_COMMAND_MEMORY;
}

/* 0, or -ENOMEM. Without decoding the table is out of reach. */
static int read_table(const struct device *device, struct snapshot *snapshot)
{
	if (!msix_table_find(snapshot->config, &snapshot->table) || !has_memory(snapshot->config)) {
		return 0;
	}
	snapshot->entries = calloc(snapshot->table.entries, sizeof(*snapshot->entries));
	if (!snapshot->entries) {
		return -ENOMEM;
	}
	if (msix_table_read(device, &snapshot->table, snapshot->entries) < 0) {
		free(snapshot->entries);
		snapshot->entries = NULL;
	}
	return 0;
}

static void describe(const struct snapshot *snapshot, struct worker_registers *registers)
{
	registers->config_size = sizeof(snapshot->config);
	memcpy(registers->config, snapshot->config, sizeof(snapshot->config));
	if (snapshot->aer_offset) {
		registers->aer_offset = snapshot->aer_offset;
		registers->aer_size = sizeof(snapshot->aer);
		memcpy(registers->aer, snapshot->aer, sizeof(snapshot->aer));
	}
	registers->msix_entries = snapshot->entries ? snapshot->table.entries : 0;
}

/* A table that didn't answer now: the earlier one is still the best that is known. */
static void inherit_table(struct snapshot *snapshot, struct snapshot *earlier)
{
	if (!snapshot->entries && earlier && earlier->entries) {
		snapshot->table = earlier->table;
		snapshot->entries = steal_pointer(earlier->entries);
	}
}

int snapshot_take(struct device *device, struct worker_registers *ret_registers,
		  struct error *error)
{
	cleanup(cleanup_snapshot) struct snapshot *snapshot = calloc(1, sizeof(*snapshot));
	struct worker_registers registers = {.config_size = 0};

	if (!snapshot) {
		return error_set(error, ERROR_KERNEL, ENOMEM,
				 "no memory for the registers of device %s", device->name);
	}
	memcpy(registers.name, device->name, sizeof(registers.name));
	if (read_registers(device, snapshot)) {
		if (read_table(device, snapshot) < 0) {
			return error_set(error, ERROR_KERNEL, ENOMEM,
					 "no memory for the MSI-X table of device %s",
					 device->name);
		}
		describe(snapshot, &registers);
		inherit_table(snapshot, device->snapshot);
		(void)snapshot_free(device->snapshot);
		device->snapshot = steal_pointer(snapshot);
		device->free_snapshot = snapshot_free;
	}
	*ret_registers = registers;
	return 0;
}

/* putting back */

/* The power state, where the device has the capability. */
static bool find_power(const struct snapshot *snapshot, struct kept *ret_state)
{
	size_t at = capability_find(snapshot->config, PCI_CAP_ID_PM, PCI_PM_SIZEOF);

	if (at == 0) {
		return false;
	}
	*ret_state = (struct kept){
		.name = "power state",
		.at = (uint32_t)(at + PCI_PM_CTRL),
		.size = sizeof(uint16_t),
		.mask = PCI_PM_CTRL_STATE_MASK,
		.value = get(snapshot->config + at + PCI_PM_CTRL, sizeof(uint16_t)),
	};
	return true;
}

/* D1 and D2 are for devices that have them; a change to another state is no valid one. */
static bool is_legal(const struct snapshot *snapshot, const struct kept *state)
{
	uint32_t capabilities =
		get(snapshot->config + state->at - PCI_PM_CTRL + PCI_PM_PMC, sizeof(uint16_t));

	switch (state->value & PCI_PM_CTRL_STATE_MASK) {
	case 1:
		return capabilities & PCI_PM_CAP_D1;
	case 2:
		return capabilities & PCI_PM_CAP_D2;
	default:
		return true;
	}
}

/* Registers are only kept by a device that is awake. */
static int wake(const struct device *device, const struct snapshot *snapshot, struct error *error)
{
	struct kept state;

	if (!find_power(snapshot, &state)) {
		return 0;
	}
	state.value = AT_WAKE;
	return put_back(device, &state, error);
}

/* Not read again: not every host changes power states (pci_set_power_state with EEH's reset behind
 * its back believes that nothing is to be done). */
static int sleep_again(const struct device *device, const struct snapshot *snapshot,
		       struct error *error)
{
	struct kept state;

	if (!find_power(snapshot, &state) || !is_legal(snapshot, &state)) {
		return 0;
	}
	return put_back(device, &state, error);
}

/* A reset switches MSI-X off. Where it is on again the kernel has written the table for who did
 * that (vfio_msi_set_vector_signal), and ours has addresses of interrupts that are gone. 1: it is
 * on. */
static int has_newer_table(const struct device *device, const struct snapshot *snapshot,
			   struct error *error)
{
	struct kept control = {.name = "MSI-X control", .size = sizeof(uint16_t)};
	size_t at = capability_find(snapshot->config, PCI_CAP_ID_MSIX, PCI_CAP_MSIX_SIZEOF);
	int r;

	if (at == 0) {
		return 0;
	}
	control.at = (uint32_t)(at + PCI_MSIX_FLAGS);
	r = read_register(device, control.at, control.size, &control.value);
	if (r < 0) {
		(void)fail(device, &control, r, "read", error);
		return r;
	}
	return control.value & PCI_MSIX_FLAGS_ENABLE ? 1 : 0;
}

static int write_table(const struct device *device, const struct snapshot *snapshot,
		       struct error *error)
{
	struct kept decodes = command_of(snapshot);
	uint32_t wrong = 0;
	int r;

	decodes.mask = COMMAND_DECODES;
	r = put_back(device, &decodes, error);
	if (r) {
		return r;
	}
	r = msix_table_write(device, &snapshot->table, snapshot->entries, &wrong);
	if (r == -EBADMSG) {
		return error_set(error, ERROR_KERNEL, 0,
				 "entry %" PRIu32 " of the MSI-X table of device %s does not keep "
				 "what was put back; reset the PE again",
				 wrong, device->name);
	}
	return r < 0 ? error_set(error, ERROR_KERNEL, -r,
				 "write the MSI-X table (BAR %u, 0x%" PRIx64 ") of device %s",
				 snapshot->table.bar, snapshot->table.offset, device->name)
		     : 0;
}

static int put_back_table(const struct device *device, const struct snapshot *snapshot,
			  struct error *error)
{
	int r;

	if (!snapshot->entries || !has_memory(snapshot->config)) {
		return 0;
	}
	r = has_newer_table(device, snapshot, error);
	if (r < 0) {
		return ERROR_KERNEL;
	}
	return r > 0 ? 0 : write_table(device, snapshot, error);
}

/* Before the kernel writes the MSI-X table: kernels before 5.9 don't look whether they can. */
static int decode_memory(const struct device *device, const struct snapshot *snapshot,
			 struct error *error)
{
	struct kept decodes = command_of(snapshot);

	decodes.mask = PCI_COMMAND_MEMORY;
	decodes.value = PCI_COMMAND_MEMORY;
	return put_back(device, &decodes, error);
}

/* The kernel writes the table of messages that are wired here, with addresses of its own. */
static int put_back_interrupts(struct device *device, const struct snapshot *snapshot,
			       struct error *error)
{
	int r = irq_is_wired(device, VFIO_PCI_MSIX_IRQ_INDEX)
			? decode_memory(device, snapshot, error)
			: put_back_table(device, snapshot, error);

	return r ? r : device_rewire(device, error);
}

static int put_back_all(const struct device *device, const struct kept_list *list,
			int (*one)(const struct device *device, const struct kept *kept,
				   struct error *error),
			struct error *error)
{
	for (size_t i = 0; i < list->count; i++) {
		int r = one(device, &list->kept[i], error);

		if (r) {
			return r;
		}
	}
	return 0;
}

/* All but the command register, by which the device begins to work. */
static int prepare(struct device *device, const struct snapshot *snapshot,
		   const struct kept_list *list, struct error *error)
{
	int r = wake(device, snapshot, error);

	if (r == 0) {
		r = put_back_all(device, list, put_back, error);
	}
	if (r == 0) {
		r = put_back_interrupts(device, snapshot, error);
	}
	return r ? r : put_back_all(device, list, check, error);
}

int snapshot_restore(struct device *device, struct error *error)
{
	const struct snapshot *snapshot = device->snapshot;
	struct kept_list list = {.count = 0};
	struct kept command;
	int r;

	if (!snapshot) {
		return device_rewire(device, error);
	}
	if (!device_answers(device)) {
		return error_set(error, ERROR_KERNEL, 0,
				 "device %s does not answer; reset its PE again", device->name);
	}
	keep_header(snapshot, &list);
	keep_express(snapshot, &list);
	keep_errors(snapshot, &list);
	command = command_of(snapshot);
	r = prepare(device, snapshot, &list, error);
	if (r == 0) {
		r = put_back(device, &command, error);
	}
	if (r == 0) {
		r = check(device, &command, error);
	}
	return r ? r : sleep_again(device, snapshot, error);
}

int snapshot_isolate(struct device *device, struct error *error)
{
	const struct kept off = {
		.name = "command",
		.at = PCI_COMMAND,
		.size = sizeof(uint16_t),
		.mask = PCI_COMMAND_MASTER,
		.value = 0,
	};
	int r;

	if (!device_answers(device)) {
		return 0;
	}
	r = put_back(device, &off, error);
	return r ? r : check(device, &off, error);
}
