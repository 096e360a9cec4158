// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The metrics' text: names of domains, each kind of family, what is whole at its limit, and what a
 * full host costs. Needs what it prints with alone.
 */
#include "daemon/metrics_print.h"

#include <time.h>

#include "util/escape.h"

#include "test.h"

#define N_DOMAINS 1024
#define N_VCPUS   4096

static struct metrics_domain domains[N_DOMAINS];
static struct metrics_vcpu vcpus[N_VCPUS];
static struct metrics_cpu cpus[2];
static struct tally_counts counts[N_DOMAINS];
static char names[N_DOMAINS][256], uuids[N_DOMAINS][40];
static struct metrics_data data;

static void begin(size_t n_domains, size_t n_vcpus)
{
	memset(counts, 0, sizeof(counts));
	memset(vcpus, 0, sizeof(vcpus));
	for (size_t i = 0; i < n_domains; i++) {
		snprintf(names[i], sizeof(names[i]), "vm%06zu", i);
		snprintf(uuids[i], sizeof(uuids[i]), "01234567-89ab-cdef-0123-%012zu", i);
		domains[i] = (struct metrics_domain){.name = names[i],
		                                     .uuid = uuids[i],
		                                     .profile = "latency",
		                                     .vcpus = (unsigned int)(n_vcpus / n_domains),
		                                     .counts = &counts[i]};
	}
	for (size_t i = 0; i < n_vcpus; i++) {
		vcpus[i].domain = i * n_domains / n_vcpus;
		vcpus[i].index = (unsigned int)(i % (n_vcpus / n_domains));
	}
	for (unsigned int i = 0; i < 2; i++)
		cpus[i] = (struct metrics_cpu){.cpu = i};
	data = (struct metrics_data){.version = "1.2",
	                             .domains = domains,
	                             .n_domains = n_domains,
	                             .vcpus = vcpus,
	                             .n_vcpus = n_vcpus,
	                             .cpus = cpus,
	                             .n_cpus = 2,
	                             .sheet_permille = 900};
}

static void print(struct openmetrics *m)
{
	CHECK_INT(metrics_name_domains(domains, data.n_domains), 0);
	CHECK_INT(metrics_print(&data, m), 0);
	CHECK_U64(strlen(m->text), m->size);
	CHECK(utf8_valid(m->text, m->size));
}

/* The value of a sample, as a text. */
static const char *value(const struct openmetrics *m, const char *sample)
{
	static char found[64];
	size_t length = strlen(sample);

	for (const char *at = m->text; *at; at = strchr(at, '\n') + 1) {
		if (strncmp(at, sample, length) != 0 || at[length] != ' ')
			continue;
		snprintf(found, sizeof(found), "%.*s", (int)strcspn(at + length + 1, "\n"),
		         at + length + 1);
		return found;
	}
	fprintf(stderr, "no sample %s in:\n%s\n", sample, m->text);
	return "none";
}

static void name(size_t i, const char *text)
{
	snprintf(names[i], sizeof(names[i]), "%s", text);
}

/* No two have the same label, whatever their names are; and a name alone is a label if it can be.
 */
static void test_labels(void)
{
	char longest[256];

	begin(8, 8);
	memset(longest, 'x', 255);
	longest[255] = '\0';
	name(0, "web");
	name(1, "twin");
	name(2, "twin");
	name(3, "twin (01234567-89ab-cdef-0123-000000000001)"); /* what the first twin gets */
	name(4, longest);
	longest[254] = 'y';
	name(5, longest);
	name(6, "a\nb\"c\\");
	longest[64] = '\0';
	name(7, longest);
	CHECK_INT(metrics_name_domains(domains, 8), 0);
	CHECK_STR(domains[0].label, "web");
	CHECK_STR(domains[1].label, "twin (01234567-89ab-cdef-0123-000000000001)");
	CHECK_STR(domains[2].label, "twin (01234567-89ab-cdef-0123-000000000002)");
	CHECK_STR(domains[3].label, "twin (01234567-89ab-cdef-0123-000000000001) "
	                            "(01234567-89ab-cdef-0123-000000000003)");
	CHECK_U64(strlen(domains[4].label), METRICS_LABEL_MAX - 1);
	CHECK_STR(domains[6].label, "a\\x0ab\"c\\");
	for (size_t i = 0; i < 8; i++)
		for (size_t k = 0; k < i; k++)
			CHECK(strcmp(domains[i].label, domains[k].label) != 0);
}

