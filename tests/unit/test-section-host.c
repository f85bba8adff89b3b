/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sections on simulated hosts: huge pages, and memory of devices. */
#include <fcntl.h>

#include "common/worker_protocol.h"
#include "sim_fixture.h"
#include "spapr/tce_v2.h"
#include "vfio/space.h"
#include "vfio/type1.h"

#define PAGE    UINT64_C(0x1000)
#define HUGE    UINT64_C(0x1000000) /* 16 MiB */
#define ADDRESS UINT64_C(0x10000000)
#define DEVICE  WORKER_MEMORY_RAM_DEVICE

/* Somewhere in a network card's first region where it has no register. */
#define QUIET_OFFSET UINT64_C(0x8000)

struct host {
	struct kernel *kernel;
	struct space *space;
	int control;
	pid_t pid;
	struct error error;
	struct space_outcome outcome;
};

static int open_container(struct kernel *kernel, const struct container_request *request,
			  struct container **ret_container, struct error *error)
{
	static const struct container_kind *const kinds[] = {&tce_v2_kind, &type1v2_kind, NULL};

	return container_open(kernel, kinds, request, ret_container, error);
}

static void host_open(struct host *host, const char *name)
{
	struct space_settings settings = {.open_container = open_container,
					  .locked_limit = UINT64_MAX};
	int connection = -1;

	*host = (struct host){.control = -1};
	assert_int_equal(sim_launch(simhost_program(), name, &connection, &host->pid), 0);
	assert_int_equal(sim_kernel_new(connection, &host->kernel), 0);
	assert_int_equal(sim_connection_new(host->kernel, &host->control), 0);
	settings.kernel = host->kernel;
	assert_int_equal(space_new(&settings, &host->space), 0);
}

static struct sim_control_reply host_reply(struct host *host, uint64_t id)
{
	struct sim_control_reply reply = SIM_CONTROL_REPLY_NONE;

	assert_int_equal(sim_control_receive(host->control, &reply), 0);
	assert_int_equal(reply.id, id);
	return reply;
}

static struct sim_statistics host_statistics(struct host *host)
{
	struct sim_control_reply reply;
	struct sim_statistics statistics;

	assert_int_equal(sim_control_statistics(host->control, 1), 0);
	reply = host_reply(host, 1);
	statistics = reply.statistics;
	sim_control_reply_done(&reply);
	return statistics;
}

static void host_end(struct host *host)
{
	int status = -1;

	cleanup_fd(&host->control);
	host->kernel = kernel_free(host->kernel);
	assert_int_equal(waitpid(host->pid, &status, 0), host->pid);
	assert_int_equal(status, 0);
}

static void host_close(struct host *host)
{
	host->space = space_free(host->space);
	assert_int_equal(host_statistics(host).locked_bytes, 0);
	assert_int_equal(host_statistics(host).mapped_tces, 0);
	host_end(host);
}

static int finish(struct host *host, struct space_change *change)
{
	space_change_work(change);
	return space_change_finish(change, &host->outcome, &host->error);
}

static int attach(struct host *host, uint32_t group)
{
	struct space_attach request = {.group = group, .container_id = group + 100};
	struct space_change *change = NULL;
	char node[32];
	int r;

	(void)snprintf(node, sizeof(node), "/dev/vfio/%u", group);
	request.container_fd = kernel_open_node(host->kernel, NODE_CONTAINER);
	request.group_fd = kernel_open_node(host->kernel, node);
	r = space_attach_begin(host->space, &request, &change, &host->error);
	return r ? r : finish(host, change);
}

static int add_memory(struct host *host, int fd, struct section_request request)
{
	struct space_change *change = NULL;
	int r = space_memory_add_begin(host->space, fd, &request, &change, &host->error);

	return r ? r : finish(host, change);
}

static int remove_memory(struct host *host, uint32_t id)
{
	struct space_change *change = NULL;
	int r = space_memory_remove_begin(host->space, id, &change, &host->error);

	return r ? r : finish(host, change);
}

static int map(struct host *host, uint64_t iova, uint64_t gpa, uint64_t size)
{
	return space_map(host->space, iova, gpa, size, 3, &host->error);
}

static void fail_next(struct host *host, const char *operation, uint32_t skip, int32_t errnum)
{
	struct sim_control_reply reply;

	assert_int_equal(sim_control_fail_next(host->control, 2, operation, skip, errnum), 0);
	reply = host_reply(host, 2);
	assert_int_equal(reply.code, ERROR_NONE);
	sim_control_reply_done(&reply);
}

static int make_file(const char *name, uint64_t size)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
	return fd;
}

/* Memory that the kernel doesn't give back */

