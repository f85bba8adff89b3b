/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The type1 backend and KVM's VFIO device as a program sees them, through the seam. */
#include "sim_fixture.h"

#include <linux/kvm.h>
#include <sys/mman.h>

#define PAGE         UINT64_C(0x1000)
#define IOVA         UINT64_C(0x10000000)
#define PAGES        300U
#define WORDS        ((PAGES + 63) / 64 + 1)
#define GROUP_OF_EDU "/dev/vfio/7" /* of the host "x86" */
#define INFO_SIZE    24U
#define UNTOUCHED    UINT64_C(0x5a5a5a5a5a5a5a5a)
#define CONTROL_DMA  5U

static int launch(void **state, const char *host)
{
	struct sim_fixture *fixture = calloc(1, sizeof(*fixture));
	int connection = -1;

	assert_non_null(fixture);
	assert_int_equal(sim_launch(simhost_program(), host, &connection, &fixture->pid), 0);
	assert_int_equal(sim_kernel_new(connection, &fixture->kernel), 0);
	assert_int_equal(sim_connection_new(fixture->kernel, &fixture->control), 0);
	*state = fixture;
	return 0;
}

static int set_up_x86(void **state)
{
	return launch(state, "x86");
}

static int set_up_powernv9(void **state)
{
	return launch(state, "powernv9");
}

static struct sim_space open_type1(struct kernel *kernel)
{
	struct sim_space space = {
		.container = kernel_open_node(kernel, NODE_CONTAINER),
		.group = kernel_open_node(kernel, GROUP_OF_EDU),
	};

	assert_true(space.container >= 0);
	assert_true(space.group >= 0);
	assert_int_equal(sim_join(kernel, space.group, space.container), 0);
	assert_int_equal(
		kernel_ioctl_value(kernel, space.container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU), 0);
	return space;
}

static void test_info_comes_with_its_capabilities(void **state)
{
	struct sim_fixture *fixture = *state;
	struct kernel *kernel = fixture->kernel;
	struct sim_space space = open_type1(kernel);
	struct {
		struct vfio_iommu_type1_info info;
		uint8_t capabilities[512];
	} answer = {.info = {.argsz = INFO_SIZE}};

	assert_int_equal(kernel_ioctl(kernel, space.container, VFIO_IOMMU_GET_INFO, &answer), 0);
	assert_true(answer.info.argsz > INFO_SIZE);
	assert_int_equal(answer.info.cap_offset, 0);
	assert_int_equal(kernel_ioctl(kernel, space.container, VFIO_IOMMU_GET_INFO, &answer), 0);
	assert_int_equal(answer.info.cap_offset, INFO_SIZE);
	assert_int_equal(answer.capabilities[INFO_SIZE - sizeof(answer.info)],
			 VFIO_IOMMU_TYPE1_INFO_CAP_MIGRATION);
	sim_space_close(kernel, &space);
}

static void test_bytes_arrive_through_a_mapping(void **state)
{
	struct sim_fixture *fixture = *state;
	struct kernel *kernel = fixture->kernel;
	struct sim_space space = open_type1(kernel);
	struct sim_test_memory memory = sim_test_memory_new(kernel, MIB);
	struct sim_statistics statistics;

	assert_int_equal(sim_map_dma(kernel, space.container, IOVA, memory.bytes, memory.size), 0);
	assert_int_equal(sim_map_dma(kernel, space.container, IOVA, memory.bytes, memory.size),
			 -EEXIST);
	assert_int_equal(sim_map_dma(kernel, space.container, IOVA - PAGE, NULL, PAGE), -EFAULT);
	assert_int_equal(sim_control_dma_write(fixture->control, CONTROL_DMA, EDU, IOVA + 0xfff,
					       "simulated", 10),
			 0);
	assert_int_equal(sim_fixture_reply(fixture, CONTROL_DMA).code, ERROR_NONE);
	assert_memory_equal(memory.bytes + 0xfff, "simulated", 10);
	statistics = sim_fixture_statistics(fixture);
	assert_int_equal(statistics.locked_bytes, MIB);
	assert_int_equal(statistics.pinned_bytes, MIB);
	/* A part is refused, and the size that comes back is what was unmapped. */
	assert_int_equal(sim_unmap_dma(kernel, space.container, IOVA, PAGE), -EINVAL);
	assert_int_equal(sim_unmap_dma(kernel, space.container, IOVA - PAGE, 2 * MIB), 0);
	assert_int_equal(sim_fixture_statistics(fixture).locked_bytes, 0);
	sim_test_memory_done(kernel, &memory);
	sim_space_close(kernel, &space);
}

