/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/sim_hosts.h"

#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "sim/host.h"
#include "sim/hosts.h"

static const char *platform_name(enum sim_platform platform)
{
	switch (platform) {
	case SIM_POWERNV:
		return "bare-metal POWER";
	case SIM_PSERIES:
		return "POWER partition (LPAR)";
	case SIM_TYPE1:
		return "type1 IOMMU";
	}
	return "";
}

/* Groups that a program could open: one of their devices is bound to vfio-pci. */
static size_t count_nodes(const struct sim_host *host)
{
	size_t count = 0;

	for (size_t group = 0; group < host->pe_count; group++) {
		bool has_node = false;

		for (size_t i = 0; i < host->device_count; i++) {
			has_node =
				has_node || (host->devices[i].group == (int)group &&
					     strcmp(host->devices[i].driver, SIM_DRIVER_VFIO) == 0);
		}
		count += has_node;
	}
	return count;
}

static void print_host(const struct sim_host *host)
{
	(void)printf("%-10s %s, %u KiB pages, %zu groups, %zu of them with a node", host->name,
		     platform_name(host->platform), 1U << (host->page_shift - 10), host->pe_count,
		     count_nodes(host));
	for (size_t i = 0; i < host->device_count; i++) {
		if (strcmp(host->devices[i].driver, SIM_DRIVER_VFIO) == 0) {
			(void)printf("; %s and others", host->devices[i].name);
			break;
		}
	}
	(void)printf("\n");
}

static enum cli_status run(int argc, char **argv)
{
	static const struct option table[] = {
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	int choice = getopt_long(argc, argv, "", table, NULL);

	if (choice == 'h') {
		(void)fputs(sim_hosts_command.help, stdout);
		return CLI_OK;
	}
	if (choice != -1) {
		return cli_refuse_option("sim hosts", argv);
	}
	if (optind < argc) {
		return cli_refuse("sim hosts", "\"%s\" is too much", argv[optind]);
	}
	for (size_t i = 0; i < sim_builtin_host_count; i++) {
		struct sim_host *host = NULL;
		struct error error;

		if (sim_host_open(sim_builtin_hosts[i].name, &host, &error)) {
			(void)fprintf(stderr, "spaprctl: %s\n", error.text);
			return CLI_FAILED;
		}
		print_host(host);
		host = sim_host_free(host);
	}
	return CLI_OK;
}

const struct cli_command sim_hosts_command = {
	.name = "hosts",
	.summary = "list the simulated hosts that are built in",
	.help = "usage: spaprctl sim hosts\n"
		"\n"
		"Lists the simulated hosts that are built in. They are for \"spaprd "
		"--simulate=HOST\"\n"
		"and \"spaprctl sim exec --host HOST\". Instead of a name, HOST can be a path: of "
		"a\n"
		"device tree, a device list, or a directory with both (see \"spaprctl sim "
		"collect\").\n"
		"Settings follow, each after a comma:\n"
		"\n"
		"  devices=FILE              the device list for a device tree\n"
		"  memlock=BYTES|own         what a process may lock, or: its own RLIMIT_MEMLOCK\n"
		"  kernel=6.12|7.2           which kernel the host is to behave like\n"
		"  page-size=4096|65536      of its kernel\n"
		"  pace=PERCENT              of the time that slow calls take on a real one\n"
		"  faults=freeze|ignore      whether a DMA that goes wrong freezes its PE\n"
		"\n"
		"Example: spaprctl sim exec --host powernv8,pace=0,page-size=65536 -- ls "
		"/dev/vfio\n",
	.run = run,
};
