/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files of the TCE backend share: sim/tce.c (ioctls), tce_window.c (windows and groups),
 * tce_memory.c (registered memory) and tce_map.c (mappings). Included by them only. */
#pragma once

#include <linux/vfio.h>
#include <stdbool.h>
#include <stdint.h>

#include "sim/container.h"
#include "sim/mm.h"
#include "sim/table.h"
#include "sim/tce.h"

/* Memory that this container registered. */
struct registration {
	struct registration *next;
	struct sim_region *region;
};

struct tce {
	struct sim_iommu iommu;
	unsigned int page_shift; /* of the host */
	bool v2;
	bool kills_each;   /* a TCE that is cleared costs a write to the PHB, mapped or not (H32) */
	uint64_t *damage;  /* the model's counter */
	struct sim_mm *mm; /* NULL until bound */
	unsigned int groups; /* that are attached */
	bool enabled;
	uint64_t enabled_pages; /* v1: what ENABLE charged */
	bool default_pending;
	struct sim_table *tables[SIM_WINDOWS];
	struct registration *registrations;
	uint64_t spent; /* nanoseconds that a kernel would spend in the call under way */
};

/* The milliseconds that were spent, once. */
uint32_t tce_take_spent(struct tce *tce);

/* windows */

/* The slot of the window that an address lies in, or -1; and its table, or NULL. */
int tce_find_slot(const struct tce *tce, uint64_t iova);
struct sim_table *tce_find_table(const struct tce *tce, uint64_t iova);

/* tce_iommu_create_window; and, when the default window is pending,
 * tce_iommu_create_default_window. 0 or -errno. */
int tce_create_window(struct tce *tce, const struct sim_caller *caller, struct sim_shape shape,
		      uint64_t *ret_start);
int tce_create_default(struct tce *tce, const struct sim_caller *caller);

void tce_remove_window(struct tce *tce, unsigned int slot);

/* What tce_iommu_release does about the windows once all groups are gone. */
void tce_free_windows(struct tce *tce);

int tce_attach(struct sim_iommu *iommu, struct sim_group *group);
void tce_detach(struct sim_iommu *iommu, struct sim_group *group);

/* registered memory */

int tce_register(struct tce *tce, const struct sim_caller *caller, uint64_t ua, uint64_t size,
		 struct sim_pieces *pieces);
int tce_unregister(struct tce *tce, uint64_t ua, uint64_t size);
void tce_free_registrations(struct tce *tce);

/* mappings */

/* The rest of MAP and UNMAP once the window is there. As the ioctl's result; SIM_NEEDS_MEMORY. */
int tce_map(struct tce *tce, struct sim_table *table, const struct vfio_iommu_type1_dma_map *map,
	    struct sim_pieces *pieces);
int tce_unmap(struct tce *tce, struct sim_table *table,
	      const struct vfio_iommu_type1_dma_unmap *unmap);

/* Empty a table as REMOVE and the detaching of a group do. */
void tce_clear_table(struct tce *tce, struct sim_table *table);

const char *tce_translate(const struct sim_iommu *iommu, uint64_t iova,
			  struct sim_translation *ret_translation);
void tce_dump(const struct sim_iommu *iommu, uint64_t from, struct sim_dump *dump);
