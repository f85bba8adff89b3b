/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A capture of a host makes that host again: of the simulated ones, whose sysfs trees are like real
 * ones; and it tells nothing that is private. */
#include <fcntl.h>
#include <ftw.h>
#include <getopt.h>
#include <glob.h>
#include <libfdt.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "cli/collect.h"
#include "cli/sim_collect.h"
#include "common/cleanup.h"
#include "common/names.h"
#include "sim/host.h"
#include "sim/hosts.h"
#include "sim/pci_config.h"
#include "sim/sysfs.h"
#include "unit.h"

#define FDT_ROOM 16384

struct capture {
	struct sim_host *host;
	char *sysfs;
	char directory[PATH_MAX / 2]; /* to be made */
};

static void set_up(struct capture *capture, struct sim_host *host)
{
	const char *base = getenv("TMPDIR");

	capture->host = host;
	capture->sysfs = NULL;
	assert_int_equal(sim_sysfs_new(host, &capture->sysfs), 0);
	(void)snprintf(capture->directory, sizeof(capture->directory), "%s/collect-XXXXXX",
		       base ? base : "/tmp");
	assert_non_null(mkdtemp(capture->directory));
	assert_int_equal(rmdir(capture->directory), 0);
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *where)
{
	(void)status;
	(void)type;
	(void)where;
	return remove(path);
}

