/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The TCE v2 container over a kernel that expects a list of ioctls, with results for each. */
#include <errno.h>
#include <linux/vfio.h>
#include <stdlib.h>
#include <string.h>

#include "common/worker_protocol.h"
#include "spapr/tce_v2.h"
#include "unit.h"

#define CONTAINER_FD 1000
#define GROUP_FD     1001

#define GIB(n) ((uint64_t)(n) << 30)

/* What one call must look like, and what it gives. Fields of 0 aren't looked at. */
struct expectation {
	unsigned long request;
	uint64_t start; /* iova, or the start of a window */
	uint64_t size;
	uint32_t flags; /* of the group's status or of a MAP; levels of a CREATE */
	int result;
};

struct script {
	struct kernel kernel;
	const struct expectation *next;
	unsigned int closed;
};

static void play_map(const struct expectation *expected, const void *argument)
{
	struct vfio_iommu_type1_dma_map map;

	memcpy(&map, argument, sizeof(map));
	assert_int_equal(map.argsz, sizeof(map));
	assert_int_equal(map.iova, expected->start);
	assert_int_equal(map.size, expected->size);
	assert_int_equal(map.flags, expected->flags);
	assert_int_equal(map.vaddr, 0x100000000 + expected->start);
}

static void play_unmap(const struct expectation *expected, const void *argument)
{
	struct vfio_iommu_type1_dma_unmap unmap;

	memcpy(&unmap, argument, sizeof(unmap));
	assert_int_equal(unmap.argsz, sizeof(unmap));
	assert_int_equal(unmap.flags, 0);
	assert_int_equal(unmap.iova, expected->start);
	assert_int_equal(unmap.size, expected->size);
}

static void play_create(const struct expectation *expected, void *argument)
{
	struct vfio_iommu_spapr_tce_create create;

	memcpy(&create, argument, sizeof(create));
	assert_int_equal(create.argsz, sizeof(create));
	assert_int_equal(create.flags, 0);
	assert_int_equal(create.window_size, expected->size);
	assert_int_equal(create.levels, expected->flags);
	create.start_addr = expected->start;
	memcpy(argument, &create, sizeof(create));
}

static void play_info(const struct expectation *expected, void *argument)
{
	struct vfio_iommu_spapr_tce_info info = {
		.argsz = sizeof(info),
		.flags = expected->flags,
		.dma32_window_size = 0x80000000,
		.ddw = {.pgsizes = 0x40211000,
			.max_dynamic_windows_supported = (uint32_t)expected->start,
			.levels = (uint32_t)expected->size},
	};

	memcpy(argument, &info, sizeof(info));
}

static int script_ioctl(struct kernel *kernel, int fd, unsigned long request, void *argument)
{
	struct script *script = (struct script *)kernel;
	const struct expectation *expected = script->next++;

	assert_int_equal(request, expected->request);
	switch (request) {
	case VFIO_GROUP_GET_STATUS:
		assert_int_equal(fd, GROUP_FD);
		if (expected->result == 0) {
			((struct vfio_group_status *)argument)->flags = expected->flags;
		}
		break;
	case VFIO_GROUP_SET_CONTAINER:
		assert_int_equal(*(int *)argument, CONTAINER_FD);
		break;
	case VFIO_GROUP_UNSET_CONTAINER:
		assert_int_equal(fd, GROUP_FD);
		break;
	case VFIO_IOMMU_SPAPR_TCE_GET_INFO:
		play_info(expected, argument);
		break;
	case VFIO_IOMMU_MAP_DMA:
		play_map(expected, argument);
		break;
	case VFIO_IOMMU_UNMAP_DMA:
		play_unmap(expected, argument);
		break;
	case VFIO_IOMMU_SPAPR_TCE_CREATE:
		play_create(expected, argument);
		break;
	case VFIO_IOMMU_SPAPR_TCE_REMOVE:
		assert_int_equal(((struct vfio_iommu_spapr_tce_remove *)argument)->start_addr,
				 expected->start);
		break;
	default:
		break;
	}
	return expected->result;
}

static void script_close(struct kernel *kernel, int fd)
{
	(void)fd;
	((struct script *)kernel)->closed++;
}

static const struct kernel_operations script_operations = {
	.ioctl = script_ioctl,
	.close = script_close,
};

static struct script script_make(const struct expectation *expectations)
{
	return (struct script){.kernel = {.operations = &script_operations}, .next = expectations};
}

