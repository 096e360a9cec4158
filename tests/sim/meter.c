/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "meter.h"

#include <stdlib.h>

struct meter {
	int64_t level, most; /* in thousandths of ns: no rounding */
	uint64_t at_ns;
	uint32_t share_permille;
	int running;
};

struct meters {
	struct meter_sizes sizes;
	struct meter *meters[CHECKER_CPU + 1];
	uint64_t *cpu_until, *thread_until;
	uint64_t longest_wait_ns, boosted_ns;
	const char *nonsense;
};

static struct meter *make(uint32_t n, uint32_t share_permille)
{
	struct meter *meters = calloc(n + 1, sizeof(*meters));

	for (uint32_t i = 0; meters && i < n; i++)
		meters[i].share_permille = share_permille;
	return meters;
}

struct meters *meters_new(const struct meter_sizes *sizes)
{
	struct meters *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->sizes = *sizes;
	m->meters[CHECKER_VCPU] = make(sizes->vcpus, sizes->vcpu_permille);
	m->meters[CHECKER_DOMAIN] = make(sizes->domains, sizes->domain_permille);
	m->meters[CHECKER_CPU] = make(sizes->cpus, sizes->cpu_permille);
	m->cpu_until = calloc(sizes->cpus + 1, sizeof(*m->cpu_until));
	m->thread_until = calloc(sizes->threads + 1, sizeof(*m->thread_until));
	if (!m->meters[CHECKER_VCPU] || !m->meters[CHECKER_DOMAIN] || !m->meters[CHECKER_CPU] ||
	    !m->cpu_until || !m->thread_until)
		return meters_free(m);
	return m;
}

struct meters *meters_free(struct meters *m)
{
	if (!m)
		return NULL;
	for (int key = 0; key <= CHECKER_CPU; key++)
		free(m->meters[key]);
	free(m->cpu_until);
	free(m->thread_until);
	free(m);
	return NULL;
}

static void change(struct meter *meter, uint64_t at_ns, bool begins)
{
	meter->level += (meter->running * INT64_C(1000) - meter->share_permille) *
	                (int64_t)(at_ns - meter->at_ns);
	if (meter->level < 0 || !meter->at_ns)
		meter->level = 0;
	if (meter->level > meter->most)
		meter->most = meter->level;
	meter->at_ns = at_ns;
	meter->running += begins ? 1 : -1;
}

void meters_boosted(struct meters *m, uint64_t at_ns, uint32_t cpu, int32_t vcpu, int32_t domain,
                    bool begins)
{
	change(&m->meters[CHECKER_CPU][cpu], at_ns, begins);
	if (vcpu >= 0)
		change(&m->meters[CHECKER_VCPU][vcpu], at_ns, begins);
	if (domain >= 0)
		change(&m->meters[CHECKER_DOMAIN][domain], at_ns, begins);
}

static const char *wrong(const struct meters *m, const struct run_interval *run)
{
	if (run->cpu >= m->sizes.cpus || run->thread >= m->sizes.threads)
		return "a number out of range";
	if (run->to_ns < run->from_ns || run->ready_ns > run->from_ns)
		return "an interval that ends before it begins";
	if (run->from_ns < m->cpu_until[run->cpu])
		return "two threads on one CPU";
	if (run->from_ns < m->thread_until[run->thread])
		return "one thread on two CPUs";
	return NULL;
}

void meters_ran(struct meters *m, const struct run_interval *run)
{
	uint64_t wait_ns = run->ready_ns ? run->from_ns - run->ready_ns : 0;

	if (m->nonsense)
		return;
	m->nonsense = wrong(m, run);
	if (m->nonsense)
		return;
	m->cpu_until[run->cpu] = m->thread_until[run->thread] = run->to_ns;
	if (wait_ns > m->longest_wait_ns)
		m->longest_wait_ns = wait_ns;
	if (run->boosted && run->vcpu >= 0)
		m->boosted_ns += run->to_ns - run->from_ns;
}

uint64_t meters_excess_ns(const struct meters *m, enum checker_key key, uint32_t number)
{
	return (uint64_t)(m->meters[key][number].most + 999) / 1000;
}

uint64_t meters_longest_wait_ns(const struct meters *m)
{
	return m->longest_wait_ns;
}

const char *meters_nonsense(const struct meters *m)
{
	return m->nonsense;
}

uint64_t meters_boosted_ns(const struct meters *m)
{
	return m->boosted_ns;
}

/* Exact below DELAYS_FINE; then DELAYS_FINE buckets for each doubling. */
static unsigned int bucket_of(uint64_t delay_ns)
{
	unsigned int shift = 0;

	while (delay_ns >> shift >= 2 * DELAYS_FINE)
		shift++;
	return shift * DELAYS_FINE + (unsigned int)(delay_ns >> shift);
}

static uint64_t middle_of(unsigned int bucket)
{
	unsigned int shift = bucket < 2 * DELAYS_FINE ? 0 : bucket / DELAYS_FINE - 1;
	uint64_t low = (uint64_t)(bucket - shift * DELAYS_FINE) << shift;

	return low + ((UINT64_C(1) << shift) >> 1);
}

void delays_add(struct delays *delays, uint64_t delay_ns)
{
	unsigned int bucket = bucket_of(delay_ns);

	delays->n++;
	delays->sum_ns += delay_ns;
	if (delay_ns > delays->max_ns)
		delays->max_ns = delay_ns;
	delays->counts[bucket < DELAYS_BUCKETS ? bucket : DELAYS_BUCKETS - 1]++;
}

void delays_merge(struct delays *delays, const struct delays *other)
{
	delays->n += other->n;
	delays->sum_ns += other->sum_ns;
	delays->max_ns = other->max_ns > delays->max_ns ? other->max_ns : delays->max_ns;
	for (unsigned int i = 0; i < DELAYS_BUCKETS; i++)
		delays->counts[i] += other->counts[i];
}

uint64_t delays_quantile_ns(const struct delays *delays, uint32_t permille)
{
	uint64_t rank = (delays->n * permille + 999) / 1000, seen = 0;

	for (unsigned int i = 0; i < DELAYS_BUCKETS; i++) {
		seen += delays->counts[i];
		if (delays->n && seen >= rank)
			return middle_of(i);
	}
	return delays->max_ns;
}
