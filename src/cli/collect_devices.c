/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libfdt.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "cli/collect.h"
#include "common/cleanup.h"
#include "common/names.h"

#define CONFIG_MAX       4096U
#define CONFIG_HEADER    64U /* what anybody may read */
#define CONFIG_LINE      16U
#define TEXT_SIZE        4096U
#define RESOURCE_LINES   17U
#define IOVA_BITS        48 /* where the IOMMU doesn't say */
#define PAGE_SIZES       UINT64_C(0x1000)
#define CAPABILITY_POWER 0x01
#define EXTENDED_SERIAL  0x0003U

enum platform {
	PLATFORM_POWERNV,
	PLATFORM_PSERIES,
	PLATFORM_TYPE1,
};

struct collection {
	FILE *file;
	const struct collect_options *options;
	const void *tree;
	enum platform platform;
	struct collect_summary *summary;
	struct error *error;
};

/* files of sysfs */

/* Text without its last newline; false when it can't be read. */
static bool read_text(const struct collection *collection, char *ret_text, size_t size,
		      const char *format, ...) __attribute__((format(printf, 4, 5)));

static bool read_text(const struct collection *collection, char *ret_text, size_t size,
		      const char *format, ...)
{
	char name[PATH_MAX / 2];
	char path[PATH_MAX];
	cleanup(cleanup_file) FILE *file = NULL;
	va_list arguments;
	size_t length;

	va_start(arguments, format);
	(void)vsnprintf(name, sizeof(name), format, arguments);
	va_end(arguments);
	(void)snprintf(path, sizeof(path), "%s/%s", collection->options->sysfs, name);
	*ret_text = '\0';
	file = fopen(path, "re");
	if (!file) {
		return false;
	}
	length = fread(ret_text, 1, size - 1, file);
	while (length > 0 && ret_text[length - 1] == '\n') {
		length--;
	}
	ret_text[length] = '\0';
	return true;
}

/* The last part of a link's target, "" without one. */
static void read_link(const struct collection *collection, const char *device, const char *link,
		      char ret_name[static NAME_MAX + 1])
{
	char path[PATH_MAX];
	char target[PATH_MAX];
	const char *slash;
	ssize_t length;

	(void)snprintf(path, sizeof(path), "%s/" SYSFS_PCI_DEVICES "/%s/%s",
		       collection->options->sysfs, device, link);
	length = readlink(path, target, sizeof(target) - 1);
	target[length > 0 ? length : 0] = '\0';
	slash = strrchr(target, '/');
	(void)snprintf(ret_name, NAME_MAX + 1, "%s", slash ? slash + 1 : "");
}

static bool exists(const struct collection *collection, const char *device, const char *attribute)
{
	char path[PATH_MAX];

	(void)snprintf(path, sizeof(path), "%s/" SYSFS_PCI_DEVICES "/%s/%s",
		       collection->options->sysfs, device, attribute);
	return access(path, F_OK) == 0;
}

