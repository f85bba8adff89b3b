/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/memfd.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "common/cleanup.h"
#include "common/worker_protocol.h"
#include "unit.h"
#include "vfio/section.h"

#define PAGE UINT64_C(0x1000)
#define SIZE (16 * PAGE)

static struct kernel *kernel;

/* What is allowed besides sealed memfds. */
static uint32_t takes;

static int set_up(void **state)
{
	(void)state;
	takes = 0;
	return kernel_linux_new(&kernel);
}

static int tear_down(void **state)
{
	(void)state;
	kernel = kernel_free(kernel);
	return 0;
}

static int make_memory(unsigned int flags, int seals)
{
	int fd = memfd_create("memory", MFD_CLOEXEC | MFD_ALLOW_SEALING | flags);

	if (fd < 0) {
		return fd;
	}
	assert_int_equal(ftruncate(fd, (off_t)(flags & MFD_HUGETLB ? 0x400000 : SIZE)), 0);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
	return fd;
}

static void refuse(int fd, struct section_request request, enum error_code code, const char *text)
{
	struct section *section = NULL;
	struct error error = {.text = ""};

	assert_int_equal(section_new(kernel, fd, &request, takes, &section, &error), code);
	assert_null(section);
	if (!strstr(error.text, text)) {
		print_error("%s\n", error.text);
	}
	assert_non_null(strstr(error.text, text));
}

static void test_plain(void **state)
{
	struct section_request request = {.offset = PAGE, .gpa = 2 * PAGE, .size = 3 * PAGE};
	cleanup(cleanup_fd) int fd = make_memory(0, F_SEAL_SHRINK);
	struct section *section = NULL;
	struct error error;

	(void)state;
	assert_int_equal(section_new(kernel, fd, &request, takes, &section, &error), 0);
	assert_int_equal(section->state, SECTION_ARRIVING);
	assert_int_equal(section->backing_page, PAGE);
	assert_int_equal(section->largest_page, PAGE);
	assert_ptr_equal(section_address(section, 3 * PAGE), (char *)section->address + PAGE);
	assert_null(section_free(section));
	assert_null(section_free(NULL));
}

