/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The kernel's messages about devices that come and go (kobject_uevent_env, pci_uevent). */
#pragma once

#include "sim/function.h"

enum sim_uevent {
	SIM_UEVENT_ADD,
	SIM_UEVENT_REMOVE,
	SIM_UEVENT_BIND,
	SIM_UEVENT_UNBIND,
};

/* About the PCI function itself. */
void sim_uevent_emit_pci(const struct sim_function *function, enum sim_uevent action);

/* About its device in the class vfio-dev, "vfio0". */
void sim_uevent_emit_vfio_device(const struct sim_function *function, enum sim_uevent action);

/* About a group's node in the class vfio. */
void sim_uevent_emit_group(const struct sim_group *group, enum sim_uevent action);
