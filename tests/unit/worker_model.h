/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What an address space must be after random requests to its worker, and the maps and unmaps among
 * them. */
#pragma once

#include "common/range.h"
#include "worker_fixture.h"

#define SECTIONS      6U
#define SECTION_PAGES 8U
#define SECTION_SIZE  (SECTION_PAGES * PAGE)
#define GROUPS        4U
#define MAPPINGS      256U
#define MANY          6U

struct host {
	const char *name;
	const char *const types[3];
	uint32_t groups[GROUPS];
	uint32_t group_count;
	bool tce;
	bool lpar;
};

struct model_section {
	uint32_t id; /* 0: none */
	uint32_t flags;
	uint64_t gpa;
	uint64_t base; /* the worker's address of it less its gpa, once seen */
};

struct model_container {
	uint32_t id;
	uint32_t groups; /* bit per index in host.groups */
	bool v1;
};

struct model {
	const struct host *host;
	struct model_section section[SECTIONS];
	struct worker_mapping mapping[MAPPINGS];
	uint32_t mapping_count;
	struct worker_window window[WORKER_WINDOWS_MAX];
	uint32_t window_count;
	struct model_container container[GROUPS];
	uint32_t container_count;
	uint32_t last_container;
	struct worker_policy policy;
	uint64_t seed;
	unsigned int step;
	bool may_fail;        /* an ioctl failed */
	bool windows_unknown; /* a first group came, and DESCRIBE has not been asked since */
	bool wild;            /* so many fail that not all is taken back */
};

struct map_request {
	struct worker_mapping map[MANY];
	struct range unmap[MANY];
	uint32_t count;
	uint32_t type;
	uint64_t id;
};

/* A random number below a limit. */
uint32_t below(struct model *model, uint32_t limit);

/* The mapping that a range overlaps, the window and the section that contain something; or NULL. */
const struct worker_mapping *model_overlap(const struct model *model, struct range iova);
const struct worker_window *model_window(const struct model *model, struct range iova);
struct model_section *model_section(struct model *model, uint64_t gpa);

/* Whether a mapping is an identity section's own. */
bool is_identity(const struct model *model, const struct worker_mapping *mapping);
void model_insert(struct model *model, const struct worker_mapping *mapping);
void model_erase(struct model *model, struct range iova);

/* What an identity section is mapped as. */
struct worker_mapping own_mapping(const struct model_section *section);

/* The container of a group, by its index; or NULL. */
struct model_container *model_container(struct model *model, uint32_t group);

/* A code must be as expected, unless an ioctl has failed: then it may fail with anything. */
void check_code(const struct model *model, int code, int expected);

/* A map or unmap of one or many, or of nonsense. */
struct map_request choose_map_request(struct model *model);
void send_map_request(struct fixture *fixture, struct map_request *request);

/* The last answer is the request's: it must be what the model expects, and changes that. `leaving`:
 * a section may be coming or going. */
void take_map_answer(struct model *model, const struct map_request *request, uint32_t leaving);
