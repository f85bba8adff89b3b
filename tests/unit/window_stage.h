/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An address space over containers whose windows are like those of a kind of host: each call is
 * written down, and the n-th can be made to fail. All else of them is that of fake_container.h.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "space_fixture.h"

#define WINDOW_TEXT_SIZE      4096
#define WINDOW_CONTAINERS_MAX 8

#define TABLE_BYTES  0x1000U              /* of each window, where windows have tables */
#define SECOND       (UINT64_C(1) << 59)  /* where the second slot's window starts */
#define DEFAULT_SIZE UINT64_C(0x80000000) /* of a default window, which starts at 0 */
#define ANYWHERE     WORKER_WINDOW_ANYWHERE
#define REPLACE      WORKER_WINDOW_REPLACE_DEFAULT

#define INTERRUPTS    UINT64_C(0xfee00000) /* the hole that x86 has in its IOVA ranges */
#define HIGH_RANGE    UINT64_C(0xfef00000)
#define END_OF_RANGES (UINT64_C(1) << 39)

enum window_kind {
	POWERNV, /* two slots, which decide the start; the default window is pending first */
	LPAR,    /* one window beside the default one, and never the two in the other order */
	FIXED,   /* the default window only (TCE v1) */
	RANGES,  /* windows are books inside IOVA ranges (type1) */
};

struct books {
	const struct container *container;
	struct window windows[WORKER_WINDOWS_MAX]; /* POWERNV: by slot; size 0: none */
	bool pending;                              /* the default window has no table yet */
};

/* How all containers of a test are, and what was asked of them. */
struct window_host {
	enum window_kind kind;
	struct window defaults[WORKER_WINDOWS_MAX]; /* of new containers */
	unsigned int default_count;
	uint32_t max_windows;
	uint64_t page_sizes;
	unsigned int calls;
	unsigned int fail;      /* the number of the call that fails, from 1; 0: none */
	bool fail_on;           /* all after it, too */
	unsigned int fail_more; /* so many after it, too */
	unsigned int failed;
	struct books books[WINDOW_CONTAINERS_MAX];
	char log[WINDOW_TEXT_SIZE];
};

extern struct window_host host;

/* The fixture of an address space over such a host, with a policy for the default window. */
void stage_open(struct fixture *fixture, enum window_kind kind, enum worker_default_window policy);
void stage_open_limited(struct fixture *fixture, enum window_kind kind,
			enum worker_default_window policy, uint64_t locked_limit);
void stage_close(struct fixture *fixture);

/* Have new containers two ranges around the interrupts, up to an end. */
void set_ranges(uint64_t end);

/* A window of 256 MiB; in an LPAR with pages of 64 KiB. */
int create(struct fixture *fixture, uint64_t start, uint32_t flags);

/* The windows of the space and of each container: "[0x0, 0x80000000)/12d" with the page shift, and
 * a d for default ones of the space. */
void list_all(const struct fixture *fixture, char text[WINDOW_TEXT_SIZE]);

/* Those of the space, each with a blank before it. */
void check_windows(const struct fixture *fixture, const char *expected);

/* The last error's text. */
void check_text(const struct fixture *fixture, const char *part);
