/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "policies/access.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/names.h"
#include "policies/words.h"

/* The longest word of a list is a driver's name. */
#define WORD_SIZE ACCESS_DRIVER_SIZE

#define CLASS_PREFIX "class:"
#define CLASS_BITS   24U

#define CLASS_BASE UINT32_C(0xff0000)
/* Of the PCI code and ID assignment specification: bridges with a bus below them. */
#define CLASS_SUB           UINT32_C(0xffff00)
#define CLASS_BRIDGE_PCI    UINT32_C(0x060400)
#define CLASS_BRIDGE_CARD   UINT32_C(0x060700)
#define CLASS_BRIDGE_OPAQUE UINT32_C(0x060900)

/* Shorter ones are over before a program has been told; longer ones leave an unplug hanging. */
#define RELEASE_TIMEOUT_LEAST UINT32_C(1000)
#define RELEASE_TIMEOUT_MOST  UINT32_C(3600000)

const struct access_policy access_policy_default = {
	.bind_rules = {{.match = ACCESS_MATCH_ALL}},
	.bind_rule_count = 1,
	.bind_drivers = {DRIVER_VFIO_PCI},
	.bind_driver_count = 1,
	.release_timeout = 30000,
};

static const struct word delegate_words[] = {
	{"no", 0},
	{"yes", 1},
	{NULL, 0},
};

/* -- words -- */

/* The next word of a list; false at its end. One that is too long for any value comes as "?", which
 * no value is. */
static bool next_word(const char **text, char ret_word[static WORD_SIZE])
{
	const char *start = *text + strspn(*text, " \t");
	size_t length = strcspn(start, " \t");

	if (length < WORD_SIZE) {
		(void)snprintf(ret_word, WORD_SIZE, "%.*s", (int)length, start);
	} else {
		(void)snprintf(ret_word, WORD_SIZE, "?");
	}
	*text = start + length;
	return length > 0;
}

/* Exactly so many lower-case hexadecimal digits. */
static bool parse_hex(const char *text, size_t digits, uint32_t *ret_number)
{
	uint32_t number = 0;

	if (strspn(text, "0123456789abcdef") < digits) {
		return false;
	}
	for (size_t i = 0; i < digits; i++) {
		unsigned int digit = text[i] <= '9' ? (unsigned int)(text[i] - '0')
						    : (unsigned int)(text[i] - 'a' + 10);

		number = number << 4 | digit;
	}
	*ret_number = number;
	return true;
}

/* -- devices -- */

static bool parse_numbers(const char *word, struct access_rule *ret_rule)
{
	uint32_t vendor = 0;
	uint32_t device = 0;

	if (!parse_hex(word, 4, &vendor) || word[4] != ':') {
		return false;
	}
	if (strcmp(word + 5, "*") == 0) {
		*ret_rule = (struct access_rule){.match = ACCESS_MATCH_VENDOR,
						 .vendor = (uint16_t)vendor};
		return true;
	}
	if (!parse_hex(word + 5, 4, &device) || word[9] != '\0') {
		return false;
	}
	*ret_rule = (struct access_rule){
		.match = ACCESS_MATCH_DEVICE,
		.vendor = (uint16_t)vendor,
		.device = (uint16_t)device,
	};
	return true;
}

static bool parse_address(const char *word, struct access_rule *ret_rule)
{
	uint32_t number = 0;

	if (strlen(word) != ACCESS_ADDRESS_SIZE - 1 || !parse_hex(word, 4, &number) ||
	    word[4] != ':' || !parse_hex(word + 5, 2, &number) || word[7] != ':' ||
	    !parse_hex(word + 8, 2, &number) || number > 0x1f || word[10] != '.' ||
	    word[11] < '0' || word[11] > '7') {
		return false;
	}
	*ret_rule = (struct access_rule){.match = ACCESS_MATCH_ADDRESS};
	(void)snprintf(ret_rule->address, sizeof(ret_rule->address), "%s", word);
	return true;
}

