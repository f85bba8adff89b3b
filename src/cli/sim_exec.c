/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/sim_exec.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/sim_program.h"
#include "common/cleanup.h"
#include "common/error.h"
#include "common/names.h"
#include "sim/client.h"
#include "sim/host.h"
#include "sim/launch.h"

#define NAME "sim exec"

#define SIMHOST "spaprd-simhost"
#define LIBRARY "libspaprd-sim.so"

/* As shells have it. */
#define EXIT_NOT_EXECUTABLE 126
#define EXIT_NOT_FOUND      127

/* A socket's address has room for no long path. */
#define BASE_MAX 60

/* How long the simulated host has to put its things away when nobody uses it any more. */
#define HOST_END_TIMEOUT_MS 1000

struct options {
	const char *host;
	const char *connect; /* NULL: a host of its own */
	char **program;
};

/* What the program runs in. */
struct session {
	struct kernel *kernel; /* keeps the host alive */
	char socket[PATH_MAX];
	char library[PATH_MAX];
	char simhost[PATH_MAX];
	pid_t host; /* 0: not ours */
};

static enum cli_status fail(const char *what, int r)
{
	(void)fprintf(stderr, "spaprctl: %s: %s\n", what, strerror(-r));
	return CLI_FAILED;
}

/* our own files */

/* A file of this package: what the environment says, or beside this program, or where it is
 * installed. 0 or -errno. */
