/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The broker's end of a worker. The worker here is this very program, started anew with a role to
 * play: SPAPRD_TEST_ROLE says how it answers.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "broker/worker_process.h"
#include "common/packet.h"
#include "unit.h"

#define ENV_ROLE "SPAPRD_TEST_ROLE"

/* -- the worker -- */

/* Replies with fds, right and wrong: how many there are, and how many the head says. */
static const struct fd_role {
	const char *name;
	unsigned int sent;
	unsigned int said;
	bool fails;
} fd_roles[] = {
	{"fd", 1, 1, false},        {"no-fd", 0, 0, false},        {"two-fds", 2, 2, false},
	{"fd-unsaid", 1, 0, false}, {"fd-only-said", 0, 1, false}, {"fd-with-error", 1, 1, true},
	{"refusal", 0, 0, true},
};

static const struct fd_role *find_fd_role(const char *role)
{
	for (size_t i = 0; i < sizeof(fd_roles) / sizeof(*fd_roles); i++) {
		if (strcmp(fd_roles[i].name, role) == 0) {
			return &fd_roles[i];
		}
	}
	return NULL;
}

static void answer_with_fds(struct worker_reply reply, const struct fd_role *role)
{
	static const int fds[] = {STDOUT_FILENO, STDERR_FILENO};

	reply.fds = role->said;
	reply.code = role->fails ? ERROR_FROZEN : ERROR_NONE;
	(void)packet_send(WORKER_SOCKET_FD, &reply, sizeof(reply), NULL, 0, fds, role->sent);
}

static void answer(const struct worker_request *request, const char *role)
{
	struct worker_reply reply = {
		.version = WORKER_PROTOCOL_VERSION,
		.type = request->type,
		.id = request->id,
		.counts = {.mappings = 7},
	};
	const char *body = "";

	if (find_fd_role(role)) {
		answer_with_fds(reply, find_fd_role(role));
		return;
	}
	if (strcmp(role, "refuse") == 0) {
		reply.code = ERROR_WINDOW_OVERLAP;
		reply.errnum = EBUSY;
		body = "there is one";
	} else if (strcmp(role, "version") == 0) {
		reply.version++;
	} else if (strcmp(role, "code") == 0) {
		reply.code = ERROR_CODE_COUNT;
	} else if (strcmp(role, "size") == 0) {
		reply.size = 1;
		(void)packet_send(WORKER_SOCKET_FD, &reply, sizeof(reply), NULL, 0, NULL, 0);
		return;
	} else if (strcmp(role, "short") == 0) {
		(void)packet_send(WORKER_SOCKET_FD, &reply, 10, NULL, 0, NULL, 0);
		return;
	} else if (strcmp(role, "stranger") == 0) {
		reply.id ^= 1;
		(void)packet_send(WORKER_SOCKET_FD, &reply, sizeof(reply), NULL, 0, NULL, 0);
		reply.id = UINT64_MAX;
		(void)packet_send(WORKER_SOCKET_FD, &reply, sizeof(reply), NULL, 0, NULL, 0);
		reply.id = request->id;
	}
	reply.size = (uint32_t)strlen(body);
	(void)packet_send(WORKER_SOCKET_FD, &reply, sizeof(reply), body, reply.size, NULL, 0);
}

static int play(const char *role)
{
	static char buffer[WORKER_MESSAGE_MAX];
	struct packet_fds fds;

	if (strcmp(role, "exit") == 0) {
		return 3;
	}
	while (packet_receive(WORKER_SOCKET_FD, buffer, sizeof(buffer), &fds, NULL) > 0) {
		struct worker_request request;

		memcpy(&request, buffer, sizeof(request));
		packet_fds_done(&fds);
		if (strcmp(role, "die") == 0) {
			(void)raise(SIGKILL);
		}
		if (strcmp(role, "silent") != 0) {
			answer(&request, role);
		}
	}
	return 0;
}

/* -- the test -- */

struct stage {
	sd_event *event;
	struct worker_process *worker;
	unsigned int answers;
	enum error_code last_code;
	char text[ERROR_TEXT_SIZE];
	uint64_t mappings;
	unsigned int fd_count; /* of the last answer */
	int fd;                /* a copy of it, or -1 */
	char why[64];
};

