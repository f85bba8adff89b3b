/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* KVM of the kernel model, as far as VFIO goes, against Linux 6.12: virt/kvm/vfio.c and
 * arch/powerpc/kvm/book3s_64_vio.c. */
#include "sim_model_fixture.h"

#include <fcntl.h>
#include <unistd.h>

#include "common/names.h"
#include "sim/hotplug.h"
#include "sim/kvm.h"

#define PAGE  UINT64_C(0x1000)
#define LIOBN UINT64_C(0x80000001)

/* the fixture: a VM with a VFIO device; the group of edu in a container with TCE v2 */

struct kvm_fixture {
	struct fixture *host;
	struct sim_node kvm;
	struct sim_node vm;
	struct sim_node vfio;
};

static int create_vm(struct fixture *fixture, struct sim_node kvm, const struct sim_caller *caller,
		     uint64_t type, struct sim_node *ret_vm)
{
	struct sim_argument argument = {.value = type, .data = fixture->data};
	int result = sim_node_ioctl(kvm, caller, KVM_CREATE_VM, &argument);

	*ret_vm = argument.new_node;
	assert_int_equal(argument.fd_offset, 0);
	return result;
}

static int create_device(struct kvm_fixture *fixture, uint32_t type, uint32_t flags,
			 struct sim_node *ret_device)
{
	struct kvm_create_device create = {.type = type, .flags = flags};
	struct sim_argument argument = {.data = &create, .size = sizeof(create)};
	int result =
		sim_node_ioctl(fixture->vm, &fixture->host->caller, KVM_CREATE_DEVICE, &argument);

	*ret_device = argument.new_node;
	if (result == 0) {
		assert_int_equal(argument.out_size, sizeof(create));
	}
	if (argument.new_node.kind != SIM_NODE_NONE) {
		assert_int_equal(argument.fd_offset, offsetof(struct kvm_create_device, fd));
	}
	return result;
}

static int set_up_kvm(void **state)
{
	struct kvm_fixture *fixture = calloc(1, sizeof(*fixture));
	void *host = NULL;

	(void)set_up(&host);
	fixture->host = host;
	assert_int_equal(sim_model_open(fixture->host->model, NODE_KVM, &fixture->kvm), 0);
	assert_int_equal(fixture->kvm.kind, SIM_NODE_KVM);
	assert_int_equal(
		create_vm(fixture->host, fixture->kvm, &fixture->host->caller, 0, &fixture->vm), 0);
	assert_int_equal(fixture->vm.kind, SIM_NODE_KVM_VM);
	assert_int_equal(create_device(fixture, KVM_DEV_TYPE_VFIO, 0, &fixture->vfio), 0);
	assert_int_equal(fixture->vfio.kind, SIM_NODE_KVM_VFIO);
	*state = fixture;
	return 0;
}

/* In an order that nothing depends on: the VM before what belongs to it. */
static int tear_down_kvm(void **state)
{
	struct kvm_fixture *fixture = *state;
	void *host = fixture->host;

	sim_node_close(fixture->kvm);
	sim_node_close(fixture->vm);
	sim_node_close(fixture->vfio);
	free(fixture);
	return tear_down(&host);
}

/* calls */

struct attribute_call {
	struct kvm_device_attr attribute;
	int32_t fd[2];
};

/* With so many of the fds' numbers behind the structure, which stand for files[0], files[1]. */
static int attribute_ioctl(struct kvm_fixture *fixture, unsigned long request,
			   const struct sim_caller *caller, struct attribute_call call,
			   unsigned int count, struct sim_argument_fd *files)
{
	struct sim_argument argument = {
		.data = &call,
		.size = sizeof(call.attribute) + count * sizeof(call.fd[0]),
		.fds = files,
		.fd_count = files ? 2 : 0,
	};

	return sim_node_ioctl(fixture->vfio, caller, request, &argument);
}

static struct attribute_call call_of(uint32_t group, uint64_t attr)
{
	return (struct attribute_call){
		.attribute = {.group = group, .attr = attr, .addr = USER_ADDRESS},
		.fd = {0, 1},
	};
}

