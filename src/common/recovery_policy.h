/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How a PE is watched and recovered: what policies (policies/) say, and the recovery (eeh/) goes
 * by. Times are in milliseconds unless their names say otherwise.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define RECOVERY_POLICY_NAME_SIZE 64

enum recovery_reset {
	RECOVERY_RESET_AUTO, /* fundamental for devices that are known to need it, else hot */
	RECOVERY_RESET_HOT,
	RECOVERY_RESET_FUNDAMENTAL,
};

struct recovery_policy {
	char name[RECOVERY_POLICY_NAME_SIZE]; /* "default", "8086:10d3", "pe 0001:fd" */
	bool manual;        /* a freeze is told of, and nothing is done before Recover */
	bool no_escalation; /* hot resets that don't help are not followed by fundamental ones */
	bool injection;     /* Inject may be called */
	enum recovery_reset first_reset;
	uint32_t idle_poll;     /* how often the state is looked at */
	uint32_t fast_poll;     /* likewise after a hint, and while waiting for a state */
	uint32_t fast_poll_for; /* how long after a hint */
	uint32_t vote_timeout;  /* for each step; who is late counts as unaware */
	/* From when a reset is asked for to when its end is (EEH_PE_RST_HOLD_TIME), and from then
	 * on to when the device is touched again (EEH_PE_RST_SETTLE_TIME). What the kernel waits
	 * inside of its operations counts. */
	uint32_t hold;
	uint32_t settle;
	uint32_t retry_pause;           /* after a reset that failed */
	uint32_t reset_tries;           /* of each kind */
	uint32_t normal_timeout;        /* from the end of a reset to the normal state
					   (PCI_BUS_RESET_WAIT_MSEC) */
	uint32_t host_timeout;          /* while the host recovers the bridge above
					   (MAX_WAIT_FOR_RECOVERY) */
	uint32_t operation_timeout;     /* one operation of the kernel's; it can't be interrupted */
	uint32_t most_freezes;          /* in the freeze window; the next one is the last
					   (eeh_max_freezes) */
	uint32_t freeze_window_seconds; /* from the first of them (eeh_pe_update_time_stamp) */
};

/* The kernel's own constants (arch/powerpc: asm/eeh.h, eeh.c, eeh_driver.c) where it has one. */
#define RECOVERY_POLICY_DEFAULT                     \
	((struct recovery_policy){                  \
		.name = "default",                  \
		.first_reset = RECOVERY_RESET_AUTO, \
		.idle_poll = 1000,                  \
		.fast_poll = 100,                   \
		.fast_poll_for = 5000,              \
		.vote_timeout = 10000,              \
		.hold = 250,                        \
		.settle = 1800,                     \
		.retry_pause = 1000,                \
		.reset_tries = 3,                   \
		.normal_timeout = 300000,           \
		.host_timeout = 300000,             \
		.operation_timeout = 330000,        \
		.most_freezes = 5,                  \
		.freeze_window_seconds = 3600,      \
	})
