/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Registered memory as spaprd-simhost has it: by the fds behind it.
 *
 * An fd keeps the pages while their owner may unmap them or die, as pinned pages would stay. A file
 * can shrink at any time, and touching what is gone would be SIGBUS: so bytes are moved by the
 * kernel (process_vm_readv), which answers EFAULT. Read and write on the fd won't do, since huge
 * page files can't be written so.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/param.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/range.h"
#include "sim/simhost_private.h"

struct file_memory {
	int fd;
	uint64_t offset;
	uint64_t page_size;
};

/* A part of the file, mapped for one move. */
struct view {
	void *address;
	size_t length;
	void *bytes;
};

static int view_open(const struct file_memory *memory, uint64_t offset, size_t size, int prot,
		     struct view *ret_view)
{
	uint64_t start = memory->offset + offset;
	uint64_t aligned = start & ~(memory->page_size - 1);
	size_t length =
		(size_t)(((start + size + memory->page_size - 1) & ~(memory->page_size - 1)) -
			 aligned);
	void *address = mmap(NULL, length, prot, MAP_SHARED, memory->fd, (off_t)aligned);

	if (address == MAP_FAILED) {
		return -errno;
	}
	*ret_view = (struct view){
		.address = address,
		.length = length,
		.bytes = (uint8_t *)address + (start - aligned),
	};
	return 0;
}

static int view_close(const struct view *view, ssize_t moved, size_t size)
{
	(void)munmap(view->address, view->length);
	return moved == (ssize_t)size ? 0 : -EFAULT;
}

static int memory_read(void *object, uint64_t offset, void *data, size_t size)
{
	struct iovec to = {.iov_base = data, .iov_len = size};
	struct iovec from = {.iov_len = size};
	struct view view = {.address = NULL};
	int r = view_open(object, offset, size, PROT_READ, &view);

	if (r < 0) {
		return r;
	}
	from.iov_base = view.bytes;
	return view_close(&view, process_vm_readv(getpid(), &to, 1, &from, 1, 0), size);
}

static int memory_write(void *object, uint64_t offset, const void *data, size_t size)
{
	struct iovec from = {.iov_base = (void *)(uintptr_t)data, .iov_len = size};
	struct iovec to = {.iov_len = size};
	struct view view = {.address = NULL};
	int r = view_open(object, offset, size, PROT_READ | PROT_WRITE, &view);

	if (r < 0) {
		return r;
	}
	to.iov_base = view.bytes;
	return view_close(&view, process_vm_writev(getpid(), &from, 1, &to, 1, 0), size);
}

static void memory_free(void *object)
{
	struct file_memory *memory = object;

	cleanup_fd(&memory->fd);
	free(memory);
}

static const struct sim_memory_operations memory_operations = {
	.read = memory_read,
	.write = memory_write,
	.free = memory_free,
};

/* How much of the range the file has, in whole pages; 0 when it can't be registered at all. */
static uint64_t usable_size(int fd, uint64_t offset, uint64_t size, unsigned int page_shift)
{
	uint64_t page_size = UINT64_C(1) << page_shift;
	int flags = fcntl(fd, F_GETFL);
	struct stat status;
	uint64_t end;

	if (flags < 0 || (flags & O_ACCMODE) != O_RDWR || flags & O_PATH ||
	    fstat(fd, &status) < 0 || !S_ISREG(status.st_mode) || status.st_size <= 0) {
		return 0;
	}
	end = ((uint64_t)status.st_size + page_size - 1) & ~(page_size - 1);
	return is_aligned(offset, page_size) && offset < end ? MIN(size, end - offset) : 0;
}

int simhost_memory_new(int fd, uint64_t offset, uint64_t size, unsigned int page_shift,
		       struct sim_piece *ret_piece)
{
	struct file_memory *memory;
	struct statfs filesystem;
	uint64_t usable = usable_size(fd, offset, size, page_shift);

	memory = usable > 0 && fstatfs(fd, &filesystem) == 0 ? malloc(sizeof(*memory)) : NULL;
	if (!memory) {
		(void)fd_close(fd);
		return usable > 0 ? -ENOMEM : -EFAULT;
	}
	if (filesystem.f_type == HUGETLBFS_MAGIC) {
		page_shift = floor_log2((uint64_t)filesystem.f_bsize);
	}
	*memory = (struct file_memory){
		.fd = fd,
		.offset = offset,
		.page_size = UINT64_C(1) << page_shift,
	};
	*ret_piece = (struct sim_piece){
		.operations = &memory_operations,
		.memory = memory,
		.size = usable,
		.page_shift = page_shift,
	};
	return 0;
}
