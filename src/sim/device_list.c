/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/device_list.h"

#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "sim/device_list_values.h"

/* inih cuts longer lines without a word. */
#define LINE_MAX_LENGTH 190U
#define SECTION_DEVICE  "device "

/* Where the parser is; parsing ends at the first error. */
struct parser {
	struct device_list *list;
	const char *next; /* of the text */
	const char *end;
	unsigned int line;
	bool in_host;
	bool seen_host;
	struct listed_device *device; /* the section's */
	struct error *error;
	int code; /* of the first error */
};

int device_list_error(const struct device_list *list, unsigned int line, struct error *error,
		      const char *format, ...)
{
	char text[ERROR_TEXT_SIZE];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	return error_set(error, ERROR_INVALID_ARGUMENT, 0, "%s:%u: %s", list->name, line, text);
}

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
	parser->code = device_list_error(parser->list, parser->line, parser->error, "%s", text);
}

/* addresses */

/* Exactly so many hexadecimal digits. */
static const char *parse_hex(const char *text, unsigned int digits, unsigned int *ret_value)
{
	unsigned int value = 0;

	for (unsigned int i = 0; i < digits; i++) {
		if (!isxdigit((unsigned char)text[i])) {
			return NULL;
		}
		value = value << 4 | (unsigned int)(isdigit((unsigned char)text[i])
							    ? text[i] - '0'
							    : tolower(text[i]) - 'a' + 10);
	}
	*ret_value = value;
	return text + digits;
}

bool pci_address_parse(const char *text, struct pci_address *ret_address)
{
	unsigned int domain;
	unsigned int bus;
	unsigned int slot;
	unsigned int function;

	text = parse_hex(text, 4, &domain);
	text = text && *text == ':' ? parse_hex(text + 1, 2, &bus) : NULL;
	text = text && *text == ':' ? parse_hex(text + 1, 2, &slot) : NULL;
	text = text && *text == '.' ? parse_hex(text + 1, 1, &function) : NULL;
	if (!text || *text != '\0' || slot > 31 || function > 7) {
		return false;
	}
	*ret_address = (struct pci_address){
		.domain = (uint16_t)domain,
		.bus = (uint8_t)bus,
		.devfn = (uint8_t)(slot << 3 | function),
	};
	return true;
}

void pci_address_print(struct pci_address address, char ret_text[static SIM_DEVICE_NAME_SIZE])
{
	(void)snprintf(ret_text, SIM_DEVICE_NAME_SIZE, "%04x:%02x:%02x.%x", address.domain,
		       address.bus, address.devfn >> 3, address.devfn & 7U);
}

int pci_address_compare(struct pci_address a, struct pci_address b)
{
	uint32_t left = (uint32_t)a.domain << 16 | (uint32_t)a.bus << 8 | a.devfn;
	uint32_t right = (uint32_t)b.domain << 16 | (uint32_t)b.bus << 8 | b.devfn;

	return (left > right) - (left < right);
}

static int compare_devices(const void *a, const void *b)
{
	const struct listed_device *left = a;
	const struct listed_device *right = b;

	return pci_address_compare(left->address, right->address);
}

/* sections */

static void begin_device(struct parser *parser, const char *name)
{
	struct device_list *list = parser->list;
	struct listed_device *devices;
	struct pci_address address;

	if (!pci_address_parse(name, &address)) {
		fail(parser, "\"%s\" is no PCI address such as 0000:01:00.0", name);
		return;
	}
	if (list->device_count >= DEVICE_LIST_DEVICES_MAX) {
		fail(parser, "a simulated host has at most %u devices", DEVICE_LIST_DEVICES_MAX);
		return;
	}
	devices = list->devices;
	/* Room for twice as many each time. */
	if ((list->device_count & (list->device_count - 1)) == 0) {
		devices = reallocarray(devices, list->device_count > 0 ? list->device_count * 2 : 1,
				       sizeof(*devices));
	}
	if (!devices) {
		fail(parser, "no memory for the devices");
		return;
	}
	list->devices = devices;
	parser->device = &devices[list->device_count++];
	*parser->device = (struct listed_device){.section = parser->line, .address = address};
}

/* A line that begins with a bracket. inih tells of sections only by their keys, and would let one
 * without any pass. */
static void begin_section(struct parser *parser, const char *text)
{
	char name[LINE_MAX_LENGTH + 1];
	size_t length = strcspn(text + 1, "]\r\n");

	parser->in_host = false;
	parser->device = NULL;
	if (text[1 + length] != ']') {
		fail(parser, "a section's name ends with a bracket");
		return;
	}
	(void)snprintf(name, sizeof(name), "%.*s", (int)length, text + 1);
	if (strcmp(name, "host") == 0) {
		if (parser->seen_host) {
			fail(parser, "there is a [host] already");
		}
		parser->in_host = true;
		parser->seen_host = true;
	} else if (strncmp(name, SECTION_DEVICE, strlen(SECTION_DEVICE)) == 0) {
		begin_device(parser, name + strlen(SECTION_DEVICE));
	} else {
		fail(parser, "[%s] is no section; there are [host] and [device 0000:01:00.0]",
		     name);
	}
}

/* values */

