/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files of the address space share: space*.c. */
#pragma once

#include "common/worker_protocol.h"
#include "vfio/reset.h"
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
	struct container *arriving; /* being brought up to date, not linked yet; or NULL */
	/* One that a group is going to leave, once its devices are closed; or NULL. */
	const struct container *leaving;
	uint64_t leaked_bytes; /* of containers that are gone */
	uint64_t device_bytes; /* of the ledger's mappings, those of devices' memory */
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
	struct container *container; /* attached or detached; not linked meanwhile, unless: */
	struct section *section;     /* arriving or leaving */
	bool linked;                 /* it is: a group joined it, or left it to the others */
	bool windows_left;           /* in the container detached */
	bool forced;                 /* detached, whatever the owner thinks of that */
	uint32_t group;              /* detached */
	struct group *stopping;      /* whose devices are to be stopped before it leaves, or NULL */
	uint64_t replayed;           /* of the outcome */
	uint64_t lost;
	int code;           /* of work */
	bool unreverted;    /* work could not take back what it did */
	struct error error; /* if code isn't 0 */
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
bool space_advance_detach(struct space_change *change);
int space_finish_detach(struct space_change *change, struct space_outcome *ret_outcome,
			struct error *error);
void space_work_memory(struct space_change *change);
int space_finish_memory_add(struct space_change *change, struct space_outcome *ret_outcome,
			    struct error *error);
int space_finish_memory_remove(struct space_change *change, struct error *error);

/* Sections */

/* The size of all sections that are not skipped. */
uint64_t space_section_bytes(const struct space *space);

/*
 * Have a container that arrives take all sections, or none. A ram-device that it refuses is left
 * out, to be skipped: unless there are other containers, which all have it.
 */
int space_add_sections(const struct space *space, struct container *container, struct error *error);

/* Before the first container comes: what the last one has refused, this one may take. */
void space_forget_refusals(struct space *space);

/* When the container counts: what it refused is skipped from now on, and told of. */
void space_settle_refusals(struct space *space, struct space_outcome *outcome);

/* Identity sections (space_identity.c) */

/* Whether a section has a mapping of its own; whether a mapping is such; how many there are. */
bool space_identity_is_mapped(const struct space *space, const struct section *section);
bool space_identity_has(const struct space *space, const struct mapping *mapping);
uint64_t space_identity_count(const struct space *space);

/*
 * Enter an identity section's own mapping in the ledger, before any container has it. There are
 * windows.
 * ERROR_OUTSIDE_WINDOW, ERROR_PAGE_SIZE, ERROR_ALREADY_MAPPED, ERROR_KERNEL
 */
int space_identity_enter(struct space *space, struct section *section, struct error *error);

/* Take it out again, if it is there. No container has it. */
void space_identity_leave(struct space *space, struct section *section);

/* The same for all sections, when the first container has its windows, before mappings are
 * replayed: all or none; and when there is no container any more. */
int space_identity_enter_all(struct space *space, struct error *error);
void space_identity_leave_all(struct space *space);

/* Refuse to have a user unmap a range in which such a mapping lies. ERROR_MEMORY_IN_USE */
int space_identity_check_unmap(const struct space *space, struct range iova, struct error *error);

/* Make the mapping real in every container, or take it out of them, if the ledger has it. All or
 * none; if that can't be taken back the section gets a stray. */
int space_identity_map(struct space *space, struct section *section, struct error *error);
int space_identity_unmap(struct space *space, struct section *section, struct error *error);

/* Refuse to have so many bytes more in sections than may be locked. ERROR_QUOTA_EXCEEDED */
int space_check_pinning(const struct space *space, uint64_t bytes, struct error *error);

/* The index of the section that contains a gpa, or of the next one above it. */
unsigned int space_section_index(const struct space *space, uint64_t gpa);

struct section *space_section_at(const struct space *space, uint64_t gpa);
void space_section_insert(struct space *space, struct section *section);
void space_section_drop(struct space *space, const struct section *section);

/* The sum of space_locked. */
uint64_t space_locked_bytes(const struct space *space);

/* Refuse what would lock more than the limit, beyond all that is locked or being locked, be it in
 * the arriving container. ERROR_QUOTA_EXCEEDED */
int space_check_locked(const struct space *space, uint64_t more, struct error *error);

/* Refuse a fresh container for what it has locked, what starting it and taking the sections and
 * mappings over will lock. Before it is the arriving one. ERROR_QUOTA_EXCEEDED */
int space_check_new_container(const struct space *space, const struct container *container,
			      struct error *error);

/* Refuse to have the mappings in the arriving container, too. ERROR_QUOTA_EXCEEDED */
int space_check_replay(const struct space *space, struct error *error);

/* The same for mappings of so many bytes, in all containers: the memory where maps pin it, and the
 * tables that the next map makes. ERROR_QUOTA_EXCEEDED */
