/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A storm: all PEs of a large simulated host freeze at once, with the reset times of a real one.
 * How much longer all of them take than one, and what an address space feels of it that has nothing
 * to do with any of them.
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "bench/measure.h"
#include "integration/eeh.h"
#include "support/many_pes.h"

#define PES         256U
#define SPACES      8U
#define SINGLES     5U
#define IDLE_MAPS   2000U
#define MAP_PAUSE   1000U /* µs: who maps without a pause measures how it competes with itself */
#define MEMORY_SIZE UINT64_C(0x100000)
#define PAGE        UINT64_C(0x10000)

#define TIME_TARGET 1.2
#define MAP_TARGET  2.0

/* What the kernel's eehd would take: one PE after the other, the last one first
 * (eeh_event_handler). The simulated host's hot reset of an open device, field notes 2a. */
#define RESET_SECONDS 3.87

#define WAIT_SECONDS 600.0

struct storm {
	const struct world *world;
	unsigned int pes;
	unsigned int spaces;
	char *space[MANY_PES_MAX];
	DBusConnection *listener; /* hears each RecoveryDone */
	unsigned int recovered;
	unsigned int given_up;
	/* Who has nothing to do with it: the last PE of the host, in a space of its own. */
	DBusConnection *bystander;
	char *bystanders_space;
};

static void device_of(unsigned int group, char ret_name[static MANY_PES_NAME_SIZE])
{
	many_pes_name_device(group, ret_name);
}

static void open_device_of(const struct storm *storm, unsigned int group)
{
	char path[64];
	char name[MANY_PES_NAME_SIZE];

	device_of(group, name);
	(void)snprintf(path, sizeof(path), BUS_PATH_DEVICE_PREFIX "%s", name);
	for (char *c = path + strlen(BUS_PATH_DEVICE_PREFIX); *c != '\0'; c++) {
		if (*c == ':' || *c == '.') {
			*c = '_';
		}
	}
	/* spaprd keeps it open. */
	dbus_message_unref(call(storm->world->client, path, BUS_INTERFACE_DEVICE, "Open", NULL,
				DBUS_TYPE_INVALID));
}

static void add_group(const struct storm *storm, const char *space, unsigned int group)
{
	char name[MANY_PES_NAME_SIZE];

	device_of(group, name);
	attach(storm->world->client, space, name, NULL);
	open_device_of(storm, group);
}

static void add_memory_to(const struct storm *storm, const char *space)
{
	int fd = memory_new(MEMORY_SIZE);

	(void)add_memory(storm->world->client, space, fd, 0, 0, MEMORY_SIZE, 0, NULL);
	(void)close(fd);
}

static void set_up(struct storm *storm)
{
	DBusError error = DBUS_ERROR_INIT;

	for (unsigned int i = 0; i < storm->spaces; i++) {
		storm->space[i] = space_create(storm->world->client, "storm");
	}
	for (unsigned int i = 0; i < storm->pes; i++) {
		add_group(storm, storm->space[i % storm->spaces], i);
	}
	/* Windows and mappings to be verified. */
	for (unsigned int i = 0; i < storm->spaces; i++) {
		add_memory_to(storm, storm->space[i]);
		map(storm->world->client, storm->space[i], 0, 0, MEMORY_SIZE, PROT_DEVICE_BOTH,
		    NULL);
	}
	storm->bystander = client_open();
	storm->bystanders_space = space_create(storm->bystander, "bystander");
	add_memory_to(storm, storm->bystanders_space);
	add_group(storm, storm->bystanders_space, storm->pes);
	storm->listener = client_open();
	dbus_bus_add_match(storm->listener,
			   "type='signal',interface='" BUS_INTERFACE_PE "',member='RecoveryDone'",
			   &error);
	assert_false(dbus_error_is_set(&error));
}

/* The service closes all address spaces when it ends, and that at the same time. */
static void tear_down(struct storm *storm)
{
	for (unsigned int i = 0; i < storm->spaces; i++) {
		free(storm->space[i]);
	}
	space_close(storm->bystander, storm->bystanders_space);
	client_close(storm->bystander);
	client_close(storm->listener);
}

/* -- what happens -- */

static void freeze_group(const struct storm *storm, uint32_t group)
{
	const char *what = "both";

	dbus_message_unref(call(storm->world->client, BUS_PATH_MANAGER, BUS_INTERFACE_SIMULATOR,
				"Freeze", NULL, DBUS_TYPE_UINT32, &group, DBUS_TYPE_STRING, &what,
				DBUS_TYPE_INVALID));
}

/* Take what has come, and wait so long for something to come. */
static void listen_for(struct storm *storm, int milliseconds)
{
	DBusMessage *message;

	(void)dbus_connection_read_write(storm->listener, milliseconds);
	while ((message = dbus_connection_pop_message(storm->listener))) {
		dbus_bool_t recovered = FALSE;
		dbus_uint32_t event = 0;

		if (dbus_message_is_signal(message, BUS_INTERFACE_PE, "RecoveryDone") &&
		    dbus_message_get_args(message, NULL, DBUS_TYPE_UINT32, &event,
					  DBUS_TYPE_BOOLEAN, &recovered, DBUS_TYPE_INVALID)) {
			storm->recovered += recovered != FALSE;
			storm->given_up += recovered == FALSE;
		}
		dbus_message_unref(message);
	}
}

/* One page in and out again; only the Map counts. In seconds. */
static double map_once(const struct storm *storm)
{
	double began = measure_now();
	double took;

	map(storm->bystander, storm->bystanders_space, 0, 0, PAGE, PROT_DEVICE_BOTH, NULL);
	took = measure_now() - began;
	unmap(storm->bystander, storm->bystanders_space, 0, PAGE, NULL);
	return took;
}

