/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Groups that are kept though their address space is closed, since a device of theirs could not be
 * stopped: a group that nobody has may do DMA to all memory (pnv_ioda2_release_ownership, field
 * note H40). The worker lives on as their keeper, with nothing but the groups, and lets one go when
 * an operator says so. No address space can have it until then.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "broker/worker_process.h"
#include "common/error.h"

struct group;
struct keeper;
struct manager;
struct space;

/* Whether what a worker says it keeps is groups of the space, each once. */
bool quarantine_is_sound(const struct space *space, const struct worker_kept *kept, size_t count);

/* Take over the worker of a space that is closed, with the groups that it keeps. 0 or -ENOMEM, and
 * then the worker is still the space's. */
int quarantine_take(struct space *space, const struct worker_kept *kept, size_t count);

/* Why a group is in quarantine, "DEVICE: WHY"; NULL: it isn't. */
const char *quarantine_reason(const struct manager *manager, const struct group *group);

/* ERROR_QUARANTINED with the reason and what to do. */
int quarantine_check(const struct manager *manager, const struct group *group, struct error *error);

/*
 * Have the keeper try again to stop the group's devices, and let it go; or let it go anyway. The
 * handler is called once, later. 0, or a code and it is not called: ERROR_NOT_FOUND (it is in no
 * quarantine), ERROR_BUSY (it is being released). The answer: ERROR_QUARANTINED (still not).
 */
int quarantine_release(struct manager *manager, struct group *group, bool anyway,
		       worker_answer_handler handler, void *userdata, struct error *error);

/* Leave the keepers to themselves: they try for a while to stop what they keep. */
void quarantine_forget_all(struct manager *manager);
