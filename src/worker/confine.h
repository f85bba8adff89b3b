/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Confinement: what the kernel lets a worker do once it has its fds. */
#pragma once

/*
 * Give up everything that the worker doesn't need, in all threads, also those that come later: it
 * may use, receive, map and close fds, and start threads, but not open or connect, execute, fork or
 * trace anything, and no ioctl but VFIO's.
 * A forbidden system call fails with EPERM: a library's harmless try must not cost a tenant its
 * DMA. 0 or -errno.
 */
int confine(void);
