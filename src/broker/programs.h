/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where the other programs of this package are. */
#pragma once

#include <limits.h>

/*
 * The path of a program: what the environment variable says, else the one beside the running
 * program. 0 or -errno: ENOENT or EACCES when it can't be executed.
 */
int program_find(const char *name, const char *variable, char ret_path[static PATH_MAX]);
