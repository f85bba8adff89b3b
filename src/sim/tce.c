/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/tce.h"

#include <errno.h>
#include <linux/vfio.h>
#include <stdlib.h>

#include "sim/model.h"
#include "sim/tce_private.h"

#define MAP_FLAGS ((uint32_t)VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE)

/* The order of the checks is the kernel's (tce_iommu_ioctl): an argument that can't be read (data
 * is NULL) shows when it is copied, after what can be refused without it. */

/* tce_iommu_mm_set: a call that is refused later binds all the same (H23). */
static int bind_mm(struct tce *tce, const struct sim_caller *caller)
{
	if (!tce->mm) {
		tce->mm = sim_mm_ref(caller->mm);
	}
	return tce->mm == caller->mm ? 0 : -EPERM;
}

static const struct sim_phb *first_phb(const struct tce *tce)
{
	return tce->iommu.container->groups->phb;
}

/* v1 */

/* tce_iommu_enable: the whole default window counts as locked memory, whatever is mapped (H41). */
static int handle_enable(struct tce *tce, const struct sim_caller *caller)
{
	uint64_t pages = first_phb(tce)->dma32_size >> tce->page_shift;
	int r;

	if (tce->enabled) {
		return -EBUSY;
	}
	if (first_phb(tce)->dma32_size == 0) {
		return -EPERM;
	}
	r = bind_mm(tce, caller);
	if (r == 0) {
		r = sim_mm_charge(tce->mm, caller, pages);
	}
	if (r == 0) {
		tce->enabled_pages = pages;
		tce->enabled = true;
	}
	return r;
}

/* tce_iommu_disable: windows and mappings stay. */
static void disable(struct tce *tce)
{
	if (tce->enabled) {
		tce->enabled = false;
		sim_mm_discharge(tce->mm, tce->enabled_pages);
		tce->enabled_pages = 0;
	}
}

/* both */

static int handle_get_info(const struct tce *tce, struct sim_argument *argument)
{
	const struct sim_phb *phb = first_phb(tce);
	struct vfio_iommu_spapr_tce_info *info = argument->data;
	size_t small = offsetof(struct vfio_iommu_spapr_tce_info, ddw);

	if (!info) {
		return -EFAULT;
	}
	if (info->argsz < small) {
		return -EINVAL;
	}
	argument->out_size = info->argsz >= sizeof(*info) ? sizeof(*info) : small;
	info->flags = 0;
	/* Whether the window still exists or not. */
	info->dma32_window_start = 0;
	info->dma32_window_size = (uint32_t)phb->dma32_size;
	info->ddw = (struct vfio_iommu_spapr_tce_ddw_info){.pgsizes = 0};
	if (tce->v2 && phb->windows > 0) {
		info->flags = VFIO_IOMMU_SPAPR_INFO_DDW;
		info->ddw.pgsizes = phb->page_sizes;
		info->ddw.max_dynamic_windows_supported = phb->windows;
		info->ddw.levels = phb->levels;
	}
	return 0;
}

static int handle_map(struct tce *tce, const struct sim_caller *caller,
		      struct sim_argument *argument)
{
	const struct vfio_iommu_type1_dma_map *map = argument->data;
	struct sim_table *table;
	int r;

	if (!tce->enabled) {
		return -EPERM; /* H22 */
	}
	if (!map) {
		return -EFAULT;
	}
	if (map->argsz < sizeof(*map) || map->flags & ~MAP_FLAGS) {
		return -EINVAL;
	}
	r = tce_create_default(tce, caller);
	if (r < 0) {
		return r;
	}
	table = tce_find_table(tce, map->iova);
	return table ? tce_map(tce, table, map, &argument->pieces) : -ENXIO;
}

static int handle_unmap(struct tce *tce, const struct sim_caller *caller,
			const struct vfio_iommu_type1_dma_unmap *unmap)
{
	struct sim_table *table;
	int r;

	if (!tce->enabled) {
		return -EPERM;
	}
	if (!unmap) {
		return -EFAULT;
	}
	if (unmap->argsz < offsetof(struct vfio_iommu_type1_dma_unmap, data) || unmap->flags) {
		return -EINVAL;
	}
	r = tce_create_default(tce, caller);
	if (r < 0) {
		return r;
	}
	table = tce_find_table(tce, unmap->iova);
	return table ? tce_unmap(tce, table, unmap) : -ENXIO;
}

/* v2 */

static int check_memory(const struct vfio_iommu_spapr_register_memory *memory)
{
	if (!memory) {
		return -EFAULT;
	}
	return memory->argsz < sizeof(*memory) || memory->flags ? -EINVAL : 0;
}

static int handle_register(struct tce *tce, const struct sim_caller *caller,
			   struct sim_argument *argument)
{
	const struct vfio_iommu_spapr_register_memory *memory = argument->data;
	int r = bind_mm(tce, caller);

	if (r == 0) {
		r = check_memory(memory);
	}
	return r < 0 ? r
		     : tce_register(tce, caller, memory->vaddr, memory->size, &argument->pieces);
}

static int handle_unregister(struct tce *tce, const struct vfio_iommu_spapr_register_memory *memory)
{
	int r = tce->mm ? check_memory(memory) : -EPERM;

	return r < 0 ? r : tce_unregister(tce, memory->vaddr, memory->size);
}

