// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the booster does with events that concern more than one vCPU: a helper that waits, and a CPU
 * whose bucket is empty. The threads are real, and sleep; what the tracer would know of them is
 * made up.
 */
#include "boost/booster.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "boost/ledger.h"
#include "core/helper.h"
#include "core/moved.h"
#include "policy/help.h"
#include "util/clock.h"
#include "util/procfs.h"

#include "test.h"

#define N 5

static char path[64]; /* of the ledger: each program has its own */
static struct pvs_vcpu_account vcpus[PVS_VCPUS_MAX];
static struct pvs_domain_account domains[PVS_DOMAINS_MAX];
static struct pvs_cpu_account cpus[PVS_CPUS_MAX];
static struct pvs_helper_account helpers[PVS_HELPERS_MAX];
static struct pvs_moved moved;
static uint64_t events_lost;
static struct pvs_bucket_rule cpu_rule = {.burst_ns = 3 * NSEC_PER_MSEC, .share_permille = 300};
static const struct accounts accounts = {
        .vcpus = vcpus,
        .domains = domains,
        .cpus = cpus,
        .cpu_rule = &cpu_rule,
        .helpers = helpers,
        .moved = &moved,
        .events_lost = &events_lost,
};

struct scene {
	struct ledger *ledger;
	struct board *board;
	struct booster *booster;
	int fd; /* tells that there is an event */
	struct pvs_event event;
	pid_t pids[N];
};

static int drain(void *source, booster_event_fn *fn, void *userdata)
{
	struct scene *scene = source;
	eventfd_t value;

	if (eventfd_read(scene->fd, &value) == 0)
		fn(userdata, &scene->event);
	return 0;
}

static pid_t sleeper(void)
{
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	return pid;
}

static void add(struct scene *scene, unsigned int slot, unsigned int domain, uint32_t cpu,
                const struct profile *profile)
{
	struct thread_id id = {.tid = sleeper()};
	struct account_terms terms = {
	        .tid = id.tid,
	        .domain = domain,
	        .priority = 1,
	        .profile = *profile,
	};

	scene->pids[slot] = id.tid;
	CHECK_INT(procfs_start_ticks(0, id.tid, &id.start_ticks), 0);
	CHECK_INT(booster_add(scene->booster, slot, &id, &terms, 0), 0);
	__atomic_store_n(&vcpus[slot].cpu, cpu, __ATOMIC_RELEASE);
}

/* Halted on @cpu, and boosted since. */
static void boost(struct scene *scene, unsigned int slot, unsigned int domain, uint32_t cpu)
{
	static const struct profile latency = PROFILE_LATENCY_INIT;

	add(scene, slot, domain, cpu, &latency);
	__atomic_store_n(&vcpus[slot].out, PVS_OUT_HALTED, __ATOMIC_RELEASE);
	CHECK_INT(booster_rescan(scene->booster, slot), 0);
}

static bool is_boosted(const struct scene *scene, unsigned int slot)
{
	return (sched_getscheduler(scene->pids[slot]) & ~SCHED_RESET_ON_FORK) == SCHED_FIFO;
}

static enum policy_reason reason(struct scene *scene, unsigned int slot)
{
	struct booster_vcpu vcpu;

	CHECK_INT(booster_read(scene->booster, slot, &vcpu), 0);
	return vcpu.view.reason;
}

static void end(struct scene *scene)
{
	CHECK(!booster_stop(scene->booster));
	board_free(scene->board);
	ledger_close(scene->ledger);
	unlink(path);
	close(scene->fd);
	for (unsigned int i = 0; i < N; i++) {
		if (!scene->pids[i])
			continue;
		kill(scene->pids[i], SIGKILL);
		waitpid(scene->pids[i], NULL, 0);
	}
}

/* False: no real-time priority here. */
static bool begin(struct scene *scene)
{
	struct booster_options options = {
	        .accounts = &accounts,
	        .source = {.drain = drain, .source = scene},
	        .boost = {SCHED_FIFO, 1},
	        .caps = HOST_CAPS_INIT,
	        .wait = BOOSTER_WAIT_EPOLL,
	};

	*scene = (struct scene){.fd = eventfd(0, EFD_NONBLOCK)};
	CHECK(scene->fd >= 0);
	for (unsigned int i = 0; i < PVS_DOMAINS_MAX; i++)
		domains[i] = (struct pvs_domain_account){.rule = {2 * NSEC_PER_MSEC, 500, 0}};
	memset(helpers, 0, sizeof(helpers));
	memset(&moved, 0, sizeof(moved));
	snprintf(path, sizeof(path), "/tmp/pvsched-events-ledger-%d", getpid());
	unlink(path);
	CHECK_INT(ledger_open(path, &scene->ledger), 0);
	options.ledger = scene->ledger;
	options.source.fd = scene->fd;
	CHECK_INT(board_new(&scene->board), 0);
	options.board = scene->board;
	if (booster_start(&scene->booster, &options) == 0)
		return true;
	end(scene);
	return false;
}

