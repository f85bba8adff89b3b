/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "broker/holders.h"

#include <inttypes.h>
#include <stdlib.h>

#include "broker/bind.h"
#include "broker/manager.h"
#include "common/names.h"

struct explanation {
	struct group *group;
	struct error error;
	worker_answer_handler handler;
	void *userdata;
};

static void handle_holders(void *userdata, const struct error *error,
			   const struct bind_answer *answer)
{
	struct explanation *explanation = userdata;
	struct worker_answer told = {.error = explanation->error};

	if (error->code == ERROR_NONE && answer) {
		for (uint32_t i = 0; i < answer->holder_count; i++) {
			error_append(&told.error,
				     "; process %d (%s) has " NODE_GROUP_PREFIX "%" PRIu32 " open",
				     (int)answer->holders[i].pid, answer->holders[i].name,
				     explanation->group->host->id);
		}
		if (answer->holder_count == 0) {
			error_append(&told.error, "; no process has the node itself open any more, "
						  "but one may have a device of it");
		}
	}
	explanation->handler(explanation->userdata, &told);
	free(explanation);
}

int holders_explain(struct manager *manager, struct group *group, const struct error *error,
		    worker_answer_handler handler, void *userdata)
{
	const struct binding_order order = {.operation = BIND_HOLDERS};
	struct explanation *explanation = malloc(sizeof(*explanation));
	struct error ignored;

	if (!explanation) {
		return (int)error->code;
	}
	*explanation = (struct explanation){
		.group = group,
		.error = *error,
		.handler = handler,
		.userdata = userdata,
	};
	if (binding_begin(manager, group, &order, handle_holders, explanation, &ignored)) {
		free(explanation);
		return (int)error->code;
	}
	return 0;
}
