/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a scene is about, and the asking of its questions. */
#pragma once

#include "answer.h"
#include "question.h"
#include "world.h"

struct guard;

struct scene {
	const char *name;
	int container[CONTAINERS];
	int group[GROUPS];
	int device[GROUPS];
	int event[EVENTS];
	int kvm;
	int vm;
	int vfio_device;
	int tce_table;
	uint8_t *memory[MEMORIES];
	uint64_t made; /* the start of the window that was made last */
	struct guard *guard;
	unsigned int asked;
};

/* All fds of a scene, in one order. */
#define SCENE_FDS (CONTAINERS + GROUPS + GROUPS + EVENTS + 4)
void scene_fds(struct scene *scene, int *ret_fds[static SCENE_FDS]);

/* A scene without any fd, with memory. */
void scene_begin(struct scene *scene, const char *name);
/* Open both containers and all groups but NO_NODE. */
void scene_open(struct scene *scene);
void scene_close(struct scene *scene);

/* Memory of a scene, which has its own place in each process that made it. */
uint64_t scene_memory_size(enum memory memory);
bool scene_map_memory(struct scene *scene, enum memory memory);

/* Ask one question; it is not printed. */
void scene_ask(struct scene *scene, const struct question *question, struct answer *ret_answer);

/* What is locked for this process, in KiB. */
uint64_t scene_locked(void);
