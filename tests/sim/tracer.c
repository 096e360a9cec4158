/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The hooks and timers of bpf/tracer.bpf.c in C, on virtual time: the same functions with the same
 * names do the same, and what they compute is src/core/ in both. What is missing is what a
 * simulated machine does not have: forks, softirqs, lost identities. bpf/helpers.h is helpers.c.
 */
#include "core/moved.h"
#include "core/relate.h"
#include "core/run.h"
#include "core/signs.h"
#include "core/work.h"

#include "charge.h"
#include "follow.h"
#include "guest.h"
#include "host.h"
#include "rng.h"
#include "waits.h"

#define SAMPLE_NS 2000000

void tracer_send(struct host *host, uint32_t slot, uint32_t type, uint32_t arg)
{
	struct pvs_event event = {
	        .at_ns = host->world->now_ns,
	        .type = type,
	        .slot = slot,
	        .tid = host->vcpus[slot].tid,
	        .arg = arg,
	};

	booster_notify(host, &event);
}

/* bpf/request.h */

static void request_read(struct host *host, uint32_t slot, uint64_t now, uint64_t run, bool asleep)
{
	struct pvs_vcpu_account *vcpu = &host->vcpus[slot];
	struct thread *t = &host->world->threads[slot];
	const struct pvsched_page *page = (const void *)(uintptr_t)vcpu->page_address;
	uint64_t expected = vcpu->request.expected_ns;
	bool agent = vcpu->flags & PVS_FLAG_AGENT;

	if (!page)
		return;
	guest_speak(t->guest, t->behaviour->requests, now);
	pvs_request_look(&vcpu->request, &(struct pvs_request_look){
	                                         .request = page->request,
	                                         .expect = page->expect,
	                                         .written_ns = page->written_ns,
	                                         .generation_echo = page->generation_echo,
	                                         .task_intent = agent ? page->task_intent : 0,
	                                         .cs_state = agent ? page->cs_state : 0,
	                                         .pulse = agent ? page->pulse : 0,
	                                         .agent = agent,
	                                         .generation = vcpu->page_generation,
	                                         .ran_since_ns = vcpu->in_ns,
	                                         .now_ns = now,
	                                         .run_ns = run,
	                                 });
	if (vcpu->flags & PVS_FLAG_BOOSTED)
		pvs_run_learn_urgency(vcpu, expected, now, asleep);
}

static void request_check_running(struct host *host, uint32_t slot, uint64_t now)
{
	struct pvs_vcpu_account *vcpu = &host->vcpus[slot];

	request_read(host, slot, now, vcpu->run_ns + now - vcpu->in_ns, false);
	if (pvs_run_is_ordinary(vcpu, now))
		tracer_send(host, slot, PVS_EVENT_ORDINARY, 0);
}

/* bpf/budget.h */

static int64_t tokens_left(const struct host *host, const struct pvs_vcpu_account *vcpu,
                           uint64_t now, uint64_t since, uint32_t *which)
{
	struct pvs_vcpu_account endless = *vcpu;
	struct pvs_buckets buckets = {
	        .vcpu = vcpu,
	        .domain = &host->domains[vcpu->domain],
	        .cpu = &host->cpus[vcpu->cpu],
	        .cpu_rule = &host->cpu_rule,
	        .payer = helping_payer(host, vcpu),
	};

	if (host->mutation == MUTATION_NO_VCPU) {
		endless.rule = (struct pvs_bucket_rule){INT64_MAX, 1000, 0};
		endless.repaid_at_ns = 0;
		endless.entitled_permille = 0;
		buckets.vcpu = &endless;
	}
	return pvs_buckets_left(&buckets, since, now, which);
}

/* bpf/deadline.h */

