# SPDX-License-Identifier: GPL-2.0-or-later
"""The audio thread of a guest (guest/audio.c): how much it works, and how long its periods are."""

import time

RATE = 48_000
WORK_PERMILLE = 300  # of a period, on an idle host
FRAMES = (96, 256, 512)
# How much longer periods are made until an idle host misses hardly any, no more than so many of 1000, and the vCPU takes
# little more than its work: emulation adds the same to each period.
_SLOWER = (1, 2, 4, 8, 16, 20)
_ROOM_PERMILLE = 10
_DEMAND_PERMILLE = 420
_TRIED_S = 2


def loops_of(frames, slow, loops_per_ms):
    """Work of one callback."""
    return max(1, frames * slow * WORK_PERMILLE * loops_per_ms // RATE)


def is_roomy(answer, demand_permille):
    """Does an idle host miss hardly any period, by a vCPU that takes no more than that of a CPU?"""
    return answer["glitches"] * 1000 <= _ROOM_PERMILLE * answer["periods"] and demand_permille <= _DEMAND_PERMILLE


class Audio:
    """slow: how many times as long periods are; loops_per_ms: how fast the guest's CPU works; None: calibrate() finds out."""

    def __init__(self, guest, slow=1, loops_per_ms=None):
        self._guest, self.slow, self.loops_per_ms = guest, slow, loops_per_ms

    def calibrate(self, run_ns, frames=FRAMES[0]):
        """To be called while the host is idle. Periods get longer, from those given on, until there is room for the work.

        run_ns()   CPU time of the guest's vCPU so far
        """
        marks = {}
        self.loops_per_ms = self._guest.command("audio speed")["loops_per_ms"]
        for self.slow in [slow for slow in _SLOWER if slow >= self.slow]:
            answer = self.play(frames, _TRIED_S, lambda text: marks.update({text: (time.monotonic_ns(), run_ns())}))
            wall_ns, used_ns = (end - start for start, end in zip(marks["start"], marks["end"]))
            if is_roomy(answer, 1000 * used_ns / wall_ns):
                break

    def play(self, frames, seconds, on_mark=None):
        """The guest's answer: periods, glitches, gaps, ..."""
        loops = loops_of(frames, self.slow, self.loops_per_ms)
        return self._guest.command(f"audio {frames} {RATE} {self.slow} {seconds} {loops}", seconds=seconds + 60, on_mark=on_mark)
