/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Groups that join a container and leave it, over a kernel that answers what it is told. */
#include "vfio/container.h"

#include <errno.h>
#include <linux/vfio.h>
#include <string.h>

#include "unit.h"

#define CONTAINER_FD 1000
#define GROUP_FD     1001 /* and so on */

struct answers {
	struct kernel kernel;
	uint32_t status; /* VFIO_GROUP_FLAGS_* */
	int set;         /* results of VFIO_GROUP_SET_CONTAINER */
	int unset;
	unsigned int sets; /* that went well */
	unsigned int unsets;
	unsigned int closed[8]; /* by fd from CONTAINER_FD on */
};

static int answer_ioctl(struct kernel *kernel, int fd, unsigned long request, void *argument)
{
	struct answers *answers = (struct answers *)kernel;
	int result = 0;

	assert_in_range(fd, GROUP_FD, GROUP_FD + 6);
	assert_int_equal(answers->closed[fd - CONTAINER_FD], 0);
	switch (request) {
	case VFIO_GROUP_GET_STATUS:
		((struct vfio_group_status *)argument)->flags = answers->status;
		break;
	case VFIO_GROUP_SET_CONTAINER:
		assert_int_equal(*(int *)argument, CONTAINER_FD);
		result = answers->set;
		answers->sets += result == 0;
		break;
	case VFIO_GROUP_UNSET_CONTAINER:
		result = answers->unset;
		answers->unsets += result == 0;
		break;
	default:
		fail_msg("ioctl %lx", request);
	}
	return result;
}

static void answer_close(struct kernel *kernel, int fd)
{
	((struct answers *)kernel)->closed[fd - CONTAINER_FD]++;
}

static const struct kernel_operations answer_operations = {
	.ioctl = answer_ioctl,
	.close = answer_close,
};

static enum error_code changed_code;
static unsigned int changed_calls;

static int groups_changed(struct container *container, struct error *error)
{
	(void)container;
	changed_calls++;
	return changed_code ? error_set(error, changed_code, EIO, "look at the groups") : 0;
}

static const struct container_operations container_operations = {
	.join = container_vfio_join,
	.leave = container_vfio_leave,
	.groups_changed = groups_changed,
};

static void set_up(struct answers *answers, struct container *container)
{
	changed_code = ERROR_NONE;
	changed_calls = 0;
	*answers = (struct answers){.kernel = {.operations = &answer_operations},
				    .status = VFIO_GROUP_FLAGS_VIABLE};
	*container = (struct container){
		.operations = &container_operations,
		.kernel = &answers->kernel,
		.fd = CONTAINER_FD,
		.id = 5,
		.groups = {{.kernel = &answers->kernel,
			    .number = 7,
			    .fd = GROUP_FD,
			    .attached = true}},
		.group_count = 1,
	};
}

static void test_join_and_leave(void **state)
{
	struct answers answers;
	struct container container;
	struct error error;

	(void)state;
	set_up(&answers, &container);
	assert_int_equal(container_join(&container, GROUP_FD + 1, 8, &error), 0);
	assert_int_equal(container.group_count, 2);
	assert_int_equal(container.groups[1].number, 8);
	assert_int_equal(changed_calls, 1);
	assert_int_equal(container_leave(&container, 7, NULL, &error), 0);
	assert_int_equal(container.group_count, 1);
	assert_int_equal(container.groups[0].number, 8);
	assert_int_equal(changed_calls, 2);
	assert_int_equal(answers.unsets, 1);
	assert_int_equal(answers.closed[1], 1);
	assert_int_equal(answers.closed[2], 0);
	assert_int_equal(container_leave(&container, 7, NULL, &error), ERROR_NOT_FOUND);
	container_done(&container);
	assert_int_equal(answers.unsets, 2);
	assert_int_equal(answers.closed[0], 1);
	assert_int_equal(answers.closed[1], 1);
	assert_int_equal(answers.closed[2], 1);
}

