/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "broker/worker_process.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "common/cleanup.h"
#include "common/fd_limit.h"
#include "common/log.h"
#include "common/packet.h"

/* Fds of requests that did not fit the socket: a client can't have us hold very many. */
#define UNSENT_FDS_MAX 64

/* A request that was sent or waits to be; free slots have no handler. */
struct pending {
	worker_answer_handler handler;
	void *userdata;
	enum worker_request_type type;
	uint32_t generation; /* makes the id of a slot's next request another one */
};

/* A request that did not fit the socket. */
struct unsent {
	struct unsent *next;
	int fds[PACKET_FDS_MAX];
	unsigned int fd_count;
	struct worker_request request;
	char body[];
};

struct worker_process {
	sd_event *event;
	sd_event_source *socket_source;
	sd_event_source *child_source;
	int socket;
	pid_t pid;
	unsigned int space;
	worker_counts_handler counts;
	worker_gone_handler gone;
	void *userdata;
	bool lost;
	struct pending pending[WORKER_PENDING_MAX];
	uint32_t free_slots[WORKER_PENDING_MAX];
	uint32_t free_count;
	struct unsent *first_unsent;
	struct unsent **last_unsent;
	unsigned int unsent_fds;
};

/* A reply with more than this breaks the protocol. */
static _Alignas(uint64_t) char receive_buffer[WORKER_MESSAGE_MAX];

/* -- pending requests -- */

static uint64_t pending_add(struct worker_process *worker, enum worker_request_type type,
			    worker_answer_handler handler, void *userdata)
{
	uint32_t slot = worker->free_slots[--worker->free_count];
	struct pending *pending = &worker->pending[slot];

	pending->handler = handler;
	pending->userdata = userdata;
	pending->type = type;
	pending->generation++;
	return (uint64_t)pending->generation << 32 | slot;
}

/* NULL: nobody waits for that. */
static struct pending *pending_find(struct worker_process *worker, uint64_t id)
{
	uint32_t slot = (uint32_t)id;
	struct pending *pending;

	if (slot >= WORKER_PENDING_MAX) {
		return NULL;
	}
	pending = &worker->pending[slot];
	return pending->handler && pending->generation == id >> 32 ? pending : NULL;
}

static bool pending_take(struct worker_process *worker, uint64_t id, struct pending *ret_pending)
{
	struct pending *pending = pending_find(worker, id);
	uint32_t slot = (uint32_t)id;

	if (!pending) {
		return false;
	}
	*ret_pending = *pending;
	pending->handler = NULL;
	worker->free_slots[worker->free_count++] = slot;
	return true;
}

static void pending_init(struct worker_process *worker)
{
	for (uint32_t slot = 0; slot < WORKER_PENDING_MAX; slot++) {
		worker->free_slots[slot] = WORKER_PENDING_MAX - 1 - slot;
	}
	worker->free_count = WORKER_PENDING_MAX;
}

static void pending_fail_all(struct worker_process *worker, const char *why)
{
	for (uint32_t slot = 0; slot < WORKER_PENDING_MAX; slot++) {
		struct pending pending;
		struct worker_answer answer = {.body = NULL};
		uint64_t id = (uint64_t)worker->pending[slot].generation << 32 | slot;

		if (pending_take(worker, id, &pending)) {
			(void)error_set(&answer.error, ERROR_WORKER_LOST, 0,
					"address space %u, process %d: %s", worker->space,
					(int)worker->pid, why);
			pending.handler(pending.userdata, &answer);
		}
	}
}

/* -- the queue of what did not fit the socket -- */

static struct unsent *unsent_free(struct unsent *unsent)
{
	if (unsent) {
		for (unsigned int i = 0; i < unsent->fd_count; i++) {
			(void)fd_close(unsent->fds[i]);
		}
		free(unsent);
	}
	return NULL;
}

static void unsent_drop_all(struct worker_process *worker)
{
	while (worker->first_unsent) {
		struct unsent *next = worker->first_unsent->next;

		(void)unsent_free(worker->first_unsent);
		worker->first_unsent = next;
	}
	worker->last_unsent = &worker->first_unsent;
	worker->unsent_fds = 0;
}

