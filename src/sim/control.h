/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The simulated host's own verbs: DMA by its devices, what its tables and it hold, failures and
 * delays, freezes, and devices that come and go.
 *
 * For a program with an event loop: a send function puts one request into the connection (from
 * sim_connection_new) and returns at once; when the connection is readable, sim_control_receive
 * takes one reply. Replies carry the id of their request and come in order. Set O_NONBLOCK on the
 * connection: then a send returns -EAGAIN instead of waiting when very many requests are
 * unanswered, and a receive returns -EAGAIN when there is nothing. The connection must not be the
 * one that a kernel was made of.
 *
 * A send function returns 0 or -errno; it never waits for the reply.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

/* The most bytes of one DMA; more is InvalidArgument. */
#define SIM_DMA_MAX 65536U

/* Names of operations and devices are shorter than this. */
#define SIM_NAME_SIZE 64

/* What the simulated host holds at the moment. All are 0 when nothing is in use, but for
 * connections, live_mms (processes that sent a packet and still live) and kernel_damage. */
struct sim_statistics {
	uint64_t open_containers; /* nodes that are open */
	uint64_t open_groups;
	uint64_t attached_groups;     /* groups that have a container */
	uint64_t containers;          /* alive: open, or held by an attached group */
	uint64_t registered_regions;  /* owned by a container */
	uint64_t registered_bytes;    /* in them */
	uint64_t pinned_bytes;        /* registered and leaked */
	uint64_t leaked_pinned_bytes; /* still pinned, but no container owns them any more */
	uint64_t windows;             /* that exist; a pending default window doesn't yet */
	uint64_t table_bytes;         /* what their TCE tables are charged */
	uint64_t mapped_tces;         /* valid entries in them */
	uint64_t locked_bytes;        /* charged to all processes together */
	uint64_t caller_locked_bytes; /* charged to the process that asks */
	uint64_t leaked_locked_bytes; /* charged for windows that were never made */
	uint64_t live_mms;            /* processes known, or dead but still bound to a container */
	uint64_t connections;         /* to the host */
	uint64_t kernel_damage;       /* accesses beyond the end of a TCE table, and tables freed
					 while hardware has them; since the start */
	uint64_t open_devices;        /* devices that have an open file */
};

/* What the tables of one group hold, from some IOVA on. */
struct sim_dump_window {
	uint64_t start;
	uint64_t size;
	uint64_t mapped; /* entries that are valid */
	uint32_t page_shift;
	uint32_t levels;
};

/* Neighbours that continue each other are one. */
struct sim_dump_entry {
	uint64_t iova;
	uint64_t ua; /* the user address behind it */
	uint64_t size;
	uint32_t permissions; /* 1: the device may read, 2: write */
	uint32_t reserved;
};

#define SIM_DUMP_WINDOWS 2
#define SIM_DUMP_ENTRIES 1024U

struct sim_dump {
	uint32_t window_count;
	uint32_t entry_count;
	uint32_t most; /* entries that are wanted, at most SIM_DUMP_ENTRIES */
	uint32_t more; /* 1: there are more; go on after the last */
	struct sim_dump_window window[SIM_DUMP_WINDOWS];
	struct sim_dump_entry entry[SIM_DUMP_ENTRIES];
};

/*
 * A rule that lets operations of one name go another way than they would: after `skip` of them,
 * each `every`-th fails with an errno, or answers an odd result, or begins late; the others are
 * carried out as ever. Where several rules are due for one operation, the oldest acts, once for
 * what the operation answers and once for when it begins; to a younger one such an operation
 * doesn't count.
 *
 * An operation is named after its ioctl ("VFIO_IOMMU_MAP_DMA"); VFIO_EEH_PE_OP has the name of what
 * it is to do as well ("VFIO_EEH_PE_RESET_HOT"). The opening of a node is "open:" and its path
 * ("open:/dev/vfio/0"); reading, writing and mapping of a device's regions are "read:7", "write:7"
 * and "mmap:0". Three steps inside of calls can go wrong, too, which kernels don't handle well:
 * "kernel:use-region" (a region is just being unregistered: a MAP ends there, with 0, H11),
 * "kernel:put-tce" (the platform refuses a page of a MAP, which answers the same number, and counts
 * wrongly, H2, H12) and "kernel:remove-window" (the platform keeps a window, unnoticed, H35).
 */
