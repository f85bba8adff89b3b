/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "support/private_bus.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"

/* The socket is an abstract one, so a daemon that is killed leaves no file. */
static const char config[] =
	"<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN\"\n"
	"  \"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\">\n"
	"<busconfig>\n"
	"  <type>custom</type>\n"
	"  <listen>unix:abstract=spaprd-test-%d-%u</listen>\n"
	"  <auth>EXTERNAL</auth>\n"
	"  <policy context=\"default\">\n"
	"    <allow send_destination=\"*\"/>\n"
	"    <allow receive_sender=\"*\"/>\n"
	"    <allow own=\"*\"/>\n"
	"    <allow user=\"*\"/>\n"
	"  </policy>\n"
	/* More than a system bus lets through, so that what takes no more can say so. */
	"  <limit name=\"max_message_unix_fds\">32</limit>\n"
	"</busconfig>\n";

/* The configuration as an fd that the daemon opens by its name in /proc: no file to clean up. */
static int config_open(void)
{
	static unsigned int count;
	int fd = memfd_create("bus-config", 0);

	if (fd >= 0 && dprintf(fd, config, (int)getpid(), count++) < 0) {
		fd = fd_close(fd);
	}
	return fd;
}

/* The child's half of private_bus_start; doesn't return. */
__attribute__((noreturn)) static void run_daemon(pid_t parent, int config_fd, int address_fd)
{
	char config_option[64];
	char address_option[64];

	(void)snprintf(config_option, sizeof(config_option), "--config-file=/proc/self/fd/%d",
		       config_fd);
	(void)snprintf(address_option, sizeof(address_option), "--print-address=%d", address_fd);
	/* It complains of limits that only root can raise. */
	if (!freopen("/dev/null", "w", stderr)) {
		_exit(127);
	}
	/* The parent may have ended before the first line took effect. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == parent) {
		(void)execlp("dbus-daemon", "dbus-daemon", config_option, address_option,
			     "--nofork", "--nopidfile", "--nosyslog", (char *)NULL);
	}
	_exit(127);
}

/* The daemon prints its address when it listens. */
static int read_address(int fd, char *address, size_t size)
{
	size_t used = 0;

	while (used + 1 < size) {
		ssize_t got = read(fd, address + used, size - used - 1);

		if (got < 0 && errno == EINTR) {
			continue;
		}
		if (got <= 0) {
			return got < 0 ? -errno : -ENOEXEC;
		}
		used += (size_t)got;
		address[used] = '\0';
		if (strchr(address, '\n')) {
			*strchr(address, '\n') = '\0';
			return 0;
		}
	}
	return -ENOBUFS;
}

int private_bus_start(struct private_bus *ret_bus)
{
	struct private_bus bus = PRIVATE_BUS_NONE;
	int config_fd cleanup(cleanup_fd) = config_open();
	int pipe_read cleanup(cleanup_fd) = -1;
	int pipe_write cleanup(cleanup_fd) = -1;
	pid_t parent = getpid();
	int ends[2];
	int r;

	if (config_fd < 0 || pipe(ends) < 0) {
		return -errno;
	}
	pipe_read = ends[0];
	pipe_write = ends[1];
	bus.pid = fork();
	if (bus.pid < 0) {
		return -errno;
	}
	if (bus.pid == 0) {
		run_daemon(parent, config_fd, pipe_write);
	}
	cleanup_fd(&pipe_write);
	r = read_address(pipe_read, bus.address, sizeof(bus.address));
	if (r == 0 && setenv("DBUS_SYSTEM_BUS_ADDRESS", bus.address, 1) < 0) {
		r = -errno;
	}
	if (r < 0) {
		private_bus_stop(&bus);
		return r;
	}
	*ret_bus = bus;
	return 0;
}

void private_bus_stop(struct private_bus *bus)
{
	if (bus->pid > 0) {
		(void)kill(bus->pid, SIGKILL);
		while (waitpid(bus->pid, NULL, 0) < 0 && errno == EINTR) {
		}
	}
	bus->pid = -1;
}
