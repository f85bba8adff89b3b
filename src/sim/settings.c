/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/settings.h"

#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "sim/number.h"

#define PACE_MOST 10000U

bool sim_kernel_parse(const char *text, unsigned int *ret_kernel)
{
	static const struct {
		const char *text;
		unsigned int kernel;
	} kernels[] = {
		{"6.12", SIM_KERNEL(6, 12)},
		{"7.2", SIM_KERNEL(7, 2)},
	};

	for (size_t i = 0; i < sizeof(kernels) / sizeof(*kernels); i++) {
		if (strcmp(text, kernels[i].text) == 0) {
			*ret_kernel = kernels[i].kernel;
			return true;
		}
	}
	return false;
}

bool sim_page_size_parse(const char *text, unsigned int *ret_shift)
{
	bool large = strcmp(text, "65536") == 0;

	if (!large && strcmp(text, "4096") != 0) {
		return false;
	}
	*ret_shift = large ? 16 : 12;
	return true;
}

static const char *set_memlock(struct sim_settings *settings, const char *value)
{
	settings->memlock_own = strcmp(value, "own") == 0;
	return settings->memlock_own || number_parse(value, UINT64_MAX, &settings->memlock_limit)
		       ? NULL
		       : "a number of bytes or \"own\" is wanted";
}

static const char *set_kernel(struct sim_settings *settings, const char *value)
{
	return sim_kernel_parse(value, &settings->kernel) ? NULL : SIM_KERNEL_WANTED;
}

static const char *set_page_size(struct sim_settings *settings, const char *value)
{
	return sim_page_size_parse(value, &settings->page_shift) ? NULL : SIM_PAGE_SIZE_WANTED;
}

static const char *set_pace(struct sim_settings *settings, const char *value)
{
	uint64_t pace;

	if (!number_parse(value, PACE_MOST, &pace)) {
		return "a number of percent up to 10000 is wanted";
	}
	settings->pace = (unsigned int)pace;
	return NULL;
}

static const char *set_faults(struct sim_settings *settings, const char *value)
{
	settings->freezes = strcmp(value, "freeze") == 0;
	return settings->freezes || strcmp(value, "ignore") == 0 ? NULL
								 : "freeze or ignore is wanted";
}

/* One "KEY=VALUE", with a zero for its comma. */
static int set_one(struct sim_settings *settings, char **devices, const char *word,
		   struct error *error)
{
	static const struct {
		const char *name;
		const char *(*set)(struct sim_settings *settings, const char *value);
	} keys[] = {
		{"memlock", set_memlock}, {"kernel", set_kernel}, {"page-size", set_page_size},
		{"pace", set_pace},       {"faults", set_faults},
	};
	size_t length = strcspn(word, "=");
	const char *value = word[length] == '=' ? word + length + 1 : word + length;
	const char *wrong = NULL;

	if (length == strlen("devices") && strncmp(word, "devices", length) == 0) {
		free(*devices);
		*devices = strdup(value);
		if (!*devices) {
			return error_set(error, ERROR_KERNEL, ENOMEM, "no memory for a name");
		}
		return **devices != '\0' ? 0
					 : error_set(error, ERROR_INVALID_ARGUMENT, 0,
						     "the setting \"%s\": a file is wanted", word);
	}
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		if (strlen(keys[i].name) == length && strncmp(word, keys[i].name, length) == 0) {
			wrong = keys[i].set(settings, value);
			return wrong ? error_set(error, ERROR_INVALID_ARGUMENT, 0,
						 "the setting \"%s\": %s", word, wrong)
				     : 0;
		}
	}
	return error_set(error, ERROR_INVALID_ARGUMENT, 0,
			 "there is no setting \"%s\"; there are memlock, kernel, page-size, pace, "
			 "faults and devices, each with = and a value",
			 word);
}

int sim_settings_parse(const char *text, struct sim_settings *settings, char **ret_devices,
		       struct error *error)
{
	cleanup(cleanup_free) char *copy = strdup(text);
	cleanup(cleanup_free) char *devices = NULL;
	struct sim_settings result = *settings;
	char *rest = copy;
	char *word;

	if (!copy) {
		return error_set(error, ERROR_KERNEL, ENOMEM, "no memory for the settings");
	}
	result.kernel = 0;
	result.page_shift = 0;
	while (*text != '\0' && (word = strsep(&rest, ","))) {
		int r = set_one(&result, &devices, word, error);

		if (r) {
			return r;
		}
	}
	*settings = result;
	*ret_devices = steal_pointer(devices);
	return 0;
}
