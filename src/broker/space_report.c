/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "broker/space_report.h"

#include <inttypes.h>
#include <string.h>

#include "broker/group.h"
#include "broker/manager.h"
#include "common/log.h"
#include "host/topology.h"

/* Whether the container goes with the group: the description that says so is still to come. */
static bool was_last(const struct space *space, uint32_t container_id)
{
	for (uint32_t i = 0; i < space->container_count; i++) {
		if (space->containers[i].container_id == container_id) {
			return space->containers[i].group_count == 1;
		}
	}
	return false;
}

static void log_detached(const struct space *space, const struct group *group,
			 const struct worker_detached *detached)
{
	if (detached->replayed == 0 && was_last(space, detached->container_id)) {
		log_write(LOG_WARNING, LOG_SPACE(space->number),
			  "group %" PRIu32 " was taken away, and was the last one: container "
			  "%" PRIu32 " took %" PRIu64 " mappings with it",
			  group->host->id, detached->container_id, detached->lost);
		return;
	}
	log_write(LOG_WARNING, LOG_SPACE(space->number),
		  "when group %" PRIu32 " left container %" PRIu32
		  " the kernel cleared the mappings of the groups that stay: %" PRIu64
		  " were made again, %" PRIu64 " could not be and are gone%s",
		  group->host->id, detached->container_id, detached->replayed, detached->lost,
		  detached->lost > 0 ? "; map them anew" : "");
}

void space_report_detached(struct space *space, const struct group *group,
			   const struct worker_answer *answer)
{
	const struct manager *manager = space->manager;
	const struct worker_detached *detached = answer->body;

	if (answer->error.code != ERROR_NONE || answer->size != sizeof(*detached) ||
	    (detached->replayed == 0 && detached->lost == 0)) {
		return;
	}
	log_detached(space, group, detached);
	if (manager->observer->mappings_replayed) {
		manager->observer->mappings_replayed(manager->observer_userdata, space, detached);
	}
}

static bool has_section(const struct space *space, uint32_t id)
{
	for (uint32_t i = 0; i < space->memory_count; i++) {
		if (space->memory[i].id == id) {
			return true;
		}
	}
	return false;
}

/* The reason as a line that can go on the bus, whatever the worker has sent. */
static void read_reason(const char why[WORKER_REASON_SIZE], char ret_line[WORKER_REASON_SIZE])
{
	size_t length = strnlen(why, WORKER_REASON_SIZE - 1);

	for (size_t i = 0; i < length; i++) {
		bool printable = why[i] >= ' ' && why[i] <= '~';

		ret_line[i] = (char)(printable ? why[i] : '?');
	}
	ret_line[length] = '\0';
}

void space_report_skipped(struct space *space, const void *answer, size_t size, size_t head)
{
	const struct manager *manager = space->manager;
	struct worker_skipped skipped;

	if (!manager->observer->memory_skipped) {
		return;
	}
	for (size_t at = head; at <= size && size - at >= sizeof(skipped); at += sizeof(skipped)) {
		char line[WORKER_REASON_SIZE];

		memcpy(&skipped, (const char *)answer + at, sizeof(skipped));
		read_reason(skipped.why, line);
		if (has_section(space, skipped.id)) {
			manager->observer->memory_skipped(manager->observer_userdata, space,
							  skipped.id, line);
		}
	}
}
