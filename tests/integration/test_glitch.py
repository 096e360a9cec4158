# SPDX-License-Identifier: GPL-2.0-or-later
"""The audio thread of the test guest, with which `tests/bench/run glitch` counts what a user hears."""

import os
import signal
import threading
import time

PERIOD_S = 0.04  # of 96 frames at 48 kHz, twenty times as long
STILL_S, TIMES, PLAYED_S = 0.4, 3, 4


def stand_still(pid):
    """A guest whose host has no time for it: its clock goes on meanwhile."""
    for _ in range(TIMES):
        os.kill(pid, signal.SIGSTOP)
        time.sleep(STILL_S)
        os.kill(pid, signal.SIGCONT)
        time.sleep(STILL_S / 2)


def test_periods_that_the_guest_stood_still_for_are_missed(scene):
    guest = scene.linux()
    assert guest.command("audio speed")["loops_per_ms"] > 0
    stopper = threading.Thread(target=stand_still, args=(guest.pid,))
    marks = []

    def on_mark(text):
        marks.append(text)
        if text == "start":
            stopper.start()

    played = guest.command(f"audio 96 48000 20 {PLAYED_S} 1", on_mark=on_mark)
    stopper.join()
    assert marks == ["start", "end"]
    assert played["periods"] >= PLAYED_S / PERIOD_S - 1, played
    # the first time may come before the thread plays
    assert played["glitches"] >= (TIMES - 1) * (STILL_S / PERIOD_S - 2), played
    assert played["longest"] >= STILL_S / PERIOD_S - 2 and 1 <= played["gaps"] <= played["glitches"], played
    assert played["periods"] > played["glitches"], "in between it was in time"
