/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Operations on a PE: on a simulated host, and by what a kernel may answer. */
#include <linux/vfio.h>

#include "eeh/pe.h"
#include "eeh/state.h"
#include "sim/eeh.h"
#include "sim_fixture.h"
#include "vfio/device.h"

#define NUMBER_EDU    0
#define DEVICE_E1000E "0001:01:00.0"

/* on the simulated host */

struct stage {
	struct sim_fixture *sim;
	struct group group;
	struct pe_target target;
};

static int set_up(void **state)
{
	struct stage *stage = calloc(1, sizeof(*stage));
	struct kernel *kernel;
	struct error error;
	void *sim = NULL;

	assert_non_null(stage);
	assert_int_equal(sim_fixture_set_up(&sim), 0);
	stage->sim = sim;
	kernel = stage->sim->kernel;
	stage->target.kernel = kernel;
	stage->target.container_fd = kernel_open_node(kernel, "/dev/vfio/vfio");
	stage->group = (struct group){
		.kernel = kernel,
		.number = NUMBER_EDU,
		.fd = kernel_open_node(kernel, GROUP_EDU),
	};
	stage->target.group = &stage->group;
	assert_int_equal(sim_join(kernel, stage->group.fd, stage->target.container_fd), 0);
	assert_int_equal(kernel_ioctl_value(kernel, stage->target.container_fd, VFIO_SET_IOMMU,
					    VFIO_SPAPR_TCE_v2_IOMMU),
			 0);
	assert_int_equal(device_open(kernel, stage->group.fd, EDU, DEVICE_EVENTS_NONE,
				     &stage->group.devices, &error),
			 0);
	*state = stage;
	return 0;
}

static int tear_down(void **state)
{
	struct stage *stage = *state;
	struct kernel *kernel = stage->sim->kernel;
	void *sim = stage->sim;

	stage->group.devices = device_close(stage->group.devices);
	stage->group.fd = kernel_close(kernel, stage->group.fd);
	stage->target.container_fd = kernel_close(kernel, stage->target.container_fd);
	free(stage);
	return sim_fixture_tear_down(&sim);
}

static void freeze(struct stage *stage, enum sim_freeze what)
{
	assert_int_equal(sim_control_freeze(stage->sim->control, 91, NUMBER_EDU, what), 0);
	assert_int_equal(sim_fixture_reply(stage->sim, 91).code, ERROR_NONE);
}

static struct worker_pe operate(struct stage *stage, uint32_t operation)
{
	struct worker_operate_pe request = {.operation = operation};
	struct worker_pe pe = {.number = 99};
	struct error error;

	if (pe_operate(&stage->target, &request, &pe, &error) != 0) {
		fail_msg("%s", error.text);
	}
	return pe;
}

static void expect_number(struct stage *stage, uint32_t operation, uint32_t number)
{
	assert_int_equal(operate(stage, operation).number, number);
}

/* As measured on a real kernel. */
static void test_states_after_each_operation(void **state)
{
	struct stage *stage = *state;

	expect_number(stage, WORKER_PE_LOOK, PE_NUMBER_NORMAL);
	freeze(stage, SIM_FREEZE_BOTH);
	expect_number(stage, WORKER_PE_LOOK, PE_NUMBER_STOPPED);
	expect_number(stage, WORKER_PE_DISABLE, PE_NUMBER_STOPPED);
	expect_number(stage, WORKER_PE_UNFREEZE_IO, PE_NUMBER_STOPPED_DMA);
	expect_number(stage, WORKER_PE_UNFREEZE_DMA, PE_NUMBER_NORMAL);
	freeze(stage, SIM_FREEZE_IO);
	expect_number(stage, WORKER_PE_LOOK, PE_NUMBER_UNAVAILABLE);
	expect_number(stage, WORKER_PE_ENABLE, PE_NUMBER_NORMAL);
}

/* The simulated host takes as long as the real one, and the look is not counted. */
static void test_the_time_is_that_of_the_operation(void **state)
{
	struct stage *stage = *state;
	struct worker_pe pe;

	freeze(stage, SIM_FREEZE_BOTH);
	sim_fixture_delay(stage->sim, "VFIO_EEH_PE_GET_STATE", 300);
	pe = operate(stage, WORKER_PE_UNFREEZE_IO);
	assert_true(pe.nanoseconds > 0 && pe.nanoseconds < 200000000);
	sim_fixture_delay(stage->sim, "VFIO_EEH_PE_RESET_DEACTIVATE", 50);
	pe = operate(stage, WORKER_PE_DEACTIVATE);
	assert_true(pe.nanoseconds >= 50000000);
	assert_int_equal(operate(stage, WORKER_PE_LOOK).nanoseconds, 0);
}

