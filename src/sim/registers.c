/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/registers.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/vfio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/param.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/range.h"
#include "sim/function.h"
#include "sim/msix.h"
#include "sim/protocol.h"

_Static_assert(SIM_FIRST_EXTRA == VFIO_PCI_NUM_REGIONS, "vendors' regions come after PCI's");

#define RESOURCE_MEMORY 0x200U
#define CHUNK           4096U
/* Regions up to so many bytes show programs that have mapped them a freeze, and may act. */
#define VIEW_MAX (UINT64_C(16) << 20)

static const struct sim_behaviour *const behaviours[] = {
	&sim_behaviour_edu,
	&sim_behaviour_e1000e,
};

/* files */

static uint64_t page_size(const struct sim_function *function)
{
	return UINT64_C(1) << function->model->host->page_shift;
}

uint64_t sim_registers_size(const struct sim_device *device, unsigned int region)
{
	if (region < SIM_BARS) {
		const struct sim_resource *resource = &device->resource[region];

		return resource->start || resource->end ? resource->end - resource->start + 1 : 0;
	}
	if (region >= SIM_FIRST_EXTRA && region - SIM_FIRST_EXTRA < device->extra_region_count) {
		return device->extra_region[region - SIM_FIRST_EXTRA].size;
	}
	return 0;
}

/* The behaviour of a region, or NULL. */
static const struct sim_behaviour *behaviour_of(const struct sim_function *function,
						unsigned int region)
{
	return region == 0 ? function->registers->behaviour : NULL;
}

/* The bytes of a region that are the MSI-X table: none in most. */
static void find_table(const struct sim_function *function, unsigned int region,
		       uint64_t *ret_start, uint64_t *ret_end)
{
	unsigned int bar = 0;
	uint64_t offset = 0;
	uint64_t size = 0;

	*ret_start = 0;
	*ret_end = 0;
	if (sim_config_space_find_msix_table(function->config, &bar, &offset, &size) &&
	    bar == region) {
		*ret_start = offset;
		*ret_end = offset + size;
	}
}

/* A region's file, made if need be. 0 or -errno. */
static int require_file(struct sim_function *function, unsigned int region)
{
	const struct sim_behaviour *behaviour = behaviour_of(function, region);
	struct sim_region_file *file = &function->registers->file[region];
	uint64_t size = sim_registers_size(function->device, region);
	uint64_t page = page_size(function);
	uint64_t start;
	uint64_t end;

	if (file->fd >= 0) {
		return 0;
	}
	file->size = (size + page - 1) & ~(page - 1);
	file->fd = memfd_create(SIM_REGION_FILE_NAME, MFD_CLOEXEC);
	if (file->fd < 0) {
		return -errno;
	}
	if (ftruncate(file->fd, (off_t)file->size) < 0) {
		cleanup_fd(&file->fd);
		return -ENOMEM;
	}
	if (behaviour) {
		behaviour->present(function, function->registers->state);
	}
	find_table(function, region, &start, &end);
	if (end > start) {
		sim_msix_present(function);
	}
	return 0;
}

/* Programs have the same file: they may have cut it, which is as if nothing were there. */
void sim_registers_load(const struct sim_function *function, unsigned int region, uint64_t offset,
			void *data, size_t size)
{
	const struct sim_region_file *file = &function->registers->file[region];
	ssize_t done = 0;

	memset(data, 0, size);
	if (file->view != SIM_VIEW_CONTENT) {
		if (file->kept && offset + size <= file->size) {
			memcpy(data, file->kept + offset, size);
		}
		return;
	}
	if (file->fd >= 0) {
		done = pread(file->fd, data, size, (off_t)offset);
	}
	(void)done;
}

void sim_registers_store(const struct sim_function *function, unsigned int region, uint64_t offset,
			 const void *data, size_t size)
{
	const struct sim_region_file *file = &function->registers->file[region];

	if (file->view != SIM_VIEW_CONTENT) {
		if (file->kept && offset + size <= file->size) {
			memcpy(file->kept + offset, data, size);
		}
		return;
	}
	if (file->fd >= 0) {
		(void)!pwrite(file->fd, data, size, (off_t)offset);
	}
}

