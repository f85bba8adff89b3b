/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Random requests to a worker, compared with a model of what it must hold, and random bytes, which
 * it must survive.
 */
#include <linux/vfio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "common/cleanup.h"
#include "common/packet.h"
#include "worker_fixture.h"

#define SLOTS         64U /* pages of IOVA that the model knows */
#define SECTIONS      4U
#define SECTION_PAGES 16U
#define SECTION_SIZE  (SECTION_PAGES * PAGE)
#define GROUPS        3U

#define NOT_WIRED UINT32_MAX

struct model {
	bool attached[GROUPS];
	bool open[GROUPS];          /* its device */
	uint32_t wired[GROUPS];     /* its interrupts: their kind, or NOT_WIRED */
	uint32_t section[SECTIONS]; /* ids, 0: none */
	uint32_t owner[SLOTS];      /* first page of the mapping + 1 */
	uint32_t pages[SLOTS];      /* by first page */
	uint32_t target[SLOTS];     /* by first page: the page of memory */
};

static uint64_t random_next(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

static uint32_t below(uint64_t *seed, uint32_t limit)
{
	return (uint32_t)(random_next(seed) % limit);
}

static uint32_t count_groups(const struct model *model)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < GROUPS; i++) {
		count += model->attached[i];
	}
	return count;
}

static uint32_t count_mappings(const struct model *model, uint32_t *ret_pages)
{
	uint32_t count = 0;

	*ret_pages = 0;
	for (uint32_t i = 0; i < SLOTS; i++) {
		count += model->pages[i] > 0;
		*ret_pages += model->pages[i];
	}
	return count;
}

static void do_map(struct fixture *fixture, struct model *model, uint64_t *seed)
{
	uint32_t first = below(seed, SLOTS - 8);
	uint32_t pages = 1 + below(seed, 8);
	uint32_t target = below(seed, (SECTIONS + 1) * SECTION_PAGES);
	uint32_t section = target / SECTION_PAGES;
	enum error_code expected = ERROR_NONE;

	for (uint32_t i = first; i < first + pages; i++) {
		expected = model->owner[i] ? ERROR_ALREADY_MAPPED : expected;
	}
	if (section >= SECTIONS || !model->section[section] ||
	    target % SECTION_PAGES + pages > SECTION_PAGES) {
		expected = ERROR_MEMORY_UNKNOWN;
	}
	if (count_groups(model) == 0) {
		expected = ERROR_OUTSIDE_WINDOW;
	}
	assert_int_equal(map(fixture, first * PAGE, target * PAGE, pages * PAGE, 3), expected);
	if (expected != ERROR_NONE) {
		return;
	}
	model->pages[first] = pages;
	model->target[first] = target;
	for (uint32_t i = first; i < first + pages; i++) {
		model->owner[i] = first + 1;
	}
}

static void do_unmap(struct fixture *fixture, struct model *model, uint64_t *seed)
{
	uint32_t first = below(seed, SLOTS - 16);
	uint32_t pages = 1 + below(seed, 16);
	enum error_code expected = ERROR_NONE;

	if (model->owner[first] && below(seed, 4)) {
		first = model->owner[first] - 1;
		pages = model->pages[first];
	}
	for (uint32_t i = first; i < first + pages; i++) {
		uint32_t owner = model->owner[i];

		if (!owner || (i == first && !model->pages[i]) ||
		    owner - 1 + model->pages[owner - 1] > first + pages) {
			expected = ERROR_NOT_MAPPED;
		}
	}
	assert_int_equal(unmap(fixture, first * PAGE, pages * PAGE), expected);
	for (uint32_t i = first; expected == ERROR_NONE && i < first + pages; i++) {
		model->owner[i] = 0;
		model->pages[i] = 0;
	}
}

static bool is_mapped(const struct model *model, uint32_t section)
{
	for (uint32_t i = 0; i < SLOTS; i++) {
		if (model->pages[i] && model->target[i] / SECTION_PAGES == section) {
			return true;
		}
	}
	return false;
}

