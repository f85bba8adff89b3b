/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/eeh.h"

#include <errno.h>

int sim_eeh_pe_op(struct sim_container *container, struct sim_argument *argument)
{
	(void)container;
	(void)argument;
	/* The PEs of this simulated host don't freeze. */
	return -EOPNOTSUPP;
}

void sim_eeh_handle_dma_fault(struct sim_group *group)
{
	(void)group;
}
