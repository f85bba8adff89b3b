/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A host for tests of spaprd-bind: a tree that stands for /sys, one that stands for /proc, a folder
 * for records, and a kernel seam that binds as the kernel does by changing the first.
 *
 * Group 3 has 0003:01:00.0 on vfio-pci and 0003:01:00.1 on e1000e; group 4 has 0004:01:00.0 without
 * a driver; group 5 a bridge on pcieport and 0005:01:00.0 on nvme. Drivers: vfio-pci, e1000e, nvme,
 * pcieport, and "lazy", which never takes what it is probed for.
 */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

#include "binder/binder.h"

#define STAGE_WRITES_MAX 64U

struct binder_stage {
	char root[PATH_MAX / 4]; /* with sys, proc and state in it */
	char sys[PATH_MAX / 2];
	char proc[PATH_MAX / 2];
	char state[PATH_MAX / 2];
	struct kernel kernel;
	struct binder binder;
	/* What was written, "PATH=TEXT", in order. */
	char writes[STAGE_WRITES_MAX][192];
	unsigned int write_count;
	/* The write with that number, from 1 on, and those after it as many as `fail_times`, are
	 * refused with that errno and change nothing. 0: none. */
	unsigned int fail_at;
	unsigned int fail_times;
	int fail_errno;
	/* The device vanishes when the write with that number comes. */
	unsigned int vanish_at;
	const char *vanishing;
	pid_t holder; /* of each group's node; 0: none */
	int holders_errno;
};

extern struct binder_stage stage;

/* For each test. */
int binder_stage_set_up(void **state);
int binder_stage_tear_down(void **state);

/* Files and links below the root; folders are made. */
void stage_write_file(const char *path, const char *text);
void stage_link(const char *path, const char *target);

/* Have a group bound ("" driver: restored), and the answer's code. */
int stage_bind(uint32_t group, const char *driver, uint32_t flags);
int stage_restore(uint32_t group);
extern struct bind_answer stage_answer;

/* What the tree says: "" for none. */
void stage_expect_driver(const char *device, const char *driver);
void stage_expect_override(const char *device, const char *override);
void stage_expect_words(const char *words);
/* Whether there is a record of the group. */
bool stage_has_record(uint32_t group);