static void timer_start(struct host *host, uint32_t cpu, uint64_t delay)
{
	uint64_t late = rng_below(&host->random, HOST_TIMER_NS);

	if (host->machine.takes_cpus)
		world_take(host->world, cpu, host->machine.timer_start_ns);
	world_plan(host->world, host->world->now_ns + delay + late, HAPPENS_DEADLINE, cpu,
	           ++host->deadlines[cpu].generation);
}

/* In the timer's own context. */
static void deadline_start(struct host *host, uint32_t cpu, uint64_t now, uint64_t delay)
{
	host->deadlines[cpu].due_ns = now + delay;
	timer_start(host, cpu, delay);
}

/* A start that was queued acts; what was started meanwhile, in the timer's context, is undone. */
void tracer_start(struct host *host, const struct entry *entry)
{
	timer_start(host, entry->number, entry->generation);
}

/*
 * In sched_switch. From Linux 7.0 on the kernel queues the start, behind those of this timer that
 * are queued already, or refuses it.
 */
static void deadline_queue(struct host *host, uint32_t slot, uint64_t now, uint64_t delay)
{
	struct pvs_vcpu_account *vcpu = &host->vcpus[slot];
	struct cpu_deadline *deadline = &host->deadlines[vcpu->cpu];

	if (host->refused_permille && rng_below(&host->random, 1000) < host->refused_permille) {
		deadline->due_ns = 0;
		if (!vcpu->exhausted_at_ns && host->mutation != MUTATION_UNTOLD) {
			vcpu->exhausted_at_ns = now;
			tracer_send(host, slot, PVS_EVENT_EXHAUSTED, PVS_BUCKET_NONE);
		}
		return;
	}
	if (!host->start_late_ns) {
		deadline_start(host, vcpu->cpu, now, delay);
		return;
	}
	deadline->due_ns = now + delay;
	deadline->acts_ns =
	        MAX(deadline->acts_ns, now + rng_below(&host->random, host->start_late_ns));
	world_plan(host->world, deadline->acts_ns, HAPPENS_START, vcpu->cpu, delay);
}

static void deadline_look(struct host *host, uint32_t slot, uint64_t now, uint64_t delay)
{
	struct cpu_deadline *deadline = &host->deadlines[host->vcpus[slot].cpu];

	deadline->slot = slot;
	deadline->lately[slot % ARRAY_SIZE(deadline->lately)] = slot + 1;
	deadline->in_ns = now;
	if (deadline->due_ns <= now || deadline->due_ns > now + delay)
		deadline_queue(host, slot, now, delay);
}

/* It was told of before, and is boosted still. Returns when the guardian is to be told; 0: now. */
static uint64_t overdue_tell(struct host *host, uint32_t slot, uint64_t now)
{
	uint64_t since = now - host->vcpus[slot].exhausted_at_ns;

	if (since < PVS_OVERDUE_NS)
		return PVS_OVERDUE_NS - since;
	host->broken = "an exhausted vCPU stayed boosted: the guardian would be told";
	return 0;
}

static void overdue_watch(struct host *host, uint32_t slot, uint64_t now)
{
	uint64_t delay = overdue_tell(host, slot, now);

	if (delay)
		deadline_look(host, slot, now, delay);
}

static uint64_t deadline_foreseen(struct host *host, uint32_t slot, uint32_t cpu, uint64_t now)
{
	struct pvs_vcpu_account *vcpu = &host->vcpus[slot];
	uint64_t next = pvs_rhythm_next(&vcpu->rhythm, now);
	uint32_t which;
	int64_t left;

	if (vcpu->cpu != cpu || vcpu->in_ns || vcpu->exhausted_at_ns ||
	    !(vcpu->flags & PVS_FLAG_BOOSTED) || !next)
		return 0;
	left = tokens_left(host, vcpu, next, next, &which);
	return left > pvs_tokens_min_ns(&host->prices) ? pvs_rhythm_due(next, (uint64_t)left) : 0;
}

