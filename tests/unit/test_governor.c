// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The governor in a model of a host: domains share CPUs by their weights, a guest leaves the vCPUs
 * that it is told to avoid, and loads come and go. Time is the test's.
 */
#include "policy/governor.h"

#include "test.h"

#define DOMAINS_MAX 1000
#define VCPUS_MAX   8
#define CPUS_MAX    512
#define WORDS       (CPUS_MAX / 64)

struct guest {
	uint32_t wants_permille; /* each of its vCPUs, of a CPU */
	uint32_t n_vcpus;
	bool deaf; /* it does not do what it is told */
	uint64_t cpus[WORDS];
	struct governor_vcpu vcpus[VCPUS_MAX];
	struct governor_course course;
	uint64_t ran_ns;
};

static struct governor_rule rule;
static struct guest guests[DOMAINS_MAX];
static struct governor_domain domains[DOMAINS_MAX];
static struct governor_cpu cpus[CPUS_MAX];
static uint64_t online[WORDS];
static size_t n_domains, n_cpus;
static uint64_t now_ns;
static uint32_t outside_permille; /* of each CPU: load that is no domain's */

static void begin(size_t cpus_there)
{
	rule = GOVERNOR_RULE_INIT;
	memset(guests, 0, sizeof(guests));
	memset(online, 0, sizeof(online));
	n_domains = 0;
	n_cpus = cpus_there;
	for (size_t i = 0; i < n_cpus; i++)
		online[i / 64] |= UINT64_C(1) << i % 64;
	now_ns = 1000 * NSEC_PER_SEC;
	outside_permille = 0;
}

static struct governor_domain *add(uint32_t n_vcpus, uint32_t wants_permille)
{
	struct guest *guest = &guests[n_domains];
	struct governor_domain *d = &domains[n_domains++];

	guest->n_vcpus = n_vcpus;
	guest->wants_permille = wants_permille;
	*d = (struct governor_domain){
	        .governed = true,
	        .cpus = guest->cpus, /* none: any */
	        .weight = 100,
	        .n_vcpus = n_vcpus,
	        .vcpus = guest->vcpus,
	        .course = &guest->course,
	};
	for (uint32_t i = 0; i < n_vcpus; i++)
		guest->vcpus[i].index = i;
	return d;
}

static uint32_t avoided(const struct governor_domain *d)
{
	uint32_t n = 0;

	for (size_t i = 0; i < d->n_vcpus; i++)
		n += d->vcpus[i].avoided != 0;
	return n;
}

/* What the guest's work wants of vCPUs that it uses; that of others moves to these. */
static uint64_t wants(const struct guest *guest, const struct governor_domain *d, uint32_t *used)
{
	*used = guest->n_vcpus - (guest->deaf ? 0 : avoided(d));
	return MIN((uint64_t)guest->n_vcpus * guest->wants_permille, UINT64_C(1000) * *used);
}

/* All CPUs are one pool, divided by weight among those that want more than they get. */
static void host_run(uint64_t interval_ns)
{
	static uint64_t wanted[DOMAINS_MAX], got[DOMAINS_MAX];
	uint64_t left = n_cpus * (1000 - outside_permille);
	uint32_t used;

	for (size_t i = 0; i < n_domains; i++) {
		wanted[i] = wants(&guests[i], &domains[i], &used);
		got[i] = 0;
	}
	for (int round = 0; round < 8; round++) {
		uint64_t weights = 0, given = 0;

		for (size_t i = 0; i < n_domains; i++)
			weights += got[i] < wanted[i] ? domains[i].weight : 0;
		for (size_t i = 0; weights && i < n_domains; i++) {
			uint64_t part = got[i] < wanted[i] ? left * domains[i].weight / weights : 0;

			part = MIN(part, wanted[i] - got[i]);
			got[i] += part;
			given += part;
		}
		left -= given;
	}
	for (size_t i = 0; i < n_domains; i++) {
		struct guest *guest = &guests[i];

		wants(guest, &domains[i], &used);
		guest->ran_ns += got[i] * interval_ns / 1000;
		for (uint32_t v = 0; v < guest->n_vcpus; v++) {
			bool rests = !guest->deaf && guest->vcpus[v].avoided;

			guest->vcpus[v].run_ns = rests ? 0 : got[i] * interval_ns / 1000 / used;
			guest->vcpus[v].wait_ns =
			        rests ? 0 : (wanted[i] - got[i]) * interval_ns / 1000 / used;
		}
	}
}

