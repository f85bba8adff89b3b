/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* spaprd: the broker. */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>

#include "broker/hotplug.h"
#include "broker/manager.h"
#include "broker/programs.h"
#include "broker/simulator.h"
#include "common/cleanup.h"
#include "common/fd_limit.h"
#include "common/log.h"
#include "common/names.h"
#include "dbus/service.h"
#include "sim/client.h"
#include "sim/launch.h"

#define EXIT_USAGE         2
#define POLICY_FOLDERS_MAX 16U

/* A host that runs already, by the socket at which it listens: "unix:/run/host.sock". */
#define HOST_SOCKET "unix:"

struct options {
	bool simulate;
	const char *host; /* NULL: the simulator's default */
	bool verbose;
	const char *policy_paths[POLICY_FOLDERS_MAX];
	struct policy_folders policies; /* none: the system's */
};

/* Everything that main sets up, in this order, and tears down in the reverse one. */
struct broker {
	sd_event *event;
	pid_t simhost; /* 0 on a real host */
	struct kernel *kernel;
	struct simulator *simulator;
	struct manager *manager;
	struct hotplug *hotplug; /* NULL: the kernel doesn't tell */
	struct bus *bus;
	struct service *service;
	char worker_program[PATH_MAX];
};

static void print_usage(FILE *file)
{
	(void)fprintf(
		file,
		"usage: spaprd [--simulate[=HOST]] [--policy-dir DIR]... [--verbose]\n"
		"\n"
		"Manages the VFIO DMA windows of this host for programs on the system bus.\n"
		"\n"
		"  --simulate[=HOST]  on a simulated host instead: powernv8, powernv9 (the\n"
		"                     default), powernv10, pseries, x86, or a path; see\n"
		"                     spaprd-simhost(8); \"unix:PATH\": the one that listens\n"
		"                     there\n"
		"  --policy-dir DIR   read the policies from there and not from where they are,\n"
		"                     see spaprd.conf(5); several in that order\n"
		"  --verbose          log what is done, not only what goes wrong\n"
		"  --version\n"
		"  --help\n"
		"\n"
		"DBUS_SYSTEM_BUS_ADDRESS names another bus than the system's.\n");
}

/* Returns false when there are too many. */
static bool add_policy_folder(struct options *options, const char *path)
{
	if (options->policies.count == POLICY_FOLDERS_MAX) {
		(void)fprintf(stderr, "spaprd: there are more than %u folders of policies\n",
			      POLICY_FOLDERS_MAX);
		return false;
	}
	options->policy_paths[options->policies.count++] = path;
	options->policies.paths = options->policy_paths;
	options->policies.must_exist = true;
	return true;
}

