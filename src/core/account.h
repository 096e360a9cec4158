/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
#pragma once

/*
 * The contract between the host tracer (bpf/) and the daemon: the accounts that they share in
 * mapped memory, and the few events that are worth a wake-up. Both are built from this header, so
 * it carries no version. Sizes are asserted, so that neither compiler can lay it out its own way.
 *
 * Each word has one writer, named here. Times are CLOCK_MONOTONIC in ns; 0 is never.
 */

#include <linux/types.h>

#include "core/bucket.h"
#include "core/costs.h"
#include "core/request.h"
#include "core/rhythm.h"
#include "core/sheet.h"

#define PVS_VCPUS_MAX   4096 /* slots; a slot is a registered vCPU thread */
#define PVS_DOMAINS_MAX 1024
#define PVS_CPUS_MAX    1024

/** Threads that work for a domain: domain slot N owns slots N * PVS_HELPERS_OF_DOMAIN and on. */
#define PVS_HELPERS_OF_DOMAIN 32 /* the bits of pvs_domain_account::helpers_waiting */
#define PVS_HELPERS_MAX       (PVS_DOMAINS_MAX * PVS_HELPERS_OF_DOMAIN)
#define PVS_THREADS_MAX       (PVS_VCPUS_MAX + PVS_HELPERS_MAX) /* no helper takes a vCPU's place */

#define PVS_WAIT_BUCKETS 80 /* see pvs_wait_bucket() */
#define PVS_EVENTS_BYTES (256 * 1024)

/**
 * If a vCPU is still boosted this long after its bucket was reported empty, the daemon does not
 * answer, and the guardian is told. This is far above the 10-100 us that unboosting takes, and
 * below what a user would notice.
 */
#define PVS_OVERDUE_NS 10000000

/**
 * A boosted vCPU was woken or preempted this long ago, and was not seen to run since. This is
 * longer than the bursts of all other vCPUs on its CPU together. Either the vCPU really waits, and
 * then a boost does nothing for it; or a switch was missed, and it runs uncharged. In both cases
 * the boost ends.
 */
#define PVS_UNSEEN_NS 10000000

/**
 * How long a helper may wait behind boosted vCPUs of its own domain, in total, before it runs
 * again. A timer tick of 1 ms would make it wait as long. Less would end bursts that the guest's
 * I/O does not notice. More would delay what the guest itself waits for.
 */
#define PVS_HELPER_WAIT_NS 1000000

/**
 * Interrupts for a vCPU that waits to run are reported at most this often. They may come as often
 * as the vCPU is preempted, and most times a booster that wakes up for one comes too late.
 */
#define PVS_INTERRUPT_TOLD_NS 1000000

/**
 * Spinning is reported at this many signs in one boosted run. KVM's window of pauses doubles with
 * each exit, so three exits take seven of the first window: 10 us with Intel's defaults, some
 * hundred with AMD's. A lock holder that runs is done by then. AMD's window reaches its maximum
 * after five exits, and no more are seen in that run.
 */
#define PVS_SPINS 3

/**
 * Parts of the tracer that the kernel may refuse one by one, the most important part first. What a
 * part needs of the kernel, nothing else needs. If a part is missing, its words in the accounts
 * stay 0. What is not in this list is needed to charge a boost or to end it.
 */
#define PVS_PART_SOFTIRQ     (1U << 0) /* ksoftirqd that waits behind a vCPU */
#define PVS_PART_HELPERS     (1U << 1) /* threads of a domain that wait behind its own vCPUs */
#define PVS_PART_INTERRUPTS  (1U << 2) /* deliveries and injections */
#define PVS_PART_SPINNING    (1U << 3) /* guests that wait for another of their vCPUs */
#define PVS_PART_ENTITLEMENT (1U << 4) /* fair share of its CPU, CFS quota */
#define PVS_PART_EXEC        (1U << 5) /* vCPU threads that call exec */
#define PVS_PART_LEVERS      (1U << 6) /* slices and clamps that threads have of their own */
#define PVS_PART_BLOCKERS    (1U << 7) /* threads that run while a vCPU waits */
#define PVS_PART_RELATIONS   (1U << 8) /* which vCPU waits for which */
#define PVS_PARTS            9
#define PVS_PARTS_ALL        ((1U << PVS_PARTS) - 1)

