/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * A crowd of threads that stand for vCPUs. The simulator (sim --crowd) and real threads
 * (tests/bench/run crowd) have the same one, so that they can be compared. Most threads do little
 * and stay within their budget; every CROWD_BURSTY_EVERYth empties its bucket each time. Each CPU
 * has a spinner of the fair class. All threads are in one group and may run on all CPUs. Four are a
 * domain, and all have the profile "latency" under the caps as shipped. Both programs take an ease,
 * which multiplies all periods.
 */

#define CROWD_THREADS          1000
#define CROWD_PER_DOMAIN       4
#define CROWD_QUIET_RUN_US     40
#define CROWD_QUIET_PERIOD_US  200000
#define CROWD_BURSTY_EVERY     50
#define CROWD_BURSTY_RUN_US    2000
#define CROWD_BURSTY_PERIOD_US 50000
#define CROWD_WARM_MS          1000 /* not measured */
