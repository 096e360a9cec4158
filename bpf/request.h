/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

/*
 * Reads what a guest requests: the words of its page, in the context of the vCPU thread, when the
 * thread leaves its CPU and when a run lasts long. core/request.h turns the words into an urgency.
 */

#include "tables.h"

#include "core/run.h"

struct guest_line {
	__u64 request;
	__u64 expect;
	__u64 generation_echo;
	__u64 nonce;
	__u32 apic_id, cpu_index, agent_generation, reserved;
	__u64 written_ns;
};

_Static_assert(sizeof(struct guest_line) ==
                       __builtin_offsetof(struct pvsched_page, reserved5) -
                               __builtin_offsetof(struct pvsched_page, request),
               "guest line");

struct scheduler_line {
	__u64 task_intent;
	__u64 cs_state;
	__u64 interrupt_ack;
	__u64 pulse;
};

_Static_assert(__builtin_offsetof(struct scheduler_line, pulse) ==
                       __builtin_offsetof(struct pvsched_page, pulse) -
                               __builtin_offsetof(struct pvsched_page, task_intent),
               "scheduler line");

/*
 * Reads what the guest of the vCPU in @slot requests now. The vCPU thread must be the current task,
 * because the address is in QEMU's memory. The tracer cannot wait here for a page that is not
 * resident: then what was known stays.
 * @run  how long the vCPU has run in all
 */
__noinline int request_read(__u32 slot, __u64 now, __u64 run, __u32 asleep)
{
	struct pvs_vcpu_account *vcpu = bpf_map_lookup_elem(&vcpus, &slot);
	struct scheduler_line scheduler = {};
	struct guest_line line = {};
	struct pvs_request_look look = {.now_ns = now, .run_ns = run};
	__u64 address, expected;

	if (!vcpu)
		return 0;
	address = vcpu->page_address;
	if (!address)
		return 0; /* the daemon has just withdrawn the page */
	look.agent = !!(vcpu->flags & PVS_FLAG_AGENT);
	if (bpf_probe_read_user(
	            &line, sizeof(line),
	            (void *)(address + __builtin_offsetof(struct pvsched_page, request))) ||
	    (look.agent &&
	     bpf_probe_read_user(
	             &scheduler, sizeof(scheduler),
	             (void *)(address + __builtin_offsetof(struct pvsched_page, task_intent))))) {
		vcpu->page_faults++;
		return 0;
	}
	/* an agent that ends clears its generation, and leaves its last words there */
	look.agent = look.agent && line.agent_generation;
	look.request = line.request;
	look.expect = line.expect;
	look.written_ns = line.written_ns;
	look.generation_echo = line.generation_echo;
	look.task_intent = scheduler.task_intent;
	look.cs_state = scheduler.cs_state;
	look.pulse = scheduler.pulse;
	look.generation = vcpu->page_generation;
	look.ran_since_ns = vcpu->in_ns;
	expected = vcpu->request.expected_ns;
	pvs_request_look(&vcpu->request, &look);
	if (vcpu->flags & PVS_FLAG_BOOSTED)
		pvs_run_learn_urgency(vcpu, expected, now, asleep);
	return 0;
}

/*
 * In the deadline's callback: reports a vCPU that may be unboosted before its tokens end, because
 * its guest does ordinary work. Returns false if the vCPU has left the timer's CPU: then its page
 * cannot be read here, and its next switch reads it.
 */
static __always_inline bool request_check_running(struct pvs_vcpu_account *vcpu, __u32 slot,
                                                  __u64 now)
{
	if ((__u32)bpf_get_current_pid_tgid() != vcpu->tid)
		return false;
	if (vcpu->page_address)
		request_read(slot, now, vcpu->run_ns + now - vcpu->in_ns, false);
	if (pvs_run_is_ordinary(vcpu, now))
		event_send(slot, PVS_EVENT_ORDINARY, 0);
	return true;
}
