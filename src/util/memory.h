/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Memory for threads that may not wait for the disk.
 */

#include "util/base.h"

/**
 * Keeps what is mapped now in memory. All that can be written, and the code of the program itself,
 * of libc, libbpf and liburing, is there when this returns. Of other libraries, of which real-time
 * threads call nothing, what is used later stays from then on; their code that was needed to start
 * is let go of. All of them are many times as large. Returns 0, or -errno: -EPERM, -ENOMEM when the
 * limit RLIMIT_MEMLOCK is too low.
 */
int memory_lock(void);
