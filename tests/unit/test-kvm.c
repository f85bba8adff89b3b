/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* KVM's VFIO device and guests' TCE tables, by what a kernel may answer. */
#include "spapr/kvm.h"

#include <dirent.h>
#include <errno.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit.h"

#define GROUPS 3
#define TIES   4
#define GIB(n) ((uint64_t)(n) << 30)
#define SECOND (UINT64_C(1) << 59)

/* a VM as KVM has it (virt/kvm/vfio.c); files are told apart by their inodes, as it does by file */

struct kvm_file {
	bool added;
	int fd;
	ino_t ties[TIES];
	unsigned int tie_count;
};

struct stage {
	struct kernel kernel;
	int vm;
	ino_t vfio; /* of the VFIO device that there is */
	bool has_vfio;
	struct kvm_file files[GROUPS];
	struct kvm_group groups[GROUPS];
	int tables[2];
	unsigned int creates; /* that were no tests */
	unsigned int calls;   /* of KVM_SET_DEVICE_ATTR */
	unsigned int fail;    /* the number of the one that fails, from 1; 0: none */
	unsigned int tie_of;  /* ties of this group fail, from 1; 0: none */
	int create_result;    /* unless 0 */
	int test_result;
	int attribute_result; /* of those that fail, and of KVM_HAS_DEVICE_ATTR unless 0 */
	unsigned int fds;     /* that are open before anything is done */
	struct kvm_device *device;
	struct kvm_link link;
};

static ino_t inode_of(int fd)
{
	struct stat status;

	return fstat(fd, &status) == 0 ? status.st_ino : 0;
}

static unsigned int count_fds(void)
{
	DIR *directory = opendir("/proc/self/fd");
	unsigned int count = 0;

	assert_non_null(directory);
	while (readdir(directory)) {
		count++;
	}
	(void)closedir(directory);
	return count;
}

static int play_create(struct stage *stage, int fd, struct kvm_create_device *create)
{
	assert_int_equal(inode_of(fd), inode_of(stage->vm));
	assert_int_equal(create->type, KVM_DEV_TYPE_VFIO);
	if (create->flags & KVM_CREATE_DEVICE_TEST) {
		return stage->test_result;
	}
	stage->creates++;
	if (stage->create_result != 0) {
		return stage->create_result;
	}
	if (stage->has_vfio) {
		return -EBUSY;
	}
	create->fd = (uint32_t)memfd_create("vfio", MFD_CLOEXEC);
	stage->vfio = inode_of((int)create->fd);
	stage->has_vfio = true;
	return 0;
}

static struct kvm_file *find_file(struct stage *stage, int fd)
{
	for (unsigned int i = 0; i < GROUPS; i++) {
		if (stage->files[i].fd == fd) {
			return &stage->files[i];
		}
	}
	return NULL;
}

static int play_tie(struct stage *stage, const struct kvm_vfio_spapr_tce *value)
{
	struct kvm_file *file = find_file(stage, value->groupfd);

	assert_non_null(file);
	if (!file->added) {
		return -ENOENT;
	}
	if (stage->tie_of > 0 && file == &stage->files[stage->tie_of - 1]) {
		return stage->attribute_result;
	}
	assert_true(file->tie_count < TIES);
	file->ties[file->tie_count++] = inode_of(value->tablefd);
	return 0;
}

static int play_attribute(struct stage *stage, int fd, const struct kvm_device_attr *attribute)
{
	void *value = (void *)(uintptr_t)attribute->addr;
	struct kvm_file *file;

	assert_int_equal(inode_of(fd), stage->vfio);
	assert_int_equal(attribute->group, KVM_DEV_VFIO_GROUP);
	assert_int_equal(attribute->flags, 0);
	if (++stage->calls == stage->fail) {
		return stage->attribute_result;
	}
	if (attribute->attr == KVM_DEV_VFIO_GROUP_SET_SPAPR_TCE) {
		return play_tie(stage, value);
	}
	file = find_file(stage, *(int32_t *)value);
	assert_non_null(file);
	if (attribute->attr == KVM_DEV_VFIO_GROUP_ADD) {
		if (file->added) {
			return -EEXIST;
		}
		file->added = true;
		return 0;
	}
	assert_int_equal(attribute->attr, KVM_DEV_VFIO_GROUP_DEL);
	if (!file->added) {
		return -ENOENT;
	}
	file->added = false;
	file->tie_count = 0;
	return 0;
}

