// SPDX-License-Identifier: GPL-2.0-or-later
/* Leases of clients of `latency`: begun, shared, renewed, and ended by themselves. */
#include "daemon/latency_leases.h"

#include <errno.h>

#include "util/clock.h"

#include "test.h"

#define SHORT_NS (20 * NSEC_PER_MSEC)

static sd_event *event;
static struct latency_leases *leases;
static struct inventory_vcpu vcpus[4];
static struct inventory_domain web = {.serial = 1, .n_vcpus = 2, .vcpus = vcpus};
static struct inventory_domain db = {.serial = 2, .n_vcpus = 1, .vcpus = &vcpus[2]};
static pid_t traced[PVS_TRACES_MAX];
static size_t n_traced;
static int answer;
static char tracer; /* something that is there */

/* ---- stand-ins ---- */

int tracer_trace_waits(struct tracer *of, pid_t tid)
{
	CHECK(of == (struct tracer *)&tracer);
	if (answer == 0)
		traced[n_traced++] = tid;
	return answer;
}

void tracer_untrace_waits(struct tracer *of, pid_t tid)
{
	CHECK(of == (struct tracer *)&tracer);
	for (size_t i = 0; i < n_traced; i++) {
		if (traced[i] != tid)
			continue;
		traced[i] = traced[--n_traced];
		return;
	}
	CHECK(false); /* it was not traced */
}

/* ---- */

static void begin(bool has_tracer, uint64_t lease_ns)
{
	if (!event)
		CHECK(sd_event_new(&event) >= 0);
	leases = latency_leases_free(leases);
	CHECK_INT(n_traced, 0);
	answer = 0;
	web.n_vcpus = 2;
	for (unsigned int i = 0; i < ARRAY_SIZE(vcpus); i++) {
		vcpus[i].thread.id.tid = 100 + (pid_t)i;
		vcpus[i].slot = i;
	}
	CHECK_INT(latency_leases_new(&leases, event, has_tracer ? (struct tracer *)&tracer : NULL,
	                             lease_ns),
	          0);
}

static bool is_traced(pid_t tid)
{
	for (size_t i = 0; i < n_traced; i++)
		if (traced[i] == tid)
			return true;
	return false;
}

/* Without a client nothing wakes the daemon; a lease that is not renewed ends. */
static void test_ends(void)
{
	uint64_t since_ns = 0;

	begin(true, SHORT_NS);
	CHECK_INT(sd_event_run(event, 0), 0);
	CHECK_INT(latency_leases_renew(leases, &web, &since_ns), 0);
	CHECK(since_ns > 0 && since_ns <= clock_now_ns());
	CHECK(is_traced(100) && is_traced(101) && n_traced == 2);
	while (n_traced)
		CHECK(sd_event_run(event, 10 * NSEC_PER_SEC / NSEC_PER_USEC) > 0);
	CHECK_INT(sd_event_run(event, 0), 0);
}

/* It begins once, and each renewal says since when. Another domain has its own. */
static void test_shared(void)
{
	uint64_t first_ns = 0, again_ns = 0;

	begin(true, NSEC_PER_SEC * 3600);
	CHECK_INT(latency_leases_renew(leases, &web, &first_ns), 0);
	CHECK_INT(latency_leases_renew(leases, &web, &again_ns), 0);
	CHECK(first_ns == again_ns);
	CHECK_INT(n_traced, 2);
	CHECK_INT(latency_leases_renew(leases, &db, &again_ns), 0);
	CHECK(is_traced(102) && n_traced == 3);
}

/* vCPUs that come are traced from then on, those that go are not. */
static void test_follows(void)
{
	uint64_t since_ns;

	begin(true, NSEC_PER_SEC * 3600);
	vcpus[1].slot = SLOT_NONE;
	CHECK_INT(latency_leases_renew(leases, &web, &since_ns), 0);
	CHECK(is_traced(100) && n_traced == 1);
	vcpus[1].slot = 1;
	vcpus[0].thread.id.tid = 200; /* another thread */
	CHECK_INT(latency_leases_renew(leases, &web, &since_ns), 0);
	CHECK(is_traced(200) && is_traced(101) && n_traced == 2);
	web.n_vcpus = 0;
	CHECK_INT(latency_leases_renew(leases, &web, &since_ns), 0);
	CHECK_INT(n_traced, 0);
}

static void test_refused(void)
{
	struct inventory_domain many = {0};
	uint64_t since_ns;

	begin(false, SHORT_NS);
	CHECK_INT(latency_leases_renew(leases, &web, &since_ns), -EOPNOTSUPP);
	begin(true, NSEC_PER_SEC * 3600);
	answer = -E2BIG;
	CHECK_INT(latency_leases_renew(leases, &web, &since_ns), -E2BIG);
	answer = 0;
	CHECK_INT(latency_leases_renew(leases, &web, &since_ns), 0);
	CHECK_INT(n_traced, 2);
	for (uint64_t i = 1; i < LATENCY_LEASES_MAX; i++) {
		many.serial = 100 + i;
		CHECK_INT(latency_leases_renew(leases, &many, &since_ns), 0);
	}
	CHECK_INT(latency_leases_renew(leases, &db, &since_ns), -EUSERS);
	CHECK_INT(latency_leases_renew(leases, &web, &since_ns), 0);
	leases = latency_leases_free(leases);
	CHECK_INT(n_traced, 0);
}

TEST_MAIN({"ends", test_ends}, {"shared", test_shared}, {"follows", test_follows},
          {"refused", test_refused})
