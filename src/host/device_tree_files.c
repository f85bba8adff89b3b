/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The device tree once more, of the files that the kernel makes of it. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libfdt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "host/device_tree.h"

#define TREE_SIZE_MAX     (16 << 20)
#define PROPERTY_SIZE_MAX (8U << 20)
#define DEPTH_MAX         32U   /* each level keeps an fd open */
#define ENTRIES_MAX       65536 /* of one node */
#define READ_SIZE         4096U

struct rebuild {
	char *blob; /* TREE_SIZE_MAX bytes, of which those are touched that are used */
	char *value;
	size_t value_room;
};

static int errno_of(int fdt_error)
{
	return fdt_error == -FDT_ERR_NOSPACE ? -EFBIG : fdt_error < 0 ? -EBADMSG : 0;
}

/* -- the entries of a folder -- */

struct names {
	struct dirent **entries;
	int count;
};

static void cleanup_names(struct names *names)
{
	for (int i = 0; i < names->count; i++) {
		free(names->entries[i]);
	}
	free(names->entries);
}

static int is_wanted(const struct dirent *entry)
{
	return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

static int compare_names(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int list_folder(int folder, struct names *ret_names)
{
	int count = scandirat(folder, ".", &ret_names->entries, is_wanted, compare_names);

	if (count < 0) {
		return -errno;
	}
	ret_names->count = count;
	return count > ENTRIES_MAX ? -EFBIG : 0;
}

/* -- properties -- */

/* What was there when it was listed may be gone, and some is for root alone. */
static bool is_passed_over(int errnum)
{
	return errnum == ENOENT || errnum == ENODEV || errnum == EACCES || errnum == EPERM ||
	       errnum == ELOOP || errnum == ENXIO;
}

static int grow(struct rebuild *rebuild, size_t used)
{
	size_t room = rebuild->value_room + rebuild->value_room / 2 + READ_SIZE;
	char *larger;

	if (rebuild->value_room > used) {
		return 0;
	}
	larger = realloc(rebuild->value, room);
	if (!larger) {
		return -ENOMEM;
	}
	rebuild->value = larger;
	rebuild->value_room = room;
	return 0;
}

/* The size of what was read into the value, or -errno. */
static ssize_t read_value(struct rebuild *rebuild, int file)
{
	size_t size = 0;
	ssize_t r;

	do {
		r = grow(rebuild, size);
		if (r < 0) {
			return r;
		}
		r = read(file, rebuild->value + size, rebuild->value_room - size);
		if (r < 0) {
			return -errno;
		}
		size += (size_t)r;
		if (size > PROPERTY_SIZE_MAX) {
			return -EFBIG;
		}
	} while (r > 0);
	return (ssize_t)size;
}

/* populate_properties makes the property up for nodes without: the node's name up to its address.
 */
static bool is_made_up(const char *name, const char *value, size_t size, const char *node)
{
	size_t length = strcspn(node, "@");

	return strcmp(name, "name") == 0 && size == length + 1 &&
	       memcmp(value, node, length) == 0 && value[length] == '\0';
}

static int add_property(struct rebuild *rebuild, int folder, const char *name, const char *node)
{
	/* Without O_NONBLOCK a fifo would be waited for. */
	cleanup(cleanup_fd) int file =
		openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat status;
	ssize_t size;

	if (file < 0) {
		return is_passed_over(errno) ? 0 : -errno;
	}
	if (fstat(file, &status) < 0 || !S_ISREG(status.st_mode)) {
		return 0; /* a folder, whose turn is later, or nothing of a device tree's */
	}
	size = read_value(rebuild, file);
	if (size < 0) {
		return is_passed_over((int)-size) ? 0 : (int)size;
	}
	if (is_made_up(name, rebuild->value, (size_t)size, node)) {
		return 0;
	}
	return errno_of(fdt_property(rebuild->blob, name, rebuild->value, (int)size));
}

/* -- nodes -- */

static int open_folder(int above, const char *name)
{
	int folder = openat(above, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return folder < 0 ? -errno : folder;
}

static int add_node(struct rebuild *rebuild, int folder, const char *name, unsigned int depth);

static int add_nodes_below(struct rebuild *rebuild, int folder, const struct names *names,
			   unsigned int depth)
{
	for (int i = 0; i < names->count; i++) {
		const char *name = names->entries[i]->d_name;
		cleanup(cleanup_fd) int below = open_folder(folder, name);
		int r = 0;

		if (below >= 0) {
			r = add_node(rebuild, below, name, depth + 1);
		} else if (below != -ENOTDIR && !is_passed_over(-below)) {
			r = below;
		}
		if (r < 0) {
			return r;
		}
	}
	return 0;
}

/* Properties come first: that is the order of a flattened tree. */
static int add_node(struct rebuild *rebuild, int folder, const char *name, unsigned int depth)
{
	cleanup(cleanup_names) struct names names = {.count = 0};
	int r = depth < DEPTH_MAX ? list_folder(folder, &names) : -ELOOP;

	if (r == 0) {
		r = errno_of(fdt_begin_node(rebuild->blob, name));
	}
	for (int i = 0; r == 0 && i < names.count; i++) {
		r = add_property(rebuild, folder, names.entries[i]->d_name, name);
	}
	if (r == 0) {
		r = add_nodes_below(rebuild, folder, &names, depth);
	}
	return r < 0 ? r : errno_of(fdt_end_node(rebuild->blob));
}

static int flatten(struct rebuild *rebuild, int folder)
{
	int r = errno_of(fdt_create(rebuild->blob, TREE_SIZE_MAX));

	if (r == 0) {
		r = errno_of(fdt_finish_reservemap(rebuild->blob));
	}
	if (r == 0) {
		r = add_node(rebuild, folder, "", 0);
	}
	if (r == 0) {
		r = errno_of(fdt_finish(rebuild->blob));
	}
	return r == 0 && fdt_check_full(rebuild->blob, TREE_SIZE_MAX) != 0 ? -EBADMSG : r;
}

int device_tree_rebuild(const char *folder, struct device_tree **ret_tree)
{
	cleanup(cleanup_fd) int root = open_folder(AT_FDCWD, folder);
	cleanup(cleanup_free) char *blob = NULL;
	struct rebuild rebuild = {.blob = NULL};
	char *packed;
	int r;

	if (root < 0) {
		return root;
	}
	blob = malloc(TREE_SIZE_MAX);
	if (!blob) {
		return -ENOMEM;
	}
	rebuild.blob = blob;
	r = flatten(&rebuild, root);
	free(rebuild.value);
	if (r < 0) {
		return r;
	}
	packed = realloc(blob, fdt_totalsize(blob));
	if (packed) {
		blob = packed;
	}
	*ret_tree = (struct device_tree *)steal_pointer(blob);
	return 0;
}
