/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The memory of a device as memory of an address space (flag 4): what can be had, and what is
 * skipped. */
#include <errno.h>
#include <linux/vfio.h>
#include <string.h>
#include <sys/mman.h>

#include "common/cleanup.h"
#include "space_fixture.h"
#include "vfio/space_private.h"

#define PAGE      UINT64_C(0x1000)
#define ADDRESS   UINT64_C(0x10000000) /* in the default window */
#define IDENTITY  WORKER_MEMORY_IDENTITY
#define DEVICE    WORKER_MEMORY_RAM_DEVICE
#define READ_ONLY WORKER_MEMORY_READ_ONLY

static char before[SNAPSHOT_SIZE];
static char after[SNAPSHOT_SIZE];

static void expect_unchanged(const struct fixture *fixture)
{
	snapshot(fixture, after);
	assert_string_equal(before, after);
}

static void expect_text(const struct fixture *fixture, const char *text)
{
	if (!strstr(fixture->error.text, text)) {
		fail_msg("\"%s\" is not in \"%s\"", text, fixture->error.text);
	}
}

/* What the containers have, without the rest. */
static unsigned int count_in_containers(const struct fixture *fixture, const char *what)
{
	const struct container *container;
	char text[4096];
	unsigned int count = 0;

	for (unsigned int i = 0; (container = space_container(fixture->space, i)); i++) {
		fake_container_print(container, text, sizeof(text));
		count += strstr(text, what) ? 1 : 0;
	}
	return count;
}

/* A kernel that knows one device */

#define REGION_OFFSET UINT64_C(0x10000)
#define REGION_SIZE   UINT64_C(0x10000)
#define SPARSE_OFFSET UINT64_C(0x40000) /* of a region that is as large */
#define FIXED_OFFSET  UINT64_C(0x80000) /* of one that can't be mapped */

static struct kernel_operations device_operations;
static int map_refusal; /* errno that mapping it answers */

/* A region whose first two pages, and its last one, can be mapped. */
static int describe_sparse(struct vfio_region_info *info)
{
	static const struct vfio_region_sparse_mmap_area area[] = {
		{.size = 2 * PAGE}, {.offset = REGION_SIZE - PAGE, .size = PAGE}};
	const struct vfio_info_cap_header other = {.id = VFIO_REGION_INFO_CAP_TYPE,
						   .next = sizeof(*info) + sizeof(other)};
	const struct vfio_region_info_cap_sparse_mmap areas = {
		.header = {.id = VFIO_REGION_INFO_CAP_SPARSE_MMAP}, .nr_areas = 2};
	uint32_t size = sizeof(*info) + sizeof(other) + sizeof(areas) + sizeof(area);

	info->offset = SPARSE_OFFSET;
	info->size = REGION_SIZE;
	info->flags = VFIO_REGION_INFO_FLAG_MMAP | VFIO_REGION_INFO_FLAG_CAPS;
	if (info->argsz >= size) {
		char *next = (char *)(info + 1);

		info->cap_offset = sizeof(*info);
		memcpy(next, &other, sizeof(other));
		memcpy(next + sizeof(other), &areas, sizeof(areas));
		memcpy(next + sizeof(other) + sizeof(areas), area, sizeof(area));
	}
	info->argsz = size;
	return 0;
}

static int describe_region(struct vfio_region_info *info)
{
	switch (info->index) {
	case 0:
		info->offset = REGION_OFFSET;
		info->size = REGION_SIZE;
		info->flags = VFIO_REGION_INFO_FLAG_MMAP;
		return 0;
	case 2:
		return describe_sparse(info);
	case 3:
		info->offset = FIXED_OFFSET;
		info->size = REGION_SIZE;
		return 0;
	default:
		return -EINVAL;
	}
}

static int device_ioctl(struct kernel *kernel, int fd, unsigned long request, void *argument)
{
	(void)kernel;
	(void)fd;
	if (request == VFIO_DEVICE_GET_INFO) {
		((struct vfio_device_info *)argument)->num_regions = 4;
		return 0;
	}
	return request == VFIO_DEVICE_GET_REGION_INFO ? describe_region(argument) : -ENOTTY;
}

static int device_map(struct kernel *kernel, int fd, uint64_t offset, size_t length, int prot,
		      void **ret_address)
{
	void *address = mmap(NULL, length, prot, MAP_SHARED, fd, (off_t)offset);

	(void)kernel;
	if (map_refusal || address == MAP_FAILED) {
		return -map_refusal;
	}
	*ret_address = address;
	return 0;
}

static void open_with_device(struct fixture *fixture)
{
	fixture_open(fixture);
	map_refusal = 0;
	device_operations = *fixture->kernel->operations;
	device_operations.ioctl = device_ioctl;
	device_operations.map = device_map;
	fixture->kernel->operations = &device_operations;
}

