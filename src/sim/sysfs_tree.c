/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The device tree as files, as the kernel unflattens it. */
#include <errno.h>
#include <libfdt.h>
#include <string.h>

#include "sim/sysfs_private.h"

#define SAME_NAME_MAX 100

static bool is_property(const void *fdt, int node, const char *name)
{
	return fdt_getprop(fdt, node, name, NULL) != NULL;
}

static void add_properties(struct sysfs_builder *builder, const void *fdt, int node,
			   const char *directory)
{
	const char *node_name = fdt_get_name(fdt, node, NULL);
	int property;

	fdt_for_each_property_offset(property, fdt, node)
	{
		const char *name = NULL;
		int size = 0;
		const void *data = fdt_getprop_by_offset(fdt, property, &name, &size);

		if (data) {
			sysfs_add_bytes(builder, directory, name, 0444, data, (size_t)size);
		}
	}
	/* populate_properties makes up a name for those that have none. */
	if (node_name && !is_property(fdt, node, "name")) {
		struct sysfs_path name =
			sysfs_path("%.*s", (int)strcspn(node_name, "@"), node_name);

		sysfs_add_bytes(builder, directory, "name", 0444, name.text, strlen(name.text) + 1);
	}
}

/* A directory for a node. A property or another node may have its name: safe_name puts a number
 * behind it then. */
static struct sysfs_path add_node_directory(struct sysfs_builder *builder, const char *directory,
					    const char *name)
{
	struct sysfs_path path = sysfs_path("%s/%s", directory, name);
	int r = sysfs_try_directory(builder, path.text);

	for (int i = 1; r == -EEXIST && i < SAME_NAME_MAX; i++) {
		path = sysfs_path("%s/%s#%d", directory, name, i);
		r = sysfs_try_directory(builder, path.text);
	}
	builder->error = builder->error ? builder->error : r;
	return path;
}

/* The host's tree is no deeper than the kernel allows. */
static void add_nodes(struct sysfs_builder *builder, const void *fdt, int node,
		      const char *directory)
{
	int below;

	add_properties(builder, fdt, node, directory);
	fdt_for_each_subnode(below, fdt, node)
	{
		struct sysfs_path path =
			add_node_directory(builder, directory, fdt_get_name(fdt, below, NULL));

		add_nodes(builder, fdt, below, path.text);
	}
}

void sysfs_add_device_tree(struct sysfs_builder *builder, const struct sim_host *host)
{
	if (!host->fdt) {
		return;
	}
	sysfs_add_directory(builder, TREE_BASE);
	add_nodes(builder, host->fdt, 0, TREE_BASE);
	sysfs_add_bytes(builder, "firmware", "fdt", 0400, host->fdt, host->fdt_size);
}
