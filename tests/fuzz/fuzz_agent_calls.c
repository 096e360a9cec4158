/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What programs in the guest send to the agent: calls, and the words of their pages. Whatever these
 * are, the page that the host reads says something that has a meaning.
 */
#include "agent/requests.h"
#include "agent/socket.h"

#include "fuzz.h"

#define CPUS 4

struct step {
	uint8_t program, user;
	uint16_t ms;
	uint32_t reserved;
	uint64_t request, expect, written_ns;
};

static struct settings settings;
static struct pvsched_page pages[CPUS], page;

static void check_pages(void)
{
	for (int i = 0; i < CPUS; i++) {
		enum pvsched_urgency says = pvsched_request_urgency(pages[i].request);
		uint32_t priority = (uint32_t)(pages[i].request >> 16) & 0xff;

		FUZZ_CHECK(says != PVSCHED_URGENCY_INVALID);
		FUZZ_CHECK(says != PVSCHED_URGENCY_URGENT || (priority >= 1 && priority <= 60));
		if (says == PVSCHED_URGENCY_URGENT)
			FUZZ_CHECK(!pvsched_expect_us(pages[i].expect, pages[i].request));
	}
}

static void run(const uint8_t *data, size_t size, struct requests *requests)
{
	struct requester *programs[4] = {NULL};
	uint64_t now_ns = NSEC_PER_SEC, due_ns;
	struct step s;

	for (; size >= sizeof(s); data += sizeof(s), size -= sizeof(s)) {
		struct requester **program;

		memcpy(&s, data, sizeof(s));
		program = &programs[s.program % 4];
		now_ns += s.ms * NSEC_PER_MSEC;
		due_ns = requests_tick(requests, now_ns);
		FUZZ_CHECK(due_ns > now_ns);
		page.request = s.request;
		page.expect = s.expect;
		page.written_ns = s.written_ns;
		if (!*program)
			requester_new(requests, s.user % 3, program);
		else if (s.user == 0xff)
			*program = requester_free(*program, now_ns);
		if (*program)
			requester_look(*program, s.program >> 2, &page, now_ns);
		check_pages();
	}
	for (int i = 0; i < 4; i++)
		requester_free(programs[i], now_ns);
	for (int i = 0; i < CPUS; i++)
		FUZZ_CHECK(!pages[i].request);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pvsched_agent_call call;
	struct requests *requests;

	if (socket_call_valid(data, size, &call))
		FUZZ_CHECK(call.type >= PVSCHED_AGENT_REGION && call.type <= PVSCHED_AGENT_STATUS);
	settings_init(&settings);
	settings.users[0].rt_priority_max = 60;
	settings.users[settings.n_users++] = (struct settings_user){.uid = 1,
	                                                            .connections_max = 2,
	                                                            .rt_priority_max = 7,
	                                                            .urgent_permille = 300,
	                                                            .looks_per_s = 3};
	memset(pages, 0, sizeof(pages));
	requests = requests_new(&settings, pages, CPUS);
	FUZZ_CHECK(requests);
	requests_serve(requests, true, NSEC_PER_SEC);
	run(data, size, requests);
	requests_free(requests);
	return 0;
}
