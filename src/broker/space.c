/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "broker/space.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "broker/bind.h"
#include "broker/delegation.h"
#include "broker/group.h"
#include "broker/holders.h"
#include "broker/manager.h"
#include "broker/quarantine.h"
#include "broker/space_private.h"
#include "broker/space_report.h"
#include "common/cleanup.h"
#include "common/log.h"
#include "common/names.h"
#include "sim/client.h"

/* Longer than any teardown of windows within the table limits; then the worker is killed. */
#define CLOSE_DEADLINE_USEC (60 * UINT64_C(1000000))

/* What a PE's operation may take in addition (PCI_BUS_RESET_WAIT_MSEC): to kill a worker that
 * resets a PE would leave that blocked for whoever has it next. */
#define OPERATION_USEC (300 * UINT64_C(1000000))

/* And to stop one device and to close it: twice a reset, in the worst case of its PE, which was
 * seen to take 5.8 s. */
#define DEVICE_USEC (15 * UINT64_C(1000000))

/* A request that changes the structure, from its sending until the new description is there. */
struct change {
	struct space *space;
	struct group *group; /* that is being attached or detached, or NULL */
	bool attaching;
	bool detaching;
	worker_answer_handler handler;
	void *userdata;
	void *answer; /* a copy of its body, NULL until it is there */
	size_t answer_size;
	size_t head_size; /* of the answer, where the sections follow that it skips; 0: none do */
};

/* -- requests that change the structure -- */

static void change_finish(struct change *change, const struct worker_answer *answer)
{
	if (change->attaching && change->group && change->group->container_id == 0) {
		space_release_group(change->space, change->group);
	}
	change->handler(change->userdata, answer);
	free(change->answer);
	free(change);
}

static void handle_description(void *userdata, const struct worker_answer *answer)
{
	struct change *change = userdata;
	struct worker_answer result = {.body = change->answer, .size = change->answer_size};

	if (answer->error.code != ERROR_NONE) {
		change_finish(change, answer);
		return;
	}
	if (!space_description_is_sound(change->space, answer)) {
		(void)error_set(&result.error, ERROR_WORKER_LOST, EPROTO,
				"the worker of address space %u described itself in %zu bytes that "
				"make no sense, and is ended",
				change->space->number, answer->size);
		worker_process_kill(change->space->worker, SIGKILL);
	} else {
		space_learn_description(change->space, answer->body);
		if (change->head_size > 0) {
			space_report_skipped(change->space, change->answer, change->answer_size,
					     change->head_size);
		}
	}
	change_finish(change, &result);
}

/* Until the description is there. Without memory for it the body is missing, which who asked takes
 * for an answer of the wrong size. */
static void keep_answer(struct change *change, const struct worker_answer *answer)
{
	change->answer = answer->size > 0 ? malloc(answer->size) : NULL;
	if (change->answer) {
		memcpy(change->answer, answer->body, answer->size);
		change->answer_size = answer->size;
	}
}

static void handle_change_answer(void *userdata, const struct worker_answer *answer)
{
	struct change *change = userdata;
	struct worker_answer failure = *answer;

	if (change->detaching) {
		space_report_detached(change->space, change->group, answer);
	}
	if (answer->error.code == ERROR_NONE) {
		keep_answer(change, answer);
		if (worker_process_request(change->space->worker, WORKER_DESCRIBE, NULL, 0, NULL, 0,
					   handle_description, change, &failure.error) == 0) {
			return;
		}
	}
	if (failure.error.code == ERROR_GROUP_NOT_VIABLE && change->group) {
		topology_explain_group(change->space->manager->topology, change->group->host,
				       &failure.error);
	}
	change_finish(change, &failure);
}

static bool changes_structure(enum worker_request_type type)
{
	switch (type) {
	case WORKER_DESCRIBE:
	case WORKER_MAP:
	case WORKER_UNMAP:
	case WORKER_MAP_MANY:
	case WORKER_UNMAP_MANY:
	case WORKER_PLAN:
	case WORKER_SET_POLICY:
	case WORKER_TRANSLATE:
	case WORKER_LIST_MAPPINGS:
	case WORKER_OPEN_DEVICE:
	case WORKER_CALL_DEVICE:
	case WORKER_RESET_DEVICE:
	case WORKER_RESET_SPACE:
	case WORKER_RELEASE_GROUP:
	case WORKER_OPERATE_PE:
	case WORKER_CLOSE:
	case WORKER_REQUEST_TYPE_COUNT:
		return false;
	case WORKER_ATTACH_GROUP:
	case WORKER_DETACH_GROUP:
	case WORKER_ADD_MEMORY:
	case WORKER_REMOVE_MEMORY:
	case WORKER_CREATE_WINDOW:
	case WORKER_REMOVE_WINDOW:
		return true;
	}
	return false;
}

