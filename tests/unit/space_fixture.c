/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "space_fixture.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "common/cleanup.h"

int make_memory(uint64_t size)
{
	int fd = memfd_create("memory", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
	return fd;
}

int make_node(void)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
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

void fixture_open_limited(struct fixture *fixture, uint64_t locked_limit)
{
	struct space_settings settings = {.open_container = fake_container_open,
					  .locked_limit = locked_limit};

	fake_host = (struct fake_host){.calls = 0};
	*fixture = (struct fixture){.fds = count_fds()};
	assert_int_equal(kernel_linux_new(&fixture->kernel), 0);
	settings.kernel = fixture->kernel;
	assert_int_equal(space_new(&settings, &fixture->space), 0);
}

void fixture_open(struct fixture *fixture)
{
	fixture_open_limited(fixture, UINT64_MAX);
}

void fixture_close(struct fixture *fixture)
{
	fake_host.fail = 0;
	fixture->space = space_free(fixture->space);
	fixture->kernel = kernel_free(fixture->kernel);
	assert_int_equal(fake_host.live, 0);
	assert_int_equal(count_fds(), fixture->fds);
}

int complete(struct space_change *change, struct space_outcome *ret_outcome, struct error *error)
{
	space_change_work(change);
	return space_change_finish(change, ret_outcome, error);
}

struct space_attach attach_request(uint32_t group, uint32_t container)
{
	return (struct space_attach){
		.container_fd = -1, .group_fd = -1, .group = group, .container_id = container};
}

int attach_by(struct fixture *fixture, const struct space_attach *request)
{
	struct space_change *change = NULL;
	int r = space_attach_begin(fixture->space, request, &change, &fixture->error);

	return r ? r : complete(change, &fixture->outcome, &fixture->error);
}

static struct space_attach with_nodes(uint32_t group)
{
	struct space_attach request = attach_request(group, group + 100);

	request.container_fd = make_node();
	request.group_fd = make_node();
	return request;
}

int attach(struct fixture *fixture, uint32_t group)
{
	struct space_attach request = with_nodes(group);

	return attach_by(fixture, &request);
}

int attach_shared(struct fixture *fixture, uint32_t group)
{
	struct space_attach request = with_nodes(group);

	request.share = true;
	return attach_by(fixture, &request);
}

int detach(struct fixture *fixture, uint32_t group)
{
	struct space_change *change = NULL;
	int r = space_detach_begin(fixture->space, group, &change, &fixture->error);

	return r ? r : complete(change, &fixture->outcome, &fixture->error);
}

int add_memory(struct fixture *fixture, uint64_t gpa, uint32_t flags, uint32_t *ret_id)
{
	struct section_request request = {.gpa = gpa, .size = MEMORY_SIZE, .flags = flags};
	struct space_change *change = NULL;
	cleanup(cleanup_fd) int fd = make_memory(MEMORY_SIZE);
	int r;

	r = space_memory_add_begin(fixture->space, fd, &request, &change, &fixture->error);
	if (r == 0) {
		r = complete(change, &fixture->outcome, &fixture->error);
	}
	if (r == 0 && ret_id) {
		*ret_id = fixture->outcome.section->id;
	}
	return r;
}

int remove_memory(struct fixture *fixture, uint32_t id)
{
	struct space_change *change = NULL;
	int r = space_memory_remove_begin(fixture->space, id, &change, &fixture->error);

	return r ? r : complete(change, &fixture->outcome, &fixture->error);
}

int map(struct fixture *fixture, uint64_t iova, uint64_t gpa, uint64_t size)
{
	return space_map(fixture->space, iova, gpa, size, 3, &fixture->error);
}

int unmap(struct fixture *fixture, uint64_t iova, uint64_t size)
{
	return space_unmap(fixture->space, iova, size, &fixture->error);
}

int create_window(struct fixture *fixture, uint64_t start, struct window *ret_window)
{
	struct window_request request = {.start = start, .size = 0x10000000};
	struct window window;
	int r = space_window_create(fixture->space, &request, &window, &fixture->error);

	if (r == 0 && ret_window) {
		*ret_window = window;
	}
	return r;
}

int remove_window(struct fixture *fixture, uint64_t start)
{
	return space_window_remove(fixture->space, start, &fixture->error);
}

uint64_t locked_bytes(const struct space *space)
{
	struct space_locked locked = space_locked(space);

	return locked.pins + locked.tables + locked.leaks;
}

static size_t print_ledger(const struct fixture *fixture, char *text, size_t size)
{
	struct ledger_cursor cursor = ledger_seek(space_ledger(fixture->space), 0);
	struct mapping mapping;
	size_t used = 0;

	text[0] = '\0';
	while (ledger_step(&cursor, &mapping)) {
		used += (size_t)snprintf(
			text + used, size - used, "mapping %s to 0x%" PRIx64 " prot %" PRIu32 "\n",
			range_format(mapping.iova).text, mapping.gpa, mapping.prot);
	}
	return used;
}

void snapshot(const struct fixture *fixture, char text[SNAPSHOT_SIZE])
{
	const struct container *container;
	const struct section *section;
	const struct window *window;
	size_t used = 0;

	for (unsigned int i = 0; (section = space_section(fixture->space, i)); i++) {
		used += (size_t)snprintf(text + used, SNAPSHOT_SIZE - used,
					 "section %" PRIu32 " %s state %d mappings %" PRIu64 "\n",
					 section->id, range_format(section->gpa).text,
					 section->state, section->mappings);
	}
	for (unsigned int i = 0; (window = space_window(fixture->space, i)); i++) {
		used += (size_t)snprintf(text + used, SNAPSHOT_SIZE - used, "window %s\n",
					 range_format(window->range).text);
	}
	used += print_ledger(fixture, text + used, SNAPSHOT_SIZE - used);
	for (unsigned int i = 0; (container = space_container(fixture->space, i)); i++) {
		fake_container_print(container, text + used, SNAPSHOT_SIZE - used);
		used += strlen(text + used);
	}
	(void)snprintf(text + used, SNAPSHOT_SIZE - used, "%u live, %" PRIu64 " locked\n",
		       fake_host.live, locked_bytes(fixture->space));
}
