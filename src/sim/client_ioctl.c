/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ioctls of a client: arguments are marshalled, with the memory behind them where the host needs
 * it; maps and unmaps that succeed often go by a ring instead. */
#include <errno.h>
#include <limits.h>
#include <linux/vfio.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/param.h>

#include "common/cleanup.h"
#include "sim/client_private.h"
#include "sim/protocol.h"
#include "sim/type1.h"

/* A container gets a ring when it has been mapped into so often. */
#define RING_MAPS  16U
#define RING_ASKED UINT_MAX

/* What has to be readable of an UNMAP_DMA (vfio_iommu_type1_dma_unmap, up to its data). */
#define UNMAP_SIZE offsetof(struct vfio_iommu_type1_dma_unmap, data)

/* exchanges */

/* Let the memory behind the ioctl's range travel along. */
static int add_memory(struct sim_kernel *sim, struct sim_outgoing *outgoing, bool to_read)
{
	/* A kernel pins no memory of a device for sPAPR; type1 maps it. */
	bool with_regions = outgoing->head.request == VFIO_IOMMU_MAP_DMA;
	uint64_t address;
	uint64_t size;
	int *grown;
	int r;

	if (!sim_marshalled_range(outgoing, &address, &size)) {
		return 0;
	}
	(void)pthread_mutex_lock(&sim->lock);
	r = sim_mappings_collect(&sim->mappings, address, size, with_regions, to_read,
				 &outgoing->pieces);
	(void)pthread_mutex_unlock(&sim->lock);
	if (r < 0 || outgoing->pieces.fd_count == 0) {
		return r;
	}
	grown = reallocarray(outgoing->fds, outgoing->fd_count + outgoing->pieces.fd_count,
			     sizeof(*grown));
	if (!grown) {
		return -ENOMEM;
	}
	outgoing->fds = grown;
	memcpy(grown + outgoing->fd_count, outgoing->pieces.fds,
	       outgoing->pieces.fd_count * sizeof(*grown));
	outgoing->fd_count += outgoing->pieces.fd_count;
	outgoing->pieces.fd_count = 0; /* they are the whole's now */
	outgoing->head.pieces = outgoing->pieces.count;
	return 0;
}

/* What came along was not enough. */
static void drop_memory(struct sim_outgoing *outgoing)
{
	while (outgoing->fd_count > outgoing->head.fds) {
		(void)fd_close(outgoing->fds[--outgoing->fd_count]);
	}
	sim_piece_list_done(&outgoing->pieces);
	outgoing->head.pieces = 0;
}

/* Send what was marshalled and wait for the answer. */
static int send_outgoing(struct sim_kernel *sim, const struct sim_outgoing *outgoing,
			 struct sim_answer *answer)
{
	struct sim_message message = {
		.type = SIM_IOCTL,
		.head = &outgoing->head,
		.head_size = sizeof(outgoing->head),
		.body = outgoing->argument,
		.body_size = outgoing->head.argument_size,
		.fds = outgoing->fds,
		.fd_count = outgoing->fd_count,
	};
	size_t pieces_size = outgoing->pieces.count * sizeof(*outgoing->pieces.piece);
	uint8_t *body;
	int r;

	if (!outgoing->pieces.piece) {
		return sim_client_call(sim, &message, answer);
	}
	body = malloc(pieces_size + message.body_size);
	if (!body) {
		return -ENOMEM;
	}
	memcpy(body, outgoing->pieces.piece, pieces_size);
	if (message.body_size > 0) {
		memcpy(body + pieces_size, outgoing->argument, message.body_size);
	}
	message.body = body;
	message.body_size += pieces_size;
	r = sim_client_call(sim, &message, answer);
	free(body);
	return r;
}

/* Send an ioctl, and once more with memory when the host asks for that. */
static int exchange_ioctl(struct sim_kernel *sim, int fd, struct known_node *node,
			  struct sim_outgoing *outgoing, struct sim_answer *answer)
{
	struct sim_answer empty = *answer;
	bool to_read;
	int r = 0;

