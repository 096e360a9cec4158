/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "aside.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "large.h"
#include "policy/governor.h"
#include "rng.h"
#include "util/clock.h"

#define MS NSEC_PER_MSEC
#define S  NSEC_PER_SEC

#define VCPUS_MAX     8 /* of a domain */
#define WORDS         (WORLD_CPUS_MAX / 64)
#define WEIGHT        100
#define MOVES_NS      (2 * S) /* until a guest has moved its work, at most */
#define WARM_S        20      /* not judged: what is told in that time counts all the same */
#define REVERSALS_MAX 2       /* in any REVERSALS_NS */
#define REVERSALS_NS  (60 * S)
#define WORK_PERMILLE                                                                              \
	950 /* of what was done without the governor: all guests, and each, less a bit */
#define EACH_PERMILLE 850
#define FEW_DOMAINS   8

/* Always something to do: a period would be waited for when the work of a guest is in few hands. */
static const struct behaviour computes = {
        "50ms/100us", {{.run_ns = 50 * MS, .sleep_ns = 100 * NSEC_PER_USEC, .vary_permille = 200}}};
/* What it avoids wakes up all the same, so that the others of it always wait a little. */
static const struct behaviour restless = {
        "50ms/100us, ticks",
        {{.run_ns = 50 * MS, .sleep_ns = 100 * NSEC_PER_USEC, .vary_permille = 200}},
        .tick_every_ns = 100 * NSEC_PER_USEC};
static const struct behaviour third = {
        "3.3ms/10ms",
        {{.run_ns = 3300 * NSEC_PER_USEC, .sleep_ns = 10 * MS, .periodic = true}},
        .starts_ns = 10 * MS};
/* A minute of load, a minute without. */
static const struct behaviour minutes = {
        "computes for 60 s, then 1 %",
        {{.lasts_ns = 60 * S, .run_ns = 50 * MS, .sleep_ns = 100 * NSEC_PER_USEC},
         {.lasts_ns = 60 * S, .run_ns = MS, .sleep_ns = 100 * MS, .periodic = true}},
        .starts_ns = 10 * MS};
/*
 * The same, so little that there is room; all at once, so that many vCPUs wait for each other and
 * few do not: at each moment of rest it seems that there could be more.
 */
static const struct behaviour edge = {
        "17 % for 60 s, then 1 %",
        {{.lasts_ns = 60 * S,
          .run_ns = 1700 * NSEC_PER_USEC,
          .sleep_ns = 10 * MS,
          .vary_permille = 500,
          .periodic = true},
         {.lasts_ns = 60 * S, .run_ns = MS, .sleep_ns = 100 * MS, .periodic = true}}};

/* Deliberate faults: each must be found. */
enum fault {
	FAULT_NONE,
	FAULT_FLAPS,  /* nothing is held: each moment of rest is a reason to grow */
	FAULT_SILENT, /* what is decided does not reach the guest */
	FAULT_GREEDY, /* a guest that shrinks at all keeps one vCPU only */
};

struct scene {
	const char *name;
	uint32_t n_cpus, seconds;
	struct {
		const struct behaviour *behaviour;
		uint32_t domains, vcpus;
	} casts[2];
	uint32_t falls_permille; /* contention, to so much of what it was; 0: none is told anything
	                          */
};

/* clang-format off */
static const struct scene scenes[] = {
	{"on-off", 2, 400, {{&computes, 1, 4}, {&minutes, 1, 4}}, 400},
	{"both-on-off", 2, 400, {{&minutes, 2, 4}}, 400},
	{"restless", 2, 400, {{&restless, 1, 4}, {&minutes, 1, 4}}, 400},
	{"edge", 4, 600, {{&edge, 2, 8}}, 300},
	{"two-each", 4, 200, {{&computes, 2, 4}}, 400},
	{"four-guests", 4, 200, {{&computes, 4, 4}}, 400},
	{"room-for-all", 8, 120, {{&third, 2, 4}}, 0},
};
/* clang-format on */

struct domain {
	uint32_t first, n_vcpus;
	struct governor_course course;
	uint64_t cpus[WORDS]; /* none: any */
	bool told[VCPUS_MAX];
	uint64_t moves_ns; /* when the guest does what it was told; NSEC_NEVER: it has */
	int direction;     /* of the last change of what it was told */
	uint64_t reversed_ns[REVERSALS_MAX]; /* the last ones, round and round; 0: none */
	uint32_t reversals;
	uint64_t run_ns, wait_ns; /* since it is warm */
};

