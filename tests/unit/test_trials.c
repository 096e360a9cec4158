// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Trials of the daemon, with windows of some milliseconds: what is in force when, what is read
 * between samples, and every end. What a trial concludes is test_trial_series.c's.
 */
#include "daemon/trials.h"

#include <errno.h>

#include "daemon/trial_probe.h"
#include "daemon/trial_sample.h"

#include "host_fake.h"
#include "inventory_fixture.h"
#include "log_fake.h"

#define WEB "01234567-89ab-cdef-0123-456789abcdef"
#define DB  "11234567-89ab-cdef-0123-456789abcdef"
#define MS  NSEC_PER_MSEC

static struct pvs_vcpu_account vcpus[PVS_VCPUS_MAX];
static const struct accounts accounts = {.vcpus = vcpus};
static struct profile latency = PROFILE_LATENCY_INIT;
static struct inventory inventory;
static struct inventory_domain *web, *db;
static struct trials *trials;
static struct pass *pass;
static sd_event *event;
static unsigned int passes_on, passes_off, passes, probes;
static uint32_t vcpu_holds, host_holds;
static bool has_profile;

/* ---- stand-ins ---- */

int booster_read(struct booster *booster, unsigned int slot, struct booster_vcpu *ret)
{
	(void)booster;
	(void)slot;
	*ret = (struct booster_vcpu){.holds = vcpu_holds};
	return 0;
}

const struct profile *config_profile(const struct config *config, const char *name)
{
	(void)config;
	CHECK_STR(name, "latency");
	return has_profile ? &latency : NULL;
}

int trial_probe_new(struct trial_probe **ret)
{
	*ret = (struct trial_probe *)&probes;
	probes++;
	return 0;
}

struct trial_probe *trial_probe_free(struct trial_probe *probe)
{
	CHECK(probe == (struct trial_probe *)&probes);
	probes--;
	return NULL;
}

struct trial_probe_sums trial_probe_read(const struct trial_probe *probe)
{
	static struct trial_probe_sums sums;

	CHECK(probe);
	sums.n += 10;
	sums.late_ns += 10 * MS;
	return sums;
}

unsigned int trial_probe_count(const struct trial_probe *probe)
{
	return probe ? 7 : 0;
}

/* ---- fixture ---- */

/* Each pass: the vCPUs do something, and wait less while they are boosted. */
static int make_pass(void *userdata)
{
	const struct policy_entry *policy;
	bool on;

	(void)userdata;
	trials_follow(trials, host_holds);
	policy = web ? trials_policy(trials, web) : NULL;
	on = policy && strcmp(policy->profile, "latency") == 0;
	passes++;
	passes_on += on;
	passes_off += policy && !on;
	CHECK(!policy || on || strcmp(policy->profile, "observe") == 0);
	return 0;
}

static void on_gone(void *userdata, struct inventory_domain *d)
{
	(void)userdata;
	if (d == web)
		web = NULL;
}

static struct inventory_domain *see(const char *uuid, const char *name, pid_t pid,
                                    unsigned int slot)
{
	struct inventory_domain *d;

	CHECK_INT(inventory_seen(&inventory, domain_make(uuid, name, pid, 2), &d), INVENTORY_NEW);
	d->vcpus[0].slot = slot;
	d->vcpus[1].slot = slot + 1;
	d->seen->state = DOMAIN_RUNNING;
	inventory_look(&inventory, d);
	return d;
}

static void begin(void)
{
	struct trials_parts parts = {
	        .inventory = &inventory, .accounts = &accounts, .traced = true};

	if (!event) {
		CHECK(sd_event_new(&event) >= 0);
		CHECK_INT(pass_new(&pass, event, make_pass, NULL), 0);
	}
	inventory_clear(&inventory);
	inventory_init(&inventory, NULL, on_gone, NULL);
	memset(vcpus, 0, sizeof(vcpus));
	web = see(WEB, "web", 100, 0);
	db = see(DB, "db", 200, 8);
	parts.event = event;
	parts.pass = pass;
	trials_free(trials);
	CHECK_INT(trials_new(&trials, &parts), 0);
	passes = passes_on = passes_off = 0;
	vcpu_holds = host_holds = 0;
	has_profile = true;
}