static int play_ioctl(struct kernel *kernel, int fd, unsigned long request, void *argument)
{
	struct stage *stage = (struct stage *)kernel;

	switch (request) {
	case KVM_CREATE_DEVICE:
		return play_create(stage, fd, argument);
	case KVM_SET_DEVICE_ATTR:
		return play_attribute(stage, fd, argument);
	default:
		assert_int_equal(request, KVM_HAS_DEVICE_ATTR);
		return inode_of(fd) == stage->vfio ? stage->attribute_result : -ENOTTY;
	}
}

static void play_close(struct kernel *kernel, int fd)
{
	struct stage *stage = (struct stage *)kernel;

	/* kvm_vfio_release, where there is no other fd of it */
	stage->has_vfio = stage->has_vfio && inode_of(fd) != stage->vfio;
	(void)close(fd);
}

static int set_up(void **state)
{
	static const struct kernel_operations operations = {
		.ioctl = play_ioctl,
		.close = play_close,
	};
	struct stage *stage = calloc(1, sizeof(*stage));

	assert_non_null(stage);
	stage->kernel.operations = &operations;
	stage->fds = count_fds();
	stage->vm = memfd_create("vm", MFD_CLOEXEC);
	for (unsigned int i = 0; i < GROUPS; i++) {
		stage->files[i].fd = memfd_create("group", MFD_CLOEXEC);
		stage->groups[i] = (struct kvm_group){.number = i + 5, .fd = stage->files[i].fd};
	}
	for (unsigned int i = 0; i < 2; i++) {
		stage->tables[i] = memfd_create("table", MFD_CLOEXEC);
	}
	stage->link = KVM_LINK_NULL;
	*state = stage;
	return 0;
}

static int tear_down(void **state)
{
	struct stage *stage = *state;

	kvm_link_done(&stage->link);
	stage->device = kvm_device_free(stage->device);
	(void)close(stage->vm);
	for (unsigned int i = 0; i < GROUPS; i++) {
		(void)close(stage->files[i].fd);
	}
	for (unsigned int i = 0; i < 2; i++) {
		(void)close(stage->tables[i]);
	}
	assert_int_equal(count_fds(), stage->fds);
	free(stage);
	return 0;
}

static void use(struct stage *stage)
{
	struct error error;

	assert_int_equal(kvm_device_new(&stage->kernel, stage->vm, -1, &stage->device, &error), 0);
	stage->link.device = stage->device;
}

static void add(struct stage *stage, unsigned int count)
{
	struct error error;

	for (unsigned int i = 0; i < count; i++) {
		assert_int_equal(kvm_link_add_group(&stage->link, &stage->groups[i], &error), 0);
	}
}

static void assert_says(const struct error *error, const char *words)
{
	if (!strstr(error->text, words)) {
		print_error("%s\n", error->text);
	}
	assert_non_null(strstr(error->text, words));
}

static const struct window window_0 = {.range = {0, GIB(2)}, .page_shift = 12};
static const struct window window_1 = {.range = {SECOND, GIB(4)}, .page_shift = 16};

static int set_table(struct stage *stage, const struct window *window, unsigned int index,
		     unsigned int count, struct error *error)
{
	struct kvm_table table = {
		.fd = stage->tables[index],
		.range = window->range,
		.page_shift = window->page_shift,
	};

	return kvm_link_set_table(&stage->link, window, &table, stage->groups, count, error);
}

/* What of a group's ties is to a table. */
static unsigned int ties_to(const struct stage *stage, unsigned int group, unsigned int table)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < stage->files[group].tie_count; i++) {
		count += stage->files[group].ties[i] == inode_of(stage->tables[table]);
	}
	return count;
}

/* the VFIO device */

