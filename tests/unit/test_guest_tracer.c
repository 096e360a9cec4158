// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the guest's tracer writes into the pages, in a running kernel, of threads whose class is
 * known; skipped where it cannot be loaded. The test looks from one CPU at another one.
 */
#include "agent/guest_tracer.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/cpus.h"
#include "util/clock.h"

#include "test.h"

#define ALL   (GUEST_SOURCES_OF_TASKS | GUEST_SOURCES_OF_INTERRUPTS)
#define LOOKS 5 /* seconds until something must have been seen */

static struct guest_tracer *tracer;
static unsigned int here, there; /* CPUs */

/* Returns false if the test is to be skipped; it has said so. */
static bool setup(uint32_t sources)
{
	char why[512];
	int n = cpus_possible(&CPU_PLACES);

	CHECK(n > 0);
	if (guest_tracer_new(&tracer, (uint32_t)n, sources, why, sizeof(why)) < 0) {
		printf("skipped: %s\n", why);
		return false;
	}
	if (n < 2 || sysconf(_SC_NPROCESSORS_ONLN) < 2) {
		puts("skipped: there is one CPU");
		tracer = guest_tracer_free(tracer);
		return false;
	}
	here = 0;
	there = 1;
	return true;
}

static void pin(unsigned int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	CHECK_INT(sched_setaffinity(0, sizeof(set), &set), 0);
}

static uint64_t word(void)
{
	return PVS_LOAD(guest_tracer_pages(tracer)[there].task_intent);
}

static uint64_t pulse(void)
{
	return PVS_LOAD(guest_tracer_pages(tracer)[there].pulse);
}

/* A process that spins on the other CPU, until it is killed. */
static pid_t spin(int policy, int priority, int nice_value)
{
	struct sched_param param = {.sched_priority = priority};
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (pid)
		return pid;
	alarm(2 * LOOKS); /* the test may die */
	pin(there);
	if (setpriority(PRIO_PROCESS, 0, nice_value) < 0 ||
	    sched_setscheduler(0, policy, &param) < 0)
		_exit(1);
	for (;;)
		;
}

static void end(pid_t pid)
{
	CHECK_INT(kill(pid, SIGKILL), 0);
	CHECK_INT(waitpid(pid, NULL, 0), pid);
}

/* Looks until @seen, for which the CPU has some seconds. */
#define LOOK_UNTIL(seen)                                                                           \
	do {                                                                                       \
		uint64_t until_ns_ = clock_now_ns() + LOOKS * NSEC_PER_SEC;                        \
		while (!(seen) && clock_now_ns() < until_ns_)                                      \
			;                                                                          \
		CHECK(seen);                                                                       \
	} while (0)

static void check_seen(int policy, int priority, int nice_value, uint64_t tuple)
{
	pid_t pid = spin(policy, priority, nice_value);
	bool seen = false;

	/* others may run there, too, but not for ever */
	LOOK_UNTIL((seen = seen || (word() & 0xffffff) == tuple));
	end(pid);
}

static void test_classes(void)
{
	if (!setup(GUEST_SOURCES_OF_TASKS))
		TEST_SKIP("see above");
	pin(here);
	CHECK_U64(word(), 0);
	CHECK_INT(guest_tracer_attach(tracer), 0);
	CHECK(guest_tracer_is_attached(tracer));
	check_seen(SCHED_OTHER, 0, 7, pvsched_tuple(PVSCHED_POLICY_NORMAL, 7, 0));
	check_seen(SCHED_BATCH, 0, -3, pvsched_tuple(PVSCHED_POLICY_BATCH, -3, 0));
	check_seen(SCHED_FIFO, 7, 0, pvsched_tuple(PVSCHED_POLICY_FIFO, 0, 7));
	check_seen(SCHED_RR, 3, 0, pvsched_tuple(PVSCHED_POLICY_RR, 0, 3));
	check_seen(SCHED_IDLE, 0, 0, pvsched_tuple(PVSCHED_POLICY_IDLE, 0, 0));
	CHECK(guest_tracer_hints(tracer) > 0);
	guest_tracer_detach(tracer);
	CHECK_U64(word(), 0);
	tracer = guest_tracer_free(tracer);
}

/* Each word that is there at any moment has a meaning. */
static void test_valid(void)
{
	uint64_t until_ns = clock_now_ns() + NSEC_PER_SEC / 4, seen_urgent = 0;
	pid_t pid;

	if (!setup(ALL))
		TEST_SKIP("see above");
	pin(here);
	CHECK_INT(guest_tracer_attach(tracer), 0);
	pid = spin(SCHED_FIFO, 1, 0);
	LOOK_UNTIL((word() & 0xffffff) == pvsched_tuple(PVSCHED_POLICY_FIFO, 0, 1));
	while (clock_now_ns() < until_ns) {
		const struct pvsched_page *page = &guest_tracer_pages(tracer)[there];
		uint64_t sections = PVS_LOAD(page->cs_state);
		enum pvsched_urgency says = pvsched_intent_urgency(word(), sections);

		CHECK(says != PVSCHED_URGENCY_INVALID);
		seen_urgent += says == PVSCHED_URGENCY_URGENT;
	}
	end(pid);
	tracer = guest_tracer_free(tracer);
}

