/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The kernel's arithmetic of TCE tables.
 *
 * Concepts
 *   TCE    the entry of one IOMMU page, 8 bytes.
 *   level  a table may be a tree: each level takes one piece of memory per node, all nodes of one
 *          size. More levels mean smaller pieces.
 *   locked the bytes that the kernel charges a process for a table: at powernv for the full tree,
 *          twice (the table and the addresses behind it), though it is allocated as it is used.
 *
 * A CREATE that the kernel refuses half-way keeps the charge until the process ends
 * (tce_iommu_create_table), so everything that can be known is checked by these functions first.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* The largest piece that the kernel's page allocator has, with 4 KiB and 64 KiB pages alike
 * (arch/powerpc/Kconfig, ARCH_FORCE_MAX_ORDER). */
#define TABLE_PIECE_MAX (UINT64_C(16) << 20)

/*
 * A piece of this size is found in all but the most fragmented memory. It is that large because the
 * other way is worse: levels below the first are allocated when something is mapped, without
 * waiting (GFP_ATOMIC), and the kernel doesn't look whether it got them (field note H13).
 */
#define TABLE_PIECE_SAFE (UINT64_C(4) << 20)

/* POWERNV_IOMMU_MAX_LEVELS */
#define TABLE_LEVELS_MAX 5

struct table_rules {
	unsigned int kernel_page_shift;
	/* An LPAR: the hypervisor keeps the table, in one level. */
	bool hypervisor;
	/* Removing a window walks all its TCEs in the kernel: 2^30 take it half a minute, and on an
	 * LPAR each is two hypervisor calls. Windows with more are not made. */
	uint64_t most_tces;
};

/* The rules of a host whose tables have max_levels at most: LPARs have one, powernv five.
 * kernel_page_shift is that of its kernel's pages; 0: those of the running one. */
struct table_rules table_rules_of(uint32_t max_levels, unsigned int kernel_page_shift);

/* Whether the kernel and the hardware take a page size: 4 KiB, 64 KiB, 2 MiB, 16 MiB … 256 MiB,
 * 1 GiB. Larger ones overflow an int in the kernel (IOMMU_PAGE_MASK). */
bool table_page_shift_is_known(uint32_t page_shift);

static inline uint64_t table_tces(uint32_t page_shift, uint64_t window_size)
{
	return window_size >> page_shift;
}

/*
 * The fewest TCEs of a window. powernv programs the hardware for a whole kernel page of TCEs, so a
 * smaller window would be larger than the caller knows.
 */
uint64_t table_least_tces(const struct table_rules *rules);

/*
 * All of these take a window size that is a power of two and at least one page, and at least one
 * level.
 */

/* Whether the kernel accepts that many levels (pnv_pci_ioda2_table_alloc_pages). */
bool table_levels_are_legal(const struct table_rules *rules, uint32_t page_shift,
			    uint64_t window_size, uint32_t levels);

/* The size of one node of the tree, in bytes; at an LPAR 0, for the table isn't in our memory. */
uint64_t table_piece_bytes(const struct table_rules *rules, uint32_t page_shift,
			   uint64_t window_size, uint32_t levels);

/* What the kernel charges (pnv_pci_ioda2_get_table_size, spapr_tce_get_table_size). */
uint64_t table_locked_bytes(const struct table_rules *rules, uint32_t page_shift,
			    uint64_t window_size, uint32_t levels);
