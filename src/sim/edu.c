/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The registers of QEMU's educational device (hw/misc/edu.c): it does DMA on command.
 *
 * They have the byte order of the emulated machine: big-endian on POWER, so that a little-endian
 * program reads 0xed000001 as identification. What isn't a register reads as all ones, as does an
 * access of a size that the register doesn't have; the 4096 bytes at 0x40000 are addresses that
 * only its own DMA knows. The 100 ms that a transfer takes there are none here.
 *
 * In what a program has mapped, registers from 0x80 on are 8 bytes wide, and writes are seen as a
 * change: writing what is there already does nothing. Raising and acknowledging an interrupt
 * are registers that can't be read, so that they show ones again when they have been seen.
 */
#include <endian.h>
#include <string.h>

#include "sim/function.h"

#define EDU_IDENTIFICATION 0x00U
#define EDU_LIVENESS       0x04U
#define EDU_FACTORIAL      0x08U
#define EDU_STATUS         0x20U
#define EDU_INTERRUPTS     0x24U
#define EDU_RAISE          0x60U
#define EDU_ACKNOWLEDGE    0x64U
#define EDU_SOURCE         0x80U
#define EDU_DESTINATION    0x88U
#define EDU_COUNT          0x90U
#define EDU_COMMAND        0x98U

#define EDU_ID                 0x010000edU
#define EDU_STATUS_INTERRUPTS  0x80U /* when the factorial is there */
#define EDU_FACTORIAL_DONE     0x00000001U
#define EDU_TRANSFER_DONE      0x00000100U
#define EDU_RUN                1U
#define EDU_TO_MEMORY          2U
#define EDU_INTERRUPT_WHEN_RUN 4U
#define EDU_BUFFER             0x40000U
#define EDU_BUFFER_SIZE        4096U

#define SHOWN_SIZE 0xa0U /* up to where there are registers */

struct edu {
	uint32_t liveness;
	uint32_t factorial;
	uint32_t status;
	uint32_t interrupts;
	uint64_t source;
	uint64_t destination;
	uint64_t count;
	uint64_t command;
	uint8_t buffer[EDU_BUFFER_SIZE];
	uint8_t shown[SHOWN_SIZE]; /* what programs that have mapped them see */
};

struct edu_register {
	uint32_t offset;
	uint32_t size; /* in the file */
};

/* A transfer begins last, when the others have been seen. */
static const struct edu_register shown_registers[] = {
	{EDU_IDENTIFICATION, 4}, {EDU_LIVENESS, 4}, {EDU_FACTORIAL, 4},   {EDU_STATUS, 4},
	{EDU_INTERRUPTS, 4},     {EDU_RAISE, 4},    {EDU_ACKNOWLEDGE, 4}, {EDU_SOURCE, 8},
	{EDU_DESTINATION, 8},    {EDU_COUNT, 8},    {EDU_COMMAND, 8},
};

#define REGISTER_COUNT (sizeof(shown_registers) / sizeof(shown_registers[0]))

/* byte order */

static bool is_big_endian(const struct sim_function *function)
{
	return function->model->host->platform != SIM_TYPE1;
}

static uint64_t decode(const struct sim_function *function, const void *data, size_t size)
{
	bool big = is_big_endian(function);
	uint32_t half;
	uint64_t whole;

	if (size == sizeof(half)) {
		memcpy(&half, data, sizeof(half));
		return big ? be32toh(half) : le32toh(half);
	}
	memcpy(&whole, data, sizeof(whole));
	return big ? be64toh(whole) : le64toh(whole);
}

static void encode(const struct sim_function *function, uint64_t value, void *data, size_t size)
{
	bool big = is_big_endian(function);
	uint32_t half = big ? htobe32((uint32_t)value) : htole32((uint32_t)value);
	uint64_t whole = big ? htobe64(value) : htole64(value);

	memcpy(data, size == sizeof(half) ? (void *)&half : (void *)&whole, size);
}