static int set_file(struct kvm_fixture *fixture, uint64_t attr, struct sim_node node)
{
	struct sim_argument_fd files[2] = {{.node = node, .fd = -1}, {.fd = -1}};

	return attribute_ioctl(fixture, KVM_SET_DEVICE_ATTR, &fixture->host->caller,
			       call_of(KVM_DEV_VFIO_GROUP, attr), 1, files);
}

static int add(struct kvm_fixture *fixture, struct sim_node node)
{
	return set_file(fixture, KVM_DEV_VFIO_GROUP_ADD, node);
}

static int delete (struct kvm_fixture *fixture, struct sim_node node)
{
	return set_file(fixture, KVM_DEV_VFIO_GROUP_DEL, node);
}

static int set_spapr_tce(struct kvm_fixture *fixture, struct sim_node group, struct sim_node table)
{
	struct sim_argument_fd files[2] = {{.node = group, .fd = -1}, {.node = table, .fd = -1}};

	return attribute_ioctl(fixture, KVM_SET_DEVICE_ATTR, &fixture->host->caller,
			       call_of(KVM_DEV_VFIO_GROUP, KVM_DEV_VFIO_GROUP_SET_SPAPR_TCE), 2,
			       files);
}

static struct sim_kvm_create_spapr_tce_64 table_of(uint32_t page_shift, uint64_t start,
						   uint64_t size)
{
	return (struct sim_kvm_create_spapr_tce_64){
		.liobn = LIOBN,
		.page_shift = page_shift,
		.offset = start >> page_shift,
		.size = size >> page_shift,
	};
}

static int create_table(struct kvm_fixture *fixture, const struct sim_caller *caller,
			struct sim_kvm_create_spapr_tce_64 create, struct sim_node *ret_table)
{
	struct sim_argument argument = {.data = &create, .size = sizeof(create)};
	int result = sim_node_ioctl(fixture->vm, caller, SIM_KVM_CREATE_SPAPR_TCE_64, &argument);

	*ret_table = argument.new_node;
	assert_int_equal(argument.fd_offset, 0);
	return result;
}

/* The result of tying a new table to the group of edu. */
static int try_table(struct kvm_fixture *fixture, uint32_t page_shift, uint64_t start,
		     uint64_t size)
{
	struct sim_node table;
	int result;

	assert_int_equal(create_table(fixture, &fixture->host->caller,
				      table_of(page_shift, start, size), &table),
			 0);
	result = set_spapr_tce(fixture, fixture->host->group, table);
	sim_node_close(table);
	return result;
}

/* /dev/kvm and the VM */

/* kvm is there, but not kvm-hv. */
static void test_an_lpar_makes_no_vm(void **state)
{
	struct fixture *fixture = *state;
	struct sim_node node;

	fixture->host->platform = SIM_PSERIES;
	assert_int_equal(sim_model_open(fixture->model, NODE_KVM, &node), 0);
	assert_int_equal(value_ioctl(fixture, node, KVM_GET_API_VERSION, 0), 12);
	assert_int_equal(value_ioctl(fixture, node, KVM_CHECK_EXTENSION, KVM_CAP_SPAPR_TCE), 1);
	assert_int_equal(value_ioctl(fixture, node, KVM_CREATE_VM, 0), -EINVAL);
	sim_node_close(node);
}

