/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * A crowd of threads that stand for vCPUs, the same for the simulator (sim --crowd) and for real
 * threads (tests/bench/run crowd), so that one can be held against the other. Most do little and
 * stay within their budget; every CROWD_BURSTY_EVERYth empties its bucket each time. On each CPU
 * there is a spinner of the fair class. All are in one group and may run on all CPUs, four are a
 * domain, and all have the profile "latency" under the caps as shipped. Both programs take an
 * ease, by which all periods are multiplied.
 */

#define CROWD_THREADS          1000
#define CROWD_PER_DOMAIN       4
#define CROWD_QUIET_RUN_US     40
#define CROWD_QUIET_PERIOD_US  200000
#define CROWD_BURSTY_EVERY     50
#define CROWD_BURSTY_RUN_US    2000
#define CROWD_BURSTY_PERIOD_US 50000
#define CROWD_WARM_MS          1000 /* not measured */
