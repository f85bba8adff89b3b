/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Bad input over the bus: each gets its named error and changes nothing, in every state that an
 * address space can be in.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "world.h"

#define MEMORY_SIZE UINT64_C(0x100000)
#define GPA         UINT64_C(0x200000)
#define TOP         (UINT64_MAX - 0xffff) /* the address of the last page, of any size */

/* How far an address space has come. */
enum stage {
	STAGE_EMPTY,
	STAGE_MEMORY,
	STAGE_GROUP,
	STAGE_BOTH,
	STAGE_MAPPED,
	STAGE_COUNT,
};

static const char *const stage_names[STAGE_COUNT] = {"empty", "memory", "group", "both", "mapped"};

struct space {
	const struct world *world;
	const struct lab_host *host;
	DBusConnection *client;
	char *path;
	enum stage stage;
	int fd;
	uint32_t memory_id;
};

static void space_open(struct space *space, const struct world *world, enum stage stage)
{
	*space = (struct space){
		.world = world, .host = world->host, .client = world->client, .stage = stage};
	space->path = space_create(space->client, stage_names[stage]);
	space->fd = memory_new(MEMORY_SIZE);
	if (stage != STAGE_EMPTY && stage != STAGE_GROUP) {
		space->memory_id = add_memory(space->client, space->path, space->fd, 0, GPA,
					      MEMORY_SIZE, 0, NULL);
	}
	if (stage >= STAGE_GROUP) {
		attach(space->client, space->path, space->host->edu, NULL);
	}
	if (stage == STAGE_MAPPED) {
		map(space->client, space->path, 0x10000, GPA, 0x4000, PROT_DEVICE_BOTH, NULL);
	}
}

static bool has_memory(const struct space *space)
{
	return space->memory_id != 0;
}

static bool has_group(const struct space *space)
{
	return space->stage >= STAGE_GROUP;
}

/* What must be the same after a refusal. */
struct picture {
	uint64_t numbers[6];
};

static struct picture take_picture(const struct space *space)
{
	static const char *const counters[] = {"Mappings", "MappedBytes", "LockedBytes"};
	static const char *const arrays[] = {"Memory", "Windows", "Containers"};
	struct picture picture;

	for (size_t i = 0; i < 3; i++) {
		picture.numbers[i] =
			get_number(space->client, space->path, BUS_INTERFACE_SPACE, counters[i]);
		picture.numbers[3 + i] =
			get_count(space->client, space->path, BUS_INTERFACE_SPACE, arrays[i]);
	}
	return picture;
}

/* -- one function for each method -- */

static void refuse_memory_ranges(const struct space *space)
{
	const uint64_t page = (uint64_t)space->world->page_size;
	const struct {
		uint64_t offset;
		uint64_t gpa;
		uint64_t size;
		uint32_t flags;
		const char *refusal;
	} cases[] = {
		{0, 0, 0, 0, "InvalidArgument"},                          /* empty */
		{0, 0, page / 2, 0, "InvalidArgument"},                   /* no whole page */
		{page / 2, 0, page, 0, "InvalidArgument"},                /* offset inside a page */
		{0, page / 2, page, 0, "InvalidArgument"},                /* gpa inside a page */
		{0, 0, MEMORY_SIZE + 0x10000, 0, "InvalidArgument"},      /* past the file's end */
		{MEMORY_SIZE, 0, 0x10000, 0, "InvalidArgument"},          /* behind the file */
		{TOP, 0, 0x20000, 0, "InvalidArgument"},                  /* offset wraps */
		{0, TOP, 0x20000, 0, "InvalidArgument"},                  /* gpa wraps */
		{0, GPA + MEMORY_SIZE, UINT64_MAX, 0, "InvalidArgument"}, /* wraps, not aligned */
		{0, GPA + MEMORY_SIZE, UINT64_C(1) << 62, 0, "InvalidArgument"}, /* huge */
		{0, 0, 0x10000, 8, "InvalidArgument"},                           /* unknown flag */
		{0, 0, 0x10000, 0xffffffff, "InvalidArgument"},                  /* all flags */
		{0, 0, 0x10000, 4, "InvalidArgument"}, /* ram-device, of a memfd */
		{0, 0, 0x10000, 6, "InvalidArgument"}, /* and identity at the same time */
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		(void)add_memory(space->client, space->path, space->fd, cases[i].offset,
				 cases[i].gpa, cases[i].size, cases[i].flags, cases[i].refusal);
	}
	if (has_memory(space)) {
		(void)add_memory(space->client, space->path, space->fd, 0, GPA, 0x10000, 0,
				 "MemoryInUse");
		(void)add_memory(space->client, space->path, space->fd, 0, GPA - 0x10000, 0x20000,
				 0, "MemoryInUse");
		(void)add_memory(space->client, space->path, space->fd, 0,
				 GPA + MEMORY_SIZE - 0x10000, 0x20000, 0, "MemoryInUse");
	}
	remove_memory(space->client, space->path, 0, "NotFound");
	remove_memory(space->client, space->path, UINT32_MAX, "NotFound");
}

