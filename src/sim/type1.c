/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/type1.h"

#include <errno.h>
#include <linux/vfio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/param.h>

#include "sim/container.h"
#include "sim/model.h"
#include "sim/type1_private.h"

#define KERNEL_WITHOUT_NESTING SIM_KERNEL(6, 13)
#define KERNEL_WITH_EOVERFLOW  SIM_KERNEL(6, 18)
#define IOVA_RANGES_MAX        256U

/* The kernel's own layout: its headers have had cap_offset and padding for longer than some that a
 * program is compiled with. */
#define INFO_SIZE     24U
#define INFO_SIZE_MIN 16U
#define CAP_ALIGNMENT 8U

int sim_type1_check_extension(const struct sim_container *container, uint64_t extension)
{
	switch (extension) {
	case VFIO_TYPE1_IOMMU:
	case VFIO_TYPE1v2_IOMMU:
	case VFIO_UNMAP_ALL:
		return 1;
	case VFIO_TYPE1_NESTING_IOMMU:
		return container->model->host->settings.kernel < KERNEL_WITHOUT_NESTING;
	case VFIO_UPDATE_VADDR:
		return container->iommu != NULL;
	default:
		/* VFIO_DMA_CC_IOMMU, too: an emulated IOMMU has no snoop control. */
		return 0;
	}
}

bool type1_reaches_end(const struct type1 *type1)
{
	return type1->host->settings.kernel >= KERNEL_WITH_EOVERFLOW;
}

int type1_wrap_error(const struct type1 *type1)
{
	return type1->host->settings.kernel >= KERNEL_WITH_EOVERFLOW ? -EOVERFLOW : -EINVAL;
}

/* The page sizes that all groups of the container have, as GET_INFO shows them: none below the
 * host's own, since memory is pinned by those. */
static uint64_t find_page_sizes(const struct type1 *type1)
{
	uint64_t host_page = UINT64_C(1) << type1->host->page_shift;
	uint64_t sizes = UINT64_MAX;

	for (const struct sim_group *group = type1->iommu.container->groups; group;
	     group = group->next) {
		sizes &= group->phb->page_sizes;
	}
	/* vfio_update_pgsize_bitmap */
	if (sizes & (host_page - 1)) {
		sizes = (sizes & ~(host_page - 1)) | host_page;
	}
	return sizes;
}

uint64_t type1_page_size(const struct type1 *type1)
{
	uint64_t sizes = find_page_sizes(type1);

	return sizes & -sizes;
}

/* GET_INFO */

struct capabilities {
	uint8_t bytes[SIM_ARGUMENT_MAX];
	size_t size;
	size_t last; /* offset of the last header */
};

/* Append one, of what comes behind its header. Offsets count from the chain's begin, as yet. */
static void add_capability(struct capabilities *capabilities, uint16_t id, const void *body,
			   size_t size)
{
	struct vfio_info_cap_header header = {.id = id, .version = 1};
	size_t whole = (sizeof(header) + size + CAP_ALIGNMENT - 1) & ~(size_t)(CAP_ALIGNMENT - 1);
	struct vfio_info_cap_header last;

	memset(capabilities->bytes + capabilities->size, 0, whole);
	if (capabilities->size > 0) {
		memcpy(&last, capabilities->bytes + capabilities->last, sizeof(last));
		last.next = (uint32_t)(INFO_SIZE + capabilities->size);
		memcpy(capabilities->bytes + capabilities->last, &last, sizeof(last));
	}
	memcpy(capabilities->bytes + capabilities->size, &header, sizeof(header));
	memcpy(capabilities->bytes + capabilities->size + sizeof(header), body, size);
	capabilities->last = capabilities->size;
	capabilities->size += whole;
}