/* Copies of the fds, for as long as the request waits. 0 or -errno. */
static int unsent_copy_fds(struct unsent *unsent, const int *fds, unsigned int fd_count)
{
	for (unsigned int i = 0; i < fd_count; i++) {
		int copy = fcntl(fds[i], F_DUPFD_CLOEXEC, 3);

		if (copy < 0) {
			return -errno;
		}
		unsent->fds[unsent->fd_count++] = copy;
		if (!fd_limit_allows(copy)) {
			return -EMFILE;
		}
	}
	return 0;
}

static int unsent_add(struct worker_process *worker, const struct worker_request *request,
		      const void *body, const int *fds, unsigned int fd_count)
{
	struct unsent *unsent;
	int r;

	if (fd_count > 0 && worker->unsent_fds + fd_count > UNSENT_FDS_MAX) {
		return -EMFILE;
	}
	unsent = malloc(sizeof(*unsent) + request->size);
	if (!unsent) {
		return -ENOMEM;
	}
	unsent->next = NULL;
	unsent->request = *request;
	unsent->fd_count = 0;
	if (request->size > 0) {
		memcpy(unsent->body, body, request->size);
	}
	r = unsent_copy_fds(unsent, fds, fd_count);
	if (r < 0) {
		(void)unsent_free(unsent);
		return r;
	}
	*worker->last_unsent = unsent;
	worker->last_unsent = &unsent->next;
	worker->unsent_fds += fd_count;
	return sd_event_source_set_io_events(worker->socket_source, EPOLLIN | EPOLLOUT);
}

static int unsent_flush(struct worker_process *worker)
{
	while (worker->first_unsent) {
		struct unsent *unsent = worker->first_unsent;
		int r = packet_send(worker->socket, &unsent->request, sizeof(unsent->request),
				    unsent->body, unsent->request.size, unsent->fds,
				    unsent->fd_count);

		if (r == -EAGAIN) {
			return 0;
		}
		if (r < 0) {
			return r;
		}
		worker->first_unsent = unsent->next;
		if (!worker->first_unsent) {
			worker->last_unsent = &worker->first_unsent;
		}
		worker->unsent_fds -= unsent->fd_count;
		(void)unsent_free(unsent);
	}
	return sd_event_source_set_io_events(worker->socket_source, EPOLLIN);
}

/* -- receiving -- */

/*
 * The socket is of no use any more: the worker closed it, or broke the protocol. What is waiting is
 * answered when the process has ended, with the reason.
 */
static void worker_lose(struct worker_process *worker)
{
	worker->lost = true;
	worker->socket_source = sd_event_source_disable_unref(worker->socket_source);
	worker->socket = fd_close(worker->socket);
	unsent_drop_all(worker);
}

/* How many fds must come along: a device's, and no other. */
static unsigned int expected_fds(const struct pending *pending, uint32_t code)
{
	return pending->type == WORKER_OPEN_DEVICE && code == ERROR_NONE ? 1 : 0;
}

static bool reply_is_sound(struct worker_process *worker, const struct worker_reply *reply,
			   size_t size, unsigned int fd_count)
{
	const struct pending *pending;

	if (size < sizeof(*reply) || reply->version != WORKER_PROTOCOL_VERSION ||
	    reply->size != size - sizeof(*reply) || reply->code >= ERROR_CODE_COUNT ||
	    reply->fds != fd_count) {
		return false;
	}
	pending = pending_find(worker, reply->id);
	return !pending || fd_count == expected_fds(pending, reply->code);
}

static void deliver(struct worker_process *worker, const struct worker_reply *reply,
		    const struct packet_fds *fds)
{
	struct worker_answer answer = {.fds = fds->fd, .fd_count = fds->count};
	struct pending pending;

	if (!pending_take(worker, reply->id, &pending)) {
		log_write(LOG_WARNING, LOG_SPACE(worker->space),
			  "the worker answered request %" PRIu64
			  ", which nobody waits for, ignoring",
			  reply->id);
		return;
	}
	answer.error.code = (enum error_code)reply->code;
	answer.error.errnum = reply->errnum;
	if (reply->code != ERROR_NONE) {
		(void)snprintf(answer.error.text, sizeof(answer.error.text), "%.*s",
			       (int)reply->size, (const char *)(reply + 1));
	} else {
		answer.body = reply + 1;
		answer.size = reply->size;
	}
	worker->counts(worker->userdata, &reply->counts);
	pending.handler(pending.userdata, &answer);
}