#define VIABLE VFIO_GROUP_FLAGS_VIABLE
#define ATTACH_BEGIN                                                        \
	{                                                                   \
		.request = VFIO_GET_API_VERSION, .result = VFIO_API_VERSION \
	}
#define EXTENSION(have)                                           \
	{                                                         \
		.request = VFIO_CHECK_EXTENSION, .result = (have) \
	}
#define STATUS(bits)                                              \
	{                                                         \
		.request = VFIO_GROUP_GET_STATUS, .flags = (bits) \
	}
#define GONE                                                        \
	{                                                           \
		.request = VFIO_GROUP_GET_STATUS, .result = -ENODEV \
	}
#define JOIN(outcome)                                                    \
	{                                                                \
		.request = VFIO_GROUP_SET_CONTAINER, .result = (outcome) \
	}
#define TYPE(outcome)                                          \
	{                                                      \
		.request = VFIO_SET_IOMMU, .result = (outcome) \
	}
#define INFO(windows, levels)                                                                   \
	{                                                                                       \
		.request = VFIO_IOMMU_SPAPR_TCE_GET_INFO, .start = (windows), .size = (levels), \
		.flags = VFIO_IOMMU_SPAPR_INFO_DDW                                              \
	}
#define LEAVE                                         \
	{                                             \
		.request = VFIO_GROUP_UNSET_CONTAINER \
	}
#define ATTACH \
	ATTACH_BEGIN, EXTENSION(1), STATUS(VIABLE), JOIN(0), TYPE(0), INFO(2, 5), EXTENSION(1)
#define REGISTER_RESULT(outcome)                                                 \
	{                                                                        \
		.request = VFIO_IOMMU_SPAPR_REGISTER_MEMORY, .result = (outcome) \
	}
#define CREATE(at, bytes, level, outcome)                                               \
	{                                                                               \
		.request = VFIO_IOMMU_SPAPR_TCE_CREATE, .start = (at), .size = (bytes), \
		.flags = (level), .result = (outcome)                                   \
	}
#define REMOVE(at)                                                    \
	{                                                             \
		.request = VFIO_IOMMU_SPAPR_TCE_REMOVE, .start = (at) \
	}
#define MAP(at, bytes, outcome)                                                            \
	{                                                                                  \
		.request = VFIO_IOMMU_MAP_DMA, .start = (at), .size = (bytes), .flags = 3, \
		.result = (outcome)                                                        \
	}
#define UNMAP(at, bytes, outcome)                                                \
	{                                                                        \
		.request = VFIO_IOMMU_UNMAP_DMA, .start = (at), .size = (bytes), \
		.result = (outcome)                                              \
	}
#define END                  \
	{                    \
		.request = 0 \
	}

static const struct section section = {.gpa = {0, 0x10000000}};

static const struct window_limits no_limits;

static const struct container_kind *const kinds[] = {&tce_v2_kind, NULL};

static const struct container_request opening = {
	.container_fd = CONTAINER_FD,
	.group_fd = GROUP_FD,
	.group = 5,
	.id = 1,
};

static struct container *attach(struct script *script)
{
	struct container *container = NULL;
	struct error error;

	assert_int_equal(container_open(&script->kernel, kinds, &opening, &container, &error), 0);
	return container;
}

static void detach(struct script *script, struct container *container)
{
	container_free(container);
	assert_int_equal(script->next->request, 0);
	assert_int_equal(script->closed, 2);
}

static void refuse(const struct expectation *expectations, enum error_code code, const char *text)
{
	struct script script = script_make(expectations);
	struct container *container = NULL;
	struct error error = {.text = ""};

	assert_int_equal(container_open(&script.kernel, kinds, &opening, &container, &error), code);
	if (!strstr(error.text, text)) {
		print_error("%s\n", error.text);
	}
	assert_non_null(strstr(error.text, text));
	assert_null(container);
	assert_int_equal(script.next->request, 0);
	assert_int_equal(script.closed, 2);
}

static void test_attach(void **state)
{
	static const struct expectation expectations[] = {ATTACH, LEAVE, END};
	struct script script = script_make(expectations);
	struct container *container = attach(&script);

	(void)state;
	assert_string_equal(container->capabilities.iommu_type, "spapr-tce-v2");
	assert_int_equal(container->capabilities.max_windows, 2);
	assert_int_equal(container->capabilities.max_levels, 5);
	assert_true(container->capabilities.eeh);
	assert_int_equal(container_locked_bytes(container), 0);
	detach(&script, container);
}

