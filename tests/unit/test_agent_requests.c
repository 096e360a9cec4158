// SPDX-License-Identifier: GPL-2.0-or-later
/* Requests of many programs become one for each CPU; users are bounded, and do not hinder each
 * other. */
#include "agent/requests.h"

#include <errno.h>

#include "test.h"

#define MS NSEC_PER_MSEC
#define T0 (1000 * NSEC_PER_SEC)

#define FIFO(p)  pvsched_tuple(PVSCHED_POLICY_FIFO, 0, (p))
#define ORDINARY pvsched_tuple(PVSCHED_POLICY_NORMAL, 0, 0)

static struct settings settings;
static struct pvsched_page pages[2], of_program;

static struct requests *setup(void)
{
	struct requests *requests;

	settings_init(&settings);
	settings.users[settings.n_users++] = (struct settings_user){.uid = 1000,
	                                                            .connections_max = 2,
	                                                            .rt_priority_max = 50,
	                                                            .urgent_permille = 100,
	                                                            .looks_per_s = 1000};
	settings.users[settings.n_users++] = (struct settings_user){.uid = (uid_t)-1,
	                                                            .connections_max = 1,
	                                                            .rt_priority_max = 10,
	                                                            .urgent_permille = 0,
	                                                            .looks_per_s = 5};
	memset(pages, 0, sizeof(pages));
	requests = requests_new(&settings, pages, 2);
	CHECK(requests);
	requests_serve(requests, true, T0);
	return requests;
}

static struct requester *program(struct requests *requests, uid_t uid)
{
	struct requester *ret = NULL;

	CHECK_INT(requester_new(requests, uid, &ret), 0);
	return ret;
}

/* The program writes a request into its page for @cpu, and says so. */
static bool says(struct requester *requester, uint32_t cpu, uint64_t tuple, uint32_t us,
                 uint64_t now_ns)
{
	static uint32_t sequence;

	sequence++;
	of_program.written_ns = now_ns;
	of_program.expect = pvsched_expect(us, sequence);
	of_program.request = pvsched_request(tuple, sequence);
	return requester_look(requester, cpu, &of_program, now_ns);
}

static enum pvsched_urgency urgency(uint32_t cpu)
{
	return pvsched_request_urgency(pages[cpu].request);
}

static uint32_t priority(uint32_t cpu)
{
	return (uint32_t)(pages[cpu].request >> 16) & 0xff;
}

static void test_urgent_wins(void)
{
	struct requests *requests = setup();
	struct requester *a = program(requests, 0), *b = program(requests, 0);
	uint32_t sequence;

	CHECK(says(a, 0, ORDINARY, 0, T0));
	CHECK_INT(urgency(0), PVSCHED_URGENCY_ORDINARY);
	CHECK(says(b, 0, FIFO(20), 0, T0 + MS));
	CHECK_INT(urgency(0), PVSCHED_URGENCY_URGENT);
	CHECK_INT(priority(0), 20);
	CHECK(says(a, 0, FIFO(80), 0, T0 + 2 * MS));
	CHECK_INT(priority(0), 80);
	CHECK_INT(urgency(1), PVSCHED_URGENCY_NONE);
	sequence = pvsched_request_sequence(pages[0].request);
	CHECK(says(a, 0, FIFO(80), 0, T0 + 3 * MS)); /* renewed */
	CHECK(pvsched_request_sequence(pages[0].request) != sequence);
	CHECK(!requester_free(a, T0 + 4 * MS)); /* it died */
	CHECK_INT(priority(0), 20);
	CHECK(!requester_free(b, T0 + 5 * MS));
	CHECK_U64(pages[0].request, 0);
	requests_free(requests);
}

static void test_expectations(void)
{
	struct requests *requests = setup();
	struct requester *a = program(requests, 0), *b = program(requests, 0);

	CHECK(says(a, 0, ORDINARY, 5000, T0));
	CHECK_INT(pvsched_expect_us(pages[0].expect, pages[0].request), 5000);
	CHECK_U64(pages[0].written_ns, T0);
	CHECK(says(b, 0, ORDINARY, 2000, T0 + MS)); /* at 3 ms: the earlier one */
	CHECK_INT(pvsched_expect_us(pages[0].expect, pages[0].request), 2000);
	CHECK(says(b, 0, FIFO(1), 0, T0 + 2 * MS));
	CHECK_INT(pvsched_expect_us(pages[0].expect, pages[0].request), 0);
	CHECK(says(b, 0, ORDINARY, 0, T0 + 3 * MS)); /* that of the first holds: at 5 ms */
	CHECK_INT(pvsched_expect_us(pages[0].expect, pages[0].request), 2000);
	CHECK(!requester_free(a, T0 + 4 * MS));
	CHECK(!requester_free(b, T0 + 4 * MS));
	requests_free(requests);
}

static void test_lapses(void)
{
	struct requests *requests = setup();
	struct requester *a = program(requests, 0);
	uint64_t due_ns;

	CHECK(says(a, 1, FIFO(5), 0, T0));
	due_ns = requests_due(requests);
	CHECK_U64(due_ns, T0 + PVSCHED_REQUEST_LEASE_NS);
	CHECK_U64(requests_tick(requests, due_ns - 1), due_ns);
	CHECK_INT(urgency(1), PVSCHED_URGENCY_URGENT);
	CHECK_U64(requests_tick(requests, due_ns), NSEC_NEVER);
	CHECK_U64(pages[1].request, 0);
	/* the same word is no renewal */
	CHECK(requester_look(a, 1, &of_program, due_ns + 1));
	CHECK_U64(pages[1].request, 0);
	CHECK(!requester_free(a, due_ns + 2));
	requests_free(requests);
}