/* What an answer begins with that may go on with skipped sections. */
static size_t find_head_size(enum worker_request_type type)
{
	return type == WORKER_ATTACH_GROUP ? sizeof(struct worker_container)
	       : type == WORKER_ADD_MEMORY ? sizeof(struct worker_memory)
					   : 0;
}

/* The request as a change that ends with a description. Takes over a group when one comes along. */
static int request_change(struct space *space, enum worker_request_type type, const void *body,
			  size_t size, const int *fds, unsigned int fd_count, struct group *group,
			  worker_answer_handler handler, void *userdata, struct error *error)
{
	struct change *change = calloc(1, sizeof(*change));
	int r;

	if (!change) {
		return error_set(error, ERROR_KERNEL, ENOMEM, "no memory for the request");
	}
	change->space = space;
	change->group = group;
	change->attaching = type == WORKER_ATTACH_GROUP;
	change->head_size = find_head_size(type);
	change->detaching = type == WORKER_DETACH_GROUP;
	change->handler = handler;
	change->userdata = userdata;
	r = worker_process_request(space->worker, type, body, size, fds, fd_count,
				   handle_change_answer, change, error);
	if (r) {
		free(change);
	}
	return r;
}

/* -- policy -- */

/* The loader has checked every value: a worker that refuses one is another version, or broken. */
static void handle_policy_answer(void *userdata, const struct worker_answer *answer)
{
	struct space *space = userdata;

	if (answer->error.code != ERROR_NONE && answer->error.code != ERROR_WORKER_LOST) {
		log_write(LOG_ERR, LOG_SPACE(space->number),
			  "the worker goes on with the policy that it had: %s", answer->error.text);
	}
}

/* Its first answer. A worker that does not take the administrator's word from the start is of no
 * use.
 */
static void handle_first_policy_answer(void *userdata, const struct worker_answer *answer)
{
	struct space *space = userdata;
	struct worker_answer result = {.error = answer->error};

	if (answer->error.code != ERROR_NONE && answer->error.code != ERROR_WORKER_LOST) {
		(void)error_set(&result.error, ERROR_WORKER_LOST, 0,
				"the worker of address space %u refuses the policy, and is ended: "
				"%s",
				space->number, answer->error.text);
		log_write(LOG_ERR, LOG_SPACE(space->number), "%s", result.error.text);
		worker_process_kill(space->worker, SIGKILL);
	}
	space->ready(space->ready_userdata, &result);
}

static int send_policy(struct space *space, worker_answer_handler handler, struct error *error)
{
	const struct worker_policy *policy = &space->manager->policy.worker;

	return worker_process_request(space->worker, WORKER_SET_POLICY, policy, sizeof(*policy),
				      NULL, 0, handler, space, error);
}

/* Before a request is sent: the policy that it is to be carried out by. */
static int settle_policy(struct space *space, struct error *error)
{
	int r = space->policy_due ? send_policy(space, handle_policy_answer, error) : 0;

	if (r == 0) {
		space->policy_due = false;
	}
	return r;
}

void space_tell_policy(struct space *space)
{
	space->policy_due = true;
	(void)settle_policy(space, NULL);
}

static int refuse_when_closing(const struct space *space, struct error *error)
{
	return space->closing ? error_set(error, ERROR_BUSY, 0, "address space %u is being closed",
					  space->number)
			      : 0;
}

static int prepare_request(struct space *space, struct error *error)
{
	int r = refuse_when_closing(space, error);

	return r ? r : settle_policy(space, error);
}

