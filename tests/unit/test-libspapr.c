/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libspapr on simulated hosts: spaces, groups, memory, windows, mappings and KVM. */
#include <fcntl.h>
#include <linux/kvm.h>

#include "libspapr_fixture.h"
#include "sim/kvm.h"

/* spaces */

static void test_bare_space(void **state)
{
	(void)state;
}

static void test_options(void **state)
{
	struct spapr_space_options options = {.size = sizeof(options)};
	struct stage *stage = *state;
	struct spapr_space *space = NULL;

	options.size--;
	refused(spapr_space_new(stage->host, &options, &space, &last), SPAPR_ERROR_INVALID_ARGUMENT,
		"sizeof(struct spapr_space_options)");
	options.size++;
	options.default_window = SPAPR_DEFAULT_WINDOW_SWAP + 1;
	refused(spapr_space_new(stage->host, &options, &space, &last), SPAPR_ERROR_INVALID_ARGUMENT,
		"none of 0 to 3");
	options.default_window = 0;
	options.reserved_too[1] = 1;
	refused(spapr_space_new(stage->host, &options, &space, &last), SPAPR_ERROR_INVALID_ARGUMENT,
		"reserved");
	options.reserved_too[1] = 0;
	options.size = SIZE_MAX;
	refused(spapr_space_new(stage->host, &options, &space, &last), SPAPR_ERROR_INVALID_ARGUMENT,
		"sizeof(struct spapr_space_options)");
	options.size = sizeof(options);
	assert_null(space);
	options.locked_limit = MIB;
	check(spapr_space_new(stage->host, &options, &space, &last));
	check(spapr_group_attach(space, GROUP, 0, &last));
	refused(spapr_memory_add(space, stage->memory, 0, 0, SIZE, 0, NULL, &last),
		SPAPR_ERROR_QUOTA_EXCEEDED, "0x");
	assert_null(spapr_space_free(space));
}

/* Of a program that was built for a later version. */
static void test_options_of_a_later_version(void **state)
{
	struct {
		struct spapr_space_options known;
		uint64_t more;
	} options = {.known = {.size = sizeof(options)}, .more = 1};
	struct stage *stage = *state;
	struct spapr_space *space = NULL;

	refused(spapr_space_new(stage->host, &options.known, &space, &last),
		SPAPR_ERROR_INVALID_ARGUMENT, "this version of the library knows");
	assert_null(space);
	options.more = 0;
	check(spapr_space_new(stage->host, &options.known, &space, &last));
	assert_null(spapr_space_free(space));
}

static void test_names_of_errors(void **state)
{
	(void)state;
	assert_string_equal(spapr_error_name(SPAPR_ERROR_WINDOW_OVERLAP), "WindowOverlap");
	assert_string_equal(spapr_error_name(SPAPR_ERROR_ACCESS_DENIED), "AccessDenied");
	assert_string_equal(spapr_error_name(SPAPR_OK), "");
	assert_string_equal(spapr_error_name(999), "");
}

/* An error is not wanted by everybody. */
static void test_errors_may_be_null(void **state)
{
	struct stage *stage = *state;

	assert_int_equal(spapr_group_detach(stage->space, GROUP, NULL), SPAPR_ERROR_NOT_FOUND);
	assert_int_equal(spapr_map(stage->space, 0, 0, PAGE, 3, NULL), SPAPR_ERROR_OUTSIDE_WINDOW);
}

/* groups */

static void test_attach_and_detach(void **state)
{
	struct spapr_container container;
	struct stage *stage = *state;

	attach(stage, GROUP);
	check(spapr_group_container(stage->space, GROUP, &container, &last));
	assert_string_equal(container.iommu_type, "spapr-tce-v2");
	assert_int_equal(container.groups, 1);
	assert_int_equal(container.max_windows, 2);
	assert_int_equal(container.has_eeh, 1);
	refused(spapr_group_attach(stage->space, GROUP, 0, &last), SPAPR_ERROR_GROUP_BUSY,
		"attached here already");
	check(spapr_group_attach(stage->space, GROUP_2, SPAPR_ATTACH_SHARE, &last));
	check(spapr_group_container(stage->space, GROUP_2, &container, &last));
	assert_int_equal(container.groups, 2);
	check(spapr_group_detach(stage->space, GROUP, &last));
	refused(spapr_group_detach(stage->space, GROUP, &last), SPAPR_ERROR_NOT_FOUND,
		"group 0 is not attached");
	refused(spapr_group_container(stage->space, GROUP, &container, &last),
		SPAPR_ERROR_NOT_FOUND, "group 0");
	attach(stage, GROUP);
}

