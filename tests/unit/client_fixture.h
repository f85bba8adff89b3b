/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libspaprd against a peer that has spaprd's name on a bus of the test's own. The peer records what
 * it is asked, and a second connection of the test's has it send signals, refuse, or be silent.
 */
#pragma once

#include <dbus/dbus.h>
#include <spaprd/pe.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/names.h"
#include "support/private_bus.h"

#define GROUP      3U
#define GROUP_PATH BUS_PATH_GROUP_PREFIX "3"
#define PATIENCE   5000 /* ms */

struct world {
	struct private_bus bus;
	pid_t peer;
	DBusConnection *control; /* of the test's own */
	struct spaprd_client *client;
	struct spaprd_pe *pe;
	char log[2048];           /* what the callbacks were told */
	char calls[2048];         /* what the peer was asked */
	enum spaprd_vote vote[4]; /* what the callbacks return, by step */
	bool vote_inside;         /* with spaprd_pe_vote in the callback */
	bool leave_inside;
};

/* cmocka set-up: a bus and a client on it; the peer as well, or it is started later. */
int client_fixture_set_up(void **state);
int client_fixture_set_up_with_peer(void **state);
int client_fixture_tear_down(void **state);

/* -- the peer -- */

void peer_start(struct world *world);
void peer_stop(struct world *world);

/*
 * "Fail": the next call is answered with the error that the text names, "type" for a reply of a
 * wrong type. "Hold": the next call is answered at "Release"; both take any text.
 */
void peer_tell(struct world *world, const char *member, const char *text);

/* Have it send a signal of the group's PE, or of another object. */
void peer_signal(struct world *world, const char *member, uint32_t event, const char *text);
void peer_signal_at(struct world *world, const char *path, const char *member, uint32_t event,
		    const char *text);

/* Append what it was asked since the last time to world->calls. */
void peer_read_calls(struct world *world);

/* -- what came of it -- */

/* Dispatch until the callbacks' notes are these; they are forgotten then. */
void expect_log(struct world *world, const char *expected);

/* Likewise what the peer was asked: "Vote 3 7 5 can-recover;". */
void expect_calls(struct world *world, const char *expected);

/* Whatever is under way has time to arrive: the peer has answered a call on the same connection,
 * and after that a bit. */
void expect_silence(struct world *world);

/* Each notes its name and arguments; userdata is the world. */
extern const struct spaprd_pe_callbacks all_callbacks;

/* Join the group, with all callbacks, and wait until that is done. */
void join_group(struct world *world);
