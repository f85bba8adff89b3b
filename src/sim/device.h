/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * VFIO devices of a simulated host: what the fd of VFIO_GROUP_GET_DEVICE_FD answers.
 *
 * Concepts
 *   function     one PCI function with its state: config space, BARs, interrupts. It is there as
 *                long as the device is plugged in, opened or not.
 *   device file  one open fd of a function. The first open and the last close reset it.
 *   region       0 to 5 the BARs, 6 the ROM, 7 the config space, 8 VGA, from 9 on what a driver of
 *                the vendor's adds. The fd's offset space has region N at N << 40.
 *   registers    a BAR's bytes lie in a memfd, which programs may map. A function whose registers
 *                act (edu) looks at them when they are written by pwrite, and at each tick while
 *                they are mapped.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "sim/argument.h"

struct sim_device;
struct sim_function;
struct sim_group;
struct sim_model;

#define SIM_REGION_SHIFT 40

/* functions */

/* Make the function of a device of the host. device must outlive it. 0 or -errno. */
int sim_function_new(struct sim_model *model, const struct sim_device *device,
		     struct sim_function **ret_function);

/* No file of it is open. Takes NULL, returns NULL. */
struct sim_function *sim_function_free(struct sim_function *function);

/* Whether a device file of it is open. */
bool sim_function_is_open(const struct sim_function *function);

/* Ring the request interrupt, when someone has set one: the device shall be given back. */
void sim_function_request_release(struct sim_function *function);

/* Let functions look at what programs do without asking: at registers that they have mapped, and at
 * eventfds that unmask or write. Returns whether there is any of that; then it is to be called
 * again in a millisecond. */
bool sim_functions_tick(struct sim_model *model);

/* What every function of a PE loses by a reset of its bus. */
void sim_group_reset_functions(struct sim_group *group);

/* What the kernel does with those that are open when such a reset is over: they decode again, but
 * are no bus masters. */
void sim_group_reenable_functions(struct sim_group *group);

/* device files */

/*
 * VFIO_GROUP_GET_DEVICE_FD: name is the device's. 0 with argument->new_node and argument->blocks
 * set, or -errno: ENODEV, EINVAL (no container or no backend).
 */
int sim_device_open(struct sim_group *group, const char *name, struct sim_argument *argument);

/* The last close of a file. That of the last file of its function resets it, which takes as long as
 * VFIO_DEVICE_RESET; nobody is made to wait for it here. */
void sim_device_close(struct sim_device_file *file);

int sim_device_ioctl(struct sim_device_file *file, const struct sim_caller *caller,
		     unsigned long request, struct sim_argument *argument);

/* pread and pwrite. Returns the number of bytes, or -errno. */
ssize_t sim_device_read(struct sim_device_file *file, uint64_t offset, void *data, size_t size);
ssize_t sim_device_write(struct sim_device_file *file, uint64_t offset, const void *data,
			 size_t size);

/* What mmap would map: a file (the function's; duplicate it to keep it) and where in it. 0 or
 * -errno. */
int sim_device_map(struct sim_device_file *file, uint64_t offset, uint64_t size, int prot,
		   int *ret_fd, uint64_t *ret_offset);
