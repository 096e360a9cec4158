# SPDX-License-Identifier: GPL-2.0-or-later
"""The scheduling attributes of a thread, from the kernel itself."""

import collections
import ctypes
import errno
import os
import platform

RESET_ON_FORK = 0x40000000
FIFO, RR = os.SCHED_FIFO, os.SCHED_RR

_NUMBERS = {"x86_64": (315, 314), "aarch64": (275, 274)}
_GETATTR, _SETATTR = _NUMBERS[platform.machine()]
_libc = ctypes.CDLL(None, use_errno=True)


class _SchedAttr(ctypes.Structure):
    _fields_ = [("size", ctypes.c_uint32), ("policy", ctypes.c_uint32), ("flags", ctypes.c_uint64),
                ("nice", ctypes.c_int32), ("priority", ctypes.c_uint32), ("runtime", ctypes.c_uint64),
                ("deadline", ctypes.c_uint64), ("period", ctypes.c_uint64), ("util_min", ctypes.c_uint32),
                ("util_max", ctypes.c_uint32)]


Attributes = collections.namedtuple("Attributes", "policy priority flags nice runtime slack_ns")


def _get(tid):
    attr = _SchedAttr()
    if _libc.syscall(_GETATTR, tid, ctypes.byref(attr), ctypes.sizeof(attr), 0) != 0:
        raise OSError(ctypes.get_errno(), f"sched_getattr of {tid}")
    return attr


def read(tid):
    """Attributes of a thread; ProcessLookupError when it is gone."""
    attr = _get(tid)
    with open(f"/proc/{tid}/timerslack_ns", encoding="ascii") as file:
        slack = int(file.read())
    # the nice of a real-time thread is not in the structure
    return Attributes(attr.policy, attr.priority, attr.flags, os.getpriority(os.PRIO_PROCESS, tid), attr.runtime, slack)


def write(tid, policy=0, nice=0, flags=0, priority=0, runtime=0):
    attr = _SchedAttr(ctypes.sizeof(_SchedAttr), policy, flags, nice, priority, runtime, 0, 0, 0, 0)
    if _libc.syscall(_SETATTR, tid, ctypes.byref(attr), 0) != 0:
        raise OSError(ctypes.get_errno(), f"sched_setattr of {tid}")


def util_min(tid):
    return _get(tid).util_min


def has_clamps():
    """CONFIG_UCLAMP_TASK: asked by a value that no kernel takes."""
    attr = _SchedAttr(size=ctypes.sizeof(_SchedAttr), flags=0x38, util_min=1025)
    _libc.syscall(_SETATTR, 0, ctypes.byref(attr), 0)
    return ctypes.get_errno() == errno.EINVAL


def set_slack(tid, slack_ns):
    with open(f"/proc/{tid}/timerslack_ns", "w", encoding="ascii") as file:
        file.write(str(slack_ns))


def boosted(tid):
    """True while it has a real-time class."""
    return os.sched_getscheduler(tid) & ~RESET_ON_FORK in (FIFO, RR)
