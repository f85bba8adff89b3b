/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "scenes.h"

const struct scene_table *const GLUE(scenes_, PAGE_KIB)[] = {
	SCENES_OF(sysfs),     SCENES_OF(nodes),     SCENES_OF(tce_v1),     SCENES_OF(type1),
	SCENES_OF(devices),   SCENES_OF(registers), SCENES_OF(interrupts), SCENES_OF(eeh),
	SCENES_OF(kvm),       SCENES_OF(memory),    SCENES_OF(mappings),   SCENES_OF(lifetimes),
	SCENES_OF(processes), SCENES_OF(dma),       SCENES_OF(windows),    NULL,
};

const struct scene_table *const GLUE(last_scenes_, PAGE_KIB)[] = {
	SCENES_OF(second_windows),
	SCENES_OF(second_mappings),
	SCENES_OF(second_dma),
	NULL,
};
