/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "broker/programs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int program_find(const char *name, const char *variable, char ret_path[static PATH_MAX])
{
	const char *given = getenv(variable);
	char self[PATH_MAX];
	ssize_t length;
	int needed;

	if (given) {
		needed = snprintf(ret_path, PATH_MAX, "%s", given);
	} else {
		length = readlink("/proc/self/exe", self, sizeof(self) - 1);
		if (length < 0) {
			return -errno;
		}
		self[length] = '\0';
		*strrchr(self, '/') = '\0';
		needed = snprintf(ret_path, PATH_MAX, "%s/%s", self, name);
	}
	if (needed < 0 || needed >= PATH_MAX) {
		return -ENAMETOOLONG;
	}
	return access(ret_path, X_OK) < 0 ? -errno : 0;
}
