/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A PE as the broker sees it: what is done to it, by its clients or by its recovery (eeh/), one at
 * a time, through the worker of the address space that has its group.
 *
 * Concepts
 *   alone      a group can be operated on while it is the only one of its container. Only then the
 *              PE is watched as well.
 *   watched    its state is looked at as policy says: idle, fast for a while after a hint, and at
 *              once when its ERR interrupt rings or a client says Check. PEs are spread over the
 *              interval, so that hundreds don't fire together.
 *   asserted   a client has asserted a reset, and not ended it: what the PE looks like then is no
 *              freeze. It ends with Reset("deactivate"), Recover, or when the group leaves.
 *   event      one freeze and what became of it. Numbers are unique in the broker, from 1 on.
 *
 * It knows nothing of D-Bus: what happens is told to the observer. Clients are unique bus names
 * here, that are compared and nothing else.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"
#include "common/recovery_policy.h"
#include "common/worker_protocol.h"
#include "eeh/record.h"
#include "eeh/recovery.h"

struct group;
struct manager;
struct pe;

/* Looks that one PE's clients may wait for at the same time, all of them together. */
#define PE_CHECKS_MAX 64

/* What pe_observer.changed tells of. */
#define PE_CHANGED_STATE    1U
#define PE_CHANGED_RECOVERY 2U
#define PE_CHANGED_FREEZES  4U
#define PE_CHANGED_POLICY   8U
#define PE_CHANGED_LOG      16U
#define PE_CHANGED_CLIENTS  32U

struct pe_observer {
	void (*changed)(void *userdata, struct pe *pe, unsigned int what);
	/* One of the signals: any action kind but OPERATE and NOTE. */
	void (*signalled)(void *userdata, struct pe *pe, const struct recovery_action *action);
};

/* The answer to an operation. */
struct pe_answer {
	struct error error; /* code ERROR_NONE: it worked */
	enum pe_condition condition;
	uint32_t milliseconds; /* that it took in the kernel */
};

typedef void (*pe_answer_handler)(void *userdata, const struct pe_answer *answer);

/* A PE for a group of a host with EEH. Its group and manager outlive it. 0 or -ENOMEM. */
int pe_new(struct manager *manager, struct group *group, struct pe **ret_pe);

/* What waits is answered with ERROR_WORKER_LOST. Takes NULL, returns NULL. */
struct pe *pe_free(struct pe *pe);

/* -- for the broker -- */

/* The group came to a container, left it, or its container's groups changed. */
void pe_group_changed(struct pe *pe);

/* The worker of its address space is gone, or is being closed: nothing can be asked of it. */
void pe_space_ends(struct pe *pe, const char *why);

/* Whether the worker is at something that may take minutes, and can't be interrupted (H49). */
bool pe_is_operating(const struct pe *pe);

/* Whether the worker is at a look or a save, which takes milliseconds and has the group for itself.
 */
bool pe_is_looking(const struct pe *pe);

/* Something has come across what looks like a freeze: its state is looked at, at once. */
void pe_suspect(struct pe *pe);

/* Whether no other group is to come to its container: a recovery is under way, which could not go
 * on then, or has failed, which would be forgotten. */
bool pe_keeps_alone(const struct pe *pe);

/* Its group is about to be taken from its address space: what is under way is given up, and nothing
 * is begun until the group has left. */
void pe_taken(struct pe *pe);

/*
 * The kernel waits for a device of the group to be closed. A reset of the PE that is begun now
 * would wait for that as well, for ever, with the thread that has the group (eeh_pe_reset,
 * pci_bus_lock): a recovery that is under way is given up, and until the group has left its address
 * space none is begun, and no reset. All else goes on.
 */
void pe_asked_back(struct pe *pe);

/* A device has come to the group, or left it: policy and resets depend on which it has. */
void pe_devices_changed(struct pe *pe);

/* Another policy applies (manager->policies). */
void pe_policy_changed(struct pe *pe);

/* Whether the group may leave its container now. ERROR_BUSY (an operation or a recovery is under
 * way), ERROR_RECOVERY_FAILED (its recovery failed, and the caller is no operator). */
int pe_check_detach(const struct pe *pe, bool is_operator, struct error *error);

/*
 * A turn: what the group's worker does with the group alone. There is one at a time: a look, an
 * operation, a recovery's step, or something else that is given here and isn't to be disturbed.
 */
