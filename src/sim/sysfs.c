/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/sysfs.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/names.h"
#include "sim/protocol.h"
#include "sim/sysfs_private.h"

/* drivers */

static void add_driver_directory(struct sysfs_builder *builder, const char *driver)
{
	static const char *const triggers[] = {"bind", "unbind", "new_id", "remove_id", "uevent"};
	struct sysfs_path path = sysfs_path(PCI_DRIVERS "/%s", driver);

	if (faccessat(builder->root, path.text, F_OK, 0) < 0) {
		sysfs_add_directory(builder, path.text);
		sysfs_add_triggers(builder, path.text, triggers,
				   sizeof(triggers) / sizeof(*triggers));
	}
}

static bool has_vfio(const struct sim_device *device)
{
	return strcmp(device->driver, SIM_DRIVER_VFIO) == 0;
}

/* How many devices before this one vfio-pci was bound to. */
static unsigned int vfio_number(const struct sim_host *host, size_t index)
{
	unsigned int number = 0;

	for (size_t i = 0; i < index; i++) {
		number += has_vfio(&host->devices[i]);
	}
	return number;
}

static void add_driver(struct sysfs_builder *builder, const struct sim_device *device,
		       const char *name, unsigned int number, const char *directory)
{
	struct sysfs_path driver = sysfs_path(PCI_DRIVERS "/%s", name);

	if (*name == '\0') {
		return;
	}
	add_driver_directory(builder, name);
	sysfs_add_link(builder, directory, "driver", driver.text);
	sysfs_add_link(builder, driver.text, device->name, directory);
	if (strcmp(name, SIM_DRIVER_VFIO) == 0) {
		sysfs_add_directory(builder,
				    sysfs_path("%s/vfio-dev/vfio%u", directory, number).text);
	}
}

/* The name of the driver that the tree says a device has; "" for none. */
static struct sysfs_path driver_in_tree(const struct sysfs_builder *builder,
					const struct sim_host *host,
					const struct sim_device *device)
{
	struct sysfs_path link = sysfs_path("%s/driver", sysfs_device_path(host, device).text);
	struct sysfs_path target;
	ssize_t length = readlinkat(builder->root, link.text, target.text, sizeof(target.text) - 1);
	const char *slash;

	if (length < 0) {
		return sysfs_path("%s", "");
	}
	target.text[length] = '\0';
	slash = strrchr(target.text, '/');
	return sysfs_path("%s", slash ? slash + 1 : target.text);
}

static void remove_driver(struct sysfs_builder *builder, const char *root,
			  const struct sim_host *host, const struct sim_device *device)
{
	struct sysfs_path path = sysfs_device_path(host, device);
	struct sysfs_path driver = driver_in_tree(builder, host, device);

	if (*driver.text != '\0') {
		sysfs_remove(builder,
			     sysfs_path(PCI_DRIVERS "/%s/%s", driver.text, device->name).text);
		sysfs_remove(builder, sysfs_path("%s/driver", path.text).text);
		sysfs_remove_tree(root, sysfs_path("%s/vfio-dev", path.text).text);
	}
}

/* groups, their nodes and their IOMMUs */

static void add_group(struct sysfs_builder *builder, const struct sim_host *host, int number)
{
	struct sysfs_path group = sysfs_path(SYSFS_IOMMU_GROUPS "/%d", number);
	const struct sim_pe *pe = &host->pes[number];

	sysfs_add_directory(builder, sysfs_path("%s/devices", group.text).text);
	if (host->platform == SIM_TYPE1) {
		sysfs_add_text(builder, group.text, "type", "%s\n", host->group_type);
		sysfs_add_text(builder, group.text, "reserved_regions", "%s",
			       host->reserved_regions);
		return;
	}
	/* iommu_register_group of arch/powerpc/kernel/iommu.c */
	sysfs_add_text(builder, group.text, "name", "domain%u-pe%x\n", host->phbs[pe->phb].number,
		       pe->number);
	sysfs_add_text(builder, group.text, "type", "unknown\n");
	sysfs_add_text(builder, group.text, "reserved_regions", "%s", "");
}

static void add_vfio_node(struct sysfs_builder *builder, int group)
{
	struct sysfs_path node = sysfs_path(VIRTUAL_VFIO "/%d", group);
	struct sysfs_path name = sysfs_path("%d", group);

	sysfs_add_directory(builder, node.text);
	sysfs_add_directory(builder, CLASS_VFIO);
	sysfs_add_text(builder, node.text, "dev", "%d:%d\n", VFIO_NODE_MAJOR, group);
	sysfs_add_text(builder, node.text, "uevent", "MAJOR=%d\nMINOR=%d\nDEVNAME=vfio/%d\n",
		       VFIO_NODE_MAJOR, group, group);
	sysfs_add_link(builder, node.text, "subsystem", CLASS_VFIO);
	sysfs_add_link(builder, CLASS_VFIO, name.text, node.text);
}

