/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is not asked because it harms a real kernel, as far as this process can know:
 *
 *   MAP and UNMAP past the end of a window: memory beyond the table is written.
 *
 *   MAP and UNMAP of no page at the start of a window, with POWER8's bridges, and a MAP there that
 *   fails at its first page, after which as many are cleared: the kernel invalidates entry after
 * entry without end, for it counts down from the first (pnv_pci_phb3_tce_invalidate).
 *
 *   REGISTER of size 0: a warning.
 *
 *   UNREGISTER of memory that is mapped: it stays pinned, with a warning when the process ends.
 *
 *   The end of a container whose registered memory is mapped by another only: a warning. A scene
 *   sees to that itself, a walk does not come near it.
 *
 *   CREATE of very many entries: a minute in the kernel when the window goes again.
 *
 *   1 to 3 bytes of edu's registers, flash and ports of e1000e: the emulated processor stops.
 *
 * On a host with a hypervisor a CREATE that fails may spoil the bridge until the next boot: a walk
 * does without it there.
 */
#pragma once

#include "question.h"

struct guard;
struct scene;

struct guard *guard_new(void);

/* Also refuse what is harmful only with what may be asked later, as in a walk. */
void guard_be_strict(struct guard *guard);

/* Another process, as which this one goes on, has mapped and registered nothing. */
void guard_forget(struct guard *guard);

/* NULL, or the harm that it would do. */
const char *guard_check(const struct scene *scene, const struct question *question);

/* Tell it what came of a question. start is that of a new window. */
void guard_note(struct scene *scene, const struct question *question, long result, uint64_t start);