static void do_memory(struct fixture *fixture, struct model *model, uint64_t *seed)
{
	uint32_t section = below(seed, SECTIONS);

	if (!model->section[section]) {
		assert_int_equal(add_memory(fixture, section * SECTION_SIZE, SECTION_SIZE,
					    &model->section[section]),
				 0);
	} else if (is_mapped(model, section)) {
		assert_int_equal(remove_memory(fixture, model->section[section]),
				 ERROR_MEMORY_IN_USE);
	} else if (below(seed, 2)) {
		assert_int_equal(remove_memory(fixture, model->section[section]), 0);
		model->section[section] = 0;
	} else {
		assert_int_equal(add_memory(fixture, section * SECTION_SIZE, PAGE, NULL),
				 ERROR_MEMORY_IN_USE);
	}
}

static void do_group(struct fixture *fixture, struct model *model, uint64_t *seed)
{
	uint32_t group = below(seed, GROUPS);
	uint32_t pages;

	if (!model->attached[group]) {
		assert_int_equal(attach(fixture, group), 0);
		model->attached[group] = true;
	} else if (count_groups(model) == 1 && count_mappings(model, &pages) > 0) {
		assert_int_equal(detach(fixture, group), ERROR_MEMORY_IN_USE);
	} else {
		assert_int_equal(detach(fixture, group), 0);
		model->attached[group] = false;
		model->open[group] = false;
		model->wired[group] = NOT_WIRED;
	}
}

static const char *const devices[GROUPS] = {"0000:01:00.0", "0001:01:00.0", "0002:01:00.0"};

/* What is done to a PE changes nothing of what the model knows. */
static void do_pe(struct fixture *fixture, struct model *model, uint64_t *seed)
{
	uint32_t group = below(seed, GROUPS);
	uint32_t operation = WORKER_PE_LOOK + below(seed, WORKER_PE_OPERATION_COUNT);
	enum error_code expected = model->attached[group] ? ERROR_NONE : ERROR_NOT_FOUND;
	struct worker_pe pe;

	if (operation == WORKER_PE_OPERATION_COUNT) {
		assert_int_equal(open_device(fixture, group, devices[group], -1, NULL), expected);
		model->open[group] |= expected == ERROR_NONE;
		return;
	}
	if (operation == WORKER_PE_INJECT && model->attached[group]) {
		expected = ERROR_UNSUPPORTED;
	}
	assert_int_equal(operate(fixture, group, operation, &pe), expected);
	if (expected == ERROR_NONE) {
		assert_int_equal(pe.number, 0);
		assert_int_equal(pe.devices, model->open[group]);
		/* An assertion of a reset is not left behind. */
		assert_int_equal(operate(fixture, group, WORKER_PE_DEACTIVATE, &pe), 0);
	}
}

/* Of a call to a device that is open: what the model says to it. */
static enum error_code expect_call(struct model *model, uint32_t group,
				   const struct worker_call_device *body)
{
	uint32_t *wired = &model->wired[group];

	switch ((enum worker_device_call)body->call) {
	case WORKER_DEVICE_SET_IRQS:
		if (*wired != NOT_WIRED && *wired != body->index) {
			return ERROR_INVALID_ARGUMENT;
		}
		*wired = body->index;
		return ERROR_NONE;
	case WORKER_DEVICE_DISABLE_IRQ:
		if (*wired != body->index) {
			return ERROR_NOT_FOUND;
		}
		*wired = NOT_WIRED;
		return ERROR_NONE;
	case WORKER_DEVICE_MASK_IRQ:
	case WORKER_DEVICE_UNMASK_IRQ:
		if (body->index != VFIO_PCI_INTX_IRQ_INDEX) {
			return ERROR_UNSUPPORTED;
		}
		return *wired == body->index ? ERROR_NONE : ERROR_NOT_FOUND;
	case WORKER_DEVICE_INFO:
	case WORKER_DEVICE_REGIONS:
	case WORKER_DEVICE_AREAS:
	case WORKER_DEVICE_FIND_REGION:
	case WORKER_DEVICE_READ_REGION:
	case WORKER_DEVICE_WRITE_REGION:
	case WORKER_DEVICE_IRQS:
	case WORKER_DEVICE_CALL_COUNT:
		break;
	}
	return ERROR_NONE;
}