/*
 * A reply whose fd found no room here has been received in part: its head is in the buffer. That
 * one answer is lost then, and not the worker with all that it holds. Whether it was one.
 */
static bool deliver_loss(struct worker_process *worker)
{
	struct worker_answer answer = {.body = NULL};
	struct worker_reply reply;
	struct pending pending;
	const struct pending *waiting;

	memcpy(&reply, receive_buffer, sizeof(reply));
	waiting = pending_find(worker, reply.id);
	if (reply.version != WORKER_PROTOCOL_VERSION || reply.fds != 1 || !waiting ||
	    expected_fds(waiting, reply.code) != 1 || !pending_take(worker, reply.id, &pending)) {
		return false;
	}
	(void)error_set(&answer.error, ERROR_QUOTA_EXCEEDED, EMFILE,
			"spaprd has so many files open that none is left for the device's: close "
			"some devices or address spaces");
	worker->counts(worker->userdata, &reply.counts);
	pending.handler(pending.userdata, &answer);
	return true;
}

static void break_off(struct worker_process *worker, ssize_t size)
{
	log_write(LOG_ERR, LOG_SPACE(worker->space),
		  "the worker sent a reply of %zd bytes that breaks the protocol: ending it", size);
	worker_process_kill(worker, SIGKILL);
	worker_lose(worker);
}

static int handle_socket_event(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct worker_process *worker = userdata;
	struct packet_fds fds = PACKET_FDS_NONE;
	struct worker_reply reply;
	ssize_t size;

	(void)source;
	if ((events & EPOLLOUT) && unsent_flush(worker) < 0) {
		worker_lose(worker);
		return 0;
	}
	if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR))) {
		return 0;
	}
	/* Not the head of an earlier reply, when this one is shorter than that. */
	memset(receive_buffer, 0, sizeof(reply));
	size = packet_receive(fd, receive_buffer, sizeof(receive_buffer), &fds, NULL);
	if (size == -EAGAIN || (size == -EMSGSIZE && deliver_loss(worker))) {
		return 0;
	}
	if (size <= 0) {
		packet_fds_done(&fds);
		worker_lose(worker);
		return 0;
	}
	memcpy(&reply, receive_buffer, sizeof(reply));
	if (reply_is_sound(worker, &reply, (size_t)size, fds.count)) {
		deliver(worker, (const struct worker_reply *)(const void *)receive_buffer, &fds);
	} else {
		break_off(worker, size);
	}
	packet_fds_done(&fds);
	return 0;
}

/* What it said last, for its end may be heard of first. Then nothing more comes. */
static void receive_rest(struct worker_process *worker)
{
	for (uint32_t i = 0; i < WORKER_PENDING_MAX && !worker->lost; i++) {
		(void)handle_socket_event(worker->socket_source, worker->socket, EPOLLIN, worker);
	}
}

static int handle_child_event(sd_event_source *source, const siginfo_t *info, void *userdata)
{
	struct worker_process *worker = userdata;
	worker_gone_handler gone;
	void *gone_userdata;
	const char *name = sigabbrev_np(info->si_status); /* NULL for a real-time signal */
	char why[64];

	(void)source;
	if (info->si_code == CLD_EXITED) {
		(void)snprintf(why, sizeof(why), "it ended with exit status %d", info->si_status);
	} else {
		(void)snprintf(why, sizeof(why), "it was killed by SIG%s", name ? name : "RT");
	}
	worker->child_source = sd_event_source_disable_unref(worker->child_source);
	receive_rest(worker);
	if (!worker->lost) {
		worker_lose(worker);
	}
	pending_fail_all(worker, why);
	/* An answer may have given it to somebody else. */
	gone = worker->gone;
	gone_userdata = worker->userdata;
	gone(gone_userdata, why);
	return 0;
}

