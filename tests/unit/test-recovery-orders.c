/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * All orders of inputs: every state that a recovery can come to is found, by trying all inputs in
 * all states that were found before, until there is no new one. What must hold is watched in each
 * step (recovery_watch.h), and the graph of states says that each event ends: there is no way round
 * in it that only time and results go.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "eeh/recovery_private.h"
#include "recovery_watch.h"
#include "unit.h"

#define NOW     1000000U
#define EVENT   1U
#define CLIENTS 2U
#define NO_TIME UINT16_MAX
#define MARGIN  1000U

/* A recovery as far as its behaviour depends on it, with times relative to now; and its watch. */
struct key {
	uint16_t wake;
	uint16_t overdue;
	uint16_t hold;
	uint16_t settle;
	uint16_t normal;
	uint16_t host;
	uint8_t stage;
	uint8_t operation;
	uint8_t condition;
	uint8_t channel;
	uint8_t merged;
	uint8_t samples;
	uint8_t gone;
	uint8_t tries;
	uint8_t used;
	uint8_t clients[CLIENTS]; /* CLIENT_* */
	uint8_t flags[2];
	uint8_t reserved;
	struct watch watch;
};

#define CLIENT_JOINED 1U
#define CLIENT_TAKES  2U
#define CLIENT_VOTED  4U

/* -- between keys and recoveries -- */

static uint16_t pack_time(uint64_t time)
{
	if (time == NEVER) {
		return NO_TIME;
	}
	/* What is over is over. */
	return time <= NOW ? 0 : (uint16_t)(time - NOW);
}

static uint64_t unpack_time(uint16_t time)
{
	return time == NO_TIME ? NEVER : (uint64_t)NOW + time;
}

/* Those that decide whether there is a reset at all. */
#define FLAGS_BEFORE_RESET 5U

/* One after the other, for both directions. */
static bool *find_flag(struct recovery *recovery, unsigned int index)
{
	bool *const flags[] = {
		&recovery->over_budget, &recovery->counts,     &recovery->announced,
		&recovery->requested,   &recovery->must_reset, &recovery->registers_lost,
		&recovery->operating,   &recovery->doubting,   &recovery->resetting,
		&recovery->fundamental, &recovery->settled,    &recovery->configured,
		&recovery->thawed,
	};

	return index < sizeof(flags) / sizeof(*flags) ? flags[index] : NULL;
}

static void pack_clients(const struct recovery *recovery, struct key *key)
{
	for (uint32_t i = 0; i < recovery->participant_count; i++) {
		const struct recovery_participant *participant = &recovery->participants[i];

		key->clients[participant->cookie - 1] =
			(uint8_t)(CLIENT_JOINED | (participant->takes_part ? CLIENT_TAKES : 0) |
				  (participant->voted ? CLIENT_VOTED : 0));
	}
}

/* What can't matter any more; test-recovery-random.c forgets nothing. */
static void forget(struct key *key)
{
	if (!key->watch.operating) {
		key->operation = 0;
		key->watch.operation = 0;
	}
	if (key->stage != STAGE_ASSERT) {
		key->hold = 0;
	}
	if (key->stage != STAGE_ASSERT && key->stage != STAGE_HOLD &&
	    key->stage != STAGE_DEACTIVATE) {
		key->settle = 0;
	}
	if (key->stage < STAGE_SETTLE || key->stage > STAGE_UNFREEZE_DMA) {
		key->normal = 0;
	}
	if (key->watch.detected) {
		key->channel = 0;
	}
	if (key->watch.reset && key->condition != PE_UNAVAILABLE && key->condition != PE_NORMAL) {
		key->condition = PE_UNKNOWN;
	}
	/* The votes of a step count at its end, and those of error-detected until it is decided. */
	if (key->watch.reset && key->stage != STAGE_SLOT_RESET) {
		key->merged = 0;
	}
}

/* The recovery is at NOW + elapsed. */
static struct key pack(struct recovery *recovery, const struct watch *watch, uint64_t elapsed)
{
	struct key key;
	bool *flag;

