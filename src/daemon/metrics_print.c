// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/metrics_print.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/names.h"
#include "util/escape.h"

#define NS_DECIMALS 9
#define US_DECIMALS 6
#define RESERVE     1024 /* for the last family, which says what was left out */

/* ---- names of domains ---- */

static int compare_labels(const void *a, const void *b)
{
	const struct metrics_domain *const *x = a, *const *y = b;

	return strcmp((*x)->label, (*y)->label);
}

/* Such labels end like " (01234567-89ab-cdef-0123-456789abcdef)"; no plain name may. */
static bool looks_long(const char *label)
{
	size_t length = strlen(label);

	return length >= METRICS_LABEL_MAX - METRICS_NAME_MAX - 1 && label[length - 1] == ')';
}

static bool fits(const char *name)
{
	char whole[2 * METRICS_NAME_MAX];

	return escape_text(name, whole, sizeof(whole)) <= METRICS_NAME_MAX;
}

static void append_uuid(struct metrics_domain *domain)
{
	size_t length = strlen(domain->label);

	snprintf(domain->label + length, sizeof(domain->label) - length, " (%s)", domain->uuid);
}

int metrics_name_domains(struct metrics_domain *domains, size_t n)
{
	struct metrics_domain **sorted = calloc(n ? n : 1, sizeof(struct metrics_domain *));

	if (!sorted)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		escape_text(domains[i].name, domains[i].label, METRICS_NAME_MAX + 1);
		sorted[i] = &domains[i];
	}
	qsort(sorted, n, sizeof(struct metrics_domain *), compare_labels);
	for (size_t i = 0; i < n;) {
		size_t end = i + 1;

		while (end < n && strcmp(sorted[end]->label, sorted[i]->label) == 0)
			end++;
		for (size_t k = end; k > i; k--) /* the first one last: the others are compared */
			if (end - i > 1 || looks_long(sorted[i]->label) || !fits(sorted[i]->name))
				append_uuid(sorted[k - 1]);
		i = end;
	}
	free(sorted);
	return 0;
}

/* ---- the host ---- */

static void one(struct openmetrics *m, const struct openmetrics_family *family, uint64_t value,
                unsigned int decimals)
{
	openmetrics_family(m, family);
	openmetrics_sample(m, NULL, NULL, 0, value, decimals);
}

static void print_state(struct openmetrics *m, const struct metrics_data *data)
{
	static const struct openmetrics_family
	        build = {"pvsched_build", OPENMETRICS_INFO, NULL, "The daemon and its version."},
	        started = {"pvsched_start_time_seconds", OPENMETRICS_GAUGE, "seconds",
	                   "When the daemon started, since 1970."},
	        taken = {"pvsched_metrics_timestamp_seconds", OPENMETRICS_GAUGE, "seconds",
	                 "When this was measured, since 1970."},
	        enabled = {"pvsched_enabled", OPENMETRICS_GAUGE, NULL,
	                   "1 if boosting is switched on."},
	        breaker = {"pvsched_breaker_open", OPENMETRICS_GAUGE, NULL,
	                   "1 while the circuit breaker is open."},
	        acts = {"pvsched_guardian_acts", OPENMETRICS_GAUGE, NULL,
	                "Acts of the guardian that the breaker counts now."},
	        ends = {"pvsched_unclean_ends", OPENMETRICS_GAUGE, NULL,
	                "Unclean ends that the breaker counts now."},
	        up = {"pvsched_source_up", OPENMETRICS_GAUGE, NULL,
	              "1 if a part that the daemon depends on works."};
	struct openmetrics_label version = {"version", data->version};

	openmetrics_family(m, &build);
	openmetrics_sample(m, NULL, &version, 1, 1, 0);
	one(m, &started, data->started_us, US_DECIMALS);
	one(m, &taken, data->taken_us, US_DECIMALS);
	one(m, &enabled, data->enabled, 0);
	one(m, &breaker, data->breaker_open, 0);
	one(m, &acts, data->guardian_acts, 0);
	one(m, &ends, data->unclean_ends, 0);
	openmetrics_family(m, &up);
	for (size_t i = 0; i < data->n_sources; i++) {
		struct openmetrics_label source = {"source", data->sources[i].name};

		openmetrics_sample(m, NULL, &source, 1, data->sources[i].ok, 0);
	}
}

