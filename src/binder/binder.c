/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "binder/binder.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "binder/host_use.h"
#include "binder/state.h"
#include "common/cleanup.h"
#include "common/driver.h"
#include "common/holders.h"
#include "common/names.h"

/* PCI-to-PCI, CardBus and opaque bridges (base class and subclass), which have a bus below them. */
#define CLASS_BRIDGE_PCI    0x0604U
#define CLASS_BRIDGE_CARD   0x0607U
#define CLASS_BRIDGE_OPAQUE 0x0609U

/* What the kernel writes for a driver_override that isn't there. */
#define OVERRIDE_NONE "(null)"

struct path {
	char text[PATH_MAX];
};

/* A device on its way to another driver. */
struct step {
	struct state_device before;
	char driver[BIND_DRIVER_SIZE];   /* that it is to have; "" for none */
	char override[BIND_DRIVER_SIZE]; /* that it is to have in the end */
};

struct work {
	const struct binder *binder;
	const struct bind_request *request;
	struct bind_answer *answer;
	struct error *error;
	struct step steps[BIND_DEVICES_MAX];
	size_t step_count;
};

/* -- reading sysfs -- */

static struct path path_of(const struct work *work, const char *device, const char *file)
{
	struct path path;

	(void)snprintf(path.text, sizeof(path.text), "%s/" SYSFS_PCI_DEVICES "/%s/%s",
		       work->binder->kernel->sysfs_root, device, file);
	return path;
}

/* The last part of what a link leads to; "" where there is none. False: it doesn't fit. */
static bool read_link(const char *path, char *ret_name, size_t size)
{
	char target[PATH_MAX];
	ssize_t length = readlink(path, target, sizeof(target) - 1);
	const char *slash;
	const char *name = "";

	if (length > 0) {
		target[length] = '\0';
		slash = strrchr(target, '/');
		name = slash ? slash + 1 : target;
	}
	return (size_t)snprintf(ret_name, size, "%s", name) < size;
}

