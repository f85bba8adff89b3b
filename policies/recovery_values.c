/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "policies/recovery_values.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "policies/words.h"

#define SECOND UINT32_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)

#define TEXT_SIZE 32U

static const struct word mode_words[] = {{"automatic", false}, {"manual", true}, {NULL, 0}};
static const struct word escalate_words[] = {{"yes", false}, {"no", true}, {NULL, 0}};
static const struct word injection_words[] = {{"no", false}, {"yes", true}, {NULL, 0}};

static const struct word reset_words[] = {
	{"auto", RECOVERY_RESET_AUTO},
	{"hot", RECOVERY_RESET_HOT},
	{"fundamental", RECOVERY_RESET_FUNDAMENTAL},
	{NULL, 0},
};

/* What a key's field is, and its text. */
enum kind {
	KIND_FLAG,    /* bool, one of two words */
	KIND_RESET,   /* enum recovery_reset, a word */
	KIND_TIME,    /* milliseconds, a time */
	KIND_SECONDS, /* seconds, a time */
	KIND_NUMBER,
};

struct key {
	const char *name;
	enum kind kind;
	size_t offset;            /* of the field in struct recovery_policy */
	const struct word *words; /* of flags and resets */
	uint32_t least;           /* of times, in milliseconds, and numbers */
	uint32_t most;
	const char *why; /* what else is to be known of the range; of words: what they are */
};

#define FIELD(field) offsetof(struct recovery_policy, field)

#define POLL_WHY "each look is a call of the firmware"
#define WAIT_WHY "the kernel waits for a state a second at least"

static const struct key keys[POLICY_RECOVERY_KEY_COUNT] = {
	[POLICY_RECOVERY_MODE] = {"mode", KIND_FLAG, FIELD(manual), mode_words, 0, 0,
				  "automatic or manual"},
	[POLICY_RECOVERY_FIRST_RESET] = {"first-reset", KIND_RESET, FIELD(first_reset), reset_words,
					 0, 0, "auto, hot or fundamental"},
	[POLICY_RECOVERY_ESCALATE] = {"escalate", KIND_FLAG, FIELD(no_escalation), escalate_words,
				      0, 0, "yes or no"},
	[POLICY_RECOVERY_INJECTION] = {"injection", KIND_FLAG, FIELD(injection), injection_words, 0,
				       0, "no or yes"},
	[POLICY_RECOVERY_IDLE_POLL] = {"idle-poll", KIND_TIME, FIELD(idle_poll), NULL, 10, HOUR,
				       POLL_WHY},
	[POLICY_RECOVERY_FAST_POLL] = {"fast-poll", KIND_TIME, FIELD(fast_poll), NULL, 10, HOUR,
				       POLL_WHY},
	[POLICY_RECOVERY_FAST_POLL_FOR] = {"fast-poll-for", KIND_TIME, FIELD(fast_poll_for), NULL,
					   0, HOUR, "0s: one look"},
	[POLICY_RECOVERY_VOTE_TIMEOUT] = {"vote-timeout", KIND_TIME, FIELD(vote_timeout), NULL,
					  SECOND, HOUR,
					  "in less, programs that are busy can't answer"},
	[POLICY_RECOVERY_HOLD] = {"hold", KIND_TIME, FIELD(hold), NULL, 100, MINUTE,
				  "PCI and PAPR want a reset of 100ms at least"},
	[POLICY_RECOVERY_SETTLE] = {"settle", KIND_TIME, FIELD(settle), NULL, 1500, 10 * MINUTE,
				    "PCI Express wants a device left alone for 1500ms at least "
				    "after a reset"},
	[POLICY_RECOVERY_RETRY_PAUSE] = {"retry-pause", KIND_TIME, FIELD(retry_pause), NULL, 0,
					 HOUR, "0s: none"},
	[POLICY_RECOVERY_RESET_TRIES] = {"reset-tries", KIND_NUMBER, FIELD(reset_tries), NULL, 1,
					 10, "each takes seconds"},
	[POLICY_RECOVERY_NORMAL_TIMEOUT] = {"normal-timeout", KIND_TIME, FIELD(normal_timeout),
					    NULL, SECOND, HOUR, WAIT_WHY},
	[POLICY_RECOVERY_HOST_TIMEOUT] = {"host-timeout", KIND_TIME, FIELD(host_timeout), NULL,
					  SECOND, HOUR, WAIT_WHY},
	[POLICY_RECOVERY_OPERATION_TIMEOUT] = {"operation-timeout", KIND_TIME,
					       FIELD(operation_timeout), NULL, SECOND, HOUR,
					       WAIT_WHY},
	[POLICY_RECOVERY_MOST_FREEZES] = {"most-freezes", KIND_NUMBER, FIELD(most_freezes), NULL, 0,
					  1000, "0: none is recovered from"},
	[POLICY_RECOVERY_FREEZE_WINDOW] = {"freeze-window", KIND_SECONDS,
					   FIELD(freeze_window_seconds), NULL, SECOND, 168 * HOUR,
					   "whole seconds"},
};

