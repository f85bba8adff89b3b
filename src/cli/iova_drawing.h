/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A picture of an IOVA space: a bar for each window, and how much of it is mapped where.
 *
 * Concepts
 *   cell   one character of a bar. It stands for a power of two of bytes, at least a page, so that
 *          the scale is a round number; each window has its own scale.
 *   shade  how much of a cell is mapped. One mapped byte is enough to tell a cell from an empty
 *          one, and one byte that is missing to tell it from a full one.
 *   hole   what lies between two windows. It is named, not drawn: holes can be a million times
 *          larger than windows.
 */
#pragma once

#include <stdio.h>

#include "cli/model.h"
#include "cli/terminal.h"

/*
 * Draw ascending windows. Mappings come in any order; parts of them outside all windows are not
 * drawn. Neither needs to be right: what overlaps is counted as full.
 */
void iova_drawing_print(FILE *file, const struct terminal *terminal,
			const struct model_windows *windows, const struct range *mappings,
			size_t mapping_count);
