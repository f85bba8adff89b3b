/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "policies/policy.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/names.h"
#include "policies/access.h"
#include "policies/recovery.h"
#include "policies/recovery_values.h"
#include "policies/values.h"

/* inih cuts longer lines without a word. */
#define LINE_MAX_LENGTH 190U

#define BYTE_ORDER_MARK "\xef\xbb\xbf"

static const char *const system_paths[] = {
	POLICY_FOLDER_SHIPPED,
	POLICY_FOLDER_ADMIN,
	POLICY_FOLDER_RUN,
};

const struct policy_folders policy_system_folders = {
	.paths = system_paths,
	.count = sizeof(system_paths) / sizeof(*system_paths),
};

/* -- the object -- */

struct policy *policy_free(struct policy *policy)
{
	if (policy) {
		for (size_t i = 0; i < policy->file_count; i++) {
			free(policy->files[i]);
		}
		free(policy->files);
		free(policy->recoveries);
		free(policy);
	}
	return NULL;
}

static void cleanup_policy(struct policy **policy)
{
	(void)policy_free(*policy);
}

int policy_new(struct policy **ret_policy)
{
	cleanup(cleanup_policy) struct policy *policy = calloc(1, sizeof(*policy));
	size_t index;

	if (!policy || recovery_section_get(policy, POLICY_DEFAULT_SET, true, &index) < 0) {
		return -ENOMEM;
	}
	policy->access = access_policy_default;
	*ret_policy = steal_pointer(policy);
	return 0;
}

/* The policy's own copy of a file's name, or NULL. */
static const char *keep_name(struct policy *policy, const char *name)
{
	char **files = reallocarray(policy->files, policy->file_count + 1, sizeof(*files));
	char *copy = strdup(name);

	policy->files = files ? files : policy->files;
	if (!files || !copy) {
		free(copy);
		return NULL;
	}
	files[policy->file_count++] = copy;
	return copy;
}

/* -- one file's text -- */

enum section {
	SECTION_NONE, /* so far */
	SECTION_WINDOW,
	SECTION_ACCESS,
	SECTION_RECOVERY,
};

/* Where the parser is; parsing ends at the first error. */
struct parser {
	struct policy *policy;
	const char *file;
	const char *next; /* of the text */
	const char *end;
	unsigned int line;
	enum section section;
	size_t recovery; /* which one of the policy's */
	struct error *error;
	int code; /* of the first error */
};

