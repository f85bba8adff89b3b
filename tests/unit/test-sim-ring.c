/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Maps and unmaps that are posted: nobody can tell that they come late, and a process that plays
 * with the shared memory harms nobody. */
#include <fcntl.h>
#include <pthread.h>

#include "common/packet.h"
#include "sim/protocol.h"
#include "sim/ring.h"
#include "sim/ring_client.h"
#include "sim_fixture.h"

#define PAGE UINT64_C(4096)

/* Map often enough that the container gets a ring. */
static void warm_up(struct kernel *kernel, const struct sim_space *space, const void *memory)
{
	for (int i = 0; i < 40; i++) {
		assert_int_equal(sim_map_dma(kernel, space->container, 0, memory, PAGE), 0);
		assert_int_equal(sim_unmap_dma(kernel, space->container, 0, PAGE), 0);
	}
}

struct mapped_space {
	struct sim_space space;
	struct sim_test_memory memory;
};

static struct mapped_space open_mapped(struct sim_fixture *fixture)
{
	struct mapped_space mapped = {
		.space = sim_space_open(fixture->kernel, GROUP_EDU),
		.memory = sim_test_memory_new(fixture->kernel, MIB),
	};

	assert_int_equal(
		sim_register(fixture->kernel, mapped.space.container, mapped.memory.bytes, MIB), 0);
	warm_up(fixture->kernel, &mapped.space, mapped.memory.bytes);
	return mapped;
}

static void close_mapped(struct sim_fixture *fixture, struct mapped_space *mapped)
{
	sim_space_close(fixture->kernel, &mapped->space);
	sim_test_memory_done(fixture->kernel, &mapped->memory);
	assert_int_equal(sim_fixture_statistics(fixture).pinned_bytes, 0);
}

static void test_posted_maps_are_seen_by_devices(void **state)
{
	struct sim_fixture *fixture = *state;
	struct kernel *kernel = fixture->kernel;
	struct mapped_space mapped = open_mapped(fixture);
	struct sim_control_reply reply;

	for (uint64_t i = 0; i < 256; i++) {
		mapped.memory.bytes[i * PAGE] = (uint8_t)(i ^ 0x5a);
		assert_int_equal(sim_map_dma(kernel, mapped.space.container, MIB + i * PAGE,
					     mapped.memory.bytes + (255 - i) * PAGE, PAGE),
				 0);
	}
	assert_int_equal(sim_fixture_statistics(fixture).mapped_tces, 256);
	for (uint64_t i = 0; i < 256; i += 51) {
		assert_int_equal(sim_control_dma_read(fixture->control, i, EDU, MIB + i * PAGE, 1),
				 0);
		reply = sim_fixture_reply(fixture, i);
		assert_int_equal(reply.code, ERROR_NONE);
		assert_int_equal(reply.data[0], (255 - i) ^ 0x5a);
		sim_control_reply_done(&reply);
	}
	assert_int_equal(sim_unmap_dma(kernel, mapped.space.container, MIB, 256 * PAGE), 0);
	assert_int_equal(sim_control_dma_read(fixture->control, 1, EDU, MIB, 1), 0);
	assert_int_equal(sim_fixture_reply(fixture, 1).code, ERROR_DMA_FAULT);
	close_mapped(fixture, &mapped);
}

/* The ring has 4096 places. */
static void test_more_than_the_ring_holds(void **state)
{
	struct sim_fixture *fixture = *state;
	struct kernel *kernel = fixture->kernel;
	struct mapped_space mapped = open_mapped(fixture);

	for (uint64_t i = 0; i < 20000; i++) {
		assert_int_equal(sim_map_dma(kernel, mapped.space.container, i * PAGE,
					     mapped.memory.bytes, PAGE),
				 0);
	}
	assert_int_equal(sim_fixture_statistics(fixture).mapped_tces, 20000);
	/* H18: TCEs point into the region, so it leaks. */
	assert_int_equal(sim_unregister(kernel, mapped.space.container, mapped.memory.bytes, MIB),
			 0);
	assert_int_equal(sim_fixture_statistics(fixture).leaked_pinned_bytes, MIB);
	sim_space_close(kernel, &mapped.space);
	sim_test_memory_done(kernel, &mapped.memory);
}

