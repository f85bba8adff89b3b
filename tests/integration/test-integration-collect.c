/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A host's capture, taken where the test runs, loads as it is, and the simulated host is that host:
 * what firmware's tree and config space have is all that the simulated host needs to number PEs and
 * groups, and to know resets, as the running kernel did.
 */
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/collect.h"
#include "common/cleanup.h"
#include "sim/host.h"
#include "sim/sysfs.h"
#include "world.h"

struct capture {
	const struct lab_host *lab;
	struct sim_host *host; /* whose sysfs is looked at; NULL on a real one */
	char *sysfs;
	char directory[PATH_MAX / 2];
};

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *where)
{
	(void)status;
	(void)type;
	(void)where;
	return remove(path);
}

static int set_up(void **state)
{
	struct capture *capture = calloc(1, sizeof(*capture));
	struct error error = {.text = ""};

	assert_non_null(capture);
	capture->lab = lab_host_find();
	assert_non_null(capture->lab);
	if (lab_host_is_real()) {
		capture->sysfs = strdup("/sys");
	} else {
		assert_int_equal(sim_host_open(capture->lab->name, &capture->host, &error), 0);
		assert_int_equal(sim_sysfs_new(capture->host, &capture->sysfs), 0);
	}
	(void)snprintf(capture->directory, sizeof(capture->directory), "/tmp/collect-XXXXXX");
	assert_non_null(mkdtemp(capture->directory));
	*state = capture;
	return 0;
}

