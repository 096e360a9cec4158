// SPDX-License-Identifier: GPL-2.0-or-later
/* The part of accounts.h that is about vCPUs that wait for each other. */
#include "boost/accounts.h"

#include "core/relate.h"
#include "core/run.h"

#define READ(word)         __atomic_load_n(&(word), __ATOMIC_RELAXED)
#define WRITE(word, value) __atomic_store_n(&(word), (value), __ATOMIC_RELEASE)

static int64_t own_tokens_ns(const struct pvs_vcpu_account *a, uint64_t now_ns)
{
	struct pvs_run run = pvs_run_of(a, READ(a->in_ns), now_ns);
	uint32_t entitled = READ(a->entitled_permille);
	uint64_t full_at_ns;

	full_at_ns = pvs_run_full_at(&run, &a->rule, READ(a->repaid_at_ns), entitled, now_ns);
	return pvs_bucket_worth(&a->rule, pvs_bucket_tokens(&a->rule, full_at_ns, now_ns),
	                        entitled);
}

/* Of what is shared where the pulse would run. */
static int64_t shared_tokens_ns(const struct accounts *accounts, const struct pvs_vcpu_account *a,
                                uint64_t now_ns)
{
	const struct pvs_domain_account *domain = &accounts->domains[READ(a->domain)];
	const struct pvs_cpu_account *cpu = &accounts->cpus[READ(a->cpu) % PVS_CPUS_MAX];
	int64_t left_ns = pvs_bucket_tokens(&domain->rule, READ(domain->repaid_at_ns), now_ns);

	left_ns = MIN(left_ns,
	              pvs_bucket_tokens(accounts->cpu_rule, READ(cpu->repaid_at_ns), now_ns));
	return MIN(left_ns, (int64_t)pvs_cpu_sheet_left(cpu, now_ns));
}

struct policy_offer account_offer(const struct accounts *accounts, unsigned int waiter,
                                  unsigned int awaited, uint64_t now_ns)
{
	int64_t shared_ns = shared_tokens_ns(accounts, &accounts->vcpus[awaited], now_ns);
	int64_t own_ns = own_tokens_ns(&accounts->vcpus[waiter], now_ns);

	if (own_ns < PVS_CHARGE_MIN_NS)
		return (struct policy_offer){.payer = PVS_PAYER_DOMAIN, .tokens_ns = shared_ns};
	return (struct policy_offer){.payer = waiter + 1, .tokens_ns = MIN(own_ns, shared_ns)};
}

void account_set_payer(const struct accounts *accounts, unsigned int slot, uint32_t payer,
                       uint64_t pulse_ns)
{
	struct pvs_vcpu_account *a = &accounts->vcpus[slot];

	WRITE(a->pulse_end_ns, READ(a->used_ns) + pulse_ns);
	WRITE(a->payer, payer);
}

void account_set_waits_from(const struct accounts *accounts, unsigned int slot, uint64_t from_ns)
{
	WRITE(accounts->vcpus[slot].waits_from_ns, from_ns);
}

/* Does the guest say that what was preempted must not be? Its page was read when that happened. */
static bool is_critical(const struct pvs_vcpu_account *a, uint64_t now_ns)
{
	const struct pvs_request *r = &a->request;

	return READ(r->agent) && READ(r->words[2]) && READ(a->out) == PVS_OUT_PREEMPTED &&
	       now_ns < READ(r->read_ns) + PVSCHED_REQUEST_LEASE_NS;
}

struct help_sibling account_sibling(const struct accounts *accounts, unsigned int waiter,
                                    unsigned int sibling, uint32_t arg, uint64_t now_ns)
{
	const struct pvs_vcpu_account *w = &accounts->vcpus[waiter];
	const struct pvs_vcpu_account *a = &accounts->vcpus[sibling];
	bool is_told = pvs_waits_how(arg) != PVS_WAITS_SPINS && pvs_waits_slot(arg) == sibling;
	uint64_t since_ns = pvs_relate_waits_since(a);
	struct help_sibling ret = {.vcpu = sibling, .waits = since_ns != 0};

	if (!since_ns)
		return ret;
	ret.named = is_told && pvs_waits_how(arg) == PVS_WAITS_NAMED;
	ret.sent = READ(w->awaits) == sibling && pvs_relate_awaits(w, a, now_ns);
	ret.critical = is_critical(a, now_ns);
	for (size_t i = 0; i < ARRAY_SIZE(a->pending); i++)
		ret.pending = ret.pending || READ(a->pending[i]);
	ret.waited_ns = now_ns > since_ns ? now_ns - since_ns : 0;
	return ret;
}