static void refuse_fd(const struct space *space, int fd, const char *word)
{
	(void)add_memory(space->client, space->path, fd, 0, 0, 0x10000, 0, "InvalidArgument");
	if (!strstr(last_error_text(), word)) {
		fail_msg("\"%s\" does not say \"%s\"", last_error_text(), word);
	}
	(void)close(fd);
}

static void refuse_fds(const struct space *space)
{
	int unsealed = memfd_create("unsealed", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int read_only = memory_new(0x10000);
	int frozen = memory_new(0x10000);
	char path[64];
	int sockets[2];
	int pipes[2];

	assert_int_equal(ftruncate(unsealed, 0x10000), 0);
	refuse_fd(space, unsealed, "F_SEAL_SHRINK");
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), 0);
	refuse_fd(space, sockets[0], "socket");
	(void)close(sockets[1]);
	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	refuse_fd(space, pipes[0], "pipe");
	(void)close(pipes[1]);
	refuse_fd(space, open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC), "directory");
	refuse_fd(space, open("/dev/null", O_RDWR | O_CLOEXEC), "device");
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", read_only);
	refuse_fd(space, open(path, O_RDONLY | O_CLOEXEC), "read");
	refuse_fd(space, open(path, O_PATH | O_CLOEXEC), "O_PATH");
	(void)close(read_only);
	assert_int_equal(fcntl(frozen, F_ADD_SEALS, F_SEAL_WRITE), 0);
	refuse_fd(space, frozen, "F_SEAL_WRITE");
}

static void refuse_groups(const struct space *space)
{
	DBusConnection *client = space->client;
	uint32_t group = 4294967295U;
	char sibling[64];
	char *other;

	(void)call(client, space->path, BUS_INTERFACE_SPACE, "DetachGroup", "NotFound",
		   DBUS_TYPE_UINT32, &group, DBUS_TYPE_INVALID);
	detach(client, space->path, space->host->nic, "NotFound");
	attach(client, space->path, space->host->not_viable, "GroupNotViable");
	(void)snprintf(sibling, sizeof(sibling), "%s is bound to e1000e", space->host->sibling);
	assert_non_null(strstr(last_error_text(), sibling));
	if (has_group(space)) {
		attach(client, space->path, space->host->edu, "GroupBusy");
		other = space_create(client, "rival");
		attach(client, other, space->host->edu, "GroupBusy");
		assert_non_null(strstr(last_error_text(), stage_names[space->stage]));
		detach(client, other, space->host->edu, "NotFound");
		space_close(client, other);
	}
	if (space->stage == STAGE_MAPPED) {
		detach(client, space->path, space->host->edu, "MemoryInUse");
	}
}

struct refused_window {
	struct window window;
	const char *refusal;
};

static void refuse_each_window(const struct space *space, const struct refused_window *windows,
			       size_t count)
{
	for (size_t i = 0; i < count; i++) {
		(void)create_window(space->client, space->path, windows[i].window,
				    windows[i].refusal);
	}
}

#define COUNT_OF(array) (sizeof(array) / sizeof(*(array)))

