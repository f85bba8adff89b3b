/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The type1 containers, and an address space of them, on the simulated x86 host. */
#include "sim_fixture.h"

#include <fcntl.h>

#include "vfio/space.h"
#include "vfio/type1.h"

#define PAGE        UINT64_C(0x1000)
#define MEMORY_SIZE UINT64_C(0x100000)
#define MEMORY_END  (MEMORY_SIZE - 1)
#define IOVA        UINT64_C(0x10000000)
#define MSI         UINT64_C(0xfee00000)
#define HIGH        UINT64_C(0xfef00000)
#define READ_WRITE  (WORKER_PROT_READ | WORKER_PROT_WRITE)

#define NIC           "0000:02:00.0"
#define SECOND_EDU    "0000:03:00.0"
#define GROUP_OF_EDU  7
#define GROUP_OF_NIC  8
#define GROUP_OF_EDU2 9

/* What a simulated host may have that only a file says. */
#define LITTLE_LIMIT "dma-entry-limit = 4"

struct fixture {
	struct sim_fixture sim;
	struct error error;
	struct container *container;   /* of tests below the address space */
	struct sim_test_memory memory; /* theirs */
	struct space *space;
};

static struct sim_statistics statistics(struct fixture *fixture)
{
	return sim_fixture_statistics(&fixture->sim);
}

static void fail_next(struct fixture *fixture, const char *operation, uint32_t skip, int32_t errnum)
{
	sim_fixture_fail_next(&fixture->sim, operation, skip, errnum);
}

/* Whether a device's write arrives. */
static bool dma_works(struct fixture *fixture, const char *device, uint64_t iova)
{
	static uint8_t byte;

	byte++;
	assert_int_equal(
		sim_control_dma_write(fixture->sim.control, 5, device, iova, &byte, sizeof(byte)),
		0);
	return sim_fixture_reply(&fixture->sim, 5).code == ERROR_NONE;
}

static bool dma_reads(struct fixture *fixture, const char *device, uint64_t iova)
{
	struct sim_control_reply reply;
	bool works;

	assert_int_equal(sim_control_dma_read(fixture->sim.control, 6, device, iova, 1), 0);
	reply = sim_fixture_reply(&fixture->sim, 6);
	works = reply.code == ERROR_NONE;
	sim_control_reply_done(&reply);
	return works;
}

static void check_text(const struct fixture *fixture, const char *text)
{
	if (!strstr(fixture->error.text, text)) {
		fail_msg("\"%s\" does not say \"%s\"", fixture->error.text, text);
	}
}

/* set-up */

static const struct container_kind *const kinds[] = {&type1v2_kind, &type1_kind, NULL};

static int open_container(struct kernel *kernel, const struct container_request *request,
			  struct container **ret_container, struct error *error)
{
	return container_open(kernel, kinds, request, ret_container, error);
}

static int open_node(struct fixture *fixture, uint32_t group)
{
	char path[32];
	int fd;

	(void)snprintf(path, sizeof(path), "/dev/vfio/%u", group);
	fd = kernel_open_node(fixture->sim.kernel, path);
	assert_true(fd >= 0);
	return fd;
}

static struct fixture *launch(void **state, const char *host)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	int connection = -1;

	assert_non_null(fixture);
	assert_int_equal(sim_launch(simhost_program(), host, &connection, &fixture->sim.pid), 0);
	assert_int_equal(sim_kernel_new(connection, &fixture->sim.kernel), 0);
	assert_int_equal(sim_connection_new(fixture->sim.kernel, &fixture->sim.control), 0);
	*state = fixture;
	return fixture;
}

/* A container with the edu device's group, and memory for it. */
static int open_type(struct fixture *fixture, const char *iommu_type)
{
	const struct container_request request = {
		.container_fd = kernel_open_node(fixture->sim.kernel, NODE_CONTAINER),
		.group_fd = open_node(fixture, GROUP_OF_EDU),
		.group = GROUP_OF_EDU,
		.id = 1,
		.iommu_type = iommu_type,
	};

	fixture->memory = sim_test_memory_new(fixture->sim.kernel, MEMORY_SIZE);
	assert_int_equal(
		open_container(fixture->sim.kernel, &request, &fixture->container, &fixture->error),
		0);
	assert_string_equal(fixture->container->capabilities.iommu_type, iommu_type);
	return 0;
}