/* Interrupts, and registers of config space. */
static void do_device(struct fixture *fixture, struct model *model, uint64_t *seed)
{
	static const enum worker_device_call calls[] = {
		WORKER_DEVICE_SET_IRQS,   WORKER_DEVICE_DISABLE_IRQ, WORKER_DEVICE_MASK_IRQ,
		WORKER_DEVICE_UNMASK_IRQ, WORKER_DEVICE_READ_REGION, WORKER_DEVICE_REGIONS,
	};
	cleanup(cleanup_fd) int event = eventfd(0, EFD_CLOEXEC);
	uint32_t group = below(seed, GROUPS);
	struct worker_call_device body = {
		.group = group,
		.call = calls[below(seed, sizeof(calls) / sizeof(calls[0]))],
	};
	bool sets = body.call == WORKER_DEVICE_SET_IRQS;
	enum error_code expected = ERROR_NOT_FOUND;

	(void)snprintf(body.name, sizeof(body.name), "%s", devices[group]);
	if (body.call == WORKER_DEVICE_READ_REGION) {
		body.index = VFIO_PCI_CONFIG_REGION_INDEX;
		body.size = 4;
	} else if (body.call != WORKER_DEVICE_REGIONS) {
		body.index = below(seed, 2) ? VFIO_PCI_INTX_IRQ_INDEX : VFIO_PCI_MSI_IRQ_INDEX;
	}
	if (model->open[group]) {
		expected = expect_call(model, group, &body);
	}
	assert_int_equal(
		request(fixture, WORKER_CALL_DEVICE, &body, sizeof(body), &event, sets, NULL),
		expected);
}

static void compare(struct fixture *fixture, const struct model *model)
{
	struct sim_statistics now = fixture_statistics(fixture);
	uint32_t pages;
	uint32_t mappings = count_mappings(model, &pages);
	uint32_t groups = count_groups(model);

	assert_int_equal(last_answer.head.counts.mappings, mappings);
	assert_int_equal(last_answer.head.counts.mapped_bytes, pages * PAGE);
	assert_int_equal(last_answer.head.counts.locked_pins +
				 last_answer.head.counts.locked_tables +
				 last_answer.head.counts.locked_leaks,
			 now.locked_bytes);
	assert_int_equal(now.attached_groups, groups);
	assert_int_equal(now.open_devices, model->open[0] + model->open[1] + model->open[2]);
	assert_int_equal(now.mapped_tces, groups * pages);
	assert_int_equal(now.leaked_pinned_bytes, 0);
	assert_int_equal(now.kernel_damage, 0);
}

static void run(uint64_t seed)
{
	struct model model = {.wired = {NOT_WIRED, NOT_WIRED, NOT_WIRED}};
	struct fixture fixture;

	fixture_open(&fixture);
	for (unsigned int i = 0; i < 400; i++) {
		uint32_t choice = below(&seed, 100);

		if (choice < 40) {
			do_map(&fixture, &model, &seed);
		} else if (choice < 70) {
			do_unmap(&fixture, &model, &seed);
		} else if (choice < 80) {
			do_pe(&fixture, &model, &seed);
		} else if (choice < 86) {
			do_device(&fixture, &model, &seed);
		} else if (choice < 97) {
			do_memory(&fixture, &model, &seed);
		} else {
			do_group(&fixture, &model, &seed);
		}
		compare(&fixture, &model);
	}
	fixture_close(&fixture);
}

static void test_against_model(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 4; seed++) {
		run(seed * 0x9e3779b97f4a7c15U);
	}
}

static uint32_t interesting(uint64_t *seed)
{
	static const uint32_t values[] = {0,      1,          2,          3,         4,
					  12,     16,         24,         0x1000,    0x10000,
					  100000, 0x7fffffff, 0x80000000, UINT32_MAX};

	return below(seed, 2) ? values[below(seed, sizeof(values) / sizeof(values[0]))]
			      : (uint32_t)random_next(seed);
}

