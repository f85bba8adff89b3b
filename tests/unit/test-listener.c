/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who hears of a section, in which order, and what happens when one fails. */
#include <stdio.h>
#include <string.h>

#include "common/worker_protocol.h"
#include "unit.h"
#include "vfio/container.h"
#include "vfio/identity.h"

/* Notes what it hears: "+2 -2". */
struct fake_listener {
	struct memory_listener listener;
	unsigned int number;
};

static struct fake_listener fakes[CONTAINER_LISTENERS_MAX];
static char heard[256];
static unsigned int failing; /* the number of the listener that fails, 0 for none */

static void write_down(const char *word)
{
	size_t length = strlen(heard);

	(void)snprintf(heard + length, sizeof(heard) - length, "%s%s", length > 0 ? " " : "", word);
}

static int hear(struct memory_listener *listener, char sign, struct error *error)
{
	unsigned int number = ((struct fake_listener *)listener)->number;
	char word[16];

	(void)snprintf(word, sizeof(word), "%c%u", sign, number);
	write_down(word);
	return number == failing ? error_set(error, ERROR_KERNEL, 0, "listener %u", number) : 0;
}

static int fake_add(struct memory_listener *listener, const struct section *section,
		    struct error *error)
{
	(void)section;
	return hear(listener, '+', error);
}

static int fake_remove(struct memory_listener *listener, const struct section *section,
		       struct error *error)
{
	(void)section;
	return hear(listener, '-', error);
}

static const struct memory_listener_operations slow_operations = {
	.name = "slow",
	.takes_long = true,
	.add = fake_add,
	.remove = fake_remove,
};

static const struct memory_listener_operations quick_operations = {
	.name = "quick",
	.takes_long = false,
	.add = fake_add,
	.remove = fake_remove,
};

/* One for each letter, numbered from 1: s takes long, q doesn't. */
static void set_up_listeners(struct container *container, const char *sorts)
{
	memset(container, 0, sizeof(*container));
	heard[0] = '\0';
	failing = 0;
	for (unsigned int i = 0; sorts[i]; i++) {
		fakes[i].number = i + 1;
		fakes[i].listener.operations =
			sorts[i] == 's' ? &slow_operations : &quick_operations;
		container->listeners[container->listener_count++] = &fakes[i].listener;
	}
}

static void expect_heard(const char *text)
{
	assert_string_equal(heard, text);
	heard[0] = '\0';
}

static struct section section_of(uint32_t flags)
{
	return (struct section){.id = 1, .flags = flags, .gpa = {0x10000, 0x10000}};
}

static void test_nobody_listens(void **state)
{
	struct section section = section_of(0);
	struct container container;

	(void)state;
	set_up_listeners(&container, "");
	assert_int_equal(container_memory_add(&container, &section, NULL), 0);
	assert_int_equal(container_section_add(&container, &section, NULL), 0);
	assert_int_equal(container_section_remove(&container, &section, NULL), 0);
	assert_int_equal(container_memory_remove(&container, &section, NULL), 0);
}

static void test_order(void **state)
{
	struct section section = section_of(0);
	struct container container;

	(void)state;
	set_up_listeners(&container, "sqsq");
	assert_int_equal(container_memory_add(&container, &section, NULL), 0);
	expect_heard("+1 +3");
	assert_int_equal(container_section_add(&container, &section, NULL), 0);
	expect_heard("+2 +4");
	assert_int_equal(container_section_remove(&container, &section, NULL), 0);
	expect_heard("-4 -2");
	assert_int_equal(container_memory_remove(&container, &section, NULL), 0);
	expect_heard("-3 -1");
}

static void test_a_failure_is_taken_back(void **state)
{
	struct section section = section_of(0);
	struct container container;
	struct error error;

	(void)state;
	set_up_listeners(&container, "ssss");
	failing = 3;
	assert_int_equal(container_memory_add(&container, &section, &error), ERROR_KERNEL);
	assert_non_null(strstr(error.text, "listener 3"));
	expect_heard("+1 +2 +3 -2 -1");
	assert_int_equal(container_memory_remove(&container, &section, &error), ERROR_KERNEL);
	expect_heard("-4 -3 +4");
	failing = 1;
	assert_int_equal(container_memory_add(&container, &section, &error), ERROR_KERNEL);
	expect_heard("+1");
	assert_int_equal(container_memory_remove(&container, &section, &error), ERROR_KERNEL);
	expect_heard("-4 -3 -2 -1 +2 +3 +4");
}