/* On POWER there is one for each PHB, whatever lies below it. */
static void add_iommu(struct sysfs_builder *builder, const char *name)
{
	struct sysfs_path directory = sysfs_path(VIRTUAL_IOMMU "/%s", name);

	sysfs_add_directory(builder, CLASS_IOMMU);
	sysfs_add_directory(builder, sysfs_path("%s/devices", directory.text).text);
	sysfs_add_text(builder, directory.text, "uevent", "%s", "");
	sysfs_add_link(builder, directory.text, "subsystem", CLASS_IOMMU);
	sysfs_add_link(builder, CLASS_IOMMU, name, directory.text);
}

/* An Intel IOMMU's capability register, as far as the host says what it can do: the width of
 * addresses, and whether it has pages of 2 MiB and 1 GiB. The rest is an emulated one's. */
static void add_intel_registers(struct sysfs_builder *builder, const struct sim_host *host)
{
	struct sysfs_path directory = sysfs_path(VIRTUAL_IOMMU "/%s/intel-iommu", host->iommu);
	uint64_t last = host->iova_ranges[host->iova_range_count - 1].last;
	uint64_t sizes = host->phb_count > 0 ? host->phbs[0].page_sizes : 0;
	uint64_t capability = UINT64_C(0xd2008022000686);
	unsigned int width = 0;

	while (width < 63 && last >> width > 1) {
		width++;
	}
	capability |= (uint64_t)width << 16 | (sizes >> 21 & 1) << 34 | (sizes >> 30 & 1) << 35;
	sysfs_add_directory(builder, directory.text);
	sysfs_add_text(builder, directory.text, "cap", "%" PRIx64 "\n", capability);
	sysfs_add_text(builder, directory.text, "ecap", "f00f4a\n");
	sysfs_add_text(builder, directory.text, "version", "1:0\n");
	sysfs_add_text(builder, directory.text, "address", "fed90000\n");
}

static void add_iommus(struct sysfs_builder *builder, const struct sim_host *host)
{
	if (host->platform == SIM_TYPE1) {
		if (*host->iommu != '\0') {
			add_iommu(builder, host->iommu);
		}
		if (strncmp(host->iommu, "dmar", strlen("dmar")) == 0) {
			add_intel_registers(builder, host);
		}
		return;
	}
	for (size_t i = 0; i < host->phb_count; i++) {
		add_iommu(builder, sysfs_path("iommu-phb%04x", host->phbs[i].number).text);
	}
}

static struct sysfs_path iommu_link(const struct sim_host *host, const struct sim_device *device)
{
	struct sysfs_path iommu = sysfs_iommu_name(host, device);

	return *iommu.text != '\0' ? sysfs_path(VIRTUAL_IOMMU "/%s/devices", iommu.text)
				   : sysfs_path("%s", "");
}

static void add_membership(struct sysfs_builder *builder, const struct sim_host *host,
			   const struct sim_device *device, const char *directory)
{
	struct sysfs_path group = sysfs_path(SYSFS_IOMMU_GROUPS "/%d", device->group);
	struct sysfs_path iommu = iommu_link(host, device);

	if (device->group == SIM_NO_GROUP) {
		return;
	}
	add_group(builder, host, device->group);
	sysfs_add_link(builder, directory, "iommu_group", group.text);
	sysfs_add_link(builder, sysfs_path("%s/devices", group.text).text, device->name, directory);
	if (*iommu.text != '\0') {
		sysfs_add_link(builder, iommu.text, device->name, directory);
	}
	if (has_vfio(device)) {
		add_vfio_node(builder, device->group);
	}
}

static void add_device(struct sysfs_builder *builder, const struct sim_host *host, size_t index)
{
	struct sysfs_path path = sysfs_device_path(host, &host->devices[index]);

	sysfs_add_device_files(builder, host, index);
	add_driver(builder, &host->devices[index], host->devices[index].driver,
		   vfio_number(host, index), path.text);
	add_membership(builder, host, &host->devices[index], path.text);
}

/* the rest of the host */

static void add_huge_pages(struct sysfs_builder *builder, const struct sim_host *host)
{
	static const char *const counts[] = {"free_hugepages", "nr_hugepages",
					     "nr_overcommit_hugepages", "resv_hugepages",
					     "surplus_hugepages"};

	sysfs_add_directory(builder, "kernel/mm");
	for (size_t i = 0; i < host->huge_page_count; i++) {
		struct sysfs_path directory =
			sysfs_path("kernel/mm/hugepages/hugepages-%llukB",
				   (unsigned long long)host->huge_pages[i] / 1024);

		sysfs_add_directory(builder, directory.text);
		for (size_t j = 0; j < sizeof(counts) / sizeof(*counts); j++) {
			sysfs_add_text(builder, directory.text, counts[j], "0\n");
		}
	}
}

