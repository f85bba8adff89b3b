/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vfio/section.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "common/trace.h"
#include "vfio/device_memory.h"

#define FLAGS_KNOWN (WORKER_MEMORY_READ_ONLY | WORKER_MEMORY_IDENTITY | WORKER_MEMORY_RAM_DEVICE)

#define POLICY_ADVICE "allow it by the policy [window] memory-files = sealed %s"

/* What is behind the fd, as far as the checks have found out. */
struct backing {
	uint64_t size; /* of the file */
	uint64_t page;
};

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

/* A file that can shrink: its owner can take the pages away that devices are to reach. */
static int refuse_unsealed(int seals, struct error *error)
{
	if (seals & F_SEAL_SEAL) {
		return error_set(error, ERROR_INVALID_ARGUMENT, 0,
				 "the memory fd could shrink under the devices, and takes no "
				 "seals; pass a memfd made with MFD_ALLOW_SEALING and sealed with "
				 "F_SEAL_SHRINK, or " POLICY_ADVICE,
				 "unsealed");
	}
	return error_set(error, ERROR_INVALID_ARGUMENT, 0,
			 "the memory fd could shrink under the devices; seal it first: fcntl(fd, "
			 "F_ADD_SEALS, F_SEAL_SHRINK), or " POLICY_ADVICE,
			 "unsealed");
}

/* A file of a file system in memory, with a name there. Whoever may open it may cut it. */
static int check_named_file(bool huge, uint32_t takes, struct error *error)
{
	if (takes & (huge ? WORKER_TAKES_HUGETLBFS : WORKER_TAKES_TMPFS)) {
		return 0;
	}
	return error_set(error, ERROR_INVALID_ARGUMENT, 0,
			 "the memory fd is a file on %s, which could shrink under the devices; "
			 "pass a sealed memfd, or " POLICY_ADVICE,
			 huge ? "hugetlbfs" : "tmpfs", huge ? "hugetlbfs" : "tmpfs");
}

/* Memfds are files without a name of the kernel's own tmpfs and hugetlbfs. */
static int check_shrinking(int fd, uint32_t takes, struct error *error)
{
	int seals = fcntl(fd, F_GET_SEALS);
	struct statfs filesystem;
	struct stat status;
	bool huge;

	if (seals >= 0 && (seals & F_SEAL_SHRINK)) {
		return 0;
	}
	if (fstatfs(fd, &filesystem) < 0 || fstat(fd, &status) < 0) {
		return error_set(error, ERROR_INVALID_ARGUMENT, errno, "the memory fd is no file");
	}
	huge = filesystem.f_type == HUGETLBFS_MAGIC;
	if (!huge && filesystem.f_type != TMPFS_MAGIC) {
		return error_set(error, ERROR_INVALID_ARGUMENT, 0,
				 "the memory fd is a file on a disk, and can't be sealed; pass a "
				 "memfd made with MFD_ALLOW_SEALING");
	}
	if (status.st_nlink > 0) {
		return check_named_file(huge, takes, error);
	}
	return takes & WORKER_TAKES_UNSEALED ? 0 : refuse_unsealed(seals < 0 ? 0 : seals, error);
}

static int check_seals(int fd, uint32_t takes, struct error *error)
{
	int seals = fcntl(fd, F_GET_SEALS);

	if (seals >= 0 && (seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE))) {
		return error_set(error, ERROR_INVALID_ARGUMENT, 0,
				 "the memory fd is sealed against writing (F_SEAL_WRITE or "
				 "F_SEAL_FUTURE_WRITE), so the kernel can't pin it; use flag 1 "
				 "(read-only) for memory that devices may only read");
	}
	return check_shrinking(fd, takes, error);
}

/* The page size behind the fd. */
static int find_page(struct kernel *kernel, int fd, struct backing *backing, struct error *error)
{
	int r = kernel_page_size(kernel, fd, &backing->page);

	if (r < 0) {
		return error_set(error, ERROR_INVALID_ARGUMENT, -r,
				 "the memory fd has no page size");
	}
	return 0;
}

static int check_file(struct kernel *kernel, int fd, uint32_t takes, struct backing *backing,
		      struct error *error)
{
	struct stat status;
	int r;

	r = check_access(fd, error);
	if (r) {
		return r;
	}
	r = check_seals(fd, takes, error);
	if (r) {
		return r;
	}
	r = find_page(kernel, fd, backing, error);
	if (r) {
		return r;
	}
	/* Only now, when it can't shrink any more. */
	if (fstat(fd, &status) < 0) {
		return error_set(error, ERROR_INVALID_ARGUMENT, errno, "the memory fd is no file");
	}
	backing->size = (uint64_t)status.st_size;
	return 0;
}

static int check_flags(uint32_t flags, struct error *error)
{
	if (flags & ~FLAGS_KNOWN) {
		return error_set(error, ERROR_INVALID_ARGUMENT, 0,
				 "memory flags 0x%" PRIx32 " are not known", flags & ~FLAGS_KNOWN);
	}
	if ((flags & WORKER_MEMORY_IDENTITY) && (flags & WORKER_MEMORY_RAM_DEVICE)) {
		return error_set(error, ERROR_INVALID_ARGUMENT, 0,
				 "memory flags 2 (identity) and 4 (ram-device) don't go together; "
				 "Map the device's memory where it should be seen");
	}
	return 0;
}