int space_request(struct space *space, enum worker_request_type type, const void *body, size_t size,
		  const int *fds, unsigned int fd_count, worker_answer_handler handler,
		  void *userdata, struct error *error)
{
	int r = prepare_request(space, error);

	if (r) {
		return r;
	}
	if (changes_structure(type)) {
		return request_change(space, type, body, size, fds, fd_count, NULL, handler,
				      userdata, error);
	}
	return worker_process_request(space->worker, type, body, size, fds, fd_count, handler,
				      userdata, error);
}

/* -- groups -- */

static int explain_open_failure(const struct space *space, const struct group *group,
				const char *path, int errnum, struct error *error)
{
	if (errnum == EBUSY) {
		return error_set(error, ERROR_GROUP_BUSY, errnum,
				 "another program has %s open: end it or wait", path);
	}
	if (errnum == ENOENT) {
		(void)error_set(error, ERROR_GROUP_NOT_VIABLE, errnum,
				"there is no %s, since no device of the group is bound to vfio-pci",
				path);
		topology_explain_group(space->manager->topology, group->host, error);
		return ERROR_GROUP_NOT_VIABLE;
	}
	return error_set(error, ERROR_KERNEL, errnum, "can't open %s", path);
}

static int open_group_nodes(const struct space *space, const struct group *group, int ret_fds[2],
			    struct error *error)
{
	struct kernel *kernel = space->manager->kernel;
	char path[32];
	int container = kernel_open_node(kernel, NODE_CONTAINER);
	int fd;

	if (container < 0) {
		return error_set(error, ERROR_KERNEL, -container,
				 "can't open " NODE_CONTAINER ": is the vfio module loaded?");
	}
	(void)snprintf(path, sizeof(path), NODE_GROUP_PREFIX "%" PRIu32, group->host->id);
	fd = kernel_open_node(kernel, path);
	if (fd < 0) {
		(void)kernel_close(kernel, container);
		return explain_open_failure(space, group, path, -fd, error);
	}
	ret_fds[0] = container;
	ret_fds[1] = fd;
	return 0;
}

/* Whether another group may come to containers that are there. Which one it would be is the
 * worker's choice. */
static bool lets_share(const struct space *space)
{
	const struct manager *manager = space->manager;

	for (size_t i = 0; i < manager->group_count; i++) {
		const struct group *group = manager->groups[i];

		if (group->space == space && group->pe && pe_keeps_alone(group->pe)) {
			return false;
		}
	}
	return true;
}

int space_attach_group(struct space *space, struct group *group,
		       const struct space_attach_options *options, worker_answer_handler handler,
		       void *userdata, struct error *error)
{
	struct worker_attach body = {.group = group->host->id};
	int fds[2] = {-1, -1};
	int r = prepare_request(space, error);

	if (r) {
		return r;
	}
	if (group->space) {
		return error_set(error, ERROR_GROUP_BUSY, 0,
				 "group %" PRIu32
				 " is in address space %u \"%s\"%s: detach it first",
				 group->host->id, group->space->number, group->space->name,
				 group->space->closing ? ", which is being closed" : "");
	}
	if (space->container_count == WORKER_CONTAINERS_MAX) {
		return error_set(error, ERROR_QUOTA_EXCEEDED, 0,
				 "address space %u has %d containers", space->number,
				 WORKER_CONTAINERS_MAX);
	}
	r = quarantine_check(space->manager, group, error);
	r = r ? r : delegation_check(group, error);
	r = r ? r : binding_check(space->manager, group, error);
	if (r) {
		return r;
	}
	r = open_group_nodes(space, group, fds, error);
	if (r) {
		return r == ERROR_GROUP_BUSY && error
			       ? holders_explain(space->manager, group, error, handler, userdata)
			       : r;
	}
	body.container_id = space->next_container;
	memcpy(body.iommu_type, options->iommu_type, sizeof(body.iommu_type));
	body.flags = (options->share && lets_share(space) ? WORKER_ATTACH_SHARE : 0) |
		     (options->balloon_allowed ? WORKER_ATTACH_BALLOON : 0);
	r = request_change(space, WORKER_ATTACH_GROUP, &body, sizeof(body), fds, 2, group, handler,
			   userdata, error);
	(void)kernel_close(space->manager->kernel, fds[0]);
	(void)kernel_close(space->manager->kernel, fds[1]);
	if (r == 0) {
		space->next_container++;
		group->space = space;
		group->container_id = 0;
	}
	return r;
}

