// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Summaries: which domains have one, of which interval, with which fields, and that those of a
 * thousand domains do not come at once. The journal and the vCPUs' counters are this test's.
 */
#include "daemon/summary.h"

#include <stdarg.h>

#include "daemon/vcpu_snapshot.h"
#include "util/clock.h"
#include "util/log.h"

#include "test.h"

#define N_DOMAINS 300

static struct vcpu_snapshot counters[N_DOMAINS];
static struct inventory_vcpu vcpus[N_DOMAINS];
static struct domain seen[N_DOMAINS];
static struct inventory_domain domains[N_DOMAINS];
static struct inventory inventory;
static struct plan_domain planned;
static struct views views;
static struct summary *summary;
static struct tally *tally;
static sd_event *event;
static uint64_t sheds;

static unsigned int n_lines;
static char line[1024], domain_of_line[64], fields[4096];

/* ---- stand-ins ---- */

void vcpu_snapshot_take(const struct views *v, const struct inventory_vcpu *vcpu,
                        struct vcpu_snapshot *ret)
{
	(void)v;
	*ret = counters[vcpu->slot];
	ret->taken_ns = clock_now_ns();
}

uint64_t helper_threads_sheds(const struct helper_threads *helpers,
                              const struct inventory_domain *domain)
{
	(void)helpers;
	(void)domain;
	return sheds;
}

const struct plan_domain *planning_domain(const struct planning *planning,
                                          const struct inventory_domain *domain)
{
	(void)planning;
	(void)domain;
	return &planned;
}

void log_write(int level, const struct log_context *ctx, const char *format, ...)
{
	va_list args;

	(void)level;
	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	snprintf(domain_of_line, sizeof(domain_of_line), "%s", ctx->domain);
	*fields = '\0';
	for (size_t i = 0; i < ctx->n_fields; i++) {
		const struct log_field *f = &ctx->fields[i];
		size_t used = strlen(fields);

		if (f->text)
			snprintf(fields + used, sizeof(fields) - used, "%s=%s ", f->name, f->text);
		else
			snprintf(fields + used, sizeof(fields) - used, "%s=%" PRIu64 " ", f->name,
			         f->number);
	}
	n_lines++;
}

/* ---- what tests do ---- */

static void begin(unsigned int n)
{
	memset(counters, 0, sizeof(counters));
	inventory.domains = NULL;
	for (unsigned int i = 0; i < n; i++) {
		snprintf(seen[i].name, sizeof(seen[i].name), "vm%u", i);
		vcpus[i] =
		        (struct inventory_vcpu){.slot = i, .thread = {.id = {100 + (pid_t)i, 7}}};
		domains[i] = (struct inventory_domain){.slot = i,
		                                       .serial = 1 + i,
		                                       .vcpus = &vcpus[i],
		                                       .n_vcpus = 1,
		                                       .seen = &seen[i]};
		domains[i].next = inventory.domains;
		inventory.domains = &domains[i];
	}
	planned.profile = (struct profile){.name = "latency", .mode = PROFILE_BOOST};
	views = (struct views){.inventory = &inventory};
	CHECK(sd_event_new(&event) >= 0);
	tally = tally_new();
	CHECK(tally);
	CHECK_INT(summary_new(&summary, event, &views, tally), 0);
	n_lines = 0;
	sheds = 0;
}

static void end(void)
{
	summary_free(summary);
	tally_free(tally);
	sd_event_unref(event);
}

/* One turn of the loop that does something. */
static void turn(void)
{
	CHECK(sd_event_run(event, UINT64_C(30000000)) > 0);
}

static uint64_t field(const char *name)
{
	char word[64];
	const char *at;

	snprintf(word, sizeof(word), "%s=", name);
	at = strstr(fields, word);
	CHECK(at);
	return strtoull(at + strlen(word), NULL, 10);
}