struct aside {
	struct large large;
	const struct scene *scene;
	enum fault fault;
	bool governs;
	struct governor_rule rule;
	uint64_t random;
	uint32_t n_vcpus, n_domains;
	struct domain *domains;
	struct governor_domain *step_domains;
	struct governor_vcpu *vcpus;
	uint64_t *run_ns, *wait_ns; /* of vCPUs, at the last look */
	struct governor_cpu cpus[WORLD_CPUS_MAX];
	uint64_t online[WORDS];
	const char *failed;
};

static void fail_if(struct aside *a, bool broken, const char *what)
{
	if (broken && !a->failed)
		a->failed = what;
}

/* ---- what guests are told, and do ---- */

static uint32_t count_told(const struct domain *d)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < d->n_vcpus; i++)
		n += d->told[i];
	return n;
}

/* By the times of what was told alone: the governor's own count is not asked. */
static void note_change(struct aside *a, struct domain *d, uint32_t before)
{
	uint64_t now = a->large.world.now_ns,
	         *oldest = &d->reversed_ns[d->reversals % REVERSALS_MAX];
	uint32_t after = count_told(d);
	int direction = after > before ? 1 : -1;

	if (after == before)
		return;
	if (d->direction && direction != d->direction) {
		fail_if(a, *oldest && now - *oldest < REVERSALS_NS,
		        "a guest was told to turn more than twice in a minute");
		*oldest = now;
		d->reversals++;
	}
	d->direction = direction;
	fail_if(a, d->told[0], "a guest was told to avoid its first vCPU");
	d->moves_ns = now + rng_below(&a->random, MOVES_NS);
}

static void tell(struct aside *a, struct domain *d, const struct governor_vcpu *decided)
{
	uint32_t before = count_told(d), n = 0;

	for (uint32_t i = 0; i < d->n_vcpus; i++) {
		d->told[i] = decided[i].avoided && a->fault != FAULT_SILENT;
		n += d->told[i];
	}
	for (uint32_t i = 1; a->fault == FAULT_GREEDY && n && i < d->n_vcpus; i++)
		d->told[i] = true;
	note_change(a, d, before);
}

/* The work of the vCPUs that it avoids goes to the others. */
static void move(struct aside *a, struct domain *d)
{
	uint32_t told = count_told(d);

	for (uint32_t i = 0; i < d->n_vcpus; i++) {
		struct thread *t = &a->large.world.threads[d->first + i];

		t->avoided = d->told[i];
		t->borne_permille = 1000 * told / (d->n_vcpus - told);
	}
	d->moves_ns = NSEC_NEVER;
}

/* ---- the governor's look ---- */

/* As src/daemon/avoid.c has it; nothing runs meanwhile. */
static void sample(struct aside *a, uint32_t slot, bool warm)
{
	const struct pvs_vcpu_account *account = &a->large.host->vcpus[slot];
	uint64_t now = a->large.world.now_ns, run_ns = account->run_ns, wait_ns = account->wait_ns;
	uint64_t ready_ns = pvs_ready_since(account->out, account->out_ns, account->wake_ns);
	struct domain *d = &a->domains[a->large.world.threads[slot].domain];

	if (account->in_ns)
		run_ns += now - account->in_ns;
	else if (ready_ns)
		wait_ns += now - ready_ns;
	a->vcpus[slot].run_ns = run_ns - a->run_ns[slot];
	a->vcpus[slot].wait_ns = wait_ns - a->wait_ns[slot];
	a->run_ns[slot] = run_ns;
	a->wait_ns[slot] = wait_ns;
	if (!warm)
		return;
	d->run_ns += a->vcpus[slot].run_ns;
	d->wait_ns += a->vcpus[slot].wait_ns;
}

static void govern(struct aside *a)
{
	struct governor_step step = {
	        .rule = &a->rule,
	        .n_domains = a->n_domains,
	        .domains = a->step_domains,
	        .cpu_words = WORDS,
	        .online = a->online,
	        .cpus = a->cpus,
	        .interval_ns = GOVERNOR_INTERVAL_NS,
	        .now_ns = a->large.world.now_ns,
	};

	for (uint32_t i = 0; i < a->n_domains; i++)
		a->step_domains[i] = (struct governor_domain){
		        .governed = true,
		        .cpus = a->domains[i].cpus,
		        .weight = WEIGHT,
		        .n_vcpus = a->domains[i].n_vcpus,
		        .vcpus = &a->vcpus[a->domains[i].first],
		        .course = &a->domains[i].course,
		};
	governor_run(&step);
}

