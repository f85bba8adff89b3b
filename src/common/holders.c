/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/holders.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"

static void cleanup_directory(DIR **directory)
{
	if (*directory) {
		(void)closedir(*directory);
	}
}

/* The number that a name is; 0: it is none. */
static pid_t parse_pid(const char *name)
{
	char *end;
	long number;

	if (!isdigit((unsigned char)*name)) {
		return 0;
	}
	errno = 0;
	number = strtol(name, &end, 10);
	return *end == '\0' && errno == 0 && number <= INT_MAX ? (pid_t)number : 0;
}

static bool reads_as(int directory, const char *name, const char *link)
{
	char text[PATH_MAX];
	ssize_t length = readlinkat(directory, name, text, sizeof(text));

	return length >= 0 && (size_t)length == strlen(link) &&
	       memcmp(text, link, (size_t)length) == 0;
}

static bool holds(int proc, const char *pid, const char *link)
{
	cleanup(cleanup_directory) DIR *directory = NULL;
	struct dirent *entry;
	char path[64];
	bool found = false;
	int fd;

	(void)snprintf(path, sizeof(path), "%.32s/fd", pid);
	fd = openat(proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	directory = fd < 0 ? NULL : fdopendir(fd);
	if (!directory) {
		(void)fd_close(fd);
		return false;
	}
	while (!found && (entry = readdir(directory))) {
		found = reads_as(fd, entry->d_name, link);
	}
	return found;
}

int holders_find(const char *proc, const char *link, pid_t *ret_pids, size_t most)
{
	cleanup(cleanup_directory) DIR *directory = opendir(proc);
	struct dirent *entry;
	size_t count = 0;

	if (!directory) {
		return -errno;
	}
	while (count < most && count < INT_MAX && (entry = readdir(directory))) {
		pid_t pid = parse_pid(entry->d_name);

		if (pid > 0 && holds(dirfd(directory), entry->d_name, link)) {
			ret_pids[count++] = pid;
		}
	}
	return (int)count;
}

void holder_name(const char *proc, pid_t pid, char ret_name[static HOLDER_NAME_SIZE])
{
	cleanup(cleanup_fd) int fd = -1;
	char path[PATH_MAX];
	ssize_t length = -1;

	(void)snprintf(path, sizeof(path), "%s/%d/comm", proc, (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		length = read(fd, ret_name, HOLDER_NAME_SIZE - 1);
	}
	ret_name[length > 0 ? length : 0] = '\0';
	ret_name[strcspn(ret_name, "\n")] = '\0';
	for (char *at = ret_name; *at; at++) {
		*at = isprint((unsigned char)*at) ? *at : '?';
	}
	if (*ret_name == '\0') {
		(void)snprintf(ret_name, HOLDER_NAME_SIZE, "?");
	}
}
