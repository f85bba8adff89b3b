/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/eeh.h"

#include <errno.h>
#include <libfdt.h>
#include <linux/vfio.h>
#include <stddef.h>
#include <string.h>

#include "sim/argument.h"
#include "sim/container.h"
#include "sim/device.h"
#include "sim/model.h"

#define END_OF(type, member) (offsetof(type, member) + sizeof(((type *)NULL)->member))

/* What firmware tells of a PE (EEH_STATE_ in asm/eeh.h). */
#define FLAG_NOT_SUPPORTED (1U << 1)
#define FLAG_RESET_ACTIVE  (1U << 2)
#define FLAG_IO_ACTIVE     (1U << 3)
#define FLAG_DMA_ACTIVE    (1U << 4)
#define FLAG_IO_ENABLED    (1U << 5)
#define FLAG_DMA_ENABLED   (1U << 6)

#define FLAGS_IO     (FLAG_IO_ACTIVE | FLAG_IO_ENABLED)
#define FLAGS_DMA    (FLAG_DMA_ACTIVE | FLAG_DMA_ENABLED)
#define FLAGS_ACTIVE (FLAG_IO_ACTIVE | FLAG_DMA_ACTIVE)

/* What the kernel keeps of one (EEH_PE_ there). */
#define KEPT_ISOLATED    (1U << 0)
#define KEPT_BLOCKED     (1U << 2)
#define KEPT_PRIMARY_BUS (1U << 11)

/* The errors that can be injected (EEH_ERR_ in the uapi's asm/eeh.h). */
#define ERROR_TYPE_MAX      1U
#define ERROR_FUNCTION_MAX  19U
#define ERROR_LOAD_ADDRESS  0U
#define ERROR_LOAD_DATA     1U
#define ERROR_STORE_ADDRESS 6U
#define ERROR_STORE_DATA    7U

/*
 * Milliseconds. An LPAR sleeps for the kernel's own constants, EEH_PE_RST_HOLD_TIME and
 * EEH_PE_RST_SETTLE_TIME. On bare metal HOT asserts and deasserts at once, through the firmware:
 * 3.8 to 5.1 s, and with no device open, where the firmware refuses, the settling only.
 * FUNDAMENTAL does the firmware's part of that, without the settling.
 */
#define HOLD_MILLIS           250U
#define SETTLE_MILLIS         1800U
#define HOT_MILLIS            3870U
#define HOT_UNOPENED_MILLIS   1805U
#define FUNDAMENTAL_MILLIS    (HOT_MILLIS - SETTLE_MILLIS)
#define DEACTIVATE_MILLIS     4U
#define COMPATIBLE_POWER8_PHB "ibm,ioda2-phb"

/* states */

static bool is_lpar(const struct sim_group *group)
{
	return group->model->host->platform == SIM_PSERIES;
}

/* eeh_ops->get_state. */
static uint32_t get_flags(const struct sim_group *group)
{
	const struct sim_pe_state *pe = &group->pe;

	if (pe->unavailable) {
		return FLAG_NOT_SUPPORTED;
	}
	if (pe->reset_asserted && is_lpar(group)) {
		return FLAG_RESET_ACTIVE | FLAGS_ACTIVE;
	}
	if (pe->dma_stopped && is_lpar(group)) {
		/* A hypervisor has no state with MMIO active but DMA not. */
		return pe->io_stopped ? 0 : FLAG_IO_ENABLED;
	}
	return (pe->io_stopped ? 0 : FLAGS_IO) | (pe->dma_stopped ? 0 : FLAGS_DMA);
}

/* The same, by which the kernel notices a freeze of both (pnv_eeh_get_pe_state). */
static uint32_t look_at(struct sim_group *group)
{
	uint32_t flags = get_flags(group);

	if (!(flags & (FLAG_NOT_SUPPORTED | FLAGS_ACTIVE))) {
		group->pe.isolated = true;
	}
	return flags;
}

/* eeh_pe_get_state. What is gone for good has no flag that counts here, so it reads as stopped
 * (H43). */
