/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* PCI host bridges of device trees: what is right, and what is wrong in every way. */
#include <libfdt.h>
#include <stdlib.h>
#include <string.h>

#include "host/phb.h"
#include "unit.h"

static _Alignas(8) char blob[1 << 20];

static const struct device_tree *tree_of_blob(void)
{
	return (const struct device_tree *)(const void *)blob;
}

static void add_cells(const char *name, const uint32_t *cells, size_t count)
{
	fdt32_t value[32];

	assert_true(count <= 32);
	for (size_t i = 0; i < count; i++) {
		value[i] = cpu_to_fdt32(cells[i]);
	}
	assert_int_equal(fdt_property(blob, name, value, (int)(count * sizeof(*value))), 0);
}

#define CELLS(name, ...)                                   \
	add_cells((name), (const uint32_t[]){__VA_ARGS__}, \
		  sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))

static void add_text(const char *name, const char *text)
{
	assert_int_equal(fdt_property(blob, name, text, (int)strlen(text) + 1), 0);
}

static void begin_tree(void)
{
	assert_int_equal(fdt_create(blob, sizeof(blob)), 0);
	assert_int_equal(fdt_finish_reservemap(blob), 0);
	assert_int_equal(fdt_begin_node(blob, ""), 0);
}

static void begin_node(const char *name)
{
	assert_int_equal(fdt_begin_node(blob, name), 0);
}

static void end_node(void)
{
	assert_int_equal(fdt_end_node(blob), 0);
}

static void end_tree(void)
{
	end_node();
	assert_int_equal(fdt_finish(blob), 0);
	assert_int_equal(fdt_check_full(blob, sizeof(blob)), 0);
}

static struct topology_phb *read_phbs(bool opal, size_t expected)
{
	struct topology_phb *phbs = NULL;
	size_t count = 0;

	end_tree();
	assert_int_equal(phb_read_all(tree_of_blob(), opal, &phbs, &count), 0);
	assert_int_equal(count, expected);
	return phbs;
}

/* The tree's only PHB. */
static struct topology_phb read_phb(bool opal)
{
	struct topology_phb *phbs = read_phbs(opal, 1);
	struct topology_phb phb = phbs[0];

	free(phbs);
	return phb;
}

static void begin_opal(const char *name, const char *kinds, int size)
{
	begin_node(name);
	assert_int_equal(fdt_property(blob, "compatible", kinds, size), 0);
}

#define POWER9 "ibm,power9-pciex\0ibm,ioda3-phb"

static void begin_power9(void)
{
	begin_tree();
	begin_opal("pciex@600c3c0100000", POWER9, sizeof(POWER9));
}

static struct topology_phb end_opal(void)
{
	end_node();
	return read_phb(true);
}

static void begin_papr(void)
{
	begin_tree();
	begin_node("pci@800000020000003");
	add_text("device_type", "pci");
}

static struct topology_phb end_papr(void)
{
	end_node();
	return read_phb(false);
}

static void expect_unknown(const struct topology_phb *phb)
{
	assert_int_equal(phb->pe_count, PHB_UNKNOWN);
	assert_int_equal(phb->reserved_pe, PHB_UNKNOWN);
	assert_int_equal(phb->msi_count, PHB_UNKNOWN);
	assert_int_equal(phb->tce_sizes, 0);
	assert_false(phb->ddw);
	assert_false(phb->ddw_reset);
	assert_int_equal(phb->liobn, PHB_UNKNOWN);
	assert_int_equal(phb->window.size, 0);
	assert_string_equal(phb->location, "");
}

/* -- bare metal -- */

static void test_no_phbs(void **state)
{
	struct topology_phb *phbs;

	(void)state;
	begin_tree();
	phbs = read_phbs(true, 0);
	assert_null(phbs);
	begin_tree();
	phbs = read_phbs(false, 0);
	assert_null(phbs);
}

