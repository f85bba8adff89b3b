/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The address space: what the devices of one tenant see.
 *
 * Concepts
 *   address space  memory sections, windows, mappings, and the containers that make them real. All
 *                  containers of a space have the same sections, windows and mappings.
 *   step           something done in every container. It happens in all or in none: a failure takes
 *                  back what was done in the others, and the error says what failed where.
 *   linked         a container counts once it has been brought up to date by replay: memory, then
 *                  windows, then mappings.
 *   change         a request that changes the structure in a way that takes long, for memory is
 *                  pinned or released. It has three parts: begin and finish, on the thread that
 *                  owns the space, and work, which may run on another one. Meanwhile the owner can
 *                  go on with all functions under "mappings", but nothing else: one change at a
 *                  time.
 *   stray          a TCE that may be left after a failed Unmap. Its section can't be removed any
 *                  more, for the kernel would silently keep the memory.
 *
 * The first container brings its default window; when the last one goes, the windows go with it.
 * Without a container a space may have memory, but no windows and no mappings: identity sections
 * wait for the first container, which must have a window around each of them.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"
#include "common/range.h"
#include "host/kernel.h"
#include "vfio/container.h"
#include "vfio/ledger.h"
#include "vfio/section.h"

struct device;
struct space;

/* What became of one device of space_reset. */
struct space_reset {
	const struct device *device;
	enum worker_reset_way way;
	struct error error; /* of WORKER_RESET_FAILED */
};

/* What a space is made with. */
struct space_settings {
	struct kernel *kernel; /* not owned; outlives the space */
	container_opener *open_container;
	uint64_t locked_limit; /* bytes that may be locked: RLIMIT_MEMLOCK, or UINT64_MAX */
	/* Asked in between when something takes long, on its thread: whether to stop. Then a map is
	 * taken back and fails with ERROR_BUSY. NULL: never. */
	bool (*interrupted)(void *userdata);
	void *interrupted_userdata;
};

/* What a space may do, and how (policies/); all 0 at the start. */
struct space_policy {
	struct window_limits window;
	enum worker_default_window default_window;
	/* A group may leave a shared container though that clears the others' mappings for a
	 * moment; else it is refused as long as there are any. */
	bool replay_shared;
	uint32_t memory; /* WORKER_TAKES_* */
};

/* 0 or -ENOMEM. */
int space_new(const struct space_settings *settings, struct space **ret_space);

/* Tear down in order (space_close) and free. Takes NULL, returns NULL. No change is under way. */
struct space *space_free(struct space *space);

/*
 * Stop the devices that are open (group_stop, vfio/reset.h), unmap, remove windows, unregister
 * memory and let the groups go, all at once and as far as possible. No change is under way and no
 * group is held. Blocks. The space is empty afterwards, but for groups whose devices could not be
 * stopped: each is kept, with its container and its devices, but no windows (space_next_kept).
 */
void space_close(struct space *space);

/*
 * The part of it that takes long, for other threads, one for each container: nothing else is done
 * with the space meanwhile. The next container from *index (0 at first) on that has devices which
 * are to be stopped, or NULL.
 */
struct container *space_next_to_stop(const struct space *space, unsigned int *index);
void space_stop_container(const struct space *space, struct container *container);

/* After space_close: the groups that are kept, by number from 0 in *index; NULL after the last. Its
 * `obstacle` says why. */
const struct group *space_next_kept(const struct space *space, unsigned int *index);

/*
 * Try to stop a kept group again, or give it up `anyway`, and close its devices: on any thread,
 * with nothing else done to the space. After 0 comes space_let_go. ERROR_NOT_FOUND,
 * ERROR_QUARANTINED
 */
int space_stop_again(struct space *space, uint32_t number, bool anyway, struct error *error);

/* Let it go. ERROR_BUSY: another program has a device of it open, and another group of its
 * container is kept. */
int space_let_go(struct space *space, uint32_t number, struct error *error);

/* The same for all that space_stop_again has stopped. */
void space_let_stopped_go(struct space *space);

/* Holds for what comes after it. */
void space_set_policy(struct space *space, const struct space_policy *policy);

/* Mappings */

