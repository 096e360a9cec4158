# SPDX-License-Identifier: GPL-2.0-or-later
"""wake: how late a vCPU runs that is due, and what the rest of the host gets done meanwhile."""

import statistics
import sys
import time

from rig import load as rig_load
from rig.proc import RigError

from . import figures, guest_variants
from .kept import Kept
from .scene import BOOST_BUDGETS_US, NoBudget

# name: (CPU time of a burst, period, sleep) in us; 0: not of that kind
DUTIES = {
    "10": (100, 1000, 0), "30": (300, 1000, 0), "49": (490, 1000, 0), "90": (900, 1000, 0),
    "490/10": (490, 0, 10), "5/20": (5, 0, 20),
}
# More points of a curve of latency against demand. Only on request.
BETWEEN = {"5": (50, 1000, 0), "20": (200, 1000, 0), "70": (700, 1000, 0)}
# Of some demands: work besides that can wait, and its period, in us. Only on request.
ORDINARY = {"5+ordinary": (300, 5000), "10+ordinary": (300, 5000), "5+long": (2000, 20000),
            "5+1ms": (1000, 20000)}
DUTIES |= BETWEEN
DUTIES |= {"5+ordinary": (50, 1000, 0), "5+long": (50, 1000, 0), "5+1ms": (50, 1000, 0), "10+ordinary": DUTIES["10"]}
# Of some demands: a CFS quota on the vCPU's group, in permille of one CPU. Only on request.
QUOTAS = {"15/quota": 200}
DUTIES |= {"15/quota": (150, 1000, 0)}
# Demands that those of docs/examples are like, with the burst in us and the share in permille of the file there: what
# `latency` has then. Only on request.
RECIPES = {"voip": (500, 150), "audio": (600, 250), "soft-plc": (400, 250), "gaming": (3000, 250), "desktop": (1000, 100)}
DUTIES |= {"voip": (300, 20000, 0), "audio": (300, 2667, 0), "soft-plc": (200, 2000, 0), "gaming": (2000, 16667, 0),
           "desktop": (800, 20000, 0)}
VARIANTS = ("untouched", "slice", "interactive", "latency", "static")
# static under an observing tracer: which part of the difference to `latency` is the tracer's. Only on request.
# requests: as latency, and it says in its guest page when it is urgent and when ordinary.
# latency-no-slice: the real-time class alone. auto: with the burst and the share that a profile of mode auto learned before.
EXTRA_VARIANTS = ("static-observed", "requests", "latency-no-slice", "auto")
SHARE_PERMILLE = {"interactive": 100, "latency": 200, "requests": 200, "latency-no-slice": 200,
                  "auto": 300, "learn": 300}  # the built-in profiles
LEARN_S = 30


def arguments(parser):
    parser.add_argument("--duty", action="append", choices=DUTIES, help="wake, levers: one demand only; may be repeated")
    parser.add_argument("--variant", action="append",
                        choices=VARIANTS + EXTRA_VARIANTS + tuple(name for name in guest_variants.NAMES if name not in VARIANTS),
                        help="glitch, host, wake, levers: one variant only; may be repeated")
    parser.add_argument("--layout", choices=rig_load.LAYOUTS, default=rig_load.SIBLINGS,
                        help="wake: where the spinners run: each in a VM's group of its own, as libvirt has it "
                             "(default), all in one other group, or in the vCPU's own")
    parser.add_argument("--burst", type=int, default=0, metavar="US",
                        help="wake: burst_us of the boosting variants, instead of that of their profiles")
    parser.add_argument("--seconds", type=float, help="wake, grid: length of each measurement")


def key(variant, duty):
    """Its name in the JSON: the demand within budget that the targets are about has the plain names."""
    return variant if duty == "10" else f"{variant}/{duty}"


def _budgets(variant, duty):
    """Real-time budgets to try, best first: none of them may ever stop the victim."""
    if variant in SHARE_PERMILLE:
        return BOOST_BUDGETS_US
    if not variant.startswith("static"):
        return ()
    run, period, sleep = DUTIES[duty]
    demand_us = 1_000_000 * run // (period or run + sleep)
    return tuple(min(940_000, demand_us + room_us) for room_us in (300_000, 150_000))


def _ordinary(duty):
    work_us, period_us = ORDINARY.get(duty, (0, 0))
    return ("-O", work_us, "-P", period_us) if work_us else ()


def _default_duties():
    return [duty for duty in DUTIES
            if duty not in ORDINARY and duty not in BETWEEN and duty not in QUOTAS and duty not in RECIPES]