/* -- starting -- */

/* Copies well above the numbers that the worker is going to see, so that dup2 can't overwrite one.
 */
static int move_up(int fd)
{
	int moved = fcntl(fd, F_DUPFD_CLOEXEC, 16);

	return moved < 0 ? -errno : moved;
}

static int spawn_with(const struct worker_start *start, int socket, int simhost,
		      posix_spawn_file_actions_t *actions, posix_spawnattr_t *attributes,
		      pid_t *ret_pid)
{
	char space[16];
	char *arguments[] = {(char *)"spaprd-worker", (char *)"--space", space,
			     simhost >= 0 ? (char *)"--simulated" : NULL, NULL};
	sigset_t none;
	sigset_t all;
	int r;

	(void)snprintf(space, sizeof(space), "%u", start->space);
	(void)sigemptyset(&none);
	(void)sigfillset(&all);
	r = posix_spawn_file_actions_adddup2(actions, socket, WORKER_SOCKET_FD);
	if (r == 0 && simhost >= 0) {
		r = posix_spawn_file_actions_adddup2(actions, simhost, WORKER_SIM_FD);
	}
	if (r == 0) {
		r = posix_spawnattr_setsigmask(attributes, &none);
	}
	if (r == 0) {
		r = posix_spawnattr_setsigdefault(attributes, &all);
	}
	if (r == 0) {
		r = posix_spawnattr_setflags(attributes,
					     POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	}
	if (r == 0) {
		r = posix_spawn(ret_pid, start->program, actions, attributes, arguments, environ);
	}
	return -r;
}

static int spawn_worker(const struct worker_start *start, int socket, pid_t *ret_pid)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	cleanup(cleanup_fd) int socket_up = move_up(socket);
	cleanup(cleanup_fd) int simhost_up = start->simhost >= 0 ? move_up(start->simhost) : -1;
	int r;

	if (socket_up < 0 || (start->simhost >= 0 && simhost_up < 0)) {
		return -EMFILE;
	}
	r = -posix_spawn_file_actions_init(&actions);
	if (r < 0) {
		return r;
	}
	r = -posix_spawnattr_init(&attributes);
	if (r == 0) {
		r = spawn_with(start, socket_up, simhost_up, &actions, &attributes, ret_pid);
		(void)posix_spawnattr_destroy(&attributes);
	}
	(void)posix_spawn_file_actions_destroy(&actions);
	return r;
}

static void cleanup_worker(struct worker_process **worker)
{
	(void)worker_process_discard(*worker);
}

static int watch(struct worker_process *worker)
{
	int r = sd_event_add_io(worker->event, &worker->socket_source, worker->socket, EPOLLIN,
				handle_socket_event, worker);

	if (r < 0) {
		return r;
	}
	return sd_event_add_child(worker->event, &worker->child_source, worker->pid, WEXITED,
				  handle_child_event, worker);
}

int worker_process_new(sd_event *event, const struct worker_start *start,
		       struct worker_process **ret_worker, struct error *error)
{
	cleanup(cleanup_worker) struct worker_process *worker = calloc(1, sizeof(*worker));
	cleanup(cleanup_fd) int theirs = -1;
	int sockets[2];
	int r;

