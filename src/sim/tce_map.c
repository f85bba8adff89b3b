/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <linux/vfio.h>
#include <sys/param.h>

#include "common/range.h"
#include "sim/faults.h"
#include "sim/lpar.h"
#include "sim/model.h"
#include "sim/tce_private.h"

/* What the kernel's boolean "or" of two checks makes of a misaligned IOVA (H1). */
#define MISALIGNED_IOVA 1

/* What H_PUT_TCE answers beyond a window's end. Like an errno it comes out as EINTR (H2). */
#define H_PARAMETER (-4)

/* What clearing costs a kernel, in nanoseconds; measured on emulated hosts with 2 GiB of 4 KiB TCEs
 * (LPAR: 1 GiB, two hypervisor calls for each TCE), 145 to 300 ms on powernv9. */
#define UNMAP_NANOS     280
#define CLEAR_NANOS     460  /* by REMOVE and when a group goes */
#define SKIP_NANOS      40   /* a leaf that isn't there */
#define KILL_NANOS      290  /* one write that invalidates a TCE */
#define HCALLS_NANOS    1080 /* the two of an LPAR */
#define REFUSAL_NANOS   2160 /* such a call beyond the window's end */
#define LPAR_MAP_NANOS  1950 /* of a page, with its two calls */
#define NANOS_PER_MILLI 1000000

#define INT_BITS 32 /* of the kernel */

/* Where consecutive TCEs point to: how many bytes of the region are known to be alike. */
struct backing {
	struct sim_region *region;
	uint64_t left;
};

static struct sim_lpar *lpar_of(const struct tce *tce)
{
	const struct sim_group *group = tce->iommu.container->groups;

	return group ? sim_lpar_of(group) : NULL;
}

static bool is_lpar(const struct tce *tce)
{
	return tce->iommu.container->model->host->platform == SIM_PSERIES;
}

uint32_t tce_take_spent(struct tce *tce)
{
	uint64_t millis = tce->spent / NANOS_PER_MILLI;

	tce->spent = 0;
	return (uint32_t)MIN(millis, UINT32_MAX);
}

/* clearing */

static void handle_tce_cleared(struct sim_tce tce)
{
	sim_region_unmap(tce.region);
}

/* tce_iommu_clear of entries that the table has. */
static void clear_entries(struct tce *tce, struct sim_table *table, uint64_t entry, uint64_t count,
			  uint64_t nanos)
{
	struct sim_walk walk = sim_table_clear(table, entry, count, handle_tce_cleared);

	if (is_lpar(tce)) {
		tce->spent += walk.entries * HCALLS_NANOS;
		return;
	}
	tce->spent += walk.entries * nanos + walk.skipped * SKIP_NANOS;
	/* All of the range, mapped or not: a large window is a soft lockup (H32). */
	if (tce->kills_each) {
		tce->spent += count * KILL_NANOS;
	}
}

/* tce_iommu_clear of any range that begins in the window; its end isn't checked (H5). */
static void unmap_entries(struct tce *tce, struct sim_table *table, uint64_t entry, uint64_t count)
{
	uint64_t inside = MIN(count, table->first + table->entries - entry);

	clear_entries(tce, table, entry, inside, UNMAP_NANOS);
	if (is_lpar(tce)) {
		/* The hypervisor refuses, and the kernel goes on with the next. */
		tce->spent += (count - inside) * REFUSAL_NANOS;
	} else {
		*tce->damage += count - inside;
	}
}

void tce_clear_table(struct tce *tce, struct sim_table *table)
{
	clear_entries(tce, table, table->first, table->entries, CLEAR_NANOS);
}

/* mapping */

/* tce_iommu_prereg_ua_to_hpa and tce_page_is_contained. */
static int find_registered(const struct tce *tce, const struct sim_table *table, uint64_t ua,
			   struct backing *backing)
{
	uint64_t page_size = UINT64_C(1) << table->page_shift;
	struct sim_region *region = sim_mm_lookup(tce->mm, ua, page_size);
	uint64_t size = 0;

	if (!region || table->page_shift > region->page_shift) {
		return -EINVAL; /* H20 */
	}
	if (table->page_shift > sim_region_page_shift_at(region, ua, &size)) {
		return -EPERM;
	}
	backing->region = region;
	backing->left = MIN(size, region->ua + (region->pages << tce->page_shift) - ua);
	return 0;
}

/* tce_iommu_use_page and tce_page_is_contained: v1 pins page by page, for writing (H15). */
static int find_pinned(const struct sim_table *table, uint64_t ua, struct backing *backing)
{
	unsigned int page_shift = sim_region_page_shift_at(backing->region, ua, &backing->left);

	if (backing->left == 0) {
		return -EFAULT;
	}
	return table->page_shift > page_shift ? -EPERM : 0;
}

