/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bytes of device regions, and mappings, of which a client's memory is made. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/param.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/range.h"
#include "sim/client_private.h"
#include "sim/protocol.h"

/* reading and writing */

static bool is_device(const struct known_node *node)
{
	return node->kind == SIM_NODE_DEVICE;
}

/* Move SIM_TRANSFER_MAX bytes at most. */
static ssize_t read_part(struct sim_kernel *sim, const struct sim_transfer *transfer, void *data)
{
	struct sim_message message = {
		.type = SIM_PREAD,
		.head = transfer,
		.head_size = sizeof(*transfer),
	};
	struct sim_answer answer = {.body = data, .size = transfer->size, .fd = -1};
	int r = sim_client_call(sim, &message, &answer);

	return r < 0 ? r : (ssize_t)answer.size;
}

static ssize_t write_part(struct sim_kernel *sim, const struct sim_transfer *transfer,
			  const void *data)
{
	struct sim_message message = {
		.type = SIM_PWRITE,
		.head = transfer,
		.head_size = sizeof(*transfer),
		.body = data,
		.body_size = transfer->size,
	};
	struct sim_answer answer = SIM_ANSWER_NONE;

	return sim_client_call(sim, &message, &answer);
}

/* One part, by way of a buffer where the caller's memory has to be looked at carefully. */
static ssize_t move_part(struct sim_kernel *sim, const struct sim_transfer *transfer,
			 uint64_t address, bool is_write, uint8_t *buffer)
{
	ssize_t moved;

	if (!buffer) {
		void *data = (void *)(uintptr_t)address;

		return is_write ? write_part(sim, transfer, data) : read_part(sim, transfer, data);
	}
	if (is_write) {
		return sim_caller_read(sim->memory, buffer, address, transfer->size) ==
				       transfer->size
			       ? write_part(sim, transfer, buffer)
			       : -EFAULT;
	}
	moved = read_part(sim, transfer, buffer);
	return moved <= 0 || sim_caller_write(sim->memory, address, buffer, (size_t)moved)
		       ? moved
		       : -EFAULT;
}

static ssize_t move(struct kernel *kernel, int fd, uint64_t offset, uint64_t address, size_t size,
		    bool is_write)
{
	struct sim_kernel *sim = (struct sim_kernel *)kernel;
	uint8_t *buffer = NULL;
	struct known_node node;
	ssize_t done = 0;
	ssize_t r = sim_client_identify(sim, fd, &node);

	if (r < 0 || !is_device(&node)) {
		return r < 0 ? r : -EINVAL;
	}
	if (sim->memory.careful) {
		buffer = malloc(MIN(size, SIM_TRANSFER_MAX) + 1);
		if (!buffer) {
			return -ENOMEM;
		}
	}
	do {
		struct sim_transfer transfer = {
			.handle = node.handle,
			.offset = offset == SIM_OFFSET_CURRENT ? offset : offset + (size_t)done,
			.size = (uint32_t)MIN(size - (size_t)done, SIM_TRANSFER_MAX),
		};

		r = move_part(sim, &transfer, address + (size_t)done, is_write, buffer);
		done += r > 0 ? r : 0;
	} while (r == SIM_TRANSFER_MAX && (size_t)done < size);
	free(buffer);
	return r < 0 && done == 0 ? r : done;
}

ssize_t sim_client_read(struct kernel *kernel, int fd, uint64_t offset, void *data, size_t size)
{
	return move(kernel, fd, offset, (uintptr_t)data, size, false);
}

ssize_t sim_client_write(struct kernel *kernel, int fd, uint64_t offset, const void *data,
			 size_t size)
{
	return move(kernel, fd, offset, (uintptr_t)data, size, true);
}

/* memory */

int sim_kernel_find_region(struct kernel *sim, int fd, uint64_t offset, size_t length, int prot,
			   int *ret_fd, uint64_t *ret_offset)
{
	struct sim_map_request head = {
		.offset = offset,
		.size = length,
		.protection = (uint32_t)prot,
	};
	struct sim_message message = {
		.type = SIM_MMAP,
		.head = &head,
		.head_size = sizeof(head),
	};
	struct sim_map map = {.offset = 0};
	struct sim_answer answer = {.body = &map, .size = sizeof(map), .fd = -1};
	struct known_node node;
	int r = sim_client_identify((struct sim_kernel *)sim, fd, &node);

	if (r < 0) {
		return r;
	}
	if (!is_device(&node)) {
		return -ENODEV;
	}
	head.handle = node.handle;
	r = sim_client_call_for_fd((struct sim_kernel *)sim, &message, &answer);
	if (r < 0) {
		return r;
	}
	*ret_fd = r;
	*ret_offset = map.offset;
	return 0;
}

