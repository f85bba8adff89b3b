/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Calls on fds: duplicating, closing, ioctl, reading, writing, mapping. */
#include <dlfcn.h>
#include <errno.h>
#include <linux/kvm.h>
#include <linux/vfio.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/param.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "sim/client.h"
#include "sim/preload/preload.h"
#include "sim/preload/real.h"

/* The last of a call's variable arguments, which is an int or a pointer. */
#define LAST_ARGUMENT(before)                           \
	({                                              \
		va_list arguments_;                     \
		void *argument_;                        \
		va_start(arguments_, before);           \
		argument_ = va_arg(arguments_, void *); \
		va_end(arguments_);                     \
		argument_;                              \
	})

/* duplicating and closing */

PRELOAD_EXPORT int close(int fd)
{
	if (preload_fd_is_private(fd)) {
		errno = EBADF;
		return -1;
	}
	if (preload_fd_may_be_node(fd)) {
		preload_fd_note(fd, false);
	}
	return REAL(close)(fd);
}

/* Close a range but for this library's own fds. */
PRELOAD_EXPORT int close_range(unsigned int first, unsigned int last, int flags)
{
	unsigned int from = first;
	int r = 0;

	if (!preload_is_on() || first > last) {
		return REAL(close_range)(first, last, flags);
	}
	for (unsigned int fd = first; fd <= MIN(last, 65535U) && r == 0; fd++) {
		if (preload_fd_is_private((int)fd)) {
			r = fd > from ? REAL(close_range)(from, fd - 1, flags) : 0;
			from = fd + 1;
		} else if (preload_fd_may_be_node((int)fd) && flags == 0) {
			preload_fd_note((int)fd, false);
		}
	}
	return r == 0 && from <= last ? REAL(close_range)(from, last, flags) : r;
}

PRELOAD_EXPORT void closefrom(int first)
{
	(void)close_range((unsigned int)MAX(first, 0), ~0U, 0);
}

PRELOAD_EXPORT int dup(int fd)
{
	int copy = REAL(dup)(fd);

	if (copy >= 0) {
		preload_fd_note_duplicate(copy, fd);
	}
	return copy;
}

/* A number that this library uses itself. It can't move: a thread may be in a call there. */
static bool is_taken(int fd)
{
	bool taken = preload_fd_is_private(fd);

	if (taken) {
		errno = EBUSY;
	}
	return taken;
}

PRELOAD_EXPORT int dup2(int fd, int to)
{
	int copy = is_taken(to) ? -1 : REAL(dup2)(fd, to);

	if (copy >= 0) {
		preload_fd_note_duplicate(copy, fd);
	}
	return copy;
}

PRELOAD_EXPORT int dup3(int fd, int to, int flags)
{
	int copy = is_taken(to) ? -1 : REAL(dup3)(fd, to, flags);

	if (copy >= 0) {
		preload_fd_note_duplicate(copy, fd);
	}
	return copy;
}

static int control_fd(int fd, int command, void *argument)
{
	int result = REAL(fcntl)(fd, command, argument);

	if (result >= 0 && (command == F_DUPFD || command == F_DUPFD_CLOEXEC)) {
		preload_fd_note_duplicate(result, fd);
	}
	return result;
}

PRELOAD_EXPORT int fcntl(int fd, int command, ...)
{
	return control_fd(fd, command, LAST_ARGUMENT(command));
}

PRELOAD_EXPORT int fcntl64(int fd, int command, ...)
{
	return control_fd(fd, command, LAST_ARGUMENT(command));
}

/* ioctl */

static bool is_request_of_ours(unsigned long request)
{
	return _IOC_TYPE(request) == VFIO_TYPE || _IOC_TYPE(request) == KVMIO;
}

/* Whether a request is answered by the simulated host, or else by this machine's kernel: what every
 * fd has, what a socket for uevents has, and an fd that turns out to be no node. */
static bool is_answer(int fd, int result)
{
	enum sim_node_kind kind;
	unsigned int number;

	return (result != -ENOTTY && result != -EBADF) ||
	       (preload_fd_find(fd, &kind, &number) && kind != SIM_NODE_UEVENTS);
}

/* An fd that a call made is a node. */
static void note_result(unsigned long request, int result)
{
	if (result >= 0 && (request == VFIO_GROUP_GET_DEVICE_FD || request == KVM_CREATE_VM)) {
		preload_fd_note(result, true);
	}
}