static struct trial_wish wish_of(const char *uuid, uint64_t all_ns)
{
	struct trial_wish wish = {.all_ns = all_ns, .min_ns = 4 * MS, .max_ns = 8 * MS, .seed = 5};

	strcpy(wish.policy.uuid, uuid);
	strcpy(wish.policy.name, strcmp(uuid, WEB) == 0 ? "web" : "db");
	strcpy(wish.policy.profile, "latency");
	return wish;
}

static int start(struct inventory_domain *domain, uint64_t all_ns)
{
	struct trial_wish wish = wish_of(domain->seen->uuid, all_ns);

	return trials_start(trials, domain, &wish);
}

static struct trial_view view(const char *name)
{
	struct trial_view ret = {0};

	CHECK_INT(trials_read(trials, name, &ret), 0);
	return ret;
}

/* A turn of the loop, before which web's first vCPU was woken and db's ran. */
static void turn(void)
{
	const struct policy_entry *policy = web ? trials_policy(trials, web) : NULL;
	bool on = policy && strcmp(policy->profile, "latency") == 0;

	vcpus[0].wait_counts[pvs_wait_bucket((on ? 10 : 4000) * NSEC_PER_USEC)] += 50;
	vcpus[0].run_ns += MS / 100;
	vcpus[0].used_ns += on ? MS / 100 : 0;
	vcpus[0].boosts += on;
	vcpus[8].run_ns += MS;
	vcpus[8].wait_ns += MS;
	CHECK(sd_event_run(event, NSEC_PER_SEC / NSEC_PER_USEC) >= 0);
}

static void run_to_end(const char *name)
{
	for (unsigned int i = 0; view(name).end == TRIAL_RUNS; i++) {
		CHECK(i < 100000);
		turn();
	}
}

/* ---- tests ---- */

/* Boosted and not in turn, to the end; then nothing of it is in force, and what it found is kept.
 */
static void test_whole(void)
{
	struct trial_view seen;

	begin();
	CHECK(!trials_policy(trials, web));
	CHECK_INT(start(web, 400 * MS), 0);
	CHECK(trials_policy(trials, web) && !trials_policy(trials, db));
	CHECK_INT(view("web").end, TRIAL_RUNS);
	CHECK_INT(view("web").probes, 7);
	CHECK_INT(probes, 1);
	CHECK_INT(start(web, 400 * MS), -EBUSY);
	run_to_end("web");
	seen = view(WEB);
	CHECK(seen.end == TRIAL_END_TIME || seen.end == TRIAL_END_CLEAR);
	CHECK(!trials_policy(trials, web));
	CHECK_INT(probes, 0);
	CHECK(passes_on > 0 && passes_off > 0);
	CHECK(passes > passes_on + passes_off); /* one follows the end */
	CHECK_GE(seen.verdict.blocks, 2);
	CHECK_INT(seen.verdict.wait_us[1][TRIAL_P99].value > 12, 0);
	CHECK_INT(seen.verdict.wait_us[0][TRIAL_P99].value < 1000, 0);
	CHECK_U64(seen.totals[0].boosts, 0);
	CHECK(seen.totals[1].boosts > 0 && seen.totals[1].length_ns > 0);
	CHECK_STR(seen.policy->profile, "latency");
	/* and the next one begins anew, in the same place */
	CHECK_INT(start(web, 400 * MS), 0);
	CHECK_INT(view("web").end, TRIAL_RUNS);
	CHECK_INT(view("web").verdict.blocks, 0);
}

/* By command, of one domain or of all. */
static void test_cancelled(void)
{
	begin();
	CHECK(!trials_cancel(trials, WEB, TRIAL_END_STOPPED));
	CHECK_INT(start(web, 60 * NSEC_PER_SEC), 0);
	CHECK_INT(start(db, 60 * NSEC_PER_SEC), 0);
	CHECK_INT(probes, 1);
	CHECK(trials_cancel(trials, DB, TRIAL_END_STOPPED));
	CHECK(!trials_policy(trials, db) && trials_policy(trials, web));
	CHECK_INT(view("db").end, TRIAL_END_STOPPED);
	CHECK_INT(probes, 1);
	CHECK(trials_cancel(trials, NULL, TRIAL_END_POLICY));
	CHECK_INT(view("web").end, TRIAL_END_POLICY);
	CHECK_INT(probes, 0);
}