/* views */

static void fill(int fd, uint64_t size, uint8_t byte)
{
	uint8_t bytes[CHUNK];

	memset(bytes, byte, sizeof(bytes));
	for (uint64_t at = 0; at < size; at += sizeof(bytes)) {
		(void)!pwrite(fd, bytes, MIN(size - at, sizeof(bytes)), (off_t)at);
	}
}

/* Returns whether the content is kept. */
static bool keep_content(struct sim_region_file *file)
{
	if (file->size > VIEW_MAX) {
		return false;
	}
	file->kept = calloc(1, file->size);
	if (file->kept) {
		(void)!pread(file->fd, file->kept, file->size, 0);
	}
	return file->kept != NULL;
}

static void restore_content(struct sim_region_file *file)
{
	(void)!ftruncate(file->fd, (off_t)file->size);
	(void)!pwrite(file->fd, file->kept, file->size, 0);
	free(file->kept);
	file->kept = NULL;
	file->view = SIM_VIEW_CONTENT;
}

static void set_view(struct sim_region_file *file, enum sim_view view)
{
	if (file->view == view) {
		return;
	}
	if (view == SIM_VIEW_CONTENT) {
		restore_content(file);
		return;
	}
	if (file->view == SIM_VIEW_CONTENT && !keep_content(file)) {
		return;
	}
	file->view = view;
	if (view == SIM_VIEW_NOTHING) {
		(void)!ftruncate(file->fd, 0);
	} else {
		(void)!ftruncate(file->fd, (off_t)file->size);
		fill(file->fd, file->size, 0xff);
	}
}

static enum sim_view find_view(const struct sim_function *function)
{
	if (!sim_config_space_has_memory(function->config) || function->low_power) {
		return SIM_VIEW_NOTHING;
	}
	return sim_function_is_stopped(function) || !sim_config_space_decodes(function->config)
		       ? SIM_VIEW_ONES
		       : SIM_VIEW_CONTENT;
}

/* lifetime */

struct sim_registers *sim_registers_new(struct sim_function *function)
{
	struct sim_registers *registers = calloc(1, sizeof(*registers));
	const struct sim_device *device = function->device;
	const uint64_t bar = sim_registers_size(device, 0);

	if (!registers) {
		return NULL;
	}
	for (size_t i = 0; i < sizeof(behaviours) / sizeof(behaviours[0]); i++) {
		if (behaviours[i]->vendor == device->vendor &&
		    behaviours[i]->device == device->device && bar > 0 && bar <= VIEW_MAX) {
			registers->behaviour = behaviours[i];
		}
	}
	registers->count = SIM_FIRST_EXTRA + device->extra_region_count;
	registers->file = calloc(registers->count, sizeof(*registers->file));
	registers->state =
		registers->behaviour ? calloc(1, registers->behaviour->state_size) : NULL;
	if (!registers->file || (registers->behaviour && !registers->state)) {
		free(registers->file);
		free(registers->state);
		free(registers);
		return NULL;
	}
	for (size_t i = 0; i < registers->count; i++) {
		registers->file[i].fd = -1;
	}
	return registers;
}

struct sim_registers *sim_registers_free(struct sim_registers *registers)
{
	if (registers) {
		for (size_t i = 0; i < registers->count; i++) {
			cleanup_fd(&registers->file[i].fd);
			free(registers->file[i].kept);
		}
		free(registers->file);
		free(registers->state);
		free(registers);
	}
	return NULL;
}

static void clear_range(struct sim_region_file *file, uint64_t begin, uint64_t end)
{
	end = MIN(end, file->size);
	if (begin >= end) {
		return;
	}
	if (file->kept) {
		memset(file->kept + begin, 0, end - begin);
	} else if (file->fd >= 0) {
		(void)fallocate(file->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)begin,
				(off_t)(end - begin));
	}
}

/* All but the MSI-X table, which no register of the function's own resets. */
static void clear(struct sim_function *function, unsigned int region)
{
	struct sim_region_file *file = &function->registers->file[region];
	uint64_t start;
	uint64_t end;

	find_table(function, region, &start, &end);
	clear_range(file, 0, start);
	clear_range(file, end, file->size);
}

