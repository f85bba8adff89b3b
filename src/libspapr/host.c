/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/names.h"
#include "libspapr/handles.h"

#define SAME(name)                                                \
	_Static_assert((int)SPAPR_##name == (int)(name),          \
		       "the numbers of errors are the engine's, " \
		       "which don't change")
SAME(ERROR_INVALID_ARGUMENT);
SAME(ERROR_NOT_FOUND);
SAME(ERROR_GROUP_NOT_VIABLE);
SAME(ERROR_GROUP_BUSY);
SAME(ERROR_WINDOW_OVERLAP);
SAME(ERROR_WINDOW_START);
SAME(ERROR_NO_WINDOW_LEFT);
SAME(ERROR_PAGE_SIZE);
SAME(ERROR_TABLE_MEMORY);
SAME(ERROR_OUTSIDE_WINDOW);
SAME(ERROR_ALREADY_MAPPED);
SAME(ERROR_NOT_MAPPED);
SAME(ERROR_MEMORY_IN_USE);
SAME(ERROR_MEMORY_UNKNOWN);
SAME(ERROR_QUOTA_EXCEEDED);
SAME(ERROR_UNSUPPORTED);
SAME(ERROR_FROZEN);
SAME(ERROR_EEH_UNAVAILABLE);
SAME(ERROR_EEH_MANY_GROUPS);
SAME(ERROR_RECOVERY_FAILED);
SAME(ERROR_BUSY);
SAME(ERROR_KERNEL);
SAME(ERROR_ACCESS_DENIED);
SAME(ERROR_QUARANTINED);

_Static_assert(SPAPR_ERROR_TEXT_SIZE == ERROR_TEXT_SIZE, "texts are as long as the engine's");

const char *spapr_error_name(uint32_t code)
{
	const char *name =
		code > 0 && code < ERROR_CODE_COUNT ? error_bus_name((enum error_code)code) : "";
	const char *dot = strrchr(name, '.');

	return dot ? dot + 1 : name;
}

int spapr_finish(int code, const struct error *error, struct spapr_error *ret_error)
{
	if (code && ret_error) {
		ret_error->code = (uint32_t)code;
		ret_error->errnum = error->errnum;
		memcpy(ret_error->text, error->text, sizeof(ret_error->text));
	}
	return code;
}

int spapr_host_new(struct kernel *kernel, struct spapr_host **ret_host)
{
	struct spapr_host *host = calloc(1, sizeof(*host));

	if (!host) {
		return -ENOMEM;
	}
	host->kernel = kernel;
	*ret_host = host;
	return 0;
}

int spapr_host_open(struct spapr_host **ret_host, struct spapr_error *ret_error)
{
	struct kernel *kernel = NULL;
	struct error error;
	int r = kernel_linux_new(&kernel);

	if (r == 0) {
		r = spapr_host_new(kernel, ret_host);
	}
	if (r < 0) {
		(void)kernel_free(kernel);
		return spapr_finish(error_set(&error, ERROR_KERNEL, -r, "the kernel can't be used"),
				    &error, ret_error);
	}
	return 0;
}

struct spapr_host *spapr_host_free(struct spapr_host *host)
{
	if (host) {
		(void)kernel_free(host->kernel);
		free(host);
	}
	return NULL;
}