static void test_samples(void)
{
	struct openmetrics m = OPENMETRICS_INIT(OPENMETRICS, METRICS_TEXT_MAX);

	begin(2, 2);
	name(1, "a\"}\nb");
	data.enabled = true;
	data.taken_us = 1700000000000001;
	data.n_sources = 2;
	data.sources[0] = (struct metrics_source){"bpf", true};
	data.sources[1] = (struct metrics_source){"reader", false};
	cpus[1].rt_ns = 3500000000;
	cpus[1].sheet_used_ns = 450000000;
	counts[0].denied[POLICY_REASON_CPU_CAP] = 5;
	counts[0].boosted_wakeups = 9;
	vcpus[0] = (struct metrics_vcpu){.boosts = 10,
	                                 .interrupt_boosts = 4,
	                                 .pulses = 3,
	                                 .helps = 9,
	                                 .no_pulse = 2,
	                                 .boosted_ns = 1,
	                                 .wait_ns = 1500000000};
	vcpus[1].domain = 1;
	data.request_to_applied.counts[pvs_wait_bucket(20000)] = 3;
	data.request_to_applied.sum_ns = 61000;
	data.costs = (struct pvs_costs){.wake_ns = 2400, .call_ns = 700, .timer_ns = 9000};
	data.prices = (struct pvs_prices){.charge_min_ns = 19200, .tokens_min_ns = 12100};
	data.agents = 3;
	data.agents_served = 2;
	data.agent_hellos = 7;
	data.agents_turned_away = 5;
	print(&m);
	CHECK_STR(value(&m, "pvsched_agents{state=\"served\"}"), "2");
	CHECK_STR(value(&m, "pvsched_agents{state=\"other\"}"), "1");
	CHECK_STR(value(&m, "pvsched_agent_hellos_total"), "7");
	CHECK_STR(value(&m, "pvsched_agents_turned_away_total"), "5");
	CHECK_STR(value(&m, "pvsched_build_info{version=\"1.2\"}"), "1");
	CHECK_STR(value(&m, "pvsched_enabled"), "1");
	CHECK_STR(value(&m, "pvsched_metrics_timestamp_seconds"), "1700000000.000001");
	CHECK_STR(value(&m, "pvsched_source_up{source=\"reader\"}"), "0");
	CHECK_STR(value(&m, "pvsched_cpu_realtime_seconds_total{cpu=\"1\"}"), "3.500000000");
	CHECK_STR(value(&m, "pvsched_cpu_sheet_used_ratio{cpu=\"1\"}"), "0.450000000");
	CHECK_STR(value(&m, "pvsched_cpu_sheet_limit_ratio"), "0.900");
	CHECK_STR(value(&m, "pvsched_cost_seconds{of=\"wake\"}"), "0.000002400");
	CHECK_STR(value(&m, "pvsched_cost_seconds{of=\"timer\"}"), "0.000009000");
	CHECK_STR(value(&m, "pvsched_price_seconds{of=\"charge_min\"}"), "0.000019200");
	CHECK_STR(value(&m, "pvsched_price_seconds{of=\"tokens_min\"}"), "0.000012100");
	CHECK_STR(value(&m, "pvsched_vcpu_denied_total{domain=\"vm000000\",reason=\"cpu-cap\"}"),
	          "5");
	CHECK(!strstr(m.text, "reason=\"budget\""));
	CHECK_STR(value(&m, "pvsched_domain_boosted_wakeups_total{domain=\"vm000000\"}"), "9");
	CHECK_STR(value(&m, "pvsched_vcpu_boosts_total{domain=\"vm000000\",vcpu=\"0\",reason="
	                    "\"interrupt\"}"),
	          "4");
	CHECK_STR(
	        value(&m,
	              "pvsched_vcpu_boosts_total{domain=\"vm000000\",vcpu=\"0\",reason=\"other\"}"),
	        "3");
	CHECK_STR(value(&m, "pvsched_vcpu_boosts_total{domain=\"vm000000\",vcpu=\"0\",reason="
	                    "\"awaited\"}"),
	          "3");
	CHECK_STR(value(&m, "pvsched_vcpu_helps_total{domain=\"vm000000\",vcpu=\"0\",result="
	                    "\"pulse\"}"),
	          "7");
	CHECK_STR(value(&m, "pvsched_vcpu_helps_total{domain=\"vm000000\",vcpu=\"0\",result="
	                    "\"no-pulse\"}"),
	          "2");
	CHECK_STR(value(&m, "pvsched_vcpu_boosted_seconds_total{domain=\"vm000000\",vcpu=\"0\"}"),
	          "0.000000001");
	CHECK_STR(value(&m, "pvsched_vcpu_ready_seconds_total{domain=\"vm000000\",vcpu=\"0\"}"),
	          "1.500000000");
	CHECK_STR(value(&m, "pvsched_vcpu_run_seconds_total{domain=\"a\\\"}\\\\x0ab\",vcpu=\"0\"}"),
	          "0.000000000");
	CHECK_STR(value(&m, "pvsched_request_to_applied_seconds_bucket{le=\"0.000016\"}"), "0");
	CHECK_STR(value(&m, "pvsched_request_to_applied_seconds_bucket{le=\"0.000032\"}"), "3");
	CHECK_STR(value(&m, "pvsched_request_to_applied_seconds_sum"), "0.000061000");
	CHECK_STR(value(&m, "pvsched_metrics_families_left_out"), "0");
	openmetrics_clear(&m);
}

/* One wait in each bucket: a limit's count is that of the waits below it, and no fewer than before.
 */