static unsigned int govern(uint64_t interval_ns)
{
	struct governor_step step = {
	        .rule = &rule,
	        .n_domains = n_domains,
	        .domains = domains,
	        .cpu_words = WORDS,
	        .online = online,
	        .cpus = cpus,
	        .interval_ns = interval_ns,
	};

	now_ns += interval_ns;
	step.now_ns = now_ns;
	return governor_run(&step);
}

/* @n seconds. */
static void run(unsigned int n)
{
	while (n--) {
		host_run(NSEC_PER_SEC);
		govern(NSEC_PER_SEC);
	}
}

/* ---- tests ---- */

static void test_none_waits(void)
{
	struct governor_domain *a;

	begin(4);
	a = add(4, 900);
	run(20);
	CHECK_INT(avoided(a), 0);
	CHECK_INT(a->contention_permille, 0);
	CHECK(!governor_is_busy(&rule, a));
}

/* Two domains of four vCPUs on two CPUs: each has one CPU, and keeps one vCPU. */
static void test_shrinks_to_what_it_gets(void)
{
	struct governor_domain *a, *b;

	begin(2);
	a = add(4, 1000);
	b = add(4, 1000);
	run(1);
	CHECK_INT(avoided(a), 0); /* a second is no load yet */
	run(1);
	CHECK_INT(avoided(a), 1);
	CHECK(governor_is_busy(&rule, a));
	run(1);
	CHECK_INT(avoided(a), 2); /* one in an interval */
	run(1);
	CHECK_INT(avoided(a), 3);
	CHECK_INT(avoided(b), 3);
	CHECK_INT(a->entitled_permille, 1000);
	CHECK(!guests[0].vcpus[0].avoided); /* never the first */
	run(10);
	CHECK_INT(a->contention_permille, 0);
}

/* A guest that passes over what it hears loses nothing and gets no more. */
static void test_deaf_guest(void)
{
	struct governor_domain *a, *b;

	begin(2);
	a = add(4, 1000);
	b = add(4, 1000);
	guests[0].deaf = true;
	run(60);
	CHECK_INT(avoided(a), 3);
	CHECK_INT(avoided(b), 3);
	CHECK(guests[0].ran_ns >= 59 * NSEC_PER_SEC && guests[1].ran_ns >= 59 * NSEC_PER_SEC);
	CHECK_LE(guests[0].course.reversals_total, 0);
}

static void test_weights_and_sets(void)
{
	struct governor_domain *a, *b, *c;

	begin(4);
	a = add(4, 1000);
	b = add(4, 1000);
	a->weight = 300;
	run(1);
	CHECK_INT(a->entitled_permille, 3000);
	CHECK_INT(b->entitled_permille, 1000);
	/* one that has CPU 0 alone takes of that one only */
	c = add(2, 1000);
	guests[2].cpus[0] = 1;
	run(1);
	CHECK(c->entitled_permille > 300 && c->entitled_permille < 1000);
	CHECK(a->entitled_permille > 2200 && a->entitled_permille < 3000);
	/* what one cannot use is the others' */
	begin(4);
	a = add(1, 1000);
	b = add(4, 1000);
	a->weight = 1000;
	run(1);
	CHECK_INT(a->entitled_permille, 1000);
	CHECK(b->entitled_permille >= 2900 && b->entitled_permille <= 3000);
	/* CPUs that are offline do not count */
	begin(2);
	a = add(4, 1000);
	guests[0].cpus[0] = 0xf0;
	run(1);
	CHECK_INT(a->entitled_permille, 2000);
}

/* The one that does not want a CPU does not lessen what others are entitled to. */
static void test_idle_neighbours(void)
{
	struct governor_domain *a;

	begin(2);
	a = add(4, 1000);
	for (int i = 0; i < 20; i++)
		add(4, 0);
	run(10);
	CHECK_INT(a->entitled_permille, 2000);
	CHECK_INT(avoided(a), 2);
}

