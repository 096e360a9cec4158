/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The loop of src/boost/booster.c on virtual time. It is woken @delay_ns after an event, does one
 * thing after the other, and each change takes HOST_APPLY_NS to have its effect, in which the
 * machine goes on. Facts come from the real src/boost/accounts.c, decisions from the real policy.
 */
#include "host.h"

#include <stdlib.h>

#include "rng.h"

#define PRIORITY      1
#define STEPS_AT_ONCE 10000 /* so many steps without time going on is a loop without end */

static void wake_at(struct host *host, uint64_t at_ns)
{
	if (host->wake_ns <= at_ns)
		return;
	host->wake_ns = at_ns;
	world_plan(host->world, at_ns, HAPPENS_BOOSTER, 0, ++host->wake_generation);
}

static uint64_t delay(struct host *host)
{
	uint64_t longest = host->mutation == MUTATION_LATE ? 20 * NSEC_PER_MSEC : host->delay_ns;

	return longest / 2 + rng_below(&host->random, longest / 2 + 1);
}

void booster_notify(struct host *host, const struct pvs_event *event)
{
	if (host->n_events == HOST_EVENTS_MAX) {
		host->events_lost++;
		return;
	}
	host->events[(host->first + host->n_events++) % HOST_EVENTS_MAX] = *event;
	if (host->deciding < 0)
		wake_at(host, host->world->now_ns + delay(host));
}

static void add_work(struct host *host, unsigned int slot, enum policy_event event)
{
	if (host->n_work < ARRAY_SIZE(host->work))
		host->work[host->n_work++] = (struct host_work){slot, event};
	else
		host->broken = "work without end";
}

static void shed(struct host *host, unsigned int running)
{
	uint32_t cpu = host->vcpus[running].cpu;
	size_t n = 0;
	int most;

	for (unsigned int i = 0; i < host->n_vcpus; i++) {
		if (!host->raised[i] || host->vcpus[i].cpu != cpu)
			continue;
		host->claims[n++] = (struct policy_claim){
		        .vcpu = i,
		        .owed_ns = account_owed_ns(&host->accounts, i, host->world->now_ns),
		};
	}
	most = policy_debtor(host->claims, n);
	/* the last in is the first out */
	add_work(host, running,
	         most >= 0 && host->claims[most].vcpu == running ? POLICY_EVENT_SHED
	                                                         : POLICY_EVENT_CPU_EXHAUSTED);
	if (most >= 0 && host->claims[most].vcpu != running)
		add_work(host, host->claims[most].vcpu, POLICY_EVENT_SHED);
}

static void take_event(struct host *host)
{
	struct pvs_event event = host->events[host->first];

	host->first = (host->first + 1) % HOST_EVENTS_MAX;
	host->n_events--;
	if (event.type == PVS_EVENT_BLOCKED)
		add_work(host, event.slot, POLICY_EVENT_HALTED);
	else if (event.arg == PVS_BUCKET_CPU)
		shed(host, event.slot);
	else
		add_work(host, event.slot,
		         event.arg == PVS_BUCKET_DOMAIN ? POLICY_EVENT_DOMAIN_EXHAUSTED
		                                        : POLICY_EVENT_EXHAUSTED);
}

static void facts(const struct host *host, unsigned int slot, struct policy_facts *ret)
{
	account_facts(&host->accounts, slot, host->world->now_ns, ret);
}

/* The decision that was on its way has its effect. */
static void apply(struct host *host)
{
	unsigned int slot = (unsigned int)host->deciding;
	struct policy_facts f;
	uint64_t now = host->world->now_ns;

	host->deciding = -1;
	account_report_halt(&host->accounts, slot, host->decision.report_halt);
	switch (host->decision.action) {
	case POLICY_NOTHING:
		break;
	case POLICY_RAISE:
		host->calls++;
		account_raised(&host->accounts, slot, now);
		world_set_priority(host->world, slot, PRIORITY);
		host->raised[slot] = true;
		facts(host, slot, &f);
		policy_raised(host->policy, slot, 0, &f, now);
		break;
	case POLICY_LOWER:
	case POLICY_FORGET:
		if (host->mutation == MUTATION_NO_LOWER)
			break;
		host->calls++;
		/* the effect first: what follows it may be a switch, charged to the old class */
		account_lowered(&host->accounts, slot, now);
		world_set_priority(host->world, slot, 0);
		host->raised[slot] = false;
		break;
	}
	facts(host, slot, &f);
	if (host->decision.report_halt && f.whereabouts == POLICY_HALTED)
		add_work(host, slot, POLICY_EVENT_HALTED);
}

/* One step; true when its decision takes time. */
static bool step(struct host *host, const struct host_work *work)
{
	struct policy_facts f;
	uint64_t now = host->world->now_ns;

	if (host->steps_at_ns != now)
		host->steps_now = 0;
	host->steps_at_ns = now;
	if (++host->steps_now > STEPS_AT_ONCE)
		host->broken = "steps without end";
	facts(host, work->slot, &f);
	policy_step(host->policy, work->slot, work->event, &f, now, &host->decision);
	if (host->decision.action == POLICY_NOTHING && !host->decision.report_halt) {
		account_report_halt(&host->accounts, work->slot, false);
		return false;
	}
	host->deciding = (int)work->slot;
	return true;
}

