/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Policies. Each file of policies/ has one defect, which is the file's name; its first line says
 * where and in which words that is told.
 */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "policies/policy.h"
#include "policy_place.h"
#include "unit.h"

#define EXPECT "# expect:"

/* -- text -- */

static struct policy *new_policy(void)
{
	struct policy *policy = NULL;

	assert_int_equal(policy_new(&policy), 0);
	return policy;
}

static struct policy *parse(const char *text)
{
	struct policy *policy = new_policy();
	struct error error;

	if (policy_parse(policy, "test.conf", text, strlen(text), &error)) {
		fail_msg("%s", error.text);
	}
	return policy;
}

static void test_defaults(void **state)
{
	static const char *const defaults[POLICY_KEY_COUNT] = {
		"auto", "auto", "auto", "any", "auto", "auto", "refuse", "sealed",
	};
	static const struct window_policy zero;
	struct policy *policy = new_policy();

	(void)state;
	assert_memory_equal(&policy->window, &zero, sizeof(zero));
	for (unsigned int key = 0; key < POLICY_KEY_COUNT; key++) {
		assert_string_equal(policy_format(policy, (enum policy_key)key).text,
				    defaults[key]);
		assert_null(policy->origins[key].file);
		assert_string_equal(policy_key_section((enum policy_key)key), "window");
	}
	(void)policy_free(policy);
	assert_null(policy_free(NULL));
}

/* Each value, and what it becomes. */
static void test_values(void **state)
{
	struct policy *policy = parse("\n"
				      "  # indented\n"
				      " [window] ; the only one\n"
				      "\tiommu-type = spapr-tce\n"
				      "container-sharing=yes\n"
				      "default-window: swap ; a comment\n"
				      "page-sizes = 0x1000\t65536  16M 1G\n"
				      "most-tces = 0x40000000\r\n"
				      "table-piece = 4M\n"
				      "shared-detach = replay\n"
				      "memory-files = tmpfs sealed hugetlbfs unsealed");
	static const char *const formatted[POLICY_KEY_COUNT] = {
		"spapr-tce", "yes", "swap",   "4K 64K 16M 1G",
		"1G",        "4M",  "replay", "sealed unsealed hugetlbfs tmpfs",
	};
	const struct worker_policy *worker = &policy->window.worker;

	(void)state;
	assert_string_equal(policy->window.iommu_type, "spapr-tce");
	assert_int_equal(policy->window.sharing, POLICY_SHARING_YES);
	assert_int_equal(worker->default_window, WORKER_DEFAULT_WINDOW_SWAP);
	assert_int_equal(worker->page_sizes, 0x41011000);
	assert_int_equal(worker->most_tces, 0x40000000);
	assert_int_equal(worker->table_piece, 0x400000);
	assert_int_equal(worker->replay_shared, 1);
	assert_int_equal(worker->memory,
			 WORKER_TAKES_UNSEALED | WORKER_TAKES_HUGETLBFS | WORKER_TAKES_TMPFS);
	for (unsigned int key = 0; key < POLICY_KEY_COUNT; key++) {
		assert_string_equal(policy_format(policy, (enum policy_key)key).text,
				    formatted[key]);
		assert_string_equal(policy->origins[key].file, "test.conf");
		assert_int_equal(policy->origins[key].line, key + 4);
	}
	(void)policy_free(policy);
}

/* Every word that a key may have is read and shown as itself. */
static void test_words(void **state)
{
	static const char *const lines[] = {
		"iommu-type = auto",
		"iommu-type = spapr-tce-v2",
		"iommu-type = spapr-tce",
		"iommu-type = type1v2",
		"iommu-type = type1",
		"container-sharing = auto",
		"container-sharing = yes",
		"container-sharing = no",
		"default-window = auto",
		"default-window = keep",
		"default-window = remove",
		"default-window = swap",
		"page-sizes = any",
		"page-sizes = 4K 8K 16K 32K 64K 128K 256K 512K 1M",
		"page-sizes = 2M 4M 8M 16M 32M 64M 128M 256M 512M 1G",
		"most-tces = auto",
		"most-tces = 1000",
		"most-tces = 1025K",
		"most-tces = 16777215T",
		"table-piece = auto",
		"table-piece = 4K",
		"shared-detach = refuse",
		"shared-detach = replay",
		"memory-files = sealed",
		"memory-files = sealed tmpfs",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		char text[256];
		char shown[320];
		struct policy *policy;
		unsigned int key = 0;

		(void)snprintf(text, sizeof(text), "[window]\n%s\n", lines[i]);
		policy = parse(text);
		while (key < POLICY_KEY_COUNT && !policy->origins[key].file) {
			key++;
		}
		assert_true(key < POLICY_KEY_COUNT);
		(void)snprintf(shown, sizeof(shown), "%s = %s",
			       policy_key_name((enum policy_key)key),
			       policy_format(policy, (enum policy_key)key).text);
		assert_string_equal(shown, lines[i]);
		(void)policy_free(policy);
	}
}