static int get_state(struct sim_group *group)
{
	uint32_t flags;

	if (group->pe.host_recovers) {
		return VFIO_EEH_PE_STATE_UNAVAIL;
	}
	flags = look_at(group);
	if (flags & FLAG_RESET_ACTIVE) {
		return VFIO_EEH_PE_STATE_RESET;
	}
	switch (flags & (FLAG_IO_ENABLED | FLAG_DMA_ENABLED)) {
	case FLAG_IO_ENABLED | FLAG_DMA_ENABLED:
		return VFIO_EEH_PE_STATE_NORMAL;
	case FLAG_IO_ENABLED:
		return VFIO_EEH_PE_STATE_STOPPED_DMA;
	case 0:
		return VFIO_EEH_PE_STATE_STOPPED;
	default:
		return VFIO_EEH_PE_STATE_UNAVAIL;
	}
}

void sim_eeh_sysfs_state(const struct sim_group *group, uint32_t ret_words[SIM_EEH_SYSFS_WORDS])
{
	uint32_t flags = get_flags(group);
	bool noticed = group->pe.isolated || !(flags & (FLAG_NOT_SUPPORTED | FLAGS_ACTIVE));

	ret_words[0] = flags;
	ret_words[1] = KEPT_PRIMARY_BUS | (noticed ? KEPT_ISOLATED : 0) |
		       (group->pe.reset_asserted ? KEPT_BLOCKED : 0);
}

/* Where something begins that may change the state, and where it ends. */
struct change {
	struct sim_group *group;
	uint32_t words[SIM_EEH_SYSFS_WORDS];
};

static struct change change_begin(struct sim_group *group)
{
	struct change change = {.group = group};

	sim_eeh_sysfs_state(group, change.words);
	return change;
}

static void change_end(const struct change *change)
{
	const struct sim_model *model = change->group->model;
	uint32_t words[SIM_EEH_SYSFS_WORDS];

	sim_eeh_sysfs_state(change->group, words);
	if (model->pe_changed && memcmp(words, change->words, sizeof(words)) != 0) {
		model->pe_changed(model->userdata, change->group->number);
	}
}

/* thawing */

/* eeh_pci_enable for one of the two. What is gone for good claims that it worked (H44); a fenced
 * bridge answers no. */
static int thaw(struct sim_group *group, bool *stopped, uint32_t active)
{
	uint32_t flags = look_at(group);

	if (flags & (FLAG_NOT_SUPPORTED | active)) {
		return 0;
	}
	if (group->pe.host_recovers) {
		return -EIO;
	}
	*stopped = false;
	return get_flags(group) & active ? 0 : -EIO;
}

static int thaw_io(struct sim_group *group)
{
	return thaw(group, &group->pe.io_stopped, FLAGS_IO);
}

static int thaw_dma(struct sim_group *group)
{
	return thaw(group, &group->pe.dma_stopped, FLAG_DMA_ACTIVE);
}

/* eeh_unfreeze_pe, and what follows it everywhere. */
static int thaw_both(struct sim_group *group)
{
	int r = thaw_io(group);

	if (r == 0) {
		r = thaw_dma(group);
	}
	if (r == 0) {
		group->pe.isolated = false;
	}
	return r;
}

/* Devices that the kernel resets rather than thaws (eeh_reset_ids). */
static bool needs_reset(const struct sim_group *group)
{
	static const struct {
		uint16_t vendor;
		uint16_t device;
	} table[] = {{0x19a2, 0x0710}, {0x10df, 0xe220}, {0x14e4, 0x1657}, {0x14e4, 0x168e}};
	const struct sim_host *host = group->model->host;

	for (size_t i = 0; i < host->device_count; i++) {
		const struct sim_device *device = &host->devices[i];

		for (size_t j = 0; j < sizeof(table) / sizeof(*table); j++) {
			if (device->group == (int)group->number &&
			    device->vendor == table[j].vendor &&
			    device->device == table[j].device) {
				return true;
			}
		}
	}
	return false;
}

