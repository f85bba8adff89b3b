/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The steps in which a host is made: its tree, its device list, its PEs. Each returns 0 or a code
 * with the error filled, and leaves a host that sim_host_free takes. */
#pragma once

#include "sim/device_list.h"
#include "sim/host.h"

struct host_maker {
	struct sim_host *host;
	const char *fdt_name;
	struct error *error;
	/* For each device, beside it in the same order. */
	struct host_maker_device {
		int node;   /* in the tree, -1 without one */
		int window; /* pseries: the node with its ibm,dma-window, or -1 */
		const struct listed_device *listed; /* NULL: the list doesn't have it */
	} * extras;
	uint32_t next_phb; /* all numbers below are taken */
};

/* host_tree.c: the platform, PHBs and devices of host->fdt. */
int host_read_tree(struct host_maker *maker);

/* host_list.c: what host->list says, and whether it fits. */
int host_apply_list(struct host_maker *maker);

/* host_pe.c: PEs and groups. */
int host_make_pes(struct host_maker *maker);

/* host_reset.c: how each function can be reset, as the kernel finds out from config space, where
 * the list doesn't say. */
void host_find_resets(struct host_maker *maker);

/* An error about a device: with the line of its section, or its place in the tree. */
int host_device_error(struct host_maker *maker, size_t device, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Put a device behind the others. NULL with the error filled. */
struct sim_device *host_add_device(struct host_maker *maker, struct pci_address address);

/* Put a PHB behind the others. NULL with the error filled. */
struct sim_phb *host_add_phb(struct host_maker *maker);

struct pci_address host_device_address(const struct sim_host *host,
				       const struct sim_device *device);
