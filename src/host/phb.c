/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/phb.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/cleanup.h"
#include "common/names.h"
#include "host/tree_cells.h"

#define DOMAIN_MASK   0xffffU /* MAX_PHBS - 1 */
#define PE_COUNT_MAX  0x10000U
#define PAGE_SHIFT_LO 12
#define PAGE_SHIFT_HI 62
#define CLASS_BRIDGE  0x0604U

/* -- texts -- */

/* One that can be shown and fits. Whether there was one. */
static bool copy_text(const void *blob, int node, const char *property,
		      char ret_text[static PHB_TEXT_SIZE])
{
	const char *text = tree_get_text(blob, node, property);

	if (!text || *text == '\0' || strlen(text) >= PHB_TEXT_SIZE) {
		return false;
	}
	for (const char *c = text; *c; c++) {
		if (*c < 0x20 || *c > 0x7e) {
			return false;
		}
	}
	(void)snprintf(ret_text, PHB_TEXT_SIZE, "%s", text);
	return true;
}

static bool copy_location(const void *blob, int node, char ret_text[static PHB_TEXT_SIZE])
{
	return copy_text(blob, node, TREE_SLOT_LOCATION, ret_text) ||
	       copy_text(blob, node, TREE_LOCATION, ret_text) ||
	       copy_text(blob, node, TREE_SLOT_LABEL, ret_text);
}

/* Its own, that of the slot below its root port, or that of the place that its slots' codes begin
 * with. */
static void read_location(const void *blob, int node, struct topology_phb *phb)
{
	int below;

	if (copy_location(blob, node, phb->location)) {
		return;
	}
	fdt_for_each_subnode(below, blob, node)
	{
		uint32_t class_code = tree_get_cell(blob, below, "class-code", 0);

		if (class_code >> 8 == CLASS_BRIDGE && copy_location(blob, below, phb->location)) {
			return;
		}
	}
	(void)copy_text(blob, node, TREE_BASE_LOCATION, phb->location);
}

/* -- numbers -- */

static uint32_t read_domain(const void *blob, int node)
{
	struct tree_cells domain = tree_get_cells(blob, node, "linux,pci-domain");
	struct tree_cells opal = tree_get_cells(blob, node, TREE_OPAL_PHB);
	struct tree_cells reg = tree_get_cells(blob, node, "reg");

	if (domain.count > 0) {
		return fdt32_ld(domain.cell) & DOMAIN_MASK;
	}
	if (opal.count >= 2) {
		return (uint32_t)tree_number(opal, 0, 2) & DOMAIN_MASK;
	}
	return reg.count >= 2 ? fdt32_ld(&reg.cell[1]) & DOMAIN_MASK : 0;
}

static void read_pes(const void *blob, int node, struct topology_phb *phb)
{
	uint32_t count = tree_get_cell(blob, node, "ibm,opal-num-pes", PHB_UNKNOWN);
	uint32_t reserved = tree_get_cell(blob, node, "ibm,opal-reserved-pe", PHB_UNKNOWN);

	phb->pe_count = count >= 1 && count <= PE_COUNT_MAX ? count : PHB_UNKNOWN;
	phb->reserved_pe =
		phb->pe_count != PHB_UNKNOWN && reserved < count ? reserved : PHB_UNKNOWN;
}

/* Pairs of a first number and a count. */
static uint32_t read_msi_ranges(const void *blob, int node)
{
	struct tree_cells ranges = tree_get_cells(blob, node, "ibm,opal-msi-ranges");
	uint64_t sum = 0;

	for (int i = 0; i + 2 <= ranges.count; i += 2) {
		sum += fdt32_ld(&ranges.cell[i + 1]);
	}
	return ranges.count < 2 || sum >= PHB_UNKNOWN ? PHB_UNKNOWN : (uint32_t)sum;
}

static void read_tce_sizes(const void *blob, int node, struct topology_phb *phb)
{
	struct tree_cells shifts = tree_get_cells(blob, node, "ibm,supported-tce-sizes");

	for (int i = 0; i < shifts.count; i++) {
		uint32_t shift = fdt32_ld(&shifts.cell[i]);

		if (shift >= PAGE_SHIFT_LO && shift <= PAGE_SHIFT_HI) {
			phb->tce_sizes |= UINT64_C(1) << shift;
		}
	}
}

/* -- bare metal -- */

