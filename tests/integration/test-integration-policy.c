/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What policy and the options of AttachGroup make of groups; and how policies are read again. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "world.h"

#define MEMORY_SIZE UINT64_C(0x100000)

#define SHARED "[window]\ncontainer-sharing = yes\n"

/* An address space with memory and, where a group is named, that group. */
static char *space_with_memory(const struct world *world, const char *device, int fd)
{
	char *space = space_create(world->client, "policy");

	if (device) {
		attach(world->client, space, device, NULL);
	}
	(void)add_memory(world->client, space, fd, 0, 0, MEMORY_SIZE, 0, NULL);
	return space;
}

static void expect_words(const char *words)
{
	if (!strstr(last_error_text(), words)) {
		fail_msg("\"%s\" does not say \"%s\"", last_error_text(), words);
	}
}

/* -- Reload -- */

static void test_reload(void **state)
{
	const struct world *world = *state;
	int fd = memfd_create("can shrink", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	char *space = space_create(world->client, "old");
	char *later;
	uint32_t id;

	assert_int_equal(ftruncate(fd, (off_t)MEMORY_SIZE), 0);
	(void)add_memory(world->client, space, fd, 0, 0, MEMORY_SIZE, 0, "InvalidArgument");
	set_policy(world, "[window]\nmemory-files = sealed unsealed\n", NULL);
	/* For workers that are there, and for those that come. */
	id = add_memory(world->client, space, fd, 0, 0, MEMORY_SIZE, 0, NULL);
	later = space_create(world->client, "new");
	(void)add_memory(world->client, later, fd, 0, 0, MEMORY_SIZE, 0, NULL);
	/* What is there stays. */
	set_policy(world, "", NULL);
	assert_int_equal(get_count(world->client, space, BUS_INTERFACE_SPACE, "Memory"), 1);
	remove_memory(world->client, space, id, NULL);
	(void)add_memory(world->client, space, fd, 0, 0, MEMORY_SIZE, 0, "InvalidArgument");
	space_close(world->client, space);
	space_close(world->client, later);
	(void)close(fd);
	wait_until_nothing_is_left(world);
}

static void test_reload_of_a_bad_file(void **state)
{
	static const struct {
		const char *text;
		const char *words;
	} cases[] = {
		{"[window]\n\nmemory-files = any\n", "test.conf:3: memory-files = any: it may be"},
		{"[window]\nmemory-file = sealed\n", "test.conf:2: \"memory-file\" is no key"},
		{"[recover]\n", "test.conf:1: [recover] is no section"},
		{"[window]\nmemory-files = sealed\n[recovery]\nhold = 99ms\n",
		 "test.conf:4: hold = 99ms: it may be"},
		{"[recovery]\nuse = missing\n[window]\nmemory-files = sealed\n",
		 "test.conf:2: use = missing: there is no [recovery missing]"},
		{"[window]\nmemory-files = sealed\nshared-detach\n", "test.conf:3: neither"},
	};
	const struct world *world = *state;
	int fd = memfd_create("can shrink", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	char *space = space_create(world->client, "as before");

	assert_int_equal(ftruncate(fd, (off_t)MEMORY_SIZE), 0);
	set_policy(world, "[window]\nmemory-files = sealed unsealed\n", NULL);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		set_policy(world, cases[i].text, "InvalidArgument");
		expect_words(cases[i].words);
		remove_memory(world->client, space,
			      add_memory(world->client, space, fd, 0, 0, MEMORY_SIZE, 0, NULL),
			      NULL);
	}
	space_close(world->client, space);
	(void)close(fd);
	wait_until_nothing_is_left(world);
}

/* -- the start -- */

/* Start another spaprd with those policies, which must end at once and say why in these words. */
static void expect_no_start(const struct world *world, const char *policies, const char *words)
{
	char program[64];
	char simulate[64];
	char text[4096] = "";
	size_t used = 0;
	ssize_t size;
	int status = 0;
	int pipes[2];
	pid_t pid;

	(void)snprintf(program, sizeof(program), "/proc/%d/exe", (int)world->spaprd);
	(void)snprintf(simulate, sizeof(simulate), "--simulate=%s", world->host->name);
	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		(void)dup2(pipes[1], STDERR_FILENO);
		execl(program, "spaprd", "--policy-dir", policies, world->real ? NULL : simulate,
		      NULL);
		_exit(127);
	}
	(void)close(pipes[1]);
	while ((size = read(pipes[0], text + used, sizeof(text) - 1 - used)) > 0) {
		used += (size_t)size;
	}
	text[used] = '\0';
	(void)close(pipes[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 1);
	if (!strstr(text, words)) {
		fail_msg("\"%s\" does not say \"%s\"", text, words);
	}
}

static void test_start_with_bad_policies(void **state)
{
	const struct world *world = *state;

	set_policy(world, "[window]\npage-sizes = 5K\n", "InvalidArgument");
	expect_no_start(world, world->policies, "/test.conf:2: page-sizes = 5K: it may be any");
	expect_no_start(world, "/nowhere", "can't read the policy folder /nowhere (ENOENT)");
}

/* -- iommu-type -- */

static void expect_type(const struct world *world, const char *space,
			const struct attach_options *options, const char *type)
{
	char *container = attach_with(world->client, space, world->host->edu, options, NULL);
	char *found = get_text(world->client, container, BUS_INTERFACE_CONTAINER, "IommuType");

	assert_string_equal(found, type);
	detach(world->client, space, world->host->edu, NULL);
	free(found);
	free(container);
}

static void test_iommu_type(void **state)
{
	const struct world *world = *state;
	const char *best = world->host->has_tce ? "spapr-tce-v2" : "type1v2";
	const char *other = world->host->has_tce ? "spapr-tce" : "type1";
	const char *foreign = world->host->has_tce ? "type1" : "spapr-tce";
	const struct attach_options none = {.iommu_type = NULL};
	const struct attach_options ask_best = {.iommu_type = best};
	const struct attach_options ask_other = {.iommu_type = other};
	const struct attach_options ask_foreign = {.iommu_type = foreign};
	const struct attach_options ask_nonsense = {.iommu_type = "spapr"};
	char *space = space_create(world->client, "type");
	char text[64];

	expect_type(world, space, &none, best);
	expect_type(world, space, &ask_other, other);
	assert_null(
		attach_with(world->client, space, world->host->edu, &ask_foreign, "Unsupported"));
	assert_null(attach_with(world->client, space, world->host->edu, &ask_nonsense,
				"InvalidArgument"));
	expect_words("spapr-tce-v2, spapr-tce, type1v2 and type1");
	(void)snprintf(text, sizeof(text), "[window]\niommu-type = %s\n", other);
	set_policy(world, text, NULL);
	expect_type(world, space, &none, other);
	expect_type(world, space, &ask_best, best);
	(void)snprintf(text, sizeof(text), "[window]\niommu-type = %s\n", foreign);
	set_policy(world, text, NULL);
	assert_null(attach_with(world->client, space, world->host->edu, &none, "Unsupported"));
	assert_int_equal(get_count(world->client, space, BUS_INTERFACE_SPACE, "Containers"), 0);
	space_close(world->client, space);
	wait_until_nothing_is_left(world);
}

/* -- options -- */

/* AttachGroup with one option that has a basic value. */
static void refuse_option(const struct world *world, const char *space, const char *key,
			  const char *signature, const void *value, const char *words)
{
	DBusMessage *message =
		dbus_message_new_method_call(BUS_NAME, space, BUS_INTERFACE_SPACE, "AttachGroup");
	uint32_t group = group_of(world->client, world->host->edu);
	DBusError error = DBUS_ERROR_INIT;
	DBusMessageIter iter;
	DBusMessageIter options;
	DBusMessageIter entry;
	DBusMessageIter variant;

	dbus_message_iter_init_append(message, &iter);
	assert_true(
		dbus_message_iter_append_basic(&iter, DBUS_TYPE_UINT32, &group) &&
		dbus_message_iter_open_container(&iter, DBUS_TYPE_ARRAY, "{sv}", &options) &&
		dbus_message_iter_open_container(&options, DBUS_TYPE_DICT_ENTRY, NULL, &entry) &&
		dbus_message_iter_append_basic(&entry, DBUS_TYPE_STRING, &key) &&
		dbus_message_iter_open_container(&entry, DBUS_TYPE_VARIANT, signature, &variant) &&
		dbus_message_iter_append_basic(&variant, signature[0], value) &&
		dbus_message_iter_close_container(&entry, &variant) &&
		dbus_message_iter_close_container(&options, &entry) &&
		dbus_message_iter_close_container(&iter, &options));
	assert_null(
		dbus_connection_send_with_reply_and_block(world->client, message, 60000, &error));
	assert_string_equal(error.name, BUS_ERROR_PREFIX "InvalidArgument");
	if (!strstr(error.message, words)) {
		fail_msg("\"%s\" does not say \"%s\"", error.message, words);
	}
	dbus_error_free(&error);
	dbus_message_unref(message);
}

static void test_options(void **state)
{
	const struct world *world = *state;
	char *space = space_create(world->client, "options");
	const char *text = "yes";
	uint32_t number = 1;
	dbus_bool_t yes = TRUE;

	refuse_option(world, space, "own-containers", "b", &yes,
		      "option \"own-containers\" is not known");
	refuse_option(world, space, "own-container", "s", &text,
		      "option \"own-container\" has the type \"b\", not \"s\"");
	refuse_option(world, space, "iommu-type", "u", &number,
		      "option \"iommu-type\" has the type \"s\", not \"u\"");
	refuse_option(world, space, "balloon-allowed", "s", &text,
		      "option \"balloon-allowed\" has the type \"as\", not \"s\"");
	assert_int_equal(get_count(world->client, space, BUS_INTERFACE_SPACE, "Containers"), 0);
	attach(world->client, space, world->host->edu, NULL);
	space_close(world->client, space);
	wait_until_nothing_is_left(world);
}

/* -- balloon -- */

static bool balloon_is_inhibited(const struct world *world, const char *space)
{
	return get_number(world->client, space, BUS_INTERFACE_SPACE, "BalloonInhibited") != 0;
}

static void test_balloon(void **state)
{
	const struct world *world = *state;
	const char *const edu_allows[] = {world->host->edu, NULL};
	const char *const nic_allows[] = {world->host->nic, NULL};
	const struct attach_options edu = {.balloon_allowed = edu_allows};
	const struct attach_options nic = {.balloon_allowed = nic_allows};
	int fd = memory_new(MEMORY_SIZE);
	char *space = space_with_memory(world, NULL, fd);

	assert_false(balloon_is_inhibited(world, space));
	free(attach_with(world->client, space, world->host->edu, &edu, NULL));
	assert_false(balloon_is_inhibited(world, space));
	attach(world->client, space, world->host->nic, NULL);
	assert_true(balloon_is_inhibited(world, space));
	detach(world->client, space, world->host->nic, NULL);
	assert_false(balloon_is_inhibited(world, space));
	free(attach_with(world->client, space, world->host->nic, &nic, NULL));
	assert_false(balloon_is_inhibited(world, space));
	space_close(world->client, space);
	(void)close(fd);
	wait_until_nothing_is_left(world);
}

/* The group that is not viable is one of two devices; what is wrong with the names is told first.
 */
static void test_balloon_mixed(void **state)
{
	const struct world *world = *state;
	const char *const one[] = {world->host->not_viable, NULL};
	const char *const foreign[] = {world->host->not_viable, world->host->sibling,
				       world->host->edu, NULL};
	const char *const both[] = {world->host->sibling, world->host->not_viable, NULL};
	const struct attach_options ask_one = {.balloon_allowed = one};
	const struct attach_options ask_foreign = {.balloon_allowed = foreign};
	const struct attach_options ask_both = {.balloon_allowed = both};
	char *space = space_create(world->client, "mixed");
	char text[64];

	(void)attach_with(world->client, space, world->host->not_viable, &ask_one,
			  "InvalidArgument");
	(void)snprintf(text, sizeof(text), "missing: %s", world->host->sibling);
	expect_words(text);
	(void)attach_with(world->client, space, world->host->not_viable, &ask_foreign,
			  "InvalidArgument");
	(void)snprintf(text, sizeof(text), "\"%s\" is not in group", world->host->edu);
	expect_words(text);
	(void)attach_with(world->client, space, world->host->not_viable, &ask_both,
			  "GroupNotViable");
	space_close(world->client, space);
	wait_until_nothing_is_left(world);
}

/* -- containers with several groups -- */

static char *container_of(const struct world *world, const char *device)
{
	char path[64];

	(void)snprintf(path, sizeof(path), BUS_PATH_GROUP_PREFIX "%" PRIu32,
		       group_of(world->client, device));
	return get_text(world->client, path, BUS_INTERFACE_GROUP, "Container");
}

/* Whether the groups of two devices are in one container, which is there. */
static bool share_a_container(const struct world *world)
{
	char *one = container_of(world, world->host->edu);
	char *other = container_of(world, world->host->nic);
	bool same = strcmp(one, other) == 0;
	unsigned int groups = get_count(world->client, one, BUS_INTERFACE_CONTAINER, "Groups");

	assert_int_equal(groups, same ? 2 : 1);
	free(one);
	free(other);
	return same;
}

/* Whether the host lets groups share at all: an LPAR's windows are made for one group. */
static bool can_share(const struct world *world)
{
	return strcmp(world->host->kind, "pseries") != 0;
}

static void test_sharing(void **state)
{
	static const struct attach_options own = {.own_container = true};
	const struct world *world = *state;
	char *space = space_create(world->client, "sharing");

	/* By default, so that EEH can be had, not where there is EEH. */
	attach(world->client, space, world->host->edu, NULL);
	attach(world->client, space, world->host->nic, NULL);
	assert_int_equal(share_a_container(world), !world->host->has_tce);
	detach(world->client, space, world->host->nic, NULL);
	set_policy(world, SHARED, NULL);
	attach(world->client, space, world->host->nic, NULL);
	assert_int_equal(share_a_container(world), can_share(world));
	detach(world->client, space, world->host->nic, NULL);
	free(attach_with(world->client, space, world->host->nic, &own, NULL));
	assert_false(share_a_container(world));
	detach(world->client, space, world->host->nic, NULL);
	set_policy(world, "[window]\ncontainer-sharing = no\n", NULL);
	attach(world->client, space, world->host->nic, NULL);
	assert_false(share_a_container(world));
	space_close(world->client, space);
	wait_until_nothing_is_left(world);
}

/* The container goes with its last group. */
static void test_life_of_a_shared_container(void **state)
{
	const struct world *world = *state;
	char *space;
	char *container;
	char *left;

	if (!can_share(world)) {
		skip_because("groups of an LPAR can't share a container");
	}
	set_policy(world, SHARED, NULL);
	space = space_create(world->client, "life");
	attach(world->client, space, world->host->edu, NULL);
	attach(world->client, space, world->host->nic, NULL);
	container = container_of(world, world->host->nic);
	detach(world->client, space, world->host->edu, NULL);
	assert_int_equal(get_count(world->client, container, BUS_INTERFACE_CONTAINER, "Groups"), 1);
	left = container_of(world, world->host->edu);
	assert_string_equal(left, "/");
	detach(world->client, space, world->host->nic, NULL);
	assert_int_equal(get_count(world->client, space, BUS_INTERFACE_SPACE, "Containers"), 0);
	free(left);
	free(container);
	space_close(world->client, space);
	wait_until_nothing_is_left(world);
}

/* -- a group that leaves a shared container -- */

/* The next MappingsReplayed that the client gets: how many, or -1 when none comes in a second. */
static int64_t wait_for_replayed(DBusConnection *client, uint64_t *ret_lost)
{
	for (int i = 0; i < 100; i++) {
		DBusMessage *message;

		(void)dbus_connection_read_write(client, 10);
		while ((message = dbus_connection_pop_message(client))) {
			const char *container = NULL;
			dbus_uint64_t replayed = 0;
			dbus_uint64_t lost = 0;
			bool found =
				dbus_message_is_signal(message, BUS_INTERFACE_SPACE,
						       "MappingsReplayed") &&
				dbus_message_get_args(message, NULL, DBUS_TYPE_OBJECT_PATH,
						      &container, DBUS_TYPE_UINT64, &replayed,
						      DBUS_TYPE_UINT64, &lost, DBUS_TYPE_INVALID);

			dbus_message_unref(message);
			if (found) {
				*ret_lost = lost;
				return (int64_t)replayed;
			}
		}
	}
	return -1;
}

/* Whether the mapping at iova leads to gpa still. */
static void expect_mapped(const struct world *world, const char *space, uint64_t iova, uint64_t gpa)
{
	dbus_uint64_t address = iova;
	dbus_uint64_t found = UINT64_MAX;
	dbus_uint64_t left = 0;
	uint32_t prot = 0;
	DBusMessage *reply = call(world->client, space, BUS_INTERFACE_SPACE, "Translate", NULL,
				  DBUS_TYPE_UINT64, &address, DBUS_TYPE_INVALID);

	assert_true(dbus_message_get_args(reply, NULL, DBUS_TYPE_UINT64, &found, DBUS_TYPE_UINT64,
					  &left, DBUS_TYPE_UINT32, &prot, DBUS_TYPE_INVALID));
	assert_int_equal(found, gpa);
	dbus_message_unref(reply);
}

static void test_h33_shared_detach(void **state)
{
	const struct world *world = *state;
	DBusConnection *watcher;
	uint64_t lost = UINT64_MAX;
	char *space;
	int fd;

	skip_without_tce(world);
	if (!can_share(world)) {
		skip_because("groups of an LPAR can't share a container");
	}
	fd = memory_new(MEMORY_SIZE);
	watcher = client_open();
	dbus_bus_add_match(watcher, "type='signal',interface='" BUS_INTERFACE_SPACE "'", NULL);
	set_policy(world, SHARED, NULL);
	space = space_with_memory(world, world->host->edu, fd);
	attach(world->client, space, world->host->nic, NULL);
	assert_true(share_a_container(world));
	map(world->client, space, 0, 0, 0x10000, PROT_DEVICE_BOTH, NULL);
	map(world->client, space, 0x20000, 0x10000, 0x10000, PROT_DEVICE_BOTH, NULL);
	detach(world->client, space, world->host->nic, "MemoryInUse");
	expect_words("shared-detach");
	assert_true(share_a_container(world));
	set_policy(world, SHARED "shared-detach = replay\n", NULL);
	detach(world->client, space, world->host->nic, NULL);
	assert_int_equal(wait_for_replayed(watcher, &lost), 2);
	assert_int_equal(lost, 0);
	expect_mapped(world, space, 0, 0);
	expect_mapped(world, space, 0x20000, 0x10000);
	assert_int_equal(get_number(world->client, space, BUS_INTERFACE_SPACE, "Mappings"), 2);
	space_close(world->client, space);
	client_close(watcher);
	(void)close(fd);
	wait_until_nothing_is_left(world);
}

/* -- accounting -- */

/* What LockedBytes is made of is there, and makes the sum. */
static void test_locked(void **state)
{
	const struct world *world = *state;
	int fd = memory_new(MEMORY_SIZE);
	char *space = space_with_memory(world, world->host->edu, fd);
	DBusMessageIter iter;
	DBusMessageIter value;
	DBusMessageIter entries;
	DBusMessage *reply;
	uint64_t sum = 0;
	unsigned int count = 0;

	map(world->client, space, world->host->has_tce ? 0 : MEMORY_SIZE, 0, 0x10000,
	    PROT_DEVICE_BOTH, NULL);
	reply = get_property(world->client, space, BUS_INTERFACE_SPACE, "Locked");
	assert_true(dbus_message_iter_init(reply, &iter));
	dbus_message_iter_recurse(&iter, &value);
	for (dbus_message_iter_recurse(&value, &entries);
	     dbus_message_iter_get_arg_type(&entries) == DBUS_TYPE_DICT_ENTRY;
	     (void)dbus_message_iter_next(&entries)) {
		const char *name = NULL;
		dbus_uint64_t bytes = 0;
		DBusMessageIter entry;

		dbus_message_iter_recurse(&entries, &entry);
		dbus_message_iter_get_basic(&entry, &name);
		(void)dbus_message_iter_next(&entry);
		dbus_message_iter_get_basic(&entry, &bytes);
		if (strcmp(name, "pins") == 0) {
			assert_int_equal(bytes, world->host->has_tce ? MEMORY_SIZE : 0x10000);
		} else if (strcmp(name, "tables") == 0) {
			assert_int_equal(bytes > 0, world->host->has_tce);
		} else {
			assert_string_equal(name, "leaks");
			assert_int_equal(bytes, 0);
		}
		sum += bytes;
		count++;
	}
	dbus_message_unref(reply);
	assert_int_equal(count, 3);
	assert_int_equal(sum, get_number(world->client, space, BUS_INTERFACE_SPACE, "LockedBytes"));
	space_close(world->client, space);
	(void)close(fd);
	wait_until_nothing_is_left(world);
}

#define TEST(function) cmocka_unit_test_teardown(function, forget_policy)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_reload),
		TEST(test_reload_of_a_bad_file),
		TEST(test_start_with_bad_policies),
		TEST(test_iommu_type),
		TEST(test_options),
		TEST(test_balloon),
		TEST(test_balloon_mixed),
		TEST(test_sharing),
		TEST(test_life_of_a_shared_container),
		TEST(test_h33_shared_detach),
		TEST(test_locked),
	};

	return cmocka_run_group_tests_name("policy", tests, world_start, world_stop);
}