static int check_ranges(const struct section_request *request, uint64_t page, struct error *error)
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
	return 0;
}

static int check_end(const struct section_request *request, uint64_t file_size, struct error *error)
{
	if (request->offset > file_size || request->size > file_size - request->offset) {
		return error_set(error, ERROR_INVALID_ARGUMENT, 0,
				 "%s is not inside the memory fd, whose size is 0x%" PRIx64,
				 range_format((struct range){request->offset, request->size}).text,
				 file_size);
	}
	return 0;
}

/* Everything that can be known before the fd is mapped. */
static int check(struct kernel *kernel, int fd, const struct section_request *request,
		 uint32_t takes, struct backing *backing, struct error *error)
{
	bool device = (request->flags & WORKER_MEMORY_RAM_DEVICE) != 0;
	int r;

	r = check_flags(request->flags, error);
	if (r) {
		return r;
	}
	r = device ? find_page(kernel, fd, backing, error)
		   : check_file(kernel, fd, takes, backing, error);
	if (r) {
		return r;
	}
	r = check_ranges(request, backing->page, error);
	if (r) {
		return r;
	}
	return device ? device_memory_check(kernel, fd,
					    (struct range){request->offset, request->size}, error)
		      : check_end(request, backing->size, error);
}

static uint64_t lowest_bit(uint64_t value)
{
	return value & -value;
}

/* The kernel pins ram for writing, even if it is read-only for devices; a region may be read-only
 * altogether. */
static int map_prot(uint32_t flags)
{
	return (flags & WORKER_MEMORY_RAM_DEVICE) && (flags & WORKER_MEMORY_READ_ONLY)
		       ? PROT_READ
		       : PROT_READ | PROT_WRITE;
}

/* Huge pages are set aside by the map, and there are as many as the administrator has made. */
static int refuse_to_map(const struct section *section, int result, struct error *error)
{
	struct range range = {section->offset, section->gpa.size};

	if (result == -ENOMEM && section->backing_page > (uint64_t)sysconf(_SC_PAGESIZE)) {
		return error_set(error, ERROR_QUOTA_EXCEEDED, ENOMEM,
				 "the memory fd can't be mapped at %s: too few free pages of "
				 "0x%" PRIx64 " bytes (hugetlbfs); free some, or make more by "
				 "nr_hugepages in /sys/kernel/mm/hugepages",
				 range_format(range).text, section->backing_page);
	}
	return error_set(error, ERROR_KERNEL, -result, "the memory fd can't be mapped at %s",
			 range_format(range).text);
}

static int map_section(struct section *section, int fd, struct error *error)
{
	int r = kernel_map(section->kernel, fd, section->offset, section->gpa.size,
			   map_prot(section->flags), &section->address);
	uint64_t address = (uint64_t)(uintptr_t)section->address;

	if (r < 0) {
		section->address = NULL;
		return refuse_to_map(section, r, error);
	}
	section->largest_page = lowest_bit(section->backing_page | address | section->gpa.size);
	return 0;
}

/* What no container needs to be asked for. */
static int place(struct section *section, int fd, struct error *error)
{
	struct error refused = {.code = ERROR_NONE};
	int r = map_section(section, fd, &refused);

	if (r && !section_may_be_refused(section)) {
		if (error) {
			*error = refused;
		}
		return r;
	}
	if (r) {
		section_skip(section, refused.text);
	} else if (!section_can_be_seen(section)) {
		section_skip(section, "its address has bit 63 set, where devices have none");
	}
	return 0;
}

int section_new(struct kernel *kernel, int fd, const struct section_request *request,
		uint32_t takes, struct section **ret_section, struct error *error)
{
	struct backing backing = {.size = 0};
	struct section *section;
	int r;

	r = check(kernel, fd, request, takes, &backing, error);
	if (r) {
		return r;
	}
	section = malloc(sizeof(*section));
	if (!section) {
		return error_set(error, ERROR_KERNEL, ENOMEM, "no memory for a section");
	}
	*section = (struct section){
		.flags = request->flags,
		.state = SECTION_ARRIVING,
		.offset = request->offset,
		.gpa = {request->gpa, request->size},
		.backing_page = backing.page,
		.kernel = kernel,
	};
	r = place(section, fd, error);
	if (r) {
		(void)section_free(section);
		return r;
	}
	*ret_section = section;
	return 0;
}

static void note_reason(struct section *section, const char *because)
{
	memset(section->because, 0, sizeof(section->because));
	memcpy(section->because, because, strnlen(because, sizeof(section->because) - 1));
}

void section_skip(struct section *section, const char *because)
{
	section->skipped = true;
	note_reason(section, because);
	trace_section_skip(section->gpa.start, section->gpa.size, section->because);
}

void section_refuse(struct section *section, const char *because)
{
	section->refused = true;
	note_reason(section, because);
	trace_section_skip(section->gpa.start, section->gpa.size, section->because);
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
