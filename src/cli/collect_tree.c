/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libfdt.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/collect.h"
#include "common/cleanup.h"
#include "common/names.h"

#define LIVE_TREE       "firmware/devicetree/base"
#define TREE_SIZE_FIRST (1U << 20)
#define TREE_SIZE_MAX   (32U << 20)
#define FILE_SIZE_FIRST 4096U
#define NODE_DEPTH_MAX  64
#define LOCATION_SERIAL 2 /* dots before a location code's serial number: U78D2.001.SERIAL-P1 */

static int no_memory(struct error *error)
{
	return error_set(error, ERROR_KERNEL, ENOMEM, "no memory for the device tree");
}

/* All of a file of sysfs, whose size stat doesn't tell. 0 or -errno. */
static int read_file(const char *path, void **ret_bytes, size_t *ret_size)
{
	cleanup(cleanup_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
	cleanup(cleanup_free) char *bytes = NULL;
	size_t size = 0;
	size_t room = 0;

	if (fd < 0) {
		return -errno;
	}
	for (;;) {
		ssize_t some;

		if (size == room) {
			char *more;

			if (room > TREE_SIZE_MAX) {
				return -EFBIG;
			}
			room = room ? room * 2 : FILE_SIZE_FIRST;
			more = realloc(bytes, room);
			if (!more) {
				return -ENOMEM;
			}
			bytes = more;
		}
		some = read(fd, bytes + size, room - size);
		if (some < 0 && errno != EINTR) {
			return -errno;
		}
		if (some == 0) {
			break;
		}
		size += some > 0 ? (size_t)some : 0;
	}
	*ret_bytes = steal_pointer(bytes);
	*ret_size = size;
	return 0;
}

/* blanking */

/* Names of what is the machine's or its owner's own. */
static bool is_private(const char *name)
{
	static const char *const names[] = {
		"local-mac-address",
		"mac-address",
		"ibm,mac-address",
		"serial-number",
		"system-id",
		"ibm,vpd",
		"vm,uuid",
		"uuid",
		"ibm,partition-uuid",
		"ibm,partition-name",
		"host-serial",
		"wwn",
		"port-wwn",
		"node-wwn",
		"bootargs",
		"bootpath",
		"rng-seed",
		"kaslr-seed",
		"nvramrc",
		"security-password",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (strcmp(name, names[i]) == 0) {
			return true;
		}
	}
	return false;
}

static bool is_location(const char *name)
{
	return strstr(name, "loc-code") || strstr(name, "location-code") ||
	       strcmp(name, "ibm,slot-label") == 0;
}

/* "U78D2.001.WZS00AB-P1-C9": the drawer's serial number becomes X's. */
static void blank_location(char *text, size_t size)
{
	int dots = 0;

	if (size == 0 || *text != 'U') {
		return;
	}
	for (size_t i = 0; i < size && text[i] != '\0'; i++) {
		if (text[i] == '-') {
			dots = LOCATION_SERIAL + 1;
		} else if (text[i] == '.') {
			dots++;
		} else if (dots == LOCATION_SERIAL && isalnum((unsigned char)text[i])) {
			text[i] = 'X';
		}
	}
}

static void blank_node(void *tree, int node)
{
	int property;

	fdt_for_each_property_offset(property, tree, node)
	{
		const char *name = NULL;
		int size = 0;
		/* In place: the tree is ours, and its length stays. */
		char *data = (char *)(uintptr_t)fdt_getprop_by_offset(tree, property, &name, &size);

		if (data && is_private(name)) {
			memset(data, 0, (size_t)size);
		} else if (data && is_location(name)) {
			blank_location(data, (size_t)size);
		}
	}
}

static void blank_tree(void *tree)
{
	int depth = 0;

	for (int node = 0; node >= 0 && depth >= 0; node = fdt_next_node(tree, node, &depth)) {
		blank_node(tree, node);
	}
}

/* the live tree, file by file */

struct rebuild {
	char path[PATH_MAX];
	int r; /* of libfdt: the first failure */
	int errnum;
};

static bool is_hidden(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static int filter(const struct dirent *entry)
{
	return !is_hidden(entry->d_name);
}

/* The kernel puts "#1" behind a name that is taken, as a property's or another node's. */
static void strip_number(char *name)
{
	char *hash = strrchr(name, '#');

	if (hash && hash > name && hash[1] != '\0' &&
	    strspn(hash + 1, "0123456789") == strlen(hash + 1)) {
		*hash = '\0';
	}
}

static void note(struct rebuild *rebuild, int r)
{
	rebuild->r = rebuild->r ? rebuild->r : r;
}

static void add_property(struct rebuild *rebuild, void *tree, const char *file, const char *node)
{
	cleanup(cleanup_free) void *bytes = NULL;
	char name[NAME_MAX + 1];
	size_t size = 0;
	int r = read_file(rebuild->path, &bytes, &size);

	if (r == -EACCES || r == -EPERM) {
		return; /* security-password and the like */
	}
	if (r < 0) {
		rebuild->errnum = -r;
		note(rebuild, -FDT_ERR_INTERNAL);
		return;
	}
	(void)snprintf(name, sizeof(name), "%s", file);
	strip_number(name);
	/* The kernel has made up those that say no more than the node's name. */
	if (strcmp(name, "name") == 0 && size == strcspn(node, "@") + 1 &&
	    memcmp(bytes, node, size - 1) == 0) {
		return;
	}
	note(rebuild, fdt_property(tree, name, bytes, (int)size));
}

static void add_node(struct rebuild *rebuild, void *tree, const char *name, int depth);

/* One round for properties, which come first, one for nodes. */
static void add_entries(struct rebuild *rebuild, void *tree, const char *node, int depth,
			bool nodes)
{
	struct dirent **entries = NULL;
	size_t length = strlen(rebuild->path);
	int count = scandir(rebuild->path, &entries, filter, versionsort);

	if (count < 0) {
		rebuild->errnum = errno;
		note(rebuild, -FDT_ERR_INTERNAL);
		return;
	}
	for (int i = 0; i < count; i++) {
		const char *name = entries[i]->d_name;
		struct stat status;

		(void)snprintf(rebuild->path + length, sizeof(rebuild->path) - length, "/%s", name);
		if (rebuild->r == 0 && lstat(rebuild->path, &status) == 0) {
			if (!nodes && S_ISREG(status.st_mode)) {
				add_property(rebuild, tree, name, node);
			} else if (nodes && S_ISDIR(status.st_mode)) {
				add_node(rebuild, tree, name, depth + 1);
			}
		}
		rebuild->path[length] = '\0';
		free(entries[i]);
	}
	free(entries);
}

static void add_node(struct rebuild *rebuild, void *tree, const char *name, int depth)
{
	char plain[NAME_MAX + 1];

	if (depth >= NODE_DEPTH_MAX) {
		note(rebuild, -FDT_ERR_BADSTRUCTURE);
		return;
	}
	(void)snprintf(plain, sizeof(plain), "%s", name);
	strip_number(plain);
	note(rebuild, fdt_begin_node(tree, plain));
	add_entries(rebuild, tree, plain, depth, false);
	add_entries(rebuild, tree, plain, depth, true);
	note(rebuild, fdt_end_node(tree));
}

/* Into a buffer of so many bytes. */
static int rebuild_into(struct rebuild *rebuild, void *tree, size_t size)
{
	rebuild->r = fdt_create(tree, (int)size);
	note(rebuild, fdt_finish_reservemap(tree));
	if (rebuild->r == 0) {
		add_node(rebuild, tree, "", 0);
	}
	note(rebuild, fdt_finish(tree));
	return rebuild->r;
}

static int rebuild_tree(const char *sysfs, void **ret_tree, size_t *ret_size, struct error *error)
{
	for (size_t size = TREE_SIZE_FIRST; size <= TREE_SIZE_MAX; size *= 4) {
		cleanup(cleanup_free) void *tree = calloc(1, size);
		struct rebuild rebuild = {.r = 0};

		if (!tree) {
			return no_memory(error);
		}
		(void)snprintf(rebuild.path, sizeof(rebuild.path), "%s/" LIVE_TREE, sysfs);
		if (rebuild_into(&rebuild, tree, size) == 0) {
			*ret_size = fdt_totalsize(tree);
			*ret_tree = steal_pointer(tree);
			return 0;
		}
		if (rebuild.r != -FDT_ERR_NOSPACE) {
			return error_set(error, ERROR_KERNEL, rebuild.errnum,
					 "can't make a device tree from the files in %s/" LIVE_TREE
					 ": %s",
					 sysfs, fdt_strerror(rebuild.r));
		}
	}
	return error_set(error, ERROR_UNSUPPORTED, 0,
			 "the device tree in %s/" LIVE_TREE " is larger than 32 MiB", sysfs);
}

/* which of them */

/* Whether a tree has the nodes of all PCI devices: those that came after the start are in the live
 * tree alone. */
static bool has_all_devices(const char *sysfs, const void *tree)
{
	char path[PATH_MAX];
	struct dirent **entries = NULL;
	bool all = true;
	int count;

	(void)snprintf(path, sizeof(path), "%s/" SYSFS_PCI_DEVICES, sysfs);
	count = scandir(path, &entries, filter, alphasort);
	for (int i = 0; i < count; i++) {
		char target[PATH_MAX];
		ssize_t length;
		const char *node;

		(void)snprintf(path, sizeof(path), "%s/" SYSFS_PCI_DEVICES "/%s/of_node", sysfs,
			       entries[i]->d_name);
		length = readlink(path, target, sizeof(target) - 1);
		target[length > 0 ? length : 0] = '\0';
		node = strstr(target, "devicetree/base/");
		all = all &&
		      (!node || fdt_path_offset(tree, node + strlen("devicetree/base")) >= 0);
		free(entries[i]);
	}
	free(entries);
	return all;
}

int collect_tree(const char *sysfs, void **ret_tree, size_t *ret_size, bool *ret_rebuilt,
		 struct error *error)
{
	cleanup(cleanup_free) void *tree = NULL;
	char path[PATH_MAX];
	bool live;
	bool usable;
	int r;

	(void)snprintf(path, sizeof(path), "%s/" LIVE_TREE, sysfs);
	live = access(path, R_OK) == 0;
	(void)snprintf(path, sizeof(path), "%s/" SYSFS_FDT, sysfs);
	r = read_file(path, &tree, ret_size);
	if (r == -ENOENT && !live) {
		*ret_tree = NULL;
		return 0;
	}
	usable = r == 0 && fdt_check_full(tree, *ret_size) == 0 && has_all_devices(sysfs, tree);
	*ret_rebuilt = live && !usable;
	if (*ret_rebuilt) {
		free(steal_pointer(tree));
		r = rebuild_tree(sysfs, &tree, ret_size, error);
		if (r) {
			return r;
		}
	} else if (r < 0) {
		return error_set(error, ERROR_KERNEL, -r, "can't read %s", path);
	} else if (fdt_check_full(tree, *ret_size) != 0) {
		return error_set(error, ERROR_KERNEL, 0, "%s is no device tree", path);
	}
	blank_tree(tree);
	*ret_tree = steal_pointer(tree);
	return 0;
}
