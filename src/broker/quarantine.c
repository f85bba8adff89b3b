/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "broker/quarantine.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/manager.h"
#include "broker/space_private.h"
#include "common/cleanup.h"
#include "common/log.h"

struct kept_group {
	struct group *group; /* NULL: it was let go */
	bool releasing;
	char why[WORKER_DEVICE_NAME_SIZE + WORKER_REASON_SIZE + 2];
};

/* A worker whose space is closed. */
struct keeper {
	struct keeper *next; /* of the manager's */
	struct manager *manager;
	struct worker_process *worker;
	unsigned int space; /* its number, for the log */
	size_t count;
	struct kept_group kept[];
};

static struct kept_group *find_kept(const struct manager *manager, const struct group *group,
				    struct keeper **ret_keeper)
{
	for (struct keeper *keeper = manager->keepers; keeper; keeper = keeper->next) {
		for (size_t i = 0; i < keeper->count; i++) {
			if (keeper->kept[i].group == group) {
				*ret_keeper = keeper;
				return &keeper->kept[i];
			}
		}
	}
	return NULL;
}

static void tell(const struct manager *manager, struct group *group)
{
	if (manager->observer) {
		manager->observer->group_changed(manager->observer_userdata, group);
	}
}

static void end_quarantine(const struct keeper *keeper, struct kept_group *kept)
{
	struct group *group = steal_pointer(kept->group);

	if (group) {
		tell(keeper->manager, group);
	}
}

static struct keeper *free_keeper(struct keeper *keeper)
{
	if (keeper) {
		keeper->worker = worker_process_free(keeper->worker);
		free(keeper);
	}
	return NULL;
}

/* -- what the worker does -- */

static void handle_counts(void *userdata, const struct worker_counts *counts)
{
	(void)userdata;
	(void)counts;
}

/* With it the kernel has let go of what it kept. */
static void handle_gone(void *userdata, const char *why)
{
	struct keeper *keeper = userdata;
	struct keeper **link = &keeper->manager->keepers;

	while (*link != keeper) {
		link = &(*link)->next;
	}
	*link = keeper->next;
	for (size_t i = 0; i < keeper->count; i++) {
		struct kept_group *kept = &keeper->kept[i];

		if (kept->group) {
			log_write(LOG_ERR, LOG_SPACE(keeper->space),
				  "the process that kept group %" PRIu32
				  " in quarantine is gone (%s), and the kernel has let the group "
				  "go, though %s",
				  kept->group->host->id, why, kept->why);
			end_quarantine(keeper, kept);
		}
	}
	(void)free_keeper(keeper);
}

/* -- coming in -- */

bool quarantine_is_sound(const struct space *space, const struct worker_kept *kept, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct group *group = NULL;

		if (manager_find_group(space->manager, kept[i].group, &group, NULL) ||
		    group->space != space || kept[i].name[WORKER_DEVICE_NAME_SIZE - 1] != '\0' ||
		    kept[i].why[WORKER_REASON_SIZE - 1] != '\0') {
			return false;
		}
		for (size_t j = 0; j < i; j++) {
			if (kept[j].group == kept[i].group) {
				return false;
			}
		}
	}
	return true;
}

static void fill(struct keeper *keeper, const struct worker_kept *kept)
{
	for (size_t i = 0; i < keeper->count; i++) {
		struct kept_group *entry = &keeper->kept[i];

		(void)manager_find_group(keeper->manager, kept[i].group, &entry->group, NULL);
		(void)snprintf(entry->why, sizeof(entry->why), "%s: %s", kept[i].name, kept[i].why);
		log_write(LOG_CRIT, LOG_SPACE(keeper->space),
			  "group %" PRIu32
			  " is kept in quarantine, for its device could not be stopped (%s): "
			  "release it by spaprctl release, or power it off",
			  kept[i].group, entry->why);
	}
}

int quarantine_take(struct space *space, const struct worker_kept *kept, size_t count)
{
	struct keeper *keeper = calloc(1, sizeof(*keeper) + count * sizeof(keeper->kept[0]));

	if (!keeper) {
		return -ENOMEM;
	}
	keeper->manager = space->manager;
	keeper->space = space->number;
	keeper->count = count;
	keeper->worker = steal_pointer(space->worker);
	worker_process_hand_over(keeper->worker, handle_counts, handle_gone, keeper);
	fill(keeper, kept);
	keeper->next = space->manager->keepers;
	space->manager->keepers = keeper;
	return 0;
}

void quarantine_forget_all(struct manager *manager)
{
	while (manager->keepers) {
		struct keeper *keeper = manager->keepers;

		manager->keepers = keeper->next;
		(void)free_keeper(keeper);
	}
}

/* -- being there -- */

const char *quarantine_reason(const struct manager *manager, const struct group *group)
{
	struct keeper *keeper;
	const struct kept_group *kept = find_kept(manager, group, &keeper);

	return kept ? kept->why : NULL;
}

int quarantine_check(const struct manager *manager, const struct group *group, struct error *error)
{
	const char *why = quarantine_reason(manager, group);

	return why ? error_set(error, ERROR_QUARANTINED, 0,
			       "group %" PRIu32
			       " is in quarantine (%s): an operator has to release it first "
			       "(spaprctl release %" PRIu32 ")",
			       group->host->id, why, group->host->id)
		   : 0;
}

/* -- going -- */

struct release {
	struct manager *manager;
	struct group *group;
	bool anyway;
	worker_answer_handler handler;
	void *userdata;
};

static void handle_release(void *userdata, const struct worker_answer *answer)
{
	cleanup(cleanup_free) struct release *release = userdata;
	struct keeper *keeper = NULL;
	struct kept_group *kept = find_kept(release->manager, release->group, &keeper);

	if (kept) {
		kept->releasing = false;
	}
	if (kept && answer->error.code == ERROR_NONE) {
		log_write(release->anyway ? LOG_WARNING : LOG_NOTICE, LOG_SPACE(keeper->space),
			  "group %" PRIu32 " is released from quarantine%s",
			  release->group->host->id,
			  release->anyway ? ", whatever its devices do" : "");
		end_quarantine(keeper, kept);
	}
	release->handler(release->userdata, answer);
}

int quarantine_release(struct manager *manager, struct group *group, bool anyway,
		       worker_answer_handler handler, void *userdata, struct error *error)
{
	struct worker_release body = {
		.group = group->host->id,
		.flags = anyway ? WORKER_RELEASE_ANYWAY : 0,
	};
	struct keeper *keeper = NULL;
	struct kept_group *kept = find_kept(manager, group, &keeper);
	struct release *release;
	int r;

	if (!kept) {
		return error_set(error, ERROR_NOT_FOUND, 0, "group %" PRIu32 " is in no quarantine",
				 group->host->id);
	}
	if (kept->releasing) {
		return error_set(error, ERROR_BUSY, 0, "group %" PRIu32 " is being released",
				 group->host->id);
	}
	release = calloc(1, sizeof(*release));
	if (!release) {
		return error_set(error, ERROR_KERNEL, ENOMEM, "no memory for the request");
	}
	*release = (struct release){manager, group, anyway, handler, userdata};
	r = worker_process_request(keeper->worker, WORKER_RELEASE_GROUP, &body, sizeof(body), NULL,
				   0, handle_release, release, error);
	kept->releasing = r == 0;
	if (r) {
		free(release);
	}
	return r;
}