static void test_made_for_the_first_group_and_kept(void **state)
{
	struct stage *stage = *state;
	struct error error;

	use(stage);
	assert_false(kvm_device_is_made(stage->device));
	assert_int_equal(kvm_link_remove_group(&stage->link, &stage->groups[0], &error), 0);
	assert_int_equal(stage->creates, 0);
	add(stage, 2);
	assert_int_equal(stage->creates, 1);
	for (unsigned int i = 0; i < 2; i++) {
		assert_int_equal(kvm_link_remove_group(&stage->link, &stage->groups[i], &error), 0);
		assert_false(stage->files[i].added);
	}
	assert_true(stage->has_vfio);
	assert_true(kvm_device_is_made(stage->device));
	add(stage, 1);
	assert_int_equal(stage->creates, 1);
	stage->device = kvm_device_free(stage->device);
	stage->link = KVM_LINK_NULL;
	assert_false(stage->has_vfio);
}

/* The VM's fd may be closed. */
static void test_the_fds_stay_the_callers(void **state)
{
	struct stage *stage = *state;
	int vm = dup(stage->vm);
	struct error error;

	assert_int_equal(kvm_device_new(&stage->kernel, vm, -1, &stage->device, &error), 0);
	assert_int_equal(close(vm), 0);
	stage->link.device = stage->device;
	add(stage, 1);
	assert_true(stage->files[0].added);
}

static void test_a_device_that_the_caller_made(void **state)
{
	struct stage *stage = *state;
	int vfio = memfd_create("vfio", MFD_CLOEXEC);
	struct error error = {.text = ""};

	stage->vfio = inode_of(vfio);
	stage->has_vfio = true;
	assert_int_equal(
		kvm_device_new(&stage->kernel, stage->vm, stage->tables[0], &stage->device, &error),
		ERROR_INVALID_ARGUMENT);
	assert_says(&error, "VFIO device");
	stage->attribute_result = -EIO;
	assert_int_equal(kvm_device_new(&stage->kernel, stage->vm, vfio, &stage->device, &error),
			 ERROR_ACCESS_DENIED);
	assert_null(stage->device);
	stage->attribute_result = 0;
	assert_int_equal(kvm_device_new(&stage->kernel, stage->vm, vfio, &stage->device, &error),
			 0);
	stage->link.device = stage->device;
	add(stage, 1);
	assert_int_equal(stage->creates, 0);
	(void)close(vfio);
}

static void test_refusals_of_the_vm(void **state)
{
	static const struct {
		int result;
		enum error_code code;
		const char *words;
	} cases[] = {
		{-EIO, ERROR_ACCESS_DENIED, "belongs to another process"},
		{-ENOTTY, ERROR_INVALID_ARGUMENT, "not the fd of a VM"},
		{-EINVAL, ERROR_INVALID_ARGUMENT, "not the fd of a VM"},
		{-ENODEV, ERROR_UNSUPPORTED, "CONFIG_KVM_VFIO"},
		{-ENOMEM, ERROR_KERNEL, "ENOMEM"},
		{7, ERROR_KERNEL, "positive result 7"},
	};
	struct stage *stage = *state;
	struct error error = {.text = ""};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		stage->test_result = cases[i].result;
		assert_int_equal(
			kvm_device_new(&stage->kernel, stage->vm, -1, &stage->device, &error),
			cases[i].code);
		assert_says(&error, cases[i].words);
		assert_null(stage->device);
	}
	assert_int_equal(kvm_device_new(&stage->kernel, -1, -1, &stage->device, &error),
			 ERROR_INVALID_ARGUMENT);
	assert_says(&error, "EBADF");
	stage->test_result = 0;
	assert_int_equal(kvm_device_new(&stage->kernel, stage->vm, 12345, &stage->device, &error),
			 ERROR_INVALID_ARGUMENT);
	assert_null(stage->device);
}

