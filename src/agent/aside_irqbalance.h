/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * irqbalance puts interrupts where it likes, every ten seconds. Its socket takes a list of CPUs
 * that it is to leave alone, which holds while it runs, in place of that of its configuration.
 */

#include "util/base.h"
#include "util/cpulist.h"

enum aside_irqbalance {
	ASIDE_IRQBALANCE_ABSENT, /* it does not run */
	ASIDE_IRQBALANCE_TOLD,
	ASIDE_IRQBALANCE_FAILED, /* it did not take the list */
	_ASIDE_IRQBALANCE_MAX,
};

/**
 * Tells irqbalance, whose socket is in @directory, to leave @avoided alone beside what it leaves
 * alone already, of which *prior gets the list; an empty @avoided: to go by its configuration
 * again. Waits for 200 ms at most.
 */
enum aside_irqbalance aside_irqbalance_tell(const char *directory,
                                            const struct cpu_set_bits *avoided,
                                            struct cpu_set_bits *prior);

/** The mask in the answer to "setup". Returns 0, or -EBADMSG. */
int aside_irqbalance_parse(const char *text, struct cpu_set_bits *ret);
