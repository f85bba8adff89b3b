/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which window an address space can have, and why. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "common/size.h"
#include "vfio/space_private.h"

/* The smallest page that any host has. */
#define SMALLEST_PAGE UINT64_C(0x1000)

struct memory_outlook space_memory_outlook(const struct space *space)
{
	struct memory_outlook outlook = {.largest_page = UINT64_MAX};

	for (unsigned int i = 0; i < space->section_count; i++) {
		const struct section *section = space->sections[i];

		if (section_is_skipped(section)) {
			continue;
		}
		outlook.any = true;
		outlook.last = range_last(section->gpa);
		if (section->largest_page < outlook.largest_page) {
			outlook.largest_page = section->largest_page;
		}
	}
	return outlook;
}

/* Policy; and where the page size is open, only those that all containers have. */
static int find_limits(const struct space *space, const struct window_request *request,
		       struct window_limits *ret_limits, struct error *error)
{
	struct window_limits limits = space->policy.window;
	uint64_t common = limits.page_sizes ? limits.page_sizes : UINT64_MAX;

	for (unsigned int i = 0; i < space->container_count; i++) {
		common &= space->containers[i]->capabilities.page_sizes;
	}
	if (space->container_count > 1 && request->page_shift == 0) {
		if (common == 0) {
			return error_set(error, ERROR_PAGE_SIZE, 0,
					 "there is no IOMMU page size that all containers of the "
					 "address space have and policy allows; put their groups "
					 "into address spaces of their own");
		}
		limits.page_sizes = common;
	}
	*ret_limits = limits;
	return 0;
}

int space_plan_window(const struct space *space, const struct window_request *request,
		      const struct memory_outlook *outlook, struct window_plan *ret_plan,
		      struct error *error)
{
	struct window_request fixed = *request;
	struct window_plan plan = {.size = 0};
	struct window_limits limits;
	uint64_t locked = 0;
	int r;

	r = find_limits(space, request, &limits, error);
	if (r) {
		return r;
	}
	/* The plan of the first container, which every other must accept as it is. */
	for (unsigned int i = 0; i < space->container_count; i++) {
		struct window_plan own;

		r = container_window_plan(space->containers[i], &fixed, outlook, &limits, &own,
					  error);
		if (r) {
			return r;
		}
		if (i == 0) {
			plan = own;
			fixed.size = plan.size;
			fixed.page_shift = plan.page_shift;
			fixed.levels = plan.levels;
		}
		locked += own.locked_bytes;
	}
	plan.locked_bytes = locked;
	*ret_plan = plan;
	return 0;
}

uint64_t space_pending_bytes(const struct space *space)
{
	uint64_t bytes = 0;

	for (unsigned int i = 0; i < space->container_count; i++) {
		bytes += container_pending_bytes(space->containers[i]);
	}
	return bytes;
}

/* -- the choices -- */

/* What is planned: a request, and by which memory. */
struct planning {
	const struct space *space;
	struct window_request request;
	struct memory_outlook outlook;
	uint64_t pending_bytes; /* of locked memory that isn't for the window chosen itself */
	bool memory_assumed;    /* some of the outlook is the request's, not that of the memory */
};

static uint64_t host_page(const struct space *space)
{
	unsigned int shift = space->settings.kernel ? space->settings.kernel->page_shift : 0;

	return shift ? UINT64_C(1) << shift : (uint64_t)sysconf(_SC_PAGESIZE);
}

static int check_assumptions(const struct worker_plan *request, struct error *error)
{
	if (!is_aligned(request->memory, SMALLEST_PAGE)) {
		return error_set(error, ERROR_INVALID_ARGUMENT, 0,
				 "memory up to 0x%" PRIx64 " is not a multiple of a page",
				 request->memory);
	}
	if (request->backing_page != 0 &&
	    (!is_power_of_two(request->backing_page) || request->backing_page < SMALLEST_PAGE)) {
		return error_set(error, ERROR_INVALID_ARGUMENT, 0,
				 "a backing page of 0x%" PRIx64
				 " bytes: it is a power of two, 0x%" PRIx64 " at least",
				 request->backing_page, SMALLEST_PAGE);
	}
	return 0;
}

