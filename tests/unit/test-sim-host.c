/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Hosts from trees and lists: that the built-in ones are the lab's, that captured trees load as
 * they are, how PEs and groups are numbered, and what is refused with which words. */
#include <fcntl.h>
#include <libfdt.h>
#include <limits.h>
#include <sys/stat.h>

#include "common/cleanup.h"
#include "sim/host.h"
#include "sim/hosts.h"
#include "sim/pci_config.h"
#include "unit.h"

#define FDT_SIZE 65536

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

static void expect_refused(const char *text, enum error_code code, const char *words)
{
	struct sim_host *host = NULL;
	struct error error = {.text = ""};

	assert_int_equal(sim_host_open(text, &host, &error), code);
	if (!strstr(error.text, words)) {
		fail_msg("%s: \"%s\" is not in \"%s\"", text, words, error.text);
	}
	assert_null(host);
}

/* -- the built-in hosts against the lab -- */

struct expected_device {
	const char *name;
	const char *driver;
	int group;
	uint32_t pe;
	uint16_t vendor;
	uint16_t device;
	const char *reset_method;
};

static void expect_device(const struct sim_host *host, const struct expected_device *expected)
{
	int index = sim_host_find_device(host, expected->name);
	const struct sim_device *device;

	if (index < 0) {
		fail_msg("%s has no device %s", host->name, expected->name);
	}
	device = &host->devices[index];
	assert_string_equal(device->driver, expected->driver);
	assert_int_equal(device->group, expected->group);
	assert_int_equal(device->pe, expected->pe);
	assert_int_equal(device->vendor, expected->vendor);
	assert_int_equal(device->device, expected->device);
	assert_string_equal(device->reset_method, expected->reset_method);
	if (device->group != SIM_NO_GROUP) {
		assert_in_range(device->group, 0, host->pe_count - 1);
		assert_int_equal(host->pes[device->group].number,
				 host->platform == SIM_TYPE1 ? host->pes[device->group].number
							     : expected->pe);
	}
}

#define PORT(name, pe, id)                                   \
	{                                                    \
		name, "", SIM_NO_GROUP, pe, 0x1014, (id), "" \
	}

/* lab-facts, section 1: names, groups and PE numbers; the listings: reset methods. */
static const struct expected_device powernv9_devices[] = {
	PORT("0000:00:00.0", 0x1fe, 0x04c1),
	{"0000:01:00.0", "vfio-pci", 0, 0x1fd, 0x1234, 0x11e8, "bus"},
	PORT("0001:00:00.0", 0xfe, 0x04c1),
	{"0001:01:00.0", "vfio-pci", 1, 0xfd, 0x8086, 0x10d3, "pm bus"},
	{"0002:01:00.0", "vfio-pci", 2, 0xfd, 0x1234, 0x11e8, "bus"},
	{"0003:01:00.0", "vfio-pci", 3, 0x1fd, 0x8086, 0x10d3, "pm bus"},
	{"0003:01:00.1", "e1000e", 3, 0x1fd, 0x8086, 0x10d3, "pm"},
	{"0004:01:00.0", "", 4, 0xfd, 0x8086, 0x10d3, "pm bus"},
	PORT("0005:00:00.0", 0xfe, 0x04c1),
};

static const struct expected_device powernv8_devices[] = {
	PORT("0000:00:00.0", 0xfe, 0x03dc),
	{"0000:01:00.0", "vfio-pci", 0, 0xfd, 0x1234, 0x11e8, "bus"},
	{"0001:01:00.0", "vfio-pci", 1, 0xfd, 0x8086, 0x10d3, "pm bus"},
	{"0002:01:00.0", "vfio-pci", 2, 0xfd, 0x8086, 0x10d3, "pm bus"},
	{"0002:01:00.1", "e1000e", 2, 0xfd, 0x8086, 0x10d3, "pm"},
};

static const struct expected_device pseries_devices[] = {
	{"0000:00:01.0", "vfio-pci", 0, 0, 0x1234, 0x11e8, ""},
	{"0001:00:01.0", "vfio-pci", 1, 0, 0x8086, 0x10d3, "pm"},
	{"0002:00:01.0", "vfio-pci", 2, 0, 0x1234, 0x11e8, ""},
	{"0003:00:01.0", "vfio-pci", 3, 0, 0x8086, 0x10d3, "pm"},
	{"0003:00:02.0", "e1000e", 3, 0, 0x8086, 0x10d3, "pm"},
	{"0004:00:01.0", "", 4, 0, 0x8086, 0x10d3, "pm"},
};

static const struct expected_device x86_devices[] = {
	{"0000:00:02.0", "pcieport", 1, 0, 0x1b36, 0x000c, ""},
	{"0000:01:00.0", "vfio-pci", 7, 0, 0x1234, 0x11e8, "bus"},
	{"0000:02:00.0", "vfio-pci", 8, 0, 0x8086, 0x10d3, "pm bus"},
	{"0000:03:00.0", "vfio-pci", 9, 0, 0x1234, 0x11e8, "bus"},
	{"0000:04:00.0", "vfio-pci", 10, 0, 0x8086, 0x10d3, "pm bus"},
	{"0000:04:00.1", "e1000e", 10, 0, 0x8086, 0x10d3, "pm"},
	{"0000:05:00.0", "", 11, 0, 0x8086, 0x10d3, "pm bus"},
};

