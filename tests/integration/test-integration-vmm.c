/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A program with a container of its own, by libspapr (tests/vmm/example-vmm.c): no spaprd takes
 * part. On a simulated host it is started by `spaprctl sim exec`. */
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "world.h"

#define OUTPUT_SIZE 65536

struct run {
	int status; /* of waitpid */
	char output[OUTPUT_SIZE];
};

/* A program of this build: they lie one directory above the tests. */
static void find_program(const char *name, char ret_path[static PATH_MAX])
{
	char self[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);

	assert_true(length > 0);
	self[length] = '\0';
	assert_true(snprintf(ret_path, PATH_MAX, "%s/../%s", dirname(self), name) < PATH_MAX);
}

static void read_all(int fd, char output[static OUTPUT_SIZE])
{
	size_t used = 0;
	ssize_t size;

	while ((size = read(fd, output + used, OUTPUT_SIZE - 1 - used)) > 0) {
		used += (size_t)size;
	}
	output[used] = '\0';
}

static void run_program(char **arguments, struct run *ret_run)
{
	posix_spawn_file_actions_t actions;
	pid_t pid = -1;
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(posix_spawn_file_actions_init(&actions), 0);
	assert_int_equal(posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO), 0);
	assert_int_equal(posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO), 0);
	assert_int_equal(posix_spawn(&pid, arguments[0], &actions, NULL, arguments, environ), 0);
	(void)posix_spawn_file_actions_destroy(&actions);
	(void)close(ends[1]);
	read_all(ends[0], ret_run->output);
	(void)close(ends[0]);
	assert_int_equal(waitpid(pid, &ret_run->status, 0), pid);
	/* Longer than what cmocka prints at once. */
	(void)fputs(ret_run->output, stdout);
	(void)fflush(stdout);
}

/* The example, with devices of the host's up to a NULL. */
static void run_example(const struct lab_host *host, const char *const *devices,
			struct run *ret_run)
{
	static char spaprctl[PATH_MAX];
	static char example[PATH_MAX];
	char settings[64];
	char *arguments[16] = {NULL};
	unsigned int count = 0;

	find_program("spaprctl", spaprctl);
	find_program("example-vmm", example);
	(void)snprintf(settings, sizeof(settings), "%s,pace=0", host->name);
	if (!lab_host_is_real()) {
		const char *const before[] = {spaprctl, "sim", "exec", "--host", settings, "--"};

		for (unsigned int i = 0; i < sizeof(before) / sizeof(before[0]); i++) {
			arguments[count++] = (char *)before[i];
		}
	}
	arguments[count++] = example;
	for (; *devices; devices++) {
		arguments[count++] = (char *)*devices;
	}
	run_program(arguments, ret_run);
}

static bool says(const struct run *run, const char *words)
{
	return strstr(run->output, words) != NULL;
}

static void expect_words(const struct run *run, const char *words)
{
	if (!says(run, words)) {
		fail_msg("it does not say \"%s\"", words);
	}
}

static void expect_success(const struct run *run)
{
	if (run->status != 0) {
		fail_msg("status 0x%x", (unsigned int)run->status);
	}
	expect_words(run, "all done\n");
}

static struct run last;

/* All of it, twice: what the first one leaves behind is in the way of the second. */
static void test_program_with_a_container_of_its_own(void **state)
{
	const struct lab_host *host = *state;
	const char *const devices[] = {host->edu, host->nic, NULL};

	for (unsigned int i = 0; i < 2; i++) {
		run_example(host, devices, &last);
		expect_success(&last);
		expect_words(&last, "DMA of 1024 bytes");
		expect_words(&last, host->has_eeh ? "the PE is normal" : "no EEH");
	}
}

static void test_group_that_is_alone(void **state)
{
	const struct lab_host *host = *state;
	const char *const devices[] = {host->edu, NULL};

	run_example(host, devices, &last);
	expect_success(&last);
}

static void test_guests_tables_with_kvm(void **state)
{
	const struct lab_host *host = *state;
	const char *const devices[] = {host->edu, host->nic, NULL};

	if (!host->has_tce) {
		skip_because("the host has no TCEs, and so KVM has no tables of them");
	}
	run_example(host, devices, &last);
	expect_success(&last);
	if (says(&last, "without KVM")) {
		skip_because("the host has no KVM: %.*s", (int)strcspn(last.output, "\n"),
			     last.output);
	}
	expect_words(&last, "window 0x0 has the guest's table 0x80000001");
	expect_words(&last, "window 0x800000000000000 has the guest's table 0x80000002");
	expect_words(&last, "refused: a table that starts elsewhere");
	expect_words(&last, "refused: a table with smaller pages");
	expect_words(&last, "refused: what is no table");
}

/* The fds alone are of no use to anybody else, and the reason is told. */
static void test_another_process_is_refused(void **state)
{
	const struct lab_host *host = *state;
	const char *const devices[] = {host->edu, NULL};

	run_example(host, devices, &last);
	expect_success(&last);
	if (host->has_tce) {
		expect_words(&last, "refused: mapping in another process");
		expect_words(&last, "the container belongs to another process");
	}
	if (says(&last, "without KVM")) {
		if (!host->has_tce) {
			skip_because("the host has neither KVM nor TCEs");
		}
		return;
	}
	expect_words(&last, "refused: the VM in another process");
	expect_words(&last, "refused: a group out of KVM in another process");
	expect_words(&last, "the VM belongs to another process");
}

/* A group that cannot be had: the program says so, and leaves nothing behind. */
static void test_group_that_is_not_viable(void **state)
{
	const struct lab_host *host = *state;
	const char *const devices[] = {host->not_viable, NULL};
	const char *const good[] = {host->edu, NULL};

	run_example(host, devices, &last);
	assert_true(WIFEXITED(last.status));
	assert_int_equal(WEXITSTATUS(last.status), EXIT_FAILURE);
	expect_words(&last, "GroupNotViable");
	run_example(host, good, &last);
	expect_success(&last);
}

static int find_host(void **state)
{
	*state = (void *)lab_host_find();
	return *state ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_program_with_a_container_of_its_own),
		cmocka_unit_test(test_group_that_is_alone),
		cmocka_unit_test(test_guests_tables_with_kvm),
		cmocka_unit_test(test_another_process_is_refused),
		cmocka_unit_test(test_group_that_is_not_viable),
	};

	return cmocka_run_group_tests(tests, find_host, NULL);
}
