/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "scene.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ask.h"
#include "guard.h"

#define PLACES     ((uintptr_t)1 << 45)
#define PLACE_SIZE (64 * MIB)

/* -- fds -- */

void scene_fds(struct scene *scene, int *ret_fds[static SCENE_FDS])
{
	size_t count = 0;

	for (size_t i = 0; i < CONTAINERS; i++) {
		ret_fds[count++] = &scene->container[i];
	}
	for (size_t i = 0; i < GROUPS; i++) {
		ret_fds[count++] = &scene->group[i];
		ret_fds[count++] = &scene->device[i];
	}
	for (size_t i = 0; i < EVENTS; i++) {
		ret_fds[count++] = &scene->event[i];
	}
	ret_fds[count++] = &scene->kvm;
	ret_fds[count++] = &scene->vm;
	ret_fds[count++] = &scene->vfio_device;
	ret_fds[count] = &scene->tce_table;
}

static int open_group(enum group group)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/dev/vfio/%s", world.role[group].number);
	return open(path, O_RDWR | O_CLOEXEC);
}

void scene_open(struct scene *scene)
{
	for (size_t i = 0; i < CONTAINERS; i++) {
		scene->container[i] = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC);
	}
	for (enum group group = EDU; group < NO_NODE; group++) {
		scene->group[group] = open_group(group);
	}
	for (size_t i = 0; i < EVENTS; i++) {
		scene->event[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	}
}

void scene_close(struct scene *scene)
{
	int *fds[SCENE_FDS] = {NULL};

	scene_fds(scene, fds);
	for (size_t i = 0; i < SCENE_FDS; i++) {
		if (*fds[i] >= 0) {
			(void)close(*fds[i]);
		}
		*fds[i] = -1;
	}
}

/* -- memory -- */

uint64_t scene_memory_size(enum memory memory)
{
	static const uint64_t sizes[MEMORIES] = {
		[WHOLE] = WHOLE_SIZE,
		[READ_ONLY] = READ_ONLY_SIZE,
		[NO_ACCESS] = NO_ACCESS_SIZE,
		[CUT_SHORT] = CUT_SHORT_SIZE,
		[ALIAS] = WHOLE_SIZE,
		[PRIVATE] = PRIVATE_SIZE,
		[NOWHERE] = 0,
	};

	return sizes[memory];
}

static int prot_of(enum memory memory)
{
	return memory == NO_ACCESS   ? PROT_NONE
	       : memory == READ_ONLY ? PROT_READ
				     : PROT_READ | PROT_WRITE;
}

/* Each but WHOLE, whose file ALIAS shares, has a file of its own. */
static int file_of(enum memory memory)
{
	static int whole = -1;
	uint64_t size = scene_memory_size(memory);
	int fd;

	if (memory == PRIVATE) {
		return -1;
	}
	if ((memory == WHOLE || memory == ALIAS) && whole >= 0) {
		return whole;
	}
	fd = memfd_create("conformance", MFD_CLOEXEC);
	if (fd < 0 || ftruncate(fd, (off_t)(memory == CUT_SHORT ? size / 2 : size)) != 0) {
		perror("memory for the questions");
		exit(2);
	}
	if (memory == WHOLE || memory == ALIAS) {
		whole = fd;
	}
	return fd;
}

bool scene_map_memory(struct scene *scene, enum memory memory)
{
	uint8_t *wanted = scene->memory[memory];
	uint64_t size = scene_memory_size(memory);
	int fd = file_of(memory);
	int flags = (memory == PRIVATE ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED) |
		    (wanted ? MAP_FIXED : 0);
	void *address = mmap(wanted, size, prot_of(memory), flags, fd, 0);

	if (fd >= 0 && memory != WHOLE && memory != ALIAS) {
		(void)close(fd);
	}
	if (address == MAP_FAILED) {
		return false;
	}
	scene->memory[memory] = address;
	return true;
}

/* Each has a place far from where the kernel puts things, so that what lies behind it stays
 * free. */
static void make_memory(struct scene *scene)
{
	for (enum memory memory = WHOLE; memory < NOWHERE; memory++) {
		scene->memory[memory] = (uint8_t *)(PLACES + memory * PLACE_SIZE);
		if (!scene_map_memory(scene, memory)) {
			perror("the questions' memory");
			exit(2);
		}
	}
}

void scene_begin(struct scene *scene, const char *name)
{
	int *fds[SCENE_FDS] = {NULL};

	*scene = (struct scene){.name = name};
	scene_fds(scene, fds);
	for (size_t i = 0; i < SCENE_FDS; i++) {
		*fds[i] = -1;
	}
	make_memory(scene);
	scene->guard = guard_new();
	if (!scene->guard) {
		perror("the guard");
		exit(2);
	}
}

/* -- asking -- */

uint64_t scene_locked(void)
{
	char text[4096];
	const char *line;
	ssize_t length = -1;
	int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);

	if (fd >= 0) {
		length = read(fd, text, sizeof(text) - 1);
		(void)close(fd);
	}
	text[length > 0 ? length : 0] = '\0';
	line = strstr(text, "VmLck:");
	return line ? strtoull(line + 6, NULL, 10) : 0;
}

static ask_function *function_of(enum ask ask)
{
	ask_function *const *const all[] = {ask_of_container, ask_of_group, ask_of_device,
					    ask_of_kvm, ask_of_sysfs};

	for (size_t i = 0; i < COUNT(all); i++) {
		if (all[i][ask]) {
			return all[i][ask];
		}
	}
	return ask == DMA ? ask_dma : NULL;
}

void scene_ask(struct scene *scene, const struct question *question, struct answer *ret_answer)
{
	const char *harm = guard_check(scene, question);
	ask_function *function = function_of(question->ask);

	memset(ret_answer, 0, sizeof(*ret_answer));
	if (harm) {
		answer_refuse(ret_answer, harm);
	} else if (!function) {
		answer_tell(ret_answer, "no such question");
	} else {
		function(scene, &question->with, ret_answer);
	}
	if (ret_answer->kind == ANSWER_CALL) {
		guard_note(scene, question, ret_answer->result, ret_answer->start);
	}
}