static void test_power9(void **state)
{
	struct topology_phb phb;

	(void)state;
	begin_power9();
	CELLS("ibm,opal-phbid", 0, 1);
	CELLS("ibm,opal-num-pes", 0x200);
	CELLS("ibm,opal-reserved-pe", 0x1ff);
	CELLS("ibm,opal-msi-ranges", 0xfe000, 0xff8, 0x100, 8);
	CELLS("ibm,supported-tce-sizes", 12, 16, 21, 30);
	CELLS("ranges", 0x2000000, 0, 0x80000000, 0x600c0, 0, 0, 0x7fff0000);
	phb = end_opal();
	assert_int_equal(phb.id, 1);
	assert_int_equal(phb.domain, 1);
	assert_string_equal(phb.node, "pciex@600c3c0100000");
	assert_string_equal(phb.kind, "ibm,power9-pciex");
	assert_int_equal(phb.pe_count, 0x200);
	assert_int_equal(phb.reserved_pe, 0x1ff);
	assert_int_equal(phb.msi_count, 0x1000);
	assert_int_equal(phb.tce_sizes, 0x40211000);
	assert_int_equal(phb.window.start, 0);
	assert_int_equal(phb.window.size, 0x80000000);
	assert_int_equal(phb.liobn, PHB_UNKNOWN);
	assert_false(phb.ddw);
	assert_false(phb.eeh);
}

static void test_nothing_known(void **state)
{
	struct topology_phb phb;

	(void)state;
	begin_power9();
	phb = end_opal();
	assert_int_equal(phb.id, PHB_UNKNOWN);
	assert_int_equal(phb.domain, 0);
	expect_unknown(&phb);
	begin_papr();
	phb = end_papr();
	assert_int_equal(phb.domain, 0);
	assert_string_equal(phb.kind, "");
	expect_unknown(&phb);
}

/* Bytes that are no whole cells. */
static void test_short_properties(void **state)
{
	static const char *const names[] = {
		"ibm,opal-phbid",
		"ibm,opal-num-pes",
		"ibm,opal-reserved-pe",
		"ibm,opal-msi-ranges",
		"ranges",
		"reg",
		"ibm,supported-tce-sizes",
		"ibm,pe-total-#msi",
		"ibm,ddw-applicable",
		"ibm,ddw-extensions",
		"ibm,dma-window",
		"ibm,my-dma-window",
		"linux,pci-domain",
		"ibm,#dma-size-cells",
		"ibm,slot-location-code",
		"ibm,loc-code",
		"ibm,slot-label",
		"ibm,io-base-loc-code",
	};
	static const char bytes[] = {0, 0, 0};

	(void)state;
	for (int size = 0; size <= (int)sizeof(bytes); size++) {
		for (int papr = 0; papr <= 1; papr++) {
			struct topology_phb phb;

			if (papr) {
				begin_papr();
			} else {
				begin_power9();
			}
			for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
				assert_int_equal(fdt_property(blob, names[i], bytes, size), 0);
			}
			phb = papr ? end_papr() : end_opal();
			expect_unknown(&phb);
		}
	}
}

static void test_numbers_that_can_not_be(void **state)
{
	struct topology_phb phb;

	(void)state;
	begin_power9();
	CELLS("ibm,opal-phbid", 1, 0);
	CELLS("ibm,opal-num-pes", 0);
	CELLS("ibm,opal-reserved-pe", 0);
	CELLS("ibm,opal-msi-ranges", 0, 0xfffffff0, 0, 0x10);
	CELLS("ibm,supported-tce-sizes", 0, 11, 63, 64, 0xffffffff);
	CELLS("ranges", 0x2000000, 1, 0, 0, 0, 0, 0x1000);
	phb = end_opal();
	assert_int_equal(phb.id, PHB_UNKNOWN);
	expect_unknown(&phb);
	begin_power9();
	CELLS("ibm,opal-num-pes", 0x100);
	CELLS("ibm,opal-reserved-pe", 0x100);
	phb = end_opal();
	assert_int_equal(phb.pe_count, 0x100);
	assert_int_equal(phb.reserved_pe, PHB_UNKNOWN);
	begin_power9();
	CELLS("ibm,opal-num-pes", 0x10001);
	CELLS("ibm,opal-reserved-pe", 1);
	phb = end_opal();
	expect_unknown(&phb);
}

/* Memory space of 32 bits is not always the first of the ranges. */
static void test_window_below_memory(void **state)
{
	struct topology_phb phb;

	(void)state;
	begin_power9();
	CELLS("ranges", 0x1000000, 0, 0x5000, 0, 0, 0, 0x10000, 0x3000000, 0x2100, 0, 0x2100, 0,
	      0x100, 0, 0x2000000, 0, 0x40000000, 0, 0, 0, 0x1000);
	phb = end_opal();
	assert_int_equal(phb.window.size, 0x40000000);
	begin_power9();
	CELLS("ranges", 0x2000000, 0, 0x40000000, 0, 0, 0);
	phb = end_opal();
	assert_int_equal(phb.window.size, 0);
}

