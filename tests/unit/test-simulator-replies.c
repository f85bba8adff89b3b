/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The service asks a simulated host that answers what it shouldn't: it gives that host up, and its
 * own callers get an error. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "broker/simulator.h"
#include "common/cleanup.h"
#include "common/packet.h"
#include "sim/client.h"
#include "sim/protocol.h"

/* A host that says hello and gives one connection. */
struct peer {
	pthread_t thread;
	int root;      /* its end of the first connection */
	int hostile;   /* its end of the second */
	int connected; /* the client's end of the second */
	struct kernel *kernel;
	sd_event *event;
	struct simulator *simulator;
	bool lost;
	unsigned int answers;
	enum error_code code;
};

static void answer(int connection, const struct sim_request *request, uint32_t type,
		   const void *body, size_t size, int fd)
{
	struct sim_reply reply = {
		.version = SIM_PROTOCOL_VERSION,
		.type = type,
		.id = request->id,
		.size = (uint32_t)size,
		.fds = fd >= 0,
	};

	(void)packet_send(connection, &reply, sizeof(reply), body, size, &fd, reply.fds);
}

static bool take_request(int connection, struct sim_request *request)
{
	struct packet_fds fds = PACKET_FDS_NONE;
	uint8_t packet[4096];
	ssize_t size = packet_receive(connection, packet, sizeof(packet), &fds, NULL);

	packet_fds_done(&fds);
	if (size < (ssize_t)sizeof(*request)) {
		return false;
	}
	memcpy(request, packet, sizeof(*request));
	return true;
}

static void *serve(void *argument)
{
	static const struct sim_hello hello = {.page_shift = 12};
	struct peer *peer = argument;
	struct sim_request request = {.type = 0};

	while (take_request(peer->root, &request)) {
		if (request.type == SIM_HELLO) {
			answer(peer->root, &request, SIM_HELLO, &hello, sizeof(hello), -1);
		} else {
			answer(peer->root, &request, SIM_CONNECT, NULL, 0, peer->connected);
		}
	}
	return NULL;
}

static void handle_lost(void *userdata)
{
	((struct peer *)userdata)->lost = true;
}

static void handle_reply(void *userdata, const struct sim_control_reply *reply)
{
	struct peer *peer = userdata;

	peer->answers++;
	peer->code = reply->code;
}

static int set_up(void **state)
{
	static struct peer peer;
	int first[2];
	int second[2];

	peer = (struct peer){.lost = false};
	assert_int_equal(packet_socketpair(first), 0);
	assert_int_equal(packet_socketpair(second), 0);
	peer.root = first[0];
	peer.hostile = second[0];
	peer.connected = second[1];
	assert_int_equal(pthread_create(&peer.thread, NULL, serve, &peer), 0);
	assert_int_equal(sim_kernel_new(first[1], &peer.kernel), 0);
	assert_true(sd_event_new(&peer.event) >= 0);
	assert_int_equal(
		simulator_new(peer.event, peer.kernel, handle_lost, &peer, &peer.simulator), 0);
	*state = &peer;
	return 0;
}

static int tear_down(void **state)
{
	struct peer *peer = *state;

	peer->simulator = simulator_free(peer->simulator);
	peer->kernel = kernel_free(peer->kernel);
	assert_int_equal(pthread_join(peer->thread, NULL), 0);
	peer->event = sd_event_unref(peer->event);
	cleanup_fd(&peer->root);
	cleanup_fd(&peer->hostile);
	cleanup_fd(&peer->connected);
	return 0;
}

/* The verb's caller learns of it when the service gives the host up, and not with a reply that
 * lacks what its handler reads. */
static void expect_given_up(struct peer *peer)
{
	assert_true(sd_event_run(peer->event, 30000000) > 0);
	assert_true(peer->lost);
	assert_int_equal(peer->answers, 0);
	peer->simulator = simulator_free(peer->simulator);
	assert_int_equal(peer->answers, 1);
	assert_int_equal(peer->code, ERROR_KERNEL);
}

static void test_reply_to_another_verb(void **state)
{
	struct peer *peer = *state;
	struct sim_statistics statistics = {.connections = 1};
	struct sim_request request = {.type = 0};
	struct error error;

	assert_int_equal(simulator_dump(peer->simulator, 0, 0, 9, handle_reply, peer, &error), 0);
	assert_true(take_request(peer->hostile, &request));
	assert_int_equal(request.type, SIM_DUMP);
	answer(peer->hostile, &request, SIM_STATISTICS, &statistics, sizeof(statistics), -1);
	expect_given_up(peer);
}

static void test_reply_of_no_known_type(void **state)
{
	struct peer *peer = *state;
	struct sim_request request = {.type = 0};
	struct error error;

	assert_int_equal(simulator_dump(peer->simulator, 0, 0, 9, handle_reply, peer, &error), 0);
	assert_true(take_request(peer->hostile, &request));
	answer(peer->hostile, &request, UINT32_MAX, NULL, 0, -1);
	expect_given_up(peer);
}

/* A bus takes text only. */
static void test_names_that_are_no_text(void **state)
{
	struct peer *peer = *state;
	struct sim_listed_rule rule = {.id = 1, .rule = {.operation = "\xff\xfe"}};
	struct sim_request request = {.type = 0};
	struct error error;

	assert_int_equal(simulator_list_rules(peer->simulator, handle_reply, peer, &error), 0);
	assert_true(take_request(peer->hostile, &request));
	answer(peer->hostile, &request, SIM_LIST_RULES, &rule, sizeof(rule), -1);
	expect_given_up(peer);
}

static void test_names_without_an_end(void **state)
{
	struct peer *peer = *state;
	struct sim_listed_rule rule = {.id = 1};
	struct sim_request request = {.type = 0};
	struct error error;

	memset(rule.rule.operation, 'x', sizeof(rule.rule.operation));
	assert_int_equal(simulator_list_rules(peer->simulator, handle_reply, peer, &error), 0);
	assert_true(take_request(peer->hostile, &request));
	answer(peer->hostile, &request, SIM_LIST_RULES, &rule, sizeof(rule), -1);
	expect_given_up(peer);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_reply_to_another_verb),
		TEST(test_reply_of_no_known_type),
		TEST(test_names_that_are_no_text),
		TEST(test_names_without_an_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
