# SPDX-License-Identifier: GPL-2.0-or-later
"""Slice and clamp of a real KVM guest's vCPUs, under the unit as shipped: given, in effect, and given back."""

import json
import re

import pytest

from host import GUEST

DROP_IN = "/etc/pvschedd/pvschedd.d/levers.json"
UTIL_MIN = 300
PROFILES = {
    "waits": {"mode": "boost", "guest_requests": "require"},
    "clamped": {"mode": "boost", "levers": ["rt", "slice", "uclamp"], "util_min": UTIL_MIN, "util_permille": 1000},
    "clamp-only": {"mode": "boost", "levers": ["uclamp"], "util_min": UTIL_MIN, "util_permille": 1000},
}
CLAMPED = ("clamped", "clamp-only")


def levers(host):
    return {name: lever["available"] for name, lever in host.ctl("status")["levers"].items()}


def sched(host, tid):
    """{word: value} of /proc/TID/sched."""
    text = host.run(f"cat /proc/{tid}/sched")
    return dict(re.findall(r"^(\S[^:]*?)\s*:\s*(\S+)$", text, re.MULTILINE))


@pytest.fixture
def profiles(host):
    """Profiles with clamps, while the test lasts."""
    host.write(DROP_IN, json.dumps({"version": 1, "profiles": PROFILES}))
    host.run("pvschedctl reload")
    yield
    host.run(f"rm {DROP_IN}; pvschedctl reload", check=False)


@pytest.fixture
def clamps(host, profiles):
    if not levers(host)["uclamp"]:
        pytest.skip("this kernel has no CONFIG_UCLAMP_TASK")


def test_levers_of_the_kernel(host, guest, figure):
    """What status says is so: by the kernel's own configuration and version."""
    assert guest
    config = host.run("cat /boot/config-$(uname -r)")
    major, minor = map(int, re.match(r"(\d+)\.(\d+)", host.release()).groups())
    found = levers(host)
    assert found == {"rt": True, "slice": (major, minor) >= (6, 12), "uclamp": "CONFIG_UCLAMP_TASK=y" in config}
    for name, lever in host.ctl("status")["levers"].items():
        assert bool(lever["detail"]) != lever["available"], name
    figure("levers: " + ", ".join(name for name, available in found.items() if available))


def given(profile):
    """A shell test: each of the guest's vCPUs has what the profile gives."""
    key = "util_state" if "uclamp" in PROFILES.get(profile, {}).get("levers", ()) else "slice_state"
    return f"[ $(pvschedctl --json show '{GUEST}' | grep -o '{key}\":\"given' | wc -l) = 2 ]"


def test_slice_is_kept_and_given_back(guest, host, profiles):
    if not levers(host)["slice"]:
        pytest.skip("this kernel has no slices of threads")
    with host.unchanged():
        host.boosted(guest)
        assert all(vcpu["slice_us"] == 100 and vcpu["slice_state"] == "given" for vcpu in host.vcpus())
        # Neither boosts nor their ends take it away.
        host.wait_for(f"pvschedctl --json show '{GUEST}' | grep -q '\"boosts_total\":[1-9][0-9]'", "some boosts", 120)
        # /proc shows it of a fair thread alone.
        host.policy("waits")
        host.wait_reason("no-request")
        for tid in guest.values():
            assert sched(host, tid)["se.slice"] == "100000"


def test_clamp_is_in_effect(guest, host, clamps):
    """While boosted the thread asks for what it was given, and not for the highest frequency."""
    with host.unchanged():
        host.boosted(guest)
        for tid in guest.values():
            assert sched(host, tid)["effective uclamp.min"] in ("1024", "0")
        host.policy("clamped")
        for tid in guest.values():
            host.wait_boosted(tid)
            # A guardian that acted since the emulated CPUs stood still took the clamp back, too.
            host.wait_for(f"grep -q '^uclamp.min *: *{UTIL_MIN}$' /proc/{tid}/sched", "the clamp")
            assert sched(host, tid)["effective uclamp.min"] == str(UTIL_MIN)
        assert all(vcpu["util_min"] == UTIL_MIN for vcpu in host.vcpus())
        host.wait_for(f"pvschedctl --json show '{GUEST}' | grep -q 'clamped_ns\":[1-9]'", "clamped time to be counted")
    for tid in guest.values():
        assert sched(host, tid)["uclamp.min"] == "0"


def test_clamp_alone(guest, host, clamps):
    with host.unchanged():
        host.policy("clamp-only")
        host.wait_reason("levers")
        for tid in guest.values():
            assert sched(host, tid)["effective uclamp.min"] == str(UTIL_MIN)
            assert host.code(f"chrt -p {tid} | grep -q SCHED_OTHER") == 0
        host.run(f"pvschedctl release '{GUEST}'")
        assert host.differences() == []
        host.policy("clamp-only")


@pytest.mark.parametrize("profile", CLAMPED)
def test_clamp_after_a_reboot_of_the_guest(guest, host, clamps, profile):
    """The threads stay, with what they were given; and give it back."""
    with host.unchanged():
        host.policy(profile)
        host.wait_for(given(profile), "the clamp")
        host.run(f"virsh reset '{GUEST}'")
        host.wait_for(given(profile), "the clamp after the reset")
    host.destroy_guest()


# Each kind of death in turn, at a random moment while the levers are given and taken back again and again.
_KILLS = """
set -u
for i in $(seq {kills}); do
    for j in $(seq 600); do
        pvschedctl policy set '{guest}' {profile} >/dev/null 2>&1 && {given} && break
        sleep 0.1
    done
    {given} || exit 1
    pid=$(systemctl show pvschedd -P MainPID)
    [ "$pid" -gt 1 ] || exit 2
    while :; do
        pvschedctl policy set '{guest}' observe; pvschedctl policy set '{guest}' {profile}
    done >/dev/null 2>&1 &
    loop=$!
    sleep 0.$(shuf -i 0-9 -n 1)
    if [ $((i % 2)) = 0 ]; then
        kill -9 $pid
    else
        kill -STOP $pid; pkill -9 -x pvschedd-guard; kill -9 $pid
    fi
    kill $loop; wait $loop 2>/dev/null
    for j in $(seq 600); do
        now=$(systemctl show pvschedd -P MainPID)
        [ "$now" != 0 ] && [ "$now" != $pid ] && systemctl is-active --quiet pvschedd && break
        systemctl reset-failed pvschedd; systemctl start pvschedd; sleep 0.1
    done
    pvschedctl enable >/dev/null
done
"""


@pytest.mark.parametrize("profile", ["latency", *CLAMPED])
def test_levers_after_kills(request, guest, host, profiles, profile):
    """Daemon, or guardian and daemon, at random moments: given back by the guardian, or by the unit."""
    if not levers(host)["slice" if profile == "latency" else "uclamp"]:
        pytest.skip("this kernel does not have the lever")
    assert guest
    kills = request.config.getoption("--times")
    with host.unchanged():
        host.policy(profile)
        host.run(_KILLS.format(kills=kills, guest=GUEST, profile=profile, given=given(profile)), timeout=120 + kills * 90)
        host.wait_for(f"pvschedctl show '{GUEST}' >/dev/null 2>&1", "the guest to be discovered again")