static bool parse_class(const char *word, struct access_rule *ret_rule)
{
	const char *digits = word + strlen(CLASS_PREFIX);
	size_t length;
	unsigned int shift;
	uint32_t number = 0;

	if (strncmp(word, CLASS_PREFIX, strlen(CLASS_PREFIX)) != 0) {
		return false;
	}
	length = strlen(digits);
	if ((length != 2 && length != 4) || !parse_hex(digits, length, &number)) {
		return false;
	}
	shift = CLASS_BITS - 4 * (unsigned int)length;
	*ret_rule = (struct access_rule){
		.match = ACCESS_MATCH_CLASS,
		.class_code = number << shift,
		.class_mask = (UINT32_C(0xffffff) >> shift) << shift,
	};
	return true;
}

static bool parse_rule(const char *word, struct access_rule *ret_rule)
{
	return parse_numbers(word, ret_rule) || parse_address(word, ret_rule) ||
	       parse_class(word, ret_rule);
}

static bool set_bind_devices(struct access_policy *access, const char *text)
{
	struct access_rule rules[ACCESS_RULES_MAX] = {{.match = ACCESS_MATCH_ALL}};
	char word[WORD_SIZE];
	size_t count = 0;

	if (strcmp(text, "all") == 0) {
		count = 1;
	} else if (strcmp(text, "none") != 0) {
		while (next_word(&text, word)) {
			if (count == ACCESS_RULES_MAX || !parse_rule(word, &rules[count])) {
				return false;
			}
			count++;
		}
		if (count == 0) {
			return false;
		}
	}
	memcpy(access->bind_rules, rules, sizeof(rules));
	access->bind_rule_count = count;
	return true;
}

static void print_rule(const struct access_rule *rule, char ret_text[static WORD_SIZE])
{
	switch (rule->match) {
	case ACCESS_MATCH_ALL:
		(void)snprintf(ret_text, WORD_SIZE, "all");
		break;
	case ACCESS_MATCH_VENDOR:
		(void)snprintf(ret_text, WORD_SIZE, "%04x:*", rule->vendor);
		break;
	case ACCESS_MATCH_DEVICE:
		(void)snprintf(ret_text, WORD_SIZE, "%04x:%04x", rule->vendor, rule->device);
		break;
	case ACCESS_MATCH_ADDRESS:
		(void)snprintf(ret_text, WORD_SIZE, "%s", rule->address);
		break;
	case ACCESS_MATCH_CLASS:
		if (rule->class_mask == CLASS_BASE) {
			(void)snprintf(ret_text, WORD_SIZE, CLASS_PREFIX "%02" PRIx32,
				       rule->class_code >> 16);
		} else {
			(void)snprintf(ret_text, WORD_SIZE, CLASS_PREFIX "%04" PRIx32,
				       rule->class_code >> 8);
		}
		break;
	}
}

static void print_bind_devices(const struct access_policy *access, char *ret_text, size_t size)
{
	size_t used = 0;

	if (access->bind_rule_count == 0) {
		(void)snprintf(ret_text, size, "none");
	}
	for (size_t i = 0; i < access->bind_rule_count; i++) {
		char word[WORD_SIZE];

		print_rule(&access->bind_rules[i], word);
		used += (size_t)snprintf(ret_text + used, size - used, "%s%s", used > 0 ? " " : "",
					 word);
	}
}

/* -- drivers -- */

/* What is a name in sysfs, and not a way to elsewhere. */
static bool is_driver_name(const char *word)
{
	size_t length = 0;

	while (isalnum((unsigned char)word[length]) || word[length] == '_' || word[length] == '-') {
		length++;
	}
	return length > 0 && word[length] == '\0';
}

static bool set_bind_drivers(struct access_policy *access, const char *text)
{
	char drivers[ACCESS_DRIVERS_MAX][ACCESS_DRIVER_SIZE] = {""};
	char word[WORD_SIZE];
	size_t count = 0;

	while (next_word(&text, word)) {
		if (count == ACCESS_DRIVERS_MAX || !is_driver_name(word)) {
			return false;
		}
		memcpy(drivers[count++], word, sizeof(word));
	}
	if (count == 0) {
		return false;
	}
	memcpy(access->bind_drivers, drivers, sizeof(drivers));
	access->bind_driver_count = count;
	return true;
}

static void print_bind_drivers(const struct access_policy *access, char *ret_text, size_t size)
{
	size_t used = 0;

	for (size_t i = 0; i < access->bind_driver_count; i++) {
		used += (size_t)snprintf(ret_text + used, size - used, "%s%s", used > 0 ? " " : "",
					 access->bind_drivers[i]);
	}
}

/* -- the others -- */

