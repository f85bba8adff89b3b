/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Groups that are held: what is refused meanwhile and what goes on, and what verifying finds. */
#include <errno.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <stdlib.h>
#include <string.h>

#include "space_fixture.h"
#include "vfio/device.h"
#include "vfio/space_private.h"

#define GOOD_STATUS (VFIO_GROUP_FLAGS_VIABLE | VFIO_GROUP_FLAGS_CONTAINER_SET)

/* A kernel that tells the status of groups, and has devices that are bus masters. */
struct status_kernel {
	struct kernel kernel;
	uint32_t flags;
	int result;
	unsigned int closed; /* devices */
	uint16_t command;
	unsigned int quieted; /* the times that one was no bus master any more */
	unsigned int resets;
	int reset_result;
	bool no_reset; /* it has none */
	bool stuck;    /* it stays a bus master */
};

static int status_ioctl(struct kernel *kernel, int fd, unsigned long request, void *argument)
{
	struct status_kernel *status = (struct status_kernel *)kernel;

	(void)fd;
	switch (request) {
	case VFIO_DEVICE_GET_INFO:
		((struct vfio_device_info *)argument)->flags =
			status->no_reset ? 0 : VFIO_DEVICE_FLAGS_RESET;
		return 0;
	case VFIO_DEVICE_GET_PCI_HOT_RESET_INFO:
		return -ENODEV;
	case VFIO_DEVICE_RESET:
		/* Config space is put back as it was. */
		assert_true(status->stuck || !(status->command & PCI_COMMAND_MASTER));
		status->resets++;
		return status->reset_result;
	default:
		assert_int_equal(request, VFIO_GROUP_GET_STATUS);
		((struct vfio_group_status *)argument)->flags = status->flags;
		return status->result;
	}
}

static ssize_t status_read(struct kernel *kernel, int fd, uint64_t offset, void *data, size_t size)
{
	(void)fd;
	memset(data, 0, size);
	if (offset == PCI_COMMAND) {
		memcpy(data, &((struct status_kernel *)kernel)->command, size);
	}
	return (ssize_t)size;
}

static ssize_t status_write(struct kernel *kernel, int fd, uint64_t offset, const void *data,
			    size_t size)
{
	struct status_kernel *status = (struct status_kernel *)kernel;

	(void)fd;
	assert_int_equal(offset, PCI_COMMAND);
	if (!status->stuck) {
		memcpy(&status->command, data, size);
	}
	status->quieted += !(status->command & PCI_COMMAND_MASTER);
	return (ssize_t)size;
}

static void status_close(struct kernel *kernel, int fd)
{
	(void)fd;
	((struct status_kernel *)kernel)->closed++;
}

static const struct kernel_operations status_operations = {
	.ioctl = status_ioctl,
	.read = status_read,
	.write = status_write,
	.close = status_close,
};

static struct status_kernel make_kernel(void)
{
	return (struct status_kernel){
		.kernel = {.operations = &status_operations},
		.flags = GOOD_STATUS,
		.command = PCI_COMMAND_MASTER,
	};
}

static int hold(struct fixture *fixture, uint32_t group, bool alone, struct space_hold *ret_hold)
{
	return space_hold_group(fixture->space, group, alone ? HOLD_ALONE : HOLD_GROUP, ret_hold,
				&fixture->error);
}

static void expect_words(const struct fixture *fixture, const char *words)
{
	if (!strstr(fixture->error.text, words)) {
		fail_msg("\"%s\" is not in \"%s\"", words, fixture->error.text);
	}
}

/* Give a group a device that is open. */
static struct device *add_device(const struct space_hold *held, struct status_kernel *kernel)
{
	struct device *device = calloc(1, sizeof(*device));

	assert_non_null(device);
	device->kernel = &kernel->kernel;
	device->fd = 99;
	device->config_size = 256;
	strcpy(device->name, "0000:01:00.0");
	device->next = held->group->devices;
	held->group->devices = device;
	return device;
}

