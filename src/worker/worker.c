/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "worker/worker.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/log.h"
#include "worker/description.h"
#include "worker/device_call.h"
#include "worker/many.h"
#include "worker/pe_job.h"
#include "worker/request.h"
#include "worker/urgent.h"
#include "worker/worker_private.h"

/* More requests than this in line are answered ERROR_BUSY, so that a line can't grow for ever. */
#define LINE_MAX_LENGTH 256

/* Packets read before the slow pool is looked after again. */
#define PACKETS_PER_TURN 64

/* Threads for the PE of each container, and one for what is in line. */
#define THREADS_MAX (WORKER_CONTAINERS_MAX + 1)

/* An empty packet looks like the end: only poll tells them apart. */
static bool peer_is_gone(const struct worker *worker)
{
	struct pollfd entry = {.fd = worker->settings.socket, .events = POLLRDHUP};

	return poll(&entry, 1, 0) > 0 && (entry.revents & (POLLHUP | POLLRDHUP | POLLERR));
}

/* Whether what takes long is to stop: nobody waits for it any more. */
static bool is_interrupted(void *userdata)
{
	const struct worker *worker = userdata;

	return urgent_is_set() || peer_is_gone(worker);
}

int worker_new(const struct worker_settings *settings, struct worker **ret_worker)
{
	struct space_settings space = {
		.kernel = settings->kernel,
		.open_container = settings->open_container,
		.locked_limit = settings->locked_limit,
		.interrupted = is_interrupted,
	};
	struct worker *worker = calloc(1, sizeof(*worker));
	int r;

	if (!worker) {
		return -ENOMEM;
	}
	space.interrupted_userdata = worker;
	worker->settings = *settings;
	worker->end = &worker->first;
	outbox_init(&worker->outbox, settings->socket);
	r = space_new(&space, &worker->space);
	if (r == 0) {
		r = slow_pool_new(THREADS_MAX, &worker->slow);
	}
	if (r < 0) {
		(void)worker_free(worker);
		return r;
	}
	*ret_worker = worker;
	return 0;
}

static struct request take_first(struct worker *worker)
{
	struct line_entry *entry = worker->first;
	struct request request = entry->request;

	worker->first = entry->next;
	if (!worker->first) {
		worker->end = &worker->first;
	}
	worker->line_length--;
	free(entry);
	return request;
}

/* Complete what is under way, with nobody to hear of it. */
static void complete_jobs(struct worker *worker)
{
	struct slow_job *job;

	while ((job = slow_pool_wait(worker->slow))) {
		struct pe_outcome outcome;
		struct error error;
		size_t size;

		switch ((enum job_kind)job->kind) {
		case JOB_CHANGE:
			(void)space_change_finish(worker->change.change, NULL, NULL);
			break;
		case JOB_PE:
			(void)pe_job_finish(pe_job_of(job), worker->space, worker->body, &outcome,
					    &error);
			break;
		case JOB_RESET:
			(void)reset_job_finish(reset_job_of(job), worker->body, &size, &error);
			break;
		}
	}
}

struct worker *worker_free(struct worker *worker)
{
	if (worker) {
		if (worker->slow) {
			complete_jobs(worker);
		}
		while (worker->first) {
			struct request request = take_first(worker);

			request_done(&request);
		}
		(void)slow_pool_free(worker->slow);
		(void)space_free(worker->space);
		outbox_done(&worker->outbox);
		free(worker);
	}
	return NULL;
}

/* Replies */

static struct worker_counts count(const struct worker *worker)
{
	struct space_locked locked = space_locked(worker->space);

	return (struct worker_counts){
		.mappings = ledger_count(space_ledger(worker->space)),
		.mapped_bytes = ledger_bytes(space_ledger(worker->space)),
		.locked_pins = locked.pins,
		.locked_tables = locked.tables,
		.locked_leaks = locked.leaks,
	};
}

/* The broker is gone: there is nobody to answer any more. */
static void orphan(struct worker *worker)
{
	worker->state = WORKER_ORPHANED;
	outbox_done(&worker->outbox);
	while (worker->first) {
		struct request request = take_first(worker);

		request_done(&request);
	}
}

/* Send the outcome of a request: code 0 with a body, and with an fd unless that is -1, or the
 * error. */
