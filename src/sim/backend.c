/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/backend.h"

#include <errno.h>
#include <linux/vfio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/param.h>

#include "common/range.h"
#include "sim/container.h"

#define SECOND_WINDOW_START (UINT64_C(1) << 59)
#define LEVELS_MAX          5
#define PAGE_SHIFT_4K       12
#define MAP_FLAGS           ((uint32_t)VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE)

/* What the kernel's boolean "or" of two checks makes of a misaligned IOVA (H1). */
#define MISALIGNED_IOVA 1

struct sim_backend *sim_backend_new(unsigned int page_shift, uint64_t *damage)
{
	struct sim_backend *backend = calloc(1, sizeof(*backend));

	if (backend) {
		backend->page_shift = page_shift;
		backend->damage = damage;
	}
	return backend;
}

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

static void free_window(struct sim_backend *backend, unsigned int slot)
{
	struct sim_table *table = backend->tables[slot];

	clear_table(table);
	sim_mm_discharge(backend->mm, table->charge >> backend->page_shift);
	backend->tables[slot] = sim_table_free(table);
}

struct sim_backend *sim_backend_free(struct sim_backend *backend)
{
	if (!backend) {
		return NULL;
	}
	for (unsigned int slot = 0; slot < SIM_WINDOWS; slot++) {
		if (backend->tables[slot]) {
			free_window(backend, slot);
		}
	}
	while (backend->registrations) {
		struct sim_registration *registration = backend->registrations;

		/* Another container's TCEs may still point into the region: it leaks (H19). */
		backend->registrations = registration->next;
		registration->region->owners--;
		(void)sim_mm_put(backend->mm, registration->region);
		free(registration);
	}
	(void)sim_mm_unref(backend->mm);
	free(backend);
	return NULL;
}

void sim_backend_attach(struct sim_backend *backend, bool first)
{
	if (first && !backend->tables[0]) {
		backend->default_pending = true;
	}
}

void sim_backend_detach(struct sim_backend *backend)
{
	for (unsigned int slot = 0; slot < SIM_WINDOWS; slot++) {
		if (backend->tables[slot]) {
			clear_table(backend->tables[slot]);
		}
	}
}

static int bind_mm(struct sim_backend *backend, const struct sim_caller *caller)
{
	if (!backend->mm) {
		backend->mm = sim_mm_ref(caller->mm);
	}
	return backend->mm == caller->mm ? 0 : -EPERM;
}

/* windows */

static int find_slot(const struct sim_backend *backend, uint64_t iova)
{
	for (int slot = 0; slot < SIM_WINDOWS; slot++) {
		const struct sim_table *table = backend->tables[slot];

		if (table && sim_table_contains(table, iova >> table->page_shift)) {
			return slot;
		}
	}
	return -1;
}

struct sim_table *sim_backend_find_table(const struct sim_backend *backend, uint64_t iova)
{
	int slot = find_slot(backend, iova);

	return slot < 0 ? NULL : backend->tables[slot];
}

static int find_free_slot(const struct sim_backend *backend)
{
	for (int slot = 0; slot < SIM_WINDOWS; slot++) {
		if (!backend->tables[slot]) {
			return slot;
		}
	}
	return -ENOSPC;
}

static int create_window(struct sim_backend *backend, const struct sim_group *group,
			 const struct sim_caller *caller, struct sim_shape shape,
			 uint64_t *ret_start)
{
	int slot = find_free_slot(backend);
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
	pages = sim_shape_charge(shape, backend->page_shift) >> backend->page_shift;
	if (pages == 0) {
		return -EINVAL;
	}
	/* The backend's mm: the caller is bound, or was checked to be. */
	r = sim_mm_charge(caller->mm, caller, pages);
	if (r < 0) {
		return r;
	}
	start = slot == 0 ? 0 : SECOND_WINDOW_START;
	r = sim_table_new(shape, backend->page_shift, start, &table);
	if (r < 0) {
		/* The kernel doesn't take the charge back (H29). */
		caller->mm->leaked_pages += pages;
		return r;
	}
	backend->tables[slot] = table;
	*ret_start = start;
	return 0;
}

static int create_pending_window(struct sim_backend *backend, const struct sim_group *group,
				 const struct sim_caller *caller)
{
	struct sim_shape shape = {
		.page_shift = PAGE_SHIFT_4K,
		.size = group->phb->dma32_size,
		.levels = 1,
	};
	uint64_t start;
	int r;

	if (!backend->default_pending) {
		return 0;
	}
	r = create_window(backend, group, caller, shape, &start);
	if (r == 0) {
		backend->default_pending = false;
	}
	return r;
}

