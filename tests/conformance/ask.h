/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How each kind of question is asked. All are called by scene_ask. */
#pragma once

#include "scene.h"

typedef void ask_function(struct scene *scene, const struct arguments *with, struct answer *answer);

/* ask_container.c, ask_group.c, ask_device.c, ask_kvm.c, ask_sysfs.c, dma.c: what they can ask,
 * NULL for what they can't. */
extern ask_function *const ask_of_container[ASKS];
extern ask_function *const ask_of_group[ASKS];
extern ask_function *const ask_of_device[ASKS];
extern ask_function *const ask_of_kvm[ASKS];
extern ask_function *const ask_of_sysfs[ASKS];
ask_function ask_dma;

/* The size of the structure that is told: that given, or the right one. */
static inline uint32_t argsz_of(const struct arguments *with, size_t right_size)
{
	return with->argsz ? with->argsz - 1 : (uint32_t)right_size;
}

uint64_t address_of(const struct scene *scene, const struct arguments *with);
uint64_t iova_of(const struct scene *scene, const struct arguments *with);
uint64_t size_of(const struct arguments *with);

/* The container, or what stands instead of one. *ret_opened is closed by the caller. */
int pick_fd(const struct scene *scene, const struct arguments *with, int *ret_opened);

/* Answer 0, and keep what was opened; it is closed again if there is one already. */
void answer_opened(struct answer *answer, int *fd, int opened);

/* An ioctl whose argument is a bad address. */
void ask_bad_pointer(int fd, const struct arguments *with, struct answer *answer);

/* The capabilities of an information structure, from offset on; it ends at `end`. */
void answer_capabilities(struct answer *answer, const uint8_t *info, uint32_t offset, uint32_t end);

#define UNKNOWN_IOCTL _IO(VFIO_TYPE, VFIO_BASE + 100)
/* A structure that a newer kernel may know more of than the header, or that more may be told of. */
#define ROOMY(type)                         \
	union {                             \
		type as;                    \
		uint8_t bytes[ANSWER_ROOM]; \
	}
#define ANSWER_ROOM 4096

#define ANSWER_CHANGES(answer, fields, before, after) \
	answer_changes(answer, fields, COUNT(fields), before, after)