/* Others, and those that aren't available, are none. */
static void test_which_nodes(void **state)
{
	struct topology_phb *phbs;

	(void)state;
	begin_tree();
	begin_opal("pciex@3", POWER9, sizeof(POWER9));
	CELLS("ibm,opal-phbid", 0, 3);
	end_node();
	begin_opal("pciex@2", "ibm,ioda2-phb", sizeof("ibm,ioda2-phb"));
	CELLS("ibm,opal-phbid", 0, 2);
	add_text("status", "okay");
	end_node();
	begin_opal("pciex@1", POWER9, sizeof(POWER9));
	add_text("status", "disabled");
	end_node();
	begin_opal("p5ioc2@1", "ibm,ioda-phb", sizeof("ibm,ioda-phb"));
	end_node();
	begin_node("deep");
	begin_opal("pciex@9", "ibm,ioda2-npu2-opencapi-phb", sizeof("ibm,ioda2-npu2-opencapi-phb"));
	CELLS("ibm,opal-phbid", 0, 1);
	end_node();
	end_node();
	phbs = read_phbs(true, 3);
	assert_string_equal(phbs[0].node, "pciex@9");
	assert_string_equal(phbs[1].node, "pciex@2");
	assert_string_equal(phbs[2].node, "pciex@3");
	free(phbs);
}

static void test_very_many(void **state)
{
	static const char name[] = "pci";
	struct topology_phb *phbs;

	(void)state;
	begin_tree();
	for (unsigned int i = 0; i < PHB_MANY + 3; i++) {
		begin_node(name);
		add_text("device_type", "pci");
		end_node();
	}
	phbs = read_phbs(false, PHB_MANY);
	free(phbs);
}

/* -- locations -- */

static void test_locations(void **state)
{
	struct topology_phb phb;

	(void)state;
	begin_power9();
	add_text("ibm,io-base-loc-code", "U78CB-P1");
	phb = end_opal();
	assert_string_equal(phb.location, "U78CB-P1");
	begin_power9();
	add_text("ibm,io-base-loc-code", "U78CB-P1");
	begin_node("device@1");
	CELLS("class-code", 0x20000);
	add_text("ibm,loc-code", "U78CB-P1-T1");
	end_node();
	begin_node("pci@0");
	CELLS("class-code", 0x60400);
	add_text("ibm,slot-label", "Slot1");
	end_node();
	phb = end_opal();
	assert_string_equal(phb.location, "Slot1");
	begin_power9();
	add_text("ibm,slot-label", "C5");
	add_text("ibm,loc-code", "U78CB-P1-C5");
	begin_node("pci@0");
	CELLS("class-code", 0x60400);
	add_text("ibm,slot-label", "Slot1");
	end_node();
	phb = end_opal();
	assert_string_equal(phb.location, "U78CB-P1-C5");
}

static void test_bad_texts(void **state)
{
	char endless[PHB_TEXT_SIZE + 1];
	struct topology_phb phb;

	(void)state;
	begin_tree();
	begin_node("pci@1");
	add_text("device_type", "pci");
	assert_int_equal(fdt_property(blob, "ibm,slot-location-code", "U78", 3), 0);
	add_text("ibm,loc-code", "U78\x1b[31m");
	add_text("ibm,slot-label", "");
	memset(endless, 'x', PHB_TEXT_SIZE);
	endless[PHB_TEXT_SIZE] = '\0';
	add_text("ibm,io-base-loc-code", endless);
	add_text("compatible", "\xff");
	phb = end_papr();
	assert_string_equal(phb.location, "");
	assert_string_equal(phb.kind, "");
}

/* -- partitions -- */

