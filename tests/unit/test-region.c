/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Regions of a device: what the kernel says of them, however damaged. */
#include "region_fixture.h"

static void test_regions(void **state)
{
	const struct region *region;
	struct region *found = NULL;
	struct error error;
	struct host host;

	(void)state;
	host_init(&host);
	read_all(&host);
	assert_int_equal(host.device.region_count, 5);
	region = find(&host, 0);
	assert_int_equal(region->size, BAR_SIZE);
	assert_int_equal(region->flags, BOTH | VFIO_REGION_INFO_FLAG_MMAP);
	assert_int_equal(region->capabilities, 0);
	assert_false(region->has_type);
	/* One that can be mapped, without the capability, is one area. */
	assert_int_equal(region->area_count, 1);
	assert_int_equal(region->areas[0].offset, 0);
	assert_int_equal(region->areas[0].size, BAR_SIZE);
	assert_int_equal(find(&host, 2)->area_count, 0);
	region = find(&host, EXTRA);
	assert_int_equal(region->offset, UINT64_C(9) << SHIFT);
	assert_int_equal(region->capabilities, 2);
	assert_int_equal(region->area_count, 2);
	assert_int_equal(region->areas[1].offset, 0x2000);
	assert_int_equal(region->areas[1].size, 0x2000);
	assert_int_equal(region_find_type(&host.device, TYPE, 5, &found, NULL), 0);
	assert_ptr_equal(found, region);
	assert_int_equal(region_find_type(&host.device, TYPE, 6, &found, &error), ERROR_NOT_FOUND);
	expect_words(&error, "type 0x8000000c and subtype 0x6");
	/* Regions without a type aren't of type 0. */
	assert_int_equal(region_find_type(&host.device, 0, 0, &found, &error), ERROR_NOT_FOUND);
	assert_int_equal(region_find(&host.device, 1, &found, &error), ERROR_NOT_FOUND);
	expect_words(&error, "0001:01:00.0 has no region 1; those that it has: 0, 2, 6, 7, 9");
	host_done(&host);
}

/* Where not all can be mapped and the capability lists nothing, nothing can. */
static void test_no_areas(void **state)
{
	struct error error;
	struct host host;

	(void)state;
	host_init(&host);
	put_areas(&host, EXTRA, 0, 0, 0);
	read_all(&host);
	assert_int_equal(find(&host, EXTRA)->area_count, 0);
	assert_int_equal(region_map(&host.device, find(&host, EXTRA), &error), ERROR_UNSUPPORTED);
	expect_words(&error, "region 9 of device 0001:01:00.0 can't be mapped");
	host_done(&host);
}

/* Areas of what can't be mapped at all count for nothing. */
static void test_areas_without_the_flag(void **state)
{
	struct host host;

	(void)state;
	host_init(&host);
	put_region(&host, EXTRA, BOTH, BAR_SIZE);
	put_areas(&host, EXTRA, 3, 0x2000, 0x2000);
	read_all(&host);
	assert_int_equal(find(&host, EXTRA)->area_count, 0);
	host_done(&host);
}

static void test_msix_mappable(void **state)
{
	struct host host;

	(void)state;
	host_init(&host);
	put_header(&host, 0, 32, VFIO_REGION_INFO_CAP_MSIX_MAPPABLE, 40);
	put_header(&host, 0, 40, 77, 0);
	read_all(&host);
	assert_true(find(&host, 0)->msix_mappable);
	assert_false(find(&host, 2)->msix_mappable);
	assert_int_equal(find(&host, 0)->capabilities, 2);
	assert_int_equal(find(&host, 0)->area_count, 1);
	host_done(&host);
}

static void expect_damage(struct host *host, const char *words)
{
	struct error error = {.text = ""};

	assert_int_equal(regions_read(&host->device, REGIONS, &error), ERROR_KERNEL);
	expect_words(&error, words);
	expect_words(&error, "0001:01:00.0");
	assert_null(host->device.regions);
	assert_int_equal(host->device.region_count, 0);
	host_done(host);
}

static void test_damaged_capabilities(void **state)
{
	static const struct {
		uint32_t at;
		uint32_t next;
		uint32_t next_of_second; /* which is at 40 */
		const char *words;
	} cases[] = {
		{32, 32, 0, "the place of a capability (0x20)"},  /* itself */
		{32, 40, 32, "the place of a capability (0x20)"}, /* a circle */
		{32, 40, 36, "the place of a capability (0x24)"}, /* inside the first */
		{32, 8, 0, "the place of a capability (0x8)"},    /* inside the description */
		{32, 41, 0, "the place of a capability (0x29)"},  /* its head has no room */
		{32, 0xfffffff8, 0, "the place of a capability (0xfffffff8)"},
		{32, 0xffffffff, 0, "the place of a capability (0xffffffff)"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct host host;

		host_init(&host);
		put_header(&host, 0, cases[i].at, 77, cases[i].next);
		put_header(&host, 0, 40, 77, cases[i].next_of_second);
		expect_damage(&host, cases[i].words);
	}
}

static void test_first_capability_outside(void **state)
{
	static const uint32_t offsets[] = {1, 31, 33, 40, 0x7fffffff, UINT32_MAX};

	(void)state;
	for (size_t i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++) {
		struct vfio_region_info info;
		struct host host;

		host_init(&host);
		put_header(&host, 0, 32, 77, 0);
		info = get_answer(&host, 0);
		info.cap_offset = offsets[i];
		memcpy(host.answer[0], &info, sizeof(info));
		expect_damage(&host, "the place of a capability");
	}
}

/* A capability whose head says more than there is. */
static void test_capabilities_without_an_end(void **state)
{
	static const uint16_t ids[] = {VFIO_REGION_INFO_CAP_TYPE, VFIO_REGION_INFO_CAP_SPARSE_MMAP};

	(void)state;
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		struct host host;

		host_init(&host);
		put_header(&host, 0, 32, ids[i], 0);
		expect_damage(&host, "a capability without an end (0x8)");
	}
}

