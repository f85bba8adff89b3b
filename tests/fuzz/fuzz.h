/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is fuzzed: each function takes bytes from anywhere, and must neither crash, nor hang, nor
 * leave the files that it may write. libFuzzer drives one per program (fuzz-host,
 * fuzz-device-list); test-fuzz drives both with bytes of its own, the same each time.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

/* A device tree, without a list and with that of powernv9. Returns 0 or the code of the refusal. */
int fuzz_host(const uint8_t *data, size_t size, struct error *error);

/* A device list: alone, for powernv9's tree and for pseries's. Returns 0 when one of them is a
 * host. */
int fuzz_device_list(const uint8_t *data, size_t size, struct error *error);
