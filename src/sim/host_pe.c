/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* PEs and groups, numbered as the kernel numbers them. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim/host_private.h"
#include "sim/pci_config.h"

#define BUSES      256U
#define NO_PE      (-1)
#define UNNUMBERED (-1)

/* A PE while it is made. */
struct pe {
	struct sim_pe pe;
	int group;     /* or UNNUMBERED: it has none (yet) */
	int window;    /* pseries: the node with ibm,dma-window */
	size_t device; /* the first, for messages */
};

struct pe_maker {
	struct host_maker *maker;
	struct sim_host *host;
	struct pe *pes;
	size_t count;
	bool *group_taken;   /* by number: spoken for in the list, or given */
	size_t group_end;    /* behind the highest that was given */
	uint32_t next_group; /* none below is free */
	bool *by_group;      /* type1: by number: there is a PE of it */
	size_t phb_begin;    /* the first PE of the PHB at hand */
	/* of the PHB at hand */
	bool *pe_taken; /* by number */
	int bus_pe[BUSES];
	/* chains of devices that lie beside each other, by number; -1 ends them */
	int *first_of_phb;
	int *first_child;
	int *next_sibling;
};

static const struct listed_device *listed_of(const struct pe_maker *pes, size_t device)
{
	return pes->maker->extras[device].listed;
}

static unsigned int group_line(const struct pe_maker *pes, size_t device)
{
	const struct listed_device *listed = listed_of(pes, device);

	return listed ? listed->line[DEVICE_KEY_GROUP] : 0;
}

/* Whether the list gives a device a group by number. */
static bool wants_group(const struct pe_maker *pes, size_t device)
{
	return group_line(pes, device) != 0 && !listed_of(pes, device)->no_group;
}

/* groups */

static int no_memory(struct pe_maker *pes)
{
	return error_set(pes->maker->error, ERROR_KERNEL, ENOMEM, "no memory for the groups");
}

/* Groups that the list names are not for others. */
static void reserve_groups(struct pe_maker *pes)
{
	for (size_t i = 0; i < pes->host->device_count; i++) {
		if (wants_group(pes, i)) {
			pes->group_taken[listed_of(pes, i)->group] = true;
		}
	}
}

static int give_group(struct pe_maker *pes, struct pe *pe, uint32_t number)
{
	if (number >= SIM_GROUPS_MAX) {
		return error_set(pes->maker->error, ERROR_INVALID_ARGUMENT, 0,
				 "a simulated host has at most %u groups", SIM_GROUPS_MAX);
	}
	pe->group = (int)number;
	pes->group_taken[number] = true;
	pes->group_end = number + 1 > pes->group_end ? number + 1 : pes->group_end;
	return 0;
}

/* The lowest that is free, as iommu_group_alloc does. */
static int give_next_group(struct pe_maker *pes, struct pe *pe)
{
	while (pes->next_group < SIM_GROUPS_MAX && pes->group_taken[pes->next_group]) {
		pes->next_group++;
	}
	return give_group(pes, pe, pes->next_group);
}

static const struct pe *find_group(const struct pe_maker *pes, uint32_t number)
{
	for (size_t i = 0; i < pes->count; i++) {
		if (pes->pes[i].group == (int)number) {
			return &pes->pes[i];
		}
	}
	return NULL;
}

/* Put a device into its PE's group; the first one gets the group made. */
static int join_group(struct pe_maker *pes, size_t device, struct pe *pe)
{
	const struct listed_device *listed = listed_of(pes, device);
	unsigned int line = group_line(pes, device);
	int r = 0;

	if (line && listed->no_group) {
		return device_list_error(pes->host->list, line, pes->maker->error,
					 "group = none, but the device's PE is a group");
	}
	if (pe->group == UNNUMBERED && line) {
		const struct pe *other = find_group(pes, listed->group);

		if (other) {
			return device_list_error(pes->host->list, line, pes->maker->error,
						 "group = %" PRIu32 " is the PE of %s, and this "
						 "device is in another",
						 listed->group,
						 pes->host->devices[other->device].name);
		}
		r = give_group(pes, pe, listed->group);
	} else if (pe->group == UNNUMBERED) {
		r = give_next_group(pes, pe);
	} else if (line && pe->group != (int)listed->group) {
		return device_list_error(pes->host->list, line, pes->maker->error,
					 "group = %" PRIu32
					 ", but the device shares the PE of %s, which is group %d",
					 listed->group, pes->host->devices[pe->device].name,
					 pe->group);
	}
	pes->host->devices[device].group = pe->group;
	return r;
}