/* A detachment that waits for its turn, and then for its answer. */
struct detachment {
	struct pe_turn turn;
	struct space *space;
	struct group *group;
	worker_answer_handler handler;
	void *userdata;
};

static void finish_detachment(void *userdata, const struct worker_answer *answer)
{
	struct detachment *detachment = userdata;
	struct pe *pe = detachment->group->pe;

	detachment->handler(detachment->userdata, answer);
	if (pe) {
		pe_end_turn(pe, &detachment->turn);
	}
	free(detachment);
}

static int detach(struct detachment *detachment, struct error *error)
{
	struct worker_detach body = {.group = detachment->group->host->id};
	int r = prepare_request(detachment->space, error);

	return r ? r
		 : request_change(detachment->space, WORKER_DETACH_GROUP, &body, sizeof(body), NULL,
				  0, detachment->group, finish_detachment, detachment, error);
}

static void refuse_detachment(struct pe_turn *turn, const struct error *error)
{
	struct worker_answer answer = {.error = *error};

	finish_detachment(turn, &answer);
}

static void begin_detachment(struct pe_turn *turn)
{
	struct error error;

	if (detach((struct detachment *)turn, &error)) {
		refuse_detachment(turn, &error);
	}
}

static int check_detach(struct space *space, struct group *group, bool is_operator,
			struct error *error)
{
	int r = prepare_request(space, error);

	if (r) {
		return r;
	}
	if (group->space != space) {
		return error_set(error, ERROR_NOT_FOUND, 0,
				 "group %" PRIu32 " is not in address space %u", group->host->id,
				 space->number);
	}
	return group->pe ? pe_check_detach(group->pe, is_operator, error) : 0;
}

int space_detach_group(struct space *space, struct group *group, bool is_operator,
		       worker_answer_handler handler, void *userdata, struct error *error)
{
	cleanup(cleanup_free) struct detachment *detachment = NULL;
	int r = check_detach(space, group, is_operator, error);

	if (r) {
		return r;
	}
	detachment = calloc(1, sizeof(*detachment));
	if (!detachment) {
		return error_set(error, ERROR_KERNEL, ENOMEM, "no memory for the request");
	}
	detachment->turn.begin = begin_detachment;
	detachment->turn.refuse = refuse_detachment;
	detachment->space = space;
	detachment->group = group;
	detachment->handler = handler;
	detachment->userdata = userdata;
	if (group->pe) {
		pe_take_turn(group->pe, &steal_pointer(detachment)->turn);
		return 0;
	}
	r = detach(detachment, error);
	if (r == 0) {
		(void)steal_pointer(detachment); /* finish_detachment frees it */
	}
	return r;
}

int space_take_group(struct space *space, struct group *group, uint32_t flags,
		     worker_answer_handler handler, void *userdata, struct error *error)
{
	struct worker_detach body = {.group = group->host->id, .flags = flags};
	int r = prepare_request(space, error);

	return r ? r
		 : request_change(space, WORKER_DETACH_GROUP, &body, sizeof(body), NULL, 0, group,
				  handler, userdata, error);
}

uint64_t space_locked_bytes(const struct space *space)
{
	return space->counts.locked_pins + space->counts.locked_tables + space->counts.locked_leaks;
}

/* Memory of another device, and what no container has, is nothing that a balloon could take. */
static bool has_lockable_memory(const struct space *space)
{
	for (uint32_t i = 0; i < space->memory_count; i++) {
		if (!(space->memory[i].flags &
		      (WORKER_MEMORY_RAM_DEVICE | WORKER_MEMORY_SKIPPED))) {
			return true;
		}
	}
	return false;
}

bool space_inhibits_balloon(const struct space *space)
{
	if (!has_lockable_memory(space)) {
		return false;
	}
	for (uint32_t i = 0; i < space->container_count; i++) {
		if (space->containers[i].balloon_inhibited) {
			return true;
		}
	}
	return false;
}

/* -- life and death -- */

static void handle_counts(void *userdata, const struct worker_counts *counts)
{
	struct space *space = userdata;

	space->counts = *counts;
}

/* Nothing can be asked about its groups any more. */
static void end_pes(struct space *space, const char *why)
{
	struct manager *manager = space->manager;

	for (size_t i = 0; i < manager->group_count; i++) {
		struct group *group = manager->groups[i];

		if (group->space == space && group->pe) {
			pe_space_ends(group->pe, why);
		}
	}
}

