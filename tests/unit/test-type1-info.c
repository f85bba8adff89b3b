/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is made of a kernel's answer to VFIO_IOMMU_GET_INFO, be it right or wrong. */
#include <errno.h>
#include <linux/vfio.h>
#include <stddef.h>
#include <string.h>

#include "unit.h"
#include "vfio/type1_info.h"

#define ANY_FD     7
#define PAGE_SIZES UINT64_C(0x40201000)
#define HEADER     sizeof(struct vfio_info_cap_header)
#define FLAGS      (VFIO_IOMMU_INFO_PGSIZES | VFIO_IOMMU_INFO_CAPS)

/* A kernel that has one answer. */
struct talker {
	struct kernel kernel;
	uint8_t bytes[2048];
	size_t size;  /* of the answer; at first without capabilities */
	size_t last;  /* offset of the last capability's header */
	size_t grows; /* at each call */
	int result;
	unsigned int calls;
};

/* As vfio_iommu_type1_get_info: what doesn't fit is left out, and argsz says what would. */
static int talk(struct kernel *kernel, int fd, unsigned long request, void *argument)
{
	struct talker *talker = (struct talker *)kernel;
	struct vfio_iommu_type1_info info;
	uint32_t room;

	assert_int_equal(fd, ANY_FD);
	assert_int_equal(request, VFIO_IOMMU_GET_INFO);
	memcpy(&room, argument, sizeof(room));
	talker->calls++;
	if (talker->result != 0) {
		return talker->result;
	}
	talker->size += talker->grows;
	memcpy(&info, talker->bytes, sizeof(info));
	info.argsz = room;
	if (room < talker->size) {
		info.argsz = (uint32_t)talker->size;
		info.cap_offset = 0;
	} else {
		memcpy(argument, talker->bytes, talker->size);
	}
	memcpy(argument, &info, sizeof(info));
	return 0;
}

static const struct kernel_operations talker_operations = {.ioctl = talk};

static struct talker talker_make(uint32_t flags, uint64_t page_sizes)
{
	struct talker talker = {.kernel = {.operations = &talker_operations},
				.size = sizeof(struct vfio_iommu_type1_info)};
	struct vfio_iommu_type1_info info = {.flags = flags, .iova_pgsizes = page_sizes};

	memcpy(talker.bytes, &info, sizeof(info));
	return talker;
}

/* Write a number at an offset of the answer. */
static void poke(struct talker *talker, size_t offset, uint32_t number)
{
	memcpy(talker->bytes + offset, &number, sizeof(number));
}

/* Append a capability. Returns where its header is. */
static size_t add(struct talker *talker, uint16_t id, uint16_t version, const void *body,
		  size_t size)
{
	struct vfio_info_cap_header header = {.id = id, .version = version};
	size_t offset = talker->size;

	poke(talker,
	     talker->last ? talker->last + offsetof(struct vfio_info_cap_header, next)
			  : offsetof(struct vfio_iommu_type1_info, cap_offset),
	     (uint32_t)offset);
	memcpy(talker->bytes + offset, &header, HEADER);
	memcpy(talker->bytes + offset + HEADER, body, size);
	talker->size += HEADER + size;
	talker->last = offset;
	return offset;
}

/* The IOVA ranges, of which `count` are said to be there. */
static size_t add_ranges(struct talker *talker, const struct vfio_iova_range *ranges,
			 size_t in_fact, uint32_t count)
{
	struct {
		uint32_t count;
		uint32_t reserved;
		struct vfio_iova_range range[64];
	} body = {.count = count};

	memcpy(body.range, ranges, in_fact * sizeof(*ranges));
	return add(talker, VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE, 1, &body,
		   8 + in_fact * sizeof(*ranges));
}

static void expect(struct talker *talker, struct type1_info *ret_info)
{
	struct error error = {.text = ""};
	int r = type1_info_read(&talker->kernel, ANY_FD, ret_info, &error);

	if (r != 0) {
		fail_msg("%s", error.text);
	}
}

static void refuse(struct talker *talker, int code, const char *text)
{
	struct type1_info info = {.range_count = 99};
	struct error error = {.text = ""};

	assert_int_equal(type1_info_read(&talker->kernel, ANY_FD, &info, &error), code);
	if (!strstr(error.text, text)) {
		fail_msg("\"%s\" does not say \"%s\"", error.text, text);
	}
	assert_int_equal(info.range_count, 99);
}

