/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * spaprd's methods as functions: one call each, blocking, what comes back checked.
 *
 * All return 0 or a code with the error filled, as client_call does. `space` is the object path of
 * an address space.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "cli/client.h"
#include "cli/model.h"

#define REMOTE_ANY_START UINT64_MAX /* CreateWindow: the window may start anywhere */

/* What a device may do with a mapping. */
#define REMOTE_PROT_READ  1U
#define REMOTE_PROT_WRITE 2U

struct remote_mapping {
	struct range range; /* of IOVA */
	uint64_t gpa;
	uint64_t prot;
};

struct remote_mappings {
	struct remote_mapping *items; /* ascending */
	size_t count;
};

/* All objects, as they are now. */
int remote_read_model(struct client *client, struct model **ret_model, struct error *error);

/* The caller frees the path. */
int remote_create_space(struct client *client, const char *name, char **ret_path,
			struct error *error);
int remote_close_space(struct client *client, const char *space, struct error *error);

/* The caller frees the container's path. */
int remote_attach_group(struct client *client, const char *space, uint32_t group,
			char **ret_container, struct error *error);

/* The fd stays the caller's. */
int remote_add_memory(struct client *client, const char *space, int fd, uint64_t offset,
		      struct range gpa, uint32_t flags, uint32_t *ret_id, struct error *error);

/* Zeros, and REMOTE_ANY_START, leave the choice to spaprd. */
int remote_create_window(struct client *client, const char *space,
			 const struct model_window *wanted, struct model_window *ret_window,
			 struct error *error);

int remote_map(struct client *client, const char *space, const struct remote_mapping *mapping,
	       struct error *error);

/* The first `most` mappings. The caller frees the items. */
int remote_list_mappings(struct client *client, const char *space, uint32_t most,
			 struct remote_mappings *ret_mappings, struct error *error);

/* DMA by a device of the simulated host. */
int remote_dma_write(struct client *client, const char *device, uint64_t iova, const void *data,
		     uint32_t size, struct error *error);
int remote_dma_read(struct client *client, const char *device, uint64_t iova, void *data,
		    uint32_t size, struct error *error);
