/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Two folders for files of policies, where a test may write what it likes. */
#pragma once

#include "policies/policy.h"

struct place {
	char root[32];
	char first[48];
	char second[48];
	const char *paths[2];
	struct policy_folders folders;
};

extern struct place place;

/* cmocka set-up: the folders are there, and empty. */
int place_set_up(void **state);
int place_tear_down(void **state);

void place_write_file(const char *folder, const char *name, const char *text);
