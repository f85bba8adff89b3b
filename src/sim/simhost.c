/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/simhost.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "sim/simhost_private.h"
#include "sim/sysfs.h"

#define LISTEN_INTERVAL_USEC 100000
#define LISTEN_BURST         100
#define LISTEN_BACKLOG       16
#define USEC_PER_MSEC        UINT64_C(1000)

/* deferred requests */

static void free_deferred(struct simhost_deferred *deferred)
{
	struct simhost_deferred **link = &deferred->simhost->deferred;

	while (*link != deferred) {
		link = &(*link)->next;
	}
	*link = deferred->next;
	packet_fds_done(&deferred->request.fds);
	(void)sd_event_source_disable_unref(deferred->timer);
	free(deferred);
}

/* connections */

static void free_connection(struct simhost_connection *connection)
{
	struct simhost *simhost = connection->simhost;
	struct simhost_connection **link = &simhost->connections;

	while (*link != connection) {
		link = &(*link)->next;
	}
	*link = connection->next;
	for (struct simhost_deferred *deferred = simhost->deferred, *next; deferred;
	     deferred = next) {
		next = deferred->next;
		if (deferred->request.connection == connection) {
			free_deferred(deferred);
		}
	}
	while (connection->pending) {
		struct simhost_pending *pending = connection->pending;

		connection->pending = pending->next;
		(void)fd_close(pending->fd);
		free(pending);
	}
	(void)sd_event_source_disable_unref(connection->source);
	(void)fd_close(connection->fd);
	free(connection);
	if (!simhost->connections && simhost->ends_unused) {
		(void)sd_event_exit(simhost->event, 0);
	}
}

static void free_if_broken(struct simhost_connection *connection)
{
	if (connection->broken) {
		free_connection(connection);
	}
}

/* Read as long as nothing waits to be written. */
static void choose_events(struct simhost_connection *connection)
{
	uint32_t events = connection->pending ? EPOLLOUT : EPOLLIN;

	if (sd_event_source_set_io_events(connection->source, events) < 0) {
		connection->broken = true;
	}
}

/* Keep a reply until the socket has room. Takes fd. */
static void defer_reply(struct simhost_connection *connection, const struct sim_reply *reply,
			const void *body, size_t size, int fd)
{
	struct simhost_pending **link = &connection->pending;
	struct simhost_pending *pending = malloc(sizeof(*pending) + sizeof(*reply) + size);

	if (!pending) {
		(void)fd_close(fd);
		connection->broken = true;
		return;
	}
	pending->next = NULL;
	pending->size = sizeof(*reply) + size;
	pending->fd = fd;
	memcpy(pending->packet, reply, sizeof(*reply));
	if (size > 0) {
		memcpy(pending->packet + sizeof(*reply), body, size);
	}
	while (*link) {
		link = &(*link)->next;
	}
	*link = pending;
	choose_events(connection);
}

void simhost_answer(struct simhost_request *request, struct sim_reply reply, const void *body,
		    size_t size, int fd)
{
	struct simhost_connection *connection = request->connection;
	int r = -EAGAIN;

	reply.version = SIM_PROTOCOL_VERSION;
	reply.type = request->head.type;
	reply.id = request->head.id;
	reply.size = (uint32_t)size;
	reply.fds = fd >= 0;
	if (!connection->pending) {
		r = packet_send(connection->fd, &reply, sizeof(reply), body, size, &fd, reply.fds);
	}
	if (r == -EAGAIN) {
		defer_reply(connection, &reply, body, size, fd);
		return;
	}
	(void)fd_close(fd);
	if (r < 0) {
		connection->broken = true;
	}
}

static void send_pending(struct simhost_connection *connection)
{
	while (connection->pending && !connection->broken) {
		struct simhost_pending *pending = connection->pending;
		int r = packet_send(connection->fd, pending->packet, pending->size, NULL, 0,
				    &pending->fd, pending->fd >= 0);

		if (r == -EAGAIN) {
			return;
		}
		connection->broken = r < 0;
		connection->pending = pending->next;
		(void)fd_close(pending->fd);
		free(pending);
	}
	choose_events(connection);
}

