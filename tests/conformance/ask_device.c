/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ask.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/vfio.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define REGION_SHIFT 40
#define READ_MOST    8192
#define DATA_MOST    32
#define SIGNAL_WAIT  50 /* ms: an eventfd is signalled after the call that causes it */
#define DEPENDENTS   32
#define FEATURE_ROOM 256

static int fd_of(const struct scene *scene, const struct arguments *with)
{
	return scene->device[with->group];
}

static off_t place_of(const struct arguments *with)
{
	return (off_t)(((uint64_t)with->index << REGION_SHIFT) + with->offset);
}

/* -- opening and closing -- */

static void ask_open(struct scene *scene, const struct arguments *with, struct answer *answer)
{
	char name[64];

	world_text(with->name ? with->name : world.role[with->group].device, name, sizeof(name));
	answer_opened(answer, &scene->device[with->group],
		      ioctl(scene->group[with->group], VFIO_GROUP_GET_DEVICE_FD, name));
}

static void ask_close(struct scene *scene, const struct arguments *with, struct answer *answer)
{
	answer_call(answer, close(scene->device[with->group]));
	scene->device[with->group] = -1;
}

/* -- information -- */

static void ask_info(struct scene *scene, const struct arguments *with, struct answer *answer)
{
	static const struct field fields[] = {
		FIELD(struct vfio_device_info, argsz),
		FIELD(struct vfio_device_info, flags),
		FIELD(struct vfio_device_info, num_regions),
		FIELD(struct vfio_device_info, num_irqs),
		FIELD(struct vfio_device_info, cap_offset),
	};
	ROOMY(struct vfio_device_info) info;
	struct vfio_device_info before;

	memset(&info, 0xaa, sizeof(info));
	info.as.argsz = argsz_of(with, sizeof(info.as));
	before = info.as;
	answer_call(answer, ioctl(fd_of(scene, with), VFIO_DEVICE_GET_INFO, &info));
	ANSWER_CHANGES(answer, fields, &before, &info.as);
}

static void ask_region(struct scene *scene, const struct arguments *with, struct answer *answer)
{
	static const struct field fields[] = {
		FIELD(struct vfio_region_info, argsz), FIELD(struct vfio_region_info, flags),
		FIELD(struct vfio_region_info, index), FIELD(struct vfio_region_info, cap_offset),
		FIELD(struct vfio_region_info, size),  FIELD(struct vfio_region_info, offset),
	};
	ROOMY(struct vfio_region_info) info;
	struct vfio_region_info before;

	memset(&info, 0xaa, sizeof(info));
	info.as.argsz = argsz_of(with, sizeof(info.as));
	info.as.index = with->index;
	before = info.as;
	answer_call(answer, ioctl(fd_of(scene, with), VFIO_DEVICE_GET_REGION_INFO, &info));
	ANSWER_CHANGES(answer, fields, &before, &info.as);
	if (answer->result == 0 && info.as.cap_offset >= sizeof(info.as) &&
	    info.as.cap_offset != before.cap_offset && info.as.argsz <= sizeof(info)) {
		answer_capabilities(answer, info.bytes, info.as.cap_offset, info.as.argsz);
	}
}

static void ask_irq(struct scene *scene, const struct arguments *with, struct answer *answer)
{
	static const struct field fields[] = {
		FIELD(struct vfio_irq_info, argsz),
		FIELD(struct vfio_irq_info, flags),
		FIELD(struct vfio_irq_info, index),
		FIELD(struct vfio_irq_info, count),
	};
	ROOMY(struct vfio_irq_info) info;
	struct vfio_irq_info before;

	memset(&info, 0xaa, sizeof(info));
	info.as.argsz = argsz_of(with, sizeof(info.as));
	info.as.index = with->index;
	before = info.as;
	answer_call(answer, ioctl(fd_of(scene, with), VFIO_DEVICE_GET_IRQ_INFO, &info));
	ANSWER_CHANGES(answer, fields, &before, &info.as);
}

/* -- interrupts -- */

static int event_of(const struct scene *scene, char letter, int *null)
{
	switch (letter) {
	case '-':
		return -1;
	case 'x':
		return 999;
	case 'n':
		if (*null < 0) {
			*null = open("/dev/null", O_RDWR | O_CLOEXEC);
		}
		return *null;
	default:
		return letter >= '0' && letter < '0' + EVENTS ? scene->event[letter - '0'] : -1;
	}
}

