/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files of an address space share. */
#pragma once

#include "broker/space.h"

#define OBSERVE(space, event, ...) \
	(space)->manager->observer->event((space)->manager->observer_userdata, __VA_ARGS__)

/* Whether a worker may say that of itself: it can only have groups that it was given. */
bool space_description_is_sound(struct space *space, const struct worker_answer *answer);

/* Take a sound description over, and tell the observer what is different now. */
void space_learn_description(struct space *space, const struct worker_description *description);

/* Let go of the containers that are not kept, and of the groups that left those. */
void space_forget_containers(struct space *space, const struct worker_container *kept,
			     uint32_t kept_count);

/* The group is in the address space no more. Takes NULL, and groups of others. */
void space_release_group(struct space *space, struct group *group);
