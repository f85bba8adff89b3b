/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A device behind a kernel that says and does of its regions what a test wants. */
#pragma once

#include <errno.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/worker_protocol.h"
#include "host/kernel.h"
#include "unit.h"
#include "vfio/device.h"
#include "vfio/irq.h"
#include "vfio/region.h"

#define FD          7
#define REGIONS     12U
#define SHIFT       40
#define CONFIG_SIZE 256U
#define BAR_SIZE    0x4000U
#define ANSWER_SIZE 1024U
#define EXTRA       9U /* of a vendor's driver */
#define TYPE        0x8000000cU
#define BOTH        (VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE)

/* What the kernel says of a region, and does. */
struct host {
	struct kernel kernel;
	struct device device;
	uint8_t answer[REGIONS][ANSWER_SIZE];
	int info;           /* the result for each region; 0: as it is */
	uint32_t growing;   /* bytes that the answer is longer than asked for, each time */
	unsigned int asked; /* so often for a region */
	uint8_t config[CONFIG_SIZE];
	int no_config;           /* the result of each access to it; 0: it answers */
	uint8_t bytes[BAR_SIZE]; /* of all other regions */
	ssize_t moves;           /* at most so many bytes, or -errno; 0: all */
	unsigned int accesses;
	size_t last_size;
	int file;              /* what is mapped */
	int map_result;        /* of the map that fails, … */
	unsigned int fail_map; /* … which is this one, from 1 on */
	unsigned int mapped;   /* so often, with those that failed */
	unsigned int maps;     /* that are there */
	int last_prot;
	unsigned int unmasks; /* of INTx */
	int unmask;
};

static inline struct vfio_region_info get_answer(const struct host *host, uint32_t index)
{
	struct vfio_region_info info;

	memcpy(&info, host->answer[index], sizeof(info));
	return info;
}

static inline int answer_region(struct host *host, struct vfio_region_info *info)
{
	uint32_t size = info->argsz;
	struct vfio_region_info answer;

	host->asked++;
	if (host->info) {
		return host->info;
	}
	if (info->index >= REGIONS || get_answer(host, info->index).argsz == 0) {
		return -EINVAL;
	}
	answer = get_answer(host, info->index);
	memcpy(info, host->answer[info->index], size < answer.argsz ? size : answer.argsz);
	if (size < answer.argsz) {
		info->cap_offset = 0;
	}
	if (host->growing) {
		info->argsz = size + host->growing;
	}
	return 0;
}

static inline int host_ioctl(struct kernel *kernel, int fd, unsigned long request, void *argument)
{
	struct host *host = (struct host *)kernel;
	const struct vfio_irq_set *set = argument;

	assert_int_equal(fd, FD);
	if (request == VFIO_DEVICE_GET_REGION_INFO) {
		return answer_region(host, argument);
	}
	assert_int_equal(request, VFIO_DEVICE_SET_IRQS);
	assert_int_equal(set->flags, VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_UNMASK);
	assert_int_equal(set->index, VFIO_PCI_INTX_IRQ_INDEX);
	assert_int_equal(set->count, 1);
	host->unmasks++;
	return host->unmask;
}

static inline uint8_t *find_bytes(struct host *host, uint64_t offset, size_t size)
{
	uint64_t at = offset & ((UINT64_C(1) << SHIFT) - 1);

	if (offset >> SHIFT == VFIO_PCI_CONFIG_REGION_INDEX) {
		assert_true(at + size <= CONFIG_SIZE);
		return host->config + at;
	}
	assert_true(at + size <= BAR_SIZE);
	host->accesses++;
	host->last_size = size;
	return host->bytes + at;
}

static inline ssize_t cut(const struct host *host, uint64_t offset, size_t size)
{
	if (offset >> SHIFT == VFIO_PCI_CONFIG_REGION_INDEX) {
		return host->no_config ? host->no_config : (ssize_t)size;
	}
	if (host->moves == 0) {
		return (ssize_t)size;
	}
	return host->moves < (ssize_t)size ? host->moves : (ssize_t)size;
}

static inline ssize_t host_read(struct kernel *kernel, int fd, uint64_t offset, void *data,
				size_t size)
{
	struct host *host = (struct host *)kernel;
	const uint8_t *bytes = find_bytes(host, offset, size);
	ssize_t moved = cut(host, offset, size);

	assert_int_equal(fd, FD);
	if (moved > 0) {
		memcpy(data, bytes, (size_t)moved);
	}
	return moved;
}

static inline ssize_t host_write(struct kernel *kernel, int fd, uint64_t offset, const void *data,
				 size_t size)
{
	struct host *host = (struct host *)kernel;
	uint8_t *bytes = find_bytes(host, offset, size);
	ssize_t moved = cut(host, offset, size);

	assert_int_equal(fd, FD);
	if (moved > 0) {
		memcpy(bytes, data, (size_t)moved);
	}
	return moved;
}

