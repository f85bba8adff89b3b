/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/pe_story.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/json.h"
#include "cli/text.h"
#include "common/names.h"

/* A group whose event runs. */
struct running {
	uint32_t group;
	uint32_t event;
	uint64_t began; /* µs, monotonic */
};

struct pe_story {
	FILE *file;
	struct terminal terminal;
	bool json;
	char owner[256]; /* the longest name, and a zero */
	uint32_t *groups;
	size_t group_count;
	struct running *running;
	size_t running_count;
};

struct pe_story *pe_story_new(FILE *file, const struct terminal *terminal, bool json,
			      const uint32_t *groups, size_t count)
{
	struct pe_story *story = calloc(1, sizeof(*story));

	if (!story) {
		return NULL;
	}
	story->groups = calloc(count + 1, sizeof(*story->groups)); /* one more: never none */
	if (!story->groups) {
		return pe_story_free(story);
	}
	for (size_t i = 0; i < count; i++) {
		story->groups[i] = groups[i];
	}
	story->file = file;
	story->terminal = *terminal;
	story->json = json;
	story->group_count = count;
	return story;
}

void pe_story_set_owner(struct pe_story *story, const char *owner)
{
	(void)snprintf(story->owner, sizeof(story->owner), "%s", owner);
}

struct pe_story *pe_story_free(struct pe_story *story)
{
	if (story) {
		free(story->groups);
		free(story->running);
	}
	free(story);
	return NULL;
}

/* -- events that run -- */

static struct running *find_running(struct pe_story *story, uint32_t group)
{
	for (size_t i = 0; i < story->running_count; i++) {
		if (story->running[i].group == group) {
			return &story->running[i];
		}
	}
	return NULL;
}

/* Without memory the story has no times since the freeze. */
void pe_story_begin(struct pe_story *story, uint32_t group, uint32_t event, uint64_t began)
{
	struct running *running = find_running(story, group);
	struct running *larger;

	if (!running) {
		larger = reallocarray(story->running, story->running_count + 1, sizeof(*larger));
		if (!larger) {
			return;
		}
		story->running = larger;
		running = &larger[story->running_count++];
	}
	*running = (struct running){.group = group, .event = event, .began = began};
}

static void end_event(struct pe_story *story, uint32_t group)
{
	struct running *running = find_running(story, group);

	if (running) {
		*running = story->running[--story->running_count];
	}
}

/* -- lines -- */

/* What a line is about. */
struct subject {
	uint32_t group;
	const char *what;
	uint32_t event;        /* 0: none is known */
	const uint64_t *began; /* of the event, or NULL */
};

static struct subject subject_of(struct pe_story *story, uint32_t group, const char *what,
				 uint32_t event)
{
	const struct running *running = find_running(story, group);
	struct subject subject = {.group = group, .what = what, .event = event};

	if (running && (event == 0 || running->event == event)) {
		subject.event = running->event;
		subject.began = &running->began;
	}
	return subject;
}

static void print_beginning(struct pe_story *story, const struct subject *subject,
			    struct pe_story_time now)
{
	time_t seconds = (time_t)(now.realtime / 1000000);
	char since[32] = "";
	char clock[16] = "";
	struct tm parts;

	if (localtime_r(&seconds, &parts)) {
		(void)strftime(clock, sizeof(clock), "%H:%M:%S", &parts);
	}
	if (subject->began) {
		uint64_t passed = now.monotonic - *subject->began;

		(void)snprintf(since, sizeof(since), "+%" PRIu64 ".%06u s", passed / 1000000,
			       (unsigned int)(passed % 1000000));
	}
	(void)fprintf(story->file, "%s.%06u %13s  group %-4" PRIu32 " %s", clock,
		      (unsigned int)(now.realtime % 1000000), since, subject->group, subject->what);
}

static struct json begin_object(struct pe_story *story, const struct subject *subject,
				struct pe_story_time now)
{
	struct json json = JSON_LINE(story->file);

	json_begin_object(&json, NULL);
	json_number(&json, "time_us", now.realtime);
	json_number(&json, "group", subject->group);
	if (subject->event) {
		json_number(&json, "event", subject->event);
	} else {
		json_null(&json, "event");
	}
	if (subject->began) {
		json_number(&json, "since_us", now.monotonic - *subject->began);
	} else {
		json_null(&json, "since_us");
	}
	json_string(&json, "what", subject->what);
	return json;
}

/* A line with a word at its end, which has a name in JSON; or without (name NULL). */
static void tell(struct pe_story *story, const struct subject *subject, struct pe_story_time now,
		 const char *name, const char *word)
{
	if (story->json) {
		struct json json = begin_object(story, subject, now);

		if (name) {
			json_string(&json, name, word);
		}
		json_end_object(&json);
		return;
	}
	print_beginning(story, subject, now);
	if (name) {
		(void)fputs(": ", story->file);
		text_print(story->file, word);
	}
	(void)fputc('\n', story->file);
}

