# SPDX-License-Identifier: GPL-2.0-or-later
"""crowd: 1,000 real threads as vCPUs, held against the simulator's account of the same."""

import json
import os
import statistics
import sys

from rig import proc

from . import figures
from .kept import Kept

EASES = (1, 2, 4)  # the periods of the crowd, times this
BOOSTER_PERMILLE = 20  # host.booster_permille as shipped
_SECONDS = 10
FIGURES = (("wakeups_per_s", "wake-ups/s"), ("boosted_permille", "boosted permille"), ("boosts_per_s", "boosts/s"),
           ("calls_per_1000", "calls / 1000 wake-ups"), ("booster_wakeups_per_s", "booster wake-ups/s"),
           ("denied_attention_per_s", "denied for attention/s"), ("avg_us", "wake-up avg us"), ("p50_us", "p50"), ("p99_us", "p99"))


def arguments(parser):
    parser.add_argument("--ease", type=int, action="append", help="crowd: only this ease; may be repeated; 1, 2 and 4 by default")
    parser.add_argument("--booster", type=int, action="append", metavar="PERMILLE",
                        help=f"crowd: host.booster_permille; may be repeated, to compare; {BOOSTER_PERMILLE} by default")


def _simulate(build, seconds, ease, booster, seed):
    text = proc.run(os.path.join(build, "tests/sim/sim"), "--crowd", str(ease), "--seconds", str(seconds),
                    "--booster", str(booster), "--seed", str(seed), "--cpus", str(len(os.sched_getaffinity(0))), timeout=120)
    return json.loads(text)


def measure(scene, options, rounds):
    """Fills {(ease, booster): {"measured": [...], "simulated": [...]}}."""
    def take(one):
        for ease, booster, sides in one["cells"]:
            kept_sides = rounds.setdefault((ease, booster), {"measured": [], "simulated": []})
            for side, run in sides.items():
                kept_sides[side].append(run)

    kept, seconds = Kept(options, take), 3 if options.quick else _SECONDS
    kept.begin()
    for number in kept.numbers():
        kept.add({"cells": [
            [ease, booster, {"simulated": _simulate(options.build, seconds, ease, booster, number + 1),
                             "measured": scene.program("bench-crowd", seconds, ease, scene.path("ledger"), booster)}]
            for ease in options.ease or EASES for booster in options.booster or [BOOSTER_PERMILLE]]})
        print(f"bench: crowd: round {number - kept.known + 1} of {options.rounds}", file=sys.stderr)


def usable(rounds):
    """Is there something to report, should the run have been cut short?"""
    return any(one["measured"] for one in rounds.values())


def report(rounds, _options):
    head = ["ease", "booster permille", "side", "rounds"] + [name for _, name in FIGURES] + ["others' RT permille"]
    rows, crowds = [], {}
    for (ease, booster), sides in rounds.items():
        for side, runs in sides.items():
            medians = {key: round(statistics.median(run.get(key, 0) for run in runs), 2) for key, _ in FIGURES if runs}
            foreign = [run["foreign_rt_permille"] for run in runs if "foreign_rt_permille" in run]
            rows.append([ease, booster, side, len(runs), *medians.values(), statistics.median(foreign) if foreign else "-"])
            crowds.setdefault(f"{ease}/{booster}", {})[side] = {"median": medians, "runs": runs}
    return {"crowds": crowds}, figures.table(head, rows)