static int add_device(struct fixture *fixture, uint64_t offset, uint64_t size, uint32_t flags,
		      uint32_t *ret_id)
{
	struct section_request request = {
		.gpa = ADDRESS, .offset = offset, .size = size, .flags = DEVICE | flags};
	cleanup(cleanup_fd) int fd = make_memory(UINT64_C(0x100000));
	struct space_change *change = NULL;
	int r = space_memory_add_begin(fixture->space, fd, &request, &change, &fixture->error);

	if (r == 0) {
		r = complete(change, &fixture->outcome, &fixture->error);
	}
	if (r == 0 && ret_id) {
		*ret_id = fixture->outcome.section->id;
	}
	return r;
}

static void test_device_memory(void **state)
{
	struct fixture fixture;
	uint32_t id = 0;

	(void)state;
	open_with_device(&fixture);
	assert_int_equal(attach(&fixture, 1), 0);
	assert_int_equal(add_device(&fixture, REGION_OFFSET, REGION_SIZE, 0, &id), 0);
	assert_int_equal(fixture.outcome.skipped_count, 0);
	assert_int_equal(count_in_containers(&fixture, "section 1"), 1);
	assert_int_equal(map(&fixture, 0, ADDRESS, REGION_SIZE), 0);
	assert_int_equal(remove_memory(&fixture, id), ERROR_MEMORY_IN_USE);
	assert_int_equal(unmap(&fixture, 0, REGION_SIZE), 0);
	assert_int_equal(remove_memory(&fixture, id), 0);
	assert_int_equal(add_device(&fixture, REGION_OFFSET + PAGE, PAGE, READ_ONLY, &id), 0);
	assert_int_equal(map(&fixture, 0, ADDRESS, PAGE), ERROR_INVALID_ARGUMENT);
	fixture_close(&fixture);
}

static void test_device_memory_that_cannot_be(void **state)
{
	struct fixture fixture;

	(void)state;
	open_with_device(&fixture);
	snapshot(&fixture, before);
	assert_int_equal(add_device(&fixture, REGION_OFFSET - PAGE, PAGE, 0, NULL),
			 ERROR_INVALID_ARGUMENT);
	expect_text(&fixture, "not inside one region");
	assert_int_equal(add_device(&fixture, REGION_OFFSET, REGION_SIZE + PAGE, 0, NULL),
			 ERROR_INVALID_ARGUMENT);
	assert_int_equal(
		add_device(&fixture, REGION_OFFSET + REGION_SIZE - PAGE, 2 * PAGE, 0, NULL),
		ERROR_INVALID_ARGUMENT);
	assert_int_equal(add_device(&fixture, REGION_OFFSET, 0 - REGION_OFFSET, 0, NULL),
			 ERROR_INVALID_ARGUMENT);
	assert_int_equal(add_device(&fixture, FIXED_OFFSET, PAGE, 0, NULL), ERROR_INVALID_ARGUMENT);
	expect_text(&fixture, "region 3 of the device can't be mapped");
	assert_int_equal(add_device(&fixture, REGION_OFFSET + 1, PAGE, 0, NULL),
			 ERROR_INVALID_ARGUMENT);
	assert_int_equal(add_device(&fixture, REGION_OFFSET, PAGE, IDENTITY, NULL),
			 ERROR_INVALID_ARGUMENT);
	expect_unchanged(&fixture);
	fixture_close(&fixture);
}

static void test_areas_of_device_memory(void **state)
{
	struct fixture fixture;
	uint32_t id = 0;

	(void)state;
	open_with_device(&fixture);
	assert_int_equal(add_device(&fixture, SPARSE_OFFSET, 2 * PAGE, 0, &id), 0);
	assert_int_equal(remove_memory(&fixture, id), 0);
	assert_int_equal(add_device(&fixture, SPARSE_OFFSET + REGION_SIZE - PAGE, PAGE, 0, &id), 0);
	assert_int_equal(remove_memory(&fixture, id), 0);
	assert_int_equal(add_device(&fixture, SPARSE_OFFSET + PAGE, 2 * PAGE, 0, NULL),
			 ERROR_INVALID_ARGUMENT);
	expect_text(&fixture, "one of the 2 areas");
	assert_int_equal(add_device(&fixture, SPARSE_OFFSET, REGION_SIZE, 0, NULL),
			 ERROR_INVALID_ARGUMENT);
	fixture_close(&fixture);
}

