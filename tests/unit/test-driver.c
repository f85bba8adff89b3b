/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/driver.h"
#include "unit.h"

static void check_driver(const char *driver, bool vfio, bool blocks)
{
	assert_int_equal(driver_is_vfio(driver), vfio);
	assert_int_equal(driver_allows_vfio(driver), !blocks);
}

static void test_drivers(void **state)
{
	(void)state;
	check_driver("", false, false);
	check_driver("vfio-pci", true, false);
	check_driver("mlx5_vfio_pci", true, false);
	check_driver("nvgrace-gpu-vfio-pci", true, false);
	check_driver("pcieport", false, false);
	check_driver("pci-stub", false, false);
	check_driver("e1000e", false, true);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {cmocka_unit_test(test_drivers)};

	return cmocka_run_group_tests_name("driver", tests, NULL, NULL);
}
