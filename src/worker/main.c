/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * spaprd-worker: the process of one address space. The broker starts it with its fds in place
 * (common/worker_protocol.h); there is no use in starting it by hand.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/error.h"
#include "common/log.h"
#include "common/packet.h"
#include "common/worker_protocol.h"
#include "sim/client.h"
#include "spapr/tce_v1.h"
#include "spapr/tce_v2.h"
#include "vfio/type1.h"
#include "worker/confine.h"
#include "worker/urgent.h"
#include "worker/worker.h"

#define PROGRAM "spaprd-worker"

/* Not started as the broker would. */
#define EXIT_USAGE 2

struct options {
	unsigned int space;
	bool simulated;
};

static const char usage[] =
	"usage: " PROGRAM " [--space N] [--simulated]\n"
	"\n"
	"The process of one address space. spaprd starts it, with a packet socket as fd 3\n"
	"and, when simulated, a connection to spaprd-simhost as fd 4.\n"
	"\n"
	"  --space N     the number of the address space, for the log\n"
	"  --simulated   use the simulated host behind fd 4\n"
	"  --help        show this help\n"
	"  --version     show the version\n";

static int parse_number(const char *text, unsigned int *ret_number)
{
	char *end = NULL;
	unsigned long number;

	errno = 0;
	number = strtoul(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || *text == '-' || number > INT32_MAX) {
		return -EINVAL;
	}
	*ret_number = (unsigned int)number;
	return 0;
}

/* 0 to go on, or -1 with the exit code. */
static int parse_options(int argc, char **argv, struct options *ret_options, int *ret_exit)
{
	static const struct option known[] = {
		{"space", required_argument, NULL, 's'},
		{"simulated", no_argument, NULL, 'S'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{NULL, 0, NULL, 0},
	};
	int option;

	*ret_exit = EXIT_USAGE;
	while ((option = getopt_long(argc, argv, "", known, NULL)) >= 0) {
		switch (option) {
		case 's':
			if (parse_number(optarg, &ret_options->space) < 0) {
				(void)fprintf(stderr, PROGRAM ": --space takes a number\n");
				return -1;
			}
			break;
		case 'S':
			ret_options->simulated = true;
			break;
		case 'h':
			(void)fputs(usage, stdout);
			*ret_exit = EXIT_SUCCESS;
			return -1;
		case 'V':
			(void)puts(PROGRAM " " SPAPRD_VERSION);
			*ret_exit = EXIT_SUCCESS;
			return -1;
		default:
			return -1;
		}
	}
	if (optind < argc) {
		(void)fputs(usage, stderr);
		return -1;
	}
	return 0;
}

static int check_fds(const struct options *options)
{
	int flags;

	if (!packet_adopt_socket(WORKER_SOCKET_FD)) {
		(void)fprintf(stderr,
			      PROGRAM ": fd %d is not a packet socket; this program is started by "
				      "spaprd\n",
			      WORKER_SOCKET_FD);
		return -EINVAL;
	}
	if (options->simulated && !packet_adopt_socket(WORKER_SIM_FD)) {
		(void)fprintf(stderr, PROGRAM ": fd %d is not a connection to spaprd-simhost\n",
			      WORKER_SIM_FD);
		return -EINVAL;
	}
	flags = fcntl(WORKER_SOCKET_FD, F_GETFL);
	return flags < 0 || fcntl(WORKER_SOCKET_FD, F_SETFL, flags | O_NONBLOCK) < 0 ? -errno : 0;
}

/* Only the broker decides when an address space ends: by its socket, also when a service manager
 * stops the whole unit by a signal to all its processes. */
static void ignore_signals(void)
{
	static const int ignored[] = {SIGTERM, SIGINT, SIGHUP, SIGPIPE};

	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++) {
		(void)signal(ignored[i], SIG_IGN);
	}
}

static int open_kernel(const struct options *options, struct kernel **ret_kernel)
{
	return options->simulated ? sim_kernel_new(WORKER_SIM_FD, ret_kernel)
				  : kernel_linux_new(ret_kernel);
}

/* The kinds of container, best first. */
static int open_container(struct kernel *kernel, const struct container_request *request,
			  struct container **ret_container, struct error *error)
{
	static const struct container_kind *const kinds[] = {
		&tce_v2_kind, &tce_v1_kind, &type1v2_kind, &type1_kind, NULL,
	};

	return container_open(kernel, kinds, request, ret_container, error);
}

static int serve(const struct options *options, struct kernel *kernel)
{
	struct worker_settings settings = {
		.kernel = kernel,
		.open_container = open_container,
		.locked_limit = kernel->locked_limit,
		.socket = WORKER_SOCKET_FD,
		.number = options->space,
	};
	struct worker *worker = NULL;
	int r;

	urgent_watch();
	r = worker_new(&settings, &worker);
	if (r < 0) {
		log_write(LOG_ERR, LOG_SPACE(options->space), "failed to start: %s",
			  errno_name(-r));
		return r;
	}
	r = confine();
	if (r < 0) {
		log_write(LOG_ERR, LOG_SPACE(options->space),
			  "failed to confine this process (seccomp): %s", errno_name(-r));
	} else {
		r = worker_run(worker);
	}
	(void)worker_free(worker);
	return r;
}

int main(int argc, char **argv)
{
	struct options options = {.space = 0, .simulated = false};
	struct kernel *kernel = NULL;
	char name[16];
	int code;
	int r;

	if (parse_options(argc, argv, &options, &code) < 0) {
		return code;
	}
	log_open_stderr(PROGRAM, LOG_INFO);
	if (check_fds(&options) < 0) {
		return EXIT_USAGE;
	}
	ignore_signals();
	(void)snprintf(name, sizeof(name), "spaprd-space-%u", options.space);
	(void)prctl(PR_SET_NAME, name, 0, 0, 0);
	r = open_kernel(&options, &kernel);
	if (r < 0) {
		log_write(LOG_ERR, LOG_SPACE(options.space), "failed to reach the kernel: %s",
			  errno_name(-r));
		return EXIT_FAILURE;
	}
	r = serve(&options, kernel);
	(void)kernel_free(kernel);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
