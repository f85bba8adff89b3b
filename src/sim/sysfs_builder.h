/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Making files, directories and links below a directory that stands for /sys. */
#pragma once

#include <limits.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Building stops at nothing; the first failure stays in error, as -errno. */
struct sysfs_builder {
	int root; /* directory fd; the caller's */
	int error;
};

/* A path below the root, or in it the target of a link. Longer ones are cut, which nothing made by
 * a host that sim_host_new let pass is. */
struct sysfs_path {
	char text[PATH_MAX];
};

struct sysfs_path sysfs_path(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A directory and those above it. */
void sysfs_add_directory(struct sysfs_builder *builder, const char *path);

/* A directory whose parent is there. Returns 0 or -errno, EEXIST among them, without failing. */
int sysfs_try_directory(struct sysfs_builder *builder, const char *path);

void sysfs_add_bytes(struct sysfs_builder *builder, const char *directory, const char *name,
		     mode_t mode, const void *bytes, size_t size);

/* A file of so many zeros, which take no room. */
void sysfs_add_hole(struct sysfs_builder *builder, const char *directory, const char *name,
		    uint64_t size);

void sysfs_add_text(struct sysfs_builder *builder, const char *directory, const char *name,
		    const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Files that can only be written. */
void sysfs_add_triggers(struct sysfs_builder *builder, const char *directory,
			const char *const *names, size_t count);

/* A link, to a target below the root, by way of the directory that both have in common, as
 * sysfs_create_link makes it. */
void sysfs_add_link(struct sysfs_builder *builder, const char *directory, const char *name,
		    const char *target);

/* A file or link, which need not be there. */
void sysfs_remove(struct sysfs_builder *builder, const char *path);

/* A directory with all that is in it, which need not be there. root is the path of the root. */
void sysfs_remove_tree(const char *root, const char *path);