static void test_kvm_answers_version_and_extensions(void **state)
{
	struct kvm_fixture *fixture = *state;
	struct fixture *host = fixture->host;
	const struct sim_node nodes[] = {fixture->kvm, fixture->vm};

	assert_int_equal(value_ioctl(host, fixture->kvm, KVM_GET_API_VERSION, 0), 12);
	assert_int_equal(value_ioctl(host, fixture->kvm, KVM_GET_API_VERSION, 1), -EINVAL);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(
			value_ioctl(host, nodes[i], KVM_CHECK_EXTENSION, KVM_CAP_DEVICE_CTRL), 1);
		host->host->platform = SIM_POWERNV;
		assert_int_equal(
			value_ioctl(host, nodes[i], KVM_CHECK_EXTENSION, KVM_CAP_SPAPR_TCE_64), 1);
		assert_int_equal(
			value_ioctl(host, nodes[i], KVM_CHECK_EXTENSION, KVM_CAP_SPAPR_TCE_VFIO),
			1);
		host->host->platform = SIM_TYPE1;
		assert_int_equal(
			value_ioctl(host, nodes[i], KVM_CHECK_EXTENSION, KVM_CAP_SPAPR_TCE_VFIO),
			0);
		assert_int_equal(value_ioctl(host, nodes[i], KVM_CHECK_EXTENSION, 100000), 0);
	}
	assert_int_equal(value_ioctl(host, fixture->kvm, KVM_CREATE_DEVICE, 0), -EINVAL);
	assert_int_equal(value_ioctl(host, fixture->vm, KVM_CREATE_VM, 0), -ENOTTY);
	assert_int_equal(value_ioctl(host, fixture->vfio, KVM_CREATE_VM, 0), -ENOTTY);
	host->host->platform = SIM_POWERNV;
}

static void test_vm_types(void **state)
{
	struct kvm_fixture *fixture = *state;
	struct fixture *host = fixture->host;
	struct sim_node vm;

	assert_int_equal(create_vm(host, fixture->kvm, &host->caller, 2, &vm), -EINVAL);
	assert_int_equal(create_vm(host, fixture->kvm, &host->caller, 1, &vm), 0);
	sim_node_close(vm);
	host->host->platform = SIM_TYPE1;
	assert_int_equal(create_vm(host, fixture->kvm, &host->caller, 1, &vm), -EINVAL);
	host->host->platform = SIM_POWERNV;
}

static void test_only_the_maker_of_a_vm_may_use_it(void **state)
{
	struct kvm_fixture *fixture = *state;
	struct fixture *host = fixture->host;
	struct sim_mm *other = sim_model_mm_new(host->model);
	struct sim_caller caller = {.mm = other, .memlock_limit = NO_LIMIT};
	struct sim_argument argument = {.value = KVM_CAP_DEVICE_CTRL, .data = host->data};
	struct sim_node node;

	assert_int_equal(sim_node_ioctl(fixture->kvm, &caller, KVM_CHECK_EXTENSION, &argument), 1);
	assert_int_equal(sim_node_ioctl(fixture->vm, &caller, KVM_CHECK_EXTENSION, &argument),
			 -EIO);
	assert_int_equal(create_table(fixture, &caller, table_of(12, 0, MIB), &node), -EIO);
	assert_int_equal(attribute_ioctl(fixture, KVM_HAS_DEVICE_ATTR, &caller,
					 call_of(KVM_DEV_VFIO_GROUP, KVM_DEV_VFIO_GROUP_ADD), 0,
					 NULL),
			 -EIO);
	/* Whoever holds /dev/kvm makes a VM of its own. */
	assert_int_equal(create_vm(host, fixture->kvm, &caller, 0, &node), 0);
	(void)sim_mm_unref(other);
	assert_int_equal(statistics(host).live_mms, 2);
	sim_node_close(node);
	assert_int_equal(statistics(host).live_mms, 1);
}

static void test_a_vm_has_one_vfio_device(void **state)
{
	struct kvm_fixture *fixture = *state;
	struct sim_node node;

	assert_int_equal(create_device(fixture, KVM_DEV_TYPE_VFIO, 0, &node), -EBUSY);
	assert_int_equal(create_device(fixture, KVM_DEV_TYPE_VFIO, KVM_CREATE_DEVICE_TEST, &node),
			 0);
	assert_int_equal(node.kind, SIM_NODE_NONE);
	assert_int_equal(create_device(fixture, 0, 0, &node), -ENODEV);
	assert_int_equal(create_device(fixture, 1000, KVM_CREATE_DEVICE_TEST, &node), -ENODEV);
	sim_node_close(fixture->vfio);
	assert_int_equal(create_device(fixture, KVM_DEV_TYPE_VFIO, 0, &fixture->vfio), 0);
}

/* files of the VFIO device */