static void deadline_ahead(struct host *host, uint32_t cpu, uint64_t now)
{
	const struct cpu_deadline *deadline = &host->deadlines[cpu];
	uint64_t due = NSEC_NEVER;

	for (size_t i = 0; i < ARRAY_SIZE(deadline->lately); i++) {
		uint32_t of = deadline->lately[i];
		uint64_t other = of ? deadline_foreseen(host, of - 1, cpu, now) : 0;

		if (other > now)
			due = MIN(due, other);
	}
	if (due != NSEC_NEVER)
		deadline_start(host, cpu, now, due - now);
}

static void deadline_left(struct host *host, uint32_t slot, uint32_t cpu, uint64_t now)
{
	const struct pvs_vcpu_account *vcpu = &host->vcpus[slot];

	/* no switch-in goes missing here */
	if (!vcpu->in_ns && !vcpu->exhausted_at_ns && vcpu->out != PVS_OUT_PREEMPTED &&
	    vcpu->wake_ns <= vcpu->out_ns)
		deadline_ahead(host, cpu, now);
}

static void deadline_running(struct host *host, uint32_t slot, uint32_t cpu, uint64_t now)
{
	struct pvs_vcpu_account *vcpu = &host->vcpus[slot];
	uint64_t delay;
	uint32_t which;
	int64_t left;

	if (vcpu->exhausted_at_ns) {
		delay = overdue_tell(host, slot, now);
		if (delay)
			deadline_start(host, cpu, now, delay);
		return;
	}
	left = tokens_left(host, vcpu, now, pvs_run_boosted_since(vcpu->in_ns, vcpu->boosted_at_ns),
	                   &which);
	if (left > pvs_tokens_min_ns(&host->prices)) {
		request_check_running(host, slot, now);
		deadline_start(host, cpu, now, pvs_run_next_look(vcpu, now, (uint64_t)left));
		return;
	}
	vcpu->exhausted_at_ns = now;
	tracer_send(host, slot, PVS_EVENT_EXHAUSTED, which);
	deadline_start(host, cpu, now, PVS_OVERDUE_NS);
}

void tracer_deadline(struct host *host, const struct entry *entry)
{
	uint32_t cpu = entry->number;
	struct cpu_deadline *deadline = &host->deadlines[cpu];
	struct pvs_vcpu_account *vcpu = &host->vcpus[deadline->slot];
	uint64_t now = host->world->now_ns;

	if (entry->generation != deadline->generation)
		return;
	if (host->machine.takes_cpus)
		world_take(host->world, cpu, host->machine.timer_fires_ns);
	deadline->due_ns = 0;
	if (!(vcpu->flags & PVS_FLAG_BOOSTED)) {
		if (vcpu->in_ns == deadline->in_ns)
			vcpu->watched_ns = 0;
		return;
	}
	if (vcpu->in_ns == deadline->in_ns && vcpu->cpu == cpu)
		deadline_running(host, deadline->slot, cpu, now);
	else
		deadline_left(host, deadline->slot, cpu, now);
}

static void entitlement_sample(struct host *host, uint32_t slot, uint64_t now)
{
	struct pvs_vcpu_account *vcpu = &host->vcpus[slot];
	uint32_t permille;

	if (now - vcpu->sampled_at_ns < SAMPLE_NS)
		return;
	vcpu->sampled_at_ns = now;
	permille = world_entitled_permille(host->world, slot);
	vcpu->entitled_permille = pvs_entitled_learn(vcpu->entitled_permille, permille);
}

static void wait_record(struct pvs_vcpu_account *vcpu, uint64_t now)
{
	uint64_t ready = pvs_ready_since(vcpu->out, vcpu->out_ns, vcpu->wake_ns);

	if (!ready || ready > now)
		return;
	vcpu->wait_counts[pvs_wait_bucket(now - ready)]++;
	vcpu->wait_ns += now - ready;
}

