/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which PHB groups and PCI functions lie below, as sysfs links them to the device tree. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/names.h"
#include "host/topology_private.h"

static void cleanup_directory(DIR **directory)
{
	if (*directory) {
		(void)closedir(*directory);
	}
}

/* "0001:01:00.0" is in domain 1. */
static bool read_domain(const char *name, uint32_t *ret_domain)
{
	unsigned int domain = 0;
	unsigned int rest = 0;

	/* NOLINTNEXTLINE(cert-err34-c): eight digits don't overflow */
	if (sscanf(name, "%8x:%2x:", &domain, &rest) != 2) {
		return false;
	}
	*ret_domain = domain;
	return true;
}

/* The node right below the tree's root that a function's node is in, "" for none. */
static void read_top_node(const char *sysfs_root, const char *name,
			  char ret_node[static PHB_TEXT_SIZE])
{
	char path[PATH_MAX];
	char target[PATH_MAX];
	const char *top;
	ssize_t length;

	ret_node[0] = '\0';
	(void)snprintf(path, sizeof(path), "%s/" SYSFS_PCI_DEVICES "/%s/of_node", sysfs_root, name);
	length = readlink(path, target, sizeof(target) - 1);
	target[length > 0 ? length : 0] = '\0';
	top = strstr(target, SYSFS_DEVICE_TREE "/");
	if (top) {
		top += strlen(SYSFS_DEVICE_TREE "/");
		(void)snprintf(ret_node, PHB_TEXT_SIZE, "%.*s", (int)strcspn(top, "/"), top);
	}
}

static struct topology_phb *find_by_node(const struct topology *topology, const char *node)
{
	for (size_t i = 0; i < topology->phb_count && node[0] != '\0'; i++) {
		if (strcmp(topology->phbs[i].node, node) == 0) {
			return &topology->phbs[i];
		}
	}
	return NULL;
}

struct topology_phb *topology_find_phb(const struct topology *topology, uint32_t domain)
{
	for (size_t i = 0; i < topology->phb_count; i++) {
		if (topology->phbs[i].domain == domain) {
			return &topology->phbs[i];
		}
	}
	return NULL;
}

/* -- groups -- */

void topology_place_group(const struct topology *topology, struct topology_group *group)
{
	uint32_t domain = group->phb_id;

	/* An LPAR's groups are there before their devices, but have a name that tells. */
	if (group->device_count > 0) {
		(void)read_domain(group->devices[0]->name, &domain);
	}
	group->phb = topology_find_phb(topology, domain);
	if (group->phb && group->device_count > 0) {
		group->phb->has_functions = true;
		group->phb->eeh = group->phb->eeh || group->eeh;
	}
}

/* -- the PHBs themselves -- */

static void learn_from_function(const struct topology *topology, const char *name)
{
	char path[PATH_MAX];
	char node[PHB_TEXT_SIZE];
	struct topology_phb *phb;
	uint32_t domain;

	if (!read_domain(name, &domain)) {
		return;
	}
	read_top_node(topology->sysfs_root, name, node);
	phb = find_by_node(topology, node);
	if (!phb) {
		return;
	}
	(void)snprintf(path, sizeof(path), "%s/" SYSFS_PCI_DEVICES "/%s/" SYSFS_EEH_STATE,
		       topology->sysfs_root, name);
	phb->domain = domain;
	phb->has_functions = true;
	phb->eeh = phb->eeh || access(path, F_OK) == 0;
}

static int compare_domains(const void *a, const void *b)
{
	const struct topology_phb *left = a;
	const struct topology_phb *right = b;

	return (left->domain > right->domain) - (left->domain < right->domain);
}

/* All functions, those without a group as well: a root port is in none, and may be the only one. */
static int learn_from_functions(const struct topology *topology)
{
	char path[PATH_MAX];
	cleanup(cleanup_directory) DIR *directory = NULL;
	struct dirent *entry;

	(void)snprintf(path, sizeof(path), "%s/" SYSFS_PCI_DEVICES, topology->sysfs_root);
	directory = opendir(path);
	if (!directory) {
		return errno == ENOENT ? 0 : -errno;
	}
	while ((entry = readdir(directory))) {
		learn_from_function(topology, entry->d_name);
	}
	qsort(topology->phbs, topology->phb_count, sizeof(*topology->phbs), compare_domains);
	return 0;
}

int topology_read_phbs(struct topology *topology, const struct device_tree *tree,
		       struct error *error)
{
	bool opal = topology->kind == HOST_KIND_POWERNV;
	int r;

	if (topology->kind == HOST_KIND_TYPE1) {
		return 0;
	}
	topology->eeh_firmware = phb_read_eeh_firmware(tree, opal);
	r = phb_read_all(tree, opal, &topology->phbs, &topology->phb_count);
	if (r == 0 && topology->phb_count > 0) {
		r = learn_from_functions(topology);
	}
	return r < 0 ? error_set(error, ERROR_KERNEL, -r, "can't read the PCI host bridges of %s",
				 topology->sysfs_root)
		     : 0;
}