static int find_file(const char *name, const char *variable, char ret_path[static PATH_MAX])
{
	const char *given = getenv(variable);
	char self[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (given) {
		return realpath(given, ret_path) ? 0 : -errno;
	}
	if (length < 0) {
		return -errno;
	}
	self[length] = '\0';
	*strrchr(self, '/') = '\0';
	if (snprintf(ret_path, PATH_MAX, "%s/%s", self, name) < PATH_MAX &&
	    access(ret_path, R_OK) == 0) {
		return 0;
	}
	(void)snprintf(ret_path, PATH_MAX, "%s/%s", SPAPRD_LIBEXEC, name);
	return access(ret_path, R_OK) < 0 ? -errno : 0;
}

/* the simulated host */

/* By default a process may lock what it may lock on this machine, as on any other kernel. */
static void choose_host(const char *given, char *text, size_t size)
{
	const char *host = given ? given : SIM_HOST_DEFAULT;

	(void)snprintf(text, size, "%s%s", host, strstr(host, ",memlock=") ? "" : ",memlock=own");
}

/* A name for the socket that nobody has, where only this user comes to it. */
static int choose_socket(char path[static PATH_MAX])
{
	const char *base = getenv("XDG_RUNTIME_DIR");
	unsigned int random = 0;

	if (getentropy(&random, sizeof(random)) < 0) {
		return -errno;
	}
	(void)snprintf(path, PATH_MAX, "%s/spaprd-sim-%d-%08x.sock",
		       base && *base == '/' && strlen(base) < BASE_MAX ? base : "/tmp",
		       (int)getpid(), random);
	return 0;
}

static int start_host(const struct options *options, struct session *session, int *ret_connection)
{
	char host[PATH_MAX];
	int r = find_file(SIMHOST, ENV_SIMHOST, session->simhost);

	if (r < 0) {
		return r;
	}
	choose_host(options->host, host, sizeof(host));
	r = choose_socket(session->socket);
	return r < 0 ? r
		     : sim_launch_listening(session->simhost, host, session->socket, ret_connection,
					    &session->host);
}

static int join_host(const struct options *options, struct session *session, int *ret_connection)
{
	if (!realpath(options->connect, session->socket)) {
		return -errno;
	}
	return sim_connect(session->socket, ret_connection);
}

static enum cli_status open_session(const struct options *options, struct session *session)
{
	int connection = -1;
	int r = find_file(LIBRARY, ENV_SIM_LIBRARY, session->library);

	if (r < 0) {
		return fail("can't find " LIBRARY, r);
	}
	if (options->connect) {
		r = join_host(options, session, &connection);
		if (r < 0) {
			return fail(options->connect, r);
		}
	} else {
		r = start_host(options, session, &connection);
		/* What is wrong with the host it has said itself. */
		if (r == -ENODEV) {
			return CLI_USAGE;
		}
		if (r < 0) {
			return fail("can't start " SIMHOST, r);
		}
	}
	r = sim_kernel_new(connection, &session->kernel);
	return r < 0 ? fail("can't use the simulated host", r) : CLI_OK;
}

/* Wait until the host is gone, unless others still use it. */
static void close_session(struct session *session)
{
	struct pollfd ended = {.events = POLLIN};

	session->kernel = kernel_free(session->kernel);
	if (session->host <= 0) {
		return;
	}
	ended.fd = (int)syscall(SYS_pidfd_open, session->host, 0);
	if (ended.fd >= 0 && poll(&ended, 1, HOST_END_TIMEOUT_MS) > 0) {
		(void)waitpid(session->host, NULL, 0);
	}
	(void)fd_close(ended.fd);
}

/* the program */

/* Behind what the user puts into the program: ours stands for the kernel, and some (the runtimes of
 * sanitizers) insist on being first. */
static int set_preload(const char *library)
{
	const char *before = getenv("LD_PRELOAD");
	char *text = NULL;
	int r;

	if (asprintf(&text, "%s%s%s", before ? before : "", before && *before ? ":" : "", library) <
	    0) {
		return -ENOMEM;
	}
	r = setenv("LD_PRELOAD", text, 1) < 0 ? -errno : 0;
	free(text);
	return r;
}

static int set_environment(const struct session *session)
{
	char shift[16];

	(void)snprintf(shift, sizeof(shift), "%u", sim_kernel_page_shift(session->kernel));
	if (setenv(ENV_SIM_SOCKET, session->socket, 1) < 0 ||
	    setenv(ENV_SIM_SYSFS, session->kernel->sysfs_root, 1) < 0 ||
	    setenv(ENV_SIM_DEV, sim_kernel_dev_root(session->kernel), 1) < 0 ||
	    setenv(ENV_SIM_PAGE_SHIFT, shift, 1) < 0) {
		return -errno;
	}
	return set_preload(session->library);
}

/* Signals that somebody sends to us and means for the program. */
static const int forwarded_signals[] = {SIGHUP,  SIGTERM,  SIGUSR1, SIGUSR2,
					SIGALRM, SIGWINCH, SIGINT,  SIGQUIT};

/* A terminal's keys reach all processes that run in front: the program has had such a signal. */
static bool comes_from_keys(int signal, const siginfo_t *information)
{
	return (signal == SIGINT || signal == SIGQUIT) && information->si_code == SI_KERNEL;
}

static void block_signals(sigset_t *ret_waited, sigset_t *ret_before)
{
	(void)sigemptyset(ret_waited);
	(void)sigaddset(ret_waited, SIGCHLD);
	for (size_t i = 0; i < sizeof(forwarded_signals) / sizeof(forwarded_signals[0]); i++) {
		(void)sigaddset(ret_waited, forwarded_signals[i]);
	}
	(void)sigprocmask(SIG_BLOCK, ret_waited, ret_before);
}

/* Become the program. */
static void execute(char **program, const char *path, const sigset_t *signals)
	__attribute__((noreturn));
static void execute(char **program, const char *path, const sigset_t *signals)
{
	int error;

	(void)sigprocmask(SIG_SETMASK, signals, NULL);
	(void)execv(path, program);
	error = errno;
	(void)fprintf(stderr, "spaprctl: %s: %s\n", path, strerror(error));
	_exit(error == ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE);
}

/* Wait for the program, and hand signals on to it. Returns its status as wait(2) has it. */
static int attend(pid_t program, const sigset_t *waited)
{
	for (;;) {
		siginfo_t information = {.si_code = 0};
		int status = 0;
		int signal = sigwaitinfo(waited, &information);

		if (signal == SIGCHLD) {
			if (waitpid(program, &status, WNOHANG) == program) {
				return status;
			}
		} else if (signal > 0 && !comes_from_keys(signal, &information)) {
			(void)kill(program, signal);
		}
	}
}

/* End as the program ended. */
static enum cli_status end_alike(int status)
{
	static const struct rlimit no_core = {.rlim_cur = 0, .rlim_max = 0};
	sigset_t all;

	if (WIFEXITED(status)) {
		return (enum cli_status)WEXITSTATUS(status);
	}
	(void)setrlimit(RLIMIT_CORE, &no_core);
	(void)signal(WTERMSIG(status), SIG_DFL);
	(void)sigemptyset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, NULL);
	(void)raise(WTERMSIG(status));
	return CLI_FAILED;
}

