/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Packets that no client of ours would send: the simulated host survives them all. */
#include <fcntl.h>
#include <sys/socket.h>
#include <time.h>

#include "common/packet.h"
#include "sim/protocol.h"
#include "sim_fixture.h"

static int connect_raw(struct sim_fixture *fixture)
{
	int connection = -1;

	assert_int_equal(sim_connection_new(fixture->kernel, &connection), 0);
	return connection;
}

static void expect_alive(struct sim_fixture *fixture)
{
	assert_int_equal(sim_fixture_statistics(fixture).kernel_damage, 0);
}

/* Send a packet that ends the connection. */
static void expect_hang_up(struct sim_fixture *fixture, const void *packet, size_t size,
			   const int *fds, unsigned int fd_count)
{
	int connection = connect_raw(fixture);
	struct packet_fds received = PACKET_FDS_NONE;
	char buffer[64];

	assert_int_equal(packet_send(connection, packet, size, NULL, 0, fds, fd_count), 0);
	assert_true(packet_receive(connection, buffer, sizeof(buffer), &received, NULL) <= 0);
	cleanup_fd(&connection);
	expect_alive(fixture);
}

struct raw_packet {
	struct sim_request head;
	uint8_t body[512];
};

static struct raw_packet raw_request(uint32_t type, uint32_t size)
{
	return (struct raw_packet){
		.head = {.version = SIM_PROTOCOL_VERSION, .type = type, .id = 1, .size = size},
	};
}

static void test_heads(void **state)
{
	struct sim_fixture *fixture = *state;
	struct raw_packet packet = raw_request(SIM_HELLO, 0);

	expect_hang_up(fixture, "x", 1, NULL, 0);
	expect_hang_up(fixture, &packet, sizeof(packet.head) - 1, NULL, 0);
	packet.head.version++;
	expect_hang_up(fixture, &packet, sizeof(packet.head), NULL, 0);
	packet = raw_request(SIM_HELLO, 1);
	expect_hang_up(fixture, &packet, sizeof(packet.head), NULL, 0);
	packet = raw_request(SIM_HELLO, UINT32_MAX);
	expect_hang_up(fixture, &packet, sizeof(packet), NULL, 0);
	packet = raw_request(0, 0);
	expect_hang_up(fixture, &packet, sizeof(packet.head), NULL, 0);
	packet = raw_request(SIM_REQUEST_TYPE_COUNT, 0);
	expect_hang_up(fixture, &packet, sizeof(packet.head), NULL, 0);
	packet = raw_request(UINT32_MAX, 0);
	expect_hang_up(fixture, &packet, sizeof(packet.head), NULL, 0);
	packet = raw_request(SIM_PAGE_SIZE, 0); /* of what? */
	expect_hang_up(fixture, &packet, sizeof(packet.head), NULL, 0);
	packet = raw_request(SIM_HELLO, 0);
	packet.head.fds = 1;
	expect_hang_up(fixture, &packet, sizeof(packet.head), NULL, 0);
}

static void test_bodies_of_wrong_size(void **state)
{
	static const uint32_t types[] = {
		SIM_IOCTL,  SIM_DMA_READ, SIM_DMA_WRITE,   SIM_FAIL_NEXT,
		SIM_DELAY,  SIM_ADD_RULE, SIM_REMOVE_RULE, SIM_FREEZE,
		SIM_UNPLUG, SIM_PLUG,     SIM_DUMP,
	};
	struct sim_fixture *fixture = *state;

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		struct raw_packet packet = raw_request(types[i], 3);

		expect_hang_up(fixture, &packet, sizeof(packet.head) + 3, NULL, 0);
		packet = raw_request(types[i], 0);
		expect_hang_up(fixture, &packet, sizeof(packet.head), NULL, 0);
	}
}

