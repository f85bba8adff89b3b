/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The windows of an address space as a guest's firmware says them: a flattened device tree with one
 * node, whose properties a VMM puts into the node of the guest's PCI host bridge.
 *
 * Concepts
 *   liobn  the number by which a guest names a window's TCE table in hypervisor calls (H_PUT_TCE).
 *          The VMM's choice: nothing of the host's.
 *
 * Properties of /pci
 *   ibm,dma-window              the 32-bit window, if there is one: <liobn start start size size>.
 *                               Its pages have 4 KiB, there is no place to say otherwise (LoPAPR,
 *                               "ibm,dma-window"; Linux: of_parse_dma_window and
 *                               iommu_table_setparms_lpar). With
 *   ibm,#dma-address-cells      2, and
 *   ibm,#dma-size-cells         2: the cells of a start and of a size in it (LoPAPR).
 *   linux,dma64-ddr-window-info the other window: a struct dynamic_dma_window_prop of Linux's
 *                               arch/powerpc/platforms/pseries/iommu.c, big-endian, its padding
 *                               included:
 *                                 0 liobn, 4 zero, 8 start (64 bits), 16 page shift, 20 log2(size)
 *                               A guest finds it at its start as it finds a window of the kernel
 *                               before a kexec (find_existing_ddw_windows). What is shorter than
 *                               the struct it takes away.
 *   linux,direct64-ddr-window-info
 *                               the same for a window in which all memory of the guest is mapped
 *                               at start + address already.
 *
 * Left out are ibm,ddw-applicable and ibm,ddw-extensions: they hold the RTAS tokens of the VMM's
 * own window calls.
 *
 * What a guest does with a window that it finds depends on its kernel. Linux up to 5.14 knows only
 * the second property and takes the memory as mapped there. From 5.15 on it knows both, and at
 * first takes the memory as mapped in any window that is as large (enable_ddw), later in none: then
 * it maps by itself. Where there is no ibm,dma-window only the last ones find the others
 * (pci_dma_find).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "common/range.h"

#define GUEST_TREE_NODE         "/pci"
#define GUEST_TREE_DMA_WINDOW   "ibm,dma-window"
#define GUEST_TREE_START_CELLS  "ibm,#dma-address-cells"
#define GUEST_TREE_SIZE_CELLS   "ibm,#dma-size-cells"
#define GUEST_TREE_DMA64        "linux,dma64-ddr-window-info"
#define GUEST_TREE_DIRECT64     "linux,direct64-ddr-window-info"
#define GUEST_TREE_DMA64_BYTES  24
#define GUEST_TREE_WINDOW_CELLS 5

struct guest_window {
	struct range range;  /* of the addresses that devices use; whole pages */
	uint32_t page_shift; /* log2 of the IOMMU page size, 12 to 63 */
	uint32_t liobn;
	bool direct; /* all the guest's memory is mapped at start + address */
};

/* More than any tree takes. */
#define GUEST_TREE_MAX 1024

/*
 * Make the tree. *ret_size is its size in bytes, at most GUEST_TREE_MAX.
 *
 * ERROR_NOT_FOUND         there are no windows
 * ERROR_INVALID_ARGUMENT  no whole pages, or a liobn that two windows have
 * ERROR_UNSUPPORTED       the properties can't say a window: its size is no power of two, or
 *                         another one has the property that it would need
 */
int guest_tree_make(const struct guest_window *windows, unsigned int count,
		    unsigned char ret_tree[GUEST_TREE_MAX], size_t *ret_size, struct error *error);

/*
 * The liobn of a window, by the numbers of its bridge (below 2^23) and of the window (below 256),
 * as QEMU numbers those of PCI bridges (SPAPR_PCI_LIOBN).
 */
static inline uint32_t guest_liobn(uint32_t bridge, uint32_t window)
{
	return UINT32_C(0x80000000) | (bridge & 0x7fffffU) << 8 | (window & 0xffU);
}
