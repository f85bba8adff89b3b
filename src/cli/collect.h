/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Capturing a host: its device tree and a device list, as spaprd-simhost(8) reads them.
 *
 * What is private to the machine or its owner is blanked: serial numbers and UUIDs, MAC addresses
 * and world wide names, vital product data, the kernel's command line and seeds. Lengths and all
 * else stay, so that the tree is still the machine's.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "common/error.h"

#define COLLECT_TREE    "tree.dtb"
#define COLLECT_DEVICES "devices.ini"

struct collect_options {
	const char *sysfs;     /* root, "/sys" */
	const char *directory; /* where the files go; made when it isn't there */
	bool this_host; /* the running kernel is that of sysfs: its version and page size count */
};

struct collect_summary {
	size_t devices;
	size_t grouped;  /* of them in an IOMMU group */
	size_t left_out; /* functions that the tree doesn't have: virtual functions */
	size_t cut;      /* functions whose config space could be read in part only */
	bool has_tree;
	bool rebuilt_tree; /* from firmware/devicetree, for firmware/fdt can't be read or is old */
};

/* 0 or a code with the error filled; nothing is left behind then. No file is overwritten. */
int collect_host(const struct collect_options *options, struct collect_summary *ret_summary,
		 struct error *error);

/* collect_tree.c */

/*
 * The host's tree, blanked, which the caller frees: firmware/fdt, or, when that can't be read or
 * lacks the node of a PCI device, made from the files of firmware/devicetree/base. *ret_tree is
 * NULL for a host without one.
 */
int collect_tree(const char *sysfs, void **ret_tree, size_t *ret_size, bool *ret_rebuilt,
		 struct error *error);

/* collect_devices.c */

/* Write the device list. tree may be NULL. 0 or a code with the error filled. */
int collect_devices(FILE *file, const struct collect_options *options, const void *tree,
		    struct collect_summary *summary, struct error *error);
