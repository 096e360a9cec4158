# SPDX-License-Identifier: GPL-2.0-or-later
"""levers: what each lever gives on the kernel that this runs on: a short slice alone, boosts with and without it, static
FIFO. The scenes are those of `wake`."""

import contextlib
import os
import statistics
import sys

from rig.proc import RigError

from . import figures, inside, wake
from .kept import Kept
from .scene import Scene

DUTIES = ("10", "30", "49", "90")
# Three quarters of a quota: no boost, which would escape it.
QUOTA = "15/quota"
QUOTA_VARIANTS = ("untouched", "slice", "latency")
VARIANTS = ("untouched", "slice", "interactive", "latency", "latency-no-slice", "static")
KEPT = ("avg_us", "p50_us", "p99_us", "max_us", "load_permille", "victim_permille", "boosted_permille", "daemon_permille", "over_quota_us")


def arguments(_parser):
    """None of its own: --duty and --variant are wake's, --slow is grid's."""


def _duties(options):
    return options.duty or (*DUTIES, QUOTA)


def _variants(options, duty):
    """Those that are wanted, and untouched, with which they are compared."""
    all_of_duty = QUOTA_VARIANTS if duty == QUOTA else VARIANTS
    return [name for name in all_of_duty if not options.variant or name in options.variant or name == "untouched"]


def scene(options):
    return contextlib.nullcontext() if options.rig else Scene(options.build)


def _row(one):
    return {name: one[name] for name in KEPT if name in one}


def _here(place, options, add):
    for number in range(options.rounds):
        found = {}
        for duty in _duties(options):
            names = _variants(options, duty)
            turn = number % len(names)  # the variants take turns to be first
            wake.measure_round(place, options, [duty], names[turn:] + names[:turn], found)
        if found:
            add({"kernel": os.uname().release, "slow": options.slow,
                 "cells": {f"{duty} {variant}": _row(one) for (variant, duty), one in found.items()}})
        print(f"bench: levers: round {number + 1} of {options.rounds}", file=sys.stderr)


def _in_rig(options, add):
    if options.rig is True:
        raise RigError("levers --rig wants HOST/KERNEL, such as trixie/newest or bookworm/6.1")
    inside.choose("levers", options)
    words = ["--seconds", str(_seconds(options)), "--slow", str(options.slow)]
    words += [word for duty in options.duty or () for word in ("--duty", duty)]
    words += [word for variant in options.variant or () for word in ("--variant", variant)]
    job = inside.Job("levers", words, sum(len(_variants(options, duty)) for duty in _duties(options)), int(_seconds(options)) or 1,
                     files=[inside.program(options.build, "tests/bench/bench-victim")])
    inside.measure(job, options, lambda one, machine: add(one | {"machine": machine}))


def _seconds(options):
    return options.seconds or (1 if options.quick else 2)


def measure(place, options, rounds):
    kept = Kept(options, rounds.setdefault("rounds", []).append)
    kept.begin()
    if options.rig:
        _in_rig(options, kept.add)
    else:
        with place.load(options.layout) as spinners:
            spinners.pause()
            place.spinners = spinners
            _here(place, options, kept.add)
    if not usable(rounds):
        raise RigError("no round could be finished")


def usable(rounds):
    return bool(rounds.get("rounds"))


def _column(rounds, duty, variant, name):
    """One value a round, of rounds that have both this cell and the untouched one."""
    cell, base = f"{duty} {variant}", f"{duty} untouched"
    return [one["cells"][cell][name] for one in rounds if cell in one["cells"] and base in one["cells"]]


def _ratio(rounds, duty, variant, other, name):
    mine, theirs = _column(rounds, duty, variant, name), _column(rounds, duty, other, name)
    return figures.ratio(mine, theirs) if mine and len(mine) == len(theirs) else None


def report(rounds, options):
    """(JSON, Markdown)."""
    ones = rounds["rounds"]
    kernel = ones[0]["kernel"]
    if any(one["kernel"] != kernel for one in ones):
        raise RigError("the rounds are of several kernels: give each its own --rounds-file")
    slow = ones[0].get("slow", 1)
    if any(one.get("slow", 1) != slow for one in ones):
        raise RigError("the rounds are slowed differently: give each its own --rounds-file")
    rows, table = [], []
    for duty in (*DUTIES, QUOTA):
        for variant in VARIANTS:
            if not _column(ones, duty, variant, "avg_us"):
                continue
            load = _ratio(ones, duty, variant, "untouched", "load_permille")
            row = {
                "duty": int(duty.partition("/")[0]), "quota_permille": wake.QUOTAS.get(duty), "variant": variant,
                "avg_us": round(statistics.mean(_column(ones, duty, variant, "avg_us")), 2),
                "p99_us": round(statistics.median(_column(ones, duty, variant, "p99_us")), 1),
                "host_permille_of_untouched": round(load["ratio"] * 1000, 1) if load else None,
                "avg_of_untouched": _ratio(ones, duty, variant, "untouched", "avg_us"),
                "avg_of_slice": _ratio(ones, duty, variant, "slice", "avg_us"),
                "p99_of_untouched": _ratio(ones, duty, variant, "untouched", "p99_us"),
                "over_quota_us": max(_column(ones, duty, variant, "over_quota_us")) if duty == QUOTA else None,
                "rounds": len(_column(ones, duty, variant, "avg_us")),
            }
            rows.append(row)
            table.append([duty, variant, row["rounds"], row["avg_us"], row["p99_us"], row["host_permille_of_untouched"],
                          row["avg_of_untouched"], row["avg_of_slice"], row["p99_of_untouched"],
                          "-" if row["over_quota_us"] is None else row["over_quota_us"]])
    head = ["duty %", "variant", "rounds", "avg us", "p99 us", "load, permille of untouched", "avg / untouched", "avg / slice",
            "p99 / untouched", "most beyond quota, us in 1 s"]
    machine = ones[0].get("machine", "this machine")
    slowed = f", work, periods, slices and bursts {slow} times as long" if slow > 1 else ""
    text = f"kernel {kernel}, {machine}, {len(ones)} rounds, layout {options.layout}{slowed}\n\n{figures.table(head, table)}"
    return {"kernel": kernel, "machine": machine, "rounds": len(ones), "slow": slow, "rows": rows}, text