/* A ram-device that the host doesn't take is reported, and no failure. */
static void test_refused_device_memory_is_skipped(void **state)
{
	struct fixture fixture;
	uint32_t id = 0;

	(void)state;
	open_with_device(&fixture);
	assert_int_equal(attach(&fixture, 1), 0);
	assert_int_equal(attach(&fixture, 2), 0);
	fake_host.refuse_devices = true;
	assert_int_equal(add_device(&fixture, REGION_OFFSET, REGION_SIZE, 0, &id), 0);
	assert_int_equal(fixture.outcome.skipped_count, 1);
	assert_non_null(strstr(fixture.outcome.skipped[0]->because, "EFAULT"));
	assert_int_equal(count_in_containers(&fixture, "section"), 0);
	assert_int_equal(locked_bytes(fixture.space), 0x2000);
	assert_int_equal(map(&fixture, 0, ADDRESS, PAGE), ERROR_MEMORY_UNKNOWN);
	expect_text(&fixture, "EFAULT");
	/* Nobody else is asked. */
	fake_host.refuse_devices = false;
	assert_int_equal(attach(&fixture, 3), 0);
	assert_int_equal(fixture.outcome.skipped_count, 0);
	assert_int_equal(count_in_containers(&fixture, "section"), 0);
	assert_int_equal(remove_memory(&fixture, id), 0);
	fixture_close(&fixture);
}

static void test_device_memory_that_the_kernel_does_not_map(void **state)
{
	struct fixture fixture;
	uint32_t id = 0;

	(void)state;
	open_with_device(&fixture);
	map_refusal = EINVAL;
	assert_int_equal(add_device(&fixture, REGION_OFFSET, REGION_SIZE, 0, &id), 0);
	assert_int_equal(fixture.outcome.skipped_count, 1);
	assert_non_null(strstr(fixture.outcome.skipped[0]->because, "EINVAL"));
	assert_int_equal(attach(&fixture, 1), 0);
	assert_int_equal(count_in_containers(&fixture, "section"), 0);
	assert_int_equal(map(&fixture, 0, ADDRESS, PAGE), ERROR_MEMORY_UNKNOWN);
	assert_int_equal(remove_memory(&fixture, id), 0);
	fixture_close(&fixture);
}

/* The first container is asked, each time anew; one that comes later must take what is there. */
static void test_device_memory_and_new_containers(void **state)
{
	struct fixture fixture;

	(void)state;
	open_with_device(&fixture);
	assert_int_equal(add_device(&fixture, REGION_OFFSET, REGION_SIZE, 0, NULL), 0);
	assert_int_equal(fixture.outcome.skipped_count, 0);
	fake_host.refuse_devices = true;
	assert_int_equal(attach(&fixture, 1), 0);
	assert_int_equal(fixture.outcome.skipped_count, 1);
	assert_int_equal(fixture.outcome.skipped[0]->id, 1);
	assert_int_equal(map(&fixture, 0, ADDRESS, PAGE), ERROR_MEMORY_UNKNOWN);
	assert_int_equal(detach(&fixture, 1), 0);
	fake_host.refuse_devices = false;
	assert_int_equal(attach(&fixture, 1), 0);
	assert_int_equal(fixture.outcome.skipped_count, 0);
	assert_int_equal(map(&fixture, 0, ADDRESS, PAGE), 0);
	snapshot(&fixture, before);
	fake_host.refuse_devices = true;
	assert_int_equal(attach(&fixture, 2), ERROR_KERNEL);
	expect_text(&fixture, "EFAULT");
	expect_unchanged(&fixture);
	fixture_close(&fixture);
}

/* A refusal by a container that doesn't come after all means nothing. */
static void test_device_memory_and_a_failing_attach(void **state)
{
	struct fixture fixture;
	uint32_t id = 0;

	(void)state;
	open_with_device(&fixture);
	assert_int_equal(add_device(&fixture, REGION_OFFSET, REGION_SIZE, 0, NULL), 0);
	assert_int_equal(add_memory(&fixture, FAKE_DEFAULT_SIZE, IDENTITY, &id), 0);
	fake_host.refuse_devices = true;
	assert_int_equal(attach(&fixture, 1), ERROR_OUTSIDE_WINDOW);
	assert_false(section_is_skipped(space_section(fixture.space, 0)));
	fake_host.refuse_devices = false;
	assert_int_equal(remove_memory(&fixture, id), 0);
	assert_int_equal(attach(&fixture, 1), 0);
	assert_int_equal(count_in_containers(&fixture, "section 1"), 1);
	fixture_close(&fixture);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_device_memory),
		cmocka_unit_test(test_device_memory_that_cannot_be),
		cmocka_unit_test(test_areas_of_device_memory),
		cmocka_unit_test(test_refused_device_memory_is_skipped),
		cmocka_unit_test(test_device_memory_that_the_kernel_does_not_map),
		cmocka_unit_test(test_device_memory_and_new_containers),
		cmocka_unit_test(test_device_memory_and_a_failing_attach),
	};

	return cmocka_run_group_tests_name("space-device-memory", tests, NULL, NULL);
}