/* A file's first line. 0 or -errno; ENAMETOOLONG: it doesn't fit. */
static int read_line(const char *path, char *ret_line, size_t size)
{
	cleanup(cleanup_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t length = fd < 0 ? -1 : read(fd, ret_line, size);

	if (length < 0) {
		return -errno;
	}
	if ((size_t)length == size) {
		return -ENAMETOOLONG;
	}
	ret_line[length] = '\0';
	ret_line[strcspn(ret_line, "\n")] = '\0';
	return 0;
}

static bool read_driver(const struct work *work, const char *device,
			char ret_driver[static BIND_DRIVER_SIZE])
{
	return read_link(path_of(work, device, "driver").text, ret_driver, BIND_DRIVER_SIZE);
}

static bool is_bridge(const struct work *work, const char *device)
{
	char text[32];
	unsigned long class_code;

	if (read_line(path_of(work, device, "class").text, text, sizeof(text)) < 0) {
		return false;
	}
	class_code = strtoul(text, NULL, 16) >> 8;
	return class_code == CLASS_BRIDGE_PCI || class_code == CLASS_BRIDGE_CARD ||
	       class_code == CLASS_BRIDGE_OPAQUE;
}

/* What a device is bound to now, and its driver_override. */
static int read_state(const struct work *work, const char *device, struct state_device *ret_device)
{
	struct state_device state = {.driver = ""};
	int r;

	(void)snprintf(state.name, sizeof(state.name), "%s", device);
	if (!read_driver(work, device, state.driver)) {
		return error_set(work->error, ERROR_KERNEL, ENAMETOOLONG,
				 "the name of the driver of %s is too long", device);
	}
	r = read_line(path_of(work, device, SYSFS_OVERRIDE).text, state.override,
		      sizeof(state.override));
	if (r < 0) {
		return error_set(work->error, r == -ENOENT ? ERROR_NOT_FOUND : ERROR_KERNEL, -r,
				 "can't read the " SYSFS_OVERRIDE " of %s", device);
	}
	if (strcmp(state.override, OVERRIDE_NONE) == 0) {
		state.override[0] = '\0';
	}
	*ret_device = state;
	return 0;
}

/* -- writing sysfs -- */

static int write_file(const struct work *work, const char *path, const char *text)
{
	return kernel_write_attribute(work->binder->kernel, path, text);
}

static int unbind(const struct work *work, const char *device, const char *driver)
{
	struct path path;

	(void)snprintf(path.text, sizeof(path.text), SYSFS_PCI_DRIVERS "/%s/unbind", driver);
	return write_file(work, path.text, device);
}

/* "" clears it: an empty write would change nothing. */
static int set_override(const struct work *work, const char *device, const char *driver)
{
	struct path path;

	(void)snprintf(path.text, sizeof(path.text), SYSFS_PCI_DEVICES "/%s/" SYSFS_OVERRIDE,
		       device);
	return write_file(work, path.text, *driver ? driver : "\n");
}

/* That the kernel's refusal ends up in words. */
static int refuse_step(const struct work *work, const char *device, const char *what, int r)
{
	return error_set(work->error, ERROR_KERNEL, -r, "%s: the kernel refused to %s", device,
			 what);
}

static int take_from_driver(const struct work *work, const char *device, const char *driver)
{
	char what[96];
	int r = *driver ? unbind(work, device, driver) : 0;

	if (r < 0) {
		(void)snprintf(what, sizeof(what), "unbind it from %s", driver);
		return refuse_step(work, device, what, r);
	}
	return 0;
}

/* The driver takes the device by an override of its own name, which also works for ids that only
 * its new_id or an override brought to it. */
static int give_to_driver(const struct work *work, const char *device, const char *driver)
{
	char now[BIND_DRIVER_SIZE];
	int r = set_override(work, device, driver);

	if (r < 0) {
		return refuse_step(work, device, "set its " SYSFS_OVERRIDE, r);
	}
	if (*driver == '\0') {
		return 0;
	}
	r = write_file(work, SYSFS_PROBE, device);
	if (r < 0) {
		return refuse_step(work, device, "probe it", r);
	}
	if (!read_driver(work, device, now) || strcmp(now, driver) != 0) {
		return error_set(work->error, ERROR_KERNEL, 0,
				 "%s: driver %s did not take it: it is bound to %s", device, driver,
				 now[0] ? now : "none");
	}
	return 0;
}

/* From whatever it is bound to now to what the step says, and not further where that fails. */
static int take_step(const struct work *work, const struct step *step)
{
	const char *device = step->before.name;
	char now[BIND_DRIVER_SIZE];
	int r = 0;

	if (access(path_of(work, device, "").text, F_OK) < 0) {
		return error_set(work->error, ERROR_NOT_FOUND, 0, "%s was unplugged", device);
	}
	if (!read_driver(work, device, now) || strcmp(now, step->driver) != 0) {
		r = take_from_driver(work, device, now);
		r = r ? r : give_to_driver(work, device, step->driver);
	}
	if (r == 0) {
		int written = set_override(work, device, step->override);

		r = written < 0 ? refuse_step(work, device, "set its " SYSFS_OVERRIDE, written) : 0;
	}
	return r;
}

static struct step reverse(const struct step *step)
{
	struct step back = {.before = step->before};

	memcpy(back.driver, step->before.driver, sizeof(back.driver));
	memcpy(back.override, step->before.override, sizeof(back.override));
	return back;
}

/* -- what is asked for -- */

static bool is_name(const char *text, size_t size, const char *others)
{
	size_t length = strnlen(text, size);

	for (size_t i = 0; i < length; i++) {
		if (!isalnum((unsigned char)text[i]) && !strchr(others, text[i])) {
			return false;
		}
	}
	return length > 0 && length < size && text[0] != '.';
}

static int check_request(const struct work *work)
{
	const struct bind_request *request = work->request;
	bool sound = request->version == BIND_PROTOCOL_VERSION && request->reserved == 0 &&
		     (request->flags & ~BIND_FORCE) == 0 &&
		     request->device_count <= BIND_DEVICES_MAX;

	if (sound && request->operation == BIND_BIND) {
		sound = request->device_count > 0 &&
			is_name(request->driver, sizeof(request->driver), "_-");
	} else if (sound &&
		   (request->operation == BIND_RESTORE || request->operation == BIND_HOLDERS)) {
		sound = request->device_count == 0 && request->flags == 0;
	}
	for (uint32_t i = 0; sound && i < request->device_count; i++) {
		sound = is_name(request->devices[i], sizeof(request->devices[i]), ":.");
	}
	return sound ? 0
		     : error_set(work->error, ERROR_INVALID_ARGUMENT, 0,
				 "the request of spaprd makes no sense");
}

static bool is_requested(const struct bind_request *request, const char *name)
{
	for (uint32_t i = 0; i < request->device_count; i++) {
		if (strcmp(request->devices[i], name) == 0) {
			return true;
		}
	}
	return false;
}

static void cleanup_directory(DIR **directory)
{
	if (*directory) {
		(void)closedir(*directory);
	}
}

/* That the devices asked for are those of the group, all of them, at this moment. */
static int check_group(const struct work *work)
{
	const struct bind_request *request = work->request;
	cleanup(cleanup_directory) DIR *directory = NULL;
	struct path path;
	struct dirent *entry;
	uint32_t count = 0;

	(void)snprintf(path.text, sizeof(path.text),
		       "%s/" SYSFS_IOMMU_GROUPS "/%" PRIu32 "/devices",
		       work->binder->kernel->sysfs_root, request->group);
	directory = opendir(path.text);
	if (!directory) {
		return error_set(work->error, ERROR_NOT_FOUND, errno, "group %" PRIu32,
				 request->group);
	}
	while ((entry = readdir(directory))) {
		if (entry->d_name[0] == '.') {
			continue;
		}
		if (!is_requested(request, entry->d_name)) {
			return error_set(work->error, ERROR_INVALID_ARGUMENT, 0,
					 "%s is in group %" PRIu32
					 ", too: a group is bound as a whole",
					 entry->d_name, request->group);
		}
		count++;
	}
	return count == request->device_count
		       ? 0
		       : error_set(work->error, ERROR_INVALID_ARGUMENT, 0,
				   "group %" PRIu32 " has %" PRIu32 " devices, and not the %" PRIu32
				   " that were named",
				   request->group, count, request->device_count);
}

static int check_driver(const struct work *work)
{
	const char *driver = work->request->driver;
	struct path path;

	(void)snprintf(path.text, sizeof(path.text), "%s/" SYSFS_PCI_DRIVERS "/%s",
		       work->binder->kernel->sysfs_root, driver);
	return access(path.text, F_OK) == 0
		       ? 0
		       : error_set(work->error, ERROR_INVALID_ARGUMENT, errno,
				   "the kernel has no driver %s: load its module (modprobe %s)",
				   driver, driver);
}

/* -- who has the node -- */

static int find_holders(const struct work *work, pid_t *ret_pids)
{
	char node[64];

	(void)snprintf(node, sizeof(node), NODE_GROUP_PREFIX "%" PRIu32, work->request->group);
	return kernel_find_holders(work->binder->kernel, node, ret_pids, BIND_HOLDERS_MAX);
}

static int refuse_to_search(const struct work *work, int r)
{
	return error_set(work->error, ERROR_KERNEL, -r, "can't find who has group %" PRIu32 " open",
			 work->request->group);
}

/* Taking a device from VFIO waits for its user, without end; and older kernels stop (BUG_ON) when a
 * driver of the host's own comes to a group that is in use (vfio_iommu_group_notifier). */
static int check_unused(const struct work *work)
{
	pid_t pids[BIND_HOLDERS_MAX];
	char name[HOLDER_NAME_SIZE];
	bool taken = false;
	int count;

	for (size_t i = 0; i < work->step_count; i++) {
		taken = taken || driver_is_vfio(work->steps[i].before.driver) ||
			!driver_allows_vfio(work->steps[i].driver);
	}
	count = taken ? find_holders(work, pids) : 0;
	if (count < 0) {
		return refuse_to_search(work, count);
	}
	if (count == 0) {
		return 0;
	}
	holder_name(work->binder->proc, pids[0], name);
	return error_set(work->error, ERROR_BUSY, 0,
			 "process %d (%s) has " NODE_GROUP_PREFIX "%" PRIu32 " open: end it first",
			 (int)pids[0], name, work->request->group);
}

/* -- the transaction -- */

static void report(const struct work *work, const struct step *step)
{
	struct bind_result *result = &work->answer->results[work->answer->result_count++];

	memcpy(result->device, step->before.name, sizeof(result->device));
	memcpy(result->from, step->before.driver, sizeof(result->from));
	memcpy(result->to, step->driver, sizeof(result->to));
}

/* Back to where it was; says behind the error what isn't. Whether all of it is. */
static bool undo(const struct work *work, size_t count)
{
	bool undone = true;

	while (count-- > 0) {
		const struct step back = reverse(&work->steps[count]);
		struct work other = *work;
		struct error error;

		other.error = &error;
		if (take_step(&other, &back)) {
			error_append(work->error, "; %s could not be put back: %s",
				     back.before.name, error.text);
			undone = false;
		}
	}
	return undone;
}

/*
 * Whether somebody else has given a device to a driver of the host's since it was written down: by
 * hand, or the kernel, to which a device that was unplugged is a new one when it comes back, and
 * which may be another one in the same slot. The driver_override goes with the old one.
 */
static bool is_out_of_date(const struct state_device *now)
{
	return now->override[0] == '\0' && now->driver[0] != '\0' && !driver_is_vfio(now->driver);
}

/* What is written down before anything is touched: the devices that are not in it yet. */
static int add_to_state(const struct work *work, struct state *state)
{
	for (size_t i = 0; i < work->step_count; i++) {
		const struct state_device *before = &work->steps[i].before;
		struct state_device *known = state_find(state, before->name);

		if (known && is_out_of_date(before)) {
			*known = *before;
		}
		if (known) {
			continue;
		}
		if (state->count == BIND_DEVICES_MAX) {
			return error_set(work->error, ERROR_KERNEL, ENOSPC,
					 "the record of group %" PRIu32 " is full",
					 work->request->group);
		}
		state->devices[state->count++] = *before;
	}
	return 0;
}

static int change_all(const struct work *work, const struct state *old)
{
	for (size_t i = 0; i < work->step_count; i++) {
		int r = take_step(work, &work->steps[i]);

		if (r) {
			/* The step itself may be half done. */
			if (undo(work, i + 1)) {
				(void)state_write(work->binder->state, work->request->group, old,
						  NULL);
			}
			return r;
		}
	}
	for (size_t i = 0; i < work->step_count; i++) {
		report(work, &work->steps[i]);
	}
	return 0;
}

/* -- bind -- */

/* What is to be done with a device, if anything. */
static int plan_device(struct work *work, const char *device)
{
	struct step step = {.driver = ""};
	int r;

	if (is_bridge(work, device)) {
		return 0;
	}
	r = read_state(work, device, &step.before);
	if (r) {
		return r;
	}
	(void)snprintf(step.driver, sizeof(step.driver), "%s", work->request->driver);
	(void)snprintf(step.override, sizeof(step.override), "%s", work->request->driver);
	if (strcmp(step.before.driver, step.driver) != 0) {
		work->steps[work->step_count++] = step;
	}
	return 0;
}

static int check_host_use(const struct work *work)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < work->step_count; i++) {
		r = host_use_check(work->binder->kernel->sysfs_root, work->binder->proc,
				   work->steps[i].before.name, work->error);
	}
	return r;
}

