# SPDX-License-Identifier: GPL-2.0-or-later
"""agent: what pvsched-agent's tracer costs the guest. This machine is the guest, and the bench plays the host."""

import contextlib
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time

from rig import proc
from rig.channel import NO_DOMAIN, Host

from . import figures

VARIANTS = ("untraced", "traced")  # a host that uses the hints, or does not; the agent runs in both
PINGPONGS = {"ordinary": (), "FIFO": ("chrt", "-f", "5")}
EXTRA_NS = 100  # a switch, or a wake-up, may cost more
LOST = 1.02     # of hackbench's time


def arguments(_parser):
    pass


class _Guest:
    """A running agent that is served, or not, as is said."""

    def __init__(self, build):
        self.build, self.dir = build, tempfile.mkdtemp(prefix="pvsched-bench-")
        self.host = Host(f"{self.dir}/host")
        self._agent = subprocess.Popen([f"{build}/pvsched-agent", "--wait", "--channel", f"{self.dir}/host",
                                        "--socket", f"{self.dir}/agent.sock"], stderr=subprocess.DEVNULL)
        self._hello = self.host.accept()
        self._generation = 1

    def status(self):
        return json.loads(proc.run(f"{self.build}/pvsched-agent", "status", "--json", "--socket", f"{self.dir}/agent.sock"))

    def trace(self, on):
        self._generation += on
        if on:
            self.host.serve(self._hello, self._generation)
        else:
            self.host.answer(self._generation, 0, NO_DOMAIN)
        until = time.monotonic() + 10
        while self.status()["tracer"]["attached"] != on or self.status()["channel"]["served"] != on:
            if time.monotonic() > until:
                raise proc.RigError("the agent does not do what its host says")

    def close(self):
        self._agent.terminate()
        self._agent.wait()
        self.host.close()
        for name in os.listdir(self.dir):
            os.unlink(f"{self.dir}/{name}")
        os.rmdir(self.dir)


@contextlib.contextmanager
def scene(options):
    guest = _Guest(options.build)
    try:
        yield guest
    finally:
        guest.close()


def _pingpong(guest, prefix, ms):
    """Median of a round trip's half, in ns: a switch and a wake-up."""
    out = f"{guest.dir}/trips"
    cpu = max(os.sched_getaffinity(0))
    subprocess.run([*prefix, f"{guest.build}/tests/bench/bench-overhead", "pingpong", "untraced", str(cpu), str(ms), out],
                   check=True, stdout=subprocess.DEVNULL)
    return figures.summary(figures.load(out, "I"))["p50_us"] * 500


def _hackbench(loops):
    said = subprocess.run(["hackbench", "-g", "2", "-l", str(loops)], check=True, capture_output=True, text=True).stdout
    return float(re.search(r"Time: ([\d.]+)", said)[1])


def measure(scene_, options, rounds):
    ms, loops = (200, 500) if options.quick else (700, 3000)
    rounds |= {name: [] for name in VARIANTS}
    for number in range(options.rounds):
        first = number % len(VARIANTS)
        for variant in VARIANTS[first:] + VARIANTS[:first]:
            scene_.trace(variant == "traced")
            one = {name: _pingpong(scene_, prefix, ms) for name, prefix in PINGPONGS.items()}
            rounds[variant].append(one | {"hackbench": _hackbench(loops)})
        print(f"bench: agent: round {number + 1} of {options.rounds}", file=sys.stderr)


def usable(rounds):
    return bool(rounds.get(VARIANTS[0])) and bool(rounds.get(VARIANTS[1]))


def report(rounds, _options):
    rows, cells = [], {}
    for name in (*PINGPONGS, "hackbench"):
        by = {variant: [one[name] for one in rounds[variant]] for variant in VARIANTS}
        ratio = figures.ratio(by["traced"], by["untraced"])
        untraced, traced = (statistics.median(by[variant]) for variant in VARIANTS)
        extra = statistics.median(b - a for a, b in zip(by["untraced"], by["traced"]))
        cells[name] = {"untraced": by["untraced"], "traced": by["traced"], "ratio": ratio, "extra": extra}
        verdict = "met" if extra <= 2 * EXTRA_NS else "missed"
        if name == "hackbench":
            verdict = figures.target(ratio, LOST)
        rows.append([f"{name}, {'s' if name == 'hackbench' else 'ns of a switch and a wake-up'}", round(untraced, 3),
                     round(traced, 3), round(extra, 3), f"{ratio['ratio']:.3f} [{ratio['low']:.3f}, {ratio['high']:.3f}]",
                     f"<= {LOST}" if name == "hackbench" else f"<= {2 * EXTRA_NS} ns more", verdict])
    head = ["", "untraced", "traced", "more", "traced / untraced", "target", "verdict"]
    return {"machine": os.uname().release, "cpus": os.cpu_count(), "figures": cells}, figures.table(head, rows)
