/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "policies/values.h"

#include <stdio.h>
#include <string.h>

#include "common/range.h"
#include "policies/words.h"

#define WORD_SIZE 32U

/*
 * The pages that IOMMUs have. Of larger ones the kernel's own arithmetic is wrong: IOMMU_PAGE_MASK
 * shifts an int (arch/powerpc/include/asm/iommu.h).
 */
#define PAGE_SIZE_LEAST UINT64_C(0x1000)
#define PAGE_SIZE_MOST  UINT64_C(0x40000000)

/* A table is made of whole pages. */
#define TABLE_PIECE_LEAST UINT64_C(0x1000)

static const struct word sharing_words[] = {
	{"auto", POLICY_SHARING_AUTO},
	{"yes", POLICY_SHARING_YES},
	{"no", POLICY_SHARING_NO},
	{NULL, 0},
};

static const struct word default_window_words[] = {
	{"auto", WORKER_DEFAULT_WINDOW_AUTO},
	{"keep", WORKER_DEFAULT_WINDOW_KEEP},
	{"remove", WORKER_DEFAULT_WINDOW_REMOVE},
	{"swap", WORKER_DEFAULT_WINDOW_SWAP},
	{NULL, 0},
};

static const struct word detach_words[] = {
	{"refuse", 0},
	{"replay", 1},
	{NULL, 0},
};

/* Sealed memfds are always taken, so they have no flag. */
static const struct word memory_words[] = {
	{"sealed", 0},
	{"unsealed", WORKER_TAKES_UNSEALED},
	{"hugetlbfs", WORKER_TAKES_HUGETLBFS},
	{"tmpfs", WORKER_TAKES_TMPFS},
	{NULL, 0},
};

static const char *const iommu_types[] = {"spapr-tce-v2", "spapr-tce", "type1v2", "type1", NULL};

/* -- words -- */

/* The next word of a list; false at its end. A word that is too long for any value is cut, which
 * leaves it one that no list has. */
static bool next_word(const char **text, char ret_word[static WORD_SIZE])
{
	const char *start = *text + strspn(*text, " \t");
	size_t length = strcspn(start, " \t");

	(void)snprintf(ret_word, WORD_SIZE, "%.*s", (int)(length < WORD_SIZE ? length : WORD_SIZE),
		       start);
	*text = start + length;
	return length > 0;
}

/* -- values -- */

static bool set_iommu_type(struct window_policy *window, const char *text)
{
	char type[WORKER_IOMMU_TYPE_SIZE] = "";

	for (size_t i = 0; iommu_types[i]; i++) {
		if (strcmp(iommu_types[i], text) == 0) {
			(void)snprintf(type, sizeof(type), "%s", text);
		}
	}
	if (type[0] == '\0' && strcmp(text, "auto") != 0) {
		return false;
	}
	memcpy(window->iommu_type, type, sizeof(type));
	return true;
}

static void print_iommu_type(const struct window_policy *window, char *ret_text, size_t size)
{
	(void)snprintf(ret_text, size, "%s", window->iommu_type[0] ? window->iommu_type : "auto");
}

static bool set_sharing(struct window_policy *window, const char *text)
{
	uint32_t value = 0;

	if (!word_parse(sharing_words, text, &value)) {
		return false;
	}
	window->sharing = (enum policy_sharing)value;
	return true;
}

static void print_sharing(const struct window_policy *window, char *ret_text, size_t size)
{
	(void)snprintf(ret_text, size, "%s", word_of(sharing_words, window->sharing));
}

static bool set_default_window(struct window_policy *window, const char *text)
{
	return word_parse(default_window_words, text, &window->worker.default_window);
}

static void print_default_window(const struct window_policy *window, char *ret_text, size_t size)
{
	(void)snprintf(ret_text, size, "%s",
		       word_of(default_window_words, window->worker.default_window));
}

static bool set_page_sizes(struct window_policy *window, const char *text)
{
	char word[WORD_SIZE];
	uint64_t sizes = 0;

	if (strcmp(text, "any") != 0) {
		while (next_word(&text, word)) {
			uint64_t page = 0;

			if (!quantity_parse(word, &page) || !is_power_of_two(page) ||
			    page < PAGE_SIZE_LEAST || page > PAGE_SIZE_MOST) {
				return false;
			}
			sizes |= page;
		}
		if (sizes == 0) {
			return false;
		}
	}
	window->worker.page_sizes = sizes;
	return true;
}

static void print_page_sizes(const struct window_policy *window, char *ret_text, size_t size)
{
	uint64_t sizes = window->worker.page_sizes;
	size_t used = 0;

	if (sizes == 0) {
		(void)snprintf(ret_text, size, "any");
		return;
	}
	for (; sizes != 0; sizes &= sizes - 1) {
		char number[WORD_SIZE];

		quantity_print(sizes & -sizes, number, sizeof(number));
		used += (size_t)snprintf(ret_text + used, size - used, "%s%s", used > 0 ? " " : "",
					 number);
	}
}