static void tear_down(struct capture *capture)
{
	(void)nftw(capture->directory, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
	capture->sysfs = sim_sysfs_free(capture->sysfs);
	capture->host = sim_host_free(capture->host);
}

static struct sim_host *open_host(const char *text)
{
	struct sim_host *host = NULL;
	struct error error = {.text = ""};
	int r = sim_host_open(text, &host, &error);

	if (r) {
		print_error("%s: %s\n", text, error.text);
	}
	assert_int_equal(r, 0);
	return host;
}

static struct collect_summary collect(const struct capture *capture)
{
	struct collect_options options = {
		.sysfs = capture->sysfs,
		.directory = capture->directory,
	};
	struct collect_summary summary = {.devices = 0};
	struct error error = {.text = ""};
	int r = collect_host(&options, &summary, &error);

	if (r) {
		print_error("%s\n", error.text);
	}
	assert_int_equal(r, 0);
	return summary;
}

/* -- two hosts are one -- */

static void expect_same_phbs(const struct sim_host *a, const struct sim_host *b)
{
	assert_int_equal(a->phb_count, b->phb_count);
	for (size_t i = 0; i < a->phb_count; i++) {
		struct sim_phb left = a->phbs[i];
		struct sim_phb right = b->phbs[i];

		assert_string_equal(left.node, right.node);
		assert_int_equal(left.number, right.number);
		assert_int_equal(left.pe_count, right.pe_count);
		assert_int_equal(left.reserved_pe, right.reserved_pe);
		assert_int_equal(left.dma32_size, right.dma32_size);
		assert_int_equal(left.page_sizes, right.page_sizes);
		assert_int_equal(left.levels, right.levels);
		assert_int_equal(left.windows, right.windows);
		assert_int_equal(left.resets_windows, right.resets_windows);
		assert_int_equal(left.eeh, right.eeh);
	}
}

/* But for the serial number, which is not passed on. */
static void expect_same_config(const struct sim_device *a, const struct sim_device *b)
{
	uint8_t left[4096] = {0};
	size_t serial;

	assert_int_equal(a->config_size, b->config_size);
	memcpy(left, a->config, a->config_size);
	serial = pci_config_find_extended(left, a->config_size, PCI_EXTENDED_SERIAL);
	if (serial) {
		memset(left + serial + 4, 0, 8);
	}
	assert_memory_equal(left, b->config, a->config_size);
}

/* How long a reset takes no file tells. */
static void expect_same_device(const struct sim_device *a, const struct sim_device *b)
{
	assert_string_equal(a->name, b->name);
	assert_string_equal(a->driver, b->driver);
	assert_string_equal(a->of_path ? a->of_path : "", b->of_path ? b->of_path : "");
	assert_int_equal(a->parent, b->parent);
	assert_int_equal(a->phb, b->phb);
	assert_int_equal(a->group, b->group);
	assert_int_equal(a->pe, b->pe);
	assert_int_equal(a->vendor, b->vendor);
	assert_int_equal(a->device, b->device);
	assert_int_equal(a->class_code, b->class_code);
	assert_int_equal(a->revision, b->revision);
	assert_int_equal(a->subsystem_vendor, b->subsystem_vendor);
	assert_int_equal(a->subsystem_device, b->subsystem_device);
	assert_memory_equal(a->resource, b->resource, sizeof(a->resource));
	assert_string_equal(a->reset_method, b->reset_method);
	assert_int_equal(a->reset, b->reset);
	expect_same_config(a, b);
}

static void expect_same_host(const struct sim_host *a, const struct sim_host *b)
{
	assert_int_equal(a->platform, b->platform);
	assert_int_equal(a->page_shift, b->page_shift);
	assert_int_equal(a->settings.kernel, b->settings.kernel);
	expect_same_phbs(a, b);
	assert_int_equal(a->device_count, b->device_count);
	for (size_t i = 0; i < a->device_count; i++) {
		expect_same_device(&a->devices[i], &b->devices[i]);
	}
	assert_int_equal(a->pe_count, b->pe_count);
	for (size_t i = 0; i < a->pe_count; i++) {
		assert_int_equal(a->pes[i].phb, b->pes[i].phb);
		assert_int_equal(a->pes[i].number, b->pes[i].number);
		assert_int_equal(a->pes[i].bus, b->pes[i].bus);
	}
	assert_int_equal(a->huge_page_count, b->huge_page_count);
	assert_memory_equal(a->huge_pages, b->huge_pages, sizeof(a->huge_pages));
	assert_int_equal(a->iova_range_count, b->iova_range_count);
	for (size_t i = 0; i < a->iova_range_count; i++) {
		assert_int_equal(a->iova_ranges[i].first, b->iova_ranges[i].first);
		assert_int_equal(a->iova_ranges[i].last, b->iova_ranges[i].last);
	}
	assert_string_equal(a->iommu, b->iommu);
	assert_string_equal(a->group_type, b->group_type);
	assert_string_equal(a->reserved_regions ? a->reserved_regions : "",
			    b->reserved_regions ? b->reserved_regions : "");
}

static void test_capture_of_each_host_makes_it_again(void **state)
{
	(void)state;
	for (size_t i = 0; i < sim_builtin_host_count; i++) {
		struct capture capture;
		struct collect_summary summary;
		struct sim_host *again;

		set_up(&capture, open_host(sim_builtin_hosts[i].name));
		summary = collect(&capture);
		assert_int_equal(summary.devices, capture.host->device_count);
		assert_true(summary.grouped > 0);
		assert_int_equal(summary.has_tree, capture.host->fdt != NULL);
		assert_int_equal(summary.left_out, 0);
		assert_int_equal(summary.cut, 0);
		assert_false(summary.rebuilt_tree);
		again = open_host(capture.directory);
		expect_same_host(capture.host, again);
		(void)sim_host_free(again);
		tear_down(&capture);
	}
}

/* firmware/fdt is for root alone. */
static void test_tree_that_cant_be_read_is_rebuilt(void **state)
{
	static const char *const names[] = {"powernv9", "pseries"};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		struct capture capture;
		struct sim_host *again;
		char path[PATH_MAX];

		set_up(&capture, open_host(names[i]));
		(void)snprintf(path, sizeof(path), "%s/" SYSFS_FDT, capture.sysfs);
		assert_int_equal(unlink(path), 0);
		assert_true(collect(&capture).rebuilt_tree);
		again = open_host(capture.directory);
		expect_same_host(capture.host, again);
		(void)sim_host_free(again);
		tear_down(&capture);
	}
}

static void test_tree_from_before_a_device_came_is_rebuilt(void **state)
{
	struct capture capture;
	struct sim_host *again;
	char path[PATH_MAX];
	char *fdt;
	FILE *file;

	(void)state;
	set_up(&capture, open_host("powernv9"));
	fdt = malloc(capture.host->fdt_size);
	assert_non_null(fdt);
	memcpy(fdt, capture.host->fdt, capture.host->fdt_size);
	assert_int_equal(
		fdt_del_node(fdt, fdt_path_offset(fdt, "/pciex@600c3c0100000/pci@0/ethernet@0")),
		0);
	(void)snprintf(path, sizeof(path), "%s/" SYSFS_FDT, capture.sysfs);
	assert_int_equal(unlink(path), 0);
	file = fopen(path, "we");
	assert_non_null(file);
	assert_int_equal(fwrite(fdt, 1, fdt_totalsize(fdt), file), fdt_totalsize(fdt));
	assert_int_equal(fclose(file), 0);
	free(fdt);
	assert_true(collect(&capture).rebuilt_tree);
	again = open_host(capture.directory);
	expect_same_host(capture.host, again);
	(void)sim_host_free(again);
	tear_down(&capture);
}