	/* A kernel always looks at what is registered. Other calls about memory may not need it. */
	if (node->wants_memory || outgoing->head.request == VFIO_IOMMU_SPAPR_REGISTER_MEMORY) {
		r = add_memory(sim, outgoing, false);
	}
	if (r == 0) {
		r = send_outgoing(sim, outgoing, answer);
	}
	to_read = r == SIM_NEEDS_MEMORY_TO_READ;
	if (to_read) {
		drop_memory(outgoing);
	}
	if ((r != SIM_NEEDS_MEMORY && !to_read) || outgoing->pieces.piece) {
		return r == SIM_NEEDS_MEMORY ? -EFAULT : r;
	}
	node->wants_memory = true;
	sim_client_remember(sim, fd, node);
	*answer = empty;
	outgoing->head.flags |= SIM_IOCTL_AGAIN;
	r = add_memory(sim, outgoing, to_read);
	if (r == 0) {
		r = send_outgoing(sim, outgoing, answer);
	}
	return r == SIM_NEEDS_MEMORY || r == SIM_NEEDS_MEMORY_TO_READ ? -EFAULT : r;
}

/* Into the argument, or, for what comes behind it, into the bitmap that it points to. */
static bool write_answer(struct sim_kernel *sim, const struct sim_ioctl *entry, uint64_t argument,
			 const struct sim_answer *answer)
{
	const uint8_t *body = answer->body;
	uint64_t address;
	uint64_t size;

	if (!entry || answer->size <= SIM_TYPE1_BITMAP_OFFSET ||
	    entry->node != SIM_NODE_CONTAINER ||
	    !sim_type1_find_bitmap(entry->request, body, answer->size, &address, &size)) {
		return sim_caller_write(sim->memory, argument, body, answer->size);
	}
	return sim_caller_write(sim->memory, address, body + SIM_TYPE1_BITMAP_OFFSET,
				answer->size - SIM_TYPE1_BITMAP_OFFSET) &&
	       (entry->request != VFIO_IOMMU_UNMAP_DMA ||
		sim_caller_write(sim->memory, argument, body,
				 sizeof(struct vfio_iommu_type1_dma_unmap)));
}

/* Hand over what came back: into the argument, and an fd as the result or into it, too. */
static int finish_ioctl(struct sim_kernel *sim, const struct sim_ioctl *entry,
			struct sim_answer *answer, uint64_t argument, int result)
{
	if (answer->fd >= 0 && answer->fd_offset > 0 &&
	    answer->fd_offset + sizeof(answer->fd) <= answer->size) {
		memcpy((uint8_t *)answer->body + answer->fd_offset, &answer->fd,
		       sizeof(answer->fd));
	}
	if (!write_answer(sim, entry, argument, answer)) {
		(void)fd_close(answer->fd);
		return -EFAULT;
	}
	return answer->fd >= 0 && answer->fd_offset == 0 ? answer->fd : result;
}

static int ioctl_node(struct sim_kernel *sim, int fd, struct known_node *node,
		      unsigned long request, uint64_t argument)
{
	const struct sim_ioctl *entry = sim_ioctl_find(node->kind, request);
	struct sim_outgoing outgoing = {
		.head = {.handle = node->handle, .request = request},
		.pieces = SIM_PIECE_LIST_NONE,
	};
	size_t room = entry ? entry->out_size : 0;
	uint8_t small[SIM_SMALL_ARGUMENT] __attribute__((aligned(8)));
	struct sim_answer answer = {.body = small, .size = room, .fd = -1};
	int r = sim_marshal(&outgoing, entry, sim->memory, argument);

	if (room > sizeof(small)) {
		answer.size = MIN(sim_marshalled_room(&outgoing), room);
		answer.body = answer.size <= sizeof(small) ? small : malloc(answer.size);
		r = r == 0 && !answer.body ? -ENOMEM : r;
	}
	if (r == 0) {
		r = exchange_ioctl(sim, fd, node, &outgoing, &answer);
	}
	sim_outgoing_done(&outgoing);
	if (r >= 0 || r == -ENOSPC) {
		r = finish_ioctl(sim, entry, &answer, argument, r);
	}
	if (answer.body != small) {
		free(answer.body);
	}
	return r;
}

/* maps and unmaps without a round trip (sim/ring.h) */

void sim_client_free_rings(struct sim_kernel *sim)
{
	while (sim->rings) {
		struct sim_ring_client *ring = sim->rings;

		sim->rings = ring->next;
		(void)sim_ring_client_free(ring);
	}
}

