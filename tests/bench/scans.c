// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * bench-scans: what the booster's looks at more than one vCPU, domain or CPU take, with the
 * daemon's own functions on accounts of its own; no thread is touched. Cold: other memory was read
 * before, as if other programs had run since. Prints one line of JSON, ns per look.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "boost/debtor.h"
#include "core/moved.h"
#include "policy/attention.h"
#include "util/clock.h"

#define BOOSTED     4000
#define TIMES       200
#define OTHER_BYTES (64U << 20) /* more than a cache holds */

static struct pvs_vcpu_account vcpus[PVS_VCPUS_MAX];
static struct pvs_domain_account domains[PVS_DOMAINS_MAX];
static struct pvs_cpu_account cpus[PVS_CPUS_MAX];
static struct pvs_bucket_rule cpu_rule = {3 * NSEC_PER_MSEC, 300, 0};
static struct pvs_moved moved;
static const struct accounts accounts = {
        .vcpus = vcpus, .domains = domains, .cpus = cpus, .cpu_rule = &cpu_rule, .moved = &moved};
static struct boosted_slots boosted;
static unsigned char *other;
static unsigned int sink; /* of results, so that no look is left out */

/* One look of a kind; @n: at so many, where the kind has a number. */
typedef void look_fn(unsigned int n);

/* Of all that are boosted, @n are on CPU 0. */
static void place(unsigned int n)
{
	boosted_slots_init(&boosted);
	for (unsigned int slot = 0; slot < BOOSTED; slot++) {
		vcpus[slot] = (struct pvs_vcpu_account){
		        .rule = {500 * NSEC_PER_USEC, 200, 0},
		        .cpu = slot < n ? 0 : 1 + slot % 255,
		        .domain = slot / 4,
		};
		boosted_slots_put(&boosted, &accounts, slot);
	}
}

static void look_for_debtor(unsigned int n)
{
	(void)n;
	boosted_slots_follow(&boosted, &accounts);
	sink += (unsigned int)debtor_on_cpu(&accounts, &boosted, 0, clock_now_ns());
}

static void look_for_moves(unsigned int n)
{
	for (unsigned int slot = 0; slot < n; slot++) {
		vcpus[slot].cpu ^= 1;
		pvs_moved_set(&moved, slot);
	}
	boosted_slots_follow(&boosted, &accounts);
}

static void look_for_room(unsigned int n)
{
	for (unsigned int cpu = 0; cpu < n; cpu++)
		sink += account_has_room(&accounts, 0, cpu, 0);
}

static struct attention *attention;

static void look_at_domains(unsigned int n)
{
	(void)n;
	attention_count(attention, 0, sink & 1 ? -1 : 1, clock_now_ns());
	sink ^= 1;
}

static struct policy *policy;

/* An event of a vCPU that is awake: facts, and a decision that changes nothing. */
static void look_at_one(unsigned int n)
{
	struct policy_facts facts;
	struct policy_decision decision;
	struct policy_input input = {
	        .event = POLICY_EVENT_HALTED, .facts = &facts, .now_ns = clock_now_ns()};

	account_facts(&accounts, n, input.now_ns, &facts);
	policy_step(policy, n, &input, &decision);
	account_report(&accounts, n, policy_view(policy, n));
	sink += decision.reason;
}

static void cool(void)
{
	for (unsigned int i = 0; i < OTHER_BYTES; i += 64)
		sink += other[i];
}

static int by_size(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* The median: a look that was interrupted says nothing. */
static double look_ns(look_fn *look, unsigned int n, bool cold)
{
	unsigned int times = cold ? TIMES / 5 : TIMES;
	uint64_t ns[TIMES];

	for (unsigned int i = 0; i < times; i++) {
		uint64_t from_ns;

		if (cold)
			cool();
		from_ns = clock_now_ns();
		look(n);
		ns[i] = clock_now_ns() - from_ns;
	}
	qsort(ns, times, sizeof(*ns), by_size);
	return (double)ns[times / 2];
}

static void print(const char *name, look_fn *look, unsigned int n)
{
	printf(",\"%s_%u\":{\"warm_ns\":%.0f,\"cold_ns\":%.0f}", name, n, look_ns(look, n, false),
	       look_ns(look, n, true));
}

int main(void)
{
	static const unsigned int on_cpu[] = {1, 8, 64, 500, BOOSTED}, moves[] = {1, 64, 256};
	const struct profile latency = PROFILE_LATENCY_INIT;

	other = malloc(OTHER_BYTES);
	attention = attention_new(PVS_DOMAINS_MAX, 20);
	policy = policy_new(PVS_VCPUS_MAX, &HOST_CAPS_INIT);
	if (!other || !attention || !policy)
		return 1;
	policy_add(policy, 1, &latency, 0, clock_now_ns());
	memset(other, 1, OTHER_BYTES);
	for (unsigned int i = 1; i < PVS_DOMAINS_MAX; i++)
		attention_count(attention, i, 1, clock_now_ns());
	printf("{\"boosted\":%d", BOOSTED);
	for (size_t i = 0; i < ARRAY_SIZE(on_cpu); i++) {
		place(on_cpu[i]);
		print("debtor", look_for_debtor, on_cpu[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(moves); i++) {
		place(1);
		print("moves", look_for_moves, moves[i]);
	}
	print("room", look_for_room, 64);
	print("room", look_for_room, PVS_CPUS_MAX);
	print("step", look_at_one, 1);
	sink = 0;
	print("domains", look_at_domains, PVS_DOMAINS_MAX);
	puts("}");
	policy_free(policy);
	attention_free(attention);
	free(other);
	return 0;
}