static void print_lost(struct openmetrics *m, const struct metrics_data *data)
{
	static const struct openmetrics_family lost = {"pvsched_events_lost", OPENMETRICS_COUNTER,
	                                               NULL, "Events that were lost, by source."};
	const struct {
		const char *source;
		uint64_t n;
	} rows[] = {{"bpf", data->events_lost},
	            {"booster", data->notes_lost},
	            {"proc_connector", data->hints_lost}};

	openmetrics_family(m, &lost);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct openmetrics_label source = {"source", rows[i].source};

		openmetrics_sample(m, NULL, &source, 1, rows[i].n, 0);
	}
}

static void print_booster(struct openmetrics *m, const struct metrics_data *data)
{
	static const struct openmetrics_family
	        received = {"pvsched_events_received", OPENMETRICS_COUNTER, NULL,
	                    "Events of the tracer."},
	        missed = {"pvsched_deadlines_missed", OPENMETRICS_COUNTER, NULL,
	                  "Boosts that ended late, since a timer of the kernel did not fire."},
	        refused = {"pvsched_deadlines_refused", OPENMETRICS_COUNTER, NULL,
	                   "Timers that the kernel did not start."},
	        wakeups = {"pvsched_booster_wakeups", OPENMETRICS_COUNTER, NULL,
	                   "Wake-ups of the booster."},
	        boosted = {"pvsched_boosted_vcpus", OPENMETRICS_GAUGE, NULL,
	                   "vCPUs that are boosted now, asleep or awake."},
	        slots = {"pvsched_vcpu_slots", OPENMETRICS_GAUGE, NULL,
	                 "vCPUs that are measured, and those for which no slot is left."};
	struct openmetrics_label used = {"state", "used"}, without = {"state", "without"};

	one(m, &received, data->events_received, 0);
	one(m, &missed, data->deadlines_missed, 0);
	one(m, &refused, data->deadlines_refused, 0);
	one(m, &wakeups, data->booster_wakeups, 0);
	one(m, &boosted, data->boosted, 0);
	openmetrics_family(m, &slots);
	openmetrics_sample(m, NULL, &used, 1, data->slots_used, 0);
	openmetrics_sample(m, NULL, &without, 1, data->slots_without, 0);
}

static void print_agents(struct openmetrics *m, const struct metrics_data *data)
{
	static const struct openmetrics_family
	        agents = {"pvsched_agents", OPENMETRICS_GAUGE, NULL,
	                  "Agents of guests that are connected, by whether they are heeded."},
	        hellos = {"pvsched_agent_hellos", OPENMETRICS_COUNTER, NULL,
	                  "Hellos of agents that were taken."},
	        turned_away = {"pvsched_agents_turned_away", OPENMETRICS_COUNTER, NULL,
	                       "Connections of no guest's root, too many, or that broke a rule."};
	struct openmetrics_label served = {"state", "served"}, other = {"state", "other"};

	openmetrics_family(m, &agents);
	openmetrics_sample(m, NULL, &served, 1, data->agents_served, 0);
	openmetrics_sample(m, NULL, &other, 1, data->agents - data->agents_served, 0);
	one(m, &hellos, data->agent_hellos, 0);
	one(m, &turned_away, data->agents_turned_away, 0);
}

static void print_cpu_times(struct openmetrics *m, const struct metrics_data *data,
                            const struct openmetrics_family *family, size_t offset)
{
	char cpu[16];
	struct openmetrics_label label = {"cpu", cpu};

	openmetrics_family(m, family);
	for (size_t i = 0; i < data->n_cpus; i++) {
		uint64_t ns;

		memcpy(&ns, (const char *)&data->cpus[i] + offset, sizeof(ns));
		snprintf(cpu, sizeof(cpu), "%u", data->cpus[i].cpu);
		openmetrics_sample(m, NULL, &label, 1, ns, NS_DECIMALS);
	}
}