static void add_module(struct sysfs_builder *builder)
{
	static const char parameters[] = "module/vfio_pci/parameters";

	sysfs_add_directory(builder, parameters);
	sysfs_add_text(builder, parameters, "disable_idle_d3", "N\n");
	sysfs_add_text(builder, parameters, "disable_denylist", "N\n");
	sysfs_add_text(builder, parameters, "enable_sriov", "N\n");
	sysfs_add_text(builder, parameters, "nointxmask", "N\n");
	sysfs_add_text(builder, parameters, "ids", "\n");
}

static void add_all(struct sysfs_builder *builder, const struct sim_host *host)
{
	static const char *const triggers[] = {"drivers_probe", "rescan", "uevent"};

	sysfs_add_directory(builder, SYSFS_IOMMU_GROUPS);
	sysfs_add_directory(builder, SYSFS_PCI_DEVICES);
	sysfs_add_directory(builder, "firmware");
	sysfs_add_directory(builder, CLASS_VFIO);
	sysfs_add_triggers(builder, "bus/pci", triggers, sizeof(triggers) / sizeof(*triggers));
	add_driver_directory(builder, SIM_DRIVER_VFIO);
	sysfs_add_device_tree(builder, host);
	add_huge_pages(builder, host);
	add_module(builder);
	add_iommus(builder, host);
	for (size_t i = 0; i < host->pe_count && host->platform == SIM_PSERIES; i++) {
		add_group(builder, host, (int)i);
	}
	for (size_t i = 0; i < host->device_count; i++) {
		add_device(builder, host, i);
	}
}

int sim_sysfs_new(const struct sim_host *host, char **ret_root)
{
	const char *base = getenv("XDG_RUNTIME_DIR");
	/* A client is told the root in a SIM_HELLO, which has room for so much. */
	bool usable = base && *base == '/' && strlen(base) < SIM_ROOT_SIZE / 2;
	struct sysfs_path path = sysfs_path("%s/spaprd-simhost-XXXXXX", usable ? base : "/tmp");
	struct sysfs_builder builder = {.root = -1, .error = 0};
	char *root;

	if (!mkdtemp(path.text)) {
		path = sysfs_path("/tmp/spaprd-simhost-XXXXXX");
		if (!mkdtemp(path.text)) {
			return -errno;
		}
	}
	root = strdup(path.text);
	if (!root) {
		(void)rmdir(path.text);
		return -ENOMEM;
	}
	builder.root = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* Programs on the host look at it, whoever they have become. */
	if (builder.root < 0 || fchmod(builder.root, 0755) < 0) {
		builder.error = -errno;
	} else {
		add_all(&builder, host);
	}
	(void)fd_close(builder.root);
	if (builder.error < 0) {
		(void)sim_sysfs_free(root);
		return builder.error;
	}
	*ret_root = root;
	return 0;
}

char *sim_sysfs_free(char *root)
{
	if (root) {
		sysfs_remove_tree(root, "");
		free(root);
	}
	return NULL;
}

/* devices that come and go */

