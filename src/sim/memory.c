/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Registered memory as spaprd-simhost has it: by the fds behind it.
 *
 * A file's fd keeps the pages while their owner may unmap them or die, as pinned pages would stay.
 * A file can shrink at any time, and touching what is gone would be SIGBUS: so bytes are moved by
 * the kernel (process_vm_readv), which answers EFAULT. Read and write on the fd won't do, since
 * huge page files can't be written so.
 *
 * A process's own memory is its /proc/PID/mem, opened by itself, for which no right to trace it is
 * needed. It is the address space, not the pages: what its owner unmaps is EFAULT from then on.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/param.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/range.h"
#include "sim/simhost_private.h"

/* An fd of ours. All pieces of a file share one: type1 keeps a piece for each mapping, which are
 * more than fds may be open. */
struct open_file {
	struct open_file *next;
	int fd;
	dev_t device;
	ino_t inode; /* not used again as long as it is open */
	unsigned int pieces;
};

static struct open_file *open_files; /* the shared ones */

struct file_memory {
	struct open_file *file;
	uint64_t offset;
	uint64_t page_size;
};

/* What a client says about the size of its pages is believed within these, by address or by a
 * file's name. */
#define PAGE_SHIFT_MIN 12U
#define PAGE_SHIFT_MAX 34U

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
	void *address = mmap(NULL, length, prot, MAP_SHARED, memory->file->fd, (off_t)aligned);

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

static struct open_file *find_file(const struct stat *status)
{
	struct open_file *file = open_files;

	while (file && (file->device != status->st_dev || file->inode != status->st_ino)) {
		file = file->next;
	}
	return file;
}

/* Ours for an fd. Two fds of a process's memory may be those of its program before and after an
 * exec, though the file is the same: they are not shared. NULL for lack of memory or fds. */
static struct open_file *open_file_get(int fd, bool shared)
{
	struct open_file *file;
	struct stat status;

	if (fstat(fd, &status) < 0) {
		return NULL;
	}
	file = shared ? find_file(&status) : NULL;
	if (file) {
		file->pieces++;
		return file;
	}
	file = malloc(sizeof(*file));
	if (!file) {
		return NULL;
	}
	*file = (struct open_file){.fd = fcntl(fd, F_DUPFD_CLOEXEC, 0),
				   .device = status.st_dev,
				   .inode = status.st_ino,
				   .pieces = 1};
	if (file->fd < 0) {
		free(file);
		return NULL;
	}
	if (shared) {
		file->next = open_files;
		open_files = file;
	}
	return file;
}

static void open_file_put(struct open_file *file)
{
	struct open_file **link = &open_files;

	if (--file->pieces > 0) {
		return;
	}
	while (*link && *link != file) {
		link = &(*link)->next;
	}
	if (*link) {
		*link = file->next;
	}
	cleanup_fd(&file->fd);
	free(file);
}

static void memory_free(void *object)
{
	struct file_memory *memory = object;

	open_file_put(memory->file);
	free(memory);
}

static const struct sim_memory_operations memory_operations = {
	.read = memory_read,
	.write = memory_write,
	.free = memory_free,
};

/* a process's own memory */

static int process_read(void *object, uint64_t offset, void *data, size_t size)
{
	const struct file_memory *memory = object;
	size_t done = 0;

	while (done < size) {
		ssize_t moved = pread(memory->file->fd, (uint8_t *)data + done, size - done,
				      (off_t)(memory->offset + offset + done));

		if (moved <= 0) {
			return -EFAULT;
		}
		done += (size_t)moved;
	}
	return 0;
}

static int process_write(void *object, uint64_t offset, const void *data, size_t size)
{
	const struct file_memory *memory = object;
	size_t done = 0;

	while (done < size) {
		ssize_t moved = pwrite(memory->file->fd, (const uint8_t *)data + done, size - done,
				       (off_t)(memory->offset + offset + done));

		if (moved <= 0) {
			return -EFAULT;
		}
		done += (size_t)moved;
	}
	return 0;
}

static const struct sim_memory_operations process_operations = {
	.read = process_read,
	.write = process_write,
	.free = memory_free,
};

/* pieces */

static bool is_writable(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags >= 0 && (flags & O_ACCMODE) == O_RDWR && !(flags & O_PATH);
}

/* Whether an fd is /proc/PID/mem of some process. Other files of /proc mean other things. */
static bool is_process(int fd, const struct statfs *filesystem)
{
	char link[64];
	char target[64];
	ssize_t length;
	int end = 0;

	if (filesystem->f_type != PROC_SUPER_MAGIC) {
		return false;
	}
	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	length = readlink(link, target, sizeof(target) - 1);
	if (length < 0) {
		return false;
	}
	target[length] = '\0';
	return sscanf(target, "/proc/%*[0-9]/mem%n", &end) == 0 && end == length;
}

