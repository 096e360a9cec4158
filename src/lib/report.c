/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
#include "lib/report.h"

#include <errno.h>
#include <sched.h>
#include <string.h>

#include "lib/silence.h"

#define LOAD(p) __atomic_load_n((p), __ATOMIC_RELAXED)

/* How often a snapshot is read again if the host changed it during the read. */
#define SNAPSHOT_TRIES 4

static const struct {
	const char *name, *text;
} states[] = {
        [PVSCHED_STATE_NO_DEVICE] = {"no-device", "this machine has no shared memory device"},
        [PVSCHED_STATE_NO_HOST] = {"no-host", "no pvschedd serves this machine now"},
        [PVSCHED_STATE_NO_PAGE] = {"no-page", "the host has no page for this CPU"},
        [PVSCHED_STATE_WAITING] = {"waiting", "the host has not answered the hello yet"},
        [PVSCHED_STATE_DISABLED] = {"disabled", "the host refuses requests for this CPU now"},
        [PVSCHED_STATE_ENABLED] = {"enabled", "the host serves requests for this CPU"},
        [PVSCHED_STATE_UNKNOWN_POLICY] = {"unknown-policy", "the host serves another policy"},
        [PVSCHED_STATE_ABI] = {"abi-mismatch", "the host uses another version of the page"},
        [PVSCHED_STATE_POLICY_VERSION] = {"policy-version-mismatch",
                                          "the host uses another version of the policy"},
        [PVSCHED_STATE_PROTOCOL] = {"protocol-mismatch", "the host uses another protocol, or "
                                                         "takes this page for another CPU's"},
        [PVSCHED_STATE_MODE] = {"mode-mismatch", "the host does not have the requested mode"},
        [PVSCHED_STATE_UNKNOWN] = {"unknown", "the host gave an answer that this library does "
                                              "not know; it may need an update"},
        [PVSCHED_STATE_SILENT] = {"silent", "the host has published nothing for 2 s: it is dead, "
                                            "hangs, or is kept from running"},
};

const char *pvsched_state_name(enum pvsched_state state)
{
	return states[(unsigned int)state <= PVSCHED_STATE_SILENT ? state : PVSCHED_STATE_UNKNOWN]
	        .name;
}

const char *pvsched_state_text(enum pvsched_state state)
{
	return states[(unsigned int)state <= PVSCHED_STATE_SILENT ? state : PVSCHED_STATE_UNKNOWN]
	        .text;
}

static enum pvsched_state state_of(uint32_t status)
{
	switch ((enum pvsched_status)status) {
	case PVSCHED_STATUS_DISABLED:
		return PVSCHED_STATE_DISABLED;
	case PVSCHED_STATUS_ENABLED:
		return PVSCHED_STATE_ENABLED;
	case PVSCHED_STATUS_UNKNOWN_POLICY:
		return PVSCHED_STATE_UNKNOWN_POLICY;
	case PVSCHED_STATUS_ABI:
		return PVSCHED_STATE_ABI;
	case PVSCHED_STATUS_POLICY_VERSION:
		return PVSCHED_STATE_POLICY_VERSION;
	case PVSCHED_STATUS_PROTOCOL:
		return PVSCHED_STATE_PROTOCOL;
	case PVSCHED_STATUS_MODE:
		return PVSCHED_STATE_MODE;
	}
	return PVSCHED_STATE_UNKNOWN;
}

static void snapshot(const struct pvsched_page *page, struct pvsched_report *ret)
{
	uint64_t applied = LOAD(&page->applied_state);
	uint32_t throttled = pvsched_applied_throttled(applied), flags = LOAD(&page->host_flags);

	ret->boosted = pvsched_applied_boost(applied) != PVSCHED_BOOST_NONE;
	ret->throttled = (throttled & PVSCHED_THROTTLED_BURST ? PVSCHED_BY_BURST : 0) |
	                 (throttled & PVSCHED_THROTTLED_SHARE ? PVSCHED_BY_SHARE : 0);
	ret->preempted = !!(flags & PVSCHED_HOST_PREEMPTED);
	ret->avoid = !!(flags & PVSCHED_HOST_AVOID);
	ret->host_cpu = LOAD(&page->host_cpu);
	ret->run_delay_ns = LOAD(&page->run_delay_ns);
	ret->boosted_ns = LOAD(&page->boosted_ns);
	ret->boosts = LOAD(&page->boosts);
	ret->throttles = LOAD(&page->throttles);
}

void pvsched_page_report(const struct pvsched_place *place, struct pvsched_report *ret)
{
	const struct pvsched_page *page = place->page;
	uint32_t status = __atomic_load_n(&page->status, __ATOMIC_ACQUIRE);

	ret->generation = place->generation;
	ret->page = place->number;
	/* An answer with another generation does not answer this hello. */
	if (__atomic_load_n(&page->generation, __ATOMIC_ACQUIRE) != place->generation) {
		ret->state = PVSCHED_STATE_WAITING;
		return;
	}
	ret->state = state_of(status);
	ret->host_abi_version = LOAD(&page->host_abi_version);
	ret->accepted_mode = LOAD(&page->accepted_mode);
	for (int i = 0; i < SNAPSHOT_TRIES; i++) {
		ret->published_ns = __atomic_load_n(&page->published_ns, __ATOMIC_ACQUIRE);
		snapshot(page, ret);
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (LOAD(&page->published_ns) == ret->published_ns)
			return;
	}
}

int pvsched_query(struct pvsched *host, uint32_t cpu, struct pvsched_report *ret)
{
	struct pvsched_place place = {0};
	struct pvsched_map *map;
	int r, here = cpu == PVSCHED_CPU_CURRENT;

	*ret = (struct pvsched_report){.state = PVSCHED_STATE_NO_DEVICE, .apic_id = CPUS_UNKNOWN};
	if (cpu == PVSCHED_CPU_CURRENT) {
		r = sched_getcpu();
		cpu = r < 0 ? PVSCHED_CPU_CURRENT : (uint32_t)r;
	}
	ret->cpu = cpu;
	ret->apic_id = PVSCHED_APIC_ID_NONE;
	if (!host)
		return PVSCHED_NO_DEVICE;
	r = pvsched_place_find(host, cpu, &place);
	if (pvsched_cpus_apic_id(&host->cpus, cpu) != CPUS_UNKNOWN)
		ret->apic_id = pvsched_cpus_apic_id(&host->cpus, cpu);
	ret->generation = pvsched_current(host, &map, &ret->page_count);
	if (r == 0) {
		pvsched_page_report(&place, ret);
		pvsched_silence_look(host, cpu, here, ret);
		if (ret->state == PVSCHED_STATE_SILENT && place.map == host->agent.map)
			pvsched_agent_again(&host->agent); /* it was killed, perhaps */
	} else {
		ret->state = r == PVSCHED_NO_PAGE ? PVSCHED_STATE_NO_PAGE : PVSCHED_STATE_NO_HOST;
	}
	return r;
}

enum pvsched_state pvsched_negotiated(struct pvsched *host, uint32_t cpu)
{
	struct pvsched_report report;

	pvsched_query(host, cpu, &report);
	return report.state;
}
