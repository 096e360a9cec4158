# SPDX-License-Identifier: GPL-2.0-or-later
"""agent: what pvsched-agent's tracer costs the guest. This machine is the guest, and the bench plays the host."""

import contextlib
import json
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time

from rig import proc
from rig.channel import NO_DOMAIN, Host

from . import figures
from .syscalls import Syscalls

VARIANTS = ("untraced", "traced")  # a host that uses the hints, or does not; the agent runs in both
PINGPONGS = {"ordinary": (), "FIFO": ("chrt", "-f", "5")}
EXTRA_NS = 100  # a switch, or a wake-up, may cost more
LOST = 1.02     # of hackbench's time
HACKBENCH, HACKBENCH_CPU = "hackbench", "hackbench's CPU time"
PIECES = 4      # short runs of hackbench, one after the other; the best counts, since other work only adds to one
SWITCHES = 10_000


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

    @property
    def pid(self):
        return self._agent.pid

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
    """(seconds, CPU seconds)."""
    def cpu_s():
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime

    before = cpu_s()
    said = subprocess.run(["hackbench", "-g", "2", "-l", str(loops)], check=True, capture_output=True, text=True).stdout
    return float(re.search(r"Time: ([\d.]+)", said)[1]), cpu_s() - before


def _leg(guest, variant, ms, loops):
    guest.trace(variant == "traced")
    found = {name: _pingpong(guest, prefix, ms) for name, prefix in PINGPONGS.items()}
    pieces = [_hackbench(loops) for _ in range(PIECES)]
    return found | {HACKBENCH: min(piece[0] for piece in pieces), HACKBENCH_CPU: min(piece[1] for piece in pieces)}


def _counts(guest):
    """What the agent's process does while hints flow: nothing, or there would be as many system calls as hints. A real-time
    task sleeps and wakes, so that each switch to it and from it changes a word."""
    guest.trace(True)
    sleeper = f"import time\nfor _ in range({SWITCHES // 2}): time.sleep(2e-5)"
    hints = guest.status()["tracer"]["hints_total"]
    with Syscalls(guest.pid) as syscalls:
        subprocess.run(["chrt", "-f", "5", sys.executable, "-c", sleeper], check=True)
        count = syscalls.count()
    return {"switches": SWITCHES, "hints": guest.status()["tracer"]["hints_total"] - hints, "syscalls": count}


def measure(scene_, options, rounds):
    """Each round has two legs of either variant, in the order A B B A or B A A B, so that a drift cancels out."""
    ms, loops = (100, 200) if options.quick else (200, 400)
    rounds |= {name: [] for name in VARIANTS}
    for number in range(options.rounds):
        first, second = VARIANTS[::-1] if number % 2 else VARIANTS
        legs = {name: [] for name in VARIANTS}
        for variant in (first, second, second, first):
            legs[variant].append(_leg(scene_, variant, ms, loops))
        for variant, both in legs.items():
            rounds[variant].append({name: statistics.mean(leg[name] for leg in both) for name in both[0]})
        print(f"bench: agent: round {number + 1} of {options.rounds}", file=sys.stderr)
    rounds["counts"] = _counts(scene_)


def usable(rounds):
    return bool(rounds.get(VARIANTS[0])) and bool(rounds.get(VARIANTS[1]))


def report(rounds, _options):
    rows, cells = [], {}
    for name in (*PINGPONGS, HACKBENCH, HACKBENCH_CPU):
        by = {variant: [one[name] for one in rounds[variant]] for variant in VARIANTS}
        ratio = figures.ratio(by["traced"], by["untraced"])
        untraced, traced = (statistics.median(by[variant]) for variant in VARIANTS)
        extra = statistics.median(b - a for a, b in zip(by["untraced"], by["traced"]))
        cells[name] = {"untraced": by["untraced"], "traced": by["traced"], "ratio": ratio, "extra": extra}
        seconds = name in (HACKBENCH, HACKBENCH_CPU)
        verdict = figures.target(ratio, LOST) if seconds else "met" if extra <= 2 * EXTRA_NS else "missed"
        rows.append([f"{name}, {'s' if seconds else 'ns of a switch and a wake-up'}", round(untraced, 3),
                     round(traced, 3), round(extra, 3), f"{ratio['ratio']:.3f} [{ratio['low']:.3f}, {ratio['high']:.3f}]",
                     f"<= {LOST}" if seconds else f"<= {2 * EXTRA_NS} ns more", verdict])
    head = ["", "untraced", "traced", "more", "traced / untraced", "target", "verdict"]
    counts, text = rounds.get("counts"), figures.table(head, rows)
    if counts:
        text += (f"\n\nWhile {counts['switches']} switches made {counts['hints']} hints, the agent made {counts['syscalls']} "
                 f"system calls.")
    return {"machine": os.uname().release, "cpus": os.cpu_count(), "figures": cells, "counts": counts}, text