/* Hosts that can't have more windows say so in more than one way. */
static void test_no_dynamic_windows(void **state)
{
	static const struct expectation absurd[] = {ATTACH_BEGIN, EXTENSION(1), STATUS(VIABLE),
						    JOIN(0),      TYPE(0),      INFO(UINT32_MAX, 1),
						    EXTENSION(0), LEAVE,        END};
	struct window_request request = {.size = GIB(1)};
	struct memory_outlook outlook = {.any = false};
	struct script script = script_make(absurd);
	struct container *container = attach(&script);
	struct window_plan refused;
	struct error error;

	(void)state;
	assert_int_equal(container->capabilities.max_windows, 1);
	assert_int_equal(container->capabilities.page_sizes, 0x1000);
	assert_false(container->capabilities.eeh);
	assert_int_equal(
		container_window_plan(container, &request, &outlook, &no_limits, &refused, &error),
		ERROR_UNSUPPORTED);
	detach(&script, container);
}

static void test_attach_refused(void **state)
{
	static const struct expectation no_container[] = {
		{.request = VFIO_GET_API_VERSION, .result = -ENOTTY}, END};
	static const struct expectation no_extension[] = {ATTACH_BEGIN, EXTENSION(0), END};
	static const struct expectation no_group[] = {
		ATTACH_BEGIN,
		EXTENSION(1),
		{.request = VFIO_GROUP_GET_STATUS, .result = -ENOTTY},
		END};
	static const struct expectation gone[] = {
		ATTACH_BEGIN,
		EXTENSION(1),
		{.request = VFIO_GROUP_GET_STATUS, .result = -ENODEV},
		END};
	static const struct expectation not_viable[] = {ATTACH_BEGIN, EXTENSION(1), STATUS(0), END};
	static const struct expectation attached[] = {
		ATTACH_BEGIN, EXTENSION(1), STATUS(VIABLE | VFIO_GROUP_FLAGS_CONTAINER_SET), END};
	static const struct expectation busy[] = {ATTACH_BEGIN, EXTENSION(1), STATUS(VIABLE),
						  JOIN(-EBUSY), END};
	static const struct expectation owned[] = {ATTACH_BEGIN, EXTENSION(1), STATUS(VIABLE),
						   JOIN(-EPERM), END};
	static const struct expectation windows_owned[] = {
		ATTACH_BEGIN, EXTENSION(1), STATUS(VIABLE), JOIN(0), TYPE(-EBUSY), LEAVE, END};
	static const struct expectation no_info[] = {
		ATTACH_BEGIN,   EXTENSION(1),
		STATUS(VIABLE), JOIN(0),
		TYPE(0),        {.request = VFIO_IOMMU_SPAPR_TCE_GET_INFO, .result = -EPERM},
		LEAVE,          END};

	(void)state;
	refuse(no_container, ERROR_INVALID_ARGUMENT, "ENOTTY");
	refuse(no_extension, ERROR_UNSUPPORTED, "no IOMMU of a known kind");
	refuse(no_group, ERROR_INVALID_ARGUMENT, "not that of a VFIO group");
	refuse(gone, ERROR_NOT_FOUND, "group 5");
	refuse(not_viable, ERROR_GROUP_NOT_VIABLE, "group 5");
	refuse(attached, ERROR_GROUP_BUSY, "a container already");
	refuse(busy, ERROR_GROUP_BUSY, "EBUSY");
	refuse(owned, ERROR_GROUP_BUSY, "another owner");
	refuse(windows_owned, ERROR_GROUP_BUSY, "take over group 5");
	refuse(no_info, ERROR_KERNEL, "another process");
}

static void test_register_refused(void **state)
{
	static const struct expectation expectations[] = {
		ATTACH,
		REGISTER_RESULT(-ENOMEM),
		REGISTER_RESULT(-EFAULT),
		REGISTER_RESULT(512),
		REGISTER_RESULT(-EBUSY),
		{.request = VFIO_IOMMU_SPAPR_UNREGISTER_MEMORY, .result = -ENOENT},
		LEAVE,
		END};
	struct script script = script_make(expectations);
	struct container *container = attach(&script);
	struct error error;

	(void)state;
	assert_int_equal(container_memory_add(container, &section, &error), ERROR_QUOTA_EXCEEDED);
	assert_int_equal(error.errnum, ENOMEM);
	assert_int_equal(container_memory_add(container, &section, &error), ERROR_KERNEL);
	/* H1: pinned in part only. */
	assert_int_equal(container_memory_add(container, &section, &error), ERROR_KERNEL);
	assert_non_null(strstr(error.text, "positive result 512"));
	assert_int_equal(container_memory_add(container, &section, &error), ERROR_MEMORY_IN_USE);
	assert_int_equal(container_memory_remove(container, &section, &error), ERROR_KERNEL);
	assert_non_null(strstr(error.text, "[0x0, 0x10000000)"));
	detach(&script, container);
}

