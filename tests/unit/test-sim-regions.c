/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The regions of a simulated device: what they are, reading, writing and mapping them. The numbers
 * were measured on an emulated POWER9 host. */
#include "sim_device_fixture.h"

#include <sys/mman.h>

struct region {
	struct vfio_region_info info;
	struct vfio_info_cap_header capability;
	uint8_t more[64];
};

static int get_region(struct fixture *fixture, struct sim_node device, uint32_t index,
		      uint32_t argsz, struct region *region)
{
	memset(region, 0, sizeof(*region));
	region->info.argsz = argsz;
	region->info.index = index;
	return device_ioctl(fixture, device, VFIO_DEVICE_GET_REGION_INFO, region, sizeof(*region),
			    NULL, 0);
}

static void expect_region(struct fixture *fixture, struct sim_node device, uint32_t index,
			  uint32_t flags, uint64_t size)
{
	struct region region;

	assert_int_equal(get_region(fixture, device, index, sizeof(region), &region), 0);
	assert_int_equal(region.info.flags, flags);
	assert_int_equal(region.info.size, size);
	assert_int_equal(region.info.offset, REGION(index));
	assert_int_equal(region.info.argsz, sizeof(region));
	assert_int_equal(region.info.cap_offset,
			 flags & VFIO_REGION_INFO_FLAG_CAPS ? sizeof(region.info) : 0);
}

static void test_regions_of_edu(void **state)
{
	struct fixture *fixture = *state;
	struct sim_node device = open_edu(fixture);
	struct region region;

	expect_region(fixture, device, 0, 0x7, 0x100000);
	for (uint32_t i = 1; i <= 6; i++) {
		expect_region(fixture, device, i, 0, 0);
	}
	expect_region(fixture, device, 7, 0x3, 0x100);
	assert_int_equal(get_region(fixture, device, 8, sizeof(region), &region), -EINVAL);
	assert_int_equal(get_region(fixture, device, 9, sizeof(region), &region), -EINVAL);
	assert_int_equal(get_region(fixture, device, 0, 8, &region), -EINVAL);
	assert_int_equal(get_region(fixture, device, 0, 32, &region), 0);
	sim_node_close(device);
}

static void test_regions_of_e1000e(void **state)
{
	struct fixture *fixture = *state;
	struct opened card = open_e1000e(fixture);
	struct region region;

	expect_region(fixture, card.device, 0, 0x7, 0x20000);
	expect_region(fixture, card.device, 1, 0x7, 0x20000);
	expect_region(fixture, card.device, 2, 0, 0);
	expect_region(fixture, card.device, 3, 0xf, 0x4000);
	expect_region(fixture, card.device, 7, 0x3, 0x1000);
	assert_int_equal(get_region(fixture, card.device, 3, sizeof(region), &region), 0);
	assert_int_equal(region.capability.id, VFIO_REGION_INFO_CAP_MSIX_MAPPABLE);
	assert_int_equal(region.capability.version, 1);
	assert_int_equal(region.capability.next, 0);
	close_all(&card);
}

static void test_region_capabilities_without_room(void **state)
{
	struct fixture *fixture = *state;
	struct opened card = open_e1000e(fixture);
	struct region region;

	assert_int_equal(get_region(fixture, card.device, 3, 32, &region), 0);
	assert_int_equal(region.info.flags, 0xf);
	assert_int_equal(region.info.argsz, 40);
	assert_int_equal(region.info.cap_offset, 0);
	assert_int_equal(region.capability.id, 0);
	close_all(&card);
}