PRELOAD_EXPORT int ioctl(int fd, unsigned long request, ...)
{
	void *argument = LAST_ARGUMENT(request);
	enum sim_node_kind kind;
	unsigned int number;
	struct kernel *kernel;
	int r;

	if ((!preload_fd_may_be_node(fd) &&
	     !(is_request_of_ours(request) && preload_fd_find_unnoted(fd, &kind, &number))) ||
	    request == FIOCLEX || request == FIONCLEX) {
		return REAL(ioctl)(fd, request, argument);
	}
	kernel = preload_kernel();
	if (!kernel) {
		return -1;
	}
	r = kernel_ioctl(kernel, fd, request, argument);
	if (!is_answer(fd, r)) {
		return REAL(ioctl)(fd, request, argument);
	}
	note_result(request, r);
	return (int)preload_result(r);
}

/* reading and writing */

/* Whether a call on an fd goes to the simulated host. The real one says of a socket that it can't
 * be read at an offset, or not be mapped: then it may be a node of which nothing was noted. */
static bool is_node(int fd, bool failed)
{
	enum sim_node_kind kind;
	unsigned int number;

	return (failed ? preload_fd_find_unnoted(fd, &kind, &number)
		       : preload_fd_find(fd, &kind, &number)) &&
	       kind != SIM_NODE_UEVENTS;
}

static ssize_t read_node(int fd, uint64_t offset, void *data, size_t size)
{
	return preload_result(kernel_read(preload_kernel(), fd, offset, data, size));
}

static ssize_t write_node(int fd, uint64_t offset, const void *data, size_t size)
{
	return preload_result(kernel_write(preload_kernel(), fd, offset, data, size));
}

/* Part by part, as the kernel does it where a file has no calls for vectors. */
static ssize_t move_parts(int fd, uint64_t offset, const struct iovec *parts, int count,
			  bool is_write)
{
	ssize_t done = 0;

	for (int i = 0; i < count; i++) {
		uint64_t at =
			offset == SIM_KERNEL_OFFSET_CURRENT ? offset : offset + (uint64_t)done;
		ssize_t moved = is_write ? write_node(fd, at, parts[i].iov_base, parts[i].iov_len)
					 : read_node(fd, at, parts[i].iov_base, parts[i].iov_len);

		if (moved < 0) {
			return done > 0 ? done : moved;
		}
		done += moved;
		if ((size_t)moved < parts[i].iov_len) {
			break;
		}
	}
	return done;
}

PRELOAD_EXPORT ssize_t read(int fd, void *data, size_t size)
{
	return is_node(fd, false) ? read_node(fd, SIM_KERNEL_OFFSET_CURRENT, data, size)
				  : REAL(read)(fd, data, size);
}

PRELOAD_EXPORT ssize_t write(int fd, const void *data, size_t size)
{
	return is_node(fd, false) ? write_node(fd, SIM_KERNEL_OFFSET_CURRENT, data, size)
				  : REAL(write)(fd, data, size);
}

PRELOAD_EXPORT ssize_t readv(int fd, const struct iovec *parts, int count)
{
	return is_node(fd, false) ? move_parts(fd, SIM_KERNEL_OFFSET_CURRENT, parts, count, false)
				  : REAL(readv)(fd, parts, count);
}

PRELOAD_EXPORT ssize_t writev(int fd, const struct iovec *parts, int count)
{
	return is_node(fd, false) ? move_parts(fd, SIM_KERNEL_OFFSET_CURRENT, parts, count, true)
				  : REAL(writev)(fd, parts, count);
}

/* Whether a call at an offset that failed goes to the simulated host after all. */
static bool is_node_after_all(int fd, ssize_t result)
{
	return result < 0 && errno == ESPIPE && is_node(fd, true);
}

/* Offsets are checked before the file is asked. */
static bool is_offset(off_t offset)
{
	if (offset < 0) {
		errno = EINVAL;
	}
	return offset >= 0;
}

static ssize_t read_at(int fd, void *data, size_t size, off_t offset)
{
	if (!is_node(fd, false)) {
		ssize_t done = REAL(pread)(fd, data, size, offset);

		if (!is_node_after_all(fd, done)) {
			return done;
		}
	}
	return is_offset(offset) ? read_node(fd, (uint64_t)offset, data, size) : -1;
}

