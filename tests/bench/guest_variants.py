# SPDX-License-Identifier: GPL-2.0-or-later
"""What a real guest's threads are scheduled like while they are measured, besides what rig.variants has: profiles of the
daemon for the purpose, and which of them this kernel and this daemon can have."""

import contextlib
import json
import os
import re
import subprocess
import tempfile

from rig import proc, rtbudget, variants
from rig.daemon import program
from rig.proc import RigError

from .grid_host import BURST_US_MAX, slowed

# one-group: untouched, with all threads of the domain in one cgroup. Where they share a CPU anyway, all are there: then the
# domain's weight on that CPU never changes. The fault of the fair class by which two threads of a domain keep a whole CPU
# acts when it does, so what the guest does then is what its fair share of the CPU gives it.
SLICE, FOLLOW, COVERED, ONE_GROUP, STATIC = NAMES = ("slice", "follow", "covered", "one-group", variants.STATIC)
_SLICES_SINCE = (6, 12)
# Real-time budgets for vCPUs that are static, all together, best first: others hold some of the host's.
_STATIC_BUDGETS_US = (940_000, 800_000, 600_000, variants.VCPUS_US)


def config(slow, **more):
    """The daemon's configuration: bursts SLOW times as long as shipped, and profiles besides those that are shipped.

    slice    the short slice of the fair class alone, for the vCPUs
    follow   latency, and the domain's helpers are boosted with its vCPUs
    more     other profiles
    """
    made = slowed(slow)
    latency = made["profiles"]["latency"]
    made["profiles"] |= {SLICE: {"mode": "boost", **latency, "levers": ["slice"]}, **more}
    return made | {"default_profile": "observe"}


def follow(slow):
    return {FOLLOW: {"mode": "boost", **slowed(slow)["profiles"]["latency"], "helpers": "follow"}}


def covered(slow, share_permille=450, burst_us=4000):
    """A profile, and what of the host it needs, whose burst and share hold what is asked of a vCPU, whoever pays for it."""
    profile = {"mode": "boost", "share_permille": share_permille, "burst_us": min(BURST_US_MAX, burst_us * slow)}
    return {"profiles": {COVERED: profile},
            "host": {"cpu_share_permille": share_permille + 100, "cpu_burst_us": 20_000, "domain_burst_us": 100_000}}


def _kernel():
    return tuple(map(int, re.match(r"(\d+)\.(\d+)", os.uname().release).groups()))


def _is_known(build, profiles):
    """Does the daemon's configuration know the keys of these profiles?"""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump({"version": 1, "profiles": profiles}, file)
        file.flush()
        os.chmod(file.name, 0o644)
        done = subprocess.run([program(build, "pvschedd"), "--check-config", "--config", file.name], capture_output=True,
                              timeout=20, check=False)
    return done.returncode == 0


def lacking(build, names):
    """{variant: why} of those of NAMES that cannot be measured here."""
    found = {}
    if SLICE in names and _kernel() < _SLICES_SINCE:
        found[SLICE] = f"Linux {os.uname().release} has no slices of threads; 6.12 has"
    if FOLLOW in names and not _is_known(build, follow(1)):
        found[FOLLOW] = 'this pvschedd knows no "helpers": "follow"'
    return found


def _move(tid, file):
    with contextlib.suppress(ProcessLookupError), open(file, "w", encoding="ascii") as stream:
        stream.write(str(tid))


def _pin(tid, cpus):
    with contextlib.suppress(ProcessLookupError):
        os.sched_setaffinity(tid, cpus)


@contextlib.contextmanager
def one_group(tids, leader, cpu=None):
    """The threads are in the cgroup of LEADER, QEMU's main thread, while this lasts, and all on that CPU if one is given. Those
    that end meanwhile do not matter."""
    mount, group, version = proc.cpu_cgroup(leader)
    threads = "tasks" if version == 1 else "cgroup.threads"
    with contextlib.ExitStack() as undo:
        for tid in tids:
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                before, cpus = proc.cpu_cgroup(tid)[1], os.sched_getaffinity(tid)
                if before != group:
                    undo.callback(_move, tid, f"{mount}{before}/{threads}")
                    _move(tid, f"{mount}{group}/{threads}")
                if cpu is not None and cpus != {cpu}:
                    undo.callback(_pin, tid, cpus)
                    _pin(tid, {cpu})
        yield


@contextlib.contextmanager
def static_budget(tids):
    """The largest real-time budget that fits, for threads that are FIFO; none where the kernel knows no budgets."""
    with rtbudget.RtBudget() as granted:
        for total_us in _STATIC_BUDGETS_US:
            try:
                for tid in tids:
                    granted.grant(tid, total_us // len(tids))
                break
            except RigError:
                granted.restore()
                if total_us == _STATIC_BUDGETS_US[-1]:
                    raise
        yield