struct pe_turn {
	struct pe_turn *next;
	/* Begin; pe_end_turn tells when it has ended, which may be at once. */
	void (*begin)(struct pe_turn *turn);
	/* It isn't to be any more: instead of begin. May be NULL. */
	void (*refuse)(struct pe_turn *turn, const struct error *error);
	/* What freezes a PE, or its recovery, takes turns away that don't belong to it. */
	bool recovers;
};

/* Begin when those before it have ended; a recovery's are before the others. It stays the caller's.
 */
void pe_take_turn(struct pe *pe, struct pe_turn *turn);

/* Harmless for a turn that the PE doesn't know any more. */
void pe_end_turn(struct pe *pe, struct pe_turn *turn);

/* Whether devices of its group may be opened: ERROR_FROZEN, ERROR_BUSY, ERROR_RECOVERY_FAILED
 * (broker/device.h). */
int pe_check_open(const struct pe *pe, struct error *error);

/*
 * Whether registers of its open devices may be touched: the same codes. While a reset is asserted,
 * or an operation is under way that may assert one, an access would be an error of the machine. In
 * the two steps of a recovery where the participants set their devices up (MmioEnabled, SlotReset)
 * they may.
 */
int pe_check_access(const struct pe *pe, struct error *error);

/* -- for clients: what is not known of the caller's rights here is the face's business -- */

/* What all of the following may answer: ERROR_NOT_FOUND (the group is in no address space),
 * ERROR_EEH_MANY_GROUPS, ERROR_EEH_UNAVAILABLE, ERROR_BUSY (an operation or a recovery is under
 * way; the text tells which, and the event), ERROR_QUOTA_EXCEEDED, ERROR_WORKER_LOST. */

/*
 * One operation: WORKER_PE_ENABLE to WORKER_PE_INJECT; the group that the request names doesn't
 * matter. The handler is called once, which may be before this returns. The result is checked by
 * the state afterwards: ERROR_RECOVERY_FAILED where the kernel says that it worked, and it did not
 * (H44). ERROR_RECOVERY_FAILED also while the PE is given up; ERROR_ACCESS_DENIED: policy has no
 * injection.
 */
int pe_operate(struct pe *pe, const struct worker_operate_pe *request, pe_answer_handler handler,
	       void *userdata, struct error *error);

/*
 * Look at the state now. A look that has begun may have seen what was before: all that are asked
 * for while one is under way, or within a few milliseconds after it, share the next one. During an
 * operation or a recovery the last condition is the answer, which is given before this returns.
 * ERROR_QUOTA_EXCEEDED: PE_CHECKS_MAX wait.
 */
int pe_check(struct pe *pe, pe_answer_handler handler, void *userdata, struct error *error);

/* Begin or go on. A PE that was given up is only an operator's to recover: ERROR_ACCESS_DENIED. */
int pe_recover(struct pe *pe, bool is_operator, uint32_t *ret_event, struct error *error);

/* A client joins; its cookie is never used twice. Devices that are open are saved as they are now.
 * A recovery that is under way goes on without it. */
int pe_join(struct pe *pe, const char *client, uint32_t *ret_cookie, struct error *error);

/* ERROR_NOT_JOINED: no such cookie. ERROR_ACCESS_DENIED: it is another client's. */
int pe_leave(struct pe *pe, const char *client, uint32_t cookie, struct error *error);
int pe_vote(struct pe *pe, const char *client, uint32_t cookie, uint32_t event, const char *verdict,
	    struct error *error);

/* The client has left the bus: all its cookies are void. So are those of everybody when the group
 * comes to an address space of another user than before. */
void pe_forget_client(struct pe *pe, const char *client);

/* Whether the client has joined, so that its leaving is of interest. */
bool pe_has_client(const struct pe *pe, const char *client);

/* The ERR interrupt of one of its devices has rung (broker/device_alarm.h). */
void pe_error_rang(struct pe *pe);

/* -- properties -- */

const struct group *pe_group(const struct pe *pe);
enum pe_condition pe_condition(const struct pe *pe);
enum recovery_phase pe_phase(const struct pe *pe);
uint32_t pe_freezes(const struct pe *pe);
uint32_t pe_freezes_left(const struct pe *pe);
uint32_t pe_participants(const struct pe *pe);
const struct recovery_policy *pe_policy(const struct pe *pe);
const struct record *pe_record(const struct pe *pe);
