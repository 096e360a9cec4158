# SPDX-License-Identifier: GPL-2.0-or-later
"""host: what all others pay, and gain, when all vCPUs of a host want to be boosted."""

import concurrent.futures
import contextlib
import os
import random
import statistics
import sys
import time

from rig import stats
from rig.load import SIBLINGS
from rig.measure import HostCyclictest
from rig.proc import RigError

from . import figures, host_guest, host_io, host_rig
from .kept import Kept
from .scene import BOOST_BUDGETS_US, NoBudget, Scene

VARIANTS = ("untouched", "interactive", "latency", "static")
# name: (vCPUs per CPU of the host, vCPUs per domain; CPU time of a burst, period, sleep in us, 0: not of that kind)
SCENES = {
    # asks for everything, on every CPU; a shorter sleep is over before the thread sleeps
    "rogue": (1, 1, 240, 0, 10),
    "four": (4, 2, 50, 1000, 0),  # on 2 CPUs four domains of two vCPUs that are armed and stay within their budgets
    "busy100": (1, 1, 4000, 0, 50),
    "busy45": (1, 1, 450, 1000, 0),
    "crowded-2": (2, 1, 100, 1000, 0),  # admission: so many vCPUs want `latency` on each CPU, and share what that may give
    "crowded-8": (8, 1, 20, 1000, 0),  # all that the CPUs may give, with what a wake-up costs
    "crowded-8-half": (8, 1, 10, 1000, 0),
}
GUEST_PERMILLE = ("boosted_permille", "guest_permille", "load_permille")
THREADS = "threads"  # of the lines of a --rounds-file
GUEST = "hackbench"  # a scene of its own, as those of host_io: in a guest, by the daemon
ALL = (*SCENES, GUEST, *host_io.SCENES)
_WARM_MS, _LEAD_S = 300, 0.6  # the host's cyclictest starts when the variant holds
_STATIC_BUDGETS_US = (940_000, 600_000)


def arguments(parser):
    parser.add_argument("--scene", action="append", choices=ALL, help="host: one scene only; may be repeated")


def scenes(options):
    """Names of those that are wanted."""
    if not options.rig:
        return options.scene or ALL
    if set(options.scene or ()) - set(host_io.SCENES):
        raise RigError(f"--rig: of the scenes only {' and '.join(host_io.SCENES)} are measured in the emulated host")
    return options.scene or host_io.SCENES


def scene(options):
    """The threads' scenes need a group; a guest has its own."""
    if set(scenes(options)) & set(SCENES):
        return Scene(options.build)
    return contextlib.nullcontext()


def _budgets(variant):
    if variant == "untouched":
        return ()
    return _STATIC_BUDGETS_US if variant == "static" else BOOST_BUDGETS_US


def _run(scene, spinners, variant, victims, seconds):
    """(the program's answer, latencies of the host's own threads): both of the same time."""
    per_cpu, per_domain, run_us, period_us, sleep_us = victims
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        answer = pool.submit(scene.program, "bench-host", variant, per_cpu * os.cpu_count(), per_domain, run_us, period_us,
                             sleep_us, _WARM_MS, int((seconds + _LEAD_S) * 1000), scene.path("ledger"), scene.path("latencies"),
                             scene.procs_file(), *spinners.pids())
        time.sleep(_LEAD_S)
        cyclictest = HostCyclictest(max(1, int(seconds)))
        try:
            return answer.result(), cyclictest.result()
        finally:
            cyclictest.close()


def _measure(scene, spinners, variant, victims, seconds):
    with scene.budget(_budgets(variant)) as budget_us:
        spinners.resume()
        try:
            figure, host = _run(scene, spinners, variant, victims, seconds)
        finally:
            spinners.pause()
    samples = figures.load(scene.path("latencies"), "Q")
    if not samples:
        raise RigError(f"{variant}: no latencies; the victims were starved: give --seconds more")
    return figure | figures.summary(samples) | {
        "samples": samples, "host": {"histogram": host.histogram, "cycles": host.cycles, "avg_us": host.avg_us(), "max_us": host.max_us},
        "host_p99_us": host.percentile(990), "budget_us": budget_us}


def measure(scene, options, rounds):
    """Fills {(variant, scene's or row's name): [one dict per round]}; rounds outermost, variants rotated within."""
    wanted, kept = scenes(options), Rounds(options, rounds)
    kept.begin()
    threads = [name for name in wanted if name in SCENES]
    if threads:
        _measure_threads(scene, threads, options, kept)
    if GUEST in wanted:
        _measure_guest(options, kept)
    devices = [name for name in wanted if name in host_io.SCENES]
    if devices and options.rig:
        host_rig.measure(devices, options, kept.add_line)
    elif devices:
        host_io.measure(devices, options, kept)
    if not rounds:
        raise RigError("no round could be finished: others hold the real-time budget of the host's groups")