static void test_refused_groups(void **state)
{
	struct stage *stage = *state;
	struct kernel *kernel = stage->sim->kernel;
	int held = kernel_open_node(kernel, GROUP_EDU);

	refused(spapr_group_attach(stage->space, 77, 0, &last), SPAPR_ERROR_NOT_FOUND,
		"/dev/vfio/77");
	refused(spapr_group_attach(stage->space, GROUP, 0, &last), SPAPR_ERROR_GROUP_BUSY,
		"/dev/vfio/0 is open elsewhere");
	(void)kernel_close(kernel, held);
	refused(spapr_group_attach(stage->space, GROUP, 2, &last), SPAPR_ERROR_INVALID_ARGUMENT,
		"flags 0x2");
	/* A device of the fourth has another driver. */
	refused(spapr_group_attach(stage->space, 3, 0, &last), SPAPR_ERROR_GROUP_NOT_VIABLE,
		"group 3");
	/* The fds are taken, and closed. */
	assert_int_equal(count_fds(), stage->fds);
	attach(stage, GROUP);
}

static void test_attach_by_fds(void **state)
{
	struct stage *stage = *state;
	struct kernel *kernel = stage->sim->kernel;

	refused(spapr_group_attach_fds(stage->space, GROUP,
				       kernel_open_node(kernel, NODE_CONTAINER),
				       kernel_open_node(kernel, NODE_CONTAINER), 0, &last),
		SPAPR_ERROR_INVALID_ARGUMENT, "not that of a VFIO group");
	refused(spapr_group_attach_fds(stage->space, GROUP, kernel_open_node(kernel, GROUP_EDU),
				       kernel_open_node(kernel, NODE_CONTAINER), 8, &last),
		SPAPR_ERROR_INVALID_ARGUMENT, "flags 0x8");
	assert_int_equal(count_fds(), stage->fds);
	check(spapr_group_attach_fds(stage->space, GROUP, kernel_open_node(kernel, GROUP_EDU), -1,
				     0, &last));
	check(spapr_group_attach_fds(stage->space, GROUP_2, kernel_open_node(kernel, "/dev/vfio/2"),
				     kernel_open_node(kernel, NODE_CONTAINER), 0, &last));
}

/* memory, windows and mappings */

static void test_windows(void **state)
{
	struct spapr_window wanted = {.start = SPAPR_WINDOW_ANYWHERE, .size = UINT64_C(1) << 30};
	struct spapr_window windows[2];
	struct spapr_window made;
	struct stage *stage = *state;

	refused(spapr_window_create(stage->space, &wanted, 0, &made, &last), SPAPR_ERROR_NOT_FOUND,
		"group");
	attach_with_memory(stage);
	refused(spapr_window_create(stage->space, &wanted, 2, &made, &last),
		SPAPR_ERROR_INVALID_ARGUMENT, "flags 0x2");
	check(spapr_window_create(stage->space, &wanted, 0, &made, &last));
	assert_int_equal(made.start, SECOND);
	assert_int_equal(made.size, UINT64_C(1) << 30);
	assert_int_equal(spapr_windows(stage->space, windows, 1), 2);
	assert_int_equal(windows[0].start, 0);
	assert_int_equal(spapr_windows(stage->space, windows, 2), 2);
	assert_memory_equal(&windows[1], &made, sizeof(made));
	refused(spapr_window_create(stage->space, &wanted, 0, &made, &last),
		SPAPR_ERROR_NO_WINDOW_LEFT, "");
	refused(spapr_window_remove(stage->space, SECOND + PAGE, &last), SPAPR_ERROR_NOT_FOUND,
		"0x");
	check(spapr_window_remove(stage->space, SECOND, &last));
	assert_int_equal(spapr_windows(stage->space, windows, 2), 1);
}