static const struct vfio_iova_range x86_ranges[] = {
	{0, 0xfedfffff},
	{0xfef00000, 0xffffffffffff},
};

static void test_a_host_of_today(void **state)
{
	struct talker talker = talker_make(FLAGS, PAGE_SIZES);
	const uint32_t left = 65000;
	const uint64_t migration[3] = {0x1000, 0x10000000, 0x1000};
	struct type1_info info;

	(void)state;
	(void)add(&talker, VFIO_IOMMU_TYPE1_INFO_CAP_MIGRATION, 1, migration, sizeof(migration));
	(void)add(&talker, VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL, 1, &left, sizeof(left));
	(void)add_ranges(&talker, x86_ranges, 2, 2);
	expect(&talker, &info);
	assert_int_equal(talker.calls, 2);
	assert_int_equal(info.page_sizes, PAGE_SIZES);
	assert_int_equal(info.entries_left, 65000);
	assert_int_equal(info.range_count, 2);
	assert_int_equal(info.ranges[0].start, 0);
	assert_int_equal(info.ranges[0].size, 0xfee00000);
	assert_int_equal(info.ranges[1].start, 0xfef00000);
	assert_int_equal(info.ranges[1].size, 0x1000000000000 - 0xfef00000);
}

/* What is not told is as it was before it was told. */
static void expect_old(struct talker *talker)
{
	struct type1_info info;

	expect(talker, &info);
	assert_int_equal(info.range_count, 1);
	assert_int_equal(info.ranges[0].start, 0);
	assert_int_equal(info.ranges[0].size, -UINT64_C(0x1000));
	assert_int_equal(info.entries_left, 65535);
}

static void test_old_kernels(void **state)
{
	struct talker without_caps = talker_make(VFIO_IOMMU_INFO_PGSIZES, PAGE_SIZES);
	struct talker empty_chain = talker_make(FLAGS, PAGE_SIZES);
	struct talker no_ranges = talker_make(FLAGS, PAGE_SIZES);

	(void)state;
	/* Without the flag the field is not one. */
	poke(&without_caps, offsetof(struct vfio_iommu_type1_info, cap_offset), 0xfffffff0);
	expect_old(&without_caps);
	expect_old(&empty_chain);
	/* A container of software devices only. */
	(void)add_ranges(&no_ranges, x86_ranges, 0, 0);
	expect_old(&no_ranges);
}

static void test_capabilities_that_are_not_known(void **state)
{
	struct talker talker = talker_make(FLAGS, PAGE_SIZES);
	const uint32_t left = 5;
	struct type1_info info;

	(void)state;
	(void)add(&talker, 999, 1, &left, sizeof(left));
	(void)add(&talker, VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL, 2, &left, sizeof(left));
	(void)add(&talker, 998, 77, "", 0);
	(void)add_ranges(&talker, x86_ranges, 2, 2);
	expect(&talker, &info);
	assert_int_equal(info.entries_left, 65535);
	assert_int_equal(info.range_count, 2);
}

/* Ranges are cut to whole pages, and to what can be unmapped. */
static void test_ranges_of_whole_pages(void **state)
{
	static const struct vfio_iova_range ranges[] = {
		{0x10, 0xfef},                    /* nothing of it is left */
		{0x1001, 0x4ffe},                 /* a part */
		{0x6000, 0x6fff},                 /* one page */
		{0xfffffffffffff000, UINT64_MAX}, /* the last page */
	};
	static const struct vfio_iova_range all[] = {{0x1000, UINT64_MAX}};
	static const struct vfio_iova_range top[] = {{UINT64_MAX - 0x10, UINT64_MAX - 1}};
	struct talker talker = talker_make(FLAGS, PAGE_SIZES);
	struct talker to_the_end = talker_make(FLAGS, PAGE_SIZES);
	struct talker nothing = talker_make(FLAGS, PAGE_SIZES);
	struct type1_info info;

	(void)state;
	(void)add_ranges(&talker, ranges, 4, 4);
	expect(&talker, &info);
	assert_int_equal(info.range_count, 2);
	assert_int_equal(info.ranges[0].start, 0x2000);
	assert_int_equal(info.ranges[0].size, 0x2000);
	assert_int_equal(info.ranges[1].start, 0x6000);
	assert_int_equal(info.ranges[1].size, 0x1000);
	(void)add_ranges(&to_the_end, all, 1, 1);
	expect(&to_the_end, &info);
	assert_int_equal(info.range_count, 1);
	assert_int_equal(range_last(info.ranges[0]), UINT64_MAX - 0x1000);
	(void)add_ranges(&nothing, top, 1, 1);
	refuse(&nothing, ERROR_UNSUPPORTED, "no range of IOVA");
}

