/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The nodes that clients have open, and the client processes. */
#include <errno.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "sim/simhost_private.h"

#define WATCH_EVENTS 32

static int watch(struct simhost *simhost, int fd, uint32_t events, struct watched *watched)
{
	struct epoll_event event = {.events = events, .data = {.ptr = watched}};

	return epoll_ctl(simhost->watch, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

/* nodes */

static void forget_handles(struct simhost_process *process, const struct simhost_node *node)
{
	size_t i = 0;

	while (i < process->handle_count) {
		if (process->handles[i].node == node) {
			process->handles[i] = process->handles[--process->handle_count];
		} else {
			i++;
		}
	}
}

static void drop_node(struct simhost *simhost, struct simhost_node *node)
{
	for (struct simhost_node **link = &simhost->nodes; *link; link = &(*link)->next) {
		if (*link == node) {
			*link = node->next;
			break;
		}
	}
	for (struct simhost_process *process = simhost->processes; process;
	     process = process->next) {
		forget_handles(process, node);
	}
	simhost_drop_rings(simhost, NULL, node);
	cleanup_fd(&node->fd);
	sim_node_close(node->node);
	/* A device's removal may have waited for this. */
	if (node->node.kind == SIM_NODE_DEVICE) {
		simhost_wake(simhost);
	}
	free(node);
}

/* A node with both its ends, but unknown to anybody. */
static int new_node(struct sim_node node, struct simhost_node **ret_node, int *ret_client_fd)
{
	struct simhost_node *result = calloc(1, sizeof(*result));
	struct stat status;
	int sockets[2];
	int r = result ? packet_socketpair(sockets) : -ENOMEM;

	if (r < 0) {
		free(result);
		return r;
	}
	if (fstat(sockets[1], &status) < 0) {
		(void)fd_close(sockets[0]);
		(void)fd_close(sockets[1]);
		free(result);
		return -EIO;
	}
	*result = (struct simhost_node){
		.watched = {.kind = WATCHED_NODE},
		.node = node,
		.fd = sockets[0],
		.device = status.st_dev,
		.inode = status.st_ino,
	};
	*ret_node = result;
	*ret_client_fd = sockets[1];
	return 0;
}

int simhost_add_node(struct simhost *simhost, struct sim_node node, int *ret_client_fd)
{
	struct simhost_node *added = NULL;
	int client_fd = -1;
	int r = new_node(node, &added, &client_fd);

	if (r < 0) {
		sim_node_close(node);
		return r;
	}
	added->next = simhost->nodes;
	simhost->nodes = added;
	/* No events: that it hangs up is told in any case, and nothing else matters. */
	r = watch(simhost, added->fd, 0, &added->watched);
	if (r < 0) {
		(void)fd_close(client_fd);
		drop_node(simhost, added);
		return r;
	}
	*ret_client_fd = client_fd;
	return 0;
}

struct simhost_node *simhost_find_node(struct simhost *simhost, int fd)
{
	struct stat status;

	if (fstat(fd, &status) < 0 || !S_ISSOCK(status.st_mode)) {
		return NULL;
	}
	for (struct simhost_node *node = simhost->nodes; node; node = node->next) {
		if (node->inode == status.st_ino && node->device == status.st_dev) {
			return node;
		}
	}
	return NULL;
}

void simhost_send_uevent(struct simhost *simhost, const char *uevent, size_t size)
{
	for (struct simhost_node *node = simhost->nodes; node; node = node->next) {
		/* A listener that is too slow loses some, as with the kernel. */
		if (node->node.kind == SIM_NODE_UEVENTS) {
			(void)send(node->fd, uevent, size, MSG_DONTWAIT | MSG_NOSIGNAL);
		}
	}
}

/* processes */

static void drop_process(struct simhost *simhost, struct simhost_process *process)
{
	for (struct simhost_process **link = &simhost->processes; *link; link = &(*link)->next) {
		if (*link == process) {
			*link = process->next;
			break;
		}
	}
	simhost_drop_rings(simhost, process, NULL);
	cleanup_fd(&process->pidfd);
	(void)sim_mm_unref(process->mm);
	free(process->handles);
	free(process);
}

static struct simhost_process *find_process(struct simhost *simhost, pid_t pid)
{
	for (struct simhost_process *process = simhost->processes; process;
	     process = process->next) {
		if (process->pid == pid) {
			return process;
		}
	}
	return NULL;
}

struct simhost_process *simhost_require_process(struct simhost *simhost, pid_t pid)
{
	struct simhost_process *process = pid > 0 ? find_process(simhost, pid) : NULL;

	if (process || pid <= 0) {
		return process;
	}
	process = calloc(1, sizeof(*process));
	if (!process) {
		return NULL;
	}
	process->watched.kind = WATCHED_PROCESS;
	process->pid = pid;
	process->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	process->mm = process->pidfd >= 0 ? sim_model_mm_new(simhost->model) : NULL;
	process->next = simhost->processes;
	simhost->processes = process;
	if (!process->mm || watch(simhost, process->pidfd, EPOLLIN, &process->watched) < 0) {
		drop_process(simhost, process);
		return NULL;
	}
	return process;
}

int simhost_renew_process(struct simhost *simhost, struct simhost_process *process)
{
	struct sim_mm *mm = sim_model_mm_new(simhost->model);

	if (!mm) {
		return -ENOMEM;
	}
	simhost_drop_rings(simhost, process, NULL);
	(void)sim_mm_unref(process->mm);
	process->mm = mm;
	return 0;
}

/* Whether the process has CAP_IPC_LOCK, which lifts its limit (account_locked_vm). */
static bool may_lock_anything(pid_t pid)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
		.pid = pid,
	};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {{.effective = 0}};

	return syscall(SYS_capget, &header, data) == 0 &&
	       data[CAP_TO_INDEX(CAP_IPC_LOCK)].effective & CAP_TO_MASK(CAP_IPC_LOCK);
}

