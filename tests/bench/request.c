// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One measurement of tests/bench/run request: from an event in the ring buffer to the return of the
 * scheduler call that it asked for. The threads sleep; what varies is who serves the events: a bare
 * FIFO thread with nothing but the call (floor), or the daemon's booster with policy, identity
 * checks and ledger. Between the two the floor has, one after the other, what the booster has:
 * a deadline to its wait, the other system calls, the ledger.
 *
 * A cycle fires a halt of every vCPU at once (each is boosted), and later an empty bucket of every
 * vCPU at once (each is unboosted). Writes triples of 64-bit words: type of the event, its place in
 * the queue, delay in ns.
 */
#include <errno.h>
#include <stdatomic.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "fire.h"
#include "sleepers.h"
#include "stack.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/procfs.h"

#define VCPUS_PER_DOMAIN 4
#define GAP_US           3000 /* between firings: longer than any back-off of the profile below */
#define DEADLINE_US      2000 /* a vCPU that was unboosted is looked at again about then */
#define SERVE_MS         2000 /* and then it is a failure */
#define EPOCH            1    /* of the threads' TIDs, see PVS_EPOCH_OVER: it does not end */

struct sample {
	uint64_t type, place, delay_ns;
};

/* Who serves the events; each of the floor's does what those before it do, and more. */
enum server {
	SERVER_FLOOR,    /* the scheduler call */
	SERVER_DEADLINE, /* waits with a deadline */
	SERVER_CALLS,    /* all system calls of a boost and an unboosting */
	SERVER_LEDGER,   /* the actuator: the record, too */
	SERVER_BOOSTER,
};

static const char *const floors[] = {
        [SERVER_FLOOR] = "floor",
        [SERVER_DEADLINE] = "deadline",
        [SERVER_CALLS] = "calls",
        [SERVER_LEDGER] = "ledger",
};

struct bench {
	unsigned int n_vcpus, cycles;
	struct sleepers sleepers;
	struct fire *fire;
	struct stack stack;
	struct sample *samples;
	atomic_size_t n_samples;
	size_t firing_from; /* samples before this firing */
	enum server server;
	enum booster_wait wait;
	atomic_bool stop;
	pthread_t thread; /* floor's */
	struct sched_thread threads[FIRE_MAX];
	struct sched_state before[FIRE_MAX];
	struct ledger *ledger;
	struct actuator *actuator;
};

static int fail(const char *what, int error)
{
	fprintf(stderr, "bench-request: %s: %s\n", what, strerror(error < 0 ? -error : error));
	return -1;
}

static void sample_add(struct bench *b, const struct pvs_event *event)
{
	uint64_t now_ns = clock_now_ns();
	size_t n = atomic_load_explicit(&b->n_samples, memory_order_relaxed);

	b->samples[n] = (struct sample){event->type, n - b->firing_from, now_ns - event->at_ns};
	atomic_store_explicit(&b->n_samples, n + 1, memory_order_release);
}

/* ---- served by the booster: its own handler, and a stamp when that is back ---- */

struct wrapped {
	struct bench *bench;
	booster_event_fn *fn;
	void *userdata;
};

static void serve_and_stamp(void *userdata, const struct pvs_event *event)
{
	struct wrapped *w = userdata;

	w->fn(w->userdata, event);
	sample_add(w->bench, event);
}

static int drain(void *source, booster_event_fn *fn, void *userdata)
{
	struct wrapped w = {.bench = source, .fn = fn, .userdata = userdata};

	fire_drain(w.bench->fire, serve_and_stamp, &w);
	return 0;
}

/* Accounts of our own: nothing runs, so nothing is charged, and every bucket is full. */
static int accounts_make(struct accounts *accounts)
{
	static struct pvs_bucket_rule cpu_rule = {3 * NSEC_PER_MSEC, 300, 0};

	accounts->vcpus = calloc(PVS_VCPUS_MAX, sizeof(*accounts->vcpus));
	accounts->domains = calloc(PVS_DOMAINS_MAX, sizeof(*accounts->domains));
	accounts->cpus = calloc(PVS_CPUS_MAX, sizeof(*accounts->cpus));
	accounts->cpu_rule = &cpu_rule;
	if (!accounts->vcpus || !accounts->domains || !accounts->cpus)
		return -ENOMEM;
	account_set_sheets(accounts, NSEC_PER_SEC);
	for (unsigned int i = 0; i < FIRE_MAX; i++)
		accounts->domains[i].leader_epoch = EPOCH;
	return 0;
}

