/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "scale.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "judge.h"
#include "large.h"
#include "util/cleanup.h"
#include "util/clock.h"

#define US NSEC_PER_USEC
#define MS NSEC_PER_MSEC

#define VCPUS_PER_DOMAIN 4
#define WARM_NS          (200 * MS)  /* before it not all are armed yet */
#define FLIGHT_NS        (1000 * US) /* a queue of 500 requests, in which a cap may be overdrawn */

/* Of eight domains one wants latency; together they want half as much again as the host has. */
static const struct behaviour wanted = {
        "100us/1ms",
        {{.run_ns = 100 * US, .sleep_ns = MS, .vary_permille = 300, .periodic = true}}};
static const struct behaviour idle = {
        "30us/10ms", {{.run_ns = 30 * US, .sleep_ns = 10 * MS, .vary_permille = 500}}};
static const struct behaviour service = {
        "250us/1ms", {{.run_ns = 250 * US, .sleep_ns = MS, .vary_permille = 900}}};
static const struct behaviour batch = {
        "20ms/5ms", {{.run_ns = 20 * MS, .sleep_ns = 5 * MS, .vary_permille = 800}}};

static const struct behaviour *const mix[] = {
        &wanted, &idle, &idle, &idle, &service, &service, &service, &batch,
};

static const struct size {
	uint32_t vcpus, cpus;
} sizes[] = {{64, 8}, {512, 64}, {4000, 512}};

/* Shares in permille of a CPU: of a vCPU, its domain, a host CPU. */
static const struct variant {
	const char *name;
	bool boosts;
	uint32_t vcpu_permille, domain_permille, cpu_permille;
	uint64_t vcpu_ns, domain_ns, cpu_ns;
} variants[] = {
        {"untouched", false, 200, 500, 300, 500 * US, 2 * MS, 3 * MS},
        {"latency", true, 200, 500, 300, 500 * US, 2 * MS, 3 * MS},
        {"tight", true, 100, 250, 100, 500 * US, 2 * MS, 3 * MS},
};

struct scale {
	const struct size *size;
	const struct variant *variant;
	struct large large;
	uint64_t lasts_ns, wall_ns;
	uint64_t host_ns; /* what all the others had */
	uint64_t excess_ns[CHECKER_CPU + 1];
	uint64_t granted_ns; /* boosted */
	const char *failed;
};

static void populate(struct scale *s)
{
	for (uint32_t i = 0; i < s->size->vcpus; i++) {
		uint32_t domain = i / VCPUS_PER_DOMAIN;
		struct thread thread = {
		        .behaviour = mix[domain % ARRAY_SIZE(mix)],
		        .vcpu = (int)i,
		        .domain = (int)domain,
		        .group = domain,
		        .only_cpu = -1,
		        .observed = mix[domain % ARRAY_SIZE(mix)] != &wanted,
		};

		world_add(&s->large.world, &thread);
	}
}

static void start(struct scale *s, const struct scale_options *how)
{
	const struct variant *v = s->variant;
	struct host_options options = {
	        .profile = {"scale", v->boosts ? PROFILE_BOOST : PROFILE_OBSERVE, v->vcpu_permille,
	                    v->vcpu_ns},
	        .caps = {.cpu_share_permille = v->cpu_permille,
	                 .cpu_burst_ns = v->cpu_ns,
	                 .domain_share_permille = v->domain_permille,
	                 .domain_burst_ns = v->domain_ns,
	                 .max_changes_per_s = 500,
	                 .booster_permille = how->booster_permille},
	        .delay_ns = LARGE_DELAY_NS,
	        .apply_ns = LARGE_APPLY_NS,
	        .charges_cpus = true,
	        .seed = how->seed ^ 0x5eed,
	};

	large_start(&s->large, s->size->vcpus, s->size->vcpus / VCPUS_PER_DOMAIN + 1, &options,
	            WARM_NS);
}

static void fail_if(struct scale *s, bool broken, const char *what)
{
	if (broken && !s->failed)
		s->failed = what;
}

