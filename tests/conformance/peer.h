/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Peers: a process that is asked rows of a scene's table, one at a time, over a socket. It answers
 * with what it was told and with what it has locked.
 */
#pragma once

#include <sys/types.h>

#include "scene.h"

struct peer {
	pid_t pid; /* 0: there is none */
	int socket;
};

struct peer_reply {
	struct answer answer;
	uint64_t locked; /* KiB */
};

void peer_start(struct peer *peer, struct scene *scene, const struct scene_table *table,
		enum peer_kind kind);

/* Ask it one row. One that died says so. */
void peer_ask(struct peer *peer, const struct scene_table *table, size_t row,
	      struct peer_reply *ret_reply);

/* Let it execute this program again and go on. */
void peer_exec(struct peer *peer);

/* Give it a fd, to be used where place is in the order of scene_fds. */
void peer_pass(struct peer *peer, size_t place, int fd);

/* Let it end in order, or by SIGKILL. */
void peer_end(struct peer *peer);
void peer_kill(struct peer *peer);

/* What PEER_EXECS executes: `test-conformance peer SOCKET SCENE FD…`. */
int peer_main(int argc, char **argv, const struct scene_table *(*find)(const char *name));
