// SPDX-License-Identifier: GPL-2.0-or-later
#include "boost/accounts.h"

#include <string.h>

#include "core/follow.h"
#include "core/helper.h"
#include "core/run.h"

/* BPF programs on other CPUs write these words: one load, one store, never torn or repeated. */
#define READ(word)         __atomic_load_n(&(word), __ATOMIC_RELAXED)
#define WRITE(word, value) __atomic_store_n(&(word), (value), __ATOMIC_RELEASE)

void account_reset(const struct accounts *accounts, unsigned int slot)
{
	memset(&accounts->vcpus[slot], 0, sizeof(accounts->vcpus[slot]));
}

static void flags_change(struct pvs_vcpu_account *a, uint32_t set, uint32_t clear)
{
	WRITE(a->flags, (READ(a->flags) & ~clear) | set); /* the daemon is the only writer */
}

static void rule_write(struct pvs_bucket_rule *rule, uint64_t burst_ns, uint32_t share_permille)
{
	WRITE(rule->burst_ns, burst_ns);
	WRITE(rule->share_permille, share_permille);
}

void account_set_terms(const struct accounts *accounts, unsigned int slot,
                       const struct account_terms *terms)
{
	struct pvs_vcpu_account *a = &accounts->vcpus[slot];
	uint32_t set = 0;

	WRITE(a->tid, (uint32_t)terms->tid);
	WRITE(a->domain, terms->domain);
	WRITE(a->priority, terms->priority);
	WRITE(a->helper, terms->helper);
	rule_write(&a->rule, terms->profile.burst_ns, terms->profile.share_permille);
	if (terms->kvm)
		set |= PVS_FLAG_KVM;
	if (terms->profile.mode == PROFILE_OBSERVE)
		set |= PVS_FLAG_IMAGINED;
	if (terms->resets_forks)
		set |= PVS_FLAG_RESETS_FORKS;
	if (help_is_wanted(&terms->profile))
		set |= PVS_FLAG_REPORT_WAITS;
	if (account_relates(&terms->profile))
		set |= PVS_FLAG_RELATES;
	flags_change(a, set,
	             PVS_FLAG_KVM | PVS_FLAG_IMAGINED | PVS_FLAG_RESETS_FORKS |
	                     PVS_FLAG_REPORT_WAITS | PVS_FLAG_RELATES);
}

void account_reset_domain(const struct accounts *accounts, unsigned int domain)
{
	accounts->domains[domain] = (struct pvs_domain_account){0};
}

bool account_domain_is_boosted(const struct accounts *accounts, unsigned int domain)
{
	for (unsigned int i = 0; i < PVS_VCPUS_MAX; i++)
		if (READ(accounts->vcpus[i].domain) == domain &&
		    (READ(accounts->vcpus[i].flags) & PVS_FLAG_BOOSTED))
			return true;
	return false;
}

void account_set_domain_rule(const struct accounts *accounts, unsigned int domain,
                             const struct pvs_bucket_rule *rule)
{
	rule_write(&accounts->domains[domain].rule, rule->burst_ns, rule->share_permille);
}

void account_set_cpu_rule(const struct accounts *accounts, const struct pvs_bucket_rule *rule)
{
	rule_write(accounts->cpu_rule, rule->burst_ns, rule->share_permille);
}

void account_set_prices(const struct accounts *accounts, const struct pvs_prices *prices)
{
	WRITE(accounts->prices->charge_min_ns, prices->charge_min_ns);
	WRITE(accounts->prices->tokens_min_ns, prices->tokens_min_ns);
	WRITE(accounts->prices->switch_ns, prices->switch_ns);
}

struct pvs_prices account_prices(const struct accounts *accounts)
{
	static const struct pvs_prices usual;
	const struct pvs_prices *prices = accounts->prices ?: &usual;

	return (struct pvs_prices){pvs_charge_min_ns(prices), pvs_tokens_min_ns(prices),
	                           READ(prices->switch_ns)};
}

void account_set_sheets(const struct accounts *accounts, uint64_t limit_ns)
{
	for (unsigned int i = 0; i < PVS_CPUS_MAX; i++)
		WRITE(accounts->cpus[i].sheet.limit_ns, (uint32_t)MIN(limit_ns, NSEC_PER_SEC));
}

/*
 * The tracer charges a run for its time since the vCPU was boosted last. If the vCPU was boosted
 * before in the same run, that time is owed as well: it is added up, and counts as if it had ended
 * with the last of those boosts.
 */