static void test_hold(void **state)
{
	struct space_hold held;
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	assert_int_equal(hold(&fixture, 1, false, &held), ERROR_NOT_FOUND);
	assert_int_equal(attach(&fixture, 1), 0);
	assert_false(space_holds_groups(fixture.space));
	assert_int_equal(hold(&fixture, 1, false, &held), 0);
	assert_ptr_equal(held.container, space_container(fixture.space, 0));
	assert_int_equal(held.group->number, 1);
	assert_true(space_holds_groups(fixture.space));
	space_release_group(fixture.space, &held);
	assert_false(space_holds_groups(fixture.space));
	assert_int_equal(detach(&fixture, 1), 0);
	fixture_close(&fixture);
}

/* One at a time for each group, but beside those of others. */
static void test_hold_twice(void **state)
{
	struct space_hold first;
	struct space_hold second;
	struct space_hold third;
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	assert_int_equal(attach(&fixture, 1), 0);
	assert_int_equal(attach_shared(&fixture, 2), 0);
	assert_int_equal(attach(&fixture, 3), 0);
	assert_int_equal(hold(&fixture, 1, false, &first), 0);
	assert_int_equal(hold(&fixture, 1, false, &second), ERROR_BUSY);
	expect_words(&fixture, "an operation on group 1 is under way");
	assert_int_equal(hold(&fixture, 2, false, &second), 0);
	assert_int_equal(hold(&fixture, 3, false, &third), 0);
	space_release_group(fixture.space, &first);
	assert_int_equal(hold(&fixture, 1, false, &first), 0);
	space_release_group(fixture.space, &third);
	space_release_group(fixture.space, &second);
	assert_true(space_holds_groups(fixture.space));
	space_release_group(fixture.space, &first);
	assert_false(space_holds_groups(fixture.space));
	fixture_close(&fixture);
}

/* H42: VFIO_EEH_PE_OP goes over all groups of the container. */
static void test_h42_alone(void **state)
{
	struct space_hold held;
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	assert_int_equal(attach(&fixture, 1), 0);
	assert_int_equal(hold(&fixture, 1, true, &held), ERROR_EEH_UNAVAILABLE);
	expect_words(&fixture, "no EEH");
	assert_int_equal(detach(&fixture, 1), 0);
	fake_host.eeh = true;
	assert_int_equal(attach(&fixture, 1), 0);
	assert_int_equal(hold(&fixture, 1, true, &held), 0);
	space_release_group(fixture.space, &held);
	assert_int_equal(attach_shared(&fixture, 2), 0);
	assert_int_equal(attach_shared(&fixture, 5), 0);
	assert_int_equal(hold(&fixture, 2, true, &held), ERROR_EEH_MANY_GROUPS);
	expect_words(&fixture, "group 2 shares container 101 with groups 1, 5");
	assert_false(space_holds_groups(fixture.space));
	assert_int_equal(hold(&fixture, 2, false, &held), 0);
	space_release_group(fixture.space, &held);
	assert_int_equal(detach(&fixture, 1), 0);
	assert_int_equal(detach(&fixture, 5), 0);
	assert_int_equal(hold(&fixture, 2, true, &held), 0);
	space_release_group(fixture.space, &held);
	fixture_close(&fixture);
}

/* No group of the container leaves, and none joins: the kernel's operation would meet it. */
static void test_groups_stay(void **state)
{
	struct space_hold held;
	struct fixture fixture;
	char before[SNAPSHOT_SIZE];
	char after[SNAPSHOT_SIZE];

	(void)state;
	fixture_open(&fixture);
	assert_int_equal(attach(&fixture, 1), 0);
	assert_int_equal(attach_shared(&fixture, 2), 0);
	assert_int_equal(hold(&fixture, 1, false, &held), 0);
	snapshot(&fixture, before);
	assert_int_equal(detach(&fixture, 1), ERROR_BUSY);
	expect_words(&fixture, "group 1 can't leave container 101");
	assert_int_equal(detach(&fixture, 2), ERROR_BUSY);
	expect_words(&fixture, "an operation on group 1 is under way");
	snapshot(&fixture, after);
	assert_string_equal(before, after);
	fake_host.joins = 0;
	assert_int_equal(attach_shared(&fixture, 3), 0);
	assert_int_equal(fake_host.joins, 0);
	assert_int_equal(fixture.outcome.container_id, 103);
	space_release_group(fixture.space, &held);
	assert_int_equal(attach_shared(&fixture, 4), 0);
	assert_int_equal(fixture.outcome.container_id, 101);
	assert_int_equal(detach(&fixture, 1), 0);
	fixture_close(&fixture);
}

