# SPDX-License-Identifier: GPL-2.0-or-later
"""The levers besides the real-time class: a slice that a vCPU has for as long as its profile boosts."""

import json
import os

import pytest

import attributes
from rig import proc
from rig.libvirtd import virsh

US = 1000
BY_SLICE = {"by-slice": {"mode": "boost", "levers": ["slice"], "slice_us": 200}}
WITH_CLAMP = {"clamped": {"mode": "boost", "levers": ["rt", "slice", "uclamp"], "util_min": 300}}


@pytest.fixture
def slices():
    if attributes.read(os.getpid()).runtime == 0:
        pytest.skip("this kernel has no slices of threads (6.12 has)")


def explain(daemon, domain):
    return daemon.ctl_json("explain", domain.name)["vcpus"][0]


def test_levers_of_the_host(scene):
    daemon = scene.daemon()
    levers = daemon.status()["levers"]
    has_slices = attributes.read(os.getpid()).runtime != 0
    assert levers["rt"] == {"available": True, "detail": ""}
    assert levers["slice"]["available"] == has_slices
    assert levers["uclamp"]["available"] == attributes.has_clamps()
    for name, lever in levers.items():
        assert (lever["detail"] == "") == lever["available"], name
    if not levers["uclamp"]["available"]:
        assert "CONFIG_UCLAMP_TASK" in levers["uclamp"]["detail"]
    text = daemon.ctl("status", "-l")
    assert "Levers: rt; " in text
    checks = {check["name"]: check for check in json.loads(daemon.call("doctor", "--json").stdout)["checks"]}
    assert checks["levers"]["status"] == "ok" and "uclamp: " in checks["levers"]["detail"]


def test_slice_is_the_base_of_a_boost(scene, slices):
    """It is there below a boost and between boosts; other threads do not have it."""
    domain = scene.domain()
    before = {tid: attributes.read(tid) for tid in domain.tids()}
    daemon = scene.daemon(config={"profiles": {"waits": {"mode": "boost", "guest_requests": "require"}}})
    vcpu = daemon.wait_boosted(domain)
    assert vcpu["lever"] == "rt" and vcpu["slice_us"] == 100 and vcpu["slice_state"] == "given"
    assert explain(daemon, domain)["lever_text"] == "Its real-time class holds."
    assert daemon.call("policy", "set", domain.name, "waits").returncode == 0
    daemon.wait_reason(domain, "no-request")
    now = attributes.read(domain.tid)
    assert now == before[domain.tid]._replace(runtime=100 * US, flags=1)
    assert daemon.vcpu(domain)["lever"] == "slice"
    assert "Its slice of 100 us holds" in explain(daemon, domain)["lever_text"]
    virsh("suspend", domain.uuid)
    daemon.wait_reason(domain, "paused")
    proc.wait_for(lambda: {tid: attributes.read(tid) for tid in domain.tids()} == before, 2, "all to be as it was")
    virsh("resume", domain.uuid)
    daemon.wait_reason(domain, "no-request")
    proc.wait_for(lambda: attributes.read(domain.tid) == now, 2, "the slice again")
    assert daemon.call("policy", "set", domain.name, "latency").returncode == 0
    daemon.wait_boosted(domain)
    before.pop(domain.tid)
    assert {tid: attributes.read(tid) for tid in before} == before


def test_slice_alone(scene, slices):
    domain = scene.domain()
    before = attributes.read(domain.tid)
    daemon = scene.daemon(profile="by-slice", config={"profiles": BY_SLICE})
    vcpu = daemon.wait_reason(domain, "levers")
    assert vcpu["lever"] == "slice" and vcpu["slice_us"] == 200 and vcpu["boosts_total"] == 0
    assert attributes.read(domain.tid) == before._replace(runtime=200 * US, flags=1)
    assert "do not include" in explain(daemon, domain)["explanation"]
    shown = daemon.ctl("show", domain.name)
    assert "LEVER" in shown and "slice" in shown
    assert daemon.call("release", domain.name).returncode == 0
    assert attributes.read(domain.tid) == before
    assert daemon.vcpu(domain)["lever"] == "none"
    assert daemon.call("policy", "set", domain.name, "by-slice").returncode == 0
    assert attributes.read(domain.tid).runtime == 200 * US
    assert daemon.call("disable").returncode == 0
    assert attributes.read(domain.tid) == before
    assert daemon.call("enable").returncode == 0
    assert attributes.read(domain.tid).runtime == 200 * US
    assert daemon.call("policy", "set", domain.name, "observe").returncode == 0
    assert attributes.read(domain.tid) == before


