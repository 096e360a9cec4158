/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* A hello of a guest with some CPUs, to be sent or broken. */

#include "channel/hello.h"
#include "test.h"
#include "util/frames.h"

#define HELLO_CPUS 3

struct hello_frame {
	struct pvsched_channel_hello hello;
	struct pvsched_channel_policy policies[2];
	struct pvsched_channel_cpu cpus[HELLO_CPUS];
};

static inline struct hello_frame hello_frame(void)
{
	struct hello_frame f;

	memset(&f, 0, sizeof(f));
	f.hello.head = frame_head(PVSCHED_CHANNEL_HELLO, sizeof(f));
	f.hello.abi_version = PVSCHED_ABI_VERSION;
	f.hello.agent_generation = 7;
	f.hello.n_policies = 2;
	f.hello.n_cpus = HELLO_CPUS;
	f.hello.cs_unavailable = PVSCHED_CS_NMI | PVSCHED_CS_PREEMPT;
	strcpy(f.hello.agent_version, "0.1.0");
	strcpy(f.hello.kernel, "6.1.0-42-amd64");
	strcpy(f.policies[0].name, "newer");
	f.policies[0].version = 1;
	strcpy(f.policies[1].name, PVSCHED_POLICY_NAME);
	f.policies[1].version = PVSCHED_POLICY_VERSION;
	for (uint32_t i = 0; i < HELLO_CPUS; i++)
		f.cpus[i] = (struct pvsched_channel_cpu){i, 2 * i, (16 + i) * PVSCHED_PAGE_SIZE};
	return f;
}
