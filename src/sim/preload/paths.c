/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which paths are diverted, and where to. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/names.h"
#include "sim/preload/preload.h"
#include "sim/preload/real.h"

#define SYS         "/sys"
#define DEV         "/dev"
#define DEV_VFIO    "/dev/vfio"
#define DEV_IOMMU   "/dev/iommu"
#define DEVICE_TREE "/proc/device-tree"
#define TREE_BASE   "/firmware/devicetree/base"

/* Parts of /sys, with all that is below. Those with a star are beginnings of names. */
static const char *const sysfs_parts[] = {
	"/bus/pci",      "/class/iommu",           "/class/vfio",           "/class/vfio-dev",
	"/devices/pci*", "/devices/virtual/iommu", "/devices/virtual/vfio", "/firmware/devicetree",
	"/firmware/fdt", "/kernel/iommu_groups",   "/module/vfio*",
};

static struct {
	char sysfs[PATH_MAX];
	char dev[PATH_MAX];
} roots;

bool preload_paths_set(const char *sysfs_root, const char *dev_root)
{
	if (strlen(sysfs_root) >= sizeof(roots.sysfs) / 2 ||
	    strlen(dev_root) >= sizeof(roots.dev) / 2) {
		return false;
	}
	memcpy(roots.sysfs, sysfs_root, strlen(sysfs_root) + 1);
	memcpy(roots.dev, dev_root, strlen(dev_root) + 1);
	return true;
}

/* Whether path is what prefix names, or below; then returns what follows. */
static const char *find_below(const char *path, const char *prefix)
{
	while (*prefix && *path == *prefix) {
		path++;
		prefix++;
	}
	return !*prefix && (*path == '/' || *path == '\0') ? path : NULL;
}

/* making paths plain */

/* Take the last name off a path. */
static size_t remove_name(const char *path, size_t length)
{
	while (length > 0 && path[length - 1] != '/') {
		length--;
	}
	return length > 0 ? length - 1 : 0;
}

/*
 * Write path, which is absolute, with single slashes, without "." and without a slash at its end;
 * "..", which may lead out of a symbolic link, is resolved by the letter. Returns false when there
 * is no room.
 */
static bool flatten(const char *path, char flat[PATH_MAX])
{
	size_t length = 0;

	while (*path) {
		size_t name = strcspn(path, "/");

		if (name == 2 && memcmp(path, "..", 2) == 0) {
			length = remove_name(flat, length);
		} else if (name > 1 || (name == 1 && *path != '.')) {
			if (length + name + 2 > PATH_MAX) {
				return false;
			}
			flat[length++] = '/';
			memcpy(flat + length, path, name);
			length += name;
		}
		path += name;
		path += strspn(path, "/");
	}
	flat[length] = '\0';
	return true;
}