static int handle_create(struct sim_backend *backend, const struct sim_group *group,
			 const struct sim_caller *caller, struct sim_argument *argument)
{
	struct vfio_iommu_spapr_tce_create *create = argument->data;
	struct sim_shape shape = {
		.page_shift = create->page_shift,
		.size = create->window_size,
		.levels = create->levels,
	};
	uint64_t start;
	int r = bind_mm(backend, caller);

	if (r < 0) {
		return r;
	}
	if (create->argsz < sizeof(*create) || create->flags) {
		return -EINVAL;
	}
	r = create_pending_window(backend, group, caller);
	if (r == 0) {
		r = create_window(backend, group, caller, shape, &start);
	}
	if (r == 0) {
		create->start_addr = start;
		argument->out_size = sizeof(*create);
	}
	return r;
}

static int handle_remove(struct sim_backend *backend, const struct sim_caller *caller,
			 const struct vfio_iommu_spapr_tce_remove *remove)
{
	int r = bind_mm(backend, caller);
	int slot;

	if (r < 0) {
		return r;
	}
	if (remove->argsz < sizeof(*remove) || remove->flags) {
		return -EINVAL;
	}
	if (backend->default_pending && remove->start_addr == 0) {
		backend->default_pending = false;
		return 0;
	}
	/* Any address inside the window will do (H28). */
	slot = find_slot(backend, remove->start_addr);
	if (slot < 0) {
		return -EINVAL;
	}
	free_window(backend, (unsigned int)slot);
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

static int register_memory(struct sim_backend *backend, const struct sim_caller *caller,
			   uint64_t ua, uint64_t size, struct sim_pieces *pieces)
{
	uint64_t pages = size >> backend->page_shift;
	uint64_t page_size = UINT64_C(1) << backend->page_shift;
	struct sim_registration *registration;
	struct sim_region *region;
	int r;

	if (!is_aligned(ua | size, page_size) || ua + size < ua) {
		return -EINVAL;
	}
	registration = calloc(1, sizeof(*registration));
	if (!registration) {
		return -ENOMEM;
	}
	region = sim_mm_get(backend->mm, ua, pages);
	for (struct sim_registration *other = region ? backend->registrations : NULL; other;
	     other = other->next) {
		if (other->region == region) {
			(void)sim_mm_put(backend->mm, region);
			free(registration);
			return -EBUSY;
		}
	}
	if (!region) {
		r = sim_mm_pin(backend->mm, caller, ua, pages, pieces, &region);
		if (r != 0) {
			free(registration);
			return r;
		}
	}
	region->owners++;
	registration->region = region;
	registration->next = backend->registrations;
	backend->registrations = registration;
	backend->enabled = true;
	return 0;
}

static int unregister_memory(struct sim_backend *backend, uint64_t ua, uint64_t size)
{
	uint64_t page_size = UINT64_C(1) << backend->page_shift;
	struct sim_region *region;
	int r = -ENOENT;

	if (!is_aligned(ua | size, page_size)) {
		return -EINVAL;
	}
	region = sim_mm_get(backend->mm, ua, size >> backend->page_shift);
	if (!region) {
		return -ENOENT;
	}
	for (struct sim_registration **link = &backend->registrations; *link;
	     link = &(*link)->next) {
		struct sim_registration *registration = *link;

		if (registration->region == region) {
			/* There are two uses now, so this put can't fail, mapped or not … */
			r = sim_mm_put(backend->mm, region);
			*link = registration->next;
			region->owners--;
			free(registration);
			break;
		}
	}
	/* … and that this one may is ignored: then the region is leaked (H18). */
	(void)sim_mm_put(backend->mm, region);
	return r;
}

static int handle_register(struct sim_backend *backend, const struct sim_caller *caller,
			   struct sim_argument *argument)
{
	const struct vfio_iommu_spapr_register_memory *memory = argument->data;
	int r = bind_mm(backend, caller);

	if (r < 0) {
		return r;
	}
	if (memory->argsz < sizeof(*memory) || memory->flags) {
		return -EINVAL;
	}
	return register_memory(backend, caller, memory->vaddr, memory->size, &argument->pieces);
}

static int handle_unregister(struct sim_backend *backend,
			     const struct vfio_iommu_spapr_register_memory *memory)
{
	if (!backend->mm) {
		return -EPERM;
	}
	if (memory->argsz < sizeof(*memory) || memory->flags) {
		return -EINVAL;
	}
	return unregister_memory(backend, memory->vaddr, memory->size);
}

/* mappings */

/* One TCE. What lies behind it is checked for each page, unlike the entry (H5). */
static int map_entry(struct sim_backend *backend, struct sim_table *table, uint64_t entry,
		     uint64_t ua, uint32_t permissions)
{
	struct sim_region *region =
		sim_mm_lookup(backend->mm, ua, UINT64_C(1) << table->page_shift);
	struct sim_tce tce = {.region = region, .ua = ua, .permissions = permissions};
	struct sim_tce old;
	int r;

	if (!region || table->page_shift > region->page_shift) {
		return -EINVAL;
	}
	if (table->page_shift > sim_region_page_shift_at(region, ua)) {
		return -EPERM;
	}
	if (!sim_table_contains(table, entry)) {
		(*backend->damage)++;
		return 0;
	}
	r = sim_table_exchange(table, entry, tce, &old);
	if (r < 0) {
		return r;
	}
	region->mapped++;
	if (old.region) {
		handle_tce_cleared(old);
	}
	return 0;
}

static void unmap_entries(struct sim_backend *backend, struct sim_table *table, uint64_t entry,
			  uint64_t count)
{
	uint64_t inside = MIN(count, table->first + table->entries - entry);

	sim_table_clear(table, entry, inside, handle_tce_cleared);
	*backend->damage += count - inside;
}

static int map_entries(struct sim_backend *backend, struct sim_table *table, uint64_t iova,
		       uint64_t ua, uint64_t size, uint32_t permissions)
{
	uint64_t entry = iova >> table->page_shift;
	uint64_t count = size >> table->page_shift;

	for (uint64_t i = 0; i < count; i++) {
		int r = map_entry(backend, table, entry + i, ua + (i << table->page_shift),
				  permissions);

		if (r < 0) {
			/* What was replaced is gone, what follows keeps its old TCEs (H10). */
			unmap_entries(backend, table, entry, i);
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

static int handle_map(struct sim_backend *backend, const struct sim_group *group,
		      const struct sim_caller *caller, const struct vfio_iommu_type1_dma_map *map)
{
	struct sim_table *table;
	uint64_t page_size;
	int r;

	if (!backend->enabled) {
		return -EPERM;
	}
	if (map->argsz < sizeof(*map) || map->flags & ~MAP_FLAGS) {
		return -EINVAL;
	}
	r = create_pending_window(backend, group, caller);
	if (r < 0) {
		return r;
	}
	table = sim_backend_find_table(backend, map->iova);
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
	return map_entries(backend, table, map->iova, map->vaddr, map->size,
			   tce_permissions(map->flags));
}

static int handle_unmap(struct sim_backend *backend, const struct sim_group *group,
			const struct sim_caller *caller,
			const struct vfio_iommu_type1_dma_unmap *unmap)
{
	struct sim_table *table;
	uint64_t page_size;
	int r;

	if (!backend->enabled) {
		return -EPERM;
	}
	if (unmap->argsz < offsetof(struct vfio_iommu_type1_dma_unmap, data) || unmap->flags) {
		return -EINVAL;
	}
	r = create_pending_window(backend, group, caller);
	if (r < 0) {
		return r;
	}
	table = sim_backend_find_table(backend, unmap->iova);
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
	unmap_entries(backend, table, unmap->iova >> table->page_shift,
		      unmap->size >> table->page_shift);
	return 0;
}

int sim_backend_ioctl(struct sim_backend *backend, const struct sim_group *group,
		      const struct sim_caller *caller, unsigned long request,
		      struct sim_argument *argument)
{
	if (backend->mm && backend->mm != caller->mm) {
		return -EPERM;
	}
	switch (request) {
	case VFIO_IOMMU_SPAPR_TCE_GET_INFO:
		return handle_get_info(group, argument);
	case VFIO_IOMMU_MAP_DMA:
		return handle_map(backend, group, caller, argument->data);
	case VFIO_IOMMU_UNMAP_DMA:
		return handle_unmap(backend, group, caller, argument->data);
	case VFIO_IOMMU_SPAPR_REGISTER_MEMORY:
		return handle_register(backend, caller, argument);
	case VFIO_IOMMU_SPAPR_UNREGISTER_MEMORY:
		return handle_unregister(backend, argument->data);
	case VFIO_IOMMU_SPAPR_TCE_CREATE:
		return handle_create(backend, group, caller, argument);
	case VFIO_IOMMU_SPAPR_TCE_REMOVE:
		return handle_remove(backend, caller, argument->data);
	case VFIO_EEH_PE_OP:
		/* The PEs of this simulated host don't freeze. */
		return -EOPNOTSUPP;
	default:
		return -ENOTTY;
	}
}