static void test_to_the_end(void **state)
{
	struct section_request request = {.gpa = 0 - SIZE, .size = SIZE};
	cleanup(cleanup_fd) int fd = make_memory(0, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
	struct section *section = NULL;
	struct error error;

	(void)state;
	assert_int_equal(section_new(kernel, fd, &request, takes, &section, &error), 0);
	assert_int_equal(range_last(section->gpa), UINT64_MAX);
	assert_true(section_is_skipped(section));
	assert_non_null(strstr(section->because, "bit 63"));
	assert_int_equal(section_pinned_bytes(section), 0);
	section_free(section);
	/* One that only reaches the half of such addresses is seen. */
	request.gpa = (UINT64_C(1) << 63) - PAGE;
	request.size = 2 * PAGE;
	assert_int_equal(section_new(kernel, fd, &request, takes, &section, &error), 0);
	assert_false(section_is_skipped(section));
	assert_int_equal(section_pinned_bytes(section), 2 * PAGE);
	section_free(section);
}

static void test_huge_pages(void **state)
{
	struct section_request request = {.size = 0x400000};
	cleanup(cleanup_fd) int fd = make_memory(MFD_HUGETLB | MFD_HUGE_2MB, F_SEAL_SHRINK);
	struct section *section = NULL;
	struct error error;

	(void)state;
	if (fd < 0) {
		skip();
	}
	request.gpa = 0x100000;
	refuse(fd, request, ERROR_INVALID_ARGUMENT, "0x200000, the page size of the memory");
	request.gpa = 0;
	/* Without huge pages to reserve, this machine can't go further. */
	if (section_new(kernel, fd, &request, takes, &section, &error) == 0) {
		assert_int_equal(section->backing_page, 0x200000);
		assert_int_equal(section->largest_page, 0x200000);
		section_free(section);
	}
}

/* More than any machine keeps ready. */
static void test_no_huge_pages_left(void **state)
{
	struct section_request request = {.size = UINT64_C(1) << 44};
	cleanup(cleanup_fd) int fd = make_memory(MFD_HUGETLB | MFD_HUGE_2MB, F_SEAL_SHRINK);

	(void)state;
	if (fd < 0) {
		skip();
	}
	assert_int_equal(ftruncate(fd, INT64_C(1) << 44), 0);
	refuse(fd, request, ERROR_QUOTA_EXCEEDED,
	       "too few free pages of 0x200000 bytes (hugetlbfs)");
}

static void test_wrong_ranges(void **state)
{
	cleanup(cleanup_fd) int fd = make_memory(0, F_SEAL_SHRINK);

	(void)state;
	refuse(fd, (struct section_request){.size = 0}, ERROR_INVALID_ARGUMENT, "size 0x0 is 0");
	refuse(fd, (struct section_request){.size = SIZE + PAGE}, ERROR_INVALID_ARGUMENT,
	       "not inside the memory fd");
	refuse(fd, (struct section_request){.offset = SIZE, .size = PAGE}, ERROR_INVALID_ARGUMENT,
	       "not inside the memory fd");
	refuse(fd, (struct section_request){.offset = UINT64_MAX - 0xfff, .size = PAGE},
	       ERROR_INVALID_ARGUMENT, "not inside the memory fd");
	refuse(fd, (struct section_request){.offset = UINT64_MAX - 0xfff, .size = 2 * PAGE},
	       ERROR_INVALID_ARGUMENT, "wraps around");
	refuse(fd, (struct section_request){.gpa = UINT64_MAX - 0xfff, .size = 2 * PAGE},
	       ERROR_INVALID_ARGUMENT, "wraps around");
	refuse(fd, (struct section_request){.gpa = PAGE, .size = UINT64_MAX - 0xfff},
	       ERROR_INVALID_ARGUMENT, "not inside the memory fd");
	refuse(fd, (struct section_request){.gpa = 2 * PAGE, .size = UINT64_MAX - 0xfff},
	       ERROR_INVALID_ARGUMENT, "wraps around");
	refuse(fd, (struct section_request){.size = PAGE + 1}, ERROR_INVALID_ARGUMENT,
	       "must be multiples of 0x1000");
	refuse(fd, (struct section_request){.gpa = 1, .size = PAGE}, ERROR_INVALID_ARGUMENT,
	       "must be multiples of 0x1000");
	refuse(fd, (struct section_request){.offset = 0x800, .size = PAGE}, ERROR_INVALID_ARGUMENT,
	       "must be multiples of 0x1000");
}

static void test_flags(void **state)
{
	cleanup(cleanup_fd) int fd = make_memory(0, F_SEAL_SHRINK);
	struct section_request request = {.size = PAGE, .flags = WORKER_MEMORY_READ_ONLY};
	struct section *section = NULL;
	struct error error;

	(void)state;
	assert_int_equal(section_new(kernel, fd, &request, takes, &section, &error), 0);
	assert_int_equal(section_prot(section), WORKER_PROT_READ);
	section_free(section);
	request.flags = WORKER_MEMORY_IDENTITY;
	assert_int_equal(section_new(kernel, fd, &request, takes, &section, &error), 0);
	assert_int_equal(section_prot(section), WORKER_PROT_READ | WORKER_PROT_WRITE);
	assert_true(section_is_identity(section));
	section_free(section);
	request.flags = WORKER_MEMORY_IDENTITY | WORKER_MEMORY_RAM_DEVICE;
	refuse(fd, request, ERROR_INVALID_ARGUMENT, "don't go together");
	request.flags = WORKER_MEMORY_RAM_DEVICE;
	refuse(fd, request, ERROR_INVALID_ARGUMENT, "takes the fd of a VFIO device");
	request.flags = 0x80000001;
	refuse(fd, request, ERROR_INVALID_ARGUMENT, "0x80000000");
}

/* H15: memory is pinned for writing, even what devices may only read. */
static void test_h15_memory_that_cannot_be_written_is_refused(void **state)
{
	struct section_request request = {.size = PAGE, .flags = WORKER_MEMORY_READ_ONLY};
	cleanup(cleanup_fd) int written = make_memory(0, F_SEAL_SHRINK | F_SEAL_WRITE);
	cleanup(cleanup_fd) int future = make_memory(0, F_SEAL_SHRINK | F_SEAL_FUTURE_WRITE);
	cleanup(cleanup_fd) int fd = make_memory(0, F_SEAL_SHRINK);
	char name[32];
	int again;

	(void)state;
	refuse(written, request, ERROR_INVALID_ARGUMENT, "sealed against writing");
	refuse(future, request, ERROR_INVALID_ARGUMENT, "sealed against writing");
	(void)snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	again = open(name, O_RDONLY | O_CLOEXEC);
	refuse(again, request, ERROR_INVALID_ARGUMENT, "both reading and writing");
	(void)close(again);
}

static void take(int fd, struct section_request request)
{
	struct section *section = NULL;
	struct error error = {.text = ""};

	if (section_new(kernel, fd, &request, takes, &section, &error)) {
		print_error("%s\n", error.text);
	}
	assert_non_null(section);
	section_free(section);
}

/* H21: what can shrink under the devices, or lies on a disk, isn't pinned but by policy. */
static void test_h21_unsealed_memory_is_for_policy(void **state)
{
	struct section_request request = {.size = PAGE};
	cleanup(cleanup_fd) int sealed = make_memory(0, F_SEAL_SHRINK);
	cleanup(cleanup_fd) int unsealed = make_memory(0, F_SEAL_GROW);
	cleanup(cleanup_fd) int unsealable = memfd_create("memory", MFD_CLOEXEC);

	(void)state;
	assert_int_equal(ftruncate(unsealable, PAGE), 0);
	take(sealed, request);
	refuse(unsealed, request, ERROR_INVALID_ARGUMENT, "F_ADD_SEALS, F_SEAL_SHRINK");
	refuse(unsealed, request, ERROR_INVALID_ARGUMENT,
	       "[window] memory-files = sealed unsealed");
	refuse(unsealable, request, ERROR_INVALID_ARGUMENT, "MFD_ALLOW_SEALING");
	takes = WORKER_TAKES_HUGETLBFS | WORKER_TAKES_TMPFS;
	refuse(unsealed, request, ERROR_INVALID_ARGUMENT,
	       "[window] memory-files = sealed unsealed");
	takes = WORKER_TAKES_UNSEALED;
	take(sealed, request);
	take(unsealed, request);
	take(unsealable, request);
	/* What can't be written can't be pinned whatever policy says. */
	assert_int_equal(fcntl(unsealed, F_ADD_SEALS, F_SEAL_WRITE), 0);
	refuse(unsealed, request, ERROR_INVALID_ARGUMENT, "sealed against writing");
}

static int make_file(const char *directory, uint64_t size)
{
	char name[64];
	int fd;

	(void)snprintf(name, sizeof(name), "%s/spaprd-test-section-%d", directory, getpid());
	fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd >= 0) {
		assert_int_equal(ftruncate(fd, (off_t)size), 0);
	}
	return fd;
}

