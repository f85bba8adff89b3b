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
#include <time.h>
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
	/* Left to itself the service would take the next kind for the one that fails. */
	static const struct attach_options options = {.iommu_type = "spapr-tce-v2"};
	const struct world *world = *state;
	char *space = space_create(world->client, "attach");
	int fd = memory_new(MEMORY_SIZE);

	(void)add_memory(world->client, space, fd, 0, 0, MEMORY_SIZE, 0, NULL);
	(void)close(fd);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		fail_next(world, cases[i].operation, 0, cases[i].errnum);
		free(attach_with(world->client, space, world->host->edu, &options,
				 cases[i].refusal));
		assert_int_equal(get_count(world->client, space, BUS_INTERFACE_SPACE, "Windows"),
				 0);
		assert_int_equal(get_statistic(world, "open_groups"), 0);
		assert_int_equal(get_statistic(world, "pinned_bytes"), 0);
	}
	/* Nothing of this stands in the way of the next try. */
	attach(world->client, space, world->host->edu, NULL);
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

	attach(world->client, space, world->host->edu, NULL);
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

	attach(world->client, space, world->host->edu, NULL);
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
			 2);
	fail_next(world, "VFIO_IOMMU_SPAPR_TCE_REMOVE", 0, EIO);
	remove_window(world->client, space, world->host->second_window, "KernelError");
	assert_int_equal(get_count(world->client, space, BUS_INTERFACE_SPACE, "Windows"), 2);
	remove_window(world->client, space, world->host->second_window, NULL);
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

	attach(world->client, space, world->host->edu, NULL);
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

	attach(world->client, space, world->host->edu, NULL);
	attach(world->client, space, world->host->edu_2, NULL);
	fail_next(world, "VFIO_IOMMU_SPAPR_REGISTER_MEMORY", 1, ENOMEM);
	(void)add_memory(world->client, space, fd, 0, 0, MEMORY_SIZE, 0, "QuotaExceeded");
	assert_int_equal(get_statistic(world, "pinned_bytes"), 0);
	(void)add_memory(world->client, space, fd, 0, 0, MEMORY_SIZE, 0, NULL);
	(void)close(fd);
	fail_next(world, "VFIO_IOMMU_SPAPR_TCE_CREATE", 1, EIO);
	(void)create_window(world->client, space, wanted, "KernelError");
	assert_int_equal(get_count(world->client, space, BUS_INTERFACE_SPACE, "Windows"), 1);
	assert_int_equal(create_window(world->client, space, wanted, NULL).start,
			 world->host->second_window);
	/* Each makes two calls of it, for the window's first page goes last. */
	fail_next(world, "VFIO_IOMMU_MAP_DMA", 2, ENOMEM);
	map(world->client, space, world->host->second_window, 0, 0x4000, PROT_DEVICE_BOTH,
	    "TableMemory");
	assert_int_equal(get_statistic(world, "mapped_tces"), 0);
	map(world->client, space, world->host->second_window, 0, 0x4000, PROT_DEVICE_BOTH, NULL);
	assert_int_equal(get_statistic(world, "mapped_tces"), 8);
	fail_next(world, "VFIO_IOMMU_UNMAP_DMA", 1, EIO);
	unmap(world->client, space, world->host->second_window, 0x4000, "KernelError");
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

	attach(world->client, space, world->host->edu, NULL);
	attach(world->client, other, world->host->edu_2, NULL);
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
	delay(world, "VFIO_IOMMU_SPAPR_REGISTER_MEMORY", 0);
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

	attach(owner, space, world->host->edu, NULL);
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
	delay(world, "VFIO_IOMMU_SPAPR_REGISTER_MEMORY", 0);
}

/* -- rules that last -- */

/* An option of a rule; the list ends with one that has no name. */
struct option {
	const char *name;
	int type;
	uint32_t value;
};

#define OPTION_END           \
	{                    \
		.name = NULL \
	}

static void append_option(DBusMessageIter *dictionary, const struct option *option)
{
	const char signature[] = {(char)option->type, '\0'};
	DBusMessageIter entry;
	DBusMessageIter variant;

	assert_true(
		dbus_message_iter_open_container(dictionary, DBUS_TYPE_DICT_ENTRY, NULL, &entry));
	assert_true(dbus_message_iter_append_basic(&entry, DBUS_TYPE_STRING, &option->name));
	assert_true(
		dbus_message_iter_open_container(&entry, DBUS_TYPE_VARIANT, signature, &variant));
	assert_true(dbus_message_iter_append_basic(&variant, option->type, &option->value));
	assert_true(dbus_message_iter_close_container(&entry, &variant));
	assert_true(dbus_message_iter_close_container(dictionary, &entry));
}

