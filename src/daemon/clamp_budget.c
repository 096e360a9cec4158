// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/clamp_budget.h"

#include <errno.h>
#include <stdlib.h>

#include "util/clock.h"

/* Several buckets that are due about now need one wake-up. */
#define ACCURACY_US 500000

/* A vCPU that runs at its share, its bucket all but empty, is not looked at more often. */
#define LOOK_NS_MIN NSEC_PER_SEC

struct bucket {
	pid_t tid;         /* 0: none is followed */
	uint32_t permille; /* refill, of one CPU's time */
	bool clamped, spent;
	uint64_t owed_ns; /* clamped run time that is not repaid yet */
	uint64_t used_ns; /* clamped run time in total */
	uint64_t ran_ns;  /* all run time, at looked_ns */
	uint64_t looked_ns;
};

struct clamp_budget {
	const struct accounts *accounts;
	clamp_budget_changed_fn *changed;
	void *userdata;
	sd_event *event;
	sd_event_source *timer;
	struct bucket buckets[PVS_VCPUS_MAX];
};

int clamp_budget_new(struct clamp_budget **ret, sd_event *event, const struct accounts *accounts,
                     clamp_budget_changed_fn *changed, void *userdata)
{
	struct clamp_budget *budget = calloc(1, sizeof(*budget));

	if (!budget)
		return -ENOMEM;
	budget->event = event;
	budget->accounts = accounts;
	budget->changed = changed;
	budget->userdata = userdata;
	*ret = budget;
	return 0;
}

struct clamp_budget *clamp_budget_free(struct clamp_budget *budget)
{
	if (!budget)
		return NULL;
	sd_event_source_disable_unref(budget->timer);
	free(budget);
	return NULL;
}

/* ---- one bucket ---- */

static uint64_t ran_ns(const struct clamp_budget *budget, unsigned int slot, uint64_t now_ns)
{
	const struct pvs_vcpu_account *account = &budget->accounts->vcpus[slot];
	uint64_t in_ns = __atomic_load_n(&account->in_ns, __ATOMIC_RELAXED);
	uint64_t run_ns = __atomic_load_n(&account->run_ns, __ATOMIC_RELAXED);

	return run_ns + (in_ns && now_ns > in_ns ? now_ns - in_ns : 0);
}

/* What it ran since it was looked at. While it leaves its CPU it may seem to have run more or less.
 */
static uint64_t ran_since(const struct clamp_budget *budget, unsigned int slot, uint64_t now_ns)
{
	const struct bucket *b = &budget->buckets[slot];
	uint64_t total_ns = ran_ns(budget, slot, now_ns);

	if (total_ns <= b->ran_ns || now_ns <= b->looked_ns)
		return 0;
	return MIN(total_ns - b->ran_ns, now_ns - b->looked_ns);
}

static void charge(struct clamp_budget *budget, unsigned int slot, uint64_t now_ns)
{
	struct bucket *b = &budget->buckets[slot];
	uint64_t repaid_ns = (now_ns - b->looked_ns) / 1000 * b->permille;

	if (b->clamped) {
		uint64_t ran = ran_since(budget, slot, now_ns);

		b->owed_ns += ran;
		b->used_ns += ran;
	}
	b->owed_ns -= MIN(b->owed_ns, repaid_ns);
	/* a look that comes late is not the vCPU's debt */
	b->owed_ns = MIN(b->owed_ns, CLAMP_BUDGET_BURST_NS);
	b->ran_ns = ran_ns(budget, slot, now_ns);
	b->looked_ns = now_ns;
}

/* When the bucket is full again; or empty, should the vCPU run all the time. */
static uint64_t next_look(const struct bucket *b)
{
	uint64_t left_ns = CLAMP_BUDGET_BURST_NS - b->owed_ns;

	if (b->spent)
		return b->looked_ns + (b->owed_ns * 1000 + b->permille - 1) / b->permille + 1000;
	if (b->permille == 1000)
		return NSEC_NEVER;
	return b->looked_ns + MAX(left_ns * 1000 / (1000 - b->permille), LOOK_NS_MIN);
}

/* Returns true if it became empty or full. */
static bool turn(struct bucket *b)
{
	bool spent = b->spent ? b->owed_ns > 0 : b->owed_ns >= CLAMP_BUDGET_BURST_NS;

	if (spent == b->spent)
		return false;
	b->spent = spent;
	return true;
}

/* ---- all of them ---- */

void clamp_budget_follow(struct clamp_budget *budget, unsigned int slot, pid_t tid,
                         uint32_t permille, uint64_t now_ns)
{
	struct bucket *b = &budget->buckets[slot];

	if (permille == 0)
		tid = 0;
	if (tid && b->tid == tid)
		charge(budget, slot, now_ns); /* by the share that it had until now */
	if (b->tid != tid)
		*b = (struct bucket){
		        .tid = tid,
		        .ran_ns = ran_ns(budget, slot, now_ns),
		        .looked_ns = now_ns,
		};
	b->permille = permille;
}

void clamp_budget_clamped(struct clamp_budget *budget, unsigned int slot, bool clamped,
                          uint64_t now_ns)
{
	struct bucket *b = &budget->buckets[slot];

	if (!b->tid || b->clamped == clamped)
		return;
	charge(budget, slot, now_ns);
	b->clamped = clamped;
}

uint64_t clamp_budget_look(struct clamp_budget *budget, uint64_t now_ns)
{
	uint64_t next_ns = NSEC_NEVER;
	bool changed = false;

	for (unsigned int slot = 0; slot < PVS_VCPUS_MAX; slot++) {
		struct bucket *b = &budget->buckets[slot];

		if (!b->tid)
			continue;
		charge(budget, slot, now_ns);
		changed |= turn(b);
		if (b->clamped || b->spent)
			next_ns = MIN(next_ns, next_look(b));
	}
	if (changed)
		budget->changed(budget->userdata);
	return next_ns;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)source;
	(void)usec;
	clamp_budget_settle(userdata, clock_now_ns());
	return 0;
}

void clamp_budget_settle(struct clamp_budget *budget, uint64_t now_ns)
{
	uint64_t next_ns = clamp_budget_look(budget, now_ns);

	budget->timer = sd_event_source_disable_unref(budget->timer);
	if (next_ns == NSEC_NEVER || !budget->event)
		return;
	/* without a timer a clamp stays longer than its budget, and nothing worse */
	(void)sd_event_add_time(budget->event, &budget->timer, CLOCK_MONOTONIC,
	                        next_ns / NSEC_PER_USEC + 1, ACCURACY_US, on_timer, budget);
}

bool clamp_budget_spent(const struct clamp_budget *budget, unsigned int slot)
{
	return budget->buckets[slot].spent;
}

uint64_t clamp_budget_used_ns(const struct clamp_budget *budget, unsigned int slot, uint64_t now_ns)
{
	const struct bucket *b = &budget->buckets[slot];

	return b->used_ns + (b->clamped ? ran_since(budget, slot, now_ns) : 0);
}
