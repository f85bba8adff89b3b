/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The kernel of a simulated host, as VFIO shows it: no sockets here, and no files but the memory of
 * devices' registers and programs' eventfds; only what the nodes do and what they hold. The pieces
 * are containers and groups (sim/container.h) with an IOMMU backend (sim/iommu.h) of TCEs
 * (sim/tce.h) or type1 (sim/type1.h), devices (sim/device.h), EEH (sim/eeh.h), KVM (sim/kvm.h), and
 * processes' memory (sim/mm.h).
 *
 * Drivers are bound and unbound by sim/binding.h.
 *
 * Not modelled: node permissions. A TCE table's memory never runs out by fragmentation.
 *
 * One thread at a time.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "sim/argument.h"
#include "sim/container.h"
#include "sim/control.h"
#include "sim/host.h"
#include "sim/ioctls.h"
#include "sim/mm.h"

struct sim_model {
	const struct sim_host *host;
	struct sim_container *containers;
	struct sim_group *groups; /* by number, as many as the host has PEs */
	struct sim_mm *mms;
	struct sim_lpar *lpars; /* the windows of an LPAR's PHBs, by index; NULL elsewhere */
	struct sim_function *
		*functions; /* by the index of the host's device, NULL while unplugged */
	uint64_t damage;
	struct sim_faults *faults; /* whoever owns the model may set it: rules about steps */
	uint64_t uevent_sequence;  /* number of the last uevent */
	/* Whoever owns the model may set these: to be told of each uevent, and, before that, of a
	 * device of the host that was plugged in or unplugged. */
	void (*emit)(void *userdata, const char *uevent, size_t size);
	void (*changed)(void *userdata, size_t device, bool present);
	/* The same for a device's driver ("" when it has none any more), and its driver_override.
	 */
	void (*driver_changed)(void *userdata, size_t device, const char *driver);
	void (*override_changed)(void *userdata, size_t device, const char *override);
	/* The same for a PE whose state is another than before (sim_eeh_sysfs_state). */
	void (*pe_changed)(void *userdata, uint32_t group);
	void *userdata;
};

/* What is opened, instead of a path in /dev, to listen to uevents. */
#define SIM_NODE_PATH_UEVENTS "uevents"

/* The host must outlive the model. 0 or -errno. */
int sim_model_new(const struct sim_host *host, struct sim_model **ret_model);

/* All nodes must be closed and all mms unreferenced. Takes NULL, returns NULL. */
struct sim_model *sim_model_free(struct sim_model *model);

/* Open a node by its path. 0; -ENOENT: there is no such node, as for a group none of whose devices
 * is bound to vfio-pci; -EBUSY: the group is open. */
int sim_model_open(struct sim_model *model, const char *path, struct sim_node *ret_node);

void sim_node_close(struct sim_node node);

int sim_node_ioctl(struct sim_node node, const struct sim_caller *caller, unsigned long request,
		   struct sim_argument *argument);

/* A process appears; the caller holds the reference. NULL when memory is out. */
struct sim_mm *sim_model_mm_new(struct sim_model *model);

/* What a rule says about a step inside of a call (sim/faults.h): a negative errno or a positive
 * result; 0: it goes as ever. */
int sim_model_take_step(const struct sim_model *model, const char *step);

/* Fill all but connections. caller may be NULL. */
void sim_model_statistics(const struct sim_model *model, const struct sim_mm *caller,
			  struct sim_statistics *ret_statistics);

/*
 * DMA by a device, TCE by TCE through the tables of its group's container. data is what the device
 * writes, or where that what it reads goes. 0 or a code with the error filled; what lies before a
 * fault has moved.
 */
int sim_model_dma_read(struct sim_model *model, const char *device, uint64_t iova, void *data,
		       uint32_t size, struct error *error);
int sim_model_dma_write(struct sim_model *model, const char *device, uint64_t iova,
			const void *data, uint32_t size, struct error *error);

/* What the tables of a group's container hold, from IOVA `from` on, at most `most` entries; nothing
 * where there is none. 0, or ERROR_NOT_FOUND with the error filled. */
int sim_model_dump(const struct sim_model *model, uint32_t number, uint64_t from, uint32_t most,
		   struct sim_dump *ret_dump, struct error *error);
