// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/governor.h"

/* A domain that wants less than this of one CPU does not compete for it. */
#define ACTIVE_PERMILLE 20

/* So much more than whole CPUs is not worth another vCPU. */
#define SLACK_PERMILLE 100

/* With less of a CPU than that left, another vCPU would wait most of its time. */
#define ROOM_PERMILLE 500

/* A CPU that idles, but for what belongs to no domain. */
#define IDLE_PERMILLE 900

/* What a satisfied domain leaves is divided among the others, so often at most. */
#define ROUNDS_MAX 4

#define DENSITY_ONE (UINT64_C(1) << 20)

#define FOREACH_CPU(cpu, step, set)                                                                \
	for (unsigned int cpu = next_cpu(step, set, 0); cpu < 64 * (step)->cpu_words;              \
	     cpu = next_cpu(step, set, cpu + 1))

static unsigned int next_cpu(const struct governor_step *step, const uint64_t *set,
                             unsigned int from)
{
	for (size_t word = from / 64; word < step->cpu_words; word++) {
		uint64_t bits = set[word] & step->online[word];

		if (word == from / 64)
			bits &= ~UINT64_C(0) << from % 64;
		if (bits)
			return (unsigned int)(word * 64) + (unsigned int)__builtin_ctzll(bits);
	}
	return (unsigned int)(64 * step->cpu_words);
}

/* A set of which no CPU is online tells nothing. */
static const uint64_t *cpus_of(const struct governor_step *step, const struct governor_domain *d)
{
	return next_cpu(step, d->cpus, 0) < 64 * step->cpu_words ? d->cpus : step->online;
}

static uint32_t count_cpus(const struct governor_step *step, const uint64_t *set)
{
	uint32_t n = 0;

	for (size_t word = 0; word < step->cpu_words; word++)
		n += (uint32_t)__builtin_popcountll(set[word] & step->online[word]);
	return MAX(n, 1U);
}

/* ---- what each may have ---- */

static uint32_t permille_of(const struct governor_step *step, uint64_t ns)
{
	return (uint32_t)(MIN(ns, UINT64_MAX / 1000) * 1000 / step->interval_ns);
}

static uint64_t sum_run_ns(const struct governor_domain *d)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < d->n_vcpus; i++)
		sum += d->vcpus[i].run_ns;
	return sum;
}

static uint64_t sum_wait_ns(const struct governor_domain *d)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < d->n_vcpus; i++)
		sum += d->vcpus[i].wait_ns;
	return sum;
}

static bool is_active(const struct governor_step *step, const struct governor_domain *d)
{
	return permille_of(step, sum_run_ns(d) + sum_wait_ns(d)) >= ACTIVE_PERMILLE;
}

static uint32_t most_permille(const struct governor_domain *d)
{
	return (uint32_t)d->n_vcpus * 1000;
}

/* The weight of a group counts on each of its CPUs alike. */
static uint64_t density(const struct governor_step *step, const struct governor_domain *d)
{
	return d->weight * DENSITY_ONE / count_cpus(step, cpus_of(step, d));
}

static void densities_sum(const struct governor_step *step)
{
	for (size_t i = 0; i < 64 * step->cpu_words; i++)
		step->cpus[i].density = 0;
	for (size_t i = 0; i < step->n_domains; i++) {
		const struct governor_domain *d = &step->domains[i];
		uint64_t own = density(step, d);

		if (!is_active(step, d) || d->entitled_permille == most_permille(d))
			continue;
		FOREACH_CPU(cpu, step, cpus_of(step, d))
		step->cpus[cpu].density += own;
	}
}

/* Of one CPU, by its weight among those that are not satisfied there. */
static uint32_t part_of(const struct governor_cpu *cpu, uint64_t own)
{
	return cpu->density ? (uint32_t)(cpu->left_permille * own / cpu->density) : 0;
}

