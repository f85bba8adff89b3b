/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/model.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/names.h"
#include "sim/device.h"
#include "sim/faults.h"
#include "sim/kvm.h"
#include "sim/lpar.h"

static void set_up_group(struct sim_model *model, uint32_t number)
{
	const struct sim_host *host = model->host;
	struct sim_group *group = &model->groups[number];

	group->model = model;
	group->number = number;
	group->phb = &host->phbs[host->pes[number].phb];
	sim_group_update(group);
}

static int set_up_functions(struct sim_model *model)
{
	const struct sim_host *host = model->host;
	int r = 0;

	model->functions = calloc(host->device_count, sizeof(struct sim_function *));
	if (!model->functions) {
		return -ENOMEM;
	}
	for (size_t i = 0; i < host->device_count && r == 0; i++) {
		r = sim_function_new(model, &host->devices[i], &model->functions[i]);
	}
	return r;
}

static void free_functions(struct sim_model *model)
{
	for (size_t i = 0; model->functions && i < model->host->device_count; i++) {
		model->functions[i] = sim_function_free(model->functions[i]);
	}
	free(model->functions);
}

static int set_up_lpars(struct sim_model *model)
{
	const struct sim_host *host = model->host;

	if (host->platform != SIM_PSERIES) {
		return 0;
	}
	model->lpars = calloc(host->phb_count, sizeof(*model->lpars));
	if (!model->lpars) {
		return -ENOMEM;
	}
	for (size_t i = 0; i < host->phb_count; i++) {
		sim_lpar_init(&model->lpars[i], &host->phbs[i]);
	}
	return 0;
}

int sim_model_new(const struct sim_host *host, struct sim_model **ret_model)
{
	struct sim_model *model = calloc(1, sizeof(*model));

	if (!model) {
		return -ENOMEM;
	}
	model->host = host;
	model->groups = calloc(host->pe_count, sizeof(*model->groups));
	if (!model->groups || set_up_lpars(model) < 0 || set_up_functions(model) < 0) {
		free_functions(model);
		free(model->lpars);
		free(model->groups);
		free(model);
		return -ENOMEM;
	}
	for (uint32_t number = 0; number < host->pe_count; number++) {
		set_up_group(model, number);
	}
	*ret_model = model;
	return 0;
}

struct sim_model *sim_model_free(struct sim_model *model)
{
	if (model) {
		assert(!model->containers);
		assert(!model->mms);
		free_functions(model);
		free(model->groups);
		free(model->lpars);
		free(model);
	}
	return NULL;
}

static int open_container(struct sim_model *model, struct sim_node *ret_node)
{
	struct sim_container *container = calloc(1, sizeof(*container));

	if (!container) {
		return -ENOMEM;
	}
	container->model = model;
	container->open = true;
	container->next = model->containers;
	model->containers = container;
	*ret_node = (struct sim_node){.kind = SIM_NODE_CONTAINER, .container = container};
	return 0;
}

/* The group whose node has that name, which isn't terminated. */
static struct sim_group *find_group(struct sim_model *model, const char *name, size_t length)
{
	char *end;
	unsigned long number = strtoul(name, &end, 10);

	if (*name < '0' || *name > '9' || end != name + length || number >= model->host->pe_count ||
	    (*name == '0' && length > 1)) {
		return NULL;
	}
	return model->groups[number].has_node ? &model->groups[number] : NULL;
}

static int open_group(struct sim_group *group, struct sim_node *ret_node)
{
	if (group->open || group->open_devices > 0) {
		return -EBUSY;
	}
	group->open = true;
	*ret_node = (struct sim_node){
		.kind = SIM_NODE_GROUP,
		.life = group->life,
		.group = group,
	};
	return 0;
}

int sim_model_open(struct sim_model *model, const char *path, struct sim_node *ret_node)
{
	const size_t prefix = strlen(NODE_GROUP_PREFIX);
	size_t length = strcspn(path + strnlen(path, prefix), "/");
	bool is_container = strlen(NODE_CONTAINER) == prefix + length &&
			    strncmp(path, NODE_CONTAINER, prefix + length) == 0;
	struct sim_group *group;

	if (strcmp(path, SIM_NODE_PATH_UEVENTS) == 0) {
		*ret_node = (struct sim_node){.kind = SIM_NODE_UEVENTS};
		return 0;
	}
	if (strcmp(path, NODE_KVM) == 0) {
		*ret_node = sim_kvm_open(model);
		return 0;
	}
	if (strncmp(path, NODE_GROUP_PREFIX, prefix) != 0) {
		return -ENOENT;
	}
	group = find_group(model, path + prefix, length);
	if (!is_container && !group) {
		return -ENOENT;
	}
	if (path[prefix + length] != '\0') {
		return -ENOTDIR;
	}
	return is_container ? open_container(model, ret_node) : open_group(group, ret_node);
}