static void test_refusals_of_the_device(void **state)
{
	static const struct {
		int result;
		enum error_code code;
		const char *words;
	} cases[] = {
		{-EIO, ERROR_ACCESS_DENIED, "belongs to another process"},
		{-EBUSY, ERROR_BUSY, "one for each VM"},
		{-EMFILE, ERROR_QUOTA_EXCEEDED, "RLIMIT_NOFILE"},
		{-ENOMEM, ERROR_KERNEL, "ENOMEM"},
	};
	struct stage *stage = *state;
	struct error error = {.text = ""};

	use(stage);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		stage->create_result = cases[i].result;
		assert_int_equal(kvm_link_add_group(&stage->link, &stage->groups[0], &error),
				 cases[i].code);
		assert_says(&error, cases[i].words);
		assert_false(kvm_device_is_made(stage->device));
	}
	stage->create_result = 0;
	add(stage, 1);
}

/* groups */

static void test_refusals_of_a_group(void **state)
{
	struct stage *stage = *state;
	struct error error = {.text = ""};

	use(stage);
	add(stage, 1);
	assert_int_equal(kvm_link_add_group(&stage->link, &stage->groups[0], &error), ERROR_BUSY);
	assert_says(&error, "add group 5 to KVM");
	stage->attribute_result = -EIO;
	stage->fail = stage->calls + 1;
	assert_int_equal(kvm_link_add_group(&stage->link, &stage->groups[1], &error),
			 ERROR_ACCESS_DENIED);
	assert_says(&error, "a child that has its fds is another one");
	stage->fail = stage->calls + 1;
	assert_int_equal(kvm_link_remove_group(&stage->link, &stage->groups[0], &error),
			 ERROR_ACCESS_DENIED);
	assert_says(&error, "take group 5 from KVM");
	assert_int_equal(kvm_link_remove_group(&stage->link, &stage->groups[0], &error), 0);
	assert_int_equal(kvm_link_remove_group(&stage->link, &stage->groups[0], &error), 0);
}

static void test_a_group_that_comes_later_gets_all_tables(void **state)
{
	struct stage *stage = *state;
	struct error error;

	use(stage);
	add(stage, 1);
	assert_int_equal(set_table(stage, &window_0, 0, 1, &error), 0);
	assert_int_equal(set_table(stage, &window_1, 1, 1, &error), 0);
	assert_int_equal(kvm_link_add_group(&stage->link, &stage->groups[1], &error), 0);
	for (unsigned int group = 0; group < 2; group++) {
		assert_int_equal(ties_to(stage, group, 0), 1);
		assert_int_equal(ties_to(stage, group, 1), 1);
	}
}

static void test_a_group_that_can_not_have_all_tables_is_not_added(void **state)
{
	struct stage *stage = *state;
	struct error error = {.text = ""};

	use(stage);
	add(stage, 1);
	assert_int_equal(set_table(stage, &window_0, 0, 1, &error), 0);
	assert_int_equal(set_table(stage, &window_1, 1, 1, &error), 0);
	stage->attribute_result = -EINVAL;
	/* The add, the first tie, and this. */
	stage->fail = stage->calls + 3;
	assert_int_equal(kvm_link_add_group(&stage->link, &stage->groups[1], &error),
			 ERROR_INVALID_ARGUMENT);
	assert_says(&error, "the window at 0x800000000000000 of group 6");
	assert_false(stage->files[1].added);
	assert_true(stage->files[0].added);
	assert_int_equal(stage->files[0].tie_count, 2);
}

/* tables */

static void test_kernels_rule_of_tables(void **state)
{
	static const struct {
		struct range range;
		uint32_t page_shift;
		const char *words; /* NULL: it fits */
	} cases[] = {
		{{SECOND, GIB(4)}, 16, NULL},
		{{SECOND, GIB(1)}, 16, NULL},
		{{SECOND, GIB(4)}, 24, NULL},
		{{SECOND, GIB(4)},
		 12,
		 "has pages of 2^16 bytes, and the guest's TCE table of 2^12"},
		{{SECOND + 0x10000, GIB(1)}, 16, "with offset 0x80000000000"},
		{{0, GIB(1)}, 16, "does not start where"},
		{{SECOND, GIB(4) + 0x10000}, 16, "at most 0x10000 entries"},
		{{0, 0}, 0, NULL}, /* not told */
	};
	struct error error = {.text = ""};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct kvm_table table = {
			.range = cases[i].range,
			.page_shift = cases[i].page_shift,
		};
		int r = kvm_table_check(&table, &window_1, &error);

		assert_int_equal(r, cases[i].words ? ERROR_INVALID_ARGUMENT : 0);
		if (cases[i].words) {
			assert_says(&error, cases[i].words);
		}
	}
}

