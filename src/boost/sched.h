/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Scheduling attributes of a thread: the only file with scheduling system calls. Allocates nothing
 * and uses no stdio, so that the guardian may call all of it.
 */

#include <sys/types.h>

#include "util/base.h"
#include "util/cpulist.h"

/**
 * What a boost changes, and what is put back. The slice is not here: the kernel keeps it, as it
 * keeps the nice value, which is here for the threads that this one makes.
 */
struct sched_state {
	uint32_t policy;        /* SCHED_OTHER, ... without SCHED_RESET_ON_FORK */
	uint32_t priority;      /* of a real-time policy; else 0 */
	int32_t nice;           /* of a fair thread; else 0 */
	uint32_t reset_on_fork; /* 0 or 1 */
	uint64_t slack_ns;      /* timer slack */
};

/**
 * A thread by its TID and by two open files of /proc/TID, which answer -ESRCH for ever once the
 * thread is gone, even if its TID is reused: timerslack_ns; and oom_score_adj, which is read only
 * to see whether it answers, since that takes half as long.
 */
struct sched_thread {
	pid_t tid;
	int slack_fd, alive_fd;
	/* slack that the kernel gives it when a boost ends: seen once, seen twice; NSEC_NEVER */
	uint64_t slack_seen_ns, slack_given_ns;
};

#define SCHED_THREAD_NULL                                                                          \
	((struct sched_thread){                                                                    \
	        .slack_fd = -1,                                                                    \
	        .alive_fd = -1,                                                                    \
	        .slack_seen_ns = NSEC_NEVER,                                                       \
	        .slack_given_ns = NSEC_NEVER,                                                      \
	})

/** The class and priority a boost gives. */
struct sched_boost {
	uint32_t policy;   /* SCHED_FIFO or SCHED_RR */
	uint32_t priority; /* 1..99 */
};

/** Takes hold of the thread that has that TID now. Returns 0 and *ret, or -errno. */
int sched_open(pid_t tid, struct sched_thread *ret);

/** Lets go of it, if it is held. */
void sched_close(struct sched_thread *thread);

/** True while the thread exists that sched_open() took hold of. */
bool sched_alive(const struct sched_thread *thread);

/** Reads the state. Returns 0, or -errno (-ESRCH: gone). */
int sched_get(const struct sched_thread *thread, struct sched_state *ret);

/** Reads all but the slack, which is 0, of the thread with that TID. Returns 0, or -errno. */
int sched_get_class(pid_t tid, struct sched_state *ret);

/** True for a class that outranks every fair thread: there is nothing to boost. */
bool sched_is_realtime(const struct sched_state *state);

/** Gives the boost, with SCHED_RESET_ON_FORK. Returns 0, or -errno. */
int sched_give_boost(pid_t tid, const struct sched_boost *boost);

/**
 * Does the thread have what sched_give_boost() gave, or the same with a lower priority? The owner
 * of a real-time thread may lower its priority without a privilege, and would keep the class if
 * that were taken for another program's. What takes a privilege is another program's: a higher
 * priority, another real-time class, to clear SCHED_RESET_ON_FORK.
 * Returns 1; 0 if its class was changed since; -errno (-ESRCH: no such thread).
 */
int sched_has_boost(pid_t tid, const struct sched_boost *boost);

/**
 * Must the thread be given back what it had before? Yes if it has the boost, as above. Yes as well
 * if it was SCHED_IDLE before, and its owner has made it SCHED_OTHER or SCHED_BATCH since: that
 * takes a privilege of a SCHED_IDLE thread, and none of a real-time one.
 * Returns 1; 0: another program changed the class; -errno (-ESRCH: no such thread).
 */
int sched_is_ours(pid_t tid, const struct sched_boost *boost, const struct sched_state *before);

/**
 * Puts a state back, except for the nice value: the kernel kept that while the thread was
 * real-time, and a renice meanwhile stays. Returns 0, or -errno (-ESRCH: gone). Another thread with
 * the same TID may have been changed instead, unless the thread is alive afterwards: see
 * identity.h.
 */
int sched_restore(struct sched_thread *thread, const struct sched_state *state);

/** Puts a class back, with the timer slack that the kernel gives the thread then. Returns 0, or
 * -errno. */
int sched_restore_class(pid_t tid, const struct sched_state *state);

/**
 * For a thread that does not have what sched_give_boost() gave, although there is a record of it:
 * the daemon may have died before it boosted the thread, or within sched_restore(), when the class
 * was back and the slack was not. Returns 1 if that is so, and all is as in @state now; 0 if
 * another program changed it; -errno.
 */
int sched_finish_restore(struct sched_thread *thread, const struct sched_state *state);

/**
 * Gives a thread that a boosted thread made what it would have inherited from the state @parent:
 * because of SCHED_RESET_ON_FORK it starts as SCHED_OTHER with nice 0, and with the slack of a
 * real-time thread, which is 0. SCHED_BATCH is not put back: SCHED_OTHER is no privilege. Leaves
 * alone what is not as at that start any more.
 * Returns 0, or -errno (-ESRCH: gone).
 */
