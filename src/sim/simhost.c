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
#include "sim/device.h"
#include "sim/eeh.h"
#include "sim/function.h"
#include "sim/hotplug.h"
#include "sim/simhost_private.h"
#include "sim/sysfs.h"

#define LISTEN_INTERVAL_USEC 100000
#define LISTEN_BURST         100
#define LISTEN_BACKLOG       16
#define USEC_PER_MSEC        UINT64_C(1000)

/* fds of requests */

void simhost_fds_done(struct simhost_fds *fds)
{
	for (unsigned int i = 0; i < fds->count; i++) {
		(void)fd_close(fds->fd[i]);
	}
	free(fds->fd);
	*fds = SIMHOST_FDS_NONE;
}

int simhost_fds_take(struct simhost_fds *fds, unsigned int index)
{
	return index < fds->count ? steal_fd(&fds->fd[index]) : -1;
}

/* Add those of a packet, which are taken, too, on failure. */
static bool add_fds(struct simhost_fds *fds, struct packet_fds *more)
{
	int *grown = more->count > 0 && fds->count + more->count <= SIM_FDS_MAX
			     ? reallocarray(fds->fd, fds->count + more->count, sizeof(*grown))
			     : NULL;

	if (!grown) {
		bool none = more->count == 0;

		packet_fds_done(more);
		return none;
	}
	memcpy(grown + fds->count, more->fd, more->count * sizeof(*grown));
	fds->fd = grown;
	fds->count += more->count;
	more->count = 0;
	return true;
}

/* deferred requests and answers */

static void free_deferred(struct simhost_deferred *deferred)
{
	struct simhost_deferred **link = &deferred->simhost->deferred;

	while (*link != deferred) {
		link = &(*link)->next;
	}
	*link = deferred->next;
	simhost_fds_done(&deferred->request.fds);
	(void)fd_close(deferred->fd);
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
	simhost_fds_done(&connection->fds);
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
	struct simhost *simhost = deferred->simhost;
	struct simhost_connection *connection = deferred->request.connection;

	(void)source;
	(void)usec;
	simhost_close_rings(simhost);
	if (deferred->is_answer) {
		simhost_answer(&deferred->request, deferred->reply, deferred->body, deferred->size,
			       steal_fd(&deferred->fd));
	} else {
		simhost_look_through_watch(simhost);
		simhost_handle_request(simhost, &deferred->request);
	}
	free_deferred(deferred);
	free_if_broken(connection);
	simhost_open_rings(simhost);
	return 0;
}

/* Something of a request for later. NULL when that can't be. */
static struct simhost_deferred *new_deferred(struct simhost *simhost,
					     const struct simhost_request *request,
					     uint32_t milliseconds, const void *body, size_t size)
{
	struct simhost_deferred *deferred = calloc(1, sizeof(*deferred) + size);

	if (!deferred) {
		return NULL;
	}
	deferred->simhost = simhost;
	deferred->request = *request;
	deferred->fd = -1;
	if (size > 0) {
		memcpy(deferred->body, body, size);
	}
	if (sd_event_add_time_relative(simhost->event, &deferred->timer, CLOCK_MONOTONIC,
				       milliseconds * USEC_PER_MSEC, 1, handle_deferred_due,
				       deferred) < 0) {
		free(deferred);
		return NULL;
	}
	deferred->next = simhost->deferred;
	simhost->deferred = deferred;
	return deferred;
}

bool simhost_put_off(struct simhost *simhost, struct simhost_request *request,
		     uint32_t milliseconds)
{
	struct simhost_deferred *deferred =
		new_deferred(simhost, request, milliseconds, request->body, request->head.size);

	if (!deferred) {
		return false;
	}
	deferred->request.body = deferred->body;
	return true;
}

void simhost_answer_later(struct simhost *simhost, struct simhost_request *request,
			  uint32_t milliseconds, struct sim_reply reply, const void *body,
			  size_t size, int fd)
{
	struct simhost_deferred *deferred =
		new_deferred(simhost, request, milliseconds, body, size);

	if (!deferred) {
		simhost_answer(request, reply, body, size, fd);
		return;
	}
	deferred->is_answer = true;
	deferred->request.fds = SIMHOST_FDS_NONE;
	deferred->reply = reply;
	deferred->size = size;
	deferred->fd = fd;
}

/* Whether a packet is one of ours, with all fds that it says it has; gives them to the request. */
static bool check_request(struct simhost_connection *connection, struct simhost_request *request,
			  struct packet_fds *fds, ssize_t received)
{
	bool fits = add_fds(&connection->fds, fds) &&
		    request->head.version == SIM_PROTOCOL_VERSION &&
		    request->head.size == (size_t)received - sizeof(request->head);

