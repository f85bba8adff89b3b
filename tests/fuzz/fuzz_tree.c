/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <libfdt.h>
#include <string.h>

#include "fuzz/fuzz.h"
#include "host/device_tree.h"
#include "host/phb.h"

static void check_text(const char *text)
{
	must(memchr(text, '\0', PHB_TEXT_SIZE));
}

static void check_phb(const struct topology_phb *phb)
{
	check_text(phb->node);
	check_text(phb->kind);
	check_text(phb->location);
	must(phb->domain <= 0xffff);
	must(phb->window.size == 0 || range_is_valid(phb->window.start, phb->window.size));
	must(phb->reserved_pe == PHB_UNKNOWN || phb->reserved_pe < phb->pe_count);
	must((phb->tce_sizes & 0xfff) == 0);
	must(!phb->ddw_reset || phb->ddw);
}

static void check_phbs(const struct device_tree *tree, bool opal)
{
	struct topology_phb *phbs = NULL;
	size_t count = 0;

	must(phb_read_all(tree, opal, &phbs, &count) == 0);
	must(count <= PHB_MANY && (phbs != NULL) == (count > 0));
	for (size_t i = 0; i < count; i++) {
		check_phb(&phbs[i]);
		must(i == 0 || phbs[i - 1].domain <= phbs[i].domain);
	}
	free(phbs);
	(void)phb_read_eeh_firmware(tree, opal);
}

int fuzz_tree(const uint8_t *data, size_t size, struct error *error)
{
	/* Exactly so large, that a read behind it is found. */
	void *blob = malloc(size > 0 ? size : 1);
	const struct device_tree *tree = blob;
	struct device_tree_memory memory;

	must(blob);
	memcpy(blob, data, size);
	if (fdt_check_full(blob, size) != 0) { /* as device_tree_load */
		free(blob);
		return error_set(error, ERROR_KERNEL, 0, "no device tree");
	}
	memory = device_tree_read_memory(tree);
	must(memory.maximum >= memory.installed);
	(void)device_tree_is_powernv(tree);
	(void)device_tree_is_pseries(tree);
	check_phbs(tree, true);
	check_phbs(tree, false);
	free(blob);
	return 0;
}
