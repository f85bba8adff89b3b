/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "window_stage.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct window_host host;

static struct books *books_of(const struct container *container)
{
	for (unsigned int i = 0; i < WINDOW_CONTAINERS_MAX; i++) {
		if (host.books[i].container == container) {
			return &host.books[i];
		}
	}
	abort();
}

static void note(const struct container *container, const char *what, uint64_t start)
{
	size_t used = strlen(host.log);

	(void)snprintf(host.log + used, sizeof(host.log) - used, "%" PRIu32 " %s 0x%" PRIx64 "\n",
		       container->id, what, start);
}

static bool fails(struct error *error, const char *what)
{
	host.calls++;
	if (host.fail == 0 || host.calls < host.fail ||
	    (host.calls > host.fail + host.fail_more && !host.fail_on)) {
		return false;
	}
	host.failed++;
	(void)error_set(error, ERROR_KERNEL, EIO, "%s", what);
	return true;
}

static bool is_default(const struct window *window)
{
	return window->range.start == host.defaults[0].range.start &&
	       window->range.size <= host.defaults[0].range.size && window->page_shift == 12;
}

static bool has_dynamic(const struct books *books)
{
	return books->windows[0].range.start == SECOND || books->windows[1].range.start == SECOND;
}

/* Where a platform puts a window. An LPAR that is asked for what it can't give is never asked
 * again, so that must not happen. */
static int choose_start(const struct books *books, unsigned int slot, struct window *window,
			struct error *error)
{
	struct window as_default = *window;

	switch (host.kind) {
	case POWERNV:
		window->range.start = slot == 0 ? 0 : SECOND;
		return 0;
	case LPAR:
		as_default.range.start = 0;
		if (has_dynamic(books)) {
			fail_msg("an LPAR is asked for more than it has");
		}
		window->range.start = slot == 0 && is_default(&as_default) ? 0 : SECOND;
		return 0;
	case FIXED:
		return error_set(error, ERROR_UNSUPPORTED, 0, "one window");
	case RANGES:
		return 0;
	}
	return 0;
}

static int create_book(struct books *books, const struct window *window, struct error *error)
{
	for (unsigned int i = 0; i < WORKER_WINDOWS_MAX; i++) {
		if (books->windows[i].range.size &&
		    range_overlaps(books->windows[i].range, window->range)) {
			return error_set(error, ERROR_WINDOW_OVERLAP, 0, "in the books");
		}
	}
	for (unsigned int i = 0; i < WORKER_WINDOWS_MAX; i++) {
		if (books->windows[i].range.size == 0) {
			books->windows[i] = *window;
			return 0;
		}
	}
	return error_set(error, ERROR_NO_WINDOW_LEFT, 0, "full books");
}

static int window_create(struct container *container, const struct window_plan *plan,
			 struct window *ret_window, struct error *error)
{
	struct books *books = books_of(container);
	unsigned int slot = books->windows[0].range.size ? 1 : 0;
	struct window window = {
		.range = {plan->start, plan->size},
		.page_shift = plan->page_shift,
		.levels = plan->levels,
	};
	int r;

	books->pending = false;
	if (fails(error, "create")) {
		return ERROR_KERNEL;
	}
	if (host.kind == RANGES) {
		r = create_book(books, &window, error);
	} else {
		assert_int_equal(plan->start, ANYWHERE);
		if (books->windows[slot].range.size) {
			return error_set(error, ERROR_NO_WINDOW_LEFT, ENOSPC, "two windows");
		}
		r = choose_start(books, slot, &window, error);
		if (r == 0) {
			books->windows[slot] = window;
		}
	}
	if (r) {
		return r;
	}
	note(container, "create", window.range.start);
	*ret_window = window;
	return 0;
}

static int window_remove(struct container *container, uint64_t start, struct error *error)
{
	struct books *books = books_of(container);

	if (host.kind == FIXED) {
		return error_set(error, ERROR_UNSUPPORTED, 0, "one window");
	}
	if (fails(error, "remove")) {
		return ERROR_KERNEL;
	}
	for (unsigned int i = 0; i < WORKER_WINDOWS_MAX; i++) {
		/* As the kernel does (H28). */
		if (books->windows[i].range.size &&
		    range_contains_address(books->windows[i].range, start)) {
			note(container, books->pending ? "cancel" : "remove", start);
			books->windows[i] = (struct window){.range = {0, 0}};
			books->pending = false;
			return 0;
		}
	}
	return error_set(error, ERROR_NOT_FOUND, EINVAL, "no window");
}

static uint64_t pending_bytes(const struct container *container)
{
	return books_of(container)->pending ? TABLE_BYTES : 0;
}

static uint64_t locked(const struct container *container)
{
	const struct books *books = books_of(container);
	uint64_t bytes = 0;

	for (unsigned int i = 0; i < WORKER_WINDOWS_MAX && host.kind != RANGES; i++) {
		bytes += books->windows[i].range.size ? TABLE_BYTES : 0;
	}
	return bytes - pending_bytes(container);
}

static bool has_place(const struct container *container, struct range range)
{
	for (unsigned int i = 0; i < container->capabilities.default_window_count; i++) {
		if (range_contains(container->capabilities.default_windows[i].range, range)) {
			return true;
		}
	}
	return false;
}

static int window_plan(const struct container *container, const struct window_request *request,
		       const struct memory_outlook *outlook, const struct window_limits *limits,
		       struct window_plan *ret_plan, struct error *error)
{
	struct window_plan plan = {
		.start = ANYWHERE,
		.size = request->size ? request->size : 0x10000000,
		.page_shift = request->page_shift ? request->page_shift : 12,
		.levels = 1,
	};