/* -- signals -- */

/* A signal with an event, and for two of them a word. */
static void tell_step(struct pe_story *story, uint32_t group, const char *what, const char *name,
		      DBusMessage *message, struct pe_story_time now)
{
	struct subject subject;
	dbus_uint32_t event = 0;
	const char *word = "";

	(void)dbus_message_get_args(message, NULL, DBUS_TYPE_UINT32, &event,
				    name ? DBUS_TYPE_STRING : DBUS_TYPE_INVALID, &word,
				    DBUS_TYPE_INVALID);
	if (strcmp(what, "frozen") == 0) {
		const struct running *running = find_running(story, group);

		if (!running || running->event != event) {
			pe_story_begin(story, group, event, now.monotonic);
		}
	}
	subject = subject_of(story, group, what, event);
	tell(story, &subject, now, name, word);
}

static void print_done(struct pe_story *story, const struct subject *subject,
		       struct pe_story_time now, bool recovered, uint32_t milliseconds,
		       const char *why)
{
	enum terminal_style style = recovered ? TERMINAL_GOOD : TERMINAL_BAD;

	print_beginning(story, subject, now);
	(void)fprintf(story->file, ": %s%s%s after %" PRIu32 ".%03" PRIu32 " s: ",
		      terminal_begin(&story->terminal, style), recovered ? "recovered" : "failed",
		      terminal_end(&story->terminal), milliseconds / 1000, milliseconds % 1000);
	text_print(story->file, why);
	(void)fputc('\n', story->file);
}

static struct pe_story_end tell_done(struct pe_story *story, uint32_t group, DBusMessage *message,
				     struct pe_story_time now)
{
	struct subject subject;
	dbus_uint32_t event = 0;
	dbus_uint32_t milliseconds = 0;
	dbus_bool_t recovered = FALSE;
	const char *why = "";

	(void)dbus_message_get_args(message, NULL, DBUS_TYPE_UINT32, &event, DBUS_TYPE_BOOLEAN,
				    &recovered, DBUS_TYPE_UINT32, &milliseconds, DBUS_TYPE_STRING,
				    &why, DBUS_TYPE_INVALID);
	subject = subject_of(story, group, "recovery-done", event);
	if (story->json) {
		struct json json = begin_object(story, &subject, now);

		json_bool(&json, "recovered", recovered);
		json_number(&json, "milliseconds", milliseconds);
		json_string(&json, "why", why);
		json_end_object(&json);
	} else {
		print_done(story, &subject, now, recovered, milliseconds, why);
	}
	end_event(story, group);
	return (struct pe_story_end){.done = true, .event = event, .recovered = recovered};
}

static struct pe_story_end tell_signal(struct pe_story *story, uint32_t group, DBusMessage *message,
				       struct pe_story_time now)
{
	static const struct {
		const char *member;
		const char *signature;
		const char *what;
		const char *name; /* of the word behind the event */
	} table[] = {
		{"Frozen", "us", "frozen", "state"},
		{"ErrorDetected", "us", "error-detected", "channel"},
		{"MmioEnabled", "u", "mmio-enabled", NULL},
		{"SlotReset", "u", "slot-reset", NULL},
		{"Resume", "u", "resume", NULL},
		{"Disconnect", "u", "disconnect", NULL},
	};

	if (dbus_message_has_member(message, "RecoveryDone") &&
	    dbus_message_has_signature(message, "ubus")) {
		return tell_done(story, group, message, now);
	}
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		if (dbus_message_has_member(message, table[i].member) &&
		    dbus_message_has_signature(message, table[i].signature)) {
			tell_step(story, group, table[i].what, table[i].name, message, now);
		}
	}
	return (struct pe_story_end){.done = false};
}

/* -- properties -- */

/* A word, or a number as one; false for other types. */
static bool read_word(DBusMessageIter *value, char *text, size_t size)
{
	dbus_uint32_t number = 0;
	const char *word = NULL;

	switch (dbus_message_iter_get_arg_type(value)) {
	case DBUS_TYPE_STRING:
		dbus_message_iter_get_basic(value, &word);
		(void)snprintf(text, size, "%s", word);
		return true;
	case DBUS_TYPE_UINT32:
		dbus_message_iter_get_basic(value, &number);
		(void)snprintf(text, size, "%" PRIu32, number);
		return true;
	default:
		return false;
	}
}