static int map(struct container *container, uint64_t size, struct error *error)
{
	const struct window *window = &container->capabilities.default_windows[0];

	return container_map(container, window, (struct range){0, size},
			     (void *)(uintptr_t)0x100000000, 3, error);
}

/* The default window's table comes with the first MAP; a MAP takes 65536 TCEs at a time. */
static void test_map_in_chunks(void **state)
{
	static const struct expectation expectations[] = {ATTACH,
							  REGISTER_RESULT(0),
							  UNMAP(0, 0x1000, 0),
							  MAP(0, 0x10000000, 0),
							  MAP(0x10000000, 0x10000000, 0),
							  MAP(0x20000000, 0x5000, 0),
							  UNMAP(0, 0x20005000, 0),
							  MAP(0, 0x1000, 1),
							  MAP(0, 0x1000, -EINVAL),
							  STATUS(VIABLE),
							  MAP(0, 0x1000, -EINVAL),
							  GONE,
							  MAP(0, 0x1000, -ENOMEM),
							  UNMAP(0, 0x1000, 1),
							  LEAVE,
							  END};
	struct script script = script_make(expectations);
	struct container *container = attach(&script);
	struct error error;

	(void)state;
	assert_int_equal(container_memory_add(container, &section, &error), 0);
	assert_int_equal(container_locked_bytes(container), 0);
	assert_int_equal(map(container, 0x20005000, &error), 0);
	assert_int_equal(container_locked_bytes(container), 0x800000);
	assert_int_equal(container_unmap(container, (struct range){0, 0x20005000}, &error), 0);
	/* H1: a positive result is a failure. */
	assert_int_equal(map(container, 0x1000, &error), ERROR_KERNEL);
	assert_int_equal(error.errnum, 0);
	assert_int_equal(map(container, 0x1000, &error), ERROR_PAGE_SIZE);
	/* The same errno, when the container has lost its IOMMU with its last group. */
	assert_int_equal(map(container, 0x1000, &error), ERROR_NOT_FOUND);
	assert_int_equal(error.errnum, ENODEV);
	assert_int_equal(map(container, 0x1000, &error), ERROR_TABLE_MEMORY);
	assert_int_equal(container_unmap(container, (struct range){0, 0x1000}, &error),
			 ERROR_KERNEL);
	detach(&script, container);
}

/* Nothing is known to be there, so nothing is asked. */
static void test_unmap_while_pending(void **state)
{
	static const struct expectation expectations[] = {ATTACH, REGISTER_RESULT(0),
							  UNMAP(0, 0x1000, -ENOMEM), LEAVE, END};
	struct script script = script_make(expectations);
	struct container *container = attach(&script);
	struct error error;

	(void)state;
	assert_int_equal(container_memory_add(container, &section, &error), 0);
	assert_int_equal(map(container, 0x1000, &error), ERROR_TABLE_MEMORY);
	assert_int_equal(container_unmap(container, (struct range){0, 0x1000}, &error), 0);
	/* H29 holds for this window, too. */
	assert_int_equal(container_locked_bytes(container), 0x800000);
	assert_int_equal(container_pending_bytes(container), 0x800000);
	detach(&script, container);
}

/* H5: whatever the caller believes, nothing reaches past a window that the container has. */
static void test_outside_windows(void **state)
{
	static const struct expectation expectations[] = {ATTACH, REGISTER_RESULT(0),
							  UNMAP(0, 0x1000, 0), LEAVE, END};
	static const struct range past = {0x80000000 - 0x1000, 0x2000};
	struct script script = script_make(expectations);
	struct container *container = attach(&script);
	struct window wider = {.range = {0, GIB(4)}, .page_shift = 12, .levels = 1};
	struct error error;

	(void)state;
	assert_int_equal(container_memory_add(container, &section, &error), 0);
	assert_int_equal(container_map(container, &wider, past, NULL, WORKER_PROT_READ, &error),
			 ERROR_OUTSIDE_WINDOW);
	assert_int_equal(container_unmap(container, past, &error), ERROR_OUTSIDE_WINDOW);
	detach(&script, container);
}