static void test_last_group_stays(void **state)
{
	struct space_hold held;
	struct fixture fixture;
	char before[SNAPSHOT_SIZE];
	char after[SNAPSHOT_SIZE];

	(void)state;
	fixture_open(&fixture);
	assert_int_equal(attach(&fixture, 1), 0);
	assert_int_equal(hold(&fixture, 1, false, &held), 0);
	snapshot(&fixture, before);
	assert_int_equal(detach(&fixture, 1), ERROR_BUSY);
	snapshot(&fixture, after);
	assert_string_equal(before, after);
	space_release_group(fixture.space, &held);
	assert_int_equal(detach(&fixture, 1), 0);
	fixture_close(&fixture);
}

/* Whatever is about tables goes on, in the held container as in the others. */
static void test_the_rest_goes_on(void **state)
{
	struct space_hold held;
	struct fixture fixture;
	struct window window;
	uint32_t id = 0;

	(void)state;
	fixture_open(&fixture);
	assert_int_equal(attach(&fixture, 1), 0);
	assert_int_equal(attach(&fixture, 2), 0);
	assert_int_equal(hold(&fixture, 1, false, &held), 0);
	assert_int_equal(add_memory(&fixture, 0, 0, &id), 0);
	assert_int_equal(create_window(&fixture, WORKER_WINDOW_ANYWHERE, &window), 0);
	assert_int_equal(map(&fixture, window.range.start, 0, 0x1000), 0);
	assert_int_equal(unmap(&fixture, window.range.start, 0x1000), 0);
	assert_int_equal(remove_window(&fixture, window.range.start), 0);
	assert_int_equal(remove_memory(&fixture, id), 0);
	assert_int_equal(detach(&fixture, 2), 0);
	space_release_group(fixture.space, &held);
	fixture_close(&fixture);
}

static void test_find_device(void **state)
{
	struct status_kernel kernel = make_kernel();
	struct space_hold held;
	struct fixture fixture;
	struct device *device;

	(void)state;
	fixture_open(&fixture);
	assert_null(space_find_device(fixture.space, 1, "0000:01:00.0"));
	assert_int_equal(attach(&fixture, 1), 0);
	assert_int_equal(attach(&fixture, 2), 0);
	assert_int_equal(hold(&fixture, 1, false, &held), 0);
	device = add_device(&held, &kernel);
	assert_ptr_equal(space_find_device(fixture.space, 1, "0000:01:00.0"), device);
	assert_null(space_find_device(fixture.space, 1, "0000:01:00.1"));
	assert_null(space_find_device(fixture.space, 2, "0000:01:00.0"));
	space_release_group(fixture.space, &held);
	assert_int_equal(detach(&fixture, 1), 0);
	assert_int_equal(kernel.closed, 1);
	fixture_close(&fixture);
}

/* H16: DMA to what isn't mapped any more would freeze the PE, so the devices are quiet, and reset,
 * before anything is taken from them. */
