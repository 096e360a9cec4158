#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The arithmetic of `tests/bench/run deadline`, on rounds that are made up: argv[1] is the repository."""

import argparse
import os
import re
import sys

sys.path.insert(0, os.path.join(sys.argv[1], "tests"))
sys.dont_write_bytecode = True

# pylint: disable=wrong-import-position
from bench import deadline  # noqa: E402
from rig.checks import run_checks  # noqa: E402
from rig.proc import RigError  # noqa: E402


def printed(booster=1.0, load=2000.0):
    """As bench-deadline prints it."""
    return {"cpus": 2, "load_permille": load, "victim_permille": 200.0, "daemon_permille": booster, "foreign_permille": 3.0,
            "deadlines_missed": 0, "booster_wakeups_per_s": 40.0, "bpf_permille": 0.5, "bpf_timer_per_s": 100.0,
            "bpf_timer_permille": 0.25, "timerfd_per_s": 10.0, "timerfd_permille": 0.25, "boosts": 5, "ends": 4,
            "calls_per_1000": 9.0, "boosted_permille": 25.0, "wakeups_boosted_permille": 900.0}


def one(late_us=50, **kwargs):
    words = [0, 7000, 1, late_us * 1000, 0, 9000, 1, 3 * late_us * 1000]
    return deadline._read(printed(**kwargs), words)


def rounds(n):
    made = {}
    for number in range(n):
        noise = 1 + number % 3
        for demand in deadline.DEMANDS:
            made.setdefault(("timer", demand), []).append(one(50 * noise, booster=1.0 * noise))
            made.setdefault(("check-500", demand), []).append(one(100 * noise, booster=20.0 * noise, load=1900.0))
            made.setdefault(("none", demand), []).append(deadline._read(printed(), [0, 7000]))
    return made


def test_latencies_and_overshoots_are_told_apart():
    figure = one()
    assert figure["samples"] == [7000, 9000] and figure["overshoots"] == [50_000, 150_000]
    assert figure["max_us"] == 9.0 and figure["timers_per_s"] == 110.0
    assert figure["costs_permille"] == 1.0 + 0.5 + 0.25 + 0.25, "booster, tracer, both kinds of timers"


def test_starved_victims_are_no_figure():
    try:
        deadline._read(printed(), [1, 5000])
    except RigError:
        return
    raise AssertionError("overshoots alone were taken for a measurement")


def test_each_way_is_held_against_the_timer_of_its_round():
    json, text = deadline.report(rounds(10), None)
    late = {row["comparison"]: row for row in json["comparisons"]}
    assert late["over: overshoot avg, check-500 / timer"]["measured"]["ratio"] == 2.0
    assert late["over: overshoot p99, check-500 / timer"]["verdict"] == "worse"
    assert late["asleep: CPU use together, check-500 / timer"]["measured"]["ratio"] > 10
    assert not any("overshoot" in name and "none" in name for name in late), "it ends none"
    assert not any(name.startswith("within: overshoot") for name in late), "within its tokens nobody is late"
    variant = json["variants"]["check-500/over"]
    assert variant["overshoot"]["ends"] == 20 and variant["load_vs_timer"]["ratio"] == 0.95
    assert json["variants"]["none/over"]["overshoot"] is None
    assert len([line for line in text.splitlines() if line.startswith("| over | ")]) == 3


def test_no_verdict_of_fewer_rounds():
    verdicts = {row["verdict"] for row in deadline.report(rounds(9), None)[0]["comparisons"]}
    assert verdicts == {"cannot tell"}


def test_a_run_without_the_timer_is_not_usable():
    made = rounds(1)
    assert deadline.usable(made)
    del made["timer", "over"]
    assert not deadline.usable(made)


def test_the_timer_is_always_measured():
    assert deadline._ways(argparse.Namespace(way=None)) == list(deadline.WAYS)
    assert deadline._ways(argparse.Namespace(way=["backstop"])) == ["timer", "backstop"]
    assert deadline._ways(argparse.Namespace(way=["timer"])) == ["timer"]


def test_kinds_are_those_of_the_program():
    with open(os.path.join(sys.argv[1], "tests/bench/deadline.c"), encoding="utf-8") as file:
        kinds = re.search(r"enum sample_kind \{([^}]*)\}", file.read())[1].replace(",", "").split()
    assert kinds.index("SAMPLE_LATENCY") == deadline._LATENCY and kinds.index("SAMPLE_OVERSHOOT") == deadline._OVERSHOOT


def test_what_goes_over_does_so_by_more_than_the_longest_period():
    periods_us = [int(way.split("-")[1]) for way in deadline.WAYS if re.fullmatch(r"check-\d+", way)]
    burst_us, refill = 500, 1.25  # of `latency`: with what comes back while it runs
    run_us, period_us = deadline.DEMANDS["over"]
    assert run_us > burst_us * refill + max(periods_us)
    assert all(period_us % us >= us / 10 for us in periods_us), "else all boosts of a run end at the same place of it"


if __name__ == "__main__":
    sys.exit(run_checks(globals()))
