/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bench/measure.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "integration/world.h"

double measure_now(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

void measure_add(struct measure *measure, double value)
{
	if (!measure->values) {
		measure->values = calloc(MEASURE_MAX, sizeof(*measure->values));
		assert_non_null(measure->values);
	}
	if (measure->count < MEASURE_MAX) {
		measure->values[measure->count++] = value;
	}
}

void measure_done(struct measure *measure)
{
	free(measure->values);
	*measure = (struct measure){.count = 0};
}

static int compare(const void *a, const void *b)
{
	double left = *(const double *)a;
	double right = *(const double *)b;

	return (left > right) - (left < right);
}

double measure_quantile(const struct measure *measure, double part)
{
	if (measure->count == 0) {
		return 0;
	}
	qsort(measure->values, measure->count, sizeof(*measure->values), compare);
	return measure->values[(size_t)(part * (double)(measure->count - 1) + 0.5)];
}

bool measure_show(const char *name, double value, const char *unit, double target)
{
	if (target == 0) {
		(void)printf("%-24s %10.2f %-5s %6s\n", name, value, unit, "-");
		return true;
	}
	(void)printf("%-24s %10.2f %-5s %6.2f %s\n", name, value, unit, target,
		     value <= target ? "ok" : "short");
	return value <= target;
}

double measure_ping(DBusConnection *client, unsigned int rounds)
{
	struct measure pings = {.count = 0};
	double median;

	for (unsigned int i = 0; i < rounds; i++) {
		double began = measure_now();

		dbus_message_unref(call(client, BUS_PATH_MANAGER, DBUS_INTERFACE_PEER, "Ping", NULL,
					DBUS_TYPE_INVALID));
		measure_add(&pings, measure_now() - began);
	}
	median = measure_quantile(&pings, 0.5);
	measure_done(&pings);
	return median;
}
