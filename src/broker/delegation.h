/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Groups that are handed to a program which owns its container, as a VMM does: spaprd opens the
 * group's node, gives the fd away, and has no part in the group until nobody has it open any more.
 *
 * Policy decides whether that happens at all, for the fd is a licence to write to kernel memory:
 * MAP and UNMAP check only the first page against the window (field note H5), and spaprd's checks
 * stand between a client and that.
 *
 * The kernel takes no fd back, and resets the group's open devices when their last fds are closed.
 * So a delegation ends in two steps: its owner leaves the bus, then the node is found free, for
 * which it is tried: by whoever wants the group, and by a timer, from a second on more and more
 * rarely, up to once a minute.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "common/error.h"

struct group;
struct manager;

struct delegation;

/*
 * Hand a group out. owner is the bus name of who asks. *ret_fd is the caller's, who closes it once
 * it is on its way. 0, or a code and nothing has happened:
 *
 * ERROR_ACCESS_DENIED     policy does not allow it (delegate in [access])
 * ERROR_GROUP_BUSY        it is in an address space, delegated already, or open somewhere
 * ERROR_GROUP_NOT_VIABLE  a device of it is bound to another driver, or none to vfio-pci
 * ERROR_QUARANTINED       a device of it could not be stopped
 * ERROR_NOT_FOUND         it was unplugged
 * ERROR_BUSY              a device of it is being bound to another driver
 */
int delegation_begin(struct manager *manager, struct group *group, const char *owner, uid_t uid,
		     int *ret_fd, struct error *error);

/* The owner has left the bus: the delegation ends as soon as nobody has the group's node open. */
void delegation_owner_left(struct group *group);

/* ERROR_GROUP_BUSY that says to whom, when the group is delegated. One whose owner has left is
 * tried now, and may end by that. */
int delegation_check(const struct group *group, struct error *error);

/* The bus name of who has it, "" when it isn't delegated. After that has left, the name stays until
 * the group is free. */
const char *delegation_owner(const struct group *group);

/* Forget it, when the manager ends. Takes NULL, returns NULL. */
struct delegation *delegation_free(struct delegation *delegation);
