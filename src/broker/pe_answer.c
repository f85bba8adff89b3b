/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a worker says of a PE: whether it can be true, and what it means. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>

#include "broker/pe_private.h"
#include "common/log.h"

_Static_assert(TOPOLOGY_NAME_SIZE == WORKER_DEVICE_NAME_SIZE, "both have all names of devices");

#define AER_OFFSET_MAX (4096U - WORKER_AER_SIZE) /* of extended config space */

/* -- soundness -- */

/* The name may have no end. */
static bool group_has_device(const struct topology_group *host,
			     const char name[static WORKER_DEVICE_NAME_SIZE])
{
	for (size_t i = 0; i < host->device_count; i++) {
		if (strncmp(host->devices[i]->name, name, WORKER_DEVICE_NAME_SIZE) == 0) {
			return true;
		}
	}
	return false;
}

static bool registers_are_sound(const struct topology_group *host,
				const struct worker_registers *registers)
{
	return group_has_device(host, registers->name) &&
	       (registers->config_size == 0 || registers->config_size == WORKER_CONFIG_SIZE) &&
	       (registers->aer_size == 0 || registers->aer_size == WORKER_AER_SIZE) &&
	       registers->aer_offset <= AER_OFFSET_MAX;
}

static bool answer_is_sound(const struct pe_request *request, const struct worker_answer *answer)
{
	const struct topology_group *host = request->pe->group->host;
	const struct worker_pe *head = answer->body;
	const struct worker_registers *registers = (const void *)(head + 1);
	size_t count;

	if (answer->fd_count != 0 || answer->size < sizeof(*head) ||
	    (answer->size - sizeof(*head)) % sizeof(*registers) != 0) {
		return false;
	}
	count = (answer->size - sizeof(*head)) / sizeof(*registers);
	if (count > (request->body.operation == WORKER_PE_SAVE ? WORKER_REGISTERS_MAX : 0U) ||
	    head->reserved != 0 || head->silent > head->devices ||
	    head->devices > host->device_count) {
		return false;
	}
	for (size_t i = 0; i < count; i++) {
		if (!registers_are_sound(host, &registers[i])) {
			return false;
		}
	}
	return true;
}

static void end_worker(const struct pe_request *request, size_t size, struct error *error)
{
	struct space *space = request->pe->group->space;

	(void)error_set(error, ERROR_WORKER_LOST, EPROTO,
			"the worker of address space %u answered for %s in %zu bytes that make no "
			"sense, and is ended",
			space->number, pe_name(request->pe).text, size);
	log_write(LOG_ERR, LOG_SPACE(space->number), "%s", error->text);
	worker_process_kill(space->worker, SIGKILL);
}

/* -- meaning -- */

/* What the number alone doesn't say, the kernel tells people (H43). */
static enum pe_condition judge(const struct pe *pe, const struct worker_pe *head)
{
	struct pe_look look = {
		.number = head->number,
		.devices = head->devices,
		.silent = head->silent,
	};
	uint32_t words[2] = {0, 0};

	if (pe_look_needs_flags(&look) &&
	    topology_read_eeh_state(pe->manager->topology, pe->group->host, words) == 0) {
		look.has_flags = true;
		look.firmware_flags = words[0];
		look.kernel_flags = words[1];
	}
	return pe_judge(&look);
}

void pe_read_answer(const struct pe_request *request, const struct worker_answer *answer,
		    struct pe_result *ret_result)
{
	const struct worker_pe *head = answer->body;

	*ret_result = (struct pe_result){.error = answer->error, .condition = PE_UNKNOWN};
	ret_result->took = pe_now() - request->began;
	if (answer->error.code != ERROR_NONE) {
		return;
	}
	if (!answer_is_sound(request, answer)) {
		end_worker(request, answer->size, &ret_result->error);
		return;
	}
	ret_result->took = head->nanoseconds / 1000;
	ret_result->condition = judge(request->pe, head);
	ret_result->silent = head->silent;
	ret_result->registers = (const void *)(head + 1);
	ret_result->register_count =
		(unsigned int)((answer->size - sizeof(*head)) / sizeof(*ret_result->registers));
}

/* -- what was asked for, and what it has come to -- */

/* Conditions as bits. */
#define IS(condition) (1U << (condition))
#define ANY_FREEZE \
	(IS(PE_STOPPED) | IS(PE_STOPPED_DMA) | IS(PE_STOPPED_IO) | IS(PE_UNAVAILABLE) | IS(PE_GONE))

static const struct {
	const char *name;
	unsigned int failures; /* the conditions that it doesn't leave behind when it works */
} operations[WORKER_PE_OPERATION_COUNT] = {
	[WORKER_PE_ENABLE] = {"enable", ANY_FREEZE},
	[WORKER_PE_DISABLE] = {"disable", 0},
	[WORKER_PE_UNFREEZE_IO] = {"unfreeze-io", ANY_FREEZE & ~IS(PE_STOPPED_DMA)},
	[WORKER_PE_UNFREEZE_DMA] = {"unfreeze-dma", ANY_FREEZE & ~IS(PE_STOPPED_IO)},
	[WORKER_PE_RESET_HOT] = {"reset-hot", IS(PE_GONE)},
	[WORKER_PE_RESET_FUNDAMENTAL] = {"reset-fundamental", IS(PE_GONE)},
	[WORKER_PE_DEACTIVATE] = {"deactivate", ANY_FREEZE | IS(PE_RESET)},
	[WORKER_PE_CONFIGURE] = {"configure", IS(PE_GONE)},
	[WORKER_PE_INJECT] = {"inject", 0},
};

const char *pe_client_operation_name(uint32_t operation)
{
	return operation < WORKER_PE_OPERATION_COUNT && operations[operation].name
		       ? operations[operation].name
		       : "";
}

int pe_check_result(uint32_t operation, enum pe_condition condition, struct error *error)
{
	if (!(operations[operation].failures & IS(condition))) {
		return 0;
	}
	return error_set(error, ERROR_RECOVERY_FAILED, 0,
			 "the kernel says that %s worked, and the PE is as it should not be then: "
			 "%s (%s)",
			 operations[operation].name, pe_condition_state(condition),
			 pe_condition_text(condition));
}
