/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pe_worker.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/packet.h"
#include "eeh/state.h"
#include "played_device.h"

#define CONTAINERS_MAX 2U

/* EEH_STATE_* and EEH_PE_* (asm/eeh.h). */
#define FIRMWARE_RESET 0x04U
#define FIRMWARE_MMIO  0x28U
#define FIRMWARE_DMA   0x50U
#define KERNEL_FROZEN  0x801U

struct pe_host {
	struct pe_script *script;
	struct worker_description description;
	struct worker_container containers[CONTAINERS_MAX];
};

struct pe_script *pe_script_map(void)
{
	const char *path = getenv(ENV_PE_SCRIPT);
	cleanup(cleanup_fd) int fd = path ? open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600) : -1;
	void *memory;

	if (fd < 0 || ftruncate(fd, sizeof(struct pe_script)) < 0) {
		return NULL;
	}
	memory = mmap(NULL, sizeof(struct pe_script), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	return memory == MAP_FAILED ? NULL : memory;
}

static uint32_t firmware_flags(uint32_t number)
{
	switch (number) {
	case PE_NUMBER_NORMAL:
		return FIRMWARE_MMIO | FIRMWARE_DMA;
	case PE_NUMBER_RESET:
		return FIRMWARE_RESET;
	case PE_NUMBER_STOPPED_DMA:
		return FIRMWARE_MMIO;
	case PE_NUMBER_UNAVAILABLE:
		return FIRMWARE_DMA;
	default:
		return 0;
	}
}

static void set_state(struct pe_script *script, uint32_t number, uint32_t flags)
{
	FILE *file = fopen(script->state_file, "we");

	if (file) {
		(void)fprintf(file, "0x%08x 0x%08x\n", flags,
			      number == PE_NUMBER_NORMAL ? 0 : KERNEL_FROZEN);
		(void)fclose(file);
	}
	script->number = number;
}

void pe_script_set(struct pe_script *script, uint32_t number)
{
	set_state(script, number, firmware_flags(number));
}

void pe_script_set_unavailable(struct pe_script *script)
{
	set_state(script, PE_NUMBER_UNAVAILABLE, 0);
}

/* -- answers -- */

static void send_reply(const struct worker_request *request, enum error_code code, const void *body,
		       size_t size, const int *fds, unsigned int fd_count)
{
	struct worker_reply head = {
		.version = WORKER_PROTOCOL_VERSION,
		.type = request->type,
		.id = request->id,
		.code = code,
		.size = (uint32_t)size,
		.fds = fd_count,
	};

	(void)packet_send(WORKER_SOCKET_FD, &head, sizeof(head), body, size, fds, fd_count);
}

static void reply(const struct worker_request *request, const void *body, size_t size)
{
	send_reply(request, ERROR_NONE, body, size, NULL, 0);
}

static void refuse(const struct worker_request *request, enum error_code code)
{
	send_reply(request, code, PE_WORKER_TEXT, strlen(PE_WORKER_TEXT), NULL, 0);
}

/* -- groups -- */

static void attach(struct pe_host *host, const struct worker_request *request,
		   const struct worker_attach *attach)
{
	bool joins = (attach->flags & WORKER_ATTACH_SHARE) && host->description.container_count > 0;
	struct worker_container *container =
		&host->containers[joins ? 0 : host->description.container_count++];

	if (!joins) {
		*container = (struct worker_container){.container_id = attach->container_id,
						       .iommu_type = "spapr-tce-v2",
						       .eeh = host->script->no_eeh == 0};
	}
	container->groups[container->group_count++] = attach->group;
	reply(request, container, sizeof(*container));
}

/* Good enough for the group that came last. */
static void detach(struct pe_host *host, const struct worker_request *request)
{
	struct worker_container *container =
		&host->containers[host->description.container_count - 1];
	struct worker_detached detached = {.container_id = container->container_id};

	container->groups[--container->group_count] = 0;
	if (container->group_count == 0) {
		host->description.container_count--;
	}
	reply(request, &detached, sizeof(detached));
}