static void add_iova_ranges(const struct sim_host *host, struct capabilities *capabilities)
{
	struct {
		uint32_t count;
		uint32_t reserved;
		struct vfio_iova_range range[IOVA_RANGES_MAX];
	} body = {.count = (uint32_t)MIN(host->iova_range_count, IOVA_RANGES_MAX)};

	for (size_t i = 0; i < body.count; i++) {
		body.range[i] = (struct vfio_iova_range){
			.start = host->iova_ranges[i].first,
			.end = host->iova_ranges[i].last,
		};
	}
	if (body.count > 0) {
		add_capability(capabilities, VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE, &body,
			       sizeof(body) - sizeof(body.range) +
				       body.count * sizeof(body.range[0]));
	}
}

/* In the kernel's order. */
static void add_capabilities(const struct type1 *type1, struct capabilities *capabilities)
{
	const size_t header_size = sizeof(struct vfio_info_cap_header);
	struct vfio_iommu_type1_info_cap_migration migration;
	uint32_t available = type1->host->dma_entry_limit - (uint32_t)type1->entries.count;

	/* Its padding goes to the caller as well. */
	memset(&migration, 0, sizeof(migration));
	migration.pgsize_bitmap = type1_page_size(type1);
	migration.max_dirty_bitmap_size = TYPE1_BITMAP_SIZE_MAX;
	capabilities->size = 0;
	add_capability(capabilities, VFIO_IOMMU_TYPE1_INFO_CAP_MIGRATION,
		       (const uint8_t *)&migration + header_size, sizeof(migration) - header_size);
	add_capability(capabilities, VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL, &available,
		       sizeof(available));
	add_iova_ranges(type1->host, capabilities);
}

static int handle_get_info(const struct type1 *type1, struct sim_argument *argument)
{
	struct {
		uint32_t argsz;
		uint32_t flags;
		uint64_t page_sizes;
		uint32_t cap_offset;
		uint32_t padding;
	} info = {.flags = VFIO_IOMMU_INFO_PGSIZES | VFIO_IOMMU_INFO_CAPS};
	struct capabilities capabilities;

	_Static_assert(sizeof(info) == INFO_SIZE, "struct vfio_iommu_type1_info of Linux 6.12");
	memcpy(&info.argsz, argument->data, sizeof(info.argsz));
	if (info.argsz < INFO_SIZE_MIN) {
		return -EINVAL;
	}
	info.page_sizes = find_page_sizes(type1);
	add_capabilities(type1, &capabilities);
	argument->out_size = MIN(info.argsz, INFO_SIZE);
	if (info.argsz < INFO_SIZE + capabilities.size) {
		info.argsz = (uint32_t)(INFO_SIZE + capabilities.size);
	} else {
		info.cap_offset = INFO_SIZE;
		memcpy((uint8_t *)argument->data + INFO_SIZE, capabilities.bytes,
		       capabilities.size);
		argument->out_size = INFO_SIZE + capabilities.size;
	}
	memcpy(argument->data, &info, MIN(argument->out_size, INFO_SIZE));
	return 0;
}

/* looking */

static const char *type1_translate(const struct sim_iommu *iommu, uint64_t iova,
				   struct sim_translation *ret_translation)
{
	const struct type1 *type1 = (const struct type1 *)iommu;
	const struct sim_entry *entry = sim_entries_overlap(&type1->entries, iova, 1);

	if (!entry) {
		return "the address is not mapped";
	}
	*ret_translation = (struct sim_translation){
		.region = &entry->region,
		.ua = entry->region.ua + (iova - entry->iova),
		.size = entry->size - (iova - entry->iova),
		.readable = entry->permissions & VFIO_DMA_MAP_FLAG_READ,
		.writable = entry->permissions & VFIO_DMA_MAP_FLAG_WRITE,
	};
	return NULL;
}

static void type1_count(const struct sim_iommu *iommu, struct sim_statistics *statistics)
{
	const struct type1 *type1 = (const struct type1 *)iommu;

	for (size_t i = 0; i < type1->entries.count; i++) {
		statistics->mapped_tces += type1->entries.entry[i]->region.pages;
		statistics->pinned_bytes += type1->entries.entry[i]->locked
					    << type1->host->page_shift;
	}
}