/* The rule's number; 0 when it was refused, which must be with InvalidArgument. */
static uint32_t add_rule(const struct world *world, const char *operation,
			 const struct option *options)
{
	DBusMessage *message = dbus_message_new_method_call(BUS_NAME, BUS_PATH_MANAGER,
							    BUS_INTERFACE_SIMULATOR, "AddRule");
	DBusError error = DBUS_ERROR_INIT;
	DBusMessageIter iter;
	DBusMessageIter dictionary;
	DBusMessage *reply;
	dbus_uint32_t id = 0;

	dbus_message_iter_init_append(message, &iter);
	assert_true(dbus_message_iter_append_basic(&iter, DBUS_TYPE_STRING, &operation));
	assert_true(dbus_message_iter_open_container(&iter, DBUS_TYPE_ARRAY, "{sv}", &dictionary));
	for (; options->name; options++) {
		append_option(&dictionary, options);
	}
	assert_true(dbus_message_iter_close_container(&iter, &dictionary));
	reply = dbus_connection_send_with_reply_and_block(world->client, message, 60000, &error);
	dbus_message_unref(message);
	if (!reply) {
		assert_string_equal(error.name, BUS_ERROR_PREFIX "InvalidArgument");
		dbus_error_free(&error);
		return 0;
	}
	assert_true(dbus_message_get_args(reply, NULL, DBUS_TYPE_UINT32, &id, DBUS_TYPE_INVALID));
	assert_int_not_equal(id, 0);
	dbus_message_unref(reply);
	return id;
}

static void remove_rule(const struct world *world, uint32_t id, const char *refusal)
{
	DBusMessage *reply = call(world->client, BUS_PATH_MANAGER, BUS_INTERFACE_SIMULATOR,
				  "RemoveRule", refusal, DBUS_TYPE_UINT32, &id, DBUS_TYPE_INVALID);

	if (reply) {
		dbus_message_unref(reply);
	}
}

static void clear_rules(const struct world *world)
{
	dbus_message_unref(call(world->client, BUS_PATH_MANAGER, BUS_INTERFACE_SIMULATOR,
				"ClearRules", NULL, DBUS_TYPE_INVALID));
}

/* How many rules there are, and how often the first has acted. */
static int count_rules(const struct world *world, uint32_t *ret_acted)
{
	DBusMessage *reply = call(world->client, BUS_PATH_MANAGER, BUS_INTERFACE_SIMULATOR, "Rules",
				  NULL, DBUS_TYPE_INVALID);
	DBusMessageIter iter;
	DBusMessageIter array;
	DBusMessageIter rule;
	int count;

	assert_true(dbus_message_has_signature(reply, "a(usua{sv})"));
	assert_true(dbus_message_iter_init(reply, &iter));
	count = dbus_message_iter_get_element_count(&iter);
	if (count > 0) {
		dbus_message_iter_recurse(&iter, &array);
		dbus_message_iter_recurse(&array, &rule);
		(void)dbus_message_iter_next(&rule);
		(void)dbus_message_iter_next(&rule);
		dbus_message_iter_get_basic(&rule, ret_acted);
	}
	dbus_message_unref(reply);
	return count;
}

/* An address space with memory and the edu device's group. */
static char *open_stage(const struct world *world, const char *name)
{
	char *space = space_create(world->client, name);
	int fd = memory_new(MEMORY_SIZE);

	attach(world->client, space, world->host->edu, NULL);
	(void)add_memory(world->client, space, fd, 0, 0, MEMORY_SIZE, 0, NULL);
	(void)close(fd);
	return space;
}

static void test_each_third_fails_until_it_is_taken_back(void **state)
{
	static const struct option options[] = {
		{"errno", DBUS_TYPE_INT32, ENOMEM}, {"every", DBUS_TYPE_UINT32, 3}, OPTION_END};
	const struct world *world = *state;
	uint32_t acted = 0;
	uint32_t id;
	char *space;

	skip_without_tce(world);
	space = open_stage(world, "third");
	id = add_rule(world, "VFIO_IOMMU_MAP_DMA", options);
	for (uint64_t i = 1; i <= 7; i++) {
		map(world->client, space, i * 0x1000, 0, 0x1000, PROT_DEVICE_BOTH,
		    i % 3 == 0 ? "TableMemory" : NULL);
	}
	assert_int_equal(count_rules(world, &acted), 1);
	assert_int_equal(acted, 2);
	remove_rule(world, id, NULL);
	remove_rule(world, id, "NotFound");
	for (uint64_t i = 8; i <= 12; i++) {
		map(world->client, space, i * 0x1000, 0, 0x1000, PROT_DEVICE_BOTH, NULL);
	}
	assert_int_equal(get_statistic(world, "mapped_tces"), 10);
	space_close(world->client, space);
	wait_until_nothing_is_left(world);
}

