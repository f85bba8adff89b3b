/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "spapr/table.h"

#include <unistd.h>

#include "common/range.h"

#define TCE_SHIFT   3
#define TABLE_LEAST UINT64_C(0x1000) /* bytes that are charged for, however small a table */

/* powernv: the bits that all levels resolve and the page shift stay below this
 * (pnv_pci_ioda2_table_alloc_pages). */
#define ADDRESS_BITS_LIMIT 55

#define POWERNV_TCES_MAX (UINT64_C(1) << 30)
#define LPAR_TCES_MAX    (UINT64_C(1) << 24)

struct table_rules table_rules_of(uint32_t max_levels, unsigned int kernel_page_shift)
{
	bool hypervisor = max_levels <= 1;

	return (struct table_rules){
		.kernel_page_shift = kernel_page_shift
					     ? kernel_page_shift
					     : floor_log2((uint64_t)sysconf(_SC_PAGESIZE)),
		.hypervisor = hypervisor,
		.most_tces = hypervisor ? LPAR_TCES_MAX : POWERNV_TCES_MAX,
	};
}

bool table_page_shift_is_known(uint32_t page_shift)
{
	return page_shift == 12 || page_shift == 16 || page_shift == 21 ||
	       (page_shift >= 24 && page_shift <= 28) || page_shift == 30;
}

uint64_t table_least_tces(const struct table_rules *rules)
{
	return rules->hypervisor ? 1 : UINT64_C(1) << (rules->kernel_page_shift - TCE_SHIFT);
}

/* log2 of the size of one node of the tree. */
static unsigned int piece_shift(const struct table_rules *rules, uint32_t page_shift,
				uint64_t window_size, uint32_t levels)
{
	unsigned int tces_shift = floor_log2(window_size) - page_shift;
	unsigned int shift = (tces_shift + levels - 1) / levels + TCE_SHIFT;

	return shift > rules->kernel_page_shift ? shift : rules->kernel_page_shift;
}

bool table_levels_are_legal(const struct table_rules *rules, uint32_t page_shift,
			    uint64_t window_size, uint32_t levels)
{
	unsigned int bits;

	if (rules->hypervisor) {
		return levels == 1;
	}
	if (levels == 0 || levels > TABLE_LEVELS_MAX) {
		return false;
	}
	bits = piece_shift(rules, page_shift, window_size, levels) - TCE_SHIFT;
	return bits * levels + page_shift < ADDRESS_BITS_LIMIT;
}

uint64_t table_piece_bytes(const struct table_rules *rules, uint32_t page_shift,
			   uint64_t window_size, uint32_t levels)
{
	if (rules->hypervisor) {
		return 0;
	}
	return UINT64_C(1) << piece_shift(rules, page_shift, window_size, levels);
}

static uint64_t round_up(uint64_t value, uint64_t alignment)
{
	return (value + alignment - 1) & ~(alignment - 1);
}

uint64_t table_locked_bytes(const struct table_rules *rules, uint32_t page_shift,
			    uint64_t window_size, uint32_t levels)
{
	uint64_t page = UINT64_C(1) << rules->kernel_page_shift;
	uint64_t table = table_tces(page_shift, window_size) << TCE_SHIFT;
	uint64_t bytes = 0;
	uint64_t piece;

	if (rules->hypervisor) {
		/* The charge is in whole pages, rounded down. */
		return table & ~(page - 1);
	}
	piece = table_piece_bytes(rules, page_shift, window_size, levels);
	table = table > TABLE_LEAST ? table : TABLE_LEAST;
	for (; levels > 0; levels--) {
		bytes += round_up(table, piece);
		table = table / piece << TCE_SHIFT;
		table = table > piece ? table : piece;
	}
	return 2 * bytes;
}
