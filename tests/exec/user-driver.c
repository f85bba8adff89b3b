/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A small driver in user space, as others write them: it knows nothing of spaprd, and uses what the
 * kernel's documentation has. Run by `spaprctl sim exec`, it must not be able to tell that its
 * POWER host is a simulated one.
 *
 * usage: user-driver TEST; exits with 0, or says which line was not as expected.
 */
#include <dirent.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <limits.h>
#include <linux/magic.h>
#include <linux/netlink.h>
#include <linux/vfio.h>
#include <poll.h>
#include <pthread.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/types.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHECK(condition)                                                                        \
	do {                                                                                    \
		if (!(condition)) {                                                             \
			(void)fprintf(stderr, "%s:%d: %s (errno %d, %s)\n", __FILE__, __LINE__, \
				      #condition, errno, strerror(errno));                      \
			_exit(1);                                                               \
		}                                                                               \
	} while (0)

#define CHECK_FAILS(call, error)         \
	do {                             \
		errno = 0;               \
		CHECK((call) == -1);     \
		CHECK(errno == (error)); \
	} while (0)

#define PCI_DEVICES "/sys/bus/pci/devices"
#define BAD_POINTER bad_pointer

#define MEMORY_SIZE ((size_t)1 << 20)
#define BYTES       256U

/* The edu device (QEMU's docs/specs/edu.rst). Its registers have the byte order of the emulated
 * machine: big-endian on POWER. */
#define EDU_VENDOR_DEVICE 0x123411e8U
#define EDU_DMA_SOURCE    0x80
#define EDU_DMA_TARGET    0x88
#define EDU_DMA_COUNT     0x90
#define EDU_DMA_COMMAND   0x98
#define EDU_BUFFER        0x40000U
#define EDU_START         1U
#define EDU_TO_MEMORY     2U
#define EDU_INTERRUPT     4U

#define PCI_COMMAND 4

/* Of which the compiler knows nothing. */
static void *volatile bad_pointer = (void *)8;

/* A driver's hold on the device. */
struct driver {
	char name[NAME_MAX + 1];
	int container;
	int group;
	int device;
	uint8_t *memory;
	volatile uint8_t *registers;
};

/* sysfs */

static unsigned int read_number(const char *device, const char *file)
{
	char path[PATH_MAX];
	char line[64];
	FILE *stream;

	(void)snprintf(path, sizeof(path), PCI_DEVICES "/%s/%s", device, file);
	stream = fopen(path, "re");
	CHECK(stream);
	CHECK(fgets(line, sizeof(line), stream));
	CHECK(fclose(stream) == 0);
	return (unsigned int)strtoul(line, NULL, 16);
}

static int find_group(const char *device)
{
	char path[PATH_MAX];
	char target[PATH_MAX];
	ssize_t length;

	(void)snprintf(path, sizeof(path), PCI_DEVICES "/%s/iommu_group", device);
	length = readlink(path, target, sizeof(target) - 1);
	if (length < 0) {
		return -1;
	}
	target[length] = '\0';
	return (int)strtol(strrchr(target, '/') + 1, NULL, 10);
}

/* The edu device in the first group. */
static void find_device(struct driver *driver)
{
	DIR *devices = opendir(PCI_DEVICES);
	struct dirent *entry;

	CHECK(devices);
	while (!*driver->name && (entry = readdir(devices)) != NULL) {
		if (*entry->d_name != '.' &&
		    (read_number(entry->d_name, "vendor") << 16 |
		     read_number(entry->d_name, "device")) == EDU_VENDOR_DEVICE &&
		    find_group(entry->d_name) == 0) {
			(void)snprintf(driver->name, sizeof(driver->name), "%s", entry->d_name);
		}
	}
	CHECK(closedir(devices) == 0);
	CHECK(*driver->name);
}

/* VFIO */

static void open_group(struct driver *driver)
{
	struct vfio_group_status status = {.argsz = sizeof(status)};

	driver->container = open("/dev/vfio/vfio", O_RDWR);
	CHECK(driver->container >= 0);
	driver->group = open("/dev/vfio/0", O_RDWR);
	CHECK(driver->group >= 0);
	CHECK(ioctl(driver->container, VFIO_GET_API_VERSION) == VFIO_API_VERSION);
	CHECK(ioctl(driver->container, VFIO_CHECK_EXTENSION, VFIO_SPAPR_TCE_v2_IOMMU) == 1);
	CHECK(ioctl(driver->group, VFIO_GROUP_GET_STATUS, &status) == 0);
	CHECK(status.flags == VFIO_GROUP_FLAGS_VIABLE);
	CHECK(ioctl(driver->group, VFIO_GROUP_SET_CONTAINER, &driver->container) == 0);
	CHECK(ioctl(driver->container, VFIO_SET_IOMMU, VFIO_SPAPR_TCE_v2_IOMMU) == 0);
}

static int register_memory(int container, void *memory, size_t size)
{
	struct vfio_iommu_spapr_register_memory registration = {
		.argsz = sizeof(registration),
		.vaddr = (uintptr_t)memory,
		.size = size,
	};

	return ioctl(container, VFIO_IOMMU_SPAPR_REGISTER_MEMORY, &registration);
}

static int map_memory(int container, void *memory, uint64_t iova, size_t size)
{
	struct vfio_iommu_type1_dma_map map = {
		.argsz = sizeof(map),
		.flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
		.vaddr = (uintptr_t)memory,
		.iova = iova,
		.size = size,
	};

	return ioctl(container, VFIO_IOMMU_MAP_DMA, &map);
}

/* Memory as any program has it, for the device at IOVA 0. */
static void give_memory(struct driver *driver)
{
	driver->memory = aligned_alloc(65536, MEMORY_SIZE);
	CHECK(driver->memory);
	memset(driver->memory, 0, MEMORY_SIZE);
	CHECK(register_memory(driver->container, driver->memory, MEMORY_SIZE) == 0);
	CHECK(map_memory(driver->container, driver->memory, 0, MEMORY_SIZE) == 0);
}

static void open_device(struct driver *driver)
{
	struct vfio_region_info bar = {.argsz = sizeof(bar), .index = VFIO_PCI_BAR0_REGION_INDEX};
	struct vfio_region_info config = {
		.argsz = sizeof(config),
		.index = VFIO_PCI_CONFIG_REGION_INDEX,
	};
	uint16_t command = 0;

	driver->device = ioctl(driver->group, VFIO_GROUP_GET_DEVICE_FD, driver->name);
	CHECK(driver->device >= 0);
	CHECK(ioctl(driver->device, VFIO_DEVICE_GET_REGION_INFO, &bar) == 0);
	CHECK(bar.flags & VFIO_REGION_INFO_FLAG_MMAP);
	driver->registers = mmap(NULL, bar.size, PROT_READ | PROT_WRITE, MAP_SHARED, driver->device,
				 (off_t)bar.offset);
	CHECK(driver->registers != MAP_FAILED);
	CHECK(ioctl(driver->device, VFIO_DEVICE_GET_REGION_INFO, &config) == 0);
	CHECK(pread(driver->device, &command, 2, (off_t)config.offset + PCI_COMMAND) == 2);
	command |= 6; /* memory, bus master */
	CHECK(pwrite(driver->device, &command, 2, (off_t)config.offset + PCI_COMMAND) == 2);
	CHECK(pread(driver->device, &command, 2, (off_t)config.offset + PCI_COMMAND) == 2);
	CHECK((command & 6) == 6);
}

static int open_interrupt(const struct driver *driver)
{
	uint8_t bytes[sizeof(struct vfio_irq_set) + sizeof(int32_t)]
		__attribute__((aligned(__alignof__(struct vfio_irq_set))));
	struct vfio_irq_set set = {
		.argsz = sizeof(bytes),
		.flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER,
		.index = VFIO_PCI_MSI_IRQ_INDEX,
		.count = 1,
	};
	int event = eventfd(0, EFD_CLOEXEC);

	CHECK(event >= 0);
	memcpy(bytes, &set, sizeof(set));
	memcpy(bytes + sizeof(set), &event, sizeof(event));
	CHECK(ioctl(driver->device, VFIO_DEVICE_SET_IRQS, bytes) == 0);
	return event;
}

static void write_register(const struct driver *driver, size_t offset, uint64_t value)
{
	*(volatile uint64_t *)(driver->registers + offset) = htobe64(value);
}

static void transfer(const struct driver *driver, uint64_t source, uint64_t target,
		     uint64_t command)
{
	write_register(driver, EDU_DMA_SOURCE, source);
	write_register(driver, EDU_DMA_TARGET, target);
	write_register(driver, EDU_DMA_COUNT, BYTES);
	write_register(driver, EDU_DMA_COMMAND, command | EDU_START);
	for (int i = 0; i < 5000; i++) {
		uint64_t left = *(volatile uint64_t *)(driver->registers + EDU_DMA_COMMAND);

		if (!(be64toh(left) & EDU_START)) {
			return;
		}
		(void)usleep(1000);
	}
	CHECK(!"the transfer ends");
}

static void open_driver(struct driver *driver)
{
	*driver = (struct driver){.container = -1};
	find_device(driver);
	open_group(driver);
	give_memory(driver);
}

/* the tests */

/* The device copies bytes from one place of the program's memory to another. */
static void test_dma(void)
{
	struct pollfd interrupt = {.events = POLLIN};
	struct driver driver;
	uint64_t count = 0;

	open_driver(&driver);
	open_device(&driver);
	interrupt.fd = open_interrupt(&driver);
	for (unsigned int i = 0; i < BYTES; i++) {
		driver.memory[0x1000 + i] = (uint8_t)(i * 7 + 1);
	}
	transfer(&driver, 0x1000, EDU_BUFFER, 0);
	transfer(&driver, EDU_BUFFER, 0x23000, EDU_TO_MEMORY | EDU_INTERRUPT);
	CHECK(poll(&interrupt, 1, 5000) == 1);
	CHECK(read(interrupt.fd, &count, sizeof(count)) == sizeof(count));
	CHECK(count == 1);
	CHECK(memcmp(driver.memory + 0x23000, driver.memory + 0x1000, BYTES) == 0);
	CHECK(driver.memory[0x23000 + BYTES] == 0);
	CHECK(close(driver.device) == 0);
	CHECK(close(driver.group) == 0);
	CHECK(close(driver.container) == 0);
	/* A close is done when it returns. */
	open_group(&driver);
}

static void test_bad_pointers(void)
{
	struct driver driver;
	char *nothing = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct vfio_group_status *only_read;
	int zero = open("/dev/zero", O_RDWR);

	CHECK(nothing != MAP_FAILED);
	open_driver(&driver);
	CHECK_FAILS(ioctl(driver.container, VFIO_IOMMU_MAP_DMA, BAD_POINTER), EFAULT);
	CHECK_FAILS(ioctl(driver.container, VFIO_IOMMU_SPAPR_TCE_GET_INFO, nothing), EFAULT);
	CHECK_FAILS(ioctl(driver.group, VFIO_GROUP_GET_STATUS, NULL), EFAULT);
	CHECK_FAILS(ioctl(driver.group, VFIO_GROUP_GET_DEVICE_FD, BAD_POINTER), EFAULT);
	only_read = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, zero, 0);
	CHECK(only_read != MAP_FAILED);
	/* argsz 0 is looked at first. */
	CHECK_FAILS(ioctl(driver.group, VFIO_GROUP_GET_STATUS, only_read), EINVAL);
	CHECK(mprotect(only_read, 4096, PROT_READ | PROT_WRITE) == 0);
	only_read->argsz = sizeof(*only_read);
	CHECK(mprotect(only_read, 4096, PROT_READ) == 0);
	CHECK_FAILS(ioctl(driver.group, VFIO_GROUP_GET_STATUS, only_read), EFAULT);
	open_device(&driver);
	CHECK_FAILS(pread(driver.device, BAD_POINTER, 4, (off_t)7 << 40), EFAULT);
	CHECK_FAILS(pwrite(driver.device, BAD_POINTER, 4, (off_t)7 << 40), EFAULT);
	CHECK_FAILS(register_memory(driver.container, nothing, 4096), EFAULT);
}

