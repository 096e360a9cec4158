/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What vCPUs did before their current policy. The test counts in the accounts as the tracer does,
 * and follows plans as each pass does.
 */
#include "daemon/policy_changes.h"

#include "test.h"

#define MS 1000000ULL

static struct pvs_vcpu_account vcpus[PVS_VCPUS_MAX];
static const struct accounts accounts = {.vcpus = vcpus};
static struct policy_changes *changes;
static struct inventory_vcpu of_a[2], of_b[1];
static struct inventory_domain b = {.vcpus = of_b, .n_vcpus = 1};
static struct inventory_domain a = {.vcpus = of_a, .n_vcpus = 2, .next = &b};
static const struct inventory inventory = {.domains = &a};
static struct plan_domain plan[2]; /* of a, b */
static uint64_t now_ns = 1000 * MS;

static void give(struct inventory_vcpu *vcpu, pid_t tid, unsigned int slot)
{
	vcpu->thread.id = (struct thread_id){tid, 100};
	vcpu->slot = slot;
	if (slot != SLOT_NONE)
		vcpus[slot] = (struct pvs_vcpu_account){.tid = (__u32)tid};
}

static void follow_after(uint64_t ns)
{
	now_ns += ns;
	policy_changes_follow(changes, &inventory, plan, now_ns);
}

static void follow(void)
{
	follow_after(POLICY_CHANGES_LEAST_NS);
}

static void begin(void)
{
	policy_changes_free(changes);
	changes = policy_changes_new(&accounts);
	CHECK(changes);
	give(&of_a[0], 11, 0);
	give(&of_a[1], 12, 5);
	give(&of_b[0], 21, PVS_VCPUS_MAX - 1);
	plan[0].profile = plan[1].profile = PROFILE_OBSERVE_INIT;
	follow();
}

static void end(void)
{
	changes = policy_changes_free(changes);
}

/* @n wake-ups of 1 ms each, that waited for @wait_us. */
static void run(unsigned int slot, unsigned int n, __u64 wait_us, bool boosted)
{
	struct pvs_vcpu_account *of = &vcpus[slot];

	of->wakeups += n;
	of->wakeups_boosted += boosted ? n : 0;
	of->run_ns += n * MS;
	of->used_ns += boosted ? n * MS : 0;
	of->wait_ns += n * wait_us * 1000;
	of->wait_counts[pvs_wait_bucket(wait_us * 1000)] += n;
	of->boosts += boosted ? n : 0;
	of->denied += boosted ? 1 : 0;
}

static const struct policy_before *before(const struct inventory_vcpu *vcpu)
{
	return policy_changes_before(changes, vcpu);
}

static void check_window(const struct policy_before *seen, const char *profile, unsigned int n,
                         __u64 wait_us, bool boosted)
{
	const struct window_view *window = &seen->window;

	CHECK_STR(seen->profile, profile);
	CHECK_LE(window->since_ns, seen->until_ns);
	CHECK_U64(window->wakeups, n);
	CHECK_U64(window->wakeups_boosted, boosted ? n : 0);
	CHECK_U64(window->run_ns, n * MS);
	CHECK_U64(window->boosted_ns, boosted ? n * MS : 0);
	CHECK_U64(window->wait_ns, n * wait_us * 1000);
	CHECK_U64(window->boosts, boosted ? n : 0);
	CHECK_U64(window->denied, boosted ? 1 : 0);
	for (unsigned int i = 0; i < PVS_WAIT_BUCKETS; i++)
		CHECK_U64(window->wait_counts[i], i == pvs_wait_bucket(wait_us * 1000) ? n : 0);
}

/* From observe to latency and back: before is what was, whatever comes now. */
static void test_changes(void)
{
	struct policy_before kept;

	begin();
	run(0, 50, 3000, false);
	run(5, 7, 100, false);
	follow();
	CHECK(!before(&of_a[0]) && !before(&of_a[1]) && !before(&of_b[0]));

	plan[0].profile = PROFILE_LATENCY_INIT;
	follow();
	check_window(before(&of_a[0]), "observe", 50, 3000, false);
	check_window(before(&of_a[1]), "observe", 7, 100, false);
	CHECK(!before(&of_b[0]));
	kept = *before(&of_a[0]);
	run(0, 400, 10, true);
	follow();
	CHECK(memcmp(&kept, before(&of_a[0]), sizeof(kept)) == 0);

	plan[0].profile = PROFILE_OBSERVE_INIT;
	follow();
	check_window(before(&of_a[0]), "latency", 400, 10, true);
	CHECK_GE(before(&of_a[0])->window.since_ns, kept.until_ns);
	/* it did nothing in that time, and that is said */
	CHECK_U64(before(&of_a[1])->window.wakeups, 0);
	end();
}

