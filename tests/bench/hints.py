# SPDX-License-Identifier: GPL-2.0-or-later
"""hints: what the hints of a guest's scheduler give its real-time task, and save of the budget, where ordinary work of the
same vCPU is driven by timers, too."""

import json
import statistics
import sys
import time

from rig.proc import RigError

from . import figures, grid_host, hints_host, inside
from .grid import taker
from .grid_report import Delays
from .grid_rig import DROP_IN
from .host_rig import IMAGE, image_files
from .hints_host import LATENCY, LATENCY_AGENT, STATIC, URGENT_ONLY_AGENT, VANILLA
from .kept import Kept

VARIANTS = (VANILLA, LATENCY, LATENCY_AGENT, URGENT_ONLY_AGENT, STATIC)
SLOW_IN_RIG = 10
P99_MOST, BOOSTED_MOST = 1.1, 0.5  # of latency without hints
QUICK_ROUNDS = 2
SECONDS, QUICK_SECONDS = 10, 6


def arguments(_parser):
    """None of its own: --host, --slow and --guest-type are grid's."""


class NoScene:
    """There is a guest, and no threads in a group of their own."""

    def __init__(self, options):
        options.seconds = int(options.seconds or (QUICK_SECONDS if options.quick else SECONDS))
        options.vcpus = 1  # on which all of it runs
        options.host_every = options.host_every or 10
        if options.slow == 1 and not options.host:
            options.slow = SLOW_IN_RIG
        grid_host.slowed(options.slow)  # refuses what it cannot be

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


scene = NoScene


def _measure_here(options, add):
    with hints_host.Machine(options) as machine:
        conditions = machine.conditions() | {"seconds": options.seconds, "slow": options.slow, "machine": "itself"}
        for number in range(options.rounds):
            begin = time.monotonic()
            cells, counts = hints_host.one_round(machine, options, number)
            add({"conditions": conditions, "cells": cells, "counts": counts})
            print(f"bench: hints: round {number + 1} of {options.rounds}: {time.monotonic() - begin:.0f} s", file=sys.stderr)


def _prepare(machine, slow):
    """The installed service gets the bursts that are wanted, and may read guests' pages; it ends with the host."""
    drop_in = json.dumps({"version": 1, **grid_host.slowed(slow)})
    unit = "/etc/systemd/system/pvschedd.service.d/guest-pages.conf"
    done = machine.call(f"set -e; cat > {DROP_IN}; install -Dm644 /usr/share/pvschedd/guest-pages.conf {unit}; "
                        "systemctl daemon-reload; systemctl restart pvschedd; mountpoint -q /sys/kernel/debug || "
                        "mount -t debugfs debugfs /sys/kernel/debug", timeout=inside.COPY_SECONDS, text=True, input=drop_in)
    if done.returncode != 0:
        raise RigError("pvschedd in the emulated host could not be set up, see above")


def _measure_in_rig(options, add):
    def named(one, machine):
        one["conditions"]["machine"] = machine
        add(one)

    from rig.host.agent_guest import agent_image  # pylint: disable=import-outside-toplevel  inside there are no images

    words = ["--host", "--seconds", str(options.seconds), "--slow", str(options.slow), "--guest-type", "kvm",
             "--guest-image", f"{inside.INSIDE}/{IMAGE}"]
    path = agent_image(getattr(options, "rig_host", None), options.kernel)
    with image_files(path) as files:
        job = inside.Job("hints", words, len(VARIANTS) + 2, options.seconds,
                         files=[inside.program(options.build, "tests/bench/bench-waits"), *files],
                         prepare=lambda machine: _prepare(machine, options.slow))
        inside.measure(job, options, named)


def measure(_, options, rounds):
    """Fills {"rounds": [one dict per round]}."""
    kept = Kept(options, taker(rounds.setdefault("rounds", [])), slow=options.slow)
    kept.begin()
    (_measure_here if options.host else _measure_in_rig)(options, kept.add)


def usable(rounds):
    return bool(rounds.get("rounds"))


def _pooled(ones, variant, side):
    return Delays.merged([Delays.of(one["cells"][variant][side]) for one in ones])


def _p99s(ones, variant):
    return [Delays.of(one["cells"][variant]["guest"]).percentile(990) for one in ones]


def _column(ones, variant, name):
    return [one["cells"][variant][name] for one in ones]


def _summary(ones, variant):
    guest, host = _pooled(ones, variant, "guest"), _pooled(ones, variant, "wake")
    return {"p50_us": guest.percentile(500), "p99_us": guest.percentile(990), "avg_us": round(guest.avg(), 1),
            "cycles": guest.count, "host_wait_p99_us": host.percentile(990),
            "boosted_permille": round(statistics.median(_column(ones, variant, "boosted_permille")), 1),
            "vcpu_permille": round(statistics.median(_column(ones, variant, "vcpu_permille")), 1),
            "load_permille": round(statistics.median(_column(ones, variant, "load_permille")), 1),
            "p99_of_latency": figures.ratio(_p99s(ones, variant), _p99s(ones, LATENCY)),
            "boosted_of_latency": figures.ratio(_column(ones, variant, "boosted_permille"),
                                                _column(ones, LATENCY, "boosted_permille"))}


def _counts(ones):
    """Medians over the rounds, with the agent and without."""
    return {state: {name: statistics.median(one["counts"][state][name] for one in ones)
                    for name in ("switches", "exits", "us", "agent_ran")} for state in ("none", "agent")}


def _counts_table(counts):
    rows = [[{"none": "no agent", "agent": "with hints"}[state], one["switches"], one["exits"], one["agent_ran"],
             round(1000 * one["us"] / one["switches"])] for state, one in counts.items()]
    return figures.table(["", "switches", "exits of the vCPU", "times that the agent ran", "ns for each"], rows)


def report(rounds, _options):
    """(JSON, Markdown)."""
    ones = rounds["rounds"]
    found = {variant: _summary(ones, variant) for variant in VARIANTS}
    rows = [[variant, len(ones), one["cycles"], one["p50_us"], one["p99_us"], one["host_wait_p99_us"], one["vcpu_permille"],
             one["boosted_permille"], one["load_permille"], one["p99_of_latency"], one["boosted_of_latency"]]
            for variant, one in found.items()]
    head = ["variant", "rounds", "wake-ups", "guest p50 us", "p99", "all waits of the vCPU: p99", "vCPU permille", "boosted",
            "load", "p99 / latency", "boosted / latency"]
    targets = []
    for variant in (LATENCY_AGENT, URGENT_ONLY_AGENT):
        p99, boosted = found[variant]["p99_of_latency"], found[variant]["boosted_of_latency"]
        targets.append([f"{variant}: p99 <= {P99_MOST} x latency", p99, figures.target(p99, P99_MOST)])
        targets.append([f"{variant}: boosted <= {BOOSTED_MOST} x latency", boosted, figures.target(boosted, BOOSTED_MOST)])
    conditions, counts = ones[0]["conditions"], _counts(ones)
    about = (f"{conditions['machine']}, {conditions['cpus']} CPUs, kernel {conditions['kernel']}, guest "
             f"{conditions['guest_kernel']}; "
             f"{conditions['seconds']} s each, times and bursts {conditions['slow']} times as long")
    return ({"variants": found, "counts": counts, "conditions": conditions,
             "targets": [dict(zip(("target", "measured", "verdict"), row)) for row in targets]},
            "\n\n".join([about, figures.table(head, rows), figures.table(["target", "measured", "verdict"], targets),
                         _counts_table(counts)]))