/* Returns when the booster has handled it: it drains before it answers. */
static void send(struct scene *scene, unsigned int slot, uint32_t type, uint32_t arg)
{
	scene->event = (struct pvs_event){.at_ns = clock_now_ns(),
	                                  .type = type,
	                                  .slot = slot,
	                                  .tid = vcpus[slot].tid,
	                                  .arg = arg};
	CHECK_INT(eventfd_write(scene->fd, 1), 0);
	CHECK_INT(booster_ping(scene->booster), 0);
}

/* A helper of @domain waits on @cpu, and the tracer has told it. */
static void helper_waits(unsigned int domain, uint32_t cpu)
{
	uint64_t since_ns = clock_now_ns();

	helpers[domain * PVS_HELPERS_OF_DOMAIN] = (struct pvs_helper_account){
	        .tid = 1,
	        .cpu = cpu,
	        .since_ns = since_ns,
	        .told = pvs_helper_wait_name(since_ns),
	};
	__atomic_store_n(&domains[domain].helpers_waiting, 1, __ATOMIC_RELEASE);
}

/* By one event, all boosted vCPUs of its domain on that CPU make room, and no others. */
static void test_one_event_makes_room(void)
{
	struct scene scene;

	if (!begin(&scene))
		TEST_SKIP("no real-time priority here");
	boost(&scene, 0, 3, 1);
	boost(&scene, 1, 3, 1);
	boost(&scene, 2, 3, 1);
	boost(&scene, 3, 3, 0); /* on another CPU */
	boost(&scene, 4, 4, 1); /* of another domain */
	for (unsigned int slot = 0; slot < N; slot++)
		CHECK(is_boosted(&scene, slot));
	helper_waits(3, 1);
	send(&scene, 1, PVS_EVENT_HELPER, 0);
	for (unsigned int slot = 0; slot < 3; slot++) {
		CHECK(!is_boosted(&scene, slot));
		CHECK_INT(reason(&scene, slot), POLICY_REASON_HELPER);
	}
	CHECK(is_boosted(&scene, 3));
	CHECK(is_boosted(&scene, 4));
	/* one that comes later is found without another event */
	__atomic_store_n(&vcpus[3].cpu, 1, __ATOMIC_RELEASE);
	while (is_boosted(&scene, 3))
		usleep(100);
	CHECK_INT(reason(&scene, 3), POLICY_REASON_HELPER);
	CHECK(is_boosted(&scene, 4));
	end(&scene);
}

/* The helper runs already: none makes room for it. */
static void test_late_event(void)
{
	struct scene scene;

	if (!begin(&scene))
		TEST_SKIP("no real-time priority here");
	boost(&scene, 0, 3, 1);
	boost(&scene, 1, 3, 1);
	helper_waits(3, 1);
	helpers[3 * PVS_HELPERS_OF_DOMAIN].since_ns = 0;
	send(&scene, 0, PVS_EVENT_HELPER, 0);
	CHECK(is_boosted(&scene, 0));
	CHECK(is_boosted(&scene, 1));
	end(&scene);
}

/* The debtor of a CPU may have come there after it was boosted, or have left. */
static void test_debtor_that_has_moved(void)
{
	struct scene scene;

	if (!begin(&scene))
		TEST_SKIP("no real-time priority here");
	boost(&scene, 0, 3, 1);
	boost(&scene, 1, 3, 1);
	boost(&scene, 2, 4, 0);
	boost(&scene, 3, 4, 0);
	/* not repaid before the test is over */
	for (unsigned int slot = 0; slot < 4; slot++)
		vcpus[slot].repaid_at_ns = clock_now_ns() + (100 + slot) * NSEC_PER_SEC;
	vcpus[1].repaid_at_ns += 50 * NSEC_PER_SEC; /* it owes most, and leaves */
	__atomic_store_n(&vcpus[1].cpu, 0, __ATOMIC_RELEASE);
	pvs_moved_set(&moved, 1);
	__atomic_store_n(&vcpus[2].cpu, 1, __ATOMIC_RELEASE);
	pvs_moved_set(&moved, 2);
	send(&scene, 0, PVS_EVENT_EXHAUSTED, PVS_BUCKET_CPU);
	CHECK(!is_boosted(&scene, 0));
	CHECK(!is_boosted(&scene, 2));
	CHECK_INT(reason(&scene, 2), POLICY_REASON_CPU_CAP);
	CHECK(is_boosted(&scene, 1));
	CHECK(is_boosted(&scene, 3));
	end(&scene);
}

