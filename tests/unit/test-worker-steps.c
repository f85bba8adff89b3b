/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * All or nothing in a worker on a simulated host: every ioctl that a request takes fails in turn,
 * and afterwards the host has what the worker says that it has.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "host/kernel.h"
#include "worker_fixture.h"

#define SECTION_SIZE UINT64_C(0x10000)
#define NEW_GROUP    2U
#define WINDOW_1     (UINT64_C(1) << 59)

/* What the worker says of itself. */
struct books {
	struct worker_counts counts;
	struct worker_description head;
	struct worker_container containers[WORKER_CONTAINERS_MAX];
	unsigned char body[WORKER_MESSAGE_MAX];
	size_t size;
};

/* What is done, and what undoes it again. */
struct operation {
	const char *name;
	int (*operate)(struct fixture *fixture);
	int (*undo)(struct fixture *fixture);
};

static const char *const ioctls[] = {
	"VFIO_GET_API_VERSION",
	"VFIO_CHECK_EXTENSION",
	"VFIO_GROUP_GET_STATUS",
	"VFIO_GROUP_SET_CONTAINER",
	"VFIO_GROUP_UNSET_CONTAINER",
	"VFIO_SET_IOMMU",
	"VFIO_IOMMU_SPAPR_TCE_GET_INFO",
	"VFIO_IOMMU_SPAPR_REGISTER_MEMORY",
	"VFIO_IOMMU_SPAPR_UNREGISTER_MEMORY",
	"VFIO_IOMMU_SPAPR_TCE_CREATE",
	"VFIO_IOMMU_SPAPR_TCE_REMOVE",
	"VFIO_IOMMU_MAP_DMA",
	"VFIO_IOMMU_UNMAP_DMA",
};

static const int errnums[] = {ENOMEM, EINVAL, EIO};

static uint32_t added_id;

static int attach_new(struct fixture *fixture, uint32_t flags)
{
	struct worker_attach body = {
		.group = NEW_GROUP, .container_id = 100 + NEW_GROUP, .flags = flags};
	int fds[2] = {kernel_open_node(fixture->kernel, "/dev/vfio/vfio"), -1};
	int r;

	/* The worker's fd of the group is closed some time after it has answered. */
	for (int i = 0; i < 100 && fds[1] < 0; i++) {
		fds[1] = kernel_open_node(fixture->kernel, "/dev/vfio/2");
		if (fds[1] < 0) {
			(void)usleep(10000);
		}
	}
	assert_true(fds[0] >= 0);
	assert_true(fds[1] >= 0);
	r = request(fixture, WORKER_ATTACH_GROUP, &body, sizeof(body), fds, 2, NULL);
	(void)kernel_close(fixture->kernel, fds[0]);
	(void)kernel_close(fixture->kernel, fds[1]);
	return r;
}

static int operate_attach(struct fixture *fixture)
{
	return attach_new(fixture, 0);
}

static int operate_attach_shared(struct fixture *fixture)
{
	return attach_new(fixture, WORKER_ATTACH_SHARE);
}

static int operate_detach(struct fixture *fixture)
{
	return detach(fixture, NEW_GROUP);
}

static int operate_add(struct fixture *fixture)
{
	return add_memory(fixture, 4 * SECTION_SIZE, SECTION_SIZE, &added_id);
}

static int operate_remove(struct fixture *fixture)
{
	return remove_memory(fixture, added_id);
}

static int operate_create(struct fixture *fixture)
{
	struct worker_window window = {
		.start = WORKER_WINDOW_ANYWHERE, .size = UINT64_C(1) << 30, .page_shift = 12};

	return create_window(fixture, &window);
}

static int operate_remove_window(struct fixture *fixture)
{
	return remove_window(fixture, WINDOW_1);
}

static int operate_map(struct fixture *fixture)
{
	return map(fixture, 0x200000, 0, 4 * PAGE, 3);
}

static int operate_unmap(struct fixture *fixture)
{
	return unmap(fixture, 0x200000, 4 * PAGE);
}

static int request_many(struct fixture *fixture, uint32_t type, const void *entries, size_t size,
			uint32_t count)
{
	cleanup(cleanup_fd) int fd = memfd_create("many", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	struct worker_many body = {.count = count};

	assert_true(fd >= 0);
	assert_int_equal(write(fd, entries, size), size);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE), 0);
	return request(fixture, type, &body, sizeof(body), &fd, 1, NULL);
}