static void test_devices_that_do_not_answer_are_counted(void **state)
{
	struct stage *stage = *state;
	struct worker_pe pe = operate(stage, WORKER_PE_LOOK);

	assert_int_equal(pe.devices, 1);
	assert_int_equal(pe.silent, 0);
	freeze(stage, SIM_FREEZE_BOTH);
	pe = operate(stage, WORKER_PE_LOOK);
	assert_int_equal(pe.devices, 1);
	assert_int_equal(pe.silent, 1);
	/* DMA alone doesn't keep the registers from being read. */
	pe = operate(stage, WORKER_PE_UNFREEZE_IO);
	assert_int_equal(pe.number, PE_NUMBER_STOPPED_DMA);
	assert_int_equal(pe.silent, 0);
	/* An error is no answer, either. */
	sim_fixture_fail_next(stage->sim, "read:7", 0, EIO);
	assert_int_equal(operate(stage, WORKER_PE_LOOK).silent, 1);
}

/* What is gone for good reads as stopped, as a plain freeze does: the look has more to tell them
 * apart than the number, and the broker asks sysfs. */
static void test_h43_gone_reads_as_stopped_and_is_silent(void **state)
{
	struct stage *stage = *state;
	struct worker_pe pe;

	freeze(stage, SIM_FREEZE_PERMANENT);
	pe = operate(stage, WORKER_PE_LOOK);
	assert_int_equal(pe.number, PE_NUMBER_STOPPED);
	assert_int_equal(pe.silent, 1);
}

/* Thawing what is gone claims to work: only the state that is read afterwards tells. */
static void test_h44_thawing_what_is_gone_is_not_believed(void **state)
{
	static const uint32_t thaws[] = {WORKER_PE_ENABLE, WORKER_PE_UNFREEZE_IO,
					 WORKER_PE_UNFREEZE_DMA};
	struct stage *stage = *state;

	freeze(stage, SIM_FREEZE_PERMANENT);
	for (size_t i = 0; i < sizeof(thaws) / sizeof(*thaws); i++) {
		struct worker_pe pe = operate(stage, thaws[i]);

		assert_int_equal(pe.number, PE_NUMBER_STOPPED);
		assert_int_equal(pe.silent, 1);
	}
}

/* A GET_STATE that fails is no operation that fails. */
static void test_a_look_that_fails_is_unknown(void **state)
{
	struct stage *stage = *state;

	sim_fixture_fail_next(stage->sim, "VFIO_EEH_PE_GET_STATE", 0, EIO);
	expect_number(stage, WORKER_PE_UNFREEZE_IO, PE_NUMBER_UNKNOWN);
	assert_int_equal(pe_read_number(&stage->target), PE_NUMBER_NORMAL);
}

/* by a kernel that answers what it is told */

struct answering_kernel {
	struct kernel kernel;
	int state;  /* GET_STATE's */
	int result; /* all others' */
	unsigned int calls;
	struct vfio_eeh_pe_op last; /* but GET_STATE */
};

static int answer(struct kernel *kernel, int fd, unsigned long request, void *argument)
{
	struct answering_kernel *answering = (struct answering_kernel *)kernel;
	struct vfio_eeh_pe_op op;

	assert_int_equal(fd, 7);
	assert_int_equal(request, VFIO_EEH_PE_OP);
	memcpy(&op, argument, sizeof(op));
	assert_int_equal(op.argsz, sizeof(op));
	assert_int_equal(op.flags, 0);
	if (op.op == VFIO_EEH_PE_GET_STATE) {
		return answering->state;
	}
	answering->last = op;
	answering->calls++;
	return answering->result;
}

static const struct kernel_operations answering_operations = {.ioctl = answer};
static const struct group lonely = {.number = 3};

static int ask(struct answering_kernel *answering, struct worker_operate_pe request,
	       struct worker_pe *ret_pe, struct error *error)
{
	struct pe_target target = {
		.kernel = &answering->kernel,
		.container_fd = 7,
		.group = &lonely,
	};

	answering->kernel.operations = &answering_operations;
	return pe_operate(&target, &request, ret_pe, error);
}

