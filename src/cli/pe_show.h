/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* PEs and their events, for eyes and for programs. */
#pragma once

#include <stdio.h>

#include "cli/model.h"
#include "cli/pe_events.h"
#include "cli/terminal.h"

/* A table of the groups that have a PE. 0 or -errno. */
int pe_show_list(FILE *file, const struct terminal *terminal, const struct model *model);
void pe_show_list_json(FILE *file, const struct model *model);

/* Each event as a story; with the registers as dumps, or without. */
void pe_show_events(FILE *file, const struct terminal *terminal, const struct pe_events *events,
		    bool registers);
/* All there is, as one array. */
void pe_show_events_json(FILE *file, const struct pe_events *events);