/* A platform that refuses a TCE leaves its region with a count too many (field note H12): if it
 * were unregistered, the kernel would say 0, and keep the pages for whoever has these addresses
 * next. */
static void test_h12_kept_memory_is_not_removed(void **state)
{
	static const struct {
		const char *name;
		uint32_t levels; /* of a window of 4 KiB pages instead of the default one */
		int answer;
	} hosts[] = {{"pseries", 0, EPERM}, {"powernv9", 2, ENOMEM}};
	const struct window_request one = {.size = HUGE * 64, .page_shift = 12, .levels = 2};
	cleanup(cleanup_fd) int fd = make_file("memory", HUGE);

	(void)state;
	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
		struct window window = {.levels = 0};
		struct host host;
		uint32_t id;

		host_open(&host, hosts[i].name);
		assert_int_equal(attach(&host, 0), 0);
		if (hosts[i].levels > 0) {
			assert_int_equal(space_window_remove(host.space, 0, &host.error), 0);
			assert_int_equal(
				space_window_create(host.space, &one, &window, &host.error), 0);
		}
		assert_int_equal(add_memory(&host, fd, (struct section_request){.size = HUGE}), 0);
		id = host.outcome.section->id;
		fail_next(&host, "kernel:put-tce", 2, hosts[i].answer);
		assert_true(map(&host, window.range.start, 0, 4 * PAGE) != 0);
		assert_int_equal(host_statistics(&host).mapped_tces, 0);
		assert_int_equal(remove_memory(&host, id), ERROR_MEMORY_IN_USE);
		assert_non_null(strstr(host.error.text, "held by the kernel"));
		assert_int_equal(host_statistics(&host).leaked_pinned_bytes, 0);
		/* Whatever else it is good for goes on. */
		assert_int_equal(map(&host, window.range.start, 0, 4 * PAGE), 0);
		host.space = space_free(host.space);
		host_end(&host);
	}
}

/* Huge pages */

static uint64_t page_of(struct host *host, const char *name)
{
	cleanup(cleanup_fd) int fd = make_file(name, PAGE);
	uint64_t page = 0;

	assert_int_equal(kernel_page_size(host->kernel, fd, &page), 0);
	return page;
}

static void test_page_sizes(void **state)
{
	static const char *const ordinary[] = {
		"memory",      "hugetlb",
		"hugetlb-",    "hugetlb-16",
		"hugetlb-3M",  "hugetlb-0M",
		"hugetlb-16m", "hugetlb-2K",
		"hugetlb-M",   "hugetlb-16MB",
		"hugetlb-64G", "xhugetlb-2M",
		"hugetlb--2M", "hugetlb-99999999999999999999999K",
	};
	uint64_t page;
	struct host host;

	(void)state;
	host_open(&host, "powernv8");
	for (size_t i = 0; i < sizeof(ordinary) / sizeof(ordinary[0]); i++) {
		assert_int_equal(page_of(&host, ordinary[i]), PAGE);
	}
	assert_int_equal(page_of(&host, "hugetlb-64K"), 0x10000);
	assert_int_equal(page_of(&host, "hugetlb-16384K"), HUGE);
	assert_int_equal(page_of(&host, "hugetlb-16M"), HUGE);
	assert_int_equal(page_of(&host, "hugetlb-16G"), UINT64_C(1) << 34);
	assert_int_equal(kernel_page_size(host.kernel, -1, &page), -EBADF);
	host_close(&host);
	host_open(&host, "powernv8,page-size=65536");
	assert_int_equal(page_of(&host, "memory"), 0x10000);
	assert_int_equal(page_of(&host, "hugetlb-4K"), 0x10000);
	host_close(&host);
}

static void test_alignment_of_mappings(void **state)
{
	cleanup(cleanup_fd) int fd = make_file("hugetlb-16M", 2 * HUGE);
	cleanup(cleanup_fd) int small = make_file("memory", 0x10000);
	struct host host;
	void *address;

	(void)state;
	host_open(&host, "powernv8,page-size=65536");
	for (unsigned int i = 0; i < 8; i++) {
		assert_int_equal(kernel_map(host.kernel, fd, HUGE, HUGE, PROT_READ, &address), 0);
		assert_true((uintptr_t)address % HUGE == 0);
		assert_int_equal(kernel_unmap(host.kernel, address, HUGE), 0);
		/* Every second one would be between two pages of this host. */
		assert_int_equal(kernel_map(host.kernel, small, 0, PAGE, PROT_READ, &address), 0);
		assert_true((uintptr_t)address % 0x10000 == 0);
	}
	assert_int_equal(kernel_map(host.kernel, fd, 0x10000, HUGE, PROT_READ, &address), -EINVAL);
	host_close(&host);
}

