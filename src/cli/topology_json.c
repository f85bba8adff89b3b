/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/json.h"
#include "cli/text.h"
#include "cli/topology.h"

static void write_known(struct json *json, const char *key, uint32_t number)
{
	if (number == MODEL_UNKNOWN) {
		json_null(json, key);
	} else {
		json_number(json, key, number);
	}
}

/* Null for a text that is empty. */
static void write_text(struct json *json, const char *key, const char *text)
{
	if (text && text[0] != '\0') {
		json_string(json, key, text);
	} else {
		json_null(json, key);
	}
}

static void write_answer(struct json *json, const char *key, enum model_answer answer)
{
	switch (answer) {
	case MODEL_ANSWER_UNKNOWN:
		json_null(json, key);
		return;
	case MODEL_ANSWER_NO:
		json_bool(json, key, false);
		return;
	case MODEL_ANSWER_YES:
		json_bool(json, key, true);
		return;
	}
}

static void write_host(struct json *json, const struct model_host *host)
{
	json_begin_object(json, "host");
	json_string(json, "kind", host->kind);
	json_bool(json, "simulated", host->simulated);
	json_number(json, "memory_installed", host->memory_installed);
	json_number(json, "memory_max", host->memory_max);
	write_text(json, "eeh_firmware", host->eeh_firmware);
	json_end_object(json);
}

static void write_device(struct json *json, const struct model_device *device)
{
	json_begin_object(json, NULL);
	json_string(json, "name", device->name);
	json_string(json, "path", device->path);
	json_number(json, "vendor", device->vendor);
	json_number(json, "device", device->device);
	json_number(json, "class", device->class);
	write_text(json, "class_name", pci_class_name(device->class));
	write_text(json, "driver", device->driver);
	write_text(json, "location", device->location);
	json_end_object(json);
}

static void write_group(struct json *json, const struct model *model,
			const struct model_group *group)
{
	const struct model_space *space = model_find_space(model, group->space);
	const struct model_pe *pe = model_find_pe(model, group->path);

	json_begin_object(json, NULL);
	json_number(json, "id", group->id);
	json_string(json, "path", group->path);
	write_known(json, "pe_number", group->pe_number);
	json_bool(json, "viable", group->viable);
	write_text(json, "quarantine", group->quarantine);
	write_known(json, "space", space ? space->number : MODEL_UNKNOWN);
	write_text(json, "state", pe ? pe->state : NULL);
	write_text(json, "recovery", pe ? pe->recovery : NULL);
	json_begin_array(json, "devices");
	for (size_t i = 0; i < group->devices.count; i++) {
		const struct model_device *device =
			model_find_device(model, group->devices.items[i]);

		if (device) {
			write_device(json, device);
		}
	}
	json_end_array(json);
	json_end_object(json);
}

static void write_window(struct json *json, struct range window)
{
	if (window.size == 0) {
		json_null(json, "default_window");
		return;
	}
	json_begin_object(json, "default_window");
	json_address(json, "start", window.start);
	json_number(json, "size", window.size);
	json_end_object(json);
}

static void write_tce_sizes(struct json *json, uint64_t sizes)
{
	if (sizes == 0) {
		json_null(json, "tce_sizes");
		return;
	}
	json_begin_array(json, "tce_sizes");
	for (unsigned int shift = 0; shift < 64; shift++) {
		if (sizes >> shift & 1) {
			json_number(json, NULL, UINT64_C(1) << shift);
		}
	}
	json_end_array(json);
}

static void write_phb(struct json *json, const struct model *model, const struct model_phb *phb)
{
	json_begin_object(json, NULL);
	json_number(json, "domain", phb->domain);
	write_known(json, "id", phb->id);
	json_string(json, "node", phb->node);
	write_text(json, "kind", phb->kind);
	write_text(json, "location", phb->location);
	write_known(json, "pes", phb->pes);
	write_known(json, "reserved_pe", phb->reserved_pe);
	write_tce_sizes(json, phb->tce_sizes);
	write_answer(json, "ddw", phb->ddw);
	write_answer(json, "ddw_reset", phb->ddw_reset);
	write_window(json, phb->default_window);
	write_known(json, "liobn", phb->liobn);
	write_known(json, "msis", phb->msis);
	write_answer(json, "eeh", phb->eeh);
	json_begin_array(json, "groups");
	for (size_t i = 0; i < model->group_count; i++) {
		if (topology_group_is_below(&model->groups[i], phb)) {
			write_group(json, model, &model->groups[i]);
		}
	}
	json_end_array(json);
	json_end_object(json);
}

void topology_show_json(FILE *file, const struct model *model)
{
	struct json json = JSON(file);

	json_begin_object(&json, NULL);
	json_string(&json, "version", model->host.version);
	write_host(&json, &model->host);
	json_begin_array(&json, "phbs");
	for (size_t i = 0; i < model->host.phbs.count; i++) {
		write_phb(&json, model, &model->host.phbs.items[i]);
	}
	json_end_array(&json);
	json_begin_array(&json, "groups");
	for (size_t i = 0; i < model->group_count; i++) {
		if (topology_group_is_alone(model, &model->groups[i])) {
			write_group(&json, model, &model->groups[i]);
		}
	}
	json_end_array(&json);
	json_end_object(&json);
}
