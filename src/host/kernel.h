/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The kernel seam: everything that the engine asks of the kernel about VFIO.
 *
 * One table of functions at the level of the kernel's own ABI, so that what stands behind it is
 * either Linux (kernel_linux_new) or the simulated host (sim_kernel_new, src/sim/client.h). An fd
 * of either is a real fd: it can be passed to another process and is released by its last close.
 *
 * Functions return a useful number (0 or more) or a negative errno; errno itself is not used. All
 * may be called from any thread.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct kernel;

struct kernel_operations {
	/* Open a node by its usual name ("/dev/vfio/vfio", "/dev/vfio/7"), read-write, CLOEXEC. */
	int (*open_node)(struct kernel *kernel, const char *path);

	/*
	 * ioctl(2). Value arguments are cast to a pointer (kernel_ioctl_value). Mind that VFIO's
	 * sPAPR ioctls can FAIL WITH A POSITIVE NUMBER (MAP and UNMAP: asm/iommu.h,
	 * iommu_tce_put_param_check): where success is 0, anything else is a failure.
	 */
	int (*ioctl)(struct kernel *kernel, int fd, unsigned long request, void *argument);

	/*
	 * The size of the pages behind an fd, in bytes, a power of two: those of hugetlbfs for its
	 * files and memfds, else the host's. Transparent huge pages don't count, for the kernel may
	 * split them at any time. 0 or -errno.
	 */
	int (*page_size)(struct kernel *kernel, int fd, uint64_t *ret_size);

	/*
	 * Map an fd shared, length bytes from offset: a device's region, or memory that is going to
	 * be registered with a container (the simulated host finds the memory behind an address by
	 * this). prot as mmap(2) has it. The address is aligned to page_size of the fd.
	 */
	int (*map)(struct kernel *kernel, int fd, uint64_t offset, size_t length, int prot,
		   void **ret_address);
	int (*unmap)(struct kernel *kernel, void *address, size_t length);

	/* pread(2) and pwrite(2) on a device's regions: how many bytes were moved, which may be
	 * fewer than asked for, or a negative errno. */
	ssize_t (*read)(struct kernel *kernel, int fd, uint64_t offset, void *data, size_t size);
	ssize_t (*write)(struct kernel *kernel, int fd, uint64_t offset, const void *data,
			 size_t size);

	/*
	 * Listen to the kernel's uevents, those from now on. The fd is CLOEXEC, non-blocking and
	 * pollable; each recv(2) takes one uevent: "add@/devices/…", then KEY=VALUE strings, each
	 * with a terminating zero. When the reader is too slow some are lost, which recv tells by
	 * ENOBUFS on Linux.
	 */
	int (*open_uevents)(struct kernel *kernel);

	/*
	 * Write a whole text to a file below sysfs, in one write(2): "bus/pci/drivers_probe",
	 * "0001:01:00.0". 0 or -errno, which is what the kernel made of it. May block for as long
	 * as a driver takes.
	 */
	int (*write_attribute)(struct kernel *kernel, const char *path, const char *text);

	/*
	 * The processes that have a node open ("/dev/vfio/7"), as far as this one may know: at most
	 * `most`. How many there are in ret_pids, or -errno.
	 */
	int (*find_holders)(struct kernel *kernel, const char *path, pid_t *ret_pids, size_t most);

	/* Close an fd that came from open_node, from an ioctl, or by SCM_RIGHTS. */
	void (*close)(struct kernel *kernel, int fd);

	void (*free)(struct kernel *kernel);
};

/* Embedded as the first member of each implementation. */
struct kernel {
	const struct kernel_operations *operations;
	/* Where sysfs is: "/sys", or the simulated host's tree of real files. Owned. */
	char *sysfs_root;
	/* Bytes that this process may lock for VFIO, as it was at the start; UINT64_MAX: no limit.
	 */
	uint64_t locked_limit;
	/* log2 of the size of the kernel's pages; 0: as sysconf tells. */
	unsigned int page_shift;
};

static inline int kernel_open_node(struct kernel *kernel, const char *path)
{
	return kernel->operations->open_node(kernel, path);
}

static inline int kernel_ioctl(struct kernel *kernel, int fd, unsigned long request, void *argument)
{
	return kernel->operations->ioctl(kernel, fd, request, argument);
}

static inline int kernel_ioctl_value(struct kernel *kernel, int fd, unsigned long request,
				     unsigned long value)
{
	return kernel->operations->ioctl(kernel, fd, request, (void *)value);
}

static inline int kernel_page_size(struct kernel *kernel, int fd, uint64_t *ret_size)
{
	return kernel->operations->page_size(kernel, fd, ret_size);
}

static inline int kernel_map(struct kernel *kernel, int fd, uint64_t offset, size_t length,
			     int prot, void **ret_address)
{
	return kernel->operations->map(kernel, fd, offset, length, prot, ret_address);
}

static inline int kernel_unmap(struct kernel *kernel, void *address, size_t length)
{
	return kernel->operations->unmap(kernel, address, length);
}

static inline ssize_t kernel_read(struct kernel *kernel, int fd, uint64_t offset, void *data,
				  size_t size)
{
	return kernel->operations->read(kernel, fd, offset, data, size);
}

static inline ssize_t kernel_write(struct kernel *kernel, int fd, uint64_t offset, const void *data,
				   size_t size)
{
	return kernel->operations->write(kernel, fd, offset, data, size);
}

static inline int kernel_open_uevents(struct kernel *kernel)
{
	return kernel->operations->open_uevents(kernel);
}

static inline int kernel_write_attribute(struct kernel *kernel, const char *path, const char *text)
{
	return kernel->operations->write_attribute(kernel, path, text);
}

static inline int kernel_find_holders(struct kernel *kernel, const char *path, pid_t *ret_pids,
				      size_t most)
{
	return kernel->operations->find_holders(kernel, path, ret_pids, most);
}

/* Returns -1 to assign. Takes -1. */
static inline int kernel_close(struct kernel *kernel, int fd)
{
	if (fd >= 0) {
		kernel->operations->close(kernel, fd);
	}
	return -1;
}

/* Takes NULL, returns NULL. */
static inline struct kernel *kernel_free(struct kernel *kernel)
{
	if (kernel) {
		kernel->operations->free(kernel);
	}
	return NULL;
}

/* The running kernel, by system calls, with sysfs at /sys. 0 or -errno. */
int kernel_linux_new(struct kernel **ret_kernel);
