/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The ioctls that the simulated host knows, and what each takes: the one table from which the
 * client copies arguments, the model dispatches and fault rules get their names.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum sim_node_kind {
	SIM_NODE_NONE = 0,
	SIM_NODE_CONTAINER, /* /dev/vfio/vfio */
	SIM_NODE_GROUP,     /* /dev/vfio/N */
	SIM_NODE_DEVICE,    /* of VFIO_GROUP_GET_DEVICE_FD */
	SIM_NODE_KVM,       /* /dev/kvm */
	SIM_NODE_KVM_VM,
	SIM_NODE_KVM_VFIO, /* the VFIO device of a VM */
	SIM_NODE_KVM_TCE,  /* of KVM_CREATE_SPAPR_TCE_64 */
	SIM_NODE_UEVENTS,  /* what a netlink socket of kobject uevents would tell */
};

enum sim_argument_kind {
	SIM_ARGUMENT_VALUE,  /* the argument itself is a number, or isn't looked at */
	SIM_ARGUMENT_STRUCT, /* it points to a structure of in_size bytes */
	SIM_ARGUMENT_SIZED,  /* it points to a structure that begins with argsz: as many bytes go in
				as  that says, at least in_size, at most SIM_ARGUMENT_MAX */
	SIM_ARGUMENT_FD,     /* it points to an int, the fd of another node */
	SIM_ARGUMENT_STRING,
};

struct sim_ioctl {
	enum sim_node_kind node;
	enum sim_argument_kind argument;
	unsigned long request;
	const char *name;
	size_t in_size;  /* of a structure: what the kernel reads, whatever argsz says */
	size_t out_size; /* the most that it writes back; of a sized one, argsz bytes are */
};

/* Longer strings are refused as the kernel does, with EINVAL. */
#define SIM_STRING_MAX 4096U

/* The most bytes of an argument, either way: VFIO_DEVICE_SET_IRQS with 2048 eventfds. */
#define SIM_ARGUMENT_MAX 16384U

/* The entry of a request on that kind of node, or NULL. */
const struct sim_ioctl *sim_ioctl_find(enum sim_node_kind node, unsigned long request);

/* operations, as rules name them: ioctls, and what VFIO_EEH_PE_OP is to do */

/* The most exact name of a call: of the ioctl, or, where its argument says more, of that
 * ("VFIO_EEH_PE_RESET_HOT"). data are the size bytes that came. Static. */
const char *sim_operation_name(const struct sim_ioctl *entry, const void *data, size_t size);

/* The ioctl that an operation is part of, "VFIO_EEH_PE_OP"; NULL for one that is an ioctl itself.
 */
const char *sim_operation_ioctl(const char *operation);

/* Whether it is one of either kind. */
bool sim_operation_is_known(const char *operation);

/* Whether two names are of one operation: some ioctls share their number, and so are called by
 * either name ("VFIO_IOMMU_DIRTY_PAGES" and "VFIO_IOMMU_SPAPR_REGISTER_MEMORY"). */
bool sim_operation_is_same(const char *a, const char *b);
