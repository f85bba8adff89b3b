/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The entries of a MapMany or UnmapMany, which come in a memfd (struct worker_many).
 *
 * The fd is taken for a stranger's. It must be sealed, as the protocol says, but nothing hangs on
 * that: the entries are copied, and checked afterwards. They are read, not mapped, since an access
 * to a page that the file can't provide any more would kill the process.
 */
#pragma once

#include <stdint.h>

#include "common/error.h"
#include "vfio/ledger.h"

/*
 * Copy the entries out of an fd, which stays the caller's; the result is freed by free(). A prot
 * that is no uint32_t becomes one that is refused as well.
 * ERROR_INVALID_ARGUMENT  the count is 0 or above WORKER_MANY_MAX, the fd is no memfd, isn't sealed
 *                         against shrinking and writing, or isn't exactly as long as the entries
 * ERROR_KERNEL            no memory, or it can't be read
 */
int many_read_mappings(int fd, uint32_t count, struct mapping **ret_mappings, struct error *error);
int many_read_ranges(int fd, uint32_t count, struct range **ret_ranges, struct error *error);