static void answer_with_fd(struct worker *worker, uint32_t type, uint64_t id, int code,
			   const struct error *error, const void *body, size_t size, int fd)
{
	struct worker_reply reply = {
		.version = WORKER_PROTOCOL_VERSION,
		.type = type,
		.id = id,
		.code = (uint32_t)code,
		.errnum = code ? error->errnum : 0,
		.size = (uint32_t)(code ? strlen(error->text) : size),
		.fds = code == 0 && fd >= 0 ? 1 : 0,
		.counts = count(worker),
	};
	int r;

	if (worker->state == WORKER_ORPHANED) {
		return;
	}
	r = outbox_put(&worker->outbox, &reply, code ? error->text : body, fd);
	if (r < 0) {
		if (r == -ENOMEM) {
			log_write(LOG_ERR, LOG_SPACE(worker->settings.number),
				  "no memory to keep a reply; giving up");
		}
		orphan(worker);
	}
}

void worker_answer(struct worker *worker, uint32_t type, uint64_t id, int code,
		   const struct error *error, const void *body, size_t size)
{
	answer_with_fd(worker, type, id, code, error, body, size, -1);
}

static void answer_busy(struct worker *worker, struct request *request, const char *why)
{
	struct error error;
	int code = error_set(&error, ERROR_BUSY, 0, "%s", why);

	worker_answer(worker, request->type, request->id, code, &error, NULL, 0);
	request_done(request);
}

/* At once */

static int translate(struct worker *worker, uint64_t iova, size_t *ret_size, struct error *error)
{
	struct worker_translation translation;
	struct mapping mapping;
	int r;

	r = space_translate(worker->space, iova, &mapping, error);
	if (r) {
		return r;
	}
	translation = (struct worker_translation){
		.gpa = mapping.gpa + (iova - mapping.iova.start),
		.left = mapping.iova.size - (iova - mapping.iova.start),
		.prot = mapping.prot,
	};
	memcpy(worker->body, &translation, sizeof(translation));
	*ret_size = sizeof(translation);
	return 0;
}

static int map_many(struct worker *worker, const struct request *request, struct error *error)
{
	cleanup(cleanup_free) struct mapping *mappings = NULL;
	uint32_t count = request->body.many.count;
	int r = many_read_mappings(request->fds.fd[0], count, &mappings, error);

	return r ? r : space_map_many(worker->space, mappings, count, error);
}

static int unmap_many(struct worker *worker, const struct request *request, struct error *error)
{
	cleanup(cleanup_free) struct range *ranges = NULL;
	uint32_t count = request->body.many.count;
	int r = many_read_ranges(request->fds.fd[0], count, &ranges, error);

	return r ? r : space_unmap_many(worker->space, ranges, count, error);
}

static void handle_at_once(struct worker *worker, struct request *request)
{
	const union request_body *body = &request->body;
	struct error error;
	size_t size = 0;
	int r = 0;

	switch ((enum worker_request_type)request->type) {
	case WORKER_MAP:
		r = space_map(worker->space, body->map.iova, body->map.gpa, body->map.size,
			      body->map.prot, &error);
		break;
	case WORKER_UNMAP:
		r = space_unmap(worker->space, body->unmap.iova, body->unmap.size, &error);
		break;
	case WORKER_MAP_MANY:
		r = map_many(worker, request, &error);
		break;
	case WORKER_UNMAP_MANY:
		r = unmap_many(worker, request, &error);
		break;
	case WORKER_TRANSLATE:
		r = translate(worker, body->translate.iova, &size, &error);
		break;
	case WORKER_LIST_MAPPINGS:
		size = describe_mappings(worker->space, body->list.from, body->list.most,
					 worker->body);
		break;
	case WORKER_DESCRIBE:
		size = describe_space(worker->space, worker->body);
		break;
	case WORKER_CALL_DEVICE:
		r = device_call(worker->space, request, worker->body, &size, &error);
		break;
	case WORKER_SET_POLICY:
	case WORKER_ATTACH_GROUP:
	case WORKER_DETACH_GROUP:
	case WORKER_ADD_MEMORY:
	case WORKER_REMOVE_MEMORY:
	case WORKER_PLAN:
	case WORKER_CREATE_WINDOW:
	case WORKER_REMOVE_WINDOW:
	case WORKER_OPEN_DEVICE:
	case WORKER_RESET_DEVICE:
	case WORKER_RESET_SPACE:
	case WORKER_RELEASE_GROUP:
	case WORKER_OPERATE_PE:
	case WORKER_CLOSE:
	case WORKER_REQUEST_TYPE_COUNT:
		break;
	}
	worker_answer(worker, request->type, request->id, r, &error, worker->body, size);
	request_done(request);
}