#define EXPECT_DEVICES(host, table)                                     \
	for (size_t i = 0; i < sizeof(table) / sizeof(*(table)); i++) { \
		expect_device(host, &(table)[i]);                       \
	}

static void expect_powernv(const struct sim_host *host, uint64_t page_sizes)
{
	assert_int_equal(host->platform, SIM_POWERNV);
	assert_int_equal(host->page_shift, 12);
	for (size_t i = 0; i < host->phb_count; i++) {
		const struct sim_phb *phb = &host->phbs[i];

		assert_int_equal(phb->number, i);
		assert_int_equal(phb->dma32_size, UINT64_C(2) << 30);
		assert_int_equal(phb->page_sizes, page_sizes);
		assert_int_equal(phb->levels, 5);
		assert_int_equal(phb->windows, 2);
		assert_true(phb->eeh);
	}
}

static void test_powernv9(void **state)
{
	struct sim_host *host = open_host("powernv9");

	(void)state;
	assert_int_equal(host->phb_count, 6);
	assert_int_equal(host->pe_count, 5);
	assert_int_equal(host->device_count, 12);
	assert_int_equal(host->huge_page_count, 0);
	expect_powernv(host, 0x40211000);
	EXPECT_DEVICES(host, powernv9_devices);
	(void)sim_host_free(host);
}

static void test_powernv10(void **state)
{
	struct sim_host *host = open_host("powernv10");
	int port = sim_host_find_device(host, "0000:00:00.0");

	(void)state;
	expect_powernv(host, 0x40211000);
	assert_int_equal(host->devices[port].device, 0x0652);
	for (size_t i = 0; i < sizeof(powernv9_devices) / sizeof(*powernv9_devices); i++) {
		if (powernv9_devices[i].device != 0x04c1) {
			expect_device(host, &powernv9_devices[i]);
		}
	}
	(void)sim_host_free(host);
}

static void test_powernv8(void **state)
{
	struct sim_host *host = open_host("powernv8");

	(void)state;
	assert_int_equal(host->phb_count, 3);
	assert_int_equal(host->pe_count, 3);
	expect_powernv(host, 0x11011000);
	assert_int_equal(host->huge_pages[0], UINT64_C(16) << 20);
	assert_int_equal(host->huge_pages[1], UINT64_C(16) << 30);
	EXPECT_DEVICES(host, powernv8_devices);
	(void)sim_host_free(host);
}

static void expect_pseries(const struct sim_host *host)
{
	assert_int_equal(host->platform, SIM_PSERIES);
	assert_int_equal(host->phb_count, 5);
	assert_int_equal(host->pe_count, 5);
	for (size_t i = 0; i < host->phb_count; i++) {
		assert_int_equal(host->phbs[i].number, i);
		assert_int_equal(host->phbs[i].dma32_size, UINT64_C(1) << 30);
		assert_int_equal(host->phbs[i].page_sizes, 0x1211000);
		assert_int_equal(host->phbs[i].levels, 1);
		assert_int_equal(host->phbs[i].windows, 2);
		assert_true(host->phbs[i].resets_windows);
		assert_false(host->phbs[i].eeh);
	}
	EXPECT_DEVICES(host, pseries_devices);
}

static void test_pseries(void **state)
{
	struct sim_host *host = open_host("pseries");

	(void)state;
	expect_pseries(host);
	(void)sim_host_free(host);
}

static void test_x86(void **state)
{
	struct sim_host *host = open_host("x86");

	(void)state;
	assert_int_equal(host->platform, SIM_TYPE1);
	assert_null(host->fdt);
	assert_int_equal(host->pe_count, 12);
	assert_int_equal(host->dma_entry_limit, 65535);
	assert_int_equal(host->iova_range_count, 2);
	assert_int_equal(host->iova_ranges[0].last, 0xfedfffff);
	assert_int_equal(host->iova_ranges[1].first, 0xfef00000);
	assert_int_equal(host->phbs[0].page_sizes, 0x40201000);
	EXPECT_DEVICES(host, x86_devices);
	(void)sim_host_free(host);
}

/* Every e1000e has what VFIO looks for in its config space: MSI, MSI-X of five, PCIe. */
static void test_config_space_has_capabilities(void **state)
{
	(void)state;
	for (size_t i = 0; i < sim_builtin_host_count; i++) {
		struct sim_host *host = open_host(sim_builtin_hosts[i].name);
		bool is_powernv8 = strcmp(sim_builtin_hosts[i].name, "powernv8") == 0;
		size_t found = 0;

		for (size_t j = 0; j < host->device_count; j++) {
			const struct sim_device *device = &host->devices[j];
			size_t msix;

			if (device->vendor != 0x8086 || device->device != 0x10d3) {
				continue;
			}
			/* Behind the emulated PHB of POWER8 there is no extended space. */
			assert_int_equal(device->config_size, is_powernv8 ? 256 : 4096);
			msix = pci_config_find(device->config, device->config_size, 0x11);
			assert_int_not_equal(msix, 0);
			assert_int_equal(device->config[msix + 2], 4);
			assert_int_not_equal(
				pci_config_find(device->config, device->config_size, 0x05), 0);
			assert_int_not_equal(
				pci_config_find(device->config, device->config_size, 0x10), 0);
			assert_int_equal(device->config[pci_config_find(device->config,
									device->config_size, 1) +
							4] &
						 3,
					 0);
			found++;
		}
		assert_true(found >= 3);
		(void)sim_host_free(host);
	}
}

