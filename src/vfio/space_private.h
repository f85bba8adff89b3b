/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files of the address space share: space.c, space_mapping.c, space_window.c and
 * space_change.c. */
#pragma once

#include "common/worker_protocol.h"
#include "vfio/space.h"

struct space {
	struct space_settings settings;
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

/* Sections */

/* The index of the section that contains a gpa, or of the next one above it. */
unsigned int space_section_index(const struct space *space, uint64_t gpa);

struct section *space_section_at(const struct space *space, uint64_t gpa);
void space_section_insert(struct space *space, struct section *section);
void space_section_drop(struct space *space, const struct section *section);

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
