/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The kernel refuses: every ioctl and open that spaprd does is made to fail, one after the other,
 * and afterwards everything is as it was, or works. On the simulated host, for a real one can't be
 * told to.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "world.h"

#define MEMORY_SIZE UINT64_C(0x100000)

static void fail_next(const struct world *world, const char *operation, uint32_t skip,
		      int32_t errnum)
{
	DBusMessage *reply = call(world->client, BUS_PATH_MANAGER, BUS_INTERFACE_SIMULATOR,
				  "FailNext", NULL, DBUS_TYPE_STRING, &operation, DBUS_TYPE_UINT32,
				  &skip, DBUS_TYPE_INT32, &errnum, DBUS_TYPE_INVALID);

	dbus_message_unref(reply);
}

static void delay(const struct world *world, const char *operation, uint32_t milliseconds)
{
	DBusMessage *reply = call(world->client, BUS_PATH_MANAGER, BUS_INTERFACE_SIMULATOR, "Delay",
				  NULL, DBUS_TYPE_STRING, &operation, DBUS_TYPE_UINT32,
				  &milliseconds, DBUS_TYPE_INVALID);

	dbus_message_unref(reply);
}

/* An error's text names the errno by its name, so that a person can look it up. */
static void check_text(const char *word)
{
	if (!strstr(last_error_text(), word)) {
		fail_msg("\"%s\" does not name %s", last_error_text(), word);
	}
}

static void test_attach(void **state)
{
	static const struct {
		const char *operation;
		int errnum;
		const char *refusal;
	} cases[] = {
		{"open:/dev/vfio/vfio", EMFILE, "KernelError"},
		{"open:/dev/vfio/vfio", ENODEV, "KernelError"},
		{"open:/dev/vfio/0", EBUSY, "GroupBusy"},
		{"open:/dev/vfio/0", EACCES, "KernelError"},
		{"VFIO_GET_API_VERSION", EIO, "InvalidArgument"},
		{"VFIO_CHECK_EXTENSION", EIO, "Unsupported"},
		{"VFIO_GROUP_GET_STATUS", EIO, "KernelError"},
		{"VFIO_GROUP_SET_CONTAINER", EBUSY, "GroupBusy"},
		{"VFIO_GROUP_SET_CONTAINER", ENOMEM, "KernelError"},
		{"VFIO_SET_IOMMU", ENODEV, "Unsupported"},
		{"VFIO_IOMMU_SPAPR_TCE_GET_INFO", EIO, "KernelError"},
		{"VFIO_IOMMU_SPAPR_REGISTER_MEMORY", ENOMEM, "QuotaExceeded"},
	};
	const struct world *world = *state;
	char *space = space_create(world->client, "attach");
	int fd = memory_new(MEMORY_SIZE);

	(void)add_memory(world->client, space, fd, 0, 0, MEMORY_SIZE, 0, NULL);
	(void)close(fd);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		fail_next(world, cases[i].operation, 0, cases[i].errnum);
		attach(world->client, space, DEVICE_EDU, cases[i].refusal);
		assert_int_equal(get_count(world->client, space, BUS_INTERFACE_SPACE, "Windows"),
				 0);
		assert_int_equal(get_statistic(world, "open_groups"), 0);
		assert_int_equal(get_statistic(world, "pinned_bytes"), 0);
	}
	/* Nothing of this stands in the way of the next try. */
	attach(world->client, space, DEVICE_EDU, NULL);
	map(world->client, space, 0, 0, MEMORY_SIZE, PROT_DEVICE_BOTH, NULL);
	space_close(world->client, space);
	wait_until_nothing_is_left(world);
}

static void test_memory(void **state)
{
	static const struct {
		int errnum;
		const char *refusal;
	} cases[] = {
		{ENOMEM, "QuotaExceeded"}, {EFAULT, "KernelError"}, {EBUSY, "MemoryInUse"},
		{EINVAL, "KernelError"},   {EPERM, "KernelError"},
	};
	const struct world *world = *state;
	char *space = space_create(world->client, "memory");
	int fd = memory_new(MEMORY_SIZE);
	uint32_t id;

	attach(world->client, space, DEVICE_EDU, NULL);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		fail_next(world, "VFIO_IOMMU_SPAPR_REGISTER_MEMORY", 0, cases[i].errnum);
		(void)add_memory(world->client, space, fd, 0, 0, MEMORY_SIZE, 0, cases[i].refusal);
		check_text(strerrorname_np(cases[i].errnum));
		assert_int_equal(get_count(world->client, space, BUS_INTERFACE_SPACE, "Memory"), 0);
		assert_int_equal(get_statistic(world, "pinned_bytes"), 0);
	}
	id = add_memory(world->client, space, fd, 0, 0, MEMORY_SIZE, 0, NULL);
	fail_next(world, "VFIO_IOMMU_SPAPR_UNREGISTER_MEMORY", 0, EIO);
	remove_memory(world->client, space, id, "KernelError");
	/* It is there as before. */
	map(world->client, space, 0, 0, MEMORY_SIZE, PROT_DEVICE_BOTH, NULL);
	unmap(world->client, space, 0, MEMORY_SIZE, NULL);
	remove_memory(world->client, space, id, NULL);
	assert_int_equal(get_statistic(world, "pinned_bytes"), 0);
	space_close(world->client, space);
	(void)close(fd);
	wait_until_nothing_is_left(world);
}

