/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The sysfs tree of a simulated host: real files in a private directory, with the formats and the
 * relative links of the real ones. It is a picture of the host at its start.
 */
#pragma once

#include "sim/host.h"

/* Make the tree below $XDG_RUNTIME_DIR or /tmp and return the path of its root, which stands for
 * /sys; the caller frees it. 0 or -errno; on failure nothing is left behind. */
int sim_sysfs_new(const struct sim_host *host, char **ret_root);

/* Remove the tree and free root. Takes NULL, returns NULL. */
char *sim_sysfs_free(char *root);
