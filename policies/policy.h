/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Policies: what the administrator of a host wants done where callers leave it open, and what they
 * may not have at all. spaprd.conf(5) documents each key.
 *
 * Concepts
 *   folder  its *.conf files are read in the order of their names. Folders are read one after the
 *           other: the shipped one, /etc/spaprd, /run/spaprd.
 *   key     what a file says of it replaces what earlier files said; other keys stay as they are.
 *   origin  the file and line that a key has its value from, or none: the built-in default.
 *   set     a section [recovery NAME]: values under a name, which other sections can be based on
 *           ("use = NAME"). [recovery VVVV:DDDD] and [recovery pe PHB:PE] say which of them applies
 *           where, and with which differences; they are based on the set "default" unless they say
 *           otherwise, sets on nothing but the built-in defaults.
 *   all or nothing  an unknown section or key, a bad value or a file that can't be read is an error
 *           with file and line, and then nothing of what was read applies.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "common/recovery_policy.h"
#include "common/worker_protocol.h"

/* The keys of [window], in the order in which they are shown. */
enum policy_key {
	POLICY_IOMMU_TYPE,
	POLICY_CONTAINER_SHARING,
	POLICY_DEFAULT_WINDOW,
	POLICY_PAGE_SIZES,
	POLICY_MOST_TCES,
	POLICY_TABLE_PIECE,
	POLICY_SHARED_DETACH,
	POLICY_MEMORY_FILES,
	POLICY_KEY_COUNT,
};

/* Whether a group may join a container that its address space has already. */
enum policy_sharing {
	POLICY_SHARING_AUTO, /* not on POWER, where EEH needs a group to be alone; else yes */
	POLICY_SHARING_YES,
	POLICY_SHARING_NO,
};

/* The section [window]. All zero is the default. */
struct window_policy {
	char iommu_type[WORKER_IOMMU_TYPE_SIZE]; /* zero-padded; empty: the host's best */
	enum policy_sharing sharing;
	struct worker_policy worker; /* what workers carry out */
};

struct policy_origin {
	const char *file; /* the policy's own; NULL: the default */
	unsigned int line;
};

/* The keys of [access], in the order in which they are shown. */
enum policy_access_key {
	POLICY_ACCESS_BIND_DEVICES,
	POLICY_ACCESS_BIND_DRIVERS,
	POLICY_ACCESS_DELEGATE,
	POLICY_ACCESS_RELEASE_TIMEOUT,
	POLICY_ACCESS_KEY_COUNT,
};

#define POLICY_ACCESS_SECTION "access"

/* More of them don't fit into a line. */
#define ACCESS_RULES_MAX    24U
#define ACCESS_DRIVERS_MAX  8U
#define ACCESS_ADDRESS_SIZE 13U /* "0001:01:00.0" and the zero */
#define ACCESS_DRIVER_SIZE  32U

enum access_match {
	ACCESS_MATCH_ALL,     /* each device */
	ACCESS_MATCH_VENDOR,  /* "8086:*" */
	ACCESS_MATCH_DEVICE,  /* "8086:10d3" */
	ACCESS_MATCH_ADDRESS, /* "0001:01:00.0" */
	ACCESS_MATCH_CLASS,   /* "class:0200", "class:02": the class code's upper bytes */
};

struct access_rule {
	enum access_match match;
	uint16_t vendor;
	uint16_t device;
	char address[ACCESS_ADDRESS_SIZE]; /* in lower case */
	uint32_t class_code;               /* 24 bits, as sysfs has them */
	uint32_t class_mask;               /* which of them count */
};