static void judge_one(struct scale *s, enum checker_key key, uint32_t n, uint64_t limit_ns,
                      const char *what)
{
	for (uint32_t i = 0; i < n; i++)
		s->excess_ns[key] =
		        MAX(s->excess_ns[key], meters_excess_ns(s->large.meters, key, i));
	fail_if(s, s->excess_ns[key] > limit_ns, what);
}

static void judge_scale(struct scale *s)
{
	const struct variant *v = s->variant;

	fail_if(s, meters_nonsense(s->large.meters) != NULL, meters_nonsense(s->large.meters));
	fail_if(s, s->large.host->broken != NULL, s->large.host->broken);
	fail_if(s, s->large.host->events_lost > 0, "the ring buffer overflowed");
	judge_one(s, CHECKER_VCPU, s->size->vcpus, v->vcpu_ns + FLIGHT_NS,
	          "a vCPU was boosted beyond its cap");
	/* vCPUs that run at once do not see each other's run (judge.c) */
	judge_one(s, CHECKER_DOMAIN, s->size->vcpus / VCPUS_PER_DOMAIN,
	          v->domain_ns + (VCPUS_PER_DOMAIN - 1) * v->vcpu_ns + FLIGHT_NS,
	          "a domain was boosted beyond its cap");
	judge_one(s, CHECKER_CPU, s->size->cpus, v->cpu_ns + FLIGHT_NS,
	          "a CPU ran real-time threads beyond its cap");
	for (uint32_t i = 0; i < s->size->vcpus; i++) {
		fail_if(s, s->large.world.threads[i].priority != 0,
		        "a vCPU was still boosted after the end");
		if (s->large.world.threads[i].observed)
			s->host_ns += s->large.world.threads[i].ran_ns;
	}
	s->granted_ns = meters_boosted_ns(s->large.meters);
}

static void run(struct scale *s, const struct scale_options *options)
{
	uint64_t begin_ns = clock_now_ns();

	s->lasts_ns = options->lasts_ns;
	large_init(&s->large, s->size->cpus, options->seed);
	populate(s);
	start(s, options);
	large_play(&s->large, s->lasts_ns - SIM_SETTLE_NS);
	large_end(&s->large);
	judge_scale(s);
	s->wall_ns = clock_now_ns() - begin_ns;
}

static double per_s(const struct scale *s, uint64_t n)
{
	return (double)n * NSEC_PER_SEC / (double)s->lasts_ns;
}

static double us(uint64_t ns)
{
	return (double)ns / US;
}

static double boosted_permille(const struct scale *s)
{
	return 1000.0 * (double)s->granted_ns / (double)s->lasts_ns / s->size->cpus;
}

static void print_head(void)
{
	puts("| vCPUs | CPUs | variant | caps vCPU/domain/CPU permille | avg us | p50 | p99 | "
	     "p99.9 "
	     "| max | boosted permille | others' CPU permille | excess vCPU/domain/CPU us "
	     "| decisions/s | booster wake-ups/s | calls/s | events/s simulated | events/s wall "
	     "| wall s | verdict |");
	puts("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- "
	     "| --- | --- | --- | --- | --- |");
}

static void print_row(const struct scale *s)
{
	const struct variant *v = s->variant;
	const struct delays *d = &s->large.waits;

	printf("| %u | %u | %s | %u/%u/%u ", s->size->vcpus, s->size->cpus, v->name,
	       v->vcpu_permille, v->domain_permille, v->cpu_permille);
	printf("| %.1f | %.1f | %.1f | %.1f | %.0f ", d->n ? us(d->sum_ns) / (double)d->n : 0,
	       us(delays_quantile_ns(d, 500)), us(delays_quantile_ns(d, 990)),
	       us(delays_quantile_ns(d, 999)), us(d->max_ns));
	printf("| %.1f | %.1f | %.0f/%.0f/%.0f ", boosted_permille(s),
	       1000 * per_s(s, s->host_ns) / NSEC_PER_SEC / s->size->cpus,
	       us(s->excess_ns[CHECKER_VCPU]), us(s->excess_ns[CHECKER_DOMAIN]),
	       us(s->excess_ns[CHECKER_CPU]));
	printf("| %.0f | %.0f | %.0f | %.0f | %.0f | %.1f | %s |\n", per_s(s, s->large.host->steps),
	       per_s(s, s->large.host->wakeups), per_s(s, s->large.host->calls),
	       per_s(s, s->large.events),
	       (double)s->large.events * NSEC_PER_SEC / (double)s->wall_ns,
	       (double)s->wall_ns / NSEC_PER_SEC, s->failed ? s->failed : "kept");
	fflush(stdout);
}