/* The largest ranges stay when there are more than windows. */
static void test_more_ranges_than_windows(void **state)
{
	struct vfio_iova_range ranges[40];
	struct talker talker = talker_make(FLAGS, PAGE_SIZES);
	struct type1_info info;

	(void)state;
	for (uint64_t i = 0; i < 40; i++) {
		/* The sixth and the eighth to fourteenth are small. */
		uint64_t size = i == 5 || (i >= 7 && i < 14) ? 0x1000 * (i + 1) : 0x100000 + i;

		ranges[i] = (struct vfio_iova_range){i << 24, (i << 24) + size - 1};
	}
	(void)add_ranges(&talker, ranges, 40, 40);
	expect(&talker, &info);
	assert_int_equal(info.range_count, WORKER_WINDOWS_MAX);
	for (unsigned int i = 0; i < info.range_count; i++) {
		unsigned int skipped = i >= 6 ? 8 : i >= 5 ? 1 : 0;

		assert_int_equal(info.ranges[i].start, (uint64_t)(i + skipped) << 24);
		assert_int_equal(info.ranges[i].size, 0x100000);
	}
}

/* malformed answers */

static void test_no_page_sizes(void **state)
{
	struct talker no_flag = talker_make(0, PAGE_SIZES);
	struct talker none = talker_make(FLAGS, 0);

	(void)state;
	refuse(&no_flag, ERROR_KERNEL, "no page sizes");
	refuse(&none, ERROR_KERNEL, "no page sizes");
}

static void test_the_ioctl_fails(void **state)
{
	struct talker talker = talker_make(FLAGS, PAGE_SIZES);

	(void)state;
	talker.result = -EINVAL;
	refuse(&talker, ERROR_KERNEL, "EINVAL");
	talker.result = -EIO;
	refuse(&talker, ERROR_KERNEL, "EIO");
	talker.result = 1;
	refuse(&talker, ERROR_KERNEL, "positive result 1");
	assert_int_equal(talker.calls, 3);
}

static void test_a_size_without_bounds(void **state)
{
	struct talker growing = talker_make(FLAGS, PAGE_SIZES);
	struct talker huge = talker_make(FLAGS, PAGE_SIZES);

	(void)state;
	growing.grows = 8;
	refuse(&growing, ERROR_KERNEL, "its size");
	assert_int_equal(growing.calls, 4);
	huge.size = 0x10001;
	refuse(&huge, ERROR_KERNEL, "its size (0x10001)");
	assert_int_equal(huge.calls, 1);
}

static void test_capabilities_out_of_bounds(void **state)
{
	static const uint32_t offsets[] = {1, 23, 0xfffffff8, UINT32_MAX};
	const uint32_t left = 5;

	(void)state;
	for (size_t i = 0; i < sizeof(offsets) / sizeof(*offsets); i++) {
		struct talker talker = talker_make(FLAGS, PAGE_SIZES);

		(void)add(&talker, VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL, 1, &left, sizeof(left));
		poke(&talker, offsetof(struct vfio_iommu_type1_info, cap_offset), offsets[i]);
		refuse(&talker, ERROR_KERNEL, "the place of a capability");
		/* Its header would go past the end, by one byte. */
		poke(&talker, offsetof(struct vfio_iommu_type1_info, cap_offset),
		     (uint32_t)(talker.size - HEADER + 1));
		refuse(&talker, ERROR_KERNEL, "the place of a capability");
	}
}

static void refuse_next(uint32_t next, const char *text)
{
	struct talker talker = talker_make(FLAGS, PAGE_SIZES);
	const uint32_t left = 5;
	size_t first = add(&talker, VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL, 1, &left, sizeof(left));

	(void)add(&talker, 999, 1, &left, sizeof(left));
	poke(&talker, first + offsetof(struct vfio_info_cap_header, next), next);
	refuse(&talker, ERROR_KERNEL, text);
}