static struct planning planning_make(const struct space *space, const struct worker_plan *request)
{
	struct planning planning = {
		.space = space,
		.request = {.start = WORKER_WINDOW_ANYWHERE,
			    .size = request->size,
			    .page_shift = request->page_shift,
			    .levels = request->levels},
		.outlook = space_memory_outlook(space),
		.memory_assumed = request->memory != 0 || request->backing_page != 0,
	};

	if (!planning.outlook.any) {
		planning.outlook.largest_page = host_page(space);
	}
	if (request->memory != 0) {
		planning.outlook.any = true;
		planning.outlook.last = request->memory - 1;
	}
	if (request->backing_page != 0) {
		planning.outlook.largest_page = request->backing_page;
	}
	return planning;
}

static bool same_shape(const struct window_choice *a, const struct window_choice *b)
{
	return a->size == b->size && a->page_shift == b->page_shift && a->levels == b->levels;
}

/* What the choices cost in one more container; those that it doesn't know can't be had in it. */
static void merge_choices(struct space_plan *plan, const struct window_choice *choices,
			  unsigned int count)
{
	for (unsigned int i = 0; i < plan->choice_count; i++) {
		struct window_choice *choice = &plan->choices[i];
		unsigned int other = 0;

		while (other < count && !same_shape(choice, &choices[other])) {
			other++;
		}
		if (other < count) {
			choice->locked_bytes += choices[other].locked_bytes;
		}
		if (choice->code == ERROR_NONE) {
			choice->code = other < count ? choices[other].code : ERROR_PAGE_SIZE;
		}
	}
}

static void list_choices(const struct planning *planning, struct space_plan *plan)
{
	const struct space *space = planning->space;
	struct window_choice choices[WORKER_CHOICES_MAX];
	struct window_limits limits;

	plan->choice_count = 0;
	if (find_limits(space, &planning->request, &limits, NULL)) {
		return;
	}
	plan->choice_count = container_window_choices(space->containers[0], &planning->request,
						      &planning->outlook, &limits, plan->choices);
	for (unsigned int i = 1; i < space->container_count; i++) {
		merge_choices(plan, choices,
			      container_window_choices(space->containers[i], &planning->request,
						       &planning->outlook, &limits, choices));
	}
}

/* Whether the whole address space could have it, if it were asked for just that. */
static void judge_choices(const struct planning *planning, struct space_plan *plan)
{
	for (unsigned int i = 0; i < plan->choice_count; i++) {
		struct window_choice *choice = &plan->choices[i];
		struct window_request request = planning->request;
		struct window_plan own;

		/* Pages larger than the memory's could be had, but not used. */
		if (choice->code == ERROR_PAGE_SIZE) {
			continue;
		}
		request.size = choice->size;
		request.page_shift = choice->page_shift;
		request.levels = choice->levels;
		choice->code = (enum error_code)space_window_prepare(
			planning->space, &request, &planning->outlook, &own, NULL);
		if (choice->code == ERROR_NONE) {
			choice->locked_bytes = own.locked_bytes;
		}
	}
}

static unsigned int find_choice(const struct space_plan *plan, const struct window_plan *chosen)
{
	for (unsigned int i = 0; i < plan->choice_count; i++) {
		const struct window_choice *choice = &plan->choices[i];

		if (choice->size == chosen->size && choice->page_shift == chosen->page_shift &&
		    choice->levels == chosen->levels) {
			return i;
		}
	}
	return WORKER_CHOICE_NONE;
}

/* -- the explanation -- */

struct explanation {
	char *text;
	size_t used;
};

__attribute__((format(printf, 2, 3))) static void say(struct explanation *explanation,
						      const char *format, ...)
{
	size_t room = WORKER_EXPLANATION_MAX - explanation->used;
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(explanation->text + explanation->used, room, format, arguments);
	va_end(arguments);
	if (length > 0) {
		explanation->used += (size_t)length < room ? (size_t)length : room - 1;
	}
}

