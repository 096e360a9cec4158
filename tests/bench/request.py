# SPDX-License-Identifier: GPL-2.0-or-later
"""request: from the tracer's event to the return of the scheduler call it asked for."""

import statistics
import sys

from rig.load import SIBLINGS

from . import figures

# name: (which thread serves, vCPUs that fire at once). "1", "8" and "64" are domains of 4 vCPUs. There is a floor of as
# many events as one domain has, and one of a single event beside a single vCPU, to compare like with like. The booster
# waits by epoll, as shipped, or by io_uring where the name says so. Between floor and 1 stand floors that have, one
# after the other, a deadline to their wait, all system calls of the booster, and its ledger; the rest is the policy.
VARIANTS = {
    "floor": ("floor", 4), "deadline": ("deadline", 4), "calls": ("calls", 4), "ledger": ("ledger", 4),
    "1": ("epoll", 4), "1-uring": ("io_uring", 4), "8": ("epoll", 32), "64": ("epoll", 256), "64-uring": ("io_uring", 256),
    "floor-single": ("floor", 1), "single": ("epoll", 1), "single-uring": ("io_uring", 1), "floor-64": ("floor", 256),
}
_BOOST, _UNBOOST = 1, 2  # PVS_EVENT_HALTED, PVS_EVENT_EXHAUSTED


def arguments(parser):
    pass


def _measure(scene, variant, cycles):
    who, vcpus = VARIANTS[variant]
    out = scene.path("delays")
    scene.program("bench-request", who, vcpus, cycles, scene.path("ledger"), out)
    words = figures.load(out, "Q")
    types, places, delays = words[0::3], words[1::3], words[2::3]
    last = [delay for place, delay in zip(places, delays) if place == vcpus - 1]
    first = [delay for place, delay in zip(places, delays) if place == 0]
    service = (statistics.median(last) - statistics.median(first)) / (vcpus - 1) if vcpus > 1 else None
    return figures.summary(delays) | {
        "samples": delays, "first": first, "last": last, "service_ns": service,
        "boost": [delay for kind, delay in zip(types, delays) if kind == _BOOST],
        "unboost": [delay for kind, delay in zip(types, delays) if kind == _UNBOOST],
    }


def measure(scene, options, rounds):
    with scene.load(SIBLINGS):
        for number in range(options.rounds):
            names = list(VARIANTS)
            for variant in names[number % len(names):] + names[:number % len(names)]:
                rounds.setdefault(variant, []).append(_measure(scene, variant, 30 if options.quick else 100))
            print(f"bench: request: round {number + 1} of {options.rounds}", file=sys.stderr)


def _pooled(ones, name):
    return figures.summary([sample for one in ones for sample in one[name]])


def _against(rounds, variant, floor, name):
    return figures.ratio([one[name] for one in rounds[variant]], [one[name] for one in rounds[floor]])


def _summary(ones, variant):
    service = [one["service_ns"] for one in ones if one["service_ns"] is not None]
    return _pooled(ones, "samples") | {
        "host_permille_of_untouched": None, "sched_calls_per_1000": 1000, "at_once": VARIANTS[variant][1],
        "boost": _pooled(ones, "boost"), "unboost": _pooled(ones, "unboost"), "first": _pooled(ones, "first"),
        "last": _pooled(ones, "last"),
        "us_per_request": round(statistics.median(service) / 1000, 3) if service else None,
    }


def usable(rounds):
    """Is there something to report, should the run have been cut short?"""
    return VARIANTS.keys() <= rounds.keys()


STEPS = ("floor", "deadline", "calls", "ledger", "1")  # each does what the one before does, and more


def _steps(rounds):
    """What each step adds, as medians of the differences within a round."""
    def added(step, before, figure):
        return round(statistics.median(figure(one) - figure(other)
                                       for one, other in zip(rounds[step], rounds[before])) / 1000, 3)

    return [[step, added(step, before, lambda one: one["service_ns"]),
             added(step, before, lambda one: statistics.median(one["first"]))]
            for before, step in zip(STEPS, STEPS[1:])]


def report(rounds, _options):
    variants = {variant: _summary(ones, variant) for variant, ones in rounds.items()}
    rows = [[name, one["at_once"], one["p50_us"], one["p99_us"], one["max_us"], one["first"]["p50_us"],
             one["last"]["p50_us"], one["last"]["p99_us"], one["us_per_request"], one["boost"]["p50_us"],
             one["unboost"]["p50_us"]] for name, one in variants.items()]
    head = ["variant", "at once", "p50 us", "p99", "max", "first served p50", "last served p50", "last served p99",
            "us per request in the queue", "boost p50", "unboost p50"]
    targets = []
    for variant, floor in (("1", "floor"), ("single", "floor-single")):
        for name, limit in (("p50_us", 1.2), ("p99_us", 1.5)):
            compared = _against(rounds, variant, floor, name)
            targets.append([f"{variant} {name[:-3]} <= {limit} x {floor}", compared, figures.target(compared, limit)])
    growth = figures.ratio([one["service_ns"] for one in rounds["64"]], [one["service_ns"] for one in rounds["8"]])
    targets.append(["growth at most linear: us per request, 64 / 8 domains <= 1.1", growth,
                    figures.target(growth, 1.1)])
    for variant in ("1", "single", "64"):
        for name in ("p50_us", "p99_us"):
            compared = _against(rounds, f"{variant}-uring", variant, name)
            targets.append([f"for comparison: {variant} {name[:-3]}, io_uring / epoll", compared,
                            figures.verdict(compared)])
    steps = _steps(rounds)
    step_head = ["step", "us per request in the queue more than the step before", "first served, us more"]
    text = "\n\n".join((figures.table(head, rows), figures.table(["target", "measured", "verdict"], targets),
                        figures.table(step_head, steps)))
    return {"variants": variants, "steps": [dict(zip(("step", "us_per_request", "first_us"), row)) for row in steps],
            "targets": [dict(zip(("target", "measured", "verdict"), row)) for row in targets]}, text