/* What it gets beyond its entitlement it keeps, too. */
static void test_keeps_what_it_uses(void)
{
	struct governor_domain *a, *b;

	begin(4);
	a = add(8, 1000);
	b = add(4, 200);
	run(20);
	CHECK_INT(a->n_vcpus - avoided(a), 4); /* 3.2 CPUs */
	CHECK_INT(avoided(b), 0);
	CHECK(guests[0].ran_ns >= 20 * 3100 * NSEC_PER_MSEC);
}

/* The lowest yield order first; a domain on other CPUs does not wait for that. */
static void test_yield_order(void)
{
	struct governor_domain *a, *b, *c;

	begin(4);
	a = add(4, 1000);
	b = add(4, 1000);
	c = add(4, 1000);
	guests[0].cpus[0] = guests[1].cpus[0] = 3;
	guests[2].cpus[0] = 12;
	a->yield_order = 50;
	b->yield_order = 10;
	c->yield_order = 90;
	guests[0].deaf = guests[1].deaf = guests[2].deaf = true;
	/* the model has one pool: so that all wait */
	outside_permille = 500;
	run(2);
	CHECK(avoided(a) == 0 && avoided(b) == 1 && avoided(c) == 1);
	while (b->n_vcpus - avoided(b) > b->least)
		run(1);
	CHECK_INT(avoided(a), 0);
	run(1);
	CHECK_INT(avoided(a), 1);
}

/* The vCPU that waits most is the first to be avoided, and the last to be given back. */
static void test_which_vcpu(void)
{
	struct governor_domain *a;

	begin(1);
	a = add(4, 0);
	for (int i = 0; i < 3; i++) {
		for (uint32_t v = 0; v < 4; v++) {
			guests[0].vcpus[v].run_ns = 100 * NSEC_PER_MSEC;
			guests[0].vcpus[v].wait_ns = (v == 2 ? 900 : 500 - 100 * v) * NSEC_PER_MSEC;
		}
		govern(NSEC_PER_SEC);
	}
	CHECK_INT(guests[0].vcpus[2].avoided, 1);
	CHECK_INT(guests[0].vcpus[1].avoided, 2);
	CHECK(!guests[0].vcpus[0].avoided && !guests[0].vcpus[3].avoided);
	while (avoided(a) == 2)
		run(1);
	CHECK(guests[0].vcpus[2].avoided && !guests[0].vcpus[1].avoided);
}

/* The profile says "never": what was avoided is given back at once. */
static void test_let_go(void)
{
	struct governor_domain *a;

	begin(1);
	a = add(4, 1000);
	run(5);
	CHECK_INT(avoided(a), 3);
	a->governed = false;
	host_run(NSEC_PER_SEC);
	CHECK_INT(govern(NSEC_PER_SEC), 3);
	CHECK_INT(avoided(a), 0);
	CHECK(!governor_is_busy(&rule, a));
}

/* The neighbour wants less by now; the one vCPU that is left waits a little for what is no
 * domain's. */
static uint32_t avoided_beside(uint32_t neighbour_permille)
{
	struct governor_domain *a;

	begin(2);
	a = add(4, 1000);
	add(4, 1000);
	run(10);
	CHECK_INT(avoided(a), 3);
	guests[1].wants_permille = neighbour_permille;
	for (int i = 0; i < 30 && avoided(a) == 3; i++) {
		host_run(NSEC_PER_SEC);
		guests[0].vcpus[0].wait_ns = 60 * NSEC_PER_MSEC;
		govern(NSEC_PER_SEC);
		CHECK(a->contention_permille > rule.low_permille);
	}
	return avoided(a);
}

static void test_a_little_waiting_beside_an_idle_cpu(void)
{
	CHECK_LE(avoided_beside(0), 2);
	CHECK_INT(avoided_beside(100),
	          3); /* 600 permille of a CPU are left: little waiting counts */
}

/* ---- no flapping ---- */

#define WINDOW 60 /* seconds */

/* The most reversals of any domain in a minute, of a neighbour that is on and off for @half each.
 */
static uint32_t flaps(unsigned int half, unsigned int seconds)
{
	uint32_t history[DOMAINS_MAX][WINDOW] = {{0}}, most = 0;

	for (unsigned int s = 0; s < seconds; s++) {
		guests[n_domains - 1].wants_permille = s / half % 2 ? 0 : 1000;
		run(1);
		for (size_t i = 0; i < n_domains; i++) {
			uint32_t total = guests[i].course.reversals_total;

			most = MAX(most, total - history[i][s % WINDOW]);
			history[i][s % WINDOW] = total;
		}
	}
	return most;
}