static void test_windows(void **state)
{
	const struct window wanted = {WINDOW_ANYWHERE, UINT64_C(1) << 30, 12, 1};
	const struct world *world = *state;
	char *space = space_create(world->client, "windows");

	attach(world->client, space, DEVICE_EDU, NULL);
	fail_next(world, "VFIO_IOMMU_SPAPR_TCE_CREATE", 0, EIO);
	(void)create_window(world->client, space, wanted, "KernelError");
	check_text("EIO");
	fail_next(world, "VFIO_IOMMU_SPAPR_TCE_CREATE", 0, ENOMEM);
	(void)create_window(world->client, space, wanted, "TableMemory");
	assert_int_equal(get_count(world->client, space, BUS_INTERFACE_SPACE, "Windows"), 1);
	/* Without a wish for levels, one more is tried after each ENOMEM. */
	fail_next(world, "VFIO_IOMMU_SPAPR_TCE_CREATE", 0, ENOMEM);
	assert_int_equal(create_window(world->client, space,
				       (struct window){WINDOW_ANYWHERE, UINT64_C(1) << 30, 12, 0},
				       NULL)
				 .levels,
			 3);
	fail_next(world, "VFIO_IOMMU_SPAPR_TCE_REMOVE", 0, EIO);
	remove_window(world->client, space, SECOND_WINDOW, "KernelError");
	assert_int_equal(get_count(world->client, space, BUS_INTERFACE_SPACE, "Windows"), 2);
	remove_window(world->client, space, SECOND_WINDOW, NULL);
	space_close(world->client, space);
	wait_until_nothing_is_left(world);
}

static void test_mappings(void **state)
{
	/* EINTR and EAGAIN can be a hypervisor's codes in disguise: neither is tried again. */
	static const struct {
		int errnum;
		const char *refusal;
	} cases[] = {
		{EPERM, "KernelError"},  {EINVAL, "PageSize"},    {EBUSY, "KernelError"},
		{EFAULT, "KernelError"}, {ENOMEM, "TableMemory"}, {EINTR, "KernelError"},
		{EAGAIN, "KernelError"},
	};
	const struct world *world = *state;
	char *space = space_create(world->client, "mappings");
	int fd = memory_new(MEMORY_SIZE);

	attach(world->client, space, DEVICE_EDU, NULL);
	(void)add_memory(world->client, space, fd, 0, 0, MEMORY_SIZE, 0, NULL);
	(void)close(fd);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		fail_next(world, "VFIO_IOMMU_MAP_DMA", 0, cases[i].errnum);
		map(world->client, space, 0, 0, 0x4000, PROT_DEVICE_BOTH, cases[i].refusal);
		check_text(strerrorname_np(cases[i].errnum));
		assert_int_equal(get_number(world->client, space, BUS_INTERFACE_SPACE, "Mappings"),
				 0);
		assert_int_equal(get_statistic(world, "mapped_tces"), 0);
	}
	map(world->client, space, 0, 0, 0x4000, PROT_DEVICE_BOTH, NULL);
	fail_next(world, "VFIO_IOMMU_UNMAP_DMA", 0, EIO);
	unmap(world->client, space, 0, 0x4000, "KernelError");
	assert_int_equal(get_number(world->client, space, BUS_INTERFACE_SPACE, "Mappings"), 1);
	unmap(world->client, space, 0, 0x4000, NULL);
	space_close(world->client, space);
	wait_until_nothing_is_left(world);
}

/* With two groups a step is made in both or in none, whichever fails. */
static void test_second_container(void **state)
{
	const struct world *world = *state;
	const struct window wanted = {WINDOW_ANYWHERE, UINT64_C(1) << 30, 12, 1};
	char *space = space_create(world->client, "two");
	int fd = memory_new(MEMORY_SIZE);

	attach(world->client, space, DEVICE_EDU, NULL);
	attach(world->client, space, DEVICE_EDU_2, NULL);
	fail_next(world, "VFIO_IOMMU_SPAPR_REGISTER_MEMORY", 1, ENOMEM);
	(void)add_memory(world->client, space, fd, 0, 0, MEMORY_SIZE, 0, "QuotaExceeded");
	assert_int_equal(get_statistic(world, "pinned_bytes"), 0);
	(void)add_memory(world->client, space, fd, 0, 0, MEMORY_SIZE, 0, NULL);
	(void)close(fd);
	fail_next(world, "VFIO_IOMMU_SPAPR_TCE_CREATE", 1, EIO);
	(void)create_window(world->client, space, wanted, "KernelError");
	assert_int_equal(get_count(world->client, space, BUS_INTERFACE_SPACE, "Windows"), 1);
	assert_int_equal(create_window(world->client, space, wanted, NULL).start, SECOND_WINDOW);
	fail_next(world, "VFIO_IOMMU_MAP_DMA", 1, ENOMEM);
	map(world->client, space, SECOND_WINDOW, 0, 0x4000, PROT_DEVICE_BOTH, "TableMemory");
	assert_int_equal(get_statistic(world, "mapped_tces"), 0);
	map(world->client, space, SECOND_WINDOW, 0, 0x4000, PROT_DEVICE_BOTH, NULL);
	assert_int_equal(get_statistic(world, "mapped_tces"), 8);
	fail_next(world, "VFIO_IOMMU_UNMAP_DMA", 1, EIO);
	unmap(world->client, space, SECOND_WINDOW, 0x4000, "KernelError");
	assert_int_equal(get_statistic(world, "mapped_tces"), 8);
	space_close(world->client, space);
	wait_until_nothing_is_left(world);
}

