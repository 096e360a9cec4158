// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The machine that turns the words of a guest into one urgency. Needs only src/core/ and the page.
 */
#include "core/request.h"

#include "test.h"

#define US  1000ULL
#define T0  (5 * 1000000000ULL)
#define GEN 77ULL

#define LEASE PVSCHED_REQUEST_LEASE_NS

static const __u64 fifo = 1ULL | 50 << 16, normal = 0, nonsense = 4ULL;

static struct pvs_request r;
static struct pvs_request_look look;

static void start(void)
{
	r = (struct pvs_request){};
	look = (struct pvs_request_look){.generation = GEN, .generation_echo = GEN};
}

/* The vCPU has run all the time. */
static enum pvsched_urgency at(__u64 now_ns)
{
	look.now_ns = look.run_ns = now_ns;
	pvs_request_look(&r, &look);
	return (enum pvsched_urgency)r.urgency;
}

/* The first look stamps both voices, whatever they say, a word of 0 included. */
static void test_the_first_look_stamps(void)
{
	start();
	CHECK_INT(at(T0), PVSCHED_URGENCY_NONE);
	CHECK_U64(r.changed_ns, T0);
	CHECK_U64(r.request_ns, T0);
	CHECK_U64(r.urgency_ns, T0);
	CHECK_U64(r.lived_ns, T0);
	CHECK_INT(at(T0 + 10), PVSCHED_URGENCY_NONE);
	CHECK_U64(r.changed_ns, T0);
	CHECK_U64(r.read_ns, T0 + 10);
}

/* A first word that says when it will be urgent was written before that look, but not long ago. */
static void test_a_first_expectation(void)
{
	start();
	look.request = pvsched_request(normal, 9);
	look.expect = pvsched_expect(700, 9);
	look.ran_since_ns = T0 - 50 * US;
	CHECK_INT(at(T0), PVSCHED_URGENCY_ORDINARY);
	CHECK_U64(r.request_ns, T0 - 50 * US);
	CHECK_U64(r.expected_ns, T0 + 650 * US);
	/* nobody saw the vCPU run: the word counts as written now, and has not lapsed */
	start();
	look.request = pvsched_request(normal, 9);
	look.expect = pvsched_expect(700, 9);
	CHECK_INT(at(T0), PVSCHED_URGENCY_ORDINARY);
	CHECK_U64(r.expected_ns, T0 + 700 * US);
}

/* Each voice lapses by its own time; the application's by the guest's clock, where it gives one. */
static void test_each_voice_lapses_by_its_own_time(void)
{
	start();
	look.agent = 1;
	look.request = pvsched_request(fifo, 1);
	look.task_intent = normal;
	CHECK_INT(at(T0), PVSCHED_URGENCY_URGENT);
	look.cs_state = PVSCHED_CS_SOFTIRQ; /* a sign of life */
	at(T0 + LEASE / 2);
	look.cs_state = 0;
	CHECK_INT(at(T0 + LEASE), PVSCHED_URGENCY_URGENT);
	CHECK_INT(at(T0 + LEASE + 1), PVSCHED_URGENCY_ORDINARY);
	CHECK_INT(pvs_request_urgency(&r, T0 + 2 * LEASE, T0 + 2 * LEASE),
	          PVSCHED_URGENCY_ORDINARY);
	CHECK_INT(pvs_request_urgency(&r, T0 + 2 * LEASE + 1, T0 + 2 * LEASE + 1),
	          PVSCHED_URGENCY_NONE);
}

/* At @now_ns, after @run_ns of the vCPU's own time. */
static enum pvsched_urgency after(__u64 now_ns, __u64 run_ns)
{
	look.now_ns = now_ns;
	look.run_ns = run_ns;
	pvs_request_look(&r, &look);
	return (enum pvsched_urgency)r.urgency;
}