static void test_nonsense(void)
{
	struct requests *requests = setup();
	struct requester *a = program(requests, 0);

	for (uint64_t i = 1; i < 100000; i++) {
		of_program.request = i * 0x9e3779b97f4a7c15;
		of_program.expect = i * 0xbf58476d1ce4e5b9;
		of_program.written_ns = i * 0x94d049bb133111eb;
		requester_look(a, i % 2, &of_program, T0 + i * MS);
		CHECK(pages[i % 2].request == 0 || urgency(i % 2) == PVSCHED_URGENCY_ORDINARY ||
		      urgency(i % 2) == PVSCHED_URGENCY_URGENT);
	}
	CHECK(!requester_look(a, 2, &of_program, T0)); /* no such CPU */
	CHECK(!requester_free(a, T0));
	requests_free(requests);
}

/* How long of a second user 1000 makes the CPU urgent if it always says so. */
static void test_bound(void)
{
	struct requests *requests = setup();
	struct requester *a = program(requests, 1000), *b = program(requests, 1000);
	uint64_t urgent_ms = 0;

	for (uint64_t ms = 0; ms < 10000; ms++) {
		uint64_t now_ns = T0 + ms * MS;

		requests_tick(requests, now_ns);
		if (ms % 100 == 0) {
			says(a, 0, FIFO(90), 0, now_ns);
			says(b, 0, FIFO(90), 0, now_ns); /* two programs have no more */
		}
		if (ms == 5000) { /* nor has one that connects anew */
			CHECK(!requester_free(a, now_ns));
			a = program(requests, 1000);
		}
		if (urgency(0) == PVSCHED_URGENCY_URGENT) {
			urgent_ms++;
			CHECK_INT(priority(0), 50); /* of this user the most */
		}
	}
	CHECK(urgent_ms >= 1000 && urgent_ms <= 1250); /* a tenth, and a full bucket at the start */
	CHECK(!requester_free(a, T0 + 10000 * MS));
	CHECK(!requester_free(b, T0 + 10000 * MS));
	requests_free(requests);
}

static void test_others_not_hindered(void)
{
	struct requests *requests = setup();
	struct requester *a = program(requests, 1000), *b = program(requests, 0);

	for (uint64_t ms = 0; ms < 3000; ms++) {
		uint64_t now_ns = T0 + ms * MS;

		says(a, 0, FIFO(50), 0, now_ns);
		CHECK(says(b, 0, FIFO(30), 0, now_ns));
		CHECK_INT(urgency(0), PVSCHED_URGENCY_URGENT);
		CHECK(priority(0) >= 30);
	}
	/* the first has used up its time, and the second has not */
	CHECK_INT(priority(0), 30);
	CHECK(!requester_free(a, T0 + 3000 * MS));
	CHECK(!requester_free(b, T0 + 3000 * MS));
	requests_free(requests);
}

static void test_limits(void)
{
	struct requests *requests = setup();
	struct requester *a = program(requests, 1000), *b = program(requests, 1000), *c = NULL;
	struct requester *other = program(requests, 77);

	CHECK_INT(requester_new(requests, 1000, &c), -EUSERS);
	CHECK_INT(requester_new(requests, 77, &c), -EUSERS);
	/* 0 permille: never urgent; 5 messages in a second */
	for (int i = 0; i < 5; i++)
		CHECK(says(other, 0, FIFO(5), 0, T0 + NSEC_PER_SEC));
	CHECK_INT(urgency(0), PVSCHED_URGENCY_NONE);
	CHECK(!says(other, 0, ORDINARY, 0, T0 + NSEC_PER_SEC));
	CHECK_U64(requester_figures(other, T0).dropped, 1);
	CHECK(says(other, 0, ORDINARY, 0, T0 + 2 * NSEC_PER_SEC));
	CHECK_INT(urgency(0), PVSCHED_URGENCY_ORDINARY);
	CHECK(!requester_free(a, T0));
	CHECK(!requester_free(b, T0));
	CHECK(!requester_free(other, T0));
	settings.n_users = 2; /* without "*" */
	CHECK_INT(requester_new(requests, 77, &c), -EACCES);
	requests_free(requests);
}

/* Without a host nothing is written; what still holds is, once it serves. */
static void test_not_served(void)
{
	struct requests *requests = setup();
	struct requester *a = program(requests, 0);

	requests_serve(requests, false, T0);
	CHECK(says(a, 0, FIFO(5), 0, T0));
	CHECK_U64(pages[0].request, 0);
	requests_serve(requests, true, T0 + 500 * MS);
	CHECK_INT(urgency(0), PVSCHED_URGENCY_URGENT);
	requests_serve(requests, false, T0 + 600 * MS);
	pages[0].request = 0; /* as pages_clear() does */
	requests_serve(requests, true, T0 + 1500 * MS);
	CHECK_U64(pages[0].request, 0);
	CHECK(!requester_free(a, T0 + 1500 * MS));
	requests_free(requests);
}

TEST_MAIN(TEST(test_urgent_wins), TEST(test_expectations), TEST(test_lapses), TEST(test_nonsense),
          TEST(test_bound), TEST(test_others_not_hindered), TEST(test_limits),
          TEST(test_not_served))