/* In line */

static int begin_attach(struct worker *worker, struct request *request,
			struct space_change **ret_change, struct error *error)
{
	const struct worker_attach *wire = &request->body.attach;
	struct space_attach attach = {
		.group = wire->group,
		.container_id = wire->container_id,
		.iommu_type = wire->iommu_type[0] ? wire->iommu_type : NULL,
		.share = (wire->flags & WORKER_ATTACH_SHARE) != 0,
		.balloon_allowed = (wire->flags & WORKER_ATTACH_BALLOON) != 0,
	};

	if (wire->iommu_type[WORKER_IOMMU_TYPE_SIZE - 1] != '\0') {
		return error_set(error, ERROR_INVALID_ARGUMENT, 0, "the IOMMU type has no end");
	}
	attach.container_fd = packet_fds_take(&request->fds, 0);
	attach.group_fd = packet_fds_take(&request->fds, 1);
	return space_attach_begin(worker->space, &attach, ret_change, error);
}

static int begin_detach(struct worker *worker, const struct worker_detach *wire,
			struct space_change **ret_change, struct error *error)
{
	struct space_take take = {
		.group = wire->group,
		.only_if_gone = (wire->flags & WORKER_DETACH_IF_GONE) != 0,
	};

	return wire->flags ? space_take_begin(worker->space, &take, ret_change, error)
			   : space_detach_begin(worker->space, wire->group, ret_change, error);
}

static int set_policy(struct worker *worker, const struct worker_policy *wire, struct error *error)
{
	struct space_policy policy = {
		.window = {.page_sizes = wire->page_sizes,
			   .most_tces = wire->most_tces,
			   .table_piece = wire->table_piece},
		.default_window = (enum worker_default_window)wire->default_window,
		.replay_shared = wire->replay_shared != 0,
		.memory = wire->memory,
	};

	if (wire->default_window > WORKER_DEFAULT_WINDOW_SWAP || wire->replay_shared > 1 ||
	    (wire->memory &
	     ~(WORKER_TAKES_UNSEALED | WORKER_TAKES_HUGETLBFS | WORKER_TAKES_TMPFS))) {
		return error_set(error, ERROR_INVALID_ARGUMENT, 0,
				 "policy with default window %" PRIu32 ", replay %" PRIu32
				 ", memory 0x%" PRIx32,
				 wire->default_window, wire->replay_shared, wire->memory);
	}
	space_set_policy(worker->space, &policy);
	return 0;
}

static int begin_add_memory(struct worker *worker, struct request *request,
			    struct space_change **ret_change, struct error *error)
{
	const struct worker_memory *memory = &request->body.memory;
	struct section_request section = {
		.offset = memory->offset,
		.gpa = memory->gpa,
		.size = memory->size,
		.flags = memory->flags,
	};

	return space_memory_add_begin(worker->space, request->fds.fd[0], &section, ret_change,
				      error);
}

static int create_window(struct worker *worker, const struct worker_window *wire, size_t *ret_size,
			 struct error *error)
{
	struct window_request request = {
		.start = wire->start,
		.size = wire->size,
		.page_shift = wire->page_shift,
		.levels = wire->levels,
		.flags = wire->flags,
	};
	struct worker_window result;
	struct window window;
	uint32_t unknown = wire->flags & ~WORKER_WINDOW_REPLACE_DEFAULT;
	int r;

	if (unknown != 0) {
		return error_set(error, ERROR_INVALID_ARGUMENT, 0,
				 "window flags 0x%" PRIx32 " are not known; there is 1 (in place "
				 "of the default window)",
				 unknown);
	}
	r = space_window_create(worker->space, &request, &window, error);
	if (r) {
		return r;
	}
	result = describe_window(&window);
	memcpy(worker->body, &result, sizeof(result));
	*ret_size = sizeof(result);
	return 0;
}