static void begin_flapping(void)
{
	begin(4);
	add(4, 1000);
	add(4, 700);
	add(4, 1000); /* on and off */
}

static void test_no_flapping(void)
{
	static const unsigned int halves[] = {60, 30, 10, 7, 3, 1};

	for (size_t i = 0; i < sizeof(halves) / sizeof(halves[0]); i++) {
		begin_flapping();
		CHECK_LE(flaps(halves[i], 1200), 2);
	}
}

/* A load that comes and goes each minute is followed each time. */
static void test_follows_a_slow_load(void)
{
	struct governor_domain *a;

	begin(4);
	a = add(4, 1000);
	add(4, 1000);
	for (int i = 0; i < 10; i++) {
		guests[1].wants_permille = 1000;
		run(60);
		CHECK_INT(avoided(a), 2);
		guests[1].wants_permille = 0;
		run(60);
		CHECK_INT(avoided(a), 0);
	}
}

/*
 * A neighbour that wants a CPU whenever the domain has taken one back: each try is in vain, and
 * makes the next one later.
 */
static void test_tries_in_vain(void)
{
	struct governor_domain *a;
	uint32_t early, late;

	begin(4);
	a = add(4, 1000);
	add(4, 1000);
	run(10);
	CHECK_INT(avoided(a), 2);
	for (int i = 0; i < 600; i++) {
		guests[1].wants_permille = avoided(a) < 2 ? 1000 : 0;
		run(1);
	}
	early = guests[0].course.reversals_total;
	for (int i = 0; i < 600; i++) {
		guests[1].wants_permille = avoided(a) < 2 ? 1000 : 0;
		run(1);
	}
	late = guests[0].course.reversals_total - early;
	CHECK(early >= 6 && early <= 20);
	CHECK(late > 0 && late <= 6);
	/* and when it wants none, the domain has all its vCPUs again */
	guests[1].wants_permille = 0;
	run(320);
	CHECK_INT(avoided(a), 0);
}

/* Loads of the host that are no domain's are not the governor's: it keeps what it is entitled to.
 */
static void test_other_loads(void)
{
	struct governor_domain *a;

	begin(4);
	a = add(4, 1000);
	outside_permille = 500;
	run(60);
	CHECK_INT(avoided(a), 0);
	CHECK(a->contention_permille >= 450);
}

/* The check finds a governor that flaps: one without holds, and one without the limit. */
static void test_mutation_flaps(void)
{
	begin_flapping();
	rule.low_times = rule.high_times = 1;
	rule.hold_min_ns = rule.hold_max_ns = 0;
	rule.window_ns = 0;
	CHECK(flaps(3, 300) > 2);
	begin_flapping();
	rule.window_ns = 0;
	CHECK(flaps(10, 600) > 2);
}

/* 4,000 vCPUs on 512 CPUs: each domain has its due, and none flaps. */
static void test_4000_vcpus(void)
{
	uint64_t sum = 0;

	begin(512);
	for (int i = 0; i < DOMAINS_MAX; i++)
		add(4, 1000)->yield_order = (uint32_t)i % 3;
	run(20);
	for (size_t i = 0; i < n_domains; i++) {
		CHECK_INT(avoided(&domains[i]), 3);
		CHECK_LE(guests[i].course.reversals_total, 10);
		sum += domains[i].entitled_permille;
	}
	CHECK(sum <= 512000 && sum > 500000);
}

TEST_MAIN(TEST(test_none_waits), TEST(test_shrinks_to_what_it_gets), TEST(test_deaf_guest),
          TEST(test_weights_and_sets), TEST(test_idle_neighbours), TEST(test_keeps_what_it_uses),
          TEST(test_yield_order), TEST(test_which_vcpu), TEST(test_let_go),
          TEST(test_a_little_waiting_beside_an_idle_cpu), TEST(test_no_flapping),
          TEST(test_follows_a_slow_load), TEST(test_tries_in_vain), TEST(test_other_loads),
          TEST(test_mutation_flaps), TEST(test_4000_vcpus))
