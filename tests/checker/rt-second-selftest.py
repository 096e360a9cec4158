#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Does rt-second see what it is for, and nothing else? Real-time threads of its own do what is to be seen.

usage: rt-second-selftest.py PATH-TO-RT-SECOND

Its bound is 100 ms of a second here, and 10 ms beyond that are no fault.
"""

import os
import re
import subprocess
import sys
import time

CPU = min(os.sched_getaffinity(0))
FIFO, RESET, OTHER = os.SCHED_FIFO, os.SCHED_RESET_ON_FORK, os.SCHED_OTHER


def spin(ms):
    """CPU time, not time: another thread may have the CPU meanwhile."""
    end = time.thread_time_ns() + ms * 1000000
    while time.thread_time_ns() < end:
        pass


def become(policy):
    os.sched_setscheduler(0, policy, os.sched_param(0 if policy == OTHER else 1))


def pause(ms):
    time.sleep(ms / 1000)


def boost(ms):
    """Boosted asleep, as most are, and unboosted while it runs."""
    become(FIFO | RESET)
    pause(1)
    spin(ms)
    become(OTHER)


def boost_awake(ms):
    """Boosted while it runs, until it sleeps."""
    become(FIFO | RESET)
    spin(ms)
    pause(1)
    become(OTHER)


def static(ms):
    """Real time that is no boost: without SCHED_RESET_ON_FORK."""
    become(FIFO)
    pause(1)
    spin(ms)
    become(OTHER)


CASES = [
    # name, what a vCPU's thread does, in ms: [(what, ms)], exit status, least and most of a second seen
    ("a short boost", [(boost, 60)], 0, 58, 80),
    ("a boost that is too long", [(boost, 200)], 1, 195, 230),
    ("two that are too long together", [(boost, 70), (pause, 200), (boost, 70)], 1, 135, 170),
    ("two that are not in one second", [(boost, 80), (pause, 1050), (boost, 80)], 0, 78, 100),
    ("what runs on unboosted", [(boost, 60), (spin, 250)], 0, 58, 80),
    ("what ran before it was boosted", [(spin, 250), (boost_awake, 60)], 0, 58, 85),
    ("other real time alone", [(static, 300), (boost, 5)], 0, 300, 330),
    ("a boost beside other real time", [(static, 80), (boost, 60)], 1, 135, 165),
]


def act(what):
    """In a process of its own, with the name of a vCPU's thread, and not there before rt-second looks."""
    pid = os.fork()
    if pid:
        status = os.waitpid(pid, 0)[1]
        if status:
            sys.exit(f"the thread that was to be seen ended with {status}")
        return
    with open("/proc/self/comm", "w", encoding="ascii") as comm:
        comm.write("CPU 0/KVM")
    os.sched_setaffinity(0, {CPU})
    for do, ms in what:
        do(ms)
    os._exit(0)


def watch(program, what):
    with subprocess.Popen([program, "--permille", "100"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          text=True) as checker:
        if checker.stdout.readline() != "watching\n":
            return checker.wait(), ""
        act(what)
        checker.stdin.close()
        return checker.wait(), checker.stdout.read()


def main():
    program = sys.argv[1]
    passed = failed = 0
    if os.geteuid() != 0:
        print("0 passed, 0 failed, 1 skipped")
        return 0
    for name, what, wanted, least, most in CASES:
        for _ in range(2):  # once more: another thread may have had the CPU's real time
            status, text = watch(program, what)
            seen = re.search(rf"^CPU {CPU}: .* has ([0-9.]+) ms", text, re.M)
            if status == wanted and seen and least <= float(seen[1]) <= most:
                break
        else:
            failed += 1
            print(f"not ok {name}: status {status}, wanted {wanted}, {least} to {most} ms: {text}")
            continue
        passed += 1
        print(f"ok {name}: {seen[1]} ms")
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
