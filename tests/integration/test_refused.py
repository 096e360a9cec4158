# SPDX-License-Identifier: GPL-2.0-or-later
"""What stands against a boost: no RT budget, a CFS quota. And budgets granted go back."""

import errno
import json
import os

import pytest

import attributes
from rig import proc, rtbudget
from rig.libvirtd import virsh
from scene import rt_budgets


@pytest.fixture
def knob():
    if not rtbudget.needed():
        pytest.skip("this kernel has no RT budgets per group (CONFIG_RT_GROUP_SCHED with cgroup v1)")


def doctor(daemon):
    done = daemon.call("doctor", "--json")
    return done.returncode, json.loads(done.stdout)["checks"]


def test_rt_refused_is_named(scene, knob):
    domain = scene.domain()
    daemon = scene.daemon(config={"host": {"grant_rt_budget": False}})
    vcpu = daemon.wait_reason(domain, "rt-refused")
    assert vcpu["state"] == "unboosted"
    assert vcpu["denied_total"]["rt-refused"] >= 1
    group = proc.cpu_cgroup(domain.tid)[1].split("/")[1]
    daemon.wait_log(f"the kernel refuses real-time classes there: group /{group}.* has no budget")
    status, checks = doctor(daemon)
    assert status == 1
    check = next(check for check in checks if domain.name in check["name"])
    assert check["status"] == "fail" and f"group /{group}" in check["detail"] and "grant_rt_budget" in check["fix"]
    assert not attributes.boosted(domain.tid)
    assert next(check for check in checks if check["name"] == "rt_group_sched")["status"] == "fail"
    # one that is only observed needs no budget
    daemon.ctl("policy", "set", domain.name, "observe")
    status, checks = doctor(daemon)
    assert status == 0 and not [check for check in checks if domain.name in check["name"]], checks
    assert next(check for check in checks if check["name"] == "rt_group_sched")["status"] == "ok"
    daemon.ctl("policy", "unset", domain.name)
    # and with the permission it works, without a restart of anything
    daemon.rewrite({"default_profile": "latency"})
    assert daemon.call("reload").returncode == 0
    daemon.wait_boosted(domain)


def test_budget_granted_and_withdrawn(scene, knob):
    domain = scene.domain()
    before = rt_budgets()
    daemon = scene.daemon(profile="observe")
    daemon.wait_known(domain)
    assert rt_budgets() == before
    assert daemon.call("policy", "set", domain.name, "latency").returncode == 0
    daemon.wait_boosted(domain)
    mount, path, _ = proc.cpu_cgroup(domain.tid)
    assert int(proc.read(f"{mount}{path}/cpu.rt_runtime_us")) > 0
    assert int(proc.read(f"{mount}/cpu.rt_runtime_us")) <= 950_000
    assert daemon.call("policy", "set", domain.name, "observe").returncode == 0
    assert rt_budgets() == before


def test_budget_of_a_destroyed_domain(scene, knob):
    before = rt_budgets()
    gone = scene.domain("pvsched-it-gone")
    stays, daemon = scene.boosted(name="pvsched-it-stays")
    daemon.wait_boosted(gone)
    virsh("destroy", gone.uuid)
    proc.wait_for(lambda: gone.name not in daemon.names(), 5, "the domain to be forgotten")
    daemon.wait_boosted(stays)
    assert daemon.stop() == 0
    after = rt_budgets()
    assert {path: value for path, value in after.items() if value != before.get(path, 0)} == {}


def test_budget_after_kill_9_of_all(scene, knob):
    domain = scene.domain()
    before = rt_budgets()
    daemon = scene.daemon()
    daemon.wait_boosted(domain)
    daemon.kill_both()
    assert rt_budgets() != before
    assert daemon.restore().returncode == 0
    assert rt_budgets() == before


