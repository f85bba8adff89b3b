/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The kernel seam over the running kernel. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <linux/netlink.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/holders.h"
#include "host/kernel.h"

/* What the kernel itself sends; udev's messages are group 2. */
#define UEVENT_GROUP_KERNEL 1U

static int linux_open_node(struct kernel *kernel, const char *path)
{
	int fd;

	(void)kernel;
	fd = open(path, O_RDWR | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int linux_ioctl(struct kernel *kernel, int fd, unsigned long request, void *argument)
{
	int result;

	(void)kernel;
	/* EINTR is handed up: on an LPAR it can be a hypervisor code in disguise (H_PARAMETER). */
	result = ioctl(fd, request, argument);
	return result < 0 ? -errno : result;
}

static int linux_page_size(struct kernel *kernel, int fd, uint64_t *ret_size)
{
	struct statfs status;

	(void)kernel;
	if (fstatfs(fd, &status) < 0) {
		return -errno;
	}
	*ret_size = status.f_type == HUGETLBFS_MAGIC ? (uint64_t)status.f_bsize
						     : (uint64_t)sysconf(_SC_PAGESIZE);
	return 0;
}

static int linux_map(struct kernel *kernel, int fd, uint64_t offset, size_t length, int prot,
		     void **ret_address)
{
	void *address;

	(void)kernel;
	address = mmap(NULL, length, prot, MAP_SHARED, fd, (off_t)offset);
	if (address == MAP_FAILED) {
		return -errno;
	}
	*ret_address = address;
	return 0;
}

static int linux_unmap(struct kernel *kernel, void *address, size_t length)
{
	(void)kernel;
	return munmap(address, length) < 0 ? -errno : 0;
}

static ssize_t linux_read(struct kernel *kernel, int fd, uint64_t offset, void *data, size_t size)
{
	ssize_t done = pread(fd, data, size, (off_t)offset);

	(void)kernel;
	return done < 0 ? -errno : done;
}

static ssize_t linux_write(struct kernel *kernel, int fd, uint64_t offset, const void *data,
			   size_t size)
{
	ssize_t done = pwrite(fd, data, size, (off_t)offset);

	(void)kernel;
	return done < 0 ? -errno : done;
}

static int linux_open_uevents(struct kernel *kernel)
{
	struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = UEVENT_GROUP_KERNEL};
	int fd =
		socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT);

	(void)kernel;
	if (fd < 0) {
		return -errno;
	}
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		int r = -errno;

		(void)fd_close(fd);
		return r;
	}
	return fd;
}

/* Whether a path stays below sysfs. */
static bool is_below(const char *path)
{
	if (path[0] == '/' || path[0] == '\0') {
		return false;
	}
	for (const char *part = path; part; part = strchr(part, '/')) {
		part += *part == '/';
		if (strncmp(part, "..", 2) == 0 && (part[2] == '/' || part[2] == '\0')) {
			return false;
		}
	}
	return true;
}

static int linux_write_attribute(struct kernel *kernel, const char *path, const char *text)
{
	cleanup(cleanup_fd) int root = -1;
	cleanup(cleanup_fd) int fd = -1;
	size_t length = strlen(text);
	ssize_t written;

	if (!is_below(path)) {
		return -EINVAL;
	}
	root = open(kernel->sysfs_root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	fd = root < 0 ? -1 : openat(root, path, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0) {
		return -errno;
	}
	/* Once: a driver's probe would go twice. */
	written = write(fd, text, length);
	if (written < 0) {
		return -errno;
	}
	return (size_t)written == length ? 0 : -EIO;
}

static int linux_find_holders(struct kernel *kernel, const char *path, pid_t *ret_pids, size_t most)
{
	(void)kernel;
	return holders_find("/proc", path, ret_pids, most);
}

static void linux_close(struct kernel *kernel, int fd)
{
	(void)kernel;
	(void)fd_close(fd);
}

static void linux_free(struct kernel *kernel)
{
	free(kernel->sysfs_root);
	free(kernel);
}

static const struct kernel_operations linux_operations = {
	.open_node = linux_open_node,
	.ioctl = linux_ioctl,
	.page_size = linux_page_size,
	.map = linux_map,
	.unmap = linux_unmap,
	.read = linux_read,
	.write = linux_write,
	.open_uevents = linux_open_uevents,
	.write_attribute = linux_write_attribute,
	.find_holders = linux_find_holders,
	.close = linux_close,
	.free = linux_free,
};

/* RLIMIT_MEMLOCK, unless CAP_IPC_LOCK lifts it (mm/util.c, account_locked_vm). */
static uint64_t find_locked_limit(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {{.effective = 0}};
	struct rlimit limit;

	if (syscall(SYS_capget, &header, data) == 0 &&
	    (data[CAP_TO_INDEX(CAP_IPC_LOCK)].effective & CAP_TO_MASK(CAP_IPC_LOCK))) {
		return UINT64_MAX;
	}
	if (getrlimit(RLIMIT_MEMLOCK, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY) {
		return UINT64_MAX;
	}
	return limit.rlim_cur;
}

int kernel_linux_new(struct kernel **ret_kernel)
{
	struct kernel *kernel = calloc(1, sizeof(*kernel));

	if (!kernel) {
		return -ENOMEM;
	}
	kernel->operations = &linux_operations;
	kernel->locked_limit = find_locked_limit();
	kernel->sysfs_root = strdup("/sys");
	if (!kernel->sysfs_root) {
		free(kernel);
		return -ENOMEM;
	}
	*ret_kernel = kernel;
	return 0;
}
