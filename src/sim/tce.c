/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/tce.h"

#include <errno.h>
#include <linux/vfio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/param.h>

#include "common/range.h"
#include "sim/container.h"
#include "sim/model.h"
#include "sim/table.h"

#define SECOND_WINDOW_START (UINT64_C(1) << 59)
#define LEVELS_MAX          5
#define PAGE_SHIFT_4K       12
#define MAP_FLAGS           ((uint32_t)VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE)

/* What the kernel's boolean "or" of two checks makes of a misaligned IOVA (H1). */
#define MISALIGNED_IOVA 1

/* Memory that this container registered. */
struct registration {
	struct registration *next;
	struct sim_region *region;
};

struct tce {
	struct sim_iommu iommu;
	unsigned int page_shift; /* of the host */
	uint64_t *damage;        /* the model's counter */
	struct sim_mm *mm;       /* NULL until bound */
	unsigned int groups;     /* that are attached */
	bool enabled;
	bool default_pending;
	struct sim_table *tables[SIM_WINDOWS];
	struct registration *registrations;
};

static void handle_tce_cleared(struct sim_tce tce)
{
	if (tce.region->mapped > 1) {
		tce.region->mapped--;
	}
}

static void clear_table(struct sim_table *table)
{
	sim_table_clear(table, table->first, table->entries, handle_tce_cleared);
}

static void free_window(struct tce *tce, unsigned int slot)
{
	struct sim_table *table = tce->tables[slot];

	clear_table(table);
	sim_mm_discharge(tce->mm, table->charge >> tce->page_shift);
	tce->tables[slot] = sim_table_free(table);
}

static void tce_free(struct sim_iommu *iommu)
{
	struct tce *tce = (struct tce *)iommu;

	for (unsigned int slot = 0; slot < SIM_WINDOWS; slot++) {
		if (tce->tables[slot]) {
			free_window(tce, slot);
		}
	}
	while (tce->registrations) {
		struct registration *registration = tce->registrations;

		/* Another container's TCEs may still point into the region: it leaks (H19). */
		tce->registrations = registration->next;
		registration->region->owners--;
		(void)sim_mm_put(tce->mm, registration->region);
		free(registration);
	}
	(void)sim_mm_unref(tce->mm);
	free(tce);
}

static int tce_attach(struct sim_iommu *iommu, struct sim_group *group)
{
	struct tce *tce = (struct tce *)iommu;

	(void)group;
	if (tce->groups++ == 0 && !tce->tables[0]) {
		tce->default_pending = true;
	}
	return 0;
}

static void tce_detach(struct sim_iommu *iommu, struct sim_group *group)
{
	struct tce *tce = (struct tce *)iommu;

	(void)group;
	tce->groups--;
	/* As in Linux 6.12 this empties the tables for the others, too (H33). */
	for (unsigned int slot = 0; slot < SIM_WINDOWS; slot++) {
		if (tce->tables[slot]) {
			clear_table(tce->tables[slot]);
		}
	}
}

static int bind_mm(struct tce *tce, const struct sim_caller *caller)
{
	if (!tce->mm) {
		tce->mm = sim_mm_ref(caller->mm);
	}
	return tce->mm == caller->mm ? 0 : -EPERM;
}

/* windows */

static int find_slot(const struct tce *tce, uint64_t iova)
{
	for (int slot = 0; slot < SIM_WINDOWS; slot++) {
		const struct sim_table *table = tce->tables[slot];

		if (table && sim_table_contains(table, iova >> table->page_shift)) {
			return slot;
		}
	}
	return -1;
}

/* The window that an address lies in, or NULL. */
static struct sim_table *tce_find_table(const struct tce *tce, uint64_t iova)
{
	int slot = find_slot(tce, iova);

	return slot < 0 ? NULL : tce->tables[slot];
}

static int find_free_slot(const struct tce *tce)
{
	for (int slot = 0; slot < SIM_WINDOWS; slot++) {
		if (!tce->tables[slot]) {
			return slot;
		}
	}
	return -ENOSPC;
}