static int set_up_v1(void **state)
{
	return open_type(launch(state, "x86"), "type1");
}

static int set_up_v2(void **state)
{
	return open_type(launch(state, "x86"), "type1v2");
}

static int set_up_limited(void **state)
{
	return open_type(launch(state, "x86,memlock=32768"), "type1v2");
}

/* The built-in host's file with another line. */
static void write_host(int fd)
{
	static const char line[] = "dma-entry-limit = 65535";
	char text[65536];
	FILE *file = fopen(HOSTS "/x86.ini", "re");
	size_t size;
	char *place;

	assert_non_null(file);
	size = fread(text, 1, sizeof(text) - 1, file);
	(void)fclose(file);
	text[size] = '\0';
	place = strstr(text, line);
	assert_non_null(place);
	(void)snprintf(place, sizeof(line), "%-*s", (int)sizeof(line) - 1, LITTLE_LIMIT);
	place[sizeof(line) - 1] = '\n';
	assert_int_equal(write(fd, text, size), size);
}

static struct fixture *launch_with_few_entries(void **state)
{
	char path[] = "/tmp/x86-XXXXXX.ini";
	int fd = mkostemps(path, 4, O_CLOEXEC);
	struct fixture *fixture;

	assert_true(fd >= 0);
	write_host(fd);
	(void)close(fd);
	fixture = launch(state, path);
	(void)unlink(path);
	return fixture;
}

static int set_up_few_entries(void **state)
{
	return open_type(launch_with_few_entries(state), "type1v2");
}

static int tear_down_container(void **state)
{
	struct fixture *fixture = *state;
	struct sim_statistics now;

	fixture->container = container_free(fixture->container);
	sim_test_memory_done(fixture->sim.kernel, &fixture->memory);
	now = statistics(fixture);
	assert_int_equal(now.containers, 0);
	assert_int_equal(now.open_groups, 0);
	assert_int_equal(now.pinned_bytes, 0);
	assert_int_equal(now.locked_bytes, 0);
	/* It begins with the simulated host's fixture. */
	return sim_fixture_tear_down(state);
}

/* the container */

static int map(struct fixture *fixture, uint64_t iova, uint64_t offset, uint64_t size,
	       uint32_t prot)
{
	return container_map(
		fixture->container, &fixture->container->capabilities.default_windows[0],
		(struct range){iova, size}, fixture->memory.bytes + offset, prot, &fixture->error);
}

static int unmap(struct fixture *fixture, uint64_t iova, uint64_t size)
{
	return container_unmap(fixture->container, (struct range){iova, size}, &fixture->error);
}

static void test_what_the_host_has(void **state)
{
	struct fixture *fixture = *state;
	const struct container_capabilities *capabilities = &fixture->container->capabilities;

	assert_int_equal(capabilities->page_sizes, 0x40201000);
	assert_int_equal(capabilities->default_window_count, 2);
	assert_int_equal(capabilities->default_windows[0].range.start, 0);
	assert_int_equal(capabilities->default_windows[0].range.size, MSI);
	assert_int_equal(capabilities->default_windows[1].range.start, HIGH);
	assert_int_equal(range_last(capabilities->default_windows[1].range), 0xffffffffffff);
	assert_int_equal(container_maps_left(fixture->container), 65535);
}

static void test_bytes_arrive(void **state)
{
	struct fixture *fixture = *state;
	uint8_t *bytes = fixture->memory.bytes;

	assert_int_equal(map(fixture, IOVA, 0, MEMORY_SIZE, READ_WRITE), 0);
	assert_int_equal(container_maps_left(fixture->container), 65534);
	assert_true(dma_works(fixture, EDU, IOVA));
	assert_true(dma_works(fixture, EDU, IOVA + MEMORY_END));
	assert_int_not_equal(bytes[0], 0);
	assert_int_equal(bytes[MEMORY_END], bytes[0] + 1);
	assert_int_equal(statistics(fixture).locked_bytes, MEMORY_SIZE);
	assert_int_equal(unmap(fixture, IOVA, MEMORY_SIZE), 0);
	assert_false(dma_works(fixture, EDU, IOVA));
	assert_int_equal(statistics(fixture).locked_bytes, 0);
}