static void plan(struct container *container, uint64_t size, uint32_t levels,
		 struct window_plan *ret_plan)
{
	struct memory_outlook outlook = {.any = false};
	struct window_request request = {.size = size, .page_shift = 16, .levels = levels};
	struct error error;

	assert_int_equal(
		container_window_plan(container, &request, &outlook, &no_limits, ret_plan, &error),
		0);
}

static void test_windows(void **state)
{
	static const struct expectation expectations[] = {ATTACH,
							  CREATE(1ULL << 59, GIB(4), 1, 0),
							  REMOVE(0),
							  CREATE(0, GIB(4), 1, 0),
							  REMOVE(1ULL << 59),
							  LEAVE,
							  END};
	struct script script = script_make(expectations);
	struct container *container = attach(&script);
	struct window_plan four_gib;
	struct window window;
	struct error error;

	(void)state;
	plan(container, GIB(4), 0, &four_gib);
	/* It makes the default window, too. */
	assert_int_equal(four_gib.locked_bytes, 0x800000 + 0x100000);
	assert_int_equal(container_window_create(container, &four_gib, &window, &error), 0);
	assert_int_equal(container_locked_bytes(container), 0x800000 + 0x100000);
	assert_int_equal(window.range.start, 1ULL << 59);
	assert_int_equal(container_window_create(container, &four_gib, &window, &error),
			 ERROR_NO_WINDOW_LEFT);
	/* H28: never an address inside. */
	assert_int_equal(container_window_remove(container, 0x1000, &error), ERROR_NOT_FOUND);
	assert_int_equal(container_window_remove(container, 0, &error), 0);
	plan(container, GIB(4), 0, &four_gib);
	assert_int_equal(four_gib.locked_bytes, 0x100000);
	assert_int_equal(container_window_create(container, &four_gib, &window, &error), 0);
	assert_int_equal(container_window_remove(container, 1ULL << 59, &error), 0);
	assert_int_equal(container_locked_bytes(container), 0x100000);
	detach(&script, container);
}

/* H29: what a failed CREATE was charged stays. */
static void test_leaks(void **state)
{
	static const struct expectation expectations[] = {ATTACH,
							  REMOVE(0),
							  CREATE(0, GIB(64), 2, -ENOMEM),
							  CREATE(0, GIB(64), 3, -ENOMEM),
							  CREATE(0, GIB(64), 4, 0),
							  REMOVE(0),
							  CREATE(0, GIB(64), 2, -ENOMEM),
							  CREATE(0, GIB(64), 2, -ENOSPC),
							  LEAVE,
							  END};
	struct script script = script_make(expectations);
	struct container *container = attach(&script);
	struct window_plan open;
	struct window window;
	struct error error;
	uint64_t leaked = (uint64_t)(16400 + 16424) << 10;

	(void)state;
	/* Cancels the pending window: no charge. */
	assert_int_equal(container_window_remove(container, 0, &error), 0);
	assert_int_equal(container_locked_bytes(container), 0);
	plan(container, GIB(64), 0, &open);
	open.levels = 2;
	assert_int_equal(container_window_create(container, &open, &window, &error), 0);
	assert_int_equal(window.levels, 4);
	assert_int_equal(container_locked_bytes(container), leaked + ((uint64_t)16432 << 10));
	assert_int_equal(container_window_remove(container, 0, &error), 0);
	assert_int_equal(container_locked_bytes(container), leaked);
	plan(container, GIB(64), 2, &open);
	assert_int_equal(container_window_create(container, &open, &window, &error),
			 ERROR_TABLE_MEMORY);
	assert_int_equal(container_locked_bytes(container), leaked + ((uint64_t)16400 << 10));
	assert_int_equal(container_window_create(container, &open, &window, &error),
			 ERROR_NO_WINDOW_LEFT);
	assert_int_equal(container_locked_bytes(container), leaked + ((uint64_t)16400 << 10));
	assert_int_equal(container_leaked_bytes(container), container_locked_bytes(container));
	detach(&script, container);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_attach),          cmocka_unit_test(test_no_dynamic_windows),
		cmocka_unit_test(test_attach_refused),  cmocka_unit_test(test_register_refused),
		cmocka_unit_test(test_map_in_chunks),   cmocka_unit_test(test_unmap_while_pending),
		cmocka_unit_test(test_outside_windows), cmocka_unit_test(test_windows),
		cmocka_unit_test(test_leaks),
	};

	return cmocka_run_group_tests_name("tce-v2", tests, NULL, NULL);
}
