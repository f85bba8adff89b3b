/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/device_tree.h"

#include <errno.h>
#include <libfdt.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/cleanup.h"

#define TREE_SIZE_MAX (16U << 20)

/* Never defined: a pointer to it is a pointer to the blob that libfdt checked. */
static const void *blob_of(const struct device_tree *tree)
{
	return tree;
}

int device_tree_load(const char *path, struct device_tree **ret_tree)
{
	cleanup(cleanup_file) FILE *file = fopen(path, "re");
	cleanup(cleanup_free) char *blob = NULL;
	struct stat status;
	size_t size;

	if (!file || fstat(fileno(file), &status) < 0) {
		return -errno;
	}
	if (status.st_size > (off_t)TREE_SIZE_MAX) {
		return -EFBIG;
	}
	size = (size_t)status.st_size;
	blob = malloc(size + 1);
	if (!blob) {
		return -ENOMEM;
	}
	if (fread(blob, 1, size, file) != size) {
		return -EIO;
	}
	if (fdt_check_full(blob, size) != 0) {
		return -EBADMSG;
	}
	*ret_tree = (struct device_tree *)steal_pointer(blob);
	return 0;
}

bool device_tree_is_powernv(const struct device_tree *tree)
{
	return fdt_node_check_compatible(blob_of(tree), 0, "ibm,powernv") == 0;
}

bool device_tree_is_pseries(const struct device_tree *tree)
{
	const char *type = fdt_getprop(blob_of(tree), 0, "device_type", NULL);

	return type && strcmp(type, "chrp") == 0 && fdt_path_offset(blob_of(tree), "/rtas") >= 0;
}

/* One (address, size) entry's size part, of `cells` 32-bit cells. */
static uint64_t read_cells(const fdt32_t *cells, int count)
{
	uint64_t value = 0;

	for (int i = 0; i < count; i++) {
		value = value << 32 | fdt32_to_cpu(cells[i]);
	}
	return value;
}

uint64_t device_tree_memory_size(const struct device_tree *tree)
{
	const void *blob = blob_of(tree);
	int address_cells = fdt_address_cells(blob, 0);
	int size_cells = fdt_size_cells(blob, 0);
	uint64_t sum = 0;
	int node = -1;

	if (address_cells < 1 || size_cells < 1) {
		return 0;
	}
	while ((node = fdt_node_offset_by_prop_value(blob, node, "device_type", "memory",
						     (int)sizeof("memory"))) >= 0) {
		int length = 0;
		const fdt32_t *reg = fdt_getprop(blob, node, "reg", &length);
		ptrdiff_t stride = address_cells + size_cells;
		ptrdiff_t entries = reg ? length / (stride * (ptrdiff_t)sizeof(*reg)) : 0;

		for (ptrdiff_t i = 0; i < entries; i++) {
			sum += read_cells(reg + i * stride + address_cells, size_cells);
		}
	}
	return sum;
}
