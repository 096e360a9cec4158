# SPDX-License-Identifier: GPL-2.0-or-later
"""Guests that step aside: what a command says reaches the guest's page, and ends with its daemon."""

import os
import signal

import pytest

from rig import proc
from rig.libvirtd import virsh
from rig.pages import Region

AVOID = 1 << 1
INVALID, USAGE = 1, 2


def flags(memory, vcpu):
    return memory.page(vcpu).read(220, "I")


def wait_flag(memory, vcpu, on, seconds=10):
    proc.wait_for(lambda: bool(flags(memory, vcpu) & AVOID) == on, seconds,
                  f"vCPU {vcpu} to be {'avoided' if on else 'used'}")


def negotiate(domain, memory):
    """Both pages are served. Firmware leaves the second vCPU asleep: a pause wakes it, so that its page is looked at."""
    def enabled():
        for vcpu in (0, 1):
            memory.page(vcpu).hello()
        if memory.page(1).status != "enabled":
            virsh("suspend", domain.uuid)
            virsh("resume", domain.uuid)
        return memory.page(0).status == memory.page(1).status == "enabled"

    proc.wait_for(enabled, 20, "both pages to be served", step=0.3)


@pytest.fixture
def served(scene):
    """(domain, daemon, its memory)"""
    domain = scene.domain(vcpus=2, hz=1000, page="memfd")
    daemon = scene.daemon()
    with Region(domain.pid) as memory:
        memory.wait_host()
        negotiate(domain, memory)
        yield domain, daemon, memory


def avoided(daemon, domain):
    return daemon.ctl_json("show", domain.name)["domain"]["avoid"]


def test_by_command(served):
    domain, daemon, memory = served
    assert avoided(daemon, domain) == {"by": "profile", "governed": False, "vcpus": ""}
    daemon.ctl("avoid", domain.name, "1")
    wait_flag(memory, 1, True)
    assert not flags(memory, 0) & AVOID
    assert avoided(daemon, domain) == {"by": "these", "governed": False, "vcpus": "1"}
    assert "Avoid:   vCPUs 1, by command" in daemon.ctl("show", domain.name)
    daemon.ctl("avoid", domain.name, "none")
    wait_flag(memory, 1, False)
    assert avoided(daemon, domain)["vcpus"] == ""
    daemon.ctl("avoid", domain.name, "auto")
    assert avoided(daemon, domain)["governed"]
    daemon.ctl("avoid", domain.name, "profile")
    assert avoided(daemon, domain) == {"by": "profile", "governed": False, "vcpus": ""}


def test_refused(served):
    domain, daemon, memory = served
    for vcpus, why in (("0-1", "vCPU 0 can't be avoided"), ("7", "has not all of the vCPUs"), ("3-2", "neither a list")):
        done = daemon.call("avoid", domain.name, vcpus)
        assert done.returncode == INVALID and why in done.stderr, done
    assert daemon.call("avoid", domain.name, "all").returncode == USAGE
    assert not flags(memory, 1) & AVOID


def test_ends_with_its_daemon(served):
    domain, daemon, memory = served
    daemon.ctl("avoid", domain.name, "1")
    wait_flag(memory, 1, True)
    generation = memory.generation
    daemon.kill(signal.SIGKILL)
    daemon.reap()
    proc.wait_for(lambda: memory.generation == 0, 10, "the reader to end the region")
    assert not flags(memory, 1) & AVOID
    daemon.start()
    memory.wait_host(other_than=generation)
    negotiate(domain, memory)
    assert not flags(memory, 1) & AVOID
    assert avoided(daemon, domain)["vcpus"] == ""
    daemon.ctl("avoid", domain.name, "1")
    wait_flag(memory, 1, True)
    daemon.stop()
    assert not flags(memory, 1) & AVOID


def test_governor(scene):
    """Two vCPUs of a real guest that want all of one CPU: one is enough. When neither wants it, both are there again."""
    guest = scene.linux(vcpus=2, page=True)
    for tid in guest.vcpu_tids().values():
        os.sched_setaffinity(tid, {0})
    daemon = scene.daemon("observe", {"profiles": {"observe": {"avoid": "auto"}}})
    with Region(guest.pid) as memory:
        memory.wait_host()
        proc.wait_for(lambda: guest.command("page 1")["state"] == "enabled", 10, "the second page to be served")
        for vcpu in (0, 1):
            guest.command(f"background busy 20000 20000 60 {vcpu}")
        proc.wait_for(lambda: avoided(daemon, guest)["vcpus"] == "1", 30, "the second vCPU to be avoided", step=0.3)
        found = avoided(daemon, guest)
        assert found["by"] == "profile" and found["governed"] and found["entitled_permille"] == 1000, found
        wait_flag(memory, 1, True)
        assert not flags(memory, 0) & AVOID
        guest.command("stop")
        wait_flag(memory, 1, False, 30)
