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
 *   all or nothing  an unknown section or key, a bad value or a file that can't be read is an error
 *           with file and line, and then nothing of what was read applies.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
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

struct policy {
	struct window_policy window;
	struct policy_origin origins[POLICY_KEY_COUNT];
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

/* The defaults. 0 or -ENOMEM. */
int policy_new(struct policy **ret_policy);

/* Takes NULL, returns NULL. */
struct policy *policy_free(struct policy *policy);

/*
 * Read one file's text on top of what the policy says already. The name is for messages and origins
 * and is copied. 0, or ERROR_INVALID_ARGUMENT with "NAME:LINE: what is wrong", and then the policy
 * is only good for being freed.
 */
int policy_parse(struct policy *policy, const char *name, const void *text, size_t size,
		 struct error *error);

/* Read the files of some folders. 0, or ERROR_INVALID_ARGUMENT which names file and line, or the
 * file or folder that can't be read. */
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
