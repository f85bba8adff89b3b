/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "broker/manager.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "broker/bind.h"
#include "broker/inventory.h"
#include "broker/quarantine.h"
#include "common/cleanup.h"
#include "common/log.h"

static void cleanup_manager(struct manager **manager)
{
	(void)manager_free(*manager);
}

int manager_new(sd_event *event, struct kernel *kernel, bool simulated, const char *worker_program,
		struct manager **ret_manager, struct error *error)
{
	cleanup(cleanup_manager) struct manager *manager = calloc(1, sizeof(*manager));
	int r;

	if (!manager) {
		return error_set(error, ERROR_KERNEL, ENOMEM, "no memory for the manager");
	}
	manager->event = sd_event_ref(event);
	manager->kernel = kernel;
	manager->simulated = simulated;
	manager->worker_program = worker_program;
	r = topology_read(kernel->sysfs_root, &manager->topology, error);
	if (r) {
		return r;
	}
	manager->next_event = 1;
	manager->next_cookie = 1;
	manager->bind_timeout = BINDING_TIMEOUT;
	r = inventory_fill(manager, error);
	if (r) {
		return r;
	}
	*ret_manager = steal_pointer(manager);
	return 0;
}

struct manager *manager_free(struct manager *manager)
{
	if (manager) {
		binding_forget_all(manager);
		manager_observe_pes(manager, NULL, NULL); /* it may be gone already */
		while (manager->spaces) {
			struct space *space = manager->spaces;

			manager->spaces = space->next;
			(void)space_free(space);
		}
		quarantine_forget_all(manager);
		inventory_free(manager);
		manager->policies = policy_free(manager->policies);
		manager->topology = topology_free(manager->topology);
		manager->event = sd_event_unref(manager->event);
		free(manager);
	}
	return NULL;
}

void manager_observe(struct manager *manager, const struct manager_observer *observer,
		     void *userdata)
{
	manager->observer = observer;
	manager->observer_userdata = userdata;
}

void manager_observe_pes(struct manager *manager, const struct pe_observer *observer,
			 void *userdata)
{
	manager->pe_observer = observer;
	manager->pe_observer_userdata = userdata;
}

/* -- policies -- */

int manager_use_policies(struct manager *manager, const struct policy_folders *folders,
			 struct error *error)
{
	struct policy *policy = NULL;
	int r = policy_load(folders, &policy, error);

	if (r) {
		return r;
	}
	manager->policy = policy->window;
	manager->policy_folders = folders;
	log_info("the policies of %zu file%s apply", policy->file_count,
		 policy->file_count == 1 ? "" : "s");
	manager->policies = policy_free(manager->policies);
	manager->policies = policy;
	for (struct space *space = manager->spaces; space; space = space->next) {
		space_tell_policy(space);
	}
	for (size_t i = 0; i < manager->group_count; i++) {
		if (manager->groups[i]->pe) {
			pe_policy_changed(manager->groups[i]->pe);
		}
	}
	return 0;
}

int manager_reload(struct manager *manager, struct error *error)
{
	return manager->policy_folders
		       ? manager_use_policies(manager, manager->policy_folders, error)
		       : 0;
}

static bool shares_containers(const struct manager *manager)
{
	switch (manager->policy.sharing) {
	case POLICY_SHARING_AUTO:
		/* EEH operations act on all groups of a container (field note H42). */
		return manager->topology->kind == HOST_KIND_TYPE1;
	case POLICY_SHARING_YES:
		return true;
	case POLICY_SHARING_NO:
		return false;
	}
	return false;
}

struct space_attach_options manager_attach_options(const struct manager *manager)
{
	struct space_attach_options options = {.share = shares_containers(manager)};

	memcpy(options.iommu_type, manager->policy.iommu_type, sizeof(options.iommu_type));
	return options;
}

/* -- the host -- */

int manager_find_group(struct manager *manager, uint32_t id, struct group **ret_group,
		       struct error *error)
{
	size_t low = 0;
	size_t high = manager->group_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		struct group *group = manager->groups[middle];

		if (group->host->id == id) {
			*ret_group = group;
			return 0;
		}
		if (group->host->id < id) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return error_set(error, ERROR_NOT_FOUND, 0,
			 "this host has no IOMMU group %" PRIu32 "; it has %zu groups", id,
			 manager->topology->group_count);
}

int manager_find_device(struct manager *manager, const char *name, struct host_device **ret_device,
			struct error *error)
{
	const struct topology_device *device = topology_find_device(manager->topology, name);

	if (!device || !device->owner) {
		return error_set(error, ERROR_NOT_FOUND, 0,
				 "no device %.64s is in an IOMMU group of this host; names look "
				 "like 0001:01:00.0",
				 name);
	}
	*ret_device = device->owner;
	return 0;
}

uint64_t manager_locked_bytes(const struct manager *manager)
{
	uint64_t sum = 0;

	for (const struct space *space = manager->spaces; space; space = space->next) {
		sum += space_locked_bytes(space);
	}
	return sum;
}

static void exit_when_empty(struct manager *manager)
{
	if (manager->stopping && !manager->spaces) {
		(void)sd_event_exit(manager->event, 0);
	}
}

void manager_stop(struct manager *manager)
{
	manager->stopping = true;
	for (struct space *space = manager->spaces; space; space = space->next) {
		space_end(space);
	}
	exit_when_empty(manager);
}

void manager_forget_space(struct manager *manager, struct space *space)
{
	for (struct space **link = &manager->spaces; *link; link = &(*link)->next) {
		if (*link == space) {
			*link = space->next;
			manager->space_count--;
			break;
		}
	}
	exit_when_empty(manager);
}
