/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "binder/state.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"

#define HEAD     "spaprd-bind 1"
#define END      "end"
#define NONE     "-"
#define NEW      ".new"
#define LOCK     "lock"
#define FILE_MAX 16384U /* more than all devices need */

struct state_device *state_find(struct state *state, const char *name)
{
	for (size_t i = 0; i < state->count; i++) {
		if (strcmp(state->devices[i].name, name) == 0) {
			return &state->devices[i];
		}
	}
	return NULL;
}

/* -- reading -- */

/* The next word of a line, if it fits; false: it doesn't, or there is none. */
static bool take_word(const char **line, char *ret_word, size_t size)
{
	const char *start = *line + strspn(*line, " ");
	size_t length = strcspn(start, " ");

	if (length == 0 || length >= size) {
		return false;
	}
	memcpy(ret_word, start, length);
	ret_word[length] = '\0';
	*line = start + length;
	return true;
}

/* What is behind a word up to the line's end, blanks as well: names of drivers may have some. */
static bool take_rest(const char *line, char *ret_text, size_t size)
{
	if (line[0] != ' ' || line[1] == '\0') {
		return false;
	}
	return (size_t)snprintf(ret_text, size, "%s", line + 1) < size;
}

static bool parse_device(const char *line, struct state *state)
{
	struct state_device device = {.override = ""};

	if (state->count == BIND_DEVICES_MAX ||
	    !take_word(&line, device.name, sizeof(device.name)) ||
	    !take_rest(line, device.driver, sizeof(device.driver)) ||
	    state_find(state, device.name)) {
		return false;
	}
	if (strcmp(device.driver, NONE) == 0) {
		device.driver[0] = '\0';
	}
	state->devices[state->count++] = device;
	return true;
}

static bool parse_override(const char *line, struct state *state)
{
	char name[BIND_NAME_SIZE];
	struct state_device *device = NULL;

	if (take_word(&line, name, sizeof(name))) {
		device = state_find(state, name);
	}
	return device && take_rest(line, device->override, sizeof(device->override));
}

/* Cuts the text into lines. Whether all of it makes sense. */
static bool parse(char *text, struct state *ret_state)
{
	struct state state = {.count = 0};
	bool ended = false;
	char *rest = text;
	char *line = strsep(&rest, "\n");

	if (strcmp(line, HEAD) != 0) {
		return false;
	}
	while (!ended && rest) {
		line = strsep(&rest, "\n");
		ended = strcmp(line, END) == 0;
		if (!ended &&
		    !(strncmp(line, "device ", 7) == 0 && parse_device(line + 7, &state)) &&
		    !(strncmp(line, "override ", 9) == 0 && parse_override(line + 9, &state))) {
			return false;
		}
	}
	if (!ended || !rest || *rest != '\0') {
		return false;
	}
	*ret_state = state;
	return true;
}

/* -- the folder -- */

static void print_name(uint32_t group, char ret_name[static NAME_MAX])
{
	(void)snprintf(ret_name, NAME_MAX, "group-%" PRIu32, group);
}

/* Root does what stands in it, so nobody else may have written that. */
static int check_own(int fd)
{
	struct stat status;

	if (fstat(fd, &status) < 0) {
		return -errno;
	}
	return status.st_uid == geteuid() && !(status.st_mode & (S_IWGRP | S_IWOTH)) ? 0 : -EPERM;
}

/* An fd or -errno. */
static int open_folder(const char *folder)
{
	cleanup(cleanup_fd) int fd = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int r = fd < 0 ? -errno : check_own(fd);

	return r < 0 ? r : steal_fd(&fd);
}

static int make_folder(const char *folder)
{
	return mkdir(folder, 0700) < 0 && errno != EEXIST ? -errno : open_folder(folder);
}

static int refuse_to_keep(const char *folder, uint32_t group, int r, struct error *error)
{
	return error_set(error, ERROR_KERNEL, -r,
			 "can't keep the record %s/group-%" PRIu32
			 " of what the devices of group %" PRIu32 " are bound to%s",
			 folder, group, group,
			 r == -EPERM ? ": somebody else may write to the folder; remove it" : "");
}