/** The APIC id of a vCPU for which none is known. */
#define PVS_APIC_ID_NONE (~0U)

/* pvs_vcpu_account::flags, written by the daemon */
#define PVS_FLAG_BOOSTED          (1U << 0)  /* the thread has pvschedd's real-time class */
#define PVS_FLAG_IMAGINED         (1U << 1)  /* mode observe: the counters act as if it had */
#define PVS_FLAG_REPORT_HALTED    (1U << 2)  /* send PVS_EVENT_HALTED at the next halt */
#define PVS_FLAG_KVM              (1U << 3)  /* halts inside ioctl(KVM_RUN), not in a futex wait */
#define PVS_FLAG_REPORT_URGENT    (1U << 4)  /* send PVS_EVENT_URGENT when preempted while urgent */
#define PVS_FLAG_REPORT_ORDINARY  (1U << 5)  /* send PVS_EVENT_ORDINARY while it is boosted */
#define PVS_FLAG_REPORT_RUN       (1U << 6)  /* send PVS_EVENT_RUN when it is switched in */
#define PVS_FLAG_AGENT            (1U << 7)  /* its guest's agent maintains task_intent, cs_state */
#define PVS_FLAG_REPORT_INTERRUPT (1U << 8)  /* send PVS_EVENT_INTERRUPT while it waits to run */
#define PVS_FLAG_RESETS_FORKS     (1U << 9)  /* it has SCHED_RESET_ON_FORK from pvschedd */
#define PVS_FLAG_REPORT_WAITS     (1U << 10) /* send PVS_EVENT_WAITS when it waits for another */
#define PVS_FLAG_RELATES          (1U << 11) /* keep whom it sends interrupts to */
/* of a helper that follows: send PVS_EVENT_HELPER_WAITS */
#define PVS_FLAG_REPORT_HELPER_WAITS (1U << 12)

/** pvs_vcpu_account::payer: no vCPU pays for the boost, its domain's bucket alone. */
#define PVS_PAYER_DOMAIN (~0U)

/**
 * An epoch proves that a vCPU's TID is still its own. A TID may be reused once its thread has
 * exited, or once its thread has called execve(). Then the caller takes over the TID of its
 * process's leader, after the leader has exited. So the tracer tracks both, the leader first. The
 * daemon starts a new epoch each time it begins to track a leader. It writes the epoch into the
 * domain's account, and copies it into the account of each vCPU that it finds alive. The tracer
 * overwrites either word with PVS_EPOCH_OVER when that thread exits, before the kernel can give
 * away its TID; that is final. While both words hold the same epoch, the vCPU's TID is its own:
 * boost/identity.h has the proof.
 */
#define PVS_EPOCH_UNKNOWN 0U
#define PVS_EPOCH_OVER    (~0U)

/** How a vCPU thread last left its CPU. */
enum pvs_out {
	PVS_OUT_NONE = 0,
	PVS_OUT_PREEMPTED = 1, /* still runnable */
	PVS_OUT_BLOCKED = 2,   /* asleep in QEMU: a lock, a signal, an exit to user space */
	PVS_OUT_HALTED = 3,    /* asleep because the guest had nothing to do */
};

/** The work of a wake-up: see core/work.h. Zeroed: nothing is known. */
struct pvs_work {
	__u64 so_far_ns;       /* since it was woken */
	__u64 woken_ns;        /* when; 0: it halts */
	__u64 woken_before_ns; /* the time before */
	__u64 waited_ns;       /* runnable, and not running, since it was woken */
	__u64 most_ns;         /* until it halts: nine of ten wake-ups have no more; 0: unknown */
	__u64 least_ns;        /* nine of ten have no less */
};

/** One vCPU thread, or a helper that follows its vCPUs: see core/follow.h. */
struct pvs_vcpu_account {
	/* written by the daemon; a new profile changes the rule while the vCPU is traced */
	__u32 tid;
	__u32 flags;
	__u32 domain;   /* slot in the table of domains */
	__u32 priority; /* real-time priority while BOOSTED: 0 or a higher one is a foreign change
	                 */
	struct pvs_bucket_rule rule;
	__u64 boosted_at_ns;   /* when BOOSTED was last set */
	__u64 unboosted_at_ns; /* when it was last cleared */
	__u64 page_address;    /* of its struct pvsched_page in QEMU's memory; 0: no page */
	__u64 page_generation; /* the generation that its guest must echo */

