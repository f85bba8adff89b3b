/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The few registers of an e1000e network card that a program looks at to see that it is one:
 * control and status, and the bit that resets it. All else is memory.
 */
#include <endian.h>
#include <string.h>

#include "sim/function.h"

#define E1000E_CONTROL       0x00U
#define E1000E_STATUS        0x08U
#define E1000E_CONTROL_RESET 0x04000000U

/* As an emulated card has them after a reset: full duplex, 1000 Mb/s, the link is up. */
#define CONTROL_RESET_VALUE 0x00140241U
#define STATUS_RESET_VALUE  0x00080283U

/* All its state is in the file. */
struct e1000e {
	uint32_t control; /* what it was when it was last looked at */
};

static void store_32(struct sim_function *function, uint64_t offset, uint32_t value)
{
	uint32_t bytes = htole32(value);

	sim_registers_store(function, 0, offset, &bytes, sizeof(bytes));
}

static void e1000e_reset(struct sim_function *function, void *state)
{
	struct e1000e *card = state;

	(void)function;
	card->control = CONTROL_RESET_VALUE;
}

static void e1000e_present(struct sim_function *function, void *state)
{
	const struct e1000e *card = state;

	store_32(function, E1000E_CONTROL, card->control);
	store_32(function, E1000E_STATUS, STATUS_RESET_VALUE);
}

static void e1000e_look(struct sim_function *function, void *state)
{
	struct e1000e *card = state;
	uint32_t control;

	sim_registers_load(function, 0, E1000E_CONTROL, &control, sizeof(control));
	card->control = le32toh(control);
	if (card->control & E1000E_CONTROL_RESET) {
		sim_registers_reset(function);
	}
}

static void e1000e_write(struct sim_function *function, void *state, uint64_t offset,
			 const void *data, size_t size)
{
	sim_registers_store(function, 0, offset, data, size);
	e1000e_look(function, state);
}

const struct sim_behaviour sim_behaviour_e1000e = {
	.vendor = 0x8086,
	.device = 0x10d3,
	.state_size = sizeof(struct e1000e),
	.reset = e1000e_reset,
	.write = e1000e_write,
	.present = e1000e_present,
	.look = e1000e_look,
};