	memset(&key, 0, sizeof(key));
#define PACK(time) pack_time((time) == NEVER || (time) < elapsed ? (time) : (time)-elapsed)
	key.wake = PACK(recovery->wake);
	key.overdue = PACK(recovery->overdue);
	key.hold = PACK(recovery->hold_until);
	key.settle = PACK(recovery->settle_until);
	key.normal = PACK(recovery->normal_by);
	key.host = PACK(recovery->host_by);
#undef PACK
	key.stage = (uint8_t)recovery->stage;
	key.operation = (uint8_t)recovery->operation;
	key.condition = (uint8_t)recovery->condition;
	key.channel = (uint8_t)recovery->channel;
	key.merged = (uint8_t)recovery->merged;
	key.samples = (uint8_t)recovery->samples;
	key.gone = (uint8_t)(recovery->gone > 2 ? 2 : recovery->gone);
	key.tries = (uint8_t)recovery->tries;
	key.used = (uint8_t)(recovery->budget.used > 2 ? 2 : recovery->budget.used);
	pack_clients(recovery, &key);
	for (unsigned int i = 0; (flag = find_flag(recovery, i)) != NULL; i++) {
		if (i >= (watch->reset ? FLAGS_BEFORE_RESET : 0)) {
			key.flags[i / 8] =
				(uint8_t)(key.flags[i / 8] | (unsigned int)*flag << i % 8);
		}
	}
	/* With the bytes between its fields, which are zero everywhere. */
	memcpy(&key.watch, watch, sizeof(*watch));
	key.watch.dones = 0;
	forget(&key);
	return key;
}

static void unpack(const struct key *key, const struct recovery_policy *policy,
		   struct recovery *recovery)
{
	bool *flag;

	memset(recovery, 0, sizeof(*recovery));
	recovery->policy = *policy;
	recovery->wake = unpack_time(key->wake);
	recovery->overdue = unpack_time(key->overdue);
	recovery->hold_until = unpack_time(key->hold);
	recovery->settle_until = unpack_time(key->settle);
	recovery->normal_by = unpack_time(key->normal);
	recovery->host_by = unpack_time(key->host);
	recovery->noticed = NOW - MARGIN;
	recovery->stage = (enum recovery_stage)key->stage;
	recovery->operation = (enum recovery_operation)key->operation;
	recovery->condition = (enum pe_condition)key->condition;
	recovery->channel = (enum pe_condition)key->channel;
	recovery->merged = (enum verdict)key->merged;
	recovery->samples = key->samples;
	recovery->gone = key->gone;
	recovery->tries = key->tries;
	recovery->budget = (struct freeze_budget){key->used, NOW - MARGIN};
	recovery->event = key->watch.event;
	recovery->number = EVENT;
	(void)snprintf(recovery->why, sizeof(recovery->why), "why");
	for (uint32_t i = 0; i < CLIENTS; i++) {
		if (key->clients[i]) {
			recovery->participants[recovery->participant_count++] =
				(struct recovery_participant){
					.cookie = i + 1,
					.takes_part = key->clients[i] & CLIENT_TAKES,
					.voted = key->clients[i] & CLIENT_VOTED,
				};
		}
	}
	for (unsigned int i = 0; (flag = find_flag(recovery, i)) != NULL; i++) {
		*flag = key->flags[i / 8] >> i % 8 & 1;
	}
}

/* -- the graph -- */

#define NODES_MAX  (1U << 20)
#define SLOTS      (1U << 21)
#define ROOM_FIRST 1024U

struct node {
	struct key key;
	uint32_t first_edge; /* of those that time and results go; -1U: none */
	uint8_t mark;
};

struct edge {
	uint32_t to;
	uint32_t next;
};

struct graph {
	struct recovery_policy policy;
	uint32_t clients;
	struct node *nodes;
	uint32_t node_count;
	uint32_t node_room;
	uint32_t *slots; /* index + 1 */
	struct edge *edges;
	uint32_t edge_count;
	uint32_t edge_room;
	unsigned int most_actions;
	uint64_t inputs;
};

/* Values are made of zeroed or copied memory, so what lies between their fields is alike. */
static bool is_same(const void *a, const void *b, size_t size)
{
	return memcmp(a, b, size) == 0;
}

static uint64_t hash(const struct key *key)
{
	const unsigned char *bytes = (const unsigned char *)key;
	uint64_t value = 14695981039346656037U;

	for (size_t i = 0; i < sizeof(*key); i++) {
		value = (value ^ bytes[i]) * 1099511628211U;
	}
	return value ^ value >> 29;
}

