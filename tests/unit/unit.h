/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What each unit test needs: cmocka with the headers that it asks for before its own. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