/* Whether the worker is at something that may take minutes. */
static bool operates_on_pes(const struct space *space)
{
	const struct manager *manager = space->manager;

	for (size_t i = 0; i < manager->group_count; i++) {
		const struct group *group = manager->groups[i];

		if (group->space == space && group->pe && pe_is_operating(group->pe)) {
			return true;
		}
	}
	return false;
}

static uint64_t count_open_devices(const struct space *space)
{
	const struct manager *manager = space->manager;
	uint64_t count = 0;

	for (size_t i = 0; i < manager->group_count; i++) {
		const struct group *group = manager->groups[i];

		for (const struct host_device *device = group->devices;
		     device && group->space == space; device = device->next) {
			count += device->open;
		}
	}
	return count;
}

static void release_groups(struct space *space)
{
	struct manager *manager = space->manager;

	space_forget_containers(space, NULL, 0);
	space->container_count = 0;
	for (size_t i = 0; i < manager->group_count; i++) {
		space_release_group(space, manager->groups[i]); /* one that was being attached */
	}
}

/* Its worker has ended, or is a keeper's now. */
static void end_space(struct space *space, const char *why)
{
	struct manager *manager = space->manager;
	worker_answer_handler closed = steal_pointer(space->closed);
	void *closed_userdata = space->closed_userdata;
	struct worker_answer answer = {.body = NULL};

	end_pes(space, why);
	release_groups(space);
	log_write(LOG_DEBUG, LOG_SPACE(space->number), "gone: %s", why);
	OBSERVE(space, space_removed, space, space->closing ? NULL : why);
	manager_forget_space(manager, space);
	(void)space_free(space);
	if (closed) {
		closed(closed_userdata, &answer);
	}
}

static void handle_worker_gone(void *userdata, const char *why)
{
	struct space *space = userdata;

	if (!space->closing) {
		log_write(LOG_ERR, LOG_SPACE(space->number), "the worker is lost: %s", why);
	}
	end_space(space, why);
}

/* A Close that waits when spaprd itself ends. */
static void answer_close(struct space *space)
{
	struct worker_answer answer = {.body = NULL};

	if (space->closed) {
		(void)error_set(&answer.error, ERROR_WORKER_LOST, 0,
				"address space %u: spaprd ended before its worker", space->number);
		space->closed(space->closed_userdata, &answer);
	}
}

struct space *space_free(struct space *space)
{
	if (space) {
		space->close_deadline = sd_event_source_disable_unref(space->close_deadline);
		space->worker = worker_process_free(space->worker);
		answer_close(space);
		free(space->name);
		free(space->owner);
		free(space);
	}
	return NULL;
}

static int start_worker(struct space *space, struct error *error)
{
	struct manager *manager = space->manager;
	cleanup(cleanup_fd) int simhost = -1;
	struct worker_start start = {
		.program = manager->worker_program,
		.space = space->number,
		.counts = handle_counts,
		.gone = handle_worker_gone,
		.userdata = space,
	};
	int r;

	if (manager->simulated) {
		r = sim_connection_new(manager->kernel, &simhost);
		if (r < 0) {
			return error_set(error, ERROR_KERNEL, -r, "can't reach the simulated host");
		}
	}
	start.simhost = simhost;
	return worker_process_new(manager->event, &start, &space->worker, error);
}

/* Of a space that could not be made: its worker has nothing to tear down. */
static void cleanup_space(struct space **space)
{
	if (*space) {
		(*space)->worker = worker_process_discard((*space)->worker);
		(void)space_free(*space);
	}
}

int space_new(struct manager *manager, const struct space_options *options,
	      worker_answer_handler ready, void *userdata, struct space **ret_space,
	      struct error *error)
{
	cleanup(cleanup_space) struct space *space = NULL;
	int r;