static uint32_t find_node(struct graph *graph, const struct key *key)
{
	uint32_t slot = (uint32_t)(hash(key) % SLOTS);

	for (; graph->slots[slot]; slot = (slot + 1) % SLOTS) {
		uint32_t index = graph->slots[slot] - 1;

		if (is_same(&graph->nodes[index].key, key, sizeof(*key))) {
			return index;
		}
	}
	assert_true(graph->node_count < NODES_MAX);
	if (graph->node_count == graph->node_room) {
		graph->node_room *= 2;
		graph->nodes = realloc(graph->nodes, graph->node_room * sizeof(*graph->nodes));
		assert_non_null(graph->nodes);
	}
	graph->nodes[graph->node_count] = (struct node){.first_edge = UINT32_MAX};
	memcpy(&graph->nodes[graph->node_count].key, key, sizeof(*key));
	graph->slots[slot] = ++graph->node_count;
	return graph->node_count - 1;
}

static void add_edge(struct graph *graph, uint32_t from, uint32_t to)
{
	if (graph->edge_count == graph->edge_room) {
		graph->edge_room *= 2;
		graph->edges = realloc(graph->edges, graph->edge_room * sizeof(*graph->edges));
		assert_non_null(graph->edges);
	}
	graph->edges[graph->edge_count] = (struct edge){to, graph->nodes[from].first_edge};
	graph->nodes[from].first_edge = graph->edge_count++;
}

/* -- one input -- */

struct trial {
	struct graph *graph;
	uint32_t from;
	struct recovery before;
	struct recovery recovery;
	struct watch watch;
};

static void begin_trial(struct trial *trial)
{
	memcpy(&trial->recovery, &trial->before, sizeof(trial->before));
	trial->watch = trial->graph->nodes[trial->from].key.watch;
	trial->graph->inputs++;
}

/* The input has been taken; `progress`: an event comes nearer to its end by it. */
static void end_trial(struct trial *trial, uint64_t elapsed, bool progress)
{
	unsigned int actions = watch_actions(&trial->watch, &trial->recovery, &trial->graph->policy,
					     NOW + elapsed);
	struct key key = pack(&trial->recovery, &trial->watch, elapsed);
	uint32_t to = find_node(trial->graph, &key);

	if (actions > trial->graph->most_actions) {
		trial->graph->most_actions = actions;
	}
	if (progress) {
		assert_true(to != trial->from);
		add_edge(trial->graph, trial->from, to);
	}
}

/* The input has been refused: nothing has changed. */
static void end_refused(const struct trial *trial)
{
	assert_true(is_same(&trial->recovery, &trial->before, sizeof(trial->before)));
}

static void try_notice(struct trial *trial, enum pe_condition condition)
{
	bool used;

	begin_trial(trial);
	used = recovery_notice(&trial->recovery, NOW, EVENT, condition);
	assert_int_equal(used,
			 trial->before.stage == STAGE_IDLE && pe_condition_is_frozen(condition));
	if (used || (trial->before.stage == STAGE_AWAIT_REQUEST &&
		     (condition == PE_NORMAL || condition == PE_GONE))) {
		end_trial(trial, 0, false);
	} else {
		end_refused(trial);
	}
}

static void try_result(struct trial *trial, uint64_t elapsed, const struct recovery_result *result)
{
	begin_trial(trial);
	if (!trial->before.operating) {
		recovery_operation_done(&trial->recovery, NOW, result);
		end_refused(trial);
		return;
	}
	recovery_operation_done(&trial->recovery, NOW + elapsed, result);
	watch_result(&trial->watch, result);
	end_trial(trial, elapsed, true);
}

static void try_results(struct trial *trial)
{
	static const struct recovery_result results[] = {
		{0, 0, PE_NORMAL, 0},
		{0, 0, PE_NORMAL, 1},
		{0, 0, PE_UNKNOWN, 0},
		{0, 0, PE_RESET, 0},
		{0, 0, PE_STOPPED, 1},
		{0, 0, PE_STOPPED_DMA, 0},
		{0, 0, PE_STOPPED_IO, 1},
		{0, 0, PE_UNAVAILABLE, 1},
		{0, 0, PE_GONE, 1},
		{ERROR_KERNEL, 5, PE_NORMAL, 0},
		{ERROR_KERNEL, 5, PE_STOPPED, 1},
		{ERROR_KERNEL, 5, PE_UNKNOWN, 0},
		{ERROR_KERNEL, 5, PE_UNAVAILABLE, 1},
		{ERROR_KERNEL, 5, PE_GONE, 1},
	};

	for (size_t i = 0; i < sizeof(results) / sizeof(*results); i++) {
		try_result(trial, 0, &results[i]);
		/* A reset takes its time. */
		if (trial->before.stage == STAGE_ASSERT) {
			try_result(trial, 5, &results[i]);
		}
	}
}

