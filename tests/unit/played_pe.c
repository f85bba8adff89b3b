/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "played_pe.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "common/error.h"
#include "common/packet.h"

#define HELD_PAUSE_USEC 1000

static volatile struct played_pes *played;

static volatile struct played_pes *map(const char *path, int flags)
{
	int fd = open(path, O_RDWR | O_CLOEXEC | flags, 0600);
	void *memory = MAP_FAILED;

	if (fd >= 0 && ftruncate(fd, sizeof(struct played_pes)) == 0) {
		memory = mmap(NULL, sizeof(struct played_pes), PROT_READ | PROT_WRITE, MAP_SHARED,
			      fd, 0);
	}
	if (fd >= 0) {
		(void)close(fd);
	}
	return memory == MAP_FAILED ? NULL : memory;
}

/* -- the test's part -- */

volatile struct played_pes *played_pes_new(void)
{
	char path[64];
	volatile struct played_pes *pes;

	(void)snprintf(path, sizeof(path), "/tmp/spaprd-test-pes-%d", (int)getpid());
	pes = map(path, O_CREAT | O_TRUNC);
	(void)setenv(ENV_PLAYED_PES, path, 1);
	return pes;
}

void played_pes_free(volatile struct played_pes *pes)
{
	const char *path = getenv(ENV_PLAYED_PES);

	if (path) {
		(void)unlink(path);
	}
	(void)unsetenv(ENV_PLAYED_PES);
	(void)munmap((void *)(uintptr_t)pes, sizeof(*pes));
}

/* -- the worker's part -- */

bool played_pes_open(void)
{
	const char *path = getenv(ENV_PLAYED_PES);

	if (!played && path) {
		played = map(path, 0);
	}
	return played != NULL;
}

/* A test that failed lets go of nothing: its worker ends then. */
static void wait_while(const volatile bool *held)
{
	pid_t test = getppid();

	while (*held) {
		if (getppid() != test) {
			_exit(4);
		}
		(void)usleep(HELD_PAUSE_USEC);
	}
}

static void reply(const struct worker_request *request, uint32_t code, int32_t errnum,
		  const void *body, size_t size, int fd)
{
	static const char words[] = "the played worker says so";
	struct worker_reply head = {
		.version = WORKER_PROTOCOL_VERSION,
		.type = request->type,
		.id = request->id,
		.code = code,
		.errnum = errnum,
		.size = (uint32_t)(code ? sizeof(words) - 1 : size),
		.fds = fd >= 0,
	};

	(void)packet_send(WORKER_SOCKET_FD, &head, sizeof(head), code ? words : body, head.size,
			  &fd, fd >= 0);
}

static void note(uint32_t group, uint32_t operation)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	if (played->log_count < PLAYED_LOG_MAX) {
		volatile struct played_entry *entry = &played->log[played->log_count];

		entry->group = group;
		entry->operation = operation;
		entry->when = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
		played->log_count++;
	}
	played->pes[group].counts[operation]++;
}

/* What an operation makes of a PE. */
static uint32_t find_next(uint32_t number, uint32_t operation)
{
	switch ((enum worker_pe_operation)operation) {
	case WORKER_PE_UNFREEZE_IO:
		return number == 2 ? 4 : number == 5 ? 0 : number;
	case WORKER_PE_UNFREEZE_DMA:
		return number == 2 ? 5 : number == 4 ? 0 : number;
	case WORKER_PE_RESET_HOT:
	case WORKER_PE_RESET_FUNDAMENTAL:
	case WORKER_PE_INJECT:
		return 2;
	case WORKER_PE_ENABLE:
	case WORKER_PE_DEACTIVATE:
		return 0;
	case WORKER_PE_LOOK:
	case WORKER_PE_DISABLE:
	case WORKER_PE_CONFIGURE:
	case WORKER_PE_SAVE:
	case WORKER_PE_RESTORE:
	case WORKER_PE_VERIFY:
	case WORKER_PE_ISOLATE:
	case WORKER_PE_OPERATION_COUNT:
		break;
	}
	return number;
}

struct answer {
	struct worker_pe head;
	struct worker_registers registers[2];
};

static void spoil(struct answer *answer, enum played_lie lie, size_t *size)
{
	switch (lie) {
	case PLAYED_TRUTH:
	case PLAYED_FDLESS:
	case PLAYED_LIES:
		break;
	case PLAYED_SHORT:
		(*size)--;
		break;
	case PLAYED_LONG:
		*size += sizeof(answer->registers[0]);
		break;
	case PLAYED_SILENT:
		answer->head.silent = answer->head.devices + 1;
		break;
	case PLAYED_DEVICES:
		answer->head.devices = 99;
		break;
	case PLAYED_RESERVED:
		answer->head.reserved = 1;
		break;
	case PLAYED_STRANGER:
		(void)snprintf(answer->registers[0].name, sizeof(answer->registers[0].name),
			       "0009:09:09.0");
		break;
	case PLAYED_ENDLESS:
		memset(answer->registers[0].name, 'x', sizeof(answer->registers[0].name));
		break;
	case PLAYED_CONFIG:
		answer->registers[0].config_size = WORKER_CONFIG_SIZE + 1;
		break;
	case PLAYED_AER:
		answer->registers[0].aer_size = WORKER_AER_SIZE - 1;
		break;
	case PLAYED_OFFSET:
		answer->registers[0].aer_offset = 4095;
		break;
	}
}