static void test_calls_that_nodes_refuse(void)
{
	struct driver driver;
	char byte = 0;

	open_driver(&driver);
	CHECK_FAILS(read(driver.container, &byte, 1), EINVAL);
	CHECK_FAILS(write(driver.group, &byte, 1), EINVAL);
	CHECK_FAILS(pread(driver.container, &byte, 1, 0), EINVAL);
	CHECK(mmap(NULL, 4096, PROT_READ, MAP_SHARED, driver.container, 0) == MAP_FAILED);
	CHECK(errno == ENODEV);
	CHECK_FAILS(ioctl(driver.container, VFIO_GROUP_GET_STATUS, &byte), ENOTTY);
	CHECK_FAILS(open("/dev/vfio/99", O_RDWR), ENOENT);
	CHECK_FAILS(open("/dev/vfio/vfio/x", O_RDWR), ENOTDIR);
	CHECK_FAILS(open("/dev/vfio/0", O_RDWR), EBUSY);
	open_device(&driver);
	CHECK(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, driver.device, 0) == MAP_FAILED);
	CHECK(errno == EINVAL);
}

static void test_errno_is_kept(void)
{
	struct driver driver;

	open_driver(&driver);
	errno = 77;
	CHECK(ioctl(driver.container, VFIO_GET_API_VERSION) == 0);
	CHECK(errno == 77);
	CHECK(map_memory(driver.container, driver.memory, MEMORY_SIZE, 4096) == 0);
	CHECK(errno == 77);
	CHECK(close(open("/dev/vfio/vfio", O_RDWR)) == 0);
	CHECK(errno == 77);
}

