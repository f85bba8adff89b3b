/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * spaprd-bind: binds the devices of one group to a driver, or gives them back, and ends. spaprd or
 * systemd starts it as root with one request (common/bind_protocol.h).
 */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "binder/binder.h"
#include "common/error.h"
#include "common/log.h"
#include "common/packet.h"
#include "sim/client.h"

#define PROGRAM "spaprd-bind"

/* Not started as spaprd would. */
#define EXIT_USAGE 2

/* Who connects asks at once. */
#define REQUEST_TIMEOUT 10000 /* milliseconds */

struct options {
	struct binder binder;
	bool simulated;
	const char *user; /* that may ask, besides root and the user that this runs as */
};

static const char usage[] =
	"usage: " PROGRAM " [--state DIR] [--proc DIR] [--user NAME] [--simulated]\n"
	"\n"
	"Binds the devices of a group to a driver, or gives them back: one request, by fd 3.\n"
	"spaprd starts it, or systemd for spaprd.\n"
	"\n"
	"  --state DIR   where it is kept what devices were bound to before (" BIND_STATE_FOLDER
	")\n"
	"  --proc DIR    what stands for /proc\n"
	"  --user NAME   who may ask, besides root\n"
	"  --simulated   use the simulated host behind fd 4\n"
	"  --help        show this help\n"
	"  --version     show the version\n";

/* 0 to go on, or -1 with the exit code. */
static int parse_options(int argc, char **argv, struct options *ret_options, int *ret_exit)
{
	static const struct option known[] = {
		{"state", required_argument, NULL, 's'},
		{"proc", required_argument, NULL, 'p'},
		{"user", required_argument, NULL, 'u'},
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
			ret_options->binder.state = optarg;
			break;
		case 'p':
			ret_options->binder.proc = optarg;
			break;
		case 'u':
			ret_options->user = optarg;
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

static bool may_ask(const char *user)
{
	struct ucred peer = {.uid = (uid_t)-1};
	socklen_t size = sizeof(peer);
	const struct passwd *entry;

	if (getsockopt(BIND_SOCKET_FD, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0) {
		return false;
	}
	if (peer.uid == 0 || peer.uid == geteuid()) {
		return true;
	}
	/* cppcheck-suppress getpwnamCalled; there is one thread */
	entry = user ? getpwnam(user) : NULL;
	return entry && entry->pw_uid == peer.uid;
}

/* Whatever else came along: who waits for a device to be let go must not have it open itself, for
 * that would be for ever (vfio_unregister_group_dev). */
static void close_others(const struct options *options)
{
	(void)close_range(options->simulated ? BIND_SIM_FD + 1 : BIND_SOCKET_FD + 1, ~0U, 0);
}

/* 0 or an exit code. */
static int check_fds(const struct options *options)
{
	if (!packet_adopt_socket(BIND_SOCKET_FD) ||
	    (options->simulated && !packet_adopt_socket(BIND_SIM_FD))) {
		(void)fprintf(stderr, PROGRAM ": this program is started by spaprd\n");
		return EXIT_USAGE;
	}
	if (!may_ask(options->user)) {
		log_write(LOG_WARNING, LOG_NO_OBJECT,
			  "refused a request of another user than spaprd");
		return EXIT_FAILURE;
	}
	return 0;
}

static int receive(struct bind_request *ret_request)
{
	struct pollfd waiting = {.fd = BIND_SOCKET_FD, .events = POLLIN};
	struct packet_fds fds = PACKET_FDS_NONE;
	ssize_t size;

	if (poll(&waiting, 1, REQUEST_TIMEOUT) <= 0) {
		return -ETIMEDOUT;
	}
	size = packet_receive(BIND_SOCKET_FD, ret_request, sizeof(*ret_request), &fds, NULL);
	packet_fds_done(&fds);
	if (size < 0) {
		return (int)size;
	}
	return (size_t)size == sizeof(*ret_request) ? 0 : -EPROTO;
}

static int serve(const struct options *options)
{
	static struct bind_request request;
	static struct bind_answer answer;
	int r = receive(&request);

	if (r < 0) {
		log_write(LOG_ERR, LOG_NO_OBJECT, "no request came: %s", errno_name(-r));
		return r;
	}
	binder_serve(&options->binder, &request, &answer);
	if (answer.code != ERROR_NONE && request.operation != BIND_HOLDERS) {
		log_write(LOG_WARNING, LOG_NO_OBJECT, "%s", answer.text);
	}
	for (uint32_t i = 0; i < answer.result_count; i++) {
		const struct bind_result *result = &answer.results[i];

		log_info("%s: was bound to %s, is bound to %s", result->device,
			 result->from[0] ? result->from : "none",
			 result->to[0] ? result->to : "none");
	}
	r = packet_send(BIND_SOCKET_FD, &answer, sizeof(answer), NULL, 0, NULL, 0);
	if (r < 0) {
		log_write(LOG_ERR, LOG_NO_OBJECT, "failed to answer: %s", errno_name(-r));
	}
	return r;
}

/* Half of a transaction is what nobody wants: only the kernel's own doings end it. */
static void ignore_signals(void)
{
	static const int ignored[] = {SIGTERM, SIGINT, SIGHUP, SIGPIPE};

	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++) {
		(void)signal(ignored[i], SIG_IGN);
	}
}

int main(int argc, char **argv)
{
	struct options options = {.binder = {.state = BIND_STATE_FOLDER, .proc = "/proc"}};
	int code;
	int r;

	if (parse_options(argc, argv, &options, &code) < 0) {
		return code;
	}
	log_open_stderr(PROGRAM, LOG_INFO);
	close_others(&options);
	code = check_fds(&options);
	if (code) {
		return code;
	}
	ignore_signals();
	r = options.simulated ? sim_kernel_new(BIND_SIM_FD, &options.binder.kernel)
			      : kernel_linux_new(&options.binder.kernel);
	if (r < 0) {
		log_write(LOG_ERR, LOG_NO_OBJECT, "failed to reach the kernel: %s", errno_name(-r));
		return EXIT_FAILURE;
	}
	r = serve(&options);
	(void)kernel_free(options.binder.kernel);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
