/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/sim_program.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "common/cleanup.h"

/* Scripts whose interpreter is a script. */
#define SCRIPTS_MAX 4

#define CAPABILITIES "security.capability"

/* finding */

static bool is_program(const char *path)
{
	struct stat status;

	return stat(path, &status) == 0 && S_ISREG(status.st_mode) && access(path, X_OK) == 0;
}

int sim_program_find(const char *name, char ret_path[static PATH_MAX])
{
	const char *part = getenv("PATH");

	part = part ? part : "/usr/local/bin:/usr/bin:/bin";
	if (strchr(name, '/')) {
		if (snprintf(ret_path, PATH_MAX, "%s", name) >= PATH_MAX) {
			return -ENAMETOOLONG;
		}
		if (access(ret_path, F_OK) < 0) {
			return -errno;
		}
		return is_program(ret_path) ? 0 : -EACCES;
	}
	for (;;) {
		int length = (int)strcspn(part, ":");

		if (snprintf(ret_path, PATH_MAX, "%.*s%s%s", length, part, length ? "/" : "./",
			     name) < PATH_MAX &&
		    is_program(ret_path)) {
			return 0;
		}
		if (!part[length]) {
			return -ENOENT;
		}
		part += length + 1;
	}
}

/* checking */

/* A program file that is looked at. */
struct image {
	int fd;
	union {
		Elf64_Ehdr elf;
		char script[PATH_MAX];
	} head;
	size_t size;
};

static bool read_image(const char *path, struct image *image)
{
	ssize_t size;

	image->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (image->fd < 0) {
		return false;
	}
	memset(&image->head, 0, sizeof(image->head));
	size = pread(image->fd, &image->head, sizeof(image->head) - 1, 0);
	image->size = size > 0 ? (size_t)size : 0;
	return true;
}

/* Whether the program has another that loads it. */
static bool has_interpreter(const struct image *image)
{
	const Elf64_Ehdr *elf = &image->head.elf;

	for (unsigned int i = 0; i < elf->e_phnum; i++) {
		Elf64_Phdr segment;
		off_t offset = (off_t)(elf->e_phoff + i * sizeof(segment));

		if (pread(image->fd, &segment, sizeof(segment), offset) == sizeof(segment) &&
		    segment.p_type == PT_INTERP) {
			return true;
		}
	}
	return false;
}

/* Whether running it gives rights, for which the dynamic linker ignores libraries of the user's. */
static bool gives_rights(const struct image *image)
{
	struct stat status;

	if (fstat(image->fd, &status) < 0) {
		return false;
	}
	return (status.st_mode & S_ISUID && status.st_uid != geteuid()) ||
	       (status.st_mode & S_ISGID && status.st_gid != getegid()) ||
	       (geteuid() != 0 && fgetxattr(image->fd, CAPABILITIES, NULL, 0) > 0);
}

/* The interpreter of a script, in its first line. Returns false for what is no script. */
static bool find_script_interpreter(struct image *image, char ret_path[PATH_MAX])
{
	const char *line = image->head.script;
	size_t length;

	if (strncmp(line, "#!", 2) != 0) {
		return false;
	}
	line += 2 + strspn(line + 2, " \t");
	length = strcspn(line, " \t\n");
	memcpy(ret_path, line, length);
	ret_path[length] = '\0';
	return true;
}

/* Why the library can't be put into a program, or NULL. */
static const char *check_elf(const struct image *image)
{
	if (image->size < sizeof(image->head.elf) ||
	    memcmp(image->head.elf.e_ident, ELFMAG, SELFMAG) != 0) {
		return NULL; /* whatever it is, executing it will tell */
	}
	if (image->head.elf.e_ident[EI_CLASS] != ELFCLASS64) {
		return "is a 32-bit program, and the library that diverts its calls is not";
	}
	if (!has_interpreter(image)) {
		return "is statically linked: no library can be put in front of its system calls";
	}
	if (gives_rights(image)) {
		return "gets rights when it is run (set-user-ID, set-group-ID or file "
		       "capabilities), and "
		       "so takes no library that its user chose";
	}
	return NULL;
}

const char *sim_program_check(const char *path, char *text, size_t size)
{
	char current[PATH_MAX];
	char next[PATH_MAX];

	(void)snprintf(current, sizeof(current), "%s", path);
	for (int i = 0; i < SCRIPTS_MAX; i++) {
		struct image image;
		const char *reason;
		bool is_script;

		if (!read_image(current, &image)) {
			return NULL;
		}
		is_script = find_script_interpreter(&image, next);
		reason = is_script ? NULL : check_elf(&image);
		cleanup_fd(&image.fd);
		if (reason) {
			(void)snprintf(text, size, "%s %s", current, reason);
			return text;
		}
		if (!is_script) {
			return NULL;
		}
		memcpy(current, next, sizeof(current));
	}
	return NULL;
}
