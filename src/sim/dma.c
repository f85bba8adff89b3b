/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* DMA by the devices of a simulated host. */
#include <errno.h>
#include <inttypes.h>
#include <sys/param.h>

#include "common/range.h"
#include "sim/eeh.h"
#include "sim/model.h"

/* One DMA on its way. */
struct dma {
	const struct sim_device *device;
	struct sim_group *group;
	bool writes;
	uint8_t *data;
};

static int block(const struct dma *dma, uint64_t iova, const char *obstacle, struct error *error)
{
	return error_set(error, ERROR_DMA_FAULT, 0,
			 "%s by device %s at iova 0x%" PRIx64 " through group %u: %s",
			 dma->writes ? "write" : "read", dma->device->name, iova,
			 dma->group->number, obstacle);
}

/* A fault is where a PE is frozen. */
static int fault(const struct dma *dma, uint64_t iova, const char *missing, struct error *error)
{
	sim_eeh_handle_dma_fault(dma->group);
	return block(dma, iova, missing, error);
}

/* Move what lies in the one IOMMU page at iova. */
static int move_in_page(const struct dma *dma, uint64_t iova, uint32_t size, struct error *error,
			uint32_t *ret_moved)
{
	const struct sim_iommu *iommu = dma->group->container->iommu;
	struct sim_translation to;
	const char *missing = iommu->operations->translate(iommu, iova, &to);
	uint32_t part;
	int r;

	if (missing) {
		return fault(dma, iova, missing, error);
	}
	if (dma->writes ? !to.writable : !to.readable) {
		return fault(dma, iova,
			     dma->writes ? "the mapping has no write permission"
					 : "the mapping has no read permission",
			     error);
	}
	part = (uint32_t)MIN(size, to.size);
	r = dma->writes ? sim_region_write(to.region, to.ua, dma->data, part)
			: sim_region_read(to.region, to.ua, dma->data, part);
	if (r < 0) {
		return fault(dma, iova, "the memory behind the mapping was taken away", error);
	}
	*ret_moved = part;
	return 0;
}

static int move(struct sim_model *model, const char *name, bool writes, uint64_t iova,
		uint8_t *data, uint32_t size, struct error *error)
{
	struct dma dma = {.writes = writes, .data = data};
	int index = sim_host_find_device(model->host, name);
	const char *obstacle;

	if (size == 0 || size > SIM_DMA_MAX || !range_is_valid(iova, size)) {
		return error_set(error, ERROR_INVALID_ARGUMENT, 0,
				 "a DMA of %u bytes at iova 0x%" PRIx64 "; 1 to %u are possible",
				 size, iova, SIM_DMA_MAX);
	}
	if (index < 0) {
		return error_set(error, ERROR_NOT_FOUND, 0, "device %s", name);
	}
	if (!model->functions[index]) {
		return error_set(error, ERROR_NOT_FOUND, 0, "device %s is unplugged", name);
	}
	dma.device = &model->host->devices[index];
	if (dma.device->group == SIM_NO_GROUP) {
		return error_set(error, ERROR_NOT_FOUND, 0, "device %s is a bridge, in no group",
				 name);
	}
	dma.group = &model->groups[dma.device->group];
	obstacle = sim_eeh_find_dma_obstacle(dma.group);
	if (obstacle) {
		return block(&dma, iova, obstacle, error);
	}
	if (!dma.group->container || !dma.group->container->iommu) {
		return fault(&dma, iova, "the group has no container, or that has no IOMMU type",
			     error);
	}
	while (size > 0) {
		uint32_t moved = 0;
		int code = move_in_page(&dma, iova, size, error, &moved);

		if (code) {
			return code;
		}
		iova += moved;
		dma.data += moved;
		size -= moved;
	}
	return 0;
}

int sim_model_dma_read(struct sim_model *model, const char *device, uint64_t iova, void *data,
		       uint32_t size, struct error *error)
{
	return move(model, device, false, iova, data, size, error);
}

int sim_model_dma_write(struct sim_model *model, const char *device, uint64_t iova,
			const void *data, uint32_t size, struct error *error)
{
	/* The direction decides: a write only reads data. */
	return move(model, device, true, iova, (uint8_t *)(uintptr_t)data, size, error);
}