/* The device may read what it may write: Intel's page tables don't tell these apart. */
static void test_rights(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(map(fixture, IOVA, 0, PAGE, WORKER_PROT_READ), 0);
	assert_true(dma_reads(fixture, EDU, IOVA));
	assert_false(dma_works(fixture, EDU, IOVA));
	assert_int_equal(map(fixture, IOVA + PAGE, 0, PAGE, WORKER_PROT_WRITE), 0);
	assert_true(dma_works(fixture, EDU, IOVA + PAGE));
	/* More rights than before, in the same place. */
	assert_int_equal(map(fixture, IOVA, 0, PAGE, READ_WRITE), 0);
	assert_true(dma_works(fixture, EDU, IOVA));
}

static void test_h55_overlap_is_refused_by_the_kernel(void **state)
{
	struct fixture *fixture = *state;

	/* Behind the container's back. */
	assert_int_equal(sim_map_dma(fixture->sim.kernel, fixture->container->fd, IOVA + PAGE,
				     fixture->memory.bytes, PAGE),
			 0);
	assert_int_equal(map(fixture, IOVA, 0, 4 * PAGE, READ_WRITE), ERROR_ALREADY_MAPPED);
	check_text(fixture, "EEXIST");
	assert_int_equal(container_maps_left(fixture->container), 65535);
	assert_true(dma_works(fixture, EDU, IOVA + PAGE));
	assert_int_equal(unmap(fixture, IOVA, 4 * PAGE), 0);
	assert_false(dma_works(fixture, EDU, IOVA + PAGE));
	assert_int_equal(map(fixture, IOVA, 0, 4 * PAGE, READ_WRITE), 0);
}

/* On v1 and on v2: what the kernel makes of it is here, too, for it is the reason. */
static void test_h55_parts_stay(void **state)
{
	struct fixture *fixture = *state;
	bool v2 = strcmp(fixture->container->capabilities.iommu_type, "type1v2") == 0;

	assert_int_equal(map(fixture, IOVA, 0, 4 * PAGE, READ_WRITE), 0);
	assert_int_equal(unmap(fixture, IOVA + PAGE, PAGE), ERROR_BUSY);
	check_text(fixture, "[0x10000000, 0x10004000)");
	assert_int_equal(unmap(fixture, IOVA + PAGE, 3 * PAGE), ERROR_BUSY);
	assert_int_equal(unmap(fixture, IOVA - PAGE, 2 * PAGE), ERROR_BUSY);
	assert_int_equal(
		sim_unmap_dma(fixture->sim.kernel, fixture->container->fd, IOVA + PAGE, PAGE),
		v2 ? -EINVAL : 0);
	assert_true(dma_works(fixture, EDU, IOVA + PAGE));
	assert_int_equal(container_maps_left(fixture->container), 65534);
	assert_int_equal(unmap(fixture, IOVA, 4 * PAGE), 0);
	assert_false(dma_works(fixture, EDU, IOVA + PAGE));
}

/* What has gone behind the container's back is noticed. */
static void test_h55_nothing_unmapped_is_no_success(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(map(fixture, IOVA, 0, PAGE, READ_WRITE), 0);
	assert_int_equal(map(fixture, IOVA + PAGE, PAGE, PAGE, READ_WRITE), 0);
	assert_int_equal(sim_unmap_dma(fixture->sim.kernel, fixture->container->fd, IOVA, PAGE), 0);
	assert_int_equal(unmap(fixture, IOVA, PAGE), ERROR_KERNEL);
	check_text(fixture, "0x0 of 0x1000 bytes");
	assert_int_equal(unmap(fixture, IOVA, 2 * PAGE), ERROR_KERNEL);
	check_text(fixture, "0x1000 of 0x2000 bytes");
	/* Then nothing is there, and the books know it. */
	assert_int_equal(container_maps_left(fixture->container), 65535);
	assert_int_equal(map(fixture, IOVA, 0, 2 * PAGE, READ_WRITE), 0);
	assert_true(dma_works(fixture, EDU, IOVA));
}

