/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The world that an integration test runs in: a private bus with spaprd on it, over a simulated
 * host or, when SPAPRD_TEST_WORLD=real, over the running kernel. Tests don't ask which one it is,
 * except where the means of looking differ (this file and dma.h). What differs between hosts is in
 * lab_host.h; a test that can mean nothing on a host says so with skip_because.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <cmocka.h>

#include <dbus/dbus.h>

#include "common/names.h"
#include "host/kernel.h"
#include "lab_host.h"
#include "support/private_bus.h"

#define WINDOW_ANYWHERE    UINT64_MAX
#define PROT_DEVICE_READS  1U
#define PROT_DEVICE_WRITES 2U
#define PROT_DEVICE_BOTH   3U

struct world {
	bool real;
	const struct lab_host *host;
	struct private_bus bus;
	pid_t spaprd;
	char policies[32];      /* the only folder that spaprd reads policies from */
	DBusConnection *client; /* the test's own connection */
	struct kernel *kernel;  /* for devices that spaprd gives away; of world_start_eeh */
	pid_t simhost;          /* likewise, in the simulated world */
	long page_size;
	unsigned int idle_fds; /* that spaprd has open when nobody uses it */
};

/*
 * Leave the test, as one that has neither passed nor failed; the sentence, without a full stop,
 * says why. The lab looks for that line.
 */
#define skip_because(...)                                 \
	do {                                              \
		print_message("skipped: %s: ", __func__); \
		print_message(__VA_ARGS__);               \
		print_message("\n");                      \
		skip();                                   \
	} while (0)

/* For what is about windows as tables of the kernel's, or memory that is registered with it. */
#define skip_without_tce(world)                                                            \
	do {                                                                               \
		if (!(world)->host->has_tce) {                                             \
			skip_because("the host has no TCEs, and so no tables of windows"); \
		}                                                                          \
	} while (0)

/* For windows that are only books, and memory that each mapping locks. */
#define skip_with_tce(world)                                                           \
	do {                                                                           \
		if ((world)->host->has_tce) {                                          \
			skip_because("the host has TCEs, where memory is registered"); \
		}                                                                      \
	} while (0)

/* For cmocka's group set-up and tear-down; the state is a struct world. */
int world_start(void **state);
int world_stop(void **state);

/*
 * The same with a spaprd that may lock and open little: LIMIT_LOCKED bytes (it has no
 * CAP_IPC_LOCK), and LIMIT_FDS files.
 */
int world_start_limited(void **state);

/* A simulated host where a refused DMA freezes its PE, as real hardware does. */
int world_start_freezing(void **state);

/*
 * For tests that recover PEs: they can use devices themselves, and calls of the simulated kernel
 * take no time, unless they are told to (slow_down).
 */
int world_start_eeh(void **state);

/* The same on the simulated host of that name, at the pace that the name has; not for tests, which
 * run on real hosts as well. */
int world_start_on(void **state, const char *name);

#define LIMIT_LOCKED (UINT64_C(6) << 20)
#define LIMIT_FDS    64

/* One more client. Closed with client_close. */
DBusConnection *client_open(void);
void client_close(DBusConnection *client);

/* -- calls: they fail the test when the answer is not the expected one -- */

/*
 * Call a method with arguments as dbus_message_append_args takes them. `refusal` is NULL when it
 * must work, else the error that must come: its last part for our own ("WindowOverlap") or a full
 * name. Returns the reply, which the caller unrefs, or NULL after a refusal.
 */
DBusMessage *call(DBusConnection *client, const char *path, const char *interface,
		  const char *method, const char *refusal, int first_type, ...);

/* The same for a message that is there, and is taken. */
DBusMessage *call_message(DBusConnection *client, DBusMessage *message, const char *refusal);

/* The text of the last error that a call got. */
const char *last_error_text(void);

/* A property, as a reply whose only argument is the variant. */
DBusMessage *get_property(DBusConnection *client, const char *path, const char *interface,
			  const char *name);
uint64_t get_number(DBusConnection *client, const char *path, const char *interface,
		    const char *name);
/* Strings and object paths; released with free(). */
char *get_text(DBusConnection *client, const char *path, const char *interface, const char *name);
/* How many entries an array property has. */
unsigned int get_count(DBusConnection *client, const char *path, const char *interface,
		       const char *name);

/* -- the contract's methods -- */

struct window {
	uint64_t start;
	uint64_t size;
	uint32_t page_shift;
	uint32_t levels;
};

/* The number of the group that a device is in. */
uint32_t group_of(DBusConnection *client, const char *device);

/* The new space's path, released with free(). */
char *space_create(DBusConnection *client, const char *name);
void space_close(DBusConnection *client, const char *space);
void attach(DBusConnection *client, const char *space, const char *device, const char *refusal);

/* The options of AttachGroup; what is NULL or false is left out. */
struct attach_options {
	const char *iommu_type;
	bool own_container;
	const char *const *balloon_allowed; /* names up to a NULL */
};

/* The container's path, released with free(), or NULL after a refusal. */
char *attach_with(DBusConnection *client, const char *space, const char *device,
		  const struct attach_options *options, const char *refusal);
void detach(DBusConnection *client, const char *space, const char *device, const char *refusal);
uint32_t add_memory(DBusConnection *client, const char *space, int fd, uint64_t offset,
		    uint64_t gpa, uint64_t size, uint32_t flags, const char *refusal);
void remove_memory(DBusConnection *client, const char *space, uint32_t id, const char *refusal);
struct window create_window(DBusConnection *client, const char *space, struct window wanted,
			    const char *refusal);
void remove_window(DBusConnection *client, const char *space, uint64_t start, const char *refusal);

/* Make room for a window beside the default one that starts at 0: where the default windows have
 * all addresses, the second one goes. */
void make_room(DBusConnection *client, const struct lab_host *host, const char *space);
void map(DBusConnection *client, const char *space, uint64_t iova, uint64_t gpa, uint64_t size,
	 uint32_t prot, const char *refusal);
void unmap(DBusConnection *client, const char *space, uint64_t iova, uint64_t size,
	   const char *refusal);

/* -- policies -- */

/* Make the text the only policy file and have spaprd read it. */
void set_policy(const struct world *world, const char *text, const char *refusal);

/* For set-up and tear-down of single tests: the defaults. */
int forget_policy(void **state);

/* -- memory -- */

/* A memfd, sealed against shrinking; closed by the caller. */
int memory_new(uint64_t size);

/*
 * The same with huge pages of 2^page_shift bytes, whose multiple the size is. -1 where the machine
 * has no such pages, or not enough: for skip_because.
 */
int memory_new_huge(const struct world *world, uint64_t size, unsigned int page_shift);

/* -- what is left -- */

/* The worker process of an address space, 0 for none. */
pid_t worker_pid(const struct world *world, const char *space);

/*
 * Wait until nothing is in use any more: no worker process, no fd of spaprd's beyond the idle ones,
 * and in the simulated host no group, container, window or pinned page. Fails the test when that
 * takes too long.
 */
void wait_until_nothing_is_left(const struct world *world);

/* The simulated host's statistics under that name; only there. */
uint64_t get_statistic(const struct world *world, const char *name);

/* Bytes that the kernel has locked for a process, as the world itself counts them. */
uint64_t locked_bytes_of(const struct world *world, pid_t worker);

/* Wait until the file or process that a condition looks at is as wanted. Fails the test after 60 s.
 */
void wait_for(bool (*condition)(void *userdata), void *userdata, const char *what);