static size_t fill_data(const struct scene *scene, const struct arguments *with, uint8_t *data,
			int *null)
{
	const char *letter = with->data ? with->data : "";
	size_t used = 0;

	for (; *letter && used < DATA_MOST * sizeof(int32_t); letter++) {
		int32_t fd = event_of(scene, *letter, null);

		if (with->flags & VFIO_IRQ_SET_DATA_BOOL) {
			data[used++] = *letter == '1';
		} else {
			memcpy(data + used, &fd, sizeof(fd));
			used += sizeof(fd);
		}
	}
	return used;
}

static void ask_set_irqs(struct scene *scene, const struct arguments *with, struct answer *answer)
{
	union {
		struct vfio_irq_set set;
		uint8_t bytes[sizeof(struct vfio_irq_set) + DATA_MOST * sizeof(int32_t)];
	} irqs = {.set = {
			  .flags = with->flags,
			  .index = with->index,
			  .start = with->start,
			  .count = with->count,
		  }};
	int null = -1;
	size_t data = fill_data(scene, with, irqs.bytes + sizeof(irqs.set), &null);

	irqs.set.argsz = argsz_of(with, sizeof(irqs.set) + data);
	answer_call(answer, ioctl(fd_of(scene, with), VFIO_DEVICE_SET_IRQS, &irqs));
	if (null >= 0) {
		(void)close(null);
	}
}

static void ask_signals(struct scene *scene, const struct arguments *with, struct answer *answer)
{
	struct pollfd event = {.fd = scene->event[with->number % EVENTS], .events = POLLIN};
	uint64_t signals = 0;

	if (poll(&event, 1, SIGNAL_WAIT) > 0) {
		(void)!read(event.fd, &signals, sizeof(signals));
	}
	answer_tell(answer, "%lu signals", (unsigned long)signals);
}

/* -- resets -- */

static void ask_reset(struct scene *scene, const struct arguments *with, struct answer *answer)
{
	answer_call(answer, ioctl(fd_of(scene, with), VFIO_DEVICE_RESET, 0));
}

static void ask_hot_reset_info(struct scene *scene, const struct arguments *with,
			       struct answer *answer)
{
	static const struct field fields[] = {
		FIELD(struct vfio_pci_hot_reset_info, argsz),
		FIELD(struct vfio_pci_hot_reset_info, flags),
		FIELD(struct vfio_pci_hot_reset_info, count),
	};
	union {
		struct vfio_pci_hot_reset_info info;
		uint8_t bytes[sizeof(struct vfio_pci_hot_reset_info) +
			      DEPENDENTS * sizeof(struct vfio_pci_dependent_device)];
	} info;
	struct vfio_pci_hot_reset_info before;

	memset(&info, 0xaa, sizeof(info));
	info.info.argsz = argsz_of(
		with, sizeof(info.info) + with->count * sizeof(struct vfio_pci_dependent_device));
	before = info.info;
	answer_call(answer, ioctl(fd_of(scene, with), VFIO_DEVICE_GET_PCI_HOT_RESET_INFO, &info));
	ANSWER_CHANGES(answer, fields, &before, &info.info);
	for (uint32_t i = 0; answer->result == 0 && i < info.info.count && i < DEPENDENTS; i++) {
		struct vfio_pci_dependent_device device;

		memcpy(&device, info.bytes + sizeof(info.info) + i * sizeof(device),
		       sizeof(device));
		answer_add(answer, " group %u %04x:%02x:%02x.%u", device.group_id, device.segment,
			   device.bus, device.devfn >> 3U, device.devfn & 7U);
	}
}

static int group_of(const struct scene *scene, char letter)
{
	static const char letters[] = "en2v";
	const char *found = strchr(letters, letter);

	if (found && *found) {
		return scene->group[found - letters];
	}
	return letter == 'c' ? scene->container[FIRST] : letter == 'x' ? 999 : -1;
}

