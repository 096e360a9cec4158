# SPDX-License-Identifier: GPL-2.0-or-later
"""The owner of a boosted thread, without a privilege, keeps nothing of the boost: by any way that the kernel allows."""

import os
import time

import pytest

import attributes
from owner import ORIGINALS
from rig import proc

DENIED, NO_ACCESS, DONE = os.strerror(1), os.strerror(13), "done"
# What the kernel says to it: outside and inside of libvirt's sandbox.
OUTCOMES = {
    "lower-priority": (DONE, DONE),
    "raise-priority": (DENIED, DENIED),
    "clear-flag": (DENIED, DENIED),
    "round-robin": (DENIED, DENIED),
    "lower-nice": (DENIED, DENIED),
    "other": (DONE, DONE),
    "idle": (DONE, DONE),
    "slice": (DONE, DONE),
    "slack": (DONE, DONE),
    "affinity": (DONE, DENIED),
    "group": (NO_ACCESS, NO_ACCESS),
    "children": (DONE, DONE),
    "exit": (DONE, DONE),
    "exec": (None, DENIED),
    "other-exec": (None, DENIED),
}


@pytest.fixture
def begin(owners):
    return owners.begin


def wait_outcome(qemu, way, outcome):
    proc.wait_for(lambda: f"{way}: {outcome}\n" in qemu.log(), 10, f"{way} to be {outcome}: {qemu.log()}")


def realtime_threads(qemu):
    return {tid: comm for tid, comm in proc.threads(qemu.pid).items() if attributes.boosted(tid)}


@pytest.mark.parametrize("sandbox", [False, True], ids=["free", "sandboxed"])
@pytest.mark.parametrize("original", ORIGINALS)
@pytest.mark.parametrize("way", OUTCOMES)
def test_nothing_is_kept(begin, scene, way, original, sandbox):
    qemu, before, daemon = begin(way, original, sandbox=sandbox)
    outcome = OUTCOMES[way][sandbox]
    if outcome is not None:
        wait_outcome(qemu, way, outcome)
    else:
        proc.wait_for(lambda: proc.threads(qemu.pid) == {qemu.pid: "sleep"}, 10, "exec")
    if way in ("exit", "exec", "other-exec") and outcome != DENIED:
        scene.except_tids.add(qemu.pid)  # after an exec it is the vCPU's thread
        proc.wait_for(lambda: not realtime_threads(qemu), 2, "nothing of the process to be real-time")
        if way != "exit":
            proc.wait_for(lambda: attributes.read(qemu.pid).policy == before.policy, 2, "its class to be as it was")
        return
    tid = qemu.tid
    scene.except_tids.add(tid)
    assert daemon.call("release", qemu.name).returncode == 0
    assert realtime_threads(qemu) == {}
    after = attributes.read(tid)
    # To be less than it was is up to it.
    own = {"other": os.SCHED_OTHER, "other-exec": os.SCHED_OTHER, "slice": os.SCHED_OTHER, "idle": os.SCHED_IDLE}
    expected = before.policy if original == "idle" else own.get(way, before.policy)
    assert after.policy == expected and after.nice >= before.nice, (before, after)
    if way == "children":
        children = [tid for tid, comm in proc.threads(qemu.pid).items() if comm == "child"]
        assert children
        for child in children:
            proc.wait_for(lambda child=child: attributes.read(child) == before, 2, "a child to be as its parent was")


@pytest.mark.parametrize("end", ["stop", "kill", "kill-both"])
@pytest.mark.parametrize("way, original", [("lower-priority", "other"), ("lower-priority", "idle"), ("other", "idle")])
def test_nothing_is_kept_after(begin, way, original, end):
    qemu, before, daemon = begin(way, original)
    wait_outcome(qemu, way, DONE)
    if end == "stop":
        assert daemon.stop() == 0
    elif end == "kill":
        daemon.kill()
        daemon.reap()
    else:
        daemon.kill_both()
        assert daemon.restore().returncode == 0
    proc.wait_for(lambda: attributes.read(qemu.tid)[:4] == before[:4], 2, "all to be as it was")


def test_a_lower_priority_is_bounded(begin, scene):
    """It spins for longer than its tokens last, and is real-time for no longer than its share."""
    qemu, _, daemon = begin("lower-priority", spin_us=20_000)
    wait_outcome(qemu, "lower-priority", DONE)
    first, since = daemon.vcpu(qemu), time.monotonic()
    proc.wait_for(lambda: daemon.vcpu(qemu)["boosts_total"] >= first["boosts_total"] + 20, 30, "more boosts")
    last, elapsed = daemon.vcpu(qemu), time.monotonic() - since
    share = daemon.ctl_json("show", qemu.name)["domain"]["vcpus"][0]["share_permille"]
    permille = (last["boosted_ns"] - first["boosted_ns"]) / elapsed / 1e6
    scene.figures.setdefault("boosted permille of a vCPU that lowers its priority (share 200)", []).append(permille)
    assert 0 < permille <= share * 1.1


def shares(daemon, qemu):
    return [vcpu["share_permille"] for vcpu in daemon.ctl_json("show", qemu.uuid)["domain"]["vcpus"]]


@pytest.mark.parametrize("liars", [1, 8])
def test_names_buy_nothing(begin, liars):
    """511 threads with the names of vCPUs, and one vCPU by its command line: no slot, and no share of others."""
    honest, _, daemon = begin("none")
    # before the others: it has its RT budget then, where the kernel has these, which do not suffice for all
    daemon.wait_boosted(honest)
    processes = [begin("none", daemon=False, name=f"pvsched-liar-{n}", names=511) for n in range(liars)]
    liar = processes[0]
    for process in processes:
        daemon.wait_known(process)
    vcpu = daemon.wait_boosted(liar) if liars == 1 else daemon.wait_known(liar)
    # as beside so many domains with one vCPU each
    room, claims = daemon.status()["caps"]["cpu_share_permille"] * os.cpu_count(), 200 * (liars + 1)
    proc.wait_for(lambda: shares(daemon, honest) == [200 * min(room, claims) // claims], 5, "the honest one's share")
    seen = daemon.status()
    assert seen["slots"] == {"total": 4096, "used": liars + 1, "without": 0}
    others = [one for one in seen["vcpus"] if one["domain"] == liar.name and one["vcpu"] != vcpu["vcpu"]]
    assert 0 < len(others) <= 16 and {one["reason"] for one in others} == {"unproven"}
    assert {one["state"] for one in others} == {"off"}
    daemon.wait_boosted(honest)


def test_many_vcpus_take_no_more_than_their_domains_share(begin):
    """512 vCPUs that the command line does name: all of them claim what one domain may have."""
    begin("none", daemon=False, name="pvsched-liar", names=511, smp=512)
    honest, _, daemon = begin("none")
    daemon.wait_boosted(honest)
    caps = daemon.status()["caps"]
    room, claims = caps["cpu_share_permille"] * os.cpu_count(), caps["domain_share_permille"] + 200
    proc.wait_for(lambda: shares(daemon, honest) == [200 * min(room, claims) // claims], 5, "the honest one's share")
    late = begin("none", daemon=False, name="pvsched-late")
    daemon.wait_boosted(late)
