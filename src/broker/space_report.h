/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What an address space says by itself, without being asked. */
#pragma once

#include "broker/space.h"

/*
 * Look at the answer to WORKER_DETACH_GROUP: when the group's leaving cleared mappings of those
 * that stay, they were without them for a moment, and may have lost some for good. That is logged,
 * and the manager's observer hears of it, though the request went well.
 */
void space_report_detached(struct space *space, const struct group *group,
			   const struct worker_answer *answer);

/*
 * Look at what an answer goes on with behind its first `head` bytes, as those to WORKER_ADD_MEMORY
 * and WORKER_ATTACH_GROUP do: the sections that are skipped from now on. The manager's observer
 * hears of each; the worker has logged it. What makes no sense is passed over.
 */
void space_report_skipped(struct space *space, const void *answer, size_t size, size_t head);