/* The path of the directory that a relative one begins at. */
static bool find_base(int dirfd, char base[PATH_MAX])
{
	char link[64];
	long length;

	if (dirfd == AT_FDCWD) {
		/* With the zero at its end. */
		length = syscall(SYS_getcwd, base, PATH_MAX) - 1;
	} else {
		(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", dirfd);
		length = REAL(readlinkat)(AT_FDCWD, link, base, PATH_MAX - 1);
	}
	if (length <= 0 || *base != '/') {
		return false;
	}
	base[length] = '\0';
	return true;
}

/* Whether something below a directory may be diverted. */
static bool base_matters(const char *base)
{
	return strcmp(base, "/") == 0 || find_below(base, SYS) || find_below(base, DEV) ||
	       find_below(base, "/proc");
}

/* Make a given path absolute, and tell whether it begins in a tree of the simulated host. Returns
 * false when it can't be diverted. */
static bool make_absolute(int dirfd, const char *given, char absolute[PATH_MAX], bool *ret_inside)
{
	size_t length;

	if (*given == '/') {
		static const char firsts[] = "sdp/.";

		if (!given[1] || !strchr(firsts, given[1]) || strlen(given) >= PATH_MAX) {
			return false;
		}
		memcpy(absolute, given, strlen(given) + 1);
		return true;
	}
	if (!*given || !find_base(dirfd, absolute)) {
		return false;
	}
	*ret_inside = preload_path_restore(absolute);
	length = strlen(absolute);
	if (!base_matters(absolute) || length + strlen(given) + 2 > PATH_MAX) {
		return false;
	}
	absolute[length] = '/';
	memcpy(absolute + length + 1, given, strlen(given) + 1);
	return true;
}

/* where to */

static bool is_diverted_sysfs(const char *below)
{
	for (size_t i = 0; i < sizeof(sysfs_parts) / sizeof(sysfs_parts[0]); i++) {
		const char *part = sysfs_parts[i];
		size_t length = strcspn(part, "*");

		if (part[length] ? strncmp(below, part, length) == 0
				 : find_below(below, part) != NULL) {
			return true;
		}
	}
	return false;
}

static void divert(struct preload_path *path, enum preload_kind kind, const char *root,
		   const char *middle, const char *rest)
{
	int length = snprintf(path->text, sizeof(path->text), "%s%s%s", root, middle, rest);

	if (length > 0 && (size_t)length < sizeof(path->text)) {
		path->kind = kind;
		path->use = path->text;
	}
}

/* ".." leads where the file system says, not where the letters do; so what was given is kept. */
static void divert_sysfs(struct preload_path *path, const char *absolute, const char *flat)
{
	const char *below = find_below(absolute, SYS);

	divert(path, PRELOAD_FILE, roots.sysfs, "", below ? below : flat + strlen(SYS));
}

static void divert_dev(struct preload_path *path, const char *absolute, const char *flat)
{
	const char *name = find_below(flat, DEV_VFIO);
	bool is_node = strcmp(flat, NODE_KVM) == 0 || (name && *name);
	size_t length = strlen(flat);

	divert(path, is_node ? PRELOAD_NODE : PRELOAD_FILE, roots.dev, "", flat + strlen(DEV));
	memcpy(path->name, flat, length + 1);
	/* A node is no directory, which a slash at the end asks for. */
	if (is_node && absolute[strlen(absolute) - 1] == '/' && length + 1 < sizeof(path->name)) {
		memcpy(path->name + length, "/", 2);
		divert(path, PRELOAD_NODE, roots.dev, flat + strlen(DEV), "/");
	}
}

static bool is_own_status(const char *flat)
{
	char own[64];

	if (strncmp(flat, "/proc/", strlen("/proc/")) != 0) {
		return false;
	}
	(void)snprintf(own, sizeof(own), "/proc/%d/status", (int)getpid());
	return strcmp(flat, "/proc/self/status") == 0 ||
	       strcmp(flat, "/proc/thread-self/status") == 0 || strcmp(flat, own) == 0;
}

static void find_plain(struct preload_path *path, const char *absolute, bool inside)
{
	char flat[PATH_MAX];
	const char *rest;

	if (!flatten(absolute, flat)) {
		return;
	}
	if ((rest = find_below(flat, SYS)) != NULL) {
		if (is_diverted_sysfs(rest)) {
			divert_sysfs(path, absolute, flat);
		}
	} else if (find_below(flat, DEV_VFIO) || strcmp(flat, NODE_KVM) == 0 ||
		   strcmp(flat, DEV_IOMMU) == 0) {
		divert_dev(path, absolute, flat);
	} else if ((rest = find_below(flat, DEVICE_TREE)) != NULL) {
		divert(path, PRELOAD_FILE, roots.sysfs, TREE_BASE, rest);
	} else if (is_own_status(flat)) {
		path->kind = PRELOAD_STATUS;
	}
	/* The way out of a tree is not the one that its parents' names have. */
	if (inside && path->kind == PRELOAD_OTHER) {
		divert(path, PRELOAD_FILE, *flat ? flat : "/", "", "");
	}
}

void preload_path_find(struct preload_path *path, int dirfd, const char *given)
{
	char absolute[PATH_MAX];
	bool inside = false;
	int saved = errno;

	path->kind = PRELOAD_OTHER;
	path->use = given;
	if (preload_is_on() && given && make_absolute(dirfd, given, absolute, &inside)) {
		find_plain(path, absolute, inside);
	}
	errno = saved;
}

static bool restore(char *text, const char *root, const char *instead)
{
	const char *rest = *root ? find_below(text, root) : NULL;

	if (!rest) {
		return false;
	}
	memmove(text + strlen(instead), rest, strlen(rest) + 1);
	for (size_t i = 0; instead[i]; i++) {
		text[i] = instead[i];
	}
	return true;
}

bool preload_path_restore(char *text)
{
	return restore(text, roots.sysfs, SYS) || restore(text, roots.dev, DEV);
}
