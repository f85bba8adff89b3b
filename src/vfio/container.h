/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The container interface: what an address space asks of a VFIO container, whatever its kind.
 *
 * Concepts
 *   container  one container fd with its groups: where sections, windows and mappings become real.
 *   kind       TCE v2, TCE v1, type1v2 or type1: one implementation of this interface each, though
 *              the last two share one.
 *   window     a range of IOVA with one IOMMU page size.
 *   plan       a window request in which nothing is left open any more, checked against everything
 *              that is known of the host before the kernel is asked.
 *
 * A container does what it is told or nothing, but for map and unmap: their caller takes back what
 * they did. Whether a request makes sense (overlaps, alignment, memory in use) is the address
 * space's business. All operations are called from one thread, but what listeners do that take
 * long (listener.h): they may run on another one while map and unmap of other sections go on. What
 * is done with the fds of a held group (space.h) isn't an operation of the container's, and may run
 * on others as well.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"
#include "common/range.h"
#include "common/worker_protocol.h"
#include "host/kernel.h"
#include "vfio/group.h"
#include "vfio/listener.h"
#include "vfio/refusal.h"
#include "vfio/section.h"

struct window {
	struct range range;
	uint32_t page_shift;
	uint32_t levels;
	bool by_default; /* in an address space: it came with a container */
};

/* start is WORKER_WINDOW_ANYWHERE or fixed; 0 leaves each of the others open. */
struct window_request {
	uint64_t start;
	uint64_t size;
	uint32_t page_shift;
	uint32_t levels;
	uint32_t flags; /* WORKER_WINDOW_* */
};

struct window_plan {
	uint64_t start; /* WORKER_WINDOW_ANYWHERE where the platform decides */
	uint64_t size;
	uint32_t page_shift;
	uint32_t levels;
	bool more_levels;      /* use more levels if the table can't be allocated */
	uint64_t locked_bytes; /* memory that creating it will lock, by the kernel's arithmetic */
};

/* One way to have a window, legal or not. */
struct window_choice {
	uint64_t size;
	uint32_t page_shift;
	uint32_t levels;
	uint64_t locked_bytes;
	uint64_t tces;
	uint64_t piece_bytes; /* the largest piece of memory that its table takes at once, or 0 */
	enum error_code code; /* why the host can't have it, or ERROR_NONE */
};

/* What the planner has to know of the memory. */
struct memory_outlook {
	bool any;
	uint64_t last;         /* the highest address of memory */
	uint64_t largest_page; /* the largest IOMMU page that all sections allow */
};

/* What policy allows a window. 0 in each field: whatever the host has. */
struct window_limits {
	uint64_t page_sizes;  /* one bit for each */
	uint64_t most_tces;   /* of one window: what its removal costs (field note H32) */
	uint64_t table_piece; /* bytes that count as a safe allocation */
};

/* When the memory behind mappings becomes locked. */
enum container_pinning {
	CONTAINER_PINS_SECTIONS, /* by the listeners, once for the whole process */
	CONTAINER_PINS_MAPPINGS, /* by each map, in each container */
	CONTAINER_PINS_AT_START, /* by container_start, for good: the size of the default window */
};

struct container_capabilities {
	const char *iommu_type; /* "spapr-tce-v2"; static, shorter than WORKER_IOMMU_TYPE_SIZE */
	uint64_t page_sizes;    /* one bit for each IOMMU page size */
	/* What it comes with, in order of start. TCE has one or none; type1 has the ranges of IOVA
	 * that the host can use. */
	struct window default_windows[WORKER_WINDOWS_MAX];
	unsigned int default_window_count;
	uint32_t max_windows;
	uint32_t max_levels;
	bool eeh;
	enum container_pinning pinning;
	/* Windows exist in our books only, and are wherever they are wanted inside the default
	 * windows. */
	bool windows_are_books;
	/* No second group can join: TCE v1; an LPAR once it has windows. */
	bool one_group;
	/* A group that leaves clears the mappings of those that stay (tce_iommu_release_ownership,
	 * field note H33). */
	bool leaving_clears;
	/* Its windows can't be removed: TCE v1. */
	bool windows_stay;
	/* The default window can't be had back once it is gone. */
	bool default_window_is_precious;
};

#define CONTAINER_LISTENERS_MAX 4

/* Embedded as the first member of each implementation. */
struct container {
	const struct container_operations *operations;
	struct kernel *kernel; /* not owned */
	int fd;                /* owned */
	uint32_t id;
	struct group groups[WORKER_GROUPS_MAX]; /* in order of joining, at least one */
	unsigned int group_count;
	struct container_capabilities capabilities;
	/* Asked between the pieces of a long map, on its thread: whether to stop. Then the map
	 * fails with ERROR_BUSY, as any other. NULL: never. */
	bool (*interrupted)(void *userdata);
	void *interrupted_userdata;
	bool kept_memory; /* container_kept_memory */
	/* Groups that are held (space_hold_group): as long as there are any, all groups stay. */
	unsigned int holds;
	unsigned int fixed; /* of them, those during which no group may join */
	int better_refused; /* the errno with which the kernel refused a better kind, or 0 */
	struct memory_listener own_listener; /* vfio/identity.h */
	/* Parts of the implementation, then its own; told in this order of what comes, and in the
	 * reverse of what goes. */
	struct memory_listener *listeners[CONTAINER_LISTENERS_MAX];
	unsigned int listener_count;
};

