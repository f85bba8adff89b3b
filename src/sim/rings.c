/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The simulated host's side of rings (sim/ring.h). */
#include <errno.h>
#include <fcntl.h>
#include <linux/vfio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/param.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "sim/ring.h"
#include "sim/simhost_private.h"
#include "sim/tce.h"

/* The numbers that count are kept here: what is shared can be anything at any time. */
struct simhost_ring {
	struct simhost_ring *next;
	struct simhost_process *process;
	struct simhost_node *node;
	int fd;
	struct sim_ring *shared;
	uint64_t epoch; /* even: the one that is open, or was last */
	uint64_t head;
	bool open;
};

/* rings */

static void set_epoch(struct simhost_ring *ring, uint64_t epoch)
{
	__atomic_store_n(&ring->shared->epoch, epoch, __ATOMIC_SEQ_CST);
}

static void free_ring(struct simhost *simhost, struct simhost_ring *ring)
{
	struct simhost_ring **link = &simhost->rings;

	while (*link != ring) {
		link = &(*link)->next;
	}
	*link = ring->next;
	set_epoch(ring, SIM_RING_DEAD);
	(void)munmap(ring->shared, sizeof(*ring->shared));
	(void)fd_close(ring->fd);
	free(ring);
}

void simhost_drop_rings(struct simhost *simhost, const struct simhost_process *process,
			const struct simhost_node *node)
{
	for (struct simhost_ring *ring = simhost->rings, *next; ring; ring = next) {
		next = ring->next;
		if ((!process || ring->process == process) && (!node || ring->node == node)) {
			free_ring(simhost, ring);
		}
	}
}

/* A file of the ring's size, for good: a process that made it smaller would end the host. */
static int make_file(void)
{
	int fd = memfd_create("spaprd-ring", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0) {
		return -errno;
	}
	if (ftruncate(fd, sizeof(struct sim_ring)) < 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0) {
		int r = -errno;

		(void)fd_close(fd);
		return r;
	}
	return fd;
}

static int new_ring(struct simhost *simhost, struct simhost_process *process,
		    struct simhost_node *node, struct simhost_ring **ret_ring)
{
	struct simhost_ring *ring = calloc(1, sizeof(*ring));
	int fd = ring ? make_file() : -ENOMEM;
	void *shared = fd >= 0 ? mmap(NULL, sizeof(*ring->shared), PROT_READ | PROT_WRITE,
				      MAP_SHARED, fd, 0)
			       : MAP_FAILED;

	if (shared == MAP_FAILED) {
		(void)fd_close(fd);
		free(ring);
		return fd < 0 ? fd : -ENOMEM;
	}
	*ring = (struct simhost_ring){
		.next = simhost->rings,
		.process = process,
		.node = node,
		.fd = fd,
		.shared = shared,
	};
	set_epoch(ring, 1);
	simhost->rings = ring;
	*ret_ring = ring;
	return 0;
}

void simhost_handle_ring(struct simhost *simhost, struct simhost_request *request,
			 struct simhost_process *process)
{
	struct sim_ring_request wanted;
	struct simhost_ring *ring = simhost->rings;
	struct simhost_node *node;
	int fd = -1;
	int r = 0;

	if (request->head.size != sizeof(wanted)) {
		simhost_refuse(request);
		return;
	}
	memcpy(&wanted, request->body, sizeof(wanted));
	node = simhost_find_handle(process, wanted.handle);
	if (!node || node->node.kind != SIM_NODE_CONTAINER) {
		r = node ? -EINVAL : -EBADF;
	} else {
		/* One for a process and a container: else calls would lose their order. */
		while (ring && (ring->process != process || ring->node != node)) {
			ring = ring->next;
		}
		r = ring ? -EBUSY : new_ring(simhost, process, node, &ring);
	}
	if (r == 0) {
		fd = fcntl(ring->fd, F_DUPFD_CLOEXEC, 0);
		r = fd < 0 ? -errno : 0;
	}
	simhost_answer(request, (struct sim_reply){.result = r}, NULL, 0, fd);
}

/* the view */