/* A vCPU that sleeps, or waits for a host CPU, cannot change its words: they hold. */
static void test_words_hold_while_it_does_not_run(void)
{
	const __u64 idle = PVSCHED_POLICY_IDLE | (__u64)PVSCHED_INTENT_IDLE << 48;

	start();
	look.agent = 1;
	look.task_intent = idle;
	CHECK_INT(after(T0, 7 * US), PVSCHED_URGENCY_ORDINARY);
	CHECK_INT(pvs_request_urgency(&r, T0 + 3600 * LEASE, 7 * US), PVSCHED_URGENCY_ORDINARY);
	/* it wakes at times, for less than a second together, and says the same each time */
	for (__u64 i = 1; i <= 1000; i++)
		CHECK_INT(after(T0 + i * LEASE, 7 * US + i * LEASE / 1000),
		          PVSCHED_URGENCY_ORDINARY);
	CHECK_INT(after(T0 + 1001 * LEASE, 8 * US + LEASE), PVSCHED_URGENCY_NONE);
	/* urgent, and preempted for long: the priority holds, too */
	look.task_intent = fifo;
	CHECK_INT(after(T0 + 1002 * LEASE, 9 * US + LEASE), PVSCHED_URGENCY_URGENT);
	CHECK_INT(pvs_request_urgency(&r, T0 + 1060 * LEASE, 9 * US + LEASE),
	          PVSCHED_URGENCY_URGENT);
	CHECK_INT(pvs_request_priority(&r, T0 + 1060 * LEASE, 9 * US + LEASE), 50);
	/* an application's request is renewed by a program, on any CPU: it lapses meanwhile */
	look.request = pvsched_request(fifo, 1);
	look.task_intent = idle;
	after(T0 + 1100 * LEASE, 10 * US + LEASE);
	CHECK_INT(pvs_request_urgency(&r, T0 + 1101 * LEASE + 1, 10 * US + LEASE),
	          PVSCHED_URGENCY_ORDINARY);
}

/* A task that goes on for long, or the same word at each look: the pulse is the sign of life. */
static void test_a_pulse_keeps_the_words(void)
{
	start();
	look.agent = 1;
	look.task_intent = fifo;
	for (__u64 i = 0; i < 30; i++) {
		look.pulse++;
		CHECK_INT(at(T0 + i * LEASE / 10), PVSCHED_URGENCY_URGENT);
	}
	CHECK_U64(r.changed_ns, T0); /* nothing that was said changed */
	CHECK_U64(pvs_request_since(&r), T0);
	/* killed in the middle of it: within a second of run time, whatever the wall clock says */
	CHECK_INT(after(T0 + 50 * LEASE, T0 + 39 * LEASE / 10), PVSCHED_URGENCY_URGENT);
	CHECK_INT(after(T0 + 50 * LEASE + 1, T0 + 39 * LEASE / 10 + 1), PVSCHED_URGENCY_NONE);
	CHECK_INT(pvs_request_priority(&r, T0 + 50 * LEASE + 1, T0 + 39 * LEASE / 10 + 1), 0);
	/* another pulse revives it; one that wraps is another one, too */
	look.pulse = 0;
	CHECK_INT(after(T0 + 51 * LEASE, T0 + 5 * LEASE), PVSCHED_URGENCY_URGENT);
	/* an agent that has none lives by the changes of its words */
	CHECK_INT(after(T0 + 52 * LEASE, T0 + 6 * LEASE + 1), PVSCHED_URGENCY_NONE);
	look.task_intent = normal;
	CHECK_INT(after(T0 + 53 * LEASE, T0 + 7 * LEASE), PVSCHED_URGENCY_ORDINARY);
}

/* The account began anew: what the vCPU ran before is no reason to believe its words for longer. */
static void test_a_new_account(void)
{
	start();
	look.agent = 1;
	look.task_intent = fifo;
	CHECK_INT(after(T0, 100 * LEASE), PVSCHED_URGENCY_URGENT);
	CHECK_INT(after(T0 + 1, 0), PVSCHED_URGENCY_URGENT);
	CHECK_INT(after(T0 + 2 + LEASE, LEASE + 1), PVSCHED_URGENCY_NONE);
}