struct container_operations {
	/*
	 * Make it ready to map, once, when everything but that is known to be possible.
	 * start_bytes is what this locks (0 for most). NULL: nothing to do.
	 */
	int (*start)(struct container *container, struct error *error);
	uint64_t (*start_bytes)(const struct container *container);

	/*
	 * A fresh group joins, or one of several leaves. Both are all or nothing, but that leaving
	 * clears mappings where capabilities.leaving_clears says so. container_vfio_join and
	 * container_vfio_leave for all that are real; then `groups_changed` reads again what
	 * depends on the groups (may be NULL).
	 *
	 * Join: the fd is taken if it succeeds, else it stays the caller's, as fresh as before, for
	 * another container may take the group. ERROR_GROUP_BUSY with an errno: the container and
	 * the group don't go together, or somebody else has the group, which the kernel doesn't
	 * tell apart; ERROR_QUOTA_EXCEEDED; and what group_attach and groups_changed answer.
	 *
	 * Leave: the fd becomes the caller's where ret_group_fd isn't NULL, else it is closed.
	 * ERROR_NOT_FOUND; ERROR_BUSY (a device of it is open).
	 */
	int (*join)(struct container *container, int group_fd, uint32_t group, struct error *error);
	int (*leave)(struct container *container, uint32_t group, int *ret_group_fd,
		     struct error *error);
	int (*groups_changed)(struct container *container, struct error *error);

	/*
	 * Fill in what the request leaves open and check the result. ERROR_PAGE_SIZE,
	 * ERROR_TABLE_MEMORY, ERROR_QUOTA_EXCEEDED, ERROR_INVALID_ARGUMENT, ERROR_UNSUPPORTED;
	 * where windows are books also ERROR_WINDOW_START and ERROR_NO_WINDOW_LEFT.
	 */
	int (*window_plan)(const struct container *container, const struct window_request *request,
			   const struct memory_outlook *outlook, const struct window_limits *limits,
			   struct window_plan *ret_plan, struct error *error);

	/*
	 * All that the request leaves open, spelled out: the ways to have such a window, legal or
	 * not, at most WORKER_CHOICES_MAX. How many there are.
	 */
	unsigned int (*window_choices)(const struct container *container,
				       const struct window_request *request,
				       const struct memory_outlook *outlook,
				       const struct window_limits *limits,
				       struct window_choice ret_choices[WORKER_CHOICES_MAX]);

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

	/*
	 * How many more maps the kernel takes (type1's entry limit). NULL: any number; then a range
	 * that was mapped at once can be unmapped piece by piece.
	 */
	uint64_t (*maps_left)(const struct container *container);
	/* Whether a range can be unmapped without touching what was mapped together with it. NULL:
	 * always. ERROR_BUSY, with what has to be unmapped as a whole. */
	int (*check_unmap)(const struct container *container, struct range iova,
			   struct error *error);

	/*
	 * Have the kernel make what the next map would: the table of the default window, which
	 * others can't use before (spapr/kvm.h). That locks pending_bytes. NULL: there is nothing
	 * of that kind. ERROR_MEMORY_UNKNOWN (it wants memory first), ERROR_TABLE_MEMORY, …
	 */
	int (*settle)(struct container *container, struct error *error);

	/* Memory locked for the windows (and by start), by the kernel's own arithmetic; and what
	 * the next map will lock in addition, for tables that are still to be made. */
	uint64_t (*locked_bytes)(const struct container *container);
	uint64_t (*pending_bytes)(const struct container *container);
	/* What of locked_bytes stays locked until this process ends, even when the container is
	 * gone: the kernel doesn't take back what a failed window_create was charged. */
	uint64_t (*leaked_bytes)(const struct container *container);

	/* Whether the kernel still says of the container what it said when it was set up:
	 * ERROR_RECOVERY_FAILED. NULL: it can't be asked. */
	int (*verify)(const struct container *container, struct error *error);

	/* Let the groups go and free everything, in whatever state it is (container_done). */
	void (*free)(struct container *container);
};

/* One kind, as container_open needs it. */
struct container_kind {
	const char *iommu_type;
	unsigned long extension;        /* of VFIO_CHECK_EXTENSION and VFIO_SET_IOMMU */
	const struct refusal *refusals; /* of VFIO_SET_IOMMU */
	/* An implementation with its operations and listeners, but nothing known of the host. NULL
	 * for lack of memory. */
	struct container *(*new_container)(void);
	/* Read the capabilities, once the kernel has the group and the kind. */
	int (*set_up)(struct container *container, struct error *error);
};

