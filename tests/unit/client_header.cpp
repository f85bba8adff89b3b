/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libspaprd's header, as a C++ program has it. It is compiled, and not run. */
#include <spaprd/pe.h>

static enum spaprd_vote error_detected(void *, spaprd_pe *, uint32_t, enum spaprd_channel)
{
	return SPAPRD_VOTE_NEED_RESET;
}

int join(spaprd_client *client, spaprd_pe **ret_pe)
{
	spaprd_pe_callbacks callbacks{};
	spaprd_error error;

	callbacks.size = sizeof(callbacks);
	callbacks.error_detected = error_detected;
	return spaprd_pe_join(client, 2, &callbacks, nullptr, ret_pe, &error);
}