static int create_window(struct tce *tce, const struct sim_group *group,
			 const struct sim_caller *caller, struct sim_shape shape,
			 uint64_t *ret_start)
{
	int slot = find_free_slot(tce);
	struct sim_table *table = NULL;
	uint64_t start;
	uint64_t pages;
	int r;

	if (slot < 0) {
		return slot;
	}
	if (shape.page_shift > 63 || !(group->phb->page_sizes & UINT64_C(1) << shape.page_shift)) {
		return -EINVAL;
	}
	pages = sim_shape_charge(shape, tce->page_shift) >> tce->page_shift;
	if (pages == 0) {
		return -EINVAL;
	}
	/* The tce's mm: the caller is bound, or was checked to be. */
	r = sim_mm_charge(caller->mm, caller, pages);
	if (r < 0) {
		return r;
	}
	start = slot == 0 ? 0 : SECOND_WINDOW_START;
	r = sim_table_new(shape, tce->page_shift, start, &table);
	if (r < 0) {
		/* The kernel doesn't take the charge back (H29). */
		caller->mm->leaked_pages += pages;
		return r;
	}
	tce->tables[slot] = table;
	*ret_start = start;
	return 0;
}

static int create_pending_window(struct tce *tce, const struct sim_group *group,
				 const struct sim_caller *caller)
{
	struct sim_shape shape = {
		.page_shift = PAGE_SHIFT_4K,
		.size = group->phb->dma32_size,
		.levels = 1,
	};
	uint64_t start;
	int r;

	if (!tce->default_pending) {
		return 0;
	}
	r = create_window(tce, group, caller, shape, &start);
	if (r == 0) {
		tce->default_pending = false;
	}
	return r;
}

static int handle_create(struct tce *tce, const struct sim_group *group,
			 const struct sim_caller *caller, struct sim_argument *argument)
{
	struct vfio_iommu_spapr_tce_create *create = argument->data;
	struct sim_shape shape = {
		.page_shift = create->page_shift,
		.size = create->window_size,
		.levels = create->levels,
	};
	uint64_t start;
	int r = bind_mm(tce, caller);

	if (r < 0) {
		return r;
	}
	if (create->argsz < sizeof(*create) || create->flags) {
		return -EINVAL;
	}
	r = create_pending_window(tce, group, caller);
	if (r == 0) {
		r = create_window(tce, group, caller, shape, &start);
	}
	if (r == 0) {
		create->start_addr = start;
		argument->out_size = sizeof(*create);
	}
	return r;
}

static int handle_remove(struct tce *tce, const struct sim_caller *caller,
			 const struct vfio_iommu_spapr_tce_remove *remove)
{
	int r = bind_mm(tce, caller);
	int slot;

	if (r < 0) {
		return r;
	}
	if (remove->argsz < sizeof(*remove) || remove->flags) {
		return -EINVAL;
	}
	if (tce->default_pending && remove->start_addr == 0) {
		tce->default_pending = false;
		return 0;
	}
	/* Any address inside the window will do (H28). */
	slot = find_slot(tce, remove->start_addr);
	if (slot < 0) {
		return -EINVAL;
	}
	free_window(tce, (unsigned int)slot);
	return 0;
}

static int handle_get_info(const struct sim_group *group, struct sim_argument *argument)
{
	struct vfio_iommu_spapr_tce_info *info = argument->data;
	size_t small = offsetof(struct vfio_iommu_spapr_tce_info, ddw);

	if (info->argsz < small) {
		return -EINVAL;
	}
	argument->out_size = info->argsz >= sizeof(*info) ? sizeof(*info) : small;
	info->flags = VFIO_IOMMU_SPAPR_INFO_DDW;
	info->dma32_window_start = 0;
	info->dma32_window_size = (uint32_t)group->phb->dma32_size;
	info->ddw = (struct vfio_iommu_spapr_tce_ddw_info){
		.pgsizes = group->phb->page_sizes,
		.max_dynamic_windows_supported = SIM_WINDOWS,
		.levels = LEVELS_MAX,
	};
	return 0;
}

/* registered memory */

static int register_memory(struct tce *tce, const struct sim_caller *caller, uint64_t ua,
			   uint64_t size, struct sim_pieces *pieces)
{
	uint64_t pages = size >> tce->page_shift;
	uint64_t page_size = UINT64_C(1) << tce->page_shift;
	struct registration *registration;
	struct sim_region *region;
	int r;

	if (!is_aligned(ua | size, page_size) || ua + size < ua) {
		return -EINVAL;
	}
	registration = calloc(1, sizeof(*registration));
	if (!registration) {
		return -ENOMEM;
	}
	region = sim_mm_get(tce->mm, ua, pages);
	for (struct registration *other = region ? tce->registrations : NULL; other;
	     other = other->next) {
		if (other->region == region) {
			(void)sim_mm_put(tce->mm, region);
			free(registration);
			return -EBUSY;
		}
	}
	if (!region) {
		r = sim_mm_pin(tce->mm, caller, ua, pages, pieces, &region);
		if (r != 0) {
			free(registration);
			return r;
		}
	}
	region->owners++;
	registration->region = region;
	registration->next = tce->registrations;
	tce->registrations = registration;
	tce->enabled = true;
	return 0;
}