static void describe(const struct pe_host *host, const struct worker_request *request)
{
	char body[sizeof(*host)];
	size_t size = host->description.container_count * sizeof(*host->containers);

	memcpy(body, &host->description, sizeof(host->description));
	memcpy(body + sizeof(host->description), host->containers, size);
	reply(request, body, sizeof(host->description) + size);
}

/* -- the PE -- */

/* What the kernel makes of the state. The test may change it meanwhile: an operation that does
 * nothing to it leaves it alone. */
static void change_state(struct pe_script *script, uint32_t operation)
{
	bool stopped = script->number == PE_NUMBER_STOPPED;

	switch (operation) {
	case WORKER_PE_ENABLE:
	case WORKER_PE_DEACTIVATE:
		pe_script_set(script, PE_NUMBER_NORMAL);
		break;
	case WORKER_PE_UNFREEZE_IO:
		pe_script_set(script, stopped ? PE_NUMBER_STOPPED_DMA : PE_NUMBER_NORMAL);
		break;
	case WORKER_PE_UNFREEZE_DMA:
		pe_script_set(script, stopped ? PE_NUMBER_UNAVAILABLE : PE_NUMBER_NORMAL);
		break;
	case WORKER_PE_RESET_HOT:
	case WORKER_PE_RESET_FUNDAMENTAL:
		pe_script_set(script, PE_NUMBER_STOPPED);
		break;
	default:
		break;
	}
}

static void answer_operation(const struct pe_script *script, const struct worker_request *request,
			     uint32_t operation)
{
	struct {
		struct worker_pe pe;
		struct worker_registers registers;
	} body = {
		.pe = {.number = script->number, .devices = 1, .nanoseconds = 7000000},
		.registers = {.name = "0000:01:00.0",
			      .config_size = WORKER_CONFIG_SIZE,
			      .aer_size = WORKER_AER_SIZE,
			      .aer_offset = 0x100,
			      .config = {0x34, 0x12, 0x78, 0x56},
			      .aer = {0x01, 0x00, 0x02}},
	};

	reply(request, &body, operation == WORKER_PE_SAVE ? sizeof(body) : sizeof(body.pe));
}

static void operate_pe(struct pe_script *script, const struct worker_request *request,
		       const struct worker_operate_pe *body)
{
	uint32_t operation = body->operation;

	script->last = *body;
	script->asked[operation]++;
	while (script->held == operation) {
		(void)nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	}
	if (script->failing == operation) {
		refuse(request, (enum error_code)script->failure);
		return;
	}
	if (script->idle != operation) {
		change_state(script, operation);
	}
	answer_operation(script, request, operation);
}

static void open_device(struct pe_script *script, const struct worker_request *request)
{
	cleanup(cleanup_fd) int fd = open("/dev/zero", O_RDWR | O_CLOEXEC);

	script->opened++;
	if (script->open_failure != ERROR_NONE) {
		refuse(request, (enum error_code)script->open_failure);
	} else {
		send_reply(request, ERROR_NONE, NULL, 0, &fd, 1);
	}
}

int pe_worker_play(void)
{
	static _Alignas(uint64_t) char buffer[WORKER_MESSAGE_MAX];
	struct pe_host host = {.script = pe_script_map()};
	const void *body = buffer + sizeof(struct worker_request);
	struct packet_fds fds;

	while (host.script &&
	       packet_receive(WORKER_SOCKET_FD, buffer, sizeof(buffer), &fds, NULL) > 0) {
		struct worker_request request;

		memcpy(&request, buffer, sizeof(request));
		packet_fds_done(&fds);
		if (request.type == WORKER_DESCRIBE) {
			describe(&host, &request);
		} else if (request.type == WORKER_ATTACH_GROUP) {
			attach(&host, &request, body);
		} else if (request.type == WORKER_DETACH_GROUP) {
			detach(&host, &request);
		} else if (request.type == WORKER_OPERATE_PE) {
			operate_pe(host.script, &request, body);
		} else if (request.type == WORKER_OPEN_DEVICE) {
			open_device(host.script, &request);
		} else if (request.type == WORKER_CALL_DEVICE) {
			played_device_call(&request, body, NULL);
		} else {
			reply(&request, NULL, 0);
		}
		if (request.type == WORKER_CLOSE) {
			break;
		}
	}
	return 0;
}
