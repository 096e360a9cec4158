# SPDX-License-Identifier: GPL-2.0-or-later
"""The booster thread: the CPUs it runs on, and how it waits."""

import glob
import os
import re
import resource

import pytest

from rig import proc

_CPUS = sorted(os.sched_getaffinity(0))


def _thread(daemon):
    """The tid of the booster."""
    for path in glob.glob(f"/proc/{daemon.process.pid}/task/*/comm"):
        if proc.read(path).strip() == "booster":
            return int(path.split("/")[-2])
    raise AssertionError("no booster thread")


def _boosted(scene, **host):
    domain = scene.domain()
    daemon = scene.daemon(config={"host": host})
    daemon.wait_boosted(domain)
    return domain, daemon


def _source(daemon):
    return daemon.status()["sources"]["booster"]


def _runs_on(daemon):
    return os.sched_getaffinity(_thread(daemon))


def test_cpus_follow_the_configuration(scene):
    domain, daemon = _boosted(scene, booster_cpus=str(_CPUS[-1]))
    assert _runs_on(daemon) == {_CPUS[-1]}
    assert f"on CPUs: {_CPUS[-1]}" in _source(daemon)["detail"]
    daemon.rewrite({"default_profile": "latency", "host": {"booster_cpus": str(_CPUS[0])}})
    assert daemon.call("reload").returncode == 0
    assert _runs_on(daemon) == {_CPUS[0]}
    daemon.wait_boosted(domain)
    daemon.rewrite({"default_profile": "latency"})
    assert daemon.call("reload").returncode == 0
    assert _runs_on(daemon) == set(_CPUS)
    assert _source(daemon) == {"ok": True, "detail": "waits by epoll, on CPUs: any"}


def test_cpus_that_are_not_there_are_refused(scene):
    domain, daemon = _boosted(scene, booster_cpus=str(_CPUS[0]))
    daemon.rewrite({"default_profile": "observe", "host": {"booster_cpus": f"{_CPUS[0]},4001-4002"}})
    done = daemon.call("reload")
    assert done.returncode == 1
    assert ".host.booster_cpus: CPU 4001-4002 is not online, or outside the cpuset of pvschedd" in done.stderr
    checked = daemon.check_config()
    assert checked.returncode == 1 and "4001-4002" in checked.stderr
    assert _runs_on(daemon) == {_CPUS[0]}
    daemon.wait_boosted(domain)
    assert daemon.vcpu(domain)["profile"] == "latency"


def test_descriptors_for_many_vcpus(scene):
    """Two for each vCPU: the daemon takes what it may have, whatever the shell began with."""
    domain = scene.domain()
    daemon = scene.daemon(prefix=["prlimit", "--nofile=128:4096"])
    daemon.wait_boosted(domain)
    assert resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE) == (4096, 4096)


@pytest.mark.parametrize("way", ["epoll", "io_uring"])
def test_both_ways_of_waiting_boost_and_give_back(scene, way):
    domain, daemon = _boosted(scene, booster_wait=way)
    source = _source(daemon)
    assert source["ok"] is True
    if way == "io_uring" and "io_uring: " in source["detail"]:
        pytest.skip(f"no io_uring here: {source['detail']}")
    assert re.match(f"waits by {way}, ", source["detail"])
    for _ in range(3):
        assert daemon.call("policy", "set", domain.name, "observe").returncode == 0
        scene.assert_given_back()
        assert daemon.call("policy", "set", domain.name, "latency").returncode == 0
        daemon.wait_boosted(domain)
    assert daemon.call("release").returncode == 0
    scene.assert_given_back()


def _shown(daemon, domain):
    return daemon.ctl_json("show", domain.name)["domain"]["vcpus"][0]


# Its CPU's bucket is empty long before its own.
_SCARCE = {"profiles": {"long": {"mode": "boost", "share_permille": 250, "burst_us": 5000}},
           "host": {"cpu_share_permille": 250, "cpu_burst_us": 500, "domain_burst_us": 5000}}


@pytest.mark.skipif(len(_CPUS) < 2, reason="there is nowhere else to go")
def test_goes_on_where_there_is_room(scene):
    """By the kernel's own choice: neither its affinity nor, after that, the booster's is another one."""
    domain = scene.domain(busy=1, idle=2, hz=1000)
    affinity = os.sched_getaffinity(domain.tid)
    daemon = scene.daemon(profile="long", config=_SCARCE)
    daemon.wait_known(domain)
    proc.wait_for(lambda: _shown(daemon, domain)["pushed_total"] > 3, 20, "it to go on elsewhere")
    assert os.sched_getaffinity(domain.tid) == affinity
    assert "pushed from a CPU" in daemon.call("explain", domain.name).stdout
    daemon.call("disable")
    assert _runs_on(daemon) == set(_CPUS)


def test_stays_where_it_is_pinned(scene):
    domain = scene.domain(busy=1, idle=2, hz=1000, tuning=f"<cputune><vcpupin vcpu='0' cpuset='{_CPUS[-1]}'/></cputune>")
    daemon = scene.daemon(profile="long", config=_SCARCE)
    daemon.wait_vcpu(domain, lambda v: v["denied_total"].get("cpu-cap", 0) > 3, "to be turned away by its CPU")
    assert _shown(daemon, domain)["pushed_total"] == 0