static void test_registers_are_mapped_but_not_locked(void **state)
{
	struct sim_fixture *fixture = *state;
	struct kernel *kernel = fixture->kernel;
	struct sim_space space = open_type1(kernel);
	struct sim_statistics statistics;
	void *registers = NULL;
	char name[] = EDU;
	int device = kernel_ioctl(kernel, space.group, VFIO_GROUP_GET_DEVICE_FD, name);

	assert_true(device >= 0);
	assert_int_equal(kernel_map(kernel, device, 0, PAGE, PROT_READ | PROT_WRITE, &registers),
			 0);
	assert_int_equal(sim_map_dma(kernel, space.container, IOVA, registers, PAGE), 0);
	statistics = sim_fixture_statistics(fixture);
	assert_int_equal(statistics.mapped_tces, 1);
	assert_int_equal(statistics.locked_bytes, 0);
	assert_int_equal(statistics.pinned_bytes, 0);
	assert_int_equal(sim_unmap_dma(kernel, space.container, IOVA, PAGE), 0);
	assert_int_equal(kernel_unmap(kernel, registers, PAGE), 0);
	(void)kernel_close(kernel, device);
	sim_space_close(kernel, &space);
}

static int set_up_newer_x86(void **state)
{
	return launch(state, "x86,kernel=7.2");
}

/* What a range answers that wraps around, and whether nesting is there. */
static void expect_kernel(struct kernel *kernel, int overflow, int nesting)
{
	struct sim_space space = open_type1(kernel);
	struct vfio_iommu_type1_dma_unmap unmap = {
		.argsz = sizeof(unmap),
		.iova = -PAGE,
		.size = 2 * PAGE,
	};

	assert_int_equal(kernel_ioctl(kernel, space.container, VFIO_IOMMU_UNMAP_DMA, &unmap),
			 overflow);
	assert_int_equal(kernel_ioctl_value(kernel, space.container, VFIO_CHECK_EXTENSION,
					    VFIO_TYPE1_NESTING_IOMMU),
			 nesting);
	sim_space_close(kernel, &space);
}

static void test_the_kernel_is_what_the_host_says(void **state)
{
	expect_kernel(((struct sim_fixture *)*state)->kernel, -EINVAL, 1);
}

static void test_the_kernel_is_what_the_setting_says(void **state)
{
	expect_kernel(((struct sim_fixture *)*state)->kernel, -EOVERFLOW, 0);
}

struct bitmap_call {
	uint32_t argsz;
	uint32_t flags;
	uint64_t iova;
	uint64_t size;
	struct vfio_bitmap bitmap;
	uint64_t behind; /* nothing may come here */
};

static struct bitmap_call bitmap_call_of(uint32_t flags, uint64_t *bits)
{
	for (size_t i = 0; i < WORDS; i++) {
		bits[i] = UNTOUCHED;
	}
	return (struct bitmap_call){
		.argsz = offsetof(struct bitmap_call, behind),
		.flags = flags,
		.iova = IOVA,
		.size = PAGES * PAGE,
		.bitmap = {.pgsize = PAGE, .size = WORDS * sizeof(*bits), .data = (__u64 *)bits},
		.behind = UNTOUCHED,
	};
}

static void test_dirty_bitmaps_come_where_they_belong(void **state)
{
	struct sim_fixture *fixture = *state;
	struct kernel *kernel = fixture->kernel;
	struct sim_space space = open_type1(kernel);
	struct sim_test_memory memory = sim_test_memory_new(kernel, MIB);
	struct vfio_iommu_type1_dirty_bitmap start = {
		.argsz = sizeof(start),
		.flags = VFIO_IOMMU_DIRTY_PAGES_FLAG_START,
	};
	uint64_t bits[WORDS];
	struct bitmap_call call;

	assert_int_equal(kernel_ioctl(kernel, space.container, VFIO_IOMMU_DIRTY_PAGES, &start), 0);
	assert_int_equal(
		sim_map_dma(kernel, space.container, IOVA + 2 * PAGE, memory.bytes, 4 * PAGE), 0);
	call = bitmap_call_of(VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP, bits);
	assert_int_equal(kernel_ioctl(kernel, space.container, VFIO_IOMMU_DIRTY_PAGES, &call), 0);
	assert_int_equal(bits[0], 0x3e); /* bits 0 and 1 were 0b10 */
	assert_int_equal(bits[1], UNTOUCHED);
	assert_int_equal(call.behind, UNTOUCHED);

	call = bitmap_call_of(VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP, bits);
	assert_int_equal(kernel_ioctl(kernel, space.container, VFIO_IOMMU_UNMAP_DMA, &call), 0);
	assert_int_equal(call.size, 4 * PAGE);
	assert_int_equal(bits[0], 0x3e);
	assert_int_equal(call.behind, UNTOUCHED);
	sim_test_memory_done(kernel, &memory);
	sim_space_close(kernel, &space);
}

