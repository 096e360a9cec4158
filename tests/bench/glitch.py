# SPDX-License-Identifier: GPL-2.0-or-later
"""glitch: buffers that an audio thread in a guest delivers too late, as a user hears them: v1's table."""

import contextlib
import os
import random
import sys
import time

from rig import proc, rtbudget, variants
from rig.audio import FRAMES, Audio
from rig.host.product import GUEST_INSIDE
from rig.measure import Window, busy_ns

from . import glitch_report, grid, grid_host, guest_variants, host_rig, inside, real_guest
from .glitch_report import IDLE, LOADS, UNTOUCHED, VARIANTS
from .guest_variants import COVERED, STATIC
from .kept import Kept

QUICK_ROUNDS = 1
DOMAIN = "pvsched-audio"
SETTLE_S = 0.2


def arguments(parser):
    group = parser.add_argument_group("glitch (with --host, --slow, --seconds, --variant, --rig)")
    group.add_argument("--loops-per-ms", type=int, metavar="N",
                       help="glitch: how fast the guest's CPU works, as an earlier run found it with this --slow: nothing is "
                            "calibrated. Else --slow is the least that is tried")


def scene(_options):
    """Its guest and daemon are made when it is known that a round is missing."""
    return contextlib.nullcontext()


def _seconds(options):
    return max(2, int(options.seconds or (3 if options.quick else 5)))


def _wanted(options):
    """Untouched is what all are compared with."""
    return [variant for variant in VARIANTS if not options.variant or variant in options.variant or variant == UNTOUCHED]


class Machine:
    """Context manager: guest, daemon and load, made once. SLOW and LOOPS_PER_MS: see rig.audio."""

    def __init__(self, options, slow, loops_per_ms):
        self._options, self._slow, self._loops_per_ms = options, slow, loops_per_ms
        self._undo = contextlib.ExitStack()
        self.guest = self._audio = self._daemon = self._load = self._written = None
        self.left_out = guest_variants.lacking(options.build, _wanted(options))
        self.variants = [variant for variant in _wanted(options) if variant not in self.left_out]

    def __enter__(self):
        with contextlib.ExitStack() as undo:
            self._daemon, self.guest, self._load = undo.enter_context(real_guest.running(
                self._options, self._config(UNTOUCHED), DOMAIN, type=self._options.guest_type, image=self._options.guest_image))
            undo.enter_context(variants.main_thread_budget(self.guest))
            if self.guest.type == "qemu":
                print("bench: glitch: the guest is emulated by TCG; the ratios count, not the counts", file=sys.stderr)
            self._audio = Audio(self.guest, self._slow, self._loops_per_ms)
            if not self._loops_per_ms:
                self._calibrate()
            self._undo = undo.pop_all()
        return self

    def __exit__(self, *_):
        self._undo.close()

    def _config(self, variant):
        config = guest_variants.config(self._slow)
        more = guest_variants.covered(self._slow) if variant == COVERED else {}
        for part, values in more.items():
            config[part] = config.get(part, {}) | values
        config["host"]["grant_rt_budget"] = rtbudget.needed()
        return config

    def _configure(self, variant):
        config = self._config(variant)
        if config != self._written:
            self._daemon.write_config(config)
            self._daemon.ctl("reload")
            self._written = config

    def _calibrate(self):
        with self._applied(UNTOUCHED):
            tid = next(iter(self.guest.vcpu_tids().values()))
            self._audio.calibrate(lambda: proc.run_ns(tid))
        self._slow = self._audio.slow
        print(f"bench: glitch: calibrated: {self._audio.loops_per_ms} loops of work in a millisecond; periods {self._slow} times as "
              "long", file=sys.stderr)

    @contextlib.contextmanager
    def _applied(self, variant):
        boosts = variant not in (UNTOUCHED, STATIC)
        self._configure(variant)
        with variants.profile(variant if boosts else "off", self.guest, self._daemon), \
                variants.applied(UNTOUCHED if boosts else variant, self.guest):
            yield

    def conditions(self):
        """What must be alike for rounds to be summed up."""
        return {"guest_type": self.guest.type, "cpus": os.cpu_count(), "slow": self._audio.slow,
                "loops_per_ms": self._audio.loops_per_ms, "seconds": _seconds(self._options)}

    def measure(self, load, frames, variant):
        """One cell."""
        seconds, tids = _seconds(self._options), list(self.guest.vcpu_tids().values())

        def sample():
            boosted_ns = self._daemon.boosted_ns(tids) if variant not in (UNTOUCHED, STATIC) else 0
            return (self._load.used_ns(), sum(map(proc.run_ns, tids)), boosted_ns, busy_ns(),
                    sum(map(proc.run_ns, self.guest.helper_tids())))

        window = Window(sample, seconds)
        with self._applied(variant):
            try:
                if load != IDLE:
                    self._load.resume(grid_host.spinners_of(load) * os.cpu_count())
                time.sleep(SETTLE_S)
                answer = self._audio.play(frames, seconds, window.mark)
                shares = window.permille()
            finally:
                self._load.pause()
                window.cancel()
        load_permille, vcpu_permille, boosted_permille, busy, helpers = (round(share, 1) for share in shares)
        return {**{name: answer[name] for name in (*glitch_report.COUNTED, "longest", "late_max_us")},
                "load_permille": load_permille, "vcpu_permille": vcpu_permille,
                "boosted_permille": vcpu_permille if variant == STATIC else boosted_permille,
                "foreign_permille": round(max(0.0, busy - load_permille - vcpu_permille - helpers), 1)}