int space_check_map_locked(const struct space *space, uint64_t bytes, struct error *error);

/* Windows */

/* What the planner has to know of the memory that there is. */
struct memory_outlook space_memory_outlook(const struct space *space);

/* The window that every container can have, by the outlook and policy; what the tables lock counts
 * once for each container. As container_window_plan, and ERROR_PAGE_SIZE (the containers have no
 * page size in common). */
int space_plan_window(const struct space *space, const struct window_request *request,
		      const struct memory_outlook *outlook, struct window_plan *ret_plan,
		      struct error *error);

/* What the kernel is going to lock for tables of default windows along with the next window. */
uint64_t space_pending_bytes(const struct space *space);

/* All that can be known of a window before it is created: space_window_create without asking the
 * kernel. */
int space_window_prepare(const struct space *space, const struct window_request *request,
			 const struct memory_outlook *outlook, struct window_plan *ret_plan,
			 struct error *error);

/* "[0x0, 0x80000000) [0x800000000000000, 0x800001000000000)", as many as fit, or "none": for error
 * texts. */
struct space_windows_text {
	char text[256];
};
struct space_windows_text space_windows_format(const struct space *space);

/* The window that contains a range, or NULL. */
const struct window *space_window_around(const struct space *space, struct range iova);
void space_window_insert(struct space *space, const struct window *window);
void space_window_drop(struct space *space, uint64_t start);

/* Create a window in one container, at `start` unless that is WORKER_WINDOW_ANYWHERE: if it comes
 * elsewhere it is removed again. As container_window_create, and ERROR_WINDOW_START. */
int space_window_make(struct container *container, const struct window_plan *plan, uint64_t start,
		      struct window *ret_window, struct error *error);

/* Create the very window in a container that had it, or that is to have it like the others. */
int space_window_remake(struct container *container, const struct window *window,
			struct error *error);

/* Mappings */

/* Make the ledger's mappings inside a range real in a container, as many as can be; the first
 * failure is returned. */
int space_replay_mappings(const struct space *space, struct container *container, struct range iova,
			  struct error *error);

/* Refuse to have more entries in a container without mappings than it can take.
 * ERROR_QUOTA_EXCEEDED
 */
int space_check_entries(const struct space *space, const struct container *container,
			struct error *error);

/* Unmap what the ledger has in a container, in as few calls as possible: all, or none unless
 * `anyway`, which goes on after failures. */
int space_unmap_container(const struct space *space, struct container *container, bool anyway,
			  struct error *error);

/* Containers */

/* The container that has a group, and its index; or NULL. */
struct container *space_find_group(const struct space *space, uint32_t group,
				   unsigned int *ret_index);

/* The groups of its container, without it: "groups 3, 5". */
struct container_groups_text space_others_format(const struct container *container, uint32_t group);

/* Refuse to have a group leave while one of its container is held. ERROR_BUSY */
int space_check_not_held(const struct container *container, uint32_t group, struct error *error);

/* Whether the windows of the space are (still) such as a container can have, where windows are
 * books only: the ranges of IOVA may shrink when a group joins. 0 for all others.
 * ERROR_WINDOW_START (one is outside the ranges), ERROR_PAGE_SIZE */
int space_check_windows(const struct space *space, const struct container *container,
			struct error *error);

/* It doesn't count any more. */
void space_unlink_container(struct space *space, unsigned int index);

/* Whether a group of it is kept (group->obstacle). */
bool space_keeps(const struct container *container);

/* group_stop (vfio/reset.h), without touching any other group. */
int space_stop_group(struct container *container, struct group *group, struct error *error);

/* Take everything of the space out of a container, as far as possible, and free it. */
void space_close_container(struct space *space, struct container *container);

/* Free a container that has nothing of the space any more. What it leaked stays counted. */
void space_free_container(struct space *space, struct container *container);

/*
 * Give a new container the windows of the space, at the same starts, or narrower ones where windows
 * are books (space_narrow_windows). If it is the first, they are its own, as far as policy keeps
 * them. After a failure the container is only good for closing.
 * ERROR_WINDOW_START (the container can't have a window where the others have it), and as
 * container_window_plan, container_window_create and container_window_remove.
 */
int space_replay_windows(struct space *space, struct container *container, struct error *error);

/*
 * Where windows are books, the default windows are what all containers have in common: narrow them
 * to what a container has that is going to be linked. Everything else of it is done by then, for
 * nothing takes that back. As space_replay_windows; what that has accepted this doesn't refuse,
 * unless a container fails.
 */
int space_narrow_windows(struct space *space, const struct container *container,
			 struct error *error);

/* Remove all windows of the space from a container, as far as possible. Whether all are gone: if
 * not, they may hold strays, and the memory may only go with the container. */
bool space_remove_windows(const struct space *space, struct container *container);

/* Take all sections out of a container without windows, as far as possible. */
void space_remove_sections(const struct space *space, struct container *container);
