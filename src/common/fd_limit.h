/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How many fds this process may have, and which part of them is kept back.
 *
 * A message with fds that there is no room for costs libdbus its connection, and so would end all
 * address spaces. What clients can make the broker hold stays below the limit by a reserve that
 * such messages always find.
 */
#pragma once

#include <stdbool.h>

/* More than the broker ever needs, so that the fds of 1024 address spaces fit. */
#define FD_LIMIT_WANTED 65536

/* Raise the soft limit as far as the hard one and FD_LIMIT_WANTED allow. 0 or -errno. */
int fd_limit_raise(void);

/* The fds that are kept back: an eighth of the limit, more of a low one, half of a very low one. */
unsigned int fd_limit_reserve(void);

/*
 * Whether an fd that was just opened leaves the reserve alone. The kernel hands out the lowest
 * number that is free, so a number near the limit tells that hardly any are.
 */
bool fd_limit_allows(int fd);