static struct stage stage;

static void handle_answer(void *userdata, const struct worker_answer *got)
{
	(void)userdata;
	stage.answers++;
	stage.last_code = got->error.code;
	(void)snprintf(stage.text, sizeof(stage.text), "%s", got->error.text);
	stage.fd_count = got->fd_count;
	if (got->fd_count > 0 && stage.fd < 0) {
		stage.fd = dup(got->fds[0]);
	}
}

static void handle_counts(void *userdata, const struct worker_counts *counts)
{
	(void)userdata;
	stage.mappings = counts->mappings;
}

static void handle_gone(void *userdata, const char *why)
{
	(void)userdata;
	(void)snprintf(stage.why, sizeof(stage.why), "%s", why);
	stage.worker = worker_process_free(stage.worker);
}

static void start(const char *role)
{
	struct worker_start options = {
		.program = "/proc/self/exe",
		.space = 5,
		.simhost = -1,
		.counts = handle_counts,
		.gone = handle_gone,
	};
	struct error error;

	assert_int_equal(setenv(ENV_ROLE, role, 1), 0);
	assert_int_equal(worker_process_new(stage.event, &options, &stage.worker, &error), 0);
	(void)unsetenv(ENV_ROLE);
}

static int ask(void)
{
	return worker_process_request(stage.worker, WORKER_MAP, "12345678", 8, NULL, 0,
				      handle_answer, NULL, NULL);
}

static int ask_for_device(void)
{
	return worker_process_request(stage.worker, WORKER_OPEN_DEVICE, "12345678", 8, NULL, 0,
				      handle_answer, NULL, NULL);
}

static void run_until(unsigned int answers, bool gone)
{
	while (stage.answers < answers || (gone && !stage.why[0])) {
		assert_true(sd_event_run(stage.event, 10000000) > 0);
	}
}

static int set_up(void **state)
{
	sigset_t signals;

	(void)state;
	stage = (struct stage){.event = NULL, .fd = -1};
	(void)sigemptyset(&signals);
	(void)sigaddset(&signals, SIGCHLD);
	(void)sigprocmask(SIG_BLOCK, &signals, NULL);
	return sd_event_new(&stage.event);
}

static int tear_down(void **state)
{
	(void)state;
	stage.worker = worker_process_free(stage.worker);
	stage.event = sd_event_unref(stage.event);
	if (stage.fd >= 0) {
		(void)close(stage.fd);
	}
	return 0;
}

static void test_answer(void **state)
{
	(void)state;
	start("echo");
	assert_int_equal(ask(), 0);
	assert_int_equal(stage.answers, 0);
	run_until(1, false);
	assert_int_equal(stage.last_code, ERROR_NONE);
	assert_int_equal(stage.mappings, 7);
	assert_true(worker_process_pid(stage.worker) > 0);
}

static void test_refusal(void **state)
{
	(void)state;
	start("refuse");
	assert_int_equal(ask(), 0);
	run_until(1, false);
	assert_int_equal(stage.last_code, ERROR_WINDOW_OVERLAP);
	assert_string_equal(stage.text, "there is one");
}

/* Answers that nobody asked for are dropped, the right one is taken. */
static void test_answer_to_nobody(void **state)
{
	(void)state;
	start("stranger");
	assert_int_equal(ask(), 0);
	run_until(1, false);
	assert_int_equal(stage.last_code, ERROR_NONE);
	assert_string_equal(stage.why, "");
}

static void test_broken_protocol(void **state)
{
	static const char *const roles[] = {"version", "code", "size", "short"};

	for (size_t i = 0; i < sizeof(roles) / sizeof(*roles); i++) {
		start(roles[i]);
		assert_int_equal(ask(), 0);
		run_until(1, true);
		assert_int_equal(stage.last_code, ERROR_WORKER_LOST);
		assert_non_null(strstr(stage.why, "SIGKILL"));
		(void)tear_down(state);
		(void)set_up(state);
	}
}

static unsigned int count_fds(void)
{
	unsigned int count = 0;

	for (int fd = 0; fd < 256; fd++) {
		count += fcntl(fd, F_GETFD) >= 0;
	}
	return count;
}