static void test_operations_are_the_kernels(void **state)
{
	static const struct {
		uint32_t operation;
		uint32_t op;
		const char *name;
	} rows[] = {
		{WORKER_PE_ENABLE, VFIO_EEH_PE_ENABLE, "enable"},
		{WORKER_PE_DISABLE, VFIO_EEH_PE_DISABLE, "disable"},
		{WORKER_PE_UNFREEZE_IO, VFIO_EEH_PE_UNFREEZE_IO, "unfreeze-io"},
		{WORKER_PE_UNFREEZE_DMA, VFIO_EEH_PE_UNFREEZE_DMA, "unfreeze-dma"},
		{WORKER_PE_RESET_HOT, VFIO_EEH_PE_RESET_HOT, "reset-hot"},
		{WORKER_PE_RESET_FUNDAMENTAL, VFIO_EEH_PE_RESET_FUNDAMENTAL, "reset-fundamental"},
		{WORKER_PE_DEACTIVATE, VFIO_EEH_PE_RESET_DEACTIVATE, "deactivate"},
		{WORKER_PE_CONFIGURE, VFIO_EEH_PE_CONFIGURE, "configure"},
		{WORKER_PE_INJECT, VFIO_EEH_PE_INJECT_ERR, "inject"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct answering_kernel answering = {.state = 4};
		struct worker_operate_pe request = {
			.operation = rows[i].operation,
			.error_type = 1,
			.error_function = 6,
			.address = 0x1000,
			.mask = 0xfff,
		};
		struct worker_pe pe;
		struct error error;

		assert_int_equal(ask(&answering, request, &pe, &error), 0);
		assert_int_equal(answering.calls, 1);
		assert_int_equal(answering.last.op, rows[i].op);
		assert_int_equal(answering.last.err.type, 1);
		assert_int_equal(answering.last.err.func, 6);
		assert_int_equal(answering.last.err.addr, 0x1000);
		assert_int_equal(answering.last.err.mask, 0xfff);
		assert_int_equal(pe.number, 4);
		assert_string_equal(pe_operation_name(rows[i].operation), rows[i].name);
	}
}

/* Which code an errno of an operation is, with the group and the errno in the text. */
static void test_refusals(void **state)
{
	static const struct {
		uint32_t operation;
		int errnum;
		enum error_code code;
	} rows[] = {
		{WORKER_PE_ENABLE, EPERM, ERROR_EEH_UNAVAILABLE},
		{WORKER_PE_DISABLE, ENODEV, ERROR_EEH_UNAVAILABLE},
		{WORKER_PE_DISABLE, EIO, ERROR_KERNEL},
		{WORKER_PE_UNFREEZE_IO, ENODEV, ERROR_EEH_UNAVAILABLE},
		{WORKER_PE_UNFREEZE_IO, ENOENT, ERROR_EEH_UNAVAILABLE},
		{WORKER_PE_UNFREEZE_IO, ENOTTY, ERROR_EEH_UNAVAILABLE},
		{WORKER_PE_UNFREEZE_IO, EIO, ERROR_KERNEL},
		{WORKER_PE_UNFREEZE_DMA, EINVAL, ERROR_KERNEL},
		{WORKER_PE_RESET_HOT, EIO, ERROR_KERNEL},
		{WORKER_PE_RESET_HOT, ENODEV, ERROR_EEH_UNAVAILABLE},
		{WORKER_PE_RESET_FUNDAMENTAL, EIO, ERROR_KERNEL},
		{WORKER_PE_RESET_FUNDAMENTAL, ENOENT, ERROR_EEH_UNAVAILABLE},
		{WORKER_PE_DEACTIVATE, EIO, ERROR_KERNEL},
		{WORKER_PE_DEACTIVATE, EPERM, ERROR_EEH_UNAVAILABLE},
		{WORKER_PE_CONFIGURE, EIO, ERROR_KERNEL},
		{WORKER_PE_CONFIGURE, ENODEV, ERROR_EEH_UNAVAILABLE},
		{WORKER_PE_INJECT, ERANGE, ERROR_INVALID_ARGUMENT},
		{WORKER_PE_INJECT, EINVAL, ERROR_INVALID_ARGUMENT},
		{WORKER_PE_INJECT, ENXIO, ERROR_UNSUPPORTED},
		{WORKER_PE_INJECT, EIO, ERROR_UNSUPPORTED},
		{WORKER_PE_INJECT, ENODEV, ERROR_EEH_UNAVAILABLE},
		{WORKER_PE_INJECT, EPERM, ERROR_EEH_UNAVAILABLE},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct answering_kernel answering = {.result = -rows[i].errnum};
		struct worker_pe pe = {.number = 99};
		struct error error;

		assert_int_equal(ask(&answering,
				     (struct worker_operate_pe){.operation = rows[i].operation},
				     &pe, &error),
				 rows[i].code);
		assert_int_equal(error.errnum, rows[i].errnum);
		assert_non_null(strstr(error.text, errno_name(rows[i].errnum)));
		assert_non_null(strstr(error.text, "group 3"));
		assert_non_null(strstr(error.text, pe_operation_name(rows[i].operation)));
		assert_int_equal(pe.number, 99);
	}
}

/* A hypervisor's positive code is no success (H_BUSY is 1). */
static void test_h1_positive_results_are_failures(void **state)
{
	(void)state;
	for (uint32_t operation = WORKER_PE_ENABLE; operation <= WORKER_PE_INJECT; operation++) {
		struct answering_kernel answering = {.result = 1};
		struct worker_pe pe = {.number = 99};
		struct error error;

		assert_int_equal(ask(&answering, (struct worker_operate_pe){.operation = operation},
				     &pe, &error),
				 ERROR_KERNEL);
		assert_non_null(strstr(error.text, "positive result 1"));
		assert_int_equal(error.errnum, 0);
		assert_int_equal(pe.number, 99);
	}
}

/* But GET_STATE's number is one. */
static void test_h1_a_state_is_a_positive_result(void **state)
{
	static const int numbers[] = {0, 1, 2, 4, 5};

	(void)state;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
		struct answering_kernel answering = {.state = numbers[i]};
		struct worker_operate_pe request = {.operation = WORKER_PE_LOOK};
		struct worker_pe pe;
		struct error error;

		assert_int_equal(ask(&answering, request, &pe, &error), 0);
		assert_int_equal(pe.number, numbers[i]);
		assert_int_equal(pe.devices, 0);
		assert_int_equal(answering.calls, 0);
	}
}