static void try_time(struct trial *trial)
{
	uint64_t deadline = recovery_deadline(&trial->before);

	begin_trial(trial);
	if (deadline > NOW) {
		recovery_expire(&trial->recovery, deadline == NEVER ? NEVER - 1 : deadline - 1);
		end_refused(trial);
	}
	if (deadline != NEVER) {
		watch_no_vote(&trial->watch);
		recovery_expire(&trial->recovery, deadline);
		end_trial(trial, deadline - NOW, true);
	}
}

static void try_vote(struct trial *trial, uint32_t cookie, uint32_t event, enum verdict verdict)
{
	begin_trial(trial);
	if (recovery_vote(&trial->recovery, NOW, cookie, event, verdict, NULL) == 0) {
		assert_int_equal(event, trial->watch.event);
		watch_vote(&trial->watch, verdict);
		end_trial(trial, 0, false);
	} else {
		end_refused(trial);
	}
}

static void try_client(struct trial *trial, uint32_t cookie)
{
	bool joined = trial->graph->nodes[trial->from].key.clients[cookie - 1] & CLIENT_JOINED;

	for (unsigned int verdict = VERDICT_NONE; verdict <= VERDICT_NEED_RESET; verdict++) {
		try_vote(trial, cookie, EVENT, (enum verdict)verdict);
	}
	try_vote(trial, cookie, EVENT + 1, VERDICT_NEED_RESET);
	begin_trial(trial);
	if (joined) {
		assert_int_equal(recovery_join(&trial->recovery, cookie, NULL),
				 ERROR_INVALID_ARGUMENT);
		end_refused(trial);
		watch_no_vote(&trial->watch);
		assert_int_equal(recovery_leave(&trial->recovery, NOW, cookie, NULL), 0);
	} else {
		assert_int_equal(recovery_leave(&trial->recovery, NOW, cookie, NULL),
				 ERROR_NOT_JOINED);
		end_refused(trial);
		assert_int_equal(recovery_join(&trial->recovery, cookie, NULL), 0);
	}
	end_trial(trial, 0, false);
}

static void try_request(struct trial *trial)
{
	uint32_t event = 0;
	int code;

	begin_trial(trial);
	code = recovery_request(&trial->recovery, NOW, EVENT, &event, NULL);
	if (code == 0) {
		watch_request(&trial->watch, event);
		end_trial(trial, 0, false);
	} else {
		assert_int_equal(code, ERROR_BUSY);
		assert_int_equal(event, 0);
		end_refused(trial);
	}
}

static void try_abort(struct trial *trial)
{
	uint32_t event = trial->before.event;

	begin_trial(trial);
	recovery_abort(&trial->recovery, NOW, "gone");
	watch_abort(&trial->watch);
	end_trial(trial, 0, false);
	assert_int_equal(trial->watch.dones, event != 0);
	assert_int_equal(recovery_phase(&trial->recovery), RECOVERY_IDLE);
	assert_true(recovery_deadline(&trial->recovery) == NEVER);
}

static void try_all(struct trial *trial)
{
	for (unsigned int condition = PE_UNKNOWN; condition <= PE_GONE; condition++) {
		try_notice(trial, (enum pe_condition)condition);
	}
	try_results(trial);
	try_time(trial);
	for (uint32_t cookie = 1; cookie <= trial->graph->clients; cookie++) {
		try_client(trial, cookie);
	}
	try_request(trial);
	try_abort(trial);
}

/* -- every event ends -- */

/*
 * Time and results alone never lead back to a state: their edges have no cycle, so each way along
 * them is short, and watch_actions sees to it that it doesn't stop during an event. Depth first.
 */