static void test_mappings(void **state)
{
	struct spapr_mapping many[2] = {
		{.iova = 0x200000, .gpa = 0, .size = PAGE, .prot = 3},
		{.iova = 0x100000, .gpa = PAGE, .size = PAGE, .prot = SPAPR_DEVICE_READS},
	};
	struct spapr_mapping got[3];
	struct stage *stage = *state;
	uint32_t id = 0;

	attach(stage, GROUP);
	check(spapr_memory_add(stage->space, stage->memory, 0, 0, SIZE, 0, &id, &last));
	assert_int_not_equal(id, 0);
	assert_true(spapr_locked_bytes(stage->space) >= SIZE);
	check(spapr_map(stage->space, 0, 2 * PAGE, 2 * PAGE, 3, &last));
	many[1].reserved = 1;
	refused(spapr_map_many(stage->space, many, 2, &last), SPAPR_ERROR_INVALID_ARGUMENT,
		"mapping 1 has a reserved member");
	many[1].reserved = 0;
	refused(spapr_map_many(stage->space, many, 0, &last), SPAPR_ERROR_INVALID_ARGUMENT,
		"0 mappings");
	check(spapr_map_many(stage->space, many, 2, &last));
	assert_int_equal(spapr_mappings(stage->space, 0, got, 3), 3);
	assert_memory_equal(&got[1], &many[1], sizeof(many[1]));
	assert_int_equal(spapr_mappings(stage->space, 0x100000 + PAGE, got, 3), 1);
	check(spapr_translate(stage->space, PAGE + 5, got, &last));
	assert_int_equal(got[0].iova, PAGE + 5);
	assert_int_equal(got[0].gpa, 3 * PAGE + 5);
	assert_int_equal(got[0].size, PAGE - 5);
	assert_int_equal(got[0].prot, 3);
	refused(spapr_translate(stage->space, 2 * PAGE, got, &last), SPAPR_ERROR_NOT_MAPPED, "0x");
	refused(spapr_memory_remove(stage->space, id, &last), SPAPR_ERROR_MEMORY_IN_USE, "");
	refused(spapr_group_detach(stage->space, GROUP, &last), SPAPR_ERROR_MEMORY_IN_USE,
		"3 mappings");
	check(spapr_unmap_many(stage->space, many, 2, &last));
	refused(spapr_unmap_many(stage->space, many, 2, &last), SPAPR_ERROR_NOT_MAPPED, "");
	refused(spapr_unmap(stage->space, 0, PAGE, &last), SPAPR_ERROR_NOT_MAPPED, "");
	check(spapr_unmap(stage->space, 0, 2 * PAGE, &last));
	check(spapr_memory_remove(stage->space, id, &last));
	refused(spapr_memory_remove(stage->space, id, &last), SPAPR_ERROR_NOT_FOUND, "");
}

/* KVM */

struct machine {
	int vm;
	int vfio; /* its VFIO device, made by the program, so that the test can ask it */
	struct spapr_kvm *kvm;
};

static struct machine machine_new(struct stage *stage)
{
	struct kvm_create_device create = {.type = KVM_DEV_TYPE_VFIO};
	struct kernel *kernel = stage->sim->kernel;
	int node = kernel_open_node(kernel, NODE_KVM);
	struct machine machine = {.vm = kernel_ioctl_value(kernel, node, KVM_CREATE_VM, 0)};

	assert_true(machine.vm >= 0);
	(void)kernel_close(kernel, node);
	assert_int_equal(kernel_ioctl(kernel, machine.vm, KVM_CREATE_DEVICE, &create), 0);
	machine.vfio = (int)create.fd;
	check(spapr_kvm_new(stage->host, machine.vm, machine.vfio, &machine.kvm, &last));
	return machine;
}

static void machine_done(struct stage *stage, struct machine *machine)
{
	stage->space = spapr_space_free(stage->space);
	machine->kvm = spapr_kvm_free(machine->kvm);
	(void)kernel_close(stage->sim->kernel, machine->vfio);
	(void)kernel_close(stage->sim->kernel, machine->vm);
}

