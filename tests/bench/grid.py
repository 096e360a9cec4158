# SPDX-License-Identifier: GPL-2.0-or-later
"""grid: what a guest, its vCPUs and the host gain and lose; v1's table, on an emulated KVM host or on this machine."""

import itertools
import sys
import time

from rig.proc import RigError

from . import grid_host, grid_plot, grid_report, grid_rig, inside
from .grid_host import STATIC, VANILLA
from .kept import Kept

LOADS = ("idle", "busy-1", "busy-2", "busy")
INTERVALS_US = (500, 1000)
VARIANTS = (VANILLA, "interactive", "latency", STATIC)
# Of --quick: no verdict, but every column, in less than five minutes in an emulated host.
QUICK_LOADS = ("idle", "busy")
QUICK_ROUNDS = 1


def arguments(parser):
    group = parser.add_argument_group("grid")
    group.add_argument("--host", action="store_true",
                       help="on this machine itself, not in the emulated host of scripts/rig")
    group.add_argument("--load", action="append", choices=LOADS, dest="loads",
                       help="one load only: spinners per CPU, of which busy has 3; may be repeated")
    group.add_argument("--interval", action="append", type=int, dest="intervals", metavar="US",
                       help="interval of cyclictest; may be repeated (500, 1000)")
    group.add_argument("--profile", action="append", default=[], metavar="NAME",
                       help="adds a profile of the configuration as a variant; may be repeated")
    group.add_argument("--host-every", type=int, metavar="N",
                       help="both cyclictests of the host wake up only every N intervals (1; 10 in an emulated host, "
                            "which they would fill)")
    group.add_argument("--slow", type=int, default=1, metavar="N",
                       help="makes intervals, and bursts of profiles and caps, N times as long (host: bursts, for its guests; "
                            "levers: work and slices, too): for a host so slow that serving a timer takes longer than a burst")
    group.add_argument("--vcpus", type=int, default=1, help="vCPUs of the guest (1)")
    group.add_argument("--plot", metavar="DIR", help="writes plots into DIR, by gnuplot")
    group.add_argument("--guest-type", choices=("kvm", "qemu"), help="--host: KVM or emulation, without a probe")


class NoScene:
    """The other benches have their threads in a group of their own; this one has a guest."""

    def __init__(self, options):
        options.loads = options.loads or (QUICK_LOADS if options.quick else LOADS)
        options.intervals = options.intervals or INTERVALS_US
        options.seconds = options.seconds or (2 if options.quick else 3)
        if options.seconds < 2 or options.seconds != int(options.seconds):
            raise RigError("--seconds: 2 or more, whole ones, of which half a second passes before anything counts")
        options.seconds = int(options.seconds)
        options.host_every = options.host_every or (1 if options.host else 10)
        grid_host.slowed(options.slow)  # refuses what it cannot be
        options.variants = (*VARIANTS, *options.profile)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


scene = NoScene


def cells(options):
    return list(itertools.product(options.loads, options.intervals))


def name_of(load, interval_us, variant):
    return f"{load}/{interval_us}/{variant}"


def _one_round(machine, options, number):
    """{cell: figures}; the order of the variants turns with each round."""
    variants, turn = options.variants, number % len(options.variants)
    found = {}
    for load, interval_us in cells(options):
        for variant in variants[turn:] + variants[:turn]:
            found[name_of(load, interval_us, variant)] = machine.measure(
                grid_host.spinners_of(load), interval_us * options.slow, variant, options.seconds)
    return found


def _measure_here(options, have, add):
    with grid_host.Machine(options) as machine:
        if machine.guest.type == "qemu":
            print("bench: grid: no Linux guest boots under KVM here (or emulation was asked for): the guest is emulated by TCG; "
                  "the ratios count, not the microseconds", file=sys.stderr)
        conditions = machine.conditions() | {"seconds": options.seconds, "host_every": options.host_every,
                                             "slow": options.slow, "machine": "itself"}
        for number in range(options.rounds):
            begin = time.monotonic()
            one = _one_round(machine, options, have + number)
            add({"conditions": conditions, "cells": one})
            print(f"bench: grid: round {number + 1} of {options.rounds}: {time.monotonic() - begin:.0f} s", file=sys.stderr)


def taker(found):
    """Takes a round into FOUND if it can be compared with those that are there."""
    def take(one):
        if found and found[0]["conditions"] != one["conditions"]:
            raise RigError(f"rounds of different conditions cannot be compared: {found[0]['conditions']} and "
                           f"{one['conditions']}")
        found.append(one)
    return take


def measure(_, options, rounds):
    """Fills {"rounds": [one dict per round]}."""
    kept = Kept(options, taker(rounds.setdefault("rounds", [])))
    kept.begin()
    if options.host:
        _measure_here(options, kept.known, kept.add)
    else:
        inside.choose("grid", options)
        grid_rig.measure(options, kept.add)


def usable(rounds):
    return bool(rounds.get("rounds"))


def report(rounds, options):
    found = grid_report.Report(rounds["rounds"])
    if options.plot:
        for path in grid_plot.plot(found, options.plot):
            print(f"bench: grid: {path}", file=sys.stderr)
    return found.json(), found.text()
