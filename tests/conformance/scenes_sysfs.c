/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What /sys and /dev show, where management programs look. */
#include "scenes.h"

#define DEVICE       "/sys/bus/pci/devices/"
#define GROUP_OF(id) "/sys/kernel/iommu_groups/" id

#define OF_DEVICE(role)                                                                        \
	{role ": driver", READ_LINK, {.name = DEVICE "{" role "}/driver"}},                    \
		{role ": group", READ_LINK, {.name = DEVICE "{" role "}/iommu_group"}},        \
		{role ": subsystem", READ_LINK, {.name = DEVICE "{" role "}/subsystem"}},      \
		{role ": place", READ_LINK, {.name = "/sys/bus/pci/devices/{" role "}"}},      \
		{role ": vendor", READ_FILE, {.name = DEVICE "{" role "}/vendor"}},            \
		{role ": device", READ_FILE, {.name = DEVICE "{" role "}/device"}},            \
		{role ": class", READ_FILE, {.name = DEVICE "{" role "}/class"}},              \
		{role ": revision", READ_FILE, {.name = DEVICE "{" role "}/revision"}},        \
		{role ": subsystem vendor",                                                    \
		 READ_FILE,                                                                    \
		 {.name = DEVICE "{" role "}/subsystem_vendor"}},                              \
		{role ": subsystem device",                                                    \
		 READ_FILE,                                                                    \
		 {.name = DEVICE "{" role "}/subsystem_device"}},                              \
		{role ": override", READ_FILE, {.name = DEVICE "{" role "}/driver_override"}}, \
		{role ": resource", READ_FILE, {.name = DEVICE "{" role "}/resource"}},        \
		{role ": node of the group", IS_THERE, {.name = "/dev/vfio/{" role "#}"}},     \
		{role ": group's name", READ_FILE, {.name = GROUP_OF("{" role "#}/name")}},    \
		{role ": group's type", READ_FILE, {.name = GROUP_OF("{" role "#}/type")}},    \
		{role ": group's devices", LIST, {.name = GROUP_OF("{" role "#}/devices")}},   \
		{role ": group's reserved regions",                                            \
		 READ_FILE,                                                                    \
		 {.name = GROUP_OF("{" role "#}/reserved_regions")}},                          \
		{role ": vfio class", IS_THERE, {.name = "/sys/class/vfio/{" role "#}"}},      \
	{                                                                                      \
		role ": vfio class number", READ_FILE,                                         \
		{                                                                              \
			.name = "/sys/class/vfio/{" role "#}/dev"                              \
		}                                                                              \
	}

static const struct question sysfs_devices[] = {
	OF_DEVICE("edu"),
	OF_DEVICE("nic"),
	OF_DEVICE("edu 2"),
	OF_DEVICE("not viable"),
	OF_DEVICE("no node"),
	{"sibling: driver", READ_LINK, {.name = DEVICE "{sibling}/driver"}},
	{"sibling: group", READ_LINK, {.name = DEVICE "{sibling}/iommu_group"}},
	{"no such device", READ_LINK, {.name = DEVICE "0009:01:00.0/driver"}},
};

static const struct question sysfs_host[] = {
	{"nodes", LIST, {.name = "/dev/vfio"}},
	{"the container's node", IS_THERE, {.name = "/dev/vfio/vfio"}},
	{"groups", LIST, {.name = "/sys/kernel/iommu_groups"}},
	{"vfio class", LIST, {.name = "/sys/class/vfio"}},
	{"vfio-pci", IS_THERE, {.name = "/sys/bus/pci/drivers/vfio-pci"}},
	{"PCI devices", LIST, {.name = "/sys/bus/pci/devices"}},
	{"hypervisor's machine", IS_THERE, {.name = "/proc/device-tree"}},
	{"machine", READ_FILE, {.name = "/proc/device-tree/compatible"}},
	{"model", READ_FILE, {.name = "/proc/device-tree/model"}},
	{"devices of vfio", IS_THERE, {.name = "/dev/vfio/devices"}},
	{"KVM", IS_THERE, {.name = "/dev/kvm"}},
};

const struct scene_table SCENES_OF(sysfs)[] = {
	SCENE(sysfs_devices),
	SCENE(sysfs_host),
	SCENES_END,
};