/* An empty file, one of comments, and one as a Windows editor leaves it. */
static void test_odd_files(void **state)
{
	char *comment = malloc(1024);
	struct policy *policy = new_policy();
	struct error error;

	(void)state;
	assert_non_null(comment);
	memset(comment, '#', 1024);
	assert_int_equal(policy_parse(policy, "empty", NULL, 0, &error), 0);
	assert_int_equal(policy_parse(policy, "comment", comment, 1024, &error), 0);
	assert_null(policy->origins[POLICY_PAGE_SIZES].file);
	(void)policy_free(policy);
	free(comment);
	policy = parse("\xef\xbb\xbf[window]\r\npage-sizes = 4K\r\n");
	assert_int_equal(policy->window.worker.page_sizes, 4096);
	(void)policy_free(policy);
}

/* -- defects -- */

static void expect_defect(const char *folder, const char *name)
{
	char path[PATH_MAX];
	char text[4096];
	char wanted[600];
	struct policy *policy = new_policy();
	struct error error = {.text = ""};
	FILE *file;
	size_t size;
	int length;
	int r;

	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "re");
	assert_non_null(file);
	size = fread(text, 1, sizeof(text) - 1, file);
	(void)fclose(file);
	text[size] = '\0';
	assert_int_equal(strncmp(text, EXPECT, strlen(EXPECT)), 0);
	length = (int)strcspn(text + strlen(EXPECT), "\n");
	(void)snprintf(wanted, sizeof(wanted), "%s:%.*s", name, length, text + strlen(EXPECT));
	r = policy_parse(policy, name, text, size, &error);
	if ((r ? r : policy_check(policy, &error)) != ERROR_INVALID_ARGUMENT) {
		fail_msg("%s is taken", name);
	}
	if (!strstr(error.text, wanted)) {
		fail_msg("\"%s\" is not in \"%s\"", wanted, error.text);
	}
	(void)policy_free(policy);
}

static void test_defects(void **state)
{
	DIR *folder = opendir(POLICIES);
	struct dirent *entry;
	unsigned int count = 0;

	(void)state;
	assert_non_null(folder);
	while ((entry = readdir(folder))) {
		if (entry->d_name[0] != '.') {
			expect_defect(POLICIES, entry->d_name);
			count++;
		}
	}
	(void)closedir(folder);
	assert_true(count > 100);
}

/* -- folders -- */

static void expect_refused(const char *words)
{
	struct policy *policy = NULL;
	struct error error = {.text = ""};

	assert_int_equal(policy_load(&place.folders, &policy, &error), ERROR_INVALID_ARGUMENT);
	assert_null(policy);
	if (!strstr(error.text, words)) {
		fail_msg("\"%s\" is not in \"%s\"", words, error.text);
	}
}

/* Folder after folder, by name; key by key; and only what ends with .conf. */
static void test_order(void **state)
{
	struct policy *policy = NULL;
	struct error error;
	char wanted[PATH_MAX];

	(void)state;
	place_write_file(place.second, "10-late.conf", "[window]\n\nmost-tces = 3\n");
	place_write_file(place.first, "20-b.conf", "[window]\npage-sizes = 64K\nmost-tces = 2\n");
	place_write_file(place.first, "10-a.conf",
			 "[window]\npage-sizes = 4K\ncontainer-sharing = no\n");
	place_write_file(place.first, "B.conf", "");
	place_write_file(place.first, "a.conf", "");
	place_write_file(place.first, "30-c.conf.bak", "nonsense");
	place_write_file(place.first, ".hidden.conf", "nonsense");
	place_write_file(place.first, ".conf", "nonsense");
	assert_int_equal(policy_load(&place.folders, &policy, &error), 0);
	assert_int_equal(policy->window.worker.page_sizes, 0x10000);
	assert_int_equal(policy->window.worker.most_tces, 3);
	assert_int_equal(policy->window.sharing, POLICY_SHARING_NO);
	assert_int_equal(policy->file_count, 5);
	(void)snprintf(wanted, sizeof(wanted), "%s/10-late.conf", place.second);
	assert_string_equal(policy->files[4], wanted);
	assert_string_equal(policy->origins[POLICY_MOST_TCES].file, wanted);
	assert_int_equal(policy->origins[POLICY_MOST_TCES].line, 3);
	(void)snprintf(wanted, sizeof(wanted), "%s/20-b.conf", place.first);
	assert_string_equal(policy->origins[POLICY_PAGE_SIZES].file, wanted);
	/* The order of bytes, whatever the locale's is. */
	assert_non_null(strstr(policy->files[2], "/B.conf"));
	assert_non_null(strstr(policy->files[3], "/a.conf"));
	(void)policy_free(policy);
}

/* A good file in front of a bad one does not apply either. */
static void test_all_or_nothing(void **state)
{
	char wanted[PATH_MAX];

	(void)state;
	place_write_file(place.first, "a.conf", "[window]\npage-sizes = 64K\n");
	place_write_file(place.second, "b.conf", "[window]\n\n\nmost-tces = many\n");
	(void)snprintf(wanted, sizeof(wanted), "%s/b.conf:4: most-tces = many", place.second);
	expect_refused(wanted);
}

