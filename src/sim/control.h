/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The simulated host's own verbs: DMA by its devices, statistics, failures and delays.
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
	uint64_t kernel_damage;       /* accesses beyond the end of a TCE table, since the start */
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
 * Let one later operation fail with errnum (an errno, positive) instead of being carried out, after
 * skip more of its kind have passed. operation is the name of an ioctl ("VFIO_IOMMU_MAP_DMA") or
 * "open:" and the path of a node ("open:/dev/vfio/0"). Several can wait; the oldest that fits
 * counts. InvalidArgument: a name that the host doesn't know, or no errno.
 */
int sim_control_fail_next(int connection, uint64_t id, const char *operation, uint32_t skip,
			  int32_t errnum);

/* Let the next such operation begin only after so many milliseconds (an hour at most): its caller
 * waits, all others go on. */
int sim_control_delay(int connection, uint64_t id, const char *operation, uint32_t milliseconds);

struct sim_control_reply {
	uint64_t id;
	enum error_code code;             /* ERROR_NONE, or why not */
	char text[ERROR_TEXT_SIZE];       /* like struct error's; empty with ERROR_NONE */
	uint8_t *data;                    /* of a DMA read, else NULL; owned */
	size_t size;                      /* of data */
	struct sim_statistics statistics; /* after sim_control_statistics, else zeros */
};

/* An empty reply, safe for sim_control_reply_done. */
#define SIM_CONTROL_REPLY_NONE ((struct sim_control_reply){.code = ERROR_NONE})

/* Take one reply. 0 or -errno: EAGAIN when none is there, EPIPE when the host is gone, EPROTO when
 * it isn't understood. */
int sim_control_receive(int connection, struct sim_control_reply *ret_reply);

/* Free what a reply owns. */
void sim_control_reply_done(struct sim_control_reply *reply);