/*
 * ERROR_INVALID_ARGUMENT  size 0 or wrapping, prot not 1 to 3, or writing to read-only memory
 * ERROR_MEMORY_UNKNOWN    the gpa range is not inside one section, or that is skipped
 * ERROR_BUSY              the section is being added or removed
 * ERROR_OUTSIDE_WINDOW    the IOVA range is not inside one window, or there is none
 * ERROR_PAGE_SIZE         something isn't a multiple of the window's page, or the memory has
 *                         smaller pages than that
 * ERROR_ALREADY_MAPPED    a mapping is in the way
 * ERROR_QUOTA_EXCEEDED    it would lock too much, or the kernel's map entries don't suffice (type1)
 * ERROR_BUSY              space_settings.interrupted said so, too
 * ERROR_TABLE_MEMORY, ERROR_KERNEL
 */
int space_map(struct space *space, uint64_t iova, uint64_t gpa, uint64_t size, uint32_t prot,
	      struct error *error);

/*
 * Remove whole mappings that are adjacent.
 * ERROR_INVALID_ARGUMENT  size 0 or wrapping
 * ERROR_NOT_MAPPED        the range has a hole or cuts a mapping; the text names it
 * ERROR_MEMORY_IN_USE     an identity section's own mapping lies in it
 * ERROR_BUSY              it cuts what had to be mapped at once (type1, short of entries)
 * ERROR_MEMORY_IN_USE     a mapping in it belongs to an identity section
 * ERROR_KERNEL            the mappings are still there, unless the text says otherwise
 */
int space_unmap(struct space *space, uint64_t iova, uint64_t size, struct error *error);

/*
 * Many at once, all or none, in any order; at least one. What is contiguous (iova, gpa and prot
 * alike) is one step for the kernel, unless its maps can only be unmapped as they were made: then
 * it is one only when there aren't enough for each.
 * ERROR_INVALID_ARGUMENT (entries that overlap each other, too), and as space_map; the text tells
 * which entry.
 */
int space_map_many(struct space *space, const struct mapping *mappings, size_t count,
		   struct error *error);

/* Likewise: each range consists of whole mappings. */
int space_unmap_many(struct space *space, const struct range *ranges, size_t count,
		     struct error *error);

/* The mapping at an address. ERROR_NOT_MAPPED */
int space_translate(const struct space *space, uint64_t iova, struct mapping *ret_mapping,
		    struct error *error);

const struct ledger *space_ledger(const struct space *space);

/* Memory locked for this space by the kernel's own arithmetic. */
struct space_locked {
	uint64_t pins;   /* memory that devices may reach (enum container_pinning) */
	uint64_t tables; /* of each container's windows */
	uint64_t leaks;  /* what the kernel has not taken back, of containers that are gone, too */
};

struct space_locked space_locked(const struct space *space);

/* Sections that are there (leaving ones, too; arriving ones aren't), by number from 0; NULL after
 * the last. In order of gpa. */
const struct section *space_section(const struct space *space, unsigned int index);

/* Windows in order of start, NULL after the last. */
const struct window *space_window(const struct space *space, unsigned int index);

/* Linked containers in order of joining, NULL after the last. */
const struct container *space_container(const struct space *space, unsigned int index);

/* Windows */

/*
 * Create a window in every container; what the request leaves open is chosen.
 * ERROR_NOT_FOUND       no group is attached
 * ERROR_WINDOW_OVERLAP  a window is in the way: remove it first
 * ERROR_WINDOW_START    the platform put it elsewhere, and it was removed again
 * ERROR_NO_WINDOW_LEFT  the host has no more
 * and what planning and creating may answer (container.h).
 *
 * With WORKER_WINDOW_REPLACE_DEFAULT, or by policy, a default window goes first, and is made again
 * if that fails; if it can't be, it is gone from all containers, and the text says so. Where it is
 * gone already the flag changes nothing.
 * ERROR_MEMORY_IN_USE   a mapping lies in it
 * ERROR_UNSUPPORTED     policy keeps it
 */
int space_window_create(struct space *space, const struct window_request *request,
			struct window *ret_window, struct error *error);

/* A plan, and what it was chosen from. */
struct space_plan {
	struct window_choice choices[WORKER_CHOICES_MAX];
	unsigned int choice_count;
	unsigned int chosen; /* index, or WORKER_CHOICE_NONE */
	char explanation[WORKER_EXPLANATION_MAX];
};