/* -- captures of the lab's guests, as they are -- */

static void test_captured_powernv_loads_unchanged(void **state)
{
	struct sim_host *host = open_host(TREES "/powernv8.dtb,devices=" HOSTS "/powernv8.ini");

	(void)state;
	assert_string_equal(host->name, "powernv8");
	expect_powernv(host, 0x11011000);
	EXPECT_DEVICES(host, powernv8_devices);
	(void)sim_host_free(host);
	host = open_host(TREES "/powernv8.dts,devices=" HOSTS "/powernv8.ini");
	EXPECT_DEVICES(host, powernv8_devices);
	(void)sim_host_free(host);
}

static void test_captured_pseries_loads_unchanged(void **state)
{
	struct sim_host *host = open_host(TREES "/pseries.dtb,devices=" HOSTS "/pseries.ini");

	(void)state;
	expect_pseries(host);
	(void)sim_host_free(host);
}

/* -- settings -- */

static void test_settings(void **state)
{
	struct sim_host *host = open_host(
		"powernv9,memlock=8388608,kernel=7.2,page-size=65536,pace=0,faults=ignore");

	(void)state;
	assert_int_equal(host->settings.memlock_limit, 8388608);
	assert_false(host->settings.memlock_own);
	assert_int_equal(host->settings.kernel, SIM_KERNEL(7, 2));
	assert_int_equal(host->page_shift, 16);
	assert_int_equal(host->settings.pace, 0);
	assert_false(host->settings.freezes);
	(void)sim_host_free(host);
	host = open_host("powernv9,memlock=own");
	assert_true(host->settings.memlock_own);
	assert_int_equal(host->settings.memlock_limit, UINT64_MAX);
	assert_int_equal(host->settings.kernel, SIM_KERNEL(6, 12));
	assert_int_equal(host->settings.pace, 100);
	assert_true(host->settings.freezes);
	(void)sim_host_free(host);
}

static void test_unknown_or_wrong_settings_are_named(void **state)
{
	static const char *const wrong[] = {
		"memlock=",       "memlock=-1",   "memlock=12x", "memlock=99999999999999999999",
		"memlock= 1",     "memlock",      "kernel=6.1",  "kernel=",
		"page-size=8192", "page-size=4k", "pace=fast",   "pace=-1",
		"pace=10001",     "faults=maybe", "faults",      "colour=red",
		"memlock=1=2",    "devices=",     "=1",          "",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		char text[128];
		char named[128];

		(void)snprintf(text, sizeof(text), "powernv9,pace=50,%s", wrong[i]);
		(void)snprintf(named, sizeof(named), "setting \"%s\"", wrong[i]);
		expect_refused(text, ERROR_INVALID_ARGUMENT, named);
	}
	expect_refused("powernv9,", ERROR_INVALID_ARGUMENT, "behind the comma");
	expect_refused("vax", ERROR_NOT_FOUND, "powernv8 powernv9 powernv10 pseries x86");
	expect_refused("", ERROR_NOT_FOUND, "no simulated host");
	expect_refused("x86,page-size=65536", ERROR_INVALID_ARGUMENT, "4096");
	expect_refused("./nowhere.dtb", ERROR_NOT_FOUND, "./nowhere.dtb");
	expect_refused("/proc/self/maps", ERROR_INVALID_ARGUMENT, "no device tree");
	expect_refused("/dev/null", ERROR_INVALID_ARGUMENT, "no file");
	expect_refused("powernv9,devices=/nowhere", ERROR_NOT_FOUND, "/nowhere");
	expect_refused(HOSTS "/x86.ini,devices=" HOSTS "/x86.ini", ERROR_INVALID_ARGUMENT,
		       "another");
}

/* -- trees made here -- */

struct tree {
	uint8_t fdt[FDT_SIZE] __attribute__((aligned(8)));
};

static void begin_powernv(struct tree *tree)
{
	assert_int_equal(fdt_create(tree->fdt, sizeof(tree->fdt)), 0);
	assert_int_equal(fdt_finish_reservemap(tree->fdt), 0);
	assert_int_equal(fdt_begin_node(tree->fdt, ""), 0);
	assert_int_equal(fdt_property_string(tree->fdt, "compatible", "ibm,powernv"), 0);
}

static void begin_phb(struct tree *tree, uint32_t number, uint32_t pes, uint32_t reserved)
{
	fdt32_t ranges[7] = {cpu_to_fdt32(0x2000000), 0, cpu_to_fdt32(0x80000000)};
	char name[32];

	(void)snprintf(name, sizeof(name), "pciex@%x", number);
	assert_int_equal(fdt_begin_node(tree->fdt, name), 0);
	assert_int_equal(fdt_property_string(tree->fdt, "compatible", "ibm,ioda3-phb"), 0);
	assert_int_equal(fdt_property_u64(tree->fdt, "ibm,opal-phbid", number), 0);
	assert_int_equal(fdt_property_u32(tree->fdt, "ibm,opal-num-pes", pes), 0);
	assert_int_equal(fdt_property_u32(tree->fdt, "ibm,opal-reserved-pe", reserved), 0);
	assert_int_equal(fdt_property(tree->fdt, "ranges", ranges, sizeof(ranges)), 0);
}