static void test_sections(void)
{
	const struct pvsched_page *page;
	uint64_t sections = 0;

	if (!setup(ALL))
		TEST_SKIP("see above");
	pin(here);
	page = &guest_tracer_pages(tracer)[there];
	CHECK(guest_tracer_unavailable(tracer) & PVSCHED_CS_NMI);
	CHECK(guest_tracer_unavailable(tracer) & PVSCHED_CS_PREEMPT);
	CHECK_INT(guest_tracer_attach(tracer), 0);
	LOOK_UNTIL((sections |= PVS_LOAD(page->cs_state)) & PVSCHED_CS_HARDIRQ);
	LOOK_UNTIL((sections |= PVS_LOAD(page->cs_state)) & PVSCHED_CS_SOFTIRQ);
	CHECK(!(sections & ~(PVSCHED_CS_HARDIRQ | PVSCHED_CS_SOFTIRQ)));
	tracer = guest_tracer_free(tracer);
}

/* Waits for the next pulse. True: no switch gave it, since to switch away and back gives two. */
static bool ticked(uint64_t tuple)
{
	uint64_t first = pulse();
	bool ran = word() == tuple && pulse() == first;

	LOOK_UNTIL(pulse() != first);
	return ran && pulse() == first + 1 && word() == tuple;
}

/* A task that goes on: its word stays, and the pulse tells that the tracer lives. */
static void test_pulse(void)
{
	uint64_t tuple = pvsched_tuple(PVSCHED_POLICY_FIFO, 0, 2);
	pid_t pid;

	if (!setup(GUEST_SOURCES_OF_TASKS))
		TEST_SKIP("see above");
	if (!(guest_tracer_sources(tracer) & (1U << GUEST_SOURCE_RENEWAL))) {
		tracer = guest_tracer_free(tracer);
		TEST_SKIP("this kernel does not trace the timer's interrupt");
	}
	pin(here);
	CHECK_INT(guest_tracer_attach(tracer), 0);
	pid = spin(SCHED_FIFO, 2, 0);
	LOOK_UNTIL((word() & 0xffffff) == tuple);
	for (unsigned int ticks = 0; ticks < 3;)
		ticks += ticked(tuple);
	CHECK(guest_tracer_hints(tracer) >= pulse());
	end(pid);
	tracer = guest_tracer_free(tracer);
}

/* Without sources nothing is said, and the pages are there for requests. */
static void test_no_sources(void)
{
	if (!setup(0))
		TEST_SKIP("see above");
	CHECK_INT(guest_tracer_attach(tracer), 0);
	CHECK_INT(guest_tracer_sources(tracer), 0);
	CHECK_U64(guest_tracer_unavailable(tracer), PVSCHED_CS_ALL);
	CHECK_U64(word(), PVS_INTENT_UNSEEN);
	CHECK_U64(guest_tracer_hints(tracer), 0);
	tracer = guest_tracer_free(tracer);
}

/* The kernel's own addresses: pages of RAM, each another one, which stay the same. */
static void test_addresses(void)
{
	struct guest_cpu cpus[PVSCHED_CHANNEL_CPUS_MAX] = {0},
	                 again[PVSCHED_CHANNEL_CPUS_MAX] = {0};
	uint32_t n;
	int r;

	if (!setup(0))
		TEST_SKIP("see above");
	n = guest_tracer_n_pages(tracer);
	CHECK_INT(cpus_read(&CPU_PLACES, cpus, n), 0);
	CHECK(cpus[0].online || cpus[1].online);
	r = cpus_addresses(guest_tracer_pages(tracer), cpus, n);
	if (r == -EPERM) {
		tracer = guest_tracer_free(tracer);
		TEST_SKIP("the kernel does not tell addresses");
	}
	CHECK_INT(r, 0);
	CHECK_INT(guest_tracer_attach(tracer), 0);
	CHECK_INT(cpus_addresses(guest_tracer_pages(tracer), again, n), 0);
	for (uint32_t i = 0; i < n; i++) {
		CHECK(cpus[i].address && cpus[i].address % PVSCHED_PAGE_SIZE == 0);
		CHECK_U64(again[i].address, cpus[i].address);
		for (uint32_t k = 0; k < i; k++)
			CHECK(cpus[k].address != cpus[i].address);
	}
	tracer = guest_tracer_free(tracer);
}

TEST_MAIN(TEST(test_classes), TEST(test_valid), TEST(test_sections), TEST(test_pulse),
          TEST(test_no_sources), TEST(test_addresses))