static void expect_success(pid_t child)
{
	int status = -1;

	CHECK(waitpid(child, &status, 0) == child);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* H23: a child is another process to the container; what it opens is its own. */
static void test_fork(void)
{
	struct driver driver;
	pid_t child;

	open_driver(&driver);
	child = fork();
	CHECK(child >= 0);
	if (child == 0) {
		int container = open("/dev/vfio/vfio", O_RDWR);

		CHECK(container >= 0);
		CHECK(ioctl(driver.container, VFIO_CHECK_EXTENSION, VFIO_SPAPR_TCE_v2_IOMMU) == 1);
		CHECK_FAILS(register_memory(driver.container, driver.memory, 65536), EPERM);
		CHECK_FAILS(map_memory(driver.container, driver.memory, 0, 65536), EPERM);
		_exit(0);
	}
	expect_success(child);
	CHECK(map_memory(driver.container, driver.memory, 0, MEMORY_SIZE) == 0);
}

/* A process that executes another program has another address space. */
static void test_exec(void)
{
	struct driver driver;
	char fd[16];

	open_driver(&driver);
	(void)snprintf(fd, sizeof(fd), "%d", driver.container);
	(void)execl("/proc/self/exe", "user-driver", "after-exec", fd, NULL);
	CHECK(!"executed");
}

static void test_after_exec(int container)
{
	void *memory = aligned_alloc(65536, 65536);

	CHECK(memory);
	CHECK(ioctl(container, VFIO_CHECK_EXTENSION, VFIO_SPAPR_TCE_v2_IOMMU) == 1);
	CHECK_FAILS(register_memory(container, memory, 65536), EPERM);
	CHECK_FAILS(open("/dev/vfio/0", O_RDWR), EBUSY);
}

/* Programs that are started otherwise than by fork. */
static void test_spawn(void)
{
	char *arguments[] = {(char *)"cat", (char *)"/sys/kernel/iommu_groups/0/type", NULL};
	struct driver driver;
	pid_t child = -1;

	open_driver(&driver);
	CHECK(posix_spawnp(&child, "cat", NULL, NULL, arguments, environ) == 0);
	expect_success(child);
	child = vfork(); /* NOLINT(clang-analyzer-security.insecureAPI.vfork) */
	CHECK(child >= 0);
	if (child == 0) {
		/* What a vfork's child may not do, and yet programs do. */
		(void)close(driver.container); /* NOLINT(clang-analyzer-unix.Vfork) */
		(void)dup2(driver.group, 9);
		(void)execlp("cat", "cat", "/sys/kernel/iommu_groups/0/name", NULL);
		_exit(1);
	}
	expect_success(child);
	CHECK(map_memory(driver.container, driver.memory, 0, MEMORY_SIZE) == 0);
	/* What it closed is still the parent's node, of which nothing can be read. */
	CHECK_FAILS(read(driver.container, &child, 1), EINVAL);
	CHECK(fcntl(9, F_GETFD) == -1);
}

/* A node that travels over a socket, and one that was duplicated. */
static void test_passed_fds(void)
{
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(sizeof(int))];
	} control = {.space = ""};
	char byte = 'x';
	struct iovec part = {.iov_base = &byte, .iov_len = 1};
	struct msghdr message = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
	struct driver driver;
	int sockets[2];
	int passed;

	open_driver(&driver);
	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) == 0);
	rights->cmsg_level = SOL_SOCKET;
	rights->cmsg_type = SCM_RIGHTS;
	rights->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(rights), &driver.container, sizeof(int));
	CHECK(sendmsg(sockets[0], &message, 0) == 1);
	CHECK(recvmsg(sockets[1], &message, 0) == 1);
	rights = CMSG_FIRSTHDR(&message);
	CHECK(rights);
	memcpy(&passed, CMSG_DATA(rights), sizeof(int));
	CHECK(passed != driver.container);
	CHECK_FAILS(read(passed, &byte, 1), EINVAL);
	CHECK(map_memory(passed, driver.memory, 0, 65536) == 0);
	passed = dup2(driver.group, 200);
	CHECK(close(driver.group) == 0);
	CHECK(ioctl(passed, VFIO_GROUP_GET_DEVICE_FD, driver.name) >= 0);
	passed = fcntl(driver.container, F_DUPFD_CLOEXEC, 100);
	CHECK(map_memory(passed, driver.memory, 0, 65536) == 0);
}