/* What a vendor's driver adds comes after PCI's regions, and has a type. */
static void test_region_of_a_vendor(void **state)
{
	struct fixture *fixture = *state;
	int index = sim_host_find_device(fixture->host, EDU);
	struct sim_extra_region extra = {
		.type = 0x80000000U | 0x10de, /* VFIO_REGION_TYPE_PCI_VENDOR_TYPE */
		.subtype = 1,
		.size = 0x10000,
		.flags = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_MMAP,
	};
	struct vfio_region_info_cap_type type;
	struct vfio_device_info info;
	struct region region;
	struct sim_node device;
	uint64_t offset = 0;
	uint64_t value = 1;
	int fd = -1;

	fixture->host->devices[index].extra_region = &extra;
	fixture->host->devices[index].extra_region_count = 1;
	device = open_edu(fixture);
	assert_int_equal(get_info(fixture, device, &info, sizeof(info)), 0);
	assert_int_equal(info.num_regions, 10);
	assert_int_equal(get_region(fixture, device, 9, sizeof(region), &region), 0);
	assert_int_equal(region.info.size, 0x10000);
	assert_int_equal(region.info.flags, 0xd);
	memcpy(&type, &region.capability, sizeof(type));
	assert_int_equal(type.header.id, VFIO_REGION_INFO_CAP_TYPE);
	assert_int_equal(type.type, extra.type);
	assert_int_equal(type.subtype, 1);
	assert_int_equal(device_read(device, REGION(9), &value, 8), 8);
	assert_int_equal(value, 0);
	assert_int_equal(device_write(device, REGION(9), &value, 8), -EINVAL);
	assert_int_equal(
		sim_device_map(device.device_file, REGION(9), 0x10000, PROT_READ, &fd, &offset), 0);
	sim_node_close(device);
	fixture->host->devices[index].extra_region = NULL;
	fixture->host->devices[index].extra_region_count = 0;
}

/* A host whose list has regions of a vendor's: one whole, one that can be mapped in parts. */
static int set_up_vendor(void **state)
{
	static const char list[] = "[device 0000:01:00.0]\ndriver = vfio-pci\ngroup = 0\n"
				   "vendor = 0x10de\ndevice = 1\nclass = 0x030200\n"
				   "region10 = 0x800010de 1 0x10000 rm 0-0xfff 0x4000-0x7fff\n"
				   "region9 = 0x800010de 0xffffffff 0x2000 rw\n";

	return set_up_list(state, list);
}

static int map_part(struct sim_node device, uint64_t offset, uint64_t size)
{
	uint64_t at = 0;
	int fd = -1;

	return sim_device_map(device.device_file, REGION(10) + offset, size, PROT_READ, &fd, &at);
}

static void test_regions_of_the_list(void **state)
{
	struct fixture *fixture = *state;
	struct opened opened = open_all(fixture, GROUP_EDU, "0000:01:00.0", VFIO_TYPE1v2_IOMMU);
	struct {
		struct vfio_region_info info;
		struct vfio_region_info_cap_type type;
		uint64_t sparse[2 + 2 * 2];
	} region = {.info = {.argsz = sizeof(region), .index = 9}};
	struct vfio_region_info_cap_sparse_mmap sparse;

	assert_int_equal(device_ioctl(fixture, opened.device, VFIO_DEVICE_GET_REGION_INFO, &region,
				      sizeof(region), NULL, 0),
			 0);
	assert_int_equal(region.info.size, 0x2000);
	assert_int_equal(region.info.flags, 0xb);
	assert_int_equal(region.type.subtype, 0xffffffff);
	assert_int_equal(region.type.header.next, 0);
	region.info = (struct vfio_region_info){.argsz = sizeof(region.info), .index = 10};
	assert_int_equal(device_ioctl(fixture, opened.device, VFIO_DEVICE_GET_REGION_INFO, &region,
				      sizeof(region), NULL, 0),
			 0);
	assert_int_equal(region.info.argsz, sizeof(region));
	assert_int_equal(region.info.cap_offset, 0);
	assert_int_equal(device_ioctl(fixture, opened.device, VFIO_DEVICE_GET_REGION_INFO, &region,
				      sizeof(region), NULL, 0),
			 0);
	assert_int_equal(region.info.flags, 0xd);
	assert_int_equal(region.type.type, 0x800010de);
	assert_int_equal(region.type.header.next, sizeof(region.info) + sizeof(region.type));
	memcpy(&sparse, region.sparse, sizeof(sparse));
	assert_int_equal(sparse.header.id, VFIO_REGION_INFO_CAP_SPARSE_MMAP);
	assert_int_equal(sparse.header.next, 0);
	assert_int_equal(sparse.nr_areas, 2);
	assert_int_equal(region.sparse[2], 0);
	assert_int_equal(region.sparse[3], 0x1000);
	assert_int_equal(region.sparse[4], 0x4000);
	assert_int_equal(region.sparse[5], 0x4000);
	assert_int_equal(map_part(opened.device, 0, 0x1000), 0);
	assert_int_equal(map_part(opened.device, 0, 0x2000), -EINVAL);
	assert_int_equal(map_part(opened.device, 0x3000, 0x2000), -EINVAL);
	assert_int_equal(map_part(opened.device, 0x5000, 0x3000), 0);
	assert_int_equal(map_part(opened.device, 0x5000, 0x4000), -EINVAL);
	assert_int_equal(map_part(opened.device, 0x8000, 0x1000), -EINVAL);
	close_all(&opened);
}