static void create_large_pages(struct host *host)
{
	struct window_request request = {.start = WORKER_WINDOW_ANYWHERE,
					 .size = UINT64_C(1) << 36,
					 .page_shift = 24,
					 .levels = 1};
	struct window window;

	assert_int_equal(space_window_create(host->space, &request, &window, &host->error), 0);
	assert_int_equal(window.range.start, UINT64_C(1) << 59);
}

/* H20: only huge pages behind memory make large IOMMU pages possible, and all of them must be. */
static void test_h20_backing_pages_limit_iommu_pages(void **state)
{
	cleanup(cleanup_fd) int huge = make_file("hugetlb-16M", 2 * HUGE);
	cleanup(cleanup_fd) int plain = make_file("memory", 2 * HUGE);
	cleanup(cleanup_fd) int middle = make_file("hugetlb-2M", 2 * HUGE);
	uint64_t iova = UINT64_C(1) << 59;
	struct host host;

	(void)state;
	host_open(&host, "powernv8");
	assert_int_equal(attach(&host, 0), 0);
	create_large_pages(&host);
	assert_int_equal(add_memory(&host, huge, (struct section_request){.size = 2 * HUGE}), 0);
	assert_int_equal(host.outcome.section->backing_page, HUGE);
	assert_int_equal(host.outcome.section->largest_page, HUGE);
	assert_int_equal(add_memory(&host, plain,
				    (struct section_request){.gpa = 2 * HUGE, .size = 2 * HUGE}),
			 0);
	assert_int_equal(host.outcome.section->largest_page, PAGE);
	assert_int_equal(add_memory(&host, middle,
				    (struct section_request){.gpa = 4 * HUGE, .size = 2 * HUGE}),
			 0);
	assert_int_equal(map(&host, iova, 0, 2 * HUGE), 0);
	assert_int_equal(host_statistics(&host).mapped_tces, 2);
	assert_int_equal(map(&host, iova + 2 * HUGE, 2 * HUGE, HUGE), ERROR_PAGE_SIZE);
	assert_int_equal(map(&host, iova + 2 * HUGE, 4 * HUGE, HUGE), ERROR_PAGE_SIZE);
	assert_int_equal(host_statistics(&host).mapped_tces, 2);
	host_close(&host);
}

/* H20: the section is registered as aligned as its pages are. */
static void test_h20_unaligned_huge_memory_is_refused(void **state)
{
	cleanup(cleanup_fd) int huge = make_file("hugetlb-16M", 4 * HUGE);
	struct host host;

	(void)state;
	host_open(&host, "powernv8");
	assert_int_equal(add_memory(&host, huge, (struct section_request){.size = HUGE + PAGE}),
			 ERROR_INVALID_ARGUMENT);
	assert_int_equal(
		add_memory(&host, huge, (struct section_request){.gpa = PAGE, .size = HUGE}),
		ERROR_INVALID_ARGUMENT);
	assert_int_equal(
		add_memory(&host, huge, (struct section_request){.offset = HUGE / 2, .size = HUGE}),
		ERROR_INVALID_ARGUMENT);
	assert_non_null(strstr(host.error.text, "0x1000000, the page size of the memory"));
	assert_int_equal(
		add_memory(&host, huge, (struct section_request){.offset = HUGE, .size = 3 * HUGE}),
		0);
	assert_int_equal(host.outcome.section->largest_page, HUGE);
	host_close(&host);
}

/* On a kernel of 64 KiB pages nothing smaller can be registered. */
static void test_host_page(void **state)
{
	cleanup(cleanup_fd) int fd = make_file("memory", 0x40000);
	struct host host;

	(void)state;
	host_open(&host, "powernv9,page-size=65536");
	assert_int_equal(attach(&host, 0), 0);
	assert_int_equal(add_memory(&host, fd, (struct section_request){.size = PAGE}),
			 ERROR_INVALID_ARGUMENT);
	assert_int_equal(add_memory(&host, fd, (struct section_request){.size = 0x40000}), 0);
	assert_int_equal(host.outcome.section->largest_page, 0x10000);
	assert_int_equal(map(&host, 0, 0, 0x40000), 0);
	host_close(&host);
}

/* Device memory */

/* A device's group must be in a container before it opens: another space's, as it were. */
static struct sim_space open_other_container(struct host *host, const char *group,
					     unsigned long extension)
{
	struct sim_space space = {
		.container = kernel_open_node(host->kernel, NODE_CONTAINER),
		.group = kernel_open_node(host->kernel, group),
	};

	assert_int_equal(sim_join(host->kernel, space.group, space.container), 0);
	assert_int_equal(
		kernel_ioctl_value(host->kernel, space.container, VFIO_SET_IOMMU, extension), 0);
	return space;
}

