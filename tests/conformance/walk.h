/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Random walks: questions drawn from a list of what can be asked, with arguments out of pools of
 * values that matter. A step depends on the seed and its number only, never on an answer, so any
 * step can be left out and the others stay what they are.
 */
#pragma once

#include "scene.h"

#define WALK_TEXT 160

/* Make step number `step`. The text tells its arguments. */
void walk_step(uint64_t seed, unsigned int step, struct question *ret_question,
	       char ret_text[static WALK_TEXT]);
