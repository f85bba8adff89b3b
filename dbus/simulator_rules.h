/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The rules of the simulated host as the bus has them: an operation, and options by name. */
#pragma once

#include <dbus/dbus.h>

#include "common/error.h"
#include "dbus/call.h"
#include "sim/control.h"

/* Fill a rule, which is all zeros, from the arguments of a call (s operation, a{sv} options). 0 or
 * a code with the error filled. */
int simulator_rule_read(const struct bus_call *call, struct sim_rule *rule, struct error *error);

/* Append the rules of a reply, userdata being that struct sim_control_reply, as one a(usua{sv}). 0
 * or -ENOMEM. */
int simulator_rules_append(DBusMessageIter *iter, void *userdata);
