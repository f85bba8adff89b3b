/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files of the address space share: space*.c. */
#pragma once

#include "common/worker_protocol.h"
#include "vfio/space.h"

struct space {
	struct space_settings settings;
	struct space_policy policy;
	struct ledger *ledger;
	struct section *sections[WORKER_MEMORY_MAX]; /* in order of gpa; arriving ones, too */
	unsigned int section_count;
	struct window windows[WORKER_WINDOWS_MAX]; /* in order of start */
	unsigned int window_count;
	struct container *containers[WORKER_CONTAINERS_MAX]; /* linked */
	unsigned int container_count;
	uint64_t leaked_bytes; /* of containers that are gone */
	uint32_t last_section_id;
	bool changing; /* a change is under way */
};

/* A step and what takes it back. revert may be NULL when there is nothing to take back. */
struct step {
	int (*apply)(struct container *container, void *argument, struct error *error);
	int (*revert)(struct container *container, void *argument, struct error *error);
	bool revert_failed; /* the container where it failed is to be reverted, too */
};

/*
 * Apply a step to containers, all or none. ret_unreverted (may be NULL) tells whether taking it
 * back failed somewhere; the error's text then says where.
 */
int step_everywhere(struct container *const *containers, unsigned int count,
		    const struct step *step, void *argument, bool *ret_unreverted,
		    struct error *error);

/* Changes */

enum change_kind {
	CHANGE_ATTACH,
	CHANGE_DETACH,
	CHANGE_MEMORY_ADD,
	CHANGE_MEMORY_REMOVE,
};

struct space_change {
	struct space *space;
	enum change_kind kind;
	struct container *container; /* attached or detached; not linked meanwhile */
	struct section *section;     /* arriving or leaving */
	bool windows_left;           /* in the container detached */
	int code;                    /* of work */
	bool unreverted;             /* work could not take back what it did */
	struct error error;          /* if code isn't 0 */
};

/* ERROR_BUSY when another change is under way, or ERROR_KERNEL. */
int space_change_new(struct space *space, enum change_kind kind, struct space_change **ret_change,
		     struct error *error);

/* From here on it is under way. Returns it. */
struct space_change *space_change_start(struct space_change *change);

/* The parts of each kind (space_attach.c, space_memory.c); change->error is passed on already. */
void space_work_attach(struct space_change *change);
int space_finish_attach(struct space_change *change, struct space_outcome *ret_outcome,
			struct error *error);
void space_work_detach(struct space_change *change);
int space_finish_detach(struct space_change *change, struct space_outcome *ret_outcome,
			struct error *error);
void space_work_memory(struct space_change *change);
int space_finish_memory_add(struct space_change *change, struct space_outcome *ret_outcome,
			    struct error *error);
int space_finish_memory_remove(struct space_change *change, struct error *error);

/* Sections */

/* The size of all sections. */
uint64_t space_section_bytes(const struct space *space);

/* Refuse to have more bytes registered than may be locked, be it in a new first container or (NULL)
 * in those that there are. ERROR_QUOTA_EXCEEDED */
int space_check_pinning(const struct space *space, const struct container *container,
			uint64_t bytes, struct error *error);

/* The index of the section that contains a gpa, or of the next one above it. */
unsigned int space_section_index(const struct space *space, uint64_t gpa);

struct section *space_section_at(const struct space *space, uint64_t gpa);
void space_section_insert(struct space *space, struct section *section);
void space_section_drop(struct space *space, const struct section *section);

/* The sum of space_locked. */
uint64_t space_locked_bytes(const struct space *space);

/* Refuse what would lock more than the limit. ERROR_QUOTA_EXCEEDED */
int space_check_locked(const struct space *space, uint64_t more, struct error *error);

/* The same for what a container that isn't linked yet is going to lock for tables, beyond those
 * that it has. ERROR_QUOTA_EXCEEDED */
int space_check_new_tables(const struct space *space, const struct container *container,
			   uint64_t more, struct error *error);

/* Windows */

/* The window that contains a range, or NULL. */
const struct window *space_window_around(const struct space *space, struct range iova);
void space_window_insert(struct space *space, const struct window *window);
void space_window_drop(struct space *space, uint64_t start);

/* Mappings */

/* Make the ledger's mappings inside a range real in a container, as many as can be; the first
 * failure is returned. */
int space_replay_mappings(const struct space *space, struct container *container, struct range iova,
			  struct error *error);

/* Unmap what the ledger has in a container, in as few calls as possible: all, or none unless
 * `anyway`, which goes on after failures. */
int space_unmap_container(const struct space *space, struct container *container, bool anyway,
			  struct error *error);

/* Containers */

/* Take everything of the space out of a container, as far as possible, and free it. */
void space_close_container(struct space *space, struct container *container);

/* Free a container that has nothing of the space any more. What it leaked stays counted. */
void space_free_container(struct space *space, struct container *container);

/* Give a new container the windows of the space, at the same starts. If it is the first, they are
 * its own. After a failure the container is only good for closing. */
int space_replay_windows(struct space *space, struct container *container, struct error *error);

/* Remove all windows of the space from a container, as far as possible. Whether all are gone: if
 * not, they may hold strays, and the memory may only go with the container. */
bool space_remove_windows(const struct space *space, struct container *container);

/* Take all sections out of a container without windows, as far as possible. */
void space_remove_sections(const struct space *space, struct container *container);
