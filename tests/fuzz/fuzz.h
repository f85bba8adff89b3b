/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is fuzzed: each function takes bytes from anywhere, and must neither crash, nor hang, nor
 * leave the files that it may write. libFuzzer drives one per program (fuzz-host, fuzz-tree,
 * fuzz-device-list, fuzz-policy, fuzz-ledger); test-fuzz drives them with bytes of its own, the
 * same each time.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/error.h"

/* Ends the program, in any build. */
#define must(condition)                                                                   \
	do {                                                                              \
		if (!(condition)) {                                                       \
			(void)fprintf(stderr, "line %d: not %s\n", __LINE__, #condition); \
			abort();                                                          \
		}                                                                         \
	} while (0)

/* A device tree, without a list and with that of powernv9. Returns 0 or the code of the refusal. */
int fuzz_host(const uint8_t *data, size_t size, struct error *error);

/* A device tree, as the host that spaprd runs on has one. Returns 0 or ERROR_KERNEL for none. */
int fuzz_tree(const uint8_t *data, size_t size, struct error *error);

/* A device list: alone, for powernv9's tree and for pseries's. Returns 0 when one of them is a
 * host. */
int fuzz_device_list(const uint8_t *data, size_t size, struct error *error);

/* A policy file. Returns 0 or the code of the refusal. */
int fuzz_policy(const uint8_t *data, size_t size, struct error *error);

/* Operations on a mapping ledger: a byte that says where it lies, then four for each. */
void fuzz_ledger(const uint8_t *data, size_t size);
