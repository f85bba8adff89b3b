/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An observer of a manager that nothing matters to, for tests that look at PEs. */
#pragma once

#include "broker/manager.h"

extern const struct manager_observer deaf_observer;
