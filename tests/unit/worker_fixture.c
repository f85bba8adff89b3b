/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "worker_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "common/cleanup.h"
#include "common/packet.h"
#include "sim/client.h"
#include "sim/launch.h"

#define HOST "powernv9,pace=0" /* nothing takes long unless a rule says so */

struct answer last_answer;

/* The programs lie in the directory above the tests'. */
static void find_program(const char *name, char path[PATH_MAX])
{
	char self[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);

	assert_true(length > 0);
	self[length] = '\0';
	assert_true(snprintf(path, PATH_MAX, "%s/../%s", dirname(self), name) < PATH_MAX);
}

/* In the child: move an fd to its number, without CLOEXEC. */
static void place_fd(int fd, int number)
{
	if (fd == number ? fcntl(fd, F_SETFD, 0) < 0 : dup2(fd, number) < 0) {
		_exit(126);
	}
}

static pid_t start_worker(const char *program, int socket, int connection)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		/* Out of the way of the numbers that are going to be taken. */
		socket = fcntl(socket, F_DUPFD_CLOEXEC, 10);
		connection = fcntl(connection, F_DUPFD_CLOEXEC, 10);
		place_fd(socket, WORKER_SOCKET_FD);
		place_fd(connection, WORKER_SIM_FD);
		(void)execl(program, program, "--simulated", "--space", "7", (char *)NULL);
		_exit(127);
	}
	return pid;
}

void fixture_open_on(struct fixture *fixture, const char *host)
{
	char program[PATH_MAX];
	int connection = -1;
	int sockets[2];

	*fixture = (struct fixture){.control = -1, .last_fd = -1};
	find_program("spaprd-simhost", program);
	assert_int_equal(sim_launch(program, host, &connection, &fixture->simhost), 0);
	assert_int_equal(sim_kernel_new(connection, &fixture->kernel), 0);
	assert_int_equal(sim_connection_new(fixture->kernel, &fixture->control), 0);
	assert_int_equal(sim_connection_new(fixture->kernel, &connection), 0);
	assert_int_equal(packet_socketpair(sockets), 0);
	find_program("spaprd-worker", program);
	fixture->socket = sockets[0];
	fixture->worker = start_worker(program, sockets[1], connection);
	(void)fd_close(sockets[1]);
	(void)fd_close(connection);
}

void fixture_open(struct fixture *fixture)
{
	fixture_open_on(fixture, HOST);
}

