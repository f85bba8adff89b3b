/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The type1 containers (VFIO_TYPE1v2_IOMMU and VFIO_TYPE1_IOMMU), for IOMMUs with page tables of
 * their own: x86, Arm and others.
 *
 * Concepts
 *   entry  a mapping as the kernel has it. It is made by one MAP and goes as a whole, and there are
 *          so many at most (type1_info.h). The container keeps books of its entries.
 *
 * v1 and v2 differ in what UNMAP does with a range that has a part of an entry: v2 refuses it, v1
 * leaves the entry and says that it has unmapped 0 bytes. Here neither is asked for such a thing,
 * so both are one implementation.
 *
 * Each map pins the memory, and charges it to this process. The kernel reschedules while it does
 * that (vfio_iommu_map): a map needs no chunks, and is one entry.
 *
 * What is mapped as it should be already is left as it is, so that a replay makes up for what a
 * failed unmap has taken away, and for nothing else: the kernel would answer EEXIST.
 */
#pragma once

#include "vfio/container.h"

extern const struct container_kind type1v2_kind;
extern const struct container_kind type1_kind;
