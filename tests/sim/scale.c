/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "scale.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "judge.h"
#include "large.h"
#include "util/cleanup.h"
#include "util/clock.h"

#define US NSEC_PER_USEC
#define MS NSEC_PER_MSEC

#define VCPUS_PER_DOMAIN 4
#define WARM_NS          (200 * MS)   /* before it not all are armed yet */
#define FLIGHT_NS        (1000 * US)  /* a queue of 500 requests, in which a cap may be overdrawn */
#define FAULT_NS         NSEC_PER_SEC /* a run with a fault */

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

/* In place of the wanted one, where vCPUs that wait for each other help each other. */
static const struct behaviour awaits = {
        "20ms/5ms, waits for another each ms",
        {{.run_ns = 20 * MS, .sleep_ns = 5 * MS, .vary_permille = 800}},
        .waits_every_ns = MS};

static const struct behaviour *const mix[] = {
        &wanted, &idle, &idle, &idle, &service, &service, &service, &batch,
};

/* With so many vCPUs per CPU, or fewer, those that want latency stay within each cap of `latency`.
 */
#define FITTING_PER_CPU 8

/* Of wake-ups within the budget so many run before a booster could even react: armed beforehand. */
#define SERVED_PERMILLE 990

/*
 * host.booster_permille bounds what begins boosts. What ends them is always carried out, and a
 * domain that is not heard has one event to be told so: as much again.
 */
#define ATTENTION_MARGIN 2

/* Boosts take their share of a CPU from others: these wait no longer than twice as long, and a
 * burst. */
#define WAIT_MARGIN 2

static const struct size {
	uint32_t vcpus, cpus;
} sizes[] = {{64, 8}, {512, 64}, {4000, 512}};

/* Shares in permille of a CPU: of a vCPU, its domain, a host CPU. */
enum { UNTOUCHED, LATENCY, TIGHT, HELPING, N_VARIANTS, STARVED = N_VARIANTS };

static const struct variant {
	const char *name;
	bool boosts, fits; /* fits: what is wanted is within the caps */
	uint32_t vcpu_permille, domain_permille, cpu_permille;
	uint64_t vcpu_ns, domain_ns, cpu_ns;
	bool helps; /* nothing is armed: vCPUs have those boosted that they wait for */
} variants[] = {
        [UNTOUCHED] = {"untouched", false, false, 200, 500, 300, 500 * US, 2 * MS, 3 * MS},
        [LATENCY] = {"latency", true, true, 200, 500, 300, 500 * US, 2 * MS, 3 * MS},
        [TIGHT] = {"tight", true, false, 100, 250, 100, 500 * US, 2 * MS, 3 * MS},
        [HELPING] = {"helping", true, false, 100, 500, 300, 500 * US, 2 * MS, 3 * MS, true},
        /* a fault: less than is wanted, and judged as if it were enough */
        [STARVED] = {"starved", true, true, 50, 500, 300, 500 * US, 2 * MS, 3 * MS},
};

struct scale {
	const struct size *size;
	const struct variant *variant;
	struct large large;
	uint64_t lasts_ns, wall_ns;
	uint64_t host_ns; /* what all the others had */
	uint64_t excess_ns[CHECKER_CPU + 1];
	uint64_t granted_ns;      /* boosted */
	uint64_t caused_ns;       /* of the booster's time, by all domains */
	uint64_t longest_wait_ns; /* of any thread */
	uint64_t base_wait_ns;    /* the same of the untouched run; 0: not known */
	enum mutation mutation;
	const char *failed;
};

static void populate(struct scale *s)
{
	for (uint32_t i = 0; i < s->size->vcpus; i++) {
		uint32_t domain = i / VCPUS_PER_DOMAIN;
		const struct behaviour *behaviour = mix[domain % ARRAY_SIZE(mix)];
		struct thread thread = {
		        .behaviour =
		                s->variant->helps && behaviour == &wanted ? &awaits : behaviour,
		        .vcpu = (int)i,
		        .domain = (int)domain,
		        .group = domain,
		        .only_cpu = -1,
		        .observed = behaviour != &wanted,
		};

		world_add(&s->large.world, &thread);
	}
}