static void fail(struct parser *parser, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void fail(struct parser *parser, const char *format, ...)
{
	char text[ERROR_TEXT_SIZE];
	va_list arguments;

	if (parser->code != 0) {
		return;
	}
	va_start(arguments, format);
	(void)vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	parser->code = error_set(parser->error, ERROR_INVALID_ARGUMENT, 0, "%s:%u: %s",
				 parser->file, parser->line, text);
}

static void begin_recovery(struct parser *parser, const char *text)
{
	char name[POLICY_SET_NAME_MAX + 1];
	bool is_set = false;
	int r;

	if (!recovery_parse_name(text, name, &is_set)) {
		fail(parser, "[recovery %s] is no section; behind recovery may stand %s", text,
		     RECOVERY_SECTION_EXPECTS);
		return;
	}
	r = recovery_section_get(parser->policy, name, is_set, &parser->recovery);
	if (r == -E2BIG) {
		fail(parser, "there are more than %u sections [recovery NAME]",
		     POLICY_RECOVERIES_MAX);
	} else if (r < 0) {
		parser->code = error_set(parser->error, ERROR_KERNEL, -r, "no memory for %s",
					 parser->file);
	}
	parser->section = SECTION_RECOVERY;
}

/* A line that begins with a bracket. inih tells of sections only by their keys, and would let an
 * unknown one without any pass. */
static void begin_section(struct parser *parser, const char *text)
{
	size_t length = strcspn(text + 1, "]\n");
	const char *rest = text + 1 + length;
	size_t word = strcspn(text + 1, " \t]");
	char name[LINE_MAX_LENGTH + 1];

	if (*rest != ']') {
		fail(parser, "a section's name ends with a bracket");
		return;
	}
	rest += 1 + strspn(rest + 1, " \t\r\n");
	if (*rest != '\0' && *rest != ';' && *rest != '#') {
		fail(parser, "there is something behind the section's name");
		return;
	}
	(void)snprintf(name, sizeof(name), "%.*s", (int)length, text + 1);
	if (strcmp(name, "window") == 0) {
		parser->section = SECTION_WINDOW;
	} else if (strcmp(name, POLICY_ACCESS_SECTION) == 0) {
		parser->section = SECTION_ACCESS;
	} else if (word == strlen(POLICY_RECOVERY_SECTION) &&
		   strncmp(name, POLICY_RECOVERY_SECTION, word) == 0) {
		begin_recovery(parser, name + word + strspn(name + word, " \t"));
	} else {
		fail(parser, "[%s] is no section; there are [window], [access] and [recovery]",
		     name);
	}
}

/* Whether this file has not said that of this section before. */
static bool claim_origin(struct parser *parser, const char *name, struct policy_origin *origin)
{
	if (origin->file == parser->file) {
		fail(parser, "\"%s\" was given in line %u already", name, origin->line);
		return false;
	}
	*origin = (struct policy_origin){.file = parser->file, .line = parser->line};
	return true;
}

static void set_window_value(struct parser *parser, const char *name, const char *text)
{
	enum policy_key key = policy_key_find(name);

	if (key == POLICY_KEY_COUNT) {
		fail(parser, "\"%s\" is no key of [window]", name);
	} else if (claim_origin(parser, name, &parser->policy->origins[key]) &&
		   !policy_key_set(&parser->policy->window, key, text)) {
		fail(parser, "%s = %s: it may be %s", name, text, policy_key_expects(key));
	}
}

static void set_access_value(struct parser *parser, const char *name, const char *text)
{
	enum policy_access_key key = access_key_find(name);

	if (key == POLICY_ACCESS_KEY_COUNT) {
		fail(parser, "\"%s\" is no key of [access]", name);
	} else if (claim_origin(parser, name, &parser->policy->access_origins[key]) &&
		   !access_key_set(&parser->policy->access, key, text)) {
		fail(parser, "%s = %s: it may be %s", name, text, access_key_expects(key));
	}
}

static void set_use(struct parser *parser, struct policy_recovery *recovery, const char *text)
{
	if (!claim_origin(parser, POLICY_USE_KEY, &recovery->use_origin)) {
		return;
	}
	if (!recovery_is_set_name(text)) {
		fail(parser, "%s = %s: it may be the name of a set, such as %s", POLICY_USE_KEY,
		     text, POLICY_DEFAULT_SET);
		return;
	}
	(void)snprintf(recovery->use, sizeof(recovery->use), "%s", text);
}

static void set_recovery_value(struct parser *parser, const char *name, const char *text)
{
	struct policy_recovery *recovery = &parser->policy->recoveries[parser->recovery];
	enum policy_recovery_key key = recovery_key_find(name);

	if (strcmp(name, POLICY_USE_KEY) == 0) {
		set_use(parser, recovery, text);
	} else if (key == POLICY_RECOVERY_KEY_COUNT) {
		fail(parser, "\"%s\" is no key of [recovery]", name);
	} else if (claim_origin(parser, name, &recovery->origins[key]) &&
		   !recovery_key_set(&recovery->values, key, text)) {
		fail(parser, "%s = %s: it may be %s", name, text, recovery_key_expects(key).text);
	}
}

static void set_value(struct parser *parser, const char *name, const char *text)
{
	switch (parser->section) {
	case SECTION_NONE:
		fail(parser, "\"%s\" stands in no section", name);
		break;
	case SECTION_WINDOW:
		set_window_value(parser, name, text);
		break;
	case SECTION_ACCESS:
		set_access_value(parser, name, text);
		break;
	case SECTION_RECOVERY:
		set_recovery_value(parser, name, text);
		break;
	}
}

static int handle_value(void *userdata, const char *section, const char *name, const char *text)
{
	struct parser *parser = userdata;

	(void)section;
	if (parser->code == 0) {
		set_value(parser, name, text);
	}
	return parser->code == 0;
}

/* Indented lines are lines, not the last one's continuation as inih would have it. */
static size_t skip_blanks(struct parser *parser, size_t length)
{
	if (parser->line == 1 && length >= strlen(BYTE_ORDER_MARK) &&
	    memcmp(parser->next, BYTE_ORDER_MARK, strlen(BYTE_ORDER_MARK)) == 0) {
		parser->next += strlen(BYTE_ORDER_MARK);
		length -= strlen(BYTE_ORDER_MARK);
	}
	while (length > 0 && (*parser->next == ' ' || *parser->next == '\t')) {
		parser->next++;
		length--;
	}
	return length;
}

/* inih's source of lines. */
static char *read_line(char *buffer, int size, void *userdata)
{
	struct parser *parser = userdata;
	size_t left = (size_t)(parser->end - parser->next);
	const char *newline = left > 0 ? memchr(parser->next, '\n', left) : NULL;
	size_t length = newline ? (size_t)(newline - parser->next) : left;
	bool comment;

	if (left == 0 || parser->code != 0) {
		return NULL;
	}
	parser->line++;
	length = skip_blanks(parser, length);
	comment = length > 0 && (*parser->next == '#' || *parser->next == ';');
	if (!comment && (length > LINE_MAX_LENGTH || length + 2 > (size_t)size)) {
		fail(parser, "the line is longer than %u bytes", LINE_MAX_LENGTH);
		return NULL;
	}
	if (length > 0 && memchr(parser->next, '\0', length)) {
		fail(parser, "there is a zero byte in the line");
		return NULL;
	}
	(void)snprintf(buffer, (size_t)size, "%.*s\n", comment ? 0 : (int)length, parser->next);
	parser->next += newline ? length + 1 : length;
	if (buffer[0] == '[') {
		begin_section(parser, buffer);
	}
	return parser->code == 0 ? buffer : NULL;
}

int policy_parse(struct policy *policy, const char *name, const void *text, size_t size,
		 struct error *error)
{
	struct parser parser = {
		.policy = policy,
		.file = keep_name(policy, name),
		.next = text,
		.end = size > 0 ? (const char *)text + size : text,
		.error = error,
	};
	int r;

	if (!parser.file) {
		return error_set(error, ERROR_KERNEL, ENOMEM, "no memory for %s", name);
	}
	r = ini_parse_stream(read_line, &parser, handle_value, &parser);
	if (parser.code == 0 && r != 0) {
		parser.line = r > 0 ? (unsigned int)r : parser.line;
		fail(&parser, "neither \"[section]\" nor \"key = value\"");
	}
	return parser.code;
}

/* -- files -- */

/* At most POLICY_FILE_MAX bytes and one more: so that a larger file is noticed. */
static ssize_t read_all(int fd, char *buffer)
{
	size_t used = 0;

	while (used <= POLICY_FILE_MAX) {
		ssize_t r = read(fd, buffer + used, POLICY_FILE_MAX + 1 - used);

		if (r < 0 && errno == EINTR) {
			continue;
		}
		if (r <= 0) {
			return r < 0 ? -errno : (ssize_t)used;
		}
		used += (size_t)r;
	}
	return -EFBIG;
}

static int load_file(struct policy *policy, const char *path, struct error *error)
{
	cleanup(cleanup_free) char *buffer = malloc(POLICY_FILE_MAX + 1);
	/* Not to wait for the writer of a FIFO that somebody put there. */
	cleanup(cleanup_fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat status;
	ssize_t size;

	if (!buffer) {
		return error_set(error, ERROR_KERNEL, ENOMEM, "no memory for %s", path);
	}
	if (fd < 0 || fstat(fd, &status) < 0) {
		return error_set(error, ERROR_INVALID_ARGUMENT, errno, "can't read %s", path);
	}
	if (!S_ISREG(status.st_mode)) {
		return error_set(error, ERROR_INVALID_ARGUMENT, 0, "%s is not a regular file",
				 path);
	}
	size = read_all(fd, buffer);
	if (size < 0) {
		return error_set(error, ERROR_INVALID_ARGUMENT, (int)-size,
				 "can't read %s, which may have %u bytes", path, POLICY_FILE_MAX);
	}
	return policy_parse(policy, path, buffer, (size_t)size, error);
}

/* -- folders -- */

static int is_policy(const struct dirent *entry)
{
	size_t length = strlen(entry->d_name);
	size_t suffix = strlen(POLICY_FILE_SUFFIX);

	return entry->d_name[0] != '.' && length > suffix &&
	       strcmp(entry->d_name + length - suffix, POLICY_FILE_SUFFIX) == 0;
}

/* By bytes: alphasort follows the locale, and so the order would depend on who starts us. */
static int compare_names(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int load_entry(struct policy *policy, const char *folder, const char *name,
		      struct error *error)
{
	char path[PATH_MAX];

	if (policy->file_count == POLICY_FILES_MAX) {
		return error_set(error, ERROR_INVALID_ARGUMENT, 0,
				 "%s: there are more than %u policy files", folder,
				 POLICY_FILES_MAX);
	}
	if ((size_t)snprintf(path, sizeof(path), "%s/%s", folder, name) >= sizeof(path)) {
		return error_set(error, ERROR_INVALID_ARGUMENT, ENAMETOOLONG, "can't read %s",
				 folder);
	}
	return load_file(policy, path, error);
}

static int load_folder(struct policy *policy, const char *folder, bool must_exist,
		       struct error *error)
{
	struct dirent **entries = NULL;
	int count = scandir(folder, &entries, is_policy, compare_names);
	int r = 0;

	if (count < 0) {
		return errno == ENOENT && !must_exist
			       ? 0
			       : error_set(error, ERROR_INVALID_ARGUMENT, errno,
					   "can't read the policy folder %s", folder);
	}
	for (int i = 0; i < count; i++) {
		if (r == 0) {
			r = load_entry(policy, folder, entries[i]->d_name, error);
		}
		free(entries[i]);
	}
	free(entries);
	return r;
}

int policy_load(const struct policy_folders *folders, struct policy **ret_policy,
		struct error *error)
{
	cleanup(cleanup_policy) struct policy *policy = NULL;
	int r = 0;

	if (policy_new(&policy) < 0) {
		return error_set(error, ERROR_KERNEL, ENOMEM, "no memory for the policy");
	}
	for (size_t i = 0; r == 0 && i < folders->count; i++) {
		r = load_folder(policy, folders->paths[i], folders->must_exist, error);
	}
	r = r ? r : policy_check(policy, error);
	if (r == 0) {
		*ret_policy = steal_pointer(policy);
	}
	return r;
}
