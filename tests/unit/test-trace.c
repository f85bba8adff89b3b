/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The trace points that the programs have are those of the manual, with as many arguments. */
#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "common/cleanup.h"
#include "common/trace.h"
#include "unit.h"

#define POINTS_MAX 128U
#define NAME_SIZE  48

/* What sys/sdt.h calls the section of its notes, and these notes. */
#define NOTE_SECTION ".note.stapsdt"
#define NOTE_TYPE    3

struct point {
	char name[NAME_SIZE];
	unsigned int arguments;
};

struct points {
	struct point point[POINTS_MAX];
	unsigned int count;
};

static const struct point *find(const struct points *points, const char *name)
{
	for (unsigned int i = 0; i < points->count; i++) {
		if (strcmp(points->point[i].name, name) == 0) {
			return &points->point[i];
		}
	}
	return NULL;
}

/* One that is compiled in at several places is one. */
static void add(struct points *points, const char *name, unsigned int arguments)
{
	const struct point *known = find(points, name);

	if (known) {
		if (known->arguments != arguments) {
			fail_msg("%s has %u arguments here and %u there", name, arguments,
				 known->arguments);
		}
		return;
	}
	assert_true(points->count < POINTS_MAX && strlen(name) < NAME_SIZE);
	(void)snprintf(points->point[points->count].name, NAME_SIZE, "%s", name);
	points->point[points->count++].arguments = arguments;
}

static unsigned int count_words(const char *text)
{
	unsigned int words = 0;

	for (const char *at = text; *at; at++) {
		words += *at != ' ' && (at == text || at[-1] == ' ');
	}
	return words;
}

/* -- programs -- */

/* Behind three addresses: provider, name and arguments, each with a zero. */
static void add_note(struct points *points, const char *description)
{
	const char *provider = description + 3 * sizeof(Elf64_Addr);
	const char *name = provider + strlen(provider) + 1;

	if (strcmp(provider, TRACE_PROVIDER) == 0) {
		add(points, name, count_words(name + strlen(name) + 1));
	}
}

static size_t round_up(size_t size)
{
	return (size + 3) & ~(size_t)3;
}

static void read_notes(struct points *points, const char *notes, size_t size)
{
	size_t at = 0;

	while (at + sizeof(Elf64_Nhdr) <= size) {
		Elf64_Nhdr head;
		const char *description;

		memcpy(&head, notes + at, sizeof(head));
		description = notes + at + sizeof(head) + round_up(head.n_namesz);
		if (head.n_type == NOTE_TYPE) {
			add_note(points, description);
		}
		at += sizeof(head) + round_up(head.n_namesz) + round_up(head.n_descsz);
	}
}

static void read_program(struct points *points, const char *path)
{
	cleanup(cleanup_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat status;
	const char *image;
	const Elf64_Ehdr *head;
	const Elf64_Shdr *sections;
	const char *names;

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &status), 0);
	image = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	assert_ptr_not_equal(image, MAP_FAILED);
	head = (const Elf64_Ehdr *)image;
	sections = (const Elf64_Shdr *)(image + head->e_shoff);
	names = image + sections[head->e_shstrndx].sh_offset;
	for (unsigned int i = 0; i < head->e_shnum; i++) {
		if (strcmp(names + sections[i].sh_name, NOTE_SECTION) == 0) {
			read_notes(points, image + sections[i].sh_offset, sections[i].sh_size);
		}
	}
	assert_int_equal(munmap((void *)image, (size_t)status.st_size), 0);
}

/* -- the manual -- */

/* ".BI map " iova size address flags result"" */
static void add_line(struct points *points, char *line)
{
	char *rest = NULL;
	char *name = strtok_r(line + strlen(".BI "), " \n", &rest);
	char *arguments = strtok_r(NULL, "\"\n", &rest);

	assert_non_null(name);
	assert_non_null(arguments);
	if (find(points, name)) {
		fail_msg("%s is there twice", name);
	}
	add(points, name, count_words(arguments));
}

static void read_manual(struct points *points)
{
	cleanup(cleanup_file) FILE *file = fopen(MANUAL, "re");
	char line[256];

	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		if (strncmp(line, ".BI ", strlen(".BI ")) == 0) {
			add_line(points, line);
		}
	}
}

/* -- tests -- */

static void expect_all(const struct points *points, const struct points *others, const char *lack)
{
	for (unsigned int i = 0; i < points->count; i++) {
		const struct point *point = &points->point[i];
		const struct point *other = find(others, point->name);

		if (!other) {
			fail_msg("%s: %s", point->name, lack);
		} else if (other->arguments != point->arguments) {
			fail_msg("%s has %u arguments, not %u", point->name, point->arguments,
				 other->arguments);
		}
	}
}

static void test_manual_lists_them(void **state)
{
	static const char *const programs[] = {PROGRAMS};
	struct points there = {.count = 0};
	struct points listed = {.count = 0};

	(void)state;
	for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++) {
		read_program(&there, programs[i]);
	}
	read_manual(&listed);
	assert_true(listed.count > 20);
	expect_all(&there, &listed, "the manual does not have it");
	expect_all(&listed, &there, "no program has it");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_manual_lists_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
