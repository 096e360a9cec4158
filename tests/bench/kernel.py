# SPDX-License-Identifier: GPL-2.0-or-later
"""What a figure's reader must know of the kernel: its release, whether its fair class keeps its order, how fast it is."""

import hashlib
import json
import os
import statistics
import subprocess
import threading
import time

from rig.daemon import program
from rig.proc import RigError


def fair_class(build):
    """(status, detail) of `pvschedctl doctor --probe`."""
    try:
        done = subprocess.run([program(build, "pvschedctl"), "doctor", "--probe", "--json"], capture_output=True, text=True,
                              timeout=60, check=False)
        found = next(check for check in json.loads(done.stdout)["checks"] if check["name"] == "fair-class")
    except (RigError, json.JSONDecodeError, subprocess.TimeoutExpired, StopIteration) as error:
        return "unknown", str(error) or type(error).__name__
    return found["status"], found["detail"]


def about(options):
    """(JSON, a line) of the kernel that the rounds ran on; of an emulated host only that it was another one."""
    if options.rig:
        return {}, ""
    status, detail = fair_class(options.build)
    release = os.uname().release
    return {"kernel": release, "fair_class": {"status": status, "detail": detail}}, f"Linux {release}; fair class {status}: {detail}\n\n"


def commit(build):
    """Of the tree that BUILD is of, with "+" if that has changes; None where it is not known, as in an emulated host."""
    try:
        with open(f"{build}/meson-info/meson-info.json", encoding="utf-8") as file:
            tree = json.load(file)["directories"]["source"]
        done = subprocess.run(["git", "-C", tree, "describe", "--always", "--abbrev=12", "--exclude=*", "--dirty=+"],
                              capture_output=True, text=True, timeout=20, check=False)
    except (OSError, ValueError, KeyError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None


def _work_us():
    """A fixed piece of work, at its best: what the CPU can do now."""
    block, best = bytes(1 << 18), []
    for _ in range(20):
        begin = time.perf_counter_ns()
        hashlib.sha256(block).digest()
        best.append(time.perf_counter_ns() - begin)
    return min(best) / 1000


def _wakeup_us(turns=300):
    """From one thread to another, half of the way there and back, the median; most of it is Python's on a fast machine."""
    there, back = os.pipe(), os.pipe()

    def echo():
        while os.read(there[0], 1):
            os.write(back[1], b"x")

    thread, took = threading.Thread(target=echo, daemon=True), []
    thread.start()
    for _ in range(turns):
        begin = time.perf_counter_ns()
        os.write(there[1], b"x")
        os.read(back[0], 1)
        took.append(time.perf_counter_ns() - begin)
    os.close(there[1])
    thread.join()
    for end in (there[0], *back):
        os.close(end)
    return statistics.median(took) / 2000


def machine(build):
    """What rounds of several sittings are told apart by: the program, the kernel, the machine's speed."""
    return {"commit": commit(build), "kernel": os.uname().release, "work_us": round(_work_us(), 1),
            "wakeup_us": round(_wakeup_us(), 1)}
