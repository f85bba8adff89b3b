/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The kernel seam over the running kernel, as far as any machine goes. */
#include <errno.h>
#include <fcntl.h>
#include <linux/vfio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "host/kernel.h"
#include "unit.h"

static int set_up(void **state)
{
	return kernel_linux_new((struct kernel **)state);
}

static int tear_down(void **state)
{
	*state = kernel_free(*state);
	return 0;
}

static void test_sysfs_root(void **state)
{
	struct kernel *kernel = *state;

	assert_string_equal(kernel->sysfs_root, "/sys");
	assert_null(kernel_free(NULL));
}

static void test_nodes(void **state)
{
	struct kernel *kernel = *state;
	int fd = kernel_open_node(kernel, "/dev/null");

	assert_true(fd >= 0);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(kernel_ioctl_value(kernel, fd, VFIO_CHECK_EXTENSION, 1), -ENOTTY);
	fd = kernel_close(kernel, fd);
	assert_int_equal(fd, -1);
	assert_int_equal(kernel_close(kernel, -1), -1);
	assert_int_equal(kernel_open_node(kernel, "/dev/vfio/4294967295"), -ENOENT);
	assert_int_equal(kernel_ioctl(kernel, -1, VFIO_GET_API_VERSION, NULL), -EBADF);
}

static void test_maps(void **state)
{
	struct kernel *kernel = *state;
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	int memory = memfd_create("memory", MFD_CLOEXEC);
	char byte = 0;
	void *address = NULL;

	assert_int_equal(ftruncate(memory, (off_t)(2 * page)), 0);
	assert_int_equal(kernel_map(kernel, memory, page, page, PROT_READ | PROT_WRITE, &address),
			 0);
	*(char *)address = 'x';
	assert_int_equal(pread(memory, &byte, 1, (off_t)page), 1);
	assert_int_equal(byte, 'x');
	assert_int_equal(kernel_unmap(kernel, address, page), 0);
	assert_int_equal(kernel_map(kernel, memory, 1, page, PROT_READ, &address), -EINVAL);
	assert_int_equal(kernel_map(kernel, -1, 0, page, PROT_READ, &address), -EBADF);
	assert_int_equal(close(memory), 0);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

/* A folder stands for sysfs: the text goes into the file whole, and nowhere but below. */
static void test_attributes(void **state)
{
	struct kernel *kernel = *state;
	char folder[] = "/tmp/spaprd-test-XXXXXX";
	char path[64];
	char text[32] = "";
	char *root = kernel->sysfs_root;
	int fd;

	assert_non_null(mkdtemp(folder));
	kernel->sysfs_root = folder;
	(void)snprintf(path, sizeof(path), "%s/file", folder);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(kernel_write_attribute(kernel, "file", "0001:01:00.0"), 0);
	assert_int_equal(read(fd, text, sizeof(text)), 12);
	assert_string_equal(text, "0001:01:00.0");
	assert_int_equal(kernel_write_attribute(kernel, "file", ""), 0);
	assert_int_equal(kernel_write_attribute(kernel, "other", "x"), -ENOENT);
	assert_int_equal(kernel_write_attribute(kernel, "", "x"), -EINVAL);
	assert_int_equal(kernel_write_attribute(kernel, "..", "x"), -EINVAL);
	assert_int_equal(kernel_write_attribute(kernel, "../file", "x"), -EINVAL);
	assert_int_equal(kernel_write_attribute(kernel, "a/../file", "x"), -EINVAL);
	assert_int_equal(kernel_write_attribute(kernel, path, "x"), -EINVAL);
	assert_int_equal(kernel_write_attribute(kernel, "..file", "x"), -ENOENT);
	(void)close(fd);
	(void)snprintf(path, sizeof(path), "%s/link", folder);
	assert_int_equal(symlink("file", path), 0);
	assert_int_equal(kernel_write_attribute(kernel, "link", "x"), -ELOOP);
	assert_int_equal(unlink(path), 0);
	(void)snprintf(path, sizeof(path), "%s/file", folder);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(folder), 0);
	kernel->sysfs_root = root;
}

/* This process has a node of which nobody else knows, as long as it has. */
static void test_holders(void **state)
{
	struct kernel *kernel = *state;
	char path[] = "/tmp/spaprd-test-XXXXXX";
	int fd = mkstemp(path);
	pid_t pids[4];

	assert_true(fd >= 0);
	assert_int_equal(kernel_find_holders(kernel, path, pids, 4), 1);
	assert_int_equal(pids[0], getpid());
	assert_int_equal(kernel_find_holders(kernel, path, pids, 0), 0);
	(void)close(fd);
	assert_int_equal(kernel_find_holders(kernel, path, pids, 4), 0);
	assert_int_equal(unlink(path), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_sysfs_root),
		TEST(test_nodes),
		TEST(test_maps),
		cmocka_unit_test_setup_teardown(test_attributes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_holders, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("kernel-linux", tests, NULL, NULL);
}