static void test_h16_devices_are_quiet_first(void **state)
{
	struct status_kernel kernel = make_kernel();
	struct space_change *change = NULL;
	struct space_hold held;
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	assert_int_equal(attach(&fixture, 1), 0);
	assert_int_equal(attach(&fixture, 2), 0);
	assert_int_equal(add_memory(&fixture, 0, 0, NULL), 0);
	assert_int_equal(map(&fixture, 0, 0, 0x1000), 0);
	assert_int_equal(hold(&fixture, 1, false, &held), 0);
	(void)add_device(&held, &kernel);
	space_release_group(fixture.space, &held);
	fake_host.calls = 0;
	fake_host.fail = 1;
	/* The unmapping. */
	assert_int_equal(detach(&fixture, 1), ERROR_KERNEL);
	assert_int_equal(kernel.command, 0);
	assert_int_equal(kernel.closed, 0);
	fake_host.fail = 0;
	fake_host.calls = 0;
	kernel.command = PCI_COMMAND_MASTER;
	assert_int_equal(space_detach_begin(fixture.space, 1, &change, &fixture.error), 0);
	assert_int_equal(kernel.command, 0);
	assert_null(space_find_device(fixture.space, 1, "0000:01:00.0"));
	/* Meanwhile others map. */
	assert_int_equal(map(&fixture, 0x1000, 0x1000, 0x1000), 0);
	fake_host.calls = 0;
	space_change_work(change);
	assert_int_equal(kernel.resets, 2);
	assert_int_equal(fake_host.calls, 0);
	assert_true(space_change_advance(change));
	assert_true(fake_host.calls > 0);
	assert_int_equal(kernel.closed, 0);
	space_change_work(change);
	assert_int_equal(kernel.closed, 1);
	assert_false(space_change_advance(change));
	assert_int_equal(space_change_finish(change, NULL, NULL), 0);
	assert_int_equal(kernel.resets, 2);
	fixture_close(&fixture);
	assert_int_equal(kernel.closed, 1);
}

/* A space with a mapping, and a group 1 that has a device open; group 2 has nothing. */
static void prepare(struct fixture *fixture, struct status_kernel *kernel, bool shared)
{
	struct space_hold held;

	fixture_open(fixture);
	assert_int_equal(attach(fixture, 1), 0);
	assert_int_equal(shared ? attach_shared(fixture, 2) : attach(fixture, 2), 0);
	assert_int_equal(add_memory(fixture, 0, 0, NULL), 0);
	assert_int_equal(map(fixture, 0, 0, 0x1000), 0);
	assert_int_equal(hold(fixture, 1, false, &held), 0);
	(void)add_device(&held, kernel);
	space_release_group(fixture->space, &held);
	fake_host.calls = 0;
}

static void expect_detach_refused(struct status_kernel *kernel, bool shared, const char *words)
{
	char before[SNAPSHOT_SIZE];
	char after[SNAPSHOT_SIZE];
	struct fixture fixture;

	prepare(&fixture, kernel, shared);
	snapshot(&fixture, before);
	fixture.error.text[0] = '\0';
	assert_int_equal(detach(&fixture, 1), ERROR_QUARANTINED);
	expect_words(&fixture, words);
	expect_words(&fixture, "group 1 is not let go, for its device 0000:01:00.0");
	assert_int_equal(fake_host.calls, 0);
	assert_int_equal(kernel->closed, 0);
	snapshot(&fixture, after);
	assert_string_equal(before, after);
	/* It is still there, and can be tried again. */
	assert_non_null(space_find_device(fixture.space, 1, "0000:01:00.0"));
	kernel->reset_result = 0;
	kernel->stuck = false;
	kernel->command = 0;
	assert_int_equal(detach(&fixture, 1), 0);
	assert_int_equal(kernel->closed, 1);
	fixture_close(&fixture);
}

/* H40: who lets a group go lets its devices reach all memory. */
static void test_h40_detach_of_what_is_not_stopped(void **state)
{
	(void)state;
	for (unsigned int shared = 0; shared < 2; shared++) {
		struct status_kernel refusing = make_kernel();
		struct status_kernel stuck = make_kernel();

		refusing.reset_result = -EIO;
		expect_detach_refused(&refusing, shared, "(EIO)");
		stuck.stuck = true;
		expect_detach_refused(&stuck, shared, "still a bus master (command 0x4)");
	}
}

/* Without any reset the command register is all that there is. */
static void test_h40_without_a_reset(void **state)
{
	struct status_kernel quiet = make_kernel();
	struct status_kernel stuck = make_kernel();
	struct fixture fixture;

	(void)state;
	quiet.no_reset = true;
	prepare(&fixture, &quiet, false);
	assert_int_equal(detach(&fixture, 1), 0);
	assert_int_equal(quiet.command, 0);
	assert_int_equal(quiet.resets, 0);
	fixture_close(&fixture);
	stuck.no_reset = true;
	stuck.stuck = true;
	expect_detach_refused(&stuck, false, "still a bus master");
}

