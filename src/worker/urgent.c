/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "worker/urgent.h"

#include <signal.h>
#include <stdatomic.h>

#include "common/worker_protocol.h"

static atomic_bool urgent;

static void handle_signal(int number)
{
	(void)number;
	atomic_store(&urgent, true);
}

void urgent_watch(void)
{
	/* No system call fails for it: it is noticed where somebody looks. */
	struct sigaction action = {.sa_handler = handle_signal, .sa_flags = SA_RESTART};

	(void)sigaction(WORKER_URGENT_SIGNAL, &action, NULL);
}

bool urgent_is_set(void)
{
	return atomic_load(&urgent);
}