/* eeh_pe_change_owner (H45). */
static int change_owner(struct sim_group *group)
{
	uint32_t flags = look_at(group);

	if (flags & FLAG_NOT_SUPPORTED || (flags & FLAGS_ACTIVE) == FLAGS_ACTIVE) {
		return 0;
	}
	if (!group->pe.host_recovers && needs_reset(group)) {
		sim_group_reset_functions(group);
	}
	return thaw_both(group);
}

void sim_eeh_handle_device_open(struct sim_group *group)
{
	struct change change = change_begin(group);

	if (group->phb->eeh) {
		(void)change_owner(group);
	}
	change_end(&change);
}

void sim_eeh_handle_device_close(struct sim_group *group)
{
	sim_eeh_handle_device_open(group);
}

/* freezing */

static void freeze(struct sim_group *group, bool io, bool dma)
{
	struct sim_pe_state *pe = &group->pe;

	pe->freezes += (io && !pe->io_stopped) || (dma && !pe->dma_stopped);
	pe->io_stopped |= io;
	pe->dma_stopped |= dma;
}

int sim_eeh_freeze(struct sim_model *model, uint32_t number, enum sim_freeze what,
		   struct error *error)
{
	struct sim_group *group;
	struct change change;

	if (number >= model->host->pe_count) {
		return error_set(error, ERROR_NOT_FOUND, 0, "group %u", number);
	}
	group = &model->groups[number];
	if (!group->phb->eeh || group->pe.unavailable) {
		return error_set(error, ERROR_EEH_UNAVAILABLE, 0, "group %u: %s", number,
				 group->phb->eeh ? "its PE is gone for good"
						 : "the host has no EEH");
	}
	change = change_begin(group);
	group->pe.unavailable = what == SIM_FREEZE_PERMANENT;
	group->pe.host_recovers = what == SIM_FREEZE_UNAVAILABLE;
	freeze(group, what != SIM_FREEZE_DMA, what != SIM_FREEZE_IO);
	if (what == SIM_FREEZE_UNAVAILABLE) {
		sim_group_reset_functions(group);
	}
	change_end(&change);
	return 0;
}

void sim_eeh_handle_dma_fault(struct sim_group *group)
{
	if (group->phb->eeh && group->model->host->settings.freezes) {
		struct change change = change_begin(group);

		freeze(group, true, true);
		change_end(&change);
	}
}

const char *sim_eeh_find_dma_obstacle(const struct sim_group *group)
{
	if (group->pe.reset_asserted) {
		return "its PE is being reset";
	}
	return group->pe.dma_stopped ? "its PE is frozen" : NULL;
}

/* resets */

/*
 * eeh_pe_reset, asserting. The state stays as it was: on bare metal the kernel has the PE frozen
 * meanwhile, but what the firmware did by itself it doesn't tell; a PE that was frozen before stays
 * so until the kernel thaws it when the reset is over. An LPAR doesn't freeze (H52).
 */
static int assert_reset(struct sim_group *group, bool fundamental, struct sim_argument *argument)
{
	if (group->pe.unavailable || group->pe.host_recovers) {
		return -EIO;
	}
	group->pe.reset_asserted = true;
	sim_group_reset_functions(group);
	if (is_lpar(group)) {
		argument->blocks += HOLD_MILLIS;
	} else if (fundamental) {
		argument->blocks += FUNDAMENTAL_MILLIS;
	} else {
		argument->blocks += group->open_devices > 0 ? HOT_MILLIS : HOT_UNOPENED_MILLIS;
	}
	return 0;
}

/* The same, deasserting: the kernel enables the devices again, and thaws the PE
 * (eeh_pe_reenable_devices). */
static int deassert_reset(struct sim_group *group, struct sim_argument *argument)
{
	argument->blocks += is_lpar(group) ? SETTLE_MILLIS : DEACTIVATE_MILLIS;
	if (group->pe.reset_asserted) {
		group->pe.reset_asserted = false;
		sim_group_reenable_functions(group);
	}
	return thaw_both(group);
}

/* errors on request */

/* The firmware of POWER8 arms the bridge: the error waits for an access that fits. Later firmware
 * can't. */