static void test_h55_only_iova_ranges(void **state)
{
	struct fixture *fixture = *state;
	static const uint64_t outside[] = {MSI, HIGH - PAGE, UINT64_C(1) << 48, -(2 * PAGE)};

	for (size_t i = 0; i < sizeof(outside) / sizeof(*outside); i++) {
		assert_int_equal(map(fixture, outside[i], 0, PAGE, READ_WRITE),
				 ERROR_OUTSIDE_WINDOW);
		assert_int_equal(sim_map_dma(fixture->sim.kernel, fixture->container->fd,
					     outside[i], fixture->memory.bytes, PAGE),
				 -EINVAL);
	}
	assert_int_equal(map(fixture, MSI - PAGE, 0, PAGE, READ_WRITE), 0);
	assert_int_equal(map(fixture, HIGH, 0, PAGE, READ_WRITE), 0);
	assert_int_equal(map(fixture, (UINT64_C(1) << 48) - PAGE, 0, PAGE, READ_WRITE), 0);
}

static void test_h55_the_entry_limit(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(container_maps_left(fixture->container), 4);
	for (uint64_t i = 0; i < 4; i++) {
		assert_int_equal(map(fixture, IOVA + 2 * i * PAGE, 0, PAGE, READ_WRITE), 0);
	}
	assert_int_equal(container_maps_left(fixture->container), 0);
	assert_int_equal(map(fixture, IOVA + PAGE, 0, PAGE, READ_WRITE), ERROR_QUOTA_EXCEEDED);
	check_text(fixture, "ENOSPC");
	assert_int_equal(unmap(fixture, IOVA, 2 * PAGE), 0);
	assert_int_equal(map(fixture, IOVA, 0, 2 * PAGE, READ_WRITE), 0);
	assert_int_equal(container_maps_left(fixture->container), 0);
}

static void test_the_locked_memory_limit(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(map(fixture, IOVA, 0, 9 * PAGE, READ_WRITE), ERROR_QUOTA_EXCEEDED);
	check_text(fixture, "RLIMIT_MEMLOCK");
	assert_int_equal(statistics(fixture).locked_bytes, 0);
	assert_int_equal(map(fixture, IOVA, 0, 8 * PAGE, READ_WRITE), 0);
}

static void test_busy_once(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(map(fixture, IOVA, 0, PAGE, READ_WRITE), 0);
	fail_next(fixture, "VFIO_IOMMU_MAP_DMA", 0, EBUSY);
	assert_int_equal(map(fixture, IOVA + PAGE, 0, PAGE, READ_WRITE), 0);
	assert_true(dma_works(fixture, EDU, IOVA));
	assert_true(dma_works(fixture, EDU, IOVA + PAGE));
	assert_int_equal(container_maps_left(fixture->container), 65533);
}

/* Whoever joins sees what is mapped, and nobody loses anything when he leaves. */
static void test_groups_come_and_go(void **state)
{
	struct fixture *fixture = *state;
	int fd = open_node(fixture, GROUP_OF_EDU2);

	assert_int_equal(map(fixture, IOVA, 0, PAGE, READ_WRITE), 0);
	assert_false(dma_works(fixture, SECOND_EDU, IOVA));
	assert_int_equal(container_join(fixture->container, fd, GROUP_OF_EDU2, &fixture->error), 0);
	assert_true(dma_works(fixture, SECOND_EDU, IOVA));
	assert_int_equal(container_maps_left(fixture->container), 65534);
	assert_int_equal(fixture->container->capabilities.default_window_count, 2);
	assert_int_equal(container_leave(fixture->container, GROUP_OF_EDU, NULL, &fixture->error),
			 0);
	assert_false(dma_works(fixture, EDU, IOVA));
	assert_true(dma_works(fixture, SECOND_EDU, IOVA));
	assert_int_equal(unmap(fixture, IOVA, PAGE), 0);
}

/* A group in use elsewhere is left there. */
static void test_h56_a_claimed_group_is_refused(void **state)
{
	struct fixture *fixture = *state;
	struct container_request request = {
		.container_fd = kernel_open_node(fixture->sim.kernel, NODE_CONTAINER),
		.group_fd = fcntl(fixture->container->groups[0].fd, F_DUPFD_CLOEXEC, 3),
		.group = GROUP_OF_EDU,
		.id = 2,
	};
	struct container *second = NULL;

	assert_int_equal(map(fixture, IOVA, 0, PAGE, READ_WRITE), 0);
	assert_int_equal(open_container(fixture->sim.kernel, &request, &second, &fixture->error),
			 ERROR_GROUP_BUSY);
	request.container_fd = kernel_open_node(fixture->sim.kernel, NODE_CONTAINER);
	request.group_fd = open_node(fixture, GROUP_OF_EDU2);
	request.group = GROUP_OF_EDU2;
	fail_next(fixture, "VFIO_GROUP_SET_CONTAINER", 0, EPERM);
	assert_int_equal(open_container(fixture->sim.kernel, &request, &second, &fixture->error),
			 ERROR_GROUP_BUSY);
	check_text(fixture, "another owner");
	assert_null(second);
	assert_int_equal(statistics(fixture).open_groups, 1);
	assert_true(dma_works(fixture, EDU, IOVA));
}