/* Those of the other sort have no part in it. */
static void test_a_failure_among_others(void **state)
{
	struct section section = section_of(0);
	struct container container;

	(void)state;
	set_up_listeners(&container, "sqqs");
	failing = 3;
	assert_int_equal(container_section_add(&container, &section, NULL), ERROR_KERNEL);
	expect_heard("+2 +3 -2");
	failing = 4;
	assert_int_equal(container_memory_add(&container, &section, NULL), ERROR_KERNEL);
	expect_heard("+1 +4 -1");
}

static void test_nobody_hears_of_skipped_sections(void **state)
{
	struct section section = section_of(WORKER_MEMORY_IDENTITY);
	struct container container;

	(void)state;
	set_up_listeners(&container, "sq");
	identity_listen(&container);
	section_skip(&section, "no reason");
	assert_int_equal(container_memory_add(&container, &section, NULL), 0);
	assert_int_equal(container_section_add(&container, &section, NULL), 0);
	assert_int_equal(container_section_remove(&container, &section, NULL), 0);
	assert_int_equal(container_memory_remove(&container, &section, NULL), 0);
	expect_heard("");
	/* What an arriving container refuses is seen until that counts. */
	section.skipped = false;
	section_refuse(&section, "no reason");
	assert_int_equal(container_memory_remove(&container, &section, NULL), 0);
	expect_heard("-1");
}

/* The identity listener, over a container that writes down what it is asked to do */

static int fake_map(struct container *container, const struct window *window, struct range iova,
		    void *address, uint32_t prot, struct error *error)
{
	char word[128];

	(void)container;
	(void)snprintf(word, sizeof(word), "map %s to 0x%lx prot %u in %s", range_format(iova).text,
		       (unsigned long)address, prot, range_format(window->range).text);
	write_down(word);
	return failing ? error_set(error, ERROR_KERNEL, 0, "no map") : 0;
}

static int fake_unmap(struct container *container, struct range iova, struct error *error)
{
	char word[128];

	(void)container;
	(void)snprintf(word, sizeof(word), "unmap %s", range_format(iova).text);
	write_down(word);
	return failing ? error_set(error, ERROR_KERNEL, 0, "no unmap") : 0;
}

static const struct container_operations fake_operations = {.map = fake_map, .unmap = fake_unmap};

static void test_identity(void **state)
{
	static const struct window window = {.range = {0, 0x100000}, .page_shift = 12};
	struct section section = section_of(WORKER_MEMORY_IDENTITY);
	struct container container;
	struct error error;

	(void)state;
	set_up_listeners(&container, "s");
	container.operations = &fake_operations;
	identity_listen(&container);
	section.window = &window;
	section.address = (void *)0x7000;
	assert_int_equal(container_memory_add(&container, &section, NULL), 0);
	expect_heard("+1");
	assert_int_equal(container_section_add(&container, &section, NULL), 0);
	expect_heard("map [0x10000, 0x20000) to 0x7000 prot 3 in [0x0, 0x100000)");
	section.flags |= WORKER_MEMORY_READ_ONLY;
	assert_int_equal(container_section_add(&container, &section, NULL), 0);
	expect_heard("map [0x10000, 0x20000) to 0x7000 prot 1 in [0x0, 0x100000)");
	failing = 1;
	assert_int_equal(container_section_add(&container, &section, &error), ERROR_KERNEL);
	assert_non_null(strstr(error.text, "no map"));
	assert_int_equal(container_section_remove(&container, &section, &error), ERROR_KERNEL);
	assert_non_null(strstr(error.text, "no unmap"));
	failing = 0;
	heard[0] = '\0';
	assert_int_equal(container_section_remove(&container, &section, NULL), 0);
	expect_heard("unmap [0x10000, 0x20000)");
}

static void test_identity_takes_no_notice_of_others(void **state)
{
	struct section section = section_of(WORKER_MEMORY_READ_ONLY);
	struct container container;

	(void)state;
	set_up_listeners(&container, "");
	container.operations = &fake_operations;
	identity_listen(&container);
	assert_int_equal(container_section_add(&container, &section, NULL), 0);
	assert_int_equal(container_section_remove(&container, &section, NULL), 0);
	expect_heard("");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nobody_listens),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_a_failure_is_taken_back),
		cmocka_unit_test(test_a_failure_among_others),
		cmocka_unit_test(test_nobody_hears_of_skipped_sections),
		cmocka_unit_test(test_identity),
		cmocka_unit_test(test_identity_takes_no_notice_of_others),
	};

	return cmocka_run_group_tests_name("listener", tests, NULL, NULL);
}
