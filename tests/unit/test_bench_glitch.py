#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The arithmetic of `tests/bench/run glitch`, on rounds that are made up: argv[1] is the repository."""

import json
import os
import sys
import tempfile
import time
import types

sys.path.insert(0, os.path.join(sys.argv[1], "tests"))
sys.dont_write_bytecode = True

# pylint: disable=wrong-import-position
from bench import glitch, glitch_report, guest_variants  # noqa: E402
from rig import audio  # noqa: E402
from rig.checks import run_checks  # noqa: E402
from rig.proc import RigError  # noqa: E402

CONDITIONS = {"guest_type": "kvm", "cpus": 2, "slow": 4, "loops_per_ms": 1000, "seconds": 5}


def cell(glitches, periods=1000):
    return {"periods": periods, "glitches": glitches, "gaps": min(1, glitches), "longest": glitches, "late_max_us": 700,
            "load_permille": 1500.0, "vcpu_permille": 310.0, "boosted_permille": 120.0, "foreign_permille": 30.0}


def rounds(n, latency, static=0, untouched=400):
    return [{"conditions": CONDITIONS, "machine": "emulated host (tcg)", "left_out": {"slice": "too old"}, "cells": {
        "busy/96/untouched": cell(untouched + number), "busy/96/latency": cell(latency), "busy/96/static": cell(static),
        "idle/96/latency": cell(0)}} for number in range(n)]


def verdicts(made):
    return [goal["verdict"] for goal in glitch_report.report(made)[0]["targets"]]


def test_a_twentieth_of_untouched_and_static_with_room():
    assert verdicts(rounds(10, latency=5)) == ["met", "met"]
    assert verdicts(rounds(10, latency=6)) == ["met", "missed"], "5 more than static's none"
    assert verdicts(rounds(10, latency=16, static=10)) == ["met", "met"]
    assert verdicts(rounds(10, latency=30, static=30)) == ["missed", "met"]
    assert verdicts(rounds(9, latency=0)) == ["cannot tell", "cannot tell"]


def test_rows_are_sums_over_all_rounds():
    found, text = glitch_report.report(rounds(10, latency=3))
    rows = {(row["load"], row["frames"], row["variant"]): row for row in found["rows"]}
    latency = rows["busy", 96, "latency"]
    assert (latency["glitches"], latency["periods"], latency["gaps"], latency["longest"], latency["rounds"]) == (30, 10000, 10, 3, 10)
    assert latency["per_1000"] == 3.0 and latency["glitches_vs_untouched"]["high"] < 0.01
    assert rows["busy", 96, "untouched"]["glitches"] == 4045
    assert rows["idle", 96, "latency"]["glitches_vs_untouched"] is None, "there is no untouched one"
    assert len(rows) == 4 and "slice is left out: too old" in text
    assert "4 times as long" in text and "in an emulated host (tcg)" in text


def test_a_host_without_a_glitch_is_no_division_by_zero():
    made = rounds(10, latency=0, untouched=0)
    for one in made:
        one["cells"]["busy/96/untouched"] = cell(0)
    found, _ = glitch_report.report(made)
    assert [goal["target"] for goal in found["targets"]] == [
        "busy, 96 frames: glitches with latency <= 1.2 x static + 5, of that"]


def test_work_is_thirty_percent_of_a_period():
    assert audio.loops_of(96, 1, 1_000_000) == 600_000, "of 2 ms"
    assert audio.loops_of(512, 20, 1_000_000) == 64_000_000
    assert audio.loops_of(96, 1, 1) == 1


def test_room_is_a_hundredth():
    assert audio.is_roomy(cell(10), 420) and not audio.is_roomy(cell(11), 420) and not audio.is_roomy(cell(0), 421)


class Guest:
    """Misses a third of its periods until these are four times as long."""

    def __init__(self, roomy=4):
        self.asked, self._roomy = [], roomy

    def command(self, text, on_mark=None, **_):
        self.asked.append(text)
        if text == "audio speed":
            return {"loops_per_ms": 1000}
        for mark in ("start", "end"):
            on_mark(mark)
        return cell(0 if int(text.split()[3]) >= self._roomy else 300)


def idle():
    return 0


def test_periods_get_longer_until_there_is_room():
    player = audio.Audio(Guest())
    player.calibrate(idle)
    assert (player.slow, player.loops_per_ms) == (4, 1000)
    player = audio.Audio(Guest(), slow=8)
    player.calibrate(idle)
    assert player.slow == 8, "no shorter than asked for"
    player = audio.Audio(guest := Guest(roomy=100))
    player.calibrate(idle)
    assert player.slow == 20 and guest.asked[-1] == "audio 96 48000 20 2 12000", "30 % of 40 ms"
    player = audio.Audio(Guest(roomy=1))
    player.calibrate(time.monotonic_ns)
    assert player.slow == 20, "the vCPU took a whole CPU"


def test_later_sittings_only_add_what_can_be_compared():
    with tempfile.NamedTemporaryFile("w", suffix=".rounds") as file:
        file.write("".join(f"{json.dumps(one)}\n" for one in rounds(3, latency=1)))
        file.flush()
        options = types.SimpleNamespace(rounds_file=file.name, rounds=1, sitting=0, host=True, slow=1, loops_per_ms=None,
                                        build="/nowhere", variant=None)
        found = {}
        glitch.measure(None, options, found)
        assert len(found["rounds"]) == 3 and glitch.usable(found)
        file.write(json.dumps({**rounds(1, latency=1)[0], "conditions": CONDITIONS | {"slow": 8}}) + "\n")
        file.flush()
        try:
            glitch.measure(None, options, {})
        except RigError as error:
            assert "cannot be compared" in str(error)
        else:
            raise AssertionError("rounds with other periods were summed up")


def test_configurations_of_the_variants():
    config = guest_variants.config(2, **guest_variants.follow(2))
    assert config["profiles"]["latency"]["burst_us"] == 1000 == config["profiles"]["follow"]["burst_us"]
    assert config["profiles"]["slice"]["levers"] == ["slice"] and config["profiles"]["follow"]["helpers"] == "follow"
    covered = guest_variants.covered(20)
    assert covered["profiles"]["covered"]["burst_us"] == 10_000, "more is refused"
    assert covered["host"]["cpu_share_permille"] > covered["profiles"]["covered"]["share_permille"]


if __name__ == "__main__":
    sys.exit(run_checks(globals()))
