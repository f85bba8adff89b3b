/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/packet.h"
#include "unit.h"

static int set_up(void **state)
{
	static int sockets[2];

	*state = sockets;
	return packet_socketpair(sockets);
}

static int tear_down(void **state)
{
	int *sockets = *state;

	cleanup_fd(&sockets[0]);
	cleanup_fd(&sockets[1]);
	return 0;
}

static void test_two_parts_and_fds(void **state)
{
	int *sockets = *state;
	int memory = memfd_create("packet", MFD_CLOEXEC);
	int sent[2] = {memory, memory};
	struct packet_fds fds;
	char buffer[16];
	pid_t pid = -1;
	int taken;

	assert_true(memory >= 0);
	assert_int_equal(packet_send(sockets[0], "head", 4, "body", 4, sent, 2), 0);
	assert_int_equal(packet_receive(sockets[1], buffer, sizeof(buffer), &fds, &pid), 8);
	assert_memory_equal(buffer, "headbody", 8);
	assert_int_equal(pid, 0);
	assert_int_equal(fds.count, 2);
	taken = packet_fds_take(&fds, 0);
	assert_true(fcntl(taken, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(packet_fds_take(&fds, 0), -1);
	assert_int_equal(packet_fds_take(&fds, 5), -1);
	cleanup_fd(&taken);
	packet_fds_done(&fds);
	cleanup_fd(&memory);
}

static void test_sender_is_known(void **state)
{
	int *sockets = *state;
	struct packet_fds fds;
	int on = 1;
	char buffer[4];
	pid_t pid = 0;

	assert_int_equal(setsockopt(sockets[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)), 0);
	assert_int_equal(packet_send(sockets[0], "who", 3, NULL, 0, NULL, 0), 0);
	assert_int_equal(packet_receive(sockets[1], buffer, sizeof(buffer), &fds, &pid), 3);
	assert_int_equal(pid, getpid());
}

static void test_too_large_leaks_nothing(void **state)
{
	int *sockets = *state;
	struct packet_fds fds = PACKET_FDS_NONE;
	int before = dup(sockets[0]);
	int after;
	char buffer[4];

	cleanup_fd(&before);
	assert_int_equal(packet_send(sockets[0], "too large", 9, NULL, 0, sockets, 1), 0);
	assert_int_equal(packet_receive(sockets[1], buffer, sizeof(buffer), &fds, NULL), -EMSGSIZE);
	assert_int_equal(fds.count, 0);
	after = dup(sockets[0]);
	assert_true(after >= 0);
	cleanup_fd(&after);
	assert_int_equal(packet_send(sockets[0], "", 0, NULL, 0, sockets, PACKET_FDS_MAX + 1),
			 -EINVAL);
}

/* Whatever a peer sends: 17 to 22 fds fit where credentials could have been. */
static void test_too_many_fds_are_closed(void **state)
{
	int *sockets = *state;

	for (size_t count = PACKET_FDS_MAX + 1; count <= PACKET_FDS_MAX + 10; count++) {
		char control[CMSG_SPACE(sizeof(int) * (PACKET_FDS_MAX + 10))]
			__attribute__((aligned(8))) = "";
		struct iovec part = {.iov_base = (char[]){'x'}, .iov_len = 1};
		struct msghdr message = {
			.msg_iov = &part,
			.msg_iovlen = 1,
			.msg_control = control,
			.msg_controllen = CMSG_SPACE(sizeof(int) * count),
		};
		struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
		struct packet_fds fds = PACKET_FDS_NONE;
		int before = dup(sockets[0]);
		int after;
		char buffer[4];

		rights->cmsg_level = SOL_SOCKET;
		rights->cmsg_type = SCM_RIGHTS;
		rights->cmsg_len = CMSG_LEN(sizeof(int) * count);
		for (size_t i = 0; i < count; i++) {
			memcpy(CMSG_DATA(rights) + i * sizeof(int), &before, sizeof(int));
		}
		assert_int_equal(sendmsg(sockets[0], &message, 0), 1);
		assert_int_equal(packet_receive(sockets[1], buffer, sizeof(buffer), &fds, NULL),
				 -EMSGSIZE);
		assert_int_equal(fds.count, 0);
		after = dup(sockets[0]);
		assert_int_equal(after, before + 1);
		cleanup_fd(&after);
		cleanup_fd(&before);
	}
}

static void test_peer_gone(void **state)
{
	int *sockets = *state;
	struct packet_fds fds;
	char buffer[4];

	cleanup_fd(&sockets[0]);
	assert_int_equal(packet_receive(sockets[1], buffer, sizeof(buffer), &fds, NULL), 0);
	assert_int_equal(packet_send(sockets[1], "x", 1, NULL, 0, NULL, 0), -EPIPE);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_two_parts_and_fds, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_sender_is_known, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_too_large_leaks_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_too_many_fds_are_closed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_peer_gone, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("packet", tests, NULL, NULL);
}
