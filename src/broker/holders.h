/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Telling who keeps a group's node busy, which only root can see: so the helper looks. */
#pragma once

#include "broker/worker_process.h"
#include "common/error.h"

struct group;
struct manager;

/*
 * Answer a request that failed since a group's node is open elsewhere, with the names of those who
 * have it behind the error's text; the handler is called once, later. 0, or the error's code when
 * nobody can be asked: then the error is to be told as it is, and the handler is not called.
 */
int holders_explain(struct manager *manager, struct group *group, const struct error *error,
		    worker_answer_handler handler, void *userdata);
