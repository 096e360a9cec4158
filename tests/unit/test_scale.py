#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The arithmetic of `tests/bench/run scale`, on rounds that are made up: argv[1] is the repository."""

import os
import sys

sys.path.insert(0, os.path.join(sys.argv[1], "tests"))
sys.dont_write_bytecode = True

# pylint: disable=wrong-import-position
from bench import scale  # noqa: E402
from rig.checks import run_checks  # noqa: E402


def test_spent_counts_new_threads_whole():
    before = {(1, "main"): (1_000_000, 5), (2, "gone"): (9_000_000, 9)}
    after = {(1, "main"): (3_000_000, 15), (3, "job"): (500_000, 2), (4, "job"): (500_000, 0)}
    permille, wakeups, by_name = scale.spent(before, after, 2)
    assert (permille, wakeups) == (1.5, 6.0)
    assert by_name == {"main": 1.0, "job": 0.5}


def test_what_can_be_armed_is_what_is_admitted():
    assert scale.armable(2) == 25, "100 vCPUs of 10 permille are 500 permille of 2 CPUs"
    assert scale.armable(64) * scale.fleet.VCPUS * scale.SHARE_PERMILLE <= 64 * scale.CPU_SHARE_PERMILLE


def one(discovery_s=1.0, rss_mib=31.0, idle_wakeups=0.0, qemu=False):
    states = {} if qemu else {state: {"cpu_permille": 1.0, "wakeups_per_s": idle_wakeups if rate == 0 else 7.0,
                                      "cpu_permille_of": {"booster": 0.25}, "armed": 100 if arm else 0,
                                      "vcpu_wakeups_per_s": 1000.0 * rate, "sched_calls_per_1000": 0.5}
                              for state, (arm, rate) in scale.STATES.items()}
    return {"ready_s": 0.2, "discovery_s": discovery_s, "new_ms": 3.0, "vcpus": 1000, "rss_mib": rss_mib,
            "guardian_rss_mib": 7.0, "pss_mib": 30.0, "armed_rss_mib": None if qemu else rss_mib + 0.5, "states": states}


def verdicts(ones):
    json, _ = scale.report({"variants": {"250": ones}}, None)
    return [target["verdict"] for target in json["targets"]]


def test_targets():
    assert verdicts([one()] * 10) == ["met"] * 4
    assert verdicts([one(discovery_s=2.5, rss_mib=31.9, idle_wakeups=1.0)] * 10) == ["missed"] * 4, \
        "the memory is that with some armed"
    assert verdicts([one()] * 9)[:2] == ["cannot tell"] * 2
    assert scale.report({"variants": {"16": [one()]}}, None)[0]["targets"] == []


def test_text_and_json_have_all_that_was_measured():
    minutes = [one()["states"][state] | {"domains": 250, "seconds": 65.0, "state": state, "metrics": metrics}
               for state, metrics in scale.MINUTES]
    json, text = scale.report({"variants": {"250": [one()] * 2, "16 QEMU": [one(qemu=True)]}, "minutes": minutes}, None)
    assert json["variants"]["250"]["states"]["awake, armed"]["cpu_permille_of"] == {"booster": 0.25}
    assert json["variants"]["16 QEMU"]["armed_rss_mib"] is None
    rows = [line for line in text.splitlines() if line.startswith(("| 250 |", "| 16 QEMU |"))]
    assert len(rows) == 2 + len(scale.STATES) + len(scale.MINUTES) and json["minutes"] == minutes
    assert "| asleep, observed, for 65 s |" in text
    assert "| awake, observed, a metrics file each 15 s, for 65 s |" in text


if __name__ == "__main__":
    sys.exit(run_checks(globals()))