/* A daemon closes all that it doesn't know. */
static void test_close_all(void)
{
	struct driver driver;

	open_driver(&driver);
	for (int fd = 3; fd < 1024; fd++) {
		(void)close(fd);
	}
	closefrom(3);
	open_driver(&driver);
}

#define THREADS 8
#define ROUNDS  200

static void *open_and_close(void *argument)
{
	for (int i = 0; i < ROUNDS; i++) {
		int container = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC);

		if (container < 0 ||
		    ioctl(container, VFIO_CHECK_EXTENSION, VFIO_SPAPR_TCE_v2_IOMMU) != 1 ||
		    close(container) < 0 || access(PCI_DEVICES, R_OK) < 0) {
			return argument;
		}
	}
	return NULL;
}

static void test_threads(void)
{
	pthread_t threads[THREADS];
	int failed = 1;

	for (int i = 0; i < THREADS; i++) {
		CHECK(pthread_create(&threads[i], NULL, open_and_close, &failed) == 0);
	}
	for (int i = 0; i < THREADS; i++) {
		void *result = &failed;

		CHECK(pthread_join(threads[i], &result) == 0);
		CHECK(!result);
	}
}

static unsigned long read_locked(void)
{
	FILE *status = fopen("/proc/self/status", "re");
	unsigned long locked = 0;
	char line[256];
	bool found = false;

	CHECK(status);
	while (fgets(line, sizeof(line), status)) {
		if (strncmp(line, "VmLck:", 6) == 0) {
			locked = strtoul(line + 6, NULL, 10);
			found = true;
		}
	}
	CHECK(fclose(status) == 0);
	CHECK(found);
	return locked;
}

