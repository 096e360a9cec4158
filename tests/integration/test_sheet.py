# SPDX-License-Identifier: GPL-2.0-or-later
"""The sheet of a CPU: with buckets that would allow more, boosts end when real time has had its part of a second."""

import contextlib
import json
import os
import re
import subprocess

import pytest

from rig import proc
from second import Second

CPU = 1
# Two domains want 200 permille each, beside 600 of the foreign thread. Their shares allow that, and their RT budgets fit
# into that of /machine, where the kernel has these.
GREEDY = {"profiles": {"greedy": {"mode": "boost", "share_permille": 220, "burst_us": 10000}},
          "host": {"cpu_share_permille": 950, "cpu_burst_us": 20000, "domain_share_permille": 4000,
                   "domain_burst_us": 20000}}
PINNED = f"<cputune><vcpupin vcpu='0' cpuset='{CPU}'/><emulatorpin cpuset='0'/></cputune>"

# Ends by itself: a real-time thread must not outlive its test.
_FOREIGN = """
import os, time
os.sched_setaffinity(0, {{{cpu}}})
end = time.monotonic() + 40
os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(5))
while time.monotonic() < end:
    until = time.thread_time_ns() + {busy_ms} * 1000000
    while time.thread_time_ns() < until:
        pass
    time.sleep({idle_ms} / 1000)
"""


@contextlib.contextmanager
def foreign(scene, busy_ms, idle_ms):
    """A real-time thread of another program on the CPU."""
    code = _FOREIGN.format(cpu=CPU, busy_ms=busy_ms, idle_ms=idle_ms)
    with subprocess.Popen(["/usr/bin/python3", "-S", "-c", code], stdin=subprocess.DEVNULL,
                          preexec_fn=proc.die_with_parent) as thread:
        key = scene.deadman.add(pid=thread.pid)
        try:
            proc.wait_for(lambda: os.sched_getscheduler(thread.pid) == os.SCHED_FIFO, 5, "the thread to be real-time")
            yield
        finally:
            thread.kill()
    scene.deadman.remove(key)


def denied(daemon, domains):
    """How often boosts ended, or did not begin, since the sheet was used up."""
    return sum(daemon.vcpu(domain)["denied_total"].get("cpu-real-time", 0) for domain in domains)


def full_by_doctor(daemon):
    checks = json.loads(daemon.ctl("doctor", "--json", check=False))["checks"]
    return any(check["name"] == "cpu_real_time" and check["status"] == "warn" for check in checks)


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="there is only one CPU")
def test_greedy_domains_beside_a_foreign_thread(scene):
    domains = [scene.domain(name=f"pvsched-it-{i}", busy=1, idle=4, hz=1000, tuning=PINNED) for i in range(2)]
    daemon = scene.daemon(profile="greedy", config=GREEDY)
    for domain in domains:
        daemon.wait_vcpu(domain, lambda v: v["boosts_total"] > 0, "a first boost")
    with Second(scene.build_dir, scene.deadman) as second, foreign(scene, 6, 4):
        proc.wait_for(lambda: denied(daemon, domains) >= 8, 30, "the CPU's sheet to be used up again and again")
        second.end()
    assert second.status == 0, second.text
    fullest = float(re.search(rf"^CPU {CPU}: .* has ([0-9.]+) ms", second.text, re.M)[1])
    bound = daemon.status()["caps"]["sheet_permille"]
    scene.figures.setdefault(f"fullest second, permille (bound {bound})", []).append(fullest)
    assert fullest <= bound, second.text


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="there is only one CPU")
def test_a_foreign_thread_that_takes_all(scene):
    """It is not ours to stop: nothing is boosted beside it, and that is shown."""
    domain = scene.domain(busy=1, idle=9, hz=1000, tuning=PINNED)
    daemon = scene.daemon(profile="greedy", config=GREEDY)
    daemon.wait_vcpu(domain, lambda v: v["boosts_total"] > 0, "a first boost")
    with foreign(scene, 28, 2):
        proc.wait_for(lambda: daemon.status()["cpus"][CPU]["sheet_used_permille"] > 700, 10, "the sheet to fill")
        daemon.wait_reason(domain, "cpu-real-time", seconds=20)
        assert "sheet_used_permille" in daemon.call("explain", domain.name).stdout
        proc.wait_for(lambda: full_by_doctor(daemon), 10, "doctor to warn of real time")
    # and again when it has gone
    boosts = daemon.vcpu(domain)["boosts_total"]
    daemon.wait_vcpu(domain, lambda v: v["boosts_total"] > boosts, "to be boosted again")