/* the address space: two containers, and a kernel that fails */

static void finish(struct fixture *fixture, int r, struct space_change *change,
		   struct space_outcome *ret_outcome)
{
	if (r == 0) {
		space_change_work(change);
		r = space_change_finish(change, ret_outcome, &fixture->error);
	}
	if (r != 0) {
		fail_msg("%s", fixture->error.text);
	}
}

static void attach(struct fixture *fixture, uint32_t group)
{
	const struct space_attach request = {
		.container_fd = kernel_open_node(fixture->sim.kernel, NODE_CONTAINER),
		.group_fd = open_node(fixture, group),
		.group = group,
		.container_id = group + 100,
	};
	struct space_outcome outcome;
	struct space_change *change = NULL;
	int r = space_attach_begin(fixture->space, &request, &change, &fixture->error);

	finish(fixture, r, change, &outcome);
}

static void detach(struct fixture *fixture, uint32_t group)
{
	struct space_outcome outcome;
	struct space_change *change = NULL;
	int r = space_detach_begin(fixture->space, group, &change, &fixture->error);

	finish(fixture, r, change, &outcome);
}

static void add_memory(struct fixture *fixture)
{
	const struct section_request request = {.gpa = 0, .size = MEMORY_SIZE};
	cleanup(cleanup_fd) int fd = memfd_create("memory", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	struct space_change *change = NULL;
	struct space_outcome outcome;
	int r;

	assert_int_equal(ftruncate(fd, (off_t)MEMORY_SIZE), 0);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
	r = space_memory_add_begin(fixture->space, fd, &request, &change, &fixture->error);
	finish(fixture, r, change, &outcome);
}

static int open_space(struct fixture *fixture)
{
	const struct space_settings settings = {
		.kernel = fixture->sim.kernel,
		.open_container = open_container,
		.locked_limit = UINT64_MAX,
	};

	assert_int_equal(space_new(&settings, &fixture->space), 0);
	attach(fixture, GROUP_OF_EDU);
	add_memory(fixture);
	return 0;
}

static int set_up_space(void **state)
{
	return open_space(launch(state, "x86"));
}

static int set_up_two_containers(void **state)
{
	struct fixture *fixture = launch(state, "x86");

	(void)open_space(fixture);
	attach(fixture, GROUP_OF_EDU2);
	return 0;
}

static int tear_down_space(void **state)
{
	struct fixture *fixture = *state;
	struct sim_statistics now;

	fixture->space = space_free(fixture->space);
	now = statistics(fixture);
	assert_int_equal(now.containers, 0);
	assert_int_equal(now.open_groups, 0);
	assert_int_equal(now.pinned_bytes, 0);
	assert_int_equal(now.locked_bytes, 0);
	return sim_fixture_tear_down(state);
}

static void space_map_page(struct fixture *fixture, uint64_t iova, uint64_t gpa)
{
	if (space_map(fixture->space, iova, gpa, PAGE, READ_WRITE, &fixture->error) != 0) {
		fail_msg("%s", fixture->error.text);
	}
}

/* Whether both devices reach each page from IOVA on. */
static void expect_pages(struct fixture *fixture, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		assert_true(dma_works(fixture, EDU, IOVA + i * PAGE));
		assert_true(dma_works(fixture, SECOND_EDU, IOVA + i * PAGE));
	}
	assert_int_equal(statistics(fixture).mapped_tces, 2 * count);
}