int sim_client_page_size(struct kernel *kernel, int fd, uint64_t *ret_size)
{
	struct sim_message message = {.type = SIM_PAGE_SIZE, .fds = &fd, .fd_count = 1};
	uint64_t size;
	struct sim_answer answer = {.body = &size, .size = sizeof(size), .fd = -1};
	int r;

	if (fcntl(fd, F_GETFD) < 0) {
		return -EBADF;
	}
	r = sim_client_call((struct sim_kernel *)kernel, &message, &answer);
	if (r < 0) {
		return r;
	}
	if (answer.size != sizeof(size) || !is_power_of_two(size)) {
		return -EPROTO;
	}
	*ret_size = size;
	return 0;
}

/* Map where there is room for it at an address that is aligned to a page larger than the machine's.
 */
static int map_in_room(int fd, uint64_t offset, size_t length, int prot, size_t page,
		       void **ret_address)
{
	size_t room = length + page;
	uint8_t *start;
	uint8_t *address;
	int r = 0;

	if (room < length) {
		return -ENOMEM;
	}
	start = mmap(NULL, room, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (start == MAP_FAILED) {
		return -errno;
	}
	address = start + (-(uintptr_t)start & (page - 1));
	if (mmap(address, length, prot, MAP_SHARED | MAP_FIXED, fd, (off_t)offset) == MAP_FAILED) {
		r = -errno;
		(void)munmap(start, room);
		return r;
	}
	if (address > start) {
		(void)munmap(start, (size_t)(address - start));
	}
	(void)munmap(address + length, (size_t)(start + room - (address + length)));
	*ret_address = address;
	return 0;
}

static int map_aligned(int fd, uint64_t offset, size_t length, int prot, size_t page,
		       void **ret_address)
{
	size_t machine_page = (size_t)sysconf(_SC_PAGESIZE);
	size_t whole = (length + machine_page - 1) & ~(machine_page - 1);
	void *address = mmap(NULL, length, prot, MAP_SHARED, fd, (off_t)offset);

	if (address == MAP_FAILED) {
		return -errno;
	}
	if (is_aligned((uintptr_t)address, page)) {
		*ret_address = address;
		return 0;
	}
	(void)munmap(address, length);
	return map_in_room(fd, offset, whole, prot, page, ret_address);
}

/* Whatever was there before was unmapped without our knowing. */
static int note_mapping(struct sim_kernel *sim, const struct sim_mapping *mapping)
{
	int r;

	(void)pthread_mutex_lock(&sim->lock);
	r = sim_mappings_remove(&sim->mappings, mapping->address, mapping->size);
	if (r == 0) {
		r = sim_mappings_add(&sim->mappings, mapping);
	}
	(void)pthread_mutex_unlock(&sim->lock);
	return r;
}

/* Map a file and remember what is behind the addresses. */
static int map_file(struct kernel *kernel, struct sim_mapping *mapping, uint64_t page,
		    void **ret_address)
{
	void *address = NULL;
	int r = map_aligned(mapping->fd, mapping->offset, mapping->size, mapping->prot, page,
			    &address);

	if (r < 0) {
		return r;
	}
	mapping->address = (uintptr_t)address;
	r = note_mapping((struct sim_kernel *)kernel, mapping);
	if (r < 0) {
		(void)munmap(address, mapping->size);
		return r;
	}
	*ret_address = address;
	return 0;
}

/* Map a device's region: the file that the host has behind it. */
static int map_region(struct kernel *kernel, int fd, struct sim_mapping *mapping, uint64_t page,
		      void **ret_address)
{
	int r = sim_kernel_find_region(kernel, fd, mapping->offset, mapping->size, mapping->prot,
				       &mapping->fd, &mapping->offset);

	if (r < 0) {
		return r;
	}
	r = map_file(kernel, mapping, page, ret_address);
	(void)fd_close(mapping->fd);
	return r;
}

int sim_client_map(struct kernel *kernel, int fd, uint64_t offset, size_t length, int prot,
		   void **ret_address)
{
	struct sim_mapping mapping = {.size = length, .offset = offset, .fd = fd, .prot = prot};
	struct stat status;
	uint64_t page;
	int r;

	r = sim_client_page_size(kernel, fd, &page);
	if (r < 0) {
		return r;
	}
	if (!is_aligned(offset, page)) {
		return -EINVAL;
	}
	return fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode)
		       ? map_region(kernel, fd, &mapping, page, ret_address)
		       : map_file(kernel, &mapping, page, ret_address);
}

int sim_client_unmap(struct kernel *kernel, void *address, size_t length)
{
	struct sim_kernel *sim = (struct sim_kernel *)kernel;
	int r;

	/* Forget first: as soon as the range is free another thread may map something there. */
	(void)pthread_mutex_lock(&sim->lock);
	r = sim_mappings_remove(&sim->mappings, (uintptr_t)address, length);
	(void)pthread_mutex_unlock(&sim->lock);
	if (munmap(address, length) < 0) {
		return -errno;
	}
	return r;
}