class Rounds:
    """Takes rounds, {(variant, name): figures}, or lines of JSON from a program that measured them elsewhere."""

    def __init__(self, options, rounds):
        self._options, self._rounds = options, rounds
        self._known = {}  # {what: rounds}
        self._kept = Kept(options, self._take, slow=options.slow)
        self._earlier = dict(self._known)

    def _take(self, line):
        self._known[line["of"]] = self._known.get(line["of"], 0) + 1
        for variant, name, figure in line["cells"]:
            self._rounds.setdefault((variant, name), []).append(figure)

    def begin(self):
        self._kept.begin()

    def numbers(self, what):
        """Of the rounds of WHAT that are to be measured now."""
        return self._kept.numbers(self._earlier.get(what, 0))

    def add(self, what, one):
        self._add(what, {"of": what, "cells": [[*key, figure] for key, figure in one.items()]})

    def add_line(self, line, machine):
        cells = [[variant, name, figure | {"machine": machine}] for variant, name, figure in line["cells"]]
        self._add(line["of"], line | {"cells": cells})

    def _add(self, what, line):
        self._kept.add(line)
        done = self._known[what] - self._earlier.get(what, 0)
        print(f"bench: host: {what}: round {done} of {self._options.rounds}", file=sys.stderr)


def _measure_guest(options, kept):
    with contextlib.ExitStack() as undo:
        contended, names = None, host_guest.VARIANTS
        for number in kept.numbers(GUEST):
            contended = contended or undo.enter_context(host_guest.Contended(options))
            order, runs = random.Random(number), {variant: [] for variant in names}
            for _ in range(host_guest.RUNS):
                for variant in order.sample(names, len(names)):
                    answer, one = contended.measure(variant, host_guest.HACKBENCH)
                    runs[variant].append(one | {"seconds": answer["us"] / 1e6})
            kept.add(GUEST, {(variant, GUEST): ones[0] | {name: statistics.mean(one[name] for one in ones)
                                                          for name in ("seconds", *GUEST_PERMILLE)}
                             for variant, ones in runs.items()})


def _measure_threads(scene, scenes, options, kept):
    seconds = options.seconds or (1 if options.quick else 2)
    variants = [variant for variant in VARIANTS if not options.variant or variant in options.variant]
    with scene.load(SIBLINGS) as spinners:
        spinners.pause()
        for number in kept.numbers(THREADS):
            turn, found = number % len(variants), {}
            for name in scenes:
                try:
                    ones = {variant: _measure(scene, spinners, variant, SCENES[name], seconds)
                            for variant in variants[turn:] + variants[:turn]}
                except NoBudget as error:  # a round counts whole or not at all
                    print(f"bench: host: {name}: round {number + 1} is left out: {error}", file=sys.stderr)
                    continue
                found |= {(variant, name): one for variant, one in ones.items()}
            if found:
                kept.add(THREADS, found)


def usable(rounds):
    """Is there something to report, should the run have been cut short?"""
    return bool(rounds)


def _compared(rounds, name, variant, other, scene):
    if (variant, scene) not in rounds or (other, scene) not in rounds:
        return None
    return figures.ratio([one[name] for one in rounds[variant, scene]], [one[name] for one in rounds[other, scene]])


def _host_latencies(ones):
    merged = stats.Latencies()
    for one in ones:
        merged.add(one["host"]["histogram"], one["host"]["cycles"], one["host"]["avg_us"], one["host"]["max_us"])
    return merged.summary()


def _summary(rounds, variant, scene):
    ones = rounds[variant, scene]
    load = _compared(rounds, "load_permille", variant, "untouched", scene)

    def middle(name):
        return round(statistics.median(one[name] for one in ones), 2)

    boosted = "calls_per_1000" in ones[0]
    return figures.summary([sample for one in ones for sample in one["samples"]]) | {
        "host_permille_of_untouched": round(load["ratio"] * 1000, 1) if load else None,
        "sched_calls_per_1000": middle("calls_per_1000") if boosted else 0,
        "boosted_permille": middle("boosted_permille") if boosted else middle("victim_permille") if variant == "static" else 0,
        "migrations_per_s": middle("migrations_per_s"), "victim_permille": middle("victim_permille"),
        "foreign_permille": middle("foreign_permille"), "host": _host_latencies(ones), "rounds": len(ones),
        "budget_us": ones[0]["budget_us"], "host_ratio": load,
        "host_p99_vs_untouched": _compared(rounds, "host_p99_us", variant, "untouched", scene),
        "avg_vs_static": _compared(rounds, "avg_us", variant, "static", scene),
        "p99_vs_static": _compared(rounds, "p99_us", variant, "static", scene),
    }


