// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * When domains that learn are looked at, in virtual time. What is observed of their vCPUs, and what
 * their profiles are, the test says.
 */
#include "daemon/learning.h"

#include <stdarg.h>

#include "daemon/evaluation.h"
#include "util/log.h"

#include "test.h"

#define DOMAINS 3
#define SEC     NSEC_PER_SEC

static struct pvs_vcpu_account accounts_of[PVS_VCPUS_MAX];
static const struct accounts accounts = {.vcpus = accounts_of};
static struct domain seen[DOMAINS];
static struct inventory_vcpu vcpus[DOMAINS];
static struct inventory_domain domains[DOMAINS];
static struct inventory inventory;
static struct plan_domain plans[DOMAINS];
static struct evaluation evaluations[DOMAINS];
static const struct views views = {.inventory = &inventory, .accounts = &accounts};
static struct learned_domains *learned;
static struct learning *learning;
static unsigned int n_looks[DOMAINS], n_passes, n_logged;
static uint64_t now_ns;

/* ---- what learning asks of others ---- */

const struct plan_domain *planning_domain(const struct planning *planning,
                                          const struct inventory_domain *domain)
{
	(void)planning;
	return &plans[domain - domains];
}

struct recommend_limits evaluation_limits(const struct views *v,
                                          const struct inventory_domain *domain)
{
	(void)v;
	return plans[domain - domains].limits;
}

const struct evaluation *evaluation_of(const struct views *v, const struct inventory_domain *domain,
                                       const struct inventory_vcpu *vcpu)
{
	(void)v;
	(void)vcpu;
	n_looks[domain - domains]++;
	return &evaluations[domain - domains];
}

void pass_changed(struct pass *pass)
{
	(void)pass;
	n_passes++;
}

void log_write(int level, const struct log_context *ctx, const char *format, ...)
{
	(void)level;
	(void)ctx;
	(void)format;
	n_logged++;
}

/* ---- fixture ---- */

static struct plan_domain plan_that_learns(void)
{
	return (struct plan_domain){
	        .learns = true,
	        .limits = {.burst_ns = 2 * NSEC_PER_MSEC, .share_permille = 300},
	};
}

static void begin(void)
{
	learning_free(learning);
	learned_domains_free(learned);
	learned = learned_domains_new();
	CHECK(learned);
	CHECK_INT(learning_new(&learning, NULL, learned, &views, NULL), 0);
	memset(accounts_of, 0, sizeof(accounts_of));
	memset(n_looks, 0, sizeof(n_looks));
	n_passes = n_logged = 0;
	for (unsigned int i = 0; i < DOMAINS; i++) {
		seen[i] = (struct domain){.state = DOMAIN_RUNNING};
		vcpus[i] = (struct inventory_vcpu){.slot = i};
		domains[i] = (struct inventory_domain){.next = i ? &domains[i - 1] : NULL,
		                                       .seen = &seen[i],
		                                       .slot = i,
		                                       .serial = 1 + i,
		                                       .n_vcpus = 1,
		                                       .vcpus = &vcpus[i]};
		plans[i] = plan_that_learns();
		evaluations[i] = (struct evaluation){
		        .recommend = {.verdict = RECOMMEND_BOOST,
		                      .need = {.burst_ns = 300000, .share_permille = 100},
		                      .wakeups = 5000}};
	}
	inventory.domains = &domains[DOMAINS - 1];
	learning_follow(learning);
	now_ns = learning_look(learning, 0) - 10 * SEC; /* when it began to follow */
}

static void end(void)
{
	learning = learning_free(learning);
	learned = learned_domains_free(learned);
}

/* Looks whenever something is due, until then; each domain wakes up @per_s times a second. */
static void run(uint64_t seconds, unsigned int per_s)
{
	uint64_t until_ns = now_ns + seconds * SEC, next_ns = learning_look(learning, now_ns);

	while (next_ns <= until_ns) {
		CHECK(next_ns > now_ns);
		for (unsigned int i = 0; i < DOMAINS; i++)
			accounts_of[i].wakeups += (next_ns - now_ns) * per_s / SEC;
		now_ns = next_ns;
		next_ns = learning_look(learning, now_ns);
	}
	now_ns = until_ns;
}

/* ---- tests ---- */

