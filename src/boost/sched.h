/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Scheduling attributes of a thread: the only file with scheduling system calls. Allocates nothing
 * and uses no stdio, so that the guardian may call all of it.
 */

#include <sys/types.h>

#include "util/base.h"

/** What a boost changes, and what is put back. */
struct sched_state {
	uint32_t policy;        /* SCHED_OTHER, ... without SCHED_RESET_ON_FORK */
	uint32_t priority;      /* of a real-time policy; else 0 */
	int32_t nice;           /* also known for a real-time thread: what it falls back to */
	uint32_t reset_on_fork; /* 0 or 1 */
	uint64_t slice_ns;      /* custom slice (Linux 6.12); 0: the kernel's */
	uint64_t slack_ns;      /* timer slack */
};

/** The class and priority a boost gives. */
struct sched_boost {
	uint32_t policy;   /* SCHED_FIFO or SCHED_RR */
	uint32_t priority; /* 1..99 */
};

/**
 * Learns which slice the kernel gives a thread that asked for none, from the calling thread, which
 * must be one. Without it a slice can't be told from a custom one, and none is taken for custom.
 */
void sched_learn_default_slice(void);

/**
 * Opens what stays with one thread: /proc/TID/timerslack_ns, which answers -ESRCH for ever once
 * that very thread is gone, whoever has its number then. Returns the fd, or -errno.
 */
int sched_open(pid_t tid);

/** True while the thread that sched_open() was called for exists. */
bool sched_alive(int fd);

/** Reads the state. @fd as from sched_open(). Returns 0, or -errno (-ESRCH: gone). */
int sched_get(pid_t tid, int fd, struct sched_state *ret);

/** True for a class that outranks every fair thread: nothing to boost there. */
bool sched_is_realtime(const struct sched_state *state);

/** Gives the boost, with SCHED_RESET_ON_FORK. Returns 0, or -errno. */
int sched_raise(pid_t tid, const struct sched_boost *boost);

/**
 * Does the thread have what sched_raise() gave?
 * Returns 1 if so, 0 if somebody changed it since, -errno (-ESRCH: no such thread).
 */
int sched_is_raised(pid_t tid, const struct sched_boost *boost);

/**
 * Puts a state back. The nice value is the one it has now, which was kept aside by the kernel while
 * it was real-time and which a renice in between has changed: the later one wins. Returns 0, or
 * -errno.
 */
int sched_restore(pid_t tid, int fd, const struct sched_state *state);

/**
 * For a thread that does not have what sched_raise() gave, though a record says so: whoever wrote
 * the record may have died before it raised the thread, or amid sched_restore(), when the class was
 * back and the slack was not.
 * Returns 1 if that is so, and all is as in @state now; 0 if somebody changed it since; -errno.
 */
int sched_finish_restore(pid_t tid, int fd, const struct sched_state *state);

/**
 * Gives a thread that a boosted one made what it would have inherited from the state @parent: with
 * SCHED_RESET_ON_FORK it starts with nice 0, and with the slack of a real-time thread, none.
 * Nothing is done to one whose class or nice is not that start any more.
 * Returns 0, or -errno.
 */
int sched_mend_child(pid_t tid, const struct sched_state *parent);

/** Makes the calling thread SCHED_FIFO, reset on fork. Returns 0, or -errno. */
int sched_make_self_fifo(uint32_t priority);