/* Take a group out behind the library's back, and put it back: whether it was in. */
static bool kvm_has(struct stage *stage, const struct machine *machine, uint32_t group)
{
	const struct group *found = spapr_find_group(stage->space, group, NULL);
	int32_t fd = found ? found->fd : -1;
	struct kvm_device_attr attribute = {
		.group = KVM_DEV_VFIO_GROUP,
		.attr = KVM_DEV_VFIO_GROUP_ADD,
		.addr = (uintptr_t)&fd,
	};
	int r = kernel_ioctl(stage->sim->kernel, machine->vfio, KVM_SET_DEVICE_ATTR, &attribute);

	if (r == 0) {
		attribute.attr = KVM_DEV_VFIO_GROUP_DEL;
		assert_int_equal(kernel_ioctl(stage->sim->kernel, machine->vfio,
					      KVM_SET_DEVICE_ATTR, &attribute),
				 0);
	}
	return r == -EEXIST;
}

static struct spapr_kvm_table make_table(struct stage *stage, const struct machine *machine,
					 uint64_t liobn, uint64_t start)
{
	struct sim_kvm_create_spapr_tce_64 create = {
		.liobn = liobn,
		.page_shift = 16,
		.offset = start >> 16,
		.size = (256 * MIB) >> 16,
	};
	struct spapr_kvm_table table = {
		.fd = kernel_ioctl(stage->sim->kernel, machine->vm, SIM_KVM_CREATE_SPAPR_TCE_64,
				   &create),
		.page_shift = create.page_shift,
		.offset = create.offset,
		.size = create.size,
	};

	assert_true(table.fd >= 0);
	return table;
}

static void test_kvm_knows_all_groups(void **state)
{
	struct stage *stage = *state;
	struct machine machine = machine_new(stage);

	attach(stage, GROUP);
	check(spapr_space_use_kvm(stage->space, machine.kvm, &last));
	assert_true(kvm_has(stage, &machine, GROUP));
	refused(spapr_space_use_kvm(stage->space, machine.kvm, &last), SPAPR_ERROR_BUSY,
		"has a VM");
	attach(stage, GROUP_2);
	assert_true(kvm_has(stage, &machine, GROUP_2));
	check(spapr_group_detach(stage->space, GROUP, &last));
	/* It would be held by KVM. */
	attach(stage, GROUP);
	assert_true(kvm_has(stage, &machine, GROUP));
	machine_done(stage, &machine);
}

static void test_kvm_all_groups_or_none(void **state)
{
	struct stage *stage = *state;
	struct machine machine = machine_new(stage);

	attach(stage, GROUP);
	attach(stage, GROUP_2);
	sim_fixture_fail_next(stage->sim, "KVM_SET_DEVICE_ATTR", 1, ENOMEM);
	refused(spapr_space_use_kvm(stage->space, machine.kvm, &last), SPAPR_ERROR_KERNEL,
		"add group 2 to KVM");
	assert_false(kvm_has(stage, &machine, GROUP));
	assert_false(kvm_has(stage, &machine, GROUP_2));
	check(spapr_space_use_kvm(stage->space, machine.kvm, &last));
	check(spapr_group_detach(stage->space, GROUP, &last));
	sim_fixture_fail_next(stage->sim, "KVM_SET_DEVICE_ATTR", 0, ENOMEM);
	refused(spapr_group_attach(stage->space, GROUP, 0, &last), SPAPR_ERROR_KERNEL,
		"add group 0 to KVM");
	assert_null(spapr_find_group(stage->space, GROUP, NULL));
	attach(stage, GROUP);
	machine_done(stage, &machine);
}

/* Else it is out of KVM, though attached. */
static void test_a_detach_that_is_refused(void **state)
{
	struct stage *stage = *state;
	struct machine machine = machine_new(stage);

	attach_with_memory(stage);
	check(spapr_space_use_kvm(stage->space, machine.kvm, &last));
	check(spapr_map(stage->space, 0, 0, PAGE, 3, &last));
	refused(spapr_group_detach(stage->space, GROUP, &last), SPAPR_ERROR_MEMORY_IN_USE, "1");
	assert_true(kvm_has(stage, &machine, GROUP));
	sim_fixture_fail_next(stage->sim, "KVM_SET_DEVICE_ATTR", 0, EIO);
	refused(spapr_group_detach(stage->space, GROUP, &last), SPAPR_ERROR_ACCESS_DENIED,
		"belongs to another process");
	assert_non_null(spapr_find_group(stage->space, GROUP, NULL));
	machine_done(stage, &machine);
}