static unsigned int notes_of(struct scene *scene, enum booster_note_type type)
{
	struct booster_note note;
	unsigned int n = 0;

	CHECK_INT(booster_ping(scene->booster), 0);
	CHECK_INT(booster_ping(scene->booster), 0); /* the turn of the first one is over */
	while (booster_next_note(scene->booster, &note))
		n += note.type == type;
	return n;
}

static unsigned int notes_of_losses(struct scene *scene)
{
	return notes_of(scene, BOOSTER_NOTE_LOST);
}

/* The first boost that ends early is noted, if that is wanted; the next one only if it is again. */
static void test_denied_is_noted_once(void)
{
	struct scene scene;

	if (!begin(&scene))
		TEST_SKIP("no real-time priority here");
	boost(&scene, 0, 3, 1);
	boost(&scene, 1, 3, 1);
	boost(&scene, 2, 3, 1);
	CHECK_U64(notes_of(&scene, BOOSTER_NOTE_DENIED), 0);
	send(&scene, 0, PVS_EVENT_EXHAUSTED, PVS_BUCKET_VCPU);
	CHECK_U64(notes_of(&scene, BOOSTER_NOTE_DENIED), 0);
	CHECK_INT(booster_note_denied(scene.booster), 0);
	send(&scene, 1, PVS_EVENT_EXHAUSTED, PVS_BUCKET_VCPU);
	CHECK_U64(notes_of(&scene, BOOSTER_NOTE_DENIED), 1);
	send(&scene, 2, PVS_EVENT_EXHAUSTED, PVS_BUCKET_VCPU);
	CHECK_U64(notes_of(&scene, BOOSTER_NOTE_DENIED), 0);
	end(&scene);
}

/* The main thread is told once a second, however much is lost. */
static void test_lost_events(void)
{
	struct scene scene;

	if (!begin(&scene))
		TEST_SKIP("no real-time priority here");
	CHECK_U64(notes_of_losses(&scene), 0);
	__atomic_store_n(&events_lost, 5, __ATOMIC_RELAXED);
	CHECK_U64(notes_of_losses(&scene), 1);
	__atomic_store_n(&events_lost, 6, __ATOMIC_RELAXED);
	CHECK_U64(notes_of_losses(&scene), 0);
	while (notes_of_losses(&scene) == 0) /* within a second */
		usleep(100000);
	CHECK_U64(notes_of_losses(&scene), 0);
	end(&scene);
}

/* ---- vCPUs that wait for each other ---- */

static struct policy_view view(struct scene *scene, unsigned int slot)
{
	struct booster_vcpu vcpu;

	CHECK_INT(booster_read(scene->booster, slot, &vcpu), 0);
	return vcpu.view;
}

/* It was preempted on @cpu, for so long. */
static void preempted(struct scene *scene, unsigned int slot, unsigned int domain, uint32_t cpu,
                      uint64_t ago_ns)
{
	static const struct profile throughput = PROFILE_THROUGHPUT_INIT;

	add(scene, slot, domain, cpu, &throughput);
	account_set_sheets(&accounts, 670 * NSEC_PER_MSEC);
	vcpus[slot].out_ns = clock_now_ns() - ago_ns;
	__atomic_store_n(&vcpus[slot].out, PVS_OUT_PREEMPTED, __ATOMIC_RELEASE);
}

static void make_waiting(struct scene *scene)
{
	preempted(scene, 0, 3, 0, 0);
	preempted(scene, 1, 3, 1, 5 * NSEC_PER_MSEC);
	preempted(scene, 2, 3, 1, 9 * NSEC_PER_MSEC);
	preempted(scene, 3, 4, 1, 50 * NSEC_PER_MSEC); /* of another domain */
	/* the first one runs, and waits for another one */
	__atomic_store_n(&vcpus[0].in_ns, clock_now_ns(), __ATOMIC_RELEASE);
}

static uint64_t pulses(struct scene *scene)
{
	uint64_t n = 0;

	for (unsigned int slot = 0; slot < 4; slot++)
		n += view(scene, slot).pulses_total;
	return n;
}

