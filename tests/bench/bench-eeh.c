/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How long it takes from a freeze to the signal Frozen: by the idle poll, by the fast one (which
 * follows a hint for a while), and when a client that read all ones says so. On the simulated host,
 * beside a call that does nothing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/measure.h"
#include "integration/eeh.h"

#define ROUNDS       20U
#define CHECK_ROUNDS 200U
#define PINGS        2000U
#define IDLE_POLL_MS 1000U /* the defaults, as the policies have them, too */
#define FAST_POLL_MS 100U

#define WATCHED "[recovery]\nmode = manual\nmost-freezes = 1000\nfast-poll = 100ms\n"
#define IDLE    WATCHED "idle-poll = 1s\nfast-poll-for = 0s\n"
#define FAST    WATCHED "idle-poll = 1s\nfast-poll-for = 10s\n"
#define SELDOM  WATCHED "idle-poll = 1h\nfast-poll-for = 0s\n"

enum way {
	BY_IDLE_POLL,
	BY_FAST_POLL,
	BY_CHECK,
	WAY_COUNT,
};

static const struct {
	const char *name;
	const char *policy;
	unsigned int rounds;
	unsigned int pause_ms; /* up to that, so that freezes and looks are in no step */
	bool hint_before;
	bool hint_after;
} ways[WAY_COUNT] = {
	[BY_IDLE_POLL] = {"idle-poll", IDLE, ROUNDS, IDLE_POLL_MS, false, false},
	[BY_FAST_POLL] = {"fast-poll", FAST, 2 * ROUNDS, FAST_POLL_MS, true, false},
	[BY_CHECK] = {"check", SELDOM, CHECK_ROUNDS, 5, false, true},
};

/* Steps of the golden ratio, which come into step with nothing. */
static unsigned int next_pause_us(enum way way)
{
	static uint32_t turn;

	turn += UINT32_C(0x9e3779b9);
	return (unsigned int)((uint64_t)turn * 1000U * ways[way].pause_ms >> 32);
}

static double freeze_once(const struct world *world, const struct observer *observer, enum way way)
{
	struct pe_signal signal;
	DBusPendingCall *pending;
	double began;
	double took;

	if (ways[way].hint_before) {
		pe_expect_check(world, observer, "normal");
	}
	(void)usleep(next_pause_us(way));
	began = measure_now();
	freeze_pe(world, world->host->nic, FREEZE_BOTH);
	if (ways[way].hint_after) {
		pending = pe_send(world->client, observer, "Check", NULL);
		signal = observer_expect(observer, "Frozen");
		took = measure_now() - began;
		(void)pe_receive(pending);
	} else {
		signal = observer_expect(observer, "Frozen");
		took = measure_now() - began;
	}
	assert_string_equal(signal.text, "stopped");
	pe_wait_for_text(world, observer, "Recovery", "awaiting-request");
	pe_operate(world, observer, "Enable", NULL);
	(void)observer_expect_done(observer, true);
	return took;
}

static void measure_way(const struct world *world, const struct observer *observer, enum way way,
			double ping)
{
	struct measure times = {.count = 0};
	char name[64];
	double median;

	set_policy(world, ways[way].policy, NULL);
	for (unsigned int i = 0; i < ways[way].rounds; i++) {
		measure_add(&times, freeze_once(world, observer, way));
	}
	median = measure_quantile(&times, 0.5);
	(void)snprintf(name, sizeof(name), "%s-median", ways[way].name);
	(void)measure_show(name, median * 1e3, "ms", 0);
	(void)snprintf(name, sizeof(name), "%s-least", ways[way].name);
	(void)measure_show(name, measure_quantile(&times, 0) * 1e3, "ms", 0);
	(void)snprintf(name, sizeof(name), "%s-most", ways[way].name);
	(void)measure_show(name, measure_quantile(&times, 1) * 1e3, "ms", 0);
	(void)snprintf(name, sizeof(name), "%s-by-ping", ways[way].name);
	(void)measure_show(name, median / ping, "x", 0);
	measure_done(&times);
}

int main(void)
{
	const struct world *world;
	struct observer observer;
	void *state = NULL;
	double ping;
	char *space;

	if (world_start_eeh(&state) < 0) {
		(void)fprintf(stderr, "bench-eeh: no service\n");
		return EXIT_FAILURE;
	}
	world = state;
	space = space_create(world->client, "bench");
	attach(world->client, space, world->host->nic, NULL);
	observer = observer_open(world, world->host->nic);
	ping = measure_ping(world->client, PINGS);
	(void)measure_show("ping", ping * 1e3, "ms", 0);
	for (enum way way = 0; way < WAY_COUNT; way++) {
		measure_way(world, &observer, way, ping);
	}
	observer_close(&observer);
	space_close(world->client, space);
	return world_stop(&state) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
