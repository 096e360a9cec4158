// SPDX-License-Identifier: GPL-2.0-or-later
/* Which vCPUs are compared, and with which others: sets of CPUs, new threads, changed profiles. */
#include "daemon/comparing.h"

#include "test.h"

#define VCPUS 6

static struct pvs_vcpu_account accounts_of[PVS_VCPUS_MAX];
static const struct accounts accounts = {.vcpus = accounts_of};
static struct comparing *comparing;
static struct inventory inventory;
static struct inventory_domain domains[VCPUS];
static struct inventory_vcpu vcpus[VCPUS];
static struct plan_vcpu plan[VCPUS];
static struct domain seen = {.name = "web"};
static unsigned int n_noted;
static uint32_t holds[PVS_VCPUS_MAX];

int booster_note_denied(struct booster *booster)
{
	(void)booster;
	n_noted++;
	return 0;
}

int booster_hold(struct booster *booster, unsigned int slot, uint32_t set, uint32_t clear)
{
	(void)booster;
	holds[slot] = (holds[slot] & ~clear) | set;
	return 0;
}

struct inventory_vcpu *inventory_by_slot(const struct inventory *inventory_, unsigned int slot,
                                         struct inventory_domain **ret_domain)
{
	(void)inventory_;
	*ret_domain = &domains[slot];
	return &vcpus[slot];
}

/* A domain each, with one vCPU, which may run on @cpus; its slot is its number. */
static void begin(const char *const cpus[], size_t n)
{
	comparing_free(comparing);
	n_noted = 0;
	memset(holds, 0, sizeof(holds));
	CHECK_INT(comparing_new(&comparing, NULL, &accounts, NULL), 0);
	CHECK_U64(n_noted, 0);
	comparing_configure(comparing, true);
	inventory.domains = domains;
	for (size_t i = 0; i < n; i++) {
		vcpus[i] = (struct inventory_vcpu){.slot = (unsigned int)i,
		                                   .thread.id.tid = (pid_t)(100 + i)};
		CHECK_INT(cpulist_parse(cpus[i], &vcpus[i].affinity), 0);
		domains[i] = (struct inventory_domain){.next = i + 1 < n ? &domains[i + 1] : NULL,
		                                       .seen = &seen,
		                                       .slot = (unsigned int)i,
		                                       .n_vcpus = 1,
		                                       .vcpus = &vcpus[i]};
		plan[i] = (struct plan_vcpu){.traced = true, .profile = PROFILE_LATENCY_INIT};
	}
}

static void follow(void)
{
	comparing_follow(comparing, &inventory, plan, 300);
}

static bool is_compared(unsigned int slot)
{
	struct harm_view view;

	return comparing_read(comparing, slot, &view);
}

/* Late waits, until something is held. */
static bool wait_late(unsigned int slot)
{
	for (unsigned int i = 0; i < 400 && !holds[slot]; i++) {
		accounts_of[slot].wait_counts[PVS_WAIT_BUCKETS - 1]++;
		comparing_run(comparing, comparing_next_ns(comparing));
	}
	return holds[slot];
}

/* So many of the vCPUs are in one set with that one: what one of them spoils, it spoils for them.
 */
static void test_who_is_compared(void)
{
	const char *cpus[] = {"0-1", "1-2", "4", ""};

	begin(cpus, 4);
	CHECK_U64(n_noted, 1);
	follow();
	CHECK(is_compared(0) && is_compared(1) && is_compared(2));
	CHECK(!is_compared(3)); /* where it may run is not known */
	plan[0].profile.mode = PROFILE_OBSERVE;
	plan[1].profile.levers = PROFILE_LEVER_SLICE;
	plan[2].traced = false;
	follow();
	CHECK(!is_compared(0) && !is_compared(1) && !is_compared(2));
}

/* vCPU 0 can meet 1, 1 can meet 2: they share one set; 3 has its own. A late wait of one, and then
 * nothing boosted: all of its set, and no other. */
static void test_sets(void)
{
	const char *cpus[] = {"0-1", "1-2", "2-3", "7"};

	begin(cpus, 4);
	follow();
	CHECK(wait_late(2));
	CHECK_U64(holds[0], POLICY_HOLD(POLICY_REASON_COMPARED));
	CHECK_U64(holds[1], holds[0]);
	CHECK_U64(holds[2], holds[0]);
	CHECK_U64(holds[3], 0);
	/* one whose profile boosts no more is held no longer; one that has gone is not spoken of */
	plan[0].profile.mode = PROFILE_OBSERVE;
	inventory.domains = domains;
	domains[0].next = &domains[2];
	plan[1] = plan[2];
	plan[2] = plan[3];
	follow();
	CHECK_U64(holds[0], 0);
	CHECK(holds[1] != 0);
	CHECK(!is_compared(1));
}

/* Another thread in the slot: what was found was found of the one before. */
static void test_another_thread(void)
{
	const char *cpus[] = {"0"};

	begin(cpus, 1);
	follow();
	CHECK(wait_late(0));
	vcpus[0].thread.id.tid = 999;
	holds[0] = 0; /* as booster_add() has it */
	follow();
	CHECK(is_compared(0));
	CHECK_U64(holds[0], 0);
}

/* Without late waits nothing is tried, and the booster is asked to note the next denial. */
static void test_quiet_again(void)
{
	const char *cpus[] = {"0", "0"};
	unsigned int looks = 0;

	begin(cpus, 2);
	follow();
	while (comparing_next_ns(comparing) != NSEC_NEVER && ++looks < 100)
		comparing_run(comparing, comparing_next_ns(comparing));
	CHECK(looks < 10);
	CHECK_U64(n_noted, looks ? 2 : 1);
	CHECK_U64(holds[0] | holds[1], 0);
}

/* Off ends what is held at once, without a pass, and nothing is due; neither a pass nor a note of
 * the booster begins it again. On does. */
static void test_off_and_on(void)
{
	const char *cpus[] = {"0-1", "1"};

	begin(cpus, 2);
	follow();
	CHECK(wait_late(0) && holds[1]);
	comparing_configure(comparing, false);
	CHECK_U64(holds[0] | holds[1], 0);
	CHECK_U64(comparing_next_ns(comparing), NSEC_NEVER);
	follow();
	comparing_wake(comparing);
	CHECK_U64(comparing_next_ns(comparing), NSEC_NEVER);
	CHECK(!is_compared(0) && !is_compared(1));
	CHECK_U64(n_noted, 1);
	comparing_configure(comparing, true);
	CHECK_U64(n_noted, 2);
	follow();
	CHECK(is_compared(0) && wait_late(0) && holds[1]);
}

TEST_MAIN(TEST(test_who_is_compared), TEST(test_sets), TEST(test_another_thread),
          TEST(test_quiet_again), TEST(test_off_and_on))