static int plan_window(struct worker *worker, const struct worker_plan *wire, size_t *ret_size,
		       struct error *error)
{
	struct worker_plan_result head = {.count = 0};
	struct space_plan *plan = &worker->plan;
	size_t size = sizeof(head);
	int r;

	r = space_window_plan(worker->space, wire, plan, error);
	if (r) {
		return r;
	}
	head.count = plan->choice_count;
	head.chosen = plan->chosen;
	head.explanation_size = (uint32_t)strlen(plan->explanation);
	memcpy(worker->body, &head, sizeof(head));
	for (unsigned int i = 0; i < plan->choice_count; i++) {
		struct worker_choice choice = describe_choice(&plan->choices[i]);

		memcpy(worker->body + size, &choice, sizeof(choice));
		size += sizeof(choice);
	}
	memcpy(worker->body + size, plan->explanation, head.explanation_size);
	*ret_size = size + head.explanation_size;
	return 0;
}

static void work_change(struct slow_job *slow)
{
	space_change_work(((struct change_job *)slow)->change);
}

static void start_change(struct worker *worker, const struct request *request,
			 struct space_change *change)
{
	worker->change = (struct change_job){
		.slow = {.work = work_change, .kind = JOB_CHANGE},
		.change = change,
		.type = request->type,
		.id = request->id,
	};
	worker->changing = true;
	slow_pool_start(worker->slow, &worker->change.slow);
}

/* Start one request: windows are done, or planned, at once; the rest becomes a change for the slow
 * pool. */
static void start_in_line(struct worker *worker, struct request *request)
{
	const union request_body *body = &request->body;
	struct space_change *change = NULL;
	struct error error;
	size_t size = 0;
	int r = 0;

	switch ((enum worker_request_type)request->type) {
	case WORKER_SET_POLICY:
		r = set_policy(worker, &body->policy, &error);
		break;
	case WORKER_ATTACH_GROUP:
		r = begin_attach(worker, request, &change, &error);
		break;
	case WORKER_DETACH_GROUP:
		r = begin_detach(worker, &body->detach, &change, &error);
		break;
	case WORKER_ADD_MEMORY:
		r = begin_add_memory(worker, request, &change, &error);
		break;
	case WORKER_REMOVE_MEMORY:
		r = space_memory_remove_begin(worker->space, body->remove_memory.id, &change,
					      &error);
		break;
	case WORKER_CREATE_WINDOW:
		r = create_window(worker, &body->window, &size, &error);
		break;
	case WORKER_REMOVE_WINDOW:
		r = space_window_remove(worker->space, body->remove_window.start, &error);
		break;
	case WORKER_PLAN:
		r = plan_window(worker, &body->plan, &size, &error);
		break;
	case WORKER_DESCRIBE:
	case WORKER_MAP:
	case WORKER_UNMAP:
	case WORKER_MAP_MANY:
	case WORKER_UNMAP_MANY:
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
		break;
	}
	if (change) {
		start_change(worker, request, change);
	} else {
		worker_answer(worker, request->type, request->id, r, &error, worker->body, size);
	}
	request_done(request);
}

/* Put what is skipped from now on behind the body, and say it. Returns the size. */
static size_t add_skipped(struct worker *worker, const struct space_outcome *outcome, size_t size)
{
	for (unsigned int i = 0; i < outcome->skipped_count; i++) {
		const struct section *section = outcome->skipped[i];

		log_write(LOG_WARNING, LOG_SPACE(worker->settings.number),
			  "memory section %" PRIu32 " at %s is skipped: %s", section->id,
			  range_format(section->gpa).text, section->because);
		if (i < WORKER_SKIPPED_MAX) {
			struct worker_skipped skipped = describe_skipped(section);

			memcpy(worker->body + size, &skipped, sizeof(skipped));
			size += sizeof(skipped);
		}
	}
	return size;
}

