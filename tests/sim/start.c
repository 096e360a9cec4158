// SPDX-License-Identifier: GPL-2.0-or-later
/* How a simulated machine begins. */
#include <stdlib.h>

#include "guest.h"
#include "queue.h"
#include "rng.h"

void world_start(struct world *world)
{
	world->group_seen = calloc(world->n_groups, sizeof(*world->group_seen));
	for (uint32_t i = 0; i < world->n_cpus; i++) {
		world->cpus[i].group_vruntime = calloc(world->n_groups, sizeof(uint64_t));
		if (!world->cpus[i].group_vruntime || !world->group_seen)
			abort();
		queue_mark(world, i);
	}
	for (uint32_t i = 0; i < world->n_threads; i++) {
		struct thread *t = &world->threads[i];
		uint64_t within_ns = t->behaviour->starts_ns ?: NSEC_PER_MSEC;

		t->state = THREAD_ASLEEP;
		t->cpu = t->only_cpu >= 0 ? (uint32_t)t->only_cpu : i % world->n_cpus;
		t->period_ns = world->now_ns + t->behaviour->after_ns +
		               rng_below(&world->random, within_ns);
		t->phase_ends_ns = t->period_ns + t->behaviour->phases[0].lasts_ns;
		t->wake_planned = true;
		world_plan(world, t->period_ns, HAPPENS_WAKE, i, 0);
		if (t->behaviour->interrupt_every_ns)
			world_plan(world,
			           t->period_ns + rng_below(&world->random,
			                                    t->behaviour->interrupt_every_ns),
			           HAPPENS_INTERRUPT, i, 0);
		if (t->behaviour->spin_every_ns)
			world_plan(world, t->period_ns, HAPPENS_SPIN, i, 0);
		if (t->behaviour->waits_every_ns)
			world_plan(world, t->period_ns, HAPPENS_WAIT, i, 0);
		if (guest_is_honest(t->behaviour))
			world_plan(world,
			           t->period_ns +
			                   rng_below(&world->random, t->behaviour->urgent_every_ns),
			           HAPPENS_URGENT, i, 0);
	}
}
