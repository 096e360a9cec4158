# SPDX-License-Identifier: GPL-2.0-or-later
"""pvschedd where the host's cgroups look different, as for an agent in a container: mounted at another place, seen from
a cgroup namespace, or not mounted at all."""

import json
import os

import pytest

import attributes
from rig import proc, rtbudget
from rig.libvirtd import virsh
from scene import rt_budgets

# $0: a directory; $1: where the hierarchy is; then a command that finds it in that directory alone
MOVED = """set -e; mount --make-rprivate /; mount -t tmpfs none "$0"; mkdir "$0/cpu"
mount --bind "$1" "$0/cpu"; umount "$1"; shift; exec "$@" """

# $0: the file that moves a process into a group; then a command that is in a cgroup namespace of that group
NAMESPACED = 'echo $$ >"$0" && exec unshare --cgroup --mount "$@"'

# then a command that sees no cgroups
WITHOUT = 'set -e; mount --make-rprivate /; umount --recursive /sys/fs/cgroup; exec "$@"'

AGENT_US = 100_000  # RT budget of the daemon's own group


@pytest.fixture
def knob():
    if not rtbudget.needed():
        pytest.skip("this kernel has no RT budgets per group (CONFIG_RT_GROUP_SCHED with cgroup v1)")


def hierarchy():
    return proc.cpu_cgroup(os.getpid())[0]


@pytest.fixture
def agent():
    """The file that moves a process into a group with an RT budget."""
    group = f"{hierarchy()}/machine-pvsched-agent.scope"
    os.makedirs(group, exist_ok=True)
    if rtbudget.needed():
        with open(f"{group}/cpu.rt_runtime_us", "w", encoding="ascii") as file:
            file.write(str(AGENT_US))
    yield f"{group}/cgroup.procs"
    proc.wait_for(lambda: not proc.read(f"{group}/cgroup.procs").strip(), 10, f"{group} to be empty")
    os.rmdir(group)


def checks(daemon):
    return json.loads(daemon.call("doctor", "--json").stdout)["checks"]


def test_budget_of_a_hierarchy_elsewhere(scene, knob, tmp_path):
    """Given back by the guardian, and by --restore, which finds the hierarchy where the host has it."""
    domain = scene.domain()
    before = rt_budgets()
    daemon = scene.daemon(prefix=["unshare", "--mount", "sh", "-c", MOVED, str(tmp_path), hierarchy()])
    assert daemon.status()["sources"]["cgroups"] == {"ok": True, "detail": f"cgroup v1 at {tmp_path}/cpu"}
    daemon.wait_boosted(domain)
    assert rt_budgets() != before
    daemon.kill()
    daemon.reap()
    proc.wait_for(lambda: rt_budgets() == before, 5, "the guardian to give the budget back")
    daemon.start()
    daemon.wait_boosted(domain)
    daemon.kill_both()
    assert rt_budgets() != before
    done = daemon.restore()
    assert done.returncode == 0, done.stdout
    assert rt_budgets() == before
    assert not attributes.boosted(domain.tid)


def test_budget_stays_recorded_without_a_hierarchy(scene, knob, tmp_path):
    """A --restore that sees no hierarchy does not take the group for gone."""
    domain = scene.domain()
    before = rt_budgets()
    daemon = scene.daemon(prefix=["unshare", "--mount", "sh", "-c", MOVED, str(tmp_path), hierarchy()])
    daemon.wait_boosted(domain)
    daemon.kill_both()
    blind = daemon.restore(prefix=["unshare", "--mount", "sh", "-c", WITHOUT, "sh"])
    assert blind.returncode == 1 and " 0 failed" not in blind.stdout
    assert rt_budgets() != before
    assert daemon.restore().returncode == 0
    assert rt_budgets() == before


def test_from_a_cgroup_namespace(agent, scene):
    """Groups beside the daemon's own are "/../...": quotas count, and budgets are granted."""
    domain = scene.domain()
    daemon = scene.daemon(prefix=["sh", "-c", NAMESPACED, agent])
    daemon.wait_boosted(domain)
    virsh("schedinfo", domain.uuid, "--live", "--set", "vcpu_quota=50000")
    try:
        daemon.wait_reason(domain, "quota")
        assert any("CFS quota" in check["detail"] for check in checks(daemon))
    finally:
        virsh("schedinfo", domain.uuid, "--live", "--set", "vcpu_quota=-1")
    daemon.wait_boosted(domain)
    assert daemon.status()["sources"]["cgroups"]["ok"]


def test_without_any_hierarchy(scene):
    """Quotas cannot be seen: that is said, with the reason, and nothing else is wrong."""
    domain = scene.domain()
    daemon = scene.daemon("observe", prefix=["unshare", "--mount", "sh", "-c", WITHOUT, "sh"])
    daemon.wait_known(domain)
    source = daemon.status()["sources"]["cgroups"]
    assert not source["ok"] and "CFS quotas are not seen" in source["detail"]
    check = next(check for check in checks(daemon) if check["name"] == "cgroups")
    assert check["status"] == "warn" and check["detail"] == source["detail"] and "cgroup namespace" in check["fix"]
    daemon.wait_log("no hierarchy of the cpu controller is found")