static size_t describe_outcome(struct worker *worker, const struct space_outcome *outcome)
{
	struct worker_container container;
	struct worker_detached detached;
	struct worker_memory memory;

	switch ((enum worker_request_type)worker->change.type) {
	case WORKER_ATTACH_GROUP:
		container = describe_container(outcome->container);
		memcpy(worker->body, &container, sizeof(container));
		return add_skipped(worker, outcome, sizeof(container));
	case WORKER_DETACH_GROUP:
		detached = (struct worker_detached){
			.container_id = outcome->container_id,
			.replayed = outcome->replayed,
			.lost = outcome->lost,
		};
		memcpy(worker->body, &detached, sizeof(detached));
		return sizeof(detached);
	case WORKER_ADD_MEMORY:
		memory = describe_memory(outcome->section);
		memcpy(worker->body, &memory, sizeof(memory));
		return add_skipped(worker, outcome, sizeof(memory));
	case WORKER_DESCRIBE:
	case WORKER_SET_POLICY:
	case WORKER_REMOVE_MEMORY:
	case WORKER_CREATE_WINDOW:
	case WORKER_REMOVE_WINDOW:
	case WORKER_MAP:
	case WORKER_UNMAP:
	case WORKER_MAP_MANY:
	case WORKER_UNMAP_MANY:
	case WORKER_PLAN:
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
		break;
	}
	return 0;
}

static void finish_change(struct worker *worker)
{
	struct space_outcome outcome;
	struct error error;
	size_t size = 0;
	int r;

	if (space_change_advance(worker->change.change)) {
		slow_pool_start(worker->slow, &worker->change.slow);
		return;
	}
	r = space_change_finish(worker->change.change, &outcome, &error);
	worker->changing = false;
	if (r == 0) {
		size = describe_outcome(worker, &outcome);
	}
	worker_answer(worker, worker->change.type, worker->change.id, r, &error, worker->body,
		      size);
}

static void advance_line(struct worker *worker)
{
	while (worker->first && !worker->changing && !urgent_is_set()) {
		struct request request = take_first(worker);

		start_in_line(worker, &request);
	}
}

static void queue_in_line(struct worker *worker, struct request *request)
{
	struct line_entry *entry = NULL;

	if (worker->line_length < LINE_MAX_LENGTH) {
		entry = malloc(sizeof(*entry));
	}
	if (!entry) {
		answer_busy(worker, request, "too many requests wait in line");
		return;
	}
	entry->next = NULL;
	entry->request = *request;
	*worker->end = entry;
	worker->end = &entry->next;
	worker->line_length++;
}

/* What waits is not begun any more; what is under way is completed. */
static void begin_close(struct worker *worker, const struct request *request)
{
	worker->state = WORKER_CLOSING;
	worker->close_id = request->id;
	while (worker->first) {
		struct request waiting = take_first(worker);

		answer_busy(worker, &waiting, "the address space is being closed");
	}
}

/* Beside */

static void start_beside(struct worker *worker, struct request *request)
{
	struct pe_outcome outcome;
	struct pe_job *job;
	struct error error;
	int r = pe_job_begin(worker->space, request, &job, &outcome, &error);

	if (r == 0 && job) {
		slow_pool_start(worker->slow, pe_job_slow(job));
	} else {
		answer_with_fd(worker, request->type, request->id, r, &error, NULL, 0, outcome.fd);
	}
	request_done(request);
}

static void finish_beside(struct worker *worker, struct pe_job *job)
{
	struct pe_outcome outcome = {.size = 0, .fd = -1};
	uint32_t type = pe_job_type(job);
	uint64_t id = pe_job_id(job);
	struct error error;
	int r = pe_job_finish(job, worker->space, worker->body, &outcome, &error);

	answer_with_fd(worker, type, id, r, &error, worker->body, outcome.size, outcome.fd);
}

/* What the slow pool is done with. */
static void finish_jobs(struct worker *worker)
{
	struct slow_job *job;

	while ((job = slow_pool_take(worker->slow))) {
		switch ((enum job_kind)job->kind) {
		case JOB_CHANGE:
			finish_change(worker);
			break;
		case JOB_PE:
			finish_beside(worker, pe_job_of(job));
			break;
		case JOB_RESET:
			worker_finish_reset(worker, reset_job_of(job));
			break;
		}
	}
}

static void start(struct worker *worker, struct request *request)
{
	switch (request_way(request->type)) {
	case REQUEST_AT_ONCE:
		handle_at_once(worker, request);
		break;
	case REQUEST_IN_LINE:
		queue_in_line(worker, request);
		advance_line(worker);
		break;
	case REQUEST_BESIDE:
		if (worker_is_reset(request->type)) {
			worker_start_reset(worker, request);
		} else {
			start_beside(worker, request);
		}
		break;
	}
}

