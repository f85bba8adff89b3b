/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The kernel model for tests of the TCE backend on hosts other than the usual one. */
#pragma once

#include "sim/faults.h"
#include "sim_model_fixture.h"

/* A model of a built-in host as `change` makes it, with the first group in a container of that
 * IOMMU type; 0: without SET_IOMMU. */
static inline int set_up_on(void **state, const char *host, void (*change)(struct sim_host *host),
			    uint64_t type)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	*state = fixture;
	assert_int_equal(sim_host_new_builtin(host, &fixture->host), 0);
	if (change) {
		change(fixture->host);
	}
	assert_int_equal(sim_model_new(fixture->host, &fixture->model), 0);
	fixture->mm = sim_model_mm_new(fixture->model);
	assert_non_null(fixture->mm);
	fixture->caller = (struct sim_caller){.mm = fixture->mm, .memlock_limit = NO_LIMIT};
	assert_int_equal(sim_model_open(fixture->model, "/dev/vfio/vfio", &fixture->container), 0);
	assert_int_equal(sim_model_open(fixture->model, "/dev/vfio/0", &fixture->group), 0);
	assert_int_equal(join(fixture, fixture->group, fixture->container), 0);
	if (type) {
		assert_int_equal(value_ioctl(fixture, fixture->container, VFIO_SET_IOMMU, type), 0);
	}
	return 0;
}

/* Every PHB of the host alike. */
static inline void set_windows(struct sim_host *host, uint64_t dma32_size, uint64_t page_sizes,
			       unsigned int levels, unsigned int windows)
{
	for (size_t i = 0; i < host->phb_count; i++) {
		host->phbs[i].dma32_size = dma32_size;
		host->phbs[i].page_sizes = page_sizes;
		host->phbs[i].levels = levels;
		host->phbs[i].windows = windows;
	}
}

static inline struct vfio_iommu_spapr_tce_info get_info(struct fixture *fixture)
{
	struct vfio_iommu_spapr_tce_info info = {.argsz = sizeof(info), .flags = 0xff};

	assert_int_equal(struct_ioctl(fixture, fixture->container, VFIO_IOMMU_SPAPR_TCE_GET_INFO,
				      &info, sizeof(info)),
			 0);
	return info;
}

/* An ioctl whose argument can't be read. */
static inline int unreadable_ioctl(struct fixture *fixture, struct sim_node node,
				   unsigned long request)
{
	struct sim_argument argument = {.data = NULL};

	return sim_node_ioctl(node, &fixture->caller, request, &argument);
}

/* An ioctl that must give 0, with the milliseconds that it takes. */
static inline uint32_t time_ioctl(struct fixture *fixture, struct sim_node node,
				  unsigned long request, void *structure)
{
	struct sim_argument argument = {.data = structure};

	assert_int_equal(sim_node_ioctl(node, &fixture->caller, request, &argument), 0);
	return argument.blocks;
}

static inline uint32_t time_unmap(struct fixture *fixture, uint64_t iova, uint64_t size)
{
	struct vfio_iommu_type1_dma_unmap dma = {.argsz = 24, .iova = iova, .size = size};

	return time_ioctl(fixture, fixture->container, VFIO_IOMMU_UNMAP_DMA, &dma);
}

static inline uint32_t time_remove(struct fixture *fixture, uint64_t start)
{
	struct vfio_iommu_spapr_tce_remove window = {.argsz = sizeof(window), .start_addr = start};

	return time_ioctl(fixture, fixture->container, VFIO_IOMMU_SPAPR_TCE_REMOVE, &window);
}

/* Have one of the next steps of that name go wrong, after so many. The caller is done with the
 * rules (end_steps). */
static inline void fail_step(struct fixture *fixture, struct sim_faults *faults, const char *step,
			     uint32_t skip, int errnum)
{
	struct sim_rule rule = {.skip = skip, .times = 1, .errnum = errnum};
	struct error error;
	uint32_t id;

	sim_rule_name(&rule, step);
	assert_int_equal(sim_faults_add(faults, &rule, &id, &error), 0);
	fixture->model->faults = faults;
}

static inline void end_steps(struct fixture *fixture, struct sim_faults *faults)
{
	fixture->model->faults = NULL;
	sim_faults_done(faults);
}