static void begin_device(struct tree *tree, uint8_t bus, uint8_t devfn, uint32_t class_code)
{
	fdt32_t reg[5] = {cpu_to_fdt32((uint32_t)bus << 16 | (uint32_t)devfn << 8)};
	char name[32];

	(void)snprintf(name, sizeof(name), "device@%x,%x", devfn >> 3, devfn & 7U);
	assert_int_equal(fdt_begin_node(tree->fdt, name), 0);
	assert_int_equal(fdt_property_u32(tree->fdt, "vendor-id", 0x1014), 0);
	assert_int_equal(fdt_property_u32(tree->fdt, "device-id", 0x1234), 0);
	assert_int_equal(fdt_property_u32(tree->fdt, "class-code", class_code), 0);
	assert_int_equal(fdt_property(tree->fdt, "reg", reg, sizeof(reg)), 0);
}

static void end_node(struct tree *tree)
{
	assert_int_equal(fdt_end_node(tree->fdt), 0);
}

static void end_tree(struct tree *tree)
{
	end_node(tree);
	assert_int_equal(fdt_finish(tree->fdt), 0);
}

#define BRIDGE   0x060400
#define ENDPOINT 0x020000

/*
 * A switch and a PCIe-to-PCI bridge:
 *   00:00.0 root port
 *     01:00.0 upstream port
 *       02:00.0 downstream port
 *         03:00.0 function
 *       02:01.0 downstream port
 *         04:00.0 PCIe-to-PCI bridge
 *           05:00.0 function
 *           05:01.0 PCI bridge
 *             06:00.0 function
 */
static void make_switch(struct tree *tree)
{
	begin_powernv(tree);
	begin_phb(tree, 0, 0x100, 0xff);
	begin_device(tree, 0, 0, BRIDGE);
	begin_device(tree, 1, 0, BRIDGE);
	begin_device(tree, 2, 0, BRIDGE);
	begin_device(tree, 3, 0, ENDPOINT);
	end_node(tree);
	end_node(tree);
	begin_device(tree, 2, 8, BRIDGE);
	begin_device(tree, 4, 0, BRIDGE);
	begin_device(tree, 5, 0, ENDPOINT);
	end_node(tree);
	begin_device(tree, 5, 8, BRIDGE);
	begin_device(tree, 6, 0, ENDPOINT);
	end_node(tree);
	end_node(tree);
	end_node(tree);
	end_node(tree);
	end_node(tree);
	end_node(tree);
	end_node(tree);
	end_tree(tree);
}

/* The header of a PCIe-to-PCI bridge. */
#define TO_PCI_BRIDGE                                                    \
	"config-000 = 14 10 34 12 00 00 10 00 00 00 04 06 00 00 01 00\n" \
	"config-030 = 00 00 00 00 40\n"                                  \
	"config-040 = 10 00 72 00\n"

static int make_host(const struct tree *tree, const char *list, struct sim_host **ret_host,
		     struct error *error)
{
	struct sim_host_source source = {
		.name = "test",
		.fdt_name = "test.dtb",
		.fdt = tree ? tree->fdt : NULL,
		.fdt_size = tree ? sizeof(tree->fdt) : 0,
		.list_name = "test.ini",
		.list = list,
		.list_size = list ? strlen(list) : 0,
		.settings = SIM_SETTINGS_DEFAULT,
	};

	return sim_host_new(&source, ret_host, error);
}

static void expect_pe(const struct sim_host *host, const char *name, uint32_t pe, int group)
{
	int index = sim_host_find_device(host, name);

	assert_true(index >= 0);
	assert_int_equal(host->devices[index].pe, pe);
	assert_int_equal(host->devices[index].group, group);
}

static void test_pe_of_each_bus_and_all_below_a_pci_bridge(void **state)
{
	struct tree tree;
	struct sim_host *host = NULL;
	struct error error;

	(void)state;
	make_switch(&tree);
	assert_int_equal(make_host(&tree, "[device 0000:04:00.0]\n" TO_PCI_BRIDGE, &host, &error),
			 0);
	expect_pe(host, "0000:00:00.0", 0xfe, SIM_NO_GROUP);
	expect_pe(host, "0000:01:00.0", 0xfd, SIM_NO_GROUP);
	expect_pe(host, "0000:02:00.0", 0xfc, SIM_NO_GROUP);
	expect_pe(host, "0000:02:01.0", 0xfc, SIM_NO_GROUP);
	expect_pe(host, "0000:03:00.0", 0xfb, 0);
	expect_pe(host, "0000:04:00.0", 0xfa, SIM_NO_GROUP);
	expect_pe(host, "0000:05:00.0", 0xf9, 1);
	/* The bridge came when the group was there. */
	expect_pe(host, "0000:05:01.0", 0xf9, 1);
	expect_pe(host, "0000:06:00.0", 0xf9, 1);
	assert_int_equal(host->pe_count, 2);
	(void)sim_host_free(host);
}

/* A PE that 64-bit memory has decided on, and numbers of groups that leave a hole. */
static void test_pe_and_group_of_the_list(void **state)
{
	static const char list[] = "[device 0000:03:00.0]\npe = 0xfd\ngroup = 5\n"
				   "[device 0000:05:00.0]\ngroup = 2\n";
	struct tree tree;
	struct sim_host *host = NULL;
	struct error error;

	(void)state;
	make_switch(&tree);
	assert_int_equal(make_host(&tree, list, &host, &error), 0);
	expect_pe(host, "0000:03:00.0", 0xfd, 5);
	/* Numbers go on beside it. */
	expect_pe(host, "0000:01:00.0", 0xfc, SIM_NO_GROUP);
	expect_pe(host, "0000:05:00.0", 0xf9, 2);
	expect_pe(host, "0000:06:00.0", 0xf8, 0);
	assert_int_equal(host->pe_count, 6);
	(void)sim_host_free(host);
}

