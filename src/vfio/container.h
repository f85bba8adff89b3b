/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The container interface: what an address space asks of a VFIO container, whatever its kind.
 *
 * Concepts
 *   container  one container fd with its groups: where sections, windows and mappings become real.
 *   window     a range of IOVA with one IOMMU page size.
 *   plan       a window request in which nothing is left open any more, checked against everything
 *              that is known of the host before the kernel is asked.
 *
 * A container does what it is told or nothing, but for map and unmap: their caller takes back what
 * they did. Whether a request makes sense (overlaps, alignment, memory in use) is the address
 * space's business. All operations are called from one thread, but memory_add and memory_remove,
 * which take long: they may run on another one while map and unmap of other sections go on.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"
#include "common/range.h"
#include "host/kernel.h"
#include "vfio/section.h"

struct window {
	struct range range;
	uint32_t page_shift;
	uint32_t levels;
};

/* start is WORKER_WINDOW_ANYWHERE or fixed; 0 leaves each of the others open. */
struct window_request {
	uint64_t start;
	uint64_t size;
	uint32_t page_shift;
	uint32_t levels;
};

struct window_plan {
	uint64_t size;
	uint32_t page_shift;
	uint32_t levels;
	bool more_levels;      /* use more levels if the table can't be allocated */
	uint64_t locked_bytes; /* memory that creating it will lock, by the kernel's arithmetic */
};

/* What the planner has to know of the memory. */
struct memory_outlook {
	bool any;
	uint64_t last;         /* the highest address of memory */
	uint64_t largest_page; /* the largest IOMMU page that all sections allow */
};

struct container_capabilities {
	const char *iommu_type; /* "spapr-tce-v2"; static, shorter than WORKER_IOMMU_TYPE_SIZE */
	uint64_t page_sizes;    /* one bit for each IOMMU page size */
	struct window default_window; /* range.size is 0 if there is none */
	uint32_t max_windows;
	uint32_t max_levels;
	bool eeh;
	bool pins_memory; /* memory_add locks the section's memory, once for the whole process */
};

struct container;

struct container_operations {
	/* Make a section known, so that it can be mapped. May take long. */
	int (*memory_add)(struct container *container, const struct section *section,
			  struct error *error);
	int (*memory_remove)(struct container *container, const struct section *section,
			     struct error *error);

	/*
	 * Fill in what the request leaves open and check the result. ERROR_PAGE_SIZE,
	 * ERROR_TABLE_MEMORY, ERROR_QUOTA_EXCEEDED, ERROR_INVALID_ARGUMENT, ERROR_UNSUPPORTED.
	 */
	int (*window_plan)(const struct container *container, const struct window_request *request,
			   const struct memory_outlook *outlook, struct window_plan *ret_plan,
			   struct error *error);

	/* The start is the platform's choice. ERROR_TABLE_MEMORY, ERROR_NO_WINDOW_LEFT, … */
	int (*window_create)(struct container *container, const struct window_plan *plan,
			     struct window *ret_window, struct error *error);
	int (*window_remove)(struct container *container, uint64_t start, struct error *error);

	/* iova lies in `window`, and everything is aligned to its page. What is mapped there
	 * already is replaced. After a failure, what is mapped there is not known: unmap it. */
	int (*map)(struct container *container, const struct window *window, struct range iova,
		   void *address, uint32_t prot, struct error *error);
	/* iova lies in one window. After a failure, what is mapped there is not known. */
	int (*unmap)(struct container *container, struct range iova, struct error *error);

	/* Memory locked for the windows, by the kernel's own arithmetic; and what the next map will
	 * lock in addition, for tables that are still to be made. */
	uint64_t (*locked_bytes)(const struct container *container);
	uint64_t (*pending_bytes)(const struct container *container);
	/* What of locked_bytes stays locked until this process ends, even when the container is
	 * gone: the kernel doesn't take back what a failed window_create was charged. */
	uint64_t (*leaked_bytes)(const struct container *container);

	/* Let the groups go and free everything, in whatever state it is. */
	void (*free)(struct container *container);
};

/* Embedded as the first member of each implementation. */
struct container {
	const struct container_operations *operations;
	uint32_t id;
	uint32_t group;
	struct container_capabilities capabilities;
};

/*
 * Make a container of two fresh nodes. Both fds are taken, whatever the outcome. Who owns the
 * address space chooses the implementation by this function.
 *
 * ERROR_GROUP_NOT_VIABLE, ERROR_GROUP_BUSY, ERROR_UNSUPPORTED (the host has no such IOMMU),
 * ERROR_INVALID_ARGUMENT (an fd is not what it should be), ERROR_KERNEL
 */
typedef int container_factory(struct kernel *kernel, int container_fd, int group_fd, uint32_t group,
			      struct container **ret_container, struct error *error);

static inline int container_memory_add(struct container *container, const struct section *section,
				       struct error *error)
{
	return container->operations->memory_add(container, section, error);
}

static inline int container_memory_remove(struct container *container,
					  const struct section *section, struct error *error)
{
	return container->operations->memory_remove(container, section, error);
}

static inline int container_window_plan(const struct container *container,
					const struct window_request *request,
					const struct memory_outlook *outlook,
					struct window_plan *ret_plan, struct error *error)
{
	return container->operations->window_plan(container, request, outlook, ret_plan, error);
}

static inline int container_window_create(struct container *container,
					  const struct window_plan *plan, struct window *ret_window,
					  struct error *error)
{
	return container->operations->window_create(container, plan, ret_window, error);
}

static inline int container_window_remove(struct container *container, uint64_t start,
					  struct error *error)
{
	return container->operations->window_remove(container, start, error);
}

static inline int container_map(struct container *container, const struct window *window,
				struct range iova, void *address, uint32_t prot,
				struct error *error)
{
	return container->operations->map(container, window, iova, address, prot, error);
}

static inline int container_unmap(struct container *container, struct range iova,
				  struct error *error)
{
	return container->operations->unmap(container, iova, error);
}

static inline uint64_t container_locked_bytes(const struct container *container)
{
	return container->operations->locked_bytes(container);
}

static inline uint64_t container_pending_bytes(const struct container *container)
{
	return container->operations->pending_bytes(container);
}

static inline uint64_t container_leaked_bytes(const struct container *container)
{
	return container->operations->leaked_bytes(container);
}

/* Takes NULL, returns NULL. */
static inline struct container *container_free(struct container *container)
{
	if (container) {
		container->operations->free(container);
	}
	return NULL;
}
