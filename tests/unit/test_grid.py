#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The arithmetic of `tests/bench/run grid`, on rounds that are made up: argv[1] is the repository."""

import os
import re
import sys

sys.path.insert(0, os.path.join(sys.argv[1], "tests"))
sys.dont_write_bytecode = True

# pylint: disable=wrong-import-position
from bench import grid_host, grid_plot, grid_report  # noqa: E402
from rig.checks import run_checks  # noqa: E402

PREEMPTED = 1


def record(wait_us, woken_prio=98, prio=98, before=(7, 120, b"spin3"), kind=grid_host.WOKEN, interrupted_us=None):
    """A wake-up as bench-waits writes it; interrupted_us: from another CPU."""
    tid, before_prio, name = before
    packed = grid_host.RECORD.pack(10**9, wait_us * 1000, 50_000, 42, tid, woken_prio, prio, before_prio, kind,
                                    interrupted_us is not None, (interrupted_us or 0) * 1000, name)
    return grid_host.RECORD.unpack(packed)


def test_record_is_that_of_waits_h():
    with open(os.path.join(sys.argv[1], "tests/bench/waits.h"), encoding="utf-8") as file:
        size = int(re.search(r"sizeof\(struct wait_record\) == (\d+)", file.read())[1])
    assert grid_host.RECORD.size == size


def test_delays_keep_count_sum_and_three_digits():
    one = grid_host.delays([1_234_567, 1_230_001, 999])
    assert one["histogram"] == {"0.999": 1, "1230.0": 2}
    assert (one["count"], one["max_us"], one["sum_us"]) == (3, 1234.567, 2465.567)


def test_why_a_vcpu_waited():
    assert grid_host.who(record(9, woken_prio=120, prio=120)) == "not boosted when woken"
    assert grid_host.who(record(9, woken_prio=120)) == "boosted while it waited"
    assert grid_host.who(record(9, before=(0, 120, b"swapper/1"))) == "boosted; the CPU was idle"
    assert grid_host.who(record(9)) == "boosted; ordinary spin ran"
    assert grid_host.who(record(9, interrupted_us=0)) == "boosted; ordinary spin ran"
    assert grid_host.who(record(400, interrupted_us=390)) == "boosted; ordinary spin's CPU took the interrupt late"
    assert grid_host.who(record(400, interrupted_us=10)) == \
        "boosted; ordinary spin's CPU was interrupted at once and gave way late"
    assert grid_host.who(record(9, before=(8, 97, b"pvschedd"))) == "boosted; real-time pvschedd ran"


def test_the_slowest_hundredth_is_told_apart():
    woken = [record(10) for _ in range(297)] + [record(900, woken_prio=120, prio=120) for _ in range(3)]
    assert grid_host.slowest(woken) == {"not boosted when woken": [3, 2700.0]}


def cell(wakes_us, host_us, variant):
    boosted = variant != grid_host.VANILLA
    records = [record(us, *(() if boosted else (120, 120))) for us in wakes_us] + [record(5000, kind=PREEMPTED)]
    latencies = {"histogram": {str(host_us): 100}, "cycles": 100, "avg_us": host_us, "max_us": host_us}
    return {"guest": latencies, "host": latencies, "host_fifo": latencies, **grid_host._of_records(records),
            "load_permille": 1900, "vcpu_permille": 50, "helper_permille": 1, "foreign_permille": 2, "stolen_permille": 3, "halts_per_s": 9.0,
            "polled_per_s": 0.0, "boosted_permille": 40.0, "window_s": 1.5,
            "account": {"throttles_total": 1, "denied budget": 2} if boosted else {}}


def rounds(n):
    """Vanilla waits 100 times as long as latency, and that 1.1 times as long as static at p50."""
    made = []
    for number in range(n):
        noise = 1 + number % 3
        cells = {f"busy/1000/{variant}": cell([us * noise for us in waits], host_us, variant) for variant, waits, host_us in (
            ("vanilla", [1100] * 99 + [9000], 100), ("latency", [11] * 98 + [20, 90], 105),
            ("static", [10] * 98 + [11, 20], 150))}
        made.append({"conditions": {"guest_type": "kvm", "vcpus": 1, "cpus": 2, "kernel": "6.1", "guest_kernel": "6.1",
                                    "service": True, "seconds": 2, "host_every": 1, "slow": 1, "machine": "itself"},
                     "cells": cells})
    return made


def test_rows_and_targets():
    report = grid_report.Report(rounds(10)).json()
    vanilla, latency, static = report["rows"]
    assert [row["variant"] for row in report["rows"]] == ["vanilla", "latency", "static"]
    assert latency["load"] == "busy" and latency["interval_us"] == 1000
    for side in ("guest", "host", "wake_to_run"):
        assert {"avg_us", "p50_us", "p99_us", "max_us"} <= set(latency[side])
    assert latency["wake_to_run"]["count"] == 1000, "what was preempted is no wake-up"
    assert latency["preempted"]["count"] == 10
    assert vanilla["boosted_wakes_permille"] == 0 and static["boosted_wakes_permille"] == 1000
    verdicts = {one["target"]: one["verdict"] for one in report["targets"]}
    assert verdicts == {"wake-to-run p50: latency <= 1.2 x static": "met",
                        "wake-to-run p99: latency <= 1.5 x static": "missed",
                        "wake-to-run avg: vanilla / latency >= 40": "met",
                        "host SCHED_OTHER p99: latency <= 1.1 x vanilla": "met"}


def test_a_round_without_a_wake_up_is_left_out():
    made = rounds(11)
    made[3]["cells"]["busy/1000/vanilla"]["wake"] = grid_host.delays([])
    report = grid_report.Report(made)
    assert report.compared(("busy", 1000), "wake_to_run", "avg", "vanilla", "latency")["rounds"] == 10
    empty = grid_report.Delays.merged([]).json()
    assert empty["count"] == 0 and empty["p99_us"] is None


def test_few_rounds_give_no_verdict():
    assert {one["verdict"] for one in grid_report.Report(rounds(9)).json()["targets"]} == {"cannot tell"}


def test_text_has_every_variant_and_v1():
    text = grid_report.Report(rounds(10)).text()
    tables = [line for line in text.splitlines() if line.startswith("| latency")]
    assert len(tables) == 1 and "better" in tables[0] and "same" in tables[0]
    assert "| busy | 1000 | guest avg | 140.8 | 166.7 |" in text


def test_plots_have_a_curve_for_each_variant():
    report = grid_report.Report(rounds(2))
    for make in (grid_plot._curve, grid_plot._loads):
        script = make(report, "/nowhere.svg")
        assert all(f"title '{variant}'" in script for variant in ("vanilla", "latency", "static"))


def test_slowed_bursts_stay_within_what_pvschedd_takes():
    assert grid_host.slowed(1)["profiles"]["latency"] == {"share_permille": 200, "burst_us": 500}
    assert grid_host.slowed(20) == {"host": {"cpu_burst_us": 20_000, "domain_burst_us": 40_000},
                                    "profiles": {"interactive": {"share_permille": 100, "burst_us": 4000},
                                                 "latency": {"share_permille": 200, "burst_us": 10_000}}}


if __name__ == "__main__":
    sys.exit(run_checks(globals()))
