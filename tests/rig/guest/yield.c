/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * A vCPU that wants another one to go first, as a kernel does that waits for a lock: by a hypercall
 * of KVM's. From user space KVM refuses it, but not before it has traced it.
 */

#include <cpuid.h>

#include "commands.h"

#define HYPERCALL_SCHED_YIELD 11
#define VENDOR_AMD_EBX        0x68747541 /* "Auth" */

static void hypercall_amd(unsigned long number, unsigned long argument)
{
	__asm__ volatile("vmmcall" : "+a"(number) : "b"(argument) : "memory");
}

static void hypercall_intel(unsigned long number, unsigned long argument)
{
	__asm__ volatile("vmcall" : "+a"(number) : "b"(argument) : "memory");
}

/* Hygon's CPUs have AMD's instruction, too; the guests of this rig are none. */
void yield_often(long calls, long period_us, long seconds)
{
	int64_t end = now_ns() + seconds * 1000000000LL;
	unsigned int eax, ebx = 0, ecx, edx;
	bool is_amd;

	__get_cpuid(0, &eax, &ebx, &ecx, &edx);
	is_amd = ebx == VENDOR_AMD_EBX;
	while (now_ns() < end) {
		for (long i = 0; i < calls; i++)
			(is_amd ? hypercall_amd : hypercall_intel)(HYPERCALL_SCHED_YIELD, 0);
		sleep_until(now_ns() + period_us * 1000);
	}
}
