/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vfio/section.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "common/worker_protocol.h"

#define FLAGS_KNOWN (WORKER_MEMORY_READ_ONLY | WORKER_MEMORY_IDENTITY | WORKER_MEMORY_RAM_DEVICE)

static const char *file_kind(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFSOCK:
		return "a socket";
	case S_IFLNK:
		return "a symbolic link";
	case S_IFBLK:
		return "a block device";
	case S_IFDIR:
		return "a directory";
	case S_IFCHR:
		return "a character device";
	case S_IFIFO:
		return "a pipe";
	default:
		return "an anonymous file";
	}
}

static int check_kind(int fd, struct error *error)
{
	struct stat status;

	if (fstat(fd, &status) < 0) {
		return error_set(error, ERROR_INVALID_ARGUMENT, errno, "the memory fd is no file");
	}
	if (!S_ISREG(status.st_mode)) {
		return error_set(error, ERROR_INVALID_ARGUMENT, 0,
				 "the memory fd is %s; pass a memfd", file_kind(status.st_mode));
	}
	return 0;
}

static int check_access(int fd, struct error *error)
{
	int flags = fcntl(fd, F_GETFL);
	int r;

	if (flags < 0) {
		return error_set(error, ERROR_INVALID_ARGUMENT, errno, "the memory fd is no fd");
	}
	if (flags & O_PATH) {
		return error_set(error, ERROR_INVALID_ARGUMENT, 0,
				 "the memory fd is a mere path (O_PATH); pass a memfd");
	}
	r = check_kind(fd, error);
	if (r) {
		return r;
	}
	if ((flags & O_ACCMODE) != O_RDWR) {
		return error_set(error, ERROR_INVALID_ARGUMENT, 0,
				 "the memory fd is not open for both reading and writing, which "
				 "the kernel needs to pin even a read-only section");
	}
	return 0;
}

static int check_seals(int fd, struct error *error)
{
	int seals = fcntl(fd, F_GET_SEALS);

	if (seals < 0) {
		return error_set(error, ERROR_INVALID_ARGUMENT, errno,
				 "the memory fd can't be sealed; pass a memfd made with "
				 "MFD_ALLOW_SEALING");
	}
	if (!(seals & F_SEAL_SHRINK) && (seals & F_SEAL_SEAL)) {
		return error_set(error, ERROR_INVALID_ARGUMENT, 0,
				 "the memory fd could shrink under the devices, and takes no "
				 "seals; pass a memfd made with MFD_ALLOW_SEALING and sealed with "
				 "F_SEAL_SHRINK");
	}
	if (!(seals & F_SEAL_SHRINK)) {
		return error_set(error, ERROR_INVALID_ARGUMENT, 0,
				 "the memory fd could shrink under the devices; seal it first: "
				 "fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK)");
	}
	if (seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)) {
		return error_set(error, ERROR_INVALID_ARGUMENT, 0,
				 "the memory fd is sealed against writing (F_SEAL_WRITE or "
				 "F_SEAL_FUTURE_WRITE), so the kernel can't pin it; use flag 1 "
				 "(read-only) for memory that devices may only read");
	}
	return 0;
}

/* Find the page size behind the fd. */
static int find_backing_page(int fd, uint64_t *ret_page, struct error *error)
{
	struct statfs status;

	if (fstatfs(fd, &status) < 0) {
		return error_set(error, ERROR_INVALID_ARGUMENT, errno,
				 "the memory fd has no file system");
	}
	if (status.f_type == HUGETLBFS_MAGIC) {
		*ret_page = (uint64_t)status.f_bsize;
	} else {
		*ret_page = (uint64_t)sysconf(_SC_PAGESIZE);
	}
	return 0;
}

