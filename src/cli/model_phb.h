/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* PCI host bridges, as Manager.Phbs describes them: only what is known. */
#pragma once

#include <dbus/dbus.h>
#include <stddef.h>
#include <stdint.h>

#include "common/range.h"

#define MODEL_UNKNOWN UINT32_MAX /* a number that the host doesn't tell */

enum model_answer {
	MODEL_ANSWER_UNKNOWN,
	MODEL_ANSWER_NO,
	MODEL_ANSWER_YES,
};

struct model_phb {
	uint32_t domain;
	const char *node;
	uint32_t id;          /* or MODEL_UNKNOWN */
	const char *kind;     /* "" when not known */
	const char *location; /* "" when not known */
	uint32_t pes;         /* or MODEL_UNKNOWN */
	uint32_t reserved_pe; /* or MODEL_UNKNOWN */
	uint64_t tce_sizes;   /* a bit for each; 0 when not known */
	enum model_answer ddw;
	enum model_answer ddw_reset;
	struct range default_window; /* size 0 when not known */
	uint32_t liobn;              /* or MODEL_UNKNOWN */
	enum model_answer eeh;
	uint32_t msis; /* or MODEL_UNKNOWN */
};

struct model_phbs {
	struct model_phb *items; /* ascending domain */
	size_t count;
};

/* A reader as cli/properties.h has it: aa{sv} into a struct model_phbs, whose items are freed by
 * its owner. -ERANGE for what can't be. */
int model_read_phbs(DBusMessageIter *value, void *member);