static int tear_down(void **state)
{
	struct capture *capture = *state;

	(void)nftw(capture->directory, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
	if (capture->host) {
		capture->sysfs = sim_sysfs_free(capture->sysfs);
		capture->host = sim_host_free(capture->host);
	}
	free(capture->sysfs);
	free(capture);
	return 0;
}

static void collect(const struct capture *capture)
{
	struct collect_options options = {
		.sysfs = capture->sysfs,
		.directory = capture->directory,
		.this_host = lab_host_is_real(),
	};
	struct collect_summary summary;
	struct error error = {.text = ""};
	int r = collect_host(&options, &summary, &error);

	if (r) {
		print_error("%s\n", error.text);
	}
	assert_int_equal(r, 0);
	assert_true(summary.devices > 0);
	assert_int_equal(summary.left_out, 0);
	assert_int_equal(summary.cut, 0);
	assert_int_equal(summary.has_tree, capture->lab->has_tce);
}

static struct sim_host *load(const struct capture *capture)
{
	struct sim_host *host = NULL;
	struct error error = {.text = ""};
	int r = sim_host_open(capture->directory, &host, &error);

	if (r) {
		print_error("%s\n", error.text);
	}
	assert_int_equal(r, 0);
	return host;
}

/* Without its newline; "" for a file that isn't there. */
static void read_attribute(const struct capture *capture, const char *path,
			   char ret_text[static 256])
{
	char full[PATH_MAX];
	cleanup(cleanup_file) FILE *file = NULL;

	(void)snprintf(full, sizeof(full), "%s/%s", capture->sysfs, path);
	file = fopen(full, "re");
	if (!file || !fgets(ret_text, 256, file)) {
		*ret_text = '\0';
	}
	ret_text[strcspn(ret_text, "\n")] = '\0';
}

static void expect_group(const struct capture *capture, const struct sim_host *host,
			 const struct sim_device *device)
{
	const struct sim_pe *pe = &host->pes[device->group];
	char path[PATH_MAX];
	char name[256];
	char expected[256];

	(void)snprintf(path, sizeof(path), "%s/kernel/iommu_groups/%d/devices/%s", capture->sysfs,
		       device->group, device->name);
	assert_int_equal(access(path, F_OK), 0);
	(void)snprintf(path, sizeof(path), "kernel/iommu_groups/%d/name", device->group);
	read_attribute(capture, path, name);
	if (host->platform == SIM_TYPE1) {
		assert_string_equal(name, "");
		return;
	}
	(void)snprintf(expected, sizeof(expected), "domain%u-pe%x", host->phbs[pe->phb].number,
		       pe->number);
	assert_string_equal(name, expected);
}

static void expect_device(const struct capture *capture, const struct sim_host *host,
			  const struct sim_device *device)
{
	char path[PATH_MAX];
	char text[256];

	if (device->group != SIM_NO_GROUP) {
		expect_group(capture, host, device);
	} else {
		(void)snprintf(path, sizeof(path), "%s/bus/pci/devices/%s/iommu_group",
			       capture->sysfs, device->name);
		assert_int_equal(access(path, F_OK), -1);
	}
	(void)snprintf(path, sizeof(path), "bus/pci/devices/%s/reset_method", device->name);
	read_attribute(capture, path, text);
	if (strcmp(text, device->reset_method) != 0) {
		fail_msg("%s: reset_method is \"%s\", not \"%s\"", device->name, text,
			 device->reset_method);
	}
	(void)snprintf(path, sizeof(path), "bus/pci/devices/%s/eeh_pe_config_addr", device->name);
	read_attribute(capture, path, text);
	if (host->platform == SIM_POWERNV) {
		assert_int_equal(strtoul(text, NULL, 16), device->pe);
	}
}

static void expect_same(const struct capture *capture, const struct sim_host *host)
{
	assert_int_equal(host->platform == SIM_TYPE1, !capture->lab->has_tce);
	for (size_t i = 0; i < host->device_count; i++) {
		expect_device(capture, host, &host->devices[i]);
	}
	for (size_t i = 0; i < host->phb_count && capture->lab->has_tce; i++) {
		assert_int_equal(host->phbs[i].dma32_size, capture->lab->default_window);
		assert_int_equal(host->phbs[i].levels, capture->lab->max_levels);
		assert_true(host->phbs[i].page_sizes >> capture->lab->huge_shift & 1);
	}
}

static void test_capture_loads_and_is_this_host(void **state)
{
	const struct capture *capture = *state;
	struct sim_host *host;

	collect(capture);
	host = load(capture);
	expect_same(capture, host);
	(void)sim_host_free(host);
}

/* Leave lines out of the device list that begin with any of these. */
static void drop_lines(const struct capture *capture, const char *const *keys, size_t count)
{
	char path[PATH_MAX];
	char line[256];
	char *text = NULL;
	size_t size = 0;
	FILE *copy = open_memstream(&text, &size);
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/" COLLECT_DEVICES, capture->directory);
	file = fopen(path, "r+e");
	assert_non_null(file);
	assert_non_null(copy);
	while (fgets(line, sizeof(line), file)) {
		bool keep = true;

		for (size_t i = 0; i < count; i++) {
			keep = keep && strncmp(line, keys[i], strlen(keys[i])) != 0;
		}
		assert_true(!keep || fputs(line, copy) >= 0);
	}
	assert_int_equal(fclose(copy), 0);
	rewind(file);
	assert_int_equal(ftruncate(fileno(file), 0), 0);
	assert_int_equal(fwrite(text, 1, size, file), size);
	assert_int_equal(fclose(file), 0);
	free(text);
}

/* The same when the list doesn't say what a tree and config space imply. */
static void test_kernel_numbers_pes_and_groups_alike(void **state)
{
	static const char *const keys[] = {"reset =", "pe =", "group ="};
	const struct capture *capture = *state;
	struct sim_host *host;

	collect(capture);
	/* Without a tree groups are what the list says. */
	drop_lines(capture, keys, capture->lab->has_tce ? 3 : 1);
	host = load(capture);
	expect_same(capture, host);
	(void)sim_host_free(host);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_capture_loads_and_is_this_host),
		TEST(test_kernel_numbers_pes_and_groups_alike),
	};

	return cmocka_run_group_tests_name("collect", tests, NULL, NULL);
}