/* Something to do now; false when there is nothing. */
static bool next_work(struct host *host, struct host_work *ret)
{
	int due;

	while (host->n_work == 0 && host->n_events > 0)
		take_event(host);
	if (host->n_work > 0) {
		*ret = host->work[--host->n_work];
		return true;
	}
	due = policy_due(host->policy, host->world->now_ns);
	*ret = (struct host_work){(unsigned int)due, POLICY_EVENT_LOOK};
	return due >= 0;
}

static void booster_run(struct host *host, uint64_t generation)
{
	struct host_work work;
	uint64_t next_ns;

	if (generation != host->wake_generation)
		return;
	host->wake_ns = NSEC_NEVER;
	if (host->deciding >= 0)
		apply(host);
	while (!host->broken && next_work(host, &work)) {
		if (step(host, &work)) {
			wake_at(host, host->world->now_ns + HOST_APPLY_NS);
			return;
		}
	}
	next_ns = policy_next_ns(host->policy);
	if (next_ns != NSEC_NEVER)
		wake_at(host, next_ns + delay(host));
}

void host_handle(struct host *host, const struct entry *entry)
{
	if (entry->what == HAPPENS_DEADLINE)
		tracer_deadline(host, entry);
	else
		booster_run(host, entry->generation);
}

void host_hold(struct host *host, unsigned int vcpu, bool hold)
{
	uint32_t bit = POLICY_HOLD(POLICY_REASON_PAUSED);

	policy_hold(host->policy, vcpu, hold ? bit : 0, hold ? 0 : bit);
	add_work(host, vcpu, POLICY_EVENT_LOOK);
	if (host->deciding < 0)
		wake_at(host, host->world->now_ns + delay(host));
}

void host_close(struct host *host)
{
	host->closed = true;
	policy_hold_all(host->policy, POLICY_HOLD(POLICY_REASON_DISABLED));
	for (unsigned int i = 0; i < host->n_vcpus; i++)
		add_work(host, i, POLICY_EVENT_LOOK);
	if (host->deciding < 0)
		wake_at(host, host->world->now_ns + delay(host));
}

static void add_vcpu(struct host *host, unsigned int slot, const struct profile *profile,
                     const struct host_caps *caps)
{
	struct thread *t = &host->world->threads[slot];
	struct account_terms terms = {
	        .tid = (pid_t)slot + 1000,
	        .domain = (uint32_t)t->domain,
	        .priority = PRIORITY,
	        .profile = *profile,
	};

	account_reset(&host->accounts, slot);
	account_set_terms(&host->accounts, slot, &terms);
	/* what an imagined boost does is not simulated */
	host->vcpus[slot].flags &= ~PVS_FLAG_IMAGINED;
	host->domains[t->domain].rule = (struct pvs_bucket_rule){
	        .burst_ns = caps->domain_burst_ns, .share_permille = caps->domain_share_permille};
	policy_add(host->policy, slot, profile,
	           t->own_priority ? POLICY_HOLD(POLICY_REASON_ALREADY_RT) : 0,
	           host->world->now_ns);
	add_work(host, slot, POLICY_EVENT_LOOK);
}

struct host *host_new(struct world *world, unsigned int n_vcpus, const struct profile *profile,
                      const struct host_caps *caps, uint64_t delay_ns, enum mutation mutation,
                      uint64_t seed)
{
	struct host *host = calloc(1, sizeof(*host));

	if (!host)
		abort();
	host->world = world;
	host->mutation = mutation;
	host->delay_ns = delay_ns;
	host->random = seed;
	host->n_vcpus = n_vcpus;
	host->vcpus = aligned_alloc(64, WORLD_THREADS_MAX * sizeof(*host->vcpus));
	host->domains = aligned_alloc(64, WORLD_THREADS_MAX * sizeof(*host->domains));
	host->cpus = aligned_alloc(64, WORLD_CPUS_MAX * sizeof(*host->cpus));
	host->due_ns = calloc(WORLD_THREADS_MAX, sizeof(*host->due_ns));
	host->deadline_generation = calloc(WORLD_THREADS_MAX, sizeof(uint64_t));
	host->policy = policy_new(MAX(n_vcpus, 1U), caps);
	if (!host->vcpus || !host->domains || !host->cpus || !host->due_ns ||
	    !host->deadline_generation || !host->policy)
		abort();
	for (unsigned int i = 0; i < WORLD_THREADS_MAX; i++)
		host->domains[i] = (struct pvs_domain_account){0};
	for (unsigned int i = 0; i < WORLD_CPUS_MAX; i++)
		host->cpus[i] = (struct pvs_cpu_account){0};
	host->cpu_rule = (struct pvs_bucket_rule){.burst_ns = caps->cpu_burst_ns,
	                                          .share_permille = caps->cpu_share_permille};
	host->accounts = (struct accounts){
	        .vcpus = host->vcpus,
	        .domains = host->domains,
	        .cpus = host->cpus,
	        .cpu_rule = &host->cpu_rule,
	};
	host->deciding = -1;
	host->wake_ns = NSEC_NEVER;
	for (unsigned int i = 0; i < n_vcpus; i++)
		add_vcpu(host, i, profile, caps);
	tracer_attach(host);
	wake_at(host, world->now_ns);
	return host;
}

struct host *host_free(struct host *host)
{
	if (!host)
		return NULL;
	policy_free(host->policy);
	free(host->vcpus);
	free(host->domains);
	free(host->cpus);
	free(host->due_ns);
	free(host->deadline_generation);
	free(host);
	return NULL;
}
