/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The flattened device tree that firmware handed to the kernel, read with libfdt. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* A whole, checked tree. Owned by the caller, released with free(). */
struct device_tree;

/*
 * Load a .dtb file. 0 or -errno: ENOENT when the host has none, EBADMSG when libfdt finds the file
 * damaged, EFBIG for more than 16 MiB.
 */
int device_tree_load(const char *path, struct device_tree **ret_tree);

/*
 * Make the same tree of the files that the kernel unflattens it to (drivers/of/kobj.c): a folder is
 * a node, a file a property. No links are followed. What can't be read by this user (the kernel
 * keeps properties named "security-" to root), and what vanishes meanwhile, is left out. Nodes and
 * properties come in order of their names; the property "name", which the kernel makes up, is left
 * out where it says what the node's name says.
 *
 * 0 or -errno: ENOENT when the host has none, EFBIG for a property of more than 8 MiB or more than
 * 16 MiB altogether, ELOOP for more than 32 nodes within each other.
 */
int device_tree_rebuild(const char *folder, struct device_tree **ret_tree);

/*
 * The host's tree: firmware/fdt below the sysfs root, or what device_tree_rebuild makes of
 * firmware/devicetree/base where that is not there or only for root (it has the mode 0400). 0 or
 * -errno, ENOENT when the host has neither.
 */
int device_tree_find(const char *sysfs_root, struct device_tree **ret_tree);

/* For libfdt's functions. It passed fdt_check_full. */
static inline const void *device_tree_blob(const struct device_tree *tree)
{
	return tree;
}

/* Whether the tree is that of a bare-metal OPAL host (compatible "ibm,powernv"). */
bool device_tree_is_powernv(const struct device_tree *tree);

/* Whether the tree is that of a partition under a PAPR hypervisor (device_type "chrp", with RTAS).
 */
bool device_tree_is_pseries(const struct device_tree *tree);

/* Bytes; 0 for what the tree doesn't tell. */
struct device_tree_memory {
	/*
	 * What is there: the memory nodes that are available (early_init_dt_scan_memory), and of a
	 * partition the logical memory blocks that are assigned to it and that no memory node has
	 * (ibm,dynamic-reconfiguration-memory, PAPR 13.5; early_init_drmem_lmb).
	 */
	uint64_t installed;
	/*
	 * What there may be: all memory nodes, or of a partition the address that memory ends at
	 * most (ibm,lrdr-capacity of /rtas, PAPR 7.3.16) or all logical memory blocks together. The
	 * largest of them, and never less than what is there (memory_hotplug_max).
	 */
	uint64_t maximum;
};

struct device_tree_memory device_tree_read_memory(const struct device_tree *tree);