static void ask_hot_reset(struct scene *scene, const struct arguments *with, struct answer *answer)
{
	union {
		struct vfio_pci_hot_reset reset;
		uint8_t bytes[sizeof(struct vfio_pci_hot_reset) + DATA_MOST * sizeof(int32_t)];
	} reset = {.reset = {.flags = with->flags, .count = with->count}};
	size_t groups = with->data ? strlen(with->data) : 0;

	for (size_t i = 0; i < groups && i < DATA_MOST; i++) {
		int32_t fd = group_of(scene, with->data[i]);

		memcpy(reset.bytes + sizeof(reset.reset) + i * sizeof(fd), &fd, sizeof(fd));
	}
	reset.reset.argsz = argsz_of(with, sizeof(reset.reset) + groups * sizeof(int32_t));
	answer_call(answer, ioctl(fd_of(scene, with), VFIO_DEVICE_PCI_HOT_RESET, &reset));
}

/* -- the rest of the ioctls -- */

static void ask_feature(struct scene *scene, const struct arguments *with, struct answer *answer)
{
	union {
		struct vfio_device_feature feature;
		uint8_t bytes[FEATURE_ROOM];
	} feature = {.feature = {.flags = with->flags}};
	uint32_t argsz = argsz_of(with, sizeof(feature.feature) + with->size);

	feature.feature.argsz = argsz;
	answer_call(answer, ioctl(fd_of(scene, with), VFIO_DEVICE_FEATURE, &feature));
	if (feature.feature.argsz != argsz || feature.feature.flags != with->flags) {
		answer_add(answer, " argsz=%u flags=%#x", feature.feature.argsz,
			   feature.feature.flags);
	}
	if (answer->result == 0 && (with->flags & VFIO_DEVICE_FEATURE_GET) && with->size &&
	    with->size <= FEATURE_ROOM - sizeof(feature.feature)) {
		answer_bytes(answer, feature.bytes + sizeof(feature.feature), with->size);
	}
}

static void ask_unknown(struct scene *scene, const struct arguments *with, struct answer *answer)
{
	answer_call(answer, ioctl(fd_of(scene, with), UNKNOWN_IOCTL, 0));
}

static void ask_pointer(struct scene *scene, const struct arguments *with, struct answer *answer)
{
	ask_bad_pointer(fd_of(scene, with), with, answer);
}

/* -- regions -- */

static void ask_read(struct scene *scene, const struct arguments *with, struct answer *answer)
{
	static uint8_t bytes[READ_MOST];
	size_t size = with->size < READ_MOST ? with->size : READ_MOST;
	ssize_t got = pread(fd_of(scene, with), bytes, size, place_of(with));

	answer_call(answer, got);
	if (got > 0) {
		answer_bytes(answer, bytes, (size_t)got);
	}
}

static void ask_write(struct scene *scene, const struct arguments *with, struct answer *answer)
{
	uint8_t bytes[READ_MOST] = {0};
	size_t size = with->size < READ_MOST ? with->size : READ_MOST;

	for (unsigned int i = 0; i < 8; i++) {
		bytes[i] = (uint8_t)(with->number >> i * 8);
	}
	answer_call(answer, pwrite(fd_of(scene, with), bytes, size, place_of(with)));
}

static void ask_mmap(struct scene *scene, const struct arguments *with, struct answer *answer)
{
	void *address = mmap(NULL, with->size, (int)with->number, MAP_SHARED, fd_of(scene, with),
			     place_of(with));

	answer_call(answer, address == MAP_FAILED ? -1 : 0);
	if (address == MAP_FAILED) {
		return;
	}
	if (with->count && (with->number & PROT_READ)) {
		answer_add(answer, " reads %08x", *(volatile uint32_t *)address);
	}
	(void)munmap(address, with->size);
}

ask_function *const ask_of_device[ASKS] = {
	[OPEN_DEVICE] = ask_open,
	[CLOSE_DEVICE] = ask_close,
	[DEVICE_INFO] = ask_info,
	[REGION_INFO] = ask_region,
	[IRQ_INFO] = ask_irq,
	[SET_IRQS] = ask_set_irqs,
	[SIGNALS] = ask_signals,
	[RESET_DEVICE] = ask_reset,
	[HOT_RESET_INFO] = ask_hot_reset_info,
	[HOT_RESET] = ask_hot_reset,
	[FEATURE] = ask_feature,
	[UNKNOWN_OF_DEVICE] = ask_unknown,
	[BAD_POINTER_OF_DEVICE] = ask_pointer,
	[READ_REGION] = ask_read,
	[WRITE_REGION] = ask_write,
	[MMAP_REGION] = ask_mmap,
};