static bool set_delegate(struct access_policy *access, const char *text)
{
	uint32_t value = 0;

	if (!word_parse(delegate_words, text, &value)) {
		return false;
	}
	access->delegate = value != 0;
	return true;
}

static void print_delegate(const struct access_policy *access, char *ret_text, size_t size)
{
	(void)snprintf(ret_text, size, "%s", word_of(delegate_words, access->delegate));
}

static bool set_release_timeout(struct access_policy *access, const char *text)
{
	uint32_t value = 0;

	if (!time_parse(text, &value) || value < RELEASE_TIMEOUT_LEAST ||
	    value > RELEASE_TIMEOUT_MOST) {
		return false;
	}
	access->release_timeout = value;
	return true;
}

static void print_release_timeout(const struct access_policy *access, char *ret_text, size_t size)
{
	time_print(access->release_timeout, ret_text, size);
}

/* -- the keys -- */

struct key {
	const char *name;
	const char *expects;
	bool (*set)(struct access_policy *access, const char *text);
	void (*print)(const struct access_policy *access, char *ret_text, size_t size);
};

static const struct key keys[POLICY_ACCESS_KEY_COUNT] = {
	[POLICY_ACCESS_BIND_DEVICES] = {"bind-devices",
					"all, none, or a list of VVVV:DDDD, VVVV:*, PCI addresses "
					"and classes such as \"8086:* 0001:01:00.0 class:0200\", "
					"in lower case",
					set_bind_devices, print_bind_devices},
	[POLICY_ACCESS_BIND_DRIVERS] = {"bind-drivers",
					"a list of at most 8 drivers such as \"vfio-pci\"",
					set_bind_drivers, print_bind_drivers},
	[POLICY_ACCESS_DELEGATE] = {"delegate", "no or yes", set_delegate, print_delegate},
	[POLICY_ACCESS_RELEASE_TIMEOUT] = {"release-timeout",
					   "a time from 1s to 1h with its unit (ms, s, min, h)",
					   set_release_timeout, print_release_timeout},
};

enum policy_access_key access_key_find(const char *name)
{
	unsigned int key = 0;

	while (key < POLICY_ACCESS_KEY_COUNT && strcmp(keys[key].name, name) != 0) {
		key++;
	}
	return (enum policy_access_key)key;
}

const char *policy_access_key_name(enum policy_access_key key)
{
	return keys[key].name;
}

const char *access_key_expects(enum policy_access_key key)
{
	return keys[key].expects;
}

bool access_key_set(struct access_policy *access, enum policy_access_key key, const char *text)
{
	return keys[key].set(access, text);
}

struct policy_value policy_access_format(const struct access_policy *access,
					 enum policy_access_key key)
{
	struct policy_value value;

	keys[key].print(access, value.text, sizeof(value.text));
	return value;
}

/* -- what is allowed -- */

static bool rule_matches(const struct access_rule *rule, const struct access_device *device)
{
	switch (rule->match) {
	case ACCESS_MATCH_ALL:
		return true;
	case ACCESS_MATCH_VENDOR:
		return rule->vendor == device->vendor;
	case ACCESS_MATCH_DEVICE:
		return rule->vendor == device->vendor && rule->device == device->device;
	case ACCESS_MATCH_ADDRESS:
		return strcmp(rule->address, device->name) == 0;
	case ACCESS_MATCH_CLASS:
		return rule->class_code == (device->class_code & rule->class_mask);
	}
	return false;
}

bool access_is_bridge(uint32_t class_code)
{
	uint32_t class_sub = class_code & CLASS_SUB;

	return class_sub == CLASS_BRIDGE_PCI || class_sub == CLASS_BRIDGE_CARD ||
	       class_sub == CLASS_BRIDGE_OPAQUE;
}

bool access_allows_device(const struct access_policy *access, const struct access_device *device)
{
	bool allowed = false;

	for (size_t i = 0; i < access->bind_rule_count; i++) {
		allowed = allowed || rule_matches(&access->bind_rules[i], device);
	}
	return allowed && !access_is_bridge(device->class_code);
}

bool access_allows_driver(const struct access_policy *access, const char *driver)
{
	bool allowed = false;

	for (size_t i = 0; i < access->bind_driver_count; i++) {
		allowed = allowed || strcmp(access->bind_drivers[i], driver) == 0;
	}
	return allowed;
}
