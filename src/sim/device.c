/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/device.h"

#include <errno.h>
#include <string.h>

#include "sim/model.h"

int sim_device_open(struct sim_group *group, const char *name, struct sim_argument *argument)
{
	const struct sim_host *host = group->model->host;
	int index = sim_host_find_device(host, name);

	(void)argument;
	/* The name is looked up first, among the devices that vfio-pci has. */
	if (index < 0 || host->devices[index].group != (int)group->number ||
	    strcmp(host->devices[index].driver, SIM_DRIVER_VFIO) != 0) {
		return -ENODEV;
	}
	if (!group->container || !group->container->iommu) {
		return -EINVAL;
	}
	/* Devices of this simulated host can't be opened. */
	return -EOPNOTSUPP;
}

int sim_device_ioctl(struct sim_device_file *file, const struct sim_caller *caller,
		     unsigned long request, struct sim_argument *argument)
{
	(void)file;
	(void)caller;
	(void)request;
	(void)argument;
	return -ENOTTY;
}

void sim_device_close(struct sim_device_file *file)
{
	(void)file;
}