static void test_windows_of_a_space(void **state)
{
	struct fixture *fixture = *state;
	const struct window_request request = {.start = UINT64_C(1) << 30, .size = PAGE};
	struct window window;

	assert_int_equal(space_window(fixture->space, 0)->range.size, MSI);
	assert_int_equal(space_window(fixture->space, 1)->range.start, HIGH);
	assert_null(space_window(fixture->space, 2));
	space_map_page(fixture, 0, 0);
	assert_int_equal(space_window_create(fixture->space, &request, &window, &fixture->error),
			 ERROR_WINDOW_OVERLAP);
	assert_int_equal(space_window_remove(fixture->space, 0, &fixture->error),
			 ERROR_MEMORY_IN_USE);
	assert_int_equal(space_unmap(fixture->space, 0, PAGE, &fixture->error), 0);
	assert_int_equal(space_window_remove(fixture->space, 0, &fixture->error), 0);
	assert_int_equal(space_map(fixture->space, 0, 0, PAGE, READ_WRITE, &fixture->error),
			 ERROR_OUTSIDE_WINDOW);
	assert_int_equal(space_window_create(fixture->space, &request, &window, &fixture->error),
			 0);
	assert_int_equal(window.range.start, UINT64_C(1) << 30);
	space_map_page(fixture, window.range.start, 0);
	assert_true(dma_works(fixture, EDU, window.range.start));
}

/* A second container gets the windows and the mappings of the first, wherever the windows are. */
static void test_replay_into_a_second_container(void **state)
{
	struct fixture *fixture = *state;
	const struct window_request request = {.start = UINT64_C(1) << 30, .size = 4 * PAGE};
	struct window window;

	assert_int_equal(space_window_remove(fixture->space, 0, &fixture->error), 0);
	assert_int_equal(space_window_create(fixture->space, &request, &window, &fixture->error),
			 0);
	space_map_page(fixture, window.range.start, 0);
	space_map_page(fixture, HIGH, PAGE);
	attach(fixture, GROUP_OF_EDU2);
	assert_true(dma_works(fixture, SECOND_EDU, window.range.start));
	assert_true(dma_works(fixture, SECOND_EDU, HIGH));
	assert_int_equal(space_unmap(fixture->space, HIGH, PAGE, &fixture->error), 0);
	assert_int_equal(space_window_remove(fixture->space, HIGH, &fixture->error), 0);
	/* Who is left knows the same. */
	detach(fixture, GROUP_OF_EDU);
	assert_int_equal(space_map(fixture->space, 0, 0, PAGE, READ_WRITE, &fixture->error),
			 ERROR_OUTSIDE_WINDOW);
	assert_true(dma_works(fixture, SECOND_EDU, window.range.start));
}

/* The second container fails: the first one gets back what it has unmapped. */
static void test_a_failed_unmap_is_replayed(void **state)
{
	struct fixture *fixture = *state;

	for (uint64_t i = 0; i < 3; i++) {
		space_map_page(fixture, IOVA + i * PAGE, i * PAGE);
	}
	for (uint32_t skip = 0; skip < 2; skip++) {
		fail_next(fixture, "VFIO_IOMMU_UNMAP_DMA", skip, EIO);
		assert_int_equal(space_unmap(fixture->space, IOVA, 3 * PAGE, &fixture->error),
				 ERROR_KERNEL);
		check_text(fixture, "EIO");
		assert_null(strstr(fixture->error.text, "restored"));
		assert_int_equal(ledger_count(space_ledger(fixture->space)), 3);
		expect_pages(fixture, 3);
	}
	assert_int_equal(space_unmap(fixture->space, IOVA, 3 * PAGE, &fixture->error), 0);
	expect_pages(fixture, 0);
}

/* A part of a range goes, then the kernel fails: the rest is as it was, and the part is again. */
static void test_a_partly_failed_detach_is_replayed(void **state)
{
	struct fixture *fixture = *state;
	struct space_change *change = NULL;

	/* Runs that don't touch are unmapped one by one. */
	space_map_page(fixture, IOVA, 0);
	space_map_page(fixture, IOVA + PAGE, 8 * PAGE);
	space_map_page(fixture, IOVA + 0x100000, PAGE);
	space_map_page(fixture, IOVA + 0x200000, 2 * PAGE);
	for (uint32_t skip = 0; skip < 3; skip++) {
		fail_next(fixture, "VFIO_IOMMU_UNMAP_DMA", skip, EIO);
		assert_int_equal(
			space_detach_begin(fixture->space, GROUP_OF_EDU2, &change, &fixture->error),
			ERROR_KERNEL);
		assert_null(strstr(fixture->error.text, "restored"));
		assert_int_equal(statistics(fixture).mapped_tces, 8);
		assert_true(dma_works(fixture, SECOND_EDU, IOVA));
		assert_true(dma_works(fixture, SECOND_EDU, IOVA + PAGE));
		assert_true(dma_works(fixture, SECOND_EDU, IOVA + 0x100000));
		assert_true(dma_works(fixture, SECOND_EDU, IOVA + 0x200000));
	}
	detach(fixture, GROUP_OF_EDU2);
	assert_int_equal(statistics(fixture).mapped_tces, 4);
}