struct container_request {
	int container_fd; /* a fresh node */
	int group_fd;     /* likewise */
	uint32_t group;
	uint32_t id;            /* of the new container */
	const char *iommu_type; /* NULL: the first kind that the host takes */
};

/*
 * Make a container of two fresh nodes. Both fds are taken, whatever the outcome. An address space
 * is given the function that chooses among the kinds that its program has.
 *
 * ERROR_GROUP_NOT_VIABLE, ERROR_GROUP_BUSY, ERROR_UNSUPPORTED (the host has no such IOMMU),
 * ERROR_INVALID_ARGUMENT (an fd is not what it should be, or there is no such kind), ERROR_KERNEL
 */
typedef int container_opener(struct kernel *kernel, const struct container_request *request,
			     struct container **ret_container, struct error *error);

/* A container_opener with the kinds to choose from, best first; NULL ends them. One that the kernel
 * refuses is passed over, unless it was asked for. */
int container_open(struct kernel *kernel, const struct container_kind *const *kinds,
		   const struct container_request *request, struct container **ret_container,
		   struct error *error);

/* For implementations: operations that are alike for all. */
int container_vfio_join(struct container *container, int group_fd, uint32_t group,
			struct error *error);
int container_vfio_leave(struct container *container, uint32_t group, int *ret_group_fd,
			 struct error *error);

/* For implementations: let all groups go and close the fd. */
void container_done(struct container *container);

/* The group's place in groups, or group_count. */
unsigned int container_group_index(const struct container *container, uint32_t group);

/* Whether the devices of all its groups are gone. Then the kernel has let everything of the
 * container go, and answers EINVAL to whatever it is asked (vfio_group_detach_container). */
bool container_has_lost_groups(const struct container *container);

/* The open devices of all its groups: group_quiesce and group_go_on. */
void container_quiesce(struct container *container);
void container_go_on(struct container *container);

/* "group 3", or "groups 3, 5, 7": for error texts. */
struct container_groups_text {
	char text[96];
};
struct container_groups_text container_groups_format(const struct container *container);

/* Tell the listeners that take long of a section, all or none. The ways of the slow pool. None
 * hears of a section that is skipped. */
int container_memory_add(struct container *container, const struct section *section,
			 struct error *error);
int container_memory_remove(struct container *container, const struct section *section,
			    struct error *error);

/* Tell those that don't. */
int container_section_add(struct container *container, const struct section *section,
			  struct error *error);
int container_section_remove(struct container *container, const struct section *section,
			     struct error *error);

static inline uint64_t container_start_bytes(const struct container *container)
{
	return container->operations->start_bytes ? container->operations->start_bytes(container)
						  : 0;
}

static inline int container_start(struct container *container, struct error *error)
{
	return container->operations->start ? container->operations->start(container, error) : 0;
}

static inline int container_join(struct container *container, int group_fd, uint32_t group,
				 struct error *error)
{
	return container->operations->join(container, group_fd, group, error);
}

static inline int container_leave(struct container *container, uint32_t group, int *ret_group_fd,
				  struct error *error)
{
	return container->operations->leave(container, group, ret_group_fd, error);
}

static inline int container_window_plan(const struct container *container,
					const struct window_request *request,
					const struct memory_outlook *outlook,
					const struct window_limits *limits,
					struct window_plan *ret_plan, struct error *error)
{
	return container->operations->window_plan(container, request, outlook, limits, ret_plan,
						  error);
}

static inline unsigned int container_window_choices(
	const struct container *container, const struct window_request *request,
	const struct memory_outlook *outlook, const struct window_limits *limits,
	struct window_choice ret_choices[WORKER_CHOICES_MAX])
{
	return container->operations->window_choices(container, request, outlook, limits,
						     ret_choices);
}

static inline uint64_t container_maps_left(const struct container *container)
{
	return container->operations->maps_left ? container->operations->maps_left(container)
						: UINT64_MAX;
}

static inline int container_check_unmap(const struct container *container, struct range iova,
					struct error *error)
{
	return container->operations->check_unmap
		       ? container->operations->check_unmap(container, iova, error)
		       : 0;
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

/*
 * Whether the memory of a map that has just failed may be the kernel's for good, though nothing
 * points into it once it is unmapped: then it must stay as it is until this process ends (field
 * note H12). Asking makes it forget.
 */
static inline bool container_kept_memory(struct container *container)
{
	bool kept = container->kept_memory;

	container->kept_memory = false;
	return kept;
}

static inline int container_unmap(struct container *container, struct range iova,
				  struct error *error)
{
	return container->operations->unmap(container, iova, error);
}

static inline int container_settle(struct container *container, struct error *error)
{
	return container->operations->settle ? container->operations->settle(container, error) : 0;
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

static inline int container_verify(const struct container *container, struct error *error)
{
	return container->operations->verify ? container->operations->verify(container, error) : 0;
}

/* Takes NULL, returns NULL. */
static inline struct container *container_free(struct container *container)
{
	if (container) {
		container->operations->free(container);
	}
	return NULL;
}
