/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "broker/device_alarm.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/vfio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "broker/device.h"
#include "broker/manager.h"
#include "common/cleanup.h"
#include "common/fd_limit.h"
#include "common/log.h"

struct device_alarms {
	int error_event; /* that the kernel rings */
	sd_event_source *error_source;
	int clients[DEVICE_ALARM_COUNT]; /* -1: none */
	unsigned int drops[DEVICE_ALARM_COUNT];
};

enum device_alarm device_alarm_of(uint32_t index)
{
	return index == VFIO_PCI_ERR_IRQ_INDEX   ? DEVICE_ALARM_ERROR
	       : index == VFIO_PCI_REQ_IRQ_INDEX ? DEVICE_ALARM_REQUEST
						 : DEVICE_ALARM_COUNT;
}

/* -- the client's -- */

static bool is_eventfd(int fd)
{
	static const char wanted[] = "anon_inode:[eventfd]";
	char path[32];
	char target[64];
	ssize_t length;

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	length = readlink(path, target, sizeof(target));
	return length == (ssize_t)(sizeof(wanted) - 1) &&
	       memcmp(target, wanted, sizeof(wanted) - 1) == 0;
}

int device_alarm_copy(const struct host_device *device, int fd, int *ret_fd, struct error *error)
{
	cleanup(cleanup_fd) int copy = -1;

	if (!is_eventfd(fd)) {
		return error_set(error, ERROR_INVALID_ARGUMENT, 0,
				 "the fd for %s is no eventfd: make one with eventfd(2)",
				 device->host->name);
	}
	copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (copy < 0 || !fd_limit_allows(copy)) {
		return error_set(error, ERROR_QUOTA_EXCEEDED, copy < 0 ? errno : EMFILE,
				 "spaprd has no file left for the interrupt of %s: try again later",
				 device->host->name);
	}
	*ret_fd = steal_fd(&copy);
	return 0;
}

/* Without alarms no memory was left when the device was opened, and nothing can ring. */
void device_alarm_keep(struct host_device *device, enum device_alarm alarm, int fd)
{
	if (device->alarms) {
		(void)fd_close(device->alarms->clients[alarm]);
		device->alarms->clients[alarm] = fd;
	} else {
		(void)fd_close(fd);
	}
}

void device_alarm_drop(struct host_device *device, enum device_alarm alarm)
{
	if (device->alarms) {
		device->alarms->clients[alarm] = fd_close(device->alarms->clients[alarm]);
		device->alarms->drops[alarm]++;
	}
}

unsigned int device_alarm_drops(const struct host_device *device, enum device_alarm alarm)
{
	return device->alarms ? device->alarms->drops[alarm] : 0;
}

/*
 * Add 1 to an eventfd that is somebody else's. A write would wait while its counter is at the end,
 * unless the file is non-blocking, and that is the client's to choose and to change at any moment.
 * What never waits is how the kernel itself rings one: at the end of an asynchronous read
 * (IOCB_FLAG_RESFD, eventfd_signal), here of nothing, which ends while it is submitted. 0 or
 * -errno.
 */
static int ring_without_waiting(int fd)
{
	static aio_context_t context; /* kept: to end one takes the kernel milliseconds */
	cleanup(cleanup_fd) int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct iocb request = {
		.aio_lio_opcode = IOCB_CMD_PREAD,
		.aio_fildes = (uint32_t)null,
		.aio_flags = IOCB_FLAG_RESFD,
		.aio_resfd = (uint32_t)fd,
	};
	struct iocb *requests[] = {&request};
	struct io_event ended;

	if (null < 0 || (context == 0 && syscall(SYS_io_setup, 1, &context) < 0) ||
	    syscall(SYS_io_submit, context, 1, requests) != 1) {
		return -errno;
	}
	(void)syscall(SYS_io_getevents, context, 0, 1, &ended, NULL);
	return 0;
}

void device_alarm_ring(const struct host_device *device, enum device_alarm alarm)
{
	int fd = device->alarms ? device->alarms->clients[alarm] : -1;
	int r = fd >= 0 ? ring_without_waiting(fd) : 0;

	if (r < 0) {
		log_write(LOG_WARNING, LOG_NO_OBJECT,
			  "the %s interrupt of %s can't be passed on: %s, ignoring",
			  alarm == DEVICE_ALARM_ERROR ? "error" : "request", device->host->name,
			  errno_name(-r));
	}
}

/* -- the broker's -- */

static int handle_error_event(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct host_device *device = userdata;
	uint64_t count;

	(void)source;
	(void)events;
	if (read(fd, &count, sizeof(count)) == (ssize_t)sizeof(count) && device->open) {
		device_alarm_ring(device, DEVICE_ALARM_ERROR);
		if (device->group->pe) {
			pe_error_rang(device->group->pe);
		}
	}
	return 0;
}

/* NULL: no memory. */
static struct device_alarms *get_alarms(struct host_device *device)
{
	if (!device->alarms) {
		device->alarms = calloc(1, sizeof(*device->alarms));
		if (device->alarms) {
			device->alarms->error_event = -1;
			for (unsigned int i = 0; i < DEVICE_ALARM_COUNT; i++) {
				device->alarms->clients[i] = -1;
			}
		}
	}
	return device->alarms;
}

int device_alarm_error_event(struct manager *manager, struct host_device *device)
{
	struct device_alarms *alarms = get_alarms(device);
	cleanup(cleanup_fd) int fd = -1;

	if (!alarms || alarms->error_event >= 0) {
		return alarms ? alarms->error_event : -1;
	}
	fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (fd >= 0 && sd_event_add_io(manager->event, &alarms->error_source, fd, EPOLLIN,
				       handle_error_event, device) >= 0) {
		alarms->error_event = steal_fd(&fd);
	}
	return alarms->error_event;
}

void device_alarm_done(struct host_device *device)
{
	struct device_alarms *alarms = steal_pointer(device->alarms);

	if (alarms) {
		for (unsigned int i = 0; i < DEVICE_ALARM_COUNT; i++) {
			(void)fd_close(alarms->clients[i]);
		}
		alarms->error_source = sd_event_source_disable_unref(alarms->error_source);
		(void)fd_close(alarms->error_event);
		free(alarms);
	}
}
