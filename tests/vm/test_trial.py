# SPDX-License-Identifier: GPL-2.0-or-later
"""What runs instead of a real KVM guest, and a trial of it, under the unit as shipped."""

import json

import pytest

from host import GUEST

SHORT = "--for 20s --window 1s..2s"
# The guest works for 500 us of every 20 ms on each of its vCPUs, beside these.
SPIN = "systemd-run --unit=vm-spinner sh -c 'for i in 1 2 3 4; do while :; do :; done & done; wait'"


@pytest.fixture
def load(host):
    host.run(SPIN)
    yield
    host.run("systemctl stop vm-spinner", check=False)


def policy(host):
    kept = [(one["uuid"], one["profile"]) for one in host.ctl("policy list")["policies"]]
    return host.ctl(f"policy get '{GUEST}'"), kept


def test_who_ran_instead(guest, host, load):
    """The spinners are named with their cgroup, and the tracer looks at nobody once the client is gone."""
    assert guest
    for _ in range(5):
        answer = host.ctl(f"latency '{GUEST}' --for 4s")
        ran = [one for one in answer["blockers"]["top"] if one.get("cgroup", "").endswith("/vm-spinner.service")]
        if ran:
            break
    assert ran and ran[0]["comm"] == "sh" and ran[0]["us"] > 0, answer
    assert answer["blockers"]["waits"] > 0
    assert answer["windows"]["now"]["wait_us"]["count"] > 0
    host.wait_for("! pvschedctl --json status | grep -q '\"waits_traced\":[1-9]'", "the tracer to look away")


def test_a_trial(guest, host, load, figure):
    """Windows with and without boosts, a verdict, and the guest as it was found."""
    assert sorted(guest) == [0, 1]
    with host.unchanged():
        found = policy(host)
        for _ in range(3):  # a guardian that acts spoils blocks, or ends it
            trial = json.loads(host.run(f"pvschedctl --json trial '{GUEST}' {SHORT} || true"))
            host.ensure()
            if trial["blocks"]:
                break
        assert trial["blocks"] and trial["state"] in ("time", "clear", "neighbours"), trial
        assert trial["off"]["waits"] > 0 and trial["on"]["waits"] > 0, trial
        assert trial["on"]["boosts"] > 0 and trial["off"]["boosts"] == 0, trial
        assert trial["advice"] in ("recommend", "not-worth-it", "price-too-high", "cannot-tell")
        assert policy(host) == found
        figure(f"trial: {trial['blocks']} blocks, p99 {trial['off']['p99_us']['value']} us without boosts, "
               f"{trial['on']['p99_us']['value']} with: {trial['advice']}")


def test_a_trial_ends_with_the_daemon(guest, host):
    """Killed in a window that boosts: the next daemon knows nothing of the trial, and has the policy that was set."""
    host.run(f"pvschedctl policy set '{GUEST}' interactive --persist")
    found = policy(host)
    host.run(f"systemd-run --unit=vm-trial --collect pvschedctl trial '{GUEST}' --for 300s --window 2s..4s --profile latency")
    host.wait_for(f"pvschedctl --json show '{GUEST}' | grep -q '\"profile\":\"latency\"'", "a window that boosts")
    host.run("systemctl kill -s KILL pvschedd")
    host.wait_for("! systemctl is-active --quiet vm-trial", "the tool to end")
    host.wait_active()
    host.wait_for(f"pvschedctl list | grep -q '{GUEST}'", "the guest to be discovered")
    assert host.code(f"pvschedctl trial '{GUEST}' --follow") == 1
    assert policy(host) == found
    host.run(f"pvschedctl policy unset '{GUEST}'")
    host.restart()
