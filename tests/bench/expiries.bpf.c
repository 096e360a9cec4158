// SPDX-License-Identifier: GPL-2.0-only
/* The instrument of `deadline`: see expiries.h. Shares no code with the tracer. */
#include <linux/bpf.h>

#include "kernel.h"

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "expiries.h"

char LICENSE[] SEC("license") = "GPL";

struct hrtimer {
	void *function;
} __attribute__((preserve_access_index));

struct expiry expiries[_EXPIRY_MAX][EXPIRIES_CPUS_MAX];

/* Written by the benchmark: the kernel's callback for each kind. */
const volatile __u64 callbacks[_EXPIRY_MAX];

SEC("tp_btf/hrtimer_expire_entry")
int BPF_PROG(on_expire, struct hrtimer *timer)
{
	__u32 cpu = bpf_get_smp_processor_id() % EXPIRIES_CPUS_MAX;
	__u64 function = (__u64)timer->function;

	for (int kind = 0; kind < _EXPIRY_MAX; kind++) {
		if (function != callbacks[kind])
			continue;
		expiries[kind][cpu].timer = (__u64)timer;
		expiries[kind][cpu].since_ns = bpf_ktime_get_ns();
	}
	return 0;
}

SEC("tp_btf/hrtimer_expire_exit")
int BPF_PROG(on_expired, struct hrtimer *timer)
{
	__u32 cpu = bpf_get_smp_processor_id() % EXPIRIES_CPUS_MAX;

	for (int kind = 0; kind < _EXPIRY_MAX; kind++) {
		struct expiry *expiry = &expiries[kind][cpu];

		if (expiry->timer != (__u64)timer)
			continue;
		expiry->timer = 0;
		expiry->ns += bpf_ktime_get_ns() - expiry->since_ns;
		expiry->count++;
	}
	return 0;
}