	/* written by the tracer in sched_switch, on one CPU at a time */
	__u64 in_ns;             /* when it was switched in; 0 while it does not run */
	__u64 out_ns;            /* when it was switched out */
	__u64 repaid_at_ns;      /* its bucket, see core/bucket.h; also where it pays for another */
	__u64 used_ns;           /* boosted run time, without the price */
	__u64 imagined_ns;       /* mode observe: what used_ns would have been */
	__u64 run_ns;            /* all run time */
	__u64 wait_ns;           /* time that it was runnable and did not run */
	__u64 sampled_at_ns;     /* when the entitlement was last measured */
	__u32 out;               /* enum pvs_out */
	__u32 cpu;               /* where it runs or last ran */
	__u32 entitled_permille; /* fair share of that CPU that it would get now; 0: unknown */
	__u32 quota;             /* 1: a CFS quota limits its group or an ancestor */
	__u32 empty;             /* 1: the imagined bucket ran empty and is not full again */
	__u32 events_lost;       /* events that found the ring buffer full */
	__u64 switches;
	__u64 preemptions;
	__u64 halts;
	__u64 wakeups_boosted;  /* switched in after a sleep while boosted */
	__u64 wakeups_imagined; /* mode observe: what that would have been */
	__u64 wait_max_ns;
	__u32 wait_counts[PVS_WAIT_BUCKETS]; /* delays from runnable to running */

	/* written by the tracer where the thread runs or leaves its CPU */
	struct pvs_request request;
	__u64 urgent_work_ns; /* how long its guest is urgent: pvs_lasts_learn(); 0: unknown */
	__u64 urgent_run_ns;  /* how long it runs when urgent, until it sleeps; 0: unknown */
	__u32 page_faults;    /* looks at a page that was not resident */
	__u32 unseen;         /* switch-outs whose switch-in was not seen */

	__u64 preempted_after_ns; /* length of its last run if that was preempted; else 0 */
	__u64 watched_ns;         /* in_ns of the last run for which a deadline was started; the
	                             daemon clears it when that has fired and the boost goes on */
	struct pvs_rhythm rhythm; /* of its wake-ups */
	struct pvs_work work;     /* of a wake-up */
	__u64 mark_due_ns;        /* when its windows want another mark: see core/window.h */
	__u64 demand_due_ns;      /* when its demand wants another wake-up: see core/demand.h */

	/*
	 * written by the daemon: the run that began at earlier_in_ns was boosted for earlier_ns
	 * before boosted_at_ns, until earlier_until_ns; not charged yet
	 */
	__u64 earlier_in_ns __attribute__((aligned(64)));
	__u64 earlier_ns;
	__u64 earlier_until_ns;
	__u64 request_grace_ns;   /* see struct pvs_request_run */
	__u64 interrupts_from_ns; /* REPORT_INTERRUPT: earlier interrupts are not reported */
	__u64 boosts;             /* so far, for marks: see core/window.h */
	__u64 denied;             /* boosts that were denied or ended early */
	/* a pulse: a boost that another vCPU of the domain pays for; that one's slot + 1, or
	   PVS_PAYER_DOMAIN; 0: a boost of its own */
	__u32 payer;
	__u32 helper;        /* which helper it is, plus 1; 0: a vCPU */
	__u64 pulse_end_ns;  /* used_ns when the pulse is over */
	__u64 waits_from_ns; /* REPORT_WAITS: earlier waits for others are not reported */

	/* written by the tracer in sched_waking, from any CPU */
	__u64 wake_ns __attribute__((aligned(64)));
	__u64 wakeups;
	__u32 epoch;       /* daemon, tracer: see PVS_EPOCH_OVER */
	__u32 wake_low_ns; /* tracer, in sched_switch: pvs_wake_learn(); 0: unknown */
	/* by the tracer in sched_switch, before it reports a halt or a preemption while urgent */
	__u64 slack_ns; /* the thread's timer slack when it left its CPU */
	__u64 slack_at_ns;
	__u64 helper_told_ns; /* a helper: which wait was reported last, by when it began */

