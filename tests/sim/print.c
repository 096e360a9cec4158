// SPDX-License-Identifier: GPL-2.0-or-later
#include "print.h"

#include <inttypes.h>
#include <stdio.h>

static void print_cap(const char *name, const struct sim_cap *cap)
{
	printf(" %s %" PRIu64 "/%" PRIu64, name, cap->excess_ns / 1000, cap->limit_ns / 1000);
}

static void print_urgent(const char *name, const struct sim_urgent *u)
{
	uint64_t jobs = MAX(u->jobs, UINT64_C(1));

	printf("; %s: urgent work waits %" PRIu64 " us, %" PRIu64 " permille late, at most %" PRIu64
	       " us, boosted %" PRIu64 " ms",
	       name, u->wait_ns / jobs / NSEC_PER_USEC, u->late * 1000 / jobs,
	       u->worst_ns / NSEC_PER_USEC, u->boosted_ns / NSEC_PER_MSEC);
	if (u->waits.n)
		printf(" (%" PRIu64 " permille), p50 %.1f, p99 %.1f us",
		       u->boosted_ns * 1000 / MAX(u->lasts_ns, UINT64_C(1)),
		       (double)delays_quantile_ns(&u->waits, 500) / NSEC_PER_USEC,
		       (double)delays_quantile_ns(&u->waits, 990) / NSEC_PER_USEC);
}

void sim_print(const char *name, const struct sim_options *options, unsigned int seeds,
               const struct sim_result *r)
{
	printf("%s %-20s delay %3" PRIu64 " us: excess/limit us", r->failed ? "not ok" : "ok", name,
	       options->delay_ns / 1000);
	print_cap("vcpu", &r->vcpu);
	print_cap("domain", &r->domain);
	print_cap("cpu", &r->cpu);
	print_cap("sheet", &r->sheet);
	if (r->helper.limit_ns)
		print_cap("helper", &r->helper);
	printf("; boosted %u, served %d, host loss %d permille; %" PRIu64
	       " calls/s; longest wait %" PRIu64 " ms (%" PRIu64 " without)",
	       r->boosted_permille, r->served_permille, r->host_loss_permille, r->calls_per_s,
	       r->longest_wait_ns / NSEC_PER_MSEC, r->base_wait_ns / NSEC_PER_MSEC);
	printf("; booster %u permille, %" PRIu64 " unheard", r->booster_permille, r->pauses);
	if (r->unheard.jobs) {
		print_urgent("heard", &r->heard);
		print_urgent("unheard", &r->unheard);
	}
	if (r->unheard.helper_waits)
		printf("; helpers wait %.1f us, without to follow %.1f",
		       (double)r->heard.helper_wait_ns / NSEC_PER_USEC /
		               (double)MAX(r->heard.helper_waits, UINT64_C(1)),
		       (double)r->unheard.helper_wait_ns / NSEC_PER_USEC /
		               (double)r->unheard.helper_waits);
	if (seeds == 1)
		printf("; trace %016" PRIx64, r->hash);
	printf("%s%s\n", r->failed ? ": " : "", r->failed ? r->failed : "");
	fflush(stdout);
}
