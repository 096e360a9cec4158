# SPDX-License-Identifier: GPL-2.0-or-later
"""The profile auto: what a real vCPU does leads by itself to a burst and a share, and when it does more, to others."""

import json
import os

import pytest

from firmware import boot_sector
from rig import proc
from rig.libvirtd import virsh

CPU = max(os.sched_getaffinity(0))
PIN = f"<cputune><vcpupin vcpu='0' cpuset='{CPU}'/><emulatorpin cpuset='{min(os.sched_getaffinity(0))}'/></cputune>"
LITTLE, MORE = {"hz": 100}, {"hz": 400, "work": 65535}  # more often, and more each time

# Caps that are in nothing's way, and a slice that is not: it would spare the guest its waits.
CONFIG = {"profiles": {"auto": {"share_permille": 600, "burst_max_us": 8000, "levers": ["rt"]}},
          "host": {"domain_burst_us": 8000, "cpu_burst_us": 8000,
                   "domain_share_permille": 600, "cpu_share_permille": 600}}


def _auto(daemon, domain):
    return daemon.ctl_json("show", domain.name)["domain"].get("auto")


def _wait_auto(daemon, domain, accept, what, seconds):
    """What the profile learned, once that is accepted. Skips where the guest cannot be made to need boosts."""
    last = {}

    def look():
        last["auto"] = _auto(daemon, domain)
        return last["auto"] if last["auto"] and accept(last["auto"]) else None
    try:
        return proc.wait_for(look, seconds, what)
    except proc.RigError as error:
        vcpu = daemon.ctl_json("recommend", domain.name)["vcpus"][0]
        enough = vcpu["now_covered_permille"] >= 985  # what was learned of a disturbed guest may cover more
        if enough or vcpu["verdict"] in ("idle-host", "alone", "over-limits", "steady"):
            pytest.skip(f"its wake-ups are not what this test needs: {json.dumps(vcpu)}")
        raise proc.RigError(f"{error}: {json.dumps(last)}, {json.dumps(vcpu)}; {daemon.log()[-2000:]}") from None


def _reset_with(domain, demand):
    """Another demand of the same threads: the guest boots another program."""
    with open(f"{domain.directory}/boot.img", "r+b") as image:
        image.write(boot_sector(0, 1, **demand))
    virsh("reset", domain.name)


def test_learns(scene, hogs):
    hogs(CPU)
    domain = scene.domain(tuning=PIN, **LITTLE)
    daemon = scene.daemon(profile="auto", config=CONFIG)
    daemon.wait_known(domain)
    first = _wait_auto(daemon, domain, lambda auto: auto["applies"] == "boost", "boosts that were learned", 100)
    print(f"learned: {json.dumps(first)}")
    assert 50 <= first["burst_us"] <= first["limits"]["burst_us"] == 8000
    assert 10 <= first["share_permille"] <= first["limits"]["share_permille"] == 600
    assert first["covered_permille"] >= 990 and first["wakeups"] >= 200
    daemon.wait_boosted(domain)
    shown = daemon.ctl_json("show", domain.name)["domain"]
    assert shown["profile"] == "auto" and "learned" in shown["sources"]["burst_us"]
    assert shown["burst_us"] == shown["auto"]["burst_us"] and shown["share_permille"] == shown["auto"]["share_permille"]
    assert "Learned: boosted, burst " in daemon.call("show", domain.name).stdout
    assert "learned a burst of " in daemon.call("explain", domain.name).stdout
    row = next(row for row in daemon.status()["domains"] if row["domain"] == domain.name)
    assert row["auto"]["applies"] == "boost"
    daemon.wait_log("learned: boosted, burst ")
    # by itself: a recommendation changes nothing there
    done = daemon.call("recommend", domain.name, "--apply")
    assert done.returncode == 0, done.stderr
    assert daemon.ctl_json("policy", "list")["policies"] == []

    _reset_with(domain, MORE)
    more = _wait_auto(daemon, domain, lambda auto: auto.get("share_permille", 0) > 1.5 * first["share_permille"],
                      "a share for more work", 160)
    print(f"after the reset: {json.dumps(more)}")
    assert more["applies"] == "boost" and more["burst_us"] <= 8000 and more["share_permille"] <= 600
    daemon.wait_boosted(domain)


def test_observes(scene):
    domain = scene.domain(**LITTLE)
    daemon = scene.daemon(profile="observe")
    daemon.wait_known(domain)
    assert _auto(daemon, domain) is None
    done = daemon.call("policy", "set", domain.name, "auto", "--burst", "700us")
    assert done.returncode == 0, done.stderr
    auto = _auto(daemon, domain)
    assert auto["applies"] == "observe" and "verdict" not in auto
    assert auto["limits"] == {"burst_us": 700, "share_permille": 300}
    daemon.wait_reason(domain, "auto")
    assert "Profile auto observes it. " in daemon.call("explain", domain.name).stdout
    refused = daemon.call("boost", domain.name, "--for", "1s")
    assert refused.returncode == 1 and "does not boost it now" in refused.stderr
    auto = proc.wait_for(lambda: (a := _auto(daemon, domain)) and "verdict" in a and a, 40, "the first look")
    # other load of the machine may make it wait
    assert auto["verdict"] in ("idle-host", "alone", "unknown", "boost", "over-limits"), auto
    assert "Learned: " in daemon.call("show", domain.name).stdout
    daemon.call("policy", "set", domain.name, "observe")
    assert _auto(daemon, domain) is None
    daemon.wait_reason(domain, "profile")