static void test_locked_memory(void)
{
	struct driver driver;
	unsigned long before = read_locked();

	/* The table of the default window costs 8 MiB. */
	open_driver(&driver);
	CHECK(read_locked() == before + MEMORY_SIZE / 1024 + 8192);
}

static int walked;

static int walk(const char *path, const struct stat *status, int type, struct FTW *where)
{
	(void)status;
	(void)type;
	CHECK(strncmp(path, "/sys/kernel/iommu_groups", 24) == 0);
	CHECK(strcmp(path + where->base, "iommu_groups") != 0 || where->level == 0);
	walked++;
	return 0;
}

/* What names look like, by all ways of looking. */
static void test_names(void)
{
	char path[PATH_MAX];
	struct stat status;
	struct dirent **entries = NULL;
	glob_t found;
	int directory;

	CHECK(stat("/dev/vfio/vfio", &status) == 0 && S_ISCHR(status.st_mode));
	CHECK(status.st_rdev == makedev(10, 196));
	CHECK(lstat("//dev/./vfio/../vfio/0", &status) == 0 && S_ISCHR(status.st_mode));
	CHECK((status.st_mode & 07777) == 0600);
	CHECK(fstat(open("/dev/vfio/vfio", O_RDWR), &status) == 0 && S_ISCHR(status.st_mode));
	CHECK(access("/dev/vfio/vfio", R_OK | W_OK) == 0);
	CHECK_FAILS(access("/dev/vfio/99", F_OK), ENOENT);
	CHECK_FAILS(access("/dev/iommu", F_OK), ENOENT);
	CHECK(realpath("/sys/bus/pci/devices/0000:01:00.0", path));
	CHECK(strcmp(path, "/sys/devices/pci0000:00/0000:00:00.0/0000:01:00.0") == 0);
	CHECK(realpath("/sys/bus/pci/devices/0000:01:00.0/iommu_group/..", path));
	CHECK(strcmp(path, "/sys/kernel/iommu_groups") == 0);
	CHECK(glob("/sys/kernel/iommu_groups/[01]/devices/*", 0, NULL, &found) == 0);
	CHECK(found.gl_pathc == 2);
	CHECK(strcmp(found.gl_pathv[0], "/sys/kernel/iommu_groups/0/devices/0000:01:00.0") == 0);
	globfree(&found);
	CHECK(nftw("/sys/kernel/iommu_groups", walk, 8, FTW_PHYS) == 0);
	CHECK(walked > 10);
	CHECK(scandir("/dev/vfio", &entries, NULL, alphasort) >= 5);
	CHECK(strcmp(entries[2]->d_name, "0") == 0);
	CHECK(access("/proc/device-tree/compatible", R_OK) == 0);
	/* By way of directories, whether they are the simulated host's or not. */
	directory = open("/dev/vfio", O_RDONLY | O_DIRECTORY);
	CHECK(directory >= 0);
	CHECK(ioctl(openat(directory, "vfio", O_RDWR), VFIO_GET_API_VERSION) == 0);
	CHECK(fstatat(directory, "0", &status, 0) == 0 && S_ISCHR(status.st_mode));
	directory = open("/", O_RDONLY | O_DIRECTORY);
	CHECK(directory >= 0);
	CHECK(ioctl(openat(directory, "dev/vfio/vfio", O_RDWR), VFIO_GET_API_VERSION) == 0);
	directory = openat(directory, "sys", O_PATH);
	CHECK(directory >= 0);
	CHECK(openat(directory, "kernel/iommu_groups/0/name", O_RDONLY) >= 0);
}

