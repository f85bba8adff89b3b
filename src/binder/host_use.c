/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "binder/host_use.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/names.h"

#define CLASS_BLOCK "class/block"
#define CLASS_NET   "class/net"

/* Disks on disks, and interfaces above interfaces, deeper than anybody stacks them. */
#define DEPTH_MAX 8U

/* RTF_REJECT of linux/route.h: a route that leads nowhere. */
#define ROUTE_REJECT 0x200U

/* What the host is asked for, and what is found. */
struct search {
	const char *sysfs;
	const char *proc;
	const char *device;    /* its name, for messages */
	char folder[PATH_MAX]; /* its own, without links */
	struct error *error;
};

struct path {
	char text[PATH_MAX];
};

static struct path path_of(const char *format, ...) __attribute__((format(printf, 1, 2)));

static struct path path_of(const char *format, ...)
{
	struct path path;
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(path.text, sizeof(path.text), format, arguments);
	va_end(arguments);
	return path;
}

static void cleanup_directory(DIR **directory)
{
	if (*directory) {
		(void)closedir(*directory);
	}
}

/* The next entry but "." and "..", or NULL. */
static const char *next_entry(DIR *directory)
{
	struct dirent *entry;

	do {
		entry = directory ? readdir(directory) : NULL;
	} while (entry && entry->d_name[0] == '.');
	return entry ? entry->d_name : NULL;
}

/* Whether a file of sysfs, wherever its links lead, lies below the device. */
static bool lies_below(const struct search *search, const char *path)
{
	size_t length = strlen(search->folder);
	char real[PATH_MAX];

	return realpath(path, real) && strncmp(real, search->folder, length) == 0 &&
	       real[length] == '/';
}

/* The words of a line, separated by blanks, in place. How many there were, at most `most`. */
static size_t split(char *line, char **ret_words, size_t most)
{
	size_t count = 0;
	char *rest = line;
	char *word;

	while (count < most && (word = strsep(&rest, " \t\n"))) {
		if (*word != '\0') {
			ret_words[count++] = word;
		}
	}
	return count;
}

/* -- disks -- */

/* How a disk may be told of elsewhere. */
struct disk {
	char number[32]; /* "8:1" */
	char node[64];   /* "/dev/sda1" */
	char mapped[96]; /* "/dev/mapper/root"; empty for what is none */
};

static void read_line(const char *path, char *ret_line, size_t size)
{
	cleanup(cleanup_file) FILE *file = fopen(path, "re");

	ret_line[0] = '\0';
	if (file && fgets(ret_line, (int)size, file)) {
		ret_line[strcspn(ret_line, "\n")] = '\0';
	}
}

static struct disk describe_disk(const struct search *search, const char *name)
{
	struct disk disk = {.mapped = ""};
	char mapped[64];

	read_line(path_of("%s/" CLASS_BLOCK "/%s/dev", search->sysfs, name).text, disk.number,
		  sizeof(disk.number));
	(void)snprintf(disk.node, sizeof(disk.node), "/dev/%.48s", name);
	read_line(path_of("%s/" CLASS_BLOCK "/%s/dm/name", search->sysfs, name).text, mapped,
		  sizeof(mapped));
	if (mapped[0] != '\0') {
		(void)snprintf(disk.mapped, sizeof(disk.mapped), "/dev/mapper/%s", mapped);
	}
	return disk;
}

static bool is_node_of(const struct disk *disk, const char *path)
{
	return strcmp(disk->node, path) == 0 ||
	       (disk->mapped[0] != '\0' && strcmp(disk->mapped, path) == 0);
}

static FILE *open_mounts(const struct search *search)
{
	FILE *file = fopen(path_of("%s/1/mountinfo", search->proc).text, "re");

	return file ? file : fopen(path_of("%s/self/mountinfo", search->proc).text, "re");
}

/*
 * "36 35 98:0 /root /mount/point options [fields] - type source options" (proc_pid_mountinfo(5)).
 * The number is not the disk's where a file system has its own, as btrfs: so the source counts,
 * too.
 */
static int check_mounts(const struct search *search, const struct disk *disk)
{
	cleanup(cleanup_file) FILE *file = open_mounts(search);
	char line[4096];

	if (!file) {
		return error_set(search->error, ERROR_KERNEL, errno,
				 "can't see in %s whether a disk of %s is mounted", search->proc,
				 search->device);
	}
	while (fgets(line, sizeof(line), file)) {
		char *words[32];
		size_t count = split(line, words, sizeof(words) / sizeof(*words));
		size_t dash = 6;

		while (dash < count && strcmp(words[dash], "-") != 0) {
			dash++;
		}
		if (count > 4 && (strcmp(words[2], disk->number) == 0 ||
				  (dash + 2 < count && is_node_of(disk, words[dash + 2])))) {
			return error_set(search->error, ERROR_BUSY, 0,
					 "the host uses %s: its disk %s is mounted at %.128s: "
					 "unmount it first",
					 search->device, disk->node, words[4]);
		}
	}
	return 0;
}

static int check_swaps(const struct search *search, const struct disk *disk)
{
	/* A kernel without swap has no such file. */
	cleanup(cleanup_file) FILE *file = fopen(path_of("%s/swaps", search->proc).text, "re");
	char line[4096];

	while (file && fgets(line, sizeof(line), file)) {
		char *words[1];

		if (split(line, words, 1) == 1 && is_node_of(disk, words[0])) {
			return error_set(search->error, ERROR_BUSY, 0,
					 "the host uses %s: its disk %s is a swap: end that by "
					 "swapoff first",
					 search->device, disk->node);
		}
	}
	return 0;
}

