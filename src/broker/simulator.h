/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The verbs of the simulated host (sim/control.h) on the broker's event loop: each returns at once,
 * and its handler is called once with the reply.
 */
#pragma once

#include <stdint.h>
#include <systemd/sd-event.h>

#include "common/error.h"
#include "host/kernel.h"
#include "sim/control.h"

struct simulator;

typedef void (*simulator_handler)(void *userdata, const struct sim_control_reply *reply);

/* Called when the simulated host is gone; nothing works any more then. */
typedef void (*simulator_lost)(void *userdata);

/* A connection of its own to the host behind the kernel. 0 or -errno. */
int simulator_new(sd_event *event, struct kernel *sim, simulator_lost lost, void *userdata,
		  struct simulator **ret_simulator);

/* What waits is answered with ERROR_KERNEL. Takes NULL, returns NULL. */
struct simulator *simulator_free(struct simulator *simulator);

/* 0, or a code (ERROR_BUSY when too much is waiting, ERROR_KERNEL) and the handler is not called.
 */
int simulator_dma_read(struct simulator *simulator, const char *device, uint64_t iova,
		       uint32_t size, simulator_handler handler, void *userdata,
		       struct error *error);
int simulator_dma_write(struct simulator *simulator, const char *device, uint64_t iova,
			const void *data, uint32_t size, simulator_handler handler, void *userdata,
			struct error *error);
int simulator_statistics(struct simulator *simulator, simulator_handler handler, void *userdata,
			 struct error *error);
int simulator_fail_next(struct simulator *simulator, const char *operation, uint32_t skip,
			int32_t errnum, simulator_handler handler, void *userdata,
			struct error *error);
int simulator_delay(struct simulator *simulator, const char *operation, uint32_t milliseconds,
		    simulator_handler handler, void *userdata, struct error *error);

/* The same with rules: the reply has the id of the one that was added, or the list. */
int simulator_add_rule(struct simulator *simulator, const struct sim_rule *rule,
		       simulator_handler handler, void *userdata, struct error *error);
int simulator_remove_rule(struct simulator *simulator, uint32_t rule, simulator_handler handler,
			  void *userdata, struct error *error);
int simulator_clear_rules(struct simulator *simulator, simulator_handler handler, void *userdata,
			  struct error *error);
int simulator_list_rules(struct simulator *simulator, simulator_handler handler, void *userdata,
			 struct error *error);

/* what is an enum sim_freeze (sim/eeh.h). */
int simulator_freeze(struct simulator *simulator, uint32_t group, uint32_t what,
		     simulator_handler handler, void *userdata, struct error *error);
int simulator_unplug(struct simulator *simulator, const char *device, simulator_handler handler,
		     void *userdata, struct error *error);
int simulator_plug(struct simulator *simulator, const char *device, simulator_handler handler,
		   void *userdata, struct error *error);

/* The reply has the dump. */
int simulator_dump(struct simulator *simulator, uint32_t group, uint64_t from, uint32_t most,
		   simulator_handler handler, void *userdata, struct error *error);
