// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One measurement of tests/bench/run deadline: a victim on every CPU, each a vCPU of a domain of
 * its own with the profile `latency`, and the end of their tokens seen by whom the first argument
 * names. Prints one line of JSON; pairs of 64-bit words go to a file: 0 and a latency of a victim,
 * or 1 and how long one stayed boosted without tokens; both in ns.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "expiries.h"
#include "keeper.h"
#include "progs.h"
#include "stack.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "victims.h"

#define PING_US 10000 /* of the way backstop */

enum sample_kind {
	SAMPLE_LATENCY,
	SAMPLE_OVERSHOOT,
};

struct options {
	const char *ledger, *out;
	unsigned int cpus[VICTIMS_MAX]; /* of each victim */
	struct victims_options victims;
};

/* What is read before and after. */
struct costs {
	uint64_t at_ns, wakeups, missed, bpf_ns;
	struct {
		uint64_t count, ns;
	} timers[_EXPIRY_MAX];
};

struct bench {
	struct options options;
	struct keeper keeper;
	struct stack stack;
	struct victims victims;
	struct expiries *expiries;
	uint32_t before; /* the tracer's programs have higher ids */
	int stats_fd;
	struct costs from; /* when the victims are warm */
	atomic_bool done;
	int observer_error; /* after done */
};

static int fail(const char *what, int error)
{
	fprintf(stderr, "bench-deadline: %s: %s\n", what, strerror(error < 0 ? -error : error));
	return -1;
}

/* Their own buckets alone are to end their boosts: the bench can say since when these are empty. */
static void caps_widen(struct host_caps *caps)
{
	caps->cpu_share_permille = caps->domain_share_permille = 1000;
	caps->cpu_burst_ns = caps->domain_burst_ns = 100 * NSEC_PER_MSEC;
}

static int boosting_begin(struct bench *b)
{
	struct profile latency = PROFILE_LATENCY_INIT;
	struct booster_source source;
	int r;

	b->expiries = expiries_new();
	b->before = progs_last_id();
	b->stats_fd = progs_enable_stats();
	if (!b->expiries || b->stats_fd < 0)
		return fail("the kernel's statistics of BPF and timers", b->stats_fd);
	if (stack_open(&b->stack, b->options.ledger) < 0)
		return -1;
	caps_widen(&b->stack.caps);
	if (stack_trace(&b->stack) < 0)
		return -1;
	b->keeper.n_vcpus = b->options.victims.n;
	r = keeper_open(&b->keeper, &b->stack, &source);
	if (r < 0)
		return fail("who keeps the deadlines", r);
	if (stack_start(&b->stack, &source) < 0)
		return -1;
	for (unsigned int i = 0; i < b->options.victims.n; i++)
		if (stack_add(&b->stack, i, i, b->victims.results->tids[i], &latency) < 0)
			return -1;
	return 0;
}

static void costs_read(struct bench *b, struct costs *ret)
{
	struct booster_totals totals;
	struct prog progs[PROGS_MAX];
	size_t n = progs_read(b->before, progs);

	booster_read_totals(b->stack.booster, &totals);
	*ret = (struct costs){.at_ns = clock_now_ns(),
	                      .wakeups = totals.wakeups,
	                      .missed = totals.deadlines_missed};
	for (size_t i = 0; i < n; i++)
		ret->bpf_ns += progs[i].run_ns;
	for (int kind = 0; kind < _EXPIRY_MAX; kind++)
		expiries_read(b->expiries, (enum expiry_kind)kind, &ret->timers[kind].count,
		              &ret->timers[kind].ns);
}

static void costs_print(const struct costs *from, const struct costs *to)
{
	static const char *const names[_EXPIRY_MAX] = {
	        [EXPIRY_BPF] = "bpf_timer",
	        [EXPIRY_TIMERFD] = "timerfd",
	};
	double wall_ns = (double)(to->at_ns - from->at_ns);

	printf(",\"deadlines_missed\":%lu,\"booster_wakeups_per_s\":%.2f,\"bpf_permille\":%.3f",
	       to->missed - from->missed, (double)(to->wakeups - from->wakeups) / wall_ns * 1e9,
	       (double)(to->bpf_ns - from->bpf_ns) / wall_ns * 1000);
	for (int kind = 0; kind < _EXPIRY_MAX; kind++)
		printf(",\"%s_per_s\":%.2f,\"%s_permille\":%.3f", names[kind],
		       (double)(to->timers[kind].count - from->timers[kind].count) / wall_ns * 1e9,
		       names[kind],
		       (double)(to->timers[kind].ns - from->timers[kind].ns) / wall_ns * 1000);
}

static void boosts_print(struct bench *b, uint64_t since_ns)
{
	uint64_t boosts = 0, unboosts = 0, used_ns = 0, wakeups = 0, boosted = 0;
	double wall_ns = (double)(clock_now_ns() - since_ns);
	struct booster_vcpu vcpu;

	for (unsigned int i = 0; i < b->options.victims.n; i++) {
		booster_read(b->stack.booster, i, &vcpu);
		boosts += vcpu.view.boosts_total;
		unboosts += vcpu.view.boosts_total - (vcpu.view.state == POLICY_ARMED ? 1 : 0);
		used_ns += b->stack.accounts.vcpus[i].used_ns;
		wakeups += b->stack.accounts.vcpus[i].wakeups;
		boosted += b->stack.accounts.vcpus[i].wakeups_boosted;
	}
	wakeups = MAX(wakeups, UINT64_C(1));
	printf(",\"boosts\":%lu,\"ends\":%zu,\"calls_per_1000\":%.3f,\"boosted_permille\":%.1f,"
	       "\"wakeups_boosted_permille\":%.1f",
	       boosts, b->keeper.n, 1000.0 * (double)(boosts + unboosts) / (double)wakeups,
	       1000.0 * (double)used_ns / wall_ns / b->options.victims.n,
	       1000.0 * (double)boosted / (double)wakeups);
}