/* The section [access]. access_policy_default is the default. */
struct access_policy {
	/* Which devices may be bound; no rules: none. Bridges never are. */
	struct access_rule bind_rules[ACCESS_RULES_MAX];
	size_t bind_rule_count;
	/* The drivers that may be asked for; the first one is what Bind("") takes. */
	char bind_drivers[ACCESS_DRIVERS_MAX][ACCESS_DRIVER_SIZE];
	size_t bind_driver_count;
	/*
	 * Whether a group's fd may be handed to a VMM. Off: the kernel checks only the first page
	 * of MAP and UNMAP against the window and indexes its tables beyond their end with the rest
	 * (tce_iommu_build, pnv_tce), so who has a container's fd can write to kernel memory.
	 */
	bool delegate;
	/* How long the owner of a device that is to be unplugged has to let go of it. */
	uint32_t release_timeout; /* milliseconds */
};

/* What a rule can go by. */
struct access_device {
	const char *name; /* "0001:01:00.0" */
	uint16_t vendor;
	uint16_t device;
	uint32_t class_code; /* 24 bits */
};

/* The keys of [recovery], in the order in which they are shown. */
enum policy_recovery_key {
	POLICY_RECOVERY_MODE,
	POLICY_RECOVERY_FIRST_RESET,
	POLICY_RECOVERY_ESCALATE,
	POLICY_RECOVERY_INJECTION,
	POLICY_RECOVERY_IDLE_POLL,
	POLICY_RECOVERY_FAST_POLL,
	POLICY_RECOVERY_FAST_POLL_FOR,
	POLICY_RECOVERY_VOTE_TIMEOUT,
	POLICY_RECOVERY_HOLD,
	POLICY_RECOVERY_SETTLE,
	POLICY_RECOVERY_RETRY_PAUSE,
	POLICY_RECOVERY_RESET_TRIES,
	POLICY_RECOVERY_NORMAL_TIMEOUT,
	POLICY_RECOVERY_HOST_TIMEOUT,
	POLICY_RECOVERY_OPERATION_TIMEOUT,
	POLICY_RECOVERY_MOST_FREEZES,
	POLICY_RECOVERY_FREEZE_WINDOW,
	POLICY_RECOVERY_KEY_COUNT,
};

/* How the names of these sections begin, and the key that is not one of the values. */
#define POLICY_RECOVERY_SECTION "recovery"
#define POLICY_USE_KEY          "use"

/* The name of the set that applies where nothing else does: [recovery default], or [recovery]. */
#define POLICY_DEFAULT_SET "default"

/* The longest name of a set: "NAME (NAME)" is the name of a struct recovery_policy. */
#define POLICY_SET_NAME_MAX 28U

/* A section [recovery NAME]. */
struct policy_recovery {
	/* "default", "aggressive": a set. "8086:10d3", "pe 1234:ab": what it is about, always
	 * written like this. */
	char name[POLICY_SET_NAME_MAX + 1];
	bool is_set;
	char use[POLICY_SET_NAME_MAX + 1]; /* the set that it is based on; empty: not said */
	struct policy_origin use_origin;
	struct recovery_policy values; /* of the keys that have an origin */
	struct policy_origin origins[POLICY_RECOVERY_KEY_COUNT];
};

struct policy {
	struct window_policy window;
	struct policy_origin origins[POLICY_KEY_COUNT];
	struct access_policy access;
	struct policy_origin access_origins[POLICY_ACCESS_KEY_COUNT];
	/* In the order in which they were first seen; the first one is the default. */
	struct policy_recovery *recoveries;
	size_t recovery_count;
	char **files; /* that were read, in their order */
	size_t file_count;
};

struct policy_folders {
	const char *const *paths;
	size_t count;
	bool must_exist; /* else one that is not there has no files */
};

/* The shipped folder, /etc/spaprd and /run/spaprd; none of them needs to exist. */
extern const struct policy_folders policy_system_folders;

/* Larger files, and more of them, are refused. */
#define POLICY_FILE_MAX  65536U /* bytes */
#define POLICY_FILES_MAX 1024U

/* Likewise more sections [recovery NAME]. */
#define POLICY_RECOVERIES_MAX 1024U

/* The defaults. 0 or -ENOMEM. */
int policy_new(struct policy **ret_policy);