static ssize_t write_at(int fd, const void *data, size_t size, off_t offset)
{
	if (!is_node(fd, false)) {
		ssize_t done = REAL(pwrite)(fd, data, size, offset);

		if (!is_node_after_all(fd, done)) {
			return done;
		}
	}
	return is_offset(offset) ? write_node(fd, (uint64_t)offset, data, size) : -1;
}

PRELOAD_EXPORT ssize_t pread(int fd, void *data, size_t size, off_t offset)
{
	return read_at(fd, data, size, offset);
}

PRELOAD_EXPORT ssize_t pread64(int fd, void *data, size_t size, off64_t offset)
{
	return read_at(fd, data, size, offset);
}

PRELOAD_EXPORT ssize_t pwrite(int fd, const void *data, size_t size, off_t offset)
{
	return write_at(fd, data, size, offset);
}

PRELOAD_EXPORT ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset)
{
	return write_at(fd, data, size, offset);
}

static ssize_t read_parts_at(int fd, const struct iovec *parts, int count, off_t offset)
{
	if (!is_node(fd, false)) {
		ssize_t done = REAL(preadv)(fd, parts, count, offset);

		if (!is_node_after_all(fd, done)) {
			return done;
		}
	}
	return is_offset(offset) ? move_parts(fd, (uint64_t)offset, parts, count, false) : -1;
}

static ssize_t write_parts_at(int fd, const struct iovec *parts, int count, off_t offset)
{
	if (!is_node(fd, false)) {
		ssize_t done = REAL(pwritev)(fd, parts, count, offset);

		if (!is_node_after_all(fd, done)) {
			return done;
		}
	}
	return is_offset(offset) ? move_parts(fd, (uint64_t)offset, parts, count, true) : -1;
}

PRELOAD_EXPORT ssize_t preadv(int fd, const struct iovec *parts, int count, off_t offset)
{
	return read_parts_at(fd, parts, count, offset);
}

PRELOAD_EXPORT ssize_t preadv64(int fd, const struct iovec *parts, int count, off64_t offset)
{
	return read_parts_at(fd, parts, count, offset);
}

PRELOAD_EXPORT ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset)
{
	return write_parts_at(fd, parts, count, offset);
}

PRELOAD_EXPORT ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t offset)
{
	return write_parts_at(fd, parts, count, offset);
}

/* What programs that were compiled with _FORTIFY_SOURCE call. The room is known to the compiler;
 * that the size is no more is what the real functions would check. */

ssize_t __read_chk(int fd, void *data, size_t size, size_t room);
ssize_t __pread_chk(int fd, void *data, size_t size, off_t offset, size_t room);
ssize_t __pread64_chk(int fd, void *data, size_t size, off64_t offset, size_t room);

static void check_room(size_t size, size_t room)
{
	void (*fail)(void) = NULL;

	if (size > room) {
		*(void **)&fail = dlsym(RTLD_NEXT, "__chk_fail");
		if (fail) {
			fail();
		}
		__builtin_trap();
	}
}

PRELOAD_EXPORT ssize_t __read_chk(int fd, void *data, size_t size, size_t room)
{
	check_room(size, room);
	return read(fd, data, size);
}

PRELOAD_EXPORT ssize_t __pread_chk(int fd, void *data, size_t size, off_t offset, size_t room)
{
	check_room(size, room);
	return read_at(fd, data, size, offset);
}

PRELOAD_EXPORT ssize_t __pread64_chk(int fd, void *data, size_t size, off64_t offset, size_t room)
{
	check_room(size, room);
	return read_at(fd, data, size, offset);
}

/* mapping */

/* An aligned address for a mapping of larger pages than this machine's: reserve more than that,
 * and give back what is around. */
