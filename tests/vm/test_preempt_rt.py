# SPDX-License-Identifier: GPL-2.0-or-later
"""A PREEMPT_RT kernel, whose timers and wake-ups run in threads that a boosted vCPU would starve: nothing is boosted."""

import json

from host import GUEST


def test_is_known_and_held(guest, host):
    version = host.run("uname -v")
    assert " PREEMPT_RT " in version, version
    # Which is what an older pvschedd looked at, and mainline does not have.
    assert host.code("test -e /sys/kernel/realtime") != 0
    host.policy("latency")
    host.wait_reason("preempt-rt")
    for tid in guest.values():
        assert "SCHED_OTHER" in host.run(f"chrt -p {tid}")
    assert "this is a PREEMPT_RT kernel" in host.run("journalctl -u pvschedd --no-pager")
    doctor = json.loads(host.run("pvschedctl doctor --json", check=False))
    check = next(check for check in doctor["checks"] if check["name"] == "preempt_rt")
    assert check["status"] == "fail" and "this is a PREEMPT_RT kernel" in check["detail"] and check["fix"]
    shown = host.ctl(f"show '{GUEST}'")["domain"]["vcpus"]
    assert all(vcpu["boosts_total"] == 0 and vcpu["run_ns"] > 0 for vcpu in shown), shown