static int operate_map_many(struct fixture *fixture)
{
	static const struct worker_mapping many[] = {
		{.iova = 0x203000, .gpa = 0x1000, .size = PAGE, .prot = 3},
		{.iova = 0x200000, .gpa = 0x4000, .size = PAGE, .prot = 3},
		{.iova = 0x201000, .gpa = 0x5000, .size = PAGE, .prot = 3},
	};

	return request_many(fixture, WORKER_MAP_MANY, many, sizeof(many), 3);
}

static int operate_unmap_many(struct fixture *fixture)
{
	static const struct worker_unmap many[] = {
		{0x203000, PAGE}, {0x200000, PAGE}, {0x201000, PAGE}};

	return request_many(fixture, WORKER_UNMAP_MANY, many, sizeof(many), 3);
}

/* In this order: each is undone before the next. */
static const struct operation operations[] = {
	{"attach", operate_attach, operate_detach},
	{"detach", operate_detach, operate_attach},
	{"attach shared", operate_attach_shared, operate_detach},
	{"detach shared", operate_detach, operate_attach_shared},
	{"add memory", operate_add, operate_remove},
	{"remove memory", operate_remove, operate_add},
	{"create window", operate_create, operate_remove_window},
	{"remove window", operate_remove_window, operate_create},
	{"map", operate_map, operate_unmap},
	{"unmap", operate_unmap, operate_map},
	{"map many", operate_map_many, operate_unmap_many},
	{"unmap many", operate_unmap_many, operate_map_many},
};

#define OPERATIONS (sizeof(operations) / sizeof(operations[0]))

static void read_books(struct fixture *fixture, struct books *books)
{
	size_t containers;

	memset(books, 0, sizeof(*books));
	assert_int_equal(request(fixture, WORKER_DESCRIBE, NULL, 0, NULL, 0, NULL), 0);
	books->counts = last_answer.head.counts;
	/* What a failed creation of a window has leaked, as far as anybody can know. */
	books->counts.locked_leaks = 0;
	books->size = last_answer.head.size;
	memcpy(books->body, last_answer.body, books->size);
	memcpy(&books->head, books->body, sizeof(books->head));
	containers = books->head.container_count * sizeof(struct worker_container);
	memcpy(books->containers, books->body + books->size - containers, containers);
}

/* Sections get ids that are never used again. */
static void assert_same_books(const struct books *a, const struct books *b)
{
	assert_memory_equal(&a->counts, &b->counts, sizeof(a->counts));
	assert_int_equal(a->size, b->size);
	assert_memory_equal(a->body, b->body, a->size);
}

static void compare_with_host(const struct books *books, const struct sim_statistics *host)
{
	uint64_t containers = books->head.container_count;
	uint64_t registering = 0;
	uint64_t groups = 0;

	for (uint32_t i = 0; i < containers; i++) {
		groups += books->containers[i].group_count;
		registering += strcmp(books->containers[i].iommu_type, "spapr-tce-v2") == 0;
	}
	assert_int_equal(host->containers, containers);
	assert_int_equal(host->open_containers, containers);
	assert_int_equal(host->attached_groups, groups);
	assert_int_equal(host->open_groups, groups);
	assert_int_equal(host->registered_regions, books->head.memory_count * registering);
	assert_int_equal(host->windows, books->head.window_count * containers);
	assert_int_equal(host->mapped_tces, books->counts.mapped_bytes / PAGE * containers);
	assert_int_equal(host->locked_bytes - host->leaked_locked_bytes,
			 books->counts.locked_pins + books->counts.locked_tables);
	assert_int_equal(host->leaked_pinned_bytes, 0);
	assert_int_equal(host->kernel_damage, 0);
}

/* What the worker says is what the host has, once it has seen the last fd closed. */
static void assert_consistent(struct fixture *fixture, const struct books *books)
{
	struct sim_statistics host = fixture_statistics(fixture);
	uint64_t groups = 0;

	for (uint32_t i = 0; i < books->head.container_count; i++) {
		groups += books->containers[i].group_count;
	}
	for (int i = 0; i < 100 && (host.open_groups != groups ||
				    host.containers != books->head.container_count ||
				    host.open_containers != books->head.container_count);
	     i++) {
		(void)usleep(10000);
		host = fixture_statistics(fixture);
	}
	compare_with_host(books, &host);
}

