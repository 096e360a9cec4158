/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "world.h"

#include <stdlib.h>

#include "guest.h"
#include "queue.h"
#include "rng.h"
#include "waits.h"

/* a woken fair thread preempts one that is this far ahead */
#define WAKEUP_GRAIN_NS NSEC_PER_MSEC

static void reschedule(struct world *world, uint32_t cpu, bool yield);

/* A boosted stretch begins or ends. */
static void note_boosted(struct world *world, const struct thread *t, bool begins)
{
	if (t->priority > 0)
		world->recorder.boosted(world->recorder.userdata, world->now_ns, t->cpu, t, begins);
}

static void record(struct world *world, uint32_t number)
{
	struct thread *t = &world->threads[number];
	struct run_interval run = {
	        .cpu = t->cpu,
	        .thread = number,
	        .vcpu = t->vcpu,
	        .domain = t->domain,
	        .from_ns = t->from_ns,
	        .to_ns = world->now_ns,
	        .ready_ns = t->ready_ns,
	        .boosted = t->priority > 0,
	        .ours = t->priority > 0 && t->priority != t->own_priority,
	        .woken = t->woken,
	};

	world->recorder.ran(world->recorder.userdata, &run);
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
	c->group_vruntime[t->group] += ran; /* all groups weigh the same */
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

/* Of those that wait here, and of what waits elsewhere: real-time threads always, fair ones when
 * the CPU would idle. */
static int pick(struct world *world, uint32_t cpu, int current)
{
	const struct cpu *c = &world->cpus[cpu];
	int best = current;

	for (size_t i = 0; i < c->n_queued; i++)
		if (best < 0 ||
		    goes_before(world, cpu, &world->threads[c->queue[i]], &world->threads[best]))
			best = (int)c->queue[i];
	if (best < 0 || world->threads[best].priority == 0) {
		int other = queue_pull(world, cpu, best < 0);

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

/* What the fair threads of a CPU have had, but for one of them. */
struct competition {
	uint64_t least, group_least; /* NSEC_NEVER: nobody is there */
};

static void meet(const struct cpu *c, const struct thread *t, const struct thread *other,
                 struct competition *ret)
{
	if (other == t || other->priority > 0)
		return;
	ret->group_least = MIN(ret->group_least, c->group_vruntime[other->group]);
	if (other->group == t->group)
		ret->least = MIN(ret->least, other->vruntime);
}

static void place(struct world *world, uint32_t number, uint32_t cpu)
{
	struct thread *t = &world->threads[number];
	struct cpu *c = &world->cpus[cpu];
	struct competition there = {NSEC_NEVER, NSEC_NEVER};

	for (size_t i = 0; i < c->n_queued; i++)
		meet(c, t, &world->threads[c->queue[i]], &there);
	if (world_running(world, c))
		meet(c, t, world_running(world, c), &there);
	if (there.least != NSEC_NEVER)
		bound_lag(&t->vruntime, there.least);
	if (there.least != NSEC_NEVER && t->cpu != cpu)
		t->vruntime = there.least;
	if (there.least == NSEC_NEVER && there.group_least != NSEC_NEVER)
		bound_lag(&c->group_vruntime[t->group], there.group_least);
	if (t->lag_lost && there.least == NSEC_NEVER && there.group_least != NSEC_NEVER)
		c->group_vruntime[t->group] = MAX(c->group_vruntime[t->group], there.group_least);
	t->lag_lost = false;
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
	queue_add(world, number);
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

/* What runs there goes on so much later. */
static void delay(struct world *world, uint32_t cpu, uint64_t ns)
{
	struct thread *t = &world->threads[world->cpus[cpu].current];

	if (t->left_ns != NSEC_NEVER)
		t->left_ns += ns;
}

static void begin_machine_work(struct world *world, uint32_t cpu, uint64_t ns)
{
	struct cpu *c = &world->cpus[cpu];

	c->busy_until_ns = MAX(c->busy_until_ns, world->now_ns) + ns;
}

void world_take(struct world *world, uint32_t cpu, uint64_t ns)
{
	struct cpu *c = &world->cpus[cpu];

	if (!ns)
		return;
	begin_machine_work(world, cpu, ns);
	if (!world_running(world, c))
		return;
	account(world, cpu);
	delay(world, cpu, ns);
	set_alarm(world, cpu);
}

/* The thread that is switched in does its own work once the machine has done its. */
static void begin_work(struct world *world, uint32_t cpu)
{
	struct cpu *c = &world->cpus[cpu];

	begin_machine_work(world, cpu, world->costs.switch_ns);
	delay(world, cpu, c->busy_until_ns - world->now_ns);
}

static void note_wait(struct world *world, uint32_t cpu)
{
	const struct cpu *c = &world->cpus[cpu];
	const struct thread *t = &world->threads[c->current];

	if (t->woken && world->recorder.waited)
		world->recorder.waited(world->recorder.userdata, t,
		                       MAX(c->busy_until_ns, world->now_ns) - t->ready_ns);
}

static void run(struct world *world, uint32_t cpu, int next)
{
	struct thread *t = &world->threads[next];

	if (t->state == THREAD_QUEUED)
		queue_remove(world, (uint32_t)next);
	if (t->state == THREAD_QUEUED && t->cpu != cpu && t->priority == 0)
		place(world, (uint32_t)next, cpu);
	t->cpu = cpu;
	t->state = THREAD_RUNNING;
	t->from_ns = world->now_ns;
	note_boosted(world, t, true);
	guest_runs(world, t);
	world_serve_interrupt(world, t);
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
	if (current >= 0 && world->threads[current].leaves)
		next = pick(world, cpu, -1);
	if (next == prev && !asleep) {
		if (next >= 0) {
			if (world->now_ns >= c->slice_ends_ns)
				c->slice_ends_ns = world->now_ns + WORLD_SLICE_NS;
			set_alarm(world, cpu);
		}
		return;
	}
	if (prev >= 0) {
		note_boosted(world, &world->threads[prev], false);
		record(world, (uint32_t)prev);
	}
	if (current >= 0) { /* preempted: it stays at the head of its queue */
		world->threads[prev].state = THREAD_QUEUED;
		world->threads[prev].ready_ns = world->now_ns;
		world->threads[prev].fifo_rank = --world->fifo_head;
		queue_add(world, (uint32_t)prev);
	}
	c->current = next;
	c->slice_ends_ns = world->now_ns + WORLD_SLICE_NS;
	c->protected_until_ns = world->now_ns + world->costs.protects_ns;
	c->generation++;
	world_note(world, "switch", cpu, (uint64_t)(int64_t)next);
	if (next >= 0) {
		run(world, cpu, next);
		begin_work(world, cpu);
	}
	queue_mark(world, cpu);
	world->hooks.switched(world->hooks.userdata, cpu, prev, asleep, next);
	if (next >= 0) {
		note_wait(world, cpu);
		set_alarm(world, cpu);
	}
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
	if (world->now_ns < c->protected_until_ns)
		return false;
	if (t->group != current->group)
		return c->group_vruntime[t->group] + WAKEUP_GRAIN_NS <
		       c->group_vruntime[current->group];
	return t->vruntime + WAKEUP_GRAIN_NS < current->vruntime;
}

/* Its work is set. */
static void wake(struct world *world, uint32_t number)
{
	struct thread *t = &world->threads[number];
	uint32_t cpu = queue_choose_cpu(world, t);

	t->ready_ns = world->now_ns;
	t->woken = true;
	world->hooks.waking(world->hooks.userdata, (int)number);
	if (t->cpu != cpu)
		world->hooks.migrate(world->hooks.userdata, (int)number, cpu);
	account(world, cpu);
	enqueue(world, number, cpu);
	if (!preempts(world, t, cpu)) {
		world_take(world, cpu, world->costs.wake_ns);
		return;
	}
	begin_machine_work(world, cpu, world->costs.wake_ns);
	reschedule(world, cpu, true);
}

/* What it has to do has changed. */
static void work_changed(struct world *world, struct thread *t)
{
	if (t->state == THREAD_RUNNING)
		set_alarm(world, t->cpu);
}

static void ordinary_due(struct world *world, uint32_t number)
{
	struct thread *t = &world->threads[number];

	t->wake_planned = false;
	if (t->state == THREAD_ASLEEP) {
		guest_work_begin(world, t);
		wake(world, number);
		return;
	}
	if (t->state == THREAD_RUNNING)
		account(world, t->cpu);
	guest_work_add(world, t);
	work_changed(world, t);
}

/* The guest's timer: it interrupts what runs, or wakes the vCPU. */
static void urgent_due(struct world *world, uint32_t number)
{
	struct thread *t = &world->threads[number];

	guest_urgent_due(world, number);
	if (t->state == THREAD_ASLEEP) {
		t->left_ns = 0;
		wake(world, number);
		return;
	}
	if (t->state == THREAD_QUEUED)
		return;
	account(world, t->cpu);
	guest_runs(world, t);
	work_changed(world, t);
}

/* It wakes a vCPU that is idle, not one that waits for QEMU. Those that meet are served as one. */
static void interrupt_due(struct world *world, uint32_t number)
{
	struct thread *t = &world->threads[number];
	uint64_t every_ns = t->behaviour->interrupt_every_ns;

	world_plan(world, world->now_ns + every_ns / 2 + 1 + rng_below(&world->random, every_ns),
	           HAPPENS_INTERRUPT, number, 0);
	world->hooks.delivered(world->hooks.userdata, (int)number);
	t->interrupt_due_ns = t->interrupt_due_ns ?: world->now_ns;
	if (t->state == THREAD_ASLEEP && t->halted) {
		t->left_ns = t->behaviour->interrupt_run_ns;
		wake(world, number);
		return;
	}
	if (t->state == THREAD_RUNNING) {
		account(world, t->cpu);
		world_serve_interrupt(world, t);
	}
	if (t->state != THREAD_ASLEEP && t->left_ns != NSEC_NEVER)
		t->left_ns += t->behaviour->interrupt_run_ns;
	work_changed(world, t);
}

static void spin_due(struct world *world, uint32_t number)
{
	const struct thread *t = &world->threads[number];

	world_plan(world, world->now_ns + t->behaviour->spin_every_ns, HAPPENS_SPIN, number, 0);
	if (t->state == THREAD_RUNNING)
		world->hooks.spun(world->hooks.userdata, (int)number);
}

static void cpu_due(struct world *world, uint32_t cpu, uint64_t generation)
{
	struct cpu *c = &world->cpus[cpu];
	struct thread *t;

	if (generation != c->generation || c->current < 0)
		return;
	account(world, cpu);
	t = &world->threads[c->current];
	if (t->left_ns == 0 && !guest_work_end(world, (uint32_t)c->current))
		t->state = THREAD_ASLEEP;
	reschedule(world, cpu, true);
}

void world_handle(struct world *world, const struct entry *entry)
{
	if (entry->what == HAPPENS_WAKE)
		ordinary_due(world, entry->number);
	else if (entry->what == HAPPENS_URGENT)
		urgent_due(world, entry->number);
	else if (entry->what == HAPPENS_INTERRUPT)
		interrupt_due(world, entry->number);
	else if (entry->what == HAPPENS_SPIN)
		spin_due(world, entry->number);
	else if (entry->what == HAPPENS_WAIT)
		waits_due(world, entry->number);
	else
		cpu_due(world, entry->number, entry->generation);
}

/* Its real-time class in or out of the queues, which are by class. */
static void change_class(struct world *world, uint32_t number, int priority)
{
	struct thread *t = &world->threads[number];

	if (t->state == THREAD_QUEUED)
		queue_remove(world, number);
	t->priority = priority;
	if (t->state == THREAD_QUEUED)
		queue_add(world, number);
	if (t->state == THREAD_RUNNING)
		queue_mark(world, t->cpu);
}

void world_set_priority(struct world *world, uint32_t number, int priority)
{
	struct thread *t = &world->threads[number];

	world_note(world, priority ? "boost" : "unboost", number, (uint64_t)priority);
	if (t->priority == priority)
		return;
	if (t->state == THREAD_RUNNING) {
		account(world, t->cpu);
		note_boosted(world, t, false);
		record(world, number);
	}
	change_class(world, number, priority);
	if (t->state == THREAD_RUNNING)
		note_boosted(world, t, true);
	t->lag_lost = priority == 0 && world->costs.loses_lag;
	if (priority == 0 && t->state != THREAD_ASLEEP)
		place(world, number, t->cpu);
	if (priority > 0)
		t->fifo_rank = ++world->fifo_tail;
	if (t->state == THREAD_RUNNING || (t->state == THREAD_QUEUED && preempts(world, t, t->cpu)))
		reschedule(world, t->cpu, true);
}

void world_push(struct world *world, uint32_t number)
{
	struct thread *t = &world->threads[number];
	uint32_t from = t->cpu;
	int to = queue_weaker_cpu(world, t);

	world_note(world, "push", number, (uint64_t)(int64_t)to);
	if (t->state != THREAD_RUNNING || to < 0)
		return;
	t->leaves = true;
	reschedule(world, from, true);
	t->leaves = false;
	world->hooks.migrate(world->hooks.userdata, (int)number, (uint32_t)to);
	reschedule(world, (uint32_t)to, true);
	if (t->state == THREAD_QUEUED)
		reschedule(world, from, true);
}

void world_end(struct world *world)
{
	for (uint32_t i = 0; i < world->n_threads; i++) {
		if (world->threads[i].state != THREAD_RUNNING)
			continue;
		account(world, world->threads[i].cpu);
		note_boosted(world, &world->threads[i], false);
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
