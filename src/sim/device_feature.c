/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* VFIO_DEVICE_FEATURE (vfio_ioctl_device_feature, vfio_pci_core_ioctl_feature). A PCI function has
 * no migration and no dirty page log of its own, and none here has SR-IOV: what is left is low
 * power. */
#include <errno.h>
#include <linux/vfio.h>
#include <string.h>

#include "common/cleanup.h"
#include "sim/event.h"
#include "sim/function.h"

#define KNOWN_FLAGS                                                                     \
	(VFIO_DEVICE_FEATURE_MASK | VFIO_DEVICE_FEATURE_SET | VFIO_DEVICE_FEATURE_GET | \
	 VFIO_DEVICE_FEATURE_PROBE)

/* vfio_check_feature for one that can be set alone: 1: do it, 0: it was a probe, or -EINVAL. */
static int check_set(const struct vfio_device_feature *feature, size_t needed)
{
	if (feature->flags & VFIO_DEVICE_FEATURE_GET) {
		return -EINVAL;
	}
	if (feature->flags & VFIO_DEVICE_FEATURE_PROBE) {
		return 0;
	}
	return feature->flags & VFIO_DEVICE_FEATURE_SET &&
			       feature->argsz - sizeof(*feature) >= needed
		       ? 1
		       : -EINVAL;
}

/* low power */

void sim_function_leave_low_power(struct sim_function *function)
{
	function->low_power = false;
	cleanup_fd(&function->wakeup);
}

void sim_function_wake(struct sim_function *function)
{
	if (function->wakeup >= 0) {
		sim_event_signal(function->wakeup);
		sim_function_leave_low_power(function);
	}
}

static int enter_low_power(struct sim_function *function, int wakeup)
{
	if (function->low_power) {
		(void)fd_close(wakeup);
		return -EINVAL;
	}
	function->low_power = true;
	function->wakeup = wakeup;
	return 0;
}

static int enter_with_wakeup(struct sim_function *function, struct sim_argument *argument)
{
	const struct vfio_device_feature *feature = argument->data;
	struct vfio_device_low_power_entry_with_wakeup entry;
	int fd = -1;
	int r = check_set(feature, sizeof(entry));

	if (r != 1) {
		return r;
	}
	if (argument->size < sizeof(*feature) + sizeof(entry)) {
		return -EFAULT;
	}
	memcpy(&entry, feature->data, sizeof(entry));
	if (entry.wakeup_eventfd == SIM_FD_MINUS_ONE) {
		return -EINVAL;
	}
	r = sim_event_take(argument, entry.wakeup_eventfd, &fd);
	return r < 0 ? r : enter_low_power(function, fd);
}

/* dispatch */

static int apply(struct sim_function *function, struct sim_argument *argument)
{
	const struct vfio_device_feature *feature = argument->data;
	int r;

	switch (feature->flags & VFIO_DEVICE_FEATURE_MASK) {
	case VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY:
		r = check_set(feature, 0);
		return r == 1 ? enter_low_power(function, -1) : r;
	case VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY_WITH_WAKEUP:
		return enter_with_wakeup(function, argument);
	case VFIO_DEVICE_FEATURE_LOW_POWER_EXIT:
		r = check_set(feature, 0);
		if (r == 1) {
			sim_function_leave_low_power(function);
			r = 0;
		}
		return r;
	default:
		return -ENOTTY;
	}
}

int sim_function_feature(struct sim_function *function, struct sim_argument *argument)
{
	const struct vfio_device_feature *feature = argument->data;

	if (feature->argsz < sizeof(*feature) || feature->flags & ~(uint32_t)KNOWN_FLAGS) {
		return -EINVAL;
	}
	/* Setting and getting exclude each other, except in a probe. */
	if (!(feature->flags & VFIO_DEVICE_FEATURE_PROBE) &&
	    feature->flags & VFIO_DEVICE_FEATURE_SET && feature->flags & VFIO_DEVICE_FEATURE_GET) {
		return -EINVAL;
	}
	return apply(function, argument);
}