/* Another burst under the same name is another policy. */
static void test_figures(void)
{
	begin();
	plan[1].profile = PROFILE_LATENCY_INIT;
	follow();
	run(PVS_VCPUS_MAX - 1, 3, 20, true);
	plan[1].profile.burst_ns *= 2;
	follow();
	check_window(before(&of_b[0]), "latency", 3, 20, true);
	end();
}

/* A policy that is replaced at once is none to compare with: what was before it stays. */
static void test_short(void)
{
	struct policy_before kept;

	begin();
	plan[0].profile = PROFILE_LATENCY_INIT;
	follow_after(0);
	CHECK(!before(&of_a[0]));
	run(0, 400, 10, true);
	plan[0].profile = PROFILE_OBSERVE_INIT;
	follow_after(POLICY_CHANGES_LEAST_NS);
	check_window(before(&of_a[0]), "latency", 400, 10, true);
	CHECK_U64(before(&of_a[0])->until_ns - before(&of_a[0])->window.since_ns,
	          POLICY_CHANGES_LEAST_NS);
	kept = *before(&of_a[0]);
	run(0, 1, 10, false);
	plan[0].profile = PROFILE_INTERACTIVE_INIT;
	follow_after(POLICY_CHANGES_LEAST_NS - 1);
	CHECK(memcmp(&kept, before(&of_a[0]), sizeof(kept)) == 0);
	/* what it did in that moment is of neither */
	run(0, 7, 20, true);
	plan[0].profile = PROFILE_LATENCY_INIT;
	follow();
	check_window(before(&of_a[0]), "interactive", 7, 20, true);
	end();
}

/* What a profile learns is no other policy; that it begins to boost is one. */
static void test_learned(void)
{
	begin();
	plan[1].profile = (struct profile)PROFILE_AUTO_INIT;
	plan[1].profile.mode = PROFILE_OBSERVE;
	plan[1].profile.learned = true;
	follow();
	run(PVS_VCPUS_MAX - 1, 3, 2000, false);
	plan[1].profile.mode = PROFILE_BOOST;
	follow();
	check_window(before(&of_b[0]), "auto", 3, 2000, false);
	run(PVS_VCPUS_MAX - 1, 5, 20, true);
	plan[1].profile.burst_ns /= 2;
	follow();
	check_window(before(&of_b[0]), "auto", 3, 2000, false);
	plan[1].profile.mode = PROFILE_OBSERVE;
	follow();
	check_window(before(&of_b[0]), "auto", 5, 20, true);
	end();
}

/* What a trial changes is no change of policy: nothing is forgotten, and nothing is learned. */
static void test_trial(void)
{
	struct policy_before kept;

	begin();
	run(0, 50, 3000, false);
	plan[0].profile = PROFILE_LATENCY_INIT;
	follow();
	kept = *before(&of_a[0]);
	for (unsigned int i = 0; i < 4; i++) {
		plan[0].origin = PLAN_BY_TRIAL;
		plan[0].profile = i % 2 ? PROFILE_LATENCY_INIT : PROFILE_OBSERVE_INIT;
		run(0, 5, 20, i % 2);
		follow();
		CHECK(memcmp(&kept, before(&of_a[0]), sizeof(kept)) == 0);
	}
	plan[0].origin = PLAN_BY_DEFAULT;
	follow();
	CHECK(memcmp(&kept, before(&of_a[0]), sizeof(kept)) == 0);
	end();
}

/* A slot that is another thread's now, or was not traced for a while, begins anew. */
static void test_slots_are_used_again(void)
{
	begin();
	run(0, 50, 3000, false);
	plan[0].profile = PROFILE_LATENCY_INIT;
	follow();
	CHECK(before(&of_a[0]));
	give(&of_a[0], 13, 0);
	CHECK(!before(&of_a[0]));
	follow();
	CHECK(!before(&of_a[0]));

	CHECK(before(&of_a[1]));
	give(&of_a[1], 12, SLOT_NONE);
	follow();
	CHECK(!before(&of_a[1]));
	give(&of_a[1], 12, 5);
	follow();
	CHECK(!before(&of_a[1]));
	run(5, 2, 40, true);
	plan[0].profile = PROFILE_OBSERVE_INIT;
	follow();
	check_window(before(&of_a[1]), "latency", 2, 40, true);

	/* its account began anew between two passes: what it counts is no difference */
	run(0, 50, 3000, false);
	plan[0].profile = PROFILE_LATENCY_INIT;
	follow();
	CHECK(before(&of_a[0]));
	vcpus[0] = (struct pvs_vcpu_account){.tid = 13};
	plan[0].profile = PROFILE_OBSERVE_INIT;
	follow();
	CHECK(!before(&of_a[0]));
	end();
}

TEST_MAIN(TEST(test_changes), TEST(test_figures), TEST(test_short), TEST(test_learned),
          TEST(test_trial), TEST(test_slots_are_used_again))