/* Whether the hypervisor has a TCE beyond the kernel's table: the default window was asked for
 * smaller than it is. */
static bool firmware_has(const struct tce *tce, const struct sim_table *table, uint64_t entry)
{
	const struct sim_lpar *lpar = lpar_of(tce);

	return table->first == 0 && lpar && entry << table->page_shift < lpar->phb->dma32_size;
}

/* What an entry beyond the end of the table does. */
static int map_outside(struct tce *tce, const struct sim_table *table, uint64_t entry,
		       struct sim_region *region)
{
	if (!is_lpar(tce) || firmware_has(tce, table, entry)) {
		(*tce->damage)++; /* H5 */
		return 0;
	}
	if (tce->v2) {
		/* The count was taken already, and what is given back is the count of whatever
		 * lies behind the array of user addresses: this one stays (H12). */
		sim_region_map(region);
		(*tce->damage)++;
	}
	return H_PARAMETER;
}

/* The platform refuses a TCE: by a rule only, where the table has it. */
static int refuse_entry(const struct tce *tce, struct sim_region *region, int result)
{
	if (tce->v2) {
		/* The count was taken already, and what is given back is that of the TCE that was
		 * there before, if any (H12), whose count stays here: the hardware still has it. */
		sim_region_map(region);
	}
	return result;
}

static int map_entry(struct tce *tce, struct sim_table *table, uint64_t entry,
		     struct sim_tce new_tce)
{
	struct sim_tce old;
	int r = sim_model_take_step(tce->iommu.container->model, SIM_STEP_PUT_TCE);

	if (r != 0) {
		return refuse_entry(tce, new_tce.region, r);
	}
	if (!sim_table_contains(table, entry)) {
		return map_outside(tce, table, entry, new_tce.region);
	}
	r = sim_table_exchange(table, entry, new_tce, &old);
	if (r < 0) {
		return r;
	}
	sim_region_map(new_tce.region);
	/* A mapping that was there is replaced without a word (H9). */
	if (old.region) {
		sim_region_unmap(old.region);
	}
	return 0;
}

/* What a MAP takes where that was seen; without a rest in between (H8). */
static void spend_map(struct tce *tce, uint64_t count)
{
	if (is_lpar(tce)) {
		tce->spent += count * LPAR_MAP_NANOS;
	} else if (tce->kills_each) {
		tce->spent += count * KILL_NANOS;
	}
}

/* A race that is lost by a rule only: then MAP ends where it is, and says that all went well (H11).
 */
static bool is_being_unregistered(const struct tce *tce)
{
	return tce->v2 &&
	       sim_model_take_step(tce->iommu.container->model, SIM_STEP_USE_REGION) != 0;
}

/* tce_iommu_build, with the region that holds what it pins, and tce_iommu_build_v2, without. */
static int map_entries(struct tce *tce, struct sim_table *table, uint64_t entry, uint64_t count,
		       struct sim_tce first)
{
	uint64_t page_size = UINT64_C(1) << table->page_shift;
	struct backing backing = {.region = first.region};
	struct sim_tce new_tce = first;

	for (uint64_t i = 0; i < count; i++) {
		int r = 0;

		if (backing.left < page_size) {
			r = tce->v2 ? find_registered(tce, table, new_tce.ua, &backing)
				    : find_pinned(table, new_tce.ua, &backing);
		}
		if (r == 0 && is_being_unregistered(tce)) {
			break;
		}
		if (r == 0) {
			new_tce.region = backing.region;
			r = map_entry(tce, table, entry + i, new_tce);
		}
		if (r != 0) {
			/* What was replaced is gone, what follows keeps its old TCEs (H10). */
			unmap_entries(tce, table, entry, i);
			return r;
		}
		new_tce.ua += page_size;
		backing.left -= MIN(page_size, backing.left);
	}
	spend_map(tce, count);
	return 0;
}

/* On powernv a device that may write may also read (H15). */
static uint32_t tce_permissions(const struct tce *tce, uint32_t flags)
{
	uint32_t permissions = 0;

	if (flags & VFIO_DMA_MAP_FLAG_READ) {
		permissions |= SIM_TCE_READ;
	}
	if (flags & VFIO_DMA_MAP_FLAG_WRITE) {
		permissions |= is_lpar(tce) ? SIM_TCE_WRITE : SIM_TCE_READ | SIM_TCE_WRITE;
	}
	return permissions;
}

/* v1: all that one MAP pins is one region, which goes with the last of its TCEs. */
static int map_pinned(struct tce *tce, struct sim_table *table, uint64_t entry, uint64_t count,
		      struct sim_tce first, struct sim_pieces *pieces)
{
	int r;