/* More regions than sysfs's `resource` has lines. */
static void test_many_regions_of_a_vendor(void **state)
{
	struct fixture *fixture = *state;
	int index = sim_host_find_device(fixture->host, EDU);
	struct sim_extra_region extra[12];
	struct vfio_device_info info;
	struct sim_node device;
	uint64_t offset = 0;
	int fd = -1;

	for (size_t i = 0; i < 12; i++) {
		extra[i] = (struct sim_extra_region){
			.type = 1, .size = 0x1000, .flags = VFIO_REGION_INFO_FLAG_READ};
	}
	extra[11].flags |= VFIO_REGION_INFO_FLAG_MMAP;
	fixture->host->devices[index].extra_region = extra;
	fixture->host->devices[index].extra_region_count = 12;
	device = open_edu(fixture);
	assert_int_equal(get_info(fixture, device, &info, sizeof(info)), 0);
	assert_int_equal(info.num_regions, 21);
	assert_int_equal(
		sim_device_map(device.device_file, REGION(19), 0x1000, PROT_READ, &fd, &offset),
		-EINVAL);
	assert_int_equal(
		sim_device_map(device.device_file, REGION(20), 0x1000, PROT_READ, &fd, &offset), 0);
	assert_int_equal(
		sim_device_map(device.device_file, REGION(21), 0x1000, PROT_READ, &fd, &offset),
		-EINVAL);
	sim_node_close(device);
	fixture->host->devices[index].extra_region = NULL;
	fixture->host->devices[index].extra_region_count = 0;
}

/* A BAR of that size whose registers acted would have to be written anew with each reset. */
static void test_huge_bar_is_plain_memory(void **state)
{
	struct fixture *fixture = *state;
	int index = sim_host_find_device(fixture->host, EDU);
	struct sim_resource *bar = &fixture->host->devices[index].resource[0];
	const uint64_t end = bar->end;
	struct sim_node device;
	uint64_t offset = 0;
	uint32_t value = 1;
	int fd = -1;

	bar->end = bar->start + (UINT64_C(1) << 36) - 1;
	device = open_edu(fixture);
	assert_int_equal(sim_device_map(device.device_file, REGION(0), UINT64_C(1) << 36, PROT_READ,
					&fd, &offset),
			 0);
	assert_int_equal(device_read(device, UINT64_C(0xffffffffc), &value, 4), 4);
	assert_int_equal(value, 0);
	sim_node_close(device);
	bar->end = end;
}

