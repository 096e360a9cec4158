// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/names.h"

const char *policy_state_name(enum policy_state state)
{
	switch (state) {
	case POLICY_BASE:
		return "base";
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

static const struct {
	const char *name;
	const char *text;
} reasons[_POLICY_REASON_MAX] = {
        [POLICY_REASON_DISABLED] = {"disabled", "Boosting is switched off for the whole host; "
                                                "`pvschedctl enable` switches it on."},
        [POLICY_REASON_BREAKER] = {"breaker",
                                   "Too many unclean ends in ten minutes opened the circuit "
                                   "breaker; look at the journal, then `pvschedctl enable`."},
        [POLICY_REASON_GUARDIAN] = {"guardian", "No guardian process answers that could give "
                                                "everything back; it is started again by itself."},
        [POLICY_REASON_PREEMPT_RT] = {"preempt-rt",
                                      "This is a PREEMPT_RT kernel: what ends a boost runs "
                                      "in threads there that a boosted vCPU would starve. "
                                      "Observed only."},
        [POLICY_REASON_NO_TRACER] = {"no-tracer",
                                     "The kernel refused the BPF tracer or its timers, so "
                                     "nothing could tell when a budget ends; see `pvschedctl "
                                     "doctor`."},
        [POLICY_REASON_PAUSED] = {"paused", "The domain is paused, saved or being migrated."},
        [POLICY_REASON_UNPROVEN] = {"unproven",
                                    "The thread has the name of a vCPU, but neither its "
                                    "cgroup nor libvirt confirms it."},
        [POLICY_REASON_QUOTA] = {"quota", "A CFS quota holds for the domain or a group above it; "
                                          "real-time run time would escape it. Remove the quota "
                                          "(virsh schedinfo) or leave the domain unboosted."},
        [POLICY_REASON_RT_REFUSED] = {"rt-refused",
                                      "The kernel refuses real-time classes in the vCPU's "
                                      "cgroup (RT_GROUP_SCHED without budget); see "
                                      "`pvschedctl doctor` and host.grant_rt_budget."},
        [POLICY_REASON_ALREADY_RT] = {"already-rt",
                                      "The thread has a real-time class that is not from "
                                      "pvschedd (<vcpusched>, chrt); it is left alone."},
        [POLICY_REASON_HOUSEKEEPING] = {"housekeeping",
                                        "The vCPU may only run on housekeeping CPUs."},
        [POLICY_REASON_ADMISSION] = {"admission",
                                     "All real-time share of the CPUs it may run on is "
                                     "given to others already."},
        [POLICY_REASON_FAILED] = {"failed", "The scheduler call failed; the journal says why."},
        [POLICY_REASON_PROFILE] = {"profile", "Its profile does not boost; "
                                              "`pvschedctl policy set DOM latency` would."},
        [POLICY_REASON_BUDGET] = {"budget",
                                  "It used up its burst; it is armed again when the bucket is "
                                  "full and the guest idle."},
        [POLICY_REASON_BACKOFF] = {"backoff",
                                   "It used up its burst several times in a row: its demand "
                                   "is steady and wants throughput, which boosts do not "
                                   "give."},
        [POLICY_REASON_DOMAIN_CAP] = {"domain-cap", "All vCPUs of the domain together reached "
                                                    "host.domain_share_permille."},
        [POLICY_REASON_CPU_CAP] = {"cpu-cap",
                                   "All real-time threads of its CPU together, foreign ones "
                                   "included, reached host.cpu_share_permille."},
        [POLICY_REASON_SOFTIRQ] = {"softirq", "The kernel's ksoftirqd had to wait behind it for a "
                                              "millisecond; network or disk load on that CPU."},
        [POLICY_REASON_UNSEEN] = {"unseen",
                                  "It was woken, and the tracer did not see it run for ten "
                                  "milliseconds: it may have run uncharged, so it was given back."},
        [POLICY_REASON_RATE] = {"rate", "More changes in a second than host.max_changes_per_s."},
        [POLICY_REASON_AWAKE] = {"awake", "It is armed the next time its guest is idle."},
        [POLICY_REASON_ORDINARY] = {"ordinary",
                                    "Its guest says that nothing urgent runs; it keeps its "
                                    "tokens, and is elevated again when it sleeps, asks, or when "
                                    "it said that it would be urgent."},
        [POLICY_REASON_UNASKED] = {"unasked",
                                   "Its profile boosts only guests that ask, and this one does "
                                   "not; see pvsched-protocol(7) and `pvschedctl attach`."},
        [POLICY_REASON_ASKED] = {"asked", "It is elevated while awake, since its guest asked."},
        [POLICY_REASON_COMMAND] = {"command",
                                   "It is elevated by `pvschedctl boost`, while its tokens last."},
        [POLICY_REASON_WITHIN] = {"within-budget",
                                  "It is elevated; its next wake-ups are served at once "
                                  "while its tokens last."},
        [POLICY_REASON_FOREIGN] = {"foreign",
                                   "Somebody else changed the thread's scheduling; it is left "
                                   "alone until `pvschedctl policy set` or a rescan."},
        [POLICY_REASON_RELEASED] = {"released",
                                    "Released by `pvschedctl release`; `policy set` boosts "
                                    "it again."},
        [POLICY_REASON_HELPER] = {"helper",
                                  "A thread that works for its own domain (emulator, iothread or "
                                  "vhost) waited on its CPU while vCPUs of the domain ran "
                                  "elevated there for a millisecond; `pvschedctl show` says "
                                  "which. Pin it elsewhere (virsh emulatorpin, iothreadpin)."},
        [POLICY_REASON_CANARY] = {"canary",
                                  "An ordinary thread did not get to run on its CPU for half a "
                                  "second, and boosted vCPUs ran for most of that: more than any "
                                  "cap lets through. Look at the journal, at "
                                  "host.cpu_share_permille and at foreign real-time threads."},
        [POLICY_REASON_NO_DEADLINE] = {"no-deadline",
                                       "The kernel could not start the timer that ends its boost, "
                                       "so the boost ended; it is armed again when its guest is "
                                       "idle. `pvschedctl doctor` counts these."},
        [POLICY_REASON_GONE] = {"gone", "The thread is gone."},
        [POLICY_REASON_INTERRUPT] = {"interrupt",
                                     "It is elevated for a moment, since an interrupt came while "
                                     "it waited to run."},
        [POLICY_REASON_SPIN] = {"spin",
                                "Its guest spun while it was elevated, and nobody can be let go "
                                "first by a real-time thread; it keeps its tokens, and is armed "
                                "again some milliseconds later."},
};

const char *policy_reason_name(enum policy_reason reason)
{
	return reasons[reason].name;
}

const char *policy_reason_text(enum policy_reason reason)
{
	return reasons[reason].text;
}