/*
 * What space_window_create would do, and why. Nothing is asked of the kernel. In the outlook 0
 * leaves what there is. ERROR_NOT_FOUND (no group is attached), ERROR_INVALID_ARGUMENT
 */
int space_window_plan(const struct space *space, const struct worker_plan *request,
		      struct space_plan *ret_plan, struct error *error);

/*
 * Remove the window that starts exactly at an address.
 * ERROR_NOT_FOUND, ERROR_MEMORY_IN_USE (a mapping lies in it), ERROR_UNSUPPORTED (the host, or
 * policy, keeps it), ERROR_KERNEL
 */
int space_window_remove(struct space *space, uint64_t start, struct error *error);

/* Groups that something is done with that takes long */

/*
 * A group that is held: its container has the groups that it has, so that what is below may be used
 * on another thread. None of them can be detached, and groups that come are given another
 * container; windows, memory and mappings change as ever, for nothing that is done with a held
 * group touches a table (field note H11). Meanwhile the space must not be closed.
 */
struct space_hold {
	struct container *container;
	struct group *group;
	bool lets_join;
};

enum space_hold_kind {
	HOLD_GROUP,
	/* For an operation of EEH, which would act on all groups of the container, one after the
	 * other (vfio_spapr_iommu_eeh_ioctl, field note H42). */
	HOLD_ALONE,
	/* The same for one that changes nothing: groups may join the container meanwhile, and then
	 * what it has found says nothing (space_check_alone). */
	HOLD_ALONE_TO_LOOK,
};

/*
 * Hold a group.
 * ERROR_NOT_FOUND (it is not in this space), ERROR_BUSY (it is held, or its container is being
 * changed), ERROR_EEH_MANY_GROUPS (names the others), ERROR_EEH_UNAVAILABLE
 */
int space_hold_group(struct space *space, uint32_t group, enum space_hold_kind kind,
		     struct space_hold *ret_hold, struct error *error);

/* Whether the group is (still) the only one of its container. ERROR_EEH_MANY_GROUPS,
 * ERROR_EEH_UNAVAILABLE */
int space_check_alone(const struct space_hold *hold, struct error *error);

/* A device that is open, of a group that is here; or NULL. */
const struct device *space_find_device(const struct space *space, uint32_t group, const char *name);

/*
 * A device that is open, to be operated on by the thread that owns the space, until that does
 * something else.
 * ERROR_NOT_FOUND (the group is not here, or the device is not open), ERROR_BUSY (the group is held
 * or leaving, or a reset of its PE is asserted)
 */
int space_use_device(const struct space *space, uint32_t group, const char *name,
		     struct device **ret_device, struct error *error);

/*
 * Hold all groups that there are, or none: for resets, which may hit several. Their number, which
 * the others take, since more may be attached meanwhile: those are neither reset nor let go.
 * ERROR_BUSY
 */
int space_hold_all(struct space *space, unsigned int *ret_held, struct error *error);
void space_release_all(struct space *space, unsigned int held);

/*
 * Reset a device that is open: device_reset (vfio/reset.h). Held are so many groups, or with a hold
 * only that one, which is the device's: then nothing of another group is touched. ERROR_NOT_FOUND
 */
int space_reset_device(const struct space *space, const struct space_hold *hold, unsigned int held,
		       uint32_t number, const char *name, struct error *error);

/* Reset all devices of the groups that are held that are open, which are no bus masters afterwards,
 * and tell of each. */
void space_reset(const struct space *space, unsigned int held,
		 void (*tell)(void *userdata, const struct space_reset *reset), void *userdata);

/* For the thread that owns the space. */
void space_release_group(struct space *space, const struct space_hold *hold);

/* Whether any group is held. */
bool space_holds_groups(const struct space *space);

/*
 * Whether the kernel still has what the books say of a group that is held: the group in its
 * container, the windows there, and each mapping inside of one. ERROR_RECOVERY_FAILED says what
 * differs.
 */
int space_verify_group(const struct space *space, const struct space_hold *hold,
		       struct error *error);

/* Changes */

struct space_change;

/* What a finished change was about. */
struct space_outcome {
	const struct section *section;     /* added; owned by the space */
	const struct container *container; /* attached; owned by the space */
	uint32_t container_id;             /* attached or detached */
	/* Sections that are skipped from now on. */
	const struct section *skipped[WORKER_MEMORY_MAX];
	unsigned int skipped_count;
	uint64_t replayed; /* mappings that a group's leaving has cleared, made again */
	uint64_t lost;     /* that could not be made again, and are gone */
};