static void test_reserved_pe_at_the_bottom(void **state)
{
	struct tree tree;
	struct sim_host *host = NULL;
	struct error error;

	(void)state;
	begin_powernv(&tree);
	begin_phb(&tree, 7, 8, 0);
	begin_device(&tree, 0, 0, BRIDGE);
	begin_device(&tree, 1, 0, ENDPOINT);
	end_node(&tree);
	end_node(&tree);
	end_node(&tree);
	end_tree(&tree);
	assert_int_equal(make_host(&tree, NULL, &host, &error), 0);
	expect_pe(host, "0007:00:00.0", 1, SIM_NO_GROUP);
	expect_pe(host, "0007:01:00.0", 7, 0);
	(void)sim_host_free(host);
}

/* get_phb_number: a number that is taken is replaced by the first free one. */
static void test_phbs_of_one_number(void **state)
{
	struct tree tree;
	struct sim_host *host = NULL;
	struct error error;

	(void)state;
	begin_powernv(&tree);
	for (int i = 0; i < 2; i++) {
		begin_phb(&tree, 3, 0x10, 0xf);
		begin_device(&tree, 0, 0, ENDPOINT);
		end_node(&tree);
		end_node(&tree);
	}
	end_tree(&tree);
	assert_int_equal(make_host(&tree, NULL, &host, &error), 0);
	expect_pe(host, "0003:00:00.0", 0xe, 0);
	expect_pe(host, "0000:00:00.0", 0xe, 1);
	(void)sim_host_free(host);
}

/* -- lists that are wrong -- */

struct wrong_list {
	const char *list;
	const char *words;
};

static void expect_wrong(const struct tree *tree, const struct wrong_list *wrong)
{
	struct sim_host *host = NULL;
	struct error error = {.text = ""};

	assert_int_equal(make_host(tree, wrong->list, &host, &error), ERROR_INVALID_ARGUMENT);
	if (!strstr(error.text, wrong->words)) {
		fail_msg("\"%s\" is not in \"%s\"", wrong->words, error.text);
	}
	assert_null(host);
}

#define DEVICE "[device 0000:03:00.0]\n"