	/* written by the tracer in KVM's injection points, in the thread's own context */
	__u64 injections __attribute__((aligned(64)));
	__u64 injections_unseen; /* of these, injections whose delivery was not seen */
	__u64 spins;             /* signs that its guest spins: PAUSE exits, yields to others */
	__u64 spin_since_ns;     /* when the boosted run began that spins_of_run counts in */
	__u64 spins_of_run;

	/* written by the tracer where an interrupt is delivered to it, from any CPU */
	__u64 deliveries __attribute__((aligned(64)));
	__u64 deliveries_own;     /* of these, in its own context: by its timer or by itself */
	__u64 deliveries_waiting; /* of these, the first in each wait to run, while not boosted */
	__u64 interrupt_for_ns;   /* when the last such wait began */
	__u64 interrupt_told_ns;  /* when PVS_EVENT_INTERRUPT was last sent */
	__u64 pending[4];         /* by vector: delivered and not injected since */

	/* written by the tracer where it sends interrupts or spins, in its own context: relate.h */
	__u64 awaits_ns
	        __attribute__((aligned(64))); /* it awaits another vCPU since then; 0: none */
	__u32 awaits;                         /* that one's slot */
	__u32 sends;     /* what it is sending: 1 + the vector; 0: nothing that relates */
	__u32 receivers; /* of that, so far */
	__u32 reserved3;
	__u64 ipis;          /* interrupts that it sent to other vCPUs of its domain */
	__u64 waits_told_ns; /* when PVS_EVENT_WAITS was last sent of it */
	__u64 served_ns;     /* when it last was done with interrupts that were sent to it */
	/* written by the tracer in the contexts of those that await it */
	__u64 awaited_ns;     /* an interrupt was sent to it at; 0: never */
	__u64 awaited_for_ns; /* when the wait began for which it was last reported as awaited */

	/* written by the tracer at switch-ins and in the deadline timer; cleared by the daemon */
	__u64 exhausted_at_ns __attribute__((aligned(64))); /* reported at; 0: not since boosted */
} __attribute__((aligned(64)));

/**
 * Since when a vCPU that was not seen to run has been runnable; 0: it sleeps, or was never seen.
 * Each wait has a different time, so the time names the wait, too.
 */
static inline __u64 pvs_ready_since(__u32 out, __u64 out_ns, __u64 wake_ns)
{
	if (out == PVS_OUT_PREEMPTED)
		return out_ns;
	return out != PVS_OUT_NONE && wake_ns > out_ns ? wake_ns : 0;
}

/** Since when the run that began at @in_ns is boosted: a vCPU may be boosted while it runs. */
static inline __attribute__((always_inline)) __u64 pvs_run_boosted_since(__u64 in_ns,
                                                                         __u64 boosted_at_ns)
{
	return in_ns > boosted_at_ns ? in_ns : boosted_at_ns;
}

/** One domain: the bucket that all its vCPUs share, charged by compare-and-swap from any CPU. */
struct pvs_domain_account {
	struct pvs_bucket_rule rule; /* daemon */
	__u64 repaid_at_ns;          /* tracer */
	__u64 used_ns;               /* tracer */
	__u32 helpers_waiting;       /* tracer: one bit for each helper that waits to run */
	__u32 leader_tid;   /* daemon: its QEMU's leader, which is a helper; 0: not tracked */
	__u32 leader_epoch; /* daemon, tracer: see PVS_EPOCH_OVER */
	__u32 followers;    /* daemon: one bit for each helper that has a vCPU's account, too */
} __attribute__((aligned(64)));

/**
 * One helper of a domain: QEMU's main thread, an iothread, or a vhost worker. Written by the
 * tracer, under the locks under which the kernel wakes, moves and switches that thread.
 */
struct pvs_helper_account {
	__u32 tid;           /* daemon; 0: none */
	__u32 cpu;           /* where it waits, or last waited */
	__u64 since_ns;      /* since when it is runnable and does not run; 0: it runs or sleeps */
	__u64 behind_ns;     /* this wait: what its domain's vCPUs were charged on its CPU */
	__u64 behind_max_ns; /* the most in any finished wait */
	__u64 wait_ns;       /* all finished waits */
	__u64 wait_max_ns;
	__u64 waits;
	__u32 told;  /* the wait that was last reported as too long: see pvs_helper_is_told() */
	__u32 sheds; /* waits that were reported as too long */
} __attribute__((aligned(64)));

