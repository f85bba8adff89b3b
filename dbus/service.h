/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The service: the broker's objects shown on the bus.
 *
 * Concepts
 *   face   what stands on the bus for one of the broker's objects: its bus object and, for an
 * address space, the watch on its owner. The service makes and removes faces as the manager's
 * observer.
 */
#pragma once

#include <systemd/sd-event.h>

#include "broker/manager.h"
#include "broker/simulator.h"
#include "dbus/bus.h"

struct service;

/*
 * Put all objects on the bus. The simulator is NULL on a real host. Bus, manager and simulator stay
 * the caller's and outlive the service. 0 or -errno.
 */
int service_new(struct bus *bus, struct manager *manager, struct simulator *simulator,
		struct service **ret_service);

/* Takes NULL, returns NULL. */
struct service *service_free(struct service *service);