/* What it cannot use is left to others. Returns true if there is such a domain. */
static bool satisfy(const struct governor_step *step, struct governor_domain *d)
{
	const uint64_t *cpus = cpus_of(step, d);
	uint64_t own = density(step, d), sum = 0;
	uint32_t each = most_permille(d) / count_cpus(step, cpus);

	FOREACH_CPU(cpu, step, cpus)
	sum += part_of(&step->cpus[cpu], own);
	d->entitled_permille = (uint32_t)MIN(sum, (uint64_t)most_permille(d));
	if (sum < most_permille(d))
		return false;
	FOREACH_CPU(cpu, step, cpus)
	step->cpus[cpu].left_permille -= MIN(step->cpus[cpu].left_permille, each);
	return true;
}

static void entitle(const struct governor_step *step)
{
	bool again = true;

	for (size_t i = 0; i < 64 * step->cpu_words; i++)
		step->cpus[i].left_permille = 1000;
	for (size_t i = 0; i < step->n_domains; i++)
		step->domains[i].entitled_permille = 0;
	for (int round = 0; round < ROUNDS_MAX && again; round++) {
		again = false;
		densities_sum(step);
		for (size_t i = 0; i < step->n_domains; i++) {
			struct governor_domain *d = &step->domains[i];

			if (is_active(step, d) && d->entitled_permille < most_permille(d))
				again |= satisfy(step, d);
		}
	}
}

/* ---- what each does ---- */

static uint32_t whole(uint32_t permille)
{
	return permille <= SLACK_PERMILLE ? 0 : (permille - SLACK_PERMILLE + 999) / 1000;
}

static void uses_sum(const struct governor_step *step)
{
	for (size_t i = 0; i < 64 * step->cpu_words; i++)
		step->cpus[i].used_permille = 0;
	for (size_t i = 0; i < step->n_domains; i++) {
		const uint64_t *cpus = cpus_of(step, &step->domains[i]);
		uint32_t each =
		        permille_of(step, sum_run_ns(&step->domains[i])) / count_cpus(step, cpus);

		FOREACH_CPU(cpu, step, cpus)
		step->cpus[cpu].used_permille += each;
	}
}

static uint32_t count_avoided(const struct governor_domain *d)
{
	uint32_t n = 0;

	for (size_t i = 0; i < d->n_vcpus; i++)
		n += d->vcpus[i].avoided != 0;
	return n;
}

/* What all domains leave of its CPUs, in permille of one. */
static uint32_t room_permille(const struct governor_step *step, const struct governor_domain *d)
{
	uint32_t room = 0;

	FOREACH_CPU(cpu, step, cpus_of(step, d))
	room += 1000 - MIN(step->cpus[cpu].used_permille, 1000U);
	return room;
}

/* One that does nothing takes no room. */
static bool has_room(const struct governor_step *step, const struct governor_domain *d,
                     uint32_t room)
{
	return !is_active(step, d) || room >= ROOM_PERMILLE ||
	       d->n_vcpus - count_avoided(d) < whole(d->entitled_permille);
}

/* Beside a whole CPU that idles, a little waiting is none for want of CPUs. */
static uint32_t low_permille(const struct governor_step *step, uint32_t room)
{
	return room >= IDLE_PERMILLE ? step->rule->high_permille : step->rule->low_permille;
}

static void measure(const struct governor_step *step, struct governor_domain *d)
{
	uint64_t run_ns = sum_run_ns(d), wait_ns = sum_wait_ns(d);
	bool idle = !is_active(step, d);
	uint32_t used = permille_of(step, run_ns), room = room_permille(step, d);

	d->contention_permille =
	        idle ? 0 : (uint32_t)(wait_ns / MAX((run_ns + wait_ns) / 1000, UINT64_C(1)));
	d->has_room = has_room(step, d, room);
	d->least = MAX(whole(MAX(used, d->entitled_permille)), 1U);
	d->course->highs =
	        d->contention_permille >= step->rule->high_permille ? d->course->highs + 1 : 0;
	d->course->lows =
	        d->contention_permille < low_permille(step, room) ? d->course->lows + 1 : 0;
}

/* The one before the last was so long ago that another one makes two in that time. */
static bool may_reverse(const struct governor_step *step, const struct governor_course *course)
{
	return !course->reversed_ns[1] ||
	       step->now_ns - course->reversed_ns[1] >= step->rule->window_ns;
}

static bool may_shrink(const struct governor_step *step, const struct governor_domain *d)
{
	const struct governor_course *course = d->course;

	if (!d->governed || course->highs < step->rule->high_times ||
	    d->n_vcpus - count_avoided(d) <= d->least)
		return false;
	return course->direction >= 0 || may_reverse(step, course);
}