/* A group that isn't taken can be offered to the next container. */
static void test_fd_of_refused_group(void **state)
{
	static const int refusals[] = {-EINVAL, -EBUSY, -EPERM, -ENODEV, -ENOMEM, 1};
	struct answers answers;
	struct container container;
	struct error error;

	(void)state;
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		set_up(&answers, &container);
		answers.set = refusals[i];
		assert_int_not_equal(container_join(&container, GROUP_FD + 1, 8, &error), 0);
		assert_int_equal(error.errnum, refusals[i] < 0 ? -refusals[i] : 0);
		assert_int_equal(container.group_count, 1);
		assert_int_equal(answers.closed[2], 0);
		answers.set = 0;
		assert_int_equal(container_join(&container, GROUP_FD + 1, 8, &error), 0);
		container_done(&container);
		assert_int_equal(answers.closed[2], 1);
	}
	set_up(&answers, &container);
	answers.status = 0;
	assert_int_equal(container_join(&container, GROUP_FD + 1, 8, &error),
			 ERROR_GROUP_NOT_VIABLE);
	answers.status = VFIO_GROUP_FLAGS_VIABLE | VFIO_GROUP_FLAGS_CONTAINER_SET;
	assert_int_equal(container_join(&container, GROUP_FD + 1, 8, &error), ERROR_GROUP_BUSY);
	assert_int_equal(error.errnum, 0);
	assert_int_equal(answers.closed[2], 0);
	container_done(&container);
}

/* When the container can't cope with the group, it goes again, and its fd is as fresh as before. */
static void test_join_is_taken_back(void **state)
{
	struct answers answers;
	struct container container;
	struct error error;

	(void)state;
	set_up(&answers, &container);
	changed_code = ERROR_KERNEL;
	assert_int_equal(container_join(&container, GROUP_FD + 1, 8, &error), ERROR_KERNEL);
	assert_int_equal(container.group_count, 1);
	assert_int_equal(answers.sets, 1);
	assert_int_equal(answers.unsets, 1);
	assert_int_equal(answers.closed[2], 0);
	/* What depends on the groups is looked at again. */
	assert_int_equal(changed_calls, 2);
	changed_code = ERROR_NONE;
	assert_int_equal(container_join(&container, GROUP_FD + 1, 8, &error), 0);
	container_done(&container);
}

static void test_leave_with_fd(void **state)
{
	struct answers answers;
	struct container container;
	struct error error;
	int fd = -1;

	(void)state;
	set_up(&answers, &container);
	assert_int_equal(container_join(&container, GROUP_FD + 1, 8, &error), 0);
	assert_int_equal(container_leave(&container, 8, &fd, &error), 0);
	assert_int_equal(fd, GROUP_FD + 1);
	assert_int_equal(answers.closed[2], 0);
	assert_int_equal(answers.unsets, 1);
	container_done(&container);
	assert_int_equal(answers.closed[2], 0);
}

/* H24: a group leaves its container only while none of its devices is open. */
static void test_h24_open_device_keeps_group(void **state)
{
	struct answers answers;
	struct container container;
	struct error error;
	int fd = -1;

	(void)state;
	set_up(&answers, &container);
	assert_int_equal(container_join(&container, GROUP_FD + 1, 8, &error), 0);
	answers.unset = -EBUSY;
	assert_int_equal(container_leave(&container, 7, &fd, &error), ERROR_BUSY);
	assert_non_null(strstr(error.text,
			       "let group 7 go: another program has a device of the group open"));
	assert_int_equal(container.group_count, 2);
	assert_int_equal(answers.closed[1], 0);
	assert_int_equal(fd, -1);
	/* EINVAL is only what it seems when the group has left indeed. */
	answers.unset = -EINVAL;
	answers.status |= VFIO_GROUP_FLAGS_CONTAINER_SET;
	assert_int_equal(container_leave(&container, 7, &fd, &error), ERROR_KERNEL);
	assert_int_equal(container.group_count, 2);
	/* A group whose devices are gone has left already. */
	answers.status &= ~(uint32_t)VFIO_GROUP_FLAGS_CONTAINER_SET;
	assert_int_equal(container_leave(&container, 7, NULL, &error), 0);
	assert_int_equal(answers.closed[1], 1);
	container_done(&container);
}

static void test_full_container(void **state)
{
	struct answers answers;
	struct container container;
	struct error error;

	(void)state;
	set_up(&answers, &container);
	container.group_count = WORKER_GROUPS_MAX;
	assert_int_equal(container_join(&container, GROUP_FD + 1, 8, &error), ERROR_QUOTA_EXCEEDED);
	assert_non_null(strstr(error.text, "container 5 has 32 groups"));
	assert_int_equal(answers.closed[2], 0);
	assert_int_equal(answers.sets, 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_join_and_leave),
		cmocka_unit_test(test_fd_of_refused_group),
		cmocka_unit_test(test_join_is_taken_back),
		cmocka_unit_test(test_leave_with_fd),
		cmocka_unit_test(test_h24_open_device_keeps_group),
		cmocka_unit_test(test_full_container),
	};

	return cmocka_run_group_tests_name("container", tests, NULL, NULL);
}
