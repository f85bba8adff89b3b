/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/msix.h"

#include <endian.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>

#include "sim/function.h"

/* Where messages go. On bare metal a PHB's window for 64-bit messages, the source's number in both
 * words (phb4_get_msi_64 of the firmware); in an LPAR the hypervisor's; on x86 the APIC's. */
#define POWERNV_ADDRESS UINT64_C(0x1000000000000000)
#define PSERIES_ADDRESS UINT64_C(0x40000000000)
#define X86_ADDRESS     UINT64_C(0xfee00000)
#define PSERIES_SOURCE  0x1200U
#define X86_VECTOR      0x4020U
#define SOURCES         0x7f8U /* of a PHB */
#define SOURCES_A_WORD  0x20U

struct place {
	unsigned int bar;
	uint64_t offset;
	uint64_t size;
};

struct message {
	uint64_t address;
	uint32_t data;
};

static bool find_place(const struct sim_function *function, struct place *ret_place)
{
	return sim_config_space_find_msix_table(function->config, &ret_place->bar,
						&ret_place->offset, &ret_place->size) &&
	       ret_place->bar < SIM_BARS;
}

static struct message compose(const struct sim_function *function, unsigned int vector)
{
	uint32_t source = (uint32_t)(function->index * 16 + vector) % SOURCES;

	switch (function->model->host->platform) {
	case SIM_POWERNV:
		return (struct message){
			POWERNV_ADDRESS | (uint64_t)(source & ~(uint32_t)(SOURCES_A_WORD - 1)) << 4,
			source % SOURCES_A_WORD,
		};
	case SIM_PSERIES:
		return (struct message){PSERIES_ADDRESS, PSERIES_SOURCE + source};
	case SIM_TYPE1:
		break;
	}
	return (struct message){X86_ADDRESS, X86_VECTOR + source % SOURCES_A_WORD};
}

static void store(struct sim_function *function, const struct place *place, unsigned int vector,
		  const uint32_t *words, size_t first, size_t count)
{
	uint32_t bytes[PCI_MSIX_ENTRY_SIZE / sizeof(uint32_t)];

	for (size_t i = 0; i < count; i++) {
		bytes[i] = htole32(words[i]);
	}
	sim_registers_store(function, place->bar,
			    place->offset + vector * (uint64_t)PCI_MSIX_ENTRY_SIZE +
				    first * sizeof(uint32_t),
			    bytes, count * sizeof(*bytes));
}

static unsigned int count_entries(const struct place *place)
{
	return (unsigned int)(place->size / PCI_MSIX_ENTRY_SIZE);
}

void sim_msix_set(struct sim_function *function, unsigned int vector, bool masked)
{
	struct message message = compose(function, vector);
	const uint32_t words[] = {
		(uint32_t)message.address,
		(uint32_t)(message.address >> 32),
		message.data,
		masked ? PCI_MSIX_ENTRY_CTRL_MASKBIT : 0,
	};
	struct place place;

	if (find_place(function, &place) && vector < count_entries(&place)) {
		store(function, &place, vector, words, 0, 4);
	}
}

void sim_msix_mask(struct sim_function *function)
{
	static const uint32_t control = PCI_MSIX_ENTRY_CTRL_MASKBIT;
	struct place place;

	if (!find_place(function, &place)) {
		return;
	}
	for (unsigned int i = 0; i < count_entries(&place); i++) {
		store(function, &place, i, &control, 3, 1);
	}
}

void sim_msix_present(struct sim_function *function)
{
	static const uint32_t empty[] = {0, 0, 0, PCI_MSIX_ENTRY_CTRL_MASKBIT};
	const struct sim_interrupts *interrupts = &function->interrupts;
	struct place place;

	if (!find_place(function, &place)) {
		return;
	}
	for (unsigned int i = 0; i < count_entries(&place); i++) {
		store(function, &place, i, empty, 0, 4);
	}
	if (interrupts->kind != VFIO_PCI_MSIX_IRQ_INDEX ||
	    !sim_config_space_sends(function->config, VFIO_PCI_MSIX_IRQ_INDEX)) {
		return;
	}
	for (unsigned int i = 0; i < count_entries(&place); i++) {
		if (i < interrupts->allocated || interrupts->message[i] >= 0) {
			sim_msix_set(function, i, interrupts->message[i] < 0);
		}
	}
}
