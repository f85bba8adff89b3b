/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pe_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "deaf_observer.h"

struct stage stage;

static struct manager_observer observer;

/* -- the host -- */

static int open_node(struct kernel *kernel, const char *path)
{
	(void)kernel;
	(void)path;
	return open("/dev/null", O_RDWR | O_CLOEXEC);
}

static void close_node(struct kernel *kernel, int fd)
{
	(void)kernel;
	(void)fd_close(fd);
}

static const struct kernel_operations operations = {.open_node = open_node, .close = close_node};

static void write_text(const char *path, const char *text)
{
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void make_folder(const char *path)
{
	char whole[PATH_MAX];

	(void)snprintf(whole, sizeof(whole), "%s/%s", stage.root, path);
	assert_int_equal(mkdir(whole, 0700), 0);
}

static void write_below(const char *folder, const char *name, const char *text)
{
	char path[PATH_MAX];

	(void)snprintf(path, sizeof(path), "%s/%s/%s", stage.root, folder, name);
	write_text(path, text);
}

static void make_group(uint32_t number)
{
	char path[128];
	char name[32];

	(void)snprintf(path, sizeof(path), "kernel/iommu_groups/%u", number);
	make_folder(path);
	(void)snprintf(name, sizeof(name), "domain1-pe%x\n", number);
	write_below(path, "name", name);
	(void)snprintf(path, sizeof(path), "kernel/iommu_groups/%u/devices", number);
	make_folder(path);
	(void)snprintf(path, sizeof(path), "kernel/iommu_groups/%u/devices/0001:%02x:00.0", number,
		       number);
	make_folder(path);
	(void)snprintf(path, sizeof(path), "bus/pci/devices/0001:%02x:00.0", number);
	make_folder(path);
	write_below(path, "vendor", "0x8086\n");
	write_below(path, "device", "0x10d3\n");
	write_below(path, "class", "0x020000\n");
	write_below(path, "eeh_pe_state", "nothing\n");
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *walk)
{
	(void)status;
	(void)type;
	(void)walk;
	return remove(path);
}

static void make_host(uint32_t groups)
{
	static const char *const folders[] = {
		"kernel", "kernel/iommu_groups", "bus", "bus/pci", "bus/pci/devices", "policies",
	};

	(void)snprintf(stage.root, sizeof(stage.root), "/tmp/spaprd-test-XXXXXX");
	assert_non_null(mkdtemp(stage.root));
	for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++) {
		make_folder(folders[i]);
	}
	for (uint32_t i = 0; i < groups; i++) {
		make_group(i);
	}
	stage.kernel = (struct kernel){.operations = &operations, .sysfs_root = stage.root};
	(void)snprintf(stage.policies, sizeof(stage.policies), "%s/policies", stage.root);
	stage.policy_paths[0] = stage.policies;
	stage.folders = (struct policy_folders){.paths = stage.policy_paths, .count = 1};
}

void stage_write_state(uint32_t group, const char *text)
{
	char path[PATH_MAX];

	(void)snprintf(path, sizeof(path), "%s/bus/pci/devices/0001:%02x:00.0/eeh_pe_state",
		       stage.root, group);
	if (text) {
		write_text(path, text);
	} else {
		assert_int_equal(unlink(path), 0);
	}
}

/* -- the observers -- */

static void handle_device_changed(void *userdata, struct host_device *device, unsigned int what)
{
	(void)userdata;
	(void)device;
	stage.device_changes += (what & DEVICE_CHANGED_OPEN) != 0;
}

static void handle_pe_changed(void *userdata, struct pe *pe, unsigned int what)
{
	(void)userdata;
	(void)pe;
	stage.changed |= what;
}

static void handle_pe_signalled(void *userdata, struct pe *pe, const struct recovery_action *action)
{
	(void)userdata;
	assert_true(stage.signal_count < STAGE_SIGNALS_MAX);
	stage.signals[stage.signal_count++] = (struct stage_signal){
		.group = pe_group(pe)->host->id,
		.action = *action,
		.condition = pe_condition(pe),
	};
}

static const struct pe_observer pe_observer = {
	.changed = handle_pe_changed,
	.signalled = handle_pe_signalled,
};

/* -- the whole -- */

static int set_up(uint32_t groups)
{
	sigset_t signals;

	memset(&stage, 0, sizeof(stage));
	(void)sigemptyset(&signals);
	(void)sigaddset(&signals, SIGCHLD);
	(void)sigprocmask(SIG_BLOCK, &signals, NULL);
	make_host(groups);
	stage.played = played_pes_new();
	assert_non_null(stage.played);
	for (uint32_t i = 0; i < groups; i++) {
		char name[WORKER_DEVICE_NAME_SIZE + 8];

		(void)snprintf(name, sizeof(name), "0001:%02x:00.0", i);
		for (unsigned int j = 0; j < WORKER_DEVICE_NAME_SIZE; j++) {
			stage.played->device[i][j] = name[j];
		}
	}
	assert_true(sd_event_new(&stage.event) >= 0);
	assert_int_equal(manager_new(stage.event, &stage.kernel, false, "/proc/self/exe",
				     &stage.manager, &stage.error),
			 0);
	observer = deaf_observer;
	observer.device_changed = handle_device_changed;
	manager_observe(stage.manager, &observer, NULL);
	manager_observe_pes(stage.manager, &pe_observer, NULL);
	return 0;
}

int pe_fixture_set_up(void **state)
{
	(void)state;
	return set_up(2);
}

int pe_fixture_set_up_many(void **state)
{
	(void)state;
	return set_up(PLAYED_GROUPS);
}