static const char *size_text(uint64_t bytes, struct size_text *text)
{
	*text = size_format(bytes);
	return text->text;
}

static void say_memory(struct explanation *explanation, const struct planning *planning)
{
	const struct memory_outlook *outlook = &planning->outlook;
	struct size_text size;
	struct size_text page;

	if (!outlook->any) {
		say(explanation, "There is no memory yet; pages of %s behind it are assumed.",
		    size_text(outlook->largest_page, &page));
		return;
	}
	say(explanation, "%s reaches up to 0x%" PRIx64 " (%s), and allows IOMMU pages of %s.",
	    planning->memory_assumed ? "The memory, as assumed," : "The memory", outlook->last,
	    size_text(outlook->last == UINT64_MAX ? UINT64_MAX : outlook->last + 1, &size),
	    size_text(outlook->largest_page, &page));
}

static void say_cost(struct explanation *explanation, const struct planning *planning,
		     const struct window_choice *choice)
{
	const struct space *space = planning->space;
	uint64_t pending = planning->pending_bytes;
	struct size_text locked;
	struct size_text part;

	if (space->containers[0]->capabilities.windows_are_books) {
		say(explanation, " It is an entry in the books only, and locks nothing.");
		return;
	}
	say(explanation, " It locks %s", size_text(choice->locked_bytes, &locked));
	if (space->container_count > 1) {
		say(explanation, " in %u containers", space->container_count);
	}
	if (pending > 0) {
		say(explanation,
		    ", %s of which are for tables of default windows that the kernel makes along "
		    "with it unless they are removed first",
		    size_text(pending, &part));
	}
	say(explanation, ".");
}

static void say_chosen(struct explanation *explanation, const struct planning *planning,
		       const struct window_choice *choice)
{
	struct size_text size;
	struct size_text page;

	say(explanation,
	    " Chosen: a window of %s with IOMMU pages of %s, 0x%" PRIx64 " of them, and %" PRIu32
	    " level%s.",
	    size_text(choice->size, &size), size_text(UINT64_C(1) << choice->page_shift, &page),
	    choice->tces, choice->levels, choice->levels == 1 ? "" : "s");
	say_cost(explanation, planning, choice);
}

/* Whether a row of the table is the first of its page size. */
static bool begins_page_size(const struct space_plan *plan, unsigned int index)
{
	return index == 0 || plan->choices[index].page_shift != plan->choices[index - 1].page_shift;
}

/* The larger pages that the memory doesn't hold; or, those that can't be had for another reason. */
static unsigned int say_larger(struct explanation *explanation, const struct planning *planning,
			       const struct space_plan *plan, bool too_large)
{
	uint32_t shift = plan->choices[plan->chosen].page_shift;
	unsigned int count = 0;

	for (unsigned int i = 0; i < plan->choice_count; i++) {
		const struct window_choice *choice = &plan->choices[i];
		uint64_t page = UINT64_C(1) << choice->page_shift;
		struct size_text text;

		if (choice->page_shift > shift && begins_page_size(plan, i) &&
		    (page > planning->outlook.largest_page) == too_large) {
			say(explanation, "%s%s", count == 0 ? " Pages of " : ", ",
			    size_text(page, &text));
			count++;
		}
	}
	return count;
}

static void say_pages(struct explanation *explanation, const struct planning *planning,
		      const struct space_plan *plan)
{
	const struct window_choice *chosen = &plan->choices[plan->chosen];
	struct size_text page;

	if (UINT64_C(1) << chosen->page_shift > planning->outlook.largest_page) {
		say(explanation,
		    " Nothing can be mapped in it before there is memory in pages of %s: "
		    "hugetlbfs counts, transparent huge pages don't.",
		    size_text(UINT64_C(1) << chosen->page_shift, &page));
	}
	if (planning->request.page_shift != 0 ||
	    planning->space->containers[0]->capabilities.windows_are_books) {
		return;
	}
	if (say_larger(explanation, planning, plan, true) > 0) {
		say(explanation,
		    " need memory in pages as large: hugetlbfs counts, transparent huge pages "
		    "don't.");
	}
	if (say_larger(explanation, planning, plan, false) > 0) {
		say(explanation,
		    " are not for this window: policy, a container, its size or its table "
		    "excludes them.");
	}
}