def _share(variant, duty):
    return RECIPES[duty][1] if duty in RECIPES and variant == "latency" else SHARE_PERMILLE[variant]


def _measure(scene, variant, duty, seconds, options):
    out = scene.path("latencies")
    figure, budget_us = _run(scene, variant, duty, seconds, options, out)
    samples = figures.load(out, "Q")
    if not samples:
        raise RigError(f"{variant} at {duty}: no latencies; the victim was starved: give --seconds more")
    learned = {"learned": scene.learned[duty]} if variant == "auto" else {}
    return figure | figures.summary(samples) | {"samples": samples, "budget_us": budget_us} | learned


def _learn(scene, duty, options):
    """What a profile of mode auto learns of a duty beside the load; no figure is given to it."""
    learned, _ = _run(scene, "learn", duty, LEARN_S, options, scene.path("latencies"))
    print(f"bench: wake: learned of {duty}: {learned}", file=sys.stderr)
    return learned


def _figures_of(scene, variant, duty, options):
    """Burst and share of the profile, where they are not those that are built in."""
    if variant != "auto":
        burst_us, share = RECIPES[duty] if duty in RECIPES and variant == "latency" else (0, 0)
        return ("-b", options.burst or burst_us, "-S", share)
    # bench-victim slows what it is given
    return ("-b", scene.learned[duty]["burst_us"] // options.slow, "-S", scene.learned[duty]["share_permille"])


def _run(scene, variant, duty, seconds, options, out):
    """(what bench-victim prints, real-time budget)."""
    run_us, period_us, sleep_us = DUTIES[duty]
    quota, spinners = QUOTAS.get(duty, 0), scene.spinners
    with scene.budget(_budgets(variant, duty)) as budget_us, scene.quota(quota):
        spinners.resume()
        try:
            time.sleep(0.05)
            figure = scene.program(
                "bench-victim", "-v", variant, "-r", run_us, *_ordinary(duty), *(("-p", period_us) if period_us else ("-s", sleep_us)),
                "-d", int(seconds * 1000), "-w", 300, *_figures_of(scene, variant, duty, options), "-q", quota, "-n", options.slow,
                "-l", scene.path("ledger"), "-o", out, "-g", scene.procs_file(), *spinners.pids())
        finally:
            spinners.pause()
    return figure, budget_us


def measure_round(scene, options, duties, variants, found):
    """Fills {(variant, duty): dict}, a demand whole or not at all. scene.spinners is the load, paused."""
    seconds = options.seconds or (1 if options.quick else 2)
    if "slice" in variants and not _has_slices(scene, options):
        variants = [variant for variant in variants if variant not in ("slice", "latency-no-slice")]
    for duty in duties:
        ones = {}
        try:
            for variant in variants:
                one = _measure_if_it_lives(scene, variant, duty, seconds, options)
                if one:
                    ones[variant, duty] = one
        except NoBudget as error:
            print(f"bench: wake: {duty}: a round is left out: {error}", file=sys.stderr)
            continue
        found |= ones


def _measure_if_it_lives(scene, variant, duty, seconds, options):
    """None: static FIFO on a slow host never slept, and the kernel ended it after 400 ms, as it must. Or a profile of mode auto
    has learned that this is not to be boosted."""
    if variant == "auto" and not scene.learned[duty]["boosts"]:
        print(f"bench: wake: auto at {duty} is left out: it would not be boosted", file=sys.stderr)
        return None
    try:
        return _measure(scene, variant, duty, seconds, options)
    except RigError as error:
        if not variant.startswith("static") or "the victim died" not in str(error):
            raise
        print(f"bench: wake: {variant} at {duty} is left out: it never slept for 400 ms", file=sys.stderr)
        return None


def measure(scene, options, rounds):
    """Fills {(variant, duty): [one dict per round]}; rounds outermost so that all share a noise that lasts."""
    duties, variants = options.duty or _default_duties(), list(options.variant or VARIANTS)
    def take(one):
        for variant, duty, figure in one["cells"]:
            rounds.setdefault((variant, duty), []).append(figure)

    kept = Kept(options, take, slow=options.slow)
    kept.begin()
    with scene.load(options.layout) as spinners:
        spinners.pause()
        scene.spinners = spinners
        scene.learned = {duty: _learn(scene, duty, options) for duty in duties} if "auto" in variants else {}
        for number in kept.numbers():
            turn, found = number % len(variants), {}
            measure_round(scene, options, duties, variants[turn:] + variants[:turn], found)
            if found:
                kept.add({"cells": [[*cell, one] for cell, one in found.items()]})
            print(f"bench: wake: round {number - kept.known + 1} of {options.rounds}", file=sys.stderr)
    if not rounds:
        raise RigError("no round could be finished: others hold the real-time budget of the host's groups")


def _has_slices(scene, options):
    """Tried once: scene.slices remembers it."""
    if not hasattr(scene, "slices"):
        try:
            _measure(scene, "slice", "10", 0.1, options)
            scene.slices = True
        except RigError as error:
            print(f"bench: slice is left out, it needs Linux 6.12: {error}", file=sys.stderr)
            scene.slices = False
    return scene.slices


def _column(rounds, variant, duty, name):
    return [one[name] for one in rounds.get((variant, duty), [])]


def _host(rounds, variant, duty):
    return figures.ratio(_column(rounds, variant, duty, "load_permille"),
                         _column(rounds, "untouched", duty, "load_permille"))


def _of_latency(rounds, duty, name):
    return figures.ratio(_column(rounds, "auto", duty, name), _column(rounds, "latency", duty, name))


def _summary(rounds, variant, duty):
    ones = rounds[variant, duty]
    samples = [sample for one in ones for sample in one["samples"]]
    host = _host(rounds, variant, duty)
    boosted = "calls_per_1000" in ones[0]
    mean = {name: round(statistics.mean(one[name] for one in ones), 2)
            for name in ("victim_permille", "load_permille", "daemon_permille", "foreign_permille")}
    return figures.summary(samples) | {
        "host_permille_of_untouched": round(host["ratio"] * 1000, 1) if host else None,
        "sched_calls_per_1000": round(statistics.median(one["calls_per_1000"] for one in ones), 3) if boosted else 0,
        "boosted_permille": round(statistics.mean(one["boosted_permille"] for one in ones), 2) if boosted else
        (mean["victim_permille"] if variant.startswith("static") else 0),
        "rounds": len(ones), "host_ratio": host, "samples": len(samples),
        "avg_vs_static": figures.ratio(_column(rounds, variant, duty, "avg_us"),
                                       _column(rounds, "static", duty, "avg_us")),
        "p99_vs_static": figures.ratio(_column(rounds, variant, duty, "p99_us"),
                                       _column(rounds, "static", duty, "p99_us")),
        "untouched_by_it": figures.ratio(_column(rounds, "untouched", duty, "avg_us"),
                                         _column(rounds, variant, duty, "avg_us")),
        "avg_vs_untouched": figures.ratio(_column(rounds, variant, duty, "avg_us"),
                                          _column(rounds, "untouched", duty, "avg_us")),
        "budget_us": ones[0]["budget_us"],
        "entitled_permille": round(statistics.mean(one["entitled_permille"] for one in ones)) if boosted else None,
        "yields": round(statistics.mean(one["yields"] for one in ones), 1) if boosted else None,
        "throttles": round(statistics.mean(one["throttles"] for one in ones), 1) if boosted else None,
        "denied": {reason: sum(one["denied"].get(reason, 0) for one in ones)
                   for reason in sorted({reason for one in ones for reason in one["denied"]})} if boosted else None,
        **({name: round(statistics.median(one[name] for one in ones), 1)
            for name in ("urgent_work_us", "urgent_run_us", "grace_us")} if boosted else {}),
        "unseen": sum(one["unseen"] for one in ones) if boosted else None,
        "requests_vs_latency": figures.ratio(_column(rounds, variant, duty, "avg_us"),
                                         _column(rounds, "latency", duty, "avg_us")) if variant == "requests" else None,
        "requests_p99_vs_latency": figures.ratio(_column(rounds, variant, duty, "p99_us"),
                                             _column(rounds, "latency", duty, "p99_us")) if variant == "requests" else None,
        "requests_boosted_vs_latency": figures.ratio(_column(rounds, variant, duty, "boosted_permille"),
                                                  _column(rounds, "latency", duty, "boosted_permille"))
        if variant == "requests" else None,
        "auto_vs_latency": _of_latency(rounds, duty, "avg_us") if variant == "auto" else None,
        "auto_p99_vs_latency": _of_latency(rounds, duty, "p99_us") if variant == "auto" else None,
        "reasons": sorted({one["reason"] for one in ones}) if boosted else None,
    } | mean


def _limit(variant, duty, entitled_permille):
    """(the least share of the untouched host's throughput that the target leaves, why)."""
    run, period, sleep = DUTIES[duty]
    demand_permille = 1000 * run / (period or run + sleep)
    if demand_permille <= entitled_permille:
        return 0.95, f"demand {demand_permille:.0f} <= entitlement {entitled_permille} permille: 5 %"
    share = _share(variant, duty)
    return 1 - (share + 10) / 1000, f"demand {demand_permille:.0f} > entitlement: share {share / 10:g} % + 1"


def _targets(variants, duties):
    rows = []
    for duty in duties:
        for variant in ("interactive", "latency"):
            one = variants.get(key(variant, duty))
            if one is None:
                continue
            if variant == "latency" and duty == "10":
                rows.append(["latency avg <= 1.2 x static", one["avg_vs_static"],
                             figures.target(one["avg_vs_static"], 1.2)])
                rows.append(["latency p99 <= 1.5 x static", one["p99_vs_static"],
                             figures.target(one["p99_vs_static"], 1.5)])
                rows.append(["untouched / latency >= 100", one["untouched_by_it"],
                             figures.target(one["untouched_by_it"], 100, at_most=False)])
                rows.append(["calls per 1,000 wake-ups <= 10", one["sched_calls_per_1000"],
                             "met" if one["sched_calls_per_1000"] <= 10 else "missed"])
            auto = variants.get(key("auto", duty))
            if auto and variant == "latency":
                rows += [[f"{key('auto', duty)}: {name} no worse than latency", auto[f"auto{ratio}_vs_latency"],
                          figures.verdict(auto[f"auto{ratio}_vs_latency"])] for name, ratio in (("avg", ""), ("p99", "_p99"))]
            requests = variants.get(key("requests", duty))
            if requests and variant == "latency":
                rows.append([f"{key('requests', duty)}: avg no worse than latency", requests["requests_vs_latency"],
                             figures.verdict(requests["requests_vs_latency"])])
                rows.append([f"{key('requests', duty)}: p99 no worse than latency", requests["requests_p99_vs_latency"],
                             figures.verdict(requests["requests_p99_vs_latency"])])
                rows.append([f"{key('requests', duty)}: boosted time of latency's", requests["requests_boosted_vs_latency"],
                             figures.verdict(requests["requests_boosted_vs_latency"])])
            limit, why = _limit(variant, duty, one["entitled_permille"])
            rows.append([f"{key(variant, duty)}: host >= {limit:.2f} of untouched ({why})", one["host_ratio"],
                         figures.target(one["host_ratio"], limit, at_most=False)])
    return rows


def usable(rounds):
    """Is there something to report, should the run have been cut short?"""
    return bool(rounds)


def report(rounds, options):
    """(JSON, Markdown)."""
    duties = options.duty or _default_duties()
    variants = {key(variant, duty): _summary(rounds, variant, duty) for variant, duty in rounds}
    rows = []
    for duty in duties:
        for variant in VARIANTS + EXTRA_VARIANTS:
            one = variants.get(key(variant, duty))
            if one is None:
                continue
            rows.append([duty, variant, one["rounds"], one["avg_us"], one["p50_us"], one["p99_us"], one["p999_us"], one["max_us"],
                         one["victim_permille"], one["host_permille_of_untouched"], one["sched_calls_per_1000"],
                         one["boosted_permille"], one["avg_vs_untouched"],
                         "-" if variant == "untouched" else figures.verdict(one["avg_vs_untouched"])])
    head = ["duty", "variant", "rounds", "avg us", "p50", "p99", "p99.9", "max", "victim permille",
            "host permille of untouched", "calls / 1000 wake-ups", "boosted permille", "avg / untouched", "verdict"]
    targets = _targets(variants, duties)
    done = min(one["rounds"] for one in variants.values())
    foreign = statistics.mean(one["foreign_permille"] for one in variants.values())
    text = f"layout {options.layout}, {done} rounds, foreign CPU use {foreign:.0f} permille of one CPU\n\n"
    text += figures.table(head, rows) + "\n\n" + figures.table(["target", "measured", "verdict"], targets)
    learned = {duty: rounds["auto", duty][0]["learned"] for duty in duties if ("auto", duty) in rounds}
    if learned:
        text += "\n\n" + figures.table(["duty", "learned burst us", "share permille", "covers permille"], [
            [duty, one["burst_us"], one["share_permille"], one["covered_permille"]] for duty, one in learned.items()])
    extra = {"rounds": done, "learned": learned, "layout": options.layout, "foreign_permille": round(foreign, 1),
             "targets": [dict(zip(("target", "measured", "verdict"), row)) for row in targets]}
    return {"variants": variants} | extra, text
