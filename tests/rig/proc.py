# SPDX-License-Identifier: GPL-2.0-or-later
"""Readers of /proc and of the scheduler for the rig: threads, run time, cgroups, policies."""

import ctypes
import os
import re
import signal
import subprocess
import time

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


class RigError(Exception):
    """Something of the rig failed; the text says what, where and what to do."""


def die_with_parent():
    """For preexec_fn: the child is killed when the thread that started it dies, however it dies."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def read(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


def run(*argv, check=True, timeout=60, **kwargs):
    """Runs a program to its end; its output as text. A failure tells the command and its stderr."""
    done = subprocess.run(argv, capture_output=True, text=True, timeout=timeout, check=False, **kwargs)
    if check and done.returncode != 0:
        raise RigError(f"{' '.join(argv)} failed with {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def wait_for(condition, seconds, what, step=0.02):
    """Calls condition() until it gives something true, which is returned; RigError after SECONDS."""
    deadline = time.monotonic() + seconds
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() >= deadline:
            raise RigError(f"gave up waiting {seconds:g} s for {what}")
        time.sleep(step)


def start_ticks(pid):
    """Start time of a process or thread in clock ticks since boot: with the pid it is its identity."""
    try:
        return int(read(f"/proc/{pid}/stat").rpartition(")")[2].split()[19])
    except (FileNotFoundError, ProcessLookupError):
        return None


def same_process(pid, ticks):
    """True while PID still is the process that started at TICKS."""
    return ticks is not None and start_ticks(pid) == ticks


def pids_by_name(name):
    """Processes whose comm is NAME."""
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            if read(f"/proc/{entry}/comm").rstrip("\n") == name:
                found.append(int(entry))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def threads(pid):
    """{tid: name} of the threads of a process."""
    found = {}
    for tid in os.listdir(f"/proc/{pid}/task"):
        try:
            found[int(tid)] = read(f"/proc/{pid}/task/{tid}/comm").rstrip("\n")
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def run_ns(tid):
    """CPU time of one thread in nanoseconds, exact."""
    return int(read(f"/proc/{tid}/schedstat").split()[0])


def process_ns(pid):
    """CPU time of all threads of a process that live."""
    return sum(run_ns(tid) for tid in threads(pid))


def children(pid):
    """Processes that it made, and that live."""
    found = []
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            if int(read(f"/proc/{entry}/stat").rpartition(")")[2].split()[1]) == pid:
                found.append(int(entry))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def waited_ns(tid):
    """For how long it could have run, and did not."""
    return int(read(f"/proc/{tid}/schedstat").split()[1])


def rt_policy(tid):
    """(policy, priority, timer slack in ns or None): what `restore_policy` puts back."""
    try:
        slack = int(read(f"/proc/{tid}/timerslack_ns"))
    except OSError:
        slack = None
    return os.sched_getscheduler(tid), os.sched_getparam(tid).sched_priority, slack


def set_fifo(tid, priority=1):
    """FIFO for one thread; its children are born as ordinary threads."""
    os.sched_setscheduler(tid, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(priority))


def restore_policy(tid, before):
    """Puts back what rt_policy() gave. The kernel forgets the timer slack on the way: written again."""
    policy, priority, slack = before
    os.sched_setscheduler(tid, policy, os.sched_param(priority))
    if slack:
        with open(f"/proc/{tid}/timerslack_ns", "w", encoding="ascii") as file:
            file.write(str(slack))


def cpu_cgroup(tid):
    """(mount point, path, version) of the thread's group in the hierarchy of the cpu controller."""
    unified = None
    for line in read(f"/proc/{tid}/cgroup").splitlines():
        number, controllers, path = line.split(":", 2)
        if "cpu" in controllers.split(","):
            return cgroup_mount("cgroup", "cpu"), path, 1
        if number == "0":
            unified = path
    if unified is None:
        raise RigError(f"thread {tid} has no cpu cgroup: mount cgroup v2 or the cpu controller of v1")
    return cgroup_mount("cgroup2", None), unified, 2


def cgroup_mount(fstype, controller):
    """Where "cgroup2" is mounted, or "cgroup" with that controller."""
    for line in read("/proc/self/mountinfo").splitlines():
        fields, _, rest = line.partition(" - ")
        kind, _, options = rest.split(" ", 2)
        if kind == fstype and (controller is None or controller in options.split(",")):
            return fields.split(" ")[4]
    raise RigError(f"no {fstype} {controller or ''} is mounted")


def domain_cgroup(vcpu_tid):
    """(mount point, path of the whole domain's group, version) from one vCPU's thread."""
    mount, path, version = cpu_cgroup(vcpu_tid)
    path = re.sub(r"/vcpu\d+$", "", path)
    if version == 2:
        path = re.sub(r"/libvirt$", "", path)
    return mount, path, version