static void test_the_guests_clock_counts_for_the_lease(void)
{
	const __u64 boot_ns = T0 - 3000 * US; /* the guest's clock began at */

	start();
	look.request = pvsched_request(normal, 1);
	look.expect = pvsched_expect(100, 1);
	look.written_ns = T0 - boot_ns; /* seen at once: this look tells the offset */
	at(T0);
	look.request = pvsched_request(normal, 2);
	look.expect = pvsched_expect(100, 2);
	look.written_ns = T0 + 200 * US - boot_ns; /* seen 300 us after it was written */
	at(T0 + 500 * US);
	CHECK_U64(r.changed_ns, T0 + 500 * US);
	CHECK(r.request_ns >= T0 + 200 * US && r.request_ns < T0 + 201 * US);
	CHECK_INT(pvs_request_urgency(&r, r.request_ns + LEASE, r.request_ns + LEASE),
	          PVSCHED_URGENCY_ORDINARY);
	CHECK_INT(pvs_request_urgency(&r, r.request_ns + LEASE + 1, r.request_ns + LEASE + 1),
	          PVSCHED_URGENCY_NONE);
}

/* What another generation said, and its clock, is forgotten; the counts are not. */
static void test_a_stale_generation_forgets(void)
{
	start();
	look.request = pvsched_request(normal, 1);
	look.expect = pvsched_expect(100, 1);
	look.written_ns = 1;
	CHECK_INT(at(T0), PVSCHED_URGENCY_ORDINARY);
	CHECK(r.clock.seen_ns == T0 && r.expected_ns);
	look.generation_echo = GEN - 1;
	CHECK_INT(at(T0 + 10), PVSCHED_URGENCY_NONE);
	CHECK_INT(r.stale_total, 1);
	CHECK_U64(r.read_ns, T0 + 10);
	CHECK_U64(r.changed_ns, 0);
	CHECK_U64(r.words[0], 0);
	CHECK_U64(r.expected_ns, 0);
	CHECK_U64(r.clock.seen_ns, 0);
	/* the same word again is another one */
	look.generation_echo = GEN;
	CHECK_INT(at(T0 + 20), PVSCHED_URGENCY_ORDINARY);
	CHECK_U64(r.changed_ns, T0 + 20);
	/* and a page with another generation begins anew, though no stale word was ever seen */
	look.generation = look.generation_echo = GEN + 1;
	CHECK_INT(at(T0 + 30), PVSCHED_URGENCY_ORDINARY);
	CHECK_U64(r.changed_ns, T0 + 30);
	CHECK_U64(r.clock.seen_ns, T0 + 30);
	CHECK_INT(r.stale_total, 1);
}

/* Words without a meaning are counted when a voice changes to one, not at each look. */
static void test_invalid_counts_changes(void)
{
	start();
	look.agent = 1;
	look.request = nonsense | 1ULL << 32;
	CHECK_INT(at(T0), PVSCHED_URGENCY_ORDINARY); /* the scheduler's: a normal task */
	CHECK_INT(r.invalid_total, 1);
	at(T0 + 1);
	at(T0 + 2);
	CHECK_INT(r.invalid_total, 1);
	/* the other voice changes, and says something: the first one is not counted again */
	look.task_intent = fifo;
	CHECK_INT(at(T0 + 3), PVSCHED_URGENCY_URGENT);
	CHECK_INT(r.invalid_total, 1);
	look.cs_state = ~0ULL;
	CHECK_INT(at(T0 + 4), PVSCHED_URGENCY_NONE);
	CHECK_INT(r.invalid_total, 2);
	look.request = nonsense | 2ULL << 32;
	at(T0 + 5);
	CHECK_INT(r.invalid_total, 3);
	/* without an agent the scheduler's words are not judged */
	start();
	look.cs_state = ~0ULL;
	CHECK_INT(at(T0), PVSCHED_URGENCY_NONE);
	CHECK_INT(r.invalid_total, 0);
}