static void test_a_group_is_added_once(void **state)
{
	struct kvm_fixture *fixture = *state;
	const struct sim_node group = fixture->host->group;

	assert_int_equal(delete (fixture, group), -ENOENT);
	assert_int_equal(add(fixture, group), 0);
	assert_int_equal(add(fixture, group), -EEXIST);
	assert_int_equal(delete (fixture, group), 0);
	assert_int_equal(delete (fixture, group), -ENOENT);
	assert_int_equal(add(fixture, group), 0);
}

/* The group of a device that came back is another one, and so is its file. */
static void test_a_revoked_group_is_not_the_new_one(void **state)
{
	struct kvm_fixture *fixture = *state;
	struct fixture *host = fixture->host;
	struct sim_node revoked = host->group;

	assert_int_equal(add(fixture, revoked), 0);
	assert_int_equal(sim_hotplug_unplug(host->model, EDU, NULL), 0);
	assert_int_equal(sim_hotplug_plug(host->model, EDU, NULL), 0);
	assert_int_equal(sim_model_open(host->model, GROUP_EDU, &host->group), 0);
	assert_int_equal(delete (fixture, host->group), -ENOENT);
	assert_int_equal(add(fixture, host->group), 0);
	assert_int_equal(set_spapr_tce(fixture, revoked, SIM_NODE_NOTHING), -EIO);
	assert_int_equal(delete (fixture, revoked), 0);
	sim_node_close(revoked);
}

static void test_what_is_no_file_of_vfio_is_refused(void **state)
{
	struct kvm_fixture *fixture = *state;
	struct attribute_call call = call_of(KVM_DEV_VFIO_GROUP, KVM_DEV_VFIO_GROUP_ADD);
	struct sim_argument_fd files[2] = {{.node = fixture->host->group, .fd = -1}, {.fd = -1}};

	assert_int_equal(add(fixture, SIM_NODE_NOTHING), -EINVAL);
	assert_int_equal(add(fixture, fixture->host->container), -EINVAL);
	assert_int_equal(add(fixture, fixture->vm), -EINVAL);
	assert_int_equal(delete (fixture, SIM_NODE_NOTHING), -ENOENT);
	assert_int_equal(delete (fixture, fixture->host->container), -ENOENT);
	for (int32_t fd = SIM_FD_CLOSED; fd <= SIM_FD_MINUS_ONE; fd++) {
		call.fd[0] = fd;
		call.attribute.attr = KVM_DEV_VFIO_GROUP_ADD;
		assert_int_equal(attribute_ioctl(fixture, KVM_SET_DEVICE_ATTR,
						 &fixture->host->caller, call, 1, files),
				 -EBADF);
		call.attribute.attr = KVM_DEV_VFIO_GROUP_DEL;
		assert_int_equal(attribute_ioctl(fixture, KVM_SET_DEVICE_ATTR,
						 &fixture->host->caller, call, 1, files),
				 -EBADF);
	}
}

