/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A real worker process on a simulated host, driven through its socket. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "common/worker_protocol.h"
#include "host/kernel.h"
#include "sim/control.h"
#include "unit.h"

#define PAGE UINT64_C(0x1000)

struct fixture {
	pid_t simhost;
	pid_t worker;
	int socket;  /* the broker's end; blocking */
	int control; /* for the simulated host's verbs */
	struct kernel *kernel;
	uint64_t last_id;
	int last_fd; /* that came with the last reply, or -1 */
};

/* A reply with its body. */
struct answer {
	struct worker_reply head;
	unsigned char body[WORKER_MESSAGE_MAX];
};

void fixture_open(struct fixture *fixture);

/* The same on another host than the usual, as sim_launch has it. */
void fixture_open_on(struct fixture *fixture, const char *host);

/* Close the socket; the worker must end by itself with 0 and leave nothing behind. */
void fixture_close(struct fixture *fixture);

/* As fixture_close, but the worker has ended. */
void fixture_close_host(struct fixture *fixture);

/* Wait for the worker's end: its exit code, or -signal. */
int fixture_wait(struct fixture *fixture);

struct sim_statistics fixture_statistics(struct fixture *fixture);
void fixture_expect_nothing_left(struct fixture *fixture);
void fixture_delay(struct fixture *fixture, const char *operation, uint32_t milliseconds);
/* The same from now on, each time. */
void fixture_slow(struct fixture *fixture, const char *operation, uint32_t milliseconds);
void fixture_fail(struct fixture *fixture, const char *operation, uint32_t skip, int errnum);

/* Take back what still waits to fail. Whether there was something. */
bool fixture_take_back(struct fixture *fixture);

/* Stop a PE; what is an enum sim_freeze (sim/eeh.h). */
void fixture_freeze(struct fixture *fixture, uint32_t group, uint32_t what);

void fixture_dma_write(struct fixture *fixture, const char *device, uint64_t iova, const void *data,
		       uint32_t size);

/* Send a request; returns its id. */
uint64_t send_request(struct fixture *fixture, uint32_t type, const void *body, size_t size,
		      const int *fds, unsigned int count);

/* Receive one reply and check its form. */
void receive_answer(struct fixture *fixture, struct answer *ret_answer);

/* Send a request, receive its reply, return its code. ret_answer may be NULL. */
int request(struct fixture *fixture, uint32_t type, const void *body, size_t size, const int *fds,
	    unsigned int count, struct answer *ret_answer);

/* A memfd of so many bytes, sealed against shrinking. */
int make_memory(uint64_t size);

/* Requests with little to say */
int attach(struct fixture *fixture, uint32_t group);
int detach(struct fixture *fixture, uint32_t group);
int add_memory_fd(struct fixture *fixture, int fd, uint64_t gpa, uint64_t size, uint32_t flags,
		  uint32_t *ret_id);
int add_memory(struct fixture *fixture, uint64_t gpa, uint64_t size, uint32_t *ret_id);
int remove_memory(struct fixture *fixture, uint32_t id);
int create_window(struct fixture *fixture, struct worker_window *window);
int remove_window(struct fixture *fixture, uint64_t start);
int map(struct fixture *fixture, uint64_t iova, uint64_t gpa, uint64_t size, uint32_t prot);
int unmap(struct fixture *fixture, uint64_t iova, uint64_t size);

/* Open a device, with an eventfd or -1. *ret_fd (NULL: it is closed) is a node of fixture->kernel.
 */
int open_device(struct fixture *fixture, uint32_t group, const char *name, int event, int *ret_fd);

/* Operate on a PE; ret_pe may be NULL. */
int operate(struct fixture *fixture, uint32_t group, enum worker_pe_operation operation,
	    struct worker_pe *ret_pe);

/* The same without waiting for the reply; returns its id. */
uint64_t send_operate(struct fixture *fixture, uint32_t group, enum worker_pe_operation operation);
uint64_t send_open(struct fixture *fixture, uint32_t group, const char *name, int event);

/* Whether the last reply has words in its text. */
void expect_text(const char *words);

/* What the last reply said. */
extern struct answer last_answer;
