/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "broker/bind.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "broker/delegation.h"
#include "broker/manager.h"
#include "broker/programs.h"
#include "broker/quarantine.h"
#include "common/cleanup.h"
#include "common/log.h"
#include "common/names.h"
#include "common/packet.h"
#include "sim/client.h"

#define PROGRAM          "spaprd-bind"
#define USEC_PER_MSEC    UINT64_C(1000)
#define ACCURACY_USEC    10000U
#define SIM_STATE_FOLDER ".spaprd-bind" /* below the simulated host's sysfs */
#define LOOKS_MAX        (BINDINGS_MAX / 2)

/* A helper at work, from its start to its end. */
struct binding {
	struct binding *next;
	struct manager *manager;
	struct group *group;
	enum bind_operation operation;
	binding_handler handler; /* NULL once it was called */
	void *userdata;
	int socket; /* -1 once nothing more can come */
	pid_t pid;  /* of a child that has not been reaped; 0: none */
	sd_event_source *source;
	sd_event_source *child;
	sd_event_source *deadline;
};

/* -- the object -- */

static struct binding *binding_free(struct binding *binding)
{
	for (struct binding **link = &binding->manager->bindings; *link; link = &(*link)->next) {
		if (*link == binding) {
			*link = binding->next;
			break;
		}
	}
	(void)sd_event_source_disable_unref(binding->source);
	(void)sd_event_source_disable_unref(binding->child);
	(void)sd_event_source_disable_unref(binding->deadline);
	(void)fd_close(binding->socket);
	free(binding);
	return NULL;
}

void binding_forget_all(struct manager *manager)
{
	while (manager->bindings) {
		(void)binding_free(manager->bindings);
	}
}

static void answer(struct binding *binding, const struct error *error,
		   const struct bind_answer *body)
{
	binding_handler handler = binding->handler;

	binding->handler = NULL;
	binding->deadline = sd_event_source_disable_unref(binding->deadline);
	if (handler) {
		handler(binding->userdata, error, body);
	}
}

/* Nothing more comes; a child is still to be reaped. */
static void end(struct binding *binding)
{
	binding->source = sd_event_source_disable_unref(binding->source);
	binding->socket = fd_close(binding->socket);
	if (binding->pid == 0) {
		(void)binding_free(binding);
	}
}

/* -- what comes of it -- */

static bool is_sound(const struct bind_answer *body, ssize_t size)
{
	return size == (ssize_t)sizeof(*body) && body->version == BIND_PROTOCOL_VERSION &&
	       body->code < ERROR_CODE_COUNT && body->result_count <= BIND_DEVICES_MAX &&
	       body->holder_count <= BIND_HOLDERS_MAX &&
	       memchr(body->text, '\0', sizeof(body->text));
}

static void deliver(struct binding *binding, struct bind_answer *body)
{
	struct error error = {.code = (enum error_code)body->code};

	for (size_t i = 0; i < BIND_DEVICES_MAX; i++) {
		body->results[i].device[BIND_NAME_SIZE - 1] = '\0';
		body->results[i].from[BIND_DRIVER_SIZE - 1] = '\0';
		body->results[i].to[BIND_DRIVER_SIZE - 1] = '\0';
	}
	for (size_t i = 0; i < BIND_HOLDERS_MAX; i++) {
		body->holders[i].name[sizeof(body->holders[i].name) - 1] = '\0';
	}
	(void)snprintf(error.text, sizeof(error.text), "%s", body->text);
	if (!binding->handler && binding->operation != BIND_HOLDERS) {
		log_write(LOG_INFO, LOG_GROUP(binding->group->host->id),
			  "what was asked of " PROGRAM " for group %" PRIu32 " is done now: %s",
			  binding->group->host->id, body->code ? body->text : "it worked");
	}
	answer(binding, &error, body);
}

