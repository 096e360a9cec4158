# SPDX-License-Identifier: GPL-2.0-or-later
"""Domains that are there, that come, that go; vCPUs that are plugged in."""

import os
import signal
import time

from bounds import check_bound
from rig import proc
from rig.libvirtd import virsh


def test_running_before_and_started_later(scene):
    before = scene.domain("pvsched-it-before")
    daemon = scene.daemon()
    daemon.wait_boosted(before)
    later = scene.domain("pvsched-it-later")
    daemon.wait_boosted(later)
    assert {before.name, later.name} <= daemon.names()
    assert daemon.vcpu(later)["tid"] == later.tid


def test_name_with_space_and_colon(scene):
    domain = scene.domain("a b:1")
    daemon = scene.daemon(profile="observe")
    daemon.wait_known(domain)
    assert daemon.call("policy", "set", "a b:1", "latency").returncode == 0
    daemon.wait_boosted(domain)
    assert daemon.ctl_json("show", "a b:1")["domain"]["uuid"] == domain.uuid
    assert "a b:1" in daemon.ctl("explain", "a b:1")


def test_helpers_are_recorded(scene):
    domain = scene.domain()
    daemon = scene.daemon(profile="observe")
    daemon.wait_known(domain)
    helpers = daemon.ctl_json("show", domain.name)["domain"]["helpers"]
    # of one that is not boosted none is watched
    assert {"tid": domain.pid, "role": "emulator", "watched": False, "follows": False} in helpers
    assert domain.tid not in [helper["tid"] for helper in helpers]


def test_destroyed(scene):
    domain, daemon = scene.boosted()
    virsh("destroy", domain.uuid)
    proc.wait_for(lambda: domain.name not in daemon.names(), 5, "the destroyed domain to be forgotten")
    assert not [vcpu for vcpu in daemon.status()["vcpus"] if vcpu["domain"] == domain.name]


def test_qemu_killed_and_others_stay_boosted(scene):
    other, daemon = scene.boosted(name="pvsched-it-other")

    def kill_one():
        victim = scene.domain("pvsched-it-victim")
        daemon.wait_boosted(victim)
        begin = time.monotonic()
        os.kill(victim.pid, signal.SIGKILL)
        proc.wait_for(lambda: victim.name not in daemon.names(), 20, "the killed domain to be forgotten", step=0.001)
        taken = 1000 * (time.monotonic() - begin)
        daemon.wait_boosted(other)
        assert daemon.status()["events"]["boosted_now"] == 1
        victim.destroy()
        return taken

    # the margin: the kernel takes its time to end a process, and to ask pvschedctl takes some, too
    check_bound(scene.figures, "QEMU killed to forgotten, ms", 50, 4, kill_one)


def test_hotplug(scene):
    domain = scene.domain(vcpus=1, max_vcpus=2)
    daemon = scene.daemon()
    daemon.wait_boosted(domain)
    virsh("setvcpus", domain.uuid, "2", "--live")
    begin = time.monotonic()
    assert len(domain.tids()) == 2
    proc.wait_for(lambda: daemon.vcpu(domain, 1), 20, "the new vCPU to be noticed")
    scene.figures.setdefault("hotplug to noticed, ms", []).append(1000 * (time.monotonic() - begin))
    assert daemon.vcpu(domain, 1)["tid"] == domain.tids()[1]
    # Nothing uses it: if it was not seen to halt, it waits for that. A real guest shows below that it is boosted.
    daemon.wait_vcpu(domain, lambda v: v["reason"] in ("awake", "within-budget"), "the new vCPU to be managed", 1)
    assert daemon.vcpu(domain, 0)["tid"] == domain.tids()[0]


def test_qemu_stopped_is_given_back_all_the_same(scene):
    domain, daemon = scene.boosted()
    os.kill(domain.pid, signal.SIGSTOP)
    assert daemon.call("release", domain.name).returncode == 0
    scene.assert_given_back()
    os.kill(domain.pid, signal.SIGCONT)


def test_hotplug_in_a_real_guest(scene):
    guest = scene.linux(vcpus=1, max_vcpus=2)
    daemon = scene.daemon()
    daemon.wait_boosted(guest)
    virsh("setvcpus", guest.name, "2", "--live")
    begin = time.monotonic()
    proc.wait_for(lambda: daemon.vcpu(guest, 1), 20, "the new vCPU to be noticed")
    scene.figures.setdefault("hotplugged vCPU noticed after, ms", []).append(1000 * (time.monotonic() - begin))
    proc.wait_for(lambda: guest.command("cpus")["cpus"] == 2, 10, "the guest to bring the new CPU online")
    guest.command("background busy 100 10000 20 1")
    daemon.wait_boosted(guest, 1)


def test_unplugged_from_a_real_guest(scene):
    """Nothing of its thread stays."""
    guest = scene.linux(vcpus=1, max_vcpus=2)
    daemon = scene.daemon()
    daemon.wait_boosted(guest)
    virsh("setvcpus", guest.name, "2", "--live")
    proc.wait_for(lambda: guest.command("cpus")["cpus"] == 2, 10, "the guest to bring the new CPU online")
    tid = daemon.wait_boosted(guest, 1)["tid"]
    virsh("setvcpus", guest.name, "1", "--live", check=False)  # libvirt waits for some seconds only
    proc.wait_for(lambda: tid not in guest.vcpu_tids().values(), 20, "the guest to let its CPU go")
    begin = time.monotonic()
    proc.wait_for(lambda: daemon.vcpu(guest, 1) is None, 5, "the vCPU that was unplugged to be forgotten")
    scene.figures.setdefault("vCPU unplugged to forgotten, ms", []).append(1000 * (time.monotonic() - begin))
    daemon.wait_boosted(guest)
    assert [vcpu["vcpu"] for vcpu in daemon.status()["vcpus"]] == [0]