static int booster_begin(struct bench *b, const char *ledger)
{
	/* the shortest back-off there is, so that every cycle finds every vCPU ready */
	struct profile profile = {"bench", PROFILE_BOOST, 1000, PROFILE_BURST_NS_MIN};
	struct booster_source source = {fire_fd(b->fire), drain, b};

	if (stack_open(&b->stack, ledger) < 0)
		return -1;
	b->stack.caps.max_changes_per_s = 100000;
	/* all that one CPU has: every request is to be heard */
	b->stack.caps.booster_permille = 1000;
	b->stack.wait = b->wait;
	if (accounts_make(&b->stack.accounts) < 0 || stack_start(&b->stack, &source) < 0)
		return -1;
	for (unsigned int i = 0; i < b->n_vcpus; i++)
		if (stack_add(&b->stack, i, i / VCPUS_PER_DOMAIN, b->sleepers.tids[i], &profile) <
		    0)
			return -1;
	return 0;
}

/* ---- cycles ---- */

/* All leave their CPUs, and their accounts say of it what the tracer would. */
static void whereabouts_set(struct bench *b, uint32_t out)
{
	uint64_t now_ns = clock_now_ns();

	for (unsigned int i = 0; b->stack.accounts.vcpus && i < b->n_vcpus; i++) {
		struct pvs_vcpu_account *vcpu = &b->stack.accounts.vcpus[i];

		vcpu->epoch = EPOCH;
		vcpu->slack_ns = (uint64_t)prctl(PR_GET_TIMERSLACK); /* as inherited from us */
		vcpu->slack_at_ns = vcpu->out_ns = now_ns;
		__atomic_store_n(&vcpu->out, out, __ATOMIC_RELEASE);
	}
}

static int fire_and_wait(struct bench *b, enum pvs_event_type type)
{
	uint64_t until_ns = clock_now_ns() + SERVE_MS * NSEC_PER_MSEC;
	int r;

	b->firing_from = atomic_load(&b->n_samples);
	r = fire_at_once(b->fire, type, 0, b->n_vcpus);
	if (r != 0)
		return fail("events were lost", r < 0 ? r : ENOBUFS);
	while (atomic_load_explicit(&b->n_samples, memory_order_acquire) <
	       b->firing_from + b->n_vcpus) {
		if (clock_now_ns() > until_ns)
			return fail("not all events were served", ETIMEDOUT);
		usleep(200);
	}
	usleep(GAP_US);
	return 0;
}

static int cycles_run(struct bench *b)
{
	for (unsigned int i = 0; i < b->cycles; i++) {
		whereabouts_set(b, PVS_OUT_HALTED);
		if (fire_and_wait(b, PVS_EVENT_HALTED) < 0)
			return -1;
		whereabouts_set(b, PVS_OUT_PREEMPTED);
		if (fire_and_wait(b, PVS_EVENT_EXHAUSTED) < 0)
			return -1;
	}
	return 0;
}

/* ---- floor: nothing but the call, or some of what the booster does besides ---- */

static const struct sched_boost boost = {SCHED_FIFO, STACK_PRIORITY};

static void calls_serve(struct bench *b, unsigned int slot, bool begins)
{
	struct sched_thread *thread = &b->threads[slot];

	if (begins) {
		sched_get_class(thread->tid, &b->before[slot]);
		b->before[slot].slack_ns = b->stack.accounts.vcpus[slot].slack_ns;
		sched_give_boost(thread->tid, &boost);
	} else if (sched_has_boost(thread->tid, &boost) == 1) {
		sched_restore(thread, &b->before[slot]);
	}
}

static void floor_serve(void *userdata, const struct pvs_event *event)
{
	struct bench *b = userdata;
	bool begins = event->type == PVS_EVENT_HALTED;
	struct sched_param param = {begins ? STACK_PRIORITY : 0};

	if (b->server == SERVER_LEDGER && begins)
		actuator_boost(b->actuator, event->slot, clock_now_ns());
	else if (b->server == SERVER_LEDGER)
		actuator_unboost(b->actuator, event->slot, clock_now_ns());
	else if (b->server == SERVER_CALLS)
		calls_serve(b, event->slot, begins);
	else
		sched_setscheduler((pid_t)event->tid, begins ? SCHED_FIFO : SCHED_OTHER, &param);
	sample_add(b, event);
}

static void *floor_main(void *userdata)
{
	struct bench *b = userdata;
	struct epoll_event event = {.events = EPOLLIN};
	struct timespec deadline = {.tv_nsec = DEADLINE_US * (long)NSEC_PER_USEC};
	int epoll_fd = epoll_create1(EPOLL_CLOEXEC);

	prctl(PR_SET_TIMERSLACK, 1UL);
	sched_make_self_fifo(STACK_PRIORITY + 1);
	epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fire_fd(b->fire), &event);
	while (!atomic_load(&b->stop)) {
		if (b->server == SERVER_FLOOR)
			epoll_wait(epoll_fd, &event, 1, 100);
		else
			epoll_pwait2(epoll_fd, &event, 1, &deadline, NULL);
		fire_drain(b->fire, floor_serve, b);
	}
	close(epoll_fd);
	return NULL;
}

