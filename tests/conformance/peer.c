/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "peer.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guard.h"

#define OTHER_USER 1000

enum command_kind {
	COMMAND_ASK,
	COMMAND_EXEC,
	COMMAND_PASS,
};

struct command {
	enum command_kind kind;
	size_t number; /* the row, or the place of the fd */
};

/* -- in the peer -- */

static void limit_locked(void)
{
	const struct rlimit limit = {LIMIT_LOCKED, LIMIT_LOCKED};

	/* Root may lock what it likes. */
	if (setrlimit(RLIMIT_MEMLOCK, &limit) != 0 ||
	    setresuid(OTHER_USER, OTHER_USER, OTHER_USER) != 0) {
		_exit(3);
	}
}

/* -1 at the other end's close. */
static ssize_t receive(int socket, struct command *command, int *ret_fd)
{
	union {
		char room[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = {command, sizeof(*command)};
	struct msghdr message = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	const struct cmsghdr *header;
	ssize_t got = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);

	header = got > 0 ? CMSG_FIRSTHDR(&message) : NULL;
	if (header && header->cmsg_type == SCM_RIGHTS) {
		memcpy(ret_fd, CMSG_DATA(header), sizeof(*ret_fd));
	}
	return got == (ssize_t)sizeof(*command) ? got : -1;
}

static void keep_open(int fd)
{
	if (fd >= 0) {
		(void)fcntl(fd, F_SETFD, 0);
	}
}

/* With all fds, whose numbers it tells. Returns only when it fails. */
static void execute(struct scene *scene, int socket, const char *name)
{
	char text[SCENE_FDS + 1][16];
	char program[] = "test-conformance";
	char what[] = "peer";
	char *arguments[SCENE_FDS + 5] = {program, what};
	int *fds[SCENE_FDS] = {NULL};

	scene_fds(scene, fds);
	keep_open(socket);
	(void)snprintf(text[SCENE_FDS], sizeof(text[0]), "%d", socket);
	arguments[2] = text[SCENE_FDS];
	arguments[3] = (char *)name;
	for (size_t i = 0; i < SCENE_FDS; i++) {
		keep_open(*fds[i]);
		/* cppcheck-suppress uninitvar ; scene_fds fills it */
		(void)snprintf(text[i], sizeof(text[i]), "%d", *fds[i]);
		arguments[4 + i] = text[i];
	}
	(void)execv("/proc/self/exe", arguments);
}

static void take_fd(struct scene *scene, size_t place, int fd)
{
	int *fds[SCENE_FDS] = {NULL};

	scene_fds(scene, fds);
	*fds[place % SCENE_FDS] = fd;
}

static void say(int socket, const struct peer_reply *reply)
{
	(void)!send(socket, reply, sizeof(*reply), MSG_NOSIGNAL);
}

static _Noreturn void serve(struct scene *scene, const struct scene_table *table, int socket)
{
	struct peer_reply reply;
	struct command command = {.number = 0};
	int fd = -1;

	while (receive(socket, &command, &fd) > 0) {
		memset(&reply, 0, sizeof(reply));
		switch (command.kind) {
		case COMMAND_ASK:
			scene_ask(scene, &table->questions[command.number], &reply.answer);
			break;
		case COMMAND_EXEC:
			execute(scene, socket, table->name);
			break;
		case COMMAND_PASS:
			take_fd(scene, command.number, fd);
			break;
		}
		reply.locked = scene_locked();
		say(socket, &reply);
	}
	_exit(0);
}

int peer_main(int argc, char **argv, const struct scene_table *(*find)(const char *name))
{
	const struct scene_table *table = argc == SCENE_FDS + 4 ? find(argv[3]) : NULL;
	struct scene scene;
	int *fds[SCENE_FDS] = {NULL};
	int socket;

	if (!table) {
		return 2;
	}
	scene_begin(&scene, table->name);
	scene_fds(&scene, fds);
	for (size_t i = 0; i < SCENE_FDS; i++) {
		*fds[i] = (int)strtol(argv[4 + i], NULL, 10);
		if (*fds[i] >= 0) {
			(void)fcntl(*fds[i], F_SETFD, FD_CLOEXEC);
		}
	}
	socket = (int)strtol(argv[2], NULL, 10);
	(void)fcntl(socket, F_SETFD, FD_CLOEXEC);
	/* As an answer to the command to execute. */
	say(socket, &(struct peer_reply){.locked = scene_locked()});
	serve(&scene, table, socket);
}

/* -- in the process that has it -- */

void peer_start(struct peer *peer, struct scene *scene, const struct scene_table *table,
		enum peer_kind kind)
{
	int sockets[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) != 0) {
		perror("a peer's socket");
		exit(2);
	}
	(void)fflush(stdout);
	peer->pid = fork();
	if (peer->pid == 0) {
		(void)close(sockets[0]);
		guard_forget(scene->guard);
		if (kind == EMPTY) {
			scene_close(scene);
		}
		if (kind == LIMITED) {
			limit_locked();
		}
		serve(scene, table, sockets[1]);
	}
	(void)close(sockets[1]);
	peer->socket = sockets[0];
}

static void hear(struct peer *peer, struct peer_reply *ret_reply)
{
	if (recv(peer->socket, ret_reply, sizeof(*ret_reply), 0) != (ssize_t)sizeof(*ret_reply)) {
		memset(ret_reply, 0, sizeof(*ret_reply));
		answer_tell(&ret_reply->answer, "the peer is gone");
	}
}

static void command_peer(struct peer *peer, enum command_kind kind, size_t number)
{
	const struct command command = {kind, number};

	(void)!send(peer->socket, &command, sizeof(command), MSG_NOSIGNAL);
}

void peer_ask(struct peer *peer, const struct scene_table *table, size_t row,
	      struct peer_reply *ret_reply)
{
	(void)table;
	command_peer(peer, COMMAND_ASK, row);
	hear(peer, ret_reply);
}

void peer_exec(struct peer *peer)
{
	struct peer_reply reply;

	command_peer(peer, COMMAND_EXEC, 0);
	hear(peer, &reply);
}

void peer_pass(struct peer *peer, size_t place, int fd)
{
	struct command command = {COMMAND_PASS, place};
	union {
		char room[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = {&command, sizeof(command)};
	struct msghdr message = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	struct peer_reply reply;

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(header), &fd, sizeof(fd));
	if (sendmsg(peer->socket, &message, MSG_NOSIGNAL) > 0) {
		hear(peer, &reply);
	}
}

static void reap(struct peer *peer)
{
	(void)close(peer->socket);
	(void)waitpid(peer->pid, NULL, 0);
	*peer = (struct peer){.socket = -1};
}

void peer_end(struct peer *peer)
{
	if (peer->pid > 0) {
		reap(peer);
	}
}

void peer_kill(struct peer *peer)
{
	if (peer->pid > 0) {
		(void)kill(peer->pid, SIGKILL);
		reap(peer);
	}
}
