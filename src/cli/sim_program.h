/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whether a library can be put into a program: what `spaprctl sim exec` looks at before it runs
 * one. */
#pragma once

#include <limits.h>
#include <stddef.h>

/* Find a program as execvp(3) does. 0 or -errno. */
int sim_program_find(const char *name, char ret_path[static PATH_MAX]);

/* NULL when the dynamic linker will take the library into it; or why not, in text. A script is what
 * its interpreter is. */
const char *sim_program_check(const char *path, char *text, size_t size);
