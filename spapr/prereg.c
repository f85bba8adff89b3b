/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "spapr/prereg.h"

#include <errno.h>
#include <linux/vfio.h>

#include "common/trace.h"
#include "vfio/refusal.h"

/* tce_iommu_register_pages, mm_iommu_do_alloc */
static const struct refusal add_refusals[] = {
	{ENOMEM, ERROR_QUOTA_EXCEEDED,
	 "the pages can't be locked; raise the worker's locked-memory limit (RLIMIT_MEMLOCK), or "
	 "the host is out of memory"},
	{EFAULT, ERROR_KERNEL, "a page of the memory can't be pinned for writing"},
	{EBUSY, ERROR_MEMORY_IN_USE, "the container has registered these addresses already"},
	{EINVAL, ERROR_KERNEL, "the range overlaps a region that was not released"},
	{EPERM, ERROR_KERNEL, "the container belongs to another process"},
	{0, ERROR_NONE, NULL},
};

/* tce_iommu_unregister_pages */
static const struct refusal remove_refusals[] = {
	{ENOENT, ERROR_KERNEL, "the container doesn't know the region"},
	{EBUSY, ERROR_MEMORY_IN_USE, "a window still points into the region"},
	{0, ERROR_NONE, NULL},
};

static struct vfio_iommu_spapr_register_memory describe(const struct section *section)
{
	return (struct vfio_iommu_spapr_register_memory){
		.argsz = sizeof(struct vfio_iommu_spapr_register_memory),
		.vaddr = (uint64_t)(uintptr_t)section->address,
		.size = section->gpa.size,
	};
}

static int prereg_add(struct memory_listener *listener, const struct section *section,
		      struct error *error)
{
	struct prereg *prereg = (struct prereg *)listener;
	struct vfio_iommu_spapr_register_memory memory = describe(section);
	int r;

	r = kernel_ioctl(prereg->container->kernel, prereg->container->fd,
			 VFIO_IOMMU_SPAPR_REGISTER_MEMORY, &memory);
	trace_prereg_register(memory.vaddr, memory.size, r);
	if (r != 0) {
		return refusal_set(error, add_refusals, r, "register memory %s",
				   range_format(section->gpa).text);
	}
	atomic_store(&prereg->registered, true);
	return 0;
}

static int prereg_remove(struct memory_listener *listener, const struct section *section,
			 struct error *error)
{
	struct prereg *prereg = (struct prereg *)listener;
	struct vfio_iommu_spapr_register_memory memory = describe(section);
	int r;

	r = kernel_ioctl(prereg->container->kernel, prereg->container->fd,
			 VFIO_IOMMU_SPAPR_UNREGISTER_MEMORY, &memory);
	trace_prereg_unregister(memory.vaddr, memory.size, r);
	if (r == -EINVAL && container_has_lost_groups(prereg->container)) {
		return 0;
	}
	if (r != 0) {
		return refusal_set(error, remove_refusals, r, "unregister memory %s",
				   range_format(section->gpa).text);
	}
	return 0;
}

static const struct memory_listener_operations prereg_operations = {
	.name = "prereg",
	.takes_long = true,
	.add = prereg_add,
	.remove = prereg_remove,
};

void prereg_init(struct prereg *prereg, const struct container *container)
{
	prereg->listener.operations = &prereg_operations;
	prereg->container = container;
	atomic_init(&prereg->registered, false);
}
