/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The scenes by subject.
 *
 * The tables are compiled once for each size of a host's pages (PAGE_KIB), and the program takes
 * those that fit: a table's numbers are constants.
 */
#pragma once

#include "question.h"

#define GLUE_(left, right) left##right
#define GLUE(left, right)  GLUE_(left, right)
#define SCENES_OF(subject) GLUE(scenes_##subject##_, PAGE_KIB)
#define SCENE(table)                        \
	{                                   \
#table, table, COUNT(table) \
	}
#define SCENES_END            \
	{                     \
		NULL, NULL, 0 \
	}

/* The tables of each page size, in the order of asking. Subjects end with SCENES_END, lists with
 * NULL. */
extern const struct scene_table *const scenes_4[];
extern const struct scene_table *const scenes_64[];
/* What may spoil a bridge until the next boot, where a hypervisor has it. */
extern const struct scene_table *const last_scenes_4[];
extern const struct scene_table *const last_scenes_64[];

#ifdef PAGE_KIB

#define PAGE (PAGE_KIB * KIB)

#define FROM_END(distance)        .from_end = true, .iova = (distance)
#define TARGET_FROM_END(distance) .target_from_end = true, .target = (distance)

/* Rows that many tables begin with. */
#define JOIN_EDU                       \
	{                              \
		"join", SET_CONTAINER, \
		{                      \
			.group = EDU   \
		}                      \
	}
#define JOIN_NIC                       \
	{                              \
		"join", SET_CONTAINER, \
		{                      \
			.group = NIC   \
		}                      \
	}
#define SET_TCE_V2                                        \
	{                                                 \
		"TCE v2", SET_IOMMU,                      \
		{                                         \
			.number = VFIO_SPAPR_TCE_v2_IOMMU \
		}                                         \
	}
#define SET_TCE_V1                                     \
	{                                              \
		"TCE v1", SET_IOMMU,                   \
		{                                      \
			.number = VFIO_SPAPR_TCE_IOMMU \
		}                                      \
	}
#define SET_TYPE1                                  \
	{                                          \
		"type1", SET_IOMMU,                \
		{                                  \
			.number = VFIO_TYPE1_IOMMU \
		}                                  \
	}
#define SET_TYPE1_V2                                 \
	{                                            \
		"type1 v2", SET_IOMMU,               \
		{                                    \
			.number = VFIO_TYPE1v2_IOMMU \
		}                                    \
	}
#define REGISTER_ALL                       \
	{                                  \
		"register", REGISTER,      \
		{                          \
			.size = WHOLE_SIZE \
		}                          \
	}
#define UNREGISTER_ALL                     \
	{                                  \
		"unregister", UNREGISTER,  \
		{                          \
			.size = WHOLE_SIZE \
		}                          \
	}
#define DROP_DEFAULT                               \
	{                                          \
		"drop the default window", REMOVE, \
		{                                  \
			.iova = 0                  \
		}                                  \
	}
#define IN_USE JOIN_EDU, SET_TCE_V2, REGISTER_ALL

/* Who is asked. */
#define PEER(kind)                       \
	{                                \
		"peer", START_PEER,      \
		{                        \
			.number = (kind) \
		}                        \
	}
#define THE_PEER                   \
	{                          \
		"asked", THEN_PEER \
	}
#define ITSELF                     \
	{                          \
		"asked", THEN_SELF \
	}
#define PEER_ENDS                \
	{                        \
		"ends", END_PEER \
	}
#define PEER_DIES                 \
	{                         \
		"dies", KILL_PEER \
	}

/* A device that is open, whichever backend the host has. */
#define IOMMU SET_TCE_V2, SET_TYPE1_V2
#define OPEN_NIC                     \
	JOIN_NIC, IOMMU,             \
	{                            \
		"open", OPEN_DEVICE, \
		{                    \
			.group = NIC \
		}                    \
	}
#define OPEN_EDU                     \
	JOIN_EDU, IOMMU,             \
	{                            \
		"open", OPEN_DEVICE, \
		{                    \
			.group = EDU \
		}                    \
	}

extern const struct scene_table SCENES_OF(nodes)[];
extern const struct scene_table SCENES_OF(memory)[];
extern const struct scene_table SCENES_OF(windows)[];
extern const struct scene_table SCENES_OF(mappings)[];
extern const struct scene_table SCENES_OF(lifetimes)[];
extern const struct scene_table SCENES_OF(processes)[];
extern const struct scene_table SCENES_OF(dma)[];
extern const struct scene_table SCENES_OF(tce_v1)[];
extern const struct scene_table SCENES_OF(type1)[];
extern const struct scene_table SCENES_OF(devices)[];
extern const struct scene_table SCENES_OF(interrupts)[];
extern const struct scene_table SCENES_OF(registers)[];
extern const struct scene_table SCENES_OF(eeh)[];
extern const struct scene_table SCENES_OF(kvm)[];
extern const struct scene_table SCENES_OF(sysfs)[];
extern const struct scene_table SCENES_OF(second_windows)[];
extern const struct scene_table SCENES_OF(second_mappings)[];
extern const struct scene_table SCENES_OF(second_dma)[];

#endif