static void test_folder_that_is_not_there(void **state)
{
	struct policy *policy = NULL;
	struct error error;

	(void)state;
	assert_int_equal(rmdir(place.second), 0);
	assert_int_equal(policy_load(&place.folders, &policy, &error), 0);
	(void)policy_free(policy);
	place.folders.must_exist = true;
	expect_refused("/second (ENOENT)");
	/* One that is no folder is an error in any case. */
	place.folders.must_exist = false;
	place_write_file(place.root, "second", "");
	expect_refused("/second (ENOTDIR)");
}

static void test_file_that_is_no_file(void **state)
{
	char path[PATH_MAX];

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/x.conf", place.first);
	assert_int_equal(mkfifo(path, 0600), 0);
	expect_refused("/x.conf is not a regular file");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	expect_refused("/x.conf is not a regular file");
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(symlink("/nowhere", path), 0);
	expect_refused("/x.conf (ENOENT)");
}

static void test_large_file(void **state)
{
	char path[PATH_MAX];

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/x.conf", place.first);
	place_write_file(place.first, "x.conf", "# so far\n#");
	assert_int_equal(truncate(path, POLICY_FILE_MAX + 1), 0);
	expect_refused("/x.conf, which may have 65536 bytes (EFBIG)");
	assert_int_equal(truncate(path, POLICY_FILE_MAX), 0);
	expect_refused("/x.conf:2: there is a zero byte");
}

static void test_many_files(void **state)
{
	(void)state;
	for (unsigned int i = 0; i <= POLICY_FILES_MAX; i++) {
		char name[32];

		(void)snprintf(name, sizeof(name), "%u.conf", i);
		place_write_file(place.first, name, "");
	}
	expect_refused("more than 1024 policy files");
}

/* -- the shipped file -- */

/* The lines of the shipped file that set a key, with and without the comment's mark. */
static void read_shipped(char *ret_text, size_t size, bool only_comments)
{
	FILE *file = fopen(SHIPPED, "re");
	char line[256];
	size_t used = 0;

	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		bool setting = line[0] == '#' && line[1] >= 'a' && line[1] <= 'z';
		const char *text = setting && !only_comments ? line + 1 : line;

		used += (size_t)snprintf(ret_text + used, size - used, "%s", text);
		assert_true(used < size);
	}
	(void)fclose(file);
}

/* Whether all keys were given, or none. */
static void expect_origins(const struct policy *policy, bool given)
{
	assert_int_equal(policy->recovery_count, 1);
	for (unsigned int key = 0; key < POLICY_KEY_COUNT; key++) {
		assert_int_equal(policy->origins[key].file != NULL, given);
	}
	for (unsigned int key = 0; key < POLICY_ACCESS_KEY_COUNT; key++) {
		assert_int_equal(policy->access_origins[key].file != NULL, given);
	}
	for (unsigned int key = 0; key < POLICY_RECOVERY_KEY_COUNT; key++) {
		assert_int_equal(policy->recoveries[0].origins[key].file != NULL, given);
	}
}

/* It changes nothing, and says of each key what the default is. */
static void test_shipped_file(void **state)
{
	static const struct window_policy zero;
	const struct recovery_policy recovery = RECOVERY_POLICY_DEFAULT;
	char text[16384];
	struct policy *policy;

	(void)state;
	read_shipped(text, sizeof(text), true);
	policy = parse(text);
	expect_origins(policy, false);
	(void)policy_free(policy);
	read_shipped(text, sizeof(text), false);
	policy = parse(text);
	expect_origins(policy, true);
	assert_memory_equal(&policy->window, &zero, sizeof(zero));
	for (unsigned int i = 0; i < POLICY_ACCESS_KEY_COUNT; i++) {
		enum policy_access_key key = (enum policy_access_key)i;

		assert_string_equal(policy_access_format(&policy->access, key).text,
				    policy_access_format(&access_policy_default, key).text);
	}
	for (unsigned int i = 0; i < POLICY_RECOVERY_KEY_COUNT; i++) {
		enum policy_recovery_key key = (enum policy_recovery_key)i;

		assert_string_equal(policy_recovery_format(&policy->recoveries[0].values, key).text,
				    policy_recovery_format(&recovery, key).text);
	}
	(void)policy_free(policy);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, place_set_up, place_tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults), cmocka_unit_test(test_values),
		cmocka_unit_test(test_words),    cmocka_unit_test(test_odd_files),
		cmocka_unit_test(test_defects),  TEST(test_order),
		TEST(test_all_or_nothing),       TEST(test_folder_that_is_not_there),
		TEST(test_file_that_is_no_file), TEST(test_large_file),
		TEST(test_many_files),           cmocka_unit_test(test_shipped_file),
	};

	return cmocka_run_group_tests_name("policy", tests, NULL, NULL);
}
