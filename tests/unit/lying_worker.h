/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A worker that plays a role: "honest" with groups, memory and policy, or one that describes itself
 * as no worker may. It answers Translate with what it was told: gpa is its policy's page sizes,
 * left how often it was told a policy.
 */
#pragma once

/* The group that a thief says it has, whatever it was given. */
#define LYING_WORKER_THEFT 2U

/* To be called in the process that the broker started as a worker. Returns its exit status. */
int lying_worker_play(const char *role);
