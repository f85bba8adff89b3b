/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A simulated host of many PEs: a bare-metal POWER9 host of PHBs with MANY_PES_SLOTS root ports
 * each, and in each of their slots one e1000e, bound to vfio-pci. So group N, PE and function are
 * one thing. Every slot has a location code of its own.
 */
#pragma once

#include <stdint.h>

#define MANY_PES_SLOTS 32U                     /* of a PHB */
#define MANY_PES_MAX   (256U * MANY_PES_SLOTS) /* as many devices as a simulated host may have */

#define MANY_PES_NAME_SIZE 16

/*
 * Write such a host's files, tree.dts and devices.ini, into a folder that is there and whose name
 * has a slash but no comma. The folder's name is then the host's: "--simulate=FOLDER,pace=10".
 * 0; -EINVAL: count is 0 or above MANY_PES_MAX; or what the file system says. Files that can't be
 * finished are removed.
 */
int many_pes_write(const char *folder, unsigned int count);

/* The function of a group: "0001:05:00.0". */
void many_pes_name_device(unsigned int group, char ret_name[static MANY_PES_NAME_SIZE]);

/* Its location code, "P1-C5". */
void many_pes_name_location(unsigned int group, char ret_name[static MANY_PES_NAME_SIZE]);
