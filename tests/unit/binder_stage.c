/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "binder_stage.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/names.h"
#include "unit.h"

struct binder_stage stage;
struct bind_answer stage_answer;

/* -- files -- */

struct path {
	char text[PATH_MAX];
};

static struct path below_root(const char *path)
{
	struct path whole;

	(void)snprintf(whole.text, sizeof(whole.text), "%s/%s", stage.root, path);
	return whole;
}

static struct path of_device(const char *device, const char *file)
{
	struct path whole;

	(void)snprintf(whole.text, sizeof(whole.text), "%s/" SYSFS_PCI_DEVICES "/%s/%s", stage.sys,
		       device, file);
	return whole;
}

static void make_parents(char *path)
{
	for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		assert_true(mkdir(path, 0700) == 0 || errno == EEXIST);
		*slash = '/';
	}
}

static void write_whole(const char *path, const char *text)
{
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

void stage_write_file(const char *path, const char *text)
{
	struct path whole = below_root(path);

	make_parents(whole.text);
	write_whole(whole.text, text);
}

void stage_link(const char *path, const char *target)
{
	struct path whole = below_root(path);
	struct path aim = below_root(target);

	make_parents(whole.text);
	make_parents(aim.text);
	assert_int_equal(symlink(aim.text, whole.text), 0);
}

/* -- the kernel -- */

static bool has_driver(const char *device, char *ret_driver, size_t size)
{
	char target[PATH_MAX];
	ssize_t length = readlink(of_device(device, "driver").text, target, sizeof(target) - 1);

	target[length > 0 ? length : 0] = '\0';
	(void)snprintf(ret_driver, size, "%s", length > 0 ? strrchr(target, '/') + 1 : "");
	return length > 0;
}

static int unbind_from(const char *driver, const char *device)
{
	char now[64];

	if (!has_driver(device, now, sizeof(now)) || strcmp(now, driver) != 0) {
		return -ENODEV;
	}
	return unlink(of_device(device, "driver").text) < 0 ? -errno : 0;
}

/* Success, whether or not a driver takes it; "lazy" never does. */
static int probe(const char *device)
{
	struct path file = of_device(device, SYSFS_OVERRIDE);
	char override[64] = "";
	char now[64];
	struct path driver;
	FILE *stream = fopen(file.text, "re");

	if (!stream) {
		return -ENODEV;
	}
	(void)!fgets(override, sizeof(override), stream);
	(void)fclose(stream);
	override[strcspn(override, "\n")] = '\0';
	(void)snprintf(driver.text, sizeof(driver.text), "%s/" SYSFS_PCI_DRIVERS "/%s", stage.sys,
		       override);
	if (has_driver(device, now, sizeof(now)) || access(driver.text, F_OK) < 0 ||
	    strcmp(override, "lazy") == 0) {
		return 0;
	}
	return symlink(driver.text, of_device(device, "driver").text) < 0 ? -errno : 0;
}

/* An empty write changes nothing; a newline clears. */
static int set_override(const char *path, const char *text)
{
	struct path whole;

	(void)snprintf(whole.text, sizeof(whole.text), "%s/%s", stage.sys, path);
	if (access(whole.text, F_OK) < 0) {
		return -errno;
	}
	if (*text != '\0') {
		char line[64];

		(void)snprintf(line, sizeof(line), "%.*s\n", (int)strcspn(text, "\n"), text);
		write_whole(whole.text, *text == '\n' ? "(null)\n" : line);
	}
	return 0;
}

static void vanish(const char *device)
{
	struct path link = of_device(device, "");

	link.text[strlen(link.text) - 1] = '\0';
	assert_int_equal(unlink(link.text), 0);
}

static int fake_write_attribute(struct kernel *kernel, const char *path, const char *text)
{
	unsigned int number = ++stage.write_count;
	char driver[64];

	(void)kernel;
	assert_true(number <= STAGE_WRITES_MAX);
	(void)snprintf(stage.writes[number - 1], sizeof(stage.writes[0]), "%.127s=%.60s", path,
		       text);
	if (number == stage.vanish_at) {
		vanish(stage.vanishing);
	}
	if (stage.fail_at > 0 && number >= stage.fail_at &&
	    number < stage.fail_at + stage.fail_times) {
		return -stage.fail_errno;
	}
	if (strcmp(path, SYSFS_PROBE) == 0) {
		return probe(text);
	}
	if (sscanf(path, SYSFS_PCI_DRIVERS "/%63[^/]/unbind", driver) == 1) {
		return unbind_from(driver, text);
	}
	assert_non_null(strstr(path, "/" SYSFS_OVERRIDE));
	return set_override(path, text);
}

static int fake_find_holders(struct kernel *kernel, const char *path, pid_t *ret_pids, size_t most)
{
	(void)kernel;
	assert_int_equal(strncmp(path, NODE_GROUP_PREFIX, strlen(NODE_GROUP_PREFIX)), 0);
	assert_true(most > 0);
	ret_pids[0] = stage.holder;
	return stage.holders_errno ? -stage.holders_errno : stage.holder != 0;
}

static const struct kernel_operations operations = {
	.write_attribute = fake_write_attribute,
	.find_holders = fake_find_holders,
};

/* -- set-up -- */

static void add_device(const char *name, uint32_t group, const char *class, const char *driver,
		       const char *override)
{
	char path[256];
	char target[256];

	(void)snprintf(target, sizeof(target), "sys/devices/pci/%s/", name);
	(void)snprintf(path, sizeof(path), "sys/devices/pci/%s/class", name);
	stage_write_file(path, class);
	(void)snprintf(path, sizeof(path), "sys/devices/pci/%s/" SYSFS_OVERRIDE, name);
	stage_write_file(path, override);
	(void)snprintf(path, sizeof(path), "sys/" SYSFS_PCI_DEVICES "/%s", name);
	target[strlen(target) - 1] = '\0';
	stage_link(path, target);
	(void)snprintf(path, sizeof(path), "sys/" SYSFS_IOMMU_GROUPS "/%" PRIu32 "/devices/%s",
		       group, name);
	stage_link(path, target);
	if (*driver) {
		(void)snprintf(path, sizeof(path), "sys/devices/pci/%s/driver", name);
		(void)snprintf(target, sizeof(target), "sys/" SYSFS_PCI_DRIVERS "/%s", driver);
		stage_link(path, target);
	}
}

int binder_stage_set_up(void **state)
{
	static const char *const drivers[] = {"vfio-pci", "e1000e", "nvme", "pcieport", "lazy"};
	char path[64];

	(void)state;
	stage = (struct binder_stage){.root = "/tmp/spaprd-test-XXXXXX"};
	assert_non_null(mkdtemp(stage.root));
	(void)snprintf(stage.sys, sizeof(stage.sys), "%s/sys", stage.root);
	(void)snprintf(stage.proc, sizeof(stage.proc), "%s/proc", stage.root);
	(void)snprintf(stage.state, sizeof(stage.state), "%s/state", stage.root);
	for (size_t i = 0; i < sizeof(drivers) / sizeof(*drivers); i++) {
		(void)snprintf(path, sizeof(path), "sys/" SYSFS_PCI_DRIVERS "/%s/uevent",
			       drivers[i]);
		stage_write_file(path, "");
	}
	add_device("0003:01:00.0", 3, "0x020000\n", "vfio-pci", "vfio-pci\n");
	add_device("0003:01:00.1", 3, "0x020000\n", "e1000e", "(null)\n");
	add_device("0004:01:00.0", 4, "0x020000\n", "", "(null)\n");
	add_device("0005:00:00.0", 5, "0x060400\n", "pcieport", "(null)\n");
	add_device("0005:01:00.0", 5, "0x010802\n", "nvme", "(null)\n");
	add_device("0006:01:00.0", 6, "0x020000\n", "e1000e", "(null)\n");
	add_device("0006:01:00.1", 6, "0x020000\n", "e1000e", "pci-stub\n");
	add_device("0006:01:00.2", 6, "0x020000\n", "", "(null)\n");
	add_device("0007:00:00.0", 7, "0x060400\n", "pcieport", "(null)\n");
	stage_write_file("proc/1/mountinfo", "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n");
	stage.kernel.operations = &operations;
	stage.kernel.sysfs_root = stage.sys;
	stage.binder = (struct binder){&stage.kernel, stage.state, stage.proc};
	return 0;
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *walk)
{
	(void)status;
	(void)type;
	(void)walk;
	return remove(path);
}

int binder_stage_tear_down(void **state)
{
	(void)state;
	return nftw(stage.root, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

/* -- requests -- */

struct group_devices {
	uint32_t group;
	const char *names[4];
};

static const struct group_devices groups[] = {
	{3, {"0003:01:00.0", "0003:01:00.1"}},
	{4, {"0004:01:00.0"}},
	{5, {"0005:00:00.0", "0005:01:00.0"}},
	{6, {"0006:01:00.0", "0006:01:00.1", "0006:01:00.2"}},
	{7, {"0007:00:00.0"}},
};

int stage_bind(uint32_t group, const char *driver, uint32_t flags)
{
	struct bind_request request = {
		.version = BIND_PROTOCOL_VERSION,
		.operation = BIND_BIND,
		.group = group,
		.flags = flags,
	};

	(void)snprintf(request.driver, sizeof(request.driver), "%s", driver);
	for (size_t i = 0; i < sizeof(groups) / sizeof(*groups); i++) {
		for (size_t j = 0; groups[i].group == group && j < 4 && groups[i].names[j]; j++) {
			(void)snprintf(request.devices[request.device_count++], BIND_NAME_SIZE,
				       "%s", groups[i].names[j]);
		}
	}
	stage.write_count = 0;
	binder_serve(&stage.binder, &request, &stage_answer);
	return (int)stage_answer.code;
}

int stage_restore(uint32_t group)
{
	const struct bind_request request = {
		.version = BIND_PROTOCOL_VERSION,
		.operation = BIND_RESTORE,
		.group = group,
	};

	stage.write_count = 0;
	binder_serve(&stage.binder, &request, &stage_answer);
	return (int)stage_answer.code;
}

/* -- what is there -- */

void stage_expect_driver(const char *device, const char *driver)
{
	char now[64];

	(void)has_driver(device, now, sizeof(now));
	assert_string_equal(now, driver);
}

void stage_expect_override(const char *device, const char *override)
{
	char line[64] = "";
	FILE *file = fopen(of_device(device, SYSFS_OVERRIDE).text, "re");

	assert_non_null(file);
	assert_non_null(fgets(line, sizeof(line), file));
	(void)fclose(file);
	line[strcspn(line, "\n")] = '\0';
	assert_string_equal(strcmp(line, "(null)") == 0 ? "" : line, override);
}

void stage_expect_words(const char *words)
{
	if (!strstr(stage_answer.text, words)) {
		fail_msg("\"%s\" does not say \"%s\"", stage_answer.text, words);
	}
}

bool stage_has_record(uint32_t group)
{
	char path[PATH_MAX];

	(void)snprintf(path, sizeof(path), "%s/group-%" PRIu32, stage.state, group);
	return access(path, F_OK) == 0;
}