static int add_pe(struct pe_maker *pes, unsigned int phb, uint32_t number, uint8_t bus,
		  size_t device)
{
	struct pe *grown = pes->pes;

	if ((pes->count & (pes->count - 1)) == 0) {
		grown = reallocarray(grown, pes->count > 0 ? pes->count * 2 : 1, sizeof(*grown));
	}
	if (!grown) {
		return -ENOMEM;
	}
	pes->pes = grown;
	grown[pes->count] = (struct pe){
		.pe = {.phb = phb, .number = number, .bus = bus},
		.group = UNNUMBERED,
		.window = -1,
		.device = device,
	};
	return (int)pes->count++;
}

/* powernv */

/* PEs that the list names: those that the kernel finds by 64-bit memory (pnv_ioda_pick_m64_pe),
 * which is set aside before any other is given. */
static int reserve_pes(struct pe_maker *pes, unsigned int phb, uint32_t root)
{
	const struct sim_phb *of = &pes->host->phbs[phb];

	pes->pe_taken[of->reserved_pe] = true;
	pes->pe_taken[root] = true;
	for (size_t i = 0; i < pes->host->device_count; i++) {
		const struct sim_device *device = &pes->host->devices[i];
		const struct listed_device *listed = listed_of(pes, i);
		unsigned int line = listed ? listed->line[DEVICE_KEY_PE] : 0;

		if (device->phb != phb || line == 0) {
			continue;
		}
		if (listed->pe >= of->pe_count || listed->pe == of->reserved_pe ||
		    (listed->pe == root) != (device->parent < 0)) {
			return device_list_error(pes->host->list, line, pes->maker->error,
						 "pe = 0x%" PRIx32 " of 0x%" PRIx32 ": 0x%" PRIx32
						 " is reserved, 0x%" PRIx32 " is the root bus's",
						 listed->pe, of->pe_count, of->reserved_pe, root);
		}
		pes->pe_taken[listed->pe] = true;
	}
	return 0;
}

/* pnv_ioda_alloc_pe: from the top downwards. */
static int64_t alloc_pe(struct pe_maker *pes, unsigned int phb)
{
	uint32_t number = pes->host->phbs[phb].pe_count;

	while (number > 0) {
		if (!pes->pe_taken[--number]) {
			pes->pe_taken[number] = true;
			return number;
		}
	}
	return -1;
}

/* pnv_pci_init_ioda_phb: next to the reserved one. */
static uint32_t root_pe(const struct sim_phb *phb)
{
	if (phb->reserved_pe == 0) {
		return 1;
	}
	return phb->reserved_pe == phb->pe_count - 1 ? phb->reserved_pe - 1 : phb->pe_count - 1;
}

static bool is_to_pci_bridge(const struct sim_device *device)
{
	return device->config && pci_config_express_type(device->config, device->config_size) ==
					 PCI_EXPRESS_TYPE_TO_PCI;
}

/* The bus that a device's PE is named after: its own, but all buses below a PCIe-to-PCI bridge are
 * one PE (PNV_IODA_PE_BUS_ALL). */
static uint8_t pe_bus(const struct sim_host *host, const struct sim_device *device)
{
	uint8_t bus = device->bus;

	while (device->parent >= 0) {
		const struct sim_device *bridge = &host->devices[device->parent];

		if (is_to_pci_bridge(bridge)) {
			bus = device->bus;
		}
		device = bridge;
	}
	return bus;
}

static const struct pe *find_pe(const struct pe_maker *pes, unsigned int phb, uint32_t number)
{
	for (size_t i = pes->phb_begin; i < pes->count; i++) {
		if (pes->pes[i].pe.phb == phb && pes->pes[i].pe.number == number) {
			return &pes->pes[i];
		}
	}
	return NULL;
}

/* The PE of a bus that has none yet: its number is in the list, or the next. */
static int make_bus_pe(struct pe_maker *pes, size_t device, uint8_t bus)
{
	const struct sim_device *of = &pes->host->devices[device];
	const struct listed_device *listed = listed_of(pes, device);
	int64_t number;

	if (of->parent < 0) {
		number = root_pe(&pes->host->phbs[of->phb]);
	} else if (listed && listed->line[DEVICE_KEY_PE]) {
		const struct pe *other = find_pe(pes, of->phb, listed->pe);

		if (other) {
			return device_list_error(
				pes->host->list, listed->line[DEVICE_KEY_PE], pes->maker->error,
				"pe = 0x%" PRIx32 " is that of %s, on another bus", listed->pe,
				pes->host->devices[other->device].name);
		}
		number = listed->pe;
	} else {
		number = alloc_pe(pes, of->phb);
	}
	if (number < 0) {
		return host_device_error(pes->maker, device, "its PHB has no PE left");
	}
	pes->bus_pe[bus] = add_pe(pes, of->phb, (uint32_t)number, bus, device);
	return pes->bus_pe[bus] < 0 ? no_memory(pes) : 0;
}