/* Forget rings that the host has dropped. */
static void sweep_rings_locked(struct sim_kernel *sim)
{
	struct sim_ring_client **link = &sim->rings;

	while (*link) {
		struct sim_ring_client *ring = *link;

		if (sim_ring_client_is_dead(ring)) {
			*link = ring->next;
			(void)sim_ring_client_free(ring);
		} else {
			link = &ring->next;
		}
	}
}

/* Ask for a ring of a container. One that another thread, or another fd of it, has asked for is
 * found by its handle. */
static void request_ring(struct sim_kernel *sim, const struct known_node *node)
{
	struct sim_ring_request head = {.handle = node->handle};
	struct sim_message message = {
		.type = SIM_RING,
		.head = &head,
		.head_size = sizeof(head),
	};
	struct sim_answer answer = SIM_ANSWER_NONE;
	struct sim_ring_client *ring = NULL;
	int fd = sim_client_call_for_fd(sim, &message, &answer);

	if (fd < 0 || sim_ring_client_new(node->handle, fd, &ring) < 0) {
		return;
	}
	(void)pthread_mutex_lock(&sim->ring_lock);
	sweep_rings_locked(sim);
	ring->next = sim->rings;
	sim->rings = ring;
	(void)pthread_mutex_unlock(&sim->ring_lock);
}

/* Returns true when the call is done. */
static bool post(struct sim_kernel *sim, const struct known_node *node,
		 const struct sim_ring_entry *entry)
{
	struct sim_ring_client *ring;
	bool done;

	(void)pthread_mutex_lock(&sim->ring_lock);
	ring = sim->rings;
	while (ring && ring->handle != node->handle) {
		ring = ring->next;
	}
	done = ring && sim_ring_client_post(ring, entry);
	(void)pthread_mutex_unlock(&sim->ring_lock);
	return done;
}

/* Read a MAP or UNMAP that can be posted. */
static bool read_entry(const struct sim_kernel *sim, unsigned long request, uint64_t argument,
		       struct sim_ring_entry *entry)
{
	struct vfio_iommu_type1_dma_unmap unmap;
	struct vfio_iommu_type1_dma_map map;

	if (request == VFIO_IOMMU_MAP_DMA) {
		if (sim_caller_read(sim->memory, &map, argument, sizeof(map)) < sizeof(map) ||
		    map.argsz < sizeof(map)) {
			return false;
		}
		*entry = (struct sim_ring_entry){
			.iova = map.iova,
			.address = map.vaddr,
			.size = map.size,
			.flags = map.flags,
		};
		return map.flags != 0;
	}
	if (sim_caller_read(sim->memory, &unmap, argument, UNMAP_SIZE) < UNMAP_SIZE ||
	    unmap.argsz < UNMAP_SIZE || unmap.flags != 0) {
		return false;
	}
	*entry = (struct sim_ring_entry){.iova = unmap.iova, .size = unmap.size};
	return true;
}

/* Post a map or an unmap, if it can be. */
static bool try_ring(struct sim_kernel *sim, const struct known_node *node, unsigned long request,
		     uint64_t argument)
{
	struct sim_ring_entry entry;

	if (node->kind != SIM_NODE_CONTAINER || node->maps != RING_ASKED ||
	    (request != VFIO_IOMMU_MAP_DMA && request != VFIO_IOMMU_UNMAP_DMA)) {
		return false;
	}
	return read_entry(sim, request, argument, &entry) && post(sim, node, &entry);
}

/* A map went the long way, and well. */
static void count_map(struct sim_kernel *sim, int fd, struct known_node *node)
{
	if (node->kind != SIM_NODE_CONTAINER || node->maps == RING_ASKED) {
		return;
	}
	if (++node->maps >= RING_MAPS) {
		node->maps = RING_ASKED; /* asked for once */
		request_ring(sim, node);
	}
	sim_client_remember(sim, fd, node);
}

int sim_client_ioctl(struct kernel *kernel, int fd, unsigned long request, void *argument)
{
	struct sim_kernel *sim = (struct sim_kernel *)kernel;
	struct known_node node;
	int r = sim_client_identify(sim, fd, &node);

	if (r < 0) {
		return r;
	}
	if (try_ring(sim, &node, request, (uintptr_t)argument)) {
		return 0;
	}
	r = ioctl_node(sim, fd, &node, request, (uintptr_t)argument);
	if (r == 0 && request == VFIO_IOMMU_MAP_DMA) {
		count_map(sim, fd, &node);
	}
	return r;
}