static void refuse_windows(const struct space *space)
{
	static const struct refused_window everywhere[] = {
		{{WINDOW_ANYWHERE, 1, 12, 1}, "InvalidArgument"},          /* less than a page */
		{{WINDOW_ANYWHERE, UINT64_C(1) << 30, 13, 1}, "PageSize"}, /* not in the mask */
		{{WINDOW_ANYWHERE, UINT64_C(1) << 30, 63, 1}, "PageSize"},
		{{WINDOW_ANYWHERE, UINT64_C(1) << 30, UINT32_MAX, 1}, "PageSize"},
		{{WINDOW_ANYWHERE, UINT64_C(1) << 30, 12, 9}, "InvalidArgument"},
		{{WINDOW_ANYWHERE, UINT64_C(1) << 30, 12, UINT32_MAX}, "InvalidArgument"},
		{{0, UINT64_C(1) << 30, 12, 1}, "WindowOverlap"}, /* the default one */
		{{0x800, UINT64_C(1) << 30, 12, 1}, "InvalidArgument"},
		{{TOP, UINT64_C(1) << 30, 12, 1}, "InvalidArgument"}, /* wraps */
	};
	static const struct refused_window of_tces[] = {
		{{WINDOW_ANYWHERE, 0x3000000, 12, 1}, "InvalidArgument"}, /* no power of two */
		{{WINDOW_ANYWHERE, UINT64_C(1) << 63, 12, 1}, "QuotaExceeded"}, /* too many TCEs */
		{{WINDOW_ANYWHERE, UINT64_C(1) << 31, 12, 5}, "InvalidArgument"}, /* too deep */
	};
	static const struct refused_window in_books[] = {
		{{WINDOW_ANYWHERE, UINT64_C(1) << 63, 12, 1}, "Unsupported"}, /* no such range */
		{{WINDOW_ANYWHERE, 0x1000, 12, 1}, "NoWindowLeft"},           /* all in use */
		{{UINT64_C(0xfee00000), 0x1000, 12, 1}, "WindowStart"},       /* the interrupts' */
		{{UINT64_C(1) << 48, 0x1000, 12, 1}, "WindowStart"},          /* behind the end */
		{{0, UINT64_C(1) << 33, 12, 1}, "WindowStart"},               /* not in one range */
		{{0x201000, 0x200000, 21, 1}, "InvalidArgument"},             /* inside a page */
		{{WINDOW_ANYWHERE, UINT64_C(1) << 30, 12, 2}, "InvalidArgument"},
	};
	uint32_t flags = 2;
	dbus_uint64_t start = WINDOW_ANYWHERE;
	dbus_uint64_t size = UINT64_C(1) << 30;
	uint32_t shift = 12;
	uint32_t levels = 1;

	if (!has_group(space)) {
		(void)create_window(space->client, space->path,
				    (struct window){WINDOW_ANYWHERE, UINT64_C(1) << 30, 12, 1},
				    "NotFound");
		remove_window(space->client, space->path, 0, "NotFound");
		return;
	}
	refuse_each_window(space, everywhere, COUNT_OF(everywhere));
	if (space->host->has_tce) {
		refuse_each_window(space, of_tces, COUNT_OF(of_tces));
	} else {
		refuse_each_window(space, in_books, COUNT_OF(in_books));
	}
	(void)call(space->client, space->path, BUS_INTERFACE_SPACE, "CreateWindow",
		   "InvalidArgument", DBUS_TYPE_UINT64, &start, DBUS_TYPE_UINT64, &size,
		   DBUS_TYPE_UINT32, &shift, DBUS_TYPE_UINT32, &levels, DBUS_TYPE_UINT32, &flags,
		   DBUS_TYPE_INVALID);
	/* The kernel would take any address inside of a window for its start. */
	remove_window(space->client, space->path, 0x1000, "NotFound");
	remove_window(space->client, space->path, UINT64_MAX, "NotFound");
	if (space->stage == STAGE_MAPPED) {
		remove_window(space->client, space->path, 0, "MemoryInUse");
	}
}

