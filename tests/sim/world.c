/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "world.h"

#include <stdlib.h>

#include "rng.h"

#define WAKEUP_GRAIN_NS                                                                            \
	NSEC_PER_MSEC /* a woken fair thread preempts one that is this far ahead                   \
	               */

static void reschedule(struct world *world, uint32_t cpu, bool yield);

static void record(struct world *world, uint32_t number)
{
	struct thread *t = &world->threads[number];

	if (world->n_runs == world->runs_capacity) {
		world->runs_capacity = world->runs_capacity ? 2 * world->runs_capacity : 4096;
		world->runs = realloc(world->runs, world->runs_capacity * sizeof(*world->runs));
		if (!world->runs)
			abort();
	}
	world->runs[world->n_runs++] = (struct run_interval){
	        .cpu = t->cpu,
	        .thread = number,
	        .vcpu = t->vcpu,
	        .domain = t->domain,
	        .from_ns = t->from_ns,
	        .to_ns = world->now_ns,
	        .ready_ns = t->ready_ns,
	        .elevated = t->priority > 0,
	        .woken = t->woken,
	};
	t->from_ns = world->now_ns;
	t->ready_ns = 0;
	t->woken = false;
}

/* Charges what runs on the CPU up to now. */
static void account(struct world *world, uint32_t cpu)
{
	struct cpu *c = &world->cpus[cpu];
	uint64_t ran = world->now_ns - c->accounted_ns;
	struct thread *t;

	c->accounted_ns = world->now_ns;
	if (c->current < 0)
		return;
	t = &world->threads[c->current];
	t->ran_ns += ran;
	if (t->left_ns != NSEC_NEVER)
		t->left_ns -= MIN(ran, t->left_ns);
	if (t->priority > 0)
		return; /* real-time run time is free in the fair class */
	t->vruntime += ran;
	c->group_vruntime[t->group] += ran * 1024 / world->group_weight[t->group];
}

static uint64_t vary(struct world *world, uint64_t ns, uint32_t permille)
{
	uint64_t span = ns * permille / 1000;

	return ns - span + rng_below(&world->random, 2 * span + 1);
}

static const struct phase *phase_now(struct world *world, struct thread *t)
{
	const struct phase *phase = &t->behaviour->phases[t->phase];

	while (phase->lasts_ns && world->now_ns >= t->phase_ends_ns) {
		t->phase = (t->phase + 1) % WORLD_PHASES_MAX;
		if (!t->behaviour->phases[t->phase].run_ns)
			t->phase = 0;
		phase = &t->behaviour->phases[t->phase];
		t->phase_ends_ns = world->now_ns + phase->lasts_ns;
	}
	return phase;
}

/* How long it runs now that it woke. */
static void work_begin(struct world *world, struct thread *t)
{
	const struct phase *phase = phase_now(world, t);

	if (phase->run_ns != NSEC_NEVER)
		t->left_ns = MAX(vary(world, phase->run_ns, phase->vary_permille), UINT64_C(1));
	else
		t->left_ns = phase->lasts_ns ? t->phase_ends_ns - world->now_ns : NSEC_NEVER;
}

static void work_end(struct world *world, uint32_t number)
{
	struct thread *t = &world->threads[number];
	const struct phase *phase = phase_now(world, t);
	uint64_t wake_ns = world->now_ns + vary(world, phase->sleep_ns, phase->vary_permille);

	if (phase->periodic) {
		while (t->period_ns <= world->now_ns)
			t->period_ns += phase->sleep_ns;
		wake_ns = t->period_ns;
	}
	t->halted = rng_below(&world->random, 1000) >= t->behaviour->lock_permille;
	world_plan(world, MAX(wake_ns, world->now_ns + 1), HAPPENS_WAKE, number, 0);
}

static bool may_run(const struct thread *t, uint32_t cpu)
{
	return t->allowed >> cpu & 1;
}

/* Would @a be run rather than @b on that CPU? */
static bool goes_before(const struct world *world, uint32_t cpu, const struct thread *a,
                        const struct thread *b)
{
	const struct cpu *c = &world->cpus[cpu];

	if (a->priority != b->priority)
		return a->priority > b->priority;
	if (a->priority > 0)
		return a->fifo_rank < b->fifo_rank;
	if (a->group != b->group)
		return c->group_vruntime[a->group] < c->group_vruntime[b->group];
	return a->vruntime < b->vruntime;
}

/* Takes what waits elsewhere: real-time threads always, fair ones when it would idle. */
static int pull(struct world *world, uint32_t cpu, bool idle)
{
	int best = -1;

	for (uint32_t i = 0; i < world->n_threads; i++) {
		struct thread *t = &world->threads[i];

		if (t->state != THREAD_QUEUED || t->cpu == cpu || !may_run(t, cpu) ||
		    (t->priority == 0 && !idle))
			continue;
		if (best < 0 || t->priority > world->threads[best].priority ||
		    (t->priority == world->threads[best].priority &&
		     t->ready_ns < world->threads[best].ready_ns))
			best = (int)i;
	}
	return best;
}

