# SPDX-License-Identifier: GPL-2.0-or-later
"""placement: boosted vCPUs on every CPU, and the booster anywhere, on the first CPU, or on the last."""

import os
import statistics
import sys
import time

from rig.load import SIBLINGS
from rig.proc import RigError

from . import figures
from .scene import BOOST_BUDGETS_US

# CPU time of a burst and period in us: within the budget of `latency`, and beyond it
DUTIES = {"10": (100, 1000), "40": (400, 1000)}
UNTOUCHED, ANY = "untouched", "any"
_WARM_MS = 300


def _variants():
    """name: the CPUs of the booster, as bench-placement wants them."""
    cpus = sorted(os.sched_getaffinity(0))
    return {UNTOUCHED: "none", ANY: "any", f"cpu {cpus[0]}": str(cpus[0]), f"cpu {cpus[-1]}": str(cpus[-1])}


def arguments(parser):
    pass


def _measure(scene, spinners, booster, duty, seconds):
    run_us, period_us = DUTIES[duty]
    out = scene.path("latencies")
    # the grant is of each CPU, and there is one victim on each
    with scene.budget(() if booster == "none" else BOOST_BUDGETS_US):
        spinners.resume()
        try:
            time.sleep(0.05)
            one = scene.program("bench-placement", booster, run_us, period_us, _WARM_MS, int(seconds * 1000),
                                scene.path("ledger"), out, scene.procs_file(), *spinners.pids())
        finally:
            spinners.pause()
    words = figures.load(out, "Q")
    cpus, samples = words[0::2], words[1::2]
    if not samples:
        raise RigError(f"{booster} at {duty}: no latencies; the victims were starved")
    beside = [sample for cpu, sample in zip(cpus, samples) if str(cpu) == booster]
    return one | figures.summary(samples) | {"samples": samples, "beside": beside}


def measure(scene, options, rounds):
    """Fills {(variant, duty): [one dict per round]}."""
    seconds = options.seconds or (1 if options.quick else 2)
    variants = list(_variants().items())
    with scene.load(SIBLINGS) as spinners:
        spinners.pause()
        for number in range(options.rounds):
            turn = number % len(variants)
            for duty in DUTIES:
                for variant, booster in variants[turn:] + variants[:turn]:
                    rounds.setdefault((variant, duty), []).append(_measure(scene, spinners, booster, duty, seconds))
            print(f"bench: placement: round {number + 1} of {options.rounds}", file=sys.stderr)


def usable(rounds):
    """Is there something to report, should the run have been cut short?"""
    return {(variant, duty) for variant in _variants() for duty in DUTIES} <= rounds.keys()


def _against(rounds, variant, other, duty, name):
    return figures.ratio([one[name] for one in rounds[variant, duty]], [one[name] for one in rounds[other, duty]])


def _summary(rounds, variant, duty):
    ones = rounds[variant, duty]
    host = _against(rounds, variant, UNTOUCHED, duty, "load_permille")
    beside = [sample for one in ones for sample in one["beside"]]

    def mean(name):
        return round(statistics.mean(one[name] for one in ones), 2) if name in ones[0] else None

    return figures.summary([sample for one in ones for sample in one["samples"]]) | {
        "host_permille_of_untouched": round(host["ratio"] * 1000, 1), "sched_calls_per_1000": None,
        "beside_booster": figures.summary(beside) if beside else None,
        "applied_p50_us": mean("applied_p50_us"), "applied_p99_us": mean("applied_p99_us"),
        "applied_max_us": max((one["applied_max_us"] for one in ones if "applied_max_us" in one), default=None),
        "boosted_permille": mean("boosted_permille"), "wakeups_boosted_permille": mean("wakeups_boosted_permille"),
        "boosts": mean("boosts"), "booster_wakeups": mean("booster_wakeups"), "rounds": len(ones), "host_ratio": host,
        "daemon_permille": mean("daemon_permille"), "foreign_permille": mean("foreign_permille"),
    }


def report(rounds, _options):
    """(JSON, Markdown)."""
    variants = {f"{variant}/{duty}": _summary(rounds, variant, duty) for variant, duty in rounds}
    rows, compared = [], []
    for (variant, duty), one in zip(rounds, variants.values()):
        beside = one["beside_booster"] or {}
        rows.append([duty, variant, one["avg_us"], one["p50_us"], one["p99_us"], beside.get("avg_us"), beside.get("p99_us"),
                     one["applied_p50_us"], one["applied_p99_us"], one["applied_max_us"], one["boosted_permille"],
                     one["wakeups_boosted_permille"], one["booster_wakeups"],
                     one["daemon_permille"], one["host_permille_of_untouched"], one["foreign_permille"]])
        if variant in (UNTOUCHED, ANY):
            continue
        for name in ("avg_us", "p99_us", "load_permille"):
            ratio = _against(rounds, variant, ANY, duty, name)
            compared.append([f"{duty}: {name.split('_')[0]}, booster on {variant} / any", ratio,
                             figures.verdict(ratio, less_is_better=name != "load_permille")])
    head = ["duty", "booster", "avg us", "p50", "p99", "beside booster avg", "beside booster p99", "applied p50 us", "p99",
            "max", "boosted permille", "wake-ups boosted, permille", "booster wake-ups", "daemon permille", "host permille of untouched", "foreign permille"]
    text = figures.table(head, rows) + "\n\n" + figures.table(["comparison", "measured", "verdict"], compared)
    return {"variants": variants,
            "comparisons": [dict(zip(("comparison", "measured", "verdict"), row)) for row in compared]}, text
