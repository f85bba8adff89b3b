/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The eventfds that programs give to a simulated device, for its interrupts and for their masking.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "sim/argument.h"

/*
 * Take the eventfd that a field of an argument names, as eventfd_ctx_fdget does. 0; -EBADF: no open
 * fd; -EINVAL: it is no eventfd. With 0 *ret_fd is the caller's, to be closed.
 */
int sim_event_take(struct sim_argument *argument, int32_t index, int *ret_fd);

/* Add one to its count. A full count stays as it is, and -1 is nobody's. */
void sim_event_signal(int fd);

/* Set its count to 0. Returns whether it was more. */
bool sim_event_consume(int fd);