/* KVM ties nothing to a default window that nothing was mapped in yet: it has no table. */
static void test_tables_of_a_default_window(void **state)
{
	struct stage *stage = *state;
	struct machine machine = machine_new(stage);
	struct spapr_kvm_table table = make_table(stage, &machine, LIOBN, 0);

	refused(spapr_window_set_kvm_table(stage->space, 0, &table, &last), SPAPR_ERROR_NOT_FOUND,
		"no window starts at 0x0");
	attach(stage, GROUP);
	refused(spapr_window_set_kvm_table(stage->space, 0, &table, &last), SPAPR_ERROR_NOT_FOUND,
		"no VM");
	check(spapr_space_use_kvm(stage->space, machine.kvm, &last));
	refused(spapr_window_set_kvm_table(stage->space, 0, &table, &last),
		SPAPR_ERROR_MEMORY_UNKNOWN, "add memory first");
	check(spapr_memory_add(stage->space, stage->memory, 0, 0, SIZE, 0, NULL, &last));
	assert_int_equal(sim_fixture_statistics(stage->sim).windows, 0);
	check(spapr_window_set_kvm_table(stage->space, 0, &table, &last));
	assert_int_equal(sim_fixture_statistics(stage->sim).windows, 1);
	/* The one that comes later, likewise. */
	attach(stage, GROUP_2);
	assert_int_equal(sim_fixture_statistics(stage->sim).windows, 2);
	refused(spapr_window_set_kvm_table(stage->space, 0, &table, &last), SPAPR_ERROR_BUSY,
		"has a guest's TCE table");
	(void)kernel_close(stage->sim->kernel, table.fd);
	machine_done(stage, &machine);
}

static void test_tables_that_do_not_fit(void **state)
{
	struct stage *stage = *state;
	struct machine machine = machine_new(stage);
	struct spapr_kvm_table table = make_table(stage, &machine, LIOBN, 0);
	struct spapr_kvm_table wrong = table;

	attach_with_memory(stage);
	check(spapr_space_use_kvm(stage->space, machine.kvm, &last));
	wrong.page_shift = 35;
	refused(spapr_window_set_kvm_table(stage->space, 0, &wrong, &last),
		SPAPR_ERROR_INVALID_ARGUMENT, "page shift 35");
	wrong = table;
	wrong.size = UINT64_MAX;
	refused(spapr_window_set_kvm_table(stage->space, 0, &wrong, &last),
		SPAPR_ERROR_INVALID_ARGUMENT, "entries");
	wrong.size = UINT64_C(0x80000000) >> 15;
	refused(spapr_window_set_kvm_table(stage->space, 0, &wrong, &last),
		SPAPR_ERROR_INVALID_ARGUMENT, "at most 0x8000 entries");
	/* What isn't told KVM itself finds. */
	(void)kernel_close(stage->sim->kernel, table.fd);
	wrong = make_table(stage, &machine, LIOBN + 1, SECOND);
	wrong.page_shift = 0;
	refused(spapr_window_set_kvm_table(stage->space, 0, &wrong, &last),
		SPAPR_ERROR_INVALID_ARGUMENT, "none of the group's windows");
	(void)kernel_close(stage->sim->kernel, wrong.fd);
	machine_done(stage, &machine);
}