/* pci_map_rom finds nothing behind the BAR. */
static void test_rom_without_content(void **state)
{
	struct fixture *fixture = *state;
	int index = sim_host_find_device(fixture->host, EDU);
	struct sim_resource *rom = &fixture->host->devices[index].resource[6];
	struct sim_node device;
	uint32_t value = 0;

	*rom = (struct sim_resource){.start = 0x10000, .end = 0x107ff, .flags = 0x200};
	device = open_edu(fixture);
	assert_int_equal(device_read(device, REGION(6) + 0x7fc, &value, 4), -ENOMEM);
	assert_int_equal(device_read(device, REGION(6) + 0x800, &value, 4), -EINVAL);
	assert_int_equal(device_write(device, REGION(6), &value, 4), -EINVAL);
	sim_node_close(device);
	*rom = (struct sim_resource){.start = 0};
}

/* accesses */

static void test_accesses_beyond_regions(void **state)
{
	struct fixture *fixture = *state;
	struct sim_node device = open_edu(fixture);
	uint64_t value = 0;

	assert_int_equal(device_read(device, 0x100000, &value, 4), -EINVAL);
	assert_int_equal(device_read(device, 0xffffc, &value, 8), 4);
	assert_int_equal(device_read(device, REGION(1), &value, 4), -EINVAL);
	assert_int_equal(device_read(device, REGION(6), &value, 4), -EINVAL);
	assert_int_equal(device_read(device, REGION(8), &value, 4), -EINVAL);
	assert_int_equal(device_read(device, REGION(9), &value, 4), -EINVAL);
	assert_int_equal(device_read(device, UINT64_MAX, &value, 4), -EINVAL);
	assert_int_equal(device_write(device, REGION(6), &value, 4), -EINVAL);
	assert_int_equal(device_read(device, REGION(9), &value, 0), 0);
	assert_int_equal(device_read(device, CONFIG + 0x100, &value, 4), -EFAULT);
	assert_int_equal(device_read(device, CONFIG + 0xfe, &value, 4), -EFAULT);
	assert_int_equal(device_read(device, CONFIG + 0xfc, &value, 4), 4);
	assert_int_equal(device_write(device, CONFIG + 0x100, &value, 1), -EFAULT);
	sim_node_close(device);
}

static void test_memory_disabled(void **state)
{
	struct fixture *fixture = *state;
	struct sim_node device = open_edu(fixture);
	uint32_t value = 0;

	set_command(device, 0, PCI_COMMAND_MEMORY);
	assert_int_equal(device_read(device, 0, &value, 4), -EIO);
	assert_int_equal(device_write(device, 4, &value, 4), -EIO);
	set_command(device, PCI_COMMAND_MEMORY, 0);
	assert_int_equal(device_read(device, 0, &value, 4), 4);
	sim_node_close(device);
}

static void test_plain_registers_keep_what_is_written(void **state)
{
	struct fixture *fixture = *state;
	struct opened card = open_e1000e(fixture);
	uint8_t bytes[16] = "some bytes";
	uint8_t seen[16] = "";
	struct sim_node again = SIM_NODE_NOTHING;

	assert_int_equal(device_write(card.device, REGION(1) + 0x101, bytes, sizeof(bytes)),
			 sizeof(bytes));
	assert_int_equal(device_read(card.device, REGION(1) + 0x101, seen, sizeof(seen)),
			 sizeof(seen));
	assert_memory_equal(seen, bytes, sizeof(bytes));
	/* Neither a second open nor its close resets. */
	assert_int_equal(open_device(fixture, card.group, E1000E, &again, NULL), 0);
	sim_node_close(again);
	assert_int_equal(device_read(card.device, REGION(1) + 0x101, seen, sizeof(seen)),
			 sizeof(seen));
	assert_memory_equal(seen, bytes, sizeof(bytes));
	sim_node_close(card.device);
	assert_int_equal(open_device(fixture, card.group, E1000E, &card.device, NULL), 0);
	assert_int_equal(device_read(card.device, REGION(1) + 0x101, seen, 1), 1);
	assert_int_equal(seen[0], 0);
	close_all(&card);
}

