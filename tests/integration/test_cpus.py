# SPDX-License-Identifier: GPL-2.0-or-later
"""The CPUs that boosted vCPUs may use become fewer: the caps of those that are left hold, and shares follow."""

import os
import time

import pytest

from rig import proc

CPUS = sorted(os.sched_getaffinity(0))
CPU_SHARE, MARGIN_PERMILLE, SECONDS = 300, 10, 3


def cpuset_file(tid):
    """Where the CPUs of its group are, in either version of cgroups."""
    for line in proc.read(f"/proc/{tid}/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if "cpuset" in controllers.split(","):
            return f"{proc.cgroup_mount('cgroup', 'cpuset')}{path}/cpuset.cpus"
    mount, path, _ = proc.cpu_cgroup(tid)
    return f"{mount}{path}/cpuset.cpus"


def write(path, text):
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def shares(daemon, domains):
    return [daemon.ctl_json("show", domain.name)["domain"]["vcpus"][0]["share_permille"] for domain in domains]


def boosted_permille(daemon, domains, seconds):
    """Of all together."""
    def boosted():
        return sum(daemon.vcpu(domain)["boosted_ns"] for domain in domains)

    begin, before = time.monotonic_ns(), boosted()
    time.sleep(seconds)
    after = boosted()
    return 1000 * (after - before) / (time.monotonic_ns() - begin)


@pytest.mark.skipif(len(CPUS) < 2, reason="there is only one CPU")
def test_a_cpuset_shrinks(scene):
    domains = [scene.domain(f"pvsched-it-{n}", busy=1, idle=2, hz=1000) for n in range(2)]
    files = [cpuset_file(domain.tid) for domain in domains]
    before = [proc.read(file).strip() for file in files]
    affinity = [os.sched_getaffinity(domain.tid) for domain in domains]
    daemon = scene.daemon()
    for domain in domains:
        daemon.wait_vcpu(domain, lambda v: v["boosts_total"] > 0, "a first boost")
    assert shares(daemon, domains) == [200, 200]
    try:
        for file in files:
            write(file, str(CPUS[-1]))
        # by the CPU's own bucket, whatever the shares are
        permille = boosted_permille(daemon, domains, SECONDS)
        scene.figures.setdefault(f"boosted permille of two vCPUs whose cpuset shrank to one CPU (bound {CPU_SHARE})",
                                 []).append(permille)
        assert 0 < permille <= CPU_SHARE + MARGIN_PERMILLE, permille
        daemon.ctl("reload")
        proc.wait_for(lambda: shares(daemon, domains) == [CPU_SHARE // 2] * 2, 5, "the shares to follow")
        for domain in domains:
            assert os.sched_getaffinity(domain.tid) == {CPUS[-1]}
            first = daemon.vcpu(domain)["boosts_total"]
            daemon.wait_vcpu(domain, lambda v, first=first: v["boosts_total"] > first, "another boost")
    finally:
        for file, text in zip(files, before):
            write(file, text or f"{CPUS[0]}-{CPUS[-1]}")
    daemon.ctl("reload")
    proc.wait_for(lambda: shares(daemon, domains) == [200, 200], 5, "the shares to be as before")
    assert daemon.stop() == 0
    assert [os.sched_getaffinity(domain.tid) for domain in domains] == affinity
    scene.assert_pristine()