static void refuse_maps(const struct space *space)
{
	const uint64_t end = space->host->default_window;
	const struct {
		uint64_t iova;
		uint64_t gpa;
		uint64_t size;
		uint32_t prot;
		const char *refusal;
	} cases[] = {
		{0, GPA, 0, 3, "InvalidArgument"},
		{0, GPA, 0x1000, 0, "InvalidArgument"},
		{0, GPA, 0x1000, 4, "InvalidArgument"},
		{0, GPA, 0x1000, UINT32_MAX, "InvalidArgument"},
		{TOP, GPA, 0x20000, 3, "InvalidArgument"}, /* iova wraps */
		{0, TOP, 0x20000, 3, "InvalidArgument"},   /* gpa wraps */
		{0x800, GPA, 0x1000, 3, "PageSize"},       /* inside an IOMMU page */
		{0, GPA + 0x800, 0x1000, 3, "PageSize"},
		{0, GPA, 0x800, 3, "PageSize"},
		{0, GPA - 0x1000, 0x2000, 3, "MemoryUnknown"}, /* begins before the memory */
		{0, GPA + MEMORY_SIZE, 0x1000, 3, "MemoryUnknown"},
		{0, GPA + MEMORY_SIZE - 0x1000, 0x2000, 3, "MemoryUnknown"},
		{end, GPA, 0x1000, 3, "OutsideWindow"},
		{space->host->nowhere, GPA, 0x1000, 3, "OutsideWindow"},
		/* The kernel checks the first page only, and writes behind its table. */
		{end - 0x1000, GPA, 0x2000, 3, "OutsideWindow"},
		{end - 0x1000, GPA, MEMORY_SIZE, 3, "OutsideWindow"},
	};

	if (!has_group(space)) {
		map(space->client, space->path, 0, GPA, 0x1000, 3, "OutsideWindow");
		return;
	}
	if (!has_memory(space)) {
		map(space->client, space->path, 0, GPA, 0x1000, 3, "MemoryUnknown");
		return;
	}
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		map(space->client, space->path, cases[i].iova, cases[i].gpa, cases[i].size,
		    cases[i].prot, cases[i].refusal);
	}
	if (space->stage == STAGE_MAPPED) {
		map(space->client, space->path, 0x10000, GPA, 0x4000, 3, "AlreadyMapped");
		map(space->client, space->path, 0x13000, GPA, 0x1000, 3, "AlreadyMapped");
		map(space->client, space->path, 0xf000, GPA, 0x10000, 3, "AlreadyMapped");
	}
}

static void refuse_unmaps(const struct space *space)
{
	uint64_t iova = 0x20000;

	unmap(space->client, space->path, 0, 0, "InvalidArgument");
	unmap(space->client, space->path, TOP, 0x20000, "InvalidArgument");
	unmap(space->client, space->path, 0x20000, 0x1000, "NotMapped");
	unmap(space->client, space->path, 0, UINT64_MAX, "NotMapped");
	unmap(space->client, space->path, 0x10000, 0x5000, "NotMapped");
	unmap(space->client, space->path, 0xf000, 0x5000, "NotMapped");
	if (space->stage == STAGE_MAPPED) {
		unmap(space->client, space->path, 0x10000, 0x2000, "NotMapped"); /* a half */
		unmap(space->client, space->path, 0x12000, 0x2000, "NotMapped");
		remove_memory(space->client, space->path, space->memory_id, "MemoryInUse");
	}
	(void)call(space->client, space->path, BUS_INTERFACE_SPACE, "Translate", "NotMapped",
		   DBUS_TYPE_UINT64, &iova, DBUS_TYPE_INVALID);
}

static void refuse_signatures(const struct space *space)
{
	static const char *const methods[] = {"AttachGroup",  "DetachGroup",  "AddMemory",
					      "RemoveMemory", "CreateWindow", "RemoveWindow",
					      "Map",          "Unmap",        "Translate",
					      "ListMappings", "Close"};
	const char *text = "a string is never an argument here";

	for (size_t i = 0; i < sizeof(methods) / sizeof(*methods); i++) {
		(void)call(space->client, space->path, BUS_INTERFACE_SPACE, methods[i],
			   DBUS_ERROR_INVALID_ARGS, DBUS_TYPE_STRING, &text, DBUS_TYPE_INVALID);
	}
}

static void test_refusals(void **state)
{
	static void (*const groups_of_refusals[])(const struct space *space) = {
		refuse_memory_ranges, refuse_fds,    refuse_groups,     refuse_windows,
		refuse_maps,          refuse_unmaps, refuse_signatures,
	};
	const struct world *world = *state;

	for (unsigned int stage = STAGE_EMPTY; stage < STAGE_COUNT; stage++) {
		struct space space;
		struct picture before;
		struct picture after;

		space_open(&space, world, (enum stage)stage);
		before = take_picture(&space);
		for (size_t i = 0; i < sizeof(groups_of_refusals) / sizeof(*groups_of_refusals);
		     i++) {
			groups_of_refusals[i](&space);
			after = take_picture(&space);
			if (memcmp(&before, &after, sizeof(before)) != 0) {
				fail_msg("in stage %s, refusals number %zu changed something",
					 stage_names[stage], i);
			}
		}
		space_close(space.client, space.path);
		(void)close(space.fd);
		wait_until_nothing_is_left(space.world);
	}
}