void account_boosted(const struct accounts *accounts, unsigned int slot, uint64_t now_ns)
{
	struct pvs_vcpu_account *a = &accounts->vcpus[slot];
	uint64_t in_ns = READ(a->in_ns);
	struct pvs_run run = pvs_run_of(a, in_ns, now_ns);

	if (run.last_ns) {
		/* in this order, a vCPU that is switched out meanwhile is charged twice, not never
		 */
		WRITE(a->earlier_ns, run.earlier_ns + run.last_ns);
		WRITE(a->earlier_until_ns, run.last_until_ns);
		WRITE(a->earlier_in_ns, in_ns);
	}
	WRITE(a->exhausted_at_ns, 0);
	WRITE(a->boosted_at_ns, now_ns);
	flags_change(a, PVS_FLAG_BOOSTED, 0);
}

void account_unboosted(const struct accounts *accounts, unsigned int slot, uint64_t now_ns)
{
	struct pvs_vcpu_account *a = &accounts->vcpus[slot];

	WRITE(a->unboosted_at_ns, now_ns);
	flags_change(a, 0, PVS_FLAG_BOOSTED);
}

void account_watch_again(const struct accounts *accounts, unsigned int slot)
{
	/* the deadline of the present run has fired: until the next switch-in it has none */
	WRITE(accounts->vcpus[slot].watched_ns, 0);
	WRITE(accounts->vcpus[slot].exhausted_at_ns, 0);
}

void account_report_halt(const struct accounts *accounts, unsigned int slot, bool report)
{
	struct pvs_vcpu_account *a = &accounts->vcpus[slot];

	flags_change(a, report ? PVS_FLAG_REPORT_HALTED : 0, report ? 0 : PVS_FLAG_REPORT_HALTED);
}

static enum policy_whereabouts whereabouts(const struct pvs_vcpu_account *a, uint64_t in_ns)
{
	uint32_t out = READ(a->out);

	if (in_ns)
		return POLICY_RUNNING;
	if (out == PVS_OUT_PREEMPTED || READ(a->wake_ns) > READ(a->out_ns))
		return POLICY_WAITING;
	/* why a thread sleeps that was not switched out since it is traced is not known */
	return out == PVS_OUT_HALTED ? POLICY_HALTED : POLICY_BLOCKED;
}

enum policy_whereabouts account_whereabouts(const struct accounts *accounts, unsigned int slot)
{
	const struct pvs_vcpu_account *a = &accounts->vcpus[slot];

	return whereabouts(a, READ(a->in_ns));
}

static struct pvs_bucket_rule rule_read(const struct pvs_bucket_rule *rule)
{
	return (struct pvs_bucket_rule){
	        .burst_ns = READ(rule->burst_ns),
	        .share_permille = READ(rule->share_permille),
	};
}

/* What a vCPU wants of a bucket that it shares, and what its present run has not been charged. */
struct demand {
	uint64_t burst_ns, used_ns;
};

/* Returns when the bucket holds a burst. Its tokens count if they are less than *tokens_ns. */
static uint64_t look_at_bucket(const struct pvs_bucket_rule *rule, uint64_t repaid_at_ns,
                               const struct demand *demand, uint64_t now_ns, int64_t *tokens_ns)
{
	int64_t left_ns = pvs_bucket_tokens(rule, repaid_at_ns, now_ns) - (int64_t)demand->used_ns;

	*tokens_ns = MIN(*tokens_ns, left_ns);
	return pvs_bucket_ready_at(rule, repaid_at_ns, demand->burst_ns);
}

/* What the sheet of the vCPU's CPU has left counts as tokens do. */
static void look_at_sheet(const struct pvs_cpu_account *cpu, const struct demand *demand,
                          uint64_t now_ns, struct policy_facts *ret)
{
	int64_t left_ns = pvs_cpu_sheet_left(cpu, now_ns) - (int64_t)demand->used_ns;
	uint64_t uncharged_ns = demand->used_ns + pvs_cpu_foreign_run(cpu, now_ns);

	ret->tokens_ns = MIN(ret->tokens_ns, left_ns);
	ret->sheet_used_up = left_ns <= ret->prices.tokens_min_ns;
	ret->sheet_at_ns = pvs_sheet_ready_at(&cpu->sheet, now_ns, demand->burst_ns + uncharged_ns);
}

/*
 * The longest time that a helper of the domain has waited on the vCPU's CPU behind boosted vCPUs of
 * the domain. The part of the present run that is not charged yet is added; if the vCPU was boosted
 * more than once in this run, only the time since the last boost. A wait that was reported is too
 * long for each of these vCPUs: there is no second report. A helper that is boosted itself does not
 * wait for its own end.
 */
