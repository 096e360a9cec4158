/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Which CPUs to avoid by steal time, where no host tells: the governor of the host
 * (policy/governor.h), with this machine as the domain that waits. What others there may have is
 * not known. So it competes with a domain that outweighs it: this machine shrinks to what it gets
 * in fact, and whether there is room again is found by trying. Pure; time is a parameter.
 */

#include "policy/governor.h"
#include "pvsched/channel.h"
#include "util/cpulist.h"

#define STEAL_CPUS_MAX PVSCHED_CHANNEL_CPUS_MAX

/** Ticks since the start, of each CPU; of one that is offline, or has no line, 0. */
struct steal_sample {
	uint64_t ticks_per_s;
	uint64_t ran[STEAL_CPUS_MAX], stolen[STEAL_CPUS_MAX];
};

struct steal {
	struct governor_rule rule;
	struct governor_course course;
	struct steal_sample before;
	struct cpu_set_bits online; /* at the last look */
	uint64_t looked_ns;         /* 0: never */
	uint32_t avoided[STEAL_CPUS_MAX];
	uint32_t contention_permille;
};

/** Takes the text of /proc/stat. Returns 0, or -EBADMSG. */
int steal_parse(const char *text, uint64_t ticks_per_s, struct steal_sample *ret);

void steal_init(struct steal *steal);

/**
 * One look. *avoid gets what is to be avoided. Returns true if the next look is due after
 * GOVERNOR_INTERVAL_NS: this machine waits, or avoids CPUs.
 */
bool steal_look(struct steal *steal, const struct steal_sample *sample,
                const struct cpu_set_bits *online, uint64_t now_ns, struct cpu_set_bits *avoid);