/* Takes NULL, returns NULL. */
struct policy *policy_free(struct policy *policy);

/*
 * Read one file's text on top of what the policy says already. The name is for messages and origins
 * and is copied. 0, or ERROR_INVALID_ARGUMENT with "NAME:LINE: what is wrong", and then the policy
 * is only good for being freed. After the last file comes policy_check.
 */
int policy_parse(struct policy *policy, const char *name, const void *text, size_t size,
		 struct error *error);

/*
 * Whether what all files say goes together: each set that is used is there, and none is based on
 * itself. 0, or ERROR_INVALID_ARGUMENT with file and line, or ERROR_KERNEL (no memory).
 */
int policy_check(const struct policy *policy, struct error *error);

/* Read the files of some folders, and check. 0, or ERROR_INVALID_ARGUMENT which names file and
 * line, or the file or folder that can't be read. */
int policy_load(const struct policy_folders *folders, struct policy **ret_policy,
		struct error *error);

/* The section and the name of a key, as files have them. Static. */
const char *policy_key_section(enum policy_key key);
const char *policy_key_name(enum policy_key key);

struct policy_value {
	char text[256];
};

/* What applies, as a file would have it: policy_parse reads it back. */
struct policy_value policy_format(const struct policy *policy, enum policy_key key);

/* -- access -- */

/* All devices, the driver vfio-pci, no delegation, 30 seconds. */
extern const struct access_policy access_policy_default;

/* Whether the policy lets a device be bound to a driver of bind-drivers. A bridge never is: who
 * takes it from its driver takes everything below it. */
bool access_allows_device(const struct access_policy *access, const struct access_device *device);
bool access_is_bridge(uint32_t class_code);
bool access_allows_driver(const struct access_policy *access, const char *driver);

/* The name of a key, and its value, as files have them: policy_parse reads that back. */
const char *policy_access_key_name(enum policy_access_key key);
struct policy_value policy_access_format(const struct access_policy *access,
					 enum policy_access_key key);

/* -- recovery -- */

/* Which device a section [recovery VENDOR:DEVICE] is about. */
struct policy_device {
	uint16_t vendor;
	uint16_t device;
};

/*
 * How a PE is to be watched and recovered: by the section of the PE itself, else of the first of
 * its devices that has one, else the default. phb and pe_number may be UINT32_MAX, for not known.
 * The policy may be NULL: the built-in defaults.
 */
void policy_find_recovery(const struct policy *policy, uint32_t phb, uint32_t pe_number,
			  const struct policy_device *devices, size_t device_count,
			  struct recovery_policy *ret_recovery);

/* The section that policy_find_recovery goes by. Sections are the policy's, until the next
 * policy_parse. */
const struct policy_recovery *policy_find_section(const struct policy *policy, uint32_t phb,
						  uint32_t pe_number,
						  const struct policy_device *devices,
						  size_t device_count);

/* What comes of a section and of those that it is based on. */
struct policy_resolved {
	/* Its name is the section's; of one that has nothing but "use = manual": "8086:10d3
	 * (manual)". */
	struct recovery_policy values;
	/* The sections that the values are from; NULL: the built-in defaults. */
	const struct policy_recovery *from[POLICY_RECOVERY_KEY_COUNT];
};

void policy_resolve(const struct policy *policy, const struct policy_recovery *recovery,
		    struct policy_resolved *ret_resolved);

/* The name of a key, as files have it. Static. */
const char *policy_recovery_key_name(enum policy_recovery_key key);

/* A value as a file would have it. */
struct policy_value policy_recovery_format(const struct recovery_policy *values,
					   enum policy_recovery_key key);

/* Read "8086:10d3", "0001:fd" (PHB and PE number). Whether it is one. */
bool policy_parse_device(const char *text, struct policy_device *ret_device);
bool policy_parse_pe(const char *text, uint32_t *ret_phb, uint32_t *ret_pe_number);
