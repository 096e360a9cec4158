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
 * What a boost changes, and what is put back. A custom slice (Linux 6.12) is not here: the kernel
 * keeps it, as it keeps the nice value, which is here for the threads that this one makes.
 */
struct sched_state {
	uint32_t policy;        /* SCHED_OTHER, ... without SCHED_RESET_ON_FORK */
	uint32_t priority;      /* of a real-time policy; else 0 */
	int32_t nice;           /* of a fair thread; else 0 */
	uint32_t reset_on_fork; /* 0 or 1 */
	uint64_t slack_ns;      /* timer slack */
};

/**
 * A thread by its number and by two files of /proc/TID that answer -ESRCH for ever once that very
 * thread is gone, whoever has its number then: timerslack_ns, and oom_score_adj, which says
 * nothing else that we want but in half of the time.
 */
struct sched_thread {
	pid_t tid;
	int slack_fd, life_fd;
	/* what slack the kernel gives it when its boost ends, as seen last, and as known;
	 * NSEC_NEVER */
	uint64_t slack_seen_ns, slack_given_ns;
};

#define SCHED_THREAD_NULL                                                                          \
	((struct sched_thread){                                                                    \
	        .slack_fd = -1,                                                                    \
	        .life_fd = -1,                                                                     \
	        .slack_seen_ns = NSEC_NEVER,                                                       \
	        .slack_given_ns = NSEC_NEVER,                                                      \
	})

/** The class and priority a boost gives. */
struct sched_boost {
	uint32_t policy;   /* SCHED_FIFO or SCHED_RR */
	uint32_t priority; /* 1..99 */
};

/** Takes hold of the thread that has that number now. Returns 0 and *ret, or -errno. */
int sched_open(pid_t tid, struct sched_thread *ret);

/** Lets go of it, if it was had. */
void sched_close(struct sched_thread *thread);

/** True while the thread exists that sched_open() took hold of. */
bool sched_alive(const struct sched_thread *thread);

/** Reads the state. Returns 0, or -errno (-ESRCH: gone). */
int sched_get(const struct sched_thread *thread, struct sched_state *ret);

/** All but the slack, which is 0, of whoever has that number. Returns 0, or -errno (-ESRCH). */
int sched_get_class(pid_t tid, struct sched_state *ret);

/** True for a class that outranks every fair thread: nothing to boost there. */
bool sched_is_realtime(const struct sched_state *state);

/** Gives the boost, with SCHED_RESET_ON_FORK. Returns 0, or -errno. */
int sched_raise(pid_t tid, const struct sched_boost *boost);

/**
 * Does the thread have what sched_raise() gave?
 * Returns 1 if so, 0 if somebody changed it since, -errno (-ESRCH: no such thread).
 */
int sched_is_raised(pid_t tid, const struct sched_boost *boost);

/** Whose thread had a number, and since when it runs. */
struct sched_origin {
	pid_t tid;
	pid_t process; /* 0: not known, or its first thread has a boost of its own */
	uint64_t start_ticks;
};

/**
 * A thread that calls exec goes on under the number of its process's first thread, which has ended
 * then, as all others. If that number has the boost, and @origin's is no thread of that process any
 * more, it gets back what @state says. Returns 1; 0: it was not so; -errno: it has the boost still.
 */
int sched_restore_exec(const struct sched_origin *origin, const struct sched_boost *boost,
                       const struct sched_state *state);

/**
 * Puts a state back. The nice value is the one it has now, which was kept aside by the kernel while
 * it was real-time and which a renice in between has changed: the later one wins. Returns 0, or
 * -errno (-ESRCH: gone). It may have been another thread of its number that was changed, unless
 * the thread is alive afterwards.
 */
int sched_restore(struct sched_thread *thread, const struct sched_state *state);

/**
 * For a thread that does not have what sched_raise() gave, though a record says so: whoever wrote
 * the record may have died before it raised the thread, or amid sched_restore(), when the class was
 * back and the slack was not.
 * Returns 1 if that is so, and all is as in @state now; 0 if somebody changed it since; -errno.
 */
int sched_finish_restore(struct sched_thread *thread, const struct sched_state *state);

/**
 * Gives a thread that a boosted one made what it would have inherited from the state @parent: with
 * SCHED_RESET_ON_FORK it starts with nice 0, and with the slack of a real-time thread, none.
 * Nothing is done to one whose class or nice is not that start any more.
 * Returns 0, or -errno.
 */
int sched_mend_child(pid_t tid, const struct sched_state *parent);

/** Makes the calling thread SCHED_FIFO, reset on fork. Returns 0, or -errno. */
int sched_make_self_fifo(uint32_t priority);

/** Where a thread may run (0: the calling one). Returns 0 and *ret, or -errno. */
int sched_get_cpus(pid_t tid, struct cpu_set_bits *ret);

/**
 * Confines a thread (0: the calling one) to @cpus, all of them or nothing.
 * Returns 0; SCHED_CPUS_MISSING and *missing, those that are not online or outside its cpuset: then
 * it may run where it could before; -errno, likewise.
 */
int sched_set_cpus(pid_t tid, const struct cpu_set_bits *cpus, struct cpu_set_bits *missing);

enum {
	SCHED_CPUS_MISSING = 1,
};

/**
 * Where a thread may run that has the affinity @cpus: one that may run on all CPUs that are online
 * may on those that come later, too.
 */
void sched_get_home(const struct cpu_set_bits *cpus, struct cpu_set_bits *ret);

/** The calling thread may run there again. Returns 0, or -errno: it may where it is, only. */
int sched_go_home(const struct cpu_set_bits *home);

/**
 * Has the calling thread run on @cpu for a moment, and then anywhere in @home again. Whom it
 * preempts there, being more urgent, is taken elsewhere by the kernel, if it is a real-time thread
 * and may run on a CPU that does nothing as urgent.
 * Returns 0, also if it can't go there; SCHED_AWAY: it did not come home.
 */
int sched_visit_cpu(unsigned int cpu, const struct cpu_set_bits *home);

/** Outcome of sched_visit_cpu(). */
enum {
	SCHED_AWAY = 1,
};
