/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "question.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/vfio.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/names.h"

#define UNKNOWN_IOCTL _IO(VFIO_TYPE, VFIO_BASE + 100)
#define START_MARK    UINT64_C(0x1234567)
#define DMA_SIZE      16U

/* An answer that no ioctl gives: a structure was written where it should not have been. */
#define ANSWER_SCRIBBLED INT64_C(0x7fffffff00000001)

static const char *const devices[GROUPS] = {
	[EDU] = DEVICE_EDU,         [NIC] = DEVICE_NIC,
	[EDU_2] = DEVICE_EDU_2,     [NOT_VIABLE] = DEVICE_NOT_VIABLE,
	[NO_NODE] = DEVICE_UNBOUND,
};

static unsigned int asked;

unsigned int questions_asked(void)
{
	return asked;
}

/* -- opening and closing -- */

static int open_container(struct scene *scene, enum container container)
{
	int fd = kernel_open_node(scene->host.kernel, NODE_CONTAINER);

	if (fd < 0) {
		return fd;
	}
	assert_int_equal(scene->container[container], -1);
	scene->container[container] = fd;
	return 0;
}

/* One that is open already is not closed by this. */
static int open_group(struct scene *scene, enum group group)
{
	char path[64];
	int fd;

	(void)snprintf(path, sizeof(path), NODE_GROUP_PREFIX "%d", (int)group);
	fd = kernel_open_node(scene->host.kernel, path);
	if (fd < 0) {
		return fd;
	}
	assert_int_equal(scene->group[group], -1);
	scene->group[group] = fd;
	return 0;
}

static int open_node(struct scene *scene, const char *name)
{
	int fd = kernel_open_node(scene->host.kernel, name);

	(void)kernel_close(scene->host.kernel, fd);
	return fd < 0 ? fd : 0;
}

/* -- ioctls -- */

static uint32_t argsz_of(const struct arguments *with, size_t right_size)
{
	return with->argsz ? with->argsz - 1 : (uint32_t)right_size;
}

static uint64_t address_of(const struct scene *scene, const struct arguments *with)
{
	uint64_t start = (uintptr_t)scene->memory[with->memory];

	if (with->alignment) {
		start = (start + with->alignment - 1) & ~(with->alignment - 1);
	}
	return start + with->offset;
}

static int64_t ask_register(struct scene *scene, const struct arguments *with, int container,
			    unsigned long request)
{
	struct vfio_iommu_spapr_register_memory memory = {
		.argsz = argsz_of(with, sizeof(memory)),
		.flags = with->flags,
		.vaddr = address_of(scene, with),
		.size = with->size,
	};

	return kernel_ioctl(scene->host.kernel, container, request, &memory);
}

static int64_t ask_map(struct scene *scene, const struct arguments *with, int container)
{
	const uint32_t both = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE;
	struct vfio_iommu_type1_dma_map map = {
		.argsz = argsz_of(with, sizeof(map)),
		.flags = with->flags || with->no_flags ? with->flags : both,
		.vaddr = address_of(scene, with),
		.iova = with->iova,
		.size = with->size,
	};

	return kernel_ioctl(scene->host.kernel, container, VFIO_IOMMU_MAP_DMA, &map);
}

static int64_t ask_unmap(struct scene *scene, const struct arguments *with, int container)
{
	struct vfio_iommu_type1_dma_unmap unmap = {
		.argsz = argsz_of(with, sizeof(unmap)),
		.flags = with->flags,
		.iova = with->iova,
		.size = with->size,
	};
	int64_t answer = kernel_ioctl(scene->host.kernel, container, VFIO_IOMMU_UNMAP_DMA, &unmap);

	return unmap.size == with->size ? answer : ANSWER_SCRIBBLED;
}

static int64_t ask_create(struct scene *scene, const struct arguments *with, int container)
{
	struct vfio_iommu_spapr_tce_create create = {
		.argsz = argsz_of(with, sizeof(create)),
		.flags = with->flags,
		.page_shift = with->page_shift || with->no_page_shift ? with->page_shift : 12,
		.levels = with->levels || with->no_levels ? with->levels : 1,
		.window_size = with->size,
		.start_addr = START_MARK,
	};
	int64_t answer =
		kernel_ioctl(scene->host.kernel, container, VFIO_IOMMU_SPAPR_TCE_CREATE, &create);

	if (create.start_addr != (answer == 0 ? with->start : START_MARK)) {
		(void)printf("    start is 0x%" PRIx64 "\n", (uint64_t)create.start_addr);
		return ANSWER_SCRIBBLED;
	}
	return answer;
}

