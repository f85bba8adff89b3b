/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a peer that is not spaprd answers to `spaprctl pe`, by the group. Of itself it says that it
 * has no address spaces. On other interfaces it knows
 *   Asked  the last call of org.spaprd1.Pe or the simulator, in words: "Reset 2 hot"; forgotten
 * then Story  have the group that the path ends with send the signals of event 9
 */
#pragma once

#include <dbus/dbus.h>
#include <stdbool.h>
#include <stdint.h>

#define GROUP_RIGHT  2U
#define GROUP_FAILS  3U /* all is refused, and recoveries fail */
#define GROUP_NO_PE  5U
#define GROUP_BROKEN 6U /* answers of a wrong type */

/* Whether its host is a simulated one; to be set before it is forked. */
extern bool pe_peer_simulated;

/* A fake_service_answer. */
DBusMessage *pe_peer_answer(DBusMessage *call);