static int handle_answer(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	static struct bind_answer body;
	struct binding *binding = userdata;
	struct packet_fds fds = PACKET_FDS_NONE;
	ssize_t size = packet_receive(fd, &body, sizeof(body), &fds, NULL);

	(void)source;
	(void)events;
	if (size == -EAGAIN) {
		return 0;
	}
	packet_fds_done(&fds);
	if (is_sound(&body, size)) {
		deliver(binding, &body);
	} else {
		struct error error;

		(void)error_set(&error, ERROR_KERNEL, size < 0 ? (int)-size : 0,
				PROGRAM " ended without an answer about group %" PRIu32
					": see its log",
				binding->group->host->id);
		answer(binding, &error, NULL);
	}
	end(binding);
	return 0;
}

static int handle_child_exit(sd_event_source *source, const siginfo_t *info, void *userdata)
{
	struct binding *binding = userdata;

	(void)source;
	(void)info;
	binding->pid = 0;
	binding->child = sd_event_source_disable_unref(binding->child);
	if (binding->socket < 0) {
		(void)binding_free(binding);
	}
	return 0;
}

static int handle_deadline(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct binding *binding = userdata;
	struct error error;

	(void)source;
	(void)usec;
	(void)error_set(&error, ERROR_BUSY, 0,
			"the kernel has not come to an end with group %" PRIu32
			" yet: a driver, or a program that has a device open, keeps it waiting. It "
			"can't be interrupted and goes on; see what the devices are bound to then",
			binding->group->host->id);
	answer(binding, &error, NULL);
	return 0;
}

/* -- starting a helper -- */

/* 0 or -errno. */
static int connect_to_helper(int *ret_socket)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = BIND_SOCKET_PATH};
	/* Nor is it waited for a systemd that has no time. */
	cleanup(cleanup_fd) int fd =
		socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		return -errno;
	}
	*ret_socket = steal_fd(&fd);
	return 0;
}

/* The child's fds, in their places; others are CLOEXEC. */
static int add_fds(posix_spawn_file_actions_t *actions, int socket, int simhost)
{
	/* Out of the way of each other. */
	int r = posix_spawn_file_actions_adddup2(actions, socket, BIND_SOCKET_FD);

	return r == 0 && simhost >= 0
		       ? posix_spawn_file_actions_adddup2(actions, simhost, BIND_SIM_FD)
		       : r;
}

/* As the broker's own signals are blocked, and a child inherits that. */
static int clear_signals(posix_spawnattr_t *attributes)
{
	sigset_t none;
	int r;

	(void)sigemptyset(&none);
	r = posix_spawnattr_setsigmask(attributes, &none);
	return r ? r : posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK);
}

/* A positive errno or 0, as posix_spawn. */
static int spawn(const char *program, char *const *arguments, int socket, int simhost,
		 pid_t *ret_pid)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int r = posix_spawn_file_actions_init(&actions);

	if (r) {
		return r;
	}
	r = posix_spawnattr_init(&attributes);
	if (r == 0) {
		r = add_fds(&actions, socket, simhost);
		r = r ? r : clear_signals(&attributes);
		r = r ? r
		      : posix_spawn(ret_pid, program, &actions, &attributes, arguments, environ);
		(void)posix_spawnattr_destroy(&attributes);
	}
	(void)posix_spawn_file_actions_destroy(&actions);
	return r;
}

/* An fd that adddup2 to 3 or 4 does not run over. */
static int move_up(int fd)
{
	int moved = fcntl(fd, F_DUPFD_CLOEXEC, BIND_SIM_FD + 1);
	int r = moved < 0 ? -errno : moved;

	(void)fd_close(fd);
	return r;
}

static int start_child(struct binding *binding, int socket, int simhost)
{
	char program[PATH_MAX];
	char state[PATH_MAX];
	char name[] = PROGRAM;
	char option[] = "--state";
	char simulated[] = "--simulated";
	char *arguments[] = {name, NULL, NULL, NULL, NULL};
	int r = program_find(PROGRAM, ENV_BIND, program);

	if (r < 0) {
		return r;
	}
	if (binding->manager->simulated) {
		(void)snprintf(state, sizeof(state), "%s/" SIM_STATE_FOLDER,
			       binding->manager->kernel->sysfs_root);
		arguments[1] = simulated;
		arguments[2] = option;
		arguments[3] = state;
	}
	r = -spawn(program, arguments, socket, simhost, &binding->pid);
	if (r == 0) {
		r = sd_event_add_child(binding->manager->event, &binding->child, binding->pid,
				       WEXITED, handle_child_exit, binding);
	}
	return r < 0 ? r : 0;
}

