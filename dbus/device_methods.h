/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The methods of org.spaprd1.Device that have a file of their own, for the table in device.c. Each
 * authorises its caller, reads the arguments and answers the call.
 */
#pragma once

#include "broker/device_call.h"
#include "dbus/faces.h"

/* What device.c and those files share: */

/* Call the device (broker/device_call.h). When it can't be called, the bus's call is answered here
 * and the handler, whose userdata is that call, is not called. */
void device_forward(struct bus_call *call, struct device_face *face,
		    const struct worker_call_device *request, device_answer_handler handler);

/* Answers a call (the userdata) with nothing, or with the answer's error. */
void device_reply_empty(void *userdata, const struct device_answer *answer);

/* device_regions.c */
void device_handle_regions(struct bus_call *call, void *object);
void device_handle_sparse_areas(struct bus_call *call, void *object);
void device_handle_find_region(struct bus_call *call, void *object);
void device_handle_read_region(struct bus_call *call, void *object);
void device_handle_write_region(struct bus_call *call, void *object);

/* device_irqs.c */
void device_handle_irqs(struct bus_call *call, void *object);
void device_handle_set_irqs(struct bus_call *call, void *object);
void device_handle_mask_irq(struct bus_call *call, void *object);
void device_handle_unmask_irq(struct bus_call *call, void *object);
void device_handle_disable_irq(struct bus_call *call, void *object);
