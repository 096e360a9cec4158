# SPDX-License-Identifier: GPL-2.0-or-later
"""timer: what starting a BPF timer inside sched_switch takes, and how late it fires.

The program needs libbpf alone: scripts/rig copy build/tests/bench/bench-timer /root/ runs it on other kernels.
"""

import os
import statistics
import sys

from . import figures


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


def _whole_ns(one):
    """What a start takes in all, with what the kernel does for it after the switch: by how much round trips are slower."""
    mine, none = one["start"], one["none"]
    slower_ns = mine["trips_ns"] / mine["trips"] - none["trips_ns"] / none["trips"]
    return slower_ns * mine["trips"] / mine["starts"]


def report(rounds, _options):
    keys = ("starts", "refused", "took_p50_ns", "took_p99_ns", "late_p50_us", "late_p99_us")
    start = {key: statistics.median(one["start"][key] for one in rounds["timer"]) for key in keys}
    start["whole_ns"] = statistics.median(_whole_ns(one) for one in rounds["timer"])
    text = f"kernel {os.uname().release}\n\n{figures.table(list(start), [list(start.values())])}"
    return {"kernel": os.uname().release, "start": start}, text
