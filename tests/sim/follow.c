/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Helpers that follow their vCPUs: bpf/follow.h on virtual time, and whether it is worth it. Such a
 * helper is a thread behind the vCPUs whose number is its slot, as theirs are.
 */
#include "follow.h"

#include "core/follow.h"

#include "rng.h"

bool follow_is_helper(const struct host *host, uint32_t thread)
{
	const struct thread *t = &host->world->threads[thread];

	return t->domain >= 0 && (thread >= host->n_vcpus || t->follows);
}

/* The slot of a helper that follows; -1: it does not. */
static int slot_of(const struct host *host, uint32_t number)
{
	for (uint32_t i = host->n_vcpus; i-- > 0;)
		if (host->vcpus[i].helper == number + 1)
			return (int)i;
	return -1;
}

static void tell(struct host *host, uint32_t slot, uint64_t since)
{
	struct pvs_vcpu_account *account = &host->vcpus[slot];

	if (host->mutation == MUTATION_FOLLOW_DEAF)
		return;
	if (pvs_follow_is_wanted(account) && pvs_follow_tell(account, since))
		tracer_send(host, slot, PVS_EVENT_HELPER_WAITS, 0);
}

uint64_t follow_look(struct host *host, uint32_t number, uint64_t now)
{
	int slot = slot_of(host, number);
	uint64_t since = host->helpers[number].since_ns, delay;

	if (slot < 0 || !since || !pvs_follow_is_wanted(&host->vcpus[slot]) ||
	    host->vcpus[slot].helper_told_ns == since)
		return 0;
	delay = pvs_follow_patience(since, now);
	if (!delay)
		tell(host, (uint32_t)slot, since);
	return delay;
}

void follow_call(struct host *host, uint32_t vcpu, uint32_t cpu)
{
	const struct pvs_vcpu_account *out = &host->vcpus[vcpu];

	if (out->out != PVS_OUT_HALTED || !(out->flags & PVS_FLAG_BOOSTED) || out->helper)
		return;
	for (uint32_t i = 0; i < host->n_vcpus; i++) {
		uint32_t helper = host->vcpus[i].helper;

		if (host->vcpus[i].domain == out->domain && helper &&
		    host->helpers[helper - 1].since_ns && host->helpers[helper - 1].cpu == cpu)
			tell(host, i, host->helpers[helper - 1].since_ns);
	}
}

void follow_count(const struct host *host, struct sim_urgent *ret)
{
	for (uint32_t i = 0; i < host->world->n_threads; i++) {
		const struct pvs_helper_account *helper;

		if (!host->world->threads[i].follows)
			continue;
		helper = &host->helpers[host->helper_of[i]];
		ret->helper_waits += helper->waits;
		ret->helper_wait_ns += helper->wait_ns;
	}
}

/* By a booster that is no slower than most, helpers wait for at most half as long. */
const char *follow_judge(const struct sim_result *result)
{
	const struct sim_urgent *with = &result->heard, *without = &result->unheard;

	if (!with->helper_waits || !without->helper_waits)
		return "no helper waited";
	if (with->helper_wait_ns * without->helper_waits * 2 >
	    without->helper_wait_ns * with->helper_waits)
		return "helpers that follow waited as long as others";
	return NULL;
}
