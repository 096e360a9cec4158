/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Finds the waiting threads without a walk over all threads: a queue per CPU, the threads that
 * another CPU may take, and the CPUs by what they run. The result is that of such a walk, ties
 * included: the lowest number.
 */

#include "world.h"

/** A thread begins to wait on its CPU; its state is set. */
void queue_add(struct world *world, uint32_t thread);

/** It no longer waits. Call this before its class or CPU changes. */
void queue_remove(struct world *world, uint32_t thread);

/** The thread that waits elsewhere and comes to @cpu; fair ones only if @fair. -1: none. */
int queue_pull(const struct world *world, uint32_t cpu, bool fair);

/** What runs on @cpu has changed, or its class has. */
void queue_mark(struct world *world, uint32_t cpu);

/** Another CPU with less urgent work, for that real-time thread to go to; -1: none. */
int queue_weaker_cpu(const struct world *world, const struct thread *thread);

/**
 * A CPU for a thread that woke: its last one if it can run there at once, else any such, else the
 * last.
 */
uint32_t queue_choose_cpu(const struct world *world, const struct thread *thread);
