/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/kvm.h"

#include <errno.h>

int sim_kvm_open(struct sim_node *ret_node)
{
	(void)ret_node;
	return -ENOENT;
}

int sim_kvm_ioctl(struct sim_node node, const struct sim_caller *caller, unsigned long request,
		  struct sim_argument *argument)
{
	(void)node;
	(void)caller;
	(void)request;
	(void)argument;
	return -ENOTTY;
}

void sim_kvm_close(struct sim_node node)
{
	(void)node;
}
