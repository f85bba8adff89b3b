/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The properties of org.spaprd1.Manager that describe the host; the object is a struct service. */
#pragma once

#include <dbus/dbus.h>

int manager_get_memory_installed(void *object, DBusMessageIter *value);
int manager_get_phbs(void *object, DBusMessageIter *value);
int manager_get_eeh_firmware(void *object, DBusMessageIter *value);