static void test_links_of_fds(void)
{
	char link[64];
	char target[64] = "";
	struct driver driver;

	open_driver(&driver);
	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", driver.group);
	CHECK(readlink(link, target, sizeof(target)) == strlen("/dev/vfio/0"));
	CHECK(strncmp(target, "/dev/vfio/0", strlen("/dev/vfio/0")) == 0);
	(void)snprintf(link, sizeof(link), "/proc/%d/fd/%d", (int)getpid(), driver.group);
	CHECK(readlink(link, target, sizeof(target)) == strlen("/dev/vfio/0"));
	(void)snprintf(link, sizeof(link), "/dev/fd/%d", driver.group);
	CHECK(readlink(link, target, sizeof(target)) == strlen("/dev/vfio/0"));
	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d",
		       open("/sys/kernel/iommu_groups/0/name", O_RDONLY));
	CHECK(readlink(link, target, sizeof(target)) == strlen("/sys/kernel/iommu_groups/0/name"));
}

/* Nodes have no poll: they are ready at any time, and nothing for epoll (ep_insert). */
static void test_waiting(void)
{
	struct epoll_event event = {.events = EPOLLIN};
	struct timeval timeout = {.tv_sec = 0};
	struct pollfd fds[3];
	struct driver driver;
	int events = eventfd(0, EFD_CLOEXEC);
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	fd_set readable;
	fd_set exceptional;

	open_driver(&driver);
	open_device(&driver);
	fds[0] = (struct pollfd){.fd = driver.device, .events = POLLIN | POLLPRI};
	fds[1] = (struct pollfd){.fd = events, .events = POLLIN | POLLOUT};
	fds[2] = (struct pollfd){.fd = -1, .events = POLLIN, .revents = POLLIN};
	CHECK(poll(fds, 3, -1) == 2);
	CHECK(fds[0].revents == POLLIN && fds[0].events == (POLLIN | POLLPRI));
	CHECK(fds[1].revents == POLLOUT && fds[1].fd == events);
	CHECK(fds[2].revents == 0);
	fds[0].events = POLLPRI;
	fds[1].events = POLLIN;
	CHECK(poll(fds, 3, 1) == 0);
	CHECK(fds[0].revents == 0);
	FD_ZERO(&readable);
	FD_ZERO(&exceptional);
	FD_SET(driver.group, &readable);
	FD_SET(events, &readable);
	FD_SET(driver.group, &exceptional);
	CHECK(select(FD_SETSIZE, &readable, NULL, &exceptional, NULL) == 1);
	CHECK(FD_ISSET(driver.group, &readable) && !FD_ISSET(events, &readable));
	CHECK(!FD_ISSET(driver.group, &exceptional));
	CHECK(select(FD_SETSIZE, NULL, NULL, &exceptional, &timeout) == 0);
	CHECK_FAILS(epoll_ctl(epoll, EPOLL_CTL_ADD, driver.container, &event), EPERM);
	CHECK(epoll_ctl(epoll, EPOLL_CTL_ADD, events, &event) == 0);
}