/* It is boosted, the waiter pays, and the boost ends though no event tells of that. */
static void test_awaited_is_boosted(void)
{
	struct scene scene;

	if (!begin(&scene))
		TEST_SKIP("no real-time priority here");
	make_waiting(&scene);
	send(&scene, 0, PVS_EVENT_WAITS, pvs_waits_arg(PVS_WAITS_NAMED, 1));
	CHECK_U64(view(&scene, 1).pulses_total, 1);
	CHECK_U64(pulses(&scene), 1);
	CHECK_U64(view(&scene, 0).helps_total[HELP_NAMED], 1);
	CHECK_U64(view(&scene, 0).no_pulse_total, 0);
	CHECK_U64(vcpus[1].payer, 1);
	CHECK_U64(vcpus[1].pulse_end_ns, 100 * NSEC_PER_USEC);
	while (is_boosted(&scene, 1))
		usleep(100);
	CHECK_INT(reason(&scene, 1), POLICY_REASON_NOT_AWAITED);
	/* nothing more is known: the one that waits longest, of its own domain */
	__atomic_store_n(&vcpus[1].in_ns, clock_now_ns(), __ATOMIC_RELEASE);
	send(&scene, 0, PVS_EVENT_WAITS, pvs_waits_arg(PVS_WAITS_SPINS, 0));
	CHECK_U64(view(&scene, 2).pulses_total, 1);
	CHECK_U64(view(&scene, 0).helps_total[HELP_RELAXED], 1);
	CHECK_U64(view(&scene, 0).holds_total, 1);
	end(&scene);
}

/* A slot of another domain, one beyond the table, itself, and one that merely sent. */
static void test_nothing_to_help(void)
{
	struct scene scene;

	if (!begin(&scene))
		TEST_SKIP("no real-time priority here");
	make_waiting(&scene);
	send(&scene, 0, PVS_EVENT_WAITS, pvs_waits_arg(PVS_WAITS_SENT, 3));
	send(&scene, 0, PVS_EVENT_WAITS, pvs_waits_arg(PVS_WAITS_SENT, 0xffff));
	send(&scene, 0, PVS_EVENT_WAITS, pvs_waits_arg(PVS_WAITS_SENT, 0));
	send(&scene, 0, PVS_EVENT_WAITS, pvs_waits_arg(PVS_WAITS_SENT, 1)); /* not any more */
	CHECK_U64(pulses(&scene), 0);
	CHECK_U64(view(&scene, 0).helps_total[HELP_NONE], 4);
	CHECK(vcpus[0].waits_from_ns > clock_now_ns() - NSEC_PER_SEC); /* in vain: not so soon */
	/* what has no tokens, and whose domain has none, helps none */
	vcpus[0].repaid_at_ns = domains[3].repaid_at_ns = clock_now_ns() + 100 * NSEC_PER_SEC;
	send(&scene, 0, PVS_EVENT_WAITS, pvs_waits_arg(PVS_WAITS_NAMED, 1));
	CHECK_U64(pulses(&scene), 0);
	CHECK_U64(view(&scene, 0).no_pulse_total, 1);
	end(&scene);
}

/* A boosted vCPU that spins is unboosted before the one that it waits for is boosted. */
static void test_waiter_is_unboosted_first(void)
{
	struct profile helps = PROFILE_LATENCY_INIT;
	struct account_terms terms = {.domain = 3, .priority = 1};
	struct scene scene;

	if (!begin(&scene))
		TEST_SKIP("no real-time priority here");
	boost(&scene, 0, 3, 0);
	preempted(&scene, 1, 3, 0, NSEC_PER_MSEC);
	helps.help = PROFILE_HELP_ALL;
	terms.tid = scene.pids[0];
	terms.profile = helps;
	CHECK_INT(booster_set_terms(scene.booster, 0, &terms), 0);
	CHECK(is_boosted(&scene, 0));
	send(&scene, 0, PVS_EVENT_SPIN, 0);
	CHECK(!is_boosted(&scene, 0));
	CHECK_U64(view(&scene, 0).spins_total, 1);
	CHECK_U64(view(&scene, 1).pulses_total, 1);
	end(&scene);
}

TEST_MAIN(TEST(test_one_event_makes_room), TEST(test_late_event), TEST(test_debtor_that_has_moved),
          TEST(test_lost_events), TEST(test_denied_is_noted_once), TEST(test_awaited_is_boosted),
          TEST(test_nothing_to_help), TEST(test_waiter_is_unboosted_first))
