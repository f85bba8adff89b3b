/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "broker/delegation.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "broker/bind.h"
#include "broker/manager.h"
#include "broker/quarantine.h"
#include "common/cleanup.h"
#include "common/log.h"
#include "common/names.h"

/* How long after its owner has left a node is tried again: twice as long each time, for a VMM that
 * was started by somebody else may run on for months. Who wants the group tries it as well. */
#define TRY_FIRST_USEC UINT64_C(1000000)
#define TRY_MOST_USEC  UINT64_C(64000000)

struct delegation {
	struct manager *manager;
	struct group *group;
	char *owner;
	uid_t uid;
	bool left;      /* the owner has */
	uint64_t pause; /* until the next try, µs */
	sd_event_source *timer;
};

struct delegation *delegation_free(struct delegation *delegation)
{
	if (delegation) {
		delegation->timer = sd_event_source_disable_unref(delegation->timer);
		free(delegation->owner);
		free(delegation);
	}
	return NULL;
}

static void cleanup_delegation(struct delegation **delegation)
{
	(void)delegation_free(*delegation);
}

const char *delegation_owner(const struct group *group)
{
	return group->delegation ? group->delegation->owner : "";
}

static int refuse(const struct delegation *delegation, struct error *error)
{
	const struct group *group = delegation->group;

	return error_set(error, ERROR_GROUP_BUSY, 0,
			 "group %" PRIu32 " was delegated to %s of uid %u%s", group->host->id,
			 delegation->owner, (unsigned int)delegation->uid,
			 delegation->left ? ", which has left while somebody still has its node "
					    "open: end that program"
					  : ": end that program");
}

static void tell(const struct delegation *delegation)
{
	const struct manager *manager = delegation->manager;

	if (manager->observer) {
		manager->observer->group_changed(manager->observer_userdata, delegation->group);
	}
}

static int open_node(const struct manager *manager, const struct group *group)
{
	char path[32];

	(void)snprintf(path, sizeof(path), NODE_GROUP_PREFIX "%" PRIu32, group->host->id);
	return kernel_open_node(manager->kernel, path);
}

/* Whether the group is free, or gone: then the delegation has ended. Anything else that keeps the
 * node from being opened, such as a lack of files, tells nothing of that. */
static bool try_to_end(struct delegation *delegation)
{
	struct group *group = delegation->group;
	int fd = open_node(delegation->manager, group);

	if (fd < 0 && fd != -ENOENT && fd != -ENODEV && fd != -ENXIO) {
		return false;
	}
	(void)kernel_close(delegation->manager->kernel, fd);
	log_write(LOG_NOTICE, LOG_GROUP(group->host->id), "is free again: %s has ended",
		  delegation->owner);
	group->delegation = NULL;
	tell(delegation);
	(void)delegation_free(delegation);
	return true;
}

int delegation_check(const struct group *group, struct error *error)
{
	struct delegation *delegation = group->delegation;

	if (!delegation || (delegation->left && try_to_end(delegation))) {
		return 0;
	}
	return refuse(delegation, error);
}

/* -- beginning -- */

static int check_policy(const struct manager *manager, const struct group *group,
			struct error *error)
{
	if (manager->policies && manager->policies->access.delegate) {
		return 0;
	}
	return error_set(error, ERROR_ACCESS_DENIED, 0,
			 "policy does not allow to delegate group %" PRIu32
			 ": who has its fd can have the kernel write beyond its TCE tables; set "
			 "delegate = yes in [access] if the VMM is trusted like the kernel",
			 group->host->id);
}

static int check_group(const struct manager *manager, const struct group *group,
		       struct error *error)
{
	int r = check_policy(manager, group, error);

	if (r == 0 && group->gone) {
		r = error_set(error, ERROR_NOT_FOUND, 0, "group %" PRIu32 " was unplugged",
			      group->host->id);
	}
	if (r == 0 && group->space) {
		r = error_set(error, ERROR_GROUP_BUSY, 0,
			      "group %" PRIu32 " is in address space %u \"%s\": detach it first",
			      group->host->id, group->space->number, group->space->name);
	}
	r = r ? r : quarantine_check(manager, group, error);
	r = r ? r : delegation_check(group, error);
	return r ? r : binding_check(manager, group, error);
}

static int refuse_open(const struct manager *manager, const struct group *group, int errnum,
		       struct error *error)
{
	enum error_code code = errnum == EBUSY    ? ERROR_GROUP_BUSY
			       : errnum == ENOENT ? ERROR_GROUP_NOT_VIABLE
						  : ERROR_KERNEL;

	(void)error_set(error, code, errnum, "can't open " NODE_GROUP_PREFIX "%" PRIu32 "%s",
			group->host->id,
			errnum == EBUSY ? ": another program has it open, end that first" : "");
	if (errnum == ENOENT) {
		topology_explain_group(manager->topology, group->host, error);
	}
	return (int)code;
}

static int check_viable(const struct manager *manager, const struct group *group,
			struct error *error)
{
	if (topology_group_is_viable(manager->topology, group->host)) {
		return 0;
	}
	(void)error_set(error, ERROR_GROUP_NOT_VIABLE, 0,
			"group %" PRIu32 " can't be given to a VMM", group->host->id);
	topology_explain_group(manager->topology, group->host, error);
	return ERROR_GROUP_NOT_VIABLE;
}

int delegation_begin(struct manager *manager, struct group *group, const char *owner, uid_t uid,
		     int *ret_fd, struct error *error)
{
	cleanup(cleanup_delegation) struct delegation *delegation = NULL;
	int r = check_group(manager, group, error);
	int fd;

	if (r == 0) {
		r = check_viable(manager, group, error);
	}
	if (r) {
		return r;
	}
	delegation = calloc(1, sizeof(*delegation));
	if (delegation) {
		delegation->owner = strdup(owner);
	}
	if (!delegation || !delegation->owner) {
		return error_set(error, ERROR_KERNEL, ENOMEM, "no memory for a delegation");
	}
	fd = open_node(manager, group);
	if (fd < 0) {
		return refuse_open(manager, group, -fd, error);
	}
	delegation->manager = manager;
	delegation->group = group;
	delegation->uid = uid;
	log_write(LOG_NOTICE, LOG_GROUP(group->host->id), "delegated to %s of uid %u", owner,
		  (unsigned int)uid);
	group->delegation = steal_pointer(delegation);
	tell(group->delegation);
	*ret_fd = fd;
	return 0;
}

/* -- ending -- */

static int handle_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct delegation *delegation = userdata;

	(void)usec;
	if (!try_to_end(delegation)) {
		delegation->pause = delegation->pause < TRY_MOST_USEC / 2 ? 2 * delegation->pause
									  : TRY_MOST_USEC;
		(void)sd_event_source_set_time_relative(source, delegation->pause);
		(void)sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
	}
	return 0;
}

void delegation_owner_left(struct group *group)
{
	struct delegation *delegation = group->delegation;

	if (!delegation || delegation->left || try_to_end(delegation)) {
		return;
	}
	delegation->left = true;
	delegation->pause = TRY_FIRST_USEC;
	log_write(LOG_WARNING, LOG_GROUP(group->host->id),
		  "%s has left, but somebody still has the group's node open", delegation->owner);
	(void)sd_event_add_time_relative(delegation->manager->event, &delegation->timer,
					 CLOCK_MONOTONIC, delegation->pause, 0, handle_timer,
					 delegation);
	tell(delegation);
}
