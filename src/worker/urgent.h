/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The broker's word that WORKER_CLOSE is on its way, behind whatever else waits in the socket
 * (WORKER_URGENT_SIGNAL). It holds until the end: nothing that comes before WORKER_CLOSE is begun
 * any more, and so it can't cancel anything that it wasn't meant for.
 */
#pragma once

#include <stdbool.h>

/* From now on, take notice of the signal. For the thread that runs the loop. */
void urgent_watch(void);

/* Whether it came. For any thread. */
bool urgent_is_set(void);