/* A map that fails in the second container, and can't be taken back in the first, leaves an entry.
 * The next mapping there takes its place. */
static void test_what_a_failed_map_left_is_replaced(void **state)
{
	struct fixture *fixture = *state;

	fail_next(fixture, "VFIO_IOMMU_MAP_DMA", 1, EIO);
	fail_next(fixture, "VFIO_IOMMU_UNMAP_DMA", 1, EIO);
	assert_int_equal(space_map(fixture->space, IOVA, 0, PAGE, READ_WRITE, &fixture->error),
			 ERROR_KERNEL);
	assert_int_equal(ledger_count(space_ledger(fixture->space)), 0);
	assert_int_equal(statistics(fixture).mapped_tces, 1);
	space_map_page(fixture, IOVA, 4 * PAGE);
	expect_pages(fixture, 1);
	assert_int_equal(space_unmap(fixture->space, IOVA, PAGE, &fixture->error), 0);
	expect_pages(fixture, 0);
}

/* The device is pulled: what was mapped has gone with it, and can be taken out of the books. */
static void test_unplugged(void **state)
{
	struct fixture *fixture = *state;

	space_map_page(fixture, IOVA, 0);
	assert_int_equal(sim_control_unplug(fixture->sim.control, 9, EDU), 0);
	assert_int_equal(sim_fixture_reply(&fixture->sim, 9).code, ERROR_NONE);
	assert_int_equal(statistics(fixture).mapped_tces, 0);
	assert_int_equal(
		space_map(fixture->space, IOVA + PAGE, 0, PAGE, READ_WRITE, &fixture->error),
		ERROR_NOT_FOUND);
	check_text(fixture, "the devices of group 7 are gone");
	assert_int_equal(space_unmap(fixture->space, IOVA, PAGE, &fixture->error), 0);
}

#define TEST(name, set_up)       cmocka_unit_test_setup_teardown(name, set_up, tear_down_container)
#define SPACE_TEST(name, set_up) cmocka_unit_test_setup_teardown(name, set_up, tear_down_space)

int main(void)
{
	static const struct CMUnitTest v1[] = {
		TEST(test_what_the_host_has, set_up_v1),
		TEST(test_bytes_arrive, set_up_v1),
		TEST(test_h55_parts_stay, set_up_v1),
		TEST(test_h55_nothing_unmapped_is_no_success, set_up_v1),
	};
	static const struct CMUnitTest v2[] = {
		TEST(test_what_the_host_has, set_up_v2),
		TEST(test_bytes_arrive, set_up_v2),
		TEST(test_rights, set_up_v2),
		TEST(test_h55_overlap_is_refused_by_the_kernel, set_up_v2),
		TEST(test_h55_parts_stay, set_up_v2),
		TEST(test_h55_nothing_unmapped_is_no_success, set_up_v2),
		TEST(test_h55_only_iova_ranges, set_up_v2),
		TEST(test_h55_the_entry_limit, set_up_few_entries),
		TEST(test_the_locked_memory_limit, set_up_limited),
		TEST(test_busy_once, set_up_v2),
		TEST(test_groups_come_and_go, set_up_v2),
		TEST(test_h56_a_claimed_group_is_refused, set_up_v2),
	};
	static const struct CMUnitTest spaces[] = {
		SPACE_TEST(test_windows_of_a_space, set_up_space),
		SPACE_TEST(test_replay_into_a_second_container, set_up_space),
		SPACE_TEST(test_a_failed_unmap_is_replayed, set_up_two_containers),
		SPACE_TEST(test_a_partly_failed_detach_is_replayed, set_up_two_containers),
		SPACE_TEST(test_what_a_failed_map_left_is_replaced, set_up_two_containers),
		SPACE_TEST(test_unplugged, set_up_space),
	};
	int failed = cmocka_run_group_tests_name("type1 on v1", v1, NULL, NULL);

	failed += cmocka_run_group_tests_name("type1 on v2", v2, NULL, NULL);
	return failed + cmocka_run_group_tests_name("type1 spaces", spaces, NULL, NULL);
}