static void look(struct aside *a, bool warm)
{
	for (uint32_t slot = 0; slot < a->n_vcpus; slot++)
		sample(a, slot, warm);
	if (!a->governs)
		return;
	govern(a);
	for (uint32_t i = 0; i < a->n_domains; i++) {
		struct domain *d = &a->domains[i];

		tell(a, d, &a->vcpus[d->first]);
		if (a->large.world.now_ns >= d->moves_ns)
			move(a, d);
	}
}

/* ---- one run ---- */

static void add_domain(struct aside *a, const struct behaviour *behaviour, uint32_t n_vcpus)
{
	struct domain *d = &a->domains[a->n_domains];

	*d = (struct domain){.first = a->n_vcpus, .n_vcpus = n_vcpus, .moves_ns = NSEC_NEVER};
	for (uint32_t i = 0; i < n_vcpus; i++) {
		struct thread thread = {
		        .behaviour = behaviour,
		        .vcpu = (int)a->n_vcpus,
		        .domain = (int)a->n_domains,
		        .group = a->n_domains,
		        .only_cpu = -1,
		        .observed = true,
		};

		a->vcpus[a->n_vcpus++].index = i;
		world_add(&a->large.world, &thread);
	}
	a->n_domains++;
}

static void *table(size_t n, size_t size)
{
	void *ret = calloc(n, size);

	if (!ret)
		abort();
	return ret;
}

static void populate(struct aside *a)
{
	size_t domains = 0, vcpus = 0;

	for (size_t c = 0; c < ARRAY_SIZE(a->scene->casts); c++) {
		domains += a->scene->casts[c].domains;
		vcpus += a->scene->casts[c].domains * a->scene->casts[c].vcpus;
	}
	a->domains = table(domains, sizeof(*a->domains));
	a->step_domains = table(domains, sizeof(*a->step_domains));
	a->vcpus = table(vcpus, sizeof(*a->vcpus));
	a->run_ns = table(vcpus, sizeof(*a->run_ns));
	a->wait_ns = table(vcpus, sizeof(*a->wait_ns));
	for (size_t c = 0; c < ARRAY_SIZE(a->scene->casts); c++)
		for (uint32_t d = 0; d < a->scene->casts[c].domains; d++)
			add_domain(a, a->scene->casts[c].behaviour, a->scene->casts[c].vcpus);
	for (uint32_t cpu = 0; cpu < a->scene->n_cpus; cpu++)
		a->online[cpu / 64] |= UINT64_C(1) << cpu % 64;
}

static struct aside *play(const struct scene *scene, enum fault fault, bool governs, uint64_t seed)
{
	struct host_options how = {
	        .profile = PROFILE_OBSERVE_INIT,
	        .caps = HOST_CAPS_INIT,
	        .delay_ns = LARGE_DELAY_NS,
	        .apply_ns = LARGE_APPLY_NS,
	        .seed = seed ^ 0x5eed,
	};
	struct aside *a = table(1, sizeof(*a));

	a->scene = scene;
	a->fault = fault;
	a->governs = governs;
	a->random = seed;
	a->rule = GOVERNOR_RULE_INIT;
	if (fault == FAULT_FLAPS)
		a->rule = (struct governor_rule){.high_permille = a->rule.high_permille,
		                                 .low_permille = a->rule.low_permille,
		                                 .high_times = 1,
		                                 .low_times = 1};
	large_init(&a->large, scene->n_cpus, seed);
	populate(a);
	large_start(&a->large, a->n_vcpus, a->n_domains, &how, 0);
	for (uint32_t second = 0; second < scene->seconds; second++) {
		large_play(&a->large, GOVERNOR_INTERVAL_NS);
		look(a, second >= MIN((uint32_t)WARM_S, scene->seconds / 2));
	}
	large_end(&a->large);
	fail_if(a, a->large.host->broken, a->large.host->broken);
	return a;
}

static void free_run(struct aside *a)
{
	large_fini(&a->large);
	free(a->domains);
	free(a->step_domains);
	free(a->vcpus);
	free(a->run_ns);
	free(a->wait_ns);
	free(a);
}

/* ---- the judgement ---- */

struct sums {
	uint64_t run_ns, wait_ns;
	uint32_t reversals; /* most of a domain */
	bool told;          /* anything at all */
};

static struct sums sum_up(const struct aside *a)
{
	struct sums ret = {0};