	if (!worker) {
		return error_set(error, ERROR_KERNEL, ENOMEM, "no memory for another worker");
	}
	worker->socket = -1;
	worker->last_unsent = &worker->first_unsent;
	worker->event = sd_event_ref(event);
	worker->space = start->space;
	worker->counts = start->counts;
	worker->gone = start->gone;
	worker->userdata = start->userdata;
	pending_init(worker);
	r = packet_socketpair(sockets);
	if (r < 0) {
		return error_set(error, ERROR_KERNEL, -r, "no socket for another worker");
	}
	worker->socket = sockets[0];
	theirs = sockets[1];
	if (!fd_limit_allows(worker->socket) || !fd_limit_allows(theirs)) {
		return error_set(error, ERROR_QUOTA_EXCEEDED, EMFILE,
				 "spaprd has so many files open that none is left for another "
				 "worker: close an address space");
	}
	if (fcntl(worker->socket, F_SETFL, O_NONBLOCK) < 0) {
		return error_set(error, ERROR_KERNEL, errno, "no socket for another worker");
	}
	r = spawn_worker(start, theirs, &worker->pid);
	if (r < 0) {
		return error_set(error, ERROR_KERNEL, -r, "can't start %s", start->program);
	}
	r = watch(worker);
	if (r < 0) {
		return error_set(error, ERROR_KERNEL, -r, "can't watch the worker");
	}
	*ret_worker = steal_pointer(worker);
	return 0;
}

struct worker_process *worker_process_free(struct worker_process *worker)
{
	if (worker) {
		worker->child_source = sd_event_source_disable_unref(worker->child_source);
		worker_lose(worker);
		pending_fail_all(worker, "spaprd does not wait for it any more");
		worker->event = sd_event_unref(worker->event);
		free(worker);
	}
	return NULL;
}

struct worker_process *worker_process_discard(struct worker_process *worker)
{
	if (worker && worker->pid > 0) {
		(void)kill(worker->pid, SIGKILL);
		while (waitpid(worker->pid, NULL, 0) < 0 && errno == EINTR) {
		}
	}
	return worker_process_free(worker);
}

void worker_process_hand_over(struct worker_process *worker, worker_counts_handler counts,
			      worker_gone_handler gone, void *userdata)
{
	pending_fail_all(worker, "its address space is closed");
	worker->counts = counts;
	worker->gone = gone;
	worker->userdata = userdata;
}

/* -- asking -- */

static enum error_code code_of_send_failure(int errnum)
{
	switch (errnum) {
	case EPIPE:
		return ERROR_WORKER_LOST;
	case EMFILE:
	case ETOOMANYREFS: /* too many fds are under way in sockets */
		return ERROR_QUOTA_EXCEEDED;
	default:
		return ERROR_KERNEL;
	}
}

int worker_process_request(struct worker_process *worker, enum worker_request_type type,
			   const void *body, size_t size, const int *fds, unsigned int fd_count,
			   worker_answer_handler handler, void *userdata, struct error *error)
{
	struct worker_request request = {
		.version = WORKER_PROTOCOL_VERSION,
		.type = type,
		.size = (uint32_t)size,
		.fds = fd_count,
	};
	struct pending forgotten;
	int r = -EAGAIN;

	if (worker->lost) {
		return error_set(error, ERROR_WORKER_LOST, 0, "address space %u, process %d",
				 worker->space, (int)worker->pid);
	}
	/* The last slot is for the end: a client can't keep its address space alive by flooding it.
	 */
	if (worker->free_count <= (type == WORKER_CLOSE ? 0 : 1)) {
		return error_set(error, ERROR_QUOTA_EXCEEDED, 0,
				 "address space %u has %d calls waiting: wait for answers first",
				 worker->space, WORKER_PENDING_MAX - 1);
	}
	request.id = pending_add(worker, type, handler, userdata);
	if (!worker->first_unsent) {
		r = packet_send(worker->socket, &request, sizeof(request), body, size, fds,
				fd_count);
	}
	if (r == -EAGAIN) {
		r = unsent_add(worker, &request, body, fds, fd_count);
	}
	if (r < 0) {
		(void)pending_take(worker, request.id, &forgotten);
		return error_set(error, code_of_send_failure(-r), -r,
				 "can't ask the worker of address space %u", worker->space);
	}
	return 0;
}

pid_t worker_process_pid(const struct worker_process *worker)
{
	return worker->pid;
}

void worker_process_kill(struct worker_process *worker, int signal_number)
{
	if (worker->child_source && kill(worker->pid, signal_number) < 0) {
		log_write(LOG_WARNING, LOG_SPACE(worker->space),
			  "can't send signal %d to process %d: %s, ignoring", signal_number,
			  (int)worker->pid, errno_name(errno));
	}
}
