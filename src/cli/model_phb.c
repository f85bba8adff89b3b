/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/model_phb.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "cli/properties.h"

static int read_answer(DBusMessageIter *value, void *member)
{
	dbus_bool_t answer = FALSE;

	dbus_message_iter_get_basic(value, &answer);
	*(enum model_answer *)member = answer ? MODEL_ANSWER_YES : MODEL_ANSWER_NO;
	return 0;
}

static int read_window(DBusMessageIter *value, void *member)
{
	struct range *range = member;
	DBusMessageIter pair;

	dbus_message_iter_recurse(value, &pair);
	property_read_next(&pair, &range->start);
	property_read_next(&pair, &range->size);
	return range_is_valid(range->start, range->size) ? 0 : -ERANGE;
}

#define PHB(member) offsetof(struct model_phb, member)

static const struct property phb_properties[] = {
	{"Domain", "u", property_read_basic, PHB(domain)},
	{"Node", "s", property_read_basic, PHB(node)},
	{"Id", "u", property_read_basic, PHB(id)},
	{"Kind", "s", property_read_basic, PHB(kind)},
	{"Location", "s", property_read_basic, PHB(location)},
	{"Pes", "u", property_read_basic, PHB(pes)},
	{"ReservedPe", "u", property_read_basic, PHB(reserved_pe)},
	{"TceSizes", "t", property_read_basic, PHB(tce_sizes)},
	{"Ddw", "b", read_answer, PHB(ddw)},
	{"DdwReset", "b", read_answer, PHB(ddw_reset)},
	{"DefaultWindow", "(tt)", read_window, PHB(default_window)},
	{"Liobn", "u", property_read_basic, PHB(liobn)},
	{"Eeh", "b", read_answer, PHB(eeh)},
	{"Msis", "u", property_read_basic, PHB(msis)},
	{.name = NULL},
};

static const struct model_phb unknown_phb = {
	.domain = MODEL_UNKNOWN,
	.id = MODEL_UNKNOWN,
	.kind = "",
	.location = "",
	.pes = MODEL_UNKNOWN,
	.reserved_pe = MODEL_UNKNOWN,
	.liobn = MODEL_UNKNOWN,
	.msis = MODEL_UNKNOWN,
};

static int compare_phbs(const void *a, const void *b)
{
	const struct model_phb *left = a;
	const struct model_phb *right = b;

	return (left->domain > right->domain) - (left->domain < right->domain);
}

int model_read_phbs(DBusMessageIter *value, void *member)
{
	struct model_phbs *phbs = member;
	DBusMessageIter entries;

	dbus_message_iter_recurse(value, &entries);
	while (dbus_message_iter_get_arg_type(&entries) != DBUS_TYPE_INVALID) {
		struct model_phb *phb = property_array_add((void **)&phbs->items, &phbs->count,
							   sizeof(*phbs->items));
		struct error error;

		if (!phb) {
			return -ENOMEM;
		}
		*phb = unknown_phb;
		if (properties_read_some(phb_properties, "a PHB", &entries, phb, &error) ||
		    !phb->node || phb->domain == MODEL_UNKNOWN) {
			return -ERANGE;
		}
		(void)dbus_message_iter_next(&entries);
	}
	if (phbs->count > 0) {
		qsort(phbs->items, phbs->count, sizeof(*phbs->items), compare_phbs);
	}
	return 0;
}