static void fill_request(const struct binding *binding, const struct binding_order *order,
			 struct bind_request *ret_request)
{
	const struct topology_group *group = binding->group->host;

	ret_request->version = BIND_PROTOCOL_VERSION;
	ret_request->operation = (uint32_t)order->operation;
	ret_request->group = group->id;
	if (order->operation != BIND_BIND) {
		return;
	}
	ret_request->flags = order->force ? BIND_FORCE : 0;
	ret_request->device_count = (uint32_t)group->device_count;
	(void)snprintf(ret_request->driver, sizeof(ret_request->driver), "%s", order->driver);
	for (size_t i = 0; i < group->device_count; i++) {
		(void)snprintf(ret_request->devices[i], sizeof(ret_request->devices[i]), "%s",
			       group->devices[i]->name);
	}
}

/* 0 or -errno. */
static int send_order(const struct binding *binding, const struct binding_order *order)
{
	struct bind_request request = {.version = 0};

	fill_request(binding, order, &request);
	return packet_send(binding->socket, &request, sizeof(request), NULL, 0, NULL, 0);
}

/* 0 or -errno. The child finds the order in its socket: one that ends at once is told from one that
 * could not be asked. */
static int start_helper(struct binding *binding, const struct binding_order *order)
{
	cleanup(cleanup_fd) int socket = -1;
	cleanup(cleanup_fd) int simhost = -1;
	int sockets[2];
	int r = packet_socketpair(sockets);

	if (r < 0) {
		return r;
	}
	binding->socket = sockets[0];
	socket = move_up(sockets[1]);
	if (socket >= 0 && binding->manager->simulated) {
		r = sim_connection_new(binding->manager->kernel, &simhost);
		simhost = r < 0 ? r : move_up(simhost);
	}
	if (socket < 0 || (binding->manager->simulated && simhost < 0)) {
		return socket < 0 ? socket : simhost;
	}
	r = send_order(binding, order);
	return r < 0 ? r : start_child(binding, socket, simhost);
}

static int reach_helper(struct binding *binding, const struct binding_order *order,
			struct error *error)
{
	int r = binding->manager->simulated ? -ENOENT : connect_to_helper(&binding->socket);

	if (r == 0) {
		r = send_order(binding, order);
	} else if (binding->manager->simulated || geteuid() == 0) {
		r = start_helper(binding, order);
	}
	if (r < 0) {
		return error_set(error, ERROR_KERNEL, -r,
				 "can't reach " PROGRAM
				 ", which alone may write to sysfs: is its unit " PROGRAM
				 ".socket started?");
	}
	return 0;
}

static int wait_for_answer(struct binding *binding)
{
	sd_event *event = binding->manager->event;
	int flags = fcntl(binding->socket, F_GETFL);
	int r = flags < 0 || fcntl(binding->socket, F_SETFL, flags | O_NONBLOCK) < 0 ? -errno : 0;

	if (r == 0) {
		r = sd_event_add_io(event, &binding->source, binding->socket, EPOLLIN,
				    handle_answer, binding);
	}
	if (r >= 0) {
		r = sd_event_add_time_relative(event, &binding->deadline, CLOCK_MONOTONIC,
					       binding->manager->bind_timeout * USEC_PER_MSEC,
					       ACCURACY_USEC, handle_deadline, binding);
	}
	return r < 0 ? r : 0;
}

/* -- what may be asked for -- */

static const struct access_policy *access_of(const struct manager *manager)
{
	return manager->policies ? &manager->policies->access : &access_policy_default;
}

static int check_driver(const struct access_policy *access, const char *driver, struct error *error)
{
	struct policy_value allowed;

	if (access_allows_driver(access, driver)) {
		return 0;
	}
	allowed = policy_access_format(access, POLICY_ACCESS_BIND_DRIVERS);
	return error_set(error, ERROR_ACCESS_DENIED, 0,
			 "driver \"%.64s\" is not one that devices may be bound to: policy says "
			 "bind-drivers = %s",
			 driver, allowed.text);
}