static void expect_kept(struct fixture *fixture, const char *why)
{
	const struct group *group;
	unsigned int index = 0;

	group = space_next_kept(fixture->space, &index);
	assert_non_null(group);
	assert_int_equal(group->number, 1);
	assert_string_equal(group->obstacle.device, "0000:01:00.0");
	if (!strstr(group->obstacle.why, why)) {
		fail_msg("\"%s\" is not in \"%s\"", why, group->obstacle.why);
	}
	assert_null(space_next_kept(fixture->space, &index));
	assert_int_equal(space_container(fixture->space, 0)->group_count, 1);
	assert_null(space_container(fixture->space, 1));
	assert_int_equal(fake_host.live, 1);
}

/* What is kept has no mappings, windows or memory any more, and is let go when it is stopped. */
static void test_h40_close_keeps(void **state)
{
	(void)state;
	for (unsigned int shared = 0; shared < 2; shared++) {
		struct status_kernel kernel = make_kernel();
		struct fixture fixture;
		char text[1024];

		kernel.reset_result = -EIO;
		prepare(&fixture, &kernel, shared);
		space_close(fixture.space);
		assert_int_equal(kernel.resets, 1);
		assert_int_equal(kernel.closed, 0);
		expect_kept(&fixture, "(EIO)");
		fake_container_print(space_container(fixture.space, 0), text, sizeof(text));
		assert_null(strstr(text, "section"));
		assert_null(strstr(text, "mapping"));
		assert_null(strstr(text, "0x8000"));
		assert_int_equal(space_stop_again(fixture.space, 2, false, &fixture.error),
				 ERROR_NOT_FOUND);
		assert_int_equal(space_stop_again(fixture.space, 1, false, &fixture.error),
				 ERROR_QUARANTINED);
		expect_kept(&fixture, "(EIO)");
		kernel.reset_result = 0;
		assert_int_equal(space_stop_again(fixture.space, 1, false, &fixture.error), 0);
		assert_int_equal(kernel.closed, 1);
		assert_int_equal(space_let_go(fixture.space, 1, &fixture.error), 0);
		assert_int_equal(fake_host.live, 0);
		fixture_close(&fixture);
	}
}

static void test_release_anyway(void **state)
{
	struct status_kernel kernel = make_kernel();
	struct fixture fixture;

	(void)state;
	kernel.stuck = true;
	prepare(&fixture, &kernel, false);
	space_close(fixture.space);
	expect_kept(&fixture, "is still a bus master");
	assert_int_equal(space_stop_again(fixture.space, 1, true, &fixture.error), 0);
	assert_int_equal(kernel.closed, 1);
	space_let_stopped_go(fixture.space); /* it isn't */
	assert_int_equal(fake_host.live, 1);
	assert_int_equal(space_let_go(fixture.space, 1, &fixture.error), 0);
	assert_int_equal(fake_host.live, 0);
	fixture_close(&fixture);
}

static void test_close_quiets(void **state)
{
	struct status_kernel kernel = make_kernel();
	struct space_hold held;
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	assert_int_equal(attach(&fixture, 1), 0);
	assert_int_equal(hold(&fixture, 1, false, &held), 0);
	(void)add_device(&held, &kernel);
	space_release_group(fixture.space, &held);
	space_close(fixture.space);
	assert_int_equal(kernel.command, 0);
	assert_int_equal(kernel.closed, 1);
	fixture_close(&fixture);
}

/* One of several groups: its devices are closed by the part that may take long, and then it leaves,
 * while the devices of the others are quiet for the moment in which nothing is mapped. */
