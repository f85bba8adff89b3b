/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The host that the questions are put to, found by walking /sys: which of its devices have which
 * role.
 *
 *   EDU: the first of QEMU's edu devices that vfio-pci has, alone in a viable group.
 *
 *   EDU_2: the second.
 *
 *   NIC: an e1000e in a viable group.
 *
 *   NOT_VIABLE: a device whose sibling in its group is bound to a driver of the host.
 *
 *   NO_NODE: a device in a group without a node, since none of its devices has a VFIO driver.
 *
 * A host need not have all.
 */
#pragma once

#include "question.h"

#define NAME_SIZE 32

struct role {
	char device[NAME_SIZE];  /* "" if there is none */
	char sibling[NAME_SIZE]; /* of a group that is not viable: what keeps it so */
	char number[NAME_SIZE];  /* of its group, "none" if there is none */
};

struct world {
	struct role role[GROUPS];
	uint64_t page_size;
	uint64_t window_start; /* the default window, as TCE v2 tells, or one of 2 GiB */
	uint64_t window_size;
	bool many_windows; /* by a hypervisor: see guard.h */
	bool slow_windows; /* each entry costs something when a window goes: see guard.h */
	bool is_phb3;      /* POWER8's bridges */
	bool is_tce;
};

extern struct world world;

void world_find(void);

/*
 * A text with names in braces replaced: {edu}, {nic}, {edu 2}, {not viable}, {no node} are devices,
 * {edu#} the number of its group, {sibling} that of the device that is not viable, {edu short} the
 * name without its last letter.
 */
void world_text(const char *pattern, char *ret_text, size_t size);
