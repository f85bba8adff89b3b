/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* spaprd-simhost: a simulated host for programs that use the kernel seam. */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/error.h"
#include "common/log.h"
#include "sim/hosts.h"
#include "sim/simhost.h"

#define PROGRAM "spaprd-simhost"

struct command_line {
	const char *host;
	struct simhost_options options;
};

static void print_help(void)
{
	(void)printf(
		"usage: " PROGRAM " [--host HOST] --socket-fd N | --listen PATH\n"
		"\n"
		"Serves a simulated host to programs that speak its protocol.\n\n"
		"  --host HOST     NAME_OR_PATH[,SETTING=VALUE...]: which host to simulate\n"
		"                  (default: " SIM_HOST_DEFAULT
		"); a path is a device tree (.dts, .dtb), a\n"
		"                  device list (.ini) or a directory that \"spaprctl sim collect\" "
		"made\n"
		"                    devices=FILE           the device list for a tree\n"
		"                    memlock=BYTES|own      what a process may lock\n"
		"                    kernel=6.12|7.2        whose behaviour\n"
		"                    page-size=4096|65536   of the host's kernel\n"
		"                    pace=PERCENT           of the time that calls take; 100\n"
		"                    faults=freeze|ignore   what a refused DMA does to its PE\n"
		"  --socket-fd N   a first connection; the program ends when it and all that\n"
		"                  were made from it have closed\n"
		"  --listen PATH   wait for connections at a socket; until SIGTERM or Ctrl-C\n"
		"  --help          this text\n"
		"  --version       the version\n\nHosts:");
	for (size_t i = 0; i < sim_builtin_host_count; i++) {
		(void)printf(" %s", sim_builtin_hosts[i].name);
	}
	(void)printf("\n");
}

/* The number of an fd that is open and a packet socket, or -1. */
static int parse_socket_fd(const char *text)
{
	socklen_t size = sizeof(int);
	char *end;
	int type = 0;
	long fd;

	errno = 0;
	fd = strtol(text, &end, 10);
	if (errno || end == text || *end || fd < 0 || fd > INT_MAX) {
		return -1;
	}
	if (getsockopt((int)fd, SOL_SOCKET, SO_TYPE, &type, &size) < 0 || type != SOCK_SEQPACKET) {
		return -1;
	}
	return (int)fd;
}

/* Returns the exit status to end with at once, or -1 to go on. */
static int parse(int count, char **arguments, struct command_line *line)
{
	static const struct option options[] = {
		{"host", required_argument, NULL, 'H'},
		{"socket-fd", required_argument, NULL, 's'},
		{"listen", required_argument, NULL, 'l'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'v'},
		{NULL, 0, NULL, 0},
	};
	int option;

	while ((option = getopt_long(count, arguments, "", options, NULL)) >= 0) {
		switch (option) {
		case 'H':
			line->host = optarg;
			break;
		case 's':
			line->options.socket_fd = parse_socket_fd(optarg);
			if (line->options.socket_fd < 0) {
				log_error("--socket-fd %s: that is no open packet socket", optarg);
				return SIMHOST_EXIT_USAGE;
			}
			break;
		case 'l':
			line->options.listen_path = optarg;
			break;
		case 'h':
			print_help();
			return EXIT_SUCCESS;
		case 'v':
			(void)printf(PROGRAM " " SPAPRD_VERSION "\n");
			return EXIT_SUCCESS;
		default:
			return SIMHOST_EXIT_USAGE;
		}
	}
	if (optind < count || (line->options.socket_fd < 0 && !line->options.listen_path)) {
		log_error("give --socket-fd or --listen; see --help");
		return SIMHOST_EXIT_USAGE;
	}
	return -1;
}

int main(int count, char **arguments)
{
	struct command_line line = {
		.host = SIM_HOST_DEFAULT,
		.options = {.socket_fd = -1, .listen_path = NULL},
	};
	struct sim_host *host = NULL;
	struct error error;
	int status;
	int r;

	log_open(PROGRAM, LOG_INFO);
	status = parse(count, arguments, &line);
	if (status >= 0) {
		return status;
	}
	if (sim_host_open(line.host, &host, &error) != 0) {
		log_error("--host %s: %s", line.host, error.text);
		return SIMHOST_EXIT_USAGE;
	}
	r = simhost_run(host, &line.options);
	(void)sim_host_free(host);
	if (r < 0) {
		log_error("host %s can't be simulated: %s", line.host, errno_name(-r));
		return SIMHOST_EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}
