/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <linux/memfd.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "common/cleanup.h"
#include "common/worker_protocol.h"
#include "unit.h"
#include "vfio/section.h"

#define PAGE UINT64_C(0x1000)
#define SIZE (16 * PAGE)

static struct kernel *kernel;

static int set_up(void **state)
{
	(void)state;
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

	assert_int_equal(section_new(kernel, fd, &request, &section, &error), code);
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
	assert_int_equal(section_new(kernel, fd, &request, &section, &error), 0);
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
	assert_int_equal(section_new(kernel, fd, &request, &section, &error), 0);
	assert_int_equal(range_last(section->gpa), UINT64_MAX);
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
	if (section_new(kernel, fd, &request, &section, &error) == 0) {
		assert_int_equal(section->backing_page, 0x200000);
		assert_int_equal(section->largest_page, 0x200000);
		section_free(section);
	}
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
	assert_int_equal(section_new(kernel, fd, &request, &section, &error), 0);
	section_free(section);
	request.flags = WORKER_MEMORY_IDENTITY;
	refuse(fd, request, ERROR_UNSUPPORTED, "0x2");
	request.flags = WORKER_MEMORY_RAM_DEVICE;
	refuse(fd, request, ERROR_UNSUPPORTED, "0x4");
	request.flags = 0x80000001;
	refuse(fd, request, ERROR_INVALID_ARGUMENT, "0x80000000");
}

static void test_seals(void **state)
{
	struct section_request request = {.size = PAGE};
	cleanup(cleanup_fd) int unsealed = make_memory(0, F_SEAL_GROW);
	cleanup(cleanup_fd) int unsealable = memfd_create("memory", MFD_CLOEXEC);
	cleanup(cleanup_fd) int written = make_memory(0, F_SEAL_SHRINK | F_SEAL_WRITE);
	cleanup(cleanup_fd) int future = make_memory(0, F_SEAL_SHRINK | F_SEAL_FUTURE_WRITE);

	(void)state;
	refuse(unsealed, request, ERROR_INVALID_ARGUMENT, "F_ADD_SEALS, F_SEAL_SHRINK");
	refuse(unsealable, request, ERROR_INVALID_ARGUMENT, "MFD_ALLOW_SEALING");
	refuse(written, request, ERROR_INVALID_ARGUMENT, "sealed against writing");
	refuse(future, request, ERROR_INVALID_ARGUMENT, "sealed against writing");
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
	/* A file that is no memfd. */
	fd = open("/var/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd >= 0) {
		refuse(fd, request, ERROR_INVALID_ARGUMENT, "seal");
		(void)close(fd);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),      cmocka_unit_test(test_to_the_end),
		cmocka_unit_test(test_huge_pages), cmocka_unit_test(test_wrong_ranges),
		cmocka_unit_test(test_flags),      cmocka_unit_test(test_seals),
		cmocka_unit_test(test_access),     cmocka_unit_test(test_kinds),
	};

	return cmocka_run_group_tests_name("section", tests, set_up, tear_down);
}
