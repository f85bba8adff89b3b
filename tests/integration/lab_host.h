/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The hosts of the power lab (tests/power/hosts.sh) as a test needs to know them: which device has
 * which role there, and what its windows are like. The simulated hosts of the same names are like
 * them.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct lab_host {
	const char *name; /* as the simulated host is asked for */
	const char *kind; /* what Manager.Host says */

	/* -- devices: PCI addresses, NULL for what the host does not have -- */

	const char *edu;        /* alone in a viable group, can do DMA */
	const char *nic;        /* alone in a viable group */
	const char *edu_2;      /* like the first */
	const char *not_viable; /* its sibling is bound to another driver than vfio-pci */
	const char *sibling;    /* that one */
	const char *unbound;    /* has no driver, so its group has no node */

	/*
	 * -- windows; the default one starts at 0 and has pages of 4 KiB. Without TCEs there are
	 * two default ones that have all addresses: the second starts at second_window --
	 */

	uint64_t default_window;     /* the size of the first */
	uint64_t second_window;      /* where one that is made beside the default window starts */
	uint64_t second_window_most; /* its size, at most; 0: as large as may be */
	uint64_t nowhere;            /* an address that is in no default window */
	uint32_t default_windows;    /* how many */
	uint32_t huge_shift;         /* the smallest pages that are larger than 64 KiB */
	uint32_t huge_memory_shift;  /* huge pages for memory that the host has or might have */
	uint32_t max_levels;
	uint32_t windows_without_default; /* so many can be made when the default one is gone */
	bool has_tce; /* windows are tables in the kernel, and memory is registered with it */

	/* -- EEH -- */

	bool has_eeh;
	/* The emulated host bridge has the tables of stopped PEs. QEMU's for POWER8 reads them as
	 * zeros (pnv_phb3_ioda_access). */
	bool emulates_freezes;
};

/* Whether the host is that of the running kernel: SPAPRD_TEST_WORLD=real says so. */
bool lab_host_is_real(void);

/*
 * The host: a real one's kernel is asked which one it is, else it is the simulated one that
 * SPAPRD_TEST_HOST names, powernv9 without. NULL for one that is not known.
 */
const struct lab_host *lab_host_find(void);
