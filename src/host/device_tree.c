/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/device_tree.h"

#include <errno.h>
#include <libfdt.h>
#include <limits.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/cleanup.h"
#include "common/names.h"
#include "host/tree_cells.h"

#define TREE_SIZE_MAX (16U << 20)

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

int device_tree_find(const char *sysfs_root, struct device_tree **ret_tree)
{
	char path[PATH_MAX];
	int r;
	int rebuilt;

	(void)snprintf(path, sizeof(path), "%s/" SYSFS_FDT, sysfs_root);
	r = device_tree_load(path, ret_tree);
	if (r != -ENOENT && r != -EACCES && r != -EPERM) {
		return r;
	}
	/* The kernel shows no fdt either when it found that somebody had written to it
	 * (of_fdt_raw_init). */
	(void)snprintf(path, sizeof(path), "%s/" SYSFS_DEVICE_TREE, sysfs_root);
	rebuilt = device_tree_rebuild(path, ret_tree);
	return rebuilt == -ENOENT ? r : rebuilt;
}

bool device_tree_is_powernv(const struct device_tree *tree)
{
	return fdt_node_check_compatible(device_tree_blob(tree), 0, "ibm,powernv") == 0;
}

bool device_tree_is_pseries(const struct device_tree *tree)
{
	const char *type = tree_get_text(device_tree_blob(tree), 0, "device_type");

	return type && strcmp(type, "chrp") == 0 &&
	       fdt_path_offset(device_tree_blob(tree), "/rtas") >= 0;
}