static void test_partition(void **state)
{
	struct topology_phb phb;

	(void)state;
	begin_papr();
	add_text("compatible", "IBM,Logical_PHB");
	add_text("ibm,loc-code", "U9009-V1-C3");
	CELLS("reg", 0x8000000, 0x20000003, 0, 0);
	CELLS("#address-cells", 3);
	CELLS("#size-cells", 2);
	CELLS("ibm,#dma-address-cells", 2);
	CELLS("ibm,#dma-size-cells", 2);
	CELLS("ibm,dma-window", 0x80000300, 0, 0, 0, 0x40000000);
	CELLS("ibm,pe-total-#msi", 0xd00);
	CELLS("ibm,ddw-applicable", 0x2026, 0x2027, 0x2028);
	CELLS("ibm,ddw-extensions", 2, 0x2029, 1);
	phb = end_papr();
	assert_int_equal(phb.id, PHB_UNKNOWN);
	assert_int_equal(phb.domain, 3);
	assert_string_equal(phb.kind, "IBM,Logical_PHB");
	assert_string_equal(phb.location, "U9009-V1-C3");
	assert_int_equal(phb.liobn, 0x80000300);
	assert_int_equal(phb.window.start, 0);
	assert_int_equal(phb.window.size, 0x40000000);
	assert_int_equal(phb.msi_count, 0xd00);
	assert_true(phb.ddw);
	assert_int_equal(phb.ddw_tokens[0], 0x2026);
	assert_int_equal(phb.ddw_tokens[2], 0x2028);
	assert_true(phb.ddw_reset);
	assert_int_equal(phb.ddw_reset_token, 0x2029);
}

static void test_domain(void **state)
{
	struct topology_phb phb;

	(void)state;
	begin_papr();
	CELLS("reg", 0x8000000, 0x20010007);
	phb = end_papr();
	assert_int_equal(phb.domain, 7);
	begin_papr();
	CELLS("reg", 0x8000000, 0x20010007);
	CELLS("linux,pci-domain", 0x10009);
	phb = end_papr();
	assert_int_equal(phb.domain, 9);
}

/* Without cells of their own windows have those of the node; three are none of a DMA address. */
static void test_cells_of_windows(void **state)
{
	struct topology_phb phb;

	(void)state;
	begin_papr();
	CELLS("ibm,dma-window", 0x1000, 0x2000, 0x40000000);
	phb = end_papr();
	assert_int_equal(phb.liobn, 0x1000);
	assert_int_equal(phb.window.start, 0x2000);
	assert_int_equal(phb.window.size, 0x40000000);
	begin_papr();
	CELLS("#address-cells", 2);
	CELLS("#size-cells", 1);
	CELLS("ibm,my-dma-window", 0x1000, 1, 0, 0x40000000);
	phb = end_papr();
	assert_int_equal(phb.window.start, UINT64_C(1) << 32);
	begin_papr();
	CELLS("#address-cells", 3);
	CELLS("#size-cells", 2);
	CELLS("ibm,dma-window", 0x1000, 0, 0, 0, 0, 0x40000000);
	phb = end_papr();
	expect_unknown(&phb);
	begin_papr();
	CELLS("ibm,#dma-address-cells", 0);
	CELLS("ibm,dma-window", 0x1000, 0, 0x40000000);
	phb = end_papr();
	expect_unknown(&phb);
}

static void test_windows_that_can_not_be(void **state)
{
	struct topology_phb phb;

	(void)state;
	begin_papr();
	CELLS("ibm,dma-window", 0x1000, 0, 0);
	phb = end_papr();
	expect_unknown(&phb);
	begin_papr();
	CELLS("ibm,#dma-address-cells", 2);
	CELLS("ibm,#dma-size-cells", 2);
	CELLS("ibm,dma-window", 0x1000, 0xffffffff, 0, 1, 1);
	phb = end_papr();
	expect_unknown(&phb);
	begin_papr();
	CELLS("ibm,#dma-address-cells", 2);
	CELLS("ibm,#dma-size-cells", 2);
	CELLS("ibm,dma-window", 0x1000, 0, 0, 0);
	phb = end_papr();
	expect_unknown(&phb);
}

