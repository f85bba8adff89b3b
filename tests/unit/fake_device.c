/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fake_device.h"

#include <errno.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "unit.h"

#define FD           7
#define CONFIG_BEGIN (UINT64_C(7) << 40)
#define BAR_BEGIN    (UINT64_C(3) << 40)

static bool contains(uint64_t at, uint64_t begin, size_t size)
{
	return at >= begin && at - begin < size;
}

static int handle_ioctl(struct kernel *kernel, int fd, unsigned long request, void *argument)
{
	struct fake_device *fake = (struct fake_device *)kernel;
	struct vfio_region_info *info = argument;

	assert_int_equal(fd, FD);
	assert_int_equal(request, VFIO_DEVICE_GET_REGION_INFO);
	assert_int_equal(info->argsz, sizeof(*info));
	assert_in_range(info->index, VFIO_PCI_BAR0_REGION_INDEX, VFIO_PCI_BAR5_REGION_INDEX);
	if (info->index != FAKE_BAR) {
		info->size = 0;
		return 0;
	}
	info->offset = BAR_BEGIN;
	info->size = fake->bar_size;
	info->flags = fake->bar_flags;
	return 0;
}

static ssize_t handle_read(struct kernel *kernel, int fd, uint64_t offset, void *data, size_t size)
{
	struct fake_device *fake = (struct fake_device *)kernel;
	uint64_t at = offset - CONFIG_BEGIN;

	assert_int_equal(fd, FD);
	assert_true(offset >= CONFIG_BEGIN && at + size <= fake->device.config_size);
	if (contains(fake->fail_read, at, size)) {
		return -EIO;
	}
	if (fake->freeze_after > 0 && --fake->freeze_after == 0) {
		fake->frozen = true;
	}
	if (fake->frozen) {
		memset(data, 0xff, size);
	} else {
		memcpy(data, fake->config + at, size);
	}
	return (ssize_t)size;
}

static ssize_t handle_write(struct kernel *kernel, int fd, uint64_t offset, const void *data,
			    size_t size)
{
	struct fake_device *fake = (struct fake_device *)kernel;
	uint64_t at = offset - CONFIG_BEGIN;
	const uint8_t *bytes = data;

	assert_int_equal(fd, FD);
	assert_true(offset >= CONFIG_BEGIN && at + size <= fake->device.config_size);
	assert_true(fake->write_count < FAKE_WRITES_MAX);
	fake->writes[fake->write_count++] = (struct fake_write){.at = at, .size = size};
	if (contains(fake->fail_write, at, size)) {
		return -EIO;
	}
	for (size_t i = 0; i < size && !fake->frozen; i++) {
		fake->config[at + i] = (uint8_t)((fake->config[at + i] & fake->fixed[at + i]) |
						 (bytes[i] & ~fake->fixed[at + i]));
	}
	return (ssize_t)size;
}

static int handle_map(struct kernel *kernel, int fd, uint64_t offset, size_t length, int prot,
		      void **ret_address)
{
	struct fake_device *fake = (struct fake_device *)kernel;
	void *address;

	assert_int_equal(fd, FD);
	if (fake->map_result < 0) {
		return fake->map_result;
	}
	prot = fake->read_only ? PROT_READ : prot;
	address = mmap(NULL, length, prot, MAP_SHARED, fake->bar, (off_t)(offset - BAR_BEGIN));
	assert_ptr_not_equal(address, MAP_FAILED);
	if (fake->aliased) {
		size_t page = (size_t)sysconf(_SC_PAGESIZE);

		assert_ptr_not_equal(mmap((char *)address + page, page, prot,
					  MAP_SHARED | MAP_FIXED, fake->bar,
					  (off_t)(offset - BAR_BEGIN)),
				     MAP_FAILED);
	}
	fake->maps++;
	*ret_address = address;
	return 0;
}

static int handle_unmap(struct kernel *kernel, void *address, size_t length)
{
	struct fake_device *fake = (struct fake_device *)kernel;

	fake->maps--;
	return munmap(address, length);
}

static const struct kernel_operations operations = {
	.ioctl = handle_ioctl,
	.read = handle_read,
	.write = handle_write,
	.map = handle_map,
	.unmap = handle_unmap,
};