/*
 * Each begin either returns 0 with a change, or fails with nothing changed. After begin, call
 * space_change_work, on any thread, and once it has returned space_change_advance; as long as that
 * says so, both again. Then space_change_finish.
 */

struct space_attach {
	int container_fd; /* fresh nodes */
	int group_fd;
	uint32_t group;
	uint32_t container_id;  /* of the container that is made, if one is */
	const char *iommu_type; /* NULL: the host's best */
	bool share;             /* join one of the containers that are there, if one takes it */
	bool balloon_allowed;   /* all its devices cope with memory that a balloon takes away */
};

/*
 * Attach a group: to a container that is there, or by a fresh one. Both fds are taken, whatever the
 * outcome. A container that doesn't go together with the group, or that would lose a window by it,
 * is passed over.
 * ERROR_INVALID_ARGUMENT (the id is in use), ERROR_GROUP_BUSY (attached here already),
 * ERROR_QUOTA_EXCEEDED (containers, or memory that would be locked), and what container_opener
 * answers. Finish: ERROR_WINDOW_START or ERROR_PAGE_SIZE (the container can't have the space's
 * windows), ERROR_KERNEL …
 */
int space_attach_begin(struct space *space, const struct space_attach *request,
		       struct space_change **ret_change, struct error *error);

/*
 * Detach a group; its open devices are stopped (group_stop, vfio/reset.h) and closed. The last one
 * of a container takes the container along; when one of several leaves, what that clears is mapped
 * again as policy allows, before anything else is done. What can't be is taken out of all
 * containers, and the outcome tells how many. ERROR_NOT_FOUND, ERROR_BUSY (a group of the container
 * is held; or another program has a device of it open, and others stay in the container),
 * ERROR_QUARANTINED (a device could not be stopped: nothing is taken from it, and the group stays
 * as it is), ERROR_MEMORY_IN_USE (mappings exist, and it is the last group, or policy doesn't allow
 * to clear those of the groups that stay). Where finish answers one of these, for one of several
 * groups, its devices are closed nevertheless.
 */
int space_detach_begin(struct space *space, uint32_t group, struct space_change **ret_change,
		       struct error *error);

/* A group that is taken away, though its owner has not let go of it. */
struct space_take {
	uint32_t group;
	bool only_if_gone; /* if the kernel has taken it out of its container already */
};

/*
 * Detach a group by force. What is mapped when the last container goes is unmapped and out of the
 * ledger, and the outcome tells how many mappings are lost so; the mappings of groups that share
 * its container are made again, whatever policy says of that. Other containers are not touched.
 * ERROR_NOT_FOUND, ERROR_BUSY (a group of the container is held; or another program has a device of
 * it open, and others stay in the container: it leaves when that is closed), ERROR_GROUP_BUSY (it
 * is there, and was to be taken only if it is gone)
 */
int space_take_begin(struct space *space, const struct space_take *take,
		     struct space_change **ret_change, struct error *error);

/*
 * Add a section. The fd stays the caller's. An identity section is mapped as soon as it is there,
 * if there is a container, else with the first one.
 * ERROR_MEMORY_IN_USE (overlaps a section), ERROR_QUOTA_EXCEEDED, and what section_new answers; for
 * an identity section ERROR_OUTSIDE_WINDOW, ERROR_PAGE_SIZE, ERROR_ALREADY_MAPPED
 */
int space_memory_add_begin(struct space *space, int fd, const struct section_request *request,
			   struct space_change **ret_change, struct error *error);

/* ERROR_NOT_FOUND, ERROR_MEMORY_IN_USE (mappings or strays point into it, or only some containers
 * have it, since taking back a failed change failed) */
int space_memory_remove_begin(struct space *space, uint32_t id, struct space_change **ret_change,
			      struct error *error);

/* The part that takes long. It can't be interrupted. */
void space_change_work(struct space_change *change);

/* The part in between, which doesn't take long. Whether there is more work. */
bool space_change_advance(struct space_change *change);

/* Complete the change, or undo it if a part failed, and free it. 0 or a code. Work that is left it
 * does itself. */
int space_change_finish(struct space_change *change, struct space_outcome *ret_outcome,
			struct error *error);