/* Byte i of a device's config space is i, of the capability 2 * i. */
static void fill(struct worker_registers *registers, uint32_t group)
{
	for (unsigned int i = 0; i < sizeof(registers->name); i++) {
		registers->name[i] = played->device[group][i];
	}
	registers->config_size = WORKER_CONFIG_SIZE;
	registers->aer_size = WORKER_AER_SIZE;
	registers->aer_offset = 0x100;
	for (unsigned int i = 0; i < WORKER_CONFIG_SIZE; i++) {
		registers->config[i] = (uint8_t)i;
	}
	for (unsigned int i = 0; i < WORKER_AER_SIZE; i++) {
		registers->aer[i] = (uint8_t)(2 * i);
	}
}

static void answer_operation(const struct worker_request *request,
			     const struct worker_operate_pe *body)
{
	volatile struct played_pe *pe = &played->pes[body->group];
	struct answer answer = {
		.head = {.number = pe->number,
			 .devices = pe->devices,
			 .silent = pe->silent,
			 .nanoseconds = 7000000},
	};
	size_t size = sizeof(answer.head);

	if (body->operation == WORKER_PE_SAVE && played->device[body->group][0] != '\0') {
		fill(&answer.registers[0], body->group);
		size += sizeof(answer.registers[0]);
	}
	spoil(&answer, (enum played_lie)pe->lie, &size);
	pe->lie = PLAYED_TRUTH;
	if (body->operation == WORKER_PE_LOOK && pe->looks_left > 0 && --pe->looks_left == 0) {
		pe->number = 0;
	}
	reply(request, 0, 0, &answer, size, -1);
}

void played_pe_operate(const struct worker_request *request, const void *data)
{
	const struct worker_operate_pe *body = data;
	volatile struct played_pe *pe;
	volatile struct played_operation *operation;

	if (!played_pes_open() || request->size != sizeof(*body) || body->group >= PLAYED_GROUPS ||
	    body->operation >= WORKER_PE_OPERATION_COUNT) {
		reply(request, ERROR_INVALID_ARGUMENT, 0, NULL, 0, -1);
		return;
	}
	pe = &played->pes[body->group];
	operation = &pe->operations[body->operation];
	note(body->group, body->operation);
	wait_while(&operation->held);
	if (operation->fatal) {
		_exit(3);
	}
	if (operation->failures > 0) {
		operation->failures--;
		reply(request, operation->code, operation->errnum, NULL, 0, -1);
		return;
	}
	if (!operation->idle) {
		pe->number = find_next(pe->number, body->operation);
	}
	answer_operation(request, body);
}

void played_pe_open_device(const struct worker_request *request, const void *data)
{
	const struct worker_open_device *body = data;
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (!played_pes_open() || body->group >= PLAYED_GROUPS) {
		reply(request, ERROR_INVALID_ARGUMENT, 0, NULL, 0, -1);
	} else {
		volatile struct played_pe *pe = &played->pes[body->group];
		bool fdless = pe->lie == PLAYED_FDLESS;
		size_t surplus = pe->lie == PLAYED_LONG ? sizeof(*request) : 0;

		wait_while(&pe->open_held);
		pe->opened++;
		pe->has_event = body->events & WORKER_EVENT_ERROR;
		pe->lie = PLAYED_TRUTH;
		reply(request, pe->open_code, 0, request, surplus,
		      fdless || pe->open_code ? -1 : fd);
	}
	(void)close(fd);
}

void played_pe_call_device(const struct worker_request *request, const void *data)
{
	const struct worker_call_device *body = data;
	bool scripted = played_pes_open() && body->group < PLAYED_GROUPS;

	played_device_call(request, data, scripted ? &played->pes[body->group].device : NULL);
}

bool played_pe_refuses_detach(const struct worker_request *request, const void *data)
{
	const struct worker_detach *body = data;
	uint32_t code = 0;

	if (played_pes_open() && body->group < PLAYED_GROUPS) {
		code = played->pes[body->group].detach_code;
		played->pes[body->group].detach_flags = body->flags;
		played->pes[body->group].detaches++;
	}
	if (code) {
		reply(request, code, 0, NULL, 0, -1);
	}
	return code != 0;
}