static void test_names_without_an_end(void **state)
{
	struct sim_fixture *fixture = *state;
	struct raw_packet packet = raw_request(SIM_DMA_READ, sizeof(struct sim_dma));

	memset(packet.body, 'x', sizeof(packet.body));
	expect_hang_up(fixture, &packet, sizeof(packet.head) + sizeof(struct sim_dma), NULL, 0);
	packet.head.type = SIM_DMA_WRITE;
	expect_hang_up(fixture, &packet, sizeof(packet.head) + sizeof(struct sim_dma), NULL, 0);
	packet.head.type = SIM_FAIL_NEXT;
	packet.head.size = sizeof(struct sim_rule);
	expect_hang_up(fixture, &packet, sizeof(packet.head) + sizeof(struct sim_rule), NULL, 0);
	packet.head.type = SIM_ADD_RULE;
	expect_hang_up(fixture, &packet, sizeof(packet.head) + sizeof(struct sim_rule), NULL, 0);
	packet.head.type = SIM_UNPLUG;
	packet.head.size = sizeof(struct sim_device_request);
	expect_hang_up(fixture, &packet, sizeof(packet.head) + packet.head.size, NULL, 0);
	packet.head.type = SIM_OPEN;
	packet.head.size = SIM_PATH_SIZE;
	expect_hang_up(fixture, &packet, sizeof(packet.head) + SIM_PATH_SIZE, NULL, 0);
}

static void test_ioctls_that_make_no_sense(void **state)
{
	struct sim_fixture *fixture = *state;
	struct raw_packet packet = raw_request(SIM_IOCTL, sizeof(struct sim_ioctl_request));
	struct sim_ioctl_request call = {.handle = 1, .request = VFIO_GET_API_VERSION};
	struct packet_fds fds = PACKET_FDS_NONE;
	struct sim_reply reply;
	int connection;

	call.pieces = 1;
	memcpy(packet.body, &call, sizeof(call));
	expect_hang_up(fixture, &packet, sizeof(packet.head) + sizeof(call), NULL, 0);
	call.pieces = UINT32_MAX;
	memcpy(packet.body, &call, sizeof(call));
	expect_hang_up(fixture, &packet, sizeof(packet.head) + sizeof(call), NULL, 0);
	call.pieces = 0;
	call.argument_size = UINT32_MAX;
	memcpy(packet.body, &call, sizeof(call));
	expect_hang_up(fixture, &packet, sizeof(packet.head) + sizeof(call), NULL, 0);
	/* A handle that isn't ours is an answer. */
	call.argument_size = 0;
	call.handle = 12345;
	memcpy(packet.body, &call, sizeof(call));
	connection = connect_raw(fixture);
	assert_int_equal(packet_send(connection, &packet, sizeof(packet.head) + sizeof(call), NULL,
				     0, NULL, 0),
			 0);
	assert_int_equal(packet_receive(connection, &reply, sizeof(reply), &fds, NULL),
			 sizeof(reply));
	assert_int_equal(reply.result, -EBADF);
	cleanup_fd(&connection);
	expect_alive(fixture);
}

static void test_too_many_fds(void **state)
{
	struct sim_fixture *fixture = *state;
	struct raw_packet packet = raw_request(SIM_IDENTIFY, 0);
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int) * 100)];
	} control = {.space = ""};
	struct iovec part = {.iov_base = &packet, .iov_len = sizeof(packet.head)};
	struct msghdr message = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control.space),
	};
	struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
	int connection = connect_raw(fixture);
	struct packet_fds received = PACKET_FDS_NONE;
	char buffer[64];

	rights->cmsg_level = SOL_SOCKET;
	rights->cmsg_type = SCM_RIGHTS;
	rights->cmsg_len = CMSG_LEN(sizeof(int) * 100);
	for (int i = 0; i < 100; i++) {
		memcpy(CMSG_DATA(rights) + sizeof(int) * (size_t)i, &connection, sizeof(int));
	}
	assert_true(sendmsg(connection, &message, MSG_NOSIGNAL) > 0);
	assert_true(packet_receive(connection, buffer, sizeof(buffer), &received, NULL) <= 0);
	cleanup_fd(&connection);
	expect_alive(fixture);
	assert_int_equal(sim_fixture_statistics(fixture).connections, 2);
}

