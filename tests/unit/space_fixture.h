/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An address space over containers that only keep books, and requests with little to say. */
#pragma once

#include <stdbool.h>

#include "common/worker_protocol.h"
#include "fake_container.h"
#include "unit.h"
#include "vfio/space.h"

#define MEMORY_SIZE   UINT64_C(0x100000)
#define SNAPSHOT_SIZE 65536

struct fixture {
	struct kernel *kernel;
	struct space *space;
	struct error error;
	struct space_outcome outcome; /* of the last change that went well */
	unsigned int fds;             /* that were open before */
};

/* A fresh fake_host, too. */
void fixture_open(struct fixture *fixture);
void fixture_open_limited(struct fixture *fixture, uint64_t locked_limit);

/* No container and no fd may be left. */
void fixture_close(struct fixture *fixture);

/* A memfd of so many bytes, sealed against shrinking. */
int make_memory(uint64_t size);

/* What stands for a node. */
int make_node(void);

/* Work and finish. */
int complete(struct space_change *change, struct space_outcome *ret_outcome, struct error *error);

/* A request for a container of its own, without fds. */
struct space_attach attach_request(uint32_t group, uint32_t container);

/* Group N gets container N + 100, or joins one. */
int attach(struct fixture *fixture, uint32_t group);
int attach_shared(struct fixture *fixture, uint32_t group);
int attach_by(struct fixture *fixture, const struct space_attach *request);
int detach(struct fixture *fixture, uint32_t group);

/* A section of MEMORY_SIZE. ret_id may be NULL. */
int add_memory(struct fixture *fixture, uint64_t gpa, uint32_t flags, uint32_t *ret_id);
int remove_memory(struct fixture *fixture, uint32_t id);

/* Of 256 MiB. ret_window may be NULL. */
int create_window(struct fixture *fixture, uint64_t start, struct window *ret_window);
int remove_window(struct fixture *fixture, uint64_t start);

/* For reading and writing. */
int map(struct fixture *fixture, uint64_t iova, uint64_t gpa, uint64_t size);
int unmap(struct fixture *fixture, uint64_t iova, uint64_t size);

/* The sum of space_locked. */
uint64_t locked_bytes(const struct space *space);

/* Everything that a failed operation must leave alone. */
void snapshot(const struct fixture *fixture, char text[SNAPSHOT_SIZE]);