/* What the server needs of every thread. */
static int floor_begin(struct bench *b, const char *ledger)
{
	int r = 0;

	if (accounts_make(&b->stack.accounts) < 0)
		return fail("accounts", ENOMEM);
	if (b->server == SERVER_LEDGER) {
		if (ledger_open(ledger, &b->ledger) < 0)
			return fail(ledger, errno);
		b->actuator = actuator_new(b->ledger, &b->stack.accounts, b->n_vcpus, &boost);
	}
	for (unsigned int i = 0; r == 0 && i < b->n_vcpus; i++) {
		struct thread_id id = {.tid = b->sleepers.tids[i]};

		r = procfs_start_ticks(0, id.tid, &id.start_ticks);
		b->threads[i] = SCHED_THREAD_NULL;
		if (r == 0)
			r = b->actuator ? actuator_open(b->actuator, i, &id)
			                : sched_open(id.tid, &b->threads[i]);
	}
	return r ? fail("a thread cannot be taken on", r) : 0;
}

static void floor_end(struct bench *b, const char *ledger)
{
	if (!b->actuator)
		return;
	actuator_free(b->actuator);
	ledger_close(b->ledger);
	unlink(ledger);
}

static int floor_measure(struct bench *b, const char *ledger)
{
	int r = floor_begin(b, ledger);

	if (r == 0 && pthread_create(&b->thread, NULL, floor_main, b))
		r = fail("a thread", EAGAIN);
	if (r == 0) {
		r = cycles_run(b);
		atomic_store(&b->stop, true);
		pthread_join(b->thread, NULL);
	}
	floor_end(b, ledger);
	return r;
}

/* ---- one measurement ---- */

/* Every event must have been a scheduler call, or the figures are of something else. */
static int boosts_check(struct bench *b)
{
	struct booster_vcpu vcpu;

	for (unsigned int i = 0; i < b->n_vcpus; i++) {
		booster_read(b->stack.booster, i, &vcpu);
		if (vcpu.view.boosts_total >= b->cycles)
			continue;
		fprintf(stderr, "bench-request: vCPU %u was boosted %lu times of %u: %s\n", i,
		        vcpu.view.boosts_total, b->cycles, policy_reason_name(vcpu.view.reason));
		return -1;
	}
	return 0;
}

static int measure(struct bench *b, const char *ledger)
{
	int r;

	if (b->server != SERVER_BOOSTER)
		return floor_measure(b, ledger);
	r = booster_begin(b, ledger);
	if (r == 0)
		r = cycles_run(b);
	if (r == 0)
		r = boosts_check(b);
	if (b->stack.booster)
		for (unsigned int i = 0; i < b->n_vcpus; i++)
			stack_remove(&b->stack, i, b->sleepers.tids[i]);
	stack_close(&b->stack);
	return r;
}

static int save(const struct bench *b, const char *path)
{
	CLEANUP(cleanup_file) FILE *file = fopen(path, "we");
	size_t n = b->n_samples;

	if (!file || fwrite(b->samples, sizeof(*b->samples), n, file) != n)
		return fail(path, errno);
	return 0;
}

static bool parse_server(const char *word, struct bench *b)
{
	for (size_t i = 0; i < ARRAY_SIZE(floors); i++)
		if (strcmp(word, floors[i]) == 0) {
			b->server = (enum server)i;
			return true;
		}
	b->server = SERVER_BOOSTER;
	return stack_wait_by_name(word, &b->wait);
}

int main(int argc, char **argv)
{
	static struct bench b;
	size_t n;
	int r;

	if (argc != 6 || !parse_server(argv[1], &b) || atoi(argv[2]) < 1 ||
	    atoi(argv[2]) > FIRE_MAX || atoi(argv[3]) < 1) {
		fputs("usage: bench-request floor|deadline|calls|ledger|epoll|io_uring VCPUS "
		      "CYCLES LEDGER FILE\n",
		      stderr);
		return 2;
	}
	b.n_vcpus = (unsigned int)atoi(argv[2]);
	b.cycles = (unsigned int)atoi(argv[3]);
	n = (size_t)b.n_vcpus * b.cycles * 2;
	b.samples = calloc(n, sizeof(*b.samples));
	b.fire = fire_new();
	if (!b.samples || !b.fire)
		return 1;
	memset(b.samples, 0xff, n * sizeof(*b.samples)); /* no fault later */
	r = sleepers_start(&b.sleepers, b.n_vcpus);
	if (r < 0)
		return fail("threads", r) ? 1 : 0;
	for (unsigned int i = 0; i < b.n_vcpus; i++)
		fire_set_tid(b.fire, i, b.sleepers.tids[i]);
	mlockall(MCL_CURRENT | MCL_FUTURE);
	r = measure(&b, argv[4]);
	if (r == 0)
		r = save(&b, argv[5]);
	sleepers_stop(&b.sleepers);
	fire_free(b.fire);
	return r < 0 ? 1 : 0;
}