enum policy_recovery_key recovery_key_find(const char *name)
{
	unsigned int key = 0;

	while (key < POLICY_RECOVERY_KEY_COUNT && strcmp(keys[key].name, name) != 0) {
		key++;
	}
	return (enum policy_recovery_key)key;
}

const char *policy_recovery_key_name(enum policy_recovery_key key)
{
	return keys[key].name;
}

/* -- fields -- */

static uint32_t read_field(const struct recovery_policy *values, const struct key *key)
{
	const char *field = (const char *)values + key->offset;
	uint32_t number = 0;
	enum recovery_reset reset;
	bool flag;

	switch (key->kind) {
	case KIND_FLAG:
		memcpy(&flag, field, sizeof(flag));
		return flag;
	case KIND_RESET:
		memcpy(&reset, field, sizeof(reset));
		return reset;
	case KIND_TIME:
	case KIND_SECONDS:
	case KIND_NUMBER:
		memcpy(&number, field, sizeof(number));
	}
	return number;
}

static void write_field(struct recovery_policy *values, const struct key *key, uint32_t number)
{
	char *field = (char *)values + key->offset;
	const enum recovery_reset reset = (enum recovery_reset)number;
	const bool flag = number != 0;

	switch (key->kind) {
	case KIND_FLAG:
		memcpy(field, &flag, sizeof(flag));
		break;
	case KIND_RESET:
		memcpy(field, &reset, sizeof(reset));
		break;
	case KIND_TIME:
	case KIND_SECONDS:
	case KIND_NUMBER:
		memcpy(field, &number, sizeof(number));
		break;
	}
}

void recovery_key_copy(struct recovery_policy *to, const struct recovery_policy *from,
		       enum policy_recovery_key key)
{
	write_field(to, &keys[key], read_field(from, &keys[key]));
}

/* -- text -- */

/* A number of the key's range, not yet in the unit of its field. */
static bool parse_number(const struct key *key, const char *text, uint32_t *ret_number)
{
	uint64_t quantity = 0;
	uint32_t number = 0;

	if (key->kind == KIND_NUMBER) {
		if (!quantity_parse(text, &quantity) || quantity > UINT32_MAX) {
			return false;
		}
		number = (uint32_t)quantity;
	} else if (!time_parse(text, &number)) {
		return false;
	}
	*ret_number = number;
	return number >= key->least && number <= key->most;
}

bool recovery_key_set(struct recovery_policy *values, enum policy_recovery_key key,
		      const char *text)
{
	const struct key *entry = &keys[key];
	uint32_t number = 0;

	if (entry->words ? !word_parse(entry->words, text, &number)
			 : !parse_number(entry, text, &number)) {
		return false;
	}
	if (entry->kind == KIND_SECONDS) {
		if (number % SECOND != 0) {
			return false;
		}
		number /= SECOND;
	}
	write_field(values, entry, number);
	return true;
}

static void print_number(const struct key *key, uint32_t number, char ret_text[static TEXT_SIZE])
{
	switch (key->kind) {
	case KIND_FLAG:
	case KIND_RESET:
		(void)snprintf(ret_text, TEXT_SIZE, "%s", word_of(key->words, number));
		break;
	case KIND_TIME:
	case KIND_SECONDS:
		time_print(number, ret_text, TEXT_SIZE);
		break;
	case KIND_NUMBER:
		(void)snprintf(ret_text, TEXT_SIZE, "%" PRIu32, number);
		break;
	}
}

struct policy_value policy_recovery_format(const struct recovery_policy *values,
					   enum policy_recovery_key key)
{
	const struct key *entry = &keys[key];
	uint32_t number = read_field(values, entry);
	struct policy_value value;
	char text[TEXT_SIZE];

	print_number(entry, entry->kind == KIND_SECONDS ? number * SECOND : number, text);
	(void)snprintf(value.text, sizeof(value.text), "%s", text);
	return value;
}

struct policy_value recovery_key_expects(enum policy_recovery_key key)
{
	const struct key *entry = &keys[key];
	struct policy_value value;
	char least[TEXT_SIZE];
	char most[TEXT_SIZE];

	if (entry->words) {
		(void)snprintf(value.text, sizeof(value.text), "%s", entry->why);
		return value;
	}
	print_number(entry, entry->least, least);
	print_number(entry, entry->most, most);
	(void)snprintf(value.text, sizeof(value.text), "%s from %s to %s%s; %s",
		       entry->kind == KIND_NUMBER ? "a number" : "a time", least, most,
		       entry->kind == KIND_NUMBER ? "" : " with its unit (ms, s, min, h)",
		       entry->why);
	return value;
}