static void test_lists_that_are_wrong_in_themselves(void **state)
{
	static const struct wrong_list wrong[] = {
		{"\nrubbish\n", "test.ini:2: neither"},
		{"key = 1\n", "test.ini:1: \"key\" stands in no section"},
		{"# a comment\n[hosts]\n", "test.ini:2: [hosts] is no section"},
		{"[host\n", "test.ini:1: a section's name"},
		{"[host]\n[host]\n", "test.ini:2: there is a [host] already"},
		{"[device 0000:03:00]\n", "test.ini:1: \"0000:03:00\" is no PCI address"},
		{"[device 0000:03:20.0]\n", "is no PCI address"},
		{"[device 0000:03:00.8]\n", "is no PCI address"},
		{DEVICE "\n" DEVICE, "test.ini:3: device 0000:03:00.0 has a section in line 1"},
		{DEVICE "colour = red\n", "test.ini:2: \"colour\" is no key of [device]"},
		{"[host]\ncolour = red\n", "test.ini:2: \"colour\" is no key of [host]"},
		{DEVICE "group = 1\ngroup = 1\n", "test.ini:3: \"group\" was given in line 2"},
		{DEVICE "group = 1\n  group = 1\n", "test.ini:3: \"group\" was given in line 2"},
		{DEVICE "group = x\n", "test.ini:2: group = x: a group's number"},
		{DEVICE "group = 16384\n", "test.ini:2: group = 16384"},
		{DEVICE "vendor = 0x10000\n", "test.ini:2: vendor = 0x10000: a number"},
		{DEVICE "revision = 256\n", "test.ini:2: revision = 256"},
		{DEVICE "driver = ../x\n", "test.ini:2: driver = ../x"},
		{DEVICE "driver = a b\n", "test.ini:2: driver"},
		{DEVICE "subsystem = 1014\n", "test.ini:2: subsystem"},
		{DEVICE "reset = often\n", "test.ini:2: reset = often"},
		{DEVICE "bridge = there\n", "test.ini:2: bridge = there"},
		{DEVICE "resource0 = 0x1000 0x1fff\n", "test.ini:2: resource0"},
		{DEVICE "region8 = 1 1 0x1000 rw\n", "test.ini:2: \"region8\" is no key"},
		{DEVICE "region17 = 1 1 0x1000 rw\n", "test.ini:2: \"region17\" is no key"},
		{DEVICE "region10 = 1 1 0x1000 rw\n", "test.ini:2: there is no region before"},
		{DEVICE "region9 = 1 1 0x1000\n", "test.ini:2: region9 = 1 1 0x1000: type"},
		{DEVICE "region9 = 1 1 0 rw\n", "type, subtype, size and some of rwm"},
		{DEVICE "region9 = 1 1 0x10000000001 rw\n", "type, subtype, size and some"},
		{DEVICE "region9 = 0x100000000 1 1 rw\n", "type, subtype, size and some"},
		{DEVICE "region9 = 1 1 0x1000 rr\n", "type, subtype, size and some of rwm"},
		{DEVICE "region9 = 1 1 0x1000 rw 0-0xfff\n", "are of a region with m"},
		{DEVICE "region9 = 1 1 0x1000 rm 0x1000\n", "FIRST-LAST is wanted"},
		{DEVICE "region9 = 1 1 0x1000 rm 0-0x1000\n", "is not in the region"},
		{DEVICE "region9 = 1 1 0x1000 rm 1-0\n", "is not in the region"},
		{DEVICE "region9 = 1 1 9 rm 0-0 1-1 2-2 3-3 4-4 5-5 6-6 7-7 8-8\n",
		 "that are too many parts"},
		{DEVICE "resource0 = 0x2000 0x1fff 0x200\n", "it ends before it begins"},
		{DEVICE "resource0 = 0 0xffffffffffffffff 0x200\n", "as large as all there is"},
		{DEVICE "resource0 = 0x1000 0x1ffe 0x200\n", "test.ini:2: a BAR of 0xfff bytes"},
		{DEVICE "resource17 = 0 1 2\n", "test.ini:2: \"resource17\" is no key"},
		{DEVICE "config-000 = 1\n", "test.ini:2: config-000 = 1: bytes of two digits"},
		{DEVICE "config-000 = 00 0g\n", "bytes of two digits"},
		{DEVICE "config-ffe = 00 00 00\n", "below 0x1000"},
		{DEVICE "config-1000 = 00\n", "test.ini:2: config-1000"},
		{DEVICE "config-010 = 00\nconfig-000 = 00\n", "test.ini:3: config-000"},
		{DEVICE "config-800-7ff = ff\n", "test.ini:2: config-800-7ff"},
		{DEVICE "config-size = 512\n", "test.ini:2: config-size = 512"},
		{DEVICE "config-200 = 01\nconfig-size = 256\n", "test.ini:3: config-size = 256"},
		{"[host]\nkernel = 5.10\n", "test.ini:2: kernel = 5.10: 6.12 or 7.2"},
		{"[host]\npage-size = 1\n", "test.ini:2: page-size = 1"},
		{"[host]\nplatform = vax\n", "test.ini:2: platform = vax"},
		{"[host]\neeh = maybe\n", "test.ini:2: eeh = maybe"},
		{"[host]\nhuge-pages = 3\n", "test.ini:2: huge-pages = 3"},
		{"[host]\niova-ranges = 5-4\n", "test.ini:2: iova-ranges = 5-4"},
		{"[host]\niova-ranges = 0-9 9-12\n", "the ranges overlap"},
		{"[host]\ndma-entry-limit = 0\n", "test.ini:2: dma-entry-limit = 0"},
		{"[host]\nreserved-regions = 1-2\n", "test.ini:2: reserved-regions"},
		{"[host]\niommu = ../dmar0\n", "test.ini:2: iommu"},
	};
	struct tree tree;

	(void)state;
	make_switch(&tree);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		expect_wrong(&tree, &wrong[i]);
	}
}

static void test_long_lines_and_zero_bytes(void **state)
{
	static const char zero[] = DEVICE "driver = vf\0o\n";
	char text[600] = DEVICE "driver = ";
	struct sim_host *host = NULL;
	struct error error;
	struct sim_host_source source = {
		.name = "test",
		.list_name = "test.ini",
		.list = zero,
		.list_size = sizeof(zero) - 1,
	};

	(void)state;
	assert_int_equal(sim_host_new(&source, &host, &error), ERROR_INVALID_ARGUMENT);
	assert_non_null(strstr(error.text, "test.ini:2: there is a zero byte"));
	memset(text + strlen(text), 'a', 400);
	expect_wrong(NULL, &(struct wrong_list){text, "test.ini:2: the line is longer"});
}