int pe_fixture_tear_down(void **state)
{
	(void)state;
	stage.manager = manager_free(stage.manager);
	stage.event = sd_event_unref(stage.event);
	played_pes_free(stage.played);
	return nftw(stage.root, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

/* -- spaces and groups -- */

void stage_handle_other_answer(void *userdata, const struct worker_answer *answer)
{
	(void)userdata;
	stage.other_answers++;
	stage.other_error = answer->error;
}

static void expect_other_answer(int r)
{
	unsigned int before = stage.other_answers;

	if (r) {
		fail_msg("%s", stage.error.text);
	}
	stage_run_until(stage.other_answers > before);
	if (stage.other_error.code != ERROR_NONE) {
		fail_msg("%s", stage.other_error.text);
	}
}

struct space *stage_space(void)
{
	struct space_options options = {.name = "one", .owner = ":1.1", .uid = 1000};
	struct space *space = NULL;

	assert_int_equal(setenv(ENV_ROLE, "honest", 1), 0);
	expect_other_answer(space_new(stage.manager, &options, stage_handle_other_answer, NULL,
				      &space, &stage.error));
	(void)unsetenv(ENV_ROLE);
	return space;
}

static void attach(struct space *space, uint32_t number, bool share)
{
	struct space_attach_options options = {.share = share};

	expect_other_answer(space_attach_group(space, stage.manager->groups[number], &options,
					       stage_handle_other_answer, NULL, &stage.error));
}

struct pe *stage_attach(struct space *space, uint32_t group)
{
	attach(space, group, false);
	return stage_pe(group);
}

void stage_share(struct space *space, uint32_t group)
{
	attach(space, group, true);
}

struct pe *stage_pe(uint32_t group)
{
	return stage.manager->groups[group]->pe;
}

/* -- policies -- */

struct recovery_policy stage_quick_policy(void)
{
	struct recovery_policy policy = RECOVERY_POLICY_DEFAULT;

	policy.idle_poll = 20;
	policy.fast_poll = 10;
	policy.fast_poll_for = 50;
	policy.vote_timeout = 300;
	policy.hold = 5;
	policy.settle = 5;
	policy.retry_pause = 5;
	policy.normal_timeout = 300;
	policy.host_timeout = 300;
	policy.operation_timeout = 5000;
	return policy;
}

void stage_use(struct pe *pe, const struct recovery_policy *policy)
{
	pe->policy = *policy;
	recovery_set_policy(pe->recovery, policy);
	pe_drive(pe);
}

void stage_load_policy(const char *text)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "%s/test.conf", stage.policies);
	write_text(path, text);
	if (manager_use_policies(stage.manager, &stage.folders, &stage.error)) {
		fail_msg("%s", stage.error.text);
	}
}

/* -- running -- */

void stage_run(unsigned int milliseconds)
{
	uint64_t end = pe_now() + UINT64_C(1000) * milliseconds;
	uint64_t now;

	while ((now = pe_now()) < end) {
		assert_true(sd_event_run(stage.event, end - now) >= 0);
	}
}

void stage_handle_answer(void *userdata, const struct pe_answer *answer)
{
	(void)userdata;
	assert_true(stage.answer_count < STAGE_ANSWERS_MAX);
	stage.answers[stage.answer_count++] = *answer;
}

static struct pe_answer take_answer(int r, unsigned int before)
{
	struct pe_answer answer = {.error = stage.error};

	if (r) {
		assert_int_equal(r, (int)stage.error.code);
		return answer;
	}
	stage_run_until(stage.answer_count > before);
	return stage.answers[stage.answer_count - 1];
}

struct pe_answer stage_operate(struct pe *pe, uint32_t operation)
{
	const struct worker_operate_pe request = {.operation = operation};
	unsigned int before = stage.answer_count;

	return take_answer(pe_operate(pe, &request, stage_handle_answer, NULL, &stage.error),
			   before);
}

struct pe_answer stage_check(struct pe *pe)
{
	unsigned int before = stage.answer_count;

	return take_answer(pe_check(pe, stage_handle_answer, NULL, &stage.error), before);
}

/* -- what was seen -- */

unsigned int stage_count(enum recovery_action_kind kind)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < stage.signal_count; i++) {
		count += stage.signals[i].action.kind == kind;
	}
	return count;
}

const struct stage_signal *stage_last(enum recovery_action_kind kind)
{
	for (unsigned int i = stage.signal_count; i > 0; i--) {
		if (stage.signals[i - 1].action.kind == kind) {
			return &stage.signals[i - 1];
		}
	}
	return NULL;
}

const struct recovery_action *stage_run_until_done(void)
{
	unsigned int before = stage_count(RECOVERY_ACTION_DONE);

	stage_run_until(stage_count(RECOVERY_ACTION_DONE) > before);
	return &stage_last(RECOVERY_ACTION_DONE)->action;
}

const struct record_event *stage_event(const struct pe *pe)
{
	const struct record_event *event = NULL;

	for (unsigned int i = 0; record_event(pe_record(pe), i); i++) {
		event = record_event(pe_record(pe), i);
	}
	return event;
}

const struct record_step *stage_step(const struct pe *pe, const char *name)
{
	const struct record_event *event = stage_event(pe);

	for (uint32_t i = 0; event && i < event->step_count; i++) {
		if (strcmp(event->steps[i].name, name) == 0) {
			return &event->steps[i];
		}
	}
	return NULL;
}

uint32_t stage_asked(uint32_t group, uint32_t operation)
{
	return stage.played->pes[group].counts[operation];
}