/* Its domain goes, and another one comes with its uuid; its profile goes; the host forbids boosts.
 */
static void test_ends(void)
{
	begin();
	CHECK_INT(start(web, 60 * NSEC_PER_SEC), 0);
	inventory_drop(&inventory, web);
	web = see(WEB, "web", 300, 0);
	CHECK(!trials_policy(trials, web));
	CHECK_INT(pass_now(pass), 0);
	CHECK_INT(view("web").end, TRIAL_END_GONE);

	CHECK_INT(start(web, 60 * NSEC_PER_SEC), 0);
	has_profile = false;
	CHECK_INT(pass_now(pass), 0);
	CHECK_INT(view("web").end, TRIAL_END_PROFILE);
	CHECK_INT(start(web, 60 * NSEC_PER_SEC), -EINVAL);
	has_profile = true;
	CHECK_INT(start(web, 60 * NSEC_PER_SEC), 0);
	latency.share_permille++;
	CHECK_INT(pass_now(pass), 0);
	CHECK_INT(view("web").end, TRIAL_END_PROFILE);

	CHECK_INT(start(web, 60 * NSEC_PER_SEC), 0);
	host_holds = POLICY_HOLD(POLICY_REASON_GUARDIAN); /* soon there is another one */
	CHECK_INT(pass_now(pass), 0);
	CHECK_INT(view("web").end, TRIAL_RUNS);
	host_holds |= POLICY_HOLD(POLICY_REASON_DISABLED);
	CHECK_INT(pass_now(pass), 0);
	CHECK_INT(view("web").end, TRIAL_END_HELD);
	CHECK_INT(view("web").held, POLICY_REASON_DISABLED);
}

/* Each vCPU is held: that ends it, with the reason. */
static void test_held(void)
{
	begin();
	vcpu_holds = POLICY_HOLD(POLICY_REASON_QUOTA);
	CHECK_INT(start(web, 60 * NSEC_PER_SEC), 0);
	run_to_end("web");
	CHECK_INT(view("web").end, TRIAL_END_HELD);
	CHECK_INT(view("web").held, POLICY_REASON_QUOTA);
	CHECK(!trials_policy(trials, web));
	/* but a slice alone needs no real-time class */
	latency.levers = PROFILE_LEVER_SLICE;
	CHECK_INT(start(web, 100 * MS), 0);
	run_to_end("web");
	CHECK(view("web").end != TRIAL_END_HELD);
	latency.levers = PROFILE_LEVERS_INIT;
}

/* Windows in which the domain was paused, or lost a vCPU, count for nothing. */
static void test_spoilt(void)
{
	begin();
	CHECK_INT(start(web, 100 * MS), 0);
	web->seen->state = DOMAIN_PAUSED;
	run_to_end("web");
	CHECK_INT(view("web").verdict.blocks, 0);
	CHECK(view("web").dropped > 0);
	CHECK_INT(view("web").verdict.advice, TRIAL_CANNOT_TELL);
}

static void test_limits(void)
{
	struct inventory_domain *more[TRIALS_MAX + 1];
	struct trial_view seen;
	char uuid[37];

	begin();
	for (unsigned int i = 0; i < ARRAY_SIZE(more); i++) {
		struct trial_wish wish = wish_of(WEB, 60 * NSEC_PER_SEC);

		snprintf(uuid, sizeof(uuid), "21234567-89ab-cdef-0123-4567890000%02x", i);
		more[i] = see(uuid, "same", (pid_t)(1000 + 10 * i), 16 + 2 * i);
		strcpy(wish.policy.uuid, uuid);
		strcpy(wish.policy.name, "same");
		if (i == TRIALS_RUNNING_MAX)
			CHECK_INT(trials_start(trials, more[i], &wish), -ENOSPC);
		if (i >= TRIALS_RUNNING_MAX)
			trials_cancel(trials, more[i - TRIALS_RUNNING_MAX]->seen->uuid,
			              TRIAL_END_STOPPED);
		CHECK_INT(trials_start(trials, more[i], &wish), 0);
	}
	/* the first one has made room */
	CHECK_INT(trials_read(trials, more[0]->seen->uuid, &seen), -ENOENT);
	CHECK_INT(trials_read(trials, more[1]->seen->uuid, &seen), 0);
	CHECK_INT(trials_read(trials, "same", &seen), -ENOTUNIQ);
	CHECK_INT(trials_read(trials, "other", &seen), -ENOENT);
	trials = trials_free(trials);
	CHECK_INT(probes, 0);
}

