/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Devices, regions and interrupts as tables and as JSON. 0 or -ENOMEM. */
#pragma once

#include <stdio.h>

#include "cli/device_session.h"
#include "cli/terminal.h"

int device_show_list(FILE *file, const struct terminal *terminal, const struct model *model);
void device_show_list_json(FILE *file, const struct model *model);

int device_show_regions(FILE *file, const struct terminal *terminal,
			const struct device_regions *regions);
void device_show_regions_json(FILE *file, const struct device_regions *regions);

int device_show_irqs(FILE *file, const struct terminal *terminal, const struct device_irqs *irqs);
void device_show_irqs_json(FILE *file, const struct device_irqs *irqs);

/* All there is about one; without regions and interrupts (NULL) when it is not open. */
int device_show(FILE *file, const struct terminal *terminal, const struct model *model,
		const struct model_device *device, const struct device_regions *regions,
		const struct device_irqs *irqs);
void device_show_json(FILE *file, const struct model *model, const struct model_device *device,
		      const struct device_regions *regions, const struct device_irqs *irqs);