static void *reserve_aligned(size_t length, size_t page)
{
	uint8_t *all = REAL(mmap)(NULL, length + page, PROT_NONE,
				  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	uint8_t *start;

	if (all == MAP_FAILED) {
		return MAP_FAILED;
	}
	start = (uint8_t *)(((uintptr_t)all + page - 1) & ~(uintptr_t)(page - 1));
	if (start > all) {
		(void)REAL(munmap)(all, (size_t)(start - all));
	}
	if (start < all + page) {
		(void)REAL(munmap)(start + length, (size_t)(all + page - start));
	}
	return start;
}

/* As a kernel with larger pages would do it. */
static void *map_large(void *address, size_t length, int prot, int flags, int fd, off_t offset,
		       size_t page)
{
	bool fixed = flags & (MAP_FIXED | MAP_FIXED_NOREPLACE);
	size_t rounded = (length + page - 1) & ~(page - 1);
	void *reserved;
	void *mapped;

	if ((uintptr_t)address & (page - 1) || offset & (off_t)(page - 1) || rounded < length) {
		if (fixed || offset & (off_t)(page - 1)) {
			errno = EINVAL;
			return MAP_FAILED;
		}
		address = NULL;
	}
	if (fixed || length == 0) {
		return REAL(mmap)(address, rounded, prot, flags, fd, offset);
	}
	reserved = reserve_aligned(rounded, page);
	if (reserved == MAP_FAILED) {
		return MAP_FAILED;
	}
	mapped = REAL(mmap)(reserved, rounded, prot, flags | MAP_FIXED, fd, offset);
	if (mapped == MAP_FAILED) {
		int saved = errno;

		(void)REAL(munmap)(reserved, rounded);
		errno = saved;
	}
	return mapped;
}

static void *map_real(void *address, size_t length, int prot, int flags, int fd, off_t offset)
{
	size_t page = preload_page_size();

	return page ? map_large(address, length, prot, flags, fd, offset, page)
		    : REAL(mmap)(address, length, prot, flags, fd, offset);
}

/* A region's file, which has its offset by this machine's pages: with larger ones as much room is
 * taken as munmap gives back. */
static void *map_file(void *address, size_t length, int prot, int flags, int fd, off_t offset)
{
	size_t page = preload_page_size();
	size_t rounded = page ? (length + page - 1) & ~(page - 1) : length;
	void *reserved;
	void *mapped;

	if (!page || flags & (MAP_FIXED | MAP_FIXED_NOREPLACE) || rounded < length) {
		return REAL(mmap)(address, length, prot, flags, fd, offset);
	}
	reserved = reserve_aligned(rounded, page);
	if (reserved == MAP_FAILED) {
		return MAP_FAILED;
	}
	mapped = REAL(mmap)(reserved, length, prot, flags | MAP_FIXED, fd, offset);
	if (mapped == MAP_FAILED) {
		int saved = errno;

		(void)REAL(munmap)(reserved, rounded);
		errno = saved;
	}
	return mapped;
}

/* Map a device's region: what the simulated host names instead. */
static void *map_node(void *address, size_t length, int prot, int flags, int fd, off_t offset)
{
	uint64_t file_offset = 0;
	void *mapped;
	int file = -1;
	int r = sim_kernel_find_region(preload_kernel(), fd, (uint64_t)offset, length, prot, &file,
				       &file_offset);

	/* Regions are mapped shared, or not at all (vfio_pci_core_mmap). */
	if (r == 0 && (flags & MAP_TYPE) == MAP_PRIVATE) {
		(void)REAL(close)(file);
		r = -EINVAL;
	}
	if (r < 0) {
		errno = -r;
		return MAP_FAILED;
	}
	mapped = map_file(address, length, prot, flags, file, (off_t)file_offset);
	r = errno;
	(void)REAL(close)(file);
	errno = r;
	return mapped;
}

static void *map(void *address, size_t length, int prot, int flags, int fd, off_t offset)
{
	void *mapped;

	if (fd < 0 || flags & MAP_ANONYMOUS) {
		return map_real(address, length, prot, flags, fd, offset);
	}
	if (is_node(fd, false)) {
		return map_node(address, length, prot, flags, fd, offset);
	}
	mapped = map_real(address, length, prot, flags, fd, offset);
	if (mapped == MAP_FAILED && errno == ENODEV && is_node(fd, true)) {
		return map_node(address, length, prot, flags, fd, offset);
	}
	return mapped;
}

PRELOAD_EXPORT void *mmap(void *address, size_t length, int prot, int flags, int fd, off_t offset)
{
	return map(address, length, prot, flags, fd, offset);
}

PRELOAD_EXPORT void *mmap64(void *address, size_t length, int prot, int flags, int fd,
			    off64_t offset)
{
	return map(address, length, prot, flags, fd, offset);
}

PRELOAD_EXPORT int munmap(void *address, size_t length)
{
	size_t page = preload_page_size();

	if (page && ((uintptr_t)address & (page - 1)) == 0) {
		length = (length + page - 1) & ~(page - 1);
	}
	return REAL(munmap)(address, length);
}