static void test_group_without_driver(void **state)
{
	const struct world *world = *state;
	char *space;

	if (!world->host->unbound) {
		skip_because("the host has no root port left for a device without a driver");
	}
	space = space_create(world->client, "no driver");
	attach(world->client, space, world->host->unbound, "GroupNotViable");
	assert_non_null(strstr(last_error_text(), "vfio-pci"));
	space_close(world->client, space);
	wait_until_nothing_is_left(world);
}

/* A third window: the kernel has two, or there are no addresses left. */
static void test_no_window_left(void **state)
{
	const struct world *world = *state;
	struct space space;
	struct window window;

	space_open(&space, world, STAGE_BOTH);
	make_room(space.client, space.host, space.path);
	window = create_window(
		space.client, space.path,
		(struct window){WINDOW_ANYWHERE, space.host->second_window_most, 0, 0}, NULL);
	(void)create_window(space.client, space.path, (struct window){WINDOW_ANYWHERE, 0, 0, 0},
			    "NoWindowLeft");
	map(space.client, space.path, window.start + window.size - 0x1000, GPA, 0x2000, 3,
	    "OutsideWindow");
	remove_window(space.client, space.path, window.start + 0x1000, "NotFound");
	space_close(space.client, space.path);
	(void)close(space.fd);
	wait_until_nothing_is_left(space.world);
}

/*
 * The same when the default window is gone, and not at the cost of those that are made later: an
 * LPAR's hypervisor that has refused one never makes another.
 */
static void test_no_window_left_without_the_default_one(void **state)
{
	const struct window wanted = {WINDOW_ANYWHERE, UINT64_C(1) << 30, 16, 1};
	const struct world *world = *state;
	struct space space;
	uint64_t last = 0;

	skip_without_tce(world);
	space_open(&space, world, STAGE_BOTH);
	remove_window(space.client, space.path, 0, NULL);
	for (int round = 0; round < 2; round++) {
		for (uint32_t i = 0; i < world->host->windows_without_default; i++) {
			last = create_window(space.client, space.path, wanted, NULL).start;
		}
		(void)create_window(space.client, space.path, wanted, "NoWindowLeft");
		remove_window(space.client, space.path, last, NULL);
		if (world->host->windows_without_default == 2) {
			remove_window(space.client, space.path, 0, NULL);
		}
	}
	space_close(space.client, space.path);
	(void)close(space.fd);
	wait_until_nothing_is_left(world);
}

/*
 * Where a window starts is only known when it is there: one that is not where it was wanted is
 * removed again. What stays is the table of the default window, which the kernel makes at the first
 * CREATE.
 */
static void test_window_start(void **state)
{
	const struct world *world = *state;
	const struct window elsewhere = {UINT64_C(1) << 32, UINT64_C(1) << 30, 12, 1};
	struct space space;
	struct picture before;
	struct picture after;

	skip_without_tce(world);
	space_open(&space, world, STAGE_BOTH);
	(void)create_window(space.client, space.path, elsewhere, "WindowStart");
	assert_non_null(strstr(last_error_text(), "0x100000000"));
	assert_non_null(strstr(last_error_text(), "0x800000000000000"));
	before = take_picture(&space);
	(void)create_window(space.client, space.path, elsewhere, "WindowStart");
	after = take_picture(&space);
	assert_memory_equal(&before, &after, sizeof(before));
	space_close(space.client, space.path);
	(void)close(space.fd);
	wait_until_nothing_is_left(space.world);
}