static void test_fields_of_an_interval(void)
{
	uint64_t begin_ns;

	begin(1);
	counters[0].booster.view.boosts_total = 1000; /* before the first interval */
	counters[0].account.wait_counts[pvs_wait_bucket(9000000)] = 50;
	begin_ns = clock_now_ns();
	CHECK_INT(summary_configure(summary, 20 * NSEC_PER_MSEC), 0);
	counters[0].booster.view.boosts_total += 3;
	counters[0].booster.view.denied_total[POLICY_REASON_CPU_CAP] = 5;
	counters[0].account.used_ns = 4000500;
	counters[0].account.run_ns = 7000000;
	counters[0].account.wait_counts[pvs_wait_bucket(100000)] += 99;
	counters[0].account.wait_counts[pvs_wait_bucket(3000000)] += 1;
	turn();
	CHECK_INT(n_lines, 1);
	CHECK_STR(domain_of_line, "vm0");
	CHECK(strncmp(fields, "PVSCHED_PROFILE=latency ", 24) == 0);
	CHECK_U64(field("PVSCHED_BOOSTS"), 3);
	CHECK_U64(field("PVSCHED_BOOSTED_US"), 4000);
	CHECK_U64(field("PVSCHED_RUN_US"), 7000);
	CHECK_U64(field("PVSCHED_WAIT_P50_US"), 112);
	CHECK_U64(field("PVSCHED_WAIT_P99_US"), 112);
	CHECK_U64(field("PVSCHED_WAIT_MAX_US"), 3072);
	CHECK_U64(field("PVSCHED_DENIED_CPU_CAP"), 5);
	CHECK(!strstr(fields, "PVSCHED_DENIED_BUDGET"));
	CHECK_GE(field("PVSCHED_INTERVAL_US"), 19000);
	CHECK_LE(field("PVSCHED_INTERVAL_US"), (clock_now_ns() - begin_ns) / 1000);
	CHECK(strstr(line, "3 boosts in 0 s"));
	end();
}

/* Nothing: no line. Only denied, or only waited: one. */
static void test_which_have_one(void)
{
	begin(1);
	CHECK_INT(summary_configure(summary, 2 * NSEC_PER_MSEC), 0);
	turn();
	CHECK_INT(n_lines, 0);
	counters[0].booster.view.denied_total[POLICY_REASON_NO_REQUEST] = 1;
	turn();
	CHECK_INT(n_lines, 1);
	CHECK_U64(field("PVSCHED_DENIED_NO_REQUEST"), 1);
	CHECK_U64(field("PVSCHED_BOOSTS"), 0);
	turn();
	CHECK_INT(n_lines, 1);
	counters[0].account.wait_ns = 1000;
	counters[0].account.wait_counts[1] = 1;
	turn();
	CHECK_INT(n_lines, 2);
	CHECK_U64(field("PVSCHED_WAIT_MAX_US"), 2);
	CHECK(!strstr(fields, "DENIED"));
	end();
}

/* A domain that began in the interval has its figures since then, in the round's whole interval. */
static void test_new_domain(void)
{
	struct inventory_domain *all;

	begin(2);
	all = inventory.domains;
	inventory.domains = all->next; /* vm0 alone */
	CHECK_INT(summary_configure(summary, 20 * NSEC_PER_MSEC), 0);
	inventory.domains = all;
	counters[1].booster.view.boosts_total = 4;
	turn();
	CHECK_INT(n_lines, 1);
	CHECK_STR(domain_of_line, "vm1");
	CHECK_U64(field("PVSCHED_BOOSTS"), 4);
	CHECK_GE(field("PVSCHED_INTERVAL_US"), 19000);
	end();
}

/* The log takes 200 lines of others in ten seconds: the first turn leaves room. */
static void test_many_domains(void)
{
	begin(N_DOMAINS);
	CHECK_INT(summary_configure(summary, 2 * NSEC_PER_MSEC), 0);
	for (unsigned int i = 0; i < N_DOMAINS; i++)
		counters[i].booster.view.boosts_total = 1;
	turn();
	CHECK_INT(n_lines, SUMMARY_TURN);
	end();
}

TEST_MAIN(TEST(test_fields_of_an_interval), TEST(test_which_have_one), TEST(test_new_domain),
          TEST(test_many_domains))