static int check_disk(const struct search *search, const char *name, unsigned int depth)
{
	cleanup(cleanup_directory) DIR *holders = NULL;
	const struct disk disk = describe_disk(search, name);
	const char *holder;
	int r = check_mounts(search, &disk);

	r = r ? r : check_swaps(search, &disk);
	if (r || depth == DEPTH_MAX) {
		return r;
	}
	holders = opendir(path_of("%s/" CLASS_BLOCK "/%s/holders", search->sysfs, name).text);
	while (r == 0 && (holder = next_entry(holders))) {
		r = check_disk(search, holder, depth + 1);
	}
	return r;
}

/* With native multipath an NVMe disk lies in its subsystem, which has links to its controllers. */
static bool is_of_subsystem(const struct search *search, const char *path)
{
	cleanup(cleanup_directory) DIR *subsystem = NULL;
	char real[PATH_MAX];
	const char *entry;
	bool found = false;

	if (!realpath(path, real) || !strstr(real, "/nvme-subsystem/")) {
		return false;
	}
	*strrchr(real, '/') = '\0';
	subsystem = opendir(real);
	while (!found && (entry = next_entry(subsystem))) {
		found = lies_below(search, path_of("%s/%s", real, entry).text);
	}
	return found;
}

static int check_disks(const struct search *search)
{
	struct path folder = path_of("%s/" CLASS_BLOCK, search->sysfs);
	cleanup(cleanup_directory) DIR *directory = opendir(folder.text);
	const char *name;
	int r = 0;

	while (r == 0 && (name = next_entry(directory))) {
		struct path path = path_of("%s/%s", folder.text, name);

		if (lies_below(search, path.text) || is_of_subsystem(search, path.text)) {
			r = check_disk(search, name, 0);
		}
	}
	return r;
}

/* -- interfaces -- */

static int refuse_route(const struct search *search, const char *interface, const char *own)
{
	return error_set(
		search->error, ERROR_BUSY, 0,
		"the host uses %s: its interface %s carries the default route%s%s: the host "
		"would lose its network",
		search->device, own, strcmp(own, interface) == 0 ? "" : " of ",
		strcmp(own, interface) == 0 ? "" : interface);
}

/* net/route: Iface Destination Gateway Flags RefCnt Use Metric Mask … */
static bool has_default_route(const struct search *search, const char *interface)
{
	cleanup(cleanup_file) FILE *file = fopen(path_of("%s/net/route", search->proc).text, "re");
	char line[1024];
	bool found = false;

	while (!found && file && fgets(line, sizeof(line), file)) {
		char *words[8];

		found = split(line, words, 8) == 8 && strcmp(words[0], interface) == 0 &&
			strcmp(words[1], "00000000") == 0 && strcmp(words[7], "00000000") == 0;
	}
	return found;
}

/* net/ipv6_route: destination, its length, source, its length, next hop, metric, references, use,
 * flags, interface. */
static bool has_default_route6(const struct search *search, const char *interface)
{
	cleanup(cleanup_file) FILE *file =
		fopen(path_of("%s/net/ipv6_route", search->proc).text, "re");
	char line[1024];
	bool found = false;

	while (!found && file && fgets(line, sizeof(line), file)) {
		char *words[10];

		found = split(line, words, 10) == 10 && strcmp(words[9], interface) == 0 &&
			strspn(words[0], "0") == strlen(words[0]) && strcmp(words[1], "00") == 0 &&
			!(strtoul(words[8], NULL, 16) & ROUTE_REJECT);
	}
	return found;
}

static int check_interface(const struct search *search, const char *interface, const char *own,
			   unsigned int depth);

/* `own` is the device's, interface the one looked at. */
static int check_above(const struct search *search, const char *interface, const char *own,
		       unsigned int depth)
{
	struct path folder = path_of("%s/" CLASS_NET "/%s", search->sysfs, interface);
	cleanup(cleanup_directory) DIR *directory = opendir(folder.text);
	const char *entry;
	int r = 0;

	while (r == 0 && (entry = next_entry(directory))) {
		char target[PATH_MAX];
		ssize_t length;
		const char *slash;

		if (strncmp(entry, "upper_", strlen("upper_")) != 0 &&
		    strcmp(entry, "master") != 0) {
			continue;
		}
		length = readlink(path_of("%s/%s", folder.text, entry).text, target,
				  sizeof(target) - 1);
		target[length > 0 ? length : 0] = '\0';
		slash = strrchr(target, '/');
		if (slash && slash[1] != '\0') {
			r = check_interface(search, slash + 1, own, depth + 1);
		}
	}
	return r;
}

static int check_interface(const struct search *search, const char *interface, const char *own,
			   unsigned int depth)
{
	if (has_default_route(search, interface) || has_default_route6(search, interface)) {
		return refuse_route(search, interface, own);
	}
	return depth < DEPTH_MAX ? check_above(search, interface, own, depth) : 0;
}

static int check_interfaces(const struct search *search)
{
	struct path folder = path_of("%s/" CLASS_NET, search->sysfs);
	cleanup(cleanup_directory) DIR *directory = opendir(folder.text);
	const char *name;
	int r = 0;

	while (r == 0 && (name = next_entry(directory))) {
		if (lies_below(search, path_of("%s/%s", folder.text, name).text)) {
			r = check_interface(search, name, name, 0);
		}
	}
	return r;
}

int host_use_check(const char *sysfs_root, const char *proc, const char *device,
		   struct error *error)
{
	struct search search = {
		.sysfs = sysfs_root,
		.proc = proc,
		.device = device,
		.error = error,
	};
	int r;

	if (!realpath(path_of("%s/" SYSFS_PCI_DEVICES "/%s", sysfs_root, device).text,
		      search.folder)) {
		return error_set(error, ERROR_KERNEL, errno, "can't find %s in sysfs", device);
	}
	r = check_disks(&search);
	return r ? r : check_interfaces(&search);
}