static void dispatch(struct worker *worker, struct request *request)
{
	bool close = request->type == WORKER_CLOSE;

	if (worker->state == WORKER_KEEPING && request->type == WORKER_RELEASE_GROUP) {
		worker_start_reset(worker, request);
	} else if (worker->state != WORKER_SERVING || (urgent_is_set() && !close)) {
		answer_busy(worker, request, "the address space is being closed");
	} else if (close) {
		begin_close(worker, request);
	} else {
		start(worker, request);
	}
}

/* The loop */

static void handle_packet(struct worker *worker, size_t size, struct packet_fds *fds)
{
	struct request request;
	struct error error;
	int r;

	r = request_read(worker->packet, size, fds, &request, &error);
	if (r < 0) {
		log_write(LOG_WARNING, LOG_SPACE(worker->settings.number),
			  "a packet of %zu bytes is no request, ignoring", size);
	} else if (r > 0) {
		worker_answer(worker, request.type, request.id, r, &error, NULL, 0);
	} else {
		dispatch(worker, &request);
	}
}

/*
 * A packet that is too large, or whose fds found no room here, has been received in part: its head
 * is in the buffer. Whoever waits for the reply gets one.
 */
static void refuse_packet(struct worker *worker)
{
	struct worker_request head;
	struct error error;
	int code;

	memcpy(&head, worker->packet, sizeof(head));
	if (head.version != WORKER_PROTOCOL_VERSION || head.id == 0) {
		log_write(LOG_WARNING, LOG_SPACE(worker->settings.number),
			  "a packet is too large or has too many fds, ignoring");
		return;
	}
	code = error_set(&error, ERROR_QUOTA_EXCEEDED, 0,
			 "the request is larger than %d bytes, or the worker has no room for its "
			 "fds (RLIMIT_NOFILE)",
			 WORKER_MESSAGE_MAX);
	worker_answer(worker, head.type, head.id, code, &error, NULL, 0);
}

/* Read one packet. Whether there may be more. */
static bool read_packet(struct worker *worker)
{
	struct packet_fds fds = PACKET_FDS_NONE;
	ssize_t size;

	/* Not the head of an earlier packet, when this one is shorter than that. */
	memset(worker->packet, 0, sizeof(struct worker_request));
	size = packet_receive(worker->settings.socket, worker->packet, sizeof(worker->packet), &fds,
			      NULL);
	if (size == -EAGAIN) {
		return false;
	}
	if (size == -EMSGSIZE) {
		refuse_packet(worker);
		return true;
	}
	if (size < 0 || (size == 0 && peer_is_gone(worker))) {
		packet_fds_done(&fds);
		orphan(worker);
		return false;
	}
	handle_packet(worker, (size_t)size, &fds);
	return true;
}

static void handle_socket(struct worker *worker, short events)
{
	if (!outbox_is_empty(&worker->outbox)) {
		/* Nothing is read meanwhile, so the end shows up here. */
		if ((events & (POLLERR | POLLHUP)) || outbox_flush(&worker->outbox) < 0) {
			orphan(worker);
		}
		return;
	}
	if (!(events & (POLLIN | POLLHUP | POLLERR))) {
		return;
	}
	for (unsigned int i = 0; i < PACKETS_PER_TURN && outbox_is_empty(&worker->outbox) &&
				 worker->state != WORKER_ORPHANED;
	     i++) {
		if (!read_packet(worker)) {
			return;
		}
	}
}

int worker_run(struct worker *worker)
{
	for (;;) {
		struct pollfd entries[] = {
			{.fd = worker->settings.socket,
			 .events = outbox_is_empty(&worker->outbox) ? POLLIN : POLLOUT},
			{.fd = slow_pool_fd(worker->slow), .events = POLLIN},
		};

		if (worker->state == WORKER_ORPHANED) {
			entries[0].fd = -1;
		}
		if (poll(entries, 2, worker_patience(worker)) < 0 && errno != EINTR) {
			return -errno;
		}
		if (entries[0].revents != 0) {
			handle_socket(worker, entries[0].revents);
		}
		finish_jobs(worker);
		advance_line(worker);
		if (worker->state != WORKER_SERVING) {
			worker_advance_end(worker);
		}
		if (worker->state == WORKER_ENDED) {
			return 0;
		}
	}
}
