/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The IOMMU backend of a container: what VFIO_SET_IOMMU gives it. Two implementations: sPAPR TCE v1
 * and v2 (sim/tce.h), and type1 and type1v2 (sim/type1.h).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "sim/argument.h"
#include "sim/control.h"

struct sim_iommu;

/* What lies behind an IOVA for a device. */
struct sim_translation {
	const struct sim_region *region;
	uint64_t ua;   /* in the region */
	uint64_t size; /* bytes from there on that are translated alike */
	bool readable; /* by the device */
	bool writable;
};

struct sim_iommu_operations {
	/* A group joins; the container has it in its list already. 0 or -errno: then it doesn't. */
	int (*attach)(struct sim_iommu *iommu, struct sim_group *group);
	/* A group goes; the container doesn't have it any more. */
	void (*detach)(struct sim_iommu *iommu, struct sim_group *group);
	/* An ioctl that VFIO itself doesn't know, with its return value. */
	int (*ioctl)(struct sim_iommu *iommu, const struct sim_caller *caller,
		     unsigned long request, struct sim_argument *argument);
	/* NULL, or in plain words what is missing ("the address lies in no window"). */
	const char *(*translate)(const struct sim_iommu *iommu, uint64_t iova,
				 struct sim_translation *ret_translation);
	/* Add what is in use. */
	void (*count)(const struct sim_iommu *iommu, struct sim_statistics *statistics);
	/* Append windows and mappings, from IOVA `from` on, to a dump. */
	void (*dump)(const struct sim_iommu *iommu, uint64_t from, struct sim_dump *dump);
	/* The last group is gone: let go of everything. */
	void (*free)(struct sim_iommu *iommu);
};

/* The first member of an implementation. */
struct sim_iommu {
	const struct sim_iommu_operations *operations;
	struct sim_container *container;
	uint64_t type; /* VFIO_SPAPR_TCE_IOMMU … */
};