static void test_msix_table_is_out_of_reach(void **state)
{
	struct fixture *fixture = *state;
	struct opened card = open_e1000e(fixture);
	uint8_t bytes[0x60];

	memset(bytes, 0, sizeof(bytes));
	/* Five entries of 16 bytes; the access reaches 16 bytes beyond. */
	assert_int_equal(device_write(card.device, REGION(3), bytes, sizeof(bytes)), sizeof(bytes));
	assert_int_equal(device_read(card.device, REGION(3), bytes, sizeof(bytes)), sizeof(bytes));
	for (size_t i = 0; i < sizeof(bytes); i++) {
		assert_int_equal(bytes[i], i < 0x50 ? 0xff : 0);
	}
	close_all(&card);
}

static void test_e1000e_shows_its_control_register(void **state)
{
	struct fixture *fixture = *state;
	struct opened card = open_e1000e(fixture);
	uint32_t value = 0;
	uint32_t reset = htole32(0x04000000);

	assert_int_equal(device_read(card.device, 0, &value, 4), 4);
	assert_int_equal(le32toh(value), 0x140241);
	assert_int_equal(device_write(card.device, 0x5400, &reset, 4), 4);
	assert_int_equal(device_write(card.device, 0, &reset, 4), 4);
	assert_int_equal(device_read(card.device, 0, &value, 4), 4);
	assert_int_equal(le32toh(value), 0x140241);
	assert_int_equal(device_read(card.device, 0x5400, &value, 4), 4);
	assert_int_equal(value, 0);
	close_all(&card);
}

/* mapping */

static void test_maps(void **state)
{
	struct fixture *fixture = *state;
	struct opened card = open_e1000e(fixture);
	struct sim_device_file *file = card.device.device_file;
	uint64_t offset = 0;
	int fd = -1;

	assert_int_equal(sim_device_map(file, REGION(1) + 0x1000, 0x1000, PROT_READ, &fd, &offset),
			 0);
	assert_true(fd >= 0);
	assert_int_equal(offset, 0x1000);
	assert_int_equal(sim_device_map(file, REGION(3), 0x4000, PROT_READ, &fd, &offset), 0);
	assert_int_equal(sim_device_map(file, 0, 0x21000, PROT_READ, &fd, &offset), -EINVAL);
	assert_int_equal(sim_device_map(file, 0x1f000, 0x2000, PROT_READ, &fd, &offset), -EINVAL);
	assert_int_equal(sim_device_map(file, 0x800, 0x1000, PROT_READ, &fd, &offset), -EINVAL);
	assert_int_equal(sim_device_map(file, 0, 0, PROT_READ, &fd, &offset), -EINVAL);
	assert_int_equal(sim_device_map(file, REGION(2), 0x1000, PROT_READ, &fd, &offset), -EINVAL);
	assert_int_equal(sim_device_map(file, REGION(6), 0x1000, PROT_READ, &fd, &offset), -EINVAL);
	assert_int_equal(sim_device_map(file, CONFIG, 0x1000, PROT_READ, &fd, &offset), -EINVAL);
	assert_int_equal(sim_device_map(file, REGION(8), 0x1000, PROT_READ, &fd, &offset), -EINVAL);
	assert_int_equal(sim_device_map(file, REGION(20), 0x1000, PROT_READ, &fd, &offset),
			 -EINVAL);
	close_all(&card);
}

static uint8_t *map_region(struct sim_node device, uint64_t offset, size_t size)
{
	uint64_t at = 0;
	int fd = -1;
	void *address;

	assert_int_equal(
		sim_device_map(device.device_file, offset, size, PROT_READ | PROT_WRITE, &fd, &at),
		0);
	address = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)at);
	assert_ptr_not_equal(address, MAP_FAILED);
	return address;
}