static void tell_property(struct pe_story *story, uint32_t group, DBusMessageIter *entry,
			  struct pe_story_time now)
{
	static const struct {
		const char *property;
		const char *what;
	} table[] = {
		{"State", "state"},
		{"Recovery", "recovery"},
		{"FreezesLeft", "freezes-left"},
		{"Participants", "participants"},
		{"Policy", "policy"},
	};
	struct subject subject;
	DBusMessageIter value;
	const char *property = NULL;
	char word[128];

	dbus_message_iter_get_basic(entry, &property);
	(void)dbus_message_iter_next(entry);
	dbus_message_iter_recurse(entry, &value);
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		if (strcmp(table[i].property, property) == 0 &&
		    read_word(&value, word, sizeof(word))) {
			subject = subject_of(story, group, table[i].what, 0);
			tell(story, &subject, now, "value", word);
		}
	}
}

static void tell_properties(struct pe_story *story, uint32_t group, DBusMessage *message,
			    struct pe_story_time now)
{
	DBusMessageIter arguments;
	DBusMessageIter entries;
	const char *interface = NULL;

	(void)dbus_message_iter_init(message, &arguments);
	dbus_message_iter_get_basic(&arguments, &interface);
	if (strcmp(interface, BUS_INTERFACE_PE) != 0) {
		return;
	}
	(void)dbus_message_iter_next(&arguments);
	dbus_message_iter_recurse(&arguments, &entries);
	while (dbus_message_iter_get_arg_type(&entries) == DBUS_TYPE_DICT_ENTRY) {
		DBusMessageIter entry;

		dbus_message_iter_recurse(&entries, &entry);
		tell_property(story, group, &entry, now);
		(void)dbus_message_iter_next(&entries);
	}
}

/* -- the service -- */

static struct pe_story_end tell_owner(struct pe_story *story, DBusMessage *message,
				      struct pe_story_time now)
{
	const char *name = NULL;
	const char *before = NULL;
	const char *owner = NULL;
	const char *text;

	if (!dbus_message_get_args(message, NULL, DBUS_TYPE_STRING, &name, DBUS_TYPE_STRING,
				   &before, DBUS_TYPE_STRING, &owner, DBUS_TYPE_INVALID) ||
	    strcmp(name, BUS_NAME) != 0) {
		return (struct pe_story_end){.done = false};
	}
	text = *owner ? "started" : "ended";
	pe_story_set_owner(story, owner);
	story->running_count = 0;
	if (story->json) {
		struct json json = JSON_LINE(story->file);

		json_begin_object(&json, NULL);
		json_number(&json, "time_us", now.realtime);
		json_string(&json, "what", "service");
		json_string(&json, "value", text);
		json_end_object(&json);
	} else {
		(void)fprintf(story->file, "spaprd has %s\n", text);
	}
	return (struct pe_story_end){.service = !*owner};
}

/* -- all -- */

/* The number in the path of a group that is told of. */
static bool read_group(const struct pe_story *story, DBusMessage *message, uint32_t *ret_group)
{
	static const char prefix[] = BUS_PATH_GROUP_PREFIX;
	const char *path = dbus_message_get_path(message);
	char *end = NULL;
	unsigned long number;

	if (!path || strncmp(path, prefix, strlen(prefix)) != 0) {
		return false;
	}
	number = strtoul(path + strlen(prefix), &end, 10);
	*ret_group = (uint32_t)number;
	if (*end != '\0' || number > UINT32_MAX) {
		return false;
	}
	for (size_t i = 0; i < story->group_count; i++) {
		if (story->groups[i] == number) {
			return true;
		}
	}
	return story->group_count == 0;
}

struct pe_story_end pe_story_tell(struct pe_story *story, DBusMessage *message,
				  struct pe_story_time now)
{
	uint32_t group = 0;

	if (dbus_message_is_signal(message, DBUS_INTERFACE_DBUS, "NameOwnerChanged") &&
	    dbus_message_has_sender(message, DBUS_SERVICE_DBUS)) {
		return tell_owner(story, message, now);
	}
	/* Signals that others send to this connection alone come without a match. */
	if (dbus_message_get_type(message) != DBUS_MESSAGE_TYPE_SIGNAL ||
	    !dbus_message_has_sender(message, story->owner) ||
	    !read_group(story, message, &group)) {
		return (struct pe_story_end){.done = false};
	}
	if (dbus_message_has_interface(message, BUS_INTERFACE_PE)) {
		return tell_signal(story, group, message, now);
	}
	if (dbus_message_is_signal(message, DBUS_INTERFACE_PROPERTIES, "PropertiesChanged") &&
	    dbus_message_has_signature(message, "sa{sv}as")) {
		tell_properties(story, group, message, now);
	}
	return (struct pe_story_end){.done = false};
}