static enum cli_status run_program(const struct options *options, const char *path,
				   struct session *session)
{
	sigset_t waited;
	sigset_t before;
	pid_t program;
	int status;
	int r = set_environment(session);

	if (r < 0) {
		return fail("can't set the environment", r);
	}
	block_signals(&waited, &before);
	program = fork();
	if (program < 0) {
		return fail("can't make a process", -errno);
	}
	if (program == 0) {
		execute(options->program, path, &before);
	}
	status = attend(program, &waited);
	close_session(session);
	return end_alike(status);
}

/* Look at the program before anything is started. */
static enum cli_status check_program(const char *name, char ret_path[static PATH_MAX])
{
	char text[PATH_MAX + 256];
	int r = sim_program_find(name, ret_path);

	if (r < 0) {
		(void)fprintf(stderr, "spaprctl: %s: %s\n", name, strerror(-r));
		return (enum cli_status)(r == -ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE);
	}
	if (sim_program_check(ret_path, text, sizeof(text))) {
		(void)fprintf(stderr, "spaprctl: %s\n", text);
		return (enum cli_status)EXIT_NOT_EXECUTABLE;
	}
	return CLI_OK;
}

/* the command line */

/* Returns CLI_OK with a program when it is to be run. */
static enum cli_status parse(int argc, char **argv, struct options *options)
{
	static const struct option table[] = {
		{"host", required_argument, NULL, 'H'},
		{"connect", required_argument, NULL, 'c'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	int choice;

	/* The plus: options behind the program are the program's. */
	while ((choice = getopt_long(argc, argv, "+:", table, NULL)) != -1) {
		switch (choice) {
		case 'H':
			options->host = optarg;
			break;
		case 'c':
			options->connect = optarg;
			break;
		case 'h':
			(void)fputs(sim_exec_command.help, stdout);
			return CLI_OK;
		case ':':
			return cli_refuse(NAME, "option \"%s\" needs a value", argv[optind - 1]);
		default:
			return cli_refuse_option(NAME, argv);
		}
	}
	if (options->host && options->connect) {
		return cli_refuse(NAME, "a host that runs (--connect) can't be chosen (--host)");
	}
	if (optind == argc) {
		return cli_refuse(NAME, "a program is missing");
	}
	options->program = argv + optind;
	return CLI_OK;
}

enum cli_status sim_exec_run(int argc, char **argv)
{
	struct options options = {.program = NULL};
	struct session session = {.host = 0};
	char path[PATH_MAX];
	enum cli_status status = parse(argc, argv, &options);

	if (!options.program) {
		return status;
	}
	status = check_program(options.program[0], path);
	if (status != CLI_OK) {
		return status;
	}
	status = open_session(&options, &session);
	if (status == CLI_OK) {
		return run_program(&options, path, &session);
	}
	close_session(&session);
	return status;
}

const struct cli_command sim_exec_command = {
	.name = "exec",
	.summary = "run a program against a simulated host",
	.help = "usage: spaprctl sim exec [--host HOST[,SETTING=VALUE...]] [--connect SOCKET] "
		"[--]\n"
		"                         PROGRAM [ARGUMENT...]\n"
		"\n"
		"Runs an unmodified program that finds the VFIO, the PCI devices and the IOMMU\n"
		"groups of a simulated host instead of this machine's. Its memory is read and\n"
		"written by the simulated devices where it lies.\n"
		"\n"
		"  --host HOST        which host (default: " SIM_HOST_DEFAULT
		"), with settings; see\n"
		"                     \"spaprctl sim hosts\"\n"
		"  --connect SOCKET   a host that runs already: spaprd-simhost --listen SOCKET\n"
		"  --help             this text\n"
		"\n"
		"The program must be dynamically linked. The exit status is the program's; 126\n"
		"and 127: it can't be run.\n"
		"\n"
		"Examples:\n"
		"  spaprctl sim exec -- ls -l /sys/kernel/iommu_groups /dev/vfio\n"
		"  spaprctl sim exec --host pseries,memlock=67108864 -- ./my-driver 0000:01:00.0\n",
	.run = sim_exec_run,
};