static void look_at_helpers(const struct accounts *accounts, const struct pvs_vcpu_account *a,
                            const struct pvs_run *run, struct policy_facts *ret)
{
	uint32_t domain = READ(a->domain), cpu = READ(a->cpu);
	uint32_t waiting = READ(accounts->domains[domain].helpers_waiting);

	for (; waiting; waiting &= waiting - 1) {
		uint32_t number = domain * PVS_HELPERS_OF_DOMAIN + (uint32_t)__builtin_ctz(waiting);
		const struct pvs_helper_account *helper = &accounts->helpers[number];
		uint64_t since_ns = READ(helper->since_ns), behind_ns = READ(helper->behind_ns);

		if (!since_ns || READ(helper->cpu) != cpu || READ(a->helper) == number + 1)
			continue;
		if (run->last_ns && run->last_until_ns > since_ns)
			behind_ns += MIN(run->last_ns, run->last_until_ns - since_ns);
		/* behind another vCPU, perhaps, whose run is not charged yet */
		if (pvs_helper_is_told(READ(helper->told), since_ns))
			behind_ns = MAX(behind_ns, (uint64_t)PVS_HELPER_WAIT_NS);
		ret->helper_waits = true;
		ret->helper_behind_ns = MAX(ret->helper_behind_ns, behind_ns);
	}
}

/* Did an interrupt come in the present wait? */
static bool interrupted(const struct pvs_vcpu_account *a)
{
	uint64_t ready_ns = pvs_ready_since(READ(a->out), READ(a->out_ns), READ(a->wake_ns));

	return ready_ns && READ(a->interrupt_for_ns) == ready_ns;
}

void account_facts(const struct accounts *accounts, unsigned int slot, uint64_t now_ns,
                   struct policy_facts *ret)
{
	const struct pvs_vcpu_account *a = &accounts->vcpus[slot];
	const struct pvs_domain_account *domain = &accounts->domains[READ(a->domain)];
	const struct pvs_cpu_account *cpu = &accounts->cpus[READ(a->cpu) % PVS_CPUS_MAX];
	struct pvs_bucket_rule rule = rule_read(&a->rule);
	struct pvs_bucket_rule domain_rule = rule_read(&domain->rule);
	struct pvs_bucket_rule cpu_rule = rule_read(accounts->cpu_rule);
	uint64_t in_ns = READ(a->in_ns);
	struct pvs_run run = pvs_run_of(a, in_ns, now_ns);
	uint32_t entitled = READ(a->entitled_permille);
	const struct demand demand = {rule.burst_ns, run.earlier_ns + run.last_ns};

	*ret = (struct policy_facts){
	        /* not if it was unboosted meanwhile: then the tracer has dropped its deadline */
	        .watched =
	                in_ns && READ(a->watched_ns) == in_ns && READ(a->unboosted_at_ns) < in_ns,
	        .urgent_work_ns = READ(a->urgent_work_ns),
	        .urgent_run_ns = READ(a->urgent_run_ns),
	        .prices = account_prices(accounts),
	        .whereabouts = whereabouts(a, in_ns),
	        .quota = READ(a->quota) != 0,
	        .softirqd_since_ns = READ(cpu->softirqd_since_ns),
	        .ran_ns = in_ns && now_ns > in_ns ? now_ns - in_ns : 0,
	};
	if (ret->whereabouts == POLICY_WAITING) {
		ret->preempted_after_ns = READ(a->preempted_after_ns);
		ret->interrupted = interrupted(a);
		uint64_t ready_ns = MAX(READ(a->out_ns), READ(a->wake_ns));

		ret->waited_ns = ready_ns && now_ns > ready_ns ? now_ns - ready_ns : 0;
	}
	look_at_helpers(accounts, a, &run, ret);
	ret->steady = READ(a->helper) && pvs_follow_is_steady(a, now_ns);
	ret->full_at_ns = pvs_run_full_at(&run, &rule, READ(a->repaid_at_ns), entitled, now_ns);
	ret->tokens_ns = pvs_bucket_tokens(&rule, ret->full_at_ns, now_ns);
	ret->tokens_ns = pvs_bucket_worth(&rule, ret->tokens_ns, entitled);
	ret->domain_at_ns = look_at_bucket(&domain_rule, READ(domain->repaid_at_ns), &demand,
	                                   now_ns, &ret->tokens_ns);
	ret->cpu_at_ns = look_at_bucket(&cpu_rule, READ(cpu->repaid_at_ns), &demand, now_ns,
	                                &ret->tokens_ns);
	look_at_sheet(cpu, &demand, now_ns, ret);
}