	for (uint32_t i = 0; i < a->n_domains; i++) {
		ret.run_ns += a->domains[i].run_ns;
		ret.wait_ns += a->domains[i].wait_ns;
		ret.reversals = MAX(ret.reversals, a->domains[i].reversals);
		ret.told |= a->domains[i].direction != 0;
	}
	return ret;
}

static uint64_t contention(const struct sums *sums)
{
	return sums->wait_ns * 1000 / MAX(sums->run_ns + sums->wait_ns, UINT64_C(1));
}

/* Not on a large host: the simulated kernel moves threads to CPUs that idle alone, so chance
 * decides which of many has a CPU with few others. */
static void judge_domains(struct aside *with, const struct aside *without)
{
	if (with->n_domains > FEW_DOMAINS)
		return;
	for (uint32_t i = 0; i < with->n_domains; i++)
		fail_if(with,
		        with->domains[i].run_ns * 1000 < without->domains[i].run_ns * EACH_PERMILLE,
		        "a guest that stepped aside got less done");
}

/* Returns what failed; NULL: nothing. Prints what was found. */
static const char *test(const struct scene *scene, enum fault fault, uint64_t seed)
{
	struct aside *with = play(scene, fault, true, seed);
	struct aside *without = play(scene, fault, false, seed);
	struct sums told = sum_up(with), untold = sum_up(without);
	uint64_t work = told.run_ns * 1000 / MAX(untold.run_ns, UINT64_C(1));
	const char *failed;

	if (!scene->falls_permille)
		fail_if(with, told.told, "a guest that does not wait was told to avoid vCPUs");
	else
		fail_if(with,
		        contention(&told) * 1000 > contention(&untold) * scene->falls_permille,
		        "guests that stepped aside wait as long as before");
	fail_if(with, work < WORK_PERMILLE, "less is done when guests step aside");
	judge_domains(with, without);
	failed = with->failed;
	printf("%s aside %s, %u vCPUs on %u CPUs for %u s: contention %" PRIu64
	       " permille, was %" PRIu64 "; work %" PRIu64
	       " permille of that; at most %u reversals%s%s\n",
	       fault    ? "#"
	       : failed ? "not ok"
	                : "ok",
	       scene->name, with->n_vcpus, scene->n_cpus, scene->seconds, contention(&told),
	       contention(&untold), work, told.reversals, failed ? ": " : "", failed ? failed : "");
	fflush(stdout);
	free_run(with);
	free_run(without);
	return failed;
}

static const struct {
	enum fault fault;
	const char *name, *scene, *cause;
} faults[] = {
        {FAULT_FLAPS, "flaps", "edge", "a guest was told to turn more than twice in a minute"},
        {FAULT_SILENT, "guests are not told", "on-off",
         "guests that stepped aside wait as long as before"},
        {FAULT_GREEDY, "one vCPU is left", "two-each", "less is done when guests step aside"},
};

static const struct scene *scene_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(scenes); i++)
		if (strcmp(scenes[i].name, name) == 0)
			return &scenes[i];
	return NULL;
}

static unsigned int test_faults(uint64_t seed)
{
	unsigned int failures = 0;

	for (size_t i = 0; i < ARRAY_SIZE(faults); i++) {
		const char *found = test(scene_find(faults[i].scene), faults[i].fault, seed);
		bool ok = found && strcmp(found, faults[i].cause) == 0;

		printf("%s fault \"%s\" in %s is found: %s\n", ok ? "ok" : "not ok", faults[i].name,
		       faults[i].scene, found ? found : "no");
		failures += !ok;
	}
	return failures;
}

int aside_run(const struct aside_options *options)
{
	unsigned int failed = 0, n = ARRAY_SIZE(scenes) + ARRAY_SIZE(faults);

	if (options->vcpus) {
		/* twice as many guests as CPUs, at 4000 on 512: one vCPU of each waits, too */
		struct scene large = {"large",
		                      options->cpus,
		                      (uint32_t)(options->lasts_ns / S),
		                      {{&computes, MAX(options->vcpus / 4, 1U), 4}},
		                      800};

		n = 1;
		failed = test(&large, FAULT_NONE, options->seed) != NULL;
	} else {
		for (size_t i = 0; i < ARRAY_SIZE(scenes); i++)
			failed += test(&scenes[i], FAULT_NONE, options->seed) != NULL;
		failed += test_faults(options->seed);
	}
	printf("%u passed, %u failed, 0 skipped\n", n - failed, failed);
	return failed ? 1 : 0;
}