static void write_row(FILE *file, const struct scale *s, bool first)
{
	const struct delays *d = &s->large.waits;

	fprintf(file, "%s\n\t\t{\"vcpus\":%u,\"cpus\":%u,\"variant\":\"%s\",", first ? "" : ",",
	        s->size->vcpus, s->size->cpus, s->variant->name);
	fprintf(file,
	        "\"avg_us\":%.3f,\"p50_us\":%.3f,\"p99_us\":%.3f,\"p999_us\":%.3f,\"max_us\":%.3f,",
	        d->n ? us(d->sum_ns) / (double)d->n : 0, us(delays_quantile_ns(d, 500)),
	        us(delays_quantile_ns(d, 990)), us(delays_quantile_ns(d, 999)), us(d->max_ns));
	fprintf(file,
	        "\"boosted_permille\":%.2f,\"others_permille\":%.2f,\"excess_us\":[%.1f,%.1f,%.1f]"
	        ",",
	        boosted_permille(s), 1000 * per_s(s, s->host_ns) / NSEC_PER_SEC / s->size->cpus,
	        us(s->excess_ns[CHECKER_VCPU]), us(s->excess_ns[CHECKER_DOMAIN]),
	        us(s->excess_ns[CHECKER_CPU]));
	fprintf(file,
	        "\"decisions_per_s\":%.1f,\"booster_wakeups_per_s\":%.1f,\"calls_per_s\":%.1f,",
	        per_s(s, s->large.host->steps), per_s(s, s->large.host->wakeups),
	        per_s(s, s->large.host->calls));
	fprintf(file, "\"events\":%" PRIu64 ",\"wall_s\":%.2f,\"kept\":%s}", s->large.events,
	        (double)s->wall_ns / NSEC_PER_SEC, s->failed ? "false" : "true");
}

static bool measure(const struct scale_options *options, const struct size *size,
                    const struct variant *variant, FILE *json, bool first)
{
	struct scale *s = calloc(1, sizeof(*s));
	bool kept;

	if (!s)
		abort();
	s->size = size;
	s->variant = variant;
	run(s, options);
	print_row(s);
	if (json)
		write_row(json, s, first);
	kept = !s->failed;
	large_fini(&s->large);
	free(s);
	return kept;
}

int scale_run(const struct scale_options *options)
{
	CLEANUP(cleanup_file) FILE *json = NULL;
	struct size one = {options->vcpus ? options->vcpus : 64, options->cpus ? options->cpus : 8};
	bool alone = options->vcpus || options->cpus, kept = true;
	size_t n = alone ? 1 : ARRAY_SIZE(sizes);

	if (options->json_path && !(json = fopen(options->json_path, "we"))) {
		fprintf(stderr, "sim: %s cannot be written: %m\n", options->json_path);
		return 1;
	}
	if (json)
		fprintf(json,
		        "{\"bench\":\"scale-sim\",\"seconds\":%.3f,\"seed\":%" PRIu64 ",\"rows\":[",
		        (double)options->lasts_ns / NSEC_PER_SEC, options->seed);
	print_head();
	for (size_t i = 0; i < n; i++)
		for (size_t v = 0; v < ARRAY_SIZE(variants); v++)
			kept &= measure(options, alone ? &one : &sizes[i], &variants[v], json,
			                i == 0 && v == 0);
	if (json)
		fputs("\n\t]}\n", json);
	return kept ? 0 : 1;
}