/* Returns false when the program is to end with *ret_status. */
static bool read_options(int argc, char **argv, struct options *options, int *ret_status)
{
	static const struct option table[] = {
		{"simulate", optional_argument, NULL, 's'},
		{"policy-dir", required_argument, NULL, 'p'},
		{"verbose", no_argument, NULL, 'v'},
		{"version", no_argument, NULL, 'V'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	int choice;

	while ((choice = getopt_long(argc, argv, "", table, NULL)) != -1) {
		switch (choice) {
		case 's':
			options->simulate = true;
			options->host = optarg;
			break;
		case 'p':
			if (!add_policy_folder(options, optarg)) {
				*ret_status = EXIT_USAGE;
				return false;
			}
			break;
		case 'v':
			options->verbose = true;
			break;
		case 'V':
			(void)printf("spaprd " SPAPRD_VERSION "\n");
			*ret_status = EXIT_SUCCESS;
			return false;
		case 'h':
			print_usage(stdout);
			*ret_status = EXIT_SUCCESS;
			return false;
		default:
			print_usage(stderr);
			*ret_status = EXIT_USAGE;
			return false;
		}
	}
	if (optind < argc) {
		(void)fprintf(stderr, "spaprd: \"%s\" is not an option\n", argv[optind]);
		print_usage(stderr);
		*ret_status = EXIT_USAGE;
		return false;
	}
	return true;
}

static int fail(int r, const char *what)
{
	log_error("%s: %s", what, errno_name(-r));
	return r;
}

/* -- the kernel -- */

static int handle_simhost_exit(sd_event_source *source, const siginfo_t *info, void *userdata)
{
	struct broker *broker = userdata;

	(void)source;
	log_error("the simulated host ended (%s %d)",
		  info->si_code == CLD_EXITED ? "exit status" : "signal", info->si_status);
	broker->simhost = 0;
	return sd_event_exit(broker->event, EXIT_FAILURE);
}

static void handle_simulator_lost(void *userdata)
{
	struct broker *broker = userdata;

	log_error("the simulated host does not answer any more");
	(void)sd_event_exit(broker->event, EXIT_FAILURE);
}

/* A simulated host of our own, which ends with us. */
static int launch_host(struct broker *broker, const char *host, int *ret_connection)
{
	char program[PATH_MAX];
	int r = program_find("spaprd-simhost", ENV_SIMHOST, program);

	if (r < 0) {
		return fail(r, "can't find spaprd-simhost");
	}
	r = sim_launch(program, host, ret_connection, &broker->simhost);
	if (r == -ENODEV) {
		/* It has said why. */
		log_error("the simulated host \"%s\" can't be had", host);
		return r;
	}
	if (r < 0) {
		return fail(r, "can't start the simulated host");
	}
	r = sd_event_add_child(broker->event, NULL, broker->simhost, WEXITED, handle_simhost_exit,
			       broker);
	if (r < 0) {
		(void)fd_close(*ret_connection);
		return fail(r, "can't watch the simulated host");
	}
	return 0;
}

static int start_simulated(struct broker *broker, const char *host)
{
	int connection = -1;
	int r;

	if (host && strncmp(host, HOST_SOCKET, strlen(HOST_SOCKET)) == 0) {
		r = sim_connect(host + strlen(HOST_SOCKET), &connection);
		if (r < 0) {
			return fail(r, host);
		}
	} else {
		r = launch_host(broker, host, &connection);
		if (r < 0) {
			return r;
		}
	}
	r = sim_kernel_new(connection, &broker->kernel);
	if (r < 0) {
		return fail(r, "can't use the simulated host");
	}
	r = simulator_new(broker->event, broker->kernel, handle_simulator_lost, broker,
			  &broker->simulator);
	return r < 0 ? fail(r, "can't reach the simulated host's verbs") : 0;
}

static int start_kernel(struct broker *broker, const struct options *options)
{
	int r;

	if (options->simulate) {
		return start_simulated(broker, options->host);
	}
	r = kernel_linux_new(&broker->kernel);
	return r < 0 ? fail(r, "can't use the kernel") : 0;
}

/* -- the bus -- */

static void handle_disconnected(struct bus *bus, void *userdata)
{
	struct broker *broker = userdata;

	(void)bus;
	log_error("the bus closed the connection: ending");
	(void)sd_event_exit(broker->event, EXIT_FAILURE);
}

static int start_bus(struct broker *broker)
{
	struct error error;
	int r = bus_connect_system(broker->event, &broker->bus);

	if (r < 0) {
		return fail(r, "can't connect to the system bus");
	}
	bus_set_disconnected(broker->bus, handle_disconnected, broker);
	r = service_new(broker->bus, broker->manager, broker->simulator, &broker->service);
	if (r < 0) {
		return fail(r, "can't put the objects on the bus");
	}
	if (bus_request_name(broker->bus, BUS_NAME, &error)) {
		log_error("%s", error.text);
		return -EBUSY;
	}
	return 0;
}

/* -- the whole -- */

/* Without it everything works but what it does. */
static void start_hotplug(struct broker *broker)
{
	struct error error;

	if (hotplug_new(broker->manager, &broker->hotplug, &error)) {
		log_error("devices that come and go will not be noticed: %s", error.text);
	}
}

static int handle_signal(sd_event_source *source, const struct signalfd_siginfo *info,
			 void *userdata)
{
	struct broker *broker = userdata;

	(void)source;
	log_info("signal %u: closing all address spaces", info->ssi_signo);
	(void)sd_notify(0, "STOPPING=1");
	manager_stop(broker->manager);
	return 0;
}

static int start_event(struct broker *broker)
{
	sigset_t signals;
	int r;

	/* SIGCHLD as well: children are noticed through the event loop. */
	(void)sigemptyset(&signals);
	(void)sigaddset(&signals, SIGTERM);
	(void)sigaddset(&signals, SIGINT);
	(void)sigaddset(&signals, SIGCHLD);
	(void)sigprocmask(SIG_BLOCK, &signals, NULL);
	r = sd_event_new(&broker->event);
	if (r < 0) {
		return r;
	}
	r = sd_event_add_signal(broker->event, NULL, SIGTERM, handle_signal, broker);
	if (r < 0) {
		return r;
	}
	return sd_event_add_signal(broker->event, NULL, SIGINT, handle_signal, broker);
}

static int start(struct broker *broker, const struct options *options)
{
	struct error error;
	int r = fd_limit_raise();

	if (r < 0) {
		return fail(r, "can't raise the limit of open files");
	}
	r = start_event(broker);
	if (r < 0) {
		return fail(r, "can't make an event loop");
	}
	r = program_find("spaprd-worker", ENV_WORKER, broker->worker_program);
	if (r < 0) {
		return fail(r, "can't find spaprd-worker");
	}
	r = start_kernel(broker, options);
	if (r < 0) {
		return r;
	}
	if (manager_new(broker->event, broker->kernel, options->simulate, broker->worker_program,
			&broker->manager, &error)) {
		log_error("%s", error.text);
		return -EIO;
	}
	if (manager_use_policies(broker->manager,
				 options->policies.count > 0 ? &options->policies
							     : &policy_system_folders,
				 &error)) {
		log_error("%s", error.text);
		return -EINVAL;
	}
	start_hotplug(broker);
	return start_bus(broker);
}

static void stop(struct broker *broker)
{
	broker->hotplug = hotplug_free(broker->hotplug);
	broker->service = service_free(broker->service);
	broker->bus = bus_free(broker->bus);
	broker->manager = manager_free(broker->manager);
	broker->simulator = simulator_free(broker->simulator);
	broker->kernel = kernel_free(broker->kernel);
	if (broker->simhost > 0) {
		/* It ends, and takes its sysfs tree along, when the last worker has let go of it.
		 */
		(void)waitpid(broker->simhost, NULL, 0);
	}
	broker->event = sd_event_unref(broker->event);
}

int main(int argc, char **argv)
{
	struct options options = {.simulate = false};
	struct broker broker = {.simhost = 0};
	int status = EXIT_SUCCESS;

	if (!read_options(argc, argv, &options, &status)) {
		return status;
	}
	log_open("spaprd", options.verbose ? LOG_DEBUG : LOG_INFO);
	if (start(&broker, &options) < 0) {
		stop(&broker);
		return EXIT_FAILURE;
	}
	log_info(SPAPRD_VERSION " on a %s%s host with %zu groups, name " BUS_NAME,
		 options.simulate ? "simulated " : "",
		 host_kind_name(broker.manager->topology->kind), broker.manager->group_count);
	(void)sd_notify(0, "READY=1");
	status = sd_event_loop(broker.event);
	stop(&broker);
	return status < 0 ? EXIT_FAILURE : status;
}