/* Correct enough to get past the header, mostly; the body is noise. Never Close. */
static void send_noise(struct fixture *fixture, uint64_t *seed)
{
	static const size_t sizes[WORKER_REQUEST_TYPE_COUNT] = {
		[WORKER_ATTACH_GROUP] = sizeof(struct worker_attach),
		[WORKER_DETACH_GROUP] = sizeof(struct worker_detach),
		[WORKER_ADD_MEMORY] = sizeof(struct worker_memory),
		[WORKER_REMOVE_MEMORY] = sizeof(struct worker_remove_memory),
		[WORKER_CREATE_WINDOW] = sizeof(struct worker_window),
		[WORKER_REMOVE_WINDOW] = sizeof(struct worker_remove_window),
		[WORKER_MAP] = sizeof(struct worker_map),
		[WORKER_UNMAP] = sizeof(struct worker_unmap),
		[WORKER_TRANSLATE] = sizeof(struct worker_translate),
		[WORKER_LIST_MAPPINGS] = sizeof(struct worker_list),
		[WORKER_OPEN_DEVICE] = sizeof(struct worker_open_device),
		[WORKER_CALL_DEVICE] = sizeof(struct worker_call_device),
		[WORKER_OPERATE_PE] = sizeof(struct worker_operate_pe),
	};
	uint32_t type = WORKER_DESCRIBE + below(seed, WORKER_OPERATE_PE);
	unsigned int count = type == WORKER_ADD_MEMORY ? 1 : type == WORKER_ATTACH_GROUP ? 2 : 0;
	cleanup(cleanup_fd) int memory = make_memory(SECTION_SIZE);
	cleanup(cleanup_fd) int event = eventfd(0, EFD_CLOEXEC);
	int fds[] = {memory, fixture->control};
	uint32_t body[16];

	for (size_t i = 0; i < sizeof(body) / sizeof(body[0]); i++) {
		body[i] = below(seed, 2) ? 0 : interesting(seed);
	}
	if (type == WORKER_OPEN_DEVICE && below(seed, 2)) {
		(void)snprintf((char *)&body[2], WORKER_DEVICE_NAME_SIZE, "%s", devices[0]);
		count = below(seed, 2);
		body[1] &= WORKER_EVENT_ERROR | WORKER_EVENT_REQUEST;
	}
	if (type == WORKER_CALL_DEVICE && below(seed, 4)) {
		body[0] = 0;
		body[1] = below(seed, WORKER_DEVICE_CALL_COUNT + 1);
		(void)snprintf((char *)&body[2], WORKER_DEVICE_NAME_SIZE, "%s", devices[0]);
		body[9] = 0;
		fds[0] = below(seed, 4) ? event : memory;
		count = body[1] == WORKER_DEVICE_SET_IRQS ? 1 + below(seed, 2) : 0;
	}
	if (below(seed, 16) == 0) {
		struct worker_request head = {.version = interesting(seed),
					      .type = interesting(seed),
					      .id = random_next(seed),
					      .size = interesting(seed),
					      .fds = interesting(seed)};

		if (head.type == WORKER_CLOSE) {
			return;
		}
		assert_int_equal(packet_send(fixture->socket, &head, sizeof(head), body,
					     below(seed, sizeof(body) + 1), fds, below(seed, 3)),
				 0);
	} else {
		(void)send_request(fixture, type, body, sizes[type], fds, count);
	}
	receive_answer(fixture, &last_answer);
}

static void test_noise(void **state)
{
	struct fixture fixture;
	uint64_t seed = 4711;

	(void)state;
	fixture_open(&fixture);
	assert_int_equal(attach(&fixture, 0), 0);
	for (unsigned int i = 0; i < 20000; i++) {
		send_noise(&fixture, &seed);
	}
	assert_int_equal(request(&fixture, WORKER_DESCRIBE, NULL, 0, NULL, 0, NULL), 0);
	fixture_close(&fixture);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_against_model),
		cmocka_unit_test(test_noise),
	};

	return cmocka_run_group_tests_name("worker-random", tests, NULL, NULL);
}
