/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What becomes of a group at this moment, in few words. */
#pragma once

#include "cli/model.h"

struct group_use {
	char text[160];
	const char *colour; /* as libsmartcols names it, or NULL */
};

/* "space 1", "space 1, stopped, recovery idle", "not viable: e1000e", "free", "needs vfio-pci",
 * "quarantine: 0001:01:00.0: …". */
struct group_use group_use_describe(const struct model *model, const struct model_group *group);