/* A program that counts on every number up to its limit doesn't hit what holds its nodes. */
static void test_all_numbers(void)
{
	struct driver driver;
	int failed = 0;

	open_driver(&driver);
	for (int fd = 100; fd < 1024; fd++) {
		if (dup2(STDERR_FILENO, fd) != fd) {
			CHECK(errno == EBUSY);
			failed++;
		}
	}
	CHECK(failed > 0 && failed < 64);
	CHECK(map_memory(driver.container, driver.memory, 0, MEMORY_SIZE) == 0);
}

/* Without an fd left a node can't be opened, as with any kernel. */
static void test_no_fd_left(void)
{
	struct driver driver;
	int last = -1;
	int fd;

	open_driver(&driver);
	while ((fd = dup(STDERR_FILENO)) >= 0) {
		last = fd;
	}
	CHECK(errno == EMFILE);
	CHECK_FAILS(open("/dev/vfio/vfio", O_RDWR), EMFILE);
	CHECK_FAILS(ioctl(driver.group, VFIO_GROUP_GET_DEVICE_FD, driver.name), EMFILE);
	CHECK(close(last) == 0);
	CHECK(open("/dev/vfio/vfio", O_RDWR) == last);
}

/* A program that may have few fds finds the numbers free that it counts on. */
static void test_few_fds(void)
{
	struct rlimit limit;

	CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
	limit.rlim_cur = 20;
	CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	for (int fd = 3; fd < 20; fd++) {
		(void)close(fd);
	}
	CHECK(open("/dev/vfio/vfio", O_RDWR) == 3);
	for (int fd = 4; fd < 15; fd++) {
		CHECK(dup2(3, fd) == fd);
		CHECK(ioctl(fd, VFIO_GET_API_VERSION) == VFIO_API_VERSION);
	}
}