static void test_chains_that_lead_astray(void **state)
{
	const uint32_t first = sizeof(struct vfio_iommu_type1_info);

	(void)state;
	refuse_next(first, "the next capability");     /* for ever */
	refuse_next(8, "the next capability");         /* back, into the answer's head */
	refuse_next(first + 4, "the next capability"); /* into itself */
	refuse_next(2000, "the next capability");      /* behind the end */
	refuse_next(UINT32_MAX, "the next capability");
	/* At the end there is no room for one. */
	refuse_next(first + 2 * (HEADER + 4), "the place of a capability");
}

static void test_two_capabilities_that_point_at_each_other(void **state)
{
	struct talker talker = talker_make(FLAGS, PAGE_SIZES);
	const uint32_t left = 5;
	size_t first = add(&talker, VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL, 1, &left, sizeof(left));
	size_t second = add(&talker, 999, 1, &left, sizeof(left));

	(void)state;
	poke(&talker, second + offsetof(struct vfio_info_cap_header, next), (uint32_t)first);
	refuse(&talker, ERROR_KERNEL, "the next capability");
}

static void test_bodies_that_are_too_short(void **state)
{
	struct talker no_number = talker_make(FLAGS, PAGE_SIZES);
	struct talker no_count = talker_make(FLAGS, PAGE_SIZES);
	struct talker one_less = talker_make(FLAGS, PAGE_SIZES);
	struct talker many = talker_make(FLAGS, PAGE_SIZES);
	const uint32_t left = 5;

	(void)state;
	(void)add(&no_number, VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL, 1, &left, 3);
	refuse(&no_number, ERROR_KERNEL, "number of entries");
	(void)add(&no_count, VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE, 1, &left, sizeof(left));
	refuse(&no_count, ERROR_KERNEL, "number of IOVA ranges");
	(void)add_ranges(&one_less, x86_ranges, 1, 2);
	/* The next capability's bytes are none of it. */
	(void)add_ranges(&one_less, x86_ranges, 2, 2);
	refuse(&one_less, ERROR_KERNEL, "so many IOVA ranges (0x2)");
	/* Times 16 it would wrap. */
	(void)add_ranges(&many, x86_ranges, 2, 0x10000001);
	refuse(&many, ERROR_KERNEL, "so many IOVA ranges");
}

static void refuse_ranges(struct vfio_iova_range one, struct vfio_iova_range two)
{
	const struct vfio_iova_range ranges[] = {one, two};
	struct talker talker = talker_make(FLAGS, PAGE_SIZES);

	(void)add_ranges(&talker, ranges, 2, 2);
	refuse(&talker, ERROR_KERNEL, "out of order");
}

static void test_ranges_out_of_order(void **state)
{
	(void)state;
	refuse_ranges((struct vfio_iova_range){0, 0xfff},
		      (struct vfio_iova_range){0x5000, 0x4fff}); /* backwards */
	refuse_ranges((struct vfio_iova_range){0x5000, 0x5fff},
		      (struct vfio_iova_range){0x1000, 0x1fff});
	refuse_ranges((struct vfio_iova_range){0x1000, 0x1fff},
		      (struct vfio_iova_range){0x1fff, 0x2fff}); /* one byte in common */
	refuse_ranges((struct vfio_iova_range){0x1000, UINT64_MAX},
		      (struct vfio_iova_range){0, 0xfff}); /* there can't be more */
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_host_of_today),
		cmocka_unit_test(test_old_kernels),
		cmocka_unit_test(test_capabilities_that_are_not_known),
		cmocka_unit_test(test_ranges_of_whole_pages),
		cmocka_unit_test(test_more_ranges_than_windows),
		cmocka_unit_test(test_no_page_sizes),
		cmocka_unit_test(test_the_ioctl_fails),
		cmocka_unit_test(test_a_size_without_bounds),
		cmocka_unit_test(test_capabilities_out_of_bounds),
		cmocka_unit_test(test_chains_that_lead_astray),
		cmocka_unit_test(test_two_capabilities_that_point_at_each_other),
		cmocka_unit_test(test_bodies_that_are_too_short),
		cmocka_unit_test(test_ranges_out_of_order),
	};

	return cmocka_run_group_tests_name("type1-info", tests, NULL, NULL);
}
