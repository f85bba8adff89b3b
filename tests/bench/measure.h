/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the benchmarks of the whole service share: times, their medians, and how they are shown. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <dbus/dbus.h>

/* So many of one kind at most; those that come later are not kept. */
#define MEASURE_MAX 65536U

struct measure {
	double *values; /* owned */
	size_t count;
};

/* Seconds of a clock that never goes back. */
double measure_now(void);

void measure_add(struct measure *measure, double value);
void measure_done(struct measure *measure);

/* The value that so much of all is not above: 0.5 is the median, 0 the least, 1 the largest. 0 of
 * nothing. */
double measure_quantile(const struct measure *measure, double part);

/*
 * One line: "name value unit target verdict". Without a target (0) there is no verdict. Whether the
 * value is at most the target.
 */
bool measure_show(const char *name, double value, const char *unit, double target);

/* How long a call takes that the service answers at once: Peer.Ping, the median of so many, in
 * seconds. */
double measure_ping(DBusConnection *client, unsigned int rounds);
