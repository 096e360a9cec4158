/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/*
 * A real-time loop that tells its host when it is urgent. In the guest, as root:
 *	cc -o request request.c $(pkg-config --cflags --libs libpvsched)
 *	taskset -c 0 chrt -f 80 ./request 1000
 */
#include <pvsched/pvsched.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PERIOD_NS 1000000

static long long now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

int main(int argc, char **argv)
{
	long periods = argc > 1 ? atol(argv[1]) : 1000, boosted = 0;
	struct pvsched_lease lease = PVSCHED_LEASE_INIT;
	struct pvsched_account account;
	struct pvsched_report report;
	struct pvsched *host;
	int r = pvsched_open(NULL, &host);

	if (r < 0) {
		fprintf(stderr, "pvsched_open: %s\n", strerror(-r));
		return 1;
	}
	for (long long i = 0, next = now_ns(); i < periods; i++) {
		pvsched_lease_request(host, &lease, SCHED_FIFO, 80);
		for (volatile int work = 0; work < 10000; work++)
			;
		boosted += pvsched_lease_account(host, &lease, &account) == 0 && account.boosted;
		next += PERIOD_NS;
		long long left_us = (next - now_ns()) / 1000;
		pvsched_lease_release(host, &lease, left_us > 0 ? (uint32_t)left_us : 1);
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME,
		                &(struct timespec){next / 1000000000, next % 1000000000}, NULL);
	}
	pvsched_query(host, PVSCHED_CPU_CURRENT, &report);
	printf("%s; boosted in %ld of %ld periods; this CPU waited %.3f ms in total\n",
	       pvsched_state_text(report.state), boosted, periods,
	       (double)report.run_delay_ns / 1e6);
	pvsched_close(host);
	return 0;
}
