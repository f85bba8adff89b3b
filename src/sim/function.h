/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a PCI function of a simulated host consists of, for the files that make it up.
 *
 * Concepts
 *   opening    config space and registers are made when a function is opened for the first time.
 *              From then on they stay as they are, but for resets.
 *   stopped    a PE's MMIO is frozen, or its reset is asserted.
 *   bus set    the functions that one bus reset hits (struct vfio_device_set): all of their bus.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sim/config_space.h"
#include "sim/device.h"
#include "sim/host.h"
#include "sim/interrupts.h"
#include "sim/model.h"
#include "sim/registers.h"

struct sim_function {
	struct sim_model *model;
	const struct sim_device *device;
	size_t index;                    /* of the device */
	struct sim_group *group;         /* NULL for a bridge */
	unsigned int files;              /* that are open */
	struct sim_config_space *config; /* NULL before the first open */
	struct sim_interrupts interrupts;
	struct sim_registers *registers; /* NULL before the first open */
	struct sim_write_event *write_events;
	bool needs_reset; /* it was closed and could not be reset by itself */
	/* low power, which VFIO_DEVICE_FEATURE asks for */
	bool low_power;
	int wakeup; /* eventfd, or -1 */
	/* its driver (sim/binding.c) */
	char driver[64];   /* empty for none */
	char override[64]; /* driver_override; empty for none */
	/* its removal (sim/hotplug.c), or its driver's */
	bool leaving;
	bool unbinding;           /* the function itself stays */
	bool requested;           /* next_request counts */
	uint64_t next_request;    /* milliseconds */
	unsigned int vfio_number; /* "vfio0" in vfio-dev */
};

struct sim_device_file {
	struct sim_function *function;
};

/* Whether vfio-pci has the function, so that it can be opened. */
bool sim_function_is_vfio(const struct sim_function *function);

/* Give it the number in vfio-dev that vfio-pci's next device has. 0 or -errno. */
int sim_function_number(struct sim_function *function);

/* VFIO_DEVICE_RESET and the like: the registers are reset, config space is saved around it. 0 or
 * -EINVAL. ret_blocks may be NULL. */
int sim_function_reset(struct sim_function *function, uint32_t *ret_blocks);

/* What the reset of its bus does to a function, whoever asks for it. */
void sim_function_reset_registers(struct sim_function *function);

/* MMIO doesn't reach the function. */
bool sim_function_is_stopped(const struct sim_function *function);

/* Who answers when config space is accessed. */
enum sim_config_reach sim_function_reach(const struct sim_function *function);

/* The next function after index that a reset of this one's bus hits, itself included; NULL at the
 * end. Begin with *index 0. */
struct sim_function *sim_function_next_on_bus(const struct sim_function *function, size_t *index);

/* A bus can be reset when there is a bridge above it (pci_probe_reset_bus). */
bool sim_function_has_bus_reset(const struct sim_function *function);

/* VFIO_DEVICE_GET_PCI_HOT_RESET_INFO and VFIO_DEVICE_PCI_HOT_RESET (hot_reset.c) */
int sim_function_hot_reset_info(struct sim_function *function, struct sim_argument *argument);
int sim_function_hot_reset(struct sim_function *function, struct sim_argument *argument);

/* VFIO_DEVICE_FEATURE (device_feature.c) */
int sim_function_feature(struct sim_function *function, struct sim_argument *argument);
/* Any other access ends low power when that was entered with a wakeup. */
void sim_function_wake(struct sim_function *function);
void sim_function_leave_low_power(struct sim_function *function);

/* VFIO_DEVICE_IOEVENTFD (write_event.c) */
int sim_function_set_write_event(struct sim_function *function, struct sim_argument *argument);
void sim_function_drop_write_events(struct sim_function *function);
/* Returns whether there is any. */
bool sim_function_poll_write_events(struct sim_function *function);