	if (manager->stopping) {
		return error_set(error, ERROR_BUSY, 0, "spaprd is stopping");
	}
	if (manager->space_count >= MANAGER_SPACES_MAX) {
		return error_set(error, ERROR_QUOTA_EXCEEDED, 0,
				 "there are %zu address spaces of at most %d: close one",
				 manager->space_count, MANAGER_SPACES_MAX);
	}
	space = calloc(1, sizeof(*space));
	if (space) {
		space->name = strdup(options->name);
		space->owner = strdup(options->owner);
	}
	if (!space || !space->name || !space->owner) {
		return error_set(error, ERROR_KERNEL, ENOMEM, "no memory for an address space");
	}
	space->manager = manager;
	space->number = manager->next_space;
	space->next_container = 1;
	space->uid = options->uid;
	space->keep = options->keep;
	space->ready = ready;
	space->ready_userdata = userdata;
	r = start_worker(space, error);
	if (r) {
		return r;
	}
	r = send_policy(space, handle_first_policy_answer, error);
	if (r) {
		return r;
	}
	manager->next_space++;
	manager->space_count++;
	space->next = manager->spaces;
	manager->spaces = space;
	log_write(LOG_DEBUG, LOG_SPACE(space->number),
		  "created for %s of uid %u, worker is process %d", space->owner,
		  (unsigned int)space->uid, (int)worker_process_pid(space->worker));
	OBSERVE(space, space_added, space);
	*ret_space = steal_pointer(space);
	return 0;
}

static int handle_close_deadline(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct space *space = userdata;

	(void)source;
	(void)usec;
	log_write(LOG_ERR, LOG_SPACE(space->number),
		  "process %d did not tear down in time (it may be blocked in the kernel): killing "
		  "it",
		  (int)worker_process_pid(space->worker));
	worker_process_kill(space->worker, SIGKILL);
	return 0;
}

/* The worker keeps groups, and goes on to do so. */
static void handle_kept(struct space *space, const struct worker_kept *kept, size_t size)
{
	size_t count = size / sizeof(*kept);
	bool sound = size % sizeof(*kept) == 0 && quarantine_is_sound(space, kept, count);

	if (sound && quarantine_take(space, kept, count) == 0) {
		end_space(space, "its worker keeps groups in quarantine");
		return;
	}
	log_write(LOG_CRIT, LOG_SPACE(space->number),
		  sound ? "no memory to look after the groups that process %d keeps: ending it"
			: "process %d says that it keeps groups that it can't have: ending it",
		  (int)worker_process_pid(space->worker));
	worker_process_kill(space->worker, SIGKILL);
}

/* The process ends next, unless it keeps something; handle_worker_gone does the rest. */
static void handle_close_answer(void *userdata, const struct worker_answer *answer)
{
	struct space *space = userdata;

	if (answer->error.code == ERROR_NONE && answer->size > 0) {
		handle_kept(space, answer->body, answer->size);
		return;
	}
	if (answer->error.code != ERROR_NONE && answer->error.code != ERROR_WORKER_LOST) {
		log_write(LOG_WARNING, LOG_SPACE(space->number), "teardown: %s, ignoring",
			  answer->error.text);
	}
}

int space_close(struct space *space, worker_answer_handler handler, void *userdata,
		struct error *error)
{
	uint64_t patience;
	int r = refuse_when_closing(space, error);

	if (r) {
		return r;
	}
	r = worker_process_request(space->worker, WORKER_CLOSE, NULL, 0, NULL, 0,
				   handle_close_answer, space, error);
	if (r) {
		return r;
	}
	/* What it is at, and what waits before this, nobody wants any more. */
	worker_process_kill(space->worker, WORKER_URGENT_SIGNAL);
	space->closing = true;
	space->closed = handler;
	space->closed_userdata = userdata;
	patience = CLOSE_DEADLINE_USEC + (operates_on_pes(space) ? OPERATION_USEC : 0) +
		   count_open_devices(space) * DEVICE_USEC;
	end_pes(space, "its address space is being closed");
	(void)sd_event_add_time_relative(space->manager->event, &space->close_deadline,
					 CLOCK_MONOTONIC, patience, 0, handle_close_deadline,
					 space);
	return 0;
}

void space_end(struct space *space)
{
	struct error error;

	if (!space->closing && space_close(space, NULL, NULL, &error)) {
		log_write(LOG_ERR, LOG_SPACE(space->number),
			  "can't close it in order, killing %d: %s",
			  (int)worker_process_pid(space->worker), error.text);
		worker_process_kill(space->worker, SIGKILL);
	}
}