static void set_up(struct fixture *fixture)
{
	const struct worker_policy policy = {.replay_shared = 1};

	fixture_open(fixture);
	assert_int_equal(
		request(fixture, WORKER_SET_POLICY, &policy, sizeof(policy), NULL, 0, NULL), 0);
	assert_int_equal(attach(fixture, 0), 0);
	assert_int_equal(attach(fixture, 1), 0);
	assert_int_equal(add_memory(fixture, 0, SECTION_SIZE, NULL), 0);
	assert_int_equal(add_memory(fixture, SECTION_SIZE, SECTION_SIZE, NULL), 0);
	assert_int_equal(map(fixture, 0x100000, 0, 2 * PAGE, 3), 0);
	assert_int_equal(map(fixture, 0x102000, SECTION_SIZE, 2 * PAGE, 3), 0);
	assert_int_equal(map(fixture, 0x110000, 0x8000, PAGE, 1), 0);
}

/* One time: whether there was such an ioctl to fail. */
static bool fail_once(struct fixture *fixture, const struct operation *operation,
		      const char *ioctl_name, uint32_t skip, int errnum)
{
	static struct books before;
	static struct books after;
	struct error said;
	bool acted;
	int r;

	read_books(fixture, &before);
	fixture_fail(fixture, ioctl_name, skip, errnum);
	r = operation->operate(fixture);
	memcpy(said.text, last_answer.body, sizeof(said.text));
	acted = !fixture_take_back(fixture);
	print_message("%s, %s %u fails with %d: %d %s\n", operation->name, ioctl_name, skip,
		      acted ? errnum : 0, r, r ? said.text : "");
	read_books(fixture, &after);
	assert_consistent(fixture, &after);
	if (r) {
		assert_true(acted);
		assert_same_books(&after, &before);
	} else {
		assert_int_equal(operation->undo(fixture), 0);
	}
	return acted;
}

static void test_each_ioctl_fails(void **state)
{
	struct fixture fixture;

	(void)state;
	set_up(&fixture);
	for (unsigned int i = 0; i < OPERATIONS * sizeof(errnums) / sizeof(errnums[0]); i++) {
		const struct operation *operation = &operations[i % OPERATIONS];
		int errnum = errnums[i / OPERATIONS];
		unsigned int failures = 0;

		/* What takes something away needs it to be there. */
		if (i % 2 == 1) {
			assert_int_equal(operation->undo(&fixture), 0);
		}
		for (unsigned int j = 0; j < sizeof(ioctls) / sizeof(ioctls[0]); j++) {
			for (uint32_t skip = 0;
			     fail_once(&fixture, operation, ioctls[j], skip, errnum); skip++) {
				failures++;
			}
		}
		assert_true(failures >= 2);
		if (i % 2 == 1) {
			assert_int_equal(operation->operate(&fixture), 0);
		}
	}
	fixture_close(&fixture);
}

/* H33: the mappings of a container whose groups lose them are made again; if the kernel doesn't
 * take them, they are gone from the other container, too, and their memory can go. */
static void test_h33_leaving_clears_shared_tables(void **state)
{
	static const struct {
		unsigned int failures;
		uint64_t replayed;
		uint64_t lost;
	} cases[] = {{0, 3, 0}, {1, 3, 0}, {20, 0, 3}};
	static struct books books;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct worker_detached detached;
		struct fixture fixture;

		set_up(&fixture);
		assert_int_equal(operate_attach_shared(&fixture), 0);
		for (unsigned int j = 0; j < cases[i].failures; j++) {
			fixture_fail(&fixture, "VFIO_IOMMU_MAP_DMA", 0, ENOMEM);
		}
		assert_int_equal(operate_detach(&fixture), 0);
		memcpy(&detached, last_answer.body, sizeof(detached));
		(void)fixture_take_back(&fixture);
		assert_int_equal(detached.container_id, 100);
		assert_int_equal(detached.replayed, cases[i].replayed);
		assert_int_equal(detached.lost, cases[i].lost);
		read_books(&fixture, &books);
		assert_int_equal(books.counts.mappings, cases[i].replayed);
		assert_consistent(&fixture, &books);
		assert_int_equal(remove_memory(&fixture, 1),
				 cases[i].lost ? 0 : ERROR_MEMORY_IN_USE);
		fixture_close(&fixture);
	}
}

/* As on a real kernel: 16 MiB registered, a default window of 2 GiB, and one of 4 GiB with TCEs of
 * 64 KiB (VmLck is 16384 kB, then 25600 kB, and 1024 kB less when that window is gone). */
