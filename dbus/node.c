/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "dbus/bus_private.h"

static int node_compare(const void *a, const void *b)
{
	const struct bus_node *left = a;
	const struct bus_node *right = b;

	return strcmp(left->path, right->path);
}

struct bus_node *node_find(struct bus *bus, const char *path)
{
	struct bus_node key = {.path = path};
	struct bus_node **found = tfind(&key, &bus->nodes, node_compare);

	return found ? *found : NULL;
}

static struct bus_node *node_free(struct bus_node *node)
{
	if (node) {
		free((char *)node->path);
		free(node);
	}
	return NULL;
}

/* Takes over path, which may be NULL for lack of memory. */
static struct bus_node *node_new(struct bus *bus, char *path)
{
	struct bus_node *node = calloc(1, sizeof(*node));

	if (!node || !path) {
		free(path);
		free(node);
		return NULL;
	}
	node->path = path;
	node->bus = bus;
	TAILQ_INIT(&node->children);
	if (!tsearch(node, &bus->nodes, node_compare)) {
		return node_free(node);
	}
	return node;
}

static char *parent_path(const char *path)
{
	const char *end = strrchr(path, '/');

	return end == path ? strdup("/") : strndup(path, (size_t)(end - path));
}

struct bus_node *node_get(struct bus *bus, const char *path)
{
	struct bus_node *node = node_find(bus, path);
	struct bus_node *parent;
	char *above cleanup(cleanup_free) = NULL;

	if (node || strcmp(path, "/") == 0) {
		return node ? node : node_new(bus, strdup(path));
	}
	above = parent_path(path);
	parent = above ? node_get(bus, above) : NULL;
	if (!parent) {
		return NULL;
	}
	node = node_new(bus, strdup(path));
	if (!node) {
		node_release(parent);
		return NULL;
	}
	node->parent = parent;
	TAILQ_INSERT_TAIL(&parent->children, node, siblings);
	return node;
}

void node_release(struct bus_node *node)
{
	while (node && !node->object && TAILQ_EMPTY(&node->children)) {
		struct bus_node *parent = node->parent;

		if (parent) {
			TAILQ_REMOVE(&parent->children, node, siblings);
		}
		(void)tdelete(node, &node->bus->nodes, node_compare);
		(void)node_free(node);
		node = parent;
	}
}

const char *node_name(const struct bus_node *node)
{
	return strrchr(node->path, '/') + 1;
}