/* Registering memory takes long on a real host: nobody else waits for it. */
static void test_slow_registration(void **state)
{
	const struct world *world = *state;
	char *space = space_create(world->client, "slow");
	char *other = space_create(world->client, "other");
	int fd = memory_new(2 * MEMORY_SIZE);
	DBusPendingCall *slow = NULL;
	DBusMessage *message;
	DBusMessage *reply;
	dbus_uint64_t offset = MEMORY_SIZE;
	dbus_uint64_t gpa = MEMORY_SIZE;
	dbus_uint64_t size = MEMORY_SIZE;
	dbus_uint32_t flags = 0;

	attach(world->client, space, DEVICE_EDU, NULL);
	attach(world->client, other, DEVICE_EDU_2, NULL);
	(void)add_memory(world->client, space, fd, 0, 0, MEMORY_SIZE, 0, NULL);
	delay(world, "VFIO_IOMMU_SPAPR_REGISTER_MEMORY", 3000);
	message = dbus_message_new_method_call(BUS_NAME, space, BUS_INTERFACE_SPACE, "AddMemory");
	assert_true(dbus_message_append_args(message, DBUS_TYPE_UNIX_FD, &fd, DBUS_TYPE_UINT64,
					     &offset, DBUS_TYPE_UINT64, &gpa, DBUS_TYPE_UINT64,
					     &size, DBUS_TYPE_UINT32, &flags, DBUS_TYPE_INVALID));
	assert_true(dbus_connection_send_with_reply(world->client, message, &slow, 60000));
	dbus_message_unref(message);
	for (uint64_t i = 0; i < 16; i++) {
		map(world->client, space, i * 0x1000, 0, 0x1000, PROT_DEVICE_BOTH, NULL);
	}
	unmap(world->client, space, 0, 0x10000, NULL);
	/* What is not there yet can't be mapped, and the other address space knows of nothing. */
	map(world->client, space, 0, MEMORY_SIZE, 0x1000, PROT_DEVICE_BOTH, "Busy");
	remove_window(world->client, other, 0, NULL);
	assert_false(dbus_pending_call_get_completed(slow));
	dbus_pending_call_block(slow);
	reply = dbus_pending_call_steal_reply(slow);
	assert_int_equal(dbus_message_get_type(reply), DBUS_MESSAGE_TYPE_METHOD_RETURN);
	dbus_message_unref(reply);
	dbus_pending_call_unref(slow);
	map(world->client, space, 0, MEMORY_SIZE, 0x1000, PROT_DEVICE_BOTH, NULL);
	(void)close(fd);
	space_close(world->client, space);
	space_close(world->client, other);
	wait_until_nothing_is_left(world);
}

/* The owner leaves while memory is being registered. */
static void test_owner_leaves_during_registration(void **state)
{
	const struct world *world = *state;
	DBusConnection *owner = client_open();
	char *space = space_create(owner, "leaving");
	int fd = memory_new(MEMORY_SIZE);
	DBusMessage *message;
	dbus_uint64_t zero = 0;
	dbus_uint64_t size = MEMORY_SIZE;
	dbus_uint32_t flags = 0;

	attach(owner, space, DEVICE_EDU, NULL);
	delay(world, "VFIO_IOMMU_SPAPR_REGISTER_MEMORY", 1000);
	message = dbus_message_new_method_call(BUS_NAME, space, BUS_INTERFACE_SPACE, "AddMemory");
	assert_true(dbus_message_append_args(message, DBUS_TYPE_UNIX_FD, &fd, DBUS_TYPE_UINT64,
					     &zero, DBUS_TYPE_UINT64, &zero, DBUS_TYPE_UINT64,
					     &size, DBUS_TYPE_UINT32, &flags, DBUS_TYPE_INVALID));
	assert_true(dbus_connection_send(owner, message, NULL));
	dbus_message_unref(message);
	dbus_connection_flush(owner);
	client_close(owner);
	(void)close(fd);
	free(space);
	wait_until_nothing_is_left(world);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_attach),
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_windows),
		cmocka_unit_test(test_mappings),
		cmocka_unit_test(test_second_container),
		cmocka_unit_test(test_slow_registration),
		cmocka_unit_test(test_owner_leaves_during_registration),
	};

	return cmocka_run_group_tests_name("faults", tests, world_start, world_stop);
}