/* A device comes as an fd. What the handler doesn't keep is closed. */
static void test_device(void **state)
{
	unsigned int before;

	(void)state;
	start("fd");
	before = count_fds();
	assert_int_equal(ask_for_device(), 0);
	run_until(1, false);
	assert_int_equal(stage.last_code, ERROR_NONE);
	assert_int_equal(stage.fd_count, 1);
	assert_true(fcntl(stage.fd, F_GETFD) >= 0);
	assert_int_equal(count_fds(), before + 1);
	for (unsigned int i = 2; i < 10; i++) {
		assert_int_equal(ask_for_device(), 0);
		run_until(i, false);
	}
	assert_int_equal(count_fds(), before + 1);
}

static void test_device_refused(void **state)
{
	(void)state;
	start("refusal");
	assert_int_equal(ask_for_device(), 0);
	run_until(1, false);
	assert_int_equal(stage.last_code, ERROR_FROZEN);
	assert_int_equal(stage.fd_count, 0);
}

/* Fewer or more fds than there must be, and fds where none belong. */
static void test_wrong_fds(void **state)
{
	static const char *const roles[] = {"no-fd",        "two-fds",       "fd-unsaid",
					    "fd-only-said", "fd-with-error", "fd"};

	for (size_t i = 0; i < sizeof(roles) / sizeof(*roles); i++) {
		unsigned int before = count_fds();

		start(roles[i]);
		/* The last one is right but for the question. */
		assert_int_equal(strcmp(roles[i], "fd") == 0 ? ask() : ask_for_device(), 0);
		run_until(1, true);
		assert_int_equal(stage.last_code, ERROR_WORKER_LOST);
		assert_non_null(strstr(stage.why, "SIGKILL"));
		assert_int_equal(stage.fd_count, 0);
		assert_int_equal(count_fds(), before);
		(void)tear_down(state);
		(void)set_up(state);
	}
}

