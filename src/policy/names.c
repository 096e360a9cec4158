// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/names.h"

const char *policy_state_name(enum policy_state state)
{
	switch (state) {
	case POLICY_UNBOOSTED:
		return "unboosted";
	case POLICY_ARMED:
		return "armed";
	case POLICY_THROTTLED:
		return "throttled";
	case POLICY_FOREIGN:
		return "foreign";
	case _POLICY_STATE_MAX:
		break;
	}
	return "?";
}

static const char *const names[_POLICY_REASON_MAX] = {
        [POLICY_REASON_DISABLED] = "disabled",
        [POLICY_REASON_BREAKER] = "breaker",
        [POLICY_REASON_GUARDIAN] = "guardian",
        [POLICY_REASON_PREEMPT_RT] = "preempt-rt",
        [POLICY_REASON_NO_TRACER] = "no-tracer",
        [POLICY_REASON_PAUSED] = "paused",
        [POLICY_REASON_UNPROVEN] = "unproven",
        [POLICY_REASON_QUOTA] = "quota",
        [POLICY_REASON_RT_REFUSED] = "rt-refused",
        [POLICY_REASON_ALREADY_RT] = "already-rt",
        [POLICY_REASON_HOUSEKEEPING] = "housekeeping",
        [POLICY_REASON_LEVERS] = "levers",
        [POLICY_REASON_ADMISSION] = "admission",
        [POLICY_REASON_FAILED] = "failed",
        [POLICY_REASON_HARMFUL] = "harmful",
        [POLICY_REASON_NEEDLESS] = "needless",
        [POLICY_REASON_COMPARED] = "compared",
        [POLICY_REASON_PROFILE] = "profile",
        [POLICY_REASON_AUTO] = "auto",
        [POLICY_REASON_BUDGET] = "budget",
        [POLICY_REASON_BACKOFF] = "backoff",
        [POLICY_REASON_DOMAIN_CAP] = "domain-cap",
        [POLICY_REASON_CPU_CAP] = "cpu-cap",
        [POLICY_REASON_CPU_REAL_TIME] = "cpu-real-time",
        [POLICY_REASON_SOFTIRQ] = "softirq",
        [POLICY_REASON_UNSEEN] = "unseen",
        [POLICY_REASON_RATE] = "rate",
        [POLICY_REASON_AWAKE] = "awake",
        [POLICY_REASON_ORDINARY] = "ordinary",
        [POLICY_REASON_NO_REQUEST] = "no-request",
        [POLICY_REASON_REQUESTED] = "requested",
        [POLICY_REASON_COMMAND] = "command",
        [POLICY_REASON_WITHIN] = "within-budget",
        [POLICY_REASON_FOREIGN] = "foreign",
        [POLICY_REASON_RELEASED] = "released",
        [POLICY_REASON_HELPER] = "helper",
        [POLICY_REASON_NO_DEADLINE] = "no-deadline",
        [POLICY_REASON_ATTENTION] = "attention",
        [POLICY_REASON_NO_SLOT] = "no-slot",
        [POLICY_REASON_NOT_TRACED] = "not-traced",
        [POLICY_REASON_INTERRUPT] = "interrupt",
        [POLICY_REASON_SPIN] = "spin",
        [POLICY_REASON_NOT_URGENT] = "not-urgent",
        [POLICY_REASON_AWAITED] = "awaited",
        [POLICY_REASON_FOLLOWS] = "follows",
        [POLICY_REASON_NOT_AWAITED] = "not-awaited",
};