static void test_file_systems(void)
{
	struct statfs status;
	int fd = open("/sys/kernel/iommu_groups/0", O_RDONLY | O_DIRECTORY);

	CHECK(fd >= 0);
	CHECK(fstatfs(fd, &status) == 0);
	CHECK(status.f_type == SYSFS_MAGIC);
	CHECK(statfs("/sys/kernel/iommu_groups/0/name", &status) == 0);
	CHECK(status.f_type == SYSFS_MAGIC);
	CHECK_FAILS(statfs("/sys/kernel/iommu_groups/99", &status), ENOENT);
	CHECK(statfs("/proc/self", &status) == 0);
	CHECK(status.f_type == PROC_SUPER_MAGIC);
}

static void test_uevents(void)
{
	struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = 1};
	socklen_t size = sizeof(address);
	char byte;
	int on = 1;
	int fd =
		socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT);

	CHECK(fd >= 0);
	CHECK(bind(fd, (struct sockaddr *)&address, size) == 0);
	CHECK(setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) == 0);
	CHECK(getsockname(fd, (struct sockaddr *)&address, &size) == 0);
	CHECK(address.nl_family == AF_NETLINK);
	CHECK_FAILS(recv(fd, &byte, 1, 0), EAGAIN);
}

/* Pages as large as the host's, where this machine's are smaller. */
static void test_page_size(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	void *memory = mmap(NULL, 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct driver driver;

	CHECK(page == 65536);
	CHECK((size_t)getpagesize() == page);
	CHECK(memory != MAP_FAILED && ((uintptr_t)memory & (page - 1)) == 0);
	memset(memory, 1, page);
	find_device(&driver);
	open_group(&driver);
	CHECK_FAILS(register_memory(driver.container, memory, 4096), EINVAL);
	CHECK(register_memory(driver.container, memory, page) == 0);
	CHECK(munmap(memory, 1) == 0);
}

/* More fds in one structure than one message of a socket carries. The device has no such table, so
 * the call is refused when all have arrived. */
#define MANY 600

static void test_many_interrupts(void)
{
	size_t size = sizeof(struct vfio_irq_set) + MANY * sizeof(int32_t);
	struct vfio_irq_set *set = calloc(1, size);
	int event = eventfd(0, EFD_CLOEXEC);
	struct driver driver;
	int32_t *fds;

	CHECK(set && event >= 0);
	open_driver(&driver);
	open_device(&driver);
	set->argsz = (uint32_t)size;
	set->flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER;
	set->index = VFIO_PCI_MSI_IRQ_INDEX;
	set->count = MANY;
	fds = (int32_t *)set->data;
	for (int i = 0; i < MANY; i++) {
		fds[i] = event;
	}
	CHECK_FAILS(ioctl(driver.device, VFIO_DEVICE_SET_IRQS, set), EINVAL);
	/* The connection has survived it. */
	CHECK(close(open_interrupt(&driver)) == 0);
}

struct test {
	const char *name;
	void (*run)(void);
};

static const struct test tests[] = {
	{"dma", test_dma},
	{"many-interrupts", test_many_interrupts},
	{"bad-pointers", test_bad_pointers},
	{"refusals", test_calls_that_nodes_refuse},
	{"errno", test_errno_is_kept},
	{"fork", test_fork},
	{"exec", test_exec},
	{"spawn", test_spawn},
	{"passed-fds", test_passed_fds},
	{"close-all", test_close_all},
	{"threads", test_threads},
	{"locked-memory", test_locked_memory},
	{"names", test_names},
	{"links", test_links_of_fds},
	{"waiting", test_waiting},
	{"all-numbers", test_all_numbers},
	{"no-fd-left", test_no_fd_left},
	{"few-fds", test_few_fds},
	{"file-systems", test_file_systems},
	{"uevents", test_uevents},
	{"page-size", test_page_size},
};

int main(int argc, char **argv)
{
	CHECK(argc >= 2);
	if (strcmp(argv[1], "after-exec") == 0) {
		CHECK(argc == 3);
		test_after_exec((int)strtol(argv[2], NULL, 10));
		return 0;
	}
	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
		if (strcmp(tests[i].name, argv[1]) == 0) {
			tests[i].run();
			return 0;
		}
	}
	CHECK(!"there is such a test");
}
