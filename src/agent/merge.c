// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/merge.h"

/* A user whose time was up gets at least this much at once, so it does not flicker. */
#define GRANT_MIN_NS ((int64_t)(2 * NSEC_PER_MSEC))

/* How long a CPU may be urgent for a user after it was not for long: its share of a second. */
static int64_t capacity_ns(const struct merge_allowance *a)
{
	return (int64_t)(a->urgent_permille * (NSEC_PER_SEC / 1000));
}

/* Within so long every bucket is full, and every debt paid. */
#define SETTLED_NS (10 * NSEC_PER_SEC)

/* Brings the allowance up to @now_ns. */
static void settle(struct merge_allowance *a, uint64_t now_ns)
{
	int64_t passed_ns = (int64_t)(now_ns > a->at_ns ? MIN(now_ns - a->at_ns, SETTLED_NS) : 0);

	if (!a->at_ns)
		a->tokens_ns = capacity_ns(a);
	a->tokens_ns += passed_ns / 1000 * a->urgent_permille - (a->urgent ? passed_ns : 0);
	a->tokens_ns = MAX(MIN(a->tokens_ns, capacity_ns(a)), -capacity_ns(a));
	a->at_ns = now_ns;
}

bool merge_note(struct merge_request *request, const struct merge_request *look, uint64_t now_ns)
{
	if (look->word == request->word && request->seen_ns)
		return false;
	request->word = look->word;
	request->expect = look->expect;
	request->written_ns = look->written_ns;
	request->seen_ns = now_ns;
	return true;
}

static bool in_force(const struct merge_request *r, uint64_t now_ns)
{
	return r->seen_ns && now_ns < r->seen_ns + PVSCHED_REQUEST_LEASE_NS;
}

static uint32_t priority_of(const struct merge_request *r)
{
	return MIN((uint32_t)(r->word >> 16) & 0xff, r->of->rt_priority_max);
}

/* When @a has tokens for a while again; NSEC_NEVER: it gets none. */
static uint64_t granted_at(const struct merge_allowance *a, uint64_t now_ns)
{
	const int64_t missing_ns = MIN(GRANT_MIN_NS, capacity_ns(a)) - a->tokens_ns;

	if (!a->urgent_permille)
		return NSEC_NEVER;
	return now_ns + (uint64_t)MAX(missing_ns, INT64_C(0)) * 1000 / a->urgent_permille + 1000;
}

/* What was urgent goes on while it has tokens; what was not needs a few of them. */
static bool grants(const struct merge_allowance *a)
{
	return a->urgent_permille &&
	       a->tokens_ns >= (a->urgent ? 1 : MIN(GRANT_MIN_NS, capacity_ns(a)));
}

static void add_urgent(struct merge_result *ret, const struct merge_request *r, uint64_t now_ns)
{
	struct merge_allowance *a = r->of;

	if (!grants(a)) {
		ret->due_ns = MIN(ret->due_ns, granted_at(a, now_ns));
		return;
	}
	a->next = true;
	if (a->urgent_permille < 1000)
		ret->due_ns = MIN(
		        ret->due_ns,
		        now_ns + (uint64_t)a->tokens_ns * 1000 / (1000 - a->urgent_permille) + 1);
	ret->urgency = PVSCHED_URGENCY_URGENT;
	ret->rt_priority = MAX(ret->rt_priority, priority_of(r));
}

static void add_ordinary(struct merge_result *ret, const struct merge_request *r, uint64_t now_ns)
{
	uint32_t us = pvsched_expect_us(r->expect, r->word);
	uint64_t at_ns = r->seen_ns;

	if (ret->urgency == PVSCHED_URGENCY_NONE)
		ret->urgency = PVSCHED_URGENCY_ORDINARY;
	if (!us)
		return;
	/* its own clock is ours; a time that cannot be is not believed */
	if (r->written_ns && r->written_ns < at_ns &&
	    at_ns - r->written_ns < PVSCHED_REQUEST_LEASE_NS)
		at_ns = r->written_ns;
	at_ns += us * NSEC_PER_USEC;
	if (at_ns > now_ns && (!ret->expected_ns || at_ns < ret->expected_ns))
		ret->expected_ns = at_ns;
}

struct merge_result merge(struct merge_request *const requests[], size_t n, uint64_t now_ns)
{
	struct merge_result ret = {.urgency = PVSCHED_URGENCY_NONE, .due_ns = NSEC_NEVER};

	for (size_t i = 0; i < n; i++) {
		settle(requests[i]->of, now_ns);
		requests[i]->of->next = false;
	}
	for (size_t i = 0; i < n; i++) {
		struct merge_request *r = requests[i];
		enum pvsched_urgency urgency = pvsched_request_urgency(r->word);

		if (!in_force(r, now_ns))
			continue;
		ret.due_ns = MIN(ret.due_ns, r->seen_ns + PVSCHED_REQUEST_LEASE_NS);
		if (urgency == PVSCHED_URGENCY_URGENT)
			add_urgent(&ret, r, now_ns);
		else if (urgency == PVSCHED_URGENCY_ORDINARY)
			add_ordinary(&ret, r, now_ns);
	}
	for (size_t i = 0; i < n; i++)
		requests[i]->of->urgent = requests[i]->of->next;
	if (ret.urgency == PVSCHED_URGENCY_URGENT)
		ret.expected_ns = 0;
	return ret;
}
