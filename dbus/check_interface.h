/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* For tests: does an interface's table say the same as its XML? */
#pragma once

#include <stdio.h>

#include "dbus/object.h"

/*
 * Compare names, signatures, access and EmitsChangedSignal, both ways. Writes one line for each
 * difference to report and returns how many there are; XML that can't be read counts as one.
 */
unsigned int check_interface(const struct bus_interface *interface, FILE *report);