static int handle_create(struct tce *tce, const struct sim_caller *caller,
			 struct sim_argument *argument)
{
	struct vfio_iommu_spapr_tce_create *create = argument->data;
	struct sim_shape shape;
	uint64_t start = 0;
	int r = bind_mm(tce, caller);

	if (r < 0) {
		return r;
	}
	if (!create) {
		return -EFAULT;
	}
	if (create->argsz < sizeof(*create) || create->flags) {
		return -EINVAL;
	}
	/* So the first CREATE makes two windows, and the caller's is the second (H27). */
	r = tce_create_default(tce, caller);
	if (r < 0) {
		return r;
	}
	shape = (struct sim_shape){
		.page_shift = create->page_shift,
		.size = create->window_size,
		.levels = create->levels,
	};
	r = tce_create_window(tce, caller, shape, &start);
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
	if (!remove) {
		return -EFAULT;
	}
	if (remove->argsz < sizeof(*remove) || remove->flags) {
		return -EINVAL;
	}
	if (tce->default_pending && remove->start_addr == 0) {
		tce->default_pending = false;
		return 0;
	}
	/* Any address inside the window will do (H28). */
	slot = tce_find_slot(tce, remove->start_addr);
	if (slot < 0) {
		return -EINVAL;
	}
	tce_remove_window(tce, (unsigned int)slot);
	return 0;
}

/* What the other version has is no ioctl of this one's (H4). */
static bool has_ioctl(const struct tce *tce, unsigned long request)
{
	switch (request) {
	case VFIO_IOMMU_ENABLE:
	case VFIO_IOMMU_DISABLE:
		return !tce->v2;
	case VFIO_IOMMU_SPAPR_REGISTER_MEMORY:
	case VFIO_IOMMU_SPAPR_UNREGISTER_MEMORY:
	case VFIO_IOMMU_SPAPR_TCE_CREATE:
	case VFIO_IOMMU_SPAPR_TCE_REMOVE:
		return tce->v2;
	default:
		return true;
	}
}

static int dispatch(struct tce *tce, const struct sim_caller *caller, unsigned long request,
		    struct sim_argument *argument)
{
	switch (request) {
	case VFIO_IOMMU_SPAPR_TCE_GET_INFO:
		return handle_get_info(tce, argument);
	case VFIO_IOMMU_ENABLE:
		return handle_enable(tce, caller);
	case VFIO_IOMMU_DISABLE:
		disable(tce);
		return 0;
	case VFIO_IOMMU_MAP_DMA:
		return handle_map(tce, caller, argument);
	case VFIO_IOMMU_UNMAP_DMA:
		return handle_unmap(tce, caller, argument->data);
	case VFIO_IOMMU_SPAPR_REGISTER_MEMORY:
		return handle_register(tce, caller, argument);
	case VFIO_IOMMU_SPAPR_UNREGISTER_MEMORY:
		return handle_unregister(tce, argument->data);
	case VFIO_IOMMU_SPAPR_TCE_CREATE:
		return handle_create(tce, caller, argument);
	case VFIO_IOMMU_SPAPR_TCE_REMOVE:
		return handle_remove(tce, caller, argument->data);
	case VFIO_EEH_PE_OP:
		return sim_eeh_pe_op(tce->iommu.container, argument);
	default:
		return -ENOTTY;
	}
}

static int tce_ioctl(struct sim_iommu *iommu, const struct sim_caller *caller,
		     unsigned long request, struct sim_argument *argument)
{
	struct tce *tce = (struct tce *)iommu;
	int result;

	if (tce->mm && tce->mm != caller->mm) {
		return -EPERM;
	}
	result = has_ioctl(tce, request) ? dispatch(tce, caller, request, argument) : -ENOTTY;
	argument->blocks += tce_take_spent(tce);
	return result;
}

/* the backend */

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

/* tce_iommu_release */
static void tce_free(struct sim_iommu *iommu)
{
	struct tce *tce = (struct tce *)iommu;

	tce_free_windows(tce);
	tce_free_registrations(tce);
	if (!tce->v2) {
		disable(tce);
	}
	(void)sim_mm_unref(tce->mm);
	free(tce);
}

static const struct sim_iommu_operations tce_operations = {
	.attach = tce_attach,
	.detach = tce_detach,
	.ioctl = tce_ioctl,
	.translate = tce_translate,
	.count = tce_count,
	.dump = tce_dump,
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
	tce->v2 = type == VFIO_SPAPR_TCE_v2_IOMMU;
	tce->damage = &container->model->damage;
	return &tce->iommu;
}

unsigned int sim_tce_find_windows(const struct sim_iommu *iommu, const struct sim_mm *mm,
				  struct sim_tce_window windows[SIM_WINDOWS])
{
	const struct tce *tce = (const struct tce *)iommu;
	unsigned int count = 0;

	if (iommu->operations != &tce_operations || !tce->v2 || !tce->enabled || tce->mm != mm ||
	    tce->default_pending || tce->groups == 0) {
		return 0;
	}
	for (unsigned int slot = 0; slot < SIM_WINDOWS; slot++) {
		const struct sim_table *table = tce->tables[slot];

		if (table) {
			windows[count++] = (struct sim_tce_window){
				.start = table->first << table->page_shift,
				.size = table->entries << table->page_shift,
				.page_shift = table->page_shift,
			};
		}
	}
	return count;
}