/**
 * One host CPU. Its bucket and its sheet are charged by the switches on it, for all real-time run
 * time, boosted and foreign.
 */
struct pvs_cpu_account {
	__u64 repaid_at_ns;      /* tracer */
	__u64 rt_since_ns;       /* tracer: since when a foreign real-time thread runs */
	__u64 rt_run_ns;         /* tracer: all real-time run time, boosted and foreign */
	__u64 foreign_ns;        /* tracer: of that, the foreign part */
	__u64 softirqd_since_ns; /* tracer: since when its ksoftirqd waits to run; 0: it does not */
	__u32 softirqd_tid;      /* daemon: its ksoftirqd; 0: none known */
	__u32 rt_tid;            /* tracer: the thread of the last switch that was looked at */
	struct pvs_sheet sheet;  /* tracer, but for its limit */
} __attribute__((aligned(64)));

#define PVS_MOVED_WORDS (PVS_VCPUS_MAX / 64)

/**
 * Which boosted vCPUs were switched in on another CPU than before: one bit per slot. The tracer
 * sets a bit, the booster clears it. So the booster's lists of vCPUs per CPU follow the kernel
 * without a look at all accounts.
 */
struct pvs_moved {
	__u64 words[PVS_MOVED_WORDS];
} __attribute__((aligned(64)));

/** Levers besides the scheduling class. */
#define PVS_LEVER_SLICE  (1U << 0) /* the slice of the fair class, from Linux 6.12 */
#define PVS_LEVER_UCLAMP (1U << 1) /* the minimum of utilization, with CONFIG_UCLAMP_TASK */

/** What a thread's levers are set to. */
struct pvs_levers {
	__u32 tid;
	__u32 has; /* PVS_LEVER_*: this kernel has them */
	__u32 own; /* PVS_LEVER_*: given to this thread; else the host's value counts */
	__u32 reserved0;
};

/**
 * Interrupts as KVM's tracepoints show them, for all VMs of the host, counted per CPU. Written by
 * the tracer on that CPU.
 */
struct pvs_interrupt_counts {
	__u64 attributed;        /* deliveries to managed vCPUs */
	__u64 own;               /* of these, in the vCPU's own context, and so while it runs */
	__u64 unattributed;      /* to other vCPUs, or by a sender that belongs to no VM */
	__u64 in_handler;        /* by an interrupt handler, which runs in place of any thread */
	__u64 by_hardware;       /* of all these: the CPU injects them, so no injection is seen */
	__u64 injections;        /* by KVM, into any vCPU */
	__u64 injections_known;  /* of these, into managed vCPUs */
	__u64 injections_unseen; /* of these, injections whose delivery was not seen */
};

enum pvs_event_type {
	PVS_EVENT_HALTED = 1,     /* a halt, if PVS_FLAG_REPORT_HALTED is set */
	PVS_EVENT_EXHAUSTED = 2,  /* a bucket ran empty under a running, boosted vCPU */
	PVS_EVENT_FOREIGN = 3,    /* a boosted vCPU has a priority that pvschedd did not give it */
	PVS_EVENT_QUOTA = 4,      /* a CFS quota above a vCPU appeared or went: @arg is 1 or 0 */
	PVS_EVENT_FORK = 5,       /* a vCPU thread made a thread, @arg, which may lack something */
	PVS_EVENT_EXIT = 6,       /* a registered vCPU thread exited */
	PVS_EVENT_SOFTIRQD = 7,   /* ksoftirqd waits behind a running, boosted vCPU */
	PVS_EVENT_URGENT = 8,     /* an unboosted vCPU was preempted while its guest is urgent */
	PVS_EVENT_ORDINARY = 9,   /* a vCPU runs boosted, and its guest does ordinary work */
	PVS_EVENT_RUN = 10,       /* switched in, if PVS_FLAG_REPORT_RUN is set */
	PVS_EVENT_HELPER = 11,    /* a helper of its domain waits too long behind it: @arg is which;
	                           * one event per wait */
	PVS_EVENT_INTERRUPT = 12, /* for an unboosted vCPU that waits to run; @arg: the vector */
	PVS_EVENT_SPIN = 13,      /* a vCPU runs boosted, and its guest spins */
	PVS_EVENT_EXEC = 14,      /* a vCPU thread has another TID, @arg, by execve() */
	PVS_EVENT_SHORT = 15,     /* a boosted vCPU halted: see pvs_work_is_short() */
	PVS_EVENT_WAITS = 16, /* a vCPU waits for another of its domain; @arg: pvs_waits_arg() */
	PVS_EVENT_HELPER_WAITS = 17, /* a helper that follows waits to run: core/follow.h */
};

