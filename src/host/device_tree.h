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

/* Whether the tree is that of a bare-metal OPAL host (compatible "ibm,powernv"). */
bool device_tree_is_powernv(const struct device_tree *tree);

/* Whether the tree is that of a partition under a PAPR hypervisor (device_type "chrp", with RTAS).
 */
bool device_tree_is_pseries(const struct device_tree *tree);

/* The sum of the sizes of all memory nodes, in bytes. 0 when there are none. */
uint64_t device_tree_memory_size(const struct device_tree *tree);