static int64_t ask_remove(struct scene *scene, const struct arguments *with, int container)
{
	struct vfio_iommu_spapr_tce_remove remove = {
		.argsz = argsz_of(with, sizeof(remove)),
		.flags = with->flags,
		.start_addr = with->iova,
	};

	return kernel_ioctl(scene->host.kernel, container, VFIO_IOMMU_SPAPR_TCE_REMOVE, &remove);
}

/* What the structure must hold afterwards: the answer, from the first byte on as far as it goes,
 * and the mark in all others. */
static int64_t ask_info(struct scene *scene, const struct arguments *with, int container)
{
	const size_t small = offsetof(struct vfio_iommu_spapr_tce_info, ddw);
	uint32_t argsz = argsz_of(with, sizeof(struct vfio_iommu_spapr_tce_info));
	const struct vfio_iommu_spapr_tce_info whole = {
		.argsz = argsz,
		.flags = VFIO_IOMMU_SPAPR_INFO_DDW,
		.dma32_window_size = (uint32_t)DEFAULT_WINDOW,
		.ddw = {.pgsizes = 0x40211000, .max_dynamic_windows_supported = 2, .levels = 5},
	};
	struct vfio_iommu_spapr_tce_info info;
	struct vfio_iommu_spapr_tce_info expected;
	size_t filled = argsz >= sizeof(info) ? sizeof(info) : small;
	int64_t answer;

	memset(&info, 0xaa, sizeof(info));
	info.argsz = argsz;
	info.flags = with->flags;
	expected = info;
	answer = kernel_ioctl(scene->host.kernel, container, VFIO_IOMMU_SPAPR_TCE_GET_INFO, &info);
	if (answer == 0) {
		memcpy(&expected, &whole, filled);
	}
	return memcmp(&info, &expected, sizeof(info)) == 0 ? answer : ANSWER_SCRIBBLED;
}

static int64_t ask_status(struct scene *scene, const struct arguments *with, int group)
{
	struct vfio_group_status status = {
		.argsz = argsz_of(with, sizeof(status)),
		.flags = with->flags,
	};
	int64_t answer = kernel_ioctl(scene->host.kernel, group, VFIO_GROUP_GET_STATUS, &status);

	if (status.argsz != argsz_of(with, sizeof(status)) ||
	    (answer < 0 && status.flags != with->flags)) {
		return ANSWER_SCRIBBLED;
	}
	return answer == 0 ? (int64_t)status.flags : answer;
}

/* *ret_opened is closed by the caller. */
static int pick_fd(struct scene *scene, const struct arguments *with, int *ret_opened)
{
	switch (with->container) {
	case FIRST:
	case SECOND:
		return scene->container[with->container];
	case NOT_OPEN:
		return 999;
	case DEV_NULL:
		*ret_opened = open("/dev/null", O_RDWR | O_CLOEXEC);
		return *ret_opened;
	case A_SOCKET:
		*ret_opened = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
		return *ret_opened;
	case ITS_OWN_GROUP:
		return scene->group[with->group];
	case MINUS_ONE:
	case CONTAINERS:
		break;
	}
	return -1;
}

static int64_t ask_set_container(struct scene *scene, const struct arguments *with, int group)
{
	int opened = -1;
	int fd = pick_fd(scene, with, &opened);
	int64_t answer = kernel_ioctl(scene->host.kernel, group, VFIO_GROUP_SET_CONTAINER, &fd);

	cleanup_fd(&opened);
	return answer;
}

static int64_t ask_version(struct scene *scene, const struct arguments *with)
{
	int opened = -1;
	int fd = pick_fd(scene, with, &opened);
	int64_t answer = kernel_ioctl_value(scene->host.kernel, fd, VFIO_GET_API_VERSION, 0);

	/* Not to be taken for the next that gets its number. */
	(void)kernel_close(scene->host.kernel, opened);
	return answer;
}

static int64_t ask_device_fd(struct scene *scene, const struct arguments *with, int group)
{
	char name[32];

	(void)snprintf(name, sizeof(name), "%s", with->name);
	return kernel_ioctl(scene->host.kernel, group, VFIO_GROUP_GET_DEVICE_FD, name);
}

/* -- DMA -- */

