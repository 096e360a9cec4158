# SPDX-License-Identifier: GPL-2.0-or-later
"""requests: from what a guest writes into its page to the return of the scheduler call that follows."""

import sys

from rig.load import SIBLINGS
from rig.proc import RigError

from . import figures

VARIANTS = ("bpf", "polling")
FLOOR = "floor"  # of bench request: an event, and a thread with nothing but the scheduler call
_FLOOR_CYCLES = 200
_TOLD = ("boosts", "yields", "throttles", "unneeded", "unseen", "polls", "faults")
# As bench-requests writes them.
KINDS = {"applied": 0, "needed": 1, "released": 2}


def arguments(parser):
    pass


def _floor(scene, cycles):
    out = scene.path("delays")
    scene.program("bench-request", FLOOR, 1, cycles, scene.path("ledger"), out)
    delays = figures.load(out, "Q")[2::3]
    return {"samples": {"call": delays}, "call": figures.summary(delays)}


def _measure(scene, variant, cycles):
    out = scene.path("delays")
    told = scene.program("bench-requests", variant, cycles, scene.path("ledger"), out)
    words = figures.load(out, "Q")
    samples = {name: [delay for kind, delay in zip(words[0::2], words[1::2]) if kind == number]
               for name, number in KINDS.items()}
    if variant == "polling":  # the thread that polls preempts it itself: not what it would be needed for
        samples["needed"] = []
    if len(samples["applied"]) < cycles:
        raise RigError(f"{variant}: {len(samples['applied'])} of {cycles} requests were applied")
    if len(samples["released"]) < cycles / 10:  # the others ended for want of tokens
        raise RigError(f"{variant}: only {len(samples['released'])} of {cycles} boosts lasted until they were released: "
                       f"the host is too busy")
    return {"samples": samples, "told": told} | {name: figures.summary(delays) for name, delays in samples.items()}


def measure(scene, options, rounds):
    cycles = 30 if options.quick else 150
    with scene.load(SIBLINGS):
        for number in range(options.rounds):
            turn = number % len(VARIANTS)
            ones = {variant: _measure(scene, variant, cycles) for variant in VARIANTS[turn:] + VARIANTS[:turn]}
            ones[FLOOR] = _floor(scene, _FLOOR_CYCLES)
            for variant, one in ones.items():  # a round counts whole or not at all
                rounds.setdefault(variant, []).append(one)
            print(f"bench: requests: round {number + 1} of {options.rounds}", file=sys.stderr)


def usable(rounds):
    """Is there something to report, should the run have been cut short?"""
    return bool(rounds)


def _pooled(ones, name):
    samples = [sample for one in ones for sample in one["samples"][name]]
    return figures.summary(samples) | {"samples": len(samples)}


def _total(ones, name):
    return sum(one["told"][name] for one in ones)


def _row(variant, what, one):
    return [variant, what, one["samples"], one["avg_us"], one["p50_us"], one["p99_us"], one["max_us"]]


def _compared(rounds, name, figure, other):
    """polling against BPF, or BPF against the floor."""
    variant, kind = ("polling", name) if other == "bpf" else ("bpf", name)
    against = name if other == "bpf" else "call"
    return figures.ratio([one[kind][figure] for one in rounds[variant]], [one[against][figure] for one in rounds[other]])


def report(rounds, _options):
    floor = _pooled(rounds[FLOOR], "call")
    variants = {FLOOR: {"call": floor}}
    rows = [_row(FLOOR, "event -> call returned", floor)]
    for name, what in (("needed", "needed (preempted) -> boosted"), ("applied", "written -> boosted"),
                       ("released", "released -> unboosted")):
        for variant in VARIANTS:
            one = _pooled(rounds[variant], name)
            if one["samples"]:
                variants.setdefault(variant, {})[name] = one
                rows.append(_row(variant, what, one))
    for variant in VARIANTS:
        variants[variant] |= {key: _total(rounds[variant], key)
                              for key in _TOLD}
    comparisons = [
        [f"bpf: needed -> boosted / floor ({figure[:-3]})", _compared(rounds, "needed", figure, FLOOR)]
        for figure in ("p50_us", "p99_us")
    ] + [
        [f"{name}: polling / bpf ({figure[:-3]})", _compared(rounds, name, figure, "bpf")]
        for name in ("applied", "released") for figure in ("p50_us", "p99_us")
    ]
    text = figures.table(["variant", *_TOLD], [[variant, *(variants[variant][key] for key in _TOLD)] for variant in VARIANTS])
    text += "\n\n" + figures.table(["variant", "from -> to", "samples", "avg us", "p50", "p99", "max"], rows)
    text += "\n\n" + figures.table(["comparison", "ratio", "verdict"],
                                   [[what, one, figures.verdict(one)] for what, one in comparisons])
    return {"variants": variants, "comparisons": [dict(zip(("what", "ratio"), row)) for row in comparisons]}, text
