/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "checker.h"

#include <stdlib.h>

#define SECOND_NS UINT64_C(1000000000)

struct edge {
	uint64_t at_ns;
	int change; /* +1: a boosted run begins, -1: it ends */
};

static int edge_order(const void *a, const void *b)
{
	const struct edge *x = a, *y = b;

	return x->at_ns < y->at_ns ? -1 : x->at_ns > y->at_ns;
}

static bool concerns(const struct run_interval *run, enum checker_key key, uint32_t number)
{
	switch (key) {
	case CHECKER_VCPU:
		return run->vcpu == (int32_t)number;
	case CHECKER_DOMAIN:
		return run->domain == (int32_t)number;
	case CHECKER_CPU:
		return run->cpu == number;
	}
	return false;
}

static size_t edges_collect(const struct run_interval *runs, size_t n, enum checker_key key,
                            uint32_t number, struct edge *edges)
{
	size_t used = 0;

	for (size_t i = 0; i < n; i++) {
		if (!runs[i].boosted || !concerns(&runs[i], key, number))
			continue;
		edges[used++] = (struct edge){runs[i].from_ns, 1};
		edges[used++] = (struct edge){runs[i].to_ns, -1};
	}
	return used;
}

uint64_t checker_excess_ns(const struct run_interval *runs, size_t n, enum checker_key key,
                           uint32_t number, uint32_t share_permille)
{
	struct edge *edges = calloc(2 * n + 1, sizeof(*edges));
	int64_t level = 0, most = 0; /* in thousandths of ns: no rounding */
	int running = 0;
	size_t used;

	if (!edges)
		abort();
	used = edges_collect(runs, n, key, number, edges);
	qsort(edges, used, sizeof(*edges), edge_order);
	for (size_t i = 0; i < used; i++) {
		if (i > 0)
			level += (running * INT64_C(1000) - share_permille) *
			         (int64_t)(edges[i].at_ns - edges[i - 1].at_ns);
		if (level < 0)
			level = 0;
		if (level > most)
			most = level;
		running += edges[i].change;
	}
	free(edges);
	return (uint64_t)(most + 999) / 1000;
}

/* How much of the run lies within the second that ends at @end_ns. */
static uint64_t within_ns(const struct run_interval *run, uint64_t end_ns)
{
	uint64_t begin_ns = end_ns > SECOND_NS ? end_ns - SECOND_NS : 0;
	uint64_t from_ns = run->from_ns > begin_ns ? run->from_ns : begin_ns;
	uint64_t to_ns = run->to_ns < end_ns ? run->to_ns : end_ns;

	return to_ns > from_ns ? to_ns - from_ns : 0;
}

/* The time, of @sum_ns from runs[first] on, that lies within the second that ends with runs[i]. */
static uint64_t second_ns(const struct run_interval *runs, size_t first, size_t i, uint64_t sum_ns)
{
	/* the first one of this CPU that is left may have begun before the second */
	for (size_t k = first; k <= i; k++)
		if (runs[k].cpu == runs[i].cpu && runs[k].boosted)
			return sum_ns - (runs[k].to_ns - runs[k].from_ns) +
			       within_ns(&runs[k], runs[i].to_ns);
	return 0;
}

/*
 * During a boost the sum of the last second never falls: the run adds to it as fast as anything can
 * leave it. So it is largest when the run ends. A CPU's runs come in the order of time.
 */
struct checker_second checker_second(const struct run_interval *runs, size_t n, uint32_t cpu,
                                     uint64_t limit_ns, uint64_t reaction_ns)
{
	struct checker_second ret = {0};
	uint64_t sum_ns = 0, late_ns = 0, whole = 0, used_ns;
	size_t first = 0; /* the first that may lie within the second */

	for (size_t i = 0; i < n; i++) {
		const struct run_interval *run = &runs[i];

		if (run->cpu != cpu || !run->boosted)
			continue;
		sum_ns += run->to_ns - run->from_ns;
		for (; first < i && runs[first].to_ns + SECOND_NS <= run->to_ns; first++)
			if (runs[first].cpu == cpu && runs[first].boosted)
				sum_ns -= runs[first].to_ns - runs[first].from_ns;
		if (!run->ours)
			continue;
		used_ns = second_ns(runs, first, i, sum_ns);
		if (run->to_ns - run->from_ns > reaction_ns) {
			ret.most_ns = used_ns > ret.most_ns ? used_ns : ret.most_ns;
			continue;
		}
		if (whole != run->to_ns / SECOND_NS) {
			whole = run->to_ns / SECOND_NS;
			late_ns = 0;
		}
		if (used_ns > limit_ns)
			late_ns += run->to_ns - run->from_ns;
		ret.late_ns = late_ns > ret.late_ns ? late_ns : ret.late_ns;
	}
	return ret;
}