	if (!fits || request->head.type == SIM_FDS) {
		return fits && request->head.size == 0;
	}
	request->fds = connection->fds;
	connection->fds = SIMHOST_FDS_NONE;
	return request->head.fds == request->fds.count;
}

static void receive_request(struct simhost *simhost, struct simhost_connection *connection)
{
	struct simhost_request request = {.connection = connection, .fds = SIMHOST_FDS_NONE};
	struct packet_fds fds = PACKET_FDS_NONE;
	struct simhost_operation operation;
	ssize_t received = packet_receive(connection->fd, simhost->buffer, sizeof(simhost->buffer),
					  &fds, &request.pid);
	uint32_t milliseconds = 0;

	if (received == -EAGAIN) {
		return;
	}
	if (received >= (ssize_t)sizeof(request.head)) {
		memcpy(&request.head, simhost->buffer, sizeof(request.head));
		request.body = simhost->buffer + sizeof(request.head);
	}
	if (!check_request(connection, &request, &fds, received)) {
		simhost_fds_done(&request.fds);
		connection->broken = true;
		return;
	}
	if (request.head.type == SIM_FDS) {
		return;
	}
	simhost_look_through_watch(simhost);
	operation = simhost_operation_of(simhost, &request);
	/* Both are decided now: another that comes while it waits is none of its business. */
	if (*operation.name) {
		milliseconds = sim_faults_take_delay(&simhost->faults, operation.name);
		request.result = sim_faults_take_result(&simhost->faults, operation.name);
	}
	if (milliseconds == 0 || !simhost_put_off(simhost, &request, milliseconds)) {
		simhost_handle_request(simhost, &request);
	}
}