static bool has_other_than_bridges(const struct work *work)
{
	for (uint32_t i = 0; i < work->request->device_count; i++) {
		if (!is_bridge(work, work->request->devices[i])) {
			return true;
		}
	}
	return false;
}

static int plan_bind(struct work *work)
{
	const struct bind_request *request = work->request;
	int r = check_group(work);

	r = r ? r : check_driver(work);
	for (uint32_t i = 0; r == 0 && i < request->device_count; i++) {
		r = plan_device(work, request->devices[i]);
	}
	if (r == 0 && !has_other_than_bridges(work)) {
		r = error_set(work->error, ERROR_UNSUPPORTED, 0,
			      "group %" PRIu32 " has nothing but bridges, which keep their driver",
			      request->group);
	}
	if (r == 0 && !(request->flags & BIND_FORCE)) {
		r = check_host_use(work);
	}
	return r ? r : check_unused(work);
}

static int serve_bind(struct work *work)
{
	struct state old;
	struct state state;
	int r = plan_bind(work);

	r = r ? r : state_read(work->binder->state, work->request->group, &old, work->error);
	if (r || work->step_count == 0) {
		return r;
	}
	state = old;
	r = add_to_state(work, &state);
	r = r ? r : state_write(work->binder->state, work->request->group, &state, work->error);
	return r ? r : change_all(work, &old);
}

