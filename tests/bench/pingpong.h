/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <sys/types.h>

#include "util/base.h"

/**
 * Two threads on one CPU pass a byte to and fro through pipes for @for_ns: nearly nothing but
 * switches, two a round. @on_start is told the tid of the one that answers, before it begins.
 * @ns  room for @max round trips
 * Returns how many were stored, or -errno.
 */
ssize_t pingpong_run(unsigned int cpu, uint64_t for_ns, uint32_t *ns, size_t max,
                     void (*on_start)(void *userdata, pid_t tid), void *userdata);