/* What can't simply be done goes the long way, and is refused there. */
static void test_refusals_stay_as_they_are(void **state)
{
	struct sim_fixture *fixture = *state;
	struct kernel *kernel = fixture->kernel;
	struct mapped_space mapped = open_mapped(fixture);
	struct vfio_iommu_spapr_tce_remove removed = {.argsz = sizeof(removed)};
	int container = mapped.space.container;
	uint8_t *bytes = mapped.memory.bytes;

	assert_int_equal(sim_map_dma(kernel, container, 1, bytes, PAGE), 1);
	assert_int_equal(sim_map_dma(kernel, container, 0, bytes + 1, PAGE), -EINVAL);
	assert_int_equal(sim_map_dma(kernel, container, 0, bytes + MIB, PAGE), -EINVAL);
	assert_int_equal(sim_map_dma(kernel, container, 0, bytes + MIB - PAGE, 2 * PAGE), -EINVAL);
	assert_int_equal(sim_map_dma(kernel, container, UINT64_C(1) << 31, bytes, PAGE), -ENXIO);
	assert_int_equal(sim_unmap_dma(kernel, container, UINT64_C(1) << 31, PAGE), -ENXIO);
	assert_int_equal(sim_map_dma(kernel, container, 0, bytes, PAGE), 0);
	assert_int_equal(kernel_ioctl(kernel, container, VFIO_IOMMU_SPAPR_TCE_REMOVE, &removed), 0);
	assert_int_equal(sim_map_dma(kernel, container, 0, bytes, PAGE), -ENXIO);
	assert_int_equal(
		kernel_ioctl_value(kernel, mapped.space.group, VFIO_GROUP_UNSET_CONTAINER, 0), 0);
	assert_int_equal(sim_map_dma(kernel, container, 0, bytes, PAGE), -EINVAL);
	close_mapped(fixture, &mapped);
}

static void test_rules_count_each_call(void **state)
{
	struct sim_fixture *fixture = *state;
	struct kernel *kernel = fixture->kernel;
	struct mapped_space mapped = open_mapped(fixture);
	int container = mapped.space.container;
	uint8_t *bytes = mapped.memory.bytes;

	sim_fixture_fail_next(fixture, "VFIO_IOMMU_MAP_DMA", 2, ENOMEM);
	assert_int_equal(sim_map_dma(kernel, container, 0, bytes, PAGE), 0);
	assert_int_equal(sim_map_dma(kernel, container, 0, bytes, PAGE), 0);
	assert_int_equal(sim_map_dma(kernel, container, 0, bytes, PAGE), -ENOMEM);
	assert_int_equal(sim_map_dma(kernel, container, 0, bytes, PAGE), 0);
	close_mapped(fixture, &mapped);
}

/* A duplicate of the fd is the same container: its calls keep their order. */
static void test_duplicate_keeps_the_order(void **state)
{
	struct sim_fixture *fixture = *state;
	struct kernel *kernel = fixture->kernel;
	struct mapped_space mapped = open_mapped(fixture);
	struct sim_space other = {.container = dup(mapped.space.container), .group = -1};

	warm_up(kernel, &other, mapped.memory.bytes);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(
			sim_map_dma(kernel, mapped.space.container, 0, mapped.memory.bytes, PAGE),
			0);
		assert_int_equal(sim_unmap_dma(kernel, other.container, 0, PAGE), 0);
	}
	assert_int_equal(sim_fixture_statistics(fixture).mapped_tces, 0);
	(void)kernel_close(kernel, other.container);
	close_mapped(fixture, &mapped);
}

#define THREADS 4
#define ROUNDS  3000

struct mapper {
	struct kernel *kernel;
	int container;
	uint64_t iova;
	const uint8_t *memory;
};

static void *map_and_unmap(void *argument)
{
	const struct mapper *mapper = argument;

	for (int i = 0; i < ROUNDS; i++) {
		if (sim_map_dma(mapper->kernel, mapper->container, mapper->iova, mapper->memory,
				PAGE) != 0 ||
		    sim_unmap_dma(mapper->kernel, mapper->container, mapper->iova, PAGE) != 0) {
			return argument;
		}
	}
	return NULL;
}

/* Other calls open and close the ring all the time meanwhile. */
static void test_threads(void **state)
{
	struct sim_fixture *fixture = *state;
	struct mapped_space mapped = open_mapped(fixture);
	struct mapper mappers[THREADS];
	pthread_t threads[THREADS];

	for (unsigned int i = 0; i < THREADS; i++) {
		mappers[i] = (struct mapper){
			.kernel = fixture->kernel,
			.container = mapped.space.container,
			.iova = (uint64_t)i * PAGE,
			.memory = mapped.memory.bytes + i * PAGE,
		};
		assert_int_equal(pthread_create(&threads[i], NULL, map_and_unmap, &mappers[i]), 0);
	}
	for (int i = 0; i < 500; i++) {
		assert_in_range(sim_fixture_statistics(fixture).mapped_tces, 0, THREADS);
	}
	for (int i = 0; i < THREADS; i++) {
		void *failed = &failed;

		assert_int_equal(pthread_join(threads[i], &failed), 0);
		assert_null(failed);
	}
	assert_int_equal(sim_fixture_statistics(fixture).mapped_tces, 0);
	close_mapped(fixture, &mapped);
}