static int unregister_memory(struct tce *tce, uint64_t ua, uint64_t size)
{
	uint64_t page_size = UINT64_C(1) << tce->page_shift;
	struct sim_region *region;
	int r = -ENOENT;

	if (!is_aligned(ua | size, page_size)) {
		return -EINVAL;
	}
	region = sim_mm_get(tce->mm, ua, size >> tce->page_shift);
	if (!region) {
		return -ENOENT;
	}
	for (struct registration **link = &tce->registrations; *link; link = &(*link)->next) {
		struct registration *registration = *link;

		if (registration->region == region) {
			/* There are two uses now, so this put can't fail, mapped or not … */
			r = sim_mm_put(tce->mm, region);
			*link = registration->next;
			region->owners--;
			free(registration);
			break;
		}
	}
	/* … and that this one may is ignored: then the region is leaked (H18). */
	(void)sim_mm_put(tce->mm, region);
	return r;
}

static int handle_register(struct tce *tce, const struct sim_caller *caller,
			   struct sim_argument *argument)
{
	const struct vfio_iommu_spapr_register_memory *memory = argument->data;
	int r = bind_mm(tce, caller);

	if (r < 0) {
		return r;
	}
	if (memory->argsz < sizeof(*memory) || memory->flags) {
		return -EINVAL;
	}
	return register_memory(tce, caller, memory->vaddr, memory->size, &argument->pieces);
}

static int handle_unregister(struct tce *tce, const struct vfio_iommu_spapr_register_memory *memory)
{
	if (!tce->mm) {
		return -EPERM;
	}
	if (memory->argsz < sizeof(*memory) || memory->flags) {
		return -EINVAL;
	}
	return unregister_memory(tce, memory->vaddr, memory->size);
}

/* mappings */

/* One TCE. What lies behind it is checked for each page, unlike the entry (H5). */
static int map_entry(struct tce *tce, struct sim_table *table, uint64_t entry, uint64_t ua,
		     uint32_t permissions)
{
	struct sim_region *region = sim_mm_lookup(tce->mm, ua, UINT64_C(1) << table->page_shift);
	struct sim_tce new_tce = {.region = region, .ua = ua, .permissions = permissions};
	struct sim_tce old;
	int r;

	if (!region || table->page_shift > region->page_shift) {
		return -EINVAL;
	}
	if (table->page_shift > sim_region_page_shift_at(region, ua)) {
		return -EPERM;
	}
	if (!sim_table_contains(table, entry)) {
		(*tce->damage)++;
		return 0;
	}
	r = sim_table_exchange(table, entry, new_tce, &old);
	if (r < 0) {
		return r;
	}
	region->mapped++;
	if (old.region) {
		handle_tce_cleared(old);
	}
	return 0;
}

static void unmap_entries(struct tce *tce, struct sim_table *table, uint64_t entry, uint64_t count)
{
	uint64_t inside = MIN(count, table->first + table->entries - entry);

	sim_table_clear(table, entry, inside, handle_tce_cleared);
	*tce->damage += count - inside;
}

static int map_entries(struct tce *tce, struct sim_table *table, uint64_t iova, uint64_t ua,
		       uint64_t size, uint32_t permissions)
{
	uint64_t entry = iova >> table->page_shift;
	uint64_t count = size >> table->page_shift;

	for (uint64_t i = 0; i < count; i++) {
		int r = map_entry(tce, table, entry + i, ua + (i << table->page_shift),
				  permissions);

		if (r < 0) {
			/* What was replaced is gone, what follows keeps its old TCEs (H10). */
			unmap_entries(tce, table, entry, i);
			return r;
		}
	}
	return 0;
}

/* On powernv a device that may write may also read (H15). */
static uint32_t tce_permissions(uint32_t flags)
{
	if (flags & VFIO_DMA_MAP_FLAG_WRITE) {
		return SIM_TCE_READ | SIM_TCE_WRITE;
	}
	return flags & VFIO_DMA_MAP_FLAG_READ ? SIM_TCE_READ : 0;
}

