# SPDX-License-Identifier: GPL-2.0-or-later
"""`pvschedctl boost`: now, awake or not, within the budget."""

import json
import os
import signal

import pytest

import attributes
from rig import proc

pytestmark = pytest.mark.sanitized

PIN = "<cputune><vcpupin vcpu='0' cpuset='0'/></cputune>"


@pytest.fixture
def hog():
    """A fair thread that computes on CPU 0, so that the vCPU waits now and then."""
    pid = os.fork()
    if pid == 0:
        os.sched_setaffinity(0, {0})
        signal.alarm(60)
        while True:
            pass
    yield pid
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def boost(daemon, *words):
    """What the answer says of each vCPU, boosted or not."""
    done = daemon.call("boost", *words, "--for", "5ms", "--json")
    vcpus = json.loads(done.stdout)["vcpus"]
    assert done.returncode == (0 if any(vcpu["boosted"] for vcpu in vcpus) else 1), done
    return vcpus


def test_a_vcpu_that_never_sleeps(scene, hog):
    domain = scene.domain(busy=1000, idle=0, hz=100, tuning=PIN)
    daemon = scene.daemon()
    daemon.wait_known(domain)
    before = daemon.vcpu(domain)

    def boosted():
        answer = boost(daemon, domain.name)
        return answer[0]["boosted"] and answer

    answer = proc.wait_for(boosted, 10, "the boost")
    assert [vcpu["vcpu"] for vcpu in answer] == [0] and answer[0]["reason"] == "command"
    after = daemon.wait_vcpu(domain, lambda v: v["state"] in ("unboosted", "throttled"), "the boost to end")
    assert after["boosts_total"] > before["boosts_total"]
    # its profile's burst is 500 us, which ends before 5 ms of computing do
    proc.wait_for(lambda: not attributes.boosted(domain.tid), 5, "the thread to be as it was")
    used = daemon.vcpu(domain)["boosted_ns"] - before["boosted_ns"]
    assert 0 < used < 20_000_000, used


def test_refusals(scene):
    domain = scene.domain(vcpus=2)
    daemon = scene.daemon(profile="observe")
    daemon.wait_known(domain)
    done = daemon.call("boost", domain.name, "--for", "5ms")
    assert done.returncode == 1 and "does not boost" in done.stderr
    assert daemon.call("boost", "pvsched-nobody", "--for", "5ms").returncode == 5
    assert daemon.call("boost", domain.name).returncode == 2
    daemon.ctl("policy", "set", domain.name, "latency")
    assert daemon.call("boost", domain.name, "--vcpu", "7", "--for", "5ms").returncode == 1
    only = boost(daemon, domain.name, "--vcpu", "1")
    assert [vcpu["vcpu"] for vcpu in only] == [1]
    daemon.ctl("disable")
    answer = boost(daemon, domain.name)
    assert all(not vcpu["boosted"] and vcpu["reason"] == "disabled" for vcpu in answer)
    assert daemon.call("boost", domain.name, "--for", "5ms", user=65534).returncode == 4