static void say_levels(struct explanation *explanation, const struct planning *planning,
		       const struct space_plan *plan)
{
	const struct window_choice *chosen = &plan->choices[plan->chosen];

	for (unsigned int i = 0; i < plan->choice_count; i++) {
		const struct window_choice *choice = &plan->choices[i];
		struct size_text piece;

		if (planning->request.levels != 0 || choice->page_shift != chosen->page_shift ||
		    choice->levels + 1 != chosen->levels) {
			continue;
		}
		say(explanation,
		    " With %" PRIu32
		    " level%s the kernel would need %s of memory in one piece, %s.",
		    choice->levels, choice->levels == 1 ? "" : "s",
		    size_text(choice->piece_bytes, &piece),
		    choice->code == ERROR_TABLE_MEMORY ? "more than it can allocate"
						       : "which it may not find");
	}
}

/* What the limit of locked memory would have to be, if it is that. */
static void say_limit(struct explanation *explanation, const struct planning *planning)
{
	const struct space *space = planning->space;
	uint64_t locked = space_locked_bytes(space);
	struct size_text need;
	struct size_text used;
	struct size_text limit;
	struct window_plan plan;

	if (space_plan_window(space, &planning->request, &planning->outlook, &plan, NULL) ||
	    space_check_locked(space, plan.locked_bytes, NULL) == 0) {
		return;
	}
	say(explanation,
	    " The window needs %s of locked memory, %s are locked, and the limit is %s: raise "
	    "RLIMIT_MEMLOCK of spaprd, or have larger pages behind the memory (hugetlbfs), for "
	    "tables shrink as pages grow.",
	    size_text(plan.locked_bytes, &need), size_text(locked, &used),
	    size_text(space->settings.locked_limit, &limit));
}

static void explain(const struct planning *planning, struct space_plan *plan,
		    const struct error *refusal)
{
	struct explanation explanation = {.text = plan->explanation};

	plan->explanation[0] = '\0';
	say_memory(&explanation, planning);
	if (plan->chosen == WORKER_CHOICE_NONE) {
		say(&explanation, " There is no such window. %s.", refusal->text);
		say_limit(&explanation, planning);
		return;
	}
	say_chosen(&explanation, planning, &plan->choices[plan->chosen]);
	say_pages(&explanation, planning, plan);
	say_levels(&explanation, planning, plan);
}

/* What default windows add to the cost, unless the new one takes their place. */
static uint64_t find_pending(const struct planning *planning, const struct window_plan *chosen)
{
	struct window_plan plan;

	if (space_plan_window(planning->space, &planning->request, &planning->outlook, &plan,
			      NULL) ||
	    plan.locked_bytes != chosen->locked_bytes) {
		return 0;
	}
	return space_pending_bytes(planning->space);
}

int space_window_plan(const struct space *space, const struct worker_plan *request,
		      struct space_plan *ret_plan, struct error *error)
{
	struct planning planning = planning_make(space, request);
	struct error refusal = {.code = ERROR_NONE};
	struct window_plan chosen;
	int r;

	r = check_assumptions(request, error);
	if (r) {
		return r;
	}
	if (space->container_count == 0) {
		return space_window_prepare(space, &planning.request, &planning.outlook, &chosen,
					    error);
	}
	r = space_window_prepare(space, &planning.request, &planning.outlook, &chosen, &refusal);
	planning.pending_bytes = r ? 0 : find_pending(&planning, &chosen);
	list_choices(&planning, ret_plan);
	judge_choices(&planning, ret_plan);
	ret_plan->chosen = r ? WORKER_CHOICE_NONE : find_choice(ret_plan, &chosen);
	explain(&planning, ret_plan, &refusal);
	return 0;
}