/** How it is known that a vCPU waits for another one. */
enum pvs_waits {
	PVS_WAITS_SPINS = 0, /* it spins: for which one is not said */
	PVS_WAITS_NAMED = 1, /* its guest names that one, and yields to it */
	PVS_WAITS_SENT = 2,  /* it sent that one an interrupt, and need not wait for that */
};

/** @slot: of the one that it waits for; without a meaning with PVS_WAITS_SPINS. */
static inline __u32 pvs_waits_arg(enum pvs_waits how, __u32 slot)
{
	return (__u32)how << 16 | slot;
}

static inline enum pvs_waits pvs_waits_how(__u32 arg)
{
	return (enum pvs_waits)(arg >> 16 & 3);
}

static inline __u32 pvs_waits_slot(__u32 arg)
{
	return arg & 0xffff;
}

/** What was empty: argument of PVS_EVENT_EXHAUSTED. */
enum pvs_bucket {
	PVS_BUCKET_NONE = 0, /* no bucket: the deadline could not be started */
	PVS_BUCKET_VCPU = 1,
	PVS_BUCKET_DOMAIN = 2,
	PVS_BUCKET_CPU = 3,
	PVS_BUCKET_UNSEEN = 4, /* no bucket: see PVS_UNSEEN_NS */
	PVS_BUCKET_SHEET = 5,  /* no bucket: its CPU's sheet is used up */
	PVS_BUCKET_PULSE = 6,  /* no bucket: the pulse has had its time */
};

struct pvs_event {
	__u64 at_ns;
	__u32 type; /* enum pvs_event_type */
	__u32 slot;
	__u32 tid;
	__u32 arg;
};

/**
 * The index of a delay in wait_counts: exact below 4 us, then four buckets for each
 * doubling. Bucket i holds delays below pvs_wait_bucket_limit_us(i), and at least the
 * limit of the bucket before.
 */
static inline __u32 pvs_wait_bucket(__u64 wait_ns)
{
	__u64 us = wait_ns / 1000;
	__u32 shift = 0, index;

	if (us < 4)
		return (__u32)us;
	if (us >= (1ULL << 21))
		return PVS_WAIT_BUCKETS - 1;
	/* us < 2^21 here, so 20 steps are enough; no builtin, for the verifier's sake */
	for (int i = 0; i < 20; i++) {
		if ((us >> shift) < 8)
			break;
		shift++;
	}
	index = 4 * (shift + 1) + (__u32)((us >> shift) & 3);
	return index < PVS_WAIT_BUCKETS ? index : PVS_WAIT_BUCKETS - 1;
}

/** The limit in us that all delays in bucket @index lie below. */
static inline __u64 pvs_wait_bucket_limit_us(__u32 index)
{
	__u32 shift;

	if (index < 4)
		return index + 1;
	shift = index / 4 - 1;
	return (4ULL + index % 4 + 1) << shift;
}

_Static_assert(sizeof(struct pvs_bucket_rule) == 16, "rule");
_Static_assert(sizeof(struct pvs_domain_account) == 64, "domain account");
_Static_assert(sizeof(struct pvs_cpu_account) == 128, "cpu account");
_Static_assert(__builtin_offsetof(struct pvs_cpu_account, sheet.ns) == 64, "one line per switch");
_Static_assert(sizeof(struct pvs_helper_account) == 64, "helper account");
_Static_assert(sizeof(struct pvs_levers) == 16, "levers");
_Static_assert(sizeof(struct pvs_event) == 24, "event");
_Static_assert(__builtin_offsetof(struct pvs_vcpu_account, in_ns) == 64, "daemon's line");
_Static_assert(sizeof(struct pvs_vcpu_account) % 64 == 0, "vcpu account");
