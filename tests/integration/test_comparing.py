# SPDX-License-Identifier: GPL-2.0-or-later
"""Waits with boosts and without are compared, where vCPUs wait late and nowhere else."""

import os
import signal

import pytest

from rig import proc

PROFILES = {"latency": {"share_permille": 20}}  # far less than the guests below want
CPU = 0
ON = {"compare": "auto"}  # of the host
HOLDS = ("compared", "harmful", "needless")


@pytest.fixture
def hog(deadman):
    """A fair thread that computes on the vCPU's CPU."""
    pid = os.fork()
    if pid == 0:
        os.sched_setaffinity(0, {CPU})
        signal.alarm(120)
        while True:
            pass
    deadman.add(pid=pid)
    yield pid
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def shown(daemon, domain, accept, what, seconds=10):
    """Until accept(object of the vCPU in `show`) holds; that object."""

    def look():
        vcpu = daemon.ctl_json("show", domain.uuid)["domain"]["vcpus"][0]
        return vcpu if accept(vcpu) else None

    return proc.wait_for(look, seconds, what)


def test_where_vcpus_wait(scene, hog):
    """A vCPU that wants more than it may have, beside a thread that wants its CPU: for moments nothing is boosted there,
    and it is boosted again after these."""
    domain = scene.domain(busy=1, idle=2, hz=1000, tuning=f"<cputune><vcpupin vcpu='0' cpuset='{CPU}'/></cputune>")
    daemon = scene.daemon(config={"profiles": PROFILES, "host": ON})
    daemon.wait_vcpu(domain, lambda v: v["boosts_total"] > 0, "a first boost")
    seen = shown(daemon, domain, lambda v: v["compared"]["pairs"] or v["compared"]["verdicts_total"], "a pair of windows", 30)
    assert seen["compared"]["off_ms"] >= 50 and seen["denied_total"].get("compared", 0) > 0
    shown(daemon, domain, lambda v: v["boosts_total"] > seen["boosts_total"], "boosts that go on", 90)


def test_where_no_vcpu_waits(scene):
    """Within its budget and alone on its CPU: nothing is tried, for longer than it takes to look for late waits."""
    domain = scene.domain(busy=0, idle=10, hz=1000)
    daemon = scene.daemon(config={"host": ON})
    daemon.wait_boosted(domain)
    begin = shown(daemon, domain, lambda v: True, "the vCPU")
    seen = shown(daemon, domain, lambda v: v["wakeups"] > begin["wakeups"] + 300, "three seconds", 30)
    assert seen["denied_total"].get("compared", 0) == begin["denied_total"].get("compared", 0)
    assert seen["compared"]["off_ms"] == begin["compared"]["off_ms"]


def test_off_and_on(scene, hog):
    """As shipped nothing is compared, however long a vCPU waits. A reload switches it on; another one ends all that it held,
    and boosts go on."""
    domain = scene.domain(busy=1, idle=2, hz=1000, tuning=f"<cputune><vcpupin vcpu='0' cpuset='{CPU}'/></cputune>")
    config = {"profiles": PROFILES, "default_profile": "latency"}
    daemon = scene.daemon(config=config)
    daemon.wait_vcpu(domain, lambda v: v["boosts_total"] > 0, "a first boost")
    not_compared_meanwhile(daemon, domain)
    daemon.rewrite({**config, "host": ON})
    daemon.ctl("reload")
    seen = shown(daemon, domain, lambda v: v["compared"]["off_ms"] or v["compared"]["verdicts_total"], "a window", 60)
    assert seen["denied_total"]["compared"] > 0
    daemon.rewrite(config)
    daemon.ctl("reload")
    not_compared_meanwhile(daemon, domain)


def not_compared_meanwhile(daemon, domain):
    """For longer than it takes to look for late waits, and boosts go on."""
    begin = shown(daemon, domain, lambda v: True, "the vCPU")
    assert "compared" not in begin and begin["reason"] not in HOLDS
    seen = shown(daemon, domain, lambda v: v["wakeups"] > begin["wakeups"] + 900 and v["boosts_total"] > begin["boosts_total"],
                 "three seconds", 60)
    assert "compared" not in seen
    assert [seen["denied_total"].get(hold, 0) for hold in HOLDS] == [begin["denied_total"].get(hold, 0) for hold in HOLDS]
