# SPDX-License-Identifier: GPL-2.0-or-later
"""The variants that are compared: how the vCPUs of the guest are scheduled while it measures."""

import contextlib

from . import proc, rtbudget
from .proc import RigError
from .rtbudget import RtBudget

PLAIN = "untouched_plain"  # under emulation only: not even QEMU's main thread is touched
IDLE = "idle"  # untouched and without the load
UNTOUCHED = "untouched"
STATIC = "static"
PROFILES = ("interactive", "latency")
# In a guest with the memory of the guest page, beside timer-driven work of its own: with WORK_PROFILE, and with or
# without requests of its real-time task.
WORK = "latency-work"
REQUESTS = "guest-requests"
REQUESTING = (WORK, REQUESTS)
ALL = (IDLE, PLAIN, UNTOUCHED, *PROFILES, STATIC, *REQUESTING)
DEFAULT = ALL[1:]

INTERVAL_US = 1000

# Ordinary work that is due besides, and that of the real-time task at each wake-up. Together they stay within the share
# of the profile, whose burst covers a piece of that work: so throttling makes no difference.
WORK_US, WORK_PERIOD_US = 1000, 20000
RT_PERIOD_US, RT_WORK_US = 4000, 50
WORK_PROFILE = {"with-work": {"mode": "boost", "share_permille": 200, "burst_us": 2000}}

# Per second and CPU, where the kernel asks for budgets. Together with what pvschedd grants itself (its
# profile's share and a margin), never both of the vCPUs' at a time, they fit into the root's 950 ms.
MAIN_THREAD_US = 400_000
VCPUS_US = 450_000


@contextlib.contextmanager
def fifo(tids):
    """The threads run FIFO 1 while this lasts; then they get back what they had."""
    with contextlib.ExitStack() as undo:
        for tid in tids:
            undo.callback(proc.restore_policy, tid, proc.rt_policy(tid))
            proc.set_fifo(tid)
        yield


@contextlib.contextmanager
def budget(tids, total_us, deadman=None):
    """The groups of the threads together have a real-time budget of total_us while this lasts."""
    with RtBudget(deadman) as granted:
        for tid in tids:
            granted.grant(tid, total_us // len(tids))
        yield


def main_thread_budget(guest, deadman=None):
    """To be held while any variant is applied to a guest under emulation."""
    return budget([guest.pid] if guest.type == "qemu" else [], MAIN_THREAD_US, deadman)


@contextlib.contextmanager
def work(guest):
    """An ordinary task of the guest, driven by a timer, works on its CPU 0 while this lasts."""
    guest.command(f"background busy {WORK_US} {WORK_PERIOD_US} 3600")
    try:
        yield
    finally:
        guest.command("stop")


@contextlib.contextmanager
def profile(name, guest, daemon):
    """pvschedd's profile NAME holds while this lasts; then waits until everything is unboosted."""
    tids = list(guest.vcpu_tids().values())

    def state():
        return [(tid, *proc.rt_policy(tid), rtbudget.of(tid)) for tid in tids]

    before = state()
    daemon.ctl("policy", "set", guest.name, name)
    try:
        yield
    finally:
        daemon.ctl("policy", "set", guest.name, "observe")
        try:
            proc.wait_for(lambda: state() == before, 5, "")
        except RigError:
            raise RigError(f"5 s after the profile {name} ended, pvschedd has not given back what it changed: (thread, "
                           f"policy, priority, timer slack, budget of its group) were {before} and are {state()}") from None


@contextlib.contextmanager
def applied(variant, guest, daemon=None, deadman=None):
    """Sets one variant up, and puts back what was before.

    daemon    a running rig.daemon.Daemon, whose policy for every domain is observe by default; None where
              none of PROFILES is asked for
    """
    vcpus = list(guest.vcpu_tids().values())
    with contextlib.ExitStack() as undo:
        if guest.type == "qemu" and variant != PLAIN:
            undo.enter_context(fifo([guest.pid]))
        if variant in PROFILES:
            undo.enter_context(profile(variant, guest, daemon))
        if variant in REQUESTING:
            undo.enter_context(profile(*WORK_PROFILE, guest, daemon))
            undo.enter_context(work(guest))
        if variant == STATIC:
            undo.enter_context(budget(vcpus, VCPUS_US, deadman))
            undo.enter_context(fifo(vcpus))
        yield


def command(variant, seconds, interval_us=INTERVAL_US):
    """What the guest is told in order to measure its wake-up latency for SECONDS."""
    if variant in REQUESTING:
        return f"rt {RT_PERIOD_US} 1000000000 {seconds} {int(variant == REQUESTS)} {RT_WORK_US}"
    return f"cyclictest {interval_us} 1000000000 {seconds}"
