/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A function's regions but config space: BARs, and what a vendor's driver adds to them.
 *
 * Concepts
 *   behaviour  what makes registers more than memory: edu's, and a little of e1000e's. A function
 *              without one has BARs that are plain memory, all zeros after a reset.
 *   file       a memfd with a region's bytes, made when it is first needed. Programs map it.
 *   view       what of it a program may see. Where a real mapping would read all ones (a frozen
 *              PE) or raise SIGBUS (memory access is off in the command register), the file is
 *              filled with ones, or cut to nothing; what was in it is kept and comes back.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "sim/host.h"

struct sim_function;

#define SIM_BARS 6U
/* The number of the first vendor's region (VFIO_PCI_NUM_REGIONS). */
#define SIM_FIRST_EXTRA 9U

enum sim_view {
	SIM_VIEW_CONTENT,
	SIM_VIEW_ONES,
	SIM_VIEW_NOTHING,
};

struct sim_region_file {
	int fd; /* -1: not made yet */
	uint64_t size;
	bool mapped; /* by a program, since the function was opened */
	enum sim_view view;
	uint8_t *kept; /* the content, while the view is another */
};

/* The behaviour of a kind of function: of its BAR 0. Accesses are of 1, 2, 4 or 8 bytes, aligned.
 */
struct sim_behaviour {
	uint16_t vendor;
	uint16_t device;
	size_t state_size;
	/* After power-on and each reset. */
	void (*reset)(struct sim_function *function, void *state);
	/* NULL: as memory. */
	void (*read)(struct sim_function *function, void *state, uint64_t offset, void *data,
		     size_t size);
	void (*write)(struct sim_function *function, void *state, uint64_t offset, const void *data,
		      size_t size);
	/* Fill a file that programs map. */
	void (*present)(struct sim_function *function, void *state);
	/* Look at it, for what they have written. */
	void (*look)(struct sim_function *function, void *state);
};

struct sim_registers {
	const struct sim_behaviour *behaviour; /* NULL for none */
	void *state;
	struct sim_region_file *file; /* BARs, ROM, config, VGA, vendor's */
	size_t count;
};

/* NULL: no memory. */
struct sim_registers *sim_registers_new(struct sim_function *function);

/* Takes NULL, returns NULL. */
struct sim_registers *sim_registers_free(struct sim_registers *registers);

/* All as after power-on. */
void sim_registers_reset(struct sim_function *function);

/* Programs have mapped nothing any more. */
void sim_registers_close(struct sim_function *function);

/* The size of a BAR or vendor's region; 0 for all others. */
uint64_t sim_registers_size(const struct sim_device *device, unsigned int region);

/* Whether a program may map the region (vfio_pci_probe_mmaps). */
bool sim_registers_is_mappable(const struct sim_function *function, unsigned int region);

/* pread and pwrite of a region that is not config space. The number of bytes, or -errno. */
ssize_t sim_registers_read(struct sim_function *function, unsigned int region, uint64_t offset,
			   void *data, size_t size);
ssize_t sim_registers_write(struct sim_function *function, unsigned int region, uint64_t offset,
			    const void *data, size_t size);

/* mmap; arguments and results as sim_device_map has them. */
int sim_registers_map(struct sim_function *function, unsigned int region, uint64_t offset,
		      uint64_t size, int *ret_fd, uint64_t *ret_offset);

/* Keep what programs have mapped up to date. Returns whether there is anything. */
bool sim_registers_poll(struct sim_function *function);

/* for behaviours */

/* The bytes of a file; beyond its end there are zeros. Without a file nothing happens. */
void sim_registers_load(const struct sim_function *function, unsigned int region, uint64_t offset,
			void *data, size_t size);
void sim_registers_store(const struct sim_function *function, unsigned int region, uint64_t offset,
			 const void *data, size_t size);

extern const struct sim_behaviour sim_behaviour_edu;
extern const struct sim_behaviour sim_behaviour_e1000e;
