/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "broker/simulator.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "common/cleanup.h"
#include "sim/client.h"
#include "sim/protocol.h"

/* Verbs that may wait for their reply. Replies come in order, so this is a ring. */
#define WAITING_MAX 128

struct waiting {
	enum sim_request_type type;
	simulator_handler handler;
	void *userdata;
};

struct simulator {
	sd_event_source *source;
	int connection;
	simulator_lost lost;
	void *userdata;
	uint64_t first; /* the id of the oldest that waits */
	uint64_t next;  /* the id of the next verb */
	struct waiting waiting[WAITING_MAX];
};

/* Whether a reply is the one that is due. What its handler reads is only there in one to that verb.
 */
static bool is_due(const struct simulator *simulator, const struct sim_control_reply *reply)
{
	return simulator->first != simulator->next && reply->id == simulator->first &&
	       reply->type == simulator->waiting[simulator->first % WAITING_MAX].type;
}

static int handle_reply(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct simulator *simulator = userdata;
	struct sim_control_reply reply = SIM_CONTROL_REPLY_NONE;
	struct waiting waiting;
	int r = sim_control_receive(fd, &reply);

	(void)source;
	(void)events;
	if (r == -EAGAIN) {
		return 0;
	}
	if (r == 0 && !is_due(simulator, &reply)) {
		sim_control_reply_done(&reply);
		r = -EPROTO;
	}
	if (r < 0) {
		simulator->source = sd_event_source_disable_unref(simulator->source);
		simulator->lost(simulator->userdata);
		return 0;
	}
	waiting = simulator->waiting[simulator->first++ % WAITING_MAX];
	waiting.handler(waiting.userdata, &reply);
	sim_control_reply_done(&reply);
	return 0;
}

static void cleanup_simulator(struct simulator **simulator)
{
	(void)simulator_free(*simulator);
}

int simulator_new(sd_event *event, struct kernel *sim, simulator_lost lost, void *userdata,
		  struct simulator **ret_simulator)
{
	cleanup(cleanup_simulator) struct simulator *simulator = calloc(1, sizeof(*simulator));
	int r;

	if (!simulator) {
		return -ENOMEM;
	}
	simulator->connection = -1;
	simulator->lost = lost;
	simulator->userdata = userdata;
	r = sim_connection_new(sim, &simulator->connection);
	if (r < 0) {
		return r;
	}
	if (fcntl(simulator->connection, F_SETFL, O_NONBLOCK) < 0) {
		return -errno;
	}
	r = sd_event_add_io(event, &simulator->source, simulator->connection, EPOLLIN, handle_reply,
			    simulator);
	if (r < 0) {
		return r;
	}
	*ret_simulator = steal_pointer(simulator);
	return 0;
}

static void fail_waiting(struct simulator *simulator)
{
	struct sim_control_reply reply = SIM_CONTROL_REPLY_NONE;

	reply.code = ERROR_KERNEL;
	(void)snprintf(reply.text, sizeof(reply.text), "the simulated host is gone");
	while (simulator->first != simulator->next) {
		struct waiting waiting = simulator->waiting[simulator->first++ % WAITING_MAX];

		waiting.handler(waiting.userdata, &reply);
	}
}

struct simulator *simulator_free(struct simulator *simulator)
{
	if (simulator) {
		simulator->source = sd_event_source_disable_unref(simulator->source);
		simulator->connection = fd_close(simulator->connection);
		fail_waiting(simulator);
		free(simulator);
	}
	return NULL;
}

static int refuse_when_full(const struct simulator *simulator, struct error *error)
{
	if (simulator->next - simulator->first < WAITING_MAX) {
		return 0;
	}
	return error_set(error, ERROR_BUSY, 0, "%d verbs wait for the simulated host", WAITING_MAX);
}

/* What follows each send: r is its result. */
static int wait_for_reply(struct simulator *simulator, enum sim_request_type type, int r,
			  simulator_handler handler, void *userdata, struct error *error)
{
	if (r < 0) {
		return error_set(error, r == -EAGAIN ? ERROR_BUSY : ERROR_KERNEL, -r,
				 "can't ask the simulated host");
	}
	simulator->waiting[simulator->next++ % WAITING_MAX] =
		(struct waiting){.type = type, .handler = handler, .userdata = userdata};
	return 0;
}

int simulator_dma_read(struct simulator *simulator, const char *device, uint64_t iova,
		       uint32_t size, simulator_handler handler, void *userdata,
		       struct error *error)
{
	int r = refuse_when_full(simulator, error);

	return r ? r
		 : wait_for_reply(simulator, SIM_DMA_READ,
				  sim_control_dma_read(simulator->connection, simulator->next,
						       device, iova, size),
				  handler, userdata, error);
}

