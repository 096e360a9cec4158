/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Who waits where, found without a walk over all threads: a queue per CPU, the threads that another
 * CPU may take, and the CPUs by what they run. What is found is what such a walk would find, ties
 * included: the lowest number.
 */

#include "world.h"

/** A thread begins to wait on its CPU; its state is set. */
void queue_add(struct world *world, uint32_t thread);

/** It does not wait any more. Before its class or CPU changes. */
void queue_remove(struct world *world, uint32_t thread);

/** Which of the threads that wait elsewhere is to come to @cpu; fair ones only if @fair. -1. */
int queue_pull(const struct world *world, uint32_t cpu, bool fair);

/** What runs on @cpu has changed, or its class has. */
void queue_mark(struct world *world, uint32_t cpu);

/** Another CPU, which does nothing as urgent as that real-time thread, for it to go to; -1. */
int queue_weaker_cpu(const struct world *world, const struct thread *thread);

/**
 * A CPU for a thread that woke: its last one if it can run there at once, else any such, else the
 * last.
 */
uint32_t queue_choose_cpu(const struct world *world, const struct thread *thread);