static void set_value(struct parser *parser, const char *key, const char *value)
{
	const char *wrong = NULL;
	unsigned int *line = NULL;
	bool again; /* config lines are many */
	char wanted[DEVICE_LIST_WANTED_SIZE] = "";

	if (parser->in_host) {
		wrong = device_list_set_host(&parser->list->host, key, value, &line);
	} else if (parser->device) {
		wrong = device_list_set_device(parser->device, key, value, &line, wanted);
	} else {
		fail(parser, "\"%s\" stands in no section", key);
		return;
	}
	again = parser->device && line == &parser->device->line[DEVICE_KEY_CONFIG];
	if (wrong) {
		fail(parser, "%s = %s: %s%s", key, value, wrong, wanted);
	} else if (!line) {
		fail(parser, "\"%s\" is no key of [%s]", key, parser->in_host ? "host" : "device");
	} else if (*line == 0) {
		*line = parser->line;
	} else if (!again) {
		fail(parser, "\"%s\" was given in line %u already", key, *line);
	}
}

static int handle_value(void *userdata, const char *section, const char *key, const char *value)
{
	struct parser *parser = userdata;

	(void)section;
	if (parser->code == 0) {
		set_value(parser, key, value);
	}
	return parser->code == 0;
}

/* inih's source of lines. */
static char *read_line(char *buffer, int size, void *userdata)
{
	struct parser *parser = userdata;
	size_t left = (size_t)(parser->end - parser->next);
	const char *newline = memchr(parser->next, '\n', left);
	size_t length = newline ? (size_t)(newline - parser->next) : left;

	if (left == 0 || parser->code != 0) {
		return NULL;
	}
	parser->line++;
	if (length > LINE_MAX_LENGTH || length + 2 > (size_t)size) {
		fail(parser, "the line is longer than %u bytes", LINE_MAX_LENGTH);
		return NULL;
	}
	if (memchr(parser->next, '\0', length)) {
		fail(parser, "there is a zero byte in the line");
		return NULL;
	}
	/* Indented lines are lines, not the last one's continuation as inih would have it. */
	while (length > 0 && (*parser->next == ' ' || *parser->next == '\t')) {
		parser->next++;
		length--;
	}
	(void)snprintf(buffer, (size_t)size, "%.*s\n", (int)length, parser->next);
	parser->next += newline ? length + 1 : length;
	if (buffer[0] == '[') {
		begin_section(parser, buffer);
	}
	return parser->code == 0 ? buffer : NULL;
}

/* Two sections of one address, after all were read. */
static int find_duplicate(const struct device_list *list, struct error *error)
{
	for (size_t i = 1; i < list->device_count; i++) {
		const struct listed_device *one = &list->devices[i - 1];
		const struct listed_device *other = &list->devices[i];
		char name[SIM_DEVICE_NAME_SIZE];

		if (pci_address_compare(one->address, other->address) == 0) {
			unsigned int first =
				one->section < other->section ? one->section : other->section;
			unsigned int second = one->section + other->section - first;

			pci_address_print(one->address, name);
			return device_list_error(list, second, error,
						 "device %s has a section in line %u already", name,
						 first);
		}
	}
	return 0;
}

static int check_config_sizes(const struct device_list *list, struct error *error)
{
	for (size_t i = 0; i < list->device_count; i++) {
		const struct listed_device *device = &list->devices[i];

		if (device->config_size != 0 && device->config_end > device->config_size) {
			return device_list_error(list, device->line[DEVICE_KEY_CONFIG_SIZE], error,
						 "config-size = %" PRIu32
						 ", but there are bytes up to 0x%zx",
						 device->config_size, device->config_end);
		}
	}
	return 0;
}

static int parse(struct parser *parser)
{
	struct device_list *list = parser->list;
	int r = ini_parse_stream(read_line, parser, handle_value, parser);

	if (parser->code == 0 && r != 0) {
		parser->line = r > 0 ? (unsigned int)r : parser->line;
		fail(parser, "neither \"[section]\" nor \"key = value\"");
	}
	if (parser->code != 0) {
		return parser->code;
	}
	if (list->device_count > 0) {
		qsort(list->devices, list->device_count, sizeof(*list->devices), compare_devices);
	}
	r = find_duplicate(list, parser->error);
	return r ? r : check_config_sizes(list, parser->error);
}

int device_list_parse(const char *name, const void *text, size_t size,
		      struct device_list **ret_list, struct error *error)
{
	struct device_list *list = calloc(1, sizeof(*list));
	struct parser parser = {
		.list = list,
		.next = text,
		.end = (const char *)text + size,
		.error = error,
	};
	int r;

	if (list) {
		list->name = strdup(name);
	}
	if (!list || !list->name) {
		(void)device_list_free(list);
		return error_set(error, ERROR_KERNEL, ENOMEM, "no memory for the device list");
	}
	r = parse(&parser);
	if (r) {
		(void)device_list_free(list);
		return r;
	}
	*ret_list = list;
	return 0;
}

struct device_list *device_list_free(struct device_list *list)
{
	if (list) {
		for (size_t i = 0; i < list->device_count; i++) {
			free(list->devices[i].config);
			free(list->devices[i].regions);
		}
		free(list->devices);
		free(list->name);
		free(list);
	}
	return NULL;
}

const struct listed_device *device_list_find(const struct device_list *list,
					     struct pci_address address)
{
	struct listed_device key = {.address = address};

	if (list->device_count == 0) {
		return NULL;
	}
	return bsearch(&key, list->devices, list->device_count, sizeof(key), compare_devices);
}