/* As anybody may read it, where prlimit is only for the same user. UINT64_MAX: none. */
static uint64_t read_own_limit(pid_t pid)
{
	static const char key[] = "Max locked memory";
	uint64_t limit = UINT64_MAX;
	char line[256];
	FILE *file;

	(void)snprintf(line, sizeof(line), "/proc/%d/limits", (int)pid);
	file = fopen(line, "re");
	while (file && fgets(line, sizeof(line), file)) {
		char *end;
		unsigned long long soft;

		if (strncmp(line, key, sizeof(key) - 1) != 0) {
			continue;
		}
		/* Or the word "unlimited". */
		soft = strtoull(line + sizeof(key) - 1, &end, 10);
		if (end > line + sizeof(key) - 1) {
			limit = soft;
		}
	}
	if (file) {
		(void)fclose(file);
	}
	return limit;
}

static uint64_t find_own_limit(pid_t pid)
{
	struct rlimit limit;

	if (may_lock_anything(pid)) {
		return UINT64_MAX;
	}
	if (prlimit(pid, RLIMIT_MEMLOCK, NULL, &limit) < 0) {
		return read_own_limit(pid);
	}
	return limit.rlim_cur == RLIM_INFINITY ? UINT64_MAX : limit.rlim_cur;
}

struct sim_caller simhost_caller_of(const struct simhost *simhost,
				    const struct simhost_process *process)
{
	const struct sim_settings *settings = &simhost->host->settings;

	return (struct sim_caller){
		.mm = process->mm,
		.memlock_limit = settings->memlock_own ? find_own_limit(process->pid)
						       : settings->memlock_limit,
	};
}

uint64_t simhost_require_handle(struct simhost *simhost, struct simhost_process *process,
				struct simhost_node *node)
{
	struct simhost_handle *grown;

	for (size_t i = 0; i < process->handle_count; i++) {
		if (process->handles[i].node == node) {
			return process->handles[i].number;
		}
	}
	grown = reallocarray(process->handles, process->handle_count + 1, sizeof(*grown));
	if (!grown) {
		return 0;
	}
	process->handles = grown;
	grown[process->handle_count++] =
		(struct simhost_handle){.number = ++simhost->last_handle, .node = node};
	return simhost->last_handle;
}

struct simhost_node *simhost_find_handle(const struct simhost_process *process, uint64_t number)
{
	for (size_t i = 0; i < process->handle_count; i++) {
		if (process->handles[i].number == number) {
			return process->handles[i].node;
		}
	}
	return NULL;
}

/* the watch */

void simhost_look_through_watch(struct simhost *simhost)
{
	struct epoll_event events[WATCH_EVENTS];
	int count;

	do {
		count = epoll_wait(simhost->watch, events, WATCH_EVENTS, 0);
		for (int i = 0; i < count; i++) {
			struct watched *watched = events[i].data.ptr;

			switch (watched->kind) {
			case WATCHED_NODE:
				drop_node(simhost, (struct simhost_node *)watched);
				break;
			case WATCHED_PROCESS:
				drop_process(simhost, (struct simhost_process *)watched);
				break;
			}
		}
	} while (count == WATCH_EVENTS);
}

void simhost_drop_clients(struct simhost *simhost)
{
	while (simhost->nodes) {
		drop_node(simhost, simhost->nodes);
	}
	while (simhost->processes) {
		drop_process(simhost, simhost->processes);
	}
}
