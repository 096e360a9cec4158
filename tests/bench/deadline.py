# SPDX-License-Identifier: GPL-2.0-or-later
"""deadline: what notices that a vCPU's tokens have ended, a BPF timer or looks of the booster. How late, at what cost.
"""

import statistics
import sys
import time

from rig.load import SIBLINGS
from rig.proc import RigError

from . import figures
from .scene import BOOST_BUDGETS_US

# CPU time of a burst and period in us: hardly awake; within the budget; beyond it, by more than the longest time between
# looks, and never twice at the same place between two of them
DEMANDS = {"asleep": (50, 100_000), "within": (100, 1000), "over": (2000, 20_170)}
NONE, TIMER = "none", "timer"
# As bench-deadline names them. none: nothing notices it, so nothing is done on a vCPU's way
WAYS = (NONE, TIMER, "check-100", "check-500", "check-1000", "check-run")
# As none, and the booster is woken 100 times a second: what it finds then. Only on request.
EXTRA_WAYS = ("backstop",)
_LATENCY, _OVERSHOOT = 0, 1  # enum sample_kind
_WARM_MS = 300


def arguments(parser):
    parser.add_argument("--way", action="append", choices=WAYS + EXTRA_WAYS,
                        help="deadline: this way and the timer only; may be repeated")


def _ways(options):
    return [TIMER, *(way for way in options.way if way != TIMER)] if options.way else list(WAYS)


def _program(way):
    """The tracer is part of it: the shipped one, or one that keeps no deadlines."""
    return "bench-deadline" if way == TIMER else "untimed/bench-deadline"


def _costs(one):
    """CPU time of all that runs for it, or anyway: the booster, the tracer's programs, the timers' callbacks."""
    return one["daemon_permille"] + one["bpf_permille"] + one["bpf_timer_permille"] + one["timerfd_permille"]


def _read(one, words):
    """What a measurement printed, and the pairs of words that it wrote."""
    kinds, values = words[0::2], words[1::2]
    samples, overshoots = ([value for kind, value in zip(kinds, values) if kind == wanted]
                           for wanted in (_LATENCY, _OVERSHOOT))
    if not samples:
        raise RigError("no latencies; the victims were starved")
    return one | figures.summary(samples) | {"samples": samples, "overshoots": overshoots, "costs_permille": _costs(one),
                                             "timers_per_s": one["bpf_timer_per_s"] + one["timerfd_per_s"]}


def run(scene, way, demand, seconds, spinners=()):
    """One measurement, of vCPUs that want (CPU time of a burst, period) in us, beside spinners by pid."""
    out = scene.path("samples")
    one = scene.program(_program(way), way, *demand, _WARM_MS, int(seconds * 1000), scene.path("ledger"), out,
                        scene.procs_file(), *spinners)
    return _read(one, figures.load(out, "Q"))


def _measure(scene, spinners, way, demand, seconds):
    with scene.budget(BOOST_BUDGETS_US):
        spinners.resume()
        try:
            time.sleep(0.05)
            return run(scene, way, DEMANDS[demand], seconds, spinners.pids())
        finally:
            spinners.pause()


def measure(scene, options, rounds):
    """Fills {(way, demand): [one dict per round]}."""
    seconds = options.seconds or (1 if options.quick else 2)
    ways = _ways(options)
    with scene.load(SIBLINGS) as spinners:
        spinners.pause()
        for number in range(options.rounds):
            turn = number % len(ways)
            for demand in DEMANDS:
                for way in ways[turn:] + ways[:turn]:
                    rounds.setdefault((way, demand), []).append(_measure(scene, spinners, way, demand, seconds))
            print(f"bench: deadline: round {number + 1} of {options.rounds}", file=sys.stderr)


def usable(rounds):
    """Is there something to report, should the run have been cut short?"""
    return all((TIMER, demand) in rounds for demand in DEMANDS)


def _against_timer(rounds, way, demand, figure):
    """Within a round."""
    return figures.ratio(*([figure(one) for one in rounds[who, demand]] for who in (way, TIMER)))


def _summary(rounds, way, demand):
    ones = rounds[way, demand]
    overshoots = [sample for one in ones for sample in one["overshoots"]]

    def mean(name):
        return round(statistics.mean(one[name] for one in ones), 3)

    return figures.summary([sample for one in ones for sample in one["samples"]]) | {
        "host_permille_of_untouched": None, "sched_calls_per_1000": mean("calls_per_1000"), "rounds": len(ones),
        "overshoot": figures.summary(overshoots) | {"ends": len(overshoots)} if overshoots else None,
        "load_vs_timer": _against_timer(rounds, way, demand, lambda one: one["load_permille"]),
    } | {name: mean(name) for name in (
        "booster_wakeups_per_s", "timers_per_s", "daemon_permille", "bpf_permille", "bpf_timer_permille",
        "timerfd_permille", "costs_permille", "boosted_permille", "wakeups_boosted_permille", "load_permille",
        "foreign_permille")}


def _comparisons(rounds):
    rows = []

    def compare(title, way, demand, figure):
        ratio = _against_timer(rounds, way, demand, figure)
        rows.append([f"{demand}: {title}, {way} / {TIMER}", ratio, figures.verdict(ratio)])

    for way, demand in rounds:
        if way == TIMER:
            continue
        if demand == "over" and all(one["overshoots"] for who in (way, TIMER) for one in rounds[who, demand]):
            compare("overshoot avg", way, demand, lambda one: statistics.mean(one["overshoots"]))
            compare("overshoot p99", way, demand, lambda one: figures.percentile(sorted(one["overshoots"]), 990))
        if demand == "within":
            compare("wake-up p50", way, demand, lambda one: one["p50_us"])
            compare("wake-up p99", way, demand, lambda one: one["p99_us"])
        if way != NONE or demand != "over":  # there it does nothing, and neither does it cost
            compare("CPU use together", way, demand, lambda one: one["costs_permille"])
    return rows


def report(rounds, _options):
    """(JSON, Markdown)."""
    variants = {f"{way}/{demand}": _summary(rounds, way, demand) for way, demand in rounds}
    rows = []
    for (way, demand), one in zip(rounds, variants.values()):
        overshoot = one["overshoot"] or {}
        rows.append([demand, way, *(overshoot.get(name) for name in ("ends", "p50_us", "p99_us", "p999_us", "max_us")),
                     one["booster_wakeups_per_s"], one["timers_per_s"], one["daemon_permille"], one["bpf_permille"],
                     round(one["bpf_timer_permille"] + one["timerfd_permille"], 3), one["costs_permille"],
                     one["load_vs_timer"], one["p50_us"], one["p99_us"], one["boosted_permille"], one["foreign_permille"]])
    head = ["demand", "way", "boosts ended", "overshoot p50 us", "p99", "p99.9", "max", "booster wake-ups / s", "timers / s",
            "booster permille", "tracer permille", "timers permille", "together", "load / timer's", "wake-up p50 us", "p99", "boosted permille",
            "foreign permille"]
    compared = _comparisons(rounds)
    done = min(one["rounds"] for one in variants.values())
    text = f"{done} rounds\n\n" + figures.table(head, rows) + "\n\n" + figures.table(["comparison", "measured", "verdict"], compared)
    return {"variants": variants,
            "comparisons": [dict(zip(("comparison", "measured", "verdict"), row)) for row in compared]}, text
