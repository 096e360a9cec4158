# SPDX-License-Identifier: GPL-2.0-or-later
"""On a PREEMPT_RT kernel, which runs what ends a boost in threads, nothing is boosted, and that is said everywhere."""

from host import GUEST


def test_nothing_is_boosted(guest, host):
    assert "PREEMPT_RT" in host.run("uname -v")
    with host.unchanged():
        host.policy("latency")
        host.wait_reason("preempt-rt")
        # A vCPU that is not held would have been boosted at one of these.
        host.run(f"rig-guest ask '{GUEST}' ping x")
        for vcpu in host.vcpus():
            assert vcpu["reason"] == "preempt-rt", vcpu
            assert vcpu["boosts_total"] == 0, vcpu
        for tid in guest.values():
            assert "SCHED_OTHER" in host.run(f"chrt -p {tid}")
        assert "PREEMPT_RT" in host.run(f"pvschedctl explain '{GUEST}'")
        assert "PREEMPT_RT" in host.run("pvschedctl doctor; true")
        assert "preempt-rt" in host.run("pvschedctl --json status")
    assert any("PREEMPT_RT" in entry["MESSAGE"] for entry in host.journal())
