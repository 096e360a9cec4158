/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Base vocabulary for every room, including the pure policy. Nothing here does I/O, logs, or reads
 * a clock.
 *
 * Return values, in the whole tree: 0 is success, a negative errno is a failure that the caller
 * forwards. A positive value is a documented outcome of one function, which its caller handles.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NSEC_PER_USEC UINT64_C(1000)
#define NSEC_PER_MSEC UINT64_C(1000000)
#define NSEC_PER_SEC  UINT64_C(1000000000)

/** A time that never comes. */
#define NSEC_NEVER UINT64_MAX

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#define MIN(a, b)                                                                                  \
	({                                                                                         \
		__typeof__(a) min_a_ = (a);                                                        \
		__typeof__(b) min_b_ = (b);                                                        \
		min_a_ < min_b_ ? min_a_ : min_b_;                                                 \
	})
#define MAX(a, b)                                                                                  \
	({                                                                                         \
		__typeof__(a) max_a_ = (a);                                                        \
		__typeof__(b) max_b_ = (b);                                                        \
		max_a_ > max_b_ ? max_a_ : max_b_;                                                 \
	})

#define PRINTF_FORMAT(fmt, args) __attribute__((format(printf, fmt, args)))
#define CLEANUP(function)        __attribute__((cleanup(function)))

/**
 * Hands a value over: evaluates to p and leaves `empty` in it, so that a cleanup attribute on the
 * variable does nothing any more.
 */
#define STEAL(p, empty)                                                                            \
	({                                                                                         \
		__typeof__(p) steal_value_ = (p);                                                  \
		(p) = (empty);                                                                     \
		steal_value_;                                                                      \
	})