static void print_cpus(struct openmetrics *m, const struct metrics_data *data)
{
	static const struct openmetrics_family
	        all = {"pvsched_cpu_realtime_seconds", OPENMETRICS_COUNTER, "seconds",
	               "Run time of real-time threads on a host CPU, boosted vCPUs included."},
	        foreign = {"pvsched_cpu_foreign_realtime_seconds", OPENMETRICS_COUNTER, "seconds",
	                   "Of that, the part of threads that are no boosted vCPUs."},
	        used = {"pvsched_cpu_sheet_used_ratio", OPENMETRICS_GAUGE, "ratio",
	                "Real time of a host CPU in the last second."},
	        limit = {"pvsched_cpu_sheet_limit_ratio", OPENMETRICS_GAUGE, "ratio",
	                 "Boosts on a CPU end before its real time of a second reaches this."};

	print_cpu_times(m, data, &all, offsetof(struct metrics_cpu, rt_ns));
	print_cpu_times(m, data, &foreign, offsetof(struct metrics_cpu, foreign_ns));
	print_cpu_times(m, data, &used, offsetof(struct metrics_cpu, sheet_used_ns));
	one(m, &limit, data->sheet_permille, 3);
}

static void print_costs(struct openmetrics *m, const struct metrics_data *data)
{
	static const struct openmetrics_family
	        costs = {"pvsched_cost_seconds", OPENMETRICS_GAUGE, "seconds",
	                 "What this machine takes for a wake-up with its switch, a scheduler call, "
	                 "a timer."},
	        prices = {"pvsched_price_seconds", OPENMETRICS_GAUGE, "seconds",
	                  "What follows: the least that a boosted run is charged, and what counts "
	                  "as no tokens."};
	const struct {
		const struct openmetrics_family *family;
		const char *of;
		uint32_t ns;
	} rows[] = {{&costs, "wake", data->costs.wake_ns},
	            {NULL, "call", data->costs.call_ns},
	            {NULL, "timer", data->costs.timer_ns},
	            {&prices, "charge_min", data->prices.charge_min_ns},
	            {NULL, "tokens_min", data->prices.tokens_min_ns}};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct openmetrics_label of = {"of", rows[i].of};

		if (rows[i].family)
			openmetrics_family(m, rows[i].family);
		openmetrics_sample(m, NULL, &of, 1, rows[i].ns, NS_DECIMALS);
	}
}

/* ---- histograms ---- */

/* Limits in us, each a limit of pvs_wait_bucket(): so what lies below is exact. */
static const uint32_t limits_us[] = {8,    16,   32,   64,    128,   256,   512,   1024,
                                     2048, 4096, 8192, 16384, 32768, 65536, 131072};

static uint64_t count_of(const uint64_t *wide, const uint32_t *narrow, uint32_t bucket)
{
	return wide ? wide[bucket] : narrow[bucket];
}

/* The buckets of one of the two arrays, of PVS_WAIT_BUCKETS each, with @domain or NULL. */
static void print_buckets(struct openmetrics *m, const char *domain, const uint64_t *wide,
                          const uint32_t *narrow, uint64_t sum_ns)
{
	struct openmetrics_label labels[2] = {{"domain", domain}};
	size_t n = domain ? 1 : 0;
	uint64_t count = 0;
	uint32_t bucket = 0;
	char le[16];

	for (size_t i = 0; i < ARRAY_SIZE(limits_us); i++) {
		for (;
		     bucket < PVS_WAIT_BUCKETS && pvs_wait_bucket_limit_us(bucket) <= limits_us[i];
		     bucket++)
			count += count_of(wide, narrow, bucket);
		snprintf(le, sizeof(le), "0.%06u", limits_us[i]);
		labels[n] = (struct openmetrics_label){"le", le};
		openmetrics_sample(m, "bucket", labels, n + 1, count, 0);
	}
	for (; bucket < PVS_WAIT_BUCKETS; bucket++)
		count += count_of(wide, narrow, bucket);
	labels[n] = (struct openmetrics_label){"le", "+Inf"};
	openmetrics_sample(m, "bucket", labels, n + 1, count, 0);
	openmetrics_sample(m, "sum", labels, n, sum_ns, NS_DECIMALS);
	openmetrics_sample(m, "count", labels, n, count, 0);
}

static void print_applied(struct openmetrics *m, const struct metrics_data *data)
{
	static const struct openmetrics_family applied = {
	        "pvsched_request_to_applied_seconds", OPENMETRICS_HISTOGRAM, "seconds",
	        "From an event that boosts or unboosts a vCPU until the scheduler call returned."};

	openmetrics_family(m, &applied);
	print_buckets(m, NULL, NULL, data->request_to_applied.counts,
	              data->request_to_applied.sum_ns);
}