/* A device keeps what it last read: bytes that were never used before show what has arrived. */
static int64_t ask_dma(struct scene *scene, const struct arguments *with)
{
	static uint8_t fresh;
	uint8_t *source = scene->memory[WHOLE] + with->offset;
	uint8_t *target = scene->memory[WHOLE] + with->target_offset;

	fresh++;
	for (unsigned int i = 0; i < DMA_SIZE; i++) {
		source[i] = (uint8_t)(fresh + i * 3);
		target[i] = 0;
	}
	host_prepare_dma(&scene->host, devices[with->group]);
	host_copy_by_dma(&scene->host, devices[with->group], with->iova, with->target, DMA_SIZE);
	return memcmp(source, target, DMA_SIZE) == 0 ? ARRIVED : BLOCKED;
}

/* -- one question -- */

static int64_t ask_container(struct scene *scene, const struct question *question, int container)
{
	const struct arguments *with = &question->with;
	struct kernel *kernel = scene->host.kernel;

	switch ((int)question->ask) {
	case GET_API_VERSION:
		return kernel_ioctl_value(kernel, container, VFIO_GET_API_VERSION, 0);
	case CHECK_EXTENSION:
		return kernel_ioctl_value(kernel, container, VFIO_CHECK_EXTENSION, with->number);
	case SET_IOMMU:
		return kernel_ioctl_value(kernel, container, VFIO_SET_IOMMU, with->number);
	case GET_INFO:
		return ask_info(scene, with, container);
	case ENABLE:
		return kernel_ioctl_value(kernel, container, VFIO_IOMMU_ENABLE, 0);
	case DISABLE:
		return kernel_ioctl_value(kernel, container, VFIO_IOMMU_DISABLE, 0);
	case UNKNOWN_OF_CONTAINER:
		return kernel_ioctl_value(kernel, container, UNKNOWN_IOCTL, 0);
	case GROUP_IOCTL_OF_CONTAINER:
		return kernel_ioctl_value(kernel, container, VFIO_GROUP_UNSET_CONTAINER, 0);
	case REGISTER:
		return ask_register(scene, with, container, VFIO_IOMMU_SPAPR_REGISTER_MEMORY);
	case UNREGISTER:
		return ask_register(scene, with, container, VFIO_IOMMU_SPAPR_UNREGISTER_MEMORY);
	case MAP:
		return ask_map(scene, with, container);
	case UNMAP:
		return ask_unmap(scene, with, container);
	case CREATE:
		return ask_create(scene, with, container);
	default:
		return ask_remove(scene, with, container);
	}
}

static int64_t ask_group(struct scene *scene, const struct question *question, int group)
{
	const struct arguments *with = &question->with;
	struct kernel *kernel = scene->host.kernel;

	switch ((int)question->ask) {
	case GET_STATUS:
		return ask_status(scene, with, group);
	case SET_CONTAINER:
		return ask_set_container(scene, with, group);
	case UNSET_CONTAINER:
		return kernel_ioctl_value(kernel, group, VFIO_GROUP_UNSET_CONTAINER, 0);
	case GET_DEVICE_FD:
		return ask_device_fd(scene, with, group);
	case UNKNOWN_OF_GROUP:
		return kernel_ioctl_value(kernel, group, UNKNOWN_IOCTL, 0);
	default:
		return kernel_ioctl_value(kernel, group, VFIO_GET_API_VERSION, 0);
	}
}

static int64_t ask(struct scene *scene, const struct question *question)
{
	const struct arguments *with = &question->with;
	struct kernel *kernel = scene->host.kernel;

	switch (question->ask) {
	case OPEN_CONTAINER:
		return open_container(scene, with->container);
	case CLOSE_CONTAINER:
		scene->container[with->container] =
			kernel_close(kernel, scene->container[with->container]);
		return 0;
	case OPEN_GROUP:
		return open_group(scene, with->group);
	case CLOSE_GROUP:
		scene->group[with->group] = kernel_close(kernel, scene->group[with->group]);
		return 0;
	case OPEN_NODE:
		return open_node(scene, with->name);
	case GET_STATUS:
	case SET_CONTAINER:
	case UNSET_CONTAINER:
	case GET_DEVICE_FD:
	case UNKNOWN_OF_GROUP:
	case CONTAINER_IOCTL_OF_GROUP:
		return ask_group(scene, question, scene->group[with->group]);
	case VERSION_OF_FD:
		return ask_version(scene, with);
	case DROP_MEMORY:
		scene->alias_dropped = true;
		return kernel_unmap(kernel, scene->memory[ALIAS], WHOLE_SIZE);
	case LOCKED:
		return (int64_t)host_locked_kib(&scene->host);
	case DMA:
		return ask_dma(scene, with);
	case GET_API_VERSION:
	case CHECK_EXTENSION:
	case SET_IOMMU:
	case GET_INFO:
	case ENABLE:
	case DISABLE:
	case UNKNOWN_OF_CONTAINER:
	case GROUP_IOCTL_OF_CONTAINER:
	case REGISTER:
	case UNREGISTER:
	case MAP:
	case UNMAP:
	case CREATE:
	case REMOVE:
		return ask_container(scene, question, scene->container[with->container]);
	}
	return ANSWER_SCRIBBLED;
}