def test_slice_under_a_quota(scene, slices):
    """What may not be boosted has the slice instead of nothing; and says so."""
    domain, daemon = scene.boosted()
    virsh("schedinfo", domain.uuid, "--live", "--set", "vcpu_quota=50000")
    try:
        daemon.wait_reason(domain, "quota")
        proc.wait_for(lambda: attributes.read(domain.tid).runtime == 100 * US, 1, "the slice")
        assert daemon.vcpu(domain)["lever"] == "slice"
        said = explain(daemon, domain)
        assert "quota" in said["explanation"] and "slice of 100 us" in said["lever_text"]
    finally:
        virsh("schedinfo", domain.uuid, "--live", "--set", "vcpu_quota=-1")
    daemon.wait_boosted(domain)


def test_another_slice_after_a_reload(scene, slices):
    """The vCPU is boosted: it is given the new slice all the same."""
    domain = scene.domain()
    daemon = scene.daemon()
    daemon.wait_boosted(domain)
    daemon.rewrite({"default_profile": "latency", "profiles": {"latency": {"slice_us": 700}}})
    assert daemon.call("reload").returncode == 0
    assert daemon.vcpu(domain)["slice_us"] == 700
    daemon.wait_boosted(domain)
    daemon.rewrite({"default_profile": "latency", "profiles": {"latency": {"levers": ["rt"]}}})
    assert daemon.call("reload").returncode == 0
    assert daemon.vcpu(domain)["slice_state"] == "none"
    daemon.wait_boosted(domain)


WAYS = ("stop", "kill", "kill-both")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("profile", ["latency", "by-slice"])
def test_given_back(scene, slices, way, profile):
    domain = scene.domain()
    before = {tid: attributes.read(tid) for tid in domain.tids()}
    daemon = scene.daemon(profile=profile, config={"profiles": BY_SLICE})
    if profile == "latency":
        daemon.wait_boosted(domain)
    else:
        daemon.wait_reason(domain, "levers")
    assert attributes.read(domain.tid) != before[domain.tid]
    if way == "stop":
        assert daemon.stop() == 0
    elif way == "kill":
        daemon.kill()
        daemon.reap()
    else:
        daemon.kill_both()
        assert attributes.read(domain.tid) != before[domain.tid]
        assert daemon.restore().returncode == 0
    proc.wait_for(lambda: {tid: attributes.read(tid) for tid in domain.tids()} == before, 2, "all to be as it was", step=0.001)


def test_own_slice_is_left_alone(scene, slices):
    domain = scene.domain()
    attributes.write(domain.tid, runtime=5000 * US)
    daemon = scene.daemon()
    vcpu = daemon.wait_boosted(domain)
    assert vcpu["slice_state"] == "own" and vcpu["slice_us"] == 0
    daemon.wait_log("another program gave thread [0-9]+ a slice")
    assert daemon.stop() == 0
    assert attributes.read(domain.tid).runtime == 5000 * US


def test_foreign_change_wins(scene, slices):
    """Another program takes the slice away; a command, which looks again, gives it once more."""
    domain = scene.domain()
    daemon = scene.daemon(profile="by-slice", config={"profiles": BY_SLICE})
    daemon.wait_reason(domain, "levers")
    attributes.write(domain.tid, nice=3)
    usual = attributes.read(domain.tid).runtime
    assert usual != 200 * US
    assert daemon.call("policy", "set", domain.name, "by-slice").returncode == 0
    assert attributes.read(domain.tid).runtime == 200 * US
    attributes.write(domain.tid, runtime=5000 * US, nice=3)
    assert daemon.stop() == 0
    assert attributes.read(domain.tid)[3:5] == (3, 5000 * US)
    scene.except_tids.add(domain.tid)


@pytest.mark.often
def test_slices_of_many_kills(scene, slices, times):
    """Killed at any moment of taking on and letting go: the ledger knows of each slice."""
    domain = scene.domain()
    before = {tid: attributes.read(tid) for tid in domain.tids()}
    for number in range(times):
        daemon = scene.daemon(profile="by-slice", config={"profiles": BY_SLICE})
        daemon.wait_known(domain)
        if number % 2:
            daemon.call("policy", "set", domain.name, "latency")
        daemon.kill()
        daemon.reap()
        proc.wait_for(lambda: {tid: attributes.read(tid) for tid in domain.tids()} == before, 2, "all to be as it was",
                      step=0.001)


def test_clamp(scene):
    """Where the kernel has clamps the thread gets one; where not, all else is as ever, and it is said."""
    domain = scene.domain()
    daemon = scene.daemon(profile="clamped", config={"profiles": WITH_CLAMP})
    vcpu = daemon.wait_boosted(domain)
    if attributes.has_clamps():
        assert vcpu["util_state"] == "given" and attributes.util_min(domain.tid) == 300
        daemon.wait_log("keeps clamps switched on")
        return
    assert vcpu["util_state"] == "unavailable" and vcpu["util_min"] == 0
    assert "CONFIG_UCLAMP_TASK" in daemon.ctl("status", "-l")
    assert "It has no clamp: this kernel has no CONFIG_UCLAMP_TASK." in explain(daemon, domain)["lever_text"]
