# SPDX-License-Identifier: GPL-2.0-or-later
"""timer: what starting a BPF timer inside sched_switch takes, and how late it fires.

The program needs libbpf alone: scripts/rig copy build/tests/bench/bench-timer /root/ runs it on other kernels.
"""

import os
import statistics
import sys

from . import figures

MODES = ("start", "callback")  # callback: it is set before each start


def arguments(_parser):
    pass


def measure(scene, options, rounds):
    cpu, ms = max(os.sched_getaffinity(0)), 1500 if options.quick else 4500
    rounds["timer"] = []
    for number in range(options.rounds):
        rounds["timer"].append(scene.program("bench-timer", cpu, ms))
        print(f"bench: timer: round {number + 1} of {options.rounds}", file=sys.stderr)


def usable(rounds):
    return bool(rounds.get("timer"))


def _whole_ns(one, mode):
    """What a start takes in all, with what the kernel does for it after the switch: by how much round trips are slower."""
    mine, none = one[mode], one["none"]
    slower_ns = mine["trips_ns"] / mine["trips"] - none["trips_ns"] / none["trips"]
    return slower_ns * mine["trips"] / mine["starts"]


def report(rounds, _options):
    keys = ("starts", "refused", "took_p50_ns", "took_p99_ns", "late_p50_us", "late_p99_us")
    for one in rounds["timer"]:
        for mode in MODES:
            one[mode]["whole_ns"] = _whole_ns(one, mode)
    variants = {mode: {key: statistics.median(one[mode][key] for one in rounds["timer"]) for key in (*keys, "whole_ns")}
                for mode in MODES}
    compared = {key: figures.ratio(*([one[mode][key] for one in rounds["timer"]] for mode in ("start", "callback")))
                for key in ("took_p50_ns", "took_p99_ns")}
    text = "\n\n".join((
        f"kernel {os.uname().release}",
        figures.table(["a start", *keys, "whole_ns"], [[mode, *variants[mode].values()] for mode in MODES]),
        figures.table(["start / callback", "ratio", "verdict"],
                      [[key, one, figures.verdict(one)] for key, one in compared.items()])))
    return {"kernel": os.uname().release, "variants": variants, "compared": compared}, text