/* ---- domains ---- */

static void print_domain_info(struct openmetrics *m, const struct metrics_data *data)
{
	static const struct openmetrics_family info = {"pvsched_domain", OPENMETRICS_INFO, NULL,
	                                               "A domain, its uuid and its profile."},
	                                       vcpus = {"pvsched_domain_vcpus", OPENMETRICS_GAUGE,
	                                                NULL, "Number of vCPUs."};

	openmetrics_family(m, &info);
	for (size_t i = 0; i < data->n_domains; i++) {
		const struct metrics_domain *d = &data->domains[i];
		struct openmetrics_label labels[] = {
		        {"domain", d->label}, {"uuid", d->uuid}, {"profile", d->profile}};

		openmetrics_sample(m, NULL, labels, 3, 1, 0);
	}
	openmetrics_family(m, &vcpus);
	for (size_t i = 0; i < data->n_domains; i++) {
		struct openmetrics_label label = {"domain", data->domains[i].label};

		openmetrics_sample(m, NULL, &label, 1, data->domains[i].vcpus, 0);
	}
}

static void print_domain_counters(struct openmetrics *m, const struct metrics_data *data)
{
	static const struct {
		struct openmetrics_family family;
		size_t offset;
		unsigned int decimals;
	} rows[] = {
	        {{"pvsched_domain_wakeups", OPENMETRICS_COUNTER, NULL, "Wake-ups of its vCPUs."},
	         offsetof(struct tally_counts, wakeups),
	         0},
	        {{"pvsched_domain_boosted_wakeups", OPENMETRICS_COUNTER, NULL,
	          "Of these, those of vCPUs that were boosted already."},
	         offsetof(struct tally_counts, boosted_wakeups),
	         0},
	        {{"pvsched_domain_would_boosted_seconds", OPENMETRICS_COUNTER, "seconds",
	          "Time that its vCPUs would have run boosted, in a profile that observes."},
	         offsetof(struct tally_counts, would_boosted_ns),
	         NS_DECIMALS},
	};

	for (size_t row = 0; row < ARRAY_SIZE(rows); row++) {
		openmetrics_family(m, &rows[row].family);
		for (size_t i = 0; i < data->n_domains; i++) {
			const struct metrics_domain *d = &data->domains[i];
			struct openmetrics_label label = {"domain", d->label};
			uint64_t value;

			memcpy(&value, (const char *)d->counts + rows[row].offset, sizeof(value));
			openmetrics_sample(m, NULL, &label, 1, value, rows[row].decimals);
		}
	}
}

static void print_domain_waits(struct openmetrics *m, const struct metrics_data *data)
{
	static const struct openmetrics_family
	        waits = {"pvsched_vcpu_wait_seconds", OPENMETRICS_HISTOGRAM, "seconds",
	                 "From becoming runnable to running, of all vCPUs of a domain."},
	        denied = {"pvsched_vcpu_denied", OPENMETRICS_COUNTER, NULL,
	                  "Boosts that were denied, or ended early, by reason."};

	openmetrics_family(m, &waits);
	for (size_t i = 0; i < data->n_domains; i++)
		print_buckets(m, data->domains[i].label, data->domains[i].counts->waits, NULL,
		              data->domains[i].counts->wait_ns);
	openmetrics_family(m, &denied);
	for (size_t i = 0; i < data->n_domains; i++) {
		const struct metrics_domain *d = &data->domains[i];

		for (int r = 0; r < _POLICY_REASON_MAX; r++) {
			struct openmetrics_label labels[] = {
			        {"domain", d->label},
			        {"reason", policy_reason_name((enum policy_reason)r)}};

			if (d->counts->denied[r])
				openmetrics_sample(m, NULL, labels, 2, d->counts->denied[r], 0);
		}
	}
}

/* ---- vCPUs ---- */