static void remove_file(const char *directory)
{
	char name[64];

	(void)snprintf(name, sizeof(name), "%s/spaprd-test-section-%d", directory, getpid());
	(void)unlink(name);
}

static void test_files_on_tmpfs_are_for_policy(void **state)
{
	struct section_request request = {.size = PAGE};
	cleanup(cleanup_fd) int fd = make_file("/dev/shm", SIZE);
	struct statfs filesystem;

	(void)state;
	if (fd < 0 || fstatfs(fd, &filesystem) < 0 || filesystem.f_type != TMPFS_MAGIC) {
		remove_file("/dev/shm");
		skip();
	}
	refuse(fd, request, ERROR_INVALID_ARGUMENT, "[window] memory-files = sealed tmpfs");
	takes = WORKER_TAKES_HUGETLBFS | WORKER_TAKES_UNSEALED;
	refuse(fd, request, ERROR_INVALID_ARGUMENT, "[window] memory-files = sealed tmpfs");
	takes = WORKER_TAKES_TMPFS;
	take(fd, request);
	/* Without its name it is as a memfd that takes no seals. */
	remove_file("/dev/shm");
	refuse(fd, request, ERROR_INVALID_ARGUMENT, "[window] memory-files = sealed unsealed");
}

/* The same for huge pages, as far as the machine has some. */
static void test_unsealed_huge_pages_are_for_policy(void **state)
{
	struct section_request request = {.size = 0x200000};
	cleanup(cleanup_fd) int fd = make_memory(MFD_HUGETLB | MFD_HUGE_2MB, 0);
	struct section *section = NULL;
	struct error error;

	(void)state;
	if (fd < 0) {
		skip();
	}
	takes = WORKER_TAKES_TMPFS;
	refuse(fd, request, ERROR_INVALID_ARGUMENT, "[window] memory-files = sealed unsealed");
	takes = WORKER_TAKES_UNSEALED;
	/* Only pages may be missing. */
	if (section_new(kernel, fd, &request, takes, &section, &error)) {
		assert_int_equal(error.code, ERROR_QUOTA_EXCEEDED);
	}
	(void)section_free(section);
}