static void test_attributes(void **state)
{
	struct kvm_fixture *fixture = *state;
	const struct sim_caller *caller = &fixture->host->caller;

	for (uint64_t attr = 0; attr < 5; attr++) {
		int expected = attr >= 1 && attr <= 3 ? 0 : -ENXIO;

		assert_int_equal(attribute_ioctl(fixture, KVM_HAS_DEVICE_ATTR, caller,
						 call_of(KVM_DEV_VFIO_GROUP, attr), 0, NULL),
				 expected);
		/* What is there wants memory that can be read. */
		assert_int_equal(attribute_ioctl(fixture, KVM_SET_DEVICE_ATTR, caller,
						 call_of(KVM_DEV_VFIO_GROUP, attr), 0, NULL),
				 expected ? -ENXIO : -EFAULT);
		assert_int_equal(attribute_ioctl(fixture, KVM_SET_DEVICE_ATTR, caller,
						 call_of(2, attr), 0, NULL),
				 -ENXIO);
		assert_int_equal(attribute_ioctl(fixture, KVM_GET_DEVICE_ATTR, caller,
						 call_of(KVM_DEV_VFIO_GROUP, attr), 0, NULL),
				 -EPERM);
	}
	assert_int_equal(
		attribute_ioctl(fixture, KVM_SET_DEVICE_ATTR, caller,
				call_of(KVM_DEV_VFIO_GROUP, KVM_DEV_VFIO_GROUP_SET_SPAPR_TCE), 1,
				NULL),
		-EFAULT);
	fixture->host->host->platform = SIM_TYPE1;
	assert_int_equal(
		attribute_ioctl(fixture, KVM_HAS_DEVICE_ATTR, caller,
				call_of(KVM_DEV_VFIO_GROUP, KVM_DEV_VFIO_GROUP_SET_SPAPR_TCE), 0,
				NULL),
		-ENXIO);
	assert_int_equal(set_spapr_tce(fixture, fixture->host->group, SIM_NODE_NOTHING), -ENXIO);
	assert_int_equal(add(fixture, fixture->host->group), 0);
	fixture->host->host->platform = SIM_POWERNV;
}

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static void test_the_device_holds_files_until_they_go(void **state)
{
	struct kvm_fixture *fixture = *state;
	struct attribute_call call = call_of(KVM_DEV_VFIO_GROUP, KVM_DEV_VFIO_GROUP_ADD);
	struct sim_argument_fd files[2] = {{.node = fixture->host->group}, {.fd = -1}};
	int first = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int second;

	files[0].fd = first;
	assert_int_equal(attribute_ioctl(fixture, KVM_SET_DEVICE_ATTR, &fixture->host->caller, call,
					 1, files),
			 0);
	assert_int_equal(files[0].fd, -1);
	/* What isn't kept stays the caller's. */
	second = open("/dev/null", O_RDONLY | O_CLOEXEC);
	files[0].fd = second;
	assert_int_equal(attribute_ioctl(fixture, KVM_SET_DEVICE_ATTR, &fixture->host->caller, call,
					 1, files),
			 -EEXIST);
	assert_int_equal(files[0].fd, second);
	assert_true(is_open(first));
	assert_int_equal(delete (fixture, fixture->host->group), 0);
	assert_false(is_open(first));

	assert_int_equal(attribute_ioctl(fixture, KVM_SET_DEVICE_ATTR, &fixture->host->caller, call,
					 1, files),
			 0);
	assert_true(is_open(second));
	sim_node_close(fixture->vfio);
	assert_false(is_open(second));
	assert_int_equal(create_device(fixture, KVM_DEV_TYPE_VFIO, 0, &fixture->vfio), 0);
	assert_int_equal(delete (fixture, fixture->host->group), -ENOENT);
}

/* tables */

static void test_tables_that_cannot_be(void **state)
{
	struct kvm_fixture *fixture = *state;
	const struct sim_caller *caller = &fixture->host->caller;
	struct sim_kvm_create_spapr_tce_64 create = table_of(12, 0, GIB);
	struct sim_node node;

	create.flags = 1;
	assert_int_equal(create_table(fixture, caller, create, &node), -EINVAL);
	assert_int_equal(create_table(fixture, caller, table_of(12, 0, 0), &node), -EINVAL);
	assert_int_equal(create_table(fixture, caller, table_of(11, 0, GIB), &node), -EINVAL);
	assert_int_equal(create_table(fixture, caller, table_of(35, 0, UINT64_C(1) << 40), &node),
			 -EINVAL);
	create = table_of(12, 0, GIB);
	create.offset = (UINT64_MAX >> 12) - create.size + 1;
	assert_int_equal(create_table(fixture, caller, create, &node), -EINVAL);
	/* 4 TiB of 4 KiB pages is more than one allocation holds. */
	assert_int_equal(create_table(fixture, caller, table_of(12, 0, 4 * TIB), &node), -ENOMEM);
	assert_int_equal(locked(fixture->host), 0);
	fixture->host->host->platform = SIM_TYPE1;
	assert_int_equal(create_table(fixture, caller, table_of(12, 0, GIB), &node), -ENOTTY);
	fixture->host->host->platform = SIM_POWERNV;
}