static const char *const texts[_POLICY_REASON_MAX] = {
        [POLICY_REASON_DISABLED] =
                "Boosting is switched off for the whole host; `pvschedctl enable` switches it "
                "on.",
        [POLICY_REASON_BREAKER] =
                "Too many unclean ends, or acts of the guardian, opened the circuit breaker. "
                "After ten minutes or more vCPUs are boosted again, on probation; look at the "
                "journal, or `pvschedctl enable`.",
        [POLICY_REASON_GUARDIAN] =
                "No guardian process answers that could give everything back; the daemon starts "
                "one again by itself.",
        [POLICY_REASON_PREEMPT_RT] =
                "This is a PREEMPT_RT kernel: what ends a boost runs in threads there, which a "
                "boosted vCPU would starve. Observed only.",
        [POLICY_REASON_NO_TRACER] =
                "The kernel refused the BPF tracer or its timers, so nothing could tell when a "
                "budget ends; see `pvschedctl doctor`.",
        [POLICY_REASON_ATTENTION] =
                "The events of its domain took more of the booster's time than its part of "
                "host.booster_permille; it is heard again in a moment.",
        [POLICY_REASON_NO_SLOT] =
                "It is not measured: the slots are taken, and other domains have no more of them "
                "than its own. Give domains that need no boost the profile \"off\".",
        [POLICY_REASON_NOT_TRACED] =
                "It is not measured: the kernel or the booster did not take its thread on; the "
                "journal says why. It is tried again.",
        [POLICY_REASON_PAUSED] = "The domain is paused, saved or being migrated.",
        [POLICY_REASON_UNPROVEN] =
                "The thread has the name of a vCPU, but neither its cgroup nor libvirt confirms "
                "it.",
        [POLICY_REASON_QUOTA] =
                "A CFS quota holds for the domain or a group above it; real-time run time would "
                "escape it. Remove the quota (virsh schedinfo; qm set --delete cpulimit) or leave "
                "the domain unboosted.",
        [POLICY_REASON_RT_REFUSED] =
                "The kernel refuses real-time classes in the vCPU's cgroup (RT_GROUP_SCHED "
                "without budget); see `pvschedctl doctor` and host.grant_rt_budget.",
        [POLICY_REASON_ALREADY_RT] =
                "The thread has a real-time class that is not from pvschedd (<vcpusched>, "
                "chrt); it is left alone.",
        [POLICY_REASON_HOUSEKEEPING] = "The vCPU may only run on housekeeping CPUs.",
        [POLICY_REASON_LEVERS] = "The levers of its profile do not include \"rt\", so it stays a "
                                 "fair thread; or its "
                                 "slice is being changed at this moment.",
        [POLICY_REASON_ADMISSION] =
                "Other vCPUs have all real-time share of the CPUs that it may run on.",
        [POLICY_REASON_FAILED] = "The boost failed: the scheduler call was refused, the thread had "
                                 "ended, or the booster "
                                 "has no real-time class. The journal says which.",
        [POLICY_REASON_HARMFUL] =
                "On its CPUs vCPUs waited longer with boosts than without, and its domain used "
                "most of these; it is tried again in a moment. Fewer vCPUs with such a profile, or "
                "more CPUs, would help.",
        [POLICY_REASON_NEEDLESS] =
                "Its domain's vCPUs had no late wait without boosts either; it is boosted again "
                "once they have, or after a moment.",
        [POLICY_REASON_COMPARED] =
                "For a fraction of a second nothing is boosted on its CPUs, so that waits with "
                "boosts and without can be compared.",
        [POLICY_REASON_PROFILE] =
                "Its profile does not boost; `pvschedctl policy set DOM latency` would.",
        [POLICY_REASON_AUTO] =
                "Its profile learns whether boosts are worth it, and what was learned does not "
                "speak for them now.",
        [POLICY_REASON_BUDGET] =
                "It used up its burst; it is armed again when its bucket is full and its guest "
                "is idle.",
        [POLICY_REASON_BACKOFF] =
                "It used up its burst several times in a row: its demand is steady and needs "
                "throughput, which boosts do not give.",
        [POLICY_REASON_DOMAIN_CAP] =
                "All vCPUs of the domain together reached host.domain_share_permille.",
        [POLICY_REASON_CPU_CAP] =
                "All real-time threads of its CPU together, those of other programs included, "
                "reached host.cpu_share_permille.",
        [POLICY_REASON_CPU_REAL_TIME] =
                "In the last second, real-time threads ran on its CPU for all of the time that "
                "they may, so that ordinary threads, and what ends boosts, keep the rest; "
                "`pvschedctl status --json` shows how much (sheet_used_permille).",
        [POLICY_REASON_SOFTIRQ] =
                "The kernel's ksoftirqd had to wait behind it for a millisecond: that CPU has "
                "network or disk load. Linux 6.5 and later need not end boosts for that.",
        [POLICY_REASON_UNSEEN] =
                "It was woken, and the tracer did not see it run for ten milliseconds. It may "
                "have run uncharged, so the boost ended.",
        [POLICY_REASON_RATE] = "More changes in a second than host.max_changes_per_s.",
        [POLICY_REASON_AWAKE] = "It is armed the next time its guest is idle.",
        [POLICY_REASON_ORDINARY] =
                "Its guest says that nothing urgent runs. It keeps its tokens, and is boosted "
                "again when it sleeps, when its guest requests it, or when the guest said that "
                "it would be urgent.",
        [POLICY_REASON_NOT_URGENT] =
                "Its policy boosts it only while its guest says that urgent work waits, and it "
                "says no such thing now; see `pvschedctl policies`.",
        [POLICY_REASON_FOLLOWS] =
                "It works for its domain, which waits for it: it is boosted for one run, with "
                "tokens of the domain.",
        [POLICY_REASON_NO_REQUEST] =
                "Its profile boosts only guests that make requests, and this guest makes none; "
                "see pvsched-protocol(7) and `pvschedctl attach`.",
        [POLICY_REASON_REQUESTED] = "It is boosted while awake, since its guest requested it.",
        [POLICY_REASON_COMMAND] = "It is boosted by `pvschedctl boost`, while its tokens last.",
        [POLICY_REASON_WITHIN] =
                "It is boosted; its next wake-ups are served at once while its tokens last.",
        [POLICY_REASON_FOREIGN] =
                "Another program changed the thread's scheduling; the thread is left alone "
                "until `pvschedctl policy set` or a rescan.",
        [POLICY_REASON_RELEASED] =
                "It was released by `pvschedctl release`; `policy set` boosts it again.",
        [POLICY_REASON_HELPER] =
                "A thread that works for its own domain (emulator, iothread or vhost) waited on "
                "its CPU while boosted vCPUs of the domain ran there for a millisecond; "
                "`pvschedctl show` says which. Pin it elsewhere (virsh emulatorpin, "
                "iothreadpin; without libvirt, taskset).",
        [POLICY_REASON_NO_DEADLINE] =
                "The kernel could not start the timer that ends its boost, so the boost ended; "
                "it is armed again when its guest is idle. `pvschedctl doctor` counts these.",
        [POLICY_REASON_INTERRUPT] =
                "It is boosted for a moment, since an interrupt came while it waited to run.",
        [POLICY_REASON_AWAITED] =
                "It is boosted for a moment, since another vCPU of its domain waits for it.",
        [POLICY_REASON_NOT_AWAITED] =
                "It is boosted only while a vCPU of its domain waits for it, and none does now: it "
                "works for that domain, or its policy has it so; see `pvschedctl policies`.",
        [POLICY_REASON_SPIN] =
                "The guest was spinning on a lock. A boosted vCPU cannot yield to the lock "
                "holder, so the boost was dropped for a few milliseconds.",
};

const char *policy_reason_name(enum policy_reason reason)
{
	return names[reason];
}

const char *policy_reason_text(enum policy_reason reason)
{
	return texts[reason];
}
