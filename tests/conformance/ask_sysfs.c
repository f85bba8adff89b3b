/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ask.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ENTRIES_MOST 128

static void ask_link(struct scene *scene, const struct arguments *with, struct answer *answer)
{
	char path[256];
	char target[256] = "";

	(void)scene;
	world_text(with->name, path, sizeof(path));
	answer_call(answer, readlink(path, target, sizeof(target) - 1) < 0 ? -1 : 0);
	answer_add(answer, "%s", target);
}

/* Lines, or strings, with a bar after each. */
static void ask_file(struct scene *scene, const struct arguments *with, struct answer *answer)
{
	char path[256];
	char bytes[1024];
	ssize_t count;
	int fd;

	(void)scene;
	world_text(with->name, path, sizeof(path));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		answer_call(answer, -1);
		return;
	}
	count = read(fd, bytes, sizeof(bytes) - 1);
	answer_call(answer, count < 0 ? -1 : 0);
	for (ssize_t i = 0; i < count; i++) {
		answer_add(answer, "%c", bytes[i] == '\n' || bytes[i] == 0 ? '|' : bytes[i]);
	}
	(void)close(fd);
}

static int compare_names(const void *left, const void *right)
{
	return strcmp(*(char *const *)left, *(char *const *)right);
}

static void ask_list(struct scene *scene, const struct arguments *with, struct answer *answer)
{
	char *names[ENTRIES_MOST];
	size_t count = 0;
	char path[256];
	DIR *directory;
	const struct dirent *entry;

	(void)scene;
	world_text(with->name, path, sizeof(path));
	directory = opendir(path);
	answer_call(answer, directory ? 0 : -1);
	while (directory && count < ENTRIES_MOST && (entry = readdir(directory))) {
		if (entry->d_name[0] != '.') {
			names[count++] = strdup(entry->d_name);
		}
	}
	if (directory) {
		(void)closedir(directory);
	}
	qsort(names, count, sizeof(names[0]), compare_names);
	for (size_t i = 0; i < count; i++) {
		answer_add(answer, " %s", names[i]);
		free(names[i]);
	}
}

static void ask_is_there(struct scene *scene, const struct arguments *with, struct answer *answer)
{
	static const char *const kinds[] = {
		"fifo", "character device", "directory", "block device", "file",
		"link", "socket",           "other"};
	static const mode_t modes[] = {S_IFIFO, S_IFCHR, S_IFDIR, S_IFBLK,
				       S_IFREG, S_IFLNK, S_IFSOCK};
	char path[256];
	struct stat found;
	size_t kind = 0;

	(void)scene;
	world_text(with->name, path, sizeof(path));
	answer_call(answer, stat(path, &found));
	if (answer->result != 0) {
		return;
	}
	while (kind < COUNT(modes) && (found.st_mode & S_IFMT) != modes[kind]) {
		kind++;
	}
	answer_add(answer, "%s %#o", kinds[kind], (unsigned int)(found.st_mode & 07777U));
}

ask_function *const ask_of_sysfs[ASKS] = {
	[READ_LINK] = ask_link,
	[READ_FILE] = ask_file,
	[LIST] = ask_list,
	[IS_THERE] = ask_is_there,
};