static int pick(struct world *world, uint32_t cpu, int current)
{
	int best = current;

	for (uint32_t i = 0; i < world->n_threads; i++) {
		struct thread *t = &world->threads[i];

		if (t->state == THREAD_QUEUED && t->cpu == cpu &&
		    (best < 0 || goes_before(world, cpu, t, &world->threads[best])))
			best = (int)i;
	}
	if (best < 0 || world->threads[best].priority == 0) {
		int other = pull(world, cpu, best < 0);

		if (other >= 0)
			best = other;
	}
	return best;
}

/*
 * What comes brings no old credit beyond half a slice and no old debt beyond a slice: virtual times
 * of CPUs, and of times when nobody else was there, cannot be compared.
 */
static void bound_lag(uint64_t *vruntime, uint64_t least)
{
	*vruntime = MAX(*vruntime, least - MIN(least, WORLD_SLICE_NS / 2));
	*vruntime = MIN(*vruntime, least + WORLD_SLICE_NS);
}

static void place(struct world *world, uint32_t number, uint32_t cpu)
{
	struct thread *t = &world->threads[number];
	struct cpu *c = &world->cpus[cpu];
	uint64_t least = NSEC_NEVER, group_least = NSEC_NEVER;
	bool group_there = false;

	for (uint32_t i = 0; i < world->n_threads; i++) {
		struct thread *o = &world->threads[i];

		if (i == number || o->state == THREAD_ASLEEP || o->cpu != cpu || o->priority > 0)
			continue;
		group_least = MIN(group_least, c->group_vruntime[o->group]);
		if (o->group == t->group) {
			group_there = true;
			least = MIN(least, o->vruntime);
		}
	}
	if (least != NSEC_NEVER)
		bound_lag(&t->vruntime, least);
	if (least != NSEC_NEVER && t->cpu != cpu)
		t->vruntime = least;
	if (!group_there && group_least != NSEC_NEVER)
		bound_lag(&c->group_vruntime[t->group], group_least);
}

static void enqueue(struct world *world, uint32_t number, uint32_t cpu)
{
	struct thread *t = &world->threads[number];

	if (t->priority > 0)
		t->fifo_rank = ++world->fifo_tail;
	else
		place(world, number, cpu);
	t->cpu = cpu;
	t->state = THREAD_QUEUED;
}

static void set_alarm(struct world *world, uint32_t cpu)
{
	struct cpu *c = &world->cpus[cpu];
	struct thread *t = &world->threads[c->current];
	uint64_t at = t->left_ns == NSEC_NEVER ? NSEC_NEVER : world->now_ns + t->left_ns;

	c->generation++;
	if (t->priority == 0)
		at = MIN(at, MAX(c->slice_ends_ns, world->now_ns + 1));
	if (at != NSEC_NEVER)
		world_plan(world, at, HAPPENS_CPU, cpu, c->generation);
}

static void run(struct world *world, uint32_t cpu, int next)
{
	struct thread *t = &world->threads[next];

	if (t->state == THREAD_QUEUED && t->cpu != cpu && t->priority == 0)
		place(world, (uint32_t)next, cpu);
	t->cpu = cpu;
	t->state = THREAD_RUNNING;
	t->from_ns = world->now_ns;
}

/* @yield: the slice is over, or somebody better may have come. */
static void reschedule(struct world *world, uint32_t cpu, bool yield)
{
	struct cpu *c = &world->cpus[cpu];
	int prev = c->current, current, next;
	bool asleep;

	account(world, cpu);
	asleep = prev >= 0 && world->threads[prev].state == THREAD_ASLEEP;
	current = asleep ? -1 : prev;
	next = yield || current < 0 ? pick(world, cpu, current) : current;
	if (next == prev && !asleep) {
		if (next >= 0) {
			if (world->now_ns >= c->slice_ends_ns)
				c->slice_ends_ns = world->now_ns + WORLD_SLICE_NS;
			set_alarm(world, cpu);
		}
		return;
	}
	if (prev >= 0)
		record(world, (uint32_t)prev);
	if (current >= 0) { /* preempted: it stays at the head of its queue */
		world->threads[prev].state = THREAD_QUEUED;
		world->threads[prev].ready_ns = world->now_ns;
		world->threads[prev].fifo_rank = --world->fifo_head;
	}
	c->current = next;
	c->slice_ends_ns = world->now_ns + WORLD_SLICE_NS;
	c->generation++;
	world_note(world, "switch", cpu, (uint64_t)(int64_t)next);
	if (next >= 0)
		run(world, cpu, next);
	world->hooks.switched(world->hooks.userdata, cpu, prev, asleep, next);
	if (next >= 0)
		set_alarm(world, cpu);
}

/* A CPU for a thread that woke: its last one if it can run there at once, else any such, else the
 * last. */