/* A device that finds no room here costs its own request, not the worker. */
static void test_no_fd_for_a_device(void **state)
{
	struct rlimit limit;
	struct rlimit low;

	(void)state;
	start("fd");
	/* The worker runs, and answers. */
	assert_int_equal(ask_for_device(), 0);
	run_until(1, false);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	low = limit;
	low.rlim_cur = 3;
	assert_int_equal(ask_for_device(), 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	run_until(2, false);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_int_equal(stage.last_code, ERROR_QUOTA_EXCEEDED);
	assert_int_equal(stage.fd_count, 0);
	assert_string_equal(stage.why, "");
	assert_int_equal(ask_for_device(), 0);
	run_until(3, false);
	assert_int_equal(stage.last_code, ERROR_NONE);
	assert_int_equal(stage.fd_count, 1);
}

static void test_death(void **state)
{
	(void)state;
	start("die");
	/* Stopped, or it could die of the first before the second is sent. */
	worker_process_kill(stage.worker, SIGSTOP);
	assert_int_equal(ask(), 0);
	assert_int_equal(ask(), 0);
	worker_process_kill(stage.worker, SIGCONT);
	run_until(2, true);
	assert_int_equal(stage.last_code, ERROR_WORKER_LOST);
	assert_non_null(strstr(stage.text, "SIGKILL"));
}

static void test_exit_status(void **state)
{
	(void)state;
	start("exit");
	run_until(0, true);
	assert_non_null(strstr(stage.why, "status 3"));
}

static void test_program_that_is_not_there(void **state)
{
	struct worker_start options = {.program = "/nonexistent", .simhost = -1};
	struct error error;

	(void)state;
	assert_int_equal(worker_process_new(stage.event, &options, &stage.worker, &error),
			 ERROR_KERNEL);
	assert_non_null(strstr(error.text, "/nonexistent"));
	assert_null(stage.worker);
}

/* A worker that ended before it was asked anything leaves no zombie. */
static void test_discard(void **state)
{
	siginfo_t info;
	pid_t pid;

	(void)state;
	start("exit");
	pid = worker_process_pid(stage.worker);
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	assert_int_equal(ask(), ERROR_WORKER_LOST);
	stage.worker = worker_process_discard(stage.worker);
	assert_int_equal(waitpid(pid, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
	assert_null(worker_process_discard(NULL));
}

/* What waits is answered when nobody is going to look at the worker any more. */
static void test_free_with_calls_waiting(void **state)
{
	(void)state;
	start("silent");
	assert_int_equal(ask(), 0);
	stage.worker = worker_process_free(stage.worker);
	assert_int_equal(stage.answers, 1);
	assert_int_equal(stage.last_code, ERROR_WORKER_LOST);
	assert_string_equal(stage.why, "");
}

/* The last fds are not for workers: libdbus loses its connection when it has none. */
static void test_no_fd_to_spare(void **state)
{
	struct worker_start options = {.program = "/proc/self/exe", .simhost = -1};
	struct rlimit limit;
	struct rlimit low;
	struct error error;
	int next = dup(STDOUT_FILENO);
	int r;

	(void)state;
	(void)close(next);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	low = limit;
	low.rlim_cur = 2 * (rlim_t)next + 2; /* half of it is kept back */
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	r = worker_process_new(stage.event, &options, &stage.worker, &error);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_int_equal(r, ERROR_QUOTA_EXCEEDED);
	assert_non_null(strstr(error.text, "EMFILE"));
}

/* A worker that does not answer: a bounded number of requests waits, and one place is kept to end
 * it. */
static void test_many_waiting(void **state)
{
	struct error error;

	(void)state;
	start("silent");
	for (unsigned int i = 0; i < WORKER_PENDING_MAX - 1; i++) {
		assert_int_equal(ask(), 0);
	}
	assert_int_equal(ask(), ERROR_QUOTA_EXCEEDED);
	assert_int_equal(worker_process_request(stage.worker, WORKER_CLOSE, NULL, 0, NULL, 0,
						handle_answer, NULL, &error),
			 0);
	worker_process_kill(stage.worker, SIGKILL);
	run_until(WORKER_PENDING_MAX, true);
	assert_int_equal(stage.answers, WORKER_PENDING_MAX);
}

/* More than a socket holds at once: what does not fit goes when there is room, in order. */
static void test_full_socket(void **state)
{
	static char body[60000];

	(void)state;
	start("echo");
	worker_process_kill(stage.worker, SIGSTOP);
	for (unsigned int i = 0; i < 64; i++) {
		assert_int_equal(worker_process_request(stage.worker, WORKER_MAP, body,
							sizeof(body), (int[]){0}, 1, handle_answer,
							NULL, NULL),
				 0);
	}
	worker_process_kill(stage.worker, SIGCONT);
	run_until(64, false);
	assert_int_equal(stage.last_code, ERROR_NONE);
}

/* Requests with fds wait for room in the socket, too, but not without end. */
static void test_full_socket_with_many_fds(void **state)
{
	static char body[60000];
	unsigned int sent = 0;
	int r = 0;

	(void)state;
	start("echo");
	worker_process_kill(stage.worker, SIGSTOP);
	while (sent < 200 && r == 0) {
		r = worker_process_request(stage.worker, WORKER_ADD_MEMORY, body, sizeof(body),
					   (int[]){0}, 1, handle_answer, NULL, NULL);
		sent += r == 0;
	}
	assert_int_equal(r, ERROR_QUOTA_EXCEEDED);
	assert_true(sent >= 64);
	/* Those without still find room. */
	assert_int_equal(ask(), 0);
	worker_process_kill(stage.worker, SIGCONT);
	run_until(sent + 1, false);
	assert_int_equal(stage.last_code, ERROR_NONE);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_answer),
		TEST(test_refusal),
		TEST(test_answer_to_nobody),
		TEST(test_broken_protocol),
		TEST(test_device),
		TEST(test_device_refused),
		TEST(test_wrong_fds),
		TEST(test_no_fd_for_a_device),
		TEST(test_death),
		TEST(test_exit_status),
		TEST(test_program_that_is_not_there),
		TEST(test_discard),
		TEST(test_free_with_calls_waiting),
		TEST(test_no_fd_to_spare),
		TEST(test_many_waiting),
		TEST(test_full_socket),
		TEST(test_full_socket_with_many_fds),
	};
	const char *role = getenv(ENV_ROLE);

	if (role) {
		return play(role);
	}
	return cmocka_run_group_tests_name("worker process", tests, NULL, NULL);
}