/* Whether an entry only goes on where the last of a dump ends. */
static bool continues(const struct sim_dump *dump, const struct sim_dump_entry *entry)
{
	const struct sim_dump_entry *last;

	if (dump->entry_count == 0) {
		return false;
	}
	last = &dump->entry[dump->entry_count - 1];
	return last->iova + last->size == entry->iova && last->ua + last->size == entry->ua &&
	       last->permissions == entry->permissions;
}

/* There are no windows. */
static void type1_dump(const struct sim_iommu *iommu, uint64_t from, struct sim_dump *dump)
{
	const struct sim_entries *entries = &((const struct type1 *)iommu)->entries;

	for (size_t i = sim_entries_find(entries, from); i < entries->count; i++) {
		const struct sim_entry *entry = entries->entry[i];
		uint64_t skipped = entry->iova < from ? from - entry->iova : 0;
		struct sim_dump_entry next = {
			.iova = entry->iova + skipped,
			.ua = entry->region.ua + skipped,
			.size = entry->size - skipped,
			.permissions = entry->permissions,
		};

		if (continues(dump, &next)) {
			dump->entry[dump->entry_count - 1].size += next.size;
			continue;
		}
		if (dump->entry_count == MIN(dump->most, SIM_DUMP_ENTRIES)) {
			dump->more = 1;
			break;
		}
		dump->entry[dump->entry_count++] = next;
	}
}

/* the backend */

/* All groups share one domain: a mapping is there for each. */
static int type1_attach(struct sim_iommu *iommu, struct sim_group *group)
{
	const struct type1 *type1 = (const struct type1 *)iommu;

	(void)group;
	if (type1->invalid_vaddrs > 0) {
		return -EBUSY; /* nothing could be pinned for it */
	}
	/* iommu_enable_nesting: no IOMMU of x86 can. */
	return iommu->type == VFIO_TYPE1_NESTING_IOMMU ? -EINVAL : 0;
}

static void type1_detach(struct sim_iommu *iommu, struct sim_group *group)
{
	(void)iommu;
	(void)group;
}

static int type1_ioctl(struct sim_iommu *iommu, const struct sim_caller *caller,
		       unsigned long request, struct sim_argument *argument)
{
	struct type1 *type1 = (struct type1 *)iommu;

	switch (request) {
	case VFIO_IOMMU_GET_INFO:
		return argument->data ? handle_get_info(type1, argument) : -EFAULT;
	case VFIO_IOMMU_MAP_DMA:
		return argument->data ? type1_handle_map(type1, caller, argument) : -EFAULT;
	case VFIO_IOMMU_UNMAP_DMA:
		return argument->data ? type1_handle_unmap(type1, argument) : -EFAULT;
	case VFIO_IOMMU_DIRTY_PAGES:
		return type1_handle_dirty_pages(type1, argument);
	default:
		return -ENOTTY;
	}
}

static void type1_free(struct sim_iommu *iommu)
{
	struct type1 *type1 = (struct type1 *)iommu;

	sim_entries_done(&type1->entries);
	free(type1);
}

static const struct sim_iommu_operations type1_operations = {
	.attach = type1_attach,
	.detach = type1_detach,
	.ioctl = type1_ioctl,
	.translate = type1_translate,
	.count = type1_count,
	.dump = type1_dump,
	.free = type1_free,
};

struct sim_iommu *sim_type1_new(struct sim_container *container, uint64_t type)
{
	struct type1 *type1 = calloc(1, sizeof(*type1));

	if (!type1) {
		return NULL;
	}
	type1->iommu = (struct sim_iommu){
		.operations = &type1_operations,
		.container = container,
		.type = type,
	};
	type1->host = container->model->host;
	type1->v2 = type != VFIO_TYPE1_IOMMU;
	return &type1->iommu;
}