int checker_served_permille(const struct run_interval *runs, size_t n, int32_t vcpu,
                            uint64_t from_ns, uint64_t until_ns)
{
	uint64_t woken = 0, served = 0;

	for (size_t i = 0; i < n; i++) {
		if (runs[i].vcpu != vcpu || !runs[i].woken || runs[i].from_ns < from_ns ||
		    runs[i].from_ns > until_ns)
			continue;
		woken++;
		served += runs[i].boosted;
	}
	return woken ? (int)(served * 1000 / woken) : -1;
}

uint64_t checker_longest_wait_ns(const struct run_interval *runs, size_t n)
{
	uint64_t longest = 0;

	for (size_t i = 0; i < n; i++) {
		uint64_t wait = runs[i].ready_ns ? runs[i].from_ns - runs[i].ready_ns : 0;

		longest = wait > longest ? wait : longest;
	}
	return longest;
}

/* In the wait that ended with run @last: they come in the order of their ends. */
static uint64_t behind_ns(const struct run_interval *runs, size_t last)
{
	const struct run_interval *served = &runs[last];
	uint64_t behind = 0;

	for (size_t i = last; i > 0 && runs[i - 1].to_ns > served->ready_ns; i--) {
		const struct run_interval *run = &runs[i - 1];
		uint64_t from = run->from_ns > served->ready_ns ? run->from_ns : served->ready_ns;
		uint64_t to = run->to_ns < served->from_ns ? run->to_ns : served->from_ns;

		if (run->boosted && run->vcpu >= 0 && run->domain == served->domain &&
		    run->cpu == served->cpu && to > from)
			behind += to - from;
	}
	return behind;
}

uint64_t checker_longest_behind_ns(const struct run_interval *runs, size_t n, uint32_t thread)
{
	uint64_t longest = 0, behind;

	for (size_t i = 0; i < n; i++) {
		if (runs[i].thread != thread || !runs[i].ready_ns)
			continue;
		behind = behind_ns(runs, i);
		longest = behind > longest ? behind : longest;
	}
	return longest;
}

uint32_t checker_boosted_permille(const struct run_interval *runs, size_t n, uint32_t n_cpus,
                                  uint64_t lasted_ns)
{
	uint64_t boosted = 0;

	for (size_t i = 0; i < n; i++)
		if (runs[i].boosted && runs[i].vcpu >= 0)
			boosted += runs[i].to_ns - runs[i].from_ns;
	return (uint32_t)(boosted * 1000 / (n_cpus * lasted_ns));
}

const char *checker_nonsense(const struct run_interval *runs, size_t n, uint32_t n_cpus,
                             uint32_t n_threads)
{
	uint64_t *cpu_until = calloc(n_cpus, sizeof(*cpu_until));
	uint64_t *thread_until = calloc(n_threads, sizeof(*thread_until));
	const char *wrong = cpu_until && thread_until ? NULL : "no memory";

	/* they come in the order of their ends */
	for (size_t i = 0; i < n && !wrong; i++) {
		const struct run_interval *run = &runs[i];

		if (run->cpu >= n_cpus || run->thread >= n_threads)
			wrong = "a number out of range";
		else if (run->to_ns < run->from_ns || run->ready_ns > run->from_ns)
			wrong = "an interval that ends before it begins";
		else if (run->from_ns < cpu_until[run->cpu])
			wrong = "two threads on one CPU";
		else if (run->from_ns < thread_until[run->thread])
			wrong = "one thread on two CPUs";
		else
			cpu_until[run->cpu] = thread_until[run->thread] = run->to_ns;
	}
	free(cpu_until);
	free(thread_until);
	return wrong;
}
