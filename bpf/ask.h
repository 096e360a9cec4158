/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

/*
 * What a guest asks for: the words of its page, read in the context of the vCPU thread, at the
 * moments at which they matter. Whatever they are, nothing but a few counters and one of three
 * opinions comes of them.
 */

#include "tables.h"

#include "pvsched/page.h"

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

struct intent_line {
	__u64 task_intent;
	__u64 cs_state;
};

static __always_inline enum pvsched_ask ask_valid(struct pvs_vcpu_account *vcpu,
                                                  enum pvsched_ask ask)
{
	if (ask == PVSCHED_ASK_INVALID)
		vcpu->ask_invalid++;
	return ask;
}

/* They are renewed by being changed: what a dead guest left behind lapses. */
static __always_inline void ask_note_change(struct pvs_vcpu_account *vcpu,
                                            const struct guest_line *line,
                                            const struct intent_line *intent, __u64 now)
{
	__u64 since = vcpu->in_ns > vcpu->ask_read_ns ? vcpu->in_ns : vcpu->ask_read_ns;
	__u32 us;

	if (vcpu->ask_changed_ns && vcpu->ask_words[0] == line->request &&
	    vcpu->ask_words[1] == intent->task_intent && vcpu->ask_words[2] == intent->cs_state)
		return;
	if (!vcpu->ask_changed_ns || vcpu->ask_words[0] != line->request)
		vcpu->ask_request_ns = now;
	if (!vcpu->ask_changed_ns || vcpu->ask_words[1] != intent->task_intent ||
	    vcpu->ask_words[2] != intent->cs_state)
		vcpu->ask_intent_ns = now;
	if (vcpu->ask_words[0] != line->request) {
		us = pvsched_expect_us(line->expect, line->request);
		vcpu->ask_expected_ns = 0;
		if (us) {
			vcpu->ask_request_ns = pvs_guest_clock_to_host(
			        &vcpu->ask_clock, line->written_ns, since, now);
			vcpu->ask_expected_ns = vcpu->ask_request_ns + us * 1000ULL;
		}
	}
	vcpu->ask_words[0] = line->request;
	vcpu->ask_words[1] = intent->task_intent;
	vcpu->ask_words[2] = intent->cs_state;
	vcpu->ask_changed_ns = now;
}

/* A voice that was not renewed has lapsed, whatever the other one does. */
static __always_inline enum pvsched_ask ask_in_force(enum pvsched_ask ask, __u64 since, __u64 now)
{
	return now - since > PVSCHED_REQUEST_LEASE_NS ? PVSCHED_ASK_NONE : ask;
}

/*
 * Reads what the guest of the vCPU in @slot says now. Only while the vCPU thread is the current
 * task: its memory is QEMU's. A page that is not resident can't be waited for here; what was known
 * stays.
 */
__noinline int ask_read(__u32 slot, __u64 now, __u32 asleep)
{
	struct pvs_vcpu_account *vcpu = bpf_map_lookup_elem(&vcpus, &slot);
	struct intent_line intent = {};
	struct guest_line line = {};
	__u64 address, expected;
	enum pvsched_ask ask;

	if (!vcpu)
		return 0;
	address = vcpu->page_address;
	if (!address)
		return 0; /* taken away just now */
	if (bpf_probe_read_user(
	            &line, sizeof(line),
	            (void *)(address + __builtin_offsetof(struct pvsched_page, request)))) {
		vcpu->ask_faults++;
		return 0;
	}
	if (line.generation_echo != vcpu->page_generation) {
		vcpu->ask_stale++;
		vcpu->ask = PVSCHED_ASK_NONE;
		return 0;
	}
	if ((vcpu->flags & PVS_FLAG_AGENT) &&
	    bpf_probe_read_user(
	            &intent, sizeof(intent),
	            (void *)(address + __builtin_offsetof(struct pvsched_page, task_intent)))) {
		vcpu->ask_faults++;
		return 0;
	}
	expected = vcpu->ask_expected_ns;
	ask_note_change(vcpu, &line, &intent, now);
	ask = ask_in_force(ask_valid(vcpu, pvsched_request_ask(line.request)), vcpu->ask_request_ns,
	                   now);
	if (vcpu->flags & PVS_FLAG_AGENT)
		ask = pvsched_ask_merge(
		        ask, ask_in_force(ask_valid(vcpu, pvsched_intent_ask(intent.task_intent,
		                                                             intent.cs_state)),
		                          vcpu->ask_intent_ns, now));
	if (ask == PVSCHED_ASK_INVALID)
		ask = PVSCHED_ASK_NONE;
	vcpu->ask = ask;
	vcpu->ask_read_ns = now;
	if (ask <= PVSCHED_ASK_URGENT)
		vcpu->ask_counts[ask]++;
	if (vcpu->flags & PVS_FLAG_ELEVATED)
		pvs_vcpu_ask_learn(vcpu, expected, now, asleep);
	return 0;
}

/*
 * In the deadline's callback: may it be given back before its tokens end? Returns false where that
 * can't be seen: the timer's CPU is not the thread's any more, its next switch will tell.
 */
static __always_inline bool ask_check_running(struct pvs_vcpu_account *vcpu, __u32 slot, __u64 now)
{
	struct pvs_ask_run run;
	__u64 since;

	if ((__u32)bpf_get_current_pid_tgid() != vcpu->tid)
		return false;
	if (vcpu->page_address)
		ask_read(slot, now, false);
	run = pvs_vcpu_ask_run(vcpu);
	since = pvs_ask_ordinary_since(&run);
	if (since && since + run.grace_ns <= now && (vcpu->flags & PVS_FLAG_REPORT_ORDINARY))
		event_send(slot, PVS_EVENT_ORDINARY, 0);
	return true;
}