int state_lock(const char *folder, uint32_t group, int *ret_lock, struct error *error)
{
	/* One file for all groups: their numbers are anybody's, and a file would stay of each. */
	struct flock lock = {
		.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = (off_t)group, .l_len = 1};
	cleanup(cleanup_fd) int directory = make_folder(folder);
	cleanup(cleanup_fd) int fd = -1;

	if (directory < 0) {
		return refuse_to_keep(folder, group, directory, error);
	}
	fd = openat(directory, LOCK, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0) {
		return refuse_to_keep(folder, group, -errno, error);
	}
	if (fcntl(fd, F_OFD_SETLK, &lock) < 0) {
		return errno == EAGAIN || errno == EACCES
			       ? error_set(error, ERROR_BUSY, 0,
					   "another spaprd-bind is at work for group %" PRIu32
					   ": wait until it has come to its end",
					   group)
			       : refuse_to_keep(folder, group, -errno, error);
	}
	*ret_lock = steal_fd(&fd);
	return 0;
}

/* -- reading a record -- */

/* The size, or -errno. */
static ssize_t read_record(const char *folder, const char *name, char ret_text[static FILE_MAX])
{
	cleanup(cleanup_fd) int directory = open_folder(folder);
	cleanup(cleanup_fd) int fd = -1;
	ssize_t size;
	int r;

	if (directory < 0) {
		return directory;
	}
	/* Not to wait for a writer, should it be a pipe. */
	fd = openat(directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	r = fd < 0 ? -errno : check_own(fd);
	if (r < 0) {
		return r;
	}
	size = read(fd, ret_text, FILE_MAX - 1);
	return size < 0 ? -errno : size;
}

int state_read(const char *folder, uint32_t group, struct state *ret_state, struct error *error)
{
	char name[NAME_MAX];
	char text[FILE_MAX];
	ssize_t size;

	print_name(group, name);
	size = read_record(folder, name, text);
	if (size == -ENOENT) {
		ret_state->count = 0;
		return 0;
	}
	if (size < 0) {
		return error_set(
			error, ERROR_KERNEL, (int)-size, "can't read %s/%s%s", folder, name,
			size == -EPERM ? ", which somebody else may have written: bind the "
					 "devices by hand and remove it"
				       : "");
	}
	text[size] = '\0';
	if (strlen(text) != (size_t)size || !parse(text, ret_state)) {
		return error_set(error, ERROR_KERNEL, 0,
				 "%s/%s, the record of what the devices of group %" PRIu32
				 " were bound to, makes no sense: bind them by hand and remove it",
				 folder, name, group);
	}
	return 0;
}

/* -- writing -- */

static void print(const struct state *state, char *ret_text, size_t size)
{
	size_t used = (size_t)snprintf(ret_text, size, HEAD "\n");

	for (size_t i = 0; i < state->count; i++) {
		const struct state_device *device = &state->devices[i];

		used += (size_t)snprintf(ret_text + used, size - used, "device %s %s\n",
					 device->name, device->driver[0] ? device->driver : NONE);
		if (device->override[0]) {
			used += (size_t)snprintf(ret_text + used, size - used, "override %s %s\n",
						 device->name, device->override);
		}
	}
	(void)snprintf(ret_text + used, size - used, END "\n");
}

/* 0 or -errno. */
static int write_file(int directory, const char *name, const char *text)
{
	cleanup(cleanup_fd) int fd = -1;
	size_t length = strlen(text);
	ssize_t written;

	/* What an earlier one left that didn't come to its end. */
	(void)unlinkat(directory, name, 0);
	fd = openat(directory, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) {
		return -errno;
	}
	written = write(fd, text, length);
	if (written >= 0 && (size_t)written < length) {
		return -ENOSPC;
	}
	return written < 0 || fsync(fd) < 0 ? -errno : 0;
}

static int replace(int directory, const char *name, const struct state *state)
{
	char temporary[NAME_MAX + sizeof(NEW)];
	char text[FILE_MAX];
	int r;

	(void)snprintf(temporary, sizeof(temporary), "%s" NEW, name);
	print(state, text, sizeof(text));
	r = write_file(directory, temporary, text);
	if (r == 0 && renameat(directory, temporary, directory, name) < 0) {
		r = -errno;
	}
	if (r < 0) {
		(void)unlinkat(directory, temporary, 0);
	}
	return r;
}

static int write_record(int directory, const char *name, const struct state *state)
{
	int r = 0;

	if (state->count > 0) {
		r = replace(directory, name, state);
	} else if (unlinkat(directory, name, 0) < 0 && errno != ENOENT) {
		r = -errno;
	}
	if (r == 0 && fsync(directory) < 0) {
		r = -errno;
	}
	return r;
}

int state_write(const char *folder, uint32_t group, const struct state *state, struct error *error)
{
	cleanup(cleanup_fd) int directory = make_folder(folder);
	char name[NAME_MAX];
	int r = directory;

	print_name(group, name);
	if (directory >= 0) {
		r = write_record(directory, name, state);
	}
	return r < 0 ? refuse_to_keep(folder, group, r, error) : 0;
}
