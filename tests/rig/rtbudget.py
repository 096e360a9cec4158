# SPDX-License-Identifier: GPL-2.0-or-later
"""Real-time budgets of cgroups on kernels with CONFIG_RT_GROUP_SCHED (cgroup v1 only).

There FIFO is EPERM, even for root, in a group whose cpu.rt_runtime_us is 0, as those that libvirt makes
are. A group's budget must fit into its parent's together with its siblings': budgets are granted top
down and given back bottom up. sched_rt_runtime_us, the whole machine's, is never touched.
"""

import glob
import os

from . import proc
from .deadman import NoDeadman
from .proc import RigError

_FILE = "cpu.rt_runtime_us"


def needed():
    """True if this kernel has budgets per group."""
    for line in proc.read("/proc/self/mountinfo").splitlines():
        fields, _, rest = line.partition(" - ")
        if rest.startswith("cgroup ") and "cpu" in rest.split(" ")[2].split(","):
            return os.path.exists(f"{fields.split(' ')[4]}/{_FILE}")
    return False


def of(tid):
    """Budget of the thread's group in us per second and CPU; None where the kernel has no budgets."""
    if not needed():
        return None
    mount, path, _ = proc.cpu_cgroup(tid)
    return int(proc.read(f"{mount}{path}/{_FILE}"))


def take_back_from_the_dead():
    """Takes back what is left in groups of virtual machines in which nothing runs; {file: us} of what there was.

    A program that was killed with all that would have undone its work leaves its budget in /machine, and the root's
    is then too small for others.
    """
    found = {}
    if not needed():
        return found
    mount = proc.cpu_cgroup("self")[0]
    for top in glob.glob(f"{mount}/machine*"):
        if any(proc.read(file).strip() for file in glob.glob(f"{top}/**/cgroup.procs", recursive=True)):
            continue
        # the deepest first: a group's budget cannot be less than that of the groups in it
        for file in sorted(glob.glob(f"{top}/**/{_FILE}", recursive=True), key=lambda path: -path.count("/")):
            runtime_us = int(proc.read(file))
            if runtime_us > 0:
                _write(file, 0)
                found[file] = runtime_us
    return found


class RtBudget:
    """Context manager: grants what is asked for, and takes it back at the end, last first.

    Grants add to what is there, at each level, as pvschedd's own do: so both can have theirs at a time.
    """

    def __init__(self, deadman=None):
        self._deadman = deadman or NoDeadman()
        self._granted = []  # (file, us added, key of the dead-man's entry)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.restore()

    def grant(self, tid, runtime_us):
        """Lets the group of thread TID run real-time for at least runtime_us of each second and CPU.

        All groups above it, but the root, get as much more. The root has 950 000, which all grants on a host
        share. Does nothing where the kernel has no budgets or the group's is large enough already.
        """
        has = of(tid)
        if has is None or has >= runtime_us:
            return
        mount, path, _ = proc.cpu_cgroup(tid)
        names = [name for name in path.split("/") if name]
        for depth in range(1, len(names) + 1):
            self._add(f"{mount}/{'/'.join(names[:depth])}/{_FILE}", runtime_us - has)

    def _add(self, file, added_us):
        before = int(proc.read(file))
        try:
            _write(file, before + added_us)
        except OSError as error:
            raise RigError(f"cannot raise the real-time budget in {file} from {before} to {before + added_us} us: "
                           f"{error.strerror}; with its siblings' it must fit into its parent's") from error
        take_back = '! [ -e "$0" ] || { us=$(cat "$0"); [ "$us" -lt "$1" ] || echo "$((us - $1))" >"$0"; }'
        self._granted.append((file, added_us, self._deadman.add(argv=["sh", "-c", take_back, file, str(added_us)])))

    def restore(self):
        """Takes back what was added, unless the group is gone or its value was lowered below that since."""
        for file, added_us, key in reversed(self._granted):
            self._deadman.remove(key)
            try:
                now = int(proc.read(file))
                if now >= added_us:
                    _write(file, now - added_us)
            except FileNotFoundError:
                continue
            except OSError as error:
                print(f"cannot take {added_us} us back from {file}: {error.strerror}")
        self._granted = []


def _write(file, value):
    with open(file, "w", encoding="ascii") as stream:
        stream.write(str(value))