static int save_samples(FILE *file, enum sample_kind kind, const uint64_t *samples, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t pair[] = {kind, samples[i]};

		if (fwrite(pair, sizeof(pair), 1, file) != 1)
			return -errno;
	}
	return 0;
}

static int save(const struct bench *b)
{
	CLEANUP(cleanup_file) FILE *file = fopen(b->options.out, "we");
	const struct victims_results *results = b->victims.results;
	int r = file ? save_samples(file, SAMPLE_OVERSHOOT, b->keeper.overshoot_ns, b->keeper.n)
	             : -errno;

	for (unsigned int i = 0; r == 0 && i < b->options.victims.n; i++)
		r = save_samples(file, SAMPLE_LATENCY, results->latency_ns[i], results->n[i]);
	return r < 0 ? fail(b->options.out, r) : 0;
}

/*
 * Costs count from when the victims are warm; then the booster sleeps, or is woken for nothing.
 * What wakes it runs before the victims: they may be boosted on all CPUs at the same time.
 */
static void *observer_main(void *userdata)
{
	const struct sched_param urgent = {.sched_priority = 3};
	struct bench *b = userdata;

	if (b->keeper.pinged)
		b->observer_error = pthread_setschedparam(pthread_self(), SCHED_FIFO, &urgent);
	usleep((useconds_t)(b->options.victims.warm_ns / NSEC_PER_USEC));
	costs_read(b, &b->from);
	while (b->keeper.pinged && !atomic_load(&b->done)) {
		usleep(PING_US);
		booster_ping(b->stack.booster);
	}
	return NULL;
}

static int live(struct bench *b)
{
	pthread_t thread;
	int r;

	if (pthread_create(&thread, NULL, observer_main, b))
		return fail("a thread", EAGAIN);
	r = victims_run(&b->victims);
	atomic_store(&b->done, true);
	pthread_join(thread, NULL);
	return b->observer_error ? fail("a real-time thread", b->observer_error) : r;
}

static int measure(struct bench *b)
{
	struct costs to;
	uint64_t since_ns;
	int r = boosting_begin(b);

	if (r < 0)
		return r;
	since_ns = clock_now_ns();
	r = live(b);
	if (r < 0)
		return r;
	costs_read(b, &to);
	printf("{\"cpus\":%u,", b->options.victims.n);
	stamp_print(&b->victims.results->begin, &b->victims.results->end);
	costs_print(&b->from, &to);
	boosts_print(b, since_ns);
	puts("}");
	return 0;
}

static void end(struct bench *b)
{
	for (unsigned int i = 0; b->stack.booster && i < b->options.victims.n; i++)
		stack_remove(&b->stack, i, b->victims.results->tids[i]);
	victims_end(&b->victims);
	stack_close(&b->stack);
	expiries_free(b->expiries);
	close_fd(b->stats_fd);
}

static bool parse(int argc, char **argv, struct bench *b)
{
	struct victims_options *victims = &b->options.victims;
	struct cpu_set_bits mine;

	if (argc < 9 || !keeper_parse(argv[1], &b->keeper) || sched_get_cpus(0, &mine) < 0)
		return false;
	victims->duty.run_ns = (uint64_t)atol(argv[2]) * NSEC_PER_USEC;
	victims->duty.period_ns = (uint64_t)atol(argv[3]) * NSEC_PER_USEC;
	victims->warm_ns = (uint64_t)atol(argv[4]) * NSEC_PER_MSEC;
	victims->for_ns = (uint64_t)atol(argv[5]) * NSEC_PER_MSEC;
	b->options.ledger = argv[6];
	b->options.out = argv[7];
	victims->group = argv[8];
	for (int i = 9; i < argc && victims->spinners.n < SPINNERS_MAX; i++)
		victims->spinners.pids[victims->spinners.n++] = atoi(argv[i]);
	CPU_SET_BITS_FOREACH(cpu, &mine)
	if (victims->n < VICTIMS_MAX)
		b->options.cpus[victims->n++] = cpu;
	victims->cpus = b->options.cpus;
	return victims->duty.run_ns && victims->duty.period_ns && victims->for_ns;
}

int main(int argc, char **argv)
{
	static struct bench b = {.stats_fd = -1};
	int r;

	if (!parse(argc, argv, &b)) {
		fputs("usage: bench-deadline timer|none|backstop|check-US|check-run RUN_US "
		      "PERIOD_US "
		      "WARM_MS MS LEDGER FILE PROCS_FILE [SPINNER_PID...]\n",
		      stderr);
		return 2;
	}
	r = victims_start(&b.victims, &b.options.victims);
	if (r == 0)
		r = measure(&b);
	if (r == 0)
		r = save(&b);
	end(&b);
	keeper_close(&b.keeper);
	return r < 0 ? 1 : 0;
}