/* -- what is private -- */

static const struct sim_builtin_host *find_builtin(const char *name)
{
	for (size_t i = 0; i < sim_builtin_host_count; i++) {
		if (strcmp(sim_builtin_hosts[i].name, name) == 0) {
			return &sim_builtin_hosts[i];
		}
	}
	abort();
}

/* powernv9 with things that a real machine's tree has. */
static struct sim_host *make_talkative_host(char **ret_fdt)
{
	const struct sim_builtin_host *builtin = find_builtin("powernv9");
	struct sim_host *host = NULL;
	struct sim_host_source source = {.name = "talkative",
					 .fdt_name = "tree",
					 .list_name = "list",
					 .settings = SIM_SETTINGS_DEFAULT};
	struct error error;
	char *fdt;
	int node;

	fdt = malloc(builtin->fdt_size + FDT_ROOM);
	assert_non_null(fdt);
	assert_int_equal(fdt_open_into(builtin->fdt, fdt, (int)builtin->fdt_size + FDT_ROOM), 0);
	assert_int_equal(fdt_setprop_string(fdt, 0, "system-id", "SECRET0"), 0);
	assert_int_equal(fdt_setprop_string(fdt, 0, "vm,uuid", "SECRET1"), 0);
	node = fdt_path_offset(fdt, "/chosen");
	assert_int_equal(fdt_setprop_string(fdt, node, "bootargs", "root=SECRET2"), 0);
	assert_int_equal(fdt_setprop_string(fdt, node, "rng-seed", "SECRET3"), 0);
	node = fdt_path_offset(fdt, "/pciex@600c3c0100000/pci@0/ethernet@0");
	assert_int_equal(fdt_setprop_string(fdt, node, "local-mac-address", "SECRET4"), 0);
	assert_int_equal(fdt_setprop_string(fdt, node, "serial-number", "SECRET5"), 0);
	assert_int_equal(fdt_setprop_string(fdt, node, "ibm,vpd", "SECRET6"), 0);
	assert_int_equal(fdt_setprop_string(fdt, node, "ibm,loc-code", "U78D2.001.SECRET7-P1-C9"),
			 0);
	source.fdt = fdt;
	source.fdt_size = fdt_totalsize(fdt);
	source.list = builtin->list;
	source.list_size = builtin->list_size;
	assert_int_equal(sim_host_new(&source, &host, &error), 0);
	*ret_fdt = fdt;
	return host;
}

static char *read_capture(const struct capture *capture, const char *name, size_t *ret_size)
{
	char path[PATH_MAX];
	char *bytes = calloc(1, 1 << 20);
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/%s", capture->directory, name);
	file = fopen(path, "re");
	assert_non_null(file);
	assert_non_null(bytes);
	*ret_size = fread(bytes, 1, (1 << 20) - 1, file);
	assert_int_equal(fclose(file), 0);
	return bytes;
}

static void test_private_things_are_blanked(void **state)
{
	struct capture capture;
	char *fdt = NULL;
	size_t size;
	char *bytes;
	int node;

	(void)state;
	set_up(&capture, make_talkative_host(&fdt));
	(void)collect(&capture);
	bytes = read_capture(&capture, COLLECT_TREE, &size);
	assert_null(memmem(bytes, size, "SECRET", strlen("SECRET")));
	assert_int_equal(fdt_check_full(bytes, size), 0);
	node = fdt_path_offset(bytes, "/pciex@600c3c0100000/pci@0/ethernet@0");
	assert_string_equal(fdt_getprop(bytes, node, "ibm,loc-code", NULL),
			    "U78D2.001.XXXXXXX-P1-C9");
	free(bytes);
	/* The MAC address of the emulated e1000e, as its serial number has it. */
	bytes = read_capture(&capture, COLLECT_DEVICES, &size);
	assert_non_null(strstr(bytes, "config-140 = 03 00 01 00 00 00 00 00 00 00 00 00"));
	assert_null(strstr(bytes, "56 34 12 ff ff 00 54 52"));
	free(bytes);
	tear_down(&capture);
	free(fdt);
}

