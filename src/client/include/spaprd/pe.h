/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libspaprd: taking part in the recovery of PEs (partitionable endpoints) that spaprd carries out.
 *
 * Concepts
 *   client       a connection to the bus that spaprd is on, with an fd to poll.
 *   pe           the taking part of one program in the recoveries of one PE, by its IOMMU group.
 *                It lasts until spaprd_pe_leave; when spaprd ends and comes back it is made again.
 *   event        a freeze and what becomes of it, by a number that is not 0.
 *   step         error-detected, mmio-enabled and slot-reset ask each participant for a vote. The
 *                vote is what its callback returns, or what spaprd_pe_vote says later. Who doesn't
 *                vote in time (a policy of spaprd's) counts as one that knows nothing of EEH, which
 *                forces a reset. Votes merge as Documentation/PCI/pci-error-recovery.rst has it.
 *
 * No function waits for anything but those with "wait" or "blocking" in their names. Callbacks are
 * called by spaprd_pe_dispatch (on a caller's own connection: by whatever dispatches that) and by
 * nothing else; all functions but spaprd_client_free may be called in them. A client and its PEs
 * belong to one thread at a time.
 *
 * Functions that can fail return 0 or a negative errno, and fill an error, which may be NULL. The
 * D-Bus errors of spaprd become these:
 *   -EINVAL        InvalidArgument: also a vote that doesn't fit its step
 *   -ENOENT        NotFound: no such group, or it is in no address space
 *   -EACCES        AccessDenied
 *   -ENODEV        EehUnavailable: no EEH on this host, or for this PE
 *   -ENOTUNIQ      EehManyGroups: the group is not alone in its container
 *   -EBUSY         Busy
 *   -EDQUOT        QuotaExceeded
 *   -ENOTCONN      NotJoined: not taking part now
 *   -ESTALE        VoteClosed: the step is over, or it has this participant's vote
 *   -EHOSTDOWN     spaprd is not on the bus
 *   -ECONNRESET    the bus closed the connection, which doesn't come back
 *   -ENOMEM        there is no memory
 *   -EPROTO        an answer that can't be right
 *   -EREMOTEIO     any other; the text tells
 */
#ifndef SPAPRD_PE_H
#define SPAPRD_PE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct DBusConnection; /* of libdbus-1 */

struct spaprd_client;
struct spaprd_pe;

#define SPAPRD_ERROR_TEXT_SIZE 508

struct spaprd_error {
	int errnum;                        /* negative, as returned */
	char text[SPAPRD_ERROR_TEXT_SIZE]; /* one sentence for a person */
};

/* The steps that ask for votes. */
enum spaprd_step {
	SPAPRD_STEP_ERROR_DETECTED = 1, /* can-recover, need-reset or disconnect */
	SPAPRD_STEP_MMIO_ENABLED = 2,   /* recovered, can-recover, need-reset or disconnect */
	SPAPRD_STEP_SLOT_RESET = 3,     /* recovered, need-reset or disconnect */
};

enum spaprd_vote {
	SPAPRD_VOTE_LATER = 0,       /* spaprd_pe_vote will tell */
	SPAPRD_VOTE_RECOVERED = 1,   /* the device works again */
	SPAPRD_VOTE_CAN_RECOVER = 2, /* it can be had back without a reset */
	SPAPRD_VOTE_NEED_RESET = 3,  /* it needs a reset (in slot-reset: another one) */
	SPAPRD_VOTE_DISCONNECT = 4,  /* give it up */
};

/* Why there is an event. */
enum spaprd_channel {
	SPAPRD_CHANNEL_OTHER = 0,       /* a word that this version doesn't know */
	SPAPRD_CHANNEL_FROZEN = 1,      /* the PE's MMIO, its DMA, or both are stopped */
	SPAPRD_CHANNEL_UNAVAILABLE = 2, /* the host recovered the bridge above, and reset the PE */
};

/*
 * What a participant is told. `size` is sizeof(struct spaprd_pe_callbacks), by which later versions
 * of the library know what an older program has; all members but it and error_detected may be NULL.
 * Strings are valid during the call.
 */
struct spaprd_pe_callbacks {
	size_t size;

	/* The PE is frozen: its registers read as ones and its DMA is dropped. Stop using it. */
	enum spaprd_vote (*error_detected)(void *userdata, struct spaprd_pe *pe, uint32_t event,
					   enum spaprd_channel channel);
	/* Registers can be read and written again, DMA is still stopped. NULL: recovered. */
	enum spaprd_vote (*mmio_enabled)(void *userdata, struct spaprd_pe *pe, uint32_t event);
	/* The device was reset, its config space and MSI-X table were put back; the rest is as
	 * after a reset. NULL: recovered. */
	enum spaprd_vote (*slot_reset)(void *userdata, struct spaprd_pe *pe, uint32_t event);
	/* All is well again: start to use it. */
	void (*resume)(void *userdata, struct spaprd_pe *pe, uint32_t event);
	/* The PE is given up: it stays as it is, and its devices are of no use. Events in which no
	 * vote was asked for can end so, too. */
	void (*disconnect)(void *userdata, struct spaprd_pe *pe, uint32_t event);
	/* The event is over. milliseconds: since the freeze was noticed. why: one sentence. */
	void (*done)(void *userdata, struct spaprd_pe *pe, uint32_t event, int recovered,
		     uint32_t milliseconds, const char *why);

	/* Taking part begins (errnum 0), ends for the time being (-EHOSTDOWN: spaprd left;
	 * -ECONNRESET: the bus did) or could not begin. But for -ECONNRESET and -EACCES it is tried
	 * again, with pauses of 1 s up to 60 s, or as soon as spaprd is on the bus; only the first
	 * of the same failures in a row is told. An event that was under way is not gone on with.
	 */
	void (*membership)(void *userdata, struct spaprd_pe *pe, int errnum, const char *text);
	/* A vote was not taken: spaprd refused it, or a callback returned one that doesn't fit its
	 * step (-EINVAL; need-reset went out instead). */
	void (*vote_failed)(void *userdata, struct spaprd_pe *pe, uint32_t event, int errnum,
			    const char *text);
	/* The answer to spaprd_pe_check: the state ("normal", "stopped", "stopped-dma", "reset",
	 * "unavailable"), or errnum and a text. */
	void (*checked)(void *userdata, struct spaprd_pe *pe, int errnum, const char *text);
};

/* -- the connection -- */

/*
 * Connect to the system bus, or to the one that DBUS_SYSTEM_BUS_ADDRESS names, with a connection of
 * the client's own. Waits for the bus. -ECONNREFUSED: there is none, or it doesn't let us in.
 */
int spaprd_client_connect_blocking(struct spaprd_client **ret_client,
				   struct spaprd_error *ret_error);

/* Use a connection of the caller's, of which a reference is kept. The caller's loop dispatches it;
 * spaprd_client_fd is for retries only then. */
int spaprd_client_new(struct DBusConnection *connection, struct spaprd_client **ret_client,
		      struct spaprd_error *ret_error);

/* Leave all PEs and free them and the client. Not in a callback. Takes NULL, returns NULL. */
struct spaprd_client *spaprd_client_free(struct spaprd_client *client);

/* An fd that is readable (POLLIN) when there is something to dispatch. It stays the client's. */
int spaprd_client_fd(const struct spaprd_client *client);

/* Do what is due, without waiting. 0, or -ECONNRESET when the bus has closed the connection. */
int spaprd_pe_dispatch(struct spaprd_client *client);

/* Wait for spaprd_client_fd, at most so many milliseconds (negative: without an end), and dispatch.
 * A signal ends the wait early. As spaprd_pe_dispatch, or the errno of poll(2). */
int spaprd_client_wait(struct spaprd_client *client, int milliseconds);

/* -- PEs -- */

/*
 * Take part in the recoveries of a group's PE. Whether spaprd agrees is told to `membership`,
 * later. An event that is under way then is not taken part in. The callbacks are copied. -EINVAL:
 * error_detected is missing, or `size` can't be. -ECONNRESET, -ENOMEM.
 */
int spaprd_pe_join(struct spaprd_client *client, uint32_t group,
		   const struct spaprd_pe_callbacks *callbacks, void *userdata,
		   struct spaprd_pe **ret_pe, struct spaprd_error *ret_error);

/* Take part no more, and free the PE; none of its callbacks is called any more. spaprd is told, and
 * not waited for. Takes NULL, returns NULL. */
struct spaprd_pe *spaprd_pe_leave(struct spaprd_pe *pe);

/*
 * Vote after a callback has returned SPAPRD_VOTE_LATER. What spaprd refuses is told to vote_failed.
 * -ENOTCONN  not taking part now
 * -ESTALE    that step of that event doesn't ask, doesn't ask any more, or has the vote
 * -EINVAL    the vote doesn't fit the step
 */
int spaprd_pe_vote(struct spaprd_pe *pe, uint32_t event, enum spaprd_step step,
		   enum spaprd_vote vote, struct spaprd_error *ret_error);

/*
 * Have spaprd look at the PE now, since a register read as all ones. The answer is told to
 * `checked`. While one is under way another one isn't sent: calling it at each such read is right.
 */
int spaprd_pe_check(struct spaprd_pe *pe, struct spaprd_error *ret_error);

/* The group it was joined for, and whether it is taking part now. */
uint32_t spaprd_pe_group(const struct spaprd_pe *pe);
int spaprd_pe_is_joined(const struct spaprd_pe *pe);

/* -- words -- */

/* "can-recover"; "later" for SPAPRD_VOTE_LATER, "" for a number that is none. Static. */
const char *spaprd_vote_name(enum spaprd_vote vote);

/* "error-detected"; "" for a number that is none. Static. */
const char *spaprd_step_name(enum spaprd_step step);

#ifdef __cplusplus
}
#endif

#endif
