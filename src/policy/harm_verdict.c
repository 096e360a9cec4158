// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/harm_verdict.h"

#include "policy/names.h"

/* What is compared is the wait that one in a hundred exceeds; of fewer waits, nothing. */
#define TAIL_PERMILLE 10
#define WAITS_MIN     8

/* Means that differ by less are the same. */
#define MEAN_PART 8

/* Tests are after twice as many pairs each; then half of what was counted is forgotten. */
#define PAIRS_LAST 64

/* Chance alone: one time in 250, at each test. */
#define CLEAR_SQUARE 7

/* The pause between pairs doubles so often. */
#define IN_VAIN_MAX 7

/* A domain that had no late wait without boosts in so many windows needs none. */
#define CALM_PAIRS 8

static uint64_t count(const uint32_t waits[PVS_WAIT_BUCKETS])
{
	uint64_t n = 0;

	for (unsigned int i = 0; i < PVS_WAIT_BUCKETS; i++)
		n += waits[i];
	return n;
}

/* The bucket that TAIL_PERMILLE of the waits lie above, or in. */
static int tail_bucket(const uint32_t waits[PVS_WAIT_BUCKETS], uint64_t n)
{
	uint64_t above = n * TAIL_PERMILLE / 1000 + 1, seen = 0;
	int i = PVS_WAIT_BUCKETS - 1;

	for (; i > 0; i--) {
		seen += waits[i];
		if (seen >= above)
			break;
	}
	return i;
}

static uint64_t mean_us(const uint32_t waits[PVS_WAIT_BUCKETS], uint64_t n)
{
	uint64_t sum_us = 0;

	for (unsigned int i = 0; i < PVS_WAIT_BUCKETS; i++)
		sum_us += waits[i] * pvs_wait_bucket_limit_us(i);
	return sum_us / n;
}

static int compare_means(uint64_t a_us, uint64_t b_us)
{
	return (a_us > b_us + b_us / MEAN_PART) - (b_us > a_us + a_us / MEAN_PART);
}

int harm_compare(const uint32_t with[PVS_WAIT_BUCKETS], const uint32_t without[PVS_WAIT_BUCKETS])
{
	uint64_t n_with = count(with), n_without = count(without);
	int a, b, sum;

	if (n_with < WAITS_MIN || n_without < WAITS_MIN)
		return 0;
	a = tail_bucket(with, n_with);
	b = tail_bucket(without, n_without);
	sum = (a > b) - (a < b) + compare_means(mean_us(with, n_with), mean_us(without, n_without));
	return (sum > 0) - (sum < 0);
}

bool harm_is_clear(uint32_t more, uint32_t less)
{
	uint64_t n = (uint64_t)more + less, surplus = more > less ? more - less : 0;

	return n && surplus * surplus >= CLEAR_SQUARE * n;
}

uint64_t harm_late_waits(const uint32_t waits[PVS_WAIT_BUCKETS])
{
	uint64_t n = 0;

	for (unsigned int i = pvs_wait_bucket(HARM_LATE_NS) + 1; i < PVS_WAIT_BUCKETS; i++)
		n += waits[i];
	return n;
}