static void put(const struct collection *collection, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* What can't be written, fclose tells. */
static void put(const struct collection *collection, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	(void)vfprintf(collection->file, format, arguments);
	va_end(arguments);
}

static int filter(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

/* the host */

static enum platform find_platform(const void *tree)
{
	int size = 0;
	const char *type = tree ? fdt_getprop(tree, 0, "device_type", &size) : NULL;

	if (tree && fdt_node_check_compatible(tree, 0, "ibm,powernv") == 0) {
		return PLATFORM_POWERNV;
	}
	if (type && size == (int)sizeof("chrp") && memcmp(type, "chrp", sizeof("chrp")) == 0 &&
	    fdt_path_offset(tree, "/rtas") >= 0) {
		return PLATFORM_PSERIES;
	}
	return PLATFORM_TYPE1;
}

static const char *platform_name(enum platform platform)
{
	switch (platform) {
	case PLATFORM_POWERNV:
		return "powernv";
	case PLATFORM_PSERIES:
		return "pseries";
	case PLATFORM_TYPE1:
		return "type1";
	}
	return "type1";
}

/* The simulated host knows two kernels: the nearest of them that isn't newer, or the older one. */
static void put_kernel(const struct collection *collection)
{
	struct utsname name;
	long page_size = sysconf(_SC_PAGESIZE);
	unsigned int major = 0;
	unsigned int minor = 0;

	/* NOLINTNEXTLINE(cert-err34-c): what is no number stays 0 */
	if (uname(&name) < 0 || sscanf(name.release, "%u.%u", &major, &minor) != 2) {
		return;
	}
	put(collection, "# Linux %u.%u\nkernel = %s\n", major, minor,
	    major > 7 || (major == 7 && minor >= 2) ? "7.2" : "6.12");
	put(collection, "page-size = %ld\n", page_size);
}

static int compare_sizes(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a;
	uint64_t right = *(const uint64_t *)b;

	return (left > right) - (left < right);
}

static void put_huge_pages(const struct collection *collection)
{
	char path[PATH_MAX];
	uint64_t sizes[8];
	size_t count = 0;
	struct dirent *entry;
	DIR *directory;

	(void)snprintf(path, sizeof(path), "%s/kernel/mm/hugepages", collection->options->sysfs);
	directory = opendir(path);
	while (directory && (entry = readdir(directory)) &&
	       count < sizeof(sizes) / sizeof(*sizes)) {
		/* NOLINTNEXTLINE(cert-err34-c): the kernel writes these names */
		if (sscanf(entry->d_name, "hugepages-%" SCNu64 "kB", &sizes[count]) == 1) {
			sizes[count++] *= 1024;
		}
	}
	if (directory) {
		(void)closedir(directory);
	}
	put(collection, "huge-pages =%s", count > 0 ? "" : " none");
	qsort(sizes, count, sizeof(*sizes), compare_sizes);
	for (size_t i = 0; i < count; i++) {
		put(collection, " 0x%" PRIx64, sizes[i]);
	}
	put(collection, "\n");
}

/* type1 */

struct region {
	uint64_t first;
	uint64_t last;
	char type[16];
};

/* What an Intel IOMMU says in its capability register; others say it to nobody. */
static void read_iommu(const struct collection *collection, const char *iommu,
		       unsigned int *ret_bits, uint64_t *ret_page_sizes)
{
	char text[64];
	uint64_t capability;

	*ret_bits = IOVA_BITS;
	*ret_page_sizes = PAGE_SIZES;
	if (!read_text(collection, text, sizeof(text), "class/iommu/%s/intel-iommu/cap", iommu) ||
	    /* NOLINTNEXTLINE(cert-err34-c): the kernel writes this number */
	    sscanf(text, "%" SCNx64, &capability) != 1) {
		return;
	}
	*ret_bits = (unsigned int)(capability >> 16 & 63) + 1;
	*ret_page_sizes |= (capability >> 34 & 1) << 21 | (capability >> 35 & 1) << 30;
}

/* The reserved regions of one group, in order as sysfs has them. */
static size_t read_regions(const struct collection *collection, const char *group,
			   struct region *regions, size_t most)
{
	char text[TEXT_SIZE];
	size_t count = 0;
	char *rest = text;
	char *line;

	(void)read_text(collection, text, sizeof(text), SYSFS_IOMMU_GROUPS "/%s/reserved_regions",
			group);
	while (count < most && (line = strsep(&rest, "\n"))) {
		struct region *region = &regions[count];

		/* NOLINTNEXTLINE(cert-err34-c): the kernel writes these numbers */
		if (sscanf(line, "0x%" SCNx64 " 0x%" SCNx64 " %15[a-z-]", &region->first,
			   &region->last, region->type) == 3) {
			count++;
		}
	}
	return count;
}

/* The name of any entry of a directory, the lowest; "" when there is none. */
static void find_first(const struct collection *collection, const char *where,
		       char ret_name[static NAME_MAX + 1])
{
	char path[PATH_MAX];
	struct dirent **entries = NULL;
	int count;

	(void)snprintf(path, sizeof(path), "%s/%s", collection->options->sysfs, where);
	count = scandir(path, &entries, filter, versionsort);
	*ret_name = '\0';
	for (int i = 0; i < count; i++) {
		if (*ret_name == '\0') {
			(void)snprintf(ret_name, NAME_MAX + 1, "%s", entries[i]->d_name);
		}
		free(entries[i]);
	}
	free(entries);
}

static void put_iova_ranges(const struct collection *collection, unsigned int bits,
			    const struct region *regions, size_t count)
{
	uint64_t end = bits < 64 ? (UINT64_C(1) << bits) - 1 : UINT64_MAX;
	uint64_t next = 0;

	put(collection, "iova-ranges =");
	for (size_t i = 0; i < count && regions[i].first <= end; i++) {
		if (regions[i].first > next) {
			put(collection, " 0x%" PRIx64 "-0x%" PRIx64, next, regions[i].first - 1);
		}
		next = regions[i].last + 1 > next ? regions[i].last + 1 : next;
	}
	if (next <= end) {
		put(collection, " 0x%" PRIx64 "-0x%" PRIx64, next, end);
	}
	put(collection, "\n");
}

/* Of all groups alike: what the first says. */
static void put_type1(const struct collection *collection)
{
	struct region regions[32];
	char iommu[NAME_MAX + 1];
	char group[NAME_MAX + 1];
	char type[64];
	unsigned int bits;
	uint64_t page_sizes;
	size_t count;

	find_first(collection, "class/iommu", iommu);
	find_first(collection, SYSFS_IOMMU_GROUPS, group);
	read_iommu(collection, iommu, &bits, &page_sizes);
	count = read_regions(collection, group, regions, sizeof(regions) / sizeof(*regions));
	if (*iommu != '\0') {
		put(collection, "iommu = %s\n", iommu);
	}
	if (read_text(collection, type, sizeof(type), SYSFS_IOMMU_GROUPS "/%s/type", group)) {
		put(collection, "group-type = %s\n", type);
	}
	put(collection, "iommu-page-sizes = 0x%" PRIx64 "\n", page_sizes);
	put_iova_ranges(collection, bits, regions, count);
	put(collection, "reserved-regions =");
	for (size_t i = 0; i < count; i++) {
		put(collection, " 0x%" PRIx64 "-0x%" PRIx64 "/%s", regions[i].first,
		    regions[i].last, regions[i].type);
	}
	put(collection, "\n");
}

static void put_host(const struct collection *collection, bool eeh)
{
	put(collection,
	    "# Collected by spaprctl sim collect. Simulate it with spaprd --simulate=DIRECTORY.\n"
	    "[host]\nplatform = %s\n",
	    platform_name(collection->platform));
	if (collection->options->this_host) {
		put_kernel(collection);
	}
	put_huge_pages(collection);
	if (collection->platform == PLATFORM_TYPE1) {
		put_type1(collection);
	} else {
		put(collection, "eeh = %s\n", eeh ? "yes" : "no");
	}
}

/* config space */

static uint32_t get_32(const uint8_t *config, size_t offset)
{
	return config[offset] | (uint32_t)config[offset + 1] << 8 |
	       (uint32_t)config[offset + 2] << 16 | (uint32_t)config[offset + 3] << 24;
}

/* The device's serial number is often its MAC address. */
static void blank_serial(uint8_t config[static CONFIG_MAX])
{
	size_t offset = 256;

	for (size_t i = 0; i < 480 && offset >= 256 && offset + 12 <= CONFIG_MAX; i++) {
		uint32_t header = get_32(config, offset);

		if (header == 0 || header == UINT32_MAX) {
			return;
		}
		if ((header & 0xffff) == EXTENDED_SERIAL) {
			memset(config + offset + 4, 0, 8);
		}
		offset = header >> 20 & ~3U;
	}
}

/* As it is while it has power: an unused function sleeps. */
static void wake(uint8_t config[static CONFIG_MAX])
{
	size_t offset = config[0x34] & ~3U;

	for (size_t i = 0; i < 48 && (config[0x06] & 0x10) && offset >= 64; i++) {
		if (config[offset] == CAPABILITY_POWER && offset + 8 <= 256) {
			config[offset + 4] &= (uint8_t)~3U;
		}
		offset = config[offset + 1] & ~3U;
	}
}

static bool is_all(const uint8_t *bytes, size_t size, uint8_t value)
{
	for (size_t i = 0; i < size; i++) {
		if (bytes[i] != value) {
			return false;
		}
	}
	return true;
}

static void put_config_lines(const struct collection *collection, const uint8_t *config,
			     size_t size)
{
	for (size_t offset = 0; offset < size; offset += CONFIG_LINE) {
		const uint8_t *line = config + offset;
		size_t end = offset;

		while (end < size && is_all(config + end, CONFIG_LINE, 0xff)) {
			end += CONFIG_LINE;
		}
		if (end > offset + CONFIG_LINE) {
			put(collection, "config-%03zx-%03zx = ff\n", offset, end - 1);
			offset = end - CONFIG_LINE;
		} else if (offset == 0 || !is_all(line, CONFIG_LINE, 0)) {
			put(collection, "config-%03zx =", offset);
			for (size_t i = 0; i < CONFIG_LINE; i++) {
				put(collection, " %02x", line[i]);
			}
			put(collection, "\n");
		}
	}
}

/* Whether it says which device it is: it could be read, and is no virtual function's. */
static bool put_config(const struct collection *collection, const char *device)
{
	cleanup(cleanup_fd) int fd = -1;
	uint8_t config[CONFIG_MAX] = {0};
	struct stat status;
	char path[PATH_MAX];
	ssize_t size;

	(void)snprintf(path, sizeof(path), "%s/" SYSFS_PCI_DEVICES "/%s/config",
		       collection->options->sysfs, device);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	size = fd < 0 ? -1 : read(fd, config, sizeof(config));
	if (size < (ssize_t)CONFIG_HEADER || fstat(fd, &status) < 0) {
		return false;
	}
	/* Without CAP_SYS_ADMIN there is the header alone, and no capabilities to believe in. */
	if (size == (ssize_t)CONFIG_HEADER && status.st_size > (off_t)CONFIG_HEADER) {
		collection->summary->cut++;
		config[0x06] &= (uint8_t)~0x10U;
	}
	wake(config);
	blank_serial(config);
	put(collection, "config-size = %d\n", status.st_size > 256 ? 4096 : 256);
	put_config_lines(collection, config, (size_t)size & ~(size_t)(CONFIG_LINE - 1));
	return (get_32(config, 0) & 0xffff) != 0xffff;
}

/* devices */

static void put_attribute(const struct collection *collection, const char *device,
			  const char *attribute, const char *key)
{
	char text[64];

	if (read_text(collection, text, sizeof(text), SYSFS_PCI_DEVICES "/%s/%s", device,
		      attribute)) {
		put(collection, "%s = %s\n", key, text);
	}
}

static void put_subsystem(const struct collection *collection, const char *device)
{
	char vendor[16];
	char id[16];

	if (read_text(collection, vendor, sizeof(vendor), SYSFS_PCI_DEVICES "/%s/subsystem_vendor",
		      device) &&
	    read_text(collection, id, sizeof(id), SYSFS_PCI_DEVICES "/%s/subsystem_device",
		      device) &&
	    strlen(vendor) == 6 && strlen(id) == 6) {
		put(collection, "subsystem = %s:%s\n", vendor + 2, id + 2);
	}
}

/* The directory that the device's lies in: the bridge's, or the host bridge's ("pci0000:00"). */
static void put_bridge(const struct collection *collection, const char *device)
{
	char path[PATH_MAX];
	char target[PATH_MAX];
	ssize_t length;
	char *slash;

	(void)snprintf(path, sizeof(path), "%s/" SYSFS_PCI_DEVICES "/%s",
		       collection->options->sysfs, device);
	length = readlink(path, target, sizeof(target) - 1);
	target[length > 0 ? length : 0] = '\0';
	slash = strrchr(target, '/');
	if (slash) {
		*slash = '\0';
		slash = strrchr(target, '/');
	}
	put(collection, "bridge = %s\n",
	    slash && strncmp(slash + 1, "pci", 3) != 0 ? slash + 1 : "none");
}

static void put_resources(const struct collection *collection, const char *device)
{
	char text[TEXT_SIZE];
	char *rest = text;
	char *line;

	(void)read_text(collection, text, sizeof(text), SYSFS_PCI_DEVICES "/%s/resource", device);
	for (unsigned int i = 0; i < RESOURCE_LINES && (line = strsep(&rest, "\n")); i++) {
		uint64_t start;
		uint64_t end;
		uint64_t flags;

		/* NOLINTNEXTLINE(cert-err34-c): the kernel writes these numbers */
		if (sscanf(line, "0x%" SCNx64 " 0x%" SCNx64 " 0x%" SCNx64, &start, &end, &flags) ==
			    3 &&
		    flags != 0) {
			put(collection, "resource%u = 0x%" PRIx64 " 0x%" PRIx64 " 0x%" PRIx64 "\n",
			    i, start, end, flags);
		}
	}
}

static void put_place(const struct collection *collection, const char *device)
{
	char name[NAME_MAX + 1];

	put_bridge(collection, device);
	read_link(collection, device, "driver", name);
	put(collection, "driver = %s\n", *name ? name : "none");
	read_link(collection, device, "iommu_group", name);
	put(collection, "group = %s\n", *name ? name : "none");
	collection->summary->grouped += *name != '\0';
	/* On an LPAR this is no PE number. */
	if (collection->platform == PLATFORM_POWERNV) {
		put_attribute(collection, device, "eeh_pe_config_addr", "pe");
	}
}

static void put_device(const struct collection *collection, const char *device)
{
	char text[64];

	put(collection, "\n[device %s]\n", device);
	put_place(collection, device);
	put_subsystem(collection, device);
	put(collection, "reset = %s\n",
	    read_text(collection, text, sizeof(text), SYSFS_PCI_DEVICES "/%s/reset_method", device)
		    ? text
		    : "none");
	put_resources(collection, device);
	/* Quirks of the kernel change what sysfs says; config space and tree have the truth. */
	if (!put_config(collection, device) && collection->platform == PLATFORM_TYPE1) {
		put_attribute(collection, device, "vendor", "vendor");
		put_attribute(collection, device, "device", "device");
	}
	collection->summary->devices++;
}

static void put_devices(const struct collection *collection, struct dirent **entries, int count)
{
	bool eeh = false;

	for (int i = 0; i < count; i++) {
		eeh = eeh || exists(collection, entries[i]->d_name, "eeh_pe_state");
	}
	put_host(collection, eeh);
	for (int i = 0; i < count; i++) {
		const char *name = entries[i]->d_name;

		if (collection->platform != PLATFORM_TYPE1 &&
		    !exists(collection, name, "of_node")) {
			put(collection, "\n# %s is not in the device tree, and left out.\n", name);
			collection->summary->left_out++;
		} else {
			put_device(collection, name);
		}
	}
}

int collect_devices(FILE *file, const struct collect_options *options, const void *tree,
		    struct collect_summary *summary, struct error *error)
{
	struct collection collection = {
		.file = file,
		.options = options,
		.tree = tree,
		.platform = find_platform(tree),
		.summary = summary,
		.error = error,
	};
	struct dirent **entries = NULL;
	char path[PATH_MAX];
	int count;

	(void)snprintf(path, sizeof(path), "%s/" SYSFS_PCI_DEVICES, options->sysfs);
	count = scandir(path, &entries, filter, alphasort);
	if (count < 0) {
		return error_set(error, ERROR_KERNEL, errno, "can't list %s", path);
	}
	put_devices(&collection, entries, count);
	for (int i = 0; i < count; i++) {
		free(entries[i]);
	}
	free(entries);
	return 0;
}