void sim_registers_reset(struct sim_function *function)
{
	struct sim_registers *registers = function->registers;

	for (unsigned int i = 0; i < registers->count; i++) {
		clear(function, i);
	}
	if (registers->behaviour) {
		registers->behaviour->reset(function, registers->state);
		registers->behaviour->present(function, registers->state);
	}
}

void sim_registers_close(struct sim_function *function)
{
	for (size_t i = 0; i < function->registers->count; i++) {
		set_view(&function->registers->file[i], SIM_VIEW_CONTENT);
		function->registers->file[i].mapped = false;
	}
}

/* mapping */

/* Whether what is left of the page is free, so that vfio-pci can reserve it. */
static bool is_rest_free(const struct sim_function *function, const struct sim_resource *bar)
{
	const struct sim_host *host = function->model->host;
	uint64_t end = bar->start + page_size(function);

	for (size_t i = 0; i < host->device_count; i++) {
		const struct sim_device *device = &host->devices[i];

		for (unsigned int j = 0; j < SIM_BARS; j++) {
			if (device->phb == function->device->phb &&
			    device->resource[j].flags & RESOURCE_MEMORY &&
			    device->resource[j].start > bar->end &&
			    device->resource[j].start < end) {
				return false;
			}
		}
	}
	return true;
}

bool sim_registers_is_mappable(const struct sim_function *function, unsigned int region)
{
	const struct sim_device *device = function->device;
	uint64_t size = sim_registers_size(device, region);
	const struct sim_resource *bar;

	if (region >= SIM_FIRST_EXTRA) {
		return size > 0 && device->extra_region[region - SIM_FIRST_EXTRA].flags &
					   VFIO_REGION_INFO_FLAG_MMAP;
	}
	if (region >= SIM_BARS || size == 0) {
		return false;
	}
	bar = &device->resource[region];
	if (!(bar->flags & RESOURCE_MEMORY)) {
		return false;
	}
	return size >= page_size(function) ||
	       (is_aligned(bar->start, page_size(function)) && is_rest_free(function, bar));
}

/* Whether a range of a mappable region can be mapped: of a vendor's, it may be in parts. */
static bool is_in_area(const struct sim_function *function, unsigned int region, uint64_t offset,
		       uint64_t size)
{
	const struct sim_extra_region *extra;

	if (region < SIM_FIRST_EXTRA) {
		return true;
	}
	extra = &function->device->extra_region[region - SIM_FIRST_EXTRA];
	for (size_t i = 0; i < extra->area_count; i++) {
		const struct sim_sparse_area *area = &extra->area[i];

		if (offset >= area->offset && offset - area->offset < area->size &&
		    size <= area->size - (offset - area->offset)) {
			return true;
		}
	}
	return extra->area_count == 0;
}

int sim_registers_map(struct sim_function *function, unsigned int region, uint64_t offset,
		      uint64_t size, int *ret_fd, uint64_t *ret_offset)
{
	struct sim_region_file *file;
	uint64_t end;
	int r;

	if (!sim_registers_is_mappable(function, region) || size == 0 ||
	    !is_aligned(offset, page_size(function))) {
		return -EINVAL;
	}
	end = sim_registers_size(function->device, region) + page_size(function) - 1;
	end &= ~(page_size(function) - 1);
	if (offset >= end || size > end - offset || !is_in_area(function, region, offset, size)) {
		return -EINVAL;
	}
	r = require_file(function, region);
	if (r < 0) {
		return r;
	}
	file = &function->registers->file[region];
	file->mapped = true;
	(void)sim_registers_poll(function);
	*ret_fd = file->fd;
	*ret_offset = offset;
	return 0;
}

bool sim_registers_poll(struct sim_function *function)
{
	struct sim_registers *registers = function->registers;
	bool any = false;

	for (unsigned int i = 0; i < registers->count; i++) {
		struct sim_region_file *file = &registers->file[i];

		if (!file->mapped) {
			continue;
		}
		any = true;
		set_view(file, find_view(function));
		if (behaviour_of(function, i) && file->view == SIM_VIEW_CONTENT) {
			registers->behaviour->look(function, registers->state);
		}
	}
	return any;
}