static void test_too_large(void **state)
{
	static uint8_t packet[SIM_MESSAGE_MAX + 1];
	struct sim_fixture *fixture = *state;
	struct sim_request head = raw_request(SIM_DMA_WRITE, sizeof(packet) - sizeof(head)).head;

	memcpy(packet, &head, sizeof(head));
	expect_hang_up(fixture, packet, sizeof(packet), NULL, 0);
}

static void test_identify_needs_one_fd(void **state)
{
	struct sim_fixture *fixture = *state;
	struct raw_packet packet = raw_request(SIM_IDENTIFY, 0);
	int fds[2] = {STDIN_FILENO, STDOUT_FILENO};

	expect_hang_up(fixture, &packet, sizeof(packet.head), NULL, 0);
	packet.head.fds = 2;
	expect_hang_up(fixture, &packet, sizeof(packet.head), fds, 2);
}

/* Register with pieces that lie: the host believes the files, not the sizes. */
static int register_raw(int connection, uint64_t handle, const struct sim_wire_piece *piece, int fd)
{
	struct vfio_iommu_spapr_register_memory memory = {
		.argsz = sizeof(memory),
		.vaddr = 0x10000000,
		.size = 0x10000,
	};
	struct sim_ioctl_request call = {
		.handle = handle,
		.request = VFIO_IOMMU_SPAPR_REGISTER_MEMORY,
		.argument_size = sizeof(memory),
		.pieces = 1,
	};
	struct raw_packet packet =
		raw_request(SIM_IOCTL, sizeof(call) + sizeof(*piece) + sizeof(memory));
	struct packet_fds fds = PACKET_FDS_NONE;
	struct sim_reply reply;

	packet.head.fds = 1;
	memcpy(packet.body, &call, sizeof(call));
	memcpy(packet.body + sizeof(call), piece, sizeof(*piece));
	memcpy(packet.body + sizeof(call) + sizeof(*piece), &memory, sizeof(memory));
	assert_int_equal(packet_send(connection, &packet, sizeof(packet.head) + packet.head.size,
				     NULL, 0, &fd, 1),
			 0);
	assert_int_equal(packet_receive(connection, &reply, sizeof(reply), &fds, NULL),
			 sizeof(reply));
	return reply.result;
}

static uint64_t identify_raw(int connection, int fd)
{
	struct raw_packet packet = raw_request(SIM_IDENTIFY, 0);
	struct {
		struct sim_reply head;
		struct sim_identity identity;
	} reply;
	struct packet_fds fds = PACKET_FDS_NONE;

	packet.head.fds = 1;
	assert_int_equal(packet_send(connection, &packet, sizeof(packet.head), NULL, 0, &fd, 1), 0);
	assert_int_equal(packet_receive(connection, &reply, sizeof(reply), &fds, NULL),
			 sizeof(reply));
	return reply.identity.handle;
}