static void vcpu_in(struct host *host, uint32_t slot, uint64_t now, uint32_t cpu)
{
	struct pvs_vcpu_account *vcpu = &host->vcpus[slot];
	uint64_t ready = vcpu->out == PVS_OUT_PREEMPTED ? vcpu->out_ns : vcpu->wake_ns;
	uint32_t which;
	bool moves = vcpu->cpu != cpu;
	int64_t left;

	pvs_work_in(&vcpu->work, MAX(ready, vcpu->out_ns), now);
	wait_record(vcpu, now);
	vcpu->cpu = cpu;
	vcpu->switches++;
	entitlement_sample(host, slot, now);
	vcpu->in_ns = now;
	if (vcpu->flags & PVS_FLAG_REPORT_RUN)
		tracer_send(host, slot, PVS_EVENT_RUN, 0);
	if (vcpu->out != PVS_OUT_PREEMPTED)
		pvs_rhythm_learn(&vcpu->rhythm, now);
	if (!(vcpu->flags & PVS_FLAG_BOOSTED))
		return;
	if (moves)
		pvs_moved_set(&host->moved, slot);
	if (vcpu->out != PVS_OUT_PREEMPTED)
		vcpu->wakeups_boosted++;
	if (host->mutation == MUTATION_NO_DEADLINE)
		return;
	if (vcpu->exhausted_at_ns) {
		overdue_watch(host, slot, now);
		return;
	}
	vcpu->watched_ns = now;
	helpers_watch(host, slot, now);
	left = tokens_left(host, vcpu, now, now, &which);
	if (left <= pvs_tokens_min_ns(&host->prices)) {
		vcpu->exhausted_at_ns = now;
		tracer_send(host, slot, PVS_EVENT_EXHAUSTED, which);
		left = PVS_OVERDUE_NS;
	} else {
		left = (int64_t)pvs_run_next_look(vcpu, now, (uint64_t)left);
	}
	deadline_look(host, slot, now, (uint64_t)left);
}

static void vcpu_out(struct host *host, uint32_t slot, uint64_t now, uint32_t cpu, bool asleep)
{
	struct pvs_vcpu_account *vcpu = &host->vcpus[slot];
	uint64_t in = vcpu->in_ns;
	struct pvs_run run = pvs_run_of(vcpu, in, now);

	if (in) {
		vcpu->run_ns += now - in;
		vcpu->used_ns += run.earlier_ns + run.last_ns;
		if (run.earlier_ns)
			charge_boosted(host, slot, cpu, pvs_bucket_until(run.earlier_until_ns, now),
			               run.earlier_ns, run.earlier_ns);
		if (run.last_ns)
			charge_boosted(host, slot, cpu, pvs_bucket_until(run.last_until_ns, now),
			               pvs_run_last_charge(&run, pvs_charge_min_ns(&host->prices)),
			               run.last_ns);
	}
	vcpu->preempted_after_ns = in && !asleep ? now - in : 0;
	if (vcpu->flags & PVS_FLAG_RELATES)
		pvs_relate_ran(vcpu, in, now);
	if (!asleep)
		waits_preempted(host->world, slot);
	request_read(host, slot, now, vcpu->run_ns, asleep);
	if (in)
		pvs_work_add(&vcpu->work, now - in);
	vcpu->in_ns = 0;
	vcpu->out_ns = now;
	if (!asleep) {
		vcpu->out = PVS_OUT_PREEMPTED;
		vcpu->preemptions++;
		if (vcpu->request.urgency == PVSCHED_URGENCY_URGENT &&
		    (vcpu->flags & PVS_FLAG_REPORT_URGENT))
			tracer_send(host, slot, PVS_EVENT_URGENT, 0);
		return;
	}
	if (!host->world->threads[slot].halted) {
		vcpu->out = PVS_OUT_BLOCKED;
		return;
	}
	vcpu->out = PVS_OUT_HALTED;
	vcpu->halts++;
	if (slot == 0 && now >= vcpu->demand_due_ns)
		vcpu->demand_due_ns = pvs_demand_keep(&host->demand, vcpu, now);
	pvs_work_done(&vcpu->work);
	if (vcpu->flags & PVS_FLAG_REPORT_HALTED)
		tracer_send(host, slot, PVS_EVENT_HALTED, 0);
	if ((vcpu->flags & PVS_FLAG_BOOSTED) && pvs_work_is_short(vcpu, now))
		tracer_send(host, slot, PVS_EVENT_SHORT, 0);
}