static void test_a_liobn_is_given_once_in_a_vm(void **state)
{
	struct kvm_fixture *fixture = *state;
	struct fixture *host = fixture->host;
	const struct sim_node first_vm = fixture->vm;
	struct sim_node first;
	struct sim_node second;

	assert_int_equal(create_table(fixture, &host->caller, table_of(12, 0, GIB), &first), 0);
	assert_int_equal(create_table(fixture, &host->caller, table_of(16, 0, MIB), &second),
			 -EBUSY);
	assert_int_equal(create_vm(host, fixture->kvm, &host->caller, 0, &fixture->vm), 0);
	assert_int_equal(create_table(fixture, &host->caller, table_of(12, 0, GIB), &second), 0);
	/* The VM lives as long as its table. */
	sim_node_close(fixture->vm);
	assert_int_equal(value_ioctl(host, second, KVM_CHECK_EXTENSION, 0), -ENOTTY);
	sim_node_close(second);
	fixture->vm = first_vm;
	sim_node_close(first);
	assert_int_equal(create_table(fixture, &host->caller, table_of(12, 0, GIB), &first), 0);
	sim_node_close(first);
}

static void test_a_table_is_charged_to_the_vm(void **state)
{
	struct kvm_fixture *fixture = *state;
	struct sim_caller poor = fixture->host->caller;
	struct sim_node table;

	/* 1 GiB of 4 KiB pages: 512 pages of TCEs, and two for the list of them. */
	poor.memlock_limit = 513 * PAGE;
	assert_int_equal(create_table(fixture, &poor, table_of(12, 0, GIB), &table), -ENOMEM);
	assert_int_equal(locked(fixture->host), 0);
	poor.memlock_limit = 514 * PAGE;
	assert_int_equal(create_table(fixture, &poor, table_of(12, 0, GIB), &table), 0);
	assert_int_equal(locked(fixture->host), 514 * PAGE);
	sim_node_close(table);
	assert_int_equal(locked(fixture->host), 0);
}

static void test_a_table_needs_a_window_that_fits(void **state)
{
	struct kvm_fixture *fixture = *state;
	struct fixture *host = fixture->host;
	uint64_t start;

	assert_int_equal(add(fixture, host->group), 0);
	/* The default window isn't there yet (H27). */
	assert_int_equal(try_table(fixture, 12, 0, 2 * GIB), -EINVAL);
	assert_int_equal(create(host, 16, 4 * GIB, 1, &start), 0);
	assert_int_equal(start, SECOND_WINDOW);

	assert_int_equal(try_table(fixture, 12, 0, 2 * GIB), 0);
	assert_int_equal(try_table(fixture, 12, 0, GIB), 0);
	assert_int_equal(try_table(fixture, 16, 0, 2 * GIB), 0);
	assert_int_equal(try_table(fixture, 12, 0, 4 * GIB), -EINVAL);
	assert_int_equal(try_table(fixture, 12, GIB, GIB), -EINVAL);
	assert_int_equal(try_table(fixture, 16, SECOND_WINDOW, 4 * GIB), 0);
	assert_int_equal(try_table(fixture, 24, SECOND_WINDOW, GIB), 0);
	assert_int_equal(try_table(fixture, 12, SECOND_WINDOW, GIB), -EINVAL);

	assert_int_equal(remove_window(host, SECOND_WINDOW), 0);
	assert_int_equal(try_table(fixture, 16, SECOND_WINDOW, 4 * GIB), -EINVAL);
}

static void test_a_group_of_the_host_has_the_hosts_window(void **state)
{
	struct kvm_fixture *fixture = *state;
	struct fixture *host = fixture->host;

	assert_int_equal(add(fixture, host->group), 0);
	assert_int_equal(value_ioctl(host, host->group, VFIO_GROUP_UNSET_CONTAINER, 0), 0);
	assert_int_equal(try_table(fixture, 12, 0, 2 * GIB), 0);
	assert_int_equal(try_table(fixture, 12, 0, 4 * GIB), -EINVAL);
	/* It goes when the group is claimed. */
	assert_int_equal(join(host, host->group, host->container), 0);
	assert_int_equal(try_table(fixture, 12, 0, 2 * GIB), -EINVAL);
}