static void test_leave_with_devices(void **state)
{
	static const struct space_policy replaying = {.replay_shared = true};
	struct status_kernel leaving = make_kernel();
	struct status_kernel staying = make_kernel();
	struct space_change *change = NULL;
	struct space_hold held;
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	fake_host.leaving_clears = true;
	assert_int_equal(attach(&fixture, 1), 0);
	assert_int_equal(attach_shared(&fixture, 2), 0);
	assert_int_equal(add_memory(&fixture, 0, 0, NULL), 0);
	assert_int_equal(map(&fixture, 0, 0, 0x1000), 0);
	assert_int_equal(hold(&fixture, 1, false, &held), 0);
	(void)add_device(&held, &leaving);
	space_release_group(fixture.space, &held);
	assert_int_equal(hold(&fixture, 2, false, &held), 0);
	(void)add_device(&held, &staying);
	space_release_group(fixture.space, &held);
	/* What policy doesn't allow closes no device. */
	assert_int_equal(detach(&fixture, 1), ERROR_MEMORY_IN_USE);
	assert_int_equal(leaving.closed, 0);
	assert_non_null(space_find_device(fixture.space, 1, "0000:01:00.0"));
	space_set_policy(fixture.space, &replaying);
	assert_int_equal(space_detach_begin(fixture.space, 1, &change, &fixture.error), 0);
	assert_int_equal(leaving.closed, 0);
	assert_int_equal(hold(&fixture, 1, false, &held), ERROR_BUSY);
	assert_int_equal(hold(&fixture, 2, false, &held), ERROR_BUSY);
	expect_words(&fixture, "a group is leaving container 101 of group 2");
	/* The mapping is still there, and more may come. */
	assert_int_equal(map(&fixture, 0x1000, 0x1000, 0x1000), 0);
	space_change_work(change);
	assert_int_equal(leaving.closed, 1);
	assert_int_equal(space_change_finish(change, &fixture.outcome, &fixture.error), 0);
	assert_int_equal(fixture.outcome.replayed, 2);
	assert_int_equal(fixture.outcome.container_id, 101);
	assert_int_equal(staying.closed, 0);
	assert_int_equal(staying.quieted, 1);
	assert_int_equal(staying.command, PCI_COMMAND_MASTER);
	assert_int_equal(hold(&fixture, 2, false, &held), 0);
	space_release_group(fixture.space, &held);
	fixture_close(&fixture);
	assert_int_equal(staying.closed, 1);
}

/* It may fail only then. */
static void test_leave_fails_at_the_end(void **state)
{
	struct status_kernel kernel = make_kernel();
	struct space_change *change = NULL;
	struct space_hold held;
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	assert_int_equal(attach(&fixture, 1), 0);
	assert_int_equal(attach_shared(&fixture, 2), 0);
	assert_int_equal(hold(&fixture, 1, false, &held), 0);
	(void)add_device(&held, &kernel);
	space_release_group(fixture.space, &held);
	assert_int_equal(space_detach_begin(fixture.space, 1, &change, &fixture.error), 0);
	space_change_work(change);
	fake_host.calls = 0;
	fake_host.fail = 1;
	assert_int_equal(space_change_finish(change, NULL, &fixture.error), ERROR_KERNEL);
	assert_int_equal(kernel.closed, 1);
	fake_host.fail = 0;
	assert_int_equal(space_container(fixture.space, 0)->group_count, 2);
	assert_int_equal(hold(&fixture, 1, false, &held), 0);
	space_release_group(fixture.space, &held);
	assert_int_equal(detach(&fixture, 1), 0);
	fixture_close(&fixture);
}

static int verify(struct fixture *fixture, struct status_kernel *kernel)
{
	struct space_hold held;
	struct kernel *own;
	int r;

	assert_int_equal(hold(fixture, 1, false, &held), 0);
	own = held.group->kernel;
	held.group->kernel = &kernel->kernel;
	r = space_verify_group(fixture->space, &held, &fixture->error);
	held.group->kernel = own;
	space_release_group(fixture->space, &held);
	return r;
}

static void test_verify(void **state)
{
	static const struct {
		uint32_t flags;
		int result;
		const char *words;
	} cases[] = {
		{0, -ENODEV, "doesn't tell the status of group 1"},
		{GOOD_STATUS, 1, "doesn't tell the status of group 1"},
		{VFIO_GROUP_FLAGS_VIABLE, 0, "has left container 101"},
		{VFIO_GROUP_FLAGS_CONTAINER_SET, 0, "not viable any more"},
	};
	struct status_kernel kernel = make_kernel();
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	assert_int_equal(attach(&fixture, 1), 0);
	assert_int_equal(verify(&fixture, &kernel), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		kernel.flags = cases[i].flags;
		kernel.result = cases[i].result;
		assert_int_equal(verify(&fixture, &kernel), ERROR_RECOVERY_FAILED);
		expect_words(&fixture, cases[i].words);
	}
	kernel = make_kernel();
	fake_host.differs = true;
	assert_int_equal(verify(&fixture, &kernel), ERROR_RECOVERY_FAILED);
	expect_words(&fixture, "container 101 differs");
	fake_host.differs = false;
	assert_int_equal(verify(&fixture, &kernel), 0);
	fixture_close(&fixture);
}