/* pnv_pci_ioda_dma_dev_setup */
static int set_up_device(struct pe_maker *pes, size_t device)
{
	struct sim_device *of = &pes->host->devices[device];
	const struct listed_device *listed = listed_of(pes, device);
	uint8_t bus = pe_bus(pes->host, of);
	struct pe *pe;
	int r = pes->bus_pe[bus] == NO_PE ? make_bus_pe(pes, device, bus) : 0;

	if (r) {
		return r;
	}
	pe = &pes->pes[pes->bus_pe[bus]];
	of->pe = pe->pe.number;
	if (listed && listed->line[DEVICE_KEY_PE] && listed->pe != of->pe) {
		return device_list_error(
			pes->host->list, listed->line[DEVICE_KEY_PE], pes->maker->error,
			"pe = 0x%" PRIx32 ", but its bus is PE 0x%" PRIx32, listed->pe, of->pe);
	}
	/* Bridges are in a group only when it was there before them. */
	if (sim_device_is_bridge(of) && pe->group == UNNUMBERED) {
		return wants_group(pes, device)
			       ? device_list_error(pes->host->list, group_line(pes, device),
						   pes->maker->error,
						   "a bridge that comes first on its bus is in no "
						   "group")
			       : 0;
	}
	return join_group(pes, device, pe);
}

/* All devices of a bus, then those below its bridges, as pci_bus_add_devices does. */
static int set_up_bus(struct pe_maker *pes, int first)
{
	int r = 0;

	for (int device = first; device >= 0 && r == 0; device = pes->next_sibling[device]) {
		r = set_up_device(pes, (size_t)device);
	}
	for (int device = first; device >= 0 && r == 0; device = pes->next_sibling[device]) {
		r = set_up_bus(pes, pes->first_child[device]);
	}
	return r;
}

struct place {
	const struct sim_device *device;
};

static int compare_places(const void *a, const void *b)
{
	const struct sim_device *left = ((const struct place *)a)->device;
	const struct sim_device *right = ((const struct place *)b)->device;

	if (left->parent != right->parent) {
		return left->parent < right->parent ? -1 : 1;
	}
	if (left->phb != right->phb) {
		return left->phb < right->phb ? -1 : 1;
	}
	return (left->bus << 8 | left->devfn) - (right->bus << 8 | right->devfn);
}

/* Chain the devices below each bridge and each PHB, in the order of their numbers. */
static int chain_devices(struct pe_maker *pes)
{
	const struct sim_host *host = pes->host;
	struct place *order = calloc(host->device_count + 1, sizeof(*order));

	if (!order) {
		return no_memory(pes);
	}
	for (size_t i = 0; i < host->device_count; i++) {
		order[i].device = &host->devices[i];
	}
	qsort(order, host->device_count, sizeof(*order), compare_places);
	for (size_t i = host->device_count; i > 0; i--) {
		const struct sim_device *device = order[i - 1].device;
		int *first = device->parent < 0 ? &pes->first_of_phb[device->phb]
						: &pes->first_child[device->parent];

		pes->next_sibling[device - host->devices] = *first;
		*first = (int)(device - host->devices);
	}
	free(order);
	return 0;
}

static int set_up_powernv(struct pe_maker *pes, unsigned int phb)
{
	uint32_t root = root_pe(&pes->host->phbs[phb]);
	int r;

	memset(pes->pe_taken, 0, pes->host->phbs[phb].pe_count * sizeof(*pes->pe_taken));
	for (size_t i = 0; i < BUSES; i++) {
		pes->bus_pe[i] = NO_PE;
	}
	pes->phb_begin = pes->count;
	r = reserve_pes(pes, phb, root);
	return r ? r : set_up_bus(pes, pes->first_of_phb[phb]);
}

/* pseries */

static int find_window(const struct pe_maker *pes, unsigned int phb, int window)
{
	for (size_t i = pes->phb_begin; i < pes->count; i++) {
		if (pes->pes[i].pe.phb == phb && pes->pes[i].window == window) {
			return (int)i;
		}
	}
	return -1;
}

static int make_window_pe(struct pe_maker *pes, unsigned int phb, int window, size_t device)
{
	int pe = add_pe(pes, phb, 0, pes->host->devices[device].bus, device);

	if (pe < 0) {
		return no_memory(pes);
	}
	pes->pes[pe].window = window;
	return 0;
}

/* pci_dma_bus_setup_pSeriesLP makes the groups, pci_dma_dev_setup_pSeriesLP puts bridges into them
 * as well. */
