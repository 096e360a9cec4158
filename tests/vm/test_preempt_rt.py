# SPDX-License-Identifier: GPL-2.0-or-later
"""On a PREEMPT_RT kernel, which runs what ends a boost in threads, nothing is boosted, and that is said everywhere."""

import pytest

from host import GUEST


@pytest.fixture
def emulated(host):
    """TIDs of the vCPUs of a guest without KVM, which refuses an emulated CPU under PREEMPT_RT: its TSC may stop."""
    host.run(f"rig-guest start '{GUEST}' --type qemu", timeout=1000)
    host.policy("observe")
    yield [int(line.split()[1]) for line in host.run(f"rig-guest tids '{GUEST}'").splitlines()]
    host.run(f"rig-guest stop '{GUEST}'", check=False)


def test_nothing_is_boosted(emulated, host):
    assert "PREEMPT_RT" in host.run("uname -v")
    assert emulated
    with host.unchanged():
        host.policy("latency")
        host.wait_reason("preempt-rt")
        # A vCPU that is not held would have been boosted at one of these.
        host.run(f"rig-guest ask '{GUEST}' ping x")
        for vcpu in host.vcpus():
            assert vcpu["reason"] == "preempt-rt", vcpu
            assert vcpu["boosts_total"] == 0, vcpu
        for tid in emulated:
            assert "SCHED_OTHER" in host.run(f"chrt -p {tid}")
        assert "PREEMPT_RT" in host.run(f"pvschedctl explain '{GUEST}'")
        assert "PREEMPT_RT" in host.run("pvschedctl doctor; true")
        assert "preempt-rt" in host.run("pvschedctl --json status; true")  # it also says what is wrong, and ends with 1
    assert any("PREEMPT_RT" in entry["MESSAGE"] for entry in host.journal())