/* A number that may be left to the program. */
static bool set_limit(uint64_t *limit, const char *text)
{
	uint64_t value = 0;

	if (strcmp(text, "auto") != 0 && (!quantity_parse(text, &value) || value == 0)) {
		return false;
	}
	*limit = value;
	return true;
}

static void print_limit(uint64_t limit, char *ret_text, size_t size)
{
	if (limit == 0) {
		(void)snprintf(ret_text, size, "auto");
	} else {
		quantity_print(limit, ret_text, size);
	}
}

static bool set_most_tces(struct window_policy *window, const char *text)
{
	return set_limit(&window->worker.most_tces, text);
}

static void print_most_tces(const struct window_policy *window, char *ret_text, size_t size)
{
	print_limit(window->worker.most_tces, ret_text, size);
}

static bool set_table_piece(struct window_policy *window, const char *text)
{
	uint64_t piece = 0;

	if (!set_limit(&piece, text) ||
	    (piece != 0 && (!is_power_of_two(piece) || piece < TABLE_PIECE_LEAST))) {
		return false;
	}
	window->worker.table_piece = piece;
	return true;
}

static void print_table_piece(const struct window_policy *window, char *ret_text, size_t size)
{
	print_limit(window->worker.table_piece, ret_text, size);
}

static bool set_shared_detach(struct window_policy *window, const char *text)
{
	return word_parse(detach_words, text, &window->worker.replay_shared);
}

static void print_shared_detach(const struct window_policy *window, char *ret_text, size_t size)
{
	(void)snprintf(ret_text, size, "%s", word_of(detach_words, window->worker.replay_shared));
}

/* "sealed" has to be in the list: who leaves it out believes that it can be forbidden. */
static bool set_memory_files(struct window_policy *window, const char *text)
{
	char word[WORD_SIZE];
	uint32_t memory = 0;
	bool sealed = false;

	while (next_word(&text, word)) {
		uint32_t flag = 0;

		if (!word_parse(memory_words, word, &flag)) {
			return false;
		}
		memory |= flag;
		sealed = sealed || flag == 0;
	}
	if (sealed) {
		window->worker.memory = memory;
	}
	return sealed;
}

static void print_memory_files(const struct window_policy *window, char *ret_text, size_t size)
{
	size_t used = 0;

	for (const struct word *word = memory_words; word->text; word++) {
		if ((window->worker.memory & word->value) == word->value) {
			used += (size_t)snprintf(ret_text + used, size - used, "%s%s",
						 used > 0 ? " " : "", word->text);
		}
	}
}

/* -- the keys -- */

struct key {
	const char *name;
	const char *expects;
	bool (*set)(struct window_policy *window, const char *text);
	void (*print)(const struct window_policy *window, char *ret_text, size_t size);
};

static const struct key keys[POLICY_KEY_COUNT] = {
	[POLICY_IOMMU_TYPE] = {"iommu-type", "auto, spapr-tce-v2, spapr-tce, type1v2 or type1",
			       set_iommu_type, print_iommu_type},
	[POLICY_CONTAINER_SHARING] = {"container-sharing", "auto, yes or no", set_sharing,
				      print_sharing},
	[POLICY_DEFAULT_WINDOW] = {"default-window", "auto, keep, remove or swap",
				   set_default_window, print_default_window},
	[POLICY_PAGE_SIZES] = {"page-sizes",
			       "any, or powers of two from 4K to 1G such as \"4K 64K 2M\"",
			       set_page_sizes, print_page_sizes},
	[POLICY_MOST_TCES] = {"most-tces", "auto, or a number such as 1G", set_most_tces,
			      print_most_tces},
	[POLICY_TABLE_PIECE] = {"table-piece", "auto, or a power of two from 4K on such as 4M",
				set_table_piece, print_table_piece},
	[POLICY_SHARED_DETACH] = {"shared-detach", "refuse or replay", set_shared_detach,
				  print_shared_detach},
	[POLICY_MEMORY_FILES] = {"memory-files",
				 "sealed, which is always taken, and any of unsealed, hugetlbfs "
				 "and tmpfs",
				 set_memory_files, print_memory_files},
};

enum policy_key policy_key_find(const char *name)
{
	unsigned int key = 0;

	while (key < POLICY_KEY_COUNT && strcmp(keys[key].name, name) != 0) {
		key++;
	}
	return (enum policy_key)key;
}

const char *policy_key_section(enum policy_key key)
{
	(void)key;
	return "window";
}

const char *policy_key_name(enum policy_key key)
{
	return keys[key].name;
}

const char *policy_key_expects(enum policy_key key)
{
	return keys[key].expects;
}

bool policy_key_set(struct window_policy *window, enum policy_key key, const char *text)
{
	return keys[key].set(window, text);
}

struct policy_value policy_format(const struct policy *policy, enum policy_key key)
{
	struct policy_value value;

	keys[key].print(&policy->window, value.text, sizeof(value.text));
	return value;
}