/* splitmix64 */
uint64_t harm_draw(struct harm *harm, uint64_t least, uint64_t most)
{
	uint64_t z = (harm->random += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	z ^= z >> 31;
	return least + z % (most - least + 1);
}

void harm_forget(struct set *set)
{
	set->pairs = set->worse = set->better = 0;
	set->tests_at = HARM_PAIRS_FIRST;
	set->with_ns = 0;
	for (struct member *m = set->members; m; m = m->next)
		m->worse = m->better = 0, m->used_ns = 0;
}

/*
 * Each domain has one voice, if it had a late wait: a majority decides the pair. A pair without any
 * tells nothing.
 */
void harm_judge_pair(struct set *set)
{
	unsigned int voters = 0;
	int voices = 0, one;

	for (struct member *m = set->members; m; m = m->next) {
		m->calm++;
		if (!harm_late_waits(m->waits[0]) && !harm_late_waits(m->waits[1]))
			continue;
		m->calm = 0;
		one = harm_compare(m->waits[1], m->waits[0]);
		m->worse += one > 0;
		m->better += one < 0;
		voices += one;
		voters++;
	}
	set->worse += voices > 0;
	set->better += voices < 0;
	set->pairs += voters > 0;
	set->in_vain = voters ? 0 : MIN(set->in_vain + 1, (unsigned int)IN_VAIN_MAX);
}

static void let_alone(struct harm *harm, struct set *set, struct member *m,
                      enum policy_reason reason, uint64_t now_ns)
{
	bool again = m->until_ns && now_ns < m->until_ns + 4 * HARM_ALONE_MAX_NS;
	uint64_t longest_ns = again ? 2 * m->length_ns : HARM_ALONE_MIN_NS;

	m->length_ns = MIN(longest_ns, HARM_ALONE_MAX_NS);
	m->hold = POLICY_HOLD(reason);
	/* not all at the same time */
	m->until_ns = now_ns + m->length_ns + harm_draw(harm, 0, m->length_ns / 4);
	m->alone_total++;
	if (set->returned == m)
		set->returned = NULL;
}

unsigned int harm_count_boosted(const struct set *set)
{
	unsigned int n = 0;

	for (const struct member *m = set->members; m; m = m->next)
		n += !m->hold;
	return n;
}

/*
 * A domain that gains, and takes no more than an even part of what its CPUs may give, is not let
 * alone, whatever others say of their waits.
 */
static bool is_protected(const struct set *set, const struct member *m, unsigned int n)
{
	uint64_t part_ns = set->with_ns / 1000 * set->capacity_permille / MAX(n, 1U);

	return m->better > m->worse && m->used_ns <= part_ns;
}

/* The one that used most, and is not let alone yet. */
static struct member *largest(const struct set *set, unsigned int n)
{
	struct member *most = NULL;

	for (struct member *m = set->members; m; m = m->next)
		if (!m->hold && m->used_ns && !is_protected(set, m, n) &&
		    (!most || m->used_ns > most->used_ns))
			most = m;
	return most;
}

/*
 * Those that used most are let alone, until that is half of what was used. If that was not enough,
 * all are: nothing is boosted there.
 */
static void harmful(struct harm *harm, struct set *set, uint64_t now_ns)
{
	unsigned int n = harm_count_boosted(set);
	uint64_t used_ns = 0, gone_ns = 0;
	struct member *m;

	for (m = set->members; m; m = m->next)
		used_ns += m->hold ? 0 : m->used_ns;
	while ((set->in_a_row || 2 * gone_ns < used_ns) && (m = largest(set, n))) {
		gone_ns += m->used_ns;
		let_alone(harm, set, m, POLICY_REASON_HARMFUL, now_ns);
	}
	set->in_a_row++;
	set->verdicts_total++;
	harm_forget(set);
}

/*
 * A domain waits longer with its own boosts than without, while others do not: it wants more than
 * it may have, say, and the end of each boost costs it more than the boost gave. Of all boosts its
 * own are the first to be left out. A domain within its budget does not come here, whatever others
 * do: no ordinary thread keeps a boosted vCPU waiting.
 */
static void find_harmed(struct harm *harm, struct set *set, uint64_t now_ns)
{
	for (struct member *m = set->members; m; m = m->next) {
		if (m->hold || !m->used_ns || !harm_is_clear(m->worse, m->better))
			continue;
		let_alone(harm, set, m, POLICY_REASON_HARMFUL, now_ns);
		m->worse = m->better = 0;
	}
}

static void find_needless(struct harm *harm, struct set *set, uint64_t now_ns)
{
	for (struct member *m = set->members; m; m = m->next) {
		if (m->hold || m->calm < CALM_PAIRS || !m->used_ns)
			continue;
		m->calm = 0;
		let_alone(harm, set, m, POLICY_REASON_NEEDLESS, now_ns);
	}
}

void harm_test(struct harm *harm, struct set *set, uint64_t now_ns)
{
	if (set->pairs < set->tests_at)
		return;
	set->tests_at *= 2;
	if (harm_is_clear(set->worse, set->better)) {
		harmful(harm, set, now_ns);
		return;
	}
	if (set->pairs >= HARM_PAIRS_SOON) {
		set->returned = NULL;
		set->in_a_row = 0;
	}
	find_harmed(harm, set, now_ns);
	find_needless(harm, set, now_ns);
	if (set->pairs < PAIRS_LAST)
		return;
	set->pairs /= 2;
	set->worse /= 2;
	set->better /= 2;
	set->tests_at = PAIRS_LAST;
}

/* One that needed no boosts, and waits now, comes back at once. */
static bool waits_now(const struct member *m)
{
	return (m->hold & POLICY_HOLD(POLICY_REASON_NEEDLESS)) && m->calm == 0;
}

/*
 * Of those that did harm one comes back at a time, the first one first; the next one only after a
 * test, and only when there can be one. So what it does is seen before more is done.
 */
void harm_come_back(struct set *set, uint64_t now_ns, bool may_test)
{
	struct member *first = NULL;

	for (struct member *m = set->members; m; m = m->next) {
		if (!m->hold)
			continue;
		if (waits_now(m) ||
		    ((m->hold & POLICY_HOLD(POLICY_REASON_NEEDLESS)) && m->until_ns <= now_ns)) {
			m->hold = 0;
			continue;
		}
		if (m->until_ns <= now_ns && (!first || m->until_ns < first->until_ns))
			first = m;
	}
	if (!first || (harm_count_boosted(set) && set->quiet_looks < HARM_QUIET_LONG &&
	               (set->returned || !may_test)))
		return;
	first->hold = 0;
	first->worse = first->better = 0;
	set->returned = first;
	set->pairs = set->worse = set->better = 0;
	set->tests_at = HARM_PAIRS_FIRST;
}