struct sim_rule {
	char operation[SIM_NAME_SIZE]; /* terminated */
	uint32_t skip;
	uint32_t every;        /* 0 and 1: each */
	uint32_t times;        /* it acts; then the rule is gone. 0: until it is taken back */
	int32_t errnum;        /* an errno, positive; 0: doesn't fail */
	int32_t result;        /* positive, of an ioctl or a step (H1); 0: what it would be */
	uint32_t milliseconds; /* an hour at most; others go on meanwhile */
};

/* Write an operation's name into a rule. */
void sim_rule_name(struct sim_rule *rule, const char *operation);

#define SIM_DELAY_MAX_MILLIS (60U * 60U * 1000U)

/* So many rules at a time. */
#define SIM_RULES_MAX 256U

struct sim_listed_rule {
	uint32_t id;    /* never 0, never used twice */
	uint32_t acted; /* so many times */
	struct sim_rule rule;
};

/*
 * size bytes read by a device (name "0000:01:00.0") from the memory at iova, through its TCEs. The
 * reply carries them as data. NotFound: no such device; DmaFault: the text names device, iova,
 * group and what was missing; InvalidArgument: size is 0 or above SIM_DMA_MAX.
 */
int sim_control_dma_read(int connection, uint64_t id, const char *device, uint64_t iova,
			 uint32_t size);

/* size bytes written by a device to the memory at iova. A DMA moves page by page, as hardware does:
 * what lies before a fault has arrived. */
int sim_control_dma_write(int connection, uint64_t id, const char *device, uint64_t iova,
			  const void *data, uint32_t size);

int sim_control_statistics(int connection, uint64_t id);

/*
 * Add a rule; the reply has its id. InvalidArgument: a name that the host doesn't know, nothing
 * that it does, both an errno and a result, a result of an opening, or a number out of range;
 * QuotaExceeded: SIM_RULES_MAX are there.
 */
int sim_control_add_rule(int connection, uint64_t id, const struct sim_rule *rule);

/* Take one back. NotFound: there is none of that id, any more. */
int sim_control_remove_rule(int connection, uint64_t id, uint32_t rule);

/* Take all back. */
int sim_control_clear_rules(int connection, uint64_t id);

/* The reply lists them, the oldest first. */
int sim_control_list_rules(int connection, uint64_t id);

/*
 * Let one later operation fail with errnum, after skip more of its kind have passed: a rule for one
 * time. Several can wait. With errnum 0 those of this operation that still wait are taken back.
 */
int sim_control_fail_next(int connection, uint64_t id, const char *operation, uint32_t skip,
			  int32_t errnum);

/*
 * Let each such operation begin only after so many milliseconds, from now on, instead of what was
 * said before: a rule that lasts. With 0 it is taken back.
 */
int sim_control_delay(int connection, uint64_t id, const char *operation, uint32_t milliseconds);

/* Freeze a group's PE; what is an enum sim_freeze (sim/eeh.h). NotFound, EehUnavailable. */
int sim_control_freeze(int connection, uint64_t id, uint32_t group, uint32_t what);

/* Pull a device out, or put it back (sim/hotplug.h). NotFound, Busy. */
int sim_control_unplug(int connection, uint64_t id, const char *device);
int sim_control_plug(int connection, uint64_t id, const char *device);

/* What the tables of a group's container hold, from an IOVA on, at most `most` entries; nothing
 * where it has no container. NotFound. */
int sim_control_dump(int connection, uint64_t id, uint32_t group, uint64_t from, uint32_t most);

struct sim_control_reply {
	uint64_t id;
	uint32_t type;                    /* of the request: enum sim_request_type */
	enum error_code code;             /* ERROR_NONE, or why not */
	char text[ERROR_TEXT_SIZE];       /* like struct error's; empty with ERROR_NONE */
	uint8_t *data;                    /* of a DMA read, else NULL; owned */
	size_t size;                      /* of data */
	struct sim_statistics statistics; /* after sim_control_statistics, else zeros */
	uint32_t rule;                    /* after sim_control_add_rule: its id */
	struct sim_listed_rule *rules;    /* after sim_control_list_rules; owned */
	size_t rule_count;
	struct sim_dump *dump; /* after sim_control_dump; owned */
};

/* An empty reply, safe for sim_control_reply_done. */
#define SIM_CONTROL_REPLY_NONE ((struct sim_control_reply){.code = ERROR_NONE})

/* Take one reply. 0 or -errno: EAGAIN when none is there, EPIPE when the host is gone, EPROTO when
 * it isn't understood. */
int sim_control_receive(int connection, struct sim_control_reply *ret_reply);

/* Free what a reply owns. */
void sim_control_reply_done(struct sim_control_reply *reply);