/* Where 32-bit PCI memory begins, of those ranges of three, two and two cells. */
static void read_opal_window(const void *blob, int node, struct topology_phb *phb)
{
	struct tree_cells ranges = tree_get_cells(blob, node, "ranges");

	for (int i = 0; i + 7 <= ranges.count; i += 7) {
		if ((fdt32_ld(&ranges.cell[i]) >> 24 & 3) == 2) {
			uint64_t size = tree_number(ranges, i + 1, 2);

			if (size <= UINT32_MAX) {
				phb->window = (struct range){.start = 0, .size = size};
			}
			return;
		}
	}
}

static void read_opal(const void *blob, int node, struct topology_phb *phb)
{
	struct tree_cells id = tree_get_cells(blob, node, TREE_OPAL_PHB);

	if (id.count >= 2 && tree_number(id, 0, 2) < PHB_UNKNOWN) {
		phb->id = (uint32_t)tree_number(id, 0, 2);
	}
	phb->msi_count = read_msi_ranges(blob, node);
	read_pes(blob, node, phb);
	read_tce_sizes(blob, node, phb);
	read_opal_window(blob, node, phb);
}

/* -- partitions -- */

/* How many cells an address or a size of a window has (of_parse_dma_window). */
static int count_window_cells(const void *blob, int node, const char *own, const char *usual,
			      uint32_t missing)
{
	uint32_t count = tree_get_cell(blob, node, own, tree_get_cell(blob, node, usual, missing));

	return count >= 1 && count <= 2 ? (int)count : 0;
}

/* A PCI address that has three cells begins with one that says which space it is in. */
static bool read_window(const void *blob, int node, const char *property, struct topology_phb *phb)
{
	struct tree_cells cells = tree_get_cells(blob, node, property);
	int address = count_window_cells(blob, node, "ibm,#dma-address-cells", "#address-cells", 1);
	int size = count_window_cells(blob, node, "ibm,#dma-size-cells", "#size-cells", 1);
	struct range window;

	if (address == 0 || size == 0 || cells.count < 1 + address + size) {
		return false;
	}
	window = (struct range){.start = tree_number(cells, 1, address),
				.size = tree_number(cells, 1 + address, size)};
	if (!range_is_valid(window.start, window.size)) {
		return false;
	}
	phb->liobn = fdt32_ld(cells.cell);
	phb->window = window;
	return true;
}

/* The node itself, or the slot below it that has the property: slots of a PHB that is shared are
 * described on their own. -1 for none. */
static int find_ddw_node(const void *blob, int node)
{
	int below;

	if (fdt_getprop(blob, node, "ibm,ddw-applicable", NULL)) {
		return node;
	}
	fdt_for_each_subnode(below, blob, node)
	{
		if (fdt_getprop(blob, below, "ibm,ddw-applicable", NULL)) {
			return below;
		}
	}
	return -1;
}

/* The extensions begin with their number; the first is the token of reset (ddw_read_ext). */
static void read_ddw(const void *blob, int phb_node, struct topology_phb *phb)
{
	int node = find_ddw_node(blob, phb_node);
	struct tree_cells tokens = tree_get_cells(blob, node, "ibm,ddw-applicable");
	struct tree_cells extensions = tree_get_cells(blob, node, PHB_DDW_EXTENSION);

	if (tokens.count < PHB_DDW_TOKENS) {
		return;
	}
	phb->ddw = true;
	for (int i = 0; i < PHB_DDW_TOKENS; i++) {
		phb->ddw_tokens[i] = fdt32_ld(&tokens.cell[i]);
	}
	if (extensions.count >= 2 && fdt32_ld(extensions.cell) >= 1) {
		phb->ddw_reset = true;
		phb->ddw_reset_token = fdt32_ld(&extensions.cell[1]);
	}
}

static void read_papr(const void *blob, int node, struct topology_phb *phb)
{
	phb->msi_count = tree_get_cell(blob, node, "ibm,pe-total-#msi", PHB_UNKNOWN);
	if (!read_window(blob, node, "ibm,dma-window", phb)) {
		(void)read_window(blob, node, "ibm,my-dma-window", phb);
	}
	read_ddw(blob, node, phb);
}

/* -- all of them -- */

struct phbs {
	struct topology_phb *items;
	size_t count;
	size_t room;
};

static int add_phb(struct phbs *phbs, const struct topology_phb *phb)
{
	struct topology_phb *grown;

	if (phbs->count == phbs->room) {
		size_t room = 2 * phbs->room + 8;

		grown = reallocarray(phbs->items, room, sizeof(*grown));
		if (!grown) {
			return -ENOMEM;
		}
		phbs->items = grown;
		phbs->room = room;
	}
	phbs->items[phbs->count++] = *phb;
	return 0;
}