	if (count == 0) {
		return 0;
	}
	if (pieces->count == 0) {
		return SIM_NEEDS_MEMORY;
	}
	first.region = sim_region_new_loose(first.ua, count << table->page_shift, table->page_shift,
					    pieces);
	if (!first.region) {
		return -ENOMEM;
	}
	r = map_entries(tce, table, entry, count, first);
	sim_region_unmap(first.region);
	return r;
}

/* By IOMMU_PAGE_MASK, which shifts an int: of pages from 4 GiB on it has nothing left, so that only
 * 0 is aligned (H7). */
static bool is_page_aligned(const struct sim_table *table, uint64_t value)
{
	return table->page_shift < INT_BITS ? is_aligned(value, UINT64_C(1) << table->page_shift)
					    : value == 0;
}

int tce_map(struct tce *tce, struct sim_table *table, const struct vfio_iommu_type1_dma_map *map,
	    struct sim_pieces *pieces)
{
	uint64_t page_size = UINT64_C(1) << table->page_shift;
	uint64_t entry = map->iova >> table->page_shift;
	uint64_t count = map->size >> table->page_shift;
	struct sim_tce first = {
		.ua = map->vaddr,
		.permissions = tce_permissions(tce, map->flags),
	};

	if (!is_page_aligned(table, map->size | map->vaddr) || map->flags == 0) {
		return -EINVAL;
	}
	if (!is_aligned(map->iova, page_size)) {
		return MISALIGNED_IOVA;
	}
	return tce->v2 ? map_entries(tce, table, entry, count, first)
		       : map_pinned(tce, table, entry, count, first, pieces);
}

int tce_unmap(struct tce *tce, struct sim_table *table,
	      const struct vfio_iommu_type1_dma_unmap *unmap)
{
	uint64_t page_size = UINT64_C(1) << table->page_shift;

	if (!is_page_aligned(table, unmap->size)) {
		return -EINVAL;
	}
	if (!is_aligned(unmap->iova, page_size)) {
		return MISALIGNED_IOVA;
	}
	/* A hole is fine, and the size isn't written back (H14). */
	unmap_entries(tce, table, unmap->iova >> table->page_shift,
		      unmap->size >> table->page_shift);
	return 0;
}

/* looking */

const char *tce_translate(const struct sim_iommu *iommu, uint64_t iova,
			  struct sim_translation *ret_translation)
{
	const struct sim_table *table = tce_find_table((const struct tce *)iommu, iova);
	struct sim_tce tce;
	uint64_t offset;

	if (!table) {
		return "the address lies in no window";
	}
	tce = sim_table_get(table, iova >> table->page_shift);
	if (!tce.region) {
		return "the TCE is not valid";
	}
	offset = iova & ((UINT64_C(1) << table->page_shift) - 1);
	*ret_translation = (struct sim_translation){
		.region = tce.region,
		.ua = tce.ua + offset,
		.size = (UINT64_C(1) << table->page_shift) - offset,
		.readable = tce.permissions & SIM_TCE_READ,
		.writable = tce.permissions & SIM_TCE_WRITE,
	};
	return NULL;
}

struct dumping {
	struct sim_dump *dump;
	unsigned int page_shift;
};

/* Lengthen the last run by an entry, or begin one. */
static bool dump_entry(void *userdata, uint64_t entry, struct sim_tce tce)
{
	const struct dumping *dumping = userdata;
	struct sim_dump *dump = dumping->dump;
	uint64_t iova = entry << dumping->page_shift;
	uint64_t size = UINT64_C(1) << dumping->page_shift;
	struct sim_dump_entry *last =
		dump->entry_count > 0 ? &dump->entry[dump->entry_count - 1] : NULL;

	if (last && last->iova + last->size == iova && last->ua + last->size == tce.ua &&
	    last->permissions == tce.permissions) {
		last->size += size;
		return true;
	}
	if (dump->entry_count >= MIN(dump->most, SIM_DUMP_ENTRIES)) {
		dump->more = 1;
		return false;
	}
	dump->entry[dump->entry_count++] = (struct sim_dump_entry){
		.iova = iova,
		.ua = tce.ua,
		.size = size,
		.permissions = tce.permissions,
	};
	return true;
}

void tce_dump(const struct sim_iommu *iommu, uint64_t from, struct sim_dump *dump)
{
	const struct tce *tce = (const struct tce *)iommu;

	for (unsigned int slot = 0; slot < SIM_WINDOWS; slot++) {
		const struct sim_table *table = tce->tables[slot];

		if (table) {
			struct dumping dumping = {.dump = dump, .page_shift = table->page_shift};

			dump->window[dump->window_count++] = (struct sim_dump_window){
				.start = table->first << table->page_shift,
				.size = table->entries << table->page_shift,
				.mapped = table->valid,
				.page_shift = table->page_shift,
				.levels = table->levels,
			};
			sim_table_iterate(table, from >> table->page_shift, dump_entry, &dumping);
		}
	}
}
