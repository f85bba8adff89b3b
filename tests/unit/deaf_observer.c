/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "deaf_observer.h"

static void handle_space(void *userdata, struct space *space)
{
	(void)userdata;
	(void)space;
}

static void handle_space_removed(void *userdata, struct space *space, const char *why)
{
	(void)userdata;
	(void)space;
	(void)why;
}

static void handle_space_changed(void *userdata, struct space *space, unsigned int what)
{
	(void)userdata;
	(void)space;
	(void)what;
}

static void handle_container(void *userdata, struct space *space,
			     const struct worker_container *container)
{
	(void)userdata;
	(void)space;
	(void)container;
}

static void handle_group(void *userdata, struct group *group)
{
	(void)userdata;
	(void)group;
}

const struct manager_observer deaf_observer = {
	.space_added = handle_space,
	.space_removed = handle_space_removed,
	.space_changed = handle_space_changed,
	.container_added = handle_container,
	.container_changed = handle_container,
	.container_removed = handle_container,
	.group_changed = handle_group,
};
