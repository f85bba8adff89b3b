/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the simulated host holds, for eyes and for programs. */
#pragma once

#include <stdio.h>

#include "cli/sim_remote.h"
#include "cli/terminal.h"

/* Tables. 0 or -errno. */
int sim_show_rules(FILE *file, const struct terminal *terminal,
		   const struct sim_remote_rules *rules);
int sim_show_tces(FILE *file, const struct terminal *terminal, uint32_t group,
		  const struct sim_remote_tces *tces);
int sim_show_counters(FILE *file, const struct terminal *terminal,
		      const struct sim_remote_counters *counters);

/* The same as one JSON object, or for rules an array. */
void sim_show_rules_json(FILE *file, const struct sim_remote_rules *rules);
void sim_show_tces_json(FILE *file, uint32_t group, const struct sim_remote_tces *tces);
void sim_show_counters_json(FILE *file, const struct sim_remote_counters *counters);