static int handle_connection_ready(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct simhost_connection *connection = userdata;
	struct simhost *simhost = connection->simhost;

	(void)source;
	(void)fd;
	simhost_close_rings(simhost);
	if (connection->pending) {
		if (events & (EPOLLERR | EPOLLHUP)) {
			connection->broken = true;
		}
		send_pending(connection);
	} else {
		receive_request(simhost, connection);
	}
	free_if_broken(connection);
	simhost_open_rings(simhost);
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

/* what goes on by itself */

static int handle_tick(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct simhost *simhost = userdata;
	bool functions;
	bool hotplug;

	(void)source;
	simhost->ticking = false;
	simhost_close_rings(simhost);
	simhost_look_through_watch(simhost);
	functions = sim_functions_tick(simhost->model);
	hotplug = sim_hotplug_tick(simhost->model, usec / USEC_PER_MSEC);
	if (functions || hotplug) {
		simhost_wake(simhost);
	}
	simhost_open_rings(simhost);
	return 0;
}

void simhost_wake(struct simhost *simhost)
{
	if (simhost->ticking || !simhost->ticker ||
	    sd_event_source_set_time_relative(simhost->ticker, USEC_PER_MSEC) < 0 ||
	    sd_event_source_set_enabled(simhost->ticker, SD_EVENT_ONESHOT) < 0) {
		return;
	}
	simhost->ticking = true;
}

static int add_ticker(struct simhost *simhost)
{
	int r = sd_event_add_time_relative(simhost->event, &simhost->ticker, CLOCK_MONOTONIC, 0, 1,
					   handle_tick, simhost);

	return r < 0 ? r : sd_event_source_set_enabled(simhost->ticker, SD_EVENT_OFF);
}

/* When it is told of, a node has come or gone. */
static void handle_uevent(void *userdata, const char *uevent, size_t size)
{
	struct simhost *simhost = userdata;

	simhost_names_update(simhost->names, simhost->model);
	simhost_send_uevent(simhost, uevent, size);
}

static void handle_device_changed(void *userdata, size_t device, bool present)
{
	struct simhost *simhost = userdata;

	if (present) {
		(void)sim_sysfs_add_device(simhost->sysfs_root, simhost->host, device);
	} else {
		(void)sim_sysfs_remove_device(simhost->sysfs_root, simhost->host, device);
	}
	simhost_names_update(simhost->names, simhost->model);
}

static void handle_driver_changed(void *userdata, size_t device, const char *driver)
{
	struct simhost *simhost = userdata;
	const struct sim_function *function = simhost->model->functions[device];

	(void)sim_sysfs_bind(simhost->sysfs_root, simhost->host, device, driver,
			     function->vfio_number, function->leaving);
	simhost_names_update(simhost->names, simhost->model);
}

static void handle_override_changed(void *userdata, size_t device, const char *override)
{
	struct simhost *simhost = userdata;

	(void)sim_sysfs_write_override(simhost->sysfs_root, simhost->host, device, override);
}

/* Files stay as they are written: so each change is. */
static void handle_pe_changed(void *userdata, uint32_t group)
{
	struct simhost *simhost = userdata;
	const struct sim_host *host = simhost->host;
	uint32_t words[SIM_EEH_SYSFS_WORDS];

	sim_eeh_sysfs_state(&simhost->model->groups[group], words);
	for (size_t i = 0; i < host->device_count; i++) {
		if (host->devices[i].group == (int)group) {
			(void)sim_sysfs_write_eeh_state(simhost->sysfs_root, host, i, words);
		}
	}
}

static int make_model(struct simhost *simhost)
{
	int r = sim_model_new(simhost->host, &simhost->model);

	if (r == 0) {
		simhost->model->faults = &simhost->faults;
		r = sim_sysfs_new(simhost->host, &simhost->sysfs_root);
	}
	if (r == 0) {
		r = simhost_names_new(simhost->model, simhost->sysfs_root, &simhost->names);
	}
	if (r == 0) {
		simhost->model->emit = handle_uevent;
		simhost->model->changed = handle_device_changed;
		simhost->model->driver_changed = handle_driver_changed;
		simhost->model->override_changed = handle_override_changed;
		simhost->model->pe_changed = handle_pe_changed;
		simhost->model->userdata = simhost;
	}
	return r;
}

/* the program */

static int handle_watch_ready(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	(void)source;
	(void)fd;
	(void)events;
	simhost_close_rings(userdata);
	simhost_look_through_watch(userdata);
	simhost_open_rings(userdata);
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
	mode_t mask;
	int fd = -1;
	int r;

	if (strlen(path) >= sizeof(address.sun_path)) {
		return -ENAMETOOLONG;
	}
	memcpy(address.sun_path, path, strlen(path) + 1);
	/* For this user only, whatever the umask. */
	mask = umask(S_IRWXG | S_IRWXO);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(fd, LISTEN_BACKLOG) < 0) {
		r = -errno;
		(void)umask(mask);
		(void)fd_close(fd);
		return r;
	}
	(void)umask(mask);
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

static bool is_ignored(int signal)
{
	struct sigaction action;

	return sigaction(signal, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

/* SIGTERM ends the program in order. What a terminal sends does only where a person started it: one
 * that was launched outlives the interrupt that its users take down their things at, or go on
 * after. */
static int add_signals(struct simhost *simhost, bool interactive)
{
	static const int of_terminal[] = {SIGINT, SIGQUIT, SIGHUP};
	sigset_t signals;
	int r;

	(void)sigemptyset(&signals);
	(void)sigaddset(&signals, SIGTERM);
	for (size_t i = 0; i < sizeof(of_terminal) / sizeof(of_terminal[0]); i++) {
		(void)sigaddset(&signals, of_terminal[i]);
	}
	if (sigprocmask(SIG_BLOCK, &signals, NULL) < 0) {
		return -errno;
	}
	r = sd_event_add_signal(simhost->event, NULL, SIGTERM, NULL, NULL);
	for (size_t i = 0; i < sizeof(of_terminal) / sizeof(of_terminal[0]); i++) {
		if (r >= 0 && interactive && !is_ignored(of_terminal[i])) {
			r = sd_event_add_signal(simhost->event, NULL, of_terminal[i], NULL, NULL);
		}
	}
	return r < 0 ? r : 0;
}

static int set_up(struct simhost *simhost, const struct simhost_options *options)
{
	int r = sd_event_new(&simhost->event);

	if (r >= 0) {
		r = add_signals(simhost, options->socket_fd < 0);
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
		r = add_ticker(simhost);
	}
	if (r >= 0) {
		r = make_model(simhost);
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
	simhost->ends_unused = options->socket_fd >= 0;
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
	simhost->ticker = sd_event_source_disable_unref(simhost->ticker);
	simhost_drop_clients(simhost);
	sim_faults_done(&simhost->faults);
	simhost->model = sim_model_free(simhost->model);
	simhost->names = simhost_names_free(simhost->names);
	simhost->sysfs_root = sim_sysfs_free(simhost->sysfs_root);
	simhost->event = sd_event_unref(simhost->event);
	cleanup_fd(&simhost->watch);
	if (simhost->bound_path) {
		(void)unlink(simhost->bound_path);
	}
	free(simhost);
	return r < 0 ? r : 0;
}
