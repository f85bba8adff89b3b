/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The contract: what the code offers on the bus is what dbus/org.spaprd1.*.xml says, both ways. */
#include "dbus/check_interface.h"
#include "dbus/faces.h"
#include "unit.h"

static void check(const struct bus_interface *interface)
{
	unsigned int differences = check_interface(interface, stderr);

	if (differences > 0) {
		fail_msg("%s: %u differences between table and XML", interface->name, differences);
	}
}

static void test_tables(void **state)
{
	(void)state;
	check(&manager_interface);
	check(&group_interface);
	check(&pe_interface);
	check(&device_interface);
	check(&space_interface);
	check(&container_interface);
	check(&simulator_interface);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {cmocka_unit_test(test_tables)};

	return cmocka_run_group_tests_name("bus tables", tests, NULL, NULL);
}
