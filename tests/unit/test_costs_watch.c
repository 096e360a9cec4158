// SPDX-License-Identifier: GPL-2.0-or-later
/* The daemon's look at costs: what is measured, what the tracer has seen of vCPUs, which prices. */
#include "daemon/costs.h"

#include <errno.h>

#include "boost/measure.h"
#include "core/account.h"

#include "test.h"

#define VCPUS 3

static struct pvs_vcpu_account vcpu_accounts[VCPUS];
static struct pvs_prices prices;
static const struct accounts accounts = {.vcpus = vcpu_accounts, .prices = &prices};
static struct inventory_vcpu vcpus[VCPUS];
static struct inventory_domain domain = {.n_vcpus = VCPUS, .vcpus = vcpus};
static const struct inventory inventory = {.domains = &domain};
static struct pvs_costs measured;
static int measure_error;

int measure_costs(struct pvs_costs *ret)
{
	*ret = measured;
	return measure_error;
}

static struct costs *begin(struct pvs_costs costs, int error)
{
	struct costs *ret;

	measured = costs;
	measure_error = error;
	prices = (struct pvs_prices){0};
	for (unsigned int i = 0; i < VCPUS; i++) {
		vcpus[i] = (struct inventory_vcpu){.slot = i};
		vcpu_accounts[i] = (struct pvs_vcpu_account){0};
	}
	CHECK_INT(costs_new(&ret, &accounts), 0);
	return ret;
}

static void see(unsigned int vcpu, uint32_t low_ns, uint64_t wakeups)
{
	vcpu_accounts[vcpu].wake_low_ns = low_ns;
	vcpu_accounts[vcpu].wakeups_boosted = wakeups;
}

static void look(struct costs *costs, unsigned int times)
{
	while (times--)
		costs_look(costs, &inventory);
}

static void test_at_the_start(void)
{
	struct costs *costs = begin((struct pvs_costs){2500, 1000, 9000}, 0);
	struct costs_view view;

	CHECK_U64(prices.charge_min_ns, 15000);
	CHECK_U64(prices.tokens_min_ns, 12500);
	CHECK_U64(prices.switch_ns, 5000);
	costs_read(costs, &view);
	CHECK_U64(view.start.wake_ns, 2500);
	CHECK_U64(view.now.timer_ns, 9000);
	CHECK_U64(view.pace_permille, 1000);
	CHECK_U64(view.prices.charge_min_ns, 15000);
	costs_free(costs);
}

static void test_not_measured(void)
{
	/* of a CPU that is busy a call is measured, perhaps */
	struct costs *costs = begin((struct pvs_costs){.call_ns = 1000}, 0);

	CHECK_U64(prices.charge_min_ns, PVS_CHARGE_MIN_NS);
	CHECK_U64(prices.tokens_min_ns, PVS_TOKENS_MIN_NS);
	see(0, 1000, 1000);
	look(costs, 3);
	CHECK_U64(prices.charge_min_ns, PVS_CHARGE_MIN_NS);
	/* the CPU is less busy now */
	measured = (struct pvs_costs){2500, 1000, 9000};
	measure_error = 0;
	look(costs, 1);
	CHECK_U64(prices.charge_min_ns, 15000);
	measured.wake_ns = 5000; /* and that was measured */
	look(costs, 1);
	CHECK_U64(prices.charge_min_ns, 15000);
	costs_free(costs);
	/* it is not tried for ever */
	costs = begin((struct pvs_costs){0}, -ETIMEDOUT);
	look(costs, 10);
	measured = (struct pvs_costs){2500, 1000, 9000};
	look(costs, 1);
	CHECK_U64(prices.charge_min_ns, PVS_CHARGE_MIN_NS);
	costs_free(costs);
}

/* One vCPU whose wake-ups become slow says nothing of the machine; if all do, it is slower. */
static void test_follows_the_least(void)
{
	struct costs *costs = begin((struct pvs_costs){2500, 1000, 9000}, 0);

	see(0, 3000, 1000);
	see(1, 3200, 1000);
	see(2, 100, 499); /* too few wake-ups to tell */
	look(costs, 2);
	CHECK_U64(prices.charge_min_ns, 15000);
	see(0, 90000, 1000);
	look(costs, 200);
	CHECK(prices.charge_min_ns >= 15000 && prices.charge_min_ns < 15500);
	see(1, 6000, 1000);
	look(costs, 200);
	CHECK_U64(prices.charge_min_ns, 20000);
	see(1, 900000, 1000);
	look(costs, 200);
	CHECK_U64(prices.charge_min_ns, 30000); /* four times what it was */
	vcpus[1].slot = SLOT_NONE;
	see(0, 1, 1000);
	look(costs, 200);
	CHECK_U64(prices.charge_min_ns, 12500); /* half */
	costs_free(costs);
}

TEST_MAIN(TEST(test_at_the_start), TEST(test_not_measured), TEST(test_follows_the_least))
