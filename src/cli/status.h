/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What `spaprctl status` shows of a model. */
#pragma once

#include <stdio.h>

#include "cli/model.h"
#include "cli/terminal.h"

/* For eyes. 0 or -errno. */
int status_print_text(FILE *file, const struct terminal *terminal, const struct model *model);

/*
 * For programs: one JSON object with everything there is. Sizes, counts and numbers are numbers;
 * addresses and offsets in files are strings "0x…", since many readers keep numbers in 53 bits;
 * what is unknown or not there is null.
 */
void status_print_json(FILE *file, const struct model *model);