/* A window goes after what KVM has of it; and what is refused leaves it as it was. */
static void test_windows_with_tables(void **state)
{
	struct spapr_window wanted = {.start = SPAPR_WINDOW_ANYWHERE, .size = 256 * MIB};
	struct stage *stage = *state;
	struct machine machine = machine_new(stage);
	struct spapr_kvm_table table = make_table(stage, &machine, LIOBN, 0);

	attach_with_memory(stage);
	check(spapr_space_use_kvm(stage->space, machine.kvm, &last));
	check(spapr_window_set_kvm_table(stage->space, 0, &table, &last));
	check(spapr_map(stage->space, 0, 0, PAGE, 3, &last));
	/* KVM isn't bothered. */
	sim_fixture_fail_next(stage->sim, "KVM_SET_DEVICE_ATTR", 0, ENOMEM);
	refused(spapr_window_remove(stage->space, 0, &last), SPAPR_ERROR_MEMORY_IN_USE, "");
	assert_int_equal(sim_control_clear_rules(stage->sim->control, 7), 0);
	assert_int_equal(sim_fixture_reply(stage->sim, 7).code, ERROR_NONE);
	assert_true(kvm_link_has_table(&stage->space->link, 0));
	check(spapr_unmap(stage->space, 0, PAGE, &last));
	refused(spapr_window_create(stage->space, &wanted, SPAPR_WINDOW_REPLACE_DEFAULT, NULL,
				    &last),
		SPAPR_ERROR_BUSY, "remove the window first");
	sim_fixture_fail_next(stage->sim, "VFIO_IOMMU_SPAPR_TCE_REMOVE", 0, EPERM);
	refused(spapr_window_remove(stage->space, 0, &last), SPAPR_ERROR_KERNEL, "EPERM");
	assert_true(kvm_link_has_table(&stage->space->link, 0));
	assert_true(kvm_has(stage, &machine, GROUP));
	check(spapr_window_remove(stage->space, 0, &last));
	assert_false(kvm_link_has_table(&stage->space->link, 0));
	assert_true(kvm_has(stage, &machine, GROUP));
	check(spapr_window_create(stage->space, &wanted, 0, NULL, &last));
	check(spapr_window_set_kvm_table(stage->space, 0, &table, &last));
	(void)kernel_close(stage->sim->kernel, table.fd);
	/* With the last group its windows go, and what they had. */
	check(spapr_group_detach(stage->space, GROUP, &last));
	assert_false(kvm_link_has_table(&stage->space->link, 0));
	attach(stage, GROUP);
	machine_done(stage, &machine);
}

static void test_hosts_without_tce_tables(void **state)
{
	struct spapr_container container;
	struct stage *stage = *state;
	struct machine machine = machine_new(stage);
	struct spapr_kvm_table table = {.fd = stage->memory};
	uint32_t group = 7;

	check(spapr_space_use_kvm(stage->space, machine.kvm, &last));
	attach(stage, group);
	assert_true(kvm_has(stage, &machine, group));
	check(spapr_group_container(stage->space, group, &container, &last));
	assert_string_equal(container.iommu_type, "type1v2");
	refused(spapr_window_set_kvm_table(stage->space, 0, &table, &last), SPAPR_ERROR_UNSUPPORTED,
		"not one of POWER");
	machine_done(stage, &machine);
}

/* another process */

/* A child with a connection of its own, which does something and stays until it is told. */
struct other {
	pid_t pid;
	int told; /* closed: it ends */
	int result;
};

typedef int other_function(struct spapr_host *host, int fd);

static struct other other_start(struct stage *stage, other_function *act, int fd)
{
	struct other other = {.result = -1};
	int connection = -1;
	int answers[2];
	int ends[2];

	assert_int_equal(sim_connection_new(stage->sim->kernel, &connection), 0);
	assert_int_equal(pipe(answers), 0);
	assert_int_equal(pipe(ends), 0);
	other.pid = fork();
	assert_true(other.pid >= 0);
	if (other.pid == 0) {
		struct spapr_host *host = NULL;
		struct kernel *kernel = NULL;
		char byte;
		int r = sim_kernel_new(connection, &kernel);

		r = r == 0 && spapr_host_new(kernel, &host) == 0 ? act(host, fd) : -1;
		(void)close(ends[1]);
		(void)!write(answers[1], &r, sizeof(r));
		(void)!read(ends[0], &byte, 1);
		_exit(0);
	}
	(void)close(connection);
	(void)close(answers[1]);
	(void)close(ends[0]);
	other.told = ends[1];
	assert_int_equal(read(answers[0], &other.result, sizeof(other.result)),
			 sizeof(other.result));
	(void)close(answers[0]);
	return other;
}

static void other_end(struct other *other)
{
	int status = -1;

	(void)close(other->told);
	assert_int_equal(waitpid(other->pid, &status, 0), other->pid);
	assert_int_equal(status, 0);
}

