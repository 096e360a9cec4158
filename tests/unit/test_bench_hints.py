#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The arithmetic of `tests/bench/run hints` and `agent`, on rounds that are made up: argv[1] is the repository."""

import os
import random
import sys
import types

sys.path.insert(0, os.path.join(sys.argv[1], "tests"))
sys.dont_write_bytecode = True

# pylint: disable=wrong-import-position
from bench import agent, hints, hints_host  # noqa: E402
from rig.checks import run_checks  # noqa: E402

# variant: (latency in us of 100 of 101 wake-ups, of the last one; boosted permille)
MADE = {"vanilla": (500, 9000, 0.0), "latency": (50, 90, 190.0), "latency+agent": (50, 93, 60.0),
        "urgent-only+agent": (400, 800, 40.0), "static": (40, 80, 230.0)}
CONDITIONS = {"machine": "itself", "cpus": 2, "kernel": "6.1", "guest_kernel": "6.1", "seconds": 6, "slow": 10}


def cell(usual_us, worst_us, boosted):
    histogram = {"histogram": {str(usual_us): 100, str(worst_us): 2}, "max_us": worst_us}
    return {"guest": histogram | {"cycles": 102, "avg_us": usual_us},
            "wake": histogram | {"count": 102, "sum_us": 102 * usual_us},
            "boosted_permille": boosted, "vcpu_permille": 240.0, "load_permille": 1700.0}


def one_round(number):
    noise = 1 + number % 3  # of all variants alike
    counts = {"switches": 10_000, "us": 70_000, "agent_ran": 0}
    return {"conditions": CONDITIONS, "cells": {name: cell(usual * noise, worst * noise, boosted)
                                                for name, (usual, worst, boosted) in MADE.items()},
            "counts": {"none": counts | {"exits": 300}, "agent": counts | {"exits": 310, "agent_ran": 1}}}


def test_report_compares_with_latency():
    found, text = hints.report({"rounds": [one_round(number) for number in range(10)]}, None)
    assert list(found["variants"]) == list(MADE)
    with_hints = found["variants"]["latency+agent"]
    assert with_hints["p99_of_latency"]["ratio"] == round(93 / 90, 4)
    assert with_hints["boosted_of_latency"]["ratio"] == round(60 / 190, 4) and with_hints["boosted_permille"] == 60.0
    assert with_hints["cycles"] == 1020 and with_hints["host_wait_p99_us"] == with_hints["p99_us"]
    assert [one["verdict"] for one in found["targets"]] == ["met", "met", "missed", "met"]
    assert found["counts"]["agent"] == {"switches": 10_000, "exits": 310, "us": 70_000, "agent_ran": 1}
    assert "| with hints | 10000 | 310 | 1 | 7000 |" in text
    assert "10 times as long" in text


def test_few_rounds_give_no_verdict():
    found, _ = hints.report({"rounds": [one_round(number) for number in range(2)]}, None)
    assert {one["verdict"] for one in found["targets"]} == {"cannot tell"}


class Machine:
    """Notes what is measured, and whether the agent runs then."""

    def __init__(self):
        self.agent, self.seen, self.starts = False, [], 0

    def start_agent(self):
        self.agent, self.starts = True, self.starts + 1

    def stop_agent(self):
        self.agent = False

    def measure(self, _spinners, interval_us, variant, seconds):
        self.seen.append((variant, self.agent, interval_us, seconds))
        return variant

    def counts(self):
        return self.agent


def test_a_round_starts_the_agent_once():
    firsts = set()
    for number in range(6):
        machine = Machine()
        cells, counts = hints_host.one_round(machine, types.SimpleNamespace(slow=10, seconds=6), number)
        assert sorted(cells) == sorted(MADE) and counts == {"none": False, "agent": True}
        assert all(agent == (variant in hints_host.WITH) and interval == 20_000 for variant, agent, interval, _ in machine.seen)
        assert machine.starts == 1 and not machine.agent
        firsts.add(machine.seen[0][0])
    assert {"vanilla", "latency", "static", "latency+agent"} <= firsts


def test_cost_of_an_agent():
    rng = random.Random(1)
    made = {"ordinary": 2000.0, "FIFO": 2400.0, agent.HACKBENCH: 0.5, agent.HACKBENCH_CPU: 1.0}
    rounds = {variant: [{name: value * factor * rng.uniform(0.999, 1.001) for name, value in made.items()} for _ in range(10)]
              for variant, factor in (("untraced", 1), ("traced", 1.01))}
    rounds["counts"] = {"switches": 10_000, "hints": 30_000, "syscalls": 2}
    found, text = agent.report(rounds, None)
    assert abs(found["figures"][agent.HACKBENCH]["ratio"]["ratio"] - 1.01) < 0.002
    assert "while 10000 switches made 30000 hints, the agent made 2 system calls." in text.lower()
    assert text.count("| met |") == 4


if __name__ == "__main__":
    sys.exit(run_checks(globals()))
