# SPDX-License-Identifier: GPL-2.0-or-later
"""The file that keeps rounds over several sittings (--rounds-file): a line of JSON each, with what it was measured on."""

import json
import math
import os
import time

from rig.proc import RigError

from . import kernel
from .grid_host import rounded

ABOUT = "about"
# A sum over rounds that differ in one of these means nothing.
_ALIKE = ("kernel", "slow")


def lines(path):
    """(what it was measured on, the round) of each line; {} of a file without that."""
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            try:
                one = json.loads(line)
                about = one.pop(ABOUT, {})
                one = _cells(one, unpack)
            except (ValueError, AttributeError, TypeError):
                raise RigError(f"{path}:{number}: this is no round: remove that line if a run was killed while it wrote") from None
            yield about, one


class Kept:
    """Takes rounds, as dicts, and keeps them.

    take         called with each: first those of the file, then those that are added
    conditions   what must be alike besides the kernel: {"slow": 1}
    rounds_file  None: they are kept nowhere; "-": they are printed
    """

    def __init__(self, options, take, **conditions):
        self._options, self._take, self._path = options, take, options.rounds_file
        self._here, self._conditions, self._seen = None, conditions, None
        self.known = 0
        if self.file() and os.path.exists(self._path):
            for about, one in lines(self._path):
                self._check(about)
                self._take(one)
                self.known += 1

    def file(self):
        return self._path if self._path != "-" else None

    def _check(self, about):
        if not about:
            return  # of an older version's file
        now = {name: about[name] for name in _ALIKE if name in about}
        if self._seen is not None and now != self._seen:
            raise RigError(f"{self._path}: rounds of {self._seen} and of {now} cannot be compared: give each its own --rounds-file")
        self._seen = now

    def _about(self, one):
        """Of a round that comes out of an emulated host most is what it says itself."""
        if self._here is None:
            self._here = kernel.machine(self._options.build) | self._conditions
        return self._here | {name: value for name, value in one.pop(ABOUT, {}).items() if value is not None}

    def begin(self):
        """To be called while nothing is loaded: how fast the machine is now stands beside each round of this sitting."""
        if self._path:
            self._about({})

    def add(self, one):
        if self._path:
            about = self._about(one)
            if self.file():
                self._check(about)
            self._write({ABOUT: about, **_cells(one, pack)})
        else:
            one.pop(ABOUT, None)
        self._take(one)

    def _write(self, one):
        if self._path == "-":
            print(json.dumps(one), flush=True)
            return
        with open(self._path, "a", encoding="utf-8") as file:
            file.write(json.dumps(one) + "\n")

    def numbers(self, known=None):
        """Of the rounds of this sitting: so many as --rounds says, after those that are KNOWN, default all of the file. With
        --sitting none begins that would end later if it took as long as the longest."""
        known = self.known if known is None else known
        sitting = getattr(self._options, "sitting", None)
        end, longest_s = time.monotonic() + (math.inf if sitting is None else sitting), 0
        for number in range(known, known + self._options.rounds):
            begin = time.monotonic()
            if begin + longest_s >= end:
                return
            yield number
            longest_s = max(longest_s, time.monotonic() - begin)


def sittings(path):
    """[{"commit": ..., "kernel": ..., "work_us": ..., "wakeup_us": ..., "rounds": N}] of a file, in its order."""
    found = []
    for about, _ in lines(path):
        if found and found[-1][0] == about:
            found[-1][1] += 1
        else:
            found.append([about, 1])
    return [about | {"rounds": count} for about, count in found]


def told(found):
    """A line of what sittings() found."""
    return "; ".join(f"{one['rounds']} rounds of {one.get('commit') or 'an unknown commit'} on Linux {one.get('kernel', '?')}, "
                     f"a piece of work {one.get('work_us', '?')} us, a wake-up {one.get('wakeup_us', '?')} us" for one in found)


def pack(samples_ns):
    """Delays for the file: three digits of each, and how often it was."""
    counts = {}
    for ns in samples_ns:
        key = str(int(rounded(ns)))
        counts[key] = counts.get(key, 0) + 1
    return counts


def unpack(counts):
    return [int(ns) for ns, count in counts.items() for _ in range(count)]


def _cells(one, change):
    """A round, with CHANGE made to the samples of its cells, [..., figures]."""
    return one | {"cells": [[*names, figure | {"samples": change(figure["samples"])} if "samples" in figure else figure]
                            for *names, figure in one["cells"]]} if isinstance(one.get("cells"), list) else one