static int device_of(struct host *host, const struct sim_space *space, const char *name)
{
	char text[32];
	int device;

	(void)snprintf(text, sizeof(text), "%s", name);
	device = kernel_ioctl(host->kernel, space->group, VFIO_GROUP_GET_DEVICE_FD, text);
	assert_true(device >= 0);
	return device;
}

/* A kernel can't pin a device's memory: TCE v2 has no way to it, and that is told. */
static void test_device_memory_with_tce(void **state)
{
	struct host host;
	struct sim_space other;
	int device;

	(void)state;
	host_open(&host, "powernv9");
	other = open_other_container(&host, "/dev/vfio/1", VFIO_SPAPR_TCE_v2_IOMMU);
	device = device_of(&host, &other, "0001:01:00.0");
	assert_int_equal(attach(&host, 0), 0);
	assert_int_equal(add_memory(&host, device,
				    (struct section_request){
					    .gpa = ADDRESS, .size = 0x20000, .flags = DEVICE}),
			 0);
	assert_int_equal(host.outcome.skipped_count, 1);
	assert_non_null(strstr(host.outcome.section->because, "EFAULT"));
	assert_int_equal(map(&host, 0, ADDRESS, PAGE), ERROR_MEMORY_UNKNOWN);
	assert_int_equal(space_locked(host.space).pins, 0);
	assert_int_equal(host_statistics(&host).pinned_bytes, 0);
	assert_int_equal(remove_memory(&host, host.outcome.section->id), 0);
	assert_int_equal(add_memory(&host, device,
				    (struct section_request){
					    .gpa = ADDRESS, .size = 0x40000, .flags = DEVICE}),
			 ERROR_INVALID_ARGUMENT);
	(void)kernel_close(host.kernel, device);
	sim_space_close(host.kernel, &other);
	host_close(&host);
}

static void dma_write(struct host *host, uint64_t iova, const char *text)
{
	struct sim_control_reply reply;

	assert_int_equal(
		sim_control_dma_write(host->control, 2, EDU, iova, text, (uint32_t)strlen(text)),
		0);
	reply = host_reply(host, 2);
	assert_int_equal(reply.code, ERROR_NONE);
	sim_control_reply_done(&reply);
}

/* With type1 one device reaches another's memory. */
static void test_device_memory_with_type1(void **state)
{
	struct section_request request = {.gpa = ADDRESS, .size = 0x20000, .flags = DEVICE};
	uint16_t command = 2; /* memory space */
	char bytes[6] = "";
	struct sim_space other;
	struct host host;
	int device;

	(void)state;
	host_open(&host, "x86");
	other = open_other_container(&host, "/dev/vfio/8", VFIO_TYPE1v2_IOMMU);
	device = device_of(&host, &other, "0000:02:00.0");
	assert_int_equal(attach(&host, 7), 0);
	assert_int_equal(add_memory(&host, device, request), 0);
	assert_int_equal(host.outcome.skipped_count, 0);
	assert_int_equal(map(&host, 2 * ADDRESS, ADDRESS, 0x20000), 0);
	/* There are no pages to be locked. */
	assert_int_equal(host_statistics(&host).locked_bytes, 0);
	assert_int_equal(space_locked(host.space).pins, 0);
	dma_write(&host, 2 * ADDRESS + QUIET_OFFSET, "across");
	assert_int_equal(kernel_write(host.kernel, device,
				      ((uint64_t)VFIO_PCI_CONFIG_REGION_INDEX << 40) + 4, &command,
				      sizeof(command)),
			 sizeof(command));
	assert_int_equal(kernel_read(host.kernel, device, QUIET_OFFSET, bytes, sizeof(bytes)),
			 sizeof(bytes));
	assert_memory_equal(bytes, "across", sizeof(bytes));
	assert_int_equal(space_unmap(host.space, 2 * ADDRESS, 0x20000, &host.error), 0);
	assert_int_equal(space_locked(host.space).pins, 0);
	(void)kernel_close(host.kernel, device);
	sim_space_close(host.kernel, &other);
	host_close(&host);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_h12_kept_memory_is_not_removed),
		cmocka_unit_test(test_page_sizes),
		cmocka_unit_test(test_alignment_of_mappings),
		cmocka_unit_test(test_h20_backing_pages_limit_iommu_pages),
		cmocka_unit_test(test_h20_unaligned_huge_memory_is_refused),
		cmocka_unit_test(test_host_page),
		cmocka_unit_test(test_device_memory_with_tce),
		cmocka_unit_test(test_device_memory_with_type1),
	};

	return cmocka_run_group_tests_name("section-host", tests, NULL, NULL);
}
