/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "sim/host.h"
#include "sim/hosts.h"

static const struct sim_builtin_host *find_builtin(const char *name)
{
	for (size_t i = 0; i < sim_builtin_host_count; i++) {
		if (strcmp(sim_builtin_hosts[i].name, name) == 0) {
			return &sim_builtin_hosts[i];
		}
	}
	abort();
}

/* What every host holds, whatever it was made from. */
static void check(const struct sim_host *host)
{
	for (size_t i = 0; i < host->device_count; i++) {
		const struct sim_device *device = &host->devices[i];

		must(device->phb < host->phb_count);
		must(device->parent < (int)i);
		must(device->group >= SIM_NO_GROUP && device->group < (int)host->pe_count);
		must(device->config && (device->config_size == 256 || device->config_size == 4096));
		must(strlen(device->name) == strlen("0000:00:00.0"));
		must(!strchr(device->driver, '/'));
		must(device->parent < 0 || host->devices[device->parent].phb == device->phb);
	}
	for (size_t i = 0; i < host->pe_count; i++) {
		must(host->pes[i].phb < host->phb_count);
	}
}

static int try_host(const struct sim_host_source *source, struct error *error)
{
	struct sim_host *host = NULL;
	int r = sim_host_new(source, &host, error);

	if (r == 0) {
		check(host);
		(void)sim_host_free(host);
	} else {
		must(!host && error->text[0] != '\0' && error->code == (enum error_code)r);
	}
	return r;
}

int fuzz_host(const uint8_t *data, size_t size, struct error *error)
{
	const struct sim_builtin_host *builtin = find_builtin("powernv9");
	/* Exactly so large, that a read behind it is found. */
	void *fdt = malloc(size > 0 ? size : 1);
	struct sim_host_source source = {
		.name = "fuzz",
		.fdt_name = "tree",
		.fdt = fdt,
		.fdt_size = size,
		.list_name = "list",
		.settings = SIM_SETTINGS_DEFAULT,
	};
	int r;

	if (!fdt) {
		abort();
	}
	memcpy(fdt, data, size);
	r = try_host(&source, error);
	source.list = builtin->list;
	source.list_size = builtin->list_size;
	if (r == 0) {
		struct error other;

		(void)try_host(&source, &other);
	}
	free(fdt);
	return r;
}

int fuzz_device_list(const uint8_t *data, size_t size, struct error *error)
{
	static const char *const trees[] = {"", "powernv9", "pseries"};
	char *list = malloc(size > 0 ? size : 1);
	int r = ERROR_CODE_COUNT;

	if (!list) {
		abort();
	}
	memcpy(list, data, size);
	for (size_t i = 0; i < sizeof(trees) / sizeof(*trees) && r != 0; i++) {
		const struct sim_builtin_host *builtin = *trees[i] ? find_builtin(trees[i]) : NULL;
		struct sim_host_source source = {
			.name = "fuzz",
			.fdt_name = "tree",
			.fdt = builtin ? builtin->fdt : NULL,
			.fdt_size = builtin ? builtin->fdt_size : 0,
			.list_name = "list",
			.list = list,
			.list_size = size,
			.settings = SIM_SETTINGS_DEFAULT,
		};

		r = try_host(&source, error);
	}
	free(list);
	return r;
}