static bool may_grow(const struct governor_step *step, const struct governor_domain *d)
{
	const struct governor_course *course = d->course;

	if (!d->governed || course->lows < step->rule->low_times || !d->has_room ||
	    !count_avoided(d))
		return false;
	return course->direction <= 0 ||
	       (step->now_ns >= course->hold_until_ns && may_reverse(step, course));
}

/* Growing that is reversed soon was in vain, and the next try waits longer. */
static void turn(const struct governor_step *step, struct governor_course *course, int direction)
{
	bool vain = course->reversed_ns[0] &&
	            step->now_ns - course->reversed_ns[0] < step->rule->vain_ns;

	if (course->direction != direction && course->direction) {
		course->reversed_ns[1] = course->reversed_ns[0];
		course->reversed_ns[0] = step->now_ns;
		course->reversals_total++;
	}
	if (course->direction != direction && direction > 0)
		course->hold_ns = MIN(vain ? 2 * course->hold_ns : step->rule->hold_min_ns,
		                      step->rule->hold_max_ns);
	if (direction > 0)
		course->hold_until_ns = step->now_ns + course->hold_ns;
	course->direction = direction;
}

/* The one that waits most gains least by running at all. */
static bool shrink(struct governor_domain *d)
{
	struct governor_vcpu *most = NULL;
	uint32_t last = 0;

	for (size_t i = 0; i < d->n_vcpus; i++) {
		struct governor_vcpu *v = &d->vcpus[i];

		last = MAX(last, v->avoided);
		if (v->index && !v->avoided && (!most || v->wait_ns > most->wait_ns))
			most = v;
	}
	if (most)
		most->avoided = last + 1;
	return most != NULL;
}

/* The last one first. */
static void grow(struct governor_domain *d)
{
	struct governor_vcpu *last = NULL;

	for (size_t i = 0; i < d->n_vcpus; i++)
		if (d->vcpus[i].avoided && (!last || d->vcpus[i].avoided > last->avoided))
			last = &d->vcpus[i];
	if (last)
		last->avoided = 0;
}

static unsigned int let_go(struct governor_domain *d)
{
	unsigned int n = count_avoided(d);

	for (size_t i = 0; i < d->n_vcpus; i++)
		d->vcpus[i].avoided = 0;
	*d->course = (struct governor_course){0};
	return n;
}

/* ---- who steps aside ---- */

static void orders_note(const struct governor_step *step)
{
	for (size_t i = 0; i < 64 * step->cpu_words; i++)
		step->cpus[i].first_order = UINT32_MAX;
	for (size_t i = 0; i < step->n_domains; i++) {
		const struct governor_domain *d = &step->domains[i];

		if (!may_shrink(step, d))
			continue;
		FOREACH_CPU(cpu, step, cpus_of(step, d))
		step->cpus[cpu].first_order = MIN(step->cpus[cpu].first_order, d->yield_order);
	}
}

static bool is_its_turn(const struct governor_step *step, const struct governor_domain *d)
{
	FOREACH_CPU(cpu, step, cpus_of(step, d))
	if (step->cpus[cpu].first_order < d->yield_order)
		return false;
	return true;
}

unsigned int governor_run(const struct governor_step *step)
{
	unsigned int changes = 0;

	entitle(step);
	uses_sum(step);
	for (size_t i = 0; i < step->n_domains; i++)
		measure(step, &step->domains[i]);
	orders_note(step);
	for (size_t i = 0; i < step->n_domains; i++) {
		struct governor_domain *d = &step->domains[i];

		if (!d->governed) {
			changes += let_go(d);
		} else if (may_shrink(step, d)) {
			if (is_its_turn(step, d) && shrink(d)) {
				turn(step, d->course, 1);
				changes++;
			}
		} else if (may_grow(step, d)) {
			grow(d);
			turn(step, d->course, -1);
			changes++;
		}
	}
	return changes;
}

bool governor_is_busy(const struct governor_rule *rule, const struct governor_domain *domain)
{
	return domain->governed &&
	       (domain->contention_permille >= rule->high_permille || count_avoided(domain));
}
