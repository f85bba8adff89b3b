/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the handles of libspapr are made of, and how its errors become those of <spapr/spapr.h>. */
#pragma once

#include <spapr/spapr.h>
#include <sys/types.h>

#include "common/error.h"
#include "host/kernel.h"
#include "spapr/kvm.h"
#include "vfio/space.h"

struct device;

struct spapr_host {
	struct kernel *kernel; /* owned */
};

struct spapr_kvm {
	struct spapr_host *host;
	struct kvm_device *device; /* owned */
};

struct spapr_device {
	struct spapr_device *next; /* of the space's */
	struct spapr_space *space;
	uint32_t group;
	struct device *device; /* the engine's: its group owns it */
};

struct spapr_space {
	struct spapr_host *host;
	pid_t process;         /* that made it */
	struct space *space;   /* owned */
	struct spapr_kvm *kvm; /* not owned; NULL: none */
	struct kvm_link link;  /* its groups and tables */
	bool swaps;            /* the first window takes the default one's place */
	bool keeps;            /* groups, though it was closed */
	uint32_t last_container;
	struct spapr_device *devices; /* owned */
};

/* A host of any kernel, which is taken if that succeeds. 0 or -ENOMEM. For tests. */
int spapr_host_new(struct kernel *kernel, struct spapr_host **ret_host);

/* Hand an outcome of the engine's on: 0, or the code with the error copied if there is room. */
int spapr_finish(int code, const struct error *error, struct spapr_error *ret_error);

/* The group in its container; NULL when it is not attached. */
struct group *spapr_find_group(const struct spapr_space *space, uint32_t group,
			       struct container **ret_container);

/* The space's groups as KVM needs them, those of all containers; owned by the caller. ERROR_KERNEL:
 * no memory. */
int spapr_list_groups(const struct spapr_space *space, struct kvm_group **ret_groups,
		      unsigned int *ret_count, struct error *error);

/* Free the handles of devices that the engine has closed, or all. */
void spapr_forget_devices(struct spapr_space *space, bool all);

/* KVM (kvm.c): nothing happens where the space has no VM. */

/* A group has been attached, or is going to be detached, or has not been after all. */
int spapr_kvm_add_group(struct spapr_space *space, uint32_t group, struct error *error);
int spapr_kvm_remove_group(struct spapr_space *space, uint32_t group, struct error *error);

/* No group has windows any more: forget their tables. */
void spapr_kvm_forget_tables(struct spapr_space *space);

/* All groups, before the space goes. */
void spapr_kvm_leave(struct spapr_space *space);

/* Remove a window, its table first; as space_window_remove. */
int spapr_kvm_remove_window(struct spapr_space *space, uint64_t start, struct error *error);

/* Refuse to have a default window replaced that has a table. ERROR_BUSY */
int spapr_kvm_check_replace(const struct spapr_space *space, struct error *error);