/* The first look comes soon, the others once a minute; what is learned is planned once. */
static void test_busy(void)
{
	begin();
	run(9, 100);
	CHECK_INT(n_looks[0], 0);
	run(2, 100);
	CHECK_INT(n_looks[0], 1);
	CHECK(learned_of(learned, &domains[0])->boosts);
	CHECK_INT(n_passes, DOMAINS);
	CHECK_INT(n_logged, DOMAINS);
	run(600, 100);
	CHECK_GE(n_looks[0], 10);
	CHECK_LE(n_looks[0], 13);
	CHECK_INT(n_passes, DOMAINS);
	evaluations[1].recommend.need.share_permille = 150;
	run(61, 100);
	CHECK_INT(learned_of(learned, &domains[1])->share_permille, 150);
	CHECK_INT(learned_of(learned, &domains[0])->share_permille, 100);
	CHECK_INT(n_passes, DOMAINS + 1);
	end();
}

/* Guests that hardly wake up are looked at seldom, until a pass finds that one woke up. */
static void test_idle(void)
{
	begin();
	run(3600, 0);
	CHECK_LE(n_looks[0], 14);
	memset(n_looks, 0, sizeof(n_looks));
	accounts_of[1].wakeups += 5000;
	learning_follow(learning);
	/* the pass was by the clock of this machine */
	CHECK_LE(learning_look(learning, 0), now_ns);
	end();
}

/* One that is paused is not looked at; one that does not learn any more forgets. */
static void test_who_learns(void)
{
	begin();
	run(20, 100);
	for (unsigned int i = 0; i < DOMAINS; i++)
		CHECK(learned_of(learned, &domains[i])->boosts);
	seen[0].state = DOMAIN_PAUSED;
	plans[1] = (struct plan_domain){0};
	learning_follow(learning);
	memset(n_looks, 0, sizeof(n_looks));
	run(300, 100);
	CHECK_INT(n_looks[0], 0);
	CHECK_INT(n_looks[1], 0);
	CHECK_GE(n_looks[2], 4);
	CHECK(learned_of(learned, &domains[0])->boosts);
	CHECK(!learned_of(learned, &domains[1])->boosts);
	/* the slot of another domain */
	domains[2].serial = 77;
	CHECK(!learned_of(learned, &domains[2])->boosts);
	seen[2].state = DOMAIN_PAUSED;
	learning_follow(learning);
	CHECK_U64(learning_look(learning, now_ns), NSEC_NEVER);
	end();
}

/* A trial neither teaches anything nor takes away what was learned. */
static void test_trial(void)
{
	begin();
	run(20, 100);
	plans[0] = (struct plan_domain){.origin = PLAN_BY_TRIAL};
	learning_follow(learning);
	memset(n_looks, 0, sizeof(n_looks));
	run(300, 100);
	CHECK_INT(n_looks[0], 0);
	CHECK_GE(n_looks[1], 4);
	CHECK(learned_of(learned, &domains[0])->boosts);
	plans[0] = plan_that_learns();
	learning_follow(learning);
	run(61, 100);
	CHECK_GE(n_looks[0], 1);
	CHECK(learned_of(learned, &domains[0])->boosts);
	end();
}

/* A crowd is looked at in turns. */
static void test_turns(void)
{
	static struct inventory_vcpu many[200];

	begin();
	for (size_t i = 0; i < ARRAY_SIZE(many); i++)
		many[i].slot = SLOT_NONE;
	for (unsigned int i = 0; i < DOMAINS; i++) {
		domains[i].vcpus = many;
		domains[i].n_vcpus = ARRAY_SIZE(many);
	}
	now_ns += 10 * SEC;
	for (unsigned int turn = 1; turn <= DOMAINS; turn++) {
		uint64_t next_ns = learning_look(learning, now_ns);
		unsigned int n = 0;

		for (unsigned int i = 0; i < DOMAINS; i++)
			n += n_looks[i];
		CHECK_INT(n, turn * ARRAY_SIZE(many));
		CHECK(turn == DOMAINS ? next_ns >= now_ns + 10 * SEC : next_ns < now_ns + SEC);
		now_ns = turn == DOMAINS ? now_ns : next_ns;
	}
	end();
}

TEST_MAIN(TEST(test_busy), TEST(test_idle), TEST(test_who_learns), TEST(test_trial),
          TEST(test_turns))