static int set_up_pseries(struct pe_maker *pes, unsigned int phb)
{
	pes->phb_begin = pes->count;
	for (size_t i = 0; i < pes->host->device_count; i++) {
		const struct sim_device *device = &pes->host->devices[i];
		int window = pes->maker->extras[i].window;
		int r = 0;

		if (device->phb != phb) {
			continue;
		}
		if (window < 0) {
			if (wants_group(pes, i)) {
				return host_device_error(pes->maker, i,
							 "its PHB has no ibm,dma-window, so it is "
							 "in no group");
			}
			continue;
		}
		if (find_window(pes, phb, window) < 0) {
			r = make_window_pe(pes, phb, window, i);
		}
		if (r == 0) {
			r = join_group(pes, i, &pes->pes[find_window(pes, phb, window)]);
		}
		if (r) {
			return r;
		}
	}
	return 0;
}

/* type1 */

static int set_up_type1(struct pe_maker *pes, unsigned int phb)
{
	for (size_t i = 0; i < pes->host->device_count; i++) {
		struct sim_device *device = &pes->host->devices[i];
		const struct listed_device *listed = listed_of(pes, i);
		int pe = -1;

		if (device->phb != phb || !listed || listed->no_group ||
		    listed->line[DEVICE_KEY_GROUP] == 0) {
			continue;
		}
		if (!pes->by_group[listed->group]) {
			pe = add_pe(pes, phb, listed->group, device->bus, i);
			if (pe < 0) {
				return no_memory(pes);
			}
			(void)give_group(pes, &pes->pes[pe], listed->group);
			pes->by_group[listed->group] = true;
		}
		device->group = (int)listed->group;
	}
	return 0;
}

/* all */

static int set_up_all(struct pe_maker *pes)
{
	for (unsigned int phb = 0; phb < pes->host->phb_count; phb++) {
		int r = 0;

		switch (pes->host->platform) {
		case SIM_POWERNV:
			r = set_up_powernv(pes, phb);
			break;
		case SIM_PSERIES:
			r = set_up_pseries(pes, phb);
			break;
		case SIM_TYPE1:
			r = set_up_type1(pes, phb);
			break;
		}
		if (r) {
			return r;
		}
	}
	return 0;
}

/* Move the PEs that are groups to where their numbers say. */
static int store(struct pe_maker *pes)
{
	struct sim_host *host = pes->host;

	if (pes->group_end == 0) {
		return error_set(pes->maker->error, ERROR_INVALID_ARGUMENT, 0,
				 "host %s has no PCI device in an IOMMU group", host->name);
	}
	host->pes = calloc(pes->group_end, sizeof(*host->pes));
	if (!host->pes) {
		return no_memory(pes);
	}
	host->pe_count = pes->group_end;
	for (size_t i = 0; i < pes->count; i++) {
		if (pes->pes[i].group != UNNUMBERED) {
			host->pes[pes->pes[i].group] = pes->pes[i].pe;
		}
	}
	return 0;
}

/* How many PEs the largest PHB has. */
static size_t most_pes(const struct sim_host *host)
{
	size_t most = 1;

	for (size_t i = 0; i < host->phb_count; i++) {
		most = host->phbs[i].pe_count > most ? host->phbs[i].pe_count : most;
	}
	return most;
}

/* So many times -1. */
static int *make_chains(size_t count)
{
	int *chains = malloc(count * sizeof(*chains));

	return chains ? memset(chains, 0xff, count * sizeof(*chains)) : NULL;
}

int host_make_pes(struct host_maker *maker)
{
	struct pe_maker pes = {.maker = maker, .host = maker->host};
	int r;

	pes.group_taken = calloc(SIM_GROUPS_MAX, sizeof(*pes.group_taken));
	pes.by_group = calloc(SIM_GROUPS_MAX, sizeof(*pes.by_group));
	pes.pe_taken = calloc(most_pes(maker->host), sizeof(*pes.pe_taken));
	pes.first_of_phb = make_chains(maker->host->phb_count + 1);
	pes.first_child = make_chains(maker->host->device_count + 1);
	pes.next_sibling = make_chains(maker->host->device_count + 1);
	if (pes.group_taken && pes.by_group && pes.pe_taken && pes.first_of_phb &&
	    pes.first_child && pes.next_sibling) {
		reserve_groups(&pes);
		r = chain_devices(&pes);
	} else {
		r = no_memory(&pes);
	}
	if (r == 0) {
		r = set_up_all(&pes);
	}
	if (r == 0) {
		r = store(&pes);
	}
	free(pes.group_taken);
	free(pes.by_group);
	free(pes.pe_taken);
	free(pes.first_of_phb);
	free(pes.first_child);
	free(pes.next_sibling);
	free(pes.pes);
	return r;
}