static int check_file(int fd, uint64_t *ret_size, uint64_t *ret_page, struct error *error)
{
	struct stat status;
	int r;

	r = check_access(fd, error);
	if (r) {
		return r;
	}
	r = check_seals(fd, error);
	if (r) {
		return r;
	}
	r = find_backing_page(fd, ret_page, error);
	if (r) {
		return r;
	}
	/* Only now, when it can't shrink any more. */
	if (fstat(fd, &status) < 0) {
		return error_set(error, ERROR_INVALID_ARGUMENT, errno, "the memory fd is no file");
	}
	*ret_size = (uint64_t)status.st_size;
	return 0;
}

static int check_flags(uint32_t flags, struct error *error)
{
	if (flags & ~FLAGS_KNOWN) {
		return error_set(error, ERROR_INVALID_ARGUMENT, 0,
				 "memory flags 0x%" PRIx32 " are not known", flags & ~FLAGS_KNOWN);
	}
	if (flags & (WORKER_MEMORY_IDENTITY | WORKER_MEMORY_RAM_DEVICE)) {
		return error_set(error, ERROR_UNSUPPORTED, 0,
				 "memory flags 0x%" PRIx32 " (2 identity, 4 ram-device)",
				 flags & (WORKER_MEMORY_IDENTITY | WORKER_MEMORY_RAM_DEVICE));
	}
	return 0;
}

static int check_ranges(const struct section_request *request, uint64_t file_size, uint64_t page,
			struct error *error)
{
	if (!range_is_valid(request->gpa, request->size) ||
	    !range_is_valid(request->offset, request->size)) {
		return error_set(error, ERROR_INVALID_ARGUMENT, 0,
				 "size 0x%" PRIx64 " is 0 or wraps around from gpa 0x%" PRIx64
				 " or offset 0x%" PRIx64,
				 request->size, request->gpa, request->offset);
	}
	if (!is_aligned(request->gpa | request->offset | request->size, page)) {
		return error_set(error, ERROR_INVALID_ARGUMENT, 0,
				 "offset 0x%" PRIx64 ", gpa 0x%" PRIx64 " and size 0x%" PRIx64
				 " must be multiples of 0x%" PRIx64 ", the page size of the memory",
				 request->offset, request->gpa, request->size, page);
	}
	if (request->offset > file_size || request->size > file_size - request->offset) {
		return error_set(error, ERROR_INVALID_ARGUMENT, 0,
				 "%s is not inside the memory fd, whose size is 0x%" PRIx64,
				 range_format((struct range){request->offset, request->size}).text,
				 file_size);
	}
	return 0;
}

static uint64_t lowest_bit(uint64_t value)
{
	return value & -value;
}

int section_new(struct kernel *kernel, int fd, const struct section_request *request,
		struct section **ret_section, struct error *error)
{
	struct section *section;
	uint64_t file_size = 0;
	uint64_t page = 0;
	void *address;
	int r;

	r = check_flags(request->flags, error);
	if (r) {
		return r;
	}
	r = check_file(fd, &file_size, &page, error);
	if (r) {
		return r;
	}
	r = check_ranges(request, file_size, page, error);
	if (r) {
		return r;
	}
	r = kernel_map(kernel, fd, request->offset, request->size, PROT_READ | PROT_WRITE,
		       &address);
	if (r < 0) {
		return error_set(error, ERROR_KERNEL, -r, "the memory fd can't be mapped at %s",
				 range_format((struct range){request->offset, request->size}).text);
	}
	section = malloc(sizeof(*section));
	if (!section) {
		(void)kernel_unmap(kernel, address, request->size);
		return error_set(error, ERROR_KERNEL, ENOMEM, "no memory for a section");
	}
	*section = (struct section){
		.flags = request->flags,
		.state = SECTION_ARRIVING,
		.offset = request->offset,
		.gpa = {request->gpa, request->size},
		.address = address,
		.backing_page = page,
		.largest_page = lowest_bit(page | (uint64_t)(uintptr_t)address | request->size),
		.kernel = kernel,
	};
	*ret_section = section;
	return 0;
}

struct section *section_free(struct section *section)
{
	if (section) {
		if (section->address) {
			(void)kernel_unmap(section->kernel, section->address, section->gpa.size);
		}
		free(section);
	}
	return NULL;
}
