/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the tables of a group hold, for those who want to look. */
#include <sys/param.h>

#include "sim/model.h"

int sim_model_dump(const struct sim_model *model, uint32_t number, uint64_t from, uint32_t most,
		   struct sim_dump *ret_dump, struct error *error)
{
	const struct sim_container *container;

	if (number >= model->host->pe_count) {
		return error_set(error, ERROR_NOT_FOUND, 0, "group %u", number);
	}
	container = model->groups[number].container;
	ret_dump->window_count = 0;
	ret_dump->entry_count = 0;
	ret_dump->most = MIN(most, SIM_DUMP_ENTRIES);
	ret_dump->more = 0;
	if (container && container->iommu) {
		container->iommu->operations->dump(container->iommu, from, ret_dump);
	}
	return 0;
}