/* requests */

static int handle_deferred_due(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct simhost_deferred *deferred = userdata;
	struct simhost_connection *connection = deferred->request.connection;

	(void)source;
	(void)usec;
	simhost_look_through_watch(deferred->simhost);
	simhost_handle_request(deferred->simhost, &deferred->request);
	free_deferred(deferred);
	free_if_broken(connection);
	return 0;
}

/* Put a request off. Returns false when that can't be done. */
static bool defer_request(struct simhost *simhost, struct simhost_request *request,
			  uint32_t milliseconds)
{
	struct simhost_deferred *deferred = malloc(sizeof(*deferred) + request->head.size);

	if (!deferred) {
		return false;
	}
	deferred->simhost = simhost;
	deferred->timer = NULL;
	deferred->request = *request;
	deferred->request.body = deferred->body;
	memcpy(deferred->body, request->body, request->head.size);
	if (sd_event_add_time_relative(simhost->event, &deferred->timer, CLOCK_MONOTONIC,
				       milliseconds * USEC_PER_MSEC, 1, handle_deferred_due,
				       deferred) < 0) {
		free(deferred);
		return false;
	}
	deferred->next = simhost->deferred;
	simhost->deferred = deferred;
	return true;
}

static void receive_request(struct simhost *simhost, struct simhost_connection *connection)
{
	struct simhost_request request = {.connection = connection, .fds = PACKET_FDS_NONE};
	struct simhost_operation operation;
	ssize_t received = packet_receive(connection->fd, simhost->buffer, sizeof(simhost->buffer),
					  &request.fds, &request.pid);
	uint32_t milliseconds = 0;

	if (received == -EAGAIN) {
		return;
	}
	if (received >= (ssize_t)sizeof(request.head)) {
		memcpy(&request.head, simhost->buffer, sizeof(request.head));
		request.body = simhost->buffer + sizeof(request.head);
	}
	if (request.head.version != SIM_PROTOCOL_VERSION ||
	    request.head.size != (size_t)received - sizeof(request.head) ||
	    request.head.fds != request.fds.count) {
		packet_fds_done(&request.fds);
		connection->broken = true;
		return;
	}
	simhost_look_through_watch(simhost);
	operation = simhost_operation_of(simhost, &request);
	if (*operation.name) {
		milliseconds = sim_faults_take_delay(&simhost->faults, operation.name);
	}
	if (milliseconds == 0 || !defer_request(simhost, &request, milliseconds)) {
		simhost_handle_request(simhost, &request);
	}
}

static int handle_connection_ready(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct simhost_connection *connection = userdata;

	(void)source;
	(void)fd;
	if (connection->pending) {
		if (events & (EPOLLERR | EPOLLHUP)) {
			connection->broken = true;
		}
		send_pending(connection);
	} else {
		receive_request(connection->simhost, connection);
	}
	free_if_broken(connection);
	return 0;
}

int simhost_add_connection(struct simhost *simhost, int fd)
{
	struct simhost_connection *connection = calloc(1, sizeof(*connection));
	int on = 1;
	int r = connection ? 0 : -ENOMEM;

	if (r == 0 && (setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) < 0 ||
		       fcntl(fd, F_SETFL, O_NONBLOCK) < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)) {
		r = -errno;
	}
	if (r == 0) {
		r = sd_event_add_io(simhost->event, &connection->source, fd, EPOLLIN,
				    handle_connection_ready, connection);
	}
	if (r < 0) {
		free(connection);
		(void)fd_close(fd);
		return r;
	}
	connection->simhost = simhost;
	connection->fd = fd;
	connection->next = simhost->connections;
	simhost->connections = connection;
	return 0;
}

/* the program */

static int handle_watch_ready(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	(void)source;
	(void)fd;
	(void)events;
	simhost_look_through_watch(userdata);
	return 0;
}

static int handle_listen_ready(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	int accepted = accept4(fd, NULL, NULL, SOCK_CLOEXEC);

	(void)source;
	(void)events;
	if (accepted >= 0) {
		(void)simhost_add_connection(userdata, accepted);
	}
	return 0;
}