static void print_vcpu_boosts(struct openmetrics *m, const struct metrics_data *data)
{
	static const struct openmetrics_family boosts = {"pvsched_vcpu_boosts", OPENMETRICS_COUNTER,
	                                                 NULL, "Boosts, by what they were for."};
	char index[16];

	openmetrics_family(m, &boosts);
	for (size_t i = 0; i < data->n_vcpus; i++) {
		const struct metrics_vcpu *v = &data->vcpus[i];
		struct openmetrics_label labels[] = {{"domain", data->domains[v->domain].label},
		                                     {"vcpu", index},
		                                     {"reason", "interrupt"}};

		snprintf(index, sizeof(index), "%u", v->index);
		openmetrics_sample(m, NULL, labels, 3, v->interrupt_boosts, 0);
		labels[2].value = "awaited";
		openmetrics_sample(m, NULL, labels, 3, v->pulses, 0);
		labels[2].value = "other";
		openmetrics_sample(m, NULL, labels, 3,
		                   v->boosts - MIN(v->interrupt_boosts + v->pulses, v->boosts), 0);
	}
}

static void print_vcpu_helps(struct openmetrics *m, const struct metrics_data *data)
{
	static const struct openmetrics_family helps = {
	        "pvsched_vcpu_helps", OPENMETRICS_COUNTER, NULL,
	        "Waits for another vCPU of its domain, by whether that one was boosted for it."};
	char index[16];

	openmetrics_family(m, &helps);
	for (size_t i = 0; i < data->n_vcpus; i++) {
		const struct metrics_vcpu *v = &data->vcpus[i];
		struct openmetrics_label labels[] = {{"domain", data->domains[v->domain].label},
		                                     {"vcpu", index},
		                                     {"result", "pulse"}};

		snprintf(index, sizeof(index), "%u", v->index);
		openmetrics_sample(m, NULL, labels, 3, v->helps - MIN(v->no_pulse, v->helps), 0);
		labels[2].value = "no-pulse";
		openmetrics_sample(m, NULL, labels, 3, v->no_pulse, 0);
	}
}

static void print_vcpu_times(struct openmetrics *m, const struct metrics_data *data)
{
	static const struct {
		struct openmetrics_family family;
		size_t offset;
	} rows[] = {
	        {{"pvsched_vcpu_boosted_seconds", OPENMETRICS_COUNTER, "seconds",
	          "Time that it ran boosted."},
	         offsetof(struct metrics_vcpu, boosted_ns)},
	        {{"pvsched_vcpu_run_seconds", OPENMETRICS_COUNTER, "seconds", "Time that it ran."},
	         offsetof(struct metrics_vcpu, run_ns)},
	        {{"pvsched_vcpu_ready_seconds", OPENMETRICS_COUNTER, "seconds",
	          "Time that it was runnable and did not run: its rate is VMware's CPU ready."},
	         offsetof(struct metrics_vcpu, wait_ns)},
	};
	char index[16];

	for (size_t row = 0; row < ARRAY_SIZE(rows); row++) {
		openmetrics_family(m, &rows[row].family);
		for (size_t i = 0; i < data->n_vcpus; i++) {
			const struct metrics_vcpu *v = &data->vcpus[i];
			struct openmetrics_label labels[] = {
			        {"domain", data->domains[v->domain].label}, {"vcpu", index}};
			uint64_t ns;

			memcpy(&ns, (const char *)v + rows[row].offset, sizeof(ns));
			snprintf(index, sizeof(index), "%u", v->index);
			openmetrics_sample(m, NULL, labels, 2, ns, NS_DECIMALS);
		}
	}
}

int metrics_print(const struct metrics_data *data, struct openmetrics *m)
{
	static const struct openmetrics_family left_out = {
	        "pvsched_metrics_families_left_out", OPENMETRICS_GAUGE, NULL,
	        "Families for which the text had no room."};
	size_t limit = m->limit;

	m->limit = limit > RESERVE ? limit - RESERVE : 0;
	print_state(m, data);
	print_lost(m, data);
	print_booster(m, data);
	print_agents(m, data);
	print_applied(m, data);
	print_cpus(m, data);
	print_costs(m, data);
	print_domain_info(m, data);
	print_domain_counters(m, data);
	print_domain_waits(m, data);
	print_vcpu_boosts(m, data);
	print_vcpu_helps(m, data);
	print_vcpu_times(m, data);
	m->limit = limit;
	one(m, &left_out, m->left_out, 0);
	return openmetrics_end(m);
}