/* access (vfio_pci_bar_rw) */

struct access {
	struct sim_function *function;
	unsigned int region;
	uint8_t *data;
	bool writes;
	bool is_memory; /* not I/O ports, nor what a vendor's driver answers for */
};

/* A single load or store of the kernel's. */
static void move_word(const struct access *access, uint64_t offset, uint8_t *data, size_t size)
{
	struct sim_function *function = access->function;
	struct sim_registers *registers = function->registers;
	const struct sim_behaviour *behaviour = behaviour_of(function, access->region);

	if (sim_function_is_stopped(function) ||
	    (access->is_memory && !sim_config_space_decodes(function->config))) {
		if (!access->writes) {
			memset(data, 0xff, size);
		}
		return;
	}
	if (access->writes) {
		if (!behaviour) {
			sim_registers_store(function, access->region, offset, data, size);
		} else {
			behaviour->write(function, registers->state, offset, data, size);
		}
	} else if (!behaviour || !behaviour->read) {
		sim_registers_load(function, access->region, offset, data, size);
	} else {
		behaviour->read(function, registers->state, offset, data, size);
	}
}

/* The longest access there that the kernel would make (do_io_rw). */
static size_t find_width(uint64_t offset, size_t left)
{
	size_t width = 8;

	while (width > left || offset % width != 0) {
		width /= 2;
	}
	return width;
}

static ssize_t move(const struct access *access, uint64_t offset, size_t size)
{
	const struct sim_function *function = access->function;
	uint64_t start;
	uint64_t end;
	size_t width;

	/* The MSI-X table can't be reached so: reads are all ones, writes are lost. */
	find_table(function, access->region, &start, &end);
	for (size_t done = 0; done < size; done += width) {
		uint64_t at = offset + done;

		if (at >= start && at < end) {
			width = (size_t)MIN(size - done, end - at);
			if (!access->writes) {
				memset(access->data + done, 0xff, width);
			}
			continue;
		}
		if (access->is_memory && !sim_config_space_has_memory(function->config)) {
			return -EIO;
		}
		width = find_width(at,
				   at < start ? (size_t)MIN(size - done, start - at) : size - done);
		move_word(access, at, access->data + done, width);
	}
	return (ssize_t)size;
}

static bool is_allowed(const struct access *access)
{
	const struct sim_device *device = access->function->device;
	uint32_t needed = access->writes ? VFIO_REGION_INFO_FLAG_WRITE : VFIO_REGION_INFO_FLAG_READ;

	if (access->region < SIM_BARS) {
		return device->resource[access->region].start != 0;
	}
	return device->extra_region[access->region - SIM_FIRST_EXTRA].flags & needed;
}

static ssize_t reach(struct access *access, uint64_t offset, size_t size)
{
	struct sim_function *function = access->function;
	const struct sim_behaviour *behaviour = behaviour_of(function, access->region);
	uint64_t end = sim_registers_size(function->device, access->region);
	int r = 0;

	if (offset >= end || !is_allowed(access)) {
		return -EINVAL;
	}
	access->is_memory = access->region < SIM_BARS &&
			    function->device->resource[access->region].flags & RESOURCE_MEMORY;
	/* What knows its registers by itself needs a file only for those that map it. */
	if (!behaviour || !behaviour->read) {
		r = require_file(function, access->region);
	}
	if (r < 0) {
		return r;
	}
	/* What programs have written to what they have mapped came before. */
	(void)sim_registers_poll(function);
	return move(access, offset, (size_t)MIN(size, end - offset));
}

ssize_t sim_registers_read(struct sim_function *function, unsigned int region, uint64_t offset,
			   void *data, size_t size)
{
	struct access access = {.function = function, .region = region, .data = data};

	return reach(&access, offset, size);
}

ssize_t sim_registers_write(struct sim_function *function, unsigned int region, uint64_t offset,
			    const void *data, size_t size)
{
	/* The direction decides: a write only reads data. */
	struct access access = {
		.function = function,
		.region = region,
		.data = (uint8_t *)(uintptr_t)data,
		.writes = true,
	};

	return reach(&access, offset, size);
}