/* KVM is not asked, and nothing is kept. */
static void test_tables_that_do_not_fit_are_refused(void **state)
{
	struct kvm_table table = {.range = {0, GIB(2)}, .page_shift = 12};
	struct stage *stage = *state;
	struct error error;
	unsigned int calls;

	use(stage);
	add(stage, 1);
	calls = stage->calls;
	table.fd = stage->tables[0];
	assert_int_equal(
		kvm_link_set_table(&stage->link, &window_1, &table, stage->groups, 1, &error),
		ERROR_INVALID_ARGUMENT);
	table.fd = -1;
	assert_int_equal(
		kvm_link_set_table(&stage->link, &window_0, &table, stage->groups, 1, &error),
		ERROR_INVALID_ARGUMENT);
	assert_int_equal(stage->calls, calls);
	assert_false(kvm_link_has_table(&stage->link, 0));
	assert_int_equal(set_table(stage, &window_0, 0, 1, &error), 0);
	assert_int_equal(set_table(stage, &window_0, 1, 1, &error), ERROR_BUSY);
	assert_int_equal(ties_to(stage, 0, 1), 0);
}

static void test_refusals_of_a_tie(void **state)
{
	static const struct {
		int result;
		enum error_code code;
		const char *words;
	} cases[] = {
		{-EIO, ERROR_ACCESS_DENIED, "belongs to another process"},
		{-EPERM, ERROR_ACCESS_DENIED, "container belongs to another process"},
		{-ENOENT, ERROR_NOT_FOUND, "not in the VM's VFIO device"},
		{-ENXIO, ERROR_UNSUPPORTED, "not one of POWER"},
		{-EINVAL, ERROR_INVALID_ARGUMENT, "none of the group's windows"},
		{-ENOTTY, ERROR_BUSY, "try again"},
		{-ENOMEM, ERROR_KERNEL, "ENOMEM"},
	};
	struct stage *stage = *state;
	struct error error = {.text = ""};

	use(stage);
	add(stage, 1);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		stage->attribute_result = cases[i].result;
		stage->fail = stage->calls + 1;
		assert_int_equal(set_table(stage, &window_0, 0, 1, &error), cases[i].code);
		assert_says(&error, cases[i].words);
		assert_says(&error, "window at 0x0 of group 5");
		assert_false(kvm_link_has_table(&stage->link, 0));
		assert_true(stage->files[0].added);
	}
}

/* All groups or none: those that had it are renewed. */
static void test_a_table_that_not_all_can_have_is_untied(void **state)
{
	struct stage *stage = *state;
	struct error error;

	use(stage);
	add(stage, GROUPS);
	stage->tie_of = 3;
	stage->attribute_result = -EINVAL;
	assert_int_equal(set_table(stage, &window_0, 0, GROUPS, &error), ERROR_INVALID_ARGUMENT);
	for (unsigned int i = 0; i < GROUPS; i++) {
		assert_true(stage->files[i].added);
		assert_int_equal(stage->files[i].tie_count, 0);
	}
	stage->tie_of = 0;
	assert_int_equal(set_table(stage, &window_0, 0, GROUPS, &error), 0);
}

static void test_a_failing_undo_is_told(void **state)
{
	struct stage *stage = *state;
	struct error error = {.text = ""};

	use(stage);
	add(stage, 2);
	stage->tie_of = 2;
	stage->attribute_result = -EINVAL;
	/* Two ties, then the first group is taken out, and not put back. */
	stage->fail = stage->calls + 4;
	assert_int_equal(set_table(stage, &window_0, 0, 2, &error), ERROR_INVALID_ARGUMENT);
	assert_says(&error, "not all could be put back");
	assert_false(stage->files[0].added);
}