def _measure_here(options, kept, found):
    """Rounds of which each has all cells; the variants take turns within a cell."""
    with contextlib.ExitStack() as undo:
        machine = None
        for number in kept.numbers():
            if machine is None:
                known = found[0]["conditions"] if found else vars(options)
                machine = undo.enter_context(Machine(options, known["slow"], known["loops_per_ms"]))
            order, cells = random.Random(number), {}
            for load in LOADS:
                for frames in FRAMES:
                    for variant in order.sample(machine.variants, len(machine.variants)):
                        cells[glitch_report.name(load, frames, variant)] = machine.measure(load, frames, variant)
            kept.add({"conditions": machine.conditions(), "machine": "itself", "left_out": machine.left_out, "cells": cells})
            print(f"bench: glitch: round {number - kept.known + 1} of {options.rounds}", file=sys.stderr)


def _measure_in_rig(options, kept, found):
    """Later calls inside take over what the first one found out."""
    inside.choose("glitch", options)
    words = ["--host", "--seconds", str(_seconds(options)), "--guest-type", "kvm", "--guest-image", GUEST_INSIDE]
    words += [word for variant in options.variant or () for word in ("--variant", variant)]

    def known(conditions):
        if "--loops-per-ms" not in words:
            words.extend(["--loops-per-ms", str(conditions["loops_per_ms"]), "--slow", str(conditions["slow"])])

    def add(one, machine):
        kept.add(one | {"machine": machine})
        known(one["conditions"])

    if found:
        known(found[0]["conditions"])
    cells = len(LOADS) * len(FRAMES) * len(_wanted(options))
    if options.sitting != 0:
        inside.measure(inside.Job("glitch", words, cells, _seconds(options), prepare=host_rig.prepare), options, add)


def measure(_scene, options, rounds):
    """Fills {"rounds": [one dict per round]}."""
    found = rounds.setdefault("rounds", [])
    grid_host.slowed(options.slow)  # refuses what it cannot be
    kept = Kept(options, grid.taker(found))
    kept.begin()
    if options.host:
        _measure_here(options, kept, found)
    else:
        _measure_in_rig(options, kept, found)


def usable(rounds):
    return bool(rounds.get("rounds"))


def report(rounds, _options):
    return glitch_report.report(rounds["rounds"])