/* -- restore -- */

/* Whether a device is in the group of the request: one that was unplugged may come back in another,
 * which others have (check_unused doesn't look at that one). */
static bool is_in_group(const struct work *work, const char *device)
{
	struct path path;

	(void)snprintf(path.text, sizeof(path.text),
		       "%s/" SYSFS_IOMMU_GROUPS "/%" PRIu32 "/devices/%s",
		       work->binder->kernel->sysfs_root, work->request->group, device);
	return access(path.text, F_OK) == 0;
}

/* The devices of the record that are still there, in reverse. One that is not needs nothing, nor
 * one that has a driver of the host's by other means. */
static int plan_restore(struct work *work, struct state *state)
{
	for (size_t i = state->count; i-- > 0;) {
		const struct state_device *device = &state->devices[i];
		struct step step = {.driver = ""};
		int r;

		if (access(path_of(work, device->name, "").text, F_OK) < 0 ||
		    !is_in_group(work, device->name)) {
			continue;
		}
		r = read_state(work, device->name, &step.before);
		if (r) {
			return r;
		}
		if (is_out_of_date(&step.before)) {
			continue;
		}
		memcpy(step.driver, device->driver, sizeof(step.driver));
		memcpy(step.override, device->override, sizeof(step.override));
		work->steps[work->step_count++] = step;
	}
	return 0;
}