static void test_only_known_groups_and_own_tables_are_tied(void **state)
{
	struct kvm_fixture *fixture = *state;
	struct fixture *host = fixture->host;
	const struct sim_node own_vm = fixture->vm;
	struct sim_node own;
	struct sim_node foreign;
	struct sim_node foreign_vm;

	assert_int_equal(value_ioctl(host, host->group, VFIO_GROUP_UNSET_CONTAINER, 0), 0);
	assert_int_equal(create_table(fixture, &host->caller, table_of(12, 0, GIB), &own), 0);
	assert_int_equal(create_vm(host, fixture->kvm, &host->caller, 0, &foreign_vm), 0);
	fixture->vm = foreign_vm;
	assert_int_equal(create_table(fixture, &host->caller, table_of(12, 0, GIB), &foreign), 0);
	fixture->vm = own_vm;

	assert_int_equal(set_spapr_tce(fixture, host->group, own), -ENOENT);
	assert_int_equal(add(fixture, host->group), 0);
	assert_int_equal(set_spapr_tce(fixture, host->group, own), 0);
	assert_int_equal(set_spapr_tce(fixture, host->group, own), 0);
	assert_int_equal(set_spapr_tce(fixture, host->group, foreign), -EINVAL);
	assert_int_equal(set_spapr_tce(fixture, host->group, fixture->vm), -EINVAL);
	assert_int_equal(set_spapr_tce(fixture, SIM_NODE_NOTHING, own), -ENOENT);
	assert_int_equal(delete (fixture, host->group), 0);
	assert_int_equal(set_spapr_tce(fixture, host->group, own), -ENOENT);
	sim_node_close(foreign_vm);
	sim_node_close(foreign);
	sim_node_close(own);
}

static void test_fds_of_a_tie_must_be_open(void **state)
{
	struct kvm_fixture *fixture = *state;
	struct sim_argument_fd files[2] = {{.node = fixture->host->group, .fd = -1}, {.fd = -1}};
	struct attribute_call call = call_of(KVM_DEV_VFIO_GROUP, KVM_DEV_VFIO_GROUP_SET_SPAPR_TCE);

	call.fd[1] = SIM_FD_MINUS_ONE;
	assert_int_equal(attribute_ioctl(fixture, KVM_SET_DEVICE_ATTR, &fixture->host->caller, call,
					 2, files),
			 -ENOENT);
	assert_int_equal(add(fixture, fixture->host->group), 0);
	assert_int_equal(attribute_ioctl(fixture, KVM_SET_DEVICE_ATTR, &fixture->host->caller, call,
					 2, files),
			 -EBADF);
	call.fd[0] = SIM_FD_CLOSED;
	assert_int_equal(attribute_ioctl(fixture, KVM_SET_DEVICE_ATTR, &fixture->host->caller, call,
					 2, files),
			 -EBADF);
}

#define KVM_TEST(name) cmocka_unit_test_setup_teardown(name, set_up_kvm, tear_down_kvm)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_an_lpar_makes_no_vm, set_up_host, tear_down),
		KVM_TEST(test_kvm_answers_version_and_extensions),
		KVM_TEST(test_vm_types),
		KVM_TEST(test_only_the_maker_of_a_vm_may_use_it),
		KVM_TEST(test_a_vm_has_one_vfio_device),
		KVM_TEST(test_a_group_is_added_once),
		KVM_TEST(test_a_revoked_group_is_not_the_new_one),
		KVM_TEST(test_what_is_no_file_of_vfio_is_refused),
		KVM_TEST(test_attributes),
		KVM_TEST(test_the_device_holds_files_until_they_go),
		KVM_TEST(test_tables_that_cannot_be),
		KVM_TEST(test_a_liobn_is_given_once_in_a_vm),
		KVM_TEST(test_a_table_is_charged_to_the_vm),
		KVM_TEST(test_a_table_needs_a_window_that_fits),
		KVM_TEST(test_a_group_of_the_host_has_the_hosts_window),
		KVM_TEST(test_only_known_groups_and_own_tables_are_tied),
		KVM_TEST(test_fds_of_a_tie_must_be_open),
	};

	return cmocka_run_group_tests_name("sim-kvm", tests, NULL, NULL);
}