/* interrupts */

static void raise_interrupts(struct sim_function *function, struct edu *edu, uint32_t which)
{
	edu->interrupts |= which;
	if (!edu->interrupts) {
		return;
	}
	if (sim_interrupts_has_messages(function)) {
		sim_interrupts_send(function, 0);
	} else {
		sim_interrupts_set_line(function, true);
	}
}

static void acknowledge(struct sim_function *function, struct edu *edu, uint32_t which)
{
	edu->interrupts &= ~which;
	if (!edu->interrupts && !sim_interrupts_has_messages(function)) {
		sim_interrupts_set_line(function, false);
	}
}

/* work */

/* In 32 bits, as the device has it: 0 from 34 on. */
static uint32_t factorial(uint32_t of)
{
	uint32_t result = 1;

	while (of > 0 && result != 0) {
		result *= of--;
	}
	return result;
}

/* Where an address of the device's own lies in its buffer; NULL for a transfer that doesn't fit. */
static uint8_t *find_in_buffer(struct edu *edu, uint64_t address)
{
	return address >= EDU_BUFFER && edu->count <= EDU_BUFFER_SIZE &&
			       address - EDU_BUFFER <= EDU_BUFFER_SIZE - edu->count
		       ? edu->buffer + (address - EDU_BUFFER)
		       : NULL;
}

/* DMA that is blocked, by the IOMMU or without bus mastering, tells the device nothing: the command
 * ends all the same. */
static void transfer(struct sim_function *function, struct edu *edu)
{
	bool to_memory = edu->command & EDU_TO_MEMORY;
	uint8_t *buffer = find_in_buffer(edu, to_memory ? edu->source : edu->destination);
	struct error error;

	if (!buffer || edu->count == 0 || !sim_config_space_masters_bus(function->config)) {
		return;
	}
	if (to_memory) {
		(void)sim_model_dma_write(function->model, function->device->name, edu->destination,
					  buffer, (uint32_t)edu->count, &error);
	} else {
		(void)sim_model_dma_read(function->model, function->device->name, edu->source,
					 buffer, (uint32_t)edu->count, &error);
	}
}

static void run(struct sim_function *function, struct edu *edu, uint64_t command)
{
	edu->command = command;
	transfer(function, edu);
	edu->command &= ~(uint64_t)EDU_RUN;
	if (edu->command & EDU_INTERRUPT_WHEN_RUN) {
		raise_interrupts(function, edu, EDU_TRANSFER_DONE);
	}
}

/* registers */

static uint64_t get_register(const struct edu *edu, uint64_t offset)
{
	switch (offset) {
	case EDU_IDENTIFICATION:
		return EDU_ID;
	case EDU_LIVENESS:
		return edu->liveness;
	case EDU_FACTORIAL:
		return edu->factorial;
	case EDU_STATUS:
		return edu->status;
	case EDU_INTERRUPTS:
		return edu->interrupts;
	case EDU_SOURCE:
		return edu->source;
	case EDU_DESTINATION:
		return edu->destination;
	case EDU_COUNT:
		return edu->count;
	case EDU_COMMAND:
		return edu->command;
	default:
		return UINT64_MAX;
	}
}

static void set_register(struct sim_function *function, struct edu *edu, uint64_t offset,
			 uint64_t value)
{
	switch (offset) {
	case EDU_LIVENESS:
		edu->liveness = ~(uint32_t)value;
		break;
	case EDU_FACTORIAL:
		edu->factorial = factorial((uint32_t)value);
		if (edu->status & EDU_STATUS_INTERRUPTS) {
			raise_interrupts(function, edu, EDU_FACTORIAL_DONE);
		}
		break;
	case EDU_STATUS:
		edu->status = (uint32_t)value & EDU_STATUS_INTERRUPTS;
		break;
	case EDU_RAISE:
		raise_interrupts(function, edu, (uint32_t)value);
		break;
	case EDU_ACKNOWLEDGE:
		acknowledge(function, edu, (uint32_t)value);
		break;
	case EDU_SOURCE:
		edu->source = value;
		break;
	case EDU_DESTINATION:
		edu->destination = value;
		break;
	case EDU_COUNT:
		edu->count = value;
		break;
	case EDU_COMMAND:
		if (value & EDU_RUN) {
			run(function, edu, value);
		}
		break;
	default:
		break;
	}
}

