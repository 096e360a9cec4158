/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What the kernel does by itself against real-time threads that take a CPU: the net below the caps.
 * Since Linux 6.12 that is the fair server, a deadline server that gives ordinary threads a share
 * of each CPU. Kernels without it throttle: on a CPU on which real-time threads have used up
 * sched_rt_runtime_us of a period, none of them runs for the rest of it.
 */

#include <stdbool.h>

#include "util/base.h"

#define KERNEL_NET_FAIR_SERVER_DIR "/sys/kernel/debug/sched/fair_server"

struct kernel_net {
	bool fair_server;                /* the kernel has it; it may be switched off on a CPU */
	bool known;                      /* without it: sched_rt_runtime_us could be read */
	long long runtime_us, period_us; /* of throttling; a runtime below 0: switched off */
};

/** True if the kernel's BTF has a type or function of this name. @root as in kernel_net_look(). */
bool kernel_net_btf_has(const char *root, const char *name);

/** Is throttling switched off? Only where there is no fair server, and the values are known. */
static inline bool kernel_net_never_throttles(const struct kernel_net *net)
{
	return net->runtime_us < 0 || net->runtime_us >= net->period_us;
}

/**
 * Looks. Where debugfs is not mounted the kernel's BTF tells whether there is a fair server.
 * @root is put before all paths: "" for the running kernel. Reads several MB: not for a thread that
 * must not wait.
 */
void kernel_net_look(const char *root, struct kernel_net *ret);
