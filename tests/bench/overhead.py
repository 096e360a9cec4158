# SPDX-License-Identifier: GPL-2.0-or-later
"""overhead: what the tracer costs all threads, and what the booster costs at rest and at work."""

import os
import statistics
import sys

from . import figures

# empty: programs that do nothing in the tracer's two places; leased: traced, and a client asks for blockers
VARIANTS = ("untraced", "empty", "traced", "leased")
RATES = (1000, 10000)  # boost cycles per second
WAITS = ("epoll", "io_uring")  # ways of the booster


def arguments(parser):
    parser.add_argument("--cpu", type=int, help="overhead: where the ping-pong runs; the last CPU by default")


def _pingpong(scene, variant, cpu, ms):
    out = scene.path("trips")
    scene.program("bench-overhead", "pingpong", variant, cpu, ms, out)
    samples = figures.load(out, "I")
    return figures.summary(samples) | {"samples": samples}


def measure(scene, options, rounds):
    cpu = options.cpu if options.cpu is not None else max(os.sched_getaffinity(0))
    ms = 300 if options.quick else 700
    seconds = 2 if options.quick else 5
    rounds |= {name: [] for name in VARIANTS} | {"cpu": cpu}
    for number in range(options.rounds):
        first = number % len(VARIANTS)
        for variant in VARIANTS[first:] + VARIANTS[:first]:
            rounds[variant].append(_pingpong(scene, variant, cpu, ms))
        print(f"bench: overhead: round {number + 1} of {options.rounds}", file=sys.stderr)
    rounds["stats"] = {who: scene.program("bench-overhead", "stats", who, cpu, ms * 3)
                       for who in ("bystanders", "registered", "leased")}
    rounds["idle"] = scene.program("bench-overhead", "idle", seconds * 1000, scene.path("ledger"))
    rounds["scans"] = [scene.program("bench-scans") for _ in range(options.rounds)]
    rounds["cycles"] = {(rate, wait): [] for rate in RATES for wait in WAITS}
    for number in range(options.rounds):
        for rate in RATES:
            for wait in WAITS[number % 2:] + WAITS[:number % 2]:
                rounds["cycles"][rate, wait].append(
                    scene.program("bench-cycles", rate, 1, scene.path("ledger"), wait))


def usable(rounds):
    """Is there something to report, should the run have been cut short?"""
    return "cycles" in rounds


def report(rounds, _options):
    variants = {name: figures.summary([sample for one in rounds[name] for sample in one["samples"]]) |
                {"host_permille_of_untouched": None, "sched_calls_per_1000": 0} for name in VARIANTS}
    # p50: a round trip that was interrupted says nothing about the tracer
    by_name = {name: figures.ratio(*([one[name] for one in rounds[who]] for who in ("traced", "untraced")))
               for name in ("avg_us", "p50_us")}
    variants["traced"]["host_permille_of_untouched"] = round(1000 / by_name["avg_us"]["ratio"], 1)
    head = ["ping-pong", "avg us", "p50", "p99", "p99.9", "max"]
    rows = [[name, *(variants[name][f"{figure}_us"] for figure in ("avg", "p50", "p99", "p999", "max"))]
            for name in VARIANTS]
    beside_empty = figures.ratio(*([one["p50_us"] for one in rounds[who]] for who in ("traced", "empty")))
    beside_traced = figures.ratio(*([one["p50_us"] for one in rounds[who]] for who in ("leased", "traced")))
    wakeups = rounds["idle"]["booster_wakeups_per_s"]
    targets = [[f"traced / untraced <= 1.01 ({name[:-3]})", compared, figures.target(compared, 1.01)]
               for name, compared in by_name.items()]
    targets.append(["for comparison: traced / empty programs (p50)", beside_empty, figures.verdict(beside_empty)])
    targets.append(["for comparison: leased / traced (p50)", beside_traced, figures.verdict(beside_traced)])
    targets += [[f"booster wake-ups per second, {name.replace('_', ' ')}: 0", wakeups[name],
                 "met" if wakeups[name] == 0 else "missed"] for name in ("none_registered", "armed_and_asleep")]
    stats = [[who, program, one["runs"], one["ns_per_run"]] for who, programs in rounds["stats"].items()
             for program, one in programs.items()]
    cycles = [{"asked_per_s": rate, "wait": wait} |
              {name: round(statistics.median(one[name] for one in ones), 3)
               for name in ("boosts_per_s", "booster_cpu_permille", "us_per_cycle")}
              for (rate, wait), ones in rounds["cycles"].items()]
    for rate in RATES:
        by_wait = figures.ratio(*([one["us_per_cycle"] for one in rounds["cycles"][rate, wait]]
                                  for wait in reversed(WAITS)))
        targets.append([f"for comparison: us per cycle at {rate}/s, io_uring / epoll", by_wait, figures.verdict(by_wait)])
    scans = {name: {kind: statistics.median(one[name][kind] for one in rounds["scans"]) for kind in ("warm_ns", "cold_ns")}
             for name in rounds["scans"][0] if name != "boosted"}
    text = "\n\n".join((
        figures.table(head, rows), figures.table(["target", "measured", "verdict"], targets),
        figures.table(["ping-pong of", "BPF program", "runs", "ns per run"], stats),
        f"{rounds['idle']['vcpus']} vCPUs, {rounds['idle']['armed']} armed "
        f"({', '.join(sorted(set(rounds['idle']['reasons'])))}); booster wake-ups per second: " +
        ", ".join(f"{name.replace('_', ' ')} {value:g}" for name, value in wakeups.items()),
        figures.table(["requested cycles/s", "wait", "boosts/s", "booster's CPU permille", "us per cycle"],
                      [list(one.values()) for one in cycles]),
        figures.table([f"{rounds['scans'][0]['boosted']} boosted: look", "at", "warm ns", "cold ns"],
                      [[*name.rsplit("_", 1), one["warm_ns"], one["cold_ns"]] for name, one in scans.items()])))
    extra = {"bpf_programs": rounds["stats"], "idle": rounds["idle"], "cycles": cycles, "scans": scans,
             "targets": [dict(zip(("target", "measured", "verdict"), row)) for row in targets]}
    return {"variants": variants} | extra, text
