/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Hosts by name: the built-in ones, and those in files. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "sim/host.h"
#include "sim/hosts.h"
#include "sim/settings.h"

#define FILE_SIZE_MAX ((off_t)32 << 20)
#define TREE_SOURCE   "tree.dts"
#define TREE_COMPILED "tree.dtb"
#define DEVICE_LIST   "devices.ini"

static int no_memory(struct error *error)
{
	return error_set(error, ERROR_KERNEL, ENOMEM, "no memory for the host");
}

/* files */

static int file_error(struct error *error, int errnum, const char *path, const char *what)
{
	return error_set(error, errnum == ENOENT ? ERROR_NOT_FOUND : ERROR_INVALID_ARGUMENT, errnum,
			 "%s: %s", path, what);
}

/* All bytes of an fd that stands at its beginning; calloc's memory is aligned as a tree must be. */
static int read_all(int fd, const char *path, void **ret_bytes, size_t *ret_size,
		    struct error *error)
{
	struct stat status;
	cleanup(cleanup_free) char *bytes = NULL;
	size_t size = 0;

	if (fstat(fd, &status) < 0) {
		return file_error(error, errno, path, "can't be read");
	}
	if (!S_ISREG(status.st_mode) || status.st_size > FILE_SIZE_MAX) {
		return file_error(error, 0, path, "is no file, or larger than 32 MiB");
	}
	bytes = calloc(1, (size_t)status.st_size + 1);
	if (!bytes) {
		return no_memory(error);
	}
	while (size < (size_t)status.st_size) {
		ssize_t some = pread(fd, bytes + size, (size_t)status.st_size - size, (off_t)size);

		if (some < 0 && errno != EINTR) {
			return file_error(error, errno, path, "can't be read");
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

static int read_file(const char *path, void **ret_bytes, size_t *ret_size, struct error *error)
{
	cleanup(cleanup_fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	return fd < 0 ? file_error(error, errno, path, "can't be opened")
		      : read_all(fd, path, ret_bytes, ret_size, error);
}

/* dtc writes its messages, with file and line, where ours go. */
static int spawn_dtc(const char *path, int output, pid_t *ret_pid)
{
	char *arguments[] = {(char *)"dtc", (char *)"-q",  (char *)"-I", (char *)"dts",
			     (char *)"-O",  (char *)"dtb", (char *)"-o", (char *)"-",
			     (char *)"--",  (char *)path,  NULL};
	posix_spawn_file_actions_t actions;
	int r;

	(void)posix_spawn_file_actions_init(&actions);
	r = posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
	if (r == 0) {
		r = posix_spawnp(ret_pid, "dtc", &actions, NULL, arguments, environ);
	}
	(void)posix_spawn_file_actions_destroy(&actions);
	return r;
}

static int compile_tree(const char *path, void **ret_fdt, size_t *ret_size, struct error *error)
{
	cleanup(cleanup_fd) int output = memfd_create("tree", MFD_CLOEXEC);
	int status = 0;
	pid_t pid;
	int r;

	if (access(path, R_OK) < 0) {
		return file_error(error, errno, path, "can't be opened");
	}
	if (output < 0) {
		return error_set(error, ERROR_KERNEL, errno, "can't make a file for the tree");
	}
	r = spawn_dtc(path, output, &pid);
	if (r == ENOENT) {
		return error_set(error, ERROR_UNSUPPORTED, 0,
				 "%s: a tree's source is compiled by dtc, which is not here; "
				 "install device-tree-compiler, or give a .dtb",
				 path);
	}
	if (r != 0) {
		return error_set(error, ERROR_KERNEL, r, "can't start dtc");
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
	}
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		return error_set(error, ERROR_INVALID_ARGUMENT, 0,
				 "%s: dtc can't compile it, and has said why", path);
	}
	return read_all(output, path, ret_fdt, ret_size, error);
}

/* hosts in files */

static bool ends_with(const char *text, const char *end)
{
	size_t length = strlen(text);

	return length >= strlen(end) && strcmp(text + length - strlen(end), end) == 0;
}

static bool is_path(const char *name)
{
	return strchr(name, '/') || ends_with(name, ".dts") || ends_with(name, ".dtb") ||
	       ends_with(name, ".ini");
}

/* "/tmp/x/tree.dtb" is host "tree"; a directory gives its own name. */
static char *name_of_path(const char *path)
{
	size_t length = strlen(path);
	const char *end;
	const char *begin;
	const char *dot;

	while (length > 1 && path[length - 1] == '/') {
		length--;
	}
	end = path + length;
	begin = memrchr(path, '/', length);
	begin = begin && begin + 1 < end ? begin + 1 : path;
	dot = memchr(begin, '.', (size_t)(end - begin));
	if (dot && dot > begin) {
		end = dot;
	}
	return strndup(begin, (size_t)(end - begin));
}

/* The files of a host; NULL where there is none. */
struct files {
	char *tree;
	char *list;
};

static void cleanup_files(struct files *files)
{
	free(files->tree);
	free(files->list);
}

static int join(const char *directory, const char *name, char **ret_path)
{
	return asprintf(ret_path, "%s/%s", directory, name) < 0 ? -ENOMEM : 0;
}

static int find_in_directory(const char *directory, struct files *files, struct error *error)
{
	static const char *const trees[] = {TREE_COMPILED, TREE_SOURCE};

	for (size_t i = 0; i < sizeof(trees) / sizeof(*trees) && !files->tree; i++) {
		char *path = NULL;

		if (join(directory, trees[i], &path) < 0) {
			return no_memory(error);
		}
		if (access(path, F_OK) == 0) {
			files->tree = path;
		} else {
			free(path);
		}
	}
	if (!files->list && join(directory, DEVICE_LIST, &files->list) < 0) {
		files->list = NULL;
		return no_memory(error);
	}
	return 0;
}

/* files->list is what the settings say, or NULL. */
static int find_files(const char *path, struct files *files, struct error *error)
{
	struct stat status;
	char **where = ends_with(path, ".ini") ? &files->list : &files->tree;

	if (stat(path, &status) < 0) {
		return file_error(error, errno, path, "can't be opened");
	}
	if (S_ISDIR(status.st_mode)) {
		return find_in_directory(path, files, error);
	}
	if (*where) {
		return error_set(error, ERROR_INVALID_ARGUMENT, 0,
				 "%s is a device list, and there is another: %s", path, *where);
	}
	*where = strdup(path);
	return *where ? 0 : no_memory(error);
}

static int open_files(const char *path, const struct files *files,
		      const struct sim_settings *settings, struct sim_host **ret_host,
		      struct error *error)
{
	cleanup(cleanup_free) char *name = name_of_path(path);
	cleanup(cleanup_free) void *fdt = NULL;
	cleanup(cleanup_free) void *list = NULL;
	struct sim_host_source source = {.settings = *settings};
	int r = 0;

	if (!name) {
		return no_memory(error);
	}
	if (files->tree && ends_with(files->tree, ".dts")) {
		r = compile_tree(files->tree, &fdt, &source.fdt_size, error);
	} else if (files->tree) {
		r = read_file(files->tree, &fdt, &source.fdt_size, error);
	}
	if (r == 0 && files->list) {
		r = read_file(files->list, &list, &source.list_size, error);
	}
	if (r) {
		return r;
	}
	source.name = name;
	source.fdt_name = files->tree;
	source.fdt = fdt;
	source.list_name = files->list;
	source.list = list;
	r = sim_host_new(&source, ret_host, error);
	if (r == 0) {
		(*ret_host)->own_fdt = steal_pointer(fdt);
	}
	return r;
}

/* built-in hosts */

static const struct sim_builtin_host *find_builtin(const char *name)
{
	for (size_t i = 0; i < sim_builtin_host_count; i++) {
		if (strcmp(sim_builtin_hosts[i].name, name) == 0) {
			return &sim_builtin_hosts[i];
		}
	}
	return NULL;
}

static int unknown_host(const char *name, struct error *error)
{
	(void)error_set(error, ERROR_NOT_FOUND, 0,
			"there is no simulated host \"%s\", and it is no path (with a slash, or "
			"with .dts, .dtb or .ini at its end); built in are",
			name);
	for (size_t i = 0; i < sim_builtin_host_count && error; i++) {
		error_append(error, " %s", sim_builtin_hosts[i].name);
	}
	return ERROR_NOT_FOUND;
}

static int open_builtin(const char *name, const char *list_path,
			const struct sim_settings *settings, struct sim_host **ret_host,
			struct error *error)
{
	const struct sim_builtin_host *builtin = find_builtin(name);
	cleanup(cleanup_free) void *list = NULL;
	char fdt_name[NAME_MAX];
	char list_name[NAME_MAX];
	struct sim_host_source source = {.settings = *settings};
	int r;

	if (!builtin) {
		return unknown_host(name, error);
	}
	(void)snprintf(fdt_name, sizeof(fdt_name), "%s.dts", name);
	(void)snprintf(list_name, sizeof(list_name), "%s.ini", name);
	source.name = builtin->name;
	source.fdt_name = fdt_name;
	source.fdt = builtin->fdt;
	source.fdt_size = builtin->fdt_size;
	source.list_name = list_name;
	source.list = builtin->list;
	source.list_size = builtin->list_size;
	if (list_path) {
		r = read_file(list_path, &list, &source.list_size, error);
		if (r) {
			return r;
		}
		source.list_name = list_path;
		source.list = list;
	}
	return sim_host_new(&source, ret_host, error);
}

int sim_host_open(const char *text, struct sim_host **ret_host, struct error *error)
{
	size_t length = strcspn(text, ",");
	cleanup(cleanup_free) char *name = strndup(text, length);
	cleanup(cleanup_files) struct files files = {0};
	struct sim_settings settings = SIM_SETTINGS_DEFAULT;
	int r;

	if (!name) {
		return no_memory(error);
	}
	if (text[length] == ',' && text[length + 1] == '\0') {
		return error_set(error, ERROR_INVALID_ARGUMENT, 0,
				 "\"%s\": a setting is wanted behind the comma", text);
	}
	r = sim_settings_parse(text + length + (text[length] == ','), &settings, &files.list,
			       error);
	if (r) {
		return r;
	}
	if (!is_path(name)) {
		return open_builtin(name, files.list, &settings, ret_host, error);
	}
	r = find_files(name, &files, error);
	return r ? r : open_files(name, &files, &settings, ret_host, error);
}

int sim_host_new_builtin(const char *text, struct sim_host **ret_host)
{
	struct error error;

	switch (sim_host_open(text, ret_host, &error)) {
	case 0:
		return 0;
	case ERROR_NOT_FOUND:
		return -ENODEV;
	default:
		return -EINVAL;
	}
}
