/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/entries.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/param.h>

#define ROOM_AT_FIRST 64

struct sim_entry *sim_entry_free(struct sim_entry *entry)
{
	if (entry) {
		sim_mm_discharge(entry->mm, entry->locked);
		(void)sim_mm_unref(entry->mm);
		sim_pieces_done(&entry->region.pieces);
		free(entry);
	}
	return NULL;
}

size_t sim_entries_find(const struct sim_entries *entries, uint64_t iova)
{
	size_t low = 0;
	size_t high = entries->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (sim_entry_last(entries->entry[middle]) < iova) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return low;
}

struct sim_entry *sim_entries_overlap(const struct sim_entries *entries, uint64_t iova,
				      uint64_t size)
{
	size_t index = sim_entries_find(entries, iova);

	if (index == entries->count || entries->entry[index]->iova > iova + (size - 1)) {
		return NULL;
	}
	return entries->entry[index];
}

bool sim_entries_cut(const struct sim_entries *entries, uint64_t iova, uint64_t last)
{
	const struct sim_entry *first = sim_entries_overlap(entries, iova, 1);
	const struct sim_entry *end = sim_entries_overlap(entries, last, 1);

	return (first && first->iova != iova) || (end && sim_entry_last(end) != last);
}

int sim_entries_insert(struct sim_entries *entries, struct sim_entry *entry)
{
	size_t index = sim_entries_find(entries, entry->iova);

	if (entries->count == entries->room) {
		size_t room = MAX(2 * entries->room, ROOM_AT_FIRST);
		struct sim_entry **larger =
			reallocarray(entries->entry, room, sizeof(struct sim_entry *));

		if (!larger) {
			return -ENOMEM;
		}
		entries->entry = larger;
		entries->room = room;
	}
	memmove(&entries->entry[index + 1], &entries->entry[index],
		(entries->count - index) * sizeof(struct sim_entry *));
	entries->entry[index] = entry;
	entries->count++;
	return 0;
}

void sim_entries_remove(struct sim_entries *entries, size_t first, size_t count)
{
	for (size_t i = first; i < first + count; i++) {
		entries->entry[i] = sim_entry_free(entries->entry[i]);
	}
	entries->count -= count;
	if (count > 0) {
		memmove(&entries->entry[first], &entries->entry[first + count],
			(entries->count - first) * sizeof(struct sim_entry *));
	}
}

void sim_entries_done(struct sim_entries *entries)
{
	sim_entries_remove(entries, 0, entries->count);
	free(entries->entry);
	*entries = (struct sim_entries){.entry = NULL};
}