static void check_ends(struct graph *graph)
{
	uint32_t *stack = calloc(graph->node_room, sizeof(*stack));
	uint32_t *next = calloc(graph->node_room, sizeof(*next));

	assert_non_null(stack);
	assert_non_null(next);
	for (uint32_t root = 0; root < graph->node_count; root++) {
		uint32_t depth = 0;

		if (graph->nodes[root].mark) {
			continue;
		}
		stack[depth] = root;
		next[depth++] = graph->nodes[root].first_edge;
		graph->nodes[root].mark = 1;
		while (depth > 0) {
			uint32_t edge = next[depth - 1];
			uint32_t to;

			if (edge == UINT32_MAX) {
				graph->nodes[stack[--depth]].mark = 2;
				continue;
			}
			next[depth - 1] = graph->edges[edge].next;
			to = graph->edges[edge].to;
			assert_int_not_equal(graph->nodes[to].mark, 1);
			if (graph->nodes[to].mark == 0) {
				graph->nodes[to].mark = 1;
				stack[depth] = to;
				next[depth++] = graph->nodes[to].first_edge;
			}
		}
	}
	free(stack);
	free(next);
}

/* -- the tests -- */

/* Small times, which come in all orders. */
static struct recovery_policy make_policy(void)
{
	struct recovery_policy policy = RECOVERY_POLICY_DEFAULT;

	policy.idle_poll = 2;
	policy.fast_poll = 1;
	policy.vote_timeout = 3;
	policy.hold = 1;
	policy.settle = 2;
	policy.retry_pause = 1;
	policy.reset_tries = 1;
	policy.normal_timeout = 2;
	policy.host_timeout = 3;
	policy.operation_timeout = 7;
	policy.most_freezes = 1;
	return policy;
}

static void explore(const struct recovery_policy *policy, uint32_t clients)
{
	struct graph graph = {.policy = *policy, .clients = clients};
	struct trial trial;
	struct recovery *fresh = NULL;
	struct watch watch;
	struct key key;

	memset(&trial, 0, sizeof(trial));
	memset(&watch, 0, sizeof(watch));
	trial.graph = &graph;
	graph.slots = calloc(SLOTS, sizeof(*graph.slots));
	assert_non_null(graph.slots);
	graph.node_room = ROOM_FIRST;
	graph.nodes = calloc(graph.node_room, sizeof(*graph.nodes));
	graph.edge_room = ROOM_FIRST;
	graph.edges = calloc(graph.edge_room, sizeof(*graph.edges));
	assert_true(graph.nodes && graph.edges);
	assert_int_equal(recovery_new(policy, &fresh), 0);
	key = pack(fresh, &watch, 0);
	recovery_free(fresh);
	(void)find_node(&graph, &key);
	for (uint32_t i = 0; i < graph.node_count; i++) {
		trial.from = i;
		unpack(&graph.nodes[i].key, policy, &trial.before);
		try_all(&trial);
	}
	check_ends(&graph);
	print_message("%u clients: %u states, %ju inputs, at most %u actions for one\n", clients,
		      graph.node_count, (uintmax_t)graph.inputs, graph.most_actions);
	/* An input, the end of a step and the abort are left room for. */
	assert_true(2 * graph.most_actions + 2 <= RECOVERY_ACTIONS_MAX);
	free(graph.nodes);
	free(graph.edges);
	free(graph.slots);
}

static void test_automatic(void **state)
{
	struct recovery_policy policy = make_policy();

	(void)state;
	explore(&policy, 0);
	explore(&policy, 1);
#ifndef SPAPRD_SANITIZE /* which makes it ten times slower */
	explore(&policy, 2);
#endif
}

static void test_manual(void **state)
{
	struct recovery_policy policy = make_policy();

	(void)state;
	policy.manual = true;
	explore(&policy, 1);
}

static void test_several_tries(void **state)
{
	struct recovery_policy policy = make_policy();

	(void)state;
	policy.reset_tries = 3;
	policy.no_escalation = true;
	explore(&policy, 0);
	policy.no_escalation = false;
	policy.first_reset = RECOVERY_RESET_FUNDAMENTAL;
	explore(&policy, 1);
}

/* No time at all for anything. */
static void test_no_time(void **state)
{
	struct recovery_policy policy = make_policy();

	(void)state;
	policy.hold = 0;
	policy.settle = 0;
	policy.retry_pause = 0;
	policy.vote_timeout = 0;
	policy.reset_tries = 2;
	explore(&policy, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_automatic),
		cmocka_unit_test(test_manual),
		cmocka_unit_test(test_several_tries),
		cmocka_unit_test(test_no_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
