/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/ring_client.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/vfio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/param.h>
#include <sys/stat.h>

#include "common/cleanup.h"
#include "common/range.h"

#define MAP_FLAGS ((uint32_t)VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE)

/* Whether a file is a ring's, and stays so large: touching what is gone would be SIGBUS. */
static bool is_ring(int fd)
{
	struct stat status;
	int seals = fcntl(fd, F_GET_SEALS);

	return seals >= 0 && seals & F_SEAL_SHRINK && fstat(fd, &status) == 0 &&
	       status.st_size >= (off_t)sizeof(struct sim_ring);
}

int sim_ring_client_new(uint64_t handle, int fd, struct sim_ring_client **ret_client)
{
	struct sim_ring_client *client = calloc(1, sizeof(*client));
	void *address = client && is_ring(fd) ? mmap(NULL, sizeof(struct sim_ring),
						     PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)
					      : MAP_FAILED;

	(void)fd_close(fd);
	if (address == MAP_FAILED) {
		free(client);
		return -ENOMEM;
	}
	(void)madvise(address, sizeof(struct sim_ring), MADV_DONTFORK);
	client->handle = handle;
	client->ring = address;
	*ret_client = client;
	return 0;
}

struct sim_ring_client *sim_ring_client_free(struct sim_ring_client *client)
{
	if (client) {
		(void)munmap(client->ring, sizeof(*client->ring));
		free(client);
	}
	return NULL;
}

bool sim_ring_client_is_dead(const struct sim_ring_client *client)
{
	return __atomic_load_n(&client->ring->epoch, __ATOMIC_ACQUIRE) == SIM_RING_DEAD;
}

/* the view, which may be torn: what comes of that is found out by the epoch */

static const struct sim_ring_window *find_window(const struct sim_ring *ring, uint64_t iova,
						 uint64_t size)
{
	for (uint32_t i = 0; i < MIN(ring->window_count, SIM_RING_WINDOWS); i++) {
		const struct sim_ring_window *window = &ring->window[i];

		if (iova >= window->start && size <= window->size &&
		    iova - window->start <= window->size - size) {
			return window;
		}
	}
	return NULL;
}

static bool region_has(const struct sim_ring_region *region, uint64_t address, uint64_t size)
{
	return address >= region->address && size <= region->size &&
	       address - region->address <= region->size - size;
}

static const struct sim_ring_region *find_region(struct sim_ring_client *client, uint64_t address,
						 uint64_t size)
{
	const struct sim_ring *ring = client->ring;
	uint32_t count = MIN(ring->region_count, SIM_RING_REGIONS);
	uint32_t low = 0;
	uint32_t high = count;

	if (client->last_region < count &&
	    region_has(&ring->region[client->last_region], address, size)) {
		return &ring->region[client->last_region];
	}
	/* The first that begins above the address comes right after the one that may have it. */
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (ring->region[middle].address <= address) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	if (low == 0 || !region_has(&ring->region[low - 1], address, size)) {
		return NULL;
	}
	client->last_region = low - 1;
	return &ring->region[low - 1];
}

/* Whether the model would do it: handle_map and tce_map, handle_unmap and tce_unmap in the TCE
 * backend, with nothing left to go wrong. */
static bool will_succeed(struct sim_ring_client *client, const struct sim_ring_entry *entry)
{
	const struct sim_ring_window *window = find_window(client->ring, entry->iova, entry->size);
	const struct sim_ring_region *region;
	unsigned int shift = window ? window->page_shift & 63U : 0;
	uint64_t page_size = UINT64_C(1) << shift;

	if (!window || entry->size == 0 || !is_aligned(entry->iova | entry->size, page_size) ||
	    entry->size >> shift > SIM_RING_TCES_MAX) {
		return false;
	}
	if (entry->flags == 0) {
		return true;
	}
	if (entry->flags & ~MAP_FLAGS || !is_aligned(entry->address, page_size)) {
		return false;
	}
	region = find_region(client, entry->address, entry->size);
	return region && shift <= region->page_shift;
}

bool sim_ring_client_post(struct sim_ring_client *client, const struct sim_ring_entry *entry)
{
	struct sim_ring *ring = client->ring;
	struct sim_ring_entry *slot = &ring->entry[client->tail % SIM_RING_ENTRIES];
	uint64_t epoch = __atomic_load_n(&ring->epoch, __ATOMIC_ACQUIRE);

	if (epoch & 1 || !will_succeed(client, entry) ||
	    client->tail - __atomic_load_n(&ring->head, __ATOMIC_ACQUIRE) >= SIM_RING_ENTRIES) {
		return false;
	}
	*slot = *entry;
	slot->epoch = epoch;
	client->tail++;
	__atomic_store_n(&ring->tail, client->tail, __ATOMIC_RELEASE);
	/* The host closes the ring before it takes the entries: of these two at least one sees the
	 * other. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return __atomic_load_n(&ring->epoch, __ATOMIC_ACQUIRE) == epoch;
}