static void test_disk_files_are_never_taken(void **state)
{
	struct section_request request = {.size = PAGE};
	cleanup(cleanup_fd) int fd = make_file("/var/tmp", SIZE);
	struct statfs filesystem;

	(void)state;
	remove_file("/var/tmp");
	takes = UINT32_MAX;
	if (fd < 0 || fstatfs(fd, &filesystem) < 0 || filesystem.f_type == TMPFS_MAGIC) {
		skip();
	}
	refuse(fd, request, ERROR_INVALID_ARGUMENT, "on a disk");
}

static void test_access(void **state)
{
	struct section_request request = {.size = PAGE};
	cleanup(cleanup_fd) int fd = make_memory(0, F_SEAL_SHRINK);
	char name[32];
	int again;

	(void)state;
	(void)snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	again = open(name, O_RDONLY | O_CLOEXEC);
	refuse(again, request, ERROR_INVALID_ARGUMENT, "both reading and writing");
	(void)close(again);
	again = open(name, O_WRONLY | O_CLOEXEC);
	refuse(again, request, ERROR_INVALID_ARGUMENT, "both reading and writing");
	(void)close(again);
	again = open(name, O_PATH | O_CLOEXEC);
	refuse(again, request, ERROR_INVALID_ARGUMENT, "a mere path");
	(void)close(again);
	refuse(-1, request, ERROR_INVALID_ARGUMENT, "EBADF");
}

static void test_kinds(void **state)
{
	struct section_request request = {.size = PAGE};
	int fds[2];
	int fd;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	refuse(fds[0], request, ERROR_INVALID_ARGUMENT, "is a socket");
	(void)close(fds[0]);
	(void)close(fds[1]);
	fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	refuse(fd, request, ERROR_INVALID_ARGUMENT, "is a character device");
	(void)close(fd);
	fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	refuse(fd, request, ERROR_INVALID_ARGUMENT, "the memory fd");
	(void)close(fd);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_plain, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_to_the_end, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_huge_pages, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_no_huge_pages_left, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_wrong_ranges, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_flags, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_h15_memory_that_cannot_be_written_is_refused,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_h21_unsealed_memory_is_for_policy, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_files_on_tmpfs_are_for_policy, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_unsealed_huge_pages_are_for_policy, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_disk_files_are_never_taken, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_access, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_kinds, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("section", tests, NULL, NULL);
}