static void test_histogram(void)
{
	struct openmetrics m = OPENMETRICS_INIT(OPENMETRICS, METRICS_TEXT_MAX);
	char sample[128];
	uint64_t before = 0, n = 0;

	begin(1, 1);
	for (uint32_t i = 0; i < PVS_WAIT_BUCKETS; i++)
		counts[0].waits[i] = 1;
	counts[0].wait_ns = 7000000000;
	print(&m);
	for (uint32_t us = 8; us <= 131072; us *= 2) {
		uint64_t below = 0;

		for (uint32_t i = 0; i < PVS_WAIT_BUCKETS; i++)
			below += pvs_wait_bucket_limit_us(i) <= us;
		snprintf(sample, sizeof(sample),
		         "pvsched_vcpu_wait_seconds_bucket{domain=\"vm000000\",le=\"0.%06u\"}", us);
		CHECK_U64(strtoull(value(&m, sample), NULL, 10), below);
		CHECK(below > before);
		/* exact: the limit is one of the tracer's, too */
		CHECK_U64(pvs_wait_bucket_limit_us(pvs_wait_bucket((us - 1) * 1000ULL)), us);
		before = below;
		n++;
	}
	CHECK_U64(n, 15);
	CHECK_STR(value(&m, "pvsched_vcpu_wait_seconds_bucket{domain=\"vm000000\",le=\"+Inf\"}"),
	          "80");
	CHECK_STR(value(&m, "pvsched_vcpu_wait_seconds_count{domain=\"vm000000\"}"), "80");
	CHECK_STR(value(&m, "pvsched_vcpu_wait_seconds_sum{domain=\"vm000000\"}"), "7.000000000");
	openmetrics_clear(&m);
}

static uint64_t cpu_time_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static size_t count_lines(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

static void fill(size_t n_denied)
{
	for (size_t i = 0; i < data.n_domains; i++) {
		for (size_t r = 0; r < n_denied; r++)
			counts[i].denied[r] = 123456;
		for (uint32_t k = 0; k < PVS_WAIT_BUCKETS; k++)
			counts[i].waits[k] = 12345678;
		counts[i].wait_ns = counts[i].would_boosted_ns = 123456789012345;
		counts[i].wakeups = counts[i].boosted_wakeups = 12345678901;
	}
	for (size_t i = 0; i < data.n_vcpus; i++)
		vcpus[i].boosts = vcpus[i].run_ns = vcpus[i].wait_ns = vcpus[i].boosted_ns =
		        123456789012345;
}

/* All slots and all domains, with names of a usual length: nothing is left out. */
static void test_full_host(void)
{
	static const size_t sizes[][2] = {
	        {64, 256}, {250, 1000}, {256, 4096}, {N_DOMAINS, N_VCPUS}};

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct openmetrics m = OPENMETRICS_INIT(OPENMETRICS_PROMETHEUS, METRICS_TEXT_MAX);
		uint64_t begin_us;

		begin(sizes[i][0], sizes[i][1]);
		fill(5);
		begin_us = cpu_time_us();
		print(&m);
		printf("%zu domains, %zu vCPUs: %zu lines, %zu bytes, %" PRIu64 " us to print\n",
		       sizes[i][0], sizes[i][1], count_lines(m.text), m.size,
		       cpu_time_us() - begin_us);
		CHECK_INT(m.left_out, 0);
		CHECK_LE(m.size, METRICS_TEXT_MAX);
		openmetrics_clear(&m);
	}
}

/* Names as long and as hostile as they may be: the text stays within its bound, also as JSON. */
static void test_hostile_host(void)
{
	struct openmetrics m = OPENMETRICS_INIT(OPENMETRICS, METRICS_TEXT_MAX);
	size_t as_json = 64;

	begin(N_DOMAINS, N_VCPUS);
	for (size_t i = 0; i < N_DOMAINS; i++)
		memset(names[i], i % 2 ? '\\' : '\n', 255);
	fill(_POLICY_REASON_MAX);
	print(&m);
	for (const char *c = m.text; *c; c++)
		as_json += *c == '\n' || *c == '"' || *c == '\\' ? 2 : 1;
	printf("%zu bytes, %zu as JSON, %u families left out\n", m.size, as_json, m.left_out);
	CHECK_LE(m.size, METRICS_TEXT_MAX);
	CHECK_LE(as_json, 8 * 1024 * 1024); /* CONTROL_RESPONSE_MAX */
	CHECK(m.left_out > 0);
	CHECK_U64(strtoull(value(&m, "pvsched_metrics_families_left_out"), NULL, 10), m.left_out);
	CHECK(strcmp(m.text + m.size - 6, "# EOF\n") == 0);
	CHECK_STR(value(&m, "pvsched_enabled"), "0");
	openmetrics_clear(&m);
}

TEST_MAIN(TEST(test_labels), TEST(test_samples), TEST(test_histogram), TEST(test_full_host),
          TEST(test_hostile_host))