void sim_node_close(struct sim_node node)
{
	switch (node.kind) {
	case SIM_NODE_NONE:
		break;
	case SIM_NODE_CONTAINER:
		sim_container_close(node.container);
		break;
	case SIM_NODE_GROUP:
		sim_group_close(node);
		break;
	case SIM_NODE_DEVICE:
		sim_device_close(node.device_file);
		break;
	case SIM_NODE_KVM:
	case SIM_NODE_KVM_VM:
	case SIM_NODE_KVM_VFIO:
	case SIM_NODE_KVM_TCE:
		sim_kvm_close(node);
		break;
	case SIM_NODE_UEVENTS:
		break;
	}
}

int sim_node_ioctl(struct sim_node node, const struct sim_caller *caller, unsigned long request,
		   struct sim_argument *argument)
{
	switch (node.kind) {
	case SIM_NODE_NONE:
		break;
	case SIM_NODE_CONTAINER:
		return sim_container_ioctl(node.container, caller, request, argument);
	case SIM_NODE_GROUP:
		return sim_group_ioctl(node, request, argument);
	case SIM_NODE_DEVICE:
		return sim_device_ioctl(node.device_file, caller, request, argument);
	case SIM_NODE_KVM:
	case SIM_NODE_KVM_VM:
	case SIM_NODE_KVM_VFIO:
	case SIM_NODE_KVM_TCE:
		return sim_kvm_ioctl(node, caller, request, argument);
	case SIM_NODE_UEVENTS:
		return -ENOTTY;
	}
	return -EBADF;
}

struct sim_argument_fd *sim_argument_fd(struct sim_argument *argument, int32_t index)
{
	return index >= 0 && (unsigned int)index < argument->fd_count ? &argument->fds[index]
								      : NULL;
}

struct sim_mm *sim_model_mm_new(struct sim_model *model)
{
	return sim_mm_new(&model->mms, model->host->page_shift);
}

int sim_model_take_step(const struct sim_model *model, const char *step)
{
	return model->faults && model->faults->first ? sim_faults_take_result(model->faults, step)
						     : 0;
}

/* statistics */

static void count_mm(const struct sim_mm *mm, struct sim_statistics *statistics)
{
	statistics->live_mms++;
	statistics->locked_bytes += mm->locked_pages << mm->page_shift;
	statistics->leaked_locked_bytes += mm->leaked_pages << mm->page_shift;
	for (size_t i = 0; i < mm->region_count; i++) {
		uint64_t size = mm->regions[i].region->pages << mm->page_shift;

		statistics->pinned_bytes += size;
		if (mm->regions[i].region->owners == 0) {
			statistics->leaked_pinned_bytes += size;
		}
	}
}

void sim_model_statistics(const struct sim_model *model, const struct sim_mm *caller,
			  struct sim_statistics *ret_statistics)
{
	struct sim_statistics statistics = {.kernel_damage = model->damage};

	for (const struct sim_container *container = model->containers; container;
	     container = container->next) {
		statistics.containers++;
		statistics.open_containers += container->open;
		if (container->iommu) {
			container->iommu->operations->count(container->iommu, &statistics);
		}
	}
	for (size_t i = 0; i < model->host->pe_count; i++) {
		statistics.open_groups += model->groups[i].open + model->groups[i].revoked;
		statistics.attached_groups += model->groups[i].container != NULL;
	}
	for (size_t i = 0; i < model->host->device_count; i++) {
		statistics.open_devices +=
			model->functions[i] && sim_function_is_open(model->functions[i]);
	}
	for (const struct sim_mm *mm = model->mms; mm; mm = mm->next) {
		count_mm(mm, &statistics);
	}
	if (caller) {
		statistics.caller_locked_bytes = caller->locked_pages << caller->page_shift;
	}
	*ret_statistics = statistics;
}