static int use_vm(struct spapr_host *host, int vm)
{
	struct spapr_kvm *kvm = NULL;
	struct spapr_error error = {.code = 0};
	int r = spapr_kvm_new(host, vm, -1, &kvm, &error);

	return r && strstr(error.text, "belongs to another process") ? r : -1;
}

static void test_a_vm_in_another_process(void **state)
{
	struct stage *stage = *state;
	struct machine machine = machine_new(stage);
	struct other other = other_start(stage, use_vm, machine.vm);

	assert_int_equal(other.result, SPAPR_ERROR_ACCESS_DENIED);
	other_end(&other);
	machine_done(stage, &machine);
}

/* The first that registers memory has the container. */
static int use_container(struct spapr_host *host, int container)
{
	int fd = memfd_create("memory", MFD_CLOEXEC);
	void *address = NULL;

	if (ftruncate(fd, (off_t)PAGE) < 0 ||
	    kernel_map(host->kernel, fd, 0, PAGE, PROT_READ | PROT_WRITE, &address) < 0) {
		return -1;
	}
	return sim_register(host->kernel, container, address, PAGE);
}

/* KVM itself would take it, and tie tables to it. */
static void test_a_container_of_another_process(void **state)
{
	struct stage *stage = *state;
	struct machine machine = machine_new(stage);
	struct kernel *kernel = stage->sim->kernel;
	int container = kernel_open_node(kernel, NODE_CONTAINER);
	struct other other;

	check(spapr_group_attach_fds(stage->space, GROUP, kernel_open_node(kernel, GROUP_EDU),
				     dup(container), 0, &last));
	other = other_start(stage, use_container, container);
	assert_int_equal(other.result, 0);
	refused(spapr_space_use_kvm(stage->space, machine.kvm, &last), SPAPR_ERROR_ACCESS_DENIED,
		"container 1 (group 0) belongs to another process");
	assert_false(kvm_has(stage, &machine, GROUP));
	(void)kernel_close(kernel, container);
	machine_done(stage, &machine);
	other_end(&other);
}

/* A child that frees what it has inherited, as one does that ends by exit. */
static void test_a_child_does_not_stop_devices(void **state)
{
	struct stage *stage = *state;
	struct spapr_device *device = NULL;
	uint64_t command = 0;
	int status = -1;
	pid_t child;
	int fd;

	attach(stage, GROUP);
	check(spapr_device_open(stage->space, GROUP, "0000:01:00.0", -1, -1, &device, &last));
	check(spapr_region_write(device, CONFIG, 4, 2, 6, &last));
	fd = spapr_device_fd(device);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		int r = spapr_space_close(stage->space, &last);

		(void)spapr_space_free(stage->space);
		/* Not even closed: that comes after the device was stopped. */
		_exit(r == SPAPR_ERROR_ACCESS_DENIED && fcntl(fd, F_GETFD) >= 0 ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	check(spapr_region_read(device, CONFIG, 4, 2, &command, &last));
	assert_int_equal(command, 6);
	assert_int_equal(sim_fixture_statistics(stage->sim).attached_groups, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_POWERNV9(test_bare_space),
		ON_POWERNV9(test_options),
		ON_POWERNV9(test_options_of_a_later_version),
		ON_POWERNV9(test_names_of_errors),
		ON_POWERNV9(test_errors_may_be_null),
		ON_POWERNV9(test_attach_and_detach),
		ON_POWERNV9(test_refused_groups),
		ON_POWERNV9(test_attach_by_fds),
		ON_POWERNV9(test_windows),
		ON_POWERNV9(test_mappings),
		ON_POWERNV9(test_kvm_knows_all_groups),
		ON_POWERNV9(test_kvm_all_groups_or_none),
		ON_POWERNV9(test_a_detach_that_is_refused),
		ON_POWERNV9(test_tables_of_a_default_window),
		ON_POWERNV9(test_tables_that_do_not_fit),
		ON_POWERNV9(test_windows_with_tables),
		ON_X86(test_hosts_without_tce_tables),
		ON_POWERNV9(test_a_vm_in_another_process),
		ON_POWERNV9(test_a_container_of_another_process),
		ON_POWERNV9(test_a_child_does_not_stop_devices),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