int sched_mend_child(struct sched_thread *child, const struct sched_state *parent);

/**
 * What a thread keeps for as long as it is managed, boosted or not.
 *
 * The slice of a fair thread (EEVDF, Linux 6.12) is how much CPU time it asks for at once. The less
 * it asks for, the sooner the scheduler serves it; what it gets in total is the same. The kernel
 * keeps it while the thread is real-time, and shows it only while the thread is fair.
 *
 * The clamp (CONFIG_UCLAMP_TASK) is the least utilization that the CPU frequency is chosen for
 * while the thread runs: 0..1024. The kernel keeps it in any class. A real-time thread that has
 * none of its own asks for 1024 (sched_util_clamp_min_rt_default).
 */
struct sched_standing {
	uint32_t policy;        /* as in struct sched_state */
	uint32_t reset_on_fork; /* 0 or 1 */
	uint64_t slice_ns;      /* 0: the thread is not fair, or Linux is before 6.12 */
	uint32_t util_min;      /* 0: none, or no CONFIG_UCLAMP_TASK */
};

#define SCHED_SLICE_NS_MIN (100 * NSEC_PER_USEC) /* the kernel's own limits */
#define SCHED_SLICE_NS_MAX (100 * NSEC_PER_MSEC)
#define SCHED_UTIL_MAX     1024

enum {
	SCHED_NOT_FAIR = 1, /* the thread's class is neither SCHED_OTHER nor SCHED_BATCH */
};

/** Reads it. Returns 0 and *ret, or -errno (-ESRCH: gone). */
int sched_get_standing(pid_t tid, struct sched_standing *ret);

/** Is it of a class that has a slice? */
bool sched_is_fair(const struct sched_standing *standing);

/**
 * Gives a slice, and sets SCHED_RESET_ON_FORK as told. 0: that of the host, which every thread has
 * that was given none. The call takes class and nice value along; if another program
 * changes these in the microsecond between reading them and the call, that is lost.
 * Returns 0; SCHED_NOT_FAIR: nothing is changed; -errno.
 */
int sched_give_slice(pid_t tid, uint64_t slice_ns, bool reset_on_fork);

/** Sets SCHED_RESET_ON_FORK alone. Returns 0; SCHED_NOT_FAIR: nothing is changed; -errno. */
int sched_set_reset_on_fork(pid_t tid, bool reset_on_fork);

/**
 * Gives a clamp; SCHED_CLAMP_NONE: takes it away, so that the host's counts. The first clamp of a
 * host switches clamps on in its kernel until it reboots. The kernel may wait for a CPU hotplug in
 * here, so the booster must not call it.
 * Returns 0; -EOPNOTSUPP: no CONFIG_UCLAMP_TASK; -EINVAL: above the maximum that another program
 * gave the thread; -errno.
 */
int sched_give_clamp(pid_t tid, uint32_t util_min);

#define SCHED_CLAMP_NONE UINT32_MAX

/** Has this kernel clamps? Changes nothing. */
bool sched_has_clamps(void);

/** Makes the calling thread SCHED_FIFO, reset on fork. Returns 0, or -errno. */
int sched_make_self_fifo(uint32_t priority);

/** Where a thread may run (0: the calling one). Returns 0 and *ret, or -errno. */
int sched_get_cpus(pid_t tid, struct cpu_set_bits *ret);

/**
 * Confines a thread (0: the calling one) to all of @cpus, or changes nothing.
 * Returns 0; SCHED_CPUS_MISSING and *missing, the CPUs that are not online or not in its cpuset;
 * -errno.
 */
int sched_set_cpus(pid_t tid, const struct cpu_set_bits *cpus, struct cpu_set_bits *missing);

enum {
	SCHED_CPUS_MISSING = 1,
};

/**
 * The CPUs that a thread with the affinity @cpus is meant to run on: all CPUs, also those that come
 * online later, if @cpus has all that are online now; else @cpus.
 */
void sched_get_home(const struct cpu_set_bits *cpus, struct cpu_set_bits *ret);

/** Sets the affinity of the calling thread to @home. Returns 0, or -errno: it is as it was. */
int sched_go_home(const struct cpu_set_bits *home);

/**
 * Runs the calling thread on @cpu for a moment, and then anywhere in @home again. It preempts the
 * thread that runs there, which has a lower priority. If that is a real-time thread, the kernel
 * pushes it to another CPU on which it may run, where nothing of its priority runs.
 * Returns 0, also if the calling thread cannot run on @cpu; SCHED_AWAY: it could not return to
 * @home.
 */
int sched_visit_cpu(unsigned int cpu, const struct cpu_set_bits *home);

/** Outcome of sched_visit_cpu(). */
enum {
	SCHED_AWAY = 1,
};