static void test_locked_as_measured(void **state)
{
	struct worker_window window = {
		.start = WORKER_WINDOW_ANYWHERE, .size = UINT64_C(4) << 30, .page_shift = 16};
	struct fixture fixture;
	struct worker_counts *counts = &last_answer.head.counts;

	(void)state;
	fixture_open(&fixture);
	assert_int_equal(attach(&fixture, 0), 0);
	assert_int_equal(create_window(&fixture, &window), 0);
	assert_int_equal(add_memory(&fixture, 0, UINT64_C(16384) * 1024, NULL), 0);
	assert_int_equal(counts->locked_pins, 16384 * 1024);
	assert_int_equal(counts->locked_pins + counts->locked_tables, 25600 * 1024);
	assert_int_equal(fixture_statistics(&fixture).locked_bytes, 25600 * 1024);
	assert_int_equal(remove_window(&fixture, window.start), 0);
	assert_int_equal(counts->locked_pins + counts->locked_tables, (25600 - 1024) * 1024);
	assert_int_equal(fixture_statistics(&fixture).locked_bytes, (25600 - 1024) * 1024);
	fixture_close(&fixture);
}

/* The kernel lets everything of a container go with its last device: then the other containers can
 * be used on, and the group be detached. */
static void test_unplugged_group_holds_up_nothing(void **state)
{
	struct sim_control_reply reply = SIM_CONTROL_REPLY_NONE;
	struct fixture fixture;
	uint32_t ids[2];

	(void)state;
	fixture_open(&fixture);
	for (unsigned int i = 0; i < 2; i++) {
		assert_int_equal(add_memory(&fixture, i * SECTION_SIZE, SECTION_SIZE, &ids[i]), 0);
		assert_int_equal(attach(&fixture, i), 0);
	}
	assert_int_equal(map(&fixture, 0, 0, 4 * PAGE, 3), 0);
	assert_int_equal(map(&fixture, 4 * PAGE, 0, 4 * PAGE, 3), 0);
	assert_int_equal(sim_control_unplug(fixture.control, 9, "0000:01:00.0"), 0);
	assert_int_equal(sim_control_receive(fixture.control, &reply), 0);
	assert_int_equal(reply.code, 0);
	sim_control_reply_done(&reply);
	assert_int_equal(map(&fixture, 8 * PAGE, SECTION_SIZE, 4 * PAGE, 3), ERROR_NOT_FOUND);
	assert_null(strstr((const char *)last_answer.body, "could not be restored"));
	assert_int_equal(unmap(&fixture, 0, 4 * PAGE), 0);
	assert_int_equal(remove_memory(&fixture, ids[1]), 0);
	assert_int_equal(detach(&fixture, 0), 0);
	assert_int_equal(map(&fixture, 0, 0, 4 * PAGE, 3), 0);
	assert_int_equal(fixture_statistics(&fixture).mapped_tces, 8);
	fixture_close(&fixture);
}

/* Where one container keeps its window for good, the others' isn't removed only to be made again,
 * for that may fail. */
static void test_window_that_one_container_keeps(void **state)
{
	struct worker_attach body = {.group = 1, .container_id = 101, .iommu_type = "spapr-tce"};
	struct fixture fixture;
	int fds[2];

	(void)state;
	fixture_open(&fixture);
	assert_int_equal(add_memory(&fixture, 0, SECTION_SIZE, NULL), 0);
	assert_int_equal(attach(&fixture, 0), 0);
	fds[0] = kernel_open_node(fixture.kernel, "/dev/vfio/vfio");
	fds[1] = kernel_open_node(fixture.kernel, "/dev/vfio/1");
	assert_int_equal(request(&fixture, WORKER_ATTACH_GROUP, &body, sizeof(body), fds, 2, NULL),
			 0);
	(void)kernel_close(fixture.kernel, fds[0]);
	(void)kernel_close(fixture.kernel, fds[1]);
	fixture_fail(&fixture, "VFIO_IOMMU_SPAPR_TCE_REMOVE", 0, EIO);
	assert_int_equal(remove_window(&fixture, 0), ERROR_UNSUPPORTED);
	assert_true(fixture_take_back(&fixture));
	assert_int_equal(map(&fixture, 0, 0, 4 * PAGE, 3), 0);
	assert_int_equal(unmap(&fixture, 0, 4 * PAGE), 0);
	fixture_close(&fixture);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_ioctl_fails),
		cmocka_unit_test(test_h33_leaving_clears_shared_tables),
		cmocka_unit_test(test_locked_as_measured),
		cmocka_unit_test(test_unplugged_group_holds_up_nothing),
		cmocka_unit_test(test_window_that_one_container_keeps),
	};

	return cmocka_run_group_tests_name("worker steps", tests, NULL, NULL);
}
