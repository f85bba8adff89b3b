/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * DMA by QEMU's edu device (docs/specs/edu of QEMU), through the fd of the VFIO device, which is
 * opened when it isn't. A question is two transfers: from the IOVA to the device's buffer, and from
 * there to the target.
 */
#include <endian.h>
#include <errno.h>
#include <linux/vfio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ask.h"

#define REGION_SHIFT    40
#define CONFIG          ((off_t)VFIO_PCI_CONFIG_REGION_INDEX << REGION_SHIFT)
#define COMMAND         4
#define COMMAND_MEMORY  2U
#define COMMAND_MASTER  4U
#define BAR_SIZE        0x100000
#define ID_LITTLE       UINT32_C(0x010000ed)
#define DMA_SOURCE      0x80
#define DMA_DESTINATION 0x88
#define DMA_COUNT       0x90
#define DMA_COMMAND     0x98
#define BUFFER          0x40000
#define RUN             1U
#define TO_MEMORY       2U
#define DMA_SIZE        16U

struct edu {
	int fd;
	volatile uint8_t *mapped; /* NULL: read and write calls */
	bool swaps;               /* its registers have the other byte order */
};

/* -- registers -- */

static uint64_t read_register(const struct edu *edu, unsigned int offset)
{
	uint64_t value = 0;

	if (edu->mapped) {
		value = *(volatile uint64_t *)(edu->mapped + offset);
	} else {
		(void)!pread(edu->fd, &value, sizeof(value), offset);
	}
	return edu->swaps ? __builtin_bswap64(value) : value;
}

static void write_register(const struct edu *edu, unsigned int offset, uint64_t value)
{
	value = edu->swaps ? __builtin_bswap64(value) : value;
	if (edu->mapped) {
		*(volatile uint64_t *)(edu->mapped + offset) = value;
	} else {
		(void)!pwrite(edu->fd, &value, sizeof(value), offset);
	}
}

static bool start(struct edu *edu, bool by_mapping)
{
	uint16_t command = 0;
	uint32_t id = 0;

	(void)!pread(edu->fd, &command, sizeof(command), CONFIG + COMMAND);
	command |= COMMAND_MEMORY | COMMAND_MASTER;
	(void)!pwrite(edu->fd, &command, sizeof(command), CONFIG + COMMAND);
	(void)!pread(edu->fd, &id, sizeof(id), 0);
	edu->swaps = id != ID_LITTLE;
	if (by_mapping) {
		void *mapped = mmap(NULL, BAR_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, edu->fd, 0);

		edu->mapped = mapped == MAP_FAILED ? NULL : mapped;
		return mapped != MAP_FAILED;
	}
	return true;
}

static bool transfer(const struct edu *edu, uint64_t source, uint64_t destination, uint64_t command)
{
	write_register(edu, DMA_SOURCE, source);
	write_register(edu, DMA_DESTINATION, destination);
	write_register(edu, DMA_COUNT, DMA_SIZE);
	write_register(edu, DMA_COMMAND, command | RUN);
	/* The device takes 100 ms for each. */
	for (int i = 0; i < 5000; i++) {
		if (!(read_register(edu, DMA_COMMAND) & RUN)) {
			return true;
		}
		(void)usleep(1000);
	}
	return false;
}

/* -- the question -- */

static bool open_device(struct scene *scene, enum group group, struct answer *answer)
{
	int *device = &scene->device[group];

	if (*device < 0) {
		*device = ioctl(scene->group[group], VFIO_GROUP_GET_DEVICE_FD,
				world.role[group].device);
	}
	if (*device < 0) {
		answer_tell(answer, "no device: %s", strerrorname_np(errno));
	}
	return *device >= 0;
}

/* The device keeps what it last read: bytes that were never used before show what has arrived. */
void ask_dma(struct scene *scene, const struct arguments *with, struct answer *answer)
{
	static uint8_t fresh;
	uint8_t *source = scene->memory[with->memory] + with->offset;
	uint8_t *target = scene->memory[with->memory] + with->target_offset;
	uint64_t end = with->target_from_end ? world.window_start + world.window_size : 0;
	struct edu edu = {.fd = -1};
	bool done;

	if (!open_device(scene, with->group, answer)) {
		return;
	}
	fresh++;
	for (unsigned int i = 0; i < DMA_SIZE; i++) {
		source[i] = (uint8_t)(fresh + i * 3);
		target[i] = 0;
	}
	edu.fd = scene->device[with->group];
	done = start(&edu, with->number != 0) && transfer(&edu, iova_of(scene, with), BUFFER, 0) &&
	       transfer(&edu, BUFFER, end + with->target, TO_MEMORY);
	if (edu.mapped) {
		(void)munmap((void *)(uintptr_t)edu.mapped, BAR_SIZE);
	}
	answer_tell(answer, "%s%s", done ? "" : "not finished, ",
		    memcmp(source, target, DMA_SIZE) == 0 ? "arrived" : "blocked");
}