static void test_damaged_areas(void **state)
{
	static const struct {
		uint32_t count;
		uint64_t offset;
		uint64_t size;
		const char *words;
	} cases[] = {
		{4, 0x2000, 0x1000, "the number of areas (0x4)"}, /* three have room */
		{WORKER_AREAS_MAX + 1, 0x2000, 0x1000, "the number of areas (0x101)"},
		{UINT32_MAX, 0x2000, 0x1000, "the number of areas (0xffffffff)"},
		{3, BAR_SIZE, 0x1000, "an area outside of the region (0x4000)"},
		{3, 0x2000, 0x2001, "an area outside of the region (0x2000)"},
		{3, 0x2000, UINT64_MAX, "an area outside of the region (0x2000)"},
		{3, UINT64_MAX, 2, "an area outside of the region (0xffffffffffffffff)"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct host host;

		host_init(&host);
		put_areas(&host, EXTRA, cases[i].count, cases[i].offset, cases[i].size);
		expect_damage(&host, cases[i].words);
	}
}

static void test_areas_twice(void **state)
{
	struct host host;

	(void)state;
	host_init(&host);
	put_region(&host, 0, BOTH | VFIO_REGION_INFO_FLAG_MMAP, BAR_SIZE);
	put_bytes(&host, 0, 32,
		  &(struct vfio_region_info_cap_sparse_mmap){
			  .header = {.id = VFIO_REGION_INFO_CAP_SPARSE_MMAP, .next = 48}},
		  sizeof(struct vfio_region_info_cap_sparse_mmap));
	put_areas(&host, 0, 3, 0x2000, 0x1000);
	expect_damage(&host, "the number of areas");
}

static void test_offsets_that_no_file_has(void **state)
{
	struct vfio_region_info info;
	struct host host;

	(void)state;
	host_init(&host);
	info = get_answer(&host, 2);
	info.offset = UINT64_MAX - 4;
	memcpy(host.answer[2], &info, sizeof(info));
	expect_damage(&host, "offsets that no file has");
}

static void test_endless_answer(void **state)
{
	struct host host;

	(void)state;
	host_init(&host);
	host.growing = 8;
	expect_damage(&host, "which has no end");
	assert_int_equal(host.asked, 4);
	host_init(&host);
	host.growing = 0x20000;
	expect_damage(&host, "wants to say 0x20020 bytes of region 0");
	assert_int_equal(host.asked, 1);
}

static void test_refusals_of_info(void **state)
{
	static const struct {
		int info;
		uint32_t count;
		enum error_code code;
		const char *words;
	} cases[] = {
		{-ENODEV, 9, ERROR_NOT_FOUND, "the device is gone"},
		{-EIO, 9, ERROR_KERNEL, "ask for region 0 of device 0001:01:00.0"},
		{3, 9, ERROR_KERNEL, "positive result 3"},
		{0, WORKER_REGIONS_MAX + 1, ERROR_KERNEL, "has 257 regions; at most 256"},
		{0, UINT32_MAX, ERROR_KERNEL, "has 4294967295 regions; at most 256"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct error error = {.text = ""};
		struct host host;

		host_init(&host);
		host.info = cases[i].info;
		assert_int_equal(regions_read(&host.device, cases[i].count, &error), cases[i].code);
		expect_words(&error, cases[i].words);
		host_done(&host);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_regions),
		cmocka_unit_test(test_no_areas),
		cmocka_unit_test(test_areas_without_the_flag),
		cmocka_unit_test(test_msix_mappable),
		cmocka_unit_test(test_damaged_capabilities),
		cmocka_unit_test(test_first_capability_outside),
		cmocka_unit_test(test_capabilities_without_an_end),
		cmocka_unit_test(test_damaged_areas),
		cmocka_unit_test(test_areas_twice),
		cmocka_unit_test(test_offsets_that_no_file_has),
		cmocka_unit_test(test_endless_answer),
		cmocka_unit_test(test_refusals_of_info),
	};

	return cmocka_run_group_tests_name("region", tests, NULL, NULL);
}
