/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/launch.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/packet.h"
#include "sim/exchange.h"
#include "sim/simhost.h"

#define READY_TIMEOUT_MS 10000
#define CHILD_SOCKET_FD  3
#define FD_TEXT_SIZE     12

/* The child gets its socket as CHILD_SOCKET_FD, and no signal blocked. */
static int spawn(const char *program, const char *host, const char *listen_path, int socket,
		 pid_t *ret_pid)
{
	char socket_text[FD_TEXT_SIZE];
	char *arguments[] = {(char *)program,
			     (char *)"--socket-fd",
			     socket_text,
			     (char *)"--host",
			     (char *)(host ? host : SIM_HOST_DEFAULT),
			     listen_path ? (char *)"--listen" : NULL,
			     (char *)listen_path,
			     NULL};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none;
	int r;

	(void)snprintf(socket_text, sizeof(socket_text), "%d", CHILD_SOCKET_FD);
	(void)sigemptyset(&none);
	(void)posix_spawn_file_actions_init(&actions);
	(void)posix_spawnattr_init(&attributes);
	r = posix_spawn_file_actions_adddup2(&actions, socket, CHILD_SOCKET_FD);
	if (r == 0) {
		r = posix_spawnattr_setsigmask(&attributes, &none);
	}
	if (r == 0) {
		/* A process group of its own: Ctrl-C is for its users, who need it to let go in
		 * order. */
		r = posix_spawnattr_setflags(&attributes,
					     POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
	}
	if (r == 0) {
		r = posix_spawn(ret_pid, program, &actions, &attributes, arguments, environ);
	}
	(void)posix_spawnattr_destroy(&attributes);
	(void)posix_spawn_file_actions_destroy(&actions);
	return -r;
}

/* Say hello and wait until the host answers, or ends. */
static int wait_ready(int connection)
{
	struct sim_message message = {.type = SIM_HELLO};
	struct pollfd poll_connection = {.fd = connection, .events = POLLIN};
	char answer[sizeof(struct sim_reply) + sizeof(struct sim_hello)];
	struct packet_fds fds = PACKET_FDS_NONE;
	ssize_t received;
	int r = sim_message_send(connection, &message);

	if (r < 0) {
		return -EIO;
	}
	do {
		r = poll(&poll_connection, 1, READY_TIMEOUT_MS);
	} while (r < 0 && errno == EINTR);
	if (r <= 0) {
		return r < 0 ? -errno : -ETIMEDOUT;
	}
	received = packet_receive(connection, answer, sizeof(answer), &fds, NULL);
	packet_fds_done(&fds);
	return received > 0 ? 0 : -EIO;
}

/* Reap a child that isn't ready, and see why. */
static int end_child(pid_t pid, int reason)
{
	int status = 0;

	/* One that closed its connection is about to end, and says by its status why. */
	if (reason != -EIO) {
		(void)kill(pid, SIGKILL);
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
	}
	return WIFEXITED(status) && WEXITSTATUS(status) == SIMHOST_EXIT_USAGE ? -ENODEV : reason;
}

int sim_launch_listening(const char *program, const char *host, const char *listen_path,
			 int *ret_connection, pid_t *ret_pid)
{
	int sockets[2];
	int on = 1;
	pid_t pid = -1;
	int r = packet_socketpair(sockets);

	if (r < 0) {
		return r;
	}
	if (sockets[1] == CHILD_SOCKET_FD) {
		/* dup2 onto itself would keep CLOEXEC in some C libraries. */
		int swap = sockets[0];

		sockets[0] = sockets[1];
		sockets[1] = swap;
	}
	/* The hello may be there before the child looks who sends it. */
	r = setsockopt(sockets[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) < 0
		    ? -errno
		    : spawn(program, host, listen_path, sockets[1], &pid);
	(void)fd_close(sockets[1]);
	if (r == 0) {
		r = wait_ready(sockets[0]);
	}
	if (r < 0) {
		(void)fd_close(sockets[0]);
		return pid > 0 ? end_child(pid, r) : r;
	}
	*ret_connection = sockets[0];
	*ret_pid = pid;
	return 0;
}

int sim_launch(const char *program, const char *host, int *ret_connection, pid_t *ret_pid)
{
	return sim_launch_listening(program, host, NULL, ret_connection, ret_pid);
}