/* Each device by itself: one that can't be given back doesn't keep the others. What is left in the
 * record are those. */
static int restore_all(const struct work *work, const struct state *state)
{
	struct state left = {.count = 0};
	struct error first = {.code = ERROR_NONE};
	int r;

	for (size_t i = 0; i < work->step_count; i++) {
		const struct step *step = &work->steps[i];
		struct work other = *work;
		struct error error;

		other.error = &error;
		if (take_step(&other, step) == 0) {
			report(work, step);
			continue;
		}
		for (size_t j = 0; j < state->count; j++) {
			if (strcmp(state->devices[j].name, step->before.name) == 0) {
				left.devices[left.count++] = state->devices[j];
			}
		}
		if (first.code == ERROR_NONE) {
			first = error;
		} else {
			error_append(&first, "; %s", error.text);
		}
	}
	r = state_write(work->binder->state, work->request->group, &left, work->error);
	if (first.code != ERROR_NONE) {
		*work->error = first;
		return (int)first.code;
	}
	return r;
}

static int serve_restore(struct work *work)
{
	struct state state;
	int r = state_read(work->binder->state, work->request->group, &state, work->error);

	if (r) {
		return r;
	}
	if (state.count == 0) {
		return error_set(work->error, ERROR_NOT_FOUND, 0,
				 "no device of group %" PRIu32 " was bound by spaprd",
				 work->request->group);
	}
	r = plan_restore(work, &state);
	r = r ? r : check_unused(work);
	return r ? r : restore_all(work, &state);
}

/* -- holders -- */

static int serve_holders(struct work *work)
{
	pid_t pids[BIND_HOLDERS_MAX];
	int count = find_holders(work, pids);

	if (count < 0) {
		return refuse_to_search(work, count);
	}
	for (int i = 0; i < count; i++) {
		struct bind_holder *holder = &work->answer->holders[i];

		holder->pid = pids[i];
		holder_name(work->binder->proc, pids[i], holder->name);
	}
	work->answer->holder_count = (uint32_t)count;
	return 0;
}

/* One process at a time for a group. */
static int serve_alone(struct work *work, int (*serve_it)(struct work *work))
{
	cleanup(cleanup_fd) int lock = -1;
	int r = state_lock(work->binder->state, work->request->group, &lock, work->error);

	return r ? r : serve_it(work);
}

static int serve(struct work *work)
{
	int r = check_request(work);

	if (r) {
		return r;
	}
	switch ((enum bind_operation)work->request->operation) {
	case BIND_BIND:
		return serve_alone(work, serve_bind);
	case BIND_RESTORE:
		return serve_alone(work, serve_restore);
	case BIND_HOLDERS:
		return serve_holders(work);
	}
	return error_set(work->error, ERROR_INVALID_ARGUMENT, 0, "there is no operation %" PRIu32,
			 work->request->operation);
}

void binder_serve(const struct binder *binder, const struct bind_request *request,
		  struct bind_answer *ret_answer)
{
	struct error error = {.code = ERROR_NONE};
	struct work work = {
		.binder = binder,
		.request = request,
		.answer = ret_answer,
		.error = &error,
	};

	memset(ret_answer, 0, sizeof(*ret_answer));
	ret_answer->version = BIND_PROTOCOL_VERSION;
	ret_answer->code = (uint32_t)serve(&work);
	(void)snprintf(ret_answer->text, sizeof(ret_answer->text), "%s", error.text);
}