/* -- files -- */

static void test_no_file_is_overwritten(void **state)
{
	struct capture capture;
	struct collect_options options;
	struct collect_summary summary;
	struct error error;
	char path[PATH_MAX];

	(void)state;
	set_up(&capture, open_host("powernv8"));
	options = (struct collect_options){
		.sysfs = capture.sysfs,
		.directory = capture.directory,
	};
	(void)collect(&capture);
	assert_int_equal(collect_host(&options, &summary, &error), ERROR_INVALID_ARGUMENT);
	assert_non_null(strstr(error.text, "tree.dtb is there"));
	/* The first attempt's files are left alone; a half of a second one isn't left. */
	(void)snprintf(path, sizeof(path), "%s/" COLLECT_TREE, capture.directory);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(collect_host(&options, &summary, &error), ERROR_INVALID_ARGUMENT);
	assert_non_null(strstr(error.text, "devices.ini is there"));
	assert_int_equal(access(path, F_OK), -1);
	(void)snprintf(path, sizeof(path), "%s/" COLLECT_DEVICES, capture.directory);
	assert_int_equal(access(path, F_OK), 0);
	tear_down(&capture);
}

/* With the IOMMU off. */
static void test_devices_without_groups_are_told(void **state)
{
	struct capture capture;
	struct collect_summary summary;
	char pattern[PATH_MAX];
	glob_t links;

	(void)state;
	set_up(&capture, open_host("x86"));
	(void)snprintf(pattern, sizeof(pattern), "%s/bus/pci/devices/*/iommu_group", capture.sysfs);
	assert_int_equal(glob(pattern, 0, NULL, &links), 0);
	for (size_t i = 0; i < links.gl_pathc; i++) {
		assert_int_equal(unlink(links.gl_pathv[i]), 0);
	}
	globfree(&links);
	summary = collect(&capture);
	assert_int_equal(summary.grouped, 0);
	assert_true(summary.devices > 0);
	tear_down(&capture);
}

static void test_nothing_is_left_of_a_failure(void **state)
{
	struct capture capture;
	struct collect_options options;
	struct collect_summary summary;
	struct error error;

	(void)state;
	set_up(&capture, open_host("x86"));
	options = (struct collect_options){
		.sysfs = "/nonexistent",
		.directory = capture.directory,
	};
	assert_int_equal(collect_host(&options, &summary, &error), ERROR_KERNEL);
	assert_non_null(strstr(error.text, "/nonexistent/bus/pci/devices"));
	assert_int_equal(access(capture.directory, F_OK), -1);
	options.sysfs = capture.sysfs;
	options.directory = "/nonexistent/here";
	assert_int_equal(collect_host(&options, &summary, &error), ERROR_KERNEL);
	assert_non_null(strstr(error.text, "/nonexistent/here"));
	tear_down(&capture);
}

static enum cli_status run(const char *option, const char *value)
{
	char *arguments[] = {(char *)"collect", (char *)option, (char *)value, NULL};

	optind = 0;
	return sim_collect_run(value ? 3 : 2, arguments);
}

static void test_command_line(void **state)
{
	(void)state;
	assert_int_equal(run("--help", NULL), CLI_OK);
	assert_int_equal(run("--colour", NULL), CLI_USAGE);
	assert_int_equal(run("more", NULL), CLI_USAGE);
	assert_int_equal(run("-o", "a,b"), CLI_USAGE);
	assert_int_equal(run("-o", ""), CLI_USAGE);
	assert_int_equal(run("--sysfs", "/nonexistent"), CLI_FAILED);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_capture_of_each_host_makes_it_again),
		cmocka_unit_test(test_tree_that_cant_be_read_is_rebuilt),
		cmocka_unit_test(test_tree_from_before_a_device_came_is_rebuilt),
		cmocka_unit_test(test_private_things_are_blanked),
		cmocka_unit_test(test_no_file_is_overwritten),
		cmocka_unit_test(test_devices_without_groups_are_told),
		cmocka_unit_test(test_nothing_is_left_of_a_failure),
		cmocka_unit_test(test_command_line),
	};

	return cmocka_run_group_tests_name("cli-collect", tests, NULL, NULL);
}