/* KVM */

static int set_file(struct kernel *kernel, int device, uint64_t attr, int32_t *fds)
{
	struct kvm_device_attr attribute = {
		.group = KVM_DEV_VFIO_GROUP,
		.attr = attr,
		.addr = (uintptr_t)fds,
	};

	return kernel_ioctl(kernel, device, KVM_SET_DEVICE_ATTR, &attribute);
}

static void test_a_group_in_kvm_stays_open(void **state)
{
	struct sim_fixture *fixture = *state;
	struct kernel *kernel = fixture->kernel;
	struct kvm_create_device create = {.type = KVM_DEV_TYPE_VFIO, .fd = 1000};
	int32_t group = kernel_open_node(kernel, GROUP_EDU);
	int kvm = kernel_open_node(kernel, NODE_KVM);
	int32_t closed = 999;
	int32_t none = -1;
	int device;
	int vm;

	assert_true(group >= 0);
	assert_int_equal(kernel_ioctl_value(kernel, kvm, KVM_GET_API_VERSION, 0), KVM_API_VERSION);
	vm = kernel_ioctl_value(kernel, kvm, KVM_CREATE_VM, 0);
	assert_true(vm >= 0);
	assert_int_equal(kernel_ioctl(kernel, vm, KVM_CREATE_DEVICE, &create), 0);
	device = (int)create.fd;
	assert_int_not_equal(device, 1000);
	assert_int_equal(set_file(kernel, device, KVM_DEV_VFIO_GROUP_ADD, &none), -EBADF);
	assert_int_equal(set_file(kernel, device, KVM_DEV_VFIO_GROUP_ADD, &closed), -EBADF);
	assert_int_equal(set_file(kernel, device, KVM_DEV_VFIO_GROUP_ADD, &fixture->control),
			 -EINVAL);
	assert_int_equal(set_file(kernel, device, KVM_DEV_VFIO_GROUP_ADD, &group), 0);
	assert_int_equal(set_file(kernel, device, KVM_DEV_VFIO_GROUP_ADD, &group), -EEXIST);

	group = kernel_close(kernel, group);
	assert_int_equal(kernel_open_node(kernel, GROUP_EDU), -EBUSY);
	(void)kernel_close(kernel, vm);
	(void)kernel_close(kernel, kvm);
	assert_int_equal(sim_fixture_statistics(fixture).open_groups, 1);
	device = kernel_close(kernel, device);
	assert_int_equal(device, -1);
	for (int i = 0; i < 1000 && sim_fixture_statistics(fixture).open_groups > 0; i++) {
		(void)usleep(1000);
	}
	assert_int_equal(sim_fixture_statistics(fixture).open_groups, 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_info_comes_with_its_capabilities, set_up_x86,
						sim_fixture_tear_down),
		cmocka_unit_test_setup_teardown(test_bytes_arrive_through_a_mapping, set_up_x86,
						sim_fixture_tear_down),
		cmocka_unit_test_setup_teardown(test_registers_are_mapped_but_not_locked,
						set_up_x86, sim_fixture_tear_down),
		cmocka_unit_test_setup_teardown(test_the_kernel_is_what_the_host_says, set_up_x86,
						sim_fixture_tear_down),
		cmocka_unit_test_setup_teardown(test_the_kernel_is_what_the_setting_says,
						set_up_newer_x86, sim_fixture_tear_down),
		cmocka_unit_test_setup_teardown(test_dirty_bitmaps_come_where_they_belong,
						set_up_x86, sim_fixture_tear_down),
		cmocka_unit_test_setup_teardown(test_a_group_in_kvm_stays_open, set_up_powernv9,
						sim_fixture_tear_down),
	};

	return cmocka_run_group_tests_name("sim-type1-client", tests, NULL, NULL);
}