static int handle_map(struct tce *tce, const struct sim_group *group,
		      const struct sim_caller *caller, const struct vfio_iommu_type1_dma_map *map)
{
	struct sim_table *table;
	uint64_t page_size;
	int r;

	if (!tce->enabled) {
		return -EPERM;
	}
	if (map->argsz < sizeof(*map) || map->flags & ~MAP_FLAGS) {
		return -EINVAL;
	}
	r = create_pending_window(tce, group, caller);
	if (r < 0) {
		return r;
	}
	table = tce_find_table(tce, map->iova);
	if (!table) {
		return -ENXIO;
	}
	page_size = UINT64_C(1) << table->page_shift;
	if (!is_aligned(map->size | map->vaddr, page_size) || map->flags == 0) {
		return -EINVAL;
	}
	if (!is_aligned(map->iova, page_size)) {
		return MISALIGNED_IOVA;
	}
	return map_entries(tce, table, map->iova, map->vaddr, map->size,
			   tce_permissions(map->flags));
}

static int handle_unmap(struct tce *tce, const struct sim_group *group,
			const struct sim_caller *caller,
			const struct vfio_iommu_type1_dma_unmap *unmap)
{
	struct sim_table *table;
	uint64_t page_size;
	int r;

	if (!tce->enabled) {
		return -EPERM;
	}
	if (unmap->argsz < offsetof(struct vfio_iommu_type1_dma_unmap, data) || unmap->flags) {
		return -EINVAL;
	}
	r = create_pending_window(tce, group, caller);
	if (r < 0) {
		return r;
	}
	table = tce_find_table(tce, unmap->iova);
	if (!table) {
		return -ENXIO;
	}
	page_size = UINT64_C(1) << table->page_shift;
	if (!is_aligned(unmap->size, page_size)) {
		return -EINVAL;
	}
	if (!is_aligned(unmap->iova, page_size)) {
		return MISALIGNED_IOVA;
	}
	unmap_entries(tce, table, unmap->iova >> table->page_shift,
		      unmap->size >> table->page_shift);
	return 0;
}

static int tce_ioctl(struct sim_iommu *iommu, const struct sim_caller *caller,
		     unsigned long request, struct sim_argument *argument)
{
	struct tce *tce = (struct tce *)iommu;
	const struct sim_group *group = iommu->container->groups;

	if (tce->mm && tce->mm != caller->mm) {
		return -EPERM;
	}
	switch (request) {
	case VFIO_IOMMU_SPAPR_TCE_GET_INFO:
		return handle_get_info(group, argument);
	case VFIO_IOMMU_MAP_DMA:
		return handle_map(tce, group, caller, argument->data);
	case VFIO_IOMMU_UNMAP_DMA:
		return handle_unmap(tce, group, caller, argument->data);
	case VFIO_IOMMU_SPAPR_REGISTER_MEMORY:
		return handle_register(tce, caller, argument);
	case VFIO_IOMMU_SPAPR_UNREGISTER_MEMORY:
		return handle_unregister(tce, argument->data);
	case VFIO_IOMMU_SPAPR_TCE_CREATE:
		return handle_create(tce, group, caller, argument);
	case VFIO_IOMMU_SPAPR_TCE_REMOVE:
		return handle_remove(tce, caller, argument->data);
	case VFIO_EEH_PE_OP:
		return sim_eeh_pe_op(iommu->container, argument);
	default:
		return -ENOTTY;
	}
}

/* looking */

static const char *tce_translate(const struct sim_iommu *iommu, uint64_t iova,
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

static void tce_count(const struct sim_iommu *iommu, struct sim_statistics *statistics)
{
	const struct tce *tce = (const struct tce *)iommu;

	for (unsigned int slot = 0; slot < SIM_WINDOWS; slot++) {
		const struct sim_table *table = tce->tables[slot];

		if (table) {
			statistics->windows++;
			statistics->table_bytes += table->charge;
			statistics->mapped_tces += table->valid;
		}
	}
	for (const struct registration *registration = tce->registrations; registration;
	     registration = registration->next) {
		statistics->registered_regions++;
		statistics->registered_bytes += registration->region->pages << tce->page_shift;
	}
}

/* the backend */

static const struct sim_iommu_operations tce_operations = {
	.attach = tce_attach,
	.detach = tce_detach,
	.ioctl = tce_ioctl,
	.translate = tce_translate,
	.count = tce_count,
	.free = tce_free,
};

struct sim_iommu *sim_tce_new(struct sim_container *container, uint64_t type)
{
	struct tce *tce = calloc(1, sizeof(*tce));

	if (!tce) {
		return NULL;
	}
	tce->iommu = (struct sim_iommu){
		.operations = &tce_operations,
		.container = container,
		.type = type,
	};
	tce->page_shift = container->model->host->page_shift;
	tce->damage = &container->model->damage;
	return &tce->iommu;
}