static int inject_by_opal(const struct sim_group *group, const struct vfio_eeh_pe_err *error)
{
	const struct sim_host *host = group->model->host;
	int node = host->fdt ? fdt_subnode_offset(host->fdt, 0, group->phb->node) : -1;

	if (error->type > ERROR_TYPE_MAX) {
		return -ERANGE;
	}
	return node >= 0 && fdt_node_check_compatible(host->fdt, node, COMPATIBLE_POWER8_PHB) == 0
		       ? 0
		       : -EIO;
}

/* pseries_eeh_err_inject: it reads the devices' registers while they are off (H52). */
static int inject_by_reading(struct sim_group *group, const struct vfio_eeh_pe_err *error)
{
	if (error->type > ERROR_TYPE_MAX) {
		return -EINVAL;
	}
	switch (error->func) {
	case ERROR_LOAD_ADDRESS:
	case ERROR_LOAD_DATA:
	case ERROR_STORE_ADDRESS:
	case ERROR_STORE_DATA:
		freeze(group, true, true);
		return 0;
	default:
		return -ERANGE;
	}
}

/* eeh_pe_inject_err. */
static int inject(struct sim_group *group, const struct vfio_eeh_pe_op *op)
{
	if (op->argsz < END_OF(struct vfio_eeh_pe_op, err.mask) ||
	    op->err.func > ERROR_FUNCTION_MAX) {
		return -EINVAL;
	}
	return is_lpar(group) ? inject_by_reading(group, &op->err)
			      : inject_by_opal(group, &op->err);
}

/* the ioctl */

static int operate(struct sim_group *group, const struct vfio_eeh_pe_op *op,
		   struct sim_argument *argument)
{
	switch (op->op) {
	case VFIO_EEH_PE_DISABLE:
	case VFIO_EEH_PE_CONFIGURE: /* the firmware of an LPAR finds nothing to do */
		return 0;
	case VFIO_EEH_PE_ENABLE:
		return change_owner(group);
	case VFIO_EEH_PE_UNFREEZE_IO:
		return thaw_io(group);
	case VFIO_EEH_PE_UNFREEZE_DMA:
		return thaw_dma(group);
	case VFIO_EEH_PE_GET_STATE:
		return get_state(group);
	case VFIO_EEH_PE_RESET_DEACTIVATE:
		return deassert_reset(group, argument);
	case VFIO_EEH_PE_RESET_HOT:
		return assert_reset(group, false, argument);
	case VFIO_EEH_PE_RESET_FUNDAMENTAL:
		return assert_reset(group, true, argument);
	case VFIO_EEH_PE_INJECT_ERR:
		return inject(group, op);
	default:
		return -EINVAL;
	}
}

/* Whether the group has a PE that the kernel finds: it looks for it by the group's devices
 * (eeh_iommu_group_to_pe). */
static bool has_pe(const struct sim_group *group)
{
	const struct sim_model *model = group->model;

	if (!group->phb->eeh) {
		return false;
	}
	for (size_t i = 0; i < model->host->device_count; i++) {
		if (model->host->devices[i].group == (int)group->number && model->functions[i]) {
			return true;
		}
	}
	return false;
}

/* vfio_spapr_ioctl_eeh_pe_op: the PE comes first, whatever the argument says. */
static int operate_checked(struct sim_group *group, struct sim_argument *argument)
{
	const struct vfio_eeh_pe_op *op = argument->data;
	struct change change;
	int result;

	if (!has_pe(group)) {
		return -ENODEV;
	}
	if (!op) {
		return -EFAULT;
	}
	if (op->argsz < END_OF(struct vfio_eeh_pe_op, op) || op->flags != 0) {
		return -EINVAL;
	}
	change = change_begin(group);
	result = operate(group, op, argument);
	change_end(&change);
	return result;
}

int sim_eeh_pe_op(struct sim_container *container, struct sim_argument *argument)
{
	int result = 0;

	for (struct sim_group *group = container->groups; group && result == 0;
	     group = group->next) {
		result = operate_checked(group, argument);
	}
	return result;
}