uint32_t account_epoch(const struct accounts *accounts, unsigned int slot)
{
	const struct pvs_vcpu_account *a = &accounts->vcpus[slot];
	uint32_t epoch;

	/* not before the system calls so far, in which the kernel looked up the TID */
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	epoch = READ(a->epoch);
	if (epoch == PVS_EPOCH_OVER ||
	    epoch != READ(accounts->domains[READ(a->domain)].leader_epoch))
		return PVS_EPOCH_UNKNOWN;
	return epoch;
}

bool account_slack(const struct accounts *accounts, unsigned int slot, uint64_t now_ns,
                   uint64_t *ret)
{
	const struct pvs_vcpu_account *a = &accounts->vcpus[slot];
	uint64_t at_ns = __atomic_load_n(&a->slack_at_ns, __ATOMIC_ACQUIRE);

	*ret = READ(a->slack_ns);
	/*
	 * The thread has not run since the tracer read its slack, so it cannot have changed it
	 * itself. That another process changed it, by /proc/TID/timerslack_ns, within this
	 * millisecond is an accepted race. A value from before the end of the last boost may be
	 * that of a real-time thread.
	 */
	return at_ns > READ(a->unboosted_at_ns) && READ(a->out_ns) == at_ns && !READ(a->in_ns) &&
	       now_ns < at_ns + ACCOUNT_SLACK_NS;
}

uint64_t account_owed_ns(const struct accounts *accounts, unsigned int slot, uint64_t now_ns)
{
	const struct pvs_vcpu_account *a = &accounts->vcpus[slot];
	struct pvs_bucket_rule rule = rule_read(&a->rule);
	int64_t tokens_ns = pvs_bucket_tokens(&rule, READ(a->repaid_at_ns), now_ns);

	return (uint64_t)pvs_bucket_worth(&rule, (int64_t)rule.burst_ns - tokens_ns,
	                                  READ(a->entitled_permille));
}

uint64_t account_overdrawn_ns(const struct accounts *accounts, unsigned int slot, uint64_t now_ns)
{
	const struct pvs_vcpu_account *a = &accounts->vcpus[slot];
	uint64_t in_ns = READ(a->in_ns), full_at_ns;
	struct pvs_bucket_rule rule;
	struct pvs_run run;
	int64_t left_ns;

	if (!in_ns || !(READ(a->flags) & PVS_FLAG_BOOSTED))
		return 0;
	rule = rule_read(&a->rule);
	run = pvs_run_of(a, in_ns, now_ns);
	full_at_ns = pvs_run_full_at(&run, &rule, READ(a->repaid_at_ns), READ(a->entitled_permille),
	                             now_ns);
	left_ns = pvs_bucket_tokens(&rule, full_at_ns, now_ns);
	/* if it was switched out meanwhile the run has been charged already */
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	if (READ(a->payer)) /* a pulse: its time is what counts */
		left_ns = pvs_pulse_left(a) - (int64_t)run.last_ns;
	if (left_ns >= 0 || READ(a->in_ns) != in_ns)
		return 0;
	if (READ(a->payer))
		return (uint64_t)-left_ns;
	return (uint64_t)pvs_bucket_worth(&rule, -left_ns, READ(a->entitled_permille));
}

bool account_has_room(const struct accounts *accounts, unsigned int slot, unsigned int cpu,
                      uint64_t now_ns)
{
	struct pvs_bucket_rule rule = rule_read(accounts->cpu_rule);
	uint64_t burst_ns = READ(accounts->vcpus[slot].rule.burst_ns);
	const struct pvs_cpu_account *account = &accounts->cpus[cpu % PVS_CPUS_MAX];

	return pvs_bucket_ready_at(&rule, READ(account->repaid_at_ns), burst_ns) <= now_ns &&
	       pvs_cpu_sheet_left(account, now_ns) >= (int64_t)burst_ns;
}

uint64_t account_foreign_ns(const struct accounts *accounts, unsigned int cpu)
{
	return READ(accounts->cpus[cpu % PVS_CPUS_MAX].foreign_ns);
}

