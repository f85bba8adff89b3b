/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A library has nothing to log: what fails its caller is told. These stand for those of
 * common/log.c, which would bring the journal along. */
#include "common/log.h"

void log_write(int priority, struct log_object object, const char *format, ...)
{
	(void)priority;
	(void)object;
	(void)format;
}

void log_write_fields(int priority, struct log_object object, const struct log_field *fields,
		      size_t count, const char *format, ...)
{
	(void)priority;
	(void)object;
	(void)fields;
	(void)count;
	(void)format;
}
