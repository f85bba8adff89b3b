/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * PCI host bridges as the device tree describes them: OPAL's bindings on bare metal (skiboot,
 * doc/device-tree/pci.rst and what hw/phb*.c writes), PAPR's in a partition.
 *
 * Concepts
 *   PHB      a PCI host bridge: the root of one PCI domain, and on bare metal of its PEs.
 *   DDW      dynamic DMA windows (PAPR, "Dynamic DMA Windows option"): a partition asks RTAS for
 *            them by the tokens that ibm,ddw-applicable lists. On bare metal the kernel programs
 *            windows itself.
 *   LIOBN    the number by which a partition names a window to its hypervisor.
 * The tree is not trusted: what is too short, too long or can't be is as if it weren't there.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/range.h"
#include "host/device_tree.h"

#define PHB_UNKNOWN       UINT32_MAX
#define PHB_TEXT_SIZE     80 /* of names, kinds and locations, a terminating zero included */
#define PHB_MANY          4096U
#define PHB_DDW_TOKENS    3
#define PHB_DDW_EXTENSION "ibm,ddw-extensions"

/* What the kernel's EEH goes by. */
enum eeh_firmware {
	EEH_FIRMWARE_NONE,
	EEH_FIRMWARE_OPAL,
	EEH_FIRMWARE_RTAS,
};

struct topology_phb {
	uint32_t id;        /* ibm,opal-phbid; PHB_UNKNOWN in a partition */
	uint32_t domain;    /* PCI's */
	bool eeh;           /* the kernel has EEH for a device below it; see topology.h */
	bool has_functions; /* a PCI function below it was seen, so that eeh says something */

	char node[PHB_TEXT_SIZE];     /* its name in the tree: "pciex@600c3c0000000" */
	char kind[PHB_TEXT_SIZE];     /* the first of compatible: "ibm,power9-pciex"; "" without */
	char location[PHB_TEXT_SIZE]; /* "" where the tree has none */

	uint32_t pe_count;    /* ibm,opal-num-pes, or PHB_UNKNOWN */
	uint32_t reserved_pe; /* ibm,opal-reserved-pe, or PHB_UNKNOWN */
	uint32_t msi_count;   /* ibm,opal-msi-ranges, ibm,pe-total-#msi, or PHB_UNKNOWN */
	uint64_t tce_sizes; /* ibm,supported-tce-sizes: a bit for each size in bytes; 0: unknown */

	/* In a partition: RTAS's tokens for query, create and remove, and for reset. */
	bool ddw;
	uint32_t ddw_tokens[PHB_DDW_TOKENS];
	bool ddw_reset;
	uint32_t ddw_reset_token;

	/*
	 * The default window, size 0 when unknown. Of a partition from ibm,dma-window, with its
	 * LIOBN (else PHB_UNKNOWN). On bare metal all below 32-bit PCI memory, which the kernel
	 * takes for it (pnv_pci_init_ioda_phb).
	 */
	uint32_t liobn;
	struct range window;
};

/*
 * All PHBs of the tree of a bare-metal host (opal) or of a partition, ascending by domain. The
 * domain is what the kernel makes of the node (get_phb_number of arch/powerpc/kernel/pci-common.c):
 * a number that two want goes to one of them, so that a device below a PHB knows better.
 *
 * At most PHB_MANY: what a tree has beyond is left out. The array is the caller's; NULL without
 * any. 0 or -ENOMEM.
 */
int phb_read_all(const struct device_tree *tree, bool opal, struct topology_phb **ret_phbs,
		 size_t *ret_count);

/*
 * Who answers the kernel's questions about PEs: OPAL on bare metal, where every IODA2 or later PHB
 * has EEH (eeh_powernv_init); in a partition RTAS, when it has the calls that eeh_pseries_init
 * insists on. Whether it does so for a device is another matter (QEMU's RTAS has the calls and
 * refuses each): the kernel makes eeh_pe_state for those alone.
 */
enum eeh_firmware phb_read_eeh_firmware(const struct device_tree *tree, bool opal);

/* "opal", "rtas", "" for none. */
const char *eeh_firmware_name(enum eeh_firmware firmware);
