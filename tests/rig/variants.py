# SPDX-License-Identifier: GPL-2.0-or-later
"""What is compared: how the vCPUs of the guest are scheduled while it measures."""

import contextlib

from . import proc
from .rtbudget import RtBudget

PLAIN = "untouched_plain"  # under emulation only: not even QEMU's main thread is touched
UNTOUCHED = "untouched"
STATIC = "static"
PROFILES = ("interactive", "latency")
ALL = (PLAIN, UNTOUCHED, *PROFILES, STATIC)

# Per second and CPU, where the kernel asks for budgets: the main thread and all vCPUs together must fit into
# the 900 ms that a domain's group is given.
MAIN_THREAD_US = 400_000
VCPUS_US = 450_000


@contextlib.contextmanager
def fifo(tids, total_us, deadman=None):
    """The threads run FIFO 1 while this lasts, with budgets that sum to total_us; all is put back after."""
    with RtBudget(deadman) as budget, contextlib.ExitStack() as undo:
        for tid in tids:
            budget.grant(tid, total_us // len(tids))
            undo.callback(proc.restore_policy, tid, proc.rt_policy(tid))
            proc.set_fifo(tid)
        yield


@contextlib.contextmanager
def applied(variant, guest, daemon=None, deadman=None):
    """Sets one variant up, and puts back what was before.

    daemon    a running rig.daemon.Daemon, whose policy for every domain is observe by default; None where
              none of PROFILES is asked for
    """
    with contextlib.ExitStack() as undo:
        if guest.type == "qemu" and variant != PLAIN:
            undo.enter_context(fifo([guest.pid], MAIN_THREAD_US, deadman))
        if variant in PROFILES:
            daemon.ctl("policy", "set", guest.name, variant)
            undo.callback(daemon.ctl, "policy", "set", guest.name, "observe")
        if variant == STATIC:
            undo.enter_context(fifo(list(guest.vcpu_tids().values()), VCPUS_US, deadman))
        yield