/* Where windows are books they start where they are wanted, if devices can have that at all. */
static void test_window_start_in_books(void **state)
{
	const struct world *world = *state;
	const uint64_t start = UINT64_C(1) << 32;
	const struct window here = {start, 0x3000, 12, 1};
	struct space space;
	struct window window;

	skip_with_tce(world);
	space_open(&space, world, STAGE_BOTH);
	(void)create_window(space.client, space.path, here, "WindowOverlap");
	make_room(space.client, space.host, space.path);
	(void)create_window(space.client, space.path,
			    (struct window){space.host->default_window, 0x1000, 12, 1},
			    "WindowStart");
	assert_non_null(strstr(last_error_text(), "0xfee00000"));
	assert_non_null(strstr(last_error_text(), "0xfef00000"));
	window = create_window(space.client, space.path, here, NULL);
	assert_int_equal(window.start, start);
	assert_int_equal(window.size, 0x3000);
	map(space.client, space.path, start, GPA, 0x3000, 3, NULL);
	map(space.client, space.path, start - 0x1000, GPA, 0x1000, 3, "OutsideWindow");
	map(space.client, space.path, start + 0x3000, GPA, 0x1000, 3, "OutsideWindow");
	remove_window(space.client, space.path, start, "MemoryInUse");
	/* The lowest place that is free. */
	window = create_window(space.client, space.path,
			       (struct window){WINDOW_ANYWHERE, start, 0, 0}, NULL);
	assert_int_equal(window.start, start + 0x3000);
	space_close(space.client, space.path);
	(void)close(space.fd);
	wait_until_nothing_is_left(space.world);
}

static void test_read_only_memory(void **state)
{
	const struct world *world = *state;
	struct space space;

	space_open(&space, world, STAGE_GROUP);
	(void)add_memory(space.client, space.path, space.fd, 0, 0, 0x10000, 1, NULL);
	map(space.client, space.path, 0, 0, 0x1000, PROT_DEVICE_WRITES, "InvalidArgument");
	map(space.client, space.path, 0, 0, 0x1000, PROT_DEVICE_BOTH, "InvalidArgument");
	map(space.client, space.path, 0, 0, 0x1000, PROT_DEVICE_READS, NULL);
	space_close(space.client, space.path);
	(void)close(space.fd);
	wait_until_nothing_is_left(space.world);
}

/* An IOMMU page larger than the pages behind the memory. */
static void test_large_iommu_pages(void **state)
{
	const struct world *world = *state;
	bool has_64k = world->host->has_tce && world->page_size == 4096;
	uint32_t shift = has_64k ? 16 : world->host->huge_shift;
	uint64_t size = UINT64_C(1) << shift;
	struct space space;
	struct window window;
	int fd;

	space_open(&space, world, STAGE_GROUP);
	make_room(space.client, space.host, space.path);
	fd = memory_new(size);
	(void)add_memory(space.client, space.path, fd, 0, size, size, 0, NULL);
	window = create_window(space.client, space.path,
			       (struct window){WINDOW_ANYWHERE, 0, shift, 1}, NULL);
	map(space.client, space.path, window.start, size, size, 3, "PageSize");
	space_close(space.client, space.path);
	(void)close(fd);
	(void)close(space.fd);
	wait_until_nothing_is_left(world);
}

/* A section that ends at 2^64: no device has such addresses, so it is there and no more. */
static void test_end_of_addresses(void **state)
{
	const struct world *world = *state;
	const uint64_t last_page = UINT64_MAX - 0xffff;
	struct space space;
	uint32_t id;

	space_open(&space, world, STAGE_GROUP);
	id = add_memory(space.client, space.path, space.fd, 0, last_page, 0x10000, 0, NULL);
	(void)add_memory(space.client, space.path, space.fd, 0, last_page, 0x10000, 0,
			 "MemoryInUse");
	map(space.client, space.path, 0, last_page, 0x10000, 3, "MemoryUnknown");
	assert_non_null(strstr(last_error_text(), "bit 63"));
	map(space.client, space.path, last_page, last_page, 0x10000, 3, "OutsideWindow");
	unmap(space.client, space.path, last_page, 0x10000, "NotMapped");
	remove_memory(space.client, space.path, id, NULL);
	space_close(space.client, space.path);
	(void)close(space.fd);
	wait_until_nothing_is_left(space.world);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_group_without_driver),
		cmocka_unit_test(test_no_window_left),
		cmocka_unit_test(test_no_window_left_without_the_default_one),
		cmocka_unit_test(test_window_start),
		cmocka_unit_test(test_window_start_in_books),
		cmocka_unit_test(test_read_only_memory),
		cmocka_unit_test(test_large_iommu_pages),
		cmocka_unit_test(test_end_of_addresses),
	};

	return cmocka_run_group_tests_name("refusals", tests, world_start, world_stop);
}