/* A process that is killed has done what its calls returned from. */
static void test_killed_process_has_posted(void **state)
{
	struct sim_fixture *fixture = *state;
	struct sim_space space = sim_space_open(fixture->kernel, GROUP_EDU);
	int connection = -1;
	int gate[2];
	char byte;
	pid_t pid;

	assert_int_equal(sim_connection_new(fixture->kernel, &connection), 0);
	assert_int_equal(pipe2(gate, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct kernel *kernel = NULL;
		uint8_t *bytes = aligned_alloc(65536, MIB);
		bool good = sim_kernel_new(connection, &kernel) == 0 && bytes &&
			    sim_register(kernel, space.container, bytes, MIB) == 0;

		for (uint64_t i = 0; good && i < 300; i++) {
			good = sim_map_dma(kernel, space.container, (i % 200) * PAGE, bytes,
					   PAGE) == 0;
		}
		(void)!write(gate[1], good ? "y" : "n", 1);
		for (;;) {
			(void)pause();
		}
	}
	cleanup_fd(&connection);
	assert_int_equal(read(gate[0], &byte, 1), 1);
	assert_int_equal(byte, 'y');
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(sim_fixture_statistics(fixture).mapped_tces, 200);
	sim_space_close(fixture->kernel, &space);
	cleanup_fd(&gate[0]);
	cleanup_fd(&gate[1]);
}

/* raw rings */

/* Exchange a request of one handle, and return what fd came back. */
static int exchange_raw(int connection, uint32_t type, const void *body, uint32_t size, int fd,
			void *answer, size_t answer_size)
{
	struct {
		struct sim_request head;
		uint8_t body[64];
	} packet = {.head = {.version = SIM_PROTOCOL_VERSION,
			     .type = type,
			     .id = 1,
			     .size = size,
			     .fds = fd >= 0}};
	struct {
		struct sim_reply head;
		uint8_t body[64];
	} reply;
	struct packet_fds fds = PACKET_FDS_NONE;

	if (size > 0) {
		memcpy(packet.body, body, size);
	}
	assert_int_equal(
		packet_send(connection, &packet, sizeof(packet.head) + size, NULL, 0, &fd, fd >= 0),
		0);
	assert_true(packet_receive(connection, &reply, sizeof(reply), &fds, NULL) >=
		    (ssize_t)sizeof(reply.head));
	assert_int_equal(reply.head.result, 0);
	if (answer_size > 0) {
		memcpy(answer, reply.body, answer_size);
	}
	return packet_fds_take(&fds, 0);
}

static struct sim_ring *open_ring(struct sim_fixture *fixture, const struct sim_space *space,
				  int *ret_fd)
{
	struct sim_identity identity;
	struct sim_ring_request wanted;
	int connection = -1;
	void *ring;

	assert_int_equal(sim_connection_new(fixture->kernel, &connection), 0);
	(void)exchange_raw(connection, SIM_IDENTIFY, NULL, 0, space->container, &identity,
			   sizeof(identity));
	wanted.handle = identity.handle;
	*ret_fd = exchange_raw(connection, SIM_RING, &wanted, sizeof(wanted), -1, NULL, 0);
	assert_true(*ret_fd >= 0);
	ring = mmap(NULL, sizeof(struct sim_ring), PROT_READ | PROT_WRITE, MAP_SHARED, *ret_fd, 0);
	assert_ptr_not_equal(ring, MAP_FAILED);
	cleanup_fd(&connection);
	return ring;
}

/* A new epoch, in which what is posted counts. */
static uint64_t epoch_of(const struct sim_ring *ring)
{
	uint64_t epoch;

	do {
		epoch = __atomic_load_n(&ring->epoch, __ATOMIC_ACQUIRE);
	} while (epoch & 1 && epoch != SIM_RING_DEAD);
	return epoch;
}

static void post_raw(struct sim_ring *ring, struct sim_ring_entry entry)
{
	uint64_t tail = ring->tail;

	entry.epoch = epoch_of(ring);
	ring->entry[tail % SIM_RING_ENTRIES] = entry;
	__atomic_store_n(&ring->tail, tail + 1, __ATOMIC_SEQ_CST);
}

static void test_ring_that_is_written_by_a_stranger(void **state)
{
	struct sim_fixture *fixture = *state;
	struct kernel *kernel = fixture->kernel;
	struct sim_space space = sim_space_open(kernel, GROUP_EDU);
	struct sim_test_memory memory = sim_test_memory_new(kernel, MIB);
	uint64_t random = 0x9e3779b97f4a7c15;
	struct sim_ring *ring;
	int fd = -1;

	assert_int_equal(sim_register(kernel, space.container, memory.bytes, MIB), 0);
	assert_int_equal(sim_map_dma(kernel, space.container, 0, memory.bytes, PAGE), 0);
	ring = open_ring(fixture, &space, &fd);
	/* It can't be made smaller below the host's feet. */
	assert_int_equal(ftruncate(fd, PAGE), -1);
	/* What a client of ours would post, and what none would. */
	post_raw(ring, (struct sim_ring_entry){.iova = PAGE,
					       .address = (uintptr_t)memory.bytes,
					       .size = PAGE,
					       .flags = 3});
	assert_int_equal(sim_fixture_statistics(fixture).mapped_tces, 2);
	for (int i = 0; i < 3000; i++) {
		struct sim_ring_entry entry = {.size = PAGE};

		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		entry.flags = (uint32_t)random & 7;
		entry.iova = i % 3 ? random & 0x8fffffff : random;
		entry.address = i % 5 ? (uintptr_t)memory.bytes + (random & 0x1fffff) : random;
		entry.size = i % 2 ? random >> 45 : random;
		post_raw(ring, entry);
	}
	(void)sim_fixture_statistics(fixture);
	/* Entries of another epoch are dropped. */
	assert_int_equal(sim_unmap_dma(kernel, space.container, 0, UINT64_C(1) << 31), 0);
	ring->entry[ring->tail % SIM_RING_ENTRIES] = (struct sim_ring_entry){
		.epoch = epoch_of(ring) - 2,
		.address = (uintptr_t)memory.bytes,
		.size = PAGE,
		.flags = 3,
	};
	__atomic_store_n(&ring->tail, ring->tail + 1, __ATOMIC_SEQ_CST);
	assert_int_equal(sim_fixture_statistics(fixture).mapped_tces, 0);
	/* The view is the host's, whatever is written there. */
	memset(ring->window, 0xff, sizeof(ring->window));
	memset(ring->region, 0xff, sizeof(ring->region));
	ring->window_count = UINT32_MAX;
	ring->region_count = UINT32_MAX;
	assert_int_equal(sim_map_dma(kernel, space.container, 0, memory.bytes, PAGE), 0);
	/* More than there is room for ends it. */
	__atomic_store_n(&ring->tail, ring->tail + SIM_RING_ENTRIES + 1, __ATOMIC_SEQ_CST);
	(void)sim_fixture_statistics(fixture);
	assert_true(epoch_of(ring) == SIM_RING_DEAD);
	assert_int_equal(sim_map_dma(kernel, space.container, PAGE, memory.bytes, PAGE), 0);
	(void)munmap(ring, sizeof(*ring));
	cleanup_fd(&fd);
	sim_space_close(kernel, &space);
	sim_test_memory_done(kernel, &memory);
}

/* A host that means harm may give any file for a ring. */
static void test_files_that_are_no_rings(void **state)
{
	struct sim_ring_client *client = NULL;
	int fd = memfd_create("no-ring", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	(void)state;
	assert_true(fd >= 0);
	/* One that could shrink. */
	assert_int_equal(ftruncate(fd, sizeof(struct sim_ring)), 0);
	assert_int_not_equal(sim_ring_client_new(1, fcntl(fd, F_DUPFD_CLOEXEC, 0), &client), 0);
	/* One that is too small. */
	assert_int_equal(ftruncate(fd, sizeof(struct sim_ring) - 1), 0);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
	assert_int_not_equal(sim_ring_client_new(1, fcntl(fd, F_DUPFD_CLOEXEC, 0), &client), 0);
	assert_int_equal(ftruncate(fd, sizeof(struct sim_ring)), 0);
	assert_int_equal(sim_ring_client_new(1, fd, &client), 0);
	(void)sim_ring_client_free(client);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, sim_fixture_set_up, sim_fixture_tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_posted_maps_are_seen_by_devices),
		TEST(test_more_than_the_ring_holds),
		TEST(test_refusals_stay_as_they_are),
		TEST(test_rules_count_each_call),
		TEST(test_duplicate_keeps_the_order),
		TEST(test_threads),
		TEST(test_killed_process_has_posted),
		TEST(test_ring_that_is_written_by_a_stranger),
		cmocka_unit_test(test_files_that_are_no_rings),
	};

	return cmocka_run_group_tests_name("sim-ring", tests, NULL, NULL);
}