static bool is_vcpu(const struct host *host, int thread)
{
	return thread >= 0 && (unsigned int)thread < host->n_vcpus;
}

/*
 * Does a real-time thread run that is not from us? A vCPU may have its class from its owner
 * (<vcpusched>), and then vcpu_out() does not charge it.
 */
static bool is_foreign_rt(const struct host *host, int thread)
{
	if (thread < 0 || host->world->threads[thread].priority == 0)
		return false;
	if (!is_vcpu(host, thread))
		return true;
	return host->mutation != MUTATION_STATIC_FREE &&
	       !(host->vcpus[thread].flags & PVS_FLAG_BOOSTED);
}

static void on_switch(void *userdata, uint32_t cpu, int prev, bool asleep, int next)
{
	struct host *host = userdata;
	struct pvs_cpu_account *account = &host->cpus[cpu];
	uint64_t now = host->world->now_ns;

	if (account->rt_since_ns)
		charge_cpu(host, cpu, now, now - account->rt_since_ns, now - account->rt_since_ns,
		           true);
	account->rt_since_ns = is_foreign_rt(host, next) ? now : 0;
	if (is_vcpu(host, prev))
		vcpu_out(host, (uint32_t)prev, now, cpu, asleep);
	if (is_vcpu(host, next))
		vcpu_in(host, (uint32_t)next, now, cpu);
	helpers_switch(host, cpu, prev, !asleep, next);
	if (is_vcpu(host, prev))
		follow_call(host, (uint32_t)prev, cpu);
}

static void on_waking(void *userdata, int thread)
{
	struct host *host = userdata;

	if (is_vcpu(host, thread)) {
		host->vcpus[thread].wake_ns = host->world->now_ns;
		host->vcpus[thread].wakeups++;
	}
	helpers_waking(host, thread);
}

/* bpf/inject.h; that an injection follows is not simulated */
static void on_delivered(void *userdata, int thread)
{
	struct host *host = userdata;
	struct pvs_vcpu_account *vcpu;

	if (!is_vcpu(host, thread))
		return;
	vcpu = &host->vcpus[thread];
	vcpu->deliveries++;
	if (pvs_interrupt_is_first(vcpu) && pvs_interrupt_is_told(vcpu, host->world->now_ns) &&
	    host->mutation != MUTATION_NO_INTERRUPT)
		tracer_send(host, (uint32_t)thread, PVS_EVENT_INTERRUPT, 0);
}

/* bpf/spin.h */
static void on_spun(void *userdata, int thread)
{
	struct host *host = userdata;

	if (!is_vcpu(host, thread) || !pvs_spin_is_told(&host->vcpus[thread]) ||
	    host->mutation == MUTATION_NO_SPIN)
		return;
	if (host->vcpus[thread].flags & PVS_FLAG_BOOSTED)
		tracer_send(host, (uint32_t)thread, PVS_EVENT_SPIN, 0);
	else
		helping_spun(host, (uint32_t)thread);
}

void tracer_attach(struct host *host)
{
	host->world->hooks = (struct world_hooks){
	        on_switch, on_waking, helpers_migrate, on_delivered, on_spun, helping_sends, host};
}

/* The booster itself, which is no thread of the simulated machine. */
void tracer_foreign(struct host *host, uint32_t cpu, uint64_t ran_ns)
{
	charge_cpu(host, cpu, host->world->now_ns, ran_ns, ran_ns, true);
}