int simulator_dma_write(struct simulator *simulator, const char *device, uint64_t iova,
			const void *data, uint32_t size, simulator_handler handler, void *userdata,
			struct error *error)
{
	int r = refuse_when_full(simulator, error);

	return r ? r
		 : wait_for_reply(simulator, SIM_DMA_WRITE,
				  sim_control_dma_write(simulator->connection, simulator->next,
							device, iova, data, size),
				  handler, userdata, error);
}

int simulator_statistics(struct simulator *simulator, simulator_handler handler, void *userdata,
			 struct error *error)
{
	int r = refuse_when_full(simulator, error);

	return r ? r
		 : wait_for_reply(simulator, SIM_STATISTICS,
				  sim_control_statistics(simulator->connection, simulator->next),
				  handler, userdata, error);
}

int simulator_fail_next(struct simulator *simulator, const char *operation, uint32_t skip,
			int32_t errnum, simulator_handler handler, void *userdata,
			struct error *error)
{
	int r = refuse_when_full(simulator, error);

	return r ? r
		 : wait_for_reply(simulator, SIM_FAIL_NEXT,
				  sim_control_fail_next(simulator->connection, simulator->next,
							operation, skip, errnum),
				  handler, userdata, error);
}

int simulator_delay(struct simulator *simulator, const char *operation, uint32_t milliseconds,
		    simulator_handler handler, void *userdata, struct error *error)
{
	int r = refuse_when_full(simulator, error);

	return r ? r
		 : wait_for_reply(simulator, SIM_DELAY,
				  sim_control_delay(simulator->connection, simulator->next,
						    operation, milliseconds),
				  handler, userdata, error);
}

int simulator_add_rule(struct simulator *simulator, const struct sim_rule *rule,
		       simulator_handler handler, void *userdata, struct error *error)
{
	int r = refuse_when_full(simulator, error);

	return r ? r
		 : wait_for_reply(
			   simulator, SIM_ADD_RULE,
			   sim_control_add_rule(simulator->connection, simulator->next, rule),
			   handler, userdata, error);
}

int simulator_remove_rule(struct simulator *simulator, uint32_t rule, simulator_handler handler,
			  void *userdata, struct error *error)
{
	int r = refuse_when_full(simulator, error);

	return r ? r
		 : wait_for_reply(
			   simulator, SIM_REMOVE_RULE,
			   sim_control_remove_rule(simulator->connection, simulator->next, rule),
			   handler, userdata, error);
}

int simulator_clear_rules(struct simulator *simulator, simulator_handler handler, void *userdata,
			  struct error *error)
{
	int r = refuse_when_full(simulator, error);

	return r ? r
		 : wait_for_reply(simulator, SIM_CLEAR_RULES,
				  sim_control_clear_rules(simulator->connection, simulator->next),
				  handler, userdata, error);
}

int simulator_list_rules(struct simulator *simulator, simulator_handler handler, void *userdata,
			 struct error *error)
{
	int r = refuse_when_full(simulator, error);

	return r ? r
		 : wait_for_reply(simulator, SIM_LIST_RULES,
				  sim_control_list_rules(simulator->connection, simulator->next),
				  handler, userdata, error);
}

int simulator_freeze(struct simulator *simulator, uint32_t group, uint32_t what,
		     simulator_handler handler, void *userdata, struct error *error)
{
	int r = refuse_when_full(simulator, error);

	return r ? r
		 : wait_for_reply(
			   simulator, SIM_FREEZE,
			   sim_control_freeze(simulator->connection, simulator->next, group, what),
			   handler, userdata, error);
}

int simulator_unplug(struct simulator *simulator, const char *device, simulator_handler handler,
		     void *userdata, struct error *error)
{
	int r = refuse_when_full(simulator, error);

	return r ? r
		 : wait_for_reply(
			   simulator, SIM_UNPLUG,
			   sim_control_unplug(simulator->connection, simulator->next, device),
			   handler, userdata, error);
}

int simulator_plug(struct simulator *simulator, const char *device, simulator_handler handler,
		   void *userdata, struct error *error)
{
	int r = refuse_when_full(simulator, error);

	return r ? r
		 : wait_for_reply(simulator, SIM_PLUG,
				  sim_control_plug(simulator->connection, simulator->next, device),
				  handler, userdata, error);
}

int simulator_dump(struct simulator *simulator, uint32_t group, uint64_t from, uint32_t most,
		   simulator_handler handler, void *userdata, struct error *error)
{
	int r = refuse_when_full(simulator, error);

	return r ? r
		 : wait_for_reply(simulator, SIM_DUMP,
				  sim_control_dump(simulator->connection, simulator->next, group,
						   from, most),
				  handler, userdata, error);
}
