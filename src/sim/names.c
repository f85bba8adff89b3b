/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What clients may list for /dev. */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/names.h"
#include "sim/simhost_private.h"

#define SUFFIX          "-dev"
#define MODE_CONTAINER  0666
#define MODE_GROUP      0600
#define MODE_KVM        0600
#define REMOVE_OPEN_FDS 1 /* a lack of fds must not leave the directory behind */

struct simhost_names {
	char *root;
	bool *has_group; /* by number: its name is there */
	size_t group_count;
};

/* The path of a node in the tree. */
struct name {
	char text[PATH_MAX];
};

static struct name name_of(const struct simhost_names *names, const char *path)
{
	struct name name;

	(void)snprintf(name.text, sizeof(name.text), "%s%s", names->root, path + strlen("/dev"));
	return name;
}

static struct name name_of_group(const struct simhost_names *names, size_t number)
{
	char path[sizeof(NODE_GROUP_PREFIX) + 20];

	(void)snprintf(path, sizeof(path), NODE_GROUP_PREFIX "%zu", number);
	return name_of(names, path);
}

static int add_name(struct name name, mode_t mode)
{
	int fd = open(name.text, O_WRONLY | O_CREAT | O_CLOEXEC, mode);
	int r = 0;

	/* Whatever the umask is. */
	if (fd < 0 || fchmod(fd, mode) < 0) {
		r = -errno;
	}
	(void)fd_close(fd);
	return r;
}

static int make_directories(const struct simhost_names *names)
{
	struct name vfio = name_of(names, "/dev/vfio");

	return mkdir(names->root, 0755) < 0 || mkdir(vfio.text, 0755) < 0 ? -errno : 0;
}

void simhost_names_update(struct simhost_names *names, const struct sim_model *model)
{
	for (size_t i = 0; i < names->group_count; i++) {
		if (names->has_group[i] == model->groups[i].has_node) {
			continue;
		}
		if (names->has_group[i]) {
			(void)unlink(name_of_group(names, i).text);
		} else {
			(void)add_name(name_of_group(names, i), MODE_GROUP);
		}
		names->has_group[i] = model->groups[i].has_node;
	}
}

/* Whether the host has a KVM. */
static bool has_kvm(struct sim_model *model)
{
	struct sim_node node = SIM_NODE_NOTHING;
	bool found = sim_model_open(model, NODE_KVM, &node) == 0;

	sim_node_close(node);
	return found;
}

static int fill(struct simhost_names *names, struct sim_model *model)
{
	int r = make_directories(names);

	if (r == 0) {
		r = add_name(name_of(names, NODE_CONTAINER), MODE_CONTAINER);
	}
	if (r == 0 && has_kvm(model)) {
		r = add_name(name_of(names, NODE_KVM), MODE_KVM);
	}
	if (r == 0) {
		simhost_names_update(names, model);
	}
	return r;
}

int simhost_names_new(struct sim_model *model, const char *sysfs_root,
		      struct simhost_names **ret_names)
{
	struct simhost_names *names = calloc(1, sizeof(*names));
	int r;

	if (!names) {
		return -ENOMEM;
	}
	names->group_count = model->host->pe_count;
	names->has_group = calloc(names->group_count + 1, sizeof(*names->has_group));
	if (!names->has_group || asprintf(&names->root, "%s" SUFFIX, sysfs_root) < 0) {
		free(names->has_group);
		free(names);
		return -ENOMEM;
	}
	r = fill(names, model);
	if (r < 0) {
		(void)simhost_names_free(names);
		return r;
	}
	*ret_names = names;
	return 0;
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *where)
{
	(void)status;
	(void)type;
	(void)where;
	(void)remove(path);
	return 0;
}

struct simhost_names *simhost_names_free(struct simhost_names *names)
{
	if (names) {
		(void)nftw(names->root, remove_entry, REMOVE_OPEN_FDS, FTW_DEPTH | FTW_PHYS);
		free(names->root);
		free(names->has_group);
		free(names);
	}
	return NULL;
}

const char *simhost_names_root(const struct simhost_names *names)
{
	return names->root;
}