/* ---- samples ---- */

/* What was read between two moments, with a run and a wait that are not over. */
static void test_sample(void)
{
	struct trial_sample first, second;
	struct trial_window window;

	begin();
	vcpus[0].run_ns = 3 * MS;
	vcpus[8].out_ns = vcpus[8].wake_ns = 1;
	vcpus[9] = (struct pvs_vcpu_account){.out = PVS_OUT_PREEMPTED, .out_ns = 1000 * MS};
	trial_sample_take(&inventory, &accounts, web, (void *)&probes, 1000 * MS, &first);
	vcpus[0].in_ns = 1060 * MS;
	vcpus[0].wait_counts[3] += 5;
	vcpus[0].used_ns += 4 * MS;
	vcpus[8].run_ns += 40 * MS;
	trial_sample_take(&inventory, &accounts, web, (void *)&probes, 1100 * MS, &second);
	CHECK_INT(first.own_vcpus, 2);
	CHECK_INT(first.others_vcpus, 2);
	CHECK_INT(first.cpus, 1); /* both may run on CPU 0 alone */
	second.daemon_ns = first.daemon_ns + 10 * MS;
	CHECK(trial_sample_window(&first, &second, true, &window));
	CHECK(window.on && window.waits[3] == 5);
	CHECK_U64(window.length_ns, 100 * MS);
	CHECK_U64(window.run_ns, 40 * MS);
	CHECK_U64(window.boosted_ns, 4 * MS);
	CHECK_INT(window.served_ppm[TRIAL_CPUS], 500000);
	CHECK_INT(window.served_ppm[TRIAL_DOMAINS], 1000000 * 40 / 140);
	CHECK_INT(window.served_ppm[TRIAL_THREADS], 1000000 * 10 / 11);
}

/* Other vCPUs, or counters that went back: not measured, rather than wrong. */
static void test_sample_changes(void)
{
	struct trial_sample first, second;
	struct trial_window window;

	begin();
	vcpus[0].wait_counts[5] = 9;
	trial_sample_take(&inventory, &accounts, web, (void *)&probes, 1000 * MS, &first);
	trial_sample_take(&inventory, &accounts, web, (void *)&probes, 1000 * MS, &second);
	CHECK(!trial_sample_window(&first, &second, false, &window));
	db->vcpus[0].slot = SLOT_NONE;
	trial_sample_take(&inventory, &accounts, web, (void *)&probes, 1100 * MS, &second);
	CHECK(trial_sample_window(&first, &second, false, &window));
	CHECK_INT(window.served_ppm[TRIAL_DOMAINS], 0);
	CHECK(window.served_ppm[TRIAL_CPUS] > 900000);
	vcpus[0].wait_counts[5] = 8;
	trial_sample_take(&inventory, &accounts, web, (void *)&probes, 1100 * MS, &second);
	CHECK(!trial_sample_window(&first, &second, false, &window));
	vcpus[0].wait_counts[5] = 9;
	web->vcpus[1].thread.id.tid++;
	trial_sample_take(&inventory, &accounts, web, (void *)&probes, 1100 * MS, &second);
	CHECK(!trial_sample_window(&first, &second, false, &window));
	web->vcpus[0].slot = web->vcpus[1].slot = SLOT_NONE;
	trial_sample_take(&inventory, &accounts, web, (void *)&probes, 1000 * MS, &first);
	trial_sample_take(&inventory, &accounts, web, (void *)&probes, 1100 * MS, &second);
	CHECK(!trial_sample_window(&first, &second, false, &window));
}

TEST_MAIN(TEST(test_whole), TEST(test_cancelled), TEST(test_ends), TEST(test_held),
          TEST(test_spoilt), TEST(test_limits), TEST(test_sample), TEST(test_sample_changes))