/* Behind the back of the space: a mapping that no window is around. */
static void enter(struct fixture *fixture, uint64_t iova, uint64_t size)
{
	struct mapping mapping = {.iova = {iova, size}, .prot = 3};

	assert_int_equal(ledger_insert(fixture->space->ledger, &mapping, NULL), 0);
}

static void expect_outside(struct fixture *fixture, uint64_t iova, uint64_t size)
{
	struct status_kernel kernel = make_kernel();

	enter(fixture, iova, size);
	assert_int_equal(verify(fixture, &kernel), ERROR_RECOVERY_FAILED);
	expect_words(fixture, range_format((struct range){iova, size}).text);
	expect_words(fixture, "is not inside of a window");
	assert_int_equal(ledger_erase(fixture->space->ledger, (struct range){iova, size}), 0);
	assert_int_equal(verify(fixture, &kernel), 0);
}

static void test_verify_mappings(void **state)
{
	struct status_kernel kernel = make_kernel();
	struct fixture fixture;
	struct window window;
	uint64_t end;

	(void)state;
	fixture_open(&fixture);
	assert_int_equal(attach(&fixture, 1), 0);
	assert_int_equal(add_memory(&fixture, 0, 0, NULL), 0);
	assert_int_equal(create_window(&fixture, WORKER_WINDOW_ANYWHERE, &window), 0);
	assert_true(window.range.start > FAKE_DEFAULT_SIZE);
	end = window.range.start + window.range.size;
	/* The first and the last page of each. */
	assert_int_equal(map(&fixture, 0, 0, 0x1000), 0);
	assert_int_equal(map(&fixture, FAKE_DEFAULT_SIZE - 0x1000, 0, 0x1000), 0);
	assert_int_equal(map(&fixture, window.range.start, 0, 0x1000), 0);
	assert_int_equal(map(&fixture, end - 0x1000, 0, 0x1000), 0);
	assert_int_equal(verify(&fixture, &kernel), 0);
	expect_outside(&fixture, FAKE_DEFAULT_SIZE, 0x1000);
	expect_outside(&fixture, window.range.start - 0x1000, 0x1000);
	expect_outside(&fixture, end, 0x1000);
	assert_int_equal(unmap(&fixture, FAKE_DEFAULT_SIZE - 0x1000, 0x1000), 0);
	expect_outside(&fixture, FAKE_DEFAULT_SIZE - 0x1000, 0x2000);
	assert_int_equal(unmap(&fixture, window.range.start, 0x1000), 0);
	expect_outside(&fixture, window.range.start - 0x1000, 0x2000);
	assert_int_equal(unmap(&fixture, end - 0x1000, 0x1000), 0);
	expect_outside(&fixture, end - 0x1000, 0x2000);
	fixture_close(&fixture);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hold),
		cmocka_unit_test(test_hold_twice),
		cmocka_unit_test(test_h42_alone),
		cmocka_unit_test(test_groups_stay),
		cmocka_unit_test(test_last_group_stays),
		cmocka_unit_test(test_the_rest_goes_on),
		cmocka_unit_test(test_find_device),
		cmocka_unit_test(test_h16_devices_are_quiet_first),
		cmocka_unit_test(test_h40_detach_of_what_is_not_stopped),
		cmocka_unit_test(test_h40_without_a_reset),
		cmocka_unit_test(test_h40_close_keeps),
		cmocka_unit_test(test_release_anyway),
		cmocka_unit_test(test_close_quiets),
		cmocka_unit_test(test_leave_with_devices),
		cmocka_unit_test(test_leave_fails_at_the_end),
		cmocka_unit_test(test_verify),
		cmocka_unit_test(test_verify_mappings),
	};

	return cmocka_run_group_tests_name("space-hold", tests, NULL, NULL);
}