/* Until so many are done; meanwhile the bystander maps, if its times are wanted. */
static double wait_for_all(struct storm *storm, unsigned int count, double began,
			   struct measure *maps)
{
	while (storm->recovered + storm->given_up < count) {
		if (maps) {
			measure_add(maps, map_once(storm));
			(void)usleep(MAP_PAUSE);
		}
		listen_for(storm, maps ? 0 : 100);
		if (measure_now() - began > WAIT_SECONDS) {
			fail_msg("%u of %u PEs are recovered after %.0f s", storm->recovered, count,
				 WAIT_SECONDS);
		}
	}
	return measure_now() - began;
}

static double recover(struct storm *storm, unsigned int first, unsigned int count,
		      struct measure *maps)
{
	double began = measure_now();

	storm->recovered = 0;
	storm->given_up = 0;
	for (unsigned int i = 0; i < count; i++) {
		freeze_group(storm, first + i);
	}
	return wait_for_all(storm, count, began, maps);
}

static bool run(struct storm *storm)
{
	struct measure singles = {.count = 0};
	struct measure idle_maps = {.count = 0};
	struct measure storm_maps = {.count = 0};
	bool good = true;
	double one;
	double all;

	for (unsigned int i = 0; i < IDLE_MAPS; i++) {
		measure_add(&idle_maps, map_once(storm));
		(void)usleep(MAP_PAUSE);
	}
	/* Each time another one: all have the same budget. */
	for (unsigned int i = 0; i < SINGLES; i++) {
		measure_add(&singles, recover(storm, i * 7 % storm->pes, 1, NULL));
		good = good && storm->given_up == 0;
	}
	one = measure_quantile(&singles, 0.5);
	all = recover(storm, 0, storm->pes, &storm_maps);
	(void)measure_show("pes", storm->pes, "-", 0);
	(void)measure_show("spaces", storm->spaces, "-", 0);
	(void)measure_show("one", one, "s", 0);
	(void)measure_show("one-least", measure_quantile(&singles, 0), "s", 0);
	(void)measure_show("one-most", measure_quantile(&singles, 1), "s", 0);
	(void)measure_show("all", all, "s", 0);
	(void)measure_show("kernel-one-by-one", storm->pes * RESET_SECONDS, "s", 0);
	good = measure_show("all-by-one", all / one, "x", TIME_TARGET) && good;
	/* A target of nearly nothing: each of them counts. */
	good = measure_show("given-up", storm->given_up, "-", 0.5) && good;
	(void)measure_show("map-idle", measure_quantile(&idle_maps, 0.5) * 1e6, "us", 0);
	(void)measure_show("map-storm", measure_quantile(&storm_maps, 0.5) * 1e6, "us", 0);
	(void)measure_show("map-storm-p99", measure_quantile(&storm_maps, 0.99) * 1e6, "us", 0);
	good = measure_show("map-storm-by-idle",
			    measure_quantile(&storm_maps, 0.5) / measure_quantile(&idle_maps, 0.5),
			    "x", MAP_TARGET) &&
	       good;
	measure_done(&singles);
	measure_done(&idle_maps);
	measure_done(&storm_maps);
	return good;
}

/* -- the start -- */

static unsigned int parse_number(const char *text, unsigned int most)
{
	char *end = NULL;
	unsigned long number = strtoul(text, &end, 10);

	if (*text == '\0' || *end != '\0' || number < 1 || number > most) {
		(void)fprintf(stderr, "bench-storm: \"%s\" is not a number from 1 to %u\n", text,
			      most);
		exit(2);
	}
	return (unsigned int)number;
}

static void parse(struct storm *storm, int argc, char **argv)
{
	static const struct option known[] = {
		{"pes", required_argument, NULL, 'p'},
		{"spaces", required_argument, NULL, 's'},
		{NULL, 0, NULL, 0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "", known, NULL)) >= 0) {
		switch (option) {
		case 'p':
			storm->pes = parse_number(optarg, MANY_PES_MAX - 1);
			break;
		case 's':
			storm->spaces = parse_number(optarg, MANY_PES_MAX - 1);
			break;
		default:
			(void)fprintf(stderr, "usage: bench-storm [--pes N] [--spaces N]\n");
			exit(2);
		}
	}
	if (storm->spaces > storm->pes) {
		storm->spaces = storm->pes;
	}
}

static void remove_host(const char *folder)
{
	static const char *const files[] = {"tree.dts", "devices.ini"};
	char path[64];

	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", folder, files[i]);
		(void)unlink(path);
	}
	(void)rmdir(folder);
}

/* Each address space has a few fds in the service. */
static void raise_fd_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
}

int main(int argc, char **argv)
{
	static struct storm storm = {.pes = PES, .spaces = SPACES};
	char folder[] = "/tmp/bench-storm-XXXXXX";
	char host[64];
	void *state = NULL;
	bool good;

	parse(&storm, argc, argv);
	raise_fd_limit();
	/* One more, for who has nothing to do with it. */
	if (!mkdtemp(folder) || many_pes_write(folder, storm.pes + 1) < 0) {
		(void)fprintf(stderr, "bench-storm: no host\n");
		return EXIT_FAILURE;
	}
	(void)snprintf(host, sizeof(host), "%s,pace=100,faults=ignore", folder);
	if (world_start_on(&state, host) < 0) {
		(void)fprintf(stderr, "bench-storm: no service\n");
		remove_host(folder);
		return EXIT_FAILURE;
	}
	storm.world = state;
	set_up(&storm);
	good = run(&storm);
	tear_down(&storm);
	if (world_stop(&state) < 0) {
		good = false;
	}
	remove_host(folder);
	return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