void fake_device_put_16(struct fake_device *fake, uint64_t at, uint16_t value)
{
	fake->config[at] = (uint8_t)value;
	fake->config[at + 1] = (uint8_t)(value >> 8);
}

void fake_device_put_32(struct fake_device *fake, uint64_t at, uint32_t value)
{
	fake_device_put_16(fake, at, (uint16_t)value);
	fake_device_put_16(fake, at + 2, (uint16_t)(value >> 16));
}

uint16_t fake_device_get_16(const struct fake_device *fake, uint64_t at)
{
	return (uint16_t)(fake->config[at] | fake->config[at + 1] << 8);
}

uint32_t fake_device_get_32(const struct fake_device *fake, uint64_t at)
{
	return fake_device_get_16(fake, at) | (uint32_t)fake_device_get_16(fake, at + 2) << 16;
}

void fake_device_store(struct fake_device *fake, uint64_t at, const void *bytes, size_t size)
{
	assert_int_equal(pwrite(fake->bar, bytes, size, (off_t)at), size);
}

void fake_device_load(const struct fake_device *fake, uint64_t at, void *bytes, size_t size)
{
	assert_int_equal(pread(fake->bar, bytes, size, (off_t)at), size);
}

static void fill_config(struct fake_device *fake)
{
	fake_device_put_32(fake, PCI_VENDOR_ID, 0x10d38086);
	fake_device_put_16(fake, PCI_COMMAND,
			   PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_SERR);
	fake_device_put_16(fake, PCI_STATUS, PCI_STATUS_CAP_LIST);
	fake_device_put_32(fake, PCI_CLASS_REVISION, 0x02000001);
	fake_device_put_32(fake, PCI_BASE_ADDRESS_0, 0xc0000000);
	fake->config[PCI_INTERRUPT_LINE] = 9;
	fake->config[PCI_CAPABILITY_LIST] = 0x40;
	fake_device_put_32(fake, 0x40, 0x00005001); /* PM, next 0x50 */
	fake_device_put_32(fake, 0x50, 0x00806005); /* MSI, next 0x60, 64 bits */
	fake_device_put_32(fake, 0x60, 0x0002a010); /* PCI Express, next 0xa0 */
	fake_device_put_16(fake, 0x60 + PCI_EXP_DEVCTL, 0x281f);
	fake_device_put_16(fake, 0x60 + PCI_EXP_DEVCTL2, 0x0005);
	fake_device_put_32(fake, 0xa0, 0x80030011); /* MSI-X, the last, enabled, 4 vectors */
	fake_device_put_32(fake, 0xa4, 0x1010 | FAKE_BAR);
	fake_device_put_32(fake, 0x100, 0x14010003); /* a serial number, next 0x140 */
	fake_device_put_32(fake, 0x140, 0x00020001); /* AER */
	fake_device_put_32(fake, 0x140 + PCI_ERR_UNCOR_MASK, 0x00100000);
	fake_device_put_32(fake, 0x140 + PCI_ERR_UNCOR_SEVER, 0x00462030);
	fake_device_put_32(fake, 0x140 + PCI_ERR_COR_MASK, 0x00002000);
	fake_device_put_32(fake, 0x140 + PCI_ERR_CAP, 0x00000140);
}

void fake_device_init(struct fake_device *fake)
{
	*fake = (struct fake_device){
		.kernel = {.operations = &operations},
		.fail_read = FAKE_NOWHERE,
		.fail_write = FAKE_NOWHERE,
		.bar = memfd_create("bar", MFD_CLOEXEC),
		.bar_size = FAKE_BAR_SIZE,
		.bar_flags = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE |
			     VFIO_REGION_INFO_FLAG_MMAP,
	};
	assert_true(fake->bar >= 0);
	assert_int_equal(ftruncate(fake->bar, FAKE_BAR_SIZE), 0);
	fake->device = (struct device){
		.kernel = &fake->kernel,
		.name = "0001:01:00.0",
		.fd = FD,
		.config_offset = CONFIG_BEGIN,
		.config_size = FAKE_CONFIG_SIZE,
	};
	fill_config(fake);
}

void fake_device_done(struct fake_device *fake)
{
	assert_int_equal(fake->maps, 0);
	if (fake->device.free_snapshot) {
		fake->device.snapshot = fake->device.free_snapshot(fake->device.snapshot);
	}
	assert_int_equal(close(fake->bar), 0);
}