/* Which task runs changes often: the scheduler's urgency is counted from when that changed. */
static void test_since_when(void)
{
	static const __u64 batch = PVSCHED_POLICY_BATCH, idle = PVSCHED_POLICY_IDLE;

	start();
	look.agent = 1;
	look.task_intent = normal;
	at(T0);
	CHECK_U64(pvs_request_since(&r), T0);
	look.task_intent = batch;
	at(T0 + 1);
	look.task_intent = idle | (__u64)PVSCHED_INTENT_IDLE << 48;
	CHECK_INT(at(T0 + 2), PVSCHED_URGENCY_ORDINARY);
	CHECK_U64(pvs_request_since(&r), T0);
	CHECK_U64(r.lived_ns, T0 + 2); /* each word is a sign of life */
	look.task_intent = fifo;
	CHECK_INT(at(T0 + 3), PVSCHED_URGENCY_URGENT);
	CHECK_U64(pvs_request_since(&r), T0 + 3);
	look.task_intent = normal;
	look.cs_state = PVSCHED_CS_SOFTIRQ;
	CHECK_INT(at(T0 + 4), PVSCHED_URGENCY_URGENT);
	CHECK_U64(pvs_request_since(&r), T0 + 3);
	look.cs_state = 0;
	at(T0 + 5);
	CHECK_U64(pvs_request_since(&r), T0 + 5);
	/* an application's word counts from when it was written */
	look.request = pvsched_request(normal, 1);
	at(T0 + 6);
	CHECK_U64(pvs_request_since(&r), T0 + 6);
}

/* The highest of what is urgent, as long as it is in force. */
static void test_priority(void)
{
	const __u64 fifo_99 = 1ULL | 99 << 16, round_robin_7 = 2ULL | 7 << 16;

	start();
	look.request = pvsched_request(round_robin_7, 1);
	look.task_intent = fifo;
	at(T0);
	CHECK_INT(pvs_request_priority(&r, T0, T0),
	          7); /* without an agent its words count nothing */
	look.agent = 1;
	look.request = pvsched_request(round_robin_7, 2);
	at(T0 + 1);
	CHECK_INT(pvs_request_priority(&r, T0 + 1, T0 + 1), 50);
	look.task_intent = fifo | fifo_99 << 24;
	at(T0 + 2);
	CHECK_INT(pvs_request_priority(&r, T0 + 2, T0 + 2), 50); /* what is pending is not valid */
	look.task_intent |= (__u64)PVSCHED_INTENT_PENDING << 48;
	at(T0 + 3);
	CHECK_INT(pvs_request_priority(&r, T0 + 3, T0 + 3), 99);
	look.task_intent = nonsense;
	at(T0 + 4);
	CHECK_INT(pvs_request_priority(&r, T0 + 4, T0 + 4), 7);
	CHECK_INT(pvs_request_priority(&r, T0 + 2 * LEASE, T0 + 2 * LEASE), 0);
	/* a critical section has none */
	look.request = pvsched_request(normal, 3);
	look.task_intent = normal;
	look.cs_state = PVSCHED_CS_HARDIRQ;
	CHECK_INT(at(T0 + 5), PVSCHED_URGENCY_URGENT);
	CHECK_INT(pvs_request_priority(&r, T0 + 5, T0 + 5), 0);
}

TEST_MAIN(TEST(test_since_when), TEST(test_priority), TEST(test_the_first_look_stamps),
          TEST(test_a_first_expectation), TEST(test_each_voice_lapses_by_its_own_time),
          TEST(test_words_hold_while_it_does_not_run), TEST(test_a_pulse_keeps_the_words),
          TEST(test_a_new_account), TEST(test_the_guests_clock_counts_for_the_lease),
          TEST(test_a_stale_generation_forgets), TEST(test_invalid_counts_changes))
