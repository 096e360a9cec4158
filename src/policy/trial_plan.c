// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/trial_plan.h"

/* What is dropped of a window: this much, at most, and no more than a fifth of it. */
#define DROP_NS   NSEC_PER_SEC
#define DROP_PART 5

/* Splitmix64 (Steele, Lea, Flood, 2014). */
uint64_t trial_random(uint64_t *state)
{
	uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

void trial_plan_init(struct trial_plan *plan, uint64_t seed, uint64_t min_ns, uint64_t max_ns)
{
	*plan = (struct trial_plan){.random = seed, .min_ns = min_ns, .max_ns = max_ns};
}

static struct trial_step step_of(struct trial_plan *plan, bool on, bool first, uint64_t most_ns)
{
	uint64_t range_ns = plan->max_ns - plan->min_ns + 1;
	struct trial_step step = {.on = on, .first = first};

	step.length_ns = MIN(plan->min_ns + trial_random(&plan->random) % range_ns, most_ns);
	step.drop_ns = MIN(DROP_NS, step.length_ns / DROP_PART);
	return step;
}

bool trial_plan_next(struct trial_plan *plan, uint64_t left_ns, struct trial_step *ret)
{
	bool on;

	if (plan->n % 2) {
		*ret = plan->second;
		plan->n++;
		return true;
	}
	if (plan->n + 2 > TRIAL_WINDOWS_MAX || left_ns / 2 < plan->min_ns)
		return false;
	on = trial_random(&plan->random) & 1;
	*ret = step_of(plan, on, true, left_ns / 2);
	plan->second = step_of(plan, !on, false, left_ns - ret->length_ns);
	plan->n++;
	return true;
}

uint64_t trial_plan_least_ns(uint64_t min_ns, uint64_t max_ns, uint32_t blocks)
{
	return (min_ns / 2 + max_ns / 2) * 2 * blocks;
}

double trial_looks_take(struct trial_looks *looks, uint64_t over_ns, uint64_t all_ns, bool last)
{
	double part = last || over_ns >= all_ns ? 1 : (double)over_ns / (double)all_ns;
	uint32_t due = (uint32_t)(part * TRIAL_LOOKS);
	double total = TRIAL_ERROR * part * part * part, alpha = total - looks->spent;

	if (!last && due <= looks->done)
		return 0;
	looks->done = due;
	looks->spent = total;
	return alpha > 0 ? alpha : 0;
}
