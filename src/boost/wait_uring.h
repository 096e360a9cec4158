/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Waiting by io_uring, for wait.c alone. As the functions of wait.h, except for what is said. */

#include "util/base.h"

struct wait_uring;

/** @fds must outlive it. */
int wait_uring_open(struct wait_uring **ret, const int *fds, unsigned int n_fds);

/** Takes NULL; returns NULL. */
struct wait_uring *wait_uring_close(struct wait_uring *uring);

/**
 * @timeout_ns  from now; NSEC_NEVER: none
 * Returns 0 and *ready; -errno: it must not be used any more.
 */
int wait_uring_for(struct wait_uring *uring, uint64_t timeout_ns, uint32_t *ready);