static int read_phb(struct phbs *phbs, const void *blob, int node, bool opal)
{
	struct topology_phb phb = {
		.id = PHB_UNKNOWN,
		.domain = read_domain(blob, node),
		.pe_count = PHB_UNKNOWN,
		.reserved_pe = PHB_UNKNOWN,
		.msi_count = PHB_UNKNOWN,
		.liobn = PHB_UNKNOWN,
	};
	const char *name = fdt_get_name(blob, node, NULL);

	if (!tree_is_available(blob, node) || phbs->count >= PHB_MANY) {
		return 0;
	}
	(void)snprintf(phb.node, sizeof(phb.node), "%s", name ? name : "");
	(void)copy_text(blob, node, "compatible", phb.kind);
	read_location(blob, node, &phb);
	if (opal) {
		read_opal(blob, node, &phb);
	} else {
		read_papr(blob, node, &phb);
	}
	return add_phb(phbs, &phb);
}

/* pnv_pci_init: wherever they are in the tree. */
static bool is_ioda(const void *blob, int node)
{
	static const char *const kinds[] = {"ibm,ioda2-phb", "ibm,ioda3-phb",
					    "ibm,ioda2-npu2-opencapi-phb"};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		if (fdt_node_check_compatible(blob, node, kinds[i]) == 0) {
			return true;
		}
	}
	return false;
}

static int read_opal_phbs(struct phbs *phbs, const void *blob)
{
	int r = 0;

	for (int node = fdt_next_node(blob, 0, NULL); node >= 0 && r == 0;
	     node = fdt_next_node(blob, node, NULL)) {
		if (is_ioda(blob, node)) {
			r = read_phb(phbs, blob, node, true);
		}
	}
	return r;
}

/* find_and_init_phbs: below the root. */
static int read_papr_phbs(struct phbs *phbs, const void *blob)
{
	int r = 0;
	int node;

	fdt_for_each_subnode(node, blob, 0)
	{
		const char *type = tree_get_text(blob, node, "device_type");

		if (r == 0 && type && (strcmp(type, "pci") == 0 || strcmp(type, "pciex") == 0)) {
			r = read_phb(phbs, blob, node, false);
		}
	}
	return r;
}

static int compare_phbs(const void *a, const void *b)
{
	const struct topology_phb *left = a;
	const struct topology_phb *right = b;

	if (left->domain != right->domain) {
		return left->domain < right->domain ? -1 : 1;
	}
	return strcmp(left->node, right->node);
}

int phb_read_all(const struct device_tree *tree, bool opal, struct topology_phb **ret_phbs,
		 size_t *ret_count)
{
	struct phbs phbs = {.items = NULL};
	int r = opal ? read_opal_phbs(&phbs, device_tree_blob(tree))
		     : read_papr_phbs(&phbs, device_tree_blob(tree));

	if (r < 0) {
		free(phbs.items);
		return r;
	}
	if (phbs.count > 0) {
		qsort(phbs.items, phbs.count, sizeof(*phbs.items), compare_phbs);
	}
	*ret_phbs = phbs.items;
	*ret_count = phbs.count;
	return 0;
}

/* -- EEH -- */

static bool has_token(const void *blob, int rtas, const char *one, const char *other)
{
	return tree_get_cells(blob, rtas, one).count > 0 ||
	       (other && tree_get_cells(blob, rtas, other).count > 0);
}

enum eeh_firmware phb_read_eeh_firmware(const struct device_tree *tree, bool opal)
{
	const void *blob = device_tree_blob(tree);
	int rtas = fdt_path_offset(blob, "/rtas");

	if (opal) {
		return EEH_FIRMWARE_OPAL;
	}
	if (has_token(blob, rtas, "ibm,set-eeh-option", NULL) &&
	    has_token(blob, rtas, "ibm,set-slot-reset", NULL) &&
	    has_token(blob, rtas, "ibm,read-slot-reset-state2", "ibm,read-slot-reset-state") &&
	    has_token(blob, rtas, "ibm,slot-error-detail", NULL) &&
	    has_token(blob, rtas, "ibm,configure-pe", "ibm,configure-bridge")) {
		return EEH_FIRMWARE_RTAS;
	}
	return EEH_FIRMWARE_NONE;
}

const char *eeh_firmware_name(enum eeh_firmware firmware)
{
	switch (firmware) {
	case EEH_FIRMWARE_NONE:
		return "";
	case EEH_FIRMWARE_OPAL:
		return "opal";
	case EEH_FIRMWARE_RTAS:
		return "rtas";
	}
	return "";
}