static void test_dynamic_windows(void **state)
{
	struct topology_phb phb;

	(void)state;
	begin_papr();
	CELLS("ibm,ddw-applicable", 0x2026, 0x2027);
	CELLS("ibm,ddw-extensions", 1, 0x2029);
	phb = end_papr();
	expect_unknown(&phb);
	begin_papr();
	CELLS("ibm,ddw-applicable", 0x2026, 0x2027, 0x2028);
	CELLS("ibm,ddw-extensions", 0, 0x2029);
	phb = end_papr();
	assert_true(phb.ddw);
	assert_false(phb.ddw_reset);
	begin_papr();
	CELLS("ibm,ddw-applicable", 0x2026, 0x2027, 0x2028);
	CELLS("ibm,ddw-extensions", 3);
	phb = end_papr();
	assert_false(phb.ddw_reset);
	/* On the slot of a PHB that is shared. */
	begin_papr();
	begin_node("pci@2");
	CELLS("ibm,ddw-applicable", 1, 2, 3);
	CELLS("ibm,ddw-extensions", 1, 4);
	end_node();
	phb = end_papr();
	assert_int_equal(phb.ddw_tokens[1], 2);
	assert_int_equal(phb.ddw_reset_token, 4);
}

/* -- EEH -- */

/* RTAS with all calls, but without those that contain the word. */
static enum eeh_firmware read_firmware(const char *without)
{
	static const char *const calls[] = {
		"ibm,set-eeh-option",    "ibm,set-slot-reset", "ibm,read-slot-reset-state2",
		"ibm,slot-error-detail", "ibm,configure-pe",   "ibm,get-config-addr-info2",
	};

	begin_tree();
	begin_node("rtas");
	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
		if (!without || !strstr(calls[i], without)) {
			CELLS(calls[i], 0x2020 + (uint32_t)i);
		}
	}
	end_node();
	end_tree();
	return phb_read_eeh_firmware(tree_of_blob(), false);
}

static void test_eeh_firmware(void **state)
{
	(void)state;
	assert_int_equal(read_firmware(NULL), EEH_FIRMWARE_RTAS);
	assert_int_equal(read_firmware("info2"), EEH_FIRMWARE_RTAS);
	assert_int_equal(read_firmware("set-eeh-option"), EEH_FIRMWARE_NONE);
	assert_int_equal(read_firmware("set-slot-reset"), EEH_FIRMWARE_NONE);
	assert_int_equal(read_firmware("reset-state2"), EEH_FIRMWARE_NONE);
	assert_int_equal(read_firmware("slot-error-detail"), EEH_FIRMWARE_NONE);
	assert_int_equal(read_firmware("configure-pe"), EEH_FIRMWARE_NONE);
	begin_tree();
	end_tree();
	assert_int_equal(phb_read_eeh_firmware(tree_of_blob(), true), EEH_FIRMWARE_OPAL);
	assert_int_equal(phb_read_eeh_firmware(tree_of_blob(), false), EEH_FIRMWARE_NONE);
}

/* Names that the calls had before. */
static void test_older_rtas(void **state)
{
	(void)state;
	begin_tree();
	begin_node("rtas");
	CELLS("ibm,set-eeh-option", 1);
	CELLS("ibm,set-slot-reset", 2);
	CELLS("ibm,slot-error-detail", 3);
	CELLS("ibm,read-slot-reset-state", 4);
	CELLS("ibm,configure-bridge", 5);
	end_node();
	end_tree();
	assert_int_equal(phb_read_eeh_firmware(tree_of_blob(), false), EEH_FIRMWARE_RTAS);
}

static void test_firmware_names(void **state)
{
	(void)state;
	assert_string_equal(eeh_firmware_name(EEH_FIRMWARE_NONE), "");
	assert_string_equal(eeh_firmware_name(EEH_FIRMWARE_OPAL), "opal");
	assert_string_equal(eeh_firmware_name(EEH_FIRMWARE_RTAS), "rtas");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_phbs),
		cmocka_unit_test(test_power9),
		cmocka_unit_test(test_nothing_known),
		cmocka_unit_test(test_short_properties),
		cmocka_unit_test(test_numbers_that_can_not_be),
		cmocka_unit_test(test_window_below_memory),
		cmocka_unit_test(test_which_nodes),
		cmocka_unit_test(test_very_many),
		cmocka_unit_test(test_locations),
		cmocka_unit_test(test_bad_texts),
		cmocka_unit_test(test_partition),
		cmocka_unit_test(test_domain),
		cmocka_unit_test(test_cells_of_windows),
		cmocka_unit_test(test_windows_that_can_not_be),
		cmocka_unit_test(test_dynamic_windows),
		cmocka_unit_test(test_eeh_firmware),
		cmocka_unit_test(test_older_rtas),
		cmocka_unit_test(test_firmware_names),
	};

	return cmocka_run_group_tests_name("phb", tests, NULL, NULL);
}