def test_foreign_budget_wins(scene, knob):
    """Another program lowers what we granted: that stays, and is not "restored"."""
    domain, daemon = scene.boosted()
    mount, path, _ = proc.cpu_cgroup(domain.tid)
    file = f"{mount}{path}/cpu.rt_runtime_us"
    granted = int(proc.read(file))
    with open(file, "w", encoding="ascii") as stream:
        stream.write(str(granted - 10_000))
    assert daemon.stop() == 0
    assert int(proc.read(file)) == granted - 10_000
    for level in (f"{mount}{path}", os.path.dirname(f"{mount}{path}"), f"{mount}/machine"):
        with open(f"{level}/cpu.rt_runtime_us", "w", encoding="ascii") as stream:
            stream.write("0")


def move(tid, group):
    with open(f"{group}/tasks", "w", encoding="ascii") as file:
        file.write(str(tid))


def move_when_unboosted(daemon, domain, group):
    assert daemon.call("release", domain.name).returncode == 0
    move(domain.tid, group)
    assert daemon.call("policy", "set", domain.name, "latency").returncode == 0


def test_moved_to_a_group_without_budget(scene, knob):
    """The kernel moves no real-time thread there. One that was moved while it was not boosted is refused at first; then
    the budget follows it, there and back."""
    domain, daemon = scene.boosted()
    mount, path, _ = proc.cpu_cgroup(domain.tid)
    group, home = f"{mount}/machine-{domain.name}-moved.scope", f"{mount}{path}"
    os.mkdir(group)
    key = scene.deadman.add(argv=["rmdir", group])
    try:
        while daemon.wait_boosted(domain):
            try:
                move(domain.tid, group)
            except OSError as error:
                assert error.errno == errno.EINVAL
                break
            move(domain.tid, home)  # it was unboosted just then
        for there, other in ((group, home), (home, group)):
            move_when_unboosted(daemon, domain, there)
            daemon.wait_boosted(domain)
            assert int(proc.read(f"{there}/cpu.rt_runtime_us")) > 0
            assert int(proc.read(f"{other}/cpu.rt_runtime_us")) == 0
    finally:
        daemon.call("release", domain.name)
        move(domain.tid, home)
        os.rmdir(group)
        scene.deadman.remove(key)


def test_quota_of_the_domain(scene):
    domain, daemon = scene.boosted()
    virsh("schedinfo", domain.uuid, "--live", "--set", "vcpu_quota=50000")
    try:
        daemon.wait_reason(domain, "quota")
        proc.wait_for(lambda: not attributes.boosted(domain.tid), 1, "the vCPU to be given back")
        fix = next(check["fix"] for check in doctor(daemon)[1] if "quota" in check["detail"])
        assert fix == f"virsh schedinfo {domain.name} --set vcpu_quota=-1"
        virsh(*fix.split()[1:])  # as it is told
        daemon.wait_boosted(domain)
    finally:
        virsh("schedinfo", domain.uuid, "--live", "--set", "vcpu_quota=-1")


def test_quota_of_an_ancestor(scene):
    domain, daemon = scene.boosted()
    mount, path, version = proc.domain_cgroup(domain.tid)
    name, value, none = (("cpu.cfs_quota_us", "150000", "-1") if version == 1 else ("cpu.max", "150000 100000", "max"))
    file = f"{os.path.dirname(mount + path)}/{name}"
    with open(file, "w", encoding="ascii") as stream:
        stream.write(value)
    try:
        daemon.wait_reason(domain, "quota")
        proc.wait_for(lambda: not attributes.boosted(domain.tid), 1, "the vCPU to be given back")
    finally:
        with open(file, "w", encoding="ascii") as stream:
            stream.write(none)
    daemon.wait_boosted(domain)


def test_quota_from_the_start(scene):
    domain = scene.domain(tuning="<cputune><quota>50000</quota></cputune>")
    daemon = scene.daemon()
    daemon.wait_reason(domain, "quota")
    assert not attributes.boosted(domain.tid)
    assert daemon.vcpu(domain)["boosts_total"] == 0


def test_housekeeping_only(scene):
    domain = scene.domain()
    cpu = min(os.sched_getaffinity(0))
    virsh("vcpupin", domain.uuid, "0", str(cpu), "--live")
    daemon = scene.daemon(config={"host": {"housekeeping_cpus": str(cpu)}})
    daemon.wait_reason(domain, "housekeeping")
    assert not attributes.boosted(domain.tid)