static void show_windows(struct sim_ring *shared, const struct simhost *simhost,
			 const struct simhost_ring *ring)
{
	const struct sim_iommu *iommu = ring->node->node.container->iommu;
	struct sim_tce_window windows[SIM_WINDOWS];
	unsigned int count = 0;

	if (iommu && !simhost->faults.first) {
		count = sim_tce_find_windows(iommu, ring->process->mm, windows);
	}
	for (unsigned int i = 0; i < count; i++) {
		shared->window[i] = (struct sim_ring_window){
			.start = windows[i].start,
			.size = windows[i].size,
			.page_shift = windows[i].page_shift,
		};
	}
	shared->window_count = count;
}

/* Of very many regions the rest goes the long way. */
static void show_regions(struct sim_ring *shared, const struct sim_mm *mm)
{
	uint32_t count = (uint32_t)MIN(mm->region_count, SIM_RING_REGIONS);

	for (uint32_t i = 0; i < count; i++) {
		const struct sim_region *region = mm->regions[i].region;

		shared->region[i] = (struct sim_ring_region){
			.address = region->ua,
			.size = region->pages << mm->page_shift,
			.page_shift = region->page_shift,
		};
	}
	shared->region_count = count;
}

void simhost_open_rings(struct simhost *simhost)
{
	for (struct simhost_ring *ring = simhost->rings; ring; ring = ring->next) {
		if (!ring->open) {
			show_windows(ring->shared, simhost, ring);
			show_regions(ring->shared, ring->process->mm);
			ring->epoch += 2;
			ring->open = true;
			set_epoch(ring, ring->epoch);
		}
	}
}

/* entries */

static void carry_out(const struct simhost_ring *ring, const struct sim_ring_entry *entry)
{
	/* Nothing is charged: the table is there. */
	struct sim_caller caller = {.mm = ring->process->mm, .memlock_limit = 0};
	union {
		struct vfio_iommu_type1_dma_map map;
		struct vfio_iommu_type1_dma_unmap unmap;
		uint8_t room[64];
	} data = {.room = {0}};
	struct sim_argument argument = {.data = &data, .pieces = SIM_PIECES_NONE};
	unsigned long request = entry->flags ? VFIO_IOMMU_MAP_DMA : VFIO_IOMMU_UNMAP_DMA;

	if (entry->flags) {
		data.map = (struct vfio_iommu_type1_dma_map){
			.argsz = sizeof(data.map),
			.flags = entry->flags,
			.vaddr = entry->address,
			.iova = entry->iova,
			.size = entry->size,
		};
		argument.size = sizeof(data.map);
	} else {
		data.unmap = (struct vfio_iommu_type1_dma_unmap){
			.argsz = sizeof(data.unmap),
			.iova = entry->iova,
			.size = entry->size,
		};
		argument.size = sizeof(data.unmap);
	}
	/* One that could fail would not have been posted by a client of ours; it fails here. */
	(void)sim_node_ioctl(ring->node->node, &caller, request, &argument);
}

/* Take what was posted. Returns false when the numbers make no sense. */
static bool take_entries(struct simhost_ring *ring)
{
	uint64_t tail = __atomic_load_n(&ring->shared->tail, __ATOMIC_ACQUIRE);

	if (tail - ring->head > SIM_RING_ENTRIES) {
		return false;
	}
	while (ring->head != tail) {
		/* A copy: what is there can change while it is looked at. */
		struct sim_ring_entry entry = ring->shared->entry[ring->head % SIM_RING_ENTRIES];

		ring->head++;
		if (entry.epoch == ring->epoch) {
			carry_out(ring, &entry);
		}
	}
	__atomic_store_n(&ring->shared->head, ring->head, __ATOMIC_RELEASE);
	return true;
}

void simhost_close_rings(struct simhost *simhost)
{
	for (struct simhost_ring *ring = simhost->rings, *next; ring; ring = next) {
		next = ring->next;
		if (!ring->open) {
			continue;
		}
		ring->open = false;
		set_epoch(ring, ring->epoch + 1);
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		if (!take_entries(ring)) {
			free_ring(simhost, ring);
		}
	}
}
