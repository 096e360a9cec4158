/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
#pragma once

/*
 * What is worked out from the little that a guest says: when it said it, and how long it is urgent
 * for. Shared by the tracer, the daemon and the simulator, as bucket.h is. None of it is believed
 * beyond what the host saw itself.
 */

#include <linux/types.h>

#include "pvsched/page.h"

/**
 * A vCPU whose guest says that it does nothing urgent keeps its boost for at least this long after
 * it was switched in: an interrupt needs as long to lead to a task that says otherwise.
 */
#define PVS_ASK_GRACE_NS 50000

/** Nothing urgent is expected to last for longer. */
#define PVS_URGENT_MAX_NS 10000000

/** How far the guest's monotonic clock is behind the host's: learned, the smallest that was seen.
 */
struct pvs_guest_clock {
	__u64 offset_ns; /* modulo 2^64 */
	__u64 seen_ns;   /* host time of the last word that it was learned from; 0: none */
};

/**
 * When a word was written, in host time, from when its guest says that it was, @written_ns by its
 * own clock; 0: it does not say. It was after @since_ns and not after @now_ns, whatever is said.
 * What is seen soonest after it was written tells the offset best; 1 ns in 1024 is allowed for
 * clocks that do not run alike.
 */
static inline __u64 pvs_guest_clock_to_host(struct pvs_guest_clock *clock, __u64 written_ns,
                                            __u64 since_ns, __u64 now_ns)
{
	__u64 offset_ns = clock->offset_ns + ((now_ns - clock->seen_ns) >> 10);

	if (!written_ns)
		return since_ns;
	if (!clock->seen_ns || (__s64)(written_ns + offset_ns - now_ns) > 0)
		offset_ns = now_ns - written_ns;
	if ((__s64)(written_ns + offset_ns - since_ns) < 0)
		offset_ns = since_ns - written_ns;
	clock->offset_ns = offset_ns;
	clock->seen_ns = now_ns;
	return written_ns + offset_ns;
}

/**
 * How long something takes: longer than four in five times. @known_ns is what was learned before,
 * 0: nothing; @took_ns one more. One that was interrupted for long counts little.
 */
static inline __u64 pvs_lasts_learn(__u64 known_ns, __u64 took_ns)
{
	if (took_ns > PVS_URGENT_MAX_NS)
		took_ns = PVS_URGENT_MAX_NS;
	if (!known_ns)
		return took_ns;
	if (took_ns > 2 * known_ns)
		took_ns = 2 * known_ns;
	if (took_ns > known_ns)
		return known_ns + (took_ns - known_ns + 3) / 4;
	return known_ns - (known_ns - took_ns) / 16;
}

/** What is known of a vCPU that runs, elevated, and whose guest asks. */
struct pvs_ask_run {
	enum pvsched_ask ask;
	__u64 in_ns;         /* it runs since */
	__u64 said_ns;       /* it says so since */
	__u64 urgent_run_ns; /* how long it runs when it is urgent, until it sleeps; 0: not known */
	__u64 grace_ns;      /* how long it may do ordinary work before it is to yield */
};

/** Since when it does ordinary work in this run; 0: it does none. */
static inline __u64 pvs_ask_ordinary_since(const struct pvs_ask_run *run)
{
	if (run->ask != PVSCHED_ASK_ORDINARY)
		return 0;
	return run->said_ns > run->in_ns ? run->said_ns : run->in_ns;
}

/**
 * When it will have done ordinary work for long enough, as far as that can be known: then somebody
 * looks. Always after @now_ns.
 */
static inline __u64 pvs_ask_look_at(const struct pvs_ask_run *run, __u64 now_ns)
{
	__u64 at_ns = pvs_ask_ordinary_since(run);

	if (!at_ns)
		at_ns = run->in_ns + run->urgent_run_ns;
	at_ns += run->grace_ns;
	return at_ns > now_ns ? at_ns : now_ns + run->grace_ns / 2;
}