/* Renewing would have the guest's maps of the other window miss the hardware. */
static void test_other_tables_are_not_disturbed_by_an_undo(void **state)
{
	struct stage *stage = *state;
	struct error error = {.text = ""};
	unsigned int calls;

	use(stage);
	add(stage, 2);
	assert_int_equal(set_table(stage, &window_0, 0, 2, &error), 0);
	stage->tie_of = 2;
	stage->attribute_result = -EINVAL;
	calls = stage->calls;
	assert_int_equal(set_table(stage, &window_1, 1, 2, &error), ERROR_INVALID_ARGUMENT);
	assert_says(&error, "until it is closed");
	assert_int_equal(stage->calls, calls + 2);
	assert_int_equal(ties_to(stage, 0, 0), 1);
	assert_int_equal(ties_to(stage, 1, 0), 1);
	assert_false(kvm_link_has_table(&stage->link, SECOND));
}

/* clearing */

static void test_the_only_table_is_untied_by_renewing_the_groups(void **state)
{
	struct stage *stage = *state;
	unsigned int fds = count_fds();
	struct error error;

	use(stage);
	add(stage, 2);
	assert_int_equal(kvm_link_clear_table(&stage->link, 0, stage->groups, 2, &error), 0);
	assert_int_equal(set_table(stage, &window_0, 0, 2, &error), 0);
	assert_int_equal(kvm_link_clear_table(&stage->link, 0, stage->groups, 2, &error), 0);
	assert_false(kvm_link_has_table(&stage->link, 0));
	for (unsigned int i = 0; i < 2; i++) {
		assert_true(stage->files[i].added);
		assert_int_equal(stage->files[i].tie_count, 0);
	}
	/* The VM's and its device's. */
	assert_int_equal(count_fds(), fds + 2);
}

static void test_one_of_several_tables_is_untied_by_its_last_close(void **state)
{
	struct stage *stage = *state;
	struct error error;
	unsigned int calls;
	unsigned int fds;

	use(stage);
	add(stage, 2);
	assert_int_equal(set_table(stage, &window_0, 0, 2, &error), 0);
	assert_int_equal(set_table(stage, &window_1, 1, 2, &error), 0);
	calls = stage->calls;
	fds = count_fds();
	assert_int_equal(kvm_link_clear_table(&stage->link, 0, stage->groups, 2, &error), 0);
	assert_int_equal(stage->calls, calls);
	assert_int_equal(count_fds(), fds - 1);
	assert_true(kvm_link_has_table(&stage->link, SECOND));
	assert_false(kvm_link_has_table(&stage->link, 0));
}

/* All are tried. */
static void test_a_group_that_can_not_be_put_back(void **state)
{
	struct stage *stage = *state;
	struct error error = {.text = ""};

	use(stage);
	add(stage, 2);
	assert_int_equal(set_table(stage, &window_0, 0, 2, &error), 0);
	stage->attribute_result = -ENOMEM;
	stage->fail = stage->calls + 2;
	assert_int_equal(kvm_link_clear_table(&stage->link, 0, stage->groups, 2, &error),
			 ERROR_KERNEL);
	assert_says(&error, "add group 5 to KVM");
	assert_false(stage->files[0].added);
	assert_true(stage->files[1].added);
	assert_int_equal(stage->files[1].tie_count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_made_for_the_first_group_and_kept, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_the_fds_stay_the_callers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_device_that_the_caller_made, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_refusals_of_the_vm, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_refusals_of_the_device, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_refusals_of_a_group, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_group_that_comes_later_gets_all_tables,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_a_group_that_can_not_have_all_tables_is_not_added, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_kernels_rule_of_tables, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_tables_that_do_not_fit_are_refused, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_refusals_of_a_tie, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_table_that_not_all_can_have_is_untied,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_failing_undo_is_told, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_other_tables_are_not_disturbed_by_an_undo,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_the_only_table_is_untied_by_renewing_the_groups, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_one_of_several_tables_is_untied_by_its_last_close, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_group_that_can_not_be_put_back, set_up,
						tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
