# SPDX-License-Identifier: GPL-2.0-or-later
"""Tables and targets out of the rounds of `glitch`."""

import statistics

from rig.audio import FRAMES, RATE, WORK_PERMILLE

from . import figures
from .guest_variants import COVERED, SLICE, STATIC

# busy-1: one spinner per CPU, so that the fair share of a CPU is more than what is asked of the vCPU; busy: three.
IDLE, ONE, BUSY = LOADS = ("idle", "busy-1", "busy")
UNTOUCHED, LATENCY = "untouched", "latency"
VARIANTS = (UNTOUCHED, SLICE, LATENCY, COVERED, STATIC)
COUNTED = ("periods", "glitches", "gaps")
_MIDDLE = ("boosted_permille", "vcpu_permille", "load_permille", "foreign_permille")
# The kernel series' own row: 1365 glitches untouched, 67 boosted, with 96 frames on a busy host.
PART, OF_STATIC, STATIC_ROOM = 1 / 20, 1.2, 5


def _column(rounds, load, frames, variant):
    """[figures] of the rounds that have this cell; each has the untouched one, too."""
    return [one["cells"][key] for one in rounds if (key := name(load, frames, variant)) in one["cells"]]


def name(load, frames, variant):
    return f"{load}/{frames}/{variant}"


def _ratio(rounds, load, frames, variant, bound):
    """Of the glitches, round by round, to BOUND(those of a round); None where a round lacks one of them."""
    pairs = [(one["cells"][mine]["glitches"], bound(one["cells"])) for one in rounds
             if (mine := name(load, frames, variant)) in one["cells"]]
    pairs = [(mine, limit) for mine, limit in pairs if limit is not None]
    return figures.ratio(*zip(*pairs)) if pairs else None


def _of(load, frames, variant, change=lambda glitches: glitches):
    """bound() of another variant."""
    def bound(cells):
        cell = cells.get(name(load, frames, variant))
        return None if cell is None else change(cell["glitches"])
    return bound


def _row(rounds, load, frames, variant):
    ones = _column(rounds, load, frames, variant)
    counts = {key: sum(one[key] for one in ones) for key in COUNTED}
    return {"frames": frames, "load": load, "variant": variant, **counts, "rounds": len(ones),
            "per_1000": round(1000 * counts["glitches"] / counts["periods"], 2) if counts["periods"] else None,
            "longest": max(one["longest"] for one in ones), "late_max_us": max(one["late_max_us"] for one in ones),
            "glitches_vs_untouched": _ratio(rounds, load, frames, variant, _of(load, frames, UNTOUCHED)),
            **{key: round(statistics.median(one[key] for one in ones), 1) for key in _MIDDLE},
            "load_vs_untouched": figures.ratio([one["load_permille"] for one in ones],
                                               [one["load_permille"] for one in _column(rounds, load, frames, UNTOUCHED)])
            if load != IDLE and len(ones) == len(_column(rounds, load, frames, UNTOUCHED)) else None}


def targets(rounds):
    """[{"target", "measured", "verdict"}]: what is asked of `latency` with the smallest buffer on a busy host; and of a profile
    that was made for this guest."""
    found, frames = [], FRAMES[0]
    for load in (BUSY, ONE):
        for variant in (LATENCY, COVERED):
            against = ((f"{load}, {frames} frames: glitches with {variant} <= 1/20 of untouched", PART, _of(load, frames, UNTOUCHED)),
                       (f"{load}, {frames} frames: glitches with {variant} <= {OF_STATIC} x static + {STATIC_ROOM}, of that", 1,
                        _of(load, frames, STATIC, lambda glitches: OF_STATIC * glitches + STATIC_ROOM)))
            for text, limit, bound in against:
                compared = _ratio(rounds, load, frames, variant, bound)
                if compared:
                    found.append({"target": text, "measured": compared, "verdict": figures.target(compared, limit)})
    return found


def _about(rounds):
    conditions = rounds[0]["conditions"]
    slow = conditions["slow"]
    slowed = ("periods, work and bursts as they are" if slow == 1 else
              f"periods, work and bursts {slow} times as long, since emulation leaves no room for shorter ones")
    kinds = {"qemu": "emulated by TCG", "kvm": "by KVM"}
    where = "" if rounds[0].get("machine", "itself") == "itself" else f" in an {rounds[0]['machine']}"
    return (f"a guest of one vCPU {kinds[conditions['guest_type']]}{where}, {conditions['cpus']} CPUs, "
            f"{conditions['seconds']} s each; its audio thread works for {WORK_PERMILLE // 10} % of each period at "
            f"{RATE // 1000} kHz; {slowed}; "
            f"{conditions['loops_per_ms']} loops of work in a millisecond")


def report(rounds):
    """(JSON, Markdown)."""
    rows = [_row(rounds, load, frames, variant) for load in LOADS for frames in FRAMES for variant in VARIANTS
            if _column(rounds, load, frames, variant)]
    head = ["load", "frames", "variant", "rounds", "periods", "glitches", "of 1000 periods", "gaps", "longest, periods",
            "latest beginning us", "of untouched", "boosted permille", "vCPU's CPU time", "load, of untouched", "foreign"]
    table = figures.table(head, [
        [row["load"], row["frames"], row["variant"], row["rounds"], row["periods"], row["glitches"], row["per_1000"], row["gaps"],
         row["longest"], row["late_max_us"], row["glitches_vs_untouched"], row["boosted_permille"], row["vcpu_permille"],
         row["load_vs_untouched"], row["foreign_permille"]] for row in rows])
    goals = targets(rounds)
    texts = [_about(rounds), table]
    left_out = rounds[0].get("left_out", {})
    texts += [f"{variant} is left out: {why}" for variant, why in left_out.items()]
    if goals:
        texts.append(figures.table(["target", "measured", "verdict"], [list(goal.values()) for goal in goals]))
    return {"conditions": rounds[0]["conditions"], "left_out": left_out, "rows": rows, "targets": goals}, "\n\n".join(texts)