static void test_pieces_that_lie(void **state)
{
	struct sim_fixture *fixture = *state;
	struct sim_space space = sim_space_open(fixture->kernel, GROUP_EDU);
	int connection = connect_raw(fixture);
	uint64_t handle = identify_raw(connection, space.container);
	int memory = memfd_create("lie", MFD_CLOEXEC);
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int read_only;
	char path[64];
	struct sim_wire_piece piece = {.offset = 0, .size = 0x10000};

	assert_int_equal(ftruncate(memory, 0x4000), 0);
	/* Half a file, a whole lot of it, and from beyond its end. */
	assert_int_equal(register_raw(connection, handle, &piece, memory), 4);
	piece.size = UINT64_MAX;
	assert_int_equal(register_raw(connection, handle, &piece, memory), 4);
	piece.offset = 0x4000;
	assert_int_equal(register_raw(connection, handle, &piece, memory), -EFAULT);
	piece.offset = UINT64_MAX & ~UINT64_C(0xfff);
	assert_int_equal(register_raw(connection, handle, &piece, memory), -EFAULT);
	piece.offset = 1;
	assert_int_equal(register_raw(connection, handle, &piece, memory), -EFAULT);
	/* No memory at all, or not to be written. */
	piece = (struct sim_wire_piece){.offset = 0, .size = 0x10000};
	assert_int_equal(register_raw(connection, handle, &piece, null), -EFAULT);
	assert_int_equal(register_raw(connection, handle, &piece, connection), -EFAULT);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", memory);
	read_only = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(read_only >= 0);
	assert_int_equal(register_raw(connection, handle, &piece, read_only), -EFAULT);
	assert_int_equal(sim_fixture_statistics(fixture).pinned_bytes, 0);
	cleanup_fd(&read_only);
	cleanup_fd(&null);
	cleanup_fd(&memory);
	cleanup_fd(&connection);
	sim_space_close(fixture->kernel, &space);
}

/* A client that hangs up while its call is put off, and one that never reads its answers. */
static void test_clients_that_go(void **state)
{
	struct sim_fixture *fixture = *state;
	struct raw_packet packet = raw_request(SIM_OPEN, sizeof(NODE_CONTAINER) - 1);
	int connection = connect_raw(fixture);

	memcpy(packet.body, NODE_CONTAINER, packet.head.size);
	sim_fixture_delay(fixture, "open:" NODE_CONTAINER, 100);
	assert_int_equal(packet_send(connection, &packet, sizeof(packet.head) + packet.head.size,
				     NULL, 0, NULL, 0),
			 0);
	cleanup_fd(&connection);
	(void)nanosleep(&(struct timespec){.tv_nsec = 200000000}, NULL);
	assert_int_equal(sim_fixture_statistics(fixture).containers, 0);
	connection = connect_raw(fixture);
	assert_int_equal(fcntl(connection, F_SETFL, O_NONBLOCK), 0);
	while (packet_send(connection, &packet, sizeof(packet.head) + packet.head.size, NULL, 0,
			   NULL, 0) == 0) {
	}
	expect_alive(fixture);
	cleanup_fd(&connection);
	assert_int_equal(sim_fixture_statistics(fixture).connections, 2);
	assert_int_equal(sim_fixture_statistics(fixture).containers, 0);
}

/* Bytes by chance, the same at each run. */
static void test_garbage(void **state)
{
	struct sim_fixture *fixture = *state;
	uint64_t random = 0x9e3779b97f4a7c15;

	for (int round = 0; round < 2000; round++) {
		struct raw_packet packet = raw_request((uint32_t)round % SIM_REQUEST_TYPE_COUNT, 0);
		int connection = connect_raw(fixture);

		for (size_t i = 0; i < sizeof(packet.body); i++) {
			random ^= random << 13;
			random ^= random >> 7;
			random ^= random << 17;
			packet.body[i] = (uint8_t)random;
		}
		packet.head.size = (uint32_t)(random % (sizeof(packet.body) + 1));
		assert_int_equal(packet_send(connection, &packet,
					     sizeof(packet.head) + packet.head.size, NULL, 0, NULL,
					     0),
				 0);
		cleanup_fd(&connection);
	}
	expect_alive(fixture);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, sim_fixture_set_up, sim_fixture_tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_heads),
		TEST(test_bodies_of_wrong_size),
		TEST(test_names_without_an_end),
		TEST(test_ioctls_that_make_no_sense),
		TEST(test_too_many_fds),
		TEST(test_too_large),
		TEST(test_identify_needs_one_fd),
		TEST(test_pieces_that_lie),
		TEST(test_clients_that_go),
		TEST(test_garbage),
	};

	return cmocka_run_group_tests_name("sim-protocol", tests, NULL, NULL);
}
