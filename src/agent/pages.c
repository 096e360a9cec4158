// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/pages.h"

#include <string.h>

#include "core/intent.h"

static void write_name(struct pvsched_page *page, const char name[32])
{
	uint64_t words[4];

	_Static_assert(sizeof(words) == sizeof(page->policy_name), "a policy's name");
	memcpy(words, name, sizeof(words));
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		PVS_STORE(((uint64_t *)(void *)page->policy_name)[i], words[i]);
}

void pages_store(struct pvsched_page *pages, const struct guest_cpu *cpus, uint32_t n,
                 const struct pvsched_channel_policy *policy, uint64_t generation, uint64_t nonce)
{
	for (uint32_t i = 0; i < n; i++) {
		struct pvsched_page *page = &pages[i];

		PVS_STORE(page->request, 0); /* of an earlier generation */
		PVS_STORE(page->abi_version, PVSCHED_ABI_VERSION);
		PVS_STORE(page->policy_version, policy->version);
		write_name(page, policy->name);
		PVS_STORE(page->protocol_id, PVSCHED_PROTOCOL);
		PVS_STORE(page->requested_mode, PVSCHED_MODE);
		PVS_STORE(page->apic_id, cpus[i].apic_id);
		PVS_STORE(page->cpu_index, i);
		PVS_STORE(page->nonce, nonce);
		__atomic_store_n(&page->generation_echo, generation, __ATOMIC_RELEASE);
	}
}

void pages_choose(struct pvsched_page *pages, uint32_t n, const char name[32], uint32_t version)
{
	for (uint32_t i = 0; i < n; i++) {
		write_name(&pages[i], name);
		PVS_STORE(pages[i].policy_version, version);
	}
}

uint32_t pages_announce(struct pvsched_page *pages, const struct guest_cpu *cpus, uint32_t n,
                        uint32_t agent_generation)
{
	uint32_t unseen = 0;

	for (uint32_t i = 0; i < n; i++) {
		bool seen = PVS_LOAD(pages[i].task_intent) != PVS_INTENT_UNSEEN;
		uint32_t says = cpus[i].online && seen ? agent_generation : 0;

		unseen += cpus[i].online && !seen;
		if (PVS_LOAD(pages[i].agent_generation) != says)
			__atomic_store_n(&pages[i].agent_generation, says, __ATOMIC_RELEASE);
	}
	return unseen;
}

void pages_clear(struct pvsched_page *pages, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		__atomic_store_n(&pages[i].agent_generation, 0, __ATOMIC_RELEASE);
		__atomic_store_n(&pages[i].generation_echo, 0, __ATOMIC_RELEASE);
		PVS_STORE(pages[i].request, 0);
		PVS_STORE(pages[i].expect, 0);
		PVS_STORE(pages[i].written_ns, 0);
		PVS_STORE(pages[i].nonce, 0);
	}
}

void page_request(struct pvsched_page *page, uint64_t tuple, uint32_t sequence,
                  uint32_t expected_us, uint64_t now_ns)
{
	PVS_STORE(page->written_ns, expected_us ? now_ns : 0);
	PVS_STORE(page->expect, pvsched_expect(expected_us, sequence));
	__atomic_store_n(&page->request, sequence ? pvsched_request(tuple, sequence) : 0,
	                 __ATOMIC_RELEASE);
}

void page_line(struct pvsched_page *page, const struct pvsched_channel_vcpu *line,
               uint32_t host_abi_version, uint64_t generation)
{
	PVS_STORE(page->applied_state, line->applied_state);
	PVS_STORE(page->run_delay_ns, line->run_delay_ns);
	PVS_STORE(page->boosted_ns, line->boosted_ns);
	PVS_STORE(page->host_cpu, line->host_cpu);
	PVS_STORE(page->host_flags, line->host_flags);
	PVS_STORE(page->boosts, line->boosts);
	PVS_STORE(page->throttles, line->throttles);
	__atomic_store_n(&page->published_ns, line->published_ns, __ATOMIC_RELEASE);
	PVS_STORE(page->host_abi_version, host_abi_version);
	__atomic_store_n(&page->generation, generation, __ATOMIC_RELEASE);
	__atomic_store_n(&page->status, line->status, __ATOMIC_RELEASE);
}
