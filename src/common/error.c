/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/names.h"

struct error_entry {
	const char *bus_name;
	const char *sentence;
};

#define ENTRY(name, sentence)                   \
	{                                       \
		BUS_ERROR_PREFIX name, sentence \
	}

static const struct error_entry error_table[ERROR_CODE_COUNT] = {
	[ERROR_NONE] = ENTRY("None", "No error"),
	[ERROR_INVALID_ARGUMENT] = ENTRY("InvalidArgument", "An argument is not acceptable"),
	[ERROR_NOT_FOUND] = ENTRY("NotFound", "There is no such object"),
	[ERROR_GROUP_NOT_VIABLE] = ENTRY("GroupNotViable", "The group is not viable"),
	[ERROR_GROUP_BUSY] = ENTRY("GroupBusy", "The group is in use"),
	[ERROR_WINDOW_OVERLAP] = ENTRY("WindowOverlap", "A window is already there"),
	[ERROR_WINDOW_START] = ENTRY("WindowStart", "The window can't start at that address"),
	[ERROR_NO_WINDOW_LEFT] = ENTRY("NoWindowLeft", "The host has no window left"),
	[ERROR_PAGE_SIZE] = ENTRY("PageSize", "The IOMMU page size doesn't fit"),
	[ERROR_TABLE_MEMORY] = ENTRY("TableMemory", "No memory for the window's TCE table"),
	[ERROR_OUTSIDE_WINDOW] = ENTRY("OutsideWindow", "The range is not inside one window"),
	[ERROR_ALREADY_MAPPED] = ENTRY("AlreadyMapped", "The range overlaps a mapping"),
	[ERROR_NOT_MAPPED] = ENTRY("NotMapped", "The range is not made of whole mappings"),
	[ERROR_MEMORY_IN_USE] = ENTRY("MemoryInUse", "The memory is in use"),
	[ERROR_MEMORY_UNKNOWN] =
		ENTRY("MemoryUnknown", "The memory is not part of the address space"),
	[ERROR_QUOTA_EXCEEDED] = ENTRY("QuotaExceeded", "A limit is reached"),
	[ERROR_UNSUPPORTED] = ENTRY("Unsupported", "This host or this version can't do that"),
	[ERROR_FROZEN] = ENTRY("Frozen", "The PE is frozen"),
	[ERROR_EEH_UNAVAILABLE] = ENTRY("EehUnavailable", "There is no EEH here"),
	[ERROR_EEH_MANY_GROUPS] = ENTRY("EehManyGroups", "EEH needs one group per container"),
	[ERROR_RECOVERY_FAILED] = ENTRY("RecoveryFailed", "The PE could not be recovered"),
	[ERROR_BUSY] = ENTRY("Busy", "Another operation is under way"),
	[ERROR_WORKER_LOST] =
		ENTRY("WorkerLost", "The worker process of the address space is gone"),
	[ERROR_KERNEL] = ENTRY("KernelError", "The kernel refused"),
	[ERROR_DMA_FAULT] = ENTRY("DmaFault", "The IOMMU refused the DMA"),
	[ERROR_ACCESS_DENIED] = {"org.freedesktop.DBus.Error.AccessDenied", "Not allowed"},
	[ERROR_NOT_JOINED] = ENTRY("NotJoined", "Not a participant of the PE's recovery"),
	[ERROR_VOTE_CLOSED] = ENTRY("VoteClosed", "No vote is expected"),
	[ERROR_QUARANTINED] = ENTRY("Quarantined", "A device of the group could not be stopped"),
};

static const struct error_entry *find_entry(enum error_code code)
{
	return &error_table[(unsigned int)code < ERROR_CODE_COUNT ? code : ERROR_KERNEL];
}

const char *error_bus_name(enum error_code code)
{
	return find_entry(code)->bus_name;
}

const char *error_sentence(enum error_code code)
{
	return find_entry(code)->sentence;
}

enum error_code error_code_from_bus_name(const char *name)
{
	for (unsigned int code = ERROR_NONE; code < ERROR_CODE_COUNT; code++) {
		if (strcmp(error_table[code].bus_name, name) == 0) {
			return (enum error_code)code;
		}
	}
	return ERROR_CODE_COUNT;
}

const char *errno_name(int errnum)
{
	const char *name = strerrorname_np(errnum);

	return name ? name : "unknown errno";
}

static void append(struct error *error, const char *format, va_list arguments)
	__attribute__((format(printf, 2, 0)));

static void append(struct error *error, const char *format, va_list arguments)
{
	size_t used = strlen(error->text);

	(void)vsnprintf(error->text + used, sizeof(error->text) - used, format, arguments);
}

void error_append(struct error *error, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	append(error, format, arguments);
	va_end(arguments);
}

int error_set(struct error *error, enum error_code code, int errnum, const char *format, ...)
{
	va_list arguments;

	if (error) {
		error->code = code;
		error->errnum = errnum;
		(void)snprintf(error->text, sizeof(error->text), "%s: ", error_sentence(code));
		va_start(arguments, format);
		append(error, format, arguments);
		va_end(arguments);
		if (errnum) {
			error_append(error, " (%s)", errno_name(errnum));
		}
	}
	return (int)code;
}
