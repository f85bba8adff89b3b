/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* org.spaprd1.Device: binding its group to a driver, and giving it back; for the table in device.c.
 */
#pragma once

#include "dbus/object.h"

void device_handle_bind(struct bus_call *call, void *object);
void device_handle_bind_with(struct bus_call *call, void *object);
void device_handle_restore(struct bus_call *call, void *object);
void device_handle_restore_with(struct bus_call *call, void *object);