/* -- tables -- */

static const char *answer_text(int64_t answer, char *buffer, size_t size)
{
	if (answer < 0 && answer > -4096) {
		return strerrorname_np((int)-answer);
	}
	(void)snprintf(buffer, size, "%" PRId64, answer);
	return answer == ANSWER_SCRIBBLED ? "another content of the structure" : buffer;
}

static unsigned int ask_table(struct scene *scene, const struct question *questions, size_t count)
{
	unsigned int differences = 0;

	for (size_t i = 0; i < count; i++) {
		int64_t answer = ask(scene, &questions[i]);
		char got[32];
		char wanted[32];

		if (answer != questions[i].result) {
			(void)printf("    %zu. %s: expected %s, got %s\n", i + 1, questions[i].what,
				     answer_text(questions[i].result, wanted, sizeof(wanted)),
				     answer_text(answer, got, sizeof(got)));
			differences++;
		}
	}
	return differences;
}

void ask_all(struct scene *scene, const struct question *questions, size_t count)
{
	asked += (unsigned int)count;
	if (ask_table(scene, questions, count)) {
		fail_msg("the kernel answers otherwise");
	}
}

/* -- the scene -- */

static int memory_file(uint64_t size)
{
	int fd = memfd_create("conformance", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	return fd;
}

static uint8_t *map_memory(struct kernel *kernel, uint64_t file_size, uint64_t size, int prot)
{
	int fd = memory_file(file_size);
	void *address = NULL;

	assert_int_equal(kernel_map(kernel, fd, 0, size, prot, &address), 0);
	(void)close(fd);
	return address;
}

static void map_twice(struct scene *scene)
{
	struct kernel *kernel = scene->host.kernel;
	const int both = PROT_READ | PROT_WRITE;
	int fd = memory_file(WHOLE_SIZE + HOLE_SIZE);
	void *address = NULL;

	assert_int_equal(kernel_map(kernel, fd, 0, WHOLE_SIZE, both, &address), 0);
	scene->memory[ALIAS] = address;
	assert_int_equal(kernel_map(kernel, fd, 0, WHOLE_SIZE + HOLE_SIZE, both, &address), 0);
	scene->memory[WHOLE] = address;
	(void)close(fd);
}

/* Mapped and unmapped in this order, the hole is last to be made and first to be filled. */
static void scene_map(struct scene *scene)
{
	struct kernel *kernel = scene->host.kernel;
	const int both = PROT_READ | PROT_WRITE;

	scene->memory[READ_ONLY] = map_memory(kernel, READ_ONLY_SIZE, READ_ONLY_SIZE, PROT_READ);
	scene->memory[NO_ACCESS] = map_memory(kernel, NO_ACCESS_SIZE, NO_ACCESS_SIZE, PROT_NONE);
	scene->memory[CUT_SHORT] = map_memory(kernel, CUT_SHORT_SIZE / 2, CUT_SHORT_SIZE, both);
	map_twice(scene);
	assert_int_equal(kernel_unmap(kernel, scene->memory[WHOLE] + WHOLE_SIZE, HOLE_SIZE), 0);
}

static void scene_unmap(struct scene *scene)
{
	struct kernel *kernel = scene->host.kernel;

	if (!scene->alias_dropped) {
		assert_int_equal(kernel_unmap(kernel, scene->memory[ALIAS], WHOLE_SIZE), 0);
	}
	assert_int_equal(kernel_unmap(kernel, scene->memory[WHOLE], WHOLE_SIZE), 0);
	assert_int_equal(kernel_unmap(kernel, scene->memory[CUT_SHORT], CUT_SHORT_SIZE), 0);
	assert_int_equal(kernel_unmap(kernel, scene->memory[NO_ACCESS], NO_ACCESS_SIZE), 0);
	assert_int_equal(kernel_unmap(kernel, scene->memory[READ_ONLY], READ_ONLY_SIZE), 0);
}

static int set_up(void **state, uint64_t memlock_limit)
{
	static struct scene scene;

	scene = (struct scene){.host = HOST_NONE};
	memset(scene.container, -1, sizeof(scene.container));
	memset(scene.group, -1, sizeof(scene.group));
	*state = &scene;
	host_start(&scene.host, memlock_limit);
	scene_map(&scene);
	for (enum container container = FIRST; container < CONTAINERS; container++) {
		assert_int_equal(open_container(&scene, container), 0);
	}
	for (enum group group = EDU; group < NO_NODE; group++) {
		assert_int_equal(open_group(&scene, group), 0);
	}
	return 0;
}

int scene_set_up(void **state)
{
	return set_up(state, 0);
}

int scene_set_up_limited(void **state)
{
	return set_up(state, LIMIT_LOCKED);
}

int scene_tear_down(void **state)
{
	struct scene *scene = *state;

	for (enum group group = EDU; group < GROUPS; group++) {
		scene->group[group] = kernel_close(scene->host.kernel, scene->group[group]);
	}
	for (enum container container = FIRST; container < CONTAINERS; container++) {
		scene->container[container] =
			kernel_close(scene->host.kernel, scene->container[container]);
	}
	assert_int_equal(host_locked_kib(&scene->host), 0);
	assert_int_equal(host_damage(&scene->host), 0);
	scene_unmap(scene);
	host_stop(&scene->host);
	return 0;
}

/* -- another process -- */

static void limit_locked(void)
{
	const struct rlimit limit = {LIMIT_LOCKED, LIMIT_LOCKED};

	assert_int_equal(setrlimit(RLIMIT_MEMLOCK, &limit), 0);
	/* Root may lock what it likes. */
	if (geteuid() == 0) {
		assert_int_equal(setresuid(1000, 1000, 1000), 0);
	}
}

/* In the peer, which must not return into cmocka. Its exit status says whether answers differ. */
static _Noreturn void peer_run(struct scene *scene, struct table first, struct table second,
			       int ready, int release)
{
	char byte;
	bool differs;

	scene_map(scene);
	differs = ask_table(scene, first.questions, first.count) > 0;
	(void)fflush(stdout);
	(void)!write(ready, &differs, sizeof(differs));
	(void)!read(release, &byte, 1);
	differs = ask_table(scene, second.questions, second.count) > 0;
	(void)fflush(stdout);
	_exit(differs ? 1 : 0);
}

static int reap(struct peer *peer)
{
	int status = -1;

	assert_int_equal(waitpid(peer->pid, &status, 0), peer->pid);
	cleanup_fd(&peer->release);
	return status;
}

void peer_end(struct peer *peer)
{
	cleanup_fd(&peer->release);
	if (reap(peer) != 0) {
		fail_msg("the kernel answers another process otherwise");
	}
}

void peer_kill(struct peer *peer)
{
	assert_int_equal(kill(peer->pid, SIGKILL), 0);
	(void)reap(peer);
}

struct peer peer_start(struct scene *scene, struct table first, struct table second, bool limited)
{
	struct peer peer;
	struct host shared;
	int connection = -1;
	int ready[2];
	int release[2];
	bool differs = true;

	asked += (unsigned int)(first.count + second.count);
	host_share(&scene->host, &shared, &connection);
	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	assert_int_equal(pipe2(release, O_CLOEXEC), 0);
	(void)fflush(stdout);
	peer.pid = fork();
	assert_true(peer.pid >= 0);
	if (peer.pid == 0) {
		(void)close(ready[0]);
		(void)close(release[1]);
		if (limited) {
			limit_locked();
		}
		host_adopt(&scene->host, &shared, connection);
		peer_run(scene, first, second, ready[1], release[0]);
	}
	peer.release = release[1];
	(void)close(ready[1]);
	(void)close(release[0]);
	cleanup_fd(&connection);
	cleanup_fd(&shared.control);
	(void)!read(ready[0], &differs, sizeof(differs)); /* nothing comes of a peer that died */
	(void)close(ready[0]);
	if (differs) {
		peer_kill(&peer);
		fail_msg("the kernel answers another process otherwise");
	}
	return peer;
}