	(void)outlook;
	(void)limits;
	if (host.kind == RANGES) {
		plan.start =
			request->start == ANYWHERE ? host.defaults[0].range.start : request->start;
		if (!has_place(container, (struct range){plan.start, plan.size})) {
			return error_set(error, ERROR_WINDOW_START, 0, "outside");
		}
	} else {
		plan.locked_bytes = TABLE_BYTES + pending_bytes(container);
	}
	*ret_plan = plan;
	return 0;
}

static void (*free_fake)(struct container *container);

static void free_container(struct container *container)
{
	books_of(container)->container = NULL;
	free_fake(container);
}

static int open_container(struct kernel *kernel, const struct container_request *request,
			  struct container **ret_container, struct error *error)
{
	static struct container_operations operations;
	struct container_capabilities *capabilities;
	struct books *books = books_of(NULL); /* free ones */
	int r;

	r = fake_container_open(kernel, request, ret_container, error);
	if (r) {
		return r;
	}
	operations = *(*ret_container)->operations;
	free_fake = operations.free;
	operations.free = free_container;
	operations.window_create = window_create;
	operations.window_remove = window_remove;
	operations.window_plan = window_plan;
	operations.locked_bytes = locked;
	operations.pending_bytes = pending_bytes;
	(*ret_container)->operations = &operations;
	*books = (struct books){.container = *ret_container, .pending = host.kind != RANGES};
	capabilities = &(*ret_container)->capabilities;
	capabilities->max_windows = host.max_windows;
	capabilities->page_sizes = host.page_sizes;
	capabilities->windows_are_books = host.kind == RANGES;
	capabilities->default_window_is_precious = host.kind == LPAR;
	capabilities->default_window_count = host.default_count;
	for (unsigned int i = 0; i < host.default_count; i++) {
		capabilities->default_windows[i] = host.defaults[i];
		books->windows[i] = host.defaults[i];
	}
	return 0;
}

/* Two ranges around the interrupts, up to an end. */
void set_ranges(uint64_t end)
{
	host.defaults[0] = (struct window){{0, INTERRUPTS}, 12, 1, false};
	host.defaults[1] = (struct window){{HIGH_RANGE, end - HIGH_RANGE}, 12, 1, false};
	host.default_count = 2;
}

void stage_open_limited(struct fixture *fixture, enum window_kind kind,
			enum worker_default_window policy, uint64_t locked_limit)
{
	struct space_settings settings = {.open_container = open_container,
					  .locked_limit = locked_limit};
	struct space_policy space_policy = {.default_window = policy};

	memset(&host, 0, sizeof(host));
	host.kind = kind;
	host.max_windows = kind == RANGES ? WORKER_WINDOWS_MAX : kind == FIXED ? 1 : 2;
	host.page_sizes = 0x11000;
	host.defaults[0] = (struct window){{0, DEFAULT_SIZE}, 12, 1, false};
	host.default_count = 1;
	if (kind == RANGES) {
		set_ranges(END_OF_RANGES);
	}
	fixture_open(fixture);
	fixture->space = space_free(fixture->space);
	settings.kernel = fixture->kernel;
	assert_int_equal(space_new(&settings, &fixture->space), 0);
	space_set_policy(fixture->space, &space_policy);
}

void stage_open(struct fixture *fixture, enum window_kind kind, enum worker_default_window policy)
{
	stage_open_limited(fixture, kind, policy, UINT64_MAX);
}

void stage_close(struct fixture *fixture)
{
	host.fail = 0;
	fixture_close(fixture);
}

int create(struct fixture *fixture, uint64_t start, uint32_t flags)
{
	struct window_request request = {.start = start, .size = 0x10000000, .flags = flags};
	struct window window;

	/* One with pages of 4 KiB it takes for its default one. */
	request.page_shift = host.kind == LPAR ? 16 : 12;
	return space_window_create(fixture->space, &request, &window, &fixture->error);
}

static void print_windows(const struct books *books, char *text, size_t size)
{
	size_t used = strlen(text);

	used += (size_t)snprintf(text + used, size - used, "%" PRIu32 ":", books->container->id);
	for (unsigned int i = 0; i < WORKER_WINDOWS_MAX; i++) {
		if (books->windows[i].range.size) {
			used += (size_t)snprintf(text + used, size - used, " %s/%" PRIu32,
						 range_format(books->windows[i].range).text,
						 books->windows[i].page_shift);
		}
	}
	(void)snprintf(text + used, size - used, "\n");
}

/* The windows of the space and of each container. */
void list_all(const struct fixture *fixture, char text[WINDOW_TEXT_SIZE])
{
	const struct window *window;
	size_t used = (size_t)snprintf(text, WINDOW_TEXT_SIZE, "space:");

	for (unsigned int i = 0; (window = space_window(fixture->space, i)); i++) {
		used += (size_t)snprintf(text + used, WINDOW_TEXT_SIZE - used, " %s/%" PRIu32 "%s",
					 range_format(window->range).text, window->page_shift,
					 window->by_default ? "d" : "");
	}
	(void)snprintf(text + used, WINDOW_TEXT_SIZE - used, "\n");
	for (unsigned int i = 0; space_container(fixture->space, i); i++) {
		print_windows(books_of(space_container(fixture->space, i)), text, WINDOW_TEXT_SIZE);
	}
}

/* "[0x0, 0x80000000)/12d", one after the other. */
void check_windows(const struct fixture *fixture, const char *expected)
{
	char text[WINDOW_TEXT_SIZE];

	list_all(fixture, text);
	*strchr(text, '\n') = '\0';
	assert_string_equal(text + strlen("space:"), expected);
}

void check_text(const struct fixture *fixture, const char *part)
{
	if (!strstr(fixture->error.text, part)) {
		fail_msg("\"%s\" doesn't say \"%s\"", fixture->error.text, part);
	}
}
