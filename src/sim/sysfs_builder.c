/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/sysfs_builder.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"

#define TEXT_SIZE       4096
#define REMOVE_OPEN_FDS 1 /* a lack of fds must not leave the tree behind */

struct sysfs_path sysfs_path(const char *format, ...)
{
	struct sysfs_path path;
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(path.text, sizeof(path.text), format, arguments);
	va_end(arguments);
	return path;
}

static void fail(struct sysfs_builder *builder)
{
	if (builder->error == 0) {
		builder->error = -errno;
	}
}

void sysfs_add_directory(struct sysfs_builder *builder, const char *path)
{
	struct sysfs_path part = sysfs_path("%s", path);

	for (char *slash = strchr(part.text, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdirat(builder->root, part.text, 0755) < 0 && errno != EEXIST) {
			fail(builder);
		}
		*slash = '/';
	}
	if (mkdirat(builder->root, part.text, 0755) < 0 && errno != EEXIST) {
		fail(builder);
	}
}

int sysfs_try_directory(struct sysfs_builder *builder, const char *path)
{
	return mkdirat(builder->root, path, 0755) < 0 ? -errno : 0;
}

/* Modes are those of the real files, which the writer of this one may not keep to: what can't be
 * read by its owner is replaced, not written. */
static int make_file(struct sysfs_builder *builder, const char *path, mode_t mode)
{
	(void)unlinkat(builder->root, path, 0);
	return openat(builder->root, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
}

void sysfs_add_bytes(struct sysfs_builder *builder, const char *directory, const char *name,
		     mode_t mode, const void *bytes, size_t size)
{
	int fd = make_file(builder, sysfs_path("%s/%s", directory, name).text, mode);

	if (fd < 0 || write(fd, bytes, size) != (ssize_t)size) {
		fail(builder);
	}
	(void)fd_close(fd);
}

void sysfs_add_hole(struct sysfs_builder *builder, const char *directory, const char *name,
		    uint64_t size)
{
	int fd = make_file(builder, sysfs_path("%s/%s", directory, name).text, 0600);

	/* What this machine's file system can't have so large stays empty. */
	if (fd < 0 || (ftruncate(fd, (off_t)size) < 0 && errno != EFBIG && errno != EINVAL)) {
		fail(builder);
	}
	(void)fd_close(fd);
}

void sysfs_add_text(struct sysfs_builder *builder, const char *directory, const char *name,
		    const char *format, ...)
{
	char text[TEXT_SIZE];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	sysfs_add_bytes(builder, directory, name, 0644, text, strlen(text));
}

void sysfs_add_triggers(struct sysfs_builder *builder, const char *directory,
			const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		sysfs_add_bytes(builder, directory, names[i], 0200, "", 0);
	}
}

/* How much of two paths is the same directories, a slash behind them included. */
static size_t common_part(const char *one, const char *other)
{
	size_t common = 0;

	for (size_t i = 0; one[i] != '\0' && one[i] == other[i]; i++) {
		common = one[i] == '/' ? i + 1 : common;
	}
	return common;
}

void sysfs_add_link(struct sysfs_builder *builder, const char *directory, const char *name,
		    const char *target)
{
	struct sysfs_path link = sysfs_path("%s/%s", directory, name);
	struct sysfs_path relative = sysfs_path("%s", "");
	size_t common = common_part(link.text, target);
	size_t used = 0;

	for (const char *slash = strchr(link.text + common, '/'); slash;
	     slash = strchr(slash + 1, '/')) {
		used += (size_t)snprintf(relative.text + used, sizeof(relative.text) - used, "../");
	}
	(void)snprintf(relative.text + used, sizeof(relative.text) - used, "%s", target + common);
	if (symlinkat(relative.text, builder->root, link.text) < 0 && errno != EEXIST) {
		fail(builder);
	}
}

void sysfs_remove(struct sysfs_builder *builder, const char *path)
{
	if (unlinkat(builder->root, path, 0) < 0 && errno != ENOENT) {
		fail(builder);
	}
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *where)
{
	(void)status;
	(void)type;
	(void)where;
	(void)remove(path);
	return 0;
}

void sysfs_remove_tree(const char *root, const char *path)
{
	struct sysfs_path full = sysfs_path("%s/%s", root, path);

	(void)nftw(full.text, remove_entry, REMOVE_OPEN_FDS, FTW_DEPTH | FTW_PHYS);
}