int fixture_wait(struct fixture *fixture)
{
	int status = 0;

	assert_int_equal(waitpid(fixture->worker, &status, 0), fixture->worker);
	fixture->worker = 0;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

void fixture_close_host(struct fixture *fixture)
{
	fixture->last_fd = fd_close(fixture->last_fd);
	fixture_expect_nothing_left(fixture);
	fixture->socket = fd_close(fixture->socket);
	fixture->control = fd_close(fixture->control);
	fixture->kernel = kernel_free(fixture->kernel);
	assert_int_equal(waitpid(fixture->simhost, NULL, 0), fixture->simhost);
}

void fixture_close(struct fixture *fixture)
{
	fixture->socket = fd_close(fixture->socket);
	assert_int_equal(fixture_wait(fixture), 0);
	fixture_close_host(fixture);
}

static struct sim_control_reply receive_control(struct fixture *fixture, uint64_t id)
{
	struct sim_control_reply reply = SIM_CONTROL_REPLY_NONE;

	assert_int_equal(sim_control_receive(fixture->control, &reply), 0);
	assert_int_equal(reply.id, id);
	if (reply.code != ERROR_NONE) {
		print_error("%s\n", reply.text);
	}
	assert_int_equal(reply.code, ERROR_NONE);
	return reply;
}

struct sim_statistics fixture_statistics(struct fixture *fixture)
{
	struct sim_control_reply reply;
	struct sim_statistics statistics;

	assert_int_equal(sim_control_statistics(fixture->control, 1), 0);
	reply = receive_control(fixture, 1);
	statistics = reply.statistics;
	sim_control_reply_done(&reply);
	return statistics;
}

/* A killed process's fds are closed some time after its end has been reported. */
void fixture_expect_nothing_left(struct fixture *fixture)
{
	struct sim_statistics now = fixture_statistics(fixture);

	for (int i = 0; i < 100 && (now.containers || now.pinned_bytes || now.open_groups); i++) {
		(void)usleep(10000);
		now = fixture_statistics(fixture);
	}
	assert_int_equal(now.open_containers, 0);
	assert_int_equal(now.open_groups, 0);
	assert_int_equal(now.attached_groups, 0);
	assert_int_equal(now.containers, 0);
	assert_int_equal(now.registered_regions, 0);
	assert_int_equal(now.pinned_bytes, 0);
	assert_int_equal(now.leaked_pinned_bytes, 0);
	assert_int_equal(now.windows, 0);
	assert_int_equal(now.mapped_tces, 0);
	assert_int_equal(now.locked_bytes, 0);
	assert_int_equal(now.kernel_damage, 0);
}

static void add_delay(struct fixture *fixture, const char *operation, uint32_t milliseconds,
		      uint32_t times)
{
	struct sim_rule rule = {.milliseconds = milliseconds, .times = times};
	struct sim_control_reply reply;

	sim_rule_name(&rule, operation);
	assert_int_equal(sim_control_add_rule(fixture->control, 2, &rule), 0);
	reply = receive_control(fixture, 2);
	sim_control_reply_done(&reply);
}

void fixture_delay(struct fixture *fixture, const char *operation, uint32_t milliseconds)
{
	add_delay(fixture, operation, milliseconds, 1);
}

void fixture_slow(struct fixture *fixture, const char *operation, uint32_t milliseconds)
{
	add_delay(fixture, operation, milliseconds, 0);
}

void fixture_fail(struct fixture *fixture, const char *operation, uint32_t skip, int errnum)
{
	struct sim_control_reply reply;

	assert_int_equal(sim_control_fail_next(fixture->control, 3, operation, skip, errnum), 0);
	reply = receive_control(fixture, 3);
	sim_control_reply_done(&reply);
}

bool fixture_take_back(struct fixture *fixture)
{
	struct sim_control_reply reply;
	bool waiting;

	assert_int_equal(sim_control_list_rules(fixture->control, 5), 0);
	reply = receive_control(fixture, 5);
	waiting = reply.rule_count > 0;
	sim_control_reply_done(&reply);
	assert_int_equal(sim_control_clear_rules(fixture->control, 6), 0);
	reply = receive_control(fixture, 6);
	sim_control_reply_done(&reply);
	return waiting;
}

void fixture_freeze(struct fixture *fixture, uint32_t group, uint32_t what)
{
	struct sim_control_reply reply;

	assert_int_equal(sim_control_freeze(fixture->control, 7, group, what), 0);
	reply = receive_control(fixture, 7);
	sim_control_reply_done(&reply);
}

void fixture_dma_write(struct fixture *fixture, const char *device, uint64_t iova, const void *data,
		       uint32_t size)
{
	struct sim_control_reply reply;

	assert_int_equal(sim_control_dma_write(fixture->control, 4, device, iova, data, size), 0);
	reply = receive_control(fixture, 4);
	sim_control_reply_done(&reply);
}

uint64_t send_request(struct fixture *fixture, uint32_t type, const void *body, size_t size,
		      const int *fds, unsigned int count)
{
	struct worker_request head = {
		.version = WORKER_PROTOCOL_VERSION,
		.type = type,
		.id = ++fixture->last_id,
		.size = (uint32_t)size,
		.fds = count,
	};

	assert_int_equal(packet_send(fixture->socket, &head, sizeof(head), body, size, fds, count),
			 0);
	return head.id;
}

void receive_answer(struct fixture *fixture, struct answer *ret_answer)
{
	static unsigned char packet[WORKER_MESSAGE_MAX];
	struct packet_fds fds = PACKET_FDS_NONE;
	ssize_t size = packet_receive(fixture->socket, packet, sizeof(packet), &fds, NULL);
	struct worker_reply *head = &ret_answer->head;

	assert_true(size >= (ssize_t)sizeof(*head));
	memcpy(head, packet, sizeof(*head));
	memcpy(ret_answer->body, packet + sizeof(*head), (size_t)size - sizeof(*head));
	ret_answer->body[(size_t)size - sizeof(*head)] = '\0';
	assert_int_equal(head->version, WORKER_PROTOCOL_VERSION);
	assert_int_equal(head->size, (size_t)size - sizeof(*head));
	assert_int_equal(head->fds, fds.count);
	assert_true(fds.count == 0 || (head->type == WORKER_OPEN_DEVICE && head->code == 0));
	assert_true(fds.count < 2);
	fixture->last_fd = fd_close(fixture->last_fd);
	fixture->last_fd = packet_fds_take(&fds, 0);
	assert_true(head->code < ERROR_CODE_COUNT);
	assert_true(head->errnum >= 0);
}

int request(struct fixture *fixture, uint32_t type, const void *body, size_t size, const int *fds,
	    unsigned int count, struct answer *ret_answer)
{
	uint64_t id = send_request(fixture, type, body, size, fds, count);

	receive_answer(fixture, &last_answer);
	assert_int_equal(last_answer.head.id, id);
	assert_int_equal(last_answer.head.type, type);
	if (ret_answer) {
		*ret_answer = last_answer;
	}
	return (int)last_answer.head.code;
}

int make_memory(uint64_t size)
{
	int fd = memfd_create("memory", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
	return fd;
}

int attach(struct fixture *fixture, uint32_t group)
{
	struct worker_attach body = {.group = group, .container_id = 100 + group};
	char node[32];
	int fds[2];
	int r;

	(void)snprintf(node, sizeof(node), "/dev/vfio/%u", group);
	fds[0] = kernel_open_node(fixture->kernel, "/dev/vfio/vfio");
	fds[1] = kernel_open_node(fixture->kernel, node);
	assert_true(fds[0] >= 0);
	assert_true(fds[1] >= 0);
	r = request(fixture, WORKER_ATTACH_GROUP, &body, sizeof(body), fds, 2, NULL);
	(void)kernel_close(fixture->kernel, fds[0]);
	(void)kernel_close(fixture->kernel, fds[1]);
	return r;
}

int detach(struct fixture *fixture, uint32_t group)
{
	struct worker_detach body = {.group = group};

	return request(fixture, WORKER_DETACH_GROUP, &body, sizeof(body), NULL, 0, NULL);
}

int add_memory_fd(struct fixture *fixture, int fd, uint64_t gpa, uint64_t size, uint32_t flags,
		  uint32_t *ret_id)
{
	struct worker_memory body = {.gpa = gpa, .size = size, .flags = flags};
	int r = request(fixture, WORKER_ADD_MEMORY, &body, sizeof(body), &fd, 1, NULL);

	if (r == 0) {
		assert_int_equal(last_answer.head.size, sizeof(body));
		memcpy(&body, last_answer.body, sizeof(body));
		assert_int_not_equal(body.id, 0);
		if (ret_id) {
			*ret_id = body.id;
		}
	}
	return r;
}

int add_memory(struct fixture *fixture, uint64_t gpa, uint64_t size, uint32_t *ret_id)
{
	cleanup(cleanup_fd) int fd = make_memory(size);

	return add_memory_fd(fixture, fd, gpa, size, 0, ret_id);
}

int remove_memory(struct fixture *fixture, uint32_t id)
{
	struct worker_remove_memory body = {.id = id};

	return request(fixture, WORKER_REMOVE_MEMORY, &body, sizeof(body), NULL, 0, NULL);
}

int create_window(struct fixture *fixture, struct worker_window *window)
{
	int r = request(fixture, WORKER_CREATE_WINDOW, window, sizeof(*window), NULL, 0, NULL);

	if (r == 0) {
		assert_int_equal(last_answer.head.size, sizeof(*window));
		memcpy(window, last_answer.body, sizeof(*window));
	}
	return r;
}

int remove_window(struct fixture *fixture, uint64_t start)
{
	struct worker_remove_window body = {.start = start};

	return request(fixture, WORKER_REMOVE_WINDOW, &body, sizeof(body), NULL, 0, NULL);
}

int map(struct fixture *fixture, uint64_t iova, uint64_t gpa, uint64_t size, uint32_t prot)
{
	struct worker_map body = {.iova = iova, .gpa = gpa, .size = size, .prot = prot};

	return request(fixture, WORKER_MAP, &body, sizeof(body), NULL, 0, NULL);
}

int unmap(struct fixture *fixture, uint64_t iova, uint64_t size)
{
	struct worker_unmap body = {.iova = iova, .size = size};

	return request(fixture, WORKER_UNMAP, &body, sizeof(body), NULL, 0, NULL);
}

static struct worker_open_device open_request(uint32_t group, const char *name)
{
	struct worker_open_device body = {.group = group};

	assert_true(strlen(name) <= sizeof(body.name));
	memcpy(body.name, name, strlen(name));
	return body;
}

uint64_t send_open(struct fixture *fixture, uint32_t group, const char *name, int event)
{
	struct worker_open_device body = open_request(group, name);

	body.events = event >= 0 ? WORKER_EVENT_ERROR : 0;
	return send_request(fixture, WORKER_OPEN_DEVICE, &body, sizeof(body), &event, event >= 0);
}

int open_device(struct fixture *fixture, uint32_t group, const char *name, int event, int *ret_fd)
{
	struct worker_open_device body = open_request(group, name);
	int r;

	body.events = event >= 0 ? WORKER_EVENT_ERROR : 0;
	r = request(fixture, WORKER_OPEN_DEVICE, &body, sizeof(body), &event, event >= 0, NULL);

	if (r == 0) {
		assert_int_equal(last_answer.head.size, 0);
		assert_true(fixture->last_fd >= 0);
		if (ret_fd) {
			*ret_fd = steal_fd(&fixture->last_fd);
		}
		fixture->last_fd = fd_close(fixture->last_fd);
	}
	return r;
}

uint64_t send_operate(struct fixture *fixture, uint32_t group, enum worker_pe_operation operation)
{
	struct worker_operate_pe body = {.group = group, .operation = operation};

	return send_request(fixture, WORKER_OPERATE_PE, &body, sizeof(body), NULL, 0);
}

int operate(struct fixture *fixture, uint32_t group, enum worker_pe_operation operation,
	    struct worker_pe *ret_pe)
{
	struct worker_operate_pe body = {.group = group, .operation = operation};
	int r = request(fixture, WORKER_OPERATE_PE, &body, sizeof(body), NULL, 0, NULL);

	if (r == 0) {
		assert_true(last_answer.head.size >= sizeof(*ret_pe));
		if (operation != WORKER_PE_SAVE) {
			assert_int_equal(last_answer.head.size, sizeof(*ret_pe));
		}
		if (ret_pe) {
			memcpy(ret_pe, last_answer.body, sizeof(*ret_pe));
		}
	}
	return r;
}

void expect_text(const char *words)
{
	if (!strstr((const char *)last_answer.body, words)) {
		fail_msg("\"%s\" is not in \"%s\"", words, (const char *)last_answer.body);
	}
}
