/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/text.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"

/* -- PCI classes -- */

const char *pci_class_name(uint32_t class)
{
	/* The most exact ones first: base class, subclass and interface; then without the
	 * interface; then the base class alone. */
	static const struct {
		unsigned int shift;
		uint32_t value;
		const char *name;
	} table[] = {
		{0, 0x010802, "NVMe storage"}, {0, 0x0c0330, "USB controller"},
		{8, 0x0100, "SCSI storage"},   {8, 0x0104, "RAID storage"},
		{8, 0x0106, "SATA storage"},   {8, 0x0107, "SAS storage"},
		{8, 0x0108, "NVM storage"},    {8, 0x0200, "Ethernet"},
		{8, 0x0207, "InfiniBand"},     {8, 0x0300, "VGA display"},
		{8, 0x0302, "3D controller"},  {8, 0x0403, "audio"},
		{8, 0x0600, "host bridge"},    {8, 0x0604, "PCI bridge"},
		{8, 0x0b40, "co-processor"},   {8, 0x0c03, "USB controller"},
		{8, 0x0c04, "Fibre Channel"},  {8, 0x0c06, "InfiniBand"},
		{16, 0x00, "unclassified"},    {16, 0x01, "storage"},
		{16, 0x02, "network"},         {16, 0x03, "display"},
		{16, 0x04, "multimedia"},      {16, 0x05, "memory"},
		{16, 0x06, "bridge"},          {16, 0x07, "communication"},
		{16, 0x08, "system"},          {16, 0x09, "input"},
		{16, 0x0b, "processor"},       {16, 0x0c, "serial bus"},
		{16, 0x0d, "wireless"},        {16, 0x10, "encryption"},
		{16, 0x12, "accelerator"},
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		if (class >> table[i].shift == table[i].value) {
			return table[i].name;
		}
	}
	return NULL;
}

/* -- text from others -- */

void text_disarm(char *text)
{
	for (unsigned char *c = (unsigned char *)text; *c; c++) {
		if (*c < 0x20 || *c == 0x7f) {
			*c = '?';
		} else if (c[0] == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0) {
			/* U+0080 to U+009F: some terminals take them for escape sequences. */
			c[0] = '?';
			c[1] = '?';
		}
	}
}

void text_print(FILE *file, const char *text)
{
	char *copy cleanup(cleanup_free) = strdup(text);

	if (copy) {
		text_disarm(copy);
		(void)fputs(copy, file);
	}
}

/* -- lines -- */

static bool is_character_start(char c)
{
	return ((unsigned char)c & 0xc0) != 0x80;
}

static unsigned int count_columns(const char *text, size_t length)
{
	unsigned int columns = 0;

	for (size_t i = 0; i < length; i++) {
		columns += is_character_start(text[i]);
	}
	return columns;
}

unsigned int text_columns(const char *text)
{
	return count_columns(text, strlen(text));
}

/* The length of the word that text begins with. A range, "[0x0, 0x1000)", is one word. */
static size_t measure_word(const char *text)
{
	size_t length = strcspn(text, " ");

	if (text[0] == '[' && text[length] == ' ' && text[length - 1] == ',') {
		length += 1 + strcspn(text + length + 1, " ");
	}
	return length;
}

void text_print_wrapped(FILE *file, const char *text, unsigned int used, unsigned int indent,
			unsigned int width)
{
	unsigned int column = used;
	bool first = true; /* in its line */

	text += strspn(text, " ");
	while (*text) {
		size_t length = measure_word(text);
		unsigned int columns = count_columns(text, length);

		if (!first && column + 1 + columns > width) {
			(void)fprintf(file, "\n%*s", (int)indent, "");
			column = indent;
			first = true;
		}
		(void)fprintf(file, "%s%.*s", first ? "" : " ", (int)length, text);
		column += columns + !first;
		first = false;
		text += length;
		text += strspn(text, " ");
	}
	(void)fputc('\n', file);
}

/* -- errors -- */

int error_say(struct error *error, const char *format, ...)
{
	va_list arguments;

	error->code = ERROR_KERNEL;
	error->errnum = 0;
	va_start(arguments, format);
	(void)vsnprintf(error->text, sizeof(error->text), format, arguments);
	va_end(arguments);
	return (int)error->code;
}