void account_report(const struct accounts *accounts, unsigned int slot,
                    const struct policy_view *view)
{
	const uint32_t all = PVS_FLAG_REPORT_URGENT | PVS_FLAG_REPORT_ORDINARY |
	                     PVS_FLAG_REPORT_INTERRUPT | PVS_FLAG_REPORT_HELPER_WAITS;
	uint32_t set = (view->wants_urgent ? PVS_FLAG_REPORT_URGENT : 0) |
	               (view->wants_ordinary ? PVS_FLAG_REPORT_ORDINARY : 0) |
	               (view->wants_interrupt ? PVS_FLAG_REPORT_INTERRUPT : 0) |
	               (view->wants_waits ? PVS_FLAG_REPORT_HELPER_WAITS : 0);

	WRITE(accounts->vcpus[slot].request_grace_ns, view->grace_ns);
	WRITE(accounts->vcpus[slot].interrupts_from_ns, view->interrupts_from_ns);
	WRITE(accounts->vcpus[slot].boosts, view->boosts_total);
	WRITE(accounts->vcpus[slot].denied, view->denied_sum);
	flags_change(&accounts->vcpus[slot], set, all & ~set);
}

void account_report_run(const struct accounts *accounts, unsigned int slot, bool report)
{
	flags_change(&accounts->vcpus[slot], report ? PVS_FLAG_REPORT_RUN : 0,
	             report ? 0 : PVS_FLAG_REPORT_RUN);
}

void account_set_page(const struct accounts *accounts, unsigned int slot, uint64_t address,
                      uint64_t generation, bool agent)
{
	struct pvs_vcpu_account *a = &accounts->vcpus[slot];

	WRITE(a->page_address, 0);
	WRITE(a->page_generation, generation);
	flags_change(a, agent ? PVS_FLAG_AGENT : 0, agent ? 0 : PVS_FLAG_AGENT);
	WRITE(a->page_address, address);
}

void account_request(const struct accounts *accounts, unsigned int slot,
                     struct pvs_request *request)
{
	const struct pvs_request *traced = &accounts->vcpus[slot].request;
	uint64_t read_ns = __atomic_load_n(&traced->read_ns, __ATOMIC_ACQUIRE);
	uint32_t urgency = READ(traced->urgency);
	struct pvs_request seen = {
	        .words = {READ(traced->words[0]), READ(traced->words[1]), READ(traced->words[2])},
	        .generation = READ(traced->generation),
	        .read_ns = read_ns,
	        .changed_ns = READ(traced->changed_ns),
	        .request_ns = READ(traced->request_ns),
	        .urgency_ns = READ(traced->urgency_ns),
	        .pulse = READ(traced->pulse),
	        .lived_ns = READ(traced->lived_ns),
	        .expected_ns = READ(traced->expected_ns),
	        .clock = request->clock,
	        .urgency = urgency <= PVSCHED_URGENCY_URGENT ? urgency : PVSCHED_URGENCY_NONE,
	        .agent = READ(traced->agent),
	        .invalid_total = request->invalid_total,
	        .stale_total = request->stale_total,
	};

	/* words from within a write do not belong together; the page itself is read next */
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	if (read_ns <= request->read_ns || READ(traced->read_ns) != read_ns ||
	    seen.generation != READ(accounts->vcpus[slot].page_generation))
		return;
	/* the first look at a word is the best estimate of when it was written */
	if (seen.words[0] == request->words[0])
		seen.expected_ns = request->expected_ns;
	*request = seen;
}

uint64_t account_run_ns(const struct accounts *accounts, unsigned int slot, uint64_t now_ns)
{
	const struct pvs_vcpu_account *a = &accounts->vcpus[slot];
	uint64_t run_ns = READ(a->run_ns), in_ns = READ(a->in_ns);

	return run_ns + (in_ns && now_ns > in_ns ? now_ns - in_ns : 0);
}

uint32_t account_page_faults(const struct accounts *accounts, unsigned int slot, uint64_t *read_ns)
{
	*read_ns = READ(accounts->vcpus[slot].request.read_ns);
	return READ(accounts->vcpus[slot].page_faults);
}

uint32_t account_request_invalid(const struct accounts *accounts, unsigned int slot)
{
	return READ(accounts->vcpus[slot].request.invalid_total);
}

void account_snapshot(const struct accounts *accounts, unsigned int slot,
                      struct guest_snapshot *ret)
{
	const struct pvs_vcpu_account *a = &accounts->vcpus[slot];

	*ret = (struct guest_snapshot){
	        .run_delay_ns = READ(a->wait_ns),
	        .boosted_ns = READ(a->used_ns),
	        .host_cpu = READ(a->cpu),
	};
	if (account_whereabouts(accounts, slot) == POLICY_WAITING)
		ret->host_flags |= PVSCHED_HOST_PREEMPTED;
}