static void test_h43_a_negative_state_is_unknown(void **state)
{
	static const int errnos[] = {EIO, EPERM, ESRCH, ENODEV, EINVAL};

	(void)state;
	for (size_t i = 0; i < sizeof(errnos) / sizeof(*errnos); i++) {
		struct answering_kernel answering = {.state = -errnos[i]};
		struct worker_operate_pe request = {.operation = WORKER_PE_LOOK};
		struct worker_pe pe;
		struct error error;

		assert_int_equal(ask(&answering, request, &pe, &error), 0);
		assert_int_equal(pe.number, PE_NUMBER_UNKNOWN);
	}
}

static void test_what_is_not_the_kernels_is_refused(void **state)
{
	static const uint32_t others[] = {0,
					  WORKER_PE_SAVE,
					  WORKER_PE_RESTORE,
					  WORKER_PE_VERIFY,
					  WORKER_PE_ISOLATE,
					  WORKER_PE_OPERATION_COUNT,
					  UINT32_MAX};

	(void)state;
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
		struct answering_kernel answering = {.state = 0};
		struct worker_pe pe;
		struct error error;

		assert_int_equal(ask(&answering, (struct worker_operate_pe){.operation = others[i]},
				     &pe, &error),
				 ERROR_INVALID_ARGUMENT);
		assert_int_equal(answering.calls, 0);
	}
	assert_string_equal(pe_operation_name(0), "");
	assert_string_equal(pe_operation_name(WORKER_PE_OPERATION_COUNT), "");
	assert_string_equal(pe_operation_name(WORKER_PE_LOOK), "look");
	assert_string_equal(pe_operation_name(WORKER_PE_ISOLATE), "isolate");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_states_after_each_operation, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_the_time_is_that_of_the_operation, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_devices_that_do_not_answer_are_counted, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_h43_gone_reads_as_stopped_and_is_silent,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_h44_thawing_what_is_gone_is_not_believed,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_look_that_fails_is_unknown, set_up,
						tear_down),
		cmocka_unit_test(test_operations_are_the_kernels),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_h1_positive_results_are_failures),
		cmocka_unit_test(test_h1_a_state_is_a_positive_result),
		cmocka_unit_test(test_h43_a_negative_state_is_unknown),
		cmocka_unit_test(test_what_is_not_the_kernels_is_refused),
	};

	return cmocka_run_group_tests_name("PE operations", tests, NULL, NULL);
}