static void start(struct scale *s, const struct scale_options *how)
{
	const struct variant *v = s->variant;
	struct host_options options = {
	        .profile = {"scale", v->boosts ? PROFILE_BOOST : PROFILE_OBSERVE, v->vcpu_permille,
	                    v->vcpu_ns,
	                    .policy = v->helps ? REGISTRY_NUMBER_AWAITED_ONLY : REGISTRY_NONE,
	                    .help = v->helps ? PROFILE_HELP_ALL : 0},
	        .caps = {.cpu_share_permille = v->cpu_permille,
	                 .cpu_burst_ns = v->cpu_ns,
	                 .domain_share_permille = v->domain_permille,
	                 .domain_burst_ns = v->domain_ns,
	                 .max_changes_per_s = 500,
	                 .booster_permille = how->booster_permille},
	        .delay_ns = LARGE_DELAY_NS,
	        .apply_ns = LARGE_APPLY_NS,
	        .charges_cpus = true,
	        .mutation = s->mutation,
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

/* All domains together have the share and its burst, and each that boosts the burst of its part. */
static uint64_t attention_limit_ns(const struct scale *s, uint32_t booster_permille)
{
	uint64_t domains = s->size->vcpus / VCPUS_PER_DOMAIN / ARRAY_SIZE(mix) + 1;

	return ATTENTION_MARGIN * (s->lasts_ns * booster_permille / 1000 + ATTENTION_BURST_NS +
	                           domains * ATTENTION_PART_BURST_MIN_NS);
}

static void judge_booster(struct scale *s, const struct scale_options *options)
{
	const struct host *host = s->large.host;

	for (uint32_t i = 0; i < host->n_domains; i++)
		s->caused_ns += host->caused_ns[i];
	fail_if(s, s->caused_ns > attention_limit_ns(s, options->booster_permille),
	        "domains took more of the booster's time than their share");
}

/* That boosts happen where they are wanted, and nowhere else. */
static void judge_gain(struct scale *s)
{
	const struct delays *waits = &s->large.waits;

	s->granted_ns = meters_boosted_ns(s->large.meters);
	if (!s->variant->boosts) {
		fail_if(s, s->granted_ns > 0 || s->large.host->calls > 0,
		        "a vCPU was boosted that is only observed");
		return;
	}
	fail_if(s, waits->n == 0 || s->granted_ns == 0, "no vCPU was boosted");
	fail_if(s,
	        s->variant->fits && s->size->vcpus <= FITTING_PER_CPU * s->size->cpus &&
	                delays_quantile_ns(waits, SERVED_PERMILLE) > LARGE_DELAY_NS,
	        "vCPUs within their budgets waited");
}

static void judge_waits(struct scale *s)
{
	s->longest_wait_ns = meters_longest_wait_ns(s->large.meters);
	fail_if(s,
	        s->base_wait_ns &&
	                s->longest_wait_ns > WAIT_MARGIN * s->base_wait_ns + s->variant->cpu_ns,
	        "a thread waited too long");
}

static void judge_scale(struct scale *s, const struct scale_options *options)
{
	const struct variant *v = s->variant;

	fail_if(s, meters_nonsense(s->large.meters) != NULL, meters_nonsense(s->large.meters));
	fail_if(s, s->large.host->broken != NULL, s->large.host->broken);
	fail_if(s, s->large.host->events_lost > 0, "the ring buffer overflowed");
	if (!v->helps) /* else others pay */
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
	judge_booster(s, options);
	judge_gain(s);
	judge_waits(s);
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
	judge_scale(s, options);
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

static struct scale *measure(const struct scale_options *options, const struct size *size,
                             const struct variant *variant, enum mutation mutation,
                             uint64_t base_wait_ns)
{
	struct scale *s = calloc(1, sizeof(*s));

	if (!s)
		abort();
	s->size = size;
	s->variant = variant;
	s->mutation = mutation;
	s->base_wait_ns = base_wait_ns;
	run(s, options);
	return s;
}

static void scale_free(struct scale *s)
{
	large_fini(&s->large);
	free(s);
}

/* What each fault must be caught at: that the judge can fail here, too, and for the right cause. */
static const struct fault {
	enum mutation mutation;
	int variant;
	const char *name, *cause;
} faults[] = {
        {MUTATION_NEVER_CHARGE, TIGHT, "never charges", "a vCPU was boosted beyond its cap"},
        {MUTATION_NO_DOMAIN, TIGHT, "no domain bucket", "a domain was boosted beyond its cap"},
        {MUTATION_NO_CPU, LATENCY, "no CPU bucket", "a CPU ran real-time threads beyond its cap"},
        {MUTATION_NO_DEADLINE, TIGHT, "no deadline", "a domain was boosted beyond its cap"},
        {MUTATION_NO_UNBOOST, TIGHT, "never unboosts",
         "an exhausted vCPU stayed boosted: the guardian would be told"},
        {MUTATION_UNCHARGED, TIGHT, "no domain pays for the booster's time",
         "domains took more of the booster's time than their share"},
        {MUTATION_HELPS_NOBODY, HELPING, "helps nobody", "no vCPU was boosted"},
        {MUTATION_NONE, STARVED, "a budget that is too small", "vCPUs within their budgets waited"},
};

struct tally {
	unsigned int passed, failed;
};

/* On the largest host, where enough happens within a second. */
static void test_faults(struct scale_options options, struct tally *tally)
{
	const struct size *size = &sizes[ARRAY_SIZE(sizes) - 1];

	options.lasts_ns = FAULT_NS;
	for (size_t i = 0; i < ARRAY_SIZE(faults); i++) {
		const struct fault *fault = &faults[i];
		struct scale *s;
		bool ok;

		s = measure(&options, size, &variants[fault->variant], fault->mutation, 0);
		ok = s->failed && strcmp(s->failed, fault->cause) == 0;
		tally->passed += ok;
		tally->failed += !ok;
		printf("%s fault \"%s\" with %u vCPUs on %u CPUs is found: %s\n",
		       ok ? "ok" : "not ok", fault->name, size->vcpus, size->cpus,
		       s->failed ? s->failed : "no");
		scale_free(s);
	}
}

static void run_size(const struct scale_options *options, const struct size *size, FILE *json,
                     bool first, struct tally *tally)
{
	uint64_t base_wait_ns = 0;

	for (size_t v = 0; v < N_VARIANTS; v++) {
		/* those that help want more than the others do: the waits cannot be compared */
		struct scale *s = measure(options, size, &variants[v], MUTATION_NONE,
		                          variants[v].helps ? 0 : base_wait_ns);

		print_row(s);
		if (json)
			write_row(json, s, first && v == 0);
		if (!variants[v].boosts)
			base_wait_ns = s->longest_wait_ns;
		tally->passed += !s->failed;
		tally->failed += !!s->failed;
		scale_free(s);
	}
}

int scale_run(const struct scale_options *options)
{
	CLEANUP(cleanup_file) FILE *json = NULL;
	struct size one = {options->vcpus ? options->vcpus : 64, options->cpus ? options->cpus : 8};
	bool alone = options->vcpus || options->cpus;
	size_t n = alone ? 1 : ARRAY_SIZE(sizes);
	struct tally tally = {0};

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
		run_size(options, alone ? &one : &sizes[i], json, i == 0, &tally);
	if (json)
		fputs("\n\t]}\n", json);
	if (options->faults)
		test_faults(*options, &tally);
	printf("%u passed, %u failed, 0 skipped\n", tally.passed, tally.failed);
	return tally.failed ? 1 : 0;
}