static void test_mapped_and_read_are_the_same(void **state)
{
	struct fixture *fixture = *state;
	struct opened card = open_e1000e(fixture);
	uint8_t *bytes = map_region(card.device, REGION(1), 0x1000);
	uint8_t value = 0;

	assert_true(sim_functions_tick(fixture->model));
	bytes[100] = 7;
	assert_int_equal(device_read(card.device, REGION(1) + 100, &value, 1), 1);
	assert_int_equal(value, 7);
	value = 8;
	assert_int_equal(device_write(card.device, REGION(1) + 101, &value, 1), 1);
	assert_int_equal(bytes[101], 8);
	(void)munmap(bytes, 0x1000);
	sim_node_close(card.device);
	assert_false(sim_functions_tick(fixture->model));
	assert_int_equal(open_device(fixture, card.group, E1000E, &card.device, NULL), 0);
	close_all(&card);
}

static void test_frozen_registers_are_all_ones(void **state)
{
	struct fixture *fixture = *state;
	struct opened card = open_e1000e(fixture);
	struct sim_group *group = &fixture->model->groups[1];
	uint8_t *bytes = map_region(card.device, REGION(1), 0x1000);
	uint32_t value = 0;

	bytes[0] = 0x55;
	group->pe.io_stopped = true;
	assert_int_equal(device_read(card.device, REGION(1), &value, 4), 4);
	assert_int_equal(value, UINT32_MAX);
	assert_int_equal(bytes[0], 0xff);
	assert_int_equal(bytes[0xfff], 0xff);
	value = 0;
	assert_int_equal(device_write(card.device, REGION(1), &value, 4), 4);
	group->pe.io_stopped = false;
	assert_int_equal(device_read(card.device, REGION(1), &value, 4), 4);
	assert_int_equal(le32toh(value), 0x55);
	assert_int_equal(bytes[0], 0x55);
	(void)munmap(bytes, 0x1000);
	close_all(&card);
}

/* Where the kernel raises SIGBUS, the file has nothing. */
static void test_mapping_without_memory_is_gone(void **state)
{
	struct fixture *fixture = *state;
	struct opened card = open_e1000e(fixture);
	uint8_t byte = 9;
	uint64_t offset;
	int fd = -1;

	assert_int_equal(device_write(card.device, REGION(1), &byte, 1), 1);
	assert_int_equal(
		sim_device_map(card.device.device_file, REGION(1), 0x1000, PROT_READ, &fd, &offset),
		0);
	set_command(card.device, 0, PCI_COMMAND_MEMORY);
	assert_int_equal(lseek(fd, 0, SEEK_END), 0);
	set_command(card.device, PCI_COMMAND_MEMORY, 0);
	assert_int_equal(lseek(fd, 0, SEEK_END), 0x20000);
	byte = 0;
	assert_int_equal(device_read(card.device, REGION(1), &byte, 1), 1);
	assert_int_equal(byte, 9);
	close_all(&card);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MODEL_TEST(test_regions_of_edu),
		MODEL_TEST(test_regions_of_e1000e),
		MODEL_TEST(test_region_capabilities_without_room),
		MODEL_TEST(test_region_of_a_vendor),
		cmocka_unit_test_setup_teardown(test_regions_of_the_list, set_up_vendor, tear_down),
		MODEL_TEST(test_many_regions_of_a_vendor),
		MODEL_TEST(test_huge_bar_is_plain_memory),
		MODEL_TEST(test_rom_without_content),
		MODEL_TEST(test_accesses_beyond_regions),
		MODEL_TEST(test_memory_disabled),
		MODEL_TEST(test_plain_registers_keep_what_is_written),
		MODEL_TEST(test_msix_table_is_out_of_reach),
		MODEL_TEST(test_e1000e_shows_its_control_register),
		MODEL_TEST(test_maps),
		MODEL_TEST(test_mapped_and_read_are_the_same),
		MODEL_TEST(test_frozen_registers_are_all_ones),
		MODEL_TEST(test_mapping_without_memory_is_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
