/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Resets of open devices, and stopping them for good before their group is let go.
 *
 * Concepts
 *   function reset  VFIO_DEVICE_RESET: the device alone (pci_try_reset_function). The kernel puts
 *                   config space back as it was (pci_restore_state), bus mastering too: it is
 *                   switched off before, so that it is off afterwards.
 *   power reset     what VFIO_DEVICE_RESET comes to where the device has no function-level reset
 *                   but power states: D3hot and back, which many devices take for no reset. It is
 *                   used when nothing better can be had.
 *
 *   bus reset       VFIO_DEVICE_PCI_HOT_RESET: all devices behind the same bridge. The kernel wants
 *                   to see the fds of all their groups (vfio_pci_dev_set_hot_reset).
 *
 *   PE reset        VFIO_EEH_PE_RESET_HOT and _DEACTIVATE: all devices of a group that is alone in
 *                   its container. The only one that helps a frozen PE: VFIO_DEVICE_RESET of such a
 *                   device answers 0 and leaves it frozen.
 *
 *   stopped         reset, and no bus master, by its own command register. A device of a group that
 *                   nobody has may reach all memory (pnv_ioda2_release_ownership turns the 64-bit
 *                   bypass on, field note H40), so nothing else lets a group go.
 *
 * All of it blocks for seconds: for a thread that can wait.
 */
#pragma once

#include <stdbool.h>

#include "common/error.h"
#include "common/worker_protocol.h"
#include "vfio/device.h"
#include "vfio/group.h"

/* How a device can be reset, as it says itself. */
struct reset_means {
	bool works;          /* VFIO_DEVICE_RESET: VFIO_DEVICE_FLAGS_RESET */
	bool function_level; /* by PCI Express (7.5.3.3) or Advanced Features (Conventional PCI) */
	bool by_power;       /* by its power states: No_Soft_Reset is not set */
};

struct reset_means reset_read_means(const struct device *device);

/* Whether VFIO_DEVICE_RESET is all that such a device needs; else it wants a reset of its bus. */
bool reset_is_enough(const struct reset_means *means);

/* What a reset of a device may touch besides it. */
struct reset_scope {
	struct group *group; /* the device's */
	bool pe_is_alone;    /* an operation of EEH is about that group only (field note H42) */
	/* Groups that are ours, and at rest; the device's is one of them. */
	const struct group *const *groups;
	unsigned int group_count;
	bool all; /* all their open devices are to be reset, not this one alone */
	/* Its group is going to be let go: that it is no bus master is what matters, and each way
	 * to reset it will do that hits no other device. */
	bool for_good;
};

/*
 * Reset a device, by the best way that there is, and see that it answers and is no bus master. With
 * scope->all the other devices that the same reset has hit are marked (device->reset_way), and are
 * not to be reset again. Interrupts are wired as before.
 *
 * ERROR_FROZEN       its PE is: recover it
 * ERROR_BUSY         the kernel is taking a device of its group away
 * ERROR_UNSUPPORTED  there is no way; the text says why each one is none: a bus with devices of
 *                    others names them
 * ERROR_KERNEL       it failed, or had no effect
 */
int device_reset(struct device *device, const struct reset_scope *scope, struct error *error);

/* Before and after a round of resets with scope->all: none of the group's devices is done. */
void group_forget_resets(struct group *group);

/* A device that the kernel waits for to be closed, since it is being unbound or unplugged; or NULL.
 * No reset of the group's PE may be begun then: it would wait for that close for ever. */
const struct device *group_find_wanted_back(const struct group *group);

/*
 * Stop all open devices of the group, whatever state its PE is in: one that is frozen is reset
 * first, for the last close of a device would thaw it (field note H45). A device without any reset
 * is stopped when it is no bus master; so is one that the kernel is taking away, for a reset would
 * wait for its close. group->stopped tells the outcome, and group->obstacle what
 * keeps it. Devices that nobody has opened are left alone: without a driver or a VFIO fd nobody
 * could make them bus masters.
 *
 * ERROR_QUARANTINED  names the device; nothing is undone
 */
int group_stop(const struct reset_scope *scope, struct error *error);
