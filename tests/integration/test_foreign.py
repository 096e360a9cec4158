# SPDX-License-Identifier: GPL-2.0-or-later
"""A thread gets back exactly what it had; what another program gave it meanwhile stays."""

import os

import pytest

import attributes
from rig import proc, rtbudget
from rig.libvirtd import virsh

BATCH, IDLE, OTHER = os.SCHED_BATCH, os.SCHED_IDLE, os.SCHED_OTHER

ORIGINALS = {
    "batch-nice-7": {"policy": BATCH, "nice": 7},
    "idle": {"policy": IDLE},
    "nice-minus-5": {"policy": OTHER, "nice": -5},
    "reset-on-fork": {"policy": OTHER, "flags": 1},
    "slack": {"policy": OTHER, "slack": 7777},
    "slice": {"policy": OTHER, "runtime": 1_000_000},
    "batch-all": {"policy": BATCH, "nice": 3, "flags": 1, "slack": 1},
}


def give(tid, slack=None, **values):
    attributes.write(tid, **values)
    if slack is not None:
        attributes.set_slack(tid, slack)


@pytest.mark.parametrize("name", ORIGINALS)
@pytest.mark.parametrize("way", ["release", "kill"])
def test_original_comes_back(scene, name, way):
    domain = scene.domain()
    give(domain.tid, **ORIGINALS[name])
    original = attributes.read(domain.tid)
    if name == "slice" and original.runtime != 1_000_000:
        pytest.skip("this kernel knows no slice of a fair thread (6.12 does)")
    daemon = scene.daemon()
    daemon.wait_boosted(domain)
    assert attributes.read(domain.tid) != original
    if way == "release":
        assert daemon.call("release", domain.name).returncode == 0
    else:
        daemon.kill()
        daemon.reap()
        proc.wait_for(lambda: not attributes.boosted(domain.tid), 2, "the guardian to act", step=0.001)
        proc.wait_for(lambda: attributes.read(domain.tid) == original, 1, "all attributes to be back", step=0.001)
    assert attributes.read(domain.tid) == original


FOREIGN = {
    "chrt-b": {"policy": BATCH},
    "chrt-i": {"policy": IDLE},
    "chrt-o": {"policy": OTHER},
    "chrt-f-5": {"policy": attributes.FIFO, "priority": 5, "flags": 1},
}


@pytest.mark.parametrize("name", FOREIGN)
def test_foreign_change_wins(scene, name):
    domain, daemon = scene.boosted()
    tid = domain.tid
    scene.except_tids.add(tid)
    attributes.write(tid, **FOREIGN[name])
    daemon.wait_vcpu(domain, lambda v: v["state"] == "foreign", "the foreign change to be noticed")
    daemon.wait_log("another program changed the scheduling of thread")
    assert attributes.read(tid)[:2] == (FOREIGN[name]["policy"], FOREIGN[name].get("priority", 0))
    explained = daemon.ctl_json("explain", domain.name)["vcpus"][0]
    assert explained["reason"] == "foreign"
    if name == "chrt-f-5":
        # when it is watched again, it is another program's real-time thread
        assert daemon.call("policy", "set", domain.name, "latency").returncode == 0
        daemon.wait_reason(domain, "already-rt")
        assert attributes.read(tid)[:2] == (attributes.FIFO, 5)
        attributes.write(tid)
    assert daemon.call("policy", "set", domain.name, "latency").returncode == 0
    daemon.wait_boosted(domain)
    assert daemon.call("release", domain.name).returncode == 0
    assert attributes.read(tid).policy == (OTHER if name == "chrt-f-5" else FOREIGN[name]["policy"])


@pytest.mark.parametrize("way", ["release", "kill"])
def test_renice_of_a_boosted_thread_stays(scene, way):
    domain, daemon = scene.boosted()
    tid = domain.tid
    scene.except_tids.add(tid)
    os.setpriority(os.PRIO_PROCESS, tid, 4)
    if way == "release":
        assert daemon.call("release", domain.name).returncode == 0
    else:
        daemon.kill()
        daemon.reap()
    proc.wait_for(lambda: not attributes.boosted(tid), 2, "the thread to be given back", step=0.001)
    assert attributes.read(tid).nice == 4


@pytest.mark.parametrize("way", ["kill", "term"])
def test_foreign_change_wins_over_the_guardian(scene, way):
    """Changed and killed at once: the guardian sees that the thread has not what pvschedd gave it, and leaves it."""
    domain, daemon = scene.boosted()
    tid = domain.tid
    scene.except_tids.add(tid)
    guardian = daemon.guardian()
    attributes.write(tid, policy=BATCH)
    if way == "kill":
        daemon.kill()
        daemon.reap()
    else:
        assert daemon.stop() == 0
    proc.wait_for(lambda: proc.start_ticks(guardian) is None, 5, "the guardian to leave")
    assert attributes.read(tid).policy == BATCH


def test_real_time_by_libvirt_is_left_alone(scene):
    tuning = "<cputune><vcpusched vcpus='0' scheduler='fifo' priority='3'/></cputune>"
    try:
        domain = scene.domain(tuning=tuning)
    except proc.RigError as error:
        if rtbudget.needed():
            pytest.skip(f"libvirt cannot start it where RT_GROUP_SCHED gives a new group no budget: {str(error)[-90:]}")
        raise
    daemon = scene.daemon()
    daemon.wait_reason(domain, "already-rt")
    assert attributes.read(domain.tid)[:2] == (attributes.FIFO, 3)
    virsh("suspend", domain.uuid)
    virsh("resume", domain.uuid)
    assert attributes.read(domain.tid)[:2] == (attributes.FIFO, 3)


def test_real_time_by_chrt_is_left_alone(scene):
    domain = scene.domain()
    tid = domain.tid
    with rtbudget.RtBudget(scene.deadman) as budget:
        budget.grant(tid, 300_000)
        attributes.write(tid, policy=attributes.FIFO, priority=3, flags=1)
        scene.except_tids.add(tid)
        daemon = scene.daemon()
        daemon.wait_reason(domain, "already-rt")
        assert attributes.read(tid)[:2] == (attributes.FIFO, 3)
        assert daemon.call("policy", "set", domain.name, "latency").returncode == 0
        daemon.wait_reason(domain, "already-rt")
        assert daemon.stop() == 0
        assert attributes.read(tid)[:2] == (attributes.FIFO, 3)
        attributes.write(tid)
    scene.watch_again()
