// SPDX-License-Identifier: GPL-2.0-or-later
/* Who may write how many lines: what one domain causes silences neither others nor the daemon. */
#include "util/log_budget.h"

#include "test.h"

#define T0 UINT64_C(1000000000000)

static unsigned int take(struct log_budget *budget, const char *domain, bool outside,
                         uint64_t now_ns, unsigned int n)
{
	unsigned int suppressed, taken = 0;

	for (unsigned int i = 0; i < n; i++)
		taken += log_budget_take(budget, domain, outside, now_ns, &suppressed);
	return taken;
}

static void test_one_domain(void)
{
	struct log_budget budget = {.seed = 7};

	CHECK_INT(take(&budget, "hostile", true, T0, 100000), LOG_DOMAIN_MAX);
	CHECK_INT(take(&budget, "web", true, T0, 5), 5);
	CHECK_INT(take(&budget, NULL, true, T0, 5), 5);
	CHECK_INT(take(&budget, NULL, false, T0, LOG_OWN_MAX), LOG_OWN_MAX);
	CHECK_INT(take(&budget, NULL, false, T0, 1), 0);
}

static void test_many_domains(void)
{
	struct log_budget budget = {.seed = 7};
	unsigned int taken = 0;
	char name[32];

	for (int i = 0; i < 10000; i++) {
		snprintf(name, sizeof(name), "domain-%d", i);
		taken += take(&budget, name, true, T0, 1);
	}
	CHECK_INT(taken, LOG_OTHERS_MAX);
	CHECK_INT(take(&budget, NULL, true, T0, 5), 0);
	/* the guardian's lines, and the circuit breaker's */
	CHECK_INT(take(&budget, NULL, false, T0, 5), 5);
}

static void test_windows(void)
{
	struct log_budget budget = {.seed = 7};
	unsigned int suppressed;

	take(&budget, "web", true, T0, LOG_DOMAIN_MAX + 3);
	log_budget_lost(&budget);
	CHECK(!log_budget_take(&budget, "web", true, T0 + LOG_WINDOW_NS - 1, &suppressed));
	CHECK_INT(suppressed, 0);
	CHECK(log_budget_take(&budget, "web", true, T0 + LOG_WINDOW_NS, &suppressed));
	CHECK_INT(suppressed, 5);
	CHECK(log_budget_take(&budget, "web", true, T0 + LOG_WINDOW_NS, &suppressed));
	CHECK_INT(suppressed, 0);
}

/* Which names share their lines is not known outside. */
static void test_seed(void)
{
	unsigned int differ = 0;

	for (uint64_t seed = 1; seed <= 64; seed++) {
		struct log_budget budget = {.seed = seed};
		bool shared;

		take(&budget, "web", true, T0, LOG_DOMAIN_MAX);
		shared = take(&budget, "another", true, T0, 1) == 0;
		differ += !shared;
	}
	CHECK(differ >= 60);
}

TEST_MAIN({"one_domain", test_one_domain}, {"many_domains", test_many_domains},
          {"windows", test_windows}, {"seed", test_seed})