static int check_devices(const struct access_policy *access, const struct group *group,
			 struct error *error)
{
	for (size_t i = 0; i < group->host->device_count; i++) {
		const struct topology_device *host = group->host->devices[i];
		const struct access_device device = {
			.name = host->name,
			.vendor = host->vendor,
			.device = host->device,
			.class_code = host->class,
		};

		if (!access_is_bridge(host->class) && !access_allows_device(access, &device)) {
			struct policy_value allowed =
				policy_access_format(access, POLICY_ACCESS_BIND_DEVICES);

			return error_set(error, ERROR_ACCESS_DENIED, 0,
					 "%s (%04x:%04x) of group %" PRIu32
					 " may not be bound: policy says bind-devices = %s",
					 host->name, host->vendor, host->device, group->host->id,
					 allowed.text);
		}
	}
	return 0;
}

static int check_group(const struct group *group, struct error *error)
{
	if (group->gone) {
		return error_set(error, ERROR_NOT_FOUND, 0,
				 "group %" PRIu32 " is gone from the host", group->host->id);
	}
	if (group->space) {
		return error_set(error, ERROR_GROUP_BUSY, 0,
				 "group %" PRIu32 " is in address space %u \"%s\": detach it first",
				 group->host->id, group->space->number, group->space->name);
	}
	if (group->host->device_count > BIND_DEVICES_MAX) {
		return error_set(error, ERROR_UNSUPPORTED, 0,
				 "group %" PRIu32 " has more than %u devices", group->host->id,
				 BIND_DEVICES_MAX);
	}
	return delegation_check(group, error);
}

int binding_check(const struct manager *manager, const struct group *group, struct error *error)
{
	for (const struct binding *binding = manager->bindings; binding; binding = binding->next) {
		if (binding->group == group && binding->operation != BIND_HOLDERS &&
		    binding->socket >= 0) {
			return error_set(error, ERROR_BUSY, 0,
					 "the devices of group %" PRIu32
					 " are being bound: wait until that is over",
					 group->host->id);
		}
	}
	return 0;
}

static int check_order(const struct manager *manager, const struct group *group,
		       const struct binding_order *order, struct error *error)
{
	const struct access_policy *access = access_of(manager);
	/* Whoever may attach can have looks taken: that is to leave room for operators. */
	unsigned int most = order->operation == BIND_HOLDERS ? LOOKS_MAX : BINDINGS_MAX;
	unsigned int count = 0;
	int r = 0;

	for (const struct binding *binding = manager->bindings; binding; binding = binding->next) {
		count++;
	}
	if (count >= most) {
		return error_set(error, ERROR_BUSY, 0,
				 "%u groups are being bound or looked at: wait for one", count);
	}
	if (order->operation == BIND_HOLDERS) {
		return 0;
	}
	if (order->operation == BIND_BIND) {
		r = check_driver(access, order->driver, error);
		r = r ? r : check_devices(access, group, error);
	}
	r = r ? r : quarantine_check(manager, group, error);
	r = r ? r : check_group(group, error);
	return r ? r : binding_check(manager, group, error);
}

int binding_begin(struct manager *manager, struct group *group, const struct binding_order *order,
		  binding_handler handler, void *userdata, struct error *error)
{
	struct binding_order whole = *order;
	struct binding *binding;
	int r;

	if (order->operation == BIND_BIND && *order->driver == '\0') {
		whole.driver = access_of(manager)->bind_drivers[0];
	}
	r = check_order(manager, group, &whole, error);
	if (r) {
		return r;
	}
	binding = calloc(1, sizeof(*binding));
	if (!binding) {
		return error_set(error, ERROR_KERNEL, ENOMEM, "no memory for the request");
	}
	binding->manager = manager;
	binding->group = group;
	binding->operation = whole.operation;
	binding->socket = -1;
	binding->next = manager->bindings;
	manager->bindings = binding;
	r = reach_helper(binding, &whole, error);
	if (r == 0) {
		int waits = wait_for_answer(binding);

		r = waits < 0 ? error_set(error, ERROR_KERNEL, -waits, "can't wait for " PROGRAM)
			      : 0;
	}
	if (r) {
		end(binding);
		return r;
	}
	binding->handler = handler;
	binding->userdata = userdata;
	return 0;
}