static int listen_at(struct simhost *simhost, const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	sd_event_source *source = NULL;
	int fd = -1;
	int r;

	if (strlen(path) >= sizeof(address.sun_path)) {
		return -ENAMETOOLONG;
	}
	memcpy(address.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(fd, LISTEN_BACKLOG) < 0) {
		r = -errno;
		(void)fd_close(fd);
		return r;
	}
	simhost->bound_path = path;
	r = sd_event_add_io(simhost->event, &source, fd, EPOLLIN, handle_listen_ready, simhost);
	if (r < 0) {
		(void)fd_close(fd);
		return r;
	}
	/* Without an fd left for it a connection stays ready: that must not keep a processor busy.
	 */
	r = sd_event_source_set_ratelimit(source, LISTEN_INTERVAL_USEC, LISTEN_BURST);
	if (r >= 0) {
		r = sd_event_source_set_floating(source, 1);
	}
	(void)sd_event_source_unref(source);
	return r;
}

/* Each open node and each piece of memory is an fd here. */
static void raise_fd_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
}

/* SIGTERM ends the program in order. SIGINT does only where a person started it: one that was
 * launched outlives the interrupt that its users take down their things at. */
static int add_signals(struct simhost *simhost, bool interactive)
{
	sigset_t signals;
	int r;

	(void)sigemptyset(&signals);
	(void)sigaddset(&signals, SIGTERM);
	(void)sigaddset(&signals, SIGINT);
	if (sigprocmask(SIG_BLOCK, &signals, NULL) < 0) {
		return -errno;
	}
	r = sd_event_add_signal(simhost->event, NULL, SIGTERM, NULL, NULL);
	if (r >= 0 && interactive) {
		r = sd_event_add_signal(simhost->event, NULL, SIGINT, NULL, NULL);
	}
	return r < 0 ? r : 0;
}

static int set_up(struct simhost *simhost, const struct simhost_options *options)
{
	int r = sd_event_new(&simhost->event);

	if (r >= 0) {
		r = add_signals(simhost, options->listen_path != NULL);
	}
	if (r >= 0) {
		simhost->watch = epoll_create1(EPOLL_CLOEXEC);
		r = simhost->watch < 0 ? -errno : 0;
	}
	if (r >= 0) {
		r = sd_event_add_io(simhost->event, NULL, simhost->watch, EPOLLIN,
				    handle_watch_ready, simhost);
	}
	if (r >= 0) {
		r = sim_model_new(simhost->host, &simhost->model);
	}
	if (r >= 0) {
		r = sim_sysfs_new(simhost->host, &simhost->sysfs_root);
	}
	if (r >= 0 && options->listen_path) {
		r = listen_at(simhost, options->listen_path);
	}
	if (r >= 0 && options->socket_fd >= 0) {
		r = simhost_add_connection(simhost, options->socket_fd);
	}
	return r < 0 ? r : 0;
}

int simhost_run(const struct sim_host *host, const struct simhost_options *options)
{
	struct simhost *simhost = calloc(1, sizeof(*simhost));
	int r;

	if (!simhost) {
		return -ENOMEM;
	}
	raise_fd_limit();
	simhost->host = host;
	simhost->watch = -1;
	simhost->ends_unused = !options->listen_path;
	r = set_up(simhost, options);
	if (r == 0) {
		r = sd_event_loop(simhost->event);
	}
	simhost->ends_unused = false;
	for (struct simhost_connection *connection = simhost->connections, *next; connection;
	     connection = next) {
		next = connection->next;
		free_connection(connection);
	}
	simhost_drop_clients(simhost);
	sim_faults_done(&simhost->faults);
	simhost->model = sim_model_free(simhost->model);
	simhost->sysfs_root = sim_sysfs_free(simhost->sysfs_root);
	simhost->event = sd_event_unref(simhost->event);
	cleanup_fd(&simhost->watch);
	if (simhost->bound_path) {
		(void)unlink(simhost->bound_path);
	}
	free(simhost);
	return r < 0 ? r : 0;
}