static void test_rules_that_make_no_sense(void **state)
{
	static const struct option cases[][3] = {
		{OPTION_END},
		{{"skip", DBUS_TYPE_UINT32, 1}, OPTION_END},
		{{"nonsense", DBUS_TYPE_UINT32, 1}, OPTION_END},
		{{"errno", DBUS_TYPE_UINT32, 1}, OPTION_END},
		{{"errno", DBUS_TYPE_INT32, 5000}, OPTION_END},
		{{"errno", DBUS_TYPE_INT32, 1}, {"result", DBUS_TYPE_INT32, 1}, OPTION_END},
	};
	static const struct option right[] = {{"errno", DBUS_TYPE_INT32, EIO}, OPTION_END};
	const struct world *world = *state;
	uint32_t acted = 0;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		assert_int_equal(add_rule(world, "VFIO_IOMMU_MAP_DMA", cases[i]), 0);
	}
	assert_int_equal(add_rule(world, "nonsense", right), 0);
	assert_int_equal(count_rules(world, &acted), 0);
	(void)add_rule(world, "VFIO_EEH_PE_RESET_FUNDAMENTAL", right);
	fail_next(world, "VFIO_IOMMU_MAP_DMA", 0, EIO);
	delay(world, "open:/dev/vfio/0", 1);
	assert_int_equal(count_rules(world, &acted), 3);
	/* The two old verbs take back what they made. */
	fail_next(world, "VFIO_IOMMU_MAP_DMA", 0, 0);
	delay(world, "open:/dev/vfio/0", 0);
	assert_int_equal(count_rules(world, &acted), 1);
	clear_rules(world);
	assert_int_equal(count_rules(world, &acted), 0);
}

/* H1: a kernel may fail with a positive number. spaprd takes it for no success. */
static void test_positive_failures(void **state)
{
	static const struct option options[] = {
		{"result", DBUS_TYPE_INT32, 1}, {"times", DBUS_TYPE_UINT32, 1}, OPTION_END};
	const struct world *world = *state;
	int fd = memory_new(MEMORY_SIZE);
	char *space;

	skip_without_tce(world);
	space = open_stage(world, "positive");
	(void)add_rule(world, "VFIO_IOMMU_SPAPR_REGISTER_MEMORY", options);
	(void)add_memory(world->client, space, fd, 0, MEMORY_SIZE, MEMORY_SIZE, 0, "KernelError");
	(void)add_rule(world, "VFIO_IOMMU_MAP_DMA", options);
	map(world->client, space, 0, 0, 0x1000, PROT_DEVICE_BOTH, "KernelError");
	assert_int_equal(get_number(world->client, space, BUS_INTERFACE_SPACE, "Mappings"), 0);
	map(world->client, space, 0, 0, 0x1000, PROT_DEVICE_BOTH, NULL);
	(void)add_rule(world, "VFIO_IOMMU_UNMAP_DMA", options);
	unmap(world->client, space, 0, 0x1000, "KernelError");
	assert_int_equal(get_number(world->client, space, BUS_INTERFACE_SPACE, "Mappings"), 1);
	unmap(world->client, space, 0, 0x1000, NULL);
	(void)close(fd);
	space_close(world->client, space);
	wait_until_nothing_is_left(world);
}

static uint64_t milliseconds_now(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void test_delay_lasts(void **state)
{
	const struct world *world = *state;
	uint64_t took = UINT64_MAX;
	uint64_t begin;
	char *space;

	skip_without_tce(world);
	space = open_stage(world, "delay");
	delay(world, "VFIO_IOMMU_MAP_DMA", 150);
	for (uint64_t i = 0; i < 3; i++) {
		begin = milliseconds_now();
		map(world->client, space, i * 0x1000, 0, 0x1000, PROT_DEVICE_BOTH, NULL);
		assert_true(milliseconds_now() - begin >= 150);
	}
	delay(world, "VFIO_IOMMU_MAP_DMA", 0);
	/* The machine may be busy at times, but not each time. */
	for (uint64_t i = 3; i < 20 && took >= 150; i++) {
		begin = milliseconds_now();
		map(world->client, space, i * 0x1000, 0, 0x1000, PROT_DEVICE_BOTH, NULL);
		took = milliseconds_now() - begin;
	}
	assert_true(took < 150);
	space_close(world->client, space);
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
		cmocka_unit_test(test_each_third_fails_until_it_is_taken_back),
		cmocka_unit_test(test_rules_that_make_no_sense),
		cmocka_unit_test(test_positive_failures),
		cmocka_unit_test(test_delay_lasts),
	};

	return cmocka_run_group_tests_name("faults", tests, world_start, world_stop);
}