def _targets(variants, scenes):
    rows = []
    for scene in scenes:
        for variant in ("interactive", "latency"):
            one = variants.get(f"{variant}/{scene}")
            if one is None or one["host_ratio"] is None:
                continue
            rows.append([f"{scene}, {variant}: load >= 0.69 of untouched (a CPU gives 30 % to real time, and 1 more)",
                         one["host_ratio"], figures.target(one["host_ratio"], 0.69, at_most=False)])
            rows.append([f"for comparison: {scene}, {variant}: p99 of the host's threads beside untouched",
                         one["host_p99_vs_untouched"], figures.verdict(one["host_p99_vs_untouched"])])
        one = variants.get(f"latency/{scene}")
        if scene.startswith("crowded") and one and one["avg_vs_static"]:
            rows.append([f"{scene}: latency avg <= 1.2 x static with as many", one["avg_vs_static"],
                         figures.target(one["avg_vs_static"], 1.2)])
            rows.append([f"{scene}: latency p99 <= 1.5 x static with as many", one["p99_vs_static"],
                         figures.target(one["p99_vs_static"], 1.5)])
    return rows


def _guest_report(rounds):
    """({variant: figures}, rows, targets) of the contended guest."""
    found, rows, targets = {}, [], []
    for variant in host_guest.VARIANTS:
        ones = rounds.get((variant, GUEST))
        if not ones:
            continue
        slower = _compared(rounds, "seconds", variant, "untouched", GUEST)
        found[f"{variant}/{GUEST}"] = one = {
            "median_s": round(statistics.median(one["seconds"] for one in ones), 3), "vs_untouched": slower, "rounds": len(ones),
            "work_per_cpu_time_vs_untouched": stats.ratio(
                [1 / one["seconds"] / one["guest_permille"] for one in ones],
                [1 / one["seconds"] / one["guest_permille"] for one in rounds.get(("untouched", GUEST), [])]),
            **{name: round(statistics.median(one[name] for one in ones), 2) for name in GUEST_PERMILLE},
            "guest_type": ones[0]["guest_type"], "vcpus": host_guest.VCPUS}
        rows.append([variant, one["rounds"], one["guest_type"], one["median_s"], *(one[name] for name in GUEST_PERMILLE), slower,
                     one["work_per_cpu_time_vs_untouched"], "-" if variant == "untouched" else figures.verdict(slower)])
        if variant != "untouched":
            targets.append([f"{GUEST} in a guest of {host_guest.VCPUS} vCPUs, {variant}: time <= 1.05 x untouched", slower,
                            figures.target(slower, 1.05)])
    return found, rows, targets


def report(rounds, _options):
    """(JSON, Markdown)."""
    scenes = [scene for scene in SCENES if any(key[1] == scene for key in rounds)]
    variants = {f"{variant}/{scene}": _summary(rounds, variant, scene) for variant, scene in rounds if scene in SCENES}
    head = ["scene", "variant", "rounds", "vCPUs' avg us", "p50", "p99", "max", "of a CPU, permille", "boosted", "calls / 1000 wake-ups",
            "migrations/s", "load, permille of untouched", "host's p50 us", "p99", "max"]
    rows = []
    for scene in scenes:
        for variant in VARIANTS:
            one = variants.get(f"{variant}/{scene}")
            if one:
                rows.append([scene, variant, one["rounds"], one["avg_us"], one["p50_us"], one["p99_us"], one["max_us"],
                             one["victim_permille"], one["boosted_permille"], one["sched_calls_per_1000"], one["migrations_per_s"],
                             one["host_permille_of_untouched"], one["host"]["p50_us"], one["host"]["p99_us"], one["host"]["max_us"]])
    targets, texts = _targets(variants, scenes), []
    foreign = round(statistics.mean(one["foreign_permille"] for one in variants.values()), 1) if variants else None
    if rows:
        texts = [f"{os.cpu_count()} CPUs, foreign CPU use {foreign:.0f} permille of one CPU (cyclictest among it)", figures.table(head, rows)]
    found, rows, more = _guest_report(rounds)
    if rows:
        texts.append(figures.table(["hackbench", "rounds", "guest", "median s", "boosted permille", "guest's CPU time",
                                    "load's", "time, of untouched", "work for a CPU second of the guest", "verdict"], rows))
    targets += more
    throughput, more_texts, more = host_io.report(rounds)
    texts += more_texts
    targets += more
    return {"variants": variants | found | throughput, "foreign_permille": foreign,
            "targets": [dict(zip(("target", "measured", "verdict"), row)) for row in targets]}, "\n\n".join(
                [*texts, figures.table(["target", "measured", "verdict"], targets)])