/* Whether it is a file behind a simulated device's registers. */
static bool is_registers(int fd)
{
	static const char name[] = "/memfd:" SIM_REGION_FILE_NAME;
	char link[64];
	char target[sizeof(name)] = "";

	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	return readlink(link, target, sizeof(name) - 1) == (ssize_t)sizeof(name) - 1 &&
	       strcmp(target, name) == 0;
}

/* "/memfd:hugetlb-16M (deleted)": the size, as a shift, or 0 when it is no such file. */
static unsigned int named_page_shift(int fd)
{
	static const char begin[] = "/memfd:" SIM_HUGE_FILE_NAME;
	static const char units[] = "KMG";
	char link[64];
	char target[64] = "";
	const char *unit;
	char *end;
	uint64_t size;

	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	if (readlink(link, target, sizeof(target) - 1) < 0 ||
	    strncmp(target, begin, sizeof(begin) - 1) != 0) {
		return 0;
	}
	size = strtoull(target + sizeof(begin) - 1, &end, 10);
	unit = *end ? strchr(units, *end) : NULL;
	if (!unit || strcmp(end + 1, " (deleted)") != 0 || !is_power_of_two(size)) {
		return 0;
	}
	return floor_log2(size) + 10 * (unsigned int)(unit - units + 1);
}

unsigned int simhost_page_shift_of(int fd, unsigned int page_shift)
{
	struct statfs filesystem;
	unsigned int named;

	if (fstatfs(fd, &filesystem) == 0 && filesystem.f_type == HUGETLBFS_MAGIC) {
		return floor_log2((uint64_t)filesystem.f_bsize);
	}
	named = named_page_shift(fd);
	return named > page_shift && named <= PAGE_SHIFT_MAX ? named : page_shift;
}

/* How much of the range the file has, in whole pages; 0 when it can't be registered at all. */
static uint64_t usable_size(int fd, uint64_t offset, uint64_t size, unsigned int page_shift)
{
	uint64_t page_size = UINT64_C(1) << page_shift;
	struct stat status;
	uint64_t end;

	if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode) || status.st_size <= 0) {
		return 0;
	}
	end = ((uint64_t)status.st_size + page_size - 1) & ~(page_size - 1);
	/* A TCE of 4 KiB may point into a larger page, which is pinned as a whole. */
	return is_aligned(offset, UINT64_C(1) << PAGE_SHIFT_MIN) && offset < end
		       ? MIN(size, end - offset)
		       : 0;
}

/* A piece of an fd, whose size is known. */
static int make_piece(int fd, uint64_t offset, const struct sim_memory_operations *operations,
		      struct sim_piece *piece)
{
	struct file_memory *memory = malloc(sizeof(*memory));

	if (!memory) {
		return -ENOMEM;
	}
	*memory = (struct file_memory){
		.file = open_file_get(fd, operations == &memory_operations),
		.offset = offset,
		.page_size = UINT64_C(1) << piece->page_shift,
	};
	if (!memory->file) {
		free(memory);
		return -ENOMEM;
	}
	piece->operations = operations;
	piece->memory = memory;
	return 0;
}

int simhost_memory_new(int fd, const struct sim_wire_piece *wire, unsigned int page_shift,
		       struct sim_piece *ret_piece)
{
	struct sim_piece piece = {.size = wire->size, .page_shift = page_shift};
	struct statfs filesystem;

	if (!is_writable(fd) || fstatfs(fd, &filesystem) < 0) {
		return -EFAULT;
	}
	if (is_process(fd, &filesystem)) {
		piece.registers = wire->page_shift == SIM_PAGE_SHIFT_REGISTERS;
		if ((wire->page_shift < PAGE_SHIFT_MIN && !piece.registers) ||
		    wire->page_shift > PAGE_SHIFT_MAX || wire->offset + wire->size < wire->offset) {
			return -EFAULT;
		}
		piece.page_shift = MAX(page_shift, wire->page_shift);
		*ret_piece = piece;
		return make_piece(fd, wire->offset, &process_operations, ret_piece);
	}
	piece.size = usable_size(fd, wire->offset, wire->size, page_shift);
	if (piece.size == 0) {
		return -EFAULT;
	}
	piece.registers = is_registers(fd);
	piece.page_shift = simhost_page_shift_of(fd, page_shift);
	*ret_piece = piece;
	return make_piece(fd, wire->offset, &memory_operations, ret_piece);
}