static inline int host_map(struct kernel *kernel, int fd, uint64_t offset, size_t length, int prot,
			   void **ret_address)
{
	struct host *host = (struct host *)kernel;
	uint64_t at = offset & ((UINT64_C(1) << SHIFT) - 1);
	void *address;

	assert_int_equal(fd, FD);
	if (++host->mapped == host->fail_map) {
		return host->map_result;
	}
	address = mmap(NULL, length, prot, MAP_SHARED, host->file, (off_t)at);
	assert_ptr_not_equal(address, MAP_FAILED);
	host->maps++;
	host->last_prot = prot;
	*ret_address = address;
	return 0;
}

static inline int host_unmap(struct kernel *kernel, void *address, size_t length)
{
	((struct host *)kernel)->maps--;
	return munmap(address, length);
}

/* The answer without capabilities. */
static inline void put_region(struct host *host, uint32_t index, uint32_t flags, uint64_t size)
{
	const struct vfio_region_info info = {
		.argsz = sizeof(info),
		.index = index,
		.flags = flags,
		.size = size,
		.offset = (uint64_t)index << SHIFT,
	};

	memset(host->answer[index], 0, ANSWER_SIZE);
	memcpy(host->answer[index], &info, sizeof(info));
}

/* Put bytes of a capability at an offset of the answer, which has so many bytes then. */
static inline void put_bytes(struct host *host, uint32_t index, uint32_t at, const void *bytes,
			     size_t size)
{
	struct vfio_region_info info = get_answer(host, index);

	memcpy(host->answer[index] + at, bytes, size);
	info.flags |= VFIO_REGION_INFO_FLAG_CAPS;
	info.cap_offset = info.cap_offset ? info.cap_offset : at;
	info.argsz = at + (uint32_t)size > info.argsz ? at + (uint32_t)size : info.argsz;
	memcpy(host->answer[index], &info, sizeof(info));
}

static inline void put_header(struct host *host, uint32_t index, uint32_t at, uint16_t id,
			      uint32_t next)
{
	const struct vfio_info_cap_header header = {.id = id, .version = 1, .next = next};

	put_bytes(host, index, at, &header, sizeof(header));
}

static inline void put_type(struct host *host, uint32_t index, uint32_t at, uint32_t next)
{
	const struct vfio_region_info_cap_type type = {
		.header = {.id = VFIO_REGION_INFO_CAP_TYPE, .version = 1, .next = next},
		.type = TYPE,
		.subtype = 5,
	};

	put_bytes(host, index, at, &type, sizeof(type));
}

/* At 48: two areas and an empty one. */
static inline void put_areas(struct host *host, uint32_t index, uint32_t count, uint64_t second,
			     uint64_t size)
{
	const struct vfio_region_info_cap_sparse_mmap head = {
		.header = {.id = VFIO_REGION_INFO_CAP_SPARSE_MMAP, .version = 1},
		.nr_areas = count,
	};
	const struct vfio_region_sparse_mmap_area areas[] = {
		{.offset = 0, .size = 0x1000},
		{.offset = 0x1000, .size = 0},
		{.offset = second, .size = size},
	};

	put_bytes(host, index, 48, &head, sizeof(head));
	put_bytes(host, index, 48 + sizeof(head), areas, sizeof(areas));
}

static inline void host_init(struct host *host)
{
	static const struct kernel_operations operations = {
		.ioctl = host_ioctl,
		.read = host_read,
		.write = host_write,
		.map = host_map,
		.unmap = host_unmap,
	};

	*host = (struct host){
		.kernel = {.operations = &operations, .page_shift = 12},
		.file = memfd_create("bar", MFD_CLOEXEC),
		.config = {[PCI_COMMAND] = PCI_COMMAND_MEMORY, [PCI_BASE_ADDRESS_2] = 1},
	};
	host->device = (struct device){
		.kernel = &host->kernel,
		.name = "0001:01:00.0",
		.fd = FD,
		.config_offset = UINT64_C(7) << SHIFT,
		.config_size = CONFIG_SIZE,
	};
	assert_true(host->file >= 0);
	assert_int_equal(ftruncate(host->file, BAR_SIZE), 0);
	put_region(host, 0, BOTH | VFIO_REGION_INFO_FLAG_MMAP, BAR_SIZE);
	put_region(host, 1, 0, 0);
	put_region(host, 2, BOTH, 0x20);
	put_region(host, 6, VFIO_REGION_INFO_FLAG_READ, 0x800);
	put_region(host, 7, BOTH, CONFIG_SIZE);
	put_region(host, EXTRA, VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_MMAP, BAR_SIZE);
	put_type(host, EXTRA, 32, 48);
	put_areas(host, EXTRA, 3, 0x2000, 0x2000);
}

static inline void host_done(struct host *host)
{
	regions_done(&host->device);
	assert_null(host->device.regions);
	assert_int_equal(host->maps, 0);
	assert_int_equal(close(host->file), 0);
}

static inline void read_all(struct host *host)
{
	struct error error;

	if (regions_read(&host->device, REGIONS, &error) != 0) {
		fail_msg("%s", error.text);
	}
}

static inline struct region *find(struct host *host, uint32_t index)
{
	struct region *region = NULL;

	assert_int_equal(region_find(&host->device, index, &region, NULL), 0);
	return region;
}

static inline void expect_words(const struct error *error, const char *words)
{
	if (!strstr(error->text, words)) {
		fail_msg("\"%s\" is not in \"%s\"", words, error->text);
	}
}