static bool is_there(const struct sysfs_builder *builder, const struct sim_device *device)
{
	struct sysfs_path link = sysfs_path(SYSFS_PCI_DEVICES "/%s", device->name);

	return faccessat(builder->root, link.text, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static void remove_vfio_node(struct sysfs_builder *builder, const char *root, int group)
{
	sysfs_remove(builder, sysfs_path(CLASS_VFIO "/%d", group).text);
	sysfs_remove_tree(root, sysfs_path(VIRTUAL_VFIO "/%d", group).text);
}

/* What the group has left, when the device is gone. */
static void leave_group(struct sysfs_builder *builder, const char *root,
			const struct sim_host *host, int group)
{
	struct sysfs_path directory = sysfs_path(SYSFS_IOMMU_GROUPS "/%d", group);
	bool node = false;
	bool any = false;

	for (size_t i = 0; i < host->device_count; i++) {
		const struct sim_device *other = &host->devices[i];

		if (other->group == group && is_there(builder, other)) {
			any = true;
			node = node || strcmp(driver_in_tree(builder, host, other).text,
					      SIM_DRIVER_VFIO) == 0;
		}
	}
	if (!node) {
		remove_vfio_node(builder, root, group);
	}
	/* pnv_ioda_release_pe; a pseries group is its PHB's. */
	if (!any && host->platform != SIM_PSERIES) {
		sysfs_remove_tree(root, directory.text);
	}
}

static void remove_device(struct sysfs_builder *builder, const char *root,
			  const struct sim_host *host, size_t index)
{
	const struct sim_device *device = &host->devices[index];
	struct sysfs_path iommu = iommu_link(host, device);

	if (!is_there(builder, device)) {
		return;
	}
	for (size_t i = index + 1; i < host->device_count; i++) {
		if (host->devices[i].parent == (int)index) {
			remove_device(builder, root, host, i);
		}
	}
	sysfs_remove(builder, sysfs_path(SYSFS_PCI_DEVICES "/%s", device->name).text);
	remove_driver(builder, root, host, device);
	if (*iommu.text != '\0') {
		sysfs_remove(builder, sysfs_path("%s/%s", iommu.text, device->name).text);
	}
	if (device->group != SIM_NO_GROUP) {
		sysfs_remove(builder, sysfs_path(SYSFS_IOMMU_GROUPS "/%d/devices/%s", device->group,
						 device->name)
					      .text);
		leave_group(builder, root, host, device->group);
	}
	sysfs_remove_tree(root, sysfs_device_path(host, device).text);
}

int sim_sysfs_remove_device(const char *root, const struct sim_host *host, size_t index)
{
	cleanup(cleanup_fd) int directory = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct sysfs_builder builder = {.root = directory, .error = 0};

	if (directory < 0) {
		return -errno;
	}
	remove_device(&builder, root, host, index);
	return builder.error;
}

int sim_sysfs_add_device(const char *root, const struct sim_host *host, size_t index)
{
	cleanup(cleanup_fd) int directory = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct sysfs_builder builder = {.root = directory, .error = 0};
	int parent = host->devices[index].parent;

	if (directory < 0) {
		return -errno;
	}
	if (parent >= 0 && !is_there(&builder, &host->devices[parent])) {
		return -ENODEV;
	}
	if (!is_there(&builder, &host->devices[index])) {
		add_device(&builder, host, index);
	}
	return builder.error;
}

/* -- drivers -- */

int sim_sysfs_bind(const char *root, const struct sim_host *host, size_t index, const char *driver,
		   unsigned int vfio_number, bool node_stays)
{
	cleanup(cleanup_fd) int directory = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct sysfs_builder builder = {.root = directory, .error = 0};
	const struct sim_device *device = &host->devices[index];
	struct sysfs_path path = sysfs_device_path(host, device);

	if (directory < 0) {
		return -errno;
	}
	remove_driver(&builder, root, host, device);
	if (device->group != SIM_NO_GROUP && !node_stays) {
		leave_group(&builder, root, host, device->group);
	}
	add_driver(&builder, device, driver, vfio_number, path.text);
	sysfs_remove(&builder, sysfs_path("%s/uevent", path.text).text);
	sysfs_add_device_uevent(&builder, host, index, driver);
	if (device->group != SIM_NO_GROUP && strcmp(driver, SIM_DRIVER_VFIO) == 0) {
		struct sysfs_path node = sysfs_path(CLASS_VFIO "/%d", device->group);

		if (faccessat(directory, node.text, F_OK, AT_SYMLINK_NOFOLLOW) < 0) {
			add_vfio_node(&builder, device->group);
		}
	}
	return builder.error;
}

int sim_sysfs_write_override(const char *root, const struct sim_host *host, size_t index,
			     const char *override)
{
	cleanup(cleanup_fd) int directory = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct sysfs_builder builder = {.root = directory, .error = 0};
	struct sysfs_path path = sysfs_device_path(host, &host->devices[index]);

	if (directory < 0) {
		return -errno;
	}
	sysfs_remove(&builder, sysfs_path("%s/" SYSFS_OVERRIDE, path.text).text);
	sysfs_add_text(&builder, path.text, SYSFS_OVERRIDE, "%s\n",
		       *override != '\0' ? override : "(null)");
	return builder.error;
}

/* In place, and never longer or shorter: who reads it meanwhile sees no empty file. */
int sim_sysfs_write_eeh_state(const char *root, const struct sim_host *host, size_t index,
			      const uint32_t words[static 2])
{
	const struct sim_device *device = &host->devices[index];
	struct sysfs_path file =
		sysfs_path("%s/%s/" SYSFS_EEH_STATE, root, sysfs_device_path(host, device).text);
	char text[sizeof("0x00000000 0x00000000\n")];
	cleanup(cleanup_fd) int fd = -1;

	if (!host->phbs[device->phb].eeh) {
		return 0;
	}
	(void)snprintf(text, sizeof(text), "0x%08x 0x%08x\n", words[0], words[1]);
	fd = open(file.text, O_WRONLY | O_CLOEXEC);
	if (fd < 0) {
		return errno == ENOENT ? 0 : -errno; /* the device is gone */
	}
	return pwrite(fd, text, strlen(text), 0) == (ssize_t)strlen(text) ? 0 : -EIO;
}