static void test_lists_that_contradict_the_tree(void **state)
{
	static const struct wrong_list wrong[] = {
		{"[device 0000:03:01.0]\n", "test.ini:1: device 0000:03:01.0 is not in the device"},
		{DEVICE "vendor = 0x8086\n", "test.ini:2: vendor = 0x8086, but it is 0x1014"},
		{DEVICE "device = 1\n", "test.ini:2: device = 0x1, but it is 0x1234"},
		{DEVICE "class = 0x010000\n", "test.ini:2: class = 0x10000, but it is 0x20000"},
		{DEVICE "revision = 3\n", "test.ini:2: revision = 0x3, but it is 0x0"},
		{DEVICE "bridge = 0000:00:00.0\n", "test.ini:2: bridge = 0000:00:00.0, but it is "
						   "0000:02:00.0"},
		{DEVICE "bridge = none\n", "test.ini:2: bridge = none"},
		{DEVICE "config-000 = 86 80\n", "test.ini:2: config space: vendor = 0x8086"},
		{DEVICE "config-000 = 14 10 34 12 00 00 00 00 00 00 00 02 00 00 01 00\n",
		 "the header is that of a bridge"},
		{"[host]\nplatform = pseries\n", "test.ini:2: the device tree is one of another"},
		{"[host]\niommu-page-sizes = 0x1000\n", "test.ini:2: the device tree says it"},
		{"[host]\niova-ranges = 0-1\n", "test.ini:2: this is for hosts of platform type1"},
		/* groups and PEs */
		{DEVICE "group = none\n", "test.ini:2: group = none, but"},
		{"[device 0000:02:00.0]\ngroup = 1\n", "test.ini:2: a bridge that comes first"},
		{DEVICE "group = 1\n[device 0000:05:00.0]\ngroup = 1\n",
		 "test.ini:4: group = 1 is the PE of 0000:03:00.0"},
		{"[device 0000:05:00.0]\ngroup = 1\n[device 0000:05:01.0]\ngroup = 2\n",
		 "test.ini:4: group = 2, but the device shares the PE of 0000:05:00.0"},
		{DEVICE "pe = 0x100\n", "test.ini:2: pe = 0x100 of 0x100"},
		{DEVICE "pe = 0xff\n", "test.ini:2: pe = 0xff"},
		{DEVICE "pe = 0xfe\n", "test.ini:2: pe = 0xfe"},
		{DEVICE "pe = 3\n[device 0000:05:00.0]\npe = 3\n",
		 "test.ini:4: pe = 0x3 is that of 0000:03:00.0"},
		{"[device 0000:02:00.0]\npe = 3\n[device 0000:02:01.0]\npe = 4\n",
		 "test.ini:4: pe = 0x4, but its bus is PE 0x3"},
		/* BARs */
		{DEVICE "resource0 = 0x1000 0x1fff 0x200\nresource2 = 0x1800 0x1fff 0x200\n",
		 "test.ini:3: BARs of 0000:03:00.0 and 0000:03:00.0 overlap at 0x1800"},
		{DEVICE "resource0 = 0x1000 0x1fff 0x200\n[device 0000:05:00.0]\n"
			"resource0 = 0x1000 0x1fff 0x200\n",
		 "test.ini:4: BARs of"},
	};
	struct tree tree;

	(void)state;
	make_switch(&tree);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		expect_wrong(&tree, &wrong[i]);
	}
}