static bool is_width(uint64_t offset, size_t size)
{
	return size == 4 || (size == 8 && offset >= EDU_SOURCE);
}

/* Show a register, where it isn't shown so already. */
static void show(struct sim_function *function, struct edu *edu, const struct edu_register *shown)
{
	uint8_t bytes[8];

	encode(function, get_register(edu, shown->offset), bytes, shown->size);
	if (memcmp(edu->shown + shown->offset, bytes, shown->size) != 0) {
		memcpy(edu->shown + shown->offset, bytes, shown->size);
		sim_registers_store(function, 0, shown->offset, bytes, shown->size);
	}
}

static void show_all(struct sim_function *function, struct edu *edu)
{
	for (size_t i = 0; i < REGISTER_COUNT; i++) {
		show(function, edu, &shown_registers[i]);
	}
}

static void edu_read(struct sim_function *function, void *state, uint64_t offset, void *data,
		     size_t size)
{
	if (is_width(offset, size)) {
		encode(function, get_register(state, offset), data, size);
	} else {
		memset(data, 0xff, size);
	}
}

static void edu_write(struct sim_function *function, void *state, uint64_t offset, const void *data,
		      size_t size)
{
	if (is_width(offset, size)) {
		set_register(function, state, offset, decode(function, data, size));
		show_all(function, state);
	}
}

static void edu_reset(struct sim_function *function, void *state)
{
	/* No reset that a bus knows touches its registers: they are 0 from power-on. */
	(void)state;
	sim_interrupts_set_line(function, false);
}

static void edu_present(struct sim_function *function, void *state)
{
	uint64_t size = sim_registers_size(function->device, 0);
	struct edu *edu = state;
	uint8_t ones[4096];

	memset(ones, 0xff, sizeof(ones));
	for (uint64_t at = 0; at < size; at += sizeof(ones)) {
		sim_registers_store(function, 0, at, ones,
				    size - at < sizeof(ones) ? (size_t)(size - at) : sizeof(ones));
	}
	memset(edu->shown, 0xff, sizeof(edu->shown));
	show_all(function, edu);
}

static void edu_look(struct sim_function *function, void *state)
{
	struct edu *edu = state;
	uint8_t bytes[SHOWN_SIZE];
	uint8_t command[8];
	uint8_t before[SHOWN_SIZE];

	/* The command first: what came before it is there then. */
	sim_registers_load(function, 0, EDU_COMMAND, command, sizeof(command));
	sim_registers_load(function, 0, 0, bytes, sizeof(bytes));
	memcpy(bytes + EDU_COMMAND, command, sizeof(command));
	memcpy(before, edu->shown, sizeof(before));
	for (size_t i = 0; i < REGISTER_COUNT; i++) {
		const struct edu_register *shown = &shown_registers[i];
		const uint8_t *now = bytes + shown->offset;

		if (memcmp(before + shown->offset, now, shown->size) != 0) {
			memcpy(edu->shown + shown->offset, now, shown->size);
			set_register(function, edu, shown->offset,
				     decode(function, now, shown->size));
		}
	}
	if (memcmp(before, bytes, sizeof(before)) != 0) {
		show_all(function, edu);
	}
}

const struct sim_behaviour sim_behaviour_edu = {
	.vendor = 0x1234,
	.device = 0x11e8,
	.state_size = sizeof(struct edu),
	.reset = edu_reset,
	.read = edu_read,
	.write = edu_write,
	.present = edu_present,
	.look = edu_look,
};
