/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <linux/vfio.h>
#include <stdlib.h>

#include "common/range.h"
#include "sim/tce_private.h"

static struct registration *find_registration(const struct tce *tce,
					      const struct sim_region *region)
{
	struct registration *registration = tce->registrations;

	while (registration && registration->region != region) {
		registration = registration->next;
	}
	return registration;
}

/* tce_iommu_register_pages */
int tce_register(struct tce *tce, const struct sim_caller *caller, uint64_t ua, uint64_t size,
		 struct sim_pieces *pieces)
{
	uint64_t pages = size >> tce->page_shift;
	struct registration *registration;
	struct sim_region *region;

	if (!is_aligned(ua | size, UINT64_C(1) << tce->page_shift) || ua + size < ua) {
		return -EINVAL;
	}
	region = sim_mm_get(tce->mm, ua, pages);
	if (region && find_registration(tce, region)) {
		(void)sim_mm_put(tce->mm, region);
		return -EBUSY;
	}
	if (!region) {
		/* An overlap shows only after everything was charged and pinned (H17). */
		int r = sim_mm_pin(tce->mm, caller, ua, pages, pieces, &region);

		if (r != 0) {
			return r;
		}
	}
	registration = calloc(1, sizeof(*registration));
	if (!registration) {
		(void)sim_mm_put(tce->mm, region);
		return -ENOMEM;
	}
	region->owners++;
	registration->region = region;
	registration->next = tce->registrations;
	tce->registrations = registration;
	tce->enabled = true;
	return 0;
}

/* tce_iommu_unregister_pages */
int tce_unregister(struct tce *tce, uint64_t ua, uint64_t size)
{
	struct sim_region *region;
	int r = -ENOENT;

	if (!is_aligned(ua | size, UINT64_C(1) << tce->page_shift)) {
		return -EINVAL;
	}
	region = sim_mm_get(tce->mm, ua, size >> tce->page_shift);
	if (!region) {
		return -ENOENT;
	}
	for (struct registration **link = &tce->registrations; *link; link = &(*link)->next) {
		struct registration *registration = *link;

		if (registration->region == region) {
			/* There are two uses now, so this put can't fail, mapped or not … */
			r = sim_mm_put(tce->mm, region);
			*link = registration->next;
			region->owners--;
			free(registration);
			break;
		}
	}
	/* … and that this one may is ignored: then the region is leaked (H18). */
	(void)sim_mm_put(tce->mm, region);
	return r;
}

void tce_free_registrations(struct tce *tce)
{
	while (tce->registrations) {
		struct registration *registration = tce->registrations;

		/* Another container's TCEs may still point into the region: it leaks (H19). */
		tce->registrations = registration->next;
		registration->region->owners--;
		(void)sim_mm_put(tce->mm, registration->region);
		free(registration);
	}
}