static void test_lists_alone(void **state)
{
	static const struct wrong_list wrong[] = {
		{"[host]\nplatform = powernv\n", "test.ini:2: a host of this platform"},
		{"[host]\neeh = yes\n", "test.ini:2: only POWER hosts have EEH"},
		{"[host]\n", "no PCI device in an IOMMU group"},
		{DEVICE "vendor = 1\ndevice = 1\n", "no PCI device in an IOMMU group"},
		{DEVICE "pe = 1\ngroup = 1\n", "test.ini:2: PE numbers"},
		{DEVICE "bridge = 0000:00:00.0\ngroup = 1\n",
		 "test.ini:2: there is no such bridge"},
		{DEVICE "bridge = 0000:03:00.0\ngroup = 1\n",
		 "test.ini:2: there is no such bridge"},
		{"[device 0000:00:00.0]\ngroup = 0\n" DEVICE "bridge = 0000:00:00.0\ngroup = 1\n",
		 "test.ini:4: 0000:00:00.0 is no bridge"},
		{"[device 0000:01:00.0]\nbridge = 0000:02:00.0\nclass = 0x060400\n"
		 "[device 0000:02:00.0]\nbridge = 0000:01:00.0\nclass = 0x060400\n",
		 "in a circle"},
		{"[device 0000:01:00.0]\nbridge = none\ngroup = 0\n[device 0000:00:00.0]\n"
		 "class = 0x060400\n[device 0000:01:01.0]\nbridge = 0000:00:00.0\ngroup = 1\n",
		 "another bridge leads to its bus"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		expect_wrong(NULL, &wrong[i]);
	}
}

/* -- trees that are wrong -- */

static void expect_wrong_tree(const struct tree *tree, const char *words)
{
	expect_wrong(tree, &(struct wrong_list){NULL, words});
}

static void test_trees_that_are_none(void **state)
{
	struct tree tree = {.fdt = "no device tree"};

	(void)state;
	expect_wrong_tree(&tree, "test.dtb: no device tree");
	assert_int_equal(fdt_create_empty_tree(tree.fdt, sizeof(tree.fdt)), 0);
	expect_wrong_tree(&tree, "host test has no PCI device");
	begin_powernv(&tree);
	end_tree(&tree);
	expect_wrong_tree(&tree, "host test has no PCI device");
}

static void one_phb(struct tree *tree, uint32_t pes, uint32_t reserved)
{
	begin_powernv(tree);
	begin_phb(tree, 0, pes, reserved);
}

static void test_trees_with_absurd_values(void **state)
{
	struct tree tree;

	(void)state;
	one_phb(&tree, 0, 0);
	end_node(&tree);
	end_tree(&tree);
	expect_wrong_tree(&tree, "test.dtb: /pciex@0: ibm,opal-num-pes");
	one_phb(&tree, UINT32_MAX, 0);
	end_node(&tree);
	end_tree(&tree);
	expect_wrong_tree(&tree, "test.dtb: /pciex@0: ibm,opal-num-pes");
	/* The root bus's PE would be the second. */
	one_phb(&tree, 1, 0);
	end_node(&tree);
	end_tree(&tree);
	expect_wrong_tree(&tree, "ibm,opal-num-pes of 1");
	one_phb(&tree, 16, 16);
	end_node(&tree);
	end_tree(&tree);
	expect_wrong_tree(&tree, "ibm,opal-reserved-pe of 16");
	one_phb(&tree, 16, 15);
	assert_int_equal(fdt_property_u32(tree.fdt, "ibm,supported-tce-sizes", 200), 0);
	end_node(&tree);
	end_tree(&tree);
	expect_wrong_tree(&tree, "test.dtb: /pciex@0: ibm,supported-tce-sizes has 2^200");
	/* Two devices at one place; then more buses than PEs. */
	one_phb(&tree, 16, 15);
	begin_device(&tree, 0, 0, ENDPOINT);
	end_node(&tree);
	begin_device(&tree, 0, 0, ENDPOINT);
	end_node(&tree);
	end_node(&tree);
	end_tree(&tree);
	expect_wrong_tree(&tree, "test.dtb: /pciex@0/device@0,0 (0000:00:00.0): another device");
	one_phb(&tree, 3, 2);
	for (uint8_t bus = 1; bus < 4; bus++) {
		begin_device(&tree, 0, (uint8_t)(bus << 3), BRIDGE);
		begin_device(&tree, bus, 0, ENDPOINT);
		end_node(&tree);
		end_node(&tree);
	}
	end_node(&tree);
	end_tree(&tree);
	expect_wrong_tree(&tree, "(0000:02:00.0): its PHB has no PE left");
}

/* Names would become paths. */
static void test_trees_whose_names_lead_elsewhere(void **state)
{
	struct tree tree;

	(void)state;
	one_phb(&tree, 16, 15);
	assert_int_equal(fdt_property_u32(tree.fdt, "../../x", 1), 0);
	end_node(&tree);
	end_tree(&tree);
	expect_wrong_tree(&tree, "the name of a property");
	begin_powernv(&tree);
	assert_int_equal(fdt_begin_node(tree.fdt, ".."), 0);
	end_node(&tree);
	end_tree(&tree);
	expect_wrong_tree(&tree, "the name of a node");
}

static void test_an_lpar_without_dynamic_windows(void **state)
{
	fdt32_t window[5] = {cpu_to_fdt32(1), 0, 0, 0, cpu_to_fdt32(0x10000000)};
	fdt32_t reg[2] = {0, cpu_to_fdt32(4)};
	struct tree tree;
	struct sim_host *host = NULL;
	struct error error;

	(void)state;
	assert_int_equal(fdt_create(tree.fdt, sizeof(tree.fdt)), 0);
	assert_int_equal(fdt_finish_reservemap(tree.fdt), 0);
	assert_int_equal(fdt_begin_node(tree.fdt, ""), 0);
	assert_int_equal(fdt_property_string(tree.fdt, "device_type", "chrp"), 0);
	assert_int_equal(fdt_begin_node(tree.fdt, "rtas"), 0);
	end_node(&tree);
	assert_int_equal(fdt_begin_node(tree.fdt, "pci@4"), 0);
	assert_int_equal(fdt_property_string(tree.fdt, "device_type", "pci"), 0);
	assert_int_equal(fdt_property(tree.fdt, "reg", reg, sizeof(reg)), 0);
	assert_int_equal(fdt_property_u32(tree.fdt, "#address-cells", 2), 0);
	assert_int_equal(fdt_property_u32(tree.fdt, "#size-cells", 2), 0);
	assert_int_equal(fdt_property(tree.fdt, "ibm,dma-window", window, sizeof(window)), 0);
	begin_device(&tree, 0, 0, ENDPOINT);
	end_node(&tree);
	end_node(&tree);
	end_tree(&tree);
	assert_int_equal(make_host(&tree, NULL, &host, &error), 0);
	assert_int_equal(host->platform, SIM_PSERIES);
	assert_int_equal(host->phbs[0].number, 4);
	assert_int_equal(host->phbs[0].dma32_size, 0x10000000);
	/* H38 */
	assert_int_equal(host->phbs[0].windows, UINT_MAX);
	assert_int_equal(host->phbs[0].page_sizes, 4096);
	assert_false(host->phbs[0].resets_windows);
	(void)sim_host_free(host);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_powernv9),
		cmocka_unit_test(test_powernv10),
		cmocka_unit_test(test_powernv8),
		cmocka_unit_test(test_pseries),
		cmocka_unit_test(test_x86),
		cmocka_unit_test(test_config_space_has_capabilities),
		cmocka_unit_test(test_captured_powernv_loads_unchanged),
		cmocka_unit_test(test_captured_pseries_loads_unchanged),
		cmocka_unit_test(test_settings),
		cmocka_unit_test(test_unknown_or_wrong_settings_are_named),
		cmocka_unit_test(test_pe_of_each_bus_and_all_below_a_pci_bridge),
		cmocka_unit_test(test_pe_and_group_of_the_list),
		cmocka_unit_test(test_reserved_pe_at_the_bottom),
		cmocka_unit_test(test_phbs_of_one_number),
		cmocka_unit_test(test_lists_that_are_wrong_in_themselves),
		cmocka_unit_test(test_long_lines_and_zero_bytes),
		cmocka_unit_test(test_lists_that_contradict_the_tree),
		cmocka_unit_test(test_lists_alone),
		cmocka_unit_test(test_trees_that_are_none),
		cmocka_unit_test(test_trees_with_absurd_values),
		cmocka_unit_test(test_trees_whose_names_lead_elsewhere),
		cmocka_unit_test(test_an_lpar_without_dynamic_windows),
	};

	return cmocka_run_group_tests_name("sim-host", tests, NULL, NULL);
}