static uint32_t choose_cpu(struct world *world, const struct thread *t)
{
	uint32_t best = t->cpu;
	int best_rank = 1 << 20;

	for (uint32_t k = 0; k < world->n_cpus; k++) {
		uint32_t cpu = (t->cpu + k) % world->n_cpus;
		int current = world->cpus[cpu].current, rank;

		if (!may_run(t, cpu))
			continue;
		rank = current < 0 ? 0 : 1 + world->threads[current].priority;
		if (k == 0 && rank == 1 && t->priority > 0)
			rank = 0; /* a cache that is warm is worth more than an idle CPU */
		if (rank < best_rank) {
			best_rank = rank;
			best = cpu;
		}
	}
	return best;
}

static bool preempts(const struct world *world, const struct thread *t, uint32_t cpu)
{
	const struct cpu *c = &world->cpus[cpu];
	const struct thread *current;

	if (c->current < 0)
		return true;
	current = &world->threads[c->current];
	if (t->priority != current->priority || t->priority > 0)
		return t->priority > current->priority;
	if (t->group != current->group)
		return c->group_vruntime[t->group] + WAKEUP_GRAIN_NS <
		       c->group_vruntime[current->group];
	return t->vruntime + WAKEUP_GRAIN_NS < current->vruntime;
}

static void wake(struct world *world, uint32_t number)
{
	struct thread *t = &world->threads[number];
	uint32_t cpu = choose_cpu(world, t);

	work_begin(world, t);
	t->ready_ns = world->now_ns;
	t->woken = true;
	world->hooks.waking(world->hooks.userdata, (int)number);
	account(world, cpu);
	enqueue(world, number, cpu);
	if (preempts(world, t, cpu))
		reschedule(world, cpu, true);
}

void world_handle(struct world *world, const struct entry *entry)
{
	struct cpu *c;
	struct thread *t;

	if (entry->what == HAPPENS_WAKE) {
		wake(world, entry->number);
		return;
	}
	c = &world->cpus[entry->number];
	if (entry->generation != c->generation || c->current < 0)
		return;
	account(world, entry->number);
	t = &world->threads[c->current];
	if (t->left_ns == 0) {
		work_end(world, (uint32_t)c->current);
		t->state = THREAD_ASLEEP;
	}
	reschedule(world, entry->number, true);
}

void world_set_priority(struct world *world, uint32_t number, int priority)
{
	struct thread *t = &world->threads[number];

	world_note(world, priority ? "raise" : "lower", number, (uint64_t)priority);
	if (t->priority == priority)
		return;
	if (t->state == THREAD_RUNNING) {
		account(world, t->cpu);
		record(world, number);
	}
	t->priority = priority;
	if (priority == 0 && t->state != THREAD_ASLEEP)
		place(world, number, t->cpu);
	if (priority > 0)
		t->fifo_rank = ++world->fifo_tail;
	if (t->state == THREAD_RUNNING || (t->state == THREAD_QUEUED && preempts(world, t, t->cpu)))
		reschedule(world, t->cpu, true);
}

uint32_t world_entitled_permille(const struct world *world, uint32_t number)
{
	const struct thread *t = &world->threads[number];
	bool seen[WORLD_GROUPS_MAX] = {false};
	uint64_t mates = 1, total = world->group_weight[t->group];

	seen[t->group] = true;
	for (uint32_t i = 0; i < world->n_threads; i++) {
		const struct thread *o = &world->threads[i];

		if (i == number || o->state == THREAD_ASLEEP || o->cpu != t->cpu || o->priority > 0)
			continue;
		mates += o->group == t->group;
		if (!seen[o->group])
			total += world->group_weight[o->group];
		seen[o->group] = true;
	}
	return (uint32_t)MAX(world->group_weight[t->group] * 1000 / total / mates, UINT64_C(1));
}

void world_start(struct world *world)
{
	for (uint32_t i = 0; i < world->n_threads; i++) {
		struct thread *t = &world->threads[i];

		t->state = THREAD_ASLEEP;
		t->cpu = i % world->n_cpus;
		while (!may_run(t, t->cpu))
			t->cpu = (t->cpu + 1) % world->n_cpus;
		t->period_ns = world->now_ns + rng_below(&world->random, NSEC_PER_MSEC);
		t->phase_ends_ns = t->period_ns + t->behaviour->phases[0].lasts_ns;
		world_plan(world, t->period_ns, HAPPENS_WAKE, i, 0);
	}
}

void world_end(struct world *world)
{
	for (uint32_t i = 0; i < world->n_threads; i++) {
		if (world->threads[i].state != THREAD_RUNNING)
			continue;
		account(world, world->threads[i].cpu);
		record(world, i);
	}
	for (uint32_t i = 0; i < world->n_threads; i++) {
		if (world->threads[i].state != THREAD_QUEUED)
			continue;
		world->threads[i].from_ns =
		        world->now_ns; /* an empty run, for the sake of its wait */
		record(world, i);
	}
}
