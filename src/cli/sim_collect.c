/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/sim_collect.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/collect.h"
#include "common/cleanup.h"

#define COMMAND           "sim collect"
#define SYSFS             "/sys"
#define DEFAULT_DIRECTORY "spaprd-host"

/* the files */

struct files {
	char tree[PATH_MAX];
	char devices[PATH_MAX];
	bool made_directory;
	bool made_tree;
	bool made_devices;
};

static int write_error(struct error *error, const char *path)
{
	return errno == EEXIST ? error_set(error, ERROR_INVALID_ARGUMENT, errno,
					   "%s is there, and no file is overwritten", path)
			       : error_set(error, ERROR_KERNEL, errno, "can't write %s", path);
}

static FILE *create_file(const char *path, bool *made)
{
	cleanup(cleanup_fd) int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	FILE *file;

	if (fd < 0) {
		return NULL;
	}
	*made = true;
	file = fdopen(fd, "w");
	if (file) {
		(void)steal_fd(&fd);
	}
	return file;
}

static int write_tree(struct files *files, const void *tree, size_t size, struct error *error)
{
	FILE *file = create_file(files->tree, &files->made_tree);
	bool written;

	if (!file) {
		return write_error(error, files->tree);
	}
	written = fwrite(tree, 1, size, file) == size;
	written = fclose(file) == 0 && written;
	return written ? 0 : write_error(error, files->tree);
}

static int write_devices(struct files *files, const struct collect_options *options,
			 const void *tree, struct collect_summary *summary, struct error *error)
{
	FILE *file = create_file(files->devices, &files->made_devices);
	int r;

	if (!file) {
		return write_error(error, files->devices);
	}
	r = collect_devices(file, options, tree, summary, error);
	if (ferror(file) | (fclose(file) != 0)) {
		return r ? r : write_error(error, files->devices);
	}
	return r;
}

static int write_all(struct files *files, const struct collect_options *options,
		     struct collect_summary *summary, struct error *error)
{
	cleanup(cleanup_free) void *tree = NULL;
	size_t size = 0;
	int r = collect_tree(options->sysfs, &tree, &size, &summary->rebuilt_tree, error);

	if (r) {
		return r;
	}
	if (mkdir(options->directory, 0777) == 0) {
		files->made_directory = true;
	} else if (errno != EEXIST) {
		return write_error(error, options->directory);
	}
	summary->has_tree = tree != NULL;
	r = tree ? write_tree(files, tree, size, error) : 0;
	return r ? r : write_devices(files, options, tree, summary, error);
}

int collect_host(const struct collect_options *options, struct collect_summary *ret_summary,
		 struct error *error)
{
	struct collect_summary summary = {.devices = 0};
	struct files files = {.made_directory = false};
	int r;

	(void)snprintf(files.tree, sizeof(files.tree), "%s/" COLLECT_TREE, options->directory);
	(void)snprintf(files.devices, sizeof(files.devices), "%s/" COLLECT_DEVICES,
		       options->directory);
	r = write_all(&files, options, &summary, error);
	if (r) {
		if (files.made_tree) {
			(void)unlink(files.tree);
		}
		if (files.made_devices) {
			(void)unlink(files.devices);
		}
		if (files.made_directory) {
			(void)rmdir(options->directory);
		}
		return r;
	}
	*ret_summary = summary;
	return 0;
}

/* the command */

static void print_summary(const struct collect_options *options,
			  const struct collect_summary *summary)
{
	(void)printf("%s: %zu PCI functions%s\n", options->directory, summary->devices,
		     summary->has_tree ? " and the device tree" : ", and no device tree here");
	if (summary->rebuilt_tree) {
		(void)printf("The tree was made from " SYSFS "/firmware/devicetree, for "
			     "firmware/fdt can't be read or lacks a device.\n");
	}
	if (summary->left_out > 0) {
		(void)printf("%zu functions are not in the device tree, and left out.\n",
			     summary->left_out);
	}
	if (summary->cut > 0) {
		(void)printf("Of %zu functions only the header of the config space could be "
			     "read; run this as root.\n",
			     summary->cut);
	}
	if (!summary->has_tree && summary->grouped == 0) {
		(void)printf("None of them is in an IOMMU group, so this can't be simulated: is "
			     "the IOMMU off?\n");
		return;
	}
	(void)printf("Look through both files before you give them away. Simulate the host with\n"
		     "  spaprd --simulate=%s%s\n",
		     strchr(options->directory, '/') ? "" : "./", options->directory);
}

static enum cli_status run(const struct collect_options *options)
{
	struct collect_summary summary;
	struct error error;

	if (collect_host(options, &summary, &error) != 0) {
		(void)fprintf(stderr, "spaprctl: %s\n", error.text);
		return CLI_FAILED;
	}
	print_summary(options, &summary);
	return CLI_OK;
}

enum cli_status sim_collect_run(int argc, char **argv)
{
	static const struct option long_options[] = {
		{"output", required_argument, NULL, 'o'},
		{"sysfs", required_argument, NULL, 's'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	struct collect_options options = {
		.sysfs = SYSFS,
		.directory = DEFAULT_DIRECTORY,
		.this_host = true,
	};
	int choice;

	opterr = 0;
	while ((choice = getopt_long(argc, argv, "o:", long_options, NULL)) >= 0) {
		switch (choice) {
		case 'o':
			options.directory = optarg;
			break;
		case 's':
			options.sysfs = optarg;
			options.this_host = false;
			break;
		default:
			return cli_handle_option(&sim_collect_command, choice, argv);
		}
	}
	if (optind < argc) {
		return cli_refuse(COMMAND, "\"%s\" is one argument too many", argv[optind]);
	}
	if (*options.directory == '\0' || strchr(options.directory, ',')) {
		return cli_refuse(COMMAND,
				  "-o \"%s\": a directory without commas in its name is "
				  "wanted",
				  options.directory);
	}
	return run(&options);
}

const struct cli_command sim_collect_command = {
	.name = "collect",
	.summary = "capture this host, to be simulated elsewhere",
	.help = "usage: spaprctl sim collect [-o DIRECTORY] [--sysfs ROOT]\n"
		"\n"
		"Captures what a simulated host is made from: the device tree (" COLLECT_TREE
		") and a\n"
		"list of the PCI functions with drivers, groups, BARs and config space\n"
		"(" COLLECT_DEVICES "). Run it as root, who can read all of both.\n\n"
		"Serial numbers, UUIDs, MAC addresses and world wide names, vital product data "
		"and\n"
		"the kernel's command line are blanked; what the machine is made of stays.\n\n"
		"  -o, --output DIRECTORY  where the files go (default: " DEFAULT_DIRECTORY
		"); none is\n"
		"                          overwritten\n"
		"      --sysfs ROOT        what to read instead of " SYSFS "\n"
		"      --help              this text\n\n"
		"Example: spaprctl sim collect -o lab && spaprd --simulate=./lab\n",
	.run = sim_collect_run,
};
