/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "policy_place.h"

#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "unit.h"

struct place place;

int place_set_up(void **state)
{
	*state = &place;
	place = (struct place){.root = "/tmp/spaprd-test-XXXXXX"};
	assert_non_null(mkdtemp(place.root));
	(void)snprintf(place.first, sizeof(place.first), "%s/first", place.root);
	(void)snprintf(place.second, sizeof(place.second), "%s/second", place.root);
	assert_int_equal(mkdir(place.first, 0700), 0);
	assert_int_equal(mkdir(place.second, 0700), 0);
	place.paths[0] = place.first;
	place.paths[1] = place.second;
	place.folders = (struct policy_folders){.paths = place.paths, .count = 2};
	return 0;
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *walk)
{
	(void)status;
	(void)type;
	(void)walk;
	return remove(path);
}

int place_tear_down(void **state)
{
	(void)state;
	return nftw(place.root, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

void place_write_file(const char *folder, const char *name, const char *text)
{
	char path[PATH_MAX];
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "we");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}
